/*
 * tcp_support.h: TCP through the probe, and a plain blocking socket as the other side.
 */
#ifndef TROUPE_TESTS_TCP_SUPPORT_H
#define TROUPE_TESTS_TCP_SUPPORT_H

#include "io/address.h"
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what the probe does ----------------------------------------------------------------------------------------- */

enum act {
    CONNECT,
    LISTEN,
    WRITE,
    SHUTDOWN,
    CLOSE,
    ABORT,
    WINDOW,
    MARKS,
    HALF_OPEN,
    TIMEOUTS,
    OWN,
    FLUSH,
    INFO,
    DETACH,
    ADOPT,
    KILL,
    EXIT,
    END_OF_ACTS
};

struct doing {
    enum act act;
    tr_ref who, other;
    const void *bytes;
    size_t size;
    uint32_t a, b;
    int64_t t1, t2;
    const tr_tcp_options *tcp;
    const tr_tcp_listen_options *listen;
    tr_call call;
};

static int do_act(tr_self *self, void *arg)
{
    struct doing *d = arg;
    switch (d->act) {
    case CONNECT: return tr_tcp_connect_(self, &d->who, d->tcp);
    case LISTEN: return tr_tcp_listen_(self, &d->who, d->listen);
    case WRITE: return tr_tcp_write_copy(self, d->who, d->bytes, d->size);
    case SHUTDOWN: return tr_tcp_shutdown(self, d->who);
    case CLOSE: return tr_tcp_close(self, d->who);
    case ABORT: return tr_tcp_abort(self, d->who);
    case WINDOW: return tr_tcp_window(self, d->who, d->a);
    case MARKS: return tr_tcp_marks(self, d->who, d->a, d->b);
    case HALF_OPEN: return tr_tcp_half_open(self, d->who, d->a);
    case TIMEOUTS: return tr_tcp_timeouts(self, d->who, d->t1, d->t2);
    case OWN: return tr_tcp_own(self, d->who, d->other);
    case FLUSH: d->call = tr_tcp_flush(self, d->who, SOON); return 0;
    case INFO: d->call = tr_tcp_ask(self, d->who, SOON); return 0;
    case DETACH: d->call = tr_tcp_detach(self, d->who, SOON); return 0;
    case ADOPT: return tr_tcp_adopt_(self, &d->who, (int)d->a, d->tcp);
    case KILL: tr_kill(self, d->who); return 0;
    case EXIT: tr_exit(self, d->who, (int)d->a); return 0;
    case END_OF_ACTS: break;
    }
    return TR_EFAULT;
}

/* act(CLOSE, connection), act(WRITE, connection, .bytes = "x", .size = 1), … */
#define act(verb, ...) act_((struct doing){ .act = verb, .who = __VA_ARGS__ })
static inline int act_(struct doing d)
{
    return tr_probe_do(probe, do_act, &d);
}

#define listen_on(...) listen_on_(&(tr_tcp_listen_options){ .addresses = __VA_ARGS__ })
static inline tr_ref listen_on_(const tr_tcp_listen_options *options)
{
    struct doing d = { .act = LISTEN, .listen = options };
    cr_assert_eq(tr_probe_do(probe, do_act, &d), 0);
    return d.who;
}

/* Listens on a loopback port and answers the address; options may be NULL. */
static inline tr_address listen_somewhere(tr_ref *listener, const tr_tcp_listen_options *options)
{
    tr_tcp_listen_options copy = options ? *options : (tr_tcp_listen_options){ .addresses = NULL };
    copy.addresses = "127.0.0.1:0";
    *listener = listen_on_(&copy);
    const tr_msg *m = expect(tr_tcp_listening);
    cr_assert(tr_ref_eq(m->from, *listener));
    return tr_body(tr_tcp_listening, m)->address;
}

#define connect_with(address_, ...) connect_with_((address_), &(tr_tcp_options){ .address = NULL, __VA_ARGS__ })
static inline tr_ref connect_with_(const tr_address *address, const tr_tcp_options *options)
{
    char text[TR_ADDRESS_TEXT];
    tr_tcp_options copy = *options;
    copy.address = tr_address_text(address, text);
    struct doing d = { .act = CONNECT, .tcp = &copy };
    cr_assert_eq(tr_probe_do(probe, do_act, &d), 0);
    return d.who;
}

static inline tr_ref connect_to(const tr_address *address)
{
    return connect_with_(address, &(tr_tcp_options){ .address = NULL });
}

/* ---- the other side ---------------------------------------------------------------------------------------------- */

static inline void set_patience(int fd)
{
    struct timeval patience = { .tv_sec = patience_s() };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static inline int peer_connect(const tr_address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = tri_address_to_system(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    set_patience(fd);
    cr_assert_eq(connect(fd, (struct sockaddr *)&storage, length), 0, "connect: %s", strerror(errno));
    return fd;
}

/* receive_bytes: the kernel's buffer of what is accepted; 0: as it chooses. */
static inline int peer_listen_narrow(tr_address *address, int receive_bytes)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    tr_address any;
    tr_address_parse("127.0.0.1:0", &any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    length = tri_address_to_system(&any, &storage);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    cr_assert_eq(bind(fd, (struct sockaddr *)&storage, length), 0);
    cr_assert_eq(listen(fd, 100), 0);
    length = sizeof storage;
    getsockname(fd, (struct sockaddr *)&storage, &length);
    *address = tri_address_from_system(&storage);
    return fd;
}

static inline int peer_listen(tr_address *address)
{
    return peer_listen_narrow(address, 0);
}

/* A listener that does not answer, for its backlog is full: on Linux an attempt to connect stays open. */
static inline int peer_listen_deaf(tr_address *address, int fillers[8])
{
    struct sockaddr_storage storage;
    int listener = peer_listen(address);
    socklen_t length = tri_address_to_system(address, &storage);
    listen(listener, 0);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (struct sockaddr *)&storage, length);
    }
    return listener;
}

static inline void peer_close_deaf(int listener, const int fillers[8])
{
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(listener);
}

static inline int peer_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(fd, 0, "accept: %s", strerror(errno));
    set_patience(fd);
    return fd;
}

static inline void peer_send(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        cr_assert_gt(n, 0, "send: %s", strerror(errno));
        sent += (size_t)n;
    }
}

/* Reads exactly so many bytes. */
static inline void peer_read(int fd, void *bytes, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = recv(fd, (char *)bytes + got, size - got, 0);
        cr_assert_gt(n, 0, "recv after %zu bytes: %s", got, n ? strerror(errno) : "the end");
        got += (size_t)n;
    }
}

static inline void peer_expect(int fd, const char *text)
{
    char bytes[256];
    peer_read(fd, bytes, strlen(text));
    cr_assert_arr_eq(bytes, text, strlen(text));
}

static inline void peer_expect_end(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    cr_assert_eq(n, 0, "recv: %s", n > 0 ? "a byte came" : strerror(errno));
}

/* What recv has answered says that the connection was reset. Wine sees a reset as the end, unless it came while recv
 * waited. */
static inline void peer_was_reset(ssize_t n)
{
    if (n == 0 && is_wine())
        return;
    cr_assert(n < 0 && errno == ECONNRESET, "recv: %zd, %s", n, strerror(errno));
}

static inline void peer_expect_reset(int fd)
{
    char byte;
    peer_was_reset(recv(fd, &byte, 1, 0));
}

/* As for that, the connection shall wait. */
static inline void let_it_wait(tr_ref connection)
{
    act(INFO, connection);
    expect(tr_tcp_info);
    poll(NULL, 0, is_wine() ? 50 : 0);
}

/* Closes with a reset. */
static inline void peer_reset(int fd)
{
    struct linger linger = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

/* Whether nothing can be read right now, and for so many milliseconds. */
static inline bool peer_is_quiet(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, ms) == 0;
}

/* ---- what is expected -------------------------------------------------------------------------------------------- */

static inline void expect_data(tr_ref from, const char *text)
{
    size_t size = strlen(text), got = 0;
    while (got < size) { /* it may come in pieces */
        const tr_msg *m = expect(tr_tcp_data);
        char bytes[1024];
        size_t n = tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, bytes, sizeof bytes);
        cr_assert(tr_ref_eq(m->from, from));
        cr_assert_leq(got + n, size);
        cr_assert_arr_eq(bytes, text + got, n);
        got += n;
    }
}

static inline void expect_closed(tr_ref from, int reason)
{
    const tr_msg *m = expect(tr_tcp_closed);
    cr_assert(tr_ref_eq(m->from, from));
    cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, reason, "closed: %s, not %s",
        tr_error_name(tr_body(tr_tcp_closed, m)->reason), tr_error_name(reason));
}

/* Wine takes a reset for the end, unless a receive waits when it comes: for that, see let_it_wait. */
static inline void expect_closed_by_reset(tr_ref from)
{
    const tr_msg *m = tr_probe_receive(probe, SOON);
    cr_assert_not_null(m);
    if (is_wine() && tr_is(tr_tcp_eof, m)) {
        expect_closed(from, 0);
        return;
    }
    cr_assert(tr_is(tr_tcp_closed, m), "a %s came", m->type->name);
    cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, TR_ECONNRESET);
}

static inline tr_ref connected_pair_(int *peer, const tr_tcp_options *options, int receive_bytes)
{
    tr_address address;
    int listener = peer_listen_narrow(&address, receive_bytes);
    tr_ref connection = connect_with_(&address, options ? options : &(tr_tcp_options){ .address = NULL });
    *peer = peer_accept(listener);
    close(listener);
    const tr_msg *m = expect(tr_tcp_connected);
    cr_assert(tr_ref_eq(m->from, connection));
    cr_assert(tr_address_eq(&tr_body(tr_tcp_connected, m)->remote, &address));
    return connection;
}

/* A connection of the probe's to a plain socket, both connected. */
static inline tr_ref connected_pair(int *peer, const tr_tcp_options *options)
{
    return connected_pair_(peer, options, 0);
}

/* The same with kernel buffers of some kilobytes, so that a writer soon has to wait for the reader. */
#define narrow_pair(...) narrow_pair_(&(tr_tcp_options){ .send_buffer = 4096 }, __VA_ARGS__)
static inline tr_ref narrow_pair_(const tr_tcp_options *options, int *peer)
{
    return connected_pair_(peer, options, 4096);
}

#ifndef _WIN32 /* else tests/mingw/posix has them */
/* Whether the reading end is closed, as its writer sees it. */
static inline bool pipe_is_broken(int writer)
{
    struct pollfd p = { .fd = writer };
    return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

static inline int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Lets the process open so many more descriptors, and answers the old limit. */
static inline struct rlimit leave_descriptors(int count)
{
    struct rlimit old, limit;
    int last = -1, fd;
    struct dirent *entry;
    DIR *dir = opendir("/proc/self/fd");
    while ((entry = readdir(dir)))
        last = (fd = atoi(entry->d_name)) > last ? fd : last;
    closedir(dir);
    while ((fd = dup(2)) < last) /* no holes below */
        ;
    close(fd);
    getrlimit(RLIMIT_NOFILE, &old);
    limit = old;
    limit.rlim_cur = (rlim_t)(fd + count);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return old;
}
#endif

/* What a listener on one address has open, once it has got round to it: on Windows also sockets for those to come. */
static inline int listener_descriptors(unsigned workers)
{
#ifdef _WIN32
    return 1 + 2 * (int)workers;
#else
    (void)workers;
    return 1;
#endif
}

/* Back to so many: the last are perhaps just being closed. */
static inline void expect_descriptors(int count)
{
    for (int tries = 0; open_descriptors() != count; tries++, poll(NULL, 0, 1))
        cr_assert_lt(tries, 10000, "%d descriptors, not %d", open_descriptors(), count);
}

#endif
