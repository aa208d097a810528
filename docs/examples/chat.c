/* chat: everybody hears what anybody says. Try it with several terminals: nc 127.0.0.1 7001 */
#include "chat.h"
#include "options.h"

static const char usage[] =
    "usage: chat [--workers N] ADDRESS\n"
    "\n"
    "A room to talk in: a client is asked for its name, and then everybody hears every line it says.\n"
    "/names tells who is there. nc is a good client.\n"
    "\n"
    "  ADDRESS       where to listen: 127.0.0.1:7001, [::1]:7001, *:7001 (all addresses), or several\n"
    "                with commas between them; port 0 lets the system choose one\n"
    "  --workers N   threads that run actors; without it as many as there are cores\n"
    "  --help        this text\n"
    "\n"
    "TROUPE_PORT in the environment chooses the completion port: uring or epoll; iocp on Windows.\n";

/* The room is the one child of a supervisor, which starts it again when it crashes. */
static const tr_supervisor house = { TR_SUPERVISOR, .name = "house", .strategy = TR_DYNAMIC };
static const tr_child room = { .name = CHAT_ROOM, .actor = &chat_room_actor };

struct server {
    const char *address;
};

static int server_start(tr_self *self, void *state, const void *arg)
{
    ((struct server *)state)->address = *(const char *const *)arg;
    tr_child_start(self, tr_supervise(self, &house, .link = true), TR_SECONDS(5), &room);
    return TR_CONTINUE;
}

static int server(tr_self *self, void *state, const tr_msg *m)
{
    struct server *me = state;
    char text[TR_ADDRESS_TEXT];
    if (tr_is(tr_child_started, m)) {
        /* Who does not read what the others say is let go when a mebibyte of it waits. */
        return tr_tcp_listen(self, NULL, me->address, .tcp.write_max = 1 << 20);
    } else if (tr_is(tr_tcp_listening, m)) {
        printf("listening on %s\n", tr_address_text(&tr_body(tr_tcp_listening, m)->address, text));
        fflush(stdout);
    } else if (tr_is(tr_tcp_accepted, m)) {
        tr_tcp_serve(self, m, &chat_session_actor, NULL);
    } else if (tr_is(tr_failed, m)) {
        return tr_body(tr_failed, m)->reason; /* no room */
    } else if (tr_is(tr_tcp_closed, m)) {
        return tr_body(tr_tcp_closed, m)->reason; /* the listener has failed, and said why */
    }
    return TR_CONTINUE;
}

static const tr_actor server_actor = {
    TR_SPEC,
    .name = "server",
    .start = server_start,
    .receive = server,
    .state_size = sizeof(struct server),
    .arg_size = sizeof(const char *),
};

int main(int argc, char **argv)
{
    struct options options = options_read(argc, argv, usage, 1);
    return tr_run(&(tr_options){
               .actor = &server_actor,
               .arg = &options.addresses[0],
               .workers = options.workers,
               .signals = true,
           })
        ? EXIT_FAILURE
        : EXIT_SUCCESS;
}
