/* The random source: splitmix64, and numbers below a bound. */
#include "sched/random.h"

#include <criterion/criterion.h>

Test(random, is_splitmix64)
{
    static const uint64_t from_zero[] = { 0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f };
    static const uint64_t from_1234567[] = { 6457827717110365317u, 3203168211198807973u, 9817491932198370423u };
    struct tri_random a = { 0 }, b = { 1234567 };
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(tri_random_next(&a), from_zero[i]);
        cr_assert_eq(tri_random_next(&b), from_1234567[i]);
    }
}

Test(random, the_same_seed_gives_the_same_numbers)
{
    struct tri_random a = { 99 }, b = { 99 }, c = { 100 };
    unsigned equal = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t number = tri_random_next(&a);
        cr_assert_eq(tri_random_next(&b), number);
        equal += tri_random_next(&c) == number;
    }
    cr_assert_eq(equal, 0);
}

Test(random, a_number_below_n_is_below_n_and_any_of_them)
{
    static const uint32_t bounds[] = { 1, 2, 3, 7, 64, 100 };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct tri_random random = { i };
        unsigned seen[100] = { 0 };
        for (unsigned round = 0; round < 200 * bounds[i]; round++) {
            uint32_t number = tri_random_below(&random, bounds[i]);
            cr_assert_lt(number, bounds[i]);
            seen[number]++;
        }
        for (uint32_t number = 0; number < bounds[i]; number++) {
            cr_assert_gt(seen[number], 100, "%u of 200: %u", number, seen[number]);
            cr_assert_lt(seen[number], 300, "%u of 200: %u", number, seen[number]);
        }
    }
}

Test(random, the_largest_bound_is_not_reached)
{
    struct tri_random random = { 5 };
    uint32_t most = 0;
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t number = tri_random_below(&random, UINT32_MAX);
        cr_assert_lt(number, UINT32_MAX);
        most = number > most ? number : most;
    }
    cr_assert_gt(most, UINT32_MAX / 1000 * 999);
}

Test(random, seeds_differ)
{
    uint64_t seed[8];
    for (unsigned i = 0; i < 8; i++) {
        seed[i] = tri_random_seed();
        for (unsigned j = 0; j < i; j++)
            cr_assert_neq(seed[i], seed[j]);
    }
}
