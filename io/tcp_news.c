#include "io/tcp_connection.h"

TR_DEFINE(tr_tcp_connected);
TR_DEFINE(tr_tcp_writable);
TR_DEFINE(tr_tcp_eof);
TR_DEFINE(tr_tcp_closed);
TR_DEFINE(tr_tcp_failed);

static struct tri_owner owner_of(const struct tri_tcp *me)
{
    return (struct tri_owner){ me->owner, me->end.spare };
}

static void drop_data(void *body)
{
    tr_buf_unref(((tr_tcp_data *)body)->buf);
}

TR_DEFINE(tr_tcp_data, .drop = drop_data);

void tri_tcp_wait_for_memory(tr_self *self, struct tri_tcp *me)
{
    tri_port_wait_for_memory(tri_io_port(self->worker), self->slot, &me->end.read);
}

void tri_tcp_say_connected(tr_self *self, struct tri_tcp *me)
{
    tr_msg *m = tri_news_new(self, &tr_tcp_connected_type, sizeof(tr_tcp_connected));
    if (!m) {
        tri_tcp_wait_for_memory(self, me);
        return;
    }
    *(tr_tcp_connected *)tri_msg_body(m) = (tr_tcp_connected){
        .local = me->settings->local.family ? me->settings->local : tri_socket_local(me->end.fd),
        .remote = tri_socket_remote(me->end.fd),
    };
    enum tri_news how = me->flags & TRI_TCP_WARD ? TRI_NEWS : TRI_NEWS_JOIN;
    me->flags |= TRI_TCP_TOLD | TRI_TCP_UNHANDLED | TRI_TCP_WARD;
    tri_news_send(self, owner_of(me), m, how, true);
}

/* All that has arrived, as one message in the memory in front of its first piece. TR_EDOWN when the owner is gone. */
int tri_tcp_deliver(tr_self *self, struct tri_tcp *me)
{
    tr_buf *buf = me->end.read.received;
    tr_msg *m = tri_buf_prefix(buf);
    me->end.read.received = NULL;
    me->flags |= TRI_TCP_UNHANDLED;
    *m = (tr_msg){
        .from = self->me,
        .type = &tr_tcp_data_type,
        .flags_ = TRI_MSG_EXEMPT | TRI_MEMORY_BUFFER << TRI_MSG_MEMORY_SHIFT,
    };
    ((tr_tcp_data *)tri_msg_body(m))->buf = buf;
    return tri_news_send(self, owner_of(me), m, TRI_NEWS, true);
}

void tri_tcp_say_eof(tr_self *self, struct tri_tcp *me)
{
    tr_msg *m = tri_news_new(self, &tr_tcp_eof_type, sizeof(tr_tcp_eof));
    if (!m) {
        tri_tcp_wait_for_memory(self, me);
        return;
    }
    me->flags |= TRI_TCP_EOF_TOLD | TRI_TCP_UNHANDLED;
    tri_news_send(self, owner_of(me), m, TRI_NEWS, true);
}

static void say_writable(tr_self *self, struct tri_tcp *me, tr_msg *m, bool writable)
{
    *(tr_tcp_writable *)tri_msg_body(m) = (tr_tcp_writable){ .writable = writable, .queued = me->queued };
    tri_news_send(self, owner_of(me), m, TRI_NEWS, false);
}

/* Without memory for both messages the owner is not told yet: it would never hear that it may write again. */
static void say_full(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    tr_msg *now = own ? tri_news_new(self, &tr_tcp_writable_type, sizeof(tr_tcp_writable)) : NULL;
    tr_msg *then = now ? tri_news_new(self, &tr_tcp_writable_type, sizeof(tr_tcp_writable)) : NULL;
    if (!then) {
        if (now)
            tri_msg_free(now);
        return;
    }
    own->writable = then;
    me->flags |= TRI_TCP_FULL;
    say_writable(self, me, now, false);
}

void tri_tcp_check_high(tr_self *self, struct tri_tcp *me)
{
    enum { NOT_NOW = TRI_TCP_FULL | TRI_TCP_ENDING | TRI_TCP_CLOSING };
    if (me->flags & TRI_TCP_TOLD && !(me->flags & NOT_NOW) && tri_tcp_writes_left(me) > me->settings->high)
        say_full(self, me);
}

void tri_tcp_check_low(tr_self *self, struct tri_tcp *me)
{
    if (!(me->flags & TRI_TCP_FULL) || me->flags & TRI_TCP_CLOSING || me->queued > me->settings->low)
        return;
    tr_msg *m = me->settings->writable;
    me->settings->writable = NULL;
    me->flags &= ~(uint32_t)TRI_TCP_FULL;
    say_writable(self, me, m, true);
}

void tri_tcp_forget_marks(struct tri_tcp *me)
{
    if (!(me->flags & TRI_TCP_FULL))
        return;
    tri_msg_free(me->settings->writable);
    me->settings->writable = NULL;
    me->flags &= ~(uint32_t)TRI_TCP_FULL;
}

/* False when there is no memory: to be called again. */
bool tri_tcp_say_closed(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & TRI_TCP_DEAF || tr_ref_is_nobody(me->owner))
        return true;
    bool told = me->flags & TRI_TCP_TOLD && !(me->flags & TRI_TCP_UNHEARD);
    tr_msg *m = told ? tri_news_new(self, &tr_tcp_closed_type, sizeof(tr_tcp_closed))
                     : tri_news_new(self, &tr_tcp_failed_type, sizeof(tr_tcp_failed));
    if (!m)
        return tri_owner_ended(me->owner, me->end.spare); /* then there is nobody to be told */
    if (told)
        *(tr_tcp_closed *)tri_msg_body(m) = (tr_tcp_closed){ .reason = me->reason, .dropped = me->settings->dropped };
    else
        *(tr_tcp_failed *)tri_msg_body(m) = (tr_tcp_failed){
            .reason = me->reason ? me->reason : TR_ECANCELED,
            .remote = me->settings->remote,
        };
    me->flags |= TRI_TCP_DEAF;
    tri_news_send(self, owner_of(me), m, TRI_NEWS_LEAVE, false);
    return true;
}
