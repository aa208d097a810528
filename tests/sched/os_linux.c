/*
 * Cores, threads and signals on Linux.
 *
 * The quota of a control group is shown to the code under test by mounts over /sys/fs/cgroup and /proc/self/cgroup in a
 * mount namespace of the test's own. Where that is not allowed (not root, or a container that forbids it) these tests are
 * skipped.
 */
#include "sched/os.h"

#include "sched/blocking.h"
#include "tests/sched/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- affinity --------------------------------------------------------------------------------------------------------- */

static unsigned cores_allowed(cpu_set_t *set)
{
    cr_assert_eq(sched_getaffinity(0, sizeof *set, set), 0);
    return (unsigned)CPU_COUNT(set);
}

/* Takes all cores away from the process but the first `count` of those it has. */
static void keep_cores(unsigned count)
{
    cpu_set_t all, few;
    cores_allowed(&all);
    CPU_ZERO(&few);
    for (int cpu = 0; cpu < CPU_SETSIZE && count > 0; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &few);
            count--;
        }
    cr_assert_eq(sched_setaffinity(0, sizeof few, &few), 0);
}

Test(os, there_is_at_least_one_core_and_no_more_than_the_affinity_allows)
{
    cpu_set_t set;
    cr_assert_geq(tri_os_cores(), 1);
    cr_assert_leq(tri_os_cores(), cores_allowed(&set));
}

Test(os, the_cores_are_cut_by_the_affinity)
{
    cpu_set_t set;
    for (unsigned count = cores_allowed(&set); count >= 1; count--) {
        keep_cores(count);
        cr_assert_leq(tri_os_cores(), count);
    }
    cr_assert_eq(tri_os_cores(), 1);
}

static cpu_set_t cores_of[8];

static void note_cores(struct tri_worker *worker, struct player *player)
{
    (void)player;
    cr_assert_eq(sched_getaffinity(0, sizeof cores_of[0], &cores_of[worker->index]), 0);
}

static void play_on_each(unsigned workers, bool pin)
{
    static struct player player;
    struct tri_sched_config config = cast_config(workers);
    config.pin = pin;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    for (unsigned i = 0; i < workers; i++) {
        cast_player(&player, i, note_cores);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
    }
    close_sched();
}

Test(os, pinned_workers_have_a_core_each_in_turn)
{
    cpu_set_t all;
    unsigned cores = cores_allowed(&all);
    play_on_each(5, true);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(CPU_COUNT(&cores_of[i]), 1);
        unsigned wanted = i % cores;
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &all) && wanted-- == 0)
                cr_assert(CPU_ISSET(cpu, &cores_of[i]), "worker %u is not on core %d", i, cpu);
    }
}

Test(os, workers_that_are_not_pinned_may_use_all_cores)
{
    cpu_set_t all;
    cores_allowed(&all);
    play_on_each(3, false);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(CPU_EQUAL(&cores_of[i], &all));
}

/* ---- threads ------------------------------------------------------------------------------------------------------------ */

static sigset_t blocked_in_turn;
static char name_in_turn[16];

static void note_thread(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    (void)player;
    cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &blocked_in_turn), 0);
    cr_assert_eq(pthread_getname_np(pthread_self(), name_in_turn, sizeof name_in_turn), 0);
}

Test(os, workers_have_names_and_take_no_signals_but_their_own_faults)
{
    static const int blocked[] = { SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM };
    static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
    static struct player player;
    sigset_t mine;
    open_sched(3);
    for (unsigned i = 0; i < 3; i++) {
        char expected[16];
        cast_player(&player, i, note_thread);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
        snprintf(expected, sizeof expected, "troupe-%u", i);
        cr_assert_str_eq(name_in_turn, expected);
        for (size_t j = 0; j < sizeof blocked / sizeof blocked[0]; j++)
            cr_assert(sigismember(&blocked_in_turn, blocked[j]), "signal %d", blocked[j]);
        for (size_t j = 0; j < sizeof open / sizeof open[0]; j++)
            cr_assert_not(sigismember(&blocked_in_turn, open[j]), "signal %d", open[j]);
    }
    close_sched();
    cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &mine), 0);
    cr_assert_not(sigismember(&mine, SIGTERM), "the program's own threads take signals as before");
}

static void *note_signals(void *set)
{
    pthread_sigmask(SIG_BLOCK, NULL, set);
    return NULL;
}

Test(os, the_signals_of_the_thread_that_begins_another_are_put_back)
{
    sigset_t wanted, its, now;
    pthread_t thread;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &wanted, NULL);
    cr_assert_eq(tri_os_start_thread(&thread, note_signals, &its), 0);
    join_thread(thread);
    cr_assert(sigismember(&its, SIGTERM));
    cr_assert_not(sigismember(&its, SIGSEGV));
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    cr_assert(sigismember(&now, SIGUSR2));
    cr_assert_not(sigismember(&now, SIGTERM));
}

/* ---- when there are no more threads --------------------------------------------------------------------------------- */

/* Lets new threads ask for a stack that no address space holds, or for an ordinary one again. */
static void let_threads_fail(bool fail)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    cr_assert_eq(pthread_attr_setstacksize(&attributes, fail ? (size_t)1 << 50 : (size_t)1 << 20), 0);
    cr_assert_eq(pthread_setattr_default_np(&attributes), 0);
    pthread_attr_destroy(&attributes);
}

static int open_and_forbid_threads(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    let_threads_fail(true);
    return tri_sleeper_open(worker, arg, port);
}

static struct player player_after;

static int64_t memory_of_a_system(unsigned workers)
{
    open_sched(workers);
    cast_player(&player_after, TRI_HOME_ANY, NULL);
    schedule(&player_after);
    wait_until(ck_pr_load_uint(&player_after.ended));
    close_sched();
    return tri_memory_live();
}

Test(os, a_system_that_gets_no_threads_does_not_start)
{
    int64_t before = memory_of_a_system(4);
    struct tri_sched_config config = cast_config(4);
    let_threads_fail(true);
    cr_assert_eq(tri_sched_start(&sched, &config), TR_EAGAIN);
    cr_assert_eq(tri_memory_live(), before);
    let_threads_fail(false);
    cr_assert_eq(memory_of_a_system(4), before);
}

/* From the first worker on no thread can be made: whichever comes too late, another worker or the monitor, the others end. */
Test(os, a_system_that_gets_some_of_its_threads_does_not_start)
{
    int64_t before = memory_of_a_system(50);
    struct tri_sched_config config = cast_config(50);
    config.port_open = open_and_forbid_threads;
    for (unsigned round = 0; round < 10; round++) {
        let_threads_fail(false);
        cr_assert_eq(tri_sched_start(&sched, &config), TR_EAGAIN);
        cr_assert_eq(tri_memory_live(), before);
    }
}

static void no_run(struct tri_job *job, bool canceled)
{
    (void)job;
    (void)canceled;
    cr_assert_fail("a job that was refused");
}

Test(os, a_blocking_job_for_which_there_is_no_thread_is_refused)
{
    struct tri_blocking pool;
    struct tri_job job = { .run = no_run };
    tri_blocking_open(&pool, 4);
    let_threads_fail(true);
    cr_assert_eq(tri_blocking_submit(&pool, &job), TR_EAGAIN);
    cr_assert_eq(pool.queued, 0);
    cr_assert_eq(tri_blocking_close(&pool, real_now() + PATIENCE), 0);
}

static unsigned int job_may_end, jobs_run;

static void run_patiently(struct tri_job *job, bool canceled)
{
    (void)job;
    cr_assert_not(canceled);
    wait_until(ck_pr_load_uint(&job_may_end));
    ck_pr_inc_uint(&jobs_run);
}

Test(os, a_blocking_job_waits_for_the_threads_there_are_when_there_can_be_no_more)
{
    struct tri_blocking pool;
    struct tri_job job[3] = { { .run = run_patiently }, { .run = run_patiently }, { .run = run_patiently } };
    tri_blocking_open(&pool, 4);
    cr_assert_eq(tri_blocking_submit(&pool, &job[0]), 0);
    let_threads_fail(true);
    cr_assert_eq(tri_blocking_submit(&pool, &job[1]), 0);
    cr_assert_eq(tri_blocking_submit(&pool, &job[2]), 0);
    ck_pr_store_uint(&job_may_end, 1);
    wait_until(ck_pr_load_uint(&jobs_run) == 3);
    cr_assert_eq(tri_blocking_close(&pool, real_now() + PATIENCE), 0);
}

/* ---- quotas ------------------------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        cr_assert(mkdir(copy, 0755) == 0 || errno == EEXIST, "%s: %s", copy, strerror(errno));
        *slash = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* Shows an empty /sys/fs/cgroup, and `groups` as /proc/self/cgroup, to this process alone. */
static void fake_control_groups(const char *groups)
{
    char name[] = "/tmp/troupe-cgroup-XXXXXX";
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) != 0)
        cr_skip_test("no mounts are allowed here: the quota of a control group is not tested");
    int fd = mkstemp(name);
    cr_assert_geq(fd, 0);
    close(fd);
    write_file(name, groups);
    int error = mount(name, "/proc/self/cgroup", NULL, MS_BIND, NULL);
    unlink(name);
    if (error)
        cr_skip_test("no mount over /proc is allowed here: the quota of a control group is not tested");
}

static void expect_cores(unsigned expected)
{
    cpu_set_t set;
    unsigned allowed = cores_allowed(&set);
    cr_assert_eq(tri_os_cores(), expected && expected < allowed ? expected : allowed, "%u cores instead of %u of %u",
        tri_os_cores(), expected, allowed);
}

static const struct {
    const char *text;
    unsigned cores; /* 0: no limit */
} quotas[] = {
    { "50000 100000\n", 1 },
    { "100000 100000\n", 1 },
    { "100001 100000\n", 2 },
    { "150000 100000\n", 2 },
    { "1000 100000\n", 1 },
    { "20000 10000\n", 2 },
    { "10000000 100000\n", 100 },
    { "max 100000\n", 0 },
    { "max\n", 0 },
    { "0 100000\n", 0 },
    { "100000 0\n", 0 },
    { "-1 100000\n", 0 },
    { "nonsense\n", 0 },
    { "", 0 },
};

Test(os, the_cores_are_cut_by_the_quota_of_a_control_group)
{
    fake_control_groups("0::/a/b\n");
    expect_cores(0);
    for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
        write_file("/sys/fs/cgroup/a/b/cpu.max", quotas[i].text);
        expect_cores(quotas[i].cores);
    }
}

Test(os, the_least_quota_on_the_way_to_the_root_counts)
{
    fake_control_groups("1:name=systemd:/x\n0::/a/b/c\n");
    write_file("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    expect_cores(0);
    write_file("/sys/fs/cgroup/a/cpu.max", "100000 100000\n");
    expect_cores(1);
    write_file("/sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    expect_cores(1);
    write_file("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    expect_cores(2);
    write_file("/sys/fs/cgroup/x/cpu.max", "50000 100000\n");
    expect_cores(2);
    write_file("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    expect_cores(1);
}

Test(os, a_process_in_the_root_group_has_the_roots_quota)
{
    fake_control_groups("0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    expect_cores(1);
}

Test(os, the_quota_of_the_old_control_groups_counts_where_there_is_no_new_one)
{
    fake_control_groups("4:cpu,cpuacct:/\n");
    expect_cores(0);
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    expect_cores(0);
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    expect_cores(1);
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
    expect_cores(2);
}
