/*
 * A worker that is held by a handler: what belongs to it goes on without it.
 *
 * Handlers that hold their worker do so until the test has what it waits for, and in vain if nobody helps.
 */
#include "tests/actors/puppet.h"

#include "actors/self.h"
#include "tests/threads.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);
TR_SIGNAL(request);
TR_DEFINE(request);

static uint32_t rescues(void)
{
    struct tri_system *system = tri_system_enter_handle(&test_system);
    uint32_t sum = 0;
    for (unsigned i = 0; i < system->sched.count; i++)
        sum += ck_pr_load_32(&system->sched.workers[i]->rescues);
    tri_system_leave(system->number);
    return sum;
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static struct gate gate;
static tr_ref neighbour, mute;

static int take_it(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tr_take(self, m);
    return TR_CONTINUE;
}

static const tr_actor mute_actor = { TR_SPEC, .name = "mute", .receive = take_it };

/* Whom it sends to runs on the same worker when this returns. */
static int wait_for_something_and_let_a_neighbour_hold_the_worker(tr_self *self, void *arg)
{
    if (arg)
        tr_after(self, TR_MS(20), 1);
    else
        tr_ask(self, mute, TR_MS(20), request);
    tr_send(self, neighbour, act, .function = stand_at, .arg = &gate);
    return TR_CONTINUE;
}

static void expect_help(void *timer, const tr_type *type)
{
    open_system(2);
    gate_init(&gate);
    neighbour = make_puppet(0);
    mute = probe_spawn(&mute_actor, NULL);
    tr_ref puppet = make_puppet(0);
    do {
        direct(puppet, wait_for_something_and_let_a_neighbour_hold_the_worker, timer);
        gate_await(&gate);
        expect_(tr_probe_receive(probe, SOON), type, type->name, __LINE__);
        gate_open(&gate);
        settle(neighbour);
    } while (!rescues()); /* the other worker may have been faster */
    close_system();
}

Test(held, the_timers_of_others_fire_while_their_worker_is_held)
{
    expect_help(&gate, &tr_timeout_type);
}

Test(held, the_requests_of_others_time_out_while_their_worker_is_held)
{
    expect_help(NULL, &tr_failed_type);
}

static struct {
    unsigned int armed, cancelled, fired;
} hasty;

/* Timers that are due at once, or soon: others fire them while it arms and cancels the next. */
static int arm_and_cancel_without_pause(tr_self *self, void *arg)
{
    enum { LAST = 64 };
    tr_timer last[LAST] = { { 0 } };
    unsigned armed = 0, cancelled = 0;
    for (int64_t until = real_now() + *(int64_t *)arg; real_now() < until; armed++) {
        unsigned i = tr_random_below(self, LAST);
        cancelled += last[i].bits && tr_cancel(self, last[i]);
        last[i] = tr_after(self, tr_random_below(self, 20000), i);
    }
    hasty.cancelled = cancelled;
    ck_pr_store_uint(&hasty.armed, armed);
    return TR_CONTINUE;
}

static int be_hasty(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(act, m))
        return puppet_receive(self, state, m);
    ck_pr_store_uint(&hasty.fired, hasty.fired + 1);
    return TR_CONTINUE;
}

static const tr_actor hasty_actor = { TR_SPEC, .name = "hasty", .receive = be_hasty, .state_size = sizeof(struct puppet) };

Test(held, a_handler_arms_and_cancels_without_pause_while_its_timers_are_fired_by_others)
{
    int64_t ns = TR_MS(scaled(300, 5000));
    open_system(2);
    direct(probe_spawn(&hasty_actor, NULL), arm_and_cancel_without_pause, &ns);
    wait_until(ck_pr_load_uint(&hasty.armed));
    wait_until(hasty.armed == hasty.cancelled + ck_pr_load_uint(&hasty.fired));
    cr_assert_gt(rescues(), 0);
    close_system();
}

/* ---- what a handler has sent -------------------------------------------------------------------------------------- */

static struct gate receiver_gate;

static tr_ref open_with_a_busy_puppet(void)
{
    gate_init(&gate);
    gate_init(&receiver_gate);
    open_system(2);
    tr_ref puppet = make_puppet(0);
    direct(puppet, stand_at, &receiver_gate);
    gate_await(&receiver_gate);
    return puppet;
}

static int send_five_and_hold(tr_self *self, void *arg)
{
    for (int i = 0; i < 5; i++)
        cr_assert_eq(tr_send(self, *(tr_ref *)arg, number, .n = i), 0);
    cr_assert(self->holds);
    gate_pass(&gate);
    return TR_CONTINUE;
}

Test(held, what_a_handler_has_sent_is_handled_before_it_returns)
{
    tr_ref busy = open_with_a_busy_puppet(), sender = make_puppet(0);
    direct(sender, send_five_and_hold, &busy);
    gate_await(&gate);
    gate_open(&receiver_gate);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(tr_body(number, expect(number))->n, i);
    gate_open(&gate);
    settle(sender);
    cr_assert_gt(rescues(), 0);
    close_system();
}

static int send_and_wait_for_rescues(tr_self *self, void *arg)
{
    for (int i = 0; i < 22; i++) {
        cr_assert_eq(tr_send(self, *(tr_ref *)arg, number, .n = i), 0);
        if (i >= 2 && i % 5 < 3) /* the first two go their usual way */
            wait_until(ck_pr_load_32(&self->outbox.rescued) == (unsigned)i - 1);
    }
    return TR_CONTINUE;
}

Test(held, what_is_added_to_what_was_rescued_is_rescued_too_and_nothing_is_pushed_twice)
{
    open_system(3); /* the receiver is busy, and one worker is free to help */
    gate_init(&receiver_gate);
    tr_ref busy = make_puppet(0), sender = make_puppet(0);
    direct(busy, stand_at, &receiver_gate);
    gate_await(&receiver_gate);
    perform(sender, send_and_wait_for_rescues, &busy);
    gate_open(&receiver_gate);
    for (int i = 0; i < 22; i++)
        cr_assert_eq(tr_body(number, expect(number))->n, i);
    close_system();
}

/* Longer than a worker goes on without a look around. */
static int take_its_time(tr_self *self, void *arg)
{
    (void)self;
    (void)arg;
    for (int64_t until = real_now() + TR_MS(1); real_now() < until;)
        ;
    return TR_CONTINUE;
}

static unsigned int eaten;

static int eat(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(act, m))
        return puppet_receive(self, state, m);
    cr_assert_eq(tr_body(number, m)->n, (int)eaten);
    ck_pr_store_uint(&eaten, eaten + 1);
    return TR_CONTINUE;
}

static const tr_actor eater = { TR_SPEC, .name = "eater", .receive = eat, .state_size = sizeof(struct puppet) };

static tr_ref busy_one;
static struct tally go_on, at_work;

/* A message in the memory of one that was pushed by others, handled and freed: to have it, all the memory before it in the
 * pool is taken, too. (A sanitizer does not give it again.) */
static tr_msg *message_in(tr_self *self, const tr_msg *memory)
{
    enum { MOST = 1 << 17 };
    static tr_msg *others[MOST];
    unsigned count = 0;
    tr_msg *m;
    while ((m = tr_message(self, &number_type)) != memory && !SANITIZED) {
        cr_assert(m && count < MOST, "it did not come back");
        others[count++] = m;
    }
    while (count > 0)
        tri_msg_free(others[--count]);
    return m;
}

static void send_in(tr_self *self, tr_msg *m, int n)
{
    *(number *)tri_msg_body(m) = (number){ n };
    m->from = tr_me(self);
    cr_assert_eq(tr_send_message(self, busy_one, m), 0);
}

static int reuse_what_was_rescued(tr_self *self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tr_send(self, busy_one, number, .n = i), 0);
    const tr_msg *third = tri_outbox_newest(self->outbox.word);
    wait_until(ck_pr_load_32(&self->outbox.rescued) == 1);
    tally_add(&at_work);
    tally_take(&go_on);
    send_in(self, message_in(self, third), 3);
    cr_assert(tri_outbox_newest(self->outbox.word) == third || SANITIZED);
    cr_assert_eq(tr_send(self, busy_one, number, .n = 4), 0);
    wait_until(ck_pr_load_32(&self->outbox.rescued) == 3);
    return TR_CONTINUE;
}

Test(held, what_was_rescued_may_be_a_message_of_the_same_handler_again)
{
    struct gate second;
    open_system(3);
    gate_init(&receiver_gate);
    gate_init(&second);
    tally_init(&at_work);
    tally_init(&go_on);
    busy_one = probe_spawn(&eater, NULL);
    tr_ref sender = make_puppet(0);
    direct(busy_one, stand_at, &receiver_gate);
    gate_await(&receiver_gate);
    direct(sender, reuse_what_was_rescued, NULL);
    tally_take(&at_work);
    direct(busy_one, take_its_time, NULL);
    for (unsigned i = 0; i < 3 * TRI_TURN_MESSAGES; i++) /* its turn is over in between, and the worker looks around */
        direct(busy_one, do_nothing, NULL);
    direct(busy_one, stand_at, &second);
    gate_open(&receiver_gate);
    gate_await(&second); /* the first three were handled, but not for a moment has it been idle */
    cr_assert_eq(ck_pr_load_uint(&eaten), 3);
    tally_add(&go_on);
    settle(sender);
    gate_open(&second);
    wait_until(ck_pr_load_uint(&eaten) == 5);
    close_system();
}

/* ---- everything at once -------------------------------------------------------------------------------------------- */

enum { JUGGLERS = 6, BALLS = 8 };

static struct juggler {
    unsigned id;
    tr_timer timers[BALLS]; /* by tag */
    uint64_t sent[JUGGLERS], seen[JUGGLERS];
    unsigned int busy, armed, fired, cancelled, out, in;
} jugglers[JUGGLERS];

static tr_ref juggler_refs[JUGGLERS];
static unsigned int curtain;

TR_MESSAGE(ball, unsigned from; uint64_t n;);
TR_DEFINE(ball);

static void count(unsigned int *counter)
{
    ck_pr_store_uint(counter, *counter + 1);
}

static void take_time(tr_self *self)
{
    uint32_t kind = (uint32_t)(tr_random(self) % 16);
    if (kind > 1)
        return;
    int64_t until = real_now() + (int64_t)(tr_random(self) % TR_MS(20));
    while (real_now() < until)
        if (kind)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

static void arm_one(tr_self *self, struct juggler *me, unsigned i)
{
    if (me->timers[i].bits && tr_cancel(self, me->timers[i]))
        count(&me->cancelled);
    me->timers[i] = tr_after(self, (int64_t)(tr_random(self) % TR_MS(8)), i);
    count(&me->armed);
}

static void throw_some(tr_self *self, struct juggler *me)
{
    unsigned to = (unsigned)(tr_random(self) % JUGGLERS);
    tr_ref ref = { ck_pr_load_64(&juggler_refs[to].bits) };
    if (tr_ref_is_nobody(ref)) /* it has not begun */
        return;
    for (unsigned i = (unsigned)(tr_random(self) % 12); i > 0; i--) {
        cr_assert_eq(tr_send(self, ref, ball, .from = me->id, .n = me->sent[to]++), 0);
        count(&me->out);
        if (i == 3)
            take_time(self);
    }
}

static int juggle(tr_self *self, void *state, const tr_msg *m)
{
    struct juggler *me = *(struct juggler **)state;
    if (tr_is(ball, m)) {
        const ball *b = tr_body(ball, m);
        cr_assert_eq(me->seen[b->from], b->n, "out of order");
        me->seen[b->from]++;
        count(&me->in);
        return TR_CONTINUE;
    }
    unsigned tag = (unsigned)tr_body(tr_timeout, m)->tag;
    me->timers[tag] = (tr_timer){ 0 };
    count(&me->fired);
    if (ck_pr_load_uint(&curtain))
        return TR_CONTINUE;
    arm_one(self, me, tag);
    throw_some(self, me);
    take_time(self);
    for (unsigned i = (unsigned)(tr_random(self) % 3); i > 0; i--)
        arm_one(self, me, (unsigned)(tr_random(self) % BALLS));
    throw_some(self, me);
    return TR_CONTINUE;
}

static int begin_to_juggle(tr_self *self, void *state, const void *arg)
{
    struct juggler *me = *(struct juggler **)state = *(struct juggler *const *)arg;
    ck_pr_store_64(&juggler_refs[me->id].bits, tr_me(self).bits);
    for (unsigned i = 0; i < BALLS; i++)
        me->timers[i] = tr_after(self, TR_MS(10 + i), i);
    me->armed = BALLS;
    return TR_CONTINUE;
}

static const tr_actor juggler_actor = { TR_SPEC, .name = "juggler", .start = begin_to_juggle, .receive = juggle,
    .state_size = sizeof(struct juggler *), .arg_size = sizeof(struct juggler *), .mailbox = TR_MAILBOX_MAX };

static bool all_caught(void)
{
    unsigned armed = 0, fired = 0, cancelled = 0, out = 0, in = 0;
    for (unsigned i = 0; i < JUGGLERS; i++) {
        struct juggler *j = &jugglers[i];
        fired += ck_pr_load_uint(&j->fired), cancelled += ck_pr_load_uint(&j->cancelled), in += ck_pr_load_uint(&j->in);
        armed += ck_pr_load_uint(&j->armed), out += ck_pr_load_uint(&j->out);
    }
    return armed == fired + cancelled && in == out;
}

Test(held, workers_that_are_held_without_pause_lose_and_double_and_disorder_nothing)
{
    open_system(2);
    for (unsigned i = 0; i < JUGGLERS; i++) {
        struct juggler *me = &jugglers[i];
        me->id = i;
        probe_spawn(&juggler_actor, &me);
    }
    for (int64_t end = real_now() + TR_MS(scaled(700, 20000)); real_now() < end;)
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
    ck_pr_store_uint(&curtain, 1);
    wait_until(all_caught());
    cr_assert_gt(jugglers[0].fired, 0);
    cr_assert_gt(jugglers[0].in, 0);
    close_system();
}
