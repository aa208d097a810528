/*
 * <troupe/message.h>: messages, their types, and sending.
 *
 * A message is an ordinary C struct (its body) in an envelope. Its type is declared once, in a header, and defined
 * once, in a source file:
 *
 *     TR_MESSAGE(work, uint32_t n;);            header: struct work, and its type object
 *     TR_SIGNAL(pause_now);                     header: a message without a body
 *     TR_DEFINE(work); TR_DEFINE(pause_now);    source
 *
 *     tr_send(self, to, work, .n = 42);         fields are checked by the compiler; what is not named is zero
 *     tr_send(self, to, pause_now);
 *
 *     if (tr_is(work, m))                       in the receiver's handler
 *         n = tr_body(work, m)->n;
 *
 * Ownership: Sending consumes, always, even on failure (then it is a dead letter). A received body is borrowed until
 * the handler returns; tr_take keeps it, tr_forward passes it on. Bulk bytes travel as tr_buf, an immutable counted
 * slice whose last holder frees it.
 *
 * Order: between one sender and one receiver messages of a lane arrive in the order they were sent. There are three
 * lanes: the system's own (exit requests), urgent ones (tr_send_urgent), and all the rest.
 *
 * Delay: a message is in the receiver's mailbox when the send returns. But if that is busy, several that a handler sends to
 * it in a row may get there together, at the latest when the handler returns, sends to another, sends urgently, posts or
 * spawns, or when it has gone on for some ten milliseconds and another worker helps. So a handler must not wait, by other
 * means than messages, for what comes of a message that it has sent.
 *
 * Fate: every message is delivered, or becomes a dead letter with a reason (see <troupe/dead_letter.h>), or expires
 * (a request whose deadline has passed, an answer nobody waits for any more). The counters of <troupe/stats.h> balance.
 */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include <troupe/error.h>
#include <troupe/language.h>
#include <troupe/ref.h>

#include <string.h>

TR_BEGIN_C_

typedef struct tr_self tr_self; /* the capability to act: handed to every handler, valid during that call only */
typedef struct tr_msg tr_msg;

/* ---- types ------------------------------------------------------------------------------------------------------- */

#define TR_BODY_MAX   65536 /* bytes in a body; more than that is bulk, which travels as a tr_buf */
#define TR_BODY_SMALL 512   /* a larger body counts as bulk for the receiver's bound, with its envelope */

enum {
    /* This type may be defined in several places of one process (a static library linked into two shared ones): it is
     * recognised by its name where the addresses differ. */
    TR_TYPE_SHARED = 1,
};

typedef struct tr_type {
    const char *name;
    uint32_t size;                    /* of the body, in bytes */
    uint32_t flags;                   /* TR_TYPE_… */
    void (*drop)(void *body);         /* releases what a body owns (buffers, memory); NULL: plain data */
    size_t (*bulk)(const void *body); /* bytes of bulk a body carries, at most 2^47, for the receiver's bound; NULL: none */
    void (*print)(const void *body, char *text, size_t size); /* writes it as text, as snprintf does, for traces; NULL: none */
    const void *codec; /* how the body crosses a process or a network; NULL, for later */
    int reserved_;
} tr_type;

/* Declares the struct `name` with these fields and its type object name_type. In a header. */
#define TR_MESSAGE(name, ...) \
    typedef struct name { \
        __VA_ARGS__ \
    } name; \
    extern const tr_type name##_type

/* Declares a message without a body. In a header. */
#define TR_SIGNAL(name) TR_MESSAGE(name, char nothing_;)

/* Defines what TR_MESSAGE or TR_SIGNAL declared: TR_DEFINE(work); or TR_DEFINE(work, .drop = work_drop); in one source
 * file. */
#define TR_DEFINE(...) TR_DEFINE_(__VA_ARGS__, .reserved_ = 0)
#define TR_DEFINE_(type_, ...) \
    TR_STATIC_ASSERT_(sizeof(type_) <= TR_BODY_MAX, "the body of " #type_ " is too large: bulk travels as a tr_buf"); \
    const tr_type type_##_type = { .name = #type_, .size = sizeof(type_), __VA_ARGS__ }

/* A hash (FNV-1a) of the type's name, the same in every process. Any thread. */
uint64_t tr_type_hash(const tr_type *type);

/* ---- the envelope ------------------------------------------------------------------------------------------------ */

/* What a handler receives. The body follows the envelope; fields that end in _ are the runtime's. */
struct tr_msg {
    struct tr_msg *next_;
    tr_ref from; /* the sender; TR_NOBODY from a foreign thread */
    const tr_type *type;
    uint64_t call; /* an ask's or a timer's id; 0 for a plain message */
    uint32_t generation_;
    uint32_t deadline_;
    uint32_t cause_;
    uint16_t block_;
    uint16_t flags_;
};

TR_STATIC_ASSERT_(sizeof(tr_msg) <= 48, "the envelope is frozen: see docs/design/envelope.md");

bool tr_type_same_(const tr_type *a, const tr_type *b);
__attribute__((noreturn)) void tr_body_mismatch_(const tr_msg *m, const tr_type *type);

static inline bool tr_is_(const tr_msg *m, const tr_type *type)
{
    return m->type == type || ((type->flags & TR_TYPE_SHARED) && tr_type_same_(m->type, type));
}

static inline const void *tr_body_(const tr_msg *m, const tr_type *type)
{
    if (!tr_is_(m, type))
        tr_body_mismatch_(m, type);
    return m + 1;
}

/* Whether m is a message of type `name`. */
#define tr_is(name, m) tr_is_((m), &name##_type)

/* The body of m, as const name *. That m is of another type is a programmer error. */
#define tr_body(name, m) ((const name *)tr_body_((m), &name##_type))

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* tr_send(self, to, type, .field = value, …): sends a message of that type, its fields set as given and the others to
 * zero. It never blocks. In a handler.
 *
 * Answers 0; TR_EDOWN when the receiver is down; TR_EFULL when its mailbox is full (the bound is checked without a lock:
 * senders on n workers may overshoot it by n messages, and that of a large mailbox, of 128 or more, by 64 times n);
 * TR_ENOMEM. On failure the message has become a dead letter and what its body owned is released, so the result may be
 * ignored where a loss does not matter. */
#define tr_send(self, to, ...) tr_send_((self), (to), 0, TR_TYPED_(__VA_ARGS__))

/* The same in the urgent lane: it overtakes ordinary messages that wait in the receiver's mailbox. */
#define tr_send_urgent(self, to, ...) tr_send_((self), (to), 1, TR_TYPED_(__VA_ARGS__))

/* A message to be filled in place, for bodies built step by step: its body (type->size bytes) is zeroed. NULL when there
 * is no memory. It must be given to tr_send_message or tr_release. In a handler. */
tr_msg *tr_message(tr_self *self, const tr_type *type);

/* Sends such a message and consumes it; answers as tr_send does. What was received, and taken perhaps, is sent with
 * tr_forward. In a handler. */
int tr_send_message(tr_self *self, tr_ref to, tr_msg *m);

/* Keeps the message that is being handled: it is the actor's until tr_forward, tr_release or tr_reply_to (see
 * <troupe/ask.h>), or until the actor ends. NULL when there is no memory; then it stays borrowed. In a handler, once a
 * message. */
tr_msg *tr_take(tr_self *self, const tr_msg *m);

/* Passes on the message that is being handled, or one that was taken, as it is: `from` and `call` stay, so an answer
 * goes to where the request came from. Consumes it; answers as tr_send does. In a handler. */
int tr_forward(tr_self *self, const tr_msg *m, tr_ref to);

/* Gives up a message that was taken or made, and what its body owns. A taken request is answered TR_EUNANSWERED. In a
 * handler. */
void tr_release(tr_self *self, tr_msg *m);

/* ---- behind the macros ------------------------------------------------------------------------------------------- */

/* The size class of a block of memory (see mailbox/pool.h): here, so that the compiler knows it. */
static inline unsigned tr_class_(size_t bytes)
{
    size_t last = (bytes - 1) / 64; /* cache lines - 1 */
    unsigned log = last < 2 ? 0 : 63u - (unsigned)__builtin_clzll(last);
    return last < 2 ? (unsigned)last : 2 * log + (unsigned)(last >> (log - 1) & 1);
}

tr_msg *tr_message_(tr_self *self, const tr_type *type, unsigned class_);
int tr_send_message_(tr_self *self, tr_ref to, tr_msg *m);
int tr_send_urgent_(tr_self *self, tr_ref to, tr_msg *m);
int tr_send_large_(tr_self *self, tr_ref to, tr_msg *m);
int tr_send_failed_(tr_self *self, tr_ref to, const tr_type *type, const void *body);

static inline int tr_send_(tr_self *self, tr_ref to, int urgent, const tr_type *type, const void *body, size_t size)
{
    tr_msg *m = size <= TR_BODY_MAX ? tr_message_(self, type, tr_class_(sizeof *m + size)) : NULL;
    if (!m)
        return tr_send_failed_(self, to, type, body);
    if (body)
        memcpy(m + 1, body, size);
    else
        memset(m + 1, 0, size);
    return urgent              ? tr_send_urgent_(self, to, m)
        : size > TR_BODY_SMALL ? tr_send_large_(self, to, m)
                               : tr_send_message_(self, to, m);
}

/* TR_TYPED_(work, .n = 1) is the type object, the body and its size; without fields the body is NULL: all zero. */
#define TR_TYPED_(...)        TR_JOIN_(TR_TYPED_, TR_ONE_OR_MORE_(__VA_ARGS__))(__VA_ARGS__)
#define TR_TYPED_1(name)      &name##_type, NULL, sizeof(name)
#define TR_TYPED_N(name, ...) &name##_type, &(const name){ __VA_ARGS__ }, sizeof(name)
#define TR_JOIN_(a, b)        TR_JOIN2_(a, b)
#define TR_JOIN2_(a, b)       a##b
#define TR_ONE_OR_MORE_(...) \
    TR_65TH_(__VA_ARGS__, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, \
        N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, 1, 0)
#define TR_65TH_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, \
    c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3, f4, \
    f5, f6, f7, f8, f9, g0, g1, g2, g3, g4, ...) \
    g4

TR_END_C_

#endif
