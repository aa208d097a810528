/* Flow control: water marks, the window, pausing; who holds how much. */
#include "tests/io/tcp_support.h"

#include "mailbox/buf.h"

static char bytes[4 << 20];

/* A window, and what can come in one go before it is noticed: on uring, of a stream that had been quiet, up to 96 buffers. */
enum { WINDOW_AND_BURST = 65536 + 96 * 8192 };

static tr_tcp_writable expect_writable(bool writable)
{
    const tr_msg *m = expect(tr_tcp_writable);
    cr_assert_eq(tr_body(tr_tcp_writable, m)->writable, writable);
    return *tr_body(tr_tcp_writable, m);
}

static tr_tcp_info info_of(tr_ref c)
{
    act(INFO, c);
    return *tr_body(tr_tcp_info, expect(tr_tcp_info));
}

static void end_of(tr_ref c, int peer)
{
    act(ABORT, c);
    for (const tr_msg *m; (m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m);)
        ;
    close(peer);
}

/* B13: false once per crossing upwards, true once per crossing downwards, in turn. */
Test(tcp_flow, writable_is_said_once_per_crossing_and_in_turn)
{
    int peer;
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    for (int round = 0; round < 20; round++) {
        size_t written = 0;
        for (int i = 0; i < 10; i++, written += 50000)
            act(WRITE, c, .bytes = bytes, .size = 50000);
        cr_assert_gt(expect_writable(false).queued, 65536);
        peer_read(peer, bytes, written);
        cr_assert_leq(expect_writable(true).queued, 16384);
    }
    expect_nothing(TR_MS(10));
    cr_assert_eq(info_of(c).queued, 0); /* B14 */
    end_of(c, peer);
    close_system();
}

/* Sends are of a mebibyte at most, so the queue stands between the marks for a while. */
Test(tcp_flow, writable_is_not_said_above_the_low_mark)
{
    int peer;
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    act(MARKS, c, .a = 7 << 19, .b = 1 << 20);
    for (int i = 0; i < 8; i++)
        act(WRITE, c, .bytes = bytes, .size = 1 << 19);
    cr_assert_gt(expect_writable(false).queued, 7 << 19);
    peer_read(peer, bytes, 4 << 20);
    cr_assert_leq(expect_writable(true).queued, 1 << 20);
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, marks_follow_from_each_other_and_must_not_contradict)
{
    static const struct {
        uint32_t high, low, high_is, low_is;
        int error;
    } rows[] = {
        { 0, 0, 65536, 16384, 0 },
        { 4000, 0, 4000, 1000, 0 },
        { 0, 1000, 4000, 1000, 0 },
        { 10, 10, 10, 10, 0 },
        { 10, TR_TCP_ZERO, 10, 0, 0 },
        { TR_TCP_ZERO, 0, 0, 0, 0 },
        { 10, 11, 0, 0, TR_EINVAL },
    };
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(act(MARKS, c, .a = rows[i].high, .b = rows[i].low), rows[i].error, "row %zu", i);
        tr_tcp_info info = info_of(c);
        if (!rows[i].error)
            cr_assert(info.high == rows[i].high_is && info.low == rows[i].low_is, "row %zu", i);
    }
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, with_a_high_mark_of_zero_any_byte_that_cannot_leave_pauses)
{
    int peer;
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    act(MARKS, c, .a = TR_TCP_ZERO);
    act(WRITE, c, .bytes = bytes, .size = 1 << 20);
    expect_writable(false);
    peer_read(peer, bytes, 1 << 20);
    cr_assert_eq(expect_writable(true).queued, 0);
    end_of(c, peer);
    close_system();
}

/* B14: what is in flight counts. */
Test(tcp_flow, the_queue_counts_bytes_in_flight_and_returns_to_zero)
{
    int peer;
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    act(WRITE, c, .bytes = bytes, .size = 1 << 20);
    expect_writable(false);
    cr_assert_eq(info_of(c).queued, 1 << 20);
    act(WRITE, c, .bytes = bytes, .size = 1000);
    cr_assert_eq(info_of(c).queued, (1 << 20) + 1000);
    peer_read(peer, bytes, (1 << 20) + 1000);
    expect_writable(true);
    while (info_of(c).queued)
        ;
    end_of(c, peer);
    close_system();
}

/* B19 for writes: nobody grows without limit. */
Test(tcp_flow, a_writer_that_does_not_heed_the_marks_loses_its_connection)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair_(&peer, &(tr_tcp_options){ .send_buffer = 4096, .write_max = 1 << 20 }, 4096);
    act(WRITE, c, .bytes = bytes, .size = 600000);
    act(WRITE, c, .bytes = bytes, .size = 600000);
    expect_writable(false);
    act(WRITE, c, .bytes = bytes, .size = 1); /* finds more than 1 MiB */
    expect_closed(c, TR_EFULL);
    close(peer);
    close_system();
}

/* B16: paused, nothing is delivered and nothing is lost, and in the end the peer's sender stalls. */
Test(tcp_flow, a_paused_connection_delivers_nothing_and_loses_nothing)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    act(WINDOW, c, .a = 0);
    act(WINDOW, c, .a = 0);
    info_of(c);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    size_t sent = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 + i / 253);
    for (int quiet = 0; quiet < 50;) { /* until it has taken nothing more for 50 ms */
        ssize_t n = send(peer, bytes + sent % (sizeof bytes / 2), sizeof bytes / 2 - sent % (sizeof bytes / 2), MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            quiet = 0;
        } else {
            cr_assert_eq(errno, EAGAIN);
            poll(NULL, 0, 1);
            quiet++;
        }
    }
    expect_nothing(TR_MS(10));
    cr_assert_leq(info_of(c).held, WINDOW_AND_BURST);
    act(WINDOW, c, .a = 65536);
    size_t got = 0;
    while (got < sent) {
        static char piece[1 << 20];
        const tr_msg *m = expect(tr_tcp_data);
        size_t n = tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, piece, sizeof piece);
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(piece[i], bytes[(got + i) % (sizeof bytes / 2)], "byte %zu", got + i);
        got += n;
    }
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, pausing_while_handling_connected_takes_effect_before_any_data)
{
    tr_address address;
    int listener = peer_listen(&address);
    open_system(2);
    for (int i = 0; i < 50; i++) {
        tr_ref c = connect_to(&address);
        int peer = peer_accept(listener);
        peer_send(peer, "early", 5);
        expect(tr_tcp_connected); /* being handled until the next call for the probe */
        act(WINDOW, c, .a = 0);
        expect_nothing(TR_MS(2));
        act(WINDOW, c, .a = 1000);
        expect_data(c, "early");
        end_of(c, peer);
    }
    close(listener);
    close_system();
}

Test(tcp_flow, pause_directly_followed_by_resume_is_clean)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    for (int i = 0; i < 200; i++) {
        act(WINDOW, c, .a = 0);
        act(WINDOW, c, .a = 65536);
        peer_send(peer, "ping", 4);
        expect_data(c, "ping");
    }
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, pausing_a_closing_connection_is_a_no_op)
{
    int peer;
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    act(WRITE, c, .bytes = bytes, .size = 1 << 20);
    expect_writable(false);
    act(CLOSE, c);
    act(WINDOW, c, .a = 0);
    act(WINDOW, c, .a = 1000);
    peer_read(peer, bytes, 1 << 20);
    peer_expect_end(peer);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

/* A message that is kept is not handled: the connection waits. */
TR_SIGNAL(let_go_now);
TR_DEFINE(let_go_now);

static unsigned int has_taken;

struct taker {
    tr_ref to;
    tr_msg *taken;
    bool done;
};

static int taker(tr_self *self, void *state, const tr_msg *m)
{
    struct taker *me = state;
    if (tr_is(tr_tcp_data, m) && !me->taken && !me->done) {
        me->taken = tr_take(self, m);
        ck_pr_store_uint(&has_taken, 1);
    } else if (tr_is(let_go_now, m)) {
        tr_release(self, me->taken);
        me->taken = NULL;
        me->done = true;
    } else {
        tr_forward(self, m, me->to);
    }
    return TR_CONTINUE;
}

static int taker_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct taker *)state)->to = *(const tr_ref *)arg;
    return TR_CONTINUE;
}

static const tr_actor taker_actor = {
    TR_SPEC,
    .name = "taker",
    .start = taker_start,
    .receive = taker,
    .state_size = sizeof(struct taker),
    .arg_size = sizeof(tr_ref),
};

static int spawn_taker(tr_self *self, void *arg)
{
    tr_ref me = tr_me(self);
    *(tr_ref *)arg = tr_spawn(self, &taker_actor, &me);
    return 0;
}

Test(tcp_flow, data_that_is_kept_holds_the_next_data_back)
{
    int peer;
    tr_ref taker;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    tr_probe_do(probe, spawn_taker, &taker);
    act(OWN, c, .other = taker);
    peer_send(peer, "a", 1);
    do /* it has come */
        info_of(c);
    while (!ck_pr_load_uint(&has_taken));
    peer_send(peer, "b", 1);
    expect_nothing(TR_MS(30));
    tr_probe_send(probe, taker, let_go_now);
    expect_data(c, "b");
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, the_end_is_told_after_the_data_before_it)
{
    int peer;
    tr_ref taker;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    tr_probe_do(probe, spawn_taker, &taker);
    act(OWN, c, .other = taker);
    peer_send(peer, "a", 1);
    uint64_t held;
    do /* what the probe received last is handled when it receives more, and "a" comes after that */
        held = info_of(c).held;
    while (!ck_pr_load_uint(&has_taken));
    peer_send(peer, "b", 1);
    while (info_of(c).held == held)
        ;
    shutdown(peer, SHUT_WR);
    expect_nothing(TR_MS(30)); /* the end has come, too, or will */
    tr_probe_send(probe, taker, let_go_now);
    expect_data(c, "b");
    expect(tr_tcp_eof);
    expect_closed(c, 0);
    close(peer);
    close_system();
}

/* A receive ends in front of an urgent byte, though there is more behind it. */
Test(tcp_flow, what_comes_behind_an_urgent_byte_does_not_wait_for_more)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    for (int round = 0; round < 10; round++) {
        act(WINDOW, c, .a = 0);
        info_of(c); /* so that all is there before the first receive */
        peer_send(peer, "abc", 3);
        cr_assert_eq(send(peer, "!", 1, MSG_OOB), 1);
        peer_send(peer, "def", 3);
        act(WINDOW, c, .a = 65536);
        expect_data(c, "abcdef");
    }
    end_of(c, peer);
    close_system();
}

/* The window counts buffers until they are freed, wherever they are. */
Test(tcp_flow, held_buffers_close_the_window_and_freed_ones_open_it)
{
    enum { KEPT = 4000 };
    int peer;
    tr_buf *kept[KEPT];
    size_t count = 0, total = 0, held = 0;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    const tr_msg *m;
    for (bool asked = false; !asked || !tr_is(tr_tcp_info, m);) { /* hold on to all that comes, until the window is full */
        while (send(peer, bytes, 100000, MSG_NOSIGNAL) > 0)
            ;
        m = tr_probe_receive(probe, asked || held < 65536 ? SOON : TR_MS(60));
        if (!m && !asked) { /* and nothing comes any more, or something is late */
            act(INFO, c);
            asked = true;
            m = tr_probe_receive(probe, SOON);
        }
        cr_assert_not_null(m);
        if (tr_is(tr_tcp_info, m))
            continue;
        cr_assert_lt(count, KEPT);
        kept[count] = tr_buf_ref(tr_body(tr_tcp_data, m)->buf);
        for (const tr_buf *p = kept[count]; p; p = tr_buf_next(p))
            held += p->charge;
        total += tr_buf_size(kept[count++]);
    }
    cr_assert_geq(tr_body(tr_tcp_info, m)->held, 65536); /* used up, */
    cr_assert_leq(total, WINDOW_AND_BURST);              /* and one burst over it */
    for (size_t i = 0; i < count; i++)
        tr_buf_unref(kept[i]); /* on a foreign thread, too */
    expect(tr_tcp_data);
    end_of(c, peer);
    close_system();
}

/* A program that gathers frames holds part of the window for long. */
Test(tcp_flow, room_for_one_buffer_is_enough_to_go_on)
{
    enum { KEPT = 400 };
    int peer;
    tr_buf *pieces[KEPT];
    size_t charges[KEPT], count = 0, held = 0, at = 0;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    while (send(peer, bytes, 100000, MSG_NOSIGNAL) > 0)
        ;
    while (held < 65536) { /* hold each piece by itself */
        tr_buf *all = tr_buf_ref(tr_body(tr_tcp_data, expect(tr_tcp_data))->buf);
        size_t offset = 0;
        for (const tr_buf *p = all; p; p = tr_buf_next(p)) {
            cr_assert_lt(count, KEPT);
            pieces[count] = tr_buf_slice(all, offset, p->length);
            offset += p->length;
            held += charges[count++] = p->charge;
        }
        tr_buf_unref(all);
    }
    while (tr_probe_receive(probe, TR_MS(60))) /* a burst, if there was one */
        ;
    for (; held > 65536 - 8192; at++) {
        held -= charges[at];
        tr_buf_unref(pieces[at]);
    }
    cr_assert_lt(at, count);
    expect(tr_tcp_data);
    while (at < count)
        tr_buf_unref(pieces[at++]);
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, a_line_that_comes_byte_by_byte_fits_into_the_window)
{
    enum { LINE = 900 };
    int peer;
    tr_buf *line = NULL;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    for (int i = 0; i < LINE; i++) {
        peer_send(peer, &bytes[i], 1);
        line = tr_buf_join(line, tr_buf_ref(tr_body(tr_tcp_data, expect(tr_tcp_data))->buf));
    }
    cr_assert_eq(tr_buf_size(line), LINE);
    tr_buf_unref(line);
    end_of(c, peer);
    close_system();
}

Test(tcp_flow, buffers_outlive_their_connection)
{
    int peer;
    unsigned same = 0; /* times that the next connection was in the same slot, where it matters */
    open_system(2);
    for (int i = 0; i < 500 && same < 5; i++) {
        tr_ref c = connected_pair(&peer, NULL);
        uint32_t slot = tri_ref_slot(c);
        peer_send(peer, "keep me", 7);
        tr_buf *buf = tr_buf_ref(tr_body(tr_tcp_data, expect(tr_tcp_data))->buf);
        end_of(c, peer);
        c = connected_pair(&peer, NULL);
        same += tri_ref_slot(c) == slot;
        cr_assert(tr_buf_equals(buf, "keep me", 7));
        tr_buf_unref(buf);
        cr_assert_eq(info_of(c).held, 0);
        end_of(c, peer);
    }
    cr_assert_gt(same, 0);
    close_system();
}

/* ---- a slow reader ------------------------------------------------------------------------------------------------ */

Test(tcp_flow, a_write_of_which_some_leaves_all_the_time_does_not_time_out)
{
    enum { SLOWLY = 256 << 10, PART = 4096 };
    int peer;
    open_system(2);
    tr_ref c =
        narrow_pair_(&(tr_tcp_options){ .send_buffer = 4096, .write_ns = TR_SECONDS(1), .idle_ns = TR_SECONDS(1) }, &peer);
    act(WRITE, c, .bytes = bytes, .size = SLOWLY);
    cr_assert(!expect_writable(false).writable);
    for (int left = SLOWLY; left > 0;) {
        ssize_t n = recv(peer, bytes, PART, 0);
        cr_assert_gt(n, 0, "recv: %s, %d bytes are left", strerror(errno), left);
        left -= (int)n;
        poll(NULL, 0, 20); /* longer, all together, than the limits; and each so short that a busy machine keeps them */
    }
    expect_writable(true);
    end_of(c, peer);
    close_system();
}

/* ---- a relay --------------------------------------------------------------------------------------------------- */

struct relay {
    tr_ref sides[2];
};

static int relay(tr_self *self, void *state, const tr_msg *m)
{
    struct relay *me = state;
    if (tr_is(tr_tcp_connected, m)) {
        me->sides[!tr_ref_is_nobody(me->sides[0])] = m->from;
    } else if (tr_is(tr_tcp_data, m)) {
        tr_tcp_write(self, me->sides[tr_ref_eq(m->from, me->sides[0])], tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    }
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor relay_actor = { TR_SPEC, .name = "relay", .receive = relay, .state_size = sizeof(struct relay) };

static int spawn_relay(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_spawn(self, &relay_actor, NULL, .monitor = true);
    return 0;
}

/* B16 through a relay that does nothing for it: the slow reader stalls the fast sender, and memory stays flat. */
Test(tcp_flow, a_slow_reader_behind_a_relay_stalls_the_sender)
{
    int left, right;
    tr_ref middle;
    size_t sent = 0;
    open_system(2);
    tr_ref a = connected_pair(&left, NULL), b = narrow_pair(&right);
    tr_probe_do(probe, spawn_relay, &middle);
    act(CLOSE, a); /* the two above only showed that connecting works; the relay gets two of its own */
    act(CLOSE, b);
    close(left);
    close(right);
    expect(tr_tcp_closed);
    expect(tr_tcp_closed);

    tr_address listening;
    tr_ref listener;
    listening = listen_somewhere(&listener, NULL);
    left = peer_connect(&listening);
    tr_ref first = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection;
    act(OWN, first, .other = middle);
    right = peer_connect(&listening);
    tr_ref second = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection;
    act(OWN, second, .other = middle);
    expect_nothing(TR_MS(10));

    fcntl(left, F_SETFL, O_NONBLOCK);
    for (int quiet = 0; quiet < 60;) { /* right reads nothing: left must get stuck */
        ssize_t n = send(left, bytes, sizeof bytes, MSG_NOSIGNAL);
        quiet = n > 0 ? 0 : quiet + 1;
        sent += n > 0 ? (size_t)n : 0;
        cr_assert_lt(sent, 100 << 20, "the sender is never stalled");
        poll(NULL, 0, 1);
    }
    tr_tcp_info held = info_of(first), queued = info_of(second);
    cr_assert_leq(held.held, WINDOW_AND_BURST);
    cr_assert_leq(queued.queued, WINDOW_AND_BURST);
    for (size_t got = 0; got < sent;) { /* all of it arrives when right reads */
        ssize_t n = recv(right, bytes, sizeof bytes, 0);
        cr_assert_gt(n, 0);
        got += (size_t)n;
    }
    close(left);
    close(right);
    expect(tr_down);
    close_system();
}
