/* os_linux.h: see os.h. */
#ifndef TROUPE_TESTS_OS_LINUX_H
#define TROUPE_TESTS_OS_LINUX_H

#include "tests/patience.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline bool is_wine(void)
{
    return false;
}

static inline void set_environment(const char *name, const char *value)
{
    cr_assert_eq(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static inline void never_dump_core(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static FILE *captured_stderr;

static inline void capture_stderr(void)
{
    captured_stderr = tmpfile();
    cr_assert_not_null(captured_stderr);
    cr_assert_geq(dup2(fileno(captured_stderr), STDERR_FILENO), 0);
}

static inline void read_captured(char *text, size_t size)
{
    fflush(stderr);
    ssize_t got = pread(fileno(captured_stderr), text, size - 1, 0);
    text[got > 0 ? got : 0] = 0;
}

static inline int death_of(void (*function)(void), char *report, size_t size)
{
    size_t used = 0;
    ssize_t got;
    int ends[2], status = 0;

    cr_assert_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        never_dump_core();
        dup2(ends[1], STDERR_FILENO);
        alarm((unsigned)patience_s());
        function();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], report + used, size - 1 - used)) > 0)
        used += (size_t)got;
    report[used] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static inline void wait_for_the_end(void)
{
    for (;;)
        pause();
}

static inline void sleep_for(int64_t ns)
{
    nanosleep(&(struct timespec){ ns / 1000000000, ns % 1000000000 }, NULL);
}

#endif
