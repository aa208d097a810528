/*
 * A supervisor is an actor whose state is a list of children, each in one of these conditions:
 *
 *   DOWN       is to be started, when its turn has come and its delay has passed; it has a slot that waits, or none yet
 *   STARTING   was started, is not ready
 *   UP
 *   STOPPING   was told to stop
 *   GONE       will not be started again
 *
 * Whatever happens (a report, a timer, a request) changes conditions and wishes; then advance() does what is to be done
 * next: stop what is to be stopped, last first, one at a time; then start what is to be started, first first.
 */
#include "actors/duty.h"
#include "sched/log.h"

#include <troupe/name.h>
#include <troupe/supervisor.h>
#include <troupe/timer.h>

TR_DEFINE(tr_child_started);
TR_DEFINE(tr_child_stopped);

enum {
    INTENSITY_DEFAULT = 5,
    INTENSITY_MAX = 1000,
    KILL_PATIENCE_MS = 1000, /* after a kill, before a child is given up */
};

enum condition { DOWN, STARTING, UP, STOPPING, GONE };

/* A dynamic child's name and argument. */
struct copy {
    _Alignas(16) char name[TR_NAME_MAX + 1]; /* the argument follows */
};

static void *arg_in(struct copy *copy)
{
    return copy + 1;
}

/* When the last so many restarts were; for "more than n within a period". */
struct history {
    int64_t *moments; /* a ring of `size` */
    uint32_t size, count, next;
    tri_tag tag;
};

struct child {
    tr_child spec;
    tr_ref ref;          /* TR_NOBODY: has no slot */
    enum condition condition;
    bool stop;           /* is to be stopped, */
    bool keep;           /* and started again */
    bool was_up;         /* has been UP at least once */
    bool killed;
    uint32_t life;       /* counts starts: a report of an earlier one is stale */
    uint32_t in_a_row;   /* restarts within the period, for the delay */
    int64_t not_before;  /* DOWN: the delay */
    tr_timer timer;      /* of the delay, of the start or of the stop */
    struct history history;
    tr_msg *start_request, *stop_request; /* of a dynamic child: to be answered */
    struct copy *copy;   /* of a dynamic child: what spec points to */
    tri_tag copy_tag;
};

struct supervisor {
    const tr_supervisor *table;
    struct child *children;
    uint32_t count, max;
    tri_tag tag;
    struct history history;
    bool ending;
    int reason; /* with which it will end */
};

/* ---- specs and their defaults ------------------------------------------------------------------------------------ */

static const char *name_of(const struct child *child)
{
    if (child->spec.name)
        return child->spec.name;
    return child->spec.actor ? child->spec.actor->name : child->spec.supervisor->name;
}

static enum tr_restart restart_of(const struct child *child)
{
    enum tr_restart restart = child->spec.restart;
    if (restart == TR_RESTART_DEFAULT && child->spec.actor)
        restart = child->spec.actor->restart;
    return restart == TR_RESTART_DEFAULT ? TR_PERMANENT : restart;
}

static int64_t either(int64_t a, int64_t b, int64_t otherwise)
{
    return a ? a : b ? b : otherwise;
}

static int64_t start_time_of(const struct child *child)
{
    return either(child->spec.start_ns, child->spec.actor ? child->spec.actor->start_ns : TR_FOREVER, TR_SECONDS(5));
}

static int64_t shutdown_time_of(const struct child *child)
{
    return either(child->spec.shutdown_ns, child->spec.actor ? child->spec.actor->shutdown_ns : TR_FOREVER, TR_SECONDS(5));
}

static void check_child(const tr_child *child, const char *supervisor)
{
    if (!child->actor == !child->supervisor)
        tri_panic("supervisor %s: child %s needs either an actor or a supervisor", supervisor,
            child->name ? child->name : "(no name)");
    if (child->intensity > INTENSITY_MAX)
        tri_panic("supervisor %s: an intensity of %u; the most is %d", supervisor, child->intensity, INTENSITY_MAX);
}

/* ---- how often --------------------------------------------------------------------------------------------------- */

static bool history_init(struct history *history, uint32_t intensity)
{
    *history = (struct history){ .size = intensity };
    if (intensity)
        history->moments = tri_block_get(intensity * sizeof *history->moments, &history->tag);
    return !intensity || history->moments;
}

static void history_free(struct history *history)
{
    if (history->moments)
        tri_block_put(history->moments, history->tag);
}

/* Notes a restart; false when there have been `size` within the period before it. */
static bool history_note(struct history *history, int64_t now, int64_t period)
{
    if (history->size == 0)
        return true;
    if (history->count == history->size && now - history->moments[history->next] < period)
        return false;
    history->moments[history->next] = now;
    history->next = (history->next + 1) % history->size;
    history->count += history->count < history->size;
    return true;
}

/* The delay before the n-th restart in a row (1: the first). */
static int64_t delay_before(tr_self *self, const struct supervisor *me, uint32_t n)
{
    int64_t delay = either(me->table->backoff_ns, 0, TR_MS(20)), most = either(me->table->backoff_max_ns, 0, TR_SECONDS(5));
    if (n < 2)
        return 0;
    for (; n > 2 && delay < most; n--)
        delay *= 2;
    delay = delay < most ? delay : most;
    uint32_t tenth = delay / 10 < UINT32_MAX / 2 ? (uint32_t)(delay / 10) : UINT32_MAX / 2;
    return delay - tenth + (int64_t)tr_random_below(self, 2 * tenth + 1);
}

/* ---- a child's timer --------------------------------------------------------------------------------------------- */

static void drop_timer(tr_self *self, struct child *child)
{
    tr_cancel(self, child->timer);
    child->timer = (tr_timer){ 0 };
}

/* False when there is no memory for it. */
static bool set_timer(tr_self *self, struct supervisor *me, struct child *child, int64_t delay)
{
    drop_timer(self, child);
    child->timer = tr_after(self, delay, (uint64_t)(child - me->children));
    return child->timer.bits != 0;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

static tr_msg *make_report(tr_self *self, const struct supervisor *me, const struct child *child, const tr_type *type)
{
    tr_msg *m = tri_msg_new(type, sizeof(struct tri_report));
    if (m)
        *(struct tri_report *)tri_msg_body(m) = (struct tri_report){ .child = (uint32_t)(child - me->children),
            .life = child->life, .incarnation = (uint16_t)tr_incarnation(self) };
    return m;
}

extern const struct tri_actor tri_supervisor_actor;

/* Spawns a child's actor with its duty. */
static int spawn(tr_self *self, struct child *child, tr_msg *started, tr_msg *ended)
{
    const tr_actor *spec = child->spec.actor ? child->spec.actor : &tri_supervisor_actor.actor;
    const void *arg = child->spec.actor ? child->spec.arg : &child->spec.supervisor;
    int error;
    struct tri_slot *slot = tri_spawn_prepare(self, spec, arg, TRI_HOME_ANY, &error);
    if (!slot)
        return error;
    struct tri_cold *cold = tri_spawn_keep_arg(slot) ? tri_cold(slot) : NULL;
    if (!(error = cold ? tri_spawn_bind(self, slot, &(tr_spawn_options){ .name = child->spec.name }) : TR_ENOMEM)) {
        cold->duty = (struct tri_duty){ self->me, started, ended, (uint8_t)restart_of(child) };
        child->ref = tri_spawn_finish(self, slot);
        return 0;
    }
    tri_spawn_cancel(self, slot);
    return error;
}

/* Starts a child, in the slot that waits for it or in a new one: 0, or why it cannot be. */
static int start(tr_self *self, struct supervisor *me, struct child *child)
{
    child->life++;
    tr_msg *started = make_report(self, me, child, &tri_started_type);
    tr_msg *ended = make_report(self, me, child, &tri_ended_type), *order = NULL;
    int64_t limit = start_time_of(child);
    drop_timer(self, child); /* that of the delay, which may be due and not handled yet */
    bool timed = limit == TR_FOREVER || set_timer(self, me, child, limit);
    int error = started && ended && timed ? 0 : TR_ENOMEM;
    if (!error && tr_ref_is_nobody(child->ref))
        error = spawn(self, child, started, ended);
    else if (!error && !(order = tri_order_start_new(started, ended)))
        error = TR_ENOMEM;
    if (error) {
        if (started)
            tri_msg_free(started);
        if (ended)
            tri_msg_free(ended);
        drop_timer(self, child);
        return error;
    }
    if (order)
        tri_order_start(self, child->ref, order);
    child->condition = STARTING;
    child->killed = false;
    return 0;
}

/* ---- the next step ----------------------------------------------------------------------------------------------- */

static void answer_start(tr_self *self, struct child *child, int reason)
{
    tr_msg *request = child->start_request;
    child->start_request = NULL;
    if (request && reason)
        tr_refuse(self, request, reason);
    else if (request)
        (void)tr_reply_to(self, request, tr_child_started, .child = child->ref);
}

/* `was` is the reference it had. */
static void forget(tr_self *self, struct supervisor *me, struct child *child, tr_ref was)
{
    tr_msg *request = child->stop_request;
    child->stop_request = NULL;
    if (request)
        (void)tr_reply_to(self, request, tr_child_stopped, .child = was);
    answer_start(self, child, TR_ESHUTDOWN); /* stopped before it was ready */
    child->ref = TR_NOBODY;
    child->condition = GONE;
    child->stop = child->keep = false;
    if (me->table->strategy != TR_DYNAMIC)
        return;
    history_free(&child->history);
    child->history = (struct history){ 0 };
    if (child->copy)
        tri_block_put(child->copy, child->copy_tag);
    child->copy = NULL;
}

/* Lets a child go that waits for an order to start again, or has no slot. It reports its end, so that its name is free when
 * it is forgotten; without memory for that it is killed, and forgotten at once. */
static void let_go(tr_self *self, struct supervisor *me, struct child *child)
{
    drop_timer(self, child);
    child->stop = child->keep = false;
    child->life++;
    tr_ref ref = child->ref;
    tr_msg *ended = tr_ref_is_nobody(ref) ? NULL : make_report(self, me, child, &tri_ended_type);
    if (!tr_ref_is_nobody(ref) && tri_order_stop(self, ref, false, ended) && ended)
        child->condition = STOPPING;
    else
        forget(self, me, child, ref);
}

static void begin_to_end(struct supervisor *me, int reason)
{
    if (me->ending)
        return;
    me->ending = true;
    me->reason = reason;
}

/* A child has ended that is to be started again: when, or never because that was too often. One that could not be started
 * would not be a moment later either: `failed`. */
static void schedule_restart(tr_self *self, struct supervisor *me, struct child *child, int reason, bool failed)
{
    int64_t now = tr_now(self), period = either(child->spec.period_ns, 0, TR_SECONDS(10));
    if (child->history.count == 0 ||
        now - child->history.moments[(child->history.next + child->history.size - 1) % child->history.size] >= period)
        child->in_a_row = 0;
    child->in_a_row++;
    if (!history_note(&child->history, now, period) ||
        !history_note(&me->history, now, either(me->table->period_ns, 0, TR_SECONDS(10)))) {
        tri_log(TR_LOG_ERROR, "child %s was restarted too often; its last end: %s", name_of(child), tr_strerror(reason));
        begin_to_end(me, TR_EINTENSITY);
        return;
    }
    int64_t delay = delay_before(self, me, child->in_a_row + failed);
    bool timed = delay && set_timer(self, me, child, delay);
    child->not_before = timed ? now + delay : now; /* nothing else would bring the supervisor back to it */
}

static void stop(tr_self *self, struct supervisor *me, struct child *child)
{
    int64_t limit = shutdown_time_of(child);
    child->condition = STOPPING;
    child->keep = child->keep && !me->ending;
    drop_timer(self, child);
    tri_order_stop(self, child->ref, child->keep, NULL);
    if (limit == TR_FOREVER || set_timer(self, me, child, limit))
        return;
    child->killed = true; /* nothing would end its patience */
    tr_kill(self, child->ref);
}

/* Whether each child is restarted by itself. */
static bool one_by_one(const struct supervisor *me)
{
    return me->table->strategy == TR_ONE_FOR_ONE || me->table->strategy == TR_DYNAMIC;
}

/* Whether this child may be started now: all before it are ready. Where children are restarted one by one that counts for
 * the first time only. */
static bool its_turn(const struct supervisor *me, const struct child *child)
{
    if (one_by_one(me) && (child->was_up || me->table->strategy == TR_DYNAMIC))
        return true;
    for (const struct child *other = me->children; other < child; other++)
        if (other->condition != UP && other->condition != GONE)
            return false;
    return true;
}

/* The last child that is to be stopped and has not been. */
static struct child *to_stop(struct supervisor *me)
{
    for (uint32_t i = me->count; i-- > 0;) {
        struct child *child = &me->children[i];
        if (child->condition == STOPPING)
            return NULL; /* one at a time */
        if ((child->condition == UP || child->condition == STARTING) && (child->stop || me->ending))
            return child;
    }
    return NULL;
}

static bool stopping(const struct supervisor *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        if (me->children[i].condition == STOPPING)
            return true;
    return false;
}

/* A child that cannot be started at all (no memory, no slot, the name taken) counts as one that ended. */
static void start_failed(tr_self *self, struct supervisor *me, struct child *child, int reason)
{
    tri_log(TR_LOG_WARNING, "child %s could not be started: %s", name_of(child), tr_strerror(reason));
    if (child->start_request) {
        answer_start(self, child, reason);
        let_go(self, me, child);
        return;
    }
    schedule_restart(self, me, child, reason, true);
}

static void start_some(tr_self *self, struct supervisor *me)
{
    int64_t now = tr_now(self);
    for (uint32_t i = 0; i < me->count && !me->ending; i++) {
        struct child *child = &me->children[i];
        while (child->condition == DOWN && child->not_before <= now && its_turn(me, child) && !me->ending) {
            int error = start(self, me, child);
            if (error)
                start_failed(self, me, child, error);
        }
    }
}

/* All children that wait for an order to start again are let go. */
static void dismiss(tr_self *self, struct supervisor *me)
{
    for (uint32_t i = 0; i < me->count; i++) {
        struct child *child = &me->children[i];
        if (child->condition == DOWN)
            let_go(self, me, child);
    }
}

/* Does what is to be done next; answers what the handler returns. */
static int advance(tr_self *self, struct supervisor *me)
{
    for (struct child *child; (child = to_stop(me));)
        stop(self, me, child);
    if (!me->ending && (one_by_one(me) || !stopping(me)))
        start_some(self, me);
    if (!me->ending)
        return TR_CONTINUE;
    for (struct child *child; (child = to_stop(me));) /* it began to end just now */
        stop(self, me, child);
    if (!stopping(me))
        dismiss(self, me);
    if (stopping(me))
        return TR_CONTINUE;
    return me->reason < 0 ? me->reason : TR_STOP;
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

static void child_ready(tr_self *self, struct child *child)
{
    if (child->condition != STARTING)
        return;
    drop_timer(self, child);
    child->condition = UP;
    child->was_up = true;
    answer_start(self, child, 0);
}

/* The other children that have to be stopped and started with one that crashed. */
static void involve_others(struct supervisor *me, const struct child *child)
{
    enum tr_strategy strategy = me->table->strategy;
    for (struct child *other = me->children; other < me->children + me->count; other++) {
        bool involved = strategy == TR_ONE_FOR_ALL || (strategy == TR_REST_FOR_ONE && other > child);
        if (other != child && involved && (other->condition == UP || other->condition == STARTING))
            other->stop = other->keep = true;
    }
}

/* Whether a child that has ended by itself is to be started again. One that is gone was killed while it waited for that; or
 * the system ends. */
static bool comes_again(tr_self *self, const struct child *child, const struct tri_report *report)
{
    enum tr_restart restart = restart_of(child);
    return !report->gone || (ck_pr_load_uint(&self->system->state) == TRI_SYSTEM_OPEN &&
                                (restart == TR_PERMANENT || (restart == TR_TRANSIENT && report->reason < 0)));
}

static void child_ended(tr_self *self, struct supervisor *me, struct child *child, const struct tri_report *report)
{
    bool asked = child->condition == STOPPING, first_start = child->condition == STARTING && !child->was_up;
    bool again = asked ? child->keep && !me->ending : comes_again(self, child, report);
    tr_ref was = child->ref;
    drop_timer(self, child);
    child->stop = child->keep = false;
    if (report->gone)
        child->ref = TR_NOBODY;
    if (!asked && report->reason < 0)
        tri_log(TR_LOG_WARNING, "child %s %s: %s", name_of(child), first_start ? "could not be started" : "ended",
            tr_strerror(report->reason));
    if (first_start && child->start_request) { /* a dynamic child is not tried again */
        answer_start(self, child, report->reason < 0 ? report->reason : TR_ESTART);
        again = false;
    }
    if (report->gone && (asked || !again)) {
        forget(self, me, child, was);
        return;
    }
    if (!again) {
        let_go(self, me, child);
        return;
    }
    child->condition = DOWN;
    child->not_before = 0;
    if (asked)
        return;
    schedule_restart(self, me, child, report->reason, false);
    if (!me->ending)
        involve_others(me, child);
}

static void timer_due(tr_self *self, struct supervisor *me, struct child *child)
{
    child->timer = (tr_timer){ 0 };
    if (child->condition == STARTING) {
        tri_log(TR_LOG_WARNING, "child %s is not ready in time and is killed", name_of(child));
        tr_kill(self, child->ref);
    } else if (child->condition == STOPPING && !child->killed) {
        tri_log(TR_LOG_WARNING, "child %s did not end in time and is killed", name_of(child));
        child->killed = true;
        (void)set_timer(self, me, child, TR_MS(KILL_PATIENCE_MS));
        tr_kill(self, child->ref);
    } else if (child->condition == STOPPING) {
        tri_log(TR_LOG_ERROR, "child %s does not return from a handler and is given up", name_of(child));
        child->life++;
        forget(self, me, child, child->ref);
    }
}

/* ---- dynamic children -------------------------------------------------------------------------------------------- */

struct start_request {
    tr_child child;
    bool named;
    struct copy copy;
};

struct stop_request {
    tr_ref child;
};

static const tr_type start_request_type = { .name = "tr_child_start", .size = sizeof(struct start_request) };
static const tr_type stop_request_type = { .name = "tr_child_stop", .size = sizeof(struct stop_request) };

static size_t arg_size_of(const tr_child *child)
{
    return child->actor ? child->actor->arg_size : 0;
}

tr_call tr_child_start(tr_self *self, tr_ref supervisor, int64_t timeout_ns, const tr_child *child)
{
    tri_check_self(self, "tr_child_start");
    check_child(child, "(dynamic)");
    size_t arg_size = arg_size_of(child), name_size = child->name ? strlen(child->name) + 1 : 0;
    size_t size = sizeof(struct start_request) + arg_size;
    bool fits = size <= TR_BODY_MAX && name_size <= TR_NAME_MAX + 1;
    tr_msg *m = fits ? tri_msg_new(&start_request_type, size) : NULL;
    if (m) {
        struct start_request *request = tri_msg_body(m);
        memset(request, 0, size);
        request->child = *child;
        request->named = child->name != NULL;
        if (child->name)
            memcpy(request->copy.name, child->name, name_size);
        if (child->arg)
            memcpy(arg_in(&request->copy), child->arg, arg_size);
    }
    return tri_ask_message(self, supervisor, timeout_ns, m, fits ? TR_ENOMEM : TR_EINVAL);
}

tr_call tr_child_stop(tr_self *self, tr_ref supervisor, int64_t timeout_ns, tr_ref child)
{
    tri_check_self(self, "tr_child_stop");
    tr_msg *m = tri_msg_new(&stop_request_type, sizeof(struct stop_request));
    if (m)
        ((struct stop_request *)tri_msg_body(m))->child = child;
    return tri_ask_message(self, supervisor, timeout_ns, m, TR_ENOMEM);
}

static struct child *free_place(struct supervisor *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        if (me->children[i].condition == GONE)
            return &me->children[i];
    if (!tri_vector_grow(&me->children, sizeof *me->children, me->count, &me->max, &me->tag))
        return NULL;
    me->children[me->count] = (struct child){ .condition = GONE };
    return &me->children[me->count++];
}

/* Gives a place to a new child; NULL when there is no memory. */
static struct child *settle(struct supervisor *me, const struct start_request *request)
{
    struct child *child = free_place(me);
    size_t size = sizeof(struct copy) + arg_size_of(&request->child);
    if (!child)
        return NULL;
    *child = (struct child){ .spec = request->child, .condition = GONE, .life = child->life };
    if (!history_init(&child->history, request->child.intensity ? request->child.intensity : INTENSITY_DEFAULT))
        return NULL;
    child->copy = tri_block_get(size, &child->copy_tag);
    if (!child->copy) {
        history_free(&child->history);
        child->history = (struct history){ 0 };
        return NULL;
    }
    memcpy(child->copy, &request->copy, size);
    child->spec.name = request->named ? child->copy->name : NULL;
    child->spec.arg = arg_in(child->copy);
    child->condition = DOWN;
    return child;
}

static struct child *find(struct supervisor *me, tr_ref ref)
{
    for (uint32_t i = 0; i < me->count && !tr_ref_is_nobody(ref); i++)
        if (tr_ref_eq(me->children[i].ref, ref) && me->children[i].condition != GONE)
            return &me->children[i];
    return NULL;
}

static void start_asked(tr_self *self, struct supervisor *me, const tr_msg *m)
{
    int error = me->table->strategy != TR_DYNAMIC ? TR_ENOTSUP : me->ending ? TR_ESHUTDOWN : 0;
    tr_msg *taken = error ? NULL : tr_take(self, m);
    struct child *child = taken ? settle(me, tri_msg_body(m)) : NULL;
    if (child)
        child->start_request = taken;
    else
        tr_refuse(self, taken, error ? error : TR_ENOMEM);
}

static void stop_asked(tr_self *self, struct supervisor *me, const tr_msg *m)
{
    struct child *child = find(me, ((const struct stop_request *)tri_msg_body(m))->child);
    if (!child || child->stop_request) {
        tr_refuse(self, NULL, TR_ENOENT);
        return;
    }
    child->stop_request = tr_take(self, m);
    child->stop = true;
    child->keep = false;
    if (child->condition == DOWN)
        let_go(self, me, child);
}

/* ---- the actor --------------------------------------------------------------------------------------------------- */

static int supervisor_start(tr_self *self, void *state, const void *arg)
{
    struct supervisor *me = state;
    me->table = *(const tr_supervisor *const *)arg;
    const tr_supervisor *table = me->table;
    if (table->size_ != sizeof *table)
        tri_panic("supervisor %s has no TR_SUPERVISOR", table->name ? table->name : "(no name)");
    if (table->intensity > INTENSITY_MAX)
        tri_panic("supervisor %s: an intensity of %u; the most is %d", table->name, table->intensity, INTENSITY_MAX);
    if (table->strategy == TR_DYNAMIC && table->count)
        tri_panic("supervisor %s is dynamic and has a table", table->name);
    if (!history_init(&me->history, table->intensity))
        return TR_ENOMEM;
    for (size_t i = 0; i < table->count; i++) {
        check_child(&table->children[i], table->name);
        if (!tri_vector_grow(&me->children, sizeof *me->children, me->count, &me->max, &me->tag))
            return TR_ENOMEM;
        struct child *child = &me->children[me->count++];
        *child = (struct child){ .spec = table->children[i], .condition = DOWN };
        if (!history_init(&child->history, child->spec.intensity ? child->spec.intensity : INTENSITY_DEFAULT))
            return TR_ENOMEM;
    }
    int answer = advance(self, me);
    return answer == TR_CONTINUE && me->count ? TR_NOT_READY : answer;
}

static bool all_up(const struct supervisor *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        if (me->children[i].condition != UP && me->children[i].condition != GONE)
            return false;
    return true;
}

static void handle_report(tr_self *self, struct supervisor *me, const tr_msg *m)
{
    const struct tri_report *report = tri_msg_body(m);
    if (report->incarnation != (uint16_t)tr_incarnation(self))
        return; /* of a child of an earlier one */
    struct child *child = &me->children[report->child];
    if (child->life != report->life)
        return; /* it was given up */
    if (m->type == &tri_started_type)
        child_ready(self, child);
    else
        child_ended(self, me, child, report);
}

static int supervisor_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct supervisor *me = state;
    if (m->type == &tri_started_type || m->type == &tri_ended_type)
        handle_report(self, me, m);
    else if (tr_is(tr_timeout, m))
        timer_due(self, me, &me->children[tr_body(tr_timeout, m)->tag]);
    else if (m->type == &start_request_type)
        start_asked(self, me, m);
    else if (m->type == &stop_request_type)
        stop_asked(self, me, m);
    int answer = advance(self, me);
    if (answer == TR_CONTINUE && all_up(me))
        tr_ready(self);
    return answer;
}

static int supervisor_exit_asked(tr_self *self, void *state, int reason)
{
    struct supervisor *me = state;
    begin_to_end(me, reason);
    return advance(self, me);
}

/* Killed, or over: nobody who was started here lives on. */
static void supervisor_stop(tr_self *self, void *state, int reason)
{
    struct supervisor *me = state;
    (void)reason;
    for (uint32_t i = me->count; i-- > 0;) {
        struct child *child = &me->children[i];
        if (child->condition != GONE && !tr_ref_is_nobody(child->ref))
            tri_order_stop(self, child->ref, false, NULL);
        history_free(&child->history);
        if (child->copy)
            tri_block_put(child->copy, child->copy_tag);
    }
    history_free(&me->history);
    if (me->children)
        tri_block_put(me->children, me->tag);
}

const struct tri_actor tri_supervisor_actor = {
    TRI_SPEC,
    .actor.name = "supervisor",
    .actor.start = supervisor_start,
    .actor.receive = supervisor_receive,
    .actor.stop = supervisor_stop,
    .actor.state_size = sizeof(struct supervisor),
    .actor.arg_size = sizeof(const tr_supervisor *),
    .exit_asked = supervisor_exit_asked,
};

tr_ref tr_supervise_(tr_self *self, const tr_supervisor *supervisor, const tr_spawn_options *options)
{
    tr_spawn_options copy = *options;
    copy.arg = &supervisor;
    return tr_spawn_(self, &tri_supervisor_actor.actor, &copy);
}
