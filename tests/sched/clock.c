/* The clock, and arithmetic with moments that does not overflow. */
#include "tests/threads.h"

#include <time.h>

Test(clock, never_goes_back)
{
    int64_t last = real_now();
    for (unsigned i = 0; i < 100000; i++) {
        int64_t now = real_now();
        cr_assert_geq(now, last);
        last = now;
    }
    cr_assert_gt(last, 0);
}

Test(clock, counts_nanoseconds)
{
    int64_t before = real_now();
    nanosleep(&(struct timespec){ 0, TR_MS(20) }, NULL);
    cr_assert_geq(real_now() - before, TR_MS(20));
}

Test(clock, the_wall_clock_counts_from_1970)
{
    time_t before = time(NULL);
    int64_t wall = tri_clock_wall();
    time_t after = time(NULL);
    cr_assert_geq(wall / 1000000000, (int64_t)before);
    cr_assert_leq(wall / 1000000000, (int64_t)after + 1);
}

Test(clock, units_are_nanoseconds)
{
    cr_assert_eq(TR_NS(7), 7);
    cr_assert_eq(TR_US(1), 1000 * TR_NS(1));
    cr_assert_eq(TR_MS(1), 1000 * TR_US(1));
    cr_assert_eq(TR_SECONDS(1), 1000 * TR_MS(1));
    cr_assert_eq(TR_MINUTES(1), 60 * TR_SECONDS(1));
    cr_assert_eq(TR_HOURS(1), 60 * TR_MINUTES(1));
    cr_assert_eq(TR_FOREVER, INT64_MAX);
}

Test(clock, adding_ends_at_for_ever)
{
    static const struct {
        int64_t a, b, sum;
    } sums[] = {
        { 1, 2, 3 },
        { -5, 2, -3 },
        { INT64_MIN, 0, INT64_MIN },
        { INT64_MIN, INT64_MAX, -1 },
        { INT64_MAX, 0, INT64_MAX },
        { INT64_MAX - 5, 5, INT64_MAX },
        { INT64_MAX - 5, 6, TR_FOREVER },
        { 1, TR_FOREVER, TR_FOREVER },
        { TR_FOREVER, TR_FOREVER, TR_FOREVER },
    };
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        cr_assert_eq(tri_time_add(sums[i].a, sums[i].b), sums[i].sum, "row %zu", i);
}

Test(clock, a_deadline_may_lie_in_the_past)
{
    static const struct {
        int64_t now, delay, deadline;
    } rows[] = {
        { 100, 5, 105 },
        { 100, 0, 100 },
        { 100, -5, 95 },
        { 100, TR_FOREVER, TR_FOREVER },
        { 0, TR_FOREVER, TR_FOREVER },
        { -100, TR_FOREVER, TR_FOREVER - 100 },
        { 100, INT64_MIN, INT64_MIN + 100 },
        { 0, INT64_MIN, INT64_MIN },
        { -1, INT64_MIN, INT64_MIN },
        { INT64_MIN, -1, INT64_MIN },
        { INT64_MIN + 5, -5, INT64_MIN },
        { INT64_MIN + 5, -6, INT64_MIN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert_eq(tri_deadline(rows[i].now, rows[i].delay), rows[i].deadline, "row %zu", i);
}

static int64_t stand_still(struct tri_clock *clock)
{
    (void)clock;
    return 42;
}

Test(clock, a_system_may_bring_its_own)
{
    struct tri_clock own = { stand_still };
    cr_assert_eq(tri_clock_now(&own), 42);
}
