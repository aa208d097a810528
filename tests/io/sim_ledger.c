/*
 * What a simulation sees of the bytes and the doings of connections: each is broken here once, from within or by a program
 * that may not do what it does, and the run says what it was.
 */
#include "io/tcp_connection.h"
#include "tests/support.h"

#include <inttypes.h>

/* Two hosts; each has one end of one connection. */
typedef int heard(tr_self *self, tr_ref *connection, const tr_msg *m);

static heard *client_hears, *server_hears;
static tr_tcp_options options_of_client;

static int end_receive(tr_self *self, void *state, const tr_msg *m, heard *hears)
{
    return hears ? hears(self, state, m) : TR_CONTINUE;
}

static int session_receive(tr_self *self, void *state, const tr_msg *m)
{
    return end_receive(self, state, m, server_hears);
}

static tr_buf *hoarded; /* by the session */

static void session_stop(tr_self *self, void *state, int reason)
{
    (void)self, (void)state, (void)reason;
    tr_buf_unref(hoarded);
    hoarded = NULL;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session_receive, .stop = session_stop,
    .state_size = sizeof(tr_ref) };

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    return tr_tcp_listen(self, NULL, "10.0.0.1:9");
}

static int server_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_serve(self, m, &session_actor, NULL);
    return TR_CONTINUE;
}

static int client_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    return tr_after(self, TR_MS(20), 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int client_receive(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(tr_timeout, m) && tr_body(tr_timeout, m)->tag == 0) {
        options_of_client.address = "10.0.0.1:9";
        return tr_tcp_connect_(self, state, &options_of_client);
    }
    return end_receive(self, state, m, client_hears);
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server_receive };
static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client_receive,
    .state_size = sizeof(tr_ref) };

static void expect_run(heard *client, heard *server, int error, const char *words)
{
    static const tr_sim_host hosts[] = {
        { .name = "server", .actor = &server_actor },
        { .name = "client", .actor = &client_actor },
        { 0 },
    };
    client_hears = client;
    server_hears = server;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        tr_sim_result result;
        int got = tr_sim_run(seed, &(tr_sim_options){ .run_ns = TR_MINUTES(10) }, hosts, &result);
        cr_assert_eq(got, error, "it ended with %s: %s; seed %" PRIu64, tr_error_name(got), result.what, seed);
        cr_assert_not_null(strstr(result.what, words), "no \"%s\" in: %s", words, result.what);
    }
}

static struct tri_tcp *state_of(tr_ref connection)
{
    return tri_slot_at(tri_ref_slot(connection))->state;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

enum { MUCH = 400000 };

static char bytes[MUCH];

static int write_much(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    (void)connection;
    if (tr_is(tr_tcp_connected, m))
        (void)tr_tcp_write(self, m->from, tr_buf_adopt(bytes, sizeof bytes, NULL, NULL));
    return TR_CONTINUE;
}

/* What a buffer holds must not change once it is written. */
static int change_what_was_written(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    bytes[MUCH - 1] = 0;
    (void)write_much(self, connection, m);
    if (tr_is(tr_tcp_connected, m))
        (void)tr_after(self, TR_US(1), 1);
    else if (tr_is(tr_timeout, m))
        bytes[MUCH - 1] = 1;
    return TR_CONTINUE;
}

static int pause_at_first(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    *connection = tr_is(tr_tcp_connected, m) ? m->from : *connection;
    if (tr_is(tr_tcp_connected, m)) {
        (void)tr_tcp_window(self, m->from, 0);
        (void)tr_after(self, TR_SECONDS(1), 1);
    } else if (tr_is(tr_timeout, m)) {
        (void)tr_tcp_window(self, *connection, 65536);
    }
    return TR_CONTINUE;
}

Test(sim_ledger, what_is_sent_and_was_not_written_is_found)
{
    expect_run(change_what_was_written, pause_at_first, TR_EFAULT, "sends something else than what was written (byte ");
}

/* It keeps the first, so more is received and waits; then that is gone, as if a delivery had not been made. */
static int lose_what_was_received(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    if (tr_is(tr_tcp_data, m)) {
        *connection = m->from;
        (void)tr_take(self, m);
        (void)tr_after(self, TR_SECONDS(1), 1);
    } else if (tr_is(tr_timeout, m)) {
        struct tri_tcp *me = state_of(*connection);
        TR_ALWAYS(me->end.read.received);
        tr_buf_unref(me->end.read.received);
        me->end.read.received = NULL;
    }
    return TR_CONTINUE;
}

Test(sim_ledger, what_was_received_and_is_lost_is_found)
{
    expect_run(write_much, lose_what_was_received, TR_EFAULT, "has lost bytes that it has received");
}

/* ---- at rest ----------------------------------------------------------------------------------------------------- */

static int write_and_close(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    (void)write_much(self, connection, m);
    if (tr_is(tr_tcp_connected, m))
        (void)tr_tcp_close(self, m->from);
    return TR_CONTINUE;
}

static int write_and_shut_down(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    (void)write_much(self, connection, m);
    if (tr_is(tr_tcp_connected, m))
        (void)tr_tcp_shutdown(self, m->from);
    return TR_CONTINUE;
}

static int stop_for_good(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    (void)connection;
    if (tr_is(tr_tcp_connected, m))
        (void)tr_tcp_window(self, m->from, 0);
    return TR_CONTINUE;
}

Test(sim_ledger, who_waits_for_ever_for_a_peer_that_does_not_read_is_found)
{
    expect_run(write_and_close, stop_for_good, TR_EDEADLK, "tcp connection #");
    expect_run(write_and_close, stop_for_good, TR_EDEADLK, "is to close, and its peer does not read");
    expect_run(write_and_shut_down, stop_for_good, TR_EDEADLK, "is to be shut down, and its peer does not read");
}

/* It keeps all that it gets. */
static int hoard(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    (void)self, (void)connection;
    if (tr_is(tr_tcp_data, m))
        hoarded = tr_buf_join(hoarded, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return TR_CONTINUE;
}

Test(sim_ledger, who_hoards_a_window_and_waits_for_more_is_found)
{
    expect_run(write_much, hoard, TR_EDEADLK, "is stalled: all of its window is held, and bytes wait");
}

/* As if a window had opened, and nobody had been told. */
static int stop_reading(tr_self *self, tr_ref *connection, const tr_msg *m)
{
    (void)stop_for_good(self, connection, m);
    *connection = tr_is(tr_tcp_connected, m) ? m->from : *connection;
    if (tr_is(tr_tcp_connected, m))
        (void)tr_after(self, TR_SECONDS(1), 1);
    else if (tr_is(tr_timeout, m))
        tri_tcp_own_settings(state_of(*connection))->window = 65536;
    return TR_CONTINUE;
}

Test(sim_ledger, who_has_room_in_its_window_and_does_not_read_is_found)
{
    expect_run(write_much, stop_reading, TR_EFAULT, "is stalled: it has room in its window, and does not read (");
}
