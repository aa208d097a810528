/* Links: two actors that end together, or hear of each other's end. */
#include "tests/actors/puppet.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

/* A puppet that traps exits, or not, and reports its stop. */
static tr_ref make(bool trapping)
{
    return probe_spawn(trapping ? &trapping_puppet : &puppet_actor, &(struct puppet){ tr_probe_ref(probe), TELL_STOP });
}

#define expect_exited(who, reason) expect_exited_((who), (reason), __LINE__)

static void expect_exited_(tr_ref who, int reason, int line)
{
    const tr_exited *exited = tr_body(tr_exited, expect_(tr_probe_receive(probe, SOON), &tr_exited_type, "tr_exited", line));
    cr_assert(tr_ref_eq(exited->who, who), "line %d: of another actor", line);
    cr_assert_eq(exited->reason, reason, "line %d: reason %s", line, tr_error_name(exited->reason));
}

static int unlink_it(tr_self *self, void *arg)
{
    tr_unlink(self, *(tr_ref *)arg);
    return TR_CONTINUE;
}

/* ---- crashes ----------------------------------------------------------------------------------------------------- */

Test(link, a_crash_ends_the_other_with_the_same_reason_whoever_linked)
{
    open_system(2);
    for (int i = 0; i < 2; i++) {
        tr_ref a = make(false), b = make(false);
        perform(a, link_it, &b);
        settle(b);
        perform(i ? a : b, answer_with, &(int){ -999 });
        expect_stopped(i ? a : b, -999);
        expect_stopped(i ? b : a, -999);
    }
    close_system();
}

Test(link, a_chain_of_links_ends_as_a_whole)
{
    enum { N = 100 };
    tr_ref chain[N];
    open_system(2);
    for (int i = 0; i < N; i++) {
        chain[i] = make(false);
        if (i)
            perform(chain[i], link_it, &chain[i - 1]);
    }
    settle(chain[N / 2]);
    perform(chain[N / 2], crash, NULL);
    for (int i = 0; i < N; i++)
        cr_assert_eq(tr_body(stopped, expect(stopped))->reason, TR_EPROTO);
    expect_nothing(0);
    close_system();
}

Test(link, killing_and_exiting_with_an_error_are_crashes)
{
    open_system(2);
    for (int i = 0; i < 2; i++) {
        tr_ref a = make(false), b = make(false);
        perform(a, link_it, &b);
        settle(b);
        if (i)
            tr_probe_do(probe, kill_it, &b);
        else
            tr_probe_do(probe, exit_it, &(struct exiting){ b, TR_EFAULT });
        expect_stopped(b, i ? TR_EKILLED : TR_EFAULT);
        expect_stopped(a, i ? TR_EKILLED : TR_EFAULT);
    }
    close_system();
}

Test(link, a_normal_end_leaves_the_other_alone)
{
    open_system(2);
    tr_ref a = make(false), b = make(false);
    perform(a, link_it, &b);
    settle(b);
    perform(b, end_well, NULL);
    expect_stopped(b, 0);
    cr_assert_eq(settle(a), 0);
    perform(a, end_well, NULL);
    expect_stopped(a, 0);
    close_system();
}

/* ---- trapping ---------------------------------------------------------------------------------------------------- */

Test(link, one_that_traps_exits_is_told_of_any_end_and_lives)
{
    const int answers[] = { TR_STOP, TR_EPROTO, -999 };
    open_system(2);
    tr_ref trapper = make(true);
    for (unsigned i = 0; i < 3; i++)
        for (int who_links = 0; who_links < 2; who_links++) {
            tr_ref other = make(false);
            perform(who_links ? trapper : other, link_it, who_links ? &other : &trapper);
            settle(who_links ? other : trapper);
            perform(other, answer_with, (void *)&answers[i]);
            expect_stopped(other, answers[i] == TR_STOP ? 0 : answers[i]); /* its last words first */
            expect_exited(other, answers[i] == TR_STOP ? 0 : answers[i]);
        }
    cr_assert(tr_alive(trapper));
    close_system();
}

static int say_a_lot_and_crash(tr_self *self, void *arg)
{
    for (int i = 0; i < 100; i++)
        tr_send(self, *(tr_ref *)arg, number, .n = i);
    return TR_EPROTO;
}

Test(link, the_news_come_after_the_last_words)
{
    open_system(2);
    tr_ref me = tr_probe_ref(probe);
    for (int round = 0; round < 50; round++) {
        tr_ref puppet = make_puppet(0);
        tr_probe_do(probe, link_it, &puppet);
        direct(puppet, say_a_lot_and_crash, &me);
        for (int i = 0; i < 100; i++)
            cr_assert_eq(tr_body(number, expect(number))->n, i);
        expect_exited(puppet, TR_EPROTO);
    }
    close_system();
}

Test(link, a_spawn_with_link_ties_both)
{
    open_system(2);
    tr_ref puppet = probe_spawn(&puppet_actor, (&(struct puppet){ tr_probe_ref(probe), 0 }), .link = true);
    perform(puppet, crash, NULL);
    expect_exited(puppet, TR_EPROTO); /* the probe traps */
    close_system();
}

/* ---- not twice, not with the dead -------------------------------------------------------------------------------- */

static int link_twice(tr_self *self, void *arg)
{
    cr_assert_eq(tr_link(self, *(tr_ref *)arg), 0);
    cr_assert_eq(tr_link(self, *(tr_ref *)arg), 0);
    return TR_CONTINUE;
}

Test(link, linking_twice_is_linking_once)
{
    open_system(2);
    tr_ref a = make(true), b = make(true);
    perform(a, link_twice, &b);
    perform(b, link_twice, &a);
    settle(a);
    perform(b, end_well, NULL);
    expect_stopped(b, 0);
    expect_exited(b, 0);
    settle(a);
    expect_nothing(0);
    close_system();
}

/* Both ask at the same moment: still one link. */
Test(link, when_both_link_at_once_there_is_one_link)
{
    open_system(2);
    for (unsigned i = 0; i < scaled(500, 50000); i++) {
        tr_ref a = probe_spawn(&trapping_puppet, &(struct puppet){ tr_probe_ref(probe), 0 });
        tr_ref b = probe_spawn(&trapping_puppet, &(struct puppet){ tr_probe_ref(probe), 0 });
        direct(a, link_it, &b);
        perform(b, link_it, &a);
        settle(a);
        perform(b, end_well, NULL);
        expect_exited(b, 0);
        perform(a, end_well, NULL);
    }
    expect_nothing(0);
    close_system();
}

static int link_self(tr_self *self, void *arg)
{
    (void)arg;
    return tr_link(self, tr_me(self));
}

Test(link, a_link_to_oneself_is_none)
{
    open_system(1);
    tr_ref a = make(true);
    cr_assert_eq(perform(a, link_self, NULL), 0);
    perform(a, end_well, NULL);
    expect_stopped(a, 0);
    expect_nothing(0);
    close_system();
}

Test(link, linking_to_one_that_is_down_is_as_if_it_ended_now)
{
    open_system(2);
    tr_ref dead = make_puppet(0), nobody = TR_NOBODY;
    perform(dead, end_well, NULL);
    while (tr_alive(dead)) {
    }
    for (int i = 0; i < 2; i++) {
        tr_ref *to = i ? &nobody : &dead, a = make(true), b = make(false);
        perform(a, link_it, to);
        expect_exited(*to, TR_ENOENT);
        perform(b, link_it, to);
        expect_stopped(b, TR_ENOENT);
    }
    close_system();
}

static int link_and_kill(tr_self *self, void *arg)
{
    cr_assert_eq(tr_link(self, *(tr_ref *)arg), 0);
    tr_kill(self, *(tr_ref *)arg);
    return TR_CONTINUE;
}

Test(link, one_that_was_alive_is_told_with_its_reason_though_the_end_overtook_the_link)
{
    open_system(1);
    tr_ref puppet = make_puppet(0);
    tr_probe_do(probe, link_and_kill, &puppet);
    expect_exited(puppet, TR_EKILLED);
    close_system();
}

/* ---- unlinking --------------------------------------------------------------------------------------------------- */

Test(link, after_unlinking_neither_hears_of_the_other)
{
    open_system(2);
    for (int i = 0; i < 4; i++) {
        tr_ref a = make(false), b = make(false);
        perform(a, link_it, &b);
        settle(b);
        perform(i % 2 ? a : b, unlink_it, i % 2 ? &b : &a);
        settle(i % 2 ? b : a);
        perform(i / 2 ? a : b, crash, NULL);
        expect_stopped(i / 2 ? a : b, TR_EPROTO);
        cr_assert_eq(settle(i / 2 ? b : a), 0);
        perform(i / 2 ? b : a, end_well, NULL);
        expect_stopped(i / 2 ? b : a, 0);
    }
    close_system();
}

struct late_unlink {
    tr_ref other;
    struct gate gate;
};

static int unlink_what_waits(tr_self *self, void *arg)
{
    struct late_unlink *late = arg;
    gate_pass(&late->gate);
    tr_unlink(self, late->other);
    return TR_CONTINUE;
}

Test(link, unlinking_takes_back_what_waits_in_the_mailbox)
{
    open_system(2);
    for (int trapping = 0; trapping < 2; trapping++) {
        struct late_unlink late = { .other = make_puppet(0) };
        tr_ref a = probe_spawn(trapping ? &trapping_puppet : &puppet_actor, &(struct puppet){ tr_probe_ref(probe), 0 });
        gate_init(&late.gate);
        perform(a, link_it, &late.other);
        settle(late.other);
        tr_probe_do(probe, monitor_it, &late.other);
        direct(a, unlink_what_waits, &late);
        gate_await(&late.gate);
        perform(late.other, crash, NULL);
        expect_down(late.other, TR_EPROTO); /* links are told before monitors */
        gate_open(&late.gate);
        cr_assert_eq(settle(a), 0);
    }
    expect_nothing(0);
    close_system();
}

Test(link, unlinking_what_is_not_linked_is_harmless)
{
    tr_ref nobody = TR_NOBODY;
    open_system(2);
    tr_ref a = make_puppet(0), b = make_puppet(0);
    for (int i = 0; i < 2; i++) {
        perform(a, unlink_it, &b);
        perform(a, unlink_it, &nobody);
        perform(a, unlink_it, &a);
    }
    perform(b, crash, NULL);
    perform(a, unlink_it, &b);
    cr_assert_eq(settle(a), 0);
    close_system();
}

static int link_unlink_link(tr_self *self, void *arg)
{
    for (int i = 0; i < 10; i++) {
        tr_link(self, *(tr_ref *)arg);
        tr_unlink(self, *(tr_ref *)arg);
    }
    tr_link(self, *(tr_ref *)arg);
    return TR_CONTINUE;
}

Test(link, after_unlinking_one_can_link_again)
{
    open_system(2);
    tr_ref a = make(true), b = make(true);
    perform(a, link_unlink_link, &b);
    settle(b);
    perform(b, end_well, NULL);
    expect_stopped(b, 0);
    expect_exited(b, 0);
    expect_nothing(0);
    close_system();
}

Test(link, after_unlinking_the_other_one_can_link_too)
{
    open_system(2);
    tr_ref a = make(true), b = make(true);
    perform(a, link_it, &b);
    settle(b);
    perform(a, unlink_it, &b);
    settle(b);
    perform(b, link_it, &a);
    settle(a);
    perform(b, crash, NULL);
    expect_stopped(b, TR_EPROTO);
    expect_exited(b, TR_EPROTO);
    close_system();
}

/* ---- restarts ---------------------------------------------------------------------------------------------------- */

struct household {
    tr_ref supervisor, child;
};

static struct puppet child_arg;
static const tr_child children[] = { { .name = "child", .actor = &puppet_actor, .arg = &child_arg } };
static const tr_supervisor family = { TR_SUPERVISOR, .name = "family", .children = children, .count = 1 };

static int supervise_family(tr_self *self, void *arg)
{
    struct household *house = arg;
    house->supervisor = tr_supervise(self, &family);
    return TR_CONTINUE;
}

Test(link, a_restart_ends_the_link_and_is_told_as_the_crash_it_was)
{
    struct household house;
    open_system(2);
    child_arg = (struct puppet){ tr_probe_ref(probe), TELL_START };
    tr_probe_do(probe, supervise_family, &house);
    house.child = tr_body(started, expect(started))->who;
    tr_ref a = probe_spawn(&trapping_puppet, &(struct puppet){ tr_probe_ref(probe), 0 });
    perform(a, link_it, &house.child);
    settle(house.child);
    for (int i = 0; i < 2; i++) {
        perform(house.child, crash, NULL);
        bool told = false, again = false;
        while (!again || (i == 0 && !told)) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            if (tr_is(started, m)) {
                again = true;
                cr_assert(tr_ref_eq(m->from, house.child), "it keeps its reference");
            } else {
                cr_assert_eq(tr_body(tr_exited, m)->reason, TR_EPROTO);
                cr_assert_eq(i, 0, "the link had ended with the first restart");
                told = true;
            }
        }
    }
    settle(a);
    expect_nothing(0);
    close_system();
}

/* ---- storms ------------------------------------------------------------------------------------------------------ */

TR_SIGNAL(again);
TR_DEFINE(again);

/* Actors that link, unlink and crash at random, over and over; a keeper that traps exits spawns a new one for each that
 * has ended, and in the end nothing is left. */
struct crowd {
    tr_ref members[16];
    unsigned count;
};
TR_MESSAGE(meet, struct crowd crowd;);
TR_DEFINE(meet);

struct mixer {
    tr_ref keeper;
};

static int mixer_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_random_below(self, 50) ? TR_CONTINUE : TR_EPROTO;
}

static int mixer_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_exited, m))
        return TR_CONTINUE;
    const struct crowd *crowd = &tr_body(meet, m)->crowd;
    for (unsigned i = 0; i < 8; i++) {
        tr_ref other = crowd->members[tr_random_below(self, crowd->count)];
        if (tr_random_below(self, 2))
            tr_link(self, other);
        else
            tr_unlink(self, other);
    }
    switch (tr_random_below(self, 8)) {
    case 0: return TR_STOP;
    case 1: return TR_EPROTO;
    default: return TR_CONTINUE;
    }
}

static const tr_actor mixer_actor = { TR_SPEC, .name = "mixer", .start = mixer_start, .receive = mixer_receive };
static const tr_actor trapping_mixer = { TR_SPEC, .name = "mixer", .start = mixer_start, .receive = mixer_receive,
    .trap_exits = true };

struct keeper {
    tr_ref master;
    struct crowd crowd;
    unsigned left;
};

static int keeper_start(tr_self *self, void *state, const void *arg)
{
    struct keeper *me = state;
    me->master = *(const tr_ref *)arg;
    me->left = scaled(3000, 300000);
    me->crowd.count = 16;
    for (unsigned i = 0; i < 16; i++)
        me->crowd.members[i] = tr_spawn(self, i % 2 ? &mixer_actor : &trapping_mixer, NULL, .link = true);
    tr_send(self, tr_me(self), again);
    return TR_CONTINUE;
}

static int keeper_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct keeper *me = state;
    if (tr_is(tr_exited, m)) {
        for (unsigned i = 0; i < 16; i++)
            if (tr_ref_eq(me->crowd.members[i], tr_body(tr_exited, m)->who))
                me->crowd.members[i] = tr_spawn(self, i % 2 ? &mixer_actor : &trapping_mixer, NULL, .link = true);
        return TR_CONTINUE;
    }
    for (unsigned i = 0; i < 16; i++)
        tr_send(self, me->crowd.members[i], meet, .crowd = me->crowd);
    if (me->left-- == 0) {
        tr_send(self, me->master, again);
        return TR_EPROTO; /* takes those along that do not trap */
    }
    tr_send(self, tr_me(self), again);
    return TR_CONTINUE;
}

static const tr_actor keeper_actor = { TR_SPEC, .name = "keeper", .start = keeper_start, .receive = keeper_receive,
    .state_size = sizeof(struct keeper), .arg_size = sizeof(tr_ref), .trap_exits = true };

Test(link, a_storm_of_links_and_deaths_leaves_nothing_behind)
{
    open_system(2);
    tr_ref me = tr_probe_ref(probe);
    probe_spawn(&keeper_actor, &me);
    expect(again);
    cr_assert_gt(stats_now().crashed, 100u);
    close_system();
}
