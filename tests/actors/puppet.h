/*
 * puppet.h: actors that do what a test tells them.
 *
 * A puppet runs the functions a test sends it, in its own turn, and forwards everything else to its master, the probe. So
 * a test says in one place what several actors do, and the probe sees what they are told.
 */
#ifndef TROUPE_TESTS_PUPPET_H
#define TROUPE_TESTS_PUPPET_H

#include "tests/support.h"

struct performance {
    struct tally over;
    int answer;
};

/* Run function(self, arg); what it answers is the answer of the handler. */
TR_MESSAGE(act,
    int (*function)(tr_self *self, void *arg);
    void *arg;
    struct performance *performance;
);

/* What a puppet reports if it was made to. */
TR_MESSAGE(started, tr_ref who; unsigned incarnation;);
TR_MESSAGE(stopped, tr_ref who; int reason; unsigned incarnation;);
TR_DEFINE(started);
TR_DEFINE(stopped);

/* The message was handled, or will not be. */
static void act_drop(void *body)
{
    struct performance *performance = ((act *)body)->performance;
    if (performance)
        tally_add(&performance->over);
}
TR_DEFINE(act, .drop = act_drop);

enum { TELL_START = 1, TELL_STOP = 2 };

struct puppet {
    tr_ref master;
    unsigned tells;
};

static int puppet_start(tr_self *self, void *state, const void *arg)
{
    struct puppet *me = state;
    *me = *(const struct puppet *)arg;
    if (me->tells & TELL_START)
        tr_send(self, me->master, started, .who = tr_me(self), .incarnation = tr_incarnation(self));
    return TR_CONTINUE;
}

static int puppet_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct puppet *me = state;
    if (!tr_is(act, m)) {
        tr_forward(self, m, me->master);
        return TR_CONTINUE;
    }
    int answer = tr_body(act, m)->function(self, tr_body(act, m)->arg);
    if (tr_body(act, m)->performance)
        tr_body(act, m)->performance->answer = answer;
    return answer;
}

static void puppet_stop(tr_self *self, void *state, int reason)
{
    struct puppet *me = state;
    if (me->tells & TELL_STOP)
        tr_send(self, me->master, stopped, .who = tr_me(self), .reason = reason, .incarnation = tr_incarnation(self));
}

#define PUPPET \
    TR_SPEC, .name = "puppet", .start = puppet_start, .receive = puppet_receive, .stop = puppet_stop, \
             .state_size = sizeof(struct puppet), .arg_size = sizeof(struct puppet)

static const tr_actor puppet_actor = { PUPPET };
static const tr_actor trapping_puppet = { PUPPET, .trap_exits = true };

/* ---- spawning ---------------------------------------------------------------------------------------------------- */

struct spawning {
    const tr_actor *spec;
    const tr_spawn_options *options;
    tr_ref ref;
};

static inline int do_spawn(tr_self *self, void *arg)
{
    struct spawning *spawning = arg;
    spawning->ref = tr_spawn_(self, spawning->spec, spawning->options);
    return TR_CONTINUE;
}

static inline tr_ref probe_spawn_(const tr_actor *spec, const tr_spawn_options *options)
{
    struct spawning spawning = { spec, options, TR_NOBODY };
    tr_probe_do(probe, do_spawn, &spawning);
    return spawning.ref;
}

/* As tr_spawn, by the probe. */
#define probe_spawn(spec, ...) probe_spawn_((spec), &(const tr_spawn_options){ .arg = __VA_ARGS__ })

/* A puppet of the probe's; telling it is a combination of TELL_…. */
static inline tr_ref make_puppet(unsigned telling)
{
    tr_ref puppet = probe_spawn(&puppet_actor, &(struct puppet){ tr_probe_ref(probe), telling });
    cr_assert_not(tr_ref_is_nobody(puppet));
    return puppet;
}

/* ---- acting ------------------------------------------------------------------------------------------------------ */

/* Has a puppet run a function, and waits until it has: what it answered; TR_EDOWN when the puppet is down. */
static inline int perform(tr_ref puppet, int (*function)(tr_self *self, void *arg), void *arg)
{
    struct performance performance = { .answer = TR_EDOWN };
    tally_init(&performance.over);
    tr_probe_send(probe, puppet, act, .function = function, .arg = arg, .performance = &performance);
    tally_take(&performance.over);
    return performance.answer;
}

/* The same without waiting; arg has to live until then. */
static inline void direct(tr_ref puppet, int (*function)(tr_self *self, void *arg), void *arg)
{
    tr_probe_send(probe, puppet, act, .function = function, .arg = arg);
}

/* Functions for it. */

static inline int answer_with(tr_self *self, void *arg)
{
    (void)self;
    return *(int *)arg;
}

static inline int end_well(tr_self *self, void *arg)
{
    (void)self;
    (void)arg;
    return TR_STOP;
}

static inline int crash(tr_self *self, void *arg)
{
    (void)self;
    (void)arg;
    return TR_EPROTO;
}

static inline int do_nothing(tr_self *self, void *arg)
{
    (void)self;
    (void)arg;
    return TR_CONTINUE;
}

/* Waits until a puppet has handled all that the probe has sent it so far. */
#define settle(puppet) perform((puppet), do_nothing, NULL)

static inline int stand_at(tr_self *self, void *arg)
{
    (void)self;
    gate_pass(arg);
    return TR_CONTINUE;
}

static inline int kill_it(tr_self *self, void *arg)
{
    tr_kill(self, *(tr_ref *)arg);
    return TR_CONTINUE;
}

struct exiting {
    tr_ref who;
    int reason;
};

static inline int exit_it(tr_self *self, void *arg)
{
    struct exiting *exiting = arg;
    tr_exit(self, exiting->who, exiting->reason);
    return TR_CONTINUE;
}

static inline int monitor_it(tr_self *self, void *arg)
{
    tr_monitor_set(self, *(tr_ref *)arg);
    return TR_CONTINUE;
}

static inline int link_it(tr_self *self, void *arg)
{
    cr_assert_eq(tr_link(self, *(tr_ref *)arg), 0);
    return TR_CONTINUE;
}

static inline int system_stats(tr_self *self, void *arg)
{
    tr_system_stats(self, arg);
    return TR_CONTINUE;
}

/* The system's counters. The errand that reads them is no message. */
static inline tr_stats stats_now(void)
{
    tr_stats stats;
    tr_probe_do(probe, system_stats, &stats);
    return stats;
}

/* The next message must be the tr_down of this actor, with this reason. */
#define expect_down(who, reason) expect_down_((who), (reason), __LINE__)

static inline void expect_down_(tr_ref who, int reason, int line)
{
    const tr_down *down = tr_body(tr_down, expect_(tr_probe_receive(probe, SOON), &tr_down_type, "tr_down", line));
    cr_assert(tr_ref_eq(down->who, who), "line %d: of another actor", line);
    cr_assert_eq(down->reason, reason, "line %d: reason %s", line, tr_error_name(down->reason));
}

#define expect_stopped(who, reason) expect_stopped_((who), (reason), __LINE__)

static inline void expect_stopped_(tr_ref who_, int reason_, int line)
{
    const stopped *body = tr_body(stopped, expect_(tr_probe_receive(probe, SOON), &stopped_type, "stopped", line));
    cr_assert(tr_ref_eq(body->who, who_), "line %d: of another actor", line);
    cr_assert_eq(body->reason, reason_, "line %d: reason %s", line, tr_error_name(body->reason));
}

#endif
