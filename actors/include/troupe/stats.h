/*
 * <troupe/stats.h>: counters.
 *
 * Every message that was sent has one fate, so with nothing waiting in a mailbox
 *
 *     sent == delivered + dead + expired
 *
 * Troupe checks this when a system ends, and ends the process with a message if it is not so.
 */
#ifndef TROUPE_STATS_H
#define TROUPE_STATS_H

#include <troupe/actor.h>

TR_BEGIN_C_

typedef struct tr_stats {
    uint64_t sent;      /* messages: by tr_send and the like, timers, answers, reports of transports */
    uint64_t delivered; /* handled by a handler */
    uint64_t dead;      /* dead letters */
    uint64_t dead_down, dead_full, dead_replaced, dead_other; /* of these, by reason */
    uint64_t expired;                   /* late answers, requests past their deadline, what was cancelled while it waited */
    uint64_t spawned, ended, restarted; /* actors */
    uint64_t crashed; /* ends with an error, restarts included; to be stopped by a supervisor (TR_ESHUTDOWN) is none */
    uint64_t turns, steals, parks; /* of workers */
} tr_stats;

typedef struct tr_actor_stats {
    const char *name;
    uint32_t waiting;      /* messages in its mailbox, about */
    uint64_t waiting_bulk; /* bytes of bulk they carry */
    uint32_t handled;      /* messages, modulo 2^32 */
    uint32_t restarts;
} tr_actor_stats;

/* The system's counters at this moment; they are counted per worker and may be a little apart. In a handler. */
void tr_system_stats(tr_self *self, tr_stats *stats);

/* An actor's counters: 0, or TR_EDOWN; TR_ECLOSED (fork(): see <troupe/run.h>). Any thread. */
int tr_stats_of(tr_ref actor, tr_actor_stats *stats);

TR_END_C_

#endif
