#ifndef SPINDLE_PROTOCOL_RESP_WRITE_H
#define SPINDLE_PROTOCOL_RESP_WRITE_H

#include "protocol/buffer.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Writing RESP replies (redis.io, RESP2 and RESP3 specifications). One struct reply collects the replies of
 * many commands; version says which dialect the next one is written in, and every function falls back to
 * RESP2's shape where RESP3 has a richer one.
 *
 * A long bulk string may be written by reference: the buffer then holds its header only, and a segment says
 * which outside bytes come at that point. One owner at a time, any thread.
 */

/* Bytes outside the buffer that belong at offset. Release is called with owner when they were sent or
 * dropped. */
struct reply_segment {
    size_t offset;
    const char *data;
    size_t length;
    void *owner;
    void (*release)(void *owner);
};

enum {
    /* Shorter strings are copied: cheaper than a segment. */
    REPLY_SEGMENT_MIN_BYTES = 16 * 1024,
};

struct reply {
    struct buffer buffer;
    struct reply_segment *segments;
    size_t segment_count;
    size_t segment_capacity;
    uint64_t errors;    /* errors written so far */
    size_t error_start; /* offset in buffer of the last one's '-' */
    int version;        /* 2 or 3 */
};

/* Bytes that are RESP already. */
static inline void reply_literal(struct reply *reply, const char *bytes, size_t count)
{
    memcpy(buffer_reserve(&reply->buffer, count), bytes, count);
    reply->buffer.length += count;
}

static inline void reply_ok(struct reply *reply)
{
    reply_literal(reply, "+OK\r\n", 5);
}

/* Simple string; text has no line breaks. */
void reply_status(struct reply *reply, const char *text);
/* Error: text starts with its code ("ERR ...", "WRONGTYPE ..."). Line breaks become spaces. */
void reply_error(struct reply *reply, const char *text);
void reply_errorf(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, const void *data, size_t length);
void reply_slice(struct reply *reply, struct slice slice);
void reply_string(struct reply *reply, const char *text); /* terminated text as a bulk string */
void reply_bulkf(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bulk string by reference (copied when short: owner is then released at once). */
void reply_bulk_reference(struct reply *reply, const char *data, size_t length, void *owner,
                          void (*release)(void *owner));
/* The number as a bulk string. */
void reply_bulk_integer(struct reply *reply, int64_t value);
/* "_" or "$-1" */
static inline void reply_null(struct reply *reply)
{
    if (reply->version >= 3)
        reply_literal(reply, "_\r\n", 3);
    else
        reply_literal(reply, "$-1\r\n", 5);
}

void reply_null_array(struct reply *reply); /* "_" or "*-1" */
void reply_double(struct reply *reply, double value);
/* INCRBYFLOAT and HINCRBYFLOAT reply with a bulk string in both versions: write that with reply_bulk. */
void reply_bool(struct reply *reply, bool value); /* "#t"; RESP2: :1 */
/* Text that RESP3 marks with a three-letter format ("txt"); RESP2: bulk string. */
void reply_verbatim(struct reply *reply, const char *format, const void *data, size_t length);
void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t pairs); /* RESP2: array of 2 * pairs */
void reply_set(struct reply *reply, size_t count);
void reply_push(struct reply *reply, size_t count);

/* An array or map whose length is known only at its end. Begin, write the elements, end with the mark. */
size_t reply_deferred_begin(struct reply *reply);
void reply_deferred_array(struct reply *reply, size_t mark, size_t count);
void reply_deferred_map(struct reply *reply, size_t mark, size_t pairs);
void reply_deferred_set(struct reply *reply, size_t mark, size_t count);

/* Appends what another reply holds; its segments move. */
void reply_append(struct reply *reply, struct reply *other);

/* Puts bytes that are RESP already in front of everything written since the buffer had this length. */
void reply_insert(struct reply *reply, size_t mark, const char *bytes, size_t count);

/* Takes back everything written since the buffer had this length. */
void reply_truncate(struct reply *reply, size_t length);

/* Releases all segments and memory. */
void reply_free(struct reply *reply);

#endif
