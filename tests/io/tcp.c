/* The life of a TCP connection: what its owner sees, in which order, and how it ends. */
#include "tests/io/tcp_support.h"

Test(tcp, a_connection_says_connected_then_data_then_closed)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    peer_send(peer, "hello", 5);
    expect_data(c, "hello");
    cr_assert_eq(act(WRITE, c, .bytes = "world", .size = 5), 0);
    peer_expect(peer, "world");
    act(CLOSE, c);
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    expect_nothing(TR_MS(20));
    close_system();
}

/* B2: an attempt that never connected is answered by its failure alone. */
Test(tcp, a_refused_connection_is_answered_by_its_failure_alone)
{
    tr_address address;
    open_system(1);
    close(peer_listen(&address)); /* nobody listens there now */
    tr_ref c = connect_to(&address);
    const tr_msg *m = expect(tr_tcp_failed);
    cr_assert(tr_ref_eq(m->from, c));
    cr_assert_eq(tr_body(tr_tcp_failed, m)->reason, TR_ECONNREFUSED);
    cr_assert(tr_address_eq(&tr_body(tr_tcp_failed, m)->remote, &address));
    expect_nothing(TR_MS(20));
    close_system();
}

Test(tcp, an_attempt_that_is_closed_fails_as_canceled)
{
    tr_address address;
    open_system(1);
    int fillers[8], listener = peer_listen_deaf(&address, fillers);
    tr_ref c = connect_to(&address);
    act(CLOSE, c);
    cr_assert_eq(tr_body(tr_tcp_failed, expect(tr_tcp_failed))->reason, TR_ECANCELED);
    close_system();
    peer_close_deaf(listener, fillers);
}

Test(tcp, an_attempt_times_out_and_not_early)
{
    tr_address address;
    int fillers[8], listener = peer_listen_deaf(&address, fillers);
    open_system(1);
    int64_t start = tri_clock_now(&tri_clock_real);
    connect_with(&address, .connect_ns = TR_MS(60));
    const tr_msg *m = expect(tr_tcp_failed);
    cr_assert_eq(tr_body(tr_tcp_failed, m)->reason, TR_ETIMEDOUT);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - start, TR_MS(60));
    close_system();
    peer_close_deaf(listener, fillers);
}

/* B4: all bytes accepted before the close are sent, in order, before closed(0). */
Test(tcp, close_sends_what_was_written_before)
{
    enum { SIZE = 3000000 };
    int peer;
    char *bytes = malloc(SIZE), *got = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    for (size_t at = 0; at < SIZE; at += SIZE / 30)
        cr_assert_eq(act(WRITE, c, .bytes = bytes + at, .size = SIZE / 30), 0);
    act(CLOSE, c);
    peer_read(peer, got, SIZE);
    cr_assert_arr_eq(got, bytes, SIZE);
    peer_expect_end(peer);
    close(peer);
    const tr_msg *m;
    while ((m = tr_probe_receive(probe, SOON)) && tr_is(tr_tcp_writable, m)) /* said before the close */
        ;
    cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, 0);
    free(bytes);
    free(got);
    close_system();
}

Test(tcp, close_is_idempotent_and_delivers_nothing_more)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(CLOSE, c);
    act(CLOSE, c);
    peer_send(peer, "late", 4);
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    cr_assert_eq(act(CLOSE, c), TR_EDOWN);
    expect_nothing(TR_MS(20));
    close_system();
}

/* B5: the peer of an aborted connection sees a reset, not an orderly end of half the data. */
Test(tcp, abort_drops_what_is_queued_and_resets)
{
    int peer;
    static char big[8 << 20];
    open_system(2);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .write_max = 64 << 20 });
    act(WRITE, c, .bytes = big, .size = sizeof big);
    const tr_msg *m = expect(tr_tcp_writable);
    cr_assert_not(tr_body(tr_tcp_writable, m)->writable);
    act(ABORT, c);
    expect_closed(c, 0);
    ssize_t n;
    do
        n = recv(peer, big, sizeof big, 0);
    while (n > 0);
    peer_was_reset(n);
    close(peer);
    close_system();
}

/* B6, A.10 g */
Test(tcp, a_reset_by_the_peer_closes_with_that_reason)
{
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    let_it_wait(c);
    peer_reset(peer);
    expect_closed_by_reset(c);
    close_system();
}

Test(tcp, what_came_before_a_reset_is_still_delivered)
{
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    peer_send(peer, "last words", 10);
    expect_data(c, "last words");
    peer_reset(peer);
    expect_closed_by_reset(c);
    close_system();
}

/* B10 */
Test(tcp, the_peers_end_closes_the_connection_when_it_has_been_handled)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    peer_send(peer, "bye", 3);
    shutdown(peer, SHUT_WR);
    expect_data(c, "bye");
    expect(tr_tcp_eof);
    act(WRITE, c, .bytes = "answer", .size = 6); /* still open: the end has not been handled */
    expect_closed(c, 0);
    peer_expect(peer, "answer");
    peer_expect_end(peer);
    close(peer);
    close_system();
}

Test(tcp, half_open_stays_open_for_writing_after_the_peers_end)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .half_open = true });
    shutdown(peer, SHUT_WR);
    expect(tr_tcp_eof);
    expect_nothing(TR_MS(30));
    act(WRITE, c, .bytes = "still here", .size = 10);
    peer_expect(peer, "still here");
    act(CLOSE, c);
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

Test(tcp, half_open_can_be_chosen_until_the_end_was_handled)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    shutdown(peer, SHUT_WR);
    expect(tr_tcp_eof);
    act(HALF_OPEN, c, .a = true);
    expect_nothing(TR_MS(30));
    act(WRITE, c, .bytes = "x", .size = 1);
    peer_expect(peer, "x");
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

/* B9 */
Test(tcp, shutdown_ends_the_stream_after_what_is_queued_and_receiving_goes_on)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(WRITE, c, .bytes = "question", .size = 8);
    act(SHUTDOWN, c);
    act(SHUTDOWN, c);
    peer_expect(peer, "question");
    peer_expect_end(peer);
    peer_send(peer, "reply", 5);
    expect_data(c, "reply");
    close(peer);
    expect(tr_tcp_eof);
    expect_closed(c, 0);
    close_system();
}

Test(tcp, shutdown_waits_for_a_peer_that_reads_slowly)
{
    enum { SIZE = 1 << 20 };
    static char bytes[SIZE], got[SIZE];
    int peer;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    act(WRITE, c, .bytes = bytes, .size = SIZE);
    act(SHUTDOWN, c);
    peer_read(peer, got, SIZE);
    cr_assert_arr_eq(got, bytes, SIZE); /* it goes out in many small steps */
    peer_expect_end(peer);
    act(CLOSE, c);
    close(peer);
    for (const tr_msg *m; (m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m);)
        cr_assert(tr_is(tr_tcp_writable, m));
    close_system();
}

/* B8: it cannot be refused to the caller at once, so it is dropped, counted, and the connection lives on. */
Test(tcp, a_write_after_shutdown_is_dropped_and_harms_nothing)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(SHUTDOWN, c);
    act(WRITE, c, .bytes = "late", .size = 4);
    peer_expect_end(peer);
    peer_send(peer, "ok", 2);
    expect_data(c, "ok");
    act(CLOSE, c);
    close(peer);
    const tr_msg *m = expect(tr_tcp_closed);
    cr_assert_eq(tr_body(tr_tcp_closed, m)->dropped, 1);
    close_system();
}

/* B7: dropped and counted; a warning from the fifth on, once a second at the most. */
Test(tcp, writes_after_close_are_dropped_with_a_warning_from_the_fifth_on)
{
    int peer;
    static char big[4 << 20];
    capture_log(TR_LOG_WARNING);
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    act(WRITE, c, .bytes = big, .size = sizeof big); /* so that it cannot close at once */
    expect(tr_tcp_writable);
    act(CLOSE, c);
    for (int i = 0; i < 4; i++)
        act(WRITE, c, .bytes = "x", .size = 1);
    act(INFO, c);
    const tr_msg *m = expect(tr_tcp_info);
    cr_assert_eq(tr_body(tr_tcp_info, m)->dropped, 4);
    cr_assert_eq(logged("is dropped"), 0);
    for (int i = 0; i < 100; i++)
        act(WRITE, c, .bytes = "x", .size = 1);
    act(INFO, c);
    m = expect(tr_tcp_info);
    cr_assert_eq(tr_body(tr_tcp_info, m)->dropped, 104);
    cr_assert_eq(logged("is dropped"), 1);
    act(ABORT, c);
    m = expect(tr_tcp_closed);
    cr_assert_eq(tr_body(tr_tcp_closed, m)->dropped, 104);
    close(peer);
    close_system();
}

Test(tcp, an_empty_write_is_a_no_op)
{
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    act(WRITE, c, .bytes = "", .size = 0);
    act(WRITE, c, .bytes = "x", .size = 1);
    peer_expect(peer, "x");
    cr_assert(peer_is_quiet(peer, 10));
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

Test(tcp, flush_answers_when_all_before_it_has_left)
{
    enum { SIZE = 2 << 20 };
    int peer;
    static char bytes[SIZE];
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    act(FLUSH, c); /* nothing is queued: at once */
    expect(tr_tcp_flushed);
    act(WRITE, c, .bytes = bytes, .size = SIZE);
    cr_assert_not(tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
    act(FLUSH, c);
    expect_nothing(TR_MS(30)); /* nobody reads */
    peer_read(peer, bytes, SIZE);
    int flushed = 0, writable = 0;
    for (int i = 0; i < 2; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        flushed += tr_is(tr_tcp_flushed, m);
        writable += tr_is(tr_tcp_writable, m) && tr_body(tr_tcp_writable, m)->writable;
    }
    cr_assert(flushed == 1 && writable == 1);
    act(WRITE, c, .bytes = bytes, .size = SIZE);
    expect(tr_tcp_writable);
    act(FLUSH, c);
    act(ABORT, c);
    int failed = 0, closed = 0;
    for (int i = 0; i < 2; i++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        failed += tr_is(tr_failed, m) && tr_body(tr_failed, m)->reason == TR_ECLOSED;
        closed += tr_is(tr_tcp_closed, m);
    }
    cr_assert(failed == 1 && closed == 1);
    close(peer);
    close_system();
}

Test(tcp, many_small_writes_go_out_in_order)
{
    enum { COUNT = 20000 };
    int peer;
    uint32_t got[256];
    open_system(2);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .high = 1 << 20 });
    for (uint32_t i = 0, next = 0; i < COUNT; i++) {
        act(WRITE, c, .bytes = &i, .size = sizeof i);
        if (i % 256 == 255) {
            peer_read(peer, got, sizeof got);
            for (int k = 0; k < 256; k++, next++)
                cr_assert_eq(got[k], next);
        }
    }
    act(CLOSE, c);
    peer_read(peer, got, COUNT % 256 * sizeof *got);
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

enum { PIECES = 300, PIECE = 5000 };
static char many_pieces[PIECES * PIECE];

static int write_in_pieces(tr_self *self, void *arg)
{
    tr_buf *all = NULL;
    for (size_t i = 0; i < PIECES; i++)
        all = tr_buf_join(all, tr_buf_copy(many_pieces + i * PIECE, PIECE));
    return tr_tcp_write(self, *(const tr_ref *)arg, all);
}

/* More than one send takes: the next begins in the middle of the write. */
Test(tcp, a_write_of_many_pieces_goes_out_in_order_and_once)
{
    static char got[sizeof many_pieces];
    int peer;
    for (size_t i = 0; i < sizeof many_pieces; i++)
        many_pieces[i] = (char)(i * 17 + i / 247);
    open_system(2);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .high = 1 << 24 });
    cr_assert_eq(tr_probe_do(probe, write_in_pieces, &c), 0);
    act(WRITE, c, .bytes = "!", .size = 1);
    peer_read(peer, got, sizeof got);
    cr_assert_arr_eq(got, many_pieces, sizeof got);
    peer_expect(peer, "!");
    act(CLOSE, c);
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

/* ---- owners ------------------------------------------------------------------------------------------------------ */

struct shy {
    tr_ref tell;
    bool gives_away; /* on the first data, to `tell` */
};

static int shy_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct shy *)state = *(const struct shy *)arg;
    return TR_CONTINUE;
}

static char farewell[3000000];

/* Tells somebody what it is told; fails when "x" comes; when "." comes it writes a lot, closes and ends. */
static int shy_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct shy *me = state;
    if (tr_is(tr_tcp_data, m) && tr_buf_equals(tr_body(tr_tcp_data, m)->buf, "x", 1))
        return TR_EFAULT;
    if (tr_is(tr_tcp_data, m) && tr_buf_equals(tr_body(tr_tcp_data, m)->buf, ".", 1)) {
        tr_tcp_write_copy(self, m->from, farewell, sizeof farewell);
        tr_tcp_close(self, m->from);
        return TR_STOP;
    }
    if (tr_is(tr_tcp_data, m) && me->gives_away) {
        me->gives_away = false;
        tr_tcp_own(self, m->from, me->tell);
    }
    tr_forward(self, m, me->tell);
    return TR_CONTINUE;
}

static const tr_actor shy_actor = {
    TR_SPEC,
    .name = "shy",
    .start = shy_start,
    .receive = shy_receive,
    .state_size = sizeof(struct shy),
    .arg_size = sizeof(struct shy),
};

struct spawning {
    struct shy arg;
    tr_ref ref;
};

static int spawn_shy(tr_self *self, void *arg)
{
    struct spawning *s = arg;
    s->arg.tell = tr_me(self);
    s->ref = tr_spawn(self, &shy_actor, &s->arg, .monitor = true);
    return 0;
}

/* A connection whose owner is a shy actor, which tells the probe. */
static tr_ref shy_pair_(int *peer, tr_ref *owner, bool gives_away, const tr_tcp_options *options)
{
    struct spawning s = { .arg = { .gives_away = gives_away } };
    tr_ref c = connected_pair(peer, options);
    tr_probe_do(probe, spawn_shy, &s);
    *owner = s.ref;
    act(OWN, c, .other = s.ref);
    return c;
}

static tr_ref shy_pair(int *peer, tr_ref *owner, bool gives_away)
{
    return shy_pair_(peer, owner, gives_away, NULL);
}

/* B11 and "owner dies => transport aborts". */
Test(tcp, a_connection_is_reset_when_its_owner_ends)
{
    int peer;
    tr_ref owner;
    open_system(2);
    shy_pair(&peer, &owner, false);
    act(KILL, owner);
    const tr_msg *m = expect(tr_down);
    cr_assert_eq(tr_body(tr_down, m)->reason, TR_EKILLED);
    peer_expect_reset(peer);
    close(peer);
    close_system();
}

Test(tcp, a_connection_is_reset_when_its_owner_crashes_on_data)
{
    int peer;
    tr_ref owner;
    open_system(2);
    shy_pair(&peer, &owner, false);
    peer_send(peer, "x", 1);
    const tr_msg *m = expect(tr_down);
    cr_assert_eq(tr_body(tr_down, m)->reason, TR_EFAULT);
    peer_expect_reset(peer);
    close(peer);
    close_system();
}

Test(tcp, what_an_owner_wrote_and_closed_is_still_sent_when_it_has_ended)
{
    static char got[sizeof farewell];
    int peer;
    tr_ref owner;
    for (size_t i = 0; i < sizeof farewell; i++)
        farewell[i] = (char)(i * 11 + i / 241);
    open_system(2);
    for (int i = 0; i < 5; i++) {
        shy_pair(&peer, &owner, false);
        peer_send(peer, ".", 1);
        cr_assert_eq(tr_body(tr_down, expect(tr_down))->reason, 0);
        peer_read(peer, got, sizeof farewell);
        cr_assert_arr_eq(got, farewell, sizeof farewell);
        peer_expect_end(peer);
        close(peer);
    }
    close_system();
}

Test(tcp, but_not_for_ever)
{
    int peer;
    tr_ref owner;
    open_system(2);
    tr_ref c = shy_pair_(&peer, &owner, false, &(tr_tcp_options){ .send_buffer = 4096, .write_ns = TR_MS(50) });
    peer_send(peer, ".", 1);
    expect(tr_down);
    const tr_msg *m;
    do { /* until it is gone */
        poll(NULL, 0, 10);
        act(INFO, c);
        cr_assert_not_null(m = tr_probe_receive(probe, SOON));
    } while (tr_is(tr_tcp_info, m));
    cr_assert_eq(tr_body(tr_failed, m)->reason, TR_EDOWN);
    close(peer);
    close_system();
}

/* B12: the owner hands over while it handles data; what had come reaches it, the rest the new owner, in order. */
Test(tcp, a_hand_over_inside_a_handler_loses_doubles_and_reorders_nothing)
{
    enum { NUMBERS = 50000 };
    int peer;
    tr_ref owner;
    static uint32_t numbers[NUMBERS];
    for (uint32_t i = 0; i < NUMBERS; i++)
        numbers[i] = i;
    for (int round = 0; round < 10; round++) {
        size_t got = 0;
        open_system(2);
        tr_ref c = shy_pair(&peer, &owner, true);
        pid_t child = fork(); /* another process sends, so that the probe can read meanwhile */
        if (child == 0) {
            peer_send(peer, numbers, sizeof numbers);
            _exit(0);
        }
        while (got < sizeof numbers) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            static char bytes[sizeof numbers];
            size_t n = tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, bytes, sizeof bytes);
            cr_assert_arr_eq(bytes, (char *)numbers + got, n);
            got += n;
        }
        act(CLOSE, c);
        close(peer);
        expect_closed(c, 0);
        act(KILL, owner);
        expect(tr_down);
        close_system();
    }
}

Test(tcp, the_new_owner_of_a_connection_that_is_gone_is_told)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(ABORT, c);
    expect_closed(c, 0);
    act(OWN, c, .other = tr_probe_ref(probe));
    const tr_msg *m = expect(tr_tcp_failed);
    cr_assert(tr_ref_eq(m->from, c));
    close(peer);
    close_system();
}

Test(tcp, a_killed_connection_says_closed_and_resets)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(KILL, c);
    expect_closed(c, TR_EKILLED);
    peer_expect_reset(peer);
    close(peer);
    close_system();
}

Test(tcp, asked_to_exit_a_connection_closes_in_order_or_with_the_reason)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(WRITE, c, .bytes = "x", .size = 1);
    act(INFO, c); /* an exit overtakes what waits; so the write is handled first */
    expect(tr_tcp_info);
    act(EXIT, c, .a = 0);
    peer_expect(peer, "x");
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    c = connected_pair(&peer, NULL);
    act(EXIT, c, .a = (uint32_t)TR_EPROTO);
    expect_closed(c, TR_EPROTO);
    peer_expect_reset(peer);
    close(peer);
    close_system();
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

Test(tcp, an_idle_connection_times_out_not_early_and_traffic_keeps_it_alive)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .idle_ns = TR_MS(200) });
    const tr_msg *m = NULL;
    int64_t last = tri_clock_now(&tri_clock_real);
    for (int i = 0; i < 9 && !m; i++) { /* on a machine that is busy it can be idle for so long */
        m = tr_probe_receive(probe, TR_MS(50));
        int64_t before = tri_clock_now(&tri_clock_real);
        if (m || send(peer, "x", 1, MSG_NOSIGNAL) != 1)
            break;
        m = tr_probe_receive(probe, SOON);
        if (m && tr_is(tr_tcp_data, m)) {
            m = NULL;
            last = before;
        }
    }
    m = m ? m : expect(tr_tcp_closed);
    cr_assert(tr_is(tr_tcp_closed, m) && tr_ref_eq(m->from, c) && tr_body(tr_tcp_closed, m)->reason == TR_ETIMEDOUT);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - last, TR_MS(200));
    close(peer);
    close_system();
}

Test(tcp, a_writer_whose_peer_does_not_read_times_out)
{
    int peer;
    static char big[8 << 20];
    open_system(2);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .write_ns = TR_MS(80) });
    expect_nothing(TR_MS(120)); /* with nothing queued there is nothing to time out */
    int64_t start = tri_clock_now(&tri_clock_real);
    act(WRITE, c, .bytes = big, .size = sizeof big);
    expect(tr_tcp_writable);
    expect_closed(c, TR_ETIMEDOUT);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - start, TR_MS(80));
    close(peer);
    close_system();
}

/* ---- descriptors of the program's -------------------------------------------------------------------------------- */

/* Asked as a socket: on Windows the number may already be that of something else. */
static bool is_socket(int fd)
{
    int type;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)&type, &size) == 0;
}

Test(tcp, an_adopted_descriptor_is_a_connection)
{
    int peer;
    tr_address address;
    int listener = peer_listen(&address), mine = peer_connect(&address);
    peer = peer_accept(listener);
    open_system(2);
    struct doing d = { .act = ADOPT, .a = (uint32_t)mine, .tcp = &(tr_tcp_options){ .address = NULL } };
    cr_assert_eq(tr_probe_do(probe, do_act, &d), 0);
    expect(tr_tcp_connected);
    peer_send(peer, "hi", 2);
    expect_data(d.who, "hi");
    act(CLOSE, d.who);
    peer_expect_end(peer);
    close(peer);
    expect_closed(d.who, 0);
    cr_assert_not(is_socket(mine), "the descriptor was not closed");
    close(listener);
    close_system();
}

Test(tcp, what_is_no_connected_stream_is_not_adopted_and_is_closed)
{
    int pipes[2] = { -1, -1 }, socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(pipe(pipes), 0);
    open_system(1);
    cr_assert_eq(act(ADOPT, TR_NOBODY, .a = (uint32_t)pipes[0], .tcp = &(tr_tcp_options){ .address = NULL }), TR_ENOTSOCK);
    cr_assert_eq(act(ADOPT, TR_NOBODY, .a = (uint32_t)socket_fd, .tcp = &(tr_tcp_options){ .address = NULL }), TR_EINVAL);
    cr_assert_eq(act(ADOPT, TR_NOBODY, .a = 9999, .tcp = &(tr_tcp_options){ .address = NULL }), TR_EBADF);
    cr_assert_not(is_socket(socket_fd));
    cr_assert(pipe_is_broken(pipes[1]), "its reader was not closed");
    close(pipes[1]);
    close_system();
}

Test(tcp, a_detached_descriptor_is_the_programs_with_what_was_not_delivered)
{
    int peer;
    char byte;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    peer_send(peer, "1", 1);
    expect(tr_tcp_data); /* not handled as yet, so what follows waits in the connection */
    peer_send(peer, "rest", 4);
    for (bool there = false; !there;) {
        act(INFO, c);
        const tr_msg *m;
        do /* answers may come between, data may not */
            m = tr_probe_receive(probe, SOON);
        while (m && tr_is(tr_tcp_data, m));
        there = true;
    }
    act(WRITE, c, .bytes = "before", .size = 6);
    act(DETACH, c);
    int descriptor = -1;
    char rest[8];
    size_t got = 0;
    bool closed = false;
    while (descriptor < 0) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(tr_tcp_data, m)) {
            got += tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, rest + got, sizeof rest - got);
        } else if (tr_is(tr_tcp_closed, m)) {
            closed = true;
            cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, 0);
        } else if (tr_is(tr_tcp_detached, m)) {
            const tr_tcp_detached *d = tr_body(tr_tcp_detached, m);
            descriptor = tr_tcp_descriptor(m);
            cr_assert_eq(tr_tcp_descriptor(m), -1);
            if (d->unread)
                got += tr_buf_read(d->unread, 0, rest + got, sizeof rest - got);
        }
    }
    cr_assert(closed);
    peer_expect(peer, "before");
    while (got < 4 && recv(descriptor, &byte, 1, 0) == 1) /* what had not been received at all */
        rest[got++] = byte;
    cr_assert_arr_eq(rest, "rest", 4);
    cr_assert_eq(send(descriptor, "after", 5, 0), 5);
    peer_expect(peer, "after");
    close(descriptor);
    close(peer);
    close_system();
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

Test(tcp, nodelay_is_on_and_names_are_known)
{
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    act(INFO, c);
    const tr_tcp_info *info = tr_body(tr_tcp_info, expect(tr_tcp_info));
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    getpeername(peer, (struct sockaddr *)&storage, &length);
    tr_address mine = tri_address_from_system(&storage);
    cr_assert(tr_address_eq(&info->local, &mine));
    cr_assert_eq(info->window, 65536);
    cr_assert_eq(info->high, 65536);
    cr_assert_eq(info->low, 16384);
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

Test(tcp, a_connection_comes_from_the_local_address_asked_for)
{
    tr_address address;
    open_system(1);
    int listener = peer_listen(&address);
    tr_ref c = connect_with(&address, .local = "127.0.0.5:0");
    const tr_msg *m = expect(tr_tcp_connected);
    char text[TR_ADDRESS_TEXT];
    cr_assert_eq(strncmp(tr_address_text(&tr_body(tr_tcp_connected, m)->local, text), "127.0.0.5:", 10), 0);
    act(CLOSE, c);
    close(peer_accept(listener));
    expect_closed(c, 0);
    close(listener);
    close_system();
}

Test(tcp, bad_addresses_and_options_are_refused_at_once)
{
    static const struct {
        tr_tcp_options options;
        int error;
    } rows[] = {
        { { .address = "127.0.0.1" }, TR_EINVAL },
        { { .address = "127.0.0.1:" }, TR_EINVAL },
        { { .address = "127.0.0.1:65536" }, TR_EINVAL },
        { { .address = "127.0.0.1:-1" }, TR_EINVAL },
        { { .address = "256.0.0.1:1" }, TR_EINVAL },
        { { .address = "localhost:80" }, TR_EINVAL },
        { { .address = "::1:80" }, TR_EINVAL },
        { { .address = "[::1]80" }, TR_EINVAL },
        { { .address = "[fe80::1%nosuchif]:80" }, TR_ENODEV },
        { { .address = "[fe80::1]:80" }, TR_EINVAL },
        { { .address = "" }, TR_EINVAL },
        { { .address = NULL }, TR_EINVAL },
        { { .address = "127.0.0.1:1", .high = 10, .low = 11 }, TR_EINVAL },
        { { .address = "127.0.0.1:1", .local = "nonsense" }, TR_EINVAL },
        { { .address = "127.0.0.1:1", .local = "[::1]:0" }, TR_EINVAL },
        { { .address = "127.0.0.1:1", .local = "192.0.2.77:0" }, TR_EADDRNOTAVAIL },
    };
    open_system(1);
    int before = open_descriptors();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int error = act(CONNECT, TR_NOBODY, .tcp = &rows[i].options);
        cr_assert_eq(error, rows[i].error, "row %zu: %s", i, tr_error_name(error));
    }
    expect_descriptors(before);
    expect_nothing(TR_MS(10));
    close_system();
}

/* One line, with the true reason. */
Test(tcp, what_is_wrong_with_an_address_is_said_once)
{
    static const struct {
        tr_tcp_options options;
        const char *line;
    } rows[] = {
        { { .address = "127.0.0.1:1", .local = "[::1]:0" }, "connect from \"[::1]:0\": an address of another family than" },
        { { .address = "127.0.0.1:1", .local = "x" }, "connect from \"x\": not an address with a port" },
        { { .address = "127.0.0.1:1", .local = "192.0.2.77:0" }, "connect from \"192.0.2.77:0\": address not available" },
        { { .address = "[fe80::1]:80" }, "connect to \"[fe80::1]:80\": a link-local address needs the name of its interface" },
        { { .address = "127.0.0.1" }, "connect to \"127.0.0.1\": not an address with a port" },
    };
    open_system(1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        captured.used = 0;
        captured.text[0] = 0;
        capture_log(TR_LOG_WARNING);
        cr_assert_lt(act(CONNECT, TR_NOBODY, .tcp = &rows[i].options), 0);
        cr_assert_eq(logged(rows[i].line), 1, "%s", captured.text);
        cr_assert_eq(logged("\n"), 1, "%s", captured.text);
    }
    close_system();
}

Test(tcp, an_ipv4_address_in_the_form_of_ipv6_is_that_address)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    int listener = peer_listen(&address);
    snprintf(text, sizeof text, "[::ffff:127.0.0.1]:%u", address.port);
    open_system(1);
    cr_assert_eq(act(CONNECT, TR_NOBODY, .tcp = &(tr_tcp_options){ .address = text }), 0);
    int peer = peer_accept(listener);
    cr_assert(tr_address_eq(&tr_body(tr_tcp_connected, expect(tr_tcp_connected))->remote, &address));
    close(peer);
    close(listener);
    expect(tr_tcp_eof);
    expect(tr_tcp_closed);
    close_system();
}
