/* For ThreadSanitizer builds on Linux: a time limit counts ten times, for the sanitizer is slow. */
#include "tests/criterion/runner.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USUAL_SECONDS = 300, TIMES_SLOWER = 10 }; /* more than patience.h has */

void ct_open(void)
{
    ct_record = mmap(NULL, sizeof *ct_record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ct_record == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
}

bool ct_own_option(const char *option)
{
    (void)option;
    return false;
}

int ct_wanted(void)
{
    return -1;
}

_Noreturn void ct_leave(int code)
{
    _exit(code);
}

/* This process has no other thread, so it may fork. */
struct ct_end ct_run_elsewhere(const struct ct_test *test, unsigned number, double seconds)
{
    struct ct_end end = { 0 };
    int status;
    pid_t child = fork();
    (void)number;
    if (child == 0) {
        alarm(seconds > 0 ? (unsigned)(seconds * TIMES_SLOWER) + 1 : getenv("TROUPE_NIGHT") ? 0 : USUAL_SECONDS);
        ct_run_here(test);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork");
        exit(1);
    }
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end.code = WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0;
    end.late = end.signal == SIGALRM;
    if (end.signal)
        snprintf(end.text, sizeof end.text, "signal %d%s", end.signal, end.late ? ", timed out" : "");
    else
        snprintf(end.text, sizeof end.text, "exit code %u", end.code);
    return end;
}
