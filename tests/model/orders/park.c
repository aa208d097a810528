/*
 * Parking: publish, fence, look for sleepers, against announce, fence, look again, sleep (sched/sched.h); who searches, so
 * that others need not wake; the end of the workers; and the monitor, which sleeps by the same rule.
 *
 * The kernel (a wake that is not lost, a lock) gives order. A worker that sleeps is one that cannot go on; when nobody can,
 * nothing may be left to do.
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { INBOX, STATE, SLEEPERS, LENGTH, SEARCHERS, STOPPING, ASLEEP, STATE2 };
enum { RUNNING, PARKED, NOTIFIED, NOTIFIED_SEARCH }; /* values of STATE */
enum { ENTRY };                                      /* plain */
enum { KERNEL, LOCK };                               /* objects */
enum { WOKEN, ITEMS, RUN, POKED, WOKEN2, SENT };     /* ghosts */
enum { S, X, L, WON, I };                            /* registers */

static void wake(struct machine *m, struct thread *t)
{
    GIVE(KERNEL);
    m->s.ghost[WOKEN] = 1;
}

/* ---- a pinned actor ---------------------------------------------------------------------------------------------- */

/* tri_worker_deliver; ck_stack_push_upmc has a store fence of its own, which is left out: it is not ours. */
static void deliverer(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(ENTRY);
    FENCE(order(DELIVER_RELEASE));
    LOAD(X, INBOX);
    do
        CAS(WON, INBOX, X, 1);
    while (!t->r[WON]);
    FENCE(order(DELIVER_LOOK));
    LOAD(S, STATE);
    if (t->r[S] == PARKED) {
        CAS(WON, STATE, S, NOTIFIED);
        if (t->r[WON])
            wake(m, t);
    }
    END;
}

/* As a deliverer of an actor whose last turn has only read: what runs it next may write. */
static void deliverer_that_read(struct machine *m, struct thread *t)
{
    BEGIN;
    READ(ENTRY);
    FENCE(order(DELIVER_RELEASE));
    LOAD(X, INBOX);
    do
        CAS(WON, INBOX, X, 1);
    while (!t->r[WON]);
    FENCE(order(DELIVER_LOOK));
    LOAD(S, STATE);
    if (t->r[S] == PARKED) {
        CAS(WON, STATE, S, NOTIFIED);
        if (t->r[WON])
            wake(m, t);
    }
    END;
}

/* announce_sleep() with what it looks at in register WON: nothing came. */
#define ANNOUNCE() \
    STORE(STATE, PARKED); \
    ADD(X, SLEEPERS, 1); \
    FENCE(order(SLEEP_LOOK)); \
    LOAD(X, INBOX); \
    LOAD(L, LENGTH); \
    LOAD(I, STOPPING); \
    t->r[WON] = !t->r[X] && !t->r[L] && !t->r[I]

#define SLEEP() \
    AWAIT(m->s.ghost[WOKEN]); \
    m->s.ghost[WOKEN] = 0; \
    TAKE(KERNEL)

#define GET_UP() \
    SWAP(S, STATE, RUNNING); \
    ADD(X, SLEEPERS, 0xffff); \
    FENCE(order(GET_UP_LOOK))

#define TAKE_INBOX() \
    LOAD(X, INBOX); \
    if (t->r[X]) { \
        SWAP(X, INBOX, 0); \
        FENCE(ACQUIRE); /* that of ck_stack_batch_pop_upmc */ \
        READ(ENTRY); \
        WRITE(ENTRY); \
        m->s.ghost[RUN]++; \
        t->done = true; \
        return; \
    }

static void parker(struct machine *m, struct thread *t)
{
    BEGIN;
    for (;;) {
        TAKE_INBOX();
        ANNOUNCE();
        if (t->r[WON]) {
            SLEEP();
        }
        GET_UP();
    }
    END;
}

static void ran(struct machine *m)
{
    if (!m->s.ghost[RUN])
        wrong(m, "what was published is overlooked, and its worker sleeps");
}

static const struct model a_pinned_actor = {
    .name = "a pinned actor for a worker that parks",
    .threads = 2,
    .run = { deliverer, parker },
    .end = ran,
};

static const struct model a_pinned_reader = {
    .name = "a pinned actor that has only read, for a worker that parks",
    .threads = 2,
    .run = { deliverer_that_read, parker },
    .end = ran,
};

/* ---- the global list, and who searches --------------------------------------------------------------------------- */

/* tri_sched_wake_one for one worker that may be parked. */
#define WAKE_ONE() \
    for (;;) { \
        LOAD(X, SEARCHERS); \
        if (t->r[X]) \
            break; \
        CAS(WON, SEARCHERS, X, 1); \
        if (!t->r[WON]) \
            break; \
        LOAD(S, STATE); \
        t->r[WON] = 0; \
        if (t->r[S] == PARKED) { \
            FENCE(order(WAKE_HANDS_ON)); \
            CAS(WON, STATE, S, NOTIFIED_SEARCH); \
        } \
        if (t->r[WON]) { \
            wake(m, t); \
            break; \
        } \
        STORE(SEARCHERS, 0); \
        FENCE(order(WAKE_AGAIN)); \
        LOAD(L, LENGTH); \
        if (!t->r[L]) \
            break; \
        LOAD(S, STATE); \
        if (t->r[S] != PARKED) \
            break; \
    }

/* Under the lock, in one step: others see the length without it. */
static void give_one(struct machine *m, struct thread *t)
{
    TAKE(LOCK);
    do_store(m, t, LENGTH, ++m->s.ghost[ITEMS]);
    GIVE(LOCK);
}

static void injector(struct machine *m, struct thread *t)
{
    BEGIN;
    OPERATION(give_one(m, t));
    FENCE(order(INJECT_LOOK));
    LOAD(X, SLEEPERS);
    if (t->r[X]) {
        WAKE_ONE();
    }
    m->s.ghost[SENT]++;
    END;
}

/* share_surplus: it has published nothing, and wakes somebody to search. */
static void sharer(struct machine *m, struct thread *t)
{
    BEGIN;
    WAKE_ONE();
    END;
}

static void take_one(struct machine *m, struct thread *t)
{
    TAKE(LOCK);
    if (m->s.ghost[ITEMS]) {
        do_store(m, t, LENGTH, --m->s.ghost[ITEMS]);
        m->s.ghost[RUN]++;
    }
    GIVE(LOCK);
}

#define TAKE_GLOBAL() \
    LOAD(L, LENGTH); \
    if (t->r[L]) \
    OPERATION(take_one(m, t))

#define STOP_SEARCHING() \
    FENCE(order(SEARCH_END)); \
    STORE(SEARCHERS, 0)

/* lie_down, and get_up with the permission to search that the wake-up may have given. */
static void searcher(struct machine *m, struct thread *t)
{
    BEGIN;
    for (;;) {
        TAKE_GLOBAL();
        if (t->r[L])
            continue;
        LOAD(X, SEARCHERS);
        if (!t->r[X]) {
            CAS(WON, SEARCHERS, X, 1);
            if (t->r[WON]) {
                STOP_SEARCHING();
            }
        }
        ANNOUNCE();
        if (t->r[WON]) {
            SLEEP();
        }
        GET_UP();
        if (t->r[S] == NOTIFIED_SEARCH) {
            TAKE_GLOBAL();
            STOP_SEARCHING();
        }
    }
    END;
}

/* The same, but it looks at the global list only, and searches when it was told to. */
static void searcher_when_told(struct machine *m, struct thread *t)
{
    BEGIN;
    for (;;) {
        TAKE_GLOBAL();
        if (t->r[L])
            continue;
        STORE(STATE, PARKED);
        ADD(X, SLEEPERS, 1);
        FENCE(order(SLEEP_LOOK));
        LOAD(L, LENGTH);
        if (!t->r[L]) {
            SLEEP();
        }
        GET_UP();
        if (t->r[S] == NOTIFIED_SEARCH) {
            TAKE_GLOBAL();
            STOP_SEARCHING();
        }
    }
    END;
}

static void all_ran(struct machine *m)
{
    if (m->s.ghost[ITEMS])
        wrong(m, "something is left in the global list, and its worker sleeps");
    if (newest(&m->s, SEARCHERS))
        wrong(m, "the permission to search is lost");
}

static const struct model the_global_list = {
    .name = "a foreign thread injects, a worker parks",
    .threads = 2,
    .run = { injector, searcher },
    .end = all_ran,
};

static const struct model the_global_list_and_surplus = {
    .name = "a foreign thread injects, a worker shares its surplus, another parks",
    .threads = 3,
    .run = { injector, sharer, searcher_when_told },
    .end = all_ran,
};

static const struct model the_global_list_of_two = {
    .name = "two foreign threads inject, a worker parks",
    .threads = 3,
    .run = { injector, injector, searcher_when_told },
    .end = all_ran,
};

static const struct model the_global_list_of_two_and_a_search = {
    .name = "two foreign threads inject, a worker searches and parks",
    .threads = 3,
    .run = { injector, injector, searcher },
    .end = all_ran,
};

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

/* tri_sched_stop; all that is to happen is that the worker leaves its loop. */
static void stopper(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(STOPPING, 1);
    FENCE(order(STOP_LOOK));
    LOAD(S, STATE);
    if (t->r[S] == PARKED) {
        CAS(WON, STATE, S, NOTIFIED);
        if (t->r[WON])
            wake(m, t);
    }
    END;
}

static void worker_until_stopped(struct machine *m, struct thread *t)
{
    BEGIN;
    for (;;) {
        LOAD(I, STOPPING);
        if (t->r[I]) {
            m->s.ghost[RUN] = 1;
            break;
        }
        ANNOUNCE();
        if (t->r[WON]) {
            SLEEP();
        }
        GET_UP();
    }
    END;
}

static const struct model the_end = {
    .name = "a worker that parks is stopped",
    .threads = 2,
    .run = { stopper, worker_until_stopped },
    .end = ran,
};

/* ---- the monitor ------------------------------------------------------------------------------------------------- */

/* A worker that gets up pokes a monitor that sleeps; the monitor sleeps only while all are parked. */
static void worker_that_gets_up(struct machine *m, struct thread *t)
{
    BEGIN;
    SWAP(S, STATE, RUNNING);
    FENCE(order(GET_UP_LOOK));
    LOAD(X, ASLEEP);
    if (t->r[X]) {
        STEP();
        GIVE(LOCK);
        m->s.ghost[POKED] = 1;
    }
    END;
}

static void monitor(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(ASLEEP, 1);
    FENCE(order(MONITOR_SLEEP));
    LOAD(S, STATE);
    if (t->r[S] == PARKED)
        AWAIT(m->s.ghost[POKED]);
    m->s.ghost[RUN] = 1;
    END;
}

static void parked_at_first(struct state *s)
{
    begin_with(s, STATE, PARKED);
}

static void watches(struct machine *m)
{
    if (!m->s.ghost[RUN])
        wrong(m, "a worker runs, and the monitor sleeps");
}

static const struct model the_monitor = {
    .name = "a worker gets up, the monitor falls asleep",
    .threads = 2,
    .run = { worker_that_gets_up, monitor },
    .begin = parked_at_first,
    .end = watches,
};

const struct scenario park_scenarios[] = {
    { &a_pinned_actor, false },
    { &a_pinned_reader, false },
    { &the_global_list, false },
    { &the_end, false },
    { &the_monitor, false },
    { &the_global_list_and_surplus, false },
    { &the_global_list_of_two, true },
    { &the_global_list_of_two_and_a_search, true },
    { NULL, false },
};
