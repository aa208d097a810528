/* Supervisors: how often and how soon, what a child keeps over a restart, and children that do not stop. */
#include "tests/actors/member.h"

#include "actors/self.h"

#include <troupe/name.h>

/* ---- intensity --------------------------------------------------------------------------------------------------- */

/* Restarts without a delay worth mentioning. */
#define AT_ONCE .backoff_ns = 1, .backoff_max_ns = 1

static void crash_and_come_back(int which, tr_ref member, unsigned incarnation)
{
    CRASH_OF(member);
    expect_went(which, TR_EPROTO);
    expect_back(which, member, incarnation);
}

Test(supervisor_restart, a_child_uses_up_its_intensity_and_its_supervisor_ends)
{
    static const uint32_t intensities[] = { 0, 1, 2, 7, 50 };
    open_stage();
    for (unsigned i = 0; i < 5; i++) {
        tr_child children[] = { CHILD(0),
            CHILD(1, .name = "restless", .intensity = intensities[i], .period_ns = TR_HOURS(1)), CHILD(2) };
        tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
        tr_ref members[3], supervisor = supervise(&table);
        expect_cast(members, 3);
        for (unsigned n = 1; n <= (intensities[i] ? intensities[i] : 5); n++)
            crash_and_come_back(1, members[1], n);
        crash_and_come_back(0, members[0], 1); /* each child has its own */
        settle_supervisor(supervisor);
        CRASH_OF(members[1]);
        expect_went(1, TR_EPROTO);
        expect_went(2, TR_ESHUTDOWN);
        expect_went(0, TR_ESHUTDOWN);
        expect_down(supervisor, TR_EINTENSITY);
        cr_assert_eq(logged("child restless was restarted too often"), i + 1, "%s", captured.text);
    }
    close_system();
}

Test(supervisor_restart, all_children_together_use_up_the_supervisors_intensity)
{
    static const tr_child children[] = { CHILD(0), CHILD(1), CHILD(2) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .intensity = 4, AT_ONCE, CHILDREN(children) };
    tr_ref members[3];
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_cast(members, 3);
    for (unsigned n = 0; n < 4; n++)
        crash_and_come_back((int)n % 3, members[n % 3], n / 3 + 1);
    settle_supervisor(supervisor);
    CRASH_OF(members[1]);
    expect_went(1, TR_EPROTO);
    expect_went(2, TR_ESHUTDOWN);
    expect_went(0, TR_ESHUTDOWN);
    expect_down(supervisor, TR_EINTENSITY);
    close_system();
}

Test(supervisor_restart, restarts_longer_ago_than_the_period_do_not_count)
{
    static const tr_child children[] = { CHILD(0, .intensity = 2, .period_ns = TR_MS(4)) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .intensity = 2, .period_ns = TR_MS(3), AT_ONCE,
        CHILDREN(children) };
    open_stage();
    tr_ref supervisor = supervise(&table), member = expect_came(0).who;
    for (unsigned n = 1; n <= 20; n++) {
        crash_and_come_back(0, member, n);
        if (n % 2 == 0)
            let_pass(TR_MS(5)); /* the last two are past, and so are all before */
    }
    settle_supervisor(supervisor);
    close_system();
}

/* They are remembered one by one, so there is a limit to how many. */
Test(supervisor_restart, an_intensity_beyond_the_limit_is_refused)
{
    static const tr_child busy[] = { CHILD(0), CHILD(1, .name = "busy", .intensity = 1001) };
    static const tr_child most[] = { CHILD(0, .intensity = 1000) };
    static const tr_supervisor busy_table = { TR_SUPERVISOR, .name = "table", CHILDREN(busy) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .intensity = 1001, CHILDREN(most) };
    static const tr_supervisor good = { TR_SUPERVISOR, .name = "table", .intensity = 1000, CHILDREN(most) };
    open_stage();
    expect_down(supervise(&busy_table), TR_EINVAL);
    cr_assert_eq(logged("supervisor table: child busy has an intensity of 1001; the most is 1000"), 1, "%s", captured.text);
    expect_down(supervise(&table), TR_EINVAL);
    cr_assert_eq(logged("supervisor table: an intensity of 1001; the most is 1000"), 1, "%s", captured.text);
    supervise(&good);
    expect_came(0);
    close_system();
    cr_assert_eq(tr_run(&(tr_options){ .supervisor = &table, .workers = 1 }), TR_EINVAL);
    expect_nothing_left();
}

Test(supervisor_restart, an_intensity_can_be_unlimited_and_the_delay_still_grows)
{
    static const tr_child children[] = { CHILD(0, .intensity = TR_UNLIMITED) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .intensity = TR_UNLIMITED, AT_ONCE,
        CHILDREN(children) };
    static const tr_supervisor slow = { TR_SUPERVISOR, .name = "slow", .backoff_ns = TR_MS(2), CHILDREN(children) };
    open_stage();
    tr_ref member = (supervise(&table), expect_came(0).who);
    for (unsigned n = 1; n <= 1100; n++)
        crash_and_come_back(0, member, n);
    member = (supervise(&slow), expect_came(0).who);
    for (int64_t n = 0, delay = 0; n < 4; n++, delay = delay ? 2 * delay : TR_MS(2)) {
        CRASH_OF(member);
        int64_t left = expect_went(0, TR_EPROTO).at;
        cr_assert_geq(expect_came(0).at - left, delay - delay / 10, "restart %d", (int)n);
    }
    close_system();
}

/* The reason of every ending counts, and a start that fails is one. */
Test(supervisor_restart, ends_with_reason_0_and_starts_that_fail_count_too)
{
    static const tr_child children[] = { CHILD(0, .intensity = 3) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
    open_stage();
    tr_ref supervisor = supervise(&table), member = expect_came(0).who;
    perform(member, end_well, NULL);
    expect_went(0, 0);
    expect_back(0, member, 1);
    plan[0].failures = 10;
    plan[0].failure = TR_EACCES;
    CRASH_OF(member);
    expect_went(0, TR_EPROTO);
    for (unsigned n = 2; n <= 3; n++) {
        expect_back(0, member, n);
        expect_went(0, TR_EACCES);
    }
    expect_down(supervisor, TR_EINTENSITY);
    close_system();
}

/* ---- escalation -------------------------------------------------------------------------------------------------- */

Test(supervisor_restart, a_supervisor_that_gives_up_is_restarted_by_its_own_with_fresh_counters)
{
    static const tr_child inner_children[] = { CHILD(1, .intensity = 2), CHILD(2) };
    static const tr_supervisor inner = { TR_SUPERVISOR, .name = "inner", .intensity = 2, AT_ONCE, CHILDREN(inner_children) };
    static const tr_child outer_children[] = { CHILD(0), { .name = "inner", .supervisor = &inner, .intensity = 2 }, CHILD(3) };
    static const tr_supervisor outer = { TR_SUPERVISOR, .name = "outer", AT_ONCE, CHILDREN(outer_children) };
    tr_ref members[4];
    open_stage();
    tr_ref supervisor = supervise(&outer);
    expect_cast(members, 4);
    for (int round = 0; round < 3; round++) {
        for (unsigned n = 1; n <= 2; n++)
            crash_and_come_back(1, members[1], n);
        CRASH_OF(members[1]);
        expect_went(1, TR_EPROTO);
        expect_went(2, TR_ESHUTDOWN);
        if (round == 2)
            break;
        members[1] = expect_came(1).who;
        members[2] = expect_came(2).who;
        settle_supervisor(supervisor);
    }
    expect_went(3, TR_ESHUTDOWN);
    expect_went(0, TR_ESHUTDOWN);
    expect_down(supervisor, TR_EINTENSITY);
    close_system();
}

Test(supervisor_restart, when_the_root_supervisor_gives_up_the_system_ends_with_that)
{
    static const tr_child children[] = { CHILD(0, .intensity = 3) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
    capture_log(TR_LOG_WARNING);
    plan[0].failures = 100;
    plan[0].failure = TR_EACCES;
    cr_assert_eq(tr_run(&(tr_options){ .supervisor = &table, .workers = 2, .seed = 1 }), TR_EINTENSITY);
    cr_assert_eq(plan[0].failures, 96u);
    expect_nothing_left();
}

/* ---- backoff ----------------------------------------------------------------------------------------------------- */

Test(supervisor_restart, the_delay_doubles_up_to_its_bound_and_is_never_cut_short)
{
    static const tr_child children[] = { CHILD(0, .intensity = 100) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .backoff_ns = TR_MS(2),
        .backoff_max_ns = TR_MS(10), CHILDREN(children) };
    static const int64_t delays[] = { 0, TR_MS(2), TR_MS(4), TR_MS(8), TR_MS(10), TR_MS(10), TR_MS(10) };
    open_stage();
    supervise(&table);
    tr_ref member = expect_came(0).who;
    for (unsigned n = 0; n < sizeof delays / sizeof delays[0]; n++) {
        CRASH_OF(member);
        int64_t left = expect_went(0, TR_EPROTO).at;
        came again = expect_came(0);
        cr_assert_geq(again.at - left, delays[n] - delays[n] / 10, "restart %u: %ld ns", n, (long)(again.at - left));
    }
    close_system();
}

Test(supervisor_restart, after_a_quiet_period_the_delay_begins_anew)
{
    static const tr_child children[] = { CHILD(0, .period_ns = TR_MS(2)) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .backoff_ns = TR_HOURS(1),
        .backoff_max_ns = TR_HOURS(1), CHILDREN(children) };
    open_stage();
    supervise(&table);
    tr_ref member = expect_came(0).who;
    for (unsigned n = 1; n < 5; n++) {
        crash_and_come_back(0, member, n); /* at once, or after an hour */
        let_pass(TR_MS(3));
    }
    close_system();
}

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

static int whereis_kept(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_whereis(self, "kept");
    return TR_CONTINUE;
}

static const tr_actor narrow_member = { MEMBER, .mailbox = 16 };

/* Member 0 is RESTARTING until member 1, which is stopped for that, passes the gate. */
static const tr_child pair[] = { { .name = "kept", .actor = &narrow_member, .arg = &numbers[0] }, CHILD(1) };
static const tr_supervisor pair_table = { TR_SUPERVISOR, .name = "pair", .strategy = TR_ONE_FOR_ALL, CHILDREN(pair) };

struct scene {
    tr_ref supervisor, members[2];
    struct gate gate;
};

static void begin_restart(struct scene *scene)
{
    gate_init(&scene->gate);
    plan[1].at_stop = &scene->gate;
    open_stage();
    scene->supervisor = supervise(&pair_table);
    expect_cast(scene->members, 2);
    CRASH_OF(scene->members[0]);
    expect_went(0, TR_EPROTO);
    gate_await(&scene->gate);
}

static void end_restart(struct scene *scene)
{
    plan[1].at_stop = NULL;
    gate_open(&scene->gate);
    expect_went(1, TR_ESHUTDOWN);
    expect_back(0, scene->members[0], 1);
}

static void expect_figure(int n)
{
    cr_assert_eq(tr_body(figure, expect(figure))->n, n);
}

Test(supervisor_restart, what_is_sent_to_a_child_that_waits_for_its_restart_is_handled_after_it)
{
    struct scene scene;
    tr_ref named;
    begin_restart(&scene);
    tr_probe_do(probe, whereis_kept, &named);
    cr_assert(tr_ref_eq(named, scene.members[0]));
    cr_assert(tr_alive(named));
    int sent = 0, error;
    while ((error = tr_probe_send(probe, named, figure, .n = sent)) == 0)
        sent++;
    cr_assert_eq(error, TR_EFULL);
    /* One more if it is just being looked at; and while what has arrived moves to the lanes it is counted twice, so half of
     * them may look like all (mailbox.h). */
    cr_assert(sent >= 8 && sent <= 17, "%d", sent);
    end_restart(&scene);
    for (int i = 0; i < sent;) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(figure, m)) {
            cr_assert_eq(tr_body(figure, m)->n, i + 1000 * (i + 1)); /* its state is new: it counts from 1 */
            i++;
        }
    }
    close_system();
}

Test(supervisor_restart, what_waits_behind_the_message_it_crashed_on_is_handled_after_the_restart)
{
    struct gate gate;
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&pair_table), member = expect_came(0).who;
    expect_came(1);
    tr_probe_send(probe, member, figure, .n = 5);
    expect_figure(1005);
    direct(member, stand_at, &gate);
    gate_await(&gate);
    tr_probe_send(probe, member, figure, .n = 6);
    direct(member, crash, NULL);
    tr_probe_send(probe, member, figure, .n = 7);
    gate_open(&gate);
    expect_figure(2006);
    expect_went(0, TR_EPROTO);
    expect_went(1, TR_ESHUTDOWN);
    expect_back(0, member, 1);
    int left = 2;
    while (left--) { /* the other one comes meanwhile */
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        cr_assert(tr_is(came, m) || tr_body(figure, m)->n == 1007);
    }
    settle_supervisor(supervisor);
    close_system();
}

struct asking {
    tr_ref to;
    int64_t timeout;
    tr_call call;
};

static int ask(tr_self *self, void *arg)
{
    struct asking *asking = arg;
    asking->call = tr_ask(self, asking->to, asking->timeout, figure);
    return TR_CONTINUE;
}

static tr_call probe_ask(tr_ref to, int64_t timeout)
{
    struct asking asking = { to, timeout, { 0 } };
    tr_probe_do(probe, ask, &asking);
    return asking.call;
}

Test(supervisor_restart, a_request_to_a_child_that_waits_for_its_restart_waits_until_its_deadline)
{
    struct scene scene;
    begin_restart(&scene);
    tr_call brief = probe_ask(scene.members[0], TR_MS(1)), patient = probe_ask(scene.members[0], SOON);
    const tr_msg *m = expect(tr_failed);
    cr_assert_eq(m->call, brief.bits);
    cr_assert_eq(tr_body(tr_failed, m)->reason, TR_ETIMEDOUT);
    tr_stats before = stats_now();
    let_pass(TR_MS(
        60)); /* the deadline in a request is rounded up by 2^20 ns, and a worker that was held knows the time to 50 ms */
    end_restart(&scene);
    for (int left = 2; left--;) {
        m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(came, m))
            continue;
        cr_assert_eq(m->call, patient.bits);
        cr_assert_eq(tr_body(figure, m)->n, 1, "the brief one was handled, too");
    }
    cr_assert_eq(stats_now().expired, before.expired + 1);
    close_system();
}

Test(supervisor_restart, a_monitor_is_not_told_of_a_restart_but_a_link_is)
{
    tr_ref members[2];
    open_stage();
    tr_ref supervisor = supervise(&pair_table);
    expect_cast(members, 2);
    tr_probe_do(probe, monitor_it, &members[0]);
    tr_probe_do(probe, link_it, &members[0]);
    cr_assert_eq(settle(members[0]), 0);
    CRASH_OF(members[0]);
    expect_went(0, TR_EPROTO);
    const tr_exited *exited = tr_body(tr_exited, expect(tr_exited));
    cr_assert(tr_ref_eq(exited->who, members[0]));
    cr_assert_eq(exited->reason, TR_EPROTO);
    expect_went(1, TR_ESHUTDOWN);
    expect_back(0, members[0], 1);
    expect_back(1, members[1], 1);
    settle_supervisor(supervisor);
    dismiss(supervisor, members[0]); /* now it is the end */
    expect_went(0, TR_ESHUTDOWN);
    for (int left = 2; left--;) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(tr_down, m))
            cr_assert_eq(tr_body(tr_down, m)->reason, TR_ESHUTDOWN);
        else
            cr_assert(tr_is(tr_child_stopped, m));
    }
    close_system();
}

/* Timers, calls, monitors and taken messages are those of the incarnation. */
static int make_promises(tr_self *self, void *arg)
{
    tr_after(self, 0, 1);
    tr_after(self, TR_MS(2), 2);
    tr_every(self, TR_MS(1), 3);
    tr_ask(self, *(tr_ref *)arg, SOON, figure);
    tr_ask(self, *(tr_ref *)arg, TR_MS(1), figure);
    tr_monitor_set(self, *(tr_ref *)arg);
    return TR_EPROTO;
}

static int stand_and_stop(tr_self *self, void *arg)
{
    (void)self;
    gate_pass(arg);
    return TR_STOP;
}

Test(supervisor_restart, what_was_promised_to_the_old_incarnation_does_not_reach_the_new_one)
{
    struct gate gate;
    static const tr_child children[] = { CHILD(0, .intensity = 1000) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
    gate_init(&gate);
    open_stage();
    supervise(&table);
    tr_ref member = expect_came(0).who;
    for (unsigned i = 1; i <= 20; i++) {
        tr_ref other = make_puppet(0);
        direct(other, stand_and_stop, &gate);
        gate_await(&gate);
        perform(member, make_promises, &other);
        expect_went(0, TR_EPROTO);
        expect_back(0, member, i);
        gate_open(&gate);
        await_end(other);
        let_pass(TR_MS(3));
        cr_assert_eq(settle(member), 0);
        expect_nothing(0);
    }
    close_system();
}

Test(supervisor_restart, counters_tell_of_restarts)
{
    static const tr_child children[] = { CHILD(0, .intensity = 10) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
    tr_actor_stats stats;
    open_stage();
    supervise(&table);
    tr_ref member = expect_came(0).who;
    tr_stats before = stats_now();
    for (unsigned n = 1; n <= 7; n++) {
        crash_and_come_back(0, member, n);
        cr_assert_eq(tr_stats_of(member, &stats), 0);
        cr_assert_eq(stats.restarts, n);
    }
    tr_stats after = stats_now();
    cr_assert_eq(after.restarted - before.restarted, 7u);
    cr_assert_eq(after.crashed - before.crashed, 7u);
    cr_assert_eq(after.spawned - before.spawned, 0u);
    cr_assert_eq(after.ended - before.ended, 0u);
    close_system();
}

/* A slot counts its incarnations, and does not count them beyond what it can. All children are told to stop for the one that
 * crashed; one of them has had its last incarnation. */
Test(supervisor_restart, a_child_whose_incarnations_are_used_up_comes_anew_with_the_others)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .name = "one") };
    static const tr_supervisor tables[] = {
        { TR_SUPERVISOR, .name = "table", .strategy = TR_ONE_FOR_ALL, AT_ONCE, CHILDREN(children) },
        { TR_SUPERVISOR, .name = "table", .strategy = TR_ONE_FOR_ONE, AT_ONCE, CHILDREN(children) },
    };
    tr_ref members[2];
    tri_incarnation_last = 2;
    open_stage();
    for (int i = 0; i < 2; i++) {
        tr_ref supervisor = supervise(&tables[i]);
        expect_cast(members, 2);
        for (unsigned n = 1; n <= 3; n++) {
            CRASH_OF(members[1]);
            expect_went(1, TR_EPROTO);
            if (i == 0) {
                expect_went(0, TR_ESHUTDOWN);
                came again = expect_came(0);
                cr_assert_eq(tr_ref_eq(again.who, members[0]), n < 3);
                members[0] = again.who;
            }
            came again = expect_came(1);
            cr_assert_eq(tr_ref_eq(again.who, members[1]), n < 3);
            cr_assert_eq(again.incarnation, n % 3);
            members[1] = again.who;
        }
        settle_supervisor(supervisor);
        end(supervisor, 0);
        expect_went(1, TR_ESHUTDOWN);
        expect_went(0, TR_ESHUTDOWN);
        expect_down(supervisor, 0);
    }
    close_system();
}

/* ---- children that do not stop ----------------------------------------------------------------------------------- */

Test(supervisor_restart, a_child_that_does_not_end_in_time_is_killed)
{
    static const tr_actor slow = { MEMBER, .shutdown_ns = TR_MS(5) };
    const tr_child entries[] = { { .actor = &slow, .arg = &numbers[1] }, CHILD(1, .shutdown_ns = TR_MS(5)) };
    open_stage();
    for (unsigned i = 0; i < 2; i++) {
        const tr_child children[] = { CHILD(0), entries[i] };
        const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
        struct gate gate;
        tr_ref members[2];
        gate_init(&gate);
        tr_ref supervisor = supervise(&table);
        expect_cast(members, 2);
        direct(members[1], stand_at, &gate);
        gate_await(&gate);
        int64_t before = tri_clock_now(&tri_clock_real);
        end(supervisor, 0);
        while (logged("did not end in time and is killed") < i + 1)
            expect_nothing(TR_MS(1));
        cr_assert_geq(tri_clock_now(&tri_clock_real) - before, TR_MS(5));
        settle_supervisor(supervisor); /* it logs, and kills then */
        gate_open(&gate);
        expect_went(1, TR_EKILLED);
        expect_went(0, TR_ESHUTDOWN);
        expect_down(supervisor, 0);
    }
    close_system();
}

Test(supervisor_restart, one_that_was_killed_for_not_ending_comes_back_with_the_others)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .shutdown_ns = TR_MS(5)) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .strategy = TR_ONE_FOR_ALL, CHILDREN(children) };
    struct gate gate;
    tr_ref members[2];
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_cast(members, 2);
    direct(members[1], stand_at, &gate);
    gate_await(&gate);
    CRASH_OF(members[0]);
    expect_went(0, TR_EPROTO);
    expect_logged("did not end in time and is killed");
    settle_supervisor(supervisor);
    gate_open(&gate);
    expect_went(1, TR_EKILLED);
    expect_back(0, members[0], 1);
    expect_back(1, members[1], 1);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor_restart, a_child_that_does_not_return_is_given_up)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .name = "stuck", .shutdown_ns = TR_MS(5)), CHILD(2) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    struct gate gate;
    tr_ref members[3];
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_cast(members, 3);
    direct(members[1], stand_at, &gate);
    gate_await(&gate);
    end(supervisor, TR_EACCES);
    expect_went(2, TR_ESHUTDOWN);
    expect_went(0, TR_ESHUTDOWN);
    expect_down(supervisor, TR_EACCES);
    cr_assert_eq(logged("child stuck does not return from a handler and is given up"), 1, "%s", captured.text);
    gate_open(&gate);
    expect_went(1, TR_EKILLED);
    await_end(members[1]); /* it is not waiting to be started again */
    close_system();
}

/* It was to be started again, so it is: when the one before it has ended. */
Test(supervisor_restart, a_child_that_was_given_up_comes_anew_when_it_returns)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .name = "stuck", .shutdown_ns = TR_MS(1)), CHILD(2) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .strategy = TR_ONE_FOR_ALL, CHILDREN(children) };
    struct gate gate;
    tr_ref members[3];
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_cast(members, 3);
    tr_probe_do(probe, monitor_it, &members[1]);
    direct(members[1], stand_at, &gate);
    gate_await(&gate);
    CRASH_OF(members[0]);
    expect_went(0, TR_EPROTO);
    expect_went(2, TR_ESHUTDOWN);
    expect_back(0, members[0], 1);
    cr_assert_eq(logged("child stuck does not return from a handler and is given up"), 1, "%s", captured.text);
    settle_supervisor(supervisor); /* the next one waits for it, as ever */
    gate_open(&gate);
    expect_went(1, TR_EKILLED);
    expect_down(members[1], TR_EKILLED);
    cr_assert_not(tr_ref_eq(expect_came(1).who, members[1]));
    expect_back(2, members[2], 1);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor_restart, a_child_that_is_stopped_and_does_not_return_is_given_up_and_who_asked_is_told)
{
    static const tr_child children[] = { CHILD(0, .shutdown_ns = TR_MS(1)) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    struct gate gate;
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&table), member = expect_came(0).who;
    direct(member, stand_at, &gate);
    gate_await(&gate);
    tr_call call = dismiss(supervisor, member);
    const tr_msg *m = expect(tr_failed);
    cr_assert_eq(m->call, call.bits);
    cr_assert_eq(tr_body(tr_failed, m)->reason, TR_ETIMEDOUT);
    gate_open(&gate);
    expect_went(0, TR_EKILLED);
    await_end(member);
    settle_supervisor(supervisor);
    close_system();
}

/* ---- what is said of it ------------------------------------------------------------------------------------------ */

Test(supervisor_restart, an_end_is_logged_with_its_message_and_when_the_child_comes_again)
{
    static const tr_child children[] = { CHILD(0, .name = "restless", .intensity = 2) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "keeper", .backoff_ns = TR_MS(2),
        .backoff_max_ns = TR_MS(2), CHILDREN(children) };
    char from[TR_REF_TEXT], text[256];
    open_stage();
    tr_ref supervisor = supervise(&table), member = expect_came(0).who;
    for (unsigned n = 1; n <= 2; n++)
        crash_and_come_back(0, member, n);
    tr_probe_do(probe, kill_it, &member);
    expect_went(0, TR_EKILLED);
    expect_down(supervisor, TR_EINTENSITY);
    snprintf(text, sizeof text,
        "supervisor keeper: child restless ended: %s, handling act from %s; it is started again at once",
        tr_strerror(TR_EPROTO), tr_ref_text(boss, from));
    cr_assert_eq(logged(text), 1, "%s", captured.text);
    cr_assert_eq(logged("it is started again in "), 1, "%s", captured.text);
    cr_assert_eq(logged("supervisor keeper: child restless ended: killed; it is not started again"), 1, "%s", captured.text);
    close_system();
}

Test(supervisor_restart, a_supervisor_that_does_not_end_in_time_is_killed_and_its_children_end)
{
    static const tr_child inner_children[] = { CHILD(1), CHILD(2) };
    static const tr_supervisor inner = { TR_SUPERVISOR, .name = "inner", CHILDREN(inner_children) };
    static const tr_child outer_children[] = { CHILD(0), { .supervisor = &inner, .shutdown_ns = TR_MS(5) } };
    static const tr_supervisor outer = { TR_SUPERVISOR, .name = "outer", CHILDREN(outer_children) };
    struct gate gate;
    tr_ref members[3];
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&outer);
    expect_cast(members, 3);
    direct(members[2], stand_at, &gate);
    gate_await(&gate);
    end(supervisor, 0);
    bool seen[3] = { false };
    for (int left = 3; left--;) { /* 1 and 0, and that the supervisor is down; 2 is still stuck */
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(went, m))
            seen[tr_body(went, m)->number] = true;
        else
            cr_assert_eq(tr_body(tr_down, m)->reason, 0);
    }
    cr_assert(seen[0] && seen[1]);
    gate_open(&gate);
    expect_went(2, TR_ESHUTDOWN);
    await_end(members[2]);
    close_system();
}
