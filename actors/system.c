/*
 * A system's life: open, wait, close.
 *
 * The table of systems is the one thing that foreign threads look at without holding anything. A thread enters by adding
 * itself to the guests of a number and then looking whether a system is there; a system that closes takes itself out and
 * then waits until there are no guests. Both do a full fence between the two, so either the guest sees no system, or the
 * closing one sees the guest. Who sees none from the first does not even add himself: those who keep looking would never
 * let a system close. The entries are static, so looking is always safe.
 */
#include "actors/promise.h"
#include "actors/self.h"
#include "sched/crash.h"
#include "sched/log.h"
#include "sched/sim.h"

#include <troupe/system.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

enum { KILL_PATIENCE_MS = 1000 }; /* for who is killed, after the time to end */

static struct {
    uint32_t guests;
    bool taken; /* for longer than the system is here: until its slots have been given back */
    struct tri_system *system;
} entries[TRI_SYSTEMS_MAX];

static pthread_mutex_t entries_lock = PTHREAD_MUTEX_INITIALIZER; /* of `taken` */
static bool entered;                                             /* there has been a system, in this process */
static unsigned first_number; /* that of the first entry. Changed only in a child before it has a second thread */

/* The entry of a system of this process. */
static unsigned entry_of(unsigned number)
{
    return number - first_number;
}

bool tri_system_elsewhere(unsigned number)
{
    return number < first_number;
}

struct tri_system *tri_system_enter(unsigned number)
{
    unsigned i = entry_of(number);
    if (i >= TRI_SYSTEMS_MAX || !ck_pr_load_ptr(&entries[i].system))
        return NULL;
    ck_pr_inc_32(&entries[i].guests);
    ck_pr_fence_atomic_load(); /* pairs with the fence in leave_table() */
    struct tri_system *system = ck_pr_load_ptr(&entries[i].system);
    ck_pr_fence_acquire(); /* pairs with enter_table(): if it is this system, then none before it has anything left */
    if (!system)
        tri_system_leave(number);
    return system;
}

struct tri_system *tri_system_enter_handle(const tr_system *handle)
{
    uint32_t number = ck_pr_load_32(&handle->number_);
    struct tri_system *system = number ? tri_system_enter(number - 1) : NULL;
    if (!system || ck_pr_load_32(&handle->number_) == number)
        return system;
    tri_system_leave(number - 1); /* it was the next one with that number */
    return NULL;
}

void tri_system_leave(unsigned number)
{
    ck_pr_fence_release();
    ck_pr_dec_32(&entries[entry_of(number)].guests);
}

bool tri_system_any(void)
{
    bool any = false;
    for (unsigned i = 0; i < TRI_SYSTEMS_MAX; i++)
        any |= ck_pr_load_ptr(&entries[i].system) != NULL;
    return any;
}

static bool enter_table(struct tri_system *system)
{
    pthread_mutex_lock(&entries_lock);
    unsigned i = 0;
    while (i < TRI_SYSTEMS_MAX && (entries[i].taken || first_number + i >= TRI_UNUSUAL))
        i++;
    if (i < TRI_SYSTEMS_MAX) {
        system->number = (uint16_t)(first_number + i);
        entries[i].taken = entered = true;
        ck_pr_fence_release(); /* the system before the pointer that guests follow: they take no lock */
        ck_pr_store_ptr(&entries[i].system, system);
    }
    pthread_mutex_unlock(&entries_lock);
    return i < TRI_SYSTEMS_MAX;
}

static void leave_table(struct tri_system *system)
{
    unsigned i = entry_of(system->number);
    ck_pr_store_ptr(&entries[i].system, NULL);
    ck_pr_fence_memory(); /* pairs with the fence in tri_system_enter() */
    while (ck_pr_load_32(&entries[i].guests))
        sched_yield(); /* guests stay for one push */
    ck_pr_fence_acquire();
}

void tr_trim(void)
{
    tri_pools_trim();
    for (unsigned i = 0; i < TRI_SYSTEMS_MAX; i++) {
        struct tri_system *system = tri_system_enter(first_number + i);
        if (!system)
            continue;
        if (ck_pr_load_uint(&system->runs) && !system->config.sched.sim) { /* which has no pools */
            ck_pr_fence_acquire();                                         /* the workers; pairs with tri_system_open() */
            tri_sched_wake_all(&system->sched);
        }
        tri_system_leave(system->number);
    }
    tri_memory_trim();
}

/* A child has no systems. The handler that has forked, if it was one, may go on, but it has no worker any more. */
static void forget_systems(void)
{
    tr_self *self = tri_worker_here ? tri_worker_here->context : NULL;
    if (self)
        self->holds = true; /* so that tri_outbox_push() sees it return */
    tri_worker_here = NULL;
    if (entered && first_number < TRI_UNUSUAL)
        first_number += TRI_SYSTEMS_MAX;
    entered = false;
    memset(entries, 0, sizeof entries);
}

static void at_fork(enum tri_fork when)
{
    if (when == TRI_FORK_BEFORE) {
        pthread_mutex_lock(&entries_lock);
        return;
    }
    if (when == TRI_FORK_CHILD)
        forget_systems();
    pthread_mutex_unlock(&entries_lock);
}

static void slots_at_fork(enum tri_fork when)
{
    tri_table_at_fork(&tri_slots, when);
}

static void promises_at_fork(enum tri_fork when)
{
    tri_table_at_fork(&tri_promises, when);
}

/* ---- who runs, for logs and panics ------------------------------------------------------------------------------- */

static const char *who(char *actor, size_t size)
{
    char ref[TR_REF_TEXT];
    tr_self *self = tri_worker_here ? tri_worker_here->context : NULL;
    if (!self || !self->slot)
        return NULL;
    snprintf(actor, size, "%s %s", self->slot->spec->name ? self->slot->spec->name : "?", tr_ref_text(self->me, ref));
    const tr_type *type = ck_pr_load_ptr(&self->type);
    return self->current && type ? type->name : NULL;
}

/* The same from the monitor's thread: the worker may go on meanwhile, but what is read here never goes away. */
static void describe(struct tri_worker *worker, char *text, size_t size)
{
    char ref[TR_REF_TEXT];
    tr_self *self = worker->context;
    struct tri_runnable *r = ck_pr_load_ptr(&worker->running);
    if (!r) {
        snprintf(text, size, "an actor that has just returned");
        return;
    }
    struct tri_slot *slot = tri_container_of(r, struct tri_slot, run);
    const tr_actor *spec = ck_pr_load_ptr(&slot->spec);
    const tr_type *type = ck_pr_load_ptr(&self->type);
    snprintf(text, size, "actor %s %s, handling %s", spec && spec->name ? spec->name : "?",
        tr_ref_text(tri_slot_ref(slot), ref), type ? type->name : "its start or stop");
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

static int worker_start(struct tri_worker *worker)
{
    struct tri_system *system = worker->sched->config.arg;
    tr_self *self = tri_memory_get_zeroed(sizeof *self);
    if (!self)
        return TR_ENOMEM;
    self->worker = worker;
    self->system = system;
    self->slots.shelf = &system->slots;
    self->pool = worker->pool ? worker->pool : &tri_pool_none;
    self->watched = system->config.watcher != NULL;
    self->usual = self->watched ? TRI_UNUSUAL : system->number;
    worker->context = self;
    system->selves[worker->index] = self;
    return 0;
}

/* Whether an actor that waits in the inbox of a worker that is held may begin elsewhere. It is the caller's. */
static bool may_move(struct tri_runnable *r, struct tri_worker *victim)
{
    struct tri_slot *slot = tri_container_of(r, struct tri_slot, run);
    return r->home == victim->index && slot->status == TRI_STARTING && slot->flags & TRI_SLOT_MOVABLE;
}

/* The self stays: its counters are looked at after the workers have ended. */
static void worker_stop(struct tri_worker *worker)
{
    tr_self *self = worker->context;
    if (!self)
        return;
    tri_loss_tell(&self->losses, worker->now);
    tri_table_empty(&tri_slots, &self->slots);
    tri_table_empty(&tri_promises, &self->promises);
}

/* ---- the root ---------------------------------------------------------------------------------------------------- */

static int spawn_root(struct tri_system *system)
{
    tr_self self = { .system = system, .usual = TRI_UNUSUAL, .slots.shelf = &system->slots };
    int error;
    struct tri_slot *slot = tri_spawn_prepare(&self, system->config.root, system->config.root_arg, TRI_HOME_ANY, &error);
    if (slot) {
        system->root = tri_slot_ref(slot);
        tri_spawn_finish(&self, slot);
        ck_pr_add_64(&system->foreign.spawned, self.counters.spawned);
    }
    tri_table_empty(&tri_slots, &self.slots);
    return error;
}

void tri_system_root_ended(struct tri_system *system, int reason)
{
    system->root_reason = reason;
    ck_pr_fence_release(); /* pairs with the acquire fence in tri_bell_heard(), and with that of root_ends() */
    ck_pr_store_uint(&system->root_ended, 1);
    tri_bell_ring(&system->changed);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_once(void)
{
    tri_who = who;
    tri_crash_what = tri_crash_say;
    tri_at_fork(at_fork);
    tri_at_fork(slots_at_fork);
    tri_at_fork(promises_at_fork);
    tri_at_fork(tri_pool_at_fork);
    tri_promise_init();
}

/* All that it had are free: they are nobody's from now on, and then its number may be another's. */
static void give_back(struct tri_system *system)
{
    if (system->number == TRI_NO_SYSTEM)
        return;
    for (struct tri_free_element *element = system->slots.first; element; element = element->next)
        ck_pr_store_16(&((struct tri_slot *)(void *)element)->run.system, TRI_NO_SYSTEM);
    tri_table_empty(&tri_slots, &system->slots);
    pthread_mutex_lock(&entries_lock);
    entries[entry_of(system->number)].taken = false;
    pthread_mutex_unlock(&entries_lock);
}

static void destroy(struct tri_system *system)
{
    if (system->config.crash_report)
        tri_crash_unwatch();
    give_back(system);
    for (unsigned i = 0; system->selves && i < tri_sched_room(&system->config.sched); i++)
        tri_memory_put(system->selves[i]);
    tri_memory_put(system->selves);
    pthread_mutex_destroy(&system->losses_lock);
    tri_names_destroy(&system->names);
    tri_memory_put(system);
}

static struct tri_system *make(const struct tri_system_config *config)
{
    struct tri_system *system = tri_memory_get_zeroed(sizeof *system);
    if (!system)
        return NULL;
    system->config = *config;
    if (config->crash_report)
        tri_crash_watch();
    if (config->sched.sim)
        tri_crash_thread_begin(); /* for as long as it lives: others of its systems may come and go */
    system->state = TRI_SYSTEM_OPEN;
    system->number = TRI_NO_SYSTEM; /* yet */
    tri_names_init(&system->names);
    pthread_mutex_init(&system->losses_lock, NULL);
    system->selves = tri_memory_get_zeroed(tri_sched_room(&config->sched) * sizeof *system->selves);
    if (system->selves)
        return system;
    destroy(system);
    return NULL;
}

int tri_system_open(const struct tri_system_config *config, struct tri_system **result)
{
    pthread_once(&once, init_once);
    struct tri_system *system = make(config);
    if (!system)
        return TR_ENOMEM;
    if (!enter_table(system)) {
        tri_log(TR_LOG_ERROR, "%d systems exist already, or too many generations of processes had some", TRI_SYSTEMS_MAX);
        destroy(system);
        return TR_ELIMIT;
    }
    struct tri_sched_config *sched = &system->config.sched;
    sched->turn = system->config.watcher ? tri_turn_watched : tri_turn;
    sched->errand = tri_promise_errand;
    sched->fire = tri_promise_fire;
    sched->worker_start = worker_start;
    sched->worker_stop = worker_stop;
    sched->describe = describe;
    sched->waits = tri_outbox_waits;
    sched->rescue = tri_outbox_rescue;
    sched->stays = tri_promise_stays;
    sched->move = may_move;
    sched->arg = system;
    tri_blocking_open(&system->blocking, config->blocking_threads);

    int error = tri_sched_start(&system->sched, sched);
    if (!error) {
        ck_pr_fence_release(); /* the workers before the word that there are some; pairs with tr_trim() */
        ck_pr_store_uint(&system->runs, 1);
    }
    if (!error && (error = spawn_root(system))) {
        leave_table(system);
        tri_sched_stop(&system->sched);
    } else if (error) {
        leave_table(system);
    }
    if (error) {
        tri_blocking_close(&system->blocking, TR_FOREVER);
        destroy(system);
        return error;
    }
    *result = system;
    return 0;
}

/* ---- waiting and closing ----------------------------------------------------------------------------------------- */

void tri_system_stop(struct tri_system *system)
{
    ck_pr_store_uint(&system->stop_wanted, 1);
    tri_bell_ring(&system->changed);
}

static void insist(struct tri_system *system)
{
    ck_pr_store_uint(&system->insisted, 1);
    tri_system_stop(system);
}

static void with_system(tr_system *handle, void (*function)(struct tri_system *system))
{
    struct tri_system *system = tri_system_enter_handle(handle);
    if (!system)
        return;
    function(system);
    tri_system_leave(system->number);
}

void tr_stop(tr_system *handle)
{
    ck_pr_store_32(&handle->stop_, 1);
    ck_pr_fence_memory(); /* pairs with the fence in tri_system_attach(): one of the two sees the other's word */
    with_system(handle, tri_system_stop);
}

void tri_insist(tr_system *handle)
{
    with_system(handle, insist);
}

void tri_system_attach(struct tri_system *system, tr_system *handle)
{
    ck_pr_store_32(&handle->number_, system->number + 1u);
    ck_pr_fence_memory();
    if (ck_pr_load_32(&handle->stop_))
        tri_system_stop(system);
}

void tr_shutdown(tr_self *self)
{
    tri_check_self(self, "tr_shutdown");
    tri_system_stop(self->system);
}

static int64_t now_of(const struct tri_system *system)
{
    return tri_clock_now(system->config.sched.clock);
}

/* Waits until something has changed since `heard` or the deadline has come: false then. A simulation goes on meanwhile. */
static bool wait_for_change(struct tri_system *system, uint32_t heard, int64_t deadline)
{
    struct tri_sim *sim = system->config.sched.sim;
    if (!sim)
        return tri_bell_wait(&system->changed, heard, deadline);
    if (!tri_sim_step(sim, deadline) && deadline > sim->now)
        sim->now = deadline;
    return sim->now < deadline;
}

void tri_system_wait(struct tri_system *system)
{
    for (;;) {
        uint32_t heard = tri_bell_heard(&system->changed);
        if (ck_pr_load_uint(&system->root_ended) || ck_pr_load_uint(&system->stop_wanted))
            return;
        tri_bell_wait(&system->changed, heard, TR_FOREVER);
    }
}

/* Waits until the root has ended: true, or false when the deadline has passed or somebody insists. */
static bool root_ends(struct tri_system *system, int64_t deadline, bool *insisted)
{
    for (bool in_time = true;;) {
        uint32_t heard = tri_bell_heard(&system->changed);
        bool ended = ck_pr_load_uint(&system->root_ended);
        ck_pr_fence_acquire(); /* its reason */
        *insisted = ck_pr_load_uint(&system->insisted);
        if (ended || !in_time || *insisted)
            return ended;
        in_time = wait_for_change(system, heard, deadline);
    }
}

static void pause_ms(struct tri_system *system, int ms)
{
    int64_t until = now_of(system) + TR_MS(ms);
    while (wait_for_change(system, tri_bell_heard(&system->changed), until) && system->config.sched.sim)
        ;
}

/* How many actors there are; 0 only if there are none: those that have ended are counted first, so what one of them spawned
 * before is seen. */
static uint64_t living(struct tri_system *system)
{
    uint64_t ended = tri_system_count(system).ended;
    ck_pr_fence_load(); /* pairs with the fence in tri_slot_release() */
    return tri_system_count(system).spawned - ended;
}

static void kill_all(struct tri_system *system)
{
    uint32_t slots = tri_table_chunks(&tri_slots) << TRI_TABLE_CHUNK_BITS;
    for (uint32_t i = 1; i < slots; i++) {
        struct tri_slot *slot = tri_slot_at(i);
        if (ck_pr_load_64(&slot->box.word) != TRI_WORD_CLOSED && ck_pr_load_16(&slot->run.system) == system->number)
            tri_signal(NULL, tri_slot_ref(slot), TRI_SIGNAL_KILL);
    }
}

/* Names the handlers that do not return. */
static void name_stragglers(struct tri_system *system)
{
    for (unsigned i = 0; i < tri_sched_all(&system->sched); i++) {
        char what[256] = "";
        struct tri_worker *worker = system->sched.workers[i];
        if (!ck_pr_load_ptr(&worker->running))
            continue;
        describe(worker, what, sizeof what);
        tri_log(TR_LOG_ERROR, "shutdown: worker %u is still held by %s", i, what);
    }
}

/* A job that runs when nobody waits for it any more. */
static void name_job(const struct tri_runner *runner)
{
    char ref[TR_REF_TEXT];
    const char *name = ck_pr_load_ptr(&runner->owner);
    if (name)
        tri_log(TR_LOG_ERROR, "shutdown: a job of actor %s %s has not returned", name,
            tr_ref_text((tr_ref){ ck_pr_load_64(&runner->owner_ref) }, ref));
}

/* Ends all actors that are left: true, or false when some are after the deadline. */
static bool all_end(struct tri_system *system, int64_t deadline)
{
    while (living(system)) {
        if (now_of(system) > deadline) {
            tri_log(TR_LOG_ERROR, "shutdown: %" PRIu64 " actors have not ended", living(system));
            name_stragglers(system);
            return false;
        }
        kill_all(system);
        pause_ms(system, 1);
    }
    return true;
}

static void check_balance(struct tri_system *system)
{
    struct tri_counters sum = tri_system_count(system);
    uint64_t fates = sum.delivered;
    for (unsigned i = 0; i < TRI_FATES; i++)
        fates += sum.fate[i];
    if (sum.sent != fates)
        tri_panic("shutdown: %" PRIu64 " messages were sent, but %" PRIu64 " had a fate", sum.sent, fates);
}

bool tri_system_end(struct tri_system *system, int *result)
{
    int64_t deadline = tri_time_add(now_of(system), system->config.shutdown_ns);

    system->blocking.late = name_job; /* the pool has not been closed, so nobody looks */
    ck_pr_store_uint(&system->state, TRI_SYSTEM_STOPPING);
    ck_pr_fence_memory(); /* before anybody living is counted; pairs with tr_probe_open() */
    tri_ask_to_end(NULL, system->root, TR_ESHUTDOWN);
    bool insisted, in_time = root_ends(system, deadline, &insisted);
    if (!in_time)
        tri_log(TR_LOG_ERROR, "shutdown: the root actor has not ended%s; all actors are killed", insisted ? "" : " in time");
    int64_t soonest = tri_time_add(now_of(system), TR_MS(KILL_PATIENCE_MS));
    if (insisted || deadline < soonest)
        deadline = soonest;
    bool empty = all_end(system, deadline);
    unsigned blocked = tri_blocking_close(&system->blocking, deadline);
    if (blocked)
        tri_log(TR_LOG_ERROR, "shutdown: %u blocking jobs have not returned", blocked);
    *result = TR_ETIMEDOUT;
    if (!empty || blocked)
        return false;
    leave_table(system);
    tri_sched_stop(&system->sched);
    tri_loss_tell(&system->losses, now_of(system));
    check_balance(system);
    if (in_time)
        *result = system->root_reason == TR_ESHUTDOWN ? 0 : system->root_reason;
    return true;
}

void tri_system_free(struct tri_system *system)
{
    destroy(system);
    tri_pools_trim_closed();
}
