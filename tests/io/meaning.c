/* What errors mean, as the manual pages say it. */
#include "io/meaning.h"

#include "io/op.h"
#include "mailbox/error.h"

#include <criterion/criterion.h>
#include <errno.h>

#define AS(kind, meaning, ...) \
    do { \
        static const int numbers_[] = { __VA_ARGS__ }; \
        for (size_t i_ = 0; i_ < sizeof numbers_ / sizeof numbers_[0]; i_++) \
            cr_assert_eq(tri_meaning_of((kind), tri_error_from_errno(numbers_[i_])), (meaning), "errno %d", numbers_[i_]); \
    } while (0)

/* accept(2): "application should detect the network errors … and treat them like EAGAIN by retrying", and "in addition,
 * network errors for the new socket and as defined for the protocol may be returned". */
Test(meaning, only_what_says_that_it_cannot_listen_ends_a_listener)
{
    AS(TRI_OP_ACCEPT, TRI_AGAIN, EINTR, EAGAIN);
    AS(TRI_OP_ACCEPT, TRI_PAUSE, EMFILE, ENFILE, ENOBUFS, ENOMEM);
    AS(TRI_OP_ACCEPT, TRI_CONNECTION, ECONNABORTED, ECONNRESET, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTUNREACH,
        EOPNOTSUPP, ENETUNREACH, ETIMEDOUT, EACCES);
#ifdef ENONET
    AS(TRI_OP_ACCEPT, TRI_CONNECTION, EHOSTDOWN, ENONET, ENOSR, ESOCKTNOSUPPORT, EPROTONOSUPPORT);
#endif
    AS(TRI_OP_ACCEPT, TRI_SOCKET, EBADF, EINVAL, ENOTSOCK, EFAULT);
}

Test(meaning, a_connection_outlives_what_passes)
{
    AS(TRI_OP_RECEIVE, TRI_AGAIN, EINTR, EAGAIN);
    AS(TRI_OP_SEND, TRI_AGAIN, EINTR, EAGAIN);
    AS(TRI_OP_RECEIVE, TRI_PAUSE, ENOMEM, ENOBUFS);
    AS(TRI_OP_SEND, TRI_PAUSE, ENOMEM, ENOBUFS);
    AS(TRI_OP_CONNECT, TRI_AGAIN, EINTR, EALREADY, EINPROGRESS);
    AS(TRI_OP_RECEIVE, TRI_CONNECTION, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EPIPE, EIO);
    AS(TRI_OP_SEND, TRI_CONNECTION, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EPIPE, EPERM);
    AS(TRI_OP_CONNECT, TRI_CONNECTION, ECONNREFUSED, EADDRNOTAVAIL, EAGAIN, ENETUNREACH, EACCES, EINVAL);
}

Test(meaning, a_wait_that_cannot_be_repeated_is_the_ports_end)
{
    AS(TRI_MEANING_WAIT, TRI_AGAIN, EINTR, ETIMEDOUT);
    AS(TRI_MEANING_WAIT, TRI_PAUSE, EAGAIN, EBUSY, ENOMEM);
    AS(TRI_MEANING_WAIT, TRI_PORT, EBADF, EFAULT, EINVAL, EPERM, EACCES, ENOSYS, EIO);
}
