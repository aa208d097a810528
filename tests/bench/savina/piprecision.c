/*
 * piprecision: N decimal digits of pi, by the formula of Bailey, Borwein and Plouffe:
 *
 *     pi = sum over k of 1/16^k (4/(8k + 1) - 2/(8k + 4) - 1/(8k + 5) - 1/(8k + 6))
 *
 * A master hands the terms to 20 workers, two at a time to each, and adds up what they answer. Numbers are binary
 * fractions: words of 32 bits, the one before the point first. The higher words of a term are 0 and do not travel; the
 * others do as a tr_buf.
 */
#include "tests/bench/bench.h"

#include <troupe/block.h>
#include <troupe/buf.h>

enum { WORKERS = 20, UNDER_WAY = 2, GUARD = 2 /* words that only take up what was cut off */ };

TR_MESSAGE(piprecision_compute, int64_t k;);
TR_MESSAGE(piprecision_term, tr_buf *words;); /* the lowest words of the term */

static void term_drop(void *body)
{
    tr_buf_unref(((piprecision_term *)body)->words);
}

static size_t term_bulk(const void *body)
{
    return tr_buf_size(((const piprecision_term *)body)->words);
}

TR_DEFINE(piprecision_compute);
TR_DEFINE(piprecision_term, .drop = term_drop, .bulk = term_bulk);

/* ---- fractions --------------------------------------------------------------------------------------------------- */

/* to += from, or to -= from: n words, aligned at their ends; to may be longer, and takes the carry. */
static void add(uint32_t *to, const uint32_t *from, int64_t n)
{
    uint64_t carry = 0;
    for (int64_t i = n - 1; i >= 0 || carry; i--) {
        carry += (uint64_t)to[i] + (i >= 0 ? from[i] : 0);
        to[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void subtract(uint32_t *to, const uint32_t *from, int64_t n)
{
    uint32_t borrow = 0;
    for (int64_t i = n - 1; i >= 0 || borrow; i--) {
        uint64_t difference = (uint64_t)to[i] - (i >= 0 ? from[i] : 0) - borrow;
        to[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

/* to = from / divisor, what is beyond the last word cut off. */
static void divide(uint32_t *to, const uint32_t *from, int64_t n, uint32_t divisor)
{
    uint64_t rest = 0;
    for (int64_t i = 0; i < n; i++) {
        rest = rest << 32 | from[i];
        to[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
}

/* ---- a worker ---------------------------------------------------------------------------------------------------- */

struct worker {
    int64_t words;
    uint32_t *power, *quotient;
};

static int worker_start(tr_self *self, void *state, const void *arg)
{
    struct worker *me = state;
    (void)self;
    me->words = *(const int64_t *)arg;
    me->power = calloc((size_t)me->words, sizeof *me->power);
    me->quotient = calloc((size_t)me->words, sizeof *me->quotient);
    bench_check(me->power && me->quotient, "piprecision: no memory");
    return TR_CONTINUE;
}

static int worker(tr_self *self, void *state, const tr_msg *m)
{
    struct worker *me = state;
    const int64_t k = tr_body(piprecision_compute, m)->k;
    const int64_t first = (4 * k + 31) / 32, n = me->words - first; /* the first word of 1/16^k that is not 0 */
    const int bit = (int)(32 * first - 4 * k);                      /* and its only bit: 0 to 28 */
    const uint32_t below = (uint32_t)(8 * k);
    void *bytes;
    tr_buf *term = tr_buf_new((size_t)n * sizeof(uint32_t), &bytes);
    bench_check(term != NULL, "piprecision: no memory");
    me->power[0] = (uint32_t)4 << bit;
    divide(bytes, me->power, n, below + 1);
    for (uint32_t i = 4; i <= 6; i++) {
        me->power[0] = (uint32_t)(i == 4 ? 2 : 1) << bit;
        divide(me->quotient, me->power, n, below + i);
        subtract(bytes, me->quotient, n);
    }
    tr_reply(self, piprecision_term, .words = term);
    return TR_CONTINUE;
}

static void worker_stop(tr_self *self, void *state, int reason)
{
    struct worker *me = state;
    (void)self;
    (void)reason;
    free(me->power);
    free(me->quotient);
}

static const tr_actor worker_actor = { TR_SPEC, .name = "worker", .start = worker_start, .receive = worker,
    .stop = worker_stop, .state_size = sizeof(struct worker), .arg_size = sizeof(int64_t) };

/* ---- the root: the master ---------------------------------------------------------------------------------------- */

struct piprecision {
    int64_t n, start, words, terms, asked, answered;
    uint32_t *pi;
};

static void ask_next(tr_self *self, struct piprecision *me, tr_ref worker)
{
    if (me->asked < me->terms)
        tr_ask(self, worker, TR_SECONDS(60), piprecision_compute, .k = me->asked++);
}

static int piprecision_start(tr_self *self, void *state, const void *arg)
{
    struct piprecision *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->words = 1 + me->n * 1039 / 10000 + 1 + GUARD; /* a digit takes 0.1038… of a word */
    me->terms = 8 * (me->words - 1) + 1;              /* further ones are below the last word */
    me->pi = calloc((size_t)me->words, sizeof *me->pi);
    bench_check(me->pi != NULL, "piprecision: no memory");
    me->start = tr_now(self);
    for (int i = 0; i < WORKERS; i++) {
        tr_ref one = bench_spawned(tr_spawn(self, &worker_actor, &me->words));
        for (int j = 0; j < UNDER_WAY; j++)
            ask_next(self, me, one);
    }
    return TR_CONTINUE;
}

/* to += or -= factor * arctan(1/x), by its series. */
static void add_arctan(uint32_t *to, int64_t words, uint32_t factor, uint32_t x, bool plus, uint32_t *power, uint32_t *term)
{
    int64_t first = 0;
    memset(power, 0, (size_t)words * sizeof *power);
    power[0] = factor;
    divide(power, power, words, x);
    for (uint32_t i = 1; first < words; i += 2, plus = !plus) {
        divide(term + first, power + first, words - first, i);
        (plus ? add : subtract)(to + first, term + first, words - first);
        divide(power + first, power + first, words - first, x * x);
        while (first < words && power[first] == 0)
            first++;
    }
}

/* Whether the digits are those of Machin's formula, pi = 16 arctan(1/5) - 4 arctan(1/239): all words but the guard. It
 * takes its time, so it runs where it may block. */
static int compare(void *arg)
{
    const struct piprecision *me = arg;
    const uint32_t one = 1;
    const size_t words = (size_t)me->words;
    uint32_t *room = calloc(3 * words, sizeof *room), *power = room + words, *term = power + words;
    int error = room ? 0 : TR_ENOMEM;
    if (room) {
        add_arctan(room, me->words, 16, 5, true, power, term);
        add_arctan(room, me->words, 4, 239, false, power, term);
        add(room + words - GUARD, &one, 1); /* much more than the two may differ by, so that this is above 0 */
        room[0]++;                          /* and this, too, if they differ by more */
        subtract(room, me->pi, me->words);
        room[0]--;
    }
    for (size_t i = 0; i < words - GUARD && !error; i++)
        error = room[i] ? TR_EINVAL : 0;
    free(room);
    return error;
}

static int piprecision(tr_self *self, void *state, const tr_msg *m)
{
    struct piprecision *me = state;
    if (tr_is(piprecision_term, m)) {
        const tr_buf *term = tr_body(piprecision_term, m)->words;
        const int64_t n = (int64_t)(tr_buf_size(term) / sizeof(uint32_t));
        add(me->pi + me->words - n, tr_buf_bytes(term), n);
        ask_next(self, me, m->from);
        if (++me->answered == me->terms) {
            bench_report(me->terms, tr_now(self) - me->start);
            bench_check(me->pi[0] == 3 && me->pi[1] == 0x243f6a88, "piprecision: that is not pi");
            bench_check(tr_block(self, compare, me).bits != 0, "piprecision: no memory");
        }
    } else if (tr_is(tr_blocked, m)) {
        bench_check(tr_body(tr_blocked, m)->result != TR_ENOMEM, "piprecision: no memory");
        bench_check(tr_body(tr_blocked, m)->result == 0, "piprecision: wrong digits");
        return TR_STOP;
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static void piprecision_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    free(((struct piprecision *)state)->pi);
}

static const tr_actor piprecision_root = { TR_SPEC, .name = "piprecision", .start = piprecision_start,
    .receive = piprecision, .stop = piprecision_stop, .state_size = sizeof(struct piprecision), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_piprecision = { .name = "piprecision", .root = &piprecision_root, .n = 20000, .max = 100000 };
