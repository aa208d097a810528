/* In place of uring.c where Troupe is built without liburing. */
#include "io/port.h"
#include "mailbox/error.h"

int tri_uring_check(void)
{
    return TR_ENOTSUP;
}

int tri_uring_open(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    (void)worker;
    (void)arg;
    (void)port;
    return TR_ENOTSUP;
}
