/* aligned.h: aligned memory from the system; one file a system. For memory.c alone: all else asks that. */
#ifndef TRI_ALIGNED_H
#define TRI_ALIGNED_H

#include <stddef.h>

/* The size is a multiple of the alignment; NULL when there is no memory. Any thread. */
void *tri_aligned_get(size_t alignment, size_t size);

/* Zeroed, `size` of it, aligned to 2 MiB where the system can do that cheaply; in large pages where it grants them. NULL
 * when there is none. Any thread. */
void *tri_aligned_get_large(size_t size);
void tri_aligned_put_large(void *memory, size_t size);

/* Gives back what the system's allocator keeps at hand, where it can. Any thread. */
void tri_aligned_trim(void);

/* Gives it back. Any thread. */
void tri_aligned_put(void *memory);

#endif
