/*
 * system.h: a system of actors.
 *
 * At most TRI_SYSTEMS_MAX exist at a time, and in a child of fork() their numbers go on behind those of its parent: so none
 * of its systems is taken for one of the parent's, of which it has but the slots, as they were, for good. A slot names its
 * system by number, so that a foreign thread that has nothing but a reference can get the actor scheduled. It enters the
 * system first, and the system is not taken down before it has left again.
 */
#ifndef TRI_SYSTEM_H
#define TRI_SYSTEM_H

#include "actors/name.h"
#include "actors/loss.h"
#include "actors/slot.h"
#include "sched/blocking.h"
#include "sched/sched.h"

#include <troupe/stats.h>
#include <troupe/supervisor.h>
#include <troupe/system.h>

enum {
    TRI_SYSTEMS_MAX = 32,
    TRI_SUBSCRIBERS_MAX = 8,
};

/* Why a message was not handled. */
enum tri_fate { TRI_DEAD_DOWN, TRI_DEAD_FULL, TRI_DEAD_REPLACED, TRI_DEAD_OTHER, TRI_EXPIRED, TRI_FATES };

/* Counters; of each worker, and atomic ones of all foreign threads together. */
struct tri_counters {
    uint64_t sent, delivered, fate[TRI_FATES], spawned, ended, crashed, restarted;
};

/* Sees all that passes, in a simulation. */
struct tri_watcher {
    /* m is about to be put into the mailbox of `slot` by self, in a turn or between two (self->slot is NULL). False: as if
     * the mailbox were full; not for what is promised. */
    bool (*sending)(tr_self *self, struct tri_slot *slot, tr_msg *m);

    /* The running actor is about to handle m: whether its handler shall fail instead. */
    bool (*handling)(tr_self *self, const tr_msg *m);
};

struct tri_system_config {
    struct tri_sched_config sched; /* but for what this floor fills in */
    unsigned blocking_threads;
    int64_t shutdown_ns;               /* for everything to end; after that, what is left is named */
    bool crash_report;                 /* see sched/crash.h */
    const struct tri_watcher *watcher; /* NULL: none */
    const tr_actor *root;
    const void *root_arg; /* root->arg_size bytes */
};

enum tri_system_state {
    TRI_SYSTEM_OPEN,
    TRI_SYSTEM_STOPPING, /* nothing new from outside, no new actors */
};

struct tri_system {
    struct tri_sched sched;
    struct tri_system_config config;
    uint16_t number;
    unsigned int state;
    tr_self **selves;       /* of each worker */
    struct tri_cache slots; /* free ones that it has had: the shelf of its workers' */

    struct tri_blocking blocking;
    struct tri_counters foreign;
    pthread_mutex_t losses_lock;
    struct tri_losses losses;                  /* of foreign threads; the same */
    uint64_t subscribers[TRI_SUBSCRIBERS_MAX]; /* references that get dead letters; 0: free */

    struct tri_names names;

    tr_ref root;
    struct tri_bell changed; /* one of these: */
    unsigned int runs;       /* its workers are there */
    unsigned int stop_wanted, insisted, root_ended;
    int root_reason; /* written before root_ended */
};

/* Opens a system, with its root actor: 0 or an error, with the reason logged. */
int tri_system_open(const struct tri_system_config *config, struct tri_system **system);

/* Lets tr_stop find the system by this handle; stops it at once if that was asked for already. */
void tri_system_attach(struct tri_system *system, tr_system *handle);

/* Begins to end it; any thread, a signal handler too, any number of times, until the system is freed. */
void tri_system_stop(struct tri_system *system);

/* As tr_stop, but nobody is waited for: what has not ended is killed. */
void tri_insist(tr_system *handle);

/* Waits until the root actor has ended or tri_system_stop is called. */
void tri_system_wait(struct tri_system *system);

/* Ends the system, in order. True: it has ended and can be freed; *result is the root's reason, or TR_ETIMEDOUT when the
 * root had to be killed. False: something has not ended, the system stays as it is. Not from one of its own threads. */
bool tri_system_end(struct tri_system *system, int *result);
void tri_system_free(struct tri_system *system);

/* The root actor has ended; from its turn. */
void tri_system_root_ended(struct tri_system *system, int reason);

/* A foreign thread enters the system of this number: the system, which is not taken down until the thread leaves it, or
 * NULL when there is none. */
struct tri_system *tri_system_enter(unsigned number);
void tri_system_leave(unsigned number);

/* The same with a handle's system. */
struct tri_system *tri_system_enter_handle(const tr_system *handle);

/* Whether the system of this number is one of a process that this one is a fork()ed child of. Any thread. */
bool tri_system_elsewhere(unsigned number);

/* Whether the process has any system. Any thread. */
bool tri_system_any(void);

/* All counters added up. */
struct tri_counters tri_system_count(struct tri_system *system);

#endif
