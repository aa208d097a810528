/* The room of the chat service, see chat.h. */
#include "chat.h"

static void drop_line(void *body)
{
    tr_buf_unref(((chat_say *)body)->line);
}

TR_DEFINE(chat_enter);
TR_DEFINE(chat_say, .drop = drop_line);
TR_DEFINE(chat_names);

enum { MEMBERS_MAX = 4096 };

struct room {
    size_t count;
    struct member {
        tr_ref session, connection;
        struct chat_name name;
    } members[MEMBERS_MAX];
};

static struct member *find(struct room *me, tr_ref session)
{
    for (struct member *one = me->members; one < me->members + me->count; one++)
        if (tr_ref_eq(one->session, session))
            return one;
    return NULL;
}

static void broadcast(tr_self *self, const struct room *me, tr_buf *line)
{
    for (size_t i = 0; line && i < me->count; i++)
        tr_tcp_write(self, me->members[i].connection, tr_buf_ref(line));
    tr_buf_unref(line);
}

static void welcome(tr_self *self, struct room *me, tr_ref session, const chat_enter *enter)
{
    if (me->count == MEMBERS_MAX) {
        tr_tcp_write(self, enter->connection, tr_buf_printf("* the room is full\n"));
        tr_tcp_close(self, enter->connection);
        return;
    }
    me->members[me->count++] = (struct member){ session, enter->connection, enter->name };
    if (enter->again)
        tr_tcp_write(self, enter->connection, tr_buf_printf("* the room was closed for a moment\n"));
    else
        broadcast(self, me, tr_buf_printf("* %s is here\n", enter->name.text));
}

static void forget(tr_self *self, struct room *me, struct member *who)
{
    struct chat_name name = who->name;
    *who = me->members[--me->count];
    broadcast(self, me, tr_buf_printf("* %s has left\n", name.text));
}

static tr_buf *list_names(const struct room *me)
{
    tr_buf *list = NULL;
    for (size_t i = 0; i < me->count; i++)
        list = tr_buf_join(list, tr_buf_printf("%s%s", i ? ", " : "* here: ", me->members[i].name.text));
    return tr_buf_join(list, tr_buf_printf("\n"));
}

static int room(tr_self *self, void *state, const tr_msg *m)
{
    struct room *me = state;
    struct member *who = find(me, tr_is(tr_exited, m) ? tr_body(tr_exited, m)->who : m->from);
    if (tr_is(chat_say, m))
        broadcast(self, me, tr_buf_ref(tr_body(chat_say, m)->line));
    else if (tr_is(chat_enter, m) && !who)
        welcome(self, me, m->from, tr_body(chat_enter, m));
    else if (tr_is(chat_names, m) && who)
        tr_tcp_write(self, who->connection, list_names(me));
    else if (tr_is(tr_exited, m) && who)
        forget(self, me, who);
    return TR_CONTINUE;
}

const tr_actor chat_room_actor = {
    TR_SPEC,
    .name = "room",
    .receive = room,
    .state_size = sizeof(struct room),
    .trap_exits = true,
};
