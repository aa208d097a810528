/*
 * window.h: how much of what a connection has received is still held.
 *
 * A word in the connection's slot, so that whoever frees a buffer can reach it from any thread at any time:
 *
 *   1 | generation 31 | bytes 32
 *
 * The bytes are those held, and 2^31 more; while the connection is stalled, less its mark. So a stalled connection is below
 * its mark just when bit 31 is clear, whatever the mark is.
 *
 *   add      the connection, for what it delivers
 *   stall    the connection, by CAS: only while the window is used up; takes the mark off. From then on it does not read
 *   unstall  the connection: adds the mark again
 *   return   whoever frees a buffer, by CAS: subtracts; if that clears bit 31, he is the one who wakes the connection
 *
 * All change the one word, so a connection cannot fall asleep over a window that has just opened. The generation is
 * compared with it: a buffer that outlives its connection changes nothing (the top bit tells the word from what other
 * actors keep in its place, a reference, whose top bit is 0). A slot is retired before its generation comes to the same bits
 * again.
 */
#ifndef TRI_WINDOW_H
#define TRI_WINDOW_H

#include "actors/slot.h"

#define TRI_WINDOW_ZERO ((uint64_t)1 << 31)
enum { TRI_WINDOW_GENERATION_SHIFT = 32, TRI_WINDOW_MAX = 1 << 30, TRI_WINDOW_BUFFER = 8192 };

static inline uint64_t tri_window_tag(tr_ref ref)
{
    return (uint64_t)1 << 63 | (uint64_t)(tri_ref_generation(ref) & 0x7fffffff) << TRI_WINDOW_GENERATION_SHIFT;
}

/* Below this many bytes a stalled connection reads again: when there is room for a buffer; of a window that has no room for
 * two, when half of it is free. */
static inline uint32_t tri_window_mark(uint32_t window)
{
    return window > 2 * TRI_WINDOW_BUFFER ? window - TRI_WINDOW_BUFFER + 1 : window / 2 + window % 2;
}

/* The word of a new connection. */
static inline void tri_window_open(struct tri_slot *slot)
{
    ck_pr_store_64(&slot->window, tri_window_tag(tri_slot_ref(slot)) | TRI_WINDOW_ZERO);
}

static inline void tri_window_add(struct tri_slot *slot, uint64_t bytes)
{
    ck_pr_add_64(&slot->window, bytes);
}

/* Bytes held; `mark` is that of a stalled connection, of another 0. The owner. */
static inline uint32_t tri_window_held(const struct tri_slot *slot, uint32_t mark)
{
    return (uint32_t)ck_pr_load_64(&slot->window) - (uint32_t)TRI_WINDOW_ZERO + mark;
}

/* Whether the window is used up; then it is stalled, and a return will wake the connection. The owner. */
static inline bool tri_window_stall(struct tri_slot *slot, uint32_t window)
{
    uint64_t word = ck_pr_load_64(&slot->window);
    do
        if ((uint32_t)word - TRI_WINDOW_ZERO < window)
            return false;
    while (!ck_pr_cas_64_value(&slot->window, word, word - tri_window_mark(window), &word));
    return true;
}

/* Whether a stalled one still has to wait. The owner. */
static inline bool tri_window_is_stalled(const struct tri_slot *slot)
{
    return ck_pr_load_64(&slot->window) & TRI_WINDOW_ZERO;
}

/* The owner. */
static inline void tri_window_unstall(struct tri_slot *slot, uint32_t window)
{
    ck_pr_add_64(&slot->window, tri_window_mark(window));
}

/* Gives bytes back; true when the caller has to wake the connection. Any thread. */
static inline bool tri_window_return(struct tri_slot *slot, tr_ref account, uint64_t bytes)
{
    uint64_t word = ck_pr_load_64(&slot->window), tag = tri_window_tag(account);
    do
        if (word >> TRI_WINDOW_GENERATION_SHIFT != tag >> TRI_WINDOW_GENERATION_SHIFT)
            return false;
    while (!ck_pr_cas_64_value(&slot->window, word, word - bytes, &word));
    return word & TRI_WINDOW_ZERO && !((word - bytes) & TRI_WINDOW_ZERO);
}

#endif
