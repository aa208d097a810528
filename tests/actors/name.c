/* Names: from registration until the actor ends or gives the name up. */
#include "tests/actors/puppet.h"

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
    cr_assert_eq(register_as(a, "a"), TR_EEXIST);
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
    int (*const ends[])(tr_self *self, void *arg) = { end_well, crash };
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
    char name[16];
    (void)state;
    snprintf(name, sizeof name, "n%d", *(const int *)arg);
    return tr_register(self, name);
}

static const tr_actor numbered_actor = {
    TR_SPEC, .name = "numbered", .start = register_by_number, .receive = quiet_receive, .arg_size = sizeof(int) };

Test(name, many_names_are_told_apart)
{
    enum { N = 5000 };
    static tr_ref refs[N];
    open_system(2);
    for (int i = 0; i < N; i++)
        refs[i] = probe_spawn(&numbered_actor, &i);
    for (int i = 0; i < N; i++) {
        char name[16];
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
