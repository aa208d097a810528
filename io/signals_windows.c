/*
 * Windows calls the handler on a thread of its own. When it returns from the closing of the console, from logging off or
 * from shutting down, the process is ended; so for these it waits until the system of actors has ended.
 */
#include "io/signals.h"

#include "io/net.h"
#include "mailbox/error.h"
#include "sched/clock.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock; /* held while on_signal is called */
    pthread_cond_t ended;
    bool watching;
    uint32_t round; /* of watching and not watching any more */
    uint32_t count;
    int64_t last; /* when the last one came that counts */
    void (*on_signal)(int count, void *arg);
    void *arg;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };

static BOOL WINAPI handler(DWORD event)
{
    bool last = event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT;
    pthread_mutex_lock(&watch.lock);
    int64_t now = tri_clock_now(&tri_clock_real);
    bool same = watch.watching && now - watch.last < TRI_SIGNALS_SAME_NS;
    bool handled = watch.watching && (same || watch.count < 2);
    if (handled && !same) {
        watch.last = now;
        watch.on_signal((int)++watch.count, watch.arg);
    }
    for (uint32_t round = watch.round; last && watch.watching && watch.round == round;)
        pthread_cond_wait(&watch.ended, &watch.lock);
    pthread_mutex_unlock(&watch.lock);
    return handled;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool installed;

/* Once a process, for good, and with no lock held: Windows holds one of its own while it calls handlers, also one that
 * waits, and takes the same one to add or to remove a handler. */
static void install(void)
{
    installed = SetConsoleCtrlHandler(handler, TRUE);
}

int tri_signals_watch(void (*on_signal)(int count, void *arg), void *arg)
{
    pthread_once(&once, install);
    if (!installed)
        return TR_EAGAIN;
    pthread_mutex_lock(&watch.lock);
    int error = watch.watching ? TR_EBUSY : 0;
    if (!error) {
        watch.watching = true;
        watch.count = 0;
        watch.last = tri_clock_now(&tri_clock_real) - TRI_SIGNALS_SAME_NS;
        watch.on_signal = on_signal;
        watch.arg = arg;
    }
    pthread_mutex_unlock(&watch.lock);
    return error;
}

void tri_signals_unwatch(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.watching = false;
    watch.round++;
    pthread_cond_broadcast(&watch.ended);
    pthread_mutex_unlock(&watch.lock);
}
