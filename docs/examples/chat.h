/*
 * chat.h: the chat service, as chat.c and the demo use it.
 *
 * The room knows who is there, and writes what anybody says straight to everybody's connection: one buffer, shared by
 * all of them. Sessions and room are linked, and both trap exits: the room hears of the end of a session, whatever the
 * reason, and when the room itself was started again after a crash, the sessions hear of that and enter it anew.
 */
#ifndef EXAMPLE_CHAT_H
#define EXAMPLE_CHAT_H

#include <troupe/troupe.h>

extern const tr_actor chat_room_actor; /* one of them, supervised, with this name: */
#define CHAT_ROOM "chat room"
extern const tr_actor chat_session_actor; /* one for each client: for tr_tcp_serve */

enum { CHAT_NAME_BYTES = 20, CHAT_LINE_BYTES = 1000 };

struct chat_name {
    char text[CHAT_NAME_BYTES + 1];
};

/* From a session to the room. */
TR_MESSAGE(chat_enter, tr_ref connection; struct chat_name name; bool again;);
TR_MESSAGE(chat_say, tr_buf *line;);
TR_SIGNAL(chat_names);

#endif
