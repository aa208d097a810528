/*
 * clock.h: the only clock.
 *
 * A system has one clock; the real one unless a simulation brings its own. Nothing else in the library asks the
 * operating system for the time.
 */
#ifndef TRI_CLOCK_H
#define TRI_CLOCK_H

#include <troupe/time.h>

struct tri_clock {
    int64_t (*now)(struct tri_clock *clock);
};

/* The system's monotonic clock. */
extern struct tri_clock tri_clock_real;

static inline int64_t tri_clock_now(struct tri_clock *clock)
{
    return clock->now(clock);
}

/* a + b, where b is not negative; TR_FOREVER rather than an overflow. */
static inline int64_t tri_time_add(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? TR_FOREVER : a + b;
}

/* When something is due that was asked for now with this delay. */
static inline int64_t tri_deadline(int64_t now, int64_t delay)
{
    return delay >= 0 ? tri_time_add(now, delay) : now < INT64_MIN - delay ? INT64_MIN : now + delay;
}

/* Wall-clock time in nanoseconds since 1970 (virtual in a simulation), for log lines only. */
int64_t tri_clock_wall(void);

#endif
