/* proxy: passes TCP connections on to another address, in both directions, each end by itself. */
#include "options.h"

static const char usage[] =
    "usage: proxy [--workers N] LISTEN_ADDRESS TARGET_ADDRESS\n"
    "\n"
    "Passes every connection to LISTEN_ADDRESS on to TARGET_ADDRESS. Ends of streams are passed on\n"
    "one by one (half-close), resets as resets, and a slow reader slows its sender down.\n"
    "\n"
    "  LISTEN_ADDRESS   where to listen: 127.0.0.1:7002, [::1]:7002, *:7002 (all addresses), or several\n"
    "                   with commas between them; port 0 lets the system choose one\n"
    "  TARGET_ADDRESS   where to connect to: 127.0.0.1:80 or [::1]:80\n"
    "  --workers N      threads that run actors; without it as many as there are cores\n"
    "  --help           this text\n"
    "\n"
    "TROUPE_PORT in the environment chooses the completion port: uring or epoll; iocp on Windows.\n";

/* ---- one client and its connection to the target ----------------------------------------------------------------- */

struct pair {
    tr_ref client;
    const char *target;
};

struct relay {
    tr_ref client, server;
    int ends, closed; /* streams that have ended, connections that are closed: of two */
};

static int relay_start(tr_self *self, void *state, const void *arg)
{
    struct relay *me = state;
    const struct pair *pair = arg;
    me->client = pair->client;
    return tr_tcp_connect(self, &me->server, pair->target, .half_open = true);
}

/* Whenever something goes wrong the relay just ends: a connection whose owner has ended is reset. */
static int relay(tr_self *self, void *state, const tr_msg *m)
{
    struct relay *me = state;
    tr_ref other = tr_ref_eq(m->from, me->client) ? me->server : me->client;
    char text[TR_ADDRESS_TEXT];

    if (tr_is(tr_tcp_data, m)) {
        /* Until it has been sent, the buffer counts against the window of the connection it came from: so the slow side
         * stalls the fast one. What is written before the target has answered waits. */
        tr_tcp_write(self, other, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    } else if (tr_is(tr_tcp_eof, m)) {
        tr_tcp_shutdown(self, other);
        if (++me->ends == 2) {
            tr_tcp_close(self, me->client);
            tr_tcp_close(self, me->server);
        }
    } else if (tr_is(tr_tcp_failed, m)) {
        const tr_tcp_failed *failed = tr_body(tr_tcp_failed, m);
        if (tr_ref_eq(m->from, me->server)) /* else the client has gone before we took it over */
            tr_log(self, TR_LOG_WARNING, "target %s: %s", tr_address_text(&failed->remote, text),
                tr_strerror(failed->reason));
        return TR_STOP;
    } else if (tr_is(tr_tcp_closed, m)) {
        return tr_body(tr_tcp_closed, m)->reason || ++me->closed == 2 ? TR_STOP : TR_CONTINUE;
    }
    return TR_CONTINUE;
}

static const tr_actor relay_actor = {
    TR_SPEC,
    .name = "relay",
    .start = relay_start,
    .receive = relay,
    .state_size = sizeof(struct relay),
    .arg_size = sizeof(struct pair),
};

/* ---- the server -------------------------------------------------------------------------------------------------- */

struct server {
    const char *target;
};

static int server_start(tr_self *self, void *state, const void *arg)
{
    const struct options *options = arg;
    ((struct server *)state)->target = options->addresses[1];
    return tr_tcp_listen(self, NULL, options->addresses[0], .tcp.half_open = true);
}

static int server(tr_self *self, void *state, const tr_msg *m)
{
    char text[TR_ADDRESS_TEXT];
    if (tr_is(tr_tcp_listening, m)) {
        printf("listening on %s\n", tr_address_text(&tr_body(tr_tcp_listening, m)->address, text));
        fflush(stdout);
    } else if (tr_is(tr_tcp_accepted, m)) {
        struct pair pair = { tr_body(tr_tcp_accepted, m)->connection, ((struct server *)state)->target };
        tr_tcp_serve(self, m, &relay_actor, &pair);
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
    .arg_size = sizeof(struct options),
};

int main(int argc, char **argv)
{
    struct options options = options_read(argc, argv, usage, 2);
    return tr_run(&(tr_options){
               .actor = &server_actor,
               .arg = &options,
               .workers = options.workers,
               .signals = true,
           })
        ? EXIT_FAILURE
        : EXIT_SUCCESS;
}
