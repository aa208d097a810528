/*
 * Going to sleep against being given work: no wake-up may be lost.
 *
 * Nothing here wakes a worker by time: no timer is set, and the monitor is taken away. So a lost wake-up is for ever, and
 * the test waits in vain. There are two kinds of port: one that sleeps for real, and one
 * that spins, with which there are a hundred times as many chances to go wrong. Senders wait for a short random time
 * before each step, so that it falls on every moment of a worker's way to sleep.
 */
#include "tests/sched/cast.h"

struct spinning {
    struct tri_port port;
    unsigned int woken;
};

static void spinning_poll(struct tri_port *port, int64_t deadline)
{
    struct spinning *s = (struct spinning *)port;
    int64_t limit = real_now() + 2 * PATIENCE; /* only so that a test that has failed can end */
    for (unsigned looks = 0; deadline == INT64_MAX && !ck_pr_load_uint(&s->woken); looks++) {
        if (looks % 256 == 255 && real_now() > limit)
            return;
        breathe(looks < 900 ? looks : 900);
    }
    ck_pr_fas_uint(&s->woken, 0);
}

static void spinning_wake(struct tri_port *port)
{
    struct spinning *s = (struct spinning *)port;
    ck_pr_fas_uint(&s->woken, 1);
}

static bool spinning_has_work(struct tri_port *port)
{
    (void)port;
    return false;
}

static void spinning_close(struct tri_port *port)
{
    tri_memory_put(port);
}

static const struct tri_port_class spinning_class = { "spinning", spinning_poll, spinning_wake, spinning_has_work,
    spinning_close };

static int open_spinning(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct spinning *s = tri_memory_get_zeroed(sizeof *s);
    (void)worker;
    (void)arg;
    s->port.class = &spinning_class;
    *port = &s->port;
    return 0;
}

static void open_with(unsigned workers, tri_port_open *port_open)
{
    struct tri_sched_config config = cast_config(workers);
    config.port_open = port_open;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    wait_until(all_parked());
    take_monitor_away();
}

static void close_again(void)
{
    wait_until(all_parked());
    give_monitor_back();
    close_sched();
}

/* Up to a microsecond or so. */
static void dither(struct tri_random *random)
{
    for (uint32_t n = tri_random_below(random, 1u << tri_random_below(random, 7)); n > 0; n--)
        ck_pr_stall();
}

static unsigned ended(const struct player *player)
{
    return ck_pr_load_uint(&player->ended);
}

/* Schedules one player again and again, each time when it has had its turn and its worker is on its way to sleep. */
static void send_one_by_one(struct player *player, uint64_t seed)
{
    struct tri_random random = { seed };
    unsigned sent = 0;
    for (int64_t end = real_now() + A_WHILE / 2; sent % 64 || real_now() < end;) {
        schedule(player);
        sent++;
        wait_until(ended(player) == sent);
        dither(&random);
    }
    cr_assert_gt(sent, 0);
}

/* ---- one sender: what is lost is lost for ever ------------------------------------------------------------------------- */

static void deliver_to_one(tri_port_open *port_open)
{
    static struct player player;
    open_with(1, port_open);
    cast_player(&player, 0, NULL);
    send_one_by_one(&player, 1);
    close_again();
}

Test(park, a_delivery_to_a_worker_that_goes_to_sleep_wakes_it)
{
    deliver_to_one(open_spinning);
}

Test(park, a_delivery_to_a_worker_that_goes_to_sleep_in_earnest_wakes_it)
{
    deliver_to_one(tri_sleeper_open);
}

static void inject_to_many(unsigned workers, tri_port_open *port_open)
{
    static struct player player;
    open_with(workers, port_open);
    cast_player(&player, TRI_HOME_ANY, NULL);
    send_one_by_one(&player, workers);
    close_again();
}

Test(park, an_injection_when_the_last_worker_goes_to_sleep_wakes_one)
{
    inject_to_many(1, open_spinning);
}

Test(park, an_injection_when_all_workers_go_to_sleep_wakes_one)
{
    inject_to_many(3, tri_sleeper_open);
}

/* ---- a token that goes round the workers --------------------------------------------------------------------------------- */

enum { ROUND = 4 };

static struct player stations[ROUND];
static unsigned int round_is_over;

static void pass_on(struct tri_worker *worker, struct player *player)
{
    if (!ck_pr_load_uint(&round_is_over))
        schedule_here(worker, &stations[(player->number + 1) % ROUND]);
}

static void go_round(unsigned workers, tri_port_open *port_open)
{
    open_with(workers, port_open);
    for (unsigned i = 0; i < ROUND; i++) {
        cast_player(&stations[i], i % workers, pass_on);
        stations[i].number = i;
    }
    schedule(&stations[0]);
    for (int64_t end = real_now() + A_WHILE / 2; real_now() < end;) {
        unsigned before = ended(&stations[0]);
        wait_until(ended(&stations[0]) != before);
    }
    ck_pr_store_uint(&round_is_over, 1);
    close_again();
}

Test(park, a_token_that_goes_from_worker_to_worker_is_not_lost)
{
    go_round(2, open_spinning);
}

Test(park, a_token_that_goes_from_sleeper_to_sleeper_is_not_lost)
{
    go_round(4, tri_sleeper_open);
}

/* ---- everything at once --------------------------------------------------------------------------------------------- */

enum { SENDERS = 3, WORKERS = 3 };

static struct sender {
    struct player pinned, free;
    uint64_t seed;
    pthread_t thread;
} senders[SENDERS];

/* Both of them, one of them, sometimes with the other in between. */
static void *send_both_ways(void *arg)
{
    struct sender *s = arg;
    struct tri_random random = { s->seed };
    unsigned pinned = 0, free = 0;
    for (int64_t end = real_now() + A_WHILE; real_now() < end;) {
        unsigned kind = tri_random_below(&random, 3);
        if (kind != 1) {
            s->pinned.run.home = (uint16_t)tri_random_below(&random, WORKERS);
            schedule(&s->pinned);
            pinned++;
        }
        if (kind == 2)
            dither(&random);
        if (kind != 0) {
            schedule(&s->free);
            free++;
        }
        wait_until(ended(&s->pinned) == pinned && ended(&s->free) == free);
        dither(&random);
        if (tri_random_below(&random, 16) == 0)
            wait_until(all_parked() || tri_random_below(&random, 100) == 0);
    }
    return NULL;
}

static void send_from_many(tri_port_open *port_open)
{
    open_with(WORKERS, port_open);
    for (unsigned i = 0; i < SENDERS; i++) {
        cast_player(&senders[i].pinned, 0, NULL);
        cast_player(&senders[i].free, TRI_HOME_ANY, NULL);
        senders[i].seed = i;
        senders[i].thread = start_thread(send_both_ways, &senders[i]);
    }
    for (unsigned i = 0; i < SENDERS; i++)
        join_thread(senders[i].thread);
    wait_until(all_parked());
    wait_until(ck_pr_load_32(&sched.searchers) == 0);
    cr_assert_eq(ck_pr_load_32(&sched.global_length), 0);
    close_again();
}

Test(park, foreign_threads_that_inject_and_deliver_are_all_served)
{
    send_from_many(tri_sleeper_open);
}

Test(park, foreign_threads_that_inject_and_deliver_are_all_served_by_spinning_workers)
{
    send_from_many(open_spinning);
}

/* ---- before it sleeps -------------------------------------------------------------------------------------------------- */

static void open_spinning_sched(int64_t spin_ns)
{
    struct tri_sched_config config = cast_config(1);
    config.spin_ns = spin_ns;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
}

Test(park, a_worker_that_is_to_spin_does_not_sleep_while_something_comes_now_and_then)
{
    static struct player player;
    open_spinning_sched(TR_SECONDS(10));
    for (unsigned i = 1; i <= 20; i++) {
        cast_player(&player, i % 2 ? TRI_HOME_ANY : 0, NULL);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
    cr_assert_eq(ck_pr_load_32(&sched.workers[0]->parks), 0);
    close_sched();
}

Test(park, a_worker_that_has_spun_in_vain_sleeps_and_can_be_woken)
{
    static struct player player;
    open_spinning_sched(TR_MS(2));
    for (unsigned i = 1; i <= 5; i++) {
        wait_until(is_parked(0));
        cast_player(&player, TRI_HOME_ANY, NULL);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
    }
    close_sched();
}

/* ---- what a spinning worker finds --------------------------------------------------------------------------------- */

enum { COMING = TRI_RING_SIZE, WAITING = 200 };

static struct player coming[COMING], waiting[WAITING], holder;
static unsigned int polling, surplus_is_there, have_come;

static bool something_comes(struct tri_port *port)
{
    (void)port;
    return tri_worker_here->index == 1 && !ck_pr_load_uint(&have_come);
}

/* When the other has its surplus, the ring of this one is filled to the last place. */
static void bring(struct tri_port *port, int64_t deadline)
{
    if (!something_comes(port)) {
        spinning_poll(port, deadline);
        return;
    }
    ck_pr_store_uint(&polling, 1);
    wait_until(ck_pr_load_uint(&surplus_is_there));
    for (unsigned i = 0; i < COMING; i++)
        schedule_here(tri_worker_here, &coming[i]);
    ck_pr_store_uint(&have_come, 1);
}

static const struct tri_port_class bringing_class = { "bringing", bring, spinning_wake, something_comes, spinning_close };

static int open_bringing(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    int error = open_spinning(worker, arg, port);
    (*port)->class = &bringing_class;
    return error;
}

static bool all_ended(const struct player *players, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (ended(&players[i]) != 1)
            return false;
    return true;
}

/* Holds its worker until the other one has had what came to it, and some of what waits here. */
static void have_surplus(struct tri_worker *worker, struct player *player)
{
    (void)player;
    wait_until(ck_pr_load_uint(&polling));
    for (unsigned i = 0; i < WAITING; i++)
        schedule_here(worker, &waiting[i]);
    while (tri_clock_now(&tri_clock_real) - worker->turn_start < TRI_TURN_NS) /* from then on it may be stolen */
        ;
    ck_pr_store_uint(&surplus_is_there, 1);
    wait_until(all_ended(coming, COMING));
    wait_until(ck_pr_load_32(&sched.workers[1]->steals) > 0);
}

static void open_two_that_spin(tri_port_open *port_open)
{
    struct tri_sched_config config = cast_config(2);
    config.spin_ns = TR_SECONDS(30);
    config.port_open = port_open;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    take_monitor_away(); /* nobody is found to be stuck */
}

Test(park, a_spinning_worker_to_which_something_comes_does_not_steal_into_it)
{
    for (unsigned i = 0; i < COMING; i++)
        cast_player(&coming[i], TRI_HOME_ANY, NULL);
    for (unsigned i = 0; i < WAITING; i++)
        cast_player(&waiting[i], TRI_HOME_ANY, NULL);
    cast_player(&holder, 0, have_surplus);
    open_two_that_spin(open_bringing);
    schedule(&holder);
    wait_until(all_ended(&holder, 1) && all_ended(waiting, WAITING));
    cr_assert_eq(ck_pr_load_32(&sched.workers[1]->parks), 0); /* it found its work by spinning */
    give_monitor_back();
    close_sched();
}

static unsigned int looks; /* of the spinning one */

static bool count_looks(struct tri_port *port)
{
    (void)port;
    if (tri_worker_here->index == 1)
        ck_pr_store_uint(&looks, looks + 1);
    return false;
}

static const struct tri_port_class counting_class = { "counting", spinning_poll, spinning_wake, count_looks, spinning_close };

static int open_counting(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    int error = open_spinning(worker, arg, port);
    (*port)->class = &counting_class;
    return error;
}

static void have_no_surplus(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 0; i < 2; i++) /* one to run next, and one that waits */
        schedule_here(worker, &waiting[i]);
    ck_pr_store_uint(&worker->offers, 1); /* it had more when it looked around */
    unsigned before = ck_pr_load_uint(&looks);
    wait_until(ck_pr_load_uint(&looks) - before > 1000);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(ck_pr_load_uint(&waiting[i].begun), 0);
}

Test(park, the_one_that_waits_for_a_busy_worker_is_not_stolen)
{
    for (unsigned i = 0; i < 2; i++)
        cast_player(&waiting[i], TRI_HOME_ANY, NULL);
    cast_player(&holder, 0, have_no_surplus);
    open_two_that_spin(open_counting);
    schedule(&holder);
    wait_until(all_ended(&holder, 1) && all_ended(waiting, 2));
    give_monitor_back();
    close_sched();
}
