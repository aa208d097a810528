#include "io/tcp_accept.h"

#include <troupe/tcp.h>

enum { AT_ONCE = 256 }; /* connections accepted for a socket before the rescuer turns to its own work again */

int tri_tcp_offer(tr_self *self, struct tri_tcp_doors *doors, tri_fd fd, uint16_t home)
{
    int error;
    struct tri_slot *slot = NULL;
    tr_msg *m = tri_news_new(self, &tr_tcp_accepted_type, sizeof(tr_tcp_accepted));
    if (m) {
        slot = tri_tcp_prepare(self, fd, tri_tcp_settings_ref(doors->settings), home, &error);
        if (!slot)
            tri_tcp_settings_unref(doors->settings);
    } else {
        error = TR_ENOMEM;
    }
    if (!slot) {
        if (m)
            tri_block_put(m, m->block_);
        tri_socket_close(fd);
        return error;
    }
    if (!tri_socket_class(fd)->inherits)
        tri_tcp_set_options(fd, doors->settings);
    ((struct tri_tcp *)slot->state)->flags |= TRI_TCP_OFFERED;
    if (!doors->stay)
        slot->flags |= TRI_SLOT_MOVABLE;
    m->from = tri_spawn_finish(self, slot);
    m->flags_ = TRI_MSG_OFFER; /* not exempt: an owner that does not keep up refuses connections */
    *(tr_tcp_accepted *)tri_msg_body(m) = (tr_tcp_accepted){ .connection = m->from, .listener = doors->listener };
    tri_news_send(self, doors->owner, m, TRI_NEWS, true);
    return 0;
}

/* What is wrong with one connection, or with all, is left to the listener, which will find out. */
static void accept_all(tr_self *self, struct tri_tcp_doors *doors, tri_fd listening)
{
    tri_fd fd;
    for (unsigned i = 0; i < AT_ONCE && (fd = tri_socket_class(listening)->accept_one(listening)) >= 0; i++)
        if (tri_tcp_offer(self, doors, fd, self->worker->index))
            return;
}

/* The home is held: on another worker, in the home's possession. */
static void relieve(struct tri_relief *relief, struct tri_worker *worker)
{
    struct tri_tcp_doors *doors = tri_container_of(relief, struct tri_tcp_doors, relief);
    if (tri_owner_ended(doors->owner.ref, doors->owner.incarnation))
        return;
    for (uint32_t i = 0; i < doors->count; i++)
        accept_all(worker->context, doors, doors->fds[i]);
}

void tri_tcp_relieve(tr_self *self, struct tri_tcp_doors *doors)
{
    if (doors->count == 0 || !tri_socket_class(doors->fds[0])->accept_one)
        return;
    doors->relief.relieve = relieve;
    doors->relieved = true;
    tri_worker_add_relief(self->worker, &doors->relief);
}

void tri_tcp_relieve_no_more(struct tri_worker *worker, struct tri_tcp_doors *doors)
{
    if (doors->relieved)
        tri_worker_remove_relief(worker, &doors->relief);
    doors->relieved = false;
}
