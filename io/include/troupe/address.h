/*
 * <troupe/address.h>: addresses of the internet protocols.
 *
 * As text an address is "127.0.0.1:7000" or "[::1]:7000"; an IPv6 address may carry a scope, "[fe80::1%eth0]:7000" or
 * "[fe80::1%2]:7000" (RFC 4007), and a link-local one needs it. An IPv4 address in the form of IPv6,
 * "[::ffff:192.0.2.1]:7000", is read as the IPv4 address that it is. These are literal addresses: no name is looked up.
 */
#ifndef TROUPE_ADDRESS_H
#define TROUPE_ADDRESS_H

#include <troupe/language.h>

#include <stdbool.h>
#include <stdint.h>

TR_BEGIN_C_

enum tr_family { TR_UNSPECIFIED, TR_IPV4, TR_IPV6 };

typedef struct tr_address {
    uint8_t family;    /* enum tr_family */
    uint16_t port;     /* in host order */
    uint32_t scope;    /* of a link-local IPv6 address; 0: none */
    uint8_t bytes[16]; /* in network order; 4 of them for IPv4 */
} tr_address;

/* Reads an address: 0; TR_EINVAL when the text is not one; TR_ENODEV when its scope names no interface. Any thread. */
int tr_address_parse(const char *text, tr_address *address);

/* How long the text of an address can get, with the closing zero. */
#define TR_ADDRESS_TEXT 64

/* Writes the address into text, which holds at least TR_ADDRESS_TEXT bytes, and answers text; "unspecified" for a zeroed
 * one. A scope is written as a number. Any thread. */
char *tr_address_text(const tr_address *address, char *text);

/* Whether both are the same address and port. Any thread. */
bool tr_address_eq(const tr_address *a, const tr_address *b);

TR_END_C_

#endif
