/*
 * steal COMMAND…: runs a command on processors that are taken away now and then, and answers what it answers.
 *
 * Virtual machines do that to their guests when the host is busy: a thread stands still for a tenth of a second, wherever
 * it happens to be, while others go on. A test that holds only as long as nobody is late fails here, not on some day in
 * somebody's CI. Each processor has a thief, of real-time priority, which spins for 20 to 200 ms and sleeps for up to
 * 100 ms, by chance. It needs the right to that priority (root has it).
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void steal(int cpu, pid_t parent)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    if (sched_setaffinity(0, sizeof only, &only) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(1);
    srand((unsigned)(now_ms() + cpu));
    for (;;) {
        for (int64_t until = now_ms() + 20 + rand() % 180; now_ms() < until;)
            ;
        int64_t nap = rand() % 100;
        nanosleep(&(struct timespec){ 0, nap * 1000000 }, NULL);
    }
}

int main(int argc, char **argv)
{
    cpu_set_t cpus;
    pid_t me = getpid();
    if (argc < 2) {
        fprintf(stderr, "usage: %s COMMAND…\n", argv[0]);
        return 2;
    }
    pid_t command = fork();
    if (command == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (command < 0 || sched_getaffinity(0, sizeof cpus, &cpus) ||
        sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 50 })) {
        perror("steal");
        if (command > 0)
            kill(command, SIGTERM);
        return 1;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus) && fork() == 0)
            steal(cpu, me);
    int status;
    waitpid(command, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); /* the thieves end with their parent */
}
