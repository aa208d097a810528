/*
 * The mailbox: push, try_push, poke, drain, take_single, idle, close and open, and the signals of a slot.
 *
 * A word is EMPTY, IDLE, CLOSED, or the newest message (1, 2, 3) and the count; POKE is its low bit. Messages, the actor's
 * state and what it lets go of are plain. Two runners take turns: what a push made runnable goes to either of them through a
 * queue that gives order (run_ring.c has that).
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { EMPTY = 0, POKE = 1, IDLE = 2, CLOSED = 3, NEWEST = 2, COUNT = 4 }; /* the last two: shifts */
enum { WORD, BACKLOG, IDENTITY, GENERATION, BOUND };                       /* locations */
/* Plain. CARRIED: what a message brings along, which its sender has only read. ABOUT: of the signals of two who poke. */
enum { STATE, LET_GO, MESSAGE1, MESSAGE2, CARRIED1, CARRIED2, ABOUT = MESSAGE1 };
enum { SCHEDULED, PUSHED, HANDLED, NEXT1, NEXT2 }; /* ghosts */
enum { QUEUE };                                    /* object */
enum { W, OLD, N, WON, B, MINE, I };               /* registers */

static unsigned number_of(unsigned word)
{
    return word >> NEWEST & 3;
}

static unsigned count_of(unsigned word)
{
    return word >> COUNT;
}

static unsigned with(unsigned word, unsigned message)
{
    return (count_of(word) + 1) << COUNT | message << NEWEST | (word == IDLE ? 0 : word & POKE);
}

/* The caller has replaced IDLE. */
static void schedule(struct machine *m, struct thread *t)
{
    if (m->s.ghost[SCHEDULED])
        wrong(m, "an actor is scheduled twice");
    m->s.ghost[SCHEDULED] = 1;
    GIVE(QUEUE);
}

static void link_to(struct machine *m, struct thread *t, unsigned message, unsigned word)
{
    WRITE(MESSAGE1 - 1 + message);
    READ(CARRIED1 - 1 + message);
    m->s.ghost[NEXT1 - 1 + message] = (uint16_t)number_of(word);
}

static void is_pushed(struct machine *m)
{
    m->s.ghost[PUSHED]++;
}

/* push() of message r[MINE], as in mailbox.c. */
#define PUSH() \
    LOAD(W, WORD); \
    for (;;) { \
        if (t->r[W] == CLOSED) { \
            FENCE(order(PUSH_REFUSED)); \
            WRITE(LET_GO); \
            break; \
        } \
        link_to(m, t, t->r[MINE], t->r[W]); \
        t->r[OLD] = t->r[W]; \
        t->r[N] = (uint16_t)with(t->r[W], t->r[MINE]); \
        FENCE(order(PUSH_RELEASE)); \
        CAS(WON, WORD, W, t->r[N]); \
        if (t->r[WON]) { \
            is_pushed(m); \
            if (t->r[OLD] == IDLE) { \
                FENCE(order(PUSH_ACQUIRE)); \
                schedule(m, t); \
            } \
            break; \
        } \
    }

/* tri_mailbox_try_push(), and push() when it fails. */
#define TRY_PUSH() \
    LOAD(W, WORD); \
    t->r[WON] = 0; \
    if (t->r[W] != CLOSED) { \
        link_to(m, t, t->r[MINE], t->r[W]); \
        t->r[OLD] = t->r[W]; \
        t->r[N] = (uint16_t)with(t->r[W], t->r[MINE]); \
        FENCE(order(TRY_RELEASE)); \
        CAS(WON, WORD, W, t->r[N]); \
    } \
    if (t->r[WON]) { \
        is_pushed(m); \
        if (t->r[OLD] == IDLE) { \
            FENCE(order(TRY_ACQUIRE)); \
            schedule(m, t); \
        } \
    } else { \
        PUSH(); \
    }

static void one_sender(struct machine *m, struct thread *t, unsigned message)
{
    BEGIN;
    t->r[MINE] = (uint16_t)message;
    TRY_PUSH();
    END;
}

static void sends_1(struct machine *m, struct thread *t)
{
    one_sender(m, t, 1);
}

static void sends_2(struct machine *m, struct thread *t)
{
    one_sender(m, t, 2);
}

static void slow_sender(struct machine *m, struct thread *t, unsigned message)
{
    BEGIN;
    t->r[MINE] = (uint16_t)message;
    PUSH();
    END;
}

static void slowly_sends_1(struct machine *m, struct thread *t)
{
    slow_sender(m, t, 1);
}

static void slowly_sends_2(struct machine *m, struct thread *t)
{
    slow_sender(m, t, 2);
}

static void sends_1_and_2(struct machine *m, struct thread *t)
{
    BEGIN;
    for (t->r[MINE] = 1; t->r[MINE] <= 2; t->r[MINE]++) {
        TRY_PUSH();
    }
    END;
}

/* ---- runners ----------------------------------------------------------------------------------------------------- */

/* The chain of a word goes to the lanes; here all of it is handled at once: its memory is the runner's. */
static void handle_chain(struct machine *m, struct thread *t, unsigned word)
{
    for (unsigned message = number_of(word); message; message = m->s.ghost[NEXT1 - 1 + message]) {
        WRITE(MESSAGE1 - 1 + message);
        WRITE(CARRIED1 - 1 + message);
        m->s.ghost[HANDLED]++;
    }
}

#define DRAIN() \
    LOAD(W, WORD); \
    if (t->r[W] != EMPTY) { \
        do { \
            t->r[OLD] = t->r[W]; \
            STORE(BACKLOG, count_of(t->r[W])); \
            FENCE(order(DRAIN_STORE)); \
            CAS(WON, WORD, W, EMPTY); \
        } while (!t->r[WON]); \
        FENCE(order(DRAIN_ACQUIRE)); \
        handle_chain(m, t, t->r[OLD]); \
    } else { \
        t->r[OLD] = EMPTY; \
    }

/* Takes the signals when it was poked. */
#define TAKE_SIGNALS() \
    LOAD(I, IDENTITY); \
    while (t->r[I]) { \
        t->r[N] = t->r[I]; \
        CAS(WON, IDENTITY, I, 0); \
        if (t->r[WON]) { \
            FENCE(order(SIGNALS_ACQUIRE)); \
            for (unsigned bit = 0; bit < 2; bit++) \
                if (t->r[N] >> bit & 1) \
                    WRITE(ABOUT + bit); \
            break; \
        } \
    }

static void touch_state(struct machine *m, struct thread *t)
{
    READ(STATE);
    WRITE(STATE);
}

/* Turns, as long as there are any. A single message is taken by itself. */
static void runner(struct machine *m, struct thread *t)
{
    BEGIN;
    for (;;) {
        AWAIT(m->s.ghost[SCHEDULED]);
        m->s.ghost[SCHEDULED] = 0;
        TAKE(QUEUE);
        do {
            touch_state(m, t);
            LOAD(W, WORD);
            t->r[WON] = 0;
            if (count_of(t->r[W]) == 1 && !(t->r[W] & POKE)) {
                t->r[OLD] = t->r[W];
                CAS(WON, WORD, W, EMPTY);
                if (t->r[WON]) {
                    FENCE(order(SINGLE_ACQUIRE));
                    handle_chain(m, t, t->r[OLD]);
                }
            }
            if (!t->r[WON]) {
                DRAIN();
                if (t->r[OLD] & POKE) {
                    TAKE_SIGNALS();
                }
            }
            touch_state(m, t);
            t->r[W] = EMPTY;
            FENCE(order(IDLE_RELEASE));
            CAS(WON, WORD, W, IDLE);
        } while (!t->r[WON]);
    }
    END;
}

/* Its first message ends it. */
static void closer(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[SCHEDULED]);
    m->s.ghost[SCHEDULED] = 0;
    TAKE(QUEUE);
    touch_state(m, t);
    DRAIN();
    READ(LET_GO);
    FENCE(order(CLOSE_RELEASE));
    SWAP(W, WORD, CLOSED);
    FENCE(order(CLOSE_ACQUIRE));
    handle_chain(m, t, t->r[W]);
    END;
}

static void idle_at_first(struct state *s)
{
    begin_with(s, WORD, IDLE);
}

static void all_handled(struct machine *m)
{
    if (m->s.ghost[HANDLED] != m->s.ghost[PUSHED])
        wrong(m, "a message was not handled");
    if (newest(&m->s, IDENTITY) != 0)
        wrong(m, "a signal was not taken");
}

static const struct model two_senders = {
    .name = "two senders, a runner",
    .threads = 3,
    .run = { sends_1, sends_2, runner },
    .begin = idle_at_first,
    .end = all_handled,
};

static const struct model two_slow_senders = {
    .name = "two senders whose first attempt was not usual, a runner",
    .threads = 3,
    .run = { slowly_sends_1, slowly_sends_2, runner },
    .begin = idle_at_first,
    .end = all_handled,
};

static const struct model two_runners = {
    .name = "a sender of two, two runners",
    .threads = 3,
    .run = { sends_1_and_2, runner, runner },
    .begin = idle_at_first,
    .end = all_handled,
};

static const struct model slow_and_two_runners = {
    .name = "two senders, of which one is slow, two runners",
    .threads = 4,
    .run = { sends_1, slowly_sends_2, runner, runner },
    .begin = idle_at_first,
    .end = all_handled,
};

static const struct model a_close = {
    .name = "two senders, and the end of the actor",
    .threads = 3,
    .run = { sends_1, slowly_sends_2, closer },
    .begin = idle_at_first,
    .end = all_handled,
};

/* ---- pokes and signals ------------------------------------------------------------------------------------------- */

/* tri_slot_raise, and tri_mailbox_poke. */
static void signaler(struct machine *m, struct thread *t, unsigned which)
{
    BEGIN;
    READ(ABOUT + which);
    LOAD(I, IDENTITY);
    do {
        t->r[N] = (uint16_t)(t->r[I] | 1u << which);
        FENCE(order(RAISE_RELEASE));
        CAS(WON, IDENTITY, I, t->r[N]);
    } while (!t->r[WON]);
    LOAD(W, WORD);
    do {
        t->r[OLD] = t->r[W];
        t->r[N] = t->r[W] == IDLE ? POKE : (uint16_t)(t->r[W] | POKE);
        FENCE(order(POKE_RELEASE));
        CAS(WON, WORD, W, t->r[N]);
    } while (!t->r[WON]);
    if (t->r[OLD] == IDLE) {
        FENCE(order(POKE_ACQUIRE));
        schedule(m, t);
    }
    END;
}

static void signals_1(struct machine *m, struct thread *t)
{
    signaler(m, t, 0);
}

static void signals_2(struct machine *m, struct thread *t)
{
    signaler(m, t, 1);
}

static const struct model two_signals = {
    .name = "two who signal and poke, a runner",
    .threads = 3,
    .run = { signals_1, signals_2, runner },
    .begin = idle_at_first,
    .end = all_handled,
};

static const struct model a_signal_and_two_runners = {
    .name = "two who signal and poke, two runners",
    .threads = 4,
    .run = { signals_1, signals_2, runner, runner },
    .begin = idle_at_first,
    .end = all_handled,
};

/* ---- the bound --------------------------------------------------------------------------------------------------- */

/* One sender of two, a bound of 1 for what waits: never more, for nobody sends beside it. */
static void counts(struct machine *m)
{
    if (m->s.ghost[PUSHED] > m->s.ghost[HANDLED] + 1)
        wrong(m, "more wait than the bound allows");
}

#define SEND_BOUNDED(load, release) \
    LOAD(W, WORD); \
    FENCE(order(load)); \
    LOAD(B, BACKLOG); \
    if (t->r[B] + count_of(t->r[W]) < 1) { \
        link_to(m, t, t->r[MINE], t->r[W]); \
        t->r[OLD] = t->r[W]; \
        t->r[N] = (uint16_t)with(t->r[W], t->r[MINE]); \
        FENCE(order(release)); \
        CAS(WON, WORD, W, t->r[N]); \
        if (t->r[WON]) { \
            is_pushed(m); \
            counts(m); \
            if (t->r[OLD] == IDLE) \
                schedule(m, t); \
        } \
    }

static void bounded_sender(struct machine *m, struct thread *t)
{
    BEGIN;
    for (t->r[MINE] = 1; t->r[MINE] <= 2; t->r[MINE]++) {
        SEND_BOUNDED(TRY_LOAD, TRY_RELEASE);
    }
    END;
}

static void slow_bounded_sender(struct machine *m, struct thread *t)
{
    BEGIN;
    for (t->r[MINE] = 1; t->r[MINE] <= 2; t->r[MINE]++) {
        SEND_BOUNDED(PUSH_LOAD, PUSH_RELEASE);
    }
    END;
}

/* Drains, and then handles what it has in the lanes; what was drained has left the word and is in the backlog. */
static void bounded_runner(struct machine *m, struct thread *t)
{
    BEGIN;
    for (;;) {
        AWAIT(m->s.ghost[SCHEDULED]);
        m->s.ghost[SCHEDULED] = 0;
        TAKE(QUEUE);
        do {
            LOAD(W, WORD);
            if (t->r[W] != EMPTY) {
                do {
                    t->r[OLD] = t->r[W];
                    STORE(BACKLOG, count_of(t->r[W]));
                    FENCE(order(DRAIN_STORE));
                    CAS(WON, WORD, W, EMPTY);
                } while (!t->r[WON]);
                FENCE(order(DRAIN_ACQUIRE));
                STEP();
                handle_chain(m, t, t->r[OLD]);
                STORE(BACKLOG, 0);
            }
            t->r[W] = EMPTY;
            FENCE(order(IDLE_RELEASE));
            CAS(WON, WORD, W, IDLE);
        } while (!t->r[WON]);
    }
    END;
}

static const struct model a_bound = {
    .name = "a sender up to the bound, a runner",
    .threads = 2,
    .run = { bounded_sender, bounded_runner },
    .begin = idle_at_first,
};

static const struct model a_slow_bound = {
    .name = "a slow sender up to the bound, a runner",
    .threads = 2,
    .run = { slow_bounded_sender, bounded_runner },
    .begin = idle_at_first,
};

/* ---- the next actor of the slot ---------------------------------------------------------------------------------- */

enum { NEXT_GENERATION = 2, NEXT_BOUND = 7 };

static void opener(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(STATE);
    STORE(IDENTITY, NEXT_GENERATION);
    STORE(BOUND, NEXT_BOUND);
    FENCE(order(OPEN_RELEASE));
    STORE(WORD, EMPTY);
    FENCE(order(OPEN_STORE));
    STORE(GENERATION, NEXT_GENERATION);
    END;
}

/* Spawns in a slot that another thread has just given back, with what that had read and written of it. */
static void releaser(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(LET_GO);
    GIVE(QUEUE);
    m->s.ghost[SCHEDULED] = 1;
    END;
}

static void late_opener(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[SCHEDULED]);
    TAKE(QUEUE);
    STORE(BOUND, NEXT_BOUND);
    FENCE(order(OPEN_RELEASE));
    STORE(WORD, EMPTY);
    FENCE(order(OPEN_STORE));
    STORE(GENERATION, NEXT_GENERATION);
    END;
}

/* tri_slot_find, and then what a push looks at. */
static void finder(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(N, GENERATION);
    FENCE(order(FIND_ACQUIRE));
    if (t->r[N] == NEXT_GENERATION) {
        LOAD(W, WORD);
        if (t->r[W] == CLOSED)
            wrong(m, "the generation is new, the mailbox is closed");
        LOAD(B, BOUND);
        if (t->r[B] != NEXT_BOUND)
            wrong(m, "the generation is new, the bound is not");
        LOAD(I, IDENTITY);
        if (t->r[I] != NEXT_GENERATION)
            wrong(m, "the generation is new, the identity is not");
        READ(STATE);
    }
    END;
}

/* One that found the slot's last actor, and pushes only now: what it sends is the next actor's, which tells by the
 * generation that it is not its own. What is pushed into was made before. */
static void late_finder(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(N, GENERATION);
    FENCE(order(FIND_ACQUIRE));
    if (t->r[N] == NEXT_GENERATION)
        WRITE(LET_GO);
    END;
}

static void closed_at_first(struct state *s)
{
    begin_with(s, WORD, CLOSED);
    begin_with(s, GENERATION, 1);
    begin_with(s, IDENTITY, 1);
}

static const struct model an_open = {
    .name = "a slot gets its next actor, somebody finds it",
    .threads = 2,
    .run = { opener, finder },
    .begin = closed_at_first,
};

static const struct model an_open_after_another = {
    .name = "a slot that another thread gave back gets its next actor, somebody finds it",
    .threads = 3,
    .run = { releaser, late_opener, late_finder },
    .begin = closed_at_first,
};

const struct scenario mailbox_scenarios[] = {
    { &two_senders, false },
    { &two_slow_senders, false },
    { &two_runners, false },
    { &a_close, false },
    { &two_signals, false },
    { &a_bound, false },
    { &a_slow_bound, false },
    { &an_open, false },
    { &an_open_after_another, false },
    { &slow_and_two_runners, false },
    { &a_signal_and_two_runners, false },
    { NULL, false },
};
