#ifndef SPINDLE_STORE_TABLE_H
#define SPINDLE_STORE_TABLE_H

#include "base/prefetch.h"
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * The segmented hash table of keys, and of the members of large sets and hashes.
 *
 * Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979): the top bits of a 64-bit hash choose a
 * segment in the directory, the next bits a bucket in the segment, so that bucket order is hash order. A
 * bucket is one cache line: 7 one-byte fingerprints (the hash's lowest byte), a state byte and 7 item
 * pointers; a bucket that runs over keeps 6 and chains to
 * another of the same shape in the segment's overflow pages. A segment that is full
 * splits alone; a small table is one segment that starts with one bucket. Nothing but the directory is ever
 * larger than TABLE_SEGMENT_BUCKETS cache lines, and an insert rehashes at most one segment.
 *
 * Invariants: an item is in the chain of the bucket that its hash names; a chained bucket has 6 items in
 * front; the directory holds 2^depth pointers, a segment of depth d fills 2^(depth-d) neighbouring ones.
 *
 * A position is a hash: "every bucket before this hash was visited". It stays meaningful over splits and
 * merges.
 *
 * Items are opaque and not owned. A slot pointer is valid until the table next changes. Main thread only.
 */

enum {
    TABLE_BUCKET_SLOTS = 7,
#ifdef SPINDLE_STRESS
    TABLE_SEGMENT_BUCKETS = 4,
#else
    TABLE_SEGMENT_BUCKETS = 192, /* 12 KB: from 16 KB on jemalloc gives every block a page more */
#endif
    /* Mean items in a bucket above which a segment grows or splits, and at which it starts afterwards. Bucket
     * counts are 2^n and 3 * 2^n, so growth is by a half or a third, and chains keep the memory for a key
     * nearly constant: 13 to 14 bytes at any size. Half of a full segment fits 128 buckets. */
    TABLE_BUCKET_MEAN_MAX = 9,
    TABLE_BUCKET_MEAN_START = 7,
};

#define TABLE_DEADLINE_NONE UINT32_MAX

struct table_bucket {
    uint8_t fingerprints[TABLE_BUCKET_SLOTS];
    uint8_t state; /* bits 0-6: slot holds an item; TABLE_CHAINED: slot 6 points to the next bucket */
    void *slots[TABLE_BUCKET_SLOTS];
};

enum { TABLE_CHAINED = 0x80, TABLE_CHAIN_SLOT = TABLE_BUCKET_SLOTS - 1 };

struct table_segment {
    struct table_bucket *buckets;
    struct table_bucket **pages; /* of chained buckets: all of one size, so that splits leave no odd holes */
    struct table_bucket *free;   /* unused ones of them, linked by slot 0 */
    uint32_t page_count;
    uint32_t *deadlines;        /* lower bound for each bucket; NULL when no item has a deadline */
    uint32_t earliest_deadline; /* lower bound of all of them */
    uint32_t count;
    uint16_t bucket_count;
    uint8_t depth;
};

struct table_type {
    /* Returns the hash that the item was inserted with. */
    uint64_t (*hash)(const void *item);
};

struct table {
    struct table_segment **directory; /* NULL while the table is empty */
    const struct table_type *type;
    uint64_t count;
    uint64_t bytes;         /* memory of the table itself */
    uint32_t deepest_count; /* segments whose depth is the directory's */
    uint8_t depth;
};

void table_init(struct table *table, const struct table_type *type);

/* Frees the table's own memory, not the items; leaves an empty table. */
void table_clear(struct table *table);

/* Makes room for count items at once: for loading. */
void table_reserve(struct table *table, uint64_t count);

/* Adds an item whose key is not in the table. */
void table_insert(struct table *table, uint64_t hash, void *item);

/* Removes the item in a slot that table_find returned for this hash. */
void table_remove(struct table *table, uint64_t hash, void **slot);

static inline struct table_segment *table_segment_of(const struct table *table, uint64_t hash)
{
    return table->directory[table->depth ? hash >> (64 - table->depth) : 0];
}

/* Buckets divide a segment's hashes into equal ranges, in order. */
static inline size_t table_bucket_index(const struct table_segment *segment, uint64_t hash)
{
    return ((hash << segment->depth) >> 32) * segment->bucket_count >> 32;
}

/* Returns the next bucket of a chain, or NULL. */
static inline struct table_bucket *table_bucket_next(const struct table_bucket *bucket)
{
    return bucket->state & TABLE_CHAINED ? bucket->slots[TABLE_CHAIN_SLOT] : NULL;
}

/* Bit i is set when slot i holds an item with this hash's fingerprint. */
static inline unsigned table_bucket_matches(const struct table_bucket *bucket, uint64_t hash)
{
#ifdef __SSE2__
    __m128i fingerprints = _mm_loadl_epi64((const __m128i *)(const void *)bucket);
    __m128i equal = _mm_cmpeq_epi8(fingerprints, _mm_set1_epi8((char)hash));
    return (unsigned)_mm_movemask_epi8(equal) & bucket->state & 0x7f;
#else
    uint64_t word;
    memcpy(&word, bucket, sizeof(word));
    /* Bytes that equal the fingerprint become zero; the zero-byte test is the exact one, without carries
     * between bytes, because a false positive would cost a cache miss. */
    uint64_t difference = word ^ ((hash & 0xff) * 0x0101010101010101u);
    uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t zeros = ~(((difference & low) + low) | difference | low);
    return (unsigned)(((zeros >> 7) * 0x0102040810204080u) >> 56) & bucket->state & 0x7f;
#endif
}

/* Returns the slot of the item that matches the key, or NULL. Equals is called for items whose fingerprint
 * fits; as a constant it is inlined. */
static inline void **table_find(const struct table *table, uint64_t hash,
                                bool (*equals)(const void *item, const void *key), const void *key)
{
    if (table->count == 0)
        return NULL;
    struct table_segment *segment = table_segment_of(table, hash);
    struct table_bucket *bucket = &segment->buckets[table_bucket_index(segment, hash)];
    while (bucket) {
        for (unsigned matches = table_bucket_matches(bucket, hash); matches; matches &= matches - 1) {
            void **slot = &bucket->slots[__builtin_ctz(matches)];
            if (equals(*slot, key))
                return slot;
        }
        bucket = table_bucket_next(bucket);
    }
    return NULL;
}

/* Starts fetching the bucket of a hash into the cache. Returns it, or NULL when the table is empty. */
static inline const struct table_bucket *table_prefetch(const struct table *table, uint64_t hash)
{
    if (table->count == 0)
        return NULL;
    const struct table_segment *segment = table_segment_of(table, hash);
    const struct table_bucket *bucket = &segment->buckets[table_bucket_index(segment, hash)];
    prefetch(bucket);
    return bucket;
}

/* Visits every item of the bucket at *position and moves *position to the next bucket. Returns false when
 * that was the last one; *position is then 0. Items present during a whole walk are visited at least once,
 * whatever was inserted and removed between calls. Visit must not change the table. */
bool table_visit_bucket(const struct table *table, uint64_t *position,
                        void (*visit)(void *context, void *item), void *context);

/* Frees one segment of a table that is no longer used otherwise, calling for each of its items first; *at
 * counts directory entries and starts at 0. Returns false when that was the last: the table is then empty.
 * Visit may free the item. */
bool table_drain(struct table *table, size_t *at, void (*visit)(void *context, void *item), void *context);

/* Returns an item chosen uniformly (what is behind the 32nd item of a chain is a little neglected). NULL when
 * empty. */
void *table_random(const struct table *table, struct random_state *random);

/* Notes that an item in the bucket of this hash has this deadline (in ticks, see keyspace.c). */
void table_note_deadline(struct table *table, uint64_t hash, uint32_t deadline_ticks);

/* Moves *position to the next bucket, at or after it, whose deadline bound is at most now_ticks. Returns
 * false when there is none up to the end; *position is then 0. */
bool table_next_due(const struct table *table, uint64_t *position, uint32_t now_ticks);

/* Moves *position to the bucket with the earliest bound of its segment, and returns that bound;
 * TABLE_DEADLINE_NONE when none has one. */
uint32_t table_seek_earliest(const struct table *table, uint64_t *position);

/* Replaces the bound of the bucket that holds this position. */
void table_set_deadline(struct table *table, uint64_t position, uint32_t deadline_ticks);

/* Position behind the bucket that holds this one; 0 behind the last. */
uint64_t table_position_after(const struct table *table, uint64_t position);

/* SCAN cursors: a position with its bits reversed, so that short walks have short cursors. */
uint64_t table_position_to_cursor(uint64_t position);
uint64_t table_cursor_to_position(uint64_t cursor);

#endif
