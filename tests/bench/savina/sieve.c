/*
 * sieve: the prime numbers up to N, by the sieve of Eratosthenes. A chain of filters holds the primes found so far, up
 * to 100 each. A number that none of a filter's primes divides goes on to the next filter; at the end of the chain it
 * is a prime: the last filter keeps it, or makes another one behind it when it is full.
 *
 * Numbers are sent in batches, and the last one of a batch is a request, of which two may be unanswered. A filter does
 * not answer while two of its own batches are unanswered, so the slowest filter slows down all before it, as far as the
 * producer, and nobody holds more than two batches. Its mailbox goes on being emptied in the meantime, as it must be:
 * the answer it waits for comes by the same way.
 */
#include "tests/bench/bench.h"

enum { CAPACITY = 100, BATCH = 32, UNDER_WAY = 2 };

TR_MESSAGE(sieve_candidate, uint32_t number;);
TR_SIGNAL(sieve_taken);
TR_MESSAGE(sieve_end, int64_t primes; int64_t sum;); /* no more numbers; how many primes, and their sum, so far */
TR_DEFINE(sieve_candidate);
TR_DEFINE(sieve_taken);
TR_DEFINE(sieve_end);

/* ---- how numbers go to the next filter --------------------------------------------------------------------------- */

struct outlet {
    tr_ref to;
    int64_t sent;
    int under_way; /* batches */
};

static void let_out(tr_self *self, struct outlet *out, uint32_t number)
{
    if (++out->sent % BATCH) {
        tr_send(self, out->to, sieve_candidate, .number = number);
    } else {
        tr_ask(self, out->to, TR_SECONDS(60), sieve_candidate, .number = number);
        out->under_way++;
    }
}

/* ---- a filter ---------------------------------------------------------------------------------------------------- */

struct first {
    tr_ref root;
    uint32_t prime;
};

struct filter {
    struct outlet out;
    tr_ref root;
    int64_t sum;
    int primes, held, unanswered;
    bool ended, over;                    /* the end has come; it was passed on */
    sieve_end found;                     /* what the end said */
    tr_msg *requests[UNDER_WAY];         /* that have to wait for their answers */
    uint32_t waiting[UNDER_WAY * BATCH]; /* numbers to pass on: as many as come in with those requests */
    uint32_t prime[CAPACITY];
};

static const tr_actor filter_actor;

static void keep(struct filter *me, uint32_t prime)
{
    me->prime[me->primes++] = prime;
    me->sum += prime;
}

static int filter_start(tr_self *self, void *state, const void *arg)
{
    struct filter *me = state;
    const struct first *first = arg;
    (void)self;
    me->root = first->root;
    keep(me, first->prime);
    return TR_CONTINUE;
}

static bool has_divisor(const struct filter *me, uint32_t number)
{
    for (int i = 0; i < me->primes; i++)
        if (number % me->prime[i] == 0)
            return true;
    return false;
}

static void sift(tr_self *self, struct filter *me, uint32_t number)
{
    if (has_divisor(me, number))
        return;
    if (me->primes < CAPACITY) {
        keep(me, number);
    } else if (tr_ref_is_nobody(me->out.to)) {
        me->out.to = bench_spawned(tr_spawn(self, &filter_actor, (&(struct first){ .root = me->root, .prime = number })));
    } else if (me->out.under_way < UNDER_WAY) {
        let_out(self, &me->out, number);
    } else {
        bench_check(me->held < UNDER_WAY * BATCH, "sieve: more numbers than were asked for");
        me->waiting[me->held++] = number;
    }
}

/* One of its own batches was taken: what waits goes on, and then what was asked is answered. */
static void go_on(tr_self *self, struct filter *me)
{
    int next = 0;
    me->out.under_way--;
    while (next < me->held && me->out.under_way < UNDER_WAY)
        let_out(self, &me->out, me->waiting[next++]);
    me->held -= next;
    memmove(me->waiting, me->waiting + next, (size_t)me->held * sizeof *me->waiting);
    if (me->out.under_way == UNDER_WAY)
        return;
    for (int i = 0; i < me->unanswered; i++)
        tr_reply_to(self, me->requests[i], sieve_taken);
    me->unanswered = 0;
}

static int pass_the_end_on(tr_self *self, struct filter *me)
{
    if (me->ended && !me->over && me->held == 0) {
        tr_ref next = tr_ref_is_nobody(me->out.to) ? me->root : me->out.to;
        tr_send(self, next, sieve_end, .primes = me->found.primes + me->primes, .sum = me->found.sum + me->sum);
        me->over = true;
    }
    return me->over && me->out.under_way == 0 ? TR_STOP : TR_CONTINUE;
}

static int filter(tr_self *self, void *state, const tr_msg *m)
{
    struct filter *me = state;
    if (tr_is(sieve_candidate, m)) {
        sift(self, me, tr_body(sieve_candidate, m)->number);
        if (m->call && me->out.under_way < UNDER_WAY) {
            tr_reply(self, sieve_taken);
        } else if (m->call) {
            tr_msg *request = tr_take(self, m);
            bench_check(request != NULL && me->unanswered < UNDER_WAY, "sieve: a request too many");
            me->requests[me->unanswered++] = request;
        }
    } else if (tr_is(sieve_end, m)) {
        me->found = *tr_body(sieve_end, m);
        me->ended = true;
    } else if (tr_is(sieve_taken, m)) {
        go_on(self, me);
    } else {
        bench_unexpected(m);
    }
    return pass_the_end_on(self, me);
}

static const tr_actor filter_actor = { TR_SPEC, .name = "filter", .start = filter_start, .receive = filter,
    .state_size = sizeof(struct filter), .arg_size = sizeof(struct first) };

/* ---- the producer ------------------------------------------------------------------------------------------------ */

struct producer {
    struct outlet out;
    int64_t n, next; /* odd numbers only */
};

static int produce(tr_self *self, struct producer *me)
{
    if (me->next > me->n)
        return me->out.under_way ? TR_CONTINUE : TR_STOP;
    for (; me->next <= me->n && me->out.under_way < UNDER_WAY; me->next += 2)
        let_out(self, &me->out, (uint32_t)me->next);
    if (me->next > me->n)
        tr_send(self, me->out.to, sieve_end);
    return TR_CONTINUE;
}

static int producer_start(tr_self *self, void *state, const void *arg)
{
    struct producer *me = state;
    *me = *(const struct producer *)arg;
    if (me->next > me->n) {
        tr_send(self, me->out.to, sieve_end);
        return TR_STOP;
    }
    return produce(self, me);
}

static int producer(tr_self *self, void *state, const tr_msg *m)
{
    struct producer *me = state;
    if (!tr_is(sieve_taken, m))
        bench_unexpected(m);
    me->out.under_way--;
    return produce(self, me);
}

static const tr_actor producer_actor = { TR_SPEC, .name = "producer", .start = producer_start, .receive = producer,
    .state_size = sizeof(struct producer), .arg_size = sizeof(struct producer) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct sieve {
    int64_t n, start;
};

static int sieve_start(tr_self *self, void *state, const void *arg)
{
    struct sieve *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    tr_ref first = bench_spawned(tr_spawn(self, &filter_actor, (&(struct first){ .root = tr_me(self), .prime = 2 })));
    bench_spawned(tr_spawn(self, &producer_actor, (&(struct producer){ .out = { .to = first }, .n = me->n, .next = 3 })));
    return TR_CONTINUE;
}

/* How many primes there are up to n (at least 2), and their sum: on a table, as Eratosthenes would have it. */
static sieve_end table_of_primes(int64_t n)
{
    sieve_end found = { 0 };
    bool *composite = calloc((size_t)n + 1, sizeof *composite);
    bench_check(composite != NULL, "sieve: no memory for the table");
    for (int64_t i = 2; i <= n; i++) {
        if (composite[i])
            continue;
        found.primes++;
        found.sum += i;
        for (int64_t multiple = i * i; multiple <= n; multiple += i)
            composite[multiple] = true;
    }
    free(composite);
    return found;
}

static int sieve(tr_self *self, void *state, const tr_msg *m)
{
    struct sieve *me = state;
    if (!tr_is(sieve_end, m))
        bench_unexpected(m);
    const sieve_end *found = tr_body(sieve_end, m);
    int64_t ns = tr_now(self) - me->start;
    sieve_end right = table_of_primes(me->n < 2 ? 2 : me->n);
    bench_check(found->primes == right.primes && found->sum == right.sum, "sieve: those are not the primes");
    return bench_report(me->n, ns);
}

static const tr_actor sieve_root = { TR_SPEC, .name = "sieve", .start = sieve_start, .receive = sieve,
    .state_size = sizeof(struct sieve), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_sieve = { .name = "sieve", .root = &sieve_root, .n = 220000, .max = 10000000 };
