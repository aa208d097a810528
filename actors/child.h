/*
 * child.h: the children of a supervisor, each in one of these conditions:
 *
 *   DOWN       is to be started, when its turn has come and its delay has passed; it has a slot that waits, or none yet
 *   STARTING   was started, is not ready
 *   UP
 *   STOPPING   was told to stop
 *   LEFT       did not stop and is not waited for, but is started anew when it has ended all the same
 *   LOST       the same, and it is not started any more
 *   GONE       will not be started again
 *
 * Whether a child that has ended comes again is decided in one place, tri_child_ended, by what its supervisor wishes and by
 * the reason; in which slot, by whether the old one waits for that.
 *
 * Numbers: a child is found by its number (in timers and reports) or by its reference, at a cost that does not depend on how
 * many there are. A place of a dynamic supervisor is used again when its child is gone.
 */
#ifndef TRI_CHILD_H
#define TRI_CHILD_H

#include "actors/duty.h"
#include "actors/restart.h"

#include <troupe/name.h>
#include <troupe/timer.h>

enum tri_child_condition {
    TRI_CHILD_DOWN,
    TRI_CHILD_STARTING,
    TRI_CHILD_UP,
    TRI_CHILD_STOPPING,
    TRI_CHILD_LEFT,
    TRI_CHILD_LOST,
    TRI_CHILD_GONE,
    TRI_CHILD_CONDITIONS,
};

struct tri_child {
    tr_child spec;
    tr_ref ref; /* TR_NOBODY: has no slot */
    enum tri_child_condition condition;
    uint32_t number;
    bool stop;   /* is to be stopped, */
    bool keep;   /* and started again */
    bool was_up; /* has been UP at least once */
    bool killed;
    bool queued; /* is in the supervisor's list of what is to be done */
    tri_tag tag;
    uint32_t in_a_row;  /* restarts within the period, for the delay */
    uint64_t life;      /* this start's number: a report of an earlier one is stale */
    int64_t not_before; /* DOWN: the delay */
    tr_timer timer;     /* of the delay, of the start or of the stop */
    struct tri_history history;
    struct cork_dllist_item todo;
    tr_msg *start_request, *stop_request; /* of a dynamic child: to be answered */
};

struct tri_place {
    struct tri_child *child; /* NULL: free */
    uint32_t next;           /* the next free one, or the next child of the same bucket; + 1, 0: none */
};

struct tri_supervisor {
    const tr_supervisor *table;
    struct tri_place *places;
    uint32_t *buckets; /* of children that have a slot, by its number; as many as there is room for places */
    uint32_t count, max, bucket_max;
    uint32_t free;                     /* the first free place, + 1; 0: none */
    uint32_t in[TRI_CHILD_CONDITIONS]; /* how many are in each */
    struct cork_dllist todo;           /* children of a dynamic supervisor that something is to be done with */
    struct tri_history history;
    uint64_t lives;
    bool waiting;      /* for the children of a former incarnation, */
    tr_timer patience; /* but not for ever */
    bool ending;
    int reason; /* with which it will end */
    tri_tag tag, bucket_tag, history_tag;
};

/* What a child's entry says, or its spec, or nobody. */
const char *tri_child_name(const struct tri_child *child);
enum tr_restart tri_child_restart(const struct tri_child *child);
int64_t tri_child_shutdown_time(const tr_child *spec);

/* What is wrong with an entry: 0 or TR_EINVAL, with the reason logged. One that is neither an actor nor a supervisor, or both,
 * is a programmer error. */
int tri_child_check(const tr_child *child, const char *supervisor);

/* A new child, GONE; `name` and `arg` (NULL: those of the spec) are copied. NULL when there is no memory. */
struct tri_child *tri_child_new(struct tri_supervisor *me, const tr_child *spec, const char *name, const void *arg);

/* Gives back all that the supervisor has of its children. */
void tri_children_free(struct tri_supervisor *me);

/* The child with this number, or with this reference; NULL: there is none. */
struct tri_child *tri_child_at(const struct tri_supervisor *me, uint64_t number);
struct tri_child *tri_child_find(const struct tri_supervisor *me, tr_ref ref);

void tri_child_set(struct tri_supervisor *me, struct tri_child *child, enum tri_child_condition condition);

/* Puts a dynamic supervisor's child on the list of those that something is to be done with. */
void tri_child_todo(struct tri_supervisor *me, struct tri_child *child);

/* False when there is no memory for it. */
bool tri_child_set_timer(tr_self *self, struct tri_child *child, int64_t delay);

/* Starts a child that is DOWN, in the slot that waits for it or in a new one: 0, or why it cannot be. */
int tri_child_start(tr_self *self, struct tri_supervisor *me, struct tri_child *child);

/* Tells a child to stop. */
void tri_child_stop(tr_self *self, struct tri_supervisor *me, struct tri_child *child);

/* Lets a child go that waits for an order to start again, or has no slot. It reports its end, so that its name is free when
 * it is forgotten; without memory for that it is killed, and forgotten at once. The child may be no more then. */
void tri_child_let_go(tr_self *self, struct tri_supervisor *me, struct tri_child *child);

/* Orders a child that waits to end for good, and report that: false when there was no memory, and it just ends. */
bool tri_child_dismiss(tr_self *self, struct tri_supervisor *me, struct tri_child *child);

/* A child that does not return from a handler is not waited for any more. */
void tri_child_give_up(tr_self *self, struct tri_supervisor *me, struct tri_child *child);

/* For good: answers who asked for it, and of a dynamic supervisor the child is no more then. */
void tri_child_forget(tr_self *self, struct tri_supervisor *me, struct tri_child *child, int reason);

/* Answers a tr_child_start: 0, or why the child has not come. */
void tri_child_answer_start(tr_self *self, struct tri_child *child, int reason);

/* A new place of the child's slot; TR_NOBODY: it has none. */
void tri_child_set_ref(struct tri_supervisor *me, struct tri_child *child, tr_ref ref);

/* The supervisor's own end: nobody who was started here lives on. */
void tri_child_abandon(tr_self *self, struct tri_supervisor *me, struct tri_child *child);

extern const struct tri_actor tri_supervisor_actor;

#endif
