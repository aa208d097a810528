/*
 * A stand-in for Criterion where Criterion does not run.
 *
 * Criterion 2.4.1 does not start under ThreadSanitizer: BoxFort, its sandbox, maps memory at a fixed random address in
 * what is the sanitizer's shadow (Criterion issue 274, open since 2018). And it does not start its tests under Wine. This
 * header and the runner beside it run the same test sources: one process per test, time limits, expected signals and exit
 * codes, Criterion's closing line. Its folder comes first in the include path; what it lacks does not compile:
 * parameterized tests, theories, TestSuite, <criterion/new/assert.h>, redirection, hooks, other assertions.
 *
 * Differences from Criterion: the tests of a program run one after the other, in the order of the source (--jobs is
 * accepted); each has a line of its own; an assertion that fails in .fini fails the test (in Criterion it does not); a run
 * in which no test was selected fails; patterns know * and ? only.
 *
 * Under ThreadSanitizer halt_on_error=1 is needed by tests with .signal: without it, a test that has a race and then dies
 * of the signal it expects would pass. For the same reason leave abort_on_error off. A test that expects SIGSEGV, SIGBUS,
 * SIGFPE or SIGILL also needs handle_segv=0, handle_sigbus=0, handle_sigfpe=0 or handle_sigill=0: the sanitizer turns
 * these signals into exits.
 */
#ifndef CRITERION_STAND_IN_H
#define CRITERION_STAND_IN_H
#pragma GCC system_header /* as the header it stands for */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tests ---- */

/* A test's options, Criterion's names: Test(suite, name, .timeout = 2) */
struct ct_options {
    int sentinel_; /* lets the macros end in an initialiser of their own */
    void (*init)(void);
    void (*fini)(void);
    int signal;
    int exit_code;
    bool disabled;
    const char *description;
    double timeout; /* seconds */
};

struct ct_test {
    const char *suite, *name, *file;
    int line;
    void (*run)(void);
    struct ct_options options;
    struct ct_test *next;
};

void ct_register(struct ct_test *test);

#define Test(...) CT_TEST(__VA_ARGS__, .sentinel_ = 0)
#define CT_TEST(SUITE, NAME, ...) \
    static void SUITE##_##NAME##_impl(void); \
    __attribute__((constructor)) static void SUITE##_##NAME##_register(void) \
    { \
        static struct ct_test test = { \
            .suite = #SUITE, \
            .name = #NAME, \
            .file = __FILE__, \
            .line = __LINE__, \
            .run = SUITE##_##NAME##_impl, \
            .options = { __VA_ARGS__ }, \
        }; \
        ct_register(&test); \
    } \
    static void SUITE##_##NAME##_impl(void)

/* ---- assertions; each takes an optional format and its arguments at the end ---- */

void ct_fail(bool fatal, const char *file, int line, const char *condition, const char *format, ...);
_Noreturn void ct_skip(const char *format, ...);

#define CT_CHECK(FATAL, CONDITION, TEXT, ...) \
    do { \
        if (!(CONDITION)) \
            ct_fail(FATAL, __FILE__, __LINE__, TEXT, __VA_ARGS__); \
    } while (0)
#define CT_IS(FATAL, C, ...)                 CT_CHECK(FATAL, C, #C, __VA_ARGS__)
#define CT_NOT(FATAL, C, ...)                CT_CHECK(FATAL, !(C), "not " #C, __VA_ARGS__)
#define CT_COMPARE(FATAL, OP, A, B, ...)     CT_CHECK(FATAL, (A)OP(B), #A " " #OP " " #B, __VA_ARGS__)
#define CT_NULL(FATAL, OP, A, ...)           CT_CHECK(FATAL, (A)OP NULL, #A " " #OP " NULL", __VA_ARGS__)
#define CT_STRINGS(FATAL, OP, A, B, ...)     CT_CHECK(FATAL, strcmp((A), (B)) OP 0, #A " " #OP " " #B, __VA_ARGS__)
#define CT_BYTES(FATAL, OP, A, B, SIZE, ...) CT_CHECK(FATAL, memcmp((A), (B), (SIZE)) OP 0, #A " " #OP " " #B, __VA_ARGS__)

#define cr_assert(...)          CT_IS(true, __VA_ARGS__, "")
#define cr_assert_fail(...)     ct_fail(true, __FILE__, __LINE__, "", "" __VA_ARGS__)
#define cr_assert_not(...)      CT_NOT(true, __VA_ARGS__, "")
#define cr_assert_eq(...)       CT_COMPARE(true, ==, __VA_ARGS__, "")
#define cr_assert_neq(...)      CT_COMPARE(true, !=, __VA_ARGS__, "")
#define cr_assert_lt(...)       CT_COMPARE(true, <, __VA_ARGS__, "")
#define cr_assert_leq(...)      CT_COMPARE(true, <=, __VA_ARGS__, "")
#define cr_assert_gt(...)       CT_COMPARE(true, >, __VA_ARGS__, "")
#define cr_assert_geq(...)      CT_COMPARE(true, >=, __VA_ARGS__, "")
#define cr_assert_null(...)     CT_NULL(true, ==, __VA_ARGS__, "")
#define cr_assert_not_null(...) CT_NULL(true, !=, __VA_ARGS__, "")
#define cr_assert_str_eq(...)   CT_STRINGS(true, ==, __VA_ARGS__, "")
#define cr_assert_str_neq(...)  CT_STRINGS(true, !=, __VA_ARGS__, "")
#define cr_assert_arr_eq(...)   CT_BYTES(true, ==, __VA_ARGS__, "")
#define cr_assert_arr_neq(...)  CT_BYTES(true, !=, __VA_ARGS__, "")

#define cr_expect(...)          CT_IS(false, __VA_ARGS__, "")
#define cr_expect_fail(...)     ct_fail(false, __FILE__, __LINE__, "", "" __VA_ARGS__)
#define cr_expect_not(...)      CT_NOT(false, __VA_ARGS__, "")
#define cr_expect_eq(...)       CT_COMPARE(false, ==, __VA_ARGS__, "")
#define cr_expect_neq(...)      CT_COMPARE(false, !=, __VA_ARGS__, "")
#define cr_expect_lt(...)       CT_COMPARE(false, <, __VA_ARGS__, "")
#define cr_expect_leq(...)      CT_COMPARE(false, <=, __VA_ARGS__, "")
#define cr_expect_gt(...)       CT_COMPARE(false, >, __VA_ARGS__, "")
#define cr_expect_geq(...)      CT_COMPARE(false, >=, __VA_ARGS__, "")
#define cr_expect_null(...)     CT_NULL(false, ==, __VA_ARGS__, "")
#define cr_expect_not_null(...) CT_NULL(false, !=, __VA_ARGS__, "")
#define cr_expect_str_eq(...)   CT_STRINGS(false, ==, __VA_ARGS__, "")
#define cr_expect_str_neq(...)  CT_STRINGS(false, !=, __VA_ARGS__, "")
#define cr_expect_arr_eq(...)   CT_BYTES(false, ==, __VA_ARGS__, "")
#define cr_expect_arr_neq(...)  CT_BYTES(false, !=, __VA_ARGS__, "")

#define cr_skip_test(...) ct_skip("" __VA_ARGS__)
#define cr_log_info(...)  (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))

#endif
