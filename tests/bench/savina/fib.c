/*
 * fib: the Nth Fibonacci number, as it is defined: the actor for a number makes two, for the numbers one and two below
 * it, adds up what they have found, tells the one above and ends. The first two numbers are known.
 */
#include "tests/bench/bench.h"

TR_MESSAGE(fib_found, int64_t value;);
TR_DEFINE(fib_found);

struct term {
    int64_t sum;
    int left;
};

static int term_start(tr_self *self, void *state, const void *arg);

static int term(tr_self *self, void *state, const tr_msg *m)
{
    struct term *me = state;
    me->sum += tr_body(fib_found, m)->value;
    if (--me->left)
        return TR_CONTINUE;
    tr_send(self, tr_parent(self), fib_found, .value = me->sum);
    return TR_STOP;
}

static const tr_actor term_actor = { TR_SPEC, .name = "term", .start = term_start, .receive = term,
    .state_size = sizeof(struct term), .arg_size = sizeof(int64_t) };

static int term_start(tr_self *self, void *state, const void *arg)
{
    struct term *me = state;
    const int64_t n = *(const int64_t *)arg;
    if (n <= 2) {
        tr_send(self, tr_parent(self), fib_found, .value = 1);
        return TR_STOP;
    }
    for (int64_t below = n - 2; below < n; below++, me->left++)
        bench_spawned(tr_spawn(self, &term_actor, &below));
    return TR_CONTINUE;
}

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct fib {
    int64_t n, start;
};

static int fib_start(tr_self *self, void *state, const void *arg)
{
    struct fib *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    bench_spawned(tr_spawn(self, &term_actor, &me->n));
    return TR_CONTINUE;
}

static int fib(tr_self *self, void *state, const tr_msg *m)
{
    struct fib *me = state;
    if (!tr_is(fib_found, m))
        bench_unexpected(m);
    int64_t ns = tr_now(self) - me->start, value = 1, before = 0;
    for (int64_t i = 1; i < me->n; i++) {
        int64_t sum = value + before;
        before = value;
        value = sum;
    }
    bench_check(tr_body(fib_found, m)->value == value, "fib: wrong number");
    return bench_report(2 * value - 1, ns); /* actors: one above every two, and as many below as the value says */
}

static const tr_actor fib_root = { TR_SPEC, .name = "fib", .start = fib_start, .receive = fib,
    .state_size = sizeof(struct fib), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_fib = { .name = "fib", .root = &fib_root, .n = 31, .max = 40 };
