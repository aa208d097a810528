/*
 * A monitor is a promise: its element travels to the monitored actor as the request to monitor it, stays there in a list,
 * and comes back as the tr_down. On the way there its state is ASKED. A monitored actor that is down already turns the
 * request into the tr_down at once. See promise.h for who frees it.
 */
#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_down);

static struct tri_promise *promise_of(tr_msg *m)
{
    return (struct tri_promise *)(void *)m;
}

/* The answer to a request; false when it was dropped on the way, and is the caller's to free. */
static bool answer(struct tri_promise *promise, enum tri_promise_state state)
{
    ck_pr_fence_release(); /* in the list before ARMED; pairs with the acquire fence in tri_promise_drop */
    if (ck_pr_cas_32(&promise->state, TRI_ASKED, state))
        return true;
    ck_pr_fence_acquire(); /* pairs with the release fence in tri_promise_drop */
    return false;
}

/* Sends a KEPT monitor's tr_down to its holder. */
static void tell(tr_self *self, struct tri_promise *promise, int reason)
{
    promise->msg.type = &tr_down_type;
    promise->msg.from = promise->down.who;
    promise->msg.flags_ &= (uint16_t) ~(TRI_MSG_RUNTIME | TRI_MSG_SYSTEM);
    promise->down.reason = reason;
    if (promise->request) {
        promise->msg.type = &tr_lapsed_type;
        promise->lapsed = (tr_lapsed){ .request = promise->request, .reason = reason == TR_ENOMEM ? reason : TR_EDOWN };
    }
    tri_promise_push(self, promise);
}

/* ---- the request arrives ----------------------------------------------------------------------------------------- */

static void arrived(tr_self *self, tr_msg *m)
{
    struct tri_promise *promise = promise_of(m);
    struct tri_cold *cold = tri_cold(self->slot);
    if (!cold) { /* no memory to remember it by: the monitor is told that, rather than nothing ever */
        if (answer(promise, TRI_KEPT))
            tell(self, promise, TR_ENOMEM);
        else
            tri_promise_free(promise);
        return;
    }
    cork_dllist_add_to_tail(&cold->monitors, &promise->at_target);
    if (!answer(promise, TRI_ARMED)) { /* dropped on the way */
        cork_dllist_remove(&promise->at_target);
        tri_promise_free(promise);
    }
}

static void found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    struct tri_promise *promise = promise_of(m);
    if (answer(promise, TRI_KEPT))
        tell(self, promise, tri_reason_of(self, to));
    else
        tri_promise_free(promise);
}

static const struct tri_runtime_type monitor_type =
    TRI_RUNTIME_TYPE("tr_monitor_set", .handle = arrived, .undeliverable = found_nobody);

/* The id; 0: there was no memory. */
static uint64_t set(tr_self *self, tr_ref who, tr_msg *request)
{
    struct tri_promise *promise = tri_promise_new(self, TRI_PROMISE_MONITOR, &monitor_type.type);
    if (!promise)
        return 0;
    uint64_t id = promise->msg.call;
    promise->down.who = who;
    promise->request = request;
    promise->holder = self->me;
    promise->msg.flags_ |= TRI_MSG_RUNTIME;
    promise->state = TRI_ASKED;
    tri_deliver(self, who, &promise->msg);
    return id;
}

tr_monitor tr_monitor_set(tr_self *self, tr_ref who)
{
    tri_check_self(self, "tr_monitor_set");
    return (tr_monitor){ set(self, who, NULL) };
}

uint64_t tri_monitor_request(tr_self *self, tr_msg *request)
{
    return set(self, request->from, request);
}

/* For an actor that has not had its first turn: no request is needed. */
int tri_monitor_attach(tr_self *self, struct tri_slot *slot)
{
    struct tri_cold *cold = tri_cold(slot);
    struct tri_promise *promise = cold ? tri_promise_new(self, TRI_PROMISE_MONITOR, &monitor_type.type) : NULL;
    if (!promise)
        return TR_ENOMEM;
    promise->down.who = tri_slot_ref(slot);
    promise->holder = self->me;
    cork_dllist_add_to_tail(&cold->monitors, &promise->at_target);
    return 0;
}

void tri_monitor_detach(struct tri_cold *cold)
{
    while (!cork_dllist_is_empty(&cold->monitors)) {
        struct tri_promise *promise = tri_container_of(cork_dllist_start(&cold->monitors), struct tri_promise, at_target);
        cork_dllist_remove(&promise->at_target);
        cork_dllist_remove(&promise->held);
        promise->held.next = NULL;
        tri_promise_free(promise);
    }
}

/* ---- it is called back ------------------------------------------------------------------------------------------- */

static void recalled(tr_self *self, tr_msg *m)
{
    struct tri_promise *promise = promise_of(m);
    (void)self;
    cork_dllist_remove(&promise->at_target);
    tri_promise_free(promise);
}

/* The monitored actor has ended: its list is gone. */
static void recall_found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    (void)self;
    (void)to;
    tri_promise_free(promise_of(m));
}

static const struct tri_runtime_type recall_type =
    TRI_RUNTIME_TYPE("tr_demonitor", .handle = recalled, .undeliverable = recall_found_nobody);

void tri_monitor_recall(tr_self *self, struct tri_promise *promise)
{
    promise->msg.type = &recall_type.type;
    promise->msg.flags_ |= TRI_MSG_RUNTIME;
    tri_deliver(self, promise->down.who, &promise->msg);
}

void tr_demonitor(tr_self *self, tr_monitor monitor)
{
    tri_check_self(self, "tr_demonitor");
    struct tri_promise *promise = tri_promise_find(monitor.bits);
    if (promise && promise->kind == TRI_PROMISE_MONITOR && tr_ref_eq(promise->holder, self->me))
        tri_promise_drop(self, promise);
}

/* ---- the end comes ----------------------------------------------------------------------------------------------- */

tr_msg *tri_monitor_take(struct tri_cold *cold)
{
    tr_msg *news = NULL, **end = &news;
    while (!cork_dllist_is_empty(&cold->monitors)) {
        struct tri_promise *promise = tri_container_of(cork_dllist_start(&cold->monitors), struct tri_promise, at_target);
        cork_dllist_remove(&promise->at_target);
        if (!tri_promise_keep(promise))
            continue; /* it was dropped, and its recall is on the way to us: it will find us closed, and free it */
        *end = &promise->msg;
        end = &promise->msg.next_;
    }
    *end = NULL;
    return news;
}

void tri_monitor_tell(tr_self *self, tr_msg *news, int reason)
{
    for (tr_msg *next; news; news = next) {
        next = news->next_;
        tell(self, promise_of(news), reason);
    }
}
