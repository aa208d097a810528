/*
 * search.h: running many seeds of a simulation program, in child processes.
 *
 * The seeds are cut into chunks. Each job is a thread: it takes the next chunk, starts the program for it, and reads
 * what that reports (io/sim/main.c says what). When the program dies, or does not go on, the seed that it was at has
 * failed, and another process goes on with the next one. Once a seed has failed only the seeds before it matter, unless
 * all are wanted: so the lowest one that fails is found, and what else is said is about the seeds up to it, however many
 * jobs there are.
 */
#ifndef TROUPE_SIM_SEARCH_H
#define TROUPE_SIM_SEARCH_H

#include <troupe/sim.h>

#include <stdio.h>

enum fault_kind {
#define X(name, where) KIND_##name,
    TR_SIM_FAULTS(X)
#undef X
        KINDS
};

extern const char *const kind_names[KINDS];

enum ending { FINE, FAILED, DIED, HUNG };

/* How a seed ended. */
struct outcome {
    enum ending ending;
    uint64_t seed;
    int error; /* of the result, when it has FAILED */
    uint64_t hash, turns, messages;
    int64_t virtual_ns;
    char what[700];
    char *output; /* what the program wrote meanwhile; the owner of the outcome frees it */
};

/* A TR_SOMETIMES. */
struct place {
    char *text, *file;
    int line;
    uint64_t reached; /* the lowest seed that did; NEVER */
};

struct search {
    const char **argv; /* the program, its arguments, and those of the simulation */
    uint64_t first, count;
    unsigned jobs;
    bool keep_going;            /* after the first failing seed */
    bool progress;              /* shows a bar */
    int64_t limit_ns;           /* of real time, for one seed */
    const struct outcome *like; /* only what fails like this counts; NULL: all that fails */

    /* What came of it. */
    char *broken;           /* why there is no answer: the program cannot be run, or is none; NULL: there is one */
    uint64_t run, failures; /* seeds; without keep_going those up to the one that failed */
    struct outcome *failed; /* by seed; with keep_going the lowest FAILED_MAX of them, otherwise one at the most */
    unsigned failed_count;
    uint64_t rates[KINDS];
    uint64_t fired[KINDS]; /* the lowest seed in which each did; NEVER */
    struct place *places;
    unsigned place_count;
    int64_t taken_ns;
};

enum { FAILED_MAX = 20, JOBS_MAX = 256 };

#define NEVER UINT64_MAX

void search_run(struct search *search);
void search_free(struct search *search);

/* Whether two seeds have failed in the same way: the same check, the same error, the same signal. */
bool outcome_like(const struct outcome *a, const struct outcome *b);

/* Both end the program when there is no memory. */
void *memory(void *old, size_t size);
char *copy(const char *text);

#endif
