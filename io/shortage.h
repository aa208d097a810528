/*
 * shortage.h: who waits for a descriptor, of all systems of the process.
 *
 * It is a hint: whoever waits tries again after a while in any case.
 */
#ifndef TRI_SHORTAGE_H
#define TRI_SHORTAGE_H

#include <ck_pr.h>
#include <stdbool.h>
#include <stdint.h>
#include <troupe/ref.h>

/* How many wait, about. Whoever holds a descriptor for courtesy alone (a close that lingers) gives it up then. Any thread. */
extern uint32_t tri_shortage_waiting;
static inline bool tri_shortage_is(void)
{
    return ck_pr_load_32(&tri_shortage_waiting) > 0; /* pairs with nothing: a hint */
}

/* Before a simulation: nobody waits. */
void tri_shortage_reset(void);

/* A transport that is to be signalled (TRI_SIGNAL_RETRY), once, when a descriptor has been closed. Any thread. */
void tri_shortage_wait(tr_ref transport);

/* A descriptor has been closed: one of those that wait is signalled. Any thread. */
void tri_shortage_over(void);

#endif
