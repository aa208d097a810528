/*
 * <troupe/actor.h>: actors.
 *
 * An actor is a state and a function that handles one message at a time. It is described by a const struct:
 *
 *     struct counter { long sum; };
 *
 *     static int counter(tr_self *self, void *state, const tr_msg *m)
 *     {
 *         struct counter *me = state;
 *         if (tr_is(add, m))
 *             me->sum += tr_body(add, m)->n;
 *         return TR_CONTINUE;
 *     }
 *     static const tr_actor counter_actor = {
 *         TR_SPEC, .name = "counter", .receive = counter, .state_size = sizeof(struct counter) };
 *
 *     tr_ref c = tr_spawn(self, &counter_actor, NULL);
 *     tr_send(self, c, add, .n = 1);
 *
 * Nothing of an actor is ever run by two threads at once. It runs on whichever worker has time, so its state needs no
 * lock, but thread-local variables must not carry anything from one call to the next.
 *
 * An actor ends when it says so, when its supervisor says so, when something it is linked to ends badly, or when it is
 * killed. Nobody owns it, and no reference keeps it alive.
 *
 * `self` is the capability to act. It is valid during the call it was handed to and on that thread only.
 */
#ifndef TROUPE_ACTOR_H
#define TROUPE_ACTOR_H

#include <troupe/message.h>
#include <troupe/time.h>

TR_BEGIN_C_

/* ---- what an actor is -------------------------------------------------------------------------------------------- */

/* What a handler returns: go on; end, with reason 0; or a negative TR_E…: end, with that as the reason (a crash). */
enum { TR_CONTINUE = 0, TR_STOP = 1 };

/* What start may return instead of TR_CONTINUE: running, but not ready; a supervisor waits with the next child until
 * tr_ready is called. */
enum { TR_NOT_READY = 2 };

/* What becomes of an ordinary message that finds the mailbox full, by its number or by the bulk it carries. Promised
 * messages (completions, timers, answers, DOWN and EXIT, what a transport reports) and the system's own are exempt. What
 * was dropped with TR_EFULL, told or not, is logged as a warning, added up, once a second at the most. */
enum tr_policy {
    TR_REJECT,   /* the sender gets TR_EFULL */
    TR_DROP_NEW, /* it is dropped; the sender is not told */
    TR_DROP_OLD, /* the oldest (of bulk: the oldest that carries some) is dropped at the actor's next turn; as TR_REJECT when
                  * twice the bound waits already */
    TR_KEEP_LATEST, /* the same, but first those that a newer message of their type replaces */
    TR_STOP_FULL,   /* the actor ends with TR_EFULL; when it was bulk that found no room, the sender gets that, too */
};

/* When a supervisor starts a child again. */
enum tr_restart {
    TR_RESTART_DEFAULT, /* in a child's entry: as its spec says; in a spec: TR_PERMANENT */
    TR_PERMANENT,       /* whenever it ends */
    TR_TRANSIENT,       /* when it ended with a reason other than 0 */
    TR_TEMPORARY,       /* never */
};

#define TR_MAILBOX_DEFAULT     16384 /* messages */
#define TR_MAILBOX_MAX         524287
#define TR_MAILBOX_KIB_DEFAULT 65536 /* bulk carried by waiting messages, large bodies included */

typedef struct tr_actor {
    uint32_t size_;
    const char *name; /* for logs and errors */

    /* The first turn; also of each new incarnation after a restart. `state` is zeroed, `arg` is the copy made by tr_spawn
     * (NULL when arg_size is 0). Answers TR_CONTINUE, TR_NOT_READY, TR_STOP or a negative error. NULL: nothing to do. */
    int (*start)(tr_self *self, void *state, const void *arg);

    /* A message. Required. */
    int (*receive)(tr_self *self, void *state, const tr_msg *m);

    /* The last call of an incarnation, exactly once if its start was called. reason is 0, or why it ends. NULL: nothing
     * to do. It may send, but not spawn; messages it has taken are released afterwards. It may run after others have had
     * the actor's last message and ended of that: what they have lent it may be gone. */
    void (*stop)(tr_self *self, void *state, int reason);

    uint32_t state_size;  /* bytes; 0: no state, the handlers get NULL */
    uint32_t arg_size;    /* bytes of the argument that tr_spawn copies */
    uint32_t mailbox;     /* bound of waiting messages, up to TR_MAILBOX_MAX; 0: TR_MAILBOX_DEFAULT */
    uint32_t mailbox_kib; /* bound of the bulk they carry, and of themselves if their body is larger than TR_BODY_SMALL. One
                           * such message is always let in. 0: TR_MAILBOX_KIB_DEFAULT */
    enum tr_policy policy;
    bool trap_exits; /* the end of a linked actor arrives as a tr_exited and does not end this one */
    bool thread;     /* it has a thread of its own, which runs nothing else but the transports that it makes: for one whose
                          * handlers take long, or wait. Spawning waits until the thread has begun, and answers TR_EAGAIN when
                          * there can be none, TR_ELIMIT when 256 have one. The watchdog does not name it. In a simulation it is
                          * an actor as the others */

    /* As a child of a supervisor, unless the child's entry says otherwise. */
    enum tr_restart restart;
    int64_t start_ns;    /* time to become ready; 0: 5 s */
    int64_t shutdown_ns; /* time to end when asked to, after that it is killed; 0: 5 s, TR_FOREVER: no limit */
} tr_actor;

/* Stamps a spec with the size its program was compiled with. The first initialiser of every tr_actor. */
#define TR_SPEC .size_ = sizeof(tr_actor)

/* ---- spawning and ending ----------------------------------------------------------------------------------------- */

typedef struct tr_spawn_options {
    const void *arg;  /* arg_size bytes, copied */
    const char *name; /* registered before its first turn (see <troupe/name.h>); NULL: none */
    bool link;        /* linked to the spawner from the start */
    bool monitor;     /* monitored by the spawner from the start; if there is no actor, nothing comes of it */
    int *error;       /* set to 0, or to why there is no actor; may be NULL */
} tr_spawn_options;

/* tr_spawn(self, &spec, &arg) or tr_spawn(self, &spec, &arg, .name = "door", .link = true): makes an actor and answers
 * its reference. Its start is called on a turn of its own, soon after the handler returns. `spec` must live as long as
 * the actor; it is usually static.
 *
 * Answers TR_NOBODY when there is none: TR_ENOMEM, TR_ELIMIT (16,777,215 actors), TR_EEXIST (the name is taken),
 * TR_ESHUTDOWN (the system ends). What is sent to TR_NOBODY is a dead letter, so the answer need not be looked at where
 * the loss is bearable. A spec without TR_SPEC or receive is a programmer error. In a handler. */
#define tr_spawn(self, spec, ...) tr_spawn_((self), (spec), &(const tr_spawn_options){ .arg = __VA_ARGS__ })

tr_ref tr_spawn_(tr_self *self, const tr_actor *spec, const tr_spawn_options *options);

/* Asks an actor to end, as if its handler had returned `reason` (0 or negative): after its turn, before what waits in its
 * mailbox. No effect on one that is down. A supervised one is restarted or not by that reason. One that waits for its
 * restart has ended already: if it is not to be restarted after that reason, it stays away. In a handler. */
void tr_exit(tr_self *self, tr_ref actor, int reason);

/* The same with TR_EKILLED; needs no memory. Nothing stops it, but a handler that runs is not interrupted, and one
 * that waits for its restart is started again all the same. In a handler. */
void tr_kill(tr_self *self, tr_ref actor);

/* Tells the supervisor that an actor whose start answered TR_NOT_READY is ready now. In a handler. */
void tr_ready(tr_self *self);

/* ---- about oneself ----------------------------------------------------------------------------------------------- */

/* The running actor; the one that spawned it; its spec's name. In a handler. */
tr_ref tr_me(tr_self *self);
tr_ref tr_parent(tr_self *self);
const char *tr_name(tr_self *self);

/* How often this actor has been restarted. In a handler. */
unsigned tr_incarnation(tr_self *self);

/* Now, by the system's clock. In a handler. */
int64_t tr_now(tr_self *self);

/* A random number: 64 bits, or one of 0 … n - 1 (n > 0). Not for secrets. Each worker has a sequence of its own, from the
 * system's seed: with more than one worker it depends on who runs where which numbers an actor gets. In a handler. */
uint64_t tr_random(tr_self *self);
uint32_t tr_random_below(tr_self *self, uint32_t n);

/* Whether the actor is alive at this moment. It may end in the next one, so this is for tests and displays; to act on an
 * end, monitor it. Any thread. */
bool tr_alive(tr_ref actor);

TR_END_C_

#endif
