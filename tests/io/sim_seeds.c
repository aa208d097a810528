/*
 * Many seeds: the cast of sim_cast.h with no faults, few, and very many; by day some hundreds of runs, and at night more
 * than ten thousand. A run that fails says its seed, and with it the run can be had again: by the same test, with
 * TROUPE_SEED.
 *
 * And single seeds, each of a bug that the simulation has found.
 */
#include "tests/io/sim_cast.h"
#include "tests/support.h"

enum { ROUNDS = 10 };

static void expect_well(uint64_t seed, enum cast_mode mode, unsigned percent, unsigned rounds)
{
    tr_sim_result result;
    cr_assert_eq(cast_run(seed, mode, percent, rounds, &result), 0, "mode %d, %u percent: %s", mode, percent, result.what);
}

static void many(enum cast_mode mode, const unsigned *percents, unsigned count, unsigned seeds)
{
    const char *one = getenv("TROUPE_SEED");
    for (unsigned i = 0; i < count; i++) {
        uint64_t seed = one ? strtoull(one, NULL, 0) : 1 + i * 1000000;
        for (uint64_t end = seed + (one ? 1 : seeds); seed < end; seed++)
            expect_well(seed, mode, percents[i], ROUNDS);
    }
}

Test(sim_seeds, without_faults_all_tasks_are_done)
{
    many(CAST_CALM, (const unsigned[]){ 0 }, 1, scaled(60, 2000));
}

Test(sim_seeds, whatever_fails_nothing_is_untrue)
{
    many(CAST_SAFETY, (const unsigned[]){ 30, 100, 400, 1000, 5000 }, 5, scaled(20, 1000));
}

Test(sim_seeds, when_the_faults_end_all_tasks_are_done)
{
    many(CAST_HEAL, (const unsigned[]){ 30, 100, 400, 1000, 5000 }, 5, scaled(20, 1000));
}

/* Some faults and not others, seldom or very often: what many faults at once hide comes out among few. */
static void swarm(enum cast_mode mode, unsigned seeds)
{
    const char *one = getenv("TROUPE_SEED");
    uint64_t seed = one ? strtoull(one, NULL, 0) : 1;
    for (uint64_t end = seed + (one ? 1 : seeds); seed < end; seed++) {
        tr_sim_result result;
        tr_sim_options options = cast_swarm(mode, seed);
        cr_assert_eq(cast_run_with(seed, &options, ROUNDS, &result), 0, "mode %d, a swarm: %s", mode, result.what);
    }
}

Test(sim_seeds, whatever_fails_of_some_things_nothing_is_untrue)
{
    swarm(CAST_SAFETY, scaled(100, 5000));
}

Test(sim_seeds, when_the_faults_of_some_kinds_end_all_tasks_are_done)
{
    swarm(CAST_HEAL, scaled(25, 2000));
}

/* ---- what is tested at all --------------------------------------------------------------------------------------- */

static void say_if_never(const tr_check *check, void *arg)
{
    if (check->reached || !strstr(check->file, "sim_cast"))
        return;
    ++*(int *)arg;
    fprintf(stderr, "%s:%d: it was never so that %s\n", check->file, check->line, check->text);
}

Test(sim_seeds, what_is_expected_to_come_about_does)
{
    tr_sim_faults fired = { 0 };
    uint32_t *sums = (uint32_t *)&fired;
    int never = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        tr_sim_result result;
        cr_assert_eq(cast_run(seed, CAST_HEAL, 100 + 10 * (unsigned)seed, ROUNDS, &result), 0, "%s", result.what);
        for (unsigned i = 0; i < sizeof fired / sizeof *sums; i++)
            sums[i] += ((const uint32_t *)&result.fired)[i];
    }
    tr_checks(say_if_never, &never);
    cr_assert_eq(never, 0, "%d things that should come about sometimes never did", never);
    for (unsigned i = 0; i < sizeof fired / sizeof *sums; i++)
        cr_assert_gt(sums[i], 0, "fault %u was never injected", i);
}

/* ---- what was found ---------------------------------------------------------------------------------------------- */

/* Its read operation was submitted while it was still in the port's list of those that wait for memory, which is linked
 * through it. */
Test(sim_seeds, a_connection_that_waited_for_memory_and_reads_again_is_in_no_list)
{
    expect_well(302, CAST_SAFETY, 1000, 4);
    expect_well(1026, CAST_HEAL, 1000, 4);
    expect_well(1211, CAST_SAFETY, 2000, 4);
    expect_well(1247, CAST_SAFETY, 1000, 10);
    expect_well(613, CAST_SAFETY, 2000, 10);
}
