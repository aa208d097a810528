/* iocp.h: what the files of the IOCP backend share. */
#ifndef TRI_IOCP_H
#define TRI_IOCP_H

#include "io/net.h"
#include "mailbox/error_windows.h"

#include <troupe/error.h>

#include <mswsock.h>

/* Winsock is started and its extensions are looked up, once a process: 0 or an error. Any thread. */
int tri_winsock_start(void);

extern LPFN_ACCEPTEX tri_accept_ex;
extern LPFN_CONNECTEX tri_connect_ex;

/* Whether sockets of this system may complete at once without a packet: all that provide them keep the promise. */
extern bool tri_winsock_skips;

/* Troupe's value for what WSAGetLastError or GetLastError has answered; 0 for 0. */
static inline int tri_winsock_error(DWORD error)
{
    return error ? tri_error_from_win32(error) : 0;
}

#endif
