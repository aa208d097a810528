/*
 * port.h: a completion port, as transports use it.
 *
 * One port per worker; a descriptor belongs to one port from attach to detach, and only the port's worker calls any of
 * these functions (but for wake, see sched/port.h). Backends: uring.c, epoll.c, iocp.c.
 */
#ifndef TRI_PORT_H
#define TRI_PORT_H

#include "io/op.h"
#include "sched/sched.h"

struct tri_io_port;

struct tri_io_port_class {
    struct tri_port_class base;

    /* Takes in a non-blocking descriptor (endpoint->fd): 0 or an error. */
    int (*attach)(struct tri_io_port *port, struct tri_endpoint *endpoint);

    /* Forgets it, and closes it if asked to. No operation is in flight on it. */
    void (*detach)(struct tri_io_port *port, struct tri_endpoint *endpoint, bool close);

    /* Starts an operation; exactly one terminal completion follows, perhaps before it returns. */
    void (*submit)(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op);

    /* Asks for the terminal completion to come soon. */
    void (*cancel)(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op);
};

struct tri_io_port {
    struct tri_port port; /* its class is a tri_io_port_class */
    struct tri_worker *worker;
    uint32_t in_flight;                /* operations, and what else of a backend's has to come home */
    uint32_t attached;                 /* descriptors */
    int64_t late_logged, stall_logged; /* when a line was last logged that many transports may have a reason for */
    struct tri_op *hungry; /* of transports that could not say something for want of memory, linked by msg.next_ */
};

/* A transport that could not say something for want of memory is signalled (TRI_SIGNAL_RETRY) a little later; one that
 * has ended and is CLOSING is released again. Its read operation is idle; it links it. On its home. */
void tri_port_wait_for_memory(struct tri_io_port *port, struct tri_slot *slot, struct tri_op *read);
void tri_port_forget(struct tri_io_port *port, struct tri_op *read);
bool tri_port_waits(const struct tri_io_port *port, const struct tri_op *read);

/* For a backend's poll: last thing, and how long it may wait. */
void tri_port_feed(struct tri_io_port *port);
int64_t tri_port_limit(const struct tri_io_port *port, int64_t deadline);

/* A wait has failed: that ends the process, unless it may be tried again; and if the system is short of something, a little
 * later, which is when this returns. */
void tri_port_wait_failed(const struct tri_io_port *port, const char *call, int error);

/* Whether a line of a kind that many transports may have a reason for can be logged: one a second. */
static inline bool tri_port_may_log(int64_t *last, int64_t now)
{
    if (*last && now - *last < TR_SECONDS(1))
        return false;
    *last = now;
    return true;
}

static inline struct tri_io_port *tri_io_port(const struct tri_worker *worker)
{
    return (struct tri_io_port *)worker->port;
}

static inline const struct tri_io_port_class *tri_io_class(const struct tri_io_port *port)
{
    return (const struct tri_io_port_class *)port->port.class;
}

enum {
    TRI_COPY_BYTES = 1024,         /* payloads up to this are copied into a block of their size */
    TRI_RECEIVE_ROOM = 8192 - 128, /* bytes that a receive buffer holds: with its header 8 KiB */
};

/* A payload of `length` bytes in a receive buffer `from`: a small one is copied into a buffer of its own, which is the
 * answer, and `from` can be used again; a larger one stays in `from`, which is the answer. `from` too when there is no
 * memory for the copy. */
tr_buf *tri_receive_trim(tr_buf *from, size_t length);

/* How a backend is opened (see sched/port.h), and whether it can be here at all: 0, or why not. */
int tri_uring_open(struct tri_worker *worker, void *arg, struct tri_port **port);
int tri_uring_check(void);
int tri_epoll_open(struct tri_worker *worker, void *arg, struct tri_port **port);
int tri_iocp_open(struct tri_worker *worker, void *arg, struct tri_port **port);

#endif
