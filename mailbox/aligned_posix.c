#include "mailbox/aligned.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__GLIBC__)
#include <malloc.h>
#else
#define malloc_trim(pad) ((void)(pad)) /* others give back by themselves, or not at all */
#endif

void *tri_aligned_get(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

void tri_aligned_put(void *memory)
{
    free(memory);
}

enum { LARGE = 2 << 20 };

void *tri_aligned_get_large(size_t size)
{
    char *all = mmap(NULL, size + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    char *memory = (char *)(((uintptr_t)all + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
    if (memory > all)
        munmap(all, (size_t)(memory - all));
    munmap(memory + size, (size_t)(all + LARGE - memory));
    madvise(memory, size, MADV_HUGEPAGE); /* refused, the pages are small */
    return memory;
}

void tri_aligned_put_large(void *memory, size_t size)
{
    munmap(memory, size);
}

void tri_aligned_trim(void)
{
    malloc_trim(0);
}
