/*
 * meaning.h: what an error means for what has failed with it: one table for all ports, and for the listener.
 */
#ifndef TRI_MEANING_H
#define TRI_MEANING_H

enum tri_meaning {
    TRI_AGAIN,      /* nothing has happened: it is tried again at once (a CONNECT goes on by itself), */
    TRI_PAUSE,      /* or a little later, as the system is short of something */
    TRI_CONNECTION, /* of the one connection; of an ACCEPT: of the one that would have been accepted */
    TRI_SOCKET,     /* of the socket, which is none that can do this */
    TRI_PORT,       /* of the port: it is named, and the process ends */
};

/* What can fail: the operations of op.h, by their numbers, and a port's wait. */
enum { TRI_MEANING_WAIT = 4, TRI_MEANING_KINDS };

/* `error` is a negative TR_E… value. Any thread. */
enum tri_meaning tri_meaning_of(unsigned kind, int error);

#endif
