/*
 * concsll: a concurrent sorted list. 20 clients send N requests each to an actor that keeps a linked list in order: of
 * 100 requests about ten insert, one asks for the length, and the others ask whether the list has a number. A client
 * waits for the answer before it goes on.
 *
 * Only even numbers are inserted, up to MAX; odd ones are asked for as well. So the list stays short enough to be
 * walked in a turn. Most of the time goes into that walk.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"

enum { CLIENTS = 20, MAX = 1000, INSERTS_PERCENT = 10, LENGTHS_PERCENT = 1 };

TR_MESSAGE(sll_insert, uint32_t number;); /* the answer: 1 if it was not there */
TR_MESSAGE(sll_has, uint32_t number;);    /* 1 if it is there */
TR_SIGNAL(sll_length);
TR_MESSAGE(sll_answer, uint32_t value;);
TR_SIGNAL(sll_print);
TR_MESSAGE(sll_print_of_all, uint64_t print;);
TR_SIGNAL(sll_client_done);
TR_DEFINE(sll_insert);
TR_DEFINE(sll_has);
TR_DEFINE(sll_length);
TR_DEFINE(sll_answer);
TR_DEFINE(sll_print);
TR_DEFINE(sll_print_of_all);
TR_DEFINE(sll_client_done);

/* ---- the list ---------------------------------------------------------------------------------------------------- */

struct node {
    struct node *next;
    uint32_t number;
};

struct list {
    struct node *first;
    uint32_t length;
};

/* Where this number is, or belongs. */
static struct node **find(struct list *me, uint32_t number)
{
    struct node **at = &me->first;
    while (*at && (*at)->number < number)
        at = &(*at)->next;
    return at;
}

static bool has(struct list *me, uint32_t number)
{
    struct node *node = *find(me, number);
    return node && node->number == number;
}

static bool insert(struct list *me, uint32_t number)
{
    struct node **at = find(me, number);
    if (*at && (*at)->number == number)
        return false;
    struct node *node = malloc(sizeof *node);
    bench_check(node, "concsll: no memory");
    *node = (struct node){ .next = *at, .number = number };
    *at = node;
    me->length++;
    return true;
}

/* Depends on what is in the list, and on the order. */
static uint64_t print(const struct list *me)
{
    uint64_t all = 0;
    for (const struct node *node = me->first; node; node = node->next)
        all = mix(all + node->number);
    return all;
}

static int list(tr_self *self, void *state, const tr_msg *m)
{
    struct list *me = state;
    if (tr_is(sll_has, m))
        tr_reply(self, sll_answer, .value = has(me, tr_body(sll_has, m)->number));
    else if (tr_is(sll_insert, m))
        tr_reply(self, sll_answer, .value = insert(me, tr_body(sll_insert, m)->number));
    else if (tr_is(sll_length, m))
        tr_reply(self, sll_answer, .value = me->length);
    else if (tr_is(sll_print, m))
        tr_reply(self, sll_print_of_all, .print = print(me));
    else
        bench_unexpected(m);
    return TR_CONTINUE;
}

static void list_stop(tr_self *self, void *state, int reason)
{
    struct list *me = state;
    (void)self;
    (void)reason;
    while (me->first) {
        struct node *next = me->first->next;
        free(me->first);
        me->first = next;
    }
}

static const tr_actor list_actor = { TR_SPEC, .name = "list", .receive = list, .stop = list_stop,
    .state_size = sizeof(struct list) };

/* ---- a client ---------------------------------------------------------------------------------------------------- */

enum what { INSERT, LENGTH, HAS };

struct request {
    enum what what;
    uint32_t number;
};

static struct request next_request(uint64_t *sequence)
{
    uint32_t choice = draw_below(sequence, 100);
    if (choice < INSERTS_PERCENT)
        return (struct request){ INSERT, 2 * draw_below(sequence, MAX / 2 + 1) };
    if (choice < INSERTS_PERCENT + LENGTHS_PERCENT)
        return (struct request){ LENGTH, 0 };
    return (struct request){ HAS, draw_below(sequence, MAX + 1) };
}

struct client_arg {
    tr_ref list;
    int64_t n;
    uint64_t sequence;
};

struct client {
    struct client_arg given;
    struct request request;
    int64_t asked;
    uint32_t length;        /* of the list, when it was last seen: at least */
    bool inserted[MAX + 1]; /* by this client */
};

static void ask(tr_self *self, struct client *me)
{
    struct request r = me->request = next_request(&me->given.sequence);
    me->asked++;
    if (r.what == INSERT)
        tr_ask(self, me->given.list, TR_SECONDS(30), sll_insert, .number = r.number);
    else if (r.what == HAS)
        tr_ask(self, me->given.list, TR_SECONDS(30), sll_has, .number = r.number);
    else
        tr_ask(self, me->given.list, TR_SECONDS(30), sll_length);
}

static int client_start(tr_self *self, void *state, const void *arg)
{
    struct client *me = state;
    me->given = *(const struct client_arg *)arg;
    ask(self, me);
    return TR_CONTINUE;
}

static void check_answer(struct client *me, uint32_t value)
{
    uint32_t number = me->request.number;
    if (me->request.what == LENGTH) {
        bench_check(value >= me->length && value <= MAX / 2 + 1, "concsll: wrong length");
        me->length = value;
    } else if (me->request.what == INSERT) {
        bench_check(value == 0 || !me->inserted[number], "concsll: a number was inserted twice");
        me->inserted[number] = true;
        me->length += value;
    } else {
        bench_check(value == 1 || !me->inserted[number], "concsll: a number has got lost");
        bench_check(value == 0 || number % 2 == 0, "concsll: a number that nobody has inserted");
    }
}

static int client(tr_self *self, void *state, const tr_msg *m)
{
    struct client *me = state;
    if (!tr_is(sll_answer, m))
        bench_unexpected(m);
    check_answer(me, tr_body(sll_answer, m)->value);
    if (me->asked < me->given.n) {
        ask(self, me);
        return TR_CONTINUE;
    }
    tr_send(self, tr_parent(self), sll_client_done);
    return TR_STOP;
}

static const tr_actor client_actor = { TR_SPEC, .name = "client", .start = client_start, .receive = client,
    .state_size = sizeof(struct client), .arg_size = sizeof(struct client_arg) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct concsll {
    tr_ref list;
    int64_t n, start;
    int done;
};

static int concsll_start(tr_self *self, void *state, const void *arg)
{
    struct concsll *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    me->list = tr_spawn(self, &list_actor, NULL);
    for (uint64_t i = 0; i < CLIENTS; i++) {
        tr_ref c = tr_spawn(self, &client_actor, (&(struct client_arg){ .list = me->list, .n = me->n, .sequence = i }));
        bench_check(!tr_ref_is_nobody(c), "concsll: no client");
    }
    return TR_CONTINUE;
}

/* Of the list with all that all clients have inserted. */
static uint64_t expected_print(int64_t n)
{
    bool inserted[MAX + 1] = { false };
    for (uint64_t i = 0; i < CLIENTS; i++) {
        uint64_t sequence = i;
        for (int64_t k = 0; k < n; k++) {
            struct request r = next_request(&sequence);
            inserted[r.number] |= r.what == INSERT;
        }
    }
    uint64_t all = 0;
    for (uint32_t i = 0; i <= MAX; i++)
        if (inserted[i])
            all = mix(all + i);
    return all;
}

static int concsll(tr_self *self, void *state, const tr_msg *m)
{
    struct concsll *me = state;
    if (tr_is(sll_client_done, m)) {
        if (++me->done == CLIENTS) {
            bench_report(CLIENTS * me->n, tr_now(self) - me->start);
            tr_ask(self, me->list, TR_SECONDS(30), sll_print);
        }
        return TR_CONTINUE;
    }
    if (!tr_is(sll_print_of_all, m))
        bench_unexpected(m);
    bench_check(tr_body(sll_print_of_all, m)->print == expected_print(me->n), "concsll: the list is another one");
    return TR_STOP;
}

static const tr_actor concsll_root = { TR_SPEC, .name = "concsll", .start = concsll_start, .receive = concsll,
    .state_size = sizeof(struct concsll), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_concsll = { .name = "concsll", .root = &concsll_root, .n = 30000 };
