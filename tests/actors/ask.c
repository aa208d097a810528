/* Requests and answers: exactly one answer to each ask, whatever happens. */
#include "tests/actors/puppet.h"

enum how { REPLY, TAKE, REFUSE, STAY_SILENT, CRASH, END, REPLY_AND_CRASH, TAKE_AND_CRASH, REPLY_TOO_MUCH };

TR_MESSAGE(question,
    enum how how;
    int n;
);
TR_DEFINE(question);
TR_MESSAGE(answer, int n;);
TR_DEFINE(answer);
TR_MESSAGE(answer_now, int n; bool release;); /* what was taken, last first */
TR_DEFINE(answer_now);

static const tr_type oversized_type = { .name = "oversized", .size = TR_BODY_MAX + 1 };
static const char oversized_body[TR_BODY_MAX + 1];

struct server {
    tr_msg *taken[16];
    unsigned count;
};

static unsigned run; /* questions that a server has handled */

static int server_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct server *me = state;
    if (tr_is(act, m))
        return tr_body(act, m)->function(self, tr_body(act, m)->arg);
    if (tr_is(answer_now, m)) {
        for (; me->count; me->count--)
            if (tr_body(answer_now, m)->release)
                tr_release(self, me->taken[me->count - 1]);
            else
                (void)tr_reply_to(self, me->taken[me->count - 1], answer, .n = tr_body(answer_now, m)->n);
        return TR_CONTINUE;
    }
    const question *q = tr_body(question, m);
    ck_pr_inc_uint(&run);
    switch (q->how) {
    case REPLY:
        cr_assert_eq(tr_reply(self, answer, .n = q->n + 1) == TR_EINVAL, m->call == 0);
        cr_assert_eq(q->how, REPLY, "the request stays readable");
        return TR_CONTINUE;
    case TAKE_AND_CRASH:
    case TAKE: me->taken[me->count++] = tr_take(self, m); return q->how == TAKE ? TR_CONTINUE : TR_EPROTO;
    case REFUSE:
        cr_assert_eq(tr_refuse(self, NULL, -1000 - q->n), m->call ? 0 : TR_EINVAL);
        cr_assert_eq(q->how, REFUSE);
        return TR_CONTINUE;
    case STAY_SILENT: return TR_CONTINUE;
    case CRASH: return TR_EPROTO;
    case END: return TR_STOP;
    case REPLY_AND_CRASH: cr_assert_eq(tr_reply(self, answer, .n = q->n + 1), 0); return TR_EPROTO;
    case REPLY_TOO_MUCH:
        cr_assert_eq(tr_reply_(self, NULL, &oversized_type, oversized_body, sizeof oversized_body), TR_EMSGSIZE);
        return TR_CONTINUE;
    }
    return TR_EFAULT;
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .receive = server_receive,
    .state_size = sizeof(struct server) };

static tr_ref make_server(void)
{
    return probe_spawn(&server_actor, NULL);
}

struct asking {
    tr_ref to;
    int64_t timeout;
    enum how how;
    int n;
    tr_call call;
    int64_t asked; /* when */
};

static int ask(tr_self *self, void *arg)
{
    struct asking *a = arg;
    a->asked = tr_now(self);
    a->call = tr_ask(self, a->to, a->timeout, question, .how = a->how, .n = a->n);
    return TR_CONTINUE;
}

/* The probe asks; the answer to the last of its asks: */
static struct asking probe_ask(tr_ref to, int64_t timeout, enum how how, int n)
{
    struct asking asking = { .to = to, .timeout = timeout, .how = how, .n = n };
    tr_probe_do(probe, ask, &asking);
    cr_assert_neq(asking.call.bits, 0);
    return asking;
}

#define expect_answer(asking, by, number) expect_answer_((asking), (by), (number), __LINE__)
#define expect_failure(asking, reason)    expect_failure_((asking), (reason), __LINE__)

static void expect_answer_(struct asking asking, tr_ref by, int n, int line)
{
    const tr_msg *m = expect_(tr_probe_receive(probe, SOON), &answer_type, "answer", line);
    cr_assert_eq(m->call, asking.call.bits, "line %d", line);
    cr_assert(tr_ref_eq(m->from, by), "line %d", line);
    cr_assert_eq(tr_body(answer, m)->n, n, "line %d: %d", line, tr_body(answer, m)->n);
}

static void expect_failure_(struct asking asking, int reason, int line)
{
    const tr_msg *m = expect_(tr_probe_receive(probe, SOON), &tr_failed_type, "tr_failed", line);
    cr_assert_eq(m->call, asking.call.bits, "line %d", line);
    cr_assert_eq(tr_body(tr_failed, m)->reason, reason, "line %d: %s", line, tr_error_name(tr_body(tr_failed, m)->reason));
    cr_assert(tr_ref_eq(tr_body(tr_failed, m)->to, asking.to), "line %d", line);
}

static int now(tr_self *self, void *arg)
{
    *(int64_t *)arg = tr_now(self);
    return TR_CONTINUE;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

Test(ask, a_reply_arrives_as_a_message_with_the_bits_of_the_call)
{
    open_system(2);
    tr_ref server = make_server();
    for (int i = 0; i < 100; i++)
        expect_answer(probe_ask(server, SOON, REPLY, i), server, i + 1);
    expect_nothing(0);
    close_system();
}

Test(ask, what_was_sent_plainly_cannot_be_answered)
{
    open_system(1);
    tr_ref server = make_server();
    tr_probe_send(probe, server, question, .how = REPLY); /* the server checks that it gets TR_EINVAL */
    tr_probe_send(probe, server, question, .how = REFUSE);
    tr_probe_send(probe, server, question, .how = TAKE);
    tr_probe_send(probe, server, answer_now, .n = 1);
    expect_answer(probe_ask(server, SOON, REPLY, 1), server, 2);
    expect_nothing(0);
    close_system();
}

Test(ask, a_taken_request_is_answered_in_a_later_turn)
{
    struct asking asked[5];
    open_system(2);
    tr_ref server = make_server();
    for (int i = 0; i < 5; i++)
        asked[i] = probe_ask(server, SOON, TAKE, i);
    expect_answer(probe_ask(server, SOON, REPLY, 7), server, 8); /* it goes on serving */
    tr_probe_send(probe, server, answer_now, .n = 17);
    for (int i = 5; i-- > 0;)
        expect_answer(asked[i], server, 17);
    close_system();
}

Test(ask, why_there_is_no_answer)
{
    static const struct {
        enum how how;
        int reason;
    } ways[] = {
        { REFUSE, -1005 },
        { STAY_SILENT, TR_EUNANSWERED },
        { CRASH, TR_ECRASHED },
        { END, TR_EDOWN },
        { TAKE_AND_CRASH, TR_ECRASHED },
        { REPLY_TOO_MUCH, TR_EMSGSIZE },
    };
    open_system(2);
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        tr_ref server = make_server();
        expect_failure(probe_ask(server, SOON, ways[i].how, 5), ways[i].reason);
    }
    expect_nothing(0);
    close_system();
}

Test(ask, a_crash_after_the_reply_is_not_the_askers_business)
{
    open_system(1);
    tr_ref server = make_server();
    expect_answer(probe_ask(server, SOON, REPLY_AND_CRASH, 5), server, 6);
    while (tr_alive(server)) {
    }
    expect_nothing(0);
    close_system();
}

Test(ask, a_taken_request_that_is_released_is_unanswered)
{
    open_system(1);
    tr_ref server = make_server();
    struct asking asking = probe_ask(server, SOON, TAKE, 0);
    tr_probe_send(probe, server, answer_now, .release = true);
    expect_failure(asking, TR_EUNANSWERED);
    close_system();
}

static int refuse_the_taken(tr_self *self, void *state, const tr_msg *m)
{
    tr_msg **taken = state;
    if (!*taken) {
        *taken = tr_take(self, m);
        return TR_CONTINUE;
    }
    cr_assert_eq(tr_refuse(self, *taken, TR_EPERM), 0);
    *taken = NULL;
    return TR_CONTINUE;
}
static const tr_actor refusing_actor = { TR_SPEC, .name = "refusing", .receive = refuse_the_taken,
    .state_size = sizeof(tr_msg *) };

Test(ask, a_taken_request_can_be_refused)
{
    open_system(1);
    tr_ref server = probe_spawn(&refusing_actor, NULL);
    struct asking asking = probe_ask(server, SOON, TAKE, 0);
    tr_probe_send(probe, server, answer_now);
    expect_failure(asking, TR_EPERM);
    close_system();
}

/* ---- the receiver goes down -------------------------------------------------------------------------------------- */

Test(ask, one_that_is_down_is_told_at_once)
{
    open_system(2);
    tr_ref server = make_server();
    struct asking ending = probe_ask(server, SOON, END, 0);
    expect_failure(ending, TR_EDOWN);
    while (tr_alive(server)) {
    }
    expect_failure(probe_ask(server, TR_FOREVER, REPLY, 0), TR_EDOWN);
    expect_failure(probe_ask(TR_NOBODY, TR_FOREVER, REPLY, 0), TR_EDOWN);
    close_system();
}

Test(ask, one_that_goes_down_with_the_request_waiting_or_taken_is_told_at_once)
{
    const int reasons[] = { 0, TR_EPROTO };
    open_system(2);
    for (unsigned i = 0; i < 3; i++) {
        struct gate gate;
        gate_init(&gate);
        tr_ref server = make_server();
        struct asking taken = probe_ask(server, TR_FOREVER, TAKE, 0);
        expect_answer(probe_ask(server, SOON, REPLY, 0), server, 1);
        direct(server, stand_at, &gate);
        gate_await(&gate);
        struct asking waiting = probe_ask(server, TR_FOREVER, REPLY, 0);
        if (i < 2)
            tr_probe_do(probe, exit_it, &(struct exiting){ server, reasons[i] });
        else
            tr_probe_do(probe, kill_it, &server);
        gate_open(&gate);
        expect_failure(taken, TR_EDOWN);
        expect_failure(waiting, TR_EDOWN);
    }
    close_system();
}

Test(ask, a_crash_on_another_message_is_no_crash_on_the_taken_request)
{
    open_system(2);
    tr_ref server = make_server();
    struct asking taken = probe_ask(server, SOON, TAKE, 0), crashing = probe_ask(server, SOON, CRASH, 0);
    const tr_msg *m;
    for (int i = 0; i < 2; i++) {
        m = expect(tr_failed);
        cr_assert_eq(tr_body(tr_failed, m)->reason, m->call == taken.call.bits ? TR_EDOWN : TR_ECRASHED);
        cr_assert(m->call == taken.call.bits || m->call == crashing.call.bits);
    }
    close_system();
}

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

Test(ask, a_timeout_comes_when_the_time_is_up_and_never_early)
{
    const int64_t timeouts[] = { TR_MS(20), TR_US(1500), TR_US(1), TR_MS(7), 1 };
    open_system(2);
    tr_ref server = make_server();
    for (unsigned i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        int64_t at;
        struct asking asking = probe_ask(server, timeouts[i], TAKE, 0);
        expect_failure(asking, TR_ETIMEDOUT);
        tr_probe_do(probe, now, &at);
        cr_assert_geq(at - asking.asked, timeouts[i]);
    }
    close_system();
}

Test(ask, no_time_at_all_has_expired_already_and_nothing_is_run)
{
    const int64_t timeouts[] = { 0, -1, -TR_SECONDS(100), INT64_MIN };
    open_system(1);
    tr_ref server = make_server();
    tr_stats before = stats_now();
    for (unsigned i = 0; i < 4; i++)
        expect_failure(probe_ask(server, timeouts[i], REPLY, 0), TR_ETIMEDOUT);
    cr_assert_eq(run, 0u);
    expect_answer(probe_ask(server, SOON, REPLY, 0), server, 1);
    expect_nothing(0);
    cr_assert_eq(stats_now().expired - before.expired, 4u);
    close_system();
}

Test(ask, a_late_reply_never_arrives_and_is_counted)
{
    open_system(2);
    tr_ref server = make_server();
    do /* on a busy machine it may expire before the server has taken it */
        expect_failure(probe_ask(server, TR_MS(1), TAKE, 0), TR_ETIMEDOUT);
    while (ck_pr_load_uint(&run) == 0);
    tr_stats before = stats_now();
    tr_probe_send(probe, server, answer_now, .n = 1);
    expect_answer(probe_ask(server, SOON, REPLY, 1), server, 2); /* behind the late one */
    expect_nothing(0);
    cr_assert_eq(stats_now().expired - before.expired, 1u);
    close_system();
}

static int look_at_time_left(tr_self *self, void *arg)
{
    *(int64_t *)arg = tr_time_left(self);
    return TR_CONTINUE;
}

static int monitors_now(tr_self *self, void *arg)
{
    *(int64_t *)arg = (int64_t)ck_pr_load_64((const uint64_t *)&self->system->sched.looked);
    return TR_CONTINUE;
}

Test(ask, a_request_whose_time_is_up_is_not_run_and_leaves_no_deadline_behind)
{
    struct gate gate;
    int64_t left = 0, start, at;
    gate_init(&gate);
    open_system(2);
    tr_ref server = make_server();
    direct(server, stand_at, &gate);
    gate_await(&gate);
    expect_failure(probe_ask(server, TR_MS(1), REPLY, 0), TR_ETIMEDOUT);
    tr_probe_do(probe, now, &start);
    do /* the envelope has the deadline in ticks of about a millisecond, and the clock is not read: let these pass, too */
        tr_probe_do(probe, monitors_now, &at);
    while (at < start + TR_MS(2));
    direct(server, look_at_time_left, &left);
    tr_stats before = stats_now();
    gate_open(&gate);
    expect_answer(probe_ask(server, SOON, REPLY, 1), server, 2);
    cr_assert_eq(run, 1u);
    cr_assert_eq(left, TR_FOREVER, "a plain message behind it has the deadline of the request");
    cr_assert_eq(stats_now().expired - before.expired, 1u);
    close_system();
}

/* ---- time left, and how it travels ------------------------------------------------------------------------------- */

enum { TICK = 1 << 20 }; /* ns: a deadline in an envelope is rounded up to this */

/* Passes each request on as one of its own, with all the time in the world, and reports. */
TR_MESSAGE(hop,
    int64_t left; /* for the request when it was handled, */
    int reason;   /* and why its own ask failed */
);
TR_DEFINE(hop);

struct relay {
    tr_ref next, master;
    int64_t timeout, left;
    tr_msg *request;
};

static unsigned relayed; /* requests, by all relays */

static int relay_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    memcpy(state, arg, sizeof(struct relay));
    return TR_CONTINUE;
}

static int relay_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct relay *me = state;
    if (tr_is(tr_failed, m)) {
        cr_assert_eq(tr_time_left(self), TR_FOREVER);
        tr_send(self, me->master, hop, .left = me->left, .reason = tr_body(tr_failed, m)->reason);
        tr_refuse(self, me->request, tr_body(tr_failed, m)->reason);
        return TR_CONTINUE;
    }
    if (tr_is(answer, m)) {
        (void)tr_reply_to(self, me->request, answer, .n = tr_body(answer, m)->n + 1);
        return TR_CONTINUE;
    }
    const question *q = tr_body(question, m);
    ck_pr_inc_uint(&relayed);
    me->left = tr_time_left(self);
    tr_ask(self, me->next, me->timeout, question, .how = q->how, .n = q->n);
    me->request = tr_take(self, m);
    return TR_CONTINUE;
}

static const tr_actor relay_actor = { TR_SPEC, .name = "relay", .start = relay_start, .receive = relay_receive,
    .state_size = sizeof(struct relay), .arg_size = sizeof(struct relay) };

static tr_ref make_relays(unsigned count, tr_ref last, int64_t timeout)
{
    struct relay relay = { .next = last, .master = tr_probe_ref(probe), .timeout = timeout };
    while (count--)
        relay.next = probe_spawn(&relay_actor, &relay);
    return relay.next;
}

Test(ask, an_answer_comes_back_over_several_hops)
{
    open_system(2);
    tr_ref first = make_relays(5, make_server(), TR_FOREVER);
    expect_answer(probe_ask(first, SOON, REPLY, 1), first, 7);
    close_system();
}

Test(ask, what_is_asked_for_a_request_gets_no_more_time_than_is_left_for_it)
{
    const int64_t timeouts[] = { TR_FOREVER, TR_SECONDS(1000) };
    unsigned hops = 0, before;
    open_system(2);
    for (unsigned i = 0; i < 2; i++) {
        tr_ref first = make_relays(2, make_server(), timeouts[i]);
        do { /* on a busy machine it may expire before it has come so far */
            int64_t at;
            bool failed = false;
            before = relayed;
            struct asking asking = probe_ask(first, TR_MS(20), TAKE, 0);
            while (!failed || hops < ck_pr_load_uint(&relayed)) {
                const tr_msg *m = tr_probe_receive(probe, SOON);
                cr_assert_not_null(m, "a hop waits for longer than its own request");
                if (tr_is(hop, m)) {
                    hops++;
                    cr_assert_eq(tr_body(hop, m)->reason, TR_ETIMEDOUT);
                    cr_assert_leq(tr_body(hop, m)->left, TR_MS(20) + TICK);
                    continue;
                }
                failed = true;
                cr_assert_eq(m->call, asking.call.bits);
                cr_assert_eq(tr_body(tr_failed, m)->reason, TR_ETIMEDOUT);
                tr_probe_do(probe, now, &at);
                cr_assert_geq(at - asking.asked, TR_MS(20));
            }
        } while (relayed - before < 2);
    }
    close_system();
}

Test(ask, a_shorter_timeout_of_its_own_holds_all_the_same)
{
    open_system(2);
    tr_ref first = make_relays(1, make_server(), TR_MS(2));
    struct asking asking = probe_ask(first, SOON, TAKE, 0);
    const hop *report = tr_body(hop, expect(hop));
    cr_assert_eq(report->reason, TR_ETIMEDOUT);
    cr_assert_gt(report->left, TR_MS(2));
    expect_failure(asking, TR_ETIMEDOUT); /* the relay refuses with that reason, long before SOON */
    close_system();
}

Test(ask, time_left_is_what_the_asker_gave_and_forever_for_other_messages)
{
    open_system(2);
    tr_ref server = make_server(), first = make_relays(1, server, TR_FOREVER);
    int64_t left = 0;
    perform(make_puppet(0), look_at_time_left, &left);
    cr_assert_eq(left, TR_FOREVER);
    const int64_t timeouts[] = { SOON, TR_HOURS(24 * 20), TR_FOREVER };
    for (unsigned i = 0; i < 3; i++) {
        struct asking asking = probe_ask(first, timeouts[i], CRASH, 0);
        const hop *report = tr_body(hop, expect(hop));
        if (timeouts[i] == TR_FOREVER)
            cr_assert_eq(report->left, TR_FOREVER);
        else
            cr_assert(report->left <= timeouts[i] + TICK && report->left > timeouts[i] / 2, "%ld", (long)report->left);
        cr_assert_eq(report->reason, i == 0 ? TR_ECRASHED : TR_EDOWN);
        expect_failure(asking, i == 0 ? TR_ECRASHED : TR_EDOWN);
    }
    close_system();
}

/* ---- forwarding -------------------------------------------------------------------------------------------------- */

/* Forwards everything, at once or when it has taken `late` messages. */
struct passing {
    tr_ref to;
    unsigned late, count;
    tr_msg *taken[4];
};

static int passing_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    memcpy(state, arg, sizeof(struct passing));
    return TR_CONTINUE;
}

static int passing_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct passing *me = state;
    if (!me->late) {
        tr_forward(self, m, me->to);
        return TR_CONTINUE;
    }
    me->taken[me->count++] = tr_take(self, m);
    for (unsigned i = 0; me->count == me->late && i < me->late; i++)
        tr_forward(self, me->taken[i], me->to);
    return TR_CONTINUE;
}

static const tr_actor passing_actor = { TR_SPEC, .name = "passing", .start = passing_start, .receive = passing_receive,
    .state_size = sizeof(struct passing), .arg_size = sizeof(struct passing) };

static tr_ref make_passing(tr_ref to, unsigned late)
{
    return probe_spawn(&passing_actor, (&(struct passing){ .to = to, .late = late }));
}

Test(ask, a_forwarded_request_is_answered_by_whom_it_reaches)
{
    open_system(2);
    tr_ref server = make_server(), first = make_passing(make_passing(make_passing(server, 0), 0), 0);
    for (int i = 0; i < 10; i++)
        expect_answer(probe_ask(first, SOON, REPLY, i), server, i + 1);
    struct asking asking = probe_ask(first, SOON, STAY_SILENT, 0);
    asking.to = server; /* who has failed */
    expect_failure(asking, TR_EUNANSWERED);
    asking = probe_ask(make_passing(TR_NOBODY, 0), SOON, REPLY, 0);
    asking.to = TR_NOBODY;
    expect_failure(asking, TR_EDOWN);
    close_system();
}

Test(ask, a_taken_request_can_be_forwarded_later)
{
    struct asking asked[3];
    open_system(2);
    tr_ref server = make_server(), late = make_passing(server, 3);
    for (int i = 0; i < 3; i++)
        asked[i] = probe_ask(late, SOON, REPLY, i);
    for (int i = 0; i < 3; i++)
        expect_answer(asked[i], server, i + 1);
    close_system();
}

static int ask_myself(tr_self *self, void *arg)
{
    struct asking *asking = arg;
    asking->to = tr_me(self);
    return ask(self, arg);
}

static int self_asking_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(act, m))
        return tr_body(act, m)->function(self, tr_body(act, m)->arg);
    if (tr_is(question, m)) {
        cr_assert(tr_ref_eq(m->from, tr_me(self)));
        cr_assert_eq(tr_reply(self, answer, .n = 8), 0);
    } else {
        cr_assert_eq(tr_body(answer, m)->n, 8);
        return TR_STOP;
    }
    return TR_CONTINUE;
}
static const tr_actor self_asking_actor = { TR_SPEC, .name = "self asking", .receive = self_asking_receive };

Test(ask, an_actor_may_ask_itself)
{
    struct asking asking = { .timeout = SOON };
    open_system(1);
    tr_ref actor = probe_spawn(&self_asking_actor, NULL, .monitor = true);
    direct(actor, ask_myself, &asking);
    expect_down(actor, 0);
    close_system();
}

Test(ask, a_request_forwarded_back_can_be_answered_by_the_asker)
{
    open_system(1);
    struct asking asking = probe_ask(make_passing(tr_probe_ref(probe), 0), SOON, REPLY, 3);
    const tr_msg *m = expect(question);
    cr_assert_eq(m->call, asking.call.bits);
    cr_assert_eq(tr_probe_reply(probe, answer, .n = 4), 0);
    expect_answer(asking, tr_probe_ref(probe), 4);
    close_system();
}

/* ---- routers ----------------------------------------------------------------------------------------------------- */

TR_MESSAGE(routed, int which; const tr_type *type; uint64_t call;);
TR_DEFINE(routed);

static int report_routed(tr_self *self, void *state, const tr_msg *m, int which)
{
    struct puppet *me = state;
    tr_send(self, me->master, routed, .which = which, .type = m->type, .call = m->call);
    return which == 3 ? TR_EFAULT : TR_CONTINUE;
}

static int router_1(tr_self *self, void *state, const tr_msg *m)
{
    return report_routed(self, state, m, 1);
}

static int router_2(tr_self *self, void *state, const tr_msg *m)
{
    return report_routed(self, state, m, 2);
}

static int ending_router(tr_self *self, void *state, const tr_msg *m)
{
    return report_routed(self, state, m, 3);
}

struct then {
    struct asking asking;
    tr_router *routers[2];
};

static int ask_then(tr_self *self, void *arg)
{
    struct then *then = arg;
    ask(self, &then->asking);
    for (int i = 0; i < 2; i++)
        if (then->routers[i])
            tr_then(self, then->asking.call, then->routers[i]);
    return TR_CONTINUE;
}

static void expect_routed(int which, const tr_type *type, struct asking asking)
{
    const routed *body = tr_body(routed, expect(routed));
    cr_assert_eq(body->which, which);
    cr_assert_eq(body->type, type);
    cr_assert_eq(body->call, asking.call.bits);
}

Test(ask, an_answer_or_failure_goes_to_the_router_given_for_the_call)
{
    open_system(2);
    tr_ref puppet = make_puppet(TELL_STOP);
    struct then reply = { { .to = make_server(), .timeout = SOON, .how = REPLY }, { router_1, NULL } };
    struct then refusal = { { .to = make_server(), .timeout = SOON, .how = REFUSE }, { router_1, router_2 } };
    struct then timeout = { { .to = make_server(), .timeout = TR_MS(1), .how = TAKE }, { router_2, router_1 } };
    struct then none = { { .to = make_server(), .timeout = SOON, .how = REPLY }, { NULL, NULL } };
    struct then ending = { { .to = make_server(), .timeout = SOON, .how = REPLY }, { ending_router, NULL } };
    perform(puppet, ask_then, &reply);
    expect_routed(1, &answer_type, reply.asking);
    perform(puppet, ask_then, &refusal);
    expect_routed(2, &tr_failed_type, refusal.asking); /* the last one given */
    perform(puppet, ask_then, &timeout);
    expect_routed(1, &tr_failed_type, timeout.asking);
    perform(puppet, ask_then, &none);
    expect(answer); /* by its receive, which forwards it */
    perform(puppet, ask_then, &ending);
    expect_routed(3, &answer_type, ending.asking);
    expect_stopped(puppet, TR_EFAULT); /* what a router answers is what receive would have answered */
    close_system();
}

static int then_for(tr_self *self, void *arg)
{
    tr_then(self, *(tr_call *)arg, router_1);
    return TR_CONTINUE;
}

Test(ask, a_router_for_a_call_that_is_not_out_does_nothing)
{
    open_system(2);
    tr_ref server = make_server();
    struct asking asking = probe_ask(server, SOON, REPLY, 1);
    expect_answer(asking, server, 2);
    tr_probe_do(probe, then_for, &asking.call);
    tr_probe_do(probe, then_for, &(tr_call){ 0 });
    asking = probe_ask(server, SOON, TAKE, 1);
    perform(make_puppet(0), then_for, &asking.call); /* somebody else's */
    tr_probe_send(probe, server, answer_now, .n = 5);
    expect_answer(asking, server, 5);
    close_system();
}

/* ---- giving up --------------------------------------------------------------------------------------------------- */

static int abandon(tr_self *self, void *arg)
{
    tr_abandon(self, *(tr_call *)arg);
    return TR_CONTINUE;
}

/* In one turn, so that it cannot time out before. */
static int ask_and_abandon(tr_self *self, void *arg)
{
    struct asking *asking = arg;
    ask(self, arg);
    return abandon(self, &asking->call);
}

Test(ask, an_abandoned_call_is_heard_of_no_more)
{
    open_system(2);
    tr_ref server = make_server();
    tr_stats before = stats_now();
    struct asking answered = probe_ask(server, SOON, TAKE, 1), failed = probe_ask(server, SOON, TAKE, 1);
    tr_probe_do(probe, abandon, &answered.call);
    tr_probe_send(probe, server, answer_now, .n = 5); /* both */
    expect_answer(failed, server, 5);
    failed = probe_ask(server, SOON, TAKE, 1);
    tr_probe_do(probe, abandon, &failed.call);
    tr_probe_send(probe, server, answer_now, .release = true);
    tr_probe_do(probe, ask_and_abandon, &(struct asking){ .to = server, .timeout = TR_MS(1), .how = TAKE });
    expect_failure(probe_ask(server, TR_MS(3), TAKE, 1), TR_ETIMEDOUT); /* set later, due later */
    expect_nothing(0);
    cr_assert_geq(stats_now().expired - before.expired, 2u); /* the reply and the failure of the release */
    close_system();
}

Test(ask, abandoning_what_is_not_out_is_harmless)
{
    open_system(2);
    tr_ref server = make_server();
    struct asking asking = probe_ask(server, SOON, REPLY, 1);
    expect_answer(asking, server, 2);
    tr_probe_do(probe, abandon, &asking.call);
    tr_probe_do(probe, abandon, &(tr_call){ 0 });
    tr_probe_do(probe, abandon, &(tr_call){ UINT64_MAX });
    asking = probe_ask(server, SOON, TAKE, 1);
    perform(make_puppet(0), abandon, &asking.call); /* somebody else's */
    tr_probe_send(probe, server, answer_now, .n = 5);
    expect_answer(asking, server, 5);
    close_system();
}

/* The answer waits in the mailbox when the call is given up. */
struct waiting_answer {
    struct asking asking;
    struct gate gate;
};

static int ask_wait_and_abandon(tr_self *self, void *arg)
{
    struct waiting_answer *waiting = arg;
    ask(self, &waiting->asking);
    gate_pass(&waiting->gate);
    tr_abandon(self, waiting->asking.call);
    return TR_CONTINUE;
}

Test(ask, abandoning_takes_back_an_answer_that_waits_in_the_mailbox)
{
    const enum how ways[] = { REPLY, REFUSE };
    open_system(2);
    tr_ref server = make_server(), puppet = make_puppet(0);
    for (unsigned i = 0; i < 2; i++) {
        struct waiting_answer waiting = { .asking = { .to = server, .timeout = SOON, .how = ways[i] } };
        gate_init(&waiting.gate);
        direct(puppet, ask_wait_and_abandon, &waiting);
        gate_await(&waiting.gate);
        expect_answer(probe_ask(server, SOON, REPLY, 1), server, 2); /* behind the puppet's */
        gate_open(&waiting.gate);
        settle(puppet);
    }
    expect_nothing(0);
    close_system();
}

/* ---- the asker goes down ----------------------------------------------------------------------------------------- */

static int reply_and_report(tr_self *self, void *state, const tr_msg *m)
{
    tr_msg **taken = state;
    if (m->call && !*taken) {
        *taken = tr_take(self, m);
        return TR_CONTINUE;
    }
    int result = tr_reply_to(self, *taken, answer, .n = 1);
    tr_send(self, m->from, answer, .n = result);
    return TR_CONTINUE;
}
static const tr_actor reporting_actor = { TR_SPEC, .name = "reporting", .receive = reply_and_report,
    .state_size = sizeof(tr_msg *) };

Test(ask, an_asker_that_is_gone_is_told_to_whoever_replies)
{
    open_system(2);
    tr_ref server = probe_spawn(&reporting_actor, NULL), puppet = make_puppet(0);
    struct asking asking = { .to = server, .timeout = SOON };
    perform(puppet, ask, &asking);
    perform(puppet, end_well, NULL);
    while (tr_alive(puppet)) {
    }
    tr_probe_send(probe, server, question);
    cr_assert_eq(tr_body(answer, expect(answer))->n, TR_EDOWN);
    close_system();
}

static int ask_many_and_end(tr_self *self, void *arg)
{
    struct asking asking = *(struct asking *)arg;
    for (int i = 0; i < 40; i++) {
        asking.how = i % 2 ? REPLY : STAY_SILENT;
        asking.timeout = i % 3 ? SOON : TR_US(50);
        ask(self, &asking);
    }
    return TR_STOP;
}

Test(ask, askers_may_end_with_any_number_of_calls_out)
{
    open_system(2);
    struct asking asking = { .to = make_server() };
    for (int i = 0; i < 100; i++)
        direct(make_puppet(0), ask_many_and_end, &asking);
    expect_answer(probe_ask(asking.to, SOON, REPLY, 1), asking.to, 2);
    close_system();
}

/* ---- no memory --------------------------------------------------------------------------------------------------- */

struct poor_asking {
    struct asking asking;
    uint64_t nth;
    bool and_after;
    uint64_t failed;
};

static int ask_without_memory(tr_self *self, void *arg)
{
    struct poor_asking *poor = arg;
    tri_memory_fail(poor->nth, poor->and_after);
    ask(self, &poor->asking);
    poor->failed = tri_memory_fail(0, false);
    return TR_CONTINUE;
}

Test(ask, without_memory_for_the_request_the_ask_fails)
{
    tri_pool_off();
    open_system(1);
    struct poor_asking poor = { .asking = { .to = make_server(), .timeout = SOON, .how = REPLY }, .nth = 1 };
    expect_answer(probe_ask(poor.asking.to, SOON, REPLY, 1), poor.asking.to, 2); /* it has promises at hand now */
    tr_probe_do(probe, ask_without_memory, &poor);
    cr_assert_eq(poor.failed, 1u);
    expect_failure(poor.asking, TR_ENOMEM);
    cr_assert_eq(run, 1u);
    close_system();
}

Test(ask, without_memory_to_wait_for_an_answer_nothing_is_sent)
{
    tri_pool_off();
    open_system(1);
    struct poor_asking poor = { .asking = { .to = make_server(), .timeout = SOON, .how = REPLY }, .nth = 2, .and_after = true };
    tr_probe_do(probe, ask_without_memory, &poor); /* the first is the request; the second is for the promise */
    cr_assert_eq(poor.asking.call.bits, 0u);
    expect_answer(probe_ask(poor.asking.to, SOON, REPLY, 1), poor.asking.to, 2);
    expect_nothing(0);
    cr_assert_eq(run, 1u);
    close_system();
}

static int reply_without_memory(tr_self *self, void *state, const tr_msg *m)
{
    tr_msg **taken = state;
    tr_msg *mine = *taken;
    if (!mine && m->call && tr_body(question, m)->how == TAKE) {
        *taken = tr_take(self, m);
        return TR_CONTINUE;
    }
    *taken = NULL;
    tri_memory_fail(1, true);
    cr_assert_eq(tr_reply_(self, mine, &answer_type, &(answer){ 1 }, sizeof(answer)), TR_ENOMEM);
    tri_memory_fail(0, false);
    return TR_CONTINUE;
}
static const tr_actor poor_actor = { TR_SPEC, .name = "poor", .receive = reply_without_memory,
    .state_size = sizeof(tr_msg *) };

Test(ask, without_memory_for_the_reply_the_asker_is_told_that)
{
    tri_pool_off();
    open_system(1);
    tr_ref poor = probe_spawn(&poor_actor, NULL);
    expect_failure(probe_ask(poor, SOON, REPLY, 1), TR_ENOMEM);
    struct asking taken = probe_ask(poor, SOON, TAKE, 1);
    tr_probe_send(probe, poor, question);
    expect_failure(taken, TR_ENOMEM);
    close_system();
}

/* ---- the storm --------------------------------------------------------------------------------------------------- */

/* Askers with up to OUT calls out at a time, and with timeouts that race with the answers; servers that answer in every
 * way there is, crash and are started again. Each call is answered once, or was given up. */
enum { OUT = 16, STORM_SERVERS = 4, STORM_ASKERS = 6 };

static int stormy_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct server *me = state;
    if (me->count && tr_random_below(self, 2)) {
        tr_msg *oldest = me->taken[0];
        memmove(me->taken, me->taken + 1, --me->count * sizeof oldest);
        if (tr_random_below(self, 4))
            (void)tr_reply_to(self, oldest, answer, .n = tr_body(question, oldest)->n);
        else
            tr_release(self, oldest);
    }
    switch (tr_random_below(self, 16)) {
    case 0: return TR_CONTINUE;
    case 1: tr_refuse(self, NULL, TR_EBUSY); return TR_CONTINUE;
    case 2: return tr_random_below(self, 8) ? TR_CONTINUE : TR_EPROTO;
    case 3: tr_forward(self, m, tr_whereis(self, "stormy 0")); return TR_CONTINUE;
    case 4:
    case 5:
    case 6:
    case 7:
        if (me->count < 16) {
            me->taken[me->count++] = tr_take(self, m);
            return TR_CONTINUE;
        } /* fall through */
    default: (void)tr_reply(self, answer, .n = tr_body(question, m)->n); return TR_CONTINUE;
    }
}

static const tr_actor stormy_actor = { TR_SPEC, .name = "stormy", .receive = stormy_receive,
    .state_size = sizeof(struct server), .mailbox = 64 };

static const tr_child stormy_children[STORM_SERVERS] = {
    { .name = "stormy 0", .actor = &stormy_actor, .intensity = 1000, .period_ns = 1 },
    { .name = "stormy 1", .actor = &stormy_actor, .intensity = 1000, .period_ns = 1 },
    { .name = "stormy 2", .actor = &stormy_actor, .intensity = 1000, .period_ns = 1 },
    { .name = "stormy 3", .actor = &stormy_actor, .intensity = 1000, .period_ns = 1 },
};
static const tr_supervisor stormy_supervisor = { TR_SUPERVISOR, .name = "storm", .children = stormy_children,
    .count = STORM_SERVERS, .backoff_ns = 1, .backoff_max_ns = 1 }; /* at once: the storm is over soon */

struct stormy_asker {
    tr_ref master;
    unsigned left, out, answered, abandoned;
    struct {
        tr_call call;
        int n;
        bool routed;
    } calls[OUT];
};

static int stormy_answer(tr_self *self, struct stormy_asker *me, const tr_msg *m, bool routed_)
{
    unsigned i = 0;
    while (i < OUT && me->calls[i].call.bits != m->call)
        i++;
    cr_assert_lt(i, (unsigned)OUT, "an answer to a call that is not out: a second one, a late one, or of one given up");
    cr_assert_eq(me->calls[i].routed, routed_);
    if (tr_is(answer, m))
        cr_assert_eq(tr_body(answer, m)->n, me->calls[i].n);
    else
        cr_assert(tr_is(tr_failed, m));
    me->calls[i].call.bits = 0;
    me->out--;
    me->answered++;
    (void)self;
    return TR_CONTINUE;
}

static int storm_on(tr_self *self, struct stormy_asker *me)
{
    static const char *const names[] = { "stormy 0", "stormy 1", "stormy 2", "stormy 3", "nobody" };
    if (me->left == 0 && me->out == 0) {
        tr_send(self, me->master, answer, .n = (int)(me->answered + me->abandoned));
        return TR_STOP;
    }
    return tr_send(self, tr_me(self), answer_now, .n = (int)tr_random_below(self, sizeof names / sizeof names[0]));
}

static int stormy_router(tr_self *self, void *state, const tr_msg *m)
{
    return stormy_answer(self, state, m, true);
}

static void ask_another(tr_self *self, struct stormy_asker *me)
{
    static const char *const names[] = { "stormy 0", "stormy 1", "stormy 2", "stormy 3", "nobody" };
    unsigned i = 0;
    while (me->calls[i].call.bits)
        i++;
    tr_ref to = tr_whereis(self, names[tr_random_below(self, 5)]);
    me->calls[i].n = (int)me->left;
    me->calls[i].call = tr_ask(self, to, (int64_t)tr_random_below(self, 200000) - 2000, question, .n = (int)me->left);
    cr_assert_neq(me->calls[i].call.bits, 0);
    me->calls[i].routed = tr_random_below(self, 2);
    if (me->calls[i].routed)
        tr_then(self, me->calls[i].call, stormy_router);
    me->left--;
    me->out++;
}

static void give_one_up(tr_self *self, struct stormy_asker *me)
{
    unsigned i = tr_random_below(self, OUT);
    if (!me->calls[i].call.bits)
        return;
    tr_abandon(self, me->calls[i].call);
    me->calls[i].call.bits = 0;
    me->out--;
    me->abandoned++;
}

static int stormy_asker_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct stormy_asker *me = state;
    if (!tr_is(answer_now, m))
        return stormy_answer(self, me, m, false);
    if (me->left && me->out < OUT)
        ask_another(self, me);
    if (tr_random_below(self, 20) == 0)
        give_one_up(self, me);
    return storm_on(self, me);
}

static int stormy_asker_start(tr_self *self, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct stormy_asker));
    return tr_send(self, tr_me(self), answer_now);
}

static const tr_actor stormy_asker_actor = { TR_SPEC, .name = "asker", .start = stormy_asker_start,
    .receive = stormy_asker_receive, .state_size = sizeof(struct stormy_asker), .arg_size = sizeof(struct stormy_asker) };

static int supervise_storm(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_supervise(self, &stormy_supervisor)) ? TR_ENOMEM : 0;
}

Test(ask, in_a_storm_of_timeouts_replies_and_crashes_each_call_is_answered_once)
{
    tr_log_level(TR_LOG_ERROR);
    open_system(4);
    cr_assert_eq(tr_probe_do(probe, supervise_storm, NULL), 0);
    struct stormy_asker asker = { .master = tr_probe_ref(probe), .left = scaled(5000, 1000000) };
    tr_stats stats;
    int rounds = 0;
    do { /* a storm may be over before anybody has come back */
        for (int i = 0; i < STORM_ASKERS; i++)
            probe_spawn(&stormy_asker_actor, &asker);
        for (int i = 0; i < STORM_ASKERS; i++)
            cr_assert_eq(tr_body(answer, expect(answer))->n, (int)asker.left);
        stats = stats_now();
    } while ((stats.restarted <= 10 || stats.expired <= 100) && ++rounds < 1000);
    cr_assert_gt(stats.restarted, 10u);
    cr_assert_gt(stats.expired, 100u);
    close_system();
}

/* ---- programmer errors ------------------------------------------------------------------------------------------- */

static int misuse(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    switch (tr_body(question, m)->n) {
    case 0:
        (void)tr_reply(self, answer);
        (void)tr_reply(self, answer);
        break;
    case 1:
        tr_refuse(self, NULL, TR_EBUSY);
        (void)tr_reply(self, answer);
        break;
    case 2:
        tr_take(self, m);
        (void)tr_reply(self, answer);
        break;
    case 3: tr_refuse(self, NULL, 1); break;
    case 4:
        (void)tr_reply(self, answer);
        tr_forward(self, m, TR_NOBODY);
        break;
    }
    return TR_CONTINUE;
}
static const tr_actor misusing_actor = { TR_SPEC, .name = "misusing", .receive = misuse };

static void misuse_request(int how)
{
    open_system(1);
    probe_ask(probe_spawn(&misusing_actor, NULL), SOON, REPLY, how);
    wait_for_the_end();
}

static void reply_twice(void)
{
    misuse_request(0);
}

static void reply_after_refusing(void)
{
    misuse_request(1);
}

static void reply_to_a_taken_request_as_if_it_were_not(void)
{
    misuse_request(2);
}

static void refuse_with_a_count(void)
{
    misuse_request(3);
}

static void forward_what_was_answered(void)
{
    misuse_request(4);
}

static int reply_to_nothing(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_reply(self, answer);
}
static const tr_actor early_actor = { TR_SPEC, .name = "early", .start = reply_to_nothing, .receive = misuse };

static void reply_in_start(void)
{
    open_system(1);
    probe_spawn(&early_actor, NULL);
    wait_for_the_end();
}

Test(ask, misuse_of_a_request_ends_the_process)
{
    expect_panic(reply_twice, "tr_reply: a second reply", "in actor misusing <", "handling question");
    expect_panic(reply_after_refusing, "tr_reply: a second reply");
    expect_panic(reply_to_a_taken_request_as_if_it_were_not, "tr_reply", "use tr_reply_to");
    expect_panic(refuse_with_a_count, "tr_refuse", "not 1");
    expect_panic(forward_what_was_answered, "tr_forward");
    expect_panic(reply_in_start, "tr_reply: no message is being handled", "in actor early");
}
