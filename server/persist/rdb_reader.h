#ifndef SPINDLE_PERSIST_RDB_READER_H
#define SPINDLE_PERSIST_RDB_READER_H

#include "persist/rdb_read.h"

/*
 * The state of one reading, shared by the walk over the file (rdb_read.c) and the value types
 * (rdb_read_value.c, rdb_value_*.c); nobody else includes this.
 *
 * Records wait in batch until it is full or the window has to move. Their bytes are in the window, in scratch
 * (integers as text, expanded strings), in blobs or in objects; when those that wait take much of the file,
 * they are handed over, so that the batch never holds more than a little beyond one long value.
 */

/* A record begins with so much free scratch and so many ready bytes (if the file has them), so that short
 * strings are read in place. */
enum {
#ifdef SPINDLE_STRESS
    RDB_SCRATCH_BYTES = 256,
    RDB_SCRATCH_FREE_BYTES = 64,
    RDB_RECORD_READY_BYTES = 32,
    RDB_HELD_MAX_BYTES = 64,
#else
    RDB_SCRATCH_BYTES = 128 * 1024,
    RDB_SCRATCH_FREE_BYTES = 64 * 1024,
    RDB_RECORD_READY_BYTES = 64 * 1024,
    RDB_HELD_MAX_BYTES = 64 * 1024,
#endif
};

struct rdb_reader {
    struct source *source;
    const struct rdb_visitor *visitor;
    struct rdb_error *error;
    const struct store_settings *settings;
    bool structure_only;
    bool drop_unknown;
    int version; /* of the file, once its header was read; 0 for single values */
    bool valkey;
    struct rdb_record batch[RDB_BATCH_RECORDS + 1]; /* the one behind the last is being read */
    size_t batch_count;
    uint64_t held_bytes; /* of the file: records in the batch with blobs and objects */
    char *scratch;       /* NULL until it is needed */
    size_t scratch_used;
};

/* The record being read. Valid until it is finished or the next flush, which moves it. */
static inline struct rdb_record *rdb_reader_record(struct rdb_reader *reader)
{
    return &reader->batch[reader->batch_count];
}

/* Hands the finished records over and moves the one being read to the front. */
int rdb_reader_flush(struct rdb_reader *reader);

/* Makes count bytes (at most SOURCE_WINDOW_BYTES) ready; error when the file has fewer. May flush; keeps the
 * key of the record that is being read. */
int rdb_reader_need_slow(struct rdb_reader *reader, size_t count);

/* Copies the key of the record being read out of the window, which is about to move. */
int rdb_reader_keep_key(struct rdb_reader *reader);

static inline int rdb_reader_need(struct rdb_reader *reader, size_t count)
{
    if (__builtin_expect(source_ready(reader->source) < count, 0))
        return rdb_reader_need_slow(reader, count);
    return 0;
}

int rdb_read_byte(struct rdb_reader *reader, uint8_t *byte);
int rdb_read_little_endian(struct rdb_reader *reader, size_t bytes, uint64_t *value);

/* Copies bytes that stand in the file as they are; at most SOURCE_WINDOW_BYTES. */
int rdb_read_raw(struct rdb_reader *reader, void *to, size_t bytes);

/* A length proper; the special forms of strings are refused. */
int rdb_read_length(struct rdb_reader *reader, uint64_t *length);

int rdb_read_string(struct rdb_reader *reader, struct rdb_string *string);

/* Passes over a string. May move the window. */
int rdb_skip_string(struct rdb_reader *reader);

/* Reads a string into bytes that live as long as the record being read; a long one into *blob, which the
 * caller releases (NULL otherwise). */
int rdb_read_name(struct rdb_reader *reader, struct slice *bytes, struct blob **blob);

/* ---- members of collections ---- */

/* One string of a collection: its bytes live until rdb_element_done, which must follow. */
struct rdb_element {
    struct slice bytes;
    struct blob *blob;
    size_t scratch_mark;
};

int rdb_read_element(struct rdb_reader *reader, struct rdb_element *element);
void rdb_element_done(struct rdb_reader *reader, struct rdb_element *element);

/* How many members to make room for when the file claims so many: never more than the rest of it can hold. */
uint64_t rdb_possible_count(const struct rdb_reader *reader, uint64_t count);

/* Reads count strings and drops them: what is left of a collection when only the structure matters. */
int rdb_skip_strings(struct rdb_reader *reader, uint64_t count);

/* Reads the string that holds packed bytes: they live as long as the record, or in *blob, which the caller
 * releases. With structure_only the string is dropped and bytes->data is NULL. */
int rdb_read_packed(struct rdb_reader *reader, struct slice *bytes, struct blob **blob);

/* The collection at this offset is damaged: names the key and what is wrong. */
int rdb_fault_value(struct rdb_reader *reader, const char *what);

/* Give the record its collection. Bytes live as long as the record or in blob, which is taken over. */
void rdb_set_packed(struct rdb_reader *reader, enum value_type type, enum value_encoding encoding,
                    struct slice bytes, struct blob *blob);
void rdb_set_object(struct rdb_reader *reader, enum value_type type, enum value_encoding encoding,
                    void *object);
void rdb_set_empty(struct rdb_reader *reader);

/* Bodies by type, the one of the current record. */
int rdb_read_set(struct rdb_reader *reader);
int rdb_read_hash(struct rdb_reader *reader);
int rdb_read_list(struct rdb_reader *reader);
int rdb_read_zset(struct rdb_reader *reader);
int rdb_read_stream(struct rdb_reader *reader);

/* ---- what this server does not know (rdb_skip.c) ---- */

/* Deals with a value of an unknown type, whose body follows: passes over it and tells the visitor, or refuses
 * it with its key. */
int rdb_skip_value(struct rdb_reader *reader);

/* Likewise what a module wrote beside the keys; offset: of its opcode. */
int rdb_skip_module_aux(struct rdb_reader *reader, uint64_t offset);

/* Reads the body of the current record's value, whose type and key are known. A value that was passed over
 * has RDB_FORM_DROPPED then. */
int rdb_read_body(struct rdb_reader *reader);

/* The file ended in the middle. */
int rdb_fault_truncated(struct rdb_reader *reader);

#endif
