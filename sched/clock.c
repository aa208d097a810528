#include "sched/clock.h"

#include "sched/os.h"
#include "sched/sim.h"

static int64_t now(struct tri_clock *clock)
{
    (void)clock;
    return tri_os_now();
}

struct tri_clock tri_clock_real = { now };

int64_t tri_clock_wall(void)
{
    if (tri_sim_mine()) /* the same in every run */
        return tri_sim_here->now;
    return tri_os_wall();
}
