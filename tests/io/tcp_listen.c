/* Listeners: addresses, accepting, spreading, and what goes wrong with them. */
#include "io/socket.h"
#include "tests/io/tcp_support.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static tr_address listening(tr_ref listener)
{
    const tr_msg *m = expect(tr_tcp_listening);
    cr_assert(tr_ref_eq(m->from, listener));
    return tr_body(tr_tcp_listening, m)->address;
}

static tr_ref accepted(tr_ref listener)
{
    const tr_tcp_accepted *a = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted));
    cr_assert(tr_ref_eq(a->listener, listener));
    return a->connection;
}

static int listen_error(const char *addresses)
{
    struct doing d = { .act = LISTEN, .listen = &(tr_tcp_listen_options){ .addresses = addresses } };
    int error = tr_probe_do(probe, do_act, &d);
    cr_assert(!error || tr_ref_is_nobody(d.who));
    return error;
}

static bool have_ipv6(void)
{
    tr_address address;
    struct sockaddr_storage storage;
    tr_address_parse("[::1]:0", &address);
    socklen_t length = tri_address_to_system(&address, &storage);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool works = fd >= 0 && bind(fd, (struct sockaddr *)&storage, length) == 0;
    if (fd >= 0)
        close(fd);
    return works;
}

static void close_listener(tr_ref listener)
{
    act(CLOSE, listener);
    expect_closed(listener, 0);
}

/* Takes the accepted connection over, and says and hears something on it. */
static void talk(tr_ref connection, int peer)
{
    act(WRITE, connection, .bytes = "welcome", .size = 7);
    peer_expect(peer, "welcome");
    peer_send(peer, "thanks", 6);
    expect_data(connection, "thanks");
    close(peer);
    expect(tr_tcp_eof);
    expect_closed(connection, 0);
}

static void greet(tr_ref connection, int peer)
{
    act(OWN, connection, .other = tr_probe_ref(probe));
    const tr_msg *m = expect(tr_tcp_connected);
    tr_address local = tri_socket_remote(peer), remote = tri_socket_local(peer);
    cr_assert(tr_ref_eq(m->from, connection));
    cr_assert(tr_address_eq(&tr_body(tr_tcp_connected, m)->local, &local));
    cr_assert(tr_address_eq(&tr_body(tr_tcp_connected, m)->remote, &remote));
    talk(connection, peer);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static int option_of(int fd, int level, int option)
{
    int value = 0; /* of which Windows may set a single byte */
    socklen_t size = sizeof value;
    cr_assert_eq(getsockopt(fd, level, option, (void *)&value, &size), 0);
    return value != 0;
}

Test(tcp_listen, what_is_accepted_has_the_options_that_were_asked_for)
{
    open_system(1);
    for (int on = 0; on < 2; on++) {
        tr_ref listener = listen_on("127.0.0.1:0", .tcp = { .delay = !on, .keepalive_ns = on ? TR_SECONDS(60) : 0 });
        tr_address address = listening(listener);
        int peer = peer_connect(&address);
        tr_ref connection = accepted(listener);
        act(OWN, connection, .other = tr_probe_ref(probe));
        expect(tr_tcp_connected);
        act(DETACH, connection);
        expect_closed(connection, 0);
        int fd = tr_tcp_descriptor(expect(tr_tcp_detached));
        cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_NODELAY), on, "TCP_NODELAY is not %d", on);
        cr_assert_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), on, "SO_KEEPALIVE is not %d", on);
        close(fd);
        close(peer);
        close_listener(listener);
    }
    close_system();
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

Test(tcp_listen, a_listener_takes_several_addresses)
{
    tr_address addresses[2];
    if (!have_ipv6())
        cr_skip_test("no IPv6 here");
    open_system(2);
    tr_ref listener = listen_on("127.0.0.1:0, [::1]:0");
    for (int i = 0; i < 2; i++)
        addresses[i] = listening(listener);
    cr_assert_eq(addresses[0].family, TR_IPV4);
    cr_assert_eq(addresses[1].family, TR_IPV6);
    for (int i = 0; i < 2; i++) {
        int peer = peer_connect(&addresses[i]);
        greet(accepted(listener), peer);
    }
    close_listener(listener);
    close_system();
}

/* B40. */
Test(tcp_listen, a_star_is_both_families_on_one_port_and_neither_takes_the_others)
{
    tr_address v4, v6, client;
    if (!have_ipv6())
        cr_skip_test("no IPv6 here");
    open_system(1);
    tr_ref listener = listen_on("*:0");
    v4 = listening(listener);
    v6 = listening(listener);
    cr_assert(v4.family == TR_IPV4 && v6.family == TR_IPV6);
    cr_assert_eq(v4.port, v6.port);
    tr_address_parse("127.0.0.1:0", &client);
    client.port = v4.port;
    int peer = peer_connect(&client);
    act(OWN, accepted(listener), .other = tr_probe_ref(probe));
    cr_assert_eq(tr_body(tr_tcp_connected, expect(tr_tcp_connected))->remote.family, TR_IPV4); /* not an IPv6 form of it */
    close(peer);
    expect(tr_tcp_eof);
    expect(tr_tcp_closed);
    close_listener(listener);
    close_system();
}

/* B40. */
Test(tcp_listen, duplicates_are_bound_once)
{
    char both[2 * TR_ADDRESS_TEXT], text[TR_ADDRESS_TEXT];
    tr_ref first;
    open_system(1);
    tr_address address = listen_somewhere(&first, NULL);
    close_listener(first);
    tr_address_text(&address, text);
    snprintf(both, sizeof both, "%s,%s", text, text);
    tr_ref listener = listen_on(both);
    tr_address got = listening(listener);
    cr_assert(tr_address_eq(&got, &address));
    close_listener(listener); /* and no second tr_tcp_listening before it */
    close_system();
}

/* B22 and B40. */
Test(tcp_listen, an_address_in_use_is_named_and_nothing_is_left_open)
{
    tr_address taken;
    char text[TR_ADDRESS_TEXT], both[TR_ADDRESS_TEXT + 20];
    int blocker = peer_listen(&taken);
    tr_address_text(&taken, text);
    snprintf(both, sizeof both, "127.0.0.1:0,%s", text);
    open_system(1);
    capture_log(TR_LOG_WARNING);
    int before = open_descriptors();
    for (int i = 0; i < 20; i++)
        cr_assert_eq(listen_error(both), TR_EADDRINUSE);
    expect_descriptors(before);
    expect_logged(text);
    expect_logged(tr_strerror(TR_EADDRINUSE));
    close(blocker);
    close_system();
}

Test(tcp_listen, a_port_one_may_not_use_is_named)
{
    tr_address address;
    struct sockaddr_storage storage;
    open_system(1);
    capture_log(TR_LOG_WARNING);
    if (geteuid() == 0)
        cr_assert_eq(seteuid(65534), 0);
    tr_address_parse("127.0.0.1:1", &address);
    socklen_t length = tri_address_to_system(&address, &storage);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool may = bind(fd, (struct sockaddr *)&storage, length) == 0;
    close(fd);
    if (!may) { /* in some containers everybody may */
        cr_assert_eq(listen_error("127.0.0.1:1"), TR_EACCES);
        expect_logged("127.0.0.1:1\": permission denied");
    }
    close_system();
}

/* B40: only an address that is not there is left out. */
Test(tcp_listen, an_address_that_is_not_this_machines_is_left_out_if_there_are_others)
{
    open_system(1);
    cr_assert_eq(listen_error("192.0.2.1:0"), TR_EADDRNOTAVAIL);
    tr_ref listener = listen_on("192.0.2.1:0,127.0.0.1:0");
    tr_address address = listening(listener);
    int peer = peer_connect(&address);
    greet(accepted(listener), peer);
    close_listener(listener);
    close_system();
}

Test(tcp_listen, bad_lists_are_refused_with_a_line_that_names_them)
{
    static const struct {
        const char *list;
        int error;
    } rows[] = {
        { "", TR_EINVAL },
        { "localhost:80", TR_EINVAL },
        { "127.0.0.1", TR_EINVAL },
        { "127.0.0.1:0;127.0.0.1:0", TR_EINVAL },
        { "127.0.0.1:0,nonsense", TR_EINVAL },
        { "192.0.2.1:0,nonsense", TR_EINVAL },
        { ",127.0.0.1:0", TR_EINVAL },
        { "*", TR_EINVAL },
        { "*:", TR_EINVAL },
        { "*:65536", TR_EINVAL },
        { "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0",
            TR_ELIMIT },
    };
    open_system(1);
    int before = open_descriptors();
    capture_log(TR_LOG_WARNING);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char named[1000];
        cr_assert_eq(listen_error(rows[i].list), rows[i].error, "\"%s\"", rows[i].list);
        snprintf(named, sizeof named, "listen on \"%s\"", rows[i].error == TR_ELIMIT ? "127.0.0.1:0" : rows[i].list);
        expect_logged(named);
    }
    cr_assert_eq(listen_error(NULL), TR_EINVAL);
    expect_descriptors(before);
    close_system();
}

Test(tcp_listen, eight_addresses_are_not_too_many)
{
    open_system(1);
    tr_ref listener = listen_on("127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,127.0.0.1:0,"
                                "127.0.0.1:0");
    tr_address addresses[8];
    for (int i = 0; i < 8; i++)
        addresses[i] = listening(listener);
    for (int i = 0; i < 8; i++) {
        int peer = peer_connect(&addresses[i]);
        greet(accepted(listener), peer);
    }
    close_listener(listener);
    close_system();
}

Test(tcp_listen, listeners_share_a_port_only_if_both_ask_for_it)
{
    char text[TR_ADDRESS_TEXT];
    tr_ref first;
    open_system(1);
    struct doing d = { .act = LISTEN, .listen = &(tr_tcp_listen_options){ .addresses = "127.0.0.1:0", .reuse_port = true } };
    if (tr_probe_do(probe, do_act, &d) == TR_ENOTSUP)
        cr_skip_test("here two listeners cannot share a port");
    expect(tr_tcp_listening);
    tr_address address = listen_somewhere(&first, &(tr_tcp_listen_options){ .reuse_port = true });
    tr_address_text(&address, text);
    cr_assert_eq(listen_error(text), TR_EADDRINUSE);
    tr_ref second = listen_on(text, .reuse_port = true);
    listening(second);
    int seen[2] = { 0 };
    for (int i = 0; i < 64; i++) { /* the kernel spreads by a hash of the addresses */
        int peer = peer_connect(&address);
        const tr_tcp_accepted *a = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted));
        seen[tr_ref_eq(a->listener, second)]++;
        close(peer);
    }
    cr_assert(seen[0] > 0 && seen[1] > 0, "%d and %d", seen[0], seen[1]);
    close_system();
}

/* ---- accepting --------------------------------------------------------------------------------------------------- */

static int closes(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_connected, m)) {
        tr_tcp_write_copy(self, m->from, "!", 1);
        tr_tcp_close(self, m->from);
    }
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}
static const tr_actor closes_actor = { TR_SPEC, .name = "closes", .receive = closes };
static const tr_actor huge_actor = { TR_SPEC, .name = "huge", .receive = closes, .state_size = 1 << 20 };

struct server {
    tr_tcp_listen_options options;
    tr_ref tell, me;
    bool without_memory; /* for the first connection */
};

static int server_start(tr_self *self, void *state, const void *arg)
{
    *(struct server *)state = *(const struct server *)arg;
    return tr_tcp_listen_(self, NULL, &((const struct server *)arg)->options);
}

static void serve(tr_self *self, struct server *me, const tr_msg *m)
{
    if (!me->without_memory) {
        tr_tcp_serve(self, m, &closes_actor, NULL);
        return;
    }
    tri_memory_fail(1, true);
    tr_ref session = tr_tcp_serve(self, m, &huge_actor, NULL);
    tri_memory_fail(0, false);
    me->without_memory = false;
    cr_assert(tr_ref_is_nobody(session));
}

static int server(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(tr_tcp_accepted, m))
        serve(self, state, m);
    else
        tr_forward(self, m, ((struct server *)state)->tell);
    return TR_CONTINUE;
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server,
    .state_size = sizeof(struct server), .arg_size = sizeof(struct server) };

static int spawn_server(tr_self *self, void *arg)
{
    struct server *s = arg;
    s->tell = tr_me(self);
    s->me = tr_spawn(self, &server_actor, s);
    return 0;
}

static void count_homes(bool stay, int counts[4])
{
    tr_ref listener;
    open_system(4);
    struct tri_system *system = tri_system_enter_handle(&test_system);
    tri_monitor_stop(&system->sched); /* nobody is found to be held, and left out */
    tr_address address = listen_somewhere(&listener, &(tr_tcp_listen_options){ .stay = stay });
    for (int i = 0; i < 40; i++) {
        int peer = peer_connect(&address);
        tr_ref connection = accepted(listener);
        counts[tri_slot_at(tri_ref_slot(connection))->run.home]++;
        close(peer);
    }
    cr_assert_eq(tri_monitor_start(&system->sched), 0);
    tri_system_leave(system->number);
    close_system();
}

Test(tcp_listen, connections_are_spread_over_the_workers)
{
    int counts[4] = { 0 };
    count_homes(false, counts);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(counts[i], 10);
}

Test(tcp_listen, or_stay_on_the_listeners)
{
    int counts[4] = { 0 };
    count_homes(true, counts);
    cr_assert(counts[0] == 40 || counts[1] == 40 || counts[2] == 40 || counts[3] == 40);
}

Test(tcp_listen, a_thousand_at_once_are_all_accepted)
{
    enum { MANY = 1000 };
    static int peers[MANY];
    struct server s = { .options = { .addresses = "127.0.0.1:0", .backlog = 4096 } };
    struct sockaddr_storage storage;
    struct rlimit files = { 4096, 4096 };
    setrlimit(RLIMIT_NOFILE, &files);
    open_system(2);
    tr_probe_do(probe, spawn_server, &s);
    tr_address address = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
    socklen_t length = tri_address_to_system(&address, &storage);
    for (int i = 0; i < MANY; i++) {
        peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(peers[i], (struct sockaddr *)&storage, length);
    }
    for (int i = 0; i < MANY; i++) {
        char byte;
        fcntl(peers[i], F_SETFL, 0);
        set_patience(peers[i]);
        peer_read(peers[i], &byte, 1);
        close(peers[i]);
    }
    close_system();
}

/* B23. */
Test(tcp_listen, a_connection_that_nobody_takes_is_closed_and_the_listener_goes_on)
{
    tr_ref listener;
    open_system(2);
    int before = open_descriptors() + listener_descriptors(2);
    tr_address address = listen_somewhere(&listener, NULL);
    for (int i = 0; i < 20; i++) {
        int peer = peer_connect(&address);
        accepted(listener);
        tr_probe_receive(probe, 0); /* handled, and nobody took it */
        peer_expect_reset(peer);
        close(peer);
    }
    int peer = peer_connect(&address);
    greet(accepted(listener), peer);
    expect_descriptors(before);
    close_listener(listener);
    close_system();
}

/* B23. */
Test(tcp_listen, a_connection_whose_owner_cannot_be_spawned_is_closed_and_the_listener_goes_on)
{
    char byte;
    struct server s = { .options = { .addresses = "127.0.0.1:0" }, .without_memory = true };
    tri_pool_off();
    open_system(2);
    capture_log(TR_LOG_WARNING);
    int before = open_descriptors() + listener_descriptors(2);
    tr_probe_do(probe, spawn_server, &s);
    tr_address address = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
    int peer = peer_connect(&address);
    peer_expect_reset(peer);
    close(peer);
    peer = peer_connect(&address);
    peer_read(peer, &byte, 1);
    peer_expect_end(peer);
    close(peer);
    expect_descriptors(before);
    expect_logged(tr_strerror(TR_ENOMEM));
    close_system();
}

Test(tcp_listen, a_closed_listener_takes_nobody_and_its_port_is_free)
{
    char text[TR_ADDRESS_TEXT];
    struct sockaddr_storage storage;
    tr_ref listener;
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    close_listener(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = tri_address_to_system(&address, &storage);
    cr_assert(connect(fd, (struct sockaddr *)&storage, length) < 0 && errno == ECONNREFUSED);
    close(fd);
    tr_ref again = listen_on(tr_address_text(&address, text));
    listening(again);
    close_listener(again);
    cr_assert_eq(act(CLOSE, again), TR_EDOWN); /* twice is harmless */
    close_system();
}

/* B39: "closing during an accept does not leak the accepted socket". */
Test(tcp_listen, closing_while_connections_come_in_leaks_none)
{
    struct sockaddr_storage storage;
    tr_ref listener;
    open_system(2);
    int before = open_descriptors();
    for (int round = 0; round < 100; round++) {
        int peers[10];
        tr_address address = listen_somewhere(&listener, NULL);
        socklen_t length = tri_address_to_system(&address, &storage);
        for (int i = 0; i < 10; i++) {
            if (i == round % 11)
                act(CLOSE, listener);
            peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            connect(peers[i], (struct sockaddr *)&storage, length);
        }
        act(CLOSE, listener);
        for (const tr_msg *m; (m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m);)
            cr_assert(tr_is(tr_tcp_accepted, m));
        for (int i = 0; i < 10; i++)
            close(peers[i]);
    }
    expect_nothing(TR_MS(50));
    expect_descriptors(before);
    close_system();
}

Test(tcp_listen, a_listener_ends_with_its_owner)
{
    struct server s = { .options = { .addresses = "127.0.0.1:0" } };
    struct sockaddr_storage storage;
    open_system(2);
    tr_probe_do(probe, spawn_server, &s);
    const tr_msg *m = expect(tr_tcp_listening);
    tr_address address = tr_body(tr_tcp_listening, m)->address;
    act(KILL, s.me);
    socklen_t length = tri_address_to_system(&address, &storage);
    for (int tries = 0;; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int answer = connect(fd, (struct sockaddr *)&storage, length);
        close(fd);
        if (answer < 0 && errno == ECONNREFUSED)
            break;
        cr_assert_lt(tries, 10000);
        poll(NULL, 0, 1);
    }
    close_system();
}

/* ---- without descriptors ----------------------------------------------------------------------------------------- */

/* A process that connects so often when it is told the address, and hangs up when nothing more comes. */
static pid_t crowd(int connections, int *tell)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        tr_address address;
        struct sockaddr_storage storage;
        close(ends[1]);
        ssize_t told = read(ends[0], &address, sizeof address);
        socklen_t length = tri_address_to_system(&address, &storage);
        for (int i = 0; told == sizeof address && i < connections; i++)
            connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&storage, length);
        _exit((int)read(ends[0], &byte, 1));
    }
    close(ends[0]);
    *tell = ends[1];
    return child;
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* B37. (That the pause is a second is checked where time is virtual: io/sim_transports.c.) */
Test(tcp_listen, without_descriptors_accepting_pauses_once_and_recovers_by_itself)
{
    enum { FREE = 5, COME = 12 };
    int tell, got = 0, paused = 0;
    tr_ref listener;
    const tr_msg *m;
    open_system(2);
    pid_t child = crowd(COME, &tell);
    struct rlimit old = leave_descriptors(1 + FREE); /* before it listens: uring looks at the limit when it begins */
    tr_address address = listen_somewhere(&listener, NULL);

    int64_t full = INT64_MAX, cpu = 0;
    cr_assert_eq(write(tell, &address, sizeof address), sizeof address);
    while (full == INT64_MAX || tri_clock_now(&tri_clock_real) - full < TR_MS(1300)) { /* one retry included */
        if (full == INT64_MAX && paused && got == FREE) {
            full = tri_clock_now(&tri_clock_real);
            cpu = cpu_ns();
        }
        if (!(m = tr_probe_receive(probe, full == INT64_MAX ? SOON : TR_MS(50)))) {
            cr_assert_neq(full, INT64_MAX, "paused %d times, got %d", paused, got);
            continue;
        }
        paused += tr_is(tr_tcp_accept_paused, m);
        if (tr_is(tr_tcp_accept_paused, m))
            cr_assert_eq(tr_body(tr_tcp_accept_paused, m)->reason, TR_EMFILE);
        if (tr_is(tr_tcp_accepted, m)) {
            got++;
            act(OWN, tr_body(tr_tcp_accepted, m)->connection, .other = tr_probe_ref(probe));
        }
    }
    cr_assert_eq(paused, 1, "%d times, got %d", paused, got);
    cr_assert_eq(got, FREE);
    cr_assert_lt(cpu_ns() - cpu, TR_MS(650)); /* it was not busy all the time */

    setrlimit(RLIMIT_NOFILE, &old);
    while (got < COME) {
        cr_assert_not_null(m = tr_probe_receive(probe, SOON));
        cr_assert(!tr_is(tr_tcp_accept_paused, m));
        if (tr_is(tr_tcp_accepted, m)) {
            got++;
            act(OWN, tr_body(tr_tcp_accepted, m)->connection, .other = tr_probe_ref(probe));
        }
    }
    close(tell);
    waitpid(child, NULL, 0);
    close_system();
}

/* Whoever is refused hears why: he is not reset for having no owner. */
static int refuse(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_listening, m))
        tr_send(self, tr_probe_ref(probe), tr_tcp_listening, .address = tr_body(tr_tcp_listening, m)->address);
    if (tr_is(tr_tcp_accepted, m)) {
        tr_tcp_write_copy(self, tr_body(tr_tcp_accepted, m)->connection, "busy", 4);
        tr_tcp_close(self, tr_body(tr_tcp_accepted, m)->connection);
    }
    return TR_CONTINUE;
}

static int refuse_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

static const tr_actor refuse_actor = { TR_SPEC, .name = "refuser", .start = refuse_start, .receive = refuse };

static int spawn_refuser(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_spawn(self, &refuse_actor, NULL)) ? TR_ENOMEM : 0;
}

Test(tcp_listen, who_is_refused_with_a_word_reads_it)
{
    open_system(2);
    cr_assert_eq(tr_probe_do(probe, spawn_refuser, NULL), 0);
    tr_address address = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
    for (int i = 0; i < 20; i++) {
        int peer = peer_connect(&address);
        peer_send(peer, "hello", 5);
        peer_expect(peer, "busy");
        peer_expect_end(peer);
        close(peer);
    }
    close_system();
}

/* Those that are closed and wait for the peer's end give way: with an hour for that they would be all that there ever are. */
Test(tcp_listen, connections_that_linger_give_their_descriptors_to_those_that_come)
{
    enum { FREE = 5, COME = 12 };
    int tell, got = 0;
    tr_ref listener;
    open_system(2);
    pid_t child = crowd(COME, &tell);
    struct rlimit old = leave_descriptors(1 + FREE); /* before it listens: uring looks at the limit when it begins */
    tr_address address = listen_somewhere(&listener, &(tr_tcp_listen_options){ .tcp.linger_ns = TR_HOURS(1) });
    cr_assert_eq(write(tell, &address, sizeof address), sizeof address);
    while (got < COME) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m, "only %d of %d came", got, COME);
        if (!tr_is(tr_tcp_accepted, m))
            continue;
        got++;
        tr_ref connection = tr_body(tr_tcp_accepted, m)->connection;
        act(OWN, connection, .other = tr_probe_ref(probe));
        act(CLOSE, connection);
    }
    setrlimit(RLIMIT_NOFILE, &old);
    close(tell);
    waitpid(child, NULL, 0);
    close_system();
}

/* B38: a connection that is gone before it is accepted. */
Test(tcp_listen, connections_that_are_reset_at_once_do_not_end_the_listener)
{
    tr_ref listener;
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    for (int i = 0; i < 200; i++)
        peer_reset(peer_connect(&address));
    int peer = peer_connect(&address);
    tr_address its = tri_socket_local(peer);
    tr_ref last = TR_NOBODY; /* the peer's is the last that is accepted; how many of the others are, nobody knows */
    for (unsigned open = 0; tr_ref_is_nobody(last) || open > 1;) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(tr_tcp_accepted, m))
            open += act(OWN, tr_body(tr_tcp_accepted, m)->connection, .other = tr_probe_ref(probe)) == 0;
        else if (tr_is(tr_tcp_connected, m) && tr_address_eq(&tr_body(tr_tcp_connected, m)->remote, &its))
            last = m->from;
        else
            open -= tr_is(tr_tcp_closed, m);
    }
    talk(last, peer);
    close_listener(listener);
    close_system();
}
