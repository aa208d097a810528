/*
 * A ward is an actor (a transport) that ends when its guardian (its owner) does. The guardian keeps the slot numbers of
 * its wards, that of the first one in its own slot; when it ends it signals each of them, and a ward that is signalled
 * looks for itself whether its guardian is still alive. So a number that has become stale costs a look and does no harm,
 * and the end needs no memory.
 */
#include "actors/self.h"

static uint32_t hash(uint32_t number)
{
    return tri_bag_mix(number);
}

/* A number may be there twice: an ended ward's that has not taken its leave yet, and that of a new one in its slot. */
bool tri_ward_add(struct tri_slot *guardian, tr_ref ward)
{
    if (!guardian->lanes.spare) {
        guardian->lanes.spare = tri_ref_slot(ward);
        return true;
    }
    struct tri_cold *cold = tri_cold(guardian);
    return cold && tri_bag_add(&cold->wards, hash, tri_ref_slot(ward));
}

void tri_ward_remove(struct tri_slot *guardian, tr_ref ward)
{
    if (guardian->lanes.spare == tri_ref_slot(ward))
        guardian->lanes.spare = 0;
    else if (guardian->cold)
        tri_bag_remove(&guardian->cold->wards, hash, tri_ref_slot(ward));
}

static void signal_ward(tr_self *self, uint32_t number)
{
    struct tri_slot *ward = tri_slot_at(number);
    if (ward)
        tri_signal(self, tri_slot_ref(ward), TRI_SIGNAL_GUARDIAN);
}

void tri_ward_end(tr_self *self, struct tri_slot *slot)
{
    if (slot->lanes.spare)
        signal_ward(self, slot->lanes.spare);
    slot->lanes.spare = 0;
    if (!slot->cold)
        return;
    struct tri_bag *wards = &slot->cold->wards;
    for (uint32_t i = 0; i < wards->room; i++)
        if (wards->places[i])
            signal_ward(self, wards->places[i]);
    tri_bag_empty(wards);
}
