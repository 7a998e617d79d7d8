#ifndef SPINDLE_STORE_ZSET_VALUE_H
#define SPINDLE_STORE_ZSET_VALUE_H

#include "store/reclaim.h"
#include "store/table.h"
#include "store/zset_tree.h"

/*
 * A large sorted set: its elements in a table by member and in a tree by score. An element belongs to its
 * set and lives until it is removed. Main thread only; a forked child may read.
 */

struct zset_value {
    struct table members;
    struct zset_tree tree;
    uint64_t element_bytes; /* memory of the elements */
};

struct zset_value *zset_value_create(void);

/* Makes room in an empty set for so many members. */
void zset_value_reserve(struct zset_value *zset, uint64_t count);

/* Frees it; a large one in slices through reclaim, unless that is NULL. */
void zset_value_free(struct zset_value *zset, struct reclaim *reclaim);
struct zset_value *zset_value_copy(const struct zset_value *zset);
size_t zset_value_footprint_bytes(const struct zset_value *zset);

static inline uint64_t zset_value_count(const struct zset_value *zset)
{
    return zset->tree.count;
}

/* Hash of a member, for the functions below. */
uint64_t zset_value_hash(struct slice member);

/* The element of a member, or NULL. */
struct zset_element *zset_value_find(const struct zset_value *zset, struct slice member, uint64_t hash);

/* Adds a member that is not in the set. The score is not NaN. */
void zset_value_insert(struct zset_value *zset, struct slice member, uint64_t hash, double score);

/* Gives an element of the set another score. */
void zset_value_set_score(struct zset_value *zset, struct zset_element *element, double score);

/* Removes an element of the set. */
void zset_value_remove(struct zset_value *zset, struct zset_element *element);

/* Removes the element at a rank below the count. */
void zset_value_remove_at(struct zset_value *zset, uint64_t rank);

#endif
