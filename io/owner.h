/*
 * owner.h: what binds a transport to its owner.
 *
 * The owner's slot knows its transports as wards (actors/ward.c) and signals them when the owner's incarnation ends. A
 * transport becomes a ward with the first message the owner handles of it, and ceases to be one with the last.
 *
 * A message can be asked to come back: when it was handled, or nobody will handle it any more, its sender gets a
 * tri_handled in the same memory. So a transport knows what its owner has seen.
 */
#ifndef TRI_OWNER_H
#define TRI_OWNER_H

#include "actors/self.h"

#include <troupe/buf.h>

/* Who owns a transport. A restart makes another owner. */
struct tri_owner {
    tr_ref ref;
    uint16_t incarnation; /* when it became the owner */
};

/* A message came back: `buf` if it carried one (the memory of the message is in it), `offer` if it was a
 * tr_tcp_accepted; `unseen` if the owner was hushed before he handled it. */
TR_MESSAGE(tri_handled, tr_buf *buf; bool offer, unseen;);

/* The running actor wants to hear nothing more of what it owns, or will own when it handles what waits, but its end. Before the
 * transport is told to end: it looks whether it is hushed. Not only the owner may close: then what the owner has not handled
 * is still for him, but the end waits until he has handled, or let go of, that it was connected. */
void tri_owner_hush(tr_self *self, tr_ref transport);

enum tri_news {
    TRI_NEWS,      /* an ordinary message */
    TRI_NEWS_JOIN, /* its sender becomes a ward of the receiver, which then handles it */
    TRI_NEWS_LEAVE /* and ceases to be one */
};

/* The incarnation of `ref` that is running now, as an owner. */
uint16_t tri_owner_incarnation(tr_ref ref);

/* Whether the owner has ended or is another incarnation by now. */
bool tri_owner_ended(tr_ref ref, uint16_t incarnation);

/* A message from the running transport; NULL when there is no memory. */
tr_msg *tri_news_new(tr_self *self, const tr_type *type, size_t size);

/* Sends news to the owner, and asks for it to come back: 0, or TR_EDOWN. An incarnation that comes after this one will not
 * see it. */
int tri_news_send(tr_self *self, struct tri_owner owner, tr_msg *m, enum tri_news how, bool comes_back);

/* Makes the running transport a ward of `owner`, without news: false when there is no memory. */
bool tri_owner_join(tr_self *self, struct tri_owner owner);

/* And no longer, if there is memory; if there is not, nothing comes of it but that it stays in its list. */
void tri_owner_leave(tr_self *self, tr_ref owner);

/* Before the first port is opened. */
void tri_owner_init(void);

#endif
