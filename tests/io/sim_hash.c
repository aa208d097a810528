/*
 * The same seed is the same run, wherever the program was built: the hashes of some runs of sim_cast.h are constants, with
 * every compiler, at every level of optimisation, on every system. They change when what a run does is changed, on purpose:
 * by the cast, the runtime, or the simulator. Then the test says the new ones.
 */
#include "tests/io/sim_cast.h"
#include "tests/support.h"

#include <inttypes.h>

enum { ROUNDS = 8 };

static const struct {
    uint64_t seed;
    enum cast_mode mode;
    unsigned percent;
    uint64_t hash;
} runs[] = {
    { 1, CAST_CALM, 0, 0x398DB327F9F90284 },
    { 0x5EED, CAST_CALM, 0, 0x8B50401786F2D49F },
    { 3, CAST_SAFETY, 100, 0xBAF267D611F1A89F },
    { 2, CAST_HEAL, 400, 0xE98F94F128FDE33D },
    { UINT64_MAX, CAST_SAFETY, 1000, 0x481E6D0B934DC9EC },
    { 1000000007, CAST_HEAL, 3000, 0x402005AE14AD57DC },
};

enum { RUNS = sizeof runs / sizeof runs[0] };

/* Without TR_BUGGIFY, so that a place more or less does not change them. */
static tr_sim_result run(int i, bool buggify)
{
    tr_sim_result result;
    tr_sim_options options = cast_options(runs[i].mode, runs[i].percent);
    options.buggify = buggify ? 1000000 : TR_SIM_NEVER;
    cr_assert_eq(cast_run_with(runs[i].seed, &options, ROUNDS, &result), 0, "%s", result.what);
    return result;
}

Test(sim_hash, the_same_seed_is_the_same_run_in_every_build)
{
    int others = 0;
    for (int i = 0; i < RUNS; i++) {
        tr_sim_result result = run(i, false);
        if (result.hash == runs[i].hash)
            continue;
        others++;
        fprintf(stderr, "seed %" PRIu64 ": 0x%016" PRIX64 " (%" PRIu64 " messages, %" PRIu64 " requests, %" PRId64 " ns)\n",
            runs[i].seed, result.hash, result.messages, result.requests, result.virtual_ns);
    }
    cr_assert_eq(others, 0, "%d of %d runs are not those they were", others, RUNS);
}

Test(sim_hash, the_same_seed_is_the_same_run_whatever_ran_before)
{
    tr_sim_result first[RUNS];
    for (int i = 0; i < RUNS; i++)
        first[i] = run(i, true);
    for (int i = RUNS; i-- > 0;) {
        tr_sim_result again = run(i, true);
        cr_assert_eq(again.hash, first[i].hash);
        cr_assert_eq(again.turns, first[i].turns);
        cr_assert_eq(again.requests, first[i].requests);
        cr_assert_eq(again.operations, first[i].operations);
        cr_assert_eq(again.virtual_ns, first[i].virtual_ns);
        cr_assert_arr_eq(&again.fired, &first[i].fired, sizeof again.fired);
    }
}

/* ---- more actors than a chunk of the table of slots holds --------------------------------------------------------- */

enum { CROWD = 5000, AT_ONCE = 100 };

static int one_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_STOP;
}

static const tr_actor one_actor = { TR_SPEC, .name = "one", .receive = one_receive };

struct crowd {
    tr_ref all[CROWD];
    unsigned made, gone;
};

static int crowd_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_after(self, 0, 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int crowd_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct crowd *me = state;
    if (tr_is(tr_down, m))
        return ++me->gone == CROWD ? TR_STOP : TR_CONTINUE;
    for (unsigned i = 0; i < AT_ONCE && me->made < CROWD; i++) {
        me->all[me->made] = tr_spawn(self, &one_actor, NULL);
        if (!tr_monitor_set(self, me->all[me->made++]).bits)
            return TR_ENOMEM;
    }
    if (me->made < CROWD)
        return tr_after(self, 0, 0).bits ? TR_CONTINUE : TR_ENOMEM;
    for (unsigned i = 0; i < CROWD; i++)
        tr_kill(self, me->all[i]);
    return TR_CONTINUE;
}

static const tr_actor crowd_actor = { TR_SPEC, .name = "crowd", .start = crowd_start, .receive = crowd_receive,
    .state_size = sizeof(struct crowd) };

Test(sim_hash, the_first_run_that_makes_the_tables_grow_is_the_same_as_the_second)
{
    static const tr_sim_host hosts[] = { { .name = "a", .actor = &crowd_actor, .workers = 3 }, { 0 } };
    tr_sim_result first, second;
    cr_assert_eq(tr_sim_run(1, NULL, hosts, &first), 0, "%s", first.what);
    cr_assert_eq(tr_sim_run(1, NULL, hosts, &second), 0, "%s", second.what);
    cr_assert_eq(first.hash, second.hash);
    cr_assert_eq(first.requests, second.requests);
}
