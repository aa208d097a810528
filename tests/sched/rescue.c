/*
 * A worker that is held: its timers and errands are seen to by another one, but for those of whom is pinned to it.
 *
 * A player that holds its worker does so until it has what it waits for, and in vain if nobody helps.
 */
#include "tests/sched/cast.h"

enum { TIMERS = 3000, STAYING = 100 };

static struct tri_timer timers[TIMERS];
static struct ck_stack_entry errands[10];
static unsigned int fired, fired_elsewhere, out_of_order, errands_run;
static int64_t last_deadline;
static struct player holder, other;

static bool stays(struct tri_timer *timer, struct tri_worker *victim)
{
    cr_assert_neq(victim, tri_worker_here);
    return timer < timers + STAYING;
}

static void fire(struct tri_timer *timer, void *worker)
{
    cr_assert_eq(tri_worker_here, worker);
    cr_assert_geq(real_now(), timer->deadline, "early");
    if (timer >= timers + STAYING && timer->deadline < last_deadline)
        out_of_order++;
    last_deadline = timer->deadline;
    if (tri_worker_here->index != 0)
        ck_pr_inc_uint(&fired_elsewhere);
    ck_pr_inc_uint(&fired);
}

static void run_errand(struct tri_worker *victim, struct ck_stack_entry *errand)
{
    cr_assert_eq(victim->index, 0);
    cr_assert(errand >= errands && errand < errands + 10);
    ck_pr_inc_uint(&errands_run);
}

static void open_helped(unsigned workers)
{
    struct tri_sched_config config = cast_config(workers);
    config.fire = fire;
    config.errand = run_errand;
    config.stays = stays;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cr_assert(sched.can_rescue);
}

static void arm(struct tri_worker *worker, unsigned from, unsigned to)
{
    int64_t start = real_now() + TR_MS(1);
    for (unsigned i = from; i < to; i++) {
        timers[i].deadline = start + i;
        tri_worker_arm(worker, &timers[i]);
    }
}

static void hold_with_timers(struct tri_worker *worker, struct player *player)
{
    (void)player;
    arm(worker, STAYING, TIMERS);
    wait_until(ck_pr_load_uint(&fired) == TIMERS - STAYING);
    cr_assert_eq(fired_elsewhere, fired);
}

/* More than are fired at once, so another one comes back for them. */
Test(rescue, the_timers_of_a_worker_that_is_held_are_fired_by_another_in_order)
{
    open_helped(2);
    cast_player(&holder, 0, hold_with_timers);
    schedule(&holder);
    wait_until(ck_pr_load_uint(&holder.ended));
    cr_assert_eq(out_of_order, 0);
    wait_until(all_parked());
    close_sched();
}

static unsigned int enough;

static void stay_busy(struct tri_worker *worker, struct player *player)
{
    tri_worker_count_message(worker);
    if (!ck_pr_load_uint(&enough))
        tri_worker_requeue(worker, &player->run);
}

Test(rescue, one_that_is_busy_helps_as_well_as_one_that_sleeps)
{
    open_helped(2);
    cast_player(&other, 1, stay_busy);
    schedule(&other);
    cast_player(&holder, 0, hold_with_timers);
    schedule(&holder);
    wait_until(ck_pr_load_uint(&holder.ended));
    ck_pr_store_uint(&enough, 1);
    wait_until(all_parked());
    close_sched();
}

static void hold_with_timers_that_stay(struct tri_worker *worker, struct player *player)
{
    (void)player;
    arm(worker, 0, 1000);
    wait_until(ck_pr_load_uint(&fired) == 1000 - STAYING);
    tri_possession_enter(&worker->possession); /* one of those that were put off is cancelled, */
    tri_wheel_cancel(&worker->wheel, &timers[7]);
    tri_possession_leave(&worker->possession);
    arm(worker, 1000, 1001); /* and there is still help */
    wait_until(ck_pr_load_uint(&fired) == 1001 - STAYING);
    cr_assert_eq(fired_elsewhere, fired);
    last_deadline = 0;
}

Test(rescue, timers_of_those_who_are_pinned_to_it_wait_for_it)
{
    open_helped(2);
    cast_player(&holder, 0, hold_with_timers_that_stay);
    schedule(&holder);
    wait_until(ck_pr_load_uint(&fired) == 1000);
    cr_assert_eq(fired_elsewhere, 1001 - STAYING);
    cr_assert_eq(out_of_order, 0);
    wait_until(all_parked());
    close_sched();
}

static void hold_with_errands(struct tri_worker *worker, struct player *player)
{
    (void)player;
    for (unsigned i = 0; i < 10; i++)
        tri_worker_errand(worker, &errands[i]);
    wait_until(ck_pr_load_uint(&errands_run) == 10);
}

Test(rescue, the_errands_of_a_worker_that_is_held_are_run_by_another)
{
    open_helped(3);
    cast_player(&holder, 0, hold_with_errands);
    schedule(&holder);
    wait_until(ck_pr_load_uint(&holder.ended));
    wait_until(all_parked());
    close_sched();
}

static void hold_both(struct tri_worker *worker, struct player *player)
{
    arm(worker, player->number, player->number + 100);
    wait_until(ck_pr_load_uint(&fired) == 200);
}

static struct tri_worker *anyone; /* fires for both */

static void fire_of_two(struct tri_timer *timer, void *worker)
{
    (void)timer;
    anyone = worker;
    ck_pr_inc_uint(&fired);
}

Test(rescue, several_that_are_held_are_helped_by_one)
{
    struct tri_sched_config config = cast_config(3);
    config.fire = fire_of_two;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    cast_player(&holder, 0, hold_both);
    cast_player(&other, 2, hold_both);
    holder.number = 200;
    other.number = 400;
    schedule(&holder);
    schedule(&other);
    wait_until(ck_pr_load_uint(&holder.ended) && ck_pr_load_uint(&other.ended));
    cr_assert_eq(anyone, sched.workers[1]);
    wait_until(all_parked());
    close_sched();
}
