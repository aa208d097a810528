/*
 * A link is two promises: one element in the list of each side, each with the id of the other. When a side ends, its own
 * element becomes the tr_exited that the other side gets. Both are made when the link is, by the same side, so the end of
 * either needs no memory.
 *
 * A message about a link (LINK, UNLINK, EXITED) carries the id of the receiver's element, never only who sends it. So what
 * is on its way about a link that has been severed finds nothing, and cannot hit one that was made meanwhile. There are at
 * most two links between two actors, one made by each side:
 *
 *   tr_link    makes one, unless the actor holds one of its own making already: LINK
 *   LINK       is held, whatever else is; by nobody: EXITED back, in the same memory
 *   tr_unlink  lets go of all links with the other: UNLINK for each, in its own memory
 *   UNLINK     lets go of that one, if it is held
 *   the end    of an incarnation: EXITED for each
 *   EXITED     if that one is held: lets go of all with the other, UNLINK for each of the rest, and tells once
 *
 * No acknowledgements are needed, since messages between two actors keep their order: so none of the three may go by
 * another lane, or past an outbox. A link that crosses an unlink stands, on both sides. tests/model/link.pml has all this.
 */
#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_exited);

/* ---- the links of an actor --------------------------------------------------------------------------------------- */

enum { FEW = 8 }; /* so many are looked through one by one */

struct tri_links {
    struct cork_dllist list;
    struct tri_bag bag; /* their numbers, by the other actor: where there are more than a few, and there was memory */
    uint32_t count;
    tri_tag tag;
};

static struct tri_promise *promise_of(tr_msg *m)
{
    return (struct tri_promise *)(void *)m;
}

static uint32_t hash(uint32_t number)
{
    return tri_bag_mix(tri_promise_at(number)->other.bits);
}

static struct tri_links *links_of(struct tri_slot *slot)
{
    tri_tag tag;
    struct tri_cold *cold = tri_cold(slot);
    if (!cold || cold->links)
        return cold ? cold->links : NULL;
    struct tri_links *links = tri_block_get(sizeof *links, &tag);
    if (!links)
        return NULL;
    *links = (struct tri_links){ .tag = tag };
    cork_dllist_init(&links->list);
    return cold->links = links;
}

void tri_links_free(struct tri_cold *cold)
{
    if (!cold->links)
        return;
    tri_bag_empty(&cold->links->bag);
    tri_block_put(cold->links, cold->links->tag);
    cold->links = NULL;
}

bool tri_link_any(const struct tri_cold *cold)
{
    return cold->links && cold->links->count;
}

/* One with this actor, made by the holder, or by either. */
static struct tri_promise *find(const struct tri_cold *cold, tr_ref other, bool made)
{
    const struct tri_links *links = cold ? cold->links : NULL;
    if (!links || !links->count)
        return NULL;
    const struct tri_bag *bag = &links->bag;
    if (!bag->places) {
        for (struct cork_dllist_item *at = links->list.head.next; at != &links->list.head; at = at->next) {
            struct tri_promise *promise = tri_container_of(at, struct tri_promise, held);
            if (tr_ref_eq(promise->other, other) && promise->made >= made)
                return promise;
        }
        return NULL;
    }
    for (uint32_t at = tri_bag_at(bag, tri_bag_mix(other.bits)); bag->places[at]; at = tri_bag_at(bag, at + 1)) {
        struct tri_promise *promise = tri_promise_at(bag->places[at]);
        if (tr_ref_eq(promise->other, other) && promise->made >= made)
            return promise;
    }
    return NULL;
}

/* The one that a message is about; NULL when the running actor has let go of it. */
static struct tri_promise *held(const tr_self *self, uint64_t id)
{
    struct tri_promise *promise = tri_promise_find(id);
    return promise && promise->kind == TRI_PROMISE_LINK && tr_ref_eq(promise->msg.from, self->me) ? promise : NULL;
}

/* Finding them is only slower without the memory for a bag. */
static void put_into_bag(struct tri_links *links, struct tri_promise *promise)
{
    if (links->bag.places) {
        if (!tri_bag_add(&links->bag, hash, (uint32_t)promise->msg.call))
            tri_bag_empty(&links->bag);
        return;
    }
    if (links->count <= FEW)
        return;
    for (struct cork_dllist_item *at = links->list.head.next; at != &links->list.head; at = at->next)
        if (!tri_bag_add(&links->bag, hash, (uint32_t)tri_container_of(at, struct tri_promise, held)->msg.call)) {
            tri_bag_empty(&links->bag);
            return;
        }
}

static void hold(struct tri_links *links, struct tri_promise *promise, tr_ref holder, tr_ref other)
{
    promise->msg.from = holder;
    promise->other = other;
    cork_dllist_add_to_tail(&links->list, &promise->held);
    links->count++;
    put_into_bag(links, promise);
}

/* Lets go of it; from here on its id finds nothing. */
static void unhold(struct tri_links *links, struct tri_promise *promise)
{
    tri_bag_remove(&links->bag, hash, (uint32_t)promise->msg.call);
    cork_dllist_remove(&promise->held);
    promise->held.next = NULL;
    links->count--;
    tri_promise_retire(promise);
}

/* ---- what is sent ------------------------------------------------------------------------------------------------ */

static void link_arrived(tr_self *self, tr_msg *m);
static void link_found_nobody(tr_self *self, tr_ref to, tr_msg *m);
static void unlinked(tr_self *self, tr_msg *m);
static void exited(tr_self *self, tr_msg *m);
static void found_nobody(tr_self *self, tr_ref to, tr_msg *m);

static const struct tri_runtime_type link_type =
    TRI_RUNTIME_TYPE("tr_link", .handle = link_arrived, .undeliverable = link_found_nobody);
static const struct tri_runtime_type unlink_type =
    TRI_RUNTIME_TYPE("tr_unlink", .handle = unlinked, .undeliverable = found_nobody);
static const struct tri_runtime_type exited_runtime_type =
    TRI_RUNTIME_TYPE("tr_exited", .handle = exited, .undeliverable = found_nobody);

/* Sends an element that is in no list. */
static void deliver(tr_self *self, struct tri_promise *promise, tr_ref from, tr_ref to, const struct tri_runtime_type *type)
{
    promise->msg.type = &type->type;
    promise->msg.from = from;
    promise->msg.flags_ |= TRI_MSG_RUNTIME;
    tri_deliver(self, to, &promise->msg);
}

/* The news that `who` has ended. */
static void tell(tr_self *self, struct tri_promise *promise, tr_ref to, tr_ref who, int reason)
{
    promise->exited = (tr_exited){ .who = who, .reason = reason };
    deliver(self, promise, who, to, &exited_runtime_type);
}

static void found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    (void)self;
    (void)to;
    tri_promise_free(promise_of(m));
}

static void sever_all(tr_self *self, tr_ref other)
{
    struct tri_cold *cold = self->slot->cold;
    for (struct tri_promise *mine; (mine = find(cold, other, false));) {
        unhold(cold->links, mine);
        deliver(self, mine, self->me, other, &unlink_type);
    }
}

/* ---- linking ----------------------------------------------------------------------------------------------------- */

/* The two elements of a link; false when there is no memory. */
static bool make(tr_self *self, struct tri_promise **mine, struct tri_promise **its)
{
    *mine = tri_promise_alloc(self, TRI_PROMISE_LINK, &link_type.type, self->me);
    *its = *mine ? tri_promise_alloc(self, TRI_PROMISE_LINK, &link_type.type, self->me) : NULL;
    if (*its) {
        (*mine)->peer = (*its)->msg.call;
        (*its)->peer = (*mine)->msg.call;
        (*mine)->made = true;
        (*its)->made = false;
    } else if (*mine) {
        tri_promise_free(*mine);
    }
    return *its;
}

int tr_link(tr_self *self, tr_ref other)
{
    struct tri_promise *mine, *its;
    tri_check_self(self, "tr_link");
    if (tr_ref_eq(other, self->me) || find(self->slot->cold, other, true))
        return 0;
    struct tri_links *links = links_of(self->slot);
    if (!links || !make(self, &mine, &its))
        return TR_ENOMEM;
    hold(links, mine, self->me, other);
    its->held.next = NULL;
    deliver(self, its, self->me, other, &link_type);
    return 0;
}

/* For an actor that has not had its first turn: both sides are tied at once. */
int tri_link_attach(tr_self *self, struct tri_slot *slot)
{
    struct tri_promise *mine, *its;
    struct tri_links *links = links_of(self->slot), *its_links = links_of(slot);
    if (!links || !its_links || !make(self, &mine, &its))
        return TR_ENOMEM;
    hold(links, mine, self->me, tri_slot_ref(slot));
    hold(its_links, its, tri_slot_ref(slot), self->me);
    return 0;
}

static void link_arrived(tr_self *self, tr_msg *m)
{
    struct tri_links *links = links_of(self->slot);
    if (links)
        hold(links, promise_of(m), self->me, m->from);
    else
        tell(self, promise_of(m), m->from, self->me, TR_ENOMEM);
}

static void link_found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    tell(self, promise_of(m), m->from, to, tri_reason_of(self, to));
}

/* ---- unlinking --------------------------------------------------------------------------------------------------- */

void tr_unlink(tr_self *self, tr_ref other)
{
    tri_check_self(self, "tr_unlink");
    sever_all(self, other);
}

static void unlinked(tr_self *self, tr_msg *m)
{
    struct tri_promise *mine = held(self, promise_of(m)->peer);
    if (mine) {
        unhold(self->slot->cold->links, mine);
        tri_promise_free(mine);
    }
    tri_promise_free(promise_of(m));
}

/* ---- the end of one ---------------------------------------------------------------------------------------------- */

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
    struct tri_promise *news = promise_of(m), *mine = held(self, news->peer);
    int reason = news->exited.reason;

    if (!mine) { /* unlinked meanwhile */
        tri_promise_free(news);
        return;
    }
    unhold(self->slot->cold->links, mine);
    tri_promise_free(mine);
    sever_all(self, news->exited.who);
    if (self->slot->spec->trap_exits && self->slot->status == TRI_ALIVE) {
        trap(self, news);
        return;
    }
    tri_promise_free(news);
    if (reason < 0 && self->slot->status == TRI_ALIVE)
        tri_end(self, reason);
}

tr_msg *tri_link_take(struct tri_cold *cold)
{
    tr_msg *news = NULL, **end = &news;
    if (!cold->links)
        return NULL;
    tri_bag_empty(&cold->links->bag); /* none has to be found any more */
    while (!cork_dllist_is_empty(&cold->links->list)) {
        struct tri_promise *promise = tri_container_of(cork_dllist_start(&cold->links->list), struct tri_promise, held);
        unhold(cold->links, promise);
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

/* ---- a check ----------------------------------------------------------------------------------------------------- */

static bool both_hold(const struct tri_promise *mine)
{
    struct tri_slot *slot = tri_slot_find(mine->other);
    const struct tri_promise *its = tri_promise_find(mine->peer);
    if (slot && slot->status == TRI_RESTARTING)
        return true; /* what was sent to it waits */
    return its && its->kind == TRI_PROMISE_LINK && tr_ref_eq(its->msg.from, mine->other) &&
        tr_ref_eq(its->other, mine->msg.from) && its->peer == mine->msg.call && its->made != mine->made;
}

tr_ref tri_link_check(void)
{
    uint32_t slots = tri_table_chunks(&tri_slots) << TRI_TABLE_CHUNK_BITS;
    for (uint32_t i = 1; i < slots; i++) {
        struct tri_slot *slot = tri_slot_at(i);
        if (slot->box.word == TRI_WORD_CLOSED || !slot->cold || !slot->cold->links)
            continue;
        struct cork_dllist *list = &slot->cold->links->list;
        for (struct cork_dllist_item *at = cork_dllist_start(list); !cork_dllist_is_end(list, at); at = at->next)
            if (!both_hold(tri_container_of(at, struct tri_promise, held)))
                return tri_slot_ref(slot);
    }
    return TR_NOBODY;
}
