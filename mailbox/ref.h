/* ref.h: the parts of a reference. */
#ifndef TRI_REF_H
#define TRI_REF_H

#include <troupe/ref.h>

enum { TRI_REF_SLOT_BITS = 24, TRI_SLOTS_MAX = 1 << TRI_REF_SLOT_BITS };

static inline tr_ref tri_ref_make(uint32_t generation, uint32_t slot)
{
    return (tr_ref){ (uint64_t)generation << TRI_REF_SLOT_BITS | slot };
}

static inline uint32_t tri_ref_slot(tr_ref ref)
{
    return (uint32_t)ref.bits & (TRI_SLOTS_MAX - 1);
}

static inline uint32_t tri_ref_generation(tr_ref ref)
{
    return (uint32_t)(ref.bits >> TRI_REF_SLOT_BITS);
}

static inline unsigned tri_ref_node(tr_ref ref)
{
    return (unsigned)(ref.bits >> 56);
}

#endif
