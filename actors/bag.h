/*
 * bag.h: a bag of numbers, each found by its hash at a cost that does not depend on how many there are.
 *
 * An open table: a number stands at the first free place from where its hash points to, and the numbers behind one that
 * is taken out move up, so there are no gaps to walk over. A bag may hold the same number twice. 0 is no number.
 */
#ifndef TRI_BAG_H
#define TRI_BAG_H

#include "mailbox/pool.h"

struct tri_bag {
    uint32_t *places;     /* 0: free; NULL: there are none */
    uint32_t count, room; /* a power of two, at most three quarters of which are in use */
    tri_tag tag;
};

/* Its bits are to be well mixed. */
typedef uint32_t tri_bag_hash(uint32_t number);

/* False when there is no memory; the bag is as it was. */
bool tri_bag_add(struct tri_bag *bag, tri_bag_hash *hash, uint32_t number);

/* Whether the next one makes it grow. */
static inline bool tri_bag_is_full(const struct tri_bag *bag)
{
    return bag->count >= bag->room / 4 * 3;
}

/* Takes it out, once, if it is there: whether it was. */
bool tri_bag_remove(struct tri_bag *bag, tri_bag_hash *hash, uint32_t number);

/* Forgets all, and frees the memory. */
void tri_bag_empty(struct tri_bag *bag);

/* for (uint32_t at = tri_bag_at(bag, hash); bag->places[at]; at = tri_bag_at(bag, at + 1)): the numbers with this hash,
 * and others. If there are places. */
static inline uint32_t tri_bag_at(const struct tri_bag *bag, uint32_t hash)
{
    return hash & (bag->room - 1);
}

static inline uint32_t tri_bag_mix(uint64_t bits)
{
    return (uint32_t)((bits ^ bits >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

#endif
