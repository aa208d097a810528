/*
 * sim_cast.h: a cast for simulations that uses everything Troupe has, and keeps account of what it was promised.
 *
 * On each of three hosts a captain, the root, keeps a tree of supervisors with servers, and a crew of tasks. A task has so
 * many things to do; when it fails, by an error or a fault, it is begun again. When the tasks of all hosts are done the
 * captains go home. So in a run whose faults end, everything ends; and whatever the faults,
 *
 *     every ask, timer, monitor, link and job brings exactly one message, and none when it was given up;
 *     a time-out or a timer is never early; an answer is the one to its ask;
 *     each byte of a stream is the one that was sent there, and who reads the end has read everything;
 *     a transport says nothing to an owner that has handed it over;
 *     a start is followed by one stop, and no child runs beside a sibling that is to be stopped before it starts;
 *     nothing comes from an actor after the news of its end.
 *
 * All this is said with TR_ALWAYS. What is expected to come about in some run at least is said with TR_SOMETIMES.
 */
#ifndef TROUPE_TESTS_SIM_CAST_H
#define TROUPE_TESTS_SIM_CAST_H

#include <troupe/troupe.h>

enum { CAST_HOSTS = 3 };

extern const tr_sim_host cast_hosts[];

/* Before each run: how many things each task has to do. */
void cast_begin(unsigned rounds);

/* After a run in which nothing went wrong: NULL, or what is left that should not be; `all`: the tasks of all had to end. */
const char *cast_end(bool all);

/* How a run is made, by its number. */
enum cast_mode {
    CAST_CALM,   /* no faults: everything ends */
    CAST_SAFETY, /* faults until the run is over: nothing is untrue */
    CAST_HEAL,   /* faults for a while: everything ends */
    CAST_MODES
};

/* Options for a mode, with the faults of tr_sim_rough so many times as often, in percent. */
tr_sim_options cast_options(enum cast_mode mode, unsigned percent);

/* Options for a mode and a seed: some faults and not others, each seldom or often, and near or far hosts. */
tr_sim_options cast_swarm(enum cast_mode mode, uint64_t seed);

/* One run: 0, or an error with the text in the result, also for what cast_end() finds. */
int cast_run_with(uint64_t seed, const tr_sim_options *options, unsigned rounds, tr_sim_result *result);

/* The same in a mode. */
int cast_run(uint64_t seed, enum cast_mode mode, unsigned percent, unsigned rounds, tr_sim_result *result);

#endif
