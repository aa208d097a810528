/*
 * A link is two promises, one in the list of each side. When a side ends, its own element becomes the tr_exited that the
 * other side gets, which takes its element out. Both are made when the link is, so the end of either needs no memory.
 */
#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_exited);

static struct tri_promise *promise_of(tr_msg *m)
{
    return (struct tri_promise *)(void *)m;
}

static struct tri_promise *find(const struct tri_cold *cold, tr_ref other)
{
    if (!cold)
        return NULL;
    for (struct cork_dllist_item *at = cold->held.head.next; at != &cold->held.head; at = at->next) {
        struct tri_promise *promise = tri_container_of(at, struct tri_promise, held);
        if (promise->kind == TRI_PROMISE_LINK && tr_ref_eq(promise->other, other))
            return promise;
    }
    return NULL;
}

static void hold(struct tri_cold *cold, struct tri_promise *promise, tr_ref other)
{
    promise->other = other;
    cork_dllist_add_to_tail(&cold->held, &promise->held);
}

static void unhold(struct tri_promise *promise)
{
    cork_dllist_remove(&promise->held);
    promise->held.next = NULL;
}

bool tri_link_any(const struct tri_cold *cold)
{
    for (struct cork_dllist_item *at = cold->held.head.next; at != &cold->held.head; at = at->next)
        if (tri_container_of(at, struct tri_promise, held)->kind == TRI_PROMISE_LINK)
            return true;
    return false;
}

/* ---- the end of one ---------------------------------------------------------------------------------------------- */

static void exited(tr_self *self, tr_msg *m);
static void exited_nobody(tr_self *self, tr_ref to, tr_msg *m);

static const struct tri_runtime_type exited_runtime_type =
    TRI_RUNTIME_TYPE("tr_exited", .handle = exited, .undeliverable = exited_nobody);

/* Sends an element that is in no list as the news that `who` has ended. */
static void tell(tr_self *self, struct tri_promise *promise, tr_ref to, tr_ref who, int reason)
{
    promise->msg.type = &exited_runtime_type.type;
    promise->msg.from = who;
    promise->msg.flags_ |= TRI_MSG_RUNTIME;
    promise->exited = (tr_exited){ .who = who, .reason = reason };
    tri_deliver(self, to, &promise->msg);
}

/* Hands the news to the handler of an actor that traps exits: the same memory, as an ordinary message. */
static void trap(tr_self *self, struct tri_promise *promise)
{
    promise->msg.type = &tr_exited_type;
    promise->msg.flags_ &= (uint16_t)~TRI_MSG_RUNTIME;
    promise->state = TRI_KEPT;
    cork_dllist_add_to_tail(&self->slot->cold->held, &promise->held); /* tri_promise_arrive takes it out again */
    tri_count(&self->counters.sent);
    tri_handle(self, &promise->msg);
}

static void exited(tr_self *self, tr_msg *m)
{
    struct tri_promise *news = promise_of(m), *mine = find(self->slot->cold, news->exited.who);
    int reason = news->exited.reason;

    if (!mine) { /* unlinked meanwhile */
        tri_promise_free(news);
        return;
    }
    unhold(mine);
    tri_promise_free(mine);
    if (self->slot->spec->trap_exits && self->slot->status == TRI_ALIVE) {
        trap(self, news);
        return;
    }
    tri_promise_free(news);
    if (reason < 0 && self->slot->status == TRI_ALIVE)
        tri_end(self, reason);
}

static void exited_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    (void)self;
    (void)to;
    tri_promise_free(promise_of(m));
}

tr_msg *tri_link_take(struct tri_cold *cold)
{
    struct cork_dllist_item *at, *next;
    tr_msg *news = NULL, **end = &news;
    for (at = cold->held.head.next; at != &cold->held.head; at = next) {
        struct tri_promise *promise = tri_container_of(at, struct tri_promise, held);
        next = at->next;
        if (promise->kind != TRI_PROMISE_LINK)
            continue;
        unhold(promise);
        *end = &promise->msg;
        end = &promise->msg.next_;
    }
    *end = NULL;
    return news;
}

void tri_link_tell(tr_self *self, tr_msg *news, int reason)
{
    for (tr_msg *next; news; news = next) {
        next = news->next_;
        tell(self, promise_of(news), promise_of(news)->other, self->me, reason);
    }
}

/* ---- linking ----------------------------------------------------------------------------------------------------- */

static void link_arrived(tr_self *self, tr_msg *m)
{
    struct tri_cold *cold = tri_cold(self->slot);
    tr_ref other = m->from;
    if (!cold)
        tell(self, promise_of(m), other, self->me, TR_ENOMEM);
    else if (find(cold, other))
        tri_promise_free(promise_of(m)); /* both sides asked at the same time */
    else
        hold(cold, promise_of(m), other);
}

static void link_found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    tell(self, promise_of(m), m->from, to, tri_reason_of(self, to));
}

static const struct tri_runtime_type link_type =
    TRI_RUNTIME_TYPE("tr_link", .handle = link_arrived, .undeliverable = link_found_nobody);

int tr_link(tr_self *self, tr_ref other)
{
    tri_check_self(self, "tr_link");
    struct tri_cold *cold = tri_cold(self->slot);
    if (tr_ref_eq(other, self->me) || find(cold, other))
        return 0;
    struct tri_promise *mine = cold ? tri_promise_alloc(self, TRI_PROMISE_LINK, &link_type.type, self->me) : NULL;
    struct tri_promise *its = mine ? tri_promise_alloc(self, TRI_PROMISE_LINK, &link_type.type, self->me) : NULL;
    if (!its) {
        if (mine)
            tri_promise_free(mine);
        return TR_ENOMEM;
    }
    hold(cold, mine, other);
    its->held.next = NULL;
    its->msg.flags_ |= TRI_MSG_RUNTIME;
    tri_deliver(self, other, &its->msg);
    return 0;
}

/* For an actor that has not had its first turn: both sides are tied at once. */
int tri_link_attach(tr_self *self, struct tri_slot *slot)
{
    struct tri_cold *cold = tri_cold(self->slot), *its_cold = tri_cold(slot);
    bool room = cold && its_cold;
    struct tri_promise *mine = room ? tri_promise_alloc(self, TRI_PROMISE_LINK, &link_type.type, self->me) : NULL;
    struct tri_promise *its = mine ? tri_promise_alloc(self, TRI_PROMISE_LINK, &link_type.type, tri_slot_ref(slot)) : NULL;
    if (!its) {
        if (mine)
            tri_promise_free(mine);
        return TR_ENOMEM;
    }
    hold(cold, mine, tri_slot_ref(slot));
    hold(its_cold, its, self->me);
    return 0;
}

/* ---- unlinking --------------------------------------------------------------------------------------------------- */

static void unlink_arrived(tr_self *self, tr_msg *m)
{
    struct tri_promise *mine = find(self->slot->cold, m->from);
    if (mine) {
        unhold(mine);
        tri_promise_free(mine);
    }
    tri_promise_free(promise_of(m));
}

static const struct tri_runtime_type unlink_type =
    TRI_RUNTIME_TYPE("tr_unlink", .handle = unlink_arrived, .undeliverable = exited_nobody);

void tr_unlink(tr_self *self, tr_ref other)
{
    tri_check_self(self, "tr_unlink");
    struct tri_promise *mine = find(self->slot->cold, other);
    if (!mine)
        return;
    unhold(mine);
    mine->msg.type = &unlink_type.type;
    mine->msg.from = self->me;
    mine->msg.flags_ |= TRI_MSG_RUNTIME;
    tri_deliver(self, other, &mine->msg);
}
