/*
 * socket.h: what is asked of a socket directly, without a port.
 *
 * None of these block. Errors are Troupe's. Any thread.
 */
#ifndef TRI_SOCKET_H
#define TRI_SOCKET_H

#include "io/address.h"
#include "io/shortage.h"
#include "mailbox/compiler.h"

#include <troupe/error.h>

#include <ck_pr.h>
#include <stdbool.h>

typedef int tri_fd;
enum { TRI_NO_FD = -1 };

/* The sockets of the system, and those of a simulation, whose descriptors begin where no system's are. */
struct tri_socket_class {
    tri_fd (*open_tcp)(const tr_address *address);
    tri_fd (*open_listening)(const tr_address *address, int backlog, bool reuse_port);
    int (*bind_to)(tri_fd fd, const tr_address *address);
    tr_address (*local_of)(tri_fd fd);
    tr_address (*remote_of)(tri_fd fd);
    int (*set_nodelay)(tri_fd fd, bool on);
    int (*set_keepalive)(tri_fd fd, int64_t after_ns);
    int (*set_buffers)(tri_fd fd, int send_bytes, int receive_bytes);
    int (*shut_down)(tri_fd fd);
    void (*reset_on_close)(tri_fd fd);
    int64_t (*left)(tri_fd fd, bool *all);
    int (*adopt)(tri_fd fd);
    void (*close_it)(tri_fd fd);
    tri_fd (*accept_one)(tri_fd fd); /* non-blocking and close-on-exec: the descriptor, or an error; TR_EAGAIN when there is
                                      * none. NULL: only a port can accept */
    bool inherits;                   /* what is accepted has the options of the listening socket */
};

enum { TRI_SIM_FD = 1 << 30 };

extern const struct tri_socket_class tri_sockets_of_system, tri_sockets_of_simulation;

/* Whether this process simulates: then new sockets are simulated, and no others are adopted. */
bool tri_sockets_simulated(void);

static inline const struct tri_socket_class *tri_socket_class(tri_fd fd)
{
    return fd < TRI_SIM_FD ? &tri_sockets_of_system : &tri_sockets_of_simulation;
}

static inline const struct tri_socket_class *tri_socket_class_here(void)
{
    return tri_sockets_simulated() ? &tri_sockets_of_simulation : &tri_sockets_of_system;
}

/* A non-blocking, close-on-exec TCP socket of the address's family: the descriptor, or an error. */
static inline tri_fd tri_socket_tcp(const tr_address *address)
{
    return tri_socket_class_here()->open_tcp(address);
}

/* A socket that is bound and listens: the descriptor, or an error. */
static inline tri_fd tri_socket_listen(const tr_address *address, int backlog, bool reuse_port)
{
    return tri_socket_class_here()->open_listening(address, backlog, reuse_port);
}

/* To connect from there. */
static inline int tri_socket_bind(tri_fd fd, const tr_address *address)
{
    return tri_socket_class(fd)->bind_to(fd, address);
}

/* Both ends; unspecified when the system does not say. */
static inline tr_address tri_socket_local(tri_fd fd)
{
    return tri_socket_class(fd)->local_of(fd);
}

static inline tr_address tri_socket_remote(tri_fd fd)
{
    return tri_socket_class(fd)->remote_of(fd);
}

static inline int tri_socket_nodelay(tri_fd fd, bool on)
{
    return tri_socket_class(fd)->set_nodelay(fd, on);
}

/* A peer that does not answer so many probes, a so many-th part of the time apart (but a second at least), is gone. Windows
 * knows no other number. */
enum { TRI_KEEPALIVES = 10 };

static inline int tri_socket_keepalive(tri_fd fd, int64_t after_ns) /* 0: off */
{
    return tri_socket_class(fd)->set_keepalive(fd, after_ns);
}

static inline int tri_socket_buffers(tri_fd fd, int send_bytes, int receive_bytes) /* 0: as it is */
{
    return tri_socket_class(fd)->set_buffers(fd, send_bytes, receive_bytes);
}

/* No more is sent; the peer reads the end after what was sent. */
static inline int tri_socket_shutdown(tri_fd fd)
{
    return tri_socket_class(fd)->shut_down(fd);
}

/* A number that changes when bytes have left that were sent, as their receiver has them, and whether all have; TR_ENOTSUP when
 * the system does not say. */
static inline int64_t tri_socket_left(tri_fd fd, bool *all)
{
    *all = true;
    return tri_socket_class(fd)->left(fd, all);
}

/* The close that follows will reset the connection rather than end it. */
static inline void tri_socket_reset_on_close(tri_fd fd)
{
    tri_socket_class(fd)->reset_on_close(fd);
}

/* Makes a descriptor of the program's fit for a port: 0; TR_ENOTSOCK; TR_EINVAL when it is not a connected stream;
 * TR_ENOTSUP when it is a real one in a simulation. */
static inline int tri_socket_adopt(tri_fd fd)
{
    return tri_sockets_simulated() && fd < TRI_SIM_FD ? TR_ENOTSUP : tri_socket_class(fd)->adopt(fd);
}

static inline void tri_socket_close(tri_fd fd)
{
    tri_socket_class(fd)->close_it(fd);
    if (tri_unlikely(ck_pr_load_32(&tri_shortage_waiting)))
        tri_shortage_over();
}

/* For ports: accept_one of the system's sockets. */
tri_fd tri_socket_accept(tri_fd fd);

/* For ports: how an attempt to connect stands: 0 when there is a peer; TR_EAGAIN while it is under way; or why it has
 * failed. What a port is told is not enough: it may be that the socket is only no longer connecting. And to be connected with
 * itself, as may happen to who calls a port of this host from which nobody answers, is to be refused. */
int tri_socket_connected(tri_fd fd);

#endif
