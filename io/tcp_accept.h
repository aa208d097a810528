/*
 * tcp_accept.h: what has been accepted becomes a connection on some worker, and is offered to the listener's owner.
 *
 * A listener accepts at its home, by operations of that worker's port. While a handler holds that worker, another one (see
 * sched/rescue.h) accepts what has come, once a tick of the monitor, by plain calls: an accept armed on every worker would
 * not do, for with io_uring the ring that is held gets every wake-up all the same.
 */
#ifndef TRI_TCP_ACCEPT_H
#define TRI_TCP_ACCEPT_H

#include "io/tcp_connection.h"
#include "sched/rescue.h"

enum { TRI_TCP_SOCKETS_MAX = 8 };

/* What it takes to offer connections: a part of a listener. Constant while `relief` is with its home. */
struct tri_tcp_doors {
    struct tri_relief relief;
    tri_fd fds[TRI_TCP_SOCKETS_MAX];
    uint32_t count;
    bool relieved; /* `relief` is with its home */
    bool stay;     /* connections are the worker's that accepts them */
    tr_ref listener;
    struct tri_owner owner;
    struct tri_tcp_settings *settings;
};

/* Makes a connection of a descriptor, with its home on that worker, and offers it to the owner: 0 or an error; then the
 * descriptor is closed. In a turn or between two. */
int tri_tcp_offer(tr_self *self, struct tri_tcp_doors *doors, tri_fd fd, uint16_t home);

/* From now on connections are accepted while the running worker is held, where that can be done; and not any more: nobody
 * looks at the doors then. */
void tri_tcp_relieve(tr_self *self, struct tri_tcp_doors *doors);
void tri_tcp_relieve_no_more(struct tri_worker *worker, struct tri_tcp_doors *doors);

#endif
