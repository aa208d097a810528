/* What every system's os_….c promises: threads, time limits, clocks, random bytes. What only one has: os_<system>.c. */
#include "sched/os.h"

#include "tests/threads.h"

#include <string.h>

static struct {
    pthread_mutex_t lock;
    struct tri_condition condition;
    bool ready, flag;
} meeting = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void open_meeting(void)
{
    tri_condition_init(&meeting.condition);
    pthread_mutex_lock(&meeting.lock);
}

static void close_meeting(void)
{
    pthread_mutex_unlock(&meeting.lock);
    tri_condition_destroy(&meeting.condition);
}

Test(os, a_wait_is_over_at_its_deadline_and_never_early)
{
    static const int64_t delays[] = { 1, TR_US(1), TR_US(999), TR_MS(1), TR_US(1500), TR_MS(30) };
    open_meeting();
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        int64_t deadline = tri_os_now() + delays[i];
        while (tri_condition_wait_until(&meeting.condition, &meeting.lock, deadline)) {
        }
        cr_assert_geq(tri_os_now(), deadline);
    }
    close_meeting();
}

Test(os, a_deadline_that_has_passed_is_not_waited_for)
{
    open_meeting();
    cr_assert_not(tri_condition_wait_until(&meeting.condition, &meeting.lock, tri_os_now()));
    cr_assert_not(tri_condition_wait_until(&meeting.condition, &meeting.lock, 0));
    cr_assert_not(tri_condition_wait_until(&meeting.condition, &meeting.lock, -1));
    cr_assert_not(tri_condition_wait_until(&meeting.condition, &meeting.lock, INT64_MIN));
    close_meeting();
}

static void *raise_flag(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&meeting.lock);
    meeting.ready = true;
    tri_condition_signal(&meeting.condition);
    while (meeting.ready)
        tri_condition_wait(&meeting.condition, &meeting.lock);
    meeting.flag = true;
    tri_condition_signal(&meeting.condition);
    pthread_mutex_unlock(&meeting.lock);
    return NULL;
}

Test(os, a_wait_ends_with_a_signal_whatever_its_deadline)
{
    const int64_t deadlines[] = { TR_FOREVER, TR_FOREVER - 1, tri_os_now() + TR_HOURS(24 * 365 * 10),
        tri_os_now() + PATIENCE };
    open_meeting();
    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        pthread_t thread;
        meeting.ready = meeting.flag = false;
        cr_assert_eq(tri_os_start_thread(&thread, raise_flag, NULL), 0);
        while (!meeting.ready)
            cr_assert(tri_condition_wait_until(&meeting.condition, &meeting.lock, deadlines[i]));
        meeting.ready = false;
        tri_condition_signal(&meeting.condition);
        while (!meeting.flag)
            cr_assert(tri_condition_wait_until(&meeting.condition, &meeting.lock, deadlines[i]));
        pthread_mutex_unlock(&meeting.lock);
        join_thread(thread);
        pthread_mutex_lock(&meeting.lock);
    }
    close_meeting();
}

/* ---- clocks ------------------------------------------------------------------------------------------------------ */

static int64_t seen_last; /* by any thread */

static void *look_at_the_clock(void *arg)
{
    int64_t end = tri_os_wall() + TR_MS(150);
    (void)arg;
    while (tri_os_wall() < end) {
        int64_t before = (int64_t)ck_pr_load_64((uint64_t *)&seen_last), now;
        ck_pr_fence_memory();
        now = tri_os_now();
        cr_assert_geq(now, before, "%lld ns back", (long long)(before - now));
        ck_pr_store_64((uint64_t *)&seen_last, (uint64_t)now);
    }
    return NULL;
}

Test(os, the_clock_goes_back_on_no_core)
{
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        threads[i] = start_thread(look_at_the_clock, NULL);
    for (unsigned i = 0; i < 4; i++)
        join_thread(threads[i]);
}

/* ---- random bytes ------------------------------------------------------------------------------------------------ */

Test(os, random_bytes_fill_what_they_were_asked_for_and_differ)
{
    unsigned char bytes[2][66];
    memset(bytes, 0, sizeof bytes);
    cr_assert(tri_os_random(bytes[0] + 1, 64));
    cr_assert(tri_os_random(bytes[1] + 1, 64));
    cr_assert_neq(memcmp(bytes[0], bytes[1], 66), 0);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(bytes[i][0], 0);
        cr_assert_eq(bytes[i][65], 0);
    }
}
