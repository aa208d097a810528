/* Reports of crashes, among others that take signals. */
#include "tests/support.h"

#include <setjmp.h>
#include <sys/mman.h>

static char report[4096];

static void say(const char *text)
{
    ssize_t done = write(STDERR_FILENO, text, strlen(text));
    (void)done;
}

/* A page of a file that has none. */
static int touch_the_end_of_a_file(void)
{
    FILE *file = tmpfile();
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    return *page;
}

static int (*fault)(void);

static int faulty_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    return fault() ? TR_STOP : TR_STOP;
}

static const tr_actor faulty_actor = { TR_SPEC, .name = "faulty", .start = faulty_start, .receive = quiet_receive };

static void run(void)
{
    tr_run(&(tr_options){ .actor = &faulty_actor, .workers = 1 });
}

static void expect_said(const char *text)
{
    cr_assert_not_null(strstr(report, text), "\"%s\" is not in:\n%s", text, report);
}

Test(crash_linux, an_error_of_the_bus_is_one_too)
{
    fault = touch_the_end_of_a_file;
    cr_assert_eq(death_of(run, report, sizeof report), SIGBUS, "%s", report);
    expect_said("troupe: SIGBUS at address 0x");
    expect_said("in actor faulty");
}

/* ---- whoever took the fault before still does ----------------------------------------------------------------------- */

static int touch_nothing(void)
{
    volatile uintptr_t nowhere = 8; /* which the compiler does not know */
    return *(volatile int *)nowhere;
}

static void took_before(int number, siginfo_t *info, void *context)
{
    (void)context;
    say(number == SIGSEGV && info->si_addr == (void *)8 ? "taken before\n" : "taken wrongly\n");
    _exit(0);
}

static void run_among_others(void)
{
    struct sigaction action = { .sa_sigaction = took_before, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    run();
}

Test(crash_linux, who_took_the_fault_before_takes_it_after_the_report)
{
    fault = touch_nothing;
    cr_assert_eq(death_of(run_among_others, report, sizeof report), 0);
    expect_said("troupe: SIGSEGV at address 0x8 on worker 0\n");
    expect_said("taken before\n");
}

static _Thread_local sigjmp_buf home;

static void go_home(int number)
{
    siglongjmp(home, number);
}

static int fail_twice(void)
{
    for (volatile int i = 0; i < 2; i++)
        if (sigsetjmp(home, 1) == 0)
            touch_nothing();
    say("still here\n");
    return 1;
}

static void run_with_one_who_recovers(void)
{
    signal(SIGSEGV, go_home);
    run();
    if (signal(SIGSEGV, SIG_DFL) != go_home)
        say("not put back\n");
}

Test(crash_linux, one_who_took_it_before_may_recover_and_each_fault_is_reported)
{
    fault = fail_twice;
    cr_assert_eq(death_of(run_with_one_who_recovers, report, sizeof report), 0);
    const char *first = strstr(report, "SIGSEGV at address 0x8");
    cr_assert_not_null(first, "%s", report);
    cr_assert_not_null(strstr(first + 1, "SIGSEGV at address 0x8"), "%s", report);
    expect_said("still here\n");
    cr_assert_null(strstr(report, "not put back"));
}

/* ---- elsewhere ------------------------------------------------------------------------------------------------------ */

static void fail_beside_a_system(void)
{
    open_system(1);
    touch_nothing();
}

Test(crash_linux, a_fault_of_another_thread_is_none_of_an_actors)
{
    cr_assert_eq(death_of(fail_beside_a_system, report, sizeof report), SIGSEGV);
    expect_said("troupe: SIGSEGV at address 0x8 on a thread that is no worker\n");
    cr_assert_null(strstr(report, "in actor"), "%s", report);
}

static void fail_after_a_system(void)
{
    open_system(1);
    close_system();
    touch_nothing();
}

Test(crash_linux, without_a_system_nothing_is_reported)
{
    cr_assert_eq(death_of(fail_after_a_system, report, sizeof report), SIGSEGV);
    cr_assert_str_eq(report, "");
}

static void signaled_from_outside(void)
{
    open_system(1);
    kill(getpid(), SIGSEGV);
    wait_for_the_end();
}

Test(crash_linux, a_signal_that_somebody_sends_ends_the_process_too)
{
    cr_assert_eq(death_of(signaled_from_outside, report, sizeof report), SIGSEGV);
    expect_said("troupe: SIGSEGV on ");
}
