/*
 * Names and the numbers of clients. See tracking_table.h.
 *
 * Invariants: numbers ascend and are distinct; a block has room for as many as client_room says of their
 * count. Main thread only.
 */
#include "commands/tracking_table.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum {
    NARROW_BYTES = sizeof(uint32_t),
    WIDE_BYTES = sizeof(uint64_t),
    /* Names that are freed at once; more are freed in slices. */
    CLEAR_AT_ONCE = 1024,
};

struct tracked_key {
    uint32_t length;
    uint32_t count : 31;
    uint32_t is_wide : 1;
    char bytes[]; /* the name, then the numbers, at no particular address */
};

/* ---- blocks ---- */

/* Numbers that a block with this many has room for: no more up to four, then up to a quarter more. */
static size_t client_room(size_t count)
{
    size_t step = 1;
    for (size_t rest = count / 8; rest > 0; rest /= 2)
        step *= 2;
    return (count + step - 1) / step * step;
}

static size_t client_bytes(const struct tracked_key *key)
{
    return key->is_wide ? WIDE_BYTES : NARROW_BYTES;
}

static size_t block_bytes(size_t length, size_t count, size_t width)
{
    return sizeof(struct tracked_key) + length + client_room(count) * width;
}

static size_t tracked_key_bytes(const struct tracked_key *key)
{
    return block_bytes(key->length, key->count, client_bytes(key));
}

struct slice tracked_key_name(const struct tracked_key *key)
{
    return (struct slice){key->bytes, key->length};
}

uint32_t tracked_key_count(const struct tracked_key *key)
{
    return key->count;
}

uint64_t tracked_key_client(const struct tracked_key *key, uint32_t index)
{
    const char *clients = key->bytes + key->length;
    uint64_t wide;
    uint32_t narrow;
    if (key->is_wide) {
        memcpy(&wide, clients + (size_t)index * WIDE_BYTES, WIDE_BYTES);
        return wide;
    }
    memcpy(&narrow, clients + (size_t)index * NARROW_BYTES, NARROW_BYTES);
    return narrow;
}

static void set_client(struct tracked_key *key, uint32_t index, uint64_t client)
{
    char *at = key->bytes + key->length + (size_t)index * client_bytes(key);
    uint32_t narrow = (uint32_t)client;
    if (key->is_wide)
        memcpy(at, &client, WIDE_BYTES);
    else
        memcpy(at, &narrow, NARROW_BYTES);
}

static struct tracked_key *tracked_key_create(struct slice name, uint32_t count, bool is_wide)
{
    struct tracked_key *key = mem_alloc(block_bytes(name.length, count, is_wide ? WIDE_BYTES : NARROW_BYTES));
    key->length = (uint32_t)name.length;
    key->count = count;
    key->is_wide = is_wide;
    if (name.length)
        memcpy(key->bytes, name.data, name.length);
    return key;
}

void tracked_key_free(struct tracked_key *key)
{
    mem_free(key, tracked_key_bytes(key));
}

/* Gives all numbers 8 bytes. */
static struct tracked_key *tracked_key_widen(struct tracked_key *key)
{
    struct tracked_key *wide = tracked_key_create(tracked_key_name(key), key->count, true);
    for (uint32_t i = 0; i < key->count; i++)
        set_client(wide, i, tracked_key_client(key, i));
    tracked_key_free(key);
    return wide;
}

/* Index of the first number that is not below the client's. */
static uint32_t find_client(const struct tracked_key *key, uint64_t client)
{
    uint32_t low = 0, high = key->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tracked_key_client(key, middle) < client)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Adds a number that is not there, and returns the block, which may have moved. */
static struct tracked_key *insert_client(struct tracked_key *key, uint32_t index, uint64_t client)
{
    if (client > UINT32_MAX && !key->is_wide)
        key = tracked_key_widen(key);
    size_t width = client_bytes(key);
    key = mem_resize(key, tracked_key_bytes(key), block_bytes(key->length, key->count + 1u, width));
    char *at = key->bytes + key->length + index * width;
    memmove(at + width, at, (key->count - index) * width);
    key->count++;
    set_client(key, index, client);
    return key;
}

/* ---- the table ---- */

static uint64_t tracked_key_hash(const void *item)
{
    const struct tracked_key *key = item;
    return hash_bytes(key->bytes, key->length);
}

static const struct table_type tracking_table_type = {.hash = tracked_key_hash};

static bool tracked_key_has_name(const void *item, const void *name)
{
    return slice_equals(tracked_key_name(item), *(const struct slice *)name);
}

static bool tracked_key_is(const void *item, const void *key)
{
    return item == key;
}

void tracking_table_init(struct tracking_table *table)
{
    *table = (struct tracking_table){0};
    table_init(&table->keys, &tracking_table_type);
}

void tracking_table_add(struct tracking_table *table, const struct key *key, uint64_t client)
{
    CHECK(key->name.length <= KEYSPACE_KEY_MAX_BYTES);
    void **slot = table_find(&table->keys, key->hash, tracked_key_has_name, &key->name);
    if (slot == NULL) {
        struct tracked_key *created = tracked_key_create(key->name, 1, client > UINT32_MAX);
        set_client(created, 0, client);
        table_insert(&table->keys, key->hash, created);
        table->items++;
        return;
    }
    struct tracked_key *known = *slot;
    uint32_t index = find_client(known, client);
    if (index < known->count && tracked_key_client(known, index) == client)
        return;
    *slot = insert_client(known, index, client);
    table->items++;
}

static struct tracked_key *take_slot(struct tracking_table *table, uint64_t hash, void **slot)
{
    struct tracked_key *key = *slot;
    table_remove(&table->keys, hash, slot);
    table->items -= key->count;
    return key;
}

struct tracked_key *tracking_table_take(struct tracking_table *table, const struct key *key)
{
    void **slot = table_find(&table->keys, key->hash, tracked_key_has_name, &key->name);
    return slot ? take_slot(table, key->hash, slot) : NULL;
}

struct tracked_key *tracking_table_take_random(struct tracking_table *table, struct random_state *random)
{
    const struct tracked_key *key = table_random(&table->keys, random);
    if (key == NULL)
        return NULL;
    uint64_t hash = tracked_key_hash(key);
    return take_slot(table, hash, table_find(&table->keys, hash, tracked_key_is, key));
}

/* ---- clearing ---- */

struct tracking_drain {
    struct table keys;
    size_t directory_at;
    uint64_t freed;
};

static void drain_key(void *context, void *item)
{
    struct tracking_drain *drain = context;
    tracked_key_free(item);
    drain->freed++;
}

static bool drain_step(void *state, uint64_t *freed)
{
    struct tracking_drain *drain = state;
    drain->freed = 0;
    bool more = table_drain(&drain->keys, &drain->directory_at, drain_key, drain);
    *freed = drain->freed;
    if (!more)
        mem_free(drain, sizeof(*drain));
    return more;
}

/* Leaves the table empty, and its keys to a drain. */
static struct tracking_drain *drain_begin(struct tracking_table *table)
{
    struct tracking_drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct tracking_drain){.keys = table->keys};
    tracking_table_init(table);
    return drain;
}

void tracking_table_free(struct tracking_table *table)
{
    struct tracking_drain *drain = drain_begin(table);
    uint64_t freed;
    while (drain_step(drain, &freed))
        ;
}

void tracking_table_clear(struct tracking_table *table, struct reclaim *reclaim)
{
    uint64_t count = table->keys.count;
    if (count <= CLEAR_AT_ONCE)
        tracking_table_free(table);
    else
        reclaim_add(reclaim, drain_step, drain_begin(table), count);
}
