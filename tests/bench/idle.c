/*
 * idle: N actors that have started and wait for a message: how long it takes to make them, and their memory.
 *
 * Their argument is what actors of this kind carry in other systems' programs, too. bytes_per_actor includes the
 * reference to each that the root keeps.
 */
#include "tests/bench/bench.h"

#include "tests/bench/resources.h"

#include <stdatomic.h>

enum { PORTION = 1000 }; /* spawned in one go: a handler must not hold its worker for long */

TR_SIGNAL(spawn_more);
TR_SIGNAL(all_started);
TR_DEFINE(spawn_more);
TR_DEFINE(all_started);

struct sleeper {
    int64_t n;
    atomic_llong *started;
};

static int sleeper_start(tr_self *self, void *state, const void *arg)
{
    const struct sleeper *me = arg;
    (void)state;
    if (atomic_fetch_add_explicit(me->started, 1, memory_order_relaxed) + 1 == me->n)
        tr_send(self, tr_parent(self), all_started);
    return TR_CONTINUE;
}

static int sleeper(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_CONTINUE;
}

static const tr_actor sleeper_actor = { TR_SPEC, .name = "sleeper", .start = sleeper_start, .receive = sleeper,
    .arg_size = sizeof(struct sleeper) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct idle {
    int64_t n, spawned, start, before_kib;
    tr_ref *sleepers;
    atomic_llong started;
};

static int idle_start(tr_self *self, void *state, const void *arg)
{
    struct idle *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->sleepers = malloc((size_t)me->n * sizeof *me->sleepers);
    bench_check(me->sleepers != NULL, "idle: no memory for the references");
    me->before_kib = resources_rss_kib();
    me->start = tr_now(self);
    tr_send(self, tr_me(self), spawn_more);
    return TR_CONTINUE;
}

static void spawn_portion(tr_self *self, struct idle *me)
{
    const struct sleeper arg = { .n = me->n, .started = &me->started };
    for (int i = 0; i < PORTION && me->spawned < me->n; i++)
        me->sleepers[me->spawned++] = tr_spawn(self, &sleeper_actor, &arg);
    if (me->spawned < me->n)
        tr_send(self, tr_me(self), spawn_more);
}

static int idle(tr_self *self, void *state, const tr_msg *m)
{
    struct idle *me = state;
    if (tr_is(spawn_more, m)) {
        spawn_portion(self, me);
        return TR_CONTINUE;
    }
    if (!tr_is(all_started, m))
        bench_unexpected(m);
    int64_t ns = tr_now(self) - me->start;
    double bytes = (double)(resources_rss_kib() - me->before_kib) * 1024;
    for (int64_t i = 0; i < me->n; i++)
        bench_check(tr_alive(me->sleepers[i]), "idle: an actor has ended");
    bench_more("bytes_per_actor=%.0f", bytes / (double)me->n);
    return bench_report(me->n, ns);
}

static void idle_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    free(((struct idle *)state)->sleepers);
}

static const tr_actor idle_root = { TR_SPEC, .name = "idle", .start = idle_start, .receive = idle, .stop = idle_stop,
    .state_size = sizeof(struct idle), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_idle = { .name = "idle", .root = &idle_root, .n = 1000000 };
