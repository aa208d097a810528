/* Counters: of the system, which balance, and of an actor. */
#include "tests/actors/puppet.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);
TR_SIGNAL(again);
TR_DEFINE(again);

/* With nothing waiting in a mailbox. */
static void expect_balance(void)
{
    tr_stats stats;
    do
        stats = stats_now();
    while (stats.sent != stats.delivered + stats.dead + stats.expired); /* what was sent last is being handled */
    cr_assert_eq(stats.dead, stats.dead_down + stats.dead_full + stats.dead_replaced + stats.dead_other);
}

static int do_a_bit_of_everything(tr_self *self, void *arg)
{
    tr_ref other = *(tr_ref *)arg;
    for (int i = 0; i < 10; i++) {
        tr_send(self, other, number);
        tr_send(self, TR_NOBODY, number);
        tr_ask(self, other, i % 2 ? SOON : 0, number);
        tr_abandon(self, tr_ask(self, other, SOON, number));
        tr_cancel(self, tr_after(self, TR_HOURS(1), 0));
        tr_after(self, 0, 0);
        tr_demonitor(self, tr_monitor_set(self, other));
        tr_monitor_set(self, TR_NOBODY);
        tr_link(self, TR_NOBODY);
    }
    return TR_CONTINUE;
}

Test(stats, what_was_sent_was_delivered_is_dead_or_has_expired)
{
    open_system(2);
    tr_ref a = probe_spawn(&trapping_puppet, &(struct puppet){ tr_probe_ref(probe), 0 }), b = make_puppet(0);
    for (int i = 0; i < 20; i++) {
        perform(a, do_a_bit_of_everything, &b);
        while (tr_probe_receive(probe, 0)) {
        }
    }
    perform(b, crash, NULL);
    for (int i = 0; i < 20; i++)
        perform(a, do_a_bit_of_everything, &b);
    expect_balance();
    close_system();
}

static int count_sends(tr_self *self, void *arg)
{
    tr_stats *stats = arg;
    tr_system_stats(self, &stats[0]);
    for (int i = 0; i < 7; i++)
        tr_send(self, tr_me(self), again);
    tr_send(self, TR_NOBODY, again);
    tr_system_stats(self, &stats[1]);
    return TR_CONTINUE;
}

static int stats_of_system(tr_self *self, void *arg)
{
    tr_system_stats(self, arg);
    return TR_CONTINUE;
}

static int counting_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    return tr_is(act, m) ? tr_body(act, m)->function(self, tr_body(act, m)->arg) : TR_CONTINUE;
}
static const tr_actor counting_actor = { TR_SPEC, .name = "counting", .receive = counting_receive };

Test(stats, each_message_is_counted_once)
{
    tr_stats stats[2], after;
    open_system(1);
    tr_ref counting = probe_spawn(&counting_actor, NULL);
    perform(counting, count_sends, stats);
    perform(counting, stats_of_system, &after);
    cr_assert_eq(stats[1].sent - stats[0].sent, 8u);
    cr_assert_eq(stats[1].dead_down - stats[0].dead_down, 1u);
    cr_assert_eq(stats[1].delivered - stats[0].delivered, 0u);
    cr_assert_eq(after.delivered - stats[0].delivered, 8u); /* the one that counted, and seven */
    cr_assert_eq(after.sent - stats[1].sent, 1u);
    close_system();
}

Test(stats, actors_are_counted)
{
    open_system(2);
    tr_stats before = stats_now();
    tr_ref ending = make_puppet(0), crashing = make_puppet(0), dismissed = make_puppet(0);
    tr_probe_do(probe, monitor_it, &dismissed);
    tr_probe_do(probe, exit_it, &(struct exiting){ dismissed, TR_ESHUTDOWN }); /* as supervisors do: no crash */
    expect_down(dismissed, TR_ESHUTDOWN);
    make_puppet(0);
    tr_probe_do(probe, monitor_it, &ending);
    tr_probe_do(probe, monitor_it, &crashing);
    perform(ending, end_well, NULL);
    perform(crashing, crash, NULL);
    expect(tr_down);
    expect(tr_down);
    tr_stats after;
    do /* their slots are released after the news of their ends */
        after = stats_now();
    while (after.ended - before.ended < 3);
    cr_assert_eq(after.spawned - before.spawned, 4u);
    cr_assert_eq(after.ended - before.ended, 3u);
    cr_assert_eq(after.crashed - before.crashed, 1u);
    cr_assert_eq(after.restarted, 0u);
    cr_assert_gt(after.turns, before.turns);
    close_system();
}

/* ---- of one actor ------------------------------------------------------------------------------------------------ */

Test(stats, the_counters_of_an_actor_can_be_read_by_any_thread)
{
    struct gate gate;
    tr_actor_stats stats;
    gate_init(&gate);
    open_system(2);
    tr_ref puppet = make_puppet(0);
    for (int i = 0; i < 10; i++)
        settle(puppet);
    do /* it is counted at the end of the turn */
        cr_assert_eq(tr_stats_of(puppet, &stats), 0);
    while (stats.handled < 10);
    cr_assert_eq(stats.handled, 10u);
    cr_assert_str_eq(stats.name, "puppet");
    cr_assert_eq(stats.restarts, 0u);
    cr_assert_eq(stats.waiting_bulk, 0u);
    direct(puppet, stand_at, &gate);
    gate_await(&gate);
    for (int i = 0; i < 25; i++)
        direct(puppet, do_nothing, NULL);
    cr_assert_eq(tr_stats_of(puppet, &stats), 0);
    cr_assert(stats.waiting >= 25 && stats.waiting <= 26, "%u", stats.waiting); /* "about": with the one that stands there */
    gate_open(&gate);
    settle(puppet);
    do
        cr_assert_eq(tr_stats_of(puppet, &stats), 0);
    while (stats.waiting);
    perform(puppet, end_well, NULL);
    while (tr_alive(puppet)) {
    }
    cr_assert_eq(tr_stats_of(puppet, &stats), TR_EDOWN);
    cr_assert_eq(tr_stats_of(TR_NOBODY, &stats), TR_EDOWN);
    close_system();
}

static struct puppet child_arg;
static const tr_child children[] = { { .actor = &puppet_actor, .arg = &child_arg, .intensity = 1000, .period_ns = 1 } };
static const tr_supervisor family = { TR_SUPERVISOR, .name = "family", .children = children, .count = 1 };

static int supervise_family(tr_self *self, void *arg)
{
    (void)arg;
    tr_supervise(self, &family);
    return TR_CONTINUE;
}

Test(stats, restarts_are_counted)
{
    tr_actor_stats stats;
    open_system(2);
    child_arg = (struct puppet){ tr_probe_ref(probe), TELL_START };
    tr_probe_do(probe, supervise_family, NULL);
    tr_ref child = tr_body(started, expect(started))->who;
    for (unsigned i = 1; i <= 10; i++) {
        direct(child, crash, NULL);
        cr_assert_eq(tr_body(started, expect(started))->incarnation, i);
        cr_assert_eq(tr_stats_of(child, &stats), 0);
        cr_assert_eq(stats.restarts, i);
    }
    cr_assert_eq(stats_now().restarted, 10u);
    cr_assert_eq(stats_now().crashed, 10u);
    cr_assert_eq(stats_now().ended, 0u);
    close_system();
}

/* Read while everything changes: no torn or absurd value. */
static void *watch(void *arg)
{
    tr_ref *refs = arg;
    tr_actor_stats stats;
    uint64_t seen = 0;
    for (unsigned i = 0; i < 20000; i++)
        if (tr_stats_of((tr_ref){ ck_pr_load_64(&refs[i % 4].bits) }, &stats) == 0) {
            cr_assert_str_eq(stats.name, "puppet");
            cr_assert_leq(stats.waiting, 20u);
            seen++;
        }
    return (void *)(uintptr_t)seen;
}

Test(stats, an_actor_may_end_while_its_counters_are_read)
{
    static tr_ref refs[4];
    pthread_t thread;
    void *seen;
    open_system(2);
    for (int i = 0; i < 4; i++)
        refs[i] = make_puppet(0);
    pthread_create(&thread, NULL, watch, refs);
    for (unsigned i = 0; i < 1000; i++) {
        direct(refs[i % 4], end_well, NULL);
        ck_pr_store_64(&refs[i % 4].bits, make_puppet(0).bits);
    }
    pthread_join(thread, &seen);
    cr_assert_gt((uintptr_t)seen, 0u);
    close_system();
}
