/* What is to be tried again, against a plain model. */
#include "io/again.h"

#include "sched/port.h"
#include "sched/random.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MANY = 200, STEPS = 20000 };

static char endpoints[MANY];

static struct tri_endpoint *endpoint(unsigned i)
{
    return (struct tri_endpoint *)(void *)&endpoints[i];
}

static unsigned number(const struct tri_endpoint *e)
{
    return (unsigned)((const char *)(const void *)e - endpoints);
}

Test(again, endpoints_come_in_their_order_and_once)
{
    struct tri_again again;
    uint32_t places[MANY];
    cr_assert_eq(tri_again_open(&again), 0);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_neq(places[i] = tri_again_attach(&again, endpoint(i)), 0);
    for (unsigned i = 0; i < MANY; i += 2)
        tri_again_list(&again, places[i]);
    tri_again_list(&again, places[0]); /* it is already */
    tri_again_begin(&again, 0);
    for (unsigned i = 0; i < MANY; i += 2) {
        cr_assert_eq(tri_again_next(&again), endpoint(i));
        tri_again_list(&again, places[i]); /* for the next time */
    }
    cr_assert_null(tri_again_next(&again));
    cr_assert(tri_again_any(&again));
    tri_again_close(&again);
}

Test(again, a_pause_is_never_cut_short_and_holds_back_nobody)
{
    struct tri_again again;
    uint32_t places[2];
    cr_assert_eq(tri_again_open(&again), 0);
    for (unsigned i = 0; i < 2; i++)
        places[i] = tri_again_attach(&again, endpoint(i));
    cr_assert_eq(tri_again_limit(&again, 7), 7);
    tri_again_pause(&again, places[0], 1000);
    cr_assert_eq(tri_again_limit(&again, INT64_MAX), 1000 + TRI_PAUSE_NS);
    cr_assert_eq(tri_again_limit(&again, 7), 7);
    cr_assert_not(tri_again_any(&again));
    tri_again_list(&again, places[1]);
    cr_assert_eq(tri_again_limit(&again, INT64_MAX), TRI_NO_WAIT);
    tri_again_begin(&again, 1000 + TRI_PAUSE_NS - 1);
    cr_assert_eq(tri_again_next(&again), endpoint(1));
    cr_assert_null(tri_again_next(&again));
    tri_again_begin(&again, 1000 + TRI_PAUSE_NS);
    cr_assert_eq(tri_again_next(&again), endpoint(0));
    cr_assert_null(tri_again_next(&again));
    cr_assert_eq(tri_again_limit(&again, INT64_MAX), INT64_MAX);
    tri_again_close(&again);
}

/* Who goes away while others are taken is not taken any more, and its place can be another's. */
Test(again, whoever_goes_is_forgotten)
{
    struct tri_again again;
    struct tri_random random = { 42 };
    uint32_t places[MANY] = { 0 };
    bool listed[MANY] = { false }; /* or pauses */
    int64_t now = 0;
    cr_assert_eq(tri_again_open(&again), 0);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = tri_random_below(&random, MANY);
        struct tri_endpoint *taken;
        switch (tri_random_below(&random, 6)) {
        case 0:
            if (!places[i])
                cr_assert_neq(places[i] = tri_again_attach(&again, endpoint(i)), 0);
            break;
        case 1:
            if (places[i])
                tri_again_detach(&again, places[i]);
            places[i] = 0;
            listed[i] = false;
            break;
        case 2:
            if (places[i])
                tri_again_list(&again, places[i]);
            listed[i] = places[i];
            break;
        case 3:
            if (places[i])
                tri_again_pause(&again, places[i], now);
            listed[i] = places[i];
            break;
        case 4: tri_again_begin(&again, now += TRI_PAUSE_NS / 50); break;
        default:
            if (!(taken = tri_again_next(&again)))
                break;
            cr_assert(listed[number(taken)], "step %u", step);
            listed[number(taken)] = false;
        }
    }
    while (tri_again_next(&again)) /* what was begun */
        ;
    tri_again_begin(&again, now + TRI_PAUSE_NS);
    while (tri_again_next(&again))
        ;
    cr_assert_eq(tri_again_limit(&again, INT64_MAX), INT64_MAX);
    tri_again_close(&again);
}
