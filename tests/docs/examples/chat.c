/* The chat example, as a program. */
#include "program.h"

static struct program chat;
static uint16_t port;

/* A client that has given its name and has been let in. */
static int enter(const char *name)
{
    char text[64];
    int client = connect_to(port, 0);
    expect_text(client, "What is your name?\n");
    snprintf(text, sizeof text, "%s\n", name);
    send_text(client, text);
    snprintf(text, sizeof text, "* %s is here\n", name);
    expect_text(client, text);
    return client;
}

Test(chat, everybody_hears_what_anybody_says)
{
    static const char *const names[] = { "ann", "bob", "eve" };
    int clients[3];
    char text[128];
    program_serve(&chat, "chat", "--workers 2 127.0.0.1:0", &port);
    for (int i = 0; i < 3; i++) {
        clients[i] = enter(names[i]);
        snprintf(text, sizeof text, "* %s is here\n", names[i]);
        for (int j = 0; j < i; j++)
            expect_text(clients[j], text);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "this is %s speaking\n", names[i]);
        send_text(clients[i], text);
        snprintf(text, sizeof text, "%s: this is %s speaking\n", names[i], names[i]);
        for (int j = 0; j < 3; j++)
            expect_text(clients[j], text);
    }
    close(clients[1]);
    expect_text(clients[0], "* bob has left\n");
    expect_text(clients[2], "* bob has left\n");
    cr_assert_eq(program_stop(&chat), 0);
    close(clients[0]);
    close(clients[2]);
}

Test(chat, lines_may_come_in_pieces_and_many_at_once)
{
    program_serve(&chat, "chat", "127.0.0.1:0", &port);
    int ann = enter("ann");
    for (const char *at = "one\r\ntwo\n"; *at; at++)
        cr_assert_eq(send(ann, at, 1, 0), 1);
    expect_text(ann, "ann: one\nann: two\n");
    send_text(ann, "\n  \nthree\nfour  \nfi");
    expect_text(ann, "ann: three\nann: four\n");
    send_text(ann, "ve\n");
    expect_text(ann, "ann: five\n");
    cr_assert_eq(program_stop(&chat), 0);
    close(ann);
}

Test(chat, a_name_is_somebodys_until_he_leaves)
{
    static const char *const bad[] = { "\n", "two words\n", "colon:\n", "*star\n", "a-name-that-is-too-long\n" };
    program_serve(&chat, "chat", "127.0.0.1:0", &port);
    int ann = enter("ann"), bob = connect_to(port, 0);
    expect_text(bob, "What is your name?\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        send_text(bob, bad[i]);
        expect_text(bob, "* a name has 1 to 20 characters, no spaces, colons or stars; another one?\n");
    }
    send_text(bob, "ann\n");
    expect_text(bob, "* that name is taken; another one?\n");
    send_text(bob, "bob\n/names\n");
    expect_text(bob, "* bob is here\n* here: ann, bob\n");
    expect_text(ann, "* bob is here\n");
    close(ann);
    expect_text(bob, "* ann has left\n");
    ann = enter("ann");
    expect_text(bob, "* ann is here\n");
    cr_assert_eq(program_stop(&chat), 0);
    close(ann);
    close(bob);
}

Test(chat, what_is_not_text_does_no_harm)
{
    char line[1200];
    program_serve(&chat, "chat", "127.0.0.1:0", &port);
    int ann = enter("ann");
    cr_assert_eq(send(ann, "a\033[2Jb\0c\177d\n", 11, 0), 11);
    expect_text(ann, "ann: a [2Jb c d\n");
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    cr_assert_eq(send(ann, line, sizeof line, 0), (ssize_t)sizeof line);
    expect_text(ann, "* that line is too long\n");
    cr_assert_eq(send(ann, line + sizeof line - 1000, 1000, 0), 1000); /* the longest that may be */
    expect_text(ann, "ann: ");
    line[sizeof line - 1] = 0;
    expect_text(ann, line + sizeof line - 1000);
    cr_assert_eq(program_stop(&chat), 0);
    close(ann);
}

/* Ann's connection is closed when a mebibyte waits for her, besides what the kernel holds. */
Test(chat, somebody_who_does_not_read_is_let_go)
{
    char line[1000], heard[65536];
    size_t length = 0;
    bool gone = false;
    program_serve(&chat, "chat", "127.0.0.1:0", &port);
    int ann = connect_to(port, 4096);
    send_text(ann, "ann\n");
    int bob = enter("bob");
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 100000 && !gone; i++) { /* says a line, and then waits for one */
        cr_assert_eq(send(bob, line, sizeof line, 0), (ssize_t)sizeof line);
        do {
            ssize_t got = recv(bob, heard + length, sizeof heard - 1 - length, 0);
            cr_assert(got > 0, "after %d lines: %s", i, strerror(errno));
            heard[length += (size_t)got] = 0;
            gone = gone || strstr(heard, "* ann has left\n");
        } while (!strchr(heard, '\n'));
        length = strlen(strrchr(heard, '\n') + 1);
        memmove(heard, strrchr(heard, '\n') + 1, length + 1);
    }
    cr_assert(gone);
    cr_assert_eq(program_stop(&chat), 0);
    close(ann);
    close(bob);
}

Test(chat, says_what_is_wrong_with_its_arguments)
{
    static const char *const cases[][2] = {
        { "", "an address is missing" },
        { "nonsense", "'nonsense' is not an address" },
        { "127.0.0.1:0 more", "'more' is one argument too many" },
        { "--workers -1 127.0.0.1:0", "--workers -1: give a number" },
        { "--nonsense 127.0.0.1:0", "'--nonsense'" },
        { NULL, NULL },
    };
    check_command_line("chat", cases);
}

Test(chat, says_which_port_is_in_use)
{
    char out[4096], err[4096], address[64], text[128];
    int listener = listen_here(&port, 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    snprintf(text, sizeof text, "chat: listen on \"%s\": address already in use", address);
    cr_assert_eq(program_run("chat", address, out, sizeof out, err, sizeof err), 1);
    cr_assert(strstr(err, text), "%s", err);
    close(listener);
}
