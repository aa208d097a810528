/*
 * <troupe/timer.h>: timers.
 *
 * A timer that is due arrives as a tr_timeout in the actor's mailbox: never early, timers of equal deadlines in the order
 * they were set, and never after it was cancelled, even if the message was waiting already. Its message is promised: it
 * cannot be lost. Timers end with the incarnation that set them. It may come late: by the turns that its worker runs first,
 * and by up to a millisecond where a sleeping worker has more than a hundred thousand of them a second. While a handler
 * holds their worker, another worker sees to them, within 10 ms, or 50 ms when all workers run; with a single worker, and
 * for transports, whose home is held, they wait.
 *
 * Each is a message. Who has a hundred thousand things that end by themselves (sessions, entries of a cache) keeps their
 * moments beside them and sweeps with one periodic timer: a million timers that are due at once are a million messages, and
 * some seconds of one actor.
 */
#ifndef TROUPE_TIMER_H
#define TROUPE_TIMER_H

#include <troupe/actor.h>

TR_BEGIN_C_

typedef struct {
    uint64_t bits;
} tr_timer;

TR_MESSAGE(tr_timeout,
    uint64_t tag;    /* as given when it was set */
    uint64_t missed; /* of a periodic timer: periods that passed without a message since the last one */
);

/* Sets a timer: delay_ns from now on (0 or less: due at once), at a moment of tr_now, or every period_ns (above 0) from
 * one period on; a periodic timer is due again a period after it was due, and periods that were missed are not made up
 * for. The message carries `tag`, and m->call is the timer's bits. The bits are 0 when there is no memory. In a
 * handler. */
tr_timer tr_after(tr_self *self, int64_t delay_ns, uint64_t tag);
tr_timer tr_at(tr_self *self, int64_t moment_ns, uint64_t tag);
tr_timer tr_every(tr_self *self, int64_t period_ns, uint64_t tag);

/* Cancels a timer of this actor's: its message is not seen any more. Answers whether it was still to come; harmless for
 * one that has fired, was cancelled, or is zero. In a handler. */
bool tr_cancel(tr_self *self, tr_timer timer);

TR_END_C_

#endif
