#include "io/sim/world.h"
#include "sched/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
#define X(name, where) #name,
    TR_SIM_FAULTS(X)
#undef X
};

_Static_assert(sizeof(tr_sim_faults) == TRI_FAULTS * sizeof(uint32_t), "a rate for each kind");

const tr_sim_faults tr_sim_rough = {
    .listen_error = 1000,
    .accept_error = 5000,
    .connect_error = 10000,
    .handshake = 5000,
    .receive_error = 500,
    .send_error = 500,
    .short_read = 100000,
    .short_write = 100000,
    .again = 10000,
    .late = 50000,
    .late_cancel = 300000,
    .reset = 500,
    .half_open = 100,
    .partition = 200,
    .out_of_memory = 200,
    .mailbox_full = 200,
    .crash = 200,
    .slow = 500,
    .clock_jump = 20,
    .stall = 1000,
};

static uint32_t *rates_of(tr_sim_faults *faults)
{
    return (uint32_t *)faults; /* nothing but rates, one after the other */
}

bool tri_fault_about(struct tri_sim_world *world, enum tri_fault_kind kind, tr_ref to, const tr_msg *m)
{
    uint32_t rate = world->healed ? 0 : rates_of(&world->options.faults)[kind];
    if (!rate || !tri_sim_chance(&world->sim, kind == TRI_FAULT_out_of_memory ? TRI_STREAM_MEMORY : TRI_STREAM_FAULTS, rate))
        return false;
    rates_of(&world->result->fired)[kind]++;
    tri_trace_fault(world, names[kind], to, m);
    return true;
}

int tri_fault_error(struct tri_sim_world *world, enum tri_fault_kind kind)
{
    static const int listening[] = { TR_EMFILE, TR_ENFILE, TR_ENOBUFS, TR_ENOMEM, TR_EADDRINUSE, TR_EACCES };
    static const int accepting[] = { TR_EMFILE, TR_ENFILE, TR_ENOBUFS, TR_ENOMEM, TR_ECONNABORTED, TR_EPROTO, TR_EPERM };
    static const int connecting[] = { TR_ECONNREFUSED, TR_ENETUNREACH, TR_EHOSTUNREACH, TR_ETIMEDOUT, TR_EADDRNOTAVAIL,
        TR_EACCES, TR_ENOBUFS };
    static const int receiving[] = { TR_ECONNRESET, TR_ETIMEDOUT, TR_EHOSTUNREACH, TR_ENOBUFS, TR_ENOMEM };
    static const int sending[] = { TR_EPIPE, TR_ECONNRESET, TR_ETIMEDOUT, TR_ENOBUFS, TR_ENOMEM, TR_EHOSTUNREACH };
#define PICK(list) (list)[tri_sim_below(&world->sim, TRI_STREAM_FAULTS, sizeof(list) / sizeof(list)[0])]
    switch (kind) {
    case TRI_FAULT_listen_error: return PICK(listening);
    case TRI_FAULT_accept_error: return PICK(accepting);
    case TRI_FAULT_connect_error: return PICK(connecting);
    case TRI_FAULT_receive_error: return PICK(receiving);
    default: return PICK(sending);
    }
#undef PICK
}

int tri_faults_check(const tr_sim_faults *faults, char *what, size_t size)
{
    tr_sim_faults copy = *faults;
    for (unsigned i = 0; i < TRI_FAULTS; i++)
        if (rates_of(&copy)[i] > 1000000) {
            snprintf(what, size, "the rate of the fault \"%s\" is %u: the most is 1000000, for every time", names[i],
                rates_of(&copy)[i]);
            return TR_EINVAL;
        }
    return 0;
}

int tri_fault_set(tr_sim_faults *faults, const char *name, uint64_t rate, char *what, size_t size)
{
    bool known = false;
    if (rate > 1000000) {
        snprintf(what, size, "the rate of the fault \"%s\" is %" PRIu64 ": the most is 1000000, for every time", name, rate);
        return TR_EINVAL;
    }
    for (unsigned i = 0; i < TRI_FAULTS; i++)
        if (strcmp(name, "all") == 0 || strcmp(name, names[i]) == 0) {
            rates_of(faults)[i] = (uint32_t)rate;
            known = true;
        }
    if (!known)
        snprintf(what, size, "there is no fault \"%s\"", name);
    return known ? 0 : TR_EINVAL;
}

int tr_sim_fault(tr_sim_faults *faults, const char *name, uint64_t rate)
{
    char what[400];
    int error = tri_fault_set(faults, name, rate, what, sizeof what);
    if (error)
        tri_log(TR_LOG_ERROR, "%s", what);
    return error;
}
