/*
 * Owners that are restarted: a new life hears nothing of the connections of the former ones, which are reset.
 */
#include "tests/io/tcp_support.h"

enum { CONNECTIONS = 8, LIVES = 30, MESSAGES = 4 };

/* What the owner knows over all its lives; its turns do not overlap. */
static struct {
    char address[TR_ADDRESS_TEXT];
    tr_ref mine[CONNECTIONS]; /* of this life */
    unsigned heard;           /* in this life */
    unsigned strangers;       /* messages of connections of former lives */
    uint32_t lives;
    uint32_t ends; /* of server sessions */
} all;

static bool is_mine(tr_ref ref)
{
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (tr_ref_eq(all.mine[i], ref))
            return true;
    return false;
}

static int owner_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    all.heard = 0;
    memset(all.mine, 0, sizeof all.mine);
    for (unsigned i = 0; i < CONNECTIONS && all.lives < LIVES; i++)
        if (tr_tcp_connect(self, &all.mine[i], all.address))
            return TR_EFAULT;
    ck_pr_inc_32(&all.lives);
    return 0;
}

/* Each life is of another length. */
static int owner_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state;
    if (!tr_ref_is_nobody(m->from) && !is_mine(m->from))
        all.strangers++;
    if (tr_is(tr_tcp_data, m) && all.heard++ >= all.lives % CONNECTIONS)
        return TR_EFAULT;
    return TR_CONTINUE;
}

static const tr_actor owner_actor = { TR_SPEC, .name = "owner", .start = owner_start, .receive = owner_receive };

/* Talks without being asked, and waits for the end. */
static int session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_connected, m))
        for (unsigned i = 0; i < MESSAGES; i++)
            tr_tcp_write_copy(self, m->from, "news", 4);
    if (!tr_is(tr_tcp_closed, m))
        return TR_CONTINUE;
    ck_pr_inc_32(&all.ends);
    return TR_STOP;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session };

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

TR_MESSAGE(announced, tr_address address;);
TR_DEFINE(announced);

static tr_ref listener_of_address;

static int server(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_listening, m))
        tr_send(self, listener_of_address, announced, .address = tr_body(tr_tcp_listening, m)->address);
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_serve(self, m, &session_actor, NULL);
    return TR_CONTINUE;
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server };

static const tr_child children[] = {
    { .name = "the owner", .actor = &owner_actor, .intensity = 1000 },
};
static const tr_supervisor supervisor = { TR_SUPERVISOR, .name = "supervisor", .children = children, .count = 1,
    .backoff_ns = 1, .backoff_max_ns = 1 };

static int start_owner(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_supervise(self, &supervisor)) ? TR_EFAULT : 0;
}

static int start_server(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_spawn(self, &server_actor, NULL)) ? TR_EFAULT : 0;
}

Test(tcp_owner, a_new_life_hears_nothing_of_the_connections_of_the_former)
{
    capture_log(TR_LOG_ERROR);
    open_system(2);
    listener_of_address = tr_probe_ref(probe);
    cr_assert_eq(tr_probe_do(probe, start_server, NULL), 0);
    tr_address_text(&tr_body(announced, expect(announced))->address, all.address);
    cr_assert_eq(tr_probe_do(probe, start_owner, NULL), 0);
    for (int tries = 0; ck_pr_load_32(&all.lives) <= LIVES || ck_pr_load_32(&all.ends) < LIVES * CONNECTIONS; tries++) {
        cr_assert_lt(tries, 10000, "%u lives, %u ends", ck_pr_load_32(&all.lives), ck_pr_load_32(&all.ends));
        poll(NULL, 0, 1);
    }
    close_system();
    cr_assert_eq(all.strangers, 0);
}

/* ---- who keeps what he was told ---------------------------------------------------------------------------------- */

static tr_ref report_to;

static int take_and_close(tr_self *self, void *state, const tr_msg *m)
{
    tr_msg **taken = state;
    if (tr_is(tr_tcp_connected, m)) {
        *taken = tr_take(self, m);
        tr_tcp_close(self, m->from);
    } else if (tr_is(tr_tcp_closed, m)) {
        tr_release(self, *taken);
        tr_send(self, report_to, announced, .address = { .port = 1 });
        return TR_STOP;
    }
    return TR_CONTINUE;
}

static int connect_somewhere(tr_self *self, void *state, const void *arg)
{
    (void)state;
    return tr_tcp_connect(self, NULL, arg);
}

static const tr_actor taker_actor = { TR_SPEC, .name = "taker", .start = connect_somewhere, .receive = take_and_close,
    .state_size = sizeof(tr_msg *), .arg_size = TR_ADDRESS_TEXT };

static int start_taker(tr_self *self, void *address)
{
    return tr_ref_is_nobody(tr_spawn(self, &taker_actor, address)) ? TR_EFAULT : 0;
}

/* It has heard that it was connected, though that message does not come back before it lets go of it. */
Test(tcp_owner, one_that_keeps_what_it_was_told_hears_of_the_end)
{
    char text[TR_ADDRESS_TEXT] = "";
    tr_address address;
    int listener = peer_listen(&address);
    open_system(2);
    report_to = tr_probe_ref(probe);
    cr_assert_eq(tr_probe_do(probe, start_taker, (void *)tr_address_text(&address, text)), 0);
    int peer = accept(listener, NULL, NULL);
    peer_expect_end(peer);
    close(peer);
    expect(announced);
    close(listener);
    close_system();
}
