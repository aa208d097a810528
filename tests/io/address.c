/* Addresses as text. */
#include "io/address.h"
#include "sched/random.h"

#include <criterion/criterion.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <troupe/error.h>

Test(address, text_that_is_an_address_reads_and_writes_back)
{
    static const struct {
        const char *text, *back; /* NULL: the same */
    } rows[] = {
        { "127.0.0.1:7000", NULL },
        { "0.0.0.0:0", NULL },
        { "255.255.255.255:65535", NULL },
        { "[::1]:7000", NULL },
        { "[::]:0", NULL },
        { "[fe80::1%7]:1", NULL },
        { "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80" },
        { "[::ffff:1.2.3.4]:80", "1.2.3.4:80" },
        { "127.0.0.1:007", "127.0.0.1:7" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tr_address address;
        char text[TR_ADDRESS_TEXT];
        const char *back = rows[i].back ? rows[i].back : rows[i].text;
        cr_assert_eq(tr_address_parse(rows[i].text, &address), 0, "%s", rows[i].text);
        cr_assert_str_eq(tr_address_text(&address, text), back);
    }
}

Test(address, text_that_is_none_is_refused)
{
    static const char *const rows[] = { "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:1x",
        "127.0.0.1: 1", "127.0.0.1:+1", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:99999999999999999999",
        "127.0.0.1:1:2", "127.1:80", "256.0.0.1:80", "127.0.0.1.1:80", "localhost:80", "::1:80", "[::1]", "[::1]80",
        "[::1]:", "[]:80", "[::1:80", "::1]:80", "[127.0.0.1]:80", "[1:2:3:4:5:6:7:8:9]:80", "[fe80::1%]:80", "[%1]:80",
        " 127.0.0.1:80", "127.0.0.1:80 ",
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000127.0.0.1:80" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tr_address address;
        cr_assert_eq(tr_address_parse(rows[i], &address), TR_EINVAL, "\"%s\"", rows[i]);
    }
}

Test(address, a_scope_is_an_interface)
{
    tr_address address;
    unsigned loopback = if_nametoindex("lo");
    cr_assert_eq(tr_address_parse("[fe80::1%there-is-none]:80", &address), TR_ENODEV);
    cr_assert_eq(tr_address_parse("[fe80::1%0]:80", &address), TR_ENODEV);
    if (!loopback)
        cr_skip_test("no interface is called lo");
    cr_assert_eq(tr_address_parse("[fe80::1%lo]:80", &address), 0);
    cr_assert_eq(address.scope, loopback);
}

Test(address, an_unspecified_address_says_so)
{
    char text[TR_ADDRESS_TEXT];
    cr_assert_str_eq(tr_address_text(&(tr_address){ 0 }, text), "unspecified");
}

static tr_address any_address(struct tri_random *random)
{
    tr_address a = { .family = tri_random_next(random) & 1 ? TR_IPV4 : TR_IPV6, .port = (uint16_t)tri_random_next(random) };
    size_t size = a.family == TR_IPV4 ? 4 : 16;
    for (size_t i = 0; i < size; i++)
        a.bytes[i] = tri_random_next(random) & 3 ? (uint8_t)tri_random_next(random) : 0;
    if (a.family == TR_IPV6 && tri_random_next(random) & 1)
        a.scope = (uint32_t)tri_random_next(random);
    return a;
}

Test(address, every_address_survives_the_text_and_the_systems_form)
{
    struct tri_random random = { 1 };
    for (int i = 0; i < 20000; i++) {
        char text[TR_ADDRESS_TEXT];
        tr_address a = any_address(&random), b;
        cr_assert_eq(tr_address_parse(tr_address_text(&a, text), &b), 0, "%s", text);
        cr_assert(tr_address_eq(&a, &b), "%s", text);
        struct sockaddr_storage storage;
        cr_assert_eq(tri_address_to_system(&a, &storage),
            a.family == TR_IPV4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        b = tri_address_from_system(&storage);
        cr_assert(tr_address_eq(&a, &b), "%s", text);
    }
}

/* Whatever is read without an error can be written and read again. */
Test(address, no_text_does_harm)
{
    static const char alphabet[] = "0123456789abcdef:.[]%x- /";
    struct tri_random random = { 2 };
    int good = 0;
    for (int i = 0; i < 200000; i++) {
        char text[TR_ADDRESS_TEXT] = "127.0.0.1:80", again[TR_ADDRESS_TEXT];
        if (i & 1)
            snprintf(text, sizeof text, "[fe80::12:3%%1]:80");
        size_t changes = 1 + tri_random_next(&random) % 4;
        for (size_t c = 0; c < changes; c++)
            text[tri_random_next(&random) % 18] = alphabet[tri_random_next(&random) % (sizeof alphabet)];
        tr_address a, b;
        if (tr_address_parse(text, &a))
            continue;
        good++;
        cr_assert_eq(tr_address_parse(tr_address_text(&a, again), &b), 0, "\"%s\" \"%s\"", text, again);
        cr_assert(tr_address_eq(&a, &b), "\"%s\" \"%s\"", text, again);
    }
    cr_assert_gt(good, 1000);
}
