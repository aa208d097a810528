#include "sched/blocking.h"

#include "mailbox/error.h"
#include "mailbox/fork.h"
#include "mailbox/panic.h"
#include "sched/clock.h"
#include "sched/crash.h"
#include "sched/os.h"

enum { IDLE_SECONDS = 10 };

TRI_THREAD_LOCAL struct tri_runner *tri_runner_here;

void tri_blocking_open(struct tri_blocking *pool, unsigned limit)
{
    *pool = (struct tri_blocking){ .limit = limit };
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    tri_condition_init(&pool->work);
    tri_condition_init(&pool->ended);
}

/* Waits for a job; NULL when the thread shall end. With the lock held. */
static struct tri_job *wait_for_job(struct tri_blocking *pool)
{
    int64_t until = tri_clock_now(&tri_clock_real) + TR_SECONDS(IDLE_SECONDS);
    bool in_time = true;
    pool->idle++;
    while (!pool->first && !pool->closed && in_time)
        in_time = tri_condition_wait_until(&pool->work, &pool->lock, until);
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

static void add_runner(struct tri_blocking *pool, struct tri_runner *runner)
{
    runner->next = pool->runners;
    runner->self = &pool->runners;
    if (runner->next)
        runner->next->self = &runner->next;
    pool->runners = runner;
}

static void remove_runner(struct tri_runner *runner)
{
    *runner->self = runner->next;
    if (runner->next)
        runner->next->self = runner->self;
}

static void *thread_main(void *arg)
{
    struct tri_blocking *pool = arg;
    struct tri_runner runner = { .pool = pool };
    struct tri_job *job;

    tri_os_name_thread("troupe-blocking");
    tri_crash_thread_begin();
    tri_runner_here = &runner;
    pthread_mutex_lock(&pool->lock);
    add_runner(pool, &runner);
    while ((job = wait_for_job(pool))) {
        pthread_mutex_unlock(&pool->lock);
        unsigned forks = tri_forks;
        runner.job = job;
        job->run(job, false);
        runner.job = NULL;
        if (tri_unlikely(tri_forks != forks))
            tri_panic("a job goes on in a child of fork(): it must end there, by exec or _exit");
        pthread_mutex_lock(&pool->lock);
    }
    remove_runner(&runner);
    pool->threads--;
    tri_condition_signal(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    tri_crash_thread_end();
    return NULL;
}

static int start_thread(struct tri_blocking *pool)
{
    pthread_t thread;
    int error = tri_os_start_thread(&thread, thread_main, pool);
    if (!error)
        pthread_detach(thread);
    return error;
}

int tri_blocking_submit(struct tri_blocking *pool, struct tri_job *job)
{
    int error = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->closed)
        error = TR_ECLOSED;
    else if (pool->instead)
        pool->instead(pool, job);
    else if (pool->idle <= pool->queued && pool->threads < pool->limit) {
        if (start_thread(pool) == 0)
            pool->threads++;
        else if (pool->threads == 0)
            error = TR_EAGAIN;
    }
    if (!error && !pool->instead) {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->queued++;
        tri_condition_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return error;
}

unsigned tri_blocking_close(struct tri_blocking *pool, int64_t deadline)
{
    bool in_time = true;

    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    struct tri_job *job = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    pool->queued = 0;
    tri_condition_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    if (pool->instead)
        pool->instead(pool, NULL);
    for (struct tri_job *next; job; job = next) {
        next = job->next;
        job->run(job, true);
    }

    pthread_mutex_lock(&pool->lock);
    while (pool->threads && in_time)
        in_time = tri_condition_wait_until(&pool->ended, &pool->lock, deadline);
    unsigned left = pool->threads;
    for (struct tri_runner *runner = pool->runners; runner && pool->late; runner = runner->next)
        pool->late(runner);
    pthread_mutex_unlock(&pool->lock);
    if (!left) {
        tri_condition_destroy(&pool->ended);
        tri_condition_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
    }
    return left;
}
