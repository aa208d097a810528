/*
 * The actor behind a TCP connection.
 *
 * It is pinned to its home. The way of the bytes: the port's completions arrive as messages (on_receive, on_send). What
 * was received waits in the read operation until the owner has handled what it was told last; then all of it goes to the
 * owner as one tr_tcp_data, in the very memory it was received in. So an owner that pauses, or hands the connection over,
 * while it handles a message sees nothing more. What the owner writes waits in a list of the write messages themselves and
 * is sent when the mailbox has run empty (settle), all of it in one operation.
 *
 * What the owner sees is said in tcp_news.c, each thing in one place. What cannot be said for want of memory is said
 * later; the connection's state remembers it.
 *
 * The end: end_it() remembers the first reason and cancels what is in flight; when the last operation is home, finish()
 * closes the descriptor and tells the owner. close_orderly() only differs in that what is queued is sent before.
 */
#include "io/tcp_connection.h"
#include "io/window.h"
#include "sched/log.h"

static int finish(tr_self *self, struct tri_tcp *me);
static int begin_timeouts(tr_self *self, struct tri_tcp *me, int64_t idle_ns, int64_t write_ns);
static int go_on(tr_self *self, struct tri_tcp *me);

TR_DEFINE(tr_tcp_info);
TR_DEFINE(tri_tcp_command);

static void drop_detached(void *body)
{
    tr_tcp_detached *detached = body;
    if (detached->descriptor != TRI_NO_FD)
        tri_socket_close(detached->descriptor);
    tr_buf_unref(detached->unread);
}

TR_DEFINE(tr_tcp_detached, .drop = drop_detached);

int tr_tcp_descriptor(const tr_msg *m)
{
    tr_tcp_detached *detached = (tr_tcp_detached *)(uintptr_t)tr_body(tr_tcp_detached, m);
    tri_fd fd = detached->descriptor;
    detached->descriptor = TRI_NO_FD;
    return fd;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

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

/* ---- the end ----------------------------------------------------------------------------------------------------- */

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
    tri_tcp_writes_drop(self, me);
    if (!(me->flags & TRI_TCP_CLOSED) && !keeps)
        close_descriptor(self->worker, me);
    if (!tri_tcp_say_closed(self, me)) {
        tri_tcp_wait_for_memory(self, me);
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

static bool may_read(const struct tri_tcp *me)
{
    return me->flags & TRI_TCP_TOLD && !(me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING));
}

/* Whether the window is used up. Then nothing is read until it opens. */
static bool stalls(tr_self *self, struct tri_tcp *me)
{
    uint32_t window = me->settings->window;
    if (window > 0 && !tri_window_stall(self->slot, window))
        return false;
    me->flags |= TRI_TCP_IN_STEPS; /* by the time it reads again much may be waiting */
    tri_op_cancel(self, &me->end, &me->end.read);
    return true;
}

static void want_more(tr_self *self, struct tri_tcp *me)
{
    me->flags |= TRI_TCP_READS;
    self->slot->flags |= TRI_SLOT_SETTLE;
}

/* Reads more, when all that is in the mailbox has been handled. But not a small rest of the window if more of it will be
 * free in a moment, as the owner is handling what it got, or what it wrote has left: else a stream that comes in pieces of
 * a window is read, and sent on, in two for ever. (Who is to be idle only for so long must see what comes.) */
static void read_more(tr_self *self, struct tri_tcp *me)
{
    if (!(me->flags & TRI_TCP_READS))
        return;
    me->flags &= ~(uint32_t)TRI_TCP_READS;
    if (!may_read(me) || me->flags & (TRI_TCP_EOF | TRI_TCP_LOST) || me->end.read.state != TRI_OP_IDLE || stalls(self, me))
        return;
    uint32_t window = me->settings->window, held = (uint32_t)tri_window_held(ck_pr_load_64(&self->slot->window));
    bool steps = me->flags & TRI_TCP_IN_STEPS;
    if (steps && held > window / 2) {
        if (me->end.write && me->end.write->state == TRI_OP_DONE) { /* its completion is in the mailbox */
            want_more(self, me);
            return;
        }
        if (me->flags & TRI_TCP_UNHANDLED && !me->settings->idle_ns) /* on_handled will follow */
            return;
    }
    /* A buffer more than the window has room for: io_uring fills only as many as the limit has whole ones (Linux 6.18), and
     * what comes in pieces of a window would be read in two. */
    tri_op_submit(self, &me->end, &me->end.read, TRI_OP_RECEIVE, steps ? window - held + TRI_RECEIVE_ROOM : 0);
}

/* Whatever may come next on the reading side: what has arrived is delivered, then the end is told, and more is read. */
static int go_on(tr_self *self, struct tri_tcp *me)
{
    uint32_t window = me->settings->window;
    if (!may_read(me))
        return TR_CONTINUE;
    if (!(me->flags & TRI_TCP_UNHANDLED) && window > 0) {
        if (me->end.read.received) {
            if (tri_tcp_deliver(self, me) == TR_EDOWN)
                note_owner_gone(self, me);
        } else if (me->flags & TRI_TCP_LOST) {
            return fail(self, me, me->reason);
        } else if (me->flags & TRI_TCP_EOF && !(me->flags & TRI_TCP_EOF_TOLD)) {
            tri_tcp_say_eof(self, me);
        }
    }
    if (me->flags & (TRI_TCP_EOF | TRI_TCP_LOST))
        return TR_CONTINUE;
    if (!stalls(self, me) && me->end.read.state == TRI_OP_IDLE)
        want_more(self, me);
    return TR_CONTINUE;
}

/* A stream that fills buffers, or may, is received in steps, each within the window and a buffer; one that does not, by one
 * operation that goes on by itself. */
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

static int send_some(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & (TRI_TCP_CONNECTING | TRI_TCP_ENDING))
        return TR_CONTINUE;
    int error = tri_tcp_writes_send(self, me);
    return error ? fail(self, me, error) : TR_CONTINUE;
}

/* What follows when bytes have left: the marks, the end of the stream, the close. */
static int after_send(tr_self *self, struct tri_tcp *me)
{
    tri_tcp_check_marks(self, me);
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
    int sent = tri_tcp_writes_sent(self, me);
    if (sent > 0)
        note_progress(self, me);
    if (me->flags & TRI_TCP_ENDING)
        return finish(self, me);
    return sent < 0 ? fail(self, me, sent) : after_send(self, me);
}

static int on_write(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    enum { OVER = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING };
    if (me->flags & (OVER | TRI_TCP_SHUT)) {
        tri_tcp_writes_refuse(self, me, me->flags & OVER ? "after the end" : "after the shutdown");
        return TR_CONTINUE;
    }
    if (me->queued == 0)
        note_progress(self, me);
    int error = tri_tcp_writes_add(self, me, m);
    if (error)
        return fail(self, me, error);
    self->slot->flags |= TRI_SLOT_SETTLE;
    return TR_CONTINUE;
}

/* The mailbox has run empty: what was written meanwhile is sent in one go, and more is read. */
static int connection_settle(tr_self *self, void *state)
{
    struct tri_tcp *me = state;
    if (me->flags & TRI_TCP_ORPHANED && orphaned(self, me) == TR_STOP)
        return TR_STOP;
    int answer = send_some(self, me);
    if (answer != TR_CONTINUE)
        return answer;
    tri_tcp_check_marks(self, me);
    read_more(self, me);
    return TR_CONTINUE;
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
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
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
    tri_tcp_say_connected(self, me);
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
        tri_owner_leave(self, before);
    me->flags &= ~(uint32_t)(TRI_TCP_OFFERED | TRI_TCP_WARD);
    if (!(me->flags & (TRI_TCP_TOLD | TRI_TCP_CONNECTING)))
        return begin(self, me);
    me->flags |= TRI_TCP_WARD;
    return tri_owner_join(self, (struct tri_owner){ owner, me->end.spare }) ? TR_CONTINUE : fail(self, me, TR_ENOMEM);
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
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own)
        return fail(self, me, TR_ENOMEM);
    own->window = window < TRI_WINDOW_MAX ? window : TRI_WINDOW_MAX;
    tri_window_resize(self->slot, own->window);
    return go_on(self, me);
}

static int on_marks(tr_self *self, struct tri_tcp *me, uint32_t high, uint32_t low)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own)
        return fail(self, me, TR_ENOMEM);
    own->high = high;
    own->low = low;
    tri_tcp_check_marks(self, me);
    return TR_CONTINUE;
}

static int on_half_open(tr_self *self, struct tri_tcp *me, bool on)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
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
    tri_tcp_writes_add_flush(self, me, m);
    self->slot->flags |= TRI_SLOT_SETTLE;
    return TR_CONTINUE;
}

static int on_detach(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    enum { TOO_LATE = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING | TRI_TCP_CONNECTING };
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
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
        tri_tcp_say_connected(self, me); /* there was no memory before */
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
        tri_tcp_writes_drop(self, me);
        close_descriptor(worker, me);
    }
    bool told = tri_tcp_say_closed(self, me);
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
