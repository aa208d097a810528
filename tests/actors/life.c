/* The life of an actor: start, stop, exit, kill, and what an actor knows of itself. */
#include "tests/actors/puppet.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

/* ---- ends -------------------------------------------------------------------------------------------------------- */

/* Reports its stop to the probe; its start and its handler answer as they are told. */
struct ender {
    tr_ref master;
    int start, receive;
};

static int ender_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct ender *)state = *(const struct ender *)arg;
    return ((struct ender *)state)->start;
}

static int ender_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)m;
    return ((struct ender *)state)->receive;
}

static void ender_stop(tr_self *self, void *state, int reason)
{
    tr_send(self, ((struct ender *)state)->master, stopped, .who = tr_me(self), .reason = reason);
}

static const tr_actor ender_actor = {
    TR_SPEC,
    .name = "ender",
    .start = ender_start,
    .receive = ender_receive,
    .stop = ender_stop,
    .state_size = sizeof(struct ender),
    .arg_size = sizeof(struct ender),
};

static const struct {
    int answer, reason;
} ends[] = {
    { TR_STOP, 0 },
    { TR_EPROTO, TR_EPROTO },
    { TR_ECANCELED, TR_ECANCELED },
    { TR_ENOMEM, TR_ENOMEM },
    { -999, -999 },
};

Test(life, what_a_handler_answers_is_the_reason)
{
    open_system(2);
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct ender arg = { tr_probe_ref(probe), TR_CONTINUE, ends[i].answer };
        tr_ref ender = probe_spawn(&ender_actor, &arg, .monitor = true);
        tr_probe_send(probe, ender, number);
        expect_stopped(ender, ends[i].reason); /* first: its last words come before the news of its end */
        expect_down(ender, ends[i].reason);
    }
    expect_nothing(0);
    cr_assert_eq(stats_now().crashed, 4);
    close_system();
}

Test(life, an_actor_may_end_in_its_start_and_is_stopped_once_then_too)
{
    open_system(2);
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct ender arg = { tr_probe_ref(probe), ends[i].answer, TR_CONTINUE };
        tr_ref ender = probe_spawn(&ender_actor, &arg, .monitor = true);
        tr_probe_send(probe, ender, number);
        expect_stopped(ender, ends[i].reason);
        expect_down(ender, ends[i].reason);
    }
    expect_nothing(0);
    close_system();
}

Test(life, without_a_supervisor_not_ready_is_as_good_as_ready)
{
    open_system(1);
    struct ender arg = { tr_probe_ref(probe), TR_NOT_READY, TR_STOP };
    tr_ref ender = probe_spawn(&ender_actor, &arg, .monitor = true);
    tr_probe_send(probe, ender, number);
    expect_stopped(ender, 0);
    expect_down(ender, 0);
    close_system();
}

static int be_ready(tr_self *self, void *arg)
{
    (void)arg;
    tr_ready(self);
    tr_ready(self);
    return TR_CONTINUE;
}

Test(life, ready_says_nothing_to_an_actor_without_a_supervisor)
{
    open_system(1);
    tr_ref puppet = make_puppet(0);
    cr_assert_eq(perform(puppet, be_ready, NULL), 0);
    cr_assert(tr_alive(puppet));
    close_system();
}

/* ---- stop -------------------------------------------------------------------------------------------------------- */

static unsigned stops;

static void counting_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    ck_pr_inc_uint(&stops);
}

static const tr_actor counted_actor = { TR_SPEC, .name = "counted", .receive = ender_receive, .stop = counting_stop,
    .state_size = sizeof(struct ender) };

static int end_it_in_every_way(tr_self *self, void *arg)
{
    tr_ref who = *(tr_ref *)arg;
    tr_exit(self, who, TR_EPROTO);
    tr_kill(self, who);
    tr_exit(self, who, 0);
    tr_kill(self, who);
    return TR_CONTINUE;
}

Test(life, stop_is_called_once_however_often_an_actor_is_ended)
{
    enum { N = 200 };
    open_system(2);
    for (int i = 0; i < N; i++) {
        tr_ref counted = probe_spawn(&counted_actor, NULL, .monitor = true);
        tr_probe_do(probe, end_it_in_every_way, &counted);
        expect(tr_down);
    }
    expect_nothing(0);
    for (int i = 0; i < N; i++) /* these are ended by the system */
        probe_spawn(&counted_actor, NULL);
    close_system();
    cr_assert_eq(stops, 2 * N);
}

struct last_words {
    tr_ref to;
    tr_msg *taken;
};

static unsigned dropped;

static void count_drop(void *body)
{
    (void)body;
    ck_pr_inc_uint(&dropped);
}
TR_MESSAGE(heirloom, int n;);
TR_DEFINE(heirloom, .drop = count_drop);

static int last_words_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct last_words *me = state;
    me->to = m->from;
    if (!tr_is(heirloom, m))
        return TR_STOP;
    me->taken = tr_take(self, m);
    return TR_CONTINUE;
}

static void last_words_stop(tr_self *self, void *state, int reason)
{
    struct last_words *me = state;
    (void)reason;
    cr_assert_eq(dropped, 0, "what it had taken was released before its stop");
    tr_send(self, me->to, number, .n = tr_body(heirloom, me->taken)->n);
    tr_send(self, tr_me(self), number); /* a dead letter by the time it would be handled */
}

static const tr_actor last_words_actor = { TR_SPEC, .name = "last words", .receive = last_words_receive,
    .stop = last_words_stop, .state_size = sizeof(struct last_words) };

Test(life, stop_may_send_and_what_was_taken_is_released_after_it)
{
    open_system(1);
    tr_ref actor = probe_spawn(&last_words_actor, NULL, .monitor = true);
    tr_probe_send(probe, actor, heirloom, .n = 17);
    tr_probe_send(probe, actor, number);
    cr_assert_eq(tr_body(number, expect(number))->n, 17);
    expect_down(actor, 0);
    close_system();
    cr_assert_eq(dropped, 1);
}

/* ---- exit -------------------------------------------------------------------------------------------------------- */

Test(life, exit_ends_an_actor_with_the_reason_given)
{
    open_system(2);
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        tr_ref puppet = make_puppet(TELL_STOP);
        tr_probe_do(probe, monitor_it, &puppet);
        tr_probe_do(probe, exit_it, &(struct exiting){ puppet, ends[i].reason });
        expect_stopped(puppet, ends[i].reason);
        expect_down(puppet, ends[i].reason);
    }
    close_system();
}

static int spawn_and_exit(tr_self *self, void *arg)
{
    tr_ref *who = arg;
    *who = tr_spawn(self, &puppet_actor, (&(struct puppet){ tr_me(self), TELL_START | TELL_STOP }), .monitor = true);
    tr_exit(self, *who, TR_EPROTO);
    return TR_CONTINUE;
}

static int spawn_and_kill(tr_self *self, void *arg)
{
    tr_ref *who = arg;
    *who = tr_spawn(self, &puppet_actor, (&(struct puppet){ tr_me(self), TELL_START | TELL_STOP }), .monitor = true);
    tr_kill(self, *who);
    return TR_CONTINUE;
}

Test(life, an_actor_that_is_ended_before_its_first_turn_starts_first)
{
    tr_ref who;
    open_system(1);
    tr_probe_do(probe, spawn_and_exit, &who);
    cr_assert(tr_ref_eq(tr_body(started, expect(started))->who, who));
    expect_stopped(who, TR_EPROTO);
    expect_down(who, TR_EPROTO);
    tr_probe_do(probe, spawn_and_kill, &who);
    expect(started);
    expect_stopped(who, TR_EKILLED);
    expect_down(who, TR_EKILLED);
    close_system();
}

static int exit_myself(tr_self *self, void *arg)
{
    tr_exit(self, tr_me(self), *(int *)arg);
    return TR_CONTINUE;
}

static int kill_myself(tr_self *self, void *arg)
{
    (void)arg;
    tr_kill(self, tr_me(self));
    return TR_CONTINUE;
}

Test(life, an_actor_may_exit_and_kill_itself)
{
    open_system(1);
    for (int i = 0; i < 2; i++) {
        tr_ref puppet = make_puppet(TELL_STOP);
        perform(puppet, i ? kill_myself : exit_myself, &(int){ TR_EFAULT });
        expect_stopped(puppet, i ? TR_EKILLED : TR_EFAULT);
    }
    close_system();
}

Test(life, exit_and_kill_leave_alone_what_is_down)
{
    tr_ref nobody = TR_NOBODY;
    open_system(1);
    tr_ref puppet = make_puppet(0);
    perform(puppet, end_well, NULL);
    for (int i = 0; i < 2; i++) {
        tr_ref *who = i ? &puppet : &nobody;
        tr_probe_do(probe, exit_it, &(struct exiting){ *who, TR_EPROTO });
        tr_probe_do(probe, kill_it, who);
    }
    expect_nothing(0);
    close_system();
}

/* Holds an actor, lets `waiting` messages wait, then ends it by `end`: how many it handled after it was let go. */
struct crowd {
    struct gate gate;
    tr_ref puppet;
    unsigned handled;
};

static int count_one(tr_self *self, void *arg)
{
    (void)self;
    ++*(unsigned *)arg;
    return TR_CONTINUE;
}

enum { WAITING = 5000, TURN = 64 };

Test(life, an_end_overtakes_what_waits_in_the_mailbox)
{
    struct crowd crowd = { .handled = 0 };
    int (*const ways[])(tr_self * self, void *arg) = { exit_it, kill_it };
    open_system(2);
    for (unsigned i = 0; i < 2; i++) {
        gate_init(&crowd.gate);
        crowd.handled = 0;
        crowd.puppet = make_puppet(0);
        struct exiting exiting = { crowd.puppet, 0 }; /* the reference comes first: that is what kill_it looks at */
        tr_probe_do(probe, monitor_it, &crowd.puppet);
        direct(crowd.puppet, stand_at, &crowd.gate);
        gate_await(&crowd.gate);
        for (unsigned n = 0; n < WAITING; n++)
            direct(crowd.puppet, count_one, &crowd.handled);
        tr_probe_do(probe, ways[i], &exiting);
        gate_open(&crowd.gate);
        expect_down(crowd.puppet, i ? TR_EKILLED : 0);
        cr_assert_leq(crowd.handled, TURN, "%u were handled first", crowd.handled);
    }
    close_system();
}

struct memoryless {
    tr_ref who;
    uint64_t failed;
};

static int kill_without_memory(tr_self *self, void *arg)
{
    struct memoryless *m = arg;
    tri_memory_fail(1, true);
    tr_kill(self, m->who);
    m->failed = tri_memory_fail(0, false);
    return TR_CONTINUE;
}

static int exit_without_memory(tr_self *self, void *arg)
{
    struct memoryless *m = arg;
    tri_memory_fail(1, true);
    tr_exit(self, m->who, TR_EPROTO);
    m->failed = tri_memory_fail(0, false);
    return TR_CONTINUE;
}

Test(life, killing_needs_no_memory_and_without_it_exit_becomes_killing)
{
    tri_pool_off();
    open_system(2);
    for (unsigned i = 0; i < 2; i++) {
        struct memoryless m = { make_puppet(0), 0 };
        tr_probe_do(probe, monitor_it, &m.who);
        tr_probe_do(probe, i ? exit_without_memory : kill_without_memory, &m);
        cr_assert_eq(m.failed, i);
        expect_down(m.who, TR_EKILLED);
    }
    close_system();
}

static int exit_with_a_count(tr_self *self, void *arg)
{
    (void)arg;
    tr_exit(self, tr_me(self), 1);
    return TR_CONTINUE;
}

static void exit_badly(void)
{
    open_system(1);
    tr_probe_do(probe, exit_with_a_count, NULL);
}

/* ---- bad answers ------------------------------------------------------------------------------------------------- */

static int two(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    return 3;
}

static const tr_actor starts_badly = { TR_SPEC, .name = "starts badly", .start = two, .receive = quiet_receive };

static void start_badly(void)
{
    open_system(1);
    probe_spawn(&starts_badly, NULL);
    wait_for_the_end();
}

static void answer_badly(void)
{
    open_system(1);
    perform(make_puppet(0), answer_with, &(int){ TR_NOT_READY });
    wait_for_the_end();
}

Test(life, answers_and_reasons_that_do_not_exist_end_the_process)
{
    expect_panic(start_badly, "start answered 3", "in actor starts badly <");
    expect_panic(answer_badly, "a handler answered 2", "in actor puppet <");
    expect_panic(exit_badly, "tr_exit", "not 1", "in actor probe <");
}

/* ---- about oneself ----------------------------------------------------------------------------------------------- */

TR_MESSAGE(identity,
    tr_ref me, parent;
    const char *name;
    unsigned incarnation;
);
TR_DEFINE(identity);

static int introduce(tr_self *self, void *arg)
{
    tr_send(self, *(tr_ref *)arg, identity, .me = tr_me(self), .parent = tr_parent(self), .name = tr_name(self),
        .incarnation = tr_incarnation(self));
    return TR_CONTINUE;
}

struct introduction {
    tr_ref to, child;
    struct tr_self *self;
};

static int spawn_puppet(tr_self *self, void *arg)
{
    struct introduction *introduction = arg;
    introduction->child = tr_spawn(self, &puppet_actor, (&(struct puppet){ introduction->to, 0 }));
    return TR_CONTINUE;
}

Test(life, an_actor_knows_itself_its_parent_and_its_name)
{
    open_system(2);
    struct introduction introduction = { tr_probe_ref(probe), TR_NOBODY, NULL };
    tr_ref puppet = make_puppet(0);
    perform(puppet, introduce, &introduction.to);
    const identity *id = tr_body(identity, expect(identity));
    cr_assert(tr_ref_eq(id->me, puppet));
    cr_assert(tr_ref_eq(id->parent, tr_probe_ref(probe)));
    cr_assert_str_eq(id->name, "puppet");
    cr_assert_eq(id->incarnation, 0);
    perform(puppet, spawn_puppet, &introduction);
    perform(introduction.child, introduce, &introduction.to);
    id = tr_body(identity, expect(identity));
    cr_assert(tr_ref_eq(id->parent, puppet));
    perform(puppet, end_well, NULL);
    perform(introduction.child, introduce, &introduction.to);
    id = tr_body(identity, expect(identity));
    cr_assert(tr_ref_eq(id->parent, puppet), "a parent that has ended is still the parent");
    close_system();
}

static int root_receive(tr_self *self, void *state, const tr_msg *m)
{
    tr_ref to = m->from;
    (void)state;
    introduce(self, &to);
    return TR_CONTINUE;
}

static int find_root(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_whereis(self, "the root");
    return TR_CONTINUE;
}

static int root_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_register(self, "the root");
}

static const tr_actor introducing_root = { TR_SPEC, .name = "introducing", .start = root_start, .receive = root_receive };

Test(life, the_root_has_no_parent)
{
    tr_ref root = TR_NOBODY;
    open_system_with((tr_options){ .actor = &introducing_root, .workers = 1 });
    while (tr_ref_is_nobody(root)) /* it has a name when its start has run */
        tr_probe_do(probe, find_root, &root);
    tr_probe_send(probe, root, number);
    cr_assert(tr_ref_is_nobody(tr_body(identity, expect(identity))->parent));
    close_system();
}

/* ---- alive ------------------------------------------------------------------------------------------------------- */

Test(life, alive_says_whether_an_actor_has_ended)
{
    open_system(2);
    cr_assert_not(tr_alive(TR_NOBODY));
    tr_ref puppet = make_puppet(0);
    cr_assert(tr_alive(puppet));
    tr_probe_do(probe, monitor_it, &puppet);
    perform(puppet, end_well, NULL);
    expect_down(puppet, 0);
    cr_assert_not(tr_alive(puppet));
    close_system();
}

/* ---- clock and random numbers ------------------------------------------------------------------------------------ */

static int read_clock(tr_self *self, void *arg)
{
    int64_t *last = arg, now = tr_now(self);
    cr_assert_geq(now, *last);
    *last = now;
    return TR_CONTINUE;
}

Test(life, the_clock_never_goes_back)
{
    int64_t last = INT64_MIN;
    open_system(2);
    tr_ref a = make_puppet(0), b = make_puppet(0);
    for (int i = 0; i < 100; i++)
        perform(i % 2 ? a : b, read_clock, &last);
    close_system();
}

enum { DRAWN = 32 };

static int draw(tr_self *self, void *arg)
{
    uint64_t *numbers = arg;
    for (int i = 0; i < DRAWN; i++)
        numbers[i] = tr_random(self);
    return TR_CONTINUE;
}

Test(life, random_numbers_follow_from_the_seed)
{
    uint64_t numbers[3][DRAWN];
    for (unsigned i = 0; i < 3; i++) {
        open_system_with((tr_options){ .workers = 1, .seed = i == 2 ? 8 : 7 });
        tr_probe_do(probe, draw, numbers[i]);
        close_system();
    }
    cr_assert_arr_eq(numbers[0], numbers[1], sizeof numbers[0]);
    for (unsigned i = 0; i < DRAWN; i++)
        cr_assert_neq(numbers[0][i], numbers[2][i]);
}

static int draw_below(tr_self *self, void *arg)
{
    unsigned *seen = arg;
    for (int i = 0; i < 2000; i++) {
        uint32_t six = tr_random_below(self, 6);
        cr_assert_lt(six, 6u);
        cr_assert_eq(tr_random_below(self, 1), 0u);
        seen[six]++;
        tr_random_below(self, UINT32_MAX);
    }
    return TR_CONTINUE;
}

Test(life, random_numbers_below_n_are_all_the_numbers_below_n)
{
    unsigned seen[6] = { 0 };
    open_system(1);
    tr_probe_do(probe, draw_below, seen);
    for (unsigned i = 0; i < 6; i++)
        cr_assert_gt(seen[i], 200u, "%u came %u times in 2000", i, seen[i]);
    close_system();
}

static int draw_none(tr_self *self, void *arg)
{
    (void)arg;
    return (int)tr_random_below(self, 0);
}

static void draw_below_zero(void)
{
    open_system(1);
    tr_probe_do(probe, draw_none, NULL);
}

/* ---- self, where it is not valid --------------------------------------------------------------------------------- */

static int lend(tr_self *self, void *arg)
{
    *(tr_self **)arg = self;
    return TR_CONTINUE;
}

static tr_self *borrow_self(void)
{
    tr_self *self = NULL;
    open_system(1);
    tr_probe_do(probe, lend, &self);
    return self;
}

static void send_with_a_borrowed_self(void)
{
    tr_send(borrow_self(), TR_NOBODY, number);
}

static void spawn_with_a_borrowed_self(void)
{
    tr_spawn(borrow_self(), &counted_actor, NULL);
}

static void ask_with_a_borrowed_self(void)
{
    tr_ask(borrow_self(), TR_NOBODY, TR_MS(1), number);
}

static void set_a_timer_with_a_borrowed_self(void)
{
    tr_after(borrow_self(), 0, 0);
}

static void look_around_with_a_borrowed_self(void)
{
    tr_parent(borrow_self());
}

static void send_with_no_self(void)
{
    tr_send(NULL, TR_NOBODY, number);
}

static int use_of_another_worker(tr_self *self, void *arg)
{
    tr_self **other = arg;
    if (*other && *other != self)
        tr_after(*other, 0, 0);
    *other = self;
    return TR_CONTINUE;
}

static int use_when_both_run(tr_self *self, void *arg)
{
    static tr_self *first;
    if (arg) {
        ck_pr_store_ptr(&first, self);
        gate_pass(arg); /* the other one has to run on another worker */
    }
    tr_self *other = ck_pr_load_ptr(&first);
    return use_of_another_worker(self, &other);
}

static void use_the_self_of_a_running_worker(void)
{
    static struct gate gate;
    gate_init(&gate);
    open_system(2);
    tr_ref a = make_puppet(0), b = make_puppet(0);
    direct(a, use_when_both_run, &gate);
    gate_await(&gate);
    direct(b, use_when_both_run, NULL);
    wait_for_the_end();
}

Test(life, a_self_outside_of_its_call_ends_the_process)
{
    expect_panic(send_with_a_borrowed_self, "tr_send: the tr_self is not valid here");
    expect_panic(spawn_with_a_borrowed_self, "tr_spawn: the tr_self is not valid here");
    expect_panic(ask_with_a_borrowed_self, "tr_ask: the tr_self is not valid here");
    expect_panic(set_a_timer_with_a_borrowed_self, "tr_after: the tr_self is not valid here");
    expect_panic(look_around_with_a_borrowed_self, "tr_parent: the tr_self is not valid here");
    expect_panic(send_with_no_self, "tr_send: the tr_self is not valid here");
    expect_panic(use_the_self_of_a_running_worker, "tr_after: the tr_self is not valid here", "in actor puppet");
    expect_panic(draw_below_zero, "tr_random_below: n is 0");
}

/* ---- what is said of it ------------------------------------------------------------------------------------------ */

Test(life, a_crash_that_nobody_hears_of_is_logged_with_its_message)
{
    char from[TR_REF_TEXT], text[256];
    capture_log(TR_LOG_WARNING);
    open_system(2);
    snprintf(text, sizeof text, "ended: %s, handling act from %s", tr_strerror(TR_EPROTO),
        tr_ref_text(tr_probe_ref(probe), from));
    tr_ref puppet = make_puppet(0);
    perform(puppet, crash, NULL);
    expect_logged(text);
    puppet = make_puppet(0);
    tr_probe_do(probe, monitor_it, &puppet);
    perform(puppet, crash, NULL);
    expect_down(puppet, TR_EPROTO);
    cr_assert_eq(logged("ended: "), 1, "%s", captured.text);
    close_system();
}
