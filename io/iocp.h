/* iocp.h: what the files of the IOCP backend share. */
#ifndef TRI_IOCP_H
#define TRI_IOCP_H

#include "io/net.h"
#include "io/port.h"
#include "mailbox/error_windows.h"

#include <troupe/error.h>

#include <mswsock.h>

/* The key of a packet: on it depends what lpOverlapped is. */
enum tri_iocp_key {
    TRI_KEY_OPERATION, /* the OVERLAPPED of an operation */
    TRI_KEY_WAKE,      /* nothing */
    TRI_KEY_WAIT,      /* a struct tri_wait */
    TRI_KEY_JOB,       /* the number of a process; every job has a key of its own, from this one on */
};

/* A port, as far as all files see it. */
struct tri_iocp {
    struct tri_io_port io; /* first */
    HANDLE handle;
    struct tri_job_object *jobs; /* those that are open */
    uintptr_t next_key;          /* of the next job to be opened; none is used twice */
};

/* Posts a packet. It does not fail: while the system is short of memory it tries again, and panics after a second or so.
 * The port is not touched once the packet is posted. Any thread. */
void tri_iocp_post(const struct tri_iocp *port, enum tri_iocp_key key, DWORD bytes, void *subject);

/* A time of 0 or more in milliseconds, rounded up, and never INFINITE. */
static inline DWORD tri_milliseconds(int64_t ns)
{
    int64_t ms = ns / 1000000 + (ns % 1000000 > 0);
    return ms >= INFINITE ? INFINITE - 1 : (DWORD)ms;
}

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
