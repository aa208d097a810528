/*
 * filterbank: N samples of a signal go through a bank of 8 channels. In each channel the samples are delayed and
 * filtered, all but every 8th are set to 0, and what remains is delayed and filtered again; then the channels are
 * brought together and added up.
 *
 * Every step is an actor and every sample a message, some 60 of them for each. What the source sends arrives at the
 * sink, so the sink gives the source leave to send on: no more than 1024 samples are anywhere between the two, and no
 * mailbox can get full.
 */
#include "tests/bench/bench.h"

#include "tests/bench/savina/draw.h"

enum { CHANNELS = 8, TAPS = 64, DELAY = TAPS - 1, WINDOW = 1024, LEAVE = 256, PROBES = 1000 };

struct samples {
    int64_t of[CHANNELS];
};

TR_MESSAGE(filterbank_sample, int64_t value;);
TR_MESSAGE(filterbank_tagged, int64_t value; int channel;);
TR_MESSAGE(filterbank_samples, struct samples all;);
TR_MESSAGE(filterbank_begin, tr_ref branch;); /* to the source */
TR_SIGNAL(filterbank_more);
TR_SIGNAL(filterbank_over);
TR_DEFINE(filterbank_sample);
TR_DEFINE(filterbank_tagged);
TR_DEFINE(filterbank_samples);
TR_DEFINE(filterbank_begin);
TR_DEFINE(filterbank_more);
TR_DEFINE(filterbank_over);

/* The signal, and the coefficients of a channel's two filters: small integers, so that nothing is rounded. */
static int64_t signal_at(int64_t t)
{
    return (int64_t)(mix((uint64_t)t) >> 48) - 32768;
}

static int64_t coefficient(int channel, int filter, int tap)
{
    return (channel * 31 + filter * 11 + tap * 17) % 33 - 16;
}

/* What a step is made with: where its samples go, and which one it is. */
struct place {
    tr_ref next;
    int channel, filter;
};

/* ---- delay ------------------------------------------------------------------------------------------------------- */

struct delay {
    tr_ref next;
    int oldest;
    int64_t samples[DELAY];
};

static int delay_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct delay *)state)->next = ((const struct place *)arg)->next;
    return TR_CONTINUE;
}

static int delay(tr_self *self, void *state, const tr_msg *m)
{
    struct delay *me = state;
    tr_send(self, me->next, filterbank_sample, .value = me->samples[me->oldest]);
    me->samples[me->oldest] = tr_body(filterbank_sample, m)->value;
    me->oldest = (me->oldest + 1) % DELAY;
    return TR_CONTINUE;
}

static const tr_actor delay_actor = { TR_SPEC, .name = "delay", .start = delay_start, .receive = delay,
    .state_size = sizeof(struct delay), .arg_size = sizeof(struct place) };

/* ---- a filter of finite impulse response ------------------------------------------------------------------------- */

struct filter {
    tr_ref next;
    int newest;
    int64_t samples[TAPS], coefficients[TAPS];
};

static int filter_start(tr_self *self, void *state, const void *arg)
{
    struct filter *me = state;
    const struct place *place = arg;
    (void)self;
    me->next = place->next;
    for (int i = 0; i < TAPS; i++)
        me->coefficients[i] = coefficient(place->channel, place->filter, i);
    return TR_CONTINUE;
}

static int filter(tr_self *self, void *state, const tr_msg *m)
{
    struct filter *me = state;
    int64_t sum = 0;
    me->newest = (me->newest + TAPS - 1) % TAPS;
    me->samples[me->newest] = tr_body(filterbank_sample, m)->value;
    for (int tap = 0; tap < TAPS; tap++)
        sum += me->coefficients[tap] * me->samples[(me->newest + tap) % TAPS];
    tr_send(self, me->next, filterbank_sample, .value = sum);
    return TR_CONTINUE;
}

static const tr_actor filter_actor = { TR_SPEC, .name = "filter", .start = filter_start, .receive = filter,
    .state_size = sizeof(struct filter), .arg_size = sizeof(struct place) };

/* ---- every 8th sample -------------------------------------------------------------------------------------------- */

struct sampler {
    tr_ref next;
    int skip;
};

static int sampler_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct sampler *)state)->next = ((const struct place *)arg)->next;
    return TR_CONTINUE;
}

static int sampler(tr_self *self, void *state, const tr_msg *m)
{
    struct sampler *me = state;
    tr_send(self, me->next, filterbank_sample, .value = me->skip ? 0 : tr_body(filterbank_sample, m)->value);
    me->skip = (me->skip + 1) % CHANNELS;
    return TR_CONTINUE;
}

static const tr_actor sampler_actor = { TR_SPEC, .name = "sampler", .start = sampler_start, .receive = sampler,
    .state_size = sizeof(struct sampler), .arg_size = sizeof(struct place) };

/* ---- the end of a channel: the sample gets the channel's number -------------------------------------------------- */

static int tagger_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct place *)state = *(const struct place *)arg;
    return TR_CONTINUE;
}

static int tagger(tr_self *self, void *state, const tr_msg *m)
{
    struct place *me = state;
    tr_send(self, me->next, filterbank_tagged, .value = tr_body(filterbank_sample, m)->value, .channel = me->channel);
    return TR_CONTINUE;
}

static const tr_actor tagger_actor = { TR_SPEC, .name = "tagger", .start = tagger_start, .receive = tagger,
    .state_size = sizeof(struct place), .arg_size = sizeof(struct place) };

/* ---- bringing the channels together ------------------------------------------------------------------------------ */

struct integrator {
    tr_ref next;
    int64_t next_of[CHANNELS]; /* the number of a channel's next sample */
    int have[WINDOW];          /* channels, for the sample of this number modulo the window */
    struct samples samples[WINDOW];
};

static int integrator_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct integrator *)state)->next = ((const struct place *)arg)->next;
    return TR_CONTINUE;
}

static int integrator(tr_self *self, void *state, const tr_msg *m)
{
    struct integrator *me = state;
    const filterbank_tagged *tagged = tr_body(filterbank_tagged, m);
    int64_t i = me->next_of[tagged->channel]++ % WINDOW;
    me->samples[i].of[tagged->channel] = tagged->value;
    if (++me->have[i] < CHANNELS)
        return TR_CONTINUE;
    me->have[i] = 0;
    tr_send(self, me->next, filterbank_samples, .all = me->samples[i]);
    return TR_CONTINUE;
}

static const tr_actor integrator_actor = { TR_SPEC, .name = "integrator", .start = integrator_start, .receive = integrator,
    .state_size = sizeof(struct integrator), .arg_size = sizeof(struct place) };

static int combiner(tr_self *self, void *state, const tr_msg *m)
{
    const struct samples *samples = &tr_body(filterbank_samples, m)->all;
    int64_t sum = 0;
    for (int i = 0; i < CHANNELS; i++)
        sum += samples->of[i];
    tr_send(self, ((struct place *)state)->next, filterbank_sample, .value = sum);
    return TR_CONTINUE;
}

static const tr_actor combiner_actor = { TR_SPEC, .name = "combiner", .start = tagger_start, .receive = combiner,
    .state_size = sizeof(struct place), .arg_size = sizeof(struct place) };

/* ---- the sink ---------------------------------------------------------------------------------------------------- */

/* Of some samples, from the first to the last, the sink works out itself what they must be. */
struct sink {
    tr_ref source;
    int64_t n, taken, probe, step;
};

static int64_t right_value(int64_t t)
{
    int64_t sum = 0;
    for (int channel = 0; channel < CHANNELS; channel++) {
        for (int64_t i = 0, u = t - DELAY; i < TAPS && u >= 0; i++, u--) {
            if (u % CHANNELS)
                continue;
            int64_t filtered = 0;
            for (int64_t j = 0, v = u - DELAY; j < TAPS && v >= 0; j++, v--)
                filtered += coefficient(channel, 0, (int)j) * signal_at(v);
            sum += coefficient(channel, 1, (int)i) * filtered;
        }
    }
    return sum;
}

static int sink_start(tr_self *self, void *state, const void *arg)
{
    struct sink *me = state;
    (void)self;
    *me = *(const struct sink *)arg;
    me->step = me->n / PROBES | 1;
    return TR_CONTINUE;
}

static int sink(tr_self *self, void *state, const tr_msg *m)
{
    struct sink *me = state;
    int64_t t = me->taken++;
    if (t == me->probe || me->taken == me->n) {
        bench_check(tr_body(filterbank_sample, m)->value == right_value(t), "filterbank: wrong sample");
        me->probe += me->step;
    }
    if (me->taken == me->n)
        tr_send(self, tr_parent(self), filterbank_over);
    else if (me->taken % LEAVE == 0)
        tr_send(self, me->source, filterbank_more);
    return TR_CONTINUE;
}

static const tr_actor sink_actor = { TR_SPEC, .name = "sink", .start = sink_start, .receive = sink,
    .state_size = sizeof(struct sink), .arg_size = sizeof(struct sink) };

/* ---- the source, and the branching ------------------------------------------------------------------------------- */

struct source {
    tr_ref next;
    int64_t n, sent, leave;
};

static int source_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct source *)state = *(const struct source *)arg;
    return TR_CONTINUE;
}

static int source(tr_self *self, void *state, const tr_msg *m)
{
    struct source *me = state;
    if (tr_is(filterbank_more, m)) {
        me->leave += LEAVE;
    } else {
        me->next = tr_body(filterbank_begin, m)->branch;
        me->leave = WINDOW;
    }
    for (; me->sent < me->leave && me->sent < me->n; me->sent++)
        tr_send(self, me->next, filterbank_sample, .value = signal_at(me->sent));
    return TR_CONTINUE;
}

static const tr_actor source_actor = { TR_SPEC, .name = "source", .start = source_start, .receive = source,
    .state_size = sizeof(struct source), .arg_size = sizeof(struct source) };

struct branch {
    tr_ref next[CHANNELS];
};

static int branch_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    *(struct branch *)state = *(const struct branch *)arg;
    return TR_CONTINUE;
}

static int branch(tr_self *self, void *state, const tr_msg *m)
{
    struct branch *me = state;
    for (int i = 0; i < CHANNELS; i++)
        tr_send(self, me->next[i], filterbank_sample, .value = tr_body(filterbank_sample, m)->value);
    return TR_CONTINUE;
}

static const tr_actor branch_actor = { TR_SPEC, .name = "branch", .start = branch_start, .receive = branch,
    .state_size = sizeof(struct branch), .arg_size = sizeof(struct branch) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct filterbank {
    int64_t n, start;
};

static tr_ref step(tr_self *self, const tr_actor *spec, tr_ref next, int channel, int filter)
{
    return bench_spawned(tr_spawn(self, spec, (&(struct place){ .next = next, .channel = channel, .filter = filter })));
}

static int filterbank_start(tr_self *self, void *state, const void *arg)
{
    struct filterbank *me = state;
    struct branch channels;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_ref from = bench_spawned(tr_spawn(self, &source_actor, (&(struct source){ .n = me->n })));
    tr_ref end = bench_spawned(tr_spawn(self, &sink_actor, (&(struct sink){ .source = from, .n = me->n })));
    tr_ref all = step(self, &integrator_actor, step(self, &combiner_actor, end, 0, 0), 0, 0);
    for (int i = 0; i < CHANNELS; i++) {
        tr_ref next = step(self, &tagger_actor, all, i, 0);
        next = step(self, &delay_actor, step(self, &filter_actor, next, i, 1), i, 1);
        next = step(self, &sampler_actor, next, i, 0);
        channels.next[i] = step(self, &delay_actor, step(self, &filter_actor, next, i, 0), i, 0);
    }
    tr_send(self, from, filterbank_begin, .branch = bench_spawned(tr_spawn(self, &branch_actor, &channels)));
    return TR_CONTINUE;
}

static int filterbank(tr_self *self, void *state, const tr_msg *m)
{
    struct filterbank *me = state;
    if (!tr_is(filterbank_over, m))
        bench_unexpected(m);
    return bench_report(me->n, tr_now(self) - me->start);
}

static const tr_actor filterbank_root = { TR_SPEC, .name = "filterbank", .start = filterbank_start, .receive = filterbank,
    .state_size = sizeof(struct filterbank), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_filterbank = { .name = "filterbank", .root = &filterbank_root, .n = 150000 };
