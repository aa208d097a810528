#include "sched/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now(struct tri_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

struct tri_clock tri_clock_real = { now };

int64_t tri_clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}
