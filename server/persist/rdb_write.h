#ifndef SPINDLE_PERSIST_RDB_WRITE_H
#define SPINDLE_PERSIST_RDB_WRITE_H

#include "persist/sink.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A keyspace as a dump. Pure: what comes out depends on the keyspace and the facts below. Runs in the server
 * or in a forked child.
 */

struct rdb_writer;

struct rdb_write_options {
    bool compression;
    /* The memory of the keyspace is this process's own copy and needed no more: what is written is given
     * back. Afterwards the keyspace must not be touched. */
    bool consume;
    int64_t created_s;   /* seconds since 1970, for the file's description */
    uint64_t used_bytes; /* likewise */
    /* Called every report_keys keys and at the end; may be NULL. */
    uint32_t report_keys;
    void (*progress)(void *context, uint64_t keys_done);
    void *context;
};

enum { RDB_WRITE_REPORT_KEYS = 1024 };

/* Writes all function libraries, as they stand in a dump. */
void rdb_write_functions(struct rdb_writer *writer, const struct keyspace *keyspace);

/* Writes the whole dump, checksum included (0 when the sink has none). Returns 0 or the sink's error; gives
 * up early on an error. */
int rdb_write(struct sink *sink, const struct keyspace *keyspace, const struct rdb_write_options *options);

/* ---- pieces that values are made of ---- */

struct rdb_writer {
    struct sink *sink;
    bool compression;
    struct buffer scratch; /* for LZF */
};

void rdb_writer_init(struct rdb_writer *writer, struct sink *sink, bool compression);
void rdb_writer_free(struct rdb_writer *writer);

void rdb_write_length(struct sink *sink, uint64_t length);

/* Writes a string as an integer, compressed or raw, whichever Redis would choose. */
void rdb_write_string(struct rdb_writer *writer, struct slice string);

/* Writes an integer as the string that prints it. */
void rdb_write_integer(struct rdb_writer *writer, int64_t value);

/* Bodies by type, and the types' numbers. */
uint8_t rdb_set_type(const struct entry *entry);
void rdb_write_set(struct rdb_writer *writer, const struct entry *entry);
uint8_t rdb_hash_type(const struct entry *entry);
void rdb_write_hash(struct rdb_writer *writer, const struct entry *entry);
void rdb_write_list(struct rdb_writer *writer, const struct entry *entry);
uint8_t rdb_zset_type(const struct entry *entry);
void rdb_write_zset(struct rdb_writer *writer, const struct entry *entry);
uint8_t rdb_stream_type(const struct entry *entry);
void rdb_write_stream(struct rdb_writer *writer, const struct entry *entry);

/* Type byte of an entry's value, the lowest version that knows it (RDB_VERSION at least), and its body. */
uint8_t rdb_value_type(const struct entry *entry);
int rdb_value_version(const struct entry *entry);
void rdb_write_value(struct rdb_writer *writer, const struct entry *entry);

#endif
