/*
 * What is checked in every simulated run, and noted: each message that is sent and handled passes here.
 *
 * An actor is known by its number in the order in which actors were first seen, which is the same in every run of a seed;
 * its reference is not, for the generations of slots go on from run to run.
 */
#include "actors/promise.h"
#include "actors/self.h"
#include "io/sim/ledger.h"
#include "io/sim/twin.h"
#include "io/tcp.h"
#include "mailbox/memory.h"

#include <inttypes.h>
#include <string.h>

struct seen {
    uint64_t actor;            /* its reference; 0: free */
    uint32_t number;           /* from 1 */
    struct tri_ledger *ledger; /* of a transport; NULL: none yet */
};

/* The last message that one actor has handled of another, in one lane. */
struct pair {
    uint64_t key; /* 0: free */
    uint32_t last;
};

struct tri_sim_checks {
    struct seen *seen;
    uint32_t seen_room, actors; /* a power of two */
    struct pair *pairs;
    uint32_t pairs_room, pair_count; /* a power of two */
    uint32_t sent;
    const tr_type *type; /* the last one hashed */
    uint64_t type_hash;
};

void tri_checks_open(struct tri_sim_world *world)
{
    struct tri_sim_checks *c = tri_sim_memory(&world->sim, sizeof *c);
    c->seen_room = c->pairs_room = 256;
    c->seen = tri_sim_memory(&world->sim, c->seen_room * sizeof *c->seen);
    c->pairs = tri_sim_memory(&world->sim, c->pairs_room * sizeof *c->pairs);
    world->checks = c;
}

void tri_checks_close(struct tri_sim_world *world)
{
    tri_ledgers_free(world);
    tri_memory_put(world->checks->seen);
    tri_memory_put(world->checks->pairs);
    tri_memory_put(world->checks);
    world->checks = NULL;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return tri_random_next(&(struct tri_random){ hash ^ value });
}

/* ---- actors ------------------------------------------------------------------------------------------------------ */

static struct seen *find_seen(struct seen *seen, uint32_t room, uint64_t actor)
{
    uint32_t i = (uint32_t)mix(actor, 0) & (room - 1);
    while (seen[i].actor && seen[i].actor != actor)
        i = (i + 1) & (room - 1);
    return &seen[i];
}

static struct seen *see(struct tri_sim_world *world, tr_ref actor)
{
    static struct seen nobody;
    struct tri_sim_checks *c = world->checks;
    if (tr_ref_is_nobody(actor))
        return &nobody;
    struct seen *seen = find_seen(c->seen, c->seen_room, actor.bits);
    if (seen->actor)
        return seen;
    if (2 * ++c->actors > c->seen_room) {
        struct seen *all = tri_sim_memory(&world->sim, 2 * c->seen_room * sizeof *all);
        for (uint32_t i = 0; i < c->seen_room; i++)
            if (c->seen[i].actor)
                *find_seen(all, 2 * c->seen_room, c->seen[i].actor) = c->seen[i];
        tri_memory_put(c->seen);
        c->seen = all;
        c->seen_room *= 2;
        seen = find_seen(c->seen, c->seen_room, actor.bits);
    }
    seen->actor = actor.bits;
    seen->number = c->actors;
    return seen;
}

uint32_t tri_checks_number(struct tri_sim_world *world, tr_ref actor)
{
    return see(world, actor)->number;
}

uint32_t tri_checks_known(const struct tri_sim_world *world, tr_ref actor)
{
    return find_seen(world->checks->seen, world->checks->seen_room, actor.bits)->number;
}

struct tri_ledger **tri_checks_ledger(struct tri_sim_world *world, tr_ref actor)
{
    return &see(world, actor)->ledger;
}

void tri_checks_hash(struct tri_sim_world *world, uint64_t what)
{
    world->hash = mix(world->hash, what);
}

const char *tri_checks_name(tr_ref actor)
{
    struct tri_slot *slot = tr_ref_is_nobody(actor) ? NULL : tri_slot_at(tri_ref_slot(actor));
    return slot && slot->spec && slot->spec->name && tr_ref_eq(tri_slot_ref(slot), actor) ? slot->spec->name : "-";
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static struct pair *find_pair(struct pair *pairs, uint32_t room, uint64_t key)
{
    uint32_t i = (uint32_t)mix(key, 0) & (room - 1);
    while (pairs[i].key && pairs[i].key != key)
        i = (i + 1) & (room - 1);
    return &pairs[i];
}

static struct pair *pair_of(struct tri_sim_world *world, uint64_t key)
{
    struct tri_sim_checks *c = world->checks;
    struct pair *pair = find_pair(c->pairs, c->pairs_room, key);
    if (pair->key)
        return pair;
    if (2 * ++c->pair_count > c->pairs_room) {
        struct pair *pairs = tri_sim_memory(&world->sim, 2 * c->pairs_room * sizeof *pairs);
        for (uint32_t i = 0; i < c->pairs_room; i++)
            if (c->pairs[i].key)
                *find_pair(pairs, 2 * c->pairs_room, c->pairs[i].key) = c->pairs[i];
        tri_memory_put(c->pairs);
        c->pairs = pairs;
        c->pairs_room *= 2;
        pair = find_pair(c->pairs, c->pairs_room, key);
    }
    pair->key = key;
    return pair;
}

/* Messages of one sender to one receiver in one lane are handled in the order they were sent. */
static void check_order(struct tri_sim_world *world, tr_ref me, uint32_t from, uint32_t to, const tr_msg *m)
{
    if (!m->cause_)
        return;
    struct pair *pair = pair_of(world, (uint64_t)from << 34 | (uint64_t)to << 4 | (m->flags_ & TRI_MSG_LANES) << 2 | 1);
    if ((int32_t)(m->cause_ - pair->last) < 0)
        tri_world_fails(world, TR_EFAULT, "%s #%u handles a %s of #%u out of order", tri_checks_name(me), to, m->type->name,
            from);
    pair->last = m->cause_;
}

/* What is promised once (a DOWN, an answer) comes once: its id is that of the promise, and of no other. */
static void check_once(struct tri_sim_world *world, uint32_t actor, const tr_msg *m)
{
    if (m->type != &tr_down_type && !(m->flags_ & TRI_MSG_ANSWER))
        return;
    struct pair *pair = pair_of(world, mix(mix(m->call, 0), actor) << 2 | 2);
    if (pair->last++)
        tri_world_fails(world, TR_EFAULT, "#%u handles the %s of one promise a second time", actor, m->type->name);
}

/* ---- watching ---------------------------------------------------------------------------------------------------- */

static bool sending(tr_self *self, struct tri_slot *slot, tr_msg *m)
{
    struct tri_sim_world *world = tri_world();
    bool own = self->slot && tr_ref_eq(m->from, self->me); /* not what is passed on, or sent for another */
    m->cause_ = own ? ++world->checks->sent : 0;
    if (own && world->checks->sent == 0)
        m->cause_ = ++world->checks->sent;
    if (self->slot && self->slot->spec == &tri_tcp_actor.actor)
        tri_ledger_says(world, self, slot, m);
    if (m->flags_ & (TRI_MSG_EXEMPT | TRI_MSG_RUNTIME | TRI_MSG_SYSTEM) || tri_internal(slot->spec))
        return true;
    return !tri_fault_about(world, TRI_FAULT_mailbox_full, tri_slot_ref(slot), m);
}

static void note(struct tri_sim_world *world, tr_self *self, uint32_t actor, uint32_t from, const tr_msg *m)
{
    struct tri_sim_checks *c = world->checks;
    if (c->type != m->type) {
        c->type = m->type;
        c->type_hash = tri_hash(m->type->name);
    }
    world->hash = mix(mix(world->hash, (uint64_t)actor << 32 | from), c->type_hash ^ (uint64_t)world->sim.now);
    tri_trace_message(world, self, actor, from, m);
    tri_twin_note(world, self, actor, m);
}

static bool handling(tr_self *self, const tr_msg *m)
{
    struct tri_sim_world *world = tri_world();
    bool operation = tri_msg_memory(m) == TRI_MEMORY_OPERATION; /* whose `from` is its slot */
    uint32_t actor = see(world, self->me)->number, from = operation ? 0 : see(world, m->from)->number;
    bool internal = tri_internal(self->slot->spec);
    world->result->messages++;
    if (ck_pr_load_64(&self->slot->box.word) == TRI_WORD_IDLE)
        tri_world_fails(world, TR_EFAULT, "%s #%u handles a message though it is not scheduled", tri_checks_name(self->me),
            actor);
    note(world, self, actor, from, m);
    check_order(world, self->me, from, actor, m);
    if (self->slot->spec == &tri_tcp_actor.actor)
        tri_ledger_asked(world, self, m);
    if (m->flags_ & TRI_MSG_RUNTIME || internal)
        return false;
    tri_ledger_heard(world, self, m);
    check_once(world, actor, m);
    if (!world->ending && tri_fault_about(world, TRI_FAULT_slow, TR_NOBODY, m))
        self->system->sched.looked = world->sim.now +=
            (int64_t)tri_sim_below(&world->sim, TRI_STREAM_FAULTS, (uint32_t)TR_MS(200));
    if (m->type == &tr_blocked_type)
        return false; /* what it carries is the handler's already, who would not have released it */
    return !tr_ref_eq(self->me, self->system->root) && tri_fault_about(world, TRI_FAULT_crash, TR_NOBODY, m);
}

const struct tri_watcher tri_sim_watcher = { .sending = sending, .handling = handling };
