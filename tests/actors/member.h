/*
 * member.h: children of supervisors, for their tests.
 *
 * A member is a puppet with a number that tells the boss, the probe, when it comes and goes, and starts the way the test
 * has planned. What it tells is in the boss's mailbox before its supervisor hears of it, so the order in which the probe
 * sees several members come and go is the order in which their supervisor let them.
 */
#ifndef TROUPE_TESTS_MEMBER_H
#define TROUPE_TESTS_MEMBER_H

#include "tests/actors/puppet.h"

#include "actors/system.h"

enum { MEMBERS = 8 };

TR_MESSAGE(came, int number; tr_ref who; unsigned incarnation; int64_t at;);
TR_MESSAGE(went, int number; tr_ref who; int reason; int64_t at;);
TR_MESSAGE(figure, int n;);
TR_DEFINE(came);
TR_DEFINE(went);
TR_DEFINE(figure);

static tr_ref boss;

/* How the members of each number start and stop. */
static struct {
    int answer;        /* of start */
    unsigned failures; /* starts that answer `failure` before that */
    int failure;
    struct gate *at_stop; /* stop passes this gate */
} plan[MEMBERS];

struct member {
    int number;
    int handled; /* figures, by this incarnation */
};

static int member_start(tr_self *self, void *state, const void *arg)
{
    struct member *me = state;
    me->number = *(const int *)arg;
    unsigned failures = ck_pr_load_uint(&plan[me->number].failures); /* when the boss hears of it, the plan may change */
    int answer = failures ? plan[me->number].failure : plan[me->number].answer;
    if (failures)
        ck_pr_dec_uint(&plan[me->number].failures);
    tr_send(self, boss, came, .number = me->number, .who = tr_me(self), .incarnation = tr_incarnation(self),
        .at = tr_now(self));
    return answer;
}

static int member_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct member *me = state;
    if (tr_is(figure, m) && m->call)
        tr_reply(self, figure, .n = ++me->handled);
    else if (tr_is(figure, m))
        tr_send(self, boss, figure, .n = tr_body(figure, m)->n + 1000 * ++me->handled);
    else
        return puppet_receive(self, &(struct puppet){ .master = boss }, m);
    return TR_CONTINUE;
}

static void member_stop(tr_self *self, void *state, int reason)
{
    struct member *me = state;
    if (plan[me->number].at_stop)
        gate_pass(plan[me->number].at_stop);
    tr_send(self, boss, went, .number = me->number, .who = tr_me(self), .reason = reason, .at = tr_now(self));
}

#define MEMBER \
    TR_SPEC, .name = "member", .start = member_start, .receive = member_receive, .stop = member_stop, \
             .state_size = sizeof(struct member), .arg_size = sizeof(int)

static const tr_actor member_actor = { MEMBER };
static const int numbers[MEMBERS] = { 0, 1, 2, 3, 4, 5, 6, 7 };

/* The entry of a member in a table: its number, and .field = value, … */
#define CHILD(...) \
    { \
        .actor = &member_actor, .arg = numbers + __VA_ARGS__ \
    }
#define CHILDREN(table) .children = (table), .count = sizeof(table) / sizeof((table)[0])

#define CRASH_OF(member) perform((member), crash, NULL)

/* ---- what the probe does ----------------------------------------------------------------------------------------- */

static inline void open_stage(void)
{
    capture_log(TR_LOG_WARNING);
    open_system(2);
    boss = tr_probe_ref(probe);
}

struct supervising {
    const tr_supervisor *table;
    tr_ref ref;
};

static inline int do_supervise(tr_self *self, void *arg)
{
    struct supervising *supervising = arg;
    supervising->ref = tr_supervise(self, supervising->table, .monitor = true);
    return TR_CONTINUE;
}

/* A supervisor that the probe monitors. */
static inline tr_ref supervise(const tr_supervisor *table)
{
    struct supervising supervising = { table, TR_NOBODY };
    tr_probe_do(probe, do_supervise, &supervising);
    cr_assert_not(tr_ref_is_nobody(supervising.ref));
    return supervising.ref;
}

struct dismissal {
    tr_ref supervisor, child;
    tr_call call;
};

static inline int do_dismiss(tr_self *self, void *arg)
{
    struct dismissal *dismissal = arg;
    dismissal->call = tr_child_stop(self, dismissal->supervisor, SOON, dismissal->child);
    return TR_CONTINUE;
}

static inline tr_call dismiss(tr_ref supervisor, tr_ref child)
{
    struct dismissal dismissal = { supervisor, child, { 0 } };
    tr_probe_do(probe, do_dismiss, &dismissal);
    cr_assert_neq(dismissal.call.bits, 0u);
    return dismissal.call;
}

/* Waits until a supervisor has done all it could by now, which must not have shown: it is asked for something that is not
 * its child, and the next message is its refusal. */
#define settle_supervisor(supervisor) settle_supervisor_((supervisor), __LINE__)

static inline void settle_supervisor_(tr_ref supervisor, int line)
{
    tr_call call = dismiss(supervisor, boss);
    const tr_msg *m = expect_(tr_probe_receive(probe, SOON), &tr_failed_type, "tr_failed", line);
    cr_assert_eq(m->call, call.bits, "line %d", line);
    cr_assert_eq(tr_body(tr_failed, m)->reason, TR_ENOENT, "line %d", line);
}

static inline void end(tr_ref who, int reason)
{
    tr_probe_do(probe, exit_it, &(struct exiting){ who, reason });
}

/* Waits for at least so long, by the system's clock. */
static inline int do_wait(tr_self *self, void *arg)
{
    tr_after(self, *(int64_t *)arg, 0);
    return TR_CONTINUE;
}

static inline void let_pass(int64_t ns)
{
    tr_probe_do(probe, do_wait, &ns);
    expect(tr_timeout);
}

/* Waits for an end that must come. */
static inline void await_end(tr_ref who)
{
    tr_probe_do(probe, monitor_it, &who);
    const tr_msg *m = expect(tr_down);
    cr_assert(tr_ref_eq(tr_body(tr_down, m)->who, who));
}

/* ---- what it sees ------------------------------------------------------------------------------------------------ */

#define expect_came(number) expect_came_((number), __LINE__)

static inline came expect_came_(int number, int line)
{
    came body = *tr_body(came, expect_(tr_probe_receive(probe, SOON), &came_type, "came", line));
    cr_assert_eq(body.number, number, "line %d: %d came, not %d", line, body.number, number);
    return body;
}

#define expect_went(number, reason) expect_went_((number), (reason), __LINE__)

static inline went expect_went_(int number, int reason, int line)
{
    went body = *tr_body(went, expect_(tr_probe_receive(probe, SOON), &went_type, "went", line));
    cr_assert_eq(body.number, number, "line %d: %d went, not %d", line, body.number, number);
    cr_assert_eq(body.reason, reason, "line %d: reason %s", line, tr_error_name(body.reason));
    return body;
}

/* The same member comes again. */
static inline void expect_back(int number, tr_ref who, unsigned incarnation)
{
    came body = expect_came(number);
    cr_assert(tr_ref_eq(body.who, who), "%d has another reference", number);
    cr_assert_eq(body.incarnation, incarnation, "%d: incarnation %u", number, body.incarnation);
}

/* Members 0 … n - 1 come, in this order. */
static inline void expect_cast(tr_ref *members, int n)
{
    for (int i = 0; i < n; i++)
        members[i] = expect_came(i).who;
}

#endif
