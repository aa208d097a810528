/*
 * sor: successive over-relaxation on a grid of N by N cells, 100 times. Each cell is an actor. The cells are coloured
 * as on a chess-board; in turn the red ones and the black ones move their value towards the mean of their neighbours'.
 *
 * A cell tells its value to its neighbours when it has heard from all of them, so it is told one value at most by each
 * of them before it tells its own. The values are added in the order of the directions they come from, not in the order
 * they come, so the result is the same in every run. When a cell is done it tells the root, which has asked: it asks
 * 256 cells at a time.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

#include <math.h>

enum { TIMES = 100, NEIGHBOURS = 4, PORTION = 1000, ASKED = 256 };

static const double omega = 1.25;

TR_SIGNAL(sor_go_on);
TR_SIGNAL(sor_begin);
TR_MESSAGE(sor_value, double value; int direction;); /* as the receiver sees it */
TR_SIGNAL(sor_tell);
TR_MESSAGE(sor_done, double value; int64_t cell;);
TR_DEFINE(sor_go_on);
TR_DEFINE(sor_begin);
TR_DEFINE(sor_value);
TR_DEFINE(sor_tell);
TR_DEFINE(sor_done);

/* The cells, row after row, and what they begin with. The references are there when the first cell is told to begin,
 * and nobody looks for them before. Beyond the edge all is 0. */
struct grid {
    int64_t n;
    tr_ref *cells;
    double *values;
};

/* The cell's neighbour in a direction, or -1: up, left, right, down. The opposite direction of d is 3 - d. */
static int64_t neighbour(int64_t n, int64_t cell, int direction)
{
    int64_t row = cell / n, column = cell % n;
    switch (direction) {
    case 0: return row > 0 ? cell - n : -1;
    case 1: return column > 0 ? cell - 1 : -1;
    case 2: return column < n - 1 ? cell + 1 : -1;
    default: return row < n - 1 ? cell + n : -1;
    }
}

static bool is_red(int64_t n, int64_t cell)
{
    return (cell / n + cell % n) % 2 == 0;
}

static double relax(double value, const double around[NEIGHBOURS])
{
    return (1 - omega) * value + omega / NEIGHBOURS * (around[0] + around[1] + around[2] + around[3]);
}

/* ---- a cell ------------------------------------------------------------------------------------------------------ */

struct place {
    const struct grid *grid;
    int64_t number;
};

struct cell {
    struct place at;
    double value, around[NEIGHBOURS];
    tr_msg *request; /* of the root, to be answered when it is done */
    int neighbours, heard, times;
};

static int cell_start(tr_self *self, void *state, const void *arg)
{
    struct cell *me = state;
    (void)self;
    me->at = *(const struct place *)arg;
    me->value = me->at.grid->values[me->at.number];
    for (int i = 0; i < NEIGHBOURS; i++)
        me->neighbours += neighbour(me->at.grid->n, me->at.number, i) >= 0;
    return TR_CONTINUE;
}

static void tell_neighbours(tr_self *self, const struct cell *me)
{
    const struct grid *grid = me->at.grid;
    for (int i = 0; i < NEIGHBOURS; i++) {
        int64_t to = neighbour(grid->n, me->at.number, i);
        if (to >= 0)
            tr_send(self, grid->cells[to], sor_value, .value = me->value, .direction = NEIGHBOURS - 1 - i);
    }
}

/* Moves its value if it has heard from all. The red ones move first: they are told what the black ones began with. */
static void move(tr_self *self, struct cell *me)
{
    if (me->heard < me->neighbours || me->times == TIMES)
        return;
    me->heard = 0;
    me->value = relax(me->value, me->around);
    me->times++;
    if (me->times < TIMES || is_red(me->at.grid->n, me->at.number))
        tell_neighbours(self, me);
}

static int cell(tr_self *self, void *state, const tr_msg *m)
{
    struct cell *me = state;
    if (tr_is(sor_value, m)) {
        me->around[tr_body(sor_value, m)->direction] = tr_body(sor_value, m)->value;
        me->heard++;
        move(self, me);
    } else if (tr_is(sor_tell, m)) {
        me->request = tr_take(self, m);
        bench_check(me->request != NULL, "sor: no memory");
    } else if (tr_is(sor_begin, m)) {
        if (!is_red(me->at.grid->n, me->at.number))
            tell_neighbours(self, me);
        while (me->neighbours == 0 && me->times < TIMES) /* the only cell of its grid */
            move(self, me);
    } else {
        bench_unexpected(m);
    }
    if (me->times < TIMES || !me->request)
        return TR_CONTINUE;
    tr_reply_to(self, me->request, sor_done, .value = me->value, .cell = me->at.number);
    return TR_STOP;
}

static const tr_actor cell_actor = { TR_SPEC, .name = "cell", .start = cell_start, .receive = cell,
    .state_size = sizeof(struct cell), .arg_size = sizeof(struct place) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct sor {
    struct grid grid;
    int64_t size, spawned, begun, asked, answered, start;
    double *found;
};

static int sor_start(tr_self *self, void *state, const void *arg)
{
    struct sor *me = state;
    uint64_t seed = 42;
    bench_watch(self);
    me->grid.n = *(const int64_t *)arg;
    me->size = me->grid.n * me->grid.n;
    me->grid.cells = malloc((size_t)me->size * sizeof *me->grid.cells);
    me->grid.values = malloc((size_t)me->size * sizeof *me->grid.values);
    me->found = malloc((size_t)me->size * sizeof *me->found);
    bench_check(me->grid.cells && me->grid.values && me->found, "sor: no memory");
    for (int64_t i = 0; i < me->size; i++)
        me->grid.values[i] = (double)draw_below(&seed, 1000) * 1e-3;
    me->start = tr_now(self);
    tr_send(self, tr_me(self), sor_go_on);
    return TR_CONTINUE;
}

/* Makes some more cells; or, when all are there, tells some more to begin; or, when all have begun, asks the first. */
static void go_on(tr_self *self, struct sor *me)
{
    if (me->spawned < me->size) {
        for (int i = 0; i < PORTION && me->spawned < me->size; i++, me->spawned++)
            me->grid.cells[me->spawned] = bench_spawned(
                tr_spawn(self, &cell_actor, (&(struct place){ .grid = &me->grid, .number = me->spawned })));
    } else {
        for (int i = 0; i < PORTION && me->begun < me->size; i++)
            tr_send(self, me->grid.cells[me->begun++], sor_begin);
    }
    if (me->begun < me->size)
        tr_send(self, tr_me(self), sor_go_on);
}

static void ask_more(tr_self *self, struct sor *me)
{
    while (me->begun == me->size && me->asked < me->size && me->asked - me->answered < ASKED)
        tr_ask(self, me->grid.cells[me->asked++], TR_MINUTES(5), sor_tell);
}

/* Does the same to the values where they are. */
static void relax_alone(const struct grid *grid)
{
    const int64_t n = grid->n;
    for (int half = 0; half < 2 * TIMES; half++)
        for (int64_t row = 0; row < n; row++)
            for (int64_t column = (row + half) % 2; column < n; column += 2) {
                double *value = grid->values + row * n + column;
                const double around[NEIGHBOURS] = { row > 0 ? value[-n] : 0, column > 0 ? value[-1] : 0,
                    column < n - 1 ? value[1] : 0, row < n - 1 ? value[n] : 0 };
                *value = relax(*value, around);
            }
}

static int sor(tr_self *self, void *state, const tr_msg *m)
{
    struct sor *me = state;
    if (tr_is(sor_go_on, m)) {
        go_on(self, me);
    } else if (tr_is(sor_done, m)) {
        me->found[tr_body(sor_done, m)->cell] = tr_body(sor_done, m)->value;
        me->answered++;
    } else {
        bench_unexpected(m);
    }
    ask_more(self, me);
    if (me->answered < me->size)
        return TR_CONTINUE;

    int64_t ns = tr_now(self) - me->start;
    relax_alone(&me->grid);
    for (int64_t i = 0; i < me->size; i++)
        bench_check(fabs(me->found[i] - me->grid.values[i]) < 1e-9, "sor: wrong value");
    return bench_report(TIMES * me->size, ns);
}

static void sor_stop(tr_self *self, void *state, int reason)
{
    struct sor *me = state;
    (void)self;
    (void)reason;
    free(me->grid.cells);
    free(me->grid.values);
    free(me->found);
}

static const tr_actor sor_root = { TR_SPEC, .name = "sor", .start = sor_start, .receive = sor, .stop = sor_stop,
    .state_size = sizeof(struct sor), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_sor = { .name = "sor", .root = &sor_root, .n = 140, .max = 2000 };
