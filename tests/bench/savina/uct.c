/*
 * uct: an unbalanced cobwebbed tree of N actors. A node is given the size of its part of the tree, divides it unevenly
 * among up to ten children, and tells its parent when all below it is there. Then the tree is visited from the top:
 * every node passes the visit on to its children, to the urgent ones in the urgent lane, works for a while, and when
 * its children have told what they have found, tells it to its parent and ends.
 *
 * What a node does is drawn from its own seed, so the tree is the same in every run.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

#include <troupe/block.h>

enum { CHILDREN = 10 };

TR_MESSAGE(uct_grown, int64_t nodes;);
TR_SIGNAL(uct_visit);
TR_MESSAGE(uct_visited, uint64_t sum;);
TR_DEFINE(uct_grown);
TR_DEFINE(uct_visit);
TR_DEFINE(uct_visited);

/* ---- the shape of the tree, and the work ------------------------------------------------------------------------- */

struct part {
    uint64_t seed;
    int64_t size; /* nodes, itself included */
    bool urgent;
};

/* Divides what is below a node: answers the number of its children. */
static int divide(const struct part *whole, struct part parts[CHILDREN])
{
    uint64_t seed = whole->seed, bits = draw(&seed);
    int64_t left = whole->size - 1;
    int draws = 1, children = 0;
    for (int i = 1; i < CHILDREN; i++) /* binomial, about half of them */
        draws += bits >> i & 1;
    for (int i = 1; i <= draws && left; i++) {
        int64_t size = i == draws ? left : (int64_t)draw_below(&seed, (uint32_t)left + 1);
        if (size == 0)
            continue;
        left -= size;
        parts[children++] = (struct part){ .seed = ~draw(&seed), .size = size, .urgent = draw_below(&seed, 2) };
    }
    return children;
}

/* About 500 rounds, give or take 100. */
static uint64_t work(uint64_t seed)
{
    int64_t rounds = 0;
    uint64_t x = ~seed;
    for (int i = 0; i < 10; i++)
        rounds += (int64_t)draw_below(&x, 101);
    while (rounds-- > 0)
        draw(&x);
    return x;
}

/* ---- a node ------------------------------------------------------------------------------------------------------ */

struct node {
    struct part part;
    int64_t nodes;
    uint64_t sum;
    tr_ref children[CHILDREN]; /* the urgent ones first */
    int count, urgent, waiting;
};

static const tr_actor node_actor;

static int node_start(tr_self *self, void *state, const void *arg)
{
    struct node *me = state;
    struct part parts[CHILDREN];
    me->part = *(const struct part *)arg;
    me->nodes = 1;
    me->waiting = divide(&me->part, parts);
    for (int urgent = 1; urgent >= 0; urgent--) {
        for (int i = 0; i < me->waiting; i++)
            if (parts[i].urgent == urgent)
                me->children[me->count++] = bench_spawned(tr_spawn(self, &node_actor, &parts[i]));
        if (urgent)
            me->urgent = me->count;
    }
    if (me->count == 0)
        tr_send(self, tr_parent(self), uct_grown, .nodes = 1);
    return TR_CONTINUE;
}

static int visit(tr_self *self, struct node *me)
{
    for (int i = 0; i < me->count; i++) {
        if (i < me->urgent)
            tr_send_urgent(self, me->children[i], uct_visit);
        else
            tr_send(self, me->children[i], uct_visit);
    }
    me->sum = work(me->part.seed);
    me->waiting = me->count;
    if (me->waiting)
        return TR_CONTINUE;
    tr_send(self, tr_parent(self), uct_visited, .sum = me->sum);
    return TR_STOP;
}

static int node(tr_self *self, void *state, const tr_msg *m)
{
    struct node *me = state;
    if (tr_is(uct_visit, m))
        return visit(self, me);
    if (tr_is(uct_grown, m)) {
        me->nodes += tr_body(uct_grown, m)->nodes;
        if (--me->waiting == 0)
            tr_send(self, tr_parent(self), uct_grown, .nodes = me->nodes);
        return TR_CONTINUE;
    }
    me->sum += tr_body(uct_visited, m)->sum;
    if (--me->waiting)
        return TR_CONTINUE;
    tr_send(self, tr_parent(self), uct_visited, .sum = me->sum);
    return TR_STOP;
}

static const tr_actor node_actor = { TR_SPEC, .name = "node", .start = node_start, .receive = node,
    .state_size = sizeof(struct node), .arg_size = sizeof(struct part) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct uct {
    struct part tree;
    int64_t start;
    uint64_t found, right;
};

/* Visits the same tree without actors. It takes as long as they do, so it runs where it may block. */
static int visit_alone(void *arg)
{
    struct uct *me = arg;
    int64_t waiting = 1;
    struct part *parts = malloc(((size_t)me->tree.size + CHILDREN) * sizeof *parts);
    if (!parts)
        return TR_ENOMEM;
    for (parts[0] = me->tree; waiting > 0;) {
        struct part next = parts[--waiting];
        me->right += work(next.seed);
        waiting += divide(&next, parts + waiting);
    }
    free(parts);
    return 0;
}

static int uct_start(tr_self *self, void *state, const void *arg)
{
    struct uct *me = state;
    bench_watch(self);
    me->tree = (struct part){ .seed = 42, .size = *(const int64_t *)arg };
    me->start = tr_now(self);
    bench_spawned(tr_spawn(self, &node_actor, &me->tree));
    return TR_CONTINUE;
}

static int uct(tr_self *self, void *state, const tr_msg *m)
{
    struct uct *me = state;
    if (tr_is(uct_grown, m)) {
        bench_check(tr_body(uct_grown, m)->nodes == me->tree.size, "uct: wrong count of nodes");
        tr_send(self, m->from, uct_visit);
    } else if (tr_is(uct_visited, m)) {
        me->found = tr_body(uct_visited, m)->sum;
        bench_report(me->tree.size, tr_now(self) - me->start);
        bench_check(tr_block(self, visit_alone, me).bits != 0, "uct: no memory");
    } else if (tr_is(tr_blocked, m)) {
        bench_check(tr_body(tr_blocked, m)->result == 0, "uct: no memory");
        bench_check(me->found == me->right, "uct: wrong sum");
        return TR_STOP;
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor uct_root = { TR_SPEC, .name = "uct", .start = uct_start, .receive = uct,
    .state_size = sizeof(struct uct), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_uct = { .name = "uct", .root = &uct_root, .n = 200000, .max = 10000000 };
