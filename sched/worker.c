/*
 * The places where threads meet: `inbox` and `errands` are stacks (ck_stack: many push, the owner takes all), `ring` has
 * its proof in run_ring.h, `state` has it in sched.h, and `next` is one pointer: whoever takes what is in it, the owner, or
 * a thief when the monitor has marked the worker as stuck, exchanges it for NULL, so exactly one gets it. Only the owner
 * puts anything in: by an exchange that gives it what it displaces; or, where there was nothing, by a store, for nobody else
 * makes something of nothing.
 */
#include "mailbox/pool.h"
#include "sched/rescue.h"

#include <troupe/check.h>

TRI_THREAD_LOCAL struct tri_worker *tri_worker_here;

/* ---- queues ------------------------------------------------------------------------------------------------------ */

/* The ring is full: its older half goes to the system, in order, as one batch if there is memory, and r into the ring. */
static TRI_COLD void overflow(struct tri_worker *worker, struct tri_runnable *r)
{
    tri_tag tag;
    struct tri_run_batch *batch = tri_block_get(sizeof *batch, &tag);
    struct tri_run_list list = { 0 };
    uint32_t count = 0;
    struct tri_runnable *old;
    for (bool last = false; !last; count++) {
        last = count == TRI_RING_SIZE / 2 || !(old = tri_ring_pop(&worker->ring));
        if (last && tri_ring_push(&worker->ring, r))
            break;
        if (batch)
            batch->entry[count] = last ? r : old;
        else
            tri_run_list_append(&list, last ? r : old);
    }
    if (batch && count) {
        batch->tag = tag;
        batch->count = count;
        tri_sched_give_batch(worker->sched, batch);
    } else if (batch) { /* thieves were here, and r has found room after all */
        tri_block_put(batch, tag);
    } else {
        tri_sched_give(worker->sched, list, count);
    }
}

static void push_ring(struct tri_worker *worker, struct tri_runnable *r)
{
    if (tri_unlikely(!tri_ring_push(&worker->ring, r)))
        overflow(worker, r);
}

void tri_worker_schedule_slowly(struct tri_worker *worker, struct tri_runnable *r)
{
    if (r->home != TRI_HOME_ANY) {
        struct tri_runnable *displaced = r;
        if (r->home != worker->index) {
            tri_worker_deliver(worker->sched->workers[r->home], r);
            return;
        }
        if (worker->running) {
            displaced = worker->next_pinned;
            worker->next_pinned = r;
        }
        if (displaced)
            tri_run_list_append(&worker->pinned, displaced);
        return;
    }
    if (worker->own) { /* only what is pinned to it runs here */
        tri_sched_inject(worker->sched, r);
        return;
    }
    if (worker->running) {
        ck_pr_fence_release(); /* the runnable before the pointer to it, for a thief */
        r = ck_pr_fas_ptr(&worker->next, r);
    }
    if (r)
        push_ring(worker, r);
}

void tri_worker_requeue(struct tri_worker *worker, struct tri_runnable *r)
{
    if (r->home == TRI_HOME_ANY)
        push_ring(worker, r);
    else if (r->home == worker->index)
        tri_run_list_append(&worker->pinned, r);
    else
        tri_worker_deliver(worker->sched->workers[r->home], r);
}

void tri_worker_deliver(struct tri_worker *home, struct tri_runnable *r)
{
    ck_pr_fence_release();
    ck_stack_push_upmc(&home->inbox, &r->link);
    ck_pr_fence_atomic_load(); /* publish, fence, look: pairs with the one in announce_sleep() */
    if (ck_pr_load_uint(&home->state) == TRI_PARKED && ck_pr_cas_uint(&home->state, TRI_PARKED, TRI_NOTIFIED))
        home->port->class->wake(home->port);
}

void tri_worker_errand(struct tri_worker *worker, struct ck_stack_entry *errand)
{
    ck_pr_fence_release();
    ck_stack_push_upmc(&worker->errands, errand);
}

struct tri_run_list tri_worker_take_inbox(struct tri_worker *worker)
{
    struct tri_run_list list = { 0 };
    struct ck_stack_entry *entry = ck_stack_batch_pop_upmc(&worker->inbox), *oldest = NULL, *next;
    ck_pr_fence_acquire(); /* pairs with tri_worker_deliver() */
    for (; entry; entry = next) {
        next = entry->next;
        entry->next = oldest;
        oldest = entry;
    }
    for (; oldest; oldest = next) {
        next = oldest->next;
        tri_run_list_append(&list, tri_container_of(oldest, struct tri_runnable, link));
    }
    return list;
}

static void take_inbox(struct tri_worker *worker)
{
    if (!ck_pr_load_ptr(&worker->inbox.head))
        return;
    struct tri_run_list list = tri_worker_take_inbox(worker);
    for (struct tri_runnable *r; (r = tri_run_list_pop(&list));)
        tri_run_list_append(&worker->pinned, r);
}

void tri_worker_run_errands(struct tri_worker *worker)
{
    if (!ck_pr_load_ptr(&worker->errands.head))
        return;
    tri_possession_enter(&worker->possession);
    tri_worker_take_errands(worker);
    tri_possession_leave(&worker->possession);
}

void tri_worker_take_errands(struct tri_worker *worker)
{
    struct ck_stack_entry *entry = ck_stack_batch_pop_upmc(&worker->errands), *next;
    for (; entry; entry = next) {
        next = entry->next;
        worker->sched->config.errand(worker, entry);
    }
}

static struct tri_runnable *take_pinned_next(struct tri_worker *worker)
{
    struct tri_runnable *r = worker->next_pinned;
    if (r)
        worker->next_pinned = NULL;
    return r;
}

/* What was made runnable last has had its share: it queues behind the others. */
static void queue_next(struct tri_worker *worker)
{
    struct tri_runnable *r = take_pinned_next(worker);
    if (r)
        tri_run_list_append(&worker->pinned, r);
    if ((worker->pinned.first || tri_ring_size(&worker->ring)) && (r = tri_worker_take_next(worker)))
        push_ring(worker, r);
}

enum { AHEAD = 1 }; /* what runs next but one: near by when it does */
static inline void prefetch(const void *r)
{
    __builtin_prefetch(r, 1);
    __builtin_prefetch((const char *)r + TRI_LINE, 1);
}

/* What to run when `next` has had its share, or is empty; NULL when the worker's own places are. */
static TRI_NOINLINE struct tri_runnable *pick_queued(struct tri_worker *worker)
{
    struct tri_runnable *r;
    if (worker->in_a_row) {
        worker->in_a_row = 0;
        queue_next(worker);
    }
    worker->pinned_first = !worker->pinned_first;
    if (worker->pinned_first && (r = tri_run_list_pop(&worker->pinned)))
        return r;
    if ((r = tri_ring_pop(&worker->ring))) {
        if (tri_ring_size(&worker->ring) > AHEAD)
            prefetch(ck_pr_load_ptr(&worker->ring.slot[(ck_pr_load_32(&worker->ring.head) + AHEAD) % TRI_RING_SIZE]));
        return r;
    }
    if ((r = tri_run_list_pop(&worker->pinned)))
        return r;
    return tri_worker_take_next(worker);
}

TRI_INLINE struct tri_runnable *pick(struct tri_worker *worker)
{
    struct tri_runnable *r;
    if (tri_unlikely(worker->attend_due))
        tri_worker_attend(worker);
    if (tri_unlikely(ck_pr_load_ptr(&worker->inbox.head) != NULL))
        take_inbox(worker);
    if (worker->in_a_row < TRI_NEXT_IN_A_ROW && ((r = take_pinned_next(worker)) || (r = tri_worker_take_next(worker)))) {
        worker->in_a_row++;
        return r;
    }
    return pick_queued(worker);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

/* The monitor has come by. How many messages make up a look at the clock is of the past: what comes now may take longer. So
 * the next one is followed by a look, and if it is time by the clock the worker looks around. */
static TRI_NOINLINE void called(struct tri_worker *worker)
{
    ck_pr_store_uint(&worker->stuck, 0);
    ck_pr_store_uint(&worker->look, 0);
    worker->glance = worker->glance_every = 1;
}

TRI_INLINE void run(struct tri_worker *worker, struct tri_runnable *r)
{
    tri_worker_begin(worker, r);
    worker->sched->config.turn(worker, r);
    ck_pr_store_ptr(&worker->running, NULL);
    if (tri_unlikely(ck_pr_load_uint(&worker->stuck) | ck_pr_load_uint(&worker->look)))
        called(worker);
}

TRI_INLINE bool step(struct tri_worker *worker)
{
    struct tri_runnable *r = pick(worker);
    if (!r)
        return false;
    run(worker, r);
    return true;
}

bool tri_worker_step(struct tri_worker *worker)
{
    return step(worker);
}

/* The clock costs as much as several messages, so it is not read for each. How many make up about TRI_GLANCE_NS is
 * learned: slow handlers soon have it read for every message. */
bool tri_worker_glance(struct tri_worker *worker)
{
    int64_t now = tri_clock_now(worker->sched->config.clock), passed = now - worker->now;
    worker->glanced += worker->glance_every;
    if (passed < TRI_GLANCE_NS / 2)
        worker->glance_every = worker->glance_every < TRI_TURN_MESSAGES / 2 ? worker->glance_every * 2 : TRI_TURN_MESSAGES;
    else if (passed > TRI_GLANCE_NS)
        worker->glance_every = (uint32_t)(worker->glance_every * TRI_GLANCE_NS / passed) + 1;
    worker->glance = worker->glance_every;
    worker->now = now;
    if (now - worker->attended >= TRI_ATTEND_NS)
        worker->attend_due = true;
    return now - worker->turn_start >= TRI_TURN_NS;
}

/* ---- between turns ----------------------------------------------------------------------------------------------- */

static void note_fire(struct tri_timer *timer, void *worker_)
{
    struct tri_worker *worker = worker_;
    if (worker->fired != worker->now) {
        worker->fired_before = worker->fired;
        worker->fired = worker->now;
        worker->fired_then = 0;
    }
    worker->fired_then++;
    worker->sched->config.fire(timer, worker);
}

/* What has come counts before the time that is over. One look at the port may not take all of it; and a worker that comes late,
 * because it was held or the process was stopped, has not looked since. */
static void look_before_timers(struct tri_worker *worker)
{
    int64_t due = tri_wheel_due(&worker->wheel);
    bool late = due < worker->now - TRI_LATE_NS && !worker->sched->config.sim; /* nobody stops a simulation */
    for (int i = 0; due <= worker->now && (late || worker->port->more) && i < TRI_LOOKS; i++) {
        worker->port->class->poll(worker->port, TRI_NO_WAIT);
        late = false;
    }
}

static bool timers_due(struct tri_worker *worker)
{
    look_before_timers(worker);
    size_t most = TR_BUGGIFY() ? 1 : TRI_TIMERS_AT_ONCE;
    tri_possession_enter(&worker->possession);
    if (tri_unlikely(!cork_dllist_is_empty(&worker->wheel.put_off)))
        tri_wheel_resume(&worker->wheel);
    bool more = tri_wheel_expire(&worker->wheel, worker->now, most, note_fire, worker);
    tri_possession_leave(&worker->possession);
    return more;
}

/* When to wake up for timers. To wake up costs more than to fire a hundred: for one of them to the nanosecond; for some that
 * are close together once a tick; and once in TRI_TIMERS_APART ticks where they have come by eight or more a tick. */
static int64_t next_timer(struct tri_worker *worker)
{
    if (worker->attend_due) /* some that are due are left */
        return TRI_NO_WAIT;
    tri_possession_enter(&worker->possession);
    int64_t next = tri_wheel_next(&worker->wheel), tick = (int64_t)1 << TRI_WHEEL_TICK_BITS;
    tri_possession_leave(&worker->possession);
    bool crowd = worker->fired_then * tick >= 8 * (worker->fired - worker->fired_before);
    int64_t soonest = worker->fired + (crowd ? TRI_TIMERS_APART : 1) * tick;
    return next < soonest ? soonest : next;
}

/* While the ring never runs empty: when all that was in it has left it since the last time, its older half goes behind what
 * waits in the system. */
static void make_room(struct tri_worker *worker)
{
    uint32_t head = ck_pr_load_32(&worker->ring.head);
    if (tri_ring_size(&worker->ring) <= TRI_RING_SIZE / 2 || head - worker->made_room < TRI_RING_SIZE)
        return;
    struct tri_runnable *r = tri_ring_pop(&worker->ring);
    if (r)
        overflow(worker, r);
    worker->made_room = ck_pr_load_32(&worker->ring.head);
}

static uint32_t room_in(const struct tri_worker *worker)
{
    return TRI_RING_SIZE - tri_ring_size(&worker->ring);
}

static bool take_list(struct tri_worker *worker)
{
    struct tri_sched *sched = worker->sched;
    uint32_t share = ck_pr_load_32(&sched->global_length) / sched->count + 1, room = room_in(worker);
    if (TR_BUGGIFY())
        share = 1;
    if (share > TRI_RING_SIZE / 2)
        share = TRI_RING_SIZE / 2;
    struct tri_run_list list = tri_sched_take(sched, share < room ? share : room);
    struct tri_runnable *r;
    bool any = list.first != NULL;
    while ((r = tri_run_list_pop(&list)))
        push_ring(worker, r);
    return any;
}

static bool take_batch(struct tri_worker *worker)
{
    struct tri_run_batch *batch = tri_sched_take_batch(worker->sched, room_in(worker));
    if (!batch)
        return false;
    for (uint32_t i = 0; i < batch->count; i++)
        push_ring(worker, batch->entry[i]);
    tri_block_put(batch, batch->tag);
    return true;
}

/* Takes a share of what the system has, of the list and of the batches, now these first, now that. */
static bool take_global(struct tri_worker *worker)
{
    if (ck_pr_load_32(&worker->sched->global_length) == 0)
        return false;
    make_room(worker);
    worker->list_first = !worker->list_first;
    bool list = worker->list_first && take_list(worker), batch = take_batch(worker);
    return (!worker->list_first && take_list(worker)) || list || batch;
}

/* Whether what waits here should rather run elsewhere. An actor that moves takes its state along, and what it sends and is
 * sent goes from core to core: some hundred nanoseconds each. So it depends on time, not on numbers: on how long a message
 * and a turn take here, which the looks at the clock tell. Many that wait are worth it if a message for each takes long
 * together; and two are if their turns take long, and not because they have so many messages (a stage of a pipeline that
 * works, as against one that passes on). */
static void weigh(struct tri_worker *worker)
{
    uint32_t waiting = tri_ring_size(&worker->ring), turns = worker->turns - worker->turns_then;
    int64_t passed = worker->now - worker->weighed;
    if (worker->glanced && turns) {
        worker->message_ns = passed / worker->glanced;
        worker->turn_ns = passed / turns;
        worker->weighed = worker->now;
        worker->turns_then = worker->turns;
        worker->glanced = 0;
    }
    bool heavy = worker->turn_ns >= TRI_HEAVY_TURN_NS && worker->message_ns >= TRI_HEAVY_NS;
    bool worth = waiting >= 2 && (heavy || waiting * worker->message_ns >= TRI_WORTH_NS);
    if (worth != ck_pr_load_uint(&worker->offers))
        ck_pr_store_uint(&worker->offers, worth);
}

/* In a simulation nothing takes time, and all that can happen is to happen. */
static bool offers(const struct tri_worker *worker)
{
    return ck_pr_load_uint(&worker->offers) || worker->sched->config.sim;
}

/* What is offered at two looks in a row is worth waking somebody for, and so is what has not found room in the ring. */
static void share_surplus(struct tri_worker *worker)
{
    bool some = offers(worker) || ck_pr_load_32(&worker->sched->global_length);
    bool surplus = some && tri_ring_size(&worker->ring) >= 2;
    if (surplus && worker->had_surplus && ck_pr_load_32(&worker->sched->sleepers))
        tri_sched_wake_one(worker->sched);
    worker->had_surplus = surplus;
}

void tri_worker_attend(struct tri_worker *worker)
{
    worker->now = tri_clock_now(worker->sched->config.clock);
    worker->attended = worker->now;
    weigh(worker);
    worker->attend_due = false;
    tri_worker_run_errands(worker);
    if (worker->port->class->has_work(worker->port))
        worker->port->class->poll(worker->port, TRI_NO_WAIT);
    if (timers_due(worker))
        worker->attend_due = true;
    if (!worker->own) {
        tri_rescue(worker);
        take_global(worker);
        share_surplus(worker);
    }
    tri_pool_flush();
}

/* ---- exploring --------------------------------------------------------------------------------------------------- */

uint32_t tri_worker_able(struct tri_worker *worker, struct tri_runnable **able, uint32_t max)
{
    uint32_t count = 0;
    tri_worker_attend(worker);
    take_inbox(worker);
    queue_next(worker);
    struct tri_runnable *r = tri_worker_take_next(worker);
    if (r)
        push_ring(worker, r);
    for (r = worker->pinned.first; r && count < max; r = (struct tri_runnable *)r->link.next)
        able[count++] = r;
    for (uint32_t left = tri_ring_size(&worker->ring); left > 0 && (r = tri_ring_pop(&worker->ring)); left--) {
        if (count < max)
            able[count++] = r;
        tri_ring_push(&worker->ring, r);
    }
    return count;
}

void tri_worker_step_with(struct tri_worker *worker, struct tri_runnable *chosen)
{
    struct tri_run_list others = { 0 };
    struct tri_runnable *r;
    while ((r = tri_run_list_pop(&worker->pinned)))
        if (r != chosen)
            tri_run_list_append(&others, r);
    worker->pinned = others;
    for (uint32_t left = tri_ring_size(&worker->ring); left > 0 && (r = tri_ring_pop(&worker->ring)); left--)
        if (r != chosen)
            tri_ring_push(&worker->ring, r);
    run(worker, chosen);
}

/* ---- stealing and sleeping --------------------------------------------------------------------------------------- */

/* Whether it has been in a turn for longer than one lasts: what waits behind that handler may go, whatever it last offered. */
static bool tarries(const struct tri_worker *victim)
{
    int64_t since = (int64_t)ck_pr_load_64((const uint64_t *)&victim->turn_start);
    return ck_pr_load_ptr(&victim->running) && tri_clock_now(victim->sched->config.clock) - since >= TRI_TURN_NS;
}

/* Half of what waits in the victim's ring, if that is surplus: two or more that it offers, or anything when the victim is
 * stuck. */
static bool steal_from(struct tri_worker *worker, struct tri_worker *victim)
{
    bool stuck = ck_pr_load_uint(&victim->stuck);
    if (!stuck && !offers(victim) && !(tri_ring_size(&victim->ring) >= 2 && tarries(victim)))
        return false;
    if (tri_ring_steal(&worker->ring, &victim->ring, stuck ? 1 : 2))
        return true;
    struct tri_runnable *r = stuck ? tri_worker_take_next(victim) : NULL;
    if (r)
        push_ring(worker, r);
    return r != NULL;
}

static bool steal(struct tri_worker *worker)
{
    struct tri_sched *sched = worker->sched;
    if (sched->count == 1)
        return false; /* and nothing is drawn: what the program draws follows from the seed */
    uint32_t start = tri_random_below(&worker->random, sched->count);
    for (unsigned i = 0; i < sched->count; i++) {
        struct tri_worker *victim = sched->workers[(start + i) % sched->count];
        if (victim != worker && steal_from(worker, victim)) {
            ck_pr_store_32(&worker->steals, worker->steals + 1);
            return true;
        }
    }
    return false;
}

/* Searches the others' rings, if nobody else does. */
static bool search(struct tri_worker *worker)
{
    struct tri_sched *sched = worker->sched;
    if (sched->count == 1)
        return false;
    if (!worker->searching) {
        if (ck_pr_load_32(&sched->searchers) || !ck_pr_cas_32(&sched->searchers, 0, 1))
            return false;
        worker->searching = true;
    }
    return steal(worker);
}

static void stop_searching(struct tri_worker *worker)
{
    if (!worker->searching)
        return;
    worker->searching = false;
    ck_pr_fence_release();
    ck_pr_store_32(&worker->sched->searchers, 0);
}

static bool nothing_came(struct tri_worker *worker)
{
    return !ck_pr_load_ptr(&worker->inbox.head) && (worker->own || !ck_pr_load_32(&worker->sched->global_length)) &&
        !ck_pr_load_uint(&worker->sched->stopping);
}

/* Announce, fence, look again: pairs with tri_worker_deliver and tri_sched_inject. */
static bool announce_sleep(struct tri_worker *worker)
{
    ck_pr_store_uint(&worker->state, TRI_PARKED);
    ck_pr_inc_32(worker->own ? &worker->sched->own_sleepers : &worker->sched->sleepers);
    ck_pr_fence_atomic_load();
    return nothing_came(worker);
}

bool tri_worker_lie_down(struct tri_worker *worker)
{
    tri_worker_run_errands(worker);
    worker->had_surplus = false;
    if (!worker->own && (take_global(worker) || search(worker))) {
        stop_searching(worker);
        return false;
    }
    stop_searching(worker);
    tri_pool_flush();
    if (announce_sleep(worker))
        return true;
    if (worker->port->class->has_work(worker->port))
        worker->port->class->poll(worker->port, TRI_NO_WAIT);
    tri_worker_get_up(worker);
    return false;
}

void tri_worker_get_up(struct tri_worker *worker)
{
    struct tri_sched *sched = worker->sched;
    if (ck_pr_fas_uint(&worker->state, TRI_RUNNING) == TRI_NOTIFIED_SEARCH)
        worker->searching = true;
    ck_pr_dec_32(worker->own ? &sched->own_sleepers : &sched->sleepers);
    ck_pr_store_32(&worker->parks, worker->parks + 1);
    ck_pr_fence_atomic_load(); /* RUNNING before the look whether the monitor sleeps; pairs with sleep_until_poked() */
    tri_monitor_poke(sched);
    worker->now = tri_clock_now(sched->config.clock);
    worker->attended = worker->weighed = worker->now;
    worker->turns_then = worker->turns;
    worker->glanced = 0;
    if (timers_due(worker))
        worker->attend_due = true;
    if (!worker->own)
        tri_rescue(worker);
    if (worker->searching) { /* before anything else: nobody else may search until it has */
        if (!take_global(worker) && !tri_ring_size(&worker->ring))
            steal(worker);
        stop_searching(worker);
    }
}

/* With nothing to run: whether it has looked again rather than to sleep, for what comes soon then need not wake anybody. Then
 * there may be something to run now. */
static bool spin(struct tri_worker *worker)
{
    int64_t most = worker->sched->config.spin_ns;
    if (most == 0)
        return false;
    if (worker->spun_turns != worker->turns) {
        worker->spun_turns = worker->turns;
        worker->spun_since = tri_clock_now(worker->sched->config.clock);
    } else if (worker->now - worker->spun_since >= most) {
        return false;
    }
    ck_pr_stall();
    tri_worker_attend(worker);
    if (!tri_ring_size(&worker->ring)) { /* else there is work, and a thief's ring must be empty */
        search(worker);
        stop_searching(worker);
    }
    return true;
}

/* The same for a worker of one actor, which has nothing but what is pinned to it. */
static bool step_own(struct tri_worker *worker)
{
    if (worker->attend_due)
        tri_worker_attend(worker);
    take_inbox(worker);
    struct tri_runnable *r = take_pinned_next(worker);
    if (!r && !(r = tri_run_list_pop(&worker->pinned)))
        return false;
    run(worker, r);
    return true;
}

void tri_worker_loop(struct tri_worker *worker)
{
    while (!ck_pr_load_uint(&worker->sched->stopping)) {
        bool ran = worker->own ? step_own(worker) : step(worker) || spin(worker);
        if (ran || !tri_worker_lie_down(worker))
            continue;
        worker->port->class->poll(worker->port, next_timer(worker));
        tri_worker_get_up(worker);
    }
}
