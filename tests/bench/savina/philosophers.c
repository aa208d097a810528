/*
 * philosophers: 20 philosophers at a round table with 20 forks; each eats N times, with the forks on both sides of the
 * plate. A waiter gives them out, two at once.
 *
 * A hungry philosopher asks the waiter, who keeps the request until both forks are there. Who has waited longer than
 * the neighbours gets them first, so nobody starves.
 *
 * Forks are memory that all of them share, without locks or atomics: a philosopher who has got two takes them up, and
 * the waiter lays them down when they have come back. That each sees what the others have done follows from the
 * messages. (ThreadSanitizer looks at this, too.)
 */
#include "tests/bench/bench.h"

enum { SEATS = 20 };

TR_MESSAGE(table_hungry, uint32_t seat;);
TR_SIGNAL(table_eat);                    /* the answer: here are your forks */
TR_MESSAGE(table_forks, uint32_t seat;); /* they are given back */
TR_SIGNAL(table_had_enough);
TR_DEFINE(table_hungry);
TR_DEFINE(table_eat);
TR_DEFINE(table_forks);
TR_DEFINE(table_had_enough);

static struct {
    int64_t meals;
    bool taken;
} forks[SEATS];

static uint32_t left_of(uint32_t seat)
{
    return (seat + SEATS - 1) % SEATS;
}

static uint32_t right_of(uint32_t seat)
{
    return (seat + 1) % SEATS;
}

/* ---- the waiter -------------------------------------------------------------------------------------------------- */

struct waiter {
    struct {
        tr_msg *request; /* NULL: not hungry */
        uint64_t since;  /* the how-manieth request */
        bool eats;
    } seats[SEATS];
    uint64_t requests;
};

static bool goes_before(const struct waiter *me, uint32_t other, uint32_t seat)
{
    return me->seats[other].eats || (me->seats[other].request && me->seats[other].since < me->seats[seat].since);
}

static void serve(tr_self *self, struct waiter *me, uint32_t seat)
{
    tr_msg *request = me->seats[seat].request;
    if (!request || goes_before(me, left_of(seat), seat) || goes_before(me, right_of(seat), seat))
        return;
    me->seats[seat].request = NULL;
    me->seats[seat].eats = true;
    tr_reply_to(self, request, table_eat);
}

static int waiter(tr_self *self, void *state, const tr_msg *m)
{
    struct waiter *me = state;
    if (tr_is(table_hungry, m)) {
        uint32_t seat = tr_body(table_hungry, m)->seat;
        me->seats[seat].request = tr_take(self, m);
        bench_check(me->seats[seat].request, "philosophers: no memory to keep a request");
        me->seats[seat].since = me->requests++;
        serve(self, me, seat);
    } else if (tr_is(table_forks, m)) {
        uint32_t seat = tr_body(table_forks, m)->seat;
        me->seats[seat].eats = false;
        forks[seat].taken = forks[right_of(seat)].taken = false;
        serve(self, me, left_of(seat));
        serve(self, me, right_of(seat));
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor waiter_actor = { TR_SPEC, .name = "waiter", .receive = waiter, .state_size = sizeof(struct waiter) };

/* ---- a philosopher ----------------------------------------------------------------------------------------------- */

struct philosopher {
    tr_ref waiter;
    int64_t left; /* meals */
    uint32_t seat;
};

static int philosopher_start(tr_self *self, void *state, const void *arg)
{
    struct philosopher *me = state;
    *me = *(const struct philosopher *)arg;
    tr_ask(self, me->waiter, TR_SECONDS(30), table_hungry, .seat = me->seat);
    return TR_CONTINUE;
}

static void eat_with(uint32_t fork)
{
    bench_check(!forks[fork].taken, "philosophers: a fork is used by two");
    forks[fork].taken = true;
    forks[fork].meals++;
}

static int philosopher(tr_self *self, void *state, const tr_msg *m)
{
    struct philosopher *me = state;
    if (!tr_is(table_eat, m))
        bench_unexpected(m);
    eat_with(me->seat);
    eat_with(right_of(me->seat));
    tr_send(self, me->waiter, table_forks, .seat = me->seat);
    if (--me->left) {
        tr_ask(self, me->waiter, TR_SECONDS(30), table_hungry, .seat = me->seat);
        return TR_CONTINUE;
    }
    tr_send(self, tr_parent(self), table_had_enough);
    return TR_STOP;
}

static const tr_actor philosopher_actor = { TR_SPEC, .name = "philosopher", .start = philosopher_start,
    .receive = philosopher, .state_size = sizeof(struct philosopher), .arg_size = sizeof(struct philosopher) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct philosophers {
    int64_t n, start;
    int finished;
};

static int philosophers_start(tr_self *self, void *state, const void *arg)
{
    struct philosophers *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_ref w = tr_spawn(self, &waiter_actor, NULL);
    for (uint32_t i = 0; i < SEATS; i++) {
        tr_ref p = tr_spawn(self, &philosopher_actor, (&(struct philosopher){ .waiter = w, .left = me->n, .seat = i }));
        bench_check(!tr_ref_is_nobody(p), "philosophers: no philosopher");
    }
    return TR_CONTINUE;
}

static int philosophers(tr_self *self, void *state, const tr_msg *m)
{
    struct philosophers *me = state;
    if (!tr_is(table_had_enough, m))
        bench_unexpected(m);
    if (++me->finished < SEATS)
        return TR_CONTINUE;
    int stop = bench_report(SEATS * me->n, tr_now(self) - me->start);
    for (uint32_t i = 0; i < SEATS; i++)
        bench_check(forks[i].meals == 2 * me->n, "philosophers: wrong number of meals");
    return stop;
}

static const tr_actor philosophers_root = { TR_SPEC, .name = "philosophers", .start = philosophers_start,
    .receive = philosophers, .state_size = sizeof(struct philosophers), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_philosophers = { .name = "philosophers", .root = &philosophers_root, .n = 150000 };
