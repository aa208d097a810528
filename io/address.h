/* address.h: to and from the system's socket addresses. */
#ifndef TRI_ADDRESS_H
#define TRI_ADDRESS_H

#include "io/net.h"

#include <troupe/address.h>

/* Fills in `to` and answers its length. */
socklen_t tri_address_to_system(const tr_address *address, struct sockaddr_storage *to);

/* The address in `from`; TR_UNSPECIFIED for families that Troupe does not know. */
tr_address tri_address_from_system(const struct sockaddr_storage *from);

/* A link-local address that does not say of which interface. */
bool tri_address_lacks_scope(const tr_address *address);

#endif
