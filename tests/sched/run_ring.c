/* A worker's run queue: the owner's side, stealing, and both at once. */
#include "sched/run_ring.h"

#include "mailbox/memory.h"
#include "sched/random.h"
#include "tests/threads.h"

#include <string.h>

static struct tri_ring ring, mine;

static void *entry(uintptr_t number)
{
    return (void *)(number + 1);
}

static uintptr_t number_of(void *entry)
{
    return (uintptr_t)entry - 1;
}

/* Makes it begin at this count; all counts must do. */
static void begin_at(struct tri_ring *r, uint32_t count)
{
    memset(r, 0, sizeof *r);
    r->head = r->tail = count;
}

static void fill(unsigned count)
{
    for (uintptr_t i = 0; i < count; i++)
        cr_assert(tri_ring_push(&ring, entry(i)));
}

static const uint32_t begins[] = { 0, 1, 255, 100000, UINT32_MAX - 300, UINT32_MAX - 100, UINT32_MAX };
enum { BEGINS = sizeof begins / sizeof begins[0] };

/* ---- one thread --------------------------------------------------------------------------------------------------- */

Test(run_ring, first_in_is_first_out)
{
    for (unsigned b = 0; b < BEGINS; b++) {
        begin_at(&ring, begins[b]);
        cr_assert_null(tri_ring_pop(&ring));
        fill(100);
        cr_assert_eq(tri_ring_size(&ring), 100);
        for (uintptr_t i = 0; i < 100; i++)
            cr_assert_eq(tri_ring_pop(&ring), entry(i));
        cr_assert_null(tri_ring_pop(&ring));
        cr_assert_eq(tri_ring_size(&ring), 0);
    }
}

Test(run_ring, it_takes_256_and_no_more)
{
    for (unsigned b = 0; b < BEGINS; b++) {
        begin_at(&ring, begins[b]);
        fill(TRI_RING_SIZE);
        cr_assert_not(tri_ring_push(&ring, entry(999)));
        cr_assert_eq(tri_ring_size(&ring), TRI_RING_SIZE);
        cr_assert_eq(tri_ring_pop(&ring), entry(0));
        cr_assert(tri_ring_push(&ring, entry(256)));
        cr_assert_not(tri_ring_push(&ring, entry(999)));
        for (uintptr_t i = 1; i <= 256; i++)
            cr_assert_eq(tri_ring_pop(&ring), entry(i));
        cr_assert_null(tri_ring_pop(&ring));
    }
}

Test(run_ring, half_is_stolen_rounded_up_and_the_oldest)
{
    for (unsigned b = 0; b < BEGINS; b++)
        for (unsigned count = 0; count <= TRI_RING_SIZE; count++) {
            uint32_t half = (count + 1) / 2;
            begin_at(&ring, begins[b]);
            begin_at(&mine, begins[BEGINS - 1 - b]);
            fill(count);
            cr_assert_eq(tri_ring_steal(&mine, &ring, 1), half);
            cr_assert_eq(tri_ring_size(&mine), half);
            cr_assert_eq(tri_ring_size(&ring), count - half);
            for (uintptr_t i = 0; i < count; i++)
                cr_assert_eq(tri_ring_pop(i < half ? &mine : &ring), entry(i));
            cr_assert_null(tri_ring_pop(&mine));
            cr_assert_null(tri_ring_pop(&ring));
        }
}

Test(run_ring, less_than_the_least_is_not_stolen)
{
    begin_at(&ring, 7);
    begin_at(&mine, 0);
    cr_assert_eq(tri_ring_steal(&mine, &ring, 1), 0);
    fill(1);
    cr_assert_eq(tri_ring_steal(&mine, &ring, 2), 0);
    cr_assert_eq(tri_ring_pop(&ring), entry(0));
    fill(2);
    cr_assert_eq(tri_ring_steal(&mine, &ring, 2), 1);
    cr_assert_eq(tri_ring_pop(&mine), entry(0));
    cr_assert_eq(tri_ring_steal(&mine, &ring, 1), 1);
    cr_assert_eq(tri_ring_pop(&mine), entry(1));
}

Test(run_ring, the_size_is_never_an_absurd_one)
{
    begin_at(&ring, 10);
    ring.head = 12; /* as a thread sees it that reads the tail before others push and pop */
    cr_assert_eq(tri_ring_size(&ring), 0);
}

/* ---- an owner and thieves ------------------------------------------------------------------------------------------ */

enum { THIEVES = 2 };

static struct {
    unsigned int over;
    unsigned int stolen, popped; /* batches and entries, to see that both happened */
    unsigned char *seen;         /* how often each entry came out, in plain bytes: two who get the same race */
    uint32_t pushed;
} run;

enum { MOST = 1 << 26 };

static void count(void *e)
{
    uintptr_t number = number_of(e);
    cr_assert_lt(number, MOST);
    cr_assert_eq(run.seen[number]++, 0, "entry %lu came out twice", (unsigned long)number);
}

/* Entries come out of a batch in order; those of one thief come in order, too. */
static void *steal_all_the_time(void *arg)
{
    struct tri_ring own;
    uintptr_t last = 0;
    unsigned batches = 0;
    (void)arg;
    begin_at(&own, UINT32_MAX - 1000);
    while (!ck_pr_load_uint(&run.over)) {
        if (!tri_ring_steal(&own, &ring, batches % 3 ? 2 : 1)) {
            ck_pr_stall();
            continue;
        }
        batches++;
        for (void *e; (e = tri_ring_pop(&own)); last = number_of(e)) {
            cr_assert(batches == 1 || number_of(e) > last);
            count(e);
        }
    }
    ck_pr_add_uint(&run.stolen, batches);
    return NULL;
}

Test(run_ring, between_an_owner_and_thieves_nothing_is_lost_or_doubled)
{
    pthread_t thief[THIEVES];
    struct tri_random random = { 3 };
    run.seen = tri_memory_get_zeroed(MOST);
    begin_at(&ring, UINT32_MAX - 5000);
    for (unsigned i = 0; i < THIEVES; i++)
        thief[i] = start_thread(steal_all_the_time, NULL);
    for (int64_t end = real_now() + A_WHILE; real_now() < end && run.pushed < MOST - 1000;) {
        for (unsigned i = 1 + tri_random_below(&random, 300); i > 0; i--) {
            if (tri_ring_push(&ring, entry(run.pushed)))
                run.pushed++;
            else
                break;
        }
        void *e;
        for (unsigned i = tri_random_below(&random, 300); i > 0 && (e = tri_ring_pop(&ring)); i--) {
            count(e);
            run.popped++;
        }
    }
    for (void *e; (e = tri_ring_pop(&ring)); run.popped++)
        count(e);
    ck_pr_store_uint(&run.over, 1);
    for (unsigned i = 0; i < THIEVES; i++)
        join_thread(thief[i]);
    for (uint32_t i = 0; i < run.pushed; i++)
        cr_assert_eq(run.seen[i], 1, "entry %u of %u was lost", i, run.pushed);
    cr_assert_gt(run.stolen, 0);
    cr_assert_gt(run.popped, 0);
    tri_memory_put(run.seen);
}
