#include <troupe/run.h>

#include "actors/self.h"
#include "io/backends.h"
#include "io/run.h"
#include "io/signals.h"
#include "io/tcp.h"
#include "sched/log.h"
#include "sched/os.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SHUTDOWN_SECONDS = 30, WATCHDOG_MS = 100, BLOCKING_MIN = 8, BLOCKING_MORE = 4 };

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_once(void)
{
    tri_op_init();
    tri_owner_init();
    tri_tcp_init();
}

void tri_run_init(void)
{
    pthread_once(&once, init_once);
}

/* ---- the port ---------------------------------------------------------------------------------------------------- */

static int check(unsigned i)
{
    return tri_backends[i].check ? tri_backends[i].check() : 0;
}

/* The first that works: its number. */
static unsigned default_port(void)
{
    unsigned i = 0;
    for (; i < tri_backend_count - 1; i++) {
        int error = check(i);
        if (!error)
            break;
        tri_log(TR_LOG_INFO, "port %s: %s; the next one is tried", tri_backends[i].name, tr_strerror(error));
    }
    return i;
}

const char *tr_default_port(void)
{
    return tri_backends[default_port()].name;
}

/* It may work another time. */
static bool is_shortage(int error)
{
    return error == TR_ENOMEM || error == TR_EMFILE || error == TR_ENFILE || error == TR_EAGAIN;
}

/* The one that is wished for, or that works; *wished tells which. */
static int choose_port(const char *wish, unsigned *number, bool *wished)
{
    if (!wish || !*wish)
        wish = getenv("TROUPE_PORT");
    *wished = wish && *wish;
    if (!*wished) {
        *number = default_port();
        return 0;
    }
    for (unsigned i = 0; i < tri_backend_count; i++) {
        if (strcmp(wish, tri_backends[i].name) != 0)
            continue;
        int error = check(i);
        if (error)
            tri_log(TR_LOG_ERROR, "port %s does not work here: %s", wish, tr_strerror(error));
        *number = i;
        return !error || is_shortage(error) ? error : TR_ENOTSUP;
    }
    tri_log(TR_LOG_ERROR, "there is no port \"%s\"", wish);
    return TR_EINVAL;
}

/* To open a system with ports of this kind. */
struct attempt {
    const struct tri_backend *backend;
    bool last;       /* there is no other kind to try */
    uint32_t failed; /* a port could not be opened */
};

static int open_port(struct tri_worker *worker, void *arg, struct tri_port **port)
{
    struct attempt *attempt = arg;
    int error = attempt->backend->open(worker, NULL, port);
    if (error) {
        tri_log(attempt->last ? TR_LOG_ERROR : TR_LOG_INFO, "port %s of worker %u: %s", attempt->backend->name,
            worker->index, tr_strerror(error));
        ck_pr_store_32(&attempt->failed, 1); /* seen by who opens the system: it joins the worker's thread */
    }
    return error;
}

/* Opens the system with ports of the first kind that works, from this one on. That a kind has worked on trial is not enough:
 * what a user may lock in memory, for instance, is a matter of how much and of what else he runs. */
static int open_with_ports(struct tri_system_config *config, unsigned number, bool wished, struct tri_system **system)
{
    for (;; number++) {
        struct attempt attempt = { &tri_backends[number], wished || number + 1 == tri_backend_count, 0 };
        config->sched.port_open = open_port;
        config->sched.port_arg = &attempt;
        config->sched.port_open_later = attempt.backend->open;
        int error = tri_system_open(config, system);
        if (!error)
            tri_log(TR_LOG_INFO, "port %s, %u workers", attempt.backend->name, config->sched.workers);
        else if (attempt.last || !attempt.failed)
            tri_log(TR_LOG_ERROR, "the system cannot be opened: %s", tr_strerror(error));
        if (!error || attempt.last || !attempt.failed)
            return error;
        tri_log(TR_LOG_INFO, "port %s cannot be opened; the next one is tried", attempt.backend->name);
    }
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

static int check_options(const tr_options *options)
{
    if (!options->actor == !options->supervisor) {
        tri_log(TR_LOG_ERROR, "a system needs a root: either an actor or a supervisor");
        return TR_EINVAL;
    }
    if (options->workers > TRI_WORKERS_MAX) {
        tri_log(TR_LOG_ERROR, "%u workers; the most is %d", options->workers, TRI_WORKERS_MAX);
        return TR_EINVAL;
    }
    if (tri_worker_here)
        tri_panic("tr_run: from a handler");
    return 0;
}

/* How long to spin: 0 or TR_EINVAL. */
static int choose_spin(const tr_options *options, int64_t *ns)
{
    const char *wish = getenv("TROUPE_SPIN");
    *ns = options->spin_ns;
    if (*ns == 0 && wish && *wish) {
        char *end;
        long long us = strtoll(wish, &end, 10);
        *ns = *end || us < 0 || us > 1000000 ? -1 : us * 1000;
        if (*ns < 0)
            tri_log(TR_LOG_ERROR, "TROUPE_SPIN=%s: give microseconds, at most 1000000", wish);
    } else if (*ns < 0 || *ns > TR_SECONDS(1)) {
        tri_log(TR_LOG_ERROR, "spin_ns is %lld; it is from 0 to a second", (long long)*ns);
        return TR_EINVAL;
    }
    return *ns < 0 ? TR_EINVAL : 0;
}

static bool is_simulated(const tr_options *options)
{
    const char *wish = options->port && *options->port ? options->port : getenv("TROUPE_PORT");
    return wish && strcmp(wish, "sim") == 0;
}

static int open_system(const tr_options *options, struct tri_system **system)
{
    unsigned port = 0, cores = tri_os_cores();
    bool wished;
    int64_t spin_ns;
    tri_run_init();
    int error = check_options(options);
    error = error ? error : choose_spin(options, &spin_ns);
    if (!error && is_simulated(options)) {
        tri_log(TR_LOG_ERROR, "port sim: a simulation has one thread, which tr_run is for; tr_open is not");
        error = TR_ENOTSUP;
    }
    if (error || (error = choose_port(options->port, &port, &wished)))
        return error;
    unsigned blocking = cores + BLOCKING_MORE < BLOCKING_MIN ? BLOCKING_MIN : cores + BLOCKING_MORE;
    struct tri_system_config config = {
        .sched = {
            .workers = options->workers ? options->workers : cores < TRI_WORKERS_MAX ? cores : TRI_WORKERS_MAX,
            .pin = options->pin,
            .seed = options->seed ? options->seed : tri_random_seed(),
            .clock = &tri_clock_real,
            .watchdog_ns = options->watchdog_ns == TR_FOREVER ? 0
                : options->watchdog_ns                        ? options->watchdog_ns
                                                              : TR_MS(WATCHDOG_MS),
            .spin_ns = spin_ns,
        },
        .blocking_threads = options->blocking_threads ? options->blocking_threads : blocking,
        .shutdown_ns = options->shutdown_ns ? options->shutdown_ns : TR_SECONDS(SHUTDOWN_SECONDS),
        .crash_report = !options->no_crash_report,
        .root = options->actor ? options->actor : &tri_supervisor_actor.actor,
        .root_arg = options->actor ? options->arg : &options->supervisor,
    };
    return open_with_ports(&config, port, wished, system);
}

static void on_signal(int count, void *handle)
{
    if (count == 1)
        tr_stop(handle);
    else
        tri_insist(handle);
}

/* Ends and frees a system: its result. */
static int end(struct tri_system *system, tr_system *handle)
{
    int result;
    bool ended = tri_system_end(system, &result);
    ck_pr_store_32(&handle->number_, 0); /* before the number may be another's; see tri_system_enter_handle() */
    ck_pr_store_32(&handle->stop_, 0);
    if (ended)
        tri_system_free(system);
    return result;
}

int tr_run(const tr_options *options)
{
    if (is_simulated(options)) {
        int error = check_options(options);
        return error ? error : tri_sim_run_options(options);
    }
    struct tri_system *system;
    tr_system own = { 0 }, *handle = options->system ? options->system : &own;
    int unwatched = options->signals ? tri_signals_watch(on_signal, handle) : 0;
    if (unwatched)
        tri_log(TR_LOG_ERROR, "signals are not watched: %s",
            unwatched == TR_EBUSY ? "another system of this process has them" : tr_strerror(unwatched));
    int result = open_system(options, &system);
    if (!result) {
        tri_system_attach(system, handle);
        tri_system_wait(system);
        result = end(system, handle);
    }
    if (options->signals && !unwatched)
        tri_signals_unwatch();
    return result;
}

int tr_open(tr_system *handle, const tr_options *options)
{
    struct tri_system *system;
    int error = open_system(options, &system);
    if (!error)
        tri_system_attach(system, handle);
    return error;
}

int tr_close(tr_system *handle)
{
    if (tri_worker_here)
        tri_panic("tr_close: from a handler");
    struct tri_system *system = tri_system_enter_handle(handle);
    if (!system)
        return TR_ECLOSED;
    tri_system_leave(system->number);
    char ref[TR_REF_TEXT];
    struct tri_runner *runner = tri_runner_here;
    if (runner && runner->pool == &system->blocking)
        tri_panic("tr_close: from a job of the system itself, of actor %s %s", runner->owner,
            tr_ref_text((tr_ref){ runner->owner_ref }, ref));
    return end(system, handle);
}
