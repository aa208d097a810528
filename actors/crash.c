/* The actors' part of the report of a crash; see sched/crash.h. */
#include "actors/promise.h"
#include "actors/self.h"
#include "sched/crash.h"

static void say_ref(tr_ref ref)
{
    if (tr_ref_is_nobody(ref)) {
        tri_crash_text("<nobody>");
        return;
    }
    tri_crash_text("<");
    tri_crash_decimal(tri_ref_node(ref));
    tri_crash_text(".");
    tri_crash_decimal(tri_ref_slot(ref));
    tri_crash_text(".");
    tri_crash_decimal(tri_ref_generation(ref));
    tri_crash_text(">");
}

/* With the name of its spec, if it is there. */
static void say_actor(tr_ref ref)
{
    const struct tri_slot *slot = tri_slot_find(ref);
    const tr_actor *spec = slot ? ck_pr_load_ptr(&slot->spec) : NULL;
    if (spec) {
        tri_crash_text(spec->name);
        tri_crash_text(" ");
    }
    say_ref(ref);
}

static void say_turn(const tr_self *self)
{
    tri_crash_text("troupe:   in actor ");
    say_actor(self->me);
    if (self->current) {
        tri_crash_text(", handling ");
        tri_crash_text(self->type ? self->type->name : NULL);
    } else {
        tri_crash_text(self->type ? ", between messages" : ", in its start or stop");
    }
    if (self->current && !self->kept) { /* else it has gone on, or is gone */
        tri_crash_text(" from ");
        say_actor(self->current->from);
    }
    tri_crash_line();
}

static void say_history(const tr_self *self)
{
    uint64_t all = self->counters.delivered; /* the one that is being handled comes next, and has its place already */
    if (all == 0)
        return;
    tri_crash_text("troupe:   handled there before, the last one first:");
    for (uint64_t i = 1; i <= all && i < TRI_HISTORY; i++) {
        const tr_type *type = self->history[(all - i) % TRI_HISTORY];
        tri_crash_text(i == 1 ? " " : ", ");
        tri_crash_text(type ? type->name : NULL);
    }
    tri_crash_line();
}

static void say_job(const struct tri_job *job)
{
    const struct tri_promise *promise = tri_container_of(job, const struct tri_promise, job);
    tri_crash_text("troupe:   in a job of tr_block, function at ");
    tri_crash_hex((uintptr_t)promise->function);
    tri_crash_text(", for actor ");
    say_actor(promise->msg.from);
    tri_crash_line();
}

void tri_crash_say(void)
{
    const tr_self *self = tri_worker_here ? tri_worker_here->context : NULL;
    if (self && self->slot)
        say_turn(self);
    if (self)
        say_history(self);
    if (tri_runner_here && tri_runner_here->job)
        say_job(tri_runner_here->job);
}
