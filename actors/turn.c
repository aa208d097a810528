/* One turn of an actor: from its mailbox to its handler. */
#include "actors/promise.h"
#include "actors/self.h"
#include "sched/log.h"

/* Flags of messages that need more than to be handed to the handler and released. */
enum {
    SPECIAL = TRI_MSG_RUNTIME | TRI_MSG_OVERFLOW | TRI_MSG_BULK | TRI_MSG_REQUEST | TRI_MSG_ANSWER | TRI_MSG_RETURNS |
        TRI_MSG_MEMORY | TRI_MSG_INCARNATION
};

static void verdict(tr_self *self, int answer)
{
    if (tri_likely(answer == TR_CONTINUE))
        return;
    if (answer > TR_STOP)
        tri_panic("a handler answered %d: it must be TR_CONTINUE, TR_STOP or a negative error", answer);
    tri_end(self, answer == TR_STOP ? 0 : answer);
}

/* The handler of m, which is gone by now, did not answer TR_CONTINUE. */
static TRI_COLD void ended(tr_self *self, const tr_msg *m, struct tri_fatal about, int answer)
{
    self->fatal = m;
    self->fatal_about = about;
    verdict(self, answer);
    self->fatal = NULL;
    self->fatal_about = (struct tri_fatal){ 0 };
}

TRI_INLINE int call(tr_self *self, struct tri_slot *slot, const tr_msg *m, tr_router *router)
{
    self->current = m;
    ck_pr_store_ptr(&self->type, m->type);
    self->history[self->counters.delivered % TRI_HISTORY] = m->type;
    self->after = 0;
    int answer = router(self, slot->state, m);
    self->current = NULL;
    tri_count(&self->counters.delivered);
    return answer;
}

/* A handler has returned: what becomes of its message, and of those that it has sent. */
TRI_INLINE void finish(tr_self *self, tr_msg *m, int answer)
{
    tri_outbox_flush(self);
    if (self->kept)
        return;
    if (tri_likely(!(m->flags_ & TRI_MSG_REQUEST)) || (self->answered && !self->refused))
        tri_msg_free(m);
    else
        tri_answer_failed(self, self->me, m,
            self->refused           ? self->refused
                : answer < 0        ? TR_ECRASHED
                : answer == TR_STOP ? TR_EDOWN
                                    : TR_EUNANSWERED);
}

static TRI_NOINLINE void finish_slowly(tr_self *self, tr_msg *m, int answer)
{
    finish(self, m, answer);
}

/* Under the policy that stops it then. */
static void full(tr_self *self)
{
    tri_log(TR_LOG_WARNING, "the mailbox is full");
    tri_end(self, TR_EFULL);
}

static void overflowed(tr_self *self, tr_msg *m)
{
    tri_dead(self, NULL, self->me, m, TR_EFULL);
    full(self);
}

/* A request whose time is up is not run; its asker has been told by its own timer, or is about to be. */
static bool admit_request(tr_self *self, tr_msg *m)
{
    self->deadline = 0;
    if (!m->deadline_)
        return true;
    int64_t now = tri_worker_now(self->worker), deadline = tri_deadline_unpack(m, now);
    if (now >= deadline) {
        tri_expire(self, m);
        return false;
    }
    self->deadline = deadline;
    m->call = tri_call_of(m);
    return true;
}

/* Meant for an incarnation that has ended meanwhile: nobody's. */
static void outlived(tr_self *self, tr_msg *m)
{
    if (m->flags_ & TRI_MSG_RUNTIME)
        tri_dead(self, NULL, self->me, m, TR_EDOWN);
    else
        tri_expire(self, m);
}

/* The handler, when the watcher wants it to fail. */
static int crash(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_ECRASHED;
}

static TRI_NOINLINE void handle_special(tr_self *self, struct tri_slot *slot, tr_msg *m)
{
    tr_router *router = slot->spec->receive;

    if (m->flags_ & TRI_MSG_INCARNATION) {
        if (m->deadline_ != slot->incarnation) {
            outlived(self, m);
            return;
        }
        if (!(m->flags_ & (TRI_MSG_RUNTIME | TRI_MSG_OFFER)) && tri_ward_is_hushed(slot, m->from)) {
            m->call = TRI_CALL_UNSEEN;
            tri_expire(self, m);
            return;
        }
    }
    bool fails = self->watched && self->system->config.watcher->handling(self, m);
    if (m->flags_ & TRI_MSG_RUNTIME) {
        ((const struct tri_runtime_type *)m->type)->handle(self, m);
        return;
    }
    if (m->flags_ & TRI_MSG_BULK)
        tri_mailbox_sub_bulk(&slot->box, m->generation_, tri_msg_bulk(m));
    if (m->flags_ & TRI_MSG_OVERFLOW) {
        overflowed(self, m);
        return;
    }
    if (m->flags_ & TRI_MSG_ANSWER || tri_msg_memory(m) == TRI_MEMORY_PROMISE) {
        if (!tri_promise_arrive(self, m, &router)) {
            tri_expire(self, m);
            return;
        }
    }
    if (m->flags_ & TRI_MSG_REQUEST && !admit_request(self, m))
        return;
    struct tri_fatal about = { m->type, m->from };
    int answer = call(self, slot, m, fails ? crash : router);
    finish(self, m, answer);
    self->answered = false;
    self->refused = 0;
    if (answer != TR_CONTINUE)
        ended(self, m, about, answer);
    self->deadline = 0;
}

/* The same for an ordinary message whose handler did not answer TR_CONTINUE: whether the actor is still there, and alive. */
static TRI_COLD bool handle_last(tr_self *self, struct tri_slot *slot, tr_msg *m, int answer)
{
    struct tri_fatal about = { m->type, m->from };
    finish(self, m, answer);
    ended(self, m, about, answer);
    return self->slot && slot->status == TRI_ALIVE;
}

static TRI_COLD void handle_late(tr_self *self, tr_msg *m)
{
    tri_dead(self, NULL, tri_ref_make(m->generation_, tri_ref_slot(self->me)), m, TR_EDOWN);
}

/* Handles a message, which is gone then: whether the actor is there, and alive. */
TRI_INLINE bool handle(tr_self *self, struct tri_slot *slot, tr_msg *m, bool watched)
{
    if (tri_unlikely(m->generation_ != slot->box.generation)) {
        handle_late(self, m);
        return slot->status == TRI_ALIVE;
    }
    if (tri_unlikely(m->flags_ & SPECIAL || watched)) {
        handle_special(self, slot, m);
        return self->slot && slot->status == TRI_ALIVE;
    }
    int answer = call(self, slot, m, slot->spec->receive);
    if (tri_unlikely(answer != TR_CONTINUE))
        return handle_last(self, slot, m, answer);
    if (tri_likely(!self->after)) {
        if (m->type->drop)
            m->type->drop(tri_msg_body(m));
        tri_pool_put(self->pool, m, m->block_);
    } else {
        finish_slowly(self, m, answer);
    }
    return true;
}

void tri_handle(tr_self *self, tr_msg *m)
{
    handle(self, self->slot, m, self->watched);
}

static void take_signals(tr_self *self, struct tri_slot *slot)
{
    unsigned signals = tri_slot_take_signals(slot);
    const struct tri_actor *internal = tri_internal(slot->spec);
    if (signals & TRI_SIGNAL_DISMISS)
        slot->flags |= TRI_SLOT_STOPPING;
    if (signals & TRI_SIGNAL_KILL)
        tri_end(self, TR_EKILLED);
    else if (signals & TRI_SIGNAL_FULL && slot->status == TRI_ALIVE)
        full(self);
    else if (slot->flags & TRI_SLOT_ORDERED && slot->in_flight == 0)
        tri_start_again(self);
    else if (signals & ~(unsigned)TRI_SIGNAL_DISMISS && internal && internal->signaled && slot->status != TRI_RESTARTING)
        verdict(self, internal->signaled(self, slot->state, signals));
}

static void settle(tr_self *self, struct tri_slot *slot)
{
    slot->flags &= (uint8_t)~TRI_SLOT_SETTLE;
    if (slot->status == TRI_ALIVE)
        verdict(self, tri_internal(slot->spec)->settle(self, slot->state));
}

/* More wait than there should: the policies that drop old messages are applied, and that half the bound is passed is logged
 * once. */
static TRI_COLD void crowded(tr_self *self, struct tri_slot *slot)
{
    if (slot->lanes.count > slot->box.bound / 2 && !(slot->flags & TRI_SLOT_WARNED)) {
        slot->flags |= TRI_SLOT_WARNED;
        tri_log(TR_LOG_WARNING, "%u messages wait; the mailbox holds %u", slot->lanes.count, slot->box.bound);
    }
    for (tr_msg *m = tri_mailbox_shed(&slot->box, &slot->lanes), *next; m; m = next) {
        next = m->next_;
        if (m->flags_ & TRI_MSG_BULK)
            tri_mailbox_sub_bulk(&slot->box, m->generation_, tri_msg_bulk(m));
        tri_dead(self, NULL, self->me, m, TR_EREPLACED);
    }
}

static void drain(tr_self *self, struct tri_slot *slot)
{
    if (tri_unlikely(tri_mailbox_drain(&slot->box, &slot->lanes)))
        take_signals(self, slot);
    if (tri_unlikely(slot->lanes.count > slot->box.bound / 2 || tri_mailbox_is_over_bulk(&slot->box)) && self->slot)
        crowded(self, slot);
}

/* Handles what waits in the lanes, but no more than `most`, and no more once the actor is not alive: how many it was. */
TRI_INLINE uint32_t handle_some(tr_self *self, struct tri_slot *slot, uint32_t most)
{
    struct tri_lanes *lanes = &slot->lanes;
    tr_msg *m = slot->status == TRI_RESTARTING ? tri_lanes_pop_system(lanes) : tri_lanes_pop(lanes);
    if (!m)
        return 0;
    const bool normal = !lanes->system && !lanes->urgent, watched = self->watched; /* only a drain adds to lanes */
    uint32_t handled = 1;
    while (tri_likely(handle(self, slot, m, watched)) && handled < most &&
        (m = tri_likely(normal) ? tri_lanes_pop_normal(lanes) : tri_lanes_pop(lanes)))
        handled++;
    return handled;
}

/* Handles up to *left messages: true when none are left, false when the turn is over. self->slot becomes NULL when the
 * actor ends. */
static bool handle_all(tr_self *self, struct tri_slot *slot, struct tri_worker *worker, uint32_t *left)
{
    while (*left > 0) {
        drain(self, slot);
        if (tri_unlikely(!self->slot) || slot->lanes.count == 0)
            return true;
        do {
            uint32_t handled = handle_some(self, slot, *left < worker->glance ? *left : worker->glance);
            bool over = tri_worker_count_messages(worker, handled);
            if (!handled || tri_unlikely(!self->slot))
                return true;
            *left -= handled;
            if (tri_unlikely(over))
                return false;
        } while (*left > 0 && slot->lanes.count > 0 && slot->status == TRI_ALIVE);
    }
    return false;
}

/* What is left of a turn: up to so many messages. */
static TRI_NOINLINE void turn_slowly(tr_self *self, struct tri_slot *slot, struct tri_worker *worker, uint32_t left)
{
    if (tri_worker_count_message(worker) && left > 1)
        left = 1;
    for (uint32_t before = left; self->slot; before = left) {
        bool done = handle_all(self, slot, worker, &left);
        if (done && self->slot && tri_unlikely(slot->flags & TRI_SLOT_SETTLE))
            settle(self, slot);
        if (tri_unlikely(!self->slot))
            return;
        ck_pr_store_32(&slot->run.handled, slot->run.handled + (before - left));
        tri_mailbox_publish(&slot->box, &slot->lanes);
        if (done && !tri_mailbox_idle(&slot->box)) /* something has come */
            continue;
        self->slot = NULL; /* if it is idle it may be running on another worker already */
        if (!done)
            tri_worker_requeue(worker, &slot->run);
    }
}

/* Whether an actor that is not alive is so now: it has started. Else its turn is over. */
static TRI_NOINLINE bool begin_slowly(tr_self *self, struct tri_slot *slot, struct tri_worker *worker)
{
    if (slot->status == TRI_STARTING) {
        tri_worker_count_message(worker);
        tri_start(self);
        if (!self->slot) /* it has ended, and the slot may be another's by now */
            return false;
        if (slot->status == TRI_ALIVE)
            return true;
    }
    turn_slowly(self, slot, worker, worker->turn_messages);
    return false;
}

/* The way of a message that comes alone, as most do, is here; all else is in turn_slowly. */
TRI_INLINE void turn(tr_self *self, struct tri_slot *slot, struct tri_worker *worker, bool watched)
{
    uint32_t handled = 0, left;
    bool over = false;
    tr_msg *m;

    self->slot = slot;
    self->me = tri_slot_ref(slot);
    if (tri_unlikely(slot->status != TRI_ALIVE) && !begin_slowly(self, slot, worker))
        return;
    if (tri_likely(tri_mailbox_take_single(&slot->box, &slot->lanes, &m))) {
        bool alive = handle(self, slot, m, watched);
        if (tri_unlikely(!alive && !self->slot))
            return;
        handled = 1;
        ck_pr_store_32(&slot->run.handled, slot->run.handled + 1);
        over = tri_worker_count_message(worker);
        if (tri_likely(alive && !(slot->flags & TRI_SLOT_SETTLE) && tri_mailbox_idle(&slot->box))) {
            self->slot = NULL; /* it may be running on another worker already */
            return;
        }
    }
    left = worker->turn_messages - handled;
    if (tri_unlikely(over)) /* what waits has another turn; but one that wants to settle looks once more */
        left = left && slot->flags & TRI_SLOT_SETTLE ? 1 : 0;
    turn_slowly(self, slot, worker, left);
}

void tri_turn(struct tri_worker *worker, struct tri_runnable *r)
{
    tr_self *self = worker->context;
    do
        turn(self, tri_container_of(r, struct tri_slot, run), worker, false);
    while ((r = tri_worker_follow(worker)));
}

void tri_turn_watched(struct tri_worker *worker, struct tri_runnable *r)
{
    turn(worker->context, tri_container_of(r, struct tri_slot, run), worker, true);
}
