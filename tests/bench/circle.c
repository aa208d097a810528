/*
 * pingpong and ring: a token goes round in a circle of 2 or of 503 actors until it has made N hops.
 *
 * One message is under way at any time, so this is the length of one hop: send, wake the receiver, run it.
 */
#include "tests/bench/bench.h"

enum { RING_ACTORS = 503 };

TR_MESSAGE(neighbour, tr_ref next;);
TR_MESSAGE(token, int64_t left;);
TR_MESSAGE(arrived, int64_t visits;);
TR_DEFINE(neighbour);
TR_DEFINE(token);
TR_DEFINE(arrived);

struct passer {
    tr_ref next;
    int64_t visits;
};

static int passer(tr_self *self, void *state, const tr_msg *m)
{
    struct passer *me = state;
    if (tr_is(token, m)) {
        int64_t left = tr_body(token, m)->left;
        me->visits++;
        if (left > 0)
            tr_send(self, me->next, token, .left = left - 1);
        else
            tr_send(self, tr_parent(self), arrived, .visits = me->visits);
    } else if (tr_is(neighbour, m)) {
        me->next = tr_body(neighbour, m)->next;
    }
    return TR_CONTINUE;
}

static const tr_actor passer_actor = { TR_SPEC, .name = "passer", .receive = passer, .state_size = sizeof(struct passer) };

struct circle {
    int64_t n, start;
    tr_ref last;    /* whom the token reaches with no hops left … */
    int64_t visits; /* … having been there so often */
};

static int begin(tr_self *self, struct circle *me, int64_t n, unsigned actors)
{
    tr_ref passers[RING_ACTORS];
    bench_watch(self);
    for (unsigned i = 0; i < actors; i++)
        passers[i] = tr_spawn(self, &passer_actor, NULL);
    for (unsigned i = 0; i < actors; i++)
        tr_send(self, passers[i], neighbour, .next = passers[(i + 1) % actors]);
    me->n = n;
    me->last = passers[n % actors];
    me->visits = n / actors + 1;
    me->start = tr_now(self);
    tr_send(self, passers[0], token, .left = n);
    return TR_CONTINUE;
}

static int pingpong_start(tr_self *self, void *state, const void *arg)
{
    return begin(self, state, *(const int64_t *)arg, 2);
}

static int ring_start(tr_self *self, void *state, const void *arg)
{
    return begin(self, state, *(const int64_t *)arg, RING_ACTORS);
}

static int circle(tr_self *self, void *state, const tr_msg *m)
{
    struct circle *me = state;
    if (!tr_is(arrived, m))
        bench_unexpected(m);
    bench_check(tr_ref_eq(m->from, me->last) && tr_body(arrived, m)->visits == me->visits,
        "the token has not arrived where N hops lead to");
    return bench_report(me->n, tr_now(self) - me->start);
}

static const tr_actor pingpong_root = { TR_SPEC, .name = "pingpong", .start = pingpong_start, .receive = circle,
    .state_size = sizeof(struct circle), .arg_size = sizeof(int64_t) };

static const tr_actor ring_root = { TR_SPEC, .name = "ring", .start = ring_start, .receive = circle,
    .state_size = sizeof(struct circle), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_pingpong = { .name = "pingpong", .root = &pingpong_root, .n = 5000000 };
const struct bench_workload bench_ring = { .name = "ring", .root = &ring_root, .n = 5000000 };
