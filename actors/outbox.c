#include "actors/self.h"

/* Whether messages to this actor may be held: it is busy, and far from full. */
static bool busy(const struct tri_slot *slot)
{
    uint64_t word = ck_pr_load_64(&slot->box.word);
    ck_pr_fence_load(); /* a backlog not older than the word; see tri_mailbox_try_push */
    return !(word & TRI_WORD_IDLE) && /* nor closed */
        ck_pr_load_32(&slot->box.backlog) + tri_word_count(word) + TRI_OUTBOX_MAX <= ck_pr_load_32(&slot->box.bound) / 2;
}

bool tri_outbox_begin(tr_self *self, struct tri_slot *slot, tr_msg *m)
{
    struct tri_outbox *box = &self->outbox;
    if (slot == self->slot || !busy(slot))
        return false;
    box->slot = slot;
    box->newest = box->oldest = m;
    box->room = TRI_OUTBOX_MAX - 1;
    m->next_ = NULL;
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

void tri_outbox_push(tr_self *self)
{
    if (tri_unlikely(tri_worker_here != self->worker))
        tri_panic("a handler goes on in a child of fork(): it must end there, by exec or _exit");
    struct tri_outbox *box = &self->outbox;
    tr_ref to = box->to; /* dead letters are sent, too */
    struct tri_slot *slot = tri_slot_find(to); /* it may be another's by now */
    enum tri_push pushed = TRI_PUSH_CLOSED;
    uint32_t count = TRI_OUTBOX_MAX - box->room;

    box->room = 0;
    self->holds = false;
    self->usual = self->system->number;
    ck_pr_store_64(&self->counters.sent, self->counters.sent + count);
    if (tri_likely(slot != NULL))
        pushed = tri_mailbox_push_chain(&slot->box, box->newest, box->oldest, count);
    if (pushed == TRI_PUSHED_IDLE)
        tri_worker_schedule(self->worker, &slot->run);
    if (tri_likely(pushed != TRI_PUSH_CLOSED))
        return;
    box->oldest->next_ = NULL; /* the push may have linked it to what came before, and then found the mailbox closed */
    for (tr_msg *m = oldest_first(box->newest), *next; m; m = next) {
        next = m->next_;
        tri_dead(self, NULL, to, m, TR_EDOWN);
    }
}
