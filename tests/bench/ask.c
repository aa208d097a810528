/*
 * ask and block: an actor asks for something and waits for the answer, N times, one after the other. ask: another actor;
 * block: a function on a thread of the blocking pool.
 */
#include "tests/bench/bench.h"

TR_MESSAGE(question, int64_t number;);
TR_MESSAGE(answer, int64_t number;);
TR_DEFINE(question);
TR_DEFINE(answer);

struct asker {
    int64_t n, asked, start;
    int64_t jobs; /* that have run: only one at a time does */
    tr_ref oracle;
    tr_call call;
};

static int next_or_end(tr_self *self, struct asker *me, void (*next)(tr_self *self, struct asker *me))
{
    if (me->asked == me->n)
        return bench_report(me->n, tr_now(self) - me->start);
    me->asked++;
    next(self, me);
    return TR_CONTINUE;
}

/* ---- ask --------------------------------------------------------------------------------------------------------- */

static int oracle(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tr_reply(self, answer, .number = tr_body(question, m)->number + 1);
    return TR_CONTINUE;
}

static const tr_actor oracle_actor = { TR_SPEC, .name = "oracle", .receive = oracle };

static void ask_the_oracle(tr_self *self, struct asker *me)
{
    me->call = tr_ask(self, me->oracle, TR_SECONDS(30), question, .number = me->asked);
}

static int ask_start(tr_self *self, void *state, const void *arg)
{
    struct asker *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->oracle = tr_spawn(self, &oracle_actor, NULL);
    me->start = tr_now(self);
    return next_or_end(self, me, ask_the_oracle);
}

static int ask(tr_self *self, void *state, const tr_msg *m)
{
    struct asker *me = state;
    if (!tr_is(answer, m))
        bench_unexpected(m);
    bench_check(m->call == me->call.bits && tr_body(answer, m)->number == me->asked + 1, "ask: the wrong answer");
    return next_or_end(self, me, ask_the_oracle);
}

static const tr_actor ask_root = { TR_SPEC, .name = "ask", .start = ask_start, .receive = ask,
    .state_size = sizeof(struct asker), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_ask = { .name = "ask", .root = &ask_root, .n = 2000000 };

/* ---- block ------------------------------------------------------------------------------------------------------- */

static int job(void *arg)
{
    int64_t *jobs = arg;
    return (int)(++*jobs % 1000);
}

static void begin_a_job(tr_self *self, struct asker *me)
{
    me->call = tr_block(self, job, &me->jobs);
}

static int block_start(tr_self *self, void *state, const void *arg)
{
    struct asker *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    return next_or_end(self, me, begin_a_job);
}

static int block(tr_self *self, void *state, const tr_msg *m)
{
    struct asker *me = state;
    if (!tr_is(tr_blocked, m))
        bench_unexpected(m);
    bench_check(m->call == me->call.bits && me->jobs == me->asked && tr_body(tr_blocked, m)->result == me->jobs % 1000,
        "block: the wrong result");
    return next_or_end(self, me, begin_a_job);
}

static const tr_actor block_root = { TR_SPEC, .name = "block", .start = block_start, .receive = block,
    .state_size = sizeof(struct asker), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_block = { .name = "block", .root = &block_root, .n = 100000 };
