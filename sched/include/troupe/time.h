/*
 * <troupe/time.h>: time.
 *
 * All times are 64-bit counts of nanoseconds. Moments are counted from an arbitrary start by a clock that never goes
 * back (CLOCK_MONOTONIC or the performance counter; virtual in a simulation); durations are differences of them. A
 * duration that is negative or 0 means "at once", TR_FOREVER "never".
 */
#ifndef TROUPE_TIME_H
#define TROUPE_TIME_H

#include <stdint.h>

#define TR_NS(n)      ((int64_t)(n))
#define TR_US(n)      ((int64_t)(n)*1000)
#define TR_MS(n)      ((int64_t)(n)*1000000)
#define TR_SECONDS(n) ((int64_t)(n)*1000000000)
#define TR_MINUTES(n) ((int64_t)(n)*60000000000)
#define TR_HOURS(n)   ((int64_t)(n)*3600000000000)
#define TR_FOREVER    INT64_MAX

#endif
