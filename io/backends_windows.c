#include "io/backends.h"

#include "io/port.h"

const struct tri_backend tri_backends[] = {
    { "iocp", NULL, tri_iocp_open },
};

const unsigned tri_backend_count = sizeof tri_backends / sizeof tri_backends[0];
