/*
 * radixsort: a pipeline sorts N numbers of 60 bits, one stage for each bit, the lowest first. A stage lets a number
 * whose bit is 0 pass at once, and keeps the others until all have come.
 *
 * A number is a message. Each stage has room for all of them, so it can always take what comes; but it must not send
 * faster than the next one takes for long, because a mailbox is bounded. So every 128th message is a request, and at
 * most two of them are unanswered at a time.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

enum { STAGES = 60, BATCH = 128, UNDER_WAY = 2 };

TR_MESSAGE(radixsort_number, uint64_t number;);
TR_SIGNAL(radixsort_taken);
TR_SIGNAL(radixsort_sorted);
TR_DEFINE(radixsort_number);
TR_DEFINE(radixsort_taken);
TR_DEFINE(radixsort_sorted);

/* Large and small ones, so that every bit matters. */
static uint64_t number_at(int64_t i)
{
    return mix((uint64_t)i) >> (64 - STAGES + i % STAGES);
}

/* ---- how numbers go to the next stage ---------------------------------------------------------------------------- */

struct outlet {
    tr_ref to;
    int64_t n, sent;
    int under_way; /* batches */
};

static bool is_open(const struct outlet *out)
{
    return out->sent < out->n && out->under_way < UNDER_WAY;
}

static void let_out(tr_self *self, struct outlet *out, uint64_t number)
{
    out->sent++;
    if (out->sent % BATCH && out->sent < out->n) {
        tr_send(self, out->to, radixsort_number, .number = number);
    } else {
        tr_ask(self, out->to, TR_SECONDS(60), radixsort_number, .number = number);
        out->under_way++;
    }
}

static void was_taken(struct outlet *out, const tr_msg *m)
{
    if (!tr_is(radixsort_taken, m))
        bench_unexpected(m);
    out->under_way--;
}

static bool is_done(const struct outlet *out)
{
    return out->sent == out->n && out->under_way == 0;
}

/* ---- the source of the numbers ----------------------------------------------------------------------------------- */

static void let_out_more(tr_self *self, struct outlet *me)
{
    while (is_open(me))
        let_out(self, me, number_at(me->sent));
}

static int source_start(tr_self *self, void *state, const void *arg)
{
    *(struct outlet *)state = *(const struct outlet *)arg;
    let_out_more(self, state);
    return TR_CONTINUE;
}

static int source(tr_self *self, void *state, const tr_msg *m)
{
    struct outlet *me = state;
    was_taken(me, m);
    let_out_more(self, me);
    return is_done(me) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor source_actor = { TR_SPEC, .name = "source", .start = source_start, .receive = source,
    .state_size = sizeof(struct outlet), .arg_size = sizeof(struct outlet) };

/* ---- a stage ----------------------------------------------------------------------------------------------------- */

struct stage {
    struct outlet out;
    int bit;
    uint64_t *numbers; /* those with a 0 from the front on, those with a 1 from the back on */
    int64_t zeros, ones;
};

static int stage_start(tr_self *self, void *state, const void *arg)
{
    struct stage *me = state;
    (void)self;
    *me = *(const struct stage *)arg;
    me->numbers = malloc((size_t)me->out.n * sizeof *me->numbers);
    bench_check(me->numbers != NULL, "radixsort: no memory");
    return TR_CONTINUE;
}

static void keep(struct stage *me, uint64_t number)
{
    if (number >> me->bit & 1)
        me->numbers[me->out.n - ++me->ones] = number;
    else
        me->numbers[me->zeros++] = number;
}

static int stage(tr_self *self, void *state, const tr_msg *m)
{
    struct stage *me = state;
    if (tr_is(radixsort_number, m)) {
        keep(me, tr_body(radixsort_number, m)->number);
        if (m->call)
            tr_reply(self, radixsort_taken);
    } else {
        was_taken(&me->out, m);
    }

    const int64_t n = me->out.n, ready = me->zeros + me->ones == n ? n : me->zeros;
    while (is_open(&me->out) && me->out.sent < ready) {
        int64_t next = me->out.sent;
        let_out(self, &me->out, me->numbers[next < me->zeros ? next : n - 1 - (next - me->zeros)]);
    }
    return is_done(&me->out) ? TR_STOP : TR_CONTINUE;
}

static void stage_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    free(((struct stage *)state)->numbers);
}

static const tr_actor stage_actor = { TR_SPEC, .name = "stage", .start = stage_start, .receive = stage, .stop = stage_stop,
    .state_size = sizeof(struct stage), .arg_size = sizeof(struct stage) };

/* ---- the sink ---------------------------------------------------------------------------------------------------- */

struct sink {
    int64_t n, taken;
    uint64_t last, hash; /* of the numbers, in any order */
};

static int sink_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct sink *)state)->n = *(const int64_t *)arg;
    return TR_CONTINUE;
}

static int sink(tr_self *self, void *state, const tr_msg *m)
{
    struct sink *me = state;
    uint64_t number = tr_body(radixsort_number, m)->number;
    bench_check(number >= me->last, "radixsort: the numbers are not in order");
    me->last = number;
    me->hash += mix(number);
    if (m->call)
        tr_reply(self, radixsort_taken);
    if (++me->taken < me->n)
        return TR_CONTINUE;
    for (int64_t i = 0; i < me->n; i++)
        me->hash -= mix(number_at(i));
    bench_check(me->hash == 0, "radixsort: those are other numbers");
    tr_send(self, tr_parent(self), radixsort_sorted);
    return TR_STOP;
}

static const tr_actor sink_actor = { TR_SPEC, .name = "sink", .start = sink_start, .receive = sink,
    .state_size = sizeof(struct sink), .arg_size = sizeof(int64_t) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct radixsort {
    int64_t n, start;
};

static int radixsort_start(tr_self *self, void *state, const void *arg)
{
    struct radixsort *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_ref next = bench_spawned(tr_spawn(self, &sink_actor, &me->n));
    for (int bit = STAGES - 1; bit >= 0; bit--)
        next = bench_spawned(
            tr_spawn(self, &stage_actor, (&(struct stage){ .out = { .to = next, .n = me->n }, .bit = bit })));
    bench_spawned(tr_spawn(self, &source_actor, (&(struct outlet){ .to = next, .n = me->n })));
    return TR_CONTINUE;
}

static int radixsort(tr_self *self, void *state, const tr_msg *m)
{
    struct radixsort *me = state;
    if (!tr_is(radixsort_sorted, m))
        bench_unexpected(m);
    return bench_report((STAGES + 1) * me->n, tr_now(self) - me->start); /* numbers sent */
}

static const tr_actor radixsort_root = { TR_SPEC, .name = "radixsort", .start = radixsort_start, .receive = radixsort,
    .state_size = sizeof(struct radixsort), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_radixsort = { .name = "radixsort", .root = &radixsort_root, .n = 200000, .max = 10000000 };
