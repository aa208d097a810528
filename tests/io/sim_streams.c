/*
 * The chaos of connections: everything that can be asked of a connection, in any order, at any time, also before it is
 * connected; frames that are gathered and let go of late; owners that hand it on. What must hold whatever the order is said by
 * the simulator (io/sim/ledger.h): the bytes, the grammar, and that nothing is forgotten. Here nobody counts anything.
 *
 * The verbs are drawn from a set that is drawn for each connection: a fault that needs three of them in a row is found
 * sooner among three than among fourteen.
 */
#include "tests/support.h"

#include <inttypes.h>

enum verb {
    WRITE,
    FLUSH,
    SHUTDOWN,
    CLOSE,
    DETACH,
    DETACH_SOON,
    OWN,
    PAUSE,
    RESUME,
    ABORT,
    WRITE_MUCH,
    HALF_OPEN,
    TIMEOUTS,
    NOTHING,
    VERBS,
};

TR_MESSAGE(handed, tr_ref connection; uint32_t verbs;); /* of an owner to the next: it is yours */
TR_DEFINE(handed);

enum { KEPT = 4, ALL = (1 << VERBS) - 1 };

/* Which verbs there are, and whether they are used also before there is anything to use them on. Set before each run. */
static uint32_t allowed = ALL;
static bool early = true;

/* An owner, on either side. */
struct party {
    tr_ref connection;
    uint32_t verbs; /* that it uses */
    uint32_t frame; /* bytes of a frame that it gathers; 0: it lets go of all at once */
    unsigned left;  /* things to do */
    uint16_t next;  /* byte to be written */
    bool over, paused;
    tr_buf *part, *kept[KEPT]; /* a frame's, and frames that somebody works at for a while */
    unsigned kept_count;
};

struct party_arg {
    tr_ref connection;
    uint32_t verbs;
};

static void write_some(tr_self *self, struct party *me, size_t size)
{
    void *bytes;
    tr_buf *buf = tr_buf_new(size, &bytes);
    for (size_t i = 0; buf && i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(me->next++ * 7 >> 3);
    (void)tr_tcp_write(self, me->connection, buf);
}

static int party_receive(tr_self *self, void *state, const tr_msg *m);
static int party_start(tr_self *self, void *state, const void *arg);
static void party_stop(tr_self *self, void *state, int reason);

static const tr_actor party_actor = { TR_SPEC, .name = "party", .start = party_start, .receive = party_receive,
    .stop = party_stop, .state_size = sizeof(struct party), .arg_size = sizeof(struct party_arg) };

/* Hands it on, and is a party no longer. */
static void hand_on(tr_self *self, struct party *me)
{
    tr_ref next = tr_spawn(self, &party_actor, &(struct party_arg){ me->connection, me->verbs });
    if (tr_ref_is_nobody(next))
        return;
    (void)tr_tcp_own(self, me->connection, next);
    if (me->paused)
        (void)tr_tcp_window(self, me->connection, 65536); /* it does not know */
    me->over = true;
}

static void detach(tr_self *self, struct party *me, int64_t timeout_ns)
{
    (void)tr_tcp_detach(self, me->connection, timeout_ns);
}

static void do_it(tr_self *self, struct party *me, enum verb verb)
{
    tr_ref c = me->connection;
    switch (verb) {
    case WRITE: write_some(self, me, 1 + tr_random_below(self, 300)); break;
    case WRITE_MUCH: write_some(self, me, 1 + tr_random_below(self, 200000)); break;
    case FLUSH: (void)tr_tcp_flush(self, c, TR_SECONDS(200)); break;
    case SHUTDOWN: (void)tr_tcp_shutdown(self, c); break;
    case CLOSE: (void)tr_tcp_close(self, c); break;
    case DETACH: detach(self, me, TR_SECONDS(300)); break;
    case DETACH_SOON: detach(self, me, TR_US(1 + tr_random_below(self, 3000))); break;
    case OWN: hand_on(self, me); break;
    case PAUSE: me->paused = tr_tcp_window(self, c, 0) == 0; break;
    case RESUME: me->paused = tr_tcp_window(self, c, 65536) != 0; break;
    case ABORT: (void)tr_tcp_abort(self, c); break;
    case HALF_OPEN: (void)tr_tcp_half_open(self, c, tr_random_below(self, 2)); break;
    case TIMEOUTS: (void)tr_tcp_timeouts(self, c, TR_SECONDS(20) * tr_random_below(self, 2), TR_SECONDS(9)); break;
    default: break;
    }
}

/* A few things at once, or one. */
static void do_some(tr_self *self, struct party *me)
{
    for (unsigned n = 1 + tr_random_below(self, 3); n > 0 && me->left > 0 && !me->over; n--) {
        enum verb verb = (enum verb)tr_random_below(self, VERBS);
        while (!(me->verbs & 1u << verb))
            verb = (verb + 1) % VERBS;
        me->left--;
        do_it(self, me, verb);
    }
    if (me->left == 0 && !me->over) { /* the last word: it reads, it may send no more, and it ends within its time */
        (void)tr_tcp_window(self, me->connection, 65536);
        (void)tr_tcp_timeouts(self, me->connection, TR_SECONDS(60), TR_SECONDS(60));
        (void)tr_tcp_shutdown(self, me->connection);
    } else if (me->left > 0 && !me->over) {
        (void)tr_after(self, TR_US(1 + tr_random_below(self, 2000)), 1);
    }
}

/* A frame is one when all of it is there; then it is held for another while by somebody who works at it. */
static void gather(tr_self *self, struct party *me, tr_buf *buf)
{
    me->part = tr_buf_join(me->part, tr_buf_ref(buf));
    while (me->part && tr_buf_size(me->part) >= me->frame) {
        size_t size = tr_buf_size(me->part);
        tr_buf *frame = tr_buf_slice(me->part, 0, me->frame);
        tr_buf *rest = size > me->frame ? tr_buf_slice(me->part, me->frame, size - me->frame) : NULL;
        tr_buf_unref(me->part);
        me->part = rest;
        if (me->kept_count == KEPT)
            tr_buf_unref(me->kept[--me->kept_count]);
        me->kept[me->kept_count++] = frame;
        (void)tr_after(self, TR_US(1 + tr_random_below(self, 3000)), 2);
    }
}

static void let_go(struct party *me)
{
    while (me->kept_count)
        tr_buf_unref(me->kept[--me->kept_count]);
}

static int party_start(tr_self *self, void *state, const void *arg_)
{
    struct party *me = state;
    const struct party_arg *arg = arg_;
    uint32_t frames = tr_random_below(self, 3);
    me->connection = arg->connection;
    me->verbs = arg->verbs;
    me->left = 1 + tr_random_below(self, 12);
    me->frame = frames == 0 ? 0 : frames == 1 ? 1 + tr_random_below(self, 5000) : 20000 + tr_random_below(self, 30000);
    if (early && tr_random_below(self, 2))
        do_some(self, me); /* before it is connected, or before it has heard anything of it */
    else
        (void)tr_after(self, early ? TR_US(1 + tr_random_below(self, 2000)) : TR_MS(20), 1);
    return TR_CONTINUE;
}

static void party_stop(tr_self *self, void *state, int reason)
{
    struct party *me = state;
    (void)self, (void)reason;
    tr_buf_unref(me->part);
    let_go(me);
}

/* It goes on, as another's or its own, or is closed. */
static void detached(tr_self *self, struct party *me, const tr_msg *m)
{
    if (tr_random_below(self, 2))
        return; /* nobody takes it */
    int fd = tr_tcp_descriptor(m);
    me->left += 2;
    me->over = tr_tcp_adopt(self, &me->connection, fd) != 0;
    if (!me->over)
        (void)tr_after(self, TR_US(1), 1);
}

static int party_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct party *me = state;
    if (tr_is(tr_timeout, m) && tr_body(tr_timeout, m)->tag == 1 && !me->over)
        do_some(self, me);
    else if (tr_is(tr_timeout, m) && tr_body(tr_timeout, m)->tag == 2)
        let_go(me);
    else if (tr_is(tr_tcp_data, m) && me->frame)
        gather(self, me, tr_body(tr_tcp_data, m)->buf);
    else if (tr_is(tr_tcp_detached, m))
        detached(self, me, m);
    if (tr_is(tr_tcp_data, m) && me->left == 0 && me->frame) { /* what will not become a frame any more is let go of */
        tr_buf_unref(me->part);
        me->part = NULL;
        me->frame = 0;
    }
    return TR_CONTINUE; /* it stays, so that what it has written last is not reset with it */
}

/* ---- the two hosts ----------------------------------------------------------------------------------------------- */

enum { CONNECTIONS = 4 };

static uint32_t draw_verbs(tr_self *self)
{
    uint32_t verbs = tr_random_below(self, 4) == 0 ? ALL : 1u << WRITE | 1u << NOTHING;
    for (unsigned n = 1 + tr_random_below(self, 4); n > 0; n--)
        verbs |= 1u << tr_random_below(self, VERBS);
    return (verbs & allowed) | 1u << NOTHING;
}

static int server_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    return tr_tcp_listen(self, NULL, "10.0.0.1:9");
}

static int server_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_accepted, m)) {
        tr_ref connection = tr_body(tr_tcp_accepted, m)->connection;
        tr_ref owner = tr_spawn(self, &party_actor, &(struct party_arg){ connection, draw_verbs(self) });
        if (!tr_ref_is_nobody(owner))
            (void)tr_tcp_own(self, connection, owner);
    }
    return TR_CONTINUE;
}

/* Connects, and does something before that comes about. */
static int caller_start(tr_self *self, void *state, const void *arg)
{
    struct party *me = state;
    tr_ref connection;
    int error = tr_tcp_connect(self, &connection, "10.0.0.1:9", .half_open = tr_random_below(self, 2));
    (void)me;
    if (error)
        return error;
    struct party_arg mine = { connection, draw_verbs(self) };
    (void)arg;
    return party_start(self, state, &mine);
}

static const tr_actor caller_actor = { TR_SPEC, .name = "caller", .start = caller_start, .receive = party_receive,
    .stop = party_stop, .state_size = sizeof(struct party) };

static int client_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    return tr_after(self, TR_MS(10), 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int client_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_timeout, m))
        for (unsigned i = 0; i < CONNECTIONS; i++)
            (void)tr_spawn(self, &caller_actor, NULL);
    return TR_CONTINUE;
}

static const tr_actor server_actor = { TR_SPEC, .name = "server", .start = server_start, .receive = server_receive };
static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client_receive };
static const tr_sim_host hosts[] = {
    { .name = "server", .actor = &server_actor },
    { .name = "client", .actor = &client_actor },
    { 0 },
};

/* ---- many seeds -------------------------------------------------------------------------------------------------- */

static void many(unsigned seeds, const tr_sim_options *options)
{
    const char *one = getenv("TROUPE_SEED");
    uint64_t seed = one ? strtoull(one, NULL, 0) : 1;
    for (uint64_t end = seed + (one ? 1 : seeds); seed < end; seed++) {
        tr_sim_result result;
        cr_assert_eq(tr_sim_run(seed, options, hosts, &result), 0, "%s", result.what);
    }
}

/* These verbs, and nothing else. */
static void chaos_with(uint32_t verbs, bool before, unsigned seeds)
{
    allowed = verbs;
    early = before;
    many(seeds, &(tr_sim_options){ .run_ns = TR_MINUTES(30) });
}

static void chaos_of(uint32_t verbs, bool before)
{
    chaos_with(verbs, before, scaled(25, 10000));
}

#define VERB(verb) (1u << (verb))

Test(sim_streams, frames_that_are_let_go_of_late_do_not_stop_a_connection)
{
    chaos_of(VERB(WRITE) | VERB(WRITE_MUCH), false);
}

Test(sim_streams, a_connection_that_is_flushed_is_also_shut_down_and_closed)
{
    chaos_of(VERB(WRITE) | VERB(FLUSH) | VERB(SHUTDOWN) | VERB(CLOSE), false);
}

Test(sim_streams, what_is_asked_before_it_is_connected_is_done)
{
    chaos_of(VERB(WRITE) | VERB(FLUSH) | VERB(SHUTDOWN) | VERB(CLOSE), true);
}

Test(sim_streams, what_is_written_before_it_is_connected_is_told_of_afterwards)
{
    chaos_of(VERB(WRITE) | VERB(WRITE_MUCH), true);
}

Test(sim_streams, a_detach_comes_about_or_the_connection_goes_on)
{
    chaos_of(VERB(WRITE) | VERB(WRITE_MUCH) | VERB(FLUSH) | VERB(DETACH) | VERB(DETACH_SOON), false);
}

Test(sim_streams, a_detach_and_an_abort_lose_nothing_unsaid)
{
    chaos_of(VERB(WRITE) | VERB(WRITE_MUCH) | VERB(DETACH) | VERB(ABORT), false);
}

/* Whoever closes while its peer still sends does not have the peer reset before that has read all (within the limits). */
Test(sim_streams, what_was_sent_before_a_close_is_read)
{
    chaos_with(VERB(WRITE) | VERB(WRITE_MUCH) | VERB(SHUTDOWN) | VERB(CLOSE), false, scaled(120, 10000));
}

Test(sim_streams, each_owner_hears_of_it_in_the_right_order)
{
    chaos_of(VERB(WRITE) | VERB(WRITE_MUCH) | VERB(OWN), false);
}

Test(sim_streams, paused_and_handed_over_it_loses_nothing)
{
    chaos_of(VERB(WRITE) | VERB(WRITE_MUCH) | VERB(OWN) | VERB(PAUSE) | VERB(RESUME) | VERB(HALF_OPEN), true);
}

Test(sim_streams, in_any_order_nothing_asked_of_a_connection_is_forgotten)
{
    allowed = ALL;
    early = true;
    many(scaled(50, 10000), &(tr_sim_options){ .run_ns = TR_MINUTES(30) });
}

Test(sim_streams, whatever_fails_nothing_asked_of_a_connection_is_forgotten)
{
    allowed = ALL;
    early = true;
    many(scaled(25, 10000), &(tr_sim_options){ .run_ns = TR_MINUTES(30), .faults = tr_sim_rough, .roots_may_fail = true });
}

Test(sim_streams, hosts_that_crash_leave_no_connection_that_waits_for_ever)
{
    allowed = ALL;
    early = true;
    many(scaled(25, 10000), &(tr_sim_options){ .run_ns = TR_MINUTES(30), .faults.host_crash = 500, .roots_may_fail = true });
}
