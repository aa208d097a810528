/* The error numbers of Windows: what a program sees of them. The numbers are written out: they never change. */
#include "mailbox/error_windows.h"

#include "mailbox/error.h"

#include <criterion/criterion.h>
#include <string.h>

struct row {
    uint32_t number;
    int error;
};

static const struct row codes[] = {
    { 2, TR_ENOENT }, /* a pipe's name without a server */
    { 5, TR_EACCES },
    { 8, TR_ENOMEM },
    { 64, TR_ECONNRESET },
    { 109, TR_EPIPE },
    { 121, TR_ETIMEDOUT },
    { 231, TR_EBUSY },
    { 232, TR_EPIPE },
    { 233, TR_EPIPE },
    { 234, TR_EMSGSIZE },
    { 258, TR_ETIMEDOUT },
    { 676, TR_ECANCELED },
    { 735, TR_ECLOSED },
    { 995, TR_ECANCELED },
    { 1225, TR_ECONNREFUSED },
    { 1236, TR_ECONNABORTED },
    { 1453, TR_ENOBUFS },
    { 1454, TR_ENOBUFS },
    { 1460, TR_ETIMEDOUT },
    { 1816, TR_ENOBUFS },
    { 10013, TR_EACCES },
    { 10022, TR_EINVAL },
    { 10024, TR_EMFILE },
    { 10038, TR_ENOTSOCK },
    { 10040, TR_EMSGSIZE },
    { 10042, TR_ENOTSUP },
    { 10045, TR_ENOTSUP },
    { 10047, TR_EAFNOSUPPORT },
    { 10048, TR_EADDRINUSE },
    { 10049, TR_EADDRNOTAVAIL },
    { 10053, TR_ECONNABORTED },
    { 10054, TR_ECONNRESET },
    { 10055, TR_ENOBUFS },
    { 10056, TR_EISCONN },
    { 10057, TR_ENOTCONN },
    { 10058, TR_EPIPE },
    { 10060, TR_ETIMEDOUT },
    { 10061, TR_ECONNREFUSED },
    { 10064, TR_EHOSTDOWN },
    { 10065, TR_EHOSTUNREACH },
    { 11001, TR_ENOENT },
    { 0, TR_EUNKNOWN },
    { 38, TR_EUNKNOWN }, /* the end of a file */
    { 999999, TR_EUNKNOWN },
};

static const struct row statuses[] = {
    { 0xC0000120, TR_ECANCELED },
    { 0x8000000A, TR_ECANCELED },
    { 0xC0000240, TR_ECANCELED },
    { 0xC0000044, TR_ENOBUFS }, /* too many pages locked, in one of four ways */
    { 0xC00000A1, TR_ENOBUFS },
    { 0xC000012C, TR_ENOBUFS },
    { 0xC000012D, TR_ENOMEM },
    { 0xC000011F, TR_EMFILE },
    { 0xC000020F, TR_ECONNABORTED },
    { 0xC0000237, TR_ECONNRESET },
    { 0xC000013E, TR_ECONNRESET },
    { 0xC000013F, TR_ETIMEDOUT },
    { 0xC00000BC, TR_ECONNREFUSED },
    { 0xC000023E, TR_ENETUNREACH },
    { 0xC000023A, TR_ENOTCONN },
    { 0xC0000209, TR_EADDRINUSE },
    { 0xC0000141, TR_EADDRNOTAVAIL },
    { 0xC0000207, TR_EADDRNOTAVAIL },
    { 0xC00000BF, TR_ENETDOWN },
    { 0xC000020D, TR_ECONNRESET },
    { 0xC000023F, TR_ECONNRESET },
    { 0xC0000236, TR_ECONNREFUSED },
    { 0xC0000241, TR_ECONNABORTED },
    { 0xC000014B, TR_EPIPE },
    { 0xC00000B0, TR_EPIPE },
    { 0x80000005, TR_EMSGSIZE },
    { 0xC00000B5, TR_ETIMEDOUT },
    { 0xC000023C, TR_ENETUNREACH },
    { 0xC000023D, TR_EHOSTUNREACH },
    { 0xC000009A, TR_ENOBUFS },
    { 0xC0000011, TR_EUNKNOWN }, /* the end of a file */
    { 0, TR_EUNKNOWN },
};

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

Test(error_windows, codes_become_what_their_names_say)
{
    for (size_t i = 0; i < LENGTH(codes); i++)
        cr_assert_eq(tri_error_from_win32(codes[i].number), codes[i].error, "%u became %s", codes[i].number,
            tr_error_name(tri_error_from_win32(codes[i].number)));
}

Test(error_windows, statuses_become_what_their_names_say)
{
    for (size_t i = 0; i < LENGTH(statuses); i++)
        cr_assert_eq(tri_error_from_ntstatus(statuses[i].number), statuses[i].error, "%#x became %s", statuses[i].number,
            tr_error_name(tri_error_from_ntstatus(statuses[i].number)));
}

Test(error_windows, every_code_becomes_a_declared_value)
{
    for (uint32_t code = 0; code < 13000; code++) {
        cr_assert_str_neq(tr_error_name(tri_error_from_win32(code)), "TR_E?", "%u", code);
        cr_assert_lt(tri_error_from_win32(code), 0);
    }
    for (uint32_t status = 0xC0000000; status < 0xC0001000; status++) {
        cr_assert_str_neq(tr_error_name(tri_error_from_ntstatus(status)), "TR_E?", "%#x", status);
        cr_assert_lt(tri_error_from_ntstatus(status), 0);
    }
}
