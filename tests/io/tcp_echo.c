/* An echo server and a client, both of actors. */
#include "tests/support.h"

static int session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}
static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session };

struct server {
    tr_ref tell;
};

static int server_start(tr_self *self, void *state, const void *arg)
{
    ((struct server *)state)->tell = *(const tr_ref *)arg;
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

static int server(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(tr_tcp_listening, m))
        tr_forward(self, m, ((struct server *)state)->tell);
    else if (tr_is(tr_tcp_accepted, m))
        tr_tcp_serve(self, m, &session_actor, NULL);
    return TR_CONTINUE;
}
static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server,
    .state_size = sizeof(struct server), .arg_size = sizeof(tr_ref) };

static int start_server(tr_self *self, void *arg)
{
    tr_ref me = tr_me(self);
    (void)arg;
    tr_spawn(self, &server_actor, &me);
    return 0;
}

static int connect_to(tr_self *self, void *arg)
{
    char text[TR_ADDRESS_TEXT];
    return tr_tcp_connect(self, NULL, tr_address_text(arg, text));
}

struct writing {
    tr_ref connection;
    const char *text;
};

static int write_text(tr_self *self, void *arg)
{
    struct writing *w = arg;
    return tr_tcp_write_copy(self, w->connection, w->text, strlen(w->text));
}

static int close_it(tr_self *self, void *arg)
{
    return tr_tcp_close(self, *(tr_ref *)arg);
}

Test(tcp_echo, what_is_written_comes_back)
{
    open_system(2);
    tr_probe_do(probe, start_server, NULL);
    tr_address address = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
    cr_assert_eq(tr_probe_do(probe, connect_to, &address), 0);
    const tr_msg *m = expect(tr_tcp_connected);
    cr_assert(tr_address_eq(&tr_body(tr_tcp_connected, m)->remote, &address));
    tr_ref connection = m->from;
    tr_probe_do(probe, write_text, &(struct writing){ connection, "hello" });
    m = expect(tr_tcp_data);
    cr_assert(tr_buf_equals(tr_body(tr_tcp_data, m)->buf, "hello", 5));
    tr_probe_do(probe, close_it, &connection);
    m = expect(tr_tcp_closed);
    cr_assert_eq(tr_body(tr_tcp_closed, m)->reason, 0);
    close_system();
}

/* ---- by workers that spin before they sleep ---------------------------------------------------------------------- */

enum { ROUNDS = 300, SPIN_US = 100 };

TR_SIGNAL(rounds_done);
TR_DEFINE(rounds_done);

struct pauser_arg {
    tr_address server;
    tr_ref tell;
};

struct pauser {
    tr_ref connection, tell;
    int rounds;
};

static int pauser_start(tr_self *self, void *state, const void *arg_)
{
    const struct pauser_arg *arg = arg_;
    char text[TR_ADDRESS_TEXT];
    ((struct pauser *)state)->tell = arg->tell;
    return tr_tcp_connect(self, &((struct pauser *)state)->connection, tr_address_text(&arg->server, text));
}

/* Writes, waits for the answer, and then for a time around the one that is spun for. */
static int pauser(tr_self *self, void *state, const tr_msg *m)
{
    struct pauser *me = state;
    if (tr_is(tr_tcp_connected, m) || tr_is(tr_timeout, m)) {
        tr_tcp_write_copy(self, me->connection, "?", 1);
    } else if (tr_is(tr_tcp_data, m) && ++me->rounds < ROUNDS) {
        tr_after(self, TR_US(me->rounds * 7 % (2 * SPIN_US)), 0);
    } else if (tr_is(tr_tcp_data, m)) {
        tr_send(self, me->tell, rounds_done);
        tr_tcp_close(self, me->connection);
    }
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor pauser_actor = { TR_SPEC, .name = "pauser", .start = pauser_start, .receive = pauser,
    .state_size = sizeof(struct pauser), .arg_size = sizeof(struct pauser_arg) };

static int start_pauser(tr_self *self, void *arg)
{
    tr_spawn(self, &pauser_actor, arg);
    return 0;
}

Test(tcp_echo, comes_back_whether_workers_still_spin_or_sleep_already)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        open_system_with((tr_options){ .workers = workers, .spin_ns = TR_US(SPIN_US) });
        tr_probe_do(probe, start_server, NULL);
        struct pauser_arg arg = { .tell = tr_probe_ref(probe) };
        arg.server = tr_body(tr_tcp_listening, expect(tr_tcp_listening))->address;
        tr_probe_do(probe, start_pauser, &arg);
        expect(rounds_done);
        close_system();
    }
}
