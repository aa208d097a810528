/*
 * <troupe/tcp.h>: TCP.
 *
 * A connection is an actor, and so is a listener. A connection reports to its owner, the actor that asked for it or that
 * took it over, and what it says keeps to one grammar:
 *
 *     tr_tcp_connected (tr_tcp_data | tr_tcp_writable)* tr_tcp_eof? tr_tcp_writable* tr_tcp_closed
 *
 * with exactly one tr_tcp_connected and one tr_tcp_closed, which has one reason. `from` of each message is the connection.
 * The owner gets the next of tr_tcp_connected, tr_tcp_data and tr_tcp_eof only when it has handled the last (a message kept
 * with tr_take is handled when it is released), so what it does while it handles one takes effect before the next.
 *
 *     static int session(tr_self *self, void *state, const tr_msg *m)
 *     {
 *         if (tr_is(tr_tcp_data, m))                                        the same buffer goes back: no copy
 *             tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
 *         return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
 *     }
 *
 * A connection belongs to one worker for as long as it lives. While a handler, of whatever actor, does not return there (the
 * log names it after 100 ms), the connection and its timeouts wait; new connections are accepted meanwhile, and served by other
 * workers. What takes long belongs into tr_block, or into an actor with a thread of its own (tr_actor.thread).
 *
 * Reading is bounded by a window: the bytes of receive buffers that are held anywhere, in the owner's mailbox, in its
 * state, or in a write that has not left (64 KiB unless set otherwise). While it is used up nothing more is read, and
 * TCP in the end holds the peer back. So a program that only passes buffers on needs no flow control of its own: the slow
 * side of a proxy stalls the fast one. A program that gathers more than a window before it lets any of it go must ask
 * for a larger window, or copy; a connection that has not been read for ten seconds for that reason is named in the log.
 * For the rest of a body of 200 KB would wait for the window, the window for the buffers, and the buffers for the rest:
 *
 *     size_t size = tr_buf_size(data->buf);                                 data: the body of a tr_tcp_data
 *     tr_buf_read(data->buf, 0, me->body + me->used, size);                 copied, so the buffer goes with the message;
 *     me->used += size;                                                     with tr_buf_ref it would stay, and be counted
 *
 * (What comes in small segments counts as what their bytes take, 64 at least; a longer one as a buffer of 8 KiB.)
 *
 * Writing never blocks and never fails for a peer that is gone. What is written is queued; tr_tcp_writable says when the
 * queue passes its high mark and when it is down at its low mark again. That is a message: it comes after the handler, so a
 * handler that has much to write writes some, keeps the rest, and goes on when it is told. Only a connection whose queue holds
 * more than write_max (16 MiB) when something is written to it is ended, with TR_EFULL: one larger value can be written, and
 * nothing behind it until it has left.
 *
 * When the owner ends, its connections are aborted; one that it closed before still sends what is queued, if its peer
 * takes any of it every 30 seconds (or within the write timeout). The end of the system waits for neither: what is to reach
 * the peer for certain has when tr_tcp_closed has come, so a root waits for that.
 *
 * All functions are for handlers. They send to the connection, and answer 0 or TR_EDOWN when it is gone, unless they say
 * otherwise; where a connection that is gone does not matter the answer need not be looked at.
 */
#ifndef TROUPE_TCP_H
#define TROUPE_TCP_H

#include <troupe/actor.h>
#include <troupe/address.h>
#include <troupe/ask.h>
#include <troupe/buf.h>

TR_BEGIN_C_

/* ---- what a connection says -------------------------------------------------------------------------------------- */

TR_MESSAGE(tr_tcp_connected, tr_address local; tr_address remote;);

/* Bytes that were received, in order. Use tr_buf_ref to keep the buffer longer than the message. */
TR_MESSAGE(tr_tcp_data, tr_buf *buf;);

/* The queue of writes has grown over the high mark (false), or is down to the low mark again (true); strictly in turn,
 * false first. */
TR_MESSAGE(tr_tcp_writable,
    bool writable;
    uint64_t queued; /* bytes, those in flight included */
);

/* The peer sends no more. When this message has been handled the connection closes (what is queued is still sent), unless
 * it was told by then to stay half open. */
TR_SIGNAL(tr_tcp_eof);

/* The end. reason: 0 after tr_tcp_close, tr_tcp_abort or the end of the stream; else the first error. */
TR_MESSAGE(tr_tcp_closed,
    int reason;
    uint32_t dropped; /* writes that came too late */
);

/* An attempt to connect has failed: TR_ECONNREFUSED, TR_ETIMEDOUT, …; or a connection that was handed over had ended
 * before. There is neither a tr_tcp_connected nor a tr_tcp_closed. */
TR_MESSAGE(tr_tcp_failed, int reason; tr_address remote;);

/* ---- connecting -------------------------------------------------------------------------------------------------- */

typedef struct tr_tcp_options {
    const char *address; /* tr_tcp_connect: its third argument */
    const char *local;   /* tr_tcp_connect: the address to come from, "192.0.2.1:0"; NULL: any */
    int64_t connect_ns;  /* tr_tcp_connect: time for the attempt; 0: 60 s */
    uint32_t window;     /* bytes of receive buffers; 0: 64 KiB */
    uint32_t high, low;  /* marks of the write queue, in bytes, see tr_tcp_marks; both 0: 64 KiB and 16 KiB */
    uint32_t write_max;  /* the connection ends when a write finds more than this queued; 0: 16 MiB */
    int64_t idle_ns; /* ends with TR_ETIMEDOUT, and a reset for the peer, when nothing was sent or received for so long; 0:
                          * never */
    int64_t write_ns; /* the same when writes are queued and none of their bytes has left for so long (it may be noticed after
                           * twice that); 0: never */
    int64_t keepalive_ns; /* TCP keepalive after so long without traffic, in whole seconds: then ten probes, a tenth of that
                           * apart (a second at least); the peer that answers none is gone. 0: off */
    int64_t linger_ns;    /* tr_tcp_close, when all has been sent: waits so long for the peer's end, unless a listener or a
                        * tr_tcp_connect is short of descriptors; 0: 2 s; < 0: not at all */
    uint64_t linger_bytes;           /* and throws away so many bytes that the peer still sends; 0: 64 MiB */
    int send_buffer, receive_buffer; /* the kernel's, in bytes; 0: as it chooses */
    bool half_open;                  /* stays open for writing after the peer's end */
    bool delay;                      /* leaves Nagle's algorithm on; it is off otherwise */
} tr_tcp_options;

/* tr_tcp_connect(self, &connection, "127.0.0.1:7000") or tr_tcp_connect(self, NULL, "[::1]:80", .connect_ns = TR_MS(500)):
 * connects to a literal address. The owner is the running actor; it gets a tr_tcp_connected or a tr_tcp_failed from the
 * connection, whose reference is put into *connection (may be NULL).
 *
 * Answers 0, or why there will not even be an attempt: TR_EINVAL (the address, or marks that contradict each other, see
 * tr_tcp_marks), TR_EADDRINUSE and others for the local address, TR_EMFILE, TR_ENOMEM; logged with the address. */
#define tr_tcp_connect(self, connection, ...) \
    tr_tcp_connect_((self), (connection), &(const tr_tcp_options){ .address = __VA_ARGS__ })

/* ---- listening --------------------------------------------------------------------------------------------------- */

/* A listener's socket is bound; one message for each. */
TR_MESSAGE(tr_tcp_listening, tr_address address;);

/* Somebody has connected. The connection reads nothing until it has an owner, and is closed when it has none after this
 * message was handled: use tr_tcp_serve or tr_tcp_own. */
TR_MESSAGE(tr_tcp_accepted, tr_ref connection; tr_ref listener;);

/* No connection can be accepted for want of descriptors or memory (TR_EMFILE, TR_ENFILE, TR_ENOBUFS, TR_ENOMEM). The
 * listener pauses for a second, and goes on by itself. Told once until it has succeeded again. */
TR_MESSAGE(tr_tcp_accept_paused, int reason;);

typedef struct tr_tcp_listen_options {
    const char *addresses; /* the third argument */
    int backlog;           /* 0: 1024; the system may cut it */
    bool reuse_port;       /* several processes or listeners share the port, and the kernel spreads connections */
    bool stay;             /* connections stay on the listener's worker; otherwise they are spread over all */
    tr_tcp_options tcp;    /* of accepted connections */
} tr_tcp_listen_options;

/* tr_tcp_listen(self, &listener, "127.0.0.1:7000") or tr_tcp_listen(self, NULL, "0.0.0.0:80,[::]:80", .backlog = 512):
 * listens on one or several addresses, separated by commas. "*:80" is all addresses of both families. Port 0 lets the
 * system choose; the tr_tcp_listening says which. IPv6 sockets take IPv6 only, so both families can share a port;
 * duplicates are bound once; an address that this machine does not have is left out, if any other is left.
 *
 * The owner is the running actor; it gets tr_tcp_listening, tr_tcp_accepted and tr_tcp_accept_paused messages, and a
 * tr_tcp_closed after tr_tcp_close(self, listener) or when a socket fails for good; the close waits while the listener's
 * worker is held. When it ends the listener ends.
 *
 * Answers 0, or an error, logged with the address it is about: TR_EINVAL, TR_EADDRINUSE, TR_EADDRNOTAVAIL, TR_EACCES,
 * TR_EMFILE, TR_ELIMIT (more than 8 addresses), TR_ENOMEM. */
#define tr_tcp_listen(self, listener, ...) \
    tr_tcp_listen_((self), (listener), &(const tr_tcp_listen_options){ .addresses = __VA_ARGS__ })

/* Spawns an actor as the owner of an accepted connection; its first message is the tr_tcp_connected. In the handler of the
 * tr_tcp_accepted m. Answers the actor; TR_NOBODY when it cannot be spawned, then the connection is closed and that is
 * logged. */
tr_ref tr_tcp_serve(tr_self *self, const tr_msg *m, const tr_actor *spec, const void *arg);

/* ---- using a connection ------------------------------------------------------------------------------------------ */

/* Makes `owner` the one that the connection reports to. What was received before stays with the old owner, what comes
 * later goes to the new one: no byte is lost, doubled or out of order. Handed over while a message of the connection is
 * handled, nothing more comes to the old owner; but of a connection that is ending by then the old owner still hears that it
 * has ended, and the new one gets a tr_tcp_failed. By the owner, or whoever handles tr_tcp_accepted. */
int tr_tcp_own(tr_self *self, tr_ref connection, tr_ref owner);

/* Queues bytes to be sent; consumes the reference to buf (NULL is TR_ENOMEM, so a tr_buf_copy need not be looked at). An
 * empty buffer is a no-op. What is written after tr_tcp_shutdown or tr_tcp_close is dropped, counted and, from the fifth on,
 * logged at a limited rate; that leaves the connection unharmed. What comes when the connection has ended is a dead letter.
 * TR_EDOWN, TR_ENOMEM: it was not queued, and the connection ends, so that no stream has a hole. */
int tr_tcp_write(tr_self *self, tr_ref connection, tr_buf *buf);

/* The same for a copy of these bytes. */
int tr_tcp_write_copy(tr_self *self, tr_ref connection, const void *bytes, size_t size);

/* Asks to be told when all that was written before has been handed to the system: a tr_tcp_flushed, or a tr_failed
 * (TR_ECLOSED, or as for any ask). */
TR_SIGNAL(tr_tcp_flushed);
tr_call tr_tcp_flush(tr_self *self, tr_ref connection, int64_t timeout_ns);

/* No more will be written: the peer reads the end after what is queued. Receiving goes on. Idempotent. */
int tr_tcp_shutdown(tr_self *self, tr_ref connection);

/* Sends what is queued and closes. Idempotent. Also of a listener. From the call on its owner hears nothing more of it but the
 * end, also if something waits in his mailbox; if he has not heard yet that it was connected, that is a tr_tcp_failed
 * (TR_ECANCELED). (Connections that a listener has accepted before are not the listener: they are still offered.)
 *
 * The peer reads the end after what was queued. What it still sends is read and thrown away until it has ended, too, within
 * the limits of linger_ns and linger_bytes; for the system answers bytes that nobody will read with a reset, and the peer may
 * then miss the last of what it was sent. The tr_tcp_closed comes after that; its reason is an error if the connection was
 * reset meanwhile. A peer that is there but never reads what is queued can hold the close up for ever, as long as the owner
 * lives: write_ns sets a limit. */
int tr_tcp_close(tr_self *self, tr_ref connection);

/* Closes at once; what is queued is dropped and the peer sees a reset. The owner hears no more of it than after
 * tr_tcp_close. Also of a listener. */
int tr_tcp_abort(tr_self *self, tr_ref connection);

/* Sets the window, in bytes up to 1 GiB. 0 pauses: nothing is delivered from then on (but what is on its way already),
 * and nothing is lost; a later tr_tcp_window goes on. Idempotent. */
int tr_tcp_window(tr_self *self, tr_ref connection, uint32_t bytes);

/* Sets the marks of the write queue: low <= high. A mark of 0 follows from the other: low = high / 4, high = 4 * low; with
 * TR_TCP_ZERO a mark is 0 bytes. TR_EINVAL when low > high. */
#define TR_TCP_ZERO UINT32_MAX
int tr_tcp_marks(tr_self *self, tr_ref connection, uint32_t high, uint32_t low);

/* Whether the connection stays open for writing after the peer's end; until the tr_tcp_eof was handled. */
int tr_tcp_half_open(tr_self *self, tr_ref connection, bool on);

/* Sets idle and write timeouts as in tr_tcp_options; 0: none. */
int tr_tcp_timeouts(tr_self *self, tr_ref connection, int64_t idle_ns, int64_t write_ns);

/* Socket options. */
int tr_tcp_nodelay(tr_self *self, tr_ref connection, bool on);
int tr_tcp_keepalive(tr_self *self, tr_ref connection, int64_t after_ns);

/* ---- asking about one -------------------------------------------------------------------------------------------- */

TR_MESSAGE(tr_tcp_info,
    tr_address local, remote;
    uint64_t queued;      /* bytes of the write queue, those in flight included */
    uint64_t held;        /* bytes of receive buffers held, of the window */
    uint64_t window, high, low;
    uint32_t dropped;
);

/* Asks a connection about itself: a tr_tcp_info, or a tr_failed. */
tr_call tr_tcp_ask(tr_self *self, tr_ref connection, int64_t timeout_ns);

/* ---- descriptors of the program's -------------------------------------------------------------------------------- */

/* tr_tcp_adopt(self, &connection, descriptor) or tr_tcp_adopt(self, NULL, descriptor, .window = 1000): makes a connection
 * of a connected stream socket, which becomes the connection's: it is closed in any case, also when the answer is an error
 * (TR_EBADF, TR_ENOTSOCK, TR_EINVAL: not a connected stream, TR_ENOMEM). The owner is the running actor; it gets a
 * tr_tcp_connected. */
#define tr_tcp_adopt(...) TR_TCP_ADOPT_(__VA_ARGS__, .address = NULL)
#define TR_TCP_ADOPT_(self, connection, descriptor, ...) \
    tr_tcp_adopt_((self), (connection), (descriptor), &(const tr_tcp_options){ __VA_ARGS__ })

/* A connection's descriptor (non-blocking, close-on-exec), and what had been received and not delivered (NULL: nothing).
 * The descriptor is closed when the message has been handled, or is not, unless it was taken out of it. */
TR_MESSAGE(tr_tcp_detached, int descriptor; tr_buf *unread;);

/* Takes the descriptor out of a tr_tcp_detached: it is the caller's from then on. -1 when that was done before. By whoever
 * handles the message. */
int tr_tcp_descriptor(const tr_msg *m);

/* Takes the descriptor back, when all that is queued has been sent: a tr_tcp_detached, or a tr_failed (TR_ECLOSED, or why the
 * connection has ended instead). The owner gets a tr_tcp_closed with reason 0 before it. When its time is over before that
 * (TR_ETIMEDOUT) the connection goes on as before. What is written meanwhile is dropped, as after a close. */
tr_call tr_tcp_detach(tr_self *self, tr_ref connection, int64_t timeout_ns);

/* ---- behind the macros ------------------------------------------------------------------------------------------- */

int tr_tcp_connect_(tr_self *self, tr_ref *connection, const tr_tcp_options *options);
int tr_tcp_listen_(tr_self *self, tr_ref *listener, const tr_tcp_listen_options *options);
int tr_tcp_adopt_(tr_self *self, tr_ref *connection, int descriptor, const tr_tcp_options *options);

TR_END_C_

#endif
