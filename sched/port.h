/*
 * port.h: what the scheduler needs of a completion port.
 *
 * Every worker has a port of its own and sleeps in it. io/ provides ports that carry operations (io/port.h); a system
 * without io/ gets the one below, which only sleeps and wakes.
 */
#ifndef TRI_SCHED_PORT_H
#define TRI_SCHED_PORT_H

#include <stdbool.h>
#include <stdint.h>

struct tri_worker;
struct tri_port;

struct tri_port_class {
    const char *name;

    /* Pushes what has completed into the mailboxes. Waits for something to complete, for wake or for the deadline (a
     * moment of the system's clock, INT64_MAX: for ever), whichever comes first; TRI_NO_WAIT: does not wait. May return
     * early. The port's worker. */
    void (*poll)(struct tri_port *port, int64_t deadline);

    /* Lets the poll that waits, or else the next one that would, return. Never blocks, may be called any number of times.
     * Any thread. */
    void (*wake)(struct tri_port *port);

    /* Whether a poll without waiting could do anything. The port's worker. */
    bool (*has_work)(struct tri_port *port);

    /* Frees the port, in which no operation is in flight any more. The port's worker, last. */
    void (*close)(struct tri_port *port);
};

struct tri_port {
    const struct tri_port_class *class;
    bool more; /* poll's: it has not taken all that there was, and would find more at once */
};

#define TRI_NO_WAIT INT64_MIN

/* Opens a worker's port on the worker's own thread: 0, or an error, with the reason logged. */
typedef int tri_port_open(struct tri_worker *worker, void *arg, struct tri_port **port);

/* A port that only sleeps and wakes. */
int tri_sleeper_open(struct tri_worker *worker, void *arg, struct tri_port **port);

#endif
