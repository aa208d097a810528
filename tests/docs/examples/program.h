/*
 * program.h: an example, run as the program it is, and plain sockets as its clients.
 */
#ifndef TROUPE_TESTS_PROGRAM_H
#define TROUPE_TESTS_PROGRAM_H

#include "tests/os.h"
#include "tests/patience.h"
#include "tests/sanitized.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SOON_MS (patience_s() * 1000) /* a time limit that is only ever reached when something is wrong */

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

#if defined(_WIN32)
#include "process_windows.h"
#else
#include "process_posix.h"
#endif

struct program {
    struct process process;
    size_t length; /* of what has been read and not been asked for */
    char text[65536];
};

/* Starts one of the examples. The arguments are separated by spaces. */
static inline void program_start(struct program *p, const char *name, const char *arguments)
{
    set_environment("TROUPE_LOG", NULL); /* what a program says by itself is what is tested */
    p->length = 0;
    process_start(&p->process, name, arguments);
}

/* How much is left until then; at least 0. */
static inline int ms_until(int64_t deadline)
{
    int64_t now = now_ms();
    return deadline > now ? (int)(deadline - now) : 0;
}

/* Reads what comes, until the end; false when it takes too long. */
static inline bool read_all(struct stream *from, char *text, size_t size)
{
    size_t length = 0;
    int64_t deadline = now_ms() + SOON_MS;
    for (long got = 1; got > 0 && length < size - 1;) {
        got = stream_read(from, text + length, size - 1 - length, ms_until(deadline));
        length += got > 0 ? (size_t)got : 0;
        text[length] = 0;
        if (got < 0)
            return false;
    }
    return true;
}

/* Waits for its end: the exit code. */
static inline int program_wait(struct program *p)
{
    char rest[4096];
    int64_t deadline = now_ms() + SOON_MS;
    for (long got = 1; got > 0;) { /* its end closes the pipe */
        got = stream_read(&p->process.out, rest, sizeof rest, ms_until(deadline));
        cr_assert(got >= 0, "the program does not end");
    }
    return process_wait(&p->process);
}

/* Sends it SIGINT or SIGTERM, or what is like them. */
static inline void program_signal(struct program *p, int number)
{
    process_signal(&p->process, number);
}

static inline int program_stop(struct program *p)
{
    program_signal(p, SIGTERM);
    return program_wait(p);
}

/* Runs it to its end: the exit code, and what it wrote to standard output and to standard error. */
static inline int program_run(const char *name, const char *arguments, char *out, size_t out_size, char *err, size_t err_size)
{
    struct program p;
    program_start(&p, name, arguments);
    cr_assert(read_all(&p.process.out, out, out_size), "%s %s does not end: %s", name, arguments, out);
    cr_assert(read_all(&p.process.err, err, err_size), "%s %s does not end", name, arguments);
    return program_wait(&p);
}

/* Waits until standard output holds this text, and answers what follows it; that, too, stays there. */
static inline const char *program_says(struct program *p, const char *text)
{
    int64_t deadline = now_ms() + SOON_MS;
    for (;;) {
        p->text[p->length] = 0;
        const char *at = strstr(p->text, text);
        if (at && strchr(at, '\n'))
            return at + strlen(text);
        long got = stream_read(&p->process.out, p->text + p->length, sizeof p->text - 1 - p->length, ms_until(deadline));
        cr_assert(got >= 0, "nobody says '%s'", text);
        cr_assert(got > 0, "the program has ended and not said '%s'", text);
        p->length += (size_t)got;
    }
}

/* The port it listens on; it was told to choose one. */
static inline uint16_t program_port(struct program *p)
{
    const char *at = program_says(p, "listening on ");
    return (uint16_t)atoi(strrchr(at, ':') + 1);
}

static inline void program_serve(struct program *p, const char *name, const char *arguments, uint16_t *port)
{
    program_start(p, name, arguments);
    *port = program_port(p);
}

/* The most memory that the process has had, in KiB. */
static inline long program_peak_kb(const struct program *p)
{
    return process_peak_kb(&p->process);
}

/* What must be right of every example that listens: `good` are arguments with which it would run, of which the first is
 * the address. */
static inline void check_command_line(const char *name, const char *const (*cases)[2])
{
    char out[8192], err[8192];
    cr_assert_eq(program_run(name, "--help", out, sizeof out, err, sizeof err), 0);
    cr_assert(strncmp(out, "usage: ", 7) == 0 && strstr(out, name), "no help: %s", out);
    cr_assert_str_eq(err, "");
    for (; (*cases)[0]; cases++) {
        int code = program_run(name, (*cases)[0], out, sizeof out, err, sizeof err);
        cr_assert_eq(code, 2, "%s %s: exit code %d", name, (*cases)[0], code);
        cr_assert_str_eq(out, "");
        cr_assert(strncmp(err, name, strlen(name)) == 0, "%s %s: %s", name, (*cases)[0], err);
        cr_assert(strstr(err, (*cases)[1]), "%s %s: %s", name, (*cases)[0], err);
    }
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static inline struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Calls on it fail when they take too long. */
static inline void limit_time(int fd)
{
    struct timeval limit = { .tv_sec = SOON_MS / 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* buffer_bytes: of the kernel's buffers; 0: as it likes. Refused: -1. */
static inline int try_to_connect(uint16_t port, int buffer_bytes)
{
    struct sockaddr_in to = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    limit_time(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (buffer_bytes) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    cr_assert_eq(errno, ECONNREFUSED, "connect: %s", strerror(errno));
    close(fd);
    return -1;
}

static inline int connect_to(uint16_t port, int buffer_bytes)
{
    int fd = try_to_connect(port, buffer_bytes);
    cr_assert(fd >= 0, "refused");
    return fd;
}

static inline int listen_here(uint16_t *port, int buffer_bytes)
{
    struct sockaddr_in at = loopback(0);
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (buffer_bytes) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    }
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(fd, 100), 0);
    getsockname(fd, (struct sockaddr *)&at, &length);
    *port = ntohs(at.sin_port);
    limit_time(fd);
    return fd;
}

static inline int accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(fd >= 0, "accept: %s", strerror(errno));
    limit_time(fd);
    return fd;
}

static inline void send_text(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text), "send: %s", strerror(errno));
}

/* What comes next has to be this text. */
#define expect_text(fd, text) expect_text_((fd), (text), __LINE__)
static inline void expect_text_(int fd, const char *text, int line)
{
    char got[4096];
    size_t length = strlen(text);
    size_t have = 0;
    for (ssize_t n = 1; n > 0 && have < length; have += (size_t)n) { /* Wine 8 has no MSG_WAITALL */
        n = recv(fd, got + have, length - have, 0);
        cr_assert(n >= 0, "line %d: instead of '%s': %s", line, text, strerror(errno));
    }
    got[have] = 0;
    cr_assert_str_eq(got, text, "line %d: '%s' came, not '%s'", line, got, text);
}

/* And then the stream has to end. */
#define expect_end(fd) expect_end_((fd), __LINE__)
static inline void expect_end_(int fd, int line)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    cr_assert_eq(n, 0, "line %d: instead of the end of the stream: %s", line, n < 0 ? strerror(errno) : "more of it");
}

/* Wine sees a reset as the end, unless it came while somebody waited. */
#define expect_reset(fd) expect_reset_((fd), __LINE__)
static inline void expect_reset_(int fd, int line)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n == 0 && is_wine())
        return;
    cr_assert(n < 0 && errno == ECONNRESET, "line %d: no reset, but %zd, %s", line, n, n < 0 ? strerror(errno) : "");
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

/* The byte at this place of the stream number `seed`. */
static inline char byte_at(uint64_t seed, uint64_t place)
{
    uint64_t x = (place + seed * 1000003) * 0x9e3779b97f4a7c15;
    return (char)(x >> 56);
}

static inline void fill(uint64_t seed, uint64_t place, char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(seed, place + i);
}

/* Sends as much of the stream, from *place up to `end`, as is taken at once; in odd chunks. False when nothing was. */
static inline bool send_some(int fd, uint64_t seed, uint64_t *place, uint64_t end)
{
    static const size_t chunks[] = { 1, 2, 3, 7, 61, 997, 8191, 16384, 65521 };
    char bytes[65536];
    size_t size = chunks[((*place + 1) * 0x9e3779b97f4a7c15 >> 32 & 0xffff) % (sizeof chunks / sizeof chunks[0])];
    if (size > end - *place)
        size = end - *place;
    fill(seed, *place, bytes, size);
    ssize_t sent = size ? send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    cr_assert(sent >= 0 || errno == EAGAIN, "send: %s", strerror(errno));
    *place += sent > 0 ? (uint64_t)sent : 0;
    return sent > 0;
}

/* Receives what is there and compares it with the stream. False at its end, or when nothing is there. */
static inline bool receive_some(int fd, uint64_t seed, uint64_t *place)
{
    char bytes[65536], right[65536];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    cr_assert(got >= 0 || errno == EAGAIN, "receive: %s", strerror(errno));
    if (got <= 0)
        return false;
    fill(seed, *place, right, (size_t)got);
    cr_assert_eq(memcmp(bytes, right, (size_t)got), 0, "wrong bytes after %lu", (unsigned long)*place);
    *place += (uint64_t)got;
    return true;
}

/* Pumps the stream `seed` of `size` bytes into one socket and out of another (or the same), to its last byte. */
static inline void pump(int from, int to, uint64_t seed, uint64_t size)
{
    uint64_t sent = 0, received = 0;
    while (received < size) {
        struct pollfd both[2] = { { .fd = to, .events = POLLIN }, { .fd = from, .events = sent < size ? POLLOUT : 0 } };
        cr_assert(poll(both, 2, SOON_MS) > 0, "stalled: %lu bytes sent, %lu received", (unsigned long)sent,
            (unsigned long)received);
        if (both[1].revents & POLLOUT)
            send_some(from, seed, &sent, size);
        if (both[0].revents)
            cr_assert(receive_some(to, seed, &received), "the stream ended after %lu bytes", (unsigned long)received);
    }
}

#endif
