/*
 * table.h: numbered, type-stable elements.
 *
 * Slots and promises are found by number from any thread, at any time, and a number may be stale. So their memory is
 * never given back and never becomes anything else: what looks at it by a stale number finds an element of the same kind
 * with another generation. Elements come in chunks, made on demand, that stay for the life of the process; one table
 * serves all systems of the process.
 *
 * Free elements are kept in lists: every worker has a small cache of its own; the rest is behind a lock, which is taken
 * for batches. Caches that are given a shelf leave to it what they have too much of, and others with that shelf get it
 * before what is new. A system has a shelf for its slots: a slot stays with its system for as long as that lives, so that
 * who has found a receiver of his own system may be slow to push, and yet hits nobody in another system.
 */
#ifndef TRI_TABLE_H
#define TRI_TABLE_H

#include "mailbox/compiler.h"
#include "mailbox/fork.h"

#include <ck_pr.h>
#include <pthread.h>
#include <stdbool.h>

enum {
    TRI_TABLE_BATCH = 128,    /* elements moved between a cache and the table at a time */
    TRI_TABLE_CHUNK_BITS = 12 /* 4096 elements in a chunk */
};

/* The first word of a free element links it. */
struct tri_free_element {
    struct tri_free_element *next;
};

struct tri_cache {
    struct tri_free_element *first;
    uint32_t count;
    struct tri_cache *shelf; /* which the table's lock guards; NULL: none */
};

struct tri_table {
    pthread_mutex_t lock;
    struct tri_cache free;
    void **chunks; /* of 2^(24 - TRI_TABLE_CHUNK_BITS) pointers */
    uint32_t chunk_count, chunks_max;
    char *reserve; /* memory for more chunks */
    size_t reserved;
    uint32_t element_size;
    uint32_t retired; /* elements that are never given out again, for their numbers are used up */
    uint32_t taken;   /* elements that were taken off the free list since it was in order */
    void (*init)(void *element, uint32_t index); /* for a new element, once */
};

/* Fills an empty cache: true, or false when there is no memory or the table is full. Any thread, with its own cache. */
bool tri_table_fill(struct tri_table *table, struct tri_cache *cache);

/* Takes a batch off a cache that has grown to two. */
void tri_table_spill(struct tri_table *table, struct tri_cache *cache);

/* Takes all off a cache whose thread ends. */
void tri_table_empty(struct tri_table *table, struct tri_cache *cache);

/* See mailbox/fork.h: the free elements that are in no cache are the child's. */
void tri_table_at_fork(struct tri_table *table, enum tri_fork when);

/* Puts the free elements back into the order in which they were first given out. When all are free, and in no cache. */
void tri_table_settle(struct tri_table *table);

/* Instead of putting a used-up element back. Any thread. */
static inline void tri_table_retire(struct tri_table *table)
{
    ck_pr_inc_32(&table->retired);
}

/* How many chunks there are; every element of a lower chunk exists. Any thread. */
static inline uint32_t tri_table_chunks(const struct tri_table *table)
{
    uint32_t count = ck_pr_load_32(&table->chunk_count);
    ck_pr_fence_load(); /* pairs with the store fence in make_chunk() */
    return count;
}

static inline void *tri_cache_get(struct tri_table *table, struct tri_cache *cache)
{
    if (tri_unlikely(!cache->first) && !tri_table_fill(table, cache))
        return NULL;
    struct tri_free_element *element = cache->first;
    cache->first = element->next;
    cache->count--;
    return element;
}

static inline void tri_cache_put(struct tri_table *table, struct tri_cache *cache, void *element_)
{
    struct tri_free_element *element = element_;
    element->next = cache->first;
    cache->first = element;
    if (tri_unlikely(++cache->count >= 2 * TRI_TABLE_BATCH))
        tri_table_spill(table, cache);
}

#endif
