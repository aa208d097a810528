#include "actors/duty.h"

const tr_type tri_started_type = { .name = "tr_child_ready", .size = sizeof(struct tri_report) };
const tr_type tri_ended_type = { .name = "tr_child_ended", .size = sizeof(struct tri_last_words) };
const tr_type tri_stay_away_type = { .name = "tr_child_stays_away" };

tr_msg *tri_report_new(const tr_type *type, const struct tri_report *report)
{
    tr_msg *m = tri_msg_new(type, type->size);
    if (!m)
        return NULL;
    memset(tri_msg_body(m), 0, type->size);
    *(struct tri_report *)tri_msg_body(m) = *report;
    return m;
}

/* ---- the child reports ------------------------------------------------------------------------------------------- */

static void report(tr_self *self, tr_ref to, tr_msg *m, int reason, bool gone)
{
    struct tri_report *body = tri_msg_body(m);
    body->reason = reason;
    body->gone = gone;
    m->from = self->me;
    m->flags_ = TRI_MSG_EXEMPT;
    tri_deliver(self, to, m);
}

void tri_duty_started(tr_self *self)
{
    struct tri_duty *duty = &self->slot->cold->duty;
    tr_msg *m = duty->started;
    if (!m)
        return;
    duty->started = NULL;
    report(self, duty->supervisor, m, 0, false);
}

void tri_duty_note_wards(struct tri_slot *slot)
{
    struct tri_last_words *words = slot->cold && slot->cold->duty.ended ? tri_msg_body(slot->cold->duty.ended) : NULL;
    if (words)
        words->wards = tri_ward_list(slot);
}

void tri_duty_ended(tr_self *self, int reason, bool gone)
{
    struct tri_duty *duty = &self->slot->cold->duty;
    tr_msg *m = duty->ended;
    if (duty->started) { /* it ended before it was ready: that is one report */
        tri_msg_free(duty->started);
        duty->started = NULL;
    }
    if (!m)
        return;
    duty->ended = NULL;
    struct tri_last_words *words = tri_msg_body(m);
    words->about = tri_internal(self->slot->spec) ? (struct tri_fatal){ 0 } : self->fatal_about;
    report(self, duty->supervisor, m, reason, gone);
}

void tri_duty_waits(tr_self *self, int reason)
{
    struct tri_slot *slot = self->slot;
    if (!(slot->flags & TRI_SLOT_ORDERED))
        return;
    slot->flags &= (uint8_t)~TRI_SLOT_ORDERED; /* it was about to start, when its operations have come home */
    tri_duty_ended(self, reason, false);
}

bool tri_duty_stays_away(tr_self *self, tr_msg *m, int reason)
{
    const struct tri_duty *duty = &self->slot->cold->duty;
    if (reason < 0 || duty->restart != TR_TRANSIENT)
        return false;
    m->type = &tri_stay_away_type;
    m->from = self->me;
    m->flags_ = TRI_MSG_EXEMPT;
    tri_deliver(self, duty->supervisor, m);
    return true;
}

/* ---- the order to stop ------------------------------------------------------------------------------------------- */

/* An order found the child ended: that is its report. */
static void report_gone(tr_self *self, tr_ref child, tr_ref supervisor, tr_msg *ended)
{
    struct tri_last_words *body = tri_msg_body(ended);
    body->report.reason = TR_EKILLED;
    body->report.gone = true;
    body->about = (struct tri_fatal){ 0 };
    body->wards = (struct tri_wards){ .count = 0 };
    ended->from = child;
    ended->flags_ = TRI_MSG_EXEMPT;
    tri_deliver(self, supervisor, ended);
}

static void stop_ordered(tr_self *self, tr_msg *m)
{
    struct tri_slot *slot = self->slot;
    const struct tri_actor *internal = tri_internal(slot->spec);
    struct tri_stop_order order = *(struct tri_stop_order *)tri_msg_body(m);
    struct tri_duty *duty = &slot->cold->duty;

    tri_msg_free(m);
    if (order.ended && !duty->ended)
        duty->ended = order.ended;
    else if (order.ended)
        tri_msg_free(order.ended);
    if (!order.keep)
        slot->flags |= TRI_SLOT_STOPPING;
    if (slot->status != TRI_RESTARTING && internal && internal->exit_asked &&
        internal->exit_asked(self, slot->state, TR_ESHUTDOWN) == TR_CONTINUE)
        return; /* it ends later */
    tri_end(self, TR_ESHUTDOWN);
}

static void stop_found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    struct tri_stop_order *order = tri_msg_body(m);
    if (order->ended && order->reported)
        tri_msg_free(order->ended);
    else if (order->ended)
        report_gone(self, to, m->from, order->ended);
    tri_msg_free(m);
}

static const struct tri_runtime_type stop_order_type =
    TRI_RUNTIME_TYPE("tr_child_stop", .handle = stop_ordered, .undeliverable = stop_found_nobody);

bool tri_order_stop(tr_self *self, tr_ref child, const struct tri_stop_order *order)
{
    tr_msg *m = tri_msg_new(&stop_order_type.type, sizeof(struct tri_stop_order));
    if (!m) { /* killing needs no memory */
        if (order->ended)
            tri_msg_free(order->ended);
        tri_signal(self, child, order->keep ? TRI_SIGNAL_KILL : TRI_SIGNAL_KILL | TRI_SIGNAL_DISMISS);
        return false;
    }
    struct tri_slot *slot = order->keep ? NULL : tri_slot_find(child);
    if (slot)
        tri_slot_raise(slot, child, TRI_SIGNAL_DISMISS); /* so that others see it, however long the child is in a handler */
    m->from = self->me;
    m->flags_ = TRI_MSG_RUNTIME | TRI_MSG_SYSTEM | TRI_MSG_EXEMPT;
    *(struct tri_stop_order *)tri_msg_body(m) = *order;
    tri_deliver(self, child, m);
    return true;
}

/* ---- the order to start again ------------------------------------------------------------------------------------ */

struct start_order {
    tr_msg *started, *ended;
};

static void start_ordered(tr_self *self, tr_msg *m)
{
    struct tri_slot *slot = self->slot;
    struct start_order *order = tri_msg_body(m);
    slot->cold->duty.started = order->started;
    slot->cold->duty.ended = order->ended;
    tri_msg_free(m);
    if (slot->in_flight) /* the old state is still in use: see tri_came_home */
        slot->flags |= TRI_SLOT_ORDERED;
    else
        tri_start_again(self);
}

/* The child has ended while it waited. */
static void start_found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    struct start_order *order = tri_msg_body(m);
    tri_msg_free(order->started);
    report_gone(self, to, m->from, order->ended);
    tri_msg_free(m);
}

static const struct tri_runtime_type start_order_type =
    TRI_RUNTIME_TYPE("tr_child_start", .handle = start_ordered, .undeliverable = start_found_nobody);

tr_msg *tri_order_start_new(tr_msg *started, tr_msg *ended)
{
    tr_msg *m = tri_msg_new(&start_order_type.type, sizeof(struct start_order));
    if (!m)
        return NULL;
    *(struct start_order *)tri_msg_body(m) = (struct start_order){ started, ended };
    m->flags_ = TRI_MSG_RUNTIME | TRI_MSG_SYSTEM | TRI_MSG_EXEMPT;
    return m;
}

void tri_order_start(tr_self *self, tr_ref child, tr_msg *order)
{
    order->from = self->me;
    tri_deliver(self, child, order);
}
