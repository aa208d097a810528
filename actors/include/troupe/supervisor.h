/*
 * <troupe/supervisor.h>: supervisors.
 *
 * A supervisor starts its children in order, starts them again when they end, and stops them in reverse order. It is
 * described by a table:
 *
 *     static const tr_child children[] = {
 *         { .name = "store", .actor = &store_actor },
 *         { .name = "web", .actor = &web_actor, .arg = &web_options, .restart = TR_TRANSIENT },
 *     };
 *     static const tr_supervisor app = {
 *         TR_SUPERVISOR, .name = "app", .strategy = TR_REST_FOR_ONE, .children = children, .count = 2 };
 *
 * A child that is restarted keeps its reference, its name and its mailbox; its state is new, and its start is called
 * again with the same argument. The message it crashed on is not handled again. A child's child can be another
 * supervisor. (After 65,535 restarts a child is started anew, as one that has a new reference and an empty mailbox; monitors
 * of the old one are told.)
 *
 * Child n + 1 is started when child n is ready: when its start has returned, or after TR_NOT_READY when it calls tr_ready.
 *
 * A child that crashes again and again is started again after a growing delay, and when it has used up its intensity, or
 * all children together that of the supervisor, the supervisor stops them all and ends with TR_EINTENSITY. What becomes
 * of that is its own supervisor's business.
 *
 * A child needs no link to its supervisor, and must not make one: by that its crash would end the supervisor, too, and nobody
 * were there to start it again.
 *
 * One that waits for its restart has ended, so to kill it or to ask it to end changes nothing; but a transient child that is
 * asked to end with reason 0 stays away, as if it were alive.
 *
 * A child that does not return from a handler for a second after it was killed is given up: it ends for good when it returns,
 * and if it was to be started again that is done then, anew. A supervisor that was killed and is started again first
 * waits for the children of its former life to end, for as long as the longest of them may take.
 *
 * An intensity that is too large, or memory that there is not, ends the supervisor in its start: TR_EINVAL, TR_ENOMEM. A
 * child that is neither an actor nor a supervisor, or a dynamic supervisor with a table, is a programmer error.
 */
#ifndef TROUPE_SUPERVISOR_H
#define TROUPE_SUPERVISOR_H

#include <troupe/ask.h>

TR_BEGIN_C_

enum tr_strategy {
    TR_ONE_FOR_ONE,  /* restart the child that ended */
    TR_ONE_FOR_ALL,  /* stop all others, in reverse order, and start all again, in order */
    TR_REST_FOR_ONE, /* the same for those that come after it in the table */
    TR_DYNAMIC, /* no table: children are started with tr_child_start; each is restarted by itself, and they are stopped
                      * side by side */
};

#define TR_UNLIMITED UINT32_MAX /* as an intensity */

struct tr_supervisor;

typedef struct tr_child {
    const char *name;                       /* registered as the child's name; NULL: it has none */
    const tr_actor *actor;                  /* this, with arg … */
    const void *arg;                        /* copied at every start from here: it must stay valid */
    const struct tr_supervisor *supervisor; /* … or this */
    enum tr_restart restart;                /* TR_RESTART_DEFAULT: as the actor says */
    int64_t start_ns;    /* time to become ready; 0: as the actor says (5 s; of a supervisor, which is ready when all
                                * its children are: no limit) */
    int64_t shutdown_ns; /* time to end when asked; 0: as the actor says (5 s; of a supervisor: no limit) */
    uint32_t intensity;  /* restarts of this child within period_ns that are borne, up to 1000 or TR_UNLIMITED; 0: 5 */
    int64_t period_ns;   /* 0: 10 s */
} tr_child;

typedef struct tr_supervisor {
    uint32_t size_;
    const char *name;
    enum tr_strategy strategy;
    const tr_child *children; /* must stay valid, usually static */
    size_t count;
    uint32_t intensity;     /* restarts of all children together within period_ns that are borne, up to 1000; 0 or
                               * TR_UNLIMITED: no limit but theirs */
    int64_t period_ns;      /* 0: 10 s */
    int64_t backoff_ns;     /* delay of the second restart within its period; it doubles from then on; 0: 20 ms */
    int64_t backoff_max_ns; /* 0: 5 s. A tenth more or less is drawn at random, so that not all come back at once */
} tr_supervisor;

/* Stamps a supervisor; the first initialiser of every tr_supervisor. */
#define TR_SUPERVISOR .size_ = sizeof(tr_supervisor)

/* tr_supervise(self, &supervisor) or tr_supervise(self, &supervisor, .name = "app"): spawns a supervisor, which starts its
 * children on its own turns. Answers as tr_spawn does; options: name, link, monitor, error. In a handler. */
#define tr_supervise(...)                    TR_SUPERVISE_(__VA_ARGS__, .arg = NULL)
#define TR_SUPERVISE_(self, supervisor, ...) tr_supervise_((self), (supervisor), &(const tr_spawn_options){ __VA_ARGS__ })

tr_ref tr_supervise_(tr_self *self, const tr_supervisor *supervisor, const tr_spawn_options *options);

/* ---- children of a dynamic supervisor ---------------------------------------------------------------------------- */

/* A child is ready. The answer to tr_child_start. */
TR_MESSAGE(tr_child_started, tr_ref child;);

/* A child has ended and will not be started again. The answer to tr_child_stop. */
TR_MESSAGE(tr_child_stopped, tr_ref child;);

/* Has a dynamic supervisor start a child; `child` and what it points to are copied, but for the specs. The answer is a
 * tr_child_started, or a tr_failed: what start returned, TR_EEXIST (the name), TR_ENOTSUP (the supervisor is not
 * dynamic), TR_EINVAL (the name or the argument is too long, the intensity too large), or as for any ask. In a handler. */
tr_call tr_child_start(tr_self *self, tr_ref supervisor, int64_t timeout_ns, const tr_child *child);

/* Has a supervisor stop one of its children for good. The answer is a tr_child_stopped, or a tr_failed: TR_ENOENT (not
 * its child), TR_ETIMEDOUT (it does not return from a handler; it ends when it does). In a handler. */
tr_call tr_child_stop(tr_self *self, tr_ref supervisor, int64_t timeout_ns, tr_ref child);

TR_END_C_

#endif
