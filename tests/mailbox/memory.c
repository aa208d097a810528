/* Memory: alignment, what is counted as held, and requests that are made to fail. */
#include "mailbox/memory.h"

#include "tests/threads.h"

#include <string.h>

Test(memory, is_aligned_to_a_cache_line_whatever_its_size)
{
    for (size_t size = 1; size < 300; size++) {
        char *memory = tri_memory_get(size);
        cr_assert_eq((uintptr_t)memory % TRI_LINE, 0);
        memset(memory, 'x', size);
        tri_memory_put(memory);
    }
}

Test(memory, pages_are_aligned_to_pages)
{
    for (size_t size = 1; size < 20000; size += 999) {
        char *memory = tri_memory_get_pages(size);
        cr_assert_eq((uintptr_t)memory % 4096, 0);
        memset(memory, 'x', size);
        tri_memory_put(memory);
    }
}

Test(memory, zeroed_memory_is_zero_though_it_was_used_before)
{
    static const char zero[1000];
    for (int i = 0; i < 10; i++) {
        char *dirty = tri_memory_get(sizeof zero);
        memset(dirty, 'x', sizeof zero);
        tri_memory_put(dirty);
        char *memory = tri_memory_get_zeroed(sizeof zero);
        cr_assert_arr_eq(memory, zero, sizeof zero);
        tri_memory_put(memory);
    }
}

Test(memory, what_is_held_is_counted)
{
    int64_t before = tri_memory_live();
    void *a = tri_memory_get(1), *b = tri_memory_get_zeroed(100000), *c = tri_memory_get_pages(1);
    cr_assert_eq(tri_memory_live(), before + 3);
    tri_memory_put(a);
    tri_memory_put(NULL);
    cr_assert_eq(tri_memory_live(), before + 2);
    tri_memory_put(b);
    tri_memory_put(c);
    cr_assert_eq(tri_memory_live(), before);
}

Test(memory, more_than_there_can_be_is_refused)
{
    int64_t before = tri_memory_live();
    cr_assert_null(tri_memory_get(SIZE_MAX));
    cr_assert_null(tri_memory_get(SIZE_MAX - 62));
    cr_assert_null(tri_memory_get_zeroed(SIZE_MAX));
    cr_assert_null(tri_memory_get_pages(SIZE_MAX - 4000));
    cr_assert_eq(tri_memory_live(), before);
}

/* Asks `count` times and answers a word of bits: which requests failed. */
static unsigned which_fail(unsigned count)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < count; i++) {
        void *memory = i % 3 == 0 ? tri_memory_get(10) : i % 3 == 1 ? tri_memory_get_zeroed(10) : tri_memory_get_pages(10);
        failed |= (unsigned)!memory << i;
        tri_memory_put(memory);
    }
    return failed;
}

Test(memory, the_nth_request_fails_and_no_other)
{
    int64_t before = tri_memory_live();
    for (unsigned n = 1; n <= 9; n++) {
        tri_memory_fail(n, false);
        cr_assert_eq(which_fail(9), 1u << (n - 1));
        cr_assert_eq(tri_memory_fail(0, false), 1);
    }
    cr_assert_eq(tri_memory_live(), before);
}

Test(memory, the_nth_request_fails_and_all_after_it)
{
    int64_t before = tri_memory_live();
    for (unsigned n = 1; n <= 9; n++) {
        tri_memory_fail(n, true);
        cr_assert_eq(which_fail(9), 0x1ff & ~((1u << (n - 1)) - 1));
        cr_assert_eq(tri_memory_fail(0, false), 10 - n);
    }
    cr_assert_eq(tri_memory_live(), before);
}

Test(memory, nothing_fails_once_that_has_been_ended)
{
    tri_memory_fail(2, true);
    cr_assert_eq(which_fail(3), 6);
    cr_assert_eq(tri_memory_fail(0, true), 2);
    cr_assert_eq(which_fail(9), 0);
    cr_assert_eq(tri_memory_fail(5, false), 0, "nothing has failed since");
    cr_assert_eq(which_fail(4), 0);
    cr_assert_eq(tri_memory_fail(0, false), 0, "the fifth was not reached");
}

static unsigned failures;

static void *ask_often(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 20000; i++) {
        void *memory = tri_memory_get(1);
        if (!memory)
            ck_pr_inc_uint(&failures);
        tri_memory_put(memory);
    }
    return NULL;
}

Test(memory, among_threads_exactly_one_request_is_the_nth)
{
    pthread_t thread[4];
    int64_t before = tri_memory_live();
    tri_memory_fail(40000, false);
    for (int i = 0; i < 4; i++)
        thread[i] = start_thread(ask_often, NULL);
    for (int i = 0; i < 4; i++)
        join_thread(thread[i]);
    cr_assert_eq(failures, 1);
    cr_assert_eq(tri_memory_fail(0, false), 1);
    cr_assert_eq(tri_memory_live(), before);
}
