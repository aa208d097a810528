/* What a guardian knows of its wards: also of those that have ended, and of those that came into their slots. */
#include "actors/self.h"
#include "actors/slot.h"

#include <criterion/criterion.h>

enum { CROWD = 1000 };

static tr_ref make(uint32_t slot, uint32_t generation)
{
    return tri_ref_make(generation, slot);
}

static unsigned hushed(struct tri_slot *guardian, uint32_t generation)
{
    unsigned count = 0;
    for (uint32_t slot = 1; slot <= CROWD; slot++)
        count += tri_ward_is_hushed(guardian, make(slot, generation));
    return count;
}

/* They have all ended: what they told last waits for the guardian, who can hush them none the less. */
Test(ward, one_that_has_ended_is_hushed_and_not_who_has_its_slot)
{
    struct tri_slot guardian = { .spec = NULL };
    for (uint32_t generation = 1; generation <= 2; generation++)
        for (uint32_t slot = 1; slot <= CROWD; slot++)
            cr_assert(tri_ward_add(&guardian, make(slot, generation)));
    cr_assert_eq(hushed(&guardian, 1) + hushed(&guardian, 2), 0u);
    for (uint32_t slot = 1; slot <= CROWD; slot += 2) {
        cr_assert(tri_ward_hush(&guardian, make(slot, 1)));
        cr_assert(tri_ward_hush(&guardian, make(slot, 1)));
    }
    cr_assert_eq(hushed(&guardian, 1), CROWD / 2);
    cr_assert_eq(hushed(&guardian, 2), 0u);
    for (uint32_t slot = 1; slot <= CROWD; slot++)
        tri_ward_remove(&guardian, make(slot, 1));
    cr_assert_not(tri_ward_hush(&guardian, make(1, 1)), "it has taken its leave");
    cr_assert_eq(guardian.cold->hushed, 0u);
    cr_assert(tri_ward_hush(&guardian, make(1, 2)));
    cr_assert_eq(hushed(&guardian, 2), 1u);
    for (uint32_t slot = 1; slot <= CROWD; slot++)
        tri_ward_remove(&guardian, make(slot, 2));
    cr_assert_eq(guardian.lanes.spare + guardian.cold->wards.count + guardian.cold->hushed, 0u);
    tri_cold_free(&guardian);
}

Test(ward, a_stranger_is_not_hushed)
{
    struct tri_slot guardian = { .spec = NULL };
    cr_assert_not(tri_ward_hush(&guardian, make(1, 1)));
    cr_assert(tri_ward_add(&guardian, make(1, 1)));
    cr_assert_not(tri_ward_hush(&guardian, make(1, 2)));
    cr_assert_not(tri_ward_hush(&guardian, make(2, 1)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 1)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 2)));
    cr_assert(tri_ward_hush(&guardian, make(1, 1)));
    cr_assert(tri_ward_is_hushed(&guardian, make(1, 1)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 2)));
    tri_ward_remove(&guardian, make(1, 1));
    cr_assert(tri_ward_add(&guardian, make(1, 2)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 2)), "that was the one before");
}
