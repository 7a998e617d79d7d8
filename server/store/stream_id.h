#ifndef SPINDLE_STORE_STREAM_ID_H
#define SPINDLE_STORE_STREAM_ID_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Identifiers of stream entries: milliseconds and a sequence number, ordered by the one, then the other. As
 * text "ms-sequence", in dumps 16 bytes, big-endian. Any thread.
 */

enum {
    STREAM_ID_BYTES = 16,
    STREAM_ID_TEXT_BYTES = 44, /* two numbers of 20 digits, '-', and some room */
};

struct stream_id {
    uint64_t ms, sequence;
};

static const struct stream_id STREAM_ID_NONE = {0, 0}; /* before every entry */
static const struct stream_id STREAM_ID_MAX = {UINT64_MAX, UINT64_MAX};

static inline bool stream_id_is_less(struct stream_id a, struct stream_id b)
{
    return a.ms != b.ms ? a.ms < b.ms : a.sequence < b.sequence;
}

static inline bool stream_id_is_equal(struct stream_id a, struct stream_id b)
{
    return a.ms == b.ms && a.sequence == b.sequence;
}

/* Steps to the neighbour; false, and no change, when there is none. */
bool stream_id_increment(struct stream_id *id);
bool stream_id_decrement(struct stream_id *id);

struct stream_id stream_id_read(const char bytes[STREAM_ID_BYTES]);
void stream_id_write(struct stream_id id, char bytes[STREAM_ID_BYTES]);

/* Writes the text; returns its length. */
size_t stream_id_format(struct stream_id id, char text[STREAM_ID_TEXT_BYTES]);

/* Reads "ms-sequence", or "ms" alone, which gets missing_sequence; has_sequence (may be NULL) says which it
 * was. False: neither. */
bool stream_id_parse(struct slice text, uint64_t missing_sequence, struct stream_id *id, bool *has_sequence);

#endif
