/*
 * shrink.h: looking for a smaller run that fails like one that was found: without some kinds of faults, with lower
 * rates, with less virtual time. What is drawn is another thing with other rates, so the seeds that follow are tried as well.
 */
#ifndef TROUPE_SIM_SHRINK_H
#define TROUPE_SIM_SHRINK_H

#include "io/sim/tool/search.h"

struct shrunk {
    uint64_t rates[KINDS];
    int64_t for_ns;         /* 0: as long as the program says */
    struct outcome outcome; /* its output is the shrunk's */
    unsigned tries;
};

enum { FAULT_WORD = 64, SHRUNK_WORDS = 2 * KINDS + 4 };

/* The words of the command line, but for the seed: --fault all=0, and so on. Answers how many. */
unsigned shrunk_words(const struct shrunk *shrunk, char text[SHRUNK_WORDS][FAULT_WORD]);

/* Makes it smaller for as long as it can. `search` has the program without options of the simulation, and how many
 * seeds to try each time; it is not run. NULL, or why it cannot be done, which the caller frees. */
char *shrink(struct shrunk *shrunk, const struct search *search);

#endif
