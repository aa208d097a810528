/* Messages: types, bodies, sending, lanes, order. */
#include "tests/actors/puppet.h"

TR_MESSAGE(parcel,
    int n;
    char text[20];
    uint64_t last;
);
TR_DEFINE(parcel);
TR_SIGNAL(ping);
TR_DEFINE(ping);

/* ---- bodies ------------------------------------------------------------------------------------------------------ */

static int send_parcels(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    cr_assert_eq(tr_send(self, to, parcel, .n = 42, .text = "abc", .last = UINT64_MAX), 0);
    cr_assert_eq(tr_send(self, to, parcel, .n = 43), 0);
    cr_assert_eq(tr_send(self, to, parcel), 0);
    cr_assert_eq(tr_send(self, to, ping), 0);
    return TR_CONTINUE;
}

static void check_parcel(int n, const char *text, uint64_t last, tr_ref from)
{
    const tr_msg *m = expect(parcel);
    const parcel *body = tr_body(parcel, m);
    cr_assert_eq(body->n, n);
    cr_assert_str_eq(body->text, text);
    cr_assert_eq(body->last, last);
    cr_assert(tr_ref_eq(m->from, from));
    cr_assert_eq(m->call, 0);
}

Test(send, fields_arrive_as_given_and_the_others_zero)
{
    open_system(2);
    tr_ref puppet = make_puppet(0), me = tr_probe_ref(probe);
    for (int i = 0; i < 50; i++) { /* in blocks that have held other things */
        perform(puppet, send_parcels, &me);
        check_parcel(42, "abc", UINT64_MAX, puppet);
        check_parcel(43, "", 0, puppet);
        check_parcel(0, "", 0, puppet);
        const tr_msg *m = expect(ping);
        cr_assert(tr_is(ping, m));
        cr_assert_not(tr_is(parcel, m));
    }
    close_system();
}

TR_MESSAGE(bulky_parcel, char bytes[TR_BODY_MAX];);
TR_DEFINE(bulky_parcel);

static int send_large(tr_self *self, void *arg)
{
    tr_msg *m = tr_message(self, &bulky_parcel_type);
    char *bytes = (char *)(m + 1);
    for (size_t i = 0; i < TR_BODY_MAX; i++) {
        cr_assert_eq(bytes[i], 0);
        bytes[i] = (char)(i * 31 + 7);
    }
    cr_assert_eq(tr_send_message(self, *(tr_ref *)arg, m), 0);
    return TR_CONTINUE;
}

Test(send, a_message_may_be_built_in_place_up_to_the_largest_body)
{
    open_system(2);
    tr_ref puppet = make_puppet(0), me = tr_probe_ref(probe);
    for (int i = 0; i < 3; i++) {
        perform(puppet, send_large, &me);
        const tr_msg *m = expect(bulky_parcel);
        cr_assert(tr_ref_eq(m->from, puppet));
        for (size_t n = 0; n < TR_BODY_MAX; n++)
            cr_assert_eq(tr_body(bulky_parcel, m)->bytes[n], (char)(n * 31 + 7));
    }
    close_system();
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

/* Two definitions of the same, as two shared libraries would have. */
static const tr_type shared_here = { .name = "shared", .size = 4, .flags = TR_TYPE_SHARED };
static const tr_type shared_there = { .name = "shared", .size = 4, .flags = TR_TYPE_SHARED };
static const tr_type larger_there = { .name = "shared", .size = 8, .flags = TR_TYPE_SHARED };
static const tr_type private_here = { .name = "private", .size = 4 };
static const tr_type private_there = { .name = "private", .size = 4 };

Test(send, shared_types_are_recognised_by_name_and_size_others_by_address)
{
    tr_msg m = { .type = &shared_there };
    cr_assert(tr_is_(&m, &shared_here));
    cr_assert_not_null(tr_body_(&m, &shared_here));
    m.type = &larger_there;
    cr_assert_not(tr_is_(&m, &shared_here));
    m.type = &private_there;
    cr_assert_not(tr_is_(&m, &private_here));
    cr_assert_not(tr_is_(&m, &shared_here));
}

Test(send, the_hash_of_a_type_is_that_of_its_name)
{
    cr_assert_eq(tr_type_hash(&shared_here), tr_type_hash(&larger_there));
    cr_assert_neq(tr_type_hash(&shared_here), tr_type_hash(&private_here));
    cr_assert_eq(tr_type_hash(&(tr_type){ .name = "a" }), 0xaf63dc4c8601ec8c); /* FNV-1a of "a", from its authors */
}

static int mistake_a_ping(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    return tr_body(parcel, m)->n;
}
static const tr_actor mistaken_actor = { TR_SPEC, .name = "mistaken", .receive = mistake_a_ping };

static void read_the_wrong_body(void)
{
    open_system(1);
    tr_probe_send(probe, probe_spawn(&mistaken_actor, NULL), ping);
    wait_for_the_end();
}

Test(send, reading_the_body_of_another_type_ends_the_process)
{
    expect_panic(read_the_wrong_body, "tr_body(parcel, m): m is a ping", "in actor mistaken <", "handling ping");
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static int subscribe(tr_self *self, void *arg)
{
    (void)arg;
    return tr_dead_letters(self);
}

static void expect_dead_letter(int reason, const tr_type *type)
{
    const tr_dead_letter *note = tr_body(tr_dead_letter, expect(tr_dead_letter));
    cr_assert_eq(note->reason, reason);
    cr_assert_eq(note->type, type);
}

static int send_without_memory(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    tri_memory_fail(1, false);
    cr_assert_eq(tr_send(self, to, parcel, .n = 1), TR_ENOMEM);
    tri_memory_fail(1, false);
    cr_assert_null(tr_message(self, &parcel_type));
    cr_assert_eq(tri_memory_fail(0, false), 1);
    return TR_CONTINUE;
}

Test(send, without_memory_a_message_is_a_dead_letter)
{
    tri_pool_off();
    open_system(1);
    tr_ref puppet = make_puppet(0);
    cr_assert_eq(tr_probe_do(probe, subscribe, NULL), 0);
    perform(puppet, send_without_memory, &puppet);
    expect_dead_letter(TR_ENOMEM, &parcel_type);
    close_system();
}

static const tr_type oversized_type = { .name = "oversized", .size = TR_BODY_MAX + 1 };
static const char oversized_body[TR_BODY_MAX + 1];

static int send_oversized(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    cr_assert_null(tr_message(self, &oversized_type));
    cr_assert_eq(tr_send_(self, to, 0, &oversized_type, oversized_body, sizeof oversized_body), TR_EMSGSIZE);
    cr_assert_eq(tr_post_(to, &oversized_type, oversized_body, sizeof oversized_body), TR_EMSGSIZE);
    cr_assert_neq(tr_ask_(self, to, SOON, &oversized_type, oversized_body, sizeof oversized_body).bits, 0);
    return TR_CONTINUE;
}

Test(send, what_is_too_large_is_refused_and_told)
{
    open_system(1);
    tr_ref puppet = make_puppet(0);
    cr_assert_eq(tr_probe_do(probe, subscribe, NULL), 0);
    perform(puppet, send_oversized, &puppet);
    for (int i = 0; i < 3; i++)
        expect_dead_letter(TR_EMSGSIZE, &oversized_type);
    cr_assert_eq(tr_body(tr_failed, expect(tr_failed))->reason, TR_EMSGSIZE);
    cr_assert_eq(tr_probe_send_(probe, puppet, &oversized_type, oversized_body, sizeof oversized_body), TR_EMSGSIZE);
    close_system();
}

/* ---- lanes ------------------------------------------------------------------------------------------------------- */

struct lanes {
    struct gate gate;
    tr_ref to;
};

static int send_in_lanes(tr_self *self, void *arg)
{
    struct lanes *lanes = arg;
    for (int i = 0; i < 100; i++)
        tr_send(self, lanes->to, parcel, .n = i);
    for (int i = 100; i < 110; i++)
        tr_send_urgent(self, lanes->to, parcel, .n = i);
    for (int i = 110; i < 120; i++)
        tr_send(self, lanes->to, parcel, .n = i);
    for (int i = 120; i < 130; i++)
        tr_send_urgent(self, lanes->to, parcel, .n = i);
    tr_send_urgent(self, lanes->to, ping);
    return TR_CONTINUE;
}

Test(send, urgent_messages_overtake_ordinary_ones_and_each_lane_keeps_its_order)
{
    struct lanes lanes;
    open_system(2);
    gate_init(&lanes.gate);
    lanes.to = make_puppet(0);
    direct(lanes.to, stand_at, &lanes.gate);
    gate_await(&lanes.gate);
    perform(make_puppet(0), send_in_lanes, &lanes);
    gate_open(&lanes.gate);
    for (int i = 100; i < 110; i++)
        cr_assert_eq(tr_body(parcel, expect(parcel))->n, i);
    for (int i = 120; i < 130; i++)
        cr_assert_eq(tr_body(parcel, expect(parcel))->n, i);
    expect(ping);
    for (int i = 0; i < 120; i++)
        if (i < 100 || i >= 110)
            cr_assert_eq(tr_body(parcel, expect(parcel))->n, i);
    close_system();
}

static int send_and_exit(tr_self *self, void *arg)
{
    struct lanes *lanes = arg;
    tr_send(self, lanes->to, parcel);
    tr_send_urgent(self, lanes->to, ping);
    tr_exit(self, lanes->to, TR_EPROTO);
    return TR_CONTINUE;
}

Test(send, what_is_done_to_an_actor_overtakes_urgent_messages)
{
    struct lanes lanes;
    open_system(2);
    gate_init(&lanes.gate);
    lanes.to = make_puppet(TELL_STOP);
    direct(lanes.to, stand_at, &lanes.gate);
    gate_await(&lanes.gate);
    perform(make_puppet(0), send_and_exit, &lanes);
    gate_open(&lanes.gate);
    expect_stopped(lanes.to, TR_EPROTO);
    close_system();
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

/* Many senders, which are moved from worker to worker, send numbered messages to a few receivers; every receiver sees those
 * of each sender in order, and all of them. */
enum { SENDERS = 16, RECEIVERS = 4, AT_A_TIME = 20 };

TR_MESSAGE(count_on, unsigned sender; unsigned n;);
TR_DEFINE(count_on);

struct sender {
    unsigned number, all, sent[RECEIVERS];
    tr_ref receivers[RECEIVERS];
};

static int sender_start(tr_self *self, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct sender));
    tr_send(self, tr_me(self), ping);
    return TR_CONTINUE;
}

static int sender_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct sender *me = state;
    unsigned left = 0;
    (void)m;
    for (int r = 0; r < RECEIVERS; r++) {
        for (int i = 0; i < AT_A_TIME && me->sent[r] < me->all; i++, me->sent[r]++)
            if (tr_send(self, me->receivers[r], count_on, .sender = me->number, .n = me->sent[r]) != 0)
                break; /* its mailbox is full: later */
        left += me->all - me->sent[r];
    }
    return left ? tr_send(self, tr_me(self), ping) : TR_STOP;
}

static const tr_actor sender_actor = { TR_SPEC, .name = "sender", .start = sender_start, .receive = sender_receive,
    .state_size = sizeof(struct sender), .arg_size = sizeof(struct sender) };

struct receiver {
    unsigned all, whole, seen[SENDERS];
    tr_ref master;
};

static int receiver_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    memcpy(state, arg, sizeof(struct receiver));
    return TR_CONTINUE;
}

static int receiver_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct receiver *me = state;
    const count_on *body = tr_body(count_on, m);
    cr_assert_eq(body->n, me->seen[body->sender], "sender %u: %u after %u", body->sender, body->n, me->seen[body->sender]);
    if (++me->seen[body->sender] == me->all && ++me->whole == SENDERS)
        tr_send(self, me->master, ping);
    return TR_CONTINUE;
}

static const tr_actor receiver_actor = { TR_SPEC, .name = "receiver", .start = receiver_start, .receive = receiver_receive,
    .state_size = sizeof(struct receiver), .arg_size = sizeof(struct receiver) };

/* Answers how often work was stolen. */
static uint64_t order(unsigned workers)
{
    unsigned all = scaled(4000, 200000);
    open_system(workers);
    struct receiver receiver = { .all = all, .master = tr_probe_ref(probe) };
    struct sender sender = { .all = all };
    for (int r = 0; r < RECEIVERS; r++)
        sender.receivers[r] = probe_spawn(&receiver_actor, &receiver);
    for (sender.number = 0; sender.number < SENDERS; sender.number++)
        probe_spawn(&sender_actor, &sender);
    for (int r = 0; r < RECEIVERS; r++)
        expect(ping);
    uint64_t steals = stats_now().steals;
    close_system();
    return steals;
}

Test(send, messages_of_a_sender_to_a_receiver_arrive_in_order_on_one_worker)
{
    order(1);
}

Test(send, messages_of_a_sender_to_a_receiver_arrive_in_order_whoever_runs_them)
{
    uint64_t steals = 0;
    rounds_until (steals > 0)
        steals = order(4);
    cr_assert_gt(steals, 0u, "no actor was moved, so this proves nothing");
}
