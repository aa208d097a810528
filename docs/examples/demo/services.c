/* The services, under their supervisor. They are those of echo.c and chat.c; only the doors are the demo's own. */
#include "../chat.h"
#include "demo.h"

TR_DEFINE(door_opened);

/* ---- echo -------------------------------------------------------------------------------------------------------- */

static int echo_session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor echo_session_actor = { TR_SPEC, .name = "echo session", .receive = echo_session };

/* ---- doors ------------------------------------------------------------------------------------------------------- */

struct door {
    enum service service;
    const tr_actor *session;
    char *address; /* where to listen; the port is filled in when the system has chosen one, for the next life */
};

static char echo_address[TR_ADDRESS_TEXT] = "127.0.0.1:0", chat_address[TR_ADDRESS_TEXT] = "127.0.0.1:0";

static const struct door echo_door = { ECHO, &echo_session_actor, echo_address };
static const struct door chat_door = { CHAT, &chat_session_actor, chat_address };

enum { RETRY_MS = 2 };

/* In a later life the listener of the one before may still be about to close. */
static int listen_again(tr_self *self, const struct door *me)
{
    int error = tr_tcp_listen(self, NULL, me->address);
    if (error != TR_EADDRINUSE || tr_incarnation(self) == 0)
        return error;
    tr_after(self, TR_MS(RETRY_MS), 0);
    return TR_NOT_READY;
}

static int door_start(tr_self *self, void *state, const void *arg)
{
    struct door *me = state;
    *me = *(const struct door *)arg;
    return listen_again(self, me);
}

static int door(tr_self *self, void *state, const tr_msg *m)
{
    struct door *me = state;
    if (tr_is(tr_timeout, m)) {
        int answer = listen_again(self, me);
        return answer < 0 ? answer : TR_CONTINUE;
    }
    if (tr_is(tr_tcp_listening, m)) {
        tr_address address = tr_body(tr_tcp_listening, m)->address;
        tr_address_text(&address, me->address);
        tr_send(self, tr_whereis(self, DIRECTOR), door_opened, .service = me->service, .address = address);
        tr_ready(self);
    } else if (tr_is(tr_tcp_accepted, m)) {
        tr_ref session = tr_tcp_serve(self, m, me->session, NULL);
        tr_send(self, tr_whereis(self, REAPER), session_opened, .service = me->service, .session = session);
    } else if (tr_is(tr_tcp_closed, m)) {
        return tr_body(tr_tcp_closed, m)->reason;
    }
    return TR_CONTINUE;
}

static const tr_actor door_actor = {
    TR_SPEC,
    .name = "door",
    .start = door_start,
    .receive = door,
    .state_size = sizeof(struct door),
    .arg_size = sizeof(struct door),
};

/* ---- the supervisor ---------------------------------------------------------------------------------------------- */

/* The director kills more often than a service should crash. */
static const tr_child children[] = {
    { .name = CHAT_ROOM, .actor = &chat_room_actor, .intensity = 1000 },
    { .name = "chat door", .actor = &door_actor, .arg = &chat_door, .intensity = 1000 },
    { .name = "echo door", .actor = &door_actor, .arg = &echo_door, .intensity = 1000 },
};

const tr_supervisor services = {
    TR_SUPERVISOR,
    .name = "services",
    .strategy = TR_ONE_FOR_ONE,
    .children = children,
    .count = sizeof children / sizeof children[0],
    .backoff_ns = TR_MS(1),
    .backoff_max_ns = TR_MS(10),
};
