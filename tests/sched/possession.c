/* What belongs to one thread, and is taken from it: at no moment is anybody else inside. */
#include "sched/possession.h"

#include "tests/threads.h"

static struct tri_possession possession;
static unsigned int over, taken;
static uint64_t visits; /* plain: two inside at once lose some */

/* In and out without a pause: every moment of its way is met. */
static void *own(void *arg)
{
    uint64_t *mine = arg;
    while (!ck_pr_load_uint(&over)) {
        tri_possession_enter(&possession);
        visits++;
        if (*mine % 8 == 0) { /* once more inside */
            tri_possession_enter(&possession);
            visits++;
            tri_possession_leave(&possession);
            visits--;
        }
        for (unsigned i = 0; *mine % 8 == 0 && i < 100; i++) /* longer than the rescuer's barrier takes */
            ck_pr_stall();
        tri_possession_leave(&possession);
        ++*mine;
    }
    return NULL;
}

Test(possession, owner_and_rescuer_are_never_inside_together)
{
    uint64_t mine = 0, theirs = 0;
    cr_assert(tri_possession_possible());
    tri_possession_init(&possession);
    pthread_t owner = start_thread(own, &mine);
    unsigned found_out = 0;
    for (int64_t end = real_now() + A_WHILE; real_now() < end || theirs == 0;) {
        if (!tri_possession_take(&possession)) {
            found_out++;
            continue;
        }
        uint64_t before = visits;
        for (unsigned i = 0; i < 100; i++) {
            cr_assert_eq(*(volatile uint64_t *)&visits, before, "somebody else is inside");
            ck_pr_stall();
        }
        visits = before + 1;
        theirs++;
        tri_possession_give_back(&possession);
        for (uint64_t pause = theirs % 64; pause > 0; pause--) /* so that it meets every moment of the owner's way */
            ck_pr_stall();
    }
    ck_pr_store_uint(&over, 1);
    join_thread(owner);
    cr_assert_eq(visits, mine + theirs);
    cr_assert_gt(found_out + theirs, 100);
    tri_possession_destroy(&possession);
}

Test(possession, it_cannot_be_taken_while_the_owner_is_inside)
{
    cr_assert(tri_possession_possible());
    tri_possession_init(&possession);
    tri_possession_enter(&possession);
    tri_possession_enter(&possession);
    tri_possession_leave(&possession);
    cr_assert_not(tri_possession_take(&possession));
    tri_possession_leave(&possession);
    cr_assert(tri_possession_take(&possession));
    tri_possession_give_back(&possession);
    tri_possession_enter(&possession);
    cr_assert_not(tri_possession_take(&possession));
    tri_possession_leave(&possession);
    tri_possession_destroy(&possession);
}

static void *enter_and_leave(void *arg)
{
    tri_possession_enter(&possession);
    ck_pr_store_uint(&taken, 2);
    tri_possession_leave(&possession);
    return arg;
}

Test(possession, the_owner_waits_until_it_is_given_back)
{
    cr_assert(tri_possession_possible());
    tri_possession_init(&possession);
    cr_assert(tri_possession_take(&possession));
    ck_pr_store_uint(&taken, 1);
    pthread_t owner = start_thread(enter_and_leave, NULL);
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(ck_pr_load_uint(&taken), 1);
        nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    }
    tri_possession_give_back(&possession);
    join_thread(owner);
    cr_assert_eq(taken, 2);
    tri_possession_destroy(&possession);
}
