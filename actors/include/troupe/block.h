/*
 * <troupe/block.h>: work that blocks.
 *
 * A handler must not block: it holds its worker. What blocks runs on a pool of threads, and its result comes back as a
 * message.
 */
#ifndef TROUPE_BLOCK_H
#define TROUPE_BLOCK_H

#include <troupe/ask.h>

TR_BEGIN_C_

/* The job has run; m->call is its call. */
TR_MESSAGE(tr_blocked,
    int result; /* what the function answered */
    void *arg;
);

typedef struct tr_block_options {
    void *arg;
    void (*drop)(void *arg); /* releases arg when nobody receives the tr_blocked; NULL: nothing to release */
} tr_block_options;

/* tr_block(self, function, arg) or tr_block(self, function, arg, .drop = free): runs function(arg) on a thread of the
 * blocking pool. A tr_blocked arrives when it has returned; or a tr_failed: TR_ECANCELED (the system ended before it
 * began), TR_EAGAIN (no thread). The pool grows to its limit (an option of the system); more jobs wait.
 *
 * arg belongs to the function until its answer is handled. If the actor ends before, or abandons the call with
 * tr_abandon, the job is dropped when it has not begun, else its result is; drop is called in either case, and before a
 * tr_failed: on a thread of the pool, on a worker, or on the one that closes the system, so it must do with what any thread may
 * touch. The bits are 0 when there is no memory; then nothing runs and drop is not called.
 *
 * Nobody can end a function that runs. The end of an actor does not wait for it: another incarnation may start while it still
 * runs, so arg must not lead into the actor's state. The end of a system does, for as long as it has (tr_options.shutdown_ns);
 * then what still runs is named and left. In a handler. */
#define tr_block(self, function, ...) tr_block_((self), (function), &(const tr_block_options){ .arg = __VA_ARGS__ })

tr_call tr_block_(tr_self *self, int (*function)(void *arg), const tr_block_options *options);

TR_END_C_

#endif
