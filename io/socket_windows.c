/*
 * A socket's handle fits in an int: Windows promises that of all handles, for the sake of 32-bit programs.
 */
#include "io/iocp.h"
#include "io/socket.h"

#include <mstcpip.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

LPFN_ACCEPTEX tri_accept_ex;
LPFN_CONNECTEX tri_connect_ex;
bool tri_winsock_skips;

static SOCKET socket_of(tri_fd fd)
{
    return (SOCKET)(unsigned)fd;
}

static int last_error(void)
{
    return tri_winsock_error((DWORD)WSAGetLastError());
}

static int result_of(int answer)
{
    return answer ? last_error() : 0;
}

static int set(tri_fd fd, int level, int name, int value)
{
    return result_of(setsockopt(socket_of(fd), level, name, (const char *)&value, sizeof value));
}

/* ---- Winsock ----------------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_error;

static int extension(SOCKET socket, GUID guid, void *function, DWORD size)
{
    DWORD bytes;
    return result_of(
        WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid, function, size, &bytes, NULL, NULL));
}

/* Only the handles of the system itself keep the promise that no packet comes after a success. A program can be given
 * others by what is layered above TCP, for one family and not for the other: so all are looked at. */
static bool skips(void)
{
    int protocols[] = { IPPROTO_TCP, 0 };
    DWORD size = 0;
    WSAEnumProtocolsW(protocols, NULL, &size); /* says the size */
    WSAPROTOCOL_INFOW *all = malloc(size + 1);
    int count = all ? WSAEnumProtocolsW(protocols, all, &size) : 0;
    bool keep = count > 0;
    for (int i = 0; i < count; i++)
        keep = keep && all[i].dwServiceFlags1 & XP1_IFS_HANDLES;
    free(all);
    return keep;
}

static void start_winsock(void)
{
    WSADATA data;
    start_error = tri_winsock_error((DWORD)WSAStartup(MAKEWORD(2, 2), &data));
    if (start_error)
        return;
    SOCKET socket = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    start_error = socket == INVALID_SOCKET ? last_error() : 0;
    if (!start_error)
        start_error = extension(socket, (GUID)WSAID_ACCEPTEX, &tri_accept_ex, sizeof tri_accept_ex);
    if (!start_error)
        start_error = extension(socket, (GUID)WSAID_CONNECTEX, &tri_connect_ex, sizeof tri_connect_ex);
    tri_winsock_skips = !start_error && skips();
    if (socket != INVALID_SOCKET)
        closesocket(socket);
}

int tri_winsock_start(void)
{
    pthread_once(&once, start_winsock);
    return start_error;
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static bool is_loopback(const tr_address *address)
{
    static const uint8_t ipv6[16] = { [15] = 1 };
    return address->family == TR_IPV6 ? memcmp(address->bytes, ipv6, sizeof ipv6) == 0 : address->bytes[0] == 127;
}

/* A refusal is an answer: without this a SYN is sent again and again for two seconds to a port of this host where nobody
 * listens, and what routers say of others is not listened to. Where it cannot be set, so be it. */
static void fail_at_once(SOCKET socket, const tr_address *address)
{
    enum { FAIL_ON_ICMP_ERROR = 18, NO_MORE_SYNS = 0xfe, UNSPECIFIED_RTT = 0xffff }; /* not all in this <mstcpip.h> */
    struct {
        USHORT rtt;
        UCHAR syns;
    } once_only = { UNSPECIFIED_RTT, NO_MORE_SYNS };
    DWORD bytes, on = 1;
    setsockopt(socket, IPPROTO_TCP, FAIL_ON_ICMP_ERROR, (const char *)&on, sizeof on);
    if (is_loopback(address))
        WSAIoctl(socket, _WSAIOW(IOC_VENDOR, 17), &once_only, sizeof once_only, NULL, 0, &bytes, NULL, NULL);
}

static tri_fd open_tcp(const tr_address *address)
{
    int family = address->family == TR_IPV6 ? AF_INET6 : AF_INET;
    SOCKET socket = WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (socket == INVALID_SOCKET)
        return last_error();
    fail_at_once(socket, address);
    return (tri_fd)socket;
}

static int bind_to(tri_fd fd, const tr_address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = tri_address_to_system(address, &storage);
    int error = result_of(bind(socket_of(fd), (struct sockaddr *)&storage, length));
    return error == TR_EACCES ? TR_EADDRINUSE : error; /* somebody has it for himself */
}

/* Windows holds 200 for every larger number, and refuses who comes then, unless it is asked for more in this way. */
static int backlog_of(int wanted)
{
    return wanted > 200 ? -wanted : wanted; /* SOMAXCONN_HINT, which this <winsock2.h> lacks */
}

/* SO_REUSEADDR is not set: here it would let another program take the address over. And one that sets it is kept out. */
static tri_fd open_listening(const tr_address *address, int backlog, bool reuse_port)
{
    tri_fd fd = reuse_port ? TR_ENOTSUP : open_tcp(address);
    if (fd < 0)
        return fd;
    int error = set(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
    if (!error && address->family == TR_IPV6)
        error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!error)
        error = bind_to(fd, address);
    if (!error)
        error = result_of(listen(socket_of(fd), backlog_of(backlog)));
    if (!error)
        return fd;
    closesocket(socket_of(fd));
    return error;
}

static tr_address local_of(tri_fd fd)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    getsockname(socket_of(fd), (struct sockaddr *)&storage, &length); /* on failure the family stays 0 */
    return tri_address_from_system(&storage);
}

static tr_address remote_of(tri_fd fd)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    getpeername(socket_of(fd), (struct sockaddr *)&storage, &length);
    return tri_address_from_system(&storage);
}

int tri_socket_connected(tri_fd fd)
{
    tr_address remote = remote_of(fd), local = local_of(fd);
    if (!remote.family)
        return TR_ENOTCONN;
    return tr_address_eq(&local, &remote) ? TR_ECONNREFUSED : 0;
}

static int set_nodelay(tri_fd fd, bool on)
{
    return set(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

static int set_keepalive(tri_fd fd, int64_t after_ns)
{
    int64_t ms = (after_ns + 999999) / 1000000;
    DWORD bytes;
    struct tcp_keepalive values = { .onoff = after_ns > 0, .keepalivetime = ms > INT32_MAX ? INT32_MAX : (ULONG)ms };
    values.keepaliveinterval = values.keepalivetime / TRI_KEEPALIVES < 1000 ? 1000 : values.keepalivetime / TRI_KEEPALIVES;
    return result_of(WSAIoctl(socket_of(fd), SIO_KEEPALIVE_VALS, &values, sizeof values, NULL, 0, &bytes, NULL, NULL));
}

static int set_buffers(tri_fd fd, int send_bytes, int receive_bytes)
{
    int error = send_bytes ? set(fd, SOL_SOCKET, SO_SNDBUF, send_bytes) : 0;
    return !error && receive_bytes ? set(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes) : error;
}

static int shut_down(tri_fd fd)
{
    return result_of(shutdown(socket_of(fd), SD_SEND));
}

static void reset_on_close(tri_fd fd)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(socket_of(fd), SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger); /* else the close ends it */
}

static int64_t left(tri_fd fd, bool *all)
{
    (void)fd, (void)all;
    return TR_ENOTSUP;
}

static int adopt(tri_fd fd)
{
    struct sockaddr_storage storage;
    int length = sizeof storage, type = 0, type_length = sizeof type;
    DWORD flags;

    if (!GetHandleInformation((HANDLE)socket_of(fd), &flags))
        return TR_EBADF;
    if (getsockopt(socket_of(fd), SOL_SOCKET, SO_TYPE, (char *)&type, &type_length))
        return last_error();
    if (type != SOCK_STREAM || getpeername(socket_of(fd), (struct sockaddr *)&storage, &length))
        return TR_EINVAL;
    return SetHandleInformation((HANDLE)socket_of(fd), HANDLE_FLAG_INHERIT, 0) ? 0 : tri_winsock_error(GetLastError());
}

/* Or of whatever else a program wanted to be adopted. */
static void close_it(tri_fd fd)
{
    if (closesocket(socket_of(fd)) && WSAGetLastError() == WSAENOTSOCK)
        CloseHandle((HANDLE)socket_of(fd));
}

const struct tri_socket_class tri_sockets_of_system = {
    .open_tcp = open_tcp,
    .open_listening = open_listening,
    .bind_to = bind_to,
    .local_of = local_of,
    .remote_of = remote_of,
    .set_nodelay = set_nodelay,
    .set_keepalive = set_keepalive,
    .set_buffers = set_buffers,
    .shut_down = shut_down,
    .reset_on_close = reset_on_close,
    .left = left,
    .adopt = adopt,
    .close_it = close_it,
};
