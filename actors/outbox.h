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
 * One worker's, of its self. There are no atomic operations here but those of the mailbox.
 */
#ifndef TRI_OUTBOX_H
#define TRI_OUTBOX_H

#include "actors/slot.h"

enum { TRI_OUTBOX_MAX = 64 };

struct tri_outbox {
    tr_ref to;               /* whom the last message was for, if it went the usual way */
    uint64_t handling;       /* which message was being handled when another one followed */
    struct tri_slot *slot;   /* and while messages are held: the receiver's, */
    tr_msg *newest, *oldest; /* the messages, */
    uint32_t room;           /* and how many more may be held; else 0 */
};

/* Holds m, for the actor that the last one was for, with those that are held; false: none are, or not this one. */
TRI_INLINE bool tri_outbox_add(struct tri_outbox *box, tr_msg *m)
{
    if (!box->room || tri_unlikely(ck_pr_load_64(&box->slot->box.word) & TRI_WORD_IDLE || m->type->bulk)) /* or closed */
        return false;
    box->room--;
    m->generation_ = tri_ref_generation(box->to);
    m->next_ = box->newest;
    box->newest = m;
    return true;
}

/* Begins with m, for an actor of this self's system that the last one was for: false when there is no reason to. Nothing
 * is held. */
bool tri_outbox_begin(tr_self *self, struct tri_slot *slot, tr_msg *m);

/* Pushes what is held, of which there is some. */
void tri_outbox_push(tr_self *self);

#endif
