/*
 * A supervisor is an actor whose state is a list of children, see actors/child.h.
 *
 * Whatever happens (a report, a timer, a request) changes conditions and wishes; then advance() does what is to be done
 * next: stop what is to be stopped, last first, one at a time; then start what is to be started, first first. A dynamic
 * supervisor's children do not wait for each other: of them only those are looked at that something has happened to.
 */
#include "actors/dynamic.h"
#include "sched/log.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    KILL_PATIENCE_MS = 1000,    /* after a kill, before a child is given up */
    NAME_PATIENCE_MS = 10,      /* between two tries to get a name that will be free */
    FORMER_PATIENCE_MAX_S = 30, /* for the children of a former incarnation that have no limit of their own */
};

#define FORMER UINT64_MAX /* the tag of that timer */

static const char *name_of(const struct tri_supervisor *me)
{
    return me->table->name ? me->table->name : "(no name)";
}

static bool is_dynamic(const struct tri_supervisor *me)
{
    return me->table->strategy == TR_DYNAMIC;
}

/* ---- the next step ----------------------------------------------------------------------------------------------- */

static void begin_to_end(struct tri_supervisor *me, int reason)
{
    if (me->ending)
        return;
    me->ending = true;
    me->reason = reason;
    for (uint32_t i = 0; i < me->count; i++)
        if (me->places[i].child)
            tri_child_todo(me, me->places[i].child);
}

/* A child has ended that is to be started again: when (answers the delay), or never because that was too often (-1). One that
 * could not be started would not be a moment later either: `failed`. */
static int64_t schedule_restart(tr_self *self, struct tri_supervisor *me, struct tri_child *child, bool failed)
{
    int64_t now = tr_now(self), period = tri_either(child->spec.period_ns, 0, TR_SECONDS(10));
    if (tri_history_quiet(&child->history, now, period))
        child->in_a_row = 0;
    child->in_a_row++;
    if (!tri_history_note(&child->history, now, period) ||
        !tri_history_note(&me->history, now, tri_either(me->table->period_ns, 0, TR_SECONDS(10)))) {
        begin_to_end(me, TR_EINTENSITY);
        return -1;
    }
    int64_t delay = tri_restart_delay(self, me->table, child->in_a_row + failed);
    bool timed = delay && tri_child_set_timer(self, child, delay);
    child->not_before = timed ? now + delay : now; /* nothing else would bring the supervisor back to it */
    return timed ? delay : 0;
}

static void too_often(const struct tri_supervisor *me, const struct tri_child *child, int reason)
{
    tri_log(TR_LOG_ERROR, "supervisor %s: child %s was restarted too often; its last end: %s", name_of(me),
        tri_child_name(child), tr_strerror(reason));
}

/* Whether each child is restarted by itself. */
static bool one_by_one(const struct tri_supervisor *me)
{
    return me->table->strategy == TR_ONE_FOR_ONE || is_dynamic(me);
}

/* Nobody need wait for it any more. */
static bool is_over(const struct tri_child *child)
{
    return child->condition == TRI_CHILD_GONE || child->condition == TRI_CHILD_LOST;
}

/* Whether this child may be started now: all before it are ready. Where children are restarted one by one that counts for
 * the first time only. */
static bool its_turn(const struct tri_supervisor *me, const struct tri_child *child)
{
    if (one_by_one(me) && (child->was_up || is_dynamic(me)))
        return true;
    for (uint32_t i = 0; i < child->number; i++) {
        const struct tri_child *other = me->places[i].child;
        if (other->condition != TRI_CHILD_UP && !is_over(other))
            return false;
    }
    return true;
}

static bool is_to_stop(const struct tri_supervisor *me, const struct tri_child *child)
{
    bool runs = child->condition == TRI_CHILD_UP || child->condition == TRI_CHILD_STARTING;
    return runs && (child->stop || me->ending);
}

static bool stopping(const struct tri_supervisor *me)
{
    return me->in[TRI_CHILD_STOPPING] > 0;
}

/* The last child that is to be stopped, when no other is being stopped: one at a time. */
static struct tri_child *to_stop(struct tri_supervisor *me)
{
    for (uint32_t i = stopping(me) ? 0 : me->count; i-- > 0;)
        if (is_to_stop(me, me->places[i].child))
            return me->places[i].child;
    return NULL;
}

/* Whether the child's name is taken by one that was told to end for good, and is still in a handler. */
static bool name_will_be_free(tr_self *self, const struct tri_child *child)
{
    tr_ref who = child->spec.name ? tri_name_find(&self->system->names, child->spec.name) : TR_NOBODY;
    const struct tri_slot *slot = tri_slot_find(who);
    return slot && ck_pr_load_64(&slot->identity) & TRI_SIGNAL_DISMISS;
}

/* Then it is tried again, and that is not counted: the child has done nothing. */
static bool wait_for_name(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    int64_t delay = tri_restart_delay(self, me->table, ++child->in_a_row), least = TR_MS(NAME_PATIENCE_MS);
    if (!tri_child_set_timer(self, child, delay < least ? least : delay))
        return false;
    child->not_before = TR_FOREVER; /* the timer will say */
    return true;
}

/* A child that cannot be started at all (no memory, no slot, the name taken) counts as one that ended. */
static void start_failed(tr_self *self, struct tri_supervisor *me, struct tri_child *child, int reason)
{
    tri_log(TR_LOG_WARNING, "supervisor %s: child %s could not be started: %s", name_of(me), tri_child_name(child),
        tr_strerror(reason));
    if (child->start_request) {
        tri_child_answer_start(self, child, reason);
        tri_child_let_go(self, me, child);
        return;
    }
    if (reason == TR_EEXIST && name_will_be_free(self, child) && wait_for_name(self, me, child))
        return;
    if (schedule_restart(self, me, child, true) < 0)
        too_often(me, child, reason);
}

/* Starts a child if its time has come, and tries again where that is at once. */
static void start_one(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    int64_t now = tr_now(self);
    while (child->condition == TRI_CHILD_DOWN && child->not_before <= now && its_turn(me, child) && !me->ending) {
        int error = tri_child_start(self, me, child);
        bool last = !error || child->start_request; /* the child may be no more then */
        if (error)
            start_failed(self, me, child, error);
        if (last)
            return;
    }
}

static void advance_table(tr_self *self, struct tri_supervisor *me)
{
    for (struct tri_child *child; (child = to_stop(me));)
        tri_child_stop(self, me, child);
    for (uint32_t i = 0; i < me->count && !me->ending && !me->waiting && (one_by_one(me) || !stopping(me)); i++)
        start_one(self, me, me->places[i].child);
    for (struct tri_child *child; (child = to_stop(me));) /* it began to end just now */
        tri_child_stop(self, me, child);
    bool all_stopped = me->ending && !stopping(me);
    for (uint32_t i = 0; i < me->count && all_stopped; i++)
        if (me->places[i].child->condition == TRI_CHILD_DOWN)
            tri_child_let_go(self, me, me->places[i].child);
}

/* Side by side. A child that is DOWN while former ones are waited for is looked at when they have gone. */
static void advance_dynamic(tr_self *self, struct tri_supervisor *me)
{
    while (!cork_dllist_is_empty(&me->todo)) {
        struct tri_child *child = tri_container_of(cork_dllist_start(&me->todo), struct tri_child, todo);
        if (me->waiting && !me->ending)
            return;
        cork_dllist_remove(&child->todo);
        child->queued = false;
        if (is_to_stop(me, child))
            tri_child_stop(self, me, child);
        else if (child->condition == TRI_CHILD_DOWN && me->ending)
            tri_child_let_go(self, me, child);
        else
            start_one(self, me, child);
    }
}

/* Does what is to be done next; answers what the handler returns. */
static int advance(tr_self *self, struct tri_supervisor *me)
{
    if (is_dynamic(me))
        advance_dynamic(self, me);
    else
        advance_table(self, me);
    if (!me->ending || stopping(me) || me->in[TRI_CHILD_DOWN])
        return TR_CONTINUE;
    return me->reason < 0 ? me->reason : TR_STOP;
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

static void child_ready(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    if (child->condition != TRI_CHILD_STARTING)
        return;
    tr_cancel(self, child->timer);
    child->timer = (tr_timer){ 0 };
    tri_child_set(me, child, TRI_CHILD_UP);
    child->was_up = true;
    tri_child_answer_start(self, child, 0);
}

/* The other children that have to be stopped and started with one that crashed. */
static void involve_others(struct tri_supervisor *me, const struct tri_child *child)
{
    enum tr_strategy strategy = me->table->strategy;
    for (uint32_t i = 0; i < me->count && !one_by_one(me); i++) {
        struct tri_child *other = me->places[i].child;
        bool involved = strategy == TR_ONE_FOR_ALL || (strategy == TR_REST_FOR_ONE && other->number > child->number);
        if (other != child && involved && (other->condition == TRI_CHILD_UP || other->condition == TRI_CHILD_STARTING) &&
            !other->stop)
            other->stop = other->keep = true;
    }
}

/* Whether a child that has ended is to be started again; there is no other place where that is decided. Its supervisor's
 * wish that it shall not be comes first, then the child's entry and the reason decide. */
static bool comes_again(tr_self *self, const struct tri_supervisor *me, const struct tri_child *child, int reason)
{
    bool dismissed = (child->stop || child->condition == TRI_CHILD_STOPPING) && !child->keep;
    enum tr_restart restart = tri_child_restart(child);
    if (dismissed || me->ending || ck_pr_load_uint(&self->system->state) != TRI_SYSTEM_OPEN)
        return false;
    return restart == TR_PERMANENT || (restart == TR_TRANSIENT && reason < 0);
}

enum { DETAILS = 512 };

/* With which message it ended, and when it comes again. */
static const char *details(char *text, const struct tri_last_words *words, bool again, bool asked, int64_t delay)
{
    size_t n = strlen(tri_fatal_text(text, DETAILS, words->about));
    n += strlen(tri_ward_text(&words->wards, text + n, DETAILS - n));
    if (!again)
        snprintf(text + n, DETAILS - n, "; it is not started again");
    else if (delay && !asked)
        snprintf(text + n, DETAILS - n, "; it is started again in %.3g ms", (double)delay / 1e6);
    else
        snprintf(text + n, DETAILS - n, "; it is started again at once");
    return text;
}

static void child_ended(tr_self *self, struct tri_supervisor *me, struct tri_child *child, const struct tri_last_words *words)
{
    const struct tri_report *report = &words->report;
    bool asked = child->condition == TRI_CHILD_STOPPING;
    bool first_start = child->condition == TRI_CHILD_STARTING && !child->was_up;
    bool again = comes_again(self, me, child, report->reason);
    char text[DETAILS];
    int64_t delay = 0;
    tr_cancel(self, child->timer);
    child->timer = (tr_timer){ 0 };
    child->stop = child->keep = false;
    if (first_start && child->start_request) { /* a dynamic child is not tried again */
        tri_child_answer_start(self, child, report->reason < 0 ? report->reason : TR_ESTART);
        again = false;
    }
    if (again) {
        if (report->gone)
            tri_child_set_ref(me, child, TR_NOBODY); /* it is started anew, in another slot */
        tri_child_set(me, child, TRI_CHILD_DOWN);
        child->not_before = 0;
        if (!asked)
            delay = schedule_restart(self, me, child, false);
    }
    if (!asked && report->reason < 0)
        tri_log(TR_LOG_WARNING, "supervisor %s: child %s %s: %s%s", name_of(me), tri_child_name(child),
            first_start ? "could not be started" : "ended", tr_strerror(report->reason),
            details(text, words, again && !me->ending, asked, delay));
    if (delay < 0)
        too_often(me, child, report->reason);
    if (again && !asked && !me->ending)
        involve_others(me, child);
    else if (!again && report->gone)
        tri_child_forget(self, me, child, TR_ESHUTDOWN);
    else if (!again)
        tri_child_let_go(self, me, child);
}

/* One that was given up has returned. If it waits for an order, as it had ended before it was dismissed, it is dismissed once
 * more, with a report. */
static void child_returned(tr_self *self, struct tri_supervisor *me, struct tri_child *child, bool gone)
{
    if (!gone && tri_child_dismiss(self, me, child))
        return;
    if (child->condition != TRI_CHILD_LEFT || me->ending) {
        tri_child_forget(self, me, child, TR_ESHUTDOWN);
        return;
    }
    child->stop = child->keep = false;
    tri_child_set_ref(me, child, TR_NOBODY);
    tri_child_set(me, child, TRI_CHILD_DOWN);
    child->not_before = 0;
}

static void timer_due(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    child->timer = (tr_timer){ 0 };
    if (child->condition == TRI_CHILD_DOWN) {
        child->not_before = tr_now(self);
        tri_child_todo(me, child);
    } else if (child->condition == TRI_CHILD_STARTING) {
        tri_log(TR_LOG_WARNING, "supervisor %s: child %s is not ready in time and is killed", name_of(me),
            tri_child_name(child));
        tr_kill(self, child->ref);
    } else if (child->condition == TRI_CHILD_STOPPING && !child->killed) {
        tri_log(TR_LOG_WARNING, "supervisor %s: child %s did not end in time and is killed", name_of(me),
            tri_child_name(child));
        child->killed = true;
        (void)tri_child_set_timer(self, child, TR_MS(KILL_PATIENCE_MS));
        tr_kill(self, child->ref);
    } else if (child->condition == TRI_CHILD_STOPPING) {
        bool again = child->keep && !me->ending;
        tri_log(TR_LOG_ERROR, "supervisor %s: child %s does not return from a handler and is given up%s", name_of(me),
            tri_child_name(child), again ? "; it is started anew when it has" : "");
        tri_child_give_up(self, me, child);
    }
}

static void handle_report(tr_self *self, struct tri_supervisor *me, const tr_msg *m)
{
    const struct tri_report *report = tri_msg_body(m);
    self->slot->cold->children -= report->gone;
    if (report->incarnation != (uint16_t)tr_incarnation(self))
        return; /* of a child of an earlier one */
    struct tri_child *child = tri_child_at(me, report->child);
    if (!child || child->life != report->life)
        return; /* it was let go */
    if (m->type == &tri_started_type)
        child_ready(self, me, child);
    else if (child->condition == TRI_CHILD_LEFT || child->condition == TRI_CHILD_LOST)
        child_returned(self, me, child, report->gone);
    else
        child_ended(self, me, child, tri_msg_body(m));
}

/* ---- the children of a former incarnation ------------------------------------------------------------------------ */

/* How long they may take. */
static int64_t patience_of(const tr_supervisor *table)
{
    int64_t longest = table->count ? 0 : TR_SECONDS(5);
    for (size_t i = 0; i < table->count; i++) {
        int64_t time = tri_child_shutdown_time(&table->children[i]);
        longest = time > longest ? time : longest;
    }
    longest = longest < TR_SECONDS(FORMER_PATIENCE_MAX_S) ? longest : TR_SECONDS(FORMER_PATIENCE_MAX_S);
    return longest + TR_MS(KILL_PATIENCE_MS);
}

/* The incarnation before this one was killed, and has told its children to end. They are waited for: they have names and
 * what else there is only once. */
static void wait_for_former(tr_self *self, struct tri_supervisor *me)
{
    me->waiting = self->slot->cold->children > 0;
    if (me->waiting)
        me->patience = tr_after(self, patience_of(me->table), FORMER);
    if (!me->patience.bits)
        me->waiting = false; /* nothing would end it */
}

static void look_for_former(tr_self *self, struct tri_supervisor *me, bool late)
{
    if (!me->waiting || (self->slot->cold->children && !late))
        return;
    if (self->slot->cold->children)
        tri_log(TR_LOG_ERROR, "supervisor %s: %" PRIu32 " children of its former life have not ended and are given up",
            name_of(me), self->slot->cold->children);
    me->waiting = false;
    tr_cancel(self, me->patience);
}

/* ---- the actor --------------------------------------------------------------------------------------------------- */

static int check_table(const tr_supervisor *table)
{
    const char *name = table->name ? table->name : "(no name)";
    if (table->size_ != sizeof *table)
        tri_panic("supervisor %s has no TR_SUPERVISOR", name);
    if (table->strategy == TR_DYNAMIC && table->count)
        tri_panic("supervisor %s is dynamic and has a table", name);
    if (table->intensity <= TRI_INTENSITY_MAX || table->intensity == TR_UNLIMITED)
        return 0;
    tri_log(TR_LOG_ERROR, "supervisor %s: an intensity of %u; the most is %d, or TR_UNLIMITED", name, table->intensity,
        TRI_INTENSITY_MAX);
    return TR_EINVAL;
}

static int take_table(struct tri_supervisor *me)
{
    const tr_supervisor *table = me->table;
    int error = check_table(table);
    me->history.size = error ? 0 : tri_history_size(table->intensity);
    if (me->history.size)
        me->history.moments = tri_block_get(me->history.size * sizeof *me->history.moments, &me->history_tag);
    if (me->history.size && !me->history.moments)
        return TR_ENOMEM;
    for (size_t i = 0; i < table->count && !error; i++) {
        error = tri_child_check(&table->children[i], table->name);
        struct tri_child *child = error ? NULL : tri_child_new(me, &table->children[i], NULL, NULL);
        if (!error && !child)
            return TR_ENOMEM;
        if (!error)
            tri_child_set(me, child, TRI_CHILD_DOWN);
    }
    return error;
}

static int supervisor_start(tr_self *self, void *state, const void *arg)
{
    struct tri_supervisor *me = state;
    me->table = *(const tr_supervisor *const *)arg;
    cork_dllist_init(&me->todo);
    int error = take_table(me);
    if (!error && !tri_cold(self->slot))
        error = TR_ENOMEM;
    if (error)
        return error;
    wait_for_former(self, me);
    int answer = advance(self, me);
    return answer == TR_CONTINUE && (me->count || me->waiting) ? TR_NOT_READY : answer;
}

static bool all_up(const struct tri_supervisor *me)
{
    return !me->waiting && !me->in[TRI_CHILD_DOWN] && !me->in[TRI_CHILD_STARTING] && !me->in[TRI_CHILD_STOPPING] &&
        !me->in[TRI_CHILD_LEFT];
}

static int supervisor_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct tri_supervisor *me = state;
    bool timed = tr_is(tr_timeout, m), former = timed && tr_body(tr_timeout, m)->tag == FORMER;
    if (m->type == &tri_started_type || m->type == &tri_ended_type)
        handle_report(self, me, m);
    else if (timed && !former)
        timer_due(self, me, tri_child_at(me, tr_body(tr_timeout, m)->tag));
    else if (!timed)
        tri_dynamic_asked(self, me, m);
    look_for_former(self, me, former);
    int answer = advance(self, me);
    if (answer == TR_CONTINUE && all_up(me))
        tr_ready(self);
    return answer;
}

static int supervisor_exit_asked(tr_self *self, void *state, int reason)
{
    struct tri_supervisor *me = state;
    begin_to_end(me, reason);
    return advance(self, me);
}

/* Killed, or over: nobody who was started here lives on. */
static void supervisor_stop(tr_self *self, void *state, int reason)
{
    struct tri_supervisor *me = state;
    (void)reason;
    for (uint32_t i = me->count; i-- > 0;)
        if (me->places[i].child)
            tri_child_abandon(self, me, me->places[i].child);
    tri_children_free(me);
}

const struct tri_actor tri_supervisor_actor = {
    TRI_SPEC,
    .actor.name = "supervisor",
    .actor.start = supervisor_start,
    .actor.receive = supervisor_receive,
    .actor.stop = supervisor_stop,
    .actor.state_size = sizeof(struct tri_supervisor),
    .actor.arg_size = sizeof(const tr_supervisor *),
    .exit_asked = supervisor_exit_asked,
};

tr_ref tr_supervise_(tr_self *self, const tr_supervisor *supervisor, const tr_spawn_options *options)
{
    tr_spawn_options copy = *options;
    copy.arg = &supervisor;
    return tr_spawn_(self, &tri_supervisor_actor.actor, &copy);
}
