/* The root of the demo: starts everything, counts, and says how it went. */
#include "display.h"

#include <string.h>

enum { SHOW_MS = 100, PATIENCE_SECONDS = 20 /* for the next client to connect, or to finish */ };
enum timer { SHOW, GIVE_UP };

struct director {
    struct demo *demo;
    char address[SERVICES][TR_ADDRESS_TEXT];
    unsigned doors, ready, ended, shown;
    bool finishing;
    tr_timer show, give_up;
    tr_ref reaper, clients[CONNECTIONS_MAX];
    bool good[CONNECTIONS_MAX]; /* has ended, and all was right */
    struct score score;
};

/* ---- clients ----------------------------------------------------------------------------------------------------- */

static enum service service_of(unsigned client)
{
    return client % CHAT_SHARE == CHAT_SHARE - 1 ? CHAT : ECHO;
}

/* Anew whenever one of them has come on: on a busy machine all may take long, and yet none hangs. */
static void be_patient(tr_self *self, struct director *me)
{
    tr_cancel(self, me->give_up);
    me->give_up = tr_after(self, TR_SECONDS(PATIENCE_SECONDS), GIVE_UP);
}

static void spawn_clients(tr_self *self, struct director *me)
{
    for (unsigned i = 0; i < me->demo->connections; i++) {
        enum service service = service_of(i);
        struct client client = { me->score.tally[service].clients++, tr_me(self), "" };
        memcpy(client.address, me->address[service], sizeof client.address); /* they may live longer than the director */
        const tr_actor *actor = service == CHAT ? &chat_client_actor : &echo_client_actor;
        me->clients[i] = tr_spawn(self, actor, &client, .monitor = true);
    }
    be_patient(self, me);
}

static void tell_all(tr_self *self, struct director *me, bool start)
{
    for (unsigned i = 0; i <= me->demo->connections; i++) {
        tr_ref one = i < me->demo->connections ? me->clients[i] : me->reaper;
        if (start)
            tr_send(self, one, client_start);
        else
            tr_send(self, one, client_finish);
    }
}

static void start_working(tr_self *self, struct director *me)
{
    tr_cancel(self, me->give_up);
    score_begin(self, &me->score);
    me->show = tr_every(self, TR_MS(SHOW_MS), SHOW);
    tell_all(self, me, true);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void finish_working(tr_self *self, struct director *me)
{
    me->finishing = true;
    tr_cancel(self, me->show);
    score_update(self, &me->score, me->demo);
    be_patient(self, me);
    tell_all(self, me, false);
}

static int conclude(tr_self *self, struct director *me)
{
    tr_cancel(self, me->give_up);
    me->demo->concluded = true;
    for (unsigned i = 0; i < me->demo->connections; i++)
        me->score.tally[service_of(i)].lost += !me->good[i];
    me->demo->verified = score_lost(&me->score) == 0;
    display_result(me->demo, &me->score);
    if (!me->demo->serve)
        return TR_STOP;
    display_serving(me->address[ECHO], me->address[CHAT]);
    return TR_CONTINUE;
}

static int client_ended(tr_self *self, struct director *me, const tr_down *down)
{
    if (me->demo->concluded)
        return TR_CONTINUE;
    for (unsigned i = 0; i < me->demo->connections; i++)
        if (tr_ref_eq(me->clients[i], down->who))
            me->good[i] = down->reason == 0;
    if (down->reason && !me->finishing)
        finish_working(self, me);
    if (me->finishing)
        be_patient(self, me);
    return ++me->ended == me->demo->connections ? conclude(self, me) : TR_CONTINUE;
}

/* ---- the director ------------------------------------------------------------------------------------------------ */

/* On a terminal ten times a second, else once. */
static void show(tr_self *self, struct director *me)
{
    score_update(self, &me->score, me->demo);
    if (display_is_live() || (unsigned)me->score.seconds > me->shown)
        display_progress(&me->score);
    me->shown = (unsigned)me->score.seconds;
    if (me->score.done >= 1)
        finish_working(self, me);
}

static int director_start(tr_self *self, void *state, const void *arg)
{
    struct director *me = state;
    me->demo = *(struct demo *const *)arg;
    display_opening(me->demo);
    tr_register(self, DIRECTOR);
    me->reaper = tr_spawn(self, &reaper_actor, NULL, .link = true, .name = REAPER);
    tr_supervise(self, &services, .link = true);
    return TR_CONTINUE;
}

static int director(tr_self *self, void *state, const tr_msg *m)
{
    struct director *me = state;
    if (tr_is(client_report, m)) {
        score_report(&me->score, &tr_body(client_report, m)->report);
        if (me->finishing && !me->demo->concluded)
            be_patient(self, me);
    } else if (tr_is(door_opened, m)) {
        const door_opened *opened = tr_body(door_opened, m);
        tr_address_text(&opened->address, me->address[opened->service]);
        if (++me->doors == SERVICES)
            spawn_clients(self, me);
    } else if (tr_is(reaped, m)) {
        me->score.killed[tr_body(reaped, m)->victim]++;
    } else if (tr_is(client_ready, m)) {
        be_patient(self, me);
        if (++me->ready == me->demo->connections)
            start_working(self, me);
    } else if (tr_is(tr_down, m)) {
        return client_ended(self, me, tr_body(tr_down, m));
    } else if (tr_is(tr_timeout, m)) {
        if (tr_body(tr_timeout, m)->tag == GIVE_UP)
            return conclude(self, me); /* who has not ended by now waits for something that does not come */
        show(self, me);
    }
    return TR_CONTINUE;
}

const tr_actor director_actor = {
    TR_SPEC,
    .name = "director",
    .start = director_start,
    .receive = director,
    .state_size = sizeof(struct director),
    .arg_size = sizeof(struct demo *),
    .mailbox = TR_MAILBOX_MAX,
};
