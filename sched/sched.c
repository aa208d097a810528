#include "sched/sched.h"

#include "mailbox/error.h"
#include "mailbox/pool.h"
#include "sched/crash.h"
#include "sched/log.h"
#include "sched/os.h"
#include "sched/sim.h"

#include <string.h>

/* ---- the global list --------------------------------------------------------------------------------------------- */

void tri_sched_give(struct tri_sched *sched, struct tri_run_list list, uint32_t count)
{
    if (!list.first) /* its `last` says nothing */
        return;
    pthread_mutex_lock(&sched->lock);
    if (sched->global.first)
        sched->global.last->link.next = &list.first->link;
    else
        sched->global.first = list.first;
    sched->global.last = list.last;
    ck_pr_store_32(&sched->global_length, sched->global_length + count);
    pthread_mutex_unlock(&sched->lock);
}

struct tri_run_list tri_sched_take(struct tri_sched *sched, uint32_t max)
{
    struct tri_run_list list = { 0 };
    uint32_t count = 0;
    pthread_mutex_lock(&sched->lock);
    for (struct tri_runnable *r; count < max && (r = tri_run_list_pop(&sched->global)); count++)
        tri_run_list_append(&list, r);
    ck_pr_store_32(&sched->global_length, sched->global_length - count);
    pthread_mutex_unlock(&sched->lock);
    return list;
}

void tri_sched_give_batch(struct tri_sched *sched, struct tri_run_batch *batch)
{
    batch->next = NULL;
    pthread_mutex_lock(&sched->lock);
    *sched->batches_end = batch;
    sched->batches_end = &batch->next;
    ck_pr_store_32(&sched->global_length, sched->global_length + batch->count);
    pthread_mutex_unlock(&sched->lock);
}

struct tri_run_batch *tri_sched_take_batch(struct tri_sched *sched, uint32_t max)
{
    pthread_mutex_lock(&sched->lock);
    struct tri_run_batch *batch = sched->batches;
    if (batch && batch->count <= max) {
        sched->batches = batch->next;
        if (!batch->next)
            sched->batches_end = &sched->batches;
        ck_pr_store_32(&sched->global_length, sched->global_length - batch->count);
    } else {
        batch = NULL;
    }
    pthread_mutex_unlock(&sched->lock);
    return batch;
}

void tri_sched_inject(struct tri_sched *sched, struct tri_runnable *r)
{
    struct tri_run_list list = { 0 };
    tri_run_list_append(&list, r);
    tri_sched_give(sched, list, 1);
    ck_pr_fence_memory(); /* publish, fence, look: pairs with the one in announce_sleep() */
    if (ck_pr_load_32(&sched->sleepers))
        tri_sched_wake_one(sched);
}

/* ---- waking ------------------------------------------------------------------------------------------------------ */

static bool wake(struct tri_worker *worker, enum tri_worker_state how)
{
    if (ck_pr_load_uint(&worker->state) != TRI_PARKED)
        return false;
    ck_pr_fence_atomic(); /* the permission to search before the state that hands it on; pairs with tri_worker_get_up() */
    if (!ck_pr_cas_uint(&worker->state, TRI_PARKED, how))
        return false;
    worker->port->class->wake(worker->port);
    return true;
}

static bool wake_any(struct tri_sched *sched, enum tri_worker_state how)
{
    for (unsigned i = 0; i < sched->count; i++)
        if (wake(sched->workers[i], how))
            return true;
    return false;
}

static bool any_parked(struct tri_sched *sched)
{
    for (unsigned i = 0; i < sched->count; i++)
        if (ck_pr_load_uint(&sched->workers[i]->state) == TRI_PARKED)
            return true;
    return false;
}

void tri_sched_wake_one(struct tri_sched *sched)
{
    do {
        if (ck_pr_load_32(&sched->searchers) || !ck_pr_cas_32(&sched->searchers, 0, 1))
            return; /* who searches will find it, or look again before it sleeps */
        if (wake_any(sched, TRI_NOTIFIED_SEARCH))
            return; /* the permission to search is its own now */
        ck_pr_store_32(&sched->searchers, 0);
        ck_pr_fence_memory(); /* somebody may have left its waking to us meanwhile */
    } while (ck_pr_load_32(&sched->global_length) && any_parked(sched));
}

void tri_sched_wake_any(struct tri_sched *sched)
{
    wake_any(sched, TRI_NOTIFIED);
}

void tri_sched_wake_all(struct tri_sched *sched)
{
    for (unsigned i = 0; i < tri_sched_all(sched); i++)
        wake(sched->workers[i], TRI_NOTIFIED);
}

/* ---- starting and stopping --------------------------------------------------------------------------------------- */

struct tri_worker *tri_worker_new(struct tri_sched *sched, unsigned index)
{
    struct tri_worker *worker = tri_memory_get_zeroed(sizeof *worker);
    if (!worker)
        return NULL;
    worker->sched = sched;
    worker->index = (uint16_t)index;
    worker->glance = worker->glance_every = 1;
    worker->spun_turns = UINT32_MAX; /* no turn was the last one it has seen */
    worker->turn_messages = TRI_TURN_MESSAGES;
    worker->random.state = sched->config.seed ^ tri_random_next(&(struct tri_random){ index });
    worker->now = worker->attended = tri_clock_now(sched->config.clock);
    tri_possession_init(&worker->possession);
    tri_wheel_init(&worker->wheel, worker->now);
    ck_stack_init(&worker->inbox);
    ck_stack_init(&worker->errands);
    cork_dllist_init(&worker->reliefs);
    return worker;
}

void tri_worker_free(struct tri_worker *worker)
{
    if (worker)
        tri_possession_destroy(&worker->possession);
    tri_memory_put(worker);
}

int tri_worker_open(struct tri_worker *worker)
{
    struct tri_sched *sched = worker->sched;
    if (!sched->config.sim) { /* simulated workers have their blocks from tri_memory, one by one */
        worker->pool = tri_pool_open();
        if (!worker->pool)
            return TR_ENOMEM;
        tri_pool_here = worker->pool;
    }
    tri_worker_here = worker;
    int error = worker->own ? sched->config.port_open_later(worker, NULL, &worker->port)
                            : sched->config.port_open(worker, sched->config.port_arg, &worker->port);
    if (error) {
        worker->port = NULL;
        return error;
    }
    return sched->config.worker_start ? sched->config.worker_start(worker) : 0;
}

void tri_worker_close(struct tri_worker *worker)
{
    tri_worker_here = worker;
    if (worker->port && worker->sched->config.worker_stop) {
        tri_worker_run_errands(worker);
        worker->sched->config.worker_stop(worker);
    }
    if (worker->port)
        worker->port->class->close(worker->port);
    tri_pool_flush();
    tri_worker_here = NULL;
    tri_pool_here = NULL;
    if (worker->pool)
        tri_pool_close(worker->pool);
}

/* Tells tri_sched_start how it went, and waits for the others: true when all are ready. */
static bool report_ready(struct tri_sched *sched, int error)
{
    pthread_mutex_lock(&sched->lock);
    if (error && !sched->error)
        sched->error = error;
    sched->ready++;
    tri_condition_broadcast(&sched->started);
    while (sched->ready < sched->count && !sched->error)
        tri_condition_wait(&sched->started, &sched->lock);
    bool good = !sched->error;
    pthread_mutex_unlock(&sched->lock);
    return good;
}

/* A port is closed only when nobody can wake it any more: all workers have left their loops, and the one who stopped them
 * has woken the last. */
void tri_worker_wait_to_close(struct tri_sched *sched)
{
    pthread_mutex_lock(&sched->lock);
    sched->left++;
    tri_condition_broadcast(&sched->started);
    while (!sched->may_close)
        tri_condition_wait(&sched->started, &sched->lock);
    pthread_mutex_unlock(&sched->lock);
}

static void let_close(struct tri_sched *sched, unsigned threads)
{
    pthread_mutex_lock(&sched->lock);
    while (sched->left < threads)
        tri_condition_wait(&sched->started, &sched->lock);
    sched->may_close = true;
    tri_condition_broadcast(&sched->started);
    pthread_mutex_unlock(&sched->lock);
}

static void *worker_main(void *arg)
{
    struct tri_worker *worker = arg;
    tri_os_worker_thread(worker->index, worker->sched->config.pin);
    tri_crash_thread_begin();
    int error = tri_worker_open(worker);
    if (report_ready(worker->sched, error))
        tri_worker_loop(worker);
    tri_worker_wait_to_close(worker->sched);
    tri_worker_close(worker);
    tri_crash_thread_end();
    return NULL;
}

static void free_all(struct tri_sched *sched)
{
    for (struct tri_run_batch *batch; (batch = tri_sched_take_batch(sched, UINT32_MAX));)
        tri_block_put(batch, batch->tag);
    for (unsigned i = 0; i < sched->all; i++)
        tri_worker_free(sched->workers[i]);
    tri_memory_put(sched->workers);
    tri_memory_put(sched->threads);
    tri_condition_destroy(&sched->started);
    pthread_mutex_destroy(&sched->lock);
    pthread_mutex_destroy(&sched->own_lock);
}

static void join_workers(struct tri_sched *sched, unsigned threads)
{
    let_close(sched, threads);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(sched->threads[i], NULL);
    free_all(sched);
}

static int start_threads(struct tri_sched *sched, unsigned *threads)
{
    int error = 0;
    for (; *threads < sched->count && !error; *threads += !error)
        error = tri_os_start_thread(&sched->threads[*threads], worker_main, sched->workers[*threads]);
    return error;
}

static void say_no_rescue(void)
{
    static unsigned int said;
    if (!ck_pr_fas_uint(&said, 1))
        tri_log(TR_LOG_INFO, "timers of a worker that is held are late: this system has no membarrier");
}

int tri_sched_start(struct tri_sched *sched, const struct tri_sched_config *config)
{
    unsigned threads = 0;
    *sched = (struct tri_sched){ .config = *config, .count = config->workers, .all = config->workers };
    sched->room = tri_sched_room(config);
    sched->batches_end = &sched->batches;
    pthread_mutex_init(&sched->lock, NULL);
    pthread_mutex_init(&sched->own_lock, NULL);
    tri_condition_init(&sched->started);
    sched->can_rescue = !config->sim && tri_possession_possible();
    if (!sched->can_rescue && !config->sim && sched->count > 1)
        say_no_rescue();
    sched->workers = tri_memory_get_zeroed(sched->room * sizeof *sched->workers);
    sched->threads = tri_memory_get_zeroed(sched->room * sizeof *sched->threads);
    int error = sched->workers && sched->threads ? 0 : TR_ENOMEM;
    for (unsigned i = 0; i < sched->count && !error; i++)
        if (!(sched->workers[i] = tri_worker_new(sched, i)))
            error = TR_ENOMEM;
    if (!sched->workers)
        sched->count = sched->all = 0;
    if (config->sim) {
        error = error ? error : tri_sim_add(config->sim, sched);
        if (error)
            free_all(sched);
        return error;
    }
    if (!error)
        error = start_threads(sched, &threads);

    pthread_mutex_lock(&sched->lock);
    if (error)
        sched->error = error;
    tri_condition_broadcast(&sched->started);
    while (sched->ready < threads)
        tri_condition_wait(&sched->started, &sched->lock);
    error = sched->error;
    pthread_mutex_unlock(&sched->lock);

    if (!error)
        error = tri_monitor_start(sched);
    if (error) {
        ck_pr_store_uint(&sched->stopping, 1);
        ck_pr_fence_memory();
        if (threads == sched->count && sched->error == 0)
            tri_sched_wake_all(sched);
        join_workers(sched, threads);
    }
    return error;
}

void tri_sched_stop(struct tri_sched *sched)
{
    if (sched->config.sim) {
        tri_sim_remove(sched->config.sim, sched);
        free_all(sched);
        return;
    }
    tri_monitor_stop(sched);
    ck_pr_store_uint(&sched->stopping, 1);
    ck_pr_fence_memory(); /* pairs with the fence in announce_sleep() */
    tri_sched_wake_all(sched);
    join_workers(sched, sched->all);
}
