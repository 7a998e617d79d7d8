#ifndef SPINDLE_STORE_KEYSPACE_PRIVATE_H
#define SPINDLE_STORE_KEYSPACE_PRIVATE_H

#include "store/keyspace.h"

/* What keyspace.c, keyspace_drop.c and eviction.c share: below the door, for nobody else. */

extern const struct table_type keyspace_table_type;

/* The table keeps deadlines as 32-bit ticks of 256 ms since 2020: enough until 2054; later ones are never
 * swept early, and expire on access. */
static inline uint32_t keyspace_deadline_ticks(int64_t deadline_ms)
{
    int64_t ticks = (deadline_ms - 1577836800000) >> 8;
    if (ticks < 0)
        return 0;
    return ticks < TABLE_DEADLINE_NONE ? (uint32_t)ticks : TABLE_DEADLINE_NONE - 1;
}

/* LFU: decays the counter of an entry and raises it by the odds, once for each command. */
void keyspace_count_access(struct keyspace *keyspace, struct entry *entry);

/* Moves an entry of some database to another block; does nothing with one that is in no table. */
void keyspace_move_entry(struct keyspace *keyspace, struct entry *entry, uint64_t hash);

/* Frees an entry that is no longer in a table, with its value. */
void keyspace_free_entry(struct keyspace *keyspace, struct entry *entry);

/* Removes the key in a slot, and reports it as evicted, or as expired when its time has come. */
void keyspace_evict(struct database *db, uint64_t hash, struct entry **slot);

/* Tells the observers that the contents of a database are about to be replaced. */
void keyspace_report_replacing(struct database *db, const struct database *replacement);

/* Removes a key that is there and has expired, and reports it. */
void keyspace_expire_key(struct database *db, const struct key *key);

#endif
