#include "sched/random.h"

#include "sched/clock.h"
#include "sched/os.h"

uint64_t tri_random_seed(void)
{
    uint64_t seed;
    if (!tri_os_random(&seed, sizeof seed)) /* the clock is random enough */
        seed = (uint64_t)tri_clock_wall() ^ (uint64_t)(uintptr_t)&seed;
    return seed;
}
