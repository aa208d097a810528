#include "sched/os.h"

#include "mailbox/error.h"
#include "mailbox/panic.h"

#include <ck_pr.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- cores ------------------------------------------------------------------------------------------------------- */

static unsigned affinity(cpu_set_t *set)
{
    if (sched_getaffinity(0, sizeof *set, set) == 0 && CPU_COUNT(set) > 0)
        return (unsigned)CPU_COUNT(set);
    CPU_ZERO(set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than a cpu_set_t holds, or no such call */
    return online > 0 ? (unsigned)online : 1;
}

/* Reads two numbers from a file of a control group; "max" counts as 0. */
static bool read_pair(const char *path, long long *first, long long *second)
{
    char text[64] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    if (strncmp(text, "max", 3) == 0) {
        *first = 0;
        return sscanf(text + 3, "%lld", second) >= 0;
    }
    return sscanf(text, "%lld %lld", first, second) >= 1;
}

/* The cores' worth of time that a quota allows, rounded up; 0 when there is none. */
static unsigned quota_of(long long quota, long long period)
{
    return quota > 0 && period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

/* cgroup v2: cpu.max of the process's group and of all above it. */
static unsigned quota_v2(void)
{
    char line[512], path[640];
    unsigned least = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        char *group = line + 3;
        group[strcspn(group, "\n")] = 0;
        for (;;) {
            long long quota = 0, period = 0;
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", strcmp(group, "/") ? group : "");
            unsigned here = read_pair(path, &quota, &period) ? quota_of(quota, period) : 0;
            if (here && (!least || here < least))
                least = here;
            char *slash = strrchr(group, '/');
            if (!slash)
                break;
            *slash = 0;
        }
    }
    fclose(file);
    return least;
}

static unsigned quota_v1(void)
{
    long long quota = 0, period = 0, unused;
    if (!read_pair("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &unused) ||
        !read_pair("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &unused))
        return 0;
    return quota_of(quota, period);
}

unsigned tri_os_cores(void)
{
    cpu_set_t set;
    unsigned cores = affinity(&set), quota = quota_v2();
    if (!quota)
        quota = quota_v1();
    return quota && quota < cores ? quota : cores;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

void tri_os_name_thread(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

void tri_os_worker_thread(unsigned index, bool pin)
{
    char name[16];
    cpu_set_t all, one;

    snprintf(name, sizeof name, "troupe-%u", index);
    tri_os_name_thread(name);
    if (!pin || affinity(&all) == 0 || CPU_COUNT(&all) == 0)
        return;
    int wanted = (int)(index % (unsigned)CPU_COUNT(&all));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all) || wanted-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

int tri_os_start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t most, old;
    sigfillset(&most);
    sigdelset(&most, SIGSEGV); /* faults of the thread itself */
    sigdelset(&most, SIGBUS);
    sigdelset(&most, SIGFPE);
    sigdelset(&most, SIGILL);
    sigdelset(&most, SIGTRAP);
    sigdelset(&most, SIGABRT);
    sigdelset(&most, SIGSYS);
    sigdelset(&most, SIGPROF);
    pthread_sigmask(SIG_SETMASK, &most, &old); /* it inherits them */
    int error = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error ? tri_error_from_errno(error) : 0;
}

/* Old kernels and some filters have no membarrier. Once registered, a process stays so. */
bool tri_os_barrier_open(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void tri_os_barrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
        tri_panic("membarrier: %s", strerror(errno));
}

/* ---- time and randomness ----------------------------------------------------------------------------------------- */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tri_os_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tri_os_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t tri_os_thread_time(pthread_t thread)
{
    clockid_t id;
    return pthread_getcpuclockid(thread, &id) ? 0 : read_clock(id);
}

bool tri_os_random(void *bytes, size_t size)
{
    return getrandom(bytes, size, 0) == (ssize_t)size;
}

/* ---- conditions -------------------------------------------------------------------------------------------------- */

void tri_condition_init(struct tri_condition *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition->posix, &attributes);
    pthread_condattr_destroy(&attributes);
}

void tri_condition_destroy(struct tri_condition *condition)
{
    pthread_cond_destroy(&condition->posix);
}

void tri_condition_signal(struct tri_condition *condition)
{
    pthread_cond_signal(&condition->posix);
}

void tri_condition_broadcast(struct tri_condition *condition)
{
    pthread_cond_broadcast(&condition->posix);
}

void tri_condition_wait(struct tri_condition *condition, pthread_mutex_t *lock)
{
    pthread_cond_wait(&condition->posix, lock);
}

bool tri_condition_wait_until(struct tri_condition *condition, pthread_mutex_t *lock, int64_t deadline)
{
    if (deadline < 0) /* long past; a negative tv_nsec would be an error, not a time-out */
        deadline = 0;
    struct timespec until = { deadline / 1000000000, deadline % 1000000000 };
    return pthread_cond_timedwait(&condition->posix, lock, &until) != ETIMEDOUT;
}

/* ---- bells ------------------------------------------------------------------------------------------------------- */

void tri_bell_ring(struct tri_bell *bell)
{
    int error = errno;     /* it may be a signal handler's */
    ck_pr_fence_release(); /* what has changed before it; pairs with tri_bell_heard() */
    ck_pr_inc_32(&bell->rings);
    syscall(SYS_futex, &bell->rings, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = error;
}

uint32_t tri_bell_heard(const struct tri_bell *bell)
{
    uint32_t heard = ck_pr_load_32(&bell->rings);
    ck_pr_fence_acquire();
    return heard;
}

bool tri_bell_wait(struct tri_bell *bell, uint32_t heard, int64_t deadline)
{
    if (deadline < 0)
        deadline = 0;
    struct timespec until = { deadline / 1000000000, deadline % 1000000000 };
    long result = syscall(SYS_futex, &bell->rings, FUTEX_WAIT_BITSET_PRIVATE, heard, &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || errno != ETIMEDOUT;
}
