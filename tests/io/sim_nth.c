/*
 * Everything fails once: every request for memory and every operation of a port, in a run of the cast of sim_cast.h, each
 * with each error. Whatever it was that failed, nothing is lost but what failed: all tasks are done in the end, nothing is
 * left, and nothing is untrue.
 *
 * By day every other is taken of one run, and at night each, of several.
 */
#include "tests/io/sim_cast.h"
#include "tests/support.h"

enum { SEED = 7, ROUNDS = 2, RUNS = 10 };

static tr_sim_options options_of_nth(void)
{
    tr_sim_options options = cast_options(CAST_CALM, 0);
    options.steps = 2000000;
    return options;
}

static void run(uint64_t seed, const tr_sim_options *options, tr_sim_result *result, const char *what, uint64_t nth)
{
    int error = cast_run_with(seed, options, ROUNDS, result);
    cr_assert_eq(error, 0, "%s %lu: %s", what, (unsigned long)nth, result->what);
}

static void fail_each_request(uint64_t seed, unsigned stride)
{
    tr_sim_options options = options_of_nth();
    tr_sim_result result;
    uint64_t nth = 1, others = 0, hash = 0;
    do {
        options.fail_memory = nth;
        run(seed, &options, &result, "request", nth);
        others += result.hash != hash;
        hash = result.hash;
        nth += stride;
    } while (result.requests >= options.fail_memory);
    cr_assert_gt(nth, 500);
    cr_assert_gt(others * stride, nth / 4, "it makes no difference what fails");
}

Test(sim_nth, each_request_for_memory_fails_once)
{
    for (uint64_t seed = SEED; seed < SEED + scaled(1, RUNS); seed++)
        fail_each_request(seed, scaled(2, 1));
}

static void fail_each_operation(uint64_t seed, int error, uint64_t nth, unsigned stride)
{
    tr_sim_options options = options_of_nth();
    tr_sim_result result;
    options.operation_error = error;
    do {
        options.fail_operation = nth;
        run(seed, &options, &result, tr_error_name(error), nth);
        nth += stride;
    } while (result.operations >= options.fail_operation);
    cr_assert_gt(nth, 50);
}

Test(sim_nth, each_operation_of_a_port_fails_once_with_each_error)
{
    static const int errors[] = { TR_ECONNRESET, TR_EPIPE, TR_ETIMEDOUT, TR_ENOBUFS, TR_ENOMEM, TR_EMFILE, TR_ENFILE,
        TR_ECONNABORTED, TR_ECONNREFUSED, TR_EHOSTUNREACH, TR_ENETDOWN, TR_EIO };
    unsigned stride = scaled(2, 1);
    for (uint64_t seed = SEED; seed < SEED + scaled(1, RUNS); seed++)
        for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
            fail_each_operation(seed, errors[i], 1 + i % stride, stride);
}
