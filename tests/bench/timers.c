/*
 * timers: an actor sets N timers that are due in 1 to 1000 ms and cancels every second one; the others arrive.
 *
 * They are set and cancelled in batches of 1000, so that a slow machine does not let them fire before their turn to be
 * cancelled comes; between two batches the actor handles what has arrived. A short run (N below 1000) has timers of at
 * most N ms.
 */
#include "tests/bench/bench.h"

enum { BATCH = 1000, KEEP = 1, CANCEL = 2 };

TR_SIGNAL(next_batch);
TR_DEFINE(next_batch);

struct timers {
    int64_t n, set, fired, cancelled, start, set_ns, cancel_ns;
    tr_timer batch[BATCH];
};

static int timers_start(tr_self *self, void *state, const void *arg)
{
    struct timers *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_send(self, tr_me(self), next_batch);
    return TR_CONTINUE;
}

static void set_batch(tr_self *self, struct timers *me)
{
    int count = me->n - me->set < BATCH ? (int)(me->n - me->set) : BATCH;
    uint32_t longest = me->n < BATCH ? (uint32_t)me->n : BATCH;
    int64_t t0 = tr_now(self);
    for (int i = 0; i < count; i++)
        me->batch[i] = tr_after(self, TR_MS(1 + tr_random_below(self, longest)), i % 2 ? KEEP : CANCEL);
    int64_t t1 = tr_now(self);
    for (int i = 0; i < count; i += 2)
        me->cancelled += tr_cancel(self, me->batch[i]);
    me->set += count;
    me->set_ns += t1 - t0;
    me->cancel_ns += tr_now(self) - t1;
    if (me->set < me->n)
        tr_send(self, tr_me(self), next_batch);
}

static int timers(tr_self *self, void *state, const tr_msg *m)
{
    struct timers *me = state;
    if (tr_is(next_batch, m)) {
        set_batch(self, me);
    } else if (tr_is(tr_timeout, m)) {
        bench_check(tr_body(tr_timeout, m)->tag == KEEP, "timers: a timer has fired that was cancelled");
        me->fired++;
    } else {
        bench_unexpected(m);
    }
    if (me->set < me->n || me->fired + me->cancelled < me->n)
        return TR_CONTINUE;
    int64_t to_cancel = (me->n + 1) / 2;
    bench_check(me->cancelled == to_cancel, "timers: a timer that had not fired could not be cancelled");
    bench_more("arm_ns=%.1f cancel_ns=%.1f fired=%lld cancelled=%lld", (double)me->set_ns / (double)me->n,
        (double)me->cancel_ns / (double)to_cancel, (long long)me->fired, (long long)me->cancelled);
    return bench_report(me->n, tr_now(self) - me->start);
}

static const tr_actor timers_root = { TR_SPEC, .name = "timers", .start = timers_start, .receive = timers,
    .state_size = sizeof(struct timers), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_timers = { .name = "timers", .root = &timers_root, .n = 1000000, .multiple = BATCH };
