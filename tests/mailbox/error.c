/* Error values: their numbers are frozen, every one has a name and a text, and errno is mapped onto them. */
#include "mailbox/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

struct entry {
    const char *name;
    int number;
    const char *text;
};

#define ENTRY(name, number, text) { #name, name, text },
static const struct entry declared[] = { TR_ERRORS(ENTRY) };

/* These never change: they travel between processes. New values are added here as well. */
static const struct {
    const char *name;
    int number;
} frozen[] = {
    { "TR_ECANCELED", -1 },
    { "TR_ETIMEDOUT", -2 },
    { "TR_EDOWN", -3 },
    { "TR_ECRASHED", -4 },
    { "TR_EKILLED", -5 },
    { "TR_ESHUTDOWN", -6 },
    { "TR_EFULL", -7 },
    { "TR_EUNANSWERED", -8 },
    { "TR_EDEADLK", -9 },
    { "TR_ECLOSED", -10 },
    { "TR_ENOMEM", -11 },
    { "TR_ELIMIT", -12 },
    { "TR_EINVAL", -13 },
    { "TR_ENOTSUP", -14 },
    { "TR_EEXIST", -15 },
    { "TR_ENOENT", -16 },
    { "TR_EPROTO", -17 },
    { "TR_EFAULT", -18 },
    { "TR_EINTENSITY", -19 },
    { "TR_ESTART", -20 },
    { "TR_EOWNER", -21 },
    { "TR_EREPLACED", -22 },
    { "TR_EAGAIN", -23 },
    { "TR_EUNKNOWN", -24 },
    { "TR_EACCES", -100 },
    { "TR_EADDRINUSE", -101 },
    { "TR_EADDRNOTAVAIL", -102 },
    { "TR_EAFNOSUPPORT", -103 },
    { "TR_EALREADY", -104 },
    { "TR_EBADF", -105 },
    { "TR_EBUSY", -106 },
    { "TR_ECONNABORTED", -107 },
    { "TR_ECONNREFUSED", -108 },
    { "TR_ECONNRESET", -109 },
    { "TR_EHOSTDOWN", -110 },
    { "TR_EHOSTUNREACH", -111 },
    { "TR_EINTR", -112 },
    { "TR_EIO", -113 },
    { "TR_EISCONN", -114 },
    { "TR_EMFILE", -115 },
    { "TR_EMSGSIZE", -116 },
    { "TR_ENAMETOOLONG", -117 },
    { "TR_ENETDOWN", -118 },
    { "TR_ENETUNREACH", -119 },
    { "TR_ENFILE", -120 },
    { "TR_ENOBUFS", -121 },
    { "TR_ENODEV", -122 },
    { "TR_ENOSPC", -123 },
    { "TR_ENOSYS", -124 },
    { "TR_ENOTCONN", -125 },
    { "TR_ENOTSOCK", -126 },
    { "TR_EPERM", -127 },
    { "TR_EPIPE", -128 },
    { "TR_EPROTONOSUPPORT", -129 },
    { "TR_ERANGE", -130 },
};

static const struct {
    int number, error;
} mapped[] = {
    { ECANCELED, TR_ECANCELED },
    { ETIMEDOUT, TR_ETIMEDOUT },
    { ENOMEM, TR_ENOMEM },
    { EINVAL, TR_EINVAL },
    { ENOTSUP, TR_ENOTSUP },
    { EOPNOTSUPP, TR_ENOTSUP },
    { EEXIST, TR_EEXIST },
    { ENOENT, TR_ENOENT },
    { EPROTO, TR_EPROTO },
    { EFAULT, TR_EFAULT },
    { EAGAIN, TR_EAGAIN },
    { EWOULDBLOCK, TR_EAGAIN },
    { EACCES, TR_EACCES },
    { EADDRINUSE, TR_EADDRINUSE },
    { EADDRNOTAVAIL, TR_EADDRNOTAVAIL },
    { EAFNOSUPPORT, TR_EAFNOSUPPORT },
    { EALREADY, TR_EALREADY },
    { EBADF, TR_EBADF },
    { EBUSY, TR_EBUSY },
    { ECONNABORTED, TR_ECONNABORTED },
    { ECONNREFUSED, TR_ECONNREFUSED },
    { ECONNRESET, TR_ECONNRESET },
#ifdef EHOSTDOWN /* not in the C library of Windows */
    { EHOSTDOWN, TR_EHOSTDOWN },
#endif
    { EHOSTUNREACH, TR_EHOSTUNREACH },
    { EINTR, TR_EINTR },
    { EIO, TR_EIO },
    { EISCONN, TR_EISCONN },
    { EMFILE, TR_EMFILE },
    { EMSGSIZE, TR_EMSGSIZE },
    { ENAMETOOLONG, TR_ENAMETOOLONG },
    { ENETDOWN, TR_ENETDOWN },
    { ENETUNREACH, TR_ENETUNREACH },
    { ENFILE, TR_ENFILE },
    { ENOBUFS, TR_ENOBUFS },
    { ENODEV, TR_ENODEV },
    { ENOSPC, TR_ENOSPC },
    { ENOSYS, TR_ENOSYS },
    { ENOTCONN, TR_ENOTCONN },
    { ENOTSOCK, TR_ENOTSOCK },
    { EPERM, TR_EPERM },
    { EPIPE, TR_EPIPE },
    { EPROTONOSUPPORT, TR_EPROTONOSUPPORT },
    { ERANGE, TR_ERANGE },
};

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

Test(error, every_number_is_the_frozen_one)
{
    cr_assert_eq(LENGTH(declared), LENGTH(frozen), "a value came or went: add it to the frozen ones");
    for (size_t i = 0; i < LENGTH(frozen); i++) {
        cr_assert_str_eq(declared[i].name, frozen[i].name);
        cr_assert_eq(declared[i].number, frozen[i].number, "%s is %d", declared[i].name, declared[i].number);
    }
}

Test(error, numbers_are_unique_and_negative)
{
    for (size_t i = 0; i < LENGTH(declared); i++) {
        cr_assert_lt(declared[i].number, 0);
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(declared[i].number, declared[j].number, "%s and %s", declared[i].name, declared[j].name);
    }
}

Test(error, every_value_has_its_name_and_a_text_of_its_own)
{
    for (size_t i = 0; i < LENGTH(declared); i++) {
        cr_assert_str_eq(tr_error_name(declared[i].number), declared[i].name);
        cr_assert_str_eq(tr_strerror(declared[i].number), declared[i].text);
        cr_assert_gt(strlen(declared[i].text), 0);
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(declared[i].text, declared[j].text);
    }
}

Test(error, what_is_no_error_and_what_is_unknown_have_a_text_too)
{
    cr_assert_str_eq(tr_strerror(TR_OK), "no error");
    cr_assert_str_eq(tr_error_name(TR_OK), "TR_OK");
    cr_assert_str_eq(tr_strerror(17), "no error");
    cr_assert_str_eq(tr_error_name(17), "TR_OK");
    cr_assert_str_eq(tr_strerror(-99), "unknown error value");
    cr_assert_str_eq(tr_error_name(-99), "TR_E?");
    cr_assert_str_eq(tr_error_name(-2147483647 - 1), "TR_E?");
}

Test(error, errno_is_mapped_by_name)
{
    for (size_t i = 0; i < LENGTH(mapped); i++)
        cr_assert_eq(tri_error_from_errno(mapped[i].number), mapped[i].error, "%s became %s", strerror(mapped[i].number),
            tr_error_name(tri_error_from_errno(mapped[i].number)));
}

Test(error, what_stands_for_an_errno_is_what_some_errno_becomes)
{
    for (size_t i = 0; i < LENGTH(declared); i++) {
        bool found = false;
        for (size_t j = 0; j < LENGTH(mapped) && !found; j++)
            found = mapped[j].error == declared[i].number;
#ifndef EHOSTDOWN
        found |= declared[i].number == TR_EHOSTDOWN;
#endif
        cr_assert(found || declared[i].number > -100, "%s", declared[i].name);
    }
}

Test(error, every_errno_becomes_a_declared_value)
{
    for (int number = -10; number < 300; number++) {
        int error = tri_error_from_errno(number);
        cr_assert_str_neq(tr_error_name(error), "TR_E?", "errno %d became %d", number, error);
        cr_assert_lt(error, 0);
    }
    cr_assert_eq(tri_error_from_errno(0), TR_EUNKNOWN);
    cr_assert_eq(tri_error_from_errno(100000), TR_EUNKNOWN);
}
