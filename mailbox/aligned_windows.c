#include "mailbox/aligned.h"

#include <malloc.h>

void *tri_aligned_get(size_t alignment, size_t size)
{
    return _aligned_malloc(size, alignment);
}

void tri_aligned_put(void *memory)
{
    _aligned_free(memory);
}
