/*
 * wheel.h: a worker's timers, in a hierarchical wheel.
 *
 * A tick is 2^16 ns (66 µs). Level 0 has a slot for each tick of the running block of 256 ticks, level 1 a slot for each
 * block of the running 65,536 ticks, and so on. A timer stands on the level of the highest byte in which its tick and the
 * wheel's differ; when the wheel comes to the start of a slot above level 0, the slot's timers move down. Arming and
 * cancelling are O(1), and a cancelled timer is gone.
 *
 * A tick only says where a timer stands. It fires when its deadline in nanoseconds has passed: never early, in the order
 * of deadlines, and equal deadlines in the order they were set: a slot is a list in that order, a slot's timers move down
 * before anything else can be put where they go, and an expiring slot is sorted stably, again if a timer that fires arms
 * one that comes before others of the slot.
 *
 * Belongs to one thread at a time, but for tri_wheel_due.
 */
#ifndef TRI_WHEEL_H
#define TRI_WHEEL_H

#include <ck_pr.h>
#include <libcork/ds/dllist.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRI_WHEEL_TICK_BITS = 16,
    TRI_WHEEL_SLOT_BITS = 8,
    TRI_WHEEL_SLOTS = 1 << TRI_WHEEL_SLOT_BITS,
    TRI_WHEEL_LEVELS = 6, /* 48 bits of ticks: every deadline there is */
};

struct tri_timer {
    struct cork_dllist_item link;
    int64_t deadline;
};

struct tri_wheel {
    uint64_t tick; /* everything before it has been dealt with */
    bool sorted;   /* the slot of `tick` is in the order of deadlines */
    size_t count;
    int64_t next;               /* nothing is to be done before; or later than that, if a timer was cancelled */
    struct cork_dllist put_off; /* timers that were due and have been put off */
    uint64_t used[TRI_WHEEL_LEVELS][TRI_WHEEL_SLOTS / 64]; /* which slots are not empty */
    struct cork_dllist slots[TRI_WHEEL_LEVELS][TRI_WHEEL_SLOTS];
};

void tri_wheel_init(struct tri_wheel *wheel, int64_t now);

/* Arms a timer whose deadline is set and which is not armed. */
void tri_wheel_arm(struct tri_wheel *wheel, struct tri_timer *timer);

/* Removes an armed timer. */
void tri_wheel_cancel(struct tri_wheel *wheel, struct tri_timer *timer);

/* Removes the timers that are due at `now`, up to `max` of them, and calls fire with each, in order. fire may arm and
 * cancel timers. Answers whether some that are due remain. */
bool tri_wheel_expire(struct tri_wheel *wheel, int64_t now, size_t max, void (*fire)(struct tri_timer *timer, void *arg),
    void *arg);

/* For a fire that does not fire the timer it was called with: it is armed again, but does not count as due before
 * tri_wheel_resume. */
void tri_wheel_put_off(struct tri_wheel *wheel, struct tri_timer *timer);

/* Those that were put off are due. */
void tri_wheel_resume(struct tri_wheel *wheel);

/* Before this moment nothing is due; later there may be nothing, either. Any thread. */
static inline int64_t tri_wheel_due(const struct tri_wheel *wheel)
{
    return (int64_t)ck_pr_load_64((const uint64_t *)(const void *)&wheel->next);
}

/* When the wheel has to be looked at next: not after the earliest deadline, INT64_MAX when nothing is armed. */
int64_t tri_wheel_next(const struct tri_wheel *wheel);

#endif
