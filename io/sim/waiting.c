/* Who waits for what, in words: when nothing will ever happen again, or not all roots have ended. */
#include "actors/promise.h"
#include "actors/self.h"
#include "io/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static void add(char *what, size_t size, const char *format, ...) TR_FORMAT_(3, 4);

static void add(char *what, size_t size, const char *format, ...)
{
    size_t length = strlen(what);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what + length, size - length, format, arguments);
    va_end(arguments);
}

/* The actor of a slot lives, and has promises. */
static bool has_promises(const struct tri_slot *slot)
{
    return ck_pr_load_64(&slot->box.word) != TRI_WORD_CLOSED && slot->cold;
}

static uint32_t slots(void)
{
    return tri_table_chunks(&tri_slots) << TRI_TABLE_CHUNK_BITS;
}

void tri_checks_quiet(struct tri_sim_world *world)
{
    tr_ref actor = tri_link_check();
    if (!tr_ref_is_nobody(actor))
        tri_world_fails(world, TR_EFAULT, "%s #%" PRIu32 " holds a link that its other side does not hold",
            tri_checks_name(actor), tri_checks_number(world, actor));
}

unsigned tri_checks_waiting(struct tri_sim_world *world, char *what, size_t size)
{
    unsigned count = 0;
    for (uint32_t i = 1; i < slots(); i++) {
        const struct tri_slot *slot = tri_slot_at(i);
        if (!has_promises(slot))
            continue;
        for (struct cork_dllist_item *at = cork_dllist_start(&slot->cold->held); !cork_dllist_is_end(&slot->cold->held, at);
             at = at->next) {
            struct tri_promise *promise = tri_container_of(at, struct tri_promise, held);
            if (promise->kind != TRI_PROMISE_CALL || promise->state != TRI_ARMED)
                continue;
            tr_ref me = tri_slot_ref(slot), other = promise->failed.to;
            add(what, size, "%s%s #%" PRIu32 " waits for %s #%" PRIu32, count++ ? ", " : "", tri_checks_name(me),
                tri_checks_number(world, me), tri_checks_name(other), tri_checks_number(world, other));
        }
    }
    return count;
}

/* What one actor waits for besides messages. */
static void add_waits(struct tri_sim_world *world, const struct tri_slot *slot, char *what, size_t size)
{
    unsigned timers = 0, jobs = 0, asks = 0;
    if (has_promises(slot))
        for (struct cork_dllist_item *at = cork_dllist_start(&slot->cold->held); !cork_dllist_is_end(&slot->cold->held, at);
             at = at->next) {
            const struct tri_promise *promise = tri_container_of(at, struct tri_promise, held);
            bool armed = promise->state == TRI_ARMED;
            timers += promise->kind == TRI_PROMISE_TIMER && armed;
            jobs += promise->kind == TRI_PROMISE_JOB;
            if (promise->kind == TRI_PROMISE_CALL && armed && asks++ == 0)
                add(what, size, " waits for the answer of %s #%" PRIu32, tri_checks_name(promise->failed.to),
                    tri_checks_number(world, promise->failed.to));
        }
    if (asks > 1)
        add(what, size, " and %u more", asks - 1);
    if (timers)
        add(what, size, "%s %u timer%s", asks ? " and" : " waits for", timers, timers > 1 ? "s" : "");
    if (jobs)
        add(what, size, "%s %u job%s", asks + timers ? " and" : " waits for", jobs, jobs > 1 ? "s" : "");
    if (asks + timers + jobs == 0)
        add(what, size, " waits for a message");
}

/* The actors of the program's that live on a host, its root first. */
static void add_host(struct tri_sim_world *world, const struct tri_sim_node *node, char *what, size_t size)
{
    const struct tri_slot *root = tri_slot_find(node->system->root);
    unsigned more = 0;
    add(what, size, "%s: %s #%" PRIu32, node->host->name, tri_checks_name(node->system->root),
        tri_checks_number(world, node->system->root));
    if (root)
        add_waits(world, root, what, size);
    for (uint32_t i = 1; i < slots(); i++) {
        const struct tri_slot *slot = tri_slot_at(i);
        if (slot == root || ck_pr_load_64(&slot->box.word) == TRI_WORD_CLOSED || tri_internal(slot->spec) ||
            ck_pr_load_16(&slot->run.system) != node->system->number)
            continue;
        if (more++ >= 4)
            continue;
        add(what, size, ", %s #%" PRIu32, tri_checks_name(tri_slot_ref(slot)), tri_checks_number(world, tri_slot_ref(slot)));
        add_waits(world, slot, what, size);
    }
    if (more > 4)
        add(what, size, ", and %u others", more - 4);
}

void tri_checks_living(struct tri_sim_world *world, char *what, size_t size)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world->count; i++) {
        const struct tri_sim_node *node = &world->nodes[i];
        if (node->system->root_ended || node->down)
            continue;
        add(what, size, "%s", count++ ? "; " : "");
        add_host(world, node, what, size);
    }
}
