/* The root of the demo: starts everything, kills some of it, counts, and says how it went. */
#include "../chat.h"
#include "demo.h"
#include "display.h"

#include <stdio.h>

enum {
    SESSIONS = 4096,       /* of each service, the last so many */
    FIRST_STRIKE_MS = 300,
    STRIKE_MS = 200,
    SHOW_MS = 100,
    PATIENCE_SECONDS = 20, /* for the clients to connect, and to finish */
};
enum timer { STRIKE, SHOW, GIVE_UP };

struct director {
    struct demo *demo;
    char address[SERVICES][TR_ADDRESS_TEXT];
    unsigned doors, ready, ended, strikes, shown;
    bool finishing, finished;
    int64_t began;
    tr_stats before;
    tr_timer strike, show, give_up;
    tr_ref clients[CONNECTIONS_MAX];
    bool good[CONNECTIONS_MAX]; /* has ended, and all was right */
    uint32_t sessions_seen[SERVICES];
    tr_ref sessions[SERVICES][SESSIONS];
    struct score score;
};

/* ---- clients ----------------------------------------------------------------------------------------------------- */

static enum service service_of(unsigned client)
{
    return client % CHAT_SHARE == CHAT_SHARE - 1 ? CHAT : ECHO;
}

static void spawn_clients(tr_self *self, struct director *me)
{
    for (unsigned i = 0; i < me->demo->connections; i++) {
        enum service service = service_of(i);
        struct client client = { me->score.tally[service].clients++, me->address[service], tr_me(self) };
        const tr_actor *actor = service == CHAT ? &chat_client_actor : &echo_client_actor;
        me->clients[i] = tr_spawn(self, actor, &client, .monitor = true);
    }
    me->give_up = tr_after(self, TR_SECONDS(PATIENCE_SECONDS), GIVE_UP);
}

static void tell_clients(tr_self *self, struct director *me, bool start)
{
    for (unsigned i = 0; i < me->demo->connections; i++)
        if (start)
            tr_send(self, me->clients[i], client_start);
        else
            tr_send(self, me->clients[i], client_finish);
}

static void start_working(tr_self *self, struct director *me)
{
    tr_cancel(self, me->give_up);
    tr_system_stats(self, &me->before);
    me->began = tr_now(self);
    me->strike = tr_after(self, TR_MS(FIRST_STRIKE_MS), STRIKE);
    me->show = tr_every(self, TR_MS(SHOW_MS), SHOW);
    tell_clients(self, me, true);
}

static void count(struct director *me, const struct report *report)
{
    struct tally *tally = &me->score.tally[report->service];
    tally->rounds += report->rounds;
    tally->lines += report->lines;
    tally->bytes += report->bytes;
    tally->reconnects += report->reconnects;
    for (unsigned i = 0; i < report->rounds; i++)
        tally_time(tally, report->us[i]);
}

/* ---- killing ----------------------------------------------------------------------------------------------------- */

/* One of the sessions that are alive, most likely. */
static tr_ref some_session(tr_self *self, const struct director *me, enum service service)
{
    uint32_t seen = me->sessions_seen[service], known = seen < SESSIONS ? seen : SESSIONS;
    tr_ref one = TR_NOBODY;
    for (int i = 0; i < 20 && known && !tr_alive(one); i++)
        one = me->sessions[service][tr_random_below(self, known)];
    return one;
}

static void strike(tr_self *self, struct director *me)
{
    static const enum victim order[] = { ECHO_SESSION, CHAT_SESSION, ROOM, ECHO_SESSION, ECHO_DOOR, ECHO_SESSION,
        CHAT_SESSION, CHAT_DOOR, CHAT_SESSION, ECHO_SESSION };
    enum victim victim = order[me->strikes++ % (sizeof order / sizeof order[0])];
    tr_ref who = victim == ECHO_SESSION ? some_session(self, me, ECHO)
        : victim == CHAT_SESSION        ? some_session(self, me, CHAT)
        : victim == ROOM                ? tr_whereis(self, CHAT_ROOM)
        : victim == ECHO_DOOR           ? tr_whereis(self, "echo door")
                                        : tr_whereis(self, "chat door");
    me->score.killed[victim] += tr_alive(who);
    tr_kill(self, who);
    me->strike = tr_after(self, TR_MS(STRIKE_MS), STRIKE);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void update(tr_self *self, struct director *me)
{
    tr_stats now;
    tr_system_stats(self, &now);
    me->score.messages = now.delivered - me->before.delivered;
    me->score.restarts = now.restarted - me->before.restarted;
    me->score.seconds = (double)(tr_now(self) - me->began) / 1e9;
}

static void finish_working(tr_self *self, struct director *me)
{
    me->finishing = true;
    tr_cancel(self, me->strike);
    tr_cancel(self, me->show);
    update(self, me);
    me->give_up = tr_after(self, TR_SECONDS(PATIENCE_SECONDS), GIVE_UP);
    tell_clients(self, me, false);
}

static int conclude(tr_self *self, struct director *me)
{
    tr_cancel(self, me->give_up);
    me->finished = true;
    for (unsigned i = 0; i < me->demo->connections; i++)
        me->score.tally[service_of(i)].lost += !me->good[i];
    me->demo->verified = me->score.tally[ECHO].lost + me->score.tally[CHAT].lost == 0;
    display_result(me->demo, &me->score);
    if (!me->demo->serve)
        return TR_STOP;
    display_serving(me->address[ECHO], me->address[CHAT]);
    return TR_CONTINUE;
}

static int client_ended(tr_self *self, struct director *me, const tr_down *down)
{
    if (me->finished)
        return TR_CONTINUE;
    for (unsigned i = 0; i < me->demo->connections; i++)
        if (tr_ref_eq(me->clients[i], down->who))
            me->good[i] = down->reason == 0;
    if (down->reason && !me->finishing)
        finish_working(self, me);
    return ++me->ended == me->demo->connections ? conclude(self, me) : TR_CONTINUE;
}

/* ---- the director ------------------------------------------------------------------------------------------------ */

/* On a terminal ten times a second, else once. */
static void show(tr_self *self, struct director *me)
{
    struct score *score = &me->score;
    update(self, me);
    double rounds = (double)(score->tally[ECHO].rounds + score->tally[CHAT].rounds) / (double)me->demo->rounds;
    double time = score->seconds / me->demo->seconds;
    score->done = rounds < time ? rounds : time;
    if (display_is_live() || (unsigned)score->seconds > me->shown)
        display_progress(score);
    me->shown = (unsigned)score->seconds;
    if (score->done >= 1)
        finish_working(self, me);
}

static int on_timeout(tr_self *self, struct director *me, enum timer timer)
{
    if (timer == STRIKE)
        strike(self, me);
    else if (timer == SHOW)
        show(self, me);
    else
        return conclude(self, me); /* who has not ended by now waits for something that does not come */
    return TR_CONTINUE;
}

static int director_start(tr_self *self, void *state, const void *arg)
{
    struct director *me = state;
    me->demo = *(struct demo *const *)arg;
    display_opening(me->demo);
    tr_register(self, DIRECTOR);
    tr_supervise(self, &services, .link = true);
    return TR_CONTINUE;
}

static int director(tr_self *self, void *state, const tr_msg *m)
{
    struct director *me = state;
    if (tr_is(client_report, m)) {
        count(me, &tr_body(client_report, m)->report);
    } else if (tr_is(door_opened, m)) {
        const door_opened *opened = tr_body(door_opened, m);
        tr_address_text(&opened->address, me->address[opened->service]);
        if (++me->doors == SERVICES)
            spawn_clients(self, me);
    } else if (tr_is(session_opened, m)) {
        const session_opened *opened = tr_body(session_opened, m);
        me->sessions[opened->service][me->sessions_seen[opened->service]++ % SESSIONS] = opened->session;
    } else if (tr_is(client_ready, m)) {
        if (++me->ready == me->demo->connections)
            start_working(self, me);
    } else if (tr_is(tr_down, m)) {
        return client_ended(self, me, tr_body(tr_down, m));
    } else if (tr_is(tr_timeout, m)) {
        return on_timeout(self, me, (enum timer)tr_body(tr_timeout, m)->tag);
    }
    return TR_CONTINUE;
}

static void director_stop(tr_self *self, void *state, int reason)
{
    struct director *me = state;
    (void)self;
    (void)reason;
    if (!me->finished)
        display_interrupted();
}

const tr_actor director_actor = {
    TR_SPEC,
    .name = "director",
    .start = director_start,
    .receive = director,
    .stop = director_stop,
    .state_size = sizeof(struct director),
    .arg_size = sizeof(struct demo *),
    .mailbox = TR_MAILBOX_MAX,
};
