/* The proxy example, as a program. The target is a socket of the test's. */
#include "program.h"

enum { MIB = 1 << 20 };

static struct program proxy;
static int listener, client, target;

/* Starts the proxy, with one connection through it. buffer_bytes as in connect_to. */
static void open_proxy(int buffer_bytes)
{
    char arguments[128];
    uint16_t port, target_port;
    listener = listen_here(&target_port, buffer_bytes);
    snprintf(arguments, sizeof arguments, "127.0.0.1:0 127.0.0.1:%u", target_port);
    program_serve(&proxy, "proxy", arguments, &port);
    client = connect_to(port, buffer_bytes);
    target = accept_one(listener);
}

static void close_proxy(void)
{
    close(client);
    close(target);
    close(listener);
    cr_assert_eq(program_stop(&proxy), 0);
}

Test(proxy, passes_everything_on_in_both_directions)
{
    open_proxy(0);
    pump(client, target, 1, MIB);
    pump(target, client, 2, MIB);
    send_text(client, "question");
    send_text(target, "answer");
    expect_text(target, "question");
    expect_text(client, "answer");
    close_proxy();
}

Test(proxy, what_is_sent_before_the_target_is_reached_is_not_lost)
{
    char arguments[128];
    uint16_t port, target_port;
    int one, two;
    listener = listen_here(&target_port, 0);
    snprintf(arguments, sizeof arguments, "--workers 1 127.0.0.1:0 127.0.0.1:%u", target_port);
    program_serve(&proxy, "proxy", arguments, &port);
    one = connect_to(port, 0);
    send_text(one, "first");
    shutdown(one, SHUT_WR);
    target = accept_one(listener);
    expect_text(target, "first");
    expect_end(target);
    close(target);
    expect_end(one);
    two = connect_to(port, 0);
    target = accept_one(listener);
    send_text(target, "the target speaks first");
    expect_text(two, "the target speaks first");
    close(one);
    close(two);
    close_proxy();
}

Test(proxy, the_end_of_one_direction_leaves_the_other_open)
{
    int *ends[2][2] = { { &client, &target }, { &target, &client } };
    for (int i = 0; i < 2; i++) {
        open_proxy(0);
        int first = *ends[i][0], second = *ends[i][1];
        pump(first, second, 3, 100000);
        shutdown(first, SHUT_WR);
        expect_end(second);
        pump(second, first, 4, MIB);
        shutdown(second, SHUT_WR);
        expect_end(first);
        close_proxy();
    }
}

Test(proxy, a_reset_is_passed_on)
{
    int *ends[2][2] = { { &client, &target }, { &target, &client } };
    for (int i = 0; i < 2; i++) {
        open_proxy(0);
        int first = *ends[i][0], second = *ends[i][1];
        pump(first, second, 5, 1000);
        setsockopt(first, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
        close(first);
        *ends[i][0] = -1;
        expect_reset(second);
        close_proxy();
    }
}

/* The sender wants to send `size` bytes, and the reader does not read for a while. What the kernel holds for the proxy's
 * two sockets is not the proxy's to bound, but far below this. */
static void stall(int sender, int reader, uint64_t size, long *peak_kb)
{
    uint64_t sent = 0, received = 0;
    struct pollfd writable = { .fd = sender, .events = POLLOUT };
    while (sent < size && poll(&writable, 1, 200) > 0)
        send_some(sender, 6, &sent, size);
    cr_assert_lt(sent, 32 * (uint64_t)MIB, "it was not held back: %lu bytes", (unsigned long)sent);
    while (received < size) {
        struct pollfd both[2] = { { .fd = reader, .events = POLLIN }, { .fd = sender, .events = sent < size ? POLLOUT : 0 } };
        cr_assert(poll(both, 2, SOON_MS) > 0, "stalled: %lu sent, %lu received", (unsigned long)sent,
            (unsigned long)received);
        if (both[1].revents & POLLOUT)
            send_some(sender, 6, &sent, size);
        if (both[0].revents)
            cr_assert(receive_some(reader, 6, &received), "the stream ended after %lu bytes", (unsigned long)received);
    }
    *peak_kb = program_peak_kb(&proxy);
}

/* Wine takes a tenth of a second for a mebibyte. */
Test(proxy, a_slow_reader_stalls_a_fast_sender_and_memory_stays_flat, .timeout = 100)
{
    int *ends[2][2] = { { &client, &target }, { &target, &client } };
    uint64_t size = (getenv("TROUPE_NIGHT") ? 1024 : is_wine() ? 36 : 64) * (uint64_t)MIB;
    for (int i = 0; i < 2; i++) {
        long peak_kb;
        open_proxy(65536);
        pump(client, target, 7, MIB);
        pump(target, client, 8, MIB);
        long before_kb = program_peak_kb(&proxy);
        stall(*ends[i][0], *ends[i][1], size, &peak_kb);
        if (!SANITIZED) /* they keep freed memory for a while */
            cr_assert_lt(peak_kb - before_kb, 4096, "from %ld to %ld KiB", before_kb, peak_kb);
        close_proxy();
    }
}

Test(proxy, a_target_that_refuses_ends_that_connection_and_no_other)
{
    char arguments[128], text[128], err[4096];
    uint16_t port, target_port;
    listener = listen_here(&target_port, 0);
    snprintf(arguments, sizeof arguments, "127.0.0.1:0 127.0.0.1:%u", target_port);
    program_serve(&proxy, "proxy", arguments, &port);
    int open = connect_to(port, 0);
    target = accept_one(listener);
    close(listener);
    client = connect_to(port, 0);
    expect_reset(client);
    pump(open, target, 9, 1000);
    close(open);
    snprintf(text, sizeof text, "proxy: target 127.0.0.1:%u: connection refused\n", target_port);
    long length = stream_read(&proxy.process.err, err, sizeof err - 1, SOON_MS);
    err[length > 0 ? length : 0] = 0;
    cr_assert_not_null(strstr(err, text), "%s", err);
    listener = -1;
    close_proxy();
}

Test(proxy, says_what_is_wrong_with_its_arguments)
{
    static const char *const cases[][2] = {
        { "", "an address is missing" },
        { "127.0.0.1:0", "the address of the target is missing" },
        { "nonsense 127.0.0.1:80", "'nonsense' is not an address" },
        { "127.0.0.1:0 nonsense", "'nonsense' is not an address" },
        { "127.0.0.1:0 *:80", "'*:80' is not an address" },
        { "127.0.0.1:0 127.0.0.1:80,127.0.0.1:81", "'127.0.0.1:80,127.0.0.1:81' is not an address" },
        { "127.0.0.1:0 127.0.0.1:0", "nobody can be reached at port 0 of '127.0.0.1:0'" },
        { "127.0.0.1:0 127.0.0.1:80 more", "'more' is one argument too many" },
        { "--nonsense 127.0.0.1:0 127.0.0.1:80", "'--nonsense'" },
        { NULL, NULL },
    };
    check_command_line("proxy", cases);
}

Test(proxy, says_which_port_is_in_use)
{
    char out[4096], err[4096], arguments[64], text[128];
    uint16_t port;
    listener = listen_here(&port, 0);
    snprintf(arguments, sizeof arguments, "127.0.0.1:%u 127.0.0.1:80", port);
    snprintf(text, sizeof text, "proxy: listen on \"127.0.0.1:%u\": address already in use", port);
    cr_assert_eq(program_run("proxy", arguments, out, sizeof out, err, sizeof err), 1);
    cr_assert(strstr(err, text), "%s", err);
    close(listener);
}
