#include "mailbox/aligned.h"

#include <malloc.h>
#include <windows.h>

void *tri_aligned_get(size_t alignment, size_t size)
{
    return _aligned_malloc(size, alignment);
}

void tri_aligned_put(void *memory)
{
    _aligned_free(memory);
}

/* Large pages need a privilege there, which few programs have. */
void *tri_aligned_get_large(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void tri_aligned_put_large(void *memory, size_t size)
{
    (void)size;
    VirtualFree(memory, 0, MEM_RELEASE);
}

void tri_aligned_trim(void)
{
    HeapCompact(GetProcessHeap(), 0);
}
