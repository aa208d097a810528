/* The demo, as a program, with little to do. */
#include "program.h"

#include <sys/resource.h>

static const char *port_name(void)
{
    return getenv("TROUPE_PORT");
}

/* Whether there is a line that begins with `what` and ends with `value`. */
static bool has_row(const char *text, const char *what, const char *value)
{
    for (const char *at = text; at && (at = strstr(at, what)); at++) {
        const char *end = strchr(at, '\n');
        if (end && at[-1] == ' ' && (size_t)(end - at) > strlen(value) &&
            strncmp(end - strlen(value), value, strlen(value)) == 0)
            return true;
    }
    return false;
}

Test(demo, verifies_every_byte_while_services_are_killed)
{
    char out[16384], err[4096];
    bool few = is_wine(); /* there 200 round trips for each of 50 take longer than we wait, when the machine is busy */
    int code = program_run("demo",
        few ? "--seconds 2 --connections 20 --workers 2" : "--seconds 2 --connections 50 --workers 2", out, sizeof out, err,
        sizeof err);
    cr_assert_eq(code, 0, "exit code %d: %s%s", code, out, err);
    cr_assert_str_eq(err, "");
    cr_assert(strstr(out, "Every byte was right, and nothing was lost."), "%s", out);
    cr_assert(has_row(out, "clients", few ? "4" : "10"), "%s", out);
    cr_assert(has_row(out, "port", port_name()), "%s", out);
    cr_assert(has_row(out, "workers", " 2"), "%s", out);
    cr_assert(has_row(out, "lost", " 0"), "%s", out);
    cr_assert_not(has_row(out, "restarts", " 0"), "nothing was restarted: %s", out);
    cr_assert_not(has_row(out, "clients that came back", " 0"), "nobody came back: %s", out);
}

/* The last thing that was killed may have been a door, which is open again in a moment. */
static int connect_in_the_end(uint16_t port)
{
    int64_t deadline = now_ms() + SOON_MS;
    int fd;
    while ((fd = try_to_connect(port, 0)) < 0)
        cr_assert(now_ms() < deadline, "it stays closed");
    return fd;
}

Test(demo, leaves_the_services_running_when_it_is_told_to)
{
    static struct program demo;
    uint16_t chat, echo;
    program_start(&demo, "demo", "--seconds 1 --connections 10 --serve");
    chat = (uint16_t)atoi(program_says(&demo, "nc 127.0.0.1 "));
    echo = (uint16_t)atoi(program_says(&demo, "the chat\n    nc 127.0.0.1 "));
    int client = connect_in_the_end(echo);
    pump(client, client, 1, 100000);
    close(client);
    client = connect_in_the_end(chat);
    expect_text(client, "What is your name?\n");
    send_text(client, "ann\n");
    expect_text(client, "* ann is here\n");
    cr_assert_eq(program_stop(&demo), 0);
    close(client);
}

Test(demo, has_not_verified_everything_when_it_is_interrupted)
{
    static struct program demo;
    program_start(&demo, "demo", "--seconds 1000 --connections 10");
    program_says(&demo, " round trips");
    cr_assert_eq(program_stop(&demo), 1);
}

Test(demo, says_what_is_wrong_with_its_arguments)
{
    static const char *const cases[][2] = {
        { "127.0.0.1:0", "'127.0.0.1:0' is one argument too many" },
        { "--connections 0", "--connections 0: give a number" },
        { "--connections 1000000", "--connections 1000000: give a number from 1 to 10000" },
        { "--seconds x", "--seconds x: give a number" },
        { "--nonsense", "'--nonsense'" },
        { NULL, NULL },
    };
    check_command_line("demo", cases);
}

Test(demo, says_how_many_files_it_may_not_open)
{
    char out[4096], err[4096];
    struct rlimit few = { .rlim_cur = 256, .rlim_max = 256 };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    cr_assert_eq(program_run("demo", "--connections 100", out, sizeof out, err, sizeof err), 2);
    cr_assert(strstr(err, "100 connections take 325 open files, but this process may have only 256"), "%s", err);
}
