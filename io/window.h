/*
 * window.h: how much of what a connection has received is still held.
 *
 * A word in the connection's slot, so that whoever frees a buffer can reach it from any thread at any time:
 *
 *   1 | generation 26 | log2 of the resume mark 5 | stalled 1 | bytes held 31
 *
 *   add      the connection, for what it delivers
 *   stall    the connection, by CAS: only while the window is used up; from then on it does not read
 *   return   whoever frees a buffer, by CAS: subtracts; if that takes a stalled connection below its resume mark, clears
 *            stalled, and then it is the one who wakes the connection
 *
 * All three change the one word, so a connection cannot fall asleep over a window that has just opened. The generation is
 * compared with it: a buffer that outlives its connection changes nothing (the top bit tells the word from what other
 * actors keep in its place, a reference, whose top bit is 0).
 */
#ifndef TRI_WINDOW_H
#define TRI_WINDOW_H

#include "actors/slot.h"

#define TRI_WINDOW_HELD    ((uint64_t)0x7fffffff)
#define TRI_WINDOW_STALLED ((uint64_t)1 << 31)
enum { TRI_WINDOW_LOG_SHIFT = 32, TRI_WINDOW_GENERATION_SHIFT = 37, TRI_WINDOW_MAX = 1 << 30 };

static inline uint64_t tri_window_tag(tr_ref ref)
{
    return (uint64_t)1 << 63 | (uint64_t)(tri_ref_generation(ref) & 0x3ffffff) << TRI_WINDOW_GENERATION_SHIFT;
}

/* Below this many bytes a stalled connection reads again: half of the window, as a power of two; at least 1. */
static inline uint64_t tri_window_log(uint32_t window)
{
    return window < 4 ? 0 : 30 - (uint64_t)__builtin_clz(window);
}

static inline uint64_t tri_window_held(uint64_t word)
{
    return word & TRI_WINDOW_HELD;
}

/* The word of a new connection. */
static inline void tri_window_open(struct tri_slot *slot, uint32_t window)
{
    ck_pr_store_64(&slot->window, tri_window_tag(tri_slot_ref(slot)) | tri_window_log(window) << TRI_WINDOW_LOG_SHIFT);
}

/* Another size. The owner. */
static inline void tri_window_resize(struct tri_slot *slot, uint32_t window)
{
    uint64_t word = ck_pr_load_64(&slot->window), log = (uint64_t)31 << TRI_WINDOW_LOG_SHIFT, next;
    do
        next = (word & ~log & ~TRI_WINDOW_STALLED) | tri_window_log(window) << TRI_WINDOW_LOG_SHIFT;
    while (!ck_pr_cas_64_value(&slot->window, word, next, &word));
}

static inline void tri_window_add(struct tri_slot *slot, uint64_t bytes)
{
    ck_pr_add_64(&slot->window, bytes);
}

/* Whether the window is used up; then it is stalled as well, and a return will wake the connection. The owner. */
static inline bool tri_window_stall(struct tri_slot *slot, uint32_t window)
{
    uint64_t word = ck_pr_load_64(&slot->window);
    do
        if (tri_window_held(word) < window)
            return false;
    while (!ck_pr_cas_64_value(&slot->window, word, word | TRI_WINDOW_STALLED, &word));
    return true;
}

/* Gives bytes back; true when the caller has to wake the connection. Any thread. */
static inline bool tri_window_return(struct tri_slot *slot, tr_ref account, uint64_t bytes)
{
    uint64_t word = ck_pr_load_64(&slot->window), tag = tri_window_tag(account), next;
    bool wakes;
    do {
        if (word >> TRI_WINDOW_GENERATION_SHIFT != tag >> TRI_WINDOW_GENERATION_SHIFT)
            return false;
        next = word - bytes;
        uint64_t mark = (uint64_t)1 << (word >> TRI_WINDOW_LOG_SHIFT & 31);
        wakes = word & TRI_WINDOW_STALLED && tri_window_held(next) < mark;
        if (wakes)
            next &= ~TRI_WINDOW_STALLED;
    } while (!ck_pr_cas_64_value(&slot->window, word, next, &word));
    return wakes;
}

#endif
