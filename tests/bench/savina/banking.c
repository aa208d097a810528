/*
 * banking: a teller has N amounts transferred between 1000 accounts, each an actor, chosen at random; up to 100
 * transfers are under way at a time.
 *
 * The account that pays is asked by the teller; it asks the one that is paid, keeps the teller's request meanwhile, and
 * answers it when the money has arrived. While it waits it goes on paying and being paid, so two accounts that pay each
 * other do not wait for each other. Accounts may be overdrawn: else it would depend on the order who can pay.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"

enum { ACCOUNTS = 1000, UNDER_WAY = 100, CENTS_MAX = 10000, AT_FIRST = 1000000 };

TR_MESSAGE(bank_transfer, tr_ref to; int64_t cents;);
TR_SIGNAL(bank_transferred); /* the answer */
TR_MESSAGE(bank_credit, int64_t cents;);
TR_SIGNAL(bank_credited); /* the answer */
TR_SIGNAL(bank_close);
TR_MESSAGE(bank_closed, uint32_t account; int64_t cents;); /* the answer */
TR_DEFINE(bank_transfer);
TR_DEFINE(bank_transferred);
TR_DEFINE(bank_credit);
TR_DEFINE(bank_credited);
TR_DEFINE(bank_close);
TR_DEFINE(bank_closed);

/* ---- an account -------------------------------------------------------------------------------------------------- */

struct account {
    int64_t cents;
    uint32_t number;
    uint32_t pays; /* transfers that are under way: */
    struct {
        tr_call credit;
        tr_msg *request;
    } under_way[UNDER_WAY];
};

static int account_start(tr_self *self, void *state, const void *arg)
{
    struct account *me = state;
    (void)self;
    me->number = *(const uint32_t *)arg;
    me->cents = AT_FIRST;
    return TR_CONTINUE;
}

static void pay(tr_self *self, struct account *me, const tr_msg *m)
{
    const bank_transfer *transfer = tr_body(bank_transfer, m);
    if (me->pays == UNDER_WAY) {
        tr_refuse(self, NULL, TR_EFULL);
        return;
    }
    tr_msg *request = tr_take(self, m);
    bench_check(request, "banking: no memory to keep a request");
    me->cents -= transfer->cents;
    me->under_way[me->pays].credit = tr_ask(self, transfer->to, tr_time_left(self), bank_credit, .cents = transfer->cents);
    me->under_way[me->pays++].request = request;
}

static void paid(tr_self *self, struct account *me, const tr_msg *m)
{
    uint32_t i = 0;
    while (i < me->pays && me->under_way[i].credit.bits != m->call)
        i++;
    bench_check(i < me->pays, "banking: the answer to what was not asked");
    tr_reply_to(self, me->under_way[i].request, bank_transferred);
    me->under_way[i] = me->under_way[--me->pays];
}

static int account(tr_self *self, void *state, const tr_msg *m)
{
    struct account *me = state;
    if (tr_is(bank_transfer, m)) {
        pay(self, me, m);
    } else if (tr_is(bank_credit, m)) {
        me->cents += tr_body(bank_credit, m)->cents;
        tr_reply(self, bank_credited);
    } else if (tr_is(bank_credited, m)) {
        paid(self, me, m);
    } else if (tr_is(bank_close, m)) {
        tr_reply(self, bank_closed, .account = me->number, .cents = me->cents);
        return TR_STOP;
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor account_actor = { TR_SPEC, .name = "account", .start = account_start, .receive = account,
    .state_size = sizeof(struct account), .arg_size = sizeof(uint32_t) };

/* ---- the teller, which is the root ------------------------------------------------------------------------------- */

struct teller {
    tr_ref accounts[ACCOUNTS];
    int64_t n, asked, answered, start;
    uint64_t sequence;
    int64_t cents[ACCOUNTS]; /* when they were closed */
    int closed;
};

struct transfer {
    uint32_t from, to;
    int64_t cents;
};

static struct transfer next_transfer(uint64_t *sequence)
{
    struct transfer next = { .from = draw_below(sequence, ACCOUNTS) };
    uint32_t to = draw_below(sequence, ACCOUNTS - 1);
    next.to = to < next.from ? to : to + 1;
    next.cents = 1 + draw_below(sequence, CENTS_MAX);
    return next;
}

static void ask(tr_self *self, struct teller *me)
{
    struct transfer next = next_transfer(&me->sequence);
    me->asked++;
    tr_ask(self, me->accounts[next.from], TR_SECONDS(30), bank_transfer, .to = me->accounts[next.to], .cents = next.cents);
}

static int teller_start(tr_self *self, void *state, const void *arg)
{
    struct teller *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        me->accounts[i] = tr_spawn(self, &account_actor, &i);
    me->start = tr_now(self);
    while (me->asked < me->n && me->asked < UNDER_WAY)
        ask(self, me);
    return TR_CONTINUE;
}

static void check(const struct teller *me)
{
    int64_t expected[ACCOUNTS];
    uint64_t sequence = 0;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        expected[i] = AT_FIRST;
    for (int64_t i = 0; i < me->n; i++) {
        struct transfer next = next_transfer(&sequence);
        expected[next.from] -= next.cents;
        expected[next.to] += next.cents;
    }
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        bench_check(me->cents[i] == expected[i], "banking: wrong balance");
}

static int teller(tr_self *self, void *state, const tr_msg *m)
{
    struct teller *me = state;
    if (tr_is(bank_transferred, m)) {
        if (me->asked < me->n)
            ask(self, me);
        if (++me->answered < me->n)
            return TR_CONTINUE;
        bench_report(me->n, tr_now(self) - me->start);
        for (uint32_t i = 0; i < ACCOUNTS; i++)
            tr_ask(self, me->accounts[i], TR_SECONDS(30), bank_close);
        return TR_CONTINUE;
    }
    if (!tr_is(bank_closed, m))
        bench_unexpected(m);
    me->cents[tr_body(bank_closed, m)->account] = tr_body(bank_closed, m)->cents;
    if (++me->closed < ACCOUNTS)
        return TR_CONTINUE;
    check(me);
    return TR_STOP;
}

static const tr_actor teller_root = { TR_SPEC, .name = "banking", .start = teller_start, .receive = teller,
    .state_size = sizeof(struct teller), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_banking = { .name = "banking", .root = &teller_root, .n = 1500000 };
