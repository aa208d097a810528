#include "io/address.h"

#include <troupe/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* A decimal number up to max, all of the text. */
static bool read_number(const char *text, unsigned long max, unsigned long *number)
{
    if (*text < '0' || *text > '9')
        return false;
    *number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        *number = *number * 10 + (unsigned long)(*text - '0');
        if (*number > max)
            return false;
    }
    return *text == 0;
}

static int read_scope(const char *text, uint32_t *scope)
{
    unsigned long number;
    if (read_number(text, UINT32_MAX, &number))
        *scope = (uint32_t)number;
    else
        *scope = if_nametoindex(text);
    return *scope ? 0 : *text ? TR_ENODEV : TR_EINVAL;
}

/* An IPv4 address in the form of IPv6 is that address: sockets are of one family. */
static void unmap(tr_address *address)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (address->scope || memcmp(address->bytes, mapped, sizeof mapped) != 0)
        return;
    address->family = TR_IPV4;
    memmove(address->bytes, address->bytes + 12, 4);
    memset(address->bytes + 4, 0, 12);
}

static int read_ipv6(char *host, tr_address *address)
{
    char *percent = strchr(host, '%');
    int error = 0;
    if (percent) {
        *percent = 0;
        error = read_scope(percent + 1, &address->scope);
    }
    address->family = TR_IPV6;
    if (inet_pton(AF_INET6, host, address->bytes) != 1)
        return TR_EINVAL;
    unmap(address);
    return error;
}

bool tri_address_lacks_scope(const tr_address *address)
{
    return address->family == TR_IPV6 && !address->scope && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

int tr_address_parse(const char *text, tr_address *address)
{
    char copy[TR_ADDRESS_TEXT];
    unsigned long port;
    size_t length = strlen(text);

    *address = (tr_address){ 0 };
    if (length >= sizeof copy)
        return TR_EINVAL;
    memcpy(copy, text, length + 1);
    bool bracket = copy[0] == '[';
    char *end = bracket ? strstr(copy, "]:") : strrchr(copy, ':');
    if (!end)
        return TR_EINVAL;
    *end = 0;
    if (!read_number(end + (bracket ? 2 : 1), 65535, &port))
        return TR_EINVAL;
    address->port = (uint16_t)port;
    if (bracket)
        return read_ipv6(copy + 1, address);
    address->family = TR_IPV4;
    return inet_pton(AF_INET, copy, address->bytes) == 1 ? 0 : TR_EINVAL;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

char *tr_address_text(const tr_address *address, char *text)
{
    char host[INET6_ADDRSTRLEN];
    if (address->family == TR_IPV4) {
        inet_ntop(AF_INET, address->bytes, host, sizeof host);
        snprintf(text, TR_ADDRESS_TEXT, "%s:%u", host, address->port);
    } else if (address->family == TR_IPV6 && address->scope) {
        inet_ntop(AF_INET6, address->bytes, host, sizeof host);
        snprintf(text, TR_ADDRESS_TEXT, "[%s%%%u]:%u", host, (unsigned)address->scope, address->port);
    } else if (address->family == TR_IPV6) {
        inet_ntop(AF_INET6, address->bytes, host, sizeof host);
        snprintf(text, TR_ADDRESS_TEXT, "[%s]:%u", host, address->port);
    } else {
        snprintf(text, TR_ADDRESS_TEXT, "unspecified");
    }
    return text;
}

bool tr_address_eq(const tr_address *a, const tr_address *b)
{
    return a->family == b->family && a->port == b->port && a->scope == b->scope &&
        memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- the system's form ------------------------------------------------------------------------------------------- */

socklen_t tri_address_to_system(const tr_address *address, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (address->family == TR_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        in6->sin6_scope_id = address->scope;
        memcpy(&in6->sin6_addr, address->bytes, 16);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)to;
    in->sin_family = AF_INET;
    in->sin_port = htons(address->port);
    memcpy(&in->sin_addr, address->bytes, 4);
    return sizeof *in;
}

tr_address tri_address_from_system(const struct sockaddr_storage *from)
{
    tr_address address = { 0 };
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        address.family = TR_IPV4;
        address.port = ntohs(in->sin_port);
        memcpy(address.bytes, &in->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        address.family = TR_IPV6;
        address.port = ntohs(in6->sin6_port);
        address.scope = in6->sin6_scope_id;
        memcpy(address.bytes, &in6->sin6_addr, 16);
    }
    return address;
}
