#include "io/tcp_connection.h"

static bool has_timeouts(const struct tri_tcp *me)
{
    return me->settings->own && (me->settings->idle_ns || me->settings->write_ns);
}

void tri_tcp_note_activity(tr_self *self, struct tri_tcp *me)
{
    if (has_timeouts(me))
        me->settings->last_activity = tr_now(self);
}

void tri_tcp_note_progress(tr_self *self, struct tri_tcp *me)
{
    if (has_timeouts(me))
        me->settings->last_activity = me->settings->last_progress = tr_now(self);
}

/* The timer is not set anew for each byte: when it is due it looks how long it is since the last one. */
static void set_timer(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *s = me->settings;
    int64_t due = TR_FOREVER;
    if (s->idle_ns)
        due = tri_time_add(s->last_activity, s->idle_ns);
    if (s->write_ns) {
        int64_t since = me->queued ? s->last_progress : tr_now(self);
        int64_t write_due = tri_time_add(since, s->write_ns);
        due = write_due < due ? write_due : due;
    }
    tr_cancel(self, s->timer);
    s->timer = due == TR_FOREVER ? (tr_timer){ 0 } : tr_at(self, due, 0);
    if (due != TR_FOREVER && s->timer.bits == 0)
        tri_tcp_fail(self, me, TR_ENOMEM);
}

void tri_tcp_set_timeouts(tr_self *self, struct tri_tcp *me, int64_t idle_ns, int64_t write_ns)
{
    if ((idle_ns == 0 && write_ns == 0 && !has_timeouts(me)) || me->flags & TRI_TCP_ENDING)
        return;
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own) {
        tri_tcp_fail(self, me, TR_ENOMEM);
        return;
    }
    own->idle_ns = idle_ns;
    own->write_ns = write_ns;
    own->last_activity = own->last_progress = tr_now(self);
    set_timer(self, me);
}

void tri_tcp_on_timeout(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *s = me->settings;
    int64_t now = tr_now(self);
    s->timer = (tr_timer){ 0 };
    if (me->flags & TRI_TCP_ENDING)
        return;
    if (me->flags & TRI_TCP_CONNECTING)
        tri_tcp_end(self, me, TR_ETIMEDOUT);
    else if (s->idle_ns && now - s->last_activity >= s->idle_ns)
        tri_tcp_fail(self, me, TR_ETIMEDOUT);
    else if (s->write_ns && me->queued && now - s->last_progress >= s->write_ns)
        tri_tcp_fail(self, me, TR_ETIMEDOUT);
    else
        set_timer(self, me);
}
