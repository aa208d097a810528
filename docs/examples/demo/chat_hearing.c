/* What a client of the chat hears. */
#include "chat_client.h"

#include <stdlib.h>

enum { REPORT_LINES = 1000 };

/* We have been let in; what was heard before says nothing about what comes now. */
static int entered(tr_self *self, struct chat_client *me)
{
    memset(me->last, 0, sizeof me->last);
    me->inside = true;
    if (!me->ready)
        tr_send(self, me->is.director, client_ready);
    me->ready = true;
    if (me->began)
        chat_client_say(self, me);
    else if (me->started)
        chat_client_think(self);
    return TR_CONTINUE;
}

static int heard_myself(tr_self *self, struct chat_client *me)
{
    report_round(self, me->is.director, &me->report, me->began);
    me->began = 0;
    if (me->finishing)
        return chat_client_leave(self, me);
    chat_client_think(self);
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

int chat_client_received(tr_self *self, struct chat_client *me, const tr_buf *buf)
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
