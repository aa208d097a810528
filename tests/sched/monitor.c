/*
 * The monitor: what a stuck worker holds is rescued, and who holds a worker is named.
 *
 * A player that "is stuck" waits until others have had their turns: if they are not rescued it waits in vain, and fails.
 */
#include "tests/sched/cast.h"

#include <string.h>

enum { OTHERS = 300, WORKERS = 3 };

static struct player stuck, others[OTHERS];
static unsigned others_count;

static bool others_played(void)
{
    for (unsigned i = 0; i < others_count; i++)
        if (!ck_pr_load_uint(&others[i].ended))
            return false;
    return true;
}

static void schedule_others_and_hang(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 0; i < others_count; i++)
        schedule_here(worker, &others[i]);
    wait_until(others_played());
}

static void hang(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    (void)player;
    wait_until(others_played());
}

static void cast_others(unsigned count)
{
    others_count = count;
    for (unsigned i = 0; i < count; i++)
        cast_player(&others[i], TRI_HOME_ANY, NULL);
}

static void expect_rescue(unsigned count, unsigned home)
{
    cast_others(count);
    cast_player(&stuck, home, schedule_others_and_hang);
    schedule(&stuck);
    wait_until(ck_pr_load_uint(&stuck.ended));
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(others[i].begun, 1);
        cr_assert_neq(others[i].on, stuck.on);
    }
}

/* ---- rescue ----------------------------------------------------------------------------------------------------------- */

Test(monitor, the_one_that_a_stuck_worker_would_have_run_next_is_rescued)
{
    open_sched(2);
    for (unsigned round = 0; round < 10; round++)
        expect_rescue(1, round % 3 ? round % 3 - 1 : TRI_HOME_ANY);
    wait_until(all_parked());
    close_sched();
}

Test(monitor, all_that_waits_in_a_stuck_workers_ring_is_rescued)
{
    static const unsigned counts[] = { 2, 3, 17, 100, OTHERS };
    open_sched(WORKERS);
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++)
        expect_rescue(counts[i], TRI_HOME_ANY);
    wait_until(all_parked());
    close_sched();
}

Test(monitor, several_stuck_workers_are_rescued)
{
    static struct player hanging[WORKERS - 1];
    open_sched(WORKERS);
    for (unsigned round = 0; round < 5; round++) {
        cast_others(4);
        cast_player(&stuck, 0, schedule_others_and_hang);
        for (unsigned i = 1; i < WORKERS - 1; i++) {
            cast_player(&hanging[i], i, hang);
            schedule(&hanging[i]);
        }
        schedule(&stuck);
        wait_until(ck_pr_load_uint(&stuck.ended));
        for (unsigned i = 1; i < WORKERS - 1; i++)
            wait_until(ck_pr_load_uint(&hanging[i].ended));
    }
    wait_until(all_parked());
    close_sched();
}

static void schedule_pinned_and_free(struct tri_worker *worker, struct player *player)
{
    (void)player;
    others[1].run.home = worker->index;
    for (unsigned i = 0; i < 3; i++)
        schedule_here(worker, &others[i]);
    wait_until(ck_pr_load_uint(&others[0].ended) && ck_pr_load_uint(&others[2].ended));
    cr_assert_eq(ck_pr_load_uint(&others[1].begun), 0, "a pinned player was taken away");
}

Test(monitor, pinned_ones_wait_for_their_stuck_worker)
{
    open_sched(WORKERS);
    for (unsigned round = 0; round < 5; round++) {
        cast_others(3);
        cast_player(&stuck, TRI_HOME_ANY, schedule_pinned_and_free);
        schedule(&stuck);
        wait_until(ck_pr_load_uint(&stuck.ended) && others_played());
        cr_assert_eq(others[1].on, stuck.on);
    }
    wait_until(all_parked());
    close_sched();
}

Test(monitor, it_sleeps_when_all_do_and_wakes_when_one_begins_to_run)
{
    open_sched(2);
    for (unsigned round = 0; round < 5; round++) {
        wait_until(ck_pr_load_uint(&sched.monitor.asleep));
        expect_rescue(3, TRI_HOME_ANY);
    }
    wait_until(ck_pr_load_uint(&sched.monitor.asleep));
    close_sched();
}

/* Who is called for every turn that is too short to be seen costs the worker a system call for each. */
Test(monitor, once_called_it_looks_four_times_before_it_sleeps_again)
{
    static struct player quick;
    open_sched(1);
    for (unsigned round = 0; round < 5; round++) {
        wait_until(ck_pr_load_uint(&sched.monitor.asleep));
        int64_t called = real_now();
        cast_player(&quick, TRI_HOME_ANY, NULL);
        schedule(&quick);
        wait_until(ck_pr_load_uint(&quick.ended));
        wait_until(ck_pr_load_uint(&sched.monitor.asleep));
        cr_assert_geq(real_now() - called, 3 * TR_MS(5), "it sleeps again after %ld us",
            (long)((real_now() - called) / 1000));
    }
    wait_until(all_parked());
    close_sched();
}

Test(monitor, a_worker_that_was_stuck_goes_on_as_before)
{
    open_sched(2);
    expect_rescue(5, 0);
    wait_until(all_parked());
    cast_others(1);
    cast_player(&others[0], 0, NULL);
    schedule(&others[0]);
    wait_until(others_played());
    close_sched();
}

/* ---- what a stuck worker holds without having it in its queues ------------------------------------------------------ */

/* A sleeper that can be made to linger when it has woken. */
static struct gated {
    struct tri_port port;
    struct tri_port *sleeper;
    unsigned int *shut;
} gated[WORKERS];

static unsigned int shut[WORKERS];

static void gated_poll(struct tri_port *port, int64_t deadline)
{
    struct gated *g = (struct gated *)port;
    g->sleeper->class->poll(g->sleeper, deadline);
    if (deadline != TRI_NO_WAIT)
        wait_until(!ck_pr_load_uint(g->shut));
}

static void gated_wake(struct tri_port *port)
{
    struct gated *g = (struct gated *)port;
    g->sleeper->class->wake(g->sleeper);
}

static bool gated_has_work(struct tri_port *port)
{
    (void)port;
    return false;
}

static void gated_close(struct tri_port *port)
{
    struct gated *g = (struct gated *)port;
    g->sleeper->class->close(g->sleeper);
}

static const struct tri_port_class gated_class = { "gated", gated_poll, gated_wake, gated_has_work, gated_close };

static int open_gated(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct gated *g = &gated[worker->index];
    *g = (struct gated){ .port.class = &gated_class, .shut = &shut[worker->index] };
    *port = &g->port;
    return tri_sleeper_open(worker, arg, &g->sleeper);
}

static void open_gated_sched(void)
{
    struct tri_sched_config config = cast_config(WORKERS);
    config.port_open = open_gated;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    wait_until(all_parked());
}

static bool is_searched(void)
{
    return ck_pr_load_32(&sched.searchers) != 0;
}

Test(monitor, what_is_left_in_the_global_list_does_not_wait_for_a_stuck_worker)
{
    open_gated_sched();
    for (unsigned round = 0; round < 3; round++) {
        wait_until(all_parked());
        cast_others(1);
        cast_player(&stuck, TRI_HOME_ANY, hang);
        ck_pr_store_uint(&shut[0], 1);
        schedule(&stuck); /* wakes worker 0, and that one only: it is asked to search */
        cr_assert(is_searched());
        schedule(&others[0]); /* left to the one that searches */
        ck_pr_store_uint(&shut[0], 0);
        wait_until(ck_pr_load_uint(&stuck.ended));
    }
    wait_until(all_parked());
    close_sched();
}

Test(monitor, who_was_woken_to_search_does_not_keep_the_permission_while_it_runs_something_else)
{
    open_gated_sched();
    for (unsigned round = 0; round < 3; round++) {
        wait_until(all_parked());
        cast_others(3);
        cast_player(&stuck, 0, hang);
        ck_pr_store_uint(&shut[0], 1);
        schedule(&others[0]); /* wakes worker 0 to search */
        cr_assert(is_searched());
        schedule(&stuck); /* finds it awake */
        ck_pr_store_uint(&shut[0], 0);
        wait_until(ck_pr_load_uint(&stuck.begun));
        schedule(&others[1]);
        schedule(&others[2]);
        wait_until(ck_pr_load_uint(&stuck.ended));
    }
    wait_until(all_parked());
    close_sched();
}

/* ---- the watchdog --------------------------------------------------------------------------------------------------- */

static struct {
    unsigned int lines;
    char text[20][200];
    enum tr_log_level level[20];
} logged;

static void log_line(void *arg, const tr_log_record *record)
{
    cr_assert_eq(arg, &logged);
    if (logged.lines < 20) {
        snprintf(logged.text[logged.lines], sizeof logged.text[0], "%s", record->text);
        logged.level[logged.lines] = record->level;
    }
    ck_pr_fence_store();
    ck_pr_inc_uint(&logged.lines);
}

static void describe_running(struct tri_worker *worker, char *text, size_t size)
{
    struct tri_runnable *r = ck_pr_load_ptr(&worker->running);
    snprintf(text, size, "player %u of <0.17.3>, handling work", r ? player_of(r)->number : 0);
}

static void open_watched_sched(int64_t watchdog_ns)
{
    struct tri_sched_config config = cast_config(2);
    config.watchdog_ns = watchdog_ns;
    config.describe = describe_running;
    tr_log_level(TR_LOG_WARNING);
    tr_log_to(log_line, &logged);
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
}

static unsigned int let_go;

static void hold_until_let_go(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    (void)player;
    wait_until(ck_pr_load_uint(&let_go));
}

static void hold_and_expect_a_line(unsigned home, unsigned number)
{
    let_go = 0;
    cast_player(&stuck, home, hold_until_let_go);
    stuck.number = number;
    schedule(&stuck);
    wait_until(ck_pr_load_uint(&logged.lines) == 2 * number - 1);
    nanosleep(&(struct timespec){ 0, TR_MS(60) }, NULL); /* more looks than it takes to name it again, if that were done */
    ck_pr_store_uint(&let_go, 1);
    wait_until(ck_pr_load_uint(&stuck.ended));
    wait_until(ck_pr_load_uint(&logged.lines) == 2 * number);
}

Test(monitor, who_holds_a_worker_too_long_is_named_once_a_turn_and_when_it_is_over)
{
    open_watched_sched(TR_MS(20));
    for (unsigned i = 1; i <= 4; i++) {
        unsigned worker, read;
        long long ms, used, in_all;
        char tail[100] = "", expected[100];
        hold_and_expect_a_line(i & 1, i);
        const char *begins = logged.text[2 * i - 2], *ends = logged.text[2 * i - 1];
        cr_assert_eq(logged.level[2 * i - 2], TR_LOG_WARNING);
        read = (unsigned)sscanf(begins, "worker %u is held for %lld ms (%lld ms of processor time) by %99[^\n]", &worker,
            &ms, &used, tail);
        cr_assert_eq(read, 4, "%s", begins);
        cr_assert_eq(worker, i & 1);
        cr_assert_geq(ms, 20, "%s", begins);
        read = (unsigned)sscanf(ends, "worker %u goes on; it was held for about %lld ms (%lld ms", &worker, &in_all, &used);
        cr_assert_eq(read, 3, "%s", ends);
        cr_assert_eq(worker, i & 1);
        cr_assert_geq(in_all, ms + 50, "%s", ends);
        cr_assert_lt(used, in_all, "it has slept, mostly: %s", ends);
        snprintf(expected, sizeof expected, "player %u of <0.17.3>, handling work", i);
        cr_assert_str_eq(tail, expected);
    }
    wait_until(all_parked());
    close_sched();
}

Test(monitor, it_names_those_that_hold_all_workers)
{
    static struct player second;
    open_watched_sched(TR_MS(20));
    cast_player(&stuck, 0, hold_until_let_go);
    cast_player(&second, 1, hold_until_let_go);
    stuck.number = 1;
    second.number = 2;
    schedule(&stuck);
    schedule(&second);
    wait_until(ck_pr_load_uint(&logged.lines) == 2);
    ck_pr_store_uint(&let_go, 1);
    wait_until(ck_pr_load_uint(&stuck.ended) && ck_pr_load_uint(&second.ended));
    cr_assert_not_null(strstr(logged.text[0], "held for"));
    cr_assert_not_null(strstr(logged.text[1], "held for"));
    cr_assert_str_neq(logged.text[0], logged.text[1]);
    wait_until(all_parked());
    close_sched();
}

Test(monitor, without_a_watchdog_nobody_is_named)
{
    open_watched_sched(0);
    cast_player(&stuck, 0, hold_until_let_go);
    schedule(&stuck);
    wait_until(ck_pr_load_uint(&stuck.begun));
    nanosleep(&(struct timespec){ 0, TR_MS(30) }, NULL);
    ck_pr_store_uint(&let_go, 1);
    wait_until(ck_pr_load_uint(&stuck.ended));
    close_sched();
    cr_assert_eq(logged.lines, 0);
}
