/* Prefetching along the chain from a key to a member of its value. See lookahead.h. Main thread only. */
#include "lookahead.h"

#include "base/hash.h"
#include "base/prefetch.h"
#include "store/value.h"

static bool lookahead_entry(const struct entry *entry)
{
    if (entry)
        prefetch(entry);
    return entry != NULL;
}

/* A listpack is read from its start; of a table only the object is wanted here. */
static bool lookahead_value(const struct entry *entry)
{
    const char *object = entry_pointer(entry);
    prefetch(object);
    if (value_members((enum value_type)entry->type, (enum value_encoding)entry->encoding, object))
        return true;
    prefetch(object + CACHE_LINE_BYTES);
    return false;
}

static bool lookahead_member(const struct table *members, struct slice member, unsigned step)
{
    uint64_t hash = hash_bytes(member.data, member.length);
    if (step == LOOKAHEAD_MEMBER_BUCKET) {
        table_prefetch(members, hash);
        return true;
    }
    const void *candidate = table_candidate(members, hash);
    if (candidate)
        prefetch(candidate);
    return false;
}

bool lookahead(const struct database *db, uint64_t key_hash, const struct slice *member, unsigned step)
{
    if (step == LOOKAHEAD_BUCKET) {
        table_prefetch(&db->keys, key_hash);
        return true;
    }
    const struct entry *entry = table_candidate(&db->keys, key_hash);
    if (step == LOOKAHEAD_ENTRY)
        return lookahead_entry(entry) && member;
    if (entry == NULL || member == NULL || entry_is_inline(entry))
        return false;
    if (step == LOOKAHEAD_VALUE)
        return lookahead_value(entry);
    const struct table *members = value_members((enum value_type)entry->type,
                                                (enum value_encoding)entry->encoding, entry_pointer(entry));
    return members && lookahead_member(members, *member, step);
}
