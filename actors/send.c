/*
 * The way of a message: tr_send → deliver → tri_mailbox_try_push → (if the actor was idle) tri_worker_schedule; then the
 * scheduler calls tri_turn, which handles it. What is not usual about a message or its way goes by deliver_slowly.
 */
#include "actors/self.h"
#include "sched/log.h"
#include "sched/sim.h"

#include <troupe/dead_letter.h>
#include <troupe/post.h>

#include <inttypes.h>

/* ---- fates ------------------------------------------------------------------------------------------------------- */

TR_DEFINE(tr_dead_letter);

static enum tri_fate fate_of(int reason)
{
    switch (reason) {
    case TR_EDOWN: return TRI_DEAD_DOWN;
    case TR_EFULL: return TRI_DEAD_FULL;
    case TR_EREPLACED: return TRI_DEAD_REPLACED;
    default: return TRI_DEAD_OTHER;
    }
}

static void count_fate(tr_self *self, struct tri_system *system, enum tri_fate fate)
{
    if (self)
        tri_count(&self->counters.fate[fate]);
    else if (system)
        ck_pr_inc_64(&system->foreign.fate[fate]);
}

static void count_sent(tr_self *self, struct tri_system *system)
{
    if (self)
        tri_count(&self->counters.sent);
    else if (system)
        ck_pr_inc_64(&system->foreign.sent);
}

/* Tells the subscribers. Notes are ordinary messages without a sender; those that cannot be delivered are only counted. */
static void note_dead(tr_self *self, struct tri_system *system, const tr_dead_letter *note)
{
    if (note->type == &tr_dead_letter_type || !system)
        return;
    for (unsigned i = 0; i < TRI_SUBSCRIBERS_MAX; i++) {
        tr_ref subscriber = { ck_pr_load_64(&system->subscribers[i]) };
        tr_msg *m = tr_ref_is_nobody(subscriber) ? NULL : tri_msg_new(&tr_dead_letter_type, sizeof *note);
        if (!m)
            continue;
        m->from = TR_NOBODY;
        *(tr_dead_letter *)tri_msg_body(m) = *note;
        if (tri_deliver(self, subscriber, m) == TR_EDOWN)
            ck_pr_cas_64(&system->subscribers[i], subscriber.bits, 0);
    }
}

/* For the log; what others than workers lose is counted by all of them together. */
static TRI_COLD void count_loss(tr_self *self, struct tri_system *system, const tr_dead_letter *note)
{
    if (self && self->worker) {
        tri_loss_count(&self->losses, note, self->worker->now);
    } else if (system) {
        pthread_mutex_lock(&system->losses_lock);
        tri_loss_count(&system->losses, note, tri_clock_now(system->config.sched.clock));
        pthread_mutex_unlock(&system->losses_lock);
    }
}

static void dead(tr_self *self, struct tri_system *system, const tr_dead_letter *note)
{
    count_fate(self, system, fate_of(note->reason));
    if (note->reason == TR_EFULL)
        count_loss(self, system, note);
    note_dead(self, system, note);
}

void tri_expire(tr_self *self, tr_msg *m)
{
    count_fate(self, NULL, TRI_EXPIRED);
    tri_msg_free(m);
}

void tri_dead(tr_self *self, struct tri_system *system, tr_ref to, tr_msg *m, int reason)
{
    if (m->flags_ & TRI_MSG_RUNTIME) {
        const struct tri_runtime_type *type = (const struct tri_runtime_type *)m->type;
        if (type->undeliverable)
            type->undeliverable(self, to, m);
        else
            tri_msg_free(m);
        return;
    }
    if (self)
        system = self->system;
    if (m->flags_ & TRI_MSG_EXEMPT) { /* a promise to somebody who has ended: nobody's loss */
        count_fate(self, system, TRI_EXPIRED);
        tri_msg_free(m);
        return;
    }
    dead(self, system, &(tr_dead_letter){ .reason = reason, .from = m->from, .to = to, .type = m->type });
    if (m->flags_ & TRI_MSG_REQUEST)
        tri_answer_failed(self, to, m, reason);
    else
        tri_msg_free(m);
}

/* ---- delivering -------------------------------------------------------------------------------------------------- */

TRI_NOINLINE enum tri_push tri_deliver_to(tr_self *self, struct tri_slot *slot, tr_msg *m)
{
    if (tri_unlikely(self->watched) && !self->system->config.watcher->sending(self, slot, m))
        return TRI_PUSH_FULL;
    enum tri_push push = tri_mailbox_push(&slot->box, m);
    if (push == TRI_PUSHED_IDLE)
        tri_sched_schedule(&self->system->sched, self->worker, &slot->run);
    return push;
}

/* The bulk a message carries is charged to its receiver; promised messages are not. What stops when it is full is told so. */
static bool charge_bulk(tr_self *self, struct tri_slot *slot, tr_msg *m)
{
    uint64_t bytes = m->flags_ & TRI_MSG_EXEMPT ? 0 : tri_msg_bulk(m);
    if (tri_likely(!bytes))
        return true;
    if (tri_unlikely(bytes > TRI_BULK_MAX))
        tri_panic("the bulk of a %s cannot be %" PRIu64 " bytes", m->type->name, bytes);
    if (tri_mailbox_add_bulk(&slot->box, m->generation_, bytes)) {
        m->flags_ |= TRI_MSG_BULK;
        return true;
    }
    if (tri_mailbox_policy(&slot->box) == TRI_STOP)
        tri_signal(self, tri_ref_make(m->generation_, tri_ref_slot(tri_slot_ref(slot))), TRI_SIGNAL_FULL);
    return false;
}

static void uncharge_bulk(struct tri_slot *slot, tr_msg *m)
{
    if (tri_unlikely(m->flags_ & TRI_MSG_BULK)) {
        m->flags_ &= (uint16_t)~TRI_MSG_BULK;
        tri_mailbox_sub_bulk(&slot->box, m->generation_, tri_msg_bulk(m));
    }
}

static TRI_COLD int refused(tr_self *self, struct tri_system *system, struct tri_slot *slot, tr_ref to, tr_msg *m,
    enum tri_push push)
{
    if (push == TRI_PUSH_CLOSED) {
        tri_dead(self, system, to, m, TR_EDOWN);
        return TR_EDOWN;
    }
    enum tri_policy policy = tri_mailbox_policy(&slot->box);
    tri_dead(self, system, to, m, TR_EFULL);
    return policy == TRI_DROP_NEW ? 0 : TR_EFULL;
}

/* Enters the system that has this slot, and so keeps it from going away, and the slot from becoming another's; NULL: none
 * has it. */
static struct tri_system *enter_system_of(struct tri_slot *slot)
{
    unsigned number = ck_pr_load_16(&slot->run.system);
    struct tri_system *system = tri_system_enter(number);
    if (!system || ck_pr_load_16(&slot->run.system) == number)
        return system;
    tri_system_leave(number); /* it was the next one with that number */
    return NULL;
}

/* Why the actor that a slot has, or had, cannot be reached. */
static int down_or_elsewhere(struct tri_slot *slot)
{
    return slot && tri_system_elsewhere(ck_pr_load_16(&slot->run.system)) ? TR_ECLOSED : TR_EDOWN;
}

/* From a thread that is none of the receiver's system. */
static TRI_COLD int deliver_from_outside(tr_self *self, struct tri_slot *slot, tr_ref to, tr_msg *m)
{
    struct tri_system *system = enter_system_of(slot);
    if (!system || tri_slot_find(to) != slot) { /* it ended while we entered */
        int reason = down_or_elsewhere(slot);
        if (!(m->flags_ & TRI_MSG_RUNTIME))
            count_sent(self, NULL);
        tri_dead(self, NULL, to, m, reason);
        if (system)
            tri_system_leave(system->number);
        return reason;
    }
    self = tri_self_here(system);
    if (!(m->flags_ & TRI_MSG_RUNTIME))
        count_sent(self, system);
    int result = 0;
    enum tri_push push = charge_bulk(self, slot, m) ? tri_mailbox_push(&slot->box, m) : TRI_PUSH_FULL;
    if (push == TRI_PUSHED_IDLE)
        tri_sched_schedule(&system->sched, self ? self->worker : NULL, &slot->run);
    if (push >= TRI_PUSH_CLOSED) {
        uncharge_bulk(slot, m);
        result = refused(self, system, slot, to, m, push);
    }
    tri_system_leave(system->number);
    return result;
}

/* Into a mailbox of the same system: what the usual way has counted but could not push, and all else. */
static TRI_NOINLINE int deliver_here(tr_self *self, struct tri_slot *slot, tr_ref to, tr_msg *m)
{
    if (!charge_bulk(self, slot, m))
        return refused(self, NULL, slot, to, m, TRI_PUSH_FULL);
    enum tri_push push = tri_deliver_to(self, slot, m);
    if (push < TRI_PUSH_CLOSED)
        return 0;
    uncharge_bulk(slot, m);
    return refused(self, NULL, slot, to, m, push);
}

/* Everything that is not usual about a message or its way. */
static TRI_COLD int deliver_slowly(tr_self *self, struct tri_slot *slot, tr_ref to, tr_msg *m)
{
    tri_outbox_flush(self);
    if (slot && (!self || ck_pr_load_16(&slot->run.system) != self->system->number))
        return deliver_from_outside(self, slot, to, m);
    if (!(m->flags_ & TRI_MSG_RUNTIME))
        count_sent(self, NULL);
    if (slot)
        return deliver_here(self, slot, to, m);
    tri_dead(self, NULL, to, m, TR_EDOWN);
    return TR_EDOWN;
}

/* ---- the usual way ----------------------------------------------------------------------------------------------- */

TRI_INLINE bool usual(const tr_self *self, const struct tri_slot *slot, const tr_msg *m)
{
    return slot && ck_pr_load_16(&slot->run.system) == self->usual && !m->type->bulk;
}

TRI_INLINE int push(tr_self *self, struct tri_slot *slot, tr_ref to, tr_msg *m)
{
    tri_count(&self->counters.sent);
    enum tri_push pushed = tri_mailbox_try_push(&slot->box, m);
    if (pushed == TRI_PUSHED_IDLE)
        tri_worker_schedule(self->worker, &slot->run);
    return tri_likely(pushed != TRI_PUSH_FULL) ? 0 : deliver_here(self, slot, to, m);
}

/* One more message in a row for an actor, which cannot be added to what is held. */
static TRI_NOINLINE int deliver_again(tr_self *self, tr_ref to, tr_msg *m)
{
    bool waits = self->holds && tri_outbox_has_room(&self->outbox); /* for what is held, and for this one */
    tri_outbox_flush(self);
    struct tri_slot *slot = tri_slot_find(to);
    m->generation_ = tri_ref_generation(to);
    if (!usual(self, slot, m))
        return deliver_slowly(self, slot, to, m);
    self->outbox.to = to; /* dead letters of what was held went to others */
    return !waits && tri_outbox_begin(self, slot, m) ? 0 : push(self, slot, to, m);
}

TRI_INLINE int deliver(tr_self *self, tr_ref to, tr_msg *m)
{
    if (tri_unlikely(tr_ref_eq(to, self->outbox.to))) {
        if (tri_outbox_add(&self->outbox, m))
            return 0;
        if (tri_outbox_in_a_row(self))
            return deliver_again(self, to, m);
    }
    struct tri_slot *slot = tri_slot_find(to);
    m->generation_ = tri_ref_generation(to);
    if (tri_unlikely(!usual(self, slot, m)))
        return deliver_slowly(self, slot, to, m);
    self->outbox.to = to;
    return push(self, slot, to, m);
}

int tri_deliver(tr_self *self, tr_ref to, tr_msg *m)
{
    if (tri_likely(self && !(m->flags_ & TRI_MSG_RUNTIME) && m->type->size <= TR_BODY_SMALL))
        return deliver(self, to, m);
    m->generation_ = tri_ref_generation(to);
    return deliver_slowly(self, tri_slot_find(to), to, m);
}

void tri_poke(tr_self *self, struct tri_slot *slot)
{
    tri_outbox_flush(self);
    if (self && ck_pr_load_16(&slot->run.system) == self->system->number) {
        if (tri_mailbox_poke(&slot->box) == TRI_PUSHED_IDLE)
            tri_sched_schedule(&self->system->sched, self->worker, &slot->run);
        return;
    }
    struct tri_system *system = enter_system_of(slot);
    if (!system)
        return;
    tr_self *here = tri_self_here(system);
    if (tri_mailbox_poke(&slot->box) == TRI_PUSHED_IDLE)
        tri_sched_schedule(&system->sched, here ? here->worker : NULL, &slot->run);
    tri_system_leave(system->number);
}

void tri_signal(tr_self *self, tr_ref to, unsigned signal)
{
    struct tri_slot *slot = tri_slot_find(to);
    if (slot && tri_slot_raise(slot, to, signal))
        tri_poke(self, slot);
}

/* ---- the program's side ------------------------------------------------------------------------------------------ */

/* No block is at hand. */
static TRI_NOINLINE tr_msg *message_slowly(tr_self *self, const tr_type *type, unsigned class)
{
    tri_assert(class == tr_class_(sizeof(tr_msg) + type->size)); /* or the sender was compiled against another type */
    tr_msg *m = tri_msg_new(type, type->size);
    if (m)
        m->from = self->me;
    return m;
}

tr_msg *tr_message_(tr_self *self, const tr_type *type, unsigned class)
{
    tri_check_self(self, "tr_send");
    tr_msg *m = tri_pool_take(self->pool, class);
    if (tri_unlikely(!m))
        return message_slowly(self, type, class);
    tri_msg_init(m, type, (tri_tag)(self->pool->tag | class));
    m->from = self->me;
    return m;
}

tr_msg *tr_message(tr_self *self, const tr_type *type)
{
    tr_msg *m = type->size <= TR_BODY_MAX ? tr_message_(self, type, tr_class_(sizeof *m + type->size)) : NULL;
    if (m)
        memset(tri_msg_body(m), 0, type->size);
    return m;
}

int tr_send_message_(tr_self *self, tr_ref to, tr_msg *m)
{
    return deliver(self, to, m);
}

int tr_send_large_(tr_self *self, tr_ref to, tr_msg *m)
{
    return tri_deliver(self, to, m);
}

int tr_send_urgent_(tr_self *self, tr_ref to, tr_msg *m)
{
    m->flags_ |= TRI_MSG_URGENT;
    m->generation_ = tri_ref_generation(to);
    return deliver_slowly(self, tri_slot_find(to), to, m); /* and so it is never held */
}

int tr_send_message(tr_self *self, tr_ref to, tr_msg *m)
{
    tri_check_self(self, "tr_send_message");
    if (m == self->current || m->flags_ & TRI_MSG_TAKEN)
        tri_panic("tr_send_message: a %s that was received: use tr_forward", m->type->name);
    return tri_deliver(self, to, m);
}

/* There is no message to put the body into: what it owns is released here. */
static int drop_body(tr_self *self, struct tri_system *system, const tr_dead_letter *note, const void *body)
{
    count_sent(self, system);
    dead(self, system, note);
    if (body && note->type->drop)
        note->type->drop((void *)body);
    return note->reason;
}

int tr_send_failed_(tr_self *self, tr_ref to, const tr_type *type, const void *body)
{
    return drop_body(self, self->system,
        &(tr_dead_letter){ .reason = type->size <= TR_BODY_MAX ? TR_ENOMEM : TR_EMSGSIZE,
            .from = self->me,
            .to = to,
            .type = type },
        body);
}

/* A message from a foreign thread, for an actor of this system (NULL: there is none, for this reason); NULL and *reason
 * otherwise. */
static tr_msg *post_message(struct tri_system *system, const tr_type *type, const void *body, size_t size, int *reason)
{
    bool stranger = system && system->config.sched.sim && !tri_sim_mine();
    *reason = !system                                        ? *reason
        : stranger                                           ? TR_ENOTSUP
        : ck_pr_load_uint(&system->state) != TRI_SYSTEM_OPEN ? TR_ECLOSED
        : size > TR_BODY_MAX                                 ? TR_EMSGSIZE
                                                             : TR_ENOMEM;
    if (stranger)
        tri_log(TR_LOG_ERROR, "tr_post of a %s: a simulation has no other threads than its own", type->name);
    tr_msg *m = *reason == TR_ENOMEM ? tri_msg_new(type, size) : NULL;
    if (!m)
        return NULL;
    m->from = TR_NOBODY;
    if (body)
        memcpy(tri_msg_body(m), body, size);
    else
        memset(tri_msg_body(m), 0, size);
    return m;
}

int tr_post_(tr_ref to, const tr_type *type, const void *body, size_t size)
{
    tri_outbox_flush(tri_worker_here ? tri_worker_here->context : NULL);
    struct tri_slot *slot = tri_slot_find(to);
    struct tri_system *system = slot ? enter_system_of(slot) : NULL;
    int reason = down_or_elsewhere(slot);
    tr_msg *m = post_message(system, type, body, size, &reason);
    int result = m ? tri_deliver(NULL, to, m)
                   : drop_body(system ? tri_self_here(system) : NULL, system,
                         &(tr_dead_letter){ .reason = reason, .to = to, .type = type }, body);
    if (system)
        tri_system_leave(system->number);
    return result;
}
