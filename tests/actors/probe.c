/* The probe itself: an actor that a thread of the test drives. */
#include "sched/os.h"
#include "tests/actors/puppet.h"

#include <sched.h>

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

static unsigned dropped;

static void count_drop(void *body)
{
    (void)body;
    ck_pr_inc_uint(&dropped);
}
TR_MESSAGE(owned, int n;);
TR_DEFINE(owned, .drop = count_drop);

Test(probe, what_is_sent_to_a_probe_waits_until_it_is_received_and_stays_valid_until_the_next)
{
    open_system(2);
    tr_ref me = tr_probe_ref(probe);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(tr_probe_send(probe, me, owned, .n = i), 0);
    for (int i = 0; i < 100; i++) {
        const tr_msg *m = expect(owned);
        cr_assert_eq(tr_body(owned, m)->n, i);
        cr_assert(tr_ref_eq(m->from, me));
        cr_assert_eq(dropped, (unsigned)i);
    }
    cr_assert_null(tr_probe_receive(probe, 0));
    cr_assert_eq(dropped, 100u);
    close_system();
}

Test(probe, receiving_waits_as_long_as_it_was_told_to)
{
    const int64_t limits[] = { 0, -1, INT64_MIN, TR_MS(20) };
    open_system(1);
    for (unsigned i = 0; i < 4; i++) {
        int64_t before = tri_os_now();
        cr_assert_null(tr_probe_receive(probe, limits[i]));
        cr_assert_geq(tri_os_now() - before, limits[i] > 0 ? limits[i] : 0);
    }
    close_system();
}

static int set_timer(tr_self *self, void *arg)
{
    tr_after(self, *(int64_t *)arg, 5);
    return 17;
}

Test(probe, receiving_may_wait_for_ever)
{
    open_system(1);
    cr_assert_eq(tr_probe_do(probe, set_timer, &(int64_t){ TR_MS(5) }), 17);
    const tr_msg *m = tr_probe_receive(probe, TR_FOREVER);
    cr_assert(m && tr_is(tr_timeout, m));
    close_system();
}

static int who_am_i(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_me(self);
    return -5;
}

Test(probe, functions_are_run_as_the_probe_and_answer)
{
    tr_ref me = TR_NOBODY;
    open_system(2);
    cr_assert_eq(tr_probe_do(probe, who_am_i, &me), -5);
    cr_assert(tr_ref_eq(me, tr_probe_ref(probe)));
    cr_assert(tr_alive(me), "what a function answers does not end the probe");
    close_system();
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

struct asking {
    tr_ref to;
    tr_call call;
};

static int ask(tr_self *self, void *arg)
{
    struct asking *asking = arg;
    asking->call = tr_ask(self, asking->to, SOON, number, .n = 1);
    return TR_CONTINUE;
}

Test(probe, a_request_can_be_answered_once)
{
    open_system(2);
    struct asking asking = { tr_probe_ref(probe), { 0 } };
    tr_ref puppet = make_puppet(0);
    cr_assert_eq(tr_probe_reply(probe, number), TR_EINVAL);
    perform(puppet, ask, &asking);
    const tr_msg *m = expect(number);
    cr_assert_eq(m->call, asking.call.bits);
    cr_assert_eq(tr_probe_reply(probe, number, .n = 2), 0);
    cr_assert_eq(tr_probe_reply(probe, number, .n = 3), TR_EINVAL);
    m = expect(number); /* the puppet forwards the answer */
    cr_assert_eq(m->call, asking.call.bits);
    cr_assert_eq(tr_body(number, m)->n, 2);
    cr_assert_eq(tr_probe_reply(probe, number), TR_EINVAL);
    expect_nothing(0);
    close_system();
}

Test(probe, a_request_that_is_not_answered_is_answered_with_the_next_receive)
{
    open_system(2);
    struct asking asking = { tr_probe_ref(probe), { 0 } };
    tr_ref puppet = make_puppet(0);
    perform(puppet, ask, &asking);
    expect(number);
    const tr_msg *m = expect(tr_failed);
    cr_assert_eq(m->call, asking.call.bits);
    cr_assert_eq(tr_body(tr_failed, m)->reason, TR_EUNANSWERED);
    cr_assert(tr_ref_eq(tr_body(tr_failed, m)->to, tr_probe_ref(probe)));
    close_system();
}

Test(probe, the_one_who_asked_may_be_gone)
{
    open_system(2);
    struct asking asking = { tr_probe_ref(probe), { 0 } };
    tr_ref puppet = make_puppet(0);
    perform(puppet, ask, &asking);
    perform(puppet, end_well, NULL);
    while (tr_alive(puppet)) {
    }
    expect(number);
    cr_assert_eq(tr_probe_reply(probe, number, .n = 2), TR_EDOWN);
    close_system();
}

Test(probe, requests_that_wait_when_a_probe_is_closed_are_answered)
{
    open_system(2);
    tr_probe *other = tr_probe_open(&test_system);
    cr_assert_not_null(other);
    struct asking asking = { tr_probe_ref(other), { 0 } };
    for (int i = 0; i < 3; i++)
        tr_probe_do(probe, ask, &asking);
    cr_assert(tr_is(number, tr_probe_receive(other, SOON)));
    tr_probe_close(other); /* one received, two perhaps waiting with it */
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tr_body(tr_failed, expect(tr_failed))->reason, TR_EUNANSWERED);
    close_system();
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

Test(probe, what_waits_when_a_probe_is_closed_is_released)
{
    open_system(2);
    tr_ref me = tr_probe_ref(probe);
    for (int i = 0; i < 10; i++)
        tr_probe_send(probe, me, owned, .n = i);
    expect(owned);
    close_system();
    cr_assert_eq(dropped, 10u);
}

Test(probe, a_probe_traps_exits)
{
    open_system(2);
    tr_ref puppet = make_puppet(0), me = tr_probe_ref(probe);
    perform(puppet, link_it, &me);
    perform(puppet, crash, NULL);
    cr_assert_eq(tr_body(tr_exited, expect(tr_exited))->reason, TR_EPROTO);
    cr_assert(tr_alive(me));
    close_system();
}

static int nothing(tr_self *self, void *arg)
{
    (void)self;
    (void)arg;
    return 0;
}

Test(probe, a_probe_that_was_ended_says_so)
{
    open_system(2);
    tr_probe *other = tr_probe_open(&test_system);
    tr_ref it = tr_probe_ref(other);
    tr_probe_do(probe, monitor_it, &it);
    tr_probe_do(probe, kill_it, &it);
    cr_assert_null(tr_probe_receive(other, SOON), "it ended, and does not wait for its time");
    expect_down(it, TR_EKILLED);
    cr_assert_eq(tr_probe_do(other, nothing, NULL), TR_EDOWN);
    tr_probe_close(other);
    close_system();
}

Test(probe, there_is_no_probe_where_no_system_runs)
{
    tr_system none = { 0 };
    cr_assert_null(tr_probe_open(&none));
    cr_assert_null(tr_probe_open(&test_system));
    open_system(1);
    close_system();
    cr_assert_null(tr_probe_open(&test_system));
}

Test(probe, without_memory_there_is_no_probe)
{
    tri_pool_off();
    open_system(1);
    for (uint64_t n = 1; n <= 2; n++) {
        tri_memory_fail(n, true);
        cr_assert_null(tr_probe_open(&test_system));
        cr_assert_gt(tri_memory_fail(0, false), 0u);
    }
    close_system();
}

Test(probe, several_probes_live_side_by_side)
{
    enum { N = 20 };
    tr_probe *probes[N];
    open_system(2);
    for (int i = 0; i < N; i++)
        cr_assert_not_null(probes[i] = tr_probe_open(&test_system));
    for (int i = 0; i < N; i++)
        tr_probe_send(probes[i], tr_probe_ref(probes[(i + 1) % N]), number, .n = i);
    for (int i = 0; i < N; i++) {
        const tr_msg *m = tr_probe_receive(probes[(i + 1) % N], SOON);
        cr_assert_not_null(m);
        cr_assert_eq(tr_body(number, m)->n, i);
        cr_assert(tr_ref_eq(m->from, tr_probe_ref(probes[i])));
    }
    for (int i = 0; i < N; i++)
        tr_probe_close(probes[i]);
    close_system();
}

/* One that opens and closes probes, and does not know when the system comes and goes. */
struct visitor {
    unsigned int stop, visits;
};

static void *visit(void *arg)
{
    struct visitor *visitor = arg;
    while (!ck_pr_load_uint(&visitor->stop)) {
        tr_probe *one = tr_probe_open(&test_system);
        if (!one)
            continue;
        ck_pr_inc_uint(&visitor->visits);
        tr_probe_close(one);
    }
    return NULL;
}

Test(probe, a_probe_may_be_opened_while_its_system_closes)
{
    enum { THREADS = 3 };
    struct visitor visitor = { 0 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, visit, &visitor), 0);
    for (unsigned i = 0, seen = 0; i < scaled(100, 10000); i++, seen = ck_pr_load_uint(&visitor.visits)) {
        cr_assert_eq(tr_open(&test_system, &(tr_options){ .actor = &quiet_root, .workers = 1 + i % 2 }), 0);
        while (ck_pr_load_uint(&visitor.visits) == seen)
            sched_yield();
        cr_assert_eq(tr_close(&test_system), 0);
    }
    ck_pr_store_uint(&visitor.stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect_nothing_left();
}
