/* Running programs in a simulation. */
#include "tests/support.h"

#include "sched/clock.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <troupe/troupe.h>

/* ---- a server that echoes, and clients that send a text and want it back ---------------------------------------- */

static int session_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session_receive };

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    if (tr_tcp_listen(self, NULL, "*:7") != 0)
        tr_after(self, TR_MS(10), 0);
    return TR_CONTINUE;
}

static int server_receive(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_serve(self, m, &session_actor, NULL);
    return tr_is(tr_timeout, m) ? server_start(self, state, NULL) : TR_CONTINUE;
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server_receive };

struct client_arg {
    const char *address;
    size_t bytes;
    int64_t keepalive_ns;
    int reason;    /* that the connection is to end with */
    int64_t pause; /* before it sends */
};

struct client {
    struct client_arg arg;
    size_t got;
    tr_ref connection;
};

static int client_start(tr_self *self, void *state, const void *arg)
{
    struct client *me = state;
    me->arg = *(const struct client_arg *)arg;
    return tr_tcp_connect(self, &me->connection, me->arg.address, .keepalive_ns = me->arg.keepalive_ns);
}

static void client_send(tr_self *self, struct client *me)
{
    char bytes[1000];
    for (size_t i = 0; i < me->arg.bytes; i += sizeof bytes) {
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)(k % 251);
        tr_tcp_write_copy(self, me->connection, bytes, sizeof bytes);
    }
}

static void check_byte(struct client *me, unsigned char byte)
{
    TR_ALWAYS(byte == me->got % 1000 % 251);
    me->got++;
}

static int client_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (tr_is(tr_tcp_connected, m) && me->arg.pause)
        tr_after(self, me->arg.pause, 0);
    else if (tr_is(tr_tcp_connected, m) || tr_is(tr_timeout, m))
        client_send(self, me);
    if (tr_is(tr_tcp_data, m))
        for (const tr_buf *part = tr_body(tr_tcp_data, m)->buf; part; part = tr_buf_next(part))
            for (size_t i = 0; i < tr_buf_length(part); i++)
                check_byte(me, ((const unsigned char *)tr_buf_bytes(part))[i]);
    if (me->got == me->arg.bytes && tr_is(tr_tcp_data, m))
        tr_tcp_close(self, me->connection);
    if (tr_is(tr_tcp_failed, m))
        return tr_body(tr_tcp_failed, m)->reason == me->arg.reason ? TR_STOP : tr_body(tr_tcp_failed, m)->reason;
    if (!tr_is(tr_tcp_closed, m))
        return TR_CONTINUE;
    int reason = tr_body(tr_tcp_closed, m)->reason;
    return reason == me->arg.reason && (reason || me->got == me->arg.bytes) ? TR_STOP : reason ? reason : TR_EPROTO;
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client_receive,
    .state_size = sizeof(struct client), .arg_size = sizeof(struct client_arg) };

static int run(uint64_t seed, const tr_sim_options *options, const struct client_arg *arg, tr_sim_result *result)
{
    const tr_sim_host hosts[] = {
        { .name = "server", .actor = &server_actor },
        { .name = "client", .actor = &client_actor, .arg = arg },
        { 0 },
    };
    return tr_sim_run(seed, options, hosts, result);
}

static const struct client_arg hundred = { .address = "10.0.0.1:7", .bytes = 100000 };

Test(sim_run, two_hosts_talk_and_virtual_time_costs_nothing)
{
    tr_sim_result result;
    const struct client_arg arg = { .address = "10.0.0.1:7", .bytes = 100000, .pause = TR_HOURS(24 * 365) };
    cr_assert_eq(run(1, NULL, &arg, &result), 0, "%s", result.what);
    cr_assert_geq(result.virtual_ns, TR_HOURS(24 * 365));
    cr_assert(result.quiet);
    cr_assert_gt(result.messages, 10);
}

Test(sim_run, the_same_seed_is_the_same_run_and_another_is_another)
{
    tr_sim_result first, second, other;
    tr_sim_options options = { .faults = tr_sim_rough, .roots_may_fail = true, .run_ns = TR_MINUTES(10) };
    run(42, &options, &hundred, &first);
    run(43, &options, &hundred, &other);
    run(42, &options, &hundred, &second);
    cr_assert_eq(first.hash, second.hash);
    cr_assert_eq(first.turns, second.turns);
    cr_assert_eq(first.virtual_ns, second.virtual_ns);
    cr_assert_neq(first.hash, other.hash);
}

Test(sim_run, an_address_that_nobody_has_or_listens_at_is_told_from_a_host_that_is_cut_off)
{
    tr_sim_result result;
    struct client_arg arg = { .address = "10.0.0.1:8", .reason = TR_ECONNREFUSED };
    cr_assert_eq(run(1, NULL, &arg, &result), 0, "%s", result.what);
    arg = (struct client_arg){ .address = "10.9.9.9:7", .reason = TR_ENETUNREACH };
    cr_assert_eq(run(1, NULL, &arg, &result), 0, "%s", result.what);
}

/* ---- cutting, healing, dead peers --------------------------------------------------------------------------------- */

struct cutter_arg {
    int64_t cut, heal;
};

static int cutter_start(tr_self *self, void *state, const void *arg)
{
    *(struct cutter_arg *)state = *(const struct cutter_arg *)arg;
    tr_after(self, ((const struct cutter_arg *)arg)->cut, 1);
    tr_after(self, ((const struct cutter_arg *)arg)->heal, 2);
    return TR_CONTINUE;
}

static int cutter_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_body(tr_timeout, m)->tag == 1) {
        tr_sim_cut(self, "server", "client");
        return TR_CONTINUE;
    }
    tr_sim_heal(self, "client", "server");
    return TR_STOP;
}

static const tr_actor cutter_actor = { TR_SPEC, .name = "cutter", .start = cutter_start, .receive = cutter_receive,
    .state_size = sizeof(struct cutter_arg), .arg_size = sizeof(struct cutter_arg) };

static int run_cut(const struct client_arg *arg, const struct cutter_arg *cut, tr_sim_result *result)
{
    const tr_sim_host hosts[] = {
        { .name = "server", .actor = &server_actor },
        { .name = "client", .actor = &client_actor, .arg = arg },
        { .name = "cutter", .actor = &cutter_actor, .arg = cut },
        { 0 },
    };
    return tr_sim_run(1, NULL, hosts, result);
}

Test(sim_run, hosts_that_lose_each_other_for_a_while_lose_no_byte)
{
    tr_sim_result result;
    struct client_arg arg = { .address = "10.0.0.1:7", .bytes = 100000, .pause = TR_MS(100) };
    cr_assert_eq(run_cut(&arg, &(struct cutter_arg){ TR_MS(102), TR_SECONDS(30) }, &result), 0, "%s", result.what);
    cr_assert_gt(result.virtual_ns, TR_SECONDS(30));
}

Test(sim_run, a_sender_that_hears_nothing_for_long_gives_up)
{
    tr_sim_result result;
    struct client_arg arg = { .address = "10.0.0.1:7", .bytes = 1000, .pause = TR_MS(100), .reason = TR_ETIMEDOUT };
    cr_assert_eq(run_cut(&arg, &(struct cutter_arg){ TR_MS(50), TR_HOURS(1) }, &result), 0, "%s", result.what);
    arg.pause = 0;
    cr_assert_eq(run_cut(&arg, &(struct cutter_arg){ 0, TR_HOURS(1) }, &result), 0, "%s", result.what);
}

Test(sim_run, keepalive_notices_a_peer_that_is_gone_though_nothing_is_sent)
{
    tr_sim_result result;
    struct client_arg arg = { .address = "10.0.0.1:7",
        .bytes = 1000,
        .pause = TR_HOURS(2),
        .reason = TR_ETIMEDOUT,
        .keepalive_ns = TR_SECONDS(60) };
    cr_assert_eq(run_cut(&arg, &(struct cutter_arg){ TR_MS(50), TR_MINUTES(30) }, &result), 0, "%s", result.what);
    cr_assert_lt(result.virtual_ns, TR_MINUTES(31));
}

/* ---- what goes wrong is named --------------------------------------------------------------------------------------- */

Test(sim_run, bad_options_and_hosts_are_refused_by_name)
{
    tr_sim_result result;
    struct {
        tr_sim_options options;
        const char *what;
    } bad[] = {
        { { .run_ns = -1 }, "a time is negative: -1" },
        { { .latency_min_ns = 5, .latency_max_ns = 4 }, "a latency of 5 to 4 ns" },
        { { .settle_ns = 5 }, "settle_ns" },
        { { .faults.reset = 1000001 }, "\"reset\" is 1000001" },
        { { .scripts = (const tr_sim_script[]){ { .address = "nowhere" }, { 0 } } }, "\"nowhere\"" },
        { { .trace = "/nowhere/at/all" }, "\"/nowhere/at/all\"" },
    };
    capture_log(TR_LOG_WARNING);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(run(1, &bad[i].options, &hundred, &result), TR_EINVAL, "%zu", i);
        cr_assert(strstr(result.what, bad[i].what), "%zu: %s", i, result.what);
    }
    const tr_sim_host hosts[][2] = {
        { { .name = "rootless" } },
        { { .name = "lost", .actor = &server_actor, .address = "10.0.0" } },
        { { .name = "crowded", .actor = &server_actor, .workers = 17 } },
        { { 0 } },
    };
    const char *names[] = { "\"rootless\"", "\"lost\" (10.0.0)", "\"crowded\"", "no host" };
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(tr_sim_run(1, NULL, hosts[i], &result), TR_EINVAL, "%zu", i);
        cr_assert(strstr(result.what, names[i]), "%zu: %s", i, result.what);
    }
}

Test(sim_run, faults_are_set_by_name_and_unknown_names_are_refused)
{
    tr_sim_faults faults = { 0 };
    capture_log(TR_LOG_WARNING);
    cr_assert_eq(tr_sim_fault(&faults, "short_read", 1000000), 0);
    cr_assert_eq(faults.short_read, 1000000);
    cr_assert_eq(tr_sim_fault(&faults, "gremlin", 5), TR_EINVAL);
    expect_logged("\"gremlin\"");
    cr_assert_eq(tr_sim_fault(&faults, "late", 1000001), TR_EINVAL);
    expect_logged("\"late\" is 1000001");
    cr_assert_eq(faults.late, 0);
    cr_assert_eq(tr_sim_fault(&faults, "all", 7), 0);
    cr_assert(faults.late == 7 && faults.stall == 7 && faults.listen_error == 7);
}

static int falls_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_after(self, TR_MS(5), 0);
    return TR_CONTINUE;
}

static int falls_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    TR_ALWAYS(!tr_is(tr_timeout, m));
    return TR_CONTINUE;
}

static const tr_actor falls_actor = { TR_SPEC, .name = "falls", .start = falls_start, .receive = falls_receive };

Test(sim_run, what_is_always_so_and_is_not_ends_the_run_with_place_actor_and_seed)
{
    tr_sim_result result;
    const tr_sim_host hosts[] = { { .name = "one", .actor = &falls_actor }, { 0 } };
    cr_assert_eq(tr_sim_run(99, NULL, hosts, &result), TR_EFAULT);
    cr_assert(strstr(result.what, "sim_run.c:"), "%s", result.what);
    cr_assert(strstr(result.what, "!tr_is(tr_timeout, m)"), "%s", result.what);
    cr_assert(strstr(result.what, "(falls)"), "%s", result.what);
    cr_assert(strstr(result.what, "seed 99"), "%s", result.what);
}

static int sometimes_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    TR_SOMETIMES(tr_is(tr_timeout, m));
    TR_SOMETIMES(tr_is(tr_tcp_data, m));
    return TR_STOP;
}

static void count_reached(const tr_check *check, void *arg)
{
    int *reached = arg;
    if (strstr(check->text, "tr_timeout"))
        reached[0] += (int)check->reached;
    if (strstr(check->text, "tr_tcp_data"))
        reached[1] += 10 + (int)check->reached;
}

Test(sim_run, what_was_sometimes_so_and_what_never_was_is_known)
{
    static const tr_actor actor = { TR_SPEC, .name = "some", .start = falls_start, .receive = sometimes_receive };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    int reached[2] = { 0 };
    cr_assert_eq(tr_sim_run(1, NULL, hosts, NULL), 0);
    tr_checks(count_reached, reached);
    cr_assert_eq(reached[0], 1);
    cr_assert_eq(reached[1], 10);
}

static int buggy_receive(tr_self *self, void *state, const tr_msg *m)
{
    int *n = state;
    (void)m;
    for (int i = 0; i < 100; i++)
        *n += TR_BUGGIFY();
    TR_SOMETIMES(*n > 0);
    return *n ? TR_EPROTO : (tr_shutdown(self), TR_CONTINUE);
}

Test(sim_run, a_buggify_fires_in_some_runs_and_in_these_sometimes)
{
    static const tr_actor actor = { TR_SPEC, .name = "buggy", .start = falls_start, .receive = buggy_receive,
        .state_size = sizeof(int) };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    int fired = 0;
    for (uint64_t seed = 1; seed <= 200; seed++)
        fired += tr_sim_run(seed, NULL, hosts, NULL) == TR_EPROTO;
    cr_assert(fired > 20 && fired < 80, "%d", fired);
    for (uint64_t seed = 1; seed <= 50; seed++)
        cr_assert_eq(tr_sim_run(seed, &(tr_sim_options){ .buggify = TR_SIM_NEVER }, hosts, NULL), 0);
}

static int waits_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_ref other = tr_spawn(self, &session_actor, NULL);
    tr_exit(self, other, 0);
    return TR_CONTINUE;
}

static int endless_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    tr_after(self, 0, 0);
    return TR_CONTINUE;
}

Test(sim_run, a_program_that_never_ends_is_ended_by_the_most_steps_or_by_time)
{
    static const tr_actor actor = { TR_SPEC, .name = "endless", .start = falls_start, .receive = endless_receive };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    tr_sim_result result;
    cr_assert_eq(tr_sim_run(1, &(tr_sim_options){ .steps = 5000 }, hosts, &result), TR_ELIMIT);
    cr_assert(strstr(result.what, "5000 steps"), "%s", result.what);
    cr_assert_eq(tr_sim_run(1, &(tr_sim_options){ .run_ns = TR_MS(100) }, hosts, &result), 0, "%s", result.what);
    cr_assert_geq(result.virtual_ns, TR_MS(100));
}

Test(sim_run, liveness_is_judged_after_the_healing)
{
    static const tr_actor actor = { TR_SPEC, .name = "idle", .start = waits_start, .receive = session_receive };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    tr_sim_result result;
    tr_sim_options options = { .faults = tr_sim_rough, .heal_ns = TR_SECONDS(1), .settle_ns = TR_SECONDS(1) };
    cr_assert_eq(tr_sim_run(1, &options, hosts, &result), TR_ETIMEDOUT);
    cr_assert(strstr(result.what, "not all roots have ended"), "%s", result.what);
}

/* ---- what only the real world has ------------------------------------------------------------------------------------ */

static _Atomic uint64_t target;
static _Atomic int post_result;

static void *post_from_outside(void *arg)
{
    (void)arg;
    atomic_store(&post_result, tr_post((tr_ref){ atomic_load(&target) }, tr_timeout));
    return NULL;
}

static int host_start(tr_self *self, void *state, const void *arg)
{
    pthread_t thread;
    (void)state;
    (void)arg;
    atomic_store(&target, tr_me(self).bits);
    cr_assert_eq(pthread_create(&thread, NULL, post_from_outside, NULL), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(tr_tcp_adopt(self, NULL, 12345), TR_ENOTSUP);
    return TR_STOP;
}

Test(sim_run, other_threads_and_real_descriptors_are_refused_by_name)
{
    static const tr_actor actor = { TR_SPEC, .name = "host", .start = host_start, .receive = session_receive };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    capture_log(TR_LOG_WARNING);
    cr_assert_eq(tr_sim_run(1, NULL, hosts, NULL), 0);
    cr_assert_eq(atomic_load(&post_result), TR_ENOTSUP);
    expect_logged("tr_post of a tr_timeout: a simulation has no other threads");
    expect_logged("descriptor 12345: a simulation has no descriptors of the system");
}

static void post_as_a_thread(void *arg)
{
    *(int *)arg = tr_post((tr_ref){ atomic_load(&target) }, tr_timeout, .tag = 5);
}

static int posted_start(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    *(int *)state = 1;
    atomic_store(&target, tr_me(self).bits);
    return tr_sim_thread(self, TR_SECONDS(3), post_as_a_thread, state);
}

static int posted_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    cr_assert_eq(*(int *)state, 0);
    cr_assert_eq(tr_body(tr_timeout, m)->tag, 5);
    cr_assert(tr_ref_is_nobody(m->from));
    return TR_STOP;
}

Test(sim_run, something_stands_in_for_a_thread_that_posts)
{
    static const tr_actor actor = { TR_SPEC, .name = "posted", .start = posted_start, .receive = posted_receive,
        .state_size = sizeof(int) };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    tr_sim_result result;
    cr_assert_eq(tr_sim_run(1, NULL, hosts, &result), 0, "%s", result.what);
    cr_assert_geq(result.virtual_ns, TR_SECONDS(3));
}

static int rude_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    expect_logged("the simulation's only thread is held by actor rude"); /* while we hold it */
    return TR_STOP;
}

Test(sim_run, a_handler_that_blocks_the_only_thread_is_named)
{
    static const tr_actor actor = { TR_SPEC, .name = "rude", .start = rude_start, .receive = session_receive };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor }, { 0 } };
    capture_log(TR_LOG_WARNING);
    cr_assert_eq(tr_sim_run(1, NULL, hosts, NULL), 0);
}

Test(sim_run, a_simulation_is_alone_in_its_process)
{
    static const tr_actor idle = { TR_SPEC, .name = "idle", .receive = session_receive };
    tr_system system = { 0 };
    tr_sim_result result;
    capture_log(TR_LOG_WARNING);
    cr_assert_eq(tr_open(&system, &(tr_options){ .actor = &idle, .workers = 1 }), 0);
    cr_assert_eq(run(1, NULL, &hundred, &result), TR_EBUSY);
    cr_assert_eq(tr_close(&system), 0);
    cr_assert_eq(run(1, NULL, &hundred, &result), 0);
}

static void *look_at_the_wall_clock(void *stop)
{
    int64_t least = INT64_MAX;
    while (!atomic_load((atomic_bool *)stop)) {
        int64_t wall = tri_clock_wall();
        least = wall < least ? wall : least;
    }
    return (void *)(intptr_t)(least > TR_HOURS(24 * 365 * 50)); /* virtual time begins in 1970 */
}

Test(sim_run, other_threads_have_the_real_wall_clock_while_simulations_come_and_go)
{
    atomic_bool stop = false;
    pthread_t thread;
    void *real;
    cr_assert_eq(pthread_create(&thread, NULL, look_at_the_wall_clock, &stop), 0);
    for (uint64_t seed = 0; seed < 30; seed++)
        cr_assert_eq(run(seed, NULL, &hundred, NULL), 0);
    atomic_store(&stop, true);
    pthread_join(thread, &real);
    cr_assert(real != NULL);
}

/* ---- blocking jobs, tr_run, hosts' limits -------------------------------------------------------------------------- */

static int add_job(void *arg)
{
    return ++*(int *)arg; /* on the simulation's thread */
}

static int blocker_start(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    return tr_block(self, add_job, state, .drop = NULL).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int blocker_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    cr_assert(tr_is(tr_blocked, m));
    cr_assert_eq(tr_body(tr_blocked, m)->result, 1);
    cr_assert_eq(*(int *)state, 1);
    return TR_STOP;
}

static const tr_actor blocker_actor = { TR_SPEC, .name = "blocker", .start = blocker_start, .receive = blocker_receive,
    .state_size = sizeof(int) };

Test(sim_run, a_blocking_job_runs_after_a_delay_of_virtual_time)
{
    const tr_sim_host hosts[] = { { .name = "one", .actor = &blocker_actor }, { 0 } };
    tr_sim_result result;
    cr_assert_eq(tr_sim_run(1, NULL, hosts, &result), 0, "%s", result.what);
    cr_assert_gt(result.virtual_ns, 0);
}

Test(sim_run, tr_run_runs_a_program_as_it_is_on_the_port_sim)
{
    tr_system system = { 0 };
    cr_assert_eq(tr_run(&(tr_options){ .actor = &blocker_actor, .port = "sim", .seed = 5, .system = &system }), 0);
    cr_assert_eq(tr_run(&(tr_options){ .actor = &server_actor, .port = "sim", .seed = 5 }), 0);
    capture_log(TR_LOG_WARNING);
    cr_assert_eq(tr_open(&system, &(tr_options){ .actor = &server_actor, .port = "sim" }), TR_ENOTSUP);
    expect_logged("tr_open is not");
}

static int opener_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    cr_assert_eq(tr_tcp_listen(self, NULL, "0.0.0.0:1"), 0);
    cr_assert_eq(tr_tcp_listen(self, NULL, "0.0.0.0:1"), TR_EADDRINUSE);
    cr_assert_eq(tr_tcp_listen(self, NULL, "10.0.0.2:1"), TR_EADDRNOTAVAIL);
    cr_assert_eq(tr_tcp_listen(self, NULL, "0.0.0.0:2"), 0);
    cr_assert_eq(tr_tcp_listen(self, NULL, "0.0.0.0:3"), TR_EMFILE);
    return TR_STOP;
}

Test(sim_run, a_host_has_as_many_descriptors_as_it_was_given_and_its_own_addresses)
{
    static const tr_actor actor = { TR_SPEC, .name = "opener", .start = opener_start, .receive = session_receive };
    const tr_sim_host hosts[] = { { .name = "one", .actor = &actor, .descriptors = 2 }, { 0 } };
    tr_sim_result result;
    capture_log(TR_LOG_WARNING);
    cr_assert_eq(tr_sim_run(1, NULL, hosts, &result), 0, "%s", result.what);
}

/* ---- a descriptor goes out of one connection and into another -------------------------------------------------------- */

struct mover {
    tr_ref connection;
    int moves;
};

static int mover_start(tr_self *self, void *state, const void *arg)
{
    struct mover *me = state;
    (void)arg;
    return tr_tcp_connect(self, &me->connection, "10.0.0.1:7");
}

static int mover_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct mover *me = state;
    if (tr_is(tr_tcp_connected, m) && me->moves++ < 3)
        tr_tcp_detach(self, m->from, TR_SECONDS(1));
    else if (tr_is(tr_tcp_connected, m))
        tr_tcp_write_copy(self, m->from, "x", 1);
    if (tr_is(tr_tcp_detached, m))
        cr_assert_eq(tr_tcp_adopt(self, &me->connection, tr_tcp_descriptor(m)), 0);
    if (tr_is(tr_tcp_data, m))
        tr_tcp_close(self, m->from);
    return tr_is(tr_tcp_closed, m) && me->moves == 4 ? TR_STOP : TR_CONTINUE;
}

Test(sim_run, a_descriptor_that_was_taken_back_can_be_adopted_again)
{
    static const tr_actor actor = { TR_SPEC, .name = "mover", .start = mover_start, .receive = mover_receive,
        .state_size = sizeof(struct mover) };
    const tr_sim_host hosts[] = { { .name = "server", .actor = &server_actor }, { .name = "mover", .actor = &actor }, { 0 } };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tr_sim_result result;
        cr_assert_eq(tr_sim_run(seed, NULL, hosts, &result), 0, "%s", result.what);
    }
}

/* ---- a child without a state --------------------------------------------------------------------------------------- */

static struct {
    int starts, handled;
} plain;

static int plain_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    cr_assert_eq(arg ? *(const int *)arg : 7, 7);
    plain.starts++;
    return TR_CONTINUE;
}

static int plain_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    if (++plain.handled == 10)
        tr_shutdown(self);
    return plain.handled == 1 ? TR_ECRASHED : TR_CONTINUE;
}

TR_SIGNAL(go);
TR_DEFINE(go);

static int teller_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    for (int i = 0; i < 10; i++)
        tr_send(self, tr_whereis(self, "plain"), go);
    return TR_CONTINUE;
}

Test(sim_run, a_child_without_a_state_that_is_started_again_has_its_argument_and_its_mailbox)
{
    capture_log(TR_LOG_ERROR);
    static const tr_actor plain_actors[] = {
        { TR_SPEC, .name = "plain", .start = plain_start, .receive = plain_receive },
        { TR_SPEC, .name = "plain", .start = plain_start, .receive = plain_receive, .arg_size = sizeof(int) },
    };
    static const tr_actor teller_actor = { TR_SPEC, .name = "teller", .start = teller_start, .receive = session_receive };
    static const int seven = 7;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const tr_child children[] = { { .actor = &plain_actors[seed % 2], .arg = &seven, .name = "plain" },
            { .actor = &teller_actor } };
        const tr_supervisor table = { TR_SUPERVISOR, .name = "table", .children = children, .count = 2 };
        const tr_sim_host hosts[] = { { .name = "one", .supervisor = &table }, { 0 } };
        tr_sim_result result;
        plain.starts = plain.handled = 0;
        cr_assert_eq(tr_sim_run(seed, NULL, hosts, &result), 0, "%s", result.what);
        cr_assert_eq(plain.starts, 2);
        cr_assert_eq(plain.handled, 10);
    }
}
