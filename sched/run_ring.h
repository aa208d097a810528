/*
 * run_ring.h: the run queue of a worker, 256 places that others may steal from.
 *
 * First in, first out. `head` and `tail` count for ever; the place of count n is n mod 256.
 *
 *   push   the owner: writes slot[tail], then tail + 1
 *   pop    the owner: reads slot[head], CAS head → head + 1
 *   steal  any worker: reads slot[head … head + n), CAS head → head + n
 *
 * Why it is right: a place is written only by the owner, and only while tail - head < 256, so never one of head … tail.
 * Whoever takes entries reads them before its CAS. If the CAS succeeds, head has not moved since it was read (it only
 * grows; 2^32 entries would have to pass between the two for it to look the same), so nobody else has taken them and the
 * owner cannot have written over them. If it fails, what was read is thrown away. (tests/model/run_ring.pml checks this.)
 *
 * Memory order. The fence before a new tail releases the slot and the entry itself, all that its last runner read and
 * wrote; the fence behind the read of the tail in steal acquires them, so no slot is read that is older than the tail.
 * In which order a thief reads head and tail does not matter: if the two do not fit together the count is absurd, or the CAS
 * fails, or fewer are seen than there are. A thief's CAS, with a fence before it, keeps the reads
 * of the slots in front of giving the places free; the owner writes to a place only after it has read a head beyond it, and a
 * store does not go ahead of the branch it hangs on. The owner's own reads need none: nobody else writes to the slots.
 * (tests/model/orders/run_ring.c checks this.)
 *
 * ck_ring's SPMC side is the same idea; this one takes half of a queue with a single CAS, and its slots are read and
 * written atomically (ck_ring copies them with memcpy, a read that may race with the producer and is then thrown away:
 * harmless, but ThreadSanitizer rightly names it).
 */
#ifndef TRI_RUN_RING_H
#define TRI_RUN_RING_H

#include "mailbox/compiler.h"
#include "mailbox/panic.h"

#include <ck_pr.h>
#include <stdbool.h>

enum { TRI_RING_SIZE = 256 };

struct tri_ring {
    TRI_ALIGNED uint32_t head;
    TRI_ALIGNED uint32_t tail; /* only the owner writes it */
    TRI_ALIGNED void *slot[TRI_RING_SIZE];
};

/* How many entries there are, about. Any thread. */
static inline uint32_t tri_ring_size(const struct tri_ring *ring)
{
    uint32_t head = ck_pr_load_32(&ring->head), tail = ck_pr_load_32(&ring->tail);
    return tail - head <= TRI_RING_SIZE ? tail - head : 0; /* the two were not read at the same moment */
}

/* Adds an entry at the end; false when there is no room. The owner. */
static inline bool tri_ring_push(struct tri_ring *ring, void *entry)
{
    uint32_t tail = ring->tail;
    if (tail - ck_pr_load_32(&ring->head) == TRI_RING_SIZE)
        return false;
    ck_pr_store_ptr(&ring->slot[tail % TRI_RING_SIZE], entry);
    ck_pr_fence_release(); /* not a store fence: who requeues has read the entry, too; pairs with tri_ring_steal */
    ck_pr_store_32(&ring->tail, tail + 1);
    return true;
}

/* Takes the first entry; NULL when there is none. The owner. */
static inline void *tri_ring_pop(struct tri_ring *ring)
{
    uint32_t head = ck_pr_load_32(&ring->head);
    while (head != ring->tail) {
        void *entry = ck_pr_load_ptr(&ring->slot[head % TRI_RING_SIZE]); /* which nobody else writes: no fence */
        if (ck_pr_cas_32_value(&ring->head, head, head + 1, &head))
            return entry;
    }
    return NULL;
}

/* Takes half of another's entries, at least one if it has as many as `least`, and puts them into `ring`, which is empty
 * and the caller's own. Answers how many. Any worker. */
static inline uint32_t tri_ring_steal(struct tri_ring *ring, const struct tri_ring *from_, uint32_t least)
{
    struct tri_ring *from = (struct tri_ring *)from_;
    uint32_t head = ck_pr_load_32(&from->head), count;
    tri_assert(ck_pr_load_32(&ring->head) == ring->tail); /* or what waits there is written over, and lost */
    do {
        ck_pr_fence_load(); /* head before tail */
        count = ck_pr_load_32(&from->tail) - head;
        ck_pr_fence_acquire();       /* tail before slots and entries; pairs with the release fences before a new tail */
        if (count > TRI_RING_SIZE) { /* head was taken on while the tail was read */
            head = ck_pr_load_32(&from->head);
            continue;
        }
        if (count == 0 || count < least)
            return 0;
        count -= count / 2;
        for (uint32_t i = 0; i < count; i++)
            ck_pr_store_ptr(&ring->slot[(ring->tail + i) % TRI_RING_SIZE],
                ck_pr_load_ptr(&from->slot[(head + i) % TRI_RING_SIZE]));
        ck_pr_fence_load_atomic();
        if (ck_pr_cas_32_value(&from->head, head, head + count, &head))
            break;
    } while (true);
    ck_pr_fence_release(); /* for the next thief */
    ck_pr_store_32(&ring->tail, ring->tail + count);
    return count;
}

#endif
