/*
 * mailbox.h: the one-word mailbox.
 *
 * The word is in one of these states. `count` is the number of messages in the chain; it saturates.
 *
 *   EMPTY    scheduled or running, nothing new        (with POKE: and it was poked)
 *   newest   scheduled or running, the newest message, which links to the ones before it, and their count (and POKE)
 *   IDLE     not scheduled
 *   CLOSED   nothing is accepted any more
 *
 *              push, poke (any thread)                    owner
 *   IDLE     → newest or POKE, and schedules the actor    –  (the owner is not running)
 *   EMPTY    → newest or POKE                             → IDLE  (end of turn)   → CLOSED
 *   newest   → newer, or newest with POKE                 → EMPTY (drain)         → CLOSED
 *   CLOSED     refused                                    → EMPTY (the slot gets a new actor)
 *
 * Why it is right:
 *
 *   One runner. An actor is scheduled when it is made (EMPTY) and from then on only by the one whose CAS replaced IDLE.
 *   IDLE comes only from the runner, as the last thing it does with the actor. So between two IDLEs the actor is in one
 *   queue or on one worker, once.
 *
 *   No lost message, no lost wake-up. Both live in one location, so they are ordered: a push that comes before the
 *   runner's CAS EMPTY → IDLE makes that CAS fail, and the runner drains again; one that comes after it sees IDLE and
 *   schedules. There is no third case, and no fence is needed between the two.
 *
 *   No ABA. A push links to the address it read and never reads what is there; if the same word came back meanwhile, the
 *   link is right all the same. Only the owner removes, and it takes everything at once.
 *
 *   A recycled slot. Slots are never unmapped. A push that checked the generation just before the slot was given to
 *   another actor puts its message into the wrong mailbox; the envelope carries the generation it was meant for, and the
 *   receiver makes a dead letter of what is not its own.
 *
 *   Memory order. The CAS of a push releases the message; the CAS of a drain acquires it. The CAS to IDLE releases
 *   the actor's state; the CAS that replaces IDLE acquires it and hands it on through the run queue. CLOSED releases what
 *   the actor has done; a push that is refused acquires it, for it may free what the actor has let go of. The order comes
 *   from the fences alone: no CAS of Concurrency Kit implies any outside x86.
 *
 * The bound. Messages wait in two places: in the chain and, drained, in the lanes of the owner. The owner publishes how
 * many are in the lanes, chain included, before it takes the chain, and takes no more than it has published; so a sender
 * that reads backlog + count never sees too few but for the senders that run beside it: n workers may overshoot the bound
 * by n, or by what each holds back (actors/outbox.h). It may see up to one turn's worth too many. Promised messages are
 * exempt.
 *
 * (tests/model/mailbox.pml checks all this but for the memory order, and tests/model/orders/mailbox.c that.)
 */
#ifndef TRI_MAILBOX_H
#define TRI_MAILBOX_H

#include "mailbox/message.h"

#include <ck_pr.h>
#include <stdbool.h>

/* Low bits of the word: 2 for the state, 20 for the count; above them the message's address, shifted by 16 so that its
 * six zero bits (alignment 64) make room. Addresses have at most 48 bits. CLOSED has no count, but looks as if it had one
 * above every bound, so that who looks for room need not look for that. */
enum {
    TRI_WORD_EMPTY = 0,
    TRI_WORD_POKE = 1,
    TRI_WORD_IDLE = 2,
    TRI_WORD_COUNT_SHIFT = 2,
    TRI_WORD_COUNT_MAX = (1 << 20) - 1,
    TRI_WORD_COUNT = TRI_WORD_COUNT_MAX << TRI_WORD_COUNT_SHIFT,
    TRI_WORD_ONE = 1 << TRI_WORD_COUNT_SHIFT, /* message */
    TRI_WORD_CLOSED = TRI_WORD_COUNT | 3,     /* over every bound */
    TRI_WORD_ADDRESS_SHIFT = 16,
};

/* What happens to a message that finds the mailbox full; <troupe/actor.h> has the public names. */
enum tri_policy { TRI_REJECT, TRI_DROP_NEW, TRI_DROP_OLD, TRI_KEEP_LATEST, TRI_STOP };

/* What senders touch: half a cache line. */
struct tri_mailbox {
    uint64_t word;
    uint32_t generation; /* of the actor it belongs to now */
    uint32_t backlog;    /* messages in the lanes; the owner writes it */
    uint64_t bulk;       /* generation, 16 bits | bytes of bulk in chain and lanes: senders add, the owner subtracts */
    uint32_t bound;      /* messages */
    uint32_t limits;     /* bound of bulk in KiB | policy */
};

/* What the owner has drained: three circular lists, each known by its last message. */
struct tri_lanes {
    tr_msg *normal, *urgent, *system;
    uint32_t count;
    uint32_t spare; /* for whoever embeds the lanes */
};

enum { TRI_POLICY_BITS = 3, TRI_BULK_BITS = 48 };

static inline enum tri_policy tri_mailbox_policy(const struct tri_mailbox *box)
{
    return (enum tri_policy)(ck_pr_load_32(&box->limits) & ((1u << TRI_POLICY_BITS) - 1));
}

enum tri_push {
    TRI_PUSHED,
    TRI_PUSHED_IDLE, /* and it is the caller who has to schedule the actor */
    TRI_PUSH_CLOSED,
    TRI_PUSH_FULL,
};

static inline tr_msg *tri_word_message(uint64_t word)
{
    return (tr_msg *)(uintptr_t)(word >> TRI_WORD_ADDRESS_SHIFT & ~(uint64_t)(TRI_LINE - 1));
}

static inline uint32_t tri_word_count(uint64_t word)
{
    return (uint32_t)(word >> TRI_WORD_COUNT_SHIFT) & TRI_WORD_COUNT_MAX;
}

static inline uint64_t tri_word_make(const tr_msg *m, uint32_t count, uint64_t state)
{
    return (uint64_t)(uintptr_t)m << TRI_WORD_ADDRESS_SHIFT | (uint64_t)count << TRI_WORD_COUNT_SHIFT | state;
}

/* Delivers m, of which box becomes the owner unless the answer is CLOSED or FULL. Any thread. */
enum tri_push tri_mailbox_push(struct tri_mailbox *box, tr_msg *m);

/* Delivers `count` messages, of which each links to the one before it, whatever the bound: the caller has looked at that.
 * FULL is no answer. Any thread. */
enum tri_push tri_mailbox_push_chain(struct tri_mailbox *box, tr_msg *newest, tr_msg *oldest, uint32_t count);

/* The same for the usual case, with one attempt. FULL: it is not usual (full or closed, or another sender was faster), and
 * tri_mailbox_push will say. What is said of the fences of that holds for this as well. */
TRI_INLINE enum tri_push tri_mailbox_try_push(struct tri_mailbox *box, tr_msg *m)
{
    uint64_t word = ck_pr_load_64(&box->word);
    ck_pr_fence_load(); /* a backlog not older than the word; pairs with the store fence in tri_mailbox_drain */
    if (tri_unlikely(ck_pr_load_32(&box->backlog) + tri_word_count(word) >= ck_pr_load_32(&box->bound)))
        return TRI_PUSH_FULL;
    m->next_ = tri_word_message(word); /* none if it is idle */
    uint64_t next = tri_word_make(m, tri_word_count(word) + 1, word & TRI_WORD_POKE);
    ck_pr_fence_release(); /* the message before the word; pairs with the CAS in tri_mailbox_drain */
    if (tri_unlikely(!ck_pr_cas_64(&box->word, word, next)))
        return TRI_PUSH_FULL;
    if (word != TRI_WORD_IDLE)
        return TRI_PUSHED;
    ck_pr_fence_acquire(); /* the state the last runner left; pairs with the CAS in tri_mailbox_idle */
    return TRI_PUSHED_IDLE;
}

/* Makes the actor run a turn, without a message: it looks at what others have written for it (see actors/slot.h). It
 * cannot fail for want of memory, and many pokes may become one. Any thread. */
static inline enum tri_push tri_mailbox_poke(struct tri_mailbox *box)
{
    uint64_t word = ck_pr_load_64(&box->word), next;
    do {
        if (word == TRI_WORD_CLOSED)
            return TRI_PUSH_CLOSED;
        if (word == TRI_WORD_IDLE)
            next = TRI_WORD_EMPTY | TRI_WORD_POKE;
        else
            next = word | TRI_WORD_POKE;
        ck_pr_fence_release(); /* what was written for the actor before the poke */
    } while (!ck_pr_cas_64_value(&box->word, word, next, &word));
    if (word != TRI_WORD_IDLE)
        return TRI_PUSHED;
    ck_pr_fence_acquire();
    return TRI_PUSHED_IDLE;
}

/* Whether something has arrived since the last drain. The owner. */
static inline bool tri_mailbox_has_news(const struct tri_mailbox *box)
{
    return ck_pr_load_64(&box->word) != TRI_WORD_EMPTY;
}

/* End of a turn with empty lanes: true, and the actor is another runner's; or false, and something has arrived. The
 * owner. */
static inline bool tri_mailbox_idle(struct tri_mailbox *box)
{
    ck_pr_fence_release(); /* the actor's state before IDLE; pairs with the CAS that replaces it */
    return ck_pr_cas_64(&box->word, TRI_WORD_EMPTY, TRI_WORD_IDLE);
}

/* Publishes how many messages wait in the lanes; at the end of a turn that leaves some. The owner. */
static inline void tri_mailbox_publish(struct tri_mailbox *box, const struct tri_lanes *lanes)
{
    ck_pr_store_32(&box->backlog, lanes->count);
}

/* Gives a closed mailbox to a new actor, which the caller schedules. bound is 1 … TRI_MAILBOX_MAX, bulk_bound_kib up to
 * TRI_BULK_MAX_KIB. */
void tri_mailbox_open(struct tri_mailbox *box, uint32_t generation, uint32_t bound, uint32_t bulk_bound_kib,
    enum tri_policy policy);

/* Moves what has arrived to the lanes, oldest first. Answers whether the actor was poked. The owner. */
bool tri_mailbox_drain(struct tri_mailbox *box, struct tri_lanes *lanes);

/* Takes the one message that has arrived, when it is one, the actor was not poked, and nothing waits in the lanes, which
 * it then need not go through: true. It is handled at once, so it is not counted in the backlog. The owner. */
static inline bool tri_mailbox_take_single(struct tri_mailbox *box, const struct tri_lanes *lanes, tr_msg **m)
{
    uint64_t word = ck_pr_load_64(&box->word);
    if (lanes->count || (word & TRI_WORD_CLOSED) != TRI_WORD_ONE)
        return false;
    if (tri_unlikely(!ck_pr_cas_64(&box->word, word, TRI_WORD_EMPTY)))
        return false;
    ck_pr_fence_acquire(); /* the message; pairs with the release fence in tri_mailbox_push */
    *m = (tr_msg *)(uintptr_t)(word >> TRI_WORD_ADDRESS_SHIFT); /* a count of one leaves nothing below it */
    return true;
}

/* Nothing is accepted any more; what had arrived goes to the lanes. The owner. */
void tri_mailbox_close(struct tri_mailbox *box, struct tri_lanes *lanes);

/* Whether more bulk waits than may; in the lanes or in the chain. The owner. */
static inline bool tri_mailbox_is_over_bulk(const struct tri_mailbox *box)
{
    uint64_t bound = (uint64_t)(box->limits >> TRI_POLICY_BITS) << 10;
    return (ck_pr_load_64(&box->bulk) & (((uint64_t)1 << TRI_BULK_BITS) - 1)) > bound;
}

/* What the policies "drop old" and "keep latest" remove from lanes that are over a bound: a list linked by next_, oldest
 * first, for the caller to make dead letters of. NULL when there is nothing to remove. The owner. */
tr_msg *tri_mailbox_shed(struct tri_mailbox *box, struct tri_lanes *lanes);

/* Lanes are circular lists known by their last message. */
static inline void tri_lane_push(tr_msg **lane, tr_msg *m)
{
    m->next_ = *lane ? (*lane)->next_ : m;
    if (*lane)
        (*lane)->next_ = m;
    *lane = m;
}

/* The first of a lane that is not empty. */
static inline tr_msg *tri_lane_pop(tr_msg **lane)
{
    tr_msg *last = *lane, *first = last->next_;
    if (first == last)
        *lane = NULL;
    else
        last->next_ = first->next_;
    return first;
}

/* The next normal message; NULL when there is none. The owner. */
static inline tr_msg *tri_lanes_pop_normal(struct tri_lanes *lanes)
{
    if (!lanes->normal)
        return NULL;
    lanes->count--;
    return tri_lane_pop(&lanes->normal);
}

/* The next message: the system's before urgent before normal ones; NULL when the lanes are empty. The owner. */
static inline tr_msg *tri_lanes_pop(struct tri_lanes *lanes)
{
    if (tri_likely(!((uintptr_t)lanes->system | (uintptr_t)lanes->urgent)))
        return tri_lanes_pop_normal(lanes);
    lanes->count--;
    return tri_lane_pop(lanes->system ? &lanes->system : &lanes->urgent);
}

/* The next message of the system's, for an actor that may not handle others now; NULL when there is none. The owner. */
static inline tr_msg *tri_lanes_pop_system(struct tri_lanes *lanes)
{
    if (!lanes->system)
        return NULL;
    lanes->count--;
    return tri_lane_pop(&lanes->system);
}

/* Adds bulk, up to TRI_BULK_MAX, to the mailbox of the actor of this generation before its message is pushed; false when
 * that is over the bound. But one message is always let in; and where old messages are dropped, one more, and what twice
 * the bound has room for. If the mailbox has another actor by now, nothing is added. Any thread. */
bool tri_mailbox_add_bulk(struct tri_mailbox *box, uint32_t generation, uint64_t bytes);

/* Takes it off again, when the message was refused or is handled; likewise. Any thread. */
void tri_mailbox_sub_bulk(struct tri_mailbox *box, uint32_t generation, uint64_t bytes);

#define TRI_BULK_MAX ((uint64_t)1 << (TRI_BULK_BITS - 1)) /* so that one such message and a full mailbox can be counted */

/* What waits. Any thread. */
static inline uint64_t tri_mailbox_bulk(const struct tri_mailbox *box)
{
    return ck_pr_load_64(&box->bulk) & (((uint64_t)1 << TRI_BULK_BITS) - 1);
}

enum {
    TRI_MAILBOX_MAX = TRI_WORD_COUNT_MAX / 2, /* so that twice the bound can be counted */
    TRI_BULK_MAX_KIB = (1 << 29) - 1,
};

#endif
