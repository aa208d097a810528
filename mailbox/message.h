/* message.h: what the runtime keeps in an envelope. */
#ifndef TRI_MESSAGE_H
#define TRI_MESSAGE_H

#include "mailbox/pool.h"

#include <troupe/message.h>

/* tr_msg.flags_ */
enum {
    TRI_MSG_URGENT = 1 << 0,   /* lane */
    TRI_MSG_SYSTEM = 1 << 1,   /* lane */
    TRI_MSG_EXEMPT = 1 << 2,   /* promised: no bound or policy applies */
    TRI_MSG_BULK = 1 << 3,     /* its bulk was added to the receiver's */
    TRI_MSG_OVERFLOW = 1 << 4, /* arrived when the mailbox was full, under the policy "stop" */
    TRI_MSG_REQUEST = 1 << 5,  /* an ask: wants exactly one answer */
    TRI_MSG_ANSWER = 1 << 6,   /* the answer to an ask */
    TRI_MSG_RUNTIME = 1 << 7,  /* for the runtime part of the receiver, not for its handler */
    TRI_MSG_TAKEN = 1 << 8,    /* kept by the actor with tr_take */
    TRI_MSG_RETURNS = 1 << 9,  /* is given to tri_msg_returned when it is released */
    TRI_MSG_OFFER = 1 << 10,   /* RETURNS, and offers something that somebody must take */
    TRI_MSG_CONTEXT = 1 << 11, /* for later: the block ends in a reference to the sender's context */

    /* Whose memory the message is in; see enum tri_memory_kind. */
    TRI_MSG_MEMORY_SHIFT = 12,
    TRI_MSG_MEMORY = 7 << TRI_MSG_MEMORY_SHIFT,

    TRI_MSG_INCARNATION = 1 << 15, /* for one incarnation of the receiver, which is in deadline_; released with call
                                    * TRI_CALL_UNSEEN if its receiver did not want to see it any more */

    TRI_MSG_LANES = TRI_MSG_URGENT | TRI_MSG_SYSTEM,
};

enum { TRI_CALL_UNSEEN = 1 };

/* Whose memory a message is in. A promised message lies in what promised it; that is told when it is released. */
enum tri_memory_kind {
    TRI_MEMORY_BLOCK,     /* a block from the pool, tr_msg.block_ is its tag */
    TRI_MEMORY_PROMISE,   /* actors/promise.h: timer, call, monitor, job */
    TRI_MEMORY_OPERATION, /* io/op.h: an operation of a port */
    TRI_MEMORY_BUFFER,    /* the prefix of a received tr_buf, which the body holds a reference to */
    TRI_MEMORY_KINDS,
};

/* FNV-1a, 64 bits. Any thread. */
uint64_t tri_hash(const char *text);

_Static_assert(sizeof(tr_msg) + TR_BODY_MAX <= TRI_BLOCK_MAX, "a message fits into a block of the pool");

static inline enum tri_memory_kind tri_msg_memory(const tr_msg *m)
{
    return (enum tri_memory_kind)((m->flags_ & TRI_MSG_MEMORY) >> TRI_MSG_MEMORY_SHIFT);
}

static inline void *tri_msg_body(const tr_msg *m)
{
    return (void *)(m + 1);
}

/* What happens to a message of each kind of memory when it is released, after its body was dropped. A floor that keeps
 * messages in memory of its own sets its entry before the first message is sent. */
extern void (*tri_msg_release[TRI_MEMORY_KINDS])(tr_msg *m);

/* Gets the messages marked RETURNS that are released, body and all; set by io/, which tells their senders. */
extern void (*tri_msg_returned)(tr_msg *m);

/* Fills in the envelope in a block with this tag; but for `from`. */
static inline void tri_msg_init(tr_msg *m, const tr_type *type, tri_tag tag)
{
    m->type = type;
    m->call = 0;
    m->deadline_ = 0;
    m->cause_ = 0;
    m->block_ = tag;
    m->flags_ = 0;
}

/* A message of this type with room for `size` bytes of body, which is not cleared; NULL when there is no memory. Any
 * thread. */
static inline tr_msg *tri_msg_new(const tr_type *type, size_t size)
{
    tri_tag tag;
    tr_msg *m = tri_block_get(sizeof *m + size, &tag);
    if (tri_likely(m != NULL))
        tri_msg_init(m, type, tag);
    return m;
}

/* What waits with it, in bytes, for the bound of bulk: 0 for most, so that they cost no counting. */
static inline uint64_t tri_msg_bulk(const tr_msg *m)
{
    const tr_type *type = m->type;
    return (type->bulk ? type->bulk(tri_msg_body(m)) : 0) + (type->size > TR_BODY_SMALL ? sizeof *m + type->size : 0);
}

/* Drops what the body owns, then releases the memory. Any thread. */
static inline void tri_msg_free(tr_msg *m)
{
    if (tri_unlikely(m->flags_ & TRI_MSG_RETURNS)) {
        tri_msg_returned(m);
        return;
    }
    enum tri_memory_kind memory = tri_msg_memory(m);
    if (m->type->drop)
        m->type->drop(tri_msg_body(m)); /* frees m as well if that lies in the buffer it carries */
    if (tri_likely(memory == TRI_MEMORY_BLOCK))
        tri_block_put(m, m->block_);
    else if (memory != TRI_MEMORY_BUFFER)
        tri_msg_release[memory](m);
}

#endif
