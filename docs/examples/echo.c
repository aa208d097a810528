/* echo: sends back what it receives. One actor per connection; the bytes are never copied. */
#include "options.h"

static const char usage[] =
    "usage: echo [--workers N] ADDRESS\n"
    "\n"
    "Sends everything back to whoever sent it.\n"
    "\n"
    "  ADDRESS       where to listen: 127.0.0.1:7000, [::1]:7000, *:7000 (all addresses), or several\n"
    "                with commas between them; port 0 lets the system choose one\n"
    "  --workers N   threads that run actors; without it as many as there are cores\n"
    "  --help        this text\n"
    "\n"
    "TROUPE_PORT in the environment chooses the completion port: uring or epoll; iocp on Windows.\n";

/* ---- one client -------------------------------------------------------------------------------------------------- */

static int session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    /* The received buffer counts against the connection's window until it has been sent, so who sends without reading
     * is held back by that alone. */
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session };

/* ---- the server -------------------------------------------------------------------------------------------------- */

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    return tr_tcp_listen(self, NULL, *(const char *const *)arg);
}

static int server(tr_self *self, void *state, const tr_msg *m)
{
    char text[TR_ADDRESS_TEXT];
    (void)state;
    if (tr_is(tr_tcp_listening, m)) {
        printf("listening on %s\n", tr_address_text(&tr_body(tr_tcp_listening, m)->address, text));
        fflush(stdout);
    } else if (tr_is(tr_tcp_accepted, m)) {
        tr_tcp_serve(self, m, &session_actor, NULL);
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
