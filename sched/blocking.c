#include "sched/blocking.h"

#include "mailbox/error.h"
#include "sched/clock.h"
#include "sched/os.h"

#include <errno.h>
#include <time.h>

enum { IDLE_SECONDS = 10 };

static struct timespec timespec_of(int64_t ns)
{
    if (ns < 0) /* long past; a negative tv_nsec would be an error, not a time-out */
        ns = 0;
    return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

void tri_blocking_open(struct tri_blocking *pool, unsigned limit)
{
    pthread_condattr_t attributes;
    *pool = (struct tri_blocking){ .limit = limit };
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &attributes);
    pthread_cond_init(&pool->ended, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Waits for a job; NULL when the thread shall end. With the lock held. */
static struct tri_job *wait_for_job(struct tri_blocking *pool)
{
    struct timespec until = timespec_of(tri_clock_now(&tri_clock_real) + TR_SECONDS(IDLE_SECONDS));
    int error = 0;
    pool->idle++;
    while (!pool->first && !pool->closed && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    pool->idle--;
    struct tri_job *job = pool->first;
    if (job) {
        pool->first = job->next;
        pool->queued--;
        if (!pool->first)
            pool->last = &pool->first;
    }
    return job;
}

static void *thread_main(void *arg)
{
    struct tri_blocking *pool = arg;
    struct tri_job *job;

    tri_os_name_thread("troupe-blocking");
    pthread_mutex_lock(&pool->lock);
    while ((job = wait_for_job(pool))) {
        pthread_mutex_unlock(&pool->lock);
        job->run(job, false);
        pthread_mutex_lock(&pool->lock);
    }
    pool->threads--;
    pthread_cond_signal(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int start_thread(struct tri_blocking *pool)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t old;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    tri_os_block_signals(&old);
    int error = pthread_create(&thread, &attributes, thread_main, pool);
    tri_os_restore_signals(&old);
    pthread_attr_destroy(&attributes);
    return error;
}

int tri_blocking_submit(struct tri_blocking *pool, struct tri_job *job)
{
    int error = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->closed)
        error = TR_ECLOSED;
    else if (pool->idle <= pool->queued && pool->threads < pool->limit) {
        if (start_thread(pool) == 0)
            pool->threads++;
        else if (pool->threads == 0)
            error = TR_EAGAIN;
    }
    if (!error) {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->queued++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return error;
}

unsigned tri_blocking_close(struct tri_blocking *pool, int64_t deadline)
{
    struct timespec until = timespec_of(deadline);
    int error = 0;

    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    struct tri_job *job = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    pool->queued = 0;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (struct tri_job *next; job; job = next) {
        next = job->next;
        job->run(job, true);
    }

    pthread_mutex_lock(&pool->lock);
    while (pool->threads && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&pool->ended, &pool->lock, &until);
    unsigned left = pool->threads;
    pthread_mutex_unlock(&pool->lock);
    if (!left) {
        pthread_cond_destroy(&pool->ended);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
    }
    return left;
}
