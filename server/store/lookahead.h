#ifndef SPINDLE_STORE_LOOKAHEAD_H
#define SPINDLE_STORE_LOOKAHEAD_H

#include "store/keyspace.h"

/*
 * Fetching what commands will look at before they run. A lookup is a chain of cache misses: a key's bucket,
 * perhaps the buckets chained to it, its entry, the collection behind it, a member's bucket there, the
 * member. Taking one step for each command of a group, then the next step, lets the misses of different
 * commands overlap.
 *
 * Only reads: what it names for fetching costs nothing else. The keyspace must not change between the steps
 * of a group. Main thread only.
 */

enum lookahead_stage {
    LOOKAHEAD_BUCKET,        /* place: of the key */
    LOOKAHEAD_ENTRY,         /* place: the bucket that may hold it */
    LOOKAHEAD_VALUE,         /* place: the entry */
    LOOKAHEAD_MEMBER_BUCKET, /* place: of the member */
    LOOKAHEAD_DONE,
};

/* How far the look ahead of one command has come. */
struct lookahead {
    const struct slice *key;
    const struct slice *member; /* of the key's value; NULL: none is looked up */
    uint64_t key_hash, member_hash;
    const void *place; /* what the next step reads: it is being fetched */
    enum lookahead_stage stage;
};

/* The steps behind the key's bucket. */
void lookahead_go_on(struct lookahead *ahead);

/* Starts with the key's bucket. The slices are the caller's and stay. */
static inline void lookahead_begin(struct lookahead *ahead, const struct database *db,
                                   const struct slice *key, uint64_t key_hash, const struct slice *member)
{
    ahead->key = key;
    ahead->member = member;
    ahead->key_hash = key_hash;
    ahead->place = table_prefetch(&db->keys, key_hash);
    ahead->stage = ahead->place ? LOOKAHEAD_BUCKET : LOOKAHEAD_DONE;
}

/* Takes all the steps of a group that has begun. */
void lookahead_finish(struct lookahead *group, size_t count);

#endif
