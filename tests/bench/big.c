/*
 * big: 256 actors; each sends N pings to others chosen at random, one at a time, and waits for each pong while it
 * answers the pings of the others.
 */
#include "tests/bench/bench.h"

enum { PEERS = 256 };

TR_SIGNAL(go);
TR_SIGNAL(ping);
TR_SIGNAL(pong);
TR_SIGNAL(finished);
TR_SIGNAL(count_off);
TR_MESSAGE(pongs, int64_t count;);
TR_DEFINE(go);
TR_DEFINE(ping);
TR_DEFINE(pong);
TR_DEFINE(finished);
TR_DEFINE(count_off);
TR_DEFINE(pongs);

static tr_ref peers[PEERS]; /* written before the first `go` is sent, read after it has come */

struct peer {
    int64_t n, sent, pongs;
    uint32_t number;
};

static int peer_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct peer *)state = *(const struct peer *)arg;
    return TR_CONTINUE;
}

static void ping_another(tr_self *self, struct peer *me)
{
    uint32_t other = tr_random_below(self, PEERS - 1);
    me->sent++;
    tr_send(self, peers[other < me->number ? other : other + 1], ping);
}

static int peer(tr_self *self, void *state, const tr_msg *m)
{
    struct peer *me = state;
    if (tr_is(ping, m)) {
        tr_send(self, m->from, pong);
    } else if (tr_is(pong, m)) {
        me->pongs++;
        if (me->sent < me->n)
            ping_another(self, me);
        else
            tr_send(self, tr_parent(self), finished);
    } else if (tr_is(go, m)) {
        ping_another(self, me);
    } else if (tr_is(count_off, m)) {
        tr_send(self, tr_parent(self), pongs, .count = me->pongs);
        return TR_STOP;
    }
    return TR_CONTINUE;
}

static const tr_actor peer_actor = { TR_SPEC, .name = "peer", .start = peer_start, .receive = peer,
    .state_size = sizeof(struct peer), .arg_size = sizeof(struct peer) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct big {
    int64_t all, start, ns, pongs;
    int finished, counted;
};

static int big_start(tr_self *self, void *state, const void *arg)
{
    struct big *me = state;
    int64_t n = *(const int64_t *)arg;
    bench_watch(self);
    me->all = PEERS * n;
    me->start = tr_now(self);
    for (uint32_t i = 0; i < PEERS; i++)
        peers[i] = tr_spawn(self, &peer_actor, (&(struct peer){ .n = n, .number = i }));
    for (uint32_t i = 0; i < PEERS; i++)
        tr_send(self, peers[i], go);
    return TR_CONTINUE;
}

static int big(tr_self *self, void *state, const tr_msg *m)
{
    struct big *me = state;
    if (tr_is(finished, m)) {
        if (++me->finished < PEERS)
            return TR_CONTINUE;
        me->ns = tr_now(self) - me->start;
        for (uint32_t i = 0; i < PEERS; i++)
            tr_send(self, peers[i], count_off);
    } else if (tr_is(pongs, m)) {
        me->pongs += tr_body(pongs, m)->count;
        if (++me->counted < PEERS)
            return TR_CONTINUE;
        bench_check(me->pongs == me->all, "big: wrong count of pongs");
        return bench_report(me->all, me->ns);
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor big_root = { TR_SPEC, .name = "big", .start = big_start, .receive = big,
    .state_size = sizeof(struct big), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_big = { .name = "big", .root = &big_root, .n = 20000 };
