#include "io/tcp_connection.h"
#include "sched/log.h"

#include <troupe/check.h>

static void drop_write(void *body)
{
    tr_buf_unref(((tri_tcp_write *)body)->buf);
}

TR_DEFINE(tri_tcp_write, .drop = drop_write);
TR_DEFINE(tr_tcp_flushed);

static bool is_write(const tr_msg *m)
{
    return m->type == &tri_tcp_write_type;
}

uint32_t tri_tcp_writes_left(const struct tri_tcp *me)
{
    const struct tri_op *send = me->end.write;
    bool done = send && send->state == TRI_OP_DONE && send->result > 0;
    return done ? me->queued - (uint32_t)send->result : me->queued;
}

int tri_tcp_writes_add(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    size_t size = tr_buf_size(tr_body(tri_tcp_write, m)->buf);
    if (size == 0)
        return 0;
    if (size > TRI_TCP_WRITE_LIMIT)
        return TR_EMSGSIZE;
    if (me->queued > me->settings->write_max)
        return TR_EFULL;
    self->kept = true;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->queued += (uint32_t)size;
    return 0;
}

void tri_tcp_writes_add_flush(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    self->kept = true;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->flags |= TRI_TCP_FLUSHING;
}

void tri_tcp_writes_refuse(tr_self *self, struct tri_tcp *me, const char *when)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own)
        return;
    own->dropped++;
    if (own->dropped >= 5 && tri_port_may_log(&tri_io_port(self->worker)->late_logged, tr_now(self)))
        tri_log(TR_LOG_WARNING, "a write %s is dropped; so far %u of this connection", when, own->dropped);
}

/* How many pieces the next send has, `most` at the most and of no more bytes than `limit`, and with `send` what they are.
 * Flush requests have none. */
static uint32_t gather(const struct tri_tcp *me, struct tri_send *send, uint32_t most, size_t limit)
{
    uint32_t count = 0;
    size_t skip = me->offset, bytes = 0;
    const tr_msg *m = me->writes;
    do {
        m = m->next_;
        if (!is_write(m))
            continue;
        for (const tr_buf *piece = tr_body(tri_tcp_write, m)->buf; piece; piece = piece->next) {
            if (skip >= piece->length) {
                skip -= piece->length;
                continue;
            }
            if (count == most || bytes == limit)
                return count;
            size_t length = piece->length - skip;
            if (length > limit - bytes)
                length = limit - bytes;
            if (send) {
                send->pieces[count] = tri_piece_of(piece->bytes + skip, length);
                send->bytes += length;
            }
            count++;
            bytes += length;
            if (length < piece->length - skip)
                return count;
            skip = 0;
        }
    } while (m != me->writes);
    return count;
}

static void answer_flush(tr_self *self, tr_msg *request)
{
    tr_tcp_flushed body = { 0 };
    tri_answer(self, self->me, request, &tr_tcp_flushed_type, &body, sizeof body);
}

/* Takes `bytes` that were sent off the writes; flush requests with nothing before them are answered. */
static void retire(tr_self *self, struct tri_tcp *me, uint64_t bytes)
{
    me->queued -= (uint32_t)bytes;
    bytes += me->offset;
    me->offset = 0;
    while (me->writes) {
        const tr_msg *first = me->writes->next_;
        size_t size = is_write(first) ? tr_buf_size(tr_body(tri_tcp_write, first)->buf) : 0;
        if (is_write(first) && bytes < size) {
            me->offset = (uint32_t)bytes;
            return;
        }
        bytes -= size;
        tr_msg *m = tri_lane_pop(&me->writes);
        if (is_write(m))
            tri_msg_free(m);
        else
            answer_flush(self, m);
    }
    me->flags &= ~(uint32_t)TRI_TCP_FLUSHING;
}

TRI_NOINLINE void tri_tcp_writes_answer(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & TRI_TCP_FLUSHING)
        retire(self, me, 0);
}

int tri_tcp_writes_send(tr_self *self, struct tri_tcp *me)
{
    tri_tag tag;
    if (tri_unlikely(me->flags & TRI_TCP_FLUSHING))
        tri_tcp_writes_answer(self, me);
    if (me->end.write || !me->writes)
        return 0;
    uint32_t most = TR_BUGGIFY() ? 1 : TRI_SEND_PIECES, count;
    size_t limit = tri_tcp_has_timeouts(me) ? TRI_SEND_BYTES_TIMED : TRI_SEND_BYTES;
    count = gather(me, NULL, most, limit);
    struct tri_send *send = tri_block_get(sizeof *send + count * sizeof *send->pieces, &tag);
    if (!send)
        return TR_ENOMEM;
    memset(send, 0, sizeof *send);
    send->tag = tag;
    send->count = gather(me, send, most, limit);
    tri_op_submit(self, &me->end, &send->op, TRI_OP_SEND, 0);
    return 0;
}

int tri_tcp_writes_sent(tr_self *self, struct tri_tcp *me)
{
    struct tri_send *send = (struct tri_send *)me->end.write;
    struct tri_completion done = tri_op_take(self, &send->op);
    me->end.write = NULL;
    tri_block_put(send, send->tag);
    if (done.result > 0)
        retire(self, me, (uint64_t)done.result);
    return done.result;
}

void tri_tcp_writes_drop(tr_self *self, struct tri_tcp *me)
{
    while (me->writes) {
        tr_msg *m = tri_lane_pop(&me->writes);
        if (is_write(m))
            tri_msg_free(m);
        else
            tri_answer_failed(self, self->me, m, TR_ECLOSED);
    }
    me->queued = me->offset = 0;
    me->flags &= ~(uint32_t)TRI_TCP_FLUSHING;
}
