/* The port that only sleeps and wakes. */
#include "tests/sched/cast.h"

static struct tri_port *port;
static struct tri_worker worker;

static void open_sleeper(void)
{
    sched.config.clock = &tri_clock_real;
    worker.sched = &sched;
    cr_assert_eq(tri_sleeper_open(&worker, NULL, &port), 0);
    cr_assert_str_eq(port->class->name, "sleeper");
}

static void close_sleeper(void)
{
    int64_t before = tri_memory_live();
    port->class->close(port);
    cr_assert_eq(tri_memory_live(), before - 1);
}

Test(sleeper, does_not_wait_when_told_not_to_or_when_the_deadline_has_passed)
{
    open_sleeper();
    port->class->poll(port, TRI_NO_WAIT);
    port->class->poll(port, 0);
    port->class->poll(port, -5);
    port->class->poll(port, real_now());
    cr_assert_not(port->class->has_work(port));
    close_sleeper();
}

Test(sleeper, sleeps_until_its_deadline)
{
    static const int64_t delays[] = { 1, TR_US(100), TR_MS(3), TR_MS(30) };
    open_sleeper();
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        int64_t deadline = real_now() + delays[i];
        port->class->poll(port, deadline);
        cr_assert_geq(real_now(), deadline);
    }
    close_sleeper();
}

Test(sleeper, a_wake_before_the_sleep_is_not_lost)
{
    open_sleeper();
    for (unsigned i = 0; i < 1000; i++) {
        port->class->wake(port);
        port->class->poll(port, INT64_MAX);
    }
    close_sleeper();
}

Test(sleeper, many_wakes_are_one)
{
    open_sleeper();
    for (unsigned i = 0; i < 10; i++)
        port->class->wake(port);
    port->class->poll(port, INT64_MAX);
    int64_t deadline = real_now() + TR_MS(5);
    port->class->poll(port, deadline);
    cr_assert_geq(real_now(), deadline);
    close_sleeper();
}

static unsigned int slept;

static void *sleep_often(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 2000; i++) {
        port->class->poll(port, INT64_MAX);
        ck_pr_inc_uint(&slept);
    }
    return NULL;
}

Test(sleeper, is_woken_by_another_thread)
{
    open_sleeper();
    pthread_t thread = start_thread(sleep_often, NULL);
    for (unsigned i = 0; i < 2000; i++) {
        wait_until(ck_pr_load_uint(&slept) == i);
        port->class->wake(port);
    }
    join_thread(thread);
    close_sleeper();
}

Test(sleeper, without_memory_there_is_none)
{
    tri_memory_fail(1, true);
    cr_assert_eq(tri_sleeper_open(&worker, NULL, &port), TR_ENOMEM);
    tri_memory_fail(0, false);
}
