/* A set of hashes, at most half full. See distinct.h. One owner, any thread. */
#include "distinct.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

void distinct_init(struct distinct *distinct)
{
    memset(distinct->small, 0, sizeof(distinct->small));
    distinct->slots = distinct->small;
    distinct->capacity = DISTINCT_SMALL_SLOTS;
    distinct->count = 0;
}

void distinct_free(struct distinct *distinct)
{
    if (distinct->slots != distinct->small)
        free(distinct->slots);
}

static bool slots_add(uint64_t *slots, size_t capacity, uint64_t hash)
{
    size_t at = hash & (capacity - 1);
    for (; slots[at] != 0; at = (at + 1) & (capacity - 1)) {
        if (slots[at] == hash)
            return false;
    }
    slots[at] = hash;
    return true;
}

static void distinct_grow(struct distinct *distinct)
{
    size_t capacity = 4 * distinct->capacity;
    uint64_t *slots = calloc(capacity, sizeof(*slots));
    CHECK(slots != NULL); /* out of memory */
    for (size_t i = 0; i < distinct->capacity; i++) {
        if (distinct->slots[i] != 0)
            slots_add(slots, capacity, distinct->slots[i]);
    }
    distinct_free(distinct);
    distinct->slots = slots;
    distinct->capacity = capacity;
}

bool distinct_add(struct distinct *distinct, struct slice bytes)
{
    uint64_t hash = hash_bytes(bytes.data, bytes.length) | 1;
    if (!slots_add(distinct->slots, distinct->capacity, hash))
        return false;
    if (++distinct->count > distinct->capacity / 2)
        distinct_grow(distinct);
    return true;
}
