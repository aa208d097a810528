/* Bags of numbers: whatever is put in and taken out, and wherever hashes point, a number is found as often as it is in. */
#include "actors/bag.h"

#include "sched/random.h"

#include <criterion/criterion.h>
#include <string.h>

static uint32_t mixed(uint32_t number)
{
    return tri_bag_mix(number);
}

static uint32_t itself(uint32_t number)
{
    return number;
}

/* The last place: what collides goes on at the first. */
static uint32_t last_place(uint32_t number)
{
    (void)number;
    return UINT32_MAX;
}

static uint32_t few_places(uint32_t number)
{
    return 13 + number % 3;
}

static tri_bag_hash *const hashes[] = { mixed, itself, last_place, few_places };

/* How often it is found. */
static unsigned count(const struct tri_bag *bag, tri_bag_hash *hash, uint32_t number)
{
    unsigned found = 0;
    for (uint32_t at = tri_bag_at(bag, hash(number)); bag->places[at]; at = tri_bag_at(bag, at + 1))
        found += bag->places[at] == number;
    return found;
}

static void check(const struct tri_bag *bag, tri_bag_hash *hash, const unsigned *in, uint32_t numbers)
{
    for (uint32_t i = 1; i <= numbers; i++)
        cr_assert_eq(bag->places ? count(bag, hash, i) : 0, in[i], "number %u", i);
}

Test(bag, a_number_is_found_as_often_as_it_is_in)
{
    enum { NUMBERS = 40 };
    struct tri_random random = { 7 };
    for (unsigned k = 0; k < sizeof hashes / sizeof *hashes; k++) {
        struct tri_bag bag = { 0 };
        unsigned in[NUMBERS + 1] = { 0 };
        for (unsigned step = 0; step < 4000; step++) {
            uint32_t number = 1 + tri_random_below(&random, NUMBERS);
            bool fills = step / 200 % 2 == 0; /* more come than go, and then the other way round */
            if (tri_random_below(&random, 4) != 0 ? fills : !fills) {
                cr_assert(tri_bag_add(&bag, hashes[k], number));
                in[number]++;
            } else {
                cr_assert_eq(tri_bag_remove(&bag, hashes[k], number), in[number] > 0);
                in[number] -= in[number] > 0;
            }
            check(&bag, hashes[k], in, NUMBERS);
        }
        tri_bag_empty(&bag);
        cr_assert_eq(bag.count, 0u);
        cr_assert_not(tri_bag_remove(&bag, hashes[k], 1), "nothing is in an empty one");
    }
}

Test(bag, what_many_needed_is_given_back)
{
    int64_t before = tri_pool_balance();
    struct tri_bag bag = { 0 };
    for (uint32_t i = 1; i <= 100000; i++)
        cr_assert(tri_bag_add(&bag, mixed, i));
    for (uint32_t i = 1; i <= 100000; i++)
        cr_assert(tri_bag_remove(&bag, mixed, i));
    cr_assert_eq(tri_pool_balance(), before);
}
