/* process_posix.h: see program.h. A process is started with pipes for its output. */
#ifndef TROUPE_TESTS_PROCESS_POSIX_H
#define TROUPE_TESTS_PROCESS_POSIX_H

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct stream {
    int fd;
};

struct process {
    pid_t pid;
    struct stream out, err;
};

static inline void process_start(struct process *p, const char *name, const char *arguments)
{
    char path[1024], copy[1024], *argv[32] = { path };
    int out[2], err[2], count = 1;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t taken; /* which a shell lets be ignored by what it starts in the background, the tests for instance */

    snprintf(path, sizeof path, "%s/%s", EXAMPLES, name);
    snprintf(copy, sizeof copy, "%s", arguments);
    for (char *rest, *word = strtok_r(copy, " ", &rest); word && count < 31; word = strtok_r(NULL, " ", &rest))
        argv[count++] = word;
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    sigemptyset(&taken);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGTERM);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &taken);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    cr_assert_eq(posix_spawn(&p->pid, path, &actions, &attributes, argv, environ), 0, "%s does not start", path);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    p->out.fd = out[0];
    p->err.fd = err[0];
}

/* What there is: its size, 0 at the end, -1 when nothing comes in time. */
static inline long stream_read(struct stream *from, char *text, size_t size, int ms)
{
    struct pollfd wait = { .fd = from->fd, .events = POLLIN };
    if (poll(&wait, 1, ms) <= 0)
        return -1;
    ssize_t got = read(from->fd, text, size);
    return got > 0 ? got : 0;
}

static inline void process_signal(struct process *p, int number)
{
    kill(p->pid, number);
}

/* The exit code. */
static inline int process_wait(struct process *p)
{
    int status;
    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    close(p->out.fd);
    close(p->err.fd);
    cr_assert(WIFEXITED(status), "ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return WEXITSTATUS(status);
}

static inline long process_peak_kb(const struct process *p)
{
    char path[64], line[256];
    long peak = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (file)
        fclose(file);
    return peak;
}

#endif
