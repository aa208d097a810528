/* Blocking jobs: each has one answer, and what it was given is released once. */
#include "tests/actors/puppet.h"

TR_SIGNAL(again);
TR_DEFINE(again);

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

struct job {
    struct gate gate;
    int n, result;
    unsigned runs, drops; /* counted on whichever thread */
    pthread_t thread;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    ck_pr_inc_uint(&job->runs);
    job->thread = pthread_self();
    return job->n;
}

static int run_through_gate(void *arg)
{
    struct job *job = arg;
    gate_pass(&job->gate);
    return run_job(job);
}

static void drop_job(void *arg)
{
    ck_pr_inc_uint(&((struct job *)arg)->drops);
}

struct blocking {
    struct job *job;
    int (*function)(void *arg);
    tr_call call;
};

static int block(tr_self *self, void *arg)
{
    struct blocking *b = arg;
    b->call = tr_block(self, b->function, b->job, .drop = drop_job);
    return TR_CONTINUE;
}

static int abandon(tr_self *self, void *arg)
{
    tr_abandon(self, *(tr_call *)arg);
    return TR_CONTINUE;
}

static struct blocking probe_block(int (*function)(void *arg), struct job *job)
{
    struct blocking b = { job, function, { 0 } };
    tr_probe_do(probe, block, &b);
    cr_assert_neq(b.call.bits, 0);
    return b;
}

static void expect_blocked(struct blocking b, int result)
{
    const tr_msg *m = expect(tr_blocked);
    cr_assert_eq(m->call, b.call.bits);
    cr_assert_eq(tr_body(tr_blocked, m)->result, result);
    cr_assert_eq(tr_body(tr_blocked, m)->arg, b.job);
}

Test(block, the_result_of_a_job_comes_back_as_a_message)
{
    struct job jobs[20] = { 0 };
    open_system(2);
    for (int i = 0; i < 20; i++) {
        jobs[i].n = i - 5;
        expect_blocked(probe_block(run_job, &jobs[i]), i - 5);
        cr_assert_eq(jobs[i].runs, 1u);
        cr_assert_not(pthread_equal(jobs[i].thread, pthread_self()));
    }
    close_system();
    for (int i = 0; i < 20; i++)
        cr_assert_eq(jobs[i].drops, 0u, "what was answered is the receiver's");
}

static int forty_two(void *arg)
{
    return arg ? 1 : 42;
}

static int block_without_argument(tr_self *self, void *arg)
{
    *(tr_call *)arg = tr_block(self, forty_two, NULL);
    return TR_CONTINUE;
}

Test(block, a_job_needs_neither_argument_nor_drop_function)
{
    tr_call call;
    open_system(1);
    tr_probe_do(probe, block_without_argument, &call);
    const tr_msg *m = expect(tr_blocked);
    cr_assert_eq(m->call, call.bits);
    cr_assert_eq(tr_body(tr_blocked, m)->result, 42);
    cr_assert_null(tr_body(tr_blocked, m)->arg);
    close_system();
}

/* ---- the actor goes on ------------------------------------------------------------------------------------------- */

Test(block, the_actor_goes_on_while_its_job_runs)
{
    struct job job = { .n = 7 };
    gate_init(&job.gate);
    open_system(1);
    struct blocking b = probe_block(run_through_gate, &job);
    gate_await(&job.gate);
    tr_probe_send(probe, tr_probe_ref(probe), again);
    expect(again);
    gate_open(&job.gate);
    expect_blocked(b, 7);
    close_system();
}

static int route_blocked(tr_self *self, void *state, const tr_msg *m)
{
    struct puppet *me = state;
    cr_assert_eq(tr_body(tr_blocked, m)->result, 3);
    tr_send(self, me->master, again);
    return TR_CONTINUE;
}

static int block_then(tr_self *self, void *arg)
{
    struct blocking *b = arg;
    block(self, b);
    tr_then(self, b->call, route_blocked);
    return TR_CONTINUE;
}

Test(block, the_answer_goes_to_the_router_given_for_the_call)
{
    struct job job = { .n = 3 };
    open_system(2);
    perform(make_puppet(0), block_then, &(struct blocking){ &job, run_job, { 0 } });
    expect(again);
    close_system();
}

/* ---- the limit --------------------------------------------------------------------------------------------------- */

Test(block, the_pool_grows_to_its_limit_and_more_jobs_wait)
{
    enum { LIMIT = 3, JOBS = 8 };
    struct job jobs[JOBS] = { 0 };
    struct blocking b[JOBS];
    open_system_with((tr_options){ .workers = 1, .blocking_threads = LIMIT });
    for (int i = 0; i < JOBS; i++) {
        gate_init(&jobs[i].gate);
        jobs[i].n = i;
        b[i] = probe_block(run_through_gate, &jobs[i]);
    }
    for (int i = 0; i < LIMIT; i++)
        gate_await(&jobs[i].gate);
    for (int i = 0; i < JOBS; i++) { /* one leaves, the next begins: in the order they were submitted */
        gate_open(&jobs[i].gate);
        expect_blocked(b[i], i);
        if (i + LIMIT < JOBS)
            gate_await(&jobs[i + LIMIT].gate);
        for (int later = i + LIMIT + 1; later < JOBS; later++)
            cr_assert_eq(tally_count(&jobs[later].gate.reached), 0, "job %d runs beyond the limit", later);
    }
    close_system();
}

/* ---- dropped ----------------------------------------------------------------------------------------------------- */

static void wait_for(unsigned *counter, unsigned value)
{
    while (ck_pr_load_uint(counter) < value) {
    }
    cr_assert_eq(ck_pr_load_uint(counter), value);
}

Test(block, an_abandoned_job_that_has_not_begun_is_not_run)
{
    struct job first = { 0 }, second = { 0 };
    gate_init(&first.gate);
    open_system_with((tr_options){ .workers = 1, .blocking_threads = 1 });
    struct blocking b = probe_block(run_through_gate, &first), abandoned = probe_block(run_job, &second);
    gate_await(&first.gate);
    tr_probe_do(probe, abandon, &abandoned.call);
    gate_open(&first.gate);
    expect_blocked(b, 0);
    wait_for(&second.drops, 1);
    cr_assert_eq(second.runs, 0u);
    expect_nothing(0);
    close_system();
    cr_assert_eq(first.drops, 0u);
}

Test(block, the_result_of_a_job_that_was_abandoned_while_it_ran_is_dropped)
{
    struct job job = { 0 };
    gate_init(&job.gate);
    open_system(1);
    struct blocking b = probe_block(run_through_gate, &job);
    gate_await(&job.gate);
    tr_probe_do(probe, abandon, &b.call);
    cr_assert_eq(job.drops, 0u, "it is the function's while that runs");
    gate_open(&job.gate);
    wait_for(&job.drops, 1);
    cr_assert_eq(job.runs, 1u);
    expect_nothing(0);
    close_system();
}

/* The tr_blocked waits in the mailbox when the call is given up. */
struct waiting {
    struct blocking b;
    struct gate gate;
};

static int block_wait_and_abandon(tr_self *self, void *arg)
{
    struct waiting *w = arg;
    block(self, &w->b);
    gate_pass(&w->gate);
    tr_abandon(self, w->b.call);
    return TR_CONTINUE;
}

static int wait_behind(void *arg)
{
    (void)arg;
    return 0;
}

Test(block, a_result_that_waits_in_the_mailbox_is_dropped_when_it_is_abandoned)
{
    struct job job = { 0 }, behind = { 0 };
    struct waiting w = { .b = { &job, run_job, { 0 } } };
    gate_init(&w.gate);
    open_system_with((tr_options){ .workers = 2, .blocking_threads = 1 });
    tr_ref puppet = make_puppet(0);
    direct(puppet, block_wait_and_abandon, &w);
    gate_await(&w.gate);
    expect_blocked(probe_block(wait_behind, &behind), 0); /* by the same thread, after the puppet's */
    gate_open(&w.gate);
    settle(puppet);
    wait_for(&job.drops, 1);
    cr_assert_eq(job.runs, 1u);
    expect_nothing(0);
    close_system();
}

Test(block, an_actor_may_end_before_while_and_after_its_jobs_run)
{
    struct job running = { 0 }, queued[3] = { 0 };
    gate_init(&running.gate);
    open_system_with((tr_options){ .workers = 2, .blocking_threads = 1 });
    tr_ref puppet = make_puppet(0);
    perform(puppet, block, &(struct blocking){ &running, run_through_gate, { 0 } });
    for (int i = 0; i < 3; i++)
        perform(puppet, block, &(struct blocking){ &queued[i], run_job, { 0 } });
    gate_await(&running.gate);
    perform(puppet, end_well, NULL);
    while (tr_alive(puppet)) {
    }
    gate_open(&running.gate);
    wait_for(&running.drops, 1);
    for (int i = 0; i < 3; i++) {
        wait_for(&queued[i].drops, 1);
        cr_assert_eq(queued[i].runs, 0u);
    }
    expect_nothing(0);
    close_system();
}

/* ---- shutdown ---------------------------------------------------------------------------------------------------- */

struct later {
    struct job *job;
    tr_ref owner;
};

static void *open_gate_later(void *arg)
{
    struct later *later = arg;
    while (tr_alive(later->owner)) {
    }
    gate_open(&later->job->gate);
    return NULL;
}

Test(block, shutdown_waits_for_jobs_that_run_and_drops_those_that_have_not_begun)
{
    struct job running = { 0 }, queued[3] = { 0 };
    gate_init(&running.gate);
    open_system_with((tr_options){ .workers = 2, .blocking_threads = 1 });
    tr_ref puppet = make_puppet(0);
    perform(puppet, block, &(struct blocking){ &running, run_through_gate, { 0 } });
    for (int i = 0; i < 3; i++)
        perform(puppet, block, &(struct blocking){ &queued[i], run_job, { 0 } });
    gate_await(&running.gate);
    tr_probe_close(probe);
    pthread_t thread;
    pthread_create(&thread, NULL, open_gate_later, &(struct later){ &running, puppet });
    cr_assert_eq(tr_close(&test_system), 0);
    pthread_join(thread, NULL);
    expect_nothing_left();
    cr_assert_eq(running.runs, 1u);
    cr_assert_eq(running.drops, 1u);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(queued[i].runs, 0u);
        cr_assert_eq(queued[i].drops, 1u);
    }
}

/* It has the whole time to end in, though the root has ended long before. */
Test(block, a_job_that_does_not_return_is_named_at_shutdown)
{
    static struct job job;
    gate_init(&job.gate);
    capture_log(TR_LOG_ERROR);
    open_system_with((tr_options){ .workers = 1, .shutdown_ns = TR_MS(1500) });
    perform(make_puppet(0), block, &(struct blocking){ &job, run_through_gate, { 0 } });
    gate_await(&job.gate);
    tr_probe_close(probe);
    int64_t began = tri_clock_now(&tri_clock_real);
    cr_assert_eq(tr_close(&test_system), TR_ETIMEDOUT);
    cr_assert_geq(tri_clock_now(&tri_clock_real) - began, TR_MS(1500), "all of the time was the job's");
    cr_assert_eq(logged("1 blocking jobs have not returned"), 1, "%s", captured.text);
    cr_assert_eq(logged("a job of actor puppet <0."), 1, "%s", captured.text);
    gate_open(&job.gate);
    wait_for(&job.drops, 1);
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

/* Actors that block, abandon and end at random: each job is answered or dropped, once. */
static unsigned made, answered, dropped;

static int short_job(void *arg)
{
    return *(int *)arg;
}

static void drop_short(void *arg)
{
    ck_pr_inc_uint(&dropped);
    free(arg);
}

struct blocker {
    tr_ref master;
    unsigned left, out; /* jobs to come, and those whose answer is awaited */
};

static int blocker_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct blocker *me = state;
    if (tr_is(tr_blocked, m)) {
        cr_assert_eq(*(int *)tr_body(tr_blocked, m)->arg, tr_body(tr_blocked, m)->result);
        free(tr_body(tr_blocked, m)->arg);
        ck_pr_inc_uint(&answered);
        me->out--;
    }
    for (int i = 0; i < 2 && me->left; i++, me->left--) {
        int *value = malloc(sizeof *value);
        *value = (int)me->left;
        ck_pr_inc_uint(&made);
        tr_call call = tr_block(self, short_job, value, .drop = drop_short);
        if (tr_random_below(self, 4) == 0)
            tr_abandon(self, call);
        else
            me->out++;
    }
    bool over = me->left == 0 && me->out == 0;
    if (over || tr_random_below(self, 200) == 0) { /* then with jobs out */
        tr_send(self, me->master, again);
        return TR_STOP;
    }
    return tr_is(tr_blocked, m) || me->left == 0 ? TR_CONTINUE : tr_send(self, tr_me(self), again);
}

static int blocker_start(tr_self *self, void *state, const void *arg)
{
    memcpy(state, arg, sizeof(struct blocker));
    return tr_send(self, tr_me(self), again);
}

static const tr_actor blocker_actor = { TR_SPEC, .name = "blocker", .start = blocker_start, .receive = blocker_receive,
    .state_size = sizeof(struct blocker), .arg_size = sizeof(struct blocker) };

Test(block, in_a_storm_each_job_is_answered_or_dropped_once)
{
    unsigned blockers = scaled(100, 2000);
    open_system(2);
    struct blocker blocker = { tr_probe_ref(probe), 200, 0 };
    for (unsigned i = 0; i < blockers; i++)
        probe_spawn(&blocker_actor, &blocker);
    for (unsigned i = 0; i < blockers; i++)
        expect(again);
    close_system();
    cr_assert_eq(made, answered + dropped, "%u jobs, %u answers, %u dropped", made, answered, dropped);
    cr_assert_gt(answered, 0u);
    cr_assert_gt(dropped, 0u);
}

/* ---- no memory --------------------------------------------------------------------------------------------------- */

struct poor {
    struct job job;
};

static int block_without_memory(tr_self *self, void *arg)
{
    struct poor *poor = arg;
    tri_memory_fail(1, true);
    while (tr_after(self, TR_HOURS(1), 0).bits) { /* uses up the promises at hand */
    }
    cr_assert_eq(tr_block(self, run_job, &poor->job, .drop = drop_job).bits, 0u);
    tri_memory_fail(0, false);
    return TR_CONTINUE;
}

Test(block, without_memory_nothing_runs_and_nothing_is_dropped)
{
    struct poor poor = { 0 };
    tri_pool_off();
    open_system(1);
    perform(make_puppet(0), block_without_memory, &poor);
    close_system();
    cr_assert_eq(poor.job.runs, 0u);
    cr_assert_eq(poor.job.drops, 0u);
}
