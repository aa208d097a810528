/*
 * echo: N lines to a server over TCP and back, one after the other, on one connection; both ends are actors of this
 * system. So an operation is a whole round: two writes, two reads, and twice an actor is told. Across the loopback, or
 * with TROUPE_PORT=sim on a simulated network.
 */
#include "tests/bench/bench.h"

enum { LENGTH = 64 };

TR_SIGNAL(echo_finished);
TR_DEFINE(echo_finished);

/* ---- the server -------------------------------------------------------------------------------------------------- */

static int session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session };

/* ---- the client -------------------------------------------------------------------------------------------------- */

struct client {
    tr_address address;
    int64_t left;
    unsigned got; /* bytes of this line */
};

static int client_start(tr_self *self, void *state, const void *arg)
{
    struct client *me = state;
    char text[TR_ADDRESS_TEXT];
    *me = *(const struct client *)arg;
    return tr_tcp_connect(self, NULL, tr_address_text(&me->address, text));
}

static int say_a_line(tr_self *self, tr_ref connection)
{
    static const char line[LENGTH] = "a line";
    return tr_tcp_write_copy(self, connection, line, sizeof line);
}

static int client(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (tr_is(tr_tcp_connected, m))
        return say_a_line(self, m->from);
    if (tr_is(tr_tcp_closed, m))
        return TR_STOP;
    if (!tr_is(tr_tcp_data, m))
        bench_unexpected(m);
    me->got += (unsigned)tr_buf_size(tr_body(tr_tcp_data, m)->buf);
    if (me->got < LENGTH)
        return TR_CONTINUE;
    bench_check(me->got == LENGTH, "echo: more has come back than was sent");
    me->got = 0;
    if (--me->left > 0)
        return say_a_line(self, m->from);
    tr_send(self, tr_parent(self), echo_finished);
    return tr_tcp_close(self, m->from);
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client,
    .state_size = sizeof(struct client), .arg_size = sizeof(struct client) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct echo {
    int64_t n, start;
};

static int echo_start(tr_self *self, void *state, const void *arg)
{
    struct echo *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

static int echo(tr_self *self, void *state, const tr_msg *m)
{
    struct echo *me = state;
    if (tr_is(tr_tcp_listening, m)) {
        me->start = tr_now(self);
        tr_spawn(self, &client_actor, (&(struct client){ .address = tr_body(tr_tcp_listening, m)->address, .left = me->n }));
    } else if (tr_is(tr_tcp_accepted, m)) {
        tr_tcp_serve(self, m, &session_actor, NULL);
    } else if (tr_is(echo_finished, m)) {
        return bench_report(me->n, tr_now(self) - me->start);
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor echo_root = { TR_SPEC, .name = "echo", .start = echo_start, .receive = echo,
    .state_size = sizeof(struct echo), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_echo = { .name = "echo", .root = &echo_root, .n = 100000 };
