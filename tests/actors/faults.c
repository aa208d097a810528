/* No memory: whatever request fails, what was promised comes, what could not be sent is reported, nobody is lost. */
#include "tests/actors/puppet.h"

#include "mailbox/memory.h"

#include <troupe/block.h>
#include <troupe/dead_letter.h>
#include <troupe/name.h>

static unsigned over; /* runs of a script that have come to their end */

/* Waiting for what must come: there is no message for it, that would need memory. */
enum { NAPS = 50000 };

static void nap(void)
{
    sleep_for(TR_US(200));
}

static bool comes(const unsigned *word, unsigned value)
{
    for (int i = 0; i < NAPS && ck_pr_load_uint(word) != value; i++)
        nap();
    return ck_pr_load_uint(word) == value;
}

/* ---- the script -------------------------------------------------------------------------------------------------- */

/*
 * A hero and a helper do all that actors can do to each other. The hero keeps account of what it was promised, and ends
 * when it has had it all. So a promise that is not kept shows as a hero that does not end, one kept twice as a panic.
 */
enum ask { REPLY, TAKE, SILENT, HOLD, PASS, REFUSE, ASKS };

TR_MESSAGE(favour, int how; int n;);
TR_MESSAGE(done, int n;);
TR_MESSAGE(note, int n;);
TR_SIGNAL(bye);
TR_DEFINE(favour);
TR_DEFINE(done);
TR_DEFINE(note);
TR_DEFINE(bye);

enum { NOTES = 5 };

static unsigned notes_handled;

struct helper {
    tr_ref second;
    tr_msg *taken, *held;
};

static int second_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(favour, m))
        (void)tr_reply(self, done, .n = tr_body(favour, m)->n);
    return TR_CONTINUE;
}

static const tr_actor second_actor = { TR_SPEC, .name = "second", .receive = second_receive };

static int helper_start(tr_self *self, void *state, const void *arg)
{
    int error;
    (void)arg;
    ((struct helper *)state)->second = tr_spawn(self, &second_actor, NULL, .link = true, .error = &error);
    return TR_CONTINUE;
}

static void do_favour(tr_self *self, struct helper *me, const tr_msg *m)
{
    switch (tr_body(favour, m)->how) {
    case REPLY: (void)tr_reply(self, done, .n = tr_body(favour, m)->n); break;
    case TAKE:
        me->taken = tr_take(self, m);
        if (me->taken && !tr_after(self, TR_MS(1), 0).bits) {
            (void)tr_reply_to(self, me->taken, done, .n = TAKE);
            me->taken = NULL;
        }
        break;
    case HOLD: me->held = tr_take(self, m); break;
    case PASS: (void)tr_forward(self, m, me->second); break;
    case REFUSE: (void)tr_refuse(self, NULL, TR_EPERM); break;
    default: break;
    }
}

static int helper_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct helper *me = state;
    if (tr_is(favour, m)) {
        do_favour(self, me, m);
    } else if (tr_is(tr_timeout, m)) {
        (void)tr_reply_to(self, me->taken, done, .n = TAKE);
        me->taken = NULL;
    } else if (tr_is(note, m)) {
        ck_pr_inc_uint(&notes_handled);
        tr_forward(self, m, me->second);
    } else if (tr_is(bye, m)) {
        return TR_EPROTO;
    }
    return TR_CONTINUE;
}

static const tr_actor helper_actor = { TR_SPEC, .name = "helper", .start = helper_start, .receive = helper_receive,
    .state_size = sizeof(struct helper) };

enum { TIMERS = 3 };

struct hero {
    tr_ref helper;
    uint64_t asks[ASKS + 1], timers[TIMERS], job, monitor; /* ids of what is still to come; 0: nothing is */
    bool linked, leaving;
    unsigned notes_sent;
};

static int blocking_job(void *arg)
{
    return arg ? 7 : 8;
}

static void hero_asks(tr_self *self, struct hero *me)
{
    for (int how = 0; how < ASKS; how++)
        me->asks[how] = tr_ask(self, me->helper, how == HOLD ? TR_MS(2) : SOON, favour, .how = how, .n = how).bits;
    me->asks[ASKS] = tr_ask(self, TR_NOBODY, SOON, favour, .how = REPLY).bits;
    tr_call given_up = tr_ask(self, me->helper, SOON, favour, .how = REPLY, .n = 99);
    tr_abandon(self, given_up);
}

static void hero_sends(tr_self *self, struct hero *me)
{
    bool alive = !tr_ref_is_nobody(me->helper);
    for (int i = 0; i < NOTES; i++) {
        int error = tr_send(self, me->helper, note, .n = i);
        if (error != 0 && error != TR_ENOMEM && (alive || error != TR_EDOWN))
            tri_panic("a send answered %s", tr_error_name(error));
        me->notes_sent += error == 0;
    }
}

static int hero_start(tr_self *self, void *state, const void *arg)
{
    struct hero *me = state;
    int error;
    (void)arg;
    me->helper = tr_spawn(self, &helper_actor, NULL, .error = &error);
    if (tr_ref_is_nobody(me->helper) != (error == TR_ENOMEM))
        tri_panic("no helper: %s", tr_error_name(error));
    (void)tr_register(self, "hero");
    (void)tr_dead_letters(self);
    me->monitor = tr_monitor_set(self, me->helper).bits;
    tr_demonitor(self, tr_monitor_set(self, me->helper));
    me->linked = tr_link(self, me->helper) == 0;
    hero_sends(self, me);
    for (int i = 0; i < TIMERS; i++)
        me->timers[i] = tr_after(self, TR_US(500) * i, (uint64_t)i).bits;
    tr_cancel(self, tr_after(self, TR_US(100), 99));
    me->job = tr_block(self, blocking_job, self).bits;
    hero_asks(self, me);
    return tr_send(self, tr_me(self), bye) ? TR_ENOMEM : TR_CONTINUE; /* so that a hero with no promises goes on, too */
}

static void kept(uint64_t *ids, unsigned count, uint64_t id)
{
    for (unsigned i = 0; i < count; i++)
        if (ids[i] == id) {
            ids[i] = 0;
            return;
        }
    tri_panic("kept twice, or never promised");
}

static bool all_kept(const uint64_t *ids, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (ids[i])
            return false;
    return true;
}

/* When all but the news of the helper's end have come, the helper is made to end. */
static int hero_next(tr_self *self, struct hero *me)
{
    if (!all_kept(me->asks, ASKS + 1) || !all_kept(me->timers, TIMERS) || me->job)
        return TR_CONTINUE;
    if (!me->leaving) {
        me->leaving = true;
        if (tr_send(self, me->helper, bye) == TR_ENOMEM) {
            ck_pr_store_uint(&notes_handled, me->notes_sent); /* the exit may overtake them */
            tr_exit(self, me->helper, TR_EPROTO);
        }
    }
    return me->monitor || me->linked ? TR_CONTINUE : TR_STOP;
}

static int hero_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct hero *me = state;
    if (tr_is(done, m) && m->call != me->asks[tr_body(done, m)->n])
        tri_panic("the answer to another ask");
    if (tr_is(tr_blocked, m) && tr_body(tr_blocked, m)->result != 7)
        tri_panic("another result");
    if (tr_is(tr_blocked, m) || (tr_is(tr_failed, m) && m->call == me->job))
        kept(&me->job, 1, m->call);
    else if (tr_is(done, m) || tr_is(tr_failed, m))
        kept(me->asks, ASKS + 1, m->call);
    else if (tr_is(tr_timeout, m))
        kept(me->timers, TIMERS, m->call);
    else if (tr_is(tr_down, m))
        kept(&me->monitor, 1, m->call);
    else if (tr_is(tr_exited, m) && tr_ref_eq(tr_body(tr_exited, m)->who, me->helper) && me->linked)
        me->linked = false;
    else if (!tr_is(tr_dead_letter, m) && !tr_is(bye, m))
        tri_panic("a %s came", m->type->name);
    return hero_next(self, me);
}

static void hero_stop(tr_self *self, void *state, int reason)
{
    struct hero *me = state;
    if (reason != 0 && !tr_ref_is_nobody(me->helper))
        tr_kill(self, me->helper);
    else if (reason == 0 && !tr_ref_is_nobody(me->helper) && ck_pr_load_uint(&notes_handled) != me->notes_sent)
        tri_panic("%u notes were sent, %u handled", me->notes_sent, notes_handled);
    ck_pr_inc_uint(&over);
}

static const tr_actor hero_actor = { TR_SPEC, .name = "hero", .start = hero_start, .receive = hero_receive,
    .stop = hero_stop, .state_size = sizeof(struct hero), .trap_exits = true };

static int play(tr_self *self, void *arg)
{
    int error;
    (void)arg;
    tr_spawn(self, &hero_actor, NULL, .error = &error);
    return error;
}

/* Plays the script with the nth request for memory failing, and all after it if so wanted. Answers how many failed. */
static uint64_t play_without(unsigned nth, bool and_after)
{
    over = notes_handled = 0;
    tri_memory_fail(nth, and_after);
    int error = tr_probe_do(probe, play, NULL);
    cr_assert(error == 0 || error == TR_ENOMEM);
    bool ended = error || comes(&over, 1);
    uint64_t failed = tri_memory_fail(0, false);
    cr_assert(ended, "with request %u failing, the hero does not end", nth);
    return failed;
}

static void open_poor(unsigned workers)
{
    tri_pool_off(); /* every message is a request for memory */
    capture_log(TR_LOG_WARNING);
    open_system(workers);
}

Test(faults, any_one_request_for_memory_can_fail)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        unsigned nth = 0;
        open_poor(workers);
        for (int whole = 0; whole < 3;)
            whole = play_without(++nth, false) ? 0 : whole + 1;
        cr_assert_gt(nth, 25u); /* names keep what they have */
        close_system();
    }
}

/* It does not come back before the hero has ended. */
Test(faults, all_memory_can_be_gone_from_any_request_on)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        unsigned nth = 0;
        open_poor(workers);
        for (int whole = 0; whole < 3;)
            whole = play_without(++nth, true) ? 0 : whole + 1;
        cr_assert_gt(nth, 25u); /* names keep what they have */
        close_system();
    }
}

/* ---- a supervision tree ------------------------------------------------------------------------------------------ */

enum { CAST = 5 };

static struct {
    unsigned here, starts;
    uint64_t ref;
} cast[CAST];

static int actor_start(tr_self *self, void *state, const void *arg)
{
    int n = *(const int *)arg;
    *(int *)state = n;
    if (ck_pr_faa_uint(&cast[n].here, 1) != 0)
        tri_panic("child %d is here twice", n);
    ck_pr_store_64(&cast[n].ref, tr_me(self).bits);
    ck_pr_inc_uint(&cast[n].starts);
    return TR_CONTINUE;
}

static void actor_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    ck_pr_dec_uint(&cast[*(int *)state].here);
}

static const tr_actor cast_actor = { TR_SPEC, .name = "cast", .start = actor_start, .receive = quiet_receive,
    .stop = actor_stop, .state_size = sizeof(int), .arg_size = sizeof(int) };
static const int numbers[CAST] = { 0, 1, 2, 3, 4 };

#define CHILD(...) \
    { \
        .actor = &cast_actor, .arg = numbers + __VA_ARGS__ \
    }
#define QUICK .backoff_ns = TR_US(100), .backoff_max_ns = TR_US(200)

static const tr_child inner_children[] = { CHILD(1, .name = "one"), CHILD(2) };
static const tr_supervisor inner = { TR_SUPERVISOR, .name = "inner", .strategy = TR_ONE_FOR_ALL, QUICK,
    .children = inner_children, .count = 2 };
static const tr_child outer_children[] = { CHILD(0), { .name = "inner", .supervisor = &inner }, CHILD(3, .name = "three"),
    CHILD(4, .restart = TR_TRANSIENT) };
static const tr_supervisor outer = { TR_SUPERVISOR, .name = "outer", .strategy = TR_REST_FOR_ONE, QUICK,
    .children = outer_children, .count = 4 };

/* The stage is the parent of the tree: an actor with a gate before the moment when memory begins to fail. */
static struct {
    struct gate gate;
    tr_ref top;
    int error, reason;
    unsigned raised, down;
} stage;

static int stage_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_down, m)) {
        stage.reason = tr_body(tr_down, m)->reason;
        ck_pr_fence_release();
        ck_pr_store_uint(&stage.down, 1);
        return TR_STOP;
    }
    gate_pass(&stage.gate);
    stage.top = tr_supervise(self, &outer, .monitor = true, .error = &stage.error);
    ck_pr_store_uint(&stage.down, stage.error != 0);
    ck_pr_fence_release();
    ck_pr_store_uint(&stage.raised, 1);
    return stage.error ? TR_STOP : TR_CONTINUE;
}

static const tr_actor stage_actor = { TR_SPEC, .name = "stage", .receive = stage_receive };

static bool is_down(void)
{
    if (!ck_pr_load_uint(&stage.down))
        nap();
    return ck_pr_load_uint(&stage.down);
}

/* With the tree started, or stage.error. */
static void raise_curtain(unsigned nth, bool and_after)
{
    memset(&stage, 0, sizeof stage);
    gate_init(&stage.gate);
    tr_ref who = probe_spawn(&stage_actor, NULL);
    tr_probe_send(probe, who, bye);
    gate_await(&stage.gate);
    tri_memory_fail(nth, and_after);
    gate_open(&stage.gate);
    cr_assert(comes(&stage.raised, 1));
}

/* Waits until child n has been started so many times and all are here, or the tree is down. */
static void await_cast(int n, unsigned starts, const char *when, unsigned nth)
{
    for (int i = 0; i < NAPS && !is_down(); i++) {
        bool all = ck_pr_load_uint(&cast[n].starts) >= starts;
        for (int k = 0; k < CAST; k++)
            all = all && ck_pr_load_uint(&cast[k].here) == 1;
        if (all)
            return;
    }
    cr_assert(is_down(), "%s, request %u: child %d is lost, or does not come back:\n%s", when, nth, n, captured.text);
}

/* Children end a moment after the supervisor if it was killed. */
static void await_empty_stage(const char *when, unsigned nth)
{
    for (int n = 0; n < CAST; n++) {
        cr_assert(comes(&cast[n].here, 0), "%s, request %u: child %d is left", when, nth, n);
        tr_ref ref = { ck_pr_load_64(&cast[n].ref) };
        for (int i = 0; i < NAPS && tr_alive(ref); i++)
            nap();
        cr_assert_not(tr_alive(ref), "%s, request %u: child %d waits for nobody", when, nth, n);
    }
}

static void kill_child(int n)
{
    tri_signal(NULL, (tr_ref){ ck_pr_load_64(&cast[n].ref) }, TRI_SIGNAL_KILL); /* the probe would need memory for it */
}

/* Starts the tree, kills two of it, and ends it. Answers how many requests failed. */
static uint64_t perform_tree(unsigned nth, bool and_after, bool kill)
{
    memset(cast, 0, sizeof cast);
    pthread_mutex_lock(&captured.lock);
    captured.used = 0;
    pthread_mutex_unlock(&captured.lock);
    raise_curtain(nth, and_after);
    if (!is_down())
        await_cast(0, 1, "at first", nth);
    bool whole = !is_down();
    if (whole) {
        unsigned starts = ck_pr_load_uint(&cast[2].starts);
        kill_child(2);
        await_cast(2, starts + 1, "after a restart of the inner ones", nth);
    }
    if (!is_down()) {
        unsigned starts = ck_pr_load_uint(&cast[4].starts);
        kill_child(0);
        await_cast(4, starts + 1, "after a restart of all", nth);
    }
    if (!and_after && whole)
        cr_assert_not(is_down(), "request %u failed, and all is down: %s", nth, tr_error_name(stage.reason));
    if (!is_down() && kill)
        tri_signal(NULL, stage.top, TRI_SIGNAL_KILL);
    else if (!is_down())
        tri_ask_to_end(NULL, stage.top, 0);
    for (int i = 0; i < NAPS && !is_down(); i++) {
    }
    cr_assert(is_down(), "request %u: the supervisor does not end", nth);
    await_empty_stage(kill ? "killed" : "at the end", nth);
    return tri_memory_fail(0, false);
}

static void perform_trees(bool and_after)
{
    for (int kill = 0; kill < 2; kill++) {
        unsigned nth = 0;
        open_poor(2);
        for (int whole = 0; whole < 3;)
            whole = perform_tree(++nth, and_after, kill) ? 0 : whole + 1;
        cr_assert_gt(nth, 50u);
        close_system();
    }
}

Test(faults, a_tree_lives_through_any_one_request_that_fails)
{
    perform_trees(false);
}

Test(faults, a_tree_without_memory_loses_no_child)
{
    perform_trees(true);
}
