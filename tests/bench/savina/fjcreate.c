/*
 * fjcreate: fork-join creation. N actors are made, each does one task of a few nanoseconds, answers and ends.
 *
 * They are made in batches, so that the one who makes them lets others run; and there are never more than UNDER_WAY
 * batches of them, so that memory does not grow with N.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"

enum { BATCH = 500, UNDER_WAY = 2, STEPS = 4 };

TR_MESSAGE(fj_create, uint64_t task;);
TR_MESSAGE(fj_created, uint64_t result;);
TR_DEFINE(fj_create);
TR_DEFINE(fj_created);

static int actor(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tr_reply(self, fj_created, .result = toil(tr_body(fj_create, m)->task, STEPS));
    return TR_STOP;
}

static const tr_actor actor_spec = { TR_SPEC, .name = "fj", .receive = actor };

struct fork {
    int64_t n, made, joined, start;
    uint64_t sum;
};

static void make_batch(tr_self *self, struct fork *me)
{
    for (int i = 0; i < BATCH && me->made < me->n; i++)
        tr_ask(self, tr_spawn(self, &actor_spec, NULL), TR_SECONDS(30), fj_create, .task = (uint64_t)++me->made);
}

static int fork_start(tr_self *self, void *state, const void *arg)
{
    struct fork *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    for (int i = 0; i < UNDER_WAY; i++)
        make_batch(self, me);
    return TR_CONTINUE;
}

static uint64_t sum_of_all(int64_t n)
{
    uint64_t sum = 0;
    for (int64_t i = 1; i <= n; i++)
        sum += toil((uint64_t)i, STEPS);
    return sum;
}

static int fork_join(tr_self *self, void *state, const tr_msg *m)
{
    struct fork *me = state;
    if (!tr_is(fj_created, m))
        bench_unexpected(m);
    me->sum += tr_body(fj_created, m)->result;
    me->joined++;
    if (me->made - me->joined <= (UNDER_WAY - 1) * BATCH)
        make_batch(self, me);
    if (me->joined < me->n)
        return TR_CONTINUE;
    int stop = bench_report(me->n, tr_now(self) - me->start);
    bench_check(me->sum == sum_of_all(me->n), "fjcreate: wrong sum of results");
    tr_stats stats;
    tr_system_stats(self, &stats);
    bench_check((int64_t)stats.ended >= me->n - UNDER_WAY * BATCH, "fjcreate: there are actors that have not ended");
    return stop;
}

static const tr_actor fork_root = { TR_SPEC, .name = "fjcreate", .start = fork_start, .receive = fork_join,
    .state_size = sizeof(struct fork), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_fjcreate = { .name = "fjcreate", .root = &fork_root, .n = 2000000 };
