/*
 * again.h: what a port has to try again: endpoints, at the next poll or after a pause, in the order in which they came.
 *
 * Each has a place from attach to detach, so that listing it cannot fail, and to list it or to take it off costs the same
 * however many there are. The port's worker alone.
 */
#ifndef TRI_AGAIN_H
#define TRI_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

struct tri_endpoint;

enum { TRI_AGAIN_LISTED, TRI_AGAIN_PAUSED, TRI_AGAIN_TAKEN, TRI_AGAIN_HEADS };

/* In a circle: with the head of a list, or alone. One that nobody has: `next` is another such. */
struct tri_again_place {
    struct tri_endpoint *endpoint;
    uint32_t next, before;
};

struct tri_again {
    struct tri_again_place *places; /* the first are the heads of the lists */
    uint32_t capacity, unused;      /* the first of those that nobody has */
    int64_t resumed;                /* when those that pause are listed */
};

/* Whoever is short of something is tried again so much later. */
#define TRI_PAUSE_NS 10000000

/* 0, or TR_ENOMEM. */
int tri_again_open(struct tri_again *again);
void tri_again_close(struct tri_again *again);

/* A place for an endpoint: its number, not 0; 0 when there is no memory. */
uint32_t tri_again_attach(struct tri_again *again, struct tri_endpoint *endpoint);

/* Takes it off, and gives its place back. */
void tri_again_detach(struct tri_again *again, uint32_t place);

/* To be tried at the next poll, or after a pause from now on; nothing if it is to be tried again already. */
void tri_again_list(struct tri_again *again, uint32_t place);
void tri_again_pause(struct tri_again *again, uint32_t place, int64_t now);

/* Whether something is to be tried at the next poll. And until when that may wait, given what else it waits for:
 * TRI_NO_WAIT if there is. */
static inline bool tri_again_any(const struct tri_again *again)
{
    return again->places[TRI_AGAIN_LISTED].next != TRI_AGAIN_LISTED;
}
int64_t tri_again_limit(const struct tri_again *again, int64_t deadline);

/* Whether something pauses. */
static inline bool tri_again_pauses(const struct tri_again *again)
{
    return again->places[TRI_AGAIN_PAUSED].next != TRI_AGAIN_PAUSED;
}

/* For poll: takes those that are listed by now, with those whose pause is over (if none pauses, `now` does not matter);
 * then one after the other, NULL when none of them is left. What is listed meanwhile is for the next poll. */
void tri_again_begin(struct tri_again *again, int64_t now);
struct tri_endpoint *tri_again_next(struct tri_again *again);

#endif
