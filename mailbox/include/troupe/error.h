/*
 * <troupe/error.h>: error values.
 *
 * An operation answers 0, a count above 0, or a negative TR_E… value. The numbers are the same on every platform and
 * never change, because exit reasons travel between processes and into traces. There is no thread-local error number.
 *
 * Two kinds of trouble are kept apart. Operating errors (the peer reset, the port is in use, memory is short) are
 * returned or arrive as messages. Programmer errors (a second reply, a tr_self used outside its call) end the process
 * with the name of the actor and of the message type.
 */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include <troupe/language.h>

TR_BEGIN_C_

/* X(name, number, text): the one table. Numbers above -100 are Troupe's own, the others stand for the system's errno
 * of the same name. */
#define TR_ERRORS(X) \
    X(TR_ECANCELED, -1, "canceled") \
    X(TR_ETIMEDOUT, -2, "timed out") \
    X(TR_EDOWN, -3, "the actor is down") \
    X(TR_ECRASHED, -4, "the actor crashed on this message") \
    X(TR_EKILLED, -5, "killed") \
    X(TR_ESHUTDOWN, -6, "shut down") \
    X(TR_EFULL, -7, "the mailbox is full") \
    X(TR_EUNANSWERED, -8, "the handler returned without a reply") \
    X(TR_EDEADLK, -9, "a cycle of actors that wait for each other") \
    X(TR_ECLOSED, -10, "closed") \
    X(TR_ENOMEM, -11, "out of memory") \
    X(TR_ELIMIT, -12, "a limit of the system is reached") \
    X(TR_EINVAL, -13, "invalid argument") \
    X(TR_ENOTSUP, -14, "not supported here") \
    X(TR_EEXIST, -15, "exists already") \
    X(TR_ENOENT, -16, "not found") \
    X(TR_EPROTO, -17, "unexpected message") \
    X(TR_EFAULT, -18, "fault") \
    X(TR_EINTENSITY, -19, "restarted too often") \
    X(TR_ESTART, -20, "a child could not be started") \
    X(TR_EOWNER, -21, "the owner is down") \
    X(TR_EREPLACED, -22, "dropped for a newer message") \
    X(TR_EAGAIN, -23, "not now") \
    X(TR_EUNKNOWN, -24, "unknown system error") \
    X(TR_EACCES, -100, "permission denied") \
    X(TR_EADDRINUSE, -101, "address already in use") \
    X(TR_EADDRNOTAVAIL, -102, "address not available") \
    X(TR_EAFNOSUPPORT, -103, "address family not supported") \
    X(TR_EALREADY, -104, "already in progress") \
    X(TR_EBADF, -105, "bad descriptor") \
    X(TR_EBUSY, -106, "busy") \
    X(TR_ECONNABORTED, -107, "connection aborted") \
    X(TR_ECONNREFUSED, -108, "connection refused") \
    X(TR_ECONNRESET, -109, "connection reset by peer") \
    X(TR_EHOSTDOWN, -110, "host is down") \
    X(TR_EHOSTUNREACH, -111, "host unreachable") \
    X(TR_EINTR, -112, "interrupted") \
    X(TR_EIO, -113, "input/output error") \
    X(TR_EISCONN, -114, "already connected") \
    X(TR_EMFILE, -115, "too many open descriptors in this process") \
    X(TR_EMSGSIZE, -116, "message too long") \
    X(TR_ENAMETOOLONG, -117, "name too long") \
    X(TR_ENETDOWN, -118, "network is down") \
    X(TR_ENETUNREACH, -119, "network unreachable") \
    X(TR_ENFILE, -120, "too many open descriptors in the system") \
    X(TR_ENOBUFS, -121, "no buffer space") \
    X(TR_ENODEV, -122, "no such device") \
    X(TR_ENOSPC, -123, "no space left") \
    X(TR_ENOSYS, -124, "not implemented by this kernel") \
    X(TR_ENOTCONN, -125, "not connected") \
    X(TR_ENOTSOCK, -126, "not a socket") \
    X(TR_EPERM, -127, "operation not permitted") \
    X(TR_EPIPE, -128, "broken pipe") \
    X(TR_EPROTONOSUPPORT, -129, "protocol not supported") \
    X(TR_ERANGE, -130, "out of range")

#define TR_ERROR_ENUM_(name, number, text) name = number,
enum { TR_OK = 0, TR_ERRORS(TR_ERROR_ENUM_) };
#undef TR_ERROR_ENUM_

/* What an error means, as a short English clause: tr_strerror(TR_EFULL) is "the mailbox is full", tr_strerror(0) is
 * "no error". Never NULL; the text is static. Any thread. */
const char *tr_strerror(int error);

/* The error's name: "TR_EFULL", or "TR_OK" for 0 and counts. Never NULL; the text is static. Any thread. */
const char *tr_error_name(int error);

TR_END_C_

#endif
