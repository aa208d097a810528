/*
 * The epoll backend: readiness is turned into completions here, and nothing above knows.
 *
 * A descriptor is registered once, edge-triggered, for both directions. What is ready is remembered per descriptor until
 * a call says EAGAIN: an operation is tried first, and waited for only then. Sends are tried in submit; receives and
 * accepts in poll, one call a descriptor and a poll, so that no connection keeps the others waiting.
 *
 * A short receive says the same as EAGAIN, and spares a call, where nothing but the want of bytes makes it short: on TCP
 * sockets of our own, as long as nothing urgent has come, in front of which a receive ends. (On a Unix socket it ends
 * behind a passed descriptor; with TLS in the kernel, behind a record.)
 */
#include "io/again.h"
#include "io/meaning.h"
#include "io/receive.h"
#include "mailbox/error.h"
#include "mailbox/panic.h"
#include "sched/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS = 256, /* taken at a time */
    ACCEPTS = 32, /* connections accepted at a time */
};

/* tri_endpoint.ready */
enum {
    READABLE = 1,
    WRITABLE = 2,
    HUNG_UP = 4,
    URGENT = 32, /* urgent bytes have come */
    BULKY_ONE = 8,
    BULKY = 3 * BULKY_ONE /* how many receives ago one filled a buffer: 3, the last one; 0: so long ago that it is forgotten */
};

struct epoll {
    struct tri_io_port io;
    int fd, wake_fd;
    bool no_pwait2;
    struct tri_again again; /* readable ones with a read in flight, and what is short of something */
    struct tri_receive receive;
};

static struct epoll *epoll_of(struct tri_io_port *port)
{
    return (struct epoll *)port;
}

static int64_t now(const struct epoll *e)
{
    return tri_clock_now(e->io.worker->sched->config.clock);
}

static void list(struct epoll *e, struct tri_endpoint *endpoint)
{
    tri_again_list(&e->again, endpoint->place);
}

static void list_later(struct epoll *e, struct tri_endpoint *endpoint)
{
    tri_again_pause(&e->again, endpoint->place, now(e));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* A call has failed, and not because it would have to wait. */
static void failed(struct epoll *e, struct tri_endpoint *endpoint, struct tri_op *op, int error)
{
    switch (tri_meaning_of(op->kind, error)) {
    case TRI_AGAIN: list(e, endpoint); return;
    case TRI_PAUSE: list_later(e, endpoint); return;
    default: tri_op_complete(op, error);
    }
}

/* Whether a short receive has emptied the socket, and what comes later is a new edge. The end of the stream is none. */
static bool short_is_all(const struct tri_endpoint *endpoint)
{
    return !endpoint->foreign && !(endpoint->ready & (HUNG_UP | URGENT));
}

static void receive(struct epoll *e, struct tri_endpoint *endpoint)
{
    tri_piece pieces[TRI_RECEIVE_PIECES];
    struct tri_op *op = &endpoint->read;
    int32_t limit = op->result;
    uint32_t count = tri_receive_fill(&e->receive, endpoint->ready & BULKY, limit, pieces);
    if (count == 0) { /* no memory: later */
        list_later(e, endpoint);
        return;
    }
    struct msghdr header = { .msg_iov = pieces, .msg_iovlen = count };
    ssize_t got = count == 1 ? recv(endpoint->fd, pieces->iov_base, pieces->iov_len, 0) : recvmsg(endpoint->fd, &header, 0);
    if (got > 0) {
        bool filled = (size_t)got == count * (size_t)TRI_RECEIVE_ROOM;
        if ((size_t)got >= TRI_RECEIVE_ROOM)
            endpoint->ready |= BULKY;
        else if (endpoint->ready & BULKY)
            endpoint->ready -= BULKY_ONE;
        if (!filled && short_is_all(endpoint))
            endpoint->ready &= (uint8_t)~READABLE;
        tri_receive_take(&e->receive, op, (size_t)got);
        if (limit)
            tri_op_complete(op, (int32_t)got);
        else if (endpoint->ready & READABLE)
            list(e, endpoint);
    } else if (got == 0) {
        tri_op_complete(op, 0);
    } else if (errno == EAGAIN) {
        endpoint->ready &= (uint8_t)~READABLE;
    } else {
        failed(e, endpoint, op, tri_error_from_errno(errno));
    }
}

static void accept_some(struct epoll *e, struct tri_endpoint *endpoint)
{
    for (int i = 0; i < ACCEPTS; i++) {
        tri_fd fd = tri_socket_accept(endpoint->fd);
        if (fd == TR_EAGAIN) {
            endpoint->ready &= (uint8_t)~READABLE;
            return;
        }
        if (fd < 0 && tri_meaning_of(TRI_OP_ACCEPT, fd) != TRI_AGAIN) {
            tri_op_complete(&endpoint->read, fd);
            return;
        }
        if (fd >= 0)
            tri_op_accepted(&endpoint->read, fd);
    }
    list(e, endpoint);
}

static void read_some(struct epoll *e, struct tri_endpoint *endpoint)
{
    if (endpoint->read.state != TRI_OP_IN_FLIGHT || !(endpoint->ready & READABLE))
        return;
    if (endpoint->read.kind == TRI_OP_ACCEPT)
        accept_some(e, endpoint);
    else
        receive(e, endpoint);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Takes what was sent off the pieces. */
static void advance(struct msghdr *header, size_t sent)
{
    while (sent) {
        struct iovec *piece = header->msg_iov;
        if (sent < piece->iov_len) {
            piece->iov_base = (char *)piece->iov_base + sent;
            piece->iov_len -= sent;
            return;
        }
        sent -= piece->iov_len;
        header->msg_iov++;
        header->msg_iovlen--;
    }
}

/* What is left of the pieces, in bytes. */
static size_t left_of(const struct msghdr *header)
{
    size_t left = 0;
    for (size_t i = 0; i < header->msg_iovlen; i++)
        left += header->msg_iov[i].iov_len;
    return left;
}

static int32_t sent_so_far(const struct tri_send *send)
{
    return (int32_t)(send->bytes - left_of(&send->state.header));
}

static void send_some(struct epoll *e, struct tri_endpoint *endpoint)
{
    struct tri_send *send = (struct tri_send *)endpoint->write;
    for (;;) {
        const struct iovec *piece = send->state.header.msg_iov;
        ssize_t sent = send->state.header.msg_iovlen == 1
            ? sendto(endpoint->fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL, NULL, 0)
            : sendmsg(endpoint->fd, &send->state.header, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            endpoint->ready &= (uint8_t)~WRITABLE;
            return;
        }
        if (sent < 0) {
            failed(e, endpoint, endpoint->write, tri_error_from_errno(errno));
            return;
        }
        advance(&send->state.header, (size_t)sent);
        if (send->state.header.msg_iovlen == 0) {
            tri_op_complete(endpoint->write, (int32_t)send->bytes);
            return;
        }
    }
}

static void connect_now(struct tri_endpoint *endpoint)
{
    struct tri_connect *op = (struct tri_connect *)endpoint->write;
    if (connect(endpoint->fd, (struct sockaddr *)&op->address, op->length) == 0)
        tri_op_complete(endpoint->write, 0);
    else if (tri_meaning_of(TRI_OP_CONNECT, tri_error_from_errno(errno)) == TRI_AGAIN)
        endpoint->ready = 0; /* it is under way: what is ready now says nothing about the connection */
    else
        tri_op_complete(endpoint->write, tri_error_from_errno(errno));
}

static void connected(struct tri_endpoint *endpoint)
{
    int error = tri_socket_connected(endpoint->fd);
    if (error == TR_EAGAIN)
        endpoint->ready &= (uint8_t)~WRITABLE;
    else
        tri_op_complete(endpoint->write, error);
}

static void write_some(struct epoll *e, struct tri_endpoint *endpoint)
{
    if (!endpoint->write || endpoint->write->state != TRI_OP_IN_FLIGHT || !(endpoint->ready & WRITABLE))
        return;
    if (endpoint->write->kind == TRI_OP_SEND)
        send_some(e, endpoint);
    else
        connected(endpoint);
}

/* ---- the port ---------------------------------------------------------------------------------------------------- */

static int attach(struct tri_io_port *port, struct tri_endpoint *endpoint)
{
    struct epoll *e = epoll_of(port);
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, .data.ptr = endpoint };
    endpoint->ready = READABLE | WRITABLE; /* until a call says otherwise */
    endpoint->place = tri_again_attach(&e->again, endpoint);
    if (!endpoint->place)
        return TR_ENOMEM;
    if (epoll_ctl(e->fd, EPOLL_CTL_ADD, endpoint->fd, &event) < 0) {
        tri_again_detach(&e->again, endpoint->place);
        return tri_error_from_errno(errno);
    }
    port->attached++;
    return 0;
}

static void detach(struct tri_io_port *port, struct tri_endpoint *endpoint, bool close)
{
    tri_again_detach(&epoll_of(port)->again, endpoint->place);
    /* Closing would do, unless the program has another descriptor of the same socket. */
    epoll_ctl(epoll_of(port)->fd, EPOLL_CTL_DEL, endpoint->fd, &(struct epoll_event){ 0 });
    if (close)
        tri_socket_close(endpoint->fd);
    endpoint->fd = TRI_NO_FD;
    port->attached--;
}

static void submit(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    switch ((enum tri_op_kind)op->kind) {
    case TRI_OP_RECEIVE:
    case TRI_OP_ACCEPT:
        if (endpoint->ready & READABLE)
            list(epoll_of(port), endpoint);
        return;
    case TRI_OP_SEND: {
        struct tri_send *send = (struct tri_send *)op;
        send->state.header = (struct msghdr){ .msg_iov = send->pieces, .msg_iovlen = send->count };
        write_some(epoll_of(port), endpoint);
        return;
    }
    case TRI_OP_CONNECT: connect_now(endpoint); return;
    }
}

static void cancel(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    (void)port;
    if (op == &endpoint->read)
        tri_op_complete(op, TR_ECANCELED);
    else if (op->kind == TRI_OP_SEND && sent_so_far((struct tri_send *)op) > 0)
        tri_op_complete(endpoint->write, sent_so_far((struct tri_send *)op));
    else
        tri_op_complete(endpoint->write, TR_ECANCELED);
}

static void note(struct epoll *e, const struct epoll_event *event)
{
    struct tri_endpoint *endpoint = event->data.ptr;
    if (!endpoint)
        return; /* woken: the counter is never read, each write to it is an edge */
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        endpoint->ready |= READABLE | HUNG_UP;
    if (event->events & EPOLLPRI)
        endpoint->ready |= READABLE | URGENT;
    if (event->events & EPOLLIN)
        endpoint->ready |= READABLE;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        endpoint->ready |= WRITABLE;
    if (endpoint->ready & READABLE && endpoint->read.state == TRI_OP_IN_FLIGHT)
        list(e, endpoint);
    write_some(e, endpoint);
}

/* Kernels before 5.11 have no epoll_pwait2, and filters that do not know it answer EPERM or what they like: then waits are
 * rounded up to milliseconds. */
static int wait_for_events(struct epoll *e, struct epoll_event *events, int64_t ns)
{
    struct timespec limit = { ns / 1000000000, ns % 1000000000 };
    int64_t ms = ns / 1000000 + (ns % 1000000 > 0);
    if (ns == 0)
        return epoll_wait(e->fd, events, EVENTS, 0);
    if (!e->no_pwait2) {
        int count = epoll_pwait2(e->fd, events, EVENTS, ns == INT64_MAX ? NULL : &limit, NULL);
        if (count >= 0 || errno == EINTR)
            return count;
        e->no_pwait2 = true;
    }
    return epoll_wait(e->fd, events, EVENTS, ns == INT64_MAX ? -1 : ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static int64_t time_until(struct epoll *e, int64_t deadline)
{
    if (deadline == TRI_NO_WAIT || deadline == INT64_MAX)
        return deadline == INT64_MAX ? INT64_MAX : 0;
    int64_t left = deadline - now(e);
    return left < 0 ? 0 : left;
}

/* An endpoint that was listed. Completing one operation may end its transport and with it the endpoint, but only if no other
 * is in flight. */
static void try(struct epoll *e, struct tri_endpoint *endpoint)
{
    bool writes = endpoint->write && endpoint->write->state == TRI_OP_IN_FLIGHT;
    read_some(e, endpoint);
    if (writes)
        write_some(e, endpoint);
}

static void poll_events(struct tri_port *port, int64_t deadline)
{
    struct epoll *e = (struct epoll *)port;
    struct epoll_event events[EVENTS];
    deadline = tri_again_limit(&e->again, tri_port_limit(&e->io, deadline));
    int count = wait_for_events(e, events, time_until(e, deadline));
    port->more = count < 0 || count == EVENTS;
    if (count < 0)
        tri_port_wait_failed(&e->io, "epoll_wait", tri_error_from_errno(errno));
    for (int i = 0; i < count; i++)
        note(e, &events[i]);
    tri_again_begin(&e->again, tri_again_pauses(&e->again) ? now(e) : 0);
    for (struct tri_endpoint *endpoint; (endpoint = tri_again_next(&e->again));)
        try(e, endpoint);
    tri_port_feed(&e->io);
}

static void wake(struct tri_port *port)
{
    uint64_t one = 1;
    ssize_t done = write(((struct epoll *)port)->wake_fd, &one, sizeof one);
    (void)done; /* a full counter wakes as well */
}

static bool has_work(struct tri_port *port)
{
    const struct epoll *e = (const struct epoll *)port;
    return tri_again_any(&e->again) || e->io.in_flight;
}

static void close_port(struct tri_port *port)
{
    struct epoll *e = (struct epoll *)port;
    tri_assert(e->io.in_flight == 0 && e->io.attached == 0);
    tri_receive_free(&e->receive);
    tri_again_close(&e->again);
    close(e->wake_fd);
    close(e->fd);
    tri_memory_put(e);
}

static const struct tri_io_port_class epoll_class = {
    .base = { .name = "epoll", .poll = poll_events, .wake = wake, .has_work = has_work, .close = close_port },
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .cancel = cancel,
};

int tri_epoll_open(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct epoll *e = tri_memory_get_zeroed(sizeof *e);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    (void)arg;
    if (!e)
        return TR_ENOMEM;
    e->io.port.class = &epoll_class.base;
    e->io.worker = worker;
    if (tri_again_open(&e->again)) {
        tri_memory_put(e);
        return TR_ENOMEM;
    }
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    e->wake_fd = e->fd < 0 ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (e->wake_fd < 0 || epoll_ctl(e->fd, EPOLL_CTL_ADD, e->wake_fd, &event) < 0) {
        int error = tri_error_from_errno(errno);
        if (e->wake_fd >= 0)
            close(e->wake_fd);
        if (e->fd >= 0)
            close(e->fd);
        tri_again_close(&e->again);
        tri_memory_put(e);
        return error;
    }
    *port = &e->io.port;
    return 0;
}
