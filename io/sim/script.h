/* script.h: what a socket does whose other end is a script (see <troupe/sim.h>). They answer as net.h's do. */
#ifndef TRI_SCRIPT_H
#define TRI_SCRIPT_H

#include "io/sim/net.h"

/* If there is a script for this address the socket follows it from now on: true. */
bool tri_script_connect(struct tri_sim_socket *socket, const tr_address *remote);
bool tri_script_listen(struct tri_sim_socket *socket);

int tri_script_accept(struct tri_sim_socket *socket);
int tri_script_receive(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count);
int tri_script_send(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count, size_t skip);
void tri_script_shutdown(struct tri_sim_socket *socket);
void tri_script_close(struct tri_sim_socket *socket);

/* The world ends: looks for steps that were not reached, and frees the scripts. */
void tri_scripts_close(struct tri_sim_world *world);

/* All addresses of the options: 0 or TR_EINVAL, with the text in `what`. */
int tri_scripts_check(const tr_sim_script *scripts, char *what, size_t size);

#endif
