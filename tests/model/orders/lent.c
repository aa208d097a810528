/*
 * What a worker lends to those who rescue what it has while it is held (sched/possession.h), and the messages of its outbox.
 *
 * `in` and `revoked` are locations; what is lent is plain. The rescuer's fence is one that all threads pass.
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { IN, REVOKED, WORD };       /* locations */
enum { LENT, MESSAGE, CARRIED };  /* plain; CARRIED: what the message brings along, which its sender has read */
enum { LOCK };                    /* object */
enum { LOCKED, RESCUED, PUSHED }; /* ghosts */
enum { R, I, MINE, ROUND, W };    /* registers */

static void lock(struct machine *m, struct thread *t)
{
    m->s.ghost[LOCKED] = 1;
    TAKE(LOCK);
}

static void unlock(struct machine *m, struct thread *t)
{
    GIVE(LOCK);
    m->s.ghost[LOCKED] = 0;
}

#define ENTER() \
    STORE(IN, 1); \
    LOAD(R, REVOKED); \
    t->r[MINE] = 0; \
    if (t->r[R]) { \
        STORE(IN, 0); \
        AWAIT(!m->s.ghost[LOCKED]); \
        lock(m, t); \
        t->r[MINE] = 1; \
        STORE(IN, 1); \
    } \
    FENCE(order(LENT_ENTER))

#define LEAVE() \
    FENCE(order(LENT_LEAVE)); \
    STORE(IN, 0); \
    if (t->r[MINE]) { \
        STEP(); \
        unlock(m, t); \
    }

/* tri_possession_take: register I is 0 if it has it. */
#define TAKE_AWAY() \
    STEP(); \
    if (m->s.ghost[LOCKED]) { \
        t->r[I] = 1; \
    } else { \
        lock(m, t); \
        STORE(REVOKED, 1); \
        BARRIER(); \
        LOAD(I, IN); \
        FENCE(order(LENT_TAKE)); \
        if (t->r[I]) { \
            GIVE_BACK(); \
        } \
    }

#define GIVE_BACK() \
    FENCE(order(LENT_GIVE_BACK)); \
    STORE(REVOKED, 0); \
    STEP(); \
    unlock(m, t)

static void lender(struct machine *m, struct thread *t)
{
    BEGIN;
    for (t->r[ROUND] = 0; t->r[ROUND] < 2; t->r[ROUND]++) {
        ENTER();
        READ(LENT);
        WRITE(LENT);
        STEP();
        READ(LENT);
        LEAVE();
    }
    END;
}

static void rescuer(struct machine *m, struct thread *t)
{
    BEGIN;
    for (t->r[ROUND] = 0; t->r[ROUND] < 2; t->r[ROUND]++) {
        TAKE_AWAY();
        if (!t->r[I]) {
            READ(LENT);
            WRITE(LENT);
            STEP();
            READ(LENT);
            GIVE_BACK();
        }
    }
    END;
}

static const struct model a_rescuer = {
    .name = "a worker, and one that rescues what it has",
    .threads = 2,
    .run = { lender, rescuer },
};

/* ---- the outbox -------------------------------------------------------------------------------------------------- */

/* Pushes it; who gets it writes to all of it. */
static void push(struct machine *m, struct thread *t)
{
    WRITE(MESSAGE);
    WRITE(CARRIED);
    if (m->s.ghost[PUSHED]++)
        wrong(m, "a message is pushed twice");
}

/* Holds a message, tri_outbox_begin or tri_outbox_add; and pushes it at the end of its handler, unless it is rescued. */
static void holder(struct machine *m, struct thread *t, enum site fence)
{
    BEGIN;
    READ(CARRIED);
    WRITE(MESSAGE);
    FENCE(order(fence));
    STORE(WORD, 1);
    ENTER();
    READ(LENT);
    t->r[W] = m->s.ghost[RESCUED];
    STORE(WORD, 0);
    LEAVE();
    if (!t->r[W])
        push(m, t);
    END;
}

static void begins(struct machine *m, struct thread *t)
{
    holder(m, t, OUTBOX_BEGIN);
}

static void adds(struct machine *m, struct thread *t)
{
    holder(m, t, OUTBOX_ADD);
}

static void rescuer_of_messages(struct machine *m, struct thread *t)
{
    BEGIN;
    TAKE_AWAY();
    if (!t->r[I]) {
        LOAD(W, WORD);
        FENCE(order(OUTBOX_RESCUE));
        if (t->r[W]) {
            WRITE(LENT);
            m->s.ghost[RESCUED] = 1;
            push(m, t);
        }
        GIVE_BACK();
    }
    END;
}

static void pushed(struct machine *m)
{
    if (!m->s.ghost[PUSHED])
        wrong(m, "a held message is lost");
}

static const struct model a_first_message = {
    .name = "the first message of an outbox is rescued",
    .threads = 2,
    .run = { begins, rescuer_of_messages },
    .end = pushed,
};

static const struct model a_further_message = {
    .name = "a further message of an outbox is rescued",
    .threads = 2,
    .run = { adds, rescuer_of_messages },
    .end = pushed,
};

const struct scenario lent_scenarios[] = {
    { &a_rescuer, false },
    { &a_first_message, false },
    { &a_further_message, false },
    { NULL, false },
};
