#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_failed);

/* ---- deadlines in the envelope ----------------------------------------------------------------------------------- */

/* Ticks of 2^20 ns (about 1 ms), rounded up: never early. Their lower 32 bits are deadline_, where 0 is none; eight more stand
 * in those bits of the call that no id has, as long as the request is on its way: its receiver sees the id alone. A deadline
 * is taken for the one nearest to now, and one further away than 8 years is not carried at all (the asker's own timer holds
 * it). */
enum { DEADLINE_SHIFT = 20, DEADLINE_BITS = 40, CALL_SHIFT = 24 };

#define CALL_BITS ((uint64_t)0xff << CALL_SHIFT)

_Static_assert(TRI_SLOTS_MAX <= 1 << CALL_SHIFT, "the number of a promise leaves eight bits");

void tri_deadline_pack(tr_msg *m, int64_t deadline, int64_t now)
{
    uint64_t ticks = ((uint64_t)deadline + ((1u << DEADLINE_SHIFT) - 1)) >> DEADLINE_SHIFT;
    if (deadline - now >= (int64_t)1 << (DEADLINE_BITS - 2 + DEADLINE_SHIFT))
        return;
    ticks += (uint32_t)ticks == 0;
    m->deadline_ = (uint32_t)ticks;
    m->call = (m->call & ~CALL_BITS) | (ticks >> 32 << CALL_SHIFT & CALL_BITS);
}

int64_t tri_deadline_unpack(const tr_msg *m, int64_t now)
{
    enum { UNUSED = 64 - DEADLINE_BITS };
    uint64_t ticks = m->deadline_ | (m->call & CALL_BITS) >> CALL_SHIFT << 32;
    int64_t tick = now >> DEADLINE_SHIFT;
    int64_t ahead = (int64_t)((ticks - (uint64_t)tick) << UNUSED) >> UNUSED;
    return (tick + ahead) * (1 << DEADLINE_SHIFT);
}

uint64_t tri_call_of(const tr_msg *request)
{
    return request->call & ~CALL_BITS;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

tr_call tri_ask_message(tr_self *self, tr_ref to, int64_t timeout_ns, int64_t limit, tr_msg *m, int reason)
{
    struct tri_promise *promise = tri_promise_new(self, TRI_PROMISE_CALL, &tr_failed_type);
    if (m)
        m->from = self->me;
    if (!promise) {
        if (m) {
            tri_count(&self->counters.sent);
            tri_dead(self, NULL, to, m, TR_ENOMEM);
        }
        return (tr_call){ 0 };
    }
    int64_t now = tr_now(self), deadline = tri_deadline(now, timeout_ns);
    if (limit && deadline > limit)
        deadline = limit;
    tr_call call = { promise->msg.call };
    bool expired = m && deadline <= now;
    if (expired) { /* before it was sent */
        tri_count(&self->counters.sent);
        tri_expire(self, m);
        reason = TR_ETIMEDOUT;
    }
    if (!m || expired) { /* this failure needs no memory: the promise has it */
        promise->failed = (tr_failed){ .reason = reason, .to = to };
        promise->state = TRI_KEPT;
        tri_promise_push(self, promise);
        return call;
    }
    promise->failed = (tr_failed){ .reason = TR_ETIMEDOUT, .to = to };
    tri_promise_arm(self, promise, deadline);
    m->call = call.bits;
    m->flags_ = TRI_MSG_REQUEST;
    tri_deadline_pack(m, deadline, now);
    tri_deliver(self, to, m); /* refused, it comes back as the answer */
    return call;
}

static tr_call ask(tr_self *self, tr_ref to, int64_t timeout_ns, int64_t limit, const tr_type *type, const void *body,
    size_t size)
{
    tr_msg *m = size <= TR_BODY_MAX ? tri_msg_new(type, size) : NULL;
    if (!m)
        return tri_ask_message(self, to, timeout_ns, limit, NULL, tr_send_failed_(self, to, type, body));
    if (body)
        memcpy(tri_msg_body(m), body, size);
    else
        memset(tri_msg_body(m), 0, size);
    return tri_ask_message(self, to, timeout_ns, limit, m, 0);
}

tr_call tr_ask_(tr_self *self, tr_ref to, int64_t timeout_ns, const tr_type *type, const void *body, size_t size)
{
    tri_check_self(self, "tr_ask");
    return ask(self, to, timeout_ns, self->deadline, type, body, size);
}

tr_call tr_ask_for_(tr_self *self, const tr_msg *taken, tr_ref to, int64_t timeout_ns, const tr_type *type,
    const void *body, size_t size)
{
    tri_check_self(self, "tr_ask_for");
    return ask(self, to, timeout_ns, taken ? tri_taken(self, taken)->deadline : 0, type, body, size);
}

static struct tri_promise *find_call(tr_self *self, tr_call call)
{
    struct tri_promise *promise = tri_promise_find(call.bits);
    if (!promise || (promise->kind != TRI_PROMISE_CALL && promise->kind != TRI_PROMISE_JOB) ||
        !tr_ref_eq(promise->msg.from, self->me))
        return NULL;
    return promise;
}

void tr_then(tr_self *self, tr_call call, tr_router *router)
{
    tri_check_self(self, "tr_then");
    struct tri_promise *promise = find_call(self, call);
    if (promise)
        promise->then = router;
}

void tr_abandon(tr_self *self, tr_call call)
{
    tri_check_self(self, "tr_abandon");
    struct tri_promise *promise = find_call(self, call);
    if (promise)
        tri_promise_drop(self, promise);
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

void tri_answer_failed(tr_self *self, tr_ref by, tr_msg *request, int reason)
{
    tr_ref to = request->from;
    if (request->type->drop)
        request->type->drop(tri_msg_body(request));
    request->type = &tr_failed_type;
    request->from = by;
    request->call = tri_call_of(request);
    request->deadline_ = 0;
    request->flags_ = TRI_MSG_ANSWER | TRI_MSG_EXEMPT; /* a block, as every request: the smallest holds a tr_failed */
    *(tr_failed *)tri_msg_body(request) = (tr_failed){ .reason = reason, .to = by };
    tri_deliver(self, to, request);
}

_Static_assert(sizeof(tr_msg) + sizeof(tr_failed) <= TRI_LINE, "a failure fits into every request's block");

/* The request to answer: the one being handled, or a taken one; NULL when it is not a request. */
static const tr_msg *request_of(tr_self *self, tr_msg *taken, const char *function)
{
    tri_check_self(self, function);
    const tr_msg *request = taken ? taken : self->current;
    if (!request)
        tri_panic("%s: no message is being handled", function);
    if (!taken && self->answered)
        tri_panic("%s: a second reply", function);
    if (!taken && self->kept)
        tri_panic("%s: the message was taken or forwarded: use tr_reply_to", function);
    return request->flags_ & TRI_MSG_REQUEST ? request : NULL;
}

/* The request has its answer: a taken one is given up, the other stays readable until the handler returns. */
static void answered(tr_self *self, tr_msg *taken)
{
    if (!taken) {
        self->answered = true;
        self->deadline = 0; /* what is asked from here on is not for this request */
        return;
    }
    tri_untake(self, taken);
    tri_msg_free(taken);
}

int tri_answer(tr_self *self, tr_ref by, tr_msg *request, const tr_type *type, const void *body, size_t size)
{
    tr_msg *m = tri_msg_new(type, size);
    if (!m) {
        if (type->drop)
            type->drop((void *)body);
        tri_answer_failed(self, by, request, TR_ENOMEM);
        return TR_ENOMEM;
    }
    tr_ref to = request->from;
    m->from = by;
    m->call = tri_call_of(request);
    m->flags_ = TRI_MSG_ANSWER | TRI_MSG_EXEMPT;
    memcpy(tri_msg_body(m), body, size);
    tri_msg_free(request);
    return tri_deliver(self, to, m);
}

/* There is no message to put the answer into, or no use for it. */
static int no_reply(const tr_type *type, const void *body, int reason)
{
    if (body && type->drop)
        type->drop((void *)body);
    return reason;
}

/* Whether its asker has been told already that the time is up, or is being told. */
static bool is_late(tr_self *self, tr_msg *taken)
{
    if (!taken)
        return self->deadline && self->deadline <= tri_worker_now(self->worker);
    int64_t deadline = tri_taken(self, taken)->deadline;
    return deadline && deadline <= tr_now(self);
}

int tr_reply_(tr_self *self, tr_msg *taken, const tr_type *type, const void *body, size_t size)
{
    const tr_msg *request = request_of(self, taken, "tr_reply");
    if (!request)
        return no_reply(type, body, TR_EINVAL);
    if (is_late(self, taken)) {
        tri_count(&self->counters.sent);
        tri_count(&self->counters.fate[TRI_EXPIRED]);
        answered(self, taken);
        return no_reply(type, body, TR_ETIMEDOUT);
    }
    tr_msg *m = size <= TR_BODY_MAX ? tri_msg_new(type, size) : NULL;
    if (!m) {
        int error = no_reply(type, body, size <= TR_BODY_MAX ? TR_ENOMEM : TR_EMSGSIZE);
        tr_refuse(self, taken, error);
        return error;
    }
    tr_ref to = request->from;
    m->from = self->me;
    m->call = tri_call_of(request);
    m->flags_ = TRI_MSG_ANSWER | TRI_MSG_EXEMPT;
    if (body)
        memcpy(tri_msg_body(m), body, size);
    else
        memset(tri_msg_body(m), 0, size);
    answered(self, taken);
    return tri_deliver(self, to, m) ? TR_EDOWN : 0;
}

int tr_refuse(tr_self *self, tr_msg *taken, int reason)
{
    const tr_msg *request = request_of(self, taken, "tr_refuse");
    if (!request)
        return TR_EINVAL;
    if (reason >= 0)
        tri_panic("tr_refuse: a reason is a negative error, not %d", reason);
    if (taken) {
        tri_untake(self, taken);
        tri_answer_failed(self, self->me, taken, reason);
        return 0;
    }
    answered(self, NULL);
    self->refused = reason; /* the request itself becomes the answer when the handler returns */
    return 0;
}

static int64_t time_left(tr_self *self, int64_t deadline)
{
    if (!deadline)
        return TR_FOREVER;
    int64_t left = deadline - tr_now(self);
    return left > 0 ? left : 0;
}

int64_t tr_time_left(tr_self *self)
{
    tri_check_self(self, "tr_time_left");
    return time_left(self, self->deadline);
}

int64_t tr_time_left_of(tr_self *self, const tr_msg *taken)
{
    tri_check_self(self, "tr_time_left_of");
    return time_left(self, tri_taken(self, taken)->deadline);
}
