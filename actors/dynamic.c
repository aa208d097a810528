#include "actors/dynamic.h"

TR_DEFINE(tr_child_started);
TR_DEFINE(tr_child_stopped);

/* The argument follows. */
struct start_request {
    tr_child child;
    bool named;
    _Alignas(16) char name[TR_NAME_MAX + 1];
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

/* ---- asking ------------------------------------------------------------------------------------------------------ */

tr_call tr_child_start(tr_self *self, tr_ref supervisor, int64_t timeout_ns, const tr_child *child)
{
    tri_check_self(self, "tr_child_start");
    size_t arg_size = arg_size_of(child), name_size = child->name ? strlen(child->name) + 1 : 0;
    size_t size = sizeof(struct start_request) + arg_size;
    bool fits = tri_child_check(child, "(dynamic)") == 0 && size <= TR_BODY_MAX && name_size <= TR_NAME_MAX + 1;
    tr_msg *m = fits ? tri_msg_new(&start_request_type, size) : NULL;
    if (m) {
        struct start_request *request = tri_msg_body(m);
        memset(request, 0, size);
        request->child = *child;
        request->named = child->name != NULL;
        if (child->name)
            memcpy(request->name, child->name, name_size);
        if (child->arg)
            memcpy(request + 1, child->arg, arg_size);
    }
    return tri_ask_message(self, supervisor, timeout_ns, self->deadline, m, fits ? TR_ENOMEM : TR_EINVAL);
}

tr_call tr_child_stop(tr_self *self, tr_ref supervisor, int64_t timeout_ns, tr_ref child)
{
    tri_check_self(self, "tr_child_stop");
    tr_msg *m = tri_msg_new(&stop_request_type, sizeof(struct stop_request));
    if (m)
        ((struct stop_request *)tri_msg_body(m))->child = child;
    return tri_ask_message(self, supervisor, timeout_ns, self->deadline, m, TR_ENOMEM);
}

/* ---- being asked ------------------------------------------------------------------------------------------------- */

static void start_asked(tr_self *self, struct tri_supervisor *me, const tr_msg *m)
{
    const struct start_request *request = tri_msg_body(m);
    int error = me->table->strategy != TR_DYNAMIC ? TR_ENOTSUP : me->ending ? TR_ESHUTDOWN : 0;
    tr_msg *taken = error ? NULL : tr_take(self, m);
    struct tri_child *child = NULL;
    if (taken)
        child = tri_child_new(me, &request->child, request->named ? request->name : NULL,
            arg_size_of(&request->child) ? request + 1 : NULL);
    if (!child) {
        tr_refuse(self, taken, error ? error : TR_ENOMEM);
        return;
    }
    child->start_request = taken;
    tri_child_set(me, child, TRI_CHILD_DOWN);
}

/* A child shall go for good. */
static void dismiss(tr_self *self, struct tri_supervisor *me, struct tri_child *child)
{
    child->stop = true;
    child->keep = false;
    if (child->condition == TRI_CHILD_DOWN)
        tri_child_let_go(self, me, child);
    else if (child->condition == TRI_CHILD_LEFT)
        tri_child_set(me, child, TRI_CHILD_LOST);
    else
        tri_child_todo(me, child);
}

static void stop_asked(tr_self *self, struct tri_supervisor *me, const tr_msg *m)
{
    struct tri_child *child = tri_child_find(me, ((const struct stop_request *)tri_msg_body(m))->child);
    if (!child || child->stop_request) {
        tr_refuse(self, NULL, TR_ENOENT);
        return;
    }
    child->stop_request = tr_take(self, m);
    dismiss(self, me, child);
}

void tri_dynamic_asked(tr_self *self, struct tri_supervisor *me, const tr_msg *m)
{
    if (m->type == &start_request_type)
        start_asked(self, me, m);
    else if (m->type == &stop_request_type)
        stop_asked(self, me, m);
    else if (m->type == &tri_stay_away_type) {
        struct tri_child *child = tri_child_find(me, m->from);
        if (child)
            dismiss(self, me, child);
    }
}
