/* Tables of members. See set_value.h. Main thread only; a forked child may read. */
#include "set_value.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/prefix.h"

enum {
    /* Sets of more members are freed in slices. */
    FREE_AT_ONCE_MAX = 512,
};

static inline struct slice member_slice(const void *item)
{
    size_t length;
    const char *data = prefix_get(item, &length);
    return (struct slice){data, length};
}

static size_t member_block_bytes(size_t length)
{
    return prefix_bytes(length) + length;
}

static uint64_t member_hash(const void *item)
{
    struct slice member = member_slice(item);
    return hash_bytes(member.data, member.length);
}

static inline bool member_equals(const void *item, const void *key)
{
    return slice_equals(member_slice(item), *(const struct slice *)key);
}

static const struct table_type member_table_type = {.hash = member_hash};

static void member_free(struct set_value *set, void *item)
{
    size_t bytes = member_block_bytes(member_slice(item).length);
    set->member_bytes -= mem_round(bytes);
    mem_free(item, bytes);
}

static void member_insert(struct set_value *set, uint64_t hash, struct slice member)
{
    size_t bytes = member_block_bytes(member.length);
    char *item = mem_alloc(bytes);
    memcpy(prefix_put(item, member.length), member.data, member.length);
    set->member_bytes += mem_round(bytes);
    table_insert(&set->members, hash, item);
}

struct set_value *set_value_create(void)
{
    struct set_value *set = mem_alloc(sizeof(*set));
    table_init(&set->members, &member_table_type);
    set->member_bytes = 0;
    return set;
}

void set_value_reserve(struct set_value *set, uint64_t count)
{
    table_reserve(&set->members, count);
}

/* ---- freeing ---- */

struct set_drain {
    struct set_value *set;
    size_t at;
    uint64_t freed;
};

static void drain_member(void *context, void *item)
{
    struct set_drain *drain = context;
    member_free(drain->set, item);
    drain->freed++;
}

static bool drain_step(void *state, uint64_t *freed)
{
    struct set_drain *drain = state;
    drain->freed = 0;
    bool more = table_drain(&drain->set->members, &drain->at, drain_member, drain);
    *freed = drain->freed;
    if (!more) {
        mem_free(drain->set, sizeof(*drain->set));
        mem_free(drain, sizeof(*drain));
    }
    return more;
}

void set_value_free(struct set_value *set, struct reclaim *reclaim)
{
    struct set_drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct set_drain){.set = set};
    if (reclaim && set->members.count > FREE_AT_ONCE_MAX) {
        reclaim_add(reclaim, drain_step, drain, set->members.count);
        return;
    }
    uint64_t freed;
    while (drain_step(drain, &freed))
        ;
}

/* ---- the rest of a value's life ---- */

static void copy_member(void *context, void *item)
{
    struct slice member = member_slice(item);
    member_insert(context, hash_bytes(member.data, member.length), member);
}

struct set_value *set_value_copy(const struct set_value *set)
{
    struct set_value *copy = set_value_create();
    table_reserve(&copy->members, set->members.count);
    uint64_t position = 0;
    while (table_visit_bucket(&set->members, &position, copy_member, copy))
        ;
    return copy;
}

size_t set_value_footprint_bytes(const struct set_value *set)
{
    return mem_round(sizeof(*set)) + set->members.bytes + set->member_bytes;
}

/* ---- members ---- */

bool set_value_contains(const struct set_value *set, struct slice member)
{
    return table_find(&set->members, hash_bytes(member.data, member.length), member_equals, &member) != NULL;
}

bool set_value_add(struct set_value *set, struct slice member)
{
    uint64_t hash = hash_bytes(member.data, member.length);
    if (table_find(&set->members, hash, member_equals, &member))
        return false;
    member_insert(set, hash, member);
    return true;
}

bool set_value_remove(struct set_value *set, struct slice member)
{
    uint64_t hash = hash_bytes(member.data, member.length);
    void **slot = table_find(&set->members, hash, member_equals, &member);
    if (slot == NULL)
        return false;
    void *item = *slot;
    table_remove(&set->members, hash, slot);
    member_free(set, item);
    return true;
}

struct slice set_value_random(const struct set_value *set, struct random_state *random)
{
    const void *item = table_random(&set->members, random);
    CHECK(item != NULL);
    return member_slice(item);
}

struct set_visitor {
    void (*visit)(void *context, struct slice member);
    void *context;
};

static void visit_member(void *context, void *item)
{
    const struct set_visitor *visitor = context;
    visitor->visit(visitor->context, member_slice(item));
}

bool set_value_visit_bucket(const struct set_value *set, uint64_t *position,
                            void (*visit)(void *context, struct slice member), void *context)
{
    struct set_visitor visitor = {visit, context};
    return table_visit_bucket(&set->members, position, visit_member, &visitor);
}
