/*
 * A ward is an actor (a transport) that ends when its guardian (its owner) does. The guardian keeps the slot numbers of
 * its wards, that of the first one in its own slot; when it ends it signals each of them, and a ward that is signalled
 * looks for itself whether its guardian is still alive. So a number that has become stale costs a look and does no harm,
 * and the end needs no memory.
 */
#include "actors/self.h"

#include <inttypes.h>
#include <stdio.h>

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

bool tri_ward_has(const struct tri_slot *guardian, tr_ref ward)
{
    uint32_t number = tri_ref_slot(ward);
    const struct tri_bag *wards = guardian->cold ? &guardian->cold->wards : NULL;
    if (guardian->lanes.spare == number)
        return true;
    if (wards && wards->places)
        for (uint32_t at = tri_bag_at(wards, hash(number)); wards->places[at]; at = tri_bag_at(wards, at + 1))
            if (wards->places[at] == number)
                return true;
    return false;
}

void tri_ward_remove(struct tri_slot *guardian, tr_ref ward)
{
    if (guardian->lanes.spare == tri_ref_slot(ward))
        guardian->lanes.spare = 0;
    else if (guardian->cold)
        tri_bag_remove(&guardian->cold->wards, hash, tri_ref_slot(ward));
}

static void list(struct tri_wards *wards, uint32_t number)
{
    struct tri_slot *ward = number ? tri_slot_at(number) : NULL;
    if (!ward)
        return;
    if (wards->count < TRI_WARDS_NAMED)
        wards->some[wards->count] = tri_slot_ref(ward);
    wards->count++;
}

struct tri_wards tri_ward_list(const struct tri_slot *guardian)
{
    struct tri_wards wards = { .count = 0 };
    list(&wards, guardian->lanes.spare);
    for (uint32_t i = 0; guardian->cold && i < guardian->cold->wards.room; i++)
        list(&wards, guardian->cold->wards.places[i]);
    return wards;
}

const char *tri_ward_text(const struct tri_wards *wards, char *text, size_t size)
{
    char ref[TR_REF_TEXT];
    size_t used = 0;
    *text = 0;
    for (uint32_t i = 0; i < wards->count && i < TRI_WARDS_NAMED && used < size; i++) {
        const struct tri_slot *slot = tri_slot_find(wards->some[i]);
        const tr_actor *spec = slot ? ck_pr_load_ptr(&slot->spec) : NULL;
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", i ? ", " : "; ", spec ? spec->name : "actor",
            tr_ref_text(wards->some[i], ref));
    }
    if (wards->count > TRI_WARDS_NAMED && used < size)
        used += (size_t)snprintf(text + used, size - used, " and %" PRIu32 " more", wards->count - TRI_WARDS_NAMED);
    if (wards->count && used < size)
        snprintf(text + used, size - used, " end%s with it", wards->count == 1 ? "s" : "");
    return text;
}

static void signal_ward(tr_self *self, uint32_t number)
{
    struct tri_slot *ward = tri_slot_at(number);
    if (ward)
        tri_signal(self, tri_slot_ref(ward), TRI_SIGNAL_GUARDIAN);
}

void tri_ward_end_all(tr_self *self, struct tri_slot *slot)
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
