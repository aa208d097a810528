/*
 * bndbuffer: producers and consumers with a bounded buffer. 40 producers make N items each and put them into a buffer
 * of 50 places, 40 consumers take them out; to make one and to use one takes some work.
 *
 * Both put and take are requests. The buffer does not answer a producer before there is a place, nor a consumer before
 * there is an item: it keeps the request. So a mailbox never holds more than one message of each.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"
#include "tests/bench/savina/kept.h"

enum { PRODUCERS = 40, CONSUMERS = 40, PLACES = 50, MAKE_STEPS = 10, USE_STEPS = 10 };

TR_MESSAGE(buffer_put, uint64_t item;);
TR_SIGNAL(buffer_has_put); /* the answer */
TR_SIGNAL(buffer_no_more); /* from a producer: that was all; and in answer to a take: there will be no more items */
TR_SIGNAL(buffer_take);
TR_MESSAGE(buffer_item, uint64_t item;); /* the answer */
TR_MESSAGE(buffer_used, int64_t items; uint64_t sum;);
TR_MESSAGE(buffer_check, uint32_t producer;);
TR_DEFINE(buffer_put);
TR_DEFINE(buffer_has_put);
TR_DEFINE(buffer_no_more);
TR_DEFINE(buffer_take);
TR_DEFINE(buffer_item);
TR_DEFINE(buffer_used);
TR_DEFINE(buffer_check);

static uint64_t make_item(uint32_t producer, int64_t number)
{
    return toil((uint64_t)producer << 40 | (uint64_t)number, MAKE_STEPS);
}

static uint64_t use_item(uint64_t item)
{
    return toil(item, USE_STEPS);
}

/* ---- the buffer -------------------------------------------------------------------------------------------------- */

struct buffer {
    uint64_t items[PLACES];
    uint32_t first, count;
    struct kept producers, consumers; /* the requests of those who wait */
    uint32_t finished;                /* producers */
};

static void store(struct buffer *me, uint64_t item)
{
    me->items[(me->first + me->count++) % PLACES] = item;
}

static uint64_t fetch(struct buffer *me)
{
    uint64_t item = me->items[me->first];
    me->first = (me->first + 1) % PLACES;
    me->count--;
    return item;
}

static void put(tr_self *self, struct buffer *me, const tr_msg *m)
{
    uint64_t item = tr_body(buffer_put, m)->item;
    if (me->count == PLACES) {
        keep(self, &me->producers, m);
        return;
    }
    if (me->consumers.count)
        tr_reply_to(self, next_kept(&me->consumers), buffer_item, .item = item);
    else
        store(me, item);
    tr_reply(self, buffer_has_put);
}

static void take(tr_self *self, struct buffer *me, const tr_msg *m)
{
    if (me->count) {
        tr_reply(self, buffer_item, .item = fetch(me));
        if (me->producers.count) {
            tr_msg *request = next_kept(&me->producers);
            store(me, tr_body(buffer_put, request)->item);
            tr_reply_to(self, request, buffer_has_put);
        }
    } else if (me->finished < PRODUCERS) {
        keep(self, &me->consumers, m);
    } else {
        tr_reply(self, buffer_no_more);
    }
}

static int buffer(tr_self *self, void *state, const tr_msg *m)
{
    struct buffer *me = state;
    if (tr_is(buffer_put, m))
        put(self, me, m);
    else if (tr_is(buffer_take, m))
        take(self, me, m);
    else if (tr_is(buffer_no_more, m))
        me->finished++;
    else
        bench_unexpected(m);
    while (me->finished == PRODUCERS && me->consumers.count)
        tr_reply_to(self, next_kept(&me->consumers), buffer_no_more);
    return TR_CONTINUE;
}

static const tr_actor buffer_actor = { TR_SPEC, .name = "buffer", .receive = buffer, .state_size = sizeof(struct buffer) };

/* ---- a producer -------------------------------------------------------------------------------------------------- */

struct producer {
    tr_ref buffer;
    int64_t n, made;
    uint32_t number;
};

static int produce(tr_self *self, struct producer *me)
{
    if (me->made < me->n) {
        tr_ask(self, me->buffer, TR_SECONDS(30), buffer_put, .item = make_item(me->number, me->made++));
        return TR_CONTINUE;
    }
    tr_send(self, me->buffer, buffer_no_more);
    return TR_STOP;
}

static int producer_start(tr_self *self, void *state, const void *arg)
{
    struct producer *me = state;
    *me = *(const struct producer *)arg;
    return produce(self, me);
}

static int producer(tr_self *self, void *state, const tr_msg *m)
{
    if (!tr_is(buffer_has_put, m))
        bench_unexpected(m);
    return produce(self, state);
}

static const tr_actor producer_actor = { TR_SPEC, .name = "producer", .start = producer_start, .receive = producer,
    .state_size = sizeof(struct producer), .arg_size = sizeof(struct producer) };

/* ---- a consumer -------------------------------------------------------------------------------------------------- */

struct consumer {
    tr_ref buffer;
    int64_t items;
    uint64_t sum;
};

static int consumer_start(tr_self *self, void *state, const void *arg)
{
    struct consumer *me = state;
    me->buffer = *(const tr_ref *)arg;
    tr_ask(self, me->buffer, TR_SECONDS(30), buffer_take);
    return TR_CONTINUE;
}

static int consumer(tr_self *self, void *state, const tr_msg *m)
{
    struct consumer *me = state;
    if (tr_is(buffer_item, m)) {
        me->items++;
        me->sum += use_item(tr_body(buffer_item, m)->item);
        tr_ask(self, me->buffer, TR_SECONDS(30), buffer_take);
        return TR_CONTINUE;
    }
    if (!tr_is(buffer_no_more, m))
        bench_unexpected(m);
    tr_send(self, tr_parent(self), buffer_used, .items = me->items, .sum = me->sum);
    return TR_STOP;
}

static const tr_actor consumer_actor = { TR_SPEC, .name = "consumer", .start = consumer_start, .receive = consumer,
    .state_size = sizeof(struct consumer), .arg_size = sizeof(tr_ref) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct bndbuffer {
    int64_t n, items, start;
    uint64_t sum, expected;
    int finished; /* consumers */
};

static int bndbuffer_start(tr_self *self, void *state, const void *arg)
{
    struct bndbuffer *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_ref place = tr_spawn(self, &buffer_actor, NULL);
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        tr_ref p = tr_spawn(self, &producer_actor, (&(struct producer){ .buffer = place, .n = me->n, .number = i }));
        bench_check(!tr_ref_is_nobody(p), "bndbuffer: no producer");
    }
    for (int i = 0; i < CONSUMERS; i++)
        bench_check(!tr_ref_is_nobody(tr_spawn(self, &consumer_actor, &place)), "bndbuffer: no consumer");
    return TR_CONTINUE;
}

static int bndbuffer(tr_self *self, void *state, const tr_msg *m)
{
    struct bndbuffer *me = state;
    uint32_t next = 0;
    if (tr_is(buffer_used, m)) {
        me->items += tr_body(buffer_used, m)->items;
        me->sum += tr_body(buffer_used, m)->sum;
        if (++me->finished < CONSUMERS)
            return TR_CONTINUE;
        bench_report(PRODUCERS * me->n, tr_now(self) - me->start);
    } else if (tr_is(buffer_check, m)) {
        next = tr_body(buffer_check, m)->producer;
        for (int64_t i = 0; i < me->n; i++)
            me->expected += use_item(make_item(next, i));
        next++;
    } else {
        bench_unexpected(m);
    }
    if (next < PRODUCERS) {
        tr_send(self, tr_me(self), buffer_check, .producer = next); /* one at a time: no long turns */
        return TR_CONTINUE;
    }
    bench_check(me->items == PRODUCERS * me->n, "bndbuffer: wrong number of items");
    bench_check(me->sum == me->expected, "bndbuffer: these are not the items that were made");
    return TR_STOP;
}

static const tr_actor bndbuffer_root = { TR_SPEC, .name = "bndbuffer", .start = bndbuffer_start, .receive = bndbuffer,
    .state_size = sizeof(struct bndbuffer), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_bndbuffer = { .name = "bndbuffer", .root = &bndbuffer_root, .n = 30000 };
