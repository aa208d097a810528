/* The pool for work that blocks: it grows, is bounded, idles down, and is closed with a deadline. */
#include "sched/blocking.h"

#include "mailbox/memory.h"
#include "sched/os.h"
#include "tests/threads.h"

#include <troupe/error.h>

static struct tri_blocking pool;

struct work {
    struct tri_job job;
    unsigned int done, canceled;
    pthread_t on;
};

static unsigned int gate, running, most_running;

static void note_end(struct work *work, bool canceled)
{
    work->on = pthread_self();
    ck_pr_fence_store();
    if (canceled)
        ck_pr_inc_uint(&work->canceled);
    ck_pr_inc_uint(&work->done);
}

static void run_at_once(struct tri_job *job, bool canceled)
{
    note_end((struct work *)job, canceled);
}

static void run_through_the_gate(struct tri_job *job, bool canceled)
{
    if (!canceled) {
        unsigned now = ck_pr_faa_uint(&running, 1) + 1, most;
        while (now > (most = ck_pr_load_uint(&most_running)) && !ck_pr_cas_uint(&most_running, most, now))
            ;
        wait_until(ck_pr_load_uint(&gate));
        ck_pr_dec_uint(&running);
    }
    note_end((struct work *)job, canceled);
}

static struct work work[100];

static bool all_done(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!ck_pr_load_uint(&work[i].done))
            return false;
    return true;
}

static void submit(unsigned number, void (*run)(struct tri_job *job, bool canceled))
{
    work[number] = (struct work){ .job.run = run };
    cr_assert_eq(tri_blocking_submit(&pool, &work[number].job), 0);
}

static struct tri_blocking look(void)
{
    pthread_mutex_lock(&pool.lock);
    struct tri_blocking seen = pool;
    pthread_mutex_unlock(&pool.lock);
    return seen;
}

static void close_pool(void)
{
    cr_assert_eq(tri_blocking_close(&pool, real_now() + PATIENCE), 0);
}

/* ---- growing ---------------------------------------------------------------------------------------------------------- */

Test(blocking, a_pool_that_is_not_used_has_no_threads)
{
    tri_blocking_open(&pool, 10);
    cr_assert_eq(look().threads, 0);
    close_pool();
}

Test(blocking, a_job_runs_on_another_thread)
{
    tri_blocking_open(&pool, 1);
    submit(0, run_at_once);
    wait_until(all_done(1));
    cr_assert_not(pthread_equal(work[0].on, pthread_self()));
    cr_assert_eq(work[0].canceled, 0);
    close_pool();
}

Test(blocking, every_job_runs_once)
{
    for (unsigned limit = 1; limit < 8; limit += 3) {
        tri_blocking_open(&pool, limit);
        for (unsigned i = 0; i < 100; i++)
            submit(i, run_at_once);
        wait_until(all_done(100));
        close_pool();
        for (unsigned i = 0; i < 100; i++) {
            cr_assert_eq(work[i].done, 1);
            cr_assert_eq(work[i].canceled, 0);
        }
    }
}

Test(blocking, it_grows_as_long_as_all_threads_are_busy)
{
    tri_blocking_open(&pool, 20);
    for (unsigned i = 0; i < 20; i++) {
        submit(i, run_through_the_gate);
        wait_until(ck_pr_load_uint(&running) == i + 1); /* all at the same time */
        cr_assert_eq(look().threads, i + 1);
    }
    ck_pr_store_uint(&gate, 1);
    wait_until(all_done(20));
    close_pool();
}

Test(blocking, jobs_submitted_at_once_do_not_wait_for_each_other)
{
    tri_blocking_open(&pool, 20);
    for (unsigned i = 0; i < 20; i++)
        submit(i, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 20);
    ck_pr_store_uint(&gate, 1);
    wait_until(all_done(20));
    close_pool();
}

Test(blocking, it_does_not_grow_beyond_its_limit)
{
    tri_blocking_open(&pool, 3);
    for (unsigned i = 0; i < 30; i++)
        submit(i, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 3);
    cr_assert_eq(look().threads, 3);
    cr_assert_eq(look().queued, 27);
    ck_pr_store_uint(&gate, 1);
    wait_until(all_done(30));
    cr_assert_eq(most_running, 3);
    cr_assert_eq(look().threads, 3);
    close_pool();
}

Test(blocking, jobs_begin_in_the_order_they_were_submitted)
{
    tri_blocking_open(&pool, 1);
    submit(0, run_through_the_gate);
    for (unsigned i = 1; i < 50; i++)
        submit(i, run_at_once);
    ck_pr_store_uint(&gate, 1);
    for (unsigned i = 0; i < 50; i++) {
        wait_until(ck_pr_load_uint(&work[i].done));
        cr_assert(i == 0 || all_done(i));
    }
    close_pool();
}

/* ---- idling ----------------------------------------------------------------------------------------------------------- */

Test(blocking, an_idle_thread_takes_the_next_job)
{
    tri_blocking_open(&pool, 10);
    for (unsigned i = 0; i < 100; i++) {
        submit(i, run_at_once);
        wait_until(ck_pr_load_uint(&work[i].done));
        wait_until(look().idle == 1);
    }
    cr_assert_eq(look().threads, 1);
    close_pool();
}

/* The pool's clock stands 9.9 s behind the system's: a wait of 10 s is over after 0.1. */
static int64_t behind(struct tri_clock *clock)
{
    (void)clock;
    return tri_os_now() - TR_MS(9900);
}

Test(blocking, a_thread_without_a_job_for_ten_seconds_ends)
{
    int64_t (*right)(struct tri_clock * clock) = tri_clock_real.now;
    tri_clock_real.now = behind;
    tri_blocking_open(&pool, 5);
    for (unsigned i = 0; i < 5; i++)
        submit(i, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 5);
    int64_t before = real_now();
    ck_pr_store_uint(&gate, 1);
    wait_until(all_done(5));
    wait_until(look().threads == 0);
    cr_assert_geq(real_now() - before, TR_MS(100), "too early");
    cr_assert_eq(look().idle, 0);
    submit(5, run_at_once); /* and grows again */
    wait_until(ck_pr_load_uint(&work[5].done));
    wait_until(look().threads == 0); /* so nobody looks at the clock any more: closing waits by the right one */
    tri_clock_real.now = right;
    close_pool();
}

/* ---- closing ---------------------------------------------------------------------------------------------------------- */

Test(blocking, a_closed_pool_takes_no_jobs)
{
    tri_blocking_open(&pool, 2);
    submit(0, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 1);
    cr_assert_eq(tri_blocking_close(&pool, real_now()), 1);
    cr_assert_eq(tri_blocking_submit(&pool, &work[1].job), TR_ECLOSED);
    cr_assert_eq(work[1].done, 0);
    ck_pr_store_uint(&gate, 1);
    close_pool();
}

Test(blocking, closing_waits_for_jobs_that_run)
{
    for (unsigned round = 0; round < 50; round++) {
        tri_blocking_open(&pool, 4);
        ck_pr_store_uint(&gate, 1);
        for (unsigned i = 0; i < 4; i++)
            submit(i, run_through_the_gate);
        close_pool();
        for (unsigned i = 0; i < 4; i++)
            cr_assert_eq(work[i].done, 1);
    }
}

Test(blocking, closing_cancels_jobs_that_wait_on_the_thread_that_closes)
{
    tri_blocking_open(&pool, 2);
    for (unsigned i = 0; i < 10; i++)
        submit(i, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 2);
    cr_assert_eq(tri_blocking_close(&pool, real_now()), 2);
    for (unsigned i = 2; i < 10; i++) {
        cr_assert_eq(work[i].done, 1);
        cr_assert_eq(work[i].canceled, 1);
        cr_assert(pthread_equal(work[i].on, pthread_self()));
    }
    ck_pr_store_uint(&gate, 1);
    close_pool();
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(work[i].done, 1);
        cr_assert_eq(work[i].canceled, 0);
    }
}

Test(blocking, closing_waits_until_its_deadline_and_says_how_many_still_run)
{
    tri_blocking_open(&pool, 3);
    for (unsigned i = 0; i < 3; i++)
        submit(i, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 3);
    int64_t deadline = real_now() + TR_MS(30);
    cr_assert_eq(tri_blocking_close(&pool, deadline), 3);
    cr_assert_geq(real_now(), deadline, "too early");
    ck_pr_store_uint(&gate, 1);
    close_pool();
}

Test(blocking, a_deadline_that_has_passed_is_not_waited_for)
{
    static const int64_t deadlines[] = { 0, 1, -1, -TR_SECONDS(3) - 5, INT64_MIN };
    tri_blocking_open(&pool, 1);
    submit(0, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 1);
    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++)
        cr_assert_eq(tri_blocking_close(&pool, deadlines[i]), 1);
    ck_pr_store_uint(&gate, 1);
    cr_assert_eq(tri_blocking_close(&pool, TR_FOREVER), 0);
}

Test(blocking, idle_threads_end_when_it_closes)
{
    tri_blocking_open(&pool, 5);
    for (unsigned i = 0; i < 5; i++)
        submit(i, run_through_the_gate);
    wait_until(ck_pr_load_uint(&running) == 5);
    ck_pr_store_uint(&gate, 1);
    wait_until(look().idle == 5);
    close_pool();
    cr_assert_eq(pool.threads, 0);
}

/* ---- stress ------------------------------------------------------------------------------------------------------------- */

enum { SUBMITTERS = 3 };

static unsigned int submitted, ran, canceled_jobs, refused, enough;

static void count_and_free(struct tri_job *job, bool canceled)
{
    ck_pr_inc_uint(canceled ? &canceled_jobs : &ran);
    tri_memory_put(job);
}

static void *submit_all_the_time(void *arg)
{
    (void)arg;
    while (!ck_pr_load_uint(&enough)) {
        struct tri_job *job = tri_memory_get(sizeof *job);
        job->run = count_and_free;
        if (tri_blocking_submit(&pool, job) == 0) {
            ck_pr_inc_uint(&submitted);
        } else {
            ck_pr_inc_uint(&refused);
            tri_memory_put(job);
        }
        if (ck_pr_load_uint(&submitted) - ck_pr_load_uint(&ran) > 1000)
            sched_yield();
    }
    return NULL;
}

Test(blocking, jobs_from_many_threads_are_run_or_canceled_once_though_it_closes_meanwhile)
{
    pthread_t thread[SUBMITTERS];
    for (unsigned round = 0; round < 5; round++) {
        int64_t before = tri_memory_live();
        enough = submitted = ran = canceled_jobs = refused = 0;
        tri_blocking_open(&pool, 1 + round * 2);
        for (unsigned i = 0; i < SUBMITTERS; i++)
            thread[i] = start_thread(submit_all_the_time, NULL);
        wait_until(ck_pr_load_uint(&ran) > 2000);
        pthread_mutex_lock(&pool.lock);
        pool.closed = true; /* so that nobody is in the pool when it goes */
        pthread_mutex_unlock(&pool.lock);
        wait_until(ck_pr_load_uint(&refused) > 10);
        ck_pr_store_uint(&enough, 1);
        for (unsigned i = 0; i < SUBMITTERS; i++)
            join_thread(thread[i]);
        close_pool();
        cr_assert_eq(ran + canceled_jobs, submitted);
        cr_assert_eq(tri_memory_live(), before);
    }
}
