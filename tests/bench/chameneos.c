/*
 * chameneos: 100 creatures come to a mall to meet, N meetings in all. Two that meet exchange their colours; a creature
 * that finds the mall closed fades, and tells how many it has met.
 */
#include "tests/bench/bench.h"

enum { CREATURES = 100 };

enum colour { BLUE, RED, YELLOW, COLOURS };

TR_MESSAGE(meet, enum colour colour;); /* to the mall: I would like to; to a creature: you meet the sender */
TR_MESSAGE(change, enum colour colour;);
TR_SIGNAL(fade);
TR_MESSAGE(faded, int64_t meetings;);
TR_MESSAGE(all_faded, int64_t meetings;);
TR_DEFINE(meet);
TR_DEFINE(change);
TR_DEFINE(fade);
TR_DEFINE(faded);
TR_DEFINE(all_faded);

static enum colour complement(enum colour a, enum colour b)
{
    return a == b ? a : (enum colour)(BLUE + RED + YELLOW - a - b);
}

/* ---- a creature -------------------------------------------------------------------------------------------------- */

struct creature {
    tr_ref mall;
    int64_t meetings;
    enum colour colour;
};

static int creature_start(tr_self *self, void *state, const void *arg)
{
    struct creature *me = state;
    *me = *(const struct creature *)arg;
    tr_send(self, me->mall, meet, .colour = me->colour);
    return TR_CONTINUE;
}

static int creature(tr_self *self, void *state, const tr_msg *m)
{
    struct creature *me = state;
    if (tr_is(meet, m)) {
        me->colour = complement(me->colour, tr_body(meet, m)->colour);
        me->meetings++;
        tr_send(self, m->from, change, .colour = me->colour);
        tr_send(self, me->mall, meet, .colour = me->colour);
    } else if (tr_is(change, m)) {
        me->colour = tr_body(change, m)->colour;
        me->meetings++;
        tr_send(self, me->mall, meet, .colour = me->colour);
    } else if (tr_is(fade, m)) {
        tr_send(self, me->mall, faded, .meetings = me->meetings);
        return TR_STOP;
    }
    return TR_CONTINUE;
}

static const tr_actor creature_actor = { TR_SPEC, .name = "creature", .start = creature_start, .receive = creature,
    .state_size = sizeof(struct creature), .arg_size = sizeof(struct creature) };

/* ---- the mall ---------------------------------------------------------------------------------------------------- */

struct mall {
    int64_t left, meetings;
    tr_ref waiting;
    int faded;
};

static int mall_start(tr_self *self, void *state, const void *arg)
{
    struct mall *me = state;
    (void)self;
    me->left = *(const int64_t *)arg;
    return TR_CONTINUE;
}

static void bring_together(tr_self *self, struct mall *me, const tr_msg *m)
{
    if (me->left == 0) {
        tr_send(self, m->from, fade);
    } else if (tr_ref_is_nobody(me->waiting)) {
        me->waiting = m->from;
    } else {
        tr_forward(self, m, me->waiting); /* as it is: the other one sees who it is from */
        me->waiting = TR_NOBODY;
        me->left--;
    }
}

static int mall(tr_self *self, void *state, const tr_msg *m)
{
    struct mall *me = state;
    if (tr_is(meet, m)) {
        bring_together(self, me, m);
    } else {
        me->meetings += tr_body(faded, m)->meetings;
        if (++me->faded == CREATURES)
            tr_send(self, tr_parent(self), all_faded, .meetings = me->meetings);
    }
    if (me->left == 0 && !tr_ref_is_nobody(me->waiting)) {
        tr_send(self, me->waiting, fade);
        me->waiting = TR_NOBODY;
    }
    return TR_CONTINUE;
}

static const tr_actor mall_actor = { TR_SPEC, .name = "mall", .start = mall_start, .receive = mall,
    .state_size = sizeof(struct mall), .arg_size = sizeof(int64_t) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct chameneos {
    int64_t n, start;
};

static int chameneos_start(tr_self *self, void *state, const void *arg)
{
    struct chameneos *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_ref place = tr_spawn(self, &mall_actor, &me->n);
    for (int i = 0; i < CREATURES; i++)
        tr_spawn(self, &creature_actor, (&(struct creature){ .mall = place, .colour = (enum colour)(i % COLOURS) }));
    return TR_CONTINUE;
}

static int chameneos(tr_self *self, void *state, const tr_msg *m)
{
    struct chameneos *me = state;
    if (!tr_is(all_faded, m))
        bench_unexpected(m);
    int64_t ns = tr_now(self) - me->start;
    bench_check(tr_body(all_faded, m)->meetings == 2 * me->n, "chameneos: wrong count of meetings");
    return bench_report(me->n, ns);
}

static const tr_actor chameneos_root = { TR_SPEC, .name = "chameneos", .start = chameneos_start, .receive = chameneos,
    .state_size = sizeof(struct chameneos), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_chameneos = { .name = "chameneos", .root = &chameneos_root, .n = 2000000 };
