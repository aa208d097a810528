/* Messages that outlive their turn: taken, forwarded, released. */
#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_lapsed);

/* A taken message is one of its actor's cold->taken, and generation_ (which it does not need any more) is its place
 * there. */
static bool keep(tr_self *self, tr_msg *m)
{
    struct tri_cold *cold = tri_cold(self->slot);
    if (!cold || !tri_vector_grow(&cold->taken, sizeof *cold->taken, cold->taken_count, &cold->taken_max, &cold->taken_tag))
        return false;
    m->flags_ |= TRI_MSG_TAKEN;
    m->generation_ = cold->taken_count;
    cold->taken[cold->taken_count++] = (struct tri_taken){ .m = m, .deadline = self->deadline };
    return true;
}

struct tri_taken *tri_taken(const tr_self *self, const tr_msg *m)
{
    struct tri_cold *cold = self->slot->cold;
    uint32_t place = m->generation_;
    if (!cold || place >= cold->taken_count || cold->taken[place].m != m)
        tri_panic("a %s that this actor has not taken", m->type->name);
    return &cold->taken[place];
}

static void forget(tr_self *self, uint64_t id)
{
    struct tri_promise *promise = id ? tri_promise_find(id) : NULL;
    if (promise)
        tri_promise_drop(self, promise);
}

void tri_untake(tr_self *self, tr_msg *m)
{
    struct tri_taken *taken = tri_taken(self, m), was = *taken;
    struct tri_cold *cold = self->slot->cold;
    *taken = cold->taken[--cold->taken_count];
    taken->m->generation_ = (uint32_t)(taken - cold->taken);
    m->flags_ &= (uint16_t)~TRI_MSG_TAKEN;
    if (m == self->current)
        self->deadline = 0; /* what is asked from here on is not for this request */
    forget(self, was.timer);
    forget(self, was.monitor);
}

tr_msg *tr_take(tr_self *self, const tr_msg *m)
{
    tri_check_self(self, "tr_take");
    if (m != self->current || self->kept)
        tri_panic("tr_take: only the message that is being handled can be taken, once");
    if (!keep(self, (tr_msg *)m))
        return NULL;
    self->kept = true;
    return (tr_msg *)m;
}

int tr_watch(tr_self *self, tr_msg *m)
{
    tri_check_self(self, "tr_watch");
    struct tri_taken *taken = tri_taken(self, m);
    if (!(m->flags_ & TRI_MSG_REQUEST))
        return TR_EINVAL;
    if (!taken->monitor)
        taken->monitor = tri_monitor_request(self, m);
    if (!taken->monitor)
        return TR_ENOMEM;
    if (taken->timer || !taken->deadline)
        return 0;
    struct tri_promise *promise = tri_promise_new(self, TRI_PROMISE_TIMER, &tr_lapsed_type);
    if (!promise)
        return TR_ENOMEM;
    taken->timer = promise->msg.call;
    promise->lapsed = (tr_lapsed){ .request = m, .reason = TR_ETIMEDOUT };
    tri_promise_arm(self, promise, taken->deadline);
    return 0;
}

/* What lies in memory of a promise's or an operation's is copied: that memory must go home. */
static tr_msg *copy_of(const tr_msg *m)
{
    tr_msg *copy = tri_msg_new(m->type, m->type->size);
    if (!copy)
        return NULL;
    copy->from = m->from;
    copy->call = m->call;
    memcpy(tri_msg_body(copy), tri_msg_body(m), m->type->size);
    return copy;
}

static int forward_copy(tr_self *self, const tr_msg *m, tr_ref to)
{
    tr_msg *copy = copy_of(m);
    return copy ? tri_deliver(self, to, copy) : tr_send_failed_(self, to, m->type, NULL);
}

int tr_forward(tr_self *self, const tr_msg *m_, tr_ref to)
{
    tr_msg *m = (tr_msg *)m_;
    tri_check_self(self, "tr_forward");
    bool taken = m->flags_ & TRI_MSG_TAKEN;
    if (!taken && (m != self->current || self->kept || self->answered))
        tri_panic("tr_forward: neither the message that is being handled nor a taken one");
    if (tri_msg_memory(m) == TRI_MEMORY_PROMISE || tri_msg_memory(m) == TRI_MEMORY_OPERATION) {
        int result = forward_copy(self, m, to);
        if (taken)
            tr_release(self, m);
        return result;
    }
    int64_t deadline = taken ? tri_taken(self, m)->deadline : self->deadline;
    if (taken) {
        tri_untake(self, m);
    } else {
        self->kept = true;
        self->deadline = 0; /* what is asked from here on is not for this request */
    }
    if (deadline)
        tri_deadline_pack(m, deadline, deadline);
    m->flags_ &= TRI_MSG_REQUEST | TRI_MSG_MEMORY | TRI_MSG_RETURNS | TRI_MSG_OFFER;
    return tri_deliver(self, to, m);
}

void tr_release(tr_self *self, tr_msg *m)
{
    tri_check_self(self, "tr_release");
    if (m->flags_ & TRI_MSG_TAKEN)
        tri_untake(self, m);
    else if (m == self->current)
        tri_panic("tr_release: this message was not taken");
    if (m->flags_ & TRI_MSG_REQUEST)
        tri_answer_failed(self, self->me, m, TR_EUNANSWERED);
    else
        tri_msg_free(m);
}

/* A taken request is answered TR_ECRASHED only if it is the message the actor crashed on. */
void tri_taken_end(tr_self *self, struct tri_cold *cold, int reason)
{
    while (cold->taken_count) {
        tr_msg *m = cold->taken[cold->taken_count - 1].m;
        tri_untake(self, m);
        if (m->flags_ & TRI_MSG_REQUEST)
            tri_answer_failed(self, self->me, m, reason < 0 && m == self->fatal ? TR_ECRASHED : TR_EDOWN);
        else
            tri_msg_free(m);
    }
}
