/*
 * <troupe/ask.h>: requests and answers.
 *
 *     tr_call c = tr_ask(self, account, TR_MS(100), withdraw, .cents = 500);
 *     …
 *     if (tr_is(withdrawn, m) && m->call == c.bits) …             the answer, an ordinary message
 *     if (tr_is(tr_failed, m) && m->call == c.bits) …             or why there is none
 *
 * An ask is answered exactly once: by the reply, or by a tr_failed. The deadline is not optional; TR_FOREVER is one, for an
 * answer that may take any time. When the receiver is down, or goes down with the request unanswered, the failure comes at
 * once (TR_EDOWN, or TR_ECRASHED when it crashed on this very request). After a failure what was asked for may have been done
 * all the same: the receiver may have done it before it went down, or be doing it when the time is up.
 *
 * A reply that comes too late never reaches the asker; it expires and is counted. That holds even where the worker whose
 * timer it is is held by some handler: an answer past its deadline that the asker is about to handle becomes the failure.
 * Deadlines are looked at without reading the clock each time, so after a handler that held its worker this may be late by
 * 5 ms (50 ms while all workers run), but is never early.
 *
 * The deadline travels with the request: one that has expired is not handled any more, and what a handler asks others
 * while it serves a request gets no more time than is left for the request itself. That ends when the request is answered,
 * refused or forwarded, and with the handler: a taken request is not served by the handlers that come after it, nor by a
 * router. tr_ask_for says for which request something is asked, or that it is for none.
 *
 * Asking does not wait: the actor goes on handling messages.
 */
#ifndef TROUPE_ASK_H
#define TROUPE_ASK_H

#include <troupe/actor.h>

TR_BEGIN_C_

typedef struct {
    uint64_t bits;
} tr_call;

/* Why there is no answer: TR_ETIMEDOUT, TR_EDOWN, TR_ECRASHED, TR_EFULL (its mailbox was full), TR_EUNANSWERED (its
 * handler returned without a reply), TR_ENOMEM, or what tr_refuse gave. m->call is the ask's. */
TR_MESSAGE(tr_failed,
    int reason;
    tr_ref to; /* who was asked */
);

/* Handles the answer to one ask instead of the actor's receive; it returns what receive returns. */
typedef int tr_router(tr_self *self, void *state, const tr_msg *m);

/* tr_ask(self, to, timeout_ns, type, .field = value, …): sends a request. The answer or a tr_failed arrives as a message
 * whose `call` is the answer's bits, within timeout_ns (or earlier, see above); 0 or less has expired already. The bits
 * are 0 only when there is no memory to wait for an answer: then nothing was sent and none will come. In a handler. */
#define tr_ask(self, to, timeout_ns, ...) tr_ask_((self), (to), (timeout_ns), TR_TYPED_(__VA_ARGS__))

/* The same for a request kept with tr_take, instead of the one that is being handled: it gets no more time than is left for
 * that one. `taken` may be NULL: then it is for none, and timeout_ns alone counts. In a handler. */
#define tr_ask_for(self, taken, to, timeout_ns, ...) \
    tr_ask_for_((self), (taken), (to), (timeout_ns), TR_TYPED_(__VA_ARGS__))

/* Has the answer to this call, which is still out, handled by `router`. In the handler that asked. */
void tr_then(tr_self *self, tr_call call, tr_router *router);

/* Gives a call up: neither answer nor failure arrives any more. No effect when it was answered. In a handler. */
void tr_abandon(tr_self *self, tr_call call);

/* tr_reply(self, type, .field = value, …): answers the request that is being handled; m stays readable until the handler
 * returns. 0, TR_EDOWN (the asker is gone), TR_ETIMEDOUT (it came too late; the asker has been told, or is being told) or
 * TR_ENOMEM (the asker gets a tr_failed with that). For a message that is no request it does nothing and answers TR_EINVAL,
 * so one handler can serve tr_send and tr_ask. Programmer errors: a second reply; one in start or stop, where no message is
 * being handled (tr_reply_to answers a taken one there). In a handler. */
#define tr_reply(self, ...) tr_reply_((self), NULL, TR_TYPED_(__VA_ARGS__))

/* The same for a request kept with tr_take, which it consumes. In a handler, in any later turn. */
#define tr_reply_to(self, taken, ...) tr_reply_((self), (taken), TR_TYPED_(__VA_ARGS__))

/* Answers with a tr_failed of this reason (negative); needs no memory. `taken` as in tr_reply_to, or NULL for the message
 * being handled. 0, or TR_EINVAL for a message that is no request. In a handler. */
int tr_refuse(tr_self *self, tr_msg *taken, int reason);

/* The time left for the request being handled, in ns: at least 0; TR_FOREVER when it is no request, or has been answered or
 * passed on. In a handler. */
int64_t tr_time_left(tr_self *self);

/* The same for a request kept with tr_take. In a handler. */
int64_t tr_time_left_of(tr_self *self, const tr_msg *taken);

/* A request that was taken is not worth its work any more: its time is up (TR_ETIMEDOUT), or its asker has ended (TR_EDOWN;
 * a restart is no end). TR_ENOMEM: there was no memory to hear of the asker's end. It is still taken. */
TR_MESSAGE(tr_lapsed,
    tr_msg *request;
    int reason;
);

/* Has the actor told of that by a tr_lapsed, once for each reason, as long as it keeps the request. 0; TR_EINVAL for a message
 * that is no request; TR_ENOMEM. In a handler. */
int tr_watch(tr_self *self, tr_msg *taken);

tr_call tr_ask_(tr_self *self, tr_ref to, int64_t timeout_ns, const tr_type *type, const void *body, size_t size);
tr_call tr_ask_for_(tr_self *self, const tr_msg *taken, tr_ref to, int64_t timeout_ns, const tr_type *type,
    const void *body, size_t size);
int tr_reply_(tr_self *self, tr_msg *taken, const tr_type *type, const void *body, size_t size);

TR_END_C_

#endif
