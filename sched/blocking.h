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

/* A thread of the pool. */
struct tri_runner {
    struct tri_blocking *pool;
    struct tri_runner *next, **self; /* in the pool's list */
    struct tri_job *job;             /* that it runs; NULL: none. For itself */
    const char *owner; /* of the job that it runs, for messages; NULL: none. Written by itself, read by any thread */
    uint64_t owner_ref;
};

/* The calling thread, if it is one. */
extern TRI_THREAD_LOCAL struct tri_runner *tri_runner_here;

struct tri_blocking {
    void (*instead)(struct tri_blocking *pool, struct tri_job *job); /* takes the jobs of a simulated system, which has
     * no threads; without a job: the pool closes, those that it has are canceled */
    pthread_mutex_t lock;
    struct tri_condition work;  /* for idle threads */
    struct tri_condition ended; /* for the one that closes */
    struct tri_job *first, **last;
    struct tri_runner *runners;
    void (*late)(const struct tri_runner *runner); /* NULL; or is told of each that runs after the deadline */
    unsigned limit, threads, idle, queued;
    bool closed;
};

/* limit is at least 1. */
void tri_blocking_open(struct tri_blocking *pool, unsigned limit);

/* Runs job->run(job) on a thread of the pool: 0; TR_ECLOSED; TR_EAGAIN when there is no thread and none can be made. */
int tri_blocking_submit(struct tri_blocking *pool, struct tri_job *job);

/* Refuses new jobs, drops those that wait, and waits until the deadline (of the real clock) for those that run. Answers
 * how many threads still run; if that is not 0 the pool must stay where it is. */
unsigned tri_blocking_close(struct tri_blocking *pool, int64_t deadline);

#endif
