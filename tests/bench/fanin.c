/*
 * fanin: 8 producers send N messages each to one counter.
 *
 * Mailboxes are bounded, and a send to a full one fails at once: it does not wait. So a producer must not be faster
 * than the counter for long, and it has to be told. It sends in batches, and the last message of a batch is a request:
 * messages of one sender arrive in order, so its answer says that the whole batch has been counted. Two batches are
 * under way at a time, so that the next one is there when the counter has done with the first. This bounds what waits
 * to 8 * 2 * 256 messages, a quarter of the default bound; it lets the others run between two batches; and because a
 * request has a deadline and fails at once when the counter is down, a producer cannot wait for ever.
 */
#include "tests/bench/bench.h"

enum { PRODUCERS = 8, BATCH = 256, UNDER_WAY = 2 };

TR_MESSAGE(add, int64_t amount;);
TR_SIGNAL(added);
TR_MESSAGE(sum_of_all, int64_t sum;);
TR_DEFINE(add);
TR_DEFINE(added);
TR_DEFINE(sum_of_all);

/* ---- the counter ------------------------------------------------------------------------------------------------- */

struct counter {
    int64_t left, sum;
};

static int counter_start(tr_self *self, void *state, const void *arg)
{
    struct counter *me = state;
    (void)self;
    me->left = *(const int64_t *)arg;
    return TR_CONTINUE;
}

static int counter(tr_self *self, void *state, const tr_msg *m)
{
    struct counter *me = state;
    me->sum += tr_body(add, m)->amount;
    if (m->call)
        tr_reply(self, added);
    if (--me->left == 0)
        tr_send(self, tr_parent(self), sum_of_all, .sum = me->sum);
    return TR_CONTINUE;
}

static const tr_actor counter_actor = { TR_SPEC, .name = "counter", .start = counter_start, .receive = counter,
    .state_size = sizeof(struct counter), .arg_size = sizeof(int64_t) };

/* ---- a producer -------------------------------------------------------------------------------------------------- */

struct producer {
    tr_ref counter;
    int64_t left;
    int under_way; /* batches */
};

static void send_batch(tr_self *self, struct producer *me)
{
    int64_t batch = me->left < BATCH ? me->left : BATCH;
    me->left -= batch;
    for (int64_t i = 1; i < batch; i++)
        bench_check(tr_send(self, me->counter, add, .amount = 1) == 0, "fanin: the counter has refused a message");
    tr_ask(self, me->counter, TR_SECONDS(30), add, .amount = 1);
    me->under_way++;
}

static int producer_start(tr_self *self, void *state, const void *arg)
{
    struct producer *me = state;
    *me = *(const struct producer *)arg;
    while (me->left && me->under_way < UNDER_WAY)
        send_batch(self, me);
    return TR_CONTINUE;
}

static int producer(tr_self *self, void *state, const tr_msg *m)
{
    struct producer *me = state;
    bench_check(tr_is(added, m), "fanin: a batch was not acknowledged");
    me->under_way--;
    if (me->left)
        send_batch(self, me);
    return me->under_way ? TR_CONTINUE : TR_STOP;
}

static const tr_actor producer_actor = { TR_SPEC, .name = "producer", .start = producer_start, .receive = producer,
    .state_size = sizeof(struct producer), .arg_size = sizeof(struct producer) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct fanin {
    int64_t all, start;
};

static int fanin_start(tr_self *self, void *state, const void *arg)
{
    struct fanin *me = state;
    int64_t n = *(const int64_t *)arg;
    bench_watch(self);
    me->all = PRODUCERS * n;
    tr_ref sink = tr_spawn(self, &counter_actor, &me->all);
    me->start = tr_now(self);
    for (int i = 0; i < PRODUCERS; i++)
        tr_spawn(self, &producer_actor, (&(struct producer){ .counter = sink, .left = n }));
    return TR_CONTINUE;
}

static int fanin(tr_self *self, void *state, const tr_msg *m)
{
    struct fanin *me = state;
    if (!tr_is(sum_of_all, m))
        bench_unexpected(m);
    bench_check(tr_body(sum_of_all, m)->sum == me->all, "fanin: wrong sum");
    return bench_report(me->all, tr_now(self) - me->start);
}

static const tr_actor fanin_root = { TR_SPEC, .name = "fanin", .start = fanin_start, .receive = fanin,
    .state_size = sizeof(struct fanin), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_fanin = { .name = "fanin", .root = &fanin_root, .n = 1000000 };
