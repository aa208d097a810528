/* Supervisors: dynamic children, children that are stopped one by one, supervisors that are killed, and no memory. */
#include "tests/actors/member.h"

#include <troupe/name.h>

/* ---- dynamic children -------------------------------------------------------------------------------------------- */

#define AT_ONCE .backoff_ns = 1, .backoff_max_ns = 1

static const tr_supervisor dynamic = { TR_SUPERVISOR, .name = "dynamic", .strategy = TR_DYNAMIC, AT_ONCE };

struct hiring {
    tr_ref supervisor;
    const tr_child *child;
    tr_call call;
};

static int do_hire(tr_self *self, void *arg)
{
    struct hiring *hiring = arg;
    hiring->call = tr_child_start(self, hiring->supervisor, SOON, hiring->child);
    return TR_CONTINUE;
}

static tr_call hire(tr_ref supervisor, const tr_child *child)
{
    struct hiring hiring = { supervisor, child, { 0 } };
    tr_probe_do(probe, do_hire, &hiring);
    cr_assert_neq(hiring.call.bits, 0u);
    return hiring.call;
}

#define expect_refused(call, reason) expect_refused_((call), (reason), __LINE__)

static void expect_refused_(tr_call call, int reason_, int line)
{
    const tr_msg *m = expect_(tr_probe_receive(probe, SOON), &tr_failed_type, "tr_failed", line);
    cr_assert_eq(m->call, call.bits, "line %d", line);
    int reason = tr_body(tr_failed, m)->reason;
    cr_assert_eq(reason, reason_, "line %d: %s", line, tr_error_name(reason));
}

static tr_ref expect_hired(tr_call call)
{
    const tr_msg *m = expect(tr_child_started);
    cr_assert_eq(m->call, call.bits);
    return tr_body(tr_child_started, m)->child;
}

static tr_ref hired(tr_ref supervisor, int which)
{
    tr_call call = hire(supervisor, &(tr_child)CHILD(which));
    tr_ref who = expect_came(which).who;
    cr_assert(tr_ref_eq(expect_hired(call), who));
    return who;
}

static void expect_dismissed(tr_call call, tr_ref who)
{
    const tr_msg *m = expect(tr_child_stopped);
    cr_assert_eq(m->call, call.bits);
    cr_assert(tr_ref_eq(tr_body(tr_child_stopped, m)->child, who));
}

Test(supervisor_dynamic, children_come_and_go_on_request)
{
    open_stage();
    tr_ref supervisor = supervise(&dynamic), members[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        members[i] = hired(supervisor, i);
    for (int i = 0; i < MEMBERS; i += 2) {
        tr_call call = dismiss(supervisor, members[i]);
        expect_went(i, TR_ESHUTDOWN);
        expect_dismissed(call, members[i]);
        cr_assert_not(tr_alive(members[i]));
        expect_refused(dismiss(supervisor, members[i]), TR_ENOENT);
    }
    for (int i = 0; i < MEMBERS; i += 2) { /* in the places that are free again */
        members[i] = hired(supervisor, i);
        CRASH_OF(members[i]);
        expect_went(i, TR_EPROTO);
        expect_back(i, members[i], 1);
    }
    end(supervisor, 0);
    unsigned seen = 0;
    for (int i = 0; i < MEMBERS; i++) {
        went body = *tr_body(went, expect(went));
        cr_assert_eq(body.reason, TR_ESHUTDOWN);
        seen |= 1u << body.number;
    }
    cr_assert_eq(seen, (1u << MEMBERS) - 1);
    expect_down(supervisor, 0);
    close_system();
}

Test(supervisor_dynamic, children_are_stopped_side_by_side)
{
    struct gate gates[2];
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    for (int i = 0; i < 2; i++) {
        gate_init(&gates[i]);
        plan[i].at_stop = &gates[i];
        hired(supervisor, i);
    }
    end(supervisor, 0);
    gate_await(&gates[0]); /* neither waits for the other */
    gate_await(&gates[1]);
    gate_open(&gates[0]);
    expect_went(0, TR_ESHUTDOWN);
    gate_open(&gates[1]);
    expect_went(1, TR_ESHUTDOWN);
    expect_down(supervisor, 0);
    close_system();
}

/* What it points to need not last. */
Test(supervisor_dynamic, name_and_argument_are_copied_for_every_start)
{
    char name[8] = "jane";
    int which = 3;
    tr_ref named;
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    tr_call call = hire(supervisor, &(tr_child){ .name = name, .actor = &member_actor, .arg = &which });
    memset(name, 'x', sizeof name);
    which = 1;
    tr_ref who = expect_came(3).who;
    expect_hired(call);
    CRASH_OF(who);
    expect_went(3, TR_EPROTO);
    expect_back(3, who, 1);
    expect_refused(hire(supervisor, &(tr_child){ .name = "jane", .actor = &member_actor, .arg = &which }), TR_EEXIST);
    call = dismiss(supervisor, who);
    expect_went(3, TR_ESHUTDOWN);
    expect_dismissed(call, who);
    call = hire(supervisor, &(tr_child){ .name = "jane", .actor = &member_actor, .arg = &which });
    named = expect_came(1).who;
    cr_assert(tr_ref_eq(expect_hired(call), named));
    cr_assert_not(tr_ref_eq(named, who));
    close_system();
}

Test(supervisor_dynamic, a_start_that_fails_is_the_answer_and_is_not_tried_again)
{
    static const int failures[][2] = { { TR_EACCES, TR_EACCES }, { TR_STOP, TR_ESTART }, { -999, -999 } };
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    for (int i = 0; i < 3; i++) {
        plan[i].failures = 1;
        plan[i].failure = failures[i][0];
        tr_call call = hire(supervisor, &(tr_child)CHILD(i));
        tr_ref who = expect_came(i).who;
        expect_went(i, failures[i][0] == TR_STOP ? 0 : failures[i][0]);
        expect_refused(call, failures[i][1]);
        await_end(who);
        settle_supervisor(supervisor);
    }
    plan[3].answer = TR_NOT_READY;
    tr_call call = hire(supervisor, &(tr_child)CHILD(3, .start_ns = TR_MS(5)));
    expect_came(3);
    expect_went(3, TR_EKILLED);
    expect_refused(call, TR_EKILLED);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor_dynamic, it_answers_when_the_child_is_ready)
{
    plan[0].answer = TR_NOT_READY;
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    tr_call slow = hire(supervisor, &(tr_child)CHILD(0));
    tr_ref who = expect_came(0).who;
    hired(supervisor, 1); /* and does not wait with the others */
    settle_supervisor(supervisor);
    CRASH_OF(who); /* it has not begun to do its duty, so this is a start that failed */
    expect_went(0, TR_EPROTO);
    expect_refused(slow, TR_EPROTO);
    await_end(who);
    close_system();
}

/* Both requests have their answer. */
Test(supervisor_dynamic, a_child_that_is_not_ready_yet_can_be_stopped)
{
    plan[0].answer = TR_NOT_READY;
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    tr_call start = hire(supervisor, &(tr_child)CHILD(0));
    tr_ref who = expect_came(0).who;
    tr_call stop = dismiss(supervisor, who);
    expect_went(0, TR_ESHUTDOWN);
    for (int left = 2; left--;) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m, "an answer is missing");
        if (tr_is(tr_failed, m))
            cr_assert_eq(m->call, start.bits, "%s", tr_error_name(tr_body(tr_failed, m)->reason));
        else
            cr_assert(tr_is(tr_child_stopped, m) && m->call == stop.bits);
    }
    close_system();
}

Test(supervisor_dynamic, requests_that_wait_when_the_supervisor_ends_are_answered)
{
    plan[0].answer = TR_NOT_READY;
    open_stage();
    for (int i = 0; i < 2; i++) {
        tr_ref supervisor = supervise(&dynamic);
        tr_call start = hire(supervisor, &(tr_child)CHILD(0));
        tr_ref who = expect_came(0).who;
        if (i)
            tr_probe_do(probe, kill_it, &supervisor);
        else
            end(supervisor, 0);
        bool failed = false, down = false, gone = false;
        for (int left = 3; left--;) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            failed = failed || (tr_is(tr_failed, m) && m->call == start.bits);
            down = down || tr_is(tr_down, m);
            gone = gone || tr_is(went, m);
        }
        cr_assert(failed && down && gone);
        expect_refused(hire(supervisor, &(tr_child)CHILD(1)), TR_EDOWN);
        await_end(who);
    }
    close_system();
}

Test(supervisor_dynamic, a_child_that_stops_slowly_does_not_hold_up_the_others)
{
    struct gate gate;
    gate_init(&gate);
    plan[0].at_stop = &gate;
    open_stage();
    tr_ref supervisor = supervise(&dynamic), slow = hired(supervisor, 0), other = hired(supervisor, 1);
    tr_call call = dismiss(supervisor, slow);
    gate_await(&gate);
    hired(supervisor, 2);
    CRASH_OF(other);
    expect_went(1, TR_EPROTO);
    expect_back(1, other, 1);
    gate_open(&gate);
    expect_went(0, TR_ESHUTDOWN);
    expect_dismissed(call, slow);
    close_system();
}

Test(supervisor_dynamic, supervisors_can_be_dynamic_children)
{
    static const tr_child children[] = { CHILD(0), CHILD(1) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    tr_call call = hire(supervisor, &(tr_child){ .supervisor = &table });
    expect_came(0);
    expect_came(1);
    tr_ref inner = expect_hired(call);
    settle_supervisor(inner);
    call = dismiss(supervisor, inner);
    expect_went(1, TR_ESHUTDOWN);
    expect_went(0, TR_ESHUTDOWN);
    expect_dismissed(call, inner);
    close_system();
}

Test(supervisor_dynamic, many_children_come_crash_and_go)
{
    enum { MANY = 300 };
    static tr_ref members[MANY];
    open_stage();
    tr_ref supervisor = supervise(&dynamic);
    for (unsigned round = 0; round < scaled(3, 100); round++) {
        for (int i = 0; i < MANY; i++)
            hire(supervisor, &(tr_child)CHILD(i % MEMBERS));
        for (int i = 0, n = 0; i < 2 * MANY; i++) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            if (tr_is(tr_child_started, m))
                members[n++] = tr_body(tr_child_started, m)->child;
            else
                cr_assert(tr_is(came, m));
        }
        for (int i = 0; i < MANY; i += 3)
            direct(members[i], crash, NULL);
        for (int i = 0; i < MANY; i++)
            dismiss(supervisor, members[i]);
        for (int gone = 0; gone < MANY;) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m, "%d have gone", gone);
            gone += tr_is(tr_child_stopped, m);
            cr_assert_not(tr_is(tr_failed, m), "%s", tr_error_name(tr_body(tr_failed, m)->reason));
        }
        for (int i = 0; i < MANY; i++)
            cr_assert_not(tr_alive(members[i]));
    }
    close_system();
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

Test(supervisor_dynamic, a_child_of_a_table_can_be_stopped_for_good_but_none_be_added)
{
    static const tr_child children[] = { CHILD(0), CHILD(1), CHILD(2) };
    static const tr_supervisor tables[] = {
        { TR_SUPERVISOR, .name = "one for one", CHILDREN(children) },
        { TR_SUPERVISOR, .name = "one for all", .strategy = TR_ONE_FOR_ALL, CHILDREN(children) },
        { TR_SUPERVISOR, .name = "rest for one", .strategy = TR_REST_FOR_ONE, CHILDREN(children) },
    };
    tr_ref members[3];
    open_stage();
    for (int i = 0; i < 3; i++) {
        tr_ref supervisor = supervise(&tables[i]);
        expect_cast(members, 3);
        expect_refused(hire(supervisor, &(tr_child)CHILD(3)), TR_ENOTSUP);
        tr_call call = dismiss(supervisor, members[1]);
        expect_went(1, TR_ESHUTDOWN);
        expect_dismissed(call, members[1]);
        settle_supervisor(supervisor);
        end(supervisor, 0);
        expect_went(2, TR_ESHUTDOWN);
        expect_went(0, TR_ESHUTDOWN);
        expect_down(supervisor, 0);
    }
    close_system();
}

/* A child that has no reference yet is not "nobody's". */
Test(supervisor_dynamic, nobody_is_no_child)
{
    static const tr_child children[] = { CHILD(0), CHILD(1) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    plan[0].answer = TR_NOT_READY;
    open_stage();
    tr_ref supervisor = supervise(&table), first = expect_came(0).who;
    expect_refused(dismiss(supervisor, TR_NOBODY), TR_ENOENT);
    plan[0].answer = TR_CONTINUE;
    perform(first, end_well, NULL);
    expect_went(0, 0);
    expect_came(0);
    expect_came(1);
    close_system();
}

/* ---- killing ----------------------------------------------------------------------------------------------------- */

static const tr_child two[] = { CHILD(1, .name = "one"), CHILD(2, .name = "two") };
static const tr_supervisor inner_table = { TR_SUPERVISOR, .name = "inner", CHILDREN(two) };

static int do_whereis_inner(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_whereis(self, "inner");
    return TR_CONTINUE;
}

Test(supervisor_dynamic, the_children_of_a_supervisor_that_is_killed_end)
{
    static const tr_child children[] = { CHILD(0), { .supervisor = &inner_table }, CHILD(3) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    tr_ref members[4];
    open_stage();
    for (int round = 0; round < 20; round++) {
        tr_ref supervisor = supervise(&table);
        expect_cast(members, 4);
        tr_probe_do(probe, kill_it, &supervisor);
        for (int left = 5; left--;) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            if (tr_is(went, m))
                cr_assert_eq(tr_body(went, m)->reason, TR_ESHUTDOWN);
            else
                cr_assert_eq(tr_body(tr_down, m)->reason, TR_EKILLED);
        }
        for (int n = 0; n < 4; n++)
            await_end(members[n]);
    }
    close_system();
}

/* The reports of the old children come to the new incarnation, which must not take them for those of its own. */
Test(supervisor_dynamic, a_supervisor_that_is_killed_and_restarted_has_each_child_once)
{
    static const tr_child children[] = { { .name = "inner", .supervisor = &inner_table, .intensity = 1000 } };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
    tr_ref members[3], inner;
    open_stage();
    supervise(&table);
    members[1] = expect_came(1).who;
    members[2] = expect_came(2).who;
    for (unsigned round = 0; round < scaled(20, 1000); round++) {
        int balance[3] = { 0, 1, 1 };
        tr_probe_do(probe, do_whereis_inner, &inner);
        tr_probe_do(probe, kill_it, &inner);
        for (int goings = 0, comings = 0; goings < 2 || comings < 2;) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m, "round %u: %d went, %d came", round, goings, comings);
            if (tr_is(went, m)) {
                goings++;
                balance[tr_body(went, m)->number]--;
            } else {
                comings++;
                balance[tr_body(came, m)->number]++;
                members[tr_body(came, m)->number] = tr_body(came, m)->who;
            }
        }
        cr_assert_eq(balance[1], 1);
        cr_assert_eq(balance[2], 1);
        settle_supervisor(inner);
        cr_assert_eq(settle(members[1]), 0);
        cr_assert_eq(settle(members[2]), 0);
    }
    cr_assert_eq(logged("not ready in time"), 0, "%s", captured.text);
    close_system();
}

/* The same for a dynamic one, which begins without any child. */
Test(supervisor_dynamic, a_dynamic_supervisor_that_is_killed_and_restarted_is_empty)
{
    static const tr_child children[] = { { .name = "inner", .supervisor = &dynamic, .intensity = 1000 } };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", AT_ONCE, CHILDREN(children) };
    tr_ref inner;
    open_stage();
    tr_ref supervisor = supervise(&table);
    settle_supervisor(supervisor);
    tr_probe_do(probe, do_whereis_inner, &inner);
    for (unsigned round = 0; round < scaled(20, 1000); round++) {
        tr_ref members[2] = { hired(inner, 0), hired(inner, 1) };
        tr_probe_do(probe, kill_it, &inner);
        for (int left = 2; left--;)
            cr_assert_eq(tr_body(went, expect(went))->reason, TR_ESHUTDOWN);
        await_end(members[0]);
        await_end(members[1]);
        settle_supervisor(inner);
    }
    close_system();
}

/* There is nothing left to kill: it has ended, and comes when its time has come, where it was. */
Test(supervisor_dynamic, a_child_that_is_killed_while_it_waits_for_its_restart_comes_all_the_same)
{
    static const tr_child children[] = { CHILD(0), CHILD(1) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .strategy = TR_ONE_FOR_ALL, AT_ONCE,
        CHILDREN(children) };
    static const int reasons[] = { TR_EKILLED, TR_EACCES, 0 };
    struct gate gate;
    tr_ref members[2];
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_cast(members, 2);
    for (unsigned i = 0; i < 3; i++) {
        plan[1].at_stop = &gate;
        CRASH_OF(members[0]);
        expect_went(0, TR_EPROTO);
        gate_await(&gate);
        if (i == 0)
            tr_probe_do(probe, kill_it, &members[0]);
        else
            end(members[0], reasons[i]);
        plan[1].at_stop = NULL;
        gate_open(&gate);
        expect_went(1, TR_ESHUTDOWN);
        expect_back(0, members[0], i + 1);
        expect_back(1, members[1], i + 1);
        settle_supervisor(supervisor);
    }
    close_system();
}

/* As it would if it were alive. The delay is an hour. */
Test(supervisor_dynamic, a_transient_child_that_is_asked_to_end_well_while_it_waits_for_its_restart_stays_away)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .restart = TR_TRANSIENT) };
    static const tr_supervisor tables[] = {
        { TR_SUPERVISOR, .name = "table", .backoff_ns = TR_HOURS(1), .backoff_max_ns = TR_HOURS(1), CHILDREN(children) },
        { TR_SUPERVISOR, .name = "all", .strategy = TR_ONE_FOR_ALL, .backoff_ns = TR_HOURS(1),
            .backoff_max_ns = TR_HOURS(1), CHILDREN(children) },
        { TR_SUPERVISOR, .name = "dynamic", .strategy = TR_DYNAMIC, .backoff_ns = TR_HOURS(1), .backoff_max_ns = TR_HOURS(1) },
    };
    open_stage();
    for (int i = 0; i < 3; i++) {
        tr_ref supervisor = supervise(&tables[i]), member;
        if (i == 2) {
            tr_call call = hire(supervisor, &children[1]);
            member = expect_came(1).who;
            expect_hired(call);
        } else {
            expect_came(0);
            member = expect_came(1).who;
        }
        for (unsigned n = 0; n < 2; n++) {
            CRASH_OF(member);
            expect_went(1, TR_EPROTO);
            if (i == 1)
                expect_went(0, TR_ESHUTDOWN);
            if (i == 1 && n == 0)
                expect_came(0);
            if (n == 0)
                expect_back(1, member, 1);
        }
        if (i == 1)
            expect_came(0);
        settle_supervisor(supervisor);
        tr_probe_do(probe, monitor_it, &member);
        end(member, TR_EACCES); /* that it would be started again after */
        settle_supervisor(supervisor);
        end(member, 0);
        expect_down(member, TR_ESHUTDOWN);
        settle_supervisor(supervisor);
        end(supervisor, 0);
        if (i < 2)
            expect_went(0, TR_ESHUTDOWN);
        expect_down(supervisor, 0);
    }
    close_system();
}

/* ---- the children of a supervisor that was killed ---------------------------------------------------------------- */

static const tr_child held[] = { CHILD(1, .name = "one", .shutdown_ns = TR_MS(1)), CHILD(2, .shutdown_ns = TR_MS(1)) };
static const tr_supervisor held_table = { TR_SUPERVISOR, .name = "held", .backoff_ns = 1, .backoff_max_ns = 1,
    CHILDREN(held) };
static const tr_child holders[] = { { .name = "inner", .supervisor = &held_table } };
static const tr_supervisor holder = { TR_SUPERVISOR, .name = "holder", AT_ONCE, CHILDREN(holders) };

static int do_whereis_outer(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_whereis(self, "outer");
    return TR_CONTINUE;
}

struct holding {
    struct gate gate;
    tr_ref outer, inner, members[3];
};

/* Kills the inner supervisor while its first child, or its second one, which has no name, is held; then it is there again. */
static void kill_the_inner(struct holding *scene, int which)
{
    gate_init(&scene->gate);
    scene->outer = supervise(&holder);
    scene->members[1] = expect_came(1).who;
    scene->members[2] = expect_came(2).who;
    settle_supervisor(scene->outer);
    direct(scene->members[which], stand_at, &scene->gate);
    gate_await(&scene->gate);
    tr_probe_do(probe, do_whereis_inner, &scene->inner);
    tr_probe_do(probe, kill_it, &scene->inner);
    expect_went(3 - which, TR_ESHUTDOWN);
    settle_supervisor(scene->inner);
}

static void end_the_outer(struct holding *scene)
{
    settle_supervisor(scene->inner);
    end(scene->outer, 0);
    expect_went(2, TR_ESHUTDOWN);
    expect_went(1, TR_ESHUTDOWN);
    expect_down(scene->outer, 0);
}

Test(supervisor_dynamic, the_successor_of_one_that_is_killed_waits_for_the_children_that_are_left)
{
    struct holding scene;
    open_stage();
    for (int which = 1; which <= 2; which++) {
        kill_the_inner(&scene, which);
        gate_open(&scene.gate);
        expect_went(which, TR_ESHUTDOWN); /* and then they come */
        cr_assert_not(tr_ref_eq(expect_came(1).who, scene.members[1]));
        cr_assert_not(tr_ref_eq(expect_came(2).who, scene.members[2]));
        end_the_outer(&scene);
        cr_assert_eq(logged("could not be started"), 0, "%s", captured.text);
    }
    close_system();
}

/* It is killed again and again; what it is waited for is still there. */
Test(supervisor_dynamic, what_is_waited_for_is_not_forgotten_when_the_successor_is_killed_too)
{
    struct holding scene;
    open_stage();
    kill_the_inner(&scene, 1);
    for (int i = 0; i < 3; i++) {
        tr_probe_do(probe, kill_it, &scene.inner);
        settle_supervisor(scene.outer);
        settle_supervisor(scene.inner);
    }
    gate_open(&scene.gate);
    expect_went(1, TR_ESHUTDOWN);
    expect_came(1);
    expect_came(2);
    end_the_outer(&scene);
    cr_assert_eq(logged("could not be started"), 0, "%s", captured.text);
    close_system();
}

/* The supervisor between them gives its child up and is gone; the new one is a stranger to that child, but for the name. */
Test(supervisor_dynamic, a_name_that_will_be_free_uses_up_no_intensity)
{
    static const tr_child tops[] = { { .name = "outer", .supervisor = &holder } };
    static const tr_supervisor top = { TR_SUPERVISOR, .name = "top", AT_ONCE, CHILDREN(tops) };
    struct gate gate;
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&top), outer;
    tr_ref member = expect_came(1).who;
    expect_came(2);
    settle_supervisor(supervisor);
    direct(member, stand_at, &gate);
    gate_await(&gate);
    tr_probe_do(probe, do_whereis_outer, &outer);
    tr_probe_do(probe, kill_it, &outer);
    expect_went(2, TR_ESHUTDOWN);
    expect_logged("supervisor held: child one could not be started: exists already");
    let_pass(TR_MS(50));
    gate_open(&gate);
    expect_went(1, TR_EKILLED);
    expect_came(1);
    expect_came(2);
    settle_supervisor(supervisor);
    cr_assert_eq(logged("too often"), 0, "%s", captured.text);
    close_system();
}

Test(supervisor_dynamic, the_successor_of_one_that_is_killed_does_not_wait_for_ever)
{
    struct holding scene;
    open_stage();
    kill_the_inner(&scene, 2); /* it has no name, so it is not in the way */
    expect_came(1);
    expect_came(2);
    cr_assert_eq(logged("supervisor held: 1 children of its former life have not ended"), 1, "%s", captured.text);
    gate_open(&scene.gate);
    expect_went(2, TR_ESHUTDOWN);
    end_the_outer(&scene);
    close_system();
}

/* Its delay is an hour; nobody waits for that. */
Test(supervisor_dynamic, a_child_that_waits_for_its_restart_can_be_stopped_and_ends_with_its_supervisor)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .name = "one") };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .backoff_ns = TR_HOURS(1),
        .backoff_max_ns = TR_HOURS(1), CHILDREN(children) };
    tr_ref members[2];
    open_stage();
    for (int way = 0; way < 3; way++) {
        tr_ref supervisor = supervise(&table);
        expect_cast(members, 2);
        CRASH_OF(members[1]);
        expect_went(1, TR_EPROTO);
        expect_back(1, members[1], 1);
        tr_probe_do(probe, monitor_it, &members[1]);
        CRASH_OF(members[1]);
        expect_went(1, TR_EPROTO);
        settle_supervisor(supervisor);
        cr_assert(tr_alive(members[1]));
        if (way == 0) {
            tr_call call = dismiss(supervisor, members[1]);
            expect_down(members[1], TR_ESHUTDOWN);
            expect_dismissed(call, members[1]);
            expect_refused(dismiss(supervisor, members[1]), TR_ENOENT);
        }
        if (way < 2)
            end(supervisor, 0);
        else
            tr_probe_do(probe, kill_it, &supervisor);
        bool down[2] = { way == 0 };
        for (int left = way ? 3 : 2; left--;) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            if (tr_is(went, m))
                cr_assert_eq(tr_body(went, m)->number, 0);
            else if (tr_ref_eq(tr_body(tr_down, m)->who, members[1]))
                down[0] = true;
            else
                down[1] = down[0] || way == 2; /* a supervisor that is not killed ends after its children */
        }
        cr_assert(down[0] && down[1]);
    }
    close_system();
}
