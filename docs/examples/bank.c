/* bank: two branches of a bank, between which money is transferred; and the simulation in which some of it is
 * transferred twice. docs/simulation.md tells the story. `bank --fixed` is the bank without the bug. */
#include <troupe/troupe.h>

#include <stdio.h>
#include <string.h>

enum { ACCOUNTS = 4, CENTS = 1000, TRANSFERS = 8, ALL = 2 * ACCOUNTS * CENTS };

#define BRANCH "10.0.0.2:100" /* where money is transferred to */

TR_MESSAGE(withdraw, int cents;);
TR_MESSAGE(deposit, uint32_t transfer; int cents;);
TR_SIGNAL(done);
/* For traces. */
static void print_deposit(const void *body, char *text, size_t size)
{
    const deposit *d = body;
    snprintf(text, size, "transfer %u: %d", (unsigned)d->transfer, d->cents);
}

TR_DEFINE(withdraw);
TR_DEFINE(deposit, .print = print_deposit);
TR_DEFINE(done);

/* What is in all the accounts of both branches. No branch knows that; but here both are in one process. */
static long money;

/* ---- an account -------------------------------------------------------------------------------------------------- */

struct account {
    long cents;
    bool seen[TRANSFERS]; /* of the fixed one: the transfers that it has had */
};

static int account_start(tr_self *self, void *state, const void *arg)
{
    (void)self, (void)arg;
    ((struct account *)state)->cents = CENTS;
    return TR_CONTINUE;
}

static void add(struct account *me, int cents)
{
    me->cents += cents;
    money += cents;
    TR_ALWAYS(me->cents >= 0);
    TR_ALWAYS(money <= ALL); /* less while some is on its way */
}

static int account(tr_self *self, void *state, const tr_msg *m)
{
    if (tr_is(withdraw, m))
        add(state, -tr_body(withdraw, m)->cents);
    else if (tr_is(deposit, m))
        add(state, tr_body(deposit, m)->cents);
    tr_reply(self, done);
    return TR_CONTINUE;
}

/* The bug: who transfers money repeats it when no answer comes. But it may have been the answer that was lost. */
static int fixed_account(tr_self *self, void *state, const tr_msg *m)
{
    struct account *me = state;
    if (tr_is(deposit, m)) {
        bool *seen = &me->seen[tr_body(deposit, m)->transfer];
        TR_SOMETIMES(*seen);
        if (*seen) {
            tr_reply(self, done);
            return TR_CONTINUE;
        }
        *seen = true;
    }
    return account(self, state, m);
}

static const tr_actor account_actor = { TR_SPEC, .name = "account", .start = account_start, .receive = account,
    .state_size = sizeof(struct account) };
static const tr_actor fixed_account_actor = { TR_SPEC, .name = "account", .start = account_start, .receive = fixed_account,
    .state_size = sizeof(struct account) };

/* ---- a transfer, in the branch that pays ------------------------------------------------------------------------- */

struct order { /* as it goes to the other branch, which answers with one byte */
    uint32_t transfer, account, cents;
};

struct payment {
    tr_ref from;
    struct order order;
};

struct transfer {
    struct payment payment;
    tr_ref connection;
    int attempts;
};

static void attempt(tr_self *self, struct transfer *me)
{
    tr_tcp_abort(self, me->connection); /* the last one, if there was any */
    me->connection = TR_NOBODY;
    me->attempts++;
    TR_SOMETIMES(me->attempts > 1);
    TR_SOMETIMES(me->attempts > 3);
    tr_tcp_connect(self, &me->connection, BRANCH);
    tr_after(self, TR_SECONDS(1), 0); /* then it is tried again */
}

static int transfer_start(tr_self *self, void *state, const void *arg)
{
    struct transfer *me = state;
    me->payment = *(const struct payment *)arg;
    tr_ask(self, me->payment.from, TR_SECONDS(10), withdraw, .cents = (int)me->payment.order.cents);
    return TR_CONTINUE;
}

static int transfer(tr_self *self, void *state, const tr_msg *m)
{
    struct transfer *me = state;
    const char *order = (const char *)&me->payment.order;
    if (tr_is(done, m) || tr_is(tr_timeout, m)) {
        attempt(self, me);
    } else if (tr_is(tr_tcp_connected, m)) {
        size_t first = TR_BUGGIFY() ? 1 : sizeof me->payment.order; /* a stream knows no orders, only bytes */
        tr_tcp_write_copy(self, m->from, order, first);
        tr_tcp_write_copy(self, m->from, order + first, sizeof me->payment.order - first);
    } else if (tr_is(tr_tcp_data, m)) {
        return TR_STOP;
    }
    return TR_CONTINUE;
}

static const tr_actor transfer_actor = {
    TR_SPEC,
    .name = "transfer",
    .start = transfer_start,
    .receive = transfer,
    .state_size = sizeof(struct transfer),
    .arg_size = sizeof(struct payment),
};

/* ---- the branch that pays ---------------------------------------------------------------------------------------- */

struct payer {
    int ended;
};

static int payer_start(tr_self *self, void *state, const void *arg)
{
    const tr_actor *spec = *(const tr_actor *const *)arg;
    tr_ref accounts[ACCOUNTS];
    (void)state;
    money = ALL; /* the process may have run other seeds */
    for (int i = 0; i < ACCOUNTS; i++)
        accounts[i] = tr_spawn(self, spec, NULL);
    for (uint32_t i = 0; i < TRANSFERS; i++) {
        struct payment payment = { .from = accounts[tr_random_below(self, ACCOUNTS)],
            .order = { .transfer = i,
                .account = tr_random_below(self, ACCOUNTS),
                .cents = 1 + tr_random_below(self, CENTS / TRANSFERS) } };
        tr_spawn(self, &transfer_actor, &payment, .monitor = true);
    }
    return TR_CONTINUE;
}

static int payer(tr_self *self, void *state, const tr_msg *m)
{
    struct payer *me = state;
    (void)self;
    if (!tr_is(tr_down, m) || ++me->ended < TRANSFERS)
        return TR_CONTINUE;
    TR_ALWAYS(money == ALL); /* nothing is on its way any more */
    return TR_STOP;
}

static const tr_actor payer_actor = {
    TR_SPEC,
    .name = "payer",
    .start = payer_start,
    .receive = payer,
    .state_size = sizeof(struct payer),
    .arg_size = sizeof(const tr_actor *),
};

/* ---- the branch that is paid ------------------------------------------------------------------------------------- */

struct branch {
    tr_ref accounts[ACCOUNTS];
    tr_timer evening;
};

struct session {
    struct branch branch;
    tr_ref connection;
    struct order order;
    size_t have; /* bytes of it */
};

static int session_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    ((struct session *)state)->branch = *(const struct branch *)arg;
    return TR_CONTINUE;
}

static int session(tr_self *self, void *state, const tr_msg *m)
{
    struct session *me = state;
    if (tr_is(tr_tcp_data, m) && me->have < sizeof me->order) {
        me->connection = m->from;
        me->have += tr_buf_read(tr_body(tr_tcp_data, m)->buf, 0, (char *)&me->order + me->have, sizeof me->order - me->have);
        TR_SOMETIMES(me->have < sizeof me->order);
        if (me->have == sizeof me->order)
            tr_ask(self, me->branch.accounts[me->order.account % ACCOUNTS], TR_SECONDS(1), deposit,
                .transfer = me->order.transfer, .cents = (int)me->order.cents);
    } else if (tr_is(done, m)) {
        tr_tcp_write_copy(self, me->connection, "k", 1);
    }
    return tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = {
    TR_SPEC,
    .name = "session",
    .start = session_start,
    .receive = session,
    .state_size = sizeof(struct session),
    .arg_size = sizeof(struct branch),
};

static int branch_start(tr_self *self, void *state, const void *arg)
{
    struct branch *me = state;
    for (int i = 0; i < ACCOUNTS; i++)
        me->accounts[i] = tr_spawn(self, *(const tr_actor *const *)arg, NULL);
    me->evening = tr_after(self, TR_MINUTES(1), 0);
    return tr_tcp_listen(self, NULL, BRANCH, .tcp.idle_ns = TR_SECONDS(5));
}

/* It closes when nobody has come for a minute. */
static int branch(tr_self *self, void *state, const tr_msg *m)
{
    struct branch *me = state;
    if (tr_is(tr_tcp_accepted, m)) {
        tr_tcp_serve(self, m, &session_actor, me);
        tr_cancel(self, me->evening);
        me->evening = tr_after(self, TR_MINUTES(1), 0);
    }
    return tr_is(tr_timeout, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor branch_actor = {
    TR_SPEC,
    .name = "branch",
    .start = branch_start,
    .receive = branch,
    .state_size = sizeof(struct branch),
    .arg_size = sizeof(const tr_actor *),
};

/* ---- the simulation ---------------------------------------------------------------------------------------------- */

static const tr_sim_options options = {
    .faults = {
        .short_read = 50000,
        .short_write = 50000,
        .late = 20000,
        .connect_error = 1000,
        .reset = 500,
        .half_open = 200,
        .partition = 200,
        .slow = 1000,
        .stall = 1000,
    },
    .heal_ns = TR_SECONDS(30),   /* nothing goes wrong from then on, … */
    .settle_ns = TR_MINUTES(5), /* … and so much later all must have come to an end */
};

int main(int argc, char **argv)
{
    bool fixed = argc > 1 && strcmp(argv[1], "--fixed") == 0;
    const tr_actor *spec = fixed ? &fixed_account_actor : &account_actor;
    const tr_sim_host hosts[] = { { .name = "north", .address = "10.0.0.1", .actor = &payer_actor, .arg = &spec },
        { .name = "south", .address = "10.0.0.2", .actor = &branch_actor, .arg = &spec }, { 0 } };
    argv[fixed] = argv[0]; /* the rest is for the simulation */
    return tr_sim_main(argc - fixed, argv + fixed, &options, hosts);
}
