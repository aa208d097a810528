/* panic.h: the end of the process after a programmer error. */
#ifndef TRI_PANIC_H
#define TRI_PANIC_H

#include "mailbox/compiler.h"

#include <troupe/format.h>

#include <stdbool.h>
#include <stddef.h>

/* Writes "troupe: " and the formatted text to standard error, with the actor and the message type the calling thread is
 * handling, and aborts. Any thread. */
_Noreturn TRI_COLD void tri_panic(const char *format, ...) TR_FORMAT_(1, 2);

/* Which actor runs on the calling thread: writes "name <ref>" into actor ("" when none does) and answers the name of the
 * message type it handles, or NULL. Set by actors/. */
extern const char *(*tri_who)(char *actor, size_t size);

/* A panic ends the process, and has said all: what else reports the end need not. */
extern bool tri_panicked;

/* More about where: "seed 7 of a simulation"; "": nothing. Written by the one thread that simulates. */
extern char tri_panic_where[64];

/* A condition that holds unless Troupe itself is wrong; checked in release builds, too. */
#define tri_assert(condition) \
    (tri_likely(condition) ? (void)0 : tri_panic("%s:%d: broken invariant: %s", __FILE__, __LINE__, #condition))

#endif
