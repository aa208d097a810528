#include "io/backends.h"

#include "io/port.h"

const struct tri_backend tri_backends[] = {
    { "uring", tri_uring_check, tri_uring_open },
    { "epoll", NULL, tri_epoll_open },
};

const unsigned tri_backend_count = sizeof tri_backends / sizeof tri_backends[0];
