/*
 * cigsmok: cigarette smokers. In each of N rounds an arbiter chooses one of 200 smokers at random and gives it what it
 * lacks. The smoker says that it has begun, and smokes, which takes it some work, while the arbiter goes on with the
 * next round; chosen again meanwhile, it smokes again afterwards.
 *
 * The next round begins when the smoker of the last one has begun: so no more than one message waits for each.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"

enum { SMOKERS = 200, STEPS_MAX = 16, PORTION = 100000 };

TR_MESSAGE(smoke_now, uint32_t steps;);
TR_SIGNAL(smoke_begun);
TR_SIGNAL(smoke_enough); /* how much have you smoked? */
TR_MESSAGE(smoke_smoked, uint32_t smoker; int64_t times; uint64_t ash;);
TR_SIGNAL(smoke_check);
TR_DEFINE(smoke_now);
TR_DEFINE(smoke_begun);
TR_DEFINE(smoke_enough);
TR_DEFINE(smoke_smoked);
TR_DEFINE(smoke_check);

/* What a smoker has smoked. */
struct smoked {
    int64_t times;
    uint64_t ash; /* depends on how much it was each time, and on the order */
};

static void smoke(struct smoked *so_far, uint32_t steps)
{
    so_far->times++;
    so_far->ash = toil(so_far->ash + 1, steps);
}

/* ---- a smoker ---------------------------------------------------------------------------------------------------- */

struct smoker {
    uint32_t number;
    struct smoked smoked;
};

static int smoker_start(tr_self *self, void *state, const void *arg)
{
    struct smoker *me = state;
    (void)self;
    me->number = *(const uint32_t *)arg;
    return TR_CONTINUE;
}

static int smoker(tr_self *self, void *state, const tr_msg *m)
{
    struct smoker *me = state;
    if (tr_is(smoke_now, m)) {
        tr_send(self, m->from, smoke_begun);
        smoke(&me->smoked, tr_body(smoke_now, m)->steps);
        return TR_CONTINUE;
    }
    if (!tr_is(smoke_enough, m))
        bench_unexpected(m);
    tr_reply(self, smoke_smoked, .smoker = me->number, .times = me->smoked.times, .ash = me->smoked.ash);
    return TR_STOP;
}

static const tr_actor smoker_actor = { TR_SPEC, .name = "smoker", .start = smoker_start, .receive = smoker,
    .state_size = sizeof(struct smoker), .arg_size = sizeof(uint32_t) };

/* ---- the arbiter, which is the root ------------------------------------------------------------------------------ */

struct arbiter {
    tr_ref smokers[SMOKERS];
    int64_t n, rounds, start;
    uint64_t sequence;
    uint32_t answers;
    struct smoked smoked[SMOKERS], expected[SMOKERS];
};

struct choice {
    uint32_t smoker, steps;
};

static struct choice next_choice(uint64_t *sequence)
{
    uint32_t who = draw_below(sequence, SMOKERS);
    return (struct choice){ .smoker = who, .steps = draw_below(sequence, STEPS_MAX) };
}

static void begin_round(tr_self *self, struct arbiter *me)
{
    struct choice next = next_choice(&me->sequence);
    me->rounds++;
    tr_send(self, me->smokers[next.smoker], smoke_now, .steps = next.steps);
}

static int arbiter_start(tr_self *self, void *state, const void *arg)
{
    struct arbiter *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    for (uint32_t i = 0; i < SMOKERS; i++)
        me->smokers[i] = tr_spawn(self, &smoker_actor, &i);
    begin_round(self, me);
    return TR_CONTINUE;
}

/* A portion of the same rounds again, so that no turn is long. */
static int check_portion(tr_self *self, struct arbiter *me)
{
    for (int i = 0; i < PORTION && me->rounds < me->n; i++, me->rounds++) {
        struct choice next = next_choice(&me->sequence);
        smoke(&me->expected[next.smoker], next.steps);
    }
    if (me->rounds < me->n) {
        tr_send(self, tr_me(self), smoke_check);
        return TR_CONTINUE;
    }
    for (uint32_t i = 0; i < SMOKERS; i++)
        bench_check(me->smoked[i].times == me->expected[i].times && me->smoked[i].ash == me->expected[i].ash,
            "cigsmok: a smoker has not smoked what it was given");
    return TR_STOP;
}

static int take_answer(tr_self *self, struct arbiter *me, const smoke_smoked *answer)
{
    me->smoked[answer->smoker] = (struct smoked){ .times = answer->times, .ash = answer->ash };
    if (++me->answers < SMOKERS)
        return TR_CONTINUE;
    bench_report(me->n, tr_now(self) - me->start);
    me->sequence = 0;
    me->rounds = 0;
    return check_portion(self, me);
}

static int arbiter(tr_self *self, void *state, const tr_msg *m)
{
    struct arbiter *me = state;
    if (tr_is(smoke_smoked, m))
        return take_answer(self, me, tr_body(smoke_smoked, m));
    if (tr_is(smoke_check, m))
        return check_portion(self, me);
    if (!tr_is(smoke_begun, m))
        bench_unexpected(m);
    if (me->rounds < me->n) {
        begin_round(self, me);
        return TR_CONTINUE;
    }
    for (uint32_t i = 0; i < SMOKERS; i++)
        tr_ask(self, me->smokers[i], TR_SECONDS(30), smoke_enough);
    return TR_CONTINUE;
}

static const tr_actor arbiter_root = { TR_SPEC, .name = "cigsmok", .start = arbiter_start, .receive = arbiter,
    .state_size = sizeof(struct arbiter), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_cigsmok = { .name = "cigsmok", .root = &arbiter_root, .n = 5000000 };
