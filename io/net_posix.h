#ifndef TRI_NET_POSIX_H
#define TRI_NET_POSIX_H

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A piece of what is sent. */
typedef struct iovec tri_piece;

static inline tri_piece tri_piece_of(const void *bytes, size_t length)
{
    return (tri_piece){ (void *)(uintptr_t)bytes, length };
}

static inline char *tri_piece_bytes(const tri_piece *piece)
{
    return piece->iov_base;
}

static inline size_t tri_piece_length(const tri_piece *piece)
{
    return piece->iov_len;
}

/* How far a send has come: what is left of its pieces. */
struct tri_send_state {
    struct msghdr header;
};

#endif
