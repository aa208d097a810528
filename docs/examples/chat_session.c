/* One client of the chat service, see chat.h. */
#include "chat.h"

#include <stdio.h>

struct session {
    tr_ref connection;
    struct chat_name name; /* empty: not introduced yet */
    size_t length;         /* of the line so far */
    char line[CHAT_LINE_BYTES + 1];
};

static int tell(tr_self *self, const struct session *me, const char *text)
{
    tr_tcp_write_copy(self, me->connection, text, strlen(text));
    return TR_CONTINUE;
}

/* Linked first: whenever the room crashes from now on, we hear of it. */
static int enter(tr_self *self, const struct session *me, bool again)
{
    tr_ref room = tr_whereis(self, CHAT_ROOM);
    tr_link(self, room);
    return tr_send(self, room, chat_enter, .connection = me->connection, .name = me->name, .again = again);
}

static int introduce(tr_self *self, struct session *me)
{
    char user[TR_NAME_MAX + 1];
    if (me->length == 0 || me->length > CHAT_NAME_BYTES || strcspn(me->line, " :*") < me->length)
        return tell(self, me, "* a name has 1 to 20 characters, no spaces, colons or stars; another one?\n");
    snprintf(user, sizeof user, "user %.*s", CHAT_NAME_BYTES, me->line);
    if (tr_register(self, user)) /* as a name in the system, which is free again when the session ends */
        return tell(self, me, "* that name is taken; another one?\n");
    memcpy(me->name.text, me->line, me->length);
    return enter(self, me, false);
}

static int line_ended(tr_self *self, struct session *me)
{
    if (me->length == CHAT_LINE_BYTES)
        return tell(self, me, "* that line is too long\n");
    while (me->length && me->line[me->length - 1] == ' ')
        me->length--;
    me->line[me->length] = 0;
    if (!*me->name.text)
        return introduce(self, me);
    tr_ref room = tr_whereis(self, CHAT_ROOM);
    if (strcmp(me->line, "/names") == 0)
        return tr_send(self, room, chat_names);
    tr_buf *line = me->length ? tr_buf_printf("%s: %s\n", me->name.text, me->line) : NULL;
    if (me->length && (!line || tr_send(self, room, chat_say, .line = line)))
        return tell(self, me, "* too much is being said; that line was not\n");
    return TR_CONTINUE;
}

/* Control characters could play tricks on the others' terminals: they become spaces. */
static int hear(tr_self *self, struct session *me, const tr_buf *buf)
{
    int answer = TR_CONTINUE;
    for (; buf; buf = tr_buf_next(buf))
        for (size_t i = 0; i < tr_buf_length(buf) && answer == TR_CONTINUE; i++) {
            char c = ((const char *)tr_buf_bytes(buf))[i];
            if (c == '\n') {
                answer = line_ended(self, me);
                me->length = 0;
            } else if (me->length < CHAT_LINE_BYTES) {
                me->line[me->length++] = (unsigned char)c < ' ' || c == 127 ? ' ' : c;
            }
        }
    return answer;
}

static int session(tr_self *self, void *state, const tr_msg *m)
{
    struct session *me = state;
    if (tr_is(tr_tcp_connected, m)) {
        me->connection = m->from;
        return tell(self, me, "What is your name?\n");
    }
    if (tr_is(tr_tcp_data, m))
        return hear(self, me, tr_body(tr_tcp_data, m)->buf);
    if (tr_is(tr_exited, m)) /* the room has crashed; it keeps its name, and is started again */
        return enter(self, me, true);
    return tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) ? TR_STOP : TR_CONTINUE;
}

const tr_actor chat_session_actor = {
    TR_SPEC,
    .name = "session",
    .receive = session,
    .state_size = sizeof(struct session),
    .trap_exits = true,
};
