/* cold.h: what few actors have, in one block that is made when it is first needed. */
#ifndef TRI_COLD_H
#define TRI_COLD_H

#include "actors/bag.h"
#include "actors/slot.h"

struct tri_name;
struct tri_links;

/* What binds a child to its supervisor; see actors/duty.h. */
struct tri_duty {
    tr_ref supervisor; /* TR_NOBODY: it has none */
    tr_msg *started;   /* reports, made by the supervisor; each is sent at most once an incarnation */
    tr_msg *ended;
    uint8_t restart; /* enum tr_restart */
};

struct tri_taken {
    tr_msg *m;
    int64_t deadline;        /* of a request; 0: it has none */
    uint64_t timer, monitor; /* ids of the promises to say that it has lapsed; 0: there is none */
};

struct tri_cold {
    struct cork_dllist held;     /* promises made to this actor */
    struct cork_dllist monitors; /* promises made to others, of type MONITOR, about this actor */
    struct tri_links *links;     /* see actors/link.c; NULL: there has been none */
    struct tri_name *name;
    struct tri_taken *taken; /* messages kept with tr_take; each knows its place (generation_) */
    struct tri_bag wards;    /* their numbers; see actors/ward.c, */
    struct tri_bag early;    /* and of those that were hushed before they became wards */
    struct tri_duty duty;
    uint32_t taken_count, taken_max;
    uint32_t children; /* of a supervisor: those of all its incarnations that have not reported that they are gone */
    uint32_t hushed;   /* of the wards in the bag */
    tri_tag tag, taken_tag;
};

/* The running actor's cold block; NULL when there is no memory for it. In a turn. */
struct tri_cold *tri_cold(struct tri_slot *slot);

/* Frees the block, whose lists are empty. */
void tri_cold_free(struct tri_slot *slot);

/* Makes room for one more element in a vector of `size`-byte elements; false when there is no memory. */
bool tri_vector_grow(void *vector, size_t size, uint32_t count, uint32_t *max, tri_tag *tag);

#endif
