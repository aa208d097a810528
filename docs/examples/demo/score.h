/* score.h: what has happened so far. */
#ifndef DEMO_SCORE_H
#define DEMO_SCORE_H

#include "demo.h"

/* How many times fell into which range: below 64 us to the microsecond, above that within 3 %. */
enum { HISTOGRAM_SIZE = 64 + 26 * 32 };

struct tally {
    unsigned clients;
    uint64_t rounds, lines, bytes, reconnects, lost;
    uint64_t histogram[HISTOGRAM_SIZE];
};

struct score {
    struct tally tally[SERVICES];
    unsigned killed[VICTIMS];
    int64_t began;
    tr_stats before;             /* the work */
    double seconds;              /* since then */
    double done;                 /* the part of the work, up to 1 */
    uint64_t messages, restarts; /* meanwhile, of all actors and of the supervisor's */
};

/* The work begins. */
void score_begin(tr_self *self, struct score *score);

/* A client has seen this. */
void score_report(struct score *score, const struct report *report);

/* Looks at the clock and at the system's counters. */
void score_update(tr_self *self, struct score *score, const struct demo *demo);

/* Clients that did not get what they should. */
uint64_t score_lost(const struct score *score);

/* In milliseconds: this share of the round trips took no longer. */
double tally_percentile(const struct tally *tally, double share);

#endif
