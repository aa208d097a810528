/*
 * <troupe/post.h>: sending from threads that are not Troupe's.
 *
 * A foreign thread needs nothing but a reference. Handlers use tr_send, which is faster.
 */
#ifndef TROUPE_POST_H
#define TROUPE_POST_H

#include <troupe/message.h>

TR_BEGIN_C_

/* tr_post(to, type, .field = value, …): sends a message from any thread; its `from` is TR_NOBODY. Wakes a sleeping worker
 * if need be, and never blocks. In order for one thread and receiver.
 *
 * Answers 0; TR_EDOWN (the receiver is down, or its system is gone); TR_EFULL; TR_ENOMEM; TR_ECLOSED (the receiver's system
 * is shutting down, or is one of the process that fork()ed this one). As with tr_send the message is consumed in any case.
 * Not from a signal handler. */
#define tr_post(to, ...) tr_post_((to), TR_TYPED_(__VA_ARGS__))

int tr_post_(tr_ref to, const tr_type *type, const void *body, size_t size);

TR_END_C_

#endif
