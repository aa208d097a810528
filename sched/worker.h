/*
 * worker.h: a thread that runs actors.
 *
 * What a worker has to run stands in five places, looked at in this order:
 *
 *   next     one actor: the last that the running one made runnable; at most 3 such turns in a row, then it queues
 *            (there are two of it: for pinned actors, and for the others)
 *   pinned   actors that must run here (they have operations in flight at this worker's port)
 *   ring     actors that may run anywhere; others steal from it            (these two in turn)
 *   inbox    pinned actors that other threads made runnable
 *   global   the system's: a list of actors that foreign threads made runnable, and batches of what did not fit into a
 *            ring. While a ring never runs empty, its older half goes behind them from time to time
 *
 * Between turns it attends to the rest: port, timers, errands, others that sleep. Every so often while it is busy, always
 * before it sleeps.
 *
 * Who may call: a worker's own thread, unless the comment says "any thread".
 */
#ifndef TRI_WORKER_H
#define TRI_WORKER_H

#include "sched/clock.h"
#include "sched/port.h"
#include "sched/possession.h"
#include "sched/random.h"
#include "sched/run_ring.h"
#include "sched/wheel.h"

#include <ck_stack.h>

struct tri_sched;

enum { TRI_NEXT_IN_A_ROW = 3 };

enum { TRI_HOME_ANY = 0xffff }; /* no home: runs where it is made runnable, or where it is stolen to */

/* What the scheduler runs: an actor, as the scheduler sees it. In one queue at a time, or running, or neither. */
struct tri_runnable {
    struct ck_stack_entry link; /* for whichever queue holds it */
    uint16_t home;              /* index of the worker it is pinned to; written while it runs, or before its first turn */
    uint16_t system;            /* whose workers run it: for the floor above */
    uint32_t handled;           /* messages, modulo 2^32: for the floor above */
};

/* A first-in-first-out list of runnables of one thread. */
struct tri_run_list {
    struct tri_runnable *first, *last;
};

/* tri_worker.state */
enum tri_worker_state {
    TRI_RUNNING,
    TRI_PARKED,         /* sleeps in its port, or is about to */
    TRI_NOTIFIED,       /* was parked; whoever made it so has woken it */
    TRI_NOTIFIED_SEARCH /* the same, and it carries on the search for work to steal */
};

struct tri_worker {
    /* the owner's */
    struct tri_sched *sched;
    struct tri_port *port;
    void *context; /* of the floor above */
    struct tri_pool *pool;
    struct tri_run_list pinned;
    struct tri_runnable *next_pinned; /* the same as `next`, for a pinned one */
    int64_t now;                      /* the clock when it was last read */
    int64_t turn_start;               /* about when the running turn began, never later */
    int64_t fired, fired_before;      /* when timers fired last, and the time before that; */
    uint32_t fired_then;              /* and how many the last time */
    int64_t attended;                 /* when the port, the timers and the inbox were last looked at */
    uint32_t glance;                  /* messages until the clock is read again */
    uint32_t glance_every;            /* and that many from then on: about 25 us worth of them */
    uint32_t turn_messages;           /* a turn ends after so many */
    uint16_t index;
    uint8_t in_a_row; /* turns taken from `next` and `next_pinned` */
    bool attend_due;
    bool had_surplus;            /* when last looked, it had something to offer */
    int64_t weighed;             /* since when the following are counted: */
    uint32_t turns_then;         /* `turns` then, */
    uint32_t glanced;            /* and the messages since, up to the last look at the clock */
    int64_t turn_ns, message_ns; /* what they took before, on average */
    bool own;                    /* runs one actor, and what is pinned here with it (own.c) */
    bool searching;              /* holds the system's one permission to search */
    bool pinned_first;           /* whose turn it is between `pinned` and `ring` */
    bool list_first;             /* and between what the system has in a list and what in batches */
    uint32_t spun_turns;         /* `turns` when it had nothing to run, */
    int64_t spun_since;          /* and since when that is so */
    uint32_t made_room; /* the ring's head when its older half was last given away, so that others get their turn */
    struct tri_random random;
    bool taken; /* `own`: by an actor; with the system's own_lock */
    int opened; /* `own`: 1, or why its thread could not begin; with the system's lock */

    /* read or written by others */
    TRI_ALIGNED struct tri_runnable *next;
    struct tri_runnable *running;    /* for the monitor and for panics */
    uint32_t turns;                  /* counts turns, so that the monitor sees whether the worker moves */
    uint32_t steals, parks, rescues; /* for the statistics */
    unsigned int offers;             /* what waits in the ring is worth to be stolen; set when it looks around */
    unsigned int stuck; /* the monitor found it not moving: everything may be stolen, and what waits is rescued */
    unsigned int look;  /* the monitor has come by: it is to look at the clock soon; pairs with nothing */
    TRI_ALIGNED struct ck_stack inbox;
    struct ck_stack errands;
    unsigned int state; /* enum tri_worker_state */
    struct tri_ring ring;
    struct tri_possession possession; /* of what follows, of the errands, and of what the floor above keeps here */
    struct tri_wheel wheel;
    struct cork_dllist reliefs; /* what is to be done while it is held (rescue.h), */
    unsigned int relief_count;  /* and how many there are; read by others */
};

/* The worker whose thread this is; NULL on foreign threads. */
extern TRI_THREAD_LOCAL struct tri_worker *tri_worker_here;

void tri_worker_schedule_slowly(struct tri_worker *worker, struct tri_runnable *r);

/* Makes r, which the caller has the right to schedule, run: here if it has no home, else at home. The actor that runs
 * now is followed at once by the last one it made runnable. */
static inline void tri_worker_schedule(struct tri_worker *worker, struct tri_runnable *r)
{
    if (tri_unlikely(r->home != TRI_HOME_ANY || !worker->running || ck_pr_load_ptr(&worker->next))) {
        tri_worker_schedule_slowly(worker, r);
        return;
    }
    ck_pr_fence_release();             /* the runnable before the pointer to it, for a thief */
    ck_pr_store_ptr(&worker->next, r); /* no exchange: see worker.c */
}

/* The same for a runnable that has had its turn and wants another: behind all that wait. */
void tri_worker_requeue(struct tri_worker *worker, struct tri_runnable *r);

bool tri_worker_glance(struct tri_worker *worker);

/* Called after messages were handled, no more than worker->glance of them, and at least once in a turn. Reads the clock
 * every now and then: true when the turn has lasted its 200 us and shall end. */
static inline bool tri_worker_count_messages(struct tri_worker *worker, uint32_t messages)
{
    worker->glance -= messages;
    return tri_unlikely(worker->glance == 0) && tri_worker_glance(worker);
}

static inline bool tri_worker_count_message(struct tri_worker *worker)
{
    return tri_worker_count_messages(worker, 1);
}

/* Takes what is in `next`. The owner; or a thief when the worker is stuck. */
static inline struct tri_runnable *tri_worker_take_next(struct tri_worker *worker)
{
    struct tri_runnable *r = ck_pr_load_ptr(&worker->next) ? ck_pr_fas_ptr(&worker->next, NULL) : NULL;
    ck_pr_fence_acquire();
    return r;
}

static inline void tri_worker_begin(struct tri_worker *worker, struct tri_runnable *r)
{
    ck_pr_store_64((uint64_t *)&worker->turn_start, (uint64_t)worker->now); /* a hint for thieves */
    ck_pr_store_ptr(&worker->running, r);
    ck_pr_store_32(&worker->turns, worker->turns + 1);
}

/* At the end of a turn, for the turn function: what it may carry on with, as a turn of its own, without a detour through
 * the worker's loop; NULL: it returns. */
static inline struct tri_runnable *tri_worker_follow(struct tri_worker *worker)
{
    if (!ck_pr_load_ptr(&worker->next) || worker->in_a_row == TRI_NEXT_IN_A_ROW || worker->next_pinned || worker->attend_due)
        return NULL;
    struct tri_runnable *r = ck_pr_fas_ptr(&worker->next, NULL); /* which this worker put there: nothing to acquire */
    if (tri_unlikely(!r))                                        /* a thief was faster */
        return NULL;
    worker->in_a_row++;
    tri_worker_begin(worker, r);
    return r;
}

/* Runs a turn (or a few that follow each other); false when there is nothing to run. */
bool tri_worker_step(struct tri_worker *worker);

/* For an explorer, instead of tri_worker_step: everything that could run here, up to `max`, after all that comes from elsewhere
 * was taken in; and a turn of one of them. */
uint32_t tri_worker_able(struct tri_worker *worker, struct tri_runnable **able, uint32_t max);
void tri_worker_step_with(struct tri_worker *worker, struct tri_runnable *r);

/* Looks at port, timers, inbox, errands and sleepers, without waiting. */
void tri_worker_attend(struct tri_worker *worker);

/* Runs turns, and sleeps when there are none, until the system stops its workers. */
void tri_worker_loop(struct tri_worker *worker);

/* The two halves of sleeping, with the port's poll between them: when there is nothing to run, looks for it elsewhere and
 * then announces that it sleeps: true; or false when something turned up. And after the poll. */
bool tri_worker_lie_down(struct tri_worker *worker);
void tri_worker_get_up(struct tri_worker *worker);

/* Leaves an errand with a worker: the system's errand function is called with it on that worker's thread, soon if it is
 * awake. A sleeping worker is not woken. Any thread. */
void tri_worker_errand(struct tri_worker *worker, struct ck_stack_entry *errand);

/* Runs the errands that were left. */
void tri_worker_run_errands(struct tri_worker *worker);

/* The same on the thread of whoever has its possession. */
void tri_worker_take_errands(struct tri_worker *worker);

/* Takes all that others have put into its inbox, the oldest first. Any thread. */
struct tri_run_list tri_worker_take_inbox(struct tri_worker *worker);

/* Arms a timer in the worker's wheel. */
static inline void tri_worker_arm(struct tri_worker *worker, struct tri_timer *timer)
{
    tri_possession_enter(&worker->possession);
    tri_wheel_arm(&worker->wheel, timer);
    tri_possession_leave(&worker->possession);
}

/* Puts a pinned runnable into its home's inbox and wakes that worker if it sleeps. Any thread. */
void tri_worker_deliver(struct tri_worker *home, struct tri_runnable *r);

#endif
