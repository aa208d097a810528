/*
 * kept.h: a queue of messages that were taken, to be answered or passed on later.
 */
#ifndef TROUPE_TESTS_BENCH_SAVINA_KEPT_H
#define TROUPE_TESTS_BENCH_SAVINA_KEPT_H

#include "tests/bench/bench.h"

enum { KEPT_MAX = 100 };

struct kept {
    tr_msg *messages[KEPT_MAX];
    uint32_t first, count;
};

/* The message that is being handled becomes the last of the queue. */
static inline void keep(tr_self *self, struct kept *queue, const tr_msg *m)
{
    tr_msg *taken = tr_take(self, m);
    bench_check(taken && queue->count < KEPT_MAX, "no place to keep a message");
    queue->messages[(queue->first + queue->count++) % KEPT_MAX] = taken;
}

/* The first one, which is the caller's now; there is one. */
static inline tr_msg *next_kept(struct kept *queue)
{
    tr_msg *m = queue->messages[queue->first];
    queue->first = (queue->first + 1) % KEPT_MAX;
    queue->count--;
    return m;
}

#endif
