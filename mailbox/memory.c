#include "mailbox/memory.h"

#include "mailbox/aligned.h"
#include "mailbox/compiler.h"

#include <ck_pr.h>
#include <string.h>

static uint64_t live; /* counts up and down by atomic additions; only its value matters, it orders nothing */

static struct {
    uint64_t countdown; /* requests until the one that fails; 0: none will */
    uint64_t failed;
    unsigned int armed, and_after;
    bool (*refuse)(void);
} fault;

/* Whether this request is one that has to fail. Only ever called while a test has armed it. */
static TRI_COLD bool must_fail(bool for_good)
{
    if (!for_good && fault.refuse && fault.refuse())
        return true;
    uint64_t left = ck_pr_load_64(&fault.countdown);
    do {
        if (left == 0)
            return false;
    } while (!ck_pr_cas_64_value(&fault.countdown, left, left - 1, &left));
    if (left != 1)
        return false;
    if (ck_pr_load_uint(&fault.and_after))
        ck_pr_store_64(&fault.countdown, 1);
    ck_pr_add_64(&fault.failed, 1);
    return true;
}

uint64_t tri_memory_fail(uint64_t nth, bool and_after)
{
    uint64_t failed = ck_pr_load_64(&fault.failed);
    ck_pr_store_64(&fault.failed, 0);
    ck_pr_store_uint(&fault.and_after, and_after);
    ck_pr_store_64(&fault.countdown, nth);
    ck_pr_store_uint(&fault.armed, nth > 0);
    return failed;
}

void tri_memory_refuse(bool (*refuse)(void))
{
    fault.refuse = refuse;
    ck_pr_store_uint(&fault.armed, refuse != NULL);
}

static void *get_aligned(size_t size, size_t alignment, bool for_good)
{
    if (tri_unlikely(ck_pr_load_uint(&fault.armed)) && must_fail(for_good))
        return NULL;
    if (size > SIZE_MAX - alignment)
        return NULL;
    void *memory = tri_aligned_get(alignment, (size + alignment - 1) & ~(alignment - 1));
    if (memory)
        ck_pr_inc_64(&live);
    return memory;
}

void *tri_memory_get_large(size_t size)
{
    if (tri_unlikely(ck_pr_load_uint(&fault.armed)) && must_fail(true))
        return NULL;
    return tri_aligned_get_large(size);
}

void tri_memory_put_large(void *memory, size_t size)
{
    tri_aligned_put_large(memory, size);
}

void tri_memory_trim(void)
{
    tri_aligned_trim();
}

void *tri_memory_get(size_t size)
{
    return get_aligned(size, TRI_LINE, false);
}

void *tri_memory_get_pages(size_t size)
{
    return get_aligned(size, 4096, false);
}

void *tri_memory_get_zeroed(size_t size)
{
    void *memory = tri_memory_get(size);
    return memory ? memset(memory, 0, size) : NULL;
}

void *tri_memory_get_for_good(size_t size)
{
    void *memory = get_aligned(size, TRI_LINE, true);
    return memory ? memset(memory, 0, size) : NULL;
}

void tri_memory_put(void *memory)
{
    if (!memory)
        return;
    ck_pr_dec_64(&live);
    tri_aligned_put(memory);
}

int64_t tri_memory_live(void)
{
    return (int64_t)ck_pr_load_64(&live);
}
