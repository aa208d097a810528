/*
 * draw.h: numbers that look random, and work that takes time, the same in every run.
 *
 * Each actor draws from a sequence of its own (tr_random's are its worker's: who gets which number depends on who runs
 * where). So the root can draw the same numbers again when all is done, and knows what the result has to be.
 */
#ifndef TROUPE_TESTS_BENCH_SAVINA_DRAW_H
#define TROUPE_TESTS_BENCH_SAVINA_DRAW_H

#include <stdint.h>

/* 64 bits that look random, a one-to-one function of x: a step of splitmix64. */
static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* The next of a sequence, which is begun by any number. */
static inline uint64_t draw(uint64_t *sequence)
{
    return *sequence = mix(*sequence);
}

/* One of 0 … n - 1 (n > 0). */
static inline uint32_t draw_below(uint64_t *sequence, uint32_t n)
{
    return (uint32_t)(((draw(sequence) >> 32) * n) >> 32);
}

/* Work: a few nanoseconds for each step. */
static inline uint64_t toil(uint64_t x, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        x = mix(x + i);
    return x;
}

#endif
