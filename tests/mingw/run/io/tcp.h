/* What io/run.c takes from the header of this name: see ports.c. */
#ifndef TRI_TCP_H
#define TRI_TCP_H

void tri_op_init(void);
void tri_owner_init(void);
void tri_tcp_init(void);

#endif
