/*
 * Many connections at once, all echoing; and the same with owners killed at random on both sides.
 */
#include "tests/io/tcp_support.h"

#include "sched/random.h"

enum { CROWD = 1000, BLOCK_MAX = 3000 };

static struct {
    unsigned echoes; /* of each client */
    unsigned kills;  /* 0: nobody is killed */
    tr_address address;
    tr_ref director;
    struct tri_random random; /* the director's */
    tr_ref clients[CROWD], sessions[CROWD];
    unsigned connected, serving, down, killed; /* the director's */
    uint64_t done;                             /* echoes */
    bool begun;
} crowd;

TR_SIGNAL(is_connected);
TR_DEFINE(is_connected);
TR_SIGNAL(is_serving);
TR_DEFINE(is_serving);
TR_SIGNAL(begin);
TR_DEFINE(begin);

#define demand(condition, ...) \
    do \
        if (!(condition)) \
            tri_panic(__VA_ARGS__); \
    while (0)

/* ---- the two sides ----------------------------------------------------------------------------------------------- */

static int session_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_send(self, crowd.director, is_serving);
    return TR_CONTINUE;
}

static int session(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .start = session_start, .receive = session };

struct client {
    tr_ref connection;
    struct tri_random random;
    uint32_t size, back; /* of the block on its way, and how much of it has come back */
    uint8_t first;
    unsigned left;
};

static int client_start(tr_self *self, void *state, const void *arg)
{
    char text[TR_ADDRESS_TEXT];
    struct client *me = state;
    me->random = (struct tri_random){ *(const uint64_t *)arg };
    me->left = crowd.echoes;
    return tr_tcp_connect(self, &me->connection, tr_address_text(&crowd.address, text));
}

static int next_block(tr_self *self, struct client *me)
{
    void *to;
    if (me->left-- == 0)
        return tr_tcp_close(self, me->connection), TR_CONTINUE;
    me->size = 1 + tri_random_below(&me->random, BLOCK_MAX);
    me->back = 0;
    me->first = (uint8_t)tri_random_next(&me->random);
    tr_buf *buf = tr_buf_new(me->size, &to);
    for (uint32_t i = 0; i < me->size; i++)
        ((uint8_t *)to)[i] = (uint8_t)(me->first + i * 7);
    tr_tcp_write(self, me->connection, buf);
    return TR_CONTINUE;
}

static int on_echo(tr_self *self, struct client *me, const tr_buf *buf)
{
    for (const tr_buf *p = buf; p; p = tr_buf_next(p)) {
        const uint8_t *bytes = tr_buf_bytes(p);
        for (size_t i = 0; i < tr_buf_length(p); i++, me->back++)
            demand(me->back < me->size && bytes[i] == (uint8_t)(me->first + me->back * 7), "another echo");
    }
    if (me->back < me->size)
        return TR_CONTINUE;
    ck_pr_inc_64(&crowd.done);
    return next_block(self, me);
}

static int client(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (tr_is(tr_tcp_connected, m))
        tr_send(self, crowd.director, is_connected);
    else if (tr_is(begin, m))
        return next_block(self, me);
    else if (tr_is(tr_tcp_data, m))
        return on_echo(self, me, tr_body(tr_tcp_data, m)->buf);
    else if (tr_is(tr_tcp_failed, m))
        tri_panic("not connected: %s", tr_strerror(tr_body(tr_tcp_failed, m)->reason));
    else if (tr_is(tr_tcp_closed, m)) {
        int reason = tr_body(tr_tcp_closed, m)->reason;
        demand(crowd.kills || reason == 0, "closed: %s", tr_strerror(reason));
        return TR_STOP;
    }
    return TR_CONTINUE;
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client,
    .state_size = sizeof(struct client), .arg_size = sizeof(uint64_t) };

/* ---- the director ------------------------------------------------------------------------------------------------ */

static void start_clients(tr_self *self)
{
    for (int i = 0; i < CROWD; i++) {
        uint64_t seed = tri_random_next(&crowd.random);
        crowd.clients[i] = tr_spawn(self, &client_actor, &seed);
        demand(!tr_ref_is_nobody(crowd.clients[i]) && tr_monitor_set(self, crowd.clients[i]).bits, "spawn");
    }
}

/* All are there: from now on they echo, and some are killed. */
static void begin_all(tr_self *self)
{
    crowd.begun = true;
    for (int i = 0; i < CROWD; i++)
        tr_send(self, crowd.clients[i], begin);
    if (crowd.kills)
        tr_every(self, TR_US(500), 0);
}

static void kill_some(tr_self *self)
{
    for (unsigned i = tri_random_below(&crowd.random, 8); i && crowd.killed < crowd.kills; i--) {
        unsigned who = tri_random_below(&crowd.random, CROWD);
        tr_kill(self, tri_random_below(&crowd.random, 2) ? crowd.clients[who] : crowd.sessions[who]);
        crowd.killed++;
    }
}

static int director(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_listening, m)) {
        crowd.address = tr_body(tr_tcp_listening, m)->address;
        start_clients(self);
    } else if (tr_is(tr_tcp_accepted, m)) {
        demand(!tr_ref_is_nobody(tr_tcp_serve(self, m, &session_actor, NULL)), "serve");
    } else if (tr_is(is_connected, m)) {
        crowd.connected++;
    } else if (tr_is(is_serving, m)) {
        crowd.sessions[crowd.serving++] = m->from;
    } else if (tr_is(tr_timeout, m)) {
        kill_some(self);
    } else if (tr_is(tr_down, m)) {
        demand(crowd.begun, "down before all were there: %s", tr_strerror(tr_body(tr_down, m)->reason));
        crowd.down++;
    }
    if (!crowd.begun && crowd.connected == CROWD && crowd.serving == CROWD)
        begin_all(self);
    return crowd.down == CROWD ? TR_STOP : TR_CONTINUE;
}

static int director_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    crowd.director = tr_me(self);
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

static const tr_actor director_actor = { TR_SPEC, .name = "director", .start = director_start, .receive = director };

static void play(unsigned echoes, unsigned kills)
{
    uint64_t seed = tri_random_seed();
    int before = open_descriptors();
    memset(&crowd, 0, sizeof crowd);
    crowd.echoes = echoes;
    crowd.kills = kills;
    crowd.random = (struct tri_random){ seed };
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    cr_assert_eq(tr_run(&(tr_options){ .actor = &director_actor, .workers = 2, .seed = seed }), 0);
    expect_nothing_left();
    cr_assert_eq(open_descriptors(), before);
}

/* Two descriptors for each connection. */
static void allow_descriptors(void)
{
#ifndef _WIN32
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 4 * CROWD)
        files.rlim_cur = files.rlim_max < 4 * CROWD ? files.rlim_max : 4 * CROWD;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
#endif
}

Test(tcp_crowd, a_thousand_at_once_echo_side_by_side)
{
    allow_descriptors();
    unsigned echoes = scaled(is_wine() ? 2 : 25, 100);
    play(echoes, 0);
    cr_assert_eq(crowd.done, (uint64_t)CROWD * echoes);
}

Test(tcp_crowd, owners_can_be_killed_at_random)
{
    allow_descriptors();
    for (unsigned round = 0; round < scaled(1, 20); round++) {
        play(is_wine() ? 4 : 40, CROWD);
        cr_assert_gt(crowd.killed, 0);
        cr_assert_lt(crowd.done, (uint64_t)CROWD * crowd.echoes);
    }
}
