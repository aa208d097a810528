/* The life of an actor: spawn, start, end. */
#include "actors/promise.h"
#include "actors/self.h"
#include "sched/log.h"

#include <stdio.h>

/*
 * The state's block holds the state and behind it the argument, which a restart needs again. An actor without a state that
 * will not be started again has no block once it has started; and if its argument is small it has none before, either: the
 * argument waits in the place of the lanes, which are empty until then.
 */
enum { SMALL_ARG = offsetof(struct tri_lanes, count) };

static size_t state_room(const tr_actor *spec)
{
    return ((size_t)spec->state_size + 15) & ~(size_t)15;
}

static void *block_arg(const struct tri_slot *slot)
{
    return (char *)slot->state + state_room(slot->spec);
}

static void copy_arg(const tr_actor *spec, void *to, const void *arg)
{
    if (arg)
        memcpy(to, arg, spec->arg_size);
    else
        memset(to, 0, spec->arg_size);
}

/* ---- spawn ------------------------------------------------------------------------------------------------------- */

static void check_spec(const tr_actor *spec)
{
    const char *name = spec->name ? spec->name : "(no name)";
    if (spec->size_ != sizeof(tr_actor) && spec->size_ != sizeof(struct tri_actor))
        tri_panic("the spec of actor %s has no TR_SPEC (or is of another version of Troupe)", name);
    if (!spec->receive)
        tri_panic("the spec of actor %s has no receive", name);
    if (spec->mailbox > TR_MAILBOX_MAX)
        tri_panic("the spec of actor %s wants a mailbox of %u messages; the most is %u", name, spec->mailbox, TR_MAILBOX_MAX);
    if (spec->mailbox_kib > TRI_BULK_MAX_KIB)
        tri_panic("the spec of actor %s wants %u KiB of bulk; the most is %u", name, spec->mailbox_kib, TRI_BULK_MAX_KIB);
}

static bool make_block(struct tri_slot *slot, const tr_actor *spec, const void *arg)
{
    tri_tag tag;
    void *block = tri_block_get(state_room(spec) + spec->arg_size, &tag);
    if (!block)
        return false;
    slot->state = memset(block, 0, state_room(spec));
    slot->tag = tag;
    if (spec->arg_size)
        copy_arg(spec, (char *)block + state_room(spec), arg);
    return true;
}

static bool make_state(struct tri_slot *slot, const tr_actor *spec, const void *arg)
{
    slot->state = NULL;
    slot->lanes = (struct tri_lanes){ 0 };
    if (spec->state_size || spec->arg_size > SMALL_ARG)
        return make_block(slot, spec, arg);
    copy_arg(spec, &slot->lanes, arg);
    return true;
}

bool tri_spawn_keep_arg(struct tri_slot *slot)
{
    if (slot->state || slot->spec->arg_size == 0)
        return true;
    if (!make_block(slot, slot->spec, &slot->lanes))
        return false;
    slot->lanes = (struct tri_lanes){ 0 };
    return true;
}

struct tri_slot *tri_spawn_prepare(tr_self *self, const tr_actor *spec, const void *arg, uint16_t home, int *error)
{
    check_spec(spec);
    *error = ck_pr_load_uint(&self->system->state) == TRI_SYSTEM_OPEN ? 0 : TR_ESHUTDOWN;
    struct tri_slot *slot = *error ? NULL : tri_cache_get(&tri_slots, &self->slots);
    if (!slot) {
        if (!*error)
            *error = tri_table_chunks(&tri_slots) == tri_slots.chunks_max ? TR_ELIMIT : TR_ENOMEM;
        return NULL;
    }
    if (!make_state(slot, spec, arg))
        *error = TR_ENOMEM;
    else if (tri_unlikely(spec->thread) && (*error = tri_sched_own(&self->system->sched, &home)) && slot->state)
        tri_block_put(slot->state, slot->tag);
    if (*error) {
        slot->state = NULL;
        tri_cache_put(&tri_slots, &self->slots, slot);
        return NULL;
    }
    ck_pr_store_16(&slot->run.home, home);
    ck_pr_store_16(&slot->run.system, self->system->number);
    ck_pr_store_32(&slot->run.handled, 0);
    ck_pr_store_ptr(&slot->spec, spec);
    slot->cold = NULL;
    ck_pr_fence_release(); /* that its last actor's mailbox is closed, before this; pairs with tri_owner_ended */
    ck_pr_store_16(&slot->incarnation, 0);
    slot->status = TRI_STARTING;
    slot->in_flight = 0;
    slot->flags = 0;
    /* Atomic, as a buffer of the connection that was here may come back now: its CAS in tri_window_return then fails. */
    ck_pr_store_64(&slot->parent.bits, (self->slot ? self->me : TR_NOBODY).bits);
    uint32_t number = tri_ref_slot(tri_slot_ref(slot)); /* which never changes; late signals may still come */
    ck_pr_store_64(&slot->identity, tri_ref_make(slot->box.generation + 1, number).bits << TRI_SIGNAL_BITS);
    return slot;
}

void tri_spawn_cancel(tr_self *self, struct tri_slot *slot)
{
    if (slot->cold) {
        tri_monitor_detach(slot->cold);
        tri_name_end(&self->system->names, slot->cold);
        tri_cold_free(slot);
    }
    if (slot->state)
        tri_block_put(slot->state, slot->tag);
    slot->state = NULL;
    slot->status = TRI_FREE;
    if (slot->spec->thread)
        tri_sched_disown(&self->system->sched, slot->run.home);
    tri_cache_put(&tri_slots, &self->slots, slot);
}

tr_ref tri_spawn_finish(tr_self *self, struct tri_slot *slot)
{
    const tr_actor *spec = slot->spec;
    tr_ref ref = tri_slot_ref(slot);
    tri_count(&self->counters.spawned);
    tri_outbox_flush(self);
    tri_mailbox_open(&slot->box, tri_ref_generation(ref), spec->mailbox ? spec->mailbox : TR_MAILBOX_DEFAULT,
        spec->mailbox_kib ? spec->mailbox_kib : TR_MAILBOX_KIB_DEFAULT, (enum tri_policy)spec->policy);
    if (slot->cold && slot->cold->name)
        tri_name_show(slot->cold->name, ref);
    tri_sched_schedule(&self->system->sched, self->worker, &slot->run);
    return ref;
}

int tri_spawn_bind(tr_self *self, struct tri_slot *slot, const tr_spawn_options *options)
{
    int error = options->name ? tri_name_reserve(&self->system->names, slot, options->name) : 0;
    if (!error && options->monitor)
        error = tri_monitor_attach(self, slot);
    if (!error && options->link)
        error = tri_link_attach(self, slot);
    return error;
}

tr_ref tr_spawn_(tr_self *self, const tr_actor *spec, const tr_spawn_options *options)
{
    int error;
    tr_ref ref = TR_NOBODY;
    tri_check_self(self, "tr_spawn");
    struct tri_slot *slot = tri_spawn_prepare(self, spec, options->arg, TRI_HOME_ANY, &error);
    if (slot && !(error = tri_spawn_bind(self, slot, options)))
        ref = tri_spawn_finish(self, slot);
    else if (slot)
        tri_spawn_cancel(self, slot);
    if (options->error)
        *options->error = error;
    else if (error)
        tri_log(TR_LOG_WARNING, "actor %s cannot be spawned: %s", spec->name, tr_strerror(error));
    return ref;
}

static bool has_supervisor(const struct tri_slot *slot)
{
    return slot->cold && !tr_ref_is_nobody(slot->cold->duty.supervisor);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

void tri_start(tr_self *self)
{
    struct tri_slot *slot = self->slot;
    _Alignas(16) char small[SMALL_ARG];
    int answer = TR_CONTINUE;

    if (slot->status == TRI_STARTING && !slot->state) {
        memcpy(small, &slot->lanes, sizeof small);
        slot->lanes = (struct tri_lanes){ 0 };
    }
    slot->status = TRI_ALIVE;
    slot->flags |= TRI_SLOT_STARTED;
    ck_pr_store_ptr(&self->type, NULL);
    if (slot->spec->start)
        answer = slot->spec->start(self, slot->state, !slot->spec->arg_size ? NULL : slot->state ? block_arg(slot) : small);
    if (slot->spec->state_size == 0 && slot->state && !has_supervisor(slot)) {
        tri_block_put(slot->state, slot->tag);
        slot->state = NULL;
    }
    if (answer == TR_CONTINUE)
        tr_ready(self);
    else if (answer == TR_STOP || answer < 0)
        tri_end(self, answer == TR_STOP ? 0 : answer);
    else if (answer != TR_NOT_READY)
        tri_panic("start answered %d: it must be TR_CONTINUE, TR_NOT_READY, TR_STOP or a negative error", answer);
}

void tr_ready(tr_self *self)
{
    tri_check_self(self, "tr_ready");
    if (self->slot->flags & TRI_SLOT_READY)
        return;
    self->slot->flags |= TRI_SLOT_READY;
    if (self->slot->cold)
        tri_duty_started(self);
}

/* A new incarnation: the state is zeroed, the argument is the same. */
void tri_start_again(tr_self *self)
{
    struct tri_slot *slot = self->slot;
    slot->flags &= (uint8_t) ~(TRI_SLOT_READY | TRI_SLOT_ORDERED);
    tri_count(&self->counters.restarted);
    if (slot->state)
        memset(slot->state, 0, state_room(slot->spec));
    tri_start(self);
}

/* ---- end --------------------------------------------------------------------------------------------------------- */

uint16_t tri_incarnation_last = UINT16_MAX;

/* Whether its supervisor will want it started again, so that reference and mailbox are to be kept. Its incarnation is that of
 * the next start; when they are used up the child ends for good, and its supervisor starts it anew in another slot. */
static bool comes_again(tr_self *self, const struct tri_slot *slot, int reason)
{
    const struct tri_cold *cold = slot->cold;
    if (!has_supervisor(slot) || slot->flags & TRI_SLOT_STOPPING)
        return false;
    if ((uint16_t)(slot->incarnation - 1) >= tri_incarnation_last)
        return false;
    if (ck_pr_load_uint(&self->system->state) != TRI_SYSTEM_OPEN)
        return false;
    return cold->duty.restart == TR_PERMANENT || (cold->duty.restart == TR_TRANSIENT && reason < 0);
}

const char *tri_fatal_text(char *text, size_t size, struct tri_fatal about)
{
    char from[TR_REF_TEXT];
    *text = '\0';
    if (about.type)
        snprintf(text, size, ", handling %s from %s", about.type->name,
            tr_ref_is_nobody(about.from) ? "outside" : tr_ref_text(about.from, from));
    return text;
}

/* A crash that nobody will hear of is logged. */
static TRI_COLD void report_crash(const tr_self *self, const struct tri_slot *slot, int reason)
{
    const struct tri_cold *cold = slot->cold;
    bool heard = cold &&
        (!tr_ref_is_nobody(cold->duty.supervisor) || !cork_dllist_is_empty(&cold->monitors) || tri_link_any(cold));
    char text[256], message[256];
    if (reason == TR_ESHUTDOWN || reason == TR_EKILLED || heard)
        return;
    struct tri_wards wards = tri_ward_list(slot);
    struct tri_fatal about = tri_internal(slot->spec) ? (struct tri_fatal){ 0 } : self->fatal_about;
    tri_log(TR_LOG_WARNING, "ended: %s%s%s", tr_strerror(reason), tri_fatal_text(message, sizeof message, about),
        tri_ward_text(&wards, text, sizeof text));
}

/* Answers the news for the linked, to be told when the rest is done. */
static tr_msg *end_incarnation(tr_self *self, struct tri_slot *slot, int reason)
{
    tr_msg *links = NULL;
    if (slot->flags & TRI_SLOT_STARTED) {
        slot->flags &= (uint8_t)~TRI_SLOT_STARTED;
        ck_pr_store_ptr(&self->type, NULL);
        if (slot->spec->stop)
            slot->spec->stop(self, slot->state, reason);
    }
    if (slot->cold) {
        tri_taken_end(self, slot->cold, reason);
        links = tri_link_take(slot->cold);
        tri_promise_drop_all(self, slot->cold);
    }
    ck_pr_store_16(&slot->incarnation, (uint16_t)(slot->incarnation + 1)); /* wards compare it when they are signalled */
    ck_pr_fence_store_atomic();
    tri_ward_end(self, slot);
    return links;
}

static void bury(tr_self *self, struct tri_slot *slot, int reason)
{
    self->ended = true;
    self->reason = reason;
    for (tr_msg *m; (m = tri_lanes_pop(&slot->lanes));) {
        tr_ref to = tri_ref_make(m->generation_, tri_ref_slot(self->me)); /* or an earlier actor of this slot */
        tri_dead(self, NULL, to, m, TR_EDOWN);
    }
    self->ended = false;
}

void tri_end(tr_self *self, int reason)
{
    struct tri_slot *slot = self->slot;

    if (slot->status == TRI_RESTARTING && comes_again(self, slot, reason)) {
        tri_duty_waits(self, reason); /* it has ended already, and its supervisor has the word */
        return;
    }
    if (reason < 0 && reason != TR_ESHUTDOWN && slot->status != TRI_RESTARTING) /* an incarnation ends once */
        tri_count(&self->counters.crashed);
    if (tri_unlikely(reason < 0)) {
        report_crash(self, slot, reason);
        tri_duty_note_wards(slot);
    }
    tr_msg *links = end_incarnation(self, slot, reason);
    if (comes_again(self, slot, reason)) {
        slot->status = TRI_RESTARTING;
        tri_link_tell(self, links, reason);
        tri_duty_ended(self, reason, false);
        return;
    }
    slot->status = TRI_CLOSING;
    slot->in_flight++; /* this turn: operations that come home during it do not release the slot */
    tr_msg *monitors = slot->cold ? tri_monitor_take(slot->cold) : NULL;
    if (slot->cold)
        tri_name_end(&self->system->names, slot->cold);
    tri_mailbox_close(&slot->box, &slot->lanes);
    tri_link_tell(self, links, reason);
    tri_monitor_tell(self, monitors, reason);
    if (slot->cold)
        tri_duty_ended(self, reason, true);
    bury(self, slot, reason);
    if (tri_unlikely(tr_ref_eq(self->me, self->system->root)))
        tri_system_root_ended(self->system, reason);
    self->slot = NULL;
    tri_came_home(slot);
}

void tri_came_home(struct tri_slot *slot)
{
    tri_assert(slot->in_flight > 0);
    if (--slot->in_flight > 0)
        return;
    if (slot->status == TRI_CLOSING)
        tri_slot_release(slot);
    else if (slot->flags & TRI_SLOT_ORDERED)
        tri_poke(tri_worker_here->context, slot);
}

/* ---- asked to end ------------------------------------------------------------------------------------------------ */

struct exit_request {
    int reason;
};

/* For a reason of 0 or an internal actor's own way of ending, see tri_actor.exit_asked. */
static void handle_exit(tr_self *self, tr_msg *m)
{
    struct tri_slot *slot = self->slot;
    const struct tri_actor *internal = tri_internal(slot->spec);
    int reason = ((struct exit_request *)tri_msg_body(m))->reason;
    if (slot->status == TRI_RESTARTING && tri_duty_stays_away(self, m, reason))
        return;
    tri_msg_free(m);
    if (slot->status == TRI_RESTARTING)
        return; /* it has ended already, and will be started again */
    if (internal && internal->exit_asked) {
        int answer = internal->exit_asked(self, slot->state, reason);
        if (answer == TR_CONTINUE)
            return;
    }
    tri_end(self, reason);
}

static const struct tri_runtime_type exit_type = TRI_RUNTIME_TYPE("tr_exit", .handle = handle_exit);

void tri_ask_to_end(tr_self *self, tr_ref actor, int reason)
{
    tr_msg *m = tri_msg_new(&exit_type.type, sizeof(struct exit_request));
    if (!m) { /* killing needs no memory */
        tri_signal(self, actor, TRI_SIGNAL_KILL);
        return;
    }
    m->from = self ? self->me : TR_NOBODY;
    m->flags_ = TRI_MSG_RUNTIME | TRI_MSG_SYSTEM | TRI_MSG_EXEMPT;
    ((struct exit_request *)tri_msg_body(m))->reason = reason;
    tri_deliver(self, actor, m);
}

void tr_exit(tr_self *self, tr_ref actor, int reason)
{
    tri_check_self(self, "tr_exit");
    if (reason > 0)
        tri_panic("tr_exit: a reason is 0 or a negative error, not %d", reason);
    tri_ask_to_end(self, actor, reason);
}

void tr_kill(tr_self *self, tr_ref actor)
{
    tri_check_self(self, "tr_kill");
    tri_signal(self, actor, TRI_SIGNAL_KILL);
}

/* ---- about oneself ----------------------------------------------------------------------------------------------- */

tr_ref tr_me(tr_self *self)
{
    return self->me;
}

tr_ref tr_parent(tr_self *self)
{
    tri_check_self(self, "tr_parent");
    return self->slot->parent;
}

const char *tr_name(tr_self *self)
{
    tri_check_self(self, "tr_name");
    return self->slot->spec->name;
}

unsigned tr_incarnation(tr_self *self)
{
    tri_check_self(self, "tr_incarnation");
    return self->slot->incarnation;
}

int64_t tr_now(tr_self *self)
{
    return tri_clock_now(self->system->config.sched.clock);
}

uint64_t tr_random(tr_self *self)
{
    tri_check_self(self, "tr_random");
    return tri_random_next(&self->worker->random);
}

uint32_t tr_random_below(tr_self *self, uint32_t n)
{
    tri_check_self(self, "tr_random_below");
    if (n == 0)
        tri_panic("tr_random_below: n is 0");
    return tri_random_below(&self->worker->random, n);
}
