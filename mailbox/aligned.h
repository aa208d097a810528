/* aligned.h: aligned memory from the system; one file a system. For memory.c alone: all else asks that. */
#ifndef TRI_ALIGNED_H
#define TRI_ALIGNED_H

#include <stddef.h>

/* The size is a multiple of the alignment; NULL when there is no memory. Any thread. */
void *tri_aligned_get(size_t alignment, size_t size);

/* Gives it back. Any thread. */
void tri_aligned_put(void *memory);

#endif
