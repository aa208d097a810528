/*
 * Trying many orders of turns.
 *
 * Depth first: a run makes the choices of the one before up to the last that has an alternative, there the next of these,
 * and the first of all that come after it. So the choices of a run are all the memory there is of what was tried.
 */
#include "io/sim/world.h"

#include "mailbox/memory.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS = 100000, CHOICES = 1000, CHANGES = 3, ROOM = 64 };

struct choice {
    uint32_t made, of;
};

struct priority {
    const struct tri_runnable *actor;
    uint64_t value;
};

struct explorer {
    const tr_sim_explore_options *options;
    struct choice *choices;
    uint32_t made, room, limit; /* in this run; choices after `limit` are not varied */
    uint32_t planned;           /* choices that are given */
    struct tri_random random;

    struct priority *priorities;
    uint32_t actors, actors_room;
    uint64_t lowest;
    uint32_t *changes; /* the choices at which the first one is put last */
    uint32_t change_count;
};

/* Room for one element more. There is some from the beginning, so that no run is seen to keep memory. */
static void *grown(void *old, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return old;
    void *memory = tri_sim_memory(tri_sim_here, 2 * *room * size);
    memcpy(memory, old, count * size);
    tri_memory_put(old);
    *room *= 2;
    return memory;
}

static void record(struct explorer *e, uint32_t made, uint32_t of)
{
    e->choices = grown(e->choices, e->made, &e->room, sizeof *e->choices);
    e->choices[e->made++] = (struct choice){ made, of };
}

/* ---- every order ------------------------------------------------------------------------------------------------- */

static uint32_t choose_next(struct tri_sim *sim, struct tri_runnable *const *able, uint32_t n)
{
    struct explorer *e = sim->explorer;
    (void)able;
    if (e->made < e->planned) {
        uint32_t made = e->choices[e->made].made;
        e->choices[e->made++].of = n;
        return made < n ? made : n - 1; /* a schedule that was given may be of another program */
    }
    record(e, 0, e->made < e->limit ? n : 1);
    return 0;
}

/* Plans the next run: false when there is no other. */
static bool plan_next(struct explorer *e)
{
    while (e->made && e->choices[e->made - 1].made + 1 >= e->choices[e->made - 1].of)
        e->made--;
    e->planned = e->made;
    if (e->made)
        e->choices[e->made - 1].made++;
    return e->made > 0;
}

/* ---- by priorities ----------------------------------------------------------------------------------------------- */

static struct priority *priority_of(struct explorer *e, const struct tri_runnable *actor)
{
    for (uint32_t i = 0; i < e->actors; i++)
        if (e->priorities[i].actor == actor)
            return &e->priorities[i];
    e->priorities = grown(e->priorities, e->actors, &e->actors_room, sizeof *e->priorities);
    e->priorities[e->actors] = (struct priority){ actor, tri_random_next(&e->random) | (uint64_t)1 << 63 };
    return &e->priorities[e->actors++];
}

static bool changes_now(const struct explorer *e)
{
    for (uint32_t i = 0; i < e->change_count; i++)
        if (e->changes[i] == e->made)
            return true;
    return false;
}

static uint32_t highest(struct explorer *e, struct tri_runnable *const *able, uint32_t n)
{
    uint32_t best = 0;
    uint64_t value = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t other = priority_of(e, able[i])->value;
        if (other >= value) {
            best = i;
            value = other;
        }
    }
    return best;
}

static uint32_t choose_highest(struct tri_sim *sim, struct tri_runnable *const *able, uint32_t n)
{
    struct explorer *e = sim->explorer;
    uint32_t best = highest(e, able, n);
    if (changes_now(e)) {
        priority_of(e, able[best])->value = --e->lowest;
        best = highest(e, able, n);
    }
    record(e, best, n);
    return best;
}

static void draw_priorities(struct explorer *e, unsigned longest)
{
    e->actors = 0;
    e->lowest = (uint64_t)1 << 62;
    for (uint32_t i = 0; i < e->change_count; i++)
        e->changes[i] = tri_random_below(&e->random, longest ? longest : 1);
}

/* ---- exploring --------------------------------------------------------------------------------------------------- */

static void write_schedule(const struct explorer *e, tr_sim_explored *explored)
{
    size_t length = 0;
    char number[16];
    explored->schedule[0] = 0;
    for (uint32_t i = 0; i < e->made; i++) {
        int more = snprintf(number, sizeof number, "%s%u", i ? " " : "", e->choices[i].made);
        if (length + (size_t)more >= sizeof explored->schedule)
            return;
        memcpy(explored->schedule + length, number, (size_t)more + 1);
        length += (size_t)more;
    }
}

/* The choices that a schedule has, which fit into the room that was made for them. */
static void read_schedule(struct explorer *e, const char *schedule)
{
    char *end;
    for (const char *at = schedule; *at; at = end) {
        unsigned long made = strtoul(at, &end, 10);
        if (end == at)
            return;
        e->choices[e->planned++].made = (uint32_t)made;
    }
}

static int explore(struct explorer *e, const tr_sim_host *hosts, tr_sim_explored *explored)
{
    const tr_sim_explore_options *o = e->options;
    bool every = o->how == TR_SIM_EVERY || o->schedule;
    uint64_t most = o->schedule ? 1 : o->runs ? o->runs : RUNS;
    do {
        e->made = 0;
        if (!every)
            draw_priorities(e, explored->longest);
        struct tri_sim_setup setup = { .explore = every ? choose_next : choose_highest, .explorer = e };
        explored->error = tri_sim_run(o->seed, &o->sim, hosts, &explored->result, &setup);
        explored->runs++;
        explored->longest = e->made > explored->longest ? e->made : explored->longest;
        if (explored->error)
            break;
        if (every && !plan_next(e)) {
            explored->all = !o->schedule && explored->longest <= e->limit;
            return 0;
        }
    } while (explored->runs < most);
    write_schedule(e, explored);
    return explored->error;
}

int tr_sim_explore(const tr_sim_explore_options *options, const tr_sim_host *hosts, tr_sim_explored *explored)
{
    tr_sim_explored own;
    explored = explored ? explored : &own;
    *explored = (tr_sim_explored){ 0 };
    unsigned choices = options->choices ? options->choices : options->how == TR_SIM_EVERY ? CHOICES : CHANGES;
    uint32_t room = options->schedule ? (uint32_t)strlen(options->schedule) + 1 : ROOM;
    struct explorer e = {
        .options = options,
        .limit = choices,
        .random = { options->seed },
        .choices = tri_memory_get_zeroed(room * sizeof *e.choices),
        .room = room,
        .priorities = tri_memory_get_zeroed(ROOM * sizeof *e.priorities),
        .actors_room = ROOM,
        .changes = tri_memory_get_zeroed(choices * sizeof *e.changes),
        .change_count = choices - 1,
    };
    int error = TR_ENOMEM;
    if (e.choices && e.priorities && e.changes) {
        read_schedule(&e, options->schedule ? options->schedule : "");
        error = explore(&e, hosts, explored);
    }
    tri_memory_put(e.changes);
    tri_memory_put(e.choices);
    tri_memory_put(e.priorities);
    return explored->error = error;
}
