#include "tests/criterion/runner.h"

#include <stdarg.h>

enum { TESTS_MAX = 1000, CODE_FAILED = 1, CODE_SKIPPED = 77, CODE_USAGE = 2 };
enum outcome { PASS, FAIL, CRASH, SKIP, OUTCOMES };

static struct ct_test *tests[TESTS_MAX];
static unsigned test_count;
struct ct_record *ct_record;

void ct_register(struct ct_test *test)
{
    if (test_count == TESTS_MAX)
        abort();
    tests[test_count++] = test;
}

/* Constructors may run in any order. */
static int compare(const void *a_, const void *b_)
{
    const struct ct_test *a = *(struct ct_test *const *)a_, *b = *(struct ct_test *const *)b_;
    int files = strcmp(a->file, b->file);
    return files ? files : (a->line > b->line) - (a->line < b->line);
}

/* ---- in a test's process ----------------------------------------------------------------------------------------- */

void ct_fail(bool fatal, const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    char text[4096];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%d: assertion failed: %s%s%s\n", file, line, condition, *condition && *text ? ": " : "", text);
    __atomic_store_n(&ct_record->failed, 1, __ATOMIC_RELAXED);
    if (fatal)
        ct_leave(CODE_FAILED);
}

_Noreturn void ct_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    ct_record->progress = CT_SKIPPED;
    ct_leave(CODE_SKIPPED);
}

_Noreturn void ct_run_here(const struct ct_test *test)
{
    if (test->options.init)
        test->options.init();
    test->run();
    if (test->options.fini)
        test->options.fini();
    ct_record->progress = CT_FINISHED;
    exit(0); /* a sanitizer makes it another code when it has reported anything */
}

/* ---- in the runner ----------------------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *text)
{
    for (; *pattern && *pattern != '*'; pattern++, text++)
        if (!*text || (*pattern != '?' && *pattern != *text))
            return false;
    if (!*pattern)
        return !*text;
    for (;; text++) {
        if (matches(pattern + 1, text))
            return true;
        if (!*text)
            return false;
    }
}

static enum outcome judge(const struct ct_options *options, const struct ct_end *end)
{
    bool as_expected = end->signal == options->signal && end->code == (unsigned)options->exit_code;
    if (ct_record->failed || end->late)
        return FAIL;
    if (ct_record->progress == CT_SKIPPED)
        return SKIP;
    if (as_expected && (ct_record->progress == CT_FINISHED || options->signal || options->exit_code))
        return PASS;
    return end->signal || (ct_record->progress == CT_BEGUN && end->code == 0) ? CRASH : FAIL;
}

static enum outcome run(const struct ct_test *test, unsigned number, double limit)
{
    static const char *const labels[OUTCOMES] = { "PASS", "FAIL", "CRASH", "SKIP" };
    double seconds = test->options.timeout > 0 ? test->options.timeout : limit;
    *ct_record = (struct ct_record){ 0 };
    fflush(NULL);
    struct ct_end end = ct_run_elsewhere(test, number, seconds);
    enum outcome outcome = judge(&test->options, &end);
    fprintf(stderr, "[%s] %s::%s (%s%s)\n", labels[outcome], test->suite, test->name, end.text,
        outcome == CRASH && !end.signal ? ", but the test has not come to its end" : "");
    return outcome;
}

int main(int argc, char **argv)
{
    const char *filter = "*";
    unsigned count[OUTCOMES] = { 0 };
    double limit = 0;
    bool list = false;

    ct_open();
    qsort(tests, test_count, sizeof tests[0], compare);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--filter=", 9) == 0 && !strpbrk(argv[i] + 9, "[]{}()!|")) {
            filter = argv[i] + 9;
        } else if (strncmp(argv[i], "--timeout=", 10) == 0) {
            limit = strtod(argv[i] + 10, NULL);
        } else if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (strncmp(argv[i], "--jobs=", 7) != 0 && !ct_own_option(argv[i])) {
            fprintf(stderr, "%s: what is %s?\n", argv[0], argv[i]);
            return CODE_USAGE;
        }
    }
    if (ct_wanted() >= 0 && (unsigned)ct_wanted() < test_count)
        ct_run_here(tests[ct_wanted()]);
    for (unsigned i = 0; i < test_count; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", tests[i]->suite, tests[i]->name);
        if (!matches(filter, path))
            continue;
        if (list)
            printf("%s\n", path);
        else if (tests[i]->options.disabled)
            fprintf(stderr, "[SKIP] %s::%s (disabled)\n", tests[i]->suite, tests[i]->name);
        else
            count[run(tests[i], i, limit)]++;
    }
    if (list)
        return 0;
    unsigned failing = count[FAIL] + count[CRASH];
    if (count[SKIP])
        fprintf(stderr, "[----] Skipped: %u\n", count[SKIP]);
    fprintf(stderr, "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n", count[PASS] + failing,
        count[PASS], failing, count[CRASH]);
    return failing > 0 || count[PASS] + count[SKIP] == 0;
}
