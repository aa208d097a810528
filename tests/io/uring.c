/*
 * What the kernel may answer to the io_uring port: the calls that enter it are wrapped. They fail as a script says, or a
 * submission is replaced by one that does nothing and then has the result that the script says.
 *
 * --wrap: io_uring_queue_init_params io_uring_submit io_uring_submit_and_get_events io_uring_submit_and_wait
 * --wrap: io_uring_submit_and_wait_timeout
 */
#include "tests/io/tcp_support.h"

#include "io/port.h"

#include <liburing.h>
#include <limits.h>

enum { ENTER = IORING_OP_LAST, INJECTED = 64 };

/* Set while no system runs. */
static struct script {
    unsigned code;  /* submissions of this operation, or all calls that ENTER … */
    unsigned after; /* … but for the first so many … */
    unsigned times; /* … have, so often, … */
    int result;     /* … this result … */
    bool done;      /* … though they were done */
} script;

static unsigned seen;
static uint64_t injected[INJECTED]; /* whose result is to be replaced: the one worker's */
static unsigned in_wait;

static bool is_due(void)
{
    unsigned before = ck_pr_faa_uint(&seen, 1);
    return before >= script.after && before - script.after < script.times;
}

static void replace(struct io_uring *ring)
{
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
        struct io_uring_sqe *entry = &ring->sq.sqes[i & ring->sq.ring_mask];
        if (entry->opcode != script.code || !is_due() || in_wait == INJECTED)
            continue;
        injected[in_wait++] = entry->user_data;
        if (!script.done)
            *entry = (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = entry->user_data };
    }
}

static void fill_in(struct io_uring *ring)
{
    unsigned head = *ring->cq.khead, tail = io_uring_smp_load_acquire(ring->cq.ktail);
    for (; head != tail; head++) {
        struct io_uring_cqe *entry = &ring->cq.cqes[head & ring->cq.ring_mask];
        for (unsigned i = 0; i < in_wait; i++)
            if (injected[i] == entry->user_data) {
                entry->res = script.result;
                injected[i--] = injected[--in_wait];
                break;
            }
    }
}

#define WRAP(name, parameters, arguments) \
    int __real_##name parameters; \
    int __wrap_##name parameters; \
    int __wrap_##name parameters \
    { \
        if (!tri_worker_here) \
            return __real_##name arguments; \
        if (script.code == ENTER && is_due()) \
            return script.result; \
        replace(ring); \
        int answer = __real_##name arguments; \
        fill_in(ring); \
        return answer; \
    }

WRAP(io_uring_submit, (struct io_uring * ring), (ring))
WRAP(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
WRAP(io_uring_submit_and_wait, (struct io_uring * ring, unsigned count), (ring, count))
WRAP(io_uring_submit_and_wait_timeout,
    (struct io_uring * ring, struct io_uring_cqe **entry, unsigned count, struct __kernel_timespec *limit, sigset_t *mask),
    (ring, entry, count, limit, mask))

/* Rings of at least so many entries cannot be made, but for the first so many. */
static struct {
    unsigned entries, good;
} rings = { UINT_MAX, 0 };

static bool take_good_ring(void)
{
    unsigned left = ck_pr_load_uint(&rings.good);
    while (left && !ck_pr_cas_uint_value(&rings.good, left, left - 1, &left))
        ;
    return left;
}

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
    if (entries >= rings.entries && !take_good_ring())
        return -ENOMEM;
    return __real_io_uring_queue_init_params(entries, ring, params);
}

static void start_script(struct script what)
{
    script = what;
    seen = in_wait = 0;
}

static void open_scripted(struct script what)
{
    if (tri_uring_check())
        cr_skip_test("no io_uring is to be had here");
    start_script(what);
    open_system_with((tr_options){ .workers = 1, .port = "uring" });
}

static int write_two_pieces(tr_self *self, void *arg)
{
    return tr_tcp_write(self, *(tr_ref *)arg, tr_buf_join(tr_buf_copy("he", 2), tr_buf_copy("llo", 3)));
}

/* Both ways, and all operations. */
static void talk(void)
{
    tr_ref listener, ends[2];
    tr_address address = listen_somewhere(&listener, NULL);
    ends[0] = connect_to(&address);
    for (int news = 0; news < 2; news++) {
        const tr_msg *m = tr_probe_receive(probe, SOON);
        cr_assert_not_null(m);
        if (tr_is(tr_tcp_accepted, m))
            act(OWN, ends[1] = tr_body(tr_tcp_accepted, m)->connection, .other = tr_probe_ref(probe));
        else
            cr_assert(tr_is(tr_tcp_connected, m), "a %s came", m->type->name);
    }
    expect(tr_tcp_connected);
    act(WRITE, ends[0], .bytes = "hello", .size = 5);
    expect_data(ends[1], "hello");
    cr_assert_eq(tr_probe_do(probe, write_two_pieces, &ends[1]), 0);
    expect_data(ends[0], "hello");
    act(CLOSE, listener);
    expect_closed(listener, 0);
    act(ABORT, ends[0]);
    expect(tr_tcp_closed); /* one after the other, in whatever order */
    expect(tr_tcp_closed);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* An operation that was tried by a thread of the kernel's may say EAGAIN, for instance. */
Test(uring, an_operation_that_can_be_tried_again_is)
{
    static const struct script scripts[] = {
        { .code = IORING_OP_SENDMSG, .result = -EAGAIN },
        { .code = IORING_OP_SENDMSG, .result = -ENOMEM },
        { .code = IORING_OP_SEND, .result = -EAGAIN },
        { .code = IORING_OP_SEND, .result = -EINTR },
        { .code = IORING_OP_SEND, .result = -ENOBUFS },
        { .code = IORING_OP_RECV, .result = -EAGAIN },
        { .code = IORING_OP_RECV, .result = -EINTR },
        { .code = IORING_OP_RECV, .result = -ENOMEM },
        { .code = IORING_OP_ACCEPT, .result = -EAGAIN },
        { .code = IORING_OP_ACCEPT, .result = -EINTR },
        { .code = IORING_OP_CONNECT, .result = -EINPROGRESS, .done = true },
        { .code = IORING_OP_CONNECT, .result = -EALREADY, .done = true },
        { .code = IORING_OP_CONNECT, .result = -EINTR, .done = true },
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct script s = scripts[i];
        s.times = s.done ? 1 : 3;
        open_scripted(s);
        talk();
        close_system();
        cr_assert_geq(seen, s.done ? 1 : 4, "script %zu: %u times", i, seen);
    }
}

Test(uring, a_long_write_of_many_pieces_survives_refusals_and_arrives_whole)
{
    enum { SIZE = 300000 };
    static char bytes[SIZE], got[SIZE];
    int peer;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 13 + i / 241);
    open_scripted((struct script){ .code = IORING_OP_SENDMSG, .times = 10, .result = -EAGAIN });
    tr_ref c = narrow_pair(&peer);
    for (size_t at = 0; at < SIZE; at += SIZE / 100)
        act(WRITE, c, .bytes = bytes + at, .size = SIZE / 100);
    act(CLOSE, c);
    peer_read(peer, got, SIZE);
    cr_assert_arr_eq(got, bytes, SIZE);
    peer_expect_end(peer);
    close(peer);
    for (const tr_msg *m; (m = tr_probe_receive(probe, SOON)) && !tr_is(tr_tcp_closed, m);)
        cr_assert(tr_is(tr_tcp_writable, m), "a %s came", m->type->name);
    close_system();
    cr_assert_gt(seen, 10);
}

/* What is to be tried again after a pause can be cancelled, and holds back nobody. */
Test(uring, what_the_system_is_short_of_can_be_cancelled)
{
    int peer;
    open_scripted((struct script){ .code = IORING_OP_RECV, .times = UINT_MAX, .result = -ENOMEM });
    for (int i = 0; i < 5; i++) {
        tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .linger_ns = -1 }); /* the peer's end is not seen either */
        act(WINDOW, c, .a = 0);
        act(WINDOW, c, .a = 1000);
        act(WRITE, c, .bytes = "others", .size = 6);
        peer_expect(peer, "others");
        act(CLOSE, c);
        expect_closed(c, 0);
        close(peer);
    }
    close_system();
}

/* B24: it may be that the kernel does not find what is to be cancelled although it has it. It is asked again, as often as
 * need be. */
Test(uring, a_cancel_that_finds_nothing_is_asked_again)
{
    int peer;
    open_scripted((struct script){ .code = IORING_OP_ASYNC_CANCEL, .times = 3, .result = -ENOENT });
    tr_ref c = connected_pair(&peer, NULL);
    for (int i = 0; i < 2; i++) { /* it has heard that its owner is connected, and it receives */
        act(INFO, c);
        expect(tr_tcp_info);
    }
    act(ABORT, c);
    expect_closed(c, 0);
    cr_assert_geq(seen, 4, "asked %u times", seen);
    close(peer);
    close_system();
}

/* Each pause wants the receive cancelled: once is enough, and the answer is to that one. */
Test(uring, one_operation_is_cancelled_once)
{
    int peer;
    open_scripted((struct script){ .code = IORING_OP_ASYNC_CANCEL });
    tr_ref c = connected_pair(&peer, NULL);
    for (unsigned i = 1; i <= 20; i++) {
        for (int k = 0; k < 5; k++)
            act(WINDOW, c, .a = 0);
        act(WINDOW, c, .a = 1000);
        peer_send(peer, "x", 1);
        expect_data(c, "x");
        cr_assert_leq(seen, i, "%u cancels of %u operations", seen, i);
    }
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

/* It may be that the kernel says that a connection was made when the attempt is only over. */
Test(uring, a_connection_without_a_peer_is_none)
{
    tr_address address;
    int listener = peer_listen(&address);
    open_scripted((struct script){ .code = IORING_OP_CONNECT, .times = 1, .result = 0 });
    connect_to(&address);
    cr_assert_lt(tr_body(tr_tcp_failed, expect(tr_tcp_failed))->reason, 0);
    close(listener);
    close_system();
}

Test(uring, an_error_of_a_connection_ends_it)
{
    int peer;
    open_scripted((struct script){ .code = IORING_OP_RECV, .times = 1, .result = -EHOSTUNREACH });
    tr_ref c = connected_pair(&peer, NULL);
    expect_closed(c, TR_EHOSTUNREACH);
    close(peer);
    close_system();
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

/* As under a limit of what may be locked in memory, for one's rings count. */
Test(uring, where_large_rings_cannot_be_had_small_ones_serve)
{
    rings.entries = 64;
    open_scripted((struct script){ .times = 0 });
    talk();
    close_system();
}

Test(uring, where_rings_cannot_be_had_epoll_serves_and_nobody_complains)
{
    if (tri_uring_check())
        cr_skip_test("no io_uring is to be had here");
    unsetenv("TROUPE_PORT");
    for (unsigned good = 0; good < 3; good++) { /* and if it is only the last of three workers that has none */
        rings.entries = 16;
        rings.good = good;
        capture_log(TR_LOG_WARNING);
        open_system_with((tr_options){ .workers = 3 });
        talk();
        close_system();
        cr_assert_eq(captured.used, 0, "%s", captured.text);
    }
    capture_log(TR_LOG_INFO);
    open_system(1);
    close_system();
    expect_logged("port epoll, 1 workers");
    cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .port = "uring" }), TR_ENOMEM); /* who asks for it is told */
    expect_logged("port uring of worker 0: out of memory");
}

/* ---- entering ---------------------------------------------------------------------------------------------------- */

static void enter_in_vain(void)
{
    start_script((struct script){ .code = ENTER, .times = UINT_MAX, .result = -EPERM });
    tr_run(&(tr_options){ .actor = &quiet_root, .workers = 1, .port = "uring" });
}

Test(uring, a_wait_that_fails_is_named_and_ends_the_process)
{
    if (tri_uring_check())
        cr_skip_test("no io_uring is to be had here");
    expect_panic(enter_in_vain, "port uring of worker 0: io_uring_enter: operation not permitted");
}

Test(uring, a_wait_that_is_interrupted_or_short_of_memory_is_repeated)
{
    static const int results[] = { -EINTR, -EAGAIN, -EBUSY, -ENOMEM };
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        open_scripted((struct script){ .code = ENTER, .times = 20, .result = results[i] });
        talk();
        close_system();
        cr_assert_gt(seen, 20);
    }
}
