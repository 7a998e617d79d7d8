/*
 * Moving entries, so that slabs which evictions left half empty can be given back (base/mem.h). An entry is
 * pointed to by its table's slot alone, so moving it is a copy and one store. Main thread only, between
 * commands: nobody holds an entry then.
 */
#include "store/keyspace_private.h"

#include "base/mem.h"

#include <string.h>

static bool item_is(const void *item, const void *key)
{
    return item == key;
}

static struct entry **entry_slot(struct keyspace *keyspace, const struct entry *entry, uint64_t hash)
{
    for (int i = 0; i < keyspace->database_count; i++) {
        const struct table *keys = &keyspace->databases[i].keys;
        struct entry **slot = (struct entry **)table_find(keys, hash, item_is, entry);
        if (slot)
            return slot;
    }
    return NULL; /* of a database that is being drained */
}

void keyspace_move_entry(struct keyspace *keyspace, struct entry *entry, uint64_t hash)
{
    struct entry **slot = entry_slot(keyspace, entry, hash);
    if (slot == NULL)
        return;
    size_t bytes = entry_block_bytes(entry);
    struct entry *moved = mem_alloc_movable(bytes);
    memcpy(moved, entry, bytes);
    *slot = moved;
    mem_free(entry, bytes);
}

/* The buckets of all of them are fetched before the first is needed. */
static void keyspace_move_blocks(void *context, void *const *blocks, size_t count)
{
    struct keyspace *keyspace = context;
    uint64_t hashes[MEM_MOVE_MAX];
    for (size_t i = 0; i < count; i++) {
        struct slice name = entry_key(blocks[i]);
        hashes[i] = hash_bytes(name.data, name.length);
        table_prefetch(&keyspace->databases[0].keys, hashes[i]);
    }
    for (size_t i = 0; i < count; i++)
        keyspace_move_entry(keyspace, blocks[i], hashes[i]);
}

bool keyspace_compact(struct keyspace *keyspace)
{
    return mem_evacuate(keyspace_move_blocks, keyspace);
}
