/*
 * demo.h: what the actors of the demo say to each other.
 *
 *   director       starts the others, and counts
 *     reaper       kills a part of the services now and then
 *     services     a supervisor, of:
 *       chat room  \
 *       chat door  |  the services of echo.c and chat.c; a door listens, and makes a session of each connection
 *       echo door  /
 *     clients      half a thousand actors, each with a TCP connection to one of the doors
 *
 * Every byte that a client gets is compared with what it has to be.
 */
#ifndef DEMO_H
#define DEMO_H

#include <troupe/troupe.h>

enum service { ECHO, CHAT, SERVICES };

/* ---- the services ------------------------------------------------------------------------------------------------ */

#define DIRECTOR "director" /* their names in the system */
#define REAPER   "reaper"

TR_MESSAGE(door_opened, enum service service; tr_address address;); /* from a door to the director */
TR_MESSAGE(session_opened, enum service service; tr_ref session;);  /* … to the reaper */

extern const tr_supervisor services;

/* ---- the reaper -------------------------------------------------------------------------------------------------- */

enum victim { ECHO_SESSION, CHAT_SESSION, ROOM, ECHO_DOOR, CHAT_DOOR, VICTIMS };

TR_MESSAGE(reaped, enum victim victim;); /* to the director */

/* The director's child. Works from client_start to client_finish. */
extern const tr_actor reaper_actor;

/* ---- between a client and the director --------------------------------------------------------------------------- */

TR_SIGNAL(client_ready); /* connected; a chat client: in the room */
TR_SIGNAL(client_start); /* go on until … */
TR_SIGNAL(client_finish);

enum { REPORT_ROUNDS = 46 };

/* What a client has seen since its last report. All of it was right. */
struct report {
    enum service service;
    unsigned rounds; /* round trips, and the time of each */
    uint32_t us[REPORT_ROUNDS];
    int64_t since;  /* the first of them */
    unsigned lines; /* heard in the chat, from anybody */
    unsigned reconnects;
    uint64_t bytes;
};

TR_MESSAGE(client_report, struct report report;);

struct client {
    unsigned number; /* of those of its service, from 0 */
    tr_ref director;
    char address[TR_ADDRESS_TEXT];
};

enum { CONNECTIONS_MAX = 10000, CHAT_SHARE = 5, CHAT_CLIENTS_MAX = CONNECTIONS_MAX / CHAT_SHARE };

/* Each takes a struct client. They end with 0 when they have finished, and with TR_EPROTO after something wrong. */
extern const tr_actor echo_client_actor;
extern const tr_actor chat_client_actor;

/* ---- client.c: what both kinds of client need -------------------------------------------------------------------- */

/* Adds a round trip to a report, and sends the report now and then; sends and empties it. */
void report_round(tr_self *self, tr_ref director, struct report *report, int64_t began);
void report_send(tr_self *self, tr_ref director, struct report *report);

/* Before anything else. */
void pattern_init(void);

/* What client `number` of the echo service sends in its round `round`: random bytes, others in each round. */
const char *pattern_bytes(unsigned number, unsigned round, size_t *size);

/* The text that client `number` of the chat says in its round `round`. */
const char *pattern_text(unsigned number, unsigned round, int *size);

/* ---- director.c -------------------------------------------------------------------------------------------------- */

struct demo {
    unsigned connections; /* one in CHAT_SHARE is a chat client's */
    unsigned seconds;     /* at least */
    uint64_t rounds;      /* at least */
    bool serve;
    bool concluded;   /* the outcome: it went on to its end, */
    bool verified;    /* and all that was sent came back, and was right */
    char port[16];    /* that the runtime has chosen, */
    unsigned workers; /* and their number */
};

/* The root. Takes a struct demo *. */
extern const tr_actor director_actor;

#endif
