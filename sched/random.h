/*
 * random.h: the only source of randomness.
 *
 * A system has one seed; every worker's stream is drawn from it, so a run of a simulated system repeats itself. The
 * generator is splitmix64 (Steele, Lea, Flood 2014): one addition and one mix per number, any state is a good one. It is
 * not for secrets.
 */
#ifndef TRI_RANDOM_H
#define TRI_RANDOM_H

#include <stdint.h>

struct tri_random {
    uint64_t state;
};

/* A seed from the operating system. */
uint64_t tri_random_seed(void);

static inline uint64_t tri_random_next(struct tri_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* 0 … n - 1, for n of 1 … 2^32 - 1; the bias is below 2^-32. */
static inline uint32_t tri_random_below(struct tri_random *random, uint32_t n)
{
    return (uint32_t)((tri_random_next(random) >> 32) * n >> 32);
}

#endif
