/* Messages that outlive their handler: taken, forwarded, released. And that what a body owns is released once. */
#include "tests/actors/puppet.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

/* ---- a body that owns something ---------------------------------------------------------------------------------- */

static unsigned made, dropped;

/* Its mark is cleared by the drop function, so a second drop, or one of garbage, is found. */
TR_MESSAGE(heirloom,
    uint32_t mark;
    int n;
);

enum { MARK = 0x5eed };

static void heirloom_drop(void *body)
{
    heirloom *mine = body;
    if (mine->mark != MARK)
        tri_panic("a body is dropped that is none, or a second time: %x", (unsigned)mine->mark);
    if (mine->n >= 0) /* else it is a constant */
        mine->mark = 0;
    ck_pr_inc_uint(&dropped);
}
TR_DEFINE(heirloom, .drop = heirloom_drop);

static heirloom *new_heirloom(heirloom *body, int n)
{
    ck_pr_inc_uint(&made);
    *body = (heirloom){ MARK, n };
    return body;
}

static int send_heirloom(tr_self *self, tr_ref to, int n)
{
    heirloom body;
    return tr_send_(self, to, 0, &heirloom_type, new_heirloom(&body, n), sizeof body);
}

static tr_call ask_heirloom(tr_self *self, tr_ref to, int64_t timeout_ns)
{
    heirloom body;
    return tr_ask_(self, to, timeout_ns, &heirloom_type, new_heirloom(&body, 1), sizeof body);
}

/* After the system was closed: each that was made was dropped. */
static void expect_all_dropped(void)
{
    cr_assert_gt(made, 0u);
    cr_assert_eq(made, dropped, "%u were made, %u dropped", made, dropped);
}

/* ---- an actor that keeps things ---------------------------------------------------------------------------------- */

struct shelf {
    tr_msg *kept[1000];
    unsigned count;
};

TR_MESSAGE(hand_over, tr_ref to; bool release;); /* forward all that is kept, or release it */
TR_DEFINE(hand_over);
TR_SIGNAL(crash_now);
TR_DEFINE(crash_now);
TR_MESSAGE(answer_all, int n;);
TR_DEFINE(answer_all);

static int shelf_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct shelf *me = state;
    if (tr_is(hand_over, m)) {
        for (; me->count; me->count--)
            if (tr_body(hand_over, m)->release)
                tr_release(self, me->kept[me->count - 1]);
            else
                tr_forward(self, me->kept[me->count - 1], tr_body(hand_over, m)->to);
    } else if (tr_is(answer_all, m)) {
        for (; me->count; me->count--)
            (void)tr_reply_to(self, me->kept[me->count - 1], number, .n = tr_body(answer_all, m)->n);
    } else if (tr_is(crash_now, m)) {
        return TR_EPROTO;
    } else {
        tr_msg *taken = tr_take(self, m);
        cr_assert_eq(taken, m);
        me->kept[me->count++] = taken;
    }
    return TR_CONTINUE;
}

static const tr_actor shelf_actor = { TR_SPEC, .name = "shelf", .receive = shelf_receive, .state_size = sizeof(struct shelf) };

static tr_ref make_shelf(void)
{
    return probe_spawn(&shelf_actor, NULL);
}

struct sending {
    tr_ref to;
    unsigned count;
};

static int send_many(tr_self *self, void *arg)
{
    struct sending *sending = arg;
    for (unsigned i = 0; i < sending->count; i++)
        send_heirloom(self, sending->to, (int)i);
    return TR_CONTINUE;
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

Test(take, what_was_taken_stays_as_it_was_and_can_be_passed_on_later)
{
    enum { N = 700 };
    open_system(2);
    tr_ref shelf = make_shelf(), puppet = make_puppet(0);
    perform(puppet, send_many, &(struct sending){ shelf, N });
    perform(puppet, send_many, &(struct sending){ tr_probe_ref(probe), 3 });
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tr_body(heirloom, expect(heirloom))->n, i);
    tr_probe_send(probe, shelf, hand_over, .to = tr_probe_ref(probe));
    for (int i = N; i-- > 0;) {
        const tr_msg *m = expect(heirloom);
        cr_assert_eq(tr_body(heirloom, m)->n, i);
        cr_assert(tr_ref_eq(m->from, puppet), "a forwarded message keeps its sender");
    }
    close_system();
    expect_all_dropped();
}

Test(take, what_is_released_is_dropped)
{
    open_system(2);
    tr_ref shelf = make_shelf(), puppet = make_puppet(0);
    perform(puppet, send_many, &(struct sending){ shelf, 100 });
    tr_probe_send(probe, shelf, hand_over, .release = true);
    tr_probe_send(probe, shelf, crash_now);
    while (tr_alive(shelf)) {
    }
    close_system();
    expect_all_dropped();
}

static int no_memory_to_take(tr_self *self, void *state, const tr_msg *m)
{
    tr_ref master = *(tr_ref *)state;
    if (!tr_is(heirloom, m)) {
        *(tr_ref *)state = m->from;
        return TR_CONTINUE;
    }
    tri_memory_fail(1, true);
    cr_assert_null(tr_take(self, m));
    tri_memory_fail(0, false);
    tr_send(self, master, number, .n = tr_body(heirloom, m)->n); /* still borrowed */
    return TR_CONTINUE;
}

static const tr_actor poor_actor = { TR_SPEC, .name = "poor", .receive = no_memory_to_take, .state_size = sizeof(tr_ref) };

Test(take, without_memory_a_message_stays_borrowed)
{
    tri_pool_off();
    open_system(1);
    tr_ref poor = probe_spawn(&poor_actor, NULL);
    tr_probe_send(probe, poor, number);
    perform(make_puppet(0), send_many, &(struct sending){ poor, 3 });
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tr_body(number, expect(number))->n, i);
    close_system();
    expect_all_dropped();
}

/* What lies in memory of the runtime's can be taken and forwarded like the rest. */
struct curious {
    tr_ref subject, to;
};

static int cause_promised_messages(tr_self *self, void *arg)
{
    struct curious *curious = arg;
    tr_monitor_set(self, curious->subject);
    tr_after(self, 0, 17);
    ask_heirloom(self, curious->subject, SOON);
    return TR_CONTINUE;
}

struct collector {
    tr_ref to;
    tr_msg *kept[3];
    unsigned count;
};

static int collector_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct collector *me = state;
    if (tr_is(act, m)) {
        me->to = m->from;
        return tr_body(act, m)->function(self, tr_body(act, m)->arg);
    }
    me->kept[me->count] = tr_take(self, m);
    cr_assert_not_null(me->kept[me->count]);
    if (++me->count < 3)
        return TR_CONTINUE;
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(tr_forward(self, me->kept[i], me->to), 0);
    return TR_CONTINUE;
}

static const tr_actor collector_actor = { TR_SPEC, .name = "collector", .receive = collector_receive,
    .state_size = sizeof(struct collector) };

Test(take, promised_messages_can_be_taken_and_forwarded)
{
    open_system(2);
    struct curious curious = { make_puppet(0), TR_NOBODY };
    tr_ref collector = probe_spawn(&collector_actor, NULL);
    perform(curious.subject, end_well, NULL);
    while (tr_alive(curious.subject)) {
    }
    direct(collector, cause_promised_messages, &curious);
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        cr_assert_neq(m->call, 0);
        if (tr_is(tr_timeout, m)) {
            cr_assert_eq(tr_body(tr_timeout, m)->tag, 17);
            seen |= 1;
        } else if (tr_is(tr_down, m)) {
            cr_assert_eq(tr_body(tr_down, m)->reason, TR_ENOENT);
            seen |= 2;
        } else {
            cr_assert_eq(tr_body(tr_failed, m)->reason, TR_EDOWN);
            seen |= 4;
        }
    }
    cr_assert_eq(seen, 7u);
    close_system();
    expect_all_dropped();
}

/* ---- forwarding -------------------------------------------------------------------------------------------------- */

/* Passes everything on to the next, and the last one back to the master. */
static int relay_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(tr_ref *)state = *(const tr_ref *)arg;
    return TR_CONTINUE;
}

static int relay_receive(tr_self *self, void *state, const tr_msg *m)
{
    tr_forward(self, m, *(tr_ref *)state);
    return TR_CONTINUE;
}

static const tr_actor relay_actor = { TR_SPEC, .name = "relay", .start = relay_start, .receive = relay_receive,
    .state_size = sizeof(tr_ref), .arg_size = sizeof(tr_ref) };

Test(take, a_message_can_be_forwarded_many_times_and_keeps_its_sender)
{
    enum { N = 100 };
    open_system(2);
    tr_ref next = tr_probe_ref(probe), puppet = make_puppet(0);
    for (int i = 0; i < 100; i++)
        next = probe_spawn(&relay_actor, &next);
    perform(puppet, send_many, &(struct sending){ next, N });
    for (int i = 0; i < N; i++) {
        const tr_msg *m = expect(heirloom);
        cr_assert_eq(tr_body(heirloom, m)->n, i);
        cr_assert(tr_ref_eq(m->from, puppet));
    }
    close_system();
    expect_all_dropped();
}

static int forward_result(tr_self *self, void *state, const tr_msg *m)
{
    tr_ref from = m->from;
    (void)state;
    int result = tr_forward(self, m, TR_NOBODY);
    tr_send(self, from, number, .n = result);
    return TR_CONTINUE;
}

static const tr_actor misdirecting_actor = { TR_SPEC, .name = "misdirecting", .receive = forward_result };

Test(take, forwarding_to_one_that_is_down_consumes_and_says_so)
{
    open_system(1);
    tr_ref misdirecting = probe_spawn(&misdirecting_actor, NULL);
    perform(make_puppet(0), send_many, &(struct sending){ misdirecting, 1 }); /* the puppet forwards the number */
    cr_assert_eq(tr_body(number, expect(number))->n, TR_EDOWN);
    close_system();
    expect_all_dropped();
}

/* ---- every path drops once --------------------------------------------------------------------------------------- */

static int refuse_it(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    return tr_refuse(self, NULL, TR_EAGAIN) == 0 || !m->call ? TR_CONTINUE : TR_EFAULT;
}
static const tr_actor refusing_actor = { TR_SPEC, .name = "refusing", .receive = refuse_it };

static int reply_heirloom(tr_self *self, void *state, const tr_msg *m)
{
    heirloom body;
    (void)state;
    (void)m;
    tr_reply_(self, NULL, &heirloom_type, new_heirloom(&body, 5), sizeof body);
    return TR_CONTINUE;
}
static const tr_actor replying_actor = { TR_SPEC, .name = "replying", .receive = reply_heirloom };

static int crash_on_it(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_EPROTO;
}
static const tr_actor crashing_actor = { TR_SPEC, .name = "crashing", .receive = crash_on_it };
static const tr_actor quiet_actor = { TR_SPEC, .name = "quiet", .receive = quiet_receive };
static const tr_actor narrow_actor = { TR_SPEC, .name = "narrow", .receive = quiet_receive, .mailbox = 4 };
static const tr_actor dropping_new_actor = { TR_SPEC, .name = "dropping new", .receive = quiet_receive, .mailbox = 4,
    .policy = TR_DROP_NEW };
static const tr_actor dropping_old_actor = { TR_SPEC, .name = "dropping old", .receive = quiet_receive, .mailbox = 4,
    .policy = TR_DROP_OLD };
static const tr_actor keeping_latest_actor = { TR_SPEC, .name = "keeping latest", .receive = quiet_receive, .mailbox = 4,
    .policy = TR_KEEP_LATEST };
static const tr_actor stopping_full_actor = { TR_SPEC, .name = "stopping when full", .receive = quiet_receive, .mailbox = 4,
    .policy = TR_STOP_FULL };

static const tr_actor *const receivers[] = { &quiet_actor, &refusing_actor, &replying_actor, &crashing_actor, &narrow_actor,
    &dropping_new_actor, &dropping_old_actor, &keeping_latest_actor, &stopping_full_actor };

/* Sends and asks, more than the receiver takes, with and without time. */
static int send_and_ask(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    heirloom body;
    tr_call call;
    for (int i = 0; i < 12; i++) {
        send_heirloom(self, to, i);
        tr_send_urgent(self, to, number, .n = i);
        ask_heirloom(self, to, SOON);
        ask_heirloom(self, to, 0);
        call = ask_heirloom(self, to, SOON);
        tr_abandon(self, call);
    }
    tr_reply_(self, NULL, &heirloom_type, new_heirloom(&body, 1), sizeof body); /* to no request */
    tr_msg *unsent = tr_message(self, &heirloom_type);
    new_heirloom((heirloom *)(unsent + 1), 2);
    tr_release(self, unsent);
    tri_memory_fail(1, true);
    cr_assert_eq(send_heirloom(self, to, 3), TR_ENOMEM);
    cr_assert_eq(ask_heirloom(self, to, SOON).bits == 0, false);
    cr_assert_eq(tr_post_(to, &heirloom_type, new_heirloom(&body, 3), sizeof body), TR_ENOMEM);
    tri_memory_fail(0, false);
    return TR_CONTINUE;
}

Test(take, whatever_becomes_of_a_message_its_body_is_dropped_once)
{
    heirloom body;
    tri_pool_off();
    open_system(2);
    tr_ref sender = make_puppet(0);
    for (unsigned i = 0; i < sizeof receivers / sizeof receivers[0]; i++) {
        tr_ref to = probe_spawn(receivers[i], NULL);
        perform(sender, send_and_ask, &to);
        tr_post_(to, &heirloom_type, new_heirloom(&body, 4), sizeof body);
        tr_probe_do(probe, kill_it, &to); /* with what still waits */
        while (tr_alive(to)) {
        }
        perform(sender, send_and_ask, &to);
        tr_post_(to, &heirloom_type, new_heirloom(&body, 4), sizeof body);
    }
    tr_ref shelf = make_shelf();
    perform(sender, send_and_ask, &shelf); /* taken, and never given up */
    perform(sender, end_well, NULL);       /* answers that come late */
    tr_probe_send(probe, shelf, answer_all);
    close_system();
    expect_all_dropped();
}

Test(take, what_a_crashed_actor_had_taken_is_dropped)
{
    open_system(1);
    tr_ref shelf = make_shelf();
    perform(make_puppet(0), send_many, &(struct sending){ shelf, 10 });
    tr_probe_send(probe, shelf, crash_now);
    while (tr_alive(shelf)) {
    }
    close_system();
    expect_all_dropped();
}

/* ---- programmer errors ------------------------------------------------------------------------------------------- */

static tr_msg *stolen;

static int misuse(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    switch (tr_body(number, m)->n) {
    case 0:
        tr_take(self, m);
        tr_take(self, m);
        break;
    case 1: tr_release(self, (tr_msg *)m); break;
    case 2:
        tr_forward(self, m, TR_NOBODY);
        tr_take(self, m);
        break;
    case 3: tr_take(self, tr_message(self, &number_type)); break;
    case 4:
        stolen = tr_take(self, m);
        tr_send(self, m->from, number);
        break;
    case 5: tr_release(self, stolen); break;
    case 6:
        tr_release(self, tr_take(self, m));
        tr_take(self, m);
        break;
    case 7: tr_send_message(self, tr_me(self), tr_take(self, m)); break;
    case 8: tr_send_message(self, tr_me(self), (tr_msg *)m); break;
    }
    return TR_CONTINUE;
}
static const tr_actor misusing_actor = { TR_SPEC, .name = "misusing", .receive = misuse };

static void misuse_message(int how)
{
    open_system(1);
    if (how == 5) {
        tr_probe_send(probe, probe_spawn(&misusing_actor, NULL), number, .n = 4);
        tr_probe_receive(probe, SOON);
    }
    tr_probe_send(probe, probe_spawn(&misusing_actor, NULL), number, .n = how);
    wait_for_the_end();
}

static void take_twice(void)
{
    misuse_message(0);
}

static void release_a_borrowed_message(void)
{
    misuse_message(1);
}

static void take_a_forwarded_message(void)
{
    misuse_message(2);
}

static void take_what_is_not_being_handled(void)
{
    misuse_message(3);
}

static void release_what_another_has_taken(void)
{
    misuse_message(5);
}

static void take_a_released_message(void)
{
    misuse_message(6);
}

static void send_a_taken_message(void)
{
    misuse_message(7);
}

static void send_a_borrowed_message(void)
{
    misuse_message(8);
}

Test(take, misuse_of_a_message_ends_the_process)
{
    expect_panic(take_twice, "tr_take", "in actor misusing <", "handling number");
    expect_panic(release_a_borrowed_message, "tr_release", "not taken");
    expect_panic(take_a_forwarded_message, "tr_take");
    expect_panic(take_what_is_not_being_handled, "tr_take");
    expect_panic(release_what_another_has_taken, "a number that this actor has not taken");
    expect_panic(take_a_released_message, "tr_take");
    expect_panic(send_a_taken_message, "tr_send_message", "use tr_forward");
    expect_panic(send_a_borrowed_message, "tr_send_message", "use tr_forward");
}
