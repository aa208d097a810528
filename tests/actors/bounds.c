/* Bounded mailboxes: the five policies, bulk, what is exempt, and what is logged. */
#include "tests/actors/puppet.h"

TR_MESSAGE(letter, int n;);
TR_DEFINE(letter);
TR_MESSAGE(postcard, int n;);
TR_DEFINE(postcard);
TR_SIGNAL(whole);
TR_DEFINE(whole);

/* ---- a receiver that is filled before it runs ---------------------------------------------------------------------- */

/* Everything is sent in one handler on one worker, so the receiver has not run yet: the bound is exact. */
enum { BOUND = 8 };

static int forwarder_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(tr_ref *)state = *(const tr_ref *)arg;
    return TR_CONTINUE;
}

static int forwarder_receive(tr_self *self, void *state, const tr_msg *m)
{
    tr_forward(self, m, *(tr_ref *)state);
    return TR_CONTINUE;
}

#define FORWARDER \
    TR_SPEC, .start = forwarder_start, .receive = forwarder_receive, .state_size = sizeof(tr_ref), \
             .arg_size = sizeof(tr_ref)

static const tr_actor bounded[] = {
    { FORWARDER, .name = "rejecting", .mailbox = BOUND, .policy = TR_REJECT },
    { FORWARDER, .name = "dropping new", .mailbox = BOUND, .policy = TR_DROP_NEW },
    { FORWARDER, .name = "dropping old", .mailbox = BOUND, .policy = TR_DROP_OLD },
    { FORWARDER, .name = "keeping the latest", .mailbox = BOUND, .policy = TR_KEEP_LATEST },
    { FORWARDER, .name = "stopping when full", .mailbox = BOUND, .policy = TR_STOP_FULL },
};

/* Has the probe spawn one of these, which forwards to the probe. */
static tr_ref make_bounded(const tr_actor *spec)
{
    tr_ref me = tr_probe_ref(probe);
    return probe_spawn(spec, &me, .monitor = true);
}

static tr_ref clerk; /* a puppet: who sends */

static void open_post_office(void)
{
    open_system(1);
    clerk = make_puppet(0);
}

struct mailing {
    tr_ref to;
    int count;
    int results[4 * BOUND];
};

static int send_letters(tr_self *self, void *arg)
{
    struct mailing *mailing = arg;
    for (int i = 0; i < mailing->count; i++)
        mailing->results[i] = tr_send(self, mailing->to, letter, .n = i);
    return TR_CONTINUE;
}

static void expect_letters(int first, int after)
{
    for (int i = first; i < after; i++)
        cr_assert_eq(tr_body(letter, expect(letter))->n, i);
}

/* ---- the policies ------------------------------------------------------------------------------------------------ */

Test(bounds, reject_tells_the_sender_that_the_mailbox_is_full)
{
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[0]), 3 * BOUND, { 0 } };
    tr_stats before = stats_now();
    perform(clerk, send_letters, &mailing);
    expect_letters(0, BOUND);
    for (int i = 0; i < 3 * BOUND; i++)
        cr_assert_eq(mailing.results[i], i < BOUND ? 0 : TR_EFULL, "letter %d: %d", i, mailing.results[i]);
    expect_nothing(0);
    tr_stats after = stats_now();
    cr_assert_eq(after.dead_full - before.dead_full, 2u * BOUND);
    cr_assert_eq(after.dead - before.dead, 2u * BOUND);
    perform(clerk, send_letters, &mailing); /* there is room again */
    expect_letters(0, BOUND);
    close_system();
}

Test(bounds, drop_new_drops_what_does_not_fit_without_a_word)
{
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[1]), 3 * BOUND, { 0 } };
    tr_stats before = stats_now();
    perform(clerk, send_letters, &mailing);
    expect_letters(0, BOUND);
    for (int i = 0; i < 3 * BOUND; i++)
        cr_assert_eq(mailing.results[i], 0);
    expect_nothing(0);
    cr_assert_eq(stats_now().dead_full - before.dead_full, 2u * BOUND);
    close_system();
}

Test(bounds, drop_old_keeps_the_newest_and_rejects_from_twice_the_bound_on)
{
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[2]), 3 * BOUND, { 0 } };
    tr_stats before = stats_now();
    perform(clerk, send_letters, &mailing);
    expect_letters(BOUND, 2 * BOUND);
    for (int i = 0; i < 3 * BOUND; i++)
        cr_assert_eq(mailing.results[i], i < 2 * BOUND ? 0 : TR_EFULL);
    expect_nothing(0);
    tr_stats after = stats_now();
    cr_assert_eq(after.dead_replaced - before.dead_replaced, (uint64_t)BOUND);
    cr_assert_eq(after.dead_full - before.dead_full, (uint64_t)BOUND);
    close_system();
}

static int send_letters_and_postcards(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    cr_assert_eq(tr_send(self, to, postcard, .n = 1), 0); /* the only one of its type: no newer one replaces it */
    for (int i = 0; i < BOUND + 2; i++)
        cr_assert_eq(tr_send(self, to, letter, .n = i), 0);
    return TR_CONTINUE;
}

static int send_many_types(tr_self *self, void *arg)
{
    static tr_type types[BOUND + 3];
    tr_ref to = *(tr_ref *)arg;
    for (int i = 0; i < BOUND + 3; i++) {
        types[i] = letter_type;
        cr_assert_eq(tr_send_(self, to, 0, &types[i], &i, sizeof i), 0);
    }
    return TR_CONTINUE;
}

Test(bounds, keep_latest_drops_what_a_newer_message_of_its_type_replaces)
{
    open_post_office();
    tr_ref latest = make_bounded(&bounded[3]);
    tr_stats before = stats_now();
    perform(clerk, send_letters_and_postcards, &latest);
    cr_assert_eq(tr_body(postcard, expect(postcard))->n, 1);
    expect_letters(3, BOUND + 2);
    expect_nothing(0);
    cr_assert_eq(stats_now().dead_replaced - before.dead_replaced, 3u);
    perform(clerk, send_many_types, &latest); /* none replaces another: the oldest go */
    for (int i = 3; i < BOUND + 3; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        cr_assert_eq(*(const int *)(m + 1), i);
    }
    expect_nothing(0);
    cr_assert_eq(stats_now().dead_replaced - before.dead_replaced, 6u);
    close_system();
}

Test(bounds, keep_latest_rejects_from_twice_the_bound_on)
{
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[3]), 3 * BOUND, { 0 } };
    perform(clerk, send_letters, &mailing);
    expect_letters(BOUND, 2 * BOUND);
    for (int i = 0; i < 3 * BOUND; i++)
        cr_assert_eq(mailing.results[i], i < 2 * BOUND ? 0 : TR_EFULL);
    close_system();
}

Test(bounds, stop_full_ends_the_actor)
{
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[4]), BOUND, { 0 } };
    perform(clerk, send_letters, &mailing);
    expect_letters(0, BOUND); /* it is full, but not over */
    expect_nothing(0);
    mailing.count = BOUND + 1;
    perform(clerk, send_letters, &mailing);
    expect_down(mailing.to, TR_EFULL); /* before anything that waited */
    expect_nothing(0);
    cr_assert_eq(stats_now().dead_full, 1u);
    cr_assert_eq(stats_now().dead_down, (uint64_t)BOUND);
    close_system();
}

/* What a full mailbox refuses is told to those who ask. */
static int ask_too_much(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    for (int i = 0; i < 2 * BOUND + 1; i++)
        tr_ask(self, to, SOON, letter, .n = i);
    return TR_CONTINUE;
}

static int refuse_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(letter, m))
        cr_assert_eq(tr_refuse(self, NULL, TR_ECANCELED), 0);
    return TR_CONTINUE;
}

static const tr_actor refusing[] = {
    { TR_SPEC, .name = "rejecting", .receive = refuse_receive, .mailbox = BOUND, .policy = TR_REJECT },
    { TR_SPEC, .name = "dropping new", .receive = refuse_receive, .mailbox = BOUND, .policy = TR_DROP_NEW },
    { TR_SPEC, .name = "dropping old", .receive = refuse_receive, .mailbox = BOUND, .policy = TR_DROP_OLD },
    { TR_SPEC, .name = "keeping the latest", .receive = refuse_receive, .mailbox = BOUND, .policy = TR_KEEP_LATEST },
    { TR_SPEC, .name = "stopping when full", .receive = refuse_receive, .mailbox = BOUND, .policy = TR_STOP_FULL },
};

Test(bounds, a_request_that_a_full_mailbox_drops_is_answered_with_the_reason)
{
    static const struct {
        int canceled, full, replaced, down;
    } expected[] = {
        { BOUND, BOUND + 1, 0, 0 }, { BOUND, BOUND + 1, 0, 0 }, { BOUND, 1, BOUND, 0 }, { BOUND, 1, BOUND, 0 },
        { 0, 2, 0, 2 * BOUND - 1 }, /* the one that ends it, one beyond twice the bound; and it is down */
    };
    open_post_office();
    for (unsigned i = 0; i < 5; i++) {
        int canceled = 0, full = 0, replaced = 0, down = 0;
        tr_ref to = probe_spawn(&refusing[i], NULL);
        perform(clerk, ask_too_much, &to);
        for (int n = 0; n < 2 * BOUND + 1; n++) {
            int reason = tr_body(tr_failed, expect(tr_failed))->reason;
            canceled += reason == TR_ECANCELED;
            full += reason == TR_EFULL;
            replaced += reason == TR_EREPLACED;
            down += reason == TR_EDOWN;
        }
        expect_nothing(0);
        cr_assert(canceled == expected[i].canceled && full == expected[i].full && replaced == expected[i].replaced &&
                down == expected[i].down,
            "%s: canceled %d, full %d, replaced %d, down %d", refusing[i].name, canceled, full, replaced, down);
    }
    close_system();
}

/* ---- what is exempt ---------------------------------------------------------------------------------------------- */

/* A mailbox of one message, which is full of another all the time. */
static int busy_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(act, m))
        return tr_body(act, m)->function(self, tr_body(act, m)->arg);
    tr_forward(self, m, *(tr_ref *)state);
    return TR_CONTINUE;
}

static const tr_actor busy_actor = { TR_SPEC, .name = "busy", .start = forwarder_start, .receive = busy_receive,
    .state_size = sizeof(tr_ref), .arg_size = sizeof(tr_ref), .mailbox = 1, .trap_exits = true };

struct flood {
    tr_ref subject, me;
};

static int cause_a_flood(tr_self *self, void *arg)
{
    struct flood *flood = arg;
    for (int i = 0; i < 20; i++) {
        tr_after(self, 0, (uint64_t)i);
        tr_monitor_set(self, flood->subject);
        tr_ask(self, flood->subject, SOON, letter);
    }
    tr_link(self, flood->subject);
    return TR_CONTINUE;
}

Test(bounds, promised_messages_come_though_the_mailbox_is_full)
{
    int timeouts = 0, downs = 0, failures = 0, exits = 0;
    open_system(2);
    tr_ref me = tr_probe_ref(probe), busy = probe_spawn(&busy_actor, &me);
    struct flood flood = { make_puppet(0), me };
    perform(flood.subject, end_well, NULL);
    while (tr_alive(flood.subject)) {
    }
    direct(busy, cause_a_flood, &flood);
    for (int i = 0; i < 61; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        timeouts += tr_is(tr_timeout, m);
        downs += tr_is(tr_down, m);
        failures += tr_is(tr_failed, m);
        exits += tr_is(tr_exited, m);
    }
    cr_assert(timeouts == 20 && downs == 20 && failures == 20 && exits == 1);
    close_system();
}

static int fill_and_exit(tr_self *self, void *arg)
{
    tr_ref to = *(tr_ref *)arg;
    for (int i = 0; i < 3 * BOUND; i++)
        tr_send(self, to, letter, .n = i);
    cr_assert_eq(tr_send(self, to, letter), TR_EFULL);
    tr_exit(self, to, TR_EPROTO);
    return TR_CONTINUE;
}

Test(bounds, an_actor_with_a_full_mailbox_can_be_ended)
{
    open_post_office();
    tr_ref full = make_bounded(&bounded[0]);
    perform(clerk, fill_and_exit, &full);
    expect_down(full, TR_EPROTO);
    close_system();
}

/* ---- senders on several threads ---------------------------------------------------------------------------------- */

struct crowding {
    tr_ref to;
    unsigned accepted, refused;
};

static void *post_letters(void *arg)
{
    struct crowding *crowding = arg;
    for (int i = 0; i < 2000; i++)
        if (tr_post(crowding->to, letter, .n = i) == 0)
            ck_pr_inc_uint(&crowding->accepted);
        else
            ck_pr_inc_uint(&crowding->refused);
    return NULL;
}

static const tr_actor crowded_actor = { PUPPET, .mailbox = 1000 };

Test(bounds, senders_on_n_threads_overshoot_the_bound_by_no_more_than_n)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct gate gate;
    gate_init(&gate);
    open_system(2);
    struct crowding crowding = { probe_spawn(&crowded_actor, &(struct puppet){ tr_probe_ref(probe), 0 }), 0, 0 };
    direct(crowding.to, stand_at, &gate);
    gate_await(&gate);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, post_letters, &crowding);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    tr_actor_stats stats;
    tr_stats_of(crowding.to, &stats);
    cr_assert_leq(crowding.accepted, 1000u + THREADS);
    cr_assert_geq(crowding.accepted, 1000u - 1, "%u", crowding.accepted); /* the message being handled counts */
    cr_assert_eq(crowding.accepted + crowding.refused, THREADS * 2000u);
    gate_open(&gate);
    for (unsigned i = 0; i < crowding.accepted; i++)
        expect(letter);
    expect_nothing(0);
    cr_assert_eq(stats_now().dead_full, (uint64_t)crowding.refused);
    close_system();
}

static const tr_actor default_actor = { PUPPET };

Test(bounds, a_mailbox_is_bounded_by_default)
{
    struct gate gate;
    gate_init(&gate);
    open_system(2);
    tr_ref puppet = probe_spawn(&default_actor, &(struct puppet){ tr_probe_ref(probe), 0 });
    direct(puppet, stand_at, &gate);
    gate_await(&gate);
    int accepted = 0;
    while (tr_probe_send(probe, puppet, letter) == 0)
        accepted++;
    cr_assert_leq(accepted, TR_MAILBOX_DEFAULT);
    cr_assert_geq(accepted, TR_MAILBOX_DEFAULT - 1);
    gate_open(&gate);
    for (int i = 0; i < accepted; i++)
        expect(letter);
    close_system();
}

/* ---- bulk -------------------------------------------------------------------------------------------------------- */

TR_MESSAGE(crate, tr_buf *buf;);

static void crate_drop(void *body)
{
    tr_buf_unref(((crate *)body)->buf);
}

static size_t crate_bulk(const void *body)
{
    return tr_buf_size(((const crate *)body)->buf);
}
TR_DEFINE(crate, .drop = crate_drop, .bulk = crate_bulk);

static const tr_actor carriers[] = {
    { FORWARDER, .name = "rejecting", .mailbox_kib = 4, .policy = TR_REJECT },
    { FORWARDER, .name = "dropping new", .mailbox_kib = 4, .policy = TR_DROP_NEW },
};

struct shipping {
    tr_ref to;
    tr_buf *buf;
    int results[10], plain;
    uint64_t waiting;
};

static int ship(tr_self *self, void *arg)
{
    struct shipping *shipping = arg;
    tr_actor_stats stats;
    for (int i = 0; i < 10; i++)
        shipping->results[i] = tr_send(self, shipping->to, crate, .buf = tr_buf_ref(shipping->buf));
    shipping->plain = tr_send(self, shipping->to, letter);
    cr_assert_eq(tr_stats_of(shipping->to, &stats), 0);
    shipping->waiting = stats.waiting_bulk;
    return TR_CONTINUE;
}

Test(bounds, bulk_that_waits_is_bounded)
{
    char bytes[8192] = "";
    open_post_office();
    for (unsigned i = 0; i < 2; i++) {
        tr_actor_stats stats;
        struct shipping shipping = { probe_spawn(&carriers[i], &(tr_ref){ clerk.bits }), tr_buf_copy(bytes, 1024), { 0 }, 0,
            0 };
        cr_assert_not_null(shipping.buf);
        perform(clerk, ship, &shipping);
        for (int n = 0; n < 10; n++)
            cr_assert_eq(shipping.results[n], n < 4 || i == 1 ? 0 : TR_EFULL, "crate %d", n);
        cr_assert_eq(shipping.waiting, 4096u);
        cr_assert_eq(shipping.plain, 0, "a message without bulk needs no room for it");
        for (int n = 0; n < 4; n++)
            cr_assert_eq(tr_buf_size(tr_body(crate, expect(crate))->buf), 1024u);
        expect(letter);
        expect_nothing(0);
        cr_assert_eq(tr_stats_of(shipping.to, &stats), 0);
        cr_assert_eq(stats.waiting_bulk, 0u, "what was handled does not wait");
        cr_assert_eq(tr_stats_of(clerk, &stats), 0);
        cr_assert_eq(stats.waiting_bulk, 0u);
        tr_buf_unref(shipping.buf);
    }
    close_system();
}

Test(bounds, one_message_is_let_in_however_much_it_carries)
{
    static char bytes[100000];
    open_post_office();
    struct shipping shipping = { probe_spawn(&carriers[0], &(tr_ref){ clerk.bits }), tr_buf_copy(bytes, sizeof bytes),
        { 0 }, 0, 0 };
    perform(clerk, ship, &shipping);
    for (int n = 0; n < 10; n++)
        cr_assert_eq(shipping.results[n], n == 0 ? 0 : TR_EFULL);
    cr_assert_eq(tr_buf_size(tr_body(crate, expect(crate))->buf), sizeof bytes);
    expect(letter);
    tr_buf_unref(shipping.buf);
    close_system();
}

static const tr_actor patient_carriers[] = {
    { FORWARDER, .name = "dropping old", .mailbox_kib = 4, .policy = TR_DROP_OLD },
    { FORWARDER, .name = "keeping the latest", .mailbox_kib = 4, .policy = TR_KEEP_LATEST },
    { FORWARDER, .name = "stopping when full", .mailbox_kib = 4, .policy = TR_STOP_FULL },
};

/* 1 KiB each: four are in the bound, and eight in twice the bound. */
Test(bounds, bulk_beyond_its_bound_drops_the_oldest_that_carries_some)
{
    static char bytes[1024];
    open_post_office();
    for (unsigned i = 0; i < 2; i++) {
        tr_actor_stats stats;
        uint64_t replaced = stats_now().dead_replaced;
        struct shipping shipping = { probe_spawn(&patient_carriers[i], &(tr_ref){ tr_probe_ref(probe).bits }),
            tr_buf_copy(bytes, sizeof bytes), { 0 }, 0, 0 };
        perform(clerk, ship, &shipping);
        for (int n = 0; n < 10; n++)
            cr_assert_eq(shipping.results[n], n < 8 ? 0 : TR_EFULL, "crate %d", n);
        cr_assert_eq(shipping.waiting, 8192u);
        for (int n = 0; n < 4; n++)
            expect(crate);
        expect(letter); /* which gives no room, and so is not dropped */
        expect_nothing(0);
        cr_assert_eq(stats_now().dead_replaced - replaced, 4u);
        cr_assert_eq(tr_stats_of(shipping.to, &stats), 0);
        cr_assert_eq(stats.waiting_bulk, 0u);
        tr_buf_unref(shipping.buf);
    }
    close_system();
}

Test(bounds, bulk_beyond_its_bound_ends_an_actor_that_stops_when_full)
{
    static char bytes[1024], large[9000];
    open_post_office();
    for (int i = 0; i < 2; i++) {
        tr_ref me = tr_probe_ref(probe), to = probe_spawn(&patient_carriers[2], &me, .monitor = true);
        struct shipping shipping = { to, i ? tr_buf_copy(large, sizeof large) : tr_buf_copy(bytes, sizeof bytes), { 0 }, 0,
            0 };
        perform(clerk, ship, &shipping);
        expect_down(to, TR_EFULL);
        expect_nothing(0);
        tr_buf_unref(shipping.buf);
    }
    close_system();
}

TR_MESSAGE(volume, char pages[2000];);
TR_DEFINE(volume);

static int send_volumes(tr_self *self, void *arg)
{
    struct mailing *mailing = arg;
    for (int i = 0; i < mailing->count; i++) {
        tr_msg *m = i == 1 ? tr_message(self, &volume_type) : NULL; /* whichever way it is sent */
        mailing->results[i] = m ? tr_send_message(self, mailing->to, m)
            : i % 2             ? tr_send(self, mailing->to, volume)
                                : tr_send_urgent(self, mailing->to, volume);
    }
    return TR_CONTINUE;
}

Test(bounds, large_bodies_are_bulk)
{
    tr_actor_stats stats;
    open_post_office();
    struct mailing mailing = { make_bounded(&carriers[0]), 6, { 0 } };
    for (int round = 0; round < 2; round++) {
        perform(clerk, send_volumes, &mailing);
        for (int i = 0; i < 6; i++)
            cr_assert_eq(mailing.results[i], i < 2 ? 0 : TR_EFULL, "volume %d: %d", i, mailing.results[i]);
        expect(volume);
        expect(volume);
        expect_nothing(0);
        cr_assert_eq(tr_stats_of(mailing.to, &stats), 0);
        cr_assert_eq(stats.waiting_bulk, 0u);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(tr_post(mailing.to, volume), 0);
        expect(volume);
    }
    close_system();
}

static const tr_actor shedding_carrier = { FORWARDER, .name = "shedding", .mailbox = 4, .policy = TR_DROP_OLD };

Test(bounds, bulk_that_is_dropped_does_not_wait_any_more)
{
    open_post_office();
    tr_actor_stats stats;
    struct shipping shipping = { probe_spawn(&shedding_carrier, &(tr_ref){ clerk.bits }), tr_buf_copy("abc", 3), { 0 }, 0, 0 };
    perform(clerk, ship, &shipping);
    cr_assert_eq(shipping.waiting, 8u * 3);
    for (int n = 0; n < 4; n++)
        expect(crate);
    expect_nothing(0);
    cr_assert_eq(stats_now().dead_replaced, 4u);
    cr_assert_eq(tr_stats_of(shipping.to, &stats), 0);
    cr_assert_eq(stats.waiting_bulk, 0u);
    tr_buf_unref(shipping.buf);
    close_system();
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

Test(bounds, a_mailbox_that_is_half_full_is_logged_once)
{
    capture_log(TR_LOG_WARNING);
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[0]), BOUND / 2, { 0 } };
    perform(clerk, send_letters, &mailing);
    expect_letters(0, BOUND / 2);
    cr_assert_eq(logged("messages wait"), 0);
    mailing.count = BOUND / 2 + 1;
    for (int i = 0; i < 3; i++) {
        perform(clerk, send_letters, &mailing);
        expect_letters(0, BOUND / 2 + 1);
    }
    cr_assert_eq(logged("rejecting <0."), 1, "%s", captured.text);
    cr_assert_eq(logged("5 messages wait; the mailbox holds 8"), 1, "%s", captured.text);
    close_system();
}

Test(bounds, an_actor_that_ends_of_a_full_mailbox_says_so)
{
    capture_log(TR_LOG_WARNING);
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[4]), BOUND + 1, { 0 } };
    perform(clerk, send_letters, &mailing);
    expect_down(mailing.to, TR_EFULL);
    cr_assert_eq(logged("the mailbox is full"), 1, "%s", captured.text);
    close_system();
}

TR_SIGNAL(nudge);
TR_DEFINE(nudge);

/* How many of a type the lines say. */
static unsigned dropped(const char *type)
{
    char text[64];
    unsigned count = 0;
    snprintf(text, sizeof text, " %s from ", type);
    for (const char *at = captured.text; (at = strstr(at, text)); at++) {
        const char *number = at;
        while (number > captured.text && number[-1] >= '0' && number[-1] <= '9')
            number--;
        count += (unsigned)atoi(number);
    }
    return count;
}

static int send_too_much(tr_self *self, void *arg)
{
    struct mailing *mailing = arg;
    for (int i = 0; i < BOUND; i++)
        tr_send(self, mailing->to, letter, .n = i);
    for (int i = 0; i < mailing->count; i++) {
        tr_send(self, mailing->to, letter, .n = i);
        tr_send(self, mailing->to, nudge);
    }
    return TR_CONTINUE;
}

Test(bounds, what_full_mailboxes_drop_is_logged_added_up_and_none_is_forgotten)
{
    capture_log(TR_LOG_WARNING);
    open_post_office();
    struct mailing mailing = { make_bounded(&bounded[0]), 100, { 0 } };
    perform(clerk, send_too_much, &mailing);
    expect_letters(0, BOUND);
    expect_logged("mailbox full, dropped: 1 letter from puppet <0.");
    close_system();
    cr_assert_eq(logged(" to rejecting <0."), 3, "%s", captured.text);
    cr_assert_eq(dropped("letter"), 100u, "%s", captured.text);
    cr_assert_eq(dropped("nudge"), 100u, "%s", captured.text);
}

Test(bounds, what_other_threads_find_full_is_logged_too)
{
    struct gate gate;
    capture_log(TR_LOG_WARNING);
    gate_init(&gate);
    open_system(1);
    tr_ref full = probe_spawn(&crowded_actor, &(struct puppet){ tr_probe_ref(probe), 0 });
    direct(full, stand_at, &gate);
    gate_await(&gate);
    unsigned refused = 0;
    for (int i = 0; i < 1010; i++)
        refused += tr_post(full, nudge) == TR_EFULL;
    gate_open(&gate);
    close_system();
    expect_logged("mailbox full, dropped: 1 nudge from <nobody> to puppet <0.");
    cr_assert_geq(refused, 10u);
    cr_assert_eq(dropped("nudge"), refused, "%s", captured.text);
}
