/* Supervisors: who is started and stopped, when, and in which order. */
#include "tests/actors/member.h"

#include <troupe/name.h>

/* ---- order ------------------------------------------------------------------------------------------------------- */

static const tr_child four[] = { CHILD(0), CHILD(1), CHILD(2), CHILD(3) };
static const tr_supervisor strategies[] = {
    { TR_SUPERVISOR, .name = "one for one", .strategy = TR_ONE_FOR_ONE, CHILDREN(four) },
    { TR_SUPERVISOR, .name = "one for all", .strategy = TR_ONE_FOR_ALL, CHILDREN(four) },
    { TR_SUPERVISOR, .name = "rest for one", .strategy = TR_REST_FOR_ONE, CHILDREN(four) },
};

Test(supervisor, children_are_started_in_order_and_stopped_in_reverse_order)
{
    static const int reasons[] = { 0, TR_EPROTO, TR_ESHUTDOWN };
    tr_ref members[4];
    open_stage();
    for (unsigned i = 0; i < 9; i++) {
        tr_ref supervisor = supervise(&strategies[i % 3]);
        expect_cast(members, 4);
        settle_supervisor(supervisor);
        end(supervisor, reasons[i / 3]);
        for (int n = 4; n-- > 0;)
            expect_went(n, TR_ESHUTDOWN);
        expect_down(supervisor, reasons[i / 3]);
        for (int n = 0; n < 4; n++)
            cr_assert_not(tr_alive(members[n]));
    }
    close_system();
}

static int get_ready(tr_self *self, void *arg)
{
    (void)arg;
    tr_ready(self);
    tr_ready(self);
    return TR_CONTINUE;
}

Test(supervisor, a_child_is_started_when_the_one_before_it_is_ready)
{
    plan[1].answer = plan[3].answer = TR_NOT_READY;
    open_stage();
    for (unsigned i = 0; i < 3; i++) {
        tr_ref supervisor = supervise(&strategies[i]);
        expect_came(0);
        tr_ref second = expect_came(1).who;
        settle_supervisor(supervisor);
        cr_assert_eq(settle(second), 0);
        settle_supervisor(supervisor);
        perform(second, get_ready, NULL);
        expect_came(2);
        expect_came(3);
        end(supervisor, 0); /* the last one never says that it is ready */
        for (int n = 4; n-- > 0;)
            expect_went(n, TR_ESHUTDOWN);
        expect_down(supervisor, 0);
    }
    close_system();
}

Test(supervisor, a_supervisor_that_ends_while_it_starts_stops_those_that_have_come)
{
    plan[1].answer = TR_NOT_READY;
    open_stage();
    for (unsigned i = 0; i < 3; i++) {
        tr_ref supervisor = supervise(&strategies[i]);
        expect_came(0);
        expect_came(1);
        end(supervisor, TR_EPROTO);
        expect_went(1, TR_ESHUTDOWN);
        expect_went(0, TR_ESHUTDOWN);
        expect_down(supervisor, TR_EPROTO);
    }
    close_system();
}

Test(supervisor, one_without_children_is_ready_and_ends_when_asked)
{
    static const tr_supervisor empty = { TR_SUPERVISOR, .name = "empty" };
    static const tr_child children[] = { { .supervisor = &empty }, CHILD(1) };
    static const tr_supervisor outer = { TR_SUPERVISOR, .name = "outer", CHILDREN(children) };
    open_stage();
    tr_ref supervisor = supervise(&outer);
    expect_came(1);
    end(supervisor, 0);
    expect_went(1, TR_ESHUTDOWN);
    expect_down(supervisor, 0);
    close_system();
}

/* ---- trees ------------------------------------------------------------------------------------------------------- */

static const tr_child leaves[] = { CHILD(1), CHILD(2) };
static const tr_supervisor branch = { TR_SUPERVISOR, .name = "branch", CHILDREN(leaves) };
static const tr_child boughs[] = { CHILD(0), { .name = "branch", .supervisor = &branch }, CHILD(3) };
static const tr_supervisor tree = { TR_SUPERVISOR, .name = "tree", .strategy = TR_REST_FOR_ONE, CHILDREN(boughs) };

Test(supervisor, a_tree_starts_and_stops_in_order)
{
    tr_ref members[4];
    open_stage();
    tr_ref supervisor = supervise(&tree);
    expect_cast(members, 4);
    settle_supervisor(supervisor);
    end(supervisor, 0);
    for (int n = 4; n-- > 0;)
        expect_went(n, TR_ESHUTDOWN);
    expect_down(supervisor, 0);
    close_system();
}

Test(supervisor, a_supervisor_is_ready_when_all_its_children_are)
{
    plan[2].answer = TR_NOT_READY;
    open_stage();
    tr_ref supervisor = supervise(&tree);
    expect_came(0);
    expect_came(1);
    tr_ref last = expect_came(2).who;
    settle_supervisor(supervisor);
    perform(last, get_ready, NULL);
    expect_came(3);
    close_system();
}

/* What each does at the end of the system is written down here: the probe is gone by then. */
static unsigned goings;
static int order_of_going[MEMBERS];

static void leaver_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    if (reason == TR_ESHUTDOWN)
        order_of_going[ck_pr_faa_uint(&goings, 1)] = ((struct member *)state)->number;
}

static int leaver_start(tr_self *self, void *state, const void *arg)
{
    ((struct member *)state)->number = *(const int *)arg;
    return tr_send(self, tr_me(self), figure) ? TR_ENOMEM : 0;
}

static const tr_actor leaver = { TR_SPEC, .name = "leaver", .start = leaver_start, .receive = quiet_receive,
    .stop = leaver_stop, .state_size = sizeof(struct member), .arg_size = sizeof(int) };

#define LEAVER(n) \
    { \
        .actor = &leaver, .arg = &numbers[n] \
    }

Test(supervisor, the_end_of_the_system_stops_the_tree_in_order)
{
    static const tr_child inner[] = { LEAVER(1), LEAVER(2) };
    static const tr_supervisor middle = { TR_SUPERVISOR, .name = "middle", CHILDREN(inner) };
    static const tr_child outer[] = { LEAVER(0), { .supervisor = &middle }, LEAVER(3) };
    static const tr_supervisor top = { TR_SUPERVISOR, .name = "top", CHILDREN(outer) };
    for (unsigned round = 0; round < scaled(20, 1000); round++) {
        goings = 0;
        open_system_with((tr_options){ .supervisor = &top, .workers = 2 });
        while (stats_now().spawned < 7) { /* two supervisors more, and the probe: all have been started */
        }
        close_system();
        cr_assert_leq(goings, 4u);
        for (unsigned i = 1; i < goings; i++)
            cr_assert_gt(order_of_going[i - 1], order_of_going[i]);
    }
}

/* ---- strategies -------------------------------------------------------------------------------------------------- */

Test(supervisor, one_for_one_restarts_the_one_that_ended)
{
    tr_ref members[4];
    open_stage();
    tr_ref supervisor = supervise(&strategies[0]);
    expect_cast(members, 4);
    for (int i = 0; i < 4; i++) {
        CRASH_OF(members[i]);
        expect_went(i, TR_EPROTO);
        expect_back(i, members[i], 1);
        settle_supervisor(supervisor);
    }
    close_system();
}

Test(supervisor, one_for_all_restarts_all)
{
    tr_ref members[4];
    open_stage();
    tr_ref supervisor = supervise(&strategies[1]);
    expect_cast(members, 4);
    for (int i = 0; i < 4; i++) {
        CRASH_OF(members[i]);
        expect_went(i, TR_EPROTO);
        for (int n = 4; n-- > 0;)
            if (n != i)
                expect_went(n, TR_ESHUTDOWN);
        for (int n = 0; n < 4; n++)
            expect_back(n, members[n], (unsigned)i + 1);
        settle_supervisor(supervisor);
    }
    close_system();
}

Test(supervisor, rest_for_one_restarts_those_that_come_after_it)
{
    tr_ref members[4];
    unsigned times[4] = { 0 };
    open_stage();
    tr_ref supervisor = supervise(&strategies[2]);
    expect_cast(members, 4);
    for (int i = 4; i-- > 0;) {
        CRASH_OF(members[i]);
        expect_went(i, TR_EPROTO);
        for (int n = 4; --n > i;)
            expect_went(n, TR_ESHUTDOWN);
        for (int n = i; n < 4; n++)
            expect_back(n, members[n], ++times[n]);
        settle_supervisor(supervisor);
    }
    close_system();
}

/* Member 1 crashes, and while the others are being stopped for that so does member 0: all the same they come once. */
Test(supervisor, one_that_crashes_while_all_are_stopped_comes_back_once)
{
    tr_ref members[4];
    struct gate gate;
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&strategies[1]);
    expect_cast(members, 4);
    plan[3].at_stop = &gate;
    CRASH_OF(members[1]);
    expect_went(1, TR_EPROTO);
    gate_await(&gate);
    CRASH_OF(members[0]);
    expect_went(0, TR_EPROTO);
    plan[3].at_stop = NULL;
    gate_open(&gate);
    expect_went(3, TR_ESHUTDOWN);
    expect_went(2, TR_ESHUTDOWN);
    for (int n = 0; n < 4; n++)
        expect_back(n, members[n], 1);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor, a_supervisor_that_is_told_to_end_amid_a_restart_ends)
{
    tr_ref members[4];
    struct gate gate;
    gate_init(&gate);
    open_stage();
    tr_ref supervisor = supervise(&strategies[1]);
    expect_cast(members, 4);
    plan[3].at_stop = &gate;
    CRASH_OF(members[1]);
    expect_went(1, TR_EPROTO);
    gate_await(&gate);
    end(supervisor, TR_EACCES);
    gate_open(&gate);
    expect_went(3, TR_ESHUTDOWN);
    expect_went(2, TR_ESHUTDOWN);
    expect_went(0, TR_ESHUTDOWN);
    expect_down(supervisor, TR_EACCES);
    for (int n = 0; n < 4; n++)
        await_end(members[n]);
    close_system();
}

/* ---- who is started again ---------------------------------------------------------------------------------------- */

static int end_by(tr_ref member, int way)
{
    switch (way) {
    case 0: perform(member, end_well, NULL); return 0;
    case 1: CRASH_OF(member); return TR_EPROTO;
    case 2: tr_probe_do(probe, kill_it, &member); return TR_EKILLED;
    case 3: end(member, 0); return 0;
    default: end(member, TR_EACCES); return TR_EACCES;
    }
}

Test(supervisor, permanent_transient_and_temporary_children)
{
    static const tr_actor specs[] = { { MEMBER, .restart = TR_PERMANENT }, { MEMBER, .restart = TR_TRANSIENT },
        { MEMBER, .restart = TR_TEMPORARY }, { MEMBER } };
    static const struct {
        int spec;
        enum tr_restart entry;
        bool after_0, after_error;
    } cases[] = {
        { 3, TR_RESTART_DEFAULT, true, true },
        { 0, TR_RESTART_DEFAULT, true, true },
        { 1, TR_RESTART_DEFAULT, false, true },
        { 2, TR_RESTART_DEFAULT, false, false },
        { 2, TR_PERMANENT, true, true },
        { 2, TR_TRANSIENT, false, true },
        { 0, TR_TEMPORARY, false, false },
    };
    open_stage();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int way = 0; way < 5; way++) {
            tr_child children[] = { CHILD(0), CHILD(1) };
            children[0].actor = &specs[cases[i].spec];
            children[0].restart = cases[i].entry;
            tr_supervisor table = { TR_SUPERVISOR, .name = "classes", .strategy = (enum tr_strategy)(i % 2 * 2),
                CHILDREN(children) };
            tr_ref supervisor = supervise(&table), member = expect_came(0).who;
            expect_came(1);
            int reason = end_by(member, way);
            expect_went(0, reason);
            bool again = reason ? cases[i].after_error : cases[i].after_0;
            if (again && table.strategy == TR_REST_FOR_ONE)
                expect_went(1, TR_ESHUTDOWN);
            if (again)
                expect_back(0, member, 1);
            if (again && table.strategy == TR_REST_FOR_ONE)
                expect_came(1);
            settle_supervisor(supervisor);
            cr_assert_eq(tr_alive(member), again, "case %u, way %d", i, way);
            end(supervisor, 0);
            expect_went(1, TR_ESHUTDOWN);
            if (again)
                expect_went(0, TR_ESHUTDOWN);
            expect_down(supervisor, 0);
        }
    close_system();
}

/* It is stopped with the others and not started again: "never". */
Test(supervisor, a_temporary_child_does_not_come_back_with_the_others)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .restart = TR_TEMPORARY), CHILD(2, .restart = TR_TRANSIENT) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .strategy = TR_ONE_FOR_ALL, CHILDREN(children) };
    tr_ref members[3];
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_cast(members, 3);
    CRASH_OF(members[0]);
    expect_went(0, TR_EPROTO);
    expect_went(2, TR_ESHUTDOWN);
    expect_went(1, TR_ESHUTDOWN);
    expect_back(0, members[0], 1);
    expect_back(2, members[2], 1);
    settle_supervisor(supervisor);
    cr_assert_not(tr_alive(members[1]));
    close_system();
}

/* ---- a start that fails ------------------------------------------------------------------------------------------ */

Test(supervisor, a_child_whose_start_fails_is_tried_again_before_the_next_one_comes)
{
    tr_ref members[4];
    open_stage();
    for (unsigned i = 0; i < 3; i++) {
        plan[1].failures = 2;
        plan[1].failure = i ? TR_EACCES : TR_STOP; /* permanent, so it is wanted in either case */
        tr_ref supervisor = supervise(&strategies[i]);
        expect_came(0);
        for (int n = 0; n < 2; n++) {
            members[1] = expect_came(1).who;
            expect_went(1, i ? TR_EACCES : 0);
            if (strategies[i].strategy == TR_ONE_FOR_ALL) {
                expect_went(0, TR_ESHUTDOWN);
                expect_came(0);
            }
        }
        expect_back(1, members[1], 2);
        expect_came(2);
        expect_came(3);
        settle_supervisor(supervisor);
        end(supervisor, 0);
        for (int n = 4; n-- > 0;)
            expect_went(n, TR_ESHUTDOWN);
        expect_down(supervisor, 0);
    }
    close_system();
}

Test(supervisor, a_child_whose_start_fails_at_a_restart_is_tried_again)
{
    tr_ref members[4];
    open_stage();
    tr_ref supervisor = supervise(&strategies[0]);
    expect_cast(members, 4);
    plan[1].failures = 2;
    plan[1].failure = TR_EACCES;
    CRASH_OF(members[1]);
    expect_went(1, TR_EPROTO);
    for (unsigned n = 1; n <= 2; n++) {
        expect_back(1, members[1], n);
        expect_went(1, TR_EACCES);
    }
    expect_back(1, members[1], 3);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor, a_transient_child_that_ends_in_its_start_is_done_and_the_next_one_comes)
{
    static const tr_child children[] = { CHILD(0, .restart = TR_TRANSIENT), CHILD(1) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    plan[0].answer = TR_STOP;
    open_stage();
    tr_ref supervisor = supervise(&table);
    expect_came(0);
    expect_went(0, 0);
    expect_came(1);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor, a_child_that_is_not_ready_in_time_is_killed_never_early_and_tried_again)
{
    static const tr_actor slow = { MEMBER, .start_ns = TR_MS(10) };
    static const tr_child children[] = { { .actor = &slow, .arg = &numbers[0] }, CHILD(1, .start_ns = TR_MS(20)) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", CHILDREN(children) };
    open_stage();
    plan[0].failures = plan[1].failures = 1;
    plan[0].failure = plan[1].failure = TR_NOT_READY;
    tr_ref supervisor = supervise(&table);
    for (int i = 0; i < 2; i++) {
        came first = expect_came(i);
        went killed = expect_went(i, TR_EKILLED);
        cr_assert_geq(killed.at - first.at, 0);
        expect_back(i, first.who, 1);
    }
    settle_supervisor(supervisor);
    close_system();
}

/* Somebody has the name; when he has gone, the child comes. */
static int take_name(tr_self *self, void *arg)
{
    return tr_register(self, arg);
}

Test(supervisor, a_child_whose_name_is_taken_comes_when_the_name_is_free)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .name = "wanted", .intensity = 1000, .period_ns = 1), CHILD(2) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .backoff_ns = TR_MS(1), .backoff_max_ns = TR_MS(2),
        CHILDREN(children) };
    open_stage();
    tr_ref holder = make_puppet(0);
    cr_assert_eq(perform(holder, take_name, (void *)(uintptr_t) "wanted"), 0);
    tr_ref supervisor = supervise(&table);
    expect_came(0);
    settle_supervisor(supervisor);
    perform(holder, end_well, NULL);
    expect_came(1);
    expect_came(2);
    settle_supervisor(supervisor);
    close_system();
}

Test(supervisor, a_child_whose_name_stays_taken_uses_up_its_intensity)
{
    static const tr_child children[] = { CHILD(0), CHILD(1, .name = "wanted", .intensity = 3) };
    static const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .backoff_ns = TR_MS(1), CHILDREN(children) };
    open_stage();
    cr_assert_eq(perform(make_puppet(0), take_name, (void *)(uintptr_t) "wanted"), 0);
    tr_ref supervisor = supervise(&table);
    expect_came(0);
    expect_went(0, TR_ESHUTDOWN);
    expect_down(supervisor, TR_EINTENSITY);
    close_system();
}

/* ---- programmer errors ------------------------------------------------------------------------------------------- */

static const tr_supervisor *wrong;

static void supervise_wrong(void)
{
    open_system(1);
    tr_probe_do(probe, do_supervise, &(struct supervising){ wrong, TR_NOBODY });
    settle(make_puppet(0));
    close_system();
}

Test(supervisor, tables_that_make_no_sense_end_the_process)
{
    static const tr_child neither[] = { { .name = "nothing" } };
    static const tr_child both[] = { { .name = "both", .actor = &member_actor, .supervisor = &branch } };
    static const struct {
        tr_supervisor table;
        const char *text;
    } cases[] = {
        { { .name = "unstamped" }, "unstamped has no TR_SUPERVISOR" },
        { { TR_SUPERVISOR, .name = "a", CHILDREN(neither) }, "child nothing needs either an actor or a supervisor" },
        { { TR_SUPERVISOR, .name = "a", CHILDREN(both) }, "child both needs either an actor or a supervisor" },
        { { TR_SUPERVISOR, .name = "a", .strategy = TR_DYNAMIC, CHILDREN(leaves) }, "a is dynamic and has a table" },
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wrong = &cases[i].table;
        expect_panic(supervise_wrong, cases[i].text);
    }
}
