/*
 * A client of the chat: enters the room, and says a numbered line now and then. It goes on with the next one only when
 * it has heard its own; when the room or its session was killed before that, it says the line again.
 *
 * So while a client is in the room, the lines of each of the others have to come one after the other. A number may come
 * twice (it was said again), but none may be left out.
 */
#include "chat_client.h"

#include <stdio.h>

enum { THINK_MS = 50 };

/* ---- saying ------------------------------------------------------------------------------------------------------ */

void chat_client_think(tr_self *self)
{
    tr_after(self, (int64_t)tr_random_below(self, TR_MS(THINK_MS)), SAY);
}

void chat_client_say(tr_self *self, struct chat_client *me)
{
    int size;
    const char *text = pattern_text(me->is.number, me->round, &size);
    tr_tcp_write(self, me->connection, tr_buf_printf("%u %.*s.\n", me->round, size, text));
}

static void say_next(tr_self *self, struct chat_client *me)
{
    if (!me->inside || me->began)
        return;
    me->round++;
    me->began = tr_now(self);
    chat_client_say(self, me);
}

int chat_client_leave(tr_self *self, struct chat_client *me)
{
    me->leaving = true;
    if (!tr_ref_is_nobody(me->connection)) {
        tr_tcp_close(self, me->connection);
        return TR_CONTINUE;
    }
    report_send(self, me->is.director, &me->report);
    return TR_STOP;
}

/* ---- the client -------------------------------------------------------------------------------------------------- */

static int disconnected(tr_self *self, struct chat_client *me)
{
    me->connection = TR_NOBODY;
    me->inside = false;
    me->length = 0;
    if (me->leaving)
        return chat_client_leave(self, me);
    tr_after(self, TR_MS(RETRY_MS), CONNECT);
    return TR_CONTINUE;
}

static int due(tr_self *self, struct chat_client *me, enum timer timer)
{
    if (timer == INTRODUCE)
        tr_tcp_write(self, me->connection, tr_buf_printf("%s\n", me->name));
    else if (timer == SAY && !me->leaving)
        say_next(self, me);
    else if (timer == CONNECT && tr_tcp_connect(self, NULL, me->is.address))
        tr_after(self, TR_MS(RETRY_MS), CONNECT);
    return TR_CONTINUE;
}

static int chat_client_start(tr_self *self, void *state, const void *arg)
{
    struct chat_client *me = state;
    me->is = *(const struct client *)arg;
    me->report.service = CHAT;
    snprintf(me->name, sizeof me->name, "guest-%u", me->is.number);
    return due(self, me, CONNECT);
}

static int chat_client(tr_self *self, void *state, const tr_msg *m)
{
    struct chat_client *me = state;
    if (tr_is(tr_tcp_data, m))
        return chat_client_received(self, me, tr_body(tr_tcp_data, m)->buf);
    if (tr_is(tr_tcp_connected, m))
        me->connection = m->from;
    if (tr_is(tr_timeout, m))
        return due(self, me, (enum timer)tr_body(tr_timeout, m)->tag);
    if (tr_is(tr_tcp_closed, m))
        me->report.reconnects += !me->leaving;
    if (tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m))
        return disconnected(self, me);
    if (tr_is(client_start, m)) {
        me->started = true;
        chat_client_think(self);
    }
    if (tr_is(client_finish, m)) {
        me->finishing = true;
        return me->began ? TR_CONTINUE : chat_client_leave(self, me);
    }
    return TR_CONTINUE;
}

const tr_actor chat_client_actor = {
    TR_SPEC,
    .name = "chat client",
    .start = chat_client_start,
    .receive = chat_client,
    .state_size = sizeof(struct chat_client),
    .arg_size = sizeof(struct client),
};
