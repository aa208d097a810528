/* The reaper: kills a part of the services every now and then, and says which to the director. */
#include "../chat.h"
#include "demo.h"

TR_DEFINE(session_opened);
TR_DEFINE(reaped);

enum {
    SESSIONS = 4096, /* of each service, the last so many */
    FIRST_STRIKE_MS = 300,
    STRIKE_MS = 200,
};

struct reaper {
    unsigned strikes;
    uint32_t seen[SERVICES]; /* sessions */
    tr_ref sessions[SERVICES][SESSIONS];
};

/* One of the sessions that are alive, most likely. */
static tr_ref some_session(tr_self *self, const struct reaper *me, enum service service)
{
    uint32_t seen = me->seen[service], known = seen < SESSIONS ? seen : SESSIONS;
    tr_ref one = TR_NOBODY;
    for (int i = 0; i < 20 && known && !tr_alive(one); i++)
        one = me->sessions[service][tr_random_below(self, known)];
    return one;
}

static tr_ref find(tr_self *self, const struct reaper *me, enum victim victim)
{
    switch (victim) {
    case ECHO_SESSION: return some_session(self, me, ECHO);
    case CHAT_SESSION: return some_session(self, me, CHAT);
    case ROOM: return tr_whereis(self, CHAT_ROOM);
    case ECHO_DOOR: return tr_whereis(self, "echo door");
    default: return tr_whereis(self, "chat door");
    }
}

static void strike(tr_self *self, struct reaper *me)
{
    static const enum victim order[] = { ECHO_SESSION, CHAT_SESSION, ROOM, ECHO_SESSION, ECHO_DOOR, ECHO_SESSION,
        CHAT_SESSION, CHAT_DOOR, CHAT_SESSION, ECHO_SESSION };
    enum victim victim = order[me->strikes++ % (sizeof order / sizeof order[0])];
    tr_ref who = find(self, me, victim);
    if (tr_alive(who))
        tr_send(self, tr_parent(self), reaped, .victim = victim);
    tr_kill(self, who);
    tr_after(self, TR_MS(STRIKE_MS), 0);
}

static int reaper(tr_self *self, void *state, const tr_msg *m)
{
    struct reaper *me = state;
    if (tr_is(session_opened, m)) {
        const session_opened *opened = tr_body(session_opened, m);
        me->sessions[opened->service][me->seen[opened->service]++ % SESSIONS] = opened->session;
    } else if (tr_is(client_start, m)) {
        tr_after(self, TR_MS(FIRST_STRIKE_MS), 0);
    } else if (tr_is(tr_timeout, m)) {
        strike(self, me);
    }
    return tr_is(client_finish, m) ? TR_STOP : TR_CONTINUE;
}

const tr_actor reaper_actor = { TR_SPEC, .name = "reaper", .receive = reaper, .state_size = sizeof(struct reaper) };
