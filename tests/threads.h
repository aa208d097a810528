/*
 * threads.h: what tests with threads of their own share.
 *
 * Conditions are waited for with a time limit that is only ever reached when something is wrong: it makes a hang a
 * failure that names its line. It is no back-stop: nothing is done again when it is over.
 */
#ifndef TROUPE_TESTS_THREADS_H
#define TROUPE_TESTS_THREADS_H

#include "mailbox/compiler.h"
#include "sched/clock.h"
#include "tests/patience.h"

#include <ck_pr.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#define PATIENCE TR_SECONDS(patience_s())
#define A_WHILE  TR_MS(800) /* how long a stress test goes on */

static inline int64_t real_now(void)
{
    return tri_clock_now(&tri_clock_real);
}

/* Between two looks at a condition: at first it is likely to come true within a microsecond, later it is not. */
static inline void breathe(unsigned looks)
{
    if (looks < 100)
        ck_pr_stall();
    else if (looks < 1000)
        sched_yield();
    else
        nanosleep(&(struct timespec){ 0, 50000 }, NULL);
}

/* Waits until the condition, which is evaluated again and again, holds. */
#define wait_until(condition) \
    do { \
        int64_t limit_ = real_now() + PATIENCE; \
        for (unsigned looks_ = 0; !(condition); looks_++) { \
            cr_assert_lt(real_now(), limit_, "waited in vain for: %s", #condition); \
            breathe(looks_); \
        } \
    } while (0)

static inline pthread_t start_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

static inline void join_thread(pthread_t thread)
{
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

#endif
