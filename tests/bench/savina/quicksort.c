/*
 * quicksort: N numbers are sorted. An actor that is given many of them parts them by a pivot, has the lower and the
 * upper ones sorted by an actor each, and answers with one buffer that chains the two and what lies between. Few are
 * sorted at once.
 *
 * The numbers travel as tr_bufs: a part is a slice of the buffer it was parted in, and what is sorted is joined, so
 * that numbers are copied only where they change places.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

#include <troupe/buf.h>

enum { FEW = 2048, PORTION = 16384 }; /* parted in one go: a handler must not hold its worker for long */

TR_MESSAGE(quicksort_sort, tr_buf *numbers;);
TR_MESSAGE(quicksort_sorted, tr_buf *numbers;);
TR_SIGNAL(quicksort_go_on);

static void numbers_drop(void *body)
{
    tr_buf_unref(*(tr_buf **)body);
}

static size_t numbers_bulk(const void *body)
{
    return tr_buf_size(*(tr_buf *const *)body);
}

TR_DEFINE(quicksort_sort, .drop = numbers_drop, .bulk = numbers_bulk);
TR_DEFINE(quicksort_sorted, .drop = numbers_drop, .bulk = numbers_bulk);
TR_DEFINE(quicksort_go_on);

/* A buffer for so many numbers. */
static tr_buf *room_for(size_t count, int64_t **numbers)
{
    void *bytes;
    tr_buf *buf = tr_buf_new(count * sizeof **numbers, &bytes);
    bench_check(buf != NULL, "quicksort: no memory");
    *numbers = bytes;
    return buf;
}

/* ---- a sorter ---------------------------------------------------------------------------------------------------- */

struct sorter {
    tr_buf *all, *parted; /* the second is filled from both ends */
    const int64_t *numbers;
    int64_t *room, pivot;
    size_t count, done, lower, upper; /* numbers: all, those looked at, and those on either side */
    tr_ref lower_sorter;
    tr_buf *sorted[3]; /* the lower ones, those equal to the pivot, the upper ones */
    int waiting;
};

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int sort_few(tr_self *self, struct sorter *me)
{
    tr_buf *sorted = room_for(me->count, &me->room);
    memcpy(me->room, me->numbers, me->count * sizeof *me->room);
    qsort(me->room, me->count, sizeof *me->room, compare);
    tr_send(self, tr_parent(self), quicksort_sorted, .numbers = sorted);
    return TR_STOP;
}

static int answer(tr_self *self, struct sorter *me)
{
    tr_buf *sorted = tr_buf_join(tr_buf_join(me->sorted[0], me->sorted[1]), me->sorted[2]);
    bench_check(sorted != NULL, "quicksort: no memory");
    memset(me->sorted, 0, sizeof me->sorted);
    tr_send(self, tr_parent(self), quicksort_sorted, .numbers = sorted);
    return TR_STOP;
}

static const tr_actor sorter_actor;

static tr_ref sort_by_another(tr_self *self, struct sorter *me, size_t first, size_t count)
{
    if (count == 0)
        return TR_NOBODY;
    tr_buf *part = tr_buf_slice(me->parted, first * sizeof *me->room, count * sizeof *me->room);
    bench_check(part != NULL, "quicksort: no memory");
    tr_ref sorter = bench_spawned(tr_spawn(self, &sorter_actor, NULL));
    tr_send(self, sorter, quicksort_sort, .numbers = part);
    me->waiting++;
    return sorter;
}

static int part_portion(tr_self *self, struct sorter *me)
{
    for (int i = 0; i < PORTION && me->done < me->count; i++) {
        int64_t number = me->numbers[me->done++];
        if (number < me->pivot)
            me->room[me->lower++] = number;
        else if (number > me->pivot)
            me->room[me->count - ++me->upper] = number;
    }
    if (me->done < me->count) {
        tr_send(self, tr_me(self), quicksort_go_on);
        return TR_CONTINUE;
    }

    int64_t *room;
    size_t equal = me->count - me->lower - me->upper;
    me->sorted[1] = room_for(equal, &room); /* not a slice: it would keep all of the other buffer */
    for (size_t i = 0; i < equal; i++)
        room[i] = me->pivot;
    me->lower_sorter = sort_by_another(self, me, 0, me->lower);
    sort_by_another(self, me, me->count - me->upper, me->upper);
    tr_buf_unref(me->parted);
    tr_buf_unref(me->all);
    me->parted = me->all = NULL;
    return me->waiting ? TR_CONTINUE : answer(self, me);
}

static int64_t median(int64_t a, int64_t b, int64_t c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

static int begin(tr_self *self, struct sorter *me, tr_buf *all)
{
    me->all = tr_buf_ref(all);
    me->numbers = tr_buf_bytes(all); /* in one piece: it is new, or a slice of one piece */
    me->count = tr_buf_size(all) / sizeof *me->numbers;
    if (me->count <= FEW)
        return sort_few(self, me);
    me->pivot = median(me->numbers[0], me->numbers[me->count / 2], me->numbers[me->count - 1]);
    me->parted = room_for(me->count, &me->room);
    return part_portion(self, me);
}

static int sorter(tr_self *self, void *state, const tr_msg *m)
{
    struct sorter *me = state;
    if (tr_is(quicksort_sort, m))
        return begin(self, me, tr_body(quicksort_sort, m)->numbers);
    if (tr_is(quicksort_go_on, m))
        return part_portion(self, me);
    me->sorted[tr_ref_eq(m->from, me->lower_sorter) ? 0 : 2] = tr_buf_ref(tr_body(quicksort_sorted, m)->numbers);
    return --me->waiting ? TR_CONTINUE : answer(self, me);
}

static void sorter_stop(tr_self *self, void *state, int reason)
{
    struct sorter *me = state;
    (void)self;
    (void)reason;
    tr_buf_unref(me->all);
    tr_buf_unref(me->parted);
    for (int i = 0; i < 3; i++)
        tr_buf_unref(me->sorted[i]);
}

static const tr_actor sorter_actor = { TR_SPEC, .name = "sorter", .receive = sorter, .stop = sorter_stop,
    .state_size = sizeof(struct sorter) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct quicksort {
    int64_t n, start;
    uint64_t hash; /* of the numbers, in any order */
};

static int quicksort_start(tr_self *self, void *state, const void *arg)
{
    struct quicksort *me = state;
    int64_t *numbers;
    uint64_t seed = 42;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    tr_buf *all = room_for((size_t)me->n, &numbers);
    for (int64_t i = 0; i < me->n; i++) {
        numbers[i] = (int64_t)draw_below(&seed, (uint32_t)me->n) - me->n / 2; /* some come more than once */
        me->hash += mix((uint64_t)numbers[i]);
    }
    me->start = tr_now(self);
    tr_send(self, bench_spawned(tr_spawn(self, &sorter_actor, NULL)), quicksort_sort, .numbers = all);
    return TR_CONTINUE;
}

static int quicksort(tr_self *self, void *state, const tr_msg *m)
{
    struct quicksort *me = state;
    int64_t last = INT64_MIN, count = 0;
    uint64_t hash = 0;
    if (!tr_is(quicksort_sorted, m))
        bench_unexpected(m);
    int64_t ns = tr_now(self) - me->start;
    for (const tr_buf *piece = tr_body(quicksort_sorted, m)->numbers; piece; piece = tr_buf_next(piece)) {
        const int64_t *numbers = tr_buf_bytes(piece);
        for (size_t i = 0; i < tr_buf_length(piece) / sizeof *numbers; i++, count++) {
            bench_check(numbers[i] >= last, "quicksort: the numbers are not in order");
            last = numbers[i];
            hash += mix((uint64_t)last);
        }
    }
    bench_check(count == me->n && hash == me->hash, "quicksort: those are other numbers");
    return bench_report(me->n, ns);
}

static const tr_actor quicksort_root = { TR_SPEC, .name = "quicksort", .start = quicksort_start, .receive = quicksort,
    .state_size = sizeof(struct quicksort), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_quicksort = {
    .name = "quicksort", .root = &quicksort_root, .n = 4000000, .max = 8000000 /* 64 MB, what a mailbox holds */
};
