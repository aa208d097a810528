/* Monitors: one tr_down each, whatever happens. */
#include "tests/actors/puppet.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

struct setting {
    tr_ref who;
    tr_monitor monitor;
};

static int set(tr_self *self, void *arg)
{
    struct setting *setting = arg;
    setting->monitor = tr_monitor_set(self, setting->who);
    return TR_CONTINUE;
}

/* ---- the reason -------------------------------------------------------------------------------------------------- */

Test(monitor, an_end_is_told_with_its_reason_and_the_bits_of_the_monitor)
{
    const int reasons[] = { TR_STOP, TR_EPROTO, -999 };
    open_system(2);
    for (unsigned i = 0; i < 3; i++) {
        struct setting setting = { make_puppet(0), { 0 } };
        tr_probe_do(probe, set, &setting);
        perform(setting.who, answer_with, (int *)&reasons[i]);
        const tr_msg *m = expect(tr_down);
        cr_assert_eq(m->call, setting.monitor.bits);
        cr_assert(tr_ref_eq(tr_body(tr_down, m)->who, setting.who));
        cr_assert_eq(tr_body(tr_down, m)->reason, reasons[i] == TR_STOP ? 0 : reasons[i]);
    }
    expect_nothing(0);
    close_system();
}

static int demonitor(tr_self *self, void *arg)
{
    tr_demonitor(self, ((struct setting *)arg)->monitor);
    return TR_CONTINUE;
}

Test(monitor, several_monitors_on_one_actor_are_told_one_by_one)
{
    enum { N = 100 };
    struct setting settings[N];
    bool told[N] = { false };
    open_system(2);
    tr_ref puppet = make_puppet(0);
    for (int i = 0; i < N; i++) {
        settings[i].who = puppet;
        tr_probe_do(probe, set, &settings[i]);
        cr_assert_neq(settings[i].monitor.bits, 0);
    }
    perform(puppet, crash, NULL);
    for (int i = 0; i < N; i++) {
        const tr_msg *m = expect(tr_down);
        int which = 0;
        while (which < N && settings[which].monitor.bits != m->call)
            which++;
        cr_assert_lt(which, N);
        cr_assert_not(told[which], "told twice");
        told[which] = true;
        cr_assert(tr_ref_eq(m->from, puppet));
    }
    expect_nothing(0);
    close_system();
}

Test(monitor, one_that_is_down_already_is_told_as_not_found)
{
    open_system(2);
    tr_ref puppet = make_puppet(0), nobody = TR_NOBODY;
    perform(puppet, end_well, NULL);
    while (tr_alive(puppet)) {
    }
    tr_probe_do(probe, monitor_it, &puppet);
    expect_down(puppet, TR_ENOENT);
    tr_probe_do(probe, monitor_it, &nobody);
    expect_down(nobody, TR_ENOENT);
    close_system();
}

static int monitor_and_exit(tr_self *self, void *arg)
{
    struct exiting *exiting = arg;
    tr_monitor_set(self, exiting->who);
    tr_exit(self, exiting->who, exiting->reason);
    return TR_CONTINUE;
}

static int monitor_and_kill(tr_self *self, void *arg)
{
    tr_monitor_set(self, *(tr_ref *)arg);
    tr_kill(self, *(tr_ref *)arg);
    return TR_CONTINUE;
}

Test(monitor, one_that_was_alive_is_told_with_its_reason_though_the_end_overtook_the_monitor)
{
    open_system(1);
    struct exiting exiting = { make_puppet(0), TR_EPROTO };
    tr_probe_do(probe, monitor_and_exit, &exiting);
    expect_down(exiting.who, TR_EPROTO);
    tr_ref puppet = make_puppet(0);
    tr_probe_do(probe, monitor_and_kill, &puppet);
    expect_down(puppet, TR_EKILLED);
    close_system();
}

static int monitor_self(tr_self *self, void *arg)
{
    (void)arg;
    cr_assert_neq(tr_monitor_set(self, tr_me(self)).bits, 0);
    return TR_CONTINUE;
}

Test(monitor, an_actor_that_monitors_itself_ends_as_usual)
{
    open_system(1);
    tr_ref puppet = make_puppet(TELL_STOP);
    perform(puppet, monitor_self, NULL);
    perform(puppet, monitor_self, NULL);
    perform(puppet, end_well, NULL);
    expect_stopped(puppet, 0);
    close_system();
}

/* ---- last words -------------------------------------------------------------------------------------------------- */

static int say_a_lot_and_end(tr_self *self, void *arg)
{
    for (int i = 0; i < 100; i++)
        tr_send(self, *(tr_ref *)arg, number, .n = i);
    return TR_EPROTO;
}

Test(monitor, nobody_learns_of_an_end_before_the_last_words)
{
    open_system(2);
    tr_ref me = tr_probe_ref(probe);
    for (int round = 0; round < 100; round++) {
        tr_ref puppet = make_puppet(TELL_STOP);
        tr_probe_do(probe, monitor_it, &puppet);
        direct(puppet, say_a_lot_and_end, &me);
        for (int i = 0; i < 100; i++)
            cr_assert_eq(tr_body(number, expect(number))->n, i);
        expect_stopped(puppet, TR_EPROTO);
        expect_down(puppet, TR_EPROTO);
    }
    close_system();
}

/* Whoever has been told of an end finds the actor ended in every respect: it is not alive, nothing can be sent to it, and
 * its name is free. A breeder, on one worker, raises mortals and ends them; a mourner, busy on the other, looks after
 * them. */
TR_SIGNAL(again);
TR_DEFINE(again);
TR_MESSAGE(born, tr_ref mortal;);
TR_DEFINE(born);

struct mourner {
    tr_ref breeder, master;
    unsigned left;
    int64_t until; /* on a busy machine each round waits for the other worker's thread to be run */
};

static unsigned alive, reachable, named;

static int mortal_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    return tr_is(again, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor mortal_actor = { TR_SPEC, .name = "mortal", .receive = mortal_receive };

static int breeder_receive(tr_self *self, void *state, const tr_msg *m)
{
    tr_ref *mortal = state;
    if (tr_is(born, m)) { /* the mourner watches */
        tr_send(self, *mortal, again);
    } else if (!tr_ref_eq(m->from, tr_me(self))) {
        *mortal = tr_spawn(self, &mortal_actor, NULL, .name = "mortal");
        tr_send(self, m->from, born, .mortal = *mortal);
    } else {
        tr_send(self, tr_me(self), again); /* stays awake */
    }
    return TR_CONTINUE;
}

static int breeder_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_send(self, tr_me(self), again);
    return TR_CONTINUE;
}

static const tr_actor breeder_actor = { TR_SPEC, .name = "breeder", .start = breeder_start, .receive = breeder_receive,
    .state_size = sizeof(tr_ref) };

static int mourner_start(tr_self *self, void *state, const void *arg)
{
    struct mourner *me = state;
    *me = *(const struct mourner *)arg;
    me->until = tr_now(self) + TR_MS(scaled(400, 60000));
    tr_send(self, tr_me(self), again);
    tr_send(self, me->breeder, again);
    return TR_CONTINUE;
}

static int mourner_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct mourner *me = state;
    if (tr_is(born, m)) {
        cr_assert_not(tr_ref_is_nobody(tr_body(born, m)->mortal), "its name was not free");
        tr_monitor_set(self, tr_body(born, m)->mortal);
        tr_send(self, me->breeder, born);
    } else if (tr_is(tr_down, m)) {
        tr_ref dead = tr_body(tr_down, m)->who;
        alive += tr_alive(dead);
        reachable += tr_send(self, dead, number) != TR_EDOWN;
        named += tr_ref_eq(tr_whereis(self, "mortal"), dead);
        if (--me->left == 0 || tr_now(self) > me->until) {
            tr_send(self, me->master, again);
            return TR_STOP;
        }
        tr_send(self, me->breeder, again);
    } else {
        tr_send(self, tr_me(self), again);
    }
    return TR_CONTINUE;
}

static const tr_actor mourner_actor = { TR_SPEC, .name = "mourner", .start = mourner_start, .receive = mourner_receive,
    .state_size = sizeof(struct mourner), .arg_size = sizeof(struct mourner) };

Test(monitor, whoever_is_told_of_an_end_finds_the_actor_ended)
{
    open_system(2);
    tr_ref breeder = probe_spawn(&breeder_actor, NULL);
    struct mourner mourner = { breeder, tr_probe_ref(probe), scaled(10000, 1000000), 0 };
    probe_spawn(&mourner_actor, &mourner);
    expect(again);
    cr_assert_eq(alive + reachable + named, 0, "alive %u times, reachable %u, with a name %u", alive, reachable, named);
    close_system();
}

/* ---- demonitor --------------------------------------------------------------------------------------------------- */

Test(monitor, after_demonitor_nothing_comes)
{
    open_system(2);
    struct setting first = { make_puppet(0), { 0 } }, second = first;
    tr_probe_do(probe, set, &first);
    tr_probe_do(probe, set, &second);
    settle(first.who); /* both have arrived there */
    tr_probe_do(probe, demonitor, &first);
    perform(first.who, end_well, NULL);
    cr_assert_eq(expect(tr_down)->call, second.monitor.bits);
    expect_nothing(0);
    close_system();
}

struct flush {
    struct setting setting;
    struct gate gate;
};

static int demonitor_what_waits(tr_self *self, void *arg)
{
    struct flush *flush = arg;
    set(self, &flush->setting);
    gate_pass(&flush->gate);
    tr_demonitor(self, flush->setting.monitor);
    return TR_CONTINUE;
}

Test(monitor, demonitor_takes_back_what_waits_in_the_mailbox)
{
    struct flush flush;
    open_system(2);
    gate_init(&flush.gate);
    flush.setting.who = make_puppet(0);
    struct setting other = flush.setting;
    tr_ref watcher = make_puppet(0);
    tr_stats before = stats_now();
    direct(watcher, demonitor_what_waits, &flush);
    gate_await(&flush.gate);
    perform(flush.setting.who, crash, NULL);
    tr_probe_do(probe, set, &other);
    expect(tr_down); /* so the watcher's, which was set earlier, has been sent, too */
    gate_open(&flush.gate);
    settle(watcher);
    expect_nothing(0);
    cr_assert_eq(stats_now().expired, before.expired + 1);
    close_system();
}

Test(monitor, demonitor_is_harmless_where_there_is_nothing_to_end)
{
    open_system(1);
    struct setting mine = { make_puppet(0), { 0 } }, none = { TR_NOBODY, { 0 } };
    tr_probe_do(probe, demonitor, &none);
    tr_probe_do(probe, set, &mine);
    perform(make_puppet(0), demonitor, &mine); /* somebody else's */
    tr_ref puppet = mine.who;
    perform(puppet, end_well, NULL);
    expect_down(puppet, 0);
    tr_probe_do(probe, demonitor, &mine);
    tr_probe_do(probe, demonitor, &mine);
    close_system();
}

/* ---- storms ------------------------------------------------------------------------------------------------------ */

/* Sets monitors on mortals, of which it ends many, and takes some of the monitors back at every possible moment. In the
 * end it has been told of each that it did not take back, once, and of no other. */
struct watcher {
    tr_ref master;
    unsigned left, pending;
    struct {
        tr_monitor monitor;
        bool told, taken_back;
    } watched[64];
};

static int watcher_start(tr_self *self, void *state, const void *arg)
{
    struct watcher *me = state;
    me->master = *(const tr_ref *)arg;
    me->left = scaled(300, 30000);
    tr_send(self, tr_me(self), again);
    return TR_CONTINUE;
}

static void next_round(tr_self *self, struct watcher *me)
{
    tr_ref mortals[4];
    for (unsigned i = 0; i < 64; i++) {
        if (i < 4)
            mortals[i] = tr_spawn(self, &mortal_actor, NULL);
        if (i == 32)
            for (unsigned n = 0; n < 3; n++)
                tr_send(self, mortals[n], again);
        me->watched[i].monitor = tr_monitor_set(self, mortals[i % 4]);
        me->watched[i].told = me->watched[i].taken_back = false;
        me->pending++;
    }
    tr_kill(self, mortals[3]);
    for (unsigned i = 0; i < 64; i += 1 + tr_random_below(self, 3)) {
        tr_demonitor(self, me->watched[i].monitor);
        me->watched[i].taken_back = true;
        me->pending--;
    }
}

static int watcher_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct watcher *me = state;
    if (tr_is(tr_down, m)) {
        unsigned i = 0;
        while (i < 64 && me->watched[i].monitor.bits != m->call)
            i++;
        cr_assert_lt(i, 64u, "of a monitor that was never set, or in an earlier round");
        cr_assert_not(me->watched[i].told, "told twice");
        cr_assert_not(me->watched[i].taken_back, "told of what was taken back");
        me->watched[i].told = true;
        me->pending--;
        unsigned other = tr_random_below(self, 64);
        if (!me->watched[other].told && !me->watched[other].taken_back) {
            tr_demonitor(self, me->watched[other].monitor);
            me->watched[other].taken_back = true;
            me->pending--;
        }
    }
    if (me->pending)
        return TR_CONTINUE;
    if (me->left-- == 0) {
        tr_send(self, me->master, again);
        return TR_STOP;
    }
    next_round(self, me);
    return TR_CONTINUE;
}

static const tr_actor watcher_actor = { TR_SPEC, .name = "watcher", .start = watcher_start, .receive = watcher_receive,
    .state_size = sizeof(struct watcher), .arg_size = sizeof(tr_ref) };

Test(monitor, in_a_storm_each_monitor_is_told_once_or_was_taken_back)
{
    enum { N = 4 };
    open_system(2);
    tr_ref me = tr_probe_ref(probe);
    for (int i = 0; i < N; i++)
        probe_spawn(&watcher_actor, &me);
    for (int i = 0; i < N; i++)
        expect(again);
    close_system();
}

/* Watchers that end while the watched do: nobody is there to be told. */
static int watch_each_other(tr_self *self, void *arg)
{
    tr_ref *others = arg;
    for (int i = 0; i < 50; i++)
        tr_monitor_set(self, others[i]);
    return TR_CONTINUE;
}

Test(monitor, watchers_and_watched_may_end_at_the_same_time)
{
    open_system(2);
    for (unsigned round = 0; round < scaled(20, 1000); round++) {
        tr_ref puppets[50];
        for (int i = 0; i < 50; i++)
            puppets[i] = make_puppet(0);
        for (int i = 0; i < 50; i++)
            direct(puppets[i], watch_each_other, puppets);
        for (int i = 0; i < 50; i++)
            direct(puppets[i], end_well, NULL);
        for (int i = 0; i < 50; i++)
            while (tr_alive(puppets[i])) {
                const tr_msg *m = tr_probe_receive(probe, 0); /* what they were told and had time to forward */
                cr_assert(!m || tr_is(tr_down, m));
            }
    }
    close_system();
}
