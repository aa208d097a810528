#include "sched/crash.h"

#include "mailbox/fork.h"
#include "mailbox/panic.h"
#include "sched/worker.h"

#include <pthread.h>

void (*tri_crash_what)(void);

/* ---- a line ------------------------------------------------------------------------------------------------------ */

static struct {
    char text[512];
    unsigned size;
} line; /* of the one report that is being made */

void tri_crash_text(const char *text)
{
    if (!text)
        text = "?";
    for (unsigned i = 0; i < 128 && text[i] && line.size < sizeof line.text - 1; i++) /* one is left for the end */
        line.text[line.size++] = text[i];
}

static void digits(uint64_t number, unsigned base)
{
    char text[24];
    unsigned at = sizeof text;
    text[--at] = 0;
    do
        text[--at] = "0123456789abcdef"[number % base];
    while (number /= base);
    tri_crash_text(text + at);
}

void tri_crash_decimal(uint64_t number)
{
    digits(number, 10);
}

void tri_crash_hex(uint64_t number)
{
    tri_crash_text("0x");
    digits(number, 16);
}

void tri_crash_line(void)
{
    line.text[line.size++] = '\n';
    tri_crash_write(line.text, line.size);
    line.size = 0;
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

static uint32_t reporter; /* the thread that makes one; 0: none */

/* Whether this thread is to report: not when it crashed while it did so already, or another does not come to an end. */
static bool begin(uint32_t me)
{
    for (int i = 0; i < 1000; i++) {
        uint32_t other;
        if (ck_pr_cas_32_value(&reporter, 0, me, &other))
            return true;
        if (other == me)
            return false;
        tri_crash_wait();
    }
    return false;
}

void tri_crash_report(const char *what, bool at, uint64_t address, bool overflow)
{
    const struct tri_worker *worker = tri_worker_here;
    if (!begin(tri_crash_thread()))
        return;
    line.size = 0;
    tri_crash_text("troupe: ");
    tri_crash_text(what);
    if (at) {
        tri_crash_text(" at address ");
        tri_crash_hex(address);
    }
    if (overflow)
        tri_crash_text(", the stack is used up,");
    if (worker) {
        tri_crash_text(" on worker ");
        tri_crash_decimal(worker->index);
    } else {
        tri_crash_text(" on a thread that is no worker");
    }
    if (*tri_panic_where) {
        tri_crash_text("; ");
        tri_crash_text(tri_panic_where);
    }
    tri_crash_line();
    if (tri_crash_what)
        tri_crash_what();
    ck_pr_store_32(&reporter, 0);
}

/* ---- who wants it ------------------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    unsigned int count;
} watchers = { .lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT };

/* A child begins without systems; see mailbox/fork.h. */
static void at_fork(enum tri_fork when)
{
    if (when == TRI_FORK_BEFORE) {
        pthread_mutex_lock(&watchers.lock);
        return;
    }
    if (when == TRI_FORK_CHILD && watchers.count) {
        watchers.count = 0;
        reporter = 0;
        tri_crash_uninstall();
    }
    pthread_mutex_unlock(&watchers.lock);
}

static void init_once(void)
{
    tri_at_fork(at_fork);
}

bool tri_crash_watched(void)
{
    return ck_pr_load_uint(&watchers.count) > 0;
}

void tri_crash_watch(void)
{
    if (TRI_SANITIZED)
        return;
    pthread_once(&watchers.once, init_once);
    pthread_mutex_lock(&watchers.lock);
    ck_pr_store_uint(&watchers.count, watchers.count + 1);
    if (watchers.count == 1)
        tri_crash_install();
    pthread_mutex_unlock(&watchers.lock);
}

void tri_crash_unwatch(void)
{
    if (TRI_SANITIZED)
        return;
    pthread_mutex_lock(&watchers.lock);
    ck_pr_store_uint(&watchers.count, watchers.count - 1);
    if (watchers.count == 0)
        tri_crash_uninstall();
    pthread_mutex_unlock(&watchers.lock);
}
