#include "actors/table.h"

#include "mailbox/memory.h"

/* Moves up to `max` elements, and answers how many. */
static uint32_t move(struct tri_cache *from, struct tri_cache *to, uint32_t max)
{
    uint32_t moved = 0;
    for (struct tri_free_element *element; moved < max && (element = from->first); moved++) {
        from->first = element->next;
        from->count--;
        element->next = to->first;
        to->first = element;
        to->count++;
    }
    return moved;
}

/* Memory for a chunk. After the first it comes four chunks at a time, in large pages: who has so many actors touches them
 * at once. */
static char *chunk_memory(struct tri_table *table, size_t size)
{
    enum { LARGE = 2 << 20 };
    if (table->chunk_count == 0)
        return tri_memory_get_for_good(size);
    if (table->reserved < size) {
        table->reserve = tri_memory_get_large(LARGE);
        table->reserved = table->reserve ? LARGE : 0;
    }
    char *memory = table->reserve;
    if (memory) {
        table->reserve += size;
        table->reserved -= size;
    }
    return memory;
}

/* Adds a chunk and its elements to the end of the free list, lowest number first. With the lock held. */
static void make_chunk(struct tri_table *table)
{
    enum { ELEMENTS = 1 << TRI_TABLE_CHUNK_BITS };
    uint32_t number = table->chunk_count;
    struct tri_free_element *first = NULL, **end = &table->free.first;
    if (number == table->chunks_max)
        return;
    char *chunk = chunk_memory(table, (size_t)ELEMENTS * table->element_size);
    if (!chunk)
        return;
    for (uint32_t i = ELEMENTS; i-- > 0;) {
        struct tri_free_element *element = (void *)(chunk + (size_t)i * table->element_size);
        table->init(element, number << TRI_TABLE_CHUNK_BITS | i);
        if (number == 0 && i == 0)
            continue; /* number 0 stands for none: it is initialised, but never given out */
        element->next = first;
        first = element;
        table->free.count++;
    }
    while (*end)
        end = &(*end)->next;
    *end = first;
    ck_pr_fence_store(); /* the elements before the way to them: tri_slot_at() follows the pointer */
    ck_pr_store_ptr(&table->chunks[number], chunk);
    ck_pr_fence_store(); /* pairs with the load fence in tri_table_chunks() */
    ck_pr_store_32(&table->chunk_count, number + 1);
}

static struct tri_cache *rest_of(struct tri_table *table, struct tri_cache *cache)
{
    return cache->shelf ? cache->shelf : &table->free;
}

bool tri_table_fill(struct tri_table *table, struct tri_cache *cache)
{
    pthread_mutex_lock(&table->lock);
    if (cache->shelf)
        move(cache->shelf, cache, TRI_TABLE_BATCH);
    uint32_t more = TRI_TABLE_BATCH - cache->count;
    if (table->free.count < more) /* so that every batch is whole, wherever a chunk ends */
        make_chunk(table);
    table->taken += move(&table->free, cache, more);
    pthread_mutex_unlock(&table->lock);
    return cache->first != NULL;
}

void tri_table_spill(struct tri_table *table, struct tri_cache *cache)
{
    pthread_mutex_lock(&table->lock);
    move(cache, rest_of(table, cache), TRI_TABLE_BATCH);
    pthread_mutex_unlock(&table->lock);
}

void tri_table_empty(struct tri_table *table, struct tri_cache *cache)
{
    pthread_mutex_lock(&table->lock);
    move(cache, rest_of(table, cache), cache->count);
    pthread_mutex_unlock(&table->lock);
}

void tri_table_at_fork(struct tri_table *table, enum tri_fork when)
{
    if (when == TRI_FORK_BEFORE)
        pthread_mutex_lock(&table->lock);
    else
        pthread_mutex_unlock(&table->lock);
}

static uint32_t number_of(const struct tri_table *table, const void *element)
{
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        size_t offset = (size_t)((const char *)element - (const char *)table->chunks[i]);
        if (offset < (size_t)table->element_size << TRI_TABLE_CHUNK_BITS)
            return i << TRI_TABLE_CHUNK_BITS | (uint32_t)(offset / table->element_size);
    }
    return 0;
}

/* Merges two lists in order; the links are the numbers' own. */
static struct tri_free_element *merge(const struct tri_table *table, struct tri_free_element *a, struct tri_free_element *b)
{
    struct tri_free_element *first = NULL, **at = &first;
    while (a && b) {
        struct tri_free_element **lower = number_of(table, a) < number_of(table, b) ? &a : &b;
        *at = *lower;
        at = &(*at)->next;
        *lower = *at;
    }
    *at = a ? a : b;
    return first;
}

static struct tri_free_element *sort(const struct tri_table *table, struct tri_free_element *first, uint32_t count)
{
    if (count < 2)
        return first;
    struct tri_free_element *middle = first;
    for (uint32_t i = 1; i < count / 2; i++)
        middle = middle->next;
    struct tri_free_element *rest = middle->next;
    middle->next = NULL;
    return merge(table, sort(table, first, count / 2), sort(table, rest, count - count / 2));
}

void tri_table_settle(struct tri_table *table)
{
    pthread_mutex_lock(&table->lock);
    uint32_t count = table->taken < table->free.count ? table->taken : table->free.count;
    struct tri_free_element *last = NULL, *rest = table->free.first;
    for (uint32_t i = 0; i < count; i++) {
        last = rest;
        rest = rest->next;
    }
    if (last) {
        last->next = NULL;
        table->free.first = sort(table, table->free.first, count);
        for (last = table->free.first; last->next; last = last->next)
            ;
        last->next = rest;
    }
    table->taken = 0;
    pthread_mutex_unlock(&table->lock);
}
