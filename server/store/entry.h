#ifndef SPINDLE_STORE_ENTRY_H
#define SPINDLE_STORE_ENTRY_H

#include "base/blob.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * A key with its value: one allocation wherever the value is short.
 *
 *   struct entry      8 bytes
 *   expiry            8 bytes, milliseconds since 1970; only with ENTRY_HAS_EXPIRY
 *   long key length   4 bytes; only when key_length is ENTRY_KEY_LONG
 *   key               not terminated
 *   value             inline_bytes bytes, or with ENTRY_IS_POINTER a pointer (unaligned) to what holds it
 *
 * Values by type and encoding:
 *   string, ENCODING_INT               8 inline bytes: int64 in host order
 *   string, ENCODING_EMBSTR or _RAW    inline bytes, or a pointer to a struct blob
 *   stream                             a pointer to a struct stream_value
 *   other types                        inline bytes (a packed collection), or a pointer to the type's object
 *
 * Encodings are what OBJECT ENCODING shows; embstr and raw differ in history, not in layout. Entries belong
 * to the keyspace; only keyspace.c and the store's types create, move and free them.
 */

enum value_type {
    VALUE_STRING = 0,
    VALUE_LIST = 1,
    VALUE_SET = 2,
    VALUE_ZSET = 3,
    VALUE_HASH = 4,
    VALUE_MODULE = 5,
    VALUE_STREAM = 6,
};

enum value_encoding {
    ENCODING_INT,
    ENCODING_EMBSTR,
    ENCODING_RAW,
    ENCODING_LISTPACK,
    ENCODING_QUICKLIST,
    ENCODING_INTSET,
    ENCODING_HASHTABLE,
    ENCODING_SKIPLIST,
    ENCODING_STREAM,
};

enum {
    ENTRY_HAS_EXPIRY = 1,
    ENTRY_IS_POINTER = 2,

    ENTRY_KEY_LONG = 255,
    /* Values up to this many bytes are kept in the entry. */
    ENTRY_INLINE_MAX_BYTES = 1024,
    /* Longest string that SET stores as embstr. */
    ENTRY_EMBSTR_MAX_BYTES = 44,
};

struct entry {
    uint8_t type : 4;
    uint8_t encoding : 4;
    uint8_t flags;
    uint8_t key_length;
    uint8_t clock[3]; /* access.h; low byte first */
    uint16_t inline_bytes;
};

static inline uint32_t entry_clock(const struct entry *entry)
{
    return entry->clock[0] | (uint32_t)entry->clock[1] << 8 | (uint32_t)entry->clock[2] << 16;
}

static inline void entry_set_clock(struct entry *entry, uint32_t clock)
{
    entry->clock[0] = (uint8_t)clock;
    entry->clock[1] = (uint8_t)(clock >> 8);
    entry->clock[2] = (uint8_t)(clock >> 16);
}

static inline size_t entry_key_offset(const struct entry *entry)
{
    return sizeof(struct entry) + (entry->flags & ENTRY_HAS_EXPIRY ? 8 : 0) +
           (entry->key_length == ENTRY_KEY_LONG ? 4 : 0);
}

static inline size_t entry_key_length(const struct entry *entry)
{
    if (entry->key_length != ENTRY_KEY_LONG)
        return entry->key_length;
    uint32_t length;
    memcpy(&length, (const char *)entry + entry_key_offset(entry) - 4, sizeof(length));
    return length;
}

static inline struct slice entry_key(const struct entry *entry)
{
    return (struct slice){(const char *)entry + entry_key_offset(entry), entry_key_length(entry)};
}

/* Deadline in milliseconds since 1970, or -1. */
static inline int64_t entry_expiry_ms(const struct entry *entry)
{
    if (!(entry->flags & ENTRY_HAS_EXPIRY))
        return -1;
    int64_t expiry_ms;
    memcpy(&expiry_ms, entry + 1, sizeof(expiry_ms));
    return expiry_ms;
}

/* First byte of the value area: inline bytes or the pointer. */
static inline char *entry_value_area(const struct entry *entry)
{
    return (char *)entry + entry_key_offset(entry) + entry_key_length(entry);
}

static inline bool entry_is_inline(const struct entry *entry)
{
    return !(entry->flags & ENTRY_IS_POINTER);
}

static inline void *entry_pointer(const struct entry *entry)
{
    void *pointer;
    memcpy(&pointer, entry_value_area(entry), sizeof(pointer));
    return pointer;
}

static inline void entry_set_pointer(struct entry *entry, void *pointer)
{
    memcpy(entry_value_area(entry), &pointer, sizeof(pointer));
}

static inline int64_t entry_integer(const struct entry *entry)
{
    int64_t value;
    memcpy(&value, entry_value_area(entry), sizeof(value));
    return value;
}

/* The entry holds an integer already; report the change with keyspace_changed. */
static inline void entry_set_integer(struct entry *entry, int64_t value)
{
    memcpy(entry_value_area(entry), &value, sizeof(value));
}

static inline size_t entry_value_area_bytes(const struct entry *entry)
{
    return entry_is_inline(entry) ? entry->inline_bytes : sizeof(void *);
}

/* Bytes of the allocation that holds the entry. */
static inline size_t entry_block_bytes(const struct entry *entry)
{
    return entry_key_offset(entry) + entry_key_length(entry) + entry_value_area_bytes(entry);
}

enum { ENTRY_INTEGER_TEXT_BYTES = 24 };

/* Returns the bytes of a string value. Integers are written to scratch (ENTRY_INTEGER_TEXT_BYTES); other
 * slices point into the entry or its blob and live until the key changes. */
struct slice entry_string(const struct entry *entry, char *scratch);

/* Length of a string value in bytes. */
size_t entry_string_length(const struct entry *entry);

/* Bytes that the value occupies beside the entry's own block (blob or collection). */
size_t entry_value_footprint_bytes(const struct entry *entry);

/* What OBJECT REFCOUNT shows: 1, or for the integers that Redis shares between keys (0 to 9999) INT_MAX. */
int entry_reference_count(const struct entry *entry);

/* Name that OBJECT ENCODING and TYPE print. */
const char *entry_encoding_name(const struct entry *entry);
const char *entry_type_name(const struct entry *entry);

#endif
