/* What is called at a fork, how often, and in which order. */
#include "mailbox/fork.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[40];

static void note(const char *who, enum tri_fork when)
{
    strcat(strcat(said, who), when == TRI_FORK_BEFORE ? "b " : when == TRI_FORK_PARENT ? "p " : "c ");
}

static void first(enum tri_fork when)
{
    note("1", when);
}

static void second(enum tri_fork when)
{
    note("2", when);
}

Test(fork, each_hook_is_called_once_also_if_it_was_given_twice)
{
    tri_at_fork(first);
    tri_at_fork(second);
    tri_at_fork(first);
    unsigned forks = tri_forks;
    pid_t child = fork();
    if (child == 0)
        _exit(strcmp(said, "2b 1b 1c 2c ") != 0 || tri_forks != forks + 1);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_str_eq(said, "2b 1b 1p 2p ");
    cr_assert_eq(tri_forks, forks);
}
