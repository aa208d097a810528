#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_timeout);

static tr_timer set(tr_self *self, int64_t deadline, int64_t period, uint64_t tag)
{
    struct tri_promise *promise = tri_promise_new(self, TRI_PROMISE_TIMER, &tr_timeout_type);
    if (!promise)
        return (tr_timer){ 0 };
    promise->timeout.tag = tag;
    promise->period = period;
    tri_promise_arm(self, promise, deadline);
    return (tr_timer){ promise->msg.call };
}

tr_timer tr_after(tr_self *self, int64_t delay_ns, uint64_t tag)
{
    tri_check_self(self, "tr_after");
    return set(self, tri_deadline(tr_now(self), delay_ns), 0, tag);
}

tr_timer tr_at(tr_self *self, int64_t moment_ns, uint64_t tag)
{
    tri_check_self(self, "tr_at");
    return set(self, moment_ns, 0, tag);
}

tr_timer tr_every(tr_self *self, int64_t period_ns, uint64_t tag)
{
    tri_check_self(self, "tr_every");
    if (period_ns <= 0)
        tri_panic("tr_every: a period of %lld ns", (long long)period_ns);
    return set(self, tri_deadline(tr_now(self), period_ns), period_ns, tag);
}

bool tr_cancel(tr_self *self, tr_timer timer)
{
    tri_check_self(self, "tr_cancel");
    struct tri_promise *promise = tri_promise_find(timer.bits);
    if (!promise || promise->kind != TRI_PROMISE_TIMER || !tr_ref_eq(promise->msg.from, self->me))
        return false;
    tri_promise_drop(self, promise);
    return true;
}

/* The next period that is still to come; those that have passed unseen are counted. */
void tri_timer_again(tr_self *self, struct tri_promise *promise)
{
    int64_t now = tr_now(self), due = promise->timer.deadline, period = promise->period;
    int64_t missed = now > due ? (now - due) / period : 0;
    promise->timeout.missed = (uint64_t)missed;
    ck_pr_store_32(&promise->state, TRI_ARMED);
    tri_promise_arm(self, promise, tri_time_add(due, (missed + 1) * period));
}
