#include "actors/promise.h"
#include "actors/self.h"

#include <troupe/probe.h>

struct tr_probe {
    struct tri_system *system;
    tr_ref ref;
    pthread_mutex_t lock; /* of what follows */
    struct tri_condition changed;
    tr_msg *first, **last; /* received by the actor, not yet by the thread */
    bool ended;
    tr_msg *current; /* the thread's: what it received last */
    bool answered;
};

/* ---- the actor's side -------------------------------------------------------------------------------------------- */

struct probe_state {
    tr_probe *probe;
};

static int probe_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct probe_state *)state)->probe = *(tr_probe *const *)arg;
    return TR_CONTINUE;
}

/* Messages in memory of somebody else's are copied, the others handed over. */
static tr_msg *hand_over(tr_self *self, const tr_msg *m)
{
    if (tri_msg_memory(m) == TRI_MEMORY_BLOCK || tri_msg_memory(m) == TRI_MEMORY_BUFFER) {
        self->kept = true;
        return (tr_msg *)m;
    }
    tr_msg *copy = tri_msg_new(m->type, m->type->size);
    if (!copy)
        tri_panic("a probe has no memory for a %s", m->type->name);
    copy->from = m->from;
    copy->call = m->call;
    memcpy(tri_msg_body(copy), tri_msg_body(m), m->type->size);
    return copy;
}

static int probe_receive(tr_self *self, void *state, const tr_msg *m)
{
    tr_probe *probe = ((struct probe_state *)state)->probe;
    tr_msg *mine = hand_over(self, m);
    mine->next_ = NULL;
    pthread_mutex_lock(&probe->lock);
    *probe->last = mine;
    probe->last = &mine->next_;
    tri_condition_signal(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
    return TR_CONTINUE;
}

static void probe_stop(tr_self *self, void *state, int reason)
{
    tr_probe *probe = ((struct probe_state *)state)->probe;
    (void)self;
    (void)reason;
    pthread_mutex_lock(&probe->lock);
    probe->ended = true;
    tri_condition_signal(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
}

static const tr_actor probe_actor = {
    TR_SPEC,
    .name = "probe",
    .start = probe_start,
    .receive = probe_receive,
    .stop = probe_stop,
    .state_size = sizeof(struct probe_state),
    .arg_size = sizeof(tr_probe *),
    .mailbox = TR_MAILBOX_MAX,
    .trap_exits = true,
};

/* ---- the thread's side ------------------------------------------------------------------------------------------- */

tr_probe *tr_probe_open(tr_system *handle)
{
    struct tri_system *system = tri_system_enter_handle(handle);
    tr_probe *probe = system ? tri_memory_get_zeroed(sizeof *probe) : NULL;
    int error = TR_ENOMEM;

    if (probe) {
        probe->system = system;
        probe->last = &probe->first;
        pthread_mutex_init(&probe->lock, NULL);
        tri_condition_init(&probe->changed);
        tr_self self = { .system = system, .usual = TRI_UNUSUAL, .slots.shelf = &system->slots };
        struct tri_slot *slot = tri_spawn_prepare(&self, &probe_actor, &probe, TRI_HOME_ANY, &error);
        ck_pr_inc_64(&system->foreign.spawned);
        ck_pr_fence_memory(); /* pairs with tri_system_end(): either it counts this actor, or we see that it is too late */
        if (slot && ck_pr_load_uint(&system->state) != TRI_SYSTEM_OPEN) {
            tri_spawn_cancel(&self, slot);
            slot = NULL;
            error = TR_ESHUTDOWN;
        }
        if (slot)
            probe->ref = tri_spawn_finish(&self, slot);
        else
            ck_pr_inc_64(&system->foreign.ended);
        tri_table_empty(&tri_slots, &self.slots);
    }
    if (system)
        tri_system_leave(system->number);
    if (probe && error) {
        tri_condition_destroy(&probe->changed);
        pthread_mutex_destroy(&probe->lock);
        tri_memory_put(probe);
        probe = NULL;
    }
    return probe;
}

tr_ref tr_probe_ref(const tr_probe *probe)
{
    return probe->ref;
}

static void let_go(tr_probe *probe)
{
    tr_msg *m = probe->current;
    probe->current = NULL;
    if (!m)
        return;
    if (m->flags_ & TRI_MSG_REQUEST && !probe->answered)
        tri_answer_failed(NULL, probe->ref, m, TR_EUNANSWERED);
    else
        tri_msg_free(m);
}

const tr_msg *tr_probe_receive(tr_probe *probe, int64_t timeout_ns)
{
    int64_t deadline = tri_deadline(tri_clock_now(&tri_clock_real), timeout_ns);
    bool in_time = true;

    let_go(probe);
    pthread_mutex_lock(&probe->lock);
    while (!probe->first && !probe->ended && in_time)
        in_time = tri_condition_wait_until(&probe->changed, &probe->lock, deadline);
    tr_msg *m = probe->first;
    if (m) {
        probe->first = m->next_;
        if (!probe->first)
            probe->last = &probe->first;
    }
    pthread_mutex_unlock(&probe->lock);
    probe->current = m;
    probe->answered = false;
    return m;
}

/* ---- doing things as the probe ----------------------------------------------------------------------------------- */

struct errand {
    tr_probe *probe;
    int (*function)(tr_self *self, void *arg);
    void *arg;
    int *result;
    bool *done;
};

static void finish(const struct errand *errand, int result)
{
    pthread_mutex_lock(&errand->probe->lock);
    *errand->result = result;
    *errand->done = true;
    tri_condition_signal(&errand->probe->changed);
    pthread_mutex_unlock(&errand->probe->lock);
}

static void do_it(tr_self *self, tr_msg *m)
{
    struct errand errand = *(struct errand *)tri_msg_body(m);
    tri_msg_free(m);
    finish(&errand, errand.function(self, errand.arg));
}

static void cannot_do_it(tr_self *self, tr_ref to, tr_msg *m)
{
    struct errand errand = *(struct errand *)tri_msg_body(m);
    (void)self;
    (void)to;
    tri_msg_free(m);
    finish(&errand, TR_EDOWN);
}

static const struct tri_runtime_type errand_type =
    TRI_RUNTIME_TYPE("tr_probe_do", .handle = do_it, .undeliverable = cannot_do_it);

int tr_probe_do(tr_probe *probe, int (*function)(tr_self *self, void *arg), void *arg)
{
    int result = 0;
    bool done = false;
    tr_msg *m = tri_msg_new(&errand_type.type, sizeof(struct errand));
    if (!m)
        return TR_ENOMEM;
    m->from = TR_NOBODY;
    m->flags_ = TRI_MSG_RUNTIME | TRI_MSG_EXEMPT;
    *(struct errand *)tri_msg_body(m) = (struct errand){ probe, function, arg, &result, &done };
    tri_deliver(NULL, probe->ref, m);
    pthread_mutex_lock(&probe->lock);
    while (!done)
        tri_condition_wait(&probe->changed, &probe->lock);
    pthread_mutex_unlock(&probe->lock);
    return result;
}

static tr_msg *make(const tr_probe *probe, const tr_type *type, const void *body, size_t size)
{
    tr_msg *m = size <= TR_BODY_MAX ? tri_msg_new(type, size) : NULL;
    if (!m)
        return NULL;
    m->from = probe->ref;
    if (body)
        memcpy(tri_msg_body(m), body, size);
    else
        memset(tri_msg_body(m), 0, size);
    return m;
}

/* There is no message: the body is consumed all the same. */
static int drop_body(const tr_type *type, const void *body, int error)
{
    if (body && type->drop)
        type->drop((void *)body);
    return error;
}

int tr_probe_send_(tr_probe *probe, tr_ref to, const tr_type *type, const void *body, size_t size)
{
    tr_msg *m = make(probe, type, body, size);
    return m ? tri_deliver(NULL, to, m) : drop_body(type, body, size <= TR_BODY_MAX ? TR_ENOMEM : TR_EMSGSIZE);
}

int tr_probe_reply_(tr_probe *probe, const tr_type *type, const void *body, size_t size)
{
    const tr_msg *request = probe->current;
    if (!request || !(request->flags_ & TRI_MSG_REQUEST) || probe->answered)
        return drop_body(type, body, TR_EINVAL);
    tr_msg *m = make(probe, type, body, size);
    if (!m)
        return drop_body(type, body, size <= TR_BODY_MAX ? TR_ENOMEM : TR_EMSGSIZE);
    m->call = request->call;
    m->flags_ = TRI_MSG_ANSWER | TRI_MSG_EXEMPT;
    probe->answered = true;
    return tri_deliver(NULL, request->from, m) ? TR_EDOWN : 0;
}

static int end_it(tr_self *self, void *arg)
{
    (void)arg;
    tr_exit(self, tr_me(self), 0);
    return 0;
}

void tr_probe_close(tr_probe *probe)
{
    tr_probe_do(probe, end_it, NULL);
    pthread_mutex_lock(&probe->lock);
    while (!probe->ended)
        tri_condition_wait(&probe->changed, &probe->lock);
    pthread_mutex_unlock(&probe->lock);
    let_go(probe);
    while (probe->first) {
        probe->current = probe->first;
        probe->first = probe->first->next_;
        probe->answered = false;
        let_go(probe);
    }
    tri_condition_destroy(&probe->changed);
    pthread_mutex_destroy(&probe->lock);
    tri_memory_put(probe);
}
