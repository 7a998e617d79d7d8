#ifndef SPINDLE_STORE_KEPT_VALUE_H
#define SPINDLE_STORE_KEPT_VALUE_H

#include "protocol/buffer.h"
#include "store/entry.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Values of a type that has no commands yet: kept whole as the items that their dump is made of, so that they
 * are written back unchanged by a loop that knows nothing of the type. Streams are such values.
 *
 *   u8 form           which layout the items have; a number of whoever made the value
 *   items             u8 kind, then
 *     KEPT_NUMBER     u64
 *     KEPT_STRING     u32 length, bytes; a dump may compress it
 *     KEPT_RAW        u8 length, bytes; a dump has just these
 *
 * All in host order. The bytes are inside the entry or, when long, in a blob, as packed collections are. They
 * are valid by construction: whoever reads them from outside checks them first. Main thread only; a forked
 * child may read.
 */

enum kept_kind { KEPT_NUMBER = 1, KEPT_STRING = 2, KEPT_RAW = 3 };

enum { KEPT_STRING_MAX_BYTES = UINT32_MAX >> 1, KEPT_RAW_MAX_BYTES = UINT8_MAX };

struct kept_item {
    enum kept_kind kind;
    uint64_t number;
    struct slice bytes; /* in the value */
};

static inline bool kept_is(const struct entry *entry)
{
    return entry->encoding == ENCODING_STREAM;
}

/* The form of an entry's value. */
uint8_t kept_form(const struct entry *entry);

/* The items of an entry's value, to be walked; they live until the key changes. */
struct slice kept_items(const struct entry *entry);

/* Takes the next item off the front; false at the end. */
bool kept_next(struct slice *items, struct kept_item *item);

/* Make a value: the form first. */
void kept_begin(struct buffer *value, uint8_t form);
void kept_append_number(struct buffer *value, uint64_t number);
void kept_append_string(struct buffer *value, struct slice bytes);
void kept_append_raw(struct buffer *value, struct slice bytes);

#endif
