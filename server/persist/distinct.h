#ifndef SPINDLE_PERSIST_DISTINCT_H
#define SPINDLE_PERSIST_DISTINCT_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Finds members that occur twice in packed collections, by their keyed 64-bit hashes: as good as comparing
 * them all. Small collections need no memory. One owner, any thread.
 */

enum { DISTINCT_SMALL_SLOTS = 64 };

struct distinct {
    uint64_t *slots; /* open addressing; 0: free */
    size_t capacity; /* a power of two */
    size_t count;
    uint64_t small[DISTINCT_SMALL_SLOTS];
};

void distinct_init(struct distinct *distinct);
void distinct_free(struct distinct *distinct);

/* Returns whether the bytes are new. */
bool distinct_add(struct distinct *distinct, struct slice bytes);

#endif
