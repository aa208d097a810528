/*
 * pool.h: blocks of memory for messages, buffers and states, without malloc in the steady state.
 *
 * Every worker has a pool: a free list per size class, filled from slabs. A block remembers its class and its home pool
 * in a tag of 16 bits, which whoever holds the block keeps beside it. A block freed on another worker goes home: it is
 * collected in a chain, and the chain is pushed onto the home's list of returned blocks in one step. So a worker's free
 * lists are touched by that worker alone.
 *
 * Threads without a pool (foreign threads) get their blocks from tri_memory, and may free blocks of any kind.
 *
 * Pools are never destroyed: a pool whose worker ended waits for the next worker that opens one. So a buffer that a
 * foreign thread still holds after its system was closed can be freed all the same.
 */
#ifndef TRI_POOL_H
#define TRI_POOL_H

#include "mailbox/compiler.h"
#include "mailbox/fork.h"
#include "mailbox/memory.h"

#include <troupe/message.h>

#include <ck_pr.h>
#include <stdbool.h>

enum {
    TRI_CLASSES = 21,      /* 64, 128, 192, 256, 384, 512, 768, 1024, 1536 … 65536, 98304 bytes */
    TRI_CLASS_MEMORY = 31, /* not from a pool */
    TRI_CLASS_BITS = 5,
    TRI_BLOCK_MAX = 98304, /* bytes; larger blocks come from tri_memory */
    TRI_POOLS_MAX = 1024,
    TRI_OUTGOING = 16,        /* chains for other pools that a pool fills at the same time */
    TRI_OUTGOING_BLOCKS = 32, /* length at which such a chain is sent home: one exchange per so many blocks */
};

typedef uint16_t tri_tag; /* class | home pool << TRI_CLASS_BITS */

struct tri_free {
    struct tri_free *next;
    tri_tag tag; /* for the way home */
};

struct tri_outgoing {
    struct tri_free *head, *tail;
    uint16_t home, count;
};

/* What blocks are carved from; this lies behind the last of them. */
struct tri_slab {
    struct tri_slab *next; /* of the pool's */
    char *at;
    size_t size;
    uint32_t blocks, free; /* that it has; and that are free, while that is counted */
    uint16_t class;
    bool large;
};

struct tri_pool {
    struct tri_free *free[TRI_CLASS_MEMORY + 1]; /* nothing beyond TRI_CLASSES */
    struct {
        char *at, *end;
        uint32_t count;  /* that there are */
    } slab[TRI_CLASSES]; /* what has not been carved yet */
    struct tri_slab *slabs;
    unsigned int trimmed; /* how often that had been asked for when it last was */
    int64_t carved;       /* blocks that there are */
    tri_tag tag;          /* of its blocks, but for the class */
    bool open;            /* guarded by the table's lock */
    bool flushed;         /* `outgoing` is empty */
    struct tri_outgoing outgoing[TRI_OUTGOING];
    TRI_ALIGNED struct tri_free *returned; /* pushed to by any thread, taken whole by the owner */
};

/* The pool of the running thread; NULL on foreign threads. */
extern TRI_THREAD_LOCAL struct tri_pool *tri_pool_here;

/* A pool that never has a block and that no block is of, in place of none: for those who would not ask each time. */
extern struct tri_pool tri_pool_none;

/* Opens a pool for the calling worker, which makes it its own with tri_pool_here; NULL when memory or the table (1024)
 * is exhausted. Any thread. */
struct tri_pool *tri_pool_open(void);

/* The worker has ended: its pool waits for another one. Blocks that are still out come home all the same. */
void tri_pool_close(struct tri_pool *pool);

/* See fork.h. The pools of the parent's workers are the child's to open, without what they had. */
void tri_pool_at_fork(enum tri_fork when);

/* Sends home what the calling thread has freed for other pools; called when a worker has a moment, and before it
 * sleeps. */
void tri_pool_flush(void);

/* Asks all pools to give free slabs back to the system: those that are open when their workers have a moment, which they may
 * have to be woken for, the others at once. Any thread. */
void tri_pools_trim(void);

/* Gives back the large slabs of the pools that are not open: their workers have ended. Any thread. */
void tri_pools_trim_closed(void);

/* Bytes of slabs that all pools have: for tests. Any thread. */
size_t tri_pools_size(void);

/* Blocks taken and not yet given back, over all pools and foreign threads: counted, for tests. While nobody
 * else takes or gives back; pools that are not open may be trimmed meanwhile. */
int64_t tri_pool_balance(void);

/* From now on every block comes from tri_memory (for tests that count or fail allocations). Before the first pool is
 * opened. On under AddressSanitizer, and with TROUPE_POOL=off in the environment. */
void tri_pool_off(void);

_Static_assert(TRI_LINE == 64, "tr_class_ knows");

static inline unsigned tri_pool_class(size_t size)
{
    return size > TRI_BLOCK_MAX ? TRI_CLASS_MEMORY : tr_class_(size);
}

static inline size_t tri_pool_class_size(unsigned class)
{
    return class < 2 ? (class + 1) * (size_t)TRI_LINE : (size_t)(class & 1 ? 4 : 3) << (class / 2 - 1) << 6;
}

void *tri_block_get_slowly(unsigned class, size_t size, tri_tag *tag);
void tri_block_put_elsewhere(void *block, tri_tag tag);

/* A block of this class from the free list of `pool`, whose tag it has; NULL when there is none at hand. The owner. */
static inline void *tri_pool_take(struct tri_pool *pool, unsigned class)
{
    struct tri_free *block = pool->free[class];
    if (tri_likely(block))
        pool->free[class] = block->next;
    return block;
}

/* A block of at least `size` bytes (not 0), aligned to 64, and its tag; NULL when there is no memory. Any thread. */
static inline void *tri_block_get(size_t size, tri_tag *tag)
{
    struct tri_pool *pool = tri_pool_here;
    unsigned class = tri_pool_class(size);
    void *block = pool ? tri_pool_take(pool, class) : NULL;
    if (tri_unlikely(!block))
        return tri_block_get_slowly(class, size, tag);
    *tag = (tri_tag)(pool->tag | class);
    return block;
}

/* Gives a block back; `pool` is tri_pool_here, or tri_pool_none. */
static inline void tri_pool_put(struct tri_pool *pool, void *block, tri_tag tag)
{
    unsigned class = tag ^ pool->tag; /* if it is from here */
    if (tri_unlikely(class >= TRI_CLASSES)) {
        tri_block_put_elsewhere(block, tag);
        return;
    }
    struct tri_free *entry = block;
    entry->next = pool->free[class];
    pool->free[class] = entry;
}

/* Gives a block back. Any thread. */
static inline void tri_block_put(void *block, tri_tag tag)
{
    if (tri_likely(tri_pool_here != NULL))
        tri_pool_put(tri_pool_here, block, tag);
    else
        tri_block_put_elsewhere(block, tag);
}

/* What a block of this tag can hold, in bytes; 0 when it is not known (it came from tri_memory). */
static inline size_t tri_block_size(tri_tag tag)
{
    unsigned class = tag & ((1u << TRI_CLASS_BITS) - 1);
    return class < TRI_CLASSES ? tri_pool_class_size(class) : 0;
}

#endif
