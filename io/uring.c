/*
 * The io_uring backend.
 *
 * One ring per worker, used by that worker alone (SINGLE_ISSUER, DEFER_TASKRUN where the kernel has them). Submissions
 * are only noted in the ring; they go to the kernel with the next poll, all at once. Receiving and accepting are
 * multishot (a receive limited to one arrival is not: it takes several buffers at once, a bundle, where the kernel can);
 * received bytes come in buffers that were given to the kernel beforehand (a buffer ring). A payload that is small is
 * copied out and its buffer given back; a larger one takes its buffer along and a new one takes its place. So what an
 * actor holds never starves the others.
 *
 * The low bits of user_data say what a completion is of; above them is the operation's address (aligned to 64).
 */
#include "io/again.h"
#include "io/meaning.h"
#include "io/port.h"
#include "mailbox/error.h"
#include "mailbox/panic.h"
#include "sched/log.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    ENTRIES = 512,    /* submissions noted before they must go to the kernel; halved as often as need be, … */
    ENTRIES_MIN = 32, /* … down to this, where memory may not be locked */
    COMPLETIONS = 8,  /* for each of them */
    BUFFERS = 256,    /* in the buffer ring; a power of two */
    GROUP = 0,
    REAPED = 256,        /* completions handled in one poll */
    SUBMIT_TRIES = 1000, /* with a pause after each, until the kernel takes a submission */
};

/* Newer than the liburing of Debian 12 (Linux 6.10). */
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif

enum tag { TAG_OPERATION, TAG_CANCEL, TAG_WAKE, TAGS = 63 };

struct uring {
    struct tri_io_port io;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    tr_buf *buffers[BUFFERS]; /* given to the kernel, by number; NULL: there was no memory for this one */
    unsigned missing;         /* how many are NULL */
    unsigned added;           /* given to the ring, not yet shown to the kernel */
    uint16_t order[BUFFERS];  /* the numbers as they were given, in a ring; the kernel takes them in this order */
    uint16_t place[BUFFERS];  /* of each number in it */
    uint16_t given;           /* counts them */
    bool bundles;             /* the kernel can fill several buffers at once */
    struct tri_again again;   /* what found no buffer, or the system is short of something for */
    int wake_fd;
    bool wake_armed;
};

static struct uring *uring_of(struct tri_io_port *port)
{
    return (struct uring *)port;
}

static uint64_t user_data(const struct tri_op *op, enum tag tag)
{
    return (uint64_t)(uintptr_t)op | tag;
}

static int64_t now(const struct uring *u)
{
    return tri_clock_now(u->io.worker->sched->config.clock);
}

/* What the kernel has answered to a call that submits or waits, or both. */
static void entered(struct uring *u, int answer)
{
    if (answer < 0 && answer != -ETIME)
        tri_port_wait_failed(&u->io, "io_uring_enter", tri_error_from_errno(-answer));
}

static struct io_uring_sqe *get_entry(struct uring *u)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&u->ring);
    for (int i = 0; !entry; i++) { /* full: the kernel takes them now */
        if (i == SUBMIT_TRIES)
            tri_panic("port uring of worker %u: the kernel takes no submissions", u->io.worker->index);
        entered(u, io_uring_submit(&u->ring));
        entry = io_uring_get_sqe(&u->ring);
    }
    return entry;
}

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

static void give_buffer(struct uring *u, unsigned number)
{
    io_uring_buf_ring_add(u->buffer_ring, tri_buf_room(u->buffers[number]), TRI_RECEIVE_ROOM, (unsigned short)number,
        BUFFERS - 1, (int)u->added++);
    u->order[u->given % BUFFERS] = (uint16_t)number;
    u->place[number] = u->given++;
}

static void show_buffers(struct uring *u)
{
    if (u->added)
        io_uring_buf_ring_advance(u->buffer_ring, (int)u->added);
    u->added = 0;
}

static bool make_buffer(struct uring *u, unsigned number)
{
    u->buffers[number] = tri_buf_receive(TRI_RECEIVE_ROOM);
    if (u->buffers[number])
        give_buffer(u, number);
    return u->buffers[number];
}

/* Fills the places for which there was no memory. */
static void make_missing(struct uring *u)
{
    for (unsigned i = 0; i < BUFFERS && u->missing; i++)
        if (!u->buffers[i]) {
            if (!make_buffer(u, i))
                return;
            u->missing--;
        }
}

/* ---- submitting -------------------------------------------------------------------------------------------------- */

static struct tri_endpoint *endpoint_of(struct tri_op *op)
{
    bool reads = op->kind == TRI_OP_RECEIVE || op->kind == TRI_OP_ACCEPT;
    return reads ? tri_container_of(op, struct tri_endpoint, read) : op->endpoint;
}

static void note_receive(struct uring *u, struct tri_op *op)
{
    struct io_uring_sqe *entry = get_entry(u);
    if (op->result == 0)
        io_uring_prep_recv_multishot(entry, endpoint_of(op)->fd, NULL, 0, 0);
    else
        io_uring_prep_recv(entry, endpoint_of(op)->fd, NULL, u->bundles ? (size_t)op->result : 0, 0);
    if (op->result && u->bundles)
        entry->ioprio |= IORING_RECVSEND_BUNDLE;
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
    io_uring_sqe_set_data64(entry, user_data(op, TAG_OPERATION));
}

static void note_accept(struct uring *u, struct tri_op *op)
{
    struct io_uring_sqe *entry = get_entry(u);
    io_uring_prep_multishot_accept(entry, endpoint_of(op)->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(entry, user_data(op, TAG_OPERATION));
}

static void note_send(struct uring *u, struct tri_send *send)
{
    struct io_uring_sqe *entry = get_entry(u);
    int fd = send->op.endpoint->fd;
    if (send->count == 1) {
        io_uring_prep_send(entry, fd, send->pieces[0].iov_base, send->pieces[0].iov_len, MSG_NOSIGNAL | MSG_WAITALL);
    } else {
        send->state.header = (struct msghdr){ .msg_iov = send->pieces, .msg_iovlen = send->count };
        io_uring_prep_sendmsg(entry, fd, &send->state.header, MSG_NOSIGNAL | MSG_WAITALL);
    }
    io_uring_sqe_set_data64(entry, user_data(&send->op, TAG_OPERATION));
}

static void note_connect(struct uring *u, struct tri_connect *op)
{
    struct io_uring_sqe *entry = get_entry(u);
    io_uring_prep_connect(entry, op->op.endpoint->fd, (struct sockaddr *)&op->address, op->length);
    io_uring_sqe_set_data64(entry, user_data(&op->op, TAG_OPERATION));
}

/* Waits until an attempt to connect is over, one way or the other. */
static void note_connecting(struct uring *u, struct tri_op *op)
{
    struct io_uring_sqe *entry = get_entry(u);
    io_uring_prep_poll_add(entry, op->endpoint->fd, POLLOUT);
    io_uring_sqe_set_data64(entry, user_data(op, TAG_OPERATION));
}

static void note(struct uring *u, struct tri_op *op)
{
    switch ((enum tri_op_kind)op->kind) {
    case TRI_OP_RECEIVE: note_receive(u, op); return;
    case TRI_OP_ACCEPT: note_accept(u, op); return;
    case TRI_OP_SEND: note_send(u, (struct tri_send *)op); return;
    case TRI_OP_CONNECT: note_connect(u, (struct tri_connect *)op); return;
    }
}

static void submit(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    (void)endpoint;
    note(uring_of(port), op);
}

/* The operation is held until the answer is home as well: it may be that the kernel does not find the operation although
 * it has it, because it is just about to be tried again. Then it has to be asked once more. */
static void note_cancel(struct uring *u, struct tri_op *op)
{
    struct io_uring_sqe *entry = get_entry(u);
    io_uring_prep_cancel64(entry, user_data(op, TAG_OPERATION), 0);
    io_uring_sqe_set_data64(entry, user_data(op, TAG_CANCEL));
    op->flags |= TRI_OP_CANCELING;
}

static void cancel(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    struct uring *u = uring_of(port);
    (void)endpoint;
    if (op->flags & TRI_OP_HELD) { /* the kernel does not have it */
        op->flags &= (uint8_t)~TRI_OP_HELD;
        tri_op_complete(op, TR_ECANCELED);
        return;
    }
    note_cancel(u, op);
}

static int attach(struct tri_io_port *port, struct tri_endpoint *endpoint)
{
    endpoint->place = tri_again_attach(&uring_of(port)->again, endpoint);
    if (!endpoint->place)
        return TR_ENOMEM;
    port->attached++;
    return 0;
}

/* Closed is closed when this returns, not when the kernel takes submissions again: the descriptor can be another's. */
static void detach(struct tri_io_port *port, struct tri_endpoint *endpoint, bool close)
{
    tri_again_detach(&uring_of(port)->again, endpoint->place);
    if (close)
        tri_socket_close(endpoint->fd);
    endpoint->fd = TRI_NO_FD;
    port->attached--;
}

static void arm_wake(struct uring *u)
{
    struct io_uring_sqe *entry = get_entry(u);
    io_uring_prep_poll_multishot(entry, u->wake_fd, POLLIN); /* the counter is never read, each write to it is an edge */
    io_uring_sqe_set_data64(entry, TAG_WAKE);
    u->wake_armed = true;
}

/* ---- completions ------------------------------------------------------------------------------------------------- */

/* The kernel is done with the operation. */
static void ended(struct tri_op *op, int32_t result)
{
    if (op->flags & TRI_OP_CANCELING) {
        op->flags |= TRI_OP_ENDED;
        op->result = result;
    } else {
        tri_op_complete(op, result);
    }
}

/* The kernel is done with it, in vain: it is tried again, at the next poll or after a pause. */
static void hold(struct uring *u, struct tri_op *op, bool pause)
{
    if (op->flags & TRI_OP_CANCELED) {
        ended(op, TR_ECANCELED);
        return;
    }
    op->flags |= TRI_OP_HELD;
    if (pause)
        tri_again_pause(&u->again, endpoint_of(op)->place, now(u));
    else
        tri_again_list(&u->again, endpoint_of(op)->place);
}

/* The kernel has failed to do it, with a negative errno. An operation that a thread of the kernel's has tried, for instance,
 * may say EAGAIN, although it is one that waits. */
static void failed(struct uring *u, struct tri_op *op, int answer)
{
    int error = tri_error_from_errno(-answer);
    enum tri_meaning meaning = tri_meaning_of(op->kind, error);
    bool owns = op->kind != TRI_OP_ACCEPT; /* a listener pauses by itself, and says so */
    if (op->flags & TRI_OP_CANCELED && meaning == TRI_AGAIN)
        ended(op, TR_ECANCELED);
    else if (meaning == TRI_AGAIN && op->kind == TRI_OP_CONNECT)
        note_connecting(u, op);
    else if (meaning == TRI_AGAIN || (meaning == TRI_PAUSE && owns))
        hold(u, op, meaning == TRI_PAUSE);
    else
        ended(op, error);
}

static void cancel_answered(struct uring *u, struct tri_op *op, int result)
{
    op->flags &= (uint8_t)~TRI_OP_CANCELING;
    if (op->flags & TRI_OP_ENDED)
        tri_op_complete(op, op->result);
    else if (result == -ENOENT)
        note_cancel(u, op);
}

/* Takes `length` bytes out of buffer `number` and those that were given after it. */
static void take_payload(struct uring *u, struct tri_op *op, unsigned number, size_t length)
{
    for (uint16_t place = u->place[number]; length; place++) {
        unsigned n = u->order[place % BUFFERS];
        size_t part = length < TRI_RECEIVE_ROOM ? length : TRI_RECEIVE_ROOM;
        tr_buf *from = u->buffers[n], *buf = tri_receive_trim(from, part);
        if (buf != from)
            give_buffer(u, n);
        else if (!make_buffer(u, n))
            u->missing++;
        tri_op_received(op, buf);
        length -= part;
    }
}

static void received(struct uring *u, struct tri_op *op, int result, unsigned flags)
{
    bool more = flags & IORING_CQE_F_MORE;
    if (flags & IORING_CQE_F_BUFFER) {
        unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
        if (result > 0)
            take_payload(u, op, number, (size_t)result);
        else
            give_buffer(u, number);
    }
    if (more)
        return;
    if (result == -ENOBUFS)
        hold(u, op, u->missing == BUFFERS); /* there was no buffer: at the next poll there are some, if there is memory */
    else if (result < 0)
        failed(u, op, result);
    else if (result == 0 || op->result)
        ended(op, result);
    else if (op->flags & TRI_OP_CANCELED)
        ended(op, TR_ECANCELED);
    else
        note_receive(u, op); /* the kernel ended the series for reasons of its own */
}

static void accepted(struct uring *u, struct tri_op *op, int result, unsigned flags)
{
    if (result >= 0)
        tri_op_accepted(op, result);
    if (flags & IORING_CQE_F_MORE)
        return;
    if (result < 0)
        failed(u, op, result);
    else if (op->flags & TRI_OP_CANCELED)
        ended(op, TR_ECANCELED);
    else
        note_accept(u, op);
}

/* The kernel has answered to a CONNECT, or it is over. */
static void connected(struct uring *u, struct tri_op *op)
{
    int error = tri_socket_connected(op->endpoint->fd);
    if (error != TR_EAGAIN)
        ended(op, error);
    else if (op->flags & TRI_OP_CANCELED)
        ended(op, TR_ECANCELED);
    else
        note_connecting(u, op);
}

static void operation_completed(struct uring *u, struct tri_op *op, const struct io_uring_cqe *entry)
{
    switch ((enum tri_op_kind)op->kind) {
    case TRI_OP_RECEIVE: received(u, op, entry->res, entry->flags); return;
    case TRI_OP_ACCEPT: accepted(u, op, entry->res, entry->flags); return;
    case TRI_OP_SEND:
        if (entry->res < 0)
            failed(u, op, entry->res);
        else
            ended(op, entry->res);
        return;
    case TRI_OP_CONNECT:
        if (entry->res < 0)
            failed(u, op, entry->res);
        else
            connected(u, op);
        return;
    }
}

static void completed(struct uring *u, const struct io_uring_cqe *entry)
{
    struct tri_op *op = (struct tri_op *)(uintptr_t)(entry->user_data & ~(uint64_t)TAGS);
    switch ((enum tag)(entry->user_data & TAGS)) {
    case TAG_OPERATION: operation_completed(u, op, entry); return;
    case TAG_CANCEL: cancel_answered(u, op, entry->res); return;
    case TAG_WAKE: u->wake_armed = entry->flags & IORING_CQE_F_MORE; return;
    case TAGS: return;
    }
}

static void reap(struct uring *u)
{
    struct io_uring_cqe *entry;
    unsigned head, count = 0;
    io_uring_for_each_cqe (&u->ring, head, entry) {
        completed(u, entry);
        if (++count == REAPED)
            break;
    }
    io_uring_cq_advance(&u->ring, count);
}

static void note_again(struct uring *u, struct tri_op *op)
{
    if (op && op->flags & TRI_OP_HELD) {
        op->flags &= (uint8_t)~TRI_OP_HELD;
        note(u, op);
    }
}

/* An operation that was cancelled or has ended meanwhile is not held any more. */
static void try_again(struct uring *u)
{
    tri_again_begin(&u->again, tri_again_pauses(&u->again) ? now(u) : 0);
    for (struct tri_endpoint *endpoint; (endpoint = tri_again_next(&u->again));) {
        note_again(u, &endpoint->read);
        note_again(u, endpoint->write);
    }
}

/* ---- the port ---------------------------------------------------------------------------------------------------- */

/* Whether there are completions, or will be when the kernel is entered. */
static bool has_come(const struct uring *u)
{
    return tri_again_any(&u->again) || io_uring_cq_ready(&u->ring) ||
        IO_URING_READ_ONCE(*u->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static bool has_work(struct tri_port *port)
{
    const struct uring *u = (const struct uring *)port;
    return has_come(u) || io_uring_sq_ready(&u->ring);
}

static void enter(struct uring *u, int64_t deadline)
{
    struct io_uring_cqe *entry;
    if (deadline == TRI_NO_WAIT || io_uring_cq_ready(&u->ring)) {
        if (has_work(&u->io.port))
            entered(u, io_uring_submit_and_get_events(&u->ring));
        return;
    }
    if (deadline == INT64_MAX) {
        entered(u, io_uring_submit_and_wait(&u->ring, 1));
        return;
    }
    int64_t left = deadline - now(u);
    struct __kernel_timespec limit = { left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0 };
    entered(u, io_uring_submit_and_wait_timeout(&u->ring, &entry, 1, &limit, NULL));
}

/* Until when to wait, with what else there is to come back to; memory for buffers that are missing, for instance. */
static int64_t limit_of(struct uring *u, int64_t deadline)
{
    deadline = tri_again_limit(&u->again, tri_port_limit(&u->io, deadline));
    if (!u->missing || deadline == TRI_NO_WAIT)
        return deadline;
    int64_t soon = now(u) + TRI_PAUSE_NS;
    return deadline < soon ? deadline : soon;
}

static void poll_ring(struct tri_port *port, int64_t deadline)
{
    struct uring *u = (struct uring *)port;
    if (u->missing)
        make_missing(u);
    show_buffers(u);
    try_again(u);
    if (!u->wake_armed)
        arm_wake(u);
    enter(u, limit_of(u, deadline));
    reap(u);
    show_buffers(u);
    port->more = has_come(u);
    tri_port_feed(&u->io);
}

static void wake(struct tri_port *port)
{
    uint64_t one = 1;
    ssize_t done = write(((struct uring *)port)->wake_fd, &one, sizeof one);
    (void)done; /* a full counter wakes as well */
}

static void free_buffers(struct uring *u)
{
    for (unsigned i = 0; i < BUFFERS; i++)
        tr_buf_unref(u->buffers[i]);
    tri_memory_put(u->buffer_ring);
}

static void close_port(struct tri_port *port)
{
    struct uring *u = (struct uring *)port;
    tri_assert(u->io.in_flight == 0 && u->io.attached == 0);
    io_uring_queue_exit(&u->ring);
    free_buffers(u);
    tri_again_close(&u->again);
    close(u->wake_fd);
    tri_memory_put(u);
}

static const struct tri_io_port_class uring_class = {
    .base = { .name = "uring", .poll = poll_ring, .wake = wake, .has_work = has_work, .close = close_port },
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .cancel = cancel,
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Tries the best set-up first: the newer flags are unknown to older kernels. */
static int open_ring(struct io_uring *ring, unsigned entries, unsigned completions)
{
    static const unsigned flags[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG, /* 6.1 */
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,  /* 6.0 */
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,                               /* 5.19 */
    };
    int error = -EINVAL;
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0] && error == -EINVAL; i++) {
        struct io_uring_params params = { .flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
                IORING_SETUP_SUBMIT_ALL,
            .cq_entries = completions };
        error = io_uring_queue_init_params(entries, ring, &params);
    }
    if (error)
        return error;
    unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
    if ((ring->features & needed) == needed)
        return 0;
    io_uring_queue_exit(ring);
    return -ENOSYS;
}

static struct io_uring_buf_ring *open_buffer_ring(struct io_uring *ring, unsigned entries, int *error)
{
    size_t size = entries * sizeof(struct io_uring_buf);
    /* The kernel wants it on a page of its own; what tri_memory_get gives is aligned to 64. */
    char *memory = tri_memory_get_pages(size);
    if (!memory) {
        *error = -ENOMEM;
        return NULL;
    }
    memset(memory, 0, size);
    struct io_uring_buf_reg registration = { .ring_addr = (uint64_t)(uintptr_t)memory, .ring_entries = entries, .bgid = GROUP };
    *error = io_uring_register_buf_ring(ring, &registration, 0);
    if (!*error)
        return (struct io_uring_buf_ring *)(void *)memory;
    tri_memory_put(memory);
    return NULL;
}

/* The kernel counts the memory of rings against what a user may lock: it makes do with less. */
static int open_rings(struct uring *u)
{
    int error = -ENOMEM;
    for (unsigned entries = ENTRIES; error == -ENOMEM && entries >= ENTRIES_MIN; entries /= 2) {
        error = open_ring(&u->ring, entries, COMPLETIONS * entries);
        if (error)
            continue;
        u->buffer_ring = open_buffer_ring(&u->ring, BUFFERS, &error);
        if (error)
            io_uring_queue_exit(&u->ring);
    }
    return error;
}

int tri_uring_open(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct uring *u = tri_memory_get_zeroed(sizeof *u);
    (void)arg;
    if (!u)
        return TR_ENOMEM;
    u->io.port.class = &uring_class.base;
    u->io.worker = worker;
    if (tri_again_open(&u->again)) {
        tri_memory_put(u);
        return TR_ENOMEM;
    }
    u->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = u->wake_fd < 0 ? -errno : open_rings(u);
    if (error) {
        if (u->wake_fd >= 0)
            close(u->wake_fd);
        tri_again_close(&u->again);
        tri_memory_put(u);
        return tri_error_from_errno(-error);
    }
    io_uring_register_ring_fd(&u->ring); /* an optimisation; if it cannot be, so be it */
    u->bundles = u->ring.features & IORING_FEAT_RECVSEND_BUNDLE;
    u->missing = BUFFERS;
    make_missing(u);
    show_buffers(u);
    *port = &u->io.port;
    return 0;
}

/* Whether a multishot receive with provided buffers works, which came last of what is needed (6.0). */
static int check_receive(struct io_uring *ring, struct io_uring_buf_ring *buffers, const int *pair)
{
    char byte = 1;
    struct io_uring_cqe *entry;
    struct __kernel_timespec limit = { 1, 0 };

    io_uring_buf_ring_add(buffers, &byte, 1, 0, 7, 0);
    io_uring_buf_ring_advance(buffers, 1);
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    io_uring_prep_recv_multishot(sqe, pair[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    if (write(pair[1], "x", 1) != 1)
        return -errno;
    int error = io_uring_submit_and_wait_timeout(ring, &entry, 1, &limit, NULL);
    if (error < 0)
        return error;
    error = entry->res == 1 && entry->flags & IORING_CQE_F_MORE ? 0 : entry->res < 0 ? entry->res : -ENOSYS;
    io_uring_cqe_seen(ring, entry);
    return error;
}

static void *check(void *error)
{
    struct io_uring ring;
    int pair[2];
    int *e = error;
    *e = open_ring(&ring, 8, 16);
    if (*e)
        return NULL;
    struct io_uring_buf_ring *buffers = open_buffer_ring(&ring, 8, e);
    if (buffers && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
        *e = check_receive(&ring, buffers, pair);
        close(pair[0]);
        close(pair[1]);
    } else if (buffers) {
        *e = -errno;
    }
    io_uring_queue_exit(&ring);
    tri_memory_put(buffers);
    return NULL;
}

/* On a thread of its own: when a ring is gone the kernel still interrupts the thread that had it, once, some time later;
 * the caller's blocking calls would fail with EINTR. */
int tri_uring_check(void)
{
    pthread_t thread;
    int error;
    if (pthread_create(&thread, NULL, check, &error))
        return TR_EAGAIN;
    pthread_join(thread, NULL);
    return error ? tri_error_from_errno(-error) : 0;
}
