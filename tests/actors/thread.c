/* Actors with threads of their own. */
#include "tests/actors/puppet.h"

#include "actors/self.h"
#include "tests/threads.h"

TR_SIGNAL(nudge);
TR_DEFINE(nudge);

static const tr_actor thread_puppet = { PUPPET, .thread = true };

static tr_ref make_thread_puppet(void)
{
    tr_ref puppet = probe_spawn(&thread_puppet, &(struct puppet){ tr_probe_ref(probe), 0 });
    cr_assert_not(tr_ref_is_nobody(puppet));
    return puppet;
}

static int say_worker(tr_self *self, void *arg)
{
    *(unsigned *)arg = self->worker->index;
    return TR_CONTINUE;
}

static unsigned worker_of(tr_ref puppet)
{
    unsigned worker = 0;
    perform(puppet, say_worker, &worker);
    return worker;
}

Test(thread, each_has_its_own_and_runs_on_no_other)
{
    open_system(2);
    tr_ref a = make_thread_puppet(), b = make_thread_puppet(), ordinary = make_puppet(0);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(worker_of(a), 2);
        cr_assert_eq(worker_of(b), 3);
        cr_assert_lt(worker_of(ordinary), 2);
    }
    close_system();
}

static tr_ref others[100];
static struct gate gate;

static int send_and_wait(tr_self *self, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(tr_send(self, others[i], nudge), 0);
    gate_pass(&gate);
    return TR_CONTINUE;
}

/* With one worker beside it: nobody is held, though its handler does not return; and whom it makes runnable runs there. */
Test(thread, a_handler_that_does_not_return_holds_nobody)
{
    gate_init(&gate);
    open_system(1);
    tr_ref waiting = make_thread_puppet();
    for (unsigned i = 0; i < 100; i++)
        others[i] = make_puppet(0);
    direct(waiting, send_and_wait, NULL);
    gate_await(&gate);
    for (unsigned i = 0; i < 100; i++)
        expect(nudge);
    cr_assert_eq(worker_of(others[7]), 0);
    gate_open(&gate);
    cr_assert_eq(worker_of(waiting), 1);
    close_system();
}

static int set_timer(tr_self *self, void *arg)
{
    (void)arg;
    tr_after(self, TR_MS(5), 1);
    return TR_CONTINUE;
}

static int nudge_the_probe(tr_self *self, void *arg)
{
    return tr_send(self, *(tr_ref *)arg, nudge);
}

Test(thread, it_sleeps_and_wakes_for_messages_and_timers)
{
    open_system(1);
    tr_ref puppet = make_thread_puppet(), me = tr_probe_ref(probe);
    for (int i = 0; i < 5; i++) {
        perform(puppet, set_timer, NULL);
        expect(tr_timeout);
        perform(puppet, nudge_the_probe, &me);
        expect(nudge);
    }
    close_system();
}

static bool is_taken(struct tri_sched *sched, unsigned worker)
{
    pthread_mutex_lock(&sched->own_lock);
    bool taken = sched->workers[worker]->taken;
    pthread_mutex_unlock(&sched->own_lock);
    return taken;
}

Test(thread, the_thread_of_one_that_has_ended_is_the_next_ones)
{
    open_system(2);
    struct tri_system *system = tri_system_enter_handle(&test_system);
    for (int i = 0; i < 20; i++) {
        tr_ref puppet = make_thread_puppet();
        worker_of(puppet);
        perform(puppet, end_well, NULL);
        wait_until(!tr_alive(puppet));
        wait_until(!is_taken(&system->sched, 2));
    }
    cr_assert_eq(tri_sched_all(&system->sched), 3);
    tri_system_leave(system->number);
    close_system();
}

static unsigned int lives, homes;

/* Each life but the third ends by failing. */
static int live(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    ck_pr_or_uint(&homes, 1u << self->worker->index);
    ck_pr_inc_uint(&lives);
    tr_after(self, 0, 0);
    return TR_CONTINUE;
}

static int fail_twice(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return ck_pr_load_uint(&lives) < 3 ? TR_EPROTO : TR_CONTINUE;
}

static const tr_actor failing = { TR_SPEC, .name = "failing", .start = live, .receive = fail_twice, .thread = true };
static const tr_child children[] = { { .actor = &failing } };
static const tr_supervisor boss = { TR_SUPERVISOR, .name = "boss", .children = children, .count = 1 };

Test(thread, one_that_is_started_again_keeps_it)
{
    open_system_with((tr_options){ .supervisor = &boss, .workers = 2 });
    wait_until(ck_pr_load_uint(&lives) == 3);
    cr_assert_eq(homes, 1u << 2);
    close_system();
}

/* ---- everything at once -------------------------------------------------------------------------------------------- */

enum { FRIENDS = 8, LAPS = 300 };

static tr_ref ring[FRIENDS];
static unsigned int laps;

TR_MESSAGE(token, unsigned n;);
TR_DEFINE(token);

static int pass_on(tr_self *self, void *state, const tr_msg *m)
{
    unsigned n = tr_body(token, m)->n;
    (void)state;
    if (n % FRIENDS == 0)
        ck_pr_inc_uint(&laps);
    if (n < FRIENDS * LAPS)
        cr_assert_eq(tr_send(self, ring[(n + 1) % FRIENDS], token, .n = n + 1), 0);
    return TR_CONTINUE;
}

static const tr_actor friend = { TR_SPEC, .name = "friend", .receive = pass_on };
static const tr_actor thread_friend = { TR_SPEC, .name = "friend", .receive = pass_on, .thread = true };

Test(thread, a_token_that_goes_from_thread_to_worker_and_back_is_not_lost)
{
    open_system(2);
    for (unsigned i = 0; i < FRIENDS; i++)
        ring[i] = probe_spawn(i % 2 ? &friend : &thread_friend, NULL);
    tr_probe_send(probe, ring[0], token, .n = 0);
    wait_until(ck_pr_load_uint(&laps) == LAPS + 1);
    close_system();
}
