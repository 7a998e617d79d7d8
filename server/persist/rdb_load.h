#ifndef SPINDLE_PERSIST_RDB_LOAD_H
#define SPINDLE_PERSIST_RDB_LOAD_H

#include "persist/rdb_read.h"
#include "store/keyspace.h"

/* A dump into a keyspace. Main thread only. */

struct rdb_load_options {
    bool replace;      /* keys and libraries that exist already are replaced; otherwise they are a fault */
    int key_delay_us;  /* key-load-delay: slows loading for tests; negative: 1 us every so many keys */
    bool drop_unknown; /* see struct rdb_read_options */
    /* Called for each thing that was left out, with the database that it is in; may be NULL. */
    void (*dropped)(void *context, int database, const struct rdb_dropped *dropped);
    /* Called each time some more was read; returning false gives up with -ECANCELED. May be NULL. */
    bool (*progress)(void *context, uint64_t offset);
    void *context;
};

struct rdb_load_result {
    struct rdb_summary summary;
    uint64_t keys_loaded;
    uint64_t keys_expired; /* dropped: their deadline is before the keyspace's time */
    uint64_t dropped;      /* values that were left out: drop_unknown */
};

/* Adds what the source holds. Reports no events; keyspace->dirty is not kept. Returns as rdb_read does;
 * unless 0, a part was added. */
int rdb_load(struct keyspace *keyspace, struct source *source, const struct rdb_load_options *options,
             struct rdb_load_result *result, struct rdb_error *error);

/* Stores a value that was read, taking its blob or object over. Returns NULL for an empty collection, which
 * is not stored. */
struct entry *rdb_store_value(struct database *db, const struct key *key, struct rdb_record *record,
                              int64_t expiry_ms);

#endif
