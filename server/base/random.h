#ifndef SPINDLE_BASE_RANDOM_H
#define SPINDLE_BASE_RANDOM_H

#include <stdint.h>

/* xoshiro256** by Blackman and Vigna (public domain, prng.di.unimi.it): fast, not for secrets. One per
 * thread. */

struct random_state {
    uint64_t word[4];
};

/* Spreads a seed over the state with splitmix64, so that any seed, 0 too, is good. */
void random_seed(struct random_state *random, uint64_t seed);

static inline uint64_t random_next(struct random_state *random)
{
    uint64_t *s = random->word;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Returns a number in [0, bound), unbiased enough for bound << 2^64; bound > 0. */
static inline uint64_t random_below(struct random_state *random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * bound) >> 64);
}

#endif
