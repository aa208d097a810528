/*
 * The handler may only do what is safe in a signal handler: it counts, and writes to an eventfd. A thread waits for that
 * and does the rest. It is also the one that takes the signals: the thread that runs the system blocks them meanwhile, as
 * workers do. So they are taken where they interrupt nothing. (And under ThreadSanitizer at once: it lets a signal wait while
 * its thread is in a call that it does not know to block, such as pthread_cond_wait or read; it knows poll.)
 */
#include "io/signals.h"

#include "mailbox/compiler.h"
#include "mailbox/error.h"
#include "mailbox/fork.h"
#include "sched/clock.h"
#include "sched/os.h"

#include <ck_pr.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const int watched[] = { SIGINT, SIGTERM };
enum { WATCHED = sizeof watched / sizeof watched[0] };

static struct {
    unsigned int busy;
    unsigned int quit;
    int fd;
    uint32_t count;
    uint64_t last; /* when the last one came that counts */
    pthread_t thread;
    struct sigaction before[WATCHED];
    sigset_t mask; /* the caller's, before */
    void (*on_signal)(int count, void *arg);
    void *arg;
} watch = { .fd = -1 };

/* Of two threads that take one at the same moment, one sees that it is another. */
static bool is_another(void)
{
    uint64_t now = (uint64_t)tri_clock_now(&tri_clock_real), last = ck_pr_load_64(&watch.last);
    return now - last >= TRI_SIGNALS_SAME_NS && ck_pr_cas_64(&watch.last, last, now);
}

static void handler(int number)
{
    int error = errno;
    uint64_t one = 1;
    if (!is_another())
        return;
    if (ck_pr_faa_32(&watch.count, 1) >= 2) {
        signal(number, SIG_DFL);
        raise(number);
    }
    ssize_t done = write(watch.fd, &one, sizeof one);
    (void)done;
    errno = error;
}

static sigset_t watched_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < WATCHED; i++)
        sigaddset(&set, watched[i]);
    return set;
}

static void *thread_main(void *arg)
{
    sigset_t set = watched_set();
    uint64_t counter;
    uint32_t told = 0;
    (void)arg;
    tri_os_name_thread("troupe-signals");
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    while (!ck_pr_load_uint(&watch.quit)) {
        struct pollfd something = { .fd = watch.fd, .events = POLLIN };
        int ready = poll(&something, 1, -1);
        if (ready < 0 && errno != EINTR) /* short of memory: */
            nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        if (ready > 0 && read(watch.fd, &counter, sizeof counter) < 0)
            break;
        while (told < ck_pr_load_32(&watch.count))
            watch.on_signal((int)++told, watch.arg);
    }
    return NULL;
}

/* A child takes signals as the process did before: what comes meanwhile waits. */
static void forget(void)
{
    struct sigaction now;
    for (unsigned i = 0; i < WATCHED; i++)
        if (sigaction(watched[i], NULL, &now) == 0 && now.sa_handler == handler)
            sigaction(watched[i], &watch.before[i], NULL);
    if (watch.fd >= 0)
        close(watch.fd);
    watch.fd = -1;
    watch.busy = 0;
}

static void at_fork(enum tri_fork when)
{
    static TRI_THREAD_LOCAL sigset_t mask;
    sigset_t set = watched_set();
    if (when == TRI_FORK_BEFORE) {
        pthread_sigmask(SIG_BLOCK, &set, &mask);
        return;
    }
    if (when == TRI_FORK_CHILD && watch.busy)
        forget();
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void init_once(void)
{
    tri_at_fork(at_fork);
}

int tri_signals_watch(void (*on_signal)(int count, void *arg), void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    if (!ck_pr_cas_uint(&watch.busy, 0, 1))
        return TR_EBUSY;
    watch.on_signal = on_signal;
    watch.arg = arg;
    watch.count = watch.quit = 0;
    watch.last = (uint64_t)tri_clock_now(&tri_clock_real) - TRI_SIGNALS_SAME_NS;
    watch.fd = eventfd(0, EFD_CLOEXEC);
    int error = watch.fd < 0 ? tri_error_from_errno(errno) : tri_os_start_thread(&watch.thread, thread_main, NULL);
    if (error) {
        if (watch.fd >= 0)
            close(watch.fd);
        watch.fd = -1;
        ck_pr_store_uint(&watch.busy, 0);
        return error;
    }
    sigset_t set = watched_set();
    pthread_sigmask(SIG_BLOCK, &set, &watch.mask);
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < WATCHED; i++) {
        sigaction(watched[i], NULL, &watch.before[i]);
        if (watch.before[i].sa_handler != SIG_IGN) /* as a shell does for what it starts in the background */
            sigaction(watched[i], &action, NULL);
    }
    return 0;
}

void tri_signals_unwatch(void)
{
    uint64_t one = 1;
    for (unsigned i = 0; i < WATCHED; i++)
        sigaction(watched[i], &watch.before[i], NULL);
    ck_pr_store_uint(&watch.quit, 1);
    ck_pr_fence_memory();
    ssize_t done = write(watch.fd, &one, sizeof one);
    (void)done;
    pthread_join(watch.thread, NULL);
    close(watch.fd);
    watch.fd = -1;
    pthread_sigmask(SIG_SETMASK, &watch.mask, NULL);
    ck_pr_store_uint(&watch.busy, 0);
}
