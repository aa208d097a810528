/* The timer wheel: never early, in order, true removal; against a model that is a plain array. */
#include "sched/wheel.h"

#include "mailbox/memory.h"
#include "sched/clock.h"
#include "sched/random.h"

#include <criterion/criterion.h>

static struct tri_wheel wheel;

static struct timer {
    struct tri_timer timer;
    uint32_t order; /* when it was armed */
    bool armed;
} timers[400];

static uint32_t armed_so_far;
static int64_t now;

static void arm(struct timer *t, int64_t deadline)
{
    cr_assert_not(t->armed);
    t->timer.deadline = deadline;
    t->order = armed_so_far++;
    t->armed = true;
    tri_wheel_arm(&wheel, &t->timer);
}

static void cancel(struct timer *t)
{
    cr_assert(t->armed);
    t->armed = false;
    tri_wheel_cancel(&wheel, &t->timer);
}

static struct timer *fired[sizeof timers / sizeof timers[0]];
static size_t fired_count;

static void record(struct tri_timer *timer, void *arg)
{
    struct timer *t = (struct timer *)timer;
    cr_assert_eq(arg, &wheel);
    cr_assert(t->armed);
    cr_assert_leq(timer->deadline, now, "%lld ns early", (long long)(timer->deadline - now));
    t->armed = false;
    fired[fired_count++] = t;
}

/* Takes the clock to this moment; these must fire, in this order. Ends with -1. */
static void expect_at_(int64_t moment, const int *number)
{
    now = moment;
    fired_count = 0;
    cr_assert_not(tri_wheel_expire(&wheel, now, SIZE_MAX, record, &wheel));
    for (size_t i = 0; number[i] >= 0 || i < fired_count; i++) {
        cr_assert_lt(i, fired_count, "timer %d has not fired", number[i]);
        cr_assert_eq(fired[i] - timers, number[i], "timer %d fired", (int)(fired[i] - timers));
    }
}

#define expect_at(moment, ...) expect_at_((moment), (const int[]){ __VA_ARGS__, -1 })
#define expect_none_at(moment) expect_at_((moment), (const int[]){ -1 })

static void begin(int64_t moment)
{
    now = moment;
    tri_wheel_init(&wheel, moment);
}

/* ---- when ----------------------------------------------------------------------------------------------------------- */

Test(wheel, an_empty_one_has_nothing_to_do)
{
    begin(TR_SECONDS(5));
    cr_assert_eq(tri_wheel_next(&wheel), INT64_MAX);
    expect_none_at(TR_HOURS(100));
    expect_none_at(INT64_MAX);
}

Test(wheel, a_timer_fires_at_its_nanosecond_and_not_before)
{
    static const int64_t delays[] = { 1, 2, 100, 65535, 65536, 65537, TR_MS(1), 16777216, 16777217, TR_MS(17),
        TR_SECONDS(1), TR_SECONDS(5), TR_MINUTES(30), TR_HOURS(23), TR_HOURS(25), TR_HOURS(24 * 400), TR_HOURS(24 * 36500) };
    static const int64_t starts[] = { 0, 1, 65535, 65536, TR_SECONDS(1000) + 12345, INT64_MIN, -1, -65537 };
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++)
        for (size_t d = 0; d < sizeof delays / sizeof delays[0]; d++) {
            begin(starts[s]);
            arm(&timers[0], starts[s] + delays[d]);
            cr_assert_leq(tri_wheel_next(&wheel), starts[s] + delays[d]);
            expect_none_at(starts[s] + delays[d] / 2);
            expect_none_at(starts[s] + delays[d] - 1);
            cr_assert_eq(tri_wheel_next(&wheel), starts[s] + delays[d]);
            expect_at(starts[s] + delays[d], 0);
            cr_assert_eq(wheel.count, 0);
            cr_assert_eq(tri_wheel_next(&wheel), INT64_MAX);
        }
}

Test(wheel, a_deadline_in_the_past_is_due_at_once)
{
    begin(TR_SECONDS(100));
    arm(&timers[0], TR_SECONDS(99));
    arm(&timers[1], INT64_MIN);
    arm(&timers[2], TR_SECONDS(100));
    arm(&timers[3], -5);
    cr_assert_leq(tri_wheel_next(&wheel), TR_SECONDS(100));
    expect_at(TR_SECONDS(100), 1, 3, 0, 2);
}

Test(wheel, the_last_moment_there_is_comes_last)
{
    begin(TR_SECONDS(1));
    arm(&timers[0], INT64_MAX);
    arm(&timers[1], INT64_MAX - 1);
    arm(&timers[2], INT64_MAX);
    expect_none_at(TR_HOURS(24 * 365));
    expect_none_at(INT64_MAX - 2);
    expect_at(INT64_MAX - 1, 1);
    expect_at(INT64_MAX, 0, 2);
}

Test(wheel, a_clock_that_stands_or_goes_back_does_no_harm)
{
    begin(TR_SECONDS(10));
    arm(&timers[0], TR_SECONDS(11));
    expect_none_at(TR_SECONDS(10) + 999);
    expect_none_at(TR_SECONDS(9));
    arm(&timers[1], TR_SECONDS(10));
    expect_none_at(TR_SECONDS(9));
    expect_at(TR_SECONDS(11), 1, 0);
}

/* A worker sleeps until the wheel's next moment; that must come closer to the deadline each time. */
Test(wheel, a_sleeper_that_follows_it_wakes_a_few_times_only)
{
    static const int64_t delays[] = { 1, TR_US(70), TR_MS(20), TR_SECONDS(10), TR_HOURS(2), TR_HOURS(24 * 40),
        TR_HOURS(24 * 20000) };
    for (size_t d = 0; d < sizeof delays / sizeof delays[0]; d++) {
        unsigned wakes = 0;
        begin(123456789);
        arm(&timers[0], now + delays[d]);
        while (timers[0].armed) {
            int64_t next = tri_wheel_next(&wheel);
            cr_assert_gt(next, now, "it would not sleep");
            cr_assert_leq(next, timers[0].timer.deadline);
            now = next;
            fired_count = 0;
            tri_wheel_expire(&wheel, now, SIZE_MAX, record, &wheel);
            wakes++;
        }
        cr_assert_leq(wakes, TRI_WHEEL_LEVELS + 1);
    }
}

/* ---- order ---------------------------------------------------------------------------------------------------------- */

Test(wheel, deadlines_decide_then_the_order_of_arming)
{
    begin(0);
    arm(&timers[0], 3000);
    arm(&timers[1], 1000);
    arm(&timers[2], 2000);
    arm(&timers[3], 1000);
    arm(&timers[4], 3000);
    expect_at(TR_MS(1), 1, 3, 2, 0, 4);
}

Test(wheel, equal_deadlines_keep_their_order_from_whatever_distance_they_were_armed)
{
    int64_t deadline = TR_HOURS(50) + 77;
    begin(0);
    arm(&timers[0], deadline);
    expect_none_at(TR_HOURS(20));
    arm(&timers[1], deadline);
    expect_none_at(deadline - TR_MINUTES(1));
    arm(&timers[2], deadline);
    expect_none_at(deadline - TR_MS(5));
    arm(&timers[3], deadline);
    expect_none_at(deadline - 10);
    arm(&timers[4], deadline);
    expect_at(deadline, 0, 1, 2, 3, 4);
}

Test(wheel, one_big_jump_fires_everything_in_order)
{
    begin(0);
    arm(&timers[0], TR_HOURS(30));
    arm(&timers[1], TR_MS(5));
    arm(&timers[2], TR_SECONDS(200));
    arm(&timers[3], 1);
    arm(&timers[4], TR_HOURS(29));
    arm(&timers[5], TR_HOURS(24 * 365 * 50));
    expect_at(TR_HOURS(24 * 365), 3, 1, 2, 4, 0);
    expect_at(INT64_MAX, 5);
}

Test(wheel, no_more_fire_at_once_than_was_asked_for)
{
    begin(0);
    for (int i = 0; i < 100; i++)
        arm(&timers[i], TR_US(30) * (i / 2));
    now = TR_SECONDS(1);
    for (int i = 0; i < 100; i += 7) {
        fired_count = 0;
        cr_assert_eq(tri_wheel_expire(&wheel, now, 7, record, &wheel), i + 7 < 100);
        cr_assert_eq(fired_count, (size_t)(i + 7 < 100 ? 7 : 100 - i));
        for (size_t j = 0; j < fired_count; j++)
            cr_assert_eq(fired[j] - timers, i + (int)j);
    }
    fired_count = 0;
    cr_assert_not(tri_wheel_expire(&wheel, now, 7, record, &wheel));
    cr_assert_eq(fired_count, 0);
}

Test(wheel, asked_for_none_it_says_whether_some_are_due)
{
    begin(0);
    arm(&timers[0], 10);
    cr_assert_not(tri_wheel_expire(&wheel, 9, 0, record, &wheel));
    now = 10;
    cr_assert(tri_wheel_expire(&wheel, 10, 0, record, &wheel));
    expect_at(10, 0);
}

/* ---- cancelling ----------------------------------------------------------------------------------------------------- */

Test(wheel, a_cancelled_timer_is_gone)
{
    static const int64_t delays[] = { -TR_SECONDS(1), 0, 1, TR_MS(1), TR_SECONDS(1), TR_HOURS(30) };
    for (size_t d = 0; d < sizeof delays / sizeof delays[0]; d++) {
        begin(TR_SECONDS(77));
        arm(&timers[0], now + delays[d]);
        arm(&timers[1], now + delays[d]);
        cancel(&timers[0]);
        cr_assert_eq(wheel.count, 1);
        cancel(&timers[1]);
        cr_assert_eq(wheel.count, 0);
        cr_assert_eq(tri_wheel_next(&wheel), INT64_MAX, "nobody has to wake up for it");
        arm(&timers[0], now + delays[d]);
        cancel(&timers[0]);
        arm(&timers[0], now + delays[d] + 1);
        expect_at(now + TR_HOURS(40), 0);
        expect_none_at(INT64_MAX);
    }
}

Test(wheel, a_timer_can_be_cancelled_after_it_has_moved_down)
{
    begin(0);
    arm(&timers[0], TR_HOURS(3));
    arm(&timers[1], TR_HOURS(3) + 5);
    expect_none_at(TR_HOURS(3) - TR_MS(30));
    cancel(&timers[0]);
    expect_none_at(TR_HOURS(3));
    expect_at(TR_HOURS(3) + 5, 1);
}

/* ---- what fire may do ------------------------------------------------------------------------------------------------- */

static void fire_and_act(struct tri_timer *timer, void *arg)
{
    record(timer, arg);
    switch ((struct timer *)timer - timers) {
    case 0: /* one that is due, before all that wait; one that is not due yet, and one that ends */
        arm(&timers[5], 50);
        arm(&timers[6], now + 1);
        cancel(&timers[3]);
        break;
    case 1: arm(&timers[0], TR_SECONDS(1) + 1); break;
    }
}

Test(wheel, timers_may_be_armed_and_cancelled_while_it_fires)
{
    static const int order[] = { 0, 5, 1, 2, 4 };
    begin(0);
    arm(&timers[0], 100);
    arm(&timers[1], 200);
    arm(&timers[2], 300);
    arm(&timers[3], 300);
    arm(&timers[4], 400);
    now = 1000;
    cr_assert_not(tri_wheel_expire(&wheel, now, SIZE_MAX, fire_and_act, &wheel));
    cr_assert_eq(fired_count, 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(fired[i] - timers, order[i]);
    expect_at(TR_SECONDS(2), 6, 0);
}

static void fire_and_arm_a_due_one(struct tri_timer *timer, void *arg)
{
    record(timer, arg);
    if (timer == &timers[0].timer)
        arm(&timers[2], 20);
}

Test(wheel, what_is_armed_late_does_not_wait_behind_what_is_not_due)
{
    begin(0);
    arm(&timers[0], 10);
    arm(&timers[1], 500);
    now = 100;
    cr_assert_not(tri_wheel_expire(&wheel, now, SIZE_MAX, fire_and_arm_a_due_one, &wheel));
    cr_assert_eq(fired_count, 2, "timer 2 is due, and that none is was the answer");
    expect_at(500, 1);
}

/* ---- against a model ---------------------------------------------------------------------------------------------------- */

enum { MODEL_TIMERS = 120 };

static struct tri_random random_;
static uint64_t seed_;
static bool acts; /* whether timers that fire arm and cancel others */

/* A deadline about `now`: in the past, within the tick, near, far, at the end of time. */
static int64_t some_deadline(void)
{
    static const int64_t spans[] = { 1, 1000, 65536, 65536 * 4, TR_MS(1), TR_MS(17), TR_MS(100), TR_SECONDS(5),
        TR_MINUTES(20), TR_HOURS(30), TR_HOURS(24 * 100), TR_HOURS(24 * 30000) };
    uint32_t kind = tri_random_below(&random_, 20);
    if (kind == 0)
        return INT64_MAX - tri_random_below(&random_, 3);
    if (kind == 1)
        return tri_deadline(now, -(int64_t)tri_random_below(&random_, 200000));
    if (kind == 2)
        return INT64_MIN + tri_random_below(&random_, 3);
    int64_t span = spans[tri_random_below(&random_, sizeof spans / sizeof spans[0])];
    return tri_deadline(now, (int64_t)(tri_random_next(&random_) % (uint64_t)span));
}

static const struct timer *earliest(void)
{
    const struct timer *first = NULL;
    for (unsigned i = 0; i < MODEL_TIMERS; i++)
        if (timers[i].armed &&
            (!first || timers[i].timer.deadline < first->timer.deadline ||
                (timers[i].timer.deadline == first->timer.deadline && timers[i].order < first->order)))
            first = &timers[i];
    return first;
}

static void act_on(struct timer *t)
{
    if (t->armed)
        cancel(t);
    else
        arm(t, some_deadline());
}

static void fire_as_the_model_says(struct tri_timer *timer, void *arg)
{
    (void)arg;
    struct timer *t = (struct timer *)timer;
    const struct timer *expected = earliest();
    cr_assert_leq(timer->deadline, now, "seed %llu: early", (unsigned long long)seed_);
    cr_assert_eq(t, expected, "seed %llu: timer %d before timer %d", (unsigned long long)seed_, (int)(t - timers),
        (int)(expected - timers));
    t->armed = false;
    fired_count++;
    /* Timers that fire arm half as many: it comes to an end. */
    if (acts && tri_random_below(&random_, 3) == 0)
        act_on(&timers[tri_random_below(&random_, MODEL_TIMERS)]);
    if (acts && tri_random_below(&random_, 6) == 0 && !t->armed)
        arm(t, some_deadline());
}

static void expire_as_the_model_says(void)
{
    static const size_t limits[] = { 1, 3, 1000, SIZE_MAX };
    size_t max = limits[tri_random_below(&random_, 4)];
    fired_count = 0;
    bool more = tri_wheel_expire(&wheel, now, max, fire_as_the_model_says, NULL);
    const struct timer *first = earliest();
    bool due = first && first->timer.deadline <= now;
    cr_assert_eq(more, due, "seed %llu: %s remain", (unsigned long long)seed_, due ? "some" : "none");
    cr_assert(!more || fired_count == max, "seed %llu: it stopped before it had to", (unsigned long long)seed_);
    cr_assert_leq(fired_count, max);
}

static void check_next(void)
{
    const struct timer *first = earliest();
    int64_t next = tri_wheel_next(&wheel);
    cr_assert_eq(first == NULL, wheel.count == 0);
    if (!first)
        cr_assert_eq(next, INT64_MAX);
    else
        cr_assert_leq(next, first->timer.deadline, "seed %llu: it would oversleep", (unsigned long long)seed_);
}

static void pass_time(void)
{
    switch (tri_random_below(&random_, 8)) {
    case 0: /* as a worker that sleeps */
        if (tri_wheel_next(&wheel) > now && earliest())
            now = tri_wheel_next(&wheel);
        break;
    case 1: { /* to somewhere about the next deadline */
        const struct timer *first = earliest();
        int64_t near = first ? tri_deadline(first->timer.deadline, (int64_t)tri_random_below(&random_, 3) - 1) : now;
        if (near > now)
            now = near;
        break;
    }
    default: {
        static const int64_t jumps[] = { 1, 1000, 65536, TR_MS(2), TR_MS(300), TR_MINUTES(1), TR_HOURS(7),
            TR_HOURS(24 * 500) };
        int64_t jump = jumps[tri_random_below(&random_, 8)];
        now = tri_time_add(now, (int64_t)(tri_random_next(&random_) % (uint64_t)jump));
    }
    }
}

static void play(uint64_t seed)
{
    static const int64_t starts[] = { 0, TR_SECONDS(12345) + 678, -1, INT64_MIN, INT64_MAX - TR_HOURS(1) };
    random_ = (struct tri_random){ seed };
    seed_ = seed;
    acts = seed & 1;
    for (unsigned i = 0; i < MODEL_TIMERS; i++)
        timers[i].armed = false;
    begin(starts[tri_random_below(&random_, sizeof starts / sizeof starts[0])]);
    for (unsigned step = 0; step < 400; step++) {
        for (unsigned i = tri_random_below(&random_, 6); i > 0; i--)
            act_on(&timers[tri_random_below(&random_, MODEL_TIMERS)]);
        check_next();
        pass_time();
        expire_as_the_model_says();
        check_next();
        const struct timer *first = earliest();
        if (first && first->timer.deadline > now && first->timer.deadline < INT64_MAX)
            cr_assert_gt(tri_wheel_next(&wheel), now, "seed %llu: it would not sleep", (unsigned long long)seed);
    }
    acts = false;
    now = INT64_MAX;
    while (tri_wheel_expire(&wheel, now, 1000, fire_as_the_model_says, NULL))
        ;
    cr_assert_null(earliest());
    cr_assert_eq(wheel.count, 0);
}

Test(wheel, does_what_a_sorted_list_would_do)
{
    for (uint64_t seed = 1; seed <= 400; seed++)
        play(seed);
}

/* ---- a million ---------------------------------------------------------------------------------------------------------- */

enum { MILLION = 1000000 };

static int64_t last_deadline;
static uint32_t fired_of_million;

static void fire_in_order(struct tri_timer *timer, void *arg)
{
    (void)arg;
    cr_assert_geq(timer->deadline, last_deadline);
    cr_assert_leq(timer->deadline, now);
    last_deadline = timer->deadline;
    fired_of_million++;
}

Test(wheel, a_million_live_timers_fire_in_order_but_for_those_that_were_cancelled)
{
    struct tri_timer *many = tri_memory_get(MILLION * sizeof *many);
    struct tri_random random = { 11 };
    uint32_t cancelled = 0;
    begin(TR_SECONDS(1));
    for (uint32_t i = 0; i < MILLION; i++) {
        many[i].deadline = now + (int64_t)(tri_random_next(&random) % (uint64_t)TR_MINUTES(10));
        tri_wheel_arm(&wheel, &many[i]);
    }
    cr_assert_eq(wheel.count, MILLION);
    for (uint32_t i = 0; i < MILLION; i += 1 + tri_random_below(&random, 3), cancelled++) {
        tri_wheel_cancel(&wheel, &many[i]);
        many[i].deadline = INT64_MIN; /* would be seen out of order */
    }
    cr_assert_eq(wheel.count, MILLION - cancelled);
    for (; now < TR_MINUTES(11); now += (int64_t)(tri_random_next(&random) % (uint64_t)TR_SECONDS(1)))
        while (tri_wheel_expire(&wheel, now, 1024, fire_in_order, NULL))
            ;
    cr_assert_eq(fired_of_million, MILLION - cancelled);
    cr_assert_eq(wheel.count, 0);
    tri_memory_put(many);
}

Test(wheel, a_million_timers_of_one_deadline_keep_their_order)
{
    struct tri_timer *many = tri_memory_get(MILLION * sizeof *many);
    begin(0);
    for (uint32_t i = 0; i < MILLION; i++) {
        many[i].deadline = TR_SECONDS(3);
        tri_wheel_arm(&wheel, &many[i]);
    }
    now = TR_SECONDS(3) - 1;
    cr_assert_not(tri_wheel_expire(&wheel, now, SIZE_MAX, fire_in_order, NULL));
    cr_assert_eq(fired_of_million, 0);
    now = TR_SECONDS(3);
    for (uint32_t i = 0; i < MILLION; i++) {
        struct tri_timer *first = (struct tri_timer *)cork_dllist_start(
            &wheel.slots[0][(unsigned)(wheel.tick & (TRI_WHEEL_SLOTS - 1))]);
        if (first != &many[i])
            cr_assert_fail("timer %u is not the next", i);
        tri_wheel_expire(&wheel, now, 1, fire_in_order, NULL);
    }
    cr_assert_eq(fired_of_million, MILLION);
    tri_memory_put(many);
}
