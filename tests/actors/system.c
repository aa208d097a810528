/* Systems: opened, stopped, closed, several of them, and what is left of none. */
#include "tests/actors/puppet.h"

#include "actors/system.h"

#include <sched.h>

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

/* ---- the root ---------------------------------------------------------------------------------------------------- */

static int start_with(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    return *(const int *)arg;
}

static const tr_actor root_actor = { TR_SPEC, .name = "root", .start = start_with, .receive = quiet_receive,
    .arg_size = sizeof(int) };

Test(system, run_answers_the_reason_with_which_the_root_ended)
{
    static const int cases[][2] = { { TR_STOP, 0 }, { TR_EPROTO, TR_EPROTO }, { -999, -999 } };
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(tr_run(&(tr_options){ .actor = &root_actor, .arg = &cases[i][0], .workers = 2 }), cases[i][1]);
        expect_nothing_left();
    }
}

static int shut_down(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_shutdown(self);
    tr_shutdown(self);
    return TR_CONTINUE;
}

static const tr_actor shutting_root = { TR_SPEC, .name = "root", .start = shut_down, .receive = quiet_receive };

Test(system, shutdown_from_a_handler_ends_the_system)
{
    cr_assert_eq(tr_run(&(tr_options){ .actor = &shutting_root, .workers = 2 }), 0);
    expect_nothing_left();
}

static const tr_supervisor empty_supervisor = { TR_SUPERVISOR, .name = "empty" };

Test(system, the_root_may_be_a_supervisor)
{
    open_system_with((tr_options){ .supervisor = &empty_supervisor, .workers = 2 });
    cr_assert_eq(settle(make_puppet(0)), 0);
    close_system();
}

Test(system, options_that_make_no_sense_are_refused_and_logged)
{
    const tr_options options[] = {
        { .workers = 1 },
        { .actor = &quiet_root, .supervisor = &empty_supervisor },
        { .actor = &quiet_root, .workers = 1001 },
        { .actor = &quiet_root, .port = "carrier pigeon" },
    };
    tr_system system = { 0 };
    capture_log(TR_LOG_ERROR);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(tr_run(&options[i]), TR_EINVAL);
        cr_assert_eq(tr_open(&system, &options[i]), TR_EINVAL);
        cr_assert_eq(tr_close(&system), TR_ECLOSED);
    }
    cr_assert_eq(logged("needs a root"), 4);
    cr_assert_eq(logged("1001 workers; the most is 1000"), 2);
    cr_assert_eq(logged("there is no port \"carrier pigeon\""), 2);
    expect_nothing_left();
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

Test(system, a_system_that_was_stopped_before_it_ran_starts_stops_and_ends_and_can_run_again)
{
    tr_system system = { 0 };
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < i; n++)
            tr_stop(&system);
        if (i)
            cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .workers = 2, .system = &system }), 0);
        expect_nothing_left();
    }
    cr_assert_eq(system.number_, 0u);
    cr_assert_eq(system.stop_, 0u);
}

struct stopper {
    tr_system *system;
    unsigned int go, done;
};

static void *stop_many_times(void *arg)
{
    struct stopper *stopper = arg;
    while (!ck_pr_load_uint(&stopper->done))
        if (ck_pr_load_uint(&stopper->go))
            tr_stop(stopper->system);
    return NULL;
}

Test(system, any_thread_may_stop_a_system_any_number_of_times)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    tr_system system = { 0 };
    struct stopper stopper = { &system, 1, 0 };
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, stop_many_times, &stopper);
    for (unsigned i = 0; i < scaled(20, 1000); i++)
        cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .workers = 1, .system = &system }), 0);
    ck_pr_store_uint(&stopper.done, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect_nothing_left();
}

static int stop_it(void *arg)
{
    tr_stop(arg);
    return 0;
}

static int block_and_stop(tr_self *self, void *arg)
{
    tr_block(self, stop_it, arg);
    return TR_CONTINUE;
}

Test(system, a_blocking_job_may_stop_its_system)
{
    open_system(1);
    perform(make_puppet(0), block_and_stop, &test_system);
    expect(tr_blocked);
    close_system();
}

Test(system, a_system_can_be_opened_and_closed_again_and_again)
{
    for (unsigned i = 0; i < scaled(50, 2000); i++) {
        open_system(1 + i % 4);
        cr_assert_eq(settle(make_puppet(0)), 0);
        close_system();
    }
    cr_assert_eq(tr_close(&test_system), TR_ECLOSED);
    tr_stop(&test_system); /* of none: it is remembered for the next */
    cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .workers = 1, .system = &test_system }), 0);
}

static int run_another(tr_self *self, void *arg)
{
    (void)self;
    (void)arg;
    return tr_run(&(tr_options){ .actor = &quiet_root });
}

static void run_from_a_handler(void)
{
    open_system(1);
    perform(make_puppet(0), run_another, NULL);
}

Test(system, running_a_system_from_a_handler_ends_the_process)
{
    expect_panic(run_from_a_handler, "tr_run: from a handler", "in actor puppet <", "handling act");
}

static int close_it(void *arg)
{
    (void)arg;
    return tr_close(&test_system);
}

static int close_here(tr_self *self, void *arg)
{
    (void)self;
    return close_it(arg);
}

static int close_in_a_job(tr_self *self, void *arg)
{
    tr_block(self, close_it, arg);
    return TR_CONTINUE;
}

static void close_from_a_handler(void)
{
    open_system(1);
    perform(make_puppet(0), close_here, NULL);
}

static void close_from_a_job(void)
{
    open_system(1);
    tr_ref puppet = make_puppet(0);
    perform(puppet, close_in_a_job, NULL);
    for (;;)
        settle(puppet);
}

/* It would wait for itself. */
Test(system, closing_a_system_from_a_handler_or_a_job_of_its_own_ends_the_process)
{
    expect_panic(close_from_a_handler, "tr_close: from a handler", "in actor puppet <", "handling act");
    expect_panic(close_from_a_job, "tr_close: from a job of the system itself, of actor puppet <");
}

/* ---- several ----------------------------------------------------------------------------------------------------- */

/* A second system beside the one of the support, with a probe of its own. */
static tr_system other_system;
static tr_probe *other_probe;

static void open_both(void)
{
    open_system(2);
    cr_assert_eq(tr_open(&other_system, &(tr_options){ .actor = &quiet_root, .workers = 2, .seed = 1 }), 0);
    other_probe = tr_probe_open(&other_system);
    cr_assert_not_null(other_probe);
}

static void close_both(void)
{
    tr_probe_close(other_probe);
    cr_assert_eq(tr_close(&other_system), 0);
    close_system();
}

static int echo_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_body(number, m)->n < 0)
        return tr_body(number, m)->n;
    if (tr_reply(self, number, .n = tr_body(number, m)->n + 1) == TR_EINVAL)
        tr_send(self, m->from, number, .n = tr_body(number, m)->n + 1);
    return TR_CONTINUE;
}

static const tr_actor echo_actor = { TR_SPEC, .name = "echo", .receive = echo_receive };

static int spawn_echo(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_spawn(self, &echo_actor, NULL, .name = "echo");
    return TR_CONTINUE;
}

static int whereis_echo(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_whereis(self, "echo");
    return TR_CONTINUE;
}

Test(system, names_are_those_of_one_system)
{
    tr_ref here, there;
    open_both();
    tr_probe_do(other_probe, spawn_echo, &there);
    tr_probe_do(probe, whereis_echo, &here);
    cr_assert(tr_ref_is_nobody(here));
    tr_probe_do(probe, spawn_echo, &here);
    cr_assert_not(tr_ref_is_nobody(here));
    cr_assert_not(tr_ref_eq(here, there));
    tr_probe_do(other_probe, whereis_echo, &here);
    cr_assert(tr_ref_eq(here, there));
    close_both();
}

struct asking {
    tr_ref to;
    int n;
    int64_t timeout;
    tr_call call;
};

static int ask(tr_self *self, void *arg)
{
    struct asking *asking = arg;
    asking->call = tr_ask(self, asking->to, asking->timeout, number, .n = asking->n);
    return TR_CONTINUE;
}

Test(system, actors_of_one_system_send_ask_and_watch_those_of_another)
{
    tr_ref echo;
    open_both();
    tr_probe_do(other_probe, spawn_echo, &echo);
    tr_ref puppet = probe_spawn(&trapping_puppet, &(struct puppet){ tr_probe_ref(probe), 0 });
    for (int i = 0; i < 200; i++) {
        struct asking asking = { echo, i, SOON, { 0 } };
        perform(puppet, ask, &asking);
        const tr_msg *m = expect(number);
        cr_assert_eq(m->call, asking.call.bits);
        cr_assert_eq(tr_body(number, m)->n, i + 1);
        cr_assert_eq(tr_probe_send(probe, echo, number, .n = i), 0);
        cr_assert_eq(tr_body(number, expect(number))->n, i + 1);
    }
    perform(puppet, monitor_it, &echo);
    perform(puppet, link_it, &echo);
    struct asking last = { echo, TR_EPROTO, SOON, { 0 } };
    perform(puppet, ask, &last);
    bool down = false, exited = false, failed = false;
    for (int i = 0; i < 3; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(tr_down, m))
            down = tr_body(tr_down, m)->reason == TR_EPROTO;
        else if (tr_is(tr_exited, m))
            exited = tr_body(tr_exited, m)->reason == TR_EPROTO;
        else
            failed = tr_body(tr_failed, m)->reason == TR_ECRASHED;
    }
    cr_assert(down && exited && failed);
    close_both();
}

Test(system, the_end_of_a_system_is_told_to_those_who_watch_or_ask_from_another)
{
    tr_ref echo, stale;
    struct gate gate;
    gate_init(&gate);
    open_both();
    tr_probe_do(other_probe, spawn_echo, &echo);
    tr_ref puppet = probe_spawn(&trapping_puppet, &(struct puppet){ tr_probe_ref(probe), 0 });
    perform(puppet, monitor_it, &echo);
    perform(puppet, link_it, &echo);
    tr_probe_send(probe, echo, number, .n = 1);
    expect(number); /* so monitor and link are set */
    stale = tr_probe_ref(other_probe);
    perform(puppet, ask, &(struct asking){ stale, 1, TR_FOREVER, { 0 } }); /* a probe that does not answer */
    tr_probe_close(other_probe);
    cr_assert_eq(tr_close(&other_system), 0);
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(tr_down, m))
            cr_assert_eq(tr_body(tr_down, m)->reason, TR_EKILLED);
        else if (tr_is(tr_exited, m))
            cr_assert_eq(tr_body(tr_exited, m)->reason, TR_EKILLED);
        else
            cr_assert_eq(tr_body(tr_failed, m)->reason, TR_EUNANSWERED);
        seen += tr_is(tr_down, m) + 10 * tr_is(tr_exited, m) + 100 * tr_is(tr_failed, m);
    }
    cr_assert_eq(seen, 111);
    /* now it is gone */
    cr_assert_eq(tr_probe_send(probe, echo, number, .n = 1), TR_EDOWN);
    perform(puppet, ask, &(struct asking){ echo, 1, TR_FOREVER, { 0 } });
    cr_assert_eq(tr_body(tr_failed, expect(tr_failed))->reason, TR_EDOWN);
    perform(puppet, monitor_it, &echo);
    cr_assert_eq(tr_body(tr_down, expect(tr_down))->reason, TR_ENOENT);
    perform(puppet, link_it, &echo);
    cr_assert_eq(tr_body(tr_exited, expect(tr_exited))->reason, TR_ENOENT);
    perform(puppet, kill_it, &echo);
    close_system();
}

/* A system that comes and goes while another keeps asking it. */
Test(system, systems_may_be_closed_while_others_send_to_them)
{
    open_system(2);
    for (unsigned i = 0; i < scaled(30, 1000); i++) {
        tr_ref echo;
        cr_assert_eq(tr_open(&other_system, &(tr_options){ .actor = &quiet_root, .workers = 2, .seed = 1 }), 0);
        other_probe = tr_probe_open(&other_system);
        tr_probe_do(other_probe, spawn_echo, &echo);
        tr_probe_close(other_probe);
        tr_ref puppet = make_puppet(0);
        struct asking asking = { echo, 1, SOON, { 0 } };
        for (int n = 0; n < 50; n++)
            direct(puppet, ask, &asking);
        direct(puppet, monitor_it, &echo);
        cr_assert_eq(tr_close(&other_system), 0);
        for (int n = 0; n < 51; n++) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m, "an answer is missing");
            cr_assert(tr_is(number, m) || tr_is(tr_failed, m) || tr_is(tr_down, m));
        }
        perform(puppet, end_well, NULL);
    }
    expect_nothing(0);
    close_system();
}

struct lives {
    unsigned count;
    tr_ref refs[9000];
    bool slots[1 << 16];
};

static int live_and_die(tr_self *self, void *arg)
{
    struct lives *lives = arg;
    for (unsigned i = 0; i < lives->count; i++) {
        lives->refs[i] = tr_spawn(self, &echo_actor, NULL);
        cr_assert_not(tr_ref_is_nobody(lives->refs[i]));
        lives->slots[tri_ref_slot(lives->refs[i])] = true;
    }
    for (unsigned i = 0; i < lives->count; i++)
        tr_exit(self, lives->refs[i], 0);
    return TR_CONTINUE;
}

static unsigned common(const struct lives *a, const struct lives *b)
{
    unsigned slots = 0;
    for (unsigned i = 0; i < 1 << 16; i++)
        slots += a->slots[i] && b->slots[i];
    return slots;
}

/* Who has found an actor of its system sends to it without looking whose the slot is by then. */
Test(system, a_slot_stays_with_its_system_for_as_long_as_that_lives)
{
    static struct lives here = { .count = 3000 }, there = { .count = 9000 }, after = { .count = 9000 };
    open_both();
    uint64_t before = stats_now().ended;
    tr_probe_do(probe, live_and_die, &here);
    while (stats_now().ended < before + here.count)
        sched_yield();
    tr_probe_do(other_probe, live_and_die, &there);
    cr_assert_eq(common(&here, &there), 0u);
    tr_probe_close(other_probe);
    cr_assert_eq(tr_close(&other_system), 0);
    for (unsigned i = 0; i < 1 << 16; i++)
        cr_assert(!there.slots[i] || tri_slot_at(i)->run.system == TRI_NO_SYSTEM);
    tr_probe_do(probe, live_and_die, &after);
    cr_assert_gt(common(&there, &after), 0u);
    close_system();
}

Test(system, there_are_at_most_32_systems)
{
    tr_system systems[TRI_SYSTEMS_MAX] = { { 0 } }, another = { 0 };
    const tr_options options = { .actor = &quiet_root, .workers = 1, .seed = 1 };
    tr_log_level(TR_LOG_ERROR);
    for (int i = 0; i < TRI_SYSTEMS_MAX; i++)
        cr_assert_eq(tr_open(&systems[i], &options), 0);
    capture_log(TR_LOG_ERROR);
    cr_assert_eq(tr_open(&another, &options), TR_ELIMIT);
    cr_assert_eq(logged("32 systems exist already"), 1);
    cr_assert_eq(tr_close(&systems[5]), 0);
    cr_assert_eq(tr_open(&another, &options), 0);
    cr_assert_eq(tr_close(&another), 0);
    for (int i = 0; i < TRI_SYSTEMS_MAX; i++)
        cr_assert_eq(tr_close(&systems[i]), i == 5 ? TR_ECLOSED : 0);
    expect_nothing_left();
}

/* ---- shutdown ---------------------------------------------------------------------------------------------------- */

static unsigned starts, stops;

static int counted_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    ck_pr_inc_uint(&starts);
    tr_after(self, TR_HOURS(1), 0);
    tr_every(self, TR_MS(100), 0);
    return TR_CONTINUE;
}

static int counted_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(number, m))
        tr_ask(self, m->from, TR_HOURS(1), number);
    return TR_CONTINUE;
}

static void counted_stop(tr_self *self, void *state, int reason)
{
    (void)state;
    (void)reason;
    tr_send(self, tr_parent(self), number);
    ck_pr_inc_uint(&stops);
}

static const tr_actor counted_actor = { TR_SPEC, .name = "counted", .start = counted_start, .receive = counted_receive,
    .stop = counted_stop };

enum { CROWD = 10000 };

static int spawn_crowd(tr_self *self, void *arg)
{
    tr_ref last = TR_NOBODY;
    (void)arg;
    for (int i = 0; i < CROWD; i++) {
        tr_ref next = tr_spawn(self, &counted_actor, NULL, .monitor = i % 3 == 0);
        cr_assert_not(tr_ref_is_nobody(next));
        tr_send(self, next, number);
        if (i % 5 == 0)
            tr_link(self, next);
        last = next;
    }
    tr_send(self, last, number);
    return TR_CONTINUE;
}

Test(system, ten_thousand_actors_that_are_busy_end_with_their_system)
{
    open_system(2);
    perform(make_puppet(0), spawn_crowd, NULL);
    close_system();
    cr_assert_eq(starts, stops);
    cr_assert_gt(starts, 0u);
}

/* Actors that do all they can to go on for ever, and others that live for a moment. */
static int brief_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    return TR_STOP;
}

static const tr_actor brief_actor = { TR_SPEC, .name = "brief", .start = brief_start, .receive = quiet_receive };

static int stubborn_receive(tr_self *self, void *state, const tr_msg *m)
{
    int error;
    (void)state;
    if (!tr_is(number, m))
        return TR_CONTINUE;
    tr_spawn(self, &brief_actor, NULL, .error = &error, .monitor = true);
    return tr_send(self, tr_me(self), number);
}

static int stubborn_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_send(self, tr_me(self), number);
}

static void stubborn_stop(tr_self *self, void *state, int reason)
{
    (void)state;
    (void)reason;
    tr_send(self, tr_me(self), number);
    tr_ask(self, tr_me(self), SOON, number);
    tr_after(self, 0, 0);
    tr_monitor_set(self, tr_parent(self));
    tr_link(self, tr_parent(self));
}

static const tr_actor stubborn_actor = { TR_SPEC, .name = "stubborn", .start = stubborn_start, .receive = stubborn_receive,
    .stop = stubborn_stop };

Test(system, actors_that_go_on_spawning_and_sending_are_ended)
{
    open_system(2);
    for (int i = 0; i < 10; i++)
        probe_spawn(&stubborn_actor, NULL);
    tr_stats stats;
    do
        stats = stats_now();
    while (stats.spawned < 1000);
    close_system();
}

Test(system, a_handler_that_does_not_return_is_named_at_shutdown)
{
    static struct gate gate; /* it stands there when the test has ended */
    gate_init(&gate);
    capture_log(TR_LOG_ERROR);
    open_system_with((tr_options){ .workers = 2, .shutdown_ns = TR_MS(20) });
    tr_ref stuck = make_puppet(0);
    direct(stuck, stand_at, &gate);
    gate_await(&gate);
    tr_probe_close(probe);
    cr_assert_eq(tr_close(&test_system), TR_ETIMEDOUT);
    cr_assert_eq(logged("1 actors have not ended"), 1, "%s", captured.text);
    cr_assert_eq(logged("is still held by actor puppet <0."), 1, "%s", captured.text);
    cr_assert_eq(logged(", handling act"), 1, "%s", captured.text);
    cr_assert_eq(test_system.number_, 0u);
}

static int stuck_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    gate_pass(*(struct gate *const *)arg);
    return TR_CONTINUE;
}

static const tr_actor stuck_root = { TR_SPEC, .name = "stuck root", .start = stuck_start, .receive = quiet_receive,
    .arg_size = sizeof(void *) };

Test(system, a_root_that_does_not_return_is_named_at_shutdown)
{
    static struct gate gate, *arg = &gate;
    gate_init(&gate);
    capture_log(TR_LOG_ERROR);
    cr_assert_eq(
        tr_open(&test_system, &(tr_options){ .actor = &stuck_root, .arg = &arg, .workers = 1, .shutdown_ns = TR_MS(20) }), 0);
    gate_await(&gate);
    cr_assert_eq(tr_close(&test_system), TR_ETIMEDOUT);
    cr_assert_eq(logged("the root actor has not ended in time"), 1, "%s", captured.text);
    cr_assert_eq(logged("is still held by actor stuck root <0."), 1, "%s", captured.text);
    cr_assert_eq(logged("its start or stop"), 1, "%s", captured.text);
}

/* It returns after the time, but before everything is given up: the result says that it was late. */
static struct gate late_gate;

static void return_when_it_is_late(void *arg, const tr_log_record *record)
{
    capture(arg, record);
    if (strstr(record->text, "the root actor has not ended in time"))
        gate_open(&late_gate);
}

Test(system, a_root_that_ends_late_is_killed_and_the_system_ends)
{
    static struct gate *arg = &late_gate;
    gate_init(&late_gate);
    tr_log_level(TR_LOG_ERROR);
    tr_log_to(return_when_it_is_late, NULL);
    cr_assert_eq(
        tr_open(&test_system, &(tr_options){ .actor = &stuck_root, .arg = &arg, .workers = 1, .shutdown_ns = TR_MS(10) }), 0);
    gate_await(&late_gate);
    cr_assert_eq(tr_close(&test_system), TR_ETIMEDOUT);
    cr_assert_eq(logged("the root actor has not ended in time"), 1);
    expect_nothing_left();
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

TR_MESSAGE(heavy, char bytes[480];);
TR_DEFINE(heavy);

enum { HEAVY = 20000 };

static int count_heavy(tr_self *self, void *state, const tr_msg *m)
{
    unsigned *count = state;
    (void)self;
    *count += tr_is(heavy, m);
    return *count == HEAVY ? TR_STOP : TR_CONTINUE;
}

static const tr_actor heavy_actor = { TR_SPEC, .name = "heavy", .receive = count_heavy, .state_size = sizeof(unsigned),
    .mailbox = 2 * HEAVY };

static int send_heavy(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    for (int i = 0; i < HEAVY; i++)
        cr_assert_eq(tr_send(self, to, heavy), 0);
    return TR_CONTINUE;
}

static void make_a_burst(void)
{
    tr_ref to = probe_spawn(&heavy_actor, NULL, .monitor = true);
    tr_probe_do(probe, send_heavy, &to);
    cr_assert_eq(tr_body(tr_down, expect(tr_down))->reason, 0);
}

static unsigned int trimmed_enough;

static void *trim_on(void *nothing)
{
    while (!ck_pr_load_uint(&trimmed_enough))
        tr_trim();
    return nothing;
}

/* A system is known before it has workers. */
Test(system, memory_can_be_trimmed_while_systems_are_opened_and_closed)
{
    pthread_t trimmer;
    cr_assert_eq(pthread_create(&trimmer, NULL, trim_on, NULL), 0);
    for (unsigned i = 0; i < scaled(200, 2000); i++) {
        open_system(2);
        close_system();
    }
    ck_pr_store_uint(&trimmed_enough, 1);
    pthread_join(trimmer, NULL);
}

Test(system, memory_of_a_burst_goes_back_when_asked_for_and_when_the_system_has_ended)
{
    if (TRI_ASAN)
        cr_skip_test("under AddressSanitizer there are no pools");
    enum { BYTES = HEAVY * 528 };
    open_system(1);                   /* so that all wait at once */
    size_t before = tri_pools_size(); /* what its port has */
    make_a_burst();
    cr_assert_gt(tri_pools_size(), before + BYTES / 2);
    int64_t until = tri_clock_now(&tri_clock_real) + SOON;
    while (tri_pools_size() > before + BYTES / 8) {
        cr_assert_lt(tri_clock_now(&tri_clock_real), until, "%zu", tri_pools_size());
        tr_trim();
        sleep_for(TR_MS(1));
    }
    make_a_burst();
    cr_assert_gt(tri_pools_size(), before + BYTES / 2);
    close_system();
    cr_assert_lt(tri_pools_size(), before + BYTES / 4);
}
