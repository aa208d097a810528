/*
 * trapezoid: an integral by the trapezoidal rule. The interval is cut for 100 actors, each of which adds up N
 * trapezoids, some hundred in a turn, and tells its sum. Floating-point numbers are added in an order that does not
 * depend on who was first, so the result is the same in every run.
 */
#include "tests/bench/bench.h"

#include <math.h>

enum { PARTS = 100, PORTION = 500 };

static const double left_end = 1, right_end = 5;

TR_SIGNAL(trapezoid_go_on);
TR_MESSAGE(trapezoid_area, double area; int part;);
TR_DEFINE(trapezoid_go_on);
TR_DEFINE(trapezoid_area);

static double height(double x)
{
    return sin(x * x * x - 1) / (x + 1) * sqrt(1 + exp(sqrt(2 * x)));
}

/* ---- a part of the interval -------------------------------------------------------------------------------------- */

struct part {
    double first, width, area; /* where it begins, and the width of one trapezoid */
    int64_t n, done;
    int number;
};

static void add_portion(tr_self *self, struct part *me)
{
    for (int i = 0; i < PORTION && me->done < me->n; i++, me->done++) {
        double x = me->first + (double)me->done * me->width;
        me->area += (height(x) + height(x + me->width)) / 2 * me->width;
    }
    if (me->done < me->n)
        tr_send(self, tr_me(self), trapezoid_go_on);
    else
        tr_send(self, tr_parent(self), trapezoid_area, .area = me->area, .part = me->number);
}

static int part_start(tr_self *self, void *state, const void *arg)
{
    struct part *me = state;
    *me = *(const struct part *)arg;
    add_portion(self, me);
    return TR_CONTINUE;
}

static int part(tr_self *self, void *state, const tr_msg *m)
{
    if (!tr_is(trapezoid_go_on, m))
        bench_unexpected(m);
    add_portion(self, state);
    return TR_CONTINUE;
}

static const tr_actor part_actor = { TR_SPEC, .name = "part", .start = part_start, .receive = part,
    .state_size = sizeof(struct part), .arg_size = sizeof(struct part) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct trapezoid {
    int64_t n, start;
    double areas[PARTS];
    int left;
};

static int trapezoid_start(tr_self *self, void *state, const void *arg)
{
    struct trapezoid *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->left = PARTS;
    me->start = tr_now(self);
    const double width = (right_end - left_end) / PARTS;
    for (int i = 0; i < PARTS; i++)
        bench_spawned(tr_spawn(self, &part_actor,
            (&(struct part){ .first = left_end + i * width, .width = width / (double)me->n, .n = me->n, .number = i })));
    return TR_CONTINUE;
}

/* The same integral by Simpson's rule, with an error far below 1e-10. */
static double simpson(void)
{
    enum { STEPS = 20000 };
    const double width = (right_end - left_end) / STEPS;
    double sum = height(left_end) + height(right_end);
    for (int i = 1; i < STEPS; i++)
        sum += height(left_end + i * width) * (i % 2 ? 4 : 2);
    return sum * width / 3;
}

static int trapezoid(tr_self *self, void *state, const tr_msg *m)
{
    struct trapezoid *me = state;
    if (!tr_is(trapezoid_area, m))
        bench_unexpected(m);
    me->areas[tr_body(trapezoid_area, m)->part] = tr_body(trapezoid_area, m)->area;
    if (--me->left)
        return TR_CONTINUE;

    int64_t ns = tr_now(self) - me->start;
    double area = 0, steps = (double)me->n * PARTS;
    for (int i = 0; i < PARTS; i++)
        area += me->areas[i];
    /* The rule's error is (b - a)^3 / 12 n^2 times the second derivative, which is below 6000 here: it oscillates with
     * 3 x^2 at the right end, and the factor before the sine is below 1.1. */
    bench_check(fabs(area - simpson()) < 64.0 / 12 * 6000 / (steps * steps) + 1e-9, "trapezoid: wrong area");
    return bench_report(PARTS * me->n, ns);
}

static const tr_actor trapezoid_root = { TR_SPEC, .name = "trapezoid", .start = trapezoid_start, .receive = trapezoid,
    .state_size = sizeof(struct trapezoid), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_trapezoid = { .name = "trapezoid", .root = &trapezoid_root, .n = 100000, .max = 10000000 };
