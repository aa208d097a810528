/*
 * net.h: the simulated network: sockets, and connections between them.
 *
 * A connection is two pipes. What is sent becomes a segment, which is on its way for a time that is drawn, behind those
 * sent before, and then has arrived; a pipe holds at most its window of bytes. The end of a stream and a reset travel in
 * the same way. While two hosts have lost each other (or the connection is dead) a segment is sent again and again, until
 * its sender gives up.
 *
 * These calls answer as those of a kernel do: a count, or an error, TR_EAGAIN when it would block. When that changes the
 * socket's port is told, see port.h.
 */
#ifndef TRI_NET_SIM_H
#define TRI_NET_SIM_H

#include "io/sim/world.h"

enum { TRI_SIM_WINDOW = 65536 };

enum tri_sim_state { TRI_SIM_FRESH, TRI_SIM_LISTENING, TRI_SIM_CONNECTING, TRI_SIM_CONNECTED, TRI_SIM_FAILED };

struct tri_sim_segment {
    struct tri_sim_segment *next;
    int64_t at;
    enum { TRI_SIM_DATA, TRI_SIM_FIN, TRI_SIM_RST } kind;
    uint32_t length, taken;
    char bytes[];
};

struct tri_sim_pipe {
    struct tri_sim_connection *connection;
    struct tri_sim_socket *writer, *reader; /* NULL: closed */
    struct tri_sim_segment *flight, **flight_end;
    struct tri_sim_segment *arrived, **arrived_end;
    struct tri_event arrival; /* of the first in flight */
    int64_t last_at;          /* when the last in flight is to arrive */
    int64_t stuck;            /* since when it is sent again and again; 0: it is not */
    uint32_t bytes, window;   /* in flight and arrived; and how many can be */
    bool fin;                 /* has arrived */
    bool in_order;            /* its writer has closed, and wanted all of it to arrive */
};

struct tri_sim_connection {
    struct tri_sim_pipe pipes[2]; /* from the one who connected, and to him */
    struct tri_sim_node *ends[2];
    int64_t latency_ns;
    bool dead;
    bool crashed; /* one of its hosts has: what comes there is answered with a reset, when the host is up again */
};

struct tri_sim_socket {
    tri_fd fd;
    enum tri_sim_state state;
    struct tri_sim_world *world;
    struct tri_sim_node *node;
    tr_address local, remote;
    struct tri_sim_pipe *out, *in;     /* of a connection */
    int error;                         /* reading and writing fail with it */
    bool resets, shut, reuse, counted; /* counted: it is a descriptor of its host's */
    bool bound;                        /* its local address is its own, not its listener's */
    bool first;                        /* it has ended its stream before its peer did */
    bool in_order;                     /* it is closed in order: its peer is not to lose anything */
    int64_t keepalive_ns;
    struct tri_event handshake; /* of a connect; or keepalive */
    unsigned tries;

    struct tri_sim_socket *queue, **queue_end; /* LISTENING: who waits to be accepted */
    unsigned queued, backlog;
    struct tri_sim_socket *next; /* in that queue */

    /* the port's */
    struct tri_endpoint *endpoint;
    struct tri_sim_port *port;
    struct tri_sim_socket *next_listed;
    bool listed;
    bool tried;             /* a connect: its outcome is to be told */
    struct tri_op *writing; /* the SEND or CONNECT in flight */
    size_t sent;            /* bytes of it */
    struct tri_event later; /* it is not listed before that */
    struct tri_sim_script *script;
    struct tri_ledger *ledger; /* of the connection whose it is */
};

struct tri_sim_socket *tri_sim_socket_of(tri_fd fd);

int tri_sim_connect(struct tri_sim_socket *socket, const tr_address *remote);
int tri_sim_accept(struct tri_sim_socket *socket);
int tri_sim_receive(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count);
int tri_sim_send(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count, size_t skip);

/* A new socket of a host, which is none of its descriptors yet. */
struct tri_sim_socket *tri_sim_socket_new(struct tri_sim_node *node);
void tri_sim_socket_close(struct tri_sim_socket *socket);

/* Both ends of a connection are made at once, for what is accepted and for scripts. */
void tri_sim_join(struct tri_sim_socket *a, struct tri_sim_socket *b);

/* The first connection that waits is gone, as if its peer had given up. */
void tri_sim_abort_first(struct tri_sim_socket *listener);

/* All that the network still holds when its world ends: the number of sockets that were left open. */
unsigned tri_sim_net_close(struct tri_sim_world *world);

/* What a host remembers of addresses is gone with it. */
void tri_sim_net_forget(struct tri_sim_node *node);

/* port.h's: something may have become possible for this socket. */
void tri_sim_ready(struct tri_sim_socket *socket);

int tri_sim_port_open(struct tri_worker *worker, void *arg, struct tri_port **port);

#endif
