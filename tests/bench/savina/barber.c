/*
 * barber: a sleeping barber cuts the hair of N customers. He sleeps while nobody waits; there are 100 chairs to wait
 * on; a customer who finds none free goes away and comes back later.
 *
 * A customer is an actor, and a visit is a request: to the shop, which keeps it on a chair, passes it on to the barber
 * when his turn has come, or refuses it at once; the barber answers the customer himself. More customers than chairs
 * are on their way at any time, but only so many; the street lets the next one come when one goes home, and sends one
 * of those who were turned away to try again.
 */
#include "tests/bench/bench.h"
#include "tests/bench/savina/draw.h"
#include "tests/bench/savina/kept.h"

enum { CHAIRS = KEPT_MAX, CUSTOMERS = CHAIRS + 20, CUT_STEPS = 20 };

TR_MESSAGE(barber_visit, int64_t customer;);
TR_MESSAGE(barber_shorn, uint64_t look;); /* the answer */
TR_SIGNAL(barber_free);                   /* from the barber: the next, please */
TR_SIGNAL(barber_turned_away);            /* from a customer to the street */
TR_SIGNAL(barber_try_again);              /* and the answer, sooner or later */
TR_MESSAGE(barber_home, uint64_t look;);
TR_DEFINE(barber_visit);
TR_DEFINE(barber_shorn);
TR_DEFINE(barber_free);
TR_DEFINE(barber_turned_away);
TR_DEFINE(barber_try_again);
TR_DEFINE(barber_home);

static uint64_t cut(int64_t customer)
{
    return toil((uint64_t)customer, CUT_STEPS);
}

/* ---- the barber -------------------------------------------------------------------------------------------------- */

static int barber(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tr_reply(self, barber_shorn, .look = cut(tr_body(barber_visit, m)->customer));
    tr_send(self, tr_parent(self), barber_free);
    return TR_CONTINUE;
}

static const tr_actor barber_actor = { TR_SPEC, .name = "barber", .receive = barber };

/* ---- the shop ---------------------------------------------------------------------------------------------------- */

struct shop {
    tr_ref barber;
    bool asleep;
    struct kept chairs;
};

static int shop_start(tr_self *self, void *state, const void *arg)
{
    struct shop *me = state;
    (void)arg;
    me->barber = tr_spawn(self, &barber_actor, NULL);
    me->asleep = true;
    return TR_CONTINUE;
}

static int shop(tr_self *self, void *state, const tr_msg *m)
{
    struct shop *me = state;
    if (tr_is(barber_visit, m)) {
        if (me->asleep) {
            me->asleep = false;
            tr_forward(self, m, me->barber);
        } else if (me->chairs.count < CHAIRS) {
            keep(self, &me->chairs, m);
        } else {
            tr_refuse(self, NULL, TR_EFULL);
        }
    } else if (tr_is(barber_free, m)) {
        if (me->chairs.count)
            tr_forward(self, next_kept(&me->chairs), me->barber);
        else
            me->asleep = true;
    } else {
        bench_unexpected(m);
    }
    return TR_CONTINUE;
}

static const tr_actor shop_actor = { TR_SPEC, .name = "shop", .start = shop_start, .receive = shop,
    .state_size = sizeof(struct shop) };

/* ---- a customer -------------------------------------------------------------------------------------------------- */

struct customer {
    tr_ref shop;
    int64_t number;
};

static void visit(tr_self *self, const struct customer *me)
{
    tr_ask(self, me->shop, TR_SECONDS(30), barber_visit, .customer = me->number);
}

static int customer_start(tr_self *self, void *state, const void *arg)
{
    struct customer *me = state;
    *me = *(const struct customer *)arg;
    visit(self, me);
    return TR_CONTINUE;
}

static int customer(tr_self *self, void *state, const tr_msg *m)
{
    struct customer *me = state;
    if (tr_is(barber_shorn, m)) {
        tr_send(self, tr_parent(self), barber_home, .look = tr_body(barber_shorn, m)->look);
        return TR_STOP;
    }
    if (tr_is(tr_failed, m) && tr_body(tr_failed, m)->reason == TR_EFULL)
        tr_send(self, tr_parent(self), barber_turned_away);
    else if (tr_is(barber_try_again, m))
        visit(self, me);
    else
        bench_unexpected(m);
    return TR_CONTINUE;
}

static const tr_actor customer_actor = { TR_SPEC, .name = "customer", .start = customer_start, .receive = customer,
    .state_size = sizeof(struct customer), .arg_size = sizeof(struct customer) };

/* ---- the street, which is the root ------------------------------------------------------------------------------- */

struct street {
    tr_ref shop;
    int64_t n, come, gone, start;
    uint64_t looks;
    tr_ref turned_away[CUSTOMERS]; /* they wait for a word, the first to come at first */
    uint32_t first, waiting;
};

static void let_come(tr_self *self, struct street *me)
{
    struct customer next = { .shop = me->shop, .number = ++me->come };
    bench_check(!tr_ref_is_nobody(tr_spawn(self, &customer_actor, &next)), "barber: no customer");
}

static int street_start(tr_self *self, void *state, const void *arg)
{
    struct street *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    me->start = tr_now(self);
    me->shop = tr_spawn(self, &shop_actor, NULL);
    while (me->come < me->n && me->come < CUSTOMERS)
        let_come(self, me);
    return TR_CONTINUE;
}

static void send_again(tr_self *self, struct street *me)
{
    tr_send(self, me->turned_away[me->first], barber_try_again);
    me->first = (me->first + 1) % CUSTOMERS;
    me->waiting--;
}

static uint64_t expected_looks(int64_t n)
{
    uint64_t all = 0;
    for (int64_t i = 1; i <= n; i++)
        all += cut(i);
    return all;
}

static int street(tr_self *self, void *state, const tr_msg *m)
{
    struct street *me = state;
    bool somebody_went = tr_is(barber_home, m);
    if (somebody_went) {
        me->looks += tr_body(barber_home, m)->look;
        me->gone++;
        if (me->come < me->n)
            let_come(self, me);
    } else if (tr_is(barber_turned_away, m)) {
        me->turned_away[(me->first + me->waiting++) % CUSTOMERS] = m->from;
    } else {
        bench_unexpected(m);
    }
    /* Also when all who are out wait here: nobody else would go home any more. (What somebody says who was turned away
     * can come later than what those say who had the chairs.) */
    if (me->waiting && (somebody_went || me->waiting == me->come - me->gone))
        send_again(self, me);
    if (me->gone < me->n)
        return TR_CONTINUE;
    int stop = bench_report(me->n, tr_now(self) - me->start);
    bench_check(me->looks == expected_looks(me->n), "barber: not every customer was served once");
    return stop;
}

static const tr_actor street_root = { TR_SPEC, .name = "barber", .start = street_start, .receive = street,
    .state_size = sizeof(struct street), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_barber = { .name = "barber", .root = &street_root, .n = 500000 };
