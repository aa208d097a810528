#include "actors/child.h"

#include "sched/log.h"

/* ---- specs and their defaults ------------------------------------------------------------------------------------ */

const char *tri_child_name(const struct tri_child *child)
{
    if (child->spec.name)
        return child->spec.name;
    return child->spec.actor ? child->spec.actor->name : child->spec.supervisor->name;
}

enum tr_restart tri_child_restart(const struct tri_child *child)
{
    enum tr_restart restart = child->spec.restart;
    if (restart == TR_RESTART_DEFAULT && child->spec.actor)
        restart = child->spec.actor->restart;
    return restart == TR_RESTART_DEFAULT ? TR_PERMANENT : restart;
}

static int64_t start_time_of(const tr_child *spec)
{
    return tri_either(spec->start_ns, spec->actor ? spec->actor->start_ns : TR_FOREVER, TR_SECONDS(5));
}

int64_t tri_child_shutdown_time(const tr_child *spec)
{
    return tri_either(spec->shutdown_ns, spec->actor ? spec->actor->shutdown_ns : TR_FOREVER, TR_SECONDS(5));
}

int tri_child_check(const tr_child *child, const char *supervisor)
{
    const char *name = child->name ? child->name : "(no name)";
    if (!child->actor == !child->supervisor)
        tri_panic("supervisor %s: child %s needs either an actor or a supervisor", supervisor, name);
    if (child->intensity <= TRI_INTENSITY_MAX || child->intensity == TR_UNLIMITED)
        return 0;
    tri_log(TR_LOG_ERROR, "supervisor %s: child %s has an intensity of %u; the most is %d, or TR_UNLIMITED", supervisor,
        name, child->intensity, TRI_INTENSITY_MAX);
    return TR_EINVAL;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static uint32_t *bucket_of(const struct tri_supervisor *me, tr_ref ref)
{
    return &me->buckets[tri_ref_slot(ref) & (me->bucket_max - 1)];
}

struct tri_child *tri_child_at(const struct tri_supervisor *me, uint64_t number)
{
    return number < me->count ? me->places[number].child : NULL;
}

struct tri_child *tri_child_find(const struct tri_supervisor *me, tr_ref ref)
{
    uint32_t at = tr_ref_is_nobody(ref) || !me->buckets ? 0 : *bucket_of(me, ref);
    while (at && !tr_ref_eq(me->places[at - 1].child->ref, ref))
        at = me->places[at - 1].next;
    return at ? me->places[at - 1].child : NULL;
}

void tri_child_set_ref(struct tri_supervisor *me, struct tri_child *child, tr_ref ref)
{
    struct tri_place *place = &me->places[child->number];
    if (!tr_ref_is_nobody(child->ref)) {
        uint32_t *at = bucket_of(me, child->ref);
        while (*at != child->number + 1)
            at = &me->places[*at - 1].next;
        *at = place->next;
        place->next = 0;
    }
    child->ref = ref;
    if (!tr_ref_is_nobody(ref)) {
        uint32_t *bucket = bucket_of(me, ref);
        place->next = *bucket;
        *bucket = child->number + 1;
    }
}

/* As many buckets as places; false when there is no memory. */
static bool grow_buckets(struct tri_supervisor *me)
{
    tri_tag tag;
    if (me->bucket_max == me->max)
        return true;
    uint32_t *bigger = tri_block_get(me->max * sizeof *bigger, &tag);
    if (!bigger)
        return false;
    if (me->buckets)
        tri_block_put(me->buckets, me->bucket_tag);
    me->buckets = memset(bigger, 0, me->max * sizeof *bigger);
    me->bucket_tag = tag;
    me->bucket_max = me->max;
    for (uint32_t i = 0; i < me->count; i++) {
        struct tri_child *child = me->places[i].child;
        if (!child || tr_ref_is_nobody(child->ref))
            continue;
        uint32_t *bucket = bucket_of(me, child->ref);
        me->places[i].next = *bucket;
        *bucket = i + 1;
    }
    return true;
}

/* A free place's number; false when there is no memory. */
static bool take_place(struct tri_supervisor *me, uint32_t *number)
{
    if (me->free) {
        *number = me->free - 1;
        me->free = me->places[*number].next;
    } else {
        if (!tri_vector_grow(&me->places, sizeof *me->places, me->count, &me->max, &me->tag) || !grow_buckets(me))
            return false;
        *number = me->count++;
    }
    me->places[*number] = (struct tri_place){ 0 };
    return true;
}

static void free_place(struct tri_supervisor *me, uint32_t number)
{
    me->places[number] = (struct tri_place){ .next = me->free };
    me->free = number + 1;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static size_t rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

struct tri_child *tri_child_new(struct tri_supervisor *me, const tr_child *spec, const char *name, const void *arg)
{
    tri_tag tag;
    uint32_t number, remembers = tri_history_size(spec->intensity ? spec->intensity : TRI_INTENSITY_DEFAULT);
    size_t moments = rounded(sizeof(struct tri_child)), copy = moments + rounded(remembers * sizeof(int64_t));
    size_t arg_size = arg ? spec->actor->arg_size : 0, name_size = name ? strlen(name) + 1 : 0;
    char *block = tri_block_get(copy + rounded(arg_size) + name_size, &tag);
    if (!block || !take_place(me, &number)) {
        if (block)
            tri_block_put(block, tag);
        return NULL;
    }
    struct tri_child *child = (void *)block;
    *child = (struct tri_child){ .spec = *spec, .condition = TRI_CHILD_GONE, .number = number, .tag = tag };
    child->history = (struct tri_history){ .moments = (void *)(block + moments), .size = remembers };
    if (arg)
        child->spec.arg = memcpy(block + copy, arg, arg_size);
    if (name)
        child->spec.name = memcpy(block + copy + rounded(arg_size), name, name_size);
    me->places[number].child = child;
    me->in[TRI_CHILD_GONE]++;
    return child;
}

static void free_child(struct tri_supervisor *me, struct tri_child *child)
{
    me->in[child->condition]--;
    if (child->queued)
        cork_dllist_remove(&child->todo);
    free_place(me, child->number);
    tri_block_put(child, child->tag);
}

void tri_children_free(struct tri_supervisor *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        if (me->places[i].child)
            tri_block_put(me->places[i].child, me->places[i].child->tag);
    if (me->history.moments)
        tri_block_put(me->history.moments, me->history_tag);
    if (me->buckets)
        tri_block_put(me->buckets, me->bucket_tag);
    if (me->places)
        tri_block_put(me->places, me->tag);
}

void tri_child_set(struct tri_supervisor *me, struct tri_child *child, enum tri_child_condition condition)
{
    me->in[child->condition]--;
    me->in[condition]++;
    child->condition = condition;
    tri_child_todo(me, child);
}

void tri_child_todo(struct tri_supervisor *me, struct tri_child *child)
{
    if (child->queued || me->table->strategy != TR_DYNAMIC)
        return;
    child->queued = true;
    cork_dllist_add_to_tail(&me->todo, &child->todo);
}

/* ---- a child's timer --------------------------------------------------------------------------------------------- */

static void drop_timer(tr_self *self, struct tri_child *child)
{
    tr_cancel(self, child->timer);
    child->timer = (tr_timer){ 0 };
}

bool tri_child_set_timer(tr_self *self, struct tri_child *child, int64_t delay)
{
    drop_timer(self, child);
    child->timer = tr_after(self, delay, child->number);
    return child->timer.bits != 0;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

/* Spawns a child's actor with its duty. */
static int spawn(tr_self *self, struct tri_supervisor *me, struct tri_child *child, tr_msg *started, tr_msg *ended)
{
    const tr_actor *spec = child->spec.actor ? child->spec.actor : &tri_supervisor_actor.actor;
    const void *arg = child->spec.actor ? child->spec.arg : &child->spec.supervisor;
    int error;
    struct tri_slot *slot = tri_spawn_prepare(self, spec, arg, TRI_HOME_ANY, &error);
    if (!slot)
        return error;
    struct tri_cold *cold = tri_spawn_keep_arg(slot) ? tri_cold(slot) : NULL;
    if (!(error = cold ? tri_spawn_bind(self, slot, &(tr_spawn_options){ .name = child->spec.name }) : TR_ENOMEM)) {
        cold->duty = (struct tri_duty){ self->me, started, ended, (uint8_t)tri_child_restart(child) };
        tri_child_set_ref(me, child, tri_spawn_finish(self, slot));
        self->slot->cold->children++;
        return 0;
    }
    tri_spawn_cancel(self, slot);
    return error;
}

int tri_child_start(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    struct tri_report about = { .child = child->number,
        .life = child->life = ++me->lives,
        .incarnation = (uint16_t)tr_incarnation(self) };
    tr_msg *started = tri_report_new(&tri_started_type, &about), *ended = tri_report_new(&tri_ended_type, &about);
    tr_msg *order = NULL;
    int64_t limit = start_time_of(&child->spec);
    drop_timer(self, child); /* that of the delay, which may be due and not handled yet */
    bool timed = limit == TR_FOREVER || tri_child_set_timer(self, child, limit);
    int error = started && ended && timed ? 0 : TR_ENOMEM;
    if (!error && tr_ref_is_nobody(child->ref))
        error = spawn(self, me, child, started, ended);
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
    tri_child_set(me, child, TRI_CHILD_STARTING);
    child->killed = false;
    return 0;
}

void tri_child_answer_start(tr_self *self, struct tri_child *child, int reason)
{
    tr_msg *request = child->start_request;
    child->start_request = NULL;
    if (request && reason)
        tr_refuse(self, request, reason);
    else if (request)
        (void)tr_reply_to(self, request, tr_child_started, .child = child->ref);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

static void answer_stop(tr_self *self, struct tri_child *child, int reason)
{
    tr_msg *request = child->stop_request;
    child->stop_request = NULL;
    if (request && reason)
        tr_refuse(self, request, reason);
    else if (request)
        (void)tr_reply_to(self, request, tr_child_stopped, .child = child->ref);
}

void tri_child_forget(tr_self *self, struct tri_supervisor *me, struct tri_child *child, int reason)
{
    drop_timer(self, child);
    answer_stop(self, child, 0);
    tri_child_answer_start(self, child, reason);
    tri_child_set_ref(me, child, TR_NOBODY);
    child->stop = child->keep = false;
    tri_child_set(me, child, TRI_CHILD_GONE);
    if (me->table->strategy == TR_DYNAMIC)
        free_child(me, child);
}

/* A report of a child that has none, with which it ends; NULL when there is no memory. */
static tr_msg *last_report(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    child->life = ++me->lives;
    return tri_report_new(&tri_ended_type,
        &(struct tri_report){ .child = child->number, .life = child->life, .incarnation = (uint16_t)tr_incarnation(self) });
}

bool tri_child_dismiss(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    tr_msg *ended = last_report(self, me, child);
    return tri_order_stop(self, child->ref, &(struct tri_stop_order){ .ended = ended }) && ended;
}

void tri_child_let_go(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    drop_timer(self, child);
    child->stop = child->keep = false;
    if (!tr_ref_is_nobody(child->ref) && tri_child_dismiss(self, me, child))
        tri_child_set(me, child, TRI_CHILD_STOPPING);
    else
        tri_child_forget(self, me, child, TR_ESHUTDOWN);
}

void tri_child_stop(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    int64_t limit = tri_child_shutdown_time(&child->spec);
    child->keep = child->keep && !me->ending;
    tri_child_set(me, child, TRI_CHILD_STOPPING);
    drop_timer(self, child);
    tri_order_stop(self, child->ref, &(struct tri_stop_order){ .keep = child->keep });
    if (limit == TR_FOREVER || tri_child_set_timer(self, child, limit))
        return;
    child->killed = true; /* nothing would end its patience */
    tr_kill(self, child->ref);
}

void tri_child_give_up(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    bool again = child->keep && !me->ending;
    tri_signal(self, child->ref, TRI_SIGNAL_KILL | TRI_SIGNAL_DISMISS); /* so it does not wait for an order when it returns */
    if (!again) {
        answer_stop(self, child, TR_ETIMEDOUT);
        tri_child_answer_start(self, child, TR_ETIMEDOUT);
    }
    tri_child_set(me, child, again ? TRI_CHILD_LEFT : TRI_CHILD_LOST);
}

void tri_child_abandon(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    if (tr_ref_is_nobody(child->ref))
        return;
    /* One that waits for an order has no report; any other has one, or it is on the way. */
    bool waits = child->condition == TRI_CHILD_DOWN;
    tri_order_stop(self, child->ref, &(struct tri_stop_order){ .ended = last_report(self, me, child), .reported = !waits });
}
