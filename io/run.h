/* run.h: what every way of running a system begins with. */
#ifndef TRI_RUN_H
#define TRI_RUN_H

#include "actors/slot.h"

#include <troupe/run.h>

extern const struct tri_actor tri_supervisor_actor;

/* Sets up what the floors keep for the whole process. Any number of times, any thread. */
void tri_run_init(void);

/* tr_run on the port "sim", in sim/run.c. */
int tri_sim_run_options(const tr_options *options);

#endif
