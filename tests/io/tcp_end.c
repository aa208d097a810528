/* How a connection shuts, closes and is detached, whatever else is asked of it in the same moment. */
#include "tests/io/tcp_support.h"

enum { MUCH = 4 << 20, ROUNDS = 20 };
static char bytes[MUCH];

/* Several things in one handler. The second and those that follow are done to what the first one has connected. */
static int do_acts(tr_self *self, void *arg)
{
    struct doing *d = arg;
    tr_ref made = TR_NOBODY;
    for (; d->act != END_OF_ACTS; d++) {
        if (tr_ref_is_nobody(d->who))
            d->who = made;
        int error = do_act(self, d);
        if (error)
            return error;
        if (d->act == CONNECT)
            made = d->who;
    }
    return 0;
}

#define at_once(...) cr_assert_eq(tr_probe_do(probe, do_acts, (struct doing[]){ __VA_ARGS__, { .act = END_OF_ACTS } }), 0)

/* ---- in one handler ---------------------------------------------------------------------------------------------- */

Test(tcp_end, flushed_and_closed_in_one_handler_it_closes)
{
    int peer;
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        tr_ref c = connected_pair(&peer, NULL);
        at_once({ FLUSH, .who = c }, { CLOSE, .who = c });
        expect(tr_tcp_flushed);
        peer_expect_end(peer);
        close(peer);
        expect_closed(c, 0);
    }
    close_system();
}

Test(tcp_end, flushed_and_shut_in_one_handler_the_peer_reads_the_end)
{
    int peer;
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        tr_ref c = connected_pair(&peer, NULL);
        at_once({ FLUSH, .who = c }, { SHUTDOWN, .who = c }, { FLUSH, .who = c });
        expect(tr_tcp_flushed);
        peer_expect_end(peer);
        expect(tr_tcp_flushed);
        peer_send(peer, "still", 5);
        expect_data(c, "still");
        close(peer);
        expect(tr_tcp_eof);
        expect_closed(c, 0);
    }
    close_system();
}

Test(tcp_end, flushed_and_detached_in_one_handler_its_descriptor_comes)
{
    int peer;
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        tr_ref c = connected_pair(&peer, NULL);
        at_once({ FLUSH, .who = c }, { DETACH, .who = c });
        expect(tr_tcp_flushed);
        expect_closed(c, 0);
        expect(tr_tcp_detached); /* and closed, as nobody takes it */
        expect_nothing(0);
        peer_expect_end(peer);
        close(peer);
    }
    close_system();
}

Test(tcp_end, shut_before_it_is_connected_it_is_shut_once_it_is)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    int listener = peer_listen(&address);
    const tr_tcp_options options = { .address = tr_address_text(&address, text) };
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 2)
            at_once({ CONNECT, .tcp = &options }, { .act = SHUTDOWN });
        else
            at_once({ CONNECT, .tcp = &options }, { WRITE, .bytes = "all", .size = 3 }, { .act = SHUTDOWN });
        tr_ref c = expect(tr_tcp_connected)->from;
        int peer = peer_accept(listener);
        if (i % 2 == 0)
            peer_expect(peer, "all");
        peer_expect_end(peer);
        close(peer);
        expect(tr_tcp_eof);
        expect_closed(c, 0);
    }
    close(listener);
    close_system();
}

/* An owner that does this with its tr_tcp_eof. */
static unsigned int at_the_end;

static int ender(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_eof, m)) {
        struct doing d = { .act = (enum act)ck_pr_load_uint(&at_the_end), .who = m->from };
        do_act(self, &d);
    }
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor ender_actor = { TR_SPEC, .name = "ender", .receive = ender };

static int give_to_ender(tr_self *self, void *arg)
{
    return tr_tcp_own(self, *(tr_ref *)arg, tr_spawn(self, &ender_actor, NULL));
}

Test(tcp_end, whatever_is_asked_in_the_handler_of_the_end_it_closes)
{
    static const enum act acts[] = { FLUSH, SHUTDOWN, CLOSE, DETACH, INFO };
    int peer;
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        ck_pr_store_uint(&at_the_end, acts[i % 5]); /* the one before may just be ending */
        tr_ref c = connected_pair(&peer, NULL);
        expect_nothing(0); /* lets go of the tr_tcp_connected */
        cr_assert_eq(tr_probe_do(probe, give_to_ender, &c), 0);
        shutdown(peer, SHUT_WR);
        peer_expect_end(peer);
        close(peer);
    }
    close_system();
}

/* ---- detaching --------------------------------------------------------------------------------------------------- */

Test(tcp_end, a_detach_is_refused_when_the_connection_is_aborted_or_closed_meanwhile)
{
    static const enum act acts[] = { ABORT, CLOSE, KILL };
    int peer;
    open_system(2);
    for (int i = 0; i < 3; i++) {
        tr_ref c = narrow_pair(&peer);
        at_once({ WRITE, .who = c, .bytes = bytes, .size = MUCH }, { DETACH, .who = c });
        cr_assert(!tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
        act(acts[i], c);
        cr_assert_eq(tr_body(tr_failed, expect(tr_failed))->reason, acts[i] == KILL ? TR_EKILLED : TR_ECLOSED);
        if (acts[i] == CLOSE)
            for (int left = MUCH; left;) {
                ssize_t n = recv(peer, bytes, (size_t)left, 0);
                cr_assert_gt(n, 0);
                left -= (int)n;
            }
        if (acts[i] == CLOSE)
            peer_expect_end(peer);
        close(peer);
        expect_closed(c, acts[i] == KILL ? TR_EKILLED : 0);
        expect_nothing(0);
    }
    close_system();
}

/* ---- the marks, for each owner ----------------------------------------------------------------------------------- */

Test(tcp_end, the_marks_wait_until_it_is_connected)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    int listener = peer_listen_narrow(&address, 4096);
    const tr_tcp_options options = { .address = tr_address_text(&address, text), .send_buffer = 4096 };
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        at_once({ CONNECT, .tcp = &options }, { WRITE, .bytes = bytes, .size = MUCH });
        tr_ref c = expect(tr_tcp_connected)->from;
        cr_assert(!tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
        int peer = peer_accept(listener);
        act(ABORT, c);
        expect_closed(c, 0);
        close(peer);
    }
    close(listener);
    close_system();
}

Test(tcp_end, a_new_owner_hears_that_it_is_not_writable_before_it_is_again)
{
    int peer;
    open_system(2);
    tr_probe *old = probe, *heir = tr_probe_open(&test_system);
    tr_ref c = narrow_pair(&peer);
    act(WRITE, c, .bytes = bytes, .size = MUCH);
    cr_assert(!tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
    expect_nothing(0);
    act(OWN, c, .other = tr_probe_ref(heir));
    probe = heir;
    cr_assert(!tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
    peer_read(peer, bytes, MUCH);
    cr_assert(tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
    act(ABORT, c);
    expect_closed(c, 0);
    probe = old;
    expect_nothing(0);
    tr_probe_close(heir);
    close(peer);
    close_system();
}

/* ---- what is written too late ------------------------------------------------------------------------------------ */

Test(tcp_end, late_writes_to_many_connections_are_one_line_a_second)
{
    enum { MANY = 10 };
    int peers[MANY];
    tr_ref c[MANY];
    capture_log(TR_LOG_WARNING);
    open_system(1);
    for (int i = 0; i < MANY; i++) {
        c[i] = narrow_pair(&peers[i]);
        at_once({ WRITE, .who = c[i], .bytes = bytes, .size = MUCH }, { CLOSE, .who = c[i] });
    }
    int64_t begin = tri_clock_now(&tri_clock_real);
    for (int i = 0; i < MANY; i++) {
        for (int k = 0; k < 6; k++)
            act(WRITE, c[i], .bytes = "late", .size = 4);
        act(INFO, c[i]);
        const tr_msg *m = expect(tr_tcp_info);
        cr_assert_eq(tr_body(tr_tcp_info, m)->dropped, 6);
    }
    int64_t seconds = (tri_clock_now(&tri_clock_real) - begin) / TR_SECONDS(1);
    unsigned lines = logged("is dropped");
    cr_assert(lines >= 1 && lines <= 1 + (unsigned)seconds, "%u lines", lines);
    for (int i = 0; i < MANY; i++) {
        act(ABORT, c[i]);
        expect_closed(c[i], 0);
        close(peers[i]);
    }
    close_system();
}

/* ---- lingering --------------------------------------------------------------------------------------------------- */

/* An HTTP server that answers 413 does that. */
Test(tcp_end, closed_while_the_peer_still_sends_all_that_was_written_arrives)
{
    enum { ANSWER = 300000 };
    int peer;
    open_system(2);
    for (int i = 0; i < ROUNDS; i++) {
        tr_ref c = connected_pair(&peer, NULL);
        if (i % 2)
            act(WINDOW, c, .a = i % 4 == 1 ? 0 : 4096); /* then most is still in the kernel */
        fcntl(peer, F_SETFL, O_NONBLOCK);
        cr_assert_gt(send(peer, bytes, 200000, MSG_NOSIGNAL), 0);
        fcntl(peer, F_SETFL, 0);
        at_once({ WRITE, .who = c, .bytes = bytes, .size = ANSWER }, { CLOSE, .who = c });
        peer_send(peer, bytes, 100000);
        peer_read(peer, bytes, ANSWER);
        peer_expect_end(peer);
        peer_send(peer, "more", 4);
        close(peer);
        const tr_msg *m;
        while ((m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m))
            cr_assert(tr_is(tr_tcp_writable, m) || tr_is(tr_tcp_data, m), "a %s came", m->type->name);
        cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, 0);
    }
    close_system();
}

/* The peer does not end: that is waited for, but not for ever; and not for one who goes on and on. */
Test(tcp_end, lingering_has_limits_of_time_and_of_bytes)
{
    int peer;
    open_system(2);
    int64_t begin = tri_clock_now(&tri_clock_real);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .linger_ns = TR_MS(50) });
    act(CLOSE, c);
    expect_closed(c, 0);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - begin, TR_MS(50));
    peer_expect_end(peer);
    close(peer);
    c = connected_pair(&peer, &(tr_tcp_options){ .linger_ns = SOON, .linger_bytes = 100000 });
    act(CLOSE, c);
    peer_expect_end(peer);
    while (send(peer, bytes, 10000, MSG_NOSIGNAL) > 0)
        ;
    expect_closed(c, 0);
    close(peer);
    c = connected_pair(&peer, &(tr_tcp_options){ .linger_ns = -1 });
    act(CLOSE, c);
    expect_closed(c, 0);
    peer_expect_end(peer);
    close(peer);
    close_system();
}

/* As to those that come (tcp_listen.c). Nobody waits here: who is refused asks again. */
Test(tcp_end, connections_that_linger_give_their_descriptors_to_those_that_are_made)
{
    enum { FREE = 5, MADE = 12 };
    char text[TR_ADDRESS_TEXT];
    tr_address address;
    int listener = peer_listen(&address); /* the system answers for it */
    const tr_tcp_options options = { .address = tr_address_text(&address, text), .linger_ns = TR_HOURS(1) };
    capture_log(TR_LOG_ERROR);
    open_system(2);
    struct rlimit old = leave_descriptors(FREE);
    int64_t until = tri_clock_now(&tri_clock_real) + SOON;
    for (unsigned made = 0, connected = 0; connected < MADE;) {
        struct doing d = { .act = CONNECT, .tcp = &options };
        int error = made < MADE ? tr_probe_do(probe, do_act, &d) : 0;
        cr_assert(error == 0 || error == TR_EMFILE, "%s", tr_error_name(error));
        cr_assert_lt(tri_clock_now(&tri_clock_real), until, "%u of %d were connected", connected, MADE);
        made += made < MADE && error == 0;
        const tr_msg *m = tr_probe_receive(probe, TR_MS(5));
        if (m && tr_is(tr_tcp_connected, m)) {
            connected++;
            act(CLOSE, m->from);
        }
    }
    setrlimit(RLIMIT_NOFILE, &old);
    close(listener);
    close_system();
}
