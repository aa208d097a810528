#include "io/shortage.h"
#include "io/tcp_connection.h"
#include "sched/log.h"

/* ---- the timer --------------------------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When one that is idle is looked at again. */
static int64_t look_due(const struct tri_tcp_settings *s)
{
    return s->looked + earlier(s->idle_ns / 8, TRI_TCP_LOOK_NS);
}

/* When there is something to look at; TR_FOREVER: never. */
static int64_t next_due(tr_self *self, const struct tri_tcp *me)
{
    const struct tri_tcp_settings *s = me->settings;
    int64_t due = TR_FOREVER;
    if (me->flags & TRI_TCP_LINGERING)
        return earlier(s->lingers, tri_time_add(tr_now(self), TRI_SHORTAGE_LOOK_NS));
    if (s->idle_ns)
        due = s->looked ? look_due(s) : tri_time_add(s->last_activity, s->idle_ns);
    if (s->write_ns)
        due = earlier(due, tri_time_add(me->queued ? s->last_progress : tr_now(self), s->write_ns));
    if (me->flags & TRI_TCP_DETACHING)
        due = earlier(due, s->detach_until);
    if (s->stalled)
        due = earlier(due, tri_time_add(s->stalled, TRI_TCP_STALL_NS));
    return due;
}

/* The timer is not set anew for each byte: when it is due it looks how long it is since the last one. */
static void set_timer(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *s = me->settings;
    int64_t due = next_due(self, me);
    if (s->timer.bits && s->timer_due <= due)
        return;
    tr_cancel(self, s->timer);
    s->timer = due == TR_FOREVER ? (tr_timer){ 0 } : tr_at(self, due, 0);
    s->timer_due = due;
    if (due != TR_FOREVER && s->timer.bits == 0)
        tri_tcp_fail(self, me, TR_ENOMEM);
}

void tri_tcp_set_timeouts(tr_self *self, struct tri_tcp *me, int64_t idle_ns, int64_t write_ns)
{
    if ((idle_ns == 0 && write_ns == 0 && !tri_tcp_has_timeouts(me)) || me->flags & TRI_TCP_ENDING)
        return;
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own) {
        tri_tcp_fail(self, me, TR_ENOMEM);
        return;
    }
    own->idle_ns = idle_ns;
    own->write_ns = write_ns;
    own->last_activity = own->last_progress = tr_now(self);
    own->looked = 0;
    set_timer(self, me);
}

void tri_tcp_wait_for_detach(tr_self *self, struct tri_tcp *me)
{
    set_timer(self, me);
}

void tri_tcp_linger(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & TRI_TCP_ENDING)
        return;
    me->settings->lingers = tri_time_add(tr_now(self), me->settings->linger_ns);
    set_timer(self, me);
}

void tri_tcp_note_stall(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own)
        return; /* without memory it is not said */
    own->stalled = tr_now(self);
    set_timer(self, me);
}

/* Whether it has not been read for so long; that is said once. */
static void look_at_stall(tr_self *self, struct tri_tcp *me, int64_t now)
{
    struct tri_tcp_settings *s = me->settings;
    char text[TR_ADDRESS_TEXT];
    if (!(me->flags & TRI_TCP_STALLED)) {
        s->stalled = 0;
    } else if (s->stalled && now - s->stalled >= TRI_TCP_STALL_NS) {
        tr_address remote = tri_socket_remote(me->end.fd);
        s->stalled = 0;
        if (tri_port_may_log(&tri_io_port(self->worker)->stall_logged, now))
            tri_log(TR_LOG_WARNING,
                "nothing has been read from %s for 10 s: what it sent before is still held, all of its "
                "window of %u bytes",
                tr_address_text(&remote, text), s->window);
    }
}

/* Whether bytes have left since that was looked at last. The system has taken them long before, and more of them than a slow
 * peer reads in all that time. */
static bool bytes_left(struct tri_tcp *me)
{
    struct tri_tcp_settings *s = me->settings;
    bool all;
    int64_t left = tri_socket_left(me->end.fd, &all), before = s->left;
    s->left = left;
    return left >= 0 && left != before && (me->queued || !all);
}

/* Too long without progress, or without anything at all. But the worker may have been late, and what came in time be about to
 * be told: only one that is idle still when the port has been looked at again is. */
static bool is_over(struct tri_tcp *me, int64_t now)
{
    struct tri_tcp_settings *s = me->settings;
    bool idle = s->idle_ns && now - s->last_activity >= s->idle_ns;
    bool stuck = s->write_ns && me->queued && now - s->last_progress >= s->write_ns;
    if ((idle || stuck) && bytes_left(me)) {
        s->last_activity = s->last_progress = now;
        idle = stuck = false;
    }
    if (!idle)
        s->looked = 0;
    else if (!s->looked)
        s->looked = now;
    return stuck || (idle && now >= look_due(s));
}

void tri_tcp_on_timeout(tr_self *self, struct tri_tcp *me)
{
    int64_t now = tr_now(self);
    me->settings->timer = (tr_timer){ 0 };
    if (me->flags & TRI_TCP_ENDING)
        return;
    if (me->flags & TRI_TCP_CONNECTING) {
        tri_tcp_end(self, me, TR_ETIMEDOUT);
        return;
    }
    if (tri_tcp_gives_detach_up(self, me, 0))
        tri_tcp_stop_detaching(self, me);
    look_at_stall(self, me, now);
    if (me->flags & TRI_TCP_LINGERING && (now >= me->settings->lingers || tri_shortage_is(now)))
        tri_tcp_end(self, me, 0);
    else if (!(me->flags & TRI_TCP_LINGERING) && is_over(me, now))
        tri_tcp_fail(self, me, TR_ETIMEDOUT);
    else
        set_timer(self, me);
}
