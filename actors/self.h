/*
 * self.h: what a worker needs to run actors; to the program, the capability to act.
 *
 * There is one for each worker, and one for the moment on a foreign thread that spawns (its `worker` is NULL). During a
 * turn `slot` is the running actor, and during a call of one of its handlers `current` is the message.
 */
#ifndef TRI_SELF_H
#define TRI_SELF_H

#include "actors/cold.h"
#include "actors/loss.h"
#include "actors/outbox.h"
#include "actors/system.h"
#include "mailbox/panic.h"

#include <troupe/ask.h>

/* Of which message an actor ends. */
struct tri_fatal {
    const tr_type *type; /* NULL: of none */
    tr_ref from;
};

/* What ends with an actor, for the report of its crash: a few of its wards by reference, and how many there are. */
enum { TRI_WARDS_NAMED = 3 };
struct tri_wards {
    tr_ref some[TRI_WARDS_NAMED];
    uint32_t count;
};

enum { TRI_HISTORY = 8 };

struct tr_self {
    struct tri_worker *worker;
    struct tri_pool *pool; /* the worker's; tri_pool_none if that has no thread of its own; NULL where there is no worker */
    struct tri_system *system;
    struct tri_slot *slot; /* the running actor; NULL between turns */
    const tr_msg *current; /* the message being handled; NULL in start and stop */
    const tr_msg *fatal;   /* the actor ends of handling this one; it may be gone, and is only compared */
    struct tri_fatal fatal_about;
    const tr_type *type; /* its type, for the watchdog, which reads it from another thread */
    tr_ref me;
    int64_t deadline; /* of the request being handled, until it is answered; 0: none is, or it has none */
    union {
        struct {
            bool kept;  /* the message was taken, forwarded or answered for good: not the turn's to release */
            bool holds; /* messages wait in the outbox */
        };
        uint16_t after; /* both: the turn has to see to something when the handler has returned */
    };
    bool answered;  /* it is a request and has had its answer, */
    int refused;    /* or will have this one (negative) when its handler returns */
    uint16_t usual; /* number of the system to whose actors messages go the usual way: this one, or none (that
                              * is TRI_UNUSUAL) where there is a watcher, or no worker, or messages are held */
    bool watched;   /* there is a watcher: every message is special (see turn.c) */
    bool ended;     /* the running actor has, its mailbox is being emptied; */
    int reason;     /* and why */
    struct tri_outbox outbox;
    struct tri_cache slots, promises;
    struct tri_counters counters;
    struct tri_losses losses;
    const tr_type *history[TRI_HISTORY]; /* of what was handled last, each at its number: for a crash's report */
};

/* Aborts unless self is in a turn, on the thread whose turn it is. */
static inline void tri_check_self(const tr_self *self, const char *function)
{
    /* In this order: another thread's slot may change while it is looked at, its worker does not. */
    if (tri_unlikely(!self || tri_worker_here != self->worker || !self->slot)) /* on a foreign thread both have none */
        tri_panic("%s: the tr_self is not valid here (it is valid during the call it was handed to, on that thread)",
            function);
}

/* Counters that only their worker writes, and others may read at any time. */
static inline void tri_count(uint64_t *counter)
{
    ck_pr_store_64(counter, *counter + 1);
}

/* The self of the calling thread's worker, if it belongs to this system; else NULL. */
static inline tr_self *tri_self_here(const struct tri_system *system)
{
    struct tri_worker *worker = tri_worker_here;
    return worker && worker->sched == &system->sched ? worker->context : NULL;
}

/* Whether a message for outbox.to makes it look as if more were to come: the running handler has sent to one actor again. */
static inline bool tri_outbox_in_a_row(tr_self *self)
{
    uint64_t handling = self->counters.delivered + 1;
    bool in_a_row = self->outbox.handling == handling && self->current; /* which start and stop have not */
    self->outbox.handling = handling;
    return in_a_row;
}

/* Pushes what is held in the outbox. self may be NULL. */
static inline void tri_outbox_flush(tr_self *self)
{
    if (tri_unlikely(self && self->holds))
        tri_outbox_push(self);
}

/* ---- sending, in send.c ------------------------------------------------------------------------------------------ */

/* Delivers m to `to` and consumes it: 0, TR_EDOWN, TR_EFULL, TR_ECLOSED. self may be NULL (a foreign thread). */
int tri_deliver(tr_self *self, tr_ref to, tr_msg *m);

/* The same for a slot of the self's own system whose actor is known to be the right one and alive, or closing. */
enum tri_push tri_deliver_to(tr_self *self, struct tri_slot *slot, tr_msg *m);

/* Lets an actor look at its signals. Any thread; self may be NULL. */
void tri_poke(tr_self *self, struct tri_slot *slot);

/* Sets a signal for an actor and pokes it, if it is still there. Any thread; self may be NULL. */
void tri_signal(tr_self *self, tr_ref to, unsigned signal);

/* m will not be handled: tells subscribers and counters, answers it if it is a request, and frees it. self may be NULL,
 * then system is of the one it was for, or NULL. */
void tri_dead(tr_self *self, struct tri_system *system, tr_ref to, tr_msg *m, int reason);

/* m is late or was cancelled: counts and frees it. */
void tri_expire(tr_self *self, tr_msg *m);

/* ---- messages for the runtime part of an actor ------------------------------------------------------------------- */

struct tri_runtime_type {
    tr_type type;
    void (*handle)(tr_self *self, tr_msg *m);                   /* in the receiver's turn; owns m */
    void (*undeliverable)(tr_self *self, tr_ref to, tr_msg *m); /* owns m; NULL: it is freed */
};

#define TRI_RUNTIME_TYPE(name_, ...) \
    { \
        .type = { .name = name_ }, __VA_ARGS__ \
    }

/* What the calling thread was at, for the report of a crash; in crash.c. */
void tri_crash_say(void);

/* ---- a turn, in turn.c ------------------------------------------------------------------------------------------- */

/* The scheduler's turn function, and that of systems with a watcher. */
void tri_turn(struct tri_worker *worker, struct tri_runnable *r);
void tri_turn_watched(struct tri_worker *worker, struct tri_runnable *r);

/* Handles m for the running actor as if it had just come out of its mailbox. */
void tri_handle(tr_self *self, tr_msg *m);

/* ---- an actor's life, in life.c ---------------------------------------------------------------------------------- */

/* The three steps of spawning: a slot with everything but a mailbox; name, monitor and link of the options; the mailbox
 * and the first turn. Or the slot goes back. The second step may be done between by hand. */
struct tri_slot *tri_spawn_prepare(tr_self *self, const tr_actor *spec, const void *arg, uint16_t home, int *error);
int tri_spawn_bind(tr_self *self, struct tri_slot *slot, const tr_spawn_options *options);
tr_ref tri_spawn_finish(tr_self *self, struct tri_slot *slot);

/* Between: keeps the argument for further starts; false when there is no memory. */
bool tri_spawn_keep_arg(struct tri_slot *slot);
void tri_spawn_cancel(tr_self *self, struct tri_slot *slot);

/* Ends the running actor's incarnation with this reason, and the actor if it is not to be started again. In its turn,
 * outside of its handlers. */
void tri_end(tr_self *self, int reason);

/* ", handling this from that", or nothing; for logs. */
const char *tri_fatal_text(char *text, size_t size, struct tri_fatal about);

/* Calls start for the running actor's first incarnation, or zeroes its state and calls start for another one. In its
 * turn, outside of its handlers. */
void tri_start(tr_self *self);
void tri_start_again(tr_self *self);

/* For tests: how often an actor is started again in one slot. */
extern uint16_t tri_incarnation_last;

/* tr_exit from anywhere; self may be NULL. */
void tri_ask_to_end(tr_self *self, tr_ref actor, int reason);

/* The last operation of a CLOSING actor has come home, or it had none: frees the slot. */
void tri_slot_release(struct tri_slot *slot);

/* An operation of the actor in this slot has come home. On its home worker. */
void tri_came_home(struct tri_slot *slot);

/* ---- answers, in ask.c ------------------------------------------------------------------------------------------- */

/* Turns a request into its own answer, a tr_failed with this reason, and delivers it. */
void tri_answer_failed(tr_self *self, tr_ref by, tr_msg *request, int reason);

/* Answers a request that the caller has kept (self->kept) and consumes it: 0, TR_EDOWN or TR_ENOMEM. */
int tri_answer(tr_self *self, tr_ref by, tr_msg *request, const tr_type *type, const void *body, size_t size);

/* Sends m, which has its body but neither from, call, deadline nor flags, as a request; m is NULL when there was none to be
 * had, for this reason: then that is the answer. It gets no more time than until `limit`; 0: none but its own. See tr_ask. */
tr_call tri_ask_message(tr_self *self, tr_ref to, int64_t timeout_ns, int64_t limit, tr_msg *m, int reason);

/* The deadline in the envelope of a request, in ticks of about a millisecond, rounded up, and back. Part of it stands in the
 * call, whose id is what tri_call_of answers. */
void tri_deadline_pack(tr_msg *m, int64_t deadline, int64_t now);
int64_t tri_deadline_unpack(const tr_msg *m, int64_t now);
uint64_t tri_call_of(const tr_msg *request);

/* ---- what ends with an actor ------------------------------------------------------------------------------------- */

/* The news for the linked and for the monitors, taken out of their lists while the mailbox is still open (a message about
 * an element that finds it closed frees the element); and told afterwards, so that whoever hears of an end finds the actor
 * ended. Lists linked by next_. */
tr_msg *tri_link_take(struct tri_cold *cold);
void tri_link_tell(tr_self *self, tr_msg *news, int reason);
tr_msg *tri_monitor_take(struct tri_cold *cold);
void tri_monitor_tell(tr_self *self, tr_msg *news, int reason);

/* Why `who`, whom a link or a monitor did not find, is down: its reason when it has just ended, with the request waiting in
 * its mailbox; else TR_ENOENT. */
static inline int tri_reason_of(const tr_self *self, tr_ref who)
{
    return self && self->ended && tr_ref_eq(self->me, who) ? self->reason : TR_ENOENT;
}

bool tri_link_any(const struct tri_cold *cold); /* whether somebody is linked */
void tri_links_free(struct tri_cold *cold);
void tri_ward_end_all(tr_self *self, struct tri_slot *slot); /* ward.c: tells the wards */
void tri_duty_ended(tr_self *self, int reason, bool gone);   /* duty.c: tells the supervisor */
void tri_duty_note_wards(struct tri_slot *slot);             /* duty.c: before they end, for the report */
void tri_duty_started(tr_self *self);
void tri_duty_waits(tr_self *self, int reason);                 /* ended again while it waits for its restart */
bool tri_duty_stays_away(tr_self *self, tr_msg *m, int reason); /* asked to: whether m, which is gone then, tells so */
void tri_taken_end(tr_self *self, struct tri_cold *cold, int reason); /* take.c: releases the taken messages */

/* What the running actor knows of a message it has taken; and takes it off those. */
struct tri_taken *tri_taken(const tr_self *self, const tr_msg *m);
void tri_untake(tr_self *self, tr_msg *m);

/* ---- what begins with one: for a slot between tri_spawn_prepare and tri_spawn_finish -------------------------------- */

int tri_link_attach(tr_self *self, struct tri_slot *slot);
int tri_monitor_attach(tr_self *self, struct tri_slot *slot);
void tri_monitor_detach(struct tri_cold *cold);

/* Where no message is on its way: an actor that holds a link whose other side does not, or another one; TR_NOBODY. */
tr_ref tri_link_check(void);

/* Tells the wards of an actor, if it has any, that it ends. */
static inline void tri_ward_end(tr_self *self, struct tri_slot *slot)
{
    if (tri_unlikely(slot->lanes.spare || (slot->cold && (slot->cold->wards.count || slot->cold->early.count))))
        tri_ward_end_all(self, slot);
}

/* Makes `ward` (a slot of a transport) end when the running actor does; `guardian`'s slot when it is not running yet. */
bool tri_ward_add(struct tri_slot *guardian, tr_ref ward);
void tri_ward_remove(struct tri_slot *guardian, tr_ref ward);

#define TRI_WARD_HUSHED_BIT 31
#define TRI_WARD_HUSHED     (UINT32_C(1) << TRI_WARD_HUSHED_BIT)

/* The running actor wants to hear nothing more of a ward but its end, nor of one that becomes a ward later. */
void tri_ward_hush(struct tri_slot *guardian, tr_ref ward);
bool tri_ward_find_hushed(struct tri_slot *guardian, tr_ref ward);
static inline bool tri_ward_is_hushed(struct tri_slot *guardian, tr_ref ward)
{
    bool some = guardian->lanes.spare & TRI_WARD_HUSHED || (guardian->cold && guardian->cold->hushed);
    return tri_unlikely(some) && tri_ward_find_hushed(guardian, ward);
}

/* Which there are; and the words for it, "" for none: "; tcp connection <0.12.1> and 3 more end with it". */
struct tri_wards tri_ward_list(const struct tri_slot *guardian);
const char *tri_ward_text(const struct tri_wards *wards, char *text, size_t size);

#endif
