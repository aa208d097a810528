/* Names: from registration until the actor ends or gives the name up. */
#include "tests/actors/puppet.h"

#include "tests/threads.h"

#include "actors/self.h"

struct naming {
    const char *name;
    int answer;
    tr_ref who;
};

static int do_register(tr_self *self, void *arg)
{
    struct naming *naming = arg;
    naming->answer = tr_register(self, naming->name);
    return TR_CONTINUE;
}

static int do_unregister(tr_self *self, void *arg)
{
    (void)arg;
    tr_unregister(self);
    return TR_CONTINUE;
}

static int do_whereis(tr_self *self, void *arg)
{
    struct naming *naming = arg;
    naming->who = tr_whereis(self, naming->name);
    return TR_CONTINUE;
}

static int register_as(tr_ref who, const char *name)
{
    struct naming naming = { .name = name };
    cr_assert_eq(perform(who, do_register, &naming), 0);
    return naming.answer;
}

/* As anybody sees it. */
static tr_ref whereis(const char *name)
{
    struct naming naming = { .name = name };
    tr_probe_do(probe, do_whereis, &naming);
    return naming.who;
}

Test(name, a_name_stands_for_the_actor_that_registered_it)
{
    open_system(2);
    tr_ref a = make_puppet(0), b = make_puppet(0);
    cr_assert(tr_ref_is_nobody(whereis("a")));
    cr_assert_eq(register_as(a, "a"), 0);
    cr_assert_eq(register_as(b, "b"), 0);
    cr_assert(tr_ref_eq(whereis("a"), a));
    cr_assert(tr_ref_eq(whereis("b"), b));
    cr_assert(tr_ref_is_nobody(whereis("c")));
    cr_assert(tr_ref_is_nobody(whereis("")));
    cr_assert(tr_ref_is_nobody(whereis("A")));
    close_system();
}

Test(name, a_name_that_is_taken_and_a_second_one_are_refused)
{
    open_system(2);
    tr_ref a = make_puppet(0), b = make_puppet(0);
    cr_assert_eq(register_as(a, "a"), 0);
    cr_assert_eq(register_as(b, "a"), TR_EEXIST);
    cr_assert_eq(register_as(a, "a"), 0); /* it has it */
    cr_assert_eq(register_as(a, "another"), TR_EEXIST);
    cr_assert(tr_ref_is_nobody(whereis("another")));
    cr_assert(tr_ref_eq(whereis("a"), a));
    close_system();
}

Test(name, a_name_has_1_to_63_bytes)
{
    char longest[TR_NAME_MAX + 2];
    open_system(1);
    tr_ref a = make_puppet(0);
    memset(longest, 'x', sizeof longest);
    longest[TR_NAME_MAX + 1] = '\0';
    cr_assert_eq(register_as(a, longest), TR_EINVAL);
    cr_assert_eq(register_as(a, ""), TR_EINVAL);
    cr_assert(tr_ref_is_nobody(whereis(longest)));
    longest[TR_NAME_MAX] = '\0';
    cr_assert_eq(register_as(a, longest), 0);
    cr_assert(tr_ref_eq(whereis(longest), a));
    longest[TR_NAME_MAX - 1] = '\0';
    cr_assert(tr_ref_is_nobody(whereis(longest)));
    close_system();
}

Test(name, a_name_that_was_given_up_is_free)
{
    open_system(2);
    tr_ref a = make_puppet(0), b = make_puppet(0);
    cr_assert_eq(register_as(a, "a"), 0);
    perform(a, do_unregister, NULL);
    cr_assert(tr_ref_is_nobody(whereis("a")));
    perform(a, do_unregister, NULL); /* it has none: harmless */
    cr_assert_eq(register_as(b, "a"), 0);
    cr_assert_eq(register_as(a, "another"), 0);
    cr_assert(tr_ref_eq(whereis("a"), b));
    cr_assert(tr_ref_eq(whereis("another"), a));
    close_system();
}

Test(name, the_name_of_one_that_has_ended_is_free)
{
    int (*const ends[])(tr_self * self, void *arg) = { end_well, crash };
    open_system(2);
    for (unsigned i = 0; i < 20; i++) {
        tr_ref a = make_puppet(0);
        tr_probe_do(probe, monitor_it, &a);
        cr_assert_eq(register_as(a, "a"), 0);
        perform(a, ends[i % 2], NULL);
        expect(tr_down);
        cr_assert(tr_ref_is_nobody(whereis("a")));
    }
    close_system();
}

/* What stop sees is the last of it. */

static int late_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    cr_assert_eq(tr_register(self, "late"), 0);
    (void)m;
    return TR_STOP;
}

static void late_stop(tr_self *self, void *state, int reason)
{
    (void)state;
    (void)reason;
    cr_assert(tr_ref_eq(tr_whereis(self, "late"), tr_me(self)));
}

static const tr_actor late_actor = { TR_SPEC, .name = "late", .receive = late_receive, .stop = late_stop };

Test(name, an_actor_has_its_name_until_it_has_ended)
{
    open_system(2);
    tr_ref late = probe_spawn(&late_actor, NULL, .monitor = true);
    tr_probe_send(probe, late, started);
    expect_down(late, 0);
    cr_assert(tr_ref_is_nobody(whereis("late")));
    close_system();
}

/* ---- restarts ---------------------------------------------------------------------------------------------------- */

static struct puppet child_arg;
static const tr_child children[] = { { .name = "child", .actor = &puppet_actor, .arg = &child_arg } };
static const tr_supervisor family = { TR_SUPERVISOR, .name = "family", .children = children, .count = 1 };

static int supervise_family(tr_self *self, void *arg)
{
    (void)arg;
    tr_supervise(self, &family, .name = "the family");
    return TR_CONTINUE;
}

Test(name, a_name_is_kept_over_restarts)
{
    open_system(2);
    child_arg = (struct puppet){ tr_probe_ref(probe), TELL_START | TELL_STOP };
    tr_probe_do(probe, supervise_family, NULL);
    tr_ref child = tr_body(started, expect(started))->who;
    cr_assert_not(tr_ref_is_nobody(whereis("the family")));
    for (int i = 0; i < 3; i++) {
        cr_assert(tr_ref_eq(whereis("child"), child));
        perform(child, crash, NULL);
        expect_stopped(child, TR_EPROTO);
        cr_assert(tr_ref_eq(whereis("child"), child), "also while it waits");
        expect(started);
    }
    close_system();
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

static int register_by_number(tr_self *self, void *state, const void *arg)
{
    char name[32];
    (void)state;
    snprintf(name, sizeof name, "n%d", *(const int *)arg);
    return tr_register(self, name);
}

static const tr_actor numbered_actor = { TR_SPEC, .name = "numbered", .start = register_by_number, .receive = quiet_receive,
    .arg_size = sizeof(int) };

Test(name, many_names_are_told_apart)
{
    enum { N = 5000 };
    static tr_ref refs[N];
    open_system(2);
    for (int i = 0; i < N; i++)
        refs[i] = probe_spawn(&numbered_actor, &i);
    for (int i = 0; i < N; i++) {
        char name[32];
        tr_ref who;
        snprintf(name, sizeof name, "n%d", i);
        while (tr_ref_is_nobody(who = whereis(name))) { /* the last ones may not have started */
        }
        cr_assert(tr_ref_eq(who, refs[i]));
    }
    close_system();
}

/* Many want the same few names, at once: at no time does one of them stand for two, or for a stranger. */
TR_SIGNAL(again);
TR_DEFINE(again);

struct rival {
    tr_ref master;
    unsigned left;
};

static unsigned owners[3], successes, refusals;

static int rival_start(tr_self *self, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct rival));
    return tr_send(self, tr_me(self), again);
}

static int rival_receive(tr_self *self, void *state, const tr_msg *m)
{
    static const char *const names[] = { "gold", "silver", "bronze" };
    struct rival *me = state;
    unsigned i = tr_random_below(self, 3);
    (void)m;
    int error = tr_register(self, names[i]);
    if (!error) {
        ck_pr_inc_uint(&successes);
        cr_assert_eq(ck_pr_faa_uint(&owners[i], 1), 0u, "two have the name %s", names[i]);
        cr_assert(tr_ref_eq(tr_whereis(self, names[i]), tr_me(self)));
        ck_pr_dec_uint(&owners[i]);
        tr_unregister(self);
    } else {
        cr_assert_eq(error, TR_EEXIST);
        ck_pr_inc_uint(&refusals);
    }
    if (--me->left)
        return tr_send(self, tr_me(self), again);
    tr_send(self, me->master, again);
    return TR_STOP;
}

static const tr_actor rival_actor = { TR_SPEC, .name = "rival", .start = rival_start, .receive = rival_receive,
    .state_size = sizeof(struct rival), .arg_size = sizeof(struct rival) };

Test(name, a_name_never_stands_for_two)
{
    enum { RIVALS = 16 };
    open_system(4);
    struct rival rival = { tr_probe_ref(probe), scaled(2000, 500000) };
    for (int i = 0; i < RIVALS; i++)
        probe_spawn(&rival_actor, &rival);
    for (int i = 0; i < RIVALS; i++)
        expect(again);
    cr_assert_eq(successes + refusals, RIVALS * rival.left);
    close_system();
}

/* ---- no memory --------------------------------------------------------------------------------------------------- */

static int register_without_memory(tr_self *self, void *arg)
{
    (void)arg;
    tri_memory_fail(1, true);
    cr_assert_eq(tr_register(self, "poor"), TR_ENOMEM);
    tri_memory_fail(2, true);
    cr_assert_eq(tr_register(self, "poor"), TR_ENOMEM);
    tri_memory_fail(0, false);
    cr_assert(tr_ref_is_nobody(tr_whereis(self, "poor")));
    cr_assert_eq(tr_register(self, "poor"), 0);
    return TR_CONTINUE;
}

Test(name, without_memory_there_is_no_name)
{
    tri_pool_off();
    open_system(1);
    perform(make_puppet(0), register_without_memory, NULL);
    close_system();
}

/* ---- a name and its actor ---------------------------------------------------------------------------------------- */

static int spawn_step_by_step(tr_self *self, void *arg)
{
    static const tr_spawn_options named = { .name = "slow" };
    struct puppet puppet = { tr_me(self), 0 };
    int error;
    (void)arg;
    struct tri_slot *slot = tri_spawn_prepare(self, &puppet_actor, &puppet, TRI_HOME_ANY, &error);
    cr_assert_not_null(slot);
    cr_assert_eq(tri_spawn_bind(self, slot, &named), 0);
    cr_assert(tr_ref_is_nobody(tr_whereis(self, "slow")), "it can be found before it can be sent to");
    tr_spawn(self, &puppet_actor, &puppet, .name = "slow", .error = &error);
    cr_assert_eq(error, TR_EEXIST, "the name is reserved");
    tri_spawn_cancel(self, slot);
    cr_assert(tr_ref_is_nobody(tr_whereis(self, "slow")));

    slot = tri_spawn_prepare(self, &puppet_actor, &puppet, TRI_HOME_ANY, &error);
    cr_assert_eq(tri_spawn_bind(self, slot, &named), 0);
    tr_ref ref = tri_spawn_finish(self, slot);
    cr_assert(tr_ref_eq(tr_whereis(self, "slow"), ref));
    cr_assert_eq(tr_send(self, ref, again), 0);
    return TR_CONTINUE;
}

Test(name, a_name_is_visible_from_the_moment_when_its_actor_can_be_sent_to)
{
    open_system(1);
    tr_probe_do(probe, spawn_step_by_step, NULL);
    close_system();
}

/* One spawns, the other sends to whom it finds: as soon as there is the name there is the mailbox. */
static unsigned met;

static int greeter_receive(tr_self *self, void *state, const tr_msg *m)
{
    char name[32];
    unsigned *left = state;
    (void)m;
    snprintf(name, sizeof name, "guest-%u", ck_pr_load_uint(&met));
    for (unsigned i = 0; i < 10000; i++) {
        tr_ref who = tr_whereis(self, name);
        if (tr_ref_is_nobody(who))
            continue;
        cr_assert_eq(tr_send(self, who, again), 0, "%s was found, and is down", name);
        ck_pr_inc_uint(&met);
        (*left)--;
        break;
    }
    return *left ? tr_send(self, tr_me(self), again) : TR_STOP;
}

static int greeter_start(tr_self *self, void *state, const void *arg)
{
    *(unsigned *)state = *(const unsigned *)arg;
    return tr_send(self, tr_me(self), again);
}

static const tr_actor greeter_actor = { TR_SPEC, .name = "greeter", .start = greeter_start, .receive = greeter_receive,
    .state_size = sizeof(unsigned), .arg_size = sizeof(unsigned) };

Test(name, who_is_found_by_his_name_can_be_sent_to)
{
    unsigned guests = scaled(2000, 200000);
    open_system(2);
    tr_ref greeter = probe_spawn(&greeter_actor, &guests, .monitor = true);
    for (unsigned i = 0; i < guests; i++) {
        char name[32];
        snprintf(name, sizeof name, "guest-%u", i);
        cr_assert_not(tr_ref_is_nobody(probe_spawn(&puppet_actor, &(struct puppet){ tr_probe_ref(probe), 0 }, .name = name)));
    }
    const tr_msg *m;
    while ((m = tr_probe_receive(probe, SOON)) && tr_is(again, m)) {
    }
    cr_assert_not_null(m);
    cr_assert(tr_is(tr_down, m) && tr_ref_eq(tr_body(tr_down, m)->who, greeter));
    cr_assert_eq(tr_body(tr_down, m)->reason, 0);
    close_system();
}

/* Names come and go beside one that looks: what stays is always found. In each round some are registered behind others, which
 * then go, so those that stay move up in the table. They stand for nobody in particular: only the table is looked at. */
enum { STAYERS = 16, GUESTS = 100 };

static uint32_t round_now; /* its stayers are there until the next one begins; 0: none has */
static uint32_t over;

static void name_of_stayer(char *name, uint32_t round, unsigned i)
{
    snprintf(name, 32, "stayer-%u-%u", round % 2, i);
}

static void reserve_one(struct tri_names *names, struct tri_cold *cold, const char *name, uint64_t who)
{
    struct tri_slot slot = { .cold = cold };
    *cold = (struct tri_cold){ 0 };
    cr_assert_eq(tri_name_reserve(names, &slot, name), 0);
    tri_name_show(cold->name, (tr_ref){ who });
}

static void churn(struct tri_names *names, uint32_t rounds)
{
    static struct tri_cold guests[GUESTS], stay[2][STAYERS];
    char name[32];
    for (uint32_t round = 1; round <= rounds; round++) {
        for (unsigned i = 0; i < GUESTS; i++) {
            snprintf(name, sizeof name, "guest-%u-%u", round, i);
            reserve_one(names, &guests[i], name, 1);
        }
        for (unsigned i = 0; i < STAYERS; i++) {
            name_of_stayer(name, round, i);
            reserve_one(names, &stay[round % 2][i], name, round);
        }
        ck_pr_fence_release();
        ck_pr_store_32(&round_now, round);
        for (unsigned i = 0; i < GUESTS; i++)
            tri_name_end(names, &guests[i]);
        for (unsigned i = 0; i < STAYERS; i++)
            tri_name_end(names, &stay[(round + 1) % 2][i]);
    }
    ck_pr_store_32(&over, 1);
}

static void *look(void *names)
{
    char name[32];
    for (uint32_t round, looks = 0; !ck_pr_load_32(&over); looks++) {
        round = ck_pr_load_32(&round_now);
        ck_pr_fence_acquire();
        name_of_stayer(name, round, looks % STAYERS);
        uint64_t who = tri_name_find(names, name).bits;
        ck_pr_fence_load();
        if (round && ck_pr_load_32(&round_now) == round)
            cr_assert_eq(who, round, "round %u: %s is %u", round, name, (unsigned)who);
    }
    return NULL;
}

Test(name, a_name_that_stays_is_found_while_others_come_and_go)
{
    struct tri_names names;
    tri_names_init(&names);
    pthread_t thread = start_thread(look, &names);
    churn(&names, scaled(2000, 100000));
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < STAYERS; i++) {
        char name[32];
        name_of_stayer(name, scaled(2000, 100000), i);
        cr_assert_eq(tri_name_find(&names, name).bits, scaled(2000, 100000));
    }
    tri_names_destroy(&names);
}
