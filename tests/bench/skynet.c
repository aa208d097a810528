/*
 * skynet1m: an actor makes ten, each of which makes ten, down to N; the leaves know their number, everybody else adds
 * up what the ten below have found, tells the one above and ends.
 */
#include "tests/bench/bench.h"

enum { FAN_OUT = 10 };

TR_MESSAGE(found, int64_t sum;);
TR_DEFINE(found);

struct share {
    int64_t first, size;
};

struct node {
    int64_t sum;
    int left;
};

static int node_start(tr_self *self, void *state, const void *arg);

static int node(tr_self *self, void *state, const tr_msg *m)
{
    struct node *me = state;
    me->sum += tr_body(found, m)->sum;
    if (--me->left)
        return TR_CONTINUE;
    tr_send(self, tr_parent(self), found, .sum = me->sum);
    return TR_STOP;
}

static const tr_actor node_actor = { TR_SPEC, .name = "node", .start = node_start, .receive = node,
    .state_size = sizeof(struct node), .arg_size = sizeof(struct share) };

static int node_start(tr_self *self, void *state, const void *arg)
{
    const struct share *share = arg;
    if (share->size == 1) {
        tr_send(self, tr_parent(self), found, .sum = share->first);
        return TR_STOP;
    }
    struct share below = { .first = share->first, .size = share->size / FAN_OUT };
    for (int i = 0; i < FAN_OUT; i++, below.first += below.size)
        tr_spawn(self, &node_actor, &below);
    ((struct node *)state)->left = FAN_OUT;
    return TR_CONTINUE;
}

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct skynet {
    int64_t n, start;
};

static int skynet_start(tr_self *self, void *state, const void *arg)
{
    struct skynet *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_spawn(self, &node_actor, (&(struct share){ .first = 0, .size = me->n }));
    return TR_CONTINUE;
}

static int skynet(tr_self *self, void *state, const tr_msg *m)
{
    struct skynet *me = state;
    if (!tr_is(found, m))
        bench_unexpected(m);
    int64_t ns = tr_now(self) - me->start, actors = 0;
    bench_check(tr_body(found, m)->sum == me->n * (me->n - 1) / 2, "skynet1m: wrong sum");
    for (int64_t level = me->n; level > 0; level /= FAN_OUT)
        actors += level;
    return bench_report(actors, ns);
}

static const tr_actor skynet_root = { TR_SPEC, .name = "skynet", .start = skynet_start, .receive = skynet,
    .state_size = sizeof(struct skynet), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_skynet = { .name = "skynet1m", .root = &skynet_root, .n = 1000000, .power_of_ten = true };
