/*
 * recmatmul: two matrices of N by N numbers are multiplied recursively. An actor that is given a large block of the
 * product makes eight, each for the product of a quarter of one matrix and a quarter of the other, and puts together
 * what they find, two for each quarter of its block. Small blocks are multiplied at once.
 *
 * All read the two matrices, which nobody writes after the first actor was made. What they find travels as a tr_buf.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

#include <troupe/buf.h>

enum { SMALL = 64, PARTS = 8, ROUNDS = 3 };

TR_MESSAGE(recmatmul_product, tr_buf *numbers;); /* row after row */

static void product_drop(void *body)
{
    tr_buf_unref(((recmatmul_product *)body)->numbers);
}

static size_t product_bulk(const void *body)
{
    return tr_buf_size(((const recmatmul_product *)body)->numbers);
}

TR_DEFINE(recmatmul_product, .drop = product_drop, .bulk = product_bulk);

/* Numbers are whole, modulo 2^64, so the result does not depend on the order they are added in. */
struct matrices {
    int64_t n;
    uint64_t *a, *b;
};

/* ---- a block of the product -------------------------------------------------------------------------------------- */

struct range {
    int64_t first, count;
};

struct block {
    const struct matrices *of;
    struct range rows, inner, columns; /* rows of a, columns of a and rows of b, columns of b */
};

struct multiplier {
    struct block block;
    tr_ref parts[PARTS];
    int waiting;
    tr_buf *product;
    uint64_t *numbers;
};

static const tr_actor multiplier_actor;

static struct range half(struct range whole, int upper)
{
    int64_t lower = whole.count / 2;
    return upper ? (struct range){ whole.first + lower, whole.count - lower } : (struct range){ whole.first, lower };
}

static struct block part(const struct block *whole, int i)
{
    return (struct block){ .of = whole->of,
        .rows = half(whole->rows, i & 1),
        .columns = half(whole->columns, i >> 1 & 1),
        .inner = half(whole->inner, i >> 2 & 1) };
}

static void multiply(const struct block *me, uint64_t *numbers)
{
    const int64_t n = me->of->n;
    for (int64_t i = 0; i < me->rows.count; i++, numbers += me->columns.count) {
        const uint64_t *row = me->of->a + (me->rows.first + i) * n + me->inner.first;
        for (int64_t k = 0; k < me->inner.count; k++) {
            const uint64_t *other = me->of->b + (me->inner.first + k) * n + me->columns.first;
            for (int64_t j = 0; j < me->columns.count; j++)
                numbers[j] += row[k] * other[j];
        }
    }
}

static int answer(tr_self *self, struct multiplier *me)
{
    tr_send(self, tr_parent(self), recmatmul_product, .numbers = me->product);
    me->product = NULL;
    return TR_STOP;
}

static int multiplier_start(tr_self *self, void *state, const void *arg)
{
    struct multiplier *me = state;
    void *bytes;
    me->block = *(const struct block *)arg;
    size_t size = (size_t)(me->block.rows.count * me->block.columns.count) * sizeof *me->numbers;
    me->product = tr_buf_new(size, &bytes);
    bench_check(me->product != NULL, "recmatmul: no memory");
    me->numbers = memset(bytes, 0, size);
    if (me->block.rows.count <= SMALL && me->block.inner.count <= SMALL && me->block.columns.count <= SMALL) {
        multiply(&me->block, me->numbers);
        return answer(self, me);
    }
    for (; me->waiting < PARTS; me->waiting++) {
        struct block below = part(&me->block, me->waiting);
        me->parts[me->waiting] = bench_spawned(tr_spawn(self, &multiplier_actor, &below));
    }
    return TR_CONTINUE;
}

/* Adds one of the eight products to its quarter of the block. */
static void put(struct multiplier *me, int i, const uint64_t *from)
{
    const struct block below = part(&me->block, i);
    uint64_t *to = me->numbers + (below.rows.first - me->block.rows.first) * me->block.columns.count +
        (below.columns.first - me->block.columns.first);
    for (int64_t row = 0; row < below.rows.count; row++) {
        for (int64_t column = 0; column < below.columns.count; column++)
            to[column] += from[column];
        to += me->block.columns.count;
        from += below.columns.count;
    }
}

static int multiplier(tr_self *self, void *state, const tr_msg *m)
{
    struct multiplier *me = state;
    int i = 0;
    while (!tr_ref_eq(m->from, me->parts[i]))
        i++;
    put(me, i, tr_buf_bytes(tr_body(recmatmul_product, m)->numbers));
    return --me->waiting ? TR_CONTINUE : answer(self, me);
}

static void multiplier_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    tr_buf_unref(((struct multiplier *)state)->product);
}

static const tr_actor multiplier_actor = { TR_SPEC, .name = "multiplier", .start = multiplier_start, .receive = multiplier,
    .stop = multiplier_stop, .state_size = sizeof(struct multiplier), .arg_size = sizeof(struct block) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct recmatmul {
    struct matrices matrices;
    int64_t start;
};

static int recmatmul_start(tr_self *self, void *state, const void *arg)
{
    struct recmatmul *me = state;
    struct matrices *both = &me->matrices;
    uint64_t seed = 42;
    bench_watch(self);
    both->n = *(const int64_t *)arg;
    const int64_t size = both->n * both->n;
    both->a = malloc((size_t)size * sizeof *both->a);
    both->b = malloc((size_t)size * sizeof *both->b);
    bench_check(both->a && both->b, "recmatmul: no memory");
    for (int64_t i = 0; i < size; i++) {
        both->a[i] = draw(&seed);
        both->b[i] = draw(&seed);
    }
    me->start = tr_now(self);
    const struct range all = { 0, both->n };
    bench_spawned(
        tr_spawn(self, &multiplier_actor, (&(struct block){ .of = both, .rows = all, .inner = all, .columns = all })));
    return TR_CONTINUE;
}

/* to = matrix x vector. */
static void apply(const uint64_t *matrix, const uint64_t *vector, int64_t n, uint64_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        to[i] = 0;
        for (int64_t j = 0; j < n; j++)
            to[i] += matrix[i * n + j] * vector[j];
    }
}

/* Freivalds' check: the product has to do to vectors drawn at random what one matrix after the other does. */
static void check(const struct matrices *both, const uint64_t *product)
{
    const int64_t n = both->n;
    uint64_t seed = 4711, *room = malloc(4 * (size_t)n * sizeof *room);
    uint64_t *vector = room, *once = room + n, *twice = once + n, *by_product = twice + n;
    bench_check(room != NULL, "recmatmul: no memory");
    for (int round = 0; round < ROUNDS; round++) {
        for (int64_t i = 0; i < n; i++)
            vector[i] = draw(&seed);
        apply(both->b, vector, n, once);
        apply(both->a, once, n, twice);
        apply(product, vector, n, by_product);
        bench_check(memcmp(twice, by_product, (size_t)n * sizeof *twice) == 0, "recmatmul: wrong product");
    }
    free(room);
}

static int recmatmul(tr_self *self, void *state, const tr_msg *m)
{
    struct recmatmul *me = state;
    const int64_t n = me->matrices.n;
    if (!tr_is(recmatmul_product, m))
        bench_unexpected(m);
    int64_t ns = tr_now(self) - me->start;
    check(&me->matrices, tr_buf_bytes(tr_body(recmatmul_product, m)->numbers));
    return bench_report(n * n * n, ns); /* multiplications */
}

static void recmatmul_stop(tr_self *self, void *state, int reason)
{
    struct recmatmul *me = state;
    (void)self;
    (void)reason;
    free(me->matrices.a);
    free(me->matrices.b);
}

static const tr_actor recmatmul_root = { TR_SPEC, .name = "recmatmul", .start = recmatmul_start, .receive = recmatmul,
    .stop = recmatmul_stop, .state_size = sizeof(struct recmatmul), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_recmatmul = {
    .name = "recmatmul", .root = &recmatmul_root, .n = 800, .max = 2000 /* whose parts a mailbox holds */
};
