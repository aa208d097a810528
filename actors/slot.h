/*
 * slot.h: where an actor lives.
 *
 * A slot is two cache lines: the first is what senders touch, the second is the owner's, the worker that runs the actor.
 *
 *   bytes  line 0                                        bytes  line 1
 *    0  8  link of the run queue                          64 24  lanes: normal, urgent, system
 *    8  2  home                                           88  4  messages in the lanes
 *   10  2  system                                         92  4  ward
 *   12  4  handled                                        96  8  spec
 *   16  8  mailbox word                                  104  8  state
 *   24  4  generation                                    112  8  cold
 *   28  4  backlog                                       120  2  tag of the state's block
 *   32  8  bulk                                          122  2  incarnation
 *   40  4  bound                                         124  1  status
 *   44  4  bound of bulk, policy                         125  1  operations in flight
 *   48  8  identity: reference | signals                 126  1  flags
 *   56  8  parent; of a transport: window                127  1  –
 *
 * What few actors have hangs on a cold block that is made when it is first needed.
 *
 * Slots are elements of a type-stable table (table.h), so any thread may look at any slot at any time. A slot's system is
 * the one in whose hands it is, with an actor or without, from its first actor there until the system has closed. So who is
 * in that system, or is its guest, is sure that the slot stays there. A slot's generation counts the actors it has had. The
 * identity is the reference of its actor with eight bits of signals below: what others tell an actor without a message, so
 * without memory (kill; look at your owner). Setting a signal compares the whole word, so it cannot hit a later actor of
 * the same slot.
 *
 * References are for ever: a slot whose last generation has ended is retired, never to be given out again.
 */
#ifndef TRI_SLOT_H
#define TRI_SLOT_H

#include "actors/table.h"
#include "mailbox/mailbox.h"
#include "mailbox/ref.h"
#include "sched/worker.h"

#include <troupe/actor.h>

struct tri_cold;

/* tri_slot.run.system, when it is no system's number: it is in nobody's hands; tr_self.usual: and what no slot has. */
enum { TRI_NO_SYSTEM = 0xffff, TRI_UNUSUAL = 0xfffe };

/* tri_slot.status */
enum tri_status {
    TRI_FREE,     /* and CLOSED: the reference is stale */
    TRI_STARTING, /* start has not returned */
    TRI_ALIVE,
    TRI_RESTARTING, /* waits for its supervisor's word; only system messages are handled */
    TRI_CLOSING,    /* ended; operations are still coming home */
};

/* tri_slot.flags */
enum {
    TRI_SLOT_STARTED = 1 << 0,  /* start was called: stop must be */
    TRI_SLOT_STOPPING = 1 << 1, /* its supervisor has said that it shall not be started again */
    TRI_SLOT_WARNED = 1 << 2,   /* the mailbox was half full, and that was logged */
    TRI_SLOT_READY = 1 << 3,    /* has reported ready */
    TRI_SLOT_ORDERED = 1 << 4,  /* was told to start again, but operations have to come home first */
    TRI_SLOT_SETTLE = 1 << 5,   /* wants tri_actor.settle to be called */
    TRI_SLOT_MOVABLE = 1 << 6,  /* it may get another home before its first turn */
};

/* Signals in tri_slot.identity. */
enum {
    TRI_SIGNAL_KILL = 1 << 0,
    TRI_SIGNAL_GUARDIAN = 1 << 1, /* for a ward: look whether your guardian is alive */
    TRI_SIGNAL_WINDOW = 1 << 2,   /* for a transport: the window is open again */
    TRI_SIGNAL_BROKEN = 1 << 3,   /* for a transport: a write could not be queued, the stream has a hole */
    TRI_SIGNAL_RETRY = 1 << 4,    /* for a transport: there may be memory now */
    TRI_SIGNAL_FULL = 1 << 6,     /* more bulk was sent than it may hold, and it is to stop then */
    TRI_SIGNAL_DISMISS = 1 << 5,  /* with kill: not to be started again */
    TRI_SIGNALS = 0x7f,
    TRI_SLOT_HUSHED = 1 << 7, /* no signal, and it stays: its guardian wants to hear nothing more of it but its end */
    TRI_SIGNAL_BITS = 8,
};

struct tri_slot {
    struct tri_runnable run;
    struct tri_mailbox box;
    uint64_t identity;
    union {
        tr_ref parent;
        uint64_t window; /* see io/window.h; its top bit is set, that of a reference never is */
    };

    TRI_ALIGNED struct tri_lanes lanes; /* lanes.spare: number of the first ward; see actors/ward.c */
    const tr_actor *spec;
    void *state;
    struct tri_cold *cold;
    uint16_t tag;
    uint16_t incarnation;
    uint8_t status;
    uint8_t in_flight;
    uint8_t flags;
};

_Static_assert(sizeof(struct tri_slot) == 128, "a slot is two cache lines");
_Static_assert(offsetof(struct tri_slot, lanes) == 64, "the owner's part is a line of its own");

/* What Troupe's own actors (supervisors, transports) have besides. */
struct tri_actor {
    tr_actor actor; /* with TRI_SPEC */

    /* Signals other than kill have been set. On a turn. Answers as a handler does. */
    int (*signaled)(tr_self *self, void *state, unsigned signals);

    /* The mailbox has run empty, and TRI_SLOT_SETTLE was set since the last time. On a turn. Answers as a handler does. */
    int (*settle)(tr_self *self, void *state);

    /* Asked to end with this reason (tr_exit): answers as a handler does; TR_CONTINUE: it will end later by itself. */
    int (*exit_asked)(tr_self *self, void *state, int reason);

    /* It has ended and every operation is home: releases what they used. Answers false to be called again later. On its
     * home worker. */
    bool (*released)(struct tri_slot *slot, void *state);
};

#define TRI_SPEC .actor.size_ = sizeof(struct tri_actor)

static inline const struct tri_actor *tri_internal(const tr_actor *spec)
{
    return spec->size_ == sizeof(struct tri_actor) ? (const struct tri_actor *)spec : NULL;
}

extern struct tri_table tri_slots;

/* 31 bits, as the word of a window has no more for it (io/window.h). */
enum { TRI_SLOT_LAST_GENERATION = INT32_MAX };

/* For tests: the generation before that of a slot's first actor, and of a promise. Before the first system. */
extern uint32_t tri_slot_generation_first;
extern void *tri_slot_chunks[]; /* its chunks, one step nearer */

static inline tr_ref tri_slot_ref(const struct tri_slot *slot)
{
    return (tr_ref){ ck_pr_load_64(&slot->identity) >> TRI_SIGNAL_BITS };
}

static inline struct tri_slot *tri_slot_at(uint32_t number)
{
    struct tri_slot *chunk = ck_pr_load_ptr(&tri_slot_chunks[number >> TRI_TABLE_CHUNK_BITS]);
    return chunk ? chunk + (number & ((1u << TRI_TABLE_CHUNK_BITS) - 1)) : NULL;
}

/* The slot of a reference; NULL when there is none or it has another actor. It may get another one at any time after
 * that; what must not hit a later actor compares again. Any thread. */
static inline struct tri_slot *tri_slot_find(tr_ref ref)
{
    struct tri_slot *slot = tri_slot_at(tri_ref_slot(ref));
    if (tri_unlikely(!slot))
        return NULL;
    uint64_t generation = ck_pr_load_32(&slot->box.generation);
    ck_pr_fence_acquire(); /* pairs with tri_mailbox_open: the rest of the slot is this actor's, or it has ended */
    return generation == ref.bits >> TRI_REF_SLOT_BITS ? slot : NULL; /* never, if it is another node's */
}

/* Sets a signal for the actor `ref`; the caller then pokes it. False when the slot has another actor. Any thread. */
static inline bool tri_slot_raise(struct tri_slot *slot, tr_ref ref, unsigned signal)
{
    uint64_t identity = ck_pr_load_64(&slot->identity);
    do {
        if (identity >> TRI_SIGNAL_BITS != ref.bits)
            return false;
        ck_pr_fence_release(); /* what the signal is about before it; pairs with tri_slot_take_signals */
    } while (!ck_pr_cas_64_value(&slot->identity, identity, identity | signal, &identity));
    return true;
}

/* Whether the guardian of `ref` has hushed it, as far as it shows while it is there: he himself knows it from
 * tri_ward_is_hushed. Any thread. */
static inline bool tri_slot_is_hushed(tr_ref ref)
{
    struct tri_slot *slot = tri_slot_at(tri_ref_slot(ref));
    uint64_t identity = slot ? ck_pr_load_64(&slot->identity) : 0;
    return identity >> TRI_SIGNAL_BITS == ref.bits && identity & TRI_SLOT_HUSHED;
}

/* Takes all signals; that it is dismissed stays, for others to see as long as it is there. The owner. */
static inline unsigned tri_slot_take_signals(struct tri_slot *slot)
{
    const uint64_t taken = TRI_SIGNALS & ~(uint64_t)TRI_SIGNAL_DISMISS;
    uint64_t identity = ck_pr_load_64(&slot->identity);
    while (identity & taken)
        if (ck_pr_cas_64_value(&slot->identity, identity, identity & ~taken, &identity))
            break;
    ck_pr_fence_acquire(); /* pairs with tri_slot_raise; the poke may have been another's */
    return (unsigned)(identity & TRI_SIGNALS);
}

#endif
