/*
 * What CPython's tests of its loop say about time and order, in virtual time: where the real ports can only be held to
 * "never early", here each moment is exact. The comment on a test names those of CPython (docs/conformance.md lists
 * them).
 */
#include "tests/io/sim_support.h"

#include "sched/random.h"

TR_MESSAGE(said, unsigned n; char text[20];);
TR_DEFINE(said);

static bool is_timer(const tr_msg *m, uint64_t tag)
{
    return tr_is(tr_timeout, m) && tr_body(tr_timeout, m)->tag == tag;
}

static int stop_at_0(tr_self *self, const tr_msg *m)
{
    (void)self;
    return is_timer(m, 0) ? TR_STOP : TR_CONTINUE;
}

/* Runs it under many seeds; what is right is asserted in the handlers. */
static void perform_all(struct play play)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        cr_assert_eq(perform(seed, &play), 0, "%s; %s", run.result.what, run.tale);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static int say_three(tr_self *self)
{
    for (unsigned i = 1; i <= 3; i++)
        cr_assert_eq(tr_send(self, tr_me(self), said, .n = i, .text = "hello"), 0);
    tr_after(self, TR_MS(1), 0);
    return TR_CONTINUE;
}

static int tell_said(tr_self *self, const tr_msg *m)
{
    if (tr_is(said, m))
        tell(" %u %s", tr_body(said, m)->n, tr_body(said, m)->text);
    return stop_at_0(self, m);
}

/* test_events::call_soon */
Test(sim_timers, a_message_to_oneself_comes_once_with_its_fields_and_in_order)
{
    expect_story("said 1 hello | said 2 hello | said 3 hello | timeout@1 0", .start = say_three, .heard = tell_said);
}

static bool inside;

static int set_two(tr_self *self)
{
    inside = false;
    tr_after(self, TR_MS(5), 1);
    tr_after(self, TR_MS(10), 0);
    return TR_CONTINUE;
}

static int say_inside(tr_self *self, const tr_msg *m)
{
    cr_assert_not(inside);
    inside = true;
    if (is_timer(m, 1)) {
        tr_send(self, tr_me(self), said, .n = 1);
        tr_send_urgent(self, tr_me(self), said, .n = 2);
    }
    inside = false;
    return tell_said(self, m);
}

/* test_base_events::_run_once_schedule_handle */
Test(sim_timers, what_a_handler_sends_is_handled_after_it)
{
    expect_story("timeout@5 1 | said@5 2  | said@5 1  | timeout@10 0", .start = set_two, .heard = say_inside);
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static const int64_t delays[] = { 1, 999, 1000, 65535, 65536, 65537, TR_US(100), TR_US(1049), TR_MS(1), TR_MS(17),
    TR_MS(40), TR_SECONDS(1), TR_SECONDS(61), TR_MINUTES(61), 24 * TR_MINUTES(60) + 1, 3650 * 24 * TR_MINUTES(60) };
enum { DELAYS = sizeof delays / sizeof delays[0] };

static int64_t due;
static unsigned next_delay;

static int set_next(tr_self *self)
{
    due = tr_now(self) + delays[next_delay];
    cr_assert_neq(tr_after(self, delays[next_delay], next_delay).bits, 0);
    return TR_CONTINUE;
}

static int start_delays(tr_self *self)
{
    next_delay = 0;
    return set_next(self);
}

/* With nothing else to do, time jumps to the moment itself. But for a turn's own time. */
static int check_delay(tr_self *self, const tr_msg *m)
{
    int64_t turn = delays[next_delay] < TR_US(20) ? TR_US(20) : 0; /* the start was still going on */
    run.used = 0;
    cr_assert(is_timer(m, next_delay));
    cr_assert_geq(tr_now(self), due);
    cr_assert_leq(tr_now(self), due + turn, "%" PRId64 " ns after %" PRId64, tr_now(self) - due, delays[next_delay]);
    return ++next_delay == DELAYS ? TR_STOP : set_next(self);
}

/* test_events::call_later; B34: also one that is ten years away */
Test(sim_timers, a_timer_comes_at_the_very_moment)
{
    perform_all((struct play){ .start = start_delays, .heard = check_delay });
    cr_assert_eq(next_delay, DELAYS);
}

static int set_overdue(tr_self *self)
{
    tr_after(self, -1, 1);
    tr_after(self, -2, 2);
    tr_after(self, 0, 3);
    tr_at(self, 1, 4);
    tr_after(self, TR_MS(1), 0);
    return TR_CONTINUE;
}

/* test_base_events::call_later_negative_delays */
Test(sim_timers, what_is_overdue_comes_at_once_the_earliest_first)
{
    expect_story("timeout 4 | timeout 2 | timeout 1 | timeout 3 | timeout@1 0", .start = set_overdue, .heard = stop_at_0);
}

static int set_moments(tr_self *self)
{
    int64_t now = tr_now(self);
    tr_at(self, now + TR_MS(100), 1);
    tr_at(self, now + TR_MS(50), 2);
    tr_at(self, now + TR_MS(100), 3);
    tr_after(self, TR_MS(100), 4);
    tr_at(self, now + TR_MS(100) - 1, 5);
    tr_at(self, now + TR_MS(101), 0);
    return TR_CONTINUE;
}

/* test_base_events::time_and_call_at; equal deadlines come as they were set */
Test(sim_timers, timers_come_by_deadline_and_those_of_one_deadline_as_they_were_set)
{
    expect_story("timeout@50 2 | timeout@99 5 | timeout@100 1 | timeout@100 3 | timeout@100 4 | timeout@101 0",
        .start = set_moments, .heard = stop_at_0);
}

enum { MANY = 500 };

static struct moment {
    int64_t at;
    bool cancelled, seen;
    tr_timer timer;
} moments[MANY];

static int64_t last_at;
static unsigned last_tag, outstanding;

static int set_many(tr_self *self)
{
    last_at = 0;
    outstanding = MANY;
    for (unsigned i = 0; i < MANY; i++) {
        int64_t at = tr_now(self) + tr_random_below(self, 1000) * (i % 2 ? TR_US(100) : TR_SECONDS(1));
        moments[i] = (struct moment){ .at = at, .timer = tr_at(self, at, i) };
    }
    return TR_CONTINUE;
}

static int check_many(tr_self *self, const tr_msg *m)
{
    unsigned tag = (unsigned)tr_body(tr_timeout, m)->tag;
    struct moment *moment = &moments[tag];
    run.used = 0;
    cr_assert_geq(tr_now(self), moment->at);
    cr_assert(moment->at > last_at || (moment->at == last_at && tag > last_tag));
    cr_assert(!moment->seen && !moment->cancelled);
    moment->seen = true;
    last_at = moment->at;
    last_tag = tag;
    unsigned other = tr_random_below(self, MANY);
    if (tr_random_below(self, 3) == 0) {
        bool was = tr_cancel(self, moments[other].timer);
        cr_assert_eq(was, !moments[other].seen && !moments[other].cancelled);
        outstanding -= was;
        moments[other].cancelled |= was;
    }
    return --outstanding ? TR_CONTINUE : TR_STOP;
}

/* B34: never early, in order, and never after it was cancelled, though the clock jumps and handlers are slow. */
Test(sim_timers, of_thousands_none_is_early_out_of_order_or_seen_when_it_was_cancelled)
{
    perform_all((struct play){ .start = set_many, .heard = check_many });
    perform_all((struct play){ .start = set_many,
        .heard = check_many,
        .sim.faults = { .clock_jump = 20000, .slow = 20000, .stall = 20000 } });
    cr_assert_gt(run.result.fired.clock_jump, 0);
    cr_assert_gt(run.result.fired.slow, 0);
}

static tr_timer timers[4];

static int set_four(tr_self *self)
{
    timers[1] = tr_after(self, TR_MS(5), 1);
    timers[2] = tr_after(self, TR_MS(5), 2);
    timers[3] = tr_after(self, TR_MS(6), 3);
    tr_after(self, TR_MS(10), 0);
    return TR_CONTINUE;
}

static int cancel_others(tr_self *self, const tr_msg *m)
{
    if (is_timer(m, 1)) {
        cr_assert(tr_cancel(self, timers[2])); /* its message waits */
        cr_assert(tr_cancel(self, timers[3]));
        cr_assert_not(tr_cancel(self, timers[3]));
        cr_assert_not(tr_cancel(self, timers[1]));
    }
    return stop_at_0(self, m);
}

/* test_events::call_later's handle.cancel; B34 */
Test(sim_timers, a_cancelled_timer_is_not_seen_though_it_is_due)
{
    expect_story("timeout@5 1 | timeout@10 0", .start = set_four, .heard = cancel_others);
}

static unsigned periods;

static int set_period(tr_self *self)
{
    periods = 0;
    timers[1] = tr_every(self, TR_MS(10), 1);
    return TR_CONTINUE;
}

static int count_periods(tr_self *self, const tr_msg *m)
{
    run.used = 0;
    if (is_timer(m, 0))
        return TR_STOP;
    cr_assert_eq(tr_body(tr_timeout, m)->missed, 0);
    cr_assert_eq(tr_now(self), run.begin + ++periods * TR_MS(10));
    if (periods == 100) {
        cr_assert(tr_cancel(self, timers[1]));
        tr_after(self, TR_SECONDS(1), 0);
    }
    return TR_CONTINUE;
}

Test(sim_timers, a_periodic_timer_comes_at_every_period_until_it_is_cancelled)
{
    perform_all((struct play){ .start = set_period, .heard = count_periods });
    cr_assert_eq(periods, 100);
}

static unsigned missed;

static int count_missed(tr_self *self, const tr_msg *m)
{
    run.used = 0;
    missed += (unsigned)tr_body(tr_timeout, m)->missed;
    periods += 1 + (unsigned)tr_body(tr_timeout, m)->missed;
    int64_t late = tr_now(self) - (run.begin + periods * TR_MS(10));
    cr_assert(late >= 0 && late < TR_MS(210), "%" PRId64, late);
    return periods >= 300 ? TR_STOP : TR_CONTINUE;
}

/* A handler that takes up to 200 ms: what was missed is counted, and the next is due when it would have been. */
Test(sim_timers, periods_that_pass_while_a_handler_runs_are_counted_and_not_made_up_for)
{
    perform_all((struct play){ .start = set_period, .heard = count_missed, .sim.faults.slow = 100000 });
    cr_assert_gt(missed, 0);
}

/* ---- others that have work --------------------------------------------------------------------------------------- */

static int busy_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_send(self, tr_me(self), said, .n = 1) ? TR_EFAULT : TR_CONTINUE;
}

static int busy_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    return tr_is(said, m) && tr_send(self, tr_me(self), said, .n = 1) ? TR_EFAULT : TR_CONTINUE;
}

static unsigned stopped;

static void busy_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    stopped++;
}

static const tr_actor busy_actor = { TR_SPEC, .name = "busy", .start = busy_start, .receive = busy_receive,
    .stop = busy_stop };

enum { BUSY = 6 };

static int start_busy(tr_self *self)
{
    stopped = 0;
    for (int i = 0; i < BUSY; i++)
        cr_assert_not(tr_ref_is_nobody(tr_spawn(self, &busy_actor, NULL)));
    tr_after(self, TR_MS(2), 1);
    tr_after(self, TR_MS(4), 0);
    return TR_CONTINUE;
}

/* B33, and test_runners::asyncio_run_cancels_hanging_tasks: who never runs out of work does not keep a timer away,
 * and ends with the system. */
Test(sim_timers, timers_come_though_others_keep_sending_and_all_end_with_the_system)
{
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        expect_story("timeout@2 1 | timeout@4 0", .start = start_busy, .heard = stop_at_0, .workers = workers);
        cr_assert_eq(stopped, BUSY);
    }
}

static int silent_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tr_take(self, m); /* or it would be answered for it that there is no answer */
    return TR_CONTINUE;
}

static const tr_actor silent_actor = { TR_SPEC, .name = "silent", .receive = silent_receive };

static int ask_silent(tr_self *self)
{
    tr_ref silent = tr_spawn(self, &silent_actor, NULL);
    tr_ask(self, silent, TR_MS(700), said, .n = 1);
    tr_ask(self, silent, TR_MS(300), said, .n = 2);
    return TR_CONTINUE;
}

static int stop_at_second(tr_self *self, const tr_msg *m)
{
    (void)self;
    (void)m;
    return run.heard == 2 ? TR_STOP : TR_CONTINUE;
}

/* B64 */
Test(sim_timers, a_request_without_an_answer_fails_when_its_time_is_over)
{
    expect_story("failed@300 TR_ETIMEDOUT | failed@700 TR_ETIMEDOUT", .start = ask_silent, .heard = stop_at_second);
}

/* ---- blocking jobs ----------------------------------------------------------------------------------------------- */

static int ran, dropped;

static int job(void *arg)
{
    ran++;
    return *(int *)arg;
}

static void drop(void *arg)
{
    (void)arg;
    dropped++;
}

static int start_jobs(tr_self *self)
{
    static int answers[] = { 41, 42 };
    ran = dropped = 0;
    cr_assert_neq(tr_block(self, job, &answers[0], .drop = drop).bits, 0);
    tr_abandon(self, tr_block(self, job, &answers[1], .drop = drop));
    cr_assert_eq(ran, 0);
    tr_after(self, TR_MS(30), 0);
    return TR_CONTINUE;
}

static int check_jobs(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_blocked, m)) {
        cr_assert_eq(tr_body(tr_blocked, m)->result, 41);
        run.begin = tr_now(self);
        tr_after(self, TR_MS(30), 1);
    }
    return is_timer(m, 1) ? TR_STOP : TR_CONTINUE;
}

/* test_events::run_in_executor. The one that was abandoned says nothing, and its argument is released. */
Test(sim_timers, the_result_of_a_job_comes_back_as_a_message)
{
    const struct play play = { .start = start_jobs, .heard = check_jobs };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        cr_assert_eq(perform(seed, &play), 0, "%s", run.result.what);
        forget_times();
        cr_assert_str_eq(run.tale, "blocked | timeout 0 | timeout 1");
        cr_assert(ran == 1 || ran == 2);
        cr_assert_eq(dropped, 1);
        cr_assert_leq(run.result.virtual_ns, TR_MS(52));
    }
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static int set_one(tr_self *self)
{
    tr_after(self, TR_MS(5), 0);
    return TR_CONTINUE;
}

/* test_events::close: it is over, and others can follow. */
Test(sim_timers, after_a_simulation_there_can_be_another_or_a_system)
{
    expect_story("timeout@5 0", .start = set_one, .heard = stop_at_0);
    open_system(2);
    expect_nothing(TR_MS(1));
    cr_assert_eq(perform(1, &(struct play){ .start = set_one, .heard = stop_at_0 }), TR_EBUSY);
    close_system();
    expect_story("timeout@5 0", .start = set_one, .heard = stop_at_0);
}

/* A program that has no more to do is over, without an error; and one that never is is stopped when its time is up. */
Test(sim_timers, it_ends_when_nothing_will_ever_happen_again_or_its_time_is_up)
{
    const struct play idle = { .start = set_one }, periodic = { .start = set_period, .sim.run_ns = TR_MS(35) };
    cr_assert_eq(perform(1, &idle), 0);
    cr_assert(run.result.quiet);
    cr_assert_eq(run.result.virtual_ns, TR_MS(5));
    cr_assert_eq(run.ended, TR_ESHUTDOWN);
    cr_assert_eq(perform(1, &periodic), 0);
    cr_assert_not(run.result.quiet);
    cr_assert_str_eq(run.tale, "timeout@10 1 | timeout@20 1 | timeout@30 1");
    cr_assert_eq(run.ended, TR_ESHUTDOWN);
}
