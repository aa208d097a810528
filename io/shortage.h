/*
 * shortage.h: who waits for a descriptor, of all systems of the process.
 *
 * It is a hint: whoever waits tries again after a while in any case.
 */
#ifndef TRI_SHORTAGE_H
#define TRI_SHORTAGE_H

#include <stdint.h>
#include <troupe/ref.h>

/* How many wait. */
extern uint32_t tri_shortage_waiting;

/* A transport that is to be signalled (TRI_SIGNAL_RETRY), once, when a descriptor has been closed. Any thread. */
void tri_shortage_wait(tr_ref transport);

/* A descriptor has been closed: one of those that wait is signalled. Any thread. */
void tri_shortage_over(void);

#endif
