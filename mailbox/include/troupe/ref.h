/*
 * <troupe/ref.h>: references to actors.
 *
 * A reference is a number, passed by value, that names one actor for ever: node 8 | generation 32 | slot 24. It may be
 * stored in any struct, compared, printed and sent. It is never owned and never freed, and a stale one is harmless:
 * what is sent to it becomes a dead letter, an ask is answered TR_EDOWN, a monitor fires at once.
 */
#ifndef TROUPE_REF_H
#define TROUPE_REF_H

#include <troupe/language.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

TR_BEGIN_C_

typedef struct {
    uint64_t bits;
} tr_ref;

/* The reference that names no actor; a zeroed struct holds it. */
#define TR_NOBODY ((tr_ref){ 0 })

static inline bool tr_ref_eq(tr_ref a, tr_ref b)
{
    return a.bits == b.bits;
}

static inline bool tr_ref_is_nobody(tr_ref ref)
{
    return ref.bits == 0;
}

/* How long the text of a reference can get, with the closing zero. */
#define TR_REF_TEXT 28

/* Writes the reference as "<node.slot.generation>", for instance "<0.17.3>", or "<nobody>", into text, which holds at
 * least TR_REF_TEXT bytes, and answers text. Any thread. */
char *tr_ref_text(tr_ref ref, char *text);

TR_END_C_

#endif
