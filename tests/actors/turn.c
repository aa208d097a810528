/* Turns: an actor is run by one worker at a time, and no actor starves the others. */
#include "tests/actors/puppet.h"

TR_SIGNAL(again);
TR_DEFINE(again);

/* ---- one runner -------------------------------------------------------------------------------------------------- */

/* Each passes the messages it gets on at random, to itself, too; whoever finds somebody else in its handler, or what it
 * counts without a lock not as it left it, has been run twice. */
enum { RUNNERS = 40, TOKENS = 120 };

TR_MESSAGE(token, unsigned hops;);
TR_DEFINE(token);

struct field {
    tr_ref runners[RUNNERS], master;
    struct {
        unsigned inside;
        uint64_t handled; /* without a lock */
        uint64_t check;
    } each[RUNNERS];
};

static struct field field;

struct runner {
    unsigned number;
    uint64_t handled;
};

static int runner_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct runner *)state)->number = *(const unsigned *)arg;
    return TR_CONTINUE;
}

static int runner_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct runner *me = state;
    cr_assert_eq(ck_pr_faa_uint(&field.each[me->number].inside, 1), 0u, "an actor is run by two workers");
    me->handled++;
    field.each[me->number].handled++;
    field.each[me->number].check = field.each[me->number].handled * 3;
    unsigned hops = tr_body(token, m)->hops;
    if (hops == 0)
        tr_send(self, field.master, again);
    else
        tr_send(self, field.runners[tr_random_below(self, RUNNERS)], token, .hops = hops - 1);
    for (unsigned i = tr_random_below(self, 100); i > 0; i--)
        cr_assert_eq(field.each[me->number].check, me->handled * 3);
    ck_pr_dec_uint(&field.each[me->number].inside);
    return TR_CONTINUE;
}

static const tr_actor runner_actor = { TR_SPEC, .name = "runner", .start = runner_start, .receive = runner_receive,
    .state_size = sizeof(struct runner), .arg_size = sizeof(unsigned) };

static void *post_tokens(void *arg)
{
    for (unsigned i = 0; i < TOKENS / 4; i++)
        cr_assert_eq(tr_post(field.runners[i % RUNNERS], token, .hops = *(unsigned *)arg), 0);
    return NULL;
}

static uint64_t run_tokens(unsigned workers)
{
    pthread_t threads[4];
    unsigned hops = scaled(2000, 200000);
    uint64_t handled = 0;
    open_system(workers);
    field = (struct field){ .master = tr_probe_ref(probe) };
    for (unsigned i = 0; i < RUNNERS; i++)
        field.runners[i] = probe_spawn(&runner_actor, &i);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, post_tokens, &hops);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TOKENS; i++)
        expect(again);
    uint64_t steals = stats_now().steals;
    close_system();
    for (int i = 0; i < RUNNERS; i++)
        handled += field.each[i].handled;
    cr_assert_eq(handled, (uint64_t)TOKENS * (hops + 1));
    return steals;
}

Test(turn, an_actor_is_run_by_one_worker_at_a_time)
{
    uint64_t steals = 0;
    rounds_until (steals > 0)
        steals = run_tokens(4);
    cr_assert_gt(steals, 0u, "no actor was moved, so this proves nothing");
}

Test(turn, one_worker_runs_them_all)
{
    run_tokens(1);
}

/* ---- fairness ---------------------------------------------------------------------------------------------------- */

/* Sends to itself for ever. */
static uint64_t hogged;

static int hog_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_send(self, tr_me(self), again);
}

static int hog_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    ck_pr_inc_64(&hogged);
    return tr_send(self, tr_me(self), again);
}

static const tr_actor hog_actor = { TR_SPEC, .name = "hog", .start = hog_start, .receive = hog_receive };

enum { HOGS = 4, HITS = 2000, TURN = 64 };

TR_MESSAGE(ball, unsigned left; tr_ref master; uint64_t hogged;);
TR_DEFINE(ball);
TR_MESSAGE(over, uint64_t hogged;);
TR_DEFINE(over);

/* The first ball tells the one who was spawned without a partner who it is. The last one's master is told how much was
 * hogged since the first: the players know when that was, a thread that waits for them may be late. */
static int player_receive(tr_self *self, void *state, const tr_msg *m)
{
    const ball *b = tr_body(ball, m);
    tr_ref *partner = state;
    if (tr_ref_is_nobody(*partner))
        *partner = m->from;
    uint64_t now = ck_pr_load_64(&hogged);
    if (b->left == 0)
        tr_send(self, b->master, over, .hogged = now - b->hogged);
    else
        tr_send(self, *partner, ball, .left = b->left - 1, .master = b->master, .hogged = b->left == HITS ? now : b->hogged);
    return TR_CONTINUE;
}

static int player_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(tr_ref *)state = *(const tr_ref *)arg;
    return TR_CONTINUE;
}

static const tr_actor player_actor = { TR_SPEC, .name = "player", .start = player_start, .receive = player_receive,
    .state_size = sizeof(tr_ref), .arg_size = sizeof(tr_ref) };

static int make_players(tr_self *self, void *arg)
{
    tr_ref *players = arg;
    players[0] = tr_spawn(self, &player_actor, &(tr_ref){ 0 });
    players[1] = tr_spawn(self, &player_actor, &players[0]);
    return TR_CONTINUE;
}

Test(turn, actors_that_keep_sending_to_themselves_do_not_starve_the_others)
{
    tr_ref players[2];
    open_system(1);
    for (int i = 0; i < HOGS; i++)
        probe_spawn(&hog_actor, NULL);
    tr_probe_do(probe, make_players, players);
    tr_probe_send(probe, players[1], ball, .left = 0, .master = tr_probe_ref(probe));
    expect(over); /* all have started */
    tr_probe_send(probe, players[1], ball, .left = HITS, .master = tr_probe_ref(probe));
    uint64_t meanwhile = tr_body(over, expect(over))->hogged;
    /* Each hit is a turn; between two of them each hog has at most one, of at most 64 messages. */
    cr_assert_leq(meanwhile, (uint64_t)HITS * HOGS * TURN, "%lu", (unsigned long)meanwhile);
    cr_assert_gt(meanwhile, 0u, "nor do the others starve them");
    close_system();
}

/* The other way round: those that are made runnable last run first, but not for ever. */
Test(turn, two_that_play_with_each_other_do_not_starve_the_others)
{
    tr_ref players[2];
    open_system(1);
    tr_probe_do(probe, make_players, players);
    tr_probe_send(probe, players[1], ball, .left = UINT32_MAX, .master = tr_probe_ref(probe));
    for (int i = 0; i < 50; i++) {
        tr_ref puppet = make_puppet(0);
        cr_assert_eq(settle(puppet), 0);
        perform(puppet, end_well, NULL);
    }
    close_system();
}

/* One that has much to do, and one that comes after it. */
static unsigned done_by_the_first;

static int first_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    ck_pr_inc_uint(&done_by_the_first);
    return TR_CONTINUE;
}

static int second_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tr_send(self, tr_body(ball, m)->master, ball, .left = ck_pr_load_uint(&done_by_the_first));
    return TR_CONTINUE;
}

static const tr_actor first_actor = { TR_SPEC, .name = "first", .receive = first_receive };
static const tr_actor second_actor = { TR_SPEC, .name = "second", .receive = second_receive };

/* What was made runnable last runs first. */
static int set_to_work(tr_self *self, void *arg)
{
    tr_ref *actors = arg;
    tr_send(self, actors[1], ball, .master = tr_probe_ref(probe));
    for (int i = 0; i < 10 * TURN; i++)
        tr_send(self, actors[0], again);
    return TR_CONTINUE;
}

Test(turn, a_turn_ends_after_some_messages_though_more_wait)
{
    open_system(1);
    tr_ref puppet = make_puppet(0), actors[2] = { probe_spawn(&first_actor, NULL), probe_spawn(&second_actor, NULL) };
    unsigned most = 0;
    for (int i = 0; i < 20; i++) { /* now and then the second is the first */
        unsigned before = ck_pr_load_uint(&done_by_the_first);
        perform(puppet, set_to_work, actors);
        unsigned meanwhile = tr_body(ball, expect(ball))->left - before;
        cr_assert(meanwhile <= TURN, "%u", meanwhile);
        most = meanwhile > most ? meanwhile : most;
        while (ck_pr_load_uint(&done_by_the_first) != before + 10 * TURN)
            sched_yield();
    }
    cr_assert(most > 0);
    close_system();
}

static int set_timers(tr_self *self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        tr_after(self, TR_US(100) * i, (uint64_t)i);
    return TR_CONTINUE;
}

Test(turn, timers_come_though_actors_keep_sending_to_themselves)
{
    open_system(1);
    for (int i = 0; i < HOGS; i++)
        probe_spawn(&hog_actor, NULL);
    for (int round = 0; round < 5; round++) {
        tr_probe_do(probe, set_timers, NULL);
        for (uint64_t i = 0; i < 10; i++)
            cr_assert_eq(tr_body(tr_timeout, expect(tr_timeout))->tag, i);
    }
    close_system();
}

/* ---- a handler that holds its worker ----------------------------------------------------------------------------- */

Test(turn, the_others_go_on_while_a_handler_does_not_return)
{
    struct gate gate;
    gate_init(&gate);
    open_system(2);
    tr_ref stuck = make_puppet(0), puppets[20];
    for (int i = 0; i < 20; i++)
        puppets[i] = make_puppet(0);
    direct(stuck, stand_at, &gate);
    gate_await(&gate);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(settle(puppets[i % 20]), 0);
    gate_open(&gate);
    cr_assert_eq(settle(stuck), 0);
    close_system();
}

/* It has made others runnable before it got stuck: they are in its worker's hands. */
struct leader {
    struct gate gate;
    tr_ref followers[10];
};

static int wake_all_and_stand(tr_self *self, void *arg)
{
    struct leader *leader = arg;
    for (int i = 0; i < 10; i++)
        tr_send(self, leader->followers[i], again);
    gate_pass(&leader->gate);
    return TR_CONTINUE;
}

Test(turn, what_a_stuck_worker_had_to_run_is_run_by_others)
{
    struct leader leader;
    gate_init(&leader.gate);
    open_system(2);
    tr_ref stuck = make_puppet(0);
    for (int i = 0; i < 10; i++)
        leader.followers[i] = make_puppet(0);
    direct(stuck, wake_all_and_stand, &leader);
    gate_await(&leader.gate);
    for (int i = 0; i < 10; i++)
        expect(again);
    gate_open(&leader.gate);
    close_system();
}

Test(turn, the_watchdog_names_a_handler_that_does_not_return)
{
    struct gate gate;
    gate_init(&gate);
    capture_log(TR_LOG_WARNING);
    open_system_with((tr_options){ .workers = 2, .watchdog_ns = TR_MS(10) });
    tr_ref stuck = make_puppet(0);
    direct(stuck, stand_at, &gate);
    gate_await(&gate);
    expect_logged("by actor puppet <0.");
    cr_assert_eq(logged(", handling act"), 1, "%s", captured.text);
    gate_open(&gate);
    cr_assert_eq(settle(stuck), 0);
    close_system();
}
