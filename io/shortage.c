/*
 * A few words, each with a reference, or 0. Who has taken a reference out, by CAS, signals it; so each is signalled once. A
 * reference that comes into a word just after somebody has looked at it is not signalled by him: hence the hint.
 */
#include "io/shortage.h"

#include "actors/self.h"

enum { WAITERS = 32 };

uint32_t tri_shortage_waiting;
uint64_t tri_shortage_until;

static uint64_t waiters[WAITERS];

void tri_shortage_reset(void)
{
    for (unsigned i = 0; i < WAITERS; i++)
        ck_pr_store_64(&waiters[i], 0);
    ck_pr_store_32(&tri_shortage_waiting, 0);
    ck_pr_store_64(&tri_shortage_until, 0);
}

/* So long that each looks once. */
void tri_shortage_refused(int64_t now)
{
    ck_pr_store_64(&tri_shortage_until, (uint64_t)(now + 2 * TRI_SHORTAGE_LOOK_NS));
}

void tri_shortage_wait(tr_ref transport)
{
    for (unsigned i = 0; i < WAITERS; i++) {
        uint64_t there = ck_pr_load_64(&waiters[i]);
        if (there == transport.bits)
            return;
        if (there == 0 && ck_pr_cas_64(&waiters[i], 0, transport.bits)) {
            ck_pr_inc_32(&tri_shortage_waiting);
            return;
        }
    }
}

void tri_shortage_leave(tr_ref transport)
{
    for (unsigned i = 0; i < WAITERS && ck_pr_load_32(&tri_shortage_waiting); i++)
        if (ck_pr_load_64(&waiters[i]) == transport.bits && ck_pr_cas_64(&waiters[i], transport.bits, 0))
            ck_pr_dec_32(&tri_shortage_waiting);
}

void tri_shortage_over(void)
{
    struct tri_worker *worker = tri_worker_here;
    for (unsigned i = 0; i < WAITERS; i++) {
        uint64_t there = ck_pr_load_64(&waiters[i]);
        if (there && ck_pr_cas_64(&waiters[i], there, 0)) {
            ck_pr_dec_32(&tri_shortage_waiting);
            tri_signal(worker ? worker->context : NULL, (tr_ref){ there }, TRI_SIGNAL_RETRY);
            return;
        }
    }
}
