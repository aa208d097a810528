#include "io/owner.h"

static void drop_handled(void *body)
{
    tr_buf_unref(((tri_handled *)body)->buf);
}

TR_DEFINE(tri_handled, .drop = drop_handled);

uint16_t tri_owner_incarnation(tr_ref ref)
{
    struct tri_slot *slot = tri_slot_find(ref);
    return slot ? ck_pr_load_16(&slot->incarnation) : 0;
}

bool tri_owner_ended(tr_ref ref, uint16_t incarnation)
{
    struct tri_slot *slot = tri_slot_find(ref);
    if (!slot || ck_pr_load_16(&slot->incarnation) != incarnation)
        return true;
    ck_pr_fence_load(); /* an incarnation of the slot's next actor is written while the word is closed ... */
    if (ck_pr_load_64(&slot->box.word) == TRI_WORD_CLOSED)
        return true;
    ck_pr_fence_load(); /* ... and its identity before the word is open again */
    return !tr_ref_eq(tri_slot_ref(slot), ref);
}

/* ---- joining and leaving ----------------------------------------------------------------------------------------- */

/* News that joins or leaves comes as a message for the runtime part of the owner; its ordinary type stands in `call`,
 * NULL for a join or leave without news. */
static void hand_on(tr_self *self, tr_msg *m)
{
    const tr_type *type = (const tr_type *)(uintptr_t)m->call;
    if (!type) {
        tri_msg_free(m);
        return;
    }
    m->type = type;
    m->call = 0;
    m->flags_ &= (uint16_t)~TRI_MSG_RUNTIME;
    tri_count(&self->counters.sent);
    tri_handle(self, m);
}

static void join(tr_self *self, tr_msg *m)
{
    if (!tri_ward_add(self->slot, m->from)) /* no memory to know it by: it must not outlive us unnoticed */
        tri_signal(self, m->from, TRI_SIGNAL_BROKEN);
    hand_on(self, m);
}

static void leave(tr_self *self, tr_msg *m)
{
    tri_ward_remove(self->slot, m->from);
    m->flags_ &= (uint16_t)~TRI_MSG_INCARNATION; /* that was looked at; and the end is told in any case */
    hand_on(self, m);
}

/* The ordinary type is put back, so that the message is dropped, or comes back, as what it is. */
static void undeliverable(tr_self *self, tr_ref to, tr_msg *m)
{
    (void)to;
    if (m->call)
        m->type = (const tr_type *)(uintptr_t)m->call;
    m->flags_ &= (uint16_t)~TRI_MSG_RUNTIME;
    tri_signal(self, m->from, TRI_SIGNAL_GUARDIAN);
    tri_msg_free(m);
}

static const struct tri_runtime_type join_type = TRI_RUNTIME_TYPE("tr_own", .handle = join, .undeliverable = undeliverable);
static const struct tri_runtime_type leave_type =
    TRI_RUNTIME_TYPE("tr_disown", .handle = leave, .undeliverable = undeliverable);

/* ---- news -------------------------------------------------------------------------------------------------------- */

tr_msg *tri_news_new(tr_self *self, const tr_type *type, size_t size)
{
    tr_msg *m = tri_msg_new(type, size > sizeof(tri_handled) ? size : sizeof(tri_handled));
    if (!m)
        return NULL;
    m->from = self->me;
    m->flags_ = TRI_MSG_EXEMPT;
    return m;
}

int tri_news_send(tr_self *self, struct tri_owner owner, tr_msg *m, enum tri_news how, bool comes_back)
{
    m->flags_ |= TRI_MSG_INCARNATION;
    m->deadline_ = owner.incarnation;
    if (comes_back)
        m->flags_ |= TRI_MSG_RETURNS;
    if (how != TRI_NEWS) {
        m->call = (uint64_t)(uintptr_t)m->type;
        m->type = how == TRI_NEWS_JOIN ? &join_type.type : &leave_type.type;
        m->flags_ |= TRI_MSG_RUNTIME;
    }
    return tri_deliver(self, owner.ref, m);
}

/* For the runtime part of the owner alone. */
static tr_msg *note_new(tr_self *self, const struct tri_runtime_type *type)
{
    tr_msg *m = tri_news_new(self, &type->type, 0);
    if (m)
        m->flags_ |= TRI_MSG_RUNTIME;
    return m;
}

bool tri_owner_join(tr_self *self, struct tri_owner owner)
{
    tr_msg *m = note_new(self, &join_type);
    if (!m)
        return false;
    m->flags_ |= TRI_MSG_INCARNATION;
    m->deadline_ = owner.incarnation;
    tri_deliver(self, owner.ref, m);
    return true;
}

/* Whether the running actor keeps something of it, which does not come back before he lets go of it: so he has heard that it
 * was connected. */
static bool has_taken_of(const tr_self *self, tr_ref transport)
{
    const struct tri_cold *cold = self->slot->cold;
    for (uint32_t i = 0; cold && i < cold->taken_count; i++)
        if (tr_ref_eq(cold->taken[i].m->from, transport))
            return true;
    return false;
}

void tri_owner_hush(tr_self *self, tr_ref transport)
{
    struct tri_slot *slot = tri_slot_find(transport);
    tri_ward_hush(self->slot, transport);
    if (slot && !has_taken_of(self, transport))
        tri_slot_raise(slot, transport, TRI_SLOT_HUSHED); /* and nobody is poked: it is looked at when something is told */
}

void tri_owner_leave(tr_self *self, tr_ref owner)
{
    tr_msg *m = note_new(self, &leave_type);
    if (m)
        tri_deliver(self, owner, m);
}

/* A message that was asked to come back was handled, or will never be. It goes back in the same memory; a tr_buf it
 * carries is the first field of its body, and stays. */
static void returned(tr_msg *m)
{
    struct tri_worker *worker = tri_worker_here;
    tri_handled *handled = tri_msg_body(m);
    bool carries = tri_msg_memory(m) == TRI_MEMORY_BUFFER, unseen = m->call == TRI_CALL_UNSEEN;
    if (!carries) {
        if (m->type->drop)
            m->type->drop(handled);
        *handled = (tri_handled){ .offer = m->flags_ & TRI_MSG_OFFER };
    } else {
        handled->offer = false;
    }
    handled->unseen = unseen;
    m->type = &tri_handled_type;
    m->call = 0;
    m->flags_ = (uint16_t)(TRI_MSG_EXEMPT | (m->flags_ & TRI_MSG_MEMORY));
    tri_deliver(worker ? worker->context : NULL, m->from, m);
}

void tri_owner_init(void)
{
    tri_msg_returned = returned;
}
