#ifndef SPINDLE_STORE_HASH_VALUE_H
#define SPINDLE_STORE_HASH_VALUE_H

#include "protocol/slice.h"
#include "store/reclaim.h"
#include "store/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Large hashes: a table of fields, each one allocation together with its value: both lengths (prefix.h), the
 * field, the value. Slices that are handed out live until the field is set or removed. Main thread only; a
 * forked child may read.
 */

struct hash_value {
    struct table fields;
    size_t field_bytes; /* of the fields' blocks */
};

struct hash_value *hash_value_create(void);

/* Makes room in an empty hash for so many fields. */
void hash_value_reserve(struct hash_value *hash, uint64_t count);

/* Many fields are freed in slices through reclaim; NULL frees at once. */
void hash_value_free(struct hash_value *hash, struct reclaim *reclaim);
struct hash_value *hash_value_copy(const struct hash_value *hash);
size_t hash_value_footprint_bytes(const struct hash_value *hash);

static inline uint64_t hash_value_count(const struct hash_value *hash)
{
    return hash->fields.count;
}

bool hash_value_get(const struct hash_value *hash, struct slice field, struct slice *value);

/* Sets a field; returns whether it is new. Neither slice lies in this hash. */
bool hash_value_set(struct hash_value *hash, struct slice field, struct slice value);
bool hash_value_remove(struct hash_value *hash, struct slice field);

/* A field chosen uniformly, with its value; the hash is not empty. */
void hash_value_random(const struct hash_value *hash, struct random_state *random, struct slice *field,
                       struct slice *value);

/* As table_visit_bucket. */
bool hash_value_visit_bucket(const struct hash_value *hash, uint64_t *position,
                             void (*visit)(void *context, struct slice field, struct slice value),
                             void *context);

#endif
