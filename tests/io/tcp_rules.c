/* Rules of a connection's life that docs/conformance.md names, beside those that tcp.c and tcp_flow.c test. */
#include "tests/io/tcp_support.h"

enum { MUCH = 1 << 20 };
static char bytes[MUCH], got[MUCH];

static void fill(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 17 + i / 249);
}

static tr_tcp_writable expect_writable(bool writable)
{
    const tr_msg *m = expect(tr_tcp_writable);
    cr_assert_eq(tr_body(tr_tcp_writable, m)->writable, writable);
    return *tr_body(tr_tcp_writable, m);
}

static uint64_t queued(tr_ref c)
{
    act(INFO, c);
    return tr_body(tr_tcp_info, expect(tr_tcp_info))->queued;
}

/* A connection with much queued that its peer does not read. */
static tr_ref full_pair(int *peer)
{
    tr_ref c = narrow_pair(peer);
    fill();
    act(WRITE, c, .bytes = bytes, .size = MUCH);
    expect_writable(false);
    return c;
}

static void peer_expect_much(int fd)
{
    peer_read(fd, got, MUCH);
    cr_assert_arr_eq(got, bytes, MUCH);
}

static void abort_it(tr_ref c, int peer)
{
    act(ABORT, c);
    expect_closed(c, 0);
    close(peer);
}

/* Writes a buffer of the test's own. */
struct writing {
    tr_ref connection;
    tr_buf *buf;
};

static int write_buf(tr_self *self, void *arg)
{
    struct writing *w = arg;
    return tr_tcp_write(self, w->connection, w->buf);
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

/* B3: whatever is asked of an attempt, the owner hears first that it is connected. */
Test(tcp_rules, what_is_asked_of_an_attempt_is_answered_after_connected)
{
    tr_address address;
    int listener = peer_listen(&address);
    open_system(2);
    for (int i = 0; i < 50; i++) {
        tr_ref c = connect_to(&address);
        act(WRITE, c, .bytes = "early", .size = 5);
        act(FLUSH, c);
        expect(tr_tcp_connected);
        expect(tr_tcp_flushed);
        int peer = peer_accept(listener);
        peer_expect(peer, "early");
        abort_it(c, peer);
    }
    close(listener);
    close_system();
}

struct handing {
    const char *address;
    int64_t limit;
    tr_ref connection, to;
};

static int connect_for(tr_self *self, void *arg)
{
    struct handing *h = arg;
    int error = tr_tcp_connect(self, &h->connection, h->address, .connect_ns = h->limit);
    return error ? error : tr_tcp_own(self, h->connection, h->to);
}

Test(tcp_rules, an_attempt_that_is_handed_over_is_the_new_owners_alone)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    int fillers[8], deaf, listener = peer_listen(&address);
    open_system(2);
    tr_probe *old = probe, *heir = tr_probe_open(&test_system);
    struct handing h = { .address = tr_address_text(&address, text), .limit = SOON, .to = tr_probe_ref(heir) };
    for (int i = 0; i < 50; i++) {
        probe = old;
        cr_assert_eq(tr_probe_do(probe, connect_for, &h), 0);
        probe = heir;
        expect(tr_tcp_connected);
        int peer = peer_accept(listener);
        peer_send(peer, "x", 1);
        expect_data(h.connection, "x");
        abort_it(h.connection, peer);
    }
    close(listener);
    deaf = peer_listen_deaf(&address, fillers);
    tr_address_text(&address, text);
    h.limit = TR_MS(100);
    probe = old;
    cr_assert_eq(tr_probe_do(probe, connect_for, &h), 0);
    probe = heir;
    cr_assert_eq(tr_body(tr_tcp_failed, expect(tr_tcp_failed))->reason, TR_ETIMEDOUT);
    probe = old;
    expect_nothing(TR_MS(10));
    peer_close_deaf(deaf, fillers);
    tr_probe_close(heir);
    close_system();
}

/* B2 and B24: a close that races with the connection being made. */
Test(tcp_rules, an_attempt_that_is_closed_at_once_has_one_outcome)
{
    tr_address address;
    int outcomes[2] = { 0 }, listener = peer_listen(&address);
    open_system(2);
    int before = open_descriptors();
    for (int i = 0; i < 300; i++) {
        tr_ref c = connect_with(&address, .linger_ns = 1);
        if (i % 3)
            tr_probe_receive(probe, (i % 3 - 1) * TR_US(20));
        act(CLOSE, c);
        act(CLOSE, c);
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        outcomes[tr_is(tr_tcp_failed, m)]++;
        if (tr_is(tr_tcp_failed, m))
            cr_assert_eq(tr_body(tr_tcp_failed, m)->reason, TR_ECANCELED);
        else if (tr_is(tr_tcp_connected, m))
            expect_closed(c, 0);
        else
            cr_assert(tr_is(tr_tcp_closed, m)); /* it was connected when we looked */
        while (!peer_is_quiet(listener, 0))     /* it may have gone off, or not */
            close(peer_accept(listener));
    }
    expect_nothing(TR_MS(10));
    while (!peer_is_quiet(listener, 0))
        close(peer_accept(listener));
    cr_assert_gt(outcomes[0] + outcomes[1], 0);
    expect_descriptors(before);
    close(listener);
    close_system();
}

/* B40: literal addresses of both families reach the two sockets of a listener that share a port. */
Test(tcp_rules, one_port_answers_on_both_families)
{
    static const char *const hosts[] = { "127.0.0.1:0", "[::1]:0" };
    int probing = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    bool ipv6 = probing >= 0 && bind(probing, (struct sockaddr *)&loopback, sizeof loopback) == 0;
    close(probing);
    if (!ipv6)
        cr_skip_test("no IPv6 here");
    open_system(2);
    tr_ref listener = listen_on("*:0");
    uint16_t port = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address.port;
    cr_assert_eq(tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address.port, port);
    for (int i = 0; i < 4; i++) {
        tr_address to;
        cr_assert_eq(tr_address_parse(hosts[i % 2], &to), 0);
        to.port = port;
        connect_to(&to);
        for (int sides = 0; sides < 2;) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert_not_null(m);
            if (tr_is(tr_tcp_accepted, m)) {
                act(OWN, tr_body(tr_tcp_accepted, m)->connection, .other = tr_probe_ref(probe));
                continue;
            }
            cr_assert(tr_is(tr_tcp_connected, m));
            cr_assert_eq(tr_body(tr_tcp_connected, m)->remote.family, to.family);
            sides++;
        }
    }
    act(CLOSE, listener);
    close_system();
}

Test(tcp_rules, a_local_address_that_is_taken_is_named)
{
    tr_address address, taken;
    char remote[TR_ADDRESS_TEXT], local[TR_ADDRESS_TEXT];
    int listener = peer_listen(&address), other = peer_listen(&taken);
    open_system(1);
    capture_log(TR_LOG_WARNING);
    int before = open_descriptors();
    tr_tcp_options options = { .address = tr_address_text(&address, remote), .local = tr_address_text(&taken, local) };
    cr_assert_eq(act(CONNECT, TR_NOBODY, .tcp = &options), TR_EADDRINUSE);
    expect_logged(local);
    expect_descriptors(before);
    close(listener);
    close(other);
    close_system();
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* B4: closed(0) is said when all has left, not before. */
Test(tcp_rules, a_closing_connection_says_closed_only_when_all_has_left)
{
    int peer;
    open_system(2);
    tr_ref c = full_pair(&peer);
    act(CLOSE, c);
    act(CLOSE, c);
    act(SHUTDOWN, c); /* after the close it is a no-op */
    expect_nothing(TR_MS(30));
    peer_expect_much(peer);
    peer_expect_end(peer);
    close(peer);
    const tr_msg *m = expect(tr_tcp_closed);
    cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, 0);
    cr_assert_eq(tr_body(tr_tcp_closed, m)->dropped, 0);
    close_system();
}

/* B4: nothing is delivered after the close, though it had come before. */
Test(tcp_rules, what_has_come_and_was_not_delivered_is_dropped_by_the_close)
{
    tr_address address;
    int listener = peer_listen(&address);
    open_system(2);
    for (int i = 0; i < 50; i++) {
        tr_ref c = connect_to(&address);
        int peer = peer_accept(listener);
        expect(tr_tcp_connected); /* being handled until the next call for the probe, so the data waits */
        peer_send(peer, bytes, 100 + (size_t)i * 1000);
        poll(NULL, 0, i % 3);
        act(CLOSE, c);
        close(peer);
        expect_closed(c, 0);
    }
    close(listener);
    close_system();
}

/* B6: what was queued could not be sent, and the reason says so. */
Test(tcp_rules, a_reset_while_closing_is_the_reason)
{
    int peer;
    open_system(2);
    tr_ref c = full_pair(&peer);
    act(CLOSE, c);
    expect_nothing(TR_MS(10));
    peer_reset(peer);
    const tr_msg *m = expect(tr_tcp_closed);
    int reason = tr_body(tr_tcp_closed, m)->reason;
    cr_assert(reason == TR_ECONNRESET || reason == TR_EPIPE, "closed: %s", tr_error_name(reason));
    expect_nothing(TR_MS(10));
    close_system();
}

/* B7 */
static void note_release(const void *memory, void *arg)
{
    (void)memory;
    ++*(int *)arg;
}

Test(tcp_rules, a_write_to_a_connection_that_is_gone_is_refused_and_its_buffer_released)
{
    int peer, released = 0;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    abort_it(c, peer);
    for (int i = 1; i <= 10; i++) {
        struct writing w = { c, tr_buf_adopt("gone", 4, note_release, &released) };
        cr_assert_eq(tr_probe_do(probe, write_buf, &w), TR_EDOWN);
        cr_assert_eq(released, i);
    }
    expect_nothing(TR_MS(10));
    close_system();
}

/* A writer that does not look at anything but the answers of its writes comes to an end. */
Test(tcp_rules, writing_on_and_on_to_a_peer_that_is_gone_comes_to_an_end)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    peer_reset(peer);
    for (int writes = 0; act(WRITE, c, .bytes = bytes, .size = 1000) == 0; writes++)
        cr_assert_lt(writes, 1000000);
    const tr_msg *m = tr_probe_receive(probe, SOON);
    while (m && tr_is(tr_tcp_writable, m))
        m = tr_probe_receive(probe, SOON);
    cr_assert(m && tr_is(tr_tcp_closed, m));
    int reason = tr_body(tr_tcp_closed, m)->reason;
    cr_assert(reason == TR_ECONNRESET || reason == TR_EPIPE || reason == TR_EFULL, /* that, if the system is slow to say it */
        "closed: %s", tr_error_name(reason));
    close_system();
}

/* B9 */
Test(tcp_rules, after_a_shutdown_the_end_comes_after_all_that_was_queued)
{
    int peer;
    open_system(2);
    tr_ref c = full_pair(&peer);
    act(SHUTDOWN, c);
    act(SHUTDOWN, c);
    peer_send(peer, "meanwhile", 9);
    expect_data(c, "meanwhile");
    peer_expect_much(peer);
    peer_expect_end(peer);
    expect_writable(true);
    peer_send(peer, "and after", 9);
    expect_data(c, "and after");
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* B15: a chain of more pieces than go out in one operation. */
Test(tcp_rules, a_chain_of_many_pieces_obeys_the_marks_and_arrives_whole)
{
    int peer;
    open_system(2);
    tr_ref c = narrow_pair(&peer);
    fill();
    for (int round = 0; round < 3; round++) {
        tr_buf *chain = NULL;
        for (size_t at = 0, size = 1; at < MUCH; at += size, size = size * 7 % 9001 + 1) {
            size_t length = size < MUCH - at ? size : MUCH - at;
            chain = tr_buf_join(chain, tr_buf_adopt(bytes + at, length, NULL, NULL));
        }
        struct writing w = { c, chain };
        cr_assert_eq(tr_buf_size(chain), MUCH);
        cr_assert_eq(tr_probe_do(probe, write_buf, &w), 0);
        cr_assert_gt(expect_writable(false).queued, 65536);
        expect_nothing(TR_MS(5));
        peer_expect_much(peer);
        cr_assert_leq(expect_writable(true).queued, 16384);
        while (queued(c)) /* B14 */
            ;
    }
    expect_nothing(TR_MS(5));
    abort_it(c, peer);
    close_system();
}

/* On epoll it is sent before anybody looks at the marks. On uring the operation is under way for a moment, so that the
 * marks may be crossed: upwards and down again. */
Test(tcp_rules, a_long_write_that_is_taken_at_once_does_not_stay_unwritable)
{
    int peer, news = 0;
    bool epoll = strcmp(tr_default_port(), "epoll") == 0, writable = true;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    for (int i = 0; i < 20; i++) {
        act(WRITE, c, .bytes = bytes, .size = 100000);
        for (uint64_t left = 1; left;) {
            const tr_msg *m;
            act(INFO, c);
            while ((m = tr_probe_receive(probe, SOON)) && tr_is(tr_tcp_writable, m)) {
                cr_assert_neq(tr_body(tr_tcp_writable, m)->writable, writable);
                writable = !writable;
                news++;
            }
            cr_assert_not_null(m);
            left = tr_body(tr_tcp_info, m)->queued;
        }
        cr_assert(writable);
        peer_read(peer, got, 100000);
    }
    cr_assert(!epoll || news == 0, "%d times", news);
    abort_it(c, peer);
    close_system();
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void *send_much(void *fd)
{
    for (int i = 0; i < 4; i++)
        peer_send(*(int *)fd, bytes, MUCH);
    return NULL;
}

/* B16 and B24: each pause cancels a receive, and what overtook the cancel is delivered. */
Test(tcp_rules, pausing_and_resuming_amid_a_stream_loses_nothing)
{
    int peer;
    size_t count = 0;
    pthread_t sender;
    fill();
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    pthread_create(&sender, NULL, send_much, &peer);
    for (unsigned i = 0; count < 4u * MUCH; i++) {
        const tr_msg *m = expect(tr_tcp_data);
        size_t n = tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, got, sizeof got);
        cr_assert_eq(n, tr_buf_size(tr_body(tr_tcp_data, m)->buf));
        for (size_t k = 0; k < n; k++)
            cr_assert_eq(got[k], bytes[(count + k) % MUCH], "byte %zu", count + k);
        count += n;
        act(WINDOW, c, .a = 0);
        if (i % 4 == 0)
            expect_nothing(TR_US(100));
        act(WINDOW, c, .a = i % 2 ? 65536 : 5000);
    }
    pthread_join(sender, NULL);
    abort_it(c, peer);
    close_system();
}

/* ---- an owner that is started again ------------------------------------------------------------------------------ */

TR_MESSAGE(life_began, uint32_t incarnation;);
TR_DEFINE(life_began);

/* Tells of each life, and what it hears; crashes on "x". */
static tr_ref reborn_tell;

static int reborn_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_send(self, reborn_tell, life_began, .incarnation = tr_incarnation(self));
    return TR_CONTINUE;
}

static int reborn(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m) && tr_buf_equals(tr_body(tr_tcp_data, m)->buf, "x", 1))
        return TR_EFAULT;
    tr_forward(self, m, reborn_tell);
    return TR_CONTINUE;
}

static const tr_actor reborn_actor = { TR_SPEC, .name = "reborn", .start = reborn_start, .receive = reborn };
static const tr_child reborn_children[] = { { .name = "reborn", .actor = &reborn_actor, .intensity = 1000 } };
static const tr_supervisor reborn_supervisor = { TR_SUPERVISOR, .name = "midwife", .children = reborn_children, .count = 1,
    .backoff_ns = TR_MS(1), .backoff_max_ns = TR_MS(1) };

static int supervise_reborn(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_supervise(self, &reborn_supervisor);
    return 0;
}

/* B11: one report of the crash; the connection is reset; the next life hears nothing of it but data that waited
 * already. */
Test(tcp_rules, an_owner_that_is_started_again_has_lost_its_connection)
{
    enum { LIVES = 20 };
    char line[128], ref[TR_REF_TEXT];
    int peer;
    tr_ref supervisor;
    capture_log(TR_LOG_WARNING);
    open_system(2);
    reborn_tell = tr_probe_ref(probe);
    tr_probe_do(probe, supervise_reborn, &supervisor);
    tr_ref owner = expect(life_began)->from;
    int before = open_descriptors();
    for (uint32_t life = 1; life <= LIVES; life++) {
        const tr_msg *m;
        bool began = false;
        tr_ref c = connected_pair(&peer, NULL);
        act(OWN, c, .other = owner);
        act(WRITE, c, .bytes = "hello", .size = 5);
        peer_expect(peer, "hello");
        peer_send(peer, "x", 1);
        while ((m = tr_probe_receive(probe, began ? TR_MS(2) : SOON))) {
            if (tr_is(life_began, m))
                cr_assert_eq(tr_body(life_began, m)->incarnation, life);
            else
                cr_assert(tr_is(tr_tcp_data, m), "a %s came", m->type->name);
            began = true;
        }
        cr_assert(began);
        peer_expect_reset(peer);
        close(peer);
        expect_descriptors(before);
        snprintf(line, sizeof line, "; tcp connection %s ends with it; it is started again", tr_ref_text(c, ref));
        expect_logged(line);
    }
    act(EXIT, supervisor, .a = 0);
    close_system();
    cr_assert_eq(logged("child reborn ended"), LIVES, "%s", captured.text);
    cr_assert_eq(logged("\n"), LIVES, "%s", captured.text);
}

struct birth {
    bool monitored;
    tr_ref owner;
};

static int spawn_reborn(tr_self *self, void *arg)
{
    struct birth *birth = arg;
    birth->owner = tr_spawn(self, &reborn_actor, NULL, .monitor = birth->monitored);
    return 0;
}

/* B11 and B56: who crashes is named in the log once, unless somebody is told. */
Test(tcp_rules, an_owner_that_crashes_and_nobody_hears_of_it_is_named_once)
{
    char line[128], ref[TR_REF_TEXT];
    int peer;
    capture_log(TR_LOG_WARNING);
    open_system(2);
    reborn_tell = tr_probe_ref(probe);
    for (int monitored = 0; monitored < 2; monitored++) {
        struct birth birth = { .monitored = monitored };
        tr_probe_do(probe, spawn_reborn, &birth);
        expect(life_began);
        tr_ref c = connected_pair(&peer, NULL);
        act(OWN, c, .other = birth.owner);
        peer_send(peer, "x", 1);
        if (monitored)
            cr_assert_eq(tr_body(tr_down, expect(tr_down))->reason, TR_EFAULT);
        else
            expect_nothing(TR_MS(5)); /* and with that the probe has handled what it was told of the connection */
        peer_expect_reset(peer);
        close(peer);
        cr_assert_eq(logged("reborn <0."), 1, "%s", captured.text);
        cr_assert_eq(logged("\n"), 1, "%s", captured.text);
        if (!monitored) {
            snprintf(line, sizeof line, "; tcp connection %s ends with it\n", tr_ref_text(c, ref));
            cr_assert_eq(logged(line), 1, "%s", captured.text);
        }
    }
    close_system();
}

/* ---- nothing left open ------------------------------------------------------------------------------------------- */

struct opening {
    enum { CONNECTING, LISTENING, ADOPTING } kind;
    unsigned nth; /* this request for memory fails */
    const char *address;
    int fd, answer;
    bool failed;
};

static int open_without_memory(tr_self *self, void *arg)
{
    struct opening *o = arg;
    tr_ref opened = TR_NOBODY;
    tri_memory_fail(o->nth, false);
    o->answer = o->kind == CONNECTING ? tr_tcp_connect(self, &opened, o->address)
        : o->kind == LISTENING        ? tr_tcp_listen(self, &opened, "127.0.0.1:0,127.0.0.2:0")
                                      : tr_tcp_adopt(self, &opened, o->fd);
    o->failed = tri_memory_fail(0, false) > 0;
    cr_assert_eq(tr_ref_is_nobody(opened), o->answer != 0);
    tr_tcp_abort(self, opened);
    return 0;
}

/* B22: whichever request for memory fails, what was opened is closed, and a descriptor that was handed in, too. */
Test(tcp_rules, what_cannot_be_made_for_want_of_memory_leaves_no_descriptor)
{
    tr_address address;
    char text[TR_ADDRESS_TEXT];
    int listener = peer_listen(&address);
    tri_pool_off();
    tr_log_level(TR_LOG_ERROR);
    open_system(1);
    int before = open_descriptors();
    for (int kind = CONNECTING; kind <= ADOPTING; kind++) {
        unsigned failures = 0;
        for (bool whole = false; !whole;) {
            struct opening o = { .nth = failures + 1, .address = tr_address_text(&address, text) };
            int peer = -1;
            o.kind = kind;
            if (kind == ADOPTING) {
                o.fd = peer_connect(&address);
                peer = peer_accept(listener);
            }
            cr_assert_eq(tr_probe_do(probe, open_without_memory, &o), 0);
            cr_assert_eq(o.answer, o.failed ? TR_ENOMEM : 0, "%d, request %u: %s", kind, o.nth, tr_error_name(o.answer));
            whole = !o.failed;
            failures += o.failed;
            for (const tr_msg *m; whole && (m = tr_probe_receive(probe, SOON));)
                if (tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m))
                    break;
            if (kind == CONNECTING && whole)
                peer = peer_accept(listener);
            if (peer >= 0)
                close(peer);
            expect_descriptors(before);
        }
        cr_assert_geq(failures, 2, "%d: only %u", kind, failures);
    }
    close(listener);
    close_system();
}
