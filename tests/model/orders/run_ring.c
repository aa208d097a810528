/*
 * The run ring, of two places here, and a worker's `next`.
 *
 * Entries are plain: whoever has one runs it, reads and writes it, and may queue it again. Nobody else may touch it then.
 * The slots are read late: see machine.h.
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { PLACES = 2 };
enum { HEAD, TAIL, SLOT, HEAD2 = SLOT + PLACES, TAIL2, SLOT2, NEXT }; /* of the owner, and of a thief */
enum { ENTRY1, ENTRY2, ENTRY3 };                                      /* plain: number - 1 */
enum { RUN1, RUN2, RUN3 };                                            /* ghosts: how often */
enum { H, N, WON, E, F, OLD };                                        /* registers */

static void run(struct machine *m, struct thread *t, unsigned entry)
{
    if (entry == 0) {
        wrong(m, "an empty place was taken");
        return;
    }
    READ(ENTRY1 + entry - 1);
    WRITE(ENTRY1 + entry - 1);
    m->s.ghost[RUN1 + entry - 1]++;
}

/* tri_ring_push; the tail is the owner's. */
#define PUSH(entry) \
    LOAD(H, HEAD); \
    LOAD(N, TAIL); \
    if (t->r[N] - t->r[H] < PLACES) { \
        STORE(SLOT + t->r[N] % PLACES, (entry)); \
        FENCE(order(RING_PUSH)); \
        STORE(TAIL, t->r[N] + 1); \
    } else { \
        run(m, t, (entry)); \
    }

/* tri_ring_pop: register E. */
#define POP() \
    LOAD(H, HEAD); \
    LOAD(N, TAIL); \
    t->r[E] = 0; \
    while (t->r[H] != t->r[N]) { \
        LOAD_LATE(F, SLOT + t->r[H] % PLACES); \
        t->r[OLD] = t->r[H]; \
        CAS(WON, HEAD, H, t->r[OLD] + 1); \
        if (t->r[WON]) { \
            NEED(F); \
            t->r[E] = t->r[F]; \
            break; \
        } \
        NEED(F); \
    }

/* tri_ring_steal of one, for `least` of 1: register E. */
#define STEAL_ONE(head, tail, slot) \
    t->r[E] = 0; \
    LOAD(H, (head)); \
    for (;;) { \
        FENCE(order(STEAL_HEAD)); \
        LOAD(N, (tail)); \
        FENCE(order(STEAL_TAIL)); \
        if ((uint16_t)(t->r[N] - t->r[H]) > PLACES) { \
            LOAD(H, (head)); \
            continue; \
        } \
        if (t->r[N] == t->r[H]) \
            break; \
        LOAD_LATE(F, (slot) + t->r[H] % PLACES); \
        FENCE(order(STEAL_SLOTS)); \
        t->r[OLD] = t->r[H]; \
        CAS(WON, (head), H, t->r[OLD] + 1); \
        if (t->r[WON]) { \
            NEED(F); \
            t->r[E] = t->r[F]; \
            break; \
        } \
        NEED(F); \
    }

/* Three entries through two places. */
static void owner(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(ENTRY1);
    PUSH(1);
    WRITE(ENTRY2);
    PUSH(2);
    POP();
    if (t->r[E])
        run(m, t, t->r[E]);
    WRITE(ENTRY3);
    PUSH(3);
    for (;;) {
        POP();
        if (!t->r[E])
            break;
        run(m, t, t->r[E]);
    }
    END;
}

static void thief(struct machine *m, struct thread *t)
{
    BEGIN;
    STEAL_ONE(HEAD, TAIL, SLOT);
    if (t->r[E])
        run(m, t, t->r[E]);
    END;
}

static void each_once(struct machine *m)
{
    for (unsigned i = RUN1; i <= RUN3; i++)
        if (m->s.ghost[i] != 1)
            wrong(m, m->s.ghost[i] ? "an entry was taken twice" : "an entry was lost");
}

static const struct model a_thief = {
    .name = "an owner of three entries, a thief",
    .threads = 2,
    .run = { owner, thief },
    .end = each_once,
};

static const struct model two_thieves = {
    .name = "an owner of three entries, two thieves",
    .threads = 3,
    .run = { owner, thief, thief },
    .end = each_once,
};

/* ---- an entry that goes from ring to ring ------------------------------------------------------------------------ */

static void owner_of_one(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(ENTRY1);
    PUSH(1);
    END;
}

/* Puts what it steals into its own ring, and does not run it. */
static void middleman(struct machine *m, struct thread *t)
{
    BEGIN;
    STEAL_ONE(HEAD, TAIL, SLOT);
    if (t->r[E]) {
        STORE(SLOT2, t->r[E]);
        FENCE(order(STEAL_TELL));
        STORE(TAIL2, 1);
    }
    END;
}

static void thief_of_the_middleman(struct machine *m, struct thread *t)
{
    BEGIN;
    STEAL_ONE(HEAD2, TAIL2, SLOT2);
    if (t->r[E])
        run(m, t, t->r[E]);
    END;
}

static const struct model a_chain_of_thieves = {
    .name = "a thief of a thief",
    .threads = 3,
    .run = { owner_of_one, middleman, thief_of_the_middleman },
};

/* The owner has only read what it queues again; a thief writes to it. */
static void reader(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(ENTRY1);
    PUSH(1);
    END;
}

static const struct model a_reader = {
    .name = "an entry that its last runner has read, a thief",
    .threads = 2,
    .run = { reader, thief },
};

/* ---- next -------------------------------------------------------------------------------------------------------- */

/* Puts an entry where there is nothing; then another, which displaces it; and takes what is left, as
 * tri_worker_take_next() and tri_worker_follow() do. */
static void owner_of_next(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(ENTRY1);
    WRITE(ENTRY1);
    FENCE(order(NEXT_PUT));
    STORE(NEXT, 1);
    READ(ENTRY2);
    WRITE(ENTRY2);
    FENCE(order(NEXT_DISPLACE));
    SWAP(E, NEXT, 2);
    if (t->r[E])
        run(m, t, t->r[E]);
    SWAP(E, NEXT, 0);
    if (t->r[E])
        run(m, t, t->r[E]);
    m->s.ghost[RUN3] = 1;
    END;
}

static void thief_of_next(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(F, NEXT);
    t->r[E] = 0;
    if (t->r[F])
        SWAP(E, NEXT, 0);
    FENCE(order(NEXT_TAKE));
    if (t->r[E])
        run(m, t, t->r[E]);
    END;
}

static const struct model a_next = {
    .name = "a worker's next, a thief",
    .threads = 2,
    .run = { owner_of_next, thief_of_next },
    .end = each_once,
};

/* As a_reader: the owner has only read what it puts there. */
static void reader_of_next(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(ENTRY1);
    FENCE(order(NEXT_PUT));
    STORE(NEXT, 1);
    SWAP(E, NEXT, 0);
    if (t->r[E])
        run(m, t, t->r[E]);
    READ(ENTRY2);
    FENCE(order(NEXT_DISPLACE));
    SWAP(E, NEXT, 2);
    END;
}

static const struct model a_reader_of_next = {
    .name = "a worker's next that its last runner has read, a thief",
    .threads = 2,
    .run = { reader_of_next, thief_of_next },
};

const struct scenario run_ring_scenarios[] = {
    { &a_thief, false },
    { &a_chain_of_thieves, false },
    { &a_reader, false },
    { &a_next, false },
    { &a_reader_of_next, false },
    { &two_thieves, true },
    { NULL, false },
};
