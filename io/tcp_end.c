/*
 * How a connection shuts, closes, is detached and ends.
 *
 * What is asked of it only sets a flag; so does what happens to it. After every event (a completion, a command, what the
 * owner has handled, a signal, a timer, an empty mailbox) tri_tcp_next_step looks at the state as it is, and takes each step
 * whose time has come. So no event has to know what others have asked for, and tri_tcp_check can say what must be true
 * between any two of them.
 */
#include "io/shortage.h"
#include "io/tcp_connection.h"
#include "mailbox/panic.h"
#include "sched/log.h"

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

/* ---- detaching --------------------------------------------------------------------------------------------------- */

void tri_tcp_detach(tr_self *self, struct tri_tcp *me, const tr_msg *m)
{
    enum { TOO_LATE = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING | TRI_TCP_CONNECTING };
    struct tri_tcp_settings *own = tri_tcp_own_settings(me);
    if (!own || me->flags & TOO_LATE) {
        tr_refuse(self, NULL, own ? TR_ECLOSED : TR_ENOMEM);
        return;
    }
    self->kept = true;
    own->detach = (tr_msg *)m;
    own->detach_until = self->deadline ? self->deadline : TR_FOREVER;
    me->flags |= TRI_TCP_DETACHING;
    tri_op_cancel(self, &me->end, &me->end.read);
    tri_tcp_wait_for_detach(self, me);
}

/* It will not be: whoever has asked for it hears why. */
static void refuse_detach(tr_self *self, struct tri_tcp *me, int reason)
{
    if (!(me->flags & TRI_TCP_DETACHING))
        return;
    me->flags &= ~(uint32_t)TRI_TCP_DETACHING;
    tr_msg *request = me->settings->detach;
    me->settings->detach = NULL;
    tri_answer_failed(self, self->me, request, reason);
}

void tri_tcp_stop_detaching(tr_self *self, struct tri_tcp *me)
{
    refuse_detach(self, me, TR_ETIMEDOUT);
    tri_tcp_go_on(self, me);
}

/* Gives the descriptor and what was not delivered to whoever asked for it. */
static void give_away(tr_self *self, struct tri_tcp *me)
{
    struct tri_io_port *port = tri_io_port(self->worker);
    tr_tcp_detached detached = { .descriptor = me->end.fd, .unread = me->end.read.received };
    tr_msg *request = me->settings->detach;
    me->end.read.received = NULL;
    me->settings->detach = NULL;
    tri_io_class(port)->detach(port, &me->end, false);
    me->flags |= TRI_TCP_CLOSED;
    tri_answer(self, self->me, request, &tr_tcp_detached_type, &detached, sizeof detached);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

void tri_tcp_drop_received(struct tri_tcp *me)
{
    if (me->flags & TRI_TCP_CLOSING && me->settings->own && me->end.read.received)
        me->settings->discarded += tr_buf_size(me->end.read.received);
    tr_buf_unref(me->end.read.received);
    me->end.read.received = NULL;
}

static void cancel_all(tr_self *self, struct tri_tcp *me)
{
    tri_op_cancel(self, &me->end, &me->end.read);
    if (me->end.write)
        tri_op_cancel(self, &me->end, me->end.write);
}

/* Nothing follows any more but that the operations come home. */
static void begin_to_end(tr_self *self, struct tri_tcp *me)
{
    me->flags |= TRI_TCP_ENDING;
    cancel_all(self, me);
}

void tri_tcp_end(tr_self *self, struct tri_tcp *me, int reason)
{
    if (me->flags & TRI_TCP_ENDING)
        return;
    if (!(me->flags & TRI_TCP_LOST))
        me->reason = (int16_t)reason;
    refuse_detach(self, me, me->reason ? me->reason : TR_ECLOSED);
    begin_to_end(self, me);
}

void tri_tcp_fail(tr_self *self, struct tri_tcp *me, int reason)
{
    if (!(me->flags & TRI_TCP_ENDING))
        me->flags |= TRI_TCP_RESET;
    tri_tcp_end(self, me, reason);
}

void tri_tcp_close(tr_self *self, struct tri_tcp *me)
{
    if (me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING))
        return;
    if (me->flags & TRI_TCP_CONNECTING) {
        tri_tcp_end(self, me, 0);
        return;
    }
    refuse_detach(self, me, TR_ECLOSED);
    tri_tcp_drop_received(me);
    me->flags |= TRI_TCP_CLOSING;
    if (!tri_tcp_own_settings(me)) /* no memory to count what is thrown away: it will not linger */
        tri_op_cancel(self, &me->end, &me->end.read);
}

void tri_tcp_shut(struct tri_tcp *me)
{
    if (!(me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING)))
        me->flags |= TRI_TCP_SHUT;
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
    tri_tcp_writes_drop(self, me);
    if (!(me->flags & (TRI_TCP_CLOSED | TRI_TCP_DETACHING)))
        close_descriptor(self->worker, me);
    if (tri_tcp_may_be_unheard(self->slot, me))
        return TR_CONTINUE;
    if (!tri_tcp_say_closed(self, me)) {
        tri_tcp_wait_for_memory(self, me);
        return TR_CONTINUE;
    }
    if (me->flags & TRI_TCP_DETACHING)
        give_away(self, me);
    tri_tcp_drop_received(me);
    return TR_STOP;
}

/* ---- the owner's end --------------------------------------------------------------------------------------------- */

void tri_tcp_note_owner_gone(tr_self *self, struct tri_tcp *me)
{
    me->flags |= TRI_TCP_ORPHANED;
    self->slot->flags |= TRI_SLOT_SETTLE;
}

void tri_tcp_look_for_owner(tr_self *self, struct tri_tcp *me)
{
    if (!(me->flags & TRI_TCP_ORPHANED))
        return;
    me->flags &= ~(uint32_t)TRI_TCP_ORPHANED;
    if (me->flags & (TRI_TCP_OFFERED | TRI_TCP_ENDING) || !tri_owner_ended(me->owner, me->end.spare))
        return;
    me->flags |= TRI_TCP_DEAF;
    if (!(me->flags & TRI_TCP_CLOSING)) {
        char text[TR_ADDRESS_TEXT];
        tr_address remote = tri_socket_remote(me->end.fd);
        tri_log(TR_LOG_INFO, "the connection with %s is reset: its owner has ended", tr_address_text(&remote, text));
        tri_tcp_fail(self, me, TR_EOWNER);
        return;
    }
    tri_tcp_close_alone(self, me);
}

void tri_tcp_close_alone(tr_self *self, struct tri_tcp *me)
{
    int64_t write_ns = me->settings->write_ns;
    me->flags |= TRI_TCP_DEAF;
    tri_tcp_set_timeouts(self, me, me->settings->idle_ns, write_ns ? write_ns : TRI_TCP_CLOSE_NS);
}

/* ---- the next step ----------------------------------------------------------------------------------------------- */

static void shut(tr_self *self, struct tri_tcp *me)
{
    int error = tri_socket_shutdown(me->end.fd);
    me->flags |= TRI_TCP_SHUT_DONE;
    if (error && error != TR_ENOTCONN)
        tri_tcp_fail(self, me, error);
}

/* Whether there is anything more to throw away, and it is to be. */
static bool may_discard(const struct tri_tcp *me)
{
    const struct tri_tcp_settings *s = me->settings;
    return !(me->flags & (TRI_TCP_EOF | TRI_TCP_LOST)) && s->own && s->linger_ns >= 0 && s->discarded < s->linger_bytes;
}

static void discard(tr_self *self, struct tri_tcp *me)
{
    if (!may_discard(me)) {
        tri_op_cancel(self, &me->end, &me->end.read);
        return;
    }
    if (me->end.read.state == TRI_OP_IDLE)
        tri_op_submit(self, &me->end, &me->end.read, TRI_OP_RECEIVE, TRI_RECEIVE_ROOM);
    me->end.read.flags |= TRI_OP_DISCARDS;
}

/* All has left. Whom the peer keeps waiting does not keep a descriptor that others are short of. */
static void linger(tr_self *self, struct tri_tcp *me)
{
    if (!may_discard(me) || tri_shortage_is(tr_now(self))) {
        tri_tcp_end(self, me, 0);
    } else if (!(me->flags & TRI_TCP_LINGERING)) {
        me->flags |= TRI_TCP_LINGERING;
        if (!(me->flags & TRI_TCP_SHUT_DONE))
            shut(self, me);
        tri_tcp_linger(self, me);
    }
}

/* Connected, and not about to end. */
static void move(tr_self *self, struct tri_tcp *me)
{
    tri_tcp_writes_answer(self, me);
    tri_tcp_check_low(self, me);
    if (me->flags & TRI_TCP_EOF_HANDLED && !me->settings->half_open && !(me->flags & TRI_TCP_DETACHING))
        tri_tcp_close(self, me);
    if (me->flags & TRI_TCP_CLOSING)
        discard(self, me);
    if (me->writes || me->end.write)
        return;
    if (me->flags & TRI_TCP_SHUT && !(me->flags & TRI_TCP_SHUT_DONE))
        shut(self, me);
    if (me->flags & TRI_TCP_CLOSING)
        linger(self, me);
    else if (tri_tcp_gives_detach_up(self, me, 0)) /* this worker is late: nobody waits for it any more */
        tri_tcp_stop_detaching(self, me);
    else if (me->flags & TRI_TCP_DETACHING && me->end.read.state == TRI_OP_IDLE)
        begin_to_end(self, me);
}

int tri_tcp_take_steps(tr_self *self, struct tri_tcp *me)
{
    int answer = TR_CONTINUE;
    if (me->flags & TRI_TCP_STEPS) {
        if (!(me->flags & (TRI_TCP_CONNECTING | TRI_TCP_ENDING)))
            move(self, me);
        if (me->flags & TRI_TCP_ENDING)
            answer = finish(self, me);
    }
    if (answer == TR_CONTINUE && (TRI_TCP_CHECKED || tri_sockets_simulated()))
        tri_tcp_check(self, me);
    return answer;
}

/* What has come is told, and more is waited for, unless something holds it back that will be over. */
static void check_reading(const struct tri_tcp *me)
{
    enum { NOT_NOW = TRI_TCP_CLOSING | TRI_TCP_DETACHING | TRI_TCP_UNHANDLED };
    if (!(me->flags & TRI_TCP_TOLD) || me->flags & NOT_NOW || me->settings->window == 0)
        return;
    tri_assert(!me->end.read.received || me->end.read.flags & TRI_OP_QUEUED);
    if (!(me->flags & (TRI_TCP_EOF | TRI_TCP_LOST)))
        tri_assert(me->end.read.state != TRI_OP_IDLE || me->flags & (TRI_TCP_READS | TRI_TCP_STALLED));
}

void tri_tcp_check(tr_self *self, const struct tri_tcp *me)
{
    bool reads = me->end.read.state != TRI_OP_IDLE, writes = me->end.write, settles = self->slot->flags & TRI_SLOT_SETTLE;
    uint32_t flags = me->flags;

    tri_assert(!(flags & TRI_TCP_DETACHING) == !(me->settings->own && me->settings->detach));
    tri_assert(!(flags & TRI_TCP_FULL) == !(me->settings->own && me->settings->writable));
    tri_assert(!(flags & TRI_TCP_FULL) || flags & TRI_TCP_TOLD);
    tri_assert(!(flags & TRI_TCP_CLOSED) || flags & TRI_TCP_ENDING);
    if (flags & TRI_TCP_ENDING) { /* something is to come home, or memory */
        tri_assert(reads || writes || tri_port_waits(tri_io_port(self->worker), &me->end.read) ||
            tri_tcp_may_be_unheard(self->slot, me));
        return;
    }
    if (flags & TRI_TCP_CONNECTING) {
        tri_assert(writes && !reads);
        return;
    }
    check_reading(me);
    tri_assert(!me->writes == !(me->queued || flags & TRI_TCP_FLUSHING));
    if (me->writes) { /* it is being sent, or will be when the mailbox is empty */
        tri_assert(writes || settles);
        return;
    }
    if (writes)
        return;
    tri_assert(!(flags & TRI_TCP_SHUT) || flags & TRI_TCP_SHUT_DONE);
    tri_assert(!(flags & (TRI_TCP_CLOSING | TRI_TCP_DETACHING)) || reads);
}

/* ---- without a turn ---------------------------------------------------------------------------------------------- */

/* Killed: what is in flight has to come home before the descriptor is closed, see tri_tcp_released. */
void tri_tcp_stop(tr_self *self, void *state, int reason)
{
    struct tri_tcp *me = state;
    if (!(me->flags & TRI_TCP_ENDING)) {
        me->reason = (int16_t)reason;
        refuse_detach(self, me, reason ? reason : TR_ECLOSED);
    }
    me->flags |= TRI_TCP_ENDING |
        (me->flags & TRI_TCP_LINGERING ? 0 : TRI_TCP_RESET); /* one that lingers has sent all, and the peer is to have it */
    cancel_all(self, me);
}

/* Everything is home. A connection that was killed is closed here, and its owner told; one that never had a turn gives up
 * what it was made with. */
bool tri_tcp_released(struct tri_slot *slot, void *state)
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
        refuse_detach(self, me, me->reason);
        tri_tcp_writes_drop(self, me);
        close_descriptor(worker, me);
    }
    bool told = tri_tcp_say_closed(self, me);
    if (told) {
        tri_tcp_drop_received(me);
        tri_port_forget(tri_io_port(worker), &me->end.read);
        tri_tcp_settings_unref(me->settings);
    } else {
        tri_port_wait_for_memory(tri_io_port(worker), slot, &me->end.read);
    }
    self->slot = NULL;
    return told;
}
