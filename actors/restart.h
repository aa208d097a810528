/*
 * restart.h: how often a child may be started again, and how soon.
 *
 * A history knows the moments of the last `size` restarts, so that one more than that within a period is noticed.
 */
#ifndef TRI_RESTART_H
#define TRI_RESTART_H

#include "actors/self.h"

enum {
    TRI_INTENSITY_DEFAULT = 5,
    TRI_INTENSITY_MAX = 1000, /* or TR_UNLIMITED */
};

struct tri_history {
    int64_t *moments; /* a ring of `size`; 0: there is no limit */
    uint32_t size, count, next;
    bool any;     /* there has been one, */
    int64_t last; /* and when the last one was */
};

/* How many moments a history of this intensity remembers. */
static inline uint32_t tri_history_size(uint32_t intensity)
{
    return intensity == TR_UNLIMITED ? 0 : intensity;
}

/* Whether nothing has happened within the last period. */
static inline bool tri_history_quiet(const struct tri_history *history, int64_t now, int64_t period)
{
    return !history->any || now - history->last >= period;
}

/* Notes a restart; false when there have been `size` within the period before it. */
bool tri_history_note(struct tri_history *history, int64_t now, int64_t period);

/* The delay before the n-th restart in a row (1: the first, which comes at once). */
int64_t tri_restart_delay(tr_self *self, const tr_supervisor *table, uint32_t n);

/* `a`, or if that is 0 `b`, or if that is 0, too, `otherwise`. */
static inline int64_t tri_either(int64_t a, int64_t b, int64_t otherwise)
{
    return a ? a : b ? b : otherwise;
}

#endif
