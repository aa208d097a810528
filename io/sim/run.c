#include "io/sim/ledger.h"
#include "io/sim/script.h"

#include "actors/promise.h"
#include "actors/self.h"
#include "io/run.h"
#include "io/shortage.h"
#include "mailbox/memory.h"
#include "mailbox/panic.h"
#include "sched/check.h"
#include "sched/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKERS = 2,
    WORKERS_MAX = 16,
    BUGGIFY = 250000,
    STEPS_MAX = 10000000,
};

#define LATENCY_MAX_NS TR_SECONDS(4)

/* A job of tr_block, or what stands in for a thread. */
struct tri_sim_job {
    struct tri_event event;
    struct tri_job *job; /* or: */
    void (*function)(void *arg);
    void *arg;
    struct tri_sim_node *node;
    struct tri_sim_job *next;
};

struct tri_sim_node *tri_sim_node_of(struct tri_sim_world *world, const struct tri_sched *sched)
{
    unsigned i = 0;
    while (&world->nodes[i].system->sched != sched)
        i++;
    return &world->nodes[i];
}

/* ---- what goes wrong --------------------------------------------------------------------------------------------- */

void tri_world_fails(struct tri_sim_world *world, int error, const char *format, ...)
{
    tr_sim_result *result = world->result;
    va_list arguments;
    if (result->error)
        return;
    result->error = error;
    va_start(arguments, format);
    vsnprintf(result->what, sizeof result->what, format, arguments);
    va_end(arguments);
}

static void check_failed(const tr_check *check)
{
    struct tri_sim_world *world = tri_world();
    struct tri_worker *worker = tri_worker_here;
    const char *slash = strrchr(check->file, '/');
    tr_self *self = worker ? worker->context : NULL;
    tri_world_fails(world, TR_EFAULT, "%s:%d: it is not so that %s (%s)", slash ? slash + 1 : check->file, check->line,
        check->text, self && self->slot && self->slot->spec->name ? self->slot->spec->name : "outside of an actor");
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static bool refuse_memory(void)
{
    struct tri_sim_world *world = tri_sim_mine() ? tri_world() : NULL; /* others' requests are not its, nor may they look */
    if (!world || world->sim.calm)
        return false;
    if (++world->result->requests != world->options.fail_memory)
        return tri_fault(world, TRI_FAULT_out_of_memory);
    tri_trace_fault(world, "out_of_memory", TR_NOBODY, NULL);
    return true;
}

/* What is held, but for the first chunks of the tables of slots and promises, which stay. (Others are not counted.) */
static int64_t held(void)
{
    return tri_memory_live() - (tri_table_chunks(&tri_slots) > 0) - (tri_table_chunks(&tri_promises) > 0);
}

/* ---- blocking jobs ----------------------------------------------------------------------------------------------- */

static void take_job(struct tri_sim_job *job, bool canceled)
{
    struct tri_sim_job **at = &job->node->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    tri_sim_cancel(&job->node->world->sim, &job->event);
    if (job->job)
        job->job->run(job->job, canceled);
    else if (!canceled)
        job->function(job->arg);
    tri_memory_put(job);
}

static void on_job(struct tri_event *event)
{
    take_job(tri_container_of(event, struct tri_sim_job, event), false);
}

static void do_later(struct tri_sim_node *node, int64_t delay, struct tri_sim_job job)
{
    struct tri_sim *sim = &node->world->sim;
    struct tri_sim_job *later = tri_sim_memory(sim, sizeof *later);
    *later = job;
    later->event.happen = on_job;
    later->node = node;
    later->next = node->jobs;
    node->jobs = later;
    tri_sim_at(sim, &later->event, sim->now + delay);
}

static void block(struct tri_blocking *pool, struct tri_job *job)
{
    struct tri_sim_world *world = tri_world();
    struct tri_system *system = tri_container_of(pool, struct tri_system, blocking);
    struct tri_sim_node *node = tri_sim_node_of(world, &system->sched);
    while (!job && node->jobs)
        take_job(node->jobs, true);
    if (job)
        do_later(node, 1 + (int64_t)tri_sim_below(&world->sim, TRI_STREAM_NETWORK, (uint32_t)TR_MS(20)),
            (struct tri_sim_job){ .job = job });
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int check_options(const tr_sim_options *o, char *what, size_t size)
{
    int64_t times[] = { o->run_ns, o->heal_ns, o->settle_ns, o->latency_min_ns, o->latency_max_ns, o->skew_ns };
    for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i] < 0) {
            snprintf(what, size, "a time is negative: %" PRId64 " ns", times[i]);
            return TR_EINVAL;
        }
    if (o->latency_min_ns > o->latency_max_ns || o->latency_max_ns > LATENCY_MAX_NS) {
        snprintf(what, size, "a latency of %" PRId64 " to %" PRId64 " ns: from the smaller to the larger, 4 s at the most",
            o->latency_min_ns, o->latency_max_ns);
        return TR_EINVAL;
    }
    if (o->settle_ns && !o->heal_ns) {
        snprintf(what, size, "settle_ns is counted from heal_ns, which is 0");
        return TR_EINVAL;
    }
    int error = tri_faults_check(&o->faults, what, size);
    return error ? error : tri_scripts_check(o->scripts, what, size);
}

/* Its address, or the one it gets as the host of this number: 0 or an error. */
static int address_of(const tr_sim_host *host, unsigned number, tr_address *address)
{
    char text[TR_ADDRESS_TEXT];
    *address = (tr_address){ .family = TR_IPV4, .bytes = { 10, 0, 0, (uint8_t)(number + 1) } };
    if (!host->address)
        return 0;
    snprintf(text, sizeof text, strchr(host->address, ':') ? "[%s]:0" : "%s:0", host->address);
    return tr_address_parse(text, address);
}

static int check_host(const tr_sim_host *host, char *what, size_t size)
{
    tr_address address;
    const char *bad = NULL;
    if (!host->actor == !host->supervisor)
        bad = "needs a root: either an actor or a supervisor";
    else if (host->workers > WORKERS_MAX)
        bad = "has more than 16 workers";
    else if (address_of(host, 0, &address))
        bad = "has a bad address";
    if (bad)
        snprintf(what, size, "host \"%s\"%s%s%s %s", host->name, host->address ? " (" : "",
            host->address ? host->address : "", host->address ? ")" : "", bad);
    return bad ? TR_EINVAL : 0;
}

static int open_node(struct tri_sim_world *world, struct tri_sim_node *node)
{
    const tr_sim_host *host = node->host;
    struct tri_system_config config = {
        .sched = {
            .workers = world->sim.explore ? 1 : host->workers ? host->workers : WORKERS,
            .clock = &node->clock.clock,
            .sim = &world->sim,
            .port_open = tri_sim_port_open,
            .port_arg = world,
        },
        .blocking_threads = 1,
        .shutdown_ns = TR_SECONDS(30),
        .crash_report = true,
        .watcher = &tri_sim_watcher,
        .root = host->actor ? host->actor : &tri_supervisor_actor.actor,
        .root_arg = host->actor ? host->arg : &host->supervisor,
    };
    int error = tri_system_open(&config, &node->system);
    if (!error)
        node->system->blocking.instead = block;
    if (!error && world->handle && node == world->nodes)
        tri_system_attach(node->system, world->handle);
    return error;
}

static void choose_manners(struct tri_sim_world *world)
{
    static const uint32_t disorders[] = { 0, 16, 64, 256 }, favourites[] = { 0, 0, 128, 240 };
    struct tri_sim *sim = &world->sim;
    if (sim->explore)
        return;
    sim->disorder = disorders[tri_sim_below(sim, TRI_STREAM_SCHEDULE, 4)];
    sim->favourite = favourites[tri_sim_below(sim, TRI_STREAM_SCHEDULE, 4)];
    sim->turn_ns = TR_US(20);
}

/* How far ahead a host's clock is. */
static int64_t draw_skew(struct tri_sim_world *world)
{
    int64_t most = world->options.skew_ns;
    return most ? (int64_t)(tri_random_next(&world->sim.streams[TRI_STREAM_FAULTS]) % ((uint64_t)most + 1)) : 0;
}

static void on_restart(struct tri_event *event)
{
    tri_container_of(event, struct tri_sim_node, restart)->restarts = true;
}

static int open_world(struct tri_sim_world *world, uint64_t seed, const tr_sim_host *hosts)
{
    tr_sim_options *o = &world->options;
    if (o->latency_max_ns == 0) {
        o->latency_min_ns = TR_US(50);
        o->latency_max_ns = TR_MS(5);
    }
    tri_table_settle(&tri_slots);
    tri_table_settle(&tri_promises);
    world->sim.steps_max = o->steps ? o->steps : STEPS_MAX;
    tri_sim_open(&world->sim, seed);
    choose_manners(world);
    tri_checks_open(world);
    tri_trace_open(world);
    tri_check_failed = check_failed;
    tri_buggify_rate = o->buggify == TR_SIM_NEVER ? 0 : o->buggify ? o->buggify : BUGGIFY;
    tr_checks_on_ = true;
    tri_memory_refuse(refuse_memory);
    for (; hosts[world->count].name && !world->result->error; world->count++) {
        struct tri_sim_node *node = &world->nodes[world->count];
        *node = (struct tri_sim_node){ .host = &hosts[world->count], .world = world, .next_port = 49152 };
        node->restart.happen = on_restart;
        tri_sim_clock_init(&node->clock, &world->sim, draw_skew(world));
        int error = address_of(node->host, world->count, &node->address);
        error = error ? error : open_node(world, node);
        if (error) {
            tri_world_fails(world, error, "host \"%s\" cannot be opened: %s", node->host->name, tr_strerror(error));
            break;
        }
    }
    return world->result->error;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* What happens to a host, in the trace and in the run's hash. */
static void note_line(struct tri_sim_world *world, const struct tri_sim_node *node, const char *what)
{
    tri_checks_hash(world, (uint64_t)world->sim.now ^ (uint64_t)(node - world->nodes));
    tri_trace_host(world, node, what);
}

static void end_node(struct tri_sim_world *world, struct tri_sim_node *node)
{
    int reason;
    bool by_itself = node->system->root_ended;
    world->ending = true;
    bool ended = tri_system_end(node->system, &reason);
    world->ending = false;
    if (!ended)
        tri_panic("simulation: host \"%s\" cannot be shut down", node->host->name);
    node->ended = true;
    if (reason && !(by_itself && world->options.roots_may_fail))
        tri_world_fails(world, reason, "the root of host \"%s\" ended: %s", node->host->name, tr_strerror(reason));
}

/* It is gone from the network before its actors are. */
static void crash_node(struct tri_sim_world *world, struct tri_sim_node *node)
{
    int reason;
    node->crashes = false;
    if (node->ended)
        return;
    note_line(world, node, "crashes");
    node->down = true;
    tri_signal(NULL, node->system->root, TRI_SIGNAL_KILL);
    world->ending = true;
    if (!tri_system_end(node->system, &reason))
        tri_panic("simulation: host \"%s\" cannot be made to crash", node->host->name);
    world->ending = false;
    tri_sim_net_forget(node);
    node->ended = true;
    if (node->restart_ns != TR_FOREVER)
        tri_sim_at(&world->sim, &node->restart, tri_time_add(world->sim.now, node->restart_ns));
}

static void restart_node(struct tri_sim_world *world, struct tri_sim_node *node)
{
    node->restarts = false;
    note_line(world, node, "starts again");
    tri_system_free(node->system);
    node->down = node->ended = false;
    int error = open_node(world, node);
    if (error)
        tri_panic("simulation: host \"%s\" cannot be started again: %s", node->host->name, tr_strerror(error));
}

/* A host whose root has ended, or that was told to stop, ends; the others go on meanwhile. One that is to crash does, and
 * starts again. */
static void end_hosts(struct tri_sim_world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        struct tri_sim_node *node = &world->nodes[i];
        if (node->crashes)
            crash_node(world, node);
        else if (node->restarts)
            restart_node(world, node);
        else if (!node->ended && (node->system->root_ended || node->system->stop_wanted))
            end_node(world, node);
    }
}

static bool all_ended(struct tri_sim_world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        const struct tri_sim_node *node = &world->nodes[i];
        if (node->crashes || node->restarts || node->restart.place || !node->system->root_ended)
            return false;
    }
    return true;
}

/* When no handler is running. */
static void let_crash(struct tri_sim_node *node, int64_t again_ns)
{
    if (node->ended || node->crashes)
        return;
    node->crashes = true;
    node->restart_ns = again_ns > 0 ? again_ns : 0;
}

static void heal(struct tri_sim_world *world)
{
    world->healed = true;
    for (unsigned i = 0; i < world->count; i++)
        memset(world->nodes[i].cut_until, 0, sizeof world->nodes[i].cut_until);
}

static void note_quiet(struct tri_sim_world *world)
{
    char who[300] = "";
    world->result->quiet = true;
    tri_ledgers_rest(world, true);
    tri_checks_quiet(world);
    if (world->result->error)
        return;
    if (tri_checks_waiting(world, who, sizeof who))
        tri_world_fails(world, TR_EDEADLK, "nothing will ever happen again, but %s", who);
    else if (world->options.settle_ns) {
        tri_checks_living(world, who, sizeof who);
        tri_world_fails(world, TR_ETIMEDOUT, "nothing will ever happen again, and not all roots have ended: %s", who);
    }
}

/* What may happen between two turns. */
static void disturb(struct tri_sim_world *world)
{
    if (tri_fault(world, TRI_FAULT_stall)) {
        world->sim.stalled = world->sim.last;
        world->sim.stalled_until = world->sim.now +
            (int64_t)tri_sim_below(&world->sim, TRI_STREAM_FAULTS, (uint32_t)TR_MS(20));
    }
    if (tri_fault(world, TRI_FAULT_host_crash))
        let_crash(&world->nodes[tri_sim_below(&world->sim, TRI_STREAM_FAULTS, world->count)],
            (int64_t)tri_sim_below(&world->sim, TRI_STREAM_FAULTS, 10000) * TR_MS(1));
    if (tri_fault(world, TRI_FAULT_clock_jump))
        world->sim.now += (int64_t)tri_sim_below(&world->sim, TRI_STREAM_FAULTS, 60000) * TR_MS(1);
}

static void not_settled(struct tri_sim_world *world)
{
    char who[300] = "";
    tri_checks_living(world, who, sizeof who);
    tri_world_fails(world, TR_ETIMEDOUT, "not all roots have ended %" PRId64 " ms after the healing: %s",
        world->options.settle_ns / 1000000, who);
}

static void too_many_steps(struct tri_sim_world *world)
{
    char who[300] = "";
    tri_checks_living(world, who, sizeof who);
    tri_world_fails(world, TR_ELIMIT, "%" PRIu64 " steps were made, and not all roots have ended: %s", world->sim.steps_max,
        who);
}

static void run(struct tri_sim_world *world)
{
    const tr_sim_options *o = &world->options;
    struct tri_sim *sim = &world->sim;
    int64_t begin = sim->now;
    int64_t end = o->run_ns ? begin + o->run_ns : INT64_MAX;
    int64_t healing = o->heal_ns ? begin + o->heal_ns : INT64_MAX;
    int64_t settled = o->settle_ns ? healing + o->settle_ns : INT64_MAX;
    while (!world->result->error && !all_ended(world)) {
        int64_t until = !world->healed && healing < end ? healing : settled < end ? settled : end;
        uint64_t turns = sim->turns;
        int64_t now = sim->now;
        bool moved = tri_sim_step(sim, until);
        if (sim->turns != turns)
            disturb(world);
        else if (sim->now != now) /* time has gone on, for nobody had anything to do */
            tri_ledgers_rest(world, false);
        if (!moved && sim->steps > sim->steps_max) {
            too_many_steps(world);
        } else if (!moved && tri_sim_next(sim) == INT64_MAX) {
            note_quiet(world);
            return;
        } else if (!moved) {
            sim->now = until;
        }
        end_hosts(world);
        if (sim->now >= healing && !world->healed)
            heal(world);
        if (sim->now >= settled && !all_ended(world))
            not_settled(world);
        if (sim->now >= end)
            return;
    }
}

/* ---- closing ----------------------------------------------------------------------------------------------------- */

static void close_world(struct tri_sim_world *world)
{
    world->sim.steps = 0;
    for (unsigned i = world->count; i-- > 0;)
        tri_sim_cancel(&world->sim, &world->nodes[i].restart);
    for (unsigned i = world->count; i-- > 0;)
        if (!world->nodes[i].ended)
            end_node(world, &world->nodes[i]);
    tri_scripts_close(world);
    unsigned descriptors = tri_sim_net_close(world);
    if (descriptors)
        tri_world_fails(world, TR_EFAULT, "%u descriptors were left open", descriptors);
    if (world->handle)
        ck_pr_store_32(&world->handle->number_, 0);
    for (unsigned i = 0; i < world->count; i++)
        tri_system_free(world->nodes[i].system);
    tri_memory_refuse(NULL);
    tr_checks_on_ = false;
    tri_checks_close(world);
    if (world->trace && world->trace != stdout)
        fclose(world->trace);
    tri_sim_close(&world->sim);
}

static void conclude(struct tri_sim_world *world, tr_sim_result *result)
{
    size_t length = strlen(result->what);
    result->hash = world->hash;
    result->turns = world->sim.turns;
    result->virtual_ns = world->sim.now - TR_SECONDS(1);
    if (result->error)
        snprintf(result->what + length, sizeof result->what - length, "; seed %" PRIu64, result->seed);
}

int tri_sim_run(uint64_t seed, const tr_sim_options *options, const tr_sim_host *hosts, tr_sim_result *result,
    const struct tri_sim_setup *setup)
{
    static const tr_sim_options none;
    tr_sim_result own;
    unsigned count = 0;
    result = result ? result : &own;
    *result = (tr_sim_result){ .seed = seed };
    options = options ? options : &none;
    int error = check_options(options, result->what, sizeof result->what);
    for (; hosts[count].name && !error; count++)
        error = count == TRI_SIM_SYSTEMS_MAX ? TR_ELIMIT : check_host(&hosts[count], result->what, sizeof result->what);
    if (!error && count == 0) {
        error = TR_EINVAL;
        snprintf(result->what, sizeof result->what, "there is no host");
    }
    if (!error && (tri_sim_here || tri_system_any())) {
        error = TR_EBUSY;
        snprintf(result->what, sizeof result->what, "a simulation needs a process without other systems");
    }
    if (error) {
        tri_log(TR_LOG_ERROR, "simulation: %s", result->what);
        return result->error = error;
    }
    tri_shortage_reset();
    tri_run_init();
    int64_t before = held();
    struct tri_sim_world *world = tri_memory_get_zeroed(sizeof *world);
    if (!world)
        return result->error = TR_ENOMEM;
    world->options = *options;
    world->result = result;
    world->sim.explore = setup->explore;
    world->sim.explorer = setup->explorer;
    world->handle = setup->handle;
    world->twin = setup->twin;
    if (!open_world(world, seed, hosts))
        run(world);
    close_world(world);
    conclude(world, result);
    tri_memory_put(world);
    if (!result->error && held() != before) {
        result->error = TR_EFAULT;
        snprintf(result->what, sizeof result->what, "%" PRId64 " pieces of memory were left; seed %" PRIu64,
            held() - before, seed);
    }
    return result->error;
}

int tr_sim_run(uint64_t seed, const tr_sim_options *options, const tr_sim_host *hosts, tr_sim_result *result)
{
    return tri_sim_run(seed, options, hosts, result, &(struct tri_sim_setup){ 0 });
}

/* One host, and nobody else on the network. */
int tri_sim_run_options(const tr_options *options)
{
    const tr_sim_host hosts[] = {
        {
            .name = "localhost",
            .actor = options->actor,
            .arg = options->arg,
            .supervisor = options->supervisor,
            .workers = options->workers < WORKERS_MAX ? options->workers : WORKERS_MAX,
        },
        { 0 },
    };
    tr_sim_result result;
    uint64_t seed = options->seed ? options->seed : tr_sim_seed();
    int error = tri_sim_run(seed, &(tr_sim_options){ .steps = UINT64_MAX }, hosts, &result,
        &(struct tri_sim_setup){ .handle = options->system });
    tri_log(error ? TR_LOG_WARNING : TR_LOG_INFO, "simulation: seed %" PRIu64 ": %s", seed,
        error ? result.what : "all went well");
    return error;
}

uint64_t tr_sim_seed(void)
{
    const char *wish = getenv("TROUPE_SEED");
    return wish && *wish ? strtoull(wish, NULL, 0) : tri_random_seed();
}

/* ---- from within ------------------------------------------------------------------------------------------------- */

static struct tri_sim_node *named(struct tri_sim_world *world, const char *name)
{
    for (unsigned i = 0; world && i < world->count; i++)
        if (strcmp(world->nodes[i].host->name, name) == 0)
            return &world->nodes[i];
    return NULL;
}

static void cut_until(const char *host, const char *other, int64_t until, bool both)
{
    struct tri_sim_world *world = tri_sim_mine() ? tri_world() : NULL;
    struct tri_sim_node *a = named(world, host), *b = named(world, other);
    if (world && (!a || !b))
        tri_panic("there is no host \"%s\" in this simulation", a ? other : host);
    if (!world)
        return;
    a->cut_until[b - world->nodes] = until;
    if (both)
        b->cut_until[a - world->nodes] = until;
}

void tr_sim_cut(tr_self *self, const char *host, const char *other)
{
    tri_check_self(self, "tr_sim_cut");
    cut_until(host, other, INT64_MAX, true);
}

void tr_sim_cut_one_way(tr_self *self, const char *from, const char *to)
{
    tri_check_self(self, "tr_sim_cut_one_way");
    cut_until(from, to, INT64_MAX, false);
}

void tr_sim_crash(tr_self *self, const char *host, int64_t again_ns)
{
    tri_check_self(self, "tr_sim_crash");
    struct tri_sim_world *world = tri_sim_mine() ? tri_world() : NULL;
    struct tri_sim_node *node = named(world, host);
    if (world && !node)
        tri_panic("there is no host \"%s\" in this simulation", host);
    if (node)
        let_crash(node, again_ns);
}

void tr_sim_heal(tr_self *self, const char *host, const char *other)
{
    tri_check_self(self, "tr_sim_heal");
    cut_until(host, other, 0, true);
}

int tr_sim_thread(tr_self *self, int64_t delay_ns, void (*function)(void *arg), void *arg)
{
    tri_check_self(self, "tr_sim_thread");
    if (!tri_sim_mine())
        return TR_ENOTSUP;
    do_later(tri_sim_node_of(tri_world(), self->worker->sched), delay_ns > 0 ? delay_ns : 0,
        (struct tri_sim_job){ .function = function, .arg = arg });
    return 0;
}

const char *tr_sim_host_name(tr_self *self)
{
    tri_check_self(self, "tr_sim_host_name");
    return tri_sim_mine() ? tri_sim_node_of(tri_world(), self->worker->sched)->host->name : NULL;
}
