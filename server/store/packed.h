#ifndef SPINDLE_STORE_PACKED_H
#define SPINDLE_STORE_PACKED_H

#include "store/keyspace.h"
#include "store/listpack.h"

/*
 * Collections that are one run of bytes (a listpack or an intset), inside their entry or, when longer than
 * ENTRY_INLINE_MAX_BYTES, in a blob; and changing them through the keyspace's door.
 *
 * Positions are offsets into the bytes, because a change moves them. Functions that change take the key's
 * entry and return it as it is afterwards; they do not report: the caller calls keyspace_changed once for
 * each of its events, and deletes the key when nothing is left. Main thread only; a forked child may read.
 */

/* Is the value packed bytes? (A list in its entry is, though its encoding is called quicklist.) */
static inline bool packed_is(const struct entry *entry)
{
    return entry->encoding == ENCODING_LISTPACK || entry->encoding == ENCODING_INTSET ||
           (entry->encoding == ENCODING_QUICKLIST && entry_is_inline(entry));
}

/* The bytes of a packed value; they live until the key changes. */
static inline struct slice packed_view(const struct entry *entry)
{
    if (entry_is_inline(entry))
        return (struct slice){entry_value_area(entry), entry->inline_bytes};
    const struct blob *blob = entry_pointer(entry);
    return (struct slice){blob->data, blob->length_bytes};
}

/* The bytes for writing, right after a function returned the entry. */
static inline char *packed_bytes(struct entry *entry)
{
    return (char *)packed_view(entry).data;
}

/* Creates or replaces a key with a listpack of these elements; they may lie anywhere but in the old value. */
struct entry *packed_create(struct database *db, const struct key *key, enum value_type type,
                            enum value_encoding encoding, const struct listpack_element *elements,
                            size_t count);

/* Inserts elements, in order, in front of the one at offset (or of the end). */
struct entry *packed_insert(struct database *db, const struct key *key, struct entry *entry, size_t offset,
                            const struct listpack_element *elements, size_t count);

/* Inserts elements behind the last. */
struct entry *packed_append(struct database *db, const struct key *key, struct entry *entry,
                            const struct listpack_element *elements, size_t count);

/* Puts an element in the place of the one at offset. */
struct entry *packed_replace(struct database *db, const struct key *key, struct entry *entry, size_t offset,
                             struct listpack_element element);

/* Removes count elements from the one at offset on; there are as many. */
struct entry *packed_remove(struct database *db, const struct key *key, struct entry *entry, size_t offset,
                            size_t count);

#endif
