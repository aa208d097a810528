/* What running systems make of Linux: signals, and an io_uring that is refused. */
#include "tests/io/tcp_support.h"

#include "io/signals.h"
#include "sched/clock.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- stopped in a signal handler ---------------------------------------------------------------------------------- */

static tr_system interrupted;
static uint32_t interruptions;

static void stop_now(int number)
{
    (void)number;
    ck_pr_inc_32(&interruptions);
    tr_stop(&interrupted);
}

static const tr_actor idle_root = { TR_SPEC, .name = "root", .receive = quiet_receive };

/* Which may interrupt the thread that waits, wherever it is. */
Test(run_linux, tr_stop_is_safe_in_a_signal_handler)
{
    struct sigaction action = { .sa_handler = stop_now };
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    for (unsigned i = 0; i < scaled(60, 3000); i++) {
        const struct itimerval often = { { 0, 50 }, { 0, 1 + i * 37 % 3000 } }, never = { { 0, 0 }, { 0, 0 } };
        memset(&interrupted, 0, sizeof interrupted);
        setitimer(ITIMER_REAL, &often, NULL);
        int result = tr_run(&(tr_options){ .actor = &idle_root, .workers = 2, .system = &interrupted });
        setitimer(ITIMER_REAL, &never, NULL);
        cr_assert_eq(result, 0, "%s", tr_error_name(result));
    }
    cr_assert_gt(ck_pr_load_32(&interruptions), 0u);
    signal(SIGALRM, SIG_IGN);
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

/* A root that says when it runs, and then does as `how` says when it is asked to end. */
static int tells[2];

static int root_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    return write(tells[1], "!", 1) == 1 ? TR_CONTINUE : TR_EIO;
}

static const tr_actor telling_root = { TR_SPEC, .name = "root", .start = root_start, .receive = quiet_receive };

static void busy_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    if (write(tells[1], "?", 1) == 1)
        for (;;)
            poll(NULL, 0, 1000);
}

static const tr_actor busy_root = { TR_SPEC, .name = "root", .start = root_start, .receive = quiet_receive,
    .stop = busy_stop };

static void await(char expected)
{
    char byte;
    cr_assert_eq(read(tells[0], &byte, 1), 1);
    cr_assert_eq(byte, expected);
}

/* The tests may have been started in the background, where a shell lets SIGINT be ignored. */
static void take_signals(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

/* A process that runs a system with these options and exits with 100 less what tr_run answers. */
static pid_t start_process(const tr_options *options)
{
    take_signals();
    cr_assert_eq(pipe(tells), 0);
    pid_t child = fork();
    if (child == 0) {
        close(tells[0]);
        capture_log(TR_LOG_ERROR);
        alarm((unsigned)patience_s());
        _exit(tr_run(options) ? 1 : 0);
    }
    close(tells[1]);
    await('!');
    return child;
}

static int end_of(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    close(tells[0]);
    return status;
}

Test(run_linux, the_first_signal_asks)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    for (int i = 0; i < 2; i++) {
        pid_t child = start_process(&(tr_options){ .actor = &telling_root, .workers = 2, .signals = true });
        kill(child, numbers[i]);
        int status = end_of(child);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
    }
}

/* What comes sooner is the same one. */
static void wait_until_it_is_another(void)
{
    int64_t until = tri_clock_now(&tri_clock_real) + TRI_SIGNALS_SAME_NS + TR_MS(20);
    while (tri_clock_now(&tri_clock_real) < until)
        poll(NULL, 0, 20);
}

Test(run_linux, the_second_insists)
{
    pid_t child = start_process(&(tr_options){ .actor = &busy_root, .workers = 2, .signals = true });
    kill(child, SIGTERM);
    await('?'); /* it was asked, and is stuck; there are 30 s left */
    wait_until_it_is_another();
    kill(child, SIGTERM);
    int status = end_of(child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%x", (unsigned)status);
}

static uint32_t signals;

static void count_signal(int count, void *arg)
{
    (void)arg;
    ck_pr_store_32(&signals, (uint32_t)count);
}

static void expect_signals(uint32_t count)
{
    int64_t until = tri_clock_now(&tri_clock_real) + SOON;
    while (ck_pr_load_32(&signals) < count && tri_clock_now(&tri_clock_real) < until)
        poll(NULL, 0, 1);
    cr_assert_eq(ck_pr_load_32(&signals), count);
}

/* As of a terminal and of timeout(1), which signal a process and its group. (Were they two, the third would end the
 * process.) */
Test(run_linux, signals_that_come_together_are_one)
{
    cr_assert_eq(tri_signals_watch(count_signal, NULL), 0);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);
    expect_signals(1);
    wait_until_it_is_another();
    kill(getpid(), SIGTERM);
    expect_signals(2);
    tri_signals_unwatch();
}

/* As of what a shell starts in the background. */
Test(run_linux, a_signal_that_is_ignored_stays_so)
{
    struct sigaction now;
    signal(SIGINT, SIG_IGN);
    cr_assert_eq(tri_signals_watch(count_signal, NULL), 0);
    sigaction(SIGINT, NULL, &now);
    cr_assert_eq(now.sa_handler, SIG_IGN);
    kill(getpid(), SIGINT);
    kill(getpid(), SIGTERM);
    expect_signals(1);
    tri_signals_unwatch();
    sigaction(SIGINT, NULL, &now);
    cr_assert_eq(now.sa_handler, SIG_IGN);
}

static int stop_at_once(tr_self *self, void *state, const void *arg)
{
    sigset_t mask;
    (void)self;
    (void)state;
    (void)arg;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    cr_assert(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT));
    tr_shutdown(self);
    return TR_CONTINUE;
}

static const tr_actor brief_root = { TR_SPEC, .name = "root", .start = stop_at_once, .receive = quiet_receive };

/* They come to Troupe's own thread, and interrupt no other. Afterwards the program has its mask and what it did with them. */
Test(run_linux, signals_interrupt_nobody_and_their_mask_is_given_back)
{
    sigset_t mine, then;
    struct sigaction action = { .sa_handler = SIG_IGN }, after;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mine, NULL);
    sigaction(SIGINT, &action, NULL);
    cr_assert_eq(tr_run(&(tr_options){ .actor = &brief_root, .workers = 2, .signals = true }), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &then);
    cr_assert(sigismember(&then, SIGUSR1), "the program's mask is lost");
    cr_assert(!sigismember(&then, SIGTERM) && !sigismember(&then, SIGINT), "they stay blocked");
    sigaction(SIGINT, NULL, &after);
    cr_assert_eq(after.sa_handler, SIG_IGN);
}

Test(run_linux, without_the_option_signals_do_what_they_do)
{
    pid_t child = start_process(&(tr_options){ .actor = &telling_root, .workers = 2 });
    kill(child, SIGTERM);
    int status = end_of(child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "%x", (unsigned)status);
}

/* ---- options of sockets ------------------------------------------------------------------------------------------ */

static int option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    cr_assert_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

/* A peer that is gone is noticed when twice the time that was asked for has passed; and an address to come from does not take
 * one port for all destinations. */
Test(run_linux, a_connection_has_probes_as_asked_and_a_port_for_its_destination_alone)
{
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, &(tr_tcp_options){ .keepalive_ns = TR_SECONDS(60), .local = "127.0.0.1:0" });
    act(DETACH, c);
    expect_closed(c, 0);
    int fd = tr_tcp_descriptor(expect(tr_tcp_detached));
    cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 6);
    cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 10);
    cr_assert_eq(option_of(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
    close(fd);
    close(peer);
    close_system();
}

/* ---- sockets that are not TCP ------------------------------------------------------------------------------------ */

static void send_with_descriptor(int to, const char *text)
{
    char space[CMSG_SPACE(sizeof to)] = { 0 };
    struct iovec piece = { (char *)(uintptr_t)text, strlen(text) };
    struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
    struct cmsghdr *with = CMSG_FIRSTHDR(&header);
    with->cmsg_level = SOL_SOCKET;
    with->cmsg_type = SCM_RIGHTS;
    with->cmsg_len = CMSG_LEN(sizeof to);
    memcpy(CMSG_DATA(with), &to, sizeof to);
    cr_assert_eq(sendmsg(to, &header, 0), (ssize_t)piece.iov_len);
}

/* A receive on a Unix socket ends behind a descriptor that is passed, though there is more. */
Test(run_linux, what_comes_behind_a_passed_descriptor_does_not_wait_for_more)
{
    int pair[2];
    open_system(2);
    for (int round = 0; round < 10; round++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        send_with_descriptor(pair[1], "abc");
        peer_send(pair[1], "def", 3);
        struct doing d = { .act = ADOPT, .a = (uint32_t)pair[0], .tcp = &(tr_tcp_options){ .address = NULL } };
        cr_assert_eq(tr_probe_do(probe, do_act, &d), 0);
        expect(tr_tcp_connected);
        expect_data(d.who, "abcdef");
        act(ABORT, d.who);
        expect_closed(d.who, 0);
        close(pair[1]);
    }
    close_system();
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

/* From now on io_uring_setup fails with this error in this process. */
static void refuse_uring(int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof rules / sizeof rules[0], rules };
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    int answer = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    if (answer && errno == EINVAL) /* QEMU's user mode, or a kernel without them */
        cr_skip_test("no filters of system calls are to be had here");
    cr_assert_eq(answer, 0);
}

static void talk(void)
{
    int peer;
    open_system(2);
    tr_ref c = connected_pair(&peer, NULL);
    peer_send(peer, "hello", 5);
    expect_data(c, "hello");
    close(peer);
    expect(tr_tcp_eof);
    expect_closed(c, 0);
    close_system();
}

/* The port forgets a descriptor that it gives away: it may come back, to the same port. */
Test(run_linux, what_was_detached_can_be_adopted_again)
{
    int peer;
    open_system(1);
    tr_ref c = connected_pair(&peer, NULL);
    for (int i = 0; i < 3; i++) {
        int descriptor = -1;
        act(DETACH, c);
        while (descriptor < 0) {
            const tr_msg *m = tr_probe_receive(probe, SOON);
            cr_assert(m && !tr_is(tr_failed, m));
            if (tr_is(tr_tcp_detached, m))
                descriptor = tr_tcp_descriptor(m);
        }
        cr_assert_eq(act(ADOPT, TR_NOBODY, .a = (uint32_t)descriptor, .tcp = &(tr_tcp_options){ .address = NULL }), 0);
        const tr_msg *m;
        while ((m = tr_probe_receive(probe, SOON)) && tr_is(tr_tcp_closed, m)) /* the former connection */
            ;
        cr_assert(m && tr_is(tr_tcp_connected, m));
        c = m->from;
        peer_send(peer, "again", 5);
        expect_data(c, "again");
    }
    act(CLOSE, c);
    close(peer);
    expect_closed(c, 0);
    close_system();
}

Test(run_linux, where_uring_is_refused_epoll_serves)
{
    refuse_uring(EPERM);
    unsetenv("TROUPE_PORT");
    capture_log(TR_LOG_INFO);
    cr_assert_str_eq(tr_default_port(), "epoll");
    talk();
    expect_logged("port epoll");
    cr_assert_eq(tr_run(&(tr_options){ .actor = &quiet_root, .port = "uring" }), TR_ENOTSUP);
    expect_logged("port uring does not work here");
}

Test(run_linux, the_same_where_the_kernel_has_none)
{
    refuse_uring(ENOSYS);
    unsetenv("TROUPE_PORT");
    cr_assert_str_eq(tr_default_port(), "epoll");
    talk();
}
