/*
 * sched.h: the workers of a system, and what they share.
 *
 * Waking. A worker that made an actor runnable for itself tells nobody: it is awake and will run it. Others are woken
 *
 *   - for a pinned actor: its home, if it is parked                      tri_worker_deliver
 *   - for an actor of a foreign thread: one parked worker, if nobody searches already   tri_sched_inject
 *   - for surplus that lasts: a worker that has something to offer at two looks in a row (worker.c) wakes one
 *   - for a stuck worker's queue, and what was left to it in the global list: by the monitor
 *
 * The first two must not be lost, for nobody else may ever look. Both are "publish, fence, look for sleepers" against
 * "announce, fence, look again, sleep":
 *
 *   publisher                             worker that parks
 *   1 push to inbox or global list        1 state = PARKED
 *   2 fence (the push is a CAS or a       2 fence
 *     lock: a full one)                   3 look at inbox and global list; if there is anything: do not sleep
 *   3 state == PARKED? CAS to             4 port->poll, which returns at once if wake was called before
 *     NOTIFIED; whoever succeeds          5 exchange state with RUNNING
 *     calls port->wake
 *
 * If the publisher's 3 does not see PARKED, the parker's 1 comes after it in the order of all fences, so the parker's 3
 * comes after the publisher's 1 and sees the entry. If it does see PARKED, the wake is called, and a port does not lose
 * wakes. With the search in between: a publisher that leaves the waking to the searcher has read searchers == 1 after its
 * push; the searcher gives the permission up before its own step 1, so its step 3 sees the push as well. (If it finds
 * something else to run instead of going on to step 1, it takes from the global list between its turns; if it gets stuck,
 * the monitor sees the list. It never keeps the permission while it runs a turn.)
 * (tests/model/scheduler.pml checks this, and finds the lost wake-up when a fence or the second look is taken out.)
 */
#ifndef TRI_SCHED_H
#define TRI_SCHED_H

#include "sched/os.h"
#include "mailbox/pool.h"
#include "sched/worker.h"

#include <pthread.h>

enum {
    TRI_WORKERS_MAX = 1000,
    TRI_OWN_WORKERS_MAX = 256, /* of those, for actors with a thread of their own */
    TRI_TURN_MESSAGES = 64,    /* a turn ends after so many messages */
    TRI_TURN_NS = 200000,      /* or after this time */
    TRI_ATTEND_NS = 100000,    /* a busy worker looks at port and timers this often */
    TRI_LATE_NS = 1000000, /* timers that are due for so long have been held up, and so has what was to come before them */
    TRI_LOOKS = 512,       /* at the port before timers are fired, at most */
    TRI_WORTH_NS = 20000,  /* what waits is worth another worker if it takes so long, each one message, */
    TRI_HEAVY_TURN_NS = 1500,  /* or if turns take so long, */
    TRI_HEAVY_NS = 100,        /* and messages so long: some hops between cores, and one */
    TRI_GLANCE_NS = 25000,     /* a busy worker reads the clock about this often */
    TRI_TIMERS_AT_ONCE = 1024, /* timers fired before actors run again */
    TRI_TIMERS_APART = 16, /* ticks of the wheel between two times that a sleeping worker wakes up for timers, at most */
};

/* tri_sched.rescue */
enum tri_rescue_state { TRI_RESCUE_NOT, TRI_RESCUE_WANTED, TRI_RESCUE_RUNS };

struct tri_sim;

struct tri_sched_config {
    unsigned workers;
    bool pin; /* worker i runs on the i-th core of the process's affinity */
    uint64_t seed;
    struct tri_clock *clock;
    struct tri_sim *sim; /* plays the workers, which have no threads then; NULL: they have */
    int64_t watchdog_ns; /* a handler that runs longer is named in the log; 0: none */
    int64_t spin_ns;     /* a worker that has nothing to run looks on for so long before it sleeps */
    tri_port_open *port_open;
    void *port_arg;                 /* while the system is opened; */
    tri_port_open *port_open_later; /* of workers that are added, without an argument */

    /* From the floor above. */
    void (*turn)(struct tri_worker *worker, struct tri_runnable *r); /* calls tri_worker_count_message */
    void (*errand)(struct tri_worker *worker, struct ck_stack_entry *errand);
    void (*fire)(struct tri_timer *timer, void *worker);
    int (*worker_start)(struct tri_worker *worker);                       /* on its thread, before the first turn */
    void (*worker_stop)(struct tri_worker *worker);                       /* on its thread, after the last */
    void (*describe)(struct tri_worker *worker, char *text, size_t size); /* what it handles; any thread */

    /* When a worker is held (rescue.h); NULL: there is nothing of the kind. */
    bool (*waits)(struct tri_worker *victim); /* whether something of that floor's lies with it, about; any thread */
    void (*rescue)(struct tri_worker *victim, struct tri_worker *rescuer); /* takes it; in the victim's possession */
    bool (*move)(struct tri_runnable *r, struct tri_worker *victim);   /* whether r, of its inbox, may begin elsewhere */
    bool (*stays)(struct tri_timer *timer, struct tri_worker *victim); /* whether it is for one that is pinned there */
    void *arg;
};

/* What did not fit into a ring, side by side: who takes it need not touch each to find the next. A block of the pool. */
struct tri_run_batch {
    struct tri_run_batch *next;
    uint32_t count;
    tri_tag tag;
    struct tri_runnable *entry[TRI_RING_SIZE / 2 + 1];
};

struct tri_monitor {
    pthread_t thread;
    pthread_mutex_t lock;
    struct tri_condition condition;
    struct tri_watch *watches; /* what it knows of each worker */
    unsigned int asleep;       /* waits to be poked by a worker that starts to run */
    bool stop;
};

struct tri_sched {
    struct tri_sched_config config;
    unsigned count;   /* workers that share what there is to do; */
    unsigned int all; /* with them, and behind them, those of one actor each: read it by tri_sched_all() */
    unsigned room;
    struct tri_worker **workers;
    pthread_t *threads;
    int64_t looked; /* when the monitor did last, or a simulation; see tri_worker_now() */

    TRI_ALIGNED uint32_t sleepers; /* workers that are parked, about: a hint that saves looking at their states */
    uint32_t own_sleepers; /* the same of those of one actor each; counted so that to count is a fence for them, too */
    uint32_t searchers;    /* 1 while some worker may search for work to steal */
    unsigned int stopping;
    unsigned int rescue; /* enum tri_rescue_state: whether a worker that is held has to be looked after */
    bool can_rescue;

    TRI_ALIGNED pthread_mutex_t lock; /* of the global list, and of starting and stopping */
    struct tri_condition started;     /* and stopped */
    struct tri_run_list global;
    struct tri_run_batch *batches, **batches_end;
    uint32_t global_length; /* of both; read without the lock */
    unsigned ready;         /* workers that have started or failed */
    int error;              /* the first failure of a worker to start */
    unsigned left;          /* workers that have left their loop */
    bool may_close;
    pthread_mutex_t own_lock; /* of who has which worker of its own, and of adding one */

    struct tri_monitor monitor;
};

/* About now, without reading the clock: what the worker read last, and after a turn that took longer than it should, a tick of
 * the monitor (5 ms; 50 ms while all workers run) behind at the most. Never ahead. */
static inline int64_t tri_worker_now(const struct tri_worker *worker)
{
    int64_t looked = (int64_t)ck_pr_load_64((const uint64_t *)&worker->sched->looked);
    return looked > worker->now ? looked : worker->now;
}

/* Starts the workers and the monitor: 0, or TR_ENOMEM, TR_EAGAIN (no threads), or what a port answered; then nothing is
 * left running. config->turn and the others may be called before it returns. */
int tri_sched_start(struct tri_sched *sched, const struct tri_sched_config *config);

/* Stops workers and monitor, waits for them and frees all. Everything must have come to rest: no runnable is run any
 * more. */
void tri_sched_stop(struct tri_sched *sched);

/* How many workers there may be, at most. */
unsigned tri_sched_room(const struct tri_sched_config *config);

/* All workers that there are. Any thread. */
static inline unsigned tri_sched_all(const struct tri_sched *sched)
{
    unsigned all = ck_pr_load_uint(&sched->all);
    ck_pr_fence_acquire(); /* pairs with the release fence in own.c */
    return all;
}

/* A worker for one actor, which is to have its home there: 0 and its index, or TR_ELIMIT, TR_ENOMEM, TR_EAGAIN (no threads),
 * or what the port answered. In a simulation 0, and the index stays as it is. Waits until the thread has begun. And gives it
 * back, if it is one. Any thread, while the workers run. */
int tri_sched_own(struct tri_sched *sched, uint16_t *index);
void tri_sched_disown(struct tri_sched *sched, uint16_t index);

/* For own.c. */
struct tri_worker *tri_worker_new(struct tri_sched *sched, unsigned index);
void tri_worker_free(struct tri_worker *worker);
void tri_worker_wait_to_close(struct tri_sched *sched);

/* On the worker's thread: opens its port, and closes all it has. */
int tri_worker_open(struct tri_worker *worker);
void tri_worker_close(struct tri_worker *worker);

/* Makes r run: `here` is the calling thread's worker if it is one of this system's, else NULL. Any thread. */
static inline void tri_sched_schedule(struct tri_sched *sched, struct tri_worker *here, struct tri_runnable *r);

/* Puts a runnable without a home into the global list and wakes somebody. Any thread. */
void tri_sched_inject(struct tri_sched *sched, struct tri_runnable *r);

/* Adds a list, which may be empty, to the global list. Any thread. */
void tri_sched_give(struct tri_sched *sched, struct tri_run_list list, uint32_t count);

/* Takes up to max entries from the global list. Any thread. */
struct tri_run_list tri_sched_take(struct tri_sched *sched, uint32_t max);

/* The same for whole batches, which stand beside that list: it becomes the system's; the oldest, if it has not more than
 * max entries, else NULL. Any thread. */
void tri_sched_give_batch(struct tri_sched *sched, struct tri_run_batch *batch);
struct tri_run_batch *tri_sched_take_batch(struct tri_sched *sched, uint32_t max);

/* Wakes one parked worker to search for work, if nobody searches already. Any thread. */
void tri_sched_wake_one(struct tri_sched *sched);

/* Wakes one parked worker so that it attends. Any thread. */
void tri_sched_wake_any(struct tri_sched *sched);

/* Wakes all parked workers. Any thread. */
void tri_sched_wake_all(struct tri_sched *sched);

/* The monitor's thread, in monitor.c. */
int tri_monitor_start(struct tri_sched *sched);
void tri_monitor_stop(struct tri_sched *sched);
void tri_monitor_poke_slowly(struct tri_sched *sched);

/* A worker begins to run: the monitor shall watch. */
static inline void tri_monitor_poke(struct tri_sched *sched)
{
    if (tri_unlikely(ck_pr_load_uint(&sched->monitor.asleep)))
        tri_monitor_poke_slowly(sched);
}

static inline void tri_sched_schedule(struct tri_sched *sched, struct tri_worker *here, struct tri_runnable *r)
{
    if (tri_likely(here != NULL))
        tri_worker_schedule(here, r);
    else if (r->home != TRI_HOME_ANY)
        tri_worker_deliver(sched->workers[r->home], r);
    else
        tri_sched_inject(sched, r);
}

static inline void tri_run_list_append(struct tri_run_list *list, struct tri_runnable *r)
{
    r->link.next = NULL;
    if (list->first)
        list->last->link.next = &r->link;
    else
        list->first = r;
    list->last = r;
}

static inline struct tri_runnable *tri_run_list_pop(struct tri_run_list *list)
{
    struct tri_runnable *r = list->first;
    if (r)
        list->first = (struct tri_runnable *)r->link.next; /* link is the first member */
    return r;
}

#endif
