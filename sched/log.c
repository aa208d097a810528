#include "sched/log.h"

#include "mailbox/fork.h"
#include "mailbox/panic.h"
#include "sched/sched.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = { "error", "warning", "info", "debug" };

static struct {
    pthread_mutex_t lock;
    tr_log_sink *sink;
    void *arg;
    unsigned int level; /* read without the lock: a line more or less does not matter while it changes */
    pthread_once_t once;
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = TR_LOG_WARNING, .once = PTHREAD_ONCE_INIT };

/* In the child the lock is nobody's: a sink may fork, and another thread's may be slow. */
static void at_fork(enum tri_fork when)
{
    if (when == TRI_FORK_CHILD)
        pthread_mutex_init(&logger.lock, NULL);
}

static void begin(void)
{
    tri_at_fork(at_fork);
    const char *wish = getenv("TROUPE_LOG");
    for (unsigned i = 0; wish && i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(wish, level_names[i]) == 0)
            ck_pr_store_uint(&logger.level, i);
}

void tr_log_to(tr_log_sink *sink, void *arg)
{
    pthread_once(&logger.once, begin);
    pthread_mutex_lock(&logger.lock);
    logger.sink = sink;
    logger.arg = arg;
    pthread_mutex_unlock(&logger.lock);
}

void tr_log_level(enum tr_log_level level)
{
    pthread_once(&logger.once, begin);
    ck_pr_store_uint(&logger.level, level);
}

static void to_stderr(const tr_log_record *record)
{
    time_t seconds = (time_t)(record->wall_ns / 1000000000);
    char stamp[32], worker[24] = "";
    struct tm tm;

    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
    if (record->worker >= 0)
        snprintf(worker, sizeof worker, " worker %d", record->worker);
    fprintf(stderr, "%s.%03dZ troupe %s%s%s%s: %s\n", stamp, (int)(record->wall_ns / 1000000 % 1000),
        level_names[record->level], worker, *record->actor ? " actor " : "", record->actor, record->text);
}

void tr_log(tr_self *self, enum tr_log_level level, const char *format, ...)
{
    char text[1001], actor[128] = "";
    va_list arguments;

    (void)self; /* the running actor is known; the argument says that it may log */
    pthread_once(&logger.once, begin);
    if (level > ck_pr_load_uint(&logger.level))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (tri_who)
        tri_who(actor, sizeof actor);
    tr_log_record record = {
        .level = level,
        .wall_ns = tri_clock_wall(),
        .worker = tri_worker_here ? tri_worker_here->index : -1,
        .actor = actor,
        .text = text,
    };
    pthread_mutex_lock(&logger.lock);
    if (logger.sink)
        logger.sink(logger.arg, &record);
    else
        to_stderr(&record);
    pthread_mutex_unlock(&logger.lock);
}
