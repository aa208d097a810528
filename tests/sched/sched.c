/* A system of workers: starting, stopping, what goes wrong at the start, and the global list. */
#include "tests/sched/cast.h"

#include <string.h>

enum { WORKERS = 4 };

static struct player player;

/* Runs one player on a system that has started, and stops it. */
static void play_and_stop(void)
{
    cast_player(&player, TRI_HOME_ANY, NULL);
    schedule(&player);
    wait_until(ck_pr_load_uint(&player.ended));
    close_sched();
}

/* Pools are kept for the next system: the first one makes them. */
static int64_t memory_after_the_first(unsigned workers)
{
    open_sched(workers);
    play_and_stop();
    return tri_memory_live();
}

/* ---- starting and stopping -------------------------------------------------------------------------------------------- */

static unsigned int started, stopped, turned;
static pthread_t thread_of[WORKERS];

static int note_start(struct tri_worker *worker)
{
    thread_of[worker->index] = pthread_self();
    cr_assert_eq(tri_worker_here, worker);
    cr_assert_eq(tri_pool_here, worker->pool);
    cr_assert_not_null(worker->port);
    cr_assert_eq(ck_pr_load_uint(&turned), 0);
    ck_pr_inc_uint(&started);
    return 0;
}

static void note_stop(struct tri_worker *worker)
{
    cr_assert(pthread_equal(thread_of[worker->index], pthread_self()));
    cr_assert_eq(tri_worker_here, worker);
    cr_assert_eq(ck_pr_load_uint(&started), WORKERS);
    ck_pr_inc_uint(&stopped);
}

static void note_turn(struct tri_worker *worker, struct player *p)
{
    (void)p;
    cr_assert(pthread_equal(thread_of[worker->index], pthread_self()));
    cr_assert_eq(ck_pr_load_uint(&started), WORKERS, "a turn before all workers have started");
    cr_assert_eq(ck_pr_load_uint(&stopped), 0);
    ck_pr_inc_uint(&turned);
}

Test(sched, every_worker_starts_and_stops_once_on_its_own_thread)
{
    struct tri_sched_config config = cast_config(WORKERS);
    config.worker_start = note_start;
    config.worker_stop = note_stop;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        cast_player(&player, i, note_turn);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
    }
    close_sched();
    cr_assert_eq(started, WORKERS);
    cr_assert_eq(stopped, WORKERS);
    cr_assert_eq(turned, WORKERS);
}

Test(sched, can_be_started_and_stopped_again_and_again)
{
    int64_t before = memory_after_the_first(WORKERS);
    for (unsigned round = 0; round < 60; round++) {
        open_sched(1 + round % WORKERS);
        if (round % 3 == 0)
            wait_until(all_parked());
        if (round % 3 == 1)
            tri_sched_stop(&sched);
        else
            play_and_stop();
    }
    cr_assert_eq(tri_memory_live(), before);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(sched, many_workers_on_few_cores_start_run_and_stop)
{
    open_sched(100);
    for (unsigned i = 0; i < 100; i++) {
        cast_player(&player, i, NULL);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
        cr_assert_eq(player.on, i);
    }
    wait_until(all_parked());
    tri_sched_wake_all(&sched);
    wait_until(all_parked());
    close_sched();
}

Test(sched, waking_all_wakes_every_sleeper)
{
    open_sched(WORKERS);
    wait_until(all_parked());
    uint32_t parks[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++)
        parks[i] = ck_pr_load_32(&sched.workers[i]->parks);
    tri_sched_wake_all(&sched);
    for (unsigned i = 0; i < WORKERS; i++)
        wait_until(ck_pr_load_32(&sched.workers[i]->parks) > parks[i]);
    wait_until(all_parked());
    wait_until(ck_pr_load_32(&sched.sleepers) == WORKERS);
    wait_until(ck_pr_load_32(&sched.searchers) == 0);
    close_sched();
}

Test(sched, workers_draw_their_random_numbers_from_the_seed)
{
    uint64_t number[2][WORKERS];
    for (unsigned round = 0; round < 2; round++) {
        open_sched(WORKERS);
        wait_until(all_parked());
        for (unsigned i = 0; i < WORKERS; i++) {
            struct tri_random random = { 42 ^ tri_random_next(&(struct tri_random){ i }) };
            number[round][i] = tri_random_next(&random);
            for (unsigned j = 0; j < i; j++)
                cr_assert_neq(number[round][i], number[round][j]);
        }
        close_sched();
    }
    cr_assert_arr_eq(number[0], number[1], sizeof number[0]);
}

/* ---- what goes wrong at the start ----------------------------------------------------------------------------------- */

static unsigned failing;
static unsigned int ports_opened, ports_closed;

static void close_counted(struct tri_port *port)
{
    ck_pr_inc_uint(&ports_closed);
    tri_memory_put(port);
}

static void poll_counted(struct tri_port *port, int64_t deadline)
{
    (void)port;
    (void)deadline;
    sched_yield();
}

static void wake_counted(struct tri_port *port)
{
    (void)port;
}

static bool has_no_work(struct tri_port *port)
{
    (void)port;
    return false;
}

static const struct tri_port_class counted = { "counted", poll_counted, wake_counted, has_no_work, close_counted };

static int open_all_but_one(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    cr_assert_eq(arg, &failing);
    if (worker->index == failing)
        return TR_EMFILE;
    *port = tri_memory_get_zeroed(sizeof **port);
    (*port)->class = &counted;
    ck_pr_inc_uint(&ports_opened);
    return 0;
}

static void never_turn(struct tri_worker *worker, struct tri_runnable *r)
{
    (void)worker;
    (void)r;
    cr_assert_fail("a turn of a system that has not started");
}

Test(sched, a_port_that_cannot_be_opened_stops_everything)
{
    int64_t before = memory_after_the_first(WORKERS);
    struct tri_sched_config config = cast_config(WORKERS);
    config.port_open = open_all_but_one;
    config.port_arg = &failing;
    config.turn = never_turn;
    for (unsigned round = 0; round < 5; round++)
        for (failing = 0; failing < WORKERS; failing++) {
            ports_opened = ports_closed = 0;
            cr_assert_eq(tri_sched_start(&sched, &config), TR_EMFILE);
            cr_assert_eq(ports_opened, ports_closed);
            cr_assert_eq(tri_memory_live(), before);
        }
}

static unsigned int start_calls, stop_calls;

static int start_all_but_one(struct tri_worker *worker)
{
    ck_pr_inc_uint(&start_calls);
    return worker->index == failing ? TR_ELIMIT : 0;
}

static void count_stop(struct tri_worker *worker)
{
    (void)worker;
    ck_pr_inc_uint(&stop_calls);
}

Test(sched, a_worker_that_cannot_start_stops_everything)
{
    int64_t before = memory_after_the_first(WORKERS);
    struct tri_sched_config config = cast_config(WORKERS);
    config.turn = never_turn;
    config.worker_start = start_all_but_one;
    config.worker_stop = count_stop;
    for (failing = 0; failing < WORKERS; failing++) {
        start_calls = stop_calls = 0;
        cr_assert_eq(tri_sched_start(&sched, &config), TR_ELIMIT);
        cr_assert_eq(stop_calls, start_calls, "each is told once that it is over");
        cr_assert_eq(tri_memory_live(), before);
    }
}

Test(sched, out_of_memory_at_any_request_stops_everything)
{
    for (unsigned and_after = 0; and_after < 2; and_after++) {
        int64_t before = memory_after_the_first(WORKERS);
        unsigned n = 1;
        for (;; n++) {
            struct tri_sched_config config = cast_config(WORKERS);
            tri_memory_fail(n, and_after);
            int error = tri_sched_start(&sched, &config);
            if (!error)
                wait_until(all_parked());
            uint64_t failed = tri_memory_fail(0, false);
            if (!error)
                close_sched();
            cr_assert_eq(tri_memory_live(), before, "request %u", n);
            cr_assert_eq(error, failed ? TR_ENOMEM : 0, "request %u: %s", n, tr_error_name(error));
            if (!failed)
                break;
        }
        cr_assert_gt(n, 2 * WORKERS, "only %u requests were made", n - 1);
    }
    open_sched(WORKERS); /* and then it starts */
    play_and_stop();
}

/* ---- the global list ---------------------------------------------------------------------------------------------------- */

static struct player listed[100];

static struct tri_run_list list_of(unsigned from, unsigned to)
{
    struct tri_run_list list = { 0 };
    for (unsigned i = from; i < to; i++)
        tri_run_list_append(&list, &listed[i].run);
    return list;
}

static void expect_taken(uint32_t max, unsigned from, unsigned to)
{
    struct tri_run_list list = tri_sched_take(&sched, max);
    for (unsigned i = from; i < to; i++)
        cr_assert_eq(tri_run_list_pop(&list), &listed[i].run);
    cr_assert_null(tri_run_list_pop(&list));
}

static void open_list_only(void)
{
    sched = (struct tri_sched){ .count = 0, .batches_end = &sched.batches };
    pthread_mutex_init(&sched.lock, NULL);
}

Test(sched, the_global_list_is_a_queue)
{
    open_list_only();
    expect_taken(10, 0, 0);
    tri_sched_give(&sched, list_of(0, 3), 3);
    tri_sched_give(&sched, list_of(3, 10), 7);
    cr_assert_eq(sched.global_length, 10);
    expect_taken(0, 0, 0);
    expect_taken(4, 0, 4);
    cr_assert_eq(sched.global_length, 6);
    tri_sched_give(&sched, list_of(10, 11), 1);
    expect_taken(6, 4, 10);
    tri_sched_inject(&sched, &listed[11].run);
    expect_taken(100, 10, 12);
    cr_assert_eq(sched.global_length, 0);
    tri_sched_give(&sched, list_of(12, 14), 2);
    expect_taken(100, 12, 14);
}

Test(sched, adding_nothing_to_the_global_list_changes_nothing)
{
    open_list_only();
    tri_sched_give(&sched, (struct tri_run_list){ 0 }, 0);
    expect_taken(10, 0, 0);
    tri_sched_give(&sched, list_of(0, 3), 3);
    tri_sched_give(&sched, (struct tri_run_list){ 0 }, 0);
    tri_sched_give(&sched, list_of(3, 6), 3);
    expect_taken(10, 0, 6);
}

Test(sched, batches_are_a_queue_of_their_own)
{
    static struct tri_run_batch batch[3] = { { .count = 2 }, { .count = 3 }, { .count = 1 } };
    open_list_only();
    cr_assert_null(tri_sched_take_batch(&sched, 100));
    tri_sched_give_batch(&sched, &batch[0]);
    tri_sched_give_batch(&sched, &batch[1]);
    cr_assert_eq(sched.global_length, 5);
    cr_assert_null(tri_sched_take_batch(&sched, 1), "whole or not at all");
    cr_assert_eq(tri_sched_take_batch(&sched, 2), &batch[0]);
    tri_sched_give(&sched, list_of(0, 3), 3);
    cr_assert_eq(sched.global_length, 6);
    expect_taken(100, 0, 3);
    cr_assert_eq(tri_sched_take_batch(&sched, 100), &batch[1]);
    cr_assert_null(tri_sched_take_batch(&sched, 100));
    tri_sched_give_batch(&sched, &batch[2]);
    cr_assert_eq(tri_sched_take_batch(&sched, 100), &batch[2]);
    cr_assert_eq(sched.global_length, 0);
}

/* ---- more than a ring holds -------------------------------------------------------------------------------------- */

enum { CROWD = 5 * TRI_RING_SIZE };

static struct player crowd[CROWD];
static unsigned int came;

static void take_place(struct tri_worker *worker, struct player *one)
{
    (void)worker;
    (void)one;
    came++;
}

static void call_crowd(struct tri_worker *worker, struct player *caller)
{
    if (caller->number)
        tri_memory_fail(1, true);
    for (unsigned i = 0; i < CROWD; i++)
        schedule_here(worker, &crowd[i]);
    tri_memory_fail(0, false);
}

static void expect_crowd(bool with_memory)
{
    open_sched(1);
    for (unsigned i = 0; i < CROWD; i++)
        cast_player(&crowd[i], TRI_HOME_ANY, take_place);
    cast_player(&player, TRI_HOME_ANY, call_crowd);
    player.number = !with_memory;
    schedule(&player);
    for (unsigned i = 0; i < CROWD; i++)
        wait_until(ck_pr_load_uint(&crowd[i].ended) == 1);
    close_sched();
    cr_assert_eq(came, CROWD);
}

Test(sched, a_crowd_that_no_ring_holds_is_run_whole)
{
    expect_crowd(true);
}

Test(sched, a_crowd_that_no_ring_holds_is_run_without_memory_as_well)
{
    expect_crowd(false);
}

/* Players that want to go on for ever: each gets its turn again and again, although the ring never runs empty. */
static unsigned int over, at_rest;

static void go_on(struct tri_worker *worker, struct player *one)
{
    if (ck_pr_load_uint(&over))
        ck_pr_inc_uint(&at_rest);
    else
        tri_worker_requeue(worker, &one->run);
}

static void call_tireless(struct tri_worker *worker, struct player *caller)
{
    for (unsigned i = 0; i < caller->number; i++)
        schedule_here(worker, &crowd[i]);
}

static void expect_turns_for_all(unsigned workers, unsigned players)
{
    ck_pr_store_uint(&over, 0);
    ck_pr_store_uint(&at_rest, 0);
    open_sched(workers);
    for (unsigned i = 0; i < players; i++)
        cast_player(&crowd[i], TRI_HOME_ANY, go_on);
    cast_player(&player, TRI_HOME_ANY, call_tireless);
    player.number = players;
    schedule(&player);
    for (unsigned i = 0; i < players; i++)
        wait_until(ck_pr_load_uint(&crowd[i].begun) >= 3);
    ck_pr_store_uint(&over, 1);
    wait_until(ck_pr_load_uint(&at_rest) == players);
    close_sched();
}

Test(sched, a_ring_that_never_runs_empty_keeps_nobody_waiting_for_ever)
{
    static const unsigned players[] = { TRI_RING_SIZE, TRI_RING_SIZE + 1, TRI_RING_SIZE + 50, CROWD };
    for (unsigned i = 0; i < sizeof players / sizeof players[0]; i++)
        expect_turns_for_all(1, players[i]);
    expect_turns_for_all(2, CROWD);
}
