#ifndef SPINDLE_STORE_SET_VALUE_H
#define SPINDLE_STORE_SET_VALUE_H

#include "protocol/slice.h"
#include "store/reclaim.h"
#include "store/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Large sets: a table of members, each one allocation of its length (prefix.h) and its bytes. Slices that are
 * handed out live until the member is removed. Main thread only; a forked child may read.
 */

struct set_value {
    struct table members;
    size_t member_bytes; /* of the members' blocks */
};

struct set_value *set_value_create(void);

/* Makes room in an empty set for so many members. */
void set_value_reserve(struct set_value *set, uint64_t count);

/* Many members are freed in slices through reclaim; NULL frees at once. */
void set_value_free(struct set_value *set, struct reclaim *reclaim);
struct set_value *set_value_copy(const struct set_value *set);
size_t set_value_footprint_bytes(const struct set_value *set);

static inline uint64_t set_value_count(const struct set_value *set)
{
    return set->members.count;
}

bool set_value_contains(const struct set_value *set, struct slice member);

/* Return whether the set changed. The slice may lie in a member of another set. */
bool set_value_add(struct set_value *set, struct slice member);
bool set_value_remove(struct set_value *set, struct slice member);

/* A member chosen uniformly; the set is not empty. */
struct slice set_value_random(const struct set_value *set, struct random_state *random);

/* As table_visit_bucket. */
bool set_value_visit_bucket(const struct set_value *set, uint64_t *position,
                            void (*visit)(void *context, struct slice member), void *context);

#endif
