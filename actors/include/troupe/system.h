/*
 * <troupe/system.h>: the handle of a running system.
 *
 * A program that only calls tr_run (see <troupe/run.h>) needs none. One that wants to stop the system from outside, or to
 * run it beside threads of its own, keeps a zeroed tr_system where both can reach it.
 */
#ifndef TROUPE_SYSTEM_H
#define TROUPE_SYSTEM_H

#include <troupe/message.h>

TR_BEGIN_C_

typedef struct tr_system {
    uint32_t number_; /* 1 + the system's number; 0: it does not run */
    uint32_t stop_;   /* it was told to stop */
} tr_system;

/* Begins to end the system: its root actor is asked to end with TR_ESHUTDOWN, and so on down. Any number of times; before
 * the system runs, too: then it starts, stops and ends. Any thread; in a signal handler, too. */
void tr_stop(tr_system *system);

/* The same for the system of the running actor. In a handler. */
void tr_shutdown(tr_self *self);

/* Gives memory back that nobody uses. Blocks of messages and states stay with the worker that had most of them at once, so that
 * the next burst costs nothing; this asks all workers of the process to give back what is free in whole pieces (64 KiB to
 * 2 MiB), each when it has a moment, which takes it some 100 ns for each free block. When a system has ended most of what its
 * workers had goes back by itself; slots of actors (128 bytes each) never do. Any thread. */
void tr_trim(void);

TR_END_C_

#endif
