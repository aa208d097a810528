/*
 * A ward is an actor (a transport) that ends when its guardian (its owner) does. The guardian keeps the slot numbers of
 * its wards; when it ends it signals each of them, and a ward that is signalled looks for itself whether its guardian is
 * still alive. So a number that has become stale costs a look and does no harm, and the end needs no memory.
 */
#include "actors/self.h"

bool tri_ward_add(struct tri_slot *guardian, tr_ref ward)
{
    if (!guardian->lanes.spare) {
        guardian->lanes.spare = tri_ref_slot(ward);
        return true;
    }
    struct tri_cold *cold = tri_cold(guardian);
    if (!cold || !tri_vector_grow(&cold->wards, sizeof *cold->wards, cold->ward_count, &cold->ward_max, &cold->wards_tag))
        return false;
    cold->wards[cold->ward_count++] = tri_ref_slot(ward);
    return true;
}

void tri_ward_remove(struct tri_slot *guardian, tr_ref ward)
{
    struct tri_cold *cold = guardian->cold;
    uint32_t number = tri_ref_slot(ward);
    if (guardian->lanes.spare == number) {
        guardian->lanes.spare = cold && cold->ward_count ? cold->wards[--cold->ward_count] : 0;
        return;
    }
    for (uint32_t i = 0; cold && i < cold->ward_count; i++)
        if (cold->wards[i] == number) {
            cold->wards[i] = cold->wards[--cold->ward_count];
            return;
        }
}

static void signal_ward(tr_self *self, uint32_t number)
{
    struct tri_slot *ward = tri_slot_at(number);
    if (ward)
        tri_signal(self, tri_slot_ref(ward), TRI_SIGNAL_GUARDIAN);
}

void tri_ward_end(tr_self *self, struct tri_slot *slot)
{
    if (!slot->lanes.spare)
        return;
    signal_ward(self, slot->lanes.spare);
    slot->lanes.spare = 0;
    while (slot->cold && slot->cold->ward_count)
        signal_ward(self, slot->cold->wards[--slot->cold->ward_count]);
}
