/* backends.h: the completion ports that this system has, best first. */
#ifndef TRI_BACKENDS_H
#define TRI_BACKENDS_H

#include "sched/port.h"

struct tri_backend {
    const char *name;
    int (*check)(void); /* whether it works here: 0 or an error; NULL: always */
    tri_port_open *open;
};

extern const struct tri_backend tri_backends[];
extern const unsigned tri_backend_count;

#endif
