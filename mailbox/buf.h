/*
 * buf.h: what a tr_buf is made of.
 *
 * A piece is a node of 64 bytes. Where its bytes are depends on its kind:
 *
 *   OWN       behind the node, in the same block
 *   RECEIVED  the same; in front of the node there are 64 more bytes for the message that carries it (see io/tcp_news.c),
 *             and its account is told when it is freed
 *   ADOPTED   in memory of the program's
 *   SLICE     in another piece, its origin, which it holds a reference to
 *
 * A chain: the reference to a piece is a reference to it and to all that follow, for each holds one on the next. Other
 * references to one that is not the first are of slices, which do not look at what follows; or it is the first of a chain
 * that somebody else holds, too, and stands behind `last`.
 */
#ifndef TRI_BUF_H
#define TRI_BUF_H

#include "mailbox/pool.h"

#include <troupe/buf.h>
#include <troupe/ref.h>

enum tri_buf_kind { TRI_BUF_OWN, TRI_BUF_RECEIVED, TRI_BUF_ADOPTED, TRI_BUF_SLICE };

enum { TRI_BUF_PREFIX = 64 }; /* bytes in front of a RECEIVED piece's node */

struct tr_buf {
    uint32_t refs;
    tri_tag tag;
    uint8_t kind;
    const char *bytes;
    size_t length;
    size_t total;        /* of this piece and all that follow */
    struct tr_buf *next; /* holds a reference */
    struct tr_buf *last; /* of the pieces that are the chain's alone: what follows was linked while others held it. Valid while
                          * the first piece has one reference; also links the dead */
    union {
        struct tr_buf *origin;                         /* SLICE */
        void (*release)(const void *bytes, void *arg); /* ADOPTED */
        size_t charge;                                 /* RECEIVED: bytes of the window it takes */
    };
    union {
        void *arg;      /* ADOPTED */
        tr_ref account; /* RECEIVED: the transport whose window it takes from */
    };
};

_Static_assert(sizeof(struct tr_buf) == 64, "a piece's node is a cache line");

/* A piece that a port can receive `room` bytes into, of length 0 as yet and without an account; NULL when there is no
 * memory. Its memory is tri_buf_room(). */
tr_buf *tri_buf_receive(size_t room);

static inline void *tri_buf_room(tr_buf *buf)
{
    return buf + 1;
}

/* Says that `length` bytes have arrived in a fresh piece. */
static inline void tri_buf_received(tr_buf *buf, size_t length)
{
    buf->length = buf->total = length;
}

/* The message in front of a RECEIVED piece. */
static inline void *tri_buf_prefix(tr_buf *buf)
{
    return (char *)buf - TRI_BUF_PREFIX;
}

/* Called with the account and the charge of every RECEIVED piece that is freed and has an account; set by io/. */
extern void (*tri_buf_returned)(tr_ref account, size_t charge);

#endif
