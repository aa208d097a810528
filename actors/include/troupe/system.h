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

TR_END_C_

#endif
