/*
 * post and sleeper: a thread that is not Troupe's sends to an actor.
 *
 * post: N messages, as fast as they are taken. The thread knows how many have been, and has about 4,096 under way, a
 * quarter of a mailbox.
 *
 * sleeper: N messages, one at a time, and before each the thread waits for a millisecond, so that everybody sleeps. What
 * is measured is the time from before the tr_post until the handler runs: a worker has to wake up. (In a system that is
 * awake nobody can be made to send to an actor of a sleeping worker, as its own worker takes it.) round_ns is until the
 * thread is awake again, parks how often a worker has gone to sleep, of each message: about 1, or it was not asleep.
 */
#include "tests/bench/bench.h"

#include <pthread.h>
#include <time.h>

enum { UNDER_WAY = 4096, BATCH = 512 };

TR_MESSAGE(posted, int64_t number; int64_t moment;);
TR_DEFINE(posted);

/* What the thread and the actor share. */
struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t handled;
};

static void set_handled(struct counter *counter, int64_t handled)
{
    pthread_mutex_lock(&counter->lock);
    counter->handled = handled;
    pthread_cond_signal(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
}

static void wait_until_handled(struct counter *counter, int64_t least)
{
    pthread_mutex_lock(&counter->lock);
    while (counter->handled < least)
        pthread_cond_wait(&counter->changed, &counter->lock);
    pthread_mutex_unlock(&counter->lock);
}

struct receiver {
    int64_t n, handled;
    int64_t start, latency, round; /* round: of the thread's, read when it has ended */
    uint64_t parks;
    tr_ref me;
    struct counter counter;
    pthread_t thread;
};

static int begin(tr_self *self, struct receiver *me, int64_t n, void *(*run)(void *me))
{
    tr_stats stats;
    bench_watch(self);
    me->n = n;
    me->me = tr_me(self);
    pthread_mutex_init(&me->counter.lock, NULL);
    pthread_cond_init(&me->counter.changed, NULL);
    tr_system_stats(self, &stats);
    me->parks = stats.parks;
    me->start = bench_now();
    return pthread_create(&me->thread, NULL, run, me) ? TR_EAGAIN : TR_CONTINUE;
}

/* Waits for the thread, which has nothing more to do than to end. */
static void end(struct receiver *me)
{
    pthread_join(me->thread, NULL);
    pthread_cond_destroy(&me->counter.changed);
    pthread_mutex_destroy(&me->counter.lock);
}

/* ---- post -------------------------------------------------------------------------------------------------------- */

static void *post_all(void *arg)
{
    struct receiver *to = arg;
    for (int64_t i = 1; i <= to->n; i++) {
        if (i > UNDER_WAY && i % BATCH == 0)
            wait_until_handled(&to->counter, i - UNDER_WAY);
        bench_check(tr_post(to->me, posted, .number = i) == 0, "post: a message was refused");
    }
    return NULL;
}

static int post_start(tr_self *self, void *state, const void *arg)
{
    return begin(self, state, *(const int64_t *)arg, post_all);
}

static int post(tr_self *self, void *state, const tr_msg *m)
{
    struct receiver *me = state;
    (void)self;
    if (!tr_is(posted, m))
        bench_unexpected(m);
    bench_check(tr_body(posted, m)->number == ++me->handled, "post: that is not the next one");
    if (me->handled % BATCH == 0)
        set_handled(&me->counter, me->handled);
    if (me->handled < me->n)
        return TR_CONTINUE;
    int64_t ns = bench_now() - me->start;
    end(me);
    return bench_report(me->n, ns);
}

static const tr_actor post_root = { TR_SPEC, .name = "post", .start = post_start, .receive = post,
    .state_size = sizeof(struct receiver), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_post = { .name = "post", .root = &post_root, .n = 2000000 };

/* ---- sleeper ----------------------------------------------------------------------------------------------------- */

static void *wake_again_and_again(void *arg)
{
    struct receiver *to = arg;
    for (int64_t i = 1; i <= to->n; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        int64_t moment = bench_now();
        bench_check(tr_post(to->me, posted, .number = i, .moment = moment) == 0, "sleeper: a message was refused");
        wait_until_handled(&to->counter, i);
        to->round += bench_now() - moment;
    }
    return NULL;
}

static int sleeper_start(tr_self *self, void *state, const void *arg)
{
    return begin(self, state, *(const int64_t *)arg, wake_again_and_again);
}

static int sleeper(tr_self *self, void *state, const tr_msg *m)
{
    struct receiver *me = state;
    int64_t moment = bench_now();
    if (!tr_is(posted, m))
        bench_unexpected(m);
    bench_check(tr_body(posted, m)->number == ++me->handled, "sleeper: that is not the next one");
    me->latency += moment - tr_body(posted, m)->moment;
    set_handled(&me->counter, me->handled);
    if (me->handled < me->n)
        return TR_CONTINUE;
    end(me);
    tr_stats stats;
    tr_system_stats(self, &stats);
    bench_more("round_ns=%.0f parks=%.2f", (double)me->round / (double)me->n,
        (double)(stats.parks - me->parks) / (double)me->n);
    return bench_report(me->n, me->latency);
}

static const tr_actor sleeper_root = { TR_SPEC, .name = "sleeper", .start = sleeper_start, .receive = sleeper,
    .state_size = sizeof(struct receiver), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_sleeper = { .name = "sleeper", .root = &sleeper_root, .n = 2000 };
