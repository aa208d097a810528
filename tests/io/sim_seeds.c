/*
 * Many seeds: the cast of sim_cast.h with no faults, few, and very many; by day some hundreds of runs, and at night more
 * than ten thousand. A run that fails says its seed, and with it the run can be had again: by the same test, with
 * TROUPE_SEED.
 *
 * And single seeds, each of a bug that the simulation has found.
 */
#include "io/port.h"
#include "io/tcp_connection.h"
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
        cr_assert_eq(sums[i] > 0, ((const uint32_t *)&tr_sim_rough)[i] > 0, "fault %u", i);
}

/* ---- what was found ---------------------------------------------------------------------------------------------- */

/* A read operation was submitted while it was still in the port's list of those that wait for memory, which is linked
 * through it: the list was cut, or led into the mailbox. Such seeds of the cast crashed; where they are does not stay. */
Test(sim_seeds, connections_that_waited_for_memory_read_on)
{
    for (uint64_t seed = 1; seed <= scaled(40, 2000); seed++) {
        tr_sim_result result;
        tr_sim_options options = cast_options(CAST_SAFETY, 200);
        options.faults.out_of_memory = 30000;
        cr_assert_eq(cast_run_with(seed, &options, ROUNDS, &result), 0, "%s", result.what);
    }
}

struct waiter {
    tr_ref connection;
};

static int waiter_start(tr_self *self, void *state, const void *arg)
{
    struct waiter *me = state;
    (void)arg;
    int error = tr_tcp_listen(self, NULL, "127.0.0.1:7");
    return error ? error : tr_tcp_connect(self, &me->connection, "127.0.0.1:7");
}

static int waiter_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct waiter *me = state;
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_own(self, tr_body(tr_tcp_accepted, m)->connection, tr_me(self));
    if (tr_is(tr_tcp_connected, m) && tr_ref_eq(m->from, me->connection)) {
        tr_tcp_window(self, me->connection, 0);
        tr_after(self, TR_MS(20), 1);
    }
    if (!tr_is(tr_timeout, m))
        return TR_CONTINUE;
    struct tri_io_port *port = tri_io_port(self->worker);
    struct tri_slot *slot = tri_slot_at(tri_ref_slot(me->connection));
    struct tri_op *read = &((struct tri_tcp *)slot->state)->end.read;
    if (tr_body(tr_timeout, m)->tag == 1) { /* as if it had had no memory to say something */
        TR_ALWAYS(read->state == TRI_OP_IDLE);
        tri_port_wait_for_memory(port, slot, read);
        tr_tcp_window(self, me->connection, 65536);
        tr_after(self, TR_US(10), 2);
        return TR_CONTINUE;
    }
    TR_ALWAYS(read->state == TRI_OP_IN_FLIGHT);
    TR_ALWAYS(port->hungry == NULL); /* it was the only one */
    return TR_STOP;
}

Test(sim_seeds, a_connection_that_reads_waits_for_memory_no_longer)
{
    static const tr_actor waiter_actor = { TR_SPEC, .name = "waiter", .start = waiter_start, .receive = waiter_receive,
        .state_size = sizeof(struct waiter) };
    static const tr_sim_host hosts[] = { { .name = "a", .actor = &waiter_actor, .workers = 1 }, { 0 } };
    tr_sim_result result;
    for (uint64_t seed = 1; seed <= 20; seed++)
        cr_assert_eq(tr_sim_run(seed, NULL, hosts, &result), 0, "%s", result.what);
}
