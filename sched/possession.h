/*
 * possession.h: what belongs to one thread, which others may take from it while it is busy elsewhere.
 *
 * A worker's wheel is its own, and arming a timer must not cost a lock. But when a handler does not return, others need
 * what lies there. So the owner goes in and out by plain stores, and who wants to take it makes the owner's processor do
 * the fence (tri_os_barrier):
 *
 *   owner, to go in                     rescuer
 *   1 in = 1                            1 lock (or let it be)
 *   2 revoked? then in = 0, take the    2 revoked = 1
 *     lock, in = 1                      3 every thread of the process has passed a full fence
 *   3 …                                 4 in? then revoked = 0, unlock: another time
 *   4 in = 0 (and unlock)               5 …
 *                                       6 revoked = 0, unlock
 *
 * Why it is right: the fence of 3 falls somewhere between the owner's steps. If it falls after the owner's 1, that store is
 * seen by the rescuer's 4. If it falls before it, then the owner's 2 comes after the rescuer's 2, and sees `revoked`. So not
 * both go on. The rescuer must not look at `in` before 3. (tests/model/possession.pml has it with a store buffer, and finds
 * both mistakes.) What the one wrote the other sees: the stores of 4 and 6 release, and the loads of `in` and `revoked`
 * acquire; on x86 that costs nothing.
 *
 * The owner is inside for some dozen instructions, so it is seldom found there; a rescuer has only a bounded number of things
 * to do, so the owner waits for it briefly. Who is inside may go in again, by himself; a rescuer may not.
 *
 * ThreadSanitizer does not see such a fence: in its builds `revoked` is never taken back, and so it is a lock.
 */
#ifndef TRI_POSSESSION_H
#define TRI_POSSESSION_H

#include "mailbox/compiler.h"

#include <ck_pr.h>
#include <pthread.h>
#include <stdbool.h>

struct tri_possession {
    unsigned int in;      /* how often the owner is inside; only it writes */
    unsigned int revoked; /* it has to take the lock */
    bool locked;          /* it has done so */
    pthread_mutex_t lock;
};

void tri_possession_init(struct tri_possession *possession);
void tri_possession_destroy(struct tri_possession *possession);

/* ---- the owner --------------------------------------------------------------------------------------------------- */

void tri_possession_enter_slowly(struct tri_possession *possession);
void tri_possession_leave_slowly(struct tri_possession *possession);

static inline void tri_possession_enter(struct tri_possession *possession)
{
    unsigned int in = possession->in;
    ck_pr_store_uint(&possession->in, in + 1);
    ck_pr_barrier(); /* the rescuer's fence is between the two, or it is not; the compiler must not be */
    if (tri_unlikely(ck_pr_load_uint(&possession->revoked)) && in == 0)
        tri_possession_enter_slowly(possession);
    ck_pr_fence_acquire(); /* pairs with tri_possession_give_back() */
}

static inline void tri_possession_leave(struct tri_possession *possession)
{
    unsigned int in = possession->in - 1;
    ck_pr_fence_release(); /* pairs with tri_possession_take() */
    ck_pr_store_uint(&possession->in, in);
    if (tri_unlikely(possession->locked) && in == 0)
        tri_possession_leave_slowly(possession);
}

/* ---- a rescuer, on another thread --------------------------------------------------------------------------------- */

/* Whether this can be done here at all: the system knows how to make all threads of the process pass a fence. Before the
 * first tri_possession_take. */
bool tri_possession_possible(void);

/* Takes it away from its owner: false when somebody is inside. */
bool tri_possession_take(struct tri_possession *possession);
void tri_possession_give_back(struct tri_possession *possession);

#endif
