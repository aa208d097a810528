/* What happens, as lines of text: a message handled, a fault. With their bodies, where the type can print them. */
#include "actors/self.h"
#include "io/sim/world.h"
#include "io/tcp_connection.h"

#include <troupe/monitor.h>
#include <troupe/timer.h>

#include <inttypes.h>
#include <stdlib.h>

void tri_trace_open(struct tri_sim_world *world)
{
    const char *path = world->options.trace ? world->options.trace : getenv("TROUPE_SIM_TRACE");
    if (!path || !*path)
        return;
    world->trace = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (!world->trace)
        tri_world_fails(world, TR_EINVAL, "the trace cannot be written to \"%s\"", path);
}

static void begin_line(const struct tri_sim_world *world)
{
    fprintf(world->trace, "%14.6f ms  ", (double)(world->sim.now - TR_SECONDS(1)) / 1e6);
}

/* ---- bodies ------------------------------------------------------------------------------------------------------ */

static void print_command(const tri_tcp_command *c, char *text, size_t size)
{
    static const char *const verbs[] = { "own", "shutdown", "close", "abort", "window", "marks", "half open", "timeouts",
        "nodelay", "keepalive", "flush", "info", "detach" };
    bool known = (size_t)c->verb < sizeof verbs / sizeof verbs[0];
    if (c->verb == TRI_TCP_WINDOW)
        snprintf(text, size, "window %" PRIu32, c->window);
    else
        snprintf(text, size, "%s", known ? verbs[c->verb] : "?");
}

/* Of Troupe's own types those that a reader looks for. */
static void print_own(const tr_msg *m, char *text, size_t size)
{
    if (tr_is(tr_timeout, m))
        snprintf(text, size, "%" PRIu64, tr_body(tr_timeout, m)->tag);
    else if (tr_is(tr_failed, m))
        snprintf(text, size, "%s", tr_error_name(tr_body(tr_failed, m)->reason));
    else if (tr_is(tr_down, m))
        snprintf(text, size, "%s", tr_error_name(tr_body(tr_down, m)->reason));
    else if (tr_is(tr_exited, m))
        snprintf(text, size, "%s", tr_error_name(tr_body(tr_exited, m)->reason));
    else if (tr_is(tr_tcp_data, m))
        snprintf(text, size, "%zu bytes", tr_buf_size(tr_body(tr_tcp_data, m)->buf));
    else if (tr_is(tri_tcp_write, m))
        snprintf(text, size, "%zu bytes", tr_buf_size(tr_body(tri_tcp_write, m)->buf));
    else if (tr_is(tr_tcp_writable, m))
        snprintf(text, size, "%s", tr_body(tr_tcp_writable, m)->writable ? "again" : "not");
    else if (tr_is(tr_tcp_closed, m))
        snprintf(text, size, "%s", tr_error_name(tr_body(tr_tcp_closed, m)->reason));
    else if (tr_is(tr_tcp_failed, m))
        snprintf(text, size, "%s", tr_error_name(tr_body(tr_tcp_failed, m)->reason));
    else if (tr_is(tri_tcp_command, m))
        print_command(tr_body(tri_tcp_command, m), text, size);
}

void tri_trace_body(const tr_msg *m, char *text, size_t size)
{
    *text = 0;
    if (m->flags_ & TRI_MSG_RUNTIME || tri_msg_memory(m) == TRI_MEMORY_OPERATION)
        return;
    if (m->type->print)
        m->type->print(tri_msg_body((tr_msg *)m), text, size);
    else
        print_own(m, text, size);
    for (char *at = text; *at; at++)
        if (*at == '\n' || *at == '\r') /* a line is a line */
            *at = ' ';
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

void tri_trace_message(struct tri_sim_world *world, tr_self *self, uint32_t actor, uint32_t from, const tr_msg *m)
{
    char text[200];
    if (!world->trace)
        return;
    const struct tri_sim_node *node = tri_sim_node_of(world, self->worker->sched);
    tri_trace_body(m, text, sizeof text);
    begin_line(world);
    fprintf(world->trace, "%-10s %u  %s #%" PRIu32 "  %s%s%s%s", node->host->name, self->worker->index,
        tri_checks_name(self->me), actor, m->type->name, *text ? " {" : "", text, *text ? "}" : "");
    if (from)
        fprintf(world->trace, "  from %s #%" PRIu32, tri_checks_name(m->from), from);
    fputc('\n', world->trace);
}

static void add_actor(const struct tri_sim_world *world, const char *word, tr_ref actor)
{
    uint32_t number = tri_checks_known(world, actor);
    fprintf(world->trace, "  %s %s", word, tri_checks_name(actor));
    if (number)
        fprintf(world->trace, " #%" PRIu32, number);
}

void tri_trace_fault(struct tri_sim_world *world, const char *fault, tr_ref to, const tr_msg *m)
{
    const tr_self *self = tri_worker_here ? tri_worker_here->context : NULL;
    if (!world->trace)
        return;
    begin_line(world);
    fprintf(world->trace, "fault: %s", fault);
    if (self && self->slot)
        add_actor(world, "of", self->me);
    if (!tr_ref_is_nobody(to))
        add_actor(world, "to", to);
    if (m)
        fprintf(world->trace, "  %s", m->type->name);
    fputc('\n', world->trace);
}

void tri_trace_host(struct tri_sim_world *world, const struct tri_sim_node *node, const char *what)
{
    if (!world->trace)
        return;
    begin_line(world);
    fprintf(world->trace, "%-10s %s\n", node->host->name, what);
}
