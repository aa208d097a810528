/* <troupe/format.h>: lets the compiler check formats and their arguments; formats are those of C11 on every system. */
#ifndef TROUPE_FORMAT_H
#define TROUPE_FORMAT_H

#if defined(__MINGW32__) && !defined(__clang__) /* whose plain printf is that of msvcrt */
#define TR_FORMAT_(text, first) __attribute__((format(gnu_printf, text, first)))
#else
#define TR_FORMAT_(text, first) __attribute__((format(printf, text, first)))
#endif

#endif
