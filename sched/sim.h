/*
 * sim.h: a simulation: one thread plays all workers of some systems, in virtual time, by the choices of one seed.
 *
 * Nothing is mocked: the workers of a simulated system are those of worker.h, with their queues, their stealing, their
 * parking and their wake-ups; only, they have no threads. A step of the simulation chooses a worker that is awake, or that
 * has a reason to wake up, and lets it do one thing: run one turn, attend to the rest, lie down, or get up. When all sleep,
 * time jumps to the next event or timer. Whatever happens later (a segment arrives, a blocking job is done) is an event,
 * in the order of (time, number).
 *
 * All choices are drawn from streams of random numbers, one for each purpose, so that one number more in the one leaves the
 * others as they are. The choices of the scheduler go through tri_sim.choose, so that an explorer can make them instead.
 *
 * A process has one simulation at a time, and no other system meanwhile: slots are numbered anew for each, so that the same
 * seed leads to the same run. Everything here belongs to the thread that opened it.
 */
#ifndef TRI_SIM_H
#define TRI_SIM_H

#include "sched/sched.h"

enum { TRI_SIM_SYSTEMS_MAX = 32 };

enum tri_stream {
    TRI_STREAM_SCHEDULE,
    TRI_STREAM_NETWORK,
    TRI_STREAM_FAULTS,
    TRI_STREAM_MEMORY,
    TRI_STREAM_USER, /* seeds tr_random of each worker, and TR_BUGGIFY */
    TRI_STREAMS,
};

/* That of a system, which need not be right. */
struct tri_sim_clock {
    struct tri_clock clock; /* first */
    struct tri_sim *sim;
    int64_t ahead_ns;
};

void tri_sim_clock_init(struct tri_sim_clock *clock, struct tri_sim *sim, int64_t ahead_ns);

/* Something that happens at a moment. Its memory is its maker's. */
struct tri_event {
    int64_t at;
    uint64_t number; /* the order among those of the same moment */
    uint32_t place;  /* in the heap, from 1; 0: it is not to happen */
    void (*happen)(struct tri_event *event);
};

struct tri_sim {
    int64_t now;
    uint64_t seed;
    struct tri_random streams[TRI_STREAMS];

    struct tri_sched *scheds[TRI_SIM_SYSTEMS_MAX];
    unsigned count;

    /* Answers 0 … n - 1, n of 2 or more: what the scheduler does next. */
    uint32_t (*choose)(struct tri_sim *sim, uint32_t n);
    uint32_t disorder;  /* of 256 turns, so many that are not of the actor whose turn it would be */
    uint32_t favourite; /* of 256 steps, so many that are of the worker that ran last, if it can run */
    int64_t turn_ns;    /* a turn takes up to so much virtual time; 0: none */

    /* An explorer: every turn is of one message, and whose it is, is its choice among all that could be. NULL: none. */
    uint32_t (*explore)(struct tri_sim *sim, struct tri_runnable *const *able, uint32_t n);
    void *explorer;

    struct tri_event **heap; /* from 1 */
    uint32_t events, room;
    uint64_t numbers;

    struct tri_worker *last;    /* that did anything */
    struct tri_worker *stalled; /* does nothing before `stalled_until` */
    int64_t stalled_until;
    bool calm;                        /* no fault is injected: the simulation itself is at work */
    uint64_t steps, turns, steps_max; /* after so many nothing moves any more */
};

/* The simulation of this process; NULL: none. It is set and cleared on the simulation's thread; others may look whether
 * there is one, but not at it. */
extern struct tri_sim *tri_sim_here;

/* Whether the calling thread is the simulation's. Any thread. */
bool tri_sim_mine(void);

/* Begins a simulation: sim is zeroed but for what the caller chooses by itself. */
void tri_sim_open(struct tri_sim *sim, uint64_t seed);
void tri_sim_close(struct tri_sim *sim);

/* For tri_sched_start and tri_sched_stop. */
int tri_sim_add(struct tri_sim *sim, struct tri_sched *sched);
void tri_sim_remove(struct tri_sim *sim, struct tri_sched *sched);

/* Does one thing: true; or false when everybody sleeps and nothing will ever happen by itself, or not before `until`. */
bool tri_sim_step(struct tri_sim *sim, int64_t until);

/* The next moment at which anything happens when all sleep; INT64_MAX: never. */
int64_t tri_sim_next(const struct tri_sim *sim);

/* Lets an event happen at a moment, or not at all. An event that is to happen is moved. */
void tri_sim_at(struct tri_sim *sim, struct tri_event *event, int64_t at);
void tri_sim_cancel(struct tri_sim *sim, struct tri_event *event);

/* 0 … n - 1. */
static inline uint32_t tri_sim_below(struct tri_sim *sim, enum tri_stream stream, uint32_t n)
{
    return tri_random_below(&sim->streams[stream], n);
}

/* `rate` times in a million, on average. */
static inline bool tri_sim_chance(struct tri_sim *sim, enum tri_stream stream, uint32_t rate)
{
    return rate && tri_sim_below(sim, stream, 1000000) < rate;
}

/* Memory of the simulation itself, which does not run out. */
void *tri_sim_memory(struct tri_sim *sim, size_t size);

#endif
