/*
 * A client of the chat: enters the room, and says a numbered line now and then. It goes on with the next one only when
 * it has heard its own; when the room or its session was killed before that, it says the line again.
 *
 * So while a client is in the room, the lines of each of the others have to come one after the other. A number may come
 * twice (it was said again), but none may be left out.
 */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 10, THINK_MS = 50, REPORT_LINES = 1000 };
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

/* ---- saying ------------------------------------------------------------------------------------------------------ */

static void think(tr_self *self)
{
    tr_after(self, (int64_t)tr_random_below(self, TR_MS(THINK_MS)), SAY);
}

static void say(tr_self *self, struct chat_client *me)
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
    say(self, me);
}

static int leave(tr_self *self, struct chat_client *me)
{
    me->leaving = true;
    if (!tr_ref_is_nobody(me->connection)) {
        tr_tcp_close(self, me->connection);
        return TR_CONTINUE;
    }
    report_send(self, me->is.director, &me->report);
    return TR_STOP;
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */

/* We have been let in; what was heard before says nothing about what comes now. */
static int entered(tr_self *self, struct chat_client *me)
{
    memset(me->last, 0, sizeof me->last);
    me->inside = true;
    if (!me->ready)
        tr_send(self, me->is.director, client_ready);
    me->ready = true;
    if (me->began)
        say(self, me);
    else if (me->started)
        think(self);
    return TR_CONTINUE;
}

static int heard_myself(tr_self *self, struct chat_client *me)
{
    report_round(self, me->is.director, &me->report, me->began);
    me->began = 0;
    if (me->finishing)
        return leave(self, me);
    think(self);
    return TR_CONTINUE;
}

/* "guest-17: 5 some text.": whether the line is what guest 17 says in its round 5, and whether that comes now. */
static bool is_right(struct chat_client *me, unsigned *who, unsigned *round)
{
    char *at = me->line + 6;
    int size;
    if (memcmp(me->line, "guest-", 6) != 0)
        return false;
    *who = (unsigned)strtoul(at, &at, 10);
    if (*who >= CHAT_CLIENTS_MAX || memcmp(at, ": ", 2) != 0)
        return false;
    *round = (unsigned)strtoul(at + 2, &at, 10);
    const char *text = pattern_text(*who, *round, &size);
    if (*at != ' ' || memcmp(at + 1, text, (size_t)size) != 0 || strcmp(at + 1 + size, ".") != 0)
        return false;
    unsigned last = me->last[*who];
    return last == 0 || *round == last || *round == last + 1;
}

static int heard(tr_self *self, struct chat_client *me)
{
    unsigned who, round;
    if (!is_right(me, &who, &round)) {
        tr_log(self, TR_LOG_ERROR, "%s heard what it should not: %s", me->name, me->line);
        return TR_EPROTO;
    }
    me->last[who] = round;
    me->report.bytes += me->length + 1;
    if (++me->report.lines == REPORT_LINES)
        report_send(self, me->is.director, &me->report);
    return who == me->is.number && round == me->round && me->began ? heard_myself(self, me) : TR_CONTINUE;
}

/* The service itself speaks. */
static int notice(tr_self *self, struct chat_client *me)
{
    size_t length = strlen(me->name);
    if (strcmp(me->line, "What is your name?") == 0)
        tr_tcp_write(self, me->connection, tr_buf_printf("%s\n", me->name));
    else if (strncmp(me->line, "* that name is taken", 20) == 0) /* by a session of ours that is about to end */
        tr_after(self, TR_MS(RETRY_MS), INTRODUCE);
    else if (strcmp(me->line, "* the room was closed for a moment") == 0)
        return entered(self, me);
    else if (strncmp(me->line + 2, me->name, length) == 0 && strcmp(me->line + 2 + length, " is here") == 0)
        return entered(self, me);
    return TR_CONTINUE;
}

static int received(tr_self *self, struct chat_client *me, const tr_buf *buf)
{
    int answer = TR_CONTINUE;
    for (; buf; buf = tr_buf_next(buf)) {
        const char *at = tr_buf_bytes(buf), *end = at + tr_buf_length(buf);
        while (at < end && answer == TR_CONTINUE) {
            const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
            size_t room = sizeof me->line - 1 - me->length, size = (size_t)(stop - at);
            if (size > room)
                return TR_EPROTO; /* longer than any line can be */
            memcpy(me->line + me->length, at, size);
            me->length += size;
            at = newline ? newline + 1 : end;
            if (!newline)
                break;
            me->line[me->length] = 0;
            answer = me->line[0] == '*' || me->line[0] == 'W' ? notice(self, me) : heard(self, me);
            me->length = 0;
        }
    }
    return answer;
}

/* ---- the client -------------------------------------------------------------------------------------------------- */

static int disconnected(tr_self *self, struct chat_client *me)
{
    me->connection = TR_NOBODY;
    me->inside = false;
    me->length = 0;
    if (me->leaving)
        return leave(self, me);
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
        return received(self, me, tr_body(tr_tcp_data, m)->buf);
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
        think(self);
    }
    if (tr_is(client_finish, m)) {
        me->finishing = true;
        return me->began ? TR_CONTINUE : leave(self, me);
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
