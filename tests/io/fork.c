/* Children of fork(): each has a Troupe of its own. */
#include "tests/io/tcp_support.h"

#include <signal.h>
#include <sys/wait.h>

TR_SIGNAL(again);
TR_DEFINE(again);

static tr_ref root;
static unsigned int begun;

/* Makes workers use all that is of the process: slots, promises, pools, the log. */
static int short_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    return TR_STOP;
}

static const tr_actor short_actor = { TR_SPEC, .name = "short", .start = short_start, .receive = quiet_receive };

static int busy_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (!tr_is(again, m))
        return TR_CONTINUE;
    for (int i = 0; i < 40; i++)
        tr_spawn(self, &short_actor, NULL);
    tr_after(self, TR_US(1), 1);
    tr_log(self, TR_LOG_WARNING, "busy");
    tr_send(self, tr_me(self), again);
    ck_pr_store_uint(&begun, 1);
    return TR_CONTINUE;
}

static const tr_actor busy_actor = { TR_SPEC, .name = "busy", .receive = busy_receive };

static int busy_root_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    root = tr_me(self);
    for (int i = 0; i < 2; i++)
        tr_send(self, tr_spawn(self, &busy_actor, NULL), again);
    return TR_CONTINUE;
}

static const tr_actor busy_root = { TR_SPEC, .name = "root", .start = busy_root_start, .receive = quiet_receive };

static void no_sink(void *arg, const tr_log_record *record)
{
    (void)arg;
    (void)record;
}

static void open_busy(tr_system *system)
{
    tr_log_to(no_sink, NULL);
    cr_assert_eq(tr_open(system, &(tr_options){ .actor = &busy_root, .workers = 2, .watchdog_ns = TR_FOREVER }), 0);
    while (!ck_pr_load_uint(&begun))
        sched_yield();
}

/* ---- what a child does: its exit status is 0 when all was well ------------------------------------------------------ */

static int job(void *arg)
{
    (void)arg;
    return 7;
}

struct child {
    tr_ref connection;
    unsigned left;
};

static int child_start(tr_self *self, void *state_, const void *arg)
{
    struct child *state = state_;
    tr_ref listener;
    (void)arg;
    state->left = 4; /* a connection made, one accepted, a timer, a job */
    for (int i = 0; i < 500; i++)
        tr_spawn(self, &short_actor, NULL);
    tr_after(self, TR_US(100), 1);
    tr_block(self, job, NULL);
    return tr_tcp_listen(self, &listener, "127.0.0.1:0");
}

static int child_receive(tr_self *self, void *state_, const tr_msg *m)
{
    struct child *state = state_;
    char text[TR_ADDRESS_TEXT];
    if (tr_is(tr_tcp_listening, m))
        return tr_tcp_connect(self, &state->connection, tr_address_text(&tr_body(tr_tcp_listening, m)->address, text));
    if (!tr_is(tr_tcp_connected, m) && !tr_is(tr_tcp_accepted, m) && !tr_is(tr_timeout, m) && !tr_is(tr_blocked, m))
        return tr_is(tr_tcp_failed, m) ? TR_EPROTO : TR_CONTINUE; /* the one accepted has no owner, and ends */
    return --state->left ? TR_CONTINUE : TR_STOP;
}

static const tr_actor child_actor = { TR_SPEC, .name = "child", .start = child_start, .receive = child_receive,
    .state_size = sizeof(struct child) };

static int own_system(void *arg)
{
    (void)arg;
    return tr_run(&(tr_options){ .actor = &child_actor, .workers = 2 });
}

/* An actor of the child's that sends to one of the parent's. */
static int sends_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    if (tr_post(root, again) != TR_ECLOSED) /* now that a system runs, too */
        return TR_EPROTO;
    return tr_send(self, root, again) == TR_ECLOSED ? TR_STOP : TR_EPROTO;
}

static const tr_actor sends_actor = { TR_SPEC, .name = "sends", .start = sends_start, .receive = quiet_receive };

static int of_the_parent(void *system)
{
    tr_actor_stats stats;
    if (tr_post(root, again) != TR_ECLOSED || tr_alive(root) || tr_stats_of(root, &stats) != TR_ECLOSED)
        return 1;
    if (tr_run(&(tr_options){ .actor = &sends_actor, .workers = 1 }))
        return 2;
    tr_stop(system);
    return tr_close(system) == TR_ECLOSED ? 0 : 3;
}

/* A child of its own, while a system of its own runs. */
static int grandchild(void *arg)
{
    tr_system own = { 0 };
    if (tr_open(&own, &(tr_options){ .actor = &quiet_root, .workers = 1 }))
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        _exit(tr_close(&own) == TR_ECLOSED && of_the_parent(arg) == 0 && own_system(NULL) == 0 ? 0 : 1);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || status)
        return 2;
    return tr_close(&own) ? 3 : 0;
}

static int status_of_child(int (*function)(void *arg), void *arg)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        _exit(function(arg));
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- tests --------------------------------------------------------------------------------------------------------- */

Test(fork, a_child_runs_systems_whatever_the_others_were_at)
{
    tr_system system = { 0 };
    open_busy(&system);
    for (unsigned i = 0; i < scaled(30, 300); i++)
        cr_assert_eq(status_of_child(own_system, NULL), 0, "child %u", i);
    cr_assert_eq(tr_close(&system), 0);
}

Test(fork, what_is_the_parents_answers_that_it_is_closed)
{
    tr_system system = { 0 };
    open_busy(&system);
    cr_assert_eq(status_of_child(of_the_parent, &system), 0);
    cr_assert(tr_alive(root));
    cr_assert_eq(tr_close(&system), 0);
}

Test(fork, a_child_of_a_child_is_a_stranger_to_both)
{
    tr_system system = { 0 };
    open_busy(&system);
    cr_assert_eq(status_of_child(grandchild, &system), 0);
    cr_assert_eq(tr_close(&system), 0);
}

/* A root that forks in its start; the child returns from it. */
static int child_status;

static int forking_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        close(STDERR_FILENO);
        return TR_CONTINUE;
    }
    (void)self;
    return waitpid(pid, &child_status, 0) == pid ? TR_STOP : TR_EPROTO;
}

static int forking_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        close(STDERR_FILENO);
        return TR_CONTINUE;
    }
    (void)self;
    return waitpid(pid, &child_status, 0) == pid ? TR_STOP : TR_EPROTO;
}

static int forking_job(void *arg)
{
    (void)arg;
    return forking_receive(NULL, NULL, NULL) == TR_STOP ? 0 : TR_EPROTO;
}

static int sends_again(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_send(self, tr_me(self), again);
}

static int blocks(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_block(self, forking_job, NULL);
    return TR_CONTINUE;
}

static int stops(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_STOP;
}

static const tr_actor forking[] = {
    { TR_SPEC, .name = "start forks", .start = forking_start, .receive = quiet_receive },
    { TR_SPEC, .name = "receive forks", .start = sends_again, .receive = forking_receive },
    { TR_SPEC, .name = "a job forks", .start = blocks, .receive = stops },
};

Test(fork, a_handler_or_job_that_goes_on_in_a_child_is_told)
{
    for (unsigned i = 0; i < sizeof forking / sizeof forking[0]; i++) {
        child_status = 0;
        cr_assert_eq(tr_run(&(tr_options){ .actor = &forking[i], .workers = 1 }), 0);
        cr_assert(WIFSIGNALED(child_status) && WTERMSIG(child_status) == SIGABRT, "%s: %x", forking[i].name, child_status);
    }
}

static void *run_with_signals(void *arg)
{
    return tr_run(&(tr_options){ .actor = &busy_root, .workers = 1, .signals = true, .system = arg }) ? arg : NULL;
}

Test(fork, a_child_takes_signals_as_the_process_did_before)
{
    pthread_t thread;
    tr_system system = { 0 };
    void *failed;
    tr_log_to(no_sink, NULL);
    cr_assert_eq(pthread_create(&thread, NULL, run_with_signals, &system), 0);
    while (!ck_pr_load_uint(&begun))
        sched_yield();
    for (int i = 0; i < 10; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            alarm(30);
            for (;;)
                pause();
        }
        kill(pid, SIGTERM);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "%x", (unsigned)status);
    }
    cr_assert(tr_alive(root));
    tr_stop(&system);
    cr_assert_eq(pthread_join(thread, &failed), 0);
    cr_assert_null(failed);
}
