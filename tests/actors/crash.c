/* What is said when the process ends of a fault. */
#include "tests/support.h"

TR_MESSAGE(first_step, int n;);
TR_MESSAGE(next_step, int n;);
TR_DEFINE(first_step);
TR_DEFINE(next_step);

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static int *volatile nowhere;
static volatile int nothing;

static void touch_nothing(void)
{
    *nowhere = 1;
}

#if defined(__x86_64__)
static void divide(void)
{
    nothing = 100 / nothing;
}
#define DIVIDE { divide, SIGFPE, FPE },
#else
#define DIVIDE /* elsewhere it is 0 */
#endif

static void trap(void)
{
    __builtin_trap();
}

static void give_up(void)
{
    abort();
}

static TRI_NOINLINE int deep(int n)
{
    volatile char frame[1000];
    frame[n % 1000] = (char)n;
    nothing += frame[0];
    return n < 0 ? 0 : deep(n + 1) + frame[5];
}

static void use_up_the_stack(void)
{
    nothing = deep(1);
}

static void panic(void)
{
    tri_panic("of itself");
}

/* ---- actors that have one ----------------------------------------------------------------------------------------- */

static void (*fault)(void);
static tr_ref victim;

static int victim_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(first_step, m))
        return tr_send(self, tr_me(self), next_step);
    fault();
    return TR_STOP;
}

static const tr_actor victim_actor = { TR_SPEC, .name = "victim", .receive = victim_receive };

static int sends_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    victim = tr_spawn(self, &victim_actor, NULL);
    tr_send(self, tr_me(self), first_step);
    return TR_CONTINUE;
}

static int sends_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)m;
    tr_send(self, victim, first_step);
    tr_send(self, victim, next_step);
    return TR_CONTINUE;
}

static const tr_actor sends_actor = { TR_SPEC, .name = "sender", .start = sends_start, .receive = sends_receive };

static int faulty_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    fault();
    return TR_STOP;
}

static const tr_actor faulty_actor = { TR_SPEC, .name = "faulty", .start = faulty_start, .receive = quiet_receive };

static int job(void *arg)
{
    (void)arg;
    fault();
    return 0;
}

static int blocks_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    tr_block(self, job, NULL);
    return TR_CONTINUE;
}

static const tr_actor blocks_actor = { TR_SPEC, .name = "blocking", .start = blocks_start, .receive = quiet_receive };

/* ---- processes ---------------------------------------------------------------------------------------------------- */

static tr_options options = { .workers = 1 };
static char report[4096];

static void run(void)
{
    tr_run(&options);
}

/* Runs a system with this root in a process that ends of the fault: false where there is nothing to look at. */
static bool dies(const tr_actor *root, void (*of)(void), int number)
{
    fault = of;
    options.actor = root;
    int died = death_of(run, report, sizeof report);
    if (died < 0)
        return false;
    if (number)
        cr_assert_eq(died, number, "%d: %s", died, report);
    return true;
}

static void expect_said(const char *text)
{
    cr_assert_not_null(strstr(report, text), "\"%s\" is not in:\n%s", text, report);
}

static void expect_silence_of(const char *text)
{
    cr_assert_null(strstr(report, text), "\"%s\" is in:\n%s", text, report);
}

/* The words of this system for a fault. */
#if defined(_WIN32)
#define SEGV     "access violation at address 0x0"
#define FPE      "division by zero"
#define ILL      "illegal instruction"
#define ABRT     "abort"
#define STACK    "stack overflow, the stack is used up,"
#define OF_STACK 0 /* Wine ends the process as if all were well */
#else
#define SEGV     "SIGSEGV at address 0x0"
#define FPE      "SIGFPE at address 0x"
#define ILL      "SIGILL at address 0x"
#define ABRT     "SIGABRT"
#define STACK    ", the stack is used up,"
#define OF_STACK SIGSEGV
#endif

Test(crash, a_fault_in_a_handler_names_worker_actor_message_sender_and_what_was_before)
{
    if (!dies(&sends_actor, touch_nothing, SIGSEGV))
        return;
    expect_said("troupe: " SEGV " on worker 0\n");
    expect_said("troupe:   in actor victim <0.");
    expect_said(", handling next_step from sender <0.");
    expect_said("handled there before, the last one first: first_step, first_step\n");
}

Test(crash, every_fault_has_a_name)
{
    static const struct {
        void (*fault)(void);
        int number;
        const char *name;
    } faults[] = { DIVIDE{ trap, SIGILL, ILL }, { give_up, SIGABRT, ABRT } };
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (!dies(&sends_actor, faults[i].fault, faults[i].number))
            continue;
        expect_said(faults[i].name);
        expect_said("in actor victim");
    }
}

Test(crash, a_fault_in_start_says_so)
{
    if (!dies(&faulty_actor, touch_nothing, SIGSEGV))
        return;
    expect_said("in actor faulty <0.");
    expect_said(", in its start or stop\n");
}

Test(crash, a_stack_that_is_used_up_is_reported_on_another)
{
    if (!dies(&sends_actor, use_up_the_stack, OF_STACK))
        return;
    expect_said(STACK " on worker 0\n");
    expect_said("handling next_step from sender");
}

Test(crash, a_fault_in_a_job_names_who_asked_for_it)
{
    static void (*const faults[])(void) = { touch_nothing, use_up_the_stack };
    for (int i = 0; i < 2; i++) {
        if (!dies(&blocks_actor, faults[i], i ? OF_STACK : SIGSEGV))
            continue;
        expect_said("on a thread that is no worker\n");
        expect_said("in a job of tr_block, function at 0x");
        expect_said(", for actor blocking <0.");
    }
}

Test(crash, a_panic_is_not_reported_twice)
{
    if (!dies(&sends_actor, panic, SIGABRT))
        return;
    expect_said("troupe: of itself; in actor victim");
    expect_silence_of(ABRT);
}

Test(crash, without_it_nothing_is_said)
{
    options.no_crash_report = true;
    if (!dies(&sends_actor, touch_nothing, SIGSEGV))
        return;
    expect_silence_of("troupe:");
}
