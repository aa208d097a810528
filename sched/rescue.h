/*
 * rescue.h: what belongs to a worker that does not move, and is not its port, goes on without it.
 *
 * A handler that takes long holds its worker. What may run elsewhere is stolen (worker.c). Here it is about the rest: the
 * timers in the worker's wheel, the errands that were left with it, what the floors above have put aside there (messages
 * that its handler has sent and that wait to be pushed together) or want to be done meanwhile (to accept connections), and
 * actors in its inbox that have not begun and may begin anywhere. The monitor finds out who is held, and says so in the
 * worker's `stuck` and in tri_sched.rescue; another worker, one at a time, sees to it between its turns, or is woken for it.
 * It is a worker, not the monitor's thread, for to push a message takes a worker: pools, counters, a ring.
 *
 * The operations in flight at the held worker's port stay, and so do the actors that are pinned to it, and their timers:
 * they fire when it is back, after its port has been looked at.
 *
 * With one worker nobody can help, nor where tri_possession_possible() is false.
 */
#ifndef TRI_RESCUE_H
#define TRI_RESCUE_H

#include "sched/sched.h"

/* Something that another worker shall do, again and again, while this one is held. */
struct tri_relief {
    struct cork_dllist_item link;
    void (*relieve)(struct tri_relief *relief, struct tri_worker *rescuer); /* in the held worker's possession */
};

/* The worker's own thread. When it is removed nobody is at it, nor will be. */
void tri_worker_add_relief(struct tri_worker *worker, struct tri_relief *relief);
void tri_worker_remove_relief(struct tri_worker *worker, struct tri_relief *relief);

/* Whether anything that could be rescued waits with a worker, about. Any thread. */
bool tri_rescue_needed(struct tri_worker *victim, int64_t now);

void tri_rescue_slowly(struct tri_worker *worker);

/* Looks after those that are held, if that is wanted and nobody does. Between turns. */
static inline void tri_rescue(struct tri_worker *worker)
{
    if (tri_unlikely(ck_pr_load_uint(&worker->sched->rescue) == TRI_RESCUE_WANTED))
        tri_rescue_slowly(worker);
}

#endif
