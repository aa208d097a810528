#include "mailbox/error.h"
#include "mailbox/memory.h"
#include "sched/os.h"
#include "sched/sched.h"

struct sleeper {
    struct tri_port port;
    struct tri_clock *clock;
    pthread_mutex_t lock;
    struct tri_condition condition;
    bool woken;
};

static void sleeper_poll(struct tri_port *port, int64_t deadline)
{
    struct sleeper *s = (struct sleeper *)port;

    pthread_mutex_lock(&s->lock);
    while (!s->woken && deadline > tri_clock_now(s->clock))
        if (deadline == INT64_MAX)
            tri_condition_wait(&s->condition, &s->lock);
        else
            tri_condition_wait_until(&s->condition, &s->lock, deadline);
    s->woken = false;
    pthread_mutex_unlock(&s->lock);
}

static void sleeper_wake(struct tri_port *port)
{
    struct sleeper *s = (struct sleeper *)port;
    pthread_mutex_lock(&s->lock);
    s->woken = true;
    tri_condition_signal(&s->condition);
    pthread_mutex_unlock(&s->lock);
}

static bool sleeper_has_work(struct tri_port *port)
{
    (void)port;
    return false;
}

static void sleeper_close(struct tri_port *port)
{
    struct sleeper *s = (struct sleeper *)port;
    tri_condition_destroy(&s->condition);
    pthread_mutex_destroy(&s->lock);
    tri_memory_put(s);
}

static const struct tri_port_class sleeper_class = {
    .name = "sleeper",
    .poll = sleeper_poll,
    .wake = sleeper_wake,
    .has_work = sleeper_has_work,
    .close = sleeper_close,
};

int tri_sleeper_open(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct sleeper *s = tri_memory_get_zeroed(sizeof *s);
    (void)arg;
    if (!s)
        return TR_ENOMEM;
    s->port.class = &sleeper_class;
    s->clock = worker->sched->config.clock;
    pthread_mutex_init(&s->lock, NULL);
    tri_condition_init(&s->condition);
    *port = &s->port;
    return 0;
}
