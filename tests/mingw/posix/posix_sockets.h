/*
 * posix_sockets.h: for tests, the calls of POSIX that deal with sockets, over Winsock. The headers beside it have the names
 * that POSIX gives them, and lead here.
 *
 * A socket is an int, errors are in errno, and what Windows has not (fork, limits) skips the test by name.
 */
#ifndef TROUPE_TESTS_POSIX_SOCKETS_H
#define TROUPE_TESTS_POSIX_SOCKETS_H

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCK_CLOEXEC  0x10000
#define SOCK_NONBLOCK 0x20000
#define MSG_NOSIGNAL  0
#define MSG_DONTWAIT  0x1000000
#define SHUT_RD       SD_RECEIVE
#define SHUT_WR       SD_SEND
#define SHUT_RDWR     SD_BOTH
#define F_GETFD       1
#define F_SETFD       2
#define F_GETFL       3
#define F_SETFL       4
#define FD_CLOEXEC    1
#define O_NONBLOCK    0x800

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static inline int posix_errno(int error)
{
    static const struct {
        int winsock, number;
    } table[] = { { WSAEWOULDBLOCK, EAGAIN }, { WSAETIMEDOUT, EAGAIN }, { WSAECONNRESET, ECONNRESET },
        { WSAECONNABORTED, ECONNRESET }, { WSAECONNREFUSED, ECONNREFUSED }, { WSAENOTSOCK, EBADF }, { WSAEBADF, EBADF },
        { WSAENOTCONN, ENOTCONN }, { WSAESHUTDOWN, EPIPE }, { WSAEADDRINUSE, EADDRINUSE }, { WSAEACCES, EACCES },
        { WSAEINVAL, EINVAL }, { WSAEMFILE, EMFILE }, { WSAEINPROGRESS, EINPROGRESS }, { WSAEALREADY, EALREADY } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].winsock == error)
            return table[i].number;
    return error;
}

/* What a call has answered; on failure its error goes to errno. */
static inline int posix_result(int answer)
{
    if (answer < 0)
        errno = posix_errno(WSAGetLastError());
    return answer;
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static inline void posix_start(void)
{
    static bool started;
    WSADATA data;
    if (!started)
        started = WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

static inline int posix_nonblocking(int fd, bool on)
{
    u_long value = on;
    return posix_result(ioctlsocket((SOCKET)(unsigned)fd, (long)FIONBIO, &value));
}

static inline int posix_socket(int family, int type, int protocol)
{
    posix_start();
    SOCKET s = WSASocketW(family, type & 0xffff, protocol, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    int fd = posix_result(s == INVALID_SOCKET ? -1 : (int)s);
    if (fd >= 0 && type & SOCK_NONBLOCK)
        posix_nonblocking(fd, true);
    return fd;
}

static inline int posix_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags)
{
    SOCKET s = accept((SOCKET)(unsigned)listener, address, length);
    int fd = posix_result(s == INVALID_SOCKET ? -1 : (int)s);
    if (fd < 0)
        return fd;
    SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
    posix_nonblocking(fd, flags & SOCK_NONBLOCK);
    return fd;
}

static inline int posix_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return posix_result(bind((SOCKET)(unsigned)fd, address, length));
}

static inline int posix_listen(int fd, int backlog)
{
    return posix_result(listen((SOCKET)(unsigned)fd, backlog));
}

static inline int posix_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return posix_result(connect((SOCKET)(unsigned)fd, address, length));
}

static inline int posix_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    return posix_result(getsockname((SOCKET)(unsigned)fd, address, length));
}

static inline int posix_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    return posix_result(getpeername((SOCKET)(unsigned)fd, address, length));
}

static inline ssize_t posix_send(int fd, const void *bytes, size_t size, int flags)
{
    if (flags & MSG_DONTWAIT)
        posix_nonblocking(fd, true);
    int sent = posix_result(send((SOCKET)(unsigned)fd, bytes, size > INT_MAX ? INT_MAX : (int)size, flags & ~MSG_DONTWAIT));
    int error = errno;
    if (flags & MSG_DONTWAIT)
        posix_nonblocking(fd, false);
    errno = error;
    return sent;
}

static inline ssize_t posix_recv(int fd, void *bytes, size_t size, int flags)
{
    WSAPOLLFD one = { .fd = (SOCKET)(unsigned)fd, .events = POLLIN };
    if (flags & MSG_DONTWAIT && WSAPoll(&one, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return posix_result(recv((SOCKET)(unsigned)fd, bytes, size > INT_MAX ? INT_MAX : (int)size, flags & ~MSG_DONTWAIT));
}

/* Timeouts are milliseconds here. */
static inline int posix_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    DWORD ms;
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
        const struct timeval *time = value;
        ms = (DWORD)(time->tv_sec * 1000 + time->tv_usec / 1000);
        value = &ms;
        size = sizeof ms;
    }
    return posix_result(setsockopt((SOCKET)(unsigned)fd, level, name, value, size));
}

static inline int posix_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return posix_result(getsockopt((SOCKET)(unsigned)fd, level, name, value, size));
}

static inline int posix_shutdown(int fd, int how)
{
    return posix_result(shutdown((SOCKET)(unsigned)fd, how));
}

static inline int posix_close(int fd)
{
    return posix_result(closesocket((SOCKET)(unsigned)fd) ? -1 : 0);
}

static inline int posix_dup(int fd)
{
    WSAPROTOCOL_INFOW info;
    if (WSADuplicateSocketW((SOCKET)(unsigned)fd, GetCurrentProcessId(), &info))
        return posix_result(-1);
    SOCKET s = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    return posix_result(s == INVALID_SOCKET ? -1 : (int)s);
}

/* Sockets of this process: what else it holds open comes and goes as Windows likes. */
static inline int open_descriptors(void)
{
    enum { HANDLES_MAX = 1 << 14 };
    int count = 0;
    for (unsigned handle = 4; handle < HANDLES_MAX; handle += 4) {
        int type, size = sizeof type;
        count += getsockopt((SOCKET)handle, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;
    }
    return count;
}

/* Of sockets only; what is closed on exec here is not inherited. */
static inline int posix_fcntl(int fd, int command, int argument)
{
    DWORD flags = 0;
    switch (command) {
    case F_SETFL: return posix_nonblocking(fd, argument & O_NONBLOCK);
    case F_SETFD: return 0;
    case F_GETFD:
        if (GetHandleInformation((HANDLE)(uintptr_t)(unsigned)fd, &flags))
            return flags & HANDLE_FLAG_INHERIT ? 0 : FD_CLOEXEC;
        errno = EBADF;
        return -1;
    default: return O_NONBLOCK; /* F_GETFL: not to be known */
    }
}

struct posix_pollfd {
    int fd;
    short events, revents;
};

/* WSAPoll wants at least one. */
static inline int posix_poll(struct posix_pollfd *fds, unsigned count, int ms)
{
    WSAPOLLFD all[64];
    if (count == 0) {
        Sleep((DWORD)ms);
        return 0;
    }
    cr_assert_leq(count, 64u);
    for (unsigned i = 0; i < count; i++)
        all[i] = (WSAPOLLFD){ .fd = (SOCKET)(unsigned)fds[i].fd, .events = fds[i].events };
    int ready = posix_result(WSAPoll(all, count, ms));
    for (unsigned i = 0; i < count; i++)
        fds[i].revents = all[i].revents;
    return ready;
}

static inline int posix_pipe(int ends[2])
{
    HANDLE reader, writer;
    if (!CreatePipe(&reader, &writer, NULL, 4096))
        return -1;
    ends[0] = (int)(intptr_t)reader;
    ends[1] = (int)(intptr_t)writer;
    return 0;
}

/* Whether the reading end is closed, as its writer sees it. */
static inline bool pipe_is_broken(int writer)
{
    DWORD written;
    return !WriteFile((HANDLE)(intptr_t)writer, "x", 1, &written, NULL);
}

/* ---- what Windows has not ---------------------------------------------------------------------------------------- */

typedef unsigned long rlim_t;
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};
enum { RLIMIT_NOFILE, RLIMIT_AS };

static inline struct rlimit leave_descriptors(int count)
{
    (void)count;
    cr_skip_test("Windows sets no limit to the handles of a process");
    return (struct rlimit){ 0 };
}

static inline int posix_fork(void)
{
    cr_skip_test("Windows has no fork");
    return -1;
}

static inline int posix_limit(const struct rlimit *limit)
{
    (void)limit;
    cr_skip_test("Windows sets no limit to the handles of a process");
    return -1;
}

static inline int seteuid(int id)
{
    (void)id;
    cr_skip_test("Windows keeps no port for itself");
    return -1;
}

static inline int geteuid(void)
{
    return 0;
}

static inline int waitpid(int child, int *status, int options)
{
    (void)child, (void)status, (void)options;
    return -1;
}

struct mallinfo2 {
    size_t uordblks, hblkhd;
};

/* The allocator does not tell how much is in use. */
static inline struct mallinfo2 mallinfo2(void)
{
    return (struct mallinfo2){ 0 };
}

#define socket(...)                              posix_socket(__VA_ARGS__)
#define accept4(...)                             posix_accept4(__VA_ARGS__)
#define bind(...)                                posix_bind(__VA_ARGS__)
#define listen(...)                              posix_listen(__VA_ARGS__)
#define connect(...)                             posix_connect(__VA_ARGS__)
#define getsockname(...)                         posix_getsockname(__VA_ARGS__)
#define getpeername(...)                         posix_getpeername(__VA_ARGS__)
#define send(...)                                posix_send(__VA_ARGS__)
#define recv(...)                                posix_recv(__VA_ARGS__)
#define setsockopt(...)                          posix_setsockopt(__VA_ARGS__)
#define getsockopt(...)                          posix_getsockopt(__VA_ARGS__)
#define shutdown(...)                            posix_shutdown(__VA_ARGS__)
#define close(...)                               posix_close(__VA_ARGS__)
#define poll(...)                                posix_poll(__VA_ARGS__)
#define fcntl(fd, ...)                           posix_fcntl_(fd, __VA_ARGS__, 0, 0)
#define posix_fcntl_(fd, command, argument, ...) posix_fcntl((fd), (command), (argument))
#define fork()                                   posix_fork()
#define getrlimit(what, limit)                   posix_limit(limit)
#define setrlimit(what, limit)                   posix_limit(limit)
#define pollfd                                   posix_pollfd
#define pipe(ends)                               posix_pipe(ends)
#define dup(fd)                                  posix_dup(fd)

#endif
