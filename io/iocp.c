/*
 * The IOCP backend.
 *
 * One port per worker; a socket is associated with that of its home for life. What Windows needs of an operation while it
 * is in flight (OVERLAPPED, buffers, addresses) is in a record, one for each endpoint, from attach to detach: it outlives
 * every packet, as detach comes after the last terminal completion.
 *
 * A receive that goes on is a chain of single ones: when one has completed, the endpoint is listed, and the next poll
 * starts another, one for each endpoint and poll, so that no connection keeps the others waiting. An accept that goes on
 * is a number of AcceptEx; it ends when the last of them is home.
 *
 * Where the provider allows it a call that succeeds at once sends no packet; its completion is made right here. A call
 * that fails at once never sends one. Whatever a packet brings, success included, counts also after a cancel.
 */
#include "io/iocp.h"

#include "io/again.h"
#include "io/iocp_wait.h"
#include "io/meaning.h"
#include "io/receive.h"
#include "mailbox/panic.h"
#include "sched/log.h"

#include <string.h>

enum {
    PACKETS = 64,        /* taken at a time */
    ACCEPTS_MAX = 32,    /* AcceptEx outstanding on one socket */
    FAILURES_MAX = 1000, /* of AcceptEx in a row: then it is not because of the connections */
    POST_TRIES = 1000,
};

enum packet_kind { PACKET_RECEIVE, PACKET_WRITE, PACKET_ACCEPT };

/* What a packet leads back to. */
struct packet {
    OVERLAPPED overlapped; /* first */
    struct tri_endpoint *endpoint;
    enum packet_kind kind;
    bool out; /* the system has it */
};

struct accepting {
    struct packet packet;
    SOCKET socket;
    char addresses[2 * (sizeof(struct sockaddr_storage) + 16)];
};

struct record {
    struct packet read, write;
    struct tri_endpoint *endpoint;
    uint32_t place;           /* among those that have to be started again */
    bool skips;               /* what succeeds at once sends no packet */
    bool bulky;               /* the last receive filled a buffer */
    int accept_error;         /* why accepting ends; 0: it goes on */
    unsigned accepts;         /* AcceptEx outstanding */
    unsigned accept_failures; /* in a row */
    struct accepting *accepting;
    int family; /* of what is accepted */
    struct tri_receive receive;
    tri_tag tag, accepting_tag;
};

struct iocp {
    struct tri_iocp base; /* first */
    uint32_t woken;       /* a packet to wake it is on its way */
    unsigned accepts_max;
    bool delivered; /* something, since the poll began */
    struct tri_again again;
};

static struct iocp *iocp_of(struct tri_io_port *port)
{
    return (struct iocp *)port;
}

static struct record *record_of(const struct tri_endpoint *endpoint)
{
    return endpoint->record;
}

static HANDLE handle_of(const struct tri_endpoint *endpoint)
{
    return (HANDLE)(uintptr_t)(unsigned)endpoint->fd;
}

static SOCKET socket_of(const struct tri_endpoint *endpoint)
{
    return (SOCKET)(unsigned)endpoint->fd;
}

static int64_t now(const struct iocp *p)
{
    return tri_clock_now(p->base.io.worker->sched->config.clock);
}

/* Started again by the next poll, */
static void list(struct iocp *p, struct record *r)
{
    tri_again_list(&p->again, r->place);
}

/* or later, when the system may be short of nothing any more. */
static void list_later(struct iocp *p, struct record *r)
{
    tri_again_pause(&p->again, r->place, now(p));
}

/* ---- completing -------------------------------------------------------------------------------------------------- */

/* If the transport has ended, the endpoint and its record may be gone after this. */
static void complete(struct iocp *p, struct tri_op *op, int32_t result)
{
    p->delivered = true;
    tri_op_complete(op, result);
}

/* An operation has failed: it is started again, or that is its end. */
static void failed(struct iocp *p, struct tri_endpoint *endpoint, struct tri_op *op, int error)
{
    enum tri_meaning meaning = tri_meaning_of(op->kind, error);
    if (op->flags & TRI_OP_CANCELED)
        complete(p, op, TR_ECANCELED);
    else if (meaning == TRI_AGAIN)
        list(p, record_of(endpoint));
    else if (meaning == TRI_PAUSE)
        list_later(p, record_of(endpoint));
    else
        complete(p, op, error);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static OVERLAPPED *start(struct packet *packet)
{
    memset(&packet->overlapped, 0, sizeof packet->overlapped);
    return &packet->overlapped;
}

/* What a call has answered (0, or the error): true if a packet will come. */
static bool will_come(struct packet *packet, DWORD error)
{
    packet->out = error == ERROR_IO_PENDING || (error == 0 && !record_of(packet->endpoint)->skips);
    return packet->out;
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

/* What has come counts, whatever is said besides: that it was cancelled, for instance. */
static void received(struct iocp *p, struct tri_endpoint *endpoint, int error, size_t bytes)
{
    struct record *r = record_of(endpoint);
    struct tri_op *op = &endpoint->read;
    int32_t limit = op->result;
    if (bytes == 0 && error) {
        failed(p, endpoint, op, error);
        return;
    }
    if (bytes == 0) {
        complete(p, op, 0);
        return;
    }
    r->bulky = bytes >= TRI_RECEIVE_ROOM;
    p->delivered = true;
    tri_receive_take(&r->receive, op, bytes);
    if (limit)
        complete(p, op, (int32_t)bytes);
    else if (op->flags & TRI_OP_CANCELED)
        complete(p, op, TR_ECANCELED);
    else
        list(p, r); /* an error comes again */
}

static void receive(struct iocp *p, struct tri_endpoint *endpoint)
{
    struct record *r = record_of(endpoint);
    WSABUF pieces[TRI_RECEIVE_PIECES];
    DWORD bytes = 0, flags = 0;
    uint32_t count = tri_receive_fill(&r->receive, r->bulky, endpoint->read.result, pieces);
    if (count == 0) {
        list_later(p, r);
        return;
    }
    DWORD error =
        WSARecv(socket_of(endpoint), pieces, count, &bytes, &flags, start(&r->read), NULL) ? (DWORD)WSAGetLastError() : 0;
    if (!will_come(&r->read, error))
        received(p, endpoint, tri_winsock_error(error), bytes);
}

/* ---- accepting --------------------------------------------------------------------------------------------------- */

/* Accepting ends when the last AcceptEx is home. */
static void end_accepting(struct iocp *p, struct record *r, int error)
{
    if (!r->accept_error) {
        r->accept_error = error;
        if (r->accepts)
            CancelIoEx(handle_of(r->endpoint), NULL);
    }
    if (r->accepts == 0)
        complete(p, &r->endpoint->read, r->accept_error);
}

/* An AcceptEx has ended. What goes wrong with it once it has begun is of the one connection, which may be gone already,
 * unless it goes on and on. */
static void accepted(struct iocp *p, struct accepting *a, int error)
{
    struct record *r = record_of(a->packet.endpoint);
    SOCKET listener = socket_of(r->endpoint);
    SOCKET socket = a->socket;
    a->socket = INVALID_SOCKET;
    if (!error)
        error = setsockopt(socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener, sizeof listener)
            ? tri_winsock_error((DWORD)WSAGetLastError())
            : 0;
    r->accept_failures = error ? r->accept_failures + 1 : 0;
    if (!error) {
        p->delivered = true;
        tri_op_accepted(&r->endpoint->read, (tri_fd)socket);
    } else {
        closesocket(socket);
    }
    if (r->accept_error || r->accept_failures == FAILURES_MAX)
        end_accepting(p, r, error);
    else
        list(p, r);
}

/* 0, or why there cannot be one more. */
static int accept_one(struct iocp *p, struct record *r, struct accepting *a)
{
    enum { ADDRESS = sizeof(struct sockaddr_storage) + 16 };
    DWORD bytes = 0;
    a->socket = WSASocketW(r->family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (a->socket == INVALID_SOCKET)
        return tri_winsock_error((DWORD)WSAGetLastError());
    BOOL done =
        tri_accept_ex(socket_of(r->endpoint), a->socket, a->addresses, 0, ADDRESS, ADDRESS, &bytes, start(&a->packet));
    DWORD error = done ? 0 : (DWORD)WSAGetLastError();
    if (will_come(&a->packet, error)) {
        r->accepts++;
        return 0;
    }
    if (error) {
        closesocket(a->socket);
        a->socket = INVALID_SOCKET;
        return tri_winsock_error(error);
    }
    accepted(p, a, 0);
    return 0;
}

/* Brings the AcceptEx to their number. Those that there is no descriptor for are missed only when there is none at all. */
static void accept_some(struct iocp *p, struct record *r)
{
    for (unsigned i = 0; i < p->accepts_max && !r->accept_error; i++) {
        struct accepting *a = &r->accepting[i];
        int error = a->packet.out ? 0 : accept_one(p, r, a);
        if (error && r->accepts == 0)
            end_accepting(p, r, error);
        if (error)
            return;
    }
}

static void start_accepting(struct iocp *p, struct record *r)
{
    r->accept_error = 0;
    r->accept_failures = 0;
    r->family = tri_socket_local(r->endpoint->fd).family == TR_IPV6 ? AF_INET6 : AF_INET;
    if (!r->accepting) {
        r->accepting = tri_block_get(p->accepts_max * sizeof *r->accepting, &r->accepting_tag);
        if (!r->accepting) {
            complete(p, &r->endpoint->read, TR_ENOMEM);
            return;
        }
        for (unsigned i = 0; i < p->accepts_max; i++)
            r->accepting[i] = (struct accepting){ .packet = { .endpoint = r->endpoint, .kind = PACKET_ACCEPT },
                .socket = INVALID_SOCKET };
    }
    list(p, r);
}

/* ---- sending and connecting -------------------------------------------------------------------------------------- */

static size_t left_of(const struct tri_send *send)
{
    size_t left = 0;
    for (uint32_t i = send->state.first; i < send->count; i++)
        left += send->pieces[i].len;
    return left;
}

/* Takes what was sent off the pieces. */
static void advance(struct tri_send *send, size_t sent)
{
    while (sent) {
        WSABUF *piece = &send->pieces[send->state.first];
        if (sent < piece->len) {
            piece->buf += sent;
            piece->len -= (ULONG)sent;
            return;
        }
        sent -= piece->len;
        send->state.first++;
    }
}

static void sent(struct iocp *p, struct tri_endpoint *endpoint, int error, size_t bytes)
{
    struct tri_send *send = (struct tri_send *)endpoint->write;
    advance(send, bytes);
    size_t left = left_of(send);
    if (left == 0)
        complete(p, endpoint->write, (int32_t)send->bytes);
    else if (endpoint->write->flags & TRI_OP_CANCELED && left < send->bytes)
        complete(p, endpoint->write, (int32_t)(send->bytes - left));
    else if (endpoint->write->flags & TRI_OP_CANCELED)
        complete(p, endpoint->write, TR_ECANCELED);
    else if (error)
        failed(p, endpoint, endpoint->write, error);
    else
        list(p, record_of(endpoint));
}

static void send_some(struct iocp *p, struct tri_endpoint *endpoint)
{
    struct tri_send *send = (struct tri_send *)endpoint->write;
    struct record *r = record_of(endpoint);
    DWORD bytes = 0;
    DWORD error = WSASend(socket_of(endpoint), send->pieces + send->state.first, send->count - send->state.first, &bytes, 0,
                      start(&r->write), NULL)
        ? (DWORD)WSAGetLastError()
        : 0;
    if (!will_come(&r->write, error))
        sent(p, endpoint, tri_winsock_error(error), bytes);
}

static void connected(struct iocp *p, struct tri_endpoint *endpoint, int error)
{
    if (!error && setsockopt(socket_of(endpoint), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0))
        error = tri_winsock_error((DWORD)WSAGetLastError());
    if (!error)
        error = tri_socket_connected(endpoint->fd);
    complete(p, endpoint->write, error && endpoint->write->flags & TRI_OP_CANCELED ? TR_ECANCELED : error);
}

/* ConnectEx wants a socket that is bound. */
static DWORD bind_any(struct tri_endpoint *endpoint, int family)
{
    struct sockaddr_storage any = { .ss_family = (ADDRESS_FAMILY)family };
    int length = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (bind(socket_of(endpoint), (struct sockaddr *)&any, length) == 0)
        return 0;
    DWORD error = (DWORD)WSAGetLastError();
    return error == WSAEINVAL ? 0 : error; /* it is */
}

static void connect_now(struct iocp *p, struct tri_endpoint *endpoint)
{
    struct tri_connect *op = (struct tri_connect *)endpoint->write;
    struct record *r = record_of(endpoint);
    DWORD bytes = 0, error = bind_any(endpoint, op->address.ss_family);
    if (error) {
        connected(p, endpoint, tri_winsock_error(error));
        return;
    }
    if (!tri_connect_ex(socket_of(endpoint), (struct sockaddr *)&op->address, op->length, NULL, 0, &bytes, start(&r->write)))
        error = (DWORD)WSAGetLastError();
    if (!will_come(&r->write, error))
        connected(p, endpoint, tri_winsock_error(error));
}

/* ---- the port ---------------------------------------------------------------------------------------------------- */

static int attach(struct tri_io_port *port, struct tri_endpoint *endpoint)
{
    tri_tag tag;
    struct record *r = tri_block_get(sizeof *r, &tag);
    if (!r)
        return TR_ENOMEM;
    *r = (struct record){ .endpoint = endpoint, .tag = tag, .place = tri_again_attach(&iocp_of(port)->again, endpoint) };
    if (!r->place) {
        tri_block_put(r, tag);
        return TR_ENOMEM;
    }
    r->read.endpoint = r->write.endpoint = endpoint;
    r->read.kind = PACKET_RECEIVE;
    r->write.kind = PACKET_WRITE;
    if (!CreateIoCompletionPort(handle_of(endpoint), iocp_of(port)->base.handle, TRI_KEY_OPERATION, 0)) {
        int error = tri_winsock_error(GetLastError());
        tri_again_detach(&iocp_of(port)->again, r->place);
        tri_block_put(r, tag);
        return error;
    }
    r->skips = tri_winsock_skips &&
        SetFileCompletionNotificationModes(handle_of(endpoint),
            FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE);
    endpoint->record = r;
    port->attached++;
    return 0;
}

static void detach(struct tri_io_port *port, struct tri_endpoint *endpoint, bool close)
{
    struct record *r = record_of(endpoint);
    tri_assert(!r->read.out && !r->write.out && r->accepts == 0);
    tri_again_detach(&iocp_of(port)->again, r->place);
    tri_receive_free(&r->receive);
    if (r->accepting)
        tri_block_put(r->accepting, r->accepting_tag);
    tri_block_put(r, r->tag);
    endpoint->record = NULL;
    if (close)
        tri_socket_close(endpoint->fd);
    endpoint->fd = TRI_NO_FD;
    port->attached--;
}

static void submit(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    struct iocp *p = iocp_of(port);
    switch ((enum tri_op_kind)op->kind) {
    case TRI_OP_RECEIVE: list(p, record_of(endpoint)); return;
    case TRI_OP_ACCEPT: start_accepting(p, record_of(endpoint)); return;
    case TRI_OP_SEND:
        ((struct tri_send *)op)->state.first = 0;
        send_some(p, endpoint);
        return;
    case TRI_OP_CONNECT: connect_now(p, endpoint); return;
    }
}

static void cancel(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    struct iocp *p = iocp_of(port);
    struct record *r = record_of(endpoint);
    struct packet *packet = op == &endpoint->read ? &r->read : &r->write;
    if (op->kind == TRI_OP_ACCEPT)
        end_accepting(p, r, TR_ECANCELED);
    else if (packet->out)
        CancelIoEx(handle_of(endpoint), &packet->overlapped); /* if it is not found its packet is on its way */
    else if (op->kind == TRI_OP_SEND)
        sent(p, endpoint, TR_ECANCELED, 0);
    else
        complete(p, op, TR_ECANCELED);
}

static void handle_packet(struct iocp *p, OVERLAPPED *overlapped)
{
    struct packet *packet = (struct packet *)(void *)overlapped;
    struct tri_endpoint *endpoint = packet->endpoint;
    int error = overlapped->Internal ? tri_error_from_ntstatus((uint32_t)overlapped->Internal) : 0;
    size_t bytes = overlapped->InternalHigh;
    tri_assert(packet->out);
    packet->out = false;
    switch (packet->kind) {
    case PACKET_RECEIVE: received(p, endpoint, error, bytes); return;
    case PACKET_ACCEPT:
        record_of(endpoint)->accepts--;
        accepted(p, (struct accepting *)(void *)packet, error);
        return;
    case PACKET_WRITE:
        if (endpoint->write->kind == TRI_OP_SEND)
            sent(p, endpoint, error, bytes);
        else
            connected(p, endpoint, error);
        return;
    }
}

/* Starts what goes on. That is of a transport that has not ended: of another, nothing is in flight but what the system has,
 * see cancel. So no endpoint goes away here. */
static void start_again(struct iocp *p, struct tri_endpoint *endpoint)
{
    struct record *r = record_of(endpoint);
    const struct tri_op *write = endpoint->write;
    if (endpoint->read.state == TRI_OP_IN_FLIGHT && endpoint->read.kind == TRI_OP_ACCEPT)
        accept_some(p, r);
    else if (endpoint->read.state == TRI_OP_IN_FLIGHT && !r->read.out)
        receive(p, endpoint);
    if (write && write->state == TRI_OP_IN_FLIGHT && write->kind == TRI_OP_SEND && !r->write.out)
        send_some(p, endpoint);
}

static void start_all_again(struct iocp *p)
{
    tri_again_begin(&p->again, tri_again_pauses(&p->again) ? now(p) : 0);
    for (struct tri_endpoint *endpoint; (endpoint = tri_again_next(&p->again));)
        start_again(p, endpoint);
}

static DWORD time_until(const struct iocp *p, int64_t deadline)
{
    if (deadline == TRI_NO_WAIT || deadline == INT64_MAX)
        return deadline == INT64_MAX ? INFINITE : 0;
    int64_t at = now(p);
    return tri_milliseconds(deadline < at ? 0 : deadline - at);
}

static void poll_packets(struct tri_port *port, int64_t deadline)
{
    struct iocp *p = (struct iocp *)port;
    OVERLAPPED_ENTRY packets[PACKETS];
    ULONG count = 0;
    /* Before the wait, as what it brings may be what is waited for. */
    p->delivered = false;
    start_all_again(p);
    if (p->delivered)
        deadline = TRI_NO_WAIT; /* somebody has a message to handle */
    deadline = tri_again_limit(&p->again, tri_port_limit(&p->base.io, deadline));
    if (!GetQueuedCompletionStatusEx(p->base.handle, packets, PACKETS, &count, time_until(p, deadline), FALSE)) {
        tri_port_wait_failed(&p->base.io, "GetQueuedCompletionStatusEx", tri_winsock_error(GetLastError()));
        count = 0;
    }
    port->more = count == PACKETS;
    for (ULONG i = 0; i < count; i++)
        switch (packets[i].lpCompletionKey) { /* what lpOverlapped means depends on it */
        case TRI_KEY_OPERATION: handle_packet(p, packets[i].lpOverlapped); break;
        case TRI_KEY_WAKE: ck_pr_store_32(&p->woken, 0); break; /* whoever calls wake now posts again */
        case TRI_KEY_WAIT: tri_wait_packet(&packets[i]); break;
        default: tri_job_object_packet(&p->base, &packets[i]);
        }
    tri_port_feed(&p->base.io);
}

void tri_iocp_post(const struct tri_iocp *port, enum tri_iocp_key key, DWORD bytes, void *subject)
{
    for (int i = 0; i < POST_TRIES; i++) {
        if (PostQueuedCompletionStatus(port->handle, bytes, key, subject))
            return;
        Sleep(i < POST_TRIES / 10 ? 0 : 1); /* the system is short of memory */
    }
    tri_panic("port iocp of worker %u: nothing can be posted to it: error %lu", port->io.worker->index, GetLastError());
}

static void wake(struct tri_port *port)
{
    struct iocp *p = (struct iocp *)port;
    if (!ck_pr_fas_32(&p->woken, 1))
        tri_iocp_post(&p->base, TRI_KEY_WAKE, 0, NULL);
}

static bool has_work(struct tri_port *port)
{
    const struct iocp *p = (const struct iocp *)port;
    return tri_again_any(&p->again) || p->base.io.in_flight;
}

static void close_port(struct tri_port *port)
{
    struct iocp *p = (struct iocp *)port;
    tri_assert(p->base.io.in_flight == 0 && p->base.io.attached == 0);
    CloseHandle(p->base.handle);
    tri_again_close(&p->again);
    tri_memory_put(p);
}

static const struct tri_io_port_class iocp_class = {
    .base = { .name = "iocp", .poll = poll_packets, .wake = wake, .has_work = has_work, .close = close_port },
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .cancel = cancel,
};

int tri_iocp_open(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct iocp *p = tri_memory_get_zeroed(sizeof *p);
    unsigned workers = worker->sched->count;
    (void)arg;
    if (!p)
        return TR_ENOMEM;
    p->base.io.port.class = &iocp_class.base;
    p->base.io.worker = worker;
    p->base.next_key = TRI_KEY_JOB;
    p->accepts_max = 2 * workers < ACCEPTS_MAX ? 2 * workers : ACCEPTS_MAX;
    int error = tri_again_open(&p->again);
    error = error ? error : tri_winsock_start();
    p->base.handle = error ? NULL : CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (!p->base.handle) {
        error = error ? error : tri_winsock_error(GetLastError());
        tri_again_close(&p->again);
        tri_memory_put(p);
        return error;
    }
    *port = &p->base.io.port;
    return 0;
}
