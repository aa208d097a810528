/*
 * What the system may answer to a call of the epoll port: calls of workers are wrapped, and fail as a script says.
 *
 * --wrap: epoll_pwait2 epoll_wait recv sendto sendmsg accept4 bind
 */
#include "tests/io/tcp_support.h"

#include <limits.h>
#include <sys/epoll.h>

enum call { NONE, PWAIT2, WAIT, RECV, SENDTO, SENDMSG, ACCEPT, BIND_IPV6 };

/* Set while no system runs. */
static struct script {
    enum call call;  /* this one, and … */
    bool both_waits; /* … if it is WAIT, PWAIT2 too … */
    unsigned after;  /* … but for the first so many … */
    unsigned times;  /* … fails, so often, … */
    int number;      /* … with this errno */
} script;

static unsigned called[BIND_IPV6 + 1];

static bool fails(enum call call)
{
    unsigned before = tri_worker_here ? ck_pr_faa_uint(&called[call], 1) : 0;
    bool meant = call == script.call || (script.both_waits && call == PWAIT2);
    if (!tri_worker_here || !meant || before < script.after || before - script.after >= script.times)
        return false;
    errno = script.number;
    return true;
}

#define WRAP(call, type, name, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return fails(call) ? -1 : __real_##name arguments; \
    }

WRAP(PWAIT2, int, epoll_pwait2,
    (int fd, struct epoll_event *events, int most, const struct timespec *limit, const sigset_t *mask),
    (fd, events, most, limit, mask))
WRAP(WAIT, int, epoll_wait, (int fd, struct epoll_event *events, int most, int ms), (fd, events, most, ms))
WRAP(RECV, ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
WRAP(SENDTO, ssize_t, sendto, (int fd, const void *from, size_t size, int flags, const struct sockaddr *to, socklen_t length),
    (fd, from, size, flags, to, length))
WRAP(SENDMSG, ssize_t, sendmsg, (int fd, const struct msghdr *header, int flags), (fd, header, flags))
WRAP(ACCEPT, int, accept4, (int fd, struct sockaddr *from, socklen_t *length, int flags), (fd, from, length, flags))

WRAP(fd < 0 || address->sa_family != AF_INET6 ? NONE : BIND_IPV6, int, bind,
    (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))

static void open_scripted(struct script what)
{
    script = what;
    memset(called, 0, sizeof called);
    open_system_with((tr_options){ .workers = 1, .port = "epoll" });
}

static int write_two_pieces(tr_self *self, void *arg)
{
    return tr_tcp_write(self, *(tr_ref *)arg, tr_buf_join(tr_buf_copy("he", 2), tr_buf_copy("llo", 3)));
}

/* Both ways, and all calls. */
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

/* ---- waits ------------------------------------------------------------------------------------------------------- */

Test(epoll, where_epoll_pwait2_is_refused_epoll_wait_does)
{
    static const int numbers[] = { ENOSYS, EPERM, EACCES, EINVAL };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        open_scripted((struct script){ .call = PWAIT2, .times = UINT_MAX, .number = numbers[i] });
        talk();
        close_system();
        cr_assert_eq(called[PWAIT2], 1, "%s: called %u times", strerror(numbers[i]), called[PWAIT2]);
        cr_assert_gt(called[WAIT], 0);
    }
}

static void wait_in_vain(void)
{
    script = (struct script){ .call = WAIT, .both_waits = true, .times = UINT_MAX, .number = EBADF };
    tr_run(&(tr_options){ .actor = &quiet_root, .workers = 1, .port = "epoll" });
}

Test(epoll, a_wait_that_fails_is_named_and_ends_the_process)
{
    expect_panic(wait_in_vain, "port epoll of worker 0: epoll_wait: bad descriptor");
}

Test(epoll, a_wait_that_is_interrupted_or_short_of_memory_is_repeated)
{
    static const int numbers[] = { EINTR, ENOMEM };
    for (size_t i = 0; i < 2; i++) {
        open_scripted((struct script){ .call = WAIT, .both_waits = true, .times = 20, .number = numbers[i] });
        talk();
        close_system();
        cr_assert_gt(called[WAIT], 0);
    }
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

/* The port that IPv4 was given may be somebody else's in IPv6. */
Test(epoll, a_star_gets_a_port_that_both_families_have)
{
    tr_ref listener;
    open_scripted((struct script){ .call = BIND_IPV6, .times = 5, .number = EADDRINUSE });
    int before = open_descriptors();
    listener = listen_on("*:0");
    tr_address first = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
    tr_address second = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
    cr_assert_eq(first.family, TR_IPV4);
    cr_assert_eq(second.family, TR_IPV6);
    cr_assert_eq(first.port, second.port);
    expect_descriptors(before + 2);
    act(CLOSE, listener);
    expect_closed(listener, 0);
    expect_descriptors(before);
    close_system();
    cr_assert_eq(called[BIND_IPV6], 6);
}

Test(epoll, but_does_not_look_for_ever)
{
    open_scripted((struct script){ .call = BIND_IPV6, .times = UINT_MAX, .number = EADDRINUSE });
    int before = open_descriptors();
    cr_assert_eq(act(LISTEN, TR_NOBODY, .listen = &(tr_tcp_listen_options){ .addresses = "*:0" }), TR_EADDRINUSE);
    expect_descriptors(before);
    close_system();
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

Test(epoll, an_operation_that_can_be_tried_again_is)
{
    static const struct script scripts[] = {
        { .call = RECV, .number = EINTR },
        { .call = RECV, .number = ENOBUFS },
        { .call = RECV, .number = ENOMEM },
        { .call = SENDTO, .number = EINTR },
        { .call = SENDTO, .number = ENOBUFS },
        { .call = SENDMSG, .number = ENOMEM },
        { .call = ACCEPT, .number = EINTR },
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct script s = scripts[i];
        s.times = 3;
        open_scripted(s);
        talk();
        close_system();
        cr_assert_geq(called[s.call], 4, "script %zu: %u calls", i, called[s.call]);
    }
}

/* Whoever waits for the system to have memory again waits for nothing else: it can be cancelled, and others go on. */
Test(epoll, what_the_system_is_short_of_holds_back_nobody_else)
{
    int first, second;
    open_scripted((struct script){ .call = RECV, .times = UINT_MAX, .number = ENOBUFS });
    tr_ref a = connected_pair(&first, &(tr_tcp_options){ .linger_ns = -1 }); /* the peer's end is not seen either */
    let_it_wait(a);
    peer_send(first, "hello", 5);
    while (ck_pr_load_uint(&called[RECV]) < 3)
        poll(NULL, 0, 1);
    tr_ref b = connected_pair(&second, NULL);
    act(WRITE, b, .bytes = "others", .size = 6);
    peer_expect(second, "others");
    act(CLOSE, a); /* which cancels the receive */
    expect_closed(a, 0);
    close(first);
    close(second);
    close_system();
}

Test(epoll, an_error_of_a_connection_ends_it)
{
    int peer;
    open_scripted((struct script){ .call = RECV, .times = 1, .number = EHOSTUNREACH });
    tr_ref c = connected_pair(&peer, NULL);
    peer_send(peer, "hello", 5);
    expect_closed(c, TR_EHOSTUNREACH);
    close(peer);
    close_system();
}
