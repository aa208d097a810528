/*
 * Waits and jobs, on a worker of a running system.
 *
 * The library calls Windows through pointers that the linker fills in; three of them are filled in here, so that a call
 * can fail, be held up, or count. "At the same moment" is then no matter of luck.
 */
#include "tests/support.h"

#include "io/iocp_wait.h"
#include "sched/random.h"

#define demand(condition, ...) \
    do \
        if (!(condition)) \
            tri_panic(__VA_ARGS__); \
    while (0)

/* ---- Windows, as the library sees it ----------------------------------------------------------------------------- */

static uint32_t failing_posts, failing_events, failing_waits; /* so many calls, from now on */
static uint32_t waits_of_no_time;                             /* the same: their time-outs are cut to nothing */
static uint32_t posts;                                        /* of packets of waits, that have returned */
static uint32_t expected_posts;
static struct gate *post_gate; /* that the next post of a wait has to pass */

static bool takes_one(uint32_t *count)
{
    uint32_t left = ck_pr_load_32(count);
    while (left && !ck_pr_cas_32_value(count, left, left - 1, &left))
        ;
    return left > 0;
}

/* The real one; `pointer` is of the type of a pointer to it. */
#define find(module, name, pointer) \
    do { \
        FARPROC found = GetProcAddress(GetModuleHandleA(module), name); \
        demand(found, "there is no %s", name); \
        memcpy(&pointer, &found, sizeof pointer); \
    } while (0)

static BOOL WINAPI post(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped)
{
    __typeof__(&post) real;
    find("kernel32.dll", "PostQueuedCompletionStatus", real);
    struct gate *gate = key == TRI_KEY_WAIT ? ck_pr_fas_ptr(&post_gate, NULL) : NULL;
    if (gate)
        gate_pass(gate);
    if (key == TRI_KEY_WAIT && takes_one(&failing_posts)) {
        SetLastError(ERROR_NO_SYSTEM_RESOURCES);
        return FALSE;
    }
    BOOL done = real(port, bytes, key, overlapped);
    if (key == TRI_KEY_WAIT)
        ck_pr_inc_32(&posts);
    return done;
}

static BOOL WINAPI register_wait(PHANDLE wait, HANDLE object, WAITORTIMERCALLBACK callback, PVOID context, ULONG ms,
    ULONG flags)
{
    __typeof__(&register_wait) real;
    find("kernel32.dll", "RegisterWaitForSingleObject", real);
    if (takes_one(&failing_waits)) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    return real(wait, object, callback, context, ms != INFINITE && takes_one(&waits_of_no_time) ? 0 : ms, flags);
}

static HANDLE WINAPI create_event(LPSECURITY_ATTRIBUTES attributes, BOOL manual, BOOL set, LPCWSTR name)
{
    __typeof__(&create_event) real;
    find("kernel32.dll", "CreateEventW", real);
    if (takes_one(&failing_events)) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    return real(attributes, manual, set, name);
}

__typeof__(&post) __imp_PostQueuedCompletionStatus = post;
__typeof__(&register_wait) __imp_RegisterWaitForSingleObject = register_wait;
__typeof__(&create_event) __imp_CreateEventW = create_event;

static void await_post(void)
{
    expected_posts++;
    while (ck_pr_load_32(&posts) < expected_posts)
        sleep_for(TR_MS(1));
}

/* ---- one wait ---------------------------------------------------------------------------------------------------- */

/* The one worker's. */
static struct test_wait {
    struct tri_wait wait;
    HANDLE object;
    int64_t deadline;
    struct tally done;
    int result;
    int64_t when; /* it was said to be done */
    int again;    /* it is started so many times more */
} wait;

static struct tri_worker *worker;

static void on_done(struct tri_wait *w, int result)
{
    struct test_wait *me = tri_container_of(w, struct test_wait, wait);
    demand(tri_worker_here == worker, "on another worker");
    me->result = result;
    me->when = tri_clock_now(&tri_clock_real);
    if (me->again-- > 0)
        demand(tri_wait_start(w, me->object, me->deadline) == 0, "it cannot be started again");
    tally_add(&me->done);
}

static int start_it(tr_self *self, void *arg)
{
    struct test_wait *me = arg;
    worker = self->worker;
    me->wait.done = on_done;
    return tri_wait_start(&me->wait, me->object, me->deadline);
}

static int cancel_it(tr_self *self, void *arg)
{
    (void)self;
    tri_wait_cancel(&((struct test_wait *)arg)->wait);
    return 0;
}

static int count_in_flight(tr_self *self, void *arg)
{
    (void)arg;
    return (int)tri_io_port(self->worker)->in_flight;
}

static void open_one(void)
{
    open_system(1);
    tally_init(&wait.done);
    wait.object = CreateEventA(NULL, TRUE, FALSE, NULL);
    wait.deadline = INT64_MAX;
    cr_assert_not_null(wait.object);
}

static void close_one(void)
{
    cr_assert_eq(tr_probe_do(probe, count_in_flight, NULL), 0);
    cr_assert_eq(tally_count(&wait.done), 0, "done, once more");
    close_system();
    CloseHandle(wait.object);
}

/* It sleeps in its port. */
static void await_sleep(void)
{
    while (ck_pr_load_uint(&worker->state) != TRI_PARKED)
        sleep_for(TR_MS(1));
}

static void expect_done(int result)
{
    tally_take(&wait.done);
    cr_assert_eq(wait.result, result, "%s", tr_error_name(wait.result));
}

Test(iocp_wait, a_sleeping_worker_hears_of_what_is_signalled_later)
{
    open_one();
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
        await_sleep();
        cr_assert_eq(tally_count(&wait.done), 0);
        SetEvent(wait.object);
        expect_done(0);
        ResetEvent(wait.object);
    }
    close_one();
}

Test(iocp_wait, what_is_signalled_already_is_told_too)
{
    open_one();
    SetEvent(wait.object);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
        expect_done(0);
    }
    close_one();
}

TR_MESSAGE(tick, int n;);
TR_DEFINE(tick);

/* Is never without a message, until the wait is done. */
static int keep_busy(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    return tally_count(&wait.done) ? TR_STOP : tr_send(self, tr_me(self), tick, .n = 1);
}

static int start_busy(tr_self *self, void *state, const void *arg)
{
    (void)arg;
    SetEvent(wait.object);
    return keep_busy(self, state, NULL);
}

static int spawn_busy(tr_self *self, void *arg)
{
    static const tr_actor busy = { TR_SPEC, .name = "busy", .start = start_busy, .receive = keep_busy };
    (void)arg;
    return tr_monitor_set(self, tr_spawn(self, &busy, NULL)).bits ? 0 : TR_ENOMEM;
}

Test(iocp_wait, a_worker_that_never_sleeps_hears_of_it_too)
{
    open_one();
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
    cr_assert_eq(tr_probe_do(probe, spawn_busy, NULL), 0);
    expect(tr_down);
    expect_done(0);
    close_one();
}

Test(iocp_wait, a_wait_that_is_done_can_be_started_again_there_and_then)
{
    open_one();
    SetEvent(wait.object);
    wait.again = 50;
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
    for (int i = 0; i <= 50; i++)
        expect_done(0);
    close_one();
}

/* ---- time-outs --------------------------------------------------------------------------------------------------- */

static void expect_time_out_in(int64_t ns)
{
    wait.deadline = tri_clock_now(&tri_clock_real) + ns;
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
    expect_done(TR_ETIMEDOUT);
    cr_assert_geq(wait.when, wait.deadline, "%ld ns early", (long)(wait.deadline - wait.when));
}

Test(iocp_wait, a_time_out_is_never_early)
{
    open_one();
    for (int i = 0; i < 30; i++)
        expect_time_out_in(i * TR_US(330));
    expect_time_out_in(-TR_SECONDS(1));
    expect_time_out_in(TR_MS(30));
    close_one();
}

Test(iocp_wait, a_system_that_is_early_is_asked_to_wait_for_the_rest)
{
    open_one();
    ck_pr_store_32(&waits_of_no_time, 3);
    wait.deadline = tri_clock_now(&tri_clock_real) + TR_SECONDS(100);
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
    for (int i = 0; i < 3; i++)
        await_post();
    await_sleep();
    cr_assert_eq(tally_count(&wait.done), 0);
    SetEvent(wait.object);
    expect_done(0);
    ResetEvent(wait.object);
    await_post();
    cr_assert_eq(posts, 4);
    ck_pr_store_32(&waits_of_no_time, 2);
    expect_time_out_in(TR_MS(20));
    close_one();
}

Test(iocp_wait, a_wait_that_cannot_go_on_says_why)
{
    struct gate gate;
    gate_init(&gate);
    open_one();
    ck_pr_store_32(&waits_of_no_time, 1);
    ck_pr_store_ptr(&post_gate, &gate);
    wait.deadline = tri_clock_now(&tri_clock_real) + TR_SECONDS(100);
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
    gate_await(&gate);
    ck_pr_store_32(&failing_waits, 1);
    gate_open(&gate);
    expect_done(TR_ENOMEM);
    close_one();
}

/* ---- cancelling -------------------------------------------------------------------------------------------------- */

static int start_and_cancel(tr_self *self, void *arg)
{
    int error = start_it(self, arg);
    cancel_it(self, arg);
    return cancel_it(self, arg) + error;
}

/* The packet of what happened is in the port when it is cancelled. */
static int start_await_and_cancel(tr_self *self, void *arg)
{
    int error = start_it(self, arg);
    await_post();
    expected_posts++; /* of the cancel */
    return cancel_it(self, arg) + error;
}

Test(iocp_wait, a_wait_that_is_cancelled_is_done_soon)
{
    open_one();
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(tr_probe_do(probe, start_and_cancel, &wait), 0);
        expect_done(TR_ECANCELED);
        cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
        await_sleep();
        cr_assert_eq(tr_probe_do(probe, cancel_it, &wait), 0);
        expect_done(TR_ECANCELED);
        SetEvent(wait.object); /* of no interest any more */
        cr_assert_eq(tr_probe_do(probe, cancel_it, &wait), 0);
        ResetEvent(wait.object);
    }
    close_one();
}

Test(iocp_wait, what_happened_before_the_cancel_counts)
{
    open_one();
    for (int i = 0; i < 20; i++) {
        SetEvent(wait.object);
        cr_assert_eq(tr_probe_do(probe, start_await_and_cancel, &wait), 0);
        expect_done(0);
        ResetEvent(wait.object);
        wait.deadline = 0;
        cr_assert_eq(tr_probe_do(probe, start_await_and_cancel, &wait), 0);
        expect_done(TR_ETIMEDOUT);
        wait.deadline = INT64_MAX;
    }
    close_one();
}

Test(iocp_wait, a_time_out_that_came_early_does_not_count_against_a_cancel)
{
    open_one();
    ck_pr_store_32(&waits_of_no_time, 1);
    wait.deadline = tri_clock_now(&tri_clock_real) + TR_SECONDS(100);
    cr_assert_eq(tr_probe_do(probe, start_await_and_cancel, &wait), 0);
    expect_done(TR_ECANCELED);
    close_one();
}

/* The callback is held up in its post. A cancel that waited for it would never return. */
Test(iocp_wait, a_cancel_does_not_wait_for_the_systems_thread)
{
    struct gate gate;
    gate_init(&gate);
    open_one();
    for (int i = 0; i < 20; i++) {
        ck_pr_store_ptr(&post_gate, &gate);
        cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
        SetEvent(wait.object);
        gate_await(&gate);
        cr_assert_eq(tr_probe_do(probe, cancel_it, &wait), 0);
        await_sleep();
        cr_assert_eq(tally_count(&wait.done), 0); /* its memory is still read */
        gate_open(&gate);
        expect_done(0);
        ResetEvent(wait.object);
    }
    close_one();
}

/* ---- without memory ---------------------------------------------------------------------------------------------- */

Test(iocp_wait, a_wait_that_cannot_be_started_is_not_in_flight)
{
    open_one();
    ck_pr_store_32(&failing_waits, 1);
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), TR_ENOMEM);
    cr_assert_eq(tr_probe_do(probe, cancel_it, &wait), 0);
    close_one();
}

Test(iocp_wait, a_post_that_fails_is_not_lost)
{
    open_one();
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
        await_sleep();
        ck_pr_store_32(&failing_posts, 150);
        SetEvent(wait.object);
        expect_done(0);
        ResetEvent(wait.object);
        cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
        ck_pr_store_32(&failing_posts, 150);
        cr_assert_eq(tr_probe_do(probe, cancel_it, &wait), 0);
        expect_done(TR_ECANCELED);
        cr_assert_eq(failing_posts, 0);
    }
    close_one();
}

/* Neither an event nor a second wait can be had. */
static int start_and_cancel_without_memory(tr_self *self, void *arg)
{
    static unsigned times;
    uint32_t *failing = times++ % 4 < 2 ? &failing_events : &failing_waits;
    int error = start_it(self, arg);
    if (WaitForSingleObject(wait.object, 0) == WAIT_OBJECT_0)
        await_post();
    ck_pr_store_32(failing, 1);
    cancel_it(self, arg);
    expected_posts++;
    return error + (int)ck_pr_load_32(failing);
}

Test(iocp_wait, a_cancel_needs_no_memory)
{
    open_one();
    for (int i = 0; i < 40; i++) {
        if (i % 2)
            SetEvent(wait.object);
        cr_assert_eq(tr_probe_do(probe, start_and_cancel_without_memory, &wait), 0);
        expect_done(i % 2 ? 0 : TR_ECANCELED);
        ResetEvent(wait.object);
    }
    close_one();
}

/* ---- a storm of them --------------------------------------------------------------------------------------------- */

enum { STORMERS = 8, WAITS = 25 };

static struct {
    uint64_t started, done, signalled, timed_out, canceled, overtaken;
} storm;

static HANDLE storm_events[STORMERS * WAITS];

struct stormy_wait {
    struct tri_wait wait;
    struct stormer *stormer;
    HANDLE object;
    int64_t deadline;
    bool in_flight, canceled;
};

struct stormer {
    struct tri_random random;
    struct tri_slot *slot;
    unsigned first; /* of its events */
    uint32_t moves;
    struct stormy_wait waits[WAITS];
};

static void on_stormy_done(struct tri_wait *done, int result)
{
    struct stormy_wait *w = tri_container_of(done, struct stormy_wait, wait);
    struct stormer *me = w->stormer;
    demand(w->in_flight, "done, and nothing was in flight");
    demand(tri_worker_here->index == me->slot->run.home, "on another worker");
    demand(result == 0 || result == TR_ETIMEDOUT || result == TR_ECANCELED, "%s", tr_error_name(result));
    demand(result != TR_ECANCELED || w->canceled, "cancelled by nobody");
    demand(result != TR_ETIMEDOUT || tri_clock_now(&tri_clock_real) >= w->deadline, "early");
    ck_pr_inc_64(result == 0 ? &storm.signalled : result == TR_ETIMEDOUT ? &storm.timed_out : &storm.canceled);
    if (w->canceled && result != TR_ECANCELED)
        ck_pr_inc_64(&storm.overtaken);
    ck_pr_inc_64(&storm.done);
    w->in_flight = false;
    tri_came_home(me->slot);
}

static void start_stormy(struct stormer *me, struct stormy_wait *w)
{
    uint32_t kind = tri_random_below(&me->random, 4);
    w->canceled = false;
    w->deadline = kind < 2 ? INT64_MAX : tri_clock_now(&tri_clock_real) + tri_random_below(&me->random, 3000000);
    if (kind != 1)
        ResetEvent(w->object);
    demand(tri_wait_start(&w->wait, w->object, w->deadline) == 0, "a wait cannot be started");
    w->in_flight = true;
    me->slot->in_flight++;
    ck_pr_inc_64(&storm.started);
}

static void cancel_stormy(struct stormy_wait *w)
{
    w->canceled = true;
    tri_wait_cancel(&w->wait);
}

static int stormer_start(tr_self *self, void *state, const void *arg)
{
    struct stormer *me = state;
    (void)arg;
    for (unsigned i = 0; i < WAITS; i++) {
        me->waits[i].wait.done = on_stormy_done;
        me->waits[i].stormer = me;
        me->waits[i].object = storm_events[me->first + i];
    }
    return tr_every(self, TR_MS(1), 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

/* Each time a few of them; the signal and the cancel as close to each other as can be, in either order. */
static int stormer_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct stormer *me = state;
    (void)self;
    if (!tr_is(tr_timeout, m))
        return TR_CONTINUE;
    for (int i = 0; i < 10; i++) {
        struct stormy_wait *w = &me->waits[tri_random_below(&me->random, WAITS)];
        uint32_t what = tri_random_below(&me->random, 5);
        if (!w->in_flight) {
            start_stormy(me, w);
            me->moves--;
        }
        if (what == 0 || what == 1)
            SetEvent(w->object);
        if (what == 1 || what == 2)
            cancel_stormy(w);
        if (what == 2)
            SetEvent(w->object);
        if (me->moves == 0)
            return TR_STOP; /* with what is in flight */
    }
    return TR_CONTINUE;
}

static void stormer_stop(tr_self *self, void *state, int reason)
{
    struct stormer *me = state;
    (void)self;
    (void)reason;
    for (unsigned i = 0; i < WAITS; i++)
        if (me->waits[i].in_flight)
            cancel_stormy(&me->waits[i]);
}

static const tr_actor stormer_actor = { TR_SPEC, .name = "stormer", .start = stormer_start, .receive = stormer_receive,
    .stop = stormer_stop, .state_size = sizeof(struct stormer) };

static int cast(tr_self *self, void *arg)
{
    unsigned number = *(unsigned *)arg;
    int error;
    struct tri_slot *slot = tri_spawn_prepare(self, &stormer_actor, NULL, (uint16_t)(number % 2), &error);
    demand(slot, "spawn: %s", tr_strerror(error));
    struct stormer *me = slot->state;
    me->random = (struct tri_random){ tri_random_seed() };
    me->slot = slot;
    me->first = number * WAITS;
    me->moves = 400;
    return tr_monitor_set(self, tri_spawn_finish(self, slot)).bits ? 0 : TR_ENOMEM;
}

static uint32_t storm_is_over;

/* Signals from outside, at any moment. */
static void *signal_at_random(void *arg)
{
    struct tri_random random = { tri_random_seed() };
    while (!ck_pr_load_32(&storm_is_over)) {
        for (int i = 0; i < 10; i++)
            SetEvent(storm_events[tri_random_below(&random, STORMERS * WAITS)]);
        sleep_for(TR_MS(1));
    }
    return arg;
}

Test(iocp_wait, whatever_comes_together_each_wait_is_done_once, .timeout = 60)
{
    pthread_t thread;
    for (int i = 0; i < STORMERS * WAITS; i++)
        cr_assert_not_null(storm_events[i] = CreateEventA(NULL, TRUE, FALSE, NULL));
    cr_assert_eq(pthread_create(&thread, NULL, signal_at_random, NULL), 0);
    for (unsigned round = 0; round < scaled(1, 25); round++) {
        open_system(2);
        for (unsigned i = 0; i < STORMERS; i++)
            cr_assert_eq(tr_probe_do(probe, cast, &i), 0);
        for (int i = 0; i < STORMERS; i++)
            expect(tr_down);
        close_system();
        cr_assert_eq(storm.done, storm.started);
    }
    ck_pr_store_32(&storm_is_over, 1);
    pthread_join(thread, NULL);
    fprintf(stderr, "%lu waits: %lu signalled, %lu timed out, %lu cancelled; %lu cancels came too late\n",
        (unsigned long)storm.started, (unsigned long)storm.signalled, (unsigned long)storm.timed_out,
        (unsigned long)storm.canceled, (unsigned long)storm.overtaken);
    cr_assert(storm.signalled > 100 && storm.timed_out > 100 && storm.canceled > 100 && storm.overtaken > 10,
        "or the test tests little");
}

/* ---- processes and jobs ------------------------------------------------------------------------------------------ */

/* One that ends with 7 as soon as it is resumed; without a console, for which Wine would start another process. */
static PROCESS_INFORMATION make_process(void)
{
    PROCESS_INFORMATION process;
    STARTUPINFOA startup = { .cb = sizeof startup };
    char command[] = "cmd.exe /c exit 7";
    demand(CreateProcessA(NULL, command, NULL, NULL, FALSE, CREATE_SUSPENDED | DETACHED_PROCESS, NULL, NULL, &startup,
               &process),
        "no process: error %lu", GetLastError());
    return process;
}

static void close_process(const PROCESS_INFORMATION *process)
{
    CloseHandle(process->hThread);
    CloseHandle(process->hProcess);
}

Test(iocp_wait, a_process_that_ends_is_told, .timeout = 30)
{
    DWORD code = 0;
    open_one();
    PROCESS_INFORMATION process = make_process();
    struct test_wait with_limit = { .object = process.hProcess };
    with_limit.deadline = tri_clock_now(&tri_clock_real) + TR_MS(20);
    tally_init(&with_limit.done);
    cr_assert_eq(tr_probe_do(probe, start_it, &with_limit), 0);
    tally_take(&with_limit.done);
    cr_assert_eq(with_limit.result, TR_ETIMEDOUT);
    HANDLE event = wait.object;
    wait.object = process.hProcess;
    cr_assert_eq(tr_probe_do(probe, start_it, &wait), 0);
    ResumeThread(process.hThread);
    expect_done(0);
    cr_assert(GetExitCodeProcess(process.hProcess, &code));
    cr_assert_eq(code, 7);
    close_process(&process);
    wait.object = event;
    close_one();
}

static struct news {
    struct tri_job_object *job;
    DWORD message, process;
} heard[16];

static struct tally news;
static uint32_t news_count;

static void on_news(struct tri_job_object *job, DWORD message, DWORD process)
{
    demand(tri_worker_here == worker, "on another worker");
    demand(news_count < 16, "too much news");
    heard[news_count++] = (struct news){ job, message, process };
    tally_add(&news);
}

struct test_job {
    struct tri_job_object job;
    HANDLE object;
};

static int open_job(tr_self *self, void *arg)
{
    struct test_job *me = arg;
    worker = self->worker;
    me->job.news = on_news;
    return tri_job_object_open(&me->job, me->object);
}

static int close_job(tr_self *self, void *arg)
{
    (void)self;
    tri_job_object_close(&((struct test_job *)arg)->job);
    return 0;
}

static struct test_job make_job(void)
{
    struct test_job job = { .object = CreateJobObjectW(NULL, NULL) };
    cr_assert_not_null(job.object);
    return job;
}

static void open_for_jobs(void)
{
    open_system(1);
    tally_init(&news);
    news_count = 0;
}

static void expect_news(const struct test_job *job, DWORD message, DWORD process)
{
    static uint32_t next;
    tally_take(&news);
    const struct news *n = &heard[next++];
    cr_assert(n->job == &job->job);
    cr_assert_eq(n->message, message, "%lu, not %lu", n->message, message);
    cr_assert_eq(n->process, process);
}

static void put_into(const struct test_job *job, const PROCESS_INFORMATION *process)
{
    demand(AssignProcessToJobObject(job->object, process->hProcess), "error %lu", GetLastError());
}

Test(iocp_wait, a_job_tells_of_its_processes, .timeout = 30)
{
    open_for_jobs();
    struct test_job one = make_job(), other = make_job();
    PROCESS_INFORMATION first = make_process(), second = make_process();
    cr_assert_eq(tr_probe_do(probe, open_job, &one), 0);
    cr_assert_eq(tr_probe_do(probe, open_job, &other), 0);
    await_sleep();
    put_into(&one, &first);
    expect_news(&one, JOB_OBJECT_MSG_NEW_PROCESS, first.dwProcessId);
    put_into(&other, &second);
    expect_news(&other, JOB_OBJECT_MSG_NEW_PROCESS, second.dwProcessId);
    ResumeThread(first.hThread);
    expect_news(&one, JOB_OBJECT_MSG_EXIT_PROCESS, first.dwProcessId);
    expect_news(&one, JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, 0);
    ResumeThread(second.hThread);
    expect_news(&other, JOB_OBJECT_MSG_EXIT_PROCESS, second.dwProcessId);
    expect_news(&other, JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, 0);
    cr_assert_eq(tr_probe_do(probe, close_job, &one), 0);
    cr_assert_eq(tr_probe_do(probe, close_job, &other), 0);
    cr_assert_eq(tr_probe_do(probe, count_in_flight, NULL), 0);
    close_system();
    close_process(&first);
    close_process(&second);
}

/* Wine 8 does not tell such an end from others. */
Test(iocp_wait, a_job_tells_of_an_end_that_is_no_ordinary_one, .timeout = 30)
{
    open_for_jobs();
    struct test_job job = make_job();
    PROCESS_INFORMATION process = make_process();
    cr_assert_eq(tr_probe_do(probe, open_job, &job), 0);
    put_into(&job, &process);
    expect_news(&job, JOB_OBJECT_MSG_NEW_PROCESS, process.dwProcessId);
    cr_assert(TerminateProcess(process.hProcess, STATUS_ACCESS_VIOLATION));
    expect_news(&job, is_wine() ? JOB_OBJECT_MSG_EXIT_PROCESS : JOB_OBJECT_MSG_ABNORMAL_EXIT_PROCESS, process.dwProcessId);
    expect_news(&job, JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, 0);
    cr_assert_eq(tr_probe_do(probe, close_job, &job), 0);
    close_system();
    close_process(&process);
}

static PROCESS_INFORMATION forgotten, remembered;

/* What the first job has said lies in the port when it is closed, and another is opened in the same place. */
static int close_and_open_another(tr_self *self, void *arg)
{
    struct test_job *job = arg;
    int error = open_job(self, job);
    HANDLE first = job->object;
    put_into(job, &forgotten);
    tri_job_object_close(&job->job);
    CloseHandle(first);
    job->object = CreateJobObjectW(NULL, NULL);
    error = error ? error : open_job(self, job);
    put_into(job, &remembered);
    return error;
}

Test(iocp_wait, what_a_job_said_before_it_was_closed_is_dropped, .timeout = 30)
{
    open_for_jobs();
    struct test_job job = make_job();
    forgotten = make_process();
    remembered = make_process();
    cr_assert_eq(tr_probe_do(probe, close_and_open_another, &job), 0);
    expect_news(&job, JOB_OBJECT_MSG_NEW_PROCESS, remembered.dwProcessId);
    ResumeThread(forgotten.hThread);
    WaitForSingleObject(forgotten.hProcess, INFINITE);
    ResumeThread(remembered.hThread);
    expect_news(&job, JOB_OBJECT_MSG_EXIT_PROCESS, remembered.dwProcessId);
    expect_news(&job, JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, 0);
    cr_assert_eq(tr_probe_do(probe, close_job, &job), 0);
    close_system();
    cr_assert_eq(news_count, 3);
    close_process(&forgotten);
    close_process(&remembered);
}

Test(iocp_wait, a_job_that_has_a_port_already_cannot_be_opened)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    open_for_jobs();
    struct test_job job = make_job();
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT other = { .CompletionPort = port };
    cr_assert(SetInformationJobObject(job.object, JobObjectAssociateCompletionPortInformation, &other, sizeof other));
    cr_assert_lt(tr_probe_do(probe, open_job, &job), 0);
    cr_assert_eq(tr_probe_do(probe, count_in_flight, NULL), 0);
    close_system();
    CloseHandle(job.object);
    CloseHandle(port);
}

static int post_nobodys(tr_self *self, void *arg)
{
    const struct tri_iocp *port = (const struct tri_iocp *)tri_io_port(self->worker);
    (void)arg;
    PostQueuedCompletionStatus(port->handle, 0, port->next_key, NULL);
    return 0;
}

static void receive_nobodys(void)
{
    open_system(1);
    tr_probe_do(probe, post_nobodys, NULL);
    wait_for_the_end();
}

Test(iocp_wait, a_packet_with_a_key_that_nobody_was_given_is_a_panic, .timeout = 30)
{
    expect_panic(receive_nobodys, "a packet of nobody's");
}
