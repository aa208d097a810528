/*
 * Workers of one actor each: threads of their own, with port, wheel and pool, made when they are asked for and kept for the
 * next one. They stand behind the others in tri_sched.workers, and nobody steals from them, nor do they from others. What an
 * actor there makes runnable and is not pinned to it goes to the system's list: its `next` is never empty, and so
 * tri_worker_schedule() goes the slow way (worker.c).
 */
#include "mailbox/error.h"
#include "mailbox/memory.h"
#include "sched/crash.h"
#include "sched/sched.h"

static struct tri_runnable nobody;

unsigned tri_sched_room(const struct tri_sched_config *config)
{
    unsigned room = config->workers + TRI_OWN_WORKERS_MAX;
    return config->sim ? config->workers : room < TRI_WORKERS_MAX ? room : TRI_WORKERS_MAX;
}

/* Tells the one who waits for it how its thread has begun. */
static void report(struct tri_worker *worker, int error)
{
    struct tri_sched *sched = worker->sched;
    pthread_mutex_lock(&sched->lock);
    worker->opened = error ? error : 1;
    tri_condition_broadcast(&sched->started);
    pthread_mutex_unlock(&sched->lock);
}

static void *own_main(void *arg)
{
    struct tri_worker *worker = arg;
    tri_os_worker_thread(worker->index, false);
    tri_crash_thread_begin();
    int error = tri_worker_open(worker);
    report(worker, error);
    if (!error) {
        tri_worker_loop(worker);
        tri_worker_wait_to_close(worker->sched);
    }
    tri_worker_close(worker);
    tri_crash_thread_end();
    return NULL;
}

/* With own_lock. */
static int begin(struct tri_sched *sched, struct tri_worker *worker)
{
    pthread_t *thread = &sched->threads[worker->index];
    int error = tri_os_start_thread(thread, own_main, worker);
    if (error)
        return error;
    pthread_mutex_lock(&sched->lock);
    while (!worker->opened)
        tri_condition_wait(&sched->started, &sched->lock);
    pthread_mutex_unlock(&sched->lock);
    if (worker->opened > 0)
        return 0;
    pthread_join(*thread, NULL);
    return worker->opened;
}

static int add_worker(struct tri_sched *sched, uint16_t *index)
{
    if (sched->all == sched->room)
        return TR_ELIMIT;
    struct tri_worker *worker = tri_worker_new(sched, sched->all);
    if (!worker)
        return TR_ENOMEM;
    worker->own = worker->taken = true;
    worker->next = &nobody;
    worker->in_a_row = TRI_NEXT_IN_A_ROW;
    int error = begin(sched, worker);
    if (error) {
        tri_worker_free(worker);
        return error;
    }
    *index = worker->index;
    sched->workers[sched->all] = worker;
    ck_pr_fence_release(); /* the worker before its number; pairs with tri_sched_all() */
    ck_pr_store_uint(&sched->all, sched->all + 1);
    return 0;
}

int tri_sched_own(struct tri_sched *sched, uint16_t *index)
{
    if (sched->config.sim)
        return 0;
    pthread_mutex_lock(&sched->own_lock);
    int error = 1;
    for (unsigned i = sched->count; i < sched->all && error; i++)
        if (!sched->workers[i]->taken) {
            sched->workers[i]->taken = true;
            *index = (uint16_t)i;
            error = 0;
        }
    if (error)
        error = add_worker(sched, index);
    pthread_mutex_unlock(&sched->own_lock);
    return error;
}

void tri_sched_disown(struct tri_sched *sched, uint16_t index)
{
    if (index == TRI_HOME_ANY || index < sched->count)
        return;
    pthread_mutex_lock(&sched->own_lock);
    sched->workers[index]->taken = false;
    pthread_mutex_unlock(&sched->own_lock);
}
