/* What a guardian knows of its wards: also of those that have ended, and of those that came into their slots. */
#include "actors/self.h"
#include "actors/slot.h"

#include "tests/actors/puppet.h"

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
        tri_ward_hush(&guardian, make(slot, 1));
        tri_ward_hush(&guardian, make(slot, 1));
    }
    cr_assert_eq(hushed(&guardian, 1), CROWD / 2);
    cr_assert_eq(hushed(&guardian, 2), 0u);
    for (uint32_t slot = 1; slot <= CROWD; slot++)
        tri_ward_remove(&guardian, make(slot, 1));
    tri_ward_hush(&guardian, make(1, 1)); /* it has taken its leave */
    cr_assert_eq(guardian.cold->hushed, 0u);
    tri_ward_hush(&guardian, make(1, 2));
    cr_assert_eq(hushed(&guardian, 2), 1u);
    for (uint32_t slot = 1; slot <= CROWD; slot++)
        tri_ward_remove(&guardian, make(slot, 2));
    cr_assert_eq(guardian.lanes.spare + guardian.cold->wards.count + guardian.cold->hushed, 0u);
    tri_cold_free(&guardian);
}

Test(ward, who_has_ended_and_is_no_ward_is_not_hushed)
{
    struct tri_slot guardian = { .spec = NULL };
    tri_ward_hush(&guardian, make(1, 1));
    cr_assert(tri_ward_add(&guardian, make(1, 1)));
    tri_ward_hush(&guardian, make(1, 2));
    tri_ward_hush(&guardian, make(2, 1));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 1)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 2)));
    tri_ward_hush(&guardian, make(1, 1));
    cr_assert(tri_ward_is_hushed(&guardian, make(1, 1)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 2)));
    tri_ward_remove(&guardian, make(1, 1));
    cr_assert(tri_ward_add(&guardian, make(1, 2)));
    cr_assert_not(tri_ward_is_hushed(&guardian, make(1, 2)), "that was the one before");
    cr_assert_null(guardian.cold);
}

static const tr_actor quiet_actor = { TR_SPEC, .name = "quiet", .receive = quiet_receive };

/* ---- before it is one -------------------------------------------------------------------------------------------- */

static int hush_some(tr_self *self, void *arg)
{
    const tr_ref *alive = arg;
    for (int i = 0; i < CROWD; i++)
        tri_ward_hush(self->slot, alive[i]);
    tri_ward_hush(self->slot, alive[0]);
    cr_assert_eq(self->slot->cold->early.count, (unsigned)CROWD);
    for (int i = 0; i < CROWD; i += 2) {
        cr_assert_not(tri_ward_is_hushed(self->slot, alive[i]));
        cr_assert(tri_ward_add(self->slot, alive[i]));
        cr_assert(tri_ward_is_hushed(self->slot, alive[i]));
    }
    cr_assert_eq(self->slot->cold->early.count, CROWD / 2u);
    for (int i = 0; i < CROWD; i += 2)
        tri_ward_remove(self->slot, alive[i]);
    return TR_CONTINUE;
}

enum { BATCH = 100 };

/* Whoever closes what others own does it again and again, and all that end. */
static int hush_and_kill(tr_self *self, void *arg)
{
    for (int i = 0; i < BATCH; i++) {
        tr_ref other = tr_spawn(self, &quiet_actor, NULL, .monitor = true);
        tri_ward_hush(self->slot, other);
        tr_kill(self, other);
    }
    (void)arg;
    return TR_CONTINUE;
}

static int has_forgotten(tr_self *self, void *arg)
{
    tr_ref other = tr_spawn(self, &quiet_actor, NULL);
    tri_ward_hush(self->slot, other);
    (void)arg;
    cr_assert_leq(self->slot->cold->early.room, 4u * CROWD);
    return TR_CONTINUE;
}

Test(ward, one_is_hushed_before_it_is_one_and_forgotten_if_it_never_becomes_one)
{
    static tr_ref alive[CROWD];
    open_system(1);
    for (int i = 0; i < CROWD; i++)
        alive[i] = probe_spawn(&quiet_actor, NULL);
    tr_probe_do(probe, hush_some, alive);
    for (int i = 0; i < 100; i++) {
        tr_probe_do(probe, hush_and_kill, NULL);
        for (int down = 0; down < BATCH; down++)
            expect(tr_down);
    }
    tr_probe_do(probe, has_forgotten, NULL);
    close_system();
}
