/* The end of the process after a programmer error: what it says, and that it is an abort. */
#include "mailbox/panic.h"

#include "tests/os.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *expected; /* how the first line ends; the C library may add words of its own */

/* Reads what was written before the abort: if that is right, the process ends as every panic does. */
static void check_report(int number)
{
    static char text[4096];
    read_captured(text, sizeof text);
    size_t line = strcspn(text, "\n") + 1, tail = strlen(expected);
    signal(number, SIG_DFL);
    if (line < tail || strncmp(text + line - tail, expected, tail) != 0) {
        fputs(text, stdout);
        fflush(stdout);
        _Exit(4); /* 3 would be an abort on Windows */
    }
    raise(number);
}

static void expect_report(const char *text)
{
    expected = text;
    capture_stderr();
    signal(SIGABRT, check_report);
}

static const char *nobody(char *actor, size_t size)
{
    (void)actor;
    (void)size;
    return NULL;
}

static const char *somebody(char *actor, size_t size)
{
    snprintf(actor, size, "worker <0.17.3>");
    return "work";
}

static const char *somebody_starting(char *actor, size_t size)
{
    snprintf(actor, size, "worker <0.17.3>");
    return NULL;
}

Test(panic, writes_what_is_wrong_and_aborts, .signal = SIGABRT)
{
    expect_report("troupe: 2 replies to 1 request\n");
    tri_panic("%d replies to %d request", 2, 1);
}

Test(panic, names_nobody_outside_of_a_turn, .signal = SIGABRT)
{
    tri_who = nobody;
    expect_report("troupe: too late\n");
    tri_panic("too late");
}

Test(panic, names_the_actor_and_the_message_it_handles, .signal = SIGABRT)
{
    tri_who = somebody;
    expect_report("troupe: a second reply; in actor worker <0.17.3>, handling work\n");
    tri_panic("a second reply");
}

Test(panic, names_the_actor_that_handles_no_message, .signal = SIGABRT)
{
    tri_who = somebody_starting;
    expect_report("troupe: not now; in actor worker <0.17.3>\n");
    tri_panic("not now");
}

Test(panic, a_broken_invariant_is_quoted, .signal = SIGABRT)
{
    expect_report(": broken invariant: 1 + 1 == 3\n");
    tri_assert(1 + 1 == 3);
}

Test(panic, an_invariant_that_holds_is_silent)
{
    tri_assert(1 + 1 == 2);
}
