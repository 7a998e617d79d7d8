#ifndef SPINDLE_BASE_PREFETCH_H
#define SPINDLE_BASE_PREFETCH_H

/*
 * Starts fetching a cache line. GCC deems a function that only prefetches free of effects and removes the
 * calls of it (seen with GCC 12 in a release build): the empty asm tells it otherwise. Any thread.
 */
static inline __attribute__((always_inline)) void prefetch(const void *address)
{
    __builtin_prefetch(address);
    __asm__ volatile("");
}

enum { CACHE_LINE_BYTES = 64 };

#endif
