/*
 * Events of the console. Where there is none they cannot be produced: the tests call what Windows would call, on a thread
 * of its own, as Windows does.
 */
#include "tests/support.h"

#include "io/signals_windows.h"

static struct tally runs, asked;
static uint32_t ended; /* the root has */
static bool stubborn;

static int root_start(tr_self *self, void *state, const void *arg)
{
    (void)self, (void)state, (void)arg;
    tally_add(&runs);
    return TR_CONTINUE;
}

static void root_stop(tr_self *self, void *state, int reason)
{
    (void)self, (void)state, (void)reason;
    tally_add(&asked);
    while (stubborn)
        Sleep(1000);
    Sleep(50);
    ck_pr_store_32(&ended, 1);
}

static const tr_actor root = { TR_SPEC, .name = "root", .start = root_start, .receive = quiet_receive, .stop = root_stop };

static void *run_it(void *result)
{
    *(int *)result = tr_run(&(tr_options){ .actor = &root, .workers = 2, .signals = true });
    return NULL;
}

static pthread_t start_it(int *result)
{
    pthread_t thread;
    tally_init(&runs);
    tally_init(&asked);
    ended = 0;
    cr_assert_eq(pthread_create(&thread, NULL, run_it, result), 0);
    tally_take(&runs);
    return thread;
}

Test(signals, the_first_event_asks)
{
    static const DWORD events[] = { CTRL_C_EVENT, CTRL_BREAK_EVENT };
    for (int i = 0; i < 2; i++) {
        int result = -1;
        pthread_t thread = start_it(&result);
        cr_assert(tri_console_event(events[i]));
        pthread_join(thread, NULL);
        cr_assert_eq(result, 0);
        cr_assert_eq(ck_pr_load_32(&ended), 1);
    }
    expect_nothing_left();
}

Test(signals, the_second_insists_and_the_third_is_left_to_windows)
{
    int result = 0;
    capture_log(TR_LOG_ERROR);
    stubborn = true;
    pthread_t thread = start_it(&result);
    cr_assert(tri_console_event(CTRL_C_EVENT));
    tally_take(&asked);
    cr_assert(tri_console_event(CTRL_C_EVENT));
    cr_assert_not(tri_console_event(CTRL_C_EVENT));
    pthread_join(thread, NULL);
    cr_assert_eq(result, TR_ETIMEDOUT);
}

/* When it returns the process is gone. */
Test(signals, the_end_of_the_console_waits_for_the_end_of_the_system)
{
    static const DWORD events[] = { CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT };
    for (int i = 0; i < 3; i++) {
        int result = -1;
        pthread_t thread = start_it(&result);
        cr_assert(tri_console_event(events[i]));
        cr_assert_eq(ck_pr_load_32(&ended), 1);
        pthread_join(thread, NULL);
        cr_assert_eq(result, 0);
    }
    cr_assert_not(tri_console_event(CTRL_C_EVENT)); /* nobody watches */
    expect_nothing_left();
}
