#include "io/meaning.h"

#include "io/op.h"

_Static_assert((int)TRI_OP_CONNECT < (int)TRI_MEANING_WAIT, "each kind has a column");

static const struct row {
    int error;
    unsigned char of[TRI_MEANING_KINDS];
} rows[] = {
#define ROW(error, receive, accept, send, connect, wait) \
    { \
        error, \
        { \
            [TRI_OP_RECEIVE] = TRI_##receive, [TRI_OP_ACCEPT] = TRI_##accept, [TRI_OP_SEND] = TRI_##send, \
            [TRI_OP_CONNECT] = TRI_##connect, [TRI_MEANING_WAIT] = TRI_##wait \
        } \
    }
    /* clang-format off */
    /*                  RECEIVE     ACCEPT      SEND        CONNECT     a wait */
    ROW(TR_EINTR,       AGAIN,      AGAIN,      AGAIN,      AGAIN,      AGAIN),
    ROW(TR_EAGAIN,      AGAIN,      AGAIN,      AGAIN,      CONNECTION, PAUSE),
    ROW(TR_EALREADY,    CONNECTION, CONNECTION, CONNECTION, AGAIN,      PORT),
    ROW(TR_ETIMEDOUT,   CONNECTION, CONNECTION, CONNECTION, CONNECTION, AGAIN),
    ROW(TR_EBUSY,       CONNECTION, CONNECTION, CONNECTION, CONNECTION, PAUSE),
    ROW(TR_ENOMEM,      PAUSE,      PAUSE,      PAUSE,      CONNECTION, PAUSE),
    ROW(TR_ENOBUFS,     PAUSE,      PAUSE,      PAUSE,      CONNECTION, PAUSE),
    ROW(TR_EMFILE,      CONNECTION, PAUSE,      CONNECTION, CONNECTION, PORT),
    ROW(TR_ENFILE,      CONNECTION, PAUSE,      CONNECTION, CONNECTION, PORT),
    ROW(TR_EBADF,       SOCKET,     SOCKET,     SOCKET,     SOCKET,     PORT),
    ROW(TR_ENOTSOCK,    SOCKET,     SOCKET,     SOCKET,     SOCKET,     PORT),
    ROW(TR_EINVAL,      SOCKET,     SOCKET,     SOCKET,     CONNECTION, PORT),
    ROW(TR_EFAULT,      SOCKET,     SOCKET,     SOCKET,     SOCKET,     PORT),
#undef ROW
};
/* clang-format on */

/* The others. Of an ACCEPT, too, they concern one connection: accept(2) passes on errors of the network. */
static const struct row other = { 0, { TRI_CONNECTION, TRI_CONNECTION, TRI_CONNECTION, TRI_CONNECTION, TRI_PORT } };

enum tri_meaning tri_meaning_of(unsigned kind, int error)
{
    const struct row *row = &other;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].error == error)
            row = &rows[i];
    return row->of[kind];
}
