/*
 * The actor behind a TCP connection.
 *
 * It is pinned to its home. The way of the bytes: the port's completions arrive as messages (on_receive, on_send). What
 * was received waits in the read operation until the owner has handled what it was told last; then all of it goes to the
 * owner as one tr_tcp_data, in the very memory it was received in. So an owner that pauses, or hands the connection over,
 * while it handles a message sees nothing more. What the owner writes waits in a list of the write messages themselves and
 * is sent when the mailbox has run empty (settle), all of it in one operation.
 *
 * What the owner sees is said in one place each: say_connected, deliver, say_eof, say_writable, say_closed. What cannot be
 * said for want of memory is said later; the connection's state remembers it.
 *
 * The end: end_it() remembers the first reason and cancels what is in flight; when the last operation is home, finish()
 * closes the descriptor and tells the owner. close_orderly() only differs in that what is queued is sent before.
 */
#include "io/tcp.h"
#include "io/window.h"
#include "sched/log.h"

TR_DEFINE(tr_tcp_connected);
TR_DEFINE(tr_tcp_writable);
TR_DEFINE(tr_tcp_eof);
TR_DEFINE(tr_tcp_closed);
TR_DEFINE(tr_tcp_failed);
TR_DEFINE(tr_tcp_flushed);
TR_DEFINE(tr_tcp_info);
TR_DEFINE(tri_tcp_command);

static void drop_data(void *body)
{
    tr_buf_unref(((tr_tcp_data *)body)->buf);
}

static void drop_write(void *body)
{
    tr_buf_unref(((tri_tcp_write *)body)->buf);
}

static void drop_detached(void *body)
{
    tr_tcp_detached *detached = body;
    tri_socket_close(detached->descriptor);
    tr_buf_unref(detached->unread);
}

TR_DEFINE(tr_tcp_data, .drop = drop_data);
TR_DEFINE(tri_tcp_write, .drop = drop_write);
TR_DEFINE(tr_tcp_detached, .drop = drop_detached);

static int finish(tr_self *self, struct tri_tcp *me);
static int begin_timeouts(tr_self *self, struct tri_tcp *me, int64_t idle_ns, int64_t write_ns);
static int go_on(tr_self *self, struct tri_tcp *me);

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* The settings, this connection's own; NULL when there is no memory for a copy. */
static struct tri_tcp_settings *own_settings(struct tri_tcp *me)
{
    tri_tag tag;
    struct tri_tcp_settings *shared = me->settings;
    if (shared->own)
        return shared;
    struct tri_tcp_settings *own = tri_block_get(sizeof *own, &tag);
    if (!own)
        return NULL;
    *own = *shared;
    own->refs = 1;
    own->tag = tag;
    own->own = true;
    tri_tcp_settings_unref(shared);
    me->settings = own;
    return own;
}

static bool has_timeouts(const struct tri_tcp *me)
{
    return me->settings->own && (me->settings->idle_ns || me->settings->write_ns);
}

static void note_activity(tr_self *self, struct tri_tcp *me)
{
    if (has_timeouts(me))
        me->settings->last_activity = tr_now(self);
}

static void note_progress(tr_self *self, struct tri_tcp *me)
{
    if (has_timeouts(me))
        me->settings->last_activity = me->settings->last_progress = tr_now(self);
}

/* ---- what the owner is told -------------------------------------------------------------------------------------- */

static void wait_for_memory(tr_self *self, struct tri_tcp *me)
{
    tri_port_wait_for_memory(tri_io_port(self->worker), self->slot, &me->end.read);
}

static void say_connected(tr_self *self, struct tri_tcp *me)
{
    tr_msg *m = tri_news_new(self, &tr_tcp_connected_type, sizeof(tr_tcp_connected));
    if (!m) {
        wait_for_memory(self, me);
        return;
    }
    *(tr_tcp_connected *)tri_msg_body(m) = (tr_tcp_connected){
        .local = tri_socket_local(me->end.fd),
        .remote = tri_socket_remote(me->end.fd),
    };
    enum tri_news how = me->flags & TRI_TCP_WARD ? TRI_NEWS : TRI_NEWS_JOIN;
    me->flags |= TRI_TCP_TOLD | TRI_TCP_UNHANDLED | TRI_TCP_WARD;
    tri_news_send(self, me->owner, m, how, true);
}

/* All that has arrived, as one message in the memory in front of its first piece. TR_EDOWN when the owner is gone. */
static int deliver(tr_self *self, struct tri_tcp *me)
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
    return tri_news_send(self, me->owner, m, TRI_NEWS, true);
}

static void say_eof(tr_self *self, struct tri_tcp *me)
{
    tr_msg *m = tri_news_new(self, &tr_tcp_eof_type, sizeof(tr_tcp_eof));
    if (!m) {
        wait_for_memory(self, me);
        return;
    }
    me->flags |= TRI_TCP_EOF_TOLD | TRI_TCP_UNHANDLED;
    tri_news_send(self, me->owner, m, TRI_NEWS, true);
}

static void say_writable(tr_self *self, struct tri_tcp *me, tr_msg *m, bool writable)
{
    *(tr_tcp_writable *)tri_msg_body(m) = (tr_tcp_writable){ .writable = writable, .queued = me->queued };
    tri_news_send(self, me->owner, m, TRI_NEWS, false);
}

/* Bytes queued, but for a send that is done already and whose completion is in our own mailbox. */
static uint32_t still_queued(const struct tri_tcp *me)
{
    const struct tri_op *send = me->end.write;
    bool done = send && send->state == TRI_OP_DONE && send->result > 0;
    return done ? me->queued - (uint32_t)send->result : me->queued;
}

/* Without memory for both messages the owner is not told yet: it would never hear that it may write again. */
static void say_full(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *own = own_settings(me);
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

static void check_marks(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & (TRI_TCP_ENDING | TRI_TCP_CLOSING))
        return;
    if (!(me->flags & TRI_TCP_FULL)) {
        if (still_queued(me) > me->settings->high)
            say_full(self, me);
    } else if (me->queued <= me->settings->low) {
        tr_msg *m = me->settings->writable;
        me->settings->writable = NULL;
        me->flags &= ~(uint32_t)TRI_TCP_FULL;
        say_writable(self, me, m, true);
    }
}

/* False when there is no memory: to be called again. */
static bool say_closed(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & TRI_TCP_DEAF || tr_ref_is_nobody(me->owner))
        return true;
    bool told = me->flags & TRI_TCP_TOLD;
    tr_msg *m = told ? tri_news_new(self, &tr_tcp_closed_type, sizeof(tr_tcp_closed))
                     : tri_news_new(self, &tr_tcp_failed_type, sizeof(tr_tcp_failed));
    if (!m)
        return false;
    if (told)
        *(tr_tcp_closed *)tri_msg_body(m) = (tr_tcp_closed){ .reason = me->reason, .dropped = me->settings->dropped };
    else
        *(tr_tcp_failed *)tri_msg_body(m) = (tr_tcp_failed){
            .reason = me->reason ? me->reason : TR_ECANCELED,
            .remote = me->settings->remote,
        };
    me->flags |= TRI_TCP_DEAF;
    tri_news_send(self, me->owner, m, TRI_NEWS_LEAVE, false);
    return true;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static bool is_write(const tr_msg *m)
{
    return m->type == &tri_tcp_write_type;
}

static void drop_writes(tr_self *self, struct tri_tcp *me)
{
    while (me->writes) {
        tr_msg *m = tri_lane_pop(&me->writes);
        if (is_write(m))
            tri_msg_free(m);
        else
            tri_answer_failed(self, self->me, m, TR_ECLOSED);
    }
    me->queued = me->offset = 0;
}

static void drop_received(struct tri_tcp *me)
{
    tr_buf_unref(me->end.read.received);
    me->end.read.received = NULL;
}

/* Gives the descriptor and what was not delivered to whoever asked for it; true if somebody did. */
static bool give_away(tr_self *self, struct tri_tcp *me, tri_fd fd)
{
    tr_msg *request = me->settings->own ? me->settings->detach : NULL;
    if (!request)
        return false;
    me->settings->detach = NULL;
    if (me->reason) {
        tri_answer_failed(self, self->me, request, me->reason);
        return false;
    }
    tr_tcp_detached detached = { .descriptor = fd, .unread = me->end.read.received };
    me->end.read.received = NULL;
    tri_answer(self, self->me, request, &tr_tcp_detached_type, &detached, sizeof detached);
    return true;
}

static void close_descriptor(struct tri_worker *worker, struct tri_tcp *me)
{
    struct tri_io_port *port = tri_io_port(worker);
    if (me->flags & TRI_TCP_RESET)
        tri_socket_reset_on_close(me->end.fd);
    if (me->flags & TRI_TCP_ATTACHED)
        tri_io_class(port)->detach(port, &me->end, true);
    else
        tri_socket_close(me->end.fd);
    me->end.fd = TRI_NO_FD;
    me->flags |= TRI_TCP_CLOSED;
}

/* Closes when no operation is in flight, tells the owner, and answers what the handler returns. */
static int finish(tr_self *self, struct tri_tcp *me)
{
    if (me->end.read.state != TRI_OP_IDLE || me->end.write)
        return TR_CONTINUE;
    bool keeps = me->flags & TRI_TCP_DETACHING && me->reason == 0;
    drop_writes(self, me);
    if (!(me->flags & TRI_TCP_CLOSED) && !keeps)
        close_descriptor(self->worker, me);
    if (!say_closed(self, me)) {
        wait_for_memory(self, me);
        return TR_CONTINUE;
    }
    if (keeps) {
        tri_fd fd = me->end.fd;
        struct tri_io_port *port = tri_io_port(self->worker);
        tri_io_class(port)->detach(port, &me->end, false);
        me->flags |= TRI_TCP_CLOSED;
        give_away(self, me, fd);
    } else {
        give_away(self, me, TRI_NO_FD);
    }
    drop_received(me);
    return TR_STOP;
}

/* Ends the connection as soon as its operations are home. The first reason stays. */
static int end_it(tr_self *self, struct tri_tcp *me, int reason)
{
    if (!(me->flags & TRI_TCP_ENDING)) {
        me->flags |= TRI_TCP_ENDING;
        if (!(me->flags & TRI_TCP_LOST))
            me->reason = (int16_t)reason;
        tri_op_cancel(self, &me->end, &me->end.read);
        if (me->end.write)
            tri_op_cancel(self, &me->end, me->end.write);
    }
    return finish(self, me);
}

static int fail(tr_self *self, struct tri_tcp *me, int reason)
{
    if (!(me->flags & TRI_TCP_ENDING))
        me->flags |= TRI_TCP_RESET;
    return end_it(self, me, reason);
}

/* The owner is gone. What it sent last is handled before anything follows from that. */
static void note_owner_gone(tr_self *self, struct tri_tcp *me)
{
    me->flags |= TRI_TCP_ORPHANED;
    self->slot->flags |= TRI_SLOT_SETTLE;
}

/* Nobody is told any more. What the owner has closed is closed in order, as long as it makes progress. */
static int orphaned(tr_self *self, struct tri_tcp *me)
{
    me->flags &= ~(uint32_t)TRI_TCP_ORPHANED;
    if (me->flags & TRI_TCP_OFFERED || !tri_owner_ended(me->owner, me->end.spare))
        return TR_CONTINUE;
    me->flags |= TRI_TCP_DEAF;
    if (!(me->flags & TRI_TCP_CLOSING)) {
        char text[TR_ADDRESS_TEXT];
        tr_address remote = tri_socket_remote(me->end.fd);
        tri_log(TR_LOG_INFO, "the connection with %s is reset: its owner has ended", tr_address_text(&remote, text));
        return fail(self, me, TR_EOWNER);
    }
    int64_t write_ns = me->settings->write_ns;
    return begin_timeouts(self, me, me->settings->idle_ns, write_ns ? write_ns : TRI_TCP_CLOSE_NS);
}

/* Closing or detaching: ends when the last byte has left and the read is home. */
static int end_when_flushed(tr_self *self, struct tri_tcp *me)
{
    bool flushed = !me->writes && !me->end.write;
    return flushed && me->end.read.state == TRI_OP_IDLE ? end_it(self, me, 0) : TR_CONTINUE;
}

static int close_orderly(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING))
        return TR_CONTINUE;
    if (me->flags & TRI_TCP_CONNECTING)
        return end_it(self, me, 0);
    me->flags |= TRI_TCP_CLOSING;
    tri_op_cancel(self, &me->end, &me->end.read);
    return end_when_flushed(self, me);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Whatever may come next on the reading side: what has arrived is delivered, then the end is told, and more is read. */
static int go_on(tr_self *self, struct tri_tcp *me)
{
    enum { OVER = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING };
    uint32_t window = me->settings->window;
    if (me->flags & OVER || !(me->flags & TRI_TCP_TOLD))
        return TR_CONTINUE;
    if (!(me->flags & TRI_TCP_UNHANDLED) && window > 0) {
        if (me->end.read.received) {
            if (deliver(self, me) == TR_EDOWN)
                note_owner_gone(self, me);
        } else if (me->flags & TRI_TCP_LOST) {
            return fail(self, me, me->reason);
        } else if (me->flags & TRI_TCP_EOF && !(me->flags & TRI_TCP_EOF_TOLD)) {
            say_eof(self, me);
        }
    }
    if (me->flags & (TRI_TCP_EOF | TRI_TCP_LOST))
        return TR_CONTINUE;
    uint32_t held = (uint32_t)tri_window_held(ck_pr_load_64(&self->slot->window));
    if (window == 0 || tri_window_stall(self->slot, window)) {
        me->flags |= TRI_TCP_IN_STEPS; /* by the time it reads again much may be waiting */
        tri_op_cancel(self, &me->end, &me->end.read);
    } else if (me->end.read.state == TRI_OP_IDLE) {
        tri_op_submit(self, &me->end, &me->end.read, TRI_OP_RECEIVE, me->flags & TRI_TCP_IN_STEPS ? window - held : 0);
    }
    return TR_CONTINUE;
}

/* A stream that fills buffers, or may, is received in steps, each within the window; one that does not, by one operation
 * that goes on by itself. */
static void choose_steps(struct tri_tcp *me)
{
    const tr_buf *received = me->end.read.received;
    if (received && received->length < TRI_RECEIVE_ROOM)
        me->flags &= ~(uint32_t)TRI_TCP_IN_STEPS;
    else if (received)
        me->flags |= TRI_TCP_IN_STEPS;
}

static int on_receive(tr_self *self, struct tri_tcp *me)
{
    struct tri_completion done = tri_op_take(self, &me->end.read);
    if (me->flags & TRI_TCP_CLOSING)
        drop_received(me);
    if (me->flags & TRI_TCP_ENDING)
        return finish(self, me);
    note_activity(self, me);
    choose_steps(me);
    if (done.terminal && me->flags & (TRI_TCP_CLOSING | TRI_TCP_DETACHING))
        return end_when_flushed(self, me);
    if (done.terminal && done.result == 0) {
        me->flags |= TRI_TCP_EOF;
    } else if (done.terminal && done.result < 0 && done.result != TR_ECANCELED) {
        me->flags |= TRI_TCP_LOST;
        me->reason = (int16_t)done.result;
    }
    return go_on(self, me);
}

/* The owner has handled what it was told last; or it was the offer of this connection. */
static int on_handled(tr_self *self, struct tri_tcp *me, const tri_handled *handled)
{
    char text[TR_ADDRESS_TEXT];
    if (handled->offer) {
        if (!(me->flags & TRI_TCP_OFFERED) || me->flags & TRI_TCP_ENDING)
            return TR_CONTINUE;
        tr_address remote = tri_socket_remote(me->end.fd);
        tri_log(TR_LOG_WARNING, "nobody took the connection from %s: it is closed", tr_address_text(&remote, text));
        return fail(self, me, TR_EOWNER);
    }
    me->flags &= ~(uint32_t)TRI_TCP_UNHANDLED;
    if (me->flags & TRI_TCP_EOF_TOLD && !(me->flags & TRI_TCP_EOF_HANDLED)) {
        me->flags |= TRI_TCP_EOF_HANDLED;
        return me->settings->half_open ? TR_CONTINUE : close_orderly(self, me);
    }
    return go_on(self, me);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* How many pieces the next send has, and with `send` what they are. Flush requests have none. */
static uint32_t gather(const struct tri_tcp *me, struct tri_send *send)
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
            if (count == TRI_SEND_PIECES || bytes >= TRI_SEND_BYTES)
                return count;
            size_t length = piece->length - skip;
            if (length > INT32_MAX / 2)
                length = INT32_MAX / 2;
            if (send) {
                send->pieces[count] = (struct iovec){ (void *)(piece->bytes + skip), length };
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
}

static int send_some(tr_self *self, struct tri_tcp *me)
{
    tri_tag tag;
    if (me->end.write || me->flags & (TRI_TCP_CONNECTING | TRI_TCP_ENDING))
        return TR_CONTINUE;
    retire(self, me, 0);
    if (!me->writes)
        return TR_CONTINUE;
    uint32_t count = gather(me, NULL);
    struct tri_send *send = tri_block_get(sizeof *send + count * sizeof *send->pieces, &tag);
    if (!send)
        return fail(self, me, TR_ENOMEM);
    memset(send, 0, sizeof *send);
    send->tag = tag;
    send->count = gather(me, send);
    tri_op_submit(self, &me->end, &send->op, TRI_OP_SEND, 0);
    return TR_CONTINUE;
}

/* What follows when bytes have left: the marks, the end of the stream, the close. */
static int after_send(tr_self *self, struct tri_tcp *me)
{
    check_marks(self, me);
    if (me->writes)
        return send_some(self, me);
    if (me->flags & TRI_TCP_SHUT && !(me->flags & TRI_TCP_SHUT_DONE)) {
        me->flags |= TRI_TCP_SHUT_DONE;
        int error = tri_socket_shutdown(me->end.fd);
        if (error && error != TR_ENOTCONN)
            return fail(self, me, error);
    }
    return me->flags & (TRI_TCP_CLOSING | TRI_TCP_DETACHING) ? end_when_flushed(self, me) : TR_CONTINUE;
}

static int on_send(tr_self *self, struct tri_tcp *me)
{
    struct tri_send *send = (struct tri_send *)me->end.write;
    struct tri_completion done = tri_op_take(self, &send->op);
    me->end.write = NULL;
    tri_block_put(send, send->tag);
    if (done.result > 0) {
        note_progress(self, me);
        retire(self, me, (uint64_t)done.result);
    }
    if (me->flags & TRI_TCP_ENDING)
        return finish(self, me);
    if (done.result < 0)
        return fail(self, me, done.result);
    return after_send(self, me);
}

/* Warns of dropped writes from the fifth on, at most once a second. */
static void count_dropped(tr_self *self, struct tri_tcp *me, const char *why)
{
    struct tri_tcp_settings *own = own_settings(me);
    if (!own)
        return;
    own->dropped++;
    int64_t now = tr_now(self);
    if (own->dropped < 5 || (own->logged && now - own->logged < TR_SECONDS(1)))
        return;
    own->logged = now;
    tri_log(TR_LOG_WARNING, "a write %s is dropped; so far %u", why, own->dropped);
}

static int on_write(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    size_t size = tr_buf_size(tr_body(tri_tcp_write, m)->buf);
    enum { OVER = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING };
    if (me->flags & (OVER | TRI_TCP_SHUT)) {
        count_dropped(self, me, me->flags & OVER ? "after the end" : "after the shutdown");
        return TR_CONTINUE;
    }
    if (size == 0)
        return TR_CONTINUE;
    if (size > TRI_TCP_WRITE_LIMIT)
        return fail(self, me, TR_EMSGSIZE);
    if (me->queued > me->settings->write_max)
        return fail(self, me, TR_EFULL);
    if (me->queued == 0)
        note_progress(self, me);
    self->kept = true;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->queued += (uint32_t)size;
    self->slot->flags |= TRI_SLOT_SETTLE;
    return TR_CONTINUE;
}

/* The mailbox has run empty: what was written meanwhile is sent in one go. */
static int connection_settle(tr_self *self, void *state)
{
    struct tri_tcp *me = state;
    if (me->flags & TRI_TCP_ORPHANED && orphaned(self, me) == TR_STOP)
        return TR_STOP;
    int answer = send_some(self, me);
    if (answer == TR_CONTINUE)
        check_marks(self, me);
    return answer;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* The timer is not set anew for each byte: when it is due it looks how long it is since the last one. */
static int set_timeout(tr_self *self, struct tri_tcp *me)
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
    s->timer = due == TR_FOREVER ? (tr_timer){ 0 } : tr_at(self, due, 0);
    return due == TR_FOREVER || s->timer.bits ? TR_CONTINUE : fail(self, me, TR_ENOMEM);
}

static int begin_timeouts(tr_self *self, struct tri_tcp *me, int64_t idle_ns, int64_t write_ns)
{
    if (idle_ns == 0 && write_ns == 0 && !has_timeouts(me))
        return TR_CONTINUE;
    struct tri_tcp_settings *own = own_settings(me);
    if (!own)
        return fail(self, me, TR_ENOMEM);
    tr_cancel(self, own->timer);
    own->idle_ns = idle_ns;
    own->write_ns = write_ns;
    own->last_activity = own->last_progress = tr_now(self);
    return set_timeout(self, me);
}

static int on_timeout(tr_self *self, struct tri_tcp *me)
{
    struct tri_tcp_settings *s = me->settings;
    int64_t now = tr_now(self);
    s->timer = (tr_timer){ 0 };
    if (me->flags & TRI_TCP_ENDING)
        return TR_CONTINUE;
    if (me->flags & TRI_TCP_CONNECTING)
        return end_it(self, me, TR_ETIMEDOUT);
    if (s->idle_ns && now - s->last_activity >= s->idle_ns)
        return fail(self, me, TR_ETIMEDOUT);
    if (s->write_ns && me->queued && now - s->last_progress >= s->write_ns)
        return fail(self, me, TR_ETIMEDOUT);
    return set_timeout(self, me);
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

static int begin(tr_self *self, struct tri_tcp *me)
{
    say_connected(self, me);
    return begin_timeouts(self, me, me->settings->idle_ns, me->settings->write_ns);
}

static int on_connect(tr_self *self, struct tri_tcp *me)
{
    struct tri_connect *op = (struct tri_connect *)me->end.write;
    struct tri_completion done = tri_op_take(self, &op->op);
    me->end.write = NULL;
    tri_block_put(op, op->tag);
    tr_cancel(self, me->settings->timer);
    if (me->flags & TRI_TCP_ENDING)
        return finish(self, me);
    if (done.result < 0)
        return end_it(self, me, done.result);
    me->flags &= ~(uint32_t)TRI_TCP_CONNECTING;
    self->slot->flags |= TRI_SLOT_SETTLE; /* somebody may have written already */
    return begin(self, me);
}

/* Somebody is to own a connection that has ended, or is about to: all it will hear of it. */
static void say_too_late(tr_self *self, tr_ref connection, tr_ref owner, int reason)
{
    tr_msg *m = tri_msg_new(&tr_tcp_failed_type, sizeof(tr_tcp_failed));
    if (!m) {
        tri_ask_to_end(self, owner, TR_ENOMEM); /* rather than let it wait for ever */
        return;
    }
    m->from = connection;
    m->flags_ = TRI_MSG_EXEMPT;
    *(tr_tcp_failed *)tri_msg_body(m) = (tr_tcp_failed){ .reason = reason };
    tri_deliver(self, owner, m);
}

static int on_own(tr_self *self, struct tri_tcp *me, tr_ref owner)
{
    tr_ref before = me->owner;
    if (tr_ref_eq(owner, before))
        return TR_CONTINUE;
    if (me->flags & TRI_TCP_ENDING) {
        say_too_late(self, self->me, owner, me->reason ? me->reason : TR_ECLOSED);
        return TR_CONTINUE;
    }
    me->owner = owner;
    me->end.spare = tri_owner_incarnation(owner);
    if (me->flags & TRI_TCP_WARD)
        tri_owner_join(self, before, TRI_NEWS_LEAVE);
    me->flags &= ~(uint32_t)(TRI_TCP_OFFERED | TRI_TCP_WARD);
    if (!(me->flags & (TRI_TCP_TOLD | TRI_TCP_CONNECTING)))
        return begin(self, me);
    me->flags |= TRI_TCP_WARD;
    return tri_owner_join(self, owner, TRI_NEWS_JOIN) ? TR_CONTINUE : fail(self, me, TR_ENOMEM);
}

/* tr_tcp_own is a message of its own kind because it matters when it finds nobody. */
static void own_arrived(tr_self *self, tr_msg *m)
{
    m->type = &tri_tcp_command_type;
    m->flags_ = TRI_MSG_EXEMPT;
    tri_count(&self->counters.sent);
    tri_handle(self, m);
}

static void own_found_nobody(tr_self *self, tr_ref to, tr_msg *m)
{
    tri_tcp_command *command = tri_msg_body(m);
    say_too_late(self, to, command->owner, TR_EDOWN);
    tri_msg_free(m);
}

const struct tri_runtime_type tri_tcp_own_type =
    TRI_RUNTIME_TYPE("tr_tcp_own", .handle = own_arrived, .undeliverable = own_found_nobody);

/* Before the attempt was made. */
static int give_up_connecting(tr_self *self, struct tri_tcp *me, int error)
{
    struct tri_connect *op = (struct tri_connect *)me->end.write;
    me->end.write = NULL;
    if (op)
        tri_block_put(op, op->tag);
    return end_it(self, me, error);
}

static int connection_start(tr_self *self, void *state, const void *arg)
{
    struct tri_tcp *me = state;
    struct tri_io_port *port = tri_io_port(self->worker);
    (void)arg;
    int error = tri_io_class(port)->attach(port, &me->end);
    if (error)
        return give_up_connecting(self, me, error);
    me->flags |= TRI_TCP_ATTACHED;
    if (me->flags & TRI_TCP_CONNECTING) {
        me->settings->timer = tr_after(self, me->settings->connect_ns, 0);
        if (me->settings->timer.bits == 0)
            return give_up_connecting(self, me, TR_ENOMEM);
        tri_op_submit(self, &me->end, me->end.write, TRI_OP_CONNECT, 0);
        return TR_CONTINUE;
    }
    return me->flags & TRI_TCP_OFFERED ? TR_CONTINUE : begin(self, me);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static int on_shutdown(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & (TRI_TCP_SHUT | TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING))
        return TR_CONTINUE;
    me->flags |= TRI_TCP_SHUT;
    return me->writes || me->end.write ? TR_CONTINUE : after_send(self, me);
}

static int on_window(tr_self *self, struct tri_tcp *me, uint32_t window)
{
    struct tri_tcp_settings *own = own_settings(me);
    if (!own)
        return fail(self, me, TR_ENOMEM);
    own->window = window < TRI_WINDOW_MAX ? window : TRI_WINDOW_MAX;
    tri_window_resize(self->slot, own->window);
    return go_on(self, me);
}

static int on_marks(tr_self *self, struct tri_tcp *me, uint32_t high, uint32_t low)
{
    struct tri_tcp_settings *own = own_settings(me);
    if (!own)
        return fail(self, me, TR_ENOMEM);
    own->high = high;
    own->low = low;
    check_marks(self, me);
    return TR_CONTINUE;
}

static int on_half_open(tr_self *self, struct tri_tcp *me, bool on)
{
    struct tri_tcp_settings *own = own_settings(me);
    if (!own)
        return fail(self, me, TR_ENOMEM);
    own->half_open = on;
    return TR_CONTINUE;
}

static int on_flush(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    if (me->flags & TRI_TCP_ENDING) {
        tr_refuse(self, NULL, TR_ECLOSED);
        return TR_CONTINUE;
    }
    self->kept = true;
    tri_lane_push(&me->writes, (tr_msg *)m);
    self->slot->flags |= TRI_SLOT_SETTLE;
    return TR_CONTINUE;
}

static int on_detach(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    enum { TOO_LATE = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING | TRI_TCP_CONNECTING };
    struct tri_tcp_settings *own = own_settings(me);
    if (!own || me->flags & TOO_LATE) {
        tr_refuse(self, NULL, own ? TR_ECLOSED : TR_ENOMEM);
        return TR_CONTINUE;
    }
    self->kept = true;
    own->detach = (tr_msg *)m;
    me->flags |= TRI_TCP_DETACHING;
    tri_op_cancel(self, &me->end, &me->end.read);
    return end_when_flushed(self, me);
}

static int on_info(tr_self *self, struct tri_tcp *me)
{
    bool open = me->end.fd != TRI_NO_FD;
    (void)tr_reply(self, tr_tcp_info, .local = open ? tri_socket_local(me->end.fd) : (tr_address){ 0 },
        .remote = open ? tri_socket_remote(me->end.fd) : (tr_address){ 0 }, .queued = me->queued,
        .held = tri_window_held(ck_pr_load_64(&self->slot->window)), .window = me->settings->window,
        .high = me->settings->high, .low = me->settings->low, .dropped = me->settings->dropped);
    return TR_CONTINUE;
}

static int on_request(tr_self *self, struct tri_tcp *me, const tr_msg *m, enum tri_tcp_verb verb)
{
    switch (verb) {
    case TRI_TCP_FLUSH: return on_flush(self, me, m);
    case TRI_TCP_INFO: return on_info(self, me);
    case TRI_TCP_DETACH: return on_detach(self, me, m);
    default: return TR_CONTINUE;
    }
}

static int on_command(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    const tri_tcp_command *command = tr_body(tri_tcp_command, m);
    switch (command->verb) {
    case TRI_TCP_OWN: return on_own(self, me, command->owner);
    case TRI_TCP_SHUTDOWN: return on_shutdown(self, me);
    case TRI_TCP_CLOSE: return close_orderly(self, me);
    case TRI_TCP_ABORT: return fail(self, me, 0);
    case TRI_TCP_WINDOW: return on_window(self, me, command->window);
    case TRI_TCP_MARKS: return on_marks(self, me, command->high, command->low);
    case TRI_TCP_HALF_OPEN: return on_half_open(self, me, command->on);
    case TRI_TCP_TIMEOUTS: return begin_timeouts(self, me, command->idle_ns, command->write_ns);
    case TRI_TCP_NODELAY: tri_socket_nodelay(me->end.fd, command->on); return TR_CONTINUE;
    case TRI_TCP_KEEPALIVE: tri_socket_keepalive(me->end.fd, command->after_ns); return TR_CONTINUE;
    default: return on_request(self, me, m, command->verb);
    }
}

/* ---- the actor --------------------------------------------------------------------------------------------------- */

static int connection_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct tri_tcp *me = state;
    if (m->type == &tri_op_type) {
        switch ((enum tri_op_kind)((const struct tri_op *)(const void *)m)->kind) {
        case TRI_OP_RECEIVE: return on_receive(self, me);
        case TRI_OP_SEND: return on_send(self, me);
        case TRI_OP_CONNECT: return on_connect(self, me);
        case TRI_OP_ACCEPT: return TR_EFAULT;
        }
    }
    if (tr_is(tri_tcp_write, m))
        return on_write(self, me, m);
    if (tr_is(tri_handled, m))
        return on_handled(self, me, tr_body(tri_handled, m));
    if (tr_is(tri_tcp_command, m))
        return on_command(self, me, m);
    if (tr_is(tr_timeout, m))
        return on_timeout(self, me);
    return TR_CONTINUE;
}

static int connection_signaled(tr_self *self, void *state, unsigned signals)
{
    struct tri_tcp *me = state;
    if (signals & TRI_SIGNAL_BROKEN)
        return fail(self, me, TR_ENOMEM);
    if (signals & TRI_SIGNAL_GUARDIAN)
        note_owner_gone(self, me);
    if (me->flags & TRI_TCP_ENDING)
        return finish(self, me);
    if (!(me->flags & (TRI_TCP_TOLD | TRI_TCP_OFFERED | TRI_TCP_CONNECTING)))
        say_connected(self, me); /* there was no memory before */
    return go_on(self, me);
}

/* tr_exit: as tr_tcp_close, or with a reason as an error of that kind. */
static int connection_exit_asked(tr_self *self, void *state, int reason)
{
    struct tri_tcp *me = state;
    return reason ? fail(self, me, reason) : close_orderly(self, me);
}

/* Killed: what is in flight has to come home before the descriptor is closed, see connection_released. */
static void connection_stop(tr_self *self, void *state, int reason)
{
    struct tri_tcp *me = state;
    if (!(me->flags & TRI_TCP_ENDING))
        me->reason = (int16_t)reason;
    me->flags |= TRI_TCP_ENDING | TRI_TCP_RESET;
    tri_op_cancel(self, &me->end, &me->end.read);
    if (me->end.write)
        tri_op_cancel(self, &me->end, me->end.write);
}

/* Everything is home. A connection that was killed is closed here, and its owner told; one that never had a turn gives up
 * what it was made with. */
static bool connection_released(struct tri_slot *slot, void *state)
{
    struct tri_tcp *me = state;
    struct tri_worker *worker = tri_worker_here;
    tr_self *self = worker->context;

    self->slot = slot;
    self->me = tri_slot_ref(slot);
    if (!(me->flags & TRI_TCP_ATTACHED) && me->end.write)
        tri_block_put(me->end.write, ((struct tri_connect *)me->end.write)->tag);
    me->end.write = NULL; /* what was in flight was freed when it came home */
    if (!(me->flags & TRI_TCP_CLOSED)) {
        me->reason = me->reason ? me->reason : TR_EKILLED;
        drop_writes(self, me);
        close_descriptor(worker, me);
    }
    bool told = say_closed(self, me);
    if (told) {
        give_away(self, me, TRI_NO_FD);
        drop_received(me);
        tri_port_forget(tri_io_port(worker), &me->end.read);
        tri_tcp_settings_unref(me->settings);
    } else {
        tri_port_wait_for_memory(tri_io_port(worker), slot, &me->end.read);
    }
    self->slot = NULL;
    return told;
}

const struct tri_actor tri_tcp_actor = {
    TRI_SPEC,
    .actor.name = "tcp connection",
    .actor.start = connection_start,
    .actor.receive = connection_receive,
    .actor.stop = connection_stop,
    .actor.state_size = sizeof(struct tri_tcp),
    .actor.mailbox = TR_MAILBOX_MAX,
    .actor.mailbox_kib = TRI_BULK_MAX_KIB,
    .signaled = connection_signaled,
    .settle = connection_settle,
    .exit_asked = connection_exit_asked,
    .released = connection_released,
};

struct tri_slot *tri_tcp_prepare(tr_self *self, tri_fd fd, struct tri_tcp_settings *settings, uint16_t home, int *error)
{
    struct tri_slot *slot = tri_spawn_prepare(self, &tri_tcp_actor.actor, NULL, home, error);
    if (!slot)
        return NULL;
    struct tri_tcp *me = slot->state;
    me->end.fd = fd;
    me->settings = settings;
    me->flags = TRI_TCP_IN_STEPS;
    tri_window_open(slot, settings->window);
    return slot;
}
