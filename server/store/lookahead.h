#ifndef SPINDLE_STORE_LOOKAHEAD_H
#define SPINDLE_STORE_LOOKAHEAD_H

#include "store/keyspace.h"

/*
 * Fetching what commands will look at before they run. A lookup is a chain of cache misses: a key's bucket,
 * its entry, the collection behind it, the bucket of a member there, the member. Taking one step for each
 * command of a group, then the next step, lets the misses of different commands overlap.
 *
 * Only reads, and guesses: what a step names may be another key's or another member's, and costs nothing but
 * its fetch. The keyspace must not change between the steps of a group. Main thread only.
 */

enum lookahead_step {
    LOOKAHEAD_BUCKET,
    LOOKAHEAD_ENTRY,
    LOOKAHEAD_VALUE,
    LOOKAHEAD_MEMBER_BUCKET,
    LOOKAHEAD_MEMBER,
};

/* The steps behind the entry. */
bool lookahead_member(const struct entry *entry, const struct slice *member, unsigned step);

/* Takes a step (enum lookahead_step) towards a key and, unless that is NULL, a member of its value. Returns
 * whether the next step may have something to fetch. Steps may be taken after one that returned false; they
 * fetch nothing. */
static inline bool lookahead(const struct database *db, uint64_t key_hash, const struct slice *member,
                             unsigned step)
{
    if (step == LOOKAHEAD_BUCKET) {
        table_prefetch(&db->keys, key_hash);
        return true;
    }
    if (step > LOOKAHEAD_ENTRY && member == NULL)
        return false;
    const struct entry *entry = table_candidate(&db->keys, key_hash);
    if (entry == NULL)
        return false;
    if (step > LOOKAHEAD_ENTRY)
        return lookahead_member(entry, member, step);
    prefetch(entry);
    return member != NULL;
}

#endif
