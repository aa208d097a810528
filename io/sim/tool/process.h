/*
 * process.h: child processes of troupe-sim; one file a system. What a child writes to standard output and to standard
 * error comes through one pipe, in the order in which it was written.
 */
#ifndef TROUPE_SIM_PROCESS_H
#define TROUPE_SIM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process {
    intptr_t process, pipe;
};

/* Starts a program; argv[0] is its path, or its name on the PATH, and the last word is NULL. 0, or a negative TR_E….
 * Any thread. */
int process_start(struct process *process, const char *const *argv);

/* What there is to read, when there is something: its size, 0 at the end. */
size_t process_read(struct process *process, char *bytes, size_t size);

/* Nobody reads any more: what it writes from now on fails. */
void process_close(struct process *process);

/* Kills it; until process_end. Any thread. */
void process_kill(struct process *process);

/* Waits until it has ended. */
void process_wait(struct process *process);

/* Of one that has ended and was closed: the exit status; or -1, and in `how` what became of it. It is gone then. */
int process_end(struct process *process, char *how, size_t size);

/* Whether somebody sees what is written to standard error. */
bool process_terminal(void);

#endif
