/* Running systems: options, ports, stopping, signals, several at once, posts from outside, fairness. */
#include "tests/io/tcp_support.h"

/* ---- options ----------------------------------------------------------------------------------------------------- */

Test(run, bad_options_are_refused_with_a_line_that_says_which)
{
    static const tr_supervisor supervisor = { 0 };
    static const struct {
        tr_options options;
        int error;
        const char *line;
    } rows[] = {
        { { .workers = 1 }, TR_EINVAL, "needs a root" },
        { { .actor = &quiet_root, .supervisor = &supervisor }, TR_EINVAL, "needs a root" },
        { { .actor = &quiet_root, .workers = 1001 }, TR_EINVAL, "1001 workers" },
        { { .actor = &quiet_root, .port = "kqueue" }, TR_EINVAL, "\"kqueue\"" },
        { { .actor = &quiet_root, .spin_ns = -1 }, TR_EINVAL, "spin_ns is -1" },
        { { .actor = &quiet_root, .spin_ns = TR_SECONDS(2) }, TR_EINVAL, "spin_ns is 2000000000" },
    };
    capture_log(TR_LOG_ERROR);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(tr_run(&rows[i].options), rows[i].error, "row %zu", i);
        expect_logged(rows[i].line);
    }
    set_environment("TROUPE_PORT", "nonsense");
    cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root }), TR_EINVAL);
    expect_logged("\"nonsense\"");
    set_environment("TROUPE_PORT", NULL);
    static const char *const spins[] = { "soon", "-1", "5x", "1000001" };
    for (size_t i = 0; i < sizeof spins / sizeof spins[0]; i++) {
        set_environment("TROUPE_SPIN", spins[i]);
        cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root }), TR_EINVAL, "%s", spins[i]);
        expect_logged(spins[i]);
    }
    expect_nothing_left();
}

static int ends_with(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    return *(const int *)arg;
}

static const tr_actor brief_root = { TR_SPEC, .name = "brief", .start = ends_with, .receive = quiet_receive,
    .arg_size = sizeof(int) };

Test(run, it_answers_the_reason_of_the_root_and_can_run_again)
{
    static const int reasons[] = { TR_STOP, TR_EPROTO, TR_STOP, TR_EIO };
    for (size_t i = 0; i < 4; i++) {
        int expected = reasons[i] == TR_STOP ? 0 : reasons[i];
        cr_assert_eq(tr_run(&(tr_options){ .actor = &brief_root, .arg = &reasons[i], .workers = 2 }), expected);
    }
    expect_nothing_left();
}

/* Every request for memory can fail, and every descriptor be missing: the answer says so and nothing is left. */
Test(run, a_system_that_cannot_be_opened_leaves_nothing)
{
    int before = open_descriptors(), answer;
    static const int stop = TR_STOP;
    unsigned nth = 0;
    tri_pool_off();
    capture_log(TR_LOG_ERROR);
    do {
        tri_memory_fail(++nth, false);
        answer = tr_run(&(tr_options){ .actor = &brief_root, .arg = &stop, .workers = 2 });
        bool failed = tri_memory_fail(0, false) > 0;
        cr_assert(answer == 0 || answer == TR_ENOMEM, "request %u: %s", nth, tr_error_name(answer));
        cr_assert_eq(open_descriptors(), before, "request %u", nth);
        if (!failed)
            break;
    } while (nth < 10000);
    cr_assert_gt(nth, 10);
    expect_nothing_left();
    struct rlimit old;
    for (int count = 0;; count++) {
        old = leave_descriptors(0);
        setrlimit(RLIMIT_NOFILE, &old); /* there are no holes now */
        before = open_descriptors();
        old = leave_descriptors(count);
        answer = tr_run(&(tr_options){ .actor = &brief_root, .arg = &stop, .workers = 2 });
        setrlimit(RLIMIT_NOFILE, &old);
        cr_assert_eq(open_descriptors(), before, "%d descriptors", count);
        if (answer == 0)
            break;
        cr_assert_eq(answer, TR_EMFILE, "%d descriptors: %s", count, tr_error_name(answer));
        cr_assert_lt(count, 100);
    }
    expect_nothing_left();
}

Test(run, thirty_two_systems_can_run_at_once_and_no_more)
{
    tr_system systems[33] = { 0 };
    capture_log(TR_LOG_ERROR);
    for (int i = 0; i < 32; i++)
        cr_assert_eq(tr_open(&systems[i], &(tr_options){ .actor = &quiet_root, .workers = 1, .port = tr_default_port() }), 0);
    cr_assert_eq(tr_open(&systems[32], &(tr_options){ .actor = &quiet_root, .workers = 1 }), TR_ELIMIT);
    for (int i = 0; i < 32; i++)
        cr_assert_eq(tr_close(&systems[i]), 0);
    cr_assert_eq(tr_close(&systems[0]), TR_ECLOSED);
    expect_nothing_left();
}

Test(run, a_connection_can_lead_from_one_system_to_another)
{
    tr_system other = { 0 };
    tr_ref listener, a, b;
    open_system(1);
    tr_probe *here = probe;
    tr_address address = listen_somewhere(&listener, NULL);
    cr_assert_eq(tr_open(&other, &(tr_options){ .actor = &quiet_root, .workers = 1 }), 0);
    tr_probe *there = probe = tr_probe_open(&other);
    a = connect_to(&address);
    expect(tr_tcp_connected);
    probe = here;
    b = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection;
    act(OWN, b, .other = tr_probe_ref(here));
    expect(tr_tcp_connected);
    act(WRITE, b, .bytes = "hello", .size = 5);
    probe = there;
    expect_data(a, "hello");
    tr_probe_close(there);
    cr_assert_eq(tr_close(&other), 0);
    probe = here;
    const tr_msg *m = tr_probe_receive(probe, SOON);
    if (m && tr_is(tr_tcp_eof, m) && is_wine())
        m = tr_probe_receive(probe, SOON); /* there a reset can look like the end */
    cr_assert(m && tr_is(tr_tcp_closed, m) && tr_ref_eq(m->from, b));
    close_system();
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

/* B35. */
Test(run, stop_before_run_lets_it_start_stop_and_end)
{
    tr_system system = { 0 };
    for (int i = 0; i < 5; i++) {
        tr_stop(&system);
        tr_stop(&system);
        cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .workers = 2, .system = &system }), 0);
    }
    expect_nothing_left();
}

static void *stop_later(void *system)
{
    for (int i = 0; i < 20; i++) {
        poll(NULL, 0, 1);
        tr_stop(system);
    }
    return NULL;
}

Test(run, stop_works_from_any_thread_any_number_of_times)
{
    tr_system system = { 0 };
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, stop_later, &system);
    cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .workers = 2, .system = &system }), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    expect_nothing_left();
}

struct other_thread {
    tr_system system;
    int result;
};

static void *run_here(void *arg)
{
    struct other_thread *other = arg;
    other->result = tr_run(&(tr_options){ .actor = &quiet_root, .workers = 2, .signals = true, .system = &other->system });
    return NULL;
}

Test(run, any_thread_may_run_a_system_that_takes_signals_too)
{
    pthread_t thread;
    struct other_thread other = { .result = 1 };
    cr_assert_eq(pthread_create(&thread, NULL, run_here, &other), 0);
    tr_stop(&other.system);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(other.result, 0);
    expect_nothing_left();
}

static int waits_for_ever(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    for (;;)
        poll(NULL, 0, 1000);
    return TR_CONTINUE;
}

static const tr_actor stuck_root = { TR_SPEC, .name = "stuck", .start = waits_for_ever, .receive = quiet_receive };

Test(run, what_does_not_end_in_time_is_named_and_left)
{
    tr_system system = { 0 };
    capture_log(TR_LOG_ERROR);
    tr_stop(&system);
    cr_assert_eq(tr_run(&(tr_options){ .actor = &stuck_root, .workers = 2, .system = &system, .shutdown_ns = TR_MS(50) }),
        TR_ETIMEDOUT);
    expect_logged("stuck");
}

/* ---- posts from outside ------------------------------------------------------------------------------------------ */

TR_MESSAGE(number, uint32_t thread, n;);
TR_DEFINE(number);

enum { THREADS = 8 };

struct count {
    uint32_t next[THREADS];
    uint64_t total;
};

static uint32_t counted_all;

static int count(tr_self *self, void *state, const tr_msg *m)
{
    struct count *me = state;
    (void)self;
    if (!tr_is(number, m))
        return TR_CONTINUE;
    const number *one = tr_body(number, m);
    if (one->n != me->next[one->thread]++) /* B32 */
        tri_panic("thread %u: %u came out of order", one->thread, one->n);
    if (++me->total == (uint64_t)THREADS * scaled(20000, 125000))
        ck_pr_store_32(&counted_all, 1);
    return TR_CONTINUE;
}

static const tr_actor count_actor = { TR_SPEC, .name = "count", .receive = count, .state_size = sizeof(struct count),
    .mailbox = TR_MAILBOX_MAX };

static int spawn_count(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_spawn(self, &count_actor, NULL);
    return 0;
}

struct poster {
    pthread_t thread;
    tr_ref to;
    uint32_t number;
};

static void *post_all(void *arg)
{
    struct poster *me = arg;
    for (uint32_t n = 0; n < scaled(20000, 125000);)
        n += tr_post(me->to, number, .thread = me->number, .n = n) == 0; /* full: again */
    return NULL;
}

/* B31: none lost, none doubled, in order; close_system() counts them all once more. */
Test(run, posts_from_eight_threads_all_arrive_in_order)
{
    struct poster posters[THREADS];
    tr_ref to;
    open_system(2);
    tr_probe_do(probe, spawn_count, &to);
    for (uint32_t i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .to = to, .number = i };
        pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(posters[i].thread, NULL);
    for (int i = 0; i < 10000 && !ck_pr_load_32(&counted_all); i++)
        poll(NULL, 0, 1);
    cr_assert(ck_pr_load_32(&counted_all));
    close_system();
}

/* B31: a sleeping system is woken each time. */
Test(run, a_post_wakes_a_sleeping_system)
{
    open_system(2);
    for (uint32_t i = 0; i < 200; i++) {
        if (i % 10 == 0)
            poll(NULL, 0, 10); /* they all sleep */
        cr_assert_eq(tr_post(tr_probe_ref(probe), number, .n = i), 0);
        cr_assert_eq(tr_body(number, expect(number))->n, i);
    }
    close_system();
}

/* ---- fairness ---------------------------------------------------------------------------------------------------- */

TR_SIGNAL(again);
TR_DEFINE(again);

static int goes_on_and_on(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    tr_send(self, tr_me(self), again);
    return TR_CONTINUE;
}

static int goes_on_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_send(self, tr_me(self), again);
}

static const tr_actor goes_on_actor = { TR_SPEC, .name = "goes on", .start = goes_on_start, .receive = goes_on_and_on };

static int spawn_busy(tr_self *self, void *arg)
{
    tr_ref *busy = arg;
    for (int i = 0; i < 8; i++)
        busy[i] = tr_spawn(self, &goes_on_actor, NULL);
    return 0;
}

/* B33: beside eight actors that keep two workers busy for ever, I/O and timers come through. */
Test(run, actors_that_never_run_out_of_work_starve_neither_io_nor_timers)
{
    tr_ref listener, busy[8];
    open_system(2);
    tr_address address = listen_somewhere(&listener, NULL);
    tr_probe_do(probe, spawn_busy, busy);
    for (int i = 0; i < 10; i++) {
        char text[4] = { (char)('a' + i) };
        int peer = peer_connect(&address);
        tr_ref c = tr_body(tr_tcp_accepted, expect(tr_tcp_accepted))->connection;
        act(OWN, c, .other = tr_probe_ref(probe));
        expect(tr_tcp_connected);
        for (int k = 0; k < 10; k++) {
            peer_send(peer, text, 1);
            expect_data(c, text);
            act(WRITE, c, .bytes = text, .size = 1);
            peer_expect(peer, text);
        }
        act(TIMEOUTS, c, .t1 = TR_MS(2));
        expect_closed(c, TR_ETIMEDOUT);
        close(peer);
    }
    for (int i = 0; i < 8; i++)
        act(KILL, busy[i]);
    close_system();
}
