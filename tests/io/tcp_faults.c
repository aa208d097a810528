/* What goes wrong: owners that are killed, memory that runs out, an actor that hoards, an end amid everything. */
#include "tests/io/tcp_support.h"

#include "sched/worker.h"

#include <malloc.h>
#include <stdio.h>

static char bytes[1 << 20];

/* ---- an owner that is killed ------------------------------------------------------------------------------------- */

/* The owner is a probe of its own: it can be led to every step of a connection's life, and killed there. */
struct victim {
    tr_ref connection, other;
    int peer;
};

static void step_connecting(struct victim *v)
{
    v->peer = -1; /* the attempt is under way or has succeeded */
}

static void step_connected_unhandled(struct victim *v)
{
    (void)v;
}

static void step_connected(struct victim *v)
{
    (void)v;
    expect(tr_tcp_connected);
}

static void step_data_unhandled(struct victim *v)
{
    step_connected(v);
    peer_send(v->peer, bytes, 100000);
}

static void step_data_handled(struct victim *v)
{
    step_data_unhandled(v);
    expect(tr_tcp_data);
    tr_probe_receive(probe, 0);
}

static void step_paused(struct victim *v)
{
    step_connected(v);
    act(WINDOW, v->connection, .a = 0);
    peer_send(v->peer, bytes, 30000);
}

static void step_writing(struct victim *v)
{
    step_connected(v);
    act(WRITE, v->connection, .bytes = bytes, .size = sizeof bytes);
}

static void step_full(struct victim *v)
{
    step_writing(v);
    while (!tr_is(tr_tcp_writable, tr_probe_receive(probe, SOON)))
        ;
}

static void step_flushing(struct victim *v)
{
    step_writing(v);
    act(FLUSH, v->connection);
}

static void step_shutting_down(struct victim *v)
{
    step_writing(v);
    act(SHUTDOWN, v->connection);
}

static void step_shut_down(struct victim *v)
{
    step_connected(v);
    act(SHUTDOWN, v->connection);
    peer_expect_end(v->peer);
}

static void step_eof_unhandled(struct victim *v)
{
    step_connected(v);
    shutdown(v->peer, SHUT_WR);
}

static void step_half_open(struct victim *v)
{
    step_connected(v);
    act(HALF_OPEN, v->connection, .a = true);
    shutdown(v->peer, SHUT_WR);
    expect(tr_tcp_eof);
    tr_probe_receive(probe, 0);
}

static void step_timeouts(struct victim *v)
{
    step_connected(v);
    act(TIMEOUTS, v->connection, .t1 = TR_SECONDS(100), .t2 = TR_SECONDS(100));
}

static void step_asking(struct victim *v)
{
    step_connected(v);
    act(INFO, v->connection);
}

static void step_detaching(struct victim *v)
{
    step_connected(v);
    act(DETACH, v->connection);
}

static void step_detaching_slowly(struct victim *v)
{
    step_writing(v);
    act(DETACH, v->connection);
}

static void step_aborting(struct victim *v)
{
    step_writing(v);
    act(ABORT, v->connection);
}

static void step_closing(struct victim *v)
{
    step_connected(v);
    act(CLOSE, v->connection);
}

static void step_connection_killed(struct victim *v)
{
    step_writing(v);
    act(KILL, v->connection);
}

static const struct {
    const char *name;
    void (*lead)(struct victim *);
} steps[] = {
#define STEP(name) \
    { \
#name, step_##name \
    }
    STEP(connecting),
    STEP(connected_unhandled),
    STEP(connected),
    STEP(data_unhandled),
    STEP(data_handled),
    STEP(paused),
    STEP(writing),
    STEP(full),
    STEP(flushing),
    STEP(shutting_down),
    STEP(shut_down),
    STEP(eof_unhandled),
    STEP(half_open),
    STEP(timeouts),
    STEP(asking),
    STEP(detaching),
    STEP(detaching_slowly),
    STEP(aborting),
    STEP(closing),
    STEP(connection_killed),
};

/* Reads until the end, whatever kind of end that is. */
static void peer_expect_over(int fd, const char *what)
{
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) != 0;)
        if (n < 0) {
            cr_assert_eq(errno, ECONNRESET, "%s: %s", what, strerror(errno));
            break;
        }
    close(fd);
}

static void play(tr_probe *nurse, size_t step, bool kill)
{
    tr_address address;
    struct victim v;
    int listener = peer_listen_narrow(&address, 4096);
    probe = tr_probe_open(&test_system);
    tr_ref owner = tr_probe_ref(probe);
    v.connection = connect_with(&address, .send_buffer = 4096);
    if (steps[step].lead != step_connecting)
        v.peer = peer_accept(listener);
    steps[step].lead(&v);
    tr_probe *victim = probe;
    probe = nurse;
    act_((struct doing){ .act = kill ? KILL : EXIT, .who = owner, .a = (uint32_t)TR_EIO });
    tr_probe_close(victim); /* with what it has been sent and has not looked at */
    if (v.peer >= 0)
        peer_expect_over(v.peer, steps[step].name);
    close(listener);
}

Test(tcp_faults, an_owner_can_end_at_every_step_of_a_connections_life)
{
    open_system(2);
    tr_probe *nurse = probe;
    for (int round = 0; round < 3; round++)
        for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++) {
            int before = open_descriptors();
            play(nurse, step, round & 1);
            expect_descriptors(before);
        }
    close_system();
}

/* The same for the owner of a listener, with connections that nobody has taken yet. */
Test(tcp_faults, a_listeners_owner_can_end_with_connections_on_offer)
{
    open_system(2);
    tr_probe *nurse = probe;
    for (int round = 0; round < 20; round++) {
        int before = open_descriptors(), peers[3];
        tr_ref listener;
        probe = tr_probe_open(&test_system);
        tr_address address = listen_somewhere(&listener, NULL);
        for (int i = 0; i < 3; i++)
            peers[i] = peer_connect(&address);
        if (round & 1) {
            expect(tr_tcp_accepted); /* being handled */
            expect(tr_tcp_accepted);
        }
        tr_probe *victim = probe;
        probe = nurse;
        act(KILL, tr_probe_ref(victim));
        tr_probe_close(victim);
        for (int i = 0; i < 3; i++)
            peer_expect_over(peers[i], "offered");
        expect_descriptors(before);
    }
    close_system();
}

/* What was handed over lives on. */
Test(tcp_faults, the_old_owner_can_end_when_it_has_handed_over)
{
    int peer;
    open_system(2);
    tr_probe *nurse = probe;
    for (int round = 0; round < 20; round++) {
        probe = tr_probe_open(&test_system);
        tr_ref c = connected_pair(&peer, NULL);
        act(OWN, c, .other = tr_probe_ref(nurse));
        tr_probe *victim = probe;
        probe = nurse;
        act(KILL, tr_probe_ref(victim));
        tr_probe_close(victim);
        peer_send(peer, "still here", 10);
        expect_data(c, "still here");
        act(CLOSE, c);
        peer_expect_end(peer);
        close(peer);
        expect_closed(c, 0);
    }
    close_system();
}

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

Test(tcp_faults, without_descriptors_connect_and_listen_say_so_and_leave_nothing_open)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    open_system(2);
    int listener = peer_listen(&address);
    struct rlimit old = leave_descriptors(0);
    struct doing c = { .act = CONNECT, .tcp = &(tr_tcp_options){ .address = tr_address_text(&address, text) } };
    struct doing l = { .act = LISTEN, .listen = &(tr_tcp_listen_options){ .addresses = "127.0.0.1:0" } };
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(tr_probe_do(probe, do_act, &c), TR_EMFILE);
        cr_assert_eq(tr_probe_do(probe, do_act, &l), TR_EMFILE);
    }
    setrlimit(RLIMIT_NOFILE, &old);
    cr_assert_eq(tr_probe_do(probe, do_act, &c), 0);
    close(peer_accept(listener));
    close(listener);
    close_system();
}

/* Closed is closed: whoever hears of it has a descriptor, also at the limit. */
static const tr_tcp_options *again_to;
static struct rlimit limit_before;
static uint32_t came_of_it; /* 1 more than the error, positive */

static int opener_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_tcp_connect_(self, NULL, again_to);
}

static int opens_again(tr_self *self, void *state, const tr_msg *m)
{
    unsigned *news = state;
    if (tr_is(tr_tcp_connected, m) && ++*news == 1) {
        limit_before = leave_descriptors(0);
        return tr_tcp_abort(self, m->from);
    }
    if (tr_is(tr_tcp_closed, m) && ++*news == 2)
        ck_pr_store_32(&came_of_it, 1 + (uint32_t)-tr_tcp_connect_(self, NULL, again_to));
    return tr_is(tr_tcp_closed, m) && *news > 2 ? TR_STOP : TR_CONTINUE;
}

static const tr_actor opener = { TR_SPEC, .name = "opener", .start = opener_start, .receive = opens_again,
    .state_size = sizeof(unsigned) };

static int spawn_opener(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_spawn(self, &opener, NULL)) ? TR_ENOMEM : 0;
}

Test(tcp_faults, who_hears_of_a_close_has_its_descriptor_at_once)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    open_system(1);
    int listener = peer_listen(&address);
    again_to = &(tr_tcp_options){ .address = tr_address_text(&address, text) };
    for (int round = 0; round < 10; round++) {
        came_of_it = 0;
        cr_assert_eq(tr_probe_do(probe, spawn_opener, NULL), 0);
        for (int i = 0; i < 10000 && !ck_pr_load_32(&came_of_it); i++)
            poll(NULL, 0, 1);
        cr_assert_eq(ck_pr_load_32(&came_of_it), 1, "came of it: %u", ck_pr_load_32(&came_of_it));
        setrlimit(RLIMIT_NOFILE, &limit_before);
        close(peer_accept(listener));
        close(peer_accept(listener)); /* which ends the second one */
    }
    close(listener);
    close_system();
}

/* B20. */
Test(tcp_faults, every_descriptor_is_closed_on_exec_and_none_blocks)
{
    bool before[1024] = { false };
    int peer;
    tr_ref listener;
    for (int fd = 0; fd < 1024; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    int outside = peer_connect(&address);
    act(OWN, tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection, .other = tr_probe_ref(probe));
    expect(tr_tcp_connected);
    connected_pair(&peer, NULL);
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_storage storage;
        socklen_t length = sizeof storage;
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || before[fd] || fd == peer || fd == outside)
            continue;
        cr_assert(flags & FD_CLOEXEC, "descriptor %d", fd);
        cr_assert(getsockname(fd, (struct sockaddr *)&storage, &length) < 0 || fcntl(fd, F_GETFL) & O_NONBLOCK,
            "descriptor %d", fd);
    }
    close(outside);
    close(peer);
    close_system();
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int echo(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}
static const tr_actor echo_actor = { TR_SPEC, .name = "echo", .receive = echo, .state_size = 64 };

static uint32_t server_stands; /* the address is known: by the test, the root */
static tr_address server_address;

static int server(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_serve(self, m, &echo_actor, NULL);
    if (tr_is(tr_tcp_listening, m)) {
        server_address = tr_body(tr_tcp_listening, m)->address;
        ck_pr_fence_release();
        ck_pr_store_32(&server_stands, 1);
    }
    return tr_is(tr_tcp_closed, m) ? tr_body(tr_tcp_closed, m)->reason : TR_CONTINUE;
}

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server };

/* A client does all there is to do with a connection and checks what comes back. Whatever fails, it comes to its end. */
enum { PIECES = 6, OVER_GOOD = 1, OVER_BAD = 2 };
static const uint32_t sizes[PIECES] = { 1, 1000, 1025, 40000, 7, 200000 };
static uint32_t client_over;

struct client {
    tr_ref connection;
    uint32_t piece, got, at;
    bool connected, closed;
};

static char pattern(uint32_t at)
{
    return (char)(at * 13 + at / 251);
}

static int client_start(tr_self *self, void *state, const void *arg)
{
    char text[TR_ADDRESS_TEXT];
    (void)arg;
    return tr_tcp_connect(self, &((struct client *)state)->connection, tr_address_text(&server_address, text),
        .connect_ns = TR_SECONDS(5));
}

static int next_piece(tr_self *self, struct client *me)
{
    if (me->piece == PIECES) {
        me->closed = true;
        return tr_tcp_close(self, me->connection);
    }
    uint32_t size = sizes[me->piece++];
    if (me->piece == 3 && !tr_tcp_ask(self, me->connection, TR_SECONDS(5)).bits)
        return TR_ENOMEM;
    if (me->piece == 4 && !tr_tcp_flush(self, me->connection, TR_SECONDS(5)).bits)
        return TR_ENOMEM;
    if (me->piece == 5)
        tr_tcp_timeouts(self, me->connection, TR_SECONDS(100), TR_SECONDS(100));
    void *to;
    tr_buf *buf = tr_buf_new(size, &to);
    for (uint32_t i = 0; buf && i < size; i++)
        ((char *)to)[i] = pattern(me->at + i);
    me->at += size;
    return tr_tcp_write(self, me->connection, buf);
}

static int check_data(tr_self *self, struct client *me, const tr_buf *buf)
{
    static char got[1 << 20];
    size_t size = tr_buf_read(buf, 0, got, sizeof got);
    for (size_t i = 0; i < size; i++)
        if (got[i] != pattern(me->got + (uint32_t)i))
            tri_panic("byte %u is wrong", me->got + (uint32_t)i);
    me->got += (uint32_t)size;
    if (me->got > me->at)
        tri_panic("more came back than was sent");
    return me->got == me->at ? next_piece(self, me) : TR_CONTINUE;
}

static int client(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    int error = 0;
    if (tr_is(tr_tcp_connected, m)) {
        if (me->connected)
            tri_panic("connected twice");
        me->connected = true;
        error = next_piece(self, me);
    } else if (tr_is(tr_tcp_data, m)) {
        error = check_data(self, me, tr_body(tr_tcp_data, m)->buf);
    } else if (tr_is(tr_tcp_closed, m)) {
        return me->closed ? TR_STOP : TR_ECLOSED;
    } else if (tr_is(tr_tcp_failed, m)) {
        return TR_ECLOSED;
    }
    return error;
}

static void client_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    ck_pr_store_32(&client_over, reason ? OVER_BAD : OVER_GOOD);
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client,
    .stop = client_stop, .state_size = sizeof(struct client) };

static int spawn_client(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_spawn(self, &client_actor, NULL)) ? TR_ENOMEM : 0;
}

static uint32_t wait_for(const uint32_t *word)
{
    for (int i = 0; i < 10000 && !ck_pr_load_32(word); i++)
        poll(NULL, 0, 1);
    return ck_pr_load_32(word);
}

static void open_server(void)
{
    cr_assert_eq(tr_open(&test_system, &(tr_options){ .actor = &server_actor, .workers = 2, .seed = 42 }), 0);
    cr_assert(wait_for(&server_stands));
    probe = tr_probe_open(&test_system);
}

/* One request for memory fails, the first, the second, … until a whole run needs no more. */
Test(tcp_faults, any_one_request_for_memory_can_fail)
{
    unsigned nth = 0, good = 0, whole = 0;
    tri_pool_off();
    tr_log_level(TR_LOG_ERROR);
    open_server();
    while (whole < 3) {
        client_over = 0;
        tri_memory_fail(++nth, false);
        if (tr_probe_do(probe, spawn_client, NULL) == 0) {
            cr_assert(wait_for(&client_over), "with request %u failing, the client hangs", nth);
            good += client_over == OVER_GOOD;
        }
        whole = tri_memory_fail(0, false) == 0 ? whole + 1 : 0;
        cr_assert_lt(nth, 100000);
    }
    cr_assert_gt(nth, 20);
    cr_assert_geq(good, 3);
    close_system();
}

/* Sends from `stream` until the other side has taken nothing more for 50 ms, or all; answers how much. */
static size_t send_until_it_stalls(int peer, const char *stream, size_t size)
{
    size_t sent = 0;
    for (int quiet = 0; quiet < 50 && sent < size;) {
        ssize_t n = send(peer, stream + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            sent += (size_t)n;
            quiet = 0;
        } else {
            cr_assert_eq(errno, EAGAIN);
            poll(NULL, 0, 1);
            quiet++;
        }
    }
    return sent;
}

/* All buffers a port has are used up while there is no memory for others. */
Test(tcp_faults, a_stream_waits_for_memory_and_goes_on_or_ends)
{
    enum { SIZE = 4 << 20 };
    static char stream[SIZE], piece[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        stream[i] = (char)(i * 13 + i / 239);
    tri_pool_off();
    for (int round = 0; round < 2; round++) {
        int peer;
        open_system(2);
        tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .window = 4 * SIZE, .receive_buffer = 16384 });
        setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &(int){ 65536 }, sizeof(int));
        act(INFO, c);
        expect(tr_tcp_info); /* so that what came before has been handled, and it reads */
        tri_memory_fail(1, true);
        size_t sent = send_until_it_stalls(peer, stream, SIZE), got = 0;
        cr_assert_lt(sent, SIZE);
        if (round == 1) {
            tri_signal(NULL, c, TRI_SIGNAL_BROKEN); /* as a command for which there is no memory */
            peer_expect_reset(peer);                /* and while there still is none */
        }
        tri_memory_fail(0, false);
        while (round == 0 && got < SIZE) {
            sent += send_until_it_stalls(peer, stream + sent, SIZE - sent < 65536 ? SIZE - sent : 65536);
            const tr_msg *m = expect(tr_tcp_data);
            size_t n = tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, piece, sizeof piece);
            cr_assert_arr_eq(piece, stream + got, n);
            got += n;
        }
        if (round == 0)
            act(ABORT, c);
        for (const tr_msg *m; (m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m);)
            ;
        close(peer);
        close_system();
    }
}

/* From one on they all fail, for a while. */
Test(tcp_faults, all_memory_can_be_gone_for_a_while)
{
    tri_pool_off();
    tr_log_level(TR_LOG_ERROR);
    open_server();
    for (unsigned nth = 1; nth < 200; nth += 2) {
        client_over = 0;
        tri_memory_fail(nth, true);
        int error = tr_probe_do(probe, spawn_client, NULL);
        poll(NULL, 0, 5);
        tri_memory_fail(0, false);
        if (!error)
            cr_assert(wait_for(&client_over), "with requests failing from %u on, the client hangs", nth);
    }
    client_over = 0;
    cr_assert_eq(tr_probe_do(probe, spawn_client, NULL), 0); /* and in the end all is as before */
    cr_assert_eq(wait_for(&client_over), OVER_GOOD);
    close_system();
}

/* One actor keeps all that it receives; 999 others do not notice. */
static int hoard(tr_self *self, void *state, const tr_msg *m)
{
    tr_buf **all = state;
    if (tr_is(tr_tcp_connected, m))
        tr_tcp_window(self, m->from, 64 << 20);
    else if (tr_is(tr_tcp_data, m))
        *all = tr_buf_join(tr_buf_ref(tr_body(tr_tcp_data, m)->buf), *all);
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static void hoard_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    tr_buf_unref(*(tr_buf **)state);
}

static const tr_actor hoard_actor = { TR_SPEC, .name = "hoarder", .receive = hoard, .stop = hoard_stop,
    .state_size = sizeof(tr_buf *) };

static int hoarders(tr_self *self, void *state, const tr_msg *m)
{
    bool *have_one = state;
    if (tr_is(tr_tcp_accepted, m)) {
        tr_tcp_serve(self, m, *have_one ? &echo_actor : &hoard_actor, NULL);
        *have_one = true;
        return TR_CONTINUE;
    }
    return server(self, NULL, m);
}

static const tr_actor hoarders_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = hoarders,
    .state_size = sizeof(bool) };

Test(tcp_faults, a_hoarder_of_buffers_starves_nobody)
{
    enum { OTHERS = 999, HOARD = 16 << 20 };
    static int peers[OTHERS];
    struct rlimit files = { 4096, 4096 };
    setrlimit(RLIMIT_NOFILE, &files);
    cr_assert_eq(tr_open(&test_system, &(tr_options){ .actor = &hoarders_actor, .workers = 2 }), 0);
    cr_assert(wait_for(&server_stands));
    probe = tr_probe_open(&test_system);
    int hoarder = peer_connect(&server_address);
    for (size_t sent = 0; sent < HOARD; sent += sizeof bytes)
        peer_send(hoarder, bytes, sizeof bytes);
    for (int i = 0; i < OTHERS; i++)
        peers[i] = peer_connect(&server_address);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OTHERS; i++) {
            bytes[0] = (char)i;
            peer_send(peers[i], bytes, 3000);
        }
        for (int i = 0; i < OTHERS; i++) {
            peer_read(peers[i], bytes, 3000);
            cr_assert_eq(bytes[0], (char)i);
        }
    }
    for (int i = 0; i < OTHERS; i++)
        close(peers[i]);
    close(hoarder);
    close_system();
}

/* To all at once, from a handler of the only worker: a little, which the port takes while nobody can handle it, and then more
 * than it has buffers for. A receive that finds no buffer is tried again, while what came before is still queued for its
 * connection, behind a command. */
enum { FLOODERS = 40, TRICKLE = 500, FLOOD = 200000 };

static int flooders[FLOODERS];
static tr_ref flooded[FLOODERS]; /* the connections of the server with them */
static unsigned known;

static void look_at_the_port(void)
{
    struct tri_port *port = tri_worker_here->port;
    for (int i = 0; i < 4; i++)
        (port->class->poll)(port, TRI_NO_WAIT); /* under Wine `poll(` is a macro */
}

static int flood(tr_self *self, void *arg)
{
    static char wave[FLOOD];
    for (int i = 0; i < FLOODERS; i++) {
        tr_tcp_window(self, flooded[i], 65536);
        peer_send(flooders[i], memset(wave, *(const int *)arg + i, TRICKLE), TRICKLE);
    }
    look_at_the_port();
    for (int i = 0; i < FLOODERS; i++)
        peer_send(flooders[i], memset(wave, *(const int *)arg + i, FLOOD), FLOOD);
    look_at_the_port();
    return 0;
}

static int floodable(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(tr_tcp_accepted, m))
        flooded[known++] = tr_body(tr_tcp_accepted, m)->connection;
    return server(self, state, m);
}

static const tr_actor floodable_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = floodable };

Test(tcp_faults, a_flood_that_uses_up_all_buffers_at_once_comes_back_whole)
{
    static char wave[TRICKLE + FLOOD], back[TRICKLE + FLOOD];
    struct rlimit files = { 4096, 4096 };
    setrlimit(RLIMIT_NOFILE, &files);
    cr_assert_eq(tr_open(&test_system, &(tr_options){ .actor = &floodable_actor, .workers = 1 }), 0);
    cr_assert(wait_for(&server_stands));
    probe = tr_probe_open(&test_system);
    for (int i = 0; i < FLOODERS; i++) {
        flooders[i] = peer_connect(&server_address);
        setsockopt(flooders[i], SOL_SOCKET, SO_SNDBUF, &(int){ 2 * FLOOD }, sizeof(int)); /* so that a flood is sent at once */
    }
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < FLOODERS; i++) { /* whoever sends little is received by an operation that goes on */
            peer_send(flooders[i], "hello", 5);
            peer_expect(flooders[i], "hello");
        }
        cr_assert_eq(tr_probe_do(probe, flood, &round), 0);
        for (int i = 0; i < FLOODERS; i++) {
            memset(wave, round + i, sizeof wave);
            peer_read(flooders[i], back, sizeof back);
            cr_assert_arr_eq(back, wave, sizeof wave);
        }
    }
    for (int i = 0; i < FLOODERS; i++)
        close(flooders[i]);
    close_system();
}

/* What the allocator has given out, in large pieces too, and slots, which it knows nothing of. */
static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd + (size_t)table_in_use(&tri_slots) * sizeof(struct tri_slot);
}

/* B17, for connection and owner together, whose state has 64 bytes; what is in flight has passed. Each block comes from the
 * allocator, so that it knows of all. */
Test(tcp_faults, an_idle_connection_holds_no_buffer_and_little_memory)
{
    enum { IDLE = 5000, MOST = 560 };
    static int peers[IDLE];
    struct rlimit files = { 2 * IDLE + 100, 2 * IDLE + 100 };
    if (setrlimit(RLIMIT_NOFILE, &files))
        cr_skip_test("so many descriptors are not allowed here");
    tri_pool_off();
    open_server();
    size_t before = bytes_in_use();
    if (mallinfo2().uordblks == 0)
        cr_skip_test("the allocator does not tell how much is in use");
    for (int i = 0; i < IDLE; i++)
        peers[i] = peer_connect(&server_address);
    for (int i = 0; i < IDLE; i++) { /* each has echoed something before it is idle */
        peer_send(peers[i], "hello", 5);
        peer_expect(peers[i], "hello");
    }
    size_t each = (bytes_in_use() - before) / IDLE;
    cr_assert_leq(each, MOST, "%zu bytes", each);
    for (int i = 0; i < IDLE; i++)
        close(peers[i]);
    close_system();
}

/* ---- the end of everything --------------------------------------------------------------------------------------- */

/* B26. */
Test(tcp_faults, a_system_can_be_closed_amid_everything)
{
    for (int round = 0; round < 10; round++) {
        tr_address deaf, listening;
        int fillers[8], silent = peer_listen_deaf(&deaf, fillers), reader, slow, outside;
        int before = open_descriptors();
        tr_ref listener;
        open_system(2);
        listening = listen_somewhere(&listener, NULL);
        connect_to(&deaf);                  /* connecting */
        connected_pair(&reader, NULL);      /* receiving */
        tr_ref writer = narrow_pair(&slow); /* sending to somebody who does not read */
        act(WRITE, writer, .bytes = bytes, .size = sizeof bytes);
        act(FLUSH, writer);
        if (round & 1)
            act(CLOSE, writer);
        outside = peer_connect(&listening); /* accepted and on offer */
        close_system();
        cr_assert_eq(open_descriptors(), before + 3);
        peer_expect_over(outside, "offered");
        peer_expect_over(reader, "receiving");
        peer_expect_over(slow, "sending");
        peer_close_deaf(silent, fillers);
    }
}
