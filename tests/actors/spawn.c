/* Spawning: the spec, the argument, the state, the options, and why there is no actor. */
#include "tests/actors/puppet.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

/* ---- an actor with everything ------------------------------------------------------------------------------------ */

struct counter {
    int sum;
};

static int counter_start(tr_self *self, void *state, const void *arg)
{
    struct counter *me = state;
    (void)self;
    me->sum = *(const int *)arg;
    return TR_CONTINUE;
}

static int counter_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct counter *me = state;
    me->sum += tr_body(number, m)->n;
    tr_send(self, m->from, number, .n = me->sum);
    return me->sum < 100 ? TR_CONTINUE : TR_STOP;
}

static const tr_actor counter_actor = {
    TR_SPEC,
    .name = "counter",
    .start = counter_start,
    .receive = counter_receive,
    .state_size = sizeof(struct counter),
    .arg_size = sizeof(int),
};

Test(spawn, an_actor_starts_with_a_copy_of_its_argument_and_handles_messages)
{
    open_system(2);
    tr_ref counter = probe_spawn(&counter_actor, &(int){ 10 }, .monitor = true);
    tr_probe_send(probe, counter, number, .n = 5);
    cr_assert_eq(tr_body(number, expect(number))->n, 15);
    tr_probe_send(probe, counter, number, .n = 85);
    cr_assert_eq(tr_body(number, expect(number))->n, 100);
    expect_down(counter, 0);
    cr_assert_eq(tr_probe_send(probe, counter, number, .n = 1), TR_EDOWN);
    close_system();
}

/* ---- argument and state ------------------------------------------------------------------------------------------ */

static int spawn_and_change_the_argument(tr_self *self, void *arg)
{
    int value = 10;
    *(tr_ref *)arg = tr_spawn(self, &counter_actor, &value);
    value = 1000;
    return *(volatile int *)&value;
}

Test(spawn, the_argument_may_change_as_soon_as_spawn_has_returned)
{
    tr_ref counter;
    open_system(1);
    tr_probe_do(probe, spawn_and_change_the_argument, &counter);
    tr_probe_send(probe, counter, number, .n = 1);
    cr_assert_eq(tr_body(number, expect(number))->n, 11);
    close_system();
}

Test(spawn, without_an_argument_its_copy_is_zero)
{
    open_system(1);
    tr_ref counter = probe_spawn(&counter_actor, NULL);
    tr_probe_send(probe, counter, number, .n = 1);
    cr_assert_eq(tr_body(number, expect(number))->n, 1);
    close_system();
}

static int bare_receive(tr_self *self, void *state, const tr_msg *m)
{
    cr_assert_null(state);
    tr_forward(self, m, m->from);
    return TR_STOP;
}

static int bare_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    cr_assert_null(state);
    cr_assert_null(arg);
    return TR_CONTINUE;
}

static const tr_actor bare_actor = { TR_SPEC, .name = "bare", .receive = bare_receive };
static const tr_actor bare_starting_actor = { TR_SPEC, .name = "bare", .start = bare_start, .receive = bare_receive };

Test(spawn, an_actor_without_state_argument_start_and_stop_gets_none)
{
    open_system(1);
    for (int i = 0; i < 2; i++) {
        tr_ref bare = probe_spawn(i ? &bare_starting_actor : &bare_actor, &i, .monitor = true);
        tr_probe_send(probe, bare, number, .n = 7);
        cr_assert_eq(tr_body(number, expect(number))->n, 7);
        expect_down(bare, 0);
    }
    close_system();
}

/* Finds its state zeroed, and leaves it full of other things. */
struct hoarder {
    unsigned char bytes[1000];
};

static int hoarder_start(tr_self *self, void *state, const void *arg)
{
    struct hoarder *me = state;
    (void)self;
    (void)arg;
    for (size_t i = 0; i < sizeof me->bytes; i++)
        cr_assert_eq(me->bytes[i], 0);
    memset(me->bytes, 0xa5, sizeof me->bytes);
    return TR_STOP;
}

static const tr_actor hoarder_actor = {
    TR_SPEC,
    .name = "hoarder",
    .start = hoarder_start,
    .receive = quiet_receive,
    .state_size = sizeof(struct hoarder),
    .arg_size = 100,
};

Test(spawn, the_state_is_zeroed_whatever_its_memory_held_before)
{
    open_system(2);
    for (int i = 0; i < 100; i++)
        expect_down(probe_spawn(&hoarder_actor, NULL, .monitor = true), 0);
    close_system();
}

struct large {
    _Alignas(16) unsigned char bytes[300000];
};

static int large_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct large *me = state;
    cr_assert_eq((uintptr_t)me % 16, 0);
    me->bytes[sizeof me->bytes - 1]++;
    tr_send(self, m->from, number, .n = me->bytes[sizeof me->bytes - 1]);
    return TR_CONTINUE;
}

static const tr_actor large_actor = {
    TR_SPEC,
    .name = "large",
    .receive = large_receive,
    .state_size = sizeof(struct large),
    .arg_size = 33,
};

Test(spawn, a_state_may_be_larger_than_any_pool_block)
{
    open_system(1);
    tr_ref large = probe_spawn(&large_actor, NULL);
    for (int i = 1; i < 4; i++) {
        tr_probe_send(probe, large, number);
        cr_assert_eq(tr_body(number, expect(number))->n, i);
    }
    close_system();
}

/* ---- the first turn ---------------------------------------------------------------------------------------------- */

static unsigned starts;

static int counting_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    starts++;
    return TR_CONTINUE;
}

static const tr_actor counting_actor = { TR_SPEC, .name = "counting", .start = counting_start, .receive = quiet_receive };

static int spawn_and_look(tr_self *self, void *arg)
{
    (void)arg;
    tr_spawn(self, &counting_actor, NULL);
    return (int)starts;
}

Test(spawn, start_is_called_on_a_turn_of_its_own)
{
    open_system(1); /* so nobody else could have called it meanwhile */
    cr_assert_eq(tr_probe_do(probe, spawn_and_look, NULL), 0);
    close_system();
    cr_assert_eq(starts, 1);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static int named_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    cr_assert(tr_ref_eq(tr_whereis(self, "door"), tr_me(self)), "the name was not there before the first turn");
    return TR_CONTINUE;
}

static const tr_actor named_actor = { TR_SPEC, .name = "named", .start = named_start, .receive = quiet_receive };

static int spawn_named(tr_self *self, void *arg)
{
    int error = 1;
    (void)arg;
    tr_ref door = tr_spawn(self, &named_actor, NULL, .name = "door", .error = &error);
    cr_assert_eq(error, 0);
    cr_assert(tr_ref_eq(tr_whereis(self, "door"), door));
    cr_assert(tr_ref_is_nobody(tr_spawn(self, &named_actor, NULL, .name = "door", .error = &error)));
    cr_assert_eq(error, TR_EEXIST);
    cr_assert(tr_ref_is_nobody(tr_spawn(self, &named_actor, NULL, .name = "door")));
    cr_assert(tr_ref_is_nobody(tr_spawn(self, &named_actor, NULL, .name = "", .error = &error)));
    cr_assert_eq(error, TR_EINVAL);
    return 0;
}

Test(spawn, the_name_of_an_option_is_there_before_the_first_turn_and_is_refused_when_it_is_taken)
{
    open_system(2);
    tr_probe_do(probe, spawn_named, NULL);
    cr_assert_eq(stats_now().spawned, 3); /* root, probe, and one actor of that name */
    close_system();
}

static int spawn_refused(tr_self *self, void *arg)
{
    const tr_spawn_options options = { .name = "taken", .link = true, .monitor = true, .error = arg };
    tr_register(self, "taken");
    for (int i = 0; i < 100; i++)
        cr_assert(tr_ref_is_nobody(tr_spawn_(self, &counter_actor, &options)));
    return 0;
}

Test(spawn, an_actor_that_was_refused_leaves_nothing)
{
    int error = 0;
    open_system(1);
    tr_probe_do(probe, spawn_refused, &error);
    cr_assert_eq(error, TR_EEXIST);
    expect_nothing(0);
    close_system();
}

Test(spawn, monitor_and_link_tie_the_spawner_from_the_start)
{
    open_system(2);
    for (int i = 0; i < 100; i++) { /* it ends in its start: a monitor set after the spawn could come too late */
        tr_ref ended = probe_spawn(&hoarder_actor, NULL, .link = true, .monitor = true);
        bool down = false, exited = false;
        for (int n = 0; n < 2; n++) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            if (tr_is(tr_down, m))
                down = tr_ref_eq(tr_body(tr_down, m)->who, ended) && tr_body(tr_down, m)->reason == 0;
            else if (tr_is(tr_exited, m))
                exited = tr_ref_eq(tr_body(tr_exited, m)->who, ended) && tr_body(tr_exited, m)->reason == 0;
        }
        cr_assert(down && exited);
    }
    close_system();
}

/* ---- refused ----------------------------------------------------------------------------------------------------- */

struct late_spawn {
    struct gate gate;
    int error;
    bool tried;
};

static int spawn_late(tr_self *self, void *arg)
{
    struct late_spawn *late = arg;
    gate_pass(&late->gate);
    cr_assert(tr_ref_is_nobody(tr_spawn(self, &counter_actor, NULL, .error = &late->error)));
    cr_assert_eq(tr_send(self, TR_NOBODY, number), TR_EDOWN);
    late->tried = true;
    return TR_CONTINUE;
}

static void lets_go(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    gate_open(&(*(struct late_spawn **)state)->gate);
}

static int late_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct late_spawn **)state = *(struct late_spawn *const *)arg;
    return TR_CONTINUE;
}

static const tr_actor late_root = {
    TR_SPEC,
    .name = "late root",
    .start = late_start,
    .receive = quiet_receive,
    .stop = lets_go,
    .state_size = sizeof(void *),
    .arg_size = sizeof(void *),
};

Test(spawn, a_system_that_ends_takes_no_new_actors)
{
    struct late_spawn late = { .error = 0 }, *arg = &late;
    gate_init(&late.gate);
    open_system_with((tr_options){ .actor = &late_root, .arg = &arg, .workers = 2 });
    tr_ref puppet = make_puppet(0);
    direct(puppet, spawn_late, &late);
    gate_await(&late.gate);
    tr_probe_close(probe);
    cr_assert_eq(tr_close(&test_system), 0); /* the root's stop opens the gate */
    cr_assert(late.tried);
    cr_assert_eq(late.error, TR_ESHUTDOWN);
    expect_nothing_left();
}

static int spawn_until_refused(tr_self *self, void *arg)
{
    unsigned *count = arg;
    int error = 0;
    while (!tr_ref_is_nobody(tr_spawn(self, &counting_actor, NULL, .error = &error)))
        ++*count;
    return error;
}

Test(spawn, beyond_the_last_slot_spawning_is_refused)
{
    unsigned count = 0, usual = tri_slots.chunks_max;
    open_system(1);
    tri_slots.chunks_max = 1; /* 4096 slots rather than 16 million */
    cr_assert_eq(tr_probe_do(probe, spawn_until_refused, &count), TR_ELIMIT);
    cr_assert_eq(count, 4095 - 2); /* number 0 is nobody's; the root and the probe have one each */
    tri_slots.chunks_max = usual;
    cr_assert_neq(tr_ref_is_nobody(probe_spawn(&counting_actor, NULL)), true);
    close_system();
}

/* ---- bad specs --------------------------------------------------------------------------------------------------- */

static const tr_actor unstamped = { .name = "unstamped", .receive = quiet_receive };
static const tr_actor deaf = { TR_SPEC, .name = "deaf" };
static const tr_actor crammed = { TR_SPEC, .name = "crammed", .receive = quiet_receive, .mailbox = TR_MAILBOX_MAX + 1 };
static const tr_actor bulky = { TR_SPEC, .name = "bulky", .receive = quiet_receive, .mailbox_kib = UINT32_MAX };
static const tr_actor nameless = { TR_SPEC };

static void spawn_bad(const tr_actor *spec)
{
    open_system(1);
    probe_spawn(spec, NULL);
}

static void spawn_unstamped(void)
{
    spawn_bad(&unstamped);
}

static void spawn_deaf(void)
{
    spawn_bad(&deaf);
}

static void spawn_crammed(void)
{
    spawn_bad(&crammed);
}

static void spawn_bulky(void)
{
    spawn_bad(&bulky);
}

static void spawn_nameless(void)
{
    spawn_bad(&nameless);
}

Test(spawn, a_bad_spec_ends_the_process_and_is_named)
{
    expect_panic(spawn_unstamped, "unstamped", "TR_SPEC", "in actor probe");
    expect_panic(spawn_deaf, "deaf", "receive");
    expect_panic(spawn_crammed, "crammed", "524288");
    expect_panic(spawn_bulky, "bulky", "KiB");
    expect_panic(spawn_nameless, "(no name)", "receive");
}

Test(spawn, a_bad_spec_dies_of_sigabrt, .signal = SIGABRT)
{
    never_dump_core();
    spawn_unstamped();
}
