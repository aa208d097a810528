/*
 * Who may still touch what: guests of a system that closes, who looks whether an actor is alive, who counts the living,
 * buffers with several holders, and blocks that come home.
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { X, Y, WON }; /* registers */
enum { DATA };      /* plain */
enum { QUEUE };     /* object: what hands an actor on from worker to worker */
enum { A, B, C };   /* ghosts */

/* ---- guests ------------------------------------------------------------------------------------------------------ */

enum { SYSTEM, GUESTS };

/* Makes what a system has, which its opener knows then. */
static void maker(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(DATA);
    GIVE(QUEUE);
    m->s.ghost[A] = 1;
    END;
}

static void host_of_what_is_made(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[A]);
    TAKE(QUEUE);
    FENCE(order(TABLE_RELEASE));
    STORE(SYSTEM, 1);
    END;
}

/* A system opens, closes, and its memory is the next one's. */
static void host(struct machine *m, struct thread *t)
{
    BEGIN;
    for (t->r[Y] = 0; t->r[Y] < 2; t->r[Y]++) {
        WRITE(DATA);
        FENCE(order(TABLE_RELEASE));
        STORE(SYSTEM, 1);
        STORE(SYSTEM, 0);
        FENCE(order(TABLE_LOOK));
        do
            LOAD(X, GUESTS);
        while (t->r[X]);
        FENCE(order(TABLE_ACQUIRE));
        WRITE(DATA);
    }
    END;
}

static void guest(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(X, SYSTEM);
    if (t->r[X]) {
        ADD(Y, GUESTS, 1);
        FENCE(order(ENTER_LOOK));
        LOAD(X, SYSTEM);
        FENCE(order(ENTER_ACQUIRE));
        if (t->r[X])
            READ(DATA);
        FENCE(order(LEAVE_RELEASE));
        ADD(Y, GUESTS, 0xffff);
    }
    END;
}

static const struct model a_guest = {
    .name = "a guest of a system that closes",
    .threads = 2,
    .run = { host, guest },
};

static const struct model a_guest_of_a_new_system = {
    .name = "a guest of a system that another thread has made",
    .threads = 3,
    .run = { maker, host_of_what_is_made, guest },
};

/* ---- a stop that comes early ------------------------------------------------------------------------------------- */

enum { NUMBER, STOP };

static void attaches(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(NUMBER, 1);
    FENCE(order(ATTACH_LOOK));
    LOAD(X, STOP);
    m->s.ghost[A] |= t->r[X];
    END;
}

static void stops(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(STOP, 1);
    FENCE(order(TR_STOP_LOOK));
    LOAD(X, NUMBER);
    m->s.ghost[A] |= t->r[X];
    END;
}

static void stopped(struct machine *m)
{
    if (!m->s.ghost[A])
        wrong(m, "a stop was lost");
}

static const struct model an_early_stop = {
    .name = "a system is stopped while it opens",
    .threads = 2,
    .run = { attaches, stops },
    .end = stopped,
};

/* ---- is it alive? ------------------------------------------------------------------------------------------------ */

enum { WORD, IDENTITY, INCARNATION, GENERATION };
enum { OPENED, CLOSED };

/* An actor ends on one worker; its ward is signalled. On another worker its slot gets an actor with the same incarnation. */
static void ends(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(INCARNATION, 1);
    STEP();
    GIVE(QUEUE);
    m->s.ghost[A] = 1;
    STORE(WORD, CLOSED);
    GIVE(QUEUE + 1);
    m->s.ghost[B] = 1;
    END;
}

static void spawns_again(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[B]);
    TAKE(QUEUE + 1);
    FENCE(order(SPAWN_RELEASE));
    STORE(INCARNATION, 0);
    STORE(IDENTITY, 1);
    FENCE(order(OPEN_RELEASE));
    STORE(WORD, OPENED);
    FENCE(order(OPEN_STORE));
    STORE(GENERATION, 1);
    END;
}

/* tri_owner_ended, after the signal. */
static void ward(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[A]);
    TAKE(QUEUE);
    LOAD(X, GENERATION);
    FENCE(order(FIND_ACQUIRE));
    if (!t->r[X]) {
        LOAD(X, INCARNATION);
        if (t->r[X] == 0) {
            FENCE(order(OWNER_WORD));
            LOAD(X, WORD);
            if (t->r[X] == OPENED) {
                FENCE(order(OWNER_IDENTITY));
                LOAD(X, IDENTITY);
                if (t->r[X] == 0)
                    wrong(m, "an owner that has ended is taken for one that lives");
            }
        }
    }
    END;
}

/* tr_alive, by one who knows that it has ended: that its mailbox was closed. */
static void looks(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[B]);
    TAKE(QUEUE);
    LOAD(X, GENERATION);
    FENCE(order(FIND_ACQUIRE));
    if (!t->r[X]) {
        LOAD(X, WORD);
        if (t->r[X] == OPENED) {
            FENCE(order(ALIVE_IDENTITY));
            LOAD(X, IDENTITY);
            if (t->r[X] == 0)
                wrong(m, "an actor that has ended is taken for one that lives");
        }
    }
    END;
}

static void closes(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(WORD, CLOSED);
    GIVE(QUEUE);
    m->s.ghost[B] = 1;
    STORE(IDENTITY, 1);
    FENCE(order(OPEN_RELEASE));
    STORE(WORD, OPENED);
    FENCE(order(OPEN_STORE));
    STORE(GENERATION, 1);
    END;
}

static const struct model a_ward = {
    .name = "a ward looks at its owner, whose slot goes on",
    .threads = 3,
    .run = { ends, spawns_again, ward },
};

static const struct model alive = {
    .name = "somebody looks at an actor, whose slot goes on",
    .threads = 2,
    .run = { closes, looks },
};

/* ---- the living -------------------------------------------------------------------------------------------------- */

enum { SPAWNED, ENDED };

/* An actor spawns on one worker, and ends on another. */
static void spawner(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(SPAWNED, 2);
    GIVE(QUEUE);
    m->s.ghost[A] = 1;
    END;
}

static void ender(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[A]);
    TAKE(QUEUE);
    FENCE(order(ENDED_AFTER));
    STORE(ENDED, 1);
    END;
}

static void counter(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(X, ENDED);
    FENCE(order(LIVING_LOAD));
    LOAD(Y, SPAWNED);
    if (t->r[X] == t->r[Y])
        wrong(m, "nobody lives, it seems");
    END;
}

static void one_lives(struct state *s)
{
    begin_with(s, SPAWNED, 1);
}

static const struct model the_living = {
    .name = "the living are counted",
    .threads = 3,
    .run = { spawner, ender, counter },
    .begin = one_lives,
};

/* ---- buffers and blocks ------------------------------------------------------------------------------------------ */

enum { REFERENCES, HOME };

/* tr_buf_unref. */
static void unrefs(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(DATA);
    FENCE(order(BUF_RELEASE));
    ADD(X, REFERENCES, 0xffff);
    if (t->r[X] == 1) {
        FENCE(order(BUF_ACQUIRE));
        WRITE(DATA);
    }
    END;
}

/* held_by_one. */
static void writes_if_alone(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(X, REFERENCES);
    if (t->r[X] == 1) {
        FENCE(order(BUF_ALONE));
        WRITE(DATA);
    }
    END;
}

static void two_references(struct state *s)
{
    begin_with(s, REFERENCES, 2);
}

static const struct model a_buffer = {
    .name = "two holders let go of a buffer",
    .threads = 2,
    .run = { unrefs, unrefs },
    .begin = two_references,
};

static const struct model a_buffer_of_one = {
    .name = "a holder lets go of a buffer, the other writes to it",
    .threads = 2,
    .run = { unrefs, writes_if_alone },
    .begin = two_references,
};

static void sends_home(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(DATA);
    LOAD(X, HOME);
    FENCE(order(HOME_RELEASE));
    CAS(WON, HOME, X, 1);
    END;
}

static void collects(struct machine *m, struct thread *t)
{
    BEGIN;
    SWAP(X, HOME, 0);
    FENCE(order(HOME_ACQUIRE));
    if (t->r[X])
        WRITE(DATA);
    END;
}

static const struct model a_block = {
    .name = "a block comes home",
    .threads = 2,
    .run = { sends_home, collects },
};

const struct scenario owner_scenarios[] = {
    { &a_guest, false },
    { &a_guest_of_a_new_system, false },
    { &an_early_stop, false },
    { &a_ward, false },
    { &alive, false },
    { &the_living, false },
    { &a_buffer, false },
    { &a_buffer_of_one, false },
    { &a_block, false },
    { NULL, false },
};
