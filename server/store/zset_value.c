/* Large sorted sets: a table and a tree that share their elements. See zset_value.h. Main thread only. */
#include "store/zset_value.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    /* Sets of more members are freed in slices, so many nodes at a time. */
    FREE_AT_ONCE_MAX = 512,
    FREE_NODES = 64,
};

/* ---- elements ---- */

static uint64_t element_hash(const void *item)
{
    return zset_value_hash(zset_element_member(item));
}

static inline bool element_is(const void *item, const void *key)
{
    return slice_equals(zset_element_member(item), *(const struct slice *)key);
}

static const struct table_type element_table_type = {.hash = element_hash};

static size_t element_block_bytes(size_t member_length)
{
    return sizeof(struct zset_element) + prefix_bytes(member_length) + member_length;
}

static struct zset_element *element_create(struct zset_value *zset, struct slice member, double score)
{
    size_t bytes = element_block_bytes(member.length);
    struct zset_element *element = mem_alloc(bytes);
    element->score = score;
    memcpy(prefix_put(element->member, member.length), member.data, member.length);
    zset->element_bytes += mem_round(bytes);
    return element;
}

static void element_free(struct zset_value *zset, struct zset_element *element)
{
    size_t bytes = element_block_bytes(zset_element_member(element).length);
    zset->element_bytes -= mem_round(bytes);
    mem_free(element, bytes);
}

/* ---- life ---- */

struct zset_value *zset_value_create(void)
{
    struct zset_value *zset = mem_alloc_zero(sizeof(*zset));
    table_init(&zset->members, &element_table_type);
    return zset;
}

void zset_value_reserve(struct zset_value *zset, uint64_t count)
{
    table_reserve(&zset->members, count);
}

struct zset_drain {
    struct zset_value *zset;
    size_t at;
    bool elements_gone;
    uint64_t freed;
};

static void drain_element(void *context, void *item)
{
    struct zset_drain *drain = context;
    element_free(drain->zset, item);
    drain->freed++;
}

/* First the elements, by the table, which fetches them ahead; then the tree. */
static bool drain_step(void *state, uint64_t *freed)
{
    struct zset_drain *drain = state;
    struct zset_value *zset = drain->zset;
    drain->freed = 0;
    if (!drain->elements_gone)
        drain->elements_gone = !table_drain(&zset->members, &drain->at, drain_element, drain);
    *freed = drain->freed;
    if (drain->freed > 0 || !drain->elements_gone)
        return true;
    for (int i = 0; i < FREE_NODES; i++) {
        if (!zset_tree_free_node(&zset->tree)) {
            mem_free(zset, sizeof(*zset));
            mem_free(drain, sizeof(*drain));
            return false;
        }
    }
    return true;
}

void zset_value_free(struct zset_value *zset, struct reclaim *reclaim)
{
    struct zset_drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct zset_drain){.zset = zset};
    if (reclaim && zset->members.count > FREE_AT_ONCE_MAX) {
        reclaim_add(reclaim, drain_step, drain, zset->members.count);
        return;
    }
    uint64_t freed;
    while (drain_step(drain, &freed))
        ;
}

struct zset_value *zset_value_copy(const struct zset_value *zset)
{
    struct zset_value *copy = zset_value_create();
    table_reserve(&copy->members, zset->members.count);
    for (struct zset_place at = {zset->tree.first, 0}; at.leaf; at = zset_place_next(at)) {
        const struct zset_element *element = zset_place_element(at);
        struct slice member = zset_element_member(element);
        zset_value_insert(copy, member, zset_value_hash(member), element->score);
    }
    return copy;
}

size_t zset_value_footprint_bytes(const struct zset_value *zset)
{
    return mem_round(sizeof(*zset)) + zset->members.bytes + zset->tree.bytes + zset->element_bytes;
}

/* ---- members ---- */

uint64_t zset_value_hash(struct slice member)
{
    return hash_bytes(member.data, member.length);
}

struct zset_element *zset_value_find(const struct zset_value *zset, struct slice member, uint64_t hash)
{
    void **slot = table_find(&zset->members, hash, element_is, &member);
    return slot ? *slot : NULL;
}

void zset_value_insert(struct zset_value *zset, struct slice member, uint64_t hash, double score)
{
    struct zset_element *element = element_create(zset, member, score);
    table_insert(&zset->members, hash, element);
    zset_tree_insert(&zset->tree, element);
}

void zset_value_set_score(struct zset_value *zset, struct zset_element *element, double score)
{
    zset_tree_remove(&zset->tree, element);
    element->score = score;
    zset_tree_insert(&zset->tree, element);
}

static bool element_is_same(const void *item, const void *key)
{
    return item == key;
}

/* Drops an element that has left the tree. */
static void element_drop(struct zset_value *zset, struct zset_element *element)
{
    uint64_t hash = element_hash(element);
    void **slot = table_find(&zset->members, hash, element_is_same, element);
    CHECK(slot != NULL);
    table_remove(&zset->members, hash, slot);
    element_free(zset, element);
}

void zset_value_remove(struct zset_value *zset, struct zset_element *element)
{
    zset_tree_remove(&zset->tree, element);
    element_drop(zset, element);
}

void zset_value_remove_at(struct zset_value *zset, uint64_t rank)
{
    element_drop(zset, zset_tree_remove_at(&zset->tree, rank));
}
