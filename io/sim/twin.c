#include "io/sim/twin.h"

#include "mailbox/memory.h"

#include <inttypes.h>
#include <string.h>

enum { MOST = 1 << 20 }; /* messages that are compared one by one; later ones by the last hash alone */

void tri_twin_note(struct tri_sim_world *world, tr_self *self, uint32_t actor, const tr_msg *m)
{
    struct tri_twin *twin = world->twin;
    if (!twin)
        return;
    uint32_t i = twin->seen++;
    if (!twin->second && i < MOST)
        twin->hashes[twin->count++] = world->hash;
    if (!twin->second || twin->differs || i >= MOST || (i < twin->count && twin->hashes[i] == world->hash))
        return;
    twin->differs = true;
    snprintf(twin->where, sizeof twin->where,
        "message %" PRIu32 " is another one: in the second run it is %s at %s #%" PRIu32 " after %.6f ms", i + 1,
        m->type->name, tri_checks_name(self->me), actor, (double)(world->sim.now - TR_SECONDS(1)) / 1e6);
}

int tri_twin_run(uint64_t seed, const tr_sim_options *options, const tr_sim_host *hosts, tr_sim_result *result)
{
    struct tri_twin twin = { .hashes = tri_memory_get_zeroed(MOST * sizeof *twin.hashes) };
    const struct tri_sim_setup setup = { .twin = &twin };
    if (!twin.hashes)
        return result->error = TR_ENOMEM;
    int error = tri_sim_run(seed, options, hosts, result, &setup);
    if (!error) {
        tr_sim_result again;
        twin.second = true;
        twin.seen = 0;
        error = tri_sim_run(seed, options, hosts, &again, &setup);
        if (again.hash != result->hash || error) {
            result->error = error = TR_EFAULT;
            snprintf(result->what, sizeof result->what,
                "the same seed is not the same run (hash %016" PRIx64 ", then %016" PRIx64
                "): the program asks for something that is not of the simulation, as time, rand or an address; %s; seed "
                "%" PRIu64,
                result->hash, again.hash, twin.differs ? twin.where : "no message that is the same differs", seed);
        }
    }
    tri_memory_put(twin.hashes);
    return error;
}
