/*
 * world.h: all that a simulation has besides its workers: hosts, a network between them, faults, and who watches.
 *
 * A world is made for one run of tr_sim_run and belongs to its thread. The way of a byte: a send puts a segment into a
 * pipe (net.c); when it arrives the reader's socket is ready, which its port hears (port.c); the port's poll receives it, as
 * that of epoll would, and completes the operation.
 */
#ifndef TRI_WORLD_H
#define TRI_WORLD_H

#include "actors/system.h"
#include "io/port.h"
#include "sched/sim.h"

#include <troupe/sim.h>

#include <stdio.h>

struct tri_sim_socket;

enum tri_fault_kind {
#define X(name, where) TRI_FAULT_##name,
    TR_SIM_FAULTS(X)
#undef X
        TRI_FAULTS
};

struct tri_sim_node {
    const tr_sim_host *host;
    tr_address address; /* without a port */
    struct tri_system *system;
    struct tri_sim_world *world;
    struct tri_sim_clock clock;
    uint16_t next_port;
    unsigned descriptors;
    bool ended;
    bool down;              /* has crashed: nothing leaves it, and nothing reaches it */
    bool crashes, restarts; /* it is to, as soon as no handler is running */
    struct tri_event restart;
    int64_t restart_ns;                     /* so much after a crash; TR_FOREVER: never */
    int64_t cut_until[TRI_SIM_SYSTEMS_MAX]; /* what this one sends does not reach that one */
    struct tri_sim_wait *waits;             /* see net.c */
    struct tri_sim_job *jobs;               /* blocking ones that have not run */
};

struct tri_sim_world {
    struct tri_sim sim; /* first */
    tr_sim_options options;
    tr_sim_result *result;
    struct tri_sim_node nodes[TRI_SIM_SYSTEMS_MAX];
    unsigned count;
    bool healed; /* no faults any more */
    bool ending; /* a host is, which has limited time for that: nobody else's slow handlers shall use it up */

    struct tri_sim_socket **sockets;                   /* by descriptor - TRI_SIM_FD */
    uint32_t sockets_room, sockets_open, sockets_free; /* the lowest number that may be free */

    struct tri_sim_script *scripts; /* that are being followed, or were */
    struct tri_sim_checks *checks;
    struct tri_ledger *ledgers, *ledgers_open; /* of connections, see ledger.h */
    FILE *trace;
    tr_system *handle;     /* of the first host's system; NULL: none */
    struct tri_twin *twin; /* NULL: this seed is run once */
    uint64_t hash;
};

/* The world of the simulation that runs. */
static inline struct tri_sim_world *tri_world(void)
{
    return (struct tri_sim_world *)tri_sim_here;
}

struct tri_sim_node *tri_sim_node_of(struct tri_sim_world *world, const struct tri_sched *sched);

/* ---- fault.c ----------------------------------------------------------------------------------------------------- */

/* Whether a fault of this kind shall happen now; then it is counted. It is about the actor that runs; and about another, and a
 * message, if they are given (TR_NOBODY, NULL). */
bool tri_fault_about(struct tri_sim_world *world, enum tri_fault_kind kind, tr_ref to, const tr_msg *m);

static inline bool tri_fault(struct tri_sim_world *world, enum tri_fault_kind kind)
{
    return tri_fault_about(world, kind, TR_NOBODY, NULL);
}

/* The rates: 0, or TR_EINVAL with the name in `what`. */
int tri_faults_check(const tr_sim_faults *faults, char *what, size_t size);

/* tr_sim_fault, with what is wrong as text. */
int tri_fault_set(tr_sim_faults *faults, const char *name, uint64_t rate, char *what, size_t size);

/* One of the errors of a kind. */
int tri_fault_error(struct tri_sim_world *world, enum tri_fault_kind kind);

/* ---- run.c -------------------------------------------------------------------------------------------------------- */

/* What tr_sim_run has besides. */
struct tri_sim_setup {
    uint32_t (*explore)(struct tri_sim *sim, struct tri_runnable *const *able, uint32_t n);
    void *explorer;
    tr_system *handle;     /* of the first host; NULL: none */
    struct tri_twin *twin; /* NULL: none */
};

int tri_sim_run(uint64_t seed, const tr_sim_options *options, const tr_sim_host *hosts, tr_sim_result *result,
    const struct tri_sim_setup *setup);

/* ---- what went wrong, in run.c ------------------------------------------------------------------------------------ */

/* Notes that the run has failed; the first time counts. It ends soon. */
void tri_world_fails(struct tri_sim_world *world, int error, const char *format, ...) TR_FORMAT_(3, 4);

/* ---- check.c ------------------------------------------------------------------------------------------------------ */

extern const struct tri_watcher tri_sim_watcher;

void tri_checks_open(struct tri_sim_world *world);
void tri_checks_close(struct tri_sim_world *world);

/* The name of an actor, "-" when it is gone; the number by which it is known, from 1; where its ledger is to be kept; and
 * something more for the run's hash. */
const char *tri_checks_name(tr_ref actor);
uint32_t tri_checks_number(struct tri_sim_world *world, tr_ref actor);
struct tri_ledger **tri_checks_ledger(struct tri_sim_world *world, tr_ref actor);
void tri_checks_hash(struct tri_sim_world *world, uint64_t what);

/* Nothing will ever happen again: what must be so then. */
void tri_checks_quiet(struct tri_sim_world *world);

/* The number of an actor, 0 if it has none yet. */
uint32_t tri_checks_known(const struct tri_sim_world *world, tr_ref actor);

/* ---- waiting.c ---------------------------------------------------------------------------------------------------- */

/* Asks that will never be answered: their number, and in `what` who waits for whom. */
unsigned tri_checks_waiting(struct tri_sim_world *world, char *what, size_t size);

/* Who lives on hosts whose roots have not ended, and what for. */
void tri_checks_living(struct tri_sim_world *world, char *what, size_t size);

/* ---- trace.c ------------------------------------------------------------------------------------------------------ */

/* Lines for the file that options or environment ask for; none without one. */
void tri_trace_open(struct tri_sim_world *world);
void tri_trace_message(struct tri_sim_world *world, tr_self *self, uint32_t actor, uint32_t from, const tr_msg *m);
void tri_trace_fault(struct tri_sim_world *world, const char *fault, tr_ref to, const tr_msg *m);
void tri_trace_host(struct tri_sim_world *world, const struct tri_sim_node *node, const char *what);

/* The body of a message as text, "" where there is nothing to say. */
void tri_trace_body(const tr_msg *m, char *text, size_t size);

#endif
