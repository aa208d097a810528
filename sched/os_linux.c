#include "sched/os.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

void tri_os_block_signals(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV); /* faults of the thread itself */
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGTRAP);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGSYS);
    sigdelset(&all, SIGPROF);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

void tri_os_restore_signals(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}
