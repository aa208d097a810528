#include "io/op.h"

#include "actors/self.h"
#include "io/meaning.h"
#include "io/port.h"
#include "io/window.h"
#include "mailbox/panic.h"
#include "sched/log.h"

#include <time.h>
#include <troupe/check.h>

const tr_type tri_op_type = { .name = "operation" };

/* ---- the transport's side ---------------------------------------------------------------------------------------- */

void tri_op_submit(tr_self *self, struct tri_endpoint *endpoint, struct tri_op *op, enum tri_op_kind kind, uint32_t once)
{
    struct tri_io_port *port = tri_io_port(self->worker);
    tri_assert(op->state == TRI_OP_IDLE && self->slot->run.home == self->worker->index);
    tri_assert((uintptr_t)op % TRI_LINE == 0);
    if (tri_unlikely(port->hungry != NULL))
        tri_port_forget(port, op); /* it waits for memory no longer, and its link is the operation's again */
    op->msg.from.bits = (uint64_t)(uintptr_t)self->slot;
    op->result = once < INT32_MAX ? (int32_t)once : INT32_MAX;
    op->kind = (uint8_t)kind;
    op->state = TRI_OP_IN_FLIGHT;
    op->flags = 0;
    if (kind == TRI_OP_SEND || kind == TRI_OP_CONNECT) {
        endpoint->write = op;
        op->endpoint = endpoint;
    }
    self->slot->in_flight++;
    port->in_flight++;
    tri_io_class(port)->submit(port, endpoint, op);
}

void tri_op_cancel(tr_self *self, struct tri_endpoint *endpoint, struct tri_op *op)
{
    struct tri_io_port *port = tri_io_port(self->worker);
    if (op->state != TRI_OP_IN_FLIGHT || op->flags & TRI_OP_CANCELED)
        return;
    op->flags |= TRI_OP_CANCELED;
    tri_io_class(port)->cancel(port, endpoint, op);
}

/* ---- completion -------------------------------------------------------------------------------------------------- */

/* What arrived and nobody took. */
static void drop_arrivals(struct tri_op *op)
{
    if (op->kind == TRI_OP_RECEIVE) {
        tr_buf_unref(op->received);
        op->received = NULL;
    } else if (op->kind == TRI_OP_ACCEPT && op->accepted) {
        while (op->accepted->count)
            tri_socket_close(op->accepted->fds[--op->accepted->count]);
        tri_block_put(op->accepted, op->accepted->tag);
        op->accepted = NULL;
    }
}

struct tri_completion tri_op_take(tr_self *self, struct tri_op *op)
{
    struct tri_completion completion = { .terminal = op->state == TRI_OP_DONE, .result = op->result };
    op->flags &= (uint8_t)~TRI_OP_QUEUED;
    if (completion.terminal) {
        op->state = TRI_OP_IDLE;
        tri_came_home(self->slot);
    }
    self->kept = true; /* it is not the turn's to release */
    return completion;
}

/* Nobody will handle the message: its transport has ended. */
static void release(tr_msg *m)
{
    struct tri_op *op = (struct tri_op *)(void *)m;
    struct tri_slot *slot = tri_op_slot(op);
    bool terminal = op->state == TRI_OP_DONE;

    drop_arrivals(op);
    op->flags &= (uint8_t)~TRI_OP_QUEUED;
    if (!terminal)
        return;
    op->state = TRI_OP_IDLE;
    if (op->kind == TRI_OP_SEND || op->kind == TRI_OP_CONNECT)
        op->endpoint->write = NULL; /* other operations of it may be still in flight */
    if (op->kind == TRI_OP_SEND)
        tri_block_put(op, ((struct tri_send *)op)->tag);
    else if (op->kind == TRI_OP_CONNECT)
        tri_block_put(op, ((struct tri_connect *)op)->tag);
    tri_came_home(slot);
}

void tri_op_init(void)
{
    tri_msg_release[TRI_MEMORY_OPERATION] = release;
}

static void queue(struct tri_op *op)
{
    struct tri_slot *slot = tri_op_slot(op);
    tr_self *self = tri_worker_here->context;

    if (op->flags & TRI_OP_QUEUED)
        return; /* what has come is added to the message that waits */
    op->flags |= TRI_OP_QUEUED;
    op->msg.type = &tri_op_type;
    op->msg.call = 0;
    op->msg.deadline_ = 0;
    op->msg.generation_ = slot->box.generation;
    op->msg.flags_ = TRI_MSG_EXEMPT | TRI_MEMORY_OPERATION << TRI_MSG_MEMORY_SHIFT;
    tri_count(&self->counters.sent);
    if (tri_deliver_to(self, slot, &op->msg) == TRI_PUSH_CLOSED)
        tri_expire(self, &op->msg);
}

void tri_op_received(struct tri_op *op, tr_buf *buf)
{
    struct tri_slot *slot = tri_op_slot(op);
    size_t block = tri_block_size(buf->tag);
    buf->account = tri_slot_ref(slot);
    buf->charge = block ? block : TRI_BUF_PREFIX + sizeof *buf + buf->length;
    if (buf->length <= TRI_COPY_BYTES) /* what comes byte by byte is not charged for its headers */
        buf->charge -= TRI_BUF_PREFIX + sizeof *buf;
    tri_window_add(slot, buf->charge);
    op->received = tr_buf_join(op->received, buf);
    queue(op);
}

/* Room for at least one descriptor more: false when there is no memory. */
static bool grow(struct tri_op *op)
{
    enum { BYTES = 64 };
    tri_tag tag;
    struct tri_accepted *old = op->accepted;
    size_t size = old ? 2 * (sizeof *old + old->capacity * sizeof *old->fds) : BYTES;
    struct tri_accepted *list = tri_block_get(size, &tag);
    if (!list)
        return false;
    *list = (struct tri_accepted){ .capacity = (uint32_t)((size - sizeof *list) / sizeof *list->fds), .tag = tag };
    if (old) {
        list->count = old->count;
        memcpy(list->fds, old->fds, old->count * sizeof *old->fds);
        tri_block_put(old, old->tag);
    }
    op->accepted = list;
    return true;
}

void tri_op_accepted(struct tri_op *op, tri_fd fd)
{
    if ((!op->accepted || op->accepted->count == op->accepted->capacity) && !grow(op)) {
        tri_log(TR_LOG_WARNING, "an accepted connection is closed: %s", tr_strerror(TR_ENOMEM));
        tri_socket_close(fd);
        return;
    }
    op->accepted->fds[op->accepted->count++] = fd;
    queue(op);
}

void tri_op_complete(struct tri_op *op, int32_t result)
{
    struct tri_io_port *port = tri_io_port(tri_worker_here);
    tri_assert(op->state == TRI_OP_IN_FLIGHT);
    port->in_flight--;
    op->state = TRI_OP_DONE;
    op->result = result;
    queue(op);
}

tr_buf *tri_receive_trim(tr_buf *from, size_t length)
{
    tr_buf *small = length <= TRI_COPY_BYTES && !TR_BUGGIFY() ? tri_buf_receive(length) : NULL;
    if (!small) {
        tri_buf_received(from, length);
        return from;
    }
    memcpy(tri_buf_room(small), tri_buf_room(from), length);
    tri_buf_received(small, length);
    return small;
}

/* ---- a wait that fails ------------------------------------------------------------------------------------------- */

enum { SHORTAGE_NS = 1000000 };

void tri_port_wait_failed(const struct tri_io_port *port, const char *call, int error)
{
    enum tri_meaning meaning = tri_meaning_of(TRI_MEANING_WAIT, error);
    if (meaning == TRI_AGAIN)
        return;
    if (meaning != TRI_PAUSE)
        tri_panic("port %s of worker %u: %s: %s", port->port.class->name, port->worker->index, call, tr_strerror(error));
    nanosleep(&(struct timespec){ .tv_nsec = SHORTAGE_NS }, NULL);
}

/* ---- without memory ---------------------------------------------------------------------------------------------- */

enum { HUNGRY_NS = 10000000 };

void tri_port_wait_for_memory(struct tri_io_port *port, struct tri_slot *slot, struct tri_op *read)
{
    tri_assert(read->state == TRI_OP_IDLE && !(read->flags & TRI_OP_QUEUED)); /* so its link is free */
    tri_port_forget(port, read);
    read->msg.next_ = (tr_msg *)(void *)port->hungry;
    read->msg.from.bits = (uint64_t)(uintptr_t)slot;
    port->hungry = read;
}

void tri_port_forget(struct tri_io_port *port, struct tri_op *read)
{
    for (struct tri_op **at = &port->hungry; *at; at = (struct tri_op **)(void *)&(*at)->msg.next_)
        if (*at == read) {
            *at = (struct tri_op *)(void *)read->msg.next_;
            return;
        }
}

bool tri_port_waits(const struct tri_io_port *port, const struct tri_op *read)
{
    const struct tri_op *op = port->hungry;
    while (op && op != read)
        op = (const struct tri_op *)(const void *)op->msg.next_;
    return op != NULL;
}

void tri_port_feed(struct tri_io_port *port)
{
    struct tri_op *op = port->hungry, *next;
    port->hungry = NULL;
    for (; op; op = next) {
        struct tri_slot *slot = tri_op_slot(op);
        next = (struct tri_op *)(void *)op->msg.next_;
        if (slot->status == TRI_CLOSING)
            tri_slot_release(slot);
        else
            tri_signal(port->worker->context, tri_slot_ref(slot), TRI_SIGNAL_RETRY);
    }
}

int64_t tri_port_limit(const struct tri_io_port *port, int64_t deadline)
{
    if (!port->hungry || deadline == TRI_NO_WAIT)
        return deadline;
    int64_t soon = tri_clock_now(port->worker->sched->config.clock) + HUNGRY_NS;
    return deadline < soon ? deadline : soon;
}
