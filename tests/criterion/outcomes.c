/*
 * A test of the stand-in itself: in suite `passes` every test must be reported as passed, in `fails` as failed, and so on.
 * check_outcomes.cmake runs it and looks.
 */
#include "tests/criterion/runner.h"

#include "mailbox/compiler.h"
#include "tests/os.h"

#include <pthread.h>
#include <signal.h>

static volatile int zero;

static TRI_COLD int deeper(volatile char *above)
{
    volatile char here[4096];
    here[0] = above ? above[0] : 1;
    return zero ? 0 : deeper(here) + here[0];
}

static void *overflow(void *arg)
{
    (void)arg;
    zero = deeper(NULL);
    return NULL;
}

static void on_a_thread(void *(*run)(void *arg))
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run, NULL), 0);
    pthread_join(thread, NULL);
}

static void set_zero(void)
{
    zero = 5;
}

static void expect_five(void)
{
    cr_expect_eq(zero, 5);
}

static void *fail(void *arg)
{
    (void)arg;
    cr_assert_fail("on another thread");
    return NULL;
}

static void say_and_abort(void)
{
    fputs("last words\n", stderr);
    abort();
}

static void touch_nowhere(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void live(void)
{
}

static void expect_death(void (*function)(void), int number, const char *words)
{
    char report[1000];
    int died_of = death_of(function, report, sizeof report);
    if (died_of < 0)
        return;
    cr_assert_eq(died_of, number, "of %d", died_of);
    cr_assert_not_null(strstr(report, words), "%s", report);
}

Test(passes, what_does_nothing)
{
}

Test(passes, what_holds, .init = set_zero, .fini = expect_five)
{
    cr_assert_eq(zero, 5, "%d", zero);
    cr_assert_str_eq("a", "a");
    cr_assert_arr_eq("abc", "abd", 2);
    cr_expect(true);
}

Test(passes, an_abort_that_is_expected, .signal = SIGABRT)
{
    abort();
}

Test(passes, an_exit_code_that_is_expected, .exit_code = 7)
{
    exit(7);
}

Test(passes, deaths_that_are_looked_for)
{
    expect_death(say_and_abort, SIGABRT, "last words");
    expect_death(live, 0, "");
    expect_death(touch_nowhere, SIGSEGV, "");
    expect_death(say_and_abort, SIGABRT, "last words");
}

Test(fails, a_death_that_does_not_come)
{
    expect_death(say_and_abort, SIGABRT, "last words");
    expect_death(live, SIGABRT, "");
}

Test(fails, a_death_without_the_words)
{
    expect_death(say_and_abort, SIGABRT, "first words");
}

Test(fails, an_assertion)
{
    cr_assert_eq(1, 2, "of %s", "numbers");
}

Test(fails, an_assertion_on_another_thread)
{
    on_a_thread(fail);
}

Test(fails, an_expectation_though_the_rest_is_good)
{
    cr_expect_eq(1, 2);
}

Test(fails, an_expectation_before_an_abort_that_is_expected, .signal = SIGABRT)
{
    cr_expect_eq(1, 2);
    abort();
}

Test(fails, an_assertion_in_fini, .fini = expect_five)
{
}

Test(fails, an_abort_that_does_not_come, .signal = SIGABRT)
{
}

Test(fails, an_exit_code_that_does_not_come, .exit_code = 7)
{
}

Test(fails, another_exit_code)
{
    exit(7);
}

Test(fails, what_takes_too_long, .timeout = 0.3)
{
    while (!zero) {
    }
}

Test(crashes, an_abort)
{
    abort();
}

Test(crashes, an_access_to_nowhere)
{
    touch_nowhere();
}

Test(crashes, an_access_to_nowhere_where_an_abort_was_expected, .signal = SIGABRT)
{
    touch_nowhere();
}

Test(crashes, an_exit_as_if_nothing_were_wrong)
{
    exit(0);
}

Test(crashes, a_stack_that_overflows)
{
    overflow(NULL);
}

Test(crashes, a_stack_that_overflows_on_another_thread)
{
    on_a_thread(overflow);
}

Test(skips, what_cannot_be_done_here)
{
    cr_skip_test("for a reason");
    cr_assert_fail();
}

Test(skips, what_is_disabled, .disabled = true)
{
    cr_assert_fail();
}
