/* Who waits for a descriptor. */
#include "io/shortage.h"

#include "mailbox/ref.h"

#include <criterion/criterion.h>

Test(shortage, one_that_waits_no_more_is_not_waited_for)
{
    const tr_ref one = tri_ref_make(1, 1), other = tri_ref_make(1, 2);
    cr_assert_not(tri_shortage_is(0));
    tri_shortage_wait(one);
    tri_shortage_wait(one);
    tri_shortage_wait(other);
    cr_assert(tri_shortage_is(0));
    tri_shortage_leave(one);
    tri_shortage_leave(one);
    cr_assert(tri_shortage_is(0));
    tri_shortage_leave(other);
    cr_assert_not(tri_shortage_is(0));
}

Test(shortage, one_that_was_refused_and_does_not_wait_is_seen_for_two_looks)
{
    tri_shortage_refused(TR_SECONDS(1));
    cr_assert(tri_shortage_is(TR_SECONDS(1) + TRI_SHORTAGE_LOOK_NS));
    cr_assert_not(tri_shortage_is(TR_SECONDS(1) + 2 * TRI_SHORTAGE_LOOK_NS));
}
