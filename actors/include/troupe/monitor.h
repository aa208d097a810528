/*
 * <troupe/monitor.h>: learning of an actor's end.
 *
 * A monitor tells one actor, once, that another has ended, with the reason. A link ties two actors together: when one of
 * them crashes, so does the other, unless it traps exits. Both messages come after everything the dead one had sent to
 * the same receiver, and cannot be lost.
 */
#ifndef TROUPE_MONITOR_H
#define TROUPE_MONITOR_H

#include <troupe/actor.h>

TR_BEGIN_C_

/* ---- monitors ---------------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t bits;
} tr_monitor;

/* The monitored actor has ended; m->call is the monitor's bits. reason: as it ended; TR_ENOENT when it was down already
 * when the monitor was set. A restart by its supervisor is not an end. */
TR_MESSAGE(tr_down,
    tr_ref who;
    int reason;
);

/* Monitors an actor; one may have several monitors on the same one. The bits are 0 when there is no memory. In a
 * handler. */
tr_monitor tr_monitor_set(tr_self *self, tr_ref who);

/* Ends a monitor of this actor's: its message is not seen any more, even if it was waiting already. In a handler. */
void tr_demonitor(tr_self *self, tr_monitor monitor);

/* ---- links ------------------------------------------------------------------------------------------------------- */

/* A linked actor has ended or crashed, for one that traps exits. reason as in tr_down. */
TR_MESSAGE(tr_exited,
    tr_ref who;
    int reason;
);

/* Links the running actor and another. When either ends with a reason other than 0, the other ends with the same reason
 * (through its stop), or gets a tr_exited if its spec says trap_exits; a trapping actor is told of an end with reason 0,
 * too. A link ends with that, and also when either is restarted. To link to one that is down is as if it ended now with
 * TR_ENOENT. It costs the same however many links there are. 0 or TR_ENOMEM. In a handler.
 *
 * Linking twice is linking once. Where one links and the other unlinks at the same time: a new link stands, on both sides;
 * but one who is linked, as far as he knows, makes no new one by linking again, and the other's unlink ends it. */
int tr_link(tr_self *self, tr_ref other);

/* Removes the link, if there is one, on both sides; a tr_exited that is waiting is not seen any more. In a handler. */
void tr_unlink(tr_self *self, tr_ref other);

TR_END_C_

#endif
