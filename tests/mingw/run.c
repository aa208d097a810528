/*
 * tr_open and tr_close without io/, for the tests of actors/ on Windows, as long as there is no completion port for it: a
 * system whose workers only sleep and wake. It knows the options that these tests use.
 */
#include "actors/self.h"
#include "sched/os.h"

#include <troupe/run.h>

extern const struct tri_actor tri_supervisor_actor;

int tr_open(tr_system *handle, const tr_options *options)
{
    struct tri_system *system;
    struct tri_system_config config = {
        .sched = {
            .workers = options->workers ? options->workers : tri_os_cores(),
            .pin = options->pin,
            .seed = options->seed ? options->seed : tri_random_seed(),
            .clock = &tri_clock_real,
            .watchdog_ns = options->watchdog_ns == TR_FOREVER ? 0
                : options->watchdog_ns                        ? options->watchdog_ns
                                                              : TR_MS(100),
            .port_open = tri_sleeper_open,
        },
        .blocking_threads = options->blocking_threads ? options->blocking_threads : 8,
        .shutdown_ns = options->shutdown_ns ? options->shutdown_ns : TR_SECONDS(30),
        .root = options->actor ? options->actor : &tri_supervisor_actor.actor,
        .root_arg = options->actor ? options->arg : &options->supervisor,
    };
    int error = tri_system_open(&config, &system);
    if (!error)
        tri_system_attach(system, handle);
    return error;
}

int tr_close(tr_system *handle)
{
    int result;
    uint32_t number = ck_pr_load_32(&handle->number_);
    struct tri_system *system = number ? tri_system_enter(number - 1) : NULL;
    if (!system)
        return TR_ECLOSED;
    tri_system_leave(number - 1);
    bool ended = tri_system_end(system, &result);
    ck_pr_store_32(&handle->number_, 0);
    ck_pr_store_32(&handle->stop_, 0);
    if (ended)
        tri_system_free(system);
    return result;
}
