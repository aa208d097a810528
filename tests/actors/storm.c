/*
 * Everything at once, at random, on several workers.
 *
 * A crew of actors send, ask, answer, link, monitor, register, set timers, block, spawn, end themselves and each other;
 * the captain replaces those who end. Each keeps account of what it was promised, and checks what comes:
 *
 *   every ask, timer, monitor and job brings exactly one message, and none when it was given up;
 *   a time-out or a timer is never early; an answer is the one to its ask;
 *   what one sends to another comes in the order it was sent, and none is missing;
 *   nothing comes from an actor after the news of its end.
 *
 * When enough has been done they go home, each when it has had all it was promised. So a lost promise shows as a crew
 * that does not come home, and anything else as a panic with the seed, to be tried again with TROUPE_SEED.
 */
#include "tests/support.h"

#include <troupe/block.h>
#include <troupe/dead_letter.h>
#include <troupe/name.h>

enum { CREW = 40, HELD = 12, NAMES = 6 };

TR_SIGNAL(gust);
TR_SIGNAL(home);
TR_MESSAGE(wave, unsigned from; uint64_t place;);
TR_MESSAGE(plea, int how; uint64_t n;);
TR_MESSAGE(grace, uint64_t n;);
TR_DEFINE(gust);
TR_DEFINE(home);
TR_DEFINE(wave);
TR_DEFINE(plea);
TR_DEFINE(grace);

static uint64_t seed;
static uint64_t crew[CREW]; /* references */
static uint64_t work_left;
static uint64_t kept[4]; /* promises, by kind: for a look at what was tested */
static tr_ref harbour;

#define BREACH(...) (fprintf(stderr, "storm, seed %lu: ", (unsigned long)seed), tri_panic(__VA_ARGS__))

/* ---- accounts ---------------------------------------------------------------------------------------------------- */

enum kind { ASK, TIMER, MONITOR, JOB };

struct promise {
    uint64_t id; /* 0: none */
    uint64_t n;
    int64_t due;
    tr_ref who;
    enum kind kind;
};

struct sailor {
    unsigned number;
    struct promise held[HELD];
    struct {
        tr_ref who;
        uint64_t place;
    } sent[CREW], heard[CREW];
    tr_ref dead[CREW]; /* those whose end is known */
    tr_msg *taken;
    uint64_t taken_timer;
    bool going;
};

static struct promise *find(struct sailor *me, uint64_t id)
{
    for (int i = 0; i < HELD; i++)
        if (me->held[i].id == id)
            return &me->held[i];
    return NULL;
}

static void hold(struct sailor *me, struct promise promise)
{
    struct promise *place = find(me, 0);
    if (promise.id == 0)
        BREACH("there is memory, but no promise");
    *place = promise;
}

/* The promise that is kept by the message with this id. */
static struct promise settle_account(struct sailor *me, uint64_t id, enum kind kind)
{
    struct promise *promise = id ? find(me, id) : NULL;
    if (!promise || promise->kind != kind)
        BREACH("a promise of kind %d was kept twice, given up, or never made", kind);
    struct promise copy = *promise;
    promise->id = 0;
    ck_pr_inc_64(&kept[kind]);
    return copy;
}

static tr_ref somebody(tr_self *self, unsigned *number)
{
    *number = tr_random_below(self, CREW);
    return (tr_ref){ ck_pr_load_64(&crew[*number]) };
}

/* ---- what they do ------------------------------------------------------------------------------------------------ */

static void do_wave(tr_self *self, struct sailor *me)
{
    unsigned to;
    tr_ref who = somebody(self, &to);
    if (!tr_ref_eq(who, me->sent[to].who)) {
        me->sent[to].who = who;
        me->sent[to].place = 0;
    }
    for (uint32_t i = tr_random_below(self, 4) + 1; i--;)
        if (tr_send(self, who, wave, .from = me->number, .place = me->sent[to].place + 1) == 0)
            me->sent[to].place++;
}

enum { REPLY, REFUSE, IGNORE, TAKE, PASS, STOP_ON_IT, CRASH_ON_IT, WAYS };

static uint64_t pleas;

static void do_plea(tr_self *self, struct sailor *me)
{
    unsigned to;
    tr_ref who = somebody(self, &to);
    uint32_t most = tr_random_below(self, 4) ? 5000000 : 100000;
    int64_t timeout = (int64_t)tr_random_below(self, most) - 5000, left = tr_time_left(self), now = tr_now(self);
    uint64_t n = ck_pr_faa_64(&pleas, 1);
    int how = (int)tr_random_below(self, tr_random_below(self, 20) ? STOP_ON_IT : WAYS); /* seldom the last two */
    tr_call call = tr_ask(self, who, timeout, plea, .how = how, .n = n);
    hold(me, (struct promise){ call.bits, n, now + (timeout < left ? timeout : left), who, ASK });
}

static void do_timer(tr_self *self, struct sailor *me)
{
    int64_t delay = (int64_t)tr_random_below(self, 300000) - 20000, now = tr_now(self);
    hold(me, (struct promise){ tr_after(self, delay, 0).bits, 0, now + delay, TR_NOBODY, TIMER });
}

static int job(void *arg)
{
    return arg ? 1 : 0;
}

static void do_job(tr_self *self, struct sailor *me)
{
    hold(me, (struct promise){ tr_block(self, job, me).bits, 0, 0, TR_NOBODY, JOB });
}

static void do_monitor(tr_self *self, struct sailor *me)
{
    unsigned to;
    tr_ref who = somebody(self, &to);
    hold(me, (struct promise){ tr_monitor_set(self, who).bits, 0, 0, who, MONITOR });
}

static void give_up(tr_self *self, struct promise *promise)
{
    switch (promise->kind) {
    case ASK:
    case JOB: tr_abandon(self, (tr_call){ promise->id }); break;
    case TIMER:
        if (!tr_cancel(self, (tr_timer){ promise->id }))
            BREACH("a timer that has not come cannot be canceled");
        break;
    case MONITOR: tr_demonitor(self, (tr_monitor){ promise->id }); break;
    }
    promise->id = 0;
}

static int brief_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return (int)tr_random_below(self, 2) ? TR_STOP : TR_EPROTO;
}

static const tr_actor brief_actor = { TR_SPEC, .name = "brief", .start = brief_start, .receive = quiet_receive };

static void do_spawn(tr_self *self, struct sailor *me)
{
    tr_ref who = tr_spawn(self, &brief_actor, NULL);
    hold(me, (struct promise){ tr_monitor_set(self, who).bits, 0, 0, who, MONITOR });
}

static void do_name(tr_self *self, struct sailor *me)
{
    char name[2] = { (char)('a' + tr_random_below(self, NAMES)), 0 };
    (void)me;
    tr_unregister(self);
    (void)tr_register(self, name);
    name[0] = (char)('a' + tr_random_below(self, NAMES));
    tr_send(self, tr_whereis(self, name), gust);
}

static void do_link(tr_self *self, struct sailor *me)
{
    unsigned to;
    (void)me;
    if (tr_random_below(self, 2))
        tr_unlink(self, somebody(self, &to));
    else
        (void)tr_link(self, somebody(self, &to));
}

/* Does one thing; answers what the handler returns. */
static int do_something(tr_self *self, struct sailor *me)
{
    unsigned to;
    bool room = find(me, 0) != NULL;
    uint32_t what = tr_random_below(self, 100);
    if (what < 35)
        do_wave(self, me);
    else if (what < 60 && room)
        do_plea(self, me);
    else if (what < 68 && room)
        do_timer(self, me);
    else if (what < 76 && room)
        do_monitor(self, me);
    else if (what < 78 && room)
        do_job(self, me);
    else if (what < 81 && room)
        do_spawn(self, me);
    else if (what < 85)
        do_name(self, me);
    else if (what < 88)
        do_link(self, me);
    else if (what < 96) {
        struct promise *promise = &me->held[tr_random_below(self, HELD)];
        if (promise->id)
            give_up(self, promise);
    } else if (what == 96)
        tr_kill(self, somebody(self, &to));
    else if (what == 97)
        tr_exit(self, somebody(self, &to), tr_random_below(self, 2) ? 0 : TR_EPROTO);
    else if (what == 98)
        return tr_random_below(self, 2) ? TR_STOP : TR_EPROTO;
    return TR_CONTINUE;
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

static void check_life(const struct sailor *me, const tr_msg *m)
{
    for (unsigned i = 0; i < CREW; i++)
        if (!tr_ref_is_nobody(m->from) && tr_ref_eq(me->dead[i], m->from))
            BREACH("a %s came from an actor after the news of its end", m->type->name);
}

static void hear_wave(struct sailor *me, const tr_msg *m)
{
    const wave *w = tr_body(wave, m);
    check_life(me, m);
    if (!tr_ref_eq(me->heard[w->from].who, m->from)) {
        me->heard[w->from].who = m->from;
        me->heard[w->from].place = 0;
    }
    if (w->place != ++me->heard[w->from].place)
        BREACH("wave %lu came as number %lu", (unsigned long)w->place, (unsigned long)me->heard[w->from].place);
}

static int hear_plea(tr_self *self, struct sailor *me, const tr_msg *m)
{
    unsigned to;
    const plea *p = tr_body(plea, m);
    switch (p->how) {
    case REPLY:
        (void)tr_reply(self, grace, .n = p->n);
        if (tr_random_below(self, 4) == 0 && find(me, 0))
            do_plea(self, me); /* with the time that is left for this one */
        break;
    case REFUSE: (void)tr_refuse(self, NULL, TR_EPERM); break;
    case TAKE:
        if (!me->taken) {
            me->taken = tr_take(self, m);
            me->taken_timer = tr_after(self, (int64_t)tr_random_below(self, 300000), 0).bits;
        }
        break;
    case PASS: (void)tr_forward(self, m, somebody(self, &to)); break;
    case STOP_ON_IT: return TR_STOP;
    case CRASH_ON_IT: return TR_EPROTO;
    default: break;
    }
    return TR_CONTINUE;
}

static void hear_answer(tr_self *self, struct sailor *me, const tr_msg *m)
{
    if (tr_is(tr_failed, m) && find(me, m->call) && find(me, m->call)->kind == JOB)
        BREACH("a job failed: %s", tr_error_name(tr_body(tr_failed, m)->reason));
    struct promise promise = settle_account(me, m->call, ASK);
    if (tr_is(grace, m) && tr_body(grace, m)->n != promise.n)
        BREACH("the answer to another ask");
    if (tr_is(tr_failed, m) && tr_body(tr_failed, m)->reason == TR_ETIMEDOUT && tr_now(self) < promise.due)
        BREACH("a time-out came %ld ns early", (long)(promise.due - tr_now(self)));
}

static void hear_timeout(tr_self *self, struct sailor *me, const tr_msg *m)
{
    if (m->call == me->taken_timer) {
        (void)tr_reply_to(self, me->taken, grace, .n = tr_body(plea, me->taken)->n);
        me->taken = NULL;
        me->taken_timer = 0;
        return;
    }
    struct promise promise = settle_account(me, m->call, TIMER);
    if (tr_now(self) < promise.due)
        BREACH("a timer came %ld ns early", (long)(promise.due - tr_now(self)));
}

static void hear_down(struct sailor *me, const tr_msg *m)
{
    struct promise promise = settle_account(me, m->call, MONITOR);
    if (!tr_ref_eq(promise.who, tr_body(tr_down, m)->who))
        BREACH("the end of another actor");
    if (tr_alive(promise.who))
        BREACH("an actor is said to have ended, and lives");
    me->dead[promise.who.bits % CREW] = promise.who;
}

/* The work is done: home, when nothing is owed any more. */
static int go_home(tr_self *self, struct sailor *me)
{
    me->going = true;
    for (int i = 0; i < HELD; i++)
        if (me->held[i].id && me->held[i].kind == MONITOR)
            give_up(self, &me->held[i]);
    for (int i = 0; i < HELD; i++)
        if (me->held[i].id)
            return TR_CONTINUE;
    return me->taken ? TR_CONTINUE : TR_STOP;
}

static int blow(tr_self *self, struct sailor *me)
{
    int answer = TR_CONTINUE;
    for (uint32_t i = tr_random_below(self, 4) + 1; i-- && answer == TR_CONTINUE;)
        answer = do_something(self, me);
    uint64_t left = ck_pr_load_64(&work_left);
    while (left && !ck_pr_cas_64_value(&work_left, left, left - 1, &left)) {
    }
    return answer;
}

static int sailor_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct sailor *me = state;
    int answer = TR_CONTINUE;
    bool own_gust = tr_is(gust, m) && tr_ref_eq(m->from, tr_me(self)); /* m may be gone when it has been handled */
    if (tr_is(wave, m))
        hear_wave(me, m);
    else if (tr_is(plea, m))
        answer = hear_plea(self, me, m);
    else if (tr_is(grace, m) || tr_is(tr_failed, m))
        hear_answer(self, me, m);
    else if (tr_is(tr_blocked, m))
        (void)settle_account(me, m->call, JOB);
    else if (tr_is(tr_timeout, m))
        hear_timeout(self, me, m);
    else if (tr_is(tr_down, m))
        hear_down(me, m);
    else if (tr_is(tr_exited, m))
        me->dead[tr_body(tr_exited, m)->who.bits % CREW] = tr_body(tr_exited, m)->who;
    else if (!tr_is(gust, m))
        BREACH("a %s came", m->type->name);
    else if (!me->going)
        answer = blow(self, me);
    if (answer == TR_CONTINUE && ck_pr_load_64(&work_left) == 0)
        return go_home(self, me);
    if (answer == TR_CONTINUE && own_gust)
        (void)tr_send_message(self, tr_me(self), tr_message(self, &gust_type));
    return answer;
}

static int sailor_start(tr_self *self, void *state, const void *arg)
{
    struct sailor *me = state;
    me->number = *(const unsigned *)arg;
    (void)tr_send(self, tr_me(self), gust);
    return TR_CONTINUE;
}

#define SAILOR \
    TR_SPEC, .name = "sailor", .start = sailor_start, .receive = sailor_receive, .state_size = sizeof(struct sailor), \
             .arg_size = sizeof(unsigned)

static const tr_actor sailors[2] = { { SAILOR }, { SAILOR, .trap_exits = true } };

/* ---- the captain ------------------------------------------------------------------------------------------------- */

struct captain {
    tr_ref crew[CREW];
    unsigned at_sea;
};

static void enlist(tr_self *self, struct captain *me, unsigned number)
{
    me->crew[number] = tr_spawn(self, &sailors[number & 1], &number, .monitor = true);
    if (tr_ref_is_nobody(me->crew[number]))
        BREACH("nobody was spawned");
    ck_pr_store_64(&crew[number], me->crew[number].bits);
    me->at_sea++;
}

static int captain_start(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < CREW; i++)
        enlist(self, state, i);
    return tr_dead_letters(self) ? TR_ELIMIT : TR_CONTINUE;
}

static int captain_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct captain *me = state;
    unsigned i = 0;
    if (tr_is(tr_dead_letter, m))
        return TR_CONTINUE;
    while (i < CREW && !tr_ref_eq(me->crew[i], tr_body(tr_down, m)->who))
        i++;
    if (i == CREW)
        BREACH("an end was told twice");
    me->crew[i] = TR_NOBODY;
    me->at_sea--;
    if (ck_pr_load_64(&work_left))
        enlist(self, me, i);
    if (me->at_sea)
        return TR_CONTINUE;
    tr_send(self, harbour, home);
    return TR_STOP;
}

static const tr_actor captain_actor = { TR_SPEC, .name = "captain", .start = captain_start, .receive = captain_receive,
    .state_size = sizeof(struct captain) };

static int set_sail(tr_self *self, void *arg)
{
    (void)arg;
    return tr_ref_is_nobody(tr_spawn(self, &captain_actor, NULL)) ? TR_ENOMEM : 0;
}

static void sail(unsigned workers, uint64_t work)
{
    const char *given = getenv("TROUPE_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)tri_clock_now(&tri_clock_real) | 1;
    capture_log(TR_LOG_WARNING); /* mailboxes that fill, and the like */
    open_system_with((tr_options){ .workers = workers, .seed = seed });
    harbour = tr_probe_ref(probe);
    work_left = work;
    cr_assert_eq(tr_probe_do(probe, set_sail, NULL), 0);
    const tr_msg *m = tr_probe_receive(probe, SOON + (int64_t)work * 10000);
    cr_assert_not_null(m, "seed %lu: the crew does not come home", (unsigned long)seed);
    cr_assert(tr_is(home, m));
    close_system();
}

Test(storm, all_promises_are_kept_once_on_several_workers)
{
    for (unsigned i = 0; i < scaled(4, 200); i++)
        sail(2 + i % 3, scaled(40000, 200000));
    for (int kind = 0; kind < 4; kind++)
        cr_assert_gt(kept[kind], 100u, "few promises of kind %d were kept: this tests nothing", kind);
}

Test(storm, all_promises_are_kept_once_on_one_worker)
{
    for (unsigned i = 0; i < scaled(2, 50); i++)
        sail(1, scaled(20000, 200000));
}
