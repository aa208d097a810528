#include "actors/cold.h"

#include "actors/self.h"

struct tri_cold *tri_cold(struct tri_slot *slot)
{
    tri_tag tag;
    if (slot->cold)
        return slot->cold;
    struct tri_cold *cold = tri_block_get(sizeof *cold, &tag);
    if (!cold)
        return NULL;
    *cold = (struct tri_cold){ .tag = tag };
    cork_dllist_init(&cold->held);
    cork_dllist_init(&cold->monitors);
    slot->cold = cold;
    return cold;
}

void tri_cold_free(struct tri_slot *slot)
{
    struct tri_cold *cold = slot->cold;
    if (!cold)
        return;
    slot->cold = NULL;
    if (cold->taken)
        tri_block_put(cold->taken, cold->taken_tag);
    tri_bag_empty(&cold->wards);
    tri_bag_empty(&cold->early);
    tri_links_free(cold);
    if (cold->duty.started)
        tri_msg_free(cold->duty.started);
    if (cold->duty.ended)
        tri_msg_free(cold->duty.ended);
    tri_block_put(cold, cold->tag);
}

bool tri_vector_grow(void *vector_, size_t size, uint32_t count, uint32_t *max, tri_tag *tag)
{
    void **vector = vector_;
    tri_tag new_tag;
    if (count < *max)
        return true;
    uint32_t new_max = *max ? *max * 2 : size < TRI_LINE ? (uint32_t)(TRI_LINE / size) : 1;
    void *bigger = tri_block_get(new_max * size, &new_tag);
    if (!bigger)
        return false;
    if (*vector) {
        memcpy(bigger, *vector, count * size);
        tri_block_put(*vector, *tag);
    }
    *vector = bigger;
    *max = new_max;
    *tag = new_tag;
    return true;
}
