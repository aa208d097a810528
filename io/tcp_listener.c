/*
 * The actor behind a TCP listener: up to eight sockets, each with an accept operation that goes on by itself.
 *
 * An accepted descriptor becomes a connection on one of the workers (in turn, or on the listener's own), and the owner is
 * told. A failure of one connection never ends the listener.
 */
#include "io/meaning.h"
#include "io/shortage.h"
#include "io/tcp_accept.h"
#include "sched/log.h"

#include <stdio.h>

TR_DEFINE(tr_tcp_listening);
TR_DEFINE(tr_tcp_accepted);
TR_DEFINE(tr_tcp_accept_paused);

enum {
    BACKLOG = 1024,
    PAUSE_MS = 1000,
    FAILURES = 16,     /* after so many in a row, … */
    FAILURES_MS = 100, /* … so long a pause */
};

struct socket_state {
    TRI_ALIGNED struct tri_endpoint end; /* as every message */
    bool attached;
};

struct listener {
    struct socket_state sockets[TRI_TCP_SOCKETS_MAX];
    uint32_t count;
    struct tri_tcp_doors doors;
    uint16_t next_home; /* where the next connection goes */
    bool paused;        /* for want of descriptors or memory, the last time at */
    int64_t paused_at;
    bool waits;        /* for a timer, to go on */
    uint32_t failures; /* connections that could not be accepted, in a row */
    bool ending, reset, deaf;
    int reason;
};

/* ---- what the owner is told -------------------------------------------------------------------------------------- */

static bool tell(tr_self *self, struct listener *me, const tr_type *type, const void *body, size_t size)
{
    tr_msg *m = tri_news_new(self, type, size);
    if (!m)
        return false;
    memcpy(tri_msg_body(m), body, size);
    tri_news_send(self, me->doors.owner, m, TRI_NEWS, false);
    return true;
}

static bool say_closed(tr_self *self, struct listener *me)
{
    tr_msg *m = me->deaf ? NULL : tri_news_new(self, &tr_tcp_closed_type, sizeof(tr_tcp_closed));
    if (!m) /* not for ever: if the owner has ended there is nobody to be told */
        return me->deaf || tri_owner_ended(me->doors.owner.ref, me->doors.owner.incarnation);
    me->deaf = true;
    *(tr_tcp_closed *)tri_msg_body(m) = (tr_tcp_closed){ .reason = me->reason };
    tri_news_send(self, me->doors.owner, m, TRI_NEWS_LEAVE, false);
    return true;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static bool all_home(const struct listener *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        if (me->sockets[i].end.read.state != TRI_OP_IDLE)
            return false;
    return true;
}

static void close_sockets(struct tri_worker *worker, struct listener *me)
{
    struct tri_io_port *port = tri_io_port(worker);
    for (uint32_t i = 0; i < me->count; i++) {
        struct tri_endpoint *end = &me->sockets[i].end;
        tri_fd fd = end->fd;
        if (fd == TRI_NO_FD)
            continue;
        if (me->sockets[i].attached)
            tri_io_class(port)->detach(port, end, false);
        end->fd = TRI_NO_FD;
        tri_socket_close(fd); /* at once: the address is free when the owner is told */
    }
}

static int finish(tr_self *self, struct listener *me)
{
    if (!all_home(me))
        return TR_CONTINUE;
    close_sockets(self->worker, me);
    if (say_closed(self, me))
        return TR_STOP;
    tri_port_wait_for_memory(tri_io_port(self->worker), self->slot, &me->sockets[0].end.read);
    return TR_CONTINUE;
}

static int end_it(tr_self *self, struct listener *me, int reason)
{
    if (!me->ending) {
        me->ending = true;
        me->reason = reason;
        tri_shortage_leave(self->me);
        if (reason && reason != TR_EOWNER)
            tri_log(TR_LOG_WARNING, "the listener ends: %s", tr_strerror(reason));
        tri_tcp_relieve_no_more(self->worker, &me->doors);
        for (uint32_t i = 0; i < me->count; i++)
            tri_op_cancel(self, &me->sockets[i].end, &me->sockets[i].end.read);
    }
    return finish(self, me);
}

/* ---- accepting --------------------------------------------------------------------------------------------------- */

/* Not a worker that is held, unless all are. */
static uint16_t choose_home(tr_self *self, struct listener *me)
{
    struct tri_sched *sched = &self->system->sched;
    if (me->doors.stay)
        return self->worker->index;
    for (unsigned tries = 0; tries < sched->count; tries++) {
        me->next_home = (uint16_t)((me->next_home + 1u) % sched->count);
        if (!ck_pr_load_uint(&sched->workers[me->next_home]->stuck))
            break;
    }
    return me->next_home;
}

static void accept_on(tr_self *self, struct socket_state *s)
{
    if (s->end.fd != TRI_NO_FD && s->end.read.state == TRI_OP_IDLE)
        tri_op_submit(self, &s->end, &s->end.read, TRI_OP_ACCEPT, 0);
}

static void go_on(tr_self *self, struct listener *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        accept_on(self, &me->sockets[i]);
}

/* Whichever sockets do not accept by then do so again; this one is among them. */
static void go_on_later(tr_self *self, struct listener *me, struct socket_state *s, int64_t ns)
{
    me->waits = me->waits || tr_after(self, ns, 0).bits;
    if (!me->waits) /* not even memory for a timer */
        tri_port_wait_for_memory(tri_io_port(self->worker), self->slot, &s->end.read);
}

/* Says so once, and tries again in a second; sooner, if a descriptor is closed. */
static void pause_accepting(tr_self *self, struct listener *me, struct socket_state *s, int error)
{
    if (!me->paused) {
        tr_tcp_accept_paused paused = { .reason = error };
        me->paused = true;
        tri_log(TR_LOG_WARNING, "no connection can be accepted: %s; trying again every second", tr_strerror(error));
        tell(self, me, &tr_tcp_accept_paused_type, &paused, sizeof paused);
    }
    me->paused_at = tr_now(self);
    if ((error == TR_EMFILE || error == TR_ENFILE) && s->end.fd < TRI_SIM_FD)
        tri_shortage_wait(self->me);
    go_on_later(self, me, s, TR_MS(PAUSE_MS));
}

/* What is wrong with one connection is wrong with many, perhaps: a rule of a packet filter may refuse them all. */
static void skip_connection(tr_self *self, struct listener *me, struct socket_state *s)
{
    if (++me->failures < FAILURES)
        accept_on(self, s);
    else
        go_on_later(self, me, s, TR_MS(FAILURES_MS));
}

static void on_accepted(tr_self *self, struct listener *me, tri_fd fd)
{
    if (me->ending) {
        tri_socket_close(fd);
        return;
    }
    me->failures = 0;
    tri_shortage_leave(self->me);
    int error = tri_tcp_offer(self, &me->doors, fd, choose_home(self, me));
    if (error) {
        tri_log(TR_LOG_WARNING, "an accepted connection is closed: %s", tr_strerror(error));
    } else if (me->paused && tr_now(self) - me->paused_at >= TR_MS(PAUSE_MS)) { /* not with each that is closed and opened */
        me->paused = false;
        tri_log(TR_LOG_WARNING, "connections are accepted again");
    }
}

static int on_accept(tr_self *self, struct listener *me, struct tri_op *op)
{
    struct tri_completion done = tri_op_take(self, op);
    struct socket_state *s = tri_container_of(op, struct socket_state, end.read);
    struct tri_accepted *list = op->accepted;
    op->accepted = NULL;
    for (uint32_t i = 0; list && i < list->count; i++)
        on_accepted(self, me, list->fds[i]);
    if (list)
        tri_block_put(list, list->tag);
    if (me->ending)
        return finish(self, me);
    if (!done.terminal)
        return TR_CONTINUE;
    switch (tri_meaning_of(TRI_OP_ACCEPT, done.result)) {
    case TRI_PAUSE: pause_accepting(self, me, s, done.result); return TR_CONTINUE;
    case TRI_AGAIN:
    case TRI_CONNECTION: skip_connection(self, me, s); return TR_CONTINUE;
    default:
        tri_log(TR_LOG_ERROR, "a listening socket failed: %s", tr_strerror(done.result));
        return end_it(self, me, done.result);
    }
}

/* ---- the actor --------------------------------------------------------------------------------------------------- */

static int listener_start(tr_self *self, void *state, const void *arg)
{
    struct listener *me = state;
    struct tri_io_port *port = tri_io_port(self->worker);
    (void)arg;
    for (uint32_t i = 0; i < me->count; i++) {
        int error = tri_io_class(port)->attach(port, &me->sockets[i].end);
        if (error)
            return end_it(self, me, error);
        me->sockets[i].attached = true;
        tr_tcp_listening listening = { .address = tri_socket_local(me->sockets[i].end.fd) };
        if (!tell(self, me, &tr_tcp_listening_type, &listening, sizeof listening))
            return end_it(self, me, TR_ENOMEM);
    }
    go_on(self, me);
    me->doors.listener = self->me;
    tri_tcp_relieve(self, &me->doors);
    return TR_CONTINUE;
}

static int listener_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct listener *me = state;
    if (m->type == &tri_op_type)
        return on_accept(self, me, (struct tri_op *)(void *)m);
    if (tr_is(tr_timeout, m) && !me->ending) {
        me->waits = false;
        me->failures = 0;
        go_on(self, me);
    }
    if (!tr_is(tri_tcp_command, m))
        return TR_CONTINUE;
    switch (tr_body(tri_tcp_command, m)->verb) {
    case TRI_TCP_CLOSE:
    case TRI_TCP_ABORT: return end_it(self, me, 0);
    default: return TR_CONTINUE;
    }
}

static int listener_signaled(tr_self *self, void *state, unsigned signals)
{
    struct listener *me = state;
    if (signals & TRI_SIGNAL_BROKEN)
        return end_it(self, me, TR_ENOMEM);
    if (signals & TRI_SIGNAL_GUARDIAN && tri_owner_ended(me->doors.owner.ref, me->doors.owner.incarnation)) {
        me->deaf = true;
        return end_it(self, me, TR_EOWNER);
    }
    if (me->ending)
        return finish(self, me);
    if (signals & TRI_SIGNAL_RETRY)
        go_on(self, me);
    return TR_CONTINUE;
}

static int listener_exit_asked(tr_self *self, void *state, int reason)
{
    return end_it(self, state, reason);
}

static void listener_stop(tr_self *self, void *state, int reason)
{
    struct listener *me = state;
    if (!me->ending)
        me->reason = reason;
    me->ending = true;
    tri_shortage_leave(self->me);
    tri_tcp_relieve_no_more(self->worker, &me->doors);
    for (uint32_t i = 0; i < me->count; i++)
        tri_op_cancel(self, &me->sockets[i].end, &me->sockets[i].end.read);
}

static bool listener_released(struct tri_slot *slot, void *state)
{
    struct listener *me = state;
    struct tri_worker *worker = tri_worker_here;
    tr_self *self = worker->context;

    self->slot = slot;
    self->me = tri_slot_ref(slot);
    close_sockets(worker, me);
    bool told = say_closed(self, me);
    if (told) {
        for (uint32_t i = 0; i < me->count; i++)
            tri_port_forget(tri_io_port(worker), &me->sockets[i].end.read);
        tri_tcp_settings_unref(me->doors.settings);
    } else {
        tri_port_wait_for_memory(tri_io_port(worker), slot, &me->sockets[0].end.read);
    }
    self->slot = NULL;
    return told;
}

static const struct tri_actor listener_actor = {
    TRI_SPEC,
    .actor.name = "tcp listener",
    .actor.start = listener_start,
    .actor.receive = listener_receive,
    .actor.stop = listener_stop,
    .actor.state_size = sizeof(struct listener),
    .signaled = listener_signaled,
    .exit_asked = listener_exit_asked,
    .released = listener_released,
};

/* ---- listening --------------------------------------------------------------------------------------------------- */

static void close_all(const tri_fd *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tri_socket_close(fds[i]);
}

/* Takes the next address of the list apart: 1, 0 at the end, or an error. "*:port" stands for two; *second is set between
 * them. */
static int next_address(const char **list, bool *second, tr_address *address)
{
    char text[TR_ADDRESS_TEXT + 8];
    *list += strspn(*list, " ");
    size_t length = strcspn(*list, ",");
    bool any = (*list)[0] == '*' && (*list)[1] == ':';
    if (**list == 0)
        return 0;
    if (length >= TR_ADDRESS_TEXT)
        return TR_EINVAL;
    snprintf(text, sizeof text, "%s%.*s", !any ? "" : *second ? "[::]" : "0.0.0.0", (int)(length - any), *list + any);
    if (!any || *second)
        *list += length + ((*list)[length] == ',');
    *second = any && !*second;
    int error = tr_address_parse(text, address);
    return error ? error : 1;
}

static bool seen_before(const tr_address *address, const tr_address *others, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (tr_address_eq(address, &others[i]) && address->port)
            return true;
    return false;
}

static int complain(const tr_address *address, int error)
{
    char text[TR_ADDRESS_TEXT];
    return tri_tcp_complain("listen on", tr_address_text(address, text), error);
}

static tri_fd open_one(const tr_tcp_listen_options *options, const tr_address *address)
{
    return tri_socket_listen(address, options->backlog ? options->backlog : BACKLOG, options->reuse_port);
}

/* "*:0": the port that the first was given. If somebody has that one in the second family, others are tried for both; those
 * tried before are kept meanwhile, so that they are not given again. */
static tri_fd open_second(const tr_tcp_listen_options *options, const tr_address *first, tri_fd *first_fd, tr_address *second)
{
    enum { TRIES = 32 };
    tri_fd before[TRIES], fd;
    uint32_t count = 0;
    while (second->port = tri_socket_local(*first_fd).port, (fd = open_one(options, second)) == TR_EADDRINUSE) {
        tri_fd other = count < TRIES ? open_one(options, first) : TR_EADDRINUSE;
        if (other < 0)
            break;
        before[count++] = *first_fd;
        *first_fd = other;
    }
    close_all(before, count);
    return fd;
}

/* Opens the sockets: their number or an error. */
static int open_sockets(const tr_tcp_listen_options *options, tri_fd *fds)
{
    tr_address addresses[TRI_TCP_SOCKETS_MAX], address;
    const char *list = options->addresses ? options->addresses : "";
    uint32_t count = 0;
    bool second = false, is_second, first_is_open = false; /* of the two that a star stands for */
    int got, missing = 0;

    while (is_second = second, (got = next_address(&list, &second, &address)) > 0) {
        bool follows = is_second && first_is_open && address.port == 0;
        first_is_open = false;
        if (seen_before(&address, addresses, count))
            continue;
        tri_fd fd = count == TRI_TCP_SOCKETS_MAX ? TR_ELIMIT
            : follows                            ? open_second(options, &addresses[count - 1], &fds[count - 1], &address)
                                                 : open_one(options, &address);
        if (fd == TR_EADDRNOTAVAIL || (fd == TR_EAFNOSUPPORT && (second || is_second))) {
            missing = complain(&address, fd);
            continue;
        }
        if (fd < 0) {
            close_all(fds, count);
            return complain(&address, fd);
        }
        first_is_open = second;
        addresses[count] = address;
        fds[count++] = fd;
    }
    if (got < 0) {
        close_all(fds, count);
        return tri_tcp_complain("listen on", options->addresses, got);
    }
    if (count == 0)
        return missing ? missing : tri_tcp_complain("listen on", options->addresses, TR_EINVAL);
    return (int)count;
}

/* The local address of every connection that this socket accepts (but for those that a filter of the system's, TPROXY or
 * sk_lookup, has led here); zeroed when it is any of the host's. */
static tr_address local_of_all(tri_fd fd)
{
    static const tr_address any;
    tr_address local = tri_socket_local(fd);
    return memcmp(local.bytes, any.bytes, sizeof any.bytes) ? local : any;
}

int tr_tcp_listen_(tr_self *self, tr_ref *listener, const tr_tcp_listen_options *options)
{
    tri_fd fds[TRI_TCP_SOCKETS_MAX];
    struct tri_tcp_settings *settings;
    struct tri_slot *slot = NULL;

    tri_check_self(self, "tr_tcp_listen");
    if (listener)
        *listener = TR_NOBODY;
    int error = tri_tcp_settings_make(&options->tcp, &settings);
    if (error)
        return error;
    int count = open_sockets(options, fds);
    if (count > 0)
        slot = tri_spawn_prepare(self, &listener_actor.actor, NULL, self->worker->index, &error);
    if (slot && !tri_ward_add(self->slot, tri_slot_ref(slot))) {
        tri_spawn_cancel(self, slot);
        slot = NULL;
        error = TR_ENOMEM;
    }
    if (!slot) {
        close_all(fds, count > 0 ? (uint32_t)count : 0);
        tri_tcp_settings_unref(settings);
        return count < 0 ? count : tri_tcp_complain("listen on", options->addresses, error);
    }
    struct listener *me = slot->state;
    for (int i = 0; i < count; i++) {
        me->sockets[i].end.fd = me->doors.fds[i] = fds[i];
        if (tri_socket_class(fds[i])->inherits)
            tri_tcp_set_options(fds[i], settings);
    }
    me->count = me->doors.count = (uint32_t)count;
    if (count == 1)
        settings->local = local_of_all(fds[0]);
    me->doors.settings = settings;
    me->doors.stay = options->stay;
    me->next_home = self->worker->index;
    me->doors.owner = (struct tri_owner){ self->me, self->slot->incarnation };
    tr_ref ref = tri_spawn_finish(self, slot);
    if (listener)
        *listener = ref;
    return 0;
}
