/* death.h: for tests of what ends the process, on Windows, which has no fork. */
#ifndef CRITERION_DEATH_H
#define CRITERION_DEATH_H

#include <stddef.h>

/* Runs the function in a process of its own: the calling test is begun there once more, and at this very call, the
 * how-manyeth it is, the function is called. Answers the signal it died of, or 0, and what it wrote to standard error; -1
 * in that process, when another call is meant. */
int ct_death(void (*function)(void), char *report, size_t size);

#endif
