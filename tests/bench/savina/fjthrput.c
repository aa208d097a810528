/*
 * fjthrput: fork-join throughput. A driver has 60 actors, and sends each of them N tasks of a few nanoseconds.
 *
 * Each has its own flow: the last task of a batch is a request, and its answer is the leave to send that actor another
 * batch. So no more than UNDER_WAY batches wait in a mailbox, and a slow one holds up nobody else.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"

enum { ACTORS = 60, BATCH = 64, UNDER_WAY = 2, STEPS = 2 };

TR_MESSAGE(fj_task, int64_t number;);
TR_MESSAGE(fj_done, uint32_t actor; uint64_t result;);
TR_MESSAGE(fj_check, uint32_t actor;);
TR_DEFINE(fj_task);
TR_DEFINE(fj_done);
TR_DEFINE(fj_check);

/* ---- one of the 60 ----------------------------------------------------------------------------------------------- */

struct actor {
    uint64_t result;
    uint32_t number;
};

/* What the result becomes by a task: it depends on all tasks and on their order. */
static uint64_t done(uint64_t result, int64_t task)
{
    return toil(result ^ (uint64_t)task, STEPS);
}

static int actor_start(tr_self *self, void *state, const void *arg)
{
    struct actor *me = state;
    (void)self;
    me->number = *(const uint32_t *)arg;
    me->result = me->number;
    return TR_CONTINUE;
}

static int actor(tr_self *self, void *state, const tr_msg *m)
{
    struct actor *me = state;
    me->result = done(me->result, tr_body(fj_task, m)->number);
    if (m->call)
        tr_reply(self, fj_done, .actor = me->number, .result = me->result);
    return TR_CONTINUE;
}

static const tr_actor actor_spec = { TR_SPEC, .name = "fj", .start = actor_start, .receive = actor,
    .state_size = sizeof(struct actor), .arg_size = sizeof(uint32_t) };

/* ---- the driver, which is the root ------------------------------------------------------------------------------- */

struct driver {
    tr_ref actors[ACTORS];
    int64_t sent[ACTORS], answered[ACTORS]; /* tasks */
    uint64_t results[ACTORS];
    int64_t n, start;
    int finished;
};

static int64_t batch_of(int64_t left)
{
    return left < BATCH ? left : BATCH;
}

static void send_batch(tr_self *self, struct driver *me, uint32_t to)
{
    int64_t batch = batch_of(me->n - me->sent[to]);
    for (int64_t i = 1; i < batch; i++)
        tr_send(self, me->actors[to], fj_task, .number = ++me->sent[to]);
    tr_ask(self, me->actors[to], TR_SECONDS(30), fj_task, .number = ++me->sent[to]);
}

static int driver_start(tr_self *self, void *state, const void *arg)
{
    struct driver *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    for (uint32_t i = 0; i < ACTORS; i++)
        me->actors[i] = tr_spawn(self, &actor_spec, &i);
    for (int batch = 0; batch < UNDER_WAY; batch++)
        for (uint32_t i = 0; i < ACTORS; i++)
            if (me->sent[i] < me->n)
                send_batch(self, me, i);
    return TR_CONTINUE;
}

static void take_answer(tr_self *self, struct driver *me, const fj_done *answer)
{
    uint32_t i = answer->actor;
    me->results[i] = answer->result;
    me->answered[i] += batch_of(me->n - me->answered[i]);
    if (me->sent[i] < me->n)
        send_batch(self, me, i);
    else if (me->answered[i] == me->n)
        me->finished++;
}

static void check(const struct driver *me, uint32_t i)
{
    uint64_t result = i;
    for (int64_t task = 1; task <= me->n; task++)
        result = done(result, task);
    bench_check(result == me->results[i], "fjthrput: wrong result");
}

static int driver(tr_self *self, void *state, const tr_msg *m)
{
    struct driver *me = state;
    uint32_t next = 0;
    if (tr_is(fj_done, m)) {
        take_answer(self, me, tr_body(fj_done, m));
        if (me->finished < ACTORS)
            return TR_CONTINUE;
        bench_report(ACTORS * me->n, tr_now(self) - me->start);
    } else if (tr_is(fj_check, m)) {
        next = tr_body(fj_check, m)->actor;
        check(me, next++);
    } else {
        bench_unexpected(m);
    }
    if (next == ACTORS)
        return TR_STOP;
    tr_send(self, tr_me(self), fj_check, .actor = next); /* one at a time, so that nobody's turn is long */
    return TR_CONTINUE;
}

static const tr_actor driver_root = { TR_SPEC, .name = "fjthrput", .start = driver_start, .receive = driver,
    .state_size = sizeof(struct driver), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_fjthrput = { .name = "fjthrput", .root = &driver_root, .n = 200000 };
