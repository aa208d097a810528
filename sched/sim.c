#include "sched/sim.h"

#include "mailbox/error.h"
#include "mailbox/memory.h"
#include "mailbox/panic.h"
#include "sched/log.h"

#include <stdio.h>

struct tri_sim *tri_sim_here;

static TRI_THREAD_LOCAL bool mine; /* other threads must not touch the simulation to find out: it may be going away */

bool tri_sim_mine(void)
{
    return mine;
}

void *tri_sim_memory(struct tri_sim *sim, size_t size)
{
    bool calm = sim->calm;
    sim->calm = true;
    void *memory = tri_memory_get_zeroed(size);
    sim->calm = calm;
    if (!memory)
        tri_panic("the simulation is out of memory");
    return memory;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static bool before(const struct tri_event *a, const struct tri_event *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void put(struct tri_sim *sim, uint32_t place, struct tri_event *event)
{
    sim->heap[place] = event;
    event->place = place;
}

static void rise(struct tri_sim *sim, uint32_t place, struct tri_event *event)
{
    for (; place > 1 && before(event, sim->heap[place / 2]); place /= 2)
        put(sim, place, sim->heap[place / 2]);
    put(sim, place, event);
}

static void sink(struct tri_sim *sim, uint32_t place, struct tri_event *event)
{
    for (uint32_t child; (child = 2 * place) <= sim->events; place = child) {
        if (child < sim->events && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], event))
            break;
        put(sim, place, sim->heap[child]);
    }
    put(sim, place, event);
}

static void grow(struct tri_sim *sim)
{
    uint32_t room = sim->room ? 2 * sim->room : 64;
    struct tri_event **heap = tri_sim_memory(sim, (room + 1) * sizeof *heap);
    for (uint32_t i = 1; i <= sim->events; i++)
        heap[i] = sim->heap[i];
    tri_memory_put(sim->heap);
    sim->heap = heap;
    sim->room = room;
}

void tri_sim_cancel(struct tri_sim *sim, struct tri_event *event)
{
    uint32_t place = event->place;
    if (place == 0)
        return;
    event->place = 0;
    struct tri_event *last = sim->heap[sim->events--];
    if (last == event)
        return;
    if (place > 1 && before(last, sim->heap[place / 2]))
        rise(sim, place, last);
    else
        sink(sim, place, last);
}

void tri_sim_at(struct tri_sim *sim, struct tri_event *event, int64_t at)
{
    tri_sim_cancel(sim, event);
    if (sim->events == sim->room)
        grow(sim);
    event->at = at > sim->now ? at : sim->now;
    event->number = ++sim->numbers;
    rise(sim, ++sim->events, event);
}

/* ---- a handler that does not return ------------------------------------------------------------------------------ */

/* One thread for the life of the process looks now and then whether the simulation's thread is still in the same turn. */

enum { LOOK_MS = 250, LOOKS = 4 };

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;      /* held while a worker is described, and while workers go away */
    struct tri_worker *worker; /* the one whose turn it is; NULL: none */
    uint32_t turns;
} watch = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void name_worker(void)
{
    char what[256] = "";
    pthread_mutex_lock(&watch.lock);
    struct tri_worker *worker = ck_pr_load_ptr(&watch.worker);
    if (worker)
        worker->sched->config.describe(worker, what, sizeof what);
    pthread_mutex_unlock(&watch.lock);
    if (worker)
        tri_log(TR_LOG_ERROR, "the simulation's only thread is held by %s", what);
}

static void *watch_main(void *arg)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct tri_condition never;
    uint32_t turns = 0;
    (void)arg;
    tri_condition_init(&never);
    tri_os_name_thread("troupe-simwatch");
    pthread_mutex_lock(&lock);
    for (unsigned looks = 0;;) {
        tri_condition_wait_until(&never, &lock, tri_os_now() + TR_MS(LOOK_MS));
        uint32_t now = ck_pr_load_32(&watch.turns);
        looks = now == turns && ck_pr_load_ptr(&watch.worker) ? looks + 1 : 0;
        turns = now;
        if (looks == LOOKS)
            name_worker();
    }
    return NULL;
}

static void start_watch(void)
{
    pthread_t thread;
    if (tri_os_start_thread(&thread, watch_main, NULL) == 0)
        pthread_detach(thread);
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

static int64_t virtual_now(struct tri_clock *clock)
{
    const struct tri_sim_clock *c = (const struct tri_sim_clock *)clock;
    return c->sim->now + c->ahead_ns;
}

void tri_sim_clock_init(struct tri_sim_clock *clock, struct tri_sim *sim, int64_t ahead_ns)
{
    *clock = (struct tri_sim_clock){ .clock.now = virtual_now, .sim = sim, .ahead_ns = ahead_ns };
}

/* When the worker's next timer is due, by the simulation's time; INT64_MAX: never. */
static int64_t next_timer(const struct tri_sim *sim, const struct tri_worker *worker)
{
    int64_t due = tri_wheel_next(&worker->wheel), ahead = tri_clock_now(worker->sched->config.clock) - sim->now;
    return due == INT64_MAX ? due : due - ahead;
}

static uint32_t draw(struct tri_sim *sim, uint32_t n)
{
    return tri_sim_below(sim, TRI_STREAM_SCHEDULE, n);
}

void tri_sim_open(struct tri_sim *sim, uint64_t seed)
{
    struct tri_random random = { seed };
    sim->now = TR_SECONDS(1); /* not 0, which means "none" to some programs */
    sim->seed = seed;
    for (int i = 0; i < TRI_STREAMS; i++)
        sim->streams[i].state = tri_random_next(&random);
    pthread_once(&watch.once, start_watch);
    snprintf(tri_panic_where, sizeof tri_panic_where, "seed %llu of a simulation", (unsigned long long)seed);
    if (!sim->choose)
        sim->choose = draw;
    if (!sim->steps_max)
        sim->steps_max = UINT64_MAX;
    sim->calm = true;
    tri_assert(!tri_sim_here);
    ck_pr_store_ptr(&tri_sim_here, sim);
    mine = true;
}

void tri_sim_close(struct tri_sim *sim)
{
    tri_assert(sim->count == 0 && sim->events == 0);
    tri_memory_put(sim->heap);
    tri_panic_where[0] = 0;
    ck_pr_store_ptr(&tri_sim_here, NULL);
    mine = false;
}

int tri_sim_add(struct tri_sim *sim, struct tri_sched *sched)
{
    int error = 0;
    unsigned opened = 0;
    for (; opened < sched->count && !error; opened++) {
        struct tri_worker *worker = sched->workers[opened];
        worker->random.state = tri_random_next(&sim->streams[TRI_STREAM_USER]);
        error = tri_worker_open(worker);
        tri_worker_here = NULL;
    }
    if (!error && sim->count == TRI_SIM_SYSTEMS_MAX)
        error = TR_ELIMIT;
    if (!error)
        sim->scheds[sim->count++] = sched;
    for (unsigned i = 0; error && i < opened; i++)
        tri_worker_close(sched->workers[i]);
    return error;
}

void tri_sim_remove(struct tri_sim *sim, struct tri_sched *sched)
{
    unsigned i = 0;
    while (sim->scheds[i] != sched)
        i++;
    for (sim->count--; i < sim->count; i++)
        sim->scheds[i] = sim->scheds[i + 1];
    sim->last = sim->stalled = NULL;
    pthread_mutex_lock(&watch.lock); /* nobody looks at them now, and nobody will: none has a turn */
    pthread_mutex_unlock(&watch.lock);
    for (unsigned w = 0; w < sched->count; w++)
        tri_worker_close(sched->workers[w]);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static bool lies(const struct tri_worker *worker)
{
    return worker->state != TRI_RUNNING;
}

static bool is_stalled(const struct tri_sim *sim, const struct tri_worker *worker)
{
    return worker == sim->stalled && sim->now < sim->stalled_until;
}

/* Whether the worker can do anything now: it is awake, somebody has woken it, or its port or a timer will. */
static bool can_play(const struct tri_sim *sim, struct tri_worker *worker)
{
    if (is_stalled(sim, worker))
        return false;
    return worker->state != TRI_PARKED || worker->port->class->has_work(worker->port) || next_timer(sim, worker) <= sim->now;
}

static struct tri_worker *choose_worker(struct tri_sim *sim)
{
    enum { MAX = 16 * TRI_SIM_SYSTEMS_MAX };
    struct tri_worker *able[MAX];
    uint32_t count = 0;
    for (unsigned s = 0; s < sim->count; s++)
        for (unsigned w = 0; w < sim->scheds[s]->count && count < MAX; w++)
            if (can_play(sim, sim->scheds[s]->workers[w]))
                able[count++] = sim->scheds[s]->workers[w];
    if (count < 2)
        return count ? able[0] : NULL;
    if (sim->favourite && sim->choose(sim, 256) < sim->favourite)
        for (uint32_t i = 0; i < count; i++)
            if (able[i] == sim->last)
                return able[i];
    return able[sim->choose(sim, count)];
}

/* Lets another than the next have the next turn: whoever waits in the ring, or among the pinned, comes to its front. */
static void disorder(struct tri_sim *sim, struct tri_worker *worker)
{
    struct tri_runnable *r;
    uint32_t waiting = tri_ring_size(&worker->ring);
    for (uint32_t i = waiting > 1 ? sim->choose(sim, waiting) : 0; i > 0 && (r = tri_ring_pop(&worker->ring)); i--)
        tri_ring_push(&worker->ring, r);
    uint32_t pinned = 0;
    for (r = worker->pinned.first; r; r = (struct tri_runnable *)r->link.next)
        pinned++;
    for (uint32_t i = pinned > 1 ? sim->choose(sim, pinned) : 0; i > 0; i--)
        tri_run_list_append(&worker->pinned, tri_run_list_pop(&worker->pinned));
    worker->pinned_first = sim->choose(sim, 2);
    if (sim->choose(sim, 2))
        worker->in_a_row = TRI_NEXT_IN_A_ROW; /* not the one that was made runnable last */
}

static void run_a_turn(struct tri_sim *sim, struct tri_worker *worker)
{
    worker->turn_messages = 1 + sim->choose(sim, TRI_TURN_MESSAGES);
    worker->attend_due |= sim->choose(sim, 8) == 0;
    if (sim->disorder && sim->choose(sim, 256) < sim->disorder)
        disorder(sim, worker);
    worker->sched->looked = sim->now;
    if (tri_worker_step(worker)) {
        sim->turns++;
        if (sim->turn_ns)
            sim->now += sim->choose(sim, 4) ? 0 : (int64_t)sim->choose(sim, (uint32_t)sim->turn_ns);
    } else {
        tri_worker_lie_down(worker);
    }
}

static void enter(struct tri_sim *sim, struct tri_worker *worker)
{
    tri_worker_here = worker;
    sim->calm = false;
    ck_pr_store_32(&watch.turns, watch.turns + 1);
    ck_pr_store_ptr(&watch.worker, worker); /* for the thread that watches, which takes the lock before it follows it */
}

static void leave(struct tri_sim *sim)
{
    sim->calm = true;
    tri_worker_here = NULL;
    ck_pr_store_ptr(&watch.worker, NULL);
}

static void play(struct tri_sim *sim, struct tri_worker *worker)
{
    enter(sim, worker);
    if (lies(worker)) {
        worker->port->class->poll(worker->port, TRI_NO_WAIT);
        tri_worker_get_up(worker);
    } else {
        run_a_turn(sim, worker);
    }
    leave(sim);
    sim->last = worker;
}

/* All workers get up that can, take in what there is, and one of all the actors that could have a turn has one. */
static bool explore(struct tri_sim *sim)
{
    enum { MAX = 256 };
    struct tri_runnable *able[MAX];
    struct tri_worker *whose[MAX];
    uint32_t count = 0;
    bool moved = false;
    for (unsigned s = 0; s < sim->count; s++)
        for (unsigned w = 0; w < sim->scheds[s]->count; w++) {
            struct tri_worker *worker = sim->scheds[s]->workers[w];
            if (count == MAX || !can_play(sim, worker))
                continue;
            enter(sim, worker);
            if (lies(worker)) {
                worker->port->class->poll(worker->port, TRI_NO_WAIT);
                tri_worker_get_up(worker);
            }
            uint32_t more = tri_worker_able(worker, able + count, MAX - count);
            if (more == 0)
                tri_worker_lie_down(worker);
            leave(sim);
            moved = true;
            while (more--)
                whose[count++] = worker;
        }
    if (count == 0)
        return moved;
    uint32_t i = count > 1 ? sim->explore(sim, able, count) : 0;
    enter(sim, whose[i]);
    whose[i]->turn_messages = 1;
    whose[i]->sched->looked = sim->now;
    tri_worker_step_with(whose[i], able[i]);
    leave(sim);
    sim->turns++;
    return true;
}

int64_t tri_sim_next(const struct tri_sim *sim)
{
    int64_t next = sim->events ? sim->heap[1]->at : INT64_MAX;
    for (unsigned s = 0; s < sim->count; s++)
        for (unsigned w = 0; w < sim->scheds[s]->count; w++) {
            const struct tri_worker *worker = sim->scheds[s]->workers[w];
            int64_t due = is_stalled(sim, worker) ? sim->stalled_until : next_timer(sim, worker);
            next = due < next ? due : next;
        }
    return next;
}

bool tri_sim_step(struct tri_sim *sim, int64_t until)
{
    if (++sim->steps > sim->steps_max)
        return false;
    if (sim->events && sim->heap[1]->at <= sim->now) {
        struct tri_event *event = sim->heap[1];
        tri_sim_cancel(sim, event);
        event->happen(event);
        return true;
    }
    struct tri_worker *worker = sim->explore ? NULL : choose_worker(sim);
    if (worker)
        play(sim, worker);
    if (worker || (sim->explore && explore(sim)))
        return true;
    int64_t next = tri_sim_next(sim);
    if (next == INT64_MAX || next > until)
        return false;
    sim->now = next > sim->now ? next : sim->now;
    return true;
}
