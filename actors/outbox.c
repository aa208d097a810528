#include "actors/self.h"

/* Whether messages to this actor may be held: it is busy, and far from full. */
static bool busy(const struct tri_slot *slot)
{
    uint64_t word = ck_pr_load_64(&slot->box.word);
    ck_pr_fence_load();               /* a backlog not older than the word; see tri_mailbox_try_push */
    return !(word & TRI_WORD_IDLE) && /* nor closed */
        ck_pr_load_32(&slot->box.backlog) + tri_word_count(word) + TRI_OUTBOX_MAX <= ck_pr_load_32(&slot->box.bound) / 2;
}

bool tri_outbox_begin(tr_self *self, struct tri_slot *slot, tr_msg *m)
{
    struct tri_outbox *box = &self->outbox;
    if (slot == self->slot || !busy(slot))
        return false;
    box->slot = slot;
    box->oldest = m;
    m->next_ = NULL;
    ck_pr_fence_release(); /* as in tri_outbox_add() */
    ck_pr_store_64(&box->word, (uintptr_t)m | (TRI_OUTBOX_MAX - 1));
    self->holds = true;
    self->usual = TRI_UNUSUAL; /* all ways but tri_outbox_add lead by tri_outbox_flush */
    return true;
}

static tr_msg *oldest_first(tr_msg *newest)
{
    tr_msg *oldest = NULL;
    for (tr_msg *m = newest, *next; m; m = next) {
        next = m->next_;
        m->next_ = oldest;
        oldest = m;
    }
    return oldest;
}

/* Pushes a chain for an actor which may have ended by now. */
static void push(tr_self *self, tr_ref to, tr_msg *newest, tr_msg *oldest, uint32_t count)
{
    struct tri_slot *slot = tri_slot_find(to); /* it may be another's by now */
    enum tri_push pushed = TRI_PUSH_CLOSED;
    if (tri_likely(slot != NULL))
        pushed = tri_mailbox_push_chain(&slot->box, newest, oldest, count);
    if (pushed == TRI_PUSHED_IDLE)
        tri_worker_schedule(self->worker, &slot->run);
    if (tri_likely(pushed != TRI_PUSH_CLOSED))
        return;
    oldest->next_ = NULL; /* the push may have linked it to what came before, and then found the mailbox closed */
    for (tr_msg *m = oldest_first(newest), *next; m; m = next) {
        next = m->next_;
        tri_dead(self, NULL, to, m, TR_EDOWN);
    }
}

/* The oldest of the `count` newest. Those behind it are not ours to look at. */
static tr_msg *last_of(tr_msg *newest, uint32_t count)
{
    while (--count)
        newest = newest->next_;
    return newest;
}

void tri_outbox_push(tr_self *self)
{
    if (tri_unlikely(tri_worker_here != self->worker))
        tri_panic("a handler goes on in a child of fork(): it must end there, by exec or _exit");
    struct tri_outbox *box = &self->outbox;
    tr_ref to = box->to; /* dead letters are sent, too */

    tri_possession_enter(&self->worker->possession);
    uint64_t word = box->word;
    uint32_t count = tri_outbox_count(word), rescued = box->rescued;
    ck_pr_store_64(&box->word, 0);
    ck_pr_store_32(&box->rescued, 0);
    tri_possession_leave(&self->worker->possession);

    self->holds = false;
    self->usual = self->system->number;
    ck_pr_store_64(&self->counters.sent, self->counters.sent + count);
    tr_msg *newest = tri_outbox_newest(word);
    if (tri_likely(!rescued))
        push(self, to, newest, box->oldest, count);
    else if (count > rescued)
        push(self, to, newest, last_of(newest, count - rescued), count - rescued);
}

/* ---- when the worker is held ------------------------------------------------------------------------------------- */

bool tri_outbox_waits(struct tri_worker *victim)
{
    const tr_self *self = victim->context;
    return self && tri_outbox_count(ck_pr_load_64(&self->outbox.word)) > ck_pr_load_32(&self->outbox.rescued);
}

void tri_outbox_rescue(struct tri_worker *victim, struct tri_worker *worker)
{
    struct tri_outbox *box = &((tr_self *)victim->context)->outbox;
    uint64_t word = ck_pr_load_64(&box->word);
    ck_pr_fence_acquire(); /* the messages, and whom they are for; pairs with tri_outbox_add() and tri_outbox_begin() */
    uint32_t count = tri_outbox_count(word), before = box->rescued;
    if (count <= before)
        return;
    tr_msg *newest = tri_outbox_newest(word), *oldest = before ? last_of(newest, count - before) : box->oldest;
    ck_pr_store_32(&box->rescued, count);
    push(worker->context, box->to, newest, oldest, count - before);
}
