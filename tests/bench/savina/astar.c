/*
 * astar: the cheapest way from one corner of a cube of N by N by N cells to the opposite one, by A* search. To enter a
 * cell costs from 100 to 999.
 *
 * The cube is cut into slices of four layers, which 20 explorers own in turn. Each explores its own cells, those first
 * by which the way may be the cheapest, and a few hundred in a turn; what it finds out about cells of its neighbours it
 * sends to them, in batches. A batch is a request, of which four may be unanswered for each neighbour. The one who owns
 * the goal tells all what the best way so far costs: what cannot be cheaper is given up.
 *
 * When is it over? An explorer that had nothing to do and is woken by a batch answers this one only when it has nothing
 * to do again and all its own batches are answered; all others it answers at once. So when the first batch is
 * answered, which is the root's, nobody has anything to do (Dijkstra and Scholten, 1980).
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

#include <troupe/block.h>

enum { SLICE = 4, CHEAPEST = 100, DEAREST = 999, FAR = INT32_MAX / 2, DIRECTIONS = 6 };
enum { EXPLORERS = 20, BATCH = 64, UNDER_WAY = 4, PORTION = 400 };

/* A cell can be reached at this cost. */
struct step {
    int32_t cell, cost;
};

struct steps {
    int count;
    struct step step[BATCH];
};

TR_MESSAGE(astar_reached, struct steps steps;);
TR_SIGNAL(astar_explored);
TR_SIGNAL(astar_go_on);
TR_MESSAGE(astar_bound, int32_t cost;);
TR_SIGNAL(astar_ask_cost);
TR_MESSAGE(astar_cost, int32_t cost;);
TR_DEFINE(astar_reached);
TR_DEFINE(astar_explored);
TR_DEFINE(astar_go_on);
TR_DEFINE(astar_bound);
TR_DEFINE(astar_ask_cost);
TR_DEFINE(astar_cost);

/* ---- the cube ---------------------------------------------------------------------------------------------------- */

/* The references are there when the first explorer is told to begin, and nobody looks for them before. */
struct cube {
    int32_t n, goal; /* the last cell; the first is 0 */
    tr_ref explorers[EXPLORERS];
};

static int32_t price(int32_t cell)
{
    return CHEAPEST + (int32_t)(mix((uint64_t)cell) % (DEAREST - CHEAPEST + 1));
}

/* The least it can cost from there to the goal. */
static int32_t least(const struct cube *cube, int32_t cell)
{
    const int32_t n = cube->n, far = 3 * (n - 1);
    return CHEAPEST * (far - cell % n - cell / n % n - cell / n / n);
}

/* The cells beside a cell; answers how many. */
static int beside(const struct cube *cube, int32_t cell, int32_t cells[DIRECTIONS])
{
    const int32_t n = cube->n;
    int count = 0;
    for (int32_t width = 1, rest = cell, axis = 0; axis < 3; axis++, width *= n, rest /= n) {
        if (rest % n > 0)
            cells[count++] = cell - width;
        if (rest % n < n - 1)
            cells[count++] = cell + width;
    }
    return count;
}

static int owner(const struct cube *cube, int32_t cell)
{
    return cell / cube->n / cube->n / SLICE % EXPLORERS;
}

/* Where its owner has it: after the slices before it that are the same owner's. */
static size_t place(const struct cube *cube, int32_t cell)
{
    const int32_t layer = cell / cube->n / cube->n, slices = layer / SLICE / EXPLORERS;
    return (size_t)(slices * SLICE + layer % SLICE) * (size_t)cube->n * (size_t)cube->n +
        (size_t)(cell % (cube->n * cube->n));
}

/* ---- a list that grows, and a heap on it ------------------------------------------------------------------------- */

struct list {
    int64_t *items;
    size_t count, room;
};

static void append(struct list *list, int64_t item)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 1024;
        list->items = realloc(list->items, list->room * sizeof *list->items);
        bench_check(list->items != NULL, "astar: no memory");
    }
    list->items[list->count++] = item;
}

static void push(struct list *heap, int64_t item)
{
    append(heap, item);
    size_t i = heap->count - 1;
    for (; i > 0 && heap->items[(i - 1) / 2] > item; i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = item;
}

static int64_t pop(struct list *heap)
{
    int64_t first = heap->items[0], last = heap->items[--heap->count];
    size_t i = 0;
    for (size_t below = 1; below < heap->count; below = 2 * i + 1) {
        if (below + 1 < heap->count && heap->items[below + 1] < heap->items[below])
            below++;
        if (heap->items[below] >= last)
            break;
        heap->items[i] = heap->items[below];
        i = below;
    }
    heap->items[i] = last;
    return first;
}

/* What is in them: a cost and a cell; the cheapest first. */
static int64_t item(int32_t cost, int32_t cell)
{
    return (int64_t)cost << 32 | cell;
}

/* ---- an explorer ------------------------------------------------------------------------------------------------- */

/* The cube is the root's, and there as long as it can find anything out. It may be gone before an explorer that is not
 * needed has started. */
struct share {
    const struct cube *cube;
    int32_t n;
    int number;
};

/* What goes to a neighbour. */
struct outbox {
    struct list steps;
    int other, under_way;
};

struct explorer {
    struct share of;
    int32_t *cost;        /* of each cell it owns: the least so far */
    int32_t bound;        /* of the cheapest way so far */
    struct list open;     /* cells to go on from, with the least that a way by them can cost */
    struct outbox out[2]; /* to those before and behind it */
    tr_msg *woken_by;     /* is answered when there is nothing to do */
    bool going_on;
};

static int explorer_start(tr_self *self, void *state, const void *arg)
{
    struct explorer *me = state;
    (void)self;
    me->of = *(const struct share *)arg;
    me->bound = FAR;
    me->out[0].other = (me->of.number + EXPLORERS - 1) % EXPLORERS;
    me->out[1].other = (me->of.number + 1) % EXPLORERS;
    const int32_t n = me->of.n;
    const size_t cells = (size_t)((n / SLICE / EXPLORERS + 1) * SLICE) * (size_t)n * (size_t)n;
    me->cost = malloc(cells * sizeof *me->cost);
    bench_check(me->cost != NULL, "astar: no memory");
    for (size_t i = 0; i < cells; i++)
        me->cost[i] = FAR;
    return TR_CONTINUE;
}

static void reach(tr_self *self, struct explorer *me, int32_t cell, int32_t cost)
{
    const struct cube *cube = me->of.cube;
    int32_t *best = &me->cost[place(cube, cell)], in_all = cost + least(cube, cell);
    if (cost >= *best || in_all >= me->bound)
        return;
    *best = cost;
    if (cell != cube->goal) {
        push(&me->open, item(in_all, cell));
        return;
    }
    me->bound = cost;
    for (int i = 0; i < EXPLORERS; i++)
        if (i != me->of.number)
            tr_send(self, cube->explorers[i], astar_bound, .cost = cost);
}

static void explore(tr_self *self, struct explorer *me)
{
    const struct cube *cube = me->of.cube;
    int32_t cells[DIRECTIONS];
    for (int i = 0; i < PORTION && me->open.count; i++) {
        const int64_t next = pop(&me->open);
        const int32_t cell = (int32_t)(next & INT32_MAX), in_all = (int32_t)(next >> 32);
        const int32_t cost = in_all - least(cube, cell);
        if (in_all >= me->bound)
            me->open.count = 0; /* nor can the others be cheaper */
        if (in_all >= me->bound || cost > me->cost[place(cube, cell)])
            continue;
        for (int j = beside(cube, cell, cells) - 1; j >= 0; j--) {
            const int32_t there = cost + price(cells[j]), whose = owner(cube, cells[j]);
            if (whose == me->of.number)
                reach(self, me, cells[j], there);
            else if (there + least(cube, cells[j]) < me->bound)
                append(&me->out[whose == me->out[1].other].steps, item(there, cells[j]));
        }
    }
}

static void send_batches(tr_self *self, struct explorer *me, struct outbox *out)
{
    while (out->steps.count && out->under_way < UNDER_WAY) {
        struct steps batch = { 0 };
        while (out->steps.count && batch.count < BATCH) {
            int64_t step = out->steps.items[--out->steps.count];
            batch.step[batch.count++] = (struct step){ .cell = (int32_t)(step & INT32_MAX), .cost = (int32_t)(step >> 32) };
        }
        tr_ask(self, me->of.cube->explorers[out->other], TR_MINUTES(5), astar_reached, .steps = batch);
        out->under_way++;
    }
}

static void take_batch(tr_self *self, struct explorer *me, const tr_msg *m)
{
    const struct steps *steps = &tr_body(astar_reached, m)->steps;
    for (int i = 0; i < steps->count; i++)
        reach(self, me, steps->step[i].cell, steps->step[i].cost);
    if (me->woken_by) {
        tr_reply(self, astar_explored);
    } else {
        me->woken_by = tr_take(self, m);
        bench_check(me->woken_by != NULL, "astar: no memory");
    }
}

static int explorer(tr_self *self, void *state, const tr_msg *m)
{
    struct explorer *me = state;
    struct outbox *out = me->out;
    if (tr_is(astar_reached, m)) {
        take_batch(self, me, m);
    } else if (tr_is(astar_go_on, m)) {
        me->going_on = false;
        explore(self, me);
    } else if (tr_is(astar_explored, m)) {
        out[tr_ref_eq(m->from, me->of.cube->explorers[out[1].other])].under_way--;
    } else if (tr_is(astar_bound, m)) {
        me->bound = tr_body(astar_bound, m)->cost; /* from one sender, each less than the one before */
    } else if (tr_is(astar_ask_cost, m)) {
        tr_reply(self, astar_cost, .cost = me->bound);
    } else {
        bench_unexpected(m);
    }

    send_batches(self, me, &out[0]);
    send_batches(self, me, &out[1]);
    if (me->open.count && !me->going_on) {
        tr_send(self, tr_me(self), astar_go_on);
        me->going_on = true;
    }
    if (me->woken_by && !me->going_on && out[0].under_way == 0 && out[1].under_way == 0) {
        tr_reply_to(self, me->woken_by, astar_explored);
        me->woken_by = NULL;
    }
    return TR_CONTINUE;
}

static void explorer_stop(tr_self *self, void *state, int reason)
{
    struct explorer *me = state;
    (void)self;
    (void)reason;
    free(me->cost);
    free(me->open.items);
    free(me->out[0].steps.items);
    free(me->out[1].steps.items);
}

static const tr_actor explorer_actor = { TR_SPEC, .name = "explorer", .start = explorer_start, .receive = explorer,
    .stop = explorer_stop, .state_size = sizeof(struct explorer), .arg_size = sizeof(struct share) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct astar {
    struct cube cube;
    int64_t cells, start;
    int32_t found, right;
};

/* The same cost without actors and without a heap: cells are looked at in the order they were reached, again and again,
 * until nothing gets cheaper. It takes its time, so it runs where it may block. */
static int search_alone(void *arg)
{
    struct astar *me = arg;
    const size_t size = (size_t)me->cells;
    int32_t *cost = malloc(size * sizeof *cost), *queue = malloc(size * sizeof *queue), cells[DIRECTIONS];
    bool *waits = calloc(size, sizeof *waits);
    int error = cost && queue && waits ? 0 : TR_ENOMEM;
    for (size_t i = 0; i < size && !error; i++)
        cost[i] = i ? FAR : 0;
    if (!error)
        queue[0] = 0;
    for (size_t first = 0, count = 1; count && !error; first = (first + 1) % size, count--) {
        const int32_t cell = queue[first];
        waits[cell] = false;
        for (int i = beside(&me->cube, cell, cells) - 1; i >= 0; i--) {
            const int32_t next = cells[i], there = cost[cell] + price(next);
            if (there >= cost[next])
                continue;
            cost[next] = there;
            if (!waits[next])
                queue[(first + count++) % size] = next;
            waits[next] = true;
        }
    }
    me->right = error ? 0 : cost[me->cube.goal];
    free(cost);
    free(queue);
    free(waits);
    return error;
}

static int astar_start(tr_self *self, void *state, const void *arg)
{
    struct astar *me = state;
    const int64_t n = *(const int64_t *)arg;
    const struct steps first = { .count = 1, .step = { { .cell = 0, .cost = 0 } } };
    bench_watch(self);
    me->cells = n * n * n;
    me->cube.n = (int32_t)n;
    me->cube.goal = (int32_t)(me->cells - 1);
    me->start = tr_now(self);
    for (int i = 0; i < EXPLORERS; i++)
        me->cube.explorers[i] = bench_spawned(
            tr_spawn(self, &explorer_actor, (&(struct share){ .cube = &me->cube, .n = me->cube.n, .number = i })));
    tr_ask(self, me->cube.explorers[0], TR_MINUTES(10), astar_reached, .steps = first);
    return TR_CONTINUE;
}

static int astar(tr_self *self, void *state, const tr_msg *m)
{
    struct astar *me = state;
    if (tr_is(astar_explored, m)) {
        tr_ask(self, me->cube.explorers[owner(&me->cube, me->cube.goal)], TR_SECONDS(60), astar_ask_cost);
    } else if (tr_is(astar_cost, m)) {
        me->found = tr_body(astar_cost, m)->cost;
        bench_report(me->cells, tr_now(self) - me->start);
        bench_check(tr_block(self, search_alone, me).bits != 0, "astar: no memory");
    } else if (tr_is(tr_blocked, m)) {
        bench_check(tr_body(tr_blocked, m)->result == 0, "astar: no memory");
        bench_check(me->found == me->right, "astar: that is not the cheapest way");
        return TR_STOP;
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor astar_root = { TR_SPEC, .name = "astar", .start = astar_start, .receive = astar,
    .state_size = sizeof(struct astar), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_astar = { .name = "astar", .root = &astar_root, .n = 80, .max = 500 };
