#ifndef SPINDLE_PERSIST_RDB_READ_H
#define SPINDLE_PERSIST_RDB_READ_H

#include "base/blob.h"
#include "persist/rdb_error.h"
#include "persist/rdb_format.h"
#include "persist/source.h"
#include "protocol/slice.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading a dump: the loader, the verification of a dump just written, and tools/spindle-check are visitors
 * of this one walk, so a file that one of them accepts is well-formed for all.
 *
 * A file is hostile input: every length is held against what is left of the file before memory is allocated
 * or bytes are touched. Records are handed over in batches, so that a visitor can fetch memory ahead. One
 * thread at a time.
 */

enum rdb_form {
    RDB_FORM_INTEGER,
    RDB_FORM_BYTES,
    RDB_FORM_BLOB,    /* a long string; a visitor that keeps it sets blob to NULL */
    RDB_FORM_SKIPPED, /* structure only: just the length of the string is known */
    RDB_FORM_VALUE,   /* a collection: see rdb_value */
    RDB_FORM_EMPTY,   /* a collection without members, which no server keeps */
    RDB_FORM_DROPPED, /* passed over; visitors see no such record */
};

struct rdb_string {
    enum rdb_form form;
    union {
        int64_t integer;
        struct slice bytes;
        struct blob *blob;
        uint64_t length_bytes;
    };
};

/* A collection, validated: the bytes of a packed one, or the object of another. A visitor that keeps the blob
 * or the object sets it to NULL. */
struct rdb_value {
    enum value_type type;
    enum value_encoding encoding;
    struct slice packed; /* data NULL: not packed */
    struct blob *blob;   /* holds the packed bytes, when they need a block of their own */
    void *object;
};

#define RDB_EXPIRY_NONE INT64_MIN

/* A key with its value. Everything lives until the visitor returns. */
struct rdb_record {
    struct slice key;
    uint64_t key_hash; /* the visitor's own */
    uint64_t offset;   /* of the record, its deadline and the like included */
    int64_t expiry_ms; /* since 1970, long past perhaps; or RDB_EXPIRY_NONE */
    int64_t idle_s;    /* -1: not in the file */
    int16_t frequency; /* -1: not in the file */
    uint8_t type;      /* enum rdb_type */
    struct rdb_string string;
    struct rdb_value value;
    struct blob *key_blob; /* the reader's: holds a long key */
};

enum { RDB_BATCH_RECORDS = 64 };

/* Something that was left out. Lives until the visitor returns. */
struct rdb_dropped {
    bool has_key; /* false: it belongs to no key */
    struct slice key;
    const char *what; /* what it is, for a message */
    uint64_t offset;
};

/* Functions return 0 or a negative errno, which ends the reading; with -EBADMSG they fill in the error. Those
 * that are NULL are not called. */
struct rdb_visitor {
    int (*aux)(void *context, struct slice name, struct slice value);
    int (*select)(void *context, uint64_t database, uint64_t offset, struct rdb_error *error);
    /* Sizes of the database that was selected: hints, not to be trusted. */
    int (*resize)(void *context, uint64_t keys, uint64_t expires);
    int (*records)(void *context, struct rdb_record *records, size_t count, struct rdb_error *error);
    /* The source of a function library, which has a name. */
    int (*library)(void *context, struct slice source, uint64_t offset, struct rdb_error *error);
    /* Something was passed over, as drop_unknown says. May come before records that stand in front of it. */
    int (*dropped)(void *context, const struct rdb_dropped *dropped);
    /* Called each time the window moved on. */
    int (*progress)(void *context, uint64_t offset);
    void *context;
};

struct rdb_read_options {
    bool structure_only; /* long strings are skipped, compressed ones not expanded, collections not made */
    /* Hashes whose fields have deadlines, and what modules wrote, are passed over; otherwise they are faults.
     */
    bool drop_unknown;
    const struct store_settings *settings; /* decide what collections are made of; NULL: defaults */
};

/* What the file says of itself; filled in as far as the reading came. */
struct rdb_summary {
    int version;
    bool valkey;
    bool has_checksum; /* false: older than checksums, or written without */
    uint64_t checksum;
    uint64_t end_offset; /* behind the last byte that was read: of the dump, when it is complete */
    bool complete;       /* read to its end without a fault */
};

/* Returns 0; -EBADMSG with the error filled in; -EIO and other negative errnos, likewise; or what a visitor
 * returned. */
int rdb_read(struct source *source, const struct rdb_read_options *options, const struct rdb_visitor *visitor,
             struct rdb_summary *summary, struct rdb_error *error);

/* Reads function libraries, one behind the other, up to the end of the source. Returns as rdb_read_value. */
int rdb_read_functions(struct source *source, const struct rdb_visitor *visitor, struct rdb_error *error);

/* Reads type, body and nothing else of one value: RESTORE. Calls visitor->records once with an empty key. */
int rdb_read_value(struct source *source, const struct rdb_read_options *options,
                   const struct rdb_visitor *visitor, struct rdb_error *error);

/* Returns -EBADMSG after setting the error. */
int rdb_fault(struct rdb_error *error, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes as printable ASCII, cut to what fits; for messages. Returns text. */
enum { RDB_KEY_TEXT_BYTES = 80 };
const char *rdb_printable_text(struct slice bytes, char text[static RDB_KEY_TEXT_BYTES]);

/* Name of a value type for people: "hash (listpack)". */
const char *rdb_type_name(unsigned type);

#endif
