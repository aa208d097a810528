/*
 * promise.h: memory set aside for one message that is promised to an actor.
 *
 * A timer, a call that waits for its answer, a monitor, a link and a blocking job are each a promise: one element of a
 * type-stable table, two cache lines, with the envelope and the body of the message to come inside. Keeping the promise
 * pushes that same memory into the mailbox, so it cannot be lost for want of memory.
 *
 * A promise belongs to the actor it is made to (its holder). Its id, msg.call, is number | generation << 32; it is what
 * the program sees as tr_timer, tr_call or tr_monitor. An id is live while an element with that id is held by the actor.
 * Whoever is handed a message with an id looks it up at dispatch, so what was cancelled is never seen.
 *
 * Two threads may meet here: the holder, and the keeper who pushes the message (the worker whose wheel holds the timer,
 * or another while that one is held, the monitored actor, a thread of the blocking pool). They decide by one word:
 *
 *   ASKED → ARMED      a monitor's keeper, by CAS: the request to monitor has arrived (other promises begin as ARMED)
 *   ARMED → KEPT       the keeper, by CAS; then it pushes the message
 *   ASKED → DROPPED    the holder, by CAS: the keeper finds it so when the request arrives, and frees it
 *   ARMED → DROPPED    the holder, by CAS: the keeper finds it so, or is told (an errand to the worker whose wheel holds
 *                      the timer, the element's own message to the monitored actor), and frees it
 *   KEPT → DROPPED     the holder, by a store: the message is on its way
 *
 * DROPPED releases what the holder did to the element, and whoever finds it so acquires it before the element is freed;
 * ARMED releases what the keeper of a monitor did to it.
 *
 * Whoever has the message in hand after KEPT frees the element: the holder when it is dispatched (it is seen by the
 * program only if the state still is KEPT), or whoever finds that the holder's mailbox is closed. An ending actor drops
 * all it holds before it closes its mailbox, and takes the monitors on it out of their list before that as well; so nobody
 * frees an element while it is still in a list. Those it tells afterwards, when it can be seen to have ended.
 */
#ifndef TRI_PROMISE_H
#define TRI_PROMISE_H

#include "actors/slot.h"
#include "sched/blocking.h"
#include "sched/wheel.h"

#include <troupe/ask.h>
#include <troupe/block.h>
#include <troupe/monitor.h>
#include <troupe/timer.h>

enum tri_promise_kind {
    TRI_PROMISE_TIMER,
    TRI_PROMISE_CALL,
    TRI_PROMISE_MONITOR,
    TRI_PROMISE_LINK,
    TRI_PROMISE_JOB,
};

enum tri_promise_state { TRI_ASKED, TRI_ARMED, TRI_KEPT, TRI_DROPPED };

struct tri_promise {
    tr_msg msg; /* first: the address of the one is the address of the other */
    union {
        tr_timeout timeout;
        tr_failed failed;
        tr_down down;
        tr_exited exited;
        tr_lapsed lapsed;
        tr_blocked blocked;
        uint64_t body[2];
    };
    union {
        void (*drop)(void *arg); /* JOB: releases blocked.arg */
        tr_msg *request;         /* MONITOR: the taken request whose asker it is about; NULL: of none */
    };
    union {
        struct tri_timer timer;            /* TIMER, CALL: in the wheel of `worker` */
        struct cork_dllist_item at_target; /* MONITOR: in the target's list */
        struct {
            tr_ref other;  /* LINK: who is told when the holder ends, */
            uint64_t peer; /* and the id of his element; of a message: of the receiver's */
        };
        struct {
            struct tri_job job;
            int (*function)(void *arg);
        }; /* JOB */
    };
    struct cork_dllist_item held; /* in the holder's list */
    union {
        int64_t period;  /* TIMER: 0, or it is periodic */
        tr_router *then; /* CALL, JOB */
        tr_ref holder;   /* MONITOR; of the others it is msg.from */
    };
    uint32_t state;  /* enum tri_promise_state */
    uint16_t worker; /* TIMER, CALL: whose wheel has it */
    uint8_t kind;
    union {
        bool expired; /* TIMER, CALL: not in the wheel any more; in that worker's possession */
        bool made;    /* LINK: by the holder */
    };
};

_Static_assert(sizeof(struct tri_promise) == 128, "a promise is two cache lines");

extern struct tri_table tri_promises;

/* A promise to the running actor, in its list, with a fresh id; NULL when there is no memory. In a turn. */
struct tri_promise *tri_promise_new(tr_self *self, enum tri_promise_kind kind, const tr_type *type);

/* The same, in nobody's list. */
struct tri_promise *tri_promise_alloc(tr_self *self, enum tri_promise_kind kind, const tr_type *type, tr_ref from);

/* The element of this number, which there is. */
static inline struct tri_promise *tri_promise_at(uint32_t number)
{
    return (struct tri_promise *)tri_promises.chunks[number >> TRI_TABLE_CHUNK_BITS] +
        (number & ((1u << TRI_TABLE_CHUNK_BITS) - 1));
}

/* The live promise with this id that the running actor holds and that has not been handled; NULL when there is none. */
struct tri_promise *tri_promise_find(uint64_t id);

/* Makes its id stale, before it can be another's. */
void tri_promise_retire(struct tri_promise *promise);

/* Frees an element that is in no list; its id is stale from now on. Any thread. */
void tri_promise_free(struct tri_promise *promise);

/* The keeper's step: true if the message shall be pushed (tri_promise_push). Any thread. */
static inline bool tri_promise_keep(struct tri_promise *promise)
{
    if (ck_pr_cas_32(&promise->state, TRI_ARMED, TRI_KEPT)) /* orders nothing: the push does */
        return true;
    ck_pr_fence_acquire(); /* dropped, and perhaps ours to free; pairs with the release fence in tri_promise_drop */
    return false;
}

/* Pushes the message of a KEPT promise to its holder. Any thread; self may be NULL. */
void tri_promise_push(tr_self *self, struct tri_promise *promise);

/* The holder does not want this promise any more: takes it out of its list and sees to it that it is freed. In the
 * holder's turn. */
void tri_promise_drop(tr_self *self, struct tri_promise *promise);

/* Drops all that the running actor holds, when its incarnation ends. */
void tri_promise_drop_all(tr_self *self, struct tri_cold *cold);

/* A promise's own message, or the answer to a call, is about to be handled: false when the promise was dropped or is
 * stale, so that the program must not see it. An answer that is late becomes the failure that is due instead. Sets *router
 * if one was given for it. In the holder's turn. */
bool tri_promise_arrive(tr_self *self, tr_msg *m, tr_router **router);

/* Arms the timer of a promise in the running worker's wheel; one for TR_FOREVER is in none. */
void tri_promise_arm(tr_self *self, struct tri_promise *promise, int64_t deadline);

/* timer.c: the message of a periodic timer has been handled. */
void tri_timer_again(tr_self *self, struct tri_promise *promise);

/* Before the first promise is made. */
void tri_promise_init(void);

/* For the scheduler: a timer is due, and an errand arrived. */
void tri_promise_fire(struct tri_timer *timer, void *worker);
void tri_promise_errand(struct tri_worker *worker, struct ck_stack_entry *errand);

/* Whether the timer is one of an actor that is pinned to this worker. In the worker's possession. */
bool tri_promise_stays(struct tri_timer *timer, struct tri_worker *victim);

/* monitor.c: the id of a monitor of the asker of a taken request, which says that the request has lapsed; 0: no memory. */
uint64_t tri_monitor_request(tr_self *self, tr_msg *request);

/* monitor.c: the monitored actor shall let go of a dropped promise. */
void tri_monitor_recall(tr_self *self, struct tri_promise *promise);

#endif
