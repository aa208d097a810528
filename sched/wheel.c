#include "sched/wheel.h"

#include "mailbox/compiler.h"

static struct tri_timer *timer_of(struct cork_dllist_item *link)
{
    return tri_container_of(link, struct tri_timer, link);
}

/* Ticks are counted from the lowest deadline there is, so that they are never negative. */
static uint64_t tick_of(int64_t moment)
{
    return ((uint64_t)moment ^ (uint64_t)1 << 63) >> TRI_WHEEL_TICK_BITS;
}

static int64_t start_of(uint64_t tick)
{
    return (int64_t)(tick << TRI_WHEEL_TICK_BITS ^ (uint64_t)1 << 63);
}

/* By the one whose wheel it is. */
static void set_next(struct tri_wheel *wheel, int64_t next)
{
    ck_pr_store_64((uint64_t *)(void *)&wheel->next, (uint64_t)next);
}

void tri_wheel_init(struct tri_wheel *wheel, int64_t now)
{
    *wheel = (struct tri_wheel){ .tick = tick_of(now), .next = INT64_MAX };
    for (unsigned level = 0; level < TRI_WHEEL_LEVELS; level++)
        for (unsigned i = 0; i < TRI_WHEEL_SLOTS; i++)
            cork_dllist_init(&wheel->slots[level][i]);
    cork_dllist_init(&wheel->put_off);
}

static unsigned position(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> level * TRI_WHEEL_SLOT_BITS) & (TRI_WHEEL_SLOTS - 1);
}

/* Where a timer of this deadline stands; one whose tick has passed stands with the current ones. */
static void place(const struct tri_wheel *wheel, int64_t deadline, unsigned *level, unsigned *slot)
{
    uint64_t tick = tick_of(deadline);
    if (tick < wheel->tick)
        tick = wheel->tick;
    uint64_t differs = tick ^ wheel->tick;
    *level = differs ? (63 - (unsigned)__builtin_clzll(differs)) / TRI_WHEEL_SLOT_BITS : 0;
    *slot = position(tick, *level);
}

static void append(struct tri_wheel *wheel, struct tri_timer *timer)
{
    unsigned level, slot;
    place(wheel, timer->deadline, &level, &slot);
    struct cork_dllist *list = &wheel->slots[level][slot];
    if (level == 0 && slot == position(wheel->tick, 0) && !cork_dllist_is_empty(list) &&
        timer->deadline < timer_of(cork_dllist_end(list))->deadline)
        wheel->sorted = false;
    cork_dllist_add_to_tail(list, &timer->link);
    wheel->used[level][slot / 64] |= (uint64_t)1 << slot % 64;
    unsigned shift = level * TRI_WHEEL_SLOT_BITS;
    int64_t event = level == 0 ? timer->deadline : start_of(tick_of(timer->deadline) >> shift << shift);
    if (event < wheel->next)
        set_next(wheel, event);
}

void tri_wheel_arm(struct tri_wheel *wheel, struct tri_timer *timer)
{
    wheel->count++;
    append(wheel, timer);
}

static void mark_if_empty(struct tri_wheel *wheel, unsigned level, unsigned slot)
{
    if (cork_dllist_is_empty(&wheel->slots[level][slot]))
        wheel->used[level][slot / 64] &= ~((uint64_t)1 << slot % 64);
}

void tri_wheel_cancel(struct tri_wheel *wheel, struct tri_timer *timer)
{
    unsigned level, slot;
    wheel->count--;
    cork_dllist_remove(&timer->link);
    /* Its place may have been a different one when it was armed; then the mark of that one is cleared when the wheel
     * comes by. */
    place(wheel, timer->deadline, &level, &slot);
    mark_if_empty(wheel, level, slot);
}

/* The first used slot of a level at or after `from`; TRI_WHEEL_SLOTS when there is none. */
static unsigned next_used(const struct tri_wheel *wheel, unsigned level, unsigned from)
{
    for (unsigned word = from / 64; word < TRI_WHEEL_SLOTS / 64; word++) {
        uint64_t bits = wheel->used[level][word];
        if (word == from / 64)
            bits &= ~(uint64_t)0 << from % 64;
        if (bits)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return TRI_WHEEL_SLOTS;
}

/* The next tick at which something is to be done, and the slot. A used slot on a lower level always comes first: it
 * lies in the running block of every level above. */
static bool next_event(const struct tri_wheel *wheel, uint64_t *tick, unsigned *level, unsigned *slot)
{
    for (*level = 0; *level < TRI_WHEEL_LEVELS; ++*level) {
        unsigned shift = *level * TRI_WHEEL_SLOT_BITS;
        *slot = next_used(wheel, *level, position(wheel->tick, *level) + (*level > 0));
        if (*slot < TRI_WHEEL_SLOTS) {
            *tick = (wheel->tick >> (shift + TRI_WHEEL_SLOT_BITS) << TRI_WHEEL_SLOT_BITS | *slot) << shift;
            return true;
        }
    }
    return false;
}

/* The wheel has come to this tick. */
static void come_to(struct tri_wheel *wheel, uint64_t tick)
{
    wheel->sorted = wheel->sorted && tick == wheel->tick;
    wheel->tick = tick;
}

/* Takes a slot's list away from the wheel. */
static void take_slot(struct tri_wheel *wheel, unsigned level, unsigned slot, struct cork_dllist *list)
{
    cork_dllist_init(list);
    if (!cork_dllist_is_empty(&wheel->slots[level][slot]))
        cork_dllist_add_list_to_tail(list, &wheel->slots[level][slot]);
    mark_if_empty(wheel, level, slot);
}

/* Most timers were touched long ago, and a list tells where the next one is only when this one has come from memory. So
 * `ahead` goes through the list from its other end meanwhile, until the two meet: two come at a time. */
static void move_down(struct tri_wheel *wheel, unsigned level, unsigned slot)
{
    struct cork_dllist list;
    take_slot(wheel, level, slot, &list);
    const struct cork_dllist_item *ahead = list.head.prev;
    while (!cork_dllist_is_empty(&list)) {
        struct tri_timer *timer = timer_of(cork_dllist_start(&list));
        if (ahead) {
            ahead = ahead == &timer->link || ahead->prev == &timer->link ? NULL : ahead->prev;
            __builtin_prefetch(ahead, 1);
        }
        cork_dllist_remove(&timer->link);
        append(wheel, timer);
    }
}

/* A stable merge sort by deadline of a list linked by next and ended by NULL. */
static struct cork_dllist_item *sort(struct cork_dllist_item *list)
{
    if (!list || !list->next)
        return list;
    struct cork_dllist_item *slow = list, *result, **end = &result;
    for (struct cork_dllist_item *fast = list->next; fast && fast->next; fast = fast->next->next)
        slow = slow->next;
    struct cork_dllist_item *b = slow->next, *a = list;
    slow->next = NULL;
    a = sort(a);
    b = sort(b);
    while (a && b) {
        struct cork_dllist_item **least = timer_of(b)->deadline < timer_of(a)->deadline ? &b : &a;
        *end = *least;
        end = &(*least)->next;
        *least = (*least)->next;
    }
    *end = a ? a : b;
    return result;
}

static bool in_order(struct cork_dllist_item *a, struct cork_dllist_item *b)
{
    return timer_of(a)->deadline <= timer_of(b)->deadline;
}

/* From both ends at once, for the reason above: what follows finds the timers near by. */
static bool is_sorted(struct cork_dllist *list)
{
    struct cork_dllist_item *front = cork_dllist_start(list), *back = cork_dllist_end(list);
    bool sorted = true;
    while (front != back) {
        sorted &= in_order(front, front->next);
        front = front->next;
        if (front == back)
            break;
        sorted &= in_order(back->prev, back);
        back = back->prev;
    }
    return sorted;
}

static void sort_slot(struct cork_dllist *list)
{
    if (is_sorted(list))
        return;
    cork_dllist_end(list)->next = NULL;
    struct cork_dllist_item *link = sort(cork_dllist_start(list)), *next;
    cork_dllist_init(list);
    for (; link; link = next) {
        next = link->next;
        cork_dllist_add_to_tail(list, link);
    }
}

static bool expire(struct tri_wheel *wheel, int64_t now, size_t max, void (*fire)(struct tri_timer *timer, void *arg),
    void *arg)
{
    uint64_t target = tick_of(now), tick;
    unsigned level, slot;

    while (next_event(wheel, &tick, &level, &slot) && tick <= target) {
        come_to(wheel, tick);
        if (level > 0) {
            move_down(wheel, level, slot);
            continue;
        }
        struct cork_dllist *list = &wheel->slots[0][slot];
        while (!cork_dllist_is_empty(list)) {
            if (!wheel->sorted) { /* the first time, and when fire has armed one that comes before others */
                sort_slot(list);
                wheel->sorted = true;
            }
            struct tri_timer *timer = timer_of(cork_dllist_start(list));
            if (timer->deadline > now)
                return false; /* the tick has begun, the deadline has not passed */
            if (max-- == 0)
                return true;
            tri_wheel_cancel(wheel, timer);
            fire(timer, arg);
        }
        mark_if_empty(wheel, 0, slot);
    }
    if (target > wheel->tick)
        come_to(wheel, target);
    return false;
}

static int64_t next_in_slots(const struct tri_wheel *wheel)
{
    uint64_t tick;
    unsigned level, slot;

    if (wheel->count == 0 || !next_event(wheel, &tick, &level, &slot))
        return INT64_MAX;
    if (level > 0)
        return start_of(tick);
    const struct cork_dllist *list = &wheel->slots[0][slot];
    int64_t next = INT64_MAX;
    for (struct cork_dllist_item *link = list->head.next; link != &list->head; link = link->next)
        if (timer_of(link)->deadline < next)
            next = timer_of(link)->deadline;
    return next == INT64_MAX ? start_of(tick) : next;
}

bool tri_wheel_expire(struct tri_wheel *wheel, int64_t now, size_t max, void (*fire)(struct tri_timer *timer, void *arg),
    void *arg)
{
    if (now < wheel->next)
        return false;
    bool more = expire(wheel, now, max, fire, arg);
    set_next(wheel, more ? INT64_MIN : next_in_slots(wheel));
    return more;
}

void tri_wheel_put_off(struct tri_wheel *wheel, struct tri_timer *timer)
{
    wheel->count++;
    cork_dllist_add_to_tail(&wheel->put_off, &timer->link);
}

void tri_wheel_resume(struct tri_wheel *wheel)
{
    while (!cork_dllist_is_empty(&wheel->put_off)) {
        struct tri_timer *timer = timer_of(cork_dllist_start(&wheel->put_off));
        cork_dllist_remove(&timer->link);
        append(wheel, timer);
    }
}

int64_t tri_wheel_next(const struct tri_wheel *wheel)
{
    if (!cork_dllist_is_empty(&wheel->put_off))
        return timer_of(wheel->put_off.head.next)->deadline;
    return next_in_slots(wheel);
}
