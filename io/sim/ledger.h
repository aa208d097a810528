/*
 * ledger.h: what each simulated connection was asked to do, what it has said, and the bytes that go through it.
 *
 * What is written must be what is sent, byte for byte, and what is received must be what owners get, whoever they are by
 * then: the ledger keeps the bytes that are between the two, so a piece that is lost, doubled or in another's place is seen
 * when the next one passes. A connection that is at rest (its mailbox is empty, and it has had its turn) must have an
 * operation in flight for whatever it is still to do: a close, a shutdown, a detach, a flush, or reading on. And what it says
 * keeps to the grammar of <troupe/tcp.h>, to each of its owners.
 */
#ifndef TRI_LEDGER_H
#define TRI_LEDGER_H

#include "actors/self.h"
#include "io/sim/world.h"

struct tri_ledger;

/* That of a connection, which is made if there is none yet. It stays until the world ends. */
struct tri_ledger *tri_ledger_of(struct tri_sim_world *world, tr_ref connection);
void tri_ledgers_free(struct tri_sim_world *world);

/* The connection whose turn it is handles this; and says this to `to`. */
void tri_ledger_asked(struct tri_sim_world *world, tr_self *self, const tr_msg *m);
void tri_ledger_says(struct tri_sim_world *world, tr_self *self, const struct tri_slot *to, const tr_msg *m);

/* An actor that is none of Troupe's own handles this: if a transport says it, or it is an answer of one, it is checked. */
void tri_ledger_heard(struct tri_sim_world *world, tr_self *self, const tr_msg *m);

/* The port has moved so many bytes, the first `count` pieces from `skip` on. NULL: whose they are is not known. */
void tri_ledger_received(struct tri_ledger *ledger, const tri_piece *pieces, size_t bytes);
void tri_ledger_sent(struct tri_ledger *ledger, const tri_piece *pieces, size_t skip, size_t bytes);

/* Whether the connection, whose descriptor is to be closed, has been closed in order, so that its peer is to read all that was
 * sent: it has not been reset, and has had neither the time nor the bytes after which it need not care for that any longer. */
bool tri_ledger_in_order(const struct tri_ledger *ledger);

/* Time goes on, for nobody has anything to do: looks at all connections that are there. `quiet`: and never will have. */
void tri_ledgers_rest(struct tri_sim_world *world, bool quiet);

#endif
