/* Links that are made and severed from both sides while those they tie crash and are started again: in every order there
 * is, on the simulator. */
#include "tests/support.h"

#include <inttypes.h>

enum { PAIRS = 4, PEERS = 2 * PAIRS };
enum wish { STIR, LINK, LINK_AND_UNLINK, UNLINK, RELINK, FORGET, CRASH, REPORT };

TR_MESSAGE(order, enum wish what; tr_ref other;);
TR_DEFINE(order);
TR_MESSAGE(heard, unsigned pair, ends;);
TR_DEFINE(heard);

/* Whether the last that was done to a pair was to make a link: then it is linked, whatever is on its way. */
static bool linked[PAIRS];

struct peer {
    unsigned pair, ends;
    bool made; /* it made one, and has not severed it: linking is nothing new, and if the other has severed it, stays so */
};

static int peer_start(tr_self *self, void *state, const void *arg)
{
    struct peer *me = state;
    (void)self;
    me->pair = *(const unsigned *)arg / 2;
    return TR_CONTINUE;
}

static void link_it(tr_self *self, struct peer *me, tr_ref other)
{
    TR_ALWAYS(tr_link(self, other) == 0);
    linked[me->pair] |= !me->made;
    me->made = true;
}

static void unlink_it(tr_self *self, struct peer *me, tr_ref other)
{
    tr_unlink(self, other);
    linked[me->pair] = me->made = false;
}

static int end(struct peer *me, int reason)
{
    linked[me->pair] = false;
    return reason;
}

static int stir(tr_self *self, struct peer *me, tr_ref other)
{
    for (unsigned i = tr_random_below(self, 4); i > 0; i--)
        if (tr_random_below(self, 2))
            link_it(self, me, other);
        else
            unlink_it(self, me, other);
    return tr_random_below(self, 12) ? TR_CONTINUE : end(me, TR_ECRASHED);
}

static int peer_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct peer *me = state;
    if (tr_is(tr_exited, m)) {
        me->ends++;
        linked[me->pair] = me->made = false;
    }
    if (!tr_is(order, m))
        return TR_CONTINUE;
    tr_ref other = tr_body(order, m)->other;
    switch (tr_body(order, m)->what) {
    case STIR: return stir(self, me, other);
    case LINK_AND_UNLINK:
        link_it(self, me, other);
        unlink_it(self, me, other);
        break;
    case RELINK: unlink_it(self, me, other); /* fall through */
    case LINK: link_it(self, me, other); break;
    case UNLINK: unlink_it(self, me, other); break;
    case FORGET: me->ends = 0; break;
    case CRASH: return end(me, TR_EPROTO);
    case REPORT: tr_reply(self, heard, .pair = me->pair, .ends = me->ends); break;
    }
    return TR_CONTINUE;
}

#define PEER \
    TR_SPEC, .name = "peer", .start = peer_start, .receive = peer_receive, .state_size = sizeof(struct peer), \
             .arg_size = sizeof(unsigned)

static const tr_actor trapping_peer = { PEER, .trap_exits = true };
static const tr_actor fragile_peer = { PEER };

static const unsigned numbers[PEERS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
#define CHILD(n, actor_) \
    { \
        .name = #n, .actor = &actor_, .arg = &numbers[n], .restart = TR_PERMANENT, .intensity = 1000 \
    }

static const tr_child traps[PEERS] = {
    CHILD(0, trapping_peer),
    CHILD(1, trapping_peer),
    CHILD(2, trapping_peer),
    CHILD(3, trapping_peer),
    CHILD(4, trapping_peer),
    CHILD(5, trapping_peer),
    CHILD(6, trapping_peer),
    CHILD(7, trapping_peer),
};
static const tr_child mixed[PEERS] = {
    CHILD(0, trapping_peer),
    CHILD(1, fragile_peer),
    CHILD(2, fragile_peer),
    CHILD(3, trapping_peer),
    CHILD(4, fragile_peer),
    CHILD(5, fragile_peer),
    CHILD(6, trapping_peer),
    CHILD(7, trapping_peer),
};

static const char *const names[PEERS] = { "0", "1", "2", "3", "4", "5", "6", "7" };

/* Who tells the peers what to do. Steps are a second apart: all that was sent has been handled by then. */
struct teller {
    const struct tale *tale;
    tr_ref peers[PEERS];
    unsigned step, reports;
    bool due[PAIRS]; /* the second of the pair has to hear of the end of the first */
};

struct tale {
    const tr_supervisor *peers;
    void (*tell)(tr_self *self, struct teller *me); /* in the first step */
    void (*then)(tr_self *self, struct teller *me); /* in the second; NULL: nothing */
    bool all_trap, link_again;
};

static int teller_start(tr_self *self, void *state, const void *arg)
{
    struct teller *me = state;
    me->tale = *(const struct tale *const *)arg;
    tr_supervise(self, me->tale->peers);
    tr_every(self, TR_SECONDS(1), 0);
    return TR_CONTINUE;
}

/* To the first of each pair, or to the second. */
static void tell(tr_self *self, struct teller *me, unsigned which, enum wish what)
{
    for (unsigned i = 0; i < PAIRS; i++)
        tr_send(self, me->peers[2 * i + which], order, .what = what, .other = me->peers[2 * i + 1 - which]);
}

/* Both sides of every link hold it; a link made now is one, and its end is told once. */
static int teller_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct teller *me = state;
    if (tr_is(heard, m)) {
        if (me->tale->all_trap && me->due[tr_body(heard, m)->pair])
            TR_ALWAYS(tr_body(heard, m)->ends == 1);
        TR_ALWAYS(tr_body(heard, m)->ends <= 1);
        return ++me->reports == PAIRS ? TR_STOP : TR_CONTINUE;
    }
    if (!tr_is(tr_timeout, m))
        return tr_is(tr_failed, m) ? TR_ETIMEDOUT : TR_CONTINUE;
    TR_ALWAYS(tr_ref_is_nobody(tri_link_check()));
    unsigned first = tr_random_below(self, 2);
    switch (me->step++) {
    case 0:
        for (unsigned i = 0; i < PEERS; i++)
            me->peers[i] = tr_whereis(self, names[i]);
        me->tale->tell(self, me);
        break;
    case 1:
        if (me->tale->then)
            me->tale->then(self, me);
        break;
    case 20: /* after the restarts of those that crashed */
        if (me->tale->link_again)
            tell(self, me, first, LINK);
        tell(self, me, 0, FORGET);
        tell(self, me, 1, FORGET);
        break;
    case 21:
        memcpy(me->due, linked, sizeof me->due);
        tell(self, me, 0, CRASH);
        break;
    case 30:
        for (unsigned i = 0; i < PAIRS; i++)
            TR_ALWAYS(tr_ask(self, me->peers[2 * i + 1], TR_SECONDS(1), order, .what = REPORT).bits);
        break;
    default: break;
    }
    return TR_CONTINUE;
}

static const tr_actor teller_actor = { TR_SPEC, .name = "teller", .start = teller_start, .receive = teller_receive,
    .state_size = sizeof(struct teller), .arg_size = sizeof(const struct tale *) };

static const tr_supervisor of_traps = { TR_SUPERVISOR, .name = "peers", .children = traps, .count = PEERS,
    .backoff_max_ns = TR_MS(50) };
static const tr_supervisor of_mixed = { TR_SUPERVISOR, .name = "peers", .children = mixed, .count = PEERS,
    .backoff_max_ns = TR_MS(50) };

static void run(const struct tale *tale, unsigned seeds)
{
    const tr_sim_host hosts[] = { { .name = "one", .actor = &teller_actor, .arg = &tale, .workers = 3 }, { 0 } };
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        tr_sim_result result;
        cr_assert_eq(tr_sim_run(seed, NULL, hosts, &result), 0, "%s", result.what);
    }
}

static void storm(tr_self *self, struct teller *me)
{
    for (unsigned i = 0; i < 12; i++)
        tell(self, me, tr_random_below(self, 2), STIR);
}

Test(link_seeds, whatever_links_unlinks_and_ends_cross_both_sides_hold_the_same)
{
    for (int again = 0; again < 2; again++) {
        run(&(struct tale){ &of_traps, storm, storm, true, again }, scaled(100, 10000));
        run(&(struct tale){ &of_mixed, storm, storm, false, again }, scaled(100, 10000));
    }
}

static void relink_against_unlink(tr_self *self, struct teller *me)
{
    tell(self, me, 0, LINK);
    for (unsigned i = 0; i < 3; i++) {
        tell(self, me, 0, RELINK);
        tell(self, me, 1, UNLINK);
    }
}

Test(link_seeds, an_unlink_takes_back_only_the_links_it_knew)
{
    run(&(struct tale){ &of_traps, relink_against_unlink, .all_trap = true }, scaled(50, 5000));
}

static void unlink_against_link(tr_self *self, struct teller *me)
{
    tell(self, me, 0, LINK_AND_UNLINK);
    tell(self, me, 1, LINK);
}

Test(link_seeds, a_link_that_crosses_an_unlink_stands_on_both_sides)
{
    run(&(struct tale){ &of_traps, unlink_against_link, .all_trap = true }, scaled(50, 5000));
}

static void link_second(tr_self *self, struct teller *me)
{
    tell(self, me, 1, LINK);
}

static void unlink_second_link_first(tr_self *self, struct teller *me)
{
    tell(self, me, 1, UNLINK);
    tell(self, me, 0, LINK);
}

Test(link_seeds, a_link_that_the_other_has_just_severed_does_not_stand_for_a_new_one)
{
    run(&(struct tale){ &of_traps, link_second, unlink_second_link_first, .all_trap = true }, scaled(50, 5000));
}
