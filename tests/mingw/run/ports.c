/*
 * What io/run.c needs of io/, for the tests of actors/ on Windows, until there is a completion port: a port that only
 * sleeps and wakes, no transports, and no signals.
 */
#include "io/backends.h"
#include "io/signals.h"
#include "io/tcp.h"

#include <troupe/error.h>

const struct tri_backend tri_backends[] = { { "sleeper", NULL, tri_sleeper_open } };
const unsigned tri_backend_count = 1;

void tri_op_init(void)
{
}

void tri_owner_init(void)
{
}

void tri_tcp_init(void)
{
}

int tri_signals_watch(void (*on_signal)(int count, void *arg), void *arg)
{
    (void)on_signal;
    (void)arg;
    return TR_ENOTSUP;
}

void tri_signals_unwatch(void)
{
}
