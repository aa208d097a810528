/* The echo example, as a program. */
#include "program.h"

enum { MIB = 1 << 20 };

static struct program echo;
static uint16_t port;

Test(echo, a_mebibyte_in_odd_chunks_comes_back)
{
    program_serve(&echo, "echo", "127.0.0.1:0", &port);
    int client = connect_to(port, 0);
    pump(client, client, 1, MIB);
    close(client);
    cr_assert_eq(program_stop(&echo), 0);
}

Test(echo, what_was_sent_before_the_end_comes_back_and_then_the_end)
{
    program_serve(&echo, "echo", "--workers 1 127.0.0.1:0", &port);
    int client = connect_to(port, 0);
    pump(client, client, 2, 100000);
    send_text(client, "last words");
    shutdown(client, SHUT_WR);
    expect_text(client, "last words");
    expect_end(client);
    close(client);
    cr_assert_eq(program_stop(&echo), 0);
}

Test(echo, many_clients_do_not_hear_each_other)
{
    enum { CLIENTS = 300 };
    int clients[CLIENTS];
    char text[64];
    program_serve(&echo, "echo", "--workers 3 127.0.0.1:0", &port);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(port, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            snprintf(text, sizeof text, "client %d round %d", i, round);
            send_text(clients[i], text);
        }
        for (int i = 0; i < CLIENTS; i++) {
            snprintf(text, sizeof text, "client %d round %d", i, round);
            expect_text(clients[i], text);
        }
    }
    cr_assert_eq(program_stop(&echo), 0); /* with all of them connected */
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

Test(echo, a_client_that_sends_and_does_not_read_is_held_back_and_loses_nothing)
{
    uint64_t sent = 0, received = 0, size = 64 * (uint64_t)MIB;
    program_serve(&echo, "echo", "127.0.0.1:0", &port);
    int client = connect_to(port, 65536);
    struct pollfd writable = { .fd = client, .events = POLLOUT };
    while (sent < size && poll(&writable, 1, 200) > 0)
        send_some(client, 3, &sent, size);
    cr_assert_lt(sent, 24 * (uint64_t)MIB, "it was not held back: %lu bytes", (unsigned long)sent);
    struct pollfd readable = { .fd = client, .events = POLLIN };
    while (received < sent && poll(&readable, 1, SOON_MS) > 0)
        receive_some(client, 3, &received);
    cr_assert_eq(received, sent);
    close(client);
    cr_assert_eq(program_stop(&echo), 0);
}

Test(echo, ends_at_the_first_signal_from_the_moment_it_listens)
{
    static const int signals[] = { SIGTERM, SIGINT };
    for (int i = 0; i < 10; i++) {
        program_serve(&echo, "echo", "127.0.0.1:0", &port);
        program_signal(&echo, signals[i % 2]);
        cr_assert_eq(program_wait(&echo), 0);
    }
}

Test(echo, ends_at_the_first_signal_with_clients)
{
    program_serve(&echo, "echo", "127.0.0.1:0", &port);
    int client = connect_to(port, 0);
    pump(client, client, 4, 1000);
    program_signal(&echo, SIGINT);
    cr_assert_eq(program_wait(&echo), 0);
    close(client);
}

Test(echo, listens_on_several_addresses)
{
    char text[64];
    program_start(&echo, "echo", "127.0.0.1:0,127.0.0.2:0");
    snprintf(text, sizeof text, "%s", program_says(&echo, "listening on 127.0.0.1:"));
    int client = connect_to((uint16_t)atoi(text), 0);
    pump(client, client, 5, 1000);
    program_says(&echo, "listening on 127.0.0.2:");
    close(client);
    cr_assert_eq(program_stop(&echo), 0);
}

Test(echo, says_what_is_wrong_with_its_arguments)
{
    static const char *const cases[][2] = {
        { "", "an address is missing" },
        { "nonsense", "'nonsense' is not an address" },
        { "localhost:7000", "'localhost:7000' is not an address" },
        { "127.0.0.1", "'127.0.0.1' is not an address" },
        { "127.0.0.1:65536", "'127.0.0.1:65536' is not an address" },
        { "127.0.0.1:0,", "'127.0.0.1:0,' is not an address" },
        { "127.0.0.1:0,nonsense", "'127.0.0.1:0,nonsense' is not an address" },
        { "127.0.0.1:0 more", "'more' is one argument too many" },
        { "--workers", "'--workers' requires an argument" },
        { "--workers 0 127.0.0.1:0", "--workers 0: give a number" },
        { "--workers two 127.0.0.1:0", "--workers two: give a number" },
        { "--workers 1001 127.0.0.1:0", "--workers 1001: give a number from 1 to 1000" },
        { "--nonsense 127.0.0.1:0", "echo: unrecognized option '--nonsense'" },
        { "--help=me", "echo: option '--help=me' doesn't allow an argument" },
        { "127.0.0.1:0 -wh", "echo: unrecognized option '-w'" },
        { NULL, NULL },
    };
    check_command_line("echo", cases);
}

Test(echo, says_which_port_is_in_use)
{
    char out[4096], err[4096], address[64], text[128];
    int listener = listen_here(&port, 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    snprintf(text, sizeof text, "echo: listen on \"%s\": address already in use", address);
    cr_assert_eq(program_run("echo", address, out, sizeof out, err, sizeof err), 1);
    cr_assert_str_eq(out, "");
    cr_assert(strstr(err, text), "%s", err);
    close(listener);
}

Test(echo, says_that_there_is_no_such_completion_port)
{
    char out[4096], err[4096];
    set_environment("TROUPE_PORT", "nonsense");
    cr_assert_eq(program_run("echo", "127.0.0.1:0", out, sizeof out, err, sizeof err), 1);
    cr_assert(strstr(err, "\"nonsense\""), "%s", err);
}
