/*
 * What a port can answer: the port is wrapped, so that operations fail as a script says, or send less than they were
 * given; and for each that is submitted it is checked that no other of its direction is in flight (B1).
 *
 * The table of ports below takes the place of the library's own.
 */
#include "tests/io/tcp_support.h"

#include "io/backends.h"
#include "io/port.h"
#include "sched/random.h"

/* ---- the wrapped port -------------------------------------------------------------------------------------------- */

enum { LISTENERS = 8 };

#define demand(condition, text) ((condition) ? (void)0 : tri_panic("%s", (text)))

/* Set while no system runs. */
static struct script {
    enum tri_op_kind kind; /* operations of this kind … */
    unsigned after;        /* … but for the first so many … */
    unsigned times;        /* … fail, so often, … */
    int error;             /* … in this way; 0: none does */
    const int *errors;     /* or, if `kind` is TRI_OP_ACCEPT, each listening socket in its own */
    bool short_sends;
} script;

/* What came of it; the one worker's, until the system is closed. */
static struct {
    const struct tri_endpoint *endpoint;
    unsigned submitted, failed;
} listeners[LISTENERS];

static unsigned submitted[TRI_OP_CONNECT + 1], failed, shortened;
static const struct tri_endpoint *sender; /* the last one */
static struct tri_random chance;

static const struct tri_io_port_class *real;
static struct tri_io_port_class wrapped;

/* Lets a send take a part of what it was given only. */
static void shorten(struct tri_send *send)
{
    uint64_t keep = 1 + tri_random_below(&chance, (uint32_t)send->bytes), left = keep;
    if (keep == send->bytes)
        return;
    shortened++;
    for (send->count = 0; left; send->count++) {
        tri_piece *piece = &send->pieces[send->count];
        size_t length = tri_piece_length(piece) < left ? tri_piece_length(piece) : left;
        *piece = tri_piece_of(tri_piece_bytes(piece), length);
        left -= length;
    }
    send->bytes = keep;
}

/* The error with which this operation is to fail; 0: it is not. */
static int fate(const struct tri_endpoint *endpoint, const struct tri_op *op)
{
    unsigned number = 0, *seen = &submitted[op->kind], *gone = &failed;
    int error = script.error;
    if (op->kind == TRI_OP_ACCEPT) {
        while (listeners[number].endpoint && listeners[number].endpoint != endpoint)
            number++;
        demand(number < LISTENERS, "too many listening sockets");
        listeners[number].endpoint = endpoint;
        seen = &listeners[number].submitted;
        gone = &listeners[number].failed;
        error = script.errors ? script.errors[number] : error;
    }
    bool due = (*seen)++ >= script.after && *gone < script.times;
    if (op->kind != script.kind || !error || !due)
        return 0;
    ++*gone;
    return error;
}

static void submit(struct tri_io_port *port, struct tri_endpoint *endpoint, struct tri_op *op)
{
    /* The transport's operations that are not home, but for the one that reads, of which there is only one. */
    const struct tri_slot *slot = tri_op_slot(op);
    bool reads = op->kind == TRI_OP_RECEIVE || op->kind == TRI_OP_ACCEPT;
    demand(op == (reads ? &endpoint->read : endpoint->write), "an operation of nobody's");
    demand(op->kind == TRI_OP_ACCEPT || slot->in_flight - (endpoint->read.state != TRI_OP_IDLE) <= 1,
        "two writes are in flight");
    int error = fate(endpoint, op);
    if (error) {
        tri_op_complete(op, error);
        return;
    }
    if (op->kind == TRI_OP_SEND)
        sender = endpoint;
    if (op->kind == TRI_OP_SEND && script.short_sends)
        shorten((struct tri_send *)op);
    real->submit(port, endpoint, op);
}

static int wrap(tri_port_open *open, struct tri_worker *worker, void *arg, struct tri_port **port)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int error = open(worker, arg, port);
    if (error)
        return error;
    pthread_mutex_lock(&lock);
    if (!real) {
        real = (const struct tri_io_port_class *)(*port)->class;
        wrapped = *real;
        wrapped.submit = submit;
    }
    pthread_mutex_unlock(&lock);
    (*port)->class = &wrapped.base;
    return 0;
}

#define WRAPPED(name) \
    static int open_##name(struct tri_worker *worker, void *arg, struct tri_port **port) \
    { \
        return wrap(tri_##name##_open, worker, arg, port); \
    }

#ifdef _WIN32
WRAPPED(iocp)
const struct tri_backend tri_backends[] = { { "iocp", NULL, open_iocp } };
#else
WRAPPED(uring)
WRAPPED(epoll)
const struct tri_backend tri_backends[] = { { "uring", tri_uring_check, open_uring }, { "epoll", NULL, open_epoll } };
#endif
const unsigned tri_backend_count = sizeof tri_backends / sizeof tri_backends[0];

static void open_scripted(struct script what)
{
    script = what;
    memset(listeners, 0, sizeof listeners);
    memset(submitted, 0, sizeof submitted);
    failed = shortened = 0;
    chance = (struct tri_random){ 42 };
    open_system(1);
}

/* ---- accepting --------------------------------------------------------------------------------------------------- */

static void greet(tr_ref listener, const tr_address *address)
{
    int peer = peer_connect(address);
    const tr_tcp_accepted *a = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted));
    tr_ref c = a->connection;
    cr_assert(tr_ref_eq(a->listener, listener));
    act(OWN, c, .other = tr_probe_ref(probe));
    expect(tr_tcp_connected);
    act(WRITE, c, .bytes = "welcome", .size = 7);
    peer_expect(peer, "welcome");
    act(ABORT, c);
    expect_closed(c, 0);
    close(peer);
}

/* B38, A.10 f: what is wrong with one connection is skipped, and the owner hears nothing of it. */
Test(tcp_port, a_connection_that_cannot_be_accepted_does_not_touch_the_listener)
{
    static const int errors[] = { TR_ECONNABORTED, TR_ECONNRESET, TR_EPROTO, TR_EPERM, TR_EINTR, TR_EAGAIN, TR_ETIMEDOUT,
        TR_ENETDOWN, TR_ENETUNREACH, TR_EHOSTDOWN, TR_EHOSTUNREACH, TR_ENOTSUP, TR_EACCES, TR_EPROTONOSUPPORT, TR_EUNKNOWN };
    tr_ref listener;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        open_scripted((struct script){ .kind = TRI_OP_ACCEPT, .error = errors[i], .times = 5 });
        tr_address address = listen_somewhere(&listener, NULL);
        greet(listener, &address);
        greet(listener, &address);
        close_system();
        cr_assert_eq(listeners[0].failed, 5, "%s", tr_error_name(errors[i]));
    }
}

/* As of a packet filter that refuses them all. */
Test(tcp_port, connections_that_cannot_be_accepted_one_after_the_other_do_not_keep_it_busy)
{
    tr_ref listener;
    open_scripted((struct script){ .kind = TRI_OP_ACCEPT, .error = TR_EPERM, .times = 40 });
    int64_t start = tri_clock_now(&tri_clock_real);
    tr_address address = listen_somewhere(&listener, NULL);
    greet(listener, &address);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - start, TR_MS(200)); /* a pause after every sixteenth */
    close_system();
}

/* B37: one report, one try a second, for all sockets of a listener together, and it recovers by itself. */
Test(tcp_port, want_of_descriptors_or_memory_is_told_once_and_tried_again_every_second)
{
    enum { REFS = 4, MORE = 3 }; /* the last one has so many more sockets */
    static const int errors[LISTENERS] = { TR_EMFILE, TR_ENFILE, TR_ENOBUFS, TR_ENOMEM, TR_EMFILE, TR_EMFILE, TR_EMFILE };
    tr_ref refs[REFS];
    tr_address addresses[REFS];
    open_scripted((struct script){ .kind = TRI_OP_ACCEPT, .errors = errors, .times = 2 });
    int64_t start = tri_clock_now(&tri_clock_real);
    for (int i = 0; i < REFS; i++) {
        refs[i] = listen_on(i < REFS - 1 ? "127.0.0.1:0" : "127.0.0.1:0,127.0.0.2:0,127.0.0.3:0,127.0.0.4:0");
        for (int more = i < REFS - 1 ? 0 : MORE; more >= 0; more--)
            addresses[i] = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
        const tr_msg *m = expect(tr_tcp_accept_paused);
        cr_assert(tr_ref_eq(m->from, refs[i]));
        cr_assert_eq(tr_body(tr_tcp_accept_paused, m)->reason, errors[i]);
    }
    for (int i = 0; i < REFS; i++)
        greet(refs[i], &addresses[i]);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - start, TR_SECONDS(2)); /* it was tried in vain after one */
    close_system();
    for (int i = 0; i < REFS + MORE; i++)
        cr_assert_eq(listeners[i].submitted, 3, "%u times", listeners[i].submitted);
}

/* A descriptor that is closed is one that can be had: then it is not waited for a second. */
Test(tcp_port, for_want_of_descriptors_it_waits_until_one_is_closed)
{
    int peer;
    tr_ref listener;
    bool sooner = false;
    for (int round = 0; round < 10 && !sooner; round++) { /* the machine may be slow */
        open_scripted((struct script){ .kind = TRI_OP_ACCEPT, .error = TR_EMFILE, .times = 1 });
        tr_ref c = connected_pair(&peer, NULL);
        tr_address address = listen_somewhere(&listener, NULL);
        int64_t start = tri_clock_now(&tri_clock_real);
        expect(tr_tcp_accept_paused);
        act(ABORT, c);
        expect_closed(c, 0);
        greet(listener, &address);
        sooner = tri_clock_now(&tri_clock_real) - start < TR_SECONDS(1);
        close(peer);
        close_system();
    }
    cr_assert(sooner);
}

Test(tcp_port, an_error_of_the_listening_socket_itself_ends_the_listener)
{
    tr_ref listener;
    open_scripted((struct script){ .kind = TRI_OP_ACCEPT, .error = TR_EINVAL, .times = 1 });
    capture_log(TR_LOG_ERROR);
    listen_somewhere(&listener, NULL);
    expect_closed(listener, TR_EINVAL);
    expect_logged("a listening socket failed");
    close_system();
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static const int losses[] = { TR_ECONNRESET, TR_ECONNABORTED, TR_ETIMEDOUT, TR_EHOSTUNREACH, TR_ENETDOWN };
enum { LOSSES = sizeof losses / sizeof losses[0] };

Test(tcp_port, an_attempt_that_fails_says_why)
{
    tr_address address;
    int listener = peer_listen(&address);
    for (int i = 0; i < LOSSES; i++) {
        open_scripted((struct script){ .kind = TRI_OP_CONNECT, .error = losses[i], .times = 1 });
        connect_to(&address);
        cr_assert_eq(tr_body(tr_tcp_failed, expect(tr_tcp_failed))->reason, losses[i]);
        expect_nothing(TR_MS(2));
        close_system();
    }
    close(listener);
}

/* B6, A.10 g: the end comes with its reason, and is nothing to be warned of. */
Test(tcp_port, an_error_while_receiving_ends_the_connection_quietly)
{
    int peer;
    capture_log(TR_LOG_WARNING);
    for (int i = 0; i < LOSSES; i++) {
        open_scripted((struct script){ .kind = TRI_OP_RECEIVE, .after = 1, .error = losses[i], .times = 1 });
        tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .window = 2000 });
        peer_send(peer, "before", 6);
        expect_data(c, "before");
        act(WINDOW, c, .a = 0); /* cancels the first receive */
        act(WINDOW, c, .a = 1000);
        expect_closed(c, losses[i]);
        peer_expect_reset(peer);
        close(peer);
        close_system();
    }
    cr_assert_eq(captured.used, 0, "%s", captured.text);
}

/* B6, B7: nothing is sent after an error, and writes are refused. */
Test(tcp_port, an_error_while_sending_ends_the_connection)
{
    int peer;
    for (int i = 0; i < LOSSES; i++) {
        open_scripted((struct script){ .kind = TRI_OP_SEND, .after = 1, .error = losses[i], .times = 1 });
        tr_ref c = connected_pair(&peer, NULL);
        act(WRITE, c, .bytes = "sent", .size = 4);
        act(FLUSH, c);
        expect(tr_tcp_flushed);
        peer_expect(peer, "sent");
        act(WRITE, c, .bytes = "lost", .size = 4);
        expect_closed(c, losses[i]);
        cr_assert_eq(act(WRITE, c, .bytes = "late", .size = 4), TR_EDOWN);
        peer_expect_reset(peer);
        close(peer);
        close_system();
        cr_assert_eq(submitted[TRI_OP_SEND], 2);
    }
}

/* ---- what the system reads --------------------------------------------------------------------------------------- */

/* B25: the kernel reads a buffer until its send is home, and neither a test nor a sanitizer would see that it was freed before:
 * so the buffer's release looks. */
static unsigned int releases;

static void release_after_the_send(const void *memory, void *arg)
{
    const struct tri_op *write = sender->write;
    (void)memory;
    (void)arg;
    demand(!write || write->kind != TRI_OP_SEND || write->state != TRI_OP_IN_FLIGHT, "a buffer is freed under its send");
    ck_pr_inc_uint(&releases);
}

static int write_watched(tr_self *self, void *arg)
{
    static char much[4 << 20];
    return tr_tcp_write(self, *(tr_ref *)arg, tr_buf_adopt(much, sizeof much, release_after_the_send, NULL));
}

Test(tcp_port, buffers_are_left_alone_until_the_send_is_home)
{
    static const enum act ends[] = { ABORT, KILL, EXIT };
    int peer;
    for (size_t i = 0; i < 3 * sizeof ends / sizeof ends[0]; i++) {
        open_scripted((struct script){ .error = 0 });
        tr_ref c = narrow_pair(&peer);
        cr_assert_eq(tr_probe_do(probe, write_watched, &c), 0);
        cr_assert_not(tr_body(tr_tcp_writable, expect(tr_tcp_writable))->writable);
        peer_read(peer, (char[3000]){ 0 }, 3000);
        act(ends[i / 3], c, .a = (uint32_t)TR_EIO);
        expect(tr_tcp_closed);
        close(peer);
        close_system();
        cr_assert_eq(releases, i + 1);
    }
}

/* ---- short sends ------------------------------------------------------------------------------------------------- */

enum { MUCH = 600000 };
static char bytes[MUCH], got[MUCH];

static int write_chain(tr_self *self, void *arg)
{
    tr_buf *chain = NULL;
    for (size_t at = 0, size = 1; at < MUCH; at += size, size = size * 5 % 3001 + 1)
        chain = tr_buf_join(chain, tr_buf_adopt(bytes + at, size < MUCH - at ? size : MUCH - at, NULL, NULL));
    return tr_tcp_write(self, *(tr_ref *)arg, chain);
}

/* B1, B13, B15: however much a send takes, the next begins at the right byte of the right piece, and only then. */
Test(tcp_port, however_short_the_sends_all_arrives_in_order)
{
    int peer;
    const tr_msg *m;
    bool writable = true;
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (char)(i * 13 + i / 247);
    open_scripted((struct script){ .short_sends = true });
    tr_ref c = connected_pair(&peer, NULL);
    for (int round = 0; round < 6; round++) {
        if (round % 2)
            cr_assert_eq(tr_probe_do(probe, write_chain, &c), 0);
        for (size_t at = 0; at < MUCH && !(round % 2); at += MUCH / 300)
            act(WRITE, c, .bytes = bytes + at, .size = MUCH / 300);
        peer_read(peer, got, MUCH);
        cr_assert_arr_eq(got, bytes, MUCH);
        act(FLUSH, c);
        while ((m = tr_probe_receive(probe, SOON)) && tr_is(tr_tcp_writable, m)) {
            cr_assert_neq(tr_body(tr_tcp_writable, m)->writable, writable);
            writable = !writable;
        }
        cr_assert(m && tr_is(tr_tcp_flushed, m));
        cr_assert(writable);
    }
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
    cr_assert_gt(shortened, 20);
}

/* B1, under whatever is asked of a connection at the same time. */
Test(tcp_port, one_read_and_one_write_are_in_flight_at_the_most)
{
    int peer;
    open_scripted((struct script){ .short_sends = true });
    for (int i = 0; i < 20; i++) {
        tr_ref c = narrow_pair(&peer);
        for (int k = 0; k < 30; k++) {
            act(WRITE, c, .bytes = bytes, .size = 3000);
            act(WINDOW, c, .a = k % 3 ? 0 : 10000);
            peer_send(peer, bytes, 100);
            act(MARKS, c, .a = 1 + 1000u * (unsigned)k);
            if (k % 2)
                peer_read(peer, got, 3000);
            if (k == 20)
                act(SHUTDOWN, c);
            tr_probe_receive(probe, 0);
        }
        if (i % 2)
            act(ABORT, c);
        else
            act(CLOSE, c);
        close(peer);
        for (const tr_msg *m; (m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m);)
            ;
    }
    close_system();
    cr_assert_gt(submitted[TRI_OP_SEND], 100);
    cr_assert_gt(submitted[TRI_OP_RECEIVE], 100);
}
