/* Timers: never early, in order, never after they were cancelled. */
#include "tests/actors/puppet.h"

TR_SIGNAL(again);
TR_DEFINE(again);
TR_MESSAGE(report, unsigned n;);
TR_DEFINE(report);

/* What a puppet sets, and the probe is told of. */
struct setting {
    int64_t delay;
    uint64_t tag;
    tr_timer timer;
    int64_t set; /* when */
    bool cancelled;
};

static int set_after(tr_self *self, void *arg)
{
    struct setting *s = arg;
    s->set = tr_now(self);
    s->timer = tr_after(self, s->delay, s->tag);
    return TR_CONTINUE;
}

static int set_every(tr_self *self, void *arg)
{
    struct setting *s = arg;
    s->set = tr_now(self);
    s->timer = tr_every(self, s->delay, s->tag);
    return TR_CONTINUE;
}

static int cancel(tr_self *self, void *arg)
{
    struct setting *s = arg;
    s->cancelled = tr_cancel(self, s->timer);
    return TR_CONTINUE;
}

static int now(tr_self *self, void *arg)
{
    *(int64_t *)arg = tr_now(self);
    return TR_CONTINUE;
}

static void expect_timeout(uint64_t tag)
{
    const tr_timeout *body = tr_body(tr_timeout, expect(tr_timeout));
    cr_assert_eq(body->tag, tag, "%ld, not %ld", (long)body->tag, (long)tag);
    cr_assert_eq(body->missed, 0u);
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

Test(timer, a_timer_comes_when_it_is_due_and_never_early)
{
    const int64_t delays[] = { 1, 1000, TR_US(100), TR_US(1049), TR_MS(1), TR_MS(3), TR_MS(17), TR_MS(40) };
    open_system(2);
    for (unsigned i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        struct setting s = { .delay = delays[i], .tag = 100 + i };
        int64_t at;
        tr_probe_do(probe, set_after, &s);
        cr_assert_neq(s.timer.bits, 0);
        const tr_msg *m = expect(tr_timeout);
        tr_probe_do(probe, now, &at);
        cr_assert_geq(at - s.set, delays[i]);
        cr_assert_eq(m->call, s.timer.bits);
        cr_assert_eq(tr_body(tr_timeout, m)->tag, 100 + i);
    }
    expect_nothing(0);
    close_system();
}

/* An actor that checks by itself: every moment is looked at by the same clock as the deadline. */
struct punctual {
    tr_ref master;
    unsigned left;
    int64_t due[64];
};

static int punctual_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct punctual *me = state;
    if (tr_is(tr_timeout, m)) {
        uint64_t tag = tr_body(tr_timeout, m)->tag;
        cr_assert_geq(tr_now(self), me->due[tag % 64], "early");
        if (--me->left == 0) {
            tr_send(self, me->master, again);
            return TR_STOP;
        }
    } else {
        me->master = m->from;
        me->left = scaled(3000, 100000);
    }
    for (uint64_t i = 0; i < 64 && (!tr_is(tr_timeout, m) || i == 0); i++) {
        uint64_t tag = tr_is(tr_timeout, m) ? tr_body(tr_timeout, m)->tag : i;
        int64_t delay = tr_random_below(self, 3000000);
        me->due[tag] = tr_now(self) + delay;
        cr_assert_neq((tr_random_below(self, 2) ? tr_at(self, me->due[tag], tag) : tr_after(self, delay, tag)).bits, 0);
    }
    return TR_CONTINUE;
}

static const tr_actor punctual_actor = { TR_SPEC, .name = "punctual", .receive = punctual_receive,
    .state_size = sizeof(struct punctual) };

Test(timer, thousands_of_timers_and_none_is_early)
{
    open_system(2);
    for (int i = 0; i < 4; i++)
        tr_probe_send(probe, probe_spawn(&punctual_actor, NULL), again);
    for (int i = 0; i < 4; i++)
        expect(again);
    close_system();
}

/* ---- in which order ---------------------------------------------------------------------------------------------- */

static int set_in_the_past(tr_self *self, void *arg)
{
    (void)arg;
    tr_after(self, TR_SECONDS(-1), 1);
    tr_after(self, TR_SECONDS(-2), 2);
    tr_after(self, INT64_MIN, 3);
    tr_after(self, TR_HOURS(-1), 4);
    tr_at(self, INT64_MIN, 5);
    tr_at(self, 0, 6);
    return TR_CONTINUE;
}

Test(timer, what_is_overdue_comes_at_once_the_earliest_first)
{
    open_system(1);
    tr_probe_do(probe, set_in_the_past, NULL);
    const tr_timeout *first = tr_body(tr_timeout, expect(tr_timeout));
    uint64_t sum = first->tag;
    cr_assert(sum == 3 || sum == 5, "%ld", (long)sum); /* the beginning of time, and what is as good as that */
    sum += tr_body(tr_timeout, expect(tr_timeout))->tag;
    cr_assert(sum == 8 || sum == 9, "%ld", (long)sum); /* the clock may have started less than an hour ago */
    for (int i = 0; i < 2; i++)
        sum += tr_body(tr_timeout, expect(tr_timeout))->tag;
    cr_assert_eq(sum, 3u + 4 + 5 + 6);
    expect_timeout(2);
    expect_timeout(1);
    close_system();
}

enum { ORDERED = 500 };

struct order {
    int64_t deadlines[ORDERED];
    int64_t spread;
};

static int set_many(tr_self *self, void *arg)
{
    struct order *order = arg;
    int64_t base = tr_now(self) + TR_MS(2);
    for (unsigned i = 0; i < ORDERED; i++) {
        order->deadlines[i] = base + (order->spread ? (int64_t)tr_random_below(self, (uint32_t)order->spread) : 0);
        tr_at(self, order->deadlines[i], i);
    }
    return TR_CONTINUE;
}

Test(timer, timers_come_by_deadline_and_those_of_one_deadline_as_they_were_set)
{
    const int64_t spreads[] = { 0, 10, 1000, TR_US(300), TR_MS(20) };
    struct order order;
    open_system(1); /* another worker might fire the first while the last are still being set */
    for (unsigned i = 0; i < sizeof spreads / sizeof spreads[0]; i++) {
        order.spread = spreads[i];
        tr_probe_do(probe, set_many, &order);
        uint64_t last = tr_body(tr_timeout, expect(tr_timeout))->tag;
        for (unsigned n = 1; n < ORDERED; n++) {
            uint64_t tag = tr_body(tr_timeout, expect(tr_timeout))->tag;
            cr_assert(order.deadlines[last] < order.deadlines[tag] ||
                    (order.deadlines[last] == order.deadlines[tag] && last < tag),
                "spread %ld: %ld (%ld) before %ld (%ld)", (long)spreads[i], (long)last, (long)order.deadlines[last],
                (long)tag, (long)order.deadlines[tag]);
            last = tag;
        }
    }
    close_system();
}

Test(timer, deadlines_beyond_a_day_wait)
{
    const int64_t delays[] = { TR_HOURS(25), TR_HOURS(24 * 365), INT64_MAX / 2, TR_FOREVER };
    struct setting s[4], soon = { .delay = TR_MS(2), .tag = 7 };
    open_system(1);
    for (int i = 0; i < 4; i++) {
        s[i] = (struct setting){ .delay = delays[i], .tag = (uint64_t)i };
        tr_probe_do(probe, set_after, &s[i]);
        cr_assert_neq(s[i].timer.bits, 0);
    }
    tr_probe_do(probe, set_after, &soon);
    expect_timeout(7);
    for (int i = 0; i < 4; i += 2) {
        tr_probe_do(probe, cancel, &s[i]);
        cr_assert(s[i].cancelled);
    }
    expect_nothing(0);
    close_system(); /* the two others end with the probe */
}

/* ---- cancelled --------------------------------------------------------------------------------------------------- */

/* In one turn, so that one wheel has both. */
static int set_two(tr_self *self, void *arg)
{
    struct setting *two = arg;
    set_after(self, &two[0]);
    return set_after(self, &two[1]);
}

Test(timer, a_cancelled_timer_is_not_seen)
{
    open_system(2);
    for (unsigned i = 0; i < 50; i++) {
        struct setting two[] = { { .delay = TR_US(50 * i), .tag = i }, { .delay = TR_US(50 * i + 500), .tag = 1000 } };
        tr_ref puppet = make_puppet(0);
        perform(puppet, set_two, two);
        perform(puppet, cancel, &two[0]);
        const tr_msg *m = expect(tr_timeout);
        if (!two[0].cancelled) {
            cr_assert_eq(tr_body(tr_timeout, m)->tag, i);
            m = expect(tr_timeout);
        }
        cr_assert_eq(tr_body(tr_timeout, m)->tag, 1000u);
    }
    expect_nothing(0);
    close_system();
}

Test(timer, cancel_answers_whether_it_was_still_to_come)
{
    struct setting s = { .delay = TR_HOURS(1) }, fired = { .delay = 0, .tag = 3 }, none = { 0 };
    open_system(2);
    tr_ref puppet = make_puppet(0);
    perform(puppet, set_after, &s);
    tr_probe_do(probe, cancel, &s); /* somebody else's */
    cr_assert_not(s.cancelled);
    perform(puppet, cancel, &s);
    cr_assert(s.cancelled);
    perform(puppet, cancel, &s);
    cr_assert_not(s.cancelled, "twice");
    perform(puppet, set_after, &fired);
    expect_timeout(3);
    perform(puppet, cancel, &fired);
    cr_assert_not(fired.cancelled);
    perform(puppet, cancel, &none);
    cr_assert_not(none.cancelled);
    none.timer.bits = UINT64_MAX;
    perform(puppet, cancel, &none);
    cr_assert_not(none.cancelled);
    close_system();
}

/* Sets several that are due at once. The first that comes cancels the others, whose messages wait already. */
struct impatient {
    tr_ref master;
    tr_timer timers[10];
    unsigned seen;
};

static int impatient_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct impatient *me = state;
    if (tr_is(again, m) && !me->seen) {
        me->master = m->from;
        for (uint64_t i = 0; i < 10; i++)
            me->timers[i] = i % 2 ? tr_every(self, 1, i) : tr_after(self, -1, i);
        return TR_CONTINUE;
    }
    if (tr_is(again, m)) {
        tr_send(self, m->from, report, .n = me->seen);
        return TR_CONTINUE;
    }
    cr_assert_eq(me->seen++, 0u, "a cancelled timer was seen");
    unsigned first = (unsigned)tr_body(tr_timeout, m)->tag;
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(tr_cancel(self, me->timers[i]), i != first || i % 2);
    tr_send(self, me->master, again);
    return TR_CONTINUE;
}

static const tr_actor impatient_actor = { TR_SPEC, .name = "impatient", .receive = impatient_receive,
    .state_size = sizeof(struct impatient) };

Test(timer, a_cancelled_timer_is_not_seen_though_its_message_waits)
{
    open_system(1);
    tr_stats before = stats_now();
    tr_ref impatient = probe_spawn(&impatient_actor, NULL);
    tr_probe_send(probe, impatient, again);
    expect(again);
    struct setting later = { .delay = TR_MS(3) };
    tr_probe_do(probe, set_after, &later);
    expect(tr_timeout);
    tr_probe_send(probe, impatient, again);
    cr_assert_eq(tr_body(report, expect(report))->n, 1u);
    cr_assert_gt(stats_now().expired, before.expired, "none of them was waiting, so this proves nothing");
    close_system();
}

/* ---- periodic ---------------------------------------------------------------------------------------------------- */

Test(timer, a_periodic_timer_comes_every_period_and_is_never_early)
{
    struct setting s = { .delay = TR_MS(2), .tag = 5 };
    uint64_t periods = 0;
    open_system(2);
    tr_probe_do(probe, set_every, &s);
    for (int i = 0; i < 20; i++) {
        int64_t at;
        const tr_msg *m = expect(tr_timeout);
        periods += 1 + tr_body(tr_timeout, m)->missed;
        cr_assert_eq(m->call, s.timer.bits);
        cr_assert_eq(tr_body(tr_timeout, m)->tag, 5u);
        tr_probe_do(probe, now, &at);
        cr_assert_geq(at, s.set + (int64_t)periods * TR_MS(2));
    }
    tr_probe_do(probe, cancel, &s);
    cr_assert(s.cancelled);
    while (tr_probe_receive(probe, 0)) {
    }
    struct setting after = { .delay = TR_MS(5), .tag = 6 };
    tr_probe_do(probe, set_after, &after);
    expect_timeout(6);
    close_system();
}

/* Holds its worker for several periods once in a while. */
struct slow {
    tr_ref master;
    int64_t start;
    tr_timer timer;
    uint64_t periods, missed;
    unsigned seen;
};

static int slow_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct slow *me = state;
    if (tr_is(again, m)) {
        me->master = m->from;
        me->start = tr_now(self);
        me->timer = tr_every(self, TR_MS(1), 1);
        return TR_CONTINUE;
    }
    me->periods += 1 + tr_body(tr_timeout, m)->missed;
    me->missed += tr_body(tr_timeout, m)->missed;
    int64_t due = me->start + (int64_t)me->periods * TR_MS(1), begun = tr_now(self);
    cr_assert_geq(begun, due, "early, or more were missed than passed");
    if (++me->seen % 4 == 0)
        while (tr_now(self) < due + TR_US(5500)) {
        }
    if (me->seen < 12)
        return TR_CONTINUE;
    cr_assert_geq(me->missed, 10u, "5 periods at least passed unseen twice, and are not made up for");
    cr_assert(tr_cancel(self, me->timer), "a periodic timer is still to come in its own handler");
    tr_send(self, me->master, again);
    return TR_CONTINUE;
}

static const tr_actor slow_actor = { TR_SPEC, .name = "slow", .receive = slow_receive, .state_size = sizeof(struct slow) };

Test(timer, periods_that_were_missed_are_counted_and_not_made_up_for)
{
    open_system(1);
    tr_ref slow = probe_spawn(&slow_actor, NULL);
    tr_probe_send(probe, slow, again);
    expect(again);
    struct setting after = { .delay = TR_MS(4) };
    tr_probe_do(probe, set_after, &after);
    expect(tr_timeout);
    tr_actor_stats stats;
    cr_assert_eq(tr_stats_of(slow, &stats), 0);
    cr_assert_eq(stats.handled, 1u + 12, "it was cancelled");
    close_system();
}

static int every_never(tr_self *self, void *arg)
{
    (void)arg;
    tr_every(self, 0, 0);
    return TR_CONTINUE;
}

static void set_a_period_of_zero(void)
{
    open_system(1);
    tr_probe_do(probe, every_never, NULL);
}

Test(timer, a_period_must_be_above_zero)
{
    expect_panic(set_a_period_of_zero, "tr_every: a period of 0 ns", "in actor probe");
}

static int set_every_forever(tr_self *self, void *arg)
{
    (void)arg;
    tr_every(self, TR_FOREVER, 1);
    tr_every(self, INT64_MAX - 1, 2);
    return TR_CONTINUE;
}

Test(timer, a_period_may_be_longer_than_all_time)
{
    open_system(1);
    tr_probe_do(probe, set_every_forever, NULL);
    struct setting after = { .delay = TR_MS(2), .tag = 3 };
    tr_probe_do(probe, set_after, &after);
    expect_timeout(3);
    close_system();
}

/* ---- the end of the actor ---------------------------------------------------------------------------------------- */

static int set_and_end(tr_self *self, void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 20; i++) {
        tr_after(self, (int64_t)i * TR_US(50), 1);
        tr_every(self, 1 + (int64_t)i * TR_US(50), 1);
    }
    return TR_STOP;
}

Test(timer, timers_end_with_their_actor)
{
    open_system(2);
    for (int i = 0; i < 50; i++) {
        tr_ref puppet = make_puppet(0);
        direct(puppet, set_and_end, NULL);
        while (tr_alive(puppet)) {
        }
    }
    struct setting after = { .delay = TR_MS(3), .tag = 7 };
    tr_probe_do(probe, set_after, &after);
    expect_timeout(7); /* nobody forwarded any: not the actors that have their slots now, either */
    close_system();
}

static struct puppet child_arg;
static const tr_child children[] = { { .actor = &puppet_actor, .arg = &child_arg } };
static const tr_supervisor family = { TR_SUPERVISOR, .name = "family", .children = children, .count = 1 };

static int supervise_family(tr_self *self, void *arg)
{
    (void)arg;
    tr_supervise(self, &family);
    return TR_CONTINUE;
}

static int set_and_crash(tr_self *self, void *arg)
{
    set_and_end(self, arg);
    return TR_EPROTO;
}

Test(timer, timers_end_with_the_incarnation)
{
    open_system(2);
    child_arg = (struct puppet){ tr_probe_ref(probe), TELL_START };
    tr_probe_do(probe, supervise_family, NULL);
    tr_ref child = tr_body(started, expect(started))->who;
    direct(child, set_and_crash, NULL);
    cr_assert(tr_ref_eq(tr_body(started, expect(started))->who, child));
    struct setting after = { .delay = TR_MS(3), .tag = 7 };
    perform(child, set_after, &after);
    expect_timeout(7);
    close_system();
}

/* ---- from another worker ----------------------------------------------------------------------------------------- */

/* Sets timers and cancels some of them while it is moved from worker to worker. Each that was not cancelled comes once. */
enum { WANDERING = 32 };

struct wanderer {
    tr_ref master;
    unsigned left, out;
    uint64_t next_tag;
    struct {
        tr_timer timer;
        uint64_t tag;
        int64_t due;
    } timers[WANDERING];
};

static unsigned cancelled, came;

static void wanderer_timeout(tr_self *self, struct wanderer *me, const tr_msg *m)
{
    unsigned i = 0;
    while (i < WANDERING && me->timers[i].timer.bits != m->call)
        i++;
    cr_assert_lt(i, (unsigned)WANDERING, "a timer came that was cancelled, or twice");
    cr_assert_eq(tr_body(tr_timeout, m)->tag, me->timers[i].tag);
    cr_assert_geq(tr_now(self), me->timers[i].due);
    me->timers[i].timer.bits = 0;
    me->out--;
    ck_pr_inc_uint(&came);
}

static int wanderer_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct wanderer *me = state;
    if (tr_is(tr_timeout, m)) {
        wanderer_timeout(self, me, m);
        return TR_CONTINUE;
    }
    unsigned i = tr_random_below(self, WANDERING);
    if (me->timers[i].timer.bits) {
        cr_assert(tr_cancel(self, me->timers[i].timer), "it has not come");
        cr_assert_not(tr_cancel(self, me->timers[i].timer));
        me->timers[i].timer.bits = 0;
        me->out--;
        ck_pr_inc_uint(&cancelled);
    } else if (me->left) {
        int64_t delay = tr_random_below(self, 200000);
        me->timers[i].tag = ++me->next_tag;
        me->timers[i].due = tr_now(self) + delay;
        me->timers[i].timer = tr_after(self, delay, me->next_tag);
        me->out++;
        me->left--;
    }
    if (me->left || me->out)
        return tr_send(self, tr_me(self), again);
    tr_send(self, me->master, again);
    return TR_STOP;
}

static int wanderer_start(tr_self *self, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct wanderer));
    return tr_send(self, tr_me(self), again);
}

static const tr_actor wanderer_actor = { TR_SPEC, .name = "wanderer", .start = wanderer_start, .receive = wanderer_receive,
    .state_size = sizeof(struct wanderer), .arg_size = sizeof(struct wanderer) };

static uint64_t wander(void)
{
    enum { WANDERERS = 12 };
    open_system(4);
    struct wanderer wanderer = { .master = tr_probe_ref(probe), .left = scaled(3000, 300000) };
    for (int i = 0; i < WANDERERS; i++)
        probe_spawn(&wanderer_actor, &wanderer);
    for (int i = 0; i < WANDERERS; i++)
        expect(again);
    cr_assert_eq(cancelled + came, WANDERERS * wanderer.left);
    uint64_t steals = stats_now().steals;
    close_system();
    return steals;
}

Test(timer, timers_are_set_and_cancelled_on_whichever_worker_the_actor_is)
{
    uint64_t steals = 0;
    rounds_until (steals > 0) {
        cancelled = came = 0;
        steals = wander();
    }
    cr_assert_gt(steals, 0u, "no actor was moved, so this proves nothing");
    cr_assert_gt(cancelled, 0u);
    cr_assert_gt(came, 0u);
}

/* The two workers in turn: the timer lies in the wheel of the one, and is cancelled on the other. */
struct relocation {
    struct gate gate;
    tr_self *here;
};

static int hold(tr_self *self, void *arg)
{
    struct relocation *r = arg;
    r->here = self;
    gate_pass(&r->gate);
    return TR_CONTINUE;
}

struct travel {
    struct setting s;
    tr_self *set_on, *cancelled_on;
};

static int travel_set(tr_self *self, void *arg)
{
    struct travel *t = arg;
    t->set_on = self;
    return set_after(self, &t->s);
}

static int travel_cancel(tr_self *self, void *arg)
{
    struct travel *t = arg;
    t->cancelled_on = self;
    return cancel(self, &t->s);
}

Test(timer, a_timer_of_another_workers_is_cancelled_there_too)
{
    struct relocation r;
    gate_init(&r.gate);
    open_system(2);
    tr_ref holder = make_puppet(0), puppet = make_puppet(0);
    unsigned moved = 0, i = 0;
    rounds_until (i >= 100 && moved > 0) {
        struct travel t = { .s = { .delay = i % 2 ? TR_HOURS(1) : TR_US(300), .tag = 1 } };
        perform(puppet, travel_set, &t);
        direct(holder, hold, &r); /* keeps one worker, perhaps that one */
        gate_await(&r.gate);
        perform(puppet, travel_cancel, &t);
        gate_open(&r.gate);
        settle(holder);
        moved += t.set_on != t.cancelled_on && t.s.cancelled;
        if (!t.s.cancelled)
            expect_timeout(1);
        i++;
    }
    expect_nothing(0);
    cr_assert_gt(moved, 0u, "no timer was cancelled from another worker, so this proves nothing");
    close_system();
}

/* ---- how many ---------------------------------------------------------------------------------------------------- */

struct million {
    unsigned times;
    tr_timer active[1000];
    int64_t most;
};

static int set_and_cancel(tr_self *self, void *arg)
{
    struct million *m = arg;
    int64_t before = tri_memory_live();
    for (unsigned i = 0; i < m->times; i++) {
        tr_timer *timer = &m->active[i % 1000];
        if (timer->bits)
            cr_assert(tr_cancel(self, *timer));
        *timer = tr_after(self, TR_HOURS(1) + (int64_t)i, i);
        cr_assert_neq(timer->bits, 0);
        int64_t live = tri_memory_live() - before;
        m->most = live > m->most ? live : m->most;
    }
    return TR_CONTINUE;
}

Test(timer, a_million_timers_set_and_cancelled_take_the_memory_of_those_that_are_left)
{
    static struct million m = { .times = 1000000 };
    open_system(1);
    tr_ref puppet = make_puppet(0);
    perform(puppet, set_and_cancel, &m);
    cr_assert_leq(m.most, 8, "%ld blocks of memory for a thousand timers", (long)m.most); /* a chunk holds 4096 */
    cr_assert_leq(table_in_use(&tri_promises), 1000 + 3 * TRI_TABLE_BATCH);
    close_system();
}

static int set_a_million(tr_self *self, void *arg)
{
    unsigned *count = arg;
    int64_t base = tr_now(self);
    for (unsigned i = 0; i < *count; i++)
        cr_assert_neq(tr_at(self, base + tr_random_below(self, 20000000), i).bits, 0);
    return TR_CONTINUE;
}

static int count_timeouts(tr_self *self, void *state, const tr_msg *m)
{
    struct {
        tr_ref master;
        unsigned left;
    } *me = state;
    if (tr_is(act, m)) {
        me->master = m->from;
        me->left = *(unsigned *)tr_body(act, m)->arg;
        return tr_body(act, m)->function(self, tr_body(act, m)->arg);
    }
    if (--me->left == 0)
        tr_send(self, me->master, again);
    return TR_CONTINUE;
}

static const tr_actor counting_actor = { TR_SPEC, .name = "counting", .receive = count_timeouts,
    .state_size = 2 * sizeof(tr_ref), .mailbox = 16 };

Test(timer, many_timers_may_be_live_and_all_of_them_come_though_the_mailbox_is_small)
{
    unsigned count = scaled(50000, 1000000);
    open_system(2);
    direct(probe_spawn(&counting_actor, NULL), set_a_million, &count);
    expect(again);
    close_system();
}

/* ---- no memory --------------------------------------------------------------------------------------------------- */

static int set_without_memory(tr_self *self, void *arg)
{
    unsigned *set = arg;
    tri_memory_fail(1, true);
    while (tr_after(self, TR_HOURS(1), 0).bits) /* as long as there are promises at hand */
        ++*set;
    cr_assert_eq(tr_every(self, TR_HOURS(1), 0).bits, 0u);
    cr_assert_eq(tr_at(self, 0, 0).bits, 0u);
    tri_memory_fail(0, false);
    cr_assert_neq(tr_after(self, TR_HOURS(1), 0).bits, 0u);
    return TR_CONTINUE;
}

Test(timer, without_memory_there_is_no_timer)
{
    unsigned set = 0;
    tri_pool_off();
    open_system(1);
    perform(make_puppet(0), set_without_memory, &set);
    cr_assert_leq(set, 1u << TRI_TABLE_CHUNK_BITS);
    close_system();
}
