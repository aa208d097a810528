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
#include <troupe/time.h>

/* How many wait, about; and until when it matters that somebody was refused one who does not wait, but may ask again (by the
 * monotonic clock). */
extern uint32_t tri_shortage_waiting;
extern uint64_t tri_shortage_until;

/* Whether anybody is short of descriptors. Whoever holds one for courtesy alone (a close that lingers) gives it up then, and
 * looks every TRI_SHORTAGE_LOOK_NS. Any thread. */
#define TRI_SHORTAGE_LOOK_NS TR_MS(100)
static inline bool tri_shortage_is(int64_t now)
{
    /* both pair with nothing: hints */
    return ck_pr_load_32(&tri_shortage_waiting) > 0 || now < (int64_t)ck_pr_load_64(&tri_shortage_until);
}

/* Somebody was refused one. Any thread. */
void tri_shortage_refused(int64_t now);

/* Before a simulation: nobody waits. */
void tri_shortage_reset(void);

/* A transport that is to be signalled (TRI_SIGNAL_RETRY), once, when a descriptor has been closed. Any thread. */
void tri_shortage_wait(tr_ref transport);

/* It waits no more, if it did. Any thread. */
void tri_shortage_leave(tr_ref transport);

/* A descriptor has been closed: one of those that wait is signalled. Any thread. */
void tri_shortage_over(void);

#endif
