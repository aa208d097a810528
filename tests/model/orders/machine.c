#include "tests/model/orders/machine.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- views ------------------------------------------------------------------------------------------------------- */

static void join(struct view *to, const struct view *from)
{
    for (unsigned i = 0; i < LOCATIONS; i++)
        if (from->at[i] > to->at[i])
            to->at[i] = from->at[i];
    to->plain |= from->plain;
}

/* Calls for every view that there is. */
static void for_views(struct state *s, void (*what)(struct view *view, unsigned a, unsigned b), unsigned a, unsigned b)
{
    for (unsigned i = 0; i < THREADS; i++) {
        what(&s->thread[i].now, a, b);
        what(&s->thread[i].acquired, a, b);
        what(&s->thread[i].released, a, b);
        what(&s->thread[i].own, a, b);
    }
    what(&s->sc, a, b);
    for (unsigned i = 0; i < OBJECTS; i++)
        what(&s->object[i], a, b);
    for (unsigned i = 0; i < LOCATIONS; i++)
        for (unsigned k = 0; k < s->count[i]; k++)
            what(&s->write[i][k].view, a, b);
}

static void make_room(struct view *view, unsigned location, unsigned position)
{
    view->at[location] += view->at[location] >= position;
}

static void forget_oldest(struct view *view, unsigned location, unsigned count)
{
    view->at[location] = (uint8_t)(view->at[location] > count ? view->at[location] - count : 0);
}

static void forget_plain(struct view *view, unsigned bits, unsigned unused)
{
    (void)unused;
    view->plain &= ~bits;
}

static void know_all_plain(struct view *view, unsigned a, unsigned b)
{
    (void)a;
    (void)b;
    view->plain = UINT32_MAX;
}

/* ---- accesses ---------------------------------------------------------------------------------------------------- */

void wrong(struct machine *m, const char *what)
{
    if (!m->wrong)
        m->wrong = what;
}

static unsigned choose(struct machine *m, unsigned from)
{
    if (from == 1)
        return 0;
    unsigned i = m->used++;
    if (i == sizeof m->choice / sizeof m->choice[0])
        abort();
    if (i >= m->given) {
        m->choice[i] = 0;
        m->limit[i] = from;
        m->given++;
    }
    return m->choice[i];
}

/* To the next combination of choices in this step; false when there was none. */
static bool other_choices(struct machine *m)
{
    m->used = 0;
    while (m->given && m->choice[m->given - 1] + 1 == m->limit[m->given - 1])
        m->given--;
    if (m->given)
        m->choice[m->given - 1]++;
    return m->given > 0;
}

uint16_t newest(const struct state *s, unsigned location)
{
    return s->write[location][s->count[location] - 1].value;
}

void begin_with(struct state *s, unsigned location, uint16_t value)
{
    s->write[location][0].value = value;
}

/* A thread's accesses to one location are in its order: one that is behind a late one waits for it. */
static bool blocked(struct machine *m, const struct thread *t, unsigned location)
{
    for (unsigned i = 0; i < LATE; i++)
        if (t->late[i].pending && t->late[i].location == location)
            m->disabled = true;
    return m->disabled;
}

static uint16_t see(struct state *s, struct thread *t, unsigned location, unsigned position)
{
    const struct write *write = &s->write[location][position];
    if (t->now.at[location] < position)
        t->now.at[location] = (uint8_t)position;
    join(&t->acquired, &write->view);
    return write->value;
}

static void put(struct machine *m, struct thread *t, unsigned location, unsigned position, unsigned value, bool swapped)
{
    struct state *s = &m->s;
    struct write *write = &s->write[location][position];
    if (s->count[location] == WRITES) {
        wrong(m, "the machine has too little room");
        return;
    }
    for_views(s, make_room, location, position);
    memmove(write + 1, write, (s->count[location] - position) * sizeof *write);
    s->count[location]++;
    t->now.at[location] = t->acquired.at[location] = t->own.at[location] = (uint8_t)position;
    *write = (struct write){ .view = t->released, .value = (uint16_t)value, .swapped = swapped };
    write->view.at[location] = (uint8_t)position;
    if (swapped) /* it goes on with the release of what it read */
        join(&write->view, &write[-1].view);
}

/* Whether nothing has taken the place behind this write. */
static bool is_open(const struct state *s, unsigned location, unsigned position)
{
    return position + 1 == s->count[location] || !s->write[location][position + 1].swapped;
}

void do_load(struct machine *m, struct thread *t, unsigned reg, unsigned location)
{
    if (blocked(m, t, location))
        return;
    unsigned first = t->now.at[location];
    t->r[reg] = see(&m->s, t, location, first + choose(m, m->s.count[location] - first));
}

void do_load_late(struct machine *m, struct thread *t, unsigned reg, unsigned location)
{
    if (blocked(m, t, location))
        return;
    for (unsigned i = 0; i < LATE; i++)
        if (!t->late[i].pending) {
            t->late[i] = (struct late){ .pending = true, .location = (uint8_t)location, .reg = (uint8_t)reg };
            return;
        }
    wrong(m, "too many late loads");
}

static void finish_late(struct machine *m, struct thread *t, struct late *late)
{
    struct late was = *late;
    *late = (struct late){ 0 };
    do_load(m, t, was.reg, was.location);
}

bool is_late(const struct thread *t, int reg)
{
    for (unsigned i = 0; i < LATE; i++)
        if (t->late[i].pending && (reg < 0 || t->late[i].reg == reg))
            return true;
    return false;
}

/* One of the places that are open from `first` on, and if `value` is no -1 have this value; its position. */
static int choose_open(struct machine *m, unsigned location, unsigned first, int value)
{
    int open[WRITES], count = 0;
    for (unsigned i = first; i < m->s.count[location]; i++)
        if (is_open(&m->s, location, i) && (value < 0 || m->s.write[location][i].value == value))
            open[count++] = (int)i;
    if (count == 0)
        return -1;
    return open[choose(m, (unsigned)count)];
}

void do_store(struct machine *m, struct thread *t, unsigned location, unsigned value)
{
    if (blocked(m, t, location))
        return;
    int behind = choose_open(m, location, t->now.at[location], -1);
    put(m, t, location, (unsigned)behind + 1, value, false);
}

void do_swap(struct machine *m, struct thread *t, unsigned reg, unsigned location, unsigned value, bool adds)
{
    if (blocked(m, t, location))
        return;
    int behind = choose_open(m, location, t->now.at[location], -1);
    t->r[reg] = see(&m->s, t, location, (unsigned)behind);
    put(m, t, location, (unsigned)behind + 1, value + (adds ? t->r[reg] : 0), true);
}

/* It succeeds behind a write that has the value, or reads another value. */
bool do_cas(struct machine *m, struct thread *t, unsigned location, unsigned reg, unsigned value)
{
    unsigned expected = t->r[reg], from[WRITES], count = 0;
    if (blocked(m, t, location))
        return false;
    for (unsigned i = t->now.at[location]; i < m->s.count[location]; i++)
        if (m->s.write[location][i].value != expected || is_open(&m->s, location, i))
            from[count++] = i;
    unsigned position = from[choose(m, count)];
    t->r[reg] = see(&m->s, t, location, position);
    if (t->r[reg] != expected)
        return false;
    put(m, t, location, position + 1, value, true);
    return true;
}

void do_fence(struct machine *m, struct thread *t, enum fence fence)
{
    if (fence == STORE_FENCE)
        join(&t->released, &t->own);
    if (fence == ACQUIRE || fence == ACQ_REL || fence == SEQ_CST)
        join(&t->now, &t->acquired);
    if (fence == SEQ_CST) {
        join(&m->s.sc, &t->now);
        t->now = t->acquired = m->s.sc;
    }
    if (fence == RELEASE || fence == ACQ_REL || fence == SEQ_CST)
        t->released = t->now;
}

void do_barrier(struct machine *m)
{
    for (unsigned i = 0; i < m->model->threads; i++)
        m->disabled |= is_late(&m->s.thread[i], -1);
    join(&m->s.sc, &m->s.object[OF_ENDED]);
    for (unsigned round = 0; round < 2; round++) /* so that each knows what all of them know */
        for (unsigned i = 0; i < m->model->threads; i++)
            if (!m->s.thread[i].done)
                do_fence(m, &m->s.thread[i], SEQ_CST);
}

/* ---- what is not atomic ------------------------------------------------------------------------------------------ */

/* The last write of a plain has a bit in each view, and so has each thread's last read of it. */
static uint32_t write_bit(unsigned plain)
{
    return UINT32_C(1) << plain * (THREADS + 1);
}

static uint32_t read_bits(unsigned plain)
{
    return ((UINT32_C(1) << THREADS) - 1) << (plain * (THREADS + 1) + 1);
}

void do_read(struct machine *m, struct thread *t, unsigned plain)
{
    uint32_t bit = write_bit(plain) << 1 << (t - m->s.thread);
    if (!(t->now.plain & write_bit(plain)))
        wrong(m, "a read of what another thread may be writing");
    for_views(&m->s, forget_plain, bit, 0);
    t->now.plain |= bit;
    t->acquired.plain |= bit;
}

void do_write(struct machine *m, struct thread *t, unsigned plain)
{
    if (!(t->now.plain & write_bit(plain)))
        wrong(m, "a write to what another thread may be writing");
    if ((t->now.plain & read_bits(plain)) != read_bits(plain))
        wrong(m, "a write to what another thread may be reading");
    for_views(&m->s, forget_plain, write_bit(plain), 0);
    t->now.plain |= write_bit(plain);
    t->acquired.plain |= write_bit(plain);
    t->own.plain |= write_bit(plain);
}

/* ---- what gives order by itself ---------------------------------------------------------------------------------- */

void give(struct machine *m, struct thread *t, unsigned object)
{
    join(&m->s.object[object], &t->now);
}

void take(struct machine *m, struct thread *t, unsigned object)
{
    join(&t->now, &m->s.object[object]);
    join(&t->acquired, &t->now);
}

/* ---- the search -------------------------------------------------------------------------------------------------- */

/* States that have been seen, by 64 bits of hash each. */
static struct {
    uint64_t *entry;
    uint64_t size, used;
} seen;

static void insert(uint64_t hash)
{
    uint64_t i = hash & (seen.size - 1);
    while (seen.entry[i])
        i = (i + 1) & (seen.size - 1);
    seen.entry[i] = hash;
}

static void grow(void)
{
    uint64_t *old = seen.entry, size = seen.size;
    seen.size = size ? 2 * size : 1 << 16;
    seen.entry = calloc(seen.size, sizeof *seen.entry);
    if (!seen.entry)
        abort();
    for (uint64_t i = 0; i < size; i++)
        if (old[i])
            insert(old[i]);
    free(old);
}

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (; size; size -= size < 8 ? size : 8, bytes += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes, size < 8 ? size : 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

static uint64_t hash_of(const struct state *s)
{
    uint64_t hash = mix(1, s, offsetof(struct state, write));
    for (unsigned i = 0; i < LOCATIONS; i++)
        hash = mix(hash, s->write[i], s->count[i] * sizeof s->write[i][0]);
    return hash ? hash : 1;
}

static bool is_new(const struct state *s)
{
    if (2 * seen.used >= seen.size)
        grow();
    uint64_t hash = hash_of(s), i = hash & (seen.size - 1);
    for (; seen.entry[i]; i = (i + 1) & (seen.size - 1))
        if (seen.entry[i] == hash)
            return false;
    seen.entry[i] = hash;
    seen.used++;
    return true;
}

/* Writes that no thread can read any more are taken off, so that what goes round comes back to the same state. */
static void tidy(struct machine *m)
{
    struct state *s = &m->s;
    for (unsigned i = 0; i < THREADS; i++) {
        struct thread *t = &s->thread[i];
        if (!t->done)
            continue;
        if (m->model->looks_at_registers)
            *t = (struct thread){ .done = true, .r = { t->r[0], t->r[1], t->r[2], t->r[3] } };
        else
            *t = (struct thread){ .done = true };
    }
    for (unsigned i = 0; i < LOCATIONS; i++) {
        unsigned oldest = s->count[i] - 1u;
        for (unsigned k = 0; k < m->model->threads; k++)
            if (!s->thread[k].done && s->thread[k].now.at[i] < oldest)
                oldest = s->thread[k].now.at[i];
        if (oldest == 0)
            continue;
        s->count[i] = (uint8_t)(s->count[i] - oldest);
        memmove(s->write[i], s->write[i] + oldest, s->count[i] * sizeof s->write[i][0]);
        s->write[i][0].swapped = false;
        for_views(s, forget_oldest, i, oldest);
    }
}

/* All steps that thread `i` can take from `from`: `late` less than LATE: it finishes that load. Answers whether there is
 * one. */
static void explore(struct machine *m, const struct state *from);

static bool explore_thread(struct machine *m, const struct state *from, unsigned i, unsigned late)
{
    struct {
        unsigned given, choice[8], limit[8];
    } kept;
    bool any = false;
    m->used = m->given = 0;
    do {
        struct thread *t = &m->s.thread[i];
        m->s = *from;
        m->disabled = false;
        if (late < LATE)
            finish_late(m, t, &t->late[late]);
        else
            m->model->run[i](m, t);
        any |= !m->disabled;
        if (m->wrong)
            return true;
        if (m->disabled)
            continue;
        struct state next;
        tidy(m);
        if (!is_new(&m->s))
            continue;
        next = m->s;
        kept.given = m->given;
        memcpy(kept.choice, m->choice, sizeof kept.choice);
        memcpy(kept.limit, m->limit, sizeof kept.limit);
        explore(m, &next);
        m->given = kept.given;
        memcpy(m->choice, kept.choice, sizeof kept.choice);
        memcpy(m->limit, kept.limit, sizeof kept.limit);
    } while (!m->wrong && other_choices(m));
    return any;
}

static void explore(struct machine *m, const struct state *from)
{
    bool any = false;
    m->states++;
    for (unsigned i = 0; i < m->model->threads && !m->wrong; i++) {
        for (unsigned late = 0; late < LATE && !m->wrong; late++)
            if (from->thread[i].late[late].pending)
                any |= explore_thread(m, from, i, late);
        if (!from->thread[i].done && !m->wrong)
            any |= explore_thread(m, from, i, LATE);
    }
    if (any || m->wrong)
        return;
    m->s = *from;
    if (m->model->end)
        m->model->end(m);
}

const char *search_model(const struct model *model, uint64_t *states)
{
    static struct machine m;
    struct state first;
    memset(&m, 0, sizeof m);
    m.model = model;
    for (unsigned i = 0; i < LOCATIONS; i++)
        m.s.count[i] = 1;
    if (model->begin)
        model->begin(&m.s);
    for_views(&m.s, know_all_plain, 0, 0);
    for (unsigned i = model->threads; i < THREADS; i++)
        m.s.thread[i].done = true;
    first = m.s;
    explore(&m, &first);
    if (states)
        *states = m.states;
    free(seen.entry);
    memset(&seen, 0, sizeof seen);
    return m.wrong;
}
