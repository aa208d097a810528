/*
 * The one lock-free place here is tri_pool.returned, a stack with many producers and one consumer.
 *
 *   push   tail->next = returned; CAS returned: tail->next → head of the chain     any thread
 *   take   exchange returned with NULL                                             the pool's owner alone
 *
 * Nobody ever removes a single entry, so the CAS cannot be fooled by an address that went and came back (the chain
 * behind the address it compares is not read, only linked to). The release fence before the CAS orders what the freeing
 * thread last did to the block before its arrival at home; the acquire fence after the exchange is its partner.
 */
#include "mailbox/pool.h"

#include <ck_pr.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

TRI_THREAD_LOCAL struct tri_pool *tri_pool_here;

struct tri_pool tri_pool_none = { .tag = (tri_tag)(TRI_POOLS_MAX << TRI_CLASS_BITS) };

_Static_assert(TRI_POOLS_MAX << TRI_CLASS_BITS <= UINT16_MAX, "there are more tags than pools");

static struct {
    pthread_mutex_t lock;
    unsigned int count; /* pools ever made; their pointers never change */
    unsigned int off;
    unsigned int trims; /* how often it was asked for */
    struct tri_pool *pools[TRI_POOLS_MAX];
    uint64_t slabs;       /* bytes of them, in all pools */
    uint64_t from_memory; /* blocks that are out and are of no pool */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER, .off = TRI_ASAN };

void tri_pool_off(void)
{
    ck_pr_store_uint(&table.off, 1);
}

static struct tri_pool *reopen_or_make(void)
{
    for (unsigned i = 0; i < table.count; i++)
        if (!table.pools[i]->open)
            return table.pools[i];
    if (table.count == TRI_POOLS_MAX)
        return NULL;
    struct tri_pool *pool = tri_memory_get_zeroed(sizeof *pool);
    if (!pool)
        return NULL;
    pool->tag = (tri_tag)(table.count << TRI_CLASS_BITS);
    table.pools[table.count] = pool;
    ck_pr_fence_store(); /* the pool before its number: tri_block_put_elsewhere reads without lock */
    ck_pr_store_uint(&table.count, table.count + 1);
    return pool;
}

struct tri_pool *tri_pool_open(void)
{
    pthread_mutex_lock(&table.lock);
    const char *wish = getenv("TROUPE_POOL");
    if (wish && strcmp(wish, "off") == 0)
        tri_pool_off();
    struct tri_pool *pool = reopen_or_make();
    if (pool)
        pool->open = true;
    pthread_mutex_unlock(&table.lock);
    return pool;
}

void tri_pool_close(struct tri_pool *pool)
{
    pthread_mutex_lock(&table.lock);
    pool->open = false;
    pthread_mutex_unlock(&table.lock);
}

/* Their workers are not there, and may have been in the midst of something. */
static void forget_pools(void)
{
    tri_pool_here = NULL;
    for (unsigned i = 0; i < table.count; i++) {
        struct tri_pool *pool = table.pools[i];
        *pool = (struct tri_pool){ .tag = pool->tag };
    }
}

void tri_pool_at_fork(enum tri_fork when)
{
    if (when == TRI_FORK_BEFORE) {
        pthread_mutex_lock(&table.lock);
        return;
    }
    if (when == TRI_FORK_CHILD)
        forget_pools();
    pthread_mutex_unlock(&table.lock);
}

static void trim(struct tri_pool *pool, bool all);

static void send_home(struct tri_pool *home, struct tri_free *head, struct tri_free *tail)
{
    struct tri_free *old = ck_pr_load_ptr(&home->returned);
    do {
        tail->next = old;
        ck_pr_fence_release(); /* pairs with the acquire fence in collect() */
    } while (!ck_pr_cas_ptr_value(&home->returned, old, head, &old));
}

static void send_chain(struct tri_outgoing *chain)
{
    send_home(table.pools[chain->home], chain->head, chain->tail);
    *chain = (struct tri_outgoing){ 0 };
}

static void flush(struct tri_pool *pool)
{
    for (unsigned i = 0; i < TRI_OUTGOING; i++)
        if (pool->outgoing[i].count)
            send_chain(&pool->outgoing[i]);
    pool->flushed = true;
}

void tri_pool_flush(void)
{
    struct tri_pool *pool = tri_pool_here;
    if (pool && !pool->flushed)
        flush(pool);
    if (pool && tri_unlikely(pool->trimmed != ck_pr_load_uint(&table.trims)))
        trim(pool, true);
}

void tri_block_put_elsewhere(void *block, tri_tag tag)
{
    struct tri_pool *pool = tri_pool_here;
    unsigned class = tag & ((1u << TRI_CLASS_BITS) - 1), home = tag >> TRI_CLASS_BITS;

    if (class == TRI_CLASS_MEMORY) {
        ck_pr_dec_64(&table.from_memory);
        tri_memory_put(block);
        return;
    }
    struct tri_free *entry = block;
    entry->tag = tag;
    if (!pool) {
        send_home(table.pools[home], entry, entry);
        return;
    }
    struct tri_outgoing *chain = &pool->outgoing[home % TRI_OUTGOING];
    if (chain->count && chain->home != home)
        send_chain(chain);
    pool->flushed = false;
    entry->next = chain->head;
    chain->head = entry;
    if (!chain->count++) {
        chain->tail = entry;
        chain->home = (uint16_t)home;
    }
    if (chain->count == TRI_OUTGOING_BLOCKS)
        send_chain(chain);
}

/* Brings the blocks that others have freed onto the free lists. */
static void collect(struct tri_pool *pool)
{
    if (!ck_pr_load_ptr(&pool->returned))
        return;
    struct tri_free *block = ck_pr_fas_ptr(&pool->returned, NULL), *next;
    ck_pr_fence_acquire(); /* pairs with the release fence in send_home() */
    for (; block; block = next) {
        unsigned class = block->tag & ((1u << TRI_CLASS_BITS) - 1);
        next = block->next;
        block->next = pool->free[class];
        pool->free[class] = block;
    }
}

/* Slabs are as large as 64 blocks, but at least 64 KiB (so that small blocks are not asked for in dribs and drabs) and at most
 * 256 KiB. From the ninth on they are 2 MiB, in large pages. */
enum { SMALL_SLABS = 8, LARGE_SLAB = 2 << 20 };

static bool refill_slab(struct tri_pool *pool, unsigned class)
{
    size_t block = tri_pool_class_size(class), size = block * 64;
    size = size < 65536 ? 65536 : size > 262144 ? 262144 : size;
    bool large = pool->slab[class].count >= SMALL_SLABS;
    size = large ? LARGE_SLAB : size + TRI_LINE;
    char *at = large ? tri_memory_get_large(size) : tri_memory_get(size);
    if (!at)
        return false;
    struct tri_slab *slab = (void *)(at + size - TRI_LINE);
    *slab = (struct tri_slab){ pool->slabs, at, size, (uint32_t)((size - TRI_LINE) / block), 0, (uint16_t) class, large };
    pool->slabs = slab;
    ck_pr_add_64(&table.slabs, size);
    pool->slab[class].count++;
    pool->slab[class].at = at;
    pool->slab[class].end = at + slab->blocks * block;
    return true;
}

static void *carve(struct tri_pool *pool, unsigned class)
{
    if (pool->slab[class].at == pool->slab[class].end && !refill_slab(pool, class))
        return NULL;
    void *block = pool->slab[class].at;
    pool->slab[class].at += tri_pool_class_size(class);
    pool->carved++;
    return block;
}

static void *from_memory(size_t size, tri_tag *tag)
{
    void *block = tri_memory_get(size);
    if (!block)
        return NULL;
    ck_pr_inc_64(&table.from_memory);
    *tag = TRI_CLASS_MEMORY;
    return block;
}

void *tri_block_get_slowly(unsigned class, size_t size, tri_tag *tag)
{
    struct tri_pool *pool = tri_pool_here;
    if (!pool || class == TRI_CLASS_MEMORY || ck_pr_load_uint(&table.off))
        return from_memory(size, tag);
    collect(pool);
    void *block = pool->free[class];
    if (block)
        pool->free[class] = pool->free[class]->next;
    else if (!(block = carve(pool, class)))
        return NULL;
    *tag = (tri_tag)(pool->tag | class);
    return block;
}

/* ---- giving back ------------------------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct tri_slab) <= TRI_LINE, "it lies in a line of its own");

/* The slabs by address, to find that of a block. */
struct slabs {
    struct tri_slab **by_address;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct tri_slab *const *one = a, *const *other = b;
    return (*one)->at < (*other)->at ? -1 : 1;
}

static bool sort_slabs(const struct tri_pool *pool, struct slabs *slabs)
{
    slabs->count = 0;
    for (struct tri_slab *slab = pool->slabs; slab; slab = slab->next)
        slabs->count++;
    slabs->by_address = slabs->count ? tri_memory_get(slabs->count * sizeof *slabs->by_address) : NULL;
    if (!slabs->by_address)
        return false;
    struct tri_slab **end = slabs->by_address;
    for (struct tri_slab *slab = pool->slabs; slab; slab = slab->next) {
        slab->free = 0;
        *end++ = slab;
    }
    qsort(slabs->by_address, slabs->count, sizeof *slabs->by_address, compare);
    return true;
}

static struct tri_slab *slab_of(const struct slabs *slabs, const void *block)
{
    size_t low = 0, high = slabs->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (slabs->by_address[middle]->at <= (const char *)block)
            low = middle;
        else
            high = middle;
    }
    return slabs->by_address[low];
}

/* How many blocks were carved from it: all, unless it is the last of its class. */
static uint32_t carved(const struct tri_pool *pool, const struct tri_slab *slab)
{
    const char *at = pool->slab[slab->class].at;
    bool begun = at >= slab->at && at < (const char *)slab;
    return begun ? (uint32_t)((size_t)(at - slab->at) / tri_pool_class_size(slab->class)) : slab->blocks;
}

static bool is_free(const struct tri_pool *pool, const struct tri_slab *slab, bool all)
{
    return (all || slab->large) && slab->free == carved(pool, slab);
}

static void give_back_slab(struct tri_pool *pool, const struct tri_slab *slab)
{
    uint32_t blocks = carved(pool, slab);
    pool->carved -= blocks;
    pool->slab[slab->class].count--;
    ck_pr_sub_64(&table.slabs, slab->size);
    if (blocks < slab->blocks) /* nothing can be carved from it any more */
        pool->slab[slab->class].at = pool->slab[slab->class].end = NULL;
    if (slab->large)
        tri_memory_put_large(slab->at, slab->size);
    else
        tri_memory_put(slab->at);
}

/* The blocks of free slabs leave the lists, and those slabs the pool. */
static void give_back(struct tri_pool *pool, const struct slabs *slabs, bool all)
{
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        for (struct tri_free **at = &pool->free[class]; *at;)
            if (is_free(pool, slab_of(slabs, *at), all))
                *at = (*at)->next;
            else
                at = &(*at)->next;
    for (struct tri_slab **at = &pool->slabs, *slab; (slab = *at);) {
        if (!is_free(pool, slab, all)) {
            at = &slab->next;
            continue;
        }
        *at = slab->next;
        give_back_slab(pool, slab);
    }
}

/* Gives back the slabs that are free as a whole, all or the large ones. The owner; it costs a look at each free block. */
static void trim(struct tri_pool *pool, bool all)
{
    struct slabs slabs;
    pool->trimmed = ck_pr_load_uint(&table.trims);
    collect(pool);
    if (!sort_slabs(pool, &slabs))
        return;
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        for (const struct tri_free *block = pool->free[class]; block; block = block->next)
            slab_of(&slabs, block)->free++;
    give_back(pool, &slabs, all);
    tri_memory_put(slabs.by_address);
}

/* Nobody can open one meanwhile. */
static void trim_closed(bool all)
{
    pthread_mutex_lock(&table.lock);
    for (unsigned i = 0; i < table.count; i++)
        if (!table.pools[i]->open)
            trim(table.pools[i], all);
    pthread_mutex_unlock(&table.lock);
}

void tri_pools_trim(void)
{
    ck_pr_inc_uint(&table.trims);
    trim_closed(true);
}

void tri_pools_trim_closed(void)
{
    trim_closed(false);
}

size_t tri_pools_size(void)
{
    return (size_t)ck_pr_load_64(&table.slabs);
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static int64_t length(const struct tri_free *list)
{
    int64_t count = 0;
    for (; list; list = list->next)
        count++;
    return count;
}

/* Blocks of this pool that are out, or in a chain that another pool has not sent home yet. */
static int64_t out(const struct tri_pool *pool)
{
    int64_t count = pool->carved - length(pool->returned);
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        count -= length(pool->free[class]);
    return count;
}

int64_t tri_pool_balance(void)
{
    pthread_mutex_lock(&table.lock);
    int64_t balance = (int64_t)ck_pr_load_64(&table.from_memory);
    for (unsigned i = 0; i < table.count; i++) {
        balance += out(table.pools[i]);
        for (unsigned chain = 0; chain < TRI_OUTGOING; chain++)
            balance -= table.pools[i]->outgoing[chain].count;
    }
    pthread_mutex_unlock(&table.lock);
    return balance;
}
