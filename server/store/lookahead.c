/* Prefetching along the chain from a key to a member of its value. See lookahead.h. Main thread only. */
#include "lookahead.h"

#include "base/hash.h"
#include "base/prefetch.h"
#include "store/value.h"

enum {
    /* Entries and members are not aligned to cache lines, and most are shorter than one: this far on, a
     * second line has begun, or what follows is not worth one. */
    ENTRY_REACH_BYTES = 56,
    MEMBER_REACH_BYTES = 24,
};

static void ahead_stop(struct lookahead *ahead)
{
    ahead->stage = LOOKAHEAD_DONE;
}

static void prefetch_reaching(const char *item, size_t reach_bytes)
{
    prefetch(item);
    prefetch(item + reach_bytes);
}

/* Fetches every item of a bucket whose fingerprint fits. Returns whether there is one. */
static bool bucket_prefetch_matches(const struct table_bucket *bucket, uint64_t hash, size_t reach_bytes)
{
    unsigned matches = table_bucket_matches(bucket, hash);
    for (unsigned left = matches; left; left &= left - 1)
        prefetch_reaching(bucket->slots[__builtin_ctz(left)], reach_bytes);
    return matches != 0;
}

/* Goes to the chained bucket, if there is one, for the same stage or an earlier one. */
static void ahead_follow_chain(struct lookahead *ahead, enum lookahead_stage stage)
{
    ahead->place = table_bucket_next(ahead->place);
    ahead->stage = ahead->place ? stage : LOOKAHEAD_DONE;
    prefetch(ahead->place);
}

static void ahead_read_bucket(struct lookahead *ahead)
{
    if (!bucket_prefetch_matches(ahead->place, ahead->key_hash, ENTRY_REACH_BYTES))
        ahead_follow_chain(ahead, LOOKAHEAD_BUCKET);
    else
        ahead->stage = ahead->member ? LOOKAHEAD_ENTRY : LOOKAHEAD_DONE;
}

/* Among the entries whose fingerprints fit is the key's, unless it is in a chained bucket. */
static void ahead_read_entry(struct lookahead *ahead)
{
    const struct table_bucket *bucket = ahead->place;
    for (unsigned left = table_bucket_matches(bucket, ahead->key_hash); left; left &= left - 1) {
        const struct entry *entry = bucket->slots[__builtin_ctz(left)];
        if (!slice_equals(entry_key(entry), *ahead->key))
            continue;
        if (entry_is_inline(entry)) {
            ahead_stop(ahead);
            return;
        }
        prefetch(entry_pointer(entry));
        ahead->place = entry;
        ahead->stage = LOOKAHEAD_VALUE;
        return;
    }
    ahead_follow_chain(ahead, LOOKAHEAD_BUCKET);
}

static void ahead_read_value(struct lookahead *ahead)
{
    const struct entry *entry = ahead->place;
    const char *object = entry_pointer(entry);
    const struct table *members =
        value_members((enum value_type)entry->type, (enum value_encoding)entry->encoding, object);
    if (members == NULL) {
        prefetch(object + CACHE_LINE_BYTES); /* a listpack is read from its start */
        ahead_stop(ahead);
        return;
    }
    ahead->member_hash = hash_bytes(ahead->member->data, ahead->member->length);
    ahead->place = table_prefetch(members, ahead->member_hash);
    ahead->stage = ahead->place ? LOOKAHEAD_MEMBER_BUCKET : LOOKAHEAD_DONE;
}

static void ahead_read_member_bucket(struct lookahead *ahead)
{
    if (bucket_prefetch_matches(ahead->place, ahead->member_hash, MEMBER_REACH_BYTES))
        ahead_stop(ahead);
    else
        ahead_follow_chain(ahead, LOOKAHEAD_MEMBER_BUCKET);
}

void lookahead_go_on(struct lookahead *ahead)
{
    switch (ahead->stage) {
    case LOOKAHEAD_BUCKET:
        ahead_read_bucket(ahead);
        return;
    case LOOKAHEAD_ENTRY:
        ahead_read_entry(ahead);
        return;
    case LOOKAHEAD_VALUE:
        ahead_read_value(ahead);
        return;
    case LOOKAHEAD_MEMBER_BUCKET:
        ahead_read_member_bucket(ahead);
        return;
    case LOOKAHEAD_DONE:
        return;
    }
}

void lookahead_finish(struct lookahead *group, size_t count)
{
    while (count) {
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            lookahead_go_on(&group[i]);
            if (group[i].stage != LOOKAHEAD_DONE)
                group[left++] = group[i];
        }
        count = left;
    }
}
