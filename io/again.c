#include "io/again.h"

#include "mailbox/memory.h"
#include "sched/port.h"

#include <string.h>
#include <troupe/error.h>

enum {
    LISTED = TRI_AGAIN_LISTED,
    PAUSED = TRI_AGAIN_PAUSED,
    TAKEN = TRI_AGAIN_TAKEN,
    HEADS = TRI_AGAIN_HEADS,
    FIRST_CAPACITY = 32
};

static void make_alone(struct tri_again *again, uint32_t place)
{
    again->places[place].next = again->places[place].before = place;
}

static bool is_alone(const struct tri_again *again, uint32_t place)
{
    return again->places[place].next == place;
}

static void append(struct tri_again *again, uint32_t head, uint32_t place)
{
    struct tri_again_place *places = again->places;
    uint32_t last = places[head].before;
    places[place].next = head;
    places[place].before = last;
    places[last].next = places[head].before = place;
}

static void take_off(struct tri_again *again, uint32_t place)
{
    struct tri_again_place *places = again->places;
    places[places[place].before].next = places[place].next;
    places[places[place].next].before = places[place].before;
    make_alone(again, place);
}

/* Those of one list follow those of the other. */
static void move_all(struct tri_again *again, uint32_t from, uint32_t to)
{
    struct tri_again_place *places = again->places;
    uint32_t first = places[from].next, last = places[from].before, before = places[to].before;
    if (first == from)
        return;
    places[before].next = first;
    places[first].before = before;
    places[last].next = to;
    places[to].before = last;
    make_alone(again, from);
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* Makes places [capacity, wanted): false when there is no memory. */
static bool grow(struct tri_again *again, uint32_t wanted)
{
    struct tri_again_place *places = tri_memory_get(wanted * sizeof *places);
    if (!places)
        return false;
    if (again->capacity)
        memcpy(places, again->places, again->capacity * sizeof *places);
    tri_memory_put(again->places);
    again->places = places;
    for (uint32_t i = again->capacity; i < wanted; i++)
        places[i].next = i + 1 < wanted ? i + 1 : 0;
    again->unused = again->capacity;
    again->capacity = wanted;
    return true;
}

int tri_again_open(struct tri_again *again)
{
    *again = (struct tri_again){ 0 };
    if (!grow(again, FIRST_CAPACITY))
        return TR_ENOMEM;
    for (uint32_t head = 0; head < HEADS; head++)
        make_alone(again, head);
    again->unused = HEADS;
    return 0;
}

void tri_again_close(struct tri_again *again)
{
    tri_memory_put(again->places);
}

uint32_t tri_again_attach(struct tri_again *again, struct tri_endpoint *endpoint)
{
    if (!again->unused && !grow(again, 2 * again->capacity))
        return 0;
    uint32_t place = again->unused;
    again->unused = again->places[place].next;
    again->places[place].endpoint = endpoint;
    make_alone(again, place);
    return place;
}

void tri_again_detach(struct tri_again *again, uint32_t place)
{
    take_off(again, place);
    again->places[place].next = again->unused;
    again->unused = place;
}

/* ---- the lists --------------------------------------------------------------------------------------------------- */

void tri_again_list(struct tri_again *again, uint32_t place)
{
    if (is_alone(again, place))
        append(again, LISTED, place);
}

void tri_again_pause(struct tri_again *again, uint32_t place, int64_t now)
{
    if (!is_alone(again, place))
        return;
    if (is_alone(again, PAUSED))
        again->resumed = now + TRI_PAUSE_NS;
    append(again, PAUSED, place);
}

int64_t tri_again_limit(const struct tri_again *again, int64_t deadline)
{
    if (tri_again_any(again))
        return TRI_NO_WAIT;
    return !tri_again_pauses(again) || deadline < again->resumed ? deadline : again->resumed;
}

void tri_again_begin(struct tri_again *again, int64_t now)
{
    move_all(again, LISTED, TAKEN);
    if (tri_again_pauses(again) && now >= again->resumed)
        move_all(again, PAUSED, TAKEN);
}

struct tri_endpoint *tri_again_next(struct tri_again *again)
{
    uint32_t place = again->places[TAKEN].next;
    if (place == TAKEN)
        return NULL;
    take_off(again, place);
    return again->places[place].endpoint;
}
