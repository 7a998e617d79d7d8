/* Tables of fields with values. See hash_value.h. Main thread only; a forked child may read. */
#include "hash_value.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/prefix.h"

enum {
    /* Hashes of more fields are freed in slices. */
    FREE_AT_ONCE_MAX = 512,
};

static inline void item_read(const void *item, struct slice *field, struct slice *value)
{
    const char *data = prefix_get(prefix_get(item, &field->length), &value->length);
    field->data = data;
    value->data = data + field->length;
}

static size_t item_block_bytes(size_t field_length, size_t value_length)
{
    return prefix_bytes(field_length) + prefix_bytes(value_length) + field_length + value_length;
}

static uint64_t item_hash(const void *item)
{
    struct slice field, value;
    item_read(item, &field, &value);
    return hash_bytes(field.data, field.length);
}

static inline bool item_has_field(const void *item, const void *key)
{
    struct slice field, value;
    item_read(item, &field, &value);
    return slice_equals(field, *(const struct slice *)key);
}

static const struct table_type item_table_type = {.hash = item_hash};

static void item_free(struct hash_value *hash, void *item)
{
    struct slice field, value;
    item_read(item, &field, &value);
    size_t bytes = item_block_bytes(field.length, value.length);
    hash->field_bytes -= mem_round(bytes);
    mem_free(item, bytes);
}

static char *item_create(struct hash_value *hash, struct slice field, struct slice value)
{
    size_t bytes = item_block_bytes(field.length, value.length);
    char *item = mem_alloc(bytes);
    char *at = prefix_put(prefix_put(item, field.length), value.length);
    memcpy(at, field.data, field.length);
    memcpy(at + field.length, value.data, value.length);
    hash->field_bytes += mem_round(bytes);
    return item;
}

struct hash_value *hash_value_create(void)
{
    struct hash_value *hash = mem_alloc(sizeof(*hash));
    table_init(&hash->fields, &item_table_type);
    hash->field_bytes = 0;
    return hash;
}

void hash_value_reserve(struct hash_value *hash, uint64_t count)
{
    table_reserve(&hash->fields, count);
}

/* ---- freeing ---- */

struct hash_drain {
    struct hash_value *hash;
    size_t at;
    uint64_t freed;
};

static void drain_item(void *context, void *item)
{
    struct hash_drain *drain = context;
    item_free(drain->hash, item);
    drain->freed++;
}

static bool drain_step(void *state, uint64_t *freed)
{
    struct hash_drain *drain = state;
    drain->freed = 0;
    bool more = table_drain(&drain->hash->fields, &drain->at, drain_item, drain);
    *freed = drain->freed;
    if (!more) {
        mem_free(drain->hash, sizeof(*drain->hash));
        mem_free(drain, sizeof(*drain));
    }
    return more;
}

void hash_value_free(struct hash_value *hash, struct reclaim *reclaim)
{
    struct hash_drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct hash_drain){.hash = hash};
    if (reclaim && hash->fields.count > FREE_AT_ONCE_MAX) {
        reclaim_add(reclaim, drain_step, drain, hash->fields.count);
        return;
    }
    uint64_t freed;
    while (drain_step(drain, &freed))
        ;
}

/* ---- the rest of a value's life ---- */

static void copy_item(void *context, void *item)
{
    struct hash_value *copy = context;
    struct slice field, value;
    item_read(item, &field, &value);
    table_insert(&copy->fields, hash_bytes(field.data, field.length), item_create(copy, field, value));
}

struct hash_value *hash_value_copy(const struct hash_value *hash)
{
    struct hash_value *copy = hash_value_create();
    table_reserve(&copy->fields, hash->fields.count);
    uint64_t position = 0;
    while (table_visit_bucket(&hash->fields, &position, copy_item, copy))
        ;
    return copy;
}

size_t hash_value_footprint_bytes(const struct hash_value *hash)
{
    return mem_round(sizeof(*hash)) + hash->fields.bytes + hash->field_bytes;
}

/* ---- fields ---- */

static void **hash_value_slot(const struct hash_value *hash, uint64_t code, const struct slice *field)
{
    return table_find(&hash->fields, code, item_has_field, field);
}

bool hash_value_get(const struct hash_value *hash, struct slice field, struct slice *value)
{
    void **slot = hash_value_slot(hash, hash_bytes(field.data, field.length), &field);
    if (slot == NULL)
        return false;
    struct slice own;
    item_read(*slot, &own, value);
    return true;
}

bool hash_value_set(struct hash_value *hash, struct slice field, struct slice value)
{
    uint64_t code = hash_bytes(field.data, field.length);
    void **slot = hash_value_slot(hash, code, &field);
    if (slot == NULL) {
        table_insert(&hash->fields, code, item_create(hash, field, value));
        return true;
    }
    struct slice own, old;
    item_read(*slot, &own, &old);
    if (old.length == value.length) {
        memcpy((char *)old.data, value.data, value.length);
        return false;
    }
    void *item = item_create(hash, field, value);
    item_free(hash, *slot);
    *slot = item;
    return false;
}

bool hash_value_remove(struct hash_value *hash, struct slice field)
{
    uint64_t code = hash_bytes(field.data, field.length);
    void **slot = hash_value_slot(hash, code, &field);
    if (slot == NULL)
        return false;
    void *item = *slot;
    table_remove(&hash->fields, code, slot);
    item_free(hash, item);
    return true;
}

void hash_value_random(const struct hash_value *hash, struct random_state *random, struct slice *field,
                       struct slice *value)
{
    const void *item = table_random(&hash->fields, random);
    CHECK(item != NULL);
    item_read(item, field, value);
}

struct hash_visitor {
    void (*visit)(void *context, struct slice field, struct slice value);
    void *context;
};

static void visit_item(void *context, void *item)
{
    const struct hash_visitor *visitor = context;
    struct slice field, value;
    item_read(item, &field, &value);
    visitor->visit(visitor->context, field, value);
}

bool hash_value_visit_bucket(const struct hash_value *hash, uint64_t *position,
                             void (*visit)(void *context, struct slice field, struct slice value),
                             void *context)
{
    struct hash_visitor visitor = {visit, context};
    return table_visit_bucket(&hash->fields, position, visit_item, &visitor);
}
