/* twin.h: one seed, run twice, must be one run. If it is not, the first message that differs says where to look. */
#ifndef TRI_TWIN_H
#define TRI_TWIN_H

#include "actors/self.h"
#include "io/sim/world.h"

struct tri_twin {
    uint64_t *hashes; /* after each message of the first run */
    uint32_t count, seen;
    bool second, differs;
    char where[200];
};

/* The run whose message this is has a twin, or none. */
void tri_twin_note(struct tri_sim_world *world, tr_self *self, uint32_t actor, const tr_msg *m);

/* As tr_sim_run, twice; TR_EFAULT, with the text, if the second run is another one. */
int tri_twin_run(uint64_t seed, const tr_sim_options *options, const tr_sim_host *hosts, tr_sim_result *result);

#endif
