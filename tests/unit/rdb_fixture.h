#ifndef SPINDLE_TESTS_RDB_FIXTURE_H
#define SPINDLE_TESTS_RDB_FIXTURE_H

#include "persist/rdb_load.h"
#include "protocol/buffer.h"
#include "store/keyspace.h"

#include <stdbool.h>

/*
 * Dumps in memory: made by hand or by the writer, read through a file of its own so that the reader's window
 * moves. Failures here are CHECKs, so that fuzz targets can use it too. The clock stands still at
 * RDB_FIXTURE_NOW_MS.
 */

#define RDB_FIXTURE_NOW_MS INT64_C(1700000000000)

/* Appends a literal's bytes, zeros included. */
#define dump_append(dump, literal) buffer_append(dump, literal, sizeof(literal) - 1)

/* Appends a length and as many bytes, as the format writes strings raw. */
void dump_append_string(struct buffer *dump, const void *data, size_t length);

/* Appends the end opcode and the right checksum. */
void dump_end(struct buffer *dump);

/* An empty keyspace of 16 databases. */
void fixture_keyspace(struct keyspace *keyspace);

/* Sets a key of database 0 (or db) to a string, as SET does. */
void fixture_set(struct database *db, const char *key, const char *value, int64_t expiry_ms);
void fixture_set_bytes(struct database *db, struct slice key, struct slice value, int64_t expiry_ms);

/* The live value of a key as text, valid until the next call; NULL when there is none. */
const char *fixture_get(struct database *db, const char *key);
struct entry *fixture_entry(struct database *db, struct slice key);

/* Same type, value and presence of a deadline; strings in the same encoding. */
bool fixture_same_value(const struct entry *a, const struct entry *b);

/* Are the same keys with the same values, encodings and deadlines, and the same libraries, in both? */
bool fixture_equal(struct keyspace *a, struct keyspace *b);

/* Writes a keyspace; appends to the dump. */
void fixture_write(const struct keyspace *keyspace, bool compression, struct buffer *dump);

/* Loads a dump from a file in memory. */
int fixture_load(struct keyspace *keyspace, const void *data, size_t length,
                 const struct rdb_load_options *options, struct rdb_load_result *result,
                 struct rdb_error *error);

/* Bytes that depend on the seed: letters of an alphabet of so many. */
void fixture_fill(char *to, size_t length, unsigned alphabet, uint64_t *seed);

#endif
