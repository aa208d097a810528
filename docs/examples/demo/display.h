/* display.h: what the demo shows: a line while it works, and a table in the end. */
#ifndef DEMO_DISPLAY_H
#define DEMO_DISPLAY_H

#include "demo.h"

/* How many times fell into which range: below 64 us to the microsecond, above that within 3 %. */
enum { HISTOGRAM_SIZE = 64 + 26 * 32 };

struct tally {
    unsigned clients;
    uint64_t rounds, lines, bytes, reconnects, lost;
    uint64_t histogram[HISTOGRAM_SIZE];
};

enum victim { ECHO_SESSION, CHAT_SESSION, ROOM, ECHO_DOOR, CHAT_DOOR, VICTIMS };

/* What has happened so far. */
struct score {
    struct tally tally[SERVICES];
    unsigned killed[VICTIMS];
    double seconds;              /* since the start of the work */
    double done;                 /* the part of it, up to 1 */
    uint64_t messages, restarts; /* meanwhile, of all actors and of the supervisor's */
};

void tally_time(struct tally *tally, uint32_t us);

/* Whether the line of progress is written over itself, on a terminal. */
bool display_is_live(void);

void display_opening(const struct demo *demo);
void display_progress(const struct score *score);
void display_result(const struct demo *demo, const struct score *score);

/* How to use what is still running. */
void display_serving(const char *echo_address, const char *chat_address);

/* The end of a run that was stopped before its time. */
void display_interrupted(void);

#endif
