/*
 * A ward is an actor (a transport) that ends when its guardian (its owner) does. The guardian keeps a number for each of
 * its wards, that of the first one in its own slot; when it ends it signals each of them, and a ward that is signalled
 * looks for itself whether its guardian is still alive. So the end needs no memory.
 *
 * The number has the ward's slot, seven bits of its generation, and whether the guardian has hushed it: wants to hear
 * nothing more of it but its end. That stands here and not with the ward, because a ward may have ended, and its slot may
 * be another's, while what it told last still waits in the guardian's mailbox. Nor can it be forgotten for want of memory.
 * Two that have ended would be taken for each other only if their slot got 128 actors while the farewell of the first waits.
 */
#include "actors/self.h"

#include <inttypes.h>
#include <stdio.h>

static uint32_t number_of(tr_ref ward)
{
    return (uint32_t)ward.bits & ~TRI_WARD_HUSHED;
}

static uint32_t hash(uint32_t number)
{
    return tri_bag_mix(number & ~TRI_WARD_HUSHED);
}

bool tri_ward_add(struct tri_slot *guardian, tr_ref ward)
{
    uint32_t number = number_of(ward);
    bool early = guardian->cold && tri_bag_remove(&guardian->cold->early, hash, number);
    if (early)
        number |= TRI_WARD_HUSHED;
    if (!guardian->lanes.spare) {
        guardian->lanes.spare = number;
        return true;
    }
    struct tri_cold *cold = tri_cold(guardian);
    if (!cold || !tri_bag_add(&cold->wards, hash, number))
        return false;
    cold->hushed += early;
    return true;
}

/* Where its number stands; NULL: it is no ward. */
static uint32_t *find(struct tri_slot *guardian, tr_ref ward)
{
    const struct tri_bag *wards = guardian->cold ? &guardian->cold->wards : NULL;
    uint32_t number = number_of(ward);
    if ((guardian->lanes.spare & ~TRI_WARD_HUSHED) == number)
        return &guardian->lanes.spare;
    if (wards && wards->places)
        for (uint32_t at = tri_bag_at(wards, hash(number)); wards->places[at]; at = tri_bag_at(wards, at + 1))
            if ((wards->places[at] & ~TRI_WARD_HUSHED) == number)
                return &wards->places[at];
    return NULL;
}

void tri_ward_remove(struct tri_slot *guardian, tr_ref ward)
{
    uint32_t *place = find(guardian, ward);
    if (place == &guardian->lanes.spare) {
        guardian->lanes.spare = 0;
    } else if (place) {
        guardian->cold->hushed -= *place >> TRI_WARD_HUSHED_BIT;
        tri_bag_remove(&guardian->cold->wards, hash, *place);
    }
}

/* The ward of that number; TR_NOBODY: it has ended. */
static tr_ref ward_of(uint32_t number)
{
    const struct tri_slot *ward = tri_slot_at(number & (TRI_SLOTS_MAX - 1));
    tr_ref ref = ward && number ? tri_slot_ref(ward) : TR_NOBODY;
    return number_of(ref) == (number & ~TRI_WARD_HUSHED) ? ref : TR_NOBODY;
}

/* Of those that never became wards, and have ended. If there is no memory they stay. */
static void forget_ended(struct tri_bag *early)
{
    struct tri_bag kept = { 0 };
    for (uint32_t i = 0; i < early->room; i++) {
        if (tr_ref_eq(ward_of(early->places[i]), TR_NOBODY))
            continue;
        if (!tri_bag_add(&kept, hash, early->places[i])) {
            tri_bag_empty(&kept);
            return;
        }
    }
    tri_bag_empty(early);
    *early = kept;
}

/* It may become one: the message by which it does may wait in the mailbox. Or it is somebody else's. */
static void hush_early(struct tri_slot *guardian, tr_ref ward)
{
    struct tri_cold *cold = tri_slot_find(ward) ? tri_cold(guardian) : NULL;
    if (!cold)
        return;
    if (cold->early.count && tri_bag_is_full(&cold->early))
        forget_ended(&cold->early);
    tri_bag_remove(&cold->early, hash, number_of(ward)); /* lest it be there twice */
    tri_bag_add(&cold->early, hash, number_of(ward));
}

void tri_ward_hush(struct tri_slot *guardian, tr_ref ward)
{
    uint32_t *place = find(guardian, ward);
    if (!place) {
        hush_early(guardian, ward);
        return;
    }
    if (!tr_ref_eq(ward_of(*place), TR_NOBODY) && !tr_ref_eq(ward_of(*place), ward))
        return; /* the number is that of a later actor in its slot */
    if (place != &guardian->lanes.spare)
        guardian->cold->hushed += !(*place & TRI_WARD_HUSHED);
    *place |= TRI_WARD_HUSHED;
}

bool tri_ward_find_hushed(struct tri_slot *guardian, tr_ref ward)
{
    const uint32_t *place = find(guardian, ward);
    return place && *place & TRI_WARD_HUSHED;
}

static void list(struct tri_wards *wards, uint32_t number)
{
    tr_ref ward = ward_of(number);
    if (tr_ref_eq(ward, TR_NOBODY))
        return;
    if (wards->count < TRI_WARDS_NAMED)
        wards->some[wards->count] = ward;
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
    tr_ref ward = ward_of(number);
    if (!tr_ref_eq(ward, TR_NOBODY))
        tri_signal(self, ward, TRI_SIGNAL_GUARDIAN);
}

void tri_ward_end_all(tr_self *self, struct tri_slot *slot)
{
    signal_ward(self, slot->lanes.spare);
    slot->lanes.spare = 0;
    if (!slot->cold)
        return;
    struct tri_bag *wards = &slot->cold->wards;
    for (uint32_t i = 0; i < wards->room; i++)
        signal_ward(self, wards->places[i]);
    tri_bag_empty(wards);
    tri_bag_empty(&slot->cold->early);
    slot->cold->hushed = 0;
}
