/* Workers: what runs where, and in which order. */
#include "tests/os.h"
#include "tests/sched/cast.h"

enum { MANY = 2000 };

static struct player players[MANY];

static bool all_played(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (ck_pr_load_uint(&players[i].ended) == 0)
            return false;
    return true;
}

/* ---- what is scheduled runs, once --------------------------------------------------------------------------------------- */

Test(worker, what_foreign_threads_schedule_runs_once)
{
    for (unsigned workers = 1; workers <= 4; workers++) {
        open_sched(workers);
        for (unsigned i = 0; i < MANY; i++) {
            cast_player(&players[i], TRI_HOME_ANY, NULL);
            schedule(&players[i]);
        }
        wait_until(all_played(MANY));
        wait_until(all_parked());
        close_sched();
        for (unsigned i = 0; i < MANY; i++)
            cr_assert_eq(players[i].begun, 1);
    }
}

static void schedule_all_others(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 1; i < MANY; i++)
        schedule_here(worker, &players[i]);
}

Test(worker, one_turn_may_schedule_more_than_a_ring_holds)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        open_sched(workers);
        cast_player(&players[0], TRI_HOME_ANY, schedule_all_others);
        for (unsigned i = 1; i < MANY; i++)
            cast_player(&players[i], TRI_HOME_ANY, NULL);
        schedule(&players[0]);
        wait_until(all_played(MANY));
        wait_until(all_parked());
        close_sched();
        for (unsigned i = 0; i < MANY; i++)
            cr_assert_eq(players[i].begun, 1);
    }
}

/* ---- pinned ones run at home ------------------------------------------------------------------------------------------ */

Test(worker, a_pinned_one_runs_at_home_whoever_schedules_it)
{
    enum { WORKERS = 3 };
    open_sched(WORKERS);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 1; i < 40; i++)
            cast_player(&players[i], i % WORKERS, NULL);
        cast_player(&players[0], round % WORKERS, NULL);
        schedule(&players[0]);
        for (unsigned i = 1; i < 40; i++)
            schedule(&players[i]);
        wait_until(all_played(40));
        for (unsigned i = 1; i < 40; i++)
            cr_assert_eq(players[i].on, i % WORKERS);
    }
    wait_until(all_parked());
    close_sched();
}

static void schedule_forty(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 1; i < 40; i++)
        schedule_here(worker, &players[i]);
}

Test(worker, a_pinned_one_runs_at_home_when_another_worker_schedules_it)
{
    enum { WORKERS = 3 };
    open_sched(WORKERS);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 1; i < 40; i++)
            cast_player(&players[i], i % WORKERS, NULL);
        cast_player(&players[0], round % WORKERS, schedule_forty);
        schedule(&players[0]);
        wait_until(all_played(40));
        for (unsigned i = 1; i < 40; i++) {
            cr_assert_eq(players[i].on, i % WORKERS);
            cr_assert_eq(players[i].begun, 1);
        }
    }
    wait_until(all_parked());
    close_sched();
}

/* ---- order, on one worker ----------------------------------------------------------------------------------------------- */

static unsigned order[MANY], ordered;

static void note_order(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    order[ordered++] = player->number;
}

/* Runs this turn on a single worker and everything that comes of it. */
static void play_alone(struct player *first)
{
    ordered = 0;
    open_sched(1);
    schedule(first);
    wait_until(ck_pr_load_uint(&first->ended));
    wait_until(all_parked());
    close_sched();
}

static void schedule_six(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 1; i <= 6; i++)
        schedule_here(worker, &players[i]);
}

static void expect_order(const unsigned *number, unsigned count)
{
    cr_assert_eq(ordered, count);
    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(order[i], number[i], "at %u: %u", i, order[i]);
}

Test(worker, the_last_that_was_made_runnable_comes_first_and_the_others_in_order)
{
    static const unsigned expected[] = { 6, 1, 2, 3, 4, 5 };
    for (unsigned pinned = 0; pinned < 2; pinned++) {
        cast_player(&players[0], TRI_HOME_ANY, schedule_six);
        for (unsigned i = 1; i <= 6; i++) {
            cast_player(&players[i], pinned ? 0 : TRI_HOME_ANY, note_order);
            players[i].number = i;
        }
        play_alone(&players[0]);
        expect_order(expected, 6);
    }
}

static void schedule_and_requeue(struct tri_worker *worker, struct player *player)
{
    order[ordered++] = player->number;
    if (player->number == 0 && player->begun == 1) {
        schedule_here(worker, &players[1]);
        schedule_here(worker, &players[2]);
        tri_worker_requeue(worker, &player->run);
    }
}

Test(worker, who_wants_another_turn_waits_behind_all_others)
{
    static const unsigned expected[] = { 0, 2, 1, 0 };
    for (unsigned pinned = 0; pinned < 2; pinned++) {
        for (unsigned i = 0; i < 3; i++) {
            cast_player(&players[i], pinned ? 0 : TRI_HOME_ANY, schedule_and_requeue);
            players[i].number = i;
        }
        play_alone(&players[0]);
        expect_order(expected, 4);
    }
}

enum { BALLS = 300 };

static unsigned players_of_ball; /* the rest wait in the queue, and queue again */

/* 0 and 1 make each other runnable, the others queue again and again, until the ball has been played often enough. */
static void play_ball(struct tri_worker *worker, struct player *player)
{
    if (ordered == MANY || players[0].begun + players[1].begun > BALLS)
        return;
    order[ordered++] = player->number;
    if (player->number < 2)
        schedule_here(worker, &players[1 - player->number]);
    else
        tri_worker_requeue(worker, &player->run);
}

static void serve(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 2; i < players_of_ball; i++)
        schedule_here(worker, &players[i]);
    schedule_here(worker, &players[0]);
}

Test(worker, two_who_make_each_other_runnable_do_not_starve_those_that_wait)
{
    static struct player first;
    for (unsigned kinds = 0; kinds < 4; kinds++) { /* who is pinned: the two, the others */
        players_of_ball = 5;
        cast_player(&first, 0, serve);
        for (unsigned i = 0; i < players_of_ball; i++) {
            cast_player(&players[i], (i < 2 ? kinds & 1 : kinds >> 1) ? 0 : TRI_HOME_ANY, play_ball);
            players[i].number = i;
        }
        play_alone(&first);
        cr_assert_geq(ordered, BALLS);
        /* One turn out of the queue, and three that follow it at once; where pinned ones and free ones take turns, it may
         * be the turn of the two when they have just had three. */
        bool mixed = kinds == 1 || kinds == 2;
        unsigned most = TRI_NEXT_IN_A_ROW + 1 + (mixed ? TRI_NEXT_IN_A_ROW : 0), in_a_row = 0, seen[5] = { 0 };
        for (unsigned i = 0; i < ordered; i++) {
            in_a_row = order[i] < 2 ? in_a_row + 1 : 0;
            cr_assert_leq(in_a_row, most, "%u in a row at %u, kinds %u", in_a_row, i, kinds);
            seen[order[i]]++;
        }
        for (unsigned i = 2; i < players_of_ball; i++)
            cr_assert_gt(seen[i], BALLS / 20, "%u had %u turns of %u, kinds %u", i, seen[i], ordered, kinds);
    }
}

static void requeue_often(struct tri_worker *worker, struct player *player)
{
    if (ordered < 400) {
        order[ordered++] = player->number;
        tri_worker_requeue(worker, &player->run);
    }
}

static void serve_six(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 0; i < 6; i++)
        schedule_here(worker, &players[i]);
}

Test(worker, pinned_ones_and_free_ones_take_turns)
{
    static struct player first;
    cast_player(&first, 0, serve_six);
    for (unsigned i = 0; i < 6; i++) { /* one pinned, five free */
        cast_player(&players[i], i ? TRI_HOME_ANY : 0, requeue_often);
        players[i].number = i;
    }
    play_alone(&first);
    unsigned turns[6] = { 0 };
    for (unsigned i = 0; i < ordered; i++)
        turns[order[i]]++;
    cr_assert_geq(turns[0], 150, "the pinned one had %u turns of 400", turns[0]);
    for (unsigned i = 1; i < 6; i++)
        cr_assert_geq(turns[i], 30, "%u had %u turns of 400", i, turns[i]);
}

static struct player latecomer;
static unsigned int serving, served;

/* Goes on until the one that a foreign thread injected has run; both players keep the worker busy through `next`. */
static void play_until_served(struct tri_worker *worker, struct player *player)
{
    ck_pr_store_uint(&serving, 1);
    tri_worker_count_message(worker);
    if (!ck_pr_load_uint(&served))
        schedule_here(worker, &players[1 - player->number]);
}

static void get_served(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    (void)player;
    ck_pr_store_uint(&served, 1);
}

Test(worker, one_that_is_always_busy_still_takes_what_comes_from_outside)
{
    for (unsigned pinned = 0; pinned < 4; pinned++) {
        serving = served = 0;
        open_sched(1);
        for (unsigned i = 0; i < 2; i++) {
            cast_player(&players[i], pinned & 1 ? 0 : TRI_HOME_ANY, play_until_served);
            players[i].number = i;
        }
        cast_player(&latecomer, pinned & 2 ? 0 : TRI_HOME_ANY, get_served);
        schedule(&players[0]);
        wait_until(ck_pr_load_uint(&serving));
        schedule(&latecomer);
        wait_until(ck_pr_load_uint(&latecomer.ended));
        wait_until(all_parked());
        close_sched();
    }
}

/* ---- turns in time ---------------------------------------------------------------------------------------------------- */

static void take_long(struct tri_worker *worker, struct player *player)
{
    int64_t start = real_now();
    (void)player;
    do
        cr_assert_lt(real_now() - start, PATIENCE, "the turn is never over");
    while (!tri_worker_count_message(worker));
    cr_assert_geq(real_now() - worker->turn_start, TRI_TURN_NS, "too early");
}

Test(worker, a_turn_has_its_time_and_then_is_over)
{
    open_sched(1);
    for (unsigned i = 0; i < 20; i++) {
        cast_player(&players[i], i & 1 ? 0 : TRI_HOME_ANY, take_long);
        schedule(&players[i]);
    }
    wait_until(all_played(20));
    wait_until(all_parked());
    close_sched();
}

static unsigned int slow_turns;

/* Quick until the clock is read as seldom as can be (where all is slow, that is not to be awaited); then slow, until the worker
 * looks around. */
static void slow_down(struct tri_worker *worker, struct player *player)
{
    static int64_t attended;
    if (!slow_turns && worker->glance_every < TRI_TURN_MESSAGES && player->begun < 50000) {
        tri_worker_requeue(worker, &player->run);
        return;
    }
    if (!slow_turns)
        attended = worker->attended;
    if (worker->attended != attended)
        return;
    slow_turns++;
    sleep_for(TR_MS(20)); /* not so long that it is found stuck, and another one is at it then */
    tri_worker_requeue(worker, &player->run);
}

Test(worker, one_whose_turns_become_slow_is_called_by_the_monitor_to_look_around)
{
    open_sched(1);
    slow_turns = 0;
    for (unsigned i = 0; i < 2; i++) {
        cast_player(&players[i], TRI_HOME_ANY, slow_down);
        schedule(&players[i]);
    }
    wait_until(all_parked());
    cr_assert(slow_turns > 0 && slow_turns < TRI_TURN_MESSAGES / 2, "%u", slow_turns);
    close_sched();
}

/* ---- waking others ------------------------------------------------------------------------------------------------------ */

Test(worker, what_a_foreign_thread_schedules_wakes_a_sleeper)
{
    open_sched(3);
    for (unsigned round = 0; round < 300; round++) {
        wait_until(all_parked());
        cast_player(&players[0], round % 4 ? round % 4 - 1 : TRI_HOME_ANY, NULL);
        schedule(&players[0]);
        wait_until(ck_pr_load_uint(&players[0].ended));
    }
    wait_until(all_parked());
    close_sched();
}

static unsigned int seen_on; /* bits: the workers that had a turn */
static unsigned wanted_on;

static void requeue_until_seen_everywhere(struct tri_worker *worker, struct player *player)
{
    int64_t start = real_now();
    while (real_now() - start < 2 * TRI_HEAVY_TURN_NS) /* so that it is worth it */
        ;
    ck_pr_or_uint(&seen_on, 1u << worker->index);
    tri_worker_count_message(worker);
    if (ck_pr_load_uint(&seen_on) != wanted_on)
        tri_worker_requeue(worker, &player->run);
}

static void serve_twenty(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 1; i <= 20; i++)
        schedule_here(worker, &players[i]);
}

Test(worker, surplus_that_lasts_wakes_the_others_one_by_one)
{
    for (unsigned workers = 2; workers <= 4; workers++) {
        seen_on = 0;
        wanted_on = (1u << workers) - 1;
        open_sched(workers);
        cast_player(&players[0], TRI_HOME_ANY, serve_twenty);
        for (unsigned i = 1; i <= 20; i++)
            cast_player(&players[i], TRI_HOME_ANY, requeue_until_seen_everywhere);
        wait_until(all_parked());
        take_monitor_away(); /* it would wake them, too, when a worker does not move for want of a core */
        schedule(&players[0]);
        wait_until(ck_pr_load_uint(&seen_on) == wanted_on);
        give_monitor_back();
        wait_until(all_parked());
        close_sched();
    }
}

/* What is worth another worker, by a clock that only turns move. */
static int64_t played_until;

static int64_t as_played(struct tri_clock *clock)
{
    (void)clock;
    return (int64_t)ck_pr_load_64((uint64_t *)&played_until);
}

static struct work {
    unsigned waiting, messages; /* actors; messages of a turn */
    int64_t turn_ns;
    bool worth;
} work;

static unsigned int offered;

static void work_and_requeue(struct tri_worker *worker, struct player *player)
{
    for (unsigned i = 1; i <= work.messages; i++) {
        ck_pr_add_64((uint64_t *)&played_until, (uint64_t)work.turn_ns / work.messages);
        if (i < work.messages) /* the last one is counted when the turn is over */
            tri_worker_count_message(worker);
    }
    if (player->begun < 2000)
        tri_worker_requeue(worker, &player->run);
    else if (player->begun == 2000 && player->number == 1)
        ck_pr_store_uint(&offered, worker->offers);
}

static void serve_all(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 1; i <= work.waiting; i++)
        schedule_here(worker, &players[i]);
}

Test(worker, work_is_offered_by_the_time_it_takes_and_not_by_its_number)
{
    static const struct work works[] = {
        { 60, 1, 100, false },                     /* small talk */
        { 60, 40, 40 * 40, false },                /* turns that are long for many small messages */
        { 200, 1, 2 * TRI_WORTH_NS / 200, true },  /* many */
        { 200, 1, TRI_WORTH_NS / 2 / 200, false }, /* not so many */
        { 3, 1, 2 * TRI_HEAVY_TURN_NS, true },     /* few, and each has much to do */
        { 3, 10, 2 * TRI_HEAVY_TURN_NS, true },    /* in several messages */
        { 3, 1, TRI_HEAVY_TURN_NS / 2, false },    /* not so much */
        { 1, 1, 2 * TRI_HEAVY_TURN_NS, false },    /* nothing waits while it runs */
    };
    static struct tri_clock clock = { as_played };
    for (unsigned i = 0; i < sizeof works / sizeof *works; i++) {
        work = works[i];
        struct tri_sched_config config = cast_config(1);
        config.clock = &clock;
        cr_assert_eq(tri_sched_start(&sched, &config), 0);
        cast_player(&players[0], TRI_HOME_ANY, serve_all);
        for (unsigned p = 1; p <= work.waiting; p++) {
            cast_player(&players[p], TRI_HOME_ANY, work_and_requeue);
            players[p].number = p;
        }
        schedule(&players[0]);
        wait_until(all_played(0) && ck_pr_load_uint(&players[work.waiting].ended) == 2000);
        wait_until(all_parked());
        cr_assert_eq(ck_pr_load_uint(&offered), work.worth, "work %u", i);
        close_sched();
    }
}

/* ---- timers and errands ------------------------------------------------------------------------------------------------- */

static struct tri_timer timers[50];
static unsigned int fired, left_early;

static void note_fire(struct tri_timer *timer, void *worker)
{
    cr_assert_eq(tri_worker_here, worker);
    if (real_now() < timer->deadline)
        ck_pr_inc_uint(&left_early);
    ck_pr_inc_uint(&fired);
}

static void arm_timers(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 0; i < 50; i++) {
        timers[i].deadline = real_now() + (int64_t)i * TR_MS(1) * (i % 2) - TR_US(10);
        tri_worker_arm(worker, &timers[i]);
    }
}

Test(worker, a_sleeping_one_wakes_for_its_timers_and_never_early)
{
    struct tri_sched_config config = cast_config(2);
    config.fire = note_fire;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&players[0], 1, arm_timers);
    schedule(&players[0]);
    wait_until(ck_pr_load_uint(&fired) == 50);
    wait_until(all_parked());
    close_sched();
    cr_assert_eq(left_early, 0);
}

enum { CROWD = 20000, CROWD_TICKS = 600 }; /* over about 40 ms */
static struct tri_timer crowd[CROWD];

static void arm_crowd(struct tri_worker *worker, struct player *player)
{
    int64_t start = real_now() + TR_MS(10);
    (void)player;
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i].deadline = start + (((int64_t)CROWD_TICKS << TRI_WHEEL_TICK_BITS) / CROWD) * i;
        tri_worker_arm(worker, &crowd[i]);
    }
}

/* A worker whose crowd `arm` sets; how often it went to sleep until all had fired. */
static uint32_t parks_of_crowd(void (*arm)(struct tri_worker *worker, struct player *player))
{
    struct tri_sched_config config = cast_config(1);
    config.fire = note_fire;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&players[0], TRI_HOME_ANY, arm);
    schedule(&players[0]);
    wait_until(ck_pr_load_uint(&fired) == CROWD);
    wait_until(all_parked());
    uint32_t parks = ck_pr_load_32(&sched.workers[0]->parks);
    close_sched();
    cr_assert_eq(left_early, 0);
    return parks;
}

Test(worker, a_sleeping_one_wakes_for_many_of_a_crowd_of_timers_at_a_time_and_never_early)
{
    cr_assert_lt(parks_of_crowd(arm_crowd), CROWD_TICKS / 4);
}

static struct tri_port_class watched_class;
static void (*poll_of_port)(struct tri_port *port, int64_t deadline);
static unsigned slept_over; /* times that it went to sleep although a timer was due */

static void watch_poll(struct tri_port *port, int64_t deadline)
{
    int64_t now = real_now();
    slept_over += deadline > now && tri_wheel_next(&tri_worker_here->wheel) <= now;
    poll_of_port(port, deadline);
}

static void arm_crowd_of_one_moment(struct tri_worker *worker, struct player *player)
{
    int64_t moment = real_now() + TR_MS(10);
    (void)player;
    watched_class = *worker->port->class;
    poll_of_port = watched_class.poll;
    watched_class.poll = watch_poll;
    worker->port->class = &watched_class;
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i].deadline = moment;
        tri_worker_arm(worker, &crowd[i]);
    }
}

/* They are fired a thousand at a time, so that actors run between; but if there are none, then without a pause. */
Test(worker, timers_of_one_moment_all_fire_before_the_worker_sleeps_again)
{
    parks_of_crowd(arm_crowd_of_one_moment);
    cr_assert_eq(slept_over, 0);
}

static struct player busy;
static unsigned int enough;

static void stay_busy(struct tri_worker *worker, struct player *player)
{
    tri_worker_count_message(worker);
    if (player->begun == 1)
        arm_timers(worker, player);
    if (!ck_pr_load_uint(&enough))
        tri_worker_requeue(worker, &player->run);
}

Test(worker, a_busy_one_fires_its_timers_between_turns)
{
    struct tri_sched_config config = cast_config(1);
    config.fire = note_fire;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&busy, TRI_HOME_ANY, stay_busy);
    schedule(&busy);
    wait_until(ck_pr_load_uint(&fired) == 50);
    ck_pr_store_uint(&enough, 1);
    wait_until(all_parked());
    close_sched();
    cr_assert_eq(left_early, 0);
}

static struct ck_stack_entry errands[10];
static unsigned int errands_run;

static void run_errand(struct tri_worker *worker, struct ck_stack_entry *errand)
{
    cr_assert_eq(tri_worker_here, worker);
    cr_assert_eq(worker->index, 1);
    cr_assert(errand >= errands && errand < errands + 10);
    ck_pr_inc_uint(&errands_run);
}

Test(worker, errands_are_run_by_whom_they_were_left_with_when_it_is_awake)
{
    struct tri_sched_config config = cast_config(2);
    config.errand = run_errand;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&busy, 1, stay_busy);
    busy.begun = 1; /* no timers */
    schedule(&busy);
    wait_until(ck_pr_load_uint(&busy.ended) > 0);
    for (unsigned i = 0; i < 10; i++)
        tri_worker_errand(sched.workers[1], &errands[i]);
    wait_until(ck_pr_load_uint(&errands_run) == 10);
    ck_pr_store_uint(&enough, 1);
    wait_until(all_parked());
    close_sched();
}

Test(worker, errands_left_with_a_sleeping_one_are_run_when_it_wakes)
{
    struct tri_sched_config config = cast_config(2);
    config.errand = run_errand;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    wait_until(all_parked());
    tri_worker_errand(sched.workers[1], &errands[0]);
    cast_player(&players[0], 1, NULL);
    schedule(&players[0]);
    wait_until(ck_pr_load_uint(&errands_run) == 1);
    wait_until(all_parked());
    close_sched();
}

static void stop_worker(struct tri_worker *worker)
{
    if (worker->index == 1)
        cr_assert_eq(ck_pr_load_uint(&errands_run), 1);
}

Test(worker, errands_left_with_a_sleeping_one_are_run_before_it_ends)
{
    struct tri_sched_config config = cast_config(2);
    config.errand = run_errand;
    config.worker_stop = stop_worker;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    wait_until(all_parked());
    tri_worker_errand(sched.workers[1], &errands[0]);
    close_sched();
    cr_assert_eq(errands_run, 1);
}

/* ---- stress: everything at once ------------------------------------------------------------------------------------- */

enum { CAST = 64, CAST_WORKERS = 4 };

static unsigned int curtain;
static unsigned int scheduled[CAST]; /* 1 while it is in a queue or running: the right to schedule it */
static unsigned int on_stage[CAST];

static void call_on(struct tri_worker *worker, unsigned number)
{
    if (ck_pr_load_uint(&curtain) || ck_pr_fas_uint(&scheduled[number], 1))
        return;
    tri_sched_schedule(&sched, worker, &players[number].run);
}

static void improvise(struct tri_worker *worker, struct player *player)
{
    struct tri_random *random = &worker->random;
    unsigned number = player->number;
    cr_assert_eq(ck_pr_fas_uint(&on_stage[number], 1), 0, "a player is on two stages");
    cr_assert(player->run.home == TRI_HOME_ANY || player->run.home == worker->index);
    tri_worker_count_message(worker);
    for (unsigned i = tri_random_below(random, 4); i > 0; i--)
        call_on(worker, tri_random_below(random, CAST));
    if (tri_random_below(random, 8) == 0) /* as an actor that begins an operation, or ends its last one */
        player->run.home = player->run.home == TRI_HOME_ANY ? worker->index : TRI_HOME_ANY;
    ck_pr_store_uint(&on_stage[number], 0);
    if (tri_random_below(random, 4) == 0 && !ck_pr_load_uint(&curtain)) {
        tri_worker_requeue(worker, &player->run);
        return;
    }
    ck_pr_fence_release();
    ck_pr_store_uint(&scheduled[number], 0);
}

static bool nobody_scheduled(void)
{
    for (unsigned i = 0; i < CAST; i++)
        if (ck_pr_load_uint(&scheduled[i]))
            return false;
    return true;
}

Test(worker, players_that_come_and_go_are_each_on_one_stage_and_none_is_forgotten)
{
    struct tri_random random = { 9 };
    unsigned turns = 0;
    open_sched(CAST_WORKERS);
    for (unsigned i = 0; i < CAST; i++) {
        cast_player(&players[i], TRI_HOME_ANY, improvise);
        players[i].number = i;
    }
    for (int64_t end = real_now() + A_WHILE; real_now() < end;) {
        call_on(NULL, tri_random_below(&random, CAST));
        if (tri_random_below(&random, 16) == 0)
            nanosleep(&(struct timespec){ 0, 20000 }, NULL); /* so that workers go to sleep, too */
    }
    ck_pr_store_uint(&curtain, 1);
    wait_until(nobody_scheduled());
    wait_until(all_parked());
    close_sched();
    for (unsigned i = 0; i < CAST; i++)
        turns += players[i].begun;
    cr_assert_gt(turns, CAST);
}

/* ---- what runs next, and who takes it ------------------------------------------------------------------------------- */

static unsigned int handed_over_for_the_last_time;

/* There is one turn to be had, and it goes to and fro between two. */
static void hand_over(struct tri_worker *worker, struct player *player)
{
    cr_assert_eq(ck_pr_fas_uint(&on_stage[player->number], 1), 0, "a player is on two stages");
    tri_worker_count_message(worker);
    ck_pr_store_uint(&on_stage[player->number], 0);
    if (!ck_pr_load_uint(&curtain))
        schedule_here(worker, &players[1 - player->number]);
    else
        ck_pr_store_uint(&handed_over_for_the_last_time, 1);
}

Test(worker, of_the_owner_and_a_thief_one_gets_what_is_to_run_next)
{
    struct tri_sched_config config = cast_config(2);
    config.spin_ns = TR_SECONDS(30);
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    take_monitor_away();
    for (unsigned i = 0; i < 2; i++) {
        cast_player(&players[i], TRI_HOME_ANY, hand_over);
        players[i].number = i;
    }
    schedule(&players[0]);
    for (int64_t end = real_now() + A_WHILE / 2; real_now() < end;)
        for (unsigned i = 0; i < 2; i++)
            ck_pr_store_uint(&sched.workers[i]->stuck, 1); /* as if the monitor had found it so: its `next` is for all */
    ck_pr_store_uint(&curtain, 1);
    wait_until(ck_pr_load_uint(&handed_over_for_the_last_time));
    wait_until(
        ck_pr_load_uint(&players[0].ended) == players[0].begun && ck_pr_load_uint(&players[1].ended) == players[1].begun);
    cr_assert_gt(players[0].begun, 10);
    unsigned apart = players[0].begun - players[1].begun; /* they have taken turns */
    cr_assert_leq(apart, 1, "%u and %u turns", players[0].begun, players[1].begun);
    give_monitor_back();
    close_sched();
}

/* A turn function that carries on with what is to run next, as that of actors does. */
static void turn_and_follow(struct tri_worker *worker, struct tri_runnable *r)
{
    do
        play_turn(worker, r);
    while ((r = tri_worker_follow(worker)));
}

static void set_a_timer_and_take_long(struct tri_worker *worker, struct player *player)
{
    timers[0].deadline = real_now();
    tri_worker_arm(worker, &timers[0]);
    for (int64_t until = real_now() + 2 * TRI_ATTEND_NS; real_now() < until;)
        ;
    tri_worker_count_messages(worker, worker->glance); /* the clock is read */
    schedule_here(worker, player + 1);
}

static void see_whether_it_has_fired(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    (void)player;
    cr_assert_eq(ck_pr_load_uint(&fired), 1, "timers wait until nobody follows any more");
}

Test(worker, timers_do_not_wait_for_those_who_follow_each_other)
{
    struct tri_sched_config config = cast_config(1);
    config.fire = note_fire;
    config.turn = turn_and_follow;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&players[0], TRI_HOME_ANY, set_a_timer_and_take_long);
    cast_player(&players[1], TRI_HOME_ANY, see_whether_it_has_fired);
    schedule(&players[0]);
    wait_until(ck_pr_load_uint(&players[1].ended) == 1);
    wait_until(all_parked());
    close_sched();
}

/* ---- what has come before the time that is over -------------------------------------------------------------------------- */

/* A port that has to be looked at so many times before it has nothing more. */
enum { MUCH = 5 };

static struct {
    struct tri_port port;
    struct tri_port *sleeper;
} slow_port;

static struct tri_timer late_timer;
static unsigned left;
static unsigned int left_when_fired = UINT_MAX;

static void slow_poll(struct tri_port *port, int64_t deadline)
{
    if (left)
        left--;
    else
        slow_port.sleeper->class->poll(slow_port.sleeper, deadline);
    port->more = left;
}

static void slow_wake(struct tri_port *port)
{
    (void)port;
    slow_port.sleeper->class->wake(slow_port.sleeper);
}

static bool slow_has_work(struct tri_port *port)
{
    (void)port;
    return left;
}

static void slow_close(struct tri_port *port)
{
    (void)port;
    slow_port.sleeper->class->close(slow_port.sleeper);
}

static const struct tri_port_class slow_class = { "slow", slow_poll, slow_wake, slow_has_work, slow_close };

static int open_slow(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    slow_port.port.class = &slow_class;
    *port = &slow_port.port;
    return tri_sleeper_open(worker, arg, &slow_port.sleeper);
}

static void note_what_is_left(struct tri_timer *timer, void *worker)
{
    (void)timer;
    (void)worker;
    ck_pr_store_uint(&left_when_fired, left);
}

/* As one that is held in its turn, while more and more comes and a timer becomes due. */
static void be_late(struct tri_worker *worker, struct player *player)
{
    (void)player;
    left = MUCH;
    late_timer.deadline = tri_clock_now(&tri_clock_real);
    tri_wheel_arm(&worker->wheel, &late_timer);
}

Test(worker, timers_wait_until_the_port_has_nothing_more)
{
    static struct player player;
    struct tri_sched_config config = cast_config(1);
    config.port_open = open_slow;
    config.fire = note_what_is_left;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&player, 0, be_late);
    schedule(&player);
    wait_until(ck_pr_load_uint(&left_when_fired) != UINT_MAX);
    cr_assert_eq(ck_pr_load_uint(&left_when_fired), 0);
    close_sched();
}
