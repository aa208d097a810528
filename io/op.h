/*
 * op.h: an operation of a port is its own completion message.
 *
 * An operation belongs to a transport. Submitted, it is in flight and its memory is the port's (and the kernel's); when
 * it completes, that same memory is pushed into the transport's mailbox. There is exactly one terminal completion for
 * each submission: a result, an error, or TR_ECANCELED. Until the transport has handled it the operation counts as in
 * flight and keeps the transport's slot and state in place.
 *
 *     IDLE → submit → IN_FLIGHT → complete → DONE (its message is queued) → taken by the handler → IDLE
 *
 * Receiving and accepting go on by themselves: they complete again and again, and only the last completion is terminal.
 * (A receive can also be limited to one arrival, which is then terminal.)
 * While the message is queued, what arrives is added to it. A port may complete an operation before submit returns.
 *
 * A transport is pinned to its home, whose port holds its operations: submit, cancel, complete and handle all happen on
 * one thread.
 */
#ifndef TRI_OP_H
#define TRI_OP_H

#include "actors/slot.h"
#include "io/socket.h"
#include "mailbox/buf.h"

enum tri_op_kind { TRI_OP_RECEIVE, TRI_OP_ACCEPT, TRI_OP_SEND, TRI_OP_CONNECT };
enum tri_op_state { TRI_OP_IDLE, TRI_OP_IN_FLIGHT, TRI_OP_DONE };

enum {
    TRI_OP_QUEUED = 1 << 0,    /* its message is in the mailbox */
    TRI_OP_CANCELED = 1 << 1,  /* cancel was called */
    TRI_OP_HELD = 1 << 2,      /* the port's: the system does not have it, it is to be tried again; */
    TRI_OP_CANCELING = 1 << 3, /* the answer to its cancel is awaited; */
    TRI_OP_ENDED = 1 << 4,     /* meanwhile it has ended */
    TRI_OP_DISCARDS = 1 << 5,  /* the transport's: what is received is thrown away */
};

/* What one send takes at the most; and one of a transport that looks whether there is progress, as some ports do not tell
 * how far a send has come. */
enum { TRI_SEND_PIECES = 64, TRI_SEND_BYTES = 1 << 20, TRI_SEND_BYTES_TIMED = 128 << 10 };

/* Descriptors, the oldest first; a pool block. */
struct tri_accepted {
    uint32_t count, capacity;
    tri_tag tag;
    tri_fd fds[];
};

struct tri_op {
    tr_msg msg;     /* first; while the operation is not idle, msg.from.bits is its transport's slot */
    int32_t result; /* of a terminal completion: a count, 0 for the end of a stream, or an error. Before, of a RECEIVE: to
                     * complete after one arrival of at most so many bytes; 0: to go on */
    uint8_t kind, state, flags;
    union {
        tr_buf *received;              /* RECEIVE: what has arrived and the transport has not taken; it is charged
                                        * to the transport's window (window.h) */
        struct tri_accepted *accepted; /* ACCEPT: the same; NULL: none */
        struct tri_endpoint *endpoint; /* SEND and CONNECT: where they were submitted */
    };
};

_Static_assert(sizeof(struct tri_op) == 64, "an operation is a cache line");

/* SEND: up to 64 pieces in one go, sent whole unless an error or a cancel comes between. */
struct tri_send {
    struct tri_op op;
    uint64_t bytes;
    uint32_t count;
    tri_tag tag;
    struct tri_send_state state; /* the port's, as is what becomes of the pieces */
    tri_piece pieces[];
};

/* CONNECT. */
struct tri_connect {
    struct tri_op op;
    struct sockaddr_storage address;
    socklen_t length;
    tri_tag tag;
};

/* What a port sees of a transport: a descriptor, one operation that reads and one that writes. */
struct tri_endpoint {
    struct tri_op read; /* RECEIVE or ACCEPT */
    tri_fd fd;
    uint8_t ready;  /* the port's */
    bool foreign;   /* a socket of the program's: of what kind, nobody knows; the transport's, before attach */
    uint16_t spare; /* the transport's */
    union {
        uint32_t place; /* the port's: in its again.h; */
        void *record;   /* or this */
    };
    struct tri_op *write; /* SEND or CONNECT, from submit until the transport has handled its completion */
};

_Static_assert(sizeof(struct tri_endpoint) == 88, "");

extern const tr_type tri_op_type;

/* ---- the transport's side ---------------------------------------------------------------------------------------- */

static inline struct tri_slot *tri_op_slot(const struct tri_op *op)
{
    return (struct tri_slot *)(uintptr_t)op->msg.from.bits;
}

/* Gives an idle operation to the port of the running worker. `once` is for a RECEIVE, see tri_op.result. In the transport's
 * turn. */
void tri_op_submit(tr_self *self, struct tri_endpoint *endpoint, struct tri_op *op, enum tri_op_kind kind, uint32_t once);

/* What a completion says; if it is terminal, the operation can then be submitted again or freed. In the handler of its
 * message, first thing. What has arrived stays in the operation until the transport takes it from there. */
struct tri_completion {
    bool terminal;
    int32_t result; /* if terminal */
};
struct tri_completion tri_op_take(tr_self *self, struct tri_op *op);

/* Asks for an early end of an operation in flight; a hint. In the transport's turn. */
void tri_op_cancel(tr_self *self, struct tri_endpoint *endpoint, struct tri_op *op);

/* ---- the port's side --------------------------------------------------------------------------------------------- */

/* Something has arrived, and the operation goes on. */
void tri_op_received(struct tri_op *op, tr_buf *buf);
void tri_op_accepted(struct tri_op *op, tri_fd fd);

/* The terminal completion. */
void tri_op_complete(struct tri_op *op, int32_t result);

/* Before the first port is opened. */
void tri_op_init(void);

#endif
