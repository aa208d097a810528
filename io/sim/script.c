#include "io/sim/script.h"

#include "actors/self.h"
#include "mailbox/memory.h"

#include <string.h>

enum kind { CONNECT, ACCEPT, RECEIVE, SEND, SHUTDOWN, CLOSE, RESET, KINDS, END };

static const char *const names[] = { "connect", "accept", "receive", "send", "shutdown", "close", "reset" };

struct tri_sim_script {
    struct tri_sim_script *next;   /* in the world's list */
    struct tri_sim_socket *socket; /* NULL: closed */
    const char *name;
    const tr_sim_step *steps;
    unsigned at;
    size_t done;   /* bytes of the step */
    int64_t ready; /* when the step may complete; 0: it was not looked at yet */
    struct tri_event timer;
    bool failed;
    bool lingers; /* it is closed, but for what is still to be received */
    bool ended;   /* the end of the stream, or an error, was received */
};

static enum kind kind_of(const tr_sim_step *step)
{
    unsigned i = 0;
    while (step->operation && i < KINDS && strcmp(step->operation, names[i]) != 0)
        i++;
    return step->operation ? (enum kind)i : END;
}

static const tr_sim_step *step_of(const struct tri_sim_script *s)
{
    return &s->steps[s->at];
}

static size_t length_of(const tr_sim_step *step)
{
    return step->length ? step->length : step->bytes ? strlen(step->bytes) : 0;
}

static void fails(struct tri_sim_script *s, const char *what)
{
    const tr_sim_step *step = step_of(s);
    if (s->failed)
        return;
    s->failed = true;
    tri_world_fails(tri_world(), TR_EPROTO, "script \"%s\", step %u (%s): %s", s->name, s->at + 1,
        step->operation ? step->operation : "its end", what);
}

/* At most so much of bytes that need not end with a zero is shown. */
static int shown(size_t length)
{
    return length < 60 ? (int)length : 60;
}

static void on_timer(struct tri_event *event)
{
    struct tri_sim_script *s = tri_container_of(event, struct tri_sim_script, timer);
    if (s->socket)
        tri_sim_ready(s->socket);
}

static void advance(struct tri_sim_script *s)
{
    s->at++;
    s->done = 0;
    s->ready = 0;
    if (s->socket)
        tri_sim_ready(s->socket); /* the next step may be one that something waits for */
}

/* Whether the step may complete by now; if not, it will be tried again. */
static bool is_time(struct tri_sim_script *s)
{
    const tr_sim_step *step = step_of(s);
    struct tri_sim *sim = tri_sim_here;
    if (step->never)
        return false;
    if (!s->ready) {
        s->ready = sim->now + step->after_ns;
        if (step->after_ns > 0)
            tri_sim_at(sim, &s->timer, s->ready);
    }
    return sim->now >= s->ready;
}

/* Whether a step of one of these kinds is still to come. */
static bool comes(const struct tri_sim_script *s, enum kind kind)
{
    for (const tr_sim_step *step = step_of(s); step->operation; step++)
        if (kind_of(step) == kind)
            return true;
    return false;
}

/* An operation of this kind is tried: true if the step is its own, and it is time. One without a step is an error. */
static bool is_turn_of(struct tri_sim_script *s, enum kind kind, const char *came)
{
    if (s->failed)
        return false;
    if (kind_of(step_of(s)) == kind)
        return is_time(s);
    if (came && !comes(s, kind))
        fails(s, came);
    return false;
}

/* A step that nobody can take is not waited for. */
static void check_steps(struct tri_sim_script *s)
{
    char what[100];
    for (; step_of(s)->operation && !s->failed; s->at++) {
        const tr_sim_step *step = step_of(s);
        if (kind_of(step) == KINDS) {
            fails(s, "there is no such operation");
        } else if (kind_of(step) == CONNECT && s->at > 0) {
            fails(s, "a connect comes first");
        } else if (kind_of(step) == ACCEPT && !step->accepted && !step->result && !step->never) {
            fails(s, "the accepted connection has no steps");
        } else if (kind_of(step) == SEND && step->result > 0 && length_of(step) && (size_t)step->result > length_of(step)) {
            snprintf(what, sizeof what, "%d of %zu bytes cannot be taken", step->result, length_of(step));
            fails(s, what);
        }
    }
    if (!s->failed)
        s->at = 0;
}

static struct tri_sim_script *follow(struct tri_sim_socket *socket, const char *name, const tr_sim_step *steps)
{
    struct tri_sim_world *world = socket->world;
    struct tri_sim_script *s = tri_sim_memory(&world->sim, sizeof *s);
    s->socket = socket;
    s->name = name;
    s->steps = steps;
    s->timer.happen = on_timer;
    s->next = world->scripts;
    world->scripts = s;
    socket->script = s;
    check_steps(s);
    return s;
}

static const tr_sim_script *script_for(const tr_address *address)
{
    const tr_sim_script *script = tri_world()->options.scripts;
    tr_address other;
    for (; script && script->address; script++)
        if (tr_address_parse(script->address, &other) == 0 && tr_address_eq(&other, address))
            return script;
    return NULL;
}

int tri_scripts_check(const tr_sim_script *scripts, char *what, size_t size)
{
    tr_address address;
    for (const tr_sim_script *s = scripts; s && s->address; s++) {
        const char *bad = tr_address_parse(s->address, &address) ? "is no address" : !s->steps ? "has no steps" : NULL;
        if (bad) {
            snprintf(what, size, "the script \"%s\" %s", s->address, bad);
            return TR_EINVAL;
        }
    }
    return 0;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void on_connected(struct tri_event *event)
{
    struct tri_sim_socket *socket = tri_container_of(event, struct tri_sim_socket, handshake);
    struct tri_sim_script *s = socket->script;
    if (kind_of(step_of(s)) != CONNECT)
        fails(s, "a connect came");
    if (!is_turn_of(s, CONNECT, NULL)) {
        if (!s->failed && !step_of(s)->never)
            tri_sim_at(tri_sim_here, event, s->ready);
        return;
    }
    int result = step_of(s)->result;
    socket->state = result ? TRI_SIM_FAILED : TRI_SIM_CONNECTED;
    socket->error = result;
    socket->tried = true;
    advance(s);
}

bool tri_script_connect(struct tri_sim_socket *socket, const tr_address *remote)
{
    const tr_sim_script *script = script_for(remote);
    if (!script)
        return false;
    follow(socket, script->address, script->steps);
    socket->state = TRI_SIM_CONNECTING;
    if (socket->local.port == 0) { /* it was not bound */
        socket->local = socket->node->address;
        socket->local.port = socket->node->next_port++;
    }
    socket->remote = *remote;
    socket->handshake.happen = on_connected;
    tri_sim_at(tri_sim_here, &socket->handshake, tri_sim_here->now);
    return true;
}

bool tri_script_listen(struct tri_sim_socket *socket)
{
    const tr_sim_script *script = script_for(&socket->local);
    if (script)
        follow(socket, script->address, script->steps);
    return script != NULL;
}

/* A connected socket whose other end is a script. */
static struct tri_sim_socket *connected(struct tri_sim_node *node, const char *name, const tr_sim_step *steps)
{
    struct tri_sim_socket *socket = tri_sim_socket_new(node);
    socket->state = TRI_SIM_CONNECTED;
    socket->local = socket->remote = node->address;
    socket->local.port = 1;
    socket->remote.port = 2;
    socket->counted = true;
    node->descriptors++;
    follow(socket, name, steps);
    return socket;
}

int tri_script_accept(struct tri_sim_socket *socket)
{
    struct tri_sim_script *s = socket->script;
    if (!is_turn_of(s, ACCEPT, NULL))
        return TR_EAGAIN;
    const tr_sim_step *step = step_of(s);
    advance(s);
    return step->result ? step->result : connected(socket->node, s->name, step->accepted)->fd;
}

int tri_script_receive(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count)
{
    struct tri_sim_script *s = socket->script;
    if (s->ended)
        fails(s, "a receive came after the end");
    while (s->lingers && step_of(s)->never)
        s->at++;
    if (s->lingers && kind_of(step_of(s)) == CLOSE) { /* the peer reads the end, and ends */
        s->ended = true;
        return 0;
    }
    if (!is_turn_of(s, RECEIVE, NULL))
        return TR_EAGAIN;
    const tr_sim_step *step = step_of(s);
    size_t length = length_of(step), got = 0;
    for (uint32_t i = 0; i < count && s->done < length; i++) {
        size_t take = tri_piece_length(&pieces[i]) < length - s->done ? tri_piece_length(&pieces[i]) : length - s->done;
        memcpy(tri_piece_bytes(&pieces[i]), step->bytes + s->done, take);
        s->done += take;
        got += take;
    }
    s->ended = length == 0;
    if (s->done == length)
        advance(s);
    return got ? (int)got : step->result;
}

/* What is sent, in one piece, of which `size` bytes are kept: its length. */
static size_t gather(const tri_piece *pieces, uint32_t count, size_t skip, char *bytes, size_t size)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < tri_piece_length(&pieces[i]); k++) {
            if (skip) {
                skip--;
                continue;
            }
            if (total < size)
                bytes[total] = tri_piece_bytes(&pieces[i])[k];
            total++;
        }
    return total;
}

int tri_script_send(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count, size_t skip)
{
    struct tri_sim_script *s = socket->script;
    char what[200], *bytes;
    size_t expected = length_of(step_of(s)), total = gather(pieces, count, skip, NULL, 0);
    snprintf(what, sizeof what, "a send of %zu bytes came", total);
    if (!is_turn_of(s, SEND, what))
        return TR_EAGAIN;
    const tr_sim_step *step = step_of(s);
    bytes = tri_sim_memory(tri_sim_here, total + 1);
    gather(pieces, count, skip, bytes, total);
    bool right = total >= expected && memcmp(bytes, step->bytes ? step->bytes : "", expected) == 0;
    if (!right) {
        snprintf(what, sizeof what, "\"%.*s\" was to be sent, %zu bytes, but \"%.*s\" was, %zu bytes", shown(expected),
            step->bytes, expected, shown(total), bytes, total);
        fails(s, what);
    }
    tri_memory_put(bytes);
    if (!right)
        return TR_EAGAIN;
    advance(s);
    int all = (int)(expected ? expected : total);
    return step->result && step->result < all ? step->result : all;
}

/* What happens at once, and has to be the next step but for what never completes. */
static void at_once(struct tri_sim_script *s, enum kind kind, const char *came)
{
    while (step_of(s)->never && !s->failed)
        s->at++;
    if (s->failed)
        return;
    if (kind_of(step_of(s)) == kind)
        advance(s);
    else if (kind == SHUTDOWN || kind_of(step_of(s)) != END)
        fails(s, came);
}

/* One that belongs to a close is not a step of its own. */
void tri_script_shutdown(struct tri_sim_socket *socket)
{
    if (socket->endpoint && socket->endpoint->read.flags & TRI_OP_DISCARDS) {
        socket->script->lingers = true;
        tri_sim_ready(socket);
        return;
    }
    at_once(socket->script, SHUTDOWN, "a shutdown came");
}

void tri_script_close(struct tri_sim_socket *socket)
{
    struct tri_sim_script *s = socket->script;
    s->socket = NULL;
    tri_sim_cancel(tri_sim_here, &s->timer);
    at_once(s, socket->resets ? RESET : CLOSE, socket->resets ? "it was closed with a reset" : "it was closed");
}

static bool followed(const struct tri_sim_world *world, const tr_sim_script *script)
{
    const struct tri_sim_script *s = world->scripts;
    while (s && (s->steps != script->steps || s->name != script->address))
        s = s->next;
    return s != NULL;
}

/* Nobody came to the address, and somebody should have. */
static void check_followed(struct tri_sim_world *world)
{
    for (const tr_sim_script *script = world->options.scripts; script && script->address; script++) {
        const tr_sim_step *step = script->steps;
        while (step->never)
            step++;
        if (step->operation && !followed(world, script))
            tri_world_fails(world, TR_EPROTO, "script \"%s\", step 1 (%s): it never came", script->address,
                script->steps->operation);
    }
}

void tri_scripts_close(struct tri_sim_world *world)
{
    check_followed(world);
    for (struct tri_sim_script *s = world->scripts, *next; s; s = next) {
        next = s->next;
        while (step_of(s)->never)
            s->at++;
        if (kind_of(step_of(s)) != END)
            fails(s, "it never came");
        tri_sim_cancel(&world->sim, &s->timer);
        tri_memory_put(s);
    }
    world->scripts = NULL;
}

int tr_sim_descriptor(tr_self *self, const tr_sim_step *steps)
{
    tri_check_self(self, "tr_sim_descriptor");
    if (!tri_sim_mine())
        return TR_ENOTSUP;
    return connected(tri_sim_node_of(tri_world(), self->worker->sched), "descriptor", steps)->fd;
}
