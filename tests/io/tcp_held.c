/* A worker is held: connections are accepted and served all the same, by those that are not. */
#include "io/tcp_accept.h"
#include "tests/io/tcp_support.h"

enum { PEERS = 20 };

/* An actor that holds the worker it is pinned to: each time another one, at another gate. */
static struct gate gates[32], *gate = gates;

static int hold(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    gate_pass(gate);
    return TR_STOP;
}

TR_SIGNAL(go);
TR_DEFINE(go);

static const tr_actor holder_actor = { TR_SPEC, .name = "holder", .receive = hold };

static int spawn_holder(tr_self *self, void *arg)
{
    int error;
    struct tri_slot *slot = tri_spawn_prepare(self, &holder_actor, NULL, *(uint16_t *)arg, &error);
    cr_assert_not_null(slot);
    tr_ref ref = tri_spawn_finish(self, slot);
    return tr_send(self, ref, go);
}

static void hold_worker(uint16_t worker)
{
    gate_init(++gate);
    cr_assert_eq(tr_probe_do(probe, spawn_holder, &worker), 0);
    gate_await(gate);
}

static uint16_t home_of(tr_ref actor)
{
    return ck_pr_load_16(&tri_slot_at(tri_ref_slot(actor))->run.home);
}

/* Says and hears something on a connection that has just been accepted. */
static void talk(tr_ref connection, int peer)
{
    act(OWN, connection, .other = tr_probe_ref(probe));
    cr_assert(tr_ref_eq(expect(tr_tcp_connected)->from, connection));
    act(WRITE, connection, .bytes = "welcome", .size = 7);
    peer_expect(peer, "welcome");
    peer_send(peer, "thanks", 6);
    expect_data(connection, "thanks");
    close(peer);
    expect(tr_tcp_eof);
    expect_closed(connection, 0);
}

static void talk_to_peers(const tr_address *address, tr_ref listener, uint16_t held)
{
    for (int i = 0; i < PEERS; i++) {
        int peer = peer_connect(address);
        const tr_tcp_accepted *a = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted));
        tr_ref connection = a->connection;
        cr_assert(tr_ref_eq(a->listener, listener));
        talk(connection, peer);
        cr_assert_neq(home_of(connection), held);
    }
}

static void serve_while_one_is_held(bool listeners_home)
{
    tr_ref listener;
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    uint16_t home = home_of(listener), held = listeners_home ? home : 1 - home;
    for (int round = 0; round < 3; round++) {
        hold_worker(held);
        talk_to_peers(&address, listener, held);
        gate_open(gate);
    }
    close_system();
}

/* Those that come before it is known that the worker is held may be given to it; then they move. */
Test(tcp_held, connections_are_served_while_another_worker_than_the_listeners_is_held)
{
    serve_while_one_is_held(false);
}

Test(tcp_held, connections_are_accepted_and_served_while_the_listeners_worker_is_held)
{
    if (tri_sockets_of_system.accept_one) /* docs/support.md says where */
        serve_while_one_is_held(true);
}

Test(tcp_held, a_listener_that_is_closed_while_its_worker_is_held_is_closed_then)
{
    tr_ref listener;
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    char text[TR_ADDRESS_TEXT];
    tr_address_text(&address, text);
    hold_worker(home_of(listener));
    act(CLOSE, listener);
    gate_open(gate);
    expect_closed(listener, 0);
    listener = listen_on(text);
    expect(tr_tcp_listening);
    int peer = peer_connect(&address);
    talk(tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection, peer);
    close_system();
}

Test(tcp_held, a_listener_can_end_while_its_doors_are_being_watched)
{
    for (int i = 0; i < 20; i++) {
        tr_ref listener;
        open_system(2);
        tr_address address = listen_somewhere(&listener, NULL);
        hold_worker(home_of(listener));
        int peer = peer_connect(&address);
        if (i % 2)
            act(KILL, listener);
        else
            act(CLOSE, listener);
        gate_open(gate);
        close_system(); /* which finds whatever is left */
        close(peer);
    }
}

/* ---- an actor with a thread of its own ----------------------------------------------------------------------------- */

static char server[TR_ADDRESS_TEXT];
static tr_ref connection_of_its_own;

static int call(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_tcp_connect(self, &connection_of_its_own, server);
}

static int echo(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor caller_actor = { TR_SPEC, .name = "caller", .start = call, .receive = echo, .thread = true };

static int spawn_caller(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_spawn(self, &caller_actor, NULL));
}

Test(tcp_held, the_connections_of_an_actor_with_a_thread_of_its_own_are_served_there)
{
    tr_ref listener;
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    tr_address_text(&address, server);
    cr_assert_eq(tr_probe_do(probe, spawn_caller, NULL), 0);
    tr_ref connection = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection;
    act(OWN, connection, .other = tr_probe_ref(probe));
    expect(tr_tcp_connected);
    act(WRITE, connection, .bytes = "hello", .size = 5);
    expect_data(connection, "hello");
    cr_assert_eq(home_of(connection_of_its_own), 2);
    close_system();
}
