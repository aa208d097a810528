/*
 * apsp: the shortest paths between all pairs of N places, by the algorithm of Floyd and Warshall on tiles.
 *
 * The table of distances is cut into tiles of 50 by 50, and each is an actor. There are as many rounds as tiles in a
 * row. In round k the k-th tile on the diagonal works out its own distances and tells them to all in its row and its
 * column. They work out theirs with them, and tell them to all in their column or row, and these can work out theirs. A
 * tile is told as a tr_buf, the same one to all. Nobody waits for the slowest: what comes before its round is kept. In
 * all, two tiles come for each round, so no mailbox can get full.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

#include <troupe/buf.h>

enum { SIDE = 50, FAR = 1 << 29, LONGEST = 1000, ROADS = 8, SOURCES = 8 };

struct distances {
    int32_t at[SIDE][SIDE];
};

TR_SIGNAL(apsp_begin);
TR_MESSAGE(apsp_tile, tr_buf *distances; int round; bool same_row;); /* as the receiver, or else the same column */
TR_MESSAGE(apsp_result, tr_buf *distances; int row; int column;);

static void distances_drop(void *body)
{
    tr_buf_unref(*(tr_buf **)body);
}

static size_t distances_bulk(const void *body)
{
    return tr_buf_size(*(tr_buf *const *)body);
}

TR_DEFINE(apsp_begin);
TR_DEFINE(apsp_tile, .drop = distances_drop, .bulk = distances_bulk);
TR_DEFINE(apsp_result, .drop = distances_drop, .bulk = distances_bulk);

/* What all read: the table of roads, padded to whole tiles, and the tiles. The references are there when the first
 * tile is told to begin, and nobody looks for them before. */
struct map {
    int64_t n, width;
    int tiles; /* in a row */
    int32_t *roads;
    tr_ref *tile;
};

/* ---- a tile ------------------------------------------------------------------------------------------------------ */

struct place {
    const struct map *map;
    int row, column;
};

struct tile {
    struct place at;
    int round, rounds;
    tr_buf **same_row, **same_column; /* for each round, once they have come */
    struct distances own;
};

static int tile_start(tr_self *self, void *state, const void *arg)
{
    struct tile *me = state;
    (void)self;
    me->at = *(const struct place *)arg;
    const struct map *map = me->at.map;
    me->rounds = map->tiles;
    const int32_t *from = map->roads + me->at.row * SIDE * map->width + me->at.column * SIDE;
    for (int i = 0; i < SIDE; i++)
        memcpy(me->own.at[i], from + i * map->width, sizeof me->own.at[i]);
    me->same_row = calloc((size_t)me->rounds, sizeof *me->same_row);
    me->same_column = calloc((size_t)me->rounds, sizeof *me->same_column);
    bench_check(me->same_row && me->same_column, "apsp: no memory");
    return TR_CONTINUE;
}

/* The paths by way of the places of this round: `from` leads there, `on` from there. Either may be `own` itself. */
static void shorten(struct distances *own, const struct distances *from, const struct distances *on)
{
    for (int by = 0; by < SIDE; by++)
        for (int i = 0; i < SIDE; i++) {
            const int32_t there = from->at[i][by];
            for (int j = 0; j < SIDE; j++) {
                const int32_t distance = there + on->at[by][j];
                own->at[i][j] = distance < own->at[i][j] ? distance : own->at[i][j];
            }
        }
}

static tr_buf *copy_of(const struct tile *me)
{
    tr_buf *copy = tr_buf_copy(&me->own, sizeof me->own);
    bench_check(copy != NULL, "apsp: no memory");
    return copy;
}

/* Tells the others in the row, or in the column, its distances. */
static void tell(tr_self *self, const struct tile *me, bool row, tr_buf *distances)
{
    const struct map *map = me->at.map;
    for (int i = 0; i < map->tiles; i++) {
        int to = row ? me->at.row * map->tiles + i : i * map->tiles + me->at.column;
        if (i != (row ? me->at.column : me->at.row))
            tr_send(self, map->tile[to], apsp_tile, .distances = tr_buf_ref(distances), .round = me->round, .same_row = row);
    }
}

/* Plays a round; false if what it takes has not come yet. */
static bool play(tr_self *self, struct tile *me)
{
    const bool my_row = me->at.row == me->round, my_column = me->at.column == me->round;
    tr_buf *from = me->same_row[me->round], *on = me->same_column[me->round];
    if ((!my_column && !from) || (!my_row && !on))
        return false;
    shorten(&me->own, my_column ? &me->own : tr_buf_bytes(from), my_row ? &me->own : tr_buf_bytes(on));
    tr_buf_unref(from);
    tr_buf_unref(on);
    me->same_row[me->round] = me->same_column[me->round] = NULL;
    if (my_row || my_column) {
        tr_buf *distances = copy_of(me);
        if (my_row)
            tell(self, me, false, distances);
        if (my_column)
            tell(self, me, true, distances);
        tr_buf_unref(distances);
    }
    me->round++;
    return true;
}

static int tile(tr_self *self, void *state, const tr_msg *m)
{
    struct tile *me = state;
    if (tr_is(apsp_tile, m)) {
        const apsp_tile *other = tr_body(apsp_tile, m);
        (other->same_row ? me->same_row : me->same_column)[other->round] = tr_buf_ref(other->distances);
    }
    while (me->round < me->rounds)
        if (!play(self, me))
            return TR_CONTINUE;
    tr_send(self, tr_parent(self), apsp_result, .distances = copy_of(me), .row = me->at.row, .column = me->at.column);
    return TR_STOP;
}

static void tile_stop(tr_self *self, void *state, int reason)
{
    struct tile *me = state;
    (void)self;
    (void)reason;
    for (int i = 0; i < me->rounds; i++) { /* the map may be gone: it is the root's, which has the result */
        tr_buf_unref(me->same_row[i]);
        tr_buf_unref(me->same_column[i]);
    }
    free(me->same_row);
    free(me->same_column);
}

static const tr_actor tile_actor = { TR_SPEC, .name = "tile", .start = tile_start, .receive = tile, .stop = tile_stop,
    .state_size = sizeof(struct tile), .arg_size = sizeof(struct place) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct apsp {
    struct map map;
    int64_t start;
    int left;
    int32_t *found;
};

/* Where a place's roads lead to, each the same in every run, and how long they are. */
static int64_t road(int64_t n, int64_t from, int number, int32_t *length)
{
    uint64_t seed = (uint64_t)(from * ROADS + number);
    *length = 1 + (int32_t)draw_below(&seed, LONGEST);
    return (int64_t)draw_below(&seed, (uint32_t)n);
}

static void lay_roads(struct map *map)
{
    for (int64_t i = 0; i < map->width * map->width; i++)
        map->roads[i] = FAR;
    for (int64_t i = 0; i < map->n; i++) {
        int32_t *row = map->roads + i * map->width, length;
        for (int r = 0; r < ROADS; r++) {
            int64_t to = road(map->n, i, r, &length);
            row[to] = length < row[to] ? length : row[to];
        }
        row[i] = 0;
    }
}

static int apsp_start(tr_self *self, void *state, const void *arg)
{
    struct apsp *me = state;
    struct map *map = &me->map;
    bench_watch(self);
    map->n = *(const int64_t *)arg;
    map->tiles = (int)((map->n + SIDE - 1) / SIDE);
    map->width = (int64_t)map->tiles * SIDE;
    me->left = map->tiles * map->tiles;
    map->roads = malloc((size_t)(map->width * map->width) * sizeof *map->roads);
    me->found = malloc((size_t)(map->width * map->width) * sizeof *me->found);
    map->tile = malloc((size_t)me->left * sizeof *map->tile);
    bench_check(map->roads && me->found && map->tile, "apsp: no memory");
    lay_roads(map);
    me->start = tr_now(self);
    for (int i = 0; i < me->left; i++)
        map->tile[i] = bench_spawned(
            tr_spawn(self, &tile_actor, (&(struct place){ .map = map, .row = i / map->tiles, .column = i % map->tiles })));
    tr_send(self, map->tile[0], apsp_begin);
    return TR_CONTINUE;
}

/* The distances from one place, by Dijkstra's algorithm. */
static void check_from(const struct apsp *me, int64_t source)
{
    const int64_t n = me->map.n;
    int32_t *distance = malloc((size_t)n * sizeof *distance), length;
    bool *done = calloc((size_t)n, sizeof *done);
    bench_check(distance && done, "apsp: no memory");
    for (int64_t i = 0; i < n; i++)
        distance[i] = i == source ? 0 : FAR;
    for (int64_t count = 0; count < n; count++) {
        int64_t nearest = -1;
        for (int64_t i = 0; i < n; i++)
            if (!done[i] && (nearest < 0 || distance[i] < distance[nearest]))
                nearest = i;
        done[nearest] = true;
        for (int r = 0; r < ROADS && distance[nearest] < FAR; r++) {
            int64_t to = road(n, nearest, r, &length);
            if (distance[nearest] + length < distance[to])
                distance[to] = distance[nearest] + length;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t found = me->found[source * me->map.width + i];
        bench_check(found == distance[i] || (found >= FAR && distance[i] == FAR), "apsp: wrong distance");
    }
    free(distance);
    free(done);
}

static int apsp(tr_self *self, void *state, const tr_msg *m)
{
    struct apsp *me = state;
    const int64_t n = me->map.n, width = me->map.width;
    if (!tr_is(apsp_result, m))
        bench_unexpected(m);
    const apsp_result *result = tr_body(apsp_result, m);
    const struct distances *distances = tr_buf_bytes(result->distances);
    int32_t *to = me->found + result->row * SIDE * width + result->column * SIDE;
    for (int i = 0; i < SIDE; i++)
        memcpy(to + i * width, distances->at[i], sizeof distances->at[i]);
    if (--me->left)
        return TR_CONTINUE;
    int64_t ns = tr_now(self) - me->start;
    for (int64_t i = 0; i < SOURCES && i < n; i++)
        check_from(me, n - 1 - i * n / SOURCES);
    return bench_report(n * n * n, ns); /* comparisons */
}

static void apsp_stop(tr_self *self, void *state, int reason)
{
    struct apsp *me = state;
    (void)self;
    (void)reason;
    free(me->map.roads);
    free(me->map.tile);
    free(me->found);
}

static const tr_actor apsp_root = { TR_SPEC, .name = "apsp", .start = apsp_start, .receive = apsp, .stop = apsp_stop,
    .state_size = sizeof(struct apsp), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_apsp = { .name = "apsp", .root = &apsp_root, .n = 850, .max = 2000 };
