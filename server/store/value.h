#ifndef SPINDLE_STORE_VALUE_H
#define SPINDLE_STORE_VALUE_H

#include "store/entry.h"
#include "store/reclaim.h"
#include "store/table.h"

/*
 * What every type of value can do when it lives outside its entry (ENTRY_IS_POINTER): the one switch over
 * types for freeing, copying and measuring. A string's object is a struct blob. Main thread only.
 */

/* Drops the object; a large one is freed in slices through reclaim. */
void value_free(enum value_type type, enum value_encoding encoding, void *object, struct reclaim *reclaim);

/* Returns a deep copy (a further reference for blobs). */
void *value_copy(enum value_type type, enum value_encoding encoding, void *object);

/* The table in which an object keeps its members or fields, by hash_bytes of each; NULL when it has none. */
const struct table *value_members(enum value_type type, enum value_encoding encoding, const void *object);

/* Bytes that the object occupies. */
size_t value_footprint_bytes(enum value_type type, enum value_encoding encoding, const void *object);

#endif
