/*
 * <troupe/run.h>: running a system of actors.
 *
 *     int main(void)
 *     {
 *         return tr_run(&(tr_options){ .actor = &server_actor, .signals = true }) ? EXIT_FAILURE : EXIT_SUCCESS;
 *     }
 */
#ifndef TROUPE_RUN_H
#define TROUPE_RUN_H

#include <troupe/actor.h>
#include <troupe/supervisor.h>
#include <troupe/system.h>

TR_BEGIN_C_

typedef struct tr_options {
    const tr_actor *actor; /* the root actor: this, with `arg` (arg_size bytes, copied) … */
    const void *arg;
    const tr_supervisor *supervisor; /* … or this supervisor */

    unsigned workers; /* threads that run actors, up to 1000; 0: as many as cores the process may use */
    bool pin;         /* each on a core of its own */
    const char *port; /* "uring" or "epoll", on Windows "iocp"; "sim", see <troupe/sim.h>; NULL: TROUPE_PORT from the
                       * environment, else the first that works */
    bool signals;     /* SIGINT and SIGTERM (Windows: Ctrl-C, Ctrl-Break, the end of the console or the session) end the
                       * system: the first asks, the second insists, the third kills the process. Those that come
                       * within 200 ms are one; one that the process ignores stays ignored. Of several systems with this,
                       * the first obeys (the others say so in the log): stop them from there. A thread takes the
                       * signals; the caller has SIGINT and SIGTERM blocked until tr_run returns */
    unsigned blocking_threads; /* most threads of tr_block; 0: 4 more than cores, at least 8 */
    int64_t watchdog_ns;  /* a handler that runs longer is named in the log, with the processor time that it has had, and
                          * once more when it is over; 0: 100 ms, TR_FOREVER: never */
    int64_t spin_ns;      /* a worker that has nothing to do looks on for so long before it sleeps: what comes meanwhile is
                          * answered sooner, by the time that waking takes, at the price of a busy core. At most a second.
                          * 0: TROUPE_SPIN from the environment, in microseconds, else not at all */
    bool no_crash_report; /* a fault of the process (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT; on Windows an exception that
                           * nobody handles, or abort) is reported to standard error with the worker, the actor, the message,
                           * its sender and what was handled before; then all goes on as it would have without. With this it
                           * is not, if all systems have it; nor under a sanitizer. In a simulation it always is */
    int64_t shutdown_ns; /* time for everything to end, actors and jobs; what is left after that is killed, and has a second;
                          * what is left then is named; 0: 30 s */
    uint64_t seed;       /* of tr_random; 0: drawn */
    tr_system *system;   /* lets others stop it (tr_stop); may be NULL */
} tr_options;

/* Runs a system until its root actor has ended or it is stopped, and everything else has, too: the rest is killed then, and
 * its connections are reset, what they have queued included (see troupe/tcp.h). Not from a handler; from any other thread,
 * and again when it has returned.
 *
 * Answers the reason with which the root ended: 0, or a negative error (0 when it was stopped and ended of that). Or why
 * there was no system: TR_EINVAL (no root, an unknown port, too many workers, no time to spin for), TR_ENOTSUP (the port
 * does not work here), TR_ENOMEM, TR_EAGAIN (no threads), TR_EMFILE, TR_ELIMIT (32 systems); TR_ETIMEDOUT when something
 * did not end. Errors are logged. */
int tr_run(const tr_options *options);

/* fork(): a child has a Troupe of its own, without systems, which it may open. References and handles of its parent's answer
 * TR_ECLOSED there, TR_EDOWN where that is not among the answers, and their actors are not alive. A child that is forked in a
 * handler or a job has to end there, by exec or _exit, and has the signals blocked that threads of Troupe block; one that is
 * forked elsewhere while tr_run waits for signals gets them as the process did before. Descriptors of the parent are open in
 * the child until it executes a program. (vfork and clone, not called by way of fork(), are unknown to Troupe.) */

/* The two halves of it, for programs that do something else meanwhile: starts a system, and stops it and waits for its end.
 * `system` is the caller's, zeroed, and stays where it is; tr_close may be called once for each tr_open that answered 0,
 * from the same thread or another, but for a handler or one of the system's own jobs. */
int tr_open(tr_system *system, const tr_options *options);
int tr_close(tr_system *system);

/* The port that tr_run would use by itself here: "uring", "epoll" or "iocp". Any thread. */
const char *tr_default_port(void);

TR_END_C_

#endif
