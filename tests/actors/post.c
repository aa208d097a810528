/* Sending from foreign threads: none lost, none doubled, in order, and a sleeping system wakes up. */
#include "tests/actors/puppet.h"

TR_MESSAGE(numbered, unsigned thread; unsigned n;);
TR_DEFINE(numbered);
TR_SIGNAL(done);
TR_DEFINE(done);

static unsigned dropped;

static void count_drop(void *body)
{
    (void)body;
    ck_pr_inc_uint(&dropped);
}
TR_MESSAGE(owned, int n;);
TR_DEFINE(owned, .drop = count_drop);

enum { THREADS = 8 };

/* ---- all of them, in order ----------------------------------------------------------------------------------------- */

struct counter {
    tr_ref master;
    unsigned each, whole, seen[THREADS];
};

static int counter_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    memcpy(state, arg, sizeof(struct counter));
    return TR_CONTINUE;
}

static int counter_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct counter *me = state;
    const numbered *body = tr_body(numbered, m);
    cr_assert(tr_ref_is_nobody(m->from));
    cr_assert_eq(body->n, me->seen[body->thread], "thread %u: %u after %u", body->thread, body->n, me->seen[body->thread]);
    if (++me->seen[body->thread] == me->each && ++me->whole == THREADS)
        tr_send(self, me->master, done);
    return TR_CONTINUE;
}

static const tr_actor counter_actor = { TR_SPEC, .name = "counter", .start = counter_start, .receive = counter_receive,
    .state_size = sizeof(struct counter), .arg_size = sizeof(struct counter), .mailbox = 4096 };

struct poster {
    tr_ref to;
    unsigned thread, each;
};

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (unsigned n = 0; n < poster->each;) {
        int result = tr_post(poster->to, numbered, .thread = poster->thread, .n = n);
        if (result == 0)
            n++;
        else
            cr_assert_eq(result, TR_EFULL); /* it is a dead letter, and is posted again */
    }
    return NULL;
}

Test(post, what_eight_threads_post_arrives_once_and_in_the_order_of_each)
{
    pthread_t threads[THREADS];
    struct poster posters[THREADS];
    unsigned each = scaled(100000, 1000000) / THREADS;
    open_system(2);
    struct counter counter = { .master = tr_probe_ref(probe), .each = each };
    tr_ref to = probe_spawn(&counter_actor, &counter);
    for (unsigned i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ to, i, each };
        pthread_create(&threads[i], NULL, post_all, &posters[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect(done);
    tr_stats stats;
    do
        stats = stats_now();
    while (stats.sent != stats.delivered + stats.dead + stats.expired);
    cr_assert_geq(stats.delivered, (uint64_t)each * THREADS);
    cr_assert_eq(stats.dead, stats.dead_full);
    close_system();
}

static void wait_until_all_sleep(void)
{
    struct tri_system *system = tri_system_enter(test_system.number_ - 1);
    for (unsigned i = 0; i < system->sched.count;)
        i = ck_pr_load_uint(&system->sched.workers[i]->state) == TRI_PARKED ? i + 1 : 0;
    tri_system_leave(test_system.number_ - 1);
}

Test(post, a_post_wakes_a_sleeping_system)
{
    open_system(2);
    for (unsigned i = 0; i < scaled(500, 50000); i++) {
        wait_until_all_sleep();
        cr_assert_eq(tr_post(tr_probe_ref(probe), numbered, .n = i), 0);
        const tr_msg *m = expect(numbered);
        cr_assert_eq(tr_body(numbered, m)->n, i);
        cr_assert(tr_ref_is_nobody(m->from));
    }
    close_system();
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static const tr_actor narrow_actor = { PUPPET, .mailbox = 2 };

Test(post, a_post_says_what_became_of_it_and_consumes_in_any_case)
{
    struct gate gate;
    gate_init(&gate);
    tri_pool_off();
    open_system(2);
    tr_ref narrow = probe_spawn(&narrow_actor, &(struct puppet){ tr_probe_ref(probe), 0 });
    cr_assert_eq(tr_post(narrow, owned, .n = 1), 0);
    expect(owned);
    direct(narrow, stand_at, &gate);
    gate_await(&gate);
    int accepted = 0;
    while (tr_post(narrow, owned, .n = accepted) == 0)
        accepted++;
    cr_assert_leq(accepted, 2);
    cr_assert_eq(tr_post(narrow, owned, .n = 2), TR_EFULL);
    tri_memory_fail(1, false);
    cr_assert_eq(tr_post(tr_probe_ref(probe), owned, .n = 5), TR_ENOMEM);
    tri_memory_fail(0, false);
    gate_open(&gate);
    for (int i = 0; i < accepted; i++)
        cr_assert_eq(tr_body(owned, expect(owned))->n, i);
    settle(narrow);
    perform(narrow, end_well, NULL);
    while (tr_alive(narrow)) {
    }
    cr_assert_eq(tr_post(narrow, owned, .n = 7), TR_EDOWN);
    cr_assert_eq(tr_post(TR_NOBODY, owned, .n = 8), TR_EDOWN);
    expect_nothing(0);
    close_system();
    cr_assert_eq(tr_post(narrow, owned, .n = 9), TR_EDOWN, "the system is gone");
    cr_assert_eq(dropped, 1u + (unsigned)accepted + 1 + 1 + 1 + 1 + 1 + 1);
}

static int post_from_a_handler(tr_self *self, void *arg)
{
    (void)self;
    cr_assert_eq(tr_post(*(tr_ref *)arg, done), 0);
    return TR_CONTINUE;
}

Test(post, a_handler_may_post_too)
{
    open_system(1);
    tr_ref me = tr_probe_ref(probe);
    perform(make_puppet(0), post_from_a_handler, &me);
    cr_assert(tr_ref_is_nobody(expect(done)->from));
    close_system();
}

/* A root whose stop waits for the test: meanwhile the system shuts down, and takes nothing from outside. */
struct late {
    struct gate gate;
    tr_ref root;
};

static int late_start(tr_self *self, void *state, const void *arg)
{
    struct late *late = *(struct late *const *)arg;
    *(struct late **)state = late;
    ck_pr_store_64(&late->root.bits, tr_me(self).bits);
    return TR_CONTINUE;
}

static void late_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)reason;
    gate_pass(&(*(struct late **)state)->gate);
}

static const tr_actor late_root = { TR_SPEC, .name = "late root", .start = late_start, .receive = quiet_receive,
    .stop = late_stop, .state_size = sizeof(void *), .arg_size = sizeof(void *) };

static void *close_it(void *arg)
{
    *(int *)arg = tr_close(&test_system);
    return NULL;
}

Test(post, a_system_that_shuts_down_takes_nothing_from_outside)
{
    struct late late = { .root = TR_NOBODY }, *arg = &late;
    pthread_t thread;
    int result = 1;
    gate_init(&late.gate);
    open_system_with((tr_options){ .actor = &late_root, .arg = &arg, .workers = 1 });
    while (!ck_pr_load_64(&late.root.bits)) {
    }
    cr_assert_eq(tr_post(late.root, owned, .n = 1), 0);
    tr_probe_close(probe);
    pthread_create(&thread, NULL, close_it, &result);
    gate_await(&late.gate);
    cr_assert_eq(tr_post(late.root, owned, .n = 1), TR_ECLOSED);
    gate_open(&late.gate);
    pthread_join(thread, NULL);
    cr_assert_eq(result, 0);
    cr_assert_eq(tr_post(late.root, owned, .n = 1), TR_EDOWN);
    cr_assert_eq(dropped, 3u);
    expect_nothing_left();
}

/* ---- while the system comes and goes ------------------------------------------------------------------------------- */

static struct {
    tr_ref to;
    unsigned int stop;
    unsigned accepted, refused;
} outside;

static void *post_for_ever(void *arg)
{
    (void)arg;
    while (!ck_pr_load_uint(&outside.stop)) {
        int result = tr_post((tr_ref){ ck_pr_load_64(&outside.to.bits) }, owned, .n = 1);
        cr_assert(result == 0 || result == TR_EDOWN || result == TR_ECLOSED || result == TR_EFULL, "%d", result);
        ck_pr_inc_uint(result == 0 ? &outside.accepted : &outside.refused);
    }
    return NULL;
}

Test(post, threads_may_post_while_systems_are_closed_and_opened)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, post_for_ever, NULL);
    for (unsigned i = 0; i < scaled(30, 1000); i++) {
        open_system(2);
        ck_pr_store_64(&outside.to.bits, tr_probe_ref(probe).bits);
        unsigned before = ck_pr_load_uint(&outside.accepted);
        while (ck_pr_load_uint(&outside.accepted) < before + 10) {
        }
        tr_probe_close(probe);
        cr_assert_eq(tr_close(&test_system), 0); /* has checked the balance of the messages */
        cr_assert_eq(table_in_use(&tri_slots), 0);
    }
    ck_pr_store_uint(&outside.stop, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(dropped, outside.accepted + outside.refused);
    expect_nothing_left();
}
