#include "actors/bag.h"

#include <string.h>

enum { SMALLEST = TRI_LINE / sizeof(uint32_t) };

static void put(struct tri_bag *bag, tri_bag_hash *hash, uint32_t number)
{
    uint32_t at = tri_bag_at(bag, hash(number));
    while (bag->places[at])
        at = tri_bag_at(bag, at + 1);
    bag->places[at] = number;
    bag->count++;
}

static bool grow(struct tri_bag *bag, tri_bag_hash *hash)
{
    struct tri_bag bigger = { .room = bag->room ? 2 * bag->room : SMALLEST };
    bigger.places = tri_block_get(bigger.room * sizeof *bigger.places, &bigger.tag);
    if (!bigger.places)
        return false;
    memset(bigger.places, 0, bigger.room * sizeof *bigger.places);
    for (uint32_t i = 0; i < bag->room; i++)
        if (bag->places[i])
            put(&bigger, hash, bag->places[i]);
    tri_bag_empty(bag);
    *bag = bigger;
    return true;
}

bool tri_bag_add(struct tri_bag *bag, tri_bag_hash *hash, uint32_t number)
{
    if (tri_bag_is_full(bag) && !grow(bag, hash))
        return false;
    put(bag, hash, number);
    return true;
}

/* Frees a place. What stands behind it, up to the next free one, may have wanted it, and moves up. */
static void vacate(struct tri_bag *bag, tri_bag_hash *hash, uint32_t gap)
{
    for (uint32_t at = tri_bag_at(bag, gap + 1), number; (number = bag->places[at]); at = tri_bag_at(bag, at + 1)) {
        uint32_t wanted = tri_bag_at(bag, hash(number));
        if (tri_bag_at(bag, at - wanted) >= tri_bag_at(bag, at - gap)) { /* it stands as far from there as from the gap */
            bag->places[gap] = number;
            gap = at;
        }
    }
    bag->places[gap] = 0;
    if (--bag->count == 0 && bag->room > SMALLEST)
        tri_bag_empty(bag);
}

bool tri_bag_remove(struct tri_bag *bag, tri_bag_hash *hash, uint32_t number)
{
    if (!bag->places)
        return false;
    uint32_t at = tri_bag_at(bag, hash(number));
    while (bag->places[at] && bag->places[at] != number)
        at = tri_bag_at(bag, at + 1);
    if (!bag->places[at])
        return false;
    vacate(bag, hash, at);
    return true;
}

void tri_bag_empty(struct tri_bag *bag)
{
    if (bag->places)
        tri_block_put(bag->places, bag->tag);
    *bag = (struct tri_bag){ 0 };
}
