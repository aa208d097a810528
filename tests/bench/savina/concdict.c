/*
 * concdict: a concurrent dictionary. 20 clients send N requests each to an actor that keeps a hash table; one in ten
 * writes. A client waits for the answer before it goes on, so there are never more requests than clients.
 *
 * Each client writes keys of its own and reads those of all. So it knows what a key of its own holds at any time, and
 * in the end the whole content is known.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"

enum { CLIENTS = 20, KEYS_EACH = 256, KEYS = CLIENTS * KEYS_EACH, WRITES_PERCENT = 10, SLOTS = 16384 };

_Static_assert(SLOTS >= 2 * KEYS && (SLOTS & (SLOTS - 1)) == 0, "the table always has free places");

TR_MESSAGE(dict_put, uint64_t key, value;);
TR_MESSAGE(dict_get, uint64_t key;);
TR_MESSAGE(dict_value, uint64_t value;); /* the answer: what the key holds, or held before; 0: nothing */
TR_SIGNAL(dict_sum);
TR_MESSAGE(dict_sum_of_all, uint64_t sum;);
TR_SIGNAL(dict_client_done);
TR_DEFINE(dict_put);
TR_DEFINE(dict_get);
TR_DEFINE(dict_value);
TR_DEFINE(dict_sum);
TR_DEFINE(dict_sum_of_all);
TR_DEFINE(dict_client_done);

static uint64_t print_of(uint64_t key, uint64_t value)
{
    return mix(key ^ mix(value));
}

/* ---- the dictionary ---------------------------------------------------------------------------------------------- */

struct entry {
    uint64_t key, value; /* key 0: free */
};

struct dictionary {
    struct entry table[SLOTS];
};

/* The entry of this key, or the free one where it belongs. */
static struct entry *find(struct dictionary *me, uint64_t key)
{
    uint64_t i = mix(key) % SLOTS;
    while (me->table[i].key && me->table[i].key != key)
        i = (i + 1) % SLOTS;
    return &me->table[i];
}

static uint64_t put(struct dictionary *me, const dict_put *what)
{
    struct entry *entry = find(me, what->key);
    uint64_t before = entry->value;
    *entry = (struct entry){ .key = what->key, .value = what->value };
    return before;
}

static uint64_t sum(const struct dictionary *me)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        if (me->table[i].key)
            all += print_of(me->table[i].key, me->table[i].value);
    return all;
}

static int dictionary(tr_self *self, void *state, const tr_msg *m)
{
    struct dictionary *me = state;
    if (tr_is(dict_get, m))
        tr_reply(self, dict_value, .value = find(me, tr_body(dict_get, m)->key)->value);
    else if (tr_is(dict_put, m))
        tr_reply(self, dict_value, .value = put(me, tr_body(dict_put, m)));
    else if (tr_is(dict_sum, m))
        tr_reply(self, dict_sum_of_all, .sum = sum(me));
    else
        bench_unexpected(m);
    return TR_CONTINUE;
}

static const tr_actor dictionary_actor = { TR_SPEC, .name = "dictionary", .receive = dictionary,
    .state_size = sizeof(struct dictionary) };

/* ---- a client ---------------------------------------------------------------------------------------------------- */

/* What a client asks for, one thing after the other. */
struct plan {
    uint64_t sequence;
    uint32_t client;
    uint32_t number; /* of the request */
};

struct request {
    uint64_t key, value; /* value 0: it reads */
};

static struct request next_request(struct plan *plan)
{
    plan->number++;
    if (draw_below(&plan->sequence, 100) >= WRITES_PERCENT)
        return (struct request){ .key = 1 + draw_below(&plan->sequence, KEYS) };
    uint64_t key = 1 + plan->client + CLIENTS * (uint64_t)draw_below(&plan->sequence, KEYS_EACH);
    return (struct request){ .key = key, .value = (uint64_t)plan->number << 32 | key };
}

static bool is_of(uint32_t client, uint64_t key)
{
    return (key - 1) % CLIENTS == client;
}

struct client {
    tr_ref dictionary;
    int64_t n;
    struct plan plan;
    struct request request;
    uint64_t mine[KEYS_EACH]; /* what the keys of its own hold */
};

struct client_arg {
    tr_ref dictionary;
    int64_t n;
    uint32_t number;
};

static void ask(tr_self *self, struct client *me)
{
    struct request r = me->request = next_request(&me->plan);
    if (r.value)
        tr_ask(self, me->dictionary, TR_SECONDS(30), dict_put, .key = r.key, .value = r.value);
    else
        tr_ask(self, me->dictionary, TR_SECONDS(30), dict_get, .key = r.key);
}

static int client_start(tr_self *self, void *state, const void *arg)
{
    const struct client_arg *given = arg;
    struct client *me = state;
    me->dictionary = given->dictionary;
    me->n = given->n;
    me->plan = (struct plan){ .sequence = given->number, .client = given->number };
    ask(self, me);
    return TR_CONTINUE;
}

static void check_answer(struct client *me, uint64_t value)
{
    uint64_t key = me->request.key;
    if (is_of(me->plan.client, key)) {
        uint64_t *known = &me->mine[(key - 1) / CLIENTS];
        bench_check(value == *known, "concdict: a key does not hold what was written");
        if (me->request.value)
            *known = me->request.value;
    } else {
        bench_check(value == 0 || (uint32_t)value == key, "concdict: a key holds what was written to another");
    }
}

static int client(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (!tr_is(dict_value, m))
        bench_unexpected(m);
    check_answer(me, tr_body(dict_value, m)->value);
    if (me->plan.number < me->n) {
        ask(self, me);
        return TR_CONTINUE;
    }
    tr_send(self, tr_parent(self), dict_client_done);
    return TR_STOP;
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client,
    .state_size = sizeof(struct client), .arg_size = sizeof(struct client_arg) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct concdict {
    tr_ref dictionary;
    int64_t n, start;
    int done;
};

static int concdict_start(tr_self *self, void *state, const void *arg)
{
    struct concdict *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    me->dictionary = tr_spawn(self, &dictionary_actor, NULL);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        tr_ref c =
            tr_spawn(self, &client_actor, (&(struct client_arg){ .dictionary = me->dictionary, .n = me->n, .number = i }));
        bench_check(!tr_ref_is_nobody(c), "concdict: no client");
    }
    return TR_CONTINUE;
}

/* Of what this client has written in n requests. */
static uint64_t expected_sum(uint32_t number, int64_t n)
{
    uint64_t last[KEYS_EACH] = { 0 }, all = 0;
    struct plan plan = { .sequence = number, .client = number };
    while (plan.number < n) {
        struct request r = next_request(&plan);
        if (r.value)
            last[(r.key - 1) / CLIENTS] = r.value;
    }
    for (uint32_t i = 0; i < KEYS_EACH; i++)
        if (last[i])
            all += print_of((uint32_t)last[i], last[i]);
    return all;
}

static int concdict(tr_self *self, void *state, const tr_msg *m)
{
    struct concdict *me = state;
    if (tr_is(dict_client_done, m)) {
        if (++me->done == CLIENTS) {
            bench_report(CLIENTS * me->n, tr_now(self) - me->start);
            tr_ask(self, me->dictionary, TR_SECONDS(30), dict_sum);
        }
        return TR_CONTINUE;
    }
    if (!tr_is(dict_sum_of_all, m))
        bench_unexpected(m);
    uint64_t all = 0;
    for (uint32_t i = 0; i < CLIENTS; i++)
        all += expected_sum(i, me->n);
    bench_check(tr_body(dict_sum_of_all, m)->sum == all, "concdict: the dictionary holds something else");
    return TR_STOP;
}

static const tr_actor concdict_root = { TR_SPEC, .name = "concdict", .start = concdict_start, .receive = concdict,
    .state_size = sizeof(struct concdict), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_concdict = { .name = "concdict", .root = &concdict_root, .n = 200000 };
