/*
 * outbox.h: messages of a handler that are pushed together.
 *
 * A push is an atomic operation on the receiver's mailbox, and a cache line that may have to come from another core. A
 * handler that sends several messages in a row to one actor that is busy need not pay for each. The first are pushed as
 * they are sent, as a rule two; those that follow are held, linked like the chain in a mailbox, and pushed with one
 * operation:
 *
 *   when the handler returns;
 *   before it sends to another, sends urgently, posts, spawns, signals, or starts a job;
 *   when TRI_OUTBOX_MAX are held;
 *   when the next one is sent and the receiver is found idle.
 *
 * Why it is right:
 *
 *   Order. What is held is always for one receiver, and nothing is sent past it. As a handler leaves nothing behind, it
 *   is over before its actor can run elsewhere. (tests/model/mailbox.pml checks it, with senders that move.)
 *
 *   Delay. Only a busy actor is made to wait, and at the most for what is left of the sender's handler.
 *
 *   The bound. Messages are held only for a mailbox that would be no more than half full with TRI_OUTBOX_MAX of them, and
 *   what was let in is pushed, whatever the bound. So where others fill the mailbox meanwhile, each worker may overshoot
 *   the bound by TRI_OUTBOX_MAX instead of one.
 *
 *   A receiver that has ended is looked for again before the push; what was held for it becomes dead letters.
 *
 *   A held worker. When its handler does not return, another worker pushes what is held here (sched/rescue.h), in the
 *   worker's possession. The owner may add more at the same time: what the rescuer sees is one word, the newest message and
 *   how many there are, which is written after all that it leads to. How many it has pushed it writes down, and the owner's
 *   push takes that many less. It goes by numbers, for the messages that were pushed are not ours any more: one of them may
 *   have been freed and be a message in this chain again. FIFO: the owner's push comes after the rescuer's, as it enters the
 *   possession first, and all that the owner sends goes by that push.
 *
 * One worker's, of its self. There are no atomic operations here but those of the mailbox.
 */
#ifndef TRI_OUTBOX_H
#define TRI_OUTBOX_H

#include "actors/slot.h"

enum { TRI_OUTBOX_MAX = 64, TRI_OUTBOX_ROOM = TRI_LINE - 1 };

struct tri_outbox {
    tr_ref to;             /* whom the last message was for, if it went the usual way */
    uint64_t handling;     /* which message was being handled when another one followed */
    struct tri_slot *slot; /* and while messages are held: the receiver's, */
    uint64_t word;         /* the newest, and beside its address how many more there may be; 0: none are; */
    tr_msg *oldest;        /* of those that nobody has pushed when none had been: the first; */
    uint32_t rescued;      /* how many others have pushed. In the worker's possession */
};

_Static_assert(TRI_OUTBOX_MAX == TRI_LINE, "the room for them stands beside an address");

static inline uint32_t tri_outbox_count(uint64_t word)
{
    return word ? TRI_OUTBOX_MAX - (uint32_t)(word & TRI_OUTBOX_ROOM) : 0;
}

static inline tr_msg *tri_outbox_newest(uint64_t word)
{
    return (tr_msg *)(uintptr_t)(word & ~(uint64_t)TRI_OUTBOX_ROOM);
}

/* Whether another one may be held with those that are. */
static inline bool tri_outbox_has_room(const struct tri_outbox *box)
{
    return box->word & TRI_OUTBOX_ROOM;
}

/* Holds m, for the actor that the last one was for, with those that are held; false: none are, or not this one. */
TRI_INLINE bool tri_outbox_add(struct tri_outbox *box, tr_msg *m)
{
    uint64_t word = box->word;
    if (!tri_outbox_has_room(box) ||
        tri_unlikely(ck_pr_load_64(&box->slot->box.word) & TRI_WORD_IDLE || m->type->bulk)) /* or closed */
        return false;
    m->generation_ = tri_ref_generation(box->to);
    m->next_ = tri_outbox_newest(word);
    ck_pr_fence_release(); /* the message, and what was read of it, before the word; pairs with tri_outbox_rescue() */
    ck_pr_store_64(&box->word, (uintptr_t)m | ((word & TRI_OUTBOX_ROOM) - 1));
    return true;
}

/* Begins with m, for an actor of this self's system that the last one was for: false when there is no reason to. Nothing
 * is held. */
bool tri_outbox_begin(tr_self *self, struct tri_slot *slot, tr_msg *m);

/* Pushes what is held, of which there is some. */
void tri_outbox_push(tr_self *self);

/* For the scheduler: whether anything lies in a worker's outbox, about (any thread); and another worker pushes it, in the
 * victim's possession. */
bool tri_outbox_waits(struct tri_worker *victim);
void tri_outbox_rescue(struct tri_worker *victim, struct tri_worker *worker);

#endif
