/*
 * chat_client.h: a client of the chat, in two parts: what it says and what it hears.
 */
#ifndef DEMO_CHAT_CLIENT_H
#define DEMO_CHAT_CLIENT_H

#include "demo.h"

enum { RETRY_MS = 10 };
enum timer { CONNECT, INTRODUCE, SAY };

struct chat_client {
    struct client is;
    tr_ref connection;
    char name[24];
    bool inside, ready, started, finishing, leaving;
    int64_t began; /* when the line that has not been heard yet was said; 0: there is none */
    unsigned round;
    struct report report;
    size_t length;
    char line[256];
    unsigned last[CHAT_CLIENTS_MAX]; /* the number that was heard last from each; 0: none yet */
};

/* chat_client.c: says the line of this round; says the next one in a while; says no more. */
void chat_client_say(tr_self *self, struct chat_client *me);
void chat_client_think(tr_self *self);
int chat_client_leave(tr_self *self, struct chat_client *me);

/* chat_hearing.c */
int chat_client_received(tr_self *self, struct chat_client *me, const tr_buf *buf);

#endif
