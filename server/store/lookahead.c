/* Prefetching along the chain from a key to a member of its value. See lookahead.h. Main thread only. */
#include "lookahead.h"

#include "base/hash.h"
#include "base/prefetch.h"
#include "store/value.h"

/* A listpack is read from its start; of a table only the object is wanted here. */
static bool lookahead_value(const struct table *members, const char *object)
{
    prefetch(object);
    if (members == NULL)
        prefetch(object + CACHE_LINE_BYTES);
    return members != NULL;
}

bool lookahead_member(const struct entry *entry, const struct slice *member, unsigned step)
{
    if (entry_is_inline(entry))
        return false;
    const void *object = entry_pointer(entry);
    const struct table *members =
        value_members((enum value_type)entry->type, (enum value_encoding)entry->encoding, object);
    if (step == LOOKAHEAD_VALUE)
        return lookahead_value(members, object);
    if (members == NULL)
        return false;
    uint64_t hash = hash_bytes(member->data, member->length);
    if (step == LOOKAHEAD_MEMBER_BUCKET) {
        table_prefetch(members, hash);
        return true;
    }
    const void *candidate = table_candidate(members, hash);
    if (candidate)
        prefetch(candidate);
    return false;
}
