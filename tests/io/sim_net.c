/* What the simulated network has of a real one besides bytes: addresses that are in use, hosts that crash, ways that are cut
 * in one direction, clocks that differ, and bandwidth. */
#include "tests/support.h"

#include <inttypes.h>

/* A server that echoes, and counts what it has been sent; each of its lives anew. */
static unsigned lives;
static uint64_t received;

static int session_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m)) {
        received += tr_buf_size(tr_body(tr_tcp_data, m)->buf);
        (void)tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    }
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session_receive };

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    lives++;
    return tr_tcp_listen(self, NULL, "10.0.0.1:9");
}

static int server_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_serve(self, m, &session_actor, NULL);
    return TR_CONTINUE;
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server_receive };

static int run_with(uint64_t seed, const tr_actor *client, const tr_sim_options *options, tr_sim_result *result)
{
    const tr_sim_host hosts[] = {
        { .name = "server", .actor = &server_actor },
        { .name = "client", .actor = client },
        { 0 },
    };
    lives = 0;
    received = 0;
    tr_sim_options all = options ? *options : (tr_sim_options){ 0 };
    all.run_ns = all.run_ns ? all.run_ns : TR_MINUTES(10);
    return tr_sim_run(seed, &all, hosts, result);
}

static int64_t began;

static int begin_soon(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    began = tr_now(self);
    return tr_after(self, TR_MS(20), 1).bits ? TR_CONTINUE : TR_ENOMEM;
}

#define CLIENT(what, how) \
    { \
        TR_SPEC, .name = what, .start = begin_soon, .receive = how, .state_size = sizeof(struct client) \
    }

struct client {
    tr_ref connection;
    unsigned step;
};

static bool is_timer(const tr_msg *m, uint64_t tag)
{
    return tr_is(tr_timeout, m) && tr_body(tr_timeout, m)->tag == tag;
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static int outcomes[5];

static int connect_from(tr_self *self, struct client *me)
{
    return tr_tcp_connect(self, &me->connection, "10.0.0.1:9", .local = "10.0.0.2:5000");
}

static int address_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    tr_ref first = me->connection;
    if (is_timer(m, 1)) {
        outcomes[0] = connect_from(self, me);
    } else if (tr_is(tr_tcp_connected, m) && me->step++ == 0) {
        outcomes[1] = connect_from(self, me); /* while there is one */
        (void)tr_tcp_close(self, first);
        tr_after(self, TR_SECONDS(50), 2);
        tr_after(self, TR_SECONDS(70), 3);
    } else if (is_timer(m, 2)) {
        outcomes[2] = connect_from(self, me); /* it has ended the stream first */
    } else if (is_timer(m, 3)) {
        outcomes[3] = connect_from(self, me);
    } else if (tr_is(tr_tcp_connected, m)) {
        (void)tr_tcp_abort(self, m->from);
    } else if (tr_is(tr_tcp_closed, m) && me->step == 2) {
        outcomes[4] = connect_from(self, me); /* a reset leaves nothing behind */
        return TR_STOP;
    }
    return TR_CONTINUE;
}

Test(sim_net, an_address_is_in_use_while_its_connection_is_and_for_a_while_after)
{
    static const tr_actor client = CLIENT("client", address_receive);
    static const int expected[5] = { 0, TR_EADDRINUSE, TR_EADDRINUSE, 0, 0 };
    tr_sim_result result;
    capture_log(TR_LOG_ERROR);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        memset(outcomes, 1, sizeof outcomes);
        cr_assert_eq(run_with(seed, &client, NULL, &result), 0, "%s", result.what);
        for (int i = 0; i < 5; i++)
            cr_assert_eq(outcomes[i], expected[i], "%d: %d; seed %" PRIu64, i, outcomes[i], seed);
    }
}

/* ---- a host that crashes ----------------------------------------------------------------------------------------- */

static unsigned resets, echoes;

/* Writes a byte each second; when its connection is gone it connects again. */
static int steady_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (is_timer(m, 1) || tr_is(tr_tcp_failed, m)) {
        (void)tr_tcp_connect(self, &me->connection, "10.0.0.1:9");
    } else if (tr_is(tr_tcp_connected, m)) {
        (void)tr_tcp_write_copy(self, m->from, "x", 1);
    } else if (tr_is(tr_tcp_data, m)) {
        echoes++;
        if (me->step++ == 5)
            tr_sim_crash(self, "server", TR_SECONDS(30));
        tr_after(self, TR_SECONDS(1), 2);
        return me->step == 10 ? TR_STOP : TR_CONTINUE;
    } else if (is_timer(m, 2)) {
        (void)tr_tcp_write_copy(self, me->connection, "x", 1);
    } else if (tr_is(tr_tcp_closed, m)) {
        resets += tr_body(tr_tcp_closed, m)->reason == TR_ECONNRESET;
        tr_after(self, TR_SECONDS(1), 1);
    }
    return TR_CONTINUE;
}

Test(sim_net, a_host_that_crashes_says_nothing_and_begins_anew)
{
    static const tr_actor client = CLIENT("client", steady_receive);
    tr_sim_result result, again;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        resets = echoes = 0;
        cr_assert_eq(run_with(seed, &client, NULL, &result), 0, "%s", result.what);
        cr_assert_eq(lives, 2);
        cr_assert_eq(resets, 1);
        cr_assert_eq(echoes, 10);
        cr_assert_geq(result.virtual_ns, TR_SECONDS(30));
        cr_assert_eq(run_with(seed, &client, NULL, &again), 0, "%s", again.what);
        cr_assert_eq(again.hash, result.hash);
    }
}

static int only_listens(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (is_timer(m, 1))
        (void)tr_tcp_connect(self, &me->connection, "10.0.0.1:9", .keepalive_ns = TR_SECONDS(5));
    if (tr_is(tr_tcp_connected, m))
        tr_sim_crash(self, "server", TR_SECONDS(7));
    if (!tr_is(tr_tcp_closed, m))
        return TR_CONTINUE;
    TR_ALWAYS(tr_body(tr_tcp_closed, m)->reason == TR_ECONNRESET);
    return TR_STOP;
}

Test(sim_net, who_only_reads_hears_of_a_crash_by_keepalive)
{
    static const tr_actor client = CLIENT("client", only_listens);
    tr_sim_result result;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        cr_assert_eq(run_with(seed, &client, NULL, &result), 0, "%s", result.what);
        cr_assert_lt(result.virtual_ns, TR_SECONDS(30));
    }
}

static int hears_nothing(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (is_timer(m, 1))
        (void)tr_tcp_connect(self, &me->connection, "10.0.0.1:9");
    if (tr_is(tr_tcp_connected, m)) {
        tr_sim_crash(self, "server", TR_SECONDS(7));
        tr_after(self, TR_MINUTES(5), 2);
    }
    TR_ALWAYS(!tr_is(tr_tcp_closed, m));
    return is_timer(m, 2) ? TR_STOP : TR_CONTINUE;
}

Test(sim_net, who_only_reads_and_has_no_keepalive_hears_nothing_of_a_crash)
{
    static const tr_actor client = CLIENT("client", hears_nothing);
    tr_sim_result result;
    for (uint64_t seed = 1; seed <= 20; seed++)
        cr_assert_eq(run_with(seed, &client, NULL, &result), 0, "%s", result.what);
    cr_assert_eq(lives, 2);
}

/* All the time. The client goes on until it has ten answers. */
Test(sim_net, hosts_crash_by_themselves_where_that_is_asked_for)
{
    static const tr_actor client = CLIENT("client", steady_receive);
    unsigned most = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tr_sim_result result;
        tr_sim_options options = { .faults.host_crash = 20000, .run_ns = TR_MINUTES(5) };
        cr_assert_eq(run_with(seed, &client, &options, &result), 0, "%s", result.what);
        most = lives > most ? lives : most;
    }
    cr_assert_gt(most, 2);
}

/* ---- one way ----------------------------------------------------------------------------------------------------- */

static int one_way_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (is_timer(m, 1))
        (void)tr_tcp_connect(self, &me->connection, "10.0.0.1:9");
    if (tr_is(tr_tcp_connected, m)) {
        tr_sim_cut_one_way(self, "server", "client");
        (void)tr_tcp_write_copy(self, m->from, "hello", 5);
        tr_after(self, TR_SECONDS(10), 2);
    }
    if (is_timer(m, 2)) {
        TR_ALWAYS(received == 5);
        TR_ALWAYS(me->step == 0);
        me->step = 1;
        tr_sim_heal(self, "server", "client");
    }
    if (!tr_is(tr_tcp_data, m))
        return TR_CONTINUE;
    TR_ALWAYS(me->step == 1);
    return TR_STOP;
}

Test(sim_net, what_is_cut_one_way_goes_the_other)
{
    static const tr_actor client = CLIENT("client", one_way_receive);
    tr_sim_result result;
    for (uint64_t seed = 1; seed <= 20; seed++)
        cr_assert_eq(run_with(seed, &client, NULL, &result), 0, "%s", result.what);
}

/* ---- handshakes, bandwidth, and what would have to wait -------------------------------------------------------------- */

enum { MUCH = 500000 };

static int much_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (is_timer(m, 1) || tr_is(tr_tcp_failed, m))
        (void)tr_tcp_connect(self, &me->connection, "10.0.0.1:9", .connect_ns = TR_MINUTES(2));
    if (tr_is(tr_tcp_connected, m)) {
        static char bytes[MUCH];
        began = tr_now(self);
        (void)tr_tcp_write(self, m->from, tr_buf_adopt(bytes, sizeof bytes, NULL, NULL));
    }
    if (tr_is(tr_tcp_data, m))
        me->step += (unsigned)tr_buf_size(tr_body(tr_tcp_data, m)->buf);
    if (me->step < MUCH)
        return TR_CONTINUE;
    began = tr_now(self) - began;
    return TR_STOP;
}

static const tr_actor much_client = CLIENT("client", much_receive);

Test(sim_net, a_bandwidth_is_not_exceeded)
{
    tr_sim_result result;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        tr_sim_options options = { .bandwidth = 100000 };
        cr_assert_eq(run_with(seed, &much_client, &options, &result), 0, "%s", result.what);
        cr_assert_geq(began, TR_SECONDS(5));
        cr_assert_lt(began, TR_SECONDS(20));
    }
}

Test(sim_net, lost_handshakes_cost_seconds_and_no_more)
{
    tr_sim_result result;
    int64_t most = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tr_sim_options options = { .faults.handshake = 500000 };
        cr_assert_eq(run_with(seed, &much_client, &options, &result), 0, "%s", result.what);
        most = result.virtual_ns > most ? result.virtual_ns : most;
    }
    cr_assert_gt(most, TR_SECONDS(1));
}

Test(sim_net, what_would_have_to_wait_is_tried_again)
{
    tr_sim_result result;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tr_sim_options options = { .faults = { .again = 500000, .short_write = 200000, .short_read = 200000 } };
        cr_assert_eq(run_with(seed, &much_client, &options, &result), 0, "%s", result.what);
        cr_assert_gt(result.fired.again, 10);
    }
}

/* ---- clocks ------------------------------------------------------------------------------------------------------ */

static int64_t clocks[2];

static int clock_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    clocks[*(const int *)arg] = tr_now(self);
    return tr_after(self, TR_SECONDS(5), 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int clock_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state, (void)m;
    return TR_STOP;
}

Test(sim_net, clocks_differ_and_timers_are_right)
{
    static const tr_actor clock_actor = { TR_SPEC, .name = "clock", .start = clock_start, .receive = clock_receive,
        .arg_size = sizeof(int) };
    static const int numbers[] = { 0, 1 };
    const tr_sim_host hosts[] = {
        { .name = "a", .actor = &clock_actor, .arg = &numbers[0] },
        { .name = "b", .actor = &clock_actor, .arg = &numbers[1] },
        { 0 },
    };
    int64_t most = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tr_sim_result result;
        cr_assert_eq(tr_sim_run(seed, &(tr_sim_options){ .skew_ns = TR_MINUTES(60) }, hosts, &result), 0, "%s", result.what);
        int64_t apart = clocks[0] > clocks[1] ? clocks[0] - clocks[1] : clocks[1] - clocks[0];
        most = apart > most ? apart : most;
        cr_assert_leq(apart, TR_MINUTES(60) + TR_MS(1));
        cr_assert_geq(result.virtual_ns, TR_SECONDS(5));
        cr_assert_lt(result.virtual_ns, TR_SECONDS(6));
    }
    cr_assert_gt(most, TR_MINUTES(10));
}
