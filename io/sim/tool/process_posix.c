#include "io/sim/tool/process.h"

#include "mailbox/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The jobs' threads take no signals, and their children would not either. */
static int spawn(pid_t *pid, const char *const *argv, int output, posix_spawn_file_actions_t *actions,
    posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigemptyset(&none);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    error = error ? error : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
    error = error ? error : posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, output, 1);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, output, 2);
    return error ? error : posix_spawnp(pid, argv[0], actions, attributes, (char *const *)(uintptr_t)argv, environ);
}

int process_start(struct process *process, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC))
        return tri_error_from_errno(errno);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int error = spawn(&pid, argv, ends[1], &actions, &attributes);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return tri_error_from_errno(error);
    }
    *process = (struct process){ pid, ends[0] };
    return 0;
}

size_t process_read(struct process *process, char *bytes, size_t size)
{
    ssize_t got;
    do
        got = read((int)process->pipe, bytes, size);
    while (got < 0 && errno == EINTR);
    return got > 0 ? (size_t)got : 0;
}

void process_close(struct process *process)
{
    close((int)process->pipe);
}

void process_kill(struct process *process)
{
    kill((pid_t)process->process, SIGKILL);
}

void process_wait(struct process *process)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)process->process, &info, WEXITED | WNOWAIT) && errno == EINTR)
        ; /* its number is still its own, and it can be killed */
}

int process_end(struct process *process, char *how, size_t size)
{
    int status = 0;
    while (waitpid((pid_t)process->process, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        snprintf(how, size, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

bool process_terminal(void)
{
    return isatty(2);
}
