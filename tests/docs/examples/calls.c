/*
 * How many system calls an echo costs, counted by ptrace in all threads of the example while it serves: entries only.
 * Counting begins and ends, and every round begins, when all of its threads sleep.
 *
 * What the worker calls for its port is exact, however busy the machine is. io_uring: every io_uring_enter takes at
 * least one completion, as it waits for one or submits a send, which is complete at once while the peer reads; and an
 * echo has two, that of the receive and that of the send. epoll: receive, send, wait; but a worker that is busy for
 * TRI_ATTEND_NS looks at the port without waiting, and the tracer or a busy machine can make it that slow. So a look
 * that comes so long after the worker woke up, by the tracer's clock, is its due and is counted apart.
 *
 * What worker and monitor say to each other depends on time, and is held to what has passed: see check_futexes().
 */
#include "program.h"

#include "sched/sched.h"
#include "tests/threads.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

enum { SIZE = 64, ECHOES = 100, WARM_UP = 25, DEEP = 16, CLIENTS = 4, MAX_THREADS = 64, MAX_CALLS = 1024 };

struct thread {
    pid_t id;
    bool seen; /* has stopped: from here on each of its calls is counted */
    bool ended;
    bool waits;                              /* its current call waits for the port, or looks at it */
    int64_t woke;                            /* when the last such call ended */
    unsigned calls, looks, count[MAX_CALLS]; /* by number; the looks that are due are in none of the others */
};

static struct program echo;
static uint16_t port;

/* The tracer, and what it has counted; the lock protects the latter. */
static pthread_t tracer;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t begun;
static int refused; /* why it cannot be: an errno */
static bool counting;
static struct thread threads[MAX_THREADS];
static unsigned thread_count;
static int exit_status;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct thread *thread_of(pid_t id)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].id == id)
            return &threads[i];
    if (thread_count == MAX_THREADS)
        return NULL;
    threads[thread_count] = (struct thread){ .id = id };
    return &threads[thread_count++];
}

/* ---- the tracer -------------------------------------------------------------------------------------------------- */

/* Whether the call waits for what the port has, or only looks at it. */
static bool is_wait(const struct __ptrace_syscall_info *info, bool *looks)
{
    *looks = false;
    switch (info->entry.nr) {
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait: *looks = (int)info->entry.args[3] == 0; return true;
    case SYS_epoll_pwait2:
    case SYS_io_uring_enter: return true;
    default: return false;
    }
}

static void count_call(struct thread *t, const struct __ptrace_syscall_info *info)
{
    bool looks;
    t->waits = is_wait(info, &looks);
    if (!counting)
        return;
#ifdef SYS_clock_gettime
    if (info->entry.nr == SYS_clock_gettime)
        return; /* a call only where the kernel's clock cannot be read without one */
#endif
    if (looks && now_ns() - t->woke >= TRI_ATTEND_NS) {
        t->looks++;
        return;
    }
    t->calls++;
    t->count[info->entry.nr < MAX_CALLS ? info->entry.nr : MAX_CALLS - 1]++;
}

static int syscall_stop(struct thread *t)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->id, (void *)sizeof info, &info) < 0)
        return errno;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        count_call(t, &info);
    } else if (t->waits) {
        t->waits = false;
        t->woke = now_ns();
    }
    return 0;
}

/* One thing that has happened to a thread: looks at it, and lets the thread go on. */
static void stopped(pid_t id, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;
    pthread_mutex_lock(&lock);
    struct thread *t = thread_of(id);
    if (t && signal == (SIGTRAP | 0x80) && !refused)
        refused = syscall_stop(t);
    if (t)
        t->seen = true;
    pthread_mutex_unlock(&lock);
    bool from_outside = event == 0 && signal != (SIGTRAP | 0x80);
    ptrace(PTRACE_SYSCALL, id, NULL, (void *)(intptr_t)(from_outside ? signal : 0));
}

static void ended(pid_t id)
{
    pthread_mutex_lock(&lock);
    struct thread *t = thread_of(id);
    if (t)
        t->seen = t->ended = true;
    pthread_mutex_unlock(&lock);
}

/* False when one of them is not to be traced. */
static bool seize_all(void)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)echo.process.pid);
    for (bool more = true; more;) { /* until none has been started meanwhile by one that was not traced yet */
        more = false;
        DIR *tasks = opendir(path);
        for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
            pid_t id = (pid_t)atoi(entry->d_name);
            bool known = id == 0;
            for (unsigned i = 0; i < thread_count; i++)
                known |= threads[i].id == id;
            if (known)
                continue;
            if (ptrace(PTRACE_SEIZE, id, NULL, (void *)options) < 0 || ptrace(PTRACE_INTERRUPT, id, NULL, NULL) < 0) {
                if (errno == ESRCH)
                    continue; /* it has ended */
                refused = errno;
                break;
            }
            more |= thread_of(id) != NULL;
        }
        if (tasks)
            closedir(tasks);
        if (refused)
            return false;
    }
    return true;
}

static bool all_seen(void)
{
    bool all = true;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < thread_count; i++)
        all &= threads[i].seen;
    pthread_mutex_unlock(&lock);
    return all;
}

static void *trace(void *arg)
{
    bool told = false;
    (void)arg;
    if (!seize_all()) {
        sem_post(&begun);
        return NULL; /* those that are traced are not any more */
    }
    for (;;) {
        int status;
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0 && errno != EINTR)
            return NULL; /* nobody is left */
        if (id == echo.process.pid && !WIFSTOPPED(status))
            exit_status = status;
        if (id > 0 && WIFSTOPPED(status))
            stopped(id, status);
        else if (id > 0)
            ended(id);
        if (!told && all_seen()) {
            told = true;
            sem_post(&begun);
        }
    }
}

/* ---- what is counted --------------------------------------------------------------------------------------------- */

static const char *call_name(unsigned number, char *text, size_t size)
{
    static const struct {
        unsigned number;
        const char *name;
    } names[] = { { SYS_io_uring_enter, "io_uring_enter" }, { SYS_epoll_pwait2, "epoll_pwait2" },
        { SYS_epoll_pwait, "epoll_pwait" }, { SYS_epoll_ctl, "epoll_ctl" }, { SYS_recvfrom, "recvfrom" },
        { SYS_recvmsg, "recvmsg" }, { SYS_sendto, "sendto" }, { SYS_sendmsg, "sendmsg" }, { SYS_read, "read" },
        { SYS_readv, "readv" }, { SYS_write, "write" }, { SYS_writev, "writev" }, { SYS_futex, "futex" },
        { SYS_clock_nanosleep, "clock_nanosleep" }, { SYS_sched_yield, "sched_yield" }, { SYS_mmap, "mmap" },
        { SYS_munmap, "munmap" }, { SYS_madvise, "madvise" }, { SYS_brk, "brk" }, { SYS_getrandom, "getrandom" },
#ifdef SYS_epoll_wait
        { SYS_epoll_wait, "epoll_wait" }, { SYS_poll, "poll" },
#endif
        { SYS_ppoll, "ppoll" } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            return names[i].name;
    snprintf(text, size, "number %u", number);
    return text;
}

static const char *thread_name(const struct thread *t, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)echo.process.pid, (int)t->id);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, (int)size, file))
        snprintf(text, size, "?");
    text[strcspn(text, "\n")] = 0;
    if (file)
        fclose(file);
    return text;
}

/* "troupe-0: io_uring_enter 400, futex 3; …" */
static const char *counted(void)
{
    static char text[4096];
    char name[32];
    size_t length = 0;
    text[0] = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        struct thread *t = &threads[i];
        if (!t->calls && !t->looks)
            continue;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s:", length ? "; " : "",
            thread_name(t, name, sizeof name));
        for (unsigned n = 0; n < MAX_CALLS && length < sizeof text; n++)
            if (t->count[n])
                length += (size_t)snprintf(text + length, sizeof text - length, " %s %u,", call_name(n, name, sizeof name),
                    t->count[n]);
        if (length < sizeof text)
            length += (size_t)snprintf(text + length, sizeof text - length, " looks %u", t->looks);
        if (length >= sizeof text)
            break;
    }
    return text;
}

static void count(bool on)
{
    pthread_mutex_lock(&lock);
    counting = on;
    pthread_mutex_unlock(&lock);
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

/* By the tracer: by what guards the machine from ptrace, or as the kernel is older than 5.3. */
static void skip_if_refused(void)
{
    pthread_mutex_lock(&lock);
    int why = refused;
    pthread_mutex_unlock(&lock);
    if (!why)
        return;
    kill(echo.process.pid, SIGKILL);
    pthread_join(tracer, NULL);
    cr_skip_test("system calls cannot be traced here: %s", strerror(why));
}

/* The example with one worker, each of its calls seen by the tracer; or the test is skipped. */
static void serve_traced(void)
{
    if (SANITIZED)
        cr_skip_test("a sanitizer makes system calls of its own");
    if (!getenv("TROUPE_PORT"))
        set_environment("TROUPE_PORT", "uring");
    program_serve(&echo, "echo", "--workers 1 127.0.0.1:0", &port);
    cr_assert_eq(sem_init(&begun, 0, 0), 0);
    cr_assert_eq(pthread_create(&tracer, NULL, trace, NULL), 0);
    while (sem_wait(&begun) < 0)
        cr_assert_eq(errno, EINTR);
    skip_if_refused();
}

static void stop_traced(void)
{
    program_signal(&echo, SIGTERM);
    pthread_join(tracer, NULL); /* with the last thread */
    cr_assert(WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0, "wait status %d", exit_status);
}

/* Whether it waits in the kernel; not so when it runs, or is stopped by the tracer. */
static bool sleeps(pid_t id)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)echo.process.pid, (int)id);
    FILE *file = fopen(path, "r");
    const char *name_end = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    if (file)
        fclose(file);
    return name_end && strncmp(name_end, ") S", 3) == 0;
}

static bool all_sleep(void)
{
    bool all = true;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < thread_count; i++)
        all = all && (threads[i].ended || sleeps(threads[i].id));
    pthread_mutex_unlock(&lock);
    return all;
}

/* Waits until all of its threads sleep. Traced, the server is so slow that otherwise the next message is there before
 * it has handled the last, and what it does between them is not seen. */
static void settle(void)
{
    wait_until(all_sleep());
}

/* On each connection so many messages with one write, and then all of that back; and again when the server sleeps. */
static void round_trips(const int *clients, unsigned client_count, unsigned messages, unsigned rounds)
{
    char out[DEEP * SIZE], in[DEEP * SIZE];
    size_t size = messages * (size_t)SIZE;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < client_count; i++) {
            fill(i, round * size, out, size);
            cr_assert_eq(send(clients[i], out, size, MSG_NOSIGNAL), (ssize_t)size, "send: %s", strerror(errno));
        }
        for (unsigned i = 0; i < client_count; i++) {
            fill(i, round * size, out, size);
            cr_assert_eq(recv(clients[i], in, size, MSG_WAITALL), (ssize_t)size, "receive: %s", strerror(errno));
            cr_assert_eq(memcmp(in, out, size), 0, "wrong bytes in round %u", round);
        }
        settle();
    }
}

/* Worker and monitor call each other by futexes. The monitor looks every 5 ms at the soonest, and sleeps when four
 * looks in a row have found nobody who runs; the worker that runs then calls it. A look, and a call, is one system
 * call, or a few when they meet at the lock. */
static void check_futexes(int64_t ns)
{
    const unsigned most = 4 * (unsigned)(ns / 5000000 + 1), most_of_worker = 4 * (unsigned)(ns / 15000000 + 1);
    for (unsigned i = 0; i < thread_count; i++) {
        const struct thread *t = &threads[i];
        unsigned futexes = t->count[SYS_futex];
        bool is_worker = futexes < t->calls; /* it calls the port */
        cr_assert_leq(futexes, is_worker ? most_of_worker : most, "%u futexes in %lu us: %s", futexes,
            (unsigned long)(ns / 1000), counted());
    }
}

/* Rounds of so many messages at once on each of so many connections: no more calls than `most` a round and connection,
 * of all threads together, but for futexes. */
static void check(unsigned client_count, unsigned messages, unsigned most)
{
    int clients[CLIENTS];
    unsigned calls = 0, rounds = ECHOES * client_count;
    serve_traced();
    for (unsigned i = 0; i < client_count; i++)
        clients[i] = connect_to(port, 0);
    round_trips(clients, client_count, messages, WARM_UP);
    skip_if_refused();
    int64_t start = now_ns();
    count(true);
    round_trips(clients, client_count, messages, ECHOES);
    count(false);
    int64_t ns = now_ns() - start;

    cr_assert_eq(refused, 0, "the tracer: %s", strerror(refused));
    for (unsigned i = 0; i < thread_count; i++)
        calls += threads[i].calls - threads[i].count[SYS_futex];
    cr_assert_geq(calls, ECHOES, "not all of them have been seen: %s", counted());
    cr_assert_leq(calls, most * rounds, "%.2f for %u of %u bytes: %s", (double)calls / rounds, messages, SIZE, counted());
    check_futexes(ns);
    for (unsigned i = 0; i < client_count; i++)
        close(clients[i]);
    stop_traced();
}

static unsigned most_for_one(void)
{
    const char *name = getenv("TROUPE_PORT");
    return name && strcmp(name, "epoll") == 0 ? 3 : 2;
}

Test(calls, an_echo_takes_two_with_io_uring_and_three_with_epoll)
{
    check(1, 1, most_for_one());
}

Test(calls, messages_that_come_at_once_take_no_more_than_one_does)
{
    check(CLIENTS, DEEP, most_for_one());
}
