/*
 * Promises: the word in which holder and keeper decide (actors/promise.h).
 *
 * What they touch is plain: what the holder keeps of it, what the keeper keeps of it, and the message itself. Whoever frees
 * an element writes to all three. Mailboxes and errands give order (mailbox.c has the one).
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { STATE };
enum { ARMED, ASKED, KEPT, DROPPED };      /* values of STATE */
enum { HELD, AT_TARGET, MESSAGE, FIELDS }; /* plain; FIELDS: what both look at */
enum { MAIL, BACK };                       /* objects: the holder's mailbox; an errand, or the target's mailbox */
enum { PUSHED, RECALLED, FREED };          /* ghosts */
enum { S, WON, WAS };                      /* registers */

static void set_free(struct machine *m, struct thread *t)
{
    WRITE(HELD);
    WRITE(AT_TARGET);
    WRITE(MESSAGE);
    WRITE(FIELDS);
    if (m->s.ghost[FREED]++)
        wrong(m, "a promise is freed twice");
}

static void push(struct machine *m, struct thread *t)
{
    WRITE(MESSAGE);
    GIVE(MAIL);
    m->s.ghost[PUSHED] = 1;
}

/* tri_promise_drop; register WAS: the state it was in. */
#define DROP() \
    LOAD(S, STATE); \
    READ(FIELDS); \
    WRITE(HELD); \
    FENCE(order(DROP_RELEASE)); \
    for (;;) { \
        t->r[WAS] = t->r[S]; \
        if (t->r[S] == KEPT) { \
            STORE(STATE, DROPPED); \
            break; \
        } \
        CAS(WON, STATE, S, DROPPED); \
        if (t->r[WON]) { \
            FENCE(order(DROP_ACQUIRE)); \
            break; \
        } \
    }

/* The message of a dropped promise is in the holder's hand. */
#define GET_MESSAGE() \
    AWAIT(m->s.ghost[PUSHED]); \
    TAKE(MAIL); \
    LOAD(S, STATE); \
    if (t->r[S] == DROPPED) \
        FENCE(order(HANDLED_ACQUIRE)); \
    set_free(m, t)

/* tri_promise_keep: register WON. */
#define KEEP() \
    t->r[S] = ARMED; \
    READ(FIELDS); \
    CAS(WON, STATE, S, KEPT); \
    if (!t->r[WON]) \
    FENCE(order(KEEP_ACQUIRE))

static void freed_once(struct machine *m)
{
    if (m->s.ghost[FREED] != 1)
        wrong(m, "a promise is not freed");
}

/* ---- a job ------------------------------------------------------------------------------------------------------- */

static void holder_of_a_job(struct machine *m, struct thread *t)
{
    BEGIN;
    DROP();
    if (t->r[WAS] == KEPT) {
        GET_MESSAGE();
    }
    END;
}

static void job(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(S, STATE);
    if (t->r[S] == ARMED)
        WRITE(MESSAGE);
    KEEP();
    if (t->r[WON])
        push(m, t);
    else
        set_free(m, t);
    END;
}

static const struct model a_job = {
    .name = "a job is done and given up",
    .threads = 2,
    .run = { holder_of_a_job, job },
    .end = freed_once,
};

/* ---- a timer on another worker ----------------------------------------------------------------------------------- */

static void holder_of_a_timer(struct machine *m, struct thread *t)
{
    BEGIN;
    DROP();
    if (t->r[WAS] == KEPT) {
        GET_MESSAGE();
    } else {
        STEP();
        WRITE(MESSAGE);
        GIVE(BACK);
        m->s.ghost[RECALLED] = 1;
    }
    END;
}

static void worker_of_a_timer(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(AT_TARGET);
    KEEP();
    if (t->r[WON]) {
        push(m, t);
    } else {
        AWAIT(m->s.ghost[RECALLED]);
        TAKE(BACK);
        set_free(m, t);
    }
    END;
}

static const struct model a_timer = {
    .name = "a timer fires and is cancelled from another worker",
    .threads = 2,
    .run = { holder_of_a_timer, worker_of_a_timer },
    .end = freed_once,
};

/* ---- a monitor --------------------------------------------------------------------------------------------------- */

/* The request is on its way to the target. */
static void holder_of_a_monitor(struct machine *m, struct thread *t)
{
    BEGIN;
    DROP();
    if (t->r[WAS] == KEPT) {
        GET_MESSAGE();
    } else if (t->r[WAS] == ARMED) {
        STEP();
        WRITE(MESSAGE);
        GIVE(BACK);
        m->s.ghost[RECALLED] = 1;
    }
    END;
}

/* The request arrives; then the target ends. A recall finds it before that, or ended. */
static void target(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(MESSAGE);
    WRITE(AT_TARGET);
    READ(FIELDS);
    t->r[S] = ASKED;
    FENCE(order(ANSWER_RELEASE));
    CAS(WON, STATE, S, ARMED);
    if (!t->r[WON]) {
        FENCE(order(ANSWER_ACQUIRE));
        set_free(m, t);
    } else {
        STEP();
        WRITE(AT_TARGET);
        KEEP();
        if (t->r[WON]) {
            push(m, t);
        } else {
            AWAIT(m->s.ghost[RECALLED]);
            TAKE(BACK);
            set_free(m, t);
        }
    }
    END;
}

static void asked_at_first(struct state *s)
{
    begin_with(s, STATE, ASKED);
}

static const struct model a_monitor = {
    .name = "a monitor is set, its target ends, it is dropped",
    .threads = 2,
    .run = { holder_of_a_monitor, target },
    .begin = asked_at_first,
    .end = freed_once,
};

const struct scenario promise_scenarios[] = {
    { &a_job, false },
    { &a_timer, false },
    { &a_monitor, false },
    { NULL, false },
};
