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
 * How it ends is in tcp_end.c, what takes too long in tcp_time.c. Handlers change the state; what follows from it is done by
 * tri_tcp_next_step, after every event.
 */
#include "io/tcp_connection.h"
#include "io/window.h"
#include "mailbox/panic.h"
#include "sched/log.h"

TR_DEFINE(tr_tcp_info);
TR_DEFINE(tri_tcp_command);

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool may_read(const struct tri_tcp *me)
{
    return me->flags & TRI_TCP_TOLD && !(me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING));
}

static void unstall(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & TRI_TCP_STALLED)
        tri_window_unstall(self->slot, me->settings->window);
    me->flags &= ~(uint32_t)TRI_TCP_STALLED;
}

uint32_t tri_tcp_held(const struct tri_slot *slot, const struct tri_tcp *me)
{
    return tri_window_held(slot, me->flags & TRI_TCP_STALLED ? tri_window_mark(me->settings->window) : 0);
}

static TRI_NOINLINE bool stalls_slowly(tr_self *self, struct tri_tcp *me)
{
    uint32_t window = me->settings->window;
    if (me->flags & TRI_TCP_STALLED && tri_window_is_stalled(self->slot))
        return true;
    unstall(self, me);
    if (window > 0) {
        if (!tri_window_stall(self->slot, window))
            return false;
        me->flags |= TRI_TCP_STALLED;
        tri_tcp_note_stall(self, me);
    }
    me->flags |= TRI_TCP_IN_STEPS; /* by the time it reads again much may be waiting */
    tri_op_cancel(self, &me->end, &me->end.read);
    return true;
}

/* Whether the window is used up, or is to be 0. Then nothing is read until it opens. */
static inline bool stalls(tr_self *self, struct tri_tcp *me)
{
    bool open = !(me->flags & TRI_TCP_STALLED) && tri_window_held(self->slot, 0) < me->settings->window;
    return tri_likely(open) ? false : stalls_slowly(self, me);
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
    uint32_t window = me->settings->window, held = tri_tcp_held(self->slot, me);
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

static void go_on(tr_self *self, struct tri_tcp *me)
{
    uint32_t window = me->settings->window;
    if (!may_read(me))
        return;
    if (!(me->flags & TRI_TCP_UNHANDLED) && window > 0) {
        if (me->end.read.received) {
            if (tri_tcp_deliver(self, me) == TR_EDOWN)
                tri_tcp_note_owner_gone(self, me);
        } else if (me->flags & TRI_TCP_LOST) {
            tri_tcp_fail(self, me, me->reason);
            return;
        } else if (me->flags & TRI_TCP_EOF && !(me->flags & TRI_TCP_EOF_TOLD)) {
            tri_tcp_say_eof(self, me);
        }
    }
    if (me->flags & (TRI_TCP_EOF | TRI_TCP_LOST))
        return;
    if (!stalls(self, me) && me->end.read.state == TRI_OP_IDLE)
        want_more(self, me);
}

void tri_tcp_go_on(tr_self *self, struct tri_tcp *me)
{
    go_on(self, me);
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

static void on_receive(tr_self *self, struct tri_tcp *me)
{
    struct tri_completion done = tri_op_take(self, &me->end.read);
    if (me->flags & TRI_TCP_CLOSING)
        tri_tcp_drop_received(me);
    if (me->flags & TRI_TCP_ENDING)
        return;
    tri_tcp_note_activity(self, me);
    choose_steps(me);
    if (done.terminal && done.result == 0) {
        me->flags |= TRI_TCP_EOF;
    } else if (done.terminal && done.result < 0 && done.result != TR_ECANCELED) {
        me->flags |= TRI_TCP_LOST;
        me->reason = (int16_t)done.result;
        if (me->flags & (TRI_TCP_CLOSING | TRI_TCP_DETACHING)) {
            tri_tcp_fail(self, me, me->reason);
            return;
        }
    }
    go_on(self, me);
}

/* The owner has handled what it was told last; or it was the offer of this connection. */
static void on_handled(tr_self *self, struct tri_tcp *me, const tri_handled *handled)
{
    char text[TR_ADDRESS_TEXT];
    if (handled->offer) {
        if (!(me->flags & TRI_TCP_OFFERED) || me->flags & TRI_TCP_ENDING)
            return;
        if (me->flags & TRI_TCP_CLOSING) { /* it was refused, perhaps with a word */
            tri_tcp_close_alone(self, me);
            return;
        }
        tr_address remote = tri_socket_remote(me->end.fd);
        tri_log(TR_LOG_WARNING, "nobody took the connection from %s: it is closed", tr_address_text(&remote, text));
        tri_tcp_fail(self, me, TR_EOWNER);
        return;
    }
    me->flags &= ~(uint32_t)TRI_TCP_UNHANDLED;
    if (!(me->flags & TRI_TCP_HEARD))
        me->flags |= handled->unseen ? TRI_TCP_UNHEARD : TRI_TCP_HEARD;
    if (me->flags & TRI_TCP_EOF_TOLD)
        me->flags |= TRI_TCP_EOF_HANDLED;
    else
        go_on(self, me);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void send_some(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & (TRI_TCP_CONNECTING | TRI_TCP_ENDING))
        return;
    int error = tri_tcp_writes_send(self, me);
    if (error)
        tri_tcp_fail(self, me, error);
}

static void on_send(tr_self *self, struct tri_tcp *me)
{
    int sent = tri_tcp_writes_sent(self, me);
    if (sent > 0)
        tri_tcp_note_progress(self, me);
    if (sent < 0)
        tri_tcp_fail(self, me, sent);
    else
        send_some(self, me);
}

static void on_write(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    enum { OVER = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING };
    if (tri_tcp_gives_detach_up(self, me, TR_MS(2))) /* its asker may have been told that already, and goes on */
        tri_tcp_stop_detaching(self, me);
    if (me->flags & (OVER | TRI_TCP_SHUT)) {
        tri_tcp_writes_refuse(self, me, me->flags & OVER ? "after the end" : "after the shutdown");
        return;
    }
    if (me->queued == 0)
        tri_tcp_note_progress(self, me);
    int error = tri_tcp_writes_add(self, me, m);
    if (error)
        tri_tcp_fail(self, me, error);
    else
        self->slot->flags |= TRI_SLOT_SETTLE;
}

/* The mailbox has run empty: what was written meanwhile is sent in one go, and more is read. */
static int connection_settle(tr_self *self, void *state)
{
    struct tri_tcp *me = state;
    tri_tcp_look_for_owner(self, me);
    send_some(self, me);
    tri_tcp_check_high(self, me);
    read_more(self, me);
    return tri_tcp_next_step(self, me);
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

static void begin(tr_self *self, struct tri_tcp *me)
{
    tri_tcp_say_connected(self, me);
    tri_tcp_set_timeouts(self, me, me->settings->idle_ns, me->settings->write_ns);
}

static void on_connect(tr_self *self, struct tri_tcp *me)
{
    struct tri_connect *op = (struct tri_connect *)me->end.write;
    struct tri_completion done = tri_op_take(self, &op->op);
    me->end.write = NULL;
    tri_block_put(op, op->tag);
    tr_cancel(self, me->settings->timer);
    me->settings->timer = (tr_timer){ 0 };
    if (done.result < 0)
        tri_tcp_end(self, me, done.result);
    if (me->flags & TRI_TCP_ENDING)
        return;
    me->flags &= ~(uint32_t)TRI_TCP_CONNECTING;
    self->slot->flags |= TRI_SLOT_SETTLE; /* somebody may have written already */
    begin(self, me);
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

static void on_own(tr_self *self, struct tri_tcp *me, tr_ref owner)
{
    tr_ref before = me->owner;
    if (tr_ref_eq(owner, before))
        return;
    if (me->flags & TRI_TCP_ENDING) {
        say_too_late(self, self->me, owner, me->reason ? me->reason : TR_ECLOSED);
        return;
    }
    me->owner = owner;
    me->end.spare = tri_owner_incarnation(owner);
    if (me->flags & TRI_TCP_WARD)
        tri_owner_leave(self, before);
    me->flags &= ~(uint32_t)(TRI_TCP_OFFERED | TRI_TCP_WARD);
    tri_tcp_forget_marks(me); /* what the one before was told */
    if (!(me->flags & (TRI_TCP_TOLD | TRI_TCP_CONNECTING))) {
        begin(self, me);
        return;
    }
    me->flags |= TRI_TCP_WARD;
    if (!tri_owner_join(self, (struct tri_owner){ owner, me->end.spare }))
        tri_tcp_fail(self, me, TR_ENOMEM);
    else if (me->flags & TRI_TCP_TOLD)
        tri_tcp_check_high(self, me);
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
static void give_up_connecting(tr_self *self, struct tri_tcp *me, int error)
{
    struct tri_connect *op = (struct tri_connect *)me->end.write;
    me->end.write = NULL;
    if (op)
        tri_block_put(op, op->tag);
    me->flags &= ~(uint32_t)TRI_TCP_CONNECTING;
    tri_tcp_end(self, me, error);
}

static void start(tr_self *self, struct tri_tcp *me)
{
    struct tri_io_port *port = tri_io_port(self->worker);
    int error = tri_io_class(port)->attach(port, &me->end);
    if (error) {
        give_up_connecting(self, me, error);
        return;
    }
    me->flags |= TRI_TCP_ATTACHED;
    if (me->flags & TRI_TCP_CONNECTING) {
        me->settings->timer = tr_after(self, me->settings->connect_ns, 0);
        if (me->settings->timer.bits == 0)
            give_up_connecting(self, me, TR_ENOMEM);
        else
            tri_op_submit(self, &me->end, me->end.write, TRI_OP_CONNECT, 0);
    } else if (!(me->flags & TRI_TCP_OFFERED)) {
        begin(self, me);
    }
}

static int connection_start(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    start(self, state);
    return tri_tcp_next_step(self, state);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static void on_window(tr_self *self, struct tri_tcp *me, uint32_t window)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own) {
        tri_tcp_fail(self, me, TR_ENOMEM);
        return;
    }
    unstall(self, me);
    own->window = window < TRI_WINDOW_MAX ? window : TRI_WINDOW_MAX;
    go_on(self, me);
}

static void on_marks(tr_self *self, struct tri_tcp *me, uint32_t high, uint32_t low)
{
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own) {
        tri_tcp_fail(self, me, TR_ENOMEM);
        return;
    }
    own->high = high;
    own->low = low;
    tri_tcp_check_high(self, me);
}

static void on_half_open(tr_self *self, struct tri_tcp *me, bool on)
{
    if (me->flags & TRI_TCP_EOF_HANDLED) /* that is decided */
        return;
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (own)
        own->half_open = on;
    else
        tri_tcp_fail(self, me, TR_ENOMEM);
}

static void on_flush(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    if (me->flags & TRI_TCP_ENDING)
        tr_refuse(self, NULL, TR_ECLOSED);
    else
        tri_tcp_writes_add_flush(self, me, m);
}

static void on_info(tr_self *self, struct tri_tcp *me)
{
    bool open = me->end.fd != TRI_NO_FD;
    (void)tr_reply(self, tr_tcp_info, .local = open ? tri_socket_local(me->end.fd) : (tr_address){ 0 },
        .remote = open ? tri_socket_remote(me->end.fd) : (tr_address){ 0 }, .queued = me->queued,
        .held = tri_tcp_held(self->slot, me), .window = me->settings->window, .high = me->settings->high,
        .low = me->settings->low, .dropped = me->settings->dropped);
}

static void on_command(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    const tri_tcp_command *command = tr_body(tri_tcp_command, m);
    switch (command->verb) {
    case TRI_TCP_OWN: on_own(self, me, command->owner); return;
    case TRI_TCP_SHUTDOWN: tri_tcp_shut(me); return;
    case TRI_TCP_CLOSE: tri_tcp_close(self, me); return;
    case TRI_TCP_ABORT: tri_tcp_fail(self, me, 0); return;
    case TRI_TCP_WINDOW: on_window(self, me, command->window); return;
    case TRI_TCP_MARKS: on_marks(self, me, command->high, command->low); return;
    case TRI_TCP_HALF_OPEN: on_half_open(self, me, command->on); return;
    case TRI_TCP_TIMEOUTS: tri_tcp_set_timeouts(self, me, command->idle_ns, command->write_ns); return;
    case TRI_TCP_NODELAY: tri_socket_nodelay(me->end.fd, command->on); return;
    case TRI_TCP_KEEPALIVE: tri_socket_keepalive(me->end.fd, command->after_ns); return;
    case TRI_TCP_FLUSH: on_flush(self, me, m); return;
    case TRI_TCP_INFO: on_info(self, me); return;
    case TRI_TCP_DETACH: tri_tcp_detach(self, me, m); return;
    }
}

/* ---- the actor --------------------------------------------------------------------------------------------------- */

static void on_operation(tr_self *self, struct tri_tcp *me, const struct tri_op *op)
{
    switch ((enum tri_op_kind)op->kind) {
    case TRI_OP_RECEIVE: on_receive(self, me); return;
    case TRI_OP_SEND: on_send(self, me); return;
    case TRI_OP_CONNECT: on_connect(self, me); return;
    case TRI_OP_ACCEPT: tri_panic("a connection accepts");
    }
}

static int connection_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct tri_tcp *me = state;
    if (m->type == &tri_op_type)
        on_operation(self, me, (const struct tri_op *)(const void *)m);
    else if (tr_is(tri_tcp_write, m))
        on_write(self, me, m);
    else if (tr_is(tri_handled, m))
        on_handled(self, me, tr_body(tri_handled, m));
    else if (tr_is(tri_tcp_command, m))
        on_command(self, me, m);
    else if (tr_is(tr_timeout, m))
        tri_tcp_on_timeout(self, me);
    return tri_tcp_next_step(self, me);
}

static int connection_signaled(tr_self *self, void *state, unsigned signals)
{
    struct tri_tcp *me = state;
    if (signals & TRI_SIGNAL_BROKEN)
        tri_tcp_fail(self, me, TR_ENOMEM);
    if (signals & TRI_SIGNAL_GUARDIAN)
        tri_tcp_note_owner_gone(self, me);
    if (!(me->flags & (TRI_TCP_TOLD | TRI_TCP_OFFERED | TRI_TCP_CONNECTING | TRI_TCP_ENDING)))
        tri_tcp_say_connected(self, me); /* there was no memory before */
    go_on(self, me);
    return tri_tcp_next_step(self, me);
}

/* tr_exit: as tr_tcp_close, or with a reason as an error of that kind. */
static int connection_exit_asked(tr_self *self, void *state, int reason)
{
    struct tri_tcp *me = state;
    if (reason)
        tri_tcp_fail(self, me, reason);
    else
        tri_tcp_close(self, me);
    return tri_tcp_next_step(self, me);
}

const struct tri_actor tri_tcp_actor = {
    TRI_SPEC,
    .actor.name = "tcp connection",
    .actor.start = connection_start,
    .actor.receive = connection_receive,
    .actor.stop = tri_tcp_stop,
    .actor.state_size = sizeof(struct tri_tcp),
    .actor.mailbox = TR_MAILBOX_MAX,
    .actor.mailbox_kib = TRI_BULK_MAX_KIB,
    .signaled = connection_signaled,
    .settle = connection_settle,
    .exit_asked = connection_exit_asked,
    .released = tri_tcp_released,
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
    tri_window_open(slot);
    return slot;
}
