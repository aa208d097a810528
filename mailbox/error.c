#include "mailbox/error.h"

#include <errno.h>
#include <stddef.h>

const char *tr_strerror(int error)
{
    switch (error) {
#define TEXT(name, number, text) \
    case number: return text;
        TR_ERRORS(TEXT)
#undef TEXT
    default: return error >= 0 ? "no error" : "unknown error value";
    }
}

const char *tr_error_name(int error)
{
    switch (error) {
#define NAME(name, number, text) \
    case number: return #name;
        TR_ERRORS(NAME)
#undef NAME
    default: return error >= 0 ? "TR_OK" : "TR_E?";
    }
}

static const struct {
    int number, error;
} table[] = {
    { EACCES, TR_EACCES }, { EADDRINUSE, TR_EADDRINUSE }, { EADDRNOTAVAIL, TR_EADDRNOTAVAIL },
    { EAFNOSUPPORT, TR_EAFNOSUPPORT }, { EAGAIN, TR_EAGAIN }, { EALREADY, TR_EALREADY }, { EBADF, TR_EBADF },
    { EBUSY, TR_EBUSY }, { ECANCELED, TR_ECANCELED }, { ECONNABORTED, TR_ECONNABORTED }, { ECONNREFUSED, TR_ECONNREFUSED },
    { ECONNRESET, TR_ECONNRESET }, { EEXIST, TR_EEXIST }, { EFAULT, TR_EFAULT },
#ifdef EHOSTDOWN /* not in the C library of Windows */
    { EHOSTDOWN, TR_EHOSTDOWN },
#endif
    { EHOSTUNREACH, TR_EHOSTUNREACH }, { EINPROGRESS, TR_EALREADY }, { EINTR, TR_EINTR }, { EINVAL, TR_EINVAL },
    { EIO, TR_EIO }, { EISCONN, TR_EISCONN }, { EMFILE, TR_EMFILE }, { EMSGSIZE, TR_EMSGSIZE },
    { ENAMETOOLONG, TR_ENAMETOOLONG }, { ENETDOWN, TR_ENETDOWN }, { ENETUNREACH, TR_ENETUNREACH }, { ENFILE, TR_ENFILE },
    { ENOBUFS, TR_ENOBUFS }, { ENODEV, TR_ENODEV }, { ENOENT, TR_ENOENT }, { ENOMEM, TR_ENOMEM }, { ENOSPC, TR_ENOSPC },
    { ENOSYS, TR_ENOSYS }, { ENOTCONN, TR_ENOTCONN }, { ENOTSOCK, TR_ENOTSOCK }, { ENOTSUP, TR_ENOTSUP },
    { EOPNOTSUPP, TR_ENOTSUP }, { EPERM, TR_EPERM }, { EPIPE, TR_EPIPE }, { EPROTO, TR_EPROTO },
    { EPROTONOSUPPORT, TR_EPROTONOSUPPORT }, { ERANGE, TR_ERANGE }, { ETIMEDOUT, TR_ETIMEDOUT },
    { EWOULDBLOCK, TR_EAGAIN }, /* a number of its own on Windows */
};

int tri_error_from_errno(int number)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].number == number)
            return table[i].error;
    return TR_EUNKNOWN;
}
