#include "sched/random.h"

#include "sched/clock.h"

#include <sys/random.h>

uint64_t tri_random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) /* refused or interrupted: the clock is random enough */
        seed = (uint64_t)tri_clock_wall() ^ (uint64_t)(uintptr_t)&seed;
    return seed;
}
