#ifndef SPINDLE_TESTS_PRNG_H
#define SPINDLE_TESTS_PRNG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Repeatable random numbers: a failing test prints its seed, and that seed makes the same stream again on
 * every machine. splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
 */

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *prng)
{
    uint64_t mixed = prng->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

/* Returns a number in [0, bound); bound > 0. The bias of the modulo does not matter for tests. */
static inline uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    return prng_next(prng) % bound;
}

/* Returns a number in [low, high]. */
static inline int64_t prng_between(struct prng *prng, int64_t low, int64_t high)
{
    return low + (int64_t)prng_below(prng, (uint64_t)(high - low) + 1);
}

/* True once in this many times. */
static inline bool prng_one_in(struct prng *prng, uint64_t times)
{
    return prng_below(prng, times) == 0;
}

#endif
