/*
 * The chaos of supervisors: trees of all strategies, nested and dynamic, whose members are killed, crashed, asked to end,
 * linked, stopped and started in any order, while they start, wait for their restart, or are being stopped; supervisors as
 * well, whose successors find names that are still taken. Members hold what they are asked, or take their time to be ready.
 * When all of it is over, and a long time has passed, everybody of the table is up and answers; each ask and each monitor has
 * had its one message; and what a dynamic supervisor was asked for is there, or its end was told.
 */
#include "tests/support.h"

#include <inttypes.h>

TR_MESSAGE(order, int what; tr_ref other;);
TR_DEFINE(order);
TR_SIGNAL(pong);
TR_DEFINE(pong);

enum order_kind { PING, CRASH, END, LINK, UNLINK, HOLD, ORDERS };

struct kid {
    uint64_t magic;
};

static int kid_start(tr_self *self, void *state, const void *arg)
{
    struct kid *me = state;
    (void)arg;
    TR_ALWAYS(me->magic == 0);
    me->magic = 42;
    if (tr_random_below(self, 10) == 0)
        return TR_ECRASHED;
    if (tr_random_below(self, 4))
        return TR_CONTINUE;
    return tr_after(self, TR_MS(3), 1).bits ? TR_NOT_READY : TR_ENOMEM;
}

static int kid_receive(tr_self *self, void *state, const tr_msg *m)
{
    const struct kid *me = state;
    TR_ALWAYS(me->magic == 42);
    if (tr_is(tr_timeout, m))
        tr_ready(self);
    if (!tr_is(order, m))
        return TR_CONTINUE;
    switch ((enum order_kind)tr_body(order, m)->what) {
    case PING: (void)tr_reply(self, pong); return TR_CONTINUE;
    case CRASH: return TR_ECRASHED;
    case END: return TR_STOP;
    case LINK: (void)tr_link(self, tr_body(order, m)->other); return TR_CONTINUE;
    case UNLINK: tr_unlink(self, tr_body(order, m)->other); return TR_CONTINUE;
    case HOLD: (void)tr_take(self, m); return TR_CONTINUE; /* answered when it ends */
    default: return TR_CONTINUE;
    }
}

static const tr_actor kid_actor = { TR_SPEC, .name = "kid", .start = kid_start, .receive = kid_receive,
    .state_size = sizeof(struct kid), .shutdown_ns = TR_MS(50), .start_ns = TR_MS(50), .mailbox = 300 };

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

#define KID(kid) \
    { \
        .name = kid, .actor = &kid_actor, .intensity = 1000 \
    }
#define SUPERVISOR(is, members, how) \
    { \
        TR_SUPERVISOR, .name = is, .strategy = how, .children = members, .count = sizeof members / sizeof members[0], \
                       .backoff_max_ns = TR_MS(200) \
    }

static const tr_child inner_children[] = { KID("g"), KID("h") };
static tr_supervisor inner = SUPERVISOR("inner", inner_children, TR_ONE_FOR_ONE);
static const tr_child left_children[] = { KID("a"), KID("b"), KID("c") };
static tr_supervisor left = SUPERVISOR("left", left_children, TR_ONE_FOR_ONE);
static const tr_child right_children[] = { KID("d"), { .name = "inner", .supervisor = &inner, .intensity = 1000 }, KID("e"),
    KID("f") };
static tr_supervisor right = SUPERVISOR("right", right_children, TR_ONE_FOR_ONE);
static const tr_supervisor pool = { TR_SUPERVISOR, .name = "pool", .strategy = TR_DYNAMIC, .backoff_max_ns = TR_MS(200) };
static const tr_child top_children[] = {
    { .name = "left", .supervisor = &left, .intensity = 1000 },
    { .name = "right", .supervisor = &right, .intensity = 1000 },
    { .name = "pool", .supervisor = &pool, .intensity = 1000 },
};
static tr_supervisor top = SUPERVISOR("top", top_children, TR_ONE_FOR_ONE);

static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "left", "right", "pool", "inner", "x" };
enum { KIDS = 8, NAMES = 12, ALL_NAMES = 13 };

/* Which strategies: another combination for each number. */
static void shape(uint64_t number)
{
    tr_supervisor *all[] = { &top, &left, &right, &inner };
    for (unsigned i = 0; i < 4; i++, number /= 3)
        all[i]->strategy = (enum tr_strategy)(number % 3); /* all but TR_DYNAMIC, which has no table */
}

/* ---- the chaos --------------------------------------------------------------------------------------------------- */

enum { TICKS = 400, CALM_TICKS = 200 }; /* of 5 ms each, 2 s; and then of half a second, 100 */

struct chaos {
    int asked, monitors; /* whose message has not come */
    unsigned ticks, answers;
    bool over;
    tr_ref top, dynamic;
};

static tr_ref any(tr_self *self, unsigned of)
{
    return tr_whereis(self, names[tr_random_below(self, of)]);
}

static void ask(tr_self *self, struct chaos *me, tr_ref who)
{
    int what = tr_random_below(self, 2) ? PING : (int)tr_random_below(self, ORDERS);
    me->asked += tr_ask(self, who, TR_MS(tr_random_below(self, 30)), order, .what = what, .other = any(self, KIDS)).bits != 0;
}

static void start_dynamic(tr_self *self, struct chaos *me)
{
    const tr_child child = { .actor = &kid_actor, .intensity = 1000, .name = tr_random_below(self, 2) ? "x" : NULL };
    me->asked += tr_child_start(self, tr_whereis(self, "pool"), TR_MS(100), &child).bits != 0;
}

static void stop_dynamic(tr_self *self, struct chaos *me)
{
    tr_ref supervisor = tr_whereis(self, tr_random_below(self, 3) ? "pool" : "left");
    me->asked += tr_child_stop(self, supervisor, TR_MS(100), me->dynamic).bits != 0;
}

static void disturb(tr_self *self, struct chaos *me)
{
    tr_ref who = any(self, ALL_NAMES);
    switch (tr_random_below(self, 14)) {
    case 0: tr_kill(self, who); break;
    case 1: tr_exit(self, who, TR_ECRASHED); break;
    case 2: tr_exit(self, who, 0); break;
    case 3: (void)tr_send(self, who, order, .what = CRASH); break;
    case 4: (void)tr_send(self, who, order, .what = END); break;
    case 5: (void)tr_send(self, who, order, .what = LINK, .other = any(self, KIDS)); break;
    case 6: (void)tr_send(self, who, order, .what = UNLINK, .other = any(self, KIDS)); break;
    case 7: me->monitors += tr_monitor_set(self, who).bits != 0; break;
    case 8:
    case 9: ask(self, me, who); break;
    case 10: start_dynamic(self, me); break;
    case 11: stop_dynamic(self, me); break;
    default: break;
    }
}

/* A long time later everybody must be up, and answer. */
static void ask_all(tr_self *self, struct chaos *me)
{
    TR_ALWAYS(me->asked == 0);
    me->over = true;
    for (unsigned i = 0; i < NAMES; i++)
        TR_ALWAYS(!tr_ref_is_nobody(tr_whereis(self, names[i])));
    for (unsigned i = 0; i < KIDS; i++)
        me->asked += tr_ask(self, tr_whereis(self, names[i]), TR_SECONDS(1), order, .what = PING).bits != 0;
}

static int chaos_start(tr_self *self, void *state, const void *arg)
{
    struct chaos *me = state;
    (void)arg;
    me->top = tr_supervise(self, &top);
    return tr_after(self, TR_MS(5), 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int chaos_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct chaos *me = state;
    if (tr_is(tr_timeout, m)) {
        me->ticks++;
        if (!tr_alive(me->top) && me->ticks < TICKS + CALM_TICKS / 2)
            me->top = tr_supervise(self, &top);
        if (me->ticks < TICKS)
            disturb(self, me);
        else if (me->ticks == TICKS + CALM_TICKS)
            ask_all(self, me);
        if (me->ticks < TICKS + CALM_TICKS)
            return tr_after(self, me->ticks < TICKS ? TR_MS(5) : TR_MS(500), 0).bits ? TR_CONTINUE : TR_ENOMEM;
    } else if (tr_is(tr_child_started, m)) {
        me->dynamic = tr_body(tr_child_started, m)->child;
        me->asked--;
    } else if (tr_is(tr_down, m)) {
        TR_ALWAYS(--me->monitors >= 0);
    } else {
        TR_ALWAYS(--me->asked >= 0);
        TR_ALWAYS(!me->over || tr_is(pong, m));
        me->answers += me->over;
    }
    return me->answers == KIDS ? TR_STOP : TR_CONTINUE;
}

static const tr_actor chaos_actor = { TR_SPEC, .name = "chaos", .start = chaos_start, .receive = chaos_receive,
    .state_size = sizeof(struct chaos) };

static const tr_sim_host hosts[] = { { .name = "one", .actor = &chaos_actor }, { 0 } };

/* ---- many seeds -------------------------------------------------------------------------------------------------- */

static void many(unsigned seeds, const tr_sim_options *options)
{
    const char *one = getenv("TROUPE_SEED");
    uint64_t seed = one ? strtoull(one, NULL, 0) : 1;
    for (uint64_t end = seed + (one ? 1 : seeds); seed < end; seed++) {
        tr_sim_result result;
        shape(seed);
        cr_assert_eq(tr_sim_run(seed, options, hosts, &result), 0, "%s", result.what);
    }
}

Test(sim_tree, after_any_chaos_everybody_is_up_and_answers)
{
    many(scaled(81, 10000), NULL);
}

Test(sim_tree, after_any_chaos_with_faults_everybody_is_up_and_answers)
{
    many(scaled(40, 10000),
        &(tr_sim_options){
            .roots_may_fail = true,
            .heal_ns = TR_SECONDS(5),
            .settle_ns = TR_MINUTES(5),
            .faults = { .out_of_memory = 300, .crash = 300, .slow = 2000, .stall = 500, .mailbox_full = 300 },
        });
}
