/*
 * memory.h: the one place where the library asks the system for memory.
 *
 * Everything else (pool, slots, rings) comes here, so that one counter shows what is held and one switch makes the Nth
 * request fail. All memory is aligned to a cache line.
 */
#ifndef TRI_MEMORY_H
#define TRI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At least `size` bytes (not 0), not cleared, aligned to 64; NULL when there is no memory. Any thread. */
void *tri_memory_get(size_t size);

/* The same, cleared. Any thread. */
void *tri_memory_get_zeroed(size_t size);

/* The same for what is kept for good: a simulation never refuses it, for whether it is asked for depends on what the process
 * did before. */
void *tri_memory_get_for_good(size_t size);

/* Whole pages, aligned to 4096 bytes, not cleared. Any thread. */
void *tri_memory_get_pages(size_t size);

/* Zeroed memory, in large pages if the system grants them: `size` is a multiple of 2 MiB. It is not counted. Any thread. */
void *tri_memory_get_large(size_t size);
void tri_memory_put_large(void *memory, size_t size);

/* Gives back to the system what its allocator keeps at hand. Any thread. */
void tri_memory_trim(void);

/* Gives back what one of the functions above answered, but for large pages; NULL is a no-op. Any thread. */
void tri_memory_put(void *memory);

/* How many requests are answered and not given back. Any thread; exact when nobody else asks meanwhile. */
int64_t tri_memory_live(void);

/* For tests: lets the `nth` request from now on fail (1: the next one), and with `and_after` all that follow it.
 * 0 ends it. Answers how many requests have failed since it was last set. Any thread. */
uint64_t tri_memory_fail(uint64_t nth, bool and_after);

/* Lets `refuse` say of every request whether it fails; NULL ends it. For simulations; no other thread may ask meanwhile. */
void tri_memory_refuse(bool (*refuse)(void));

#endif
