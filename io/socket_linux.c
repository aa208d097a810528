#include "io/socket.h"

#include "mailbox/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int result_of(int answer)
{
    return answer < 0 ? tri_error_from_errno(errno) : answer;
}

static int set(tri_fd fd, int level, int name, int value)
{
    return result_of(setsockopt(fd, level, name, &value, sizeof value));
}

static tri_fd open_tcp(const tr_address *address)
{
    int family = address->family == TR_IPV6 ? AF_INET6 : AF_INET;
    return result_of(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int bind_to(tri_fd fd, const tr_address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = tri_address_to_system(address, &storage);
    return result_of(bind(fd, (struct sockaddr *)&storage, length));
}

/* Of a port that the system chooses, which it then does when it knows where to: the same one serves for many destinations. */
static int bind_from(tri_fd fd, const tr_address *address)
{
    if (address->port == 0)
        set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1); /* since Linux 4.2; if it cannot be, so be it */
    return bind_to(fd, address);
}

static tri_fd open_listening(const tr_address *address, int backlog, bool reuse_port)
{
    tri_fd fd = open_tcp(address);
    if (fd < 0)
        return fd;
    int error = set(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* POSIX: does not let two listeners share the port */
    if (!error && address->family == TR_IPV6)
        error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* one for each family, on the same port */
    if (!error && reuse_port)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error)
        error = bind_to(fd, address);
    if (!error)
        error = result_of(listen(fd, backlog));
    if (!error)
        return fd;
    close(fd);
    return error;
}

tri_fd tri_socket_accept(tri_fd fd)
{
    return result_of(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static tr_address local_of(tri_fd fd)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    getsockname(fd, (struct sockaddr *)&storage, &length); /* on failure the family stays 0 */
    return tri_address_from_system(&storage);
}

static tr_address remote_of(tri_fd fd)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    getpeername(fd, (struct sockaddr *)&storage, &length);
    return tri_address_from_system(&storage);
}

static int set_nodelay(tri_fd fd, bool on)
{
    return set(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

static int set_keepalive(tri_fd fd, int64_t after_ns)
{
    int64_t seconds = (after_ns + 999999999) / 1000000000;
    int after = seconds > 32767 ? 32767 : (int)seconds, every = (after + TRI_KEEPALIVES - 1) / TRI_KEEPALIVES;
    int error = set(fd, SOL_SOCKET, SO_KEEPALIVE, after_ns > 0);
    if (!error && after_ns > 0)
        error = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, after);
    if (!error && after_ns > 0)
        error = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, every);
    if (!error && after_ns > 0)
        error = set(fd, IPPROTO_TCP, TCP_KEEPCNT, TRI_KEEPALIVES);
    return error;
}

static int set_buffers(tri_fd fd, int send_bytes, int receive_bytes)
{
    int error = send_bytes ? set(fd, SOL_SOCKET, SO_SNDBUF, send_bytes) : 0;
    return !error && receive_bytes ? set(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes) : error;
}

int tri_socket_connected(tri_fd fd)
{
    tr_address remote = remote_of(fd), local;
    int number = 0;
    socklen_t length = sizeof number;
    if (remote.family) {
        local = local_of(fd);
        return tr_address_eq(&local, &remote) ? TR_ECONNREFUSED : 0;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) < 0)
        number = errno;
    if (number)
        return tri_error_from_errno(number);
    struct pollfd over = { .fd = fd, .events = POLLOUT };
    return poll(&over, 1, 0) > 0 ? TR_ECONNABORTED : TR_EAGAIN;
}

static int shut_down(tri_fd fd)
{
    return result_of(shutdown(fd, SHUT_WR));
}

static void reset_on_close(tri_fd fd)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger); /* if it cannot be, the close ends it */
}

static int64_t left(tri_fd fd, bool *all)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    int waiting;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && length > offsetof(struct tcp_info, tcpi_notsent_bytes)) {
        *all = info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0;
        return (int64_t)info.tcpi_bytes_acked;
    }
    if (ioctl(fd, SIOCOUTQ, &waiting) < 0) /* of a socket of another family */
        return TR_ENOTSUP;
    *all = waiting == 0;
    return waiting;
}

static int adopt(tri_fd fd)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int type = 0;
    socklen_t type_length = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) < 0)
        return result_of(-1);
    if (type != SOCK_STREAM || getpeername(fd, (struct sockaddr *)&storage, &length) < 0)
        return TR_EINVAL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return result_of(-1);
    return 0;
}

static void close_it(tri_fd fd)
{
    close(fd);
}

const struct tri_socket_class tri_sockets_of_system = {
    .open_tcp = open_tcp,
    .open_listening = open_listening,
    .bind_to = bind_from,
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
    .accept_one = tri_socket_accept,
    .inherits = true,
};
