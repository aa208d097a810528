/*
 * blocking.h: a pool of threads for work that blocks.
 *
 * It grows by a thread whenever a job finds none idle, up to a limit; a thread without a job for 10 s ends. Any thread
 * may submit.
 */
#ifndef TRI_BLOCKING_H
#define TRI_BLOCKING_H

#include "mailbox/compiler.h"
#include "sched/os.h"

struct tri_job {
    struct tri_job *next;

    /* Runs the job, on a thread of the pool, and the job is the function's own from then on; or with `canceled`, on the
     * thread that closes the pool before the job could begin. */
    void (*run)(struct tri_job *job, bool canceled);
};

struct tri_blocking {
    void (*instead)(struct tri_blocking *pool, struct tri_job *job); /* takes the jobs of a simulated system, which has
     * no threads; without a job: the pool closes, those that it has are canceled */
    pthread_mutex_t lock;
    struct tri_condition work;  /* for idle threads */
    struct tri_condition ended; /* for the one that closes */
    struct tri_job *first, **last;
    unsigned limit, threads, idle, queued;
    bool closed;
};

/* The job that the calling thread, one of a pool's, runs; NULL: none. */
extern TRI_THREAD_LOCAL struct tri_job *tri_job_here;

/* limit is at least 1. */
void tri_blocking_open(struct tri_blocking *pool, unsigned limit);

/* Runs job->run(job) on a thread of the pool: 0; TR_ECLOSED; TR_EAGAIN when there is no thread and none can be made. */
int tri_blocking_submit(struct tri_blocking *pool, struct tri_job *job);

/* Refuses new jobs, drops those that wait, and waits until the deadline (of the real clock) for those that run. Answers
 * how many threads still run; if that is not 0 the pool must stay where it is. */
unsigned tri_blocking_close(struct tri_blocking *pool, int64_t deadline);

#endif
