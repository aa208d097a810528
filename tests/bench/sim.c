/*
 * sim: N seeds of a simulation: on two hosts, 31 clients who each connect to a server, send it four lines, one after the
 * other, and want them back, and 31 sessions: 64 actors with the server and the one who waits for the clients, and the
 * connections besides. An operation is a message that was handled, of whatever kind; seeds_per_s tells of whole runs, from
 * nothing to nothing. One thread.
 */
#include "tests/bench/bench.h"

enum { CLIENTS = 31, LINES = 4, LENGTH = 64 };

/* ---- the server -------------------------------------------------------------------------------------------------- */

static int session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session };

struct server {
    int served;
};

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_tcp_listen(self, NULL, "0.0.0.0:7");
}

static int server(tr_self *self, void *state, const tr_msg *m)
{
    struct server *me = state;
    if (tr_is(tr_tcp_accepted, m))
        tr_monitor_set(self, tr_tcp_serve(self, m, &session_actor, NULL));
    return tr_is(tr_down, m) && ++me->served == CLIENTS ? TR_STOP : TR_CONTINUE;
}

static const tr_actor server_root = { TR_SPEC, .name = "server", .start = server_start, .receive = server,
    .state_size = sizeof(struct server) };

/* ---- the clients ------------------------------------------------------------------------------------------------- */

struct client {
    tr_ref connection;
    unsigned got;
};

static int client_start(tr_self *self, void *state, const void *arg)
{
    struct client *me = state;
    (void)arg;
    return tr_tcp_connect(self, &me->connection, "10.0.0.1:7");
}

static void say_a_line(tr_self *self, const struct client *me)
{
    static const char line[LENGTH] = "a line";
    tr_tcp_write_copy(self, me->connection, line, sizeof line);
}

static int client(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (tr_is(tr_tcp_connected, m)) {
        say_a_line(self, me);
    } else if (tr_is(tr_tcp_data, m)) {
        me->got += (unsigned)tr_buf_size(tr_body(tr_tcp_data, m)->buf);
        if (me->got == LINES * LENGTH)
            tr_tcp_close(self, me->connection);
        else if (me->got % LENGTH == 0)
            say_a_line(self, me);
    } else if (tr_is(tr_tcp_failed, m)) {
        return tr_body(tr_tcp_failed, m)->reason;
    }
    return !tr_is(tr_tcp_closed, m) ? TR_CONTINUE : me->got == LINES * LENGTH ? TR_STOP : TR_EPROTO;
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client,
    .state_size = sizeof(struct client) };

static int clients_start(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    *(int *)state = CLIENTS;
    return tr_after(self, TR_MS(10), 0).bits ? TR_CONTINUE : TR_ENOMEM; /* by then the server listens */
}

static int clients(tr_self *self, void *state, const tr_msg *m)
{
    int *left = state;
    if (tr_is(tr_timeout, m))
        for (int i = 0; i < CLIENTS; i++)
            tr_spawn(self, &client_actor, NULL, .monitor = true);
    if (!tr_is(tr_down, m))
        return TR_CONTINUE;
    if (tr_body(tr_down, m)->reason)
        return tr_body(tr_down, m)->reason;
    return --*left ? TR_CONTINUE : TR_STOP;
}

static const tr_actor clients_root = { TR_SPEC, .name = "clients", .start = clients_start, .receive = clients,
    .state_size = sizeof(int) };

/* ---- the runs ---------------------------------------------------------------------------------------------------- */

static int sim_run(int64_t n)
{
    static const tr_sim_host hosts[] = { { .name = "server", .actor = &server_root },
        { .name = "clients", .actor = &clients_root }, { 0 } };
    int64_t messages = 0, start = bench_now();
    for (int64_t seed = 1; seed <= n; seed++) {
        tr_sim_result result;
        bench_check(tr_sim_run((uint64_t)seed, NULL, hosts, &result) == 0, result.what);
        messages += (int64_t)result.messages;
    }
    int64_t ns = bench_now() - start;
    bench_more("seeds=%lld seeds_per_s=%.0f", (long long)n, (double)n * 1e9 / (double)(ns ? ns : 1));
    bench_report(messages, ns);
    return 0;
}

const struct bench_workload bench_sim = { .name = "sim", .run = sim_run, .n = 2000 };
