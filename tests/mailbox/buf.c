/* tr_buf: counted slices, chains, adopted memory. */
#include "mailbox/buf.h"
#include "mailbox/pool.h"

#include <criterion/criterion.h>
#include <string.h>

static unsigned released;

static void count_release(const void *bytes, void *arg)
{
    (void)bytes;
    released++;
    cr_assert_eq(arg, &released);
}

Test(buf, a_copy_holds_the_same_bytes)
{
    tr_buf *buf = tr_buf_copy("hello", 5);
    cr_assert(tr_buf_equals(buf, "hello", 5));
    tr_buf_unref(buf);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(buf, adopted_memory_is_released_once_by_the_last_holder)
{
    static const char bytes[] = "static";
    tr_buf *buf = tr_buf_adopt(bytes, 6, count_release, &released);
    tr_buf *slice = tr_buf_slice(buf, 1, 3);
    tr_buf_unref(buf);
    cr_assert_eq(released, 0);
    cr_assert(tr_buf_equals(slice, "tat", 3));
    tr_buf_unref(slice);
    cr_assert_eq(released, 1);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(buf, joining_a_shared_buffer_leaves_the_other_holders_view_alone)
{
    tr_buf *first = tr_buf_copy("ab", 2), *shared = tr_buf_ref(first);
    tr_buf *both = tr_buf_join(first, tr_buf_copy("cd", 2));
    cr_assert(tr_buf_equals(both, "abcd", 4));
    cr_assert(tr_buf_equals(shared, "ab", 2));
    tr_buf_unref(both);
    tr_buf_unref(shared);
    cr_assert_eq(tri_pool_balance(), 0);
}
