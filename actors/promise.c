#include "actors/promise.h"

#include "actors/self.h"

static void *promise_chunks[TRI_SLOTS_MAX >> TRI_TABLE_CHUNK_BITS];

/* msg.call is the id: number | generation << 32, always, so that a stale id is told from a live one. */
static void init(void *element, uint32_t number)
{
    struct tri_promise *promise = element;
    promise->msg.call = ((uint64_t)tri_slot_generation_first + 1) << 32 | number;
}

struct tri_table tri_promises = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .chunks = promise_chunks,
    .chunks_max = sizeof promise_chunks / sizeof promise_chunks[0],
    .element_size = sizeof(struct tri_promise),
    .init = init,
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

struct tri_promise *tri_promise_alloc(tr_self *self, enum tri_promise_kind kind, const tr_type *type, tr_ref from)
{
    struct tri_promise *promise = tri_cache_get(&tri_promises, &self->promises);
    if (!promise)
        return NULL;
    tri_unpoison(promise->body, sizeof promise->body);
    promise->msg.from = from;
    promise->msg.type = type;
    promise->msg.deadline_ = 0;
    promise->msg.cause_ = 0;
    promise->msg.flags_ = TRI_MSG_EXEMPT | TRI_MEMORY_PROMISE << TRI_MSG_MEMORY_SHIFT;
    memset(promise->body, 0, sizeof promise->body);
    promise->drop = NULL;
    promise->period = 0;
    promise->kind = (uint8_t)kind;
    promise->expired = true;
    promise->worker = self->worker->index;
    ck_pr_store_32(&promise->state, TRI_ARMED);
    return promise;
}

struct tri_promise *tri_promise_new(tr_self *self, enum tri_promise_kind kind, const tr_type *type)
{
    struct tri_cold *cold = tri_cold(self->slot);
    struct tri_promise *promise = cold ? tri_promise_alloc(self, kind, type, self->me) : NULL;
    if (promise)
        cork_dllist_add_to_tail(&cold->held, &promise->held);
    return promise;
}

/* Generation 0 is that of an element whose ids are used up. It is not given out again: an id that somebody has kept since
 * the first of them would name a stranger. */
static bool used_up(const struct tri_promise *promise)
{
    return promise->msg.call >> 32 == 0;
}

void tri_promise_retire(struct tri_promise *promise)
{
    uint64_t next = promise->msg.call + ((uint64_t)1 << 32);
    if (!used_up(promise))
        ck_pr_store_64(&promise->msg.call, next); /* read by tri_promise_find on any thread */
}

void tri_promise_free(struct tri_promise *promise)
{
    tr_self *self = tri_worker_here ? tri_worker_here->context : NULL;
    tri_promise_retire(promise);
    tri_poison(promise->body, sizeof promise->body);
    if (used_up(promise)) {
        tri_table_retire(&tri_promises);
        return;
    }
    if (self) {
        tri_cache_put(&tri_promises, &self->promises, promise);
    } else {
        struct tri_cache one = { 0 };
        tri_cache_put(&tri_promises, &one, promise);
        tri_table_empty(&tri_promises, &one);
    }
}

/* ---- the holder's steps ------------------------------------------------------------------------------------------ */

static void unhold(struct tri_promise *promise)
{
    cork_dllist_remove(&promise->held);
    promise->held.next = NULL;
}

struct tri_promise *tri_promise_find(uint64_t id)
{
    uint32_t number = (uint32_t)id;
    if (number >> TRI_TABLE_CHUNK_BITS >= tri_table_chunks(&tri_promises))
        return NULL;
    struct tri_promise *promise = tri_promise_at(number);
    if (ck_pr_load_64(&promise->msg.call) != id)
        return NULL; /* stale; the element may be anybody's now */
    return promise->held.next ? promise : NULL;
}

/* A dropped promise that was still to come: its keeper has to let go of it. The keeper of a monitor that was only asked for,
 * and that of a job, may have done so already, and the element be another promise: its kind was read before. */
static void tell_keeper(tr_self *self, struct tri_promise *promise, enum tri_promise_kind kind, uint32_t was)
{
    switch (kind) {
    case TRI_PROMISE_TIMER:
    case TRI_PROMISE_CALL:
        if (promise->worker != self->worker->index) {
            tri_worker_errand(self->system->sched.workers[promise->worker], (struct ck_stack_entry *)&promise->msg.next_);
            return;
        }
        tri_possession_enter(&self->worker->possession);
        if (!promise->expired)
            tri_wheel_cancel(&self->worker->wheel, &promise->timer);
        tri_possession_leave(&self->worker->possession);
        tri_promise_free(promise);
        return;
    case TRI_PROMISE_MONITOR:
        if (was == TRI_ARMED)
            tri_monitor_recall(self, promise);
        return;                   /* else the request is on its way, and the monitored actor will find it dropped */
    case TRI_PROMISE_JOB: return; /* the pool's thread will find it dropped */
    case TRI_PROMISE_LINK: tri_promise_free(promise); return;
    }
}

void tri_promise_drop(tr_self *self, struct tri_promise *promise)
{
    enum tri_promise_kind kind = (enum tri_promise_kind)promise->kind;
    uint32_t was = ck_pr_load_32(&promise->state);
    unhold(promise);
    /* Now: once its keeper can free it, it may be anybody's, and whoever looks for it must not look at it. */
    tri_promise_retire(promise);
    ck_pr_fence_release(); /* out of the list and stale before DROPPED; pairs with those who then free it */
    do {
        if (was == TRI_KEPT) {
            ck_pr_store_32(&promise->state, TRI_DROPPED); /* whoever gets the message frees it */
            return;
        }
    } while (!ck_pr_cas_32_value(&promise->state, was, TRI_DROPPED, &was));
    ck_pr_fence_acquire(); /* pairs with the keeper's release fence when it set ARMED */
    tell_keeper(self, promise, kind, was);
}

void tri_promise_drop_all(tr_self *self, struct tri_cold *cold)
{
    while (!cork_dllist_is_empty(&cold->held))
        tri_promise_drop(self, tri_container_of(cork_dllist_start(&cold->held), struct tri_promise, held));
}

/* The call that an answer is for; NULL: it is not out any more. */
static struct tri_promise *call_of(const tr_self *self, const tr_msg *answer)
{
    struct tri_promise *promise = tri_promise_find(answer->call);
    return promise && promise->kind == TRI_PROMISE_CALL && tr_ref_eq(promise->msg.from, self->me) ? promise : NULL;
}

/* The time of a call was up when its answer was about to be handled, though its timer, in the wheel of a worker that is held
 * perhaps, has not said so: the answer is late, and the failure takes its place, in its memory. */
static void fail(tr_self *self, const struct tri_promise *promise, tr_msg *answer)
{
    if (answer->type->drop)
        answer->type->drop(tri_msg_body(answer));
    answer->type = &tr_failed_type;
    answer->from = self->me;
    *(tr_failed *)tri_msg_body(answer) = promise->failed;
    tri_count(&self->counters.fate[TRI_EXPIRED]);
    tri_count(&self->counters.sent);
}

bool tri_promise_arrive(tr_self *self, tr_msg *m, tr_router **router)
{
    bool own = tri_msg_memory(m) == TRI_MEMORY_PROMISE;
    struct tri_promise *promise = own ? (struct tri_promise *)(void *)m : call_of(self, m);
    if (!promise || (own && ck_pr_load_32(&promise->state) == TRI_DROPPED))
        return false;
    bool routed = promise->kind == TRI_PROMISE_CALL || promise->kind == TRI_PROMISE_JOB;
    if (routed && promise->then)
        *router = promise->then;
    if (!own) {
        if (promise->timer.deadline <= tri_worker_now(self->worker) && m->type != &tr_failed_type)
            fail(self, promise, m);
        tri_promise_drop(self, promise); /* on another worker it may be somebody else's from here on */
        return true;
    }
    if (!(promise->kind == TRI_PROMISE_TIMER && promise->period))
        unhold(promise);
    if (promise->kind == TRI_PROMISE_JOB)
        promise->drop = NULL; /* what the message carries is the handler's now */
    return true;
}

/* The message of a promise has been handled, or nobody will handle it. */
static void release(tr_msg *m)
{
    struct tri_promise *promise = (struct tri_promise *)(void *)m;
    bool dropped = ck_pr_load_32(&promise->state) == TRI_DROPPED;

    if (dropped)
        ck_pr_fence_acquire(); /* pairs with the release fence in tri_promise_drop, by whichever worker it was */
    if (promise->kind == TRI_PROMISE_TIMER && promise->period && !dropped) {
        tri_timer_again(tri_worker_here->context, promise);
        return;
    }
    if (promise->kind == TRI_PROMISE_JOB && promise->drop)
        promise->drop(promise->blocked.arg);
    tri_promise_free(promise);
}

void tri_promise_init(void)
{
    tri_msg_release[TRI_MEMORY_PROMISE] = release;
}

/* ---- the keeper's steps ------------------------------------------------------------------------------------------ */

void tri_promise_push(tr_self *self, struct tri_promise *promise)
{
    tri_deliver(self, promise->kind == TRI_PROMISE_MONITOR ? promise->holder : promise->msg.from, &promise->msg);
}

void tri_promise_arm(tr_self *self, struct tri_promise *promise, int64_t deadline)
{
    promise->worker = self->worker->index;
    promise->expired = deadline == TR_FOREVER;
    promise->timer.deadline = deadline;
    if (!promise->expired)
        tri_worker_arm(self->worker, &promise->timer);
}

void tri_promise_fire(struct tri_timer *timer, void *worker_)
{
    struct tri_worker *worker = worker_;
    struct tri_promise *promise = tri_container_of(timer, struct tri_promise, timer);
    promise->expired = true;
    if (tri_promise_keep(promise))
        tri_promise_push(worker->context, promise);
    /* else the holder has dropped it, and its errand is on the way */
}

bool tri_promise_stays(struct tri_timer *timer, struct tri_worker *victim)
{
    const struct tri_promise *promise = tri_container_of(timer, struct tri_promise, timer);
    struct tri_slot *slot = tri_slot_find(promise->msg.from);
    return slot && ck_pr_load_16(&slot->run.home) == victim->index;
}

void tri_promise_errand(struct tri_worker *worker, struct ck_stack_entry *errand)
{
    tr_msg *m = tri_container_of((void *)errand, tr_msg, next_);
    struct tri_promise *promise = (struct tri_promise *)(void *)m;
    if (!promise->expired)
        tri_wheel_cancel(&worker->wheel, &promise->timer);
    tri_promise_free(promise);
}
