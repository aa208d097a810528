/*
 * socket.h: what is asked of a socket directly, without a port.
 *
 * None of these block. Errors are Troupe's. Any thread.
 */
#ifndef TRI_SOCKET_H
#define TRI_SOCKET_H

#include "io/address.h"

#include <stdbool.h>

typedef int tri_fd;
enum { TRI_NO_FD = -1 };

/* A non-blocking, close-on-exec TCP socket of the address's family: the descriptor, or an error. */
tri_fd tri_socket_tcp(const tr_address *address);

/* A socket that is bound and listens: the descriptor, or an error. */
tri_fd tri_socket_listen(const tr_address *address, int backlog, bool reuse_port);

/* For epoll alone. Accepts one connection, non-blocking and close-on-exec: the descriptor, or an error; TR_EAGAIN when there is none. */
tri_fd tri_socket_accept(tri_fd fd);

int tri_socket_bind(tri_fd fd, const tr_address *address);

/* Both ends; unspecified when the system does not say. */
tr_address tri_socket_local(tri_fd fd);
tr_address tri_socket_remote(tri_fd fd);

int tri_socket_nodelay(tri_fd fd, bool on);
int tri_socket_keepalive(tri_fd fd, int64_t after_ns); /* 0: off */
int tri_socket_buffers(tri_fd fd, int send_bytes, int receive_bytes); /* 0: as it is */

/* For epoll alone. The error that is pending on the socket, which is cleared; 0: none. */
int tri_socket_error(tri_fd fd);

/* No more is sent; the peer reads the end after what was sent. */
int tri_socket_shutdown(tri_fd fd);

/* The close that follows will reset the connection rather than end it. */
void tri_socket_reset_on_close(tri_fd fd);

/* Makes a descriptor of the program's fit for a port: 0; TR_ENOTSOCK; TR_EINVAL when it is not a connected stream. */
int tri_socket_adopt(tri_fd fd);

void tri_socket_close(tri_fd fd);

#endif
