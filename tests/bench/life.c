/*
 * spawn, monitor and restart: N times, an actor comes and goes.
 *
 * spawn: it starts, says so and ends; 100 of them at a time.
 * monitor: it starts and ends, and its monitor tells the root; one at a time.
 * restart: it crashes on a message, its supervisor starts it again, and it says so; one at a time.
 */
#include "tests/bench/bench.h"

#include <stdio.h>

/* ---- spawn ------------------------------------------------------------------------------------------------------- */

enum { AT_A_TIME = 100 };

TR_MESSAGE(guest_came, int64_t number;);
TR_DEFINE(guest_came);

static int guest_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    tr_send(self, tr_parent(self), guest_came, .number = *(const int64_t *)arg);
    return TR_STOP;
}

static int nothing(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    bench_unexpected(m);
}

static const tr_actor guest_actor = { TR_SPEC, .name = "guest", .start = guest_start, .receive = nothing,
    .arg_size = sizeof(int64_t) };

struct life {
    int64_t n, spawned, gone, sum, start;
    tr_ref last;
};

static void spawn_guest(tr_self *self, struct life *me)
{
    me->spawned++;
    tr_spawn(self, &guest_actor, &me->spawned);
}

static int spawn_start(tr_self *self, void *state, const void *arg)
{
    struct life *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    while (me->spawned < me->n && me->spawned < AT_A_TIME)
        spawn_guest(self, me);
    return TR_CONTINUE;
}

static int spawn(tr_self *self, void *state, const tr_msg *m)
{
    struct life *me = state;
    if (!tr_is(guest_came, m))
        bench_unexpected(m);
    me->sum += tr_body(guest_came, m)->number;
    if (me->spawned < me->n)
        spawn_guest(self, me);
    if (++me->gone < me->n)
        return TR_CONTINUE;
    bench_check(me->sum == me->n * (me->n + 1) / 2, "spawn: not everybody came once");
    return bench_report(me->n, tr_now(self) - me->start);
}

static const tr_actor spawn_root = { TR_SPEC, .name = "spawn", .start = spawn_start, .receive = spawn,
    .state_size = sizeof(struct life), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_spawn = { .name = "spawn", .root = &spawn_root, .n = 1000000 };

/* ---- monitor ----------------------------------------------------------------------------------------------------- */

static int mayfly_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    return TR_STOP;
}

static const tr_actor mayfly_actor = { TR_SPEC, .name = "mayfly", .start = mayfly_start, .receive = nothing };

static void spawn_mayfly(tr_self *self, struct life *me)
{
    me->last = tr_spawn(self, &mayfly_actor, NULL, .monitor = true);
}

static int monitor_start(tr_self *self, void *state, const void *arg)
{
    struct life *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    spawn_mayfly(self, me);
    return TR_CONTINUE;
}

static int monitor(tr_self *self, void *state, const tr_msg *m)
{
    struct life *me = state;
    if (!tr_is(tr_down, m))
        bench_unexpected(m);
    const tr_down *down = tr_body(tr_down, m);
    bench_check(tr_ref_eq(down->who, me->last) && down->reason == 0, "monitor: somebody else has ended, or badly");
    if (++me->gone == me->n)
        return bench_report(me->n, tr_now(self) - me->start);
    spawn_mayfly(self, me);
    return TR_CONTINUE;
}

static const tr_actor monitor_root = { TR_SPEC, .name = "monitor", .start = monitor_start, .receive = monitor,
    .state_size = sizeof(struct life), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_monitor = { .name = "monitor", .root = &monitor_root, .n = 1000000 };

/* ---- restart ----------------------------------------------------------------------------------------------------- */

TR_SIGNAL(patient_crash);
TR_SIGNAL(patient_started);
TR_DEFINE(patient_crash);
TR_DEFINE(patient_started);

static int patient_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    tr_send(self, *(const tr_ref *)arg, patient_started);
    return TR_CONTINUE;
}

static int patient(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    return tr_is(patient_crash, m) ? TR_ECRASHED : TR_CONTINUE;
}

static const tr_actor patient_actor = { TR_SPEC, .name = "patient", .start = patient_start, .receive = patient,
    .arg_size = sizeof(tr_ref) };

/* What the supervisor reads as long as it lives. No two restarts are within one nanosecond, so none is one too many, and
 * none is delayed. */
static tr_ref patients_root;
static const tr_child patients[] = { { .name = "patient", .actor = &patient_actor, .arg = &patients_root, .period_ns = 1 } };
static const tr_supervisor ward = { TR_SUPERVISOR, .name = "ward", .children = patients, .count = 1, .period_ns = 1 };

/* A supervisor logs a warning for each crash. It is not written, as the place it would go to would be measured with it. */
static void log_errors(void *arg, const tr_log_record *record)
{
    (void)arg;
    if (record->level == TR_LOG_ERROR)
        fprintf(stderr, "troupe-bench: %s: %s\n", record->actor, record->text);
}

static int restart_start(tr_self *self, void *state, const void *arg)
{
    struct life *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    tr_log_to(log_errors, NULL);
    patients_root = tr_me(self);
    tr_supervise(self, &ward);
    return TR_CONTINUE;
}

static int restart(tr_self *self, void *state, const tr_msg *m)
{
    struct life *me = state;
    if (!tr_is(patient_started, m))
        bench_unexpected(m);
    if (me->gone == 0)
        me->start = tr_now(self);
    if (me->gone++ == me->n) {
        int64_t ns = tr_now(self) - me->start;
        tr_stats stats;
        tr_system_stats(self, &stats);
        bench_check((int64_t)stats.restarted == me->n, "restart: wrong count of restarts");
        return bench_report(me->n, ns);
    }
    tr_send(self, m->from, patient_crash);
    return TR_CONTINUE;
}

static const tr_actor restart_root = { TR_SPEC, .name = "restart", .start = restart_start, .receive = restart,
    .state_size = sizeof(struct life), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_restart = { .name = "restart", .root = &restart_root, .n = 300000 };
