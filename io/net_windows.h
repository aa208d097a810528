#ifndef TRI_NET_WINDOWS_H
#define TRI_NET_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <netioapi.h>

/* A piece of what is sent. */
typedef WSABUF tri_piece;

static inline tri_piece tri_piece_of(const void *bytes, size_t length)
{
    return (tri_piece){ (ULONG)length, (char *)(uintptr_t)bytes };
}

static inline char *tri_piece_bytes(const tri_piece *piece)
{
    return piece->buf;
}

static inline size_t tri_piece_length(const tri_piece *piece)
{
    return piece->len;
}

/* How far a send has come: what is left of its pieces. */
struct tri_send_state {
    uint32_t first; /* the first piece that is not sent whole; what was sent of it is cut off */
};

#endif
