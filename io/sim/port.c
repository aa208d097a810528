/*
 * The simulated port: as that of epoll, but that its kernel is net.c and that what it does is drawn.
 *
 * A socket for which something may have become possible is listed, at once or a little later; the port's poll takes the
 * list, in any order, and tries what is in flight on each. A fault takes the place of the call that it makes fail.
 */
#include "io/receive.h"
#include "io/sim/ledger.h"
#include "io/sim/net.h"
#include "io/sim/script.h"
#include "io/tcp.h"
#include "mailbox/panic.h"

#include <string.h>

enum { ACCEPTS = 32 };

#define FEED_NS TR_MS(10) /* without memory: tried again so much later */

struct tri_sim_port {
    struct tri_io_port io;
    struct tri_sim_world *world;
    struct tri_sim_socket *first, **last;
    uint32_t listed;
    struct tri_event feed;
    bool feeds;
    struct tri_receive receive;
};

static struct tri_sim_port *port_of(struct tri_io_port *port)
{
    return (struct tri_sim_port *)port;
}

static struct tri_sim_socket *socket_of(const struct tri_endpoint *endpoint)
{
    return endpoint->record;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static void list(struct tri_sim_socket *socket)
{
    struct tri_sim_port *p = socket->port;
    if (!p || socket->listed || socket->later.place)
        return;
    socket->listed = true;
    socket->next_listed = NULL;
    *p->last = socket;
    p->last = &socket->next_listed;
    p->listed++;
}

static void take_off(struct tri_sim_port *p, struct tri_sim_socket **at)
{
    struct tri_sim_socket *socket = *at;
    *at = socket->next_listed;
    if (!*at)
        p->last = at;
    socket->listed = false;
    p->listed--;
}

static struct tri_sim_socket *take_any(struct tri_sim_port *p)
{
    struct tri_sim_socket **at = &p->first;
    uint32_t i = p->listed > 1 ? tri_sim_below(&p->world->sim, TRI_STREAM_NETWORK, p->listed) : 0;
    while (i--)
        at = &(*at)->next_listed;
    struct tri_sim_socket *socket = *at;
    take_off(p, at);
    return socket;
}

static void unlist(struct tri_sim_port *p, struct tri_sim_socket *socket)
{
    if (!socket->listed)
        return;
    struct tri_sim_socket **at = &p->first;
    while (*at != socket)
        at = &(*at)->next_listed;
    take_off(p, at);
}

static void on_later(struct tri_event *event)
{
    list(tri_container_of(event, struct tri_sim_socket, later));
}

static void list_later(struct tri_sim_socket *socket, int64_t delay)
{
    if (!socket->listed)
        tri_sim_at(&socket->world->sim, &socket->later, socket->world->sim.now + delay);
}

void tri_sim_ready(struct tri_sim_socket *socket)
{
    if (!socket->port || socket->listed || socket->later.place)
        return;
    if (tri_fault(socket->world, TRI_FAULT_late))
        list_later(socket, (int64_t)tri_sim_below(&socket->world->sim, TRI_STREAM_FAULTS, (uint32_t)TR_MS(50)));
    else
        list(socket);
}

/* ---- trying ------------------------------------------------------------------------------------------------------ */

/* Whether this operation is to fail: because of a rate, or because it is the Nth of all. */
static bool fails(struct tri_sim_world *world, enum tri_fault_kind kind, int *error)
{
    if (++world->result->operations == world->options.fail_operation) {
        *error = world->options.operation_error;
        tri_trace_fault(world, "an operation", TR_NOBODY, NULL);
        return true;
    }
    if (!tri_fault(world, kind))
        return false;
    *error = tri_fault_error(world, kind);
    return true;
}

/* How much later it is tried again. */
static int64_t again_ns(struct tri_sim_world *world)
{
    return 1 + (int64_t)tri_sim_below(&world->sim, TRI_STREAM_FAULTS, (uint32_t)TR_MS(1));
}

static void receive(struct tri_sim_port *p, struct tri_sim_socket *socket)
{
    struct tri_endpoint *endpoint = socket->endpoint;
    struct tri_op *op = &endpoint->read;
    tri_piece pieces[TRI_RECEIVE_PIECES];
    int32_t limit = op->result;
    if (!socket->script && tri_fault(p->world, TRI_FAULT_again)) {
        list_later(socket, again_ns(p->world));
        return;
    }
    uint32_t count = tri_receive_fill(&p->receive, endpoint->ready, limit, pieces);
    if (count == 0) { /* no memory */
        list_later(socket, FEED_NS);
        return;
    }
    int error, got = socket->script ? tri_script_receive(socket, pieces, count) : tri_sim_receive(socket, pieces, count);
    if (got == TR_EAGAIN)
        return;
    if (!socket->script && fails(p->world, TRI_FAULT_receive_error, &error)) {
        socket->error = error; /* and whatever follows on this socket fails as well */
        got = error;
    }
    if (got <= 0) {
        tri_op_complete(op, got);
        return;
    }
    endpoint->ready = got >= TRI_RECEIVE_ROOM; /* the stream is bulky */
    tri_ledger_received(socket->ledger, pieces, (size_t)got);
    tri_receive_take(&p->receive, op, (size_t)got);
    if (limit)
        tri_op_complete(op, got);
    else if (op->flags & TRI_OP_CANCELED)
        tri_op_complete(op, TR_ECANCELED);
    else
        list(socket);
}

static void accept_some(struct tri_sim_port *p, struct tri_sim_socket *socket)
{
    struct tri_op *op = &socket->endpoint->read;
    for (int i = 0; i < ACCEPTS; i++) {
        int error, fd = socket->script ? tri_script_accept(socket) : socket->queue ? 0 : TR_EAGAIN;
        if (fd == TR_EAGAIN)
            return;
        if (!socket->script && fails(p->world, TRI_FAULT_accept_error, &error)) {
            if (error == TR_ECONNABORTED)
                tri_sim_abort_first(socket);
            fd = error;
        } else if (!socket->script) {
            fd = tri_sim_accept(socket);
        }
        if (fd < 0) {
            tri_op_complete(op, fd);
            return;
        }
        tri_op_accepted(op, fd);
    }
    list(socket);
}

/* A transport that was killed has its operation freed when it comes home: nothing looks at it any more. */
static void complete_write(struct tri_sim_socket *socket, int32_t result)
{
    struct tri_op *op = socket->writing;
    socket->writing = NULL;
    tri_op_complete(op, result);
}

static void send_some(struct tri_sim_port *p, struct tri_sim_socket *socket)
{
    struct tri_send *send = (struct tri_send *)socket->writing;
    int error;
    for (;;) {
        if (!socket->script && tri_fault(p->world, TRI_FAULT_again)) {
            list_later(socket, again_ns(p->world));
            return;
        }
        int sent = socket->script ? tri_script_send(socket, send->pieces, send->count, socket->sent)
                                  : tri_sim_send(socket, send->pieces, send->count, socket->sent);
        if (sent == TR_EAGAIN)
            return;
        if (!socket->script && fails(p->world, TRI_FAULT_send_error, &error)) {
            socket->error = error;
            sent = error;
        }
        if (sent < 0) {
            complete_write(socket, sent);
            return;
        }
        tri_ledger_sent(socket->ledger, send->pieces, socket->sent, (size_t)sent);
        socket->sent += (size_t)sent;
        if (socket->sent == send->bytes) {
            complete_write(socket, (int32_t)send->bytes);
            return;
        }
    }
}

static void canceled_read(struct tri_sim_socket *socket)
{
    struct tri_op *op = &socket->endpoint->read;
    if (op->state == TRI_OP_IN_FLIGHT && op->flags & TRI_OP_CANCELED)
        tri_op_complete(op, TR_ECANCELED);
}

static void canceled_write(struct tri_sim_socket *socket)
{
    const struct tri_op *op = socket->writing;
    if (!op || !(op->flags & TRI_OP_CANCELED))
        return;
    bool some = op->kind == TRI_OP_SEND && socket->sent;
    complete_write(socket, some ? (int32_t)socket->sent : TR_ECANCELED);
}

/* When a transport has ended, its last completion frees endpoint and socket: so what may be that comes last. */
static void try_all(struct tri_sim_port *p, struct tri_sim_socket *socket)
{
    struct tri_endpoint *endpoint = socket->endpoint;
    bool reads = endpoint->read.state == TRI_OP_IN_FLIGHT;
    const struct tri_op *write = socket->writing;
    bool ending = (reads && endpoint->read.flags & TRI_OP_CANCELED) || (write && write->flags & TRI_OP_CANCELED);
    tri_fd fd = socket->fd;
    if (write && write->kind == TRI_OP_SEND)
        send_some(p, socket);
    else if (write && socket->tried)
        complete_write(socket, socket->error);
    if (ending && tri_sim_socket_of(fd) == socket && socket->endpoint)
        canceled_write(socket);
    if (!reads || tri_sim_socket_of(fd) != socket || !socket->endpoint || endpoint->read.state != TRI_OP_IN_FLIGHT)
        return;
    if (endpoint->read.kind == TRI_OP_ACCEPT)
        accept_some(p, socket);
    else
        receive(p, socket);
    if (ending && tri_sim_socket_of(fd) == socket && socket->endpoint)
        canceled_read(socket);
}

/* ---- the port ---------------------------------------------------------------------------------------------------- */

static int attach(struct tri_io_port *port, struct tri_endpoint *endpoint)
{
    struct tri_sim_socket *socket = tri_sim_socket_of(endpoint->fd);
    tri_assert(socket && !socket->endpoint);
    endpoint->record = socket;
    endpoint->ready = false;
    socket->endpoint = endpoint;
    socket->port = port_of(port);
    socket->later.happen = on_later;
    tr_self *self = port->worker->context;
    if (self->slot->spec == &tri_tcp_actor.actor)
        socket->ledger = tri_ledger_of(tri_world(), self->me);
    port->attached++;
    return 0;
}

static void detach(struct tri_io_port *port, struct tri_endpoint *endpoint, bool close)
{
    struct tri_sim_socket *socket = socket_of(endpoint);
    unlist(port_of(port), socket);
    tri_sim_cancel(&socket->world->sim, &socket->later);
    socket->endpoint = NULL;
    socket->port = NULL;
    socket->in_order = close && tri_ledger_in_order(socket->ledger);
    socket->ledger = NULL;
    endpoint->record = NULL;
    if (close)
        tri_socket_close(endpoint->fd);
    endpoint->fd = TRI_NO_FD;
    port->attached--;
}

static void connect_now(struct tri_sim_socket *socket, struct tri_connect *op)
{
    tr_address remote = tri_address_from_system(&op->address);
    int error;
    if (!fails(socket->world, TRI_FAULT_connect_error, &error))
        error = tri_script_connect(socket, &remote) ? 0 : tri_sim_connect(socket, &remote);
    if (error)
        complete_write(socket, error);
}

/* Tried at once, as epoll does, or by the next poll, as io_uring does. */
static void submit(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    struct tri_sim_port *p = port_of(port);
    struct tri_sim_socket *socket = socket_of(endpoint);
    switch ((enum tri_op_kind)op->kind) {
    case TRI_OP_RECEIVE:
    case TRI_OP_ACCEPT: tri_sim_ready(socket); return;
    case TRI_OP_SEND:
        socket->writing = op;
        socket->sent = 0;
        if (tri_sim_below(&p->world->sim, TRI_STREAM_NETWORK, 2))
            send_some(p, socket);
        else
            tri_sim_ready(socket);
        return;
    case TRI_OP_CONNECT:
        socket->writing = op;
        connect_now(socket, (struct tri_connect *)op);
        return;
    }
}

static void cancel(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    struct tri_sim_port *p = port_of(port);
    struct tri_sim_socket *socket = socket_of(endpoint);
    if (tri_fault(p->world, TRI_FAULT_late_cancel)) { /* the poll looks whether it succeeds before it is canceled */
        tri_sim_cancel(&p->world->sim, &socket->later);
        list_later(socket, (int64_t)tri_sim_below(&p->world->sim, TRI_STREAM_FAULTS, (uint32_t)TR_MS(5)));
    } else if (op == &endpoint->read) {
        canceled_read(socket);
    } else {
        canceled_write(socket);
    }
}

static void poll_sockets(struct tri_port *port, int64_t deadline)
{
    struct tri_sim_port *p = (struct tri_sim_port *)port;
    (void)deadline;
    for (uint32_t i = p->listed; i > 0 && p->listed; i--)
        try_all(p, take_any(p));
    if (p->feeds) {
        p->feeds = false;
        tri_port_feed(&p->io);
    }
}

static void wake(struct tri_port *port)
{
    (void)port; /* the worker's state says it */
}

static void on_feed(struct tri_event *event)
{
    tri_container_of(event, struct tri_sim_port, feed)->feeds = true;
}

static bool has_work(struct tri_port *port)
{
    struct tri_sim_port *p = (struct tri_sim_port *)port;
    if (p->io.hungry && !p->feeds && !p->feed.place)
        tri_sim_at(&p->world->sim, &p->feed, p->world->sim.now + FEED_NS);
    return p->listed || p->feeds;
}

static void close_port(struct tri_port *port)
{
    struct tri_sim_port *p = (struct tri_sim_port *)port;
    tri_assert(p->io.in_flight == 0 && p->io.attached == 0);
    tri_sim_cancel(&p->world->sim, &p->feed);
    tri_receive_free(&p->receive);
    tri_memory_put(p);
}

static const struct tri_io_port_class sim_class = {
    .base = { .name = "sim", .poll = poll_sockets, .wake = wake, .has_work = has_work, .close = close_port },
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .cancel = cancel,
};

int tri_sim_port_open(struct tri_worker *worker, void *world, struct tri_port **port)
{
    struct tri_sim_port *p = tri_sim_memory(world, sizeof *p);
    p->io.port.class = &sim_class.base;
    p->io.worker = worker;
    p->world = world;
    p->last = &p->first;
    p->feed.happen = on_feed;
    *port = &p->io.port;
    return 0;
}
