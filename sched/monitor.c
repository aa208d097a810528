/*
 * The monitor: a thread that watches whether the workers move.
 *
 * A worker that is in one turn from one look to the next does not move. Then it gives up all that may run elsewhere (its
 * ring and its `next`; a flag tells the thief), and one sleeper is woken; so it is when something lies in the global list,
 * for those who put it there may have left it to this worker. What else waits with it is rescued by another worker, one that
 * sleeps or one that looks around between its turns (rescue.h). If the turn lasts longer than the watchdog allows, the actor
 * and the type of the message are named in the log, once a turn, and also when it is over.
 *
 * It looks every 5 ms while a worker runs and another is parked, every 50 ms while all run (nobody could help then, but
 * the watchdog watches), and sleeps when everybody does, until a worker begins to run.
 */
#include "mailbox/error.h"
#include "mailbox/memory.h"
#include "sched/log.h"
#include "sched/os.h"
#include "sched/rescue.h"

enum { LOOK_NS = 5000000, LOOK_ALL_RUN_NS = 50000000, LOOKS_BEFORE_SLEEP = 4 };

struct tri_watch {
    uint32_t turns;
    int64_t since; /* when it was first seen in this turn, */
    int64_t used;  /* and the processor time that its thread had used by then */
    bool runs;     /* it was in a turn */
    bool named;
};

/* What another worker could run: its own, or what was left to it in the global list. */
static bool holds_work(struct tri_worker *worker)
{
    return tri_ring_size(&worker->ring) > 0 || ck_pr_load_ptr(&worker->next) != NULL ||
        ck_pr_load_32(&worker->sched->global_length) > 0;
}

/* How long it has been in its turn: by the clock, and of its thread's processor time, which is less where the handler waits
 * for something, or the machine has more to do than it can. */
static void say(struct tri_sched *sched, struct tri_worker *worker, const struct tri_watch *watch, int64_t now,
    const char *says, const char *what)
{
    int64_t used = tri_os_thread_time(sched->threads[worker->index]) - watch->used;
    tri_log(TR_LOG_WARNING, "worker %u %s %lld ms (%lld ms of processor time)%s", worker->index, says,
        (long long)((now - watch->since) / 1000000), (long long)(used / 1000000), what);
}

static void name_it(struct tri_sched *sched, struct tri_worker *worker, struct tri_watch *watch, int64_t now)
{
    char what[256] = " by ";
    watch->named = true;
    sched->config.describe(worker, what + 4, sizeof what - 4);
    say(sched, worker, watch, now, "is held for", what);
}

/* Somebody shall run what the worker does not. */
static void call_for_help(struct tri_sched *sched, struct tri_worker *worker, int64_t now)
{
    bool rescue = sched->can_rescue && tri_rescue_needed(worker, now), work = !worker->own && holds_work(worker);
    ck_pr_store_uint(&worker->stuck, 1);
    if (rescue)
        ck_pr_cas_uint(&sched->rescue, TRI_RESCUE_NOT, TRI_RESCUE_WANTED);
    ck_pr_fence_memory(); /* the flags before the thief looks for them */
    if (!ck_pr_load_32(&sched->sleepers))
        return; /* those who run see them, too */
    if (work)
        tri_sched_wake_one(sched);
    if (rescue && ck_pr_load_uint(&sched->rescue) == TRI_RESCUE_WANTED)
        tri_sched_wake_any(sched);
}

/* Looks at one worker; answers whether it runs. */
static bool look_at(struct tri_sched *sched, struct tri_worker *worker, struct tri_watch *watch, int64_t now)
{
    uint32_t turns = ck_pr_load_32(&worker->turns);
    bool runs = ck_pr_load_ptr(&worker->running) != NULL;
    if (turns != watch->turns || !runs || !watch->runs) { /* a turn that begins may not have been counted yet */
        if (ck_pr_load_uint(&worker->stuck)) /* set when its turn was just over, or it has not come to clear it */
            ck_pr_store_uint(&worker->stuck, 0);
        if (watch->named)
            say(sched, worker, watch, now, "goes on; it was held for about", "");
        *watch = (struct tri_watch){ .turns = turns, .since = now, .runs = runs };
        if (runs) {
            ck_pr_store_uint(&worker->look, 1);
            watch->used = tri_os_thread_time(sched->threads[worker->index]);
        }
        return runs || ck_pr_load_uint(&worker->state) != TRI_PARKED;
    }
    call_for_help(sched, worker, now);
    if (sched->config.watchdog_ns && !worker->own && !watch->named && now - watch->since >= sched->config.watchdog_ns)
        name_it(sched, worker, watch, now);
    return true;
}

static void wait_for(struct tri_sched *sched, int64_t ns)
{
    struct tri_monitor *monitor = &sched->monitor;
    int64_t until = tri_clock_now(&tri_clock_real) + ns;
    pthread_mutex_lock(&monitor->lock);
    if (!monitor->stop)
        tri_condition_wait_until(&monitor->condition, &monitor->lock, until);
    pthread_mutex_unlock(&monitor->lock);
}

static bool all_parked(struct tri_sched *sched)
{
    for (unsigned i = 0; i < tri_sched_all(sched); i++)
        if (ck_pr_load_uint(&sched->workers[i]->state) != TRI_PARKED)
            return false;
    return true;
}

/* A worker may have begun to run since it was looked at and seen the monitor awake: announce, fence, look again. */
static void sleep_until_poked(struct tri_sched *sched)
{
    struct tri_monitor *monitor = &sched->monitor;
    pthread_mutex_lock(&monitor->lock);
    ck_pr_store_uint(&monitor->asleep, 1);
    ck_pr_fence_memory(); /* pairs with the one in tri_worker_get_up() before tri_monitor_poke */
    while (ck_pr_load_uint(&monitor->asleep) && !monitor->stop && all_parked(sched))
        tri_condition_wait(&monitor->condition, &monitor->lock);
    ck_pr_store_uint(&monitor->asleep, 0);
    pthread_mutex_unlock(&monitor->lock);
}

void tri_monitor_poke_slowly(struct tri_sched *sched)
{
    struct tri_monitor *monitor = &sched->monitor;
    pthread_mutex_lock(&monitor->lock);
    ck_pr_store_uint(&monitor->asleep, 0);
    tri_condition_signal(&monitor->condition);
    pthread_mutex_unlock(&monitor->lock);
}

static bool stopped(struct tri_monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    bool stop = monitor->stop;
    pthread_mutex_unlock(&monitor->lock);
    return stop;
}

static void *monitor_main(void *arg)
{
    struct tri_sched *sched = arg;
    unsigned quiet = 0;

    tri_os_name_thread("troupe-monitor");
    while (!stopped(&sched->monitor)) {
        int64_t now = tri_clock_now(&tri_clock_real);
        unsigned running = 0, sharing = 0;
        ck_pr_store_64((uint64_t *)&sched->looked, (uint64_t)tri_clock_now(sched->config.clock));
        for (unsigned i = 0; i < tri_sched_all(sched); i++) {
            if (look_at(sched, sched->workers[i], &sched->monitor.watches[i], now)) {
                running++;
                sharing += !sched->workers[i]->own; /* the others help nobody */
            }
        }
        quiet = running ? 0 : quiet + 1;
        if (quiet < LOOKS_BEFORE_SLEEP) {
            wait_for(sched, sharing == sched->count ? LOOK_ALL_RUN_NS : LOOK_NS);
        } else {
            sleep_until_poked(sched);
            quiet = 0; /* or a worker whose turns are too short to be seen would have to poke it for each */
        }
    }
    return NULL;
}

static void destroy(struct tri_monitor *monitor)
{
    tri_condition_destroy(&monitor->condition);
    pthread_mutex_destroy(&monitor->lock);
    tri_memory_put(monitor->watches);
}

int tri_monitor_start(struct tri_sched *sched)
{
    struct tri_monitor *monitor = &sched->monitor;
    monitor->watches = tri_memory_get_zeroed(sched->room * sizeof *monitor->watches);
    if (!monitor->watches)
        return TR_ENOMEM;
    pthread_mutex_init(&monitor->lock, NULL);
    tri_condition_init(&monitor->condition);
    int error = tri_os_start_thread(&monitor->thread, monitor_main, sched);
    if (error)
        destroy(monitor);
    return error;
}

void tri_monitor_stop(struct tri_sched *sched)
{
    struct tri_monitor *monitor = &sched->monitor;
    pthread_mutex_lock(&monitor->lock);
    monitor->stop = true;
    tri_condition_signal(&monitor->condition);
    pthread_mutex_unlock(&monitor->lock);
    pthread_join(monitor->thread, NULL);
    destroy(monitor);
}
