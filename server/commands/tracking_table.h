#ifndef SPINDLE_COMMANDS_TRACKING_TABLE_H
#define SPINDLE_COMMANDS_TRACKING_TABLE_H

#include "store/keyspace.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Which clients may hold copies of which keys: for each name the numbers of the clients that read it. A name
 * stands for the keys of all databases that have it.
 *
 * A name and its clients are one block: the name, then the numbers in ascending order, of 4 bytes each unless
 * one of them needs 8. A 16-byte name that one client has read costs 32 bytes and a place in the table. Main
 * thread only.
 */

struct tracked_key;

struct tracking_table {
    struct table keys;
    uint64_t items; /* clients of all names together */
};

void tracking_table_init(struct tracking_table *table);
void tracking_table_free(struct tracking_table *table);

/* Notes that a client read a key; names are at most KEYSPACE_KEY_MAX_BYTES. */
void tracking_table_add(struct tracking_table *table, const struct key *key, uint64_t client);

/* Takes a name, or one chosen at random, out of the table: the caller frees it. NULL when there is none. */
struct tracked_key *tracking_table_take(struct tracking_table *table, const struct key *key);
struct tracked_key *tracking_table_take_random(struct tracking_table *table, struct random_state *random);

/* Forgets everything; many names are freed in slices. */
void tracking_table_clear(struct tracking_table *table, struct reclaim *reclaim);

struct slice tracked_key_name(const struct tracked_key *key);
uint32_t tracked_key_count(const struct tracked_key *key);
/* The client at an index below the count. */
uint64_t tracked_key_client(const struct tracked_key *key, uint32_t index);
void tracked_key_free(struct tracked_key *key);

#endif
