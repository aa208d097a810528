/* Messages that are held until the handler returns, and when they are not. */
#include "tests/actors/puppet.h"

#include "actors/self.h"

#include <sched.h>
#include <troupe/block.h>

TR_MESSAGE(number, int n;);
TR_DEFINE(number);
TR_SIGNAL(nudge);
TR_DEFINE(nudge);

/* A receiver that stands at a gate, on another worker than the sender, and so is busy for as long as a test wants. */
static struct gate gate;

/* What is held in such a system stays so, however long a handler takes (but see held.c). */
static void open_without_help(void)
{
    open_system(2);
    struct tri_system *system = tri_system_enter_handle(&test_system);
    system->sched.can_rescue = false;
    tri_system_leave(system->number);
}

static tr_ref open_with_a_busy_puppet(void)
{
    gate_init(&gate);
    open_without_help();
    tr_ref puppet = make_puppet(0);
    direct(puppet, stand_at, &gate);
    gate_await(&gate);
    return puppet;
}

static struct tri_mailbox *mailbox_of(tr_ref actor)
{
    struct tri_slot *slot = tri_slot_find(actor);
    cr_assert_not_null(slot);
    return &slot->box;
}

/* How many have been pushed. */
static unsigned in_mailbox(tr_ref actor)
{
    return tri_word_count(ck_pr_load_64(&mailbox_of(actor)->word));
}

static unsigned held(const tr_self *self)
{
    return self->holds ? tri_outbox_count(self->outbox.word) : 0;
}

/* The numbers from first to last - 1. */
static void send_numbers(tr_self *self, tr_ref to, int first, int last)
{
    for (int i = first; i < last; i++)
        cr_assert_eq(tr_send(self, to, number, .n = i), 0);
}

static void expect_numbers(int first, int last)
{
    for (int i = first; i < last; i++)
        cr_assert_eq(tr_body(number, expect(number))->n, i);
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

static int send_five(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    send_numbers(self, to, 0, 2);
    cr_assert_eq(in_mailbox(to), 2);
    cr_assert_eq(held(self), 0);
    send_numbers(self, to, 2, 5);
    cr_assert_eq(in_mailbox(to), 2);
    cr_assert_eq(held(self), 3);
    return TR_CONTINUE;
}

Test(outbox, the_third_message_in_a_row_to_a_busy_actor_waits_until_the_handler_returns)
{
    tr_ref busy = open_with_a_busy_puppet(), sender = make_puppet(0);
    perform(sender, send_five, &busy);
    settle(sender);
    cr_assert_eq(in_mailbox(busy), 5);
    gate_open(&gate);
    expect_numbers(0, 5);
    close_system();
}

static int send_one(tr_self *self, void *arg)
{
    send_numbers(self, *(tr_ref *)arg, 0, 1);
    cr_assert_eq(held(self), 0);
    return TR_CONTINUE;
}

Test(outbox, messages_of_different_handlers_are_not_in_a_row)
{
    tr_ref busy = open_with_a_busy_puppet(), sender = make_puppet(0);
    for (int i = 0; i < 5; i++)
        perform(sender, send_one, &busy);
    cr_assert_eq(in_mailbox(busy), 5);
    gate_open(&gate);
    for (int i = 0; i < 5; i++)
        expect(number);
    close_system();
}

static int send_too_many(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    send_numbers(self, to, 0, 2 + TRI_OUTBOX_MAX);
    cr_assert_eq(held(self), TRI_OUTBOX_MAX);
    cr_assert_eq(in_mailbox(to), 2);
    send_numbers(self, to, 2 + TRI_OUTBOX_MAX, 5 + TRI_OUTBOX_MAX);
    cr_assert_eq(held(self), 3);
    cr_assert_eq(in_mailbox(to), 2 + TRI_OUTBOX_MAX);
    return TR_CONTINUE;
}

Test(outbox, when_as_many_as_may_be_are_held_they_are_pushed)
{
    tr_ref busy = open_with_a_busy_puppet(), sender = make_puppet(0);
    perform(sender, send_too_many, &busy);
    gate_open(&gate);
    expect_numbers(0, 5 + TRI_OUTBOX_MAX);
    close_system();
}

/* ---- what is not ------------------------------------------------------------------------------------------------- */

static int send_and_await_each(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    send_numbers(self, to, 0, 3);
    cr_assert_eq(held(self), 1);
    gate_open(&gate);
    while (!(ck_pr_load_64(&mailbox_of(to)->word) & TRI_WORD_IDLE)) /* the first two are handled */
        sched_yield();
    for (int i = 3; i < 6; i++) {
        send_numbers(self, to, i, i + 1); /* and with it what was held */
        cr_assert_eq(held(self), 0);
        while (!(ck_pr_load_64(&mailbox_of(to)->word) & TRI_WORD_IDLE))
            sched_yield();
    }
    return TR_CONTINUE;
}

Test(outbox, a_receiver_that_is_found_idle_gets_its_messages_at_once)
{
    tr_ref busy = open_with_a_busy_puppet(), sender = make_puppet(0);
    perform(sender, send_and_await_each, &busy);
    expect_numbers(0, 6);
    close_system();
}

static int send_to_oneself(tr_self *self, void *arg)
{
    (void)arg;
    send_numbers(self, tr_me(self), 0, 5);
    cr_assert_eq(held(self), 0);
    return TR_CONTINUE;
}

Test(outbox, messages_to_oneself_are_not_held)
{
    open_system(1);
    perform(make_puppet(0), send_to_oneself, NULL);
    expect_numbers(0, 5);
    close_system();
}

static const tr_actor small_puppet = { PUPPET, .mailbox = 2 * TRI_OUTBOX_MAX + 4 };

static int send_until_half_full(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    send_numbers(self, to, 0, 3);
    cr_assert_eq(held(self), 1); /* two and these are half of what it may have */
    tr_send(self, tr_me(self), number, .n = -1);
    cr_assert_eq(in_mailbox(to), 3);
    send_numbers(self, to, 3, 5);
    cr_assert_eq(held(self), 0);
    send_numbers(self, to, 5, 2 * TRI_OUTBOX_MAX + 4);
    cr_assert_eq(held(self), 0);
    cr_assert_eq(in_mailbox(to), 2 * TRI_OUTBOX_MAX + 4);
    cr_assert_eq(tr_send(self, to, number), TR_EFULL);
    return TR_CONTINUE;
}

Test(outbox, nothing_is_held_for_a_mailbox_that_may_become_half_full)
{
    gate_init(&gate);
    open_without_help();
    tr_ref busy = probe_spawn(&small_puppet, &(struct puppet){ tr_probe_ref(probe), 0 }), sender = make_puppet(0);
    while (!(ck_pr_load_64(&mailbox_of(busy)->word) & TRI_WORD_IDLE)) /* so that nothing is counted as backlog */
        sched_yield();
    direct(busy, stand_at, &gate);
    gate_await(&gate);
    perform(sender, send_until_half_full, &busy);
    gate_open(&gate);
    int next = 0;
    for (int i = 0; i <= 2 * TRI_OUTBOX_MAX + 4; i++) {
        int n = tr_body(number, expect(number))->n;
        cr_assert(n == -1 || n == next);
        next += n == next;
    }
    close_system();
}

/* ---- what pushes it ---------------------------------------------------------------------------------------------- */

static tr_ref bystander;

static void send_to_another(tr_self *self, tr_ref to)
{
    (void)to;
    tr_send(self, bystander, nudge);
}

static void send_urgently(tr_self *self, tr_ref to)
{
    tr_send_urgent(self, to, nudge);
}

static void ask_another(tr_self *self, tr_ref to)
{
    (void)to;
    tr_ask(self, bystander, TR_SECONDS(10), nudge);
}

static void spawn_one(tr_self *self, tr_ref to)
{
    (void)to;
    cr_assert_not(tr_ref_is_nobody(tr_spawn(self, &quiet_root, NULL)));
}

static void kill_another(tr_self *self, tr_ref to)
{
    (void)to;
    tr_kill(self, bystander);
}

static void have_another_exit(tr_self *self, tr_ref to)
{
    (void)to;
    tr_exit(self, bystander, TR_ECANCELED);
}

static int job(void *arg)
{
    (void)arg;
    return 0;
}

static void block_for_it(tr_self *self, tr_ref to)
{
    (void)to;
    tr_block(self, job, NULL);
}

static void post_it(tr_self *self, tr_ref to)
{
    (void)self;
    tr_post(to, nudge);
}

static void monitor_another(tr_self *self, tr_ref to)
{
    (void)to;
    tr_monitor_set(self, bystander);
}

static const struct {
    const char *name;
    void (*act)(tr_self *self, tr_ref to);
    unsigned more; /* in the mailbox */
} deeds[] = {
    { "a send to another", send_to_another, 0 },
    { "an urgent one to the same", send_urgently, 1 },
    { "an ask", ask_another, 0 },
    { "a spawn", spawn_one, 0 },
    { "a kill", kill_another, 0 },
    { "a request to exit", have_another_exit, 0 },
    { "a job", block_for_it, 0 },
    { "a post", post_it, 1 },
    { "a monitor", monitor_another, 0 },
};

static int hold_and_do(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    unsigned before = in_mailbox(to);
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        send_numbers(self, to, 0, 4);
        unsigned waiting = held(self);
        cr_assert(waiting > 0, "before %s", deeds[i].name);
        deeds[i].act(self, to);
        before += 4 + deeds[i].more;
        cr_assert_eq(held(self), 0, "after %s", deeds[i].name);
        cr_assert_eq(in_mailbox(to), before, "after %s", deeds[i].name);
    }
    return TR_CONTINUE;
}

Test(outbox, what_is_held_is_pushed_before_anything_else_that_others_can_notice)
{
    tr_ref busy = open_with_a_busy_puppet(), sender = make_puppet(0);
    bystander = probe_spawn(&quiet_root, NULL);
    perform(sender, hold_and_do, &busy);
    gate_open(&gate);
    close_system();
}

/* ---- the end of the receiver ------------------------------------------------------------------------------------- */

static int stand_and_end(tr_self *self, void *arg)
{
    stand_at(self, arg);
    return TR_STOP;
}

static void await_end(tr_ref actor)
{
    while (ck_pr_load_64(&mailbox_of(actor)->word) != TRI_WORD_CLOSED)
        sched_yield();
}

static int send_and_outlive(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    send_numbers(self, to, 0, 7);
    cr_assert_eq(held(self), 5);
    gate_open(&gate);
    await_end(to);
    cr_assert_eq(tr_send(self, to, number, .n = 7), TR_EDOWN); /* it is seen at the next send, or when the handler returns */
    return TR_CONTINUE;
}

static int send_and_outlive_quietly(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    send_numbers(self, to, 0, 8);
    gate_open(&gate);
    await_end(to);
    return TR_CONTINUE;
}

static int watch_dead_letters(tr_self *self, void *arg)
{
    (void)arg;
    return tr_dead_letters(self);
}

static void outlive(int (*how)(tr_self *self, void *arg))
{
    gate_init(&gate);
    open_without_help();
    tr_probe_do(probe, watch_dead_letters, NULL);
    tr_ref busy = make_puppet(0), sender = make_puppet(0);
    direct(busy, stand_and_end, &gate);
    gate_await(&gate);
    perform(sender, how, &busy);
    for (int i = 0; i < 8; i++) {
        const tr_dead_letter *letter = tr_body(tr_dead_letter, expect(tr_dead_letter));
        cr_assert_eq(letter->reason, TR_EDOWN);
        cr_assert(tr_ref_eq(letter->to, busy) && tr_ref_eq(letter->from, sender), "letter %d", i);
        cr_assert_eq(letter->type, &number_type);
    }
    close_system();
}

Test(outbox, what_was_held_for_an_actor_that_has_ended_becomes_dead_letters)
{
    outlive(send_and_outlive);
    outlive(send_and_outlive_quietly);
}

/* ---- between threads --------------------------------------------------------------------------------------------- */

enum { WRITERS = 6, READERS = 3, ROUNDS = 400 };

TR_MESSAGE(item, int writer; int n;);
TR_SIGNAL(go_on);
TR_DEFINE(item);
TR_DEFINE(go_on);
TR_SIGNAL(all_read);
TR_DEFINE(all_read);

static tr_ref readers[READERS];
static unsigned most_held; /* of what one of the writers saw */

struct writer {
    int number, rounds;
    int next[READERS];
    uint32_t random;
};

static uint32_t draw(struct writer *me, uint32_t below)
{
    me->random = me->random * 1664525 + 1013904223;
    return (me->random >> 16) % below;
}

/* Bursts of all lengths to this one and that one, by handlers that run now here, now there. */
static int writer(tr_self *self, void *state, const tr_msg *m)
{
    struct writer *me = state;
    (void)m;
    for (uint32_t bursts = 1 + draw(me, 3); bursts; bursts--) {
        uint32_t to = draw(me, READERS);
        for (uint32_t length = draw(me, 4) ? draw(me, 6) : draw(me, 2 * TRI_OUTBOX_MAX); length; length--)
            tr_send(self, readers[to], item, .writer = me->number, .n = me->next[to]++);
        if (held(self) > ck_pr_load_uint(&most_held))
            ck_pr_store_uint(&most_held, held(self));
    }
    if (--me->rounds) {
        tr_send(self, tr_me(self), go_on);
        return TR_CONTINUE;
    }
    for (int i = 0; i < READERS; i++)
        tr_send(self, readers[i], item, .writer = me->number, .n = -1 - me->next[i]);
    return TR_STOP;
}

static int writer_start(tr_self *self, void *state, const void *arg)
{
    *(struct writer *)state =
        (struct writer){ .number = *(const int *)arg, .rounds = ROUNDS, .random = (uint32_t) * (const int *)arg };
    tr_send(self, tr_me(self), go_on);
    return TR_CONTINUE;
}

static const tr_actor writer_actor = { TR_SPEC, .name = "writer", .start = writer_start, .receive = writer,
    .state_size = sizeof(struct writer), .arg_size = sizeof(int) };

struct reader {
    tr_ref master;
    int next[WRITERS], ended;
};

static int reader(tr_self *self, void *state, const tr_msg *m)
{
    struct reader *me = state;
    const item *body = tr_body(item, m);
    int *next = &me->next[body->writer];
    if (body->n >= 0) {
        cr_assert_eq(body->n, *next, "of %d: %d, not %d", body->writer, body->n, *next);
        ++*next;
        return TR_CONTINUE;
    }
    cr_assert_eq(-1 - body->n, *next, "the last of %d", body->writer);
    if (++me->ended < WRITERS)
        return TR_CONTINUE;
    tr_send(self, me->master, all_read);
    return TR_STOP;
}

static int reader_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct reader *)state = (struct reader){ .master = *(const tr_ref *)arg };
    return TR_CONTINUE;
}

static const tr_actor reader_actor = { TR_SPEC, .name = "reader", .start = reader_start, .receive = reader,
    .mailbox = TR_MAILBOX_MAX, .state_size = sizeof(struct reader), .arg_size = sizeof(tr_ref) };

Test(outbox, between_threads_all_arrives_once_and_in_the_order_of_each_sender)
{
    open_system(3);
    tr_ref me = tr_probe_ref(probe);
    ck_pr_store_uint(&most_held, 0);
    for (int i = 0; i < READERS; i++)
        readers[i] = probe_spawn(&reader_actor, &me);
    for (int i = 0; i < WRITERS; i++)
        probe_spawn(&writer_actor, &i);
    for (int i = 0; i < READERS; i++)
        expect(all_read);
    close_system();
    cr_assert_gt(most_held, 1u);
}

/* Readers that end while they are written to. What becomes of each message is counted, and tr_close compares. */

TR_MESSAGE(line, unsigned n;);
TR_DEFINE(line);

struct mortal {
    unsigned left;
};

static int mortal(tr_self *self, void *state, const tr_msg *m)
{
    struct mortal *me = state;
    (void)self;
    (void)m;
    return --me->left ? TR_CONTINUE : TR_STOP;
}

static int mortal_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct mortal *)state = *(const struct mortal *)arg;
    return TR_CONTINUE;
}

static const tr_actor mortal_actor = { TR_SPEC, .name = "mortal", .start = mortal_start, .receive = mortal,
    .state_size = sizeof(struct mortal), .arg_size = sizeof(struct mortal) };

static int dictate(tr_self *self, void *arg)
{
    unsigned rounds = *(unsigned *)arg;
    for (unsigned i = 0; i < rounds; i++) {
        tr_ref reader = tr_spawn(self, &mortal_actor, (&(struct mortal){ 1 + tr_random_below(self, 400) }));
        for (unsigned n = 0; tr_send(self, reader, line, .n = n) != TR_EDOWN; n++)
            while (in_mailbox(reader) > 500 && ck_pr_load_64(&mailbox_of(reader)->word) != TRI_WORD_CLOSED) /* not begun */
                sched_yield();
    }
    return TR_CONTINUE;
}

Test(outbox, between_threads_what_is_held_for_those_that_end_is_neither_lost_nor_doubled)
{
    unsigned rounds = scaled(60, 600);
    open_system(2);
    perform(make_puppet(0), dictate, &rounds);
    close_system();
}
