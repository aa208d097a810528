/* tcp_connection.h: the state of a connection, and those parts of it that have a file of their own. */
#ifndef TRI_TCP_CONNECTION_H
#define TRI_TCP_CONNECTION_H

#include "io/tcp.h"
#include "sched/sim.h"

/* tri_tcp.flags */
enum {
    TRI_TCP_ATTACHED = 1 << 0, /* the port knows the descriptor */
    TRI_TCP_CONNECTING = 1 << 1,
    TRI_TCP_OFFERED = 1 << 2,     /* accepted: has no owner yet */
    TRI_TCP_WARD = 1 << 3,        /* the owner's slot knows us already */
    TRI_TCP_TOLD = 1 << 4,        /* the owner was told that it is connected */
    TRI_TCP_UNHANDLED = 1 << 5,   /* the owner has not handled what it was told last: it is told nothing more */
    TRI_TCP_EOF = 1 << 6,         /* the peer sends no more, */
    TRI_TCP_EOF_TOLD = 1 << 7,    /* the owner was told, */
    TRI_TCP_EOF_HANDLED = 1 << 8, /* and has handled that */
    TRI_TCP_LOST = 1 << 9,        /* reading has failed with `reason`; what was received is still delivered */
    TRI_TCP_SHUT = 1 << 10,       /* no more is written after what is queued */
    TRI_TCP_SHUT_DONE = 1 << 11,
    TRI_TCP_CLOSING = 1 << 12,   /* closes when what is queued was sent */
    TRI_TCP_ENDING = 1 << 13,    /* closes when its operations are home */
    TRI_TCP_RESET = 1 << 14,     /* closes with a reset */
    TRI_TCP_DETACHING = 1 << 15, /* as CLOSING, but the descriptor lives on */
    TRI_TCP_FULL = 1 << 16,      /* the owner was told that it is not writable */
    TRI_TCP_CLOSED = 1 << 17,    /* the descriptor is gone; the owner is about to be told */
    TRI_TCP_DEAF = 1 << 18,      /* nobody is to be told of the end any more */
    TRI_TCP_IN_STEPS = 1 << 19,  /* a receive is limited to one arrival */
    TRI_TCP_ORPHANED = 1 << 20,  /* the owner seems to be gone */
    TRI_TCP_READS = 1 << 21,     /* is to read more when the mailbox has run empty */
    TRI_TCP_FLUSHING = 1 << 22,  /* flush requests are in the queue */
    TRI_TCP_LINGERING = 1 << 24, /* closing, and all has left: waits for the peer's end */
    TRI_TCP_HEARD = 1 << 25,     /* the owner has handled its tr_tcp_connected, */
    TRI_TCP_UNHEARD = 1 << 26,   /* or never will, as it closed the connection before */
    TRI_TCP_STALLED = 1 << 23,   /* the window is used up: the connection is woken when there is room again */

    TRI_TCP_STEPS = TRI_TCP_SHUT | TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING | TRI_TCP_FULL | TRI_TCP_FLUSHING |
        TRI_TCP_EOF_HANDLED, /* without any of these there is no next step */
};

#define TRI_TCP_CLOSE_NS TR_SECONDS(30)
#define TRI_TCP_LOOK_NS  TR_MS(10)      /* what has come by the time that idle time is over may be told so much later */
#define TRI_TCP_STALL_NS TR_SECONDS(10) /* after so long it is said that a connection does not read */

#ifdef NDEBUG
enum { TRI_TCP_CHECKED = false };
#else
enum { TRI_TCP_CHECKED = true };
#endif

struct tri_tcp {
    struct tri_endpoint end; /* end.spare: the owner's incarnation */
    tr_ref owner;
    tr_msg *writes; /* the last of a circular list: tri_tcp_write, and flush requests */
    struct tri_tcp_settings *settings;
    uint32_t queued; /* bytes, those in flight included */
    uint32_t offset; /* bytes of the first write that were sent */
    uint32_t flags;
    int16_t reason;
};

_Static_assert(sizeof(struct tri_tcp) == 128, "a connection's state is two cache lines");

/* Settings of the connection's own: those it has, or a copy; NULL when there is no memory. */
struct tri_tcp_settings *tri_tcp_own_settings(struct tri_tcp *me);

/* Bytes of its window that are held. */
uint32_t tri_tcp_held(const struct tri_slot *slot, const struct tri_tcp *me);

/* Whatever may come next on the reading side: what has arrived is delivered, then the end is told, and more is read. */
void tri_tcp_go_on(tr_self *self, struct tri_tcp *me);

/* ---- tcp_end.c: shutting, closing, detaching, ending --------------------------------------------------------------- */

/* All in the connection's turn, and of a connection that may be ending already. They change the state; what follows is the
 * next step's. */

/* Ends the connection as soon as its operations are home. The first reason stays. */
void tri_tcp_end(tr_self *self, struct tri_tcp *me, int reason);

/* The same with a reset. */
void tri_tcp_fail(tr_self *self, struct tri_tcp *me, int reason);

/* Ends it when all that is queued has left, and the peer has ended, too, or has had some time for that. What comes from the
 * peer meanwhile is thrown away, but it is read: the system answers what nobody reads with a reset, and what was sent last may
 * be lost for the peer. */
void tri_tcp_close(tr_self *self, struct tri_tcp *me);

/* One that is closing goes on without an owner, as long as it makes progress. */
void tri_tcp_close_alone(tr_self *self, struct tri_tcp *me);

/* Ends only what is written. */
void tri_tcp_shut(struct tri_tcp *me);

/* Keeps the request to detach, or refuses it. */
void tri_tcp_detach(tr_self *self, struct tri_tcp *me, const tr_msg *m);

/* Whether in `ahead_ns` whoever has asked for the descriptor does not wait for it any more. Then the connection goes on. */
static inline bool tri_tcp_gives_detach_up(tr_self *self, const struct tri_tcp *me, int64_t ahead_ns)
{
    return me->flags & TRI_TCP_DETACHING && !(me->flags & TRI_TCP_ENDING) &&
        tr_now(self) + ahead_ns >= me->settings->detach_until;
}
void tri_tcp_stop_detaching(tr_self *self, struct tri_tcp *me);

/* The owner seems to be gone. What it sent last is handled before anything follows from that: then it is looked for. Of a
 * connection whose owner has ended nobody is told any more; what the owner has closed is closed in order, as long as it makes
 * progress. */
void tri_tcp_note_owner_gone(tr_self *self, struct tri_tcp *me);
void tri_tcp_look_for_owner(tr_self *self, struct tri_tcp *me);

/* Whether it has to be awaited whether the owner has heard that it was connected: it has closed it, perhaps before. */
static inline bool tri_tcp_may_be_unheard(const struct tri_slot *slot, const struct tri_tcp *me)
{
    return me->flags & TRI_TCP_TOLD && !(me->flags & (TRI_TCP_HEARD | TRI_TCP_UNHEARD | TRI_TCP_DEAF)) &&
        tri_slot_is_hushed(tri_slot_ref(slot));
}

/* What was received is thrown away; counted, if it is closing. */
void tri_tcp_drop_received(struct tri_tcp *me);

/* After every event: takes the steps whose time has come. Answers what the handler is to answer. */
int tri_tcp_take_steps(tr_self *self, struct tri_tcp *me);
static inline int tri_tcp_next_step(tr_self *self, struct tri_tcp *me)
{
    bool nothing = !(me->flags & TRI_TCP_STEPS) && !TRI_TCP_CHECKED && !ck_pr_load_ptr(&tri_sim_here);
    return tri_likely(nothing) ? TR_CONTINUE : tri_tcp_take_steps(self, me);
}

/* What is true between two events: whatever was asked for is done, or waits for something that will come. Called after each
 * in debug builds and in simulations. */
void tri_tcp_check(tr_self *self, const struct tri_tcp *me);

/* Of tri_tcp_actor. */
void tri_tcp_stop(tr_self *self, void *state, int reason);
bool tri_tcp_released(struct tri_slot *slot, void *state);

/* ---- tcp_time.c: what takes too long ------------------------------------------------------------------------------- */

static inline bool tri_tcp_has_timeouts(const struct tri_tcp *me)
{
    return me->settings->own && (me->settings->idle_ns || me->settings->write_ns);
}

/* Something was received; or sent. */
static inline void tri_tcp_note_activity(tr_self *self, struct tri_tcp *me)
{
    if (tri_unlikely(tri_tcp_has_timeouts(me)))
        me->settings->last_activity = tr_now(self);
}
static inline void tri_tcp_note_progress(tr_self *self, struct tri_tcp *me)
{
    if (tri_unlikely(tri_tcp_has_timeouts(me)))
        me->settings->last_activity = me->settings->last_progress = tr_now(self);
}

void tri_tcp_note_stall(tr_self *self, struct tri_tcp *me); /* the window is used up; logged if that lasts */

void tri_tcp_wait_for_detach(tr_self *self, struct tri_tcp *me); /* which is given up when its asker gives it up */
void tri_tcp_linger(tr_self *self, struct tri_tcp *me);          /* ends it when its time for that is over */
void tri_tcp_set_timeouts(tr_self *self, struct tri_tcp *me, int64_t idle_ns, int64_t write_ns);
void tri_tcp_on_timeout(tr_self *self, struct tri_tcp *me);

/* ---- tcp_news.c: what the owner is told -------------------------------------------------------------------------- */

/* All in the connection's turn. What cannot be said for want of memory is said later: the connection is then signalled
 * (TRI_SIGNAL_RETRY) and says it again. */

void tri_tcp_say_connected(tr_self *self, struct tri_tcp *me);

/* All that has arrived, as one tr_tcp_data; TR_EDOWN when the owner is gone. */
int tri_tcp_deliver(tr_self *self, struct tri_tcp *me);

void tri_tcp_say_eof(tr_self *self, struct tri_tcp *me);

/* Says tr_tcp_writable if the queue is over the high mark; or if it is down to the low one. A new owner has heard neither. */
void tri_tcp_check_high(tr_self *self, struct tri_tcp *me);
void tri_tcp_check_low(tr_self *self, struct tri_tcp *me);
void tri_tcp_forget_marks(struct tri_tcp *me);

/* tr_tcp_closed, or tr_tcp_failed if it never was connected; once. False when there is no memory: to be called again. */
bool tri_tcp_say_closed(tr_self *self, struct tri_tcp *me);

/* Lets the connection be signalled when there may be memory again. */
void tri_tcp_wait_for_memory(tr_self *self, struct tri_tcp *me);

/* ---- tcp_writes.c: the queue of writes --------------------------------------------------------------------------- */

/* A list of the messages themselves: tri_tcp_write, and flush requests, which are answered when all before them has left.
 * All in the connection's turn. */

/* Keeps a tri_tcp_write that is being handled: 0; TR_EMSGSIZE; TR_EFULL when more than write_max is queued. */
int tri_tcp_writes_add(tr_self *self, struct tri_tcp *me, const tr_msg *m);

/* Keeps a flush request. */
void tri_tcp_writes_add_flush(tr_self *self, struct tri_tcp *me, const tr_msg *m);

/* Answers the flush requests that nothing is queued before. */
void tri_tcp_writes_answer(tr_self *self, struct tri_tcp *me);

/* Begins to send what is queued, if nothing is being sent: 0, or TR_ENOMEM. */
int tri_tcp_writes_send(tr_self *self, struct tri_tcp *me);

/* Takes the completion of a send: the bytes that have left, or an error. */
int tri_tcp_writes_sent(tr_self *self, struct tri_tcp *me);

/* Bytes queued, but for a send that is done already and whose completion is in our own mailbox. */
uint32_t tri_tcp_writes_left(const struct tri_tcp *me);

/* Frees what is queued; flush requests are answered TR_ECLOSED. */
void tri_tcp_writes_drop(tr_self *self, struct tri_tcp *me);

/* Counts a write that came too late; a warning from the fifth on, at most one a second from all connections of the worker. */
void tri_tcp_writes_refuse(tr_self *self, struct tri_tcp *me, const char *when);

#endif
