#include <troupe/check.h>

#include "mailbox/message.h"
#include "sched/check.h"
#include "sched/sim.h"

#include <string.h>

bool tr_checks_on_;
void (*tri_check_failed)(const tr_check *check);
uint32_t tri_buggify_rate;

void tr_check_failed_(const tr_check *check)
{
    if (tri_sim_mine())
        tri_check_failed(check);
}

/* Whether a place (its file and function, not its line: a comment above it changes nothing) fires in this run at all follows
 * from the place and the seed, so that it is the same wherever the program was built; whether it does this time is drawn. */
bool tr_buggify_(const char *file, const char *function)
{
    enum { FIRES = 250000 };
    if (!tri_sim_mine())
        return false;
    const char *slash = strrchr(file, '/');
    struct tri_random place = { tri_hash(slash ? slash + 1 : file) + tri_hash(function) + tri_sim_here->seed };
    return tri_random_below(&place, 1000000) < tri_buggify_rate && tri_sim_chance(tri_sim_here, TRI_STREAM_USER, FIRES);
}
