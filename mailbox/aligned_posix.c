#include "mailbox/aligned.h"

#include <stdlib.h>

void *tri_aligned_get(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

void tri_aligned_put(void *memory)
{
    free(memory);
}
