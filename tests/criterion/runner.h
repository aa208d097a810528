/* runner.h: the stand-in's runner, and what it asks of the system: runner_posix.c, runner_windows.c. */
#ifndef CRITERION_RUNNER_H
#define CRITERION_RUNNER_H

#include <criterion/criterion.h>

/* What a test's process leaves behind, however it ends: exit codes alone prove nothing (under Wine a stack overflow ends a
 * process with code 0). */
struct ct_record {
    int failed; /* an assertion has failed */
    enum { CT_BEGUN, CT_SKIPPED, CT_FINISHED } progress;
};

extern struct ct_record *ct_record;

/* How a process ended. */
struct ct_end {
    bool late;     /* it was ended because its time was over */
    int signal;    /* it died of that, 0: of none */
    unsigned code; /* its exit code */
    char text[80];
};

/* Runs a test, whose number is its place in the order, in a process of its own. The runner calls it after it has cleared
 * the record. A limit of 0: the usual one. */
struct ct_end ct_run_elsewhere(const struct ct_test *test, unsigned number, double seconds);

/* Runs a test in this process, which ends with it. */
_Noreturn void ct_run_here(const struct ct_test *test);

/* Ends this process at once. Any thread. */
_Noreturn void ct_leave(int code);

/* Makes the record. Called first. */
void ct_open(void);

/* Takes an option that only this system's runner gives to itself. */
bool ct_own_option(const char *option);

/* If this process was started to run one test: its number, else -1. */
int ct_wanted(void);

#endif
