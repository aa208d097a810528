/*
 * cast.h: a scheduler with a cast of its own, for tests of sched/ without actors/.
 *
 * A player is what an actor is to the scheduler: a runnable. Its turn is a function of the test. Whoever schedules it must
 * have the right to, as with actors: it is in one queue at a time.
 */
#ifndef TROUPE_TESTS_CAST_H
#define TROUPE_TESTS_CAST_H

#include "mailbox/memory.h"
#include "mailbox/pool.h"
#include "sched/log.h"
#include "sched/sched.h"
#include "tests/threads.h"

#include <stdio.h>

struct player {
    struct tri_runnable run;
    void (*act)(struct tri_worker *worker, struct player *player);
    unsigned number;
    unsigned int begun, ended; /* turns; read by the test */
    unsigned int on;           /* index of the worker of the last turn */
};

static struct tri_sched sched;

static inline struct player *player_of(struct tri_runnable *r)
{
    return tri_container_of(r, struct player, run);
}

static inline void play_turn(struct tri_worker *worker, struct tri_runnable *r)
{
    struct player *player = player_of(r);
    cr_assert_eq(tri_worker_here, worker);
    cr_assert_eq(worker->running, r);
    ck_pr_store_uint(&player->on, worker->index);
    ck_pr_store_uint(&player->begun, player->begun + 1);
    if (player->act)
        player->act(worker, player); /* after this it may be running elsewhere, if it was scheduled again */
    tri_worker_count_message(worker);
    ck_pr_inc_uint(&player->ended);
}

static inline void no_fire(struct tri_timer *timer, void *worker)
{
    (void)timer;
    (void)worker;
    cr_assert_fail("a timer that nobody set");
}

static inline void no_errand(struct tri_worker *worker, struct ck_stack_entry *errand)
{
    (void)worker;
    (void)errand;
    cr_assert_fail("an errand that nobody left");
}

static inline void describe_player(struct tri_worker *worker, char *text, size_t size)
{
    (void)worker;
    snprintf(text, size, "a player");
}

static inline struct tri_sched_config cast_config(unsigned workers)
{
    return (struct tri_sched_config){
        .workers = workers,
        .seed = 42,
        .clock = &tri_clock_real,
        .port_open = tri_sleeper_open,
        .turn = play_turn,
        .errand = no_errand,
        .fire = no_fire,
        .describe = describe_player,
    };
}

static inline void open_sched(unsigned workers)
{
    struct tri_sched_config config = cast_config(workers);
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
}

/* Takes the monitor away: what happens from now on happens without its help. It must be given back before the end. */
static inline void take_monitor_away(void)
{
    tri_monitor_stop(&sched);
}

static inline void give_monitor_back(void)
{
    cr_assert_eq(tri_monitor_start(&sched), 0);
}

/* Everything must have come to rest. */
static inline void close_sched(void)
{
    tri_sched_stop(&sched);
    cr_assert_eq(tri_pool_balance(), 0);
}

static inline void cast_player(struct player *player, unsigned home, void (*act)(struct tri_worker *, struct player *))
{
    *player = (struct player){ .run.home = (uint16_t)home, .act = act };
}

/* From the test's thread. */
static inline void schedule(struct player *player)
{
    tri_sched_schedule(&sched, NULL, &player->run);
}

/* In a turn. */
static inline void schedule_here(struct tri_worker *worker, struct player *player)
{
    tri_sched_schedule(&sched, worker, &player->run);
}

static inline bool is_parked(unsigned worker)
{
    return ck_pr_load_uint(&sched.workers[worker]->state) == TRI_PARKED;
}

static inline bool all_parked(void)
{
    for (unsigned i = 0; i < sched.count; i++)
        if (!is_parked(i))
            return false;
    return true;
}

#endif
