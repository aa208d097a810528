/*
 * What running systems make of the events of a console.
 *
 * There is none here that could be asked for them. But all that Windows does with one is to call CtrlRoutine on a new
 * thread of the process, and that can be done here, too.
 */
#include "tests/support.h"

#include "io/signals.h"

#include <windows.h>

static struct tally runs, stuck;

static int root_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    tally_add(&runs);
    return TR_CONTINUE;
}

static const tr_actor telling_root = { TR_SPEC, .name = "root", .start = root_start, .receive = quiet_receive };

static void busy_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    tally_add(&stuck);
    Sleep(INFINITE);
}

static const tr_actor busy_root = { TR_SPEC, .name = "root", .start = root_start, .receive = quiet_receive,
    .stop = busy_stop };

static HANDLE give(DWORD event)
{
    union {
        FARPROC found;
        LPTHREAD_START_ROUTINE routine;
    } ctrl = { .found = GetProcAddress(GetModuleHandleA("kernelbase.dll"), "CtrlRoutine") };
    cr_assert(ctrl.found);
    HANDLE thread = CreateThread(NULL, 0, ctrl.routine, (void *)(uintptr_t)event, 0, NULL);
    cr_assert_not_null(thread);
    return thread;
}

/* The handler has returned. */
static void await(HANDLE thread)
{
    cr_assert_eq(WaitForSingleObject(thread, SOON / TR_MS(1)), WAIT_OBJECT_0);
    CloseHandle(thread);
}

static void *run_system(void *arg)
{
    return (void *)(intptr_t)tr_run(arg);
}

static pthread_t start_system(const tr_options *options)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_system, (void *)(uintptr_t)options), 0);
    tally_take(&runs);
    return thread;
}

static intptr_t result_of(pthread_t thread)
{
    void *result;
    pthread_join(thread, &result);
    return (intptr_t)result;
}

Test(run_windows, the_first_event_asks_and_the_last_ones_wait_for_the_end, .timeout = 30)
{
    static const DWORD events[] = { CTRL_C_EVENT, CTRL_BREAK_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT };
    tally_init(&runs);
    int count = is_wine() ? 5 : 2; /* Windows ends the process after the others */
    for (int i = 0; i < 2 * count; i++) {
        pthread_t system = start_system(&(tr_options){ .actor = &telling_root, .workers = 2, .signals = true });
        HANDLE event = give(events[i % count]);
        cr_assert_eq(result_of(system), 0, "event %lu", events[i % count]);
        await(event);
    }
}

Test(run_windows, the_second_event_insists, .timeout = 30)
{
    tally_init(&runs);
    tally_init(&stuck);
    capture_log(TR_LOG_ERROR);
    pthread_t system = start_system(&(tr_options){ .actor = &busy_root, .workers = 2, .signals = true });
    await(give(CTRL_BREAK_EVENT));
    tally_take(&stuck);                        /* it was asked, and is stuck; there are 30 s left */
    Sleep(TRI_SIGNALS_SAME_NS / 1000000 + 50); /* what comes sooner is the same one */
    await(give(CTRL_C_EVENT));
    cr_assert_neq(result_of(system), 0);
}
