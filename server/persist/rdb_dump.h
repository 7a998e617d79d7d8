#ifndef SPINDLE_PERSIST_RDB_DUMP_H
#define SPINDLE_PERSIST_RDB_DUMP_H

#include "protocol/buffer.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One value as bytes, for DUMP and RESTORE: type, body, 2-byte version, CRC64 of all that (little-endian).
 * Main thread only.
 */

/* Appends the payload of an entry's value. Compression: long strings as rdbcompression says. */
void rdb_dump_entry(const struct entry *entry, bool compression, struct buffer *out);

/* Checks a payload and stores its value under the key, replacing what is there, and reports "restore". Expiry
 * as keyspace.h; with a deadline that has passed the key is only removed ("del"). idle_s and frequency are -1
 * when not given. Returns 0; -EINVAL when the version is unknown or the checksum is wrong; -EBADMSG when the
 * value is malformed or of a type that is not supported. */
int rdb_restore(struct database *db, const struct key *key, struct slice payload, int64_t expiry_ms,
                int64_t idle_s, int64_t frequency);

/* The same for all function libraries: their opcodes and sources as in a dump, version, CRC64. */
void rdb_dump_functions(const struct keyspace *keyspace, bool compression, struct buffer *out);

/* Checks a payload and calls for each source in it. Returns 0; -EINVAL or -EBADMSG as rdb_restore: some may
 * have been handed out then. */
int rdb_read_function_dump(struct slice payload, void (*each)(void *context, struct slice source),
                           void *context);

#endif
