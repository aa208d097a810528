/*
 * counting: a producer sends N increments to a counter and asks for the count.
 *
 * It asks not only in the end, but after each batch: the answer is the leave to send another one, so that at most
 * UNDER_WAY batches wait in the counter's mailbox. Messages of one sender arrive in order; so each count is known.
 */
#include "tests/bench/bench.h"

enum { BATCH = 512, UNDER_WAY = 2 };

TR_SIGNAL(counting_increment);
TR_SIGNAL(counting_get);
TR_MESSAGE(counting_count, int64_t count;);
TR_DEFINE(counting_increment);
TR_DEFINE(counting_get);
TR_DEFINE(counting_count);

/* ---- the counter ------------------------------------------------------------------------------------------------- */

struct counter {
    int64_t count;
};

static int counter(tr_self *self, void *state, const tr_msg *m)
{
    struct counter *me = state;
    if (tr_is(counting_increment, m))
        me->count++;
    else if (tr_is(counting_get, m))
        tr_reply(self, counting_count, .count = me->count);
    else
        bench_unexpected(m);
    return TR_CONTINUE;
}

static const tr_actor counter_actor = { TR_SPEC, .name = "counter", .receive = counter, .state_size = sizeof(struct counter) };

/* ---- the producer, which is the root ----------------------------------------------------------------------------- */

struct counting {
    tr_ref counter;
    int64_t n, left, counted, start;
};

static int64_t batch_of(int64_t left)
{
    return left < BATCH ? left : BATCH;
}

static void send_batch(tr_self *self, struct counting *me)
{
    int64_t batch = batch_of(me->left);
    me->left -= batch;
    for (int64_t i = 0; i < batch; i++)
        tr_send(self, me->counter, counting_increment);
    tr_ask(self, me->counter, TR_SECONDS(30), counting_get);
}

static int counting_start(tr_self *self, void *state, const void *arg)
{
    struct counting *me = state;
    bench_watch(self);
    me->n = me->left = *(const int64_t *)arg;
    me->start = tr_now(self);
    me->counter = tr_spawn(self, &counter_actor, NULL);
    for (int i = 0; i < UNDER_WAY && me->left; i++)
        send_batch(self, me);
    return TR_CONTINUE;
}

static int counting(tr_self *self, void *state, const tr_msg *m)
{
    struct counting *me = state;
    if (!tr_is(counting_count, m))
        bench_unexpected(m);
    me->counted += batch_of(me->n - me->counted);
    bench_check(tr_body(counting_count, m)->count == me->counted, "counting: wrong count");
    if (me->left)
        send_batch(self, me);
    return me->counted < me->n ? TR_CONTINUE : bench_report(me->n, tr_now(self) - me->start);
}

static const tr_actor counting_root = { TR_SPEC, .name = "counting", .start = counting_start, .receive = counting,
    .state_size = sizeof(struct counting), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_counting = { .name = "counting", .root = &counting_root, .n = 20000000 };
