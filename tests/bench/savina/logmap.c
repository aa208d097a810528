/*
 * logmap: the logistic map, x' = r x (1 - x). 10 series of N terms; each has an actor for the series, which knows x,
 * and one that computes the next term, which knows r.
 *
 * A series is told to go on once for each term, though it can do so only when the last one is computed: it counts what
 * is due. After a batch it is asked for its term, keeps the request until nothing is due any more, and its answer is
 * the leave to send the next batch.
 */
#include "tests/bench/bench.h"

enum { SERIES = 10, BATCH = 100 };

TR_SIGNAL(series_go_on);
TR_SIGNAL(series_ask);
TR_MESSAGE(series_term, uint32_t series; double x;); /* the answer */
TR_MESSAGE(series_compute, double x;);
TR_MESSAGE(series_computed, double x;); /* the answer */
TR_DEFINE(series_go_on);
TR_DEFINE(series_ask);
TR_DEFINE(series_term);
TR_DEFINE(series_compute);
TR_DEFINE(series_computed);

static double rate_of(uint32_t series)
{
    return 3.46 + 0.0025 * series;
}

static double first_of(uint32_t series)
{
    return 0.0025 * (series + 1);
}

static double next_term(double rate, double x)
{
    return rate * x * (1 - x);
}

/* ---- who computes ------------------------------------------------------------------------------------------------ */

struct computer {
    double rate;
};

static int computer_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct computer *)state = *(const struct computer *)arg;
    return TR_CONTINUE;
}

static int computer(tr_self *self, void *state, const tr_msg *m)
{
    struct computer *me = state;
    tr_reply(self, series_computed, .x = next_term(me->rate, tr_body(series_compute, m)->x));
    return TR_CONTINUE;
}

static const tr_actor computer_actor = { TR_SPEC, .name = "computer", .start = computer_start, .receive = computer,
    .state_size = sizeof(struct computer), .arg_size = sizeof(struct computer) };

/* ---- a series ---------------------------------------------------------------------------------------------------- */

struct series {
    tr_ref computer;
    double x;
    uint32_t number, due; /* terms; the first of them is being computed */
    tr_msg *asked;        /* who waits for the last one due */
};

static int series_start(tr_self *self, void *state, const void *arg)
{
    struct series *me = state;
    me->number = *(const uint32_t *)arg;
    me->x = first_of(me->number);
    me->computer = tr_spawn(self, &computer_actor, (&(struct computer){ .rate = rate_of(me->number) }));
    return TR_CONTINUE;
}

static void compute(tr_self *self, struct series *me)
{
    tr_ask(self, me->computer, TR_SECONDS(30), series_compute, .x = me->x);
}

static int series(tr_self *self, void *state, const tr_msg *m)
{
    struct series *me = state;
    if (tr_is(series_go_on, m)) {
        if (me->due++ == 0)
            compute(self, me);
    } else if (tr_is(series_computed, m)) {
        me->x = tr_body(series_computed, m)->x;
        if (--me->due)
            compute(self, me);
    } else if (tr_is(series_ask, m)) {
        me->asked = tr_take(self, m);
        bench_check(me->asked, "logmap: no memory to keep a request");
    } else {
        bench_unexpected(m);
    }
    if (me->asked && me->due == 0) {
        tr_reply_to(self, me->asked, series_term, .series = me->number, .x = me->x);
        me->asked = NULL;
    }
    return TR_CONTINUE;
}

static const tr_actor series_actor = { TR_SPEC, .name = "series", .start = series_start, .receive = series,
    .state_size = sizeof(struct series), .arg_size = sizeof(uint32_t) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct logmap {
    tr_ref series[SERIES];
    int64_t left[SERIES]; /* terms */
    double x[SERIES];
    int64_t n, start;
    int finished;
};

static void send_batch(tr_self *self, struct logmap *me, uint32_t to)
{
    int64_t batch = me->left[to] < BATCH ? me->left[to] : BATCH;
    me->left[to] -= batch;
    for (int64_t i = 0; i < batch; i++)
        tr_send(self, me->series[to], series_go_on);
    tr_ask(self, me->series[to], TR_SECONDS(30), series_ask);
}

static int logmap_start(tr_self *self, void *state, const void *arg)
{
    struct logmap *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    for (uint32_t i = 0; i < SERIES; i++) {
        me->series[i] = tr_spawn(self, &series_actor, &i);
        me->left[i] = me->n;
        send_batch(self, me, i);
    }
    return TR_CONTINUE;
}

static void check(const struct logmap *me)
{
    for (uint32_t i = 0; i < SERIES; i++) {
        double x = first_of(i);
        for (int64_t k = 0; k < me->n; k++)
            x = next_term(rate_of(i), x);
        bench_check(x == me->x[i], "logmap: wrong term");
    }
}

static int logmap(tr_self *self, void *state, const tr_msg *m)
{
    struct logmap *me = state;
    if (!tr_is(series_term, m))
        bench_unexpected(m);
    uint32_t i = tr_body(series_term, m)->series;
    me->x[i] = tr_body(series_term, m)->x;
    if (me->left[i]) {
        send_batch(self, me, i);
        return TR_CONTINUE;
    }
    if (++me->finished < SERIES)
        return TR_CONTINUE;
    int stop = bench_report(SERIES * me->n, tr_now(self) - me->start);
    check(me);
    return stop;
}

static const tr_actor logmap_root = { TR_SPEC, .name = "logmap", .start = logmap_start, .receive = logmap,
    .state_size = sizeof(struct logmap), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_logmap = { .name = "logmap", .root = &logmap_root, .n = 300000 };
