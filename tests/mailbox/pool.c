/*
 * Pools: size classes, reuse, the way home, foreign threads.
 *
 * One thread plays several workers: it makes a pool its own before it acts for it. Under AddressSanitizer every block
 * comes from memory; what a pool itself does is tested in the other builds.
 */
#include "mailbox/pool.h"

#include "sched/random.h"
#include "tests/os.h"
#include "tests/threads.h"

#include <stdlib.h>
#include <string.h>

#define NEEDS_A_POOL() \
    do { \
        if (TRI_ASAN) \
            cr_skip_test("under AddressSanitizer pools are off"); \
    } while (0)

struct block {
    void *at;
    tri_tag tag;
};

static struct tri_pool *open_pool(void)
{
    struct tri_pool *pool = tri_pool_open();
    cr_assert_not_null(pool);
    return pool;
}

static struct block get(struct tri_pool *pool, size_t size)
{
    struct block block;
    tri_pool_here = pool;
    block.at = tri_block_get(size, &block.tag);
    cr_assert_not_null(block.at);
    return block;
}

static void put(struct tri_pool *pool, struct block block)
{
    tri_pool_here = pool;
    tri_block_put(block.at, block.tag);
}

static unsigned returned_blocks(const struct tri_pool *pool)
{
    unsigned count = 0;
    for (const struct tri_free *block = ck_pr_load_ptr(&pool->returned); block; block = block->next)
        count++;
    return count;
}

/* ---- size classes ------------------------------------------------------------------------------------------------- */

Test(pool, every_size_has_the_smallest_class_that_holds_it)
{
    for (size_t size = 1; size <= TRI_BLOCK_MAX; size++) {
        unsigned class = tri_pool_class(size);
        cr_assert_lt(class, TRI_CLASSES, "%zu bytes", size);
        cr_assert_geq(tri_pool_class_size(class), size, "%zu bytes", size);
        cr_assert(class == 0 || tri_pool_class_size(class - 1) < size, "%zu bytes would fit a smaller class", size);
    }
    for (size_t size = TRI_BLOCK_MAX + 1; size <= 100000; size++)
        cr_assert_eq(tri_pool_class(size), TRI_CLASS_MEMORY);
    cr_assert_eq(tri_pool_class(SIZE_MAX), TRI_CLASS_MEMORY);
}

Test(pool, the_classes_are_those_in_the_header)
{
    static const size_t sizes[] = { 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288,
        16384, 24576, 32768, 49152, 65536, 98304 };
    cr_assert_eq(sizeof sizes / sizeof sizes[0], TRI_CLASSES);
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        cr_assert_eq(tri_pool_class_size(class), sizes[class]);
}

Test(pool, every_size_gets_a_block_that_holds_it)
{
    struct tri_pool *pool = open_pool();
    struct block last = get(pool, 1);
    size_t last_size = 1;
    for (size_t size = 1; size <= 100000; size++) {
        struct block block = get(pool, size);
        char *bytes = block.at;
        cr_assert_eq((uintptr_t)bytes % TRI_LINE, 0);
        cr_assert(tri_block_size(block.tag) >= size || tri_block_size(block.tag) == 0);
        cr_assert(bytes + size <= (char *)last.at || (char *)last.at + last_size <= bytes, "two blocks overlap");
        bytes[0] = bytes[size - 1] = 'x'; /* AddressSanitizer looks whether they are there */
        put(pool, last);
        last = block;
        last_size = size;
    }
    put(pool, last);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(pool, blocks_that_are_out_at_the_same_time_do_not_overlap)
{
    enum { EACH = 200 };
    static struct block block[TRI_CLASSES][EACH];
    struct tri_pool *pool = open_pool();
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        for (unsigned i = 0; i < EACH; i++) {
            block[class][i] = get(pool, tri_pool_class_size(class));
            memset(block[class][i].at, (int)(class * EACH + i) & 255, tri_pool_class_size(class));
        }
    cr_assert_eq(tri_pool_balance(), TRI_CLASSES * EACH);
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        for (unsigned i = 0; i < EACH; i++) {
            const unsigned char *bytes = block[class][i].at;
            for (size_t at = 0; at < tri_pool_class_size(class); at++)
                if (bytes[at] != ((class * EACH + i) & 255))
                    cr_assert_fail("a block of class %u was written over at %zu", class, at);
            put(pool, block[class][i]);
        }
    cr_assert_eq(tri_pool_balance(), 0);
}

/* ---- reuse -------------------------------------------------------------------------------------------------------- */

Test(pool, the_last_block_given_back_is_the_next_one_taken)
{
    NEEDS_A_POOL();
    struct tri_pool *pool = open_pool();
    struct block a = get(pool, 100), b = get(pool, 100);
    put(pool, a);
    put(pool, b);
    cr_assert_eq(get(pool, 100).at, b.at);
    cr_assert_eq(get(pool, 128).at, a.at, "they are of one class");
}

Test(pool, in_the_steady_state_nothing_is_asked_of_memory)
{
    NEEDS_A_POOL();
    enum { HELD = 100 };
    struct tri_pool *pool = open_pool();
    struct tri_random random = { 1 };
    struct block held[HELD];
    for (unsigned class = 0; class < TRI_CLASSES; class ++) { /* the worst case first: all of one class */
        for (unsigned i = 0; i < HELD; i++)
            held[i] = get(pool, tri_pool_class_size(class));
        for (unsigned i = 0; i < HELD; i++)
            put(pool, held[i]);
    }
    int64_t before = tri_memory_live();
    for (unsigned i = 0; i < HELD; i++)
        held[i] = get(pool, 1 + tri_random_below(&random, TRI_BLOCK_MAX));
    for (unsigned round = 0; round < 100000; round++) {
        unsigned i = tri_random_below(&random, HELD);
        put(pool, held[i]);
        held[i] = get(pool, 1 + tri_random_below(&random, TRI_BLOCK_MAX));
    }
    cr_assert_eq(tri_memory_live(), before);
}

Test(pool, a_block_too_large_for_a_pool_comes_from_memory_and_goes_back_there)
{
    struct tri_pool *pool = open_pool();
    int64_t before = tri_memory_live();
    struct block block = get(pool, TRI_BLOCK_MAX + 1);
    cr_assert_eq(tri_block_size(block.tag), 0);
    cr_assert_eq(tri_memory_live(), before + 1);
    put(pool, block);
    cr_assert_eq(tri_memory_live(), before);
    cr_assert_eq(tri_pool_balance(), 0);
}

/* ---- the way home ------------------------------------------------------------------------------------------------- */

Test(pool, blocks_freed_elsewhere_go_home_in_batches)
{
    NEEDS_A_POOL();
    enum { COUNT = 3 * TRI_OUTGOING_BLOCKS + 5 };
    struct tri_pool *home = open_pool(), *elsewhere = open_pool();
    struct block block[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        block[i] = get(home, 64);
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert_eq(returned_blocks(home), i / TRI_OUTGOING_BLOCKS * TRI_OUTGOING_BLOCKS);
        put(elsewhere, block[i]);
    }
    tri_pool_flush();
    cr_assert_eq(returned_blocks(home), COUNT);
    tri_pool_flush();
    cr_assert_eq(returned_blocks(home), COUNT);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(pool, blocks_that_came_home_are_used_before_new_memory)
{
    NEEDS_A_POOL();
    enum { COUNT = 65536 / 64 }; /* a slab's worth: what is left of it does not blur the picture */
    static struct block block[COUNT], again[COUNT];
    struct tri_pool *home = open_pool(), *elsewhere = open_pool();
    for (unsigned i = 0; i < COUNT; i++)
        block[i] = get(home, 64);
    for (unsigned i = 0; i < COUNT; i++)
        put(elsewhere, block[i]);
    tri_pool_flush();
    int64_t before = tri_memory_live();
    for (unsigned i = 0; i < COUNT; i++)
        again[i] = get(home, 64);
    cr_assert_eq(tri_memory_live(), before);
    cr_assert_eq(returned_blocks(home), 0);
    for (unsigned i = 0; i < COUNT; i++)
        put(home, again[i]);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(pool, blocks_of_several_classes_come_home_to_their_own)
{
    NEEDS_A_POOL();
    struct tri_pool *home = open_pool(), *elsewhere = open_pool();
    struct block block[TRI_CLASSES];
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        block[class] = get(home, tri_pool_class_size(class));
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        put(elsewhere, block[class]);
    tri_pool_flush();
    for (unsigned class = 0; class < TRI_CLASSES; class ++)
        cr_assert_eq(get(home, tri_pool_class_size(class)).at, block[class].at, "class %u", class);
}

Test(pool, a_worker_may_free_for_more_homes_than_it_keeps_chains_for)
{
    NEEDS_A_POOL();
    enum { HOMES = 3 * TRI_OUTGOING + 3, EACH = 10 };
    struct tri_pool *home[HOMES], *elsewhere;
    static struct block block[HOMES][EACH];
    for (unsigned h = 0; h < HOMES; h++)
        home[h] = open_pool();
    elsewhere = open_pool();
    for (unsigned h = 0; h < HOMES; h++)
        for (unsigned i = 0; i < EACH; i++)
            block[h][i] = get(home[h], 64);
    for (unsigned i = 0; i < EACH; i++)
        for (unsigned h = 0; h < HOMES; h++)
            put(elsewhere, block[h][i]);
    tri_pool_flush();
    for (unsigned h = 0; h < HOMES; h++) {
        cr_assert_eq(returned_blocks(home[h]), EACH, "home %u got %u", h, returned_blocks(home[h]));
        for (const struct tri_free *free = home[h]->returned; free; free = free->next)
            cr_assert_eq(free->tag >> TRI_CLASS_BITS, home[h]->tag >> TRI_CLASS_BITS);
    }
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(pool, a_closed_pool_is_opened_again_with_what_came_home_meanwhile)
{
    struct tri_pool *first = open_pool(), *second = open_pool();
    struct block block = get(first, 64);
    tri_pool_close(first);
    put(second, block);
    tri_pool_flush();
    cr_assert_eq(open_pool(), first);
    cr_assert_eq(tri_pool_balance(), 0);
    if (!TRI_ASAN)
        cr_assert_eq(returned_blocks(first), 1);
}

Test(pool, there_are_as_many_as_the_table_holds)
{
    struct tri_pool *one = NULL;
    for (unsigned i = 0; i < TRI_POOLS_MAX; i++) {
        struct tri_pool *pool = open_pool();
        cr_assert_eq(pool->tag >> TRI_CLASS_BITS, i);
        if (i == 700)
            one = pool;
    }
    cr_assert_null(tri_pool_open());
    tri_pool_close(one);
    cr_assert_eq(tri_pool_open(), one);
    cr_assert_null(tri_pool_open());
}

Test(pool, the_last_pools_index_fits_its_blocks_tags)
{
    NEEDS_A_POOL();
    struct tri_pool *first = open_pool(), *last = first;
    for (unsigned i = 1; i < TRI_POOLS_MAX; i++)
        last = open_pool();
    struct block block = get(last, TRI_BLOCK_MAX);
    put(first, block);
    tri_pool_flush();
    cr_assert_eq(returned_blocks(last), 1);
    cr_assert_eq(get(last, TRI_BLOCK_MAX).at, block.at);
}

/* ---- foreign threads ---------------------------------------------------------------------------------------------- */

static void *play_foreigner(void *arg)
{
    struct block *block = arg; /* two from a pool; another two are put in their place */
    cr_assert_null(tri_pool_here);
    for (int i = 0; i < 2; i++) {
        put(NULL, block[i]);
        block[i] = get(NULL, 64);
    }
    tri_pool_flush();
    return NULL;
}

Test(pool, foreign_threads_take_blocks_and_give_back_those_of_pools)
{
    struct tri_pool *pool = open_pool();
    struct block block[2] = { get(pool, 64), get(pool, 5000) };
    join_thread(start_thread(play_foreigner, block));
    cr_assert_eq(tri_pool_balance(), 2);
    if (!TRI_ASAN)
        cr_assert_eq(returned_blocks(pool), 2, "without a detour");
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(tri_block_size(block[i].tag), 0, "a foreign thread's block comes from memory");
        put(pool, block[i]);
    }
    cr_assert_eq(tri_pool_balance(), 0);
}

/* ---- off ---------------------------------------------------------------------------------------------------------- */

static void expect_off(void)
{
    struct tri_pool *pool = open_pool();
    int64_t before = tri_memory_live();
    struct block a = get(pool, 64), b = get(pool, 5000);
    cr_assert_eq(tri_memory_live(), before + 2);
    put(pool, a);
    cr_assert_eq(tri_memory_live(), before + 1);
    put(NULL, b);
    cr_assert_eq(tri_memory_live(), before);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(pool, switched_off_every_block_comes_from_memory)
{
    tri_pool_off();
    expect_off();
}

Test(pool, can_be_switched_off_by_the_environment)
{
    set_environment("TROUPE_POOL", "off");
    expect_off();
}

Test(pool, another_wish_in_the_environment_changes_nothing)
{
    NEEDS_A_POOL();
    set_environment("TROUPE_POOL", "on");
    cr_assert_neq(tri_block_size(get(open_pool(), 64).tag), 0);
}

/* ---- no memory ---------------------------------------------------------------------------------------------------- */

Test(pool, without_memory_there_is_no_block_and_the_balance_stays)
{
    struct tri_pool *pool = open_pool();
    tri_tag tag;
    tri_pool_here = pool;
    for (size_t size = 64; size <= 200000; size *= 3) {
        tri_memory_fail(1, true);
        cr_assert_null(tri_block_get(size, &tag));
        cr_assert_eq(tri_memory_fail(0, false), 1);
        cr_assert_eq(tri_pool_balance(), 0);
        put(pool, get(pool, size)); /* and later there is */
    }
    tri_pool_here = NULL;
    tri_memory_fail(1, true);
    cr_assert_null(tri_block_get(64, &tag));
    cr_assert_null(TRI_ASAN ? NULL : tri_pool_open());
    tri_memory_fail(0, false);
    cr_assert_eq(tri_pool_balance(), 0);
}

/* ---- stress ------------------------------------------------------------------------------------------------------- */

enum { PLACES = 512, WORKERS = 3, FOREIGNERS = 2 };

/* A place where threads swap blocks: each takes what is there and leaves one of its own. */
static struct parcel {
    struct block block;
    size_t size;
    unsigned char mark;
} * places[PLACES];

static struct tri_pool *worker_pool[WORKERS];
static unsigned int over;

static struct parcel *pack(struct tri_random *random)
{
    struct parcel *parcel = malloc(sizeof *parcel);
    /* Sizes are chosen by class, so that small ones, which share slabs and chains, are frequent. */
    parcel->size = 1 + tri_random_below(random, (uint32_t)tri_pool_class_size(tri_random_below(random, 10)));
    parcel->mark = (unsigned char)tri_random_next(random);
    parcel->block.at = tri_block_get(parcel->size, &parcel->block.tag);
    cr_assert_not_null(parcel->block.at);
    memset(parcel->block.at, parcel->mark, parcel->size);
    return parcel;
}

static void unpack(struct parcel *parcel)
{
    const unsigned char *bytes = parcel->block.at;
    for (size_t i = 0; i < parcel->size; i++)
        if (bytes[i] != parcel->mark)
            cr_assert_fail("somebody else wrote into a block of %zu bytes", parcel->size);
    tri_block_put(parcel->block.at, parcel->block.tag);
    free(parcel);
}

static void *swap_blocks(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    struct tri_random random = { number };
    if (number < WORKERS)
        tri_pool_here = worker_pool[number];
    for (unsigned round = 0; !ck_pr_load_uint(&over); round++) {
        struct parcel *mine = pack(&random);
        ck_pr_fence_release();
        struct parcel *theirs = ck_pr_fas_ptr(&places[tri_random_below(&random, PLACES)], mine);
        ck_pr_fence_acquire();
        if (theirs)
            unpack(theirs);
        if (round % 100 == 0)
            tri_pool_flush();
    }
    tri_pool_flush();
    return NULL;
}

enum { HOMING = 20000 };

static struct block homing[2][HOMING];
static unsigned int homing_go;

static void *send_home_at_once(void *arg)
{
    struct block *block = arg;
    wait_until(ck_pr_load_uint(&homing_go));
    for (unsigned i = 0; i < HOMING; i++)
        tri_block_put(block[i].at, block[i].tag);
    return NULL;
}

Test(pool, foreign_threads_that_free_at_the_same_time_all_send_their_blocks_home)
{
    struct tri_pool *home = open_pool();
    for (int64_t end = real_now() + A_WHILE / 2; real_now() < end;) {
        pthread_t thread[2];
        for (unsigned i = 0; i < HOMING; i++)
            for (unsigned t = 0; t < 2; t++)
                homing[t][i] = get(home, 64);
        ck_pr_store_uint(&homing_go, 0);
        for (unsigned t = 0; t < 2; t++)
            thread[t] = start_thread(send_home_at_once, homing[t]);
        ck_pr_store_uint(&homing_go, 1);
        for (unsigned t = 0; t < 2; t++)
            join_thread(thread[t]);
        cr_assert_eq(returned_blocks(home), TRI_ASAN ? 0 : 2 * HOMING);
    }
    cr_assert_eq(tri_pool_balance(), 0);
}

/* The slabs that a pool's free blocks make up, which must be whole ones. Nothing new can be had. */
static int64_t slabs_at_home(struct tri_pool *pool)
{
    int64_t slabs = 0;
    tri_pool_here = pool;
    for (unsigned class = 0; class < TRI_CLASSES; class ++) {
        size_t block = tri_pool_class_size(class), slab = block * 64, bytes = 0;
        slab = slab < 65536 ? 65536 : slab > 262144 ? 262144 : slab;
        slab -= slab % block;
        for (tri_tag tag; tri_block_get(block, &tag);)
            bytes += block;
        cr_assert_eq(bytes % slab, 0, "some of the blocks of %zu bytes are not at home", block);
        slabs += (int64_t)(bytes / slab);
    }
    return slabs;
}

Test(pool, blocks_that_travel_between_threads_are_nobody_elses_and_all_come_home)
{
    pthread_t thread[WORKERS + FOREIGNERS];
    for (unsigned i = 0; i < WORKERS; i++)
        worker_pool[i] = open_pool();
    int64_t before = tri_memory_live();
    for (unsigned i = 0; i < WORKERS + FOREIGNERS; i++)
        thread[i] = start_thread(swap_blocks, (void *)(uintptr_t)i);
    nanosleep(&(struct timespec){ 0, A_WHILE }, NULL);
    ck_pr_store_uint(&over, 1);
    for (unsigned i = 0; i < WORKERS + FOREIGNERS; i++)
        join_thread(thread[i]);
    for (unsigned i = 0; i < PLACES; i++)
        if (places[i])
            unpack(places[i]);
    cr_assert_eq(tri_pool_balance(), 0);

    /* The balance counts what was given back, not what has arrived. That is counted by taking all there is. */
    int64_t slabs = 0;
    tri_memory_fail(1, true);
    for (unsigned i = 0; i < WORKERS && !TRI_ASAN; i++)
        slabs += slabs_at_home(worker_pool[i]);
    tri_memory_fail(0, false);
    cr_assert_eq(slabs, TRI_ASAN ? 0 : tri_memory_live() - before, "blocks were lost on their way");
}

/* ---- giving back --------------------------------------------------------------------------------------------------- */

enum { BURST = 20000 };

static struct {
    unsigned char *block;
    tri_tag tag;
} burst[BURST];

static void take_a_burst(void)
{
    for (int i = 0; i < BURST; i++) {
        size_t size = i % 3 ? 1000 : 200;
        burst[i].block = tri_block_get(size, &burst[i].tag);
        cr_assert_not_null(burst[i].block);
        memset(burst[i].block, i % 251, size);
    }
}

Test(pool, after_a_burst_what_is_free_goes_back_and_what_is_not_stays)
{
    NEEDS_A_POOL();
    struct tri_pool *pool = tri_pool_here = tri_pool_open();
    size_t before = tri_pools_size();
    for (int round = 0; round < 2; round++) {
        take_a_burst();
        size_t top = tri_pools_size();
        cr_assert_gt(top, (size_t)12 << 20);
        for (int i = 2; i < BURST; i++)
            tri_block_put(burst[i].block, burst[i].tag);
        tri_pool_flush();
        cr_assert_eq(tri_pools_size(), top, "nobody has asked");
        tri_pools_trim();
        tri_pool_flush();
        cr_assert_leq(tri_pools_size(), before + ((size_t)1 << 20), "%zu", tri_pools_size()); /* what the first two are in */
        for (int i = 0; i < 2; i++) {
            cr_assert(burst[i].block[0] == i % 251 && burst[i].block[199] == i % 251);
            tri_block_put(burst[i].block, burst[i].tag);
        }
        tri_pools_trim();
        tri_pool_flush();
        cr_assert_eq(tri_pool_balance(), 0);
        cr_assert_eq(tri_pools_size(), before);
    }
    tri_pool_here = NULL;
    tri_pool_close(pool);
    tri_pools_trim();
    cr_assert_eq(tri_pool_balance(), 0);
}
