/* Deadlines of requests: what is late, who is told, and whose time it is that is spent. */
#include "tests/actors/puppet.h"

#include <inttypes.h>

enum { TICK = 1 << 20 }; /* ns: a deadline in an envelope is rounded up to this */

TR_MESSAGE(work, int how;);
TR_DEFINE(work);
TR_MESSAGE(worked, int64_t left;);
TR_DEFINE(worked);

static int worker_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(work, m))
        (void)tr_reply(self, worked, .left = tr_time_left(self));
    return TR_CONTINUE;
}
static const tr_actor worker_actor = { TR_SPEC, .name = "worker", .receive = worker_receive };

static void simulate(const tr_actor *root, const tr_sim_options *options, unsigned seeds)
{
    const tr_sim_host hosts[] = { { .name = "one", .actor = root }, { 0 } };
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        tr_sim_result result;
        cr_assert_eq(tr_sim_run(seed, options, hosts, &result), 0, "%s", result.what);
    }
}

/* ---- in the envelope --------------------------------------------------------------------------------------------- */

Test(deadline, one_is_told_from_another_however_long_a_request_waits)
{
    const int64_t day = TR_HOURS(24), moments[] = { 1, TR_SECONDS(1), 51 * day, 52 * day, 400 * day, 20 * 365 * day };
    const int64_t times[] = { 1, TR_MS(100), day, 27 * day, 80 * day, 900 * day, 8 * 365 * day };
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++)
        for (unsigned k = 0; k < sizeof times / sizeof *times; k++)
            for (unsigned w = 0; w < sizeof times / sizeof *times; w++) {
                int64_t deadline = moments[i] + times[k];
                tr_msg m = { .call = UINT64_C(0x87654321000abcde) };
                tri_deadline_pack(&m, deadline, moments[i]);
                cr_assert_eq(tri_call_of(&m), UINT64_C(0x87654321000abcde));
                for (int late = 0; late < 2; late++) {
                    int64_t found = tri_deadline_unpack(&m, late ? deadline + times[w] : moments[i]);
                    cr_assert(found >= deadline && found <= deadline + 2 * TICK, "%" PRId64 " for %" PRId64, found, deadline);
                }
            }
}

/* ---- late answers ------------------------------------------------------------------------------------------------ */

enum { ASKS = 40 };

struct asker {
    tr_ref worker;
    tr_call calls[ASKS];
    int64_t asked[ASKS], timeouts[ASKS];
    unsigned heard;
};

static int asker_start(tr_self *self, void *state, const void *arg)
{
    struct asker *me = state;
    (void)arg;
    me->worker = tr_spawn(self, &worker_actor, NULL);
    tr_send(self, tr_me(self), started);
    return TR_CONTINUE;
}

static int asker_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct asker *me = state;
    for (unsigned i = 0; i < ASKS && tr_is(started, m); i++) {
        me->asked[i] = tr_now(self);
        me->timeouts[i] = TR_MS(1 + tr_random_below(self, 3000));
        me->calls[i] = tr_ask(self, me->worker, me->timeouts[i], work);
    }
    for (unsigned i = 0; i < ASKS && !tr_is(started, m); i++)
        if (m->call == me->calls[i].bits) {
            int64_t took = tr_now(self) - me->asked[i];
            TR_ALWAYS(tr_is(worked, m) ? took < me->timeouts[i] : took >= me->timeouts[i]);
            me->calls[i].bits = 1; /* no other answer has it */
            me->heard++;
        }
    return me->heard == ASKS ? TR_STOP : TR_CONTINUE;
}
static const tr_actor asker_actor = { TR_SPEC, .name = "asker", .start = asker_start, .receive = asker_receive,
    .state_size = sizeof(struct asker) };

Test(deadline, an_answer_is_handled_before_its_deadline_or_not_at_all)
{
    simulate(&asker_actor, &(tr_sim_options){ .faults.slow = 300000 }, scaled(50, 5000));
}

struct held {
    tr_ref worker;
    tr_call call;
};

/* Asks, and holds its worker until the time is long up, and the monitor has seen that. */
static int ask_and_hold(tr_self *self, void *arg)
{
    struct held *held = arg;
    held->call = tr_ask(self, held->worker, TR_MS(30), work);
    int64_t deadline = tr_now(self) + TR_MS(30); /* or a little before */
    while ((int64_t)ck_pr_load_64((uint64_t *)&self->system->sched.looked) < deadline)
        sched_yield();
    return TR_CONTINUE;
}

Test(deadline, an_answer_that_waited_behind_a_handler_that_held_the_worker_is_refused)
{
    open_system(2);
    struct held held = { .worker = probe_spawn(&worker_actor, NULL) };
    tr_ref puppet = make_puppet(0);
    for (int i = 0; i < 3; i++) {
        perform(puppet, ask_and_hold, &held);
        const tr_msg *m = expect(tr_failed); /* which the puppet forwards */
        cr_assert_eq(m->call, held.call.bits);
        cr_assert_eq(tr_body(tr_failed, m)->reason, TR_ETIMEDOUT);
        cr_assert(tr_ref_eq(tr_body(tr_failed, m)->to, held.worker));
    }
    expect_nothing(0);
    close_system();
}

/* ---- for which request ------------------------------------------------------------------------------------------- */

enum how {
    SERVING,
    AFTER_THE_REPLY,
    AFTER_THE_REFUSAL,
    FOR_NONE,
    TAKEN,
    TAKEN_AND_ANSWERED,
    FORWARDED,
    LATER,
    LATER_FOR_IT,
    HOWS
};

static const bool inherits[HOWS] = { [SERVING] = true, [TAKEN] = true, [LATER_FOR_IT] = true };

struct queue {
    tr_ref worker, client;
    tr_msg *taken;
    enum how how;
};

static void pass_on(tr_self *self, struct queue *me, const tr_msg *m)
{
    switch (me->how) {
    case AFTER_THE_REPLY: (void)tr_reply(self, worked); break;
    case AFTER_THE_REFUSAL: tr_refuse(self, NULL, TR_EBUSY); break;
    case FORWARDED: tr_forward(self, m, me->worker); break;
    case FOR_NONE: tr_ask_for(self, NULL, me->worker, TR_SECONDS(30), work); return;
    case TAKEN: me->taken = tr_take(self, m); break;
    case TAKEN_AND_ANSWERED: (void)tr_reply_to(self, tr_take(self, m), worked); break;
    case LATER:
    case LATER_FOR_IT:
        me->taken = tr_take(self, m);
        tr_after(self, TR_MS(100), 0);
        return;
    default: break;
    }
    tr_ask(self, me->worker, TR_SECONDS(30), work);
}

static int queue_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct queue *me = state;
    if (tr_is(work, m)) {
        me->how = (enum how)tr_body(work, m)->how;
        me->client = m->from;
        pass_on(self, me, m);
    } else if (tr_is(tr_timeout, m)) {
        TR_ALWAYS(tr_time_left(self) == TR_FOREVER);
        int64_t left = tr_time_left_of(self, me->taken);
        TR_ALWAYS(left > TR_MS(350) && left <= TR_MS(400) + TICK);
        tr_ask_for(self, me->how == LATER_FOR_IT ? me->taken : NULL, me->worker, TR_SECONDS(30), work);
    } else if (tr_is(worked, m)) {
        TR_ALWAYS(tr_time_left(self) == TR_FOREVER);
        tr_send(self, me->client, worked, .left = tr_body(worked, m)->left);
        if (me->taken)
            tr_release(self, me->taken);
        me->taken = NULL;
    }
    return TR_CONTINUE;
}
static int queue_start(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    ((struct queue *)state)->worker = tr_spawn(self, &worker_actor, NULL);
    return TR_CONTINUE;
}

static const tr_actor queue_actor = { TR_SPEC, .name = "queue", .start = queue_start, .receive = queue_receive,
    .state_size = sizeof(struct queue) };

struct client {
    tr_ref queue;
    int how;
};

static int client_start(tr_self *self, void *state, const void *arg)
{
    struct client *me = state;
    (void)arg;
    me->queue = tr_spawn(self, &queue_actor, NULL);
    tr_ask(self, me->queue, TR_MS(500), work, .how = 0);
    return TR_CONTINUE;
}

static int client_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (!tr_is(worked, m) || m->call) /* an answer, or the failure of one */
        return TR_CONTINUE;
    int64_t left = tr_body(worked, m)->left;
    if (inherits[me->how])
        TR_ALWAYS(left > TR_MS(300) && left <= TR_MS(500) + TICK);
    else
        TR_ALWAYS(left > TR_SECONDS(29));
    if (++me->how == HOWS)
        return TR_STOP;
    tr_ask(self, me->queue, TR_MS(500), work, .how = me->how);
    return TR_CONTINUE;
}
static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client_receive,
    .state_size = sizeof(struct client) };

Test(deadline, what_is_asked_is_for_the_request_being_served_until_it_is_answered_or_for_the_one_that_is_named)
{
    simulate(&client_actor, NULL, scaled(20, 2000));
}

/* Forwards what it gets, or takes it and forwards that when the next one comes. */
struct forwarder {
    tr_ref to;
    tr_msg *taken;
};

static int forwarder_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct forwarder *)state)->to = *(const tr_ref *)arg;
    return TR_CONTINUE;
}

static int forwarder_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct forwarder *me = state;
    if (tr_body(work, m)->how) {
        me->taken = tr_take(self, m);
        return TR_CONTINUE;
    }
    tr_forward(self, m, me->to);
    if (me->taken)
        tr_forward(self, me->taken, me->to);
    me->taken = NULL;
    return TR_CONTINUE;
}
static const tr_actor forwarder_actor = { TR_SPEC, .name = "forwarder", .start = forwarder_start,
    .receive = forwarder_receive, .state_size = sizeof(struct forwarder), .arg_size = sizeof(tr_ref) };

struct request {
    tr_ref to;
    int64_t timeout, asked;
    int how;
};

static int request_it(tr_self *self, void *arg)
{
    struct request *r = arg;
    r->asked = tr_now(self);
    tr_ask(self, r->to, r->timeout, work, .how = r->how);
    return TR_CONTINUE;
}

Test(deadline, a_forwarded_request_keeps_it)
{
    const int64_t sixty_days = TR_HOURS(60 * 24);
    open_system(2);
    tr_ref worker = probe_spawn(&worker_actor, NULL), asker = make_puppet(0);
    struct request r = { .to = probe_spawn(&forwarder_actor, &worker), .timeout = sixty_days };
    for (r.how = 1; r.how >= 0; r.how--)
        perform(asker, request_it, &r);
    for (int i = 0; i < 2; i++) {
        int64_t left = tr_body(worked, expect(worked))->left;
        cr_assert(left > sixty_days - TR_SECONDS(600) && left <= sixty_days + 2 * TICK);
    }
    close_system();
}

/* ---- who holds a request ----------------------------------------------------------------------------------------- */

/* Takes requests and watches them; says what it hears, and what becomes of its replies. */
TR_MESSAGE(lapse, int reason, replied; int64_t left;);
TR_DEFINE(lapse);

static unsigned taken_by_holder;

static int holder_receive(tr_self *self, void *state, const tr_msg *m)
{
    tr_msg **taken = state;
    if (tr_is(act, m))
        return tr_body(act, m)->function(self, tr_body(act, m)->arg);
    if (tr_is(work, m)) {
        *taken = tr_take(self, m);
        ck_pr_inc_uint(&taken_by_holder);
        cr_assert_eq(tr_watch(self, *taken), m->call ? 0 : TR_EINVAL);
        cr_assert_eq(tr_watch(self, *taken), m->call ? 0 : TR_EINVAL);
        if (tr_body(work, m)->how)
            cr_assert_eq(tr_reply_to(self, *taken, worked), 0); /* and m is gone */
    } else if (tr_is(tr_lapsed, m)) {
        const tr_lapsed *lapsed = tr_body(tr_lapsed, m);
        cr_assert_eq(lapsed->request, *taken);
        int64_t left = tr_time_left_of(self, *taken);
        int reason = lapsed->reason, replied = tr_reply_to(self, *taken, worked);
        tr_send(self, tr_probe_ref(probe), lapse, .reason = reason, .replied = replied, .left = left);
    }
    return TR_CONTINUE;
}
static const tr_actor holder_actor = { TR_SPEC, .name = "holder", .receive = holder_receive, .state_size = sizeof(tr_msg *) };

static int look(tr_self *self, void *arg)
{
    *(int64_t *)arg = tr_now(self);
    return TR_CONTINUE;
}

/* The asker's failure, or what the holder has heard at the same time. */
static void expect_failure_or_lapse(struct request *r)
{
    int64_t at;
    const tr_msg *m = tr_probe_receive(probe, SOON);
    cr_assert_not_null(m);
    tr_probe_do(probe, look, &at);
    cr_assert_geq(at - r->asked, r->timeout);
    if (tr_is(tr_failed, m))
        return;
    const lapse *heard = tr_body(lapse, m);
    cr_assert_eq(heard->reason, TR_ETIMEDOUT);
    cr_assert_eq(heard->replied, TR_ETIMEDOUT);
    cr_assert_eq(heard->left, 0);
}

Test(deadline, the_holder_of_a_request_is_told_that_its_time_is_up_and_so_is_its_reply)
{
    open_system(2);
    struct request r = { .to = probe_spawn(&holder_actor, NULL), .timeout = TR_MS(20) };
    tr_ref asker = make_puppet(0);
    do { /* on a busy machine it may expire before the holder has taken it */
        perform(asker, request_it, &r);
        expect_failure_or_lapse(&r);
        settle(r.to);
    } while (!ck_pr_load_uint(&taken_by_holder));
    expect_failure_or_lapse(&r);
    close_system();
}

Test(deadline, the_holder_of_a_request_is_told_of_the_end_of_its_asker)
{
    open_system(2);
    struct request r = { .to = probe_spawn(&holder_actor, NULL), .timeout = SOON };
    tr_ref asker = make_puppet(0);
    perform(asker, request_it, &r);
    settle(r.to);
    perform(asker, end_well, NULL);
    const lapse *heard = tr_body(lapse, expect(lapse));
    cr_assert_eq(heard->reason, TR_EDOWN);
    cr_assert_eq(heard->replied, TR_EDOWN);
    cr_assert_gt(heard->left, 0);
    close_system();
}

Test(deadline, of_a_request_that_was_given_up_nothing_is_heard_any_more)
{
    open_system(2);
    struct request r = { .to = probe_spawn(&holder_actor, NULL), .timeout = SOON, .how = 1 };
    tr_ref asker = make_puppet(0);
    perform(asker, request_it, &r);
    expect(worked);
    perform(asker, end_well, NULL);
    settle(r.to);
    tr_probe_send(probe, r.to, work); /* no request: there is nothing to watch */
    settle(r.to);
    expect_nothing(0);
    close_system();
}
