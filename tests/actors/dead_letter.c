/* Dead letters: the stream of what could not be delivered. */
#include "tests/actors/puppet.h"

TR_MESSAGE(letter, int n;);
TR_DEFINE(letter);

static int subscribe(tr_self *self, void *arg)
{
    int *answer = arg;
    int result = tr_dead_letters(self);
    if (answer)
        *answer = result;
    return TR_CONTINUE;
}

#define expect_note(reason, from, to, type) expect_note_((reason), (from), (to), &type##_type, __LINE__)

static void expect_note_(int reason, tr_ref from, tr_ref to, const tr_type *type, int line)
{
    const tr_msg *m = expect_(tr_probe_receive(probe, SOON), &tr_dead_letter_type, "tr_dead_letter", line);
    const tr_dead_letter *note = tr_body(tr_dead_letter, m);
    cr_assert(tr_ref_is_nobody(m->from), "line %d", line);
    cr_assert_eq(note->reason, reason, "line %d: %s", line, tr_error_name(note->reason));
    cr_assert_eq(note->type, type, "line %d: a %s", line, note->type->name);
    cr_assert(tr_ref_eq(note->from, from), "line %d: the wrong sender", line);
    cr_assert(tr_ref_eq(note->to, to), "line %d: the wrong receiver", line);
}

/* ---- notes ------------------------------------------------------------------------------------------------------- */

static int send_to(tr_self *self, void *arg)
{
    tr_send(self, *(tr_ref *)arg, letter);
    return TR_CONTINUE;
}

/* The system that a message to nobody belongs to is that of its sender: an actor. */
static void send_to_nobody(tr_ref sender)
{
    tr_ref nobody = TR_NOBODY;
    perform(sender, send_to, &nobody);
}

static int ask_it(tr_self *self, void *arg)
{
    tr_ask(self, *(tr_ref *)arg, SOON, letter);
    return TR_CONTINUE;
}

static tr_ref make_dead(void)
{
    tr_ref puppet = make_puppet(0);
    perform(puppet, end_well, NULL);
    while (tr_alive(puppet)) {
    }
    return puppet;
}

Test(dead_letter, a_note_names_reason_sender_receiver_and_type)
{
    open_system(2);
    tr_ref sender = make_puppet(0), dead = make_dead();
    tr_probe_do(probe, subscribe, NULL);
    perform(sender, send_to, &dead);
    expect_note(TR_EDOWN, sender, dead, letter);
    send_to_nobody(sender);
    expect_note(TR_EDOWN, sender, TR_NOBODY, letter);
    perform(sender, ask_it, &dead);
    expect_note(TR_EDOWN, sender, dead, letter);
    expect(tr_failed); /* the sender has been told of that as well */
    expect_nothing(0);
    close_system();
}

Test(dead_letter, what_waited_when_its_receiver_ended_is_one)
{
    struct gate gate;
    gate_init(&gate);
    open_system(2);
    tr_ref sender = make_puppet(0), receiver = make_puppet(0);
    tr_probe_do(probe, subscribe, NULL);
    direct(receiver, stand_at, &gate);
    gate_await(&gate);
    for (int i = 0; i < 3; i++)
        perform(sender, send_to, &receiver);
    cr_assert_eq(tr_post(receiver, letter), 0);
    tr_probe_do(probe, kill_it, &receiver);
    gate_open(&gate);
    for (int i = 0; i < 3; i++)
        expect_note(TR_EDOWN, sender, receiver, letter);
    expect_note(TR_EDOWN, TR_NOBODY, receiver, letter);
    expect_nothing(0);
    close_system();
}

static const tr_actor narrow[] = {
    { TR_SPEC, .name = "rejecting", .receive = quiet_receive, .mailbox = 2, .policy = TR_REJECT },
    { TR_SPEC, .name = "dropping new", .receive = quiet_receive, .mailbox = 2, .policy = TR_DROP_NEW },
    { TR_SPEC, .name = "dropping old", .receive = quiet_receive, .mailbox = 2, .policy = TR_DROP_OLD },
    { TR_SPEC, .name = "keeping latest", .receive = quiet_receive, .mailbox = 2, .policy = TR_KEEP_LATEST },
    { TR_SPEC, .name = "stopping when full", .receive = quiet_receive, .mailbox = 2, .policy = TR_STOP_FULL },
};

static int send_three(tr_self *self, void *arg)
{
    for (int i = 0; i < 3; i++)
        send_to(self, arg);
    return TR_CONTINUE;
}

Test(dead_letter, what_a_full_mailbox_drops_is_one)
{
    static const int reasons[] = { TR_EFULL, TR_EFULL, TR_EREPLACED, TR_EREPLACED, TR_EFULL };
    open_system(1); /* so all three are sent before the receiver runs */
    tr_ref sender = make_puppet(0);
    tr_probe_do(probe, subscribe, NULL);
    for (unsigned i = 0; i < 5; i++) {
        tr_ref receiver = probe_spawn(&narrow[i], NULL);
        perform(sender, send_three, &receiver);
        expect_note(reasons[i], sender, receiver, letter);
        if (i == 4) /* and it ends of it, with the two others */
            for (int n = 0; n < 2; n++)
                expect_note(TR_EDOWN, sender, receiver, letter);
    }
    expect_nothing(0);
    close_system();
}

static int send_without_memory(tr_self *self, void *arg)
{
    tri_memory_fail(1, false);
    cr_assert_eq(tr_send(self, *(tr_ref *)arg, letter), TR_ENOMEM);
    tri_memory_fail(0, false);
    return TR_CONTINUE;
}

Test(dead_letter, what_there_was_no_memory_for_is_one)
{
    tri_pool_off();
    open_system(1);
    tr_ref sender = make_puppet(0);
    tr_probe_do(probe, subscribe, NULL);
    perform(sender, send_without_memory, &sender);
    expect_note(TR_ENOMEM, sender, sender, letter);
    close_system();
}

/* What nobody has lost is none. */
static int expire_things(tr_self *self, void *arg)
{
    tr_ref dead = *(tr_ref *)arg;
    tr_demonitor(self, tr_monitor_set(self, dead));
    tr_cancel(self, tr_after(self, 0, 0));
    tr_abandon(self, tr_ask(self, tr_me(self), SOON, letter));
    tr_ask(self, tr_me(self), 0, letter);
    tr_kill(self, dead);
    tr_exit(self, dead, 0);
    tr_unlink(self, dead);
    return TR_CONTINUE;
}

Test(dead_letter, what_has_expired_or_was_no_message_of_the_programs_is_none)
{
    open_system(1);
    tr_ref dead = make_dead(), puppet = make_puppet(0);
    tr_probe_do(probe, subscribe, NULL);
    perform(puppet, expire_things, &dead);
    const tr_msg *m = expect(letter); /* the abandoned one; the puppet forwards it */
    cr_assert(tr_ref_eq(m->from, puppet));
    expect(tr_failed);
    expect_nothing(TR_MS(1));
    close_system();
}

/* ---- subscribers ------------------------------------------------------------------------------------------------- */

Test(dead_letter, subscribing_twice_is_subscribing_once)
{
    int answer = 1;
    open_system(1);
    tr_ref dead = make_dead();
    for (int i = 0; i < 3; i++) {
        tr_probe_do(probe, subscribe, &answer);
        cr_assert_eq(answer, 0);
    }
    tr_probe_send(probe, dead, letter);
    expect_note(TR_EDOWN, tr_probe_ref(probe), dead, letter);
    expect_nothing(0);
    close_system();
}

Test(dead_letter, eight_may_subscribe_and_one_that_has_ended_makes_room)
{
    tr_ref subscribers[9];
    int answer = 1;
    open_system(2);
    tr_ref sender = make_puppet(0);
    for (int i = 0; i < 9; i++) {
        subscribers[i] = make_puppet(0);
        perform(subscribers[i], subscribe, &answer);
        cr_assert_eq(answer, i < 8 ? 0 : TR_ELIMIT);
    }
    send_to_nobody(sender);
    for (int i = 0; i < 8; i++)
        expect_note(TR_EDOWN, sender, TR_NOBODY, letter); /* forwarded by each */
    perform(subscribers[3], end_well, NULL);
    while (tr_alive(subscribers[3])) {
    }
    perform(subscribers[8], subscribe, &answer);
    cr_assert_eq(answer, 0);
    send_to_nobody(sender);
    for (int i = 0; i < 8; i++)
        expect_note(TR_EDOWN, sender, TR_NOBODY, letter);
    expect_nothing(0);
    close_system();
}

/* ---- no recursion ------------------------------------------------------------------------------------------------ */

static int deaf_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_dead_letters(self);
}

static const tr_actor slow_clerk = { TR_SPEC, .name = "slow clerk", .start = deaf_start, .receive = quiet_receive,
    .mailbox = 4 };

static int send_fifty(tr_self *self, void *arg)
{
    for (int i = 0; i < 50; i++)
        tr_send(self, TR_NOBODY, letter);
    tr_system_stats(self, arg);
    return TR_CONTINUE;
}

Test(dead_letter, a_note_that_does_not_fit_is_counted_and_no_note_is_made_of_it)
{
    tr_stats stats;
    open_system(1);
    tr_ref sender = make_puppet(0), clerk = probe_spawn(&slow_clerk, NULL);
    settle(sender); /* the clerk has started */
    perform(sender, send_fifty, &stats);
    cr_assert_eq(stats.dead_down, 50u);
    cr_assert_eq(stats.dead_full, 46u); /* notes; four wait in the clerk's mailbox */
    tr_actor_stats of_clerk;
    do
        cr_assert_eq(tr_stats_of(clerk, &of_clerk), 0);
    while (of_clerk.handled < 4);
    settle(sender);
    cr_assert_eq(tr_stats_of(clerk, &of_clerk), 0);
    cr_assert_eq(of_clerk.handled, 4u);
    close_system();
}

Test(dead_letter, a_subscriber_that_ends_with_notes_waiting_makes_no_more_of_them)
{
    struct gate gate;
    gate_init(&gate);
    open_system(2);
    tr_ref clerk = make_puppet(0), sender = make_puppet(0);
    perform(clerk, subscribe, NULL);
    direct(clerk, stand_at, &gate);
    gate_await(&gate);
    for (int i = 0; i < 20; i++)
        send_to_nobody(sender);
    tr_stats before = stats_now();
    tr_probe_do(probe, kill_it, &clerk);
    gate_open(&gate);
    while (tr_alive(clerk)) {
    }
    while (stats_now().dead - before.dead < 20) { /* the notes themselves are dead letters */
    }
    send_to_nobody(sender);
    tr_stats after = stats_now();
    cr_assert_eq(after.dead_down - before.dead_down, 20u + 2); /* that one, and the note the clerk did not get */
    send_to_nobody(sender);
    cr_assert_eq(stats_now().dead_down - after.dead_down, 1u, "it is still subscribed");
    close_system();
}

/* A crowd of subscribers that themselves send to the dead for each note would go on for ever, if notes were made of
 * notes; this one sends once. */
static int echoing_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_dead_letter, m))
        tr_forward(self, m, TR_NOBODY); /* a dead letter about a dead letter */
    return TR_CONTINUE;
}
static const tr_actor echoing_clerk = { TR_SPEC, .name = "echoing clerk", .start = deaf_start, .receive = echoing_receive };

Test(dead_letter, a_dead_note_is_no_dead_letter_to_anybody)
{
    open_system(1);
    tr_ref clerk = probe_spawn(&echoing_clerk, NULL), sender = make_puppet(0);
    tr_probe_do(probe, subscribe, NULL);
    for (int i = 0; i < 2; i++) {
        send_to_nobody(sender);
        expect_note(TR_EDOWN, sender, TR_NOBODY, letter);
    }
    expect_nothing(0);
    tr_actor_stats stats;
    cr_assert_eq(tr_stats_of(clerk, &stats), 0);
    cr_assert_leq(stats.handled, 2u);
    close_system();
}
