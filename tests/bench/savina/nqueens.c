/*
 * nqueens: the first N ways to place 14 queens on a board of 14 by 14 so that none attacks another.
 *
 * A master hands out boards with queens in the first columns to 20 workers. While there are few queens, a worker
 * answers with the boards that have one more; the master hands them out in turn, the newest first. Then it looks for
 * all the ways to complete the board, and answers with up to 64 of them at a time. The master asks on until it has as
 * many as it wants.
 */
#include "tests/bench/bench.h"

enum { SIZE = 14, WORKERS = 20, FEW = 4, MOST = 64, ALL = 365596, BOARDS = FEW * SIZE * WORKERS };

/* The rows of the queens in the first columns, four bits each, and how many there are. */
struct board {
    uint64_t rows;
    int queens;
};

struct boards {
    int count;
    struct board board[SIZE];
};

struct solutions {
    int count;
    bool more; /* there may be */
    uint64_t rows[MOST];
};

TR_MESSAGE(nqueens_search, struct board board;);
TR_SIGNAL(nqueens_go_on);
TR_MESSAGE(nqueens_boards, struct boards next;);
TR_MESSAGE(nqueens_solutions, struct solutions found;);
TR_DEFINE(nqueens_search);
TR_DEFINE(nqueens_go_on);
TR_DEFINE(nqueens_boards);
TR_DEFINE(nqueens_solutions);

static int row_of(uint64_t rows, int column)
{
    return (int)(rows >> 4 * column & 15);
}

/* Whether a queen can stand in this row of the column behind `queens` others. */
static bool is_safe(uint64_t rows, int queens, int row)
{
    for (int column = 0; column < queens; column++) {
        int other = row_of(rows, column);
        if (other == row || other - row == queens - column || row - other == queens - column)
            return false;
    }
    return true;
}

static struct board with_another(struct board board, int row)
{
    return (struct board){ .rows = board.rows | (uint64_t)row << 4 * board.queens, .queens = board.queens + 1 };
}

/* ---- a worker ---------------------------------------------------------------------------------------------------- */

/* The search goes on from the board, the next row to try in its next column. */
struct worker {
    struct board board;
    int least, row; /* queens that stay where they are */
};

/* Takes the last queen off the board, to try the next row; false: all have been tried. */
static bool step_back(struct worker *me)
{
    if (me->board.queens == me->least)
        return false;
    int column = --me->board.queens;
    me->row = row_of(me->board.rows, column) + 1;
    me->board.rows &= ~((uint64_t)15 << 4 * column);
    return true;
}

static void search(tr_self *self, struct worker *me)
{
    struct solutions found = { .more = true };
    while (found.count < MOST && found.more) {
        if (me->board.queens == SIZE) {
            found.rows[found.count++] = me->board.rows;
            found.more = step_back(me);
        } else if (me->row == SIZE) {
            found.more = step_back(me);
        } else if (is_safe(me->board.rows, me->board.queens, me->row)) {
            me->board = with_another(me->board, me->row);
            me->row = 0;
        } else {
            me->row++;
        }
    }
    tr_reply(self, nqueens_solutions, .found = found);
}

static void place_another(tr_self *self, struct board board)
{
    struct boards next = { 0 };
    for (int row = 0; row < SIZE; row++)
        if (is_safe(board.rows, board.queens, row))
            next.board[next.count++] = with_another(board, row);
    tr_reply(self, nqueens_boards, .next = next);
}

static int worker(tr_self *self, void *state, const tr_msg *m)
{
    struct worker *me = state;
    if (tr_is(nqueens_go_on, m)) {
        search(self, me);
        return TR_CONTINUE;
    }
    struct board board = tr_body(nqueens_search, m)->board;
    if (board.queens < FEW) {
        place_another(self, board);
    } else {
        *me = (struct worker){ .board = board, .least = board.queens };
        search(self, me);
    }
    return TR_CONTINUE;
}

static const tr_actor worker_actor = { TR_SPEC, .name = "worker", .receive = worker, .state_size = sizeof(struct worker) };

/* ---- the root: the master ---------------------------------------------------------------------------------------- */

struct nqueens {
    int64_t n, found, start;
    uint64_t *solutions;
    tr_ref idle[WORKERS];
    int idle_count, board_count;
    struct board boards[BOARDS]; /* to be handed out: each worker adds one board's next ones before it takes another */
};

static void hand_out(tr_self *self, struct nqueens *me)
{
    while (me->idle_count && me->board_count && me->found < me->n)
        tr_ask(self, me->idle[--me->idle_count], TR_SECONDS(60), nqueens_search, .board = me->boards[--me->board_count]);
}

static int nqueens_start(tr_self *self, void *state, const void *arg)
{
    struct nqueens *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->solutions = malloc((size_t)me->n * sizeof *me->solutions);
    bench_check(me->solutions != NULL, "nqueens: no memory");
    me->start = tr_now(self);
    while (me->idle_count < WORKERS)
        me->idle[me->idle_count++] = bench_spawned(tr_spawn(self, &worker_actor, NULL));
    me->boards[me->board_count++] = (struct board){ 0 };
    hand_out(self, me);
    return TR_CONTINUE;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Each row has a queen, and no diagonal has two. */
static bool is_solution(uint64_t rows)
{
    bool row[SIZE] = { false }, up[2 * SIZE] = { false }, down[2 * SIZE] = { false };
    for (int column = 0; column < SIZE; column++, rows >>= 4) {
        int here = (int)(rows & 15);
        if (here >= SIZE || row[here] || up[here + column] || down[here - column + SIZE])
            return false;
        row[here] = up[here + column] = down[here - column + SIZE] = true;
    }
    return rows == 0;
}

static int report(tr_self *self, struct nqueens *me)
{
    int64_t ns = tr_now(self) - me->start;
    bench_check(me->found == me->n, "nqueens: too few solutions");
    qsort(me->solutions, (size_t)me->n, sizeof *me->solutions, compare);
    for (int64_t i = 0; i < me->n; i++) {
        bench_check(i == 0 || me->solutions[i] != me->solutions[i - 1], "nqueens: the same solution twice");
        bench_check(is_solution(me->solutions[i]), "nqueens: no solution");
    }
    return bench_report(me->n, ns);
}

static int nqueens(tr_self *self, void *state, const tr_msg *m)
{
    struct nqueens *me = state;
    bool more = false;
    if (tr_is(nqueens_boards, m)) {
        const struct boards *next = &tr_body(nqueens_boards, m)->next;
        bench_check(me->board_count + next->count <= BOARDS, "nqueens: too many boards");
        memcpy(me->boards + me->board_count, next->board, (size_t)next->count * sizeof *next->board);
        me->board_count += next->count;
    } else if (tr_is(nqueens_solutions, m)) {
        const struct solutions *found = &tr_body(nqueens_solutions, m)->found;
        for (int i = 0; i < found->count && me->found < me->n; i++)
            me->solutions[me->found++] = found->rows[i];
        more = found->more && me->found < me->n;
    } else {
        bench_unexpected(m);
    }
    if (more)
        tr_ask(self, m->from, TR_SECONDS(60), nqueens_go_on);
    else
        me->idle[me->idle_count++] = m->from;
    hand_out(self, me);
    return me->idle_count < WORKERS ? TR_CONTINUE : report(self, me);
}

static void nqueens_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    free(((struct nqueens *)state)->solutions);
}

static const tr_actor nqueens_root = { TR_SPEC, .name = "nqueens", .start = nqueens_start, .receive = nqueens,
    .stop = nqueens_stop, .state_size = sizeof(struct nqueens), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_nqueens = { .name = "nqueens", .root = &nqueens_root, .n = 50000, .max = ALL };
