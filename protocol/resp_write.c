/*
 * Replies as RESP2 or RESP3 bytes. The shortest and most frequent ones are inline in the header. Invariants:
 * segments are in order of offset, and a segment's offset lies inside the buffer, behind its header and
 * before its line end. One owner at a time, any thread.
 */
#include "protocol/resp_write.h"

#include "protocol/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* Type byte, number, line end. */
    HEADER_MAX_BYTES = 1 + NUMBER_INTEGER_TEXT_MAX + 2,
    VERBATIM_FORMAT_BYTES = 4, /* "txt:" */
};

static inline char *write_line_end(char *to)
{
    memcpy(to, "\r\n", 2);
    return to + 2;
}

/* Writes "*3\r\n" and the like; returns where it ends. */
static inline char *write_header(char *to, char type, uint64_t number)
{
    *to++ = type;
    if (number < 10) {
        *to++ = (char)('0' + number);
    } else if (number < 100) {
        *to++ = (char)('0' + number / 10);
        *to++ = (char)('0' + number % 10);
    } else {
        to += number_format_uint64(to, number);
    }
    return write_line_end(to);
}

/* Values of 16 to 32 bytes are the most frequent ones: two copies of constant size, which overlap, spare them
 * a call. */
static inline char *write_bytes(char *to, const void *data, size_t length)
{
    if (length >= 16 && length <= 32) {
        char last[16];
        memcpy(last, (const char *)data + length - 16, 16);
        memcpy(to, data, 16);
        memcpy(to + length - 16, last, 16);
    } else if (length > 0) {
        memcpy(to, data, length);
    }
    return to + length;
}

static inline void advance(struct reply *reply, const char *end)
{
    reply->buffer.length = (size_t)(end - reply->buffer.data);
}

static void append_header(struct reply *reply, char type, uint64_t number)
{
    char *to = buffer_reserve(&reply->buffer, HEADER_MAX_BYTES);
    advance(reply, write_header(to, type, number));
}

void reply_status(struct reply *reply, const char *text)
{
    size_t length = strlen(text);
    char *to = buffer_reserve(&reply->buffer, 1 + length + 2);
    *to++ = '+';
    memcpy(to, text, length);
    advance(reply, write_line_end(to + length));
}

/* Turns the length bytes at text into an error reply's end. They are not part of the buffer's length yet. */
static void end_error(struct reply *reply, char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\r' || text[i] == '\n')
            text[i] = ' ';
    }
    reply->errors++;
    reply->error_start = reply->buffer.length;
    advance(reply, write_line_end(text + length));
}

void reply_error(struct reply *reply, const char *text)
{
    size_t length = strlen(text);
    char *to = buffer_reserve(&reply->buffer, 1 + length + 2);
    *to++ = '-';
    memcpy(to, text, length);
    end_error(reply, to, length);
}

/* What vsnprintf would write, without the terminating zero. */
static size_t formatted_length(const char *format, va_list values)
{
    va_list copy;
    va_copy(copy, values);
    int length = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    if (length < 0)
        abort();
    return (size_t)length;
}

void reply_errorf(struct reply *reply, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    size_t length = formatted_length(format, values);
    char *to = buffer_reserve(&reply->buffer, 1 + length + 2);
    *to++ = '-';
    vsnprintf(to, length + 1, format, values);
    va_end(values);
    end_error(reply, to, length);
}

void reply_integer(struct reply *reply, int64_t value)
{
    char *to = buffer_reserve(&reply->buffer, HEADER_MAX_BYTES);
    if (value >= 0) {
        advance(reply, write_header(to, ':', (uint64_t)value));
        return;
    }
    *to++ = ':';
    to += number_format_int64(to, value);
    advance(reply, write_line_end(to));
}

void reply_bulk(struct reply *reply, const void *data, size_t length)
{
    char *to = buffer_reserve(&reply->buffer, HEADER_MAX_BYTES + length + 2);
    to = write_header(to, '$', length);
    advance(reply, write_line_end(write_bytes(to, data, length)));
}

void reply_slice(struct reply *reply, struct slice slice)
{
    reply_bulk(reply, slice.data, slice.length);
}

void reply_string(struct reply *reply, const char *text)
{
    reply_bulk(reply, text, strlen(text));
}

void reply_bulkf(struct reply *reply, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    size_t length = formatted_length(format, values);
    char *to = buffer_reserve(&reply->buffer, HEADER_MAX_BYTES + length + 2);
    to = write_header(to, '$', length);
    vsnprintf(to, length + 1, format, values);
    va_end(values);
    advance(reply, write_line_end(to + length));
}

static void add_segment(struct reply *reply, struct reply_segment segment)
{
    if (reply->segment_count == reply->segment_capacity) {
        size_t capacity = reply->segment_capacity ? reply->segment_capacity * 2 : 4;
        struct reply_segment *segments = reallocarray(reply->segments, capacity, sizeof segments[0]);
        if (!segments)
            abort();
        reply->segments = segments;
        reply->segment_capacity = capacity;
    }
    reply->segments[reply->segment_count++] = segment;
}

void reply_bulk_reference(struct reply *reply, const char *data, size_t length, void *owner,
                          void (*release)(void *owner))
{
    if (length < REPLY_SEGMENT_MIN_BYTES) {
        reply_bulk(reply, data, length);
        release(owner);
        return;
    }
    append_header(reply, '$', length);
    add_segment(reply, (struct reply_segment){reply->buffer.length, data, length, owner, release});
    reply_literal(reply, "\r\n", 2);
}

void reply_bulk_integer(struct reply *reply, int64_t value)
{
    char text[NUMBER_INTEGER_TEXT_MAX] = "";
    size_t length = number_format_int64(text, value);
    char *to = buffer_reserve(&reply->buffer, HEADER_MAX_BYTES + sizeof text + 2);
    to = write_header(to, '$', length);
    memcpy(to, text, sizeof text);
    advance(reply, write_line_end(to + length));
}

void reply_null_array(struct reply *reply)
{
    if (reply->version >= 3)
        reply_literal(reply, "_\r\n", 3);
    else
        reply_literal(reply, "*-1\r\n", 5);
}

void reply_double(struct reply *reply, double value)
{
    char text[NUMBER_DOUBLE_TEXT_MAX];
    size_t length = number_format_double(text, value);
    if (reply->version < 3) {
        reply_bulk(reply, text, length);
        return;
    }
    char *to = buffer_reserve(&reply->buffer, 1 + length + 2);
    *to++ = ',';
    memcpy(to, text, length);
    advance(reply, write_line_end(to + length));
}

void reply_bool(struct reply *reply, bool value)
{
    if (reply->version >= 3)
        reply_literal(reply, value ? "#t\r\n" : "#f\r\n", 4);
    else
        reply_literal(reply, value ? ":1\r\n" : ":0\r\n", 4);
}

void reply_verbatim(struct reply *reply, const char *format, const void *data, size_t length)
{
    if (reply->version < 3) {
        reply_bulk(reply, data, length);
        return;
    }
    append_header(reply, '=', VERBATIM_FORMAT_BYTES + length);
    buffer_append(&reply->buffer, format, VERBATIM_FORMAT_BYTES - 1);
    reply_literal(reply, ":", 1);
    buffer_append(&reply->buffer, data, length);
    reply_literal(reply, "\r\n", 2);
}

void reply_array(struct reply *reply, size_t count)
{
    append_header(reply, '*', count);
}

void reply_map(struct reply *reply, size_t pairs)
{
    if (reply->version >= 3)
        append_header(reply, '%', pairs);
    else
        append_header(reply, '*', pairs * 2);
}

void reply_set(struct reply *reply, size_t count)
{
    append_header(reply, reply->version >= 3 ? '~' : '*', count);
}

void reply_push(struct reply *reply, size_t count)
{
    append_header(reply, reply->version >= 3 ? '>' : '*', count);
}

size_t reply_deferred_begin(struct reply *reply)
{
    return reply->buffer.length;
}

void reply_append(struct reply *reply, struct reply *other)
{
    size_t start = reply->buffer.length;
    if (other->errors > 0) {
        reply->errors += other->errors;
        reply->error_start = start + other->error_start;
    }
    buffer_append(&reply->buffer, other->buffer.data, other->buffer.length);
    for (size_t i = 0; i < other->segment_count; i++) {
        struct reply_segment segment = other->segments[i];
        segment.offset += start;
        add_segment(reply, segment);
    }
    other->segment_count = 0;
}

void reply_insert(struct reply *reply, size_t mark, const char *bytes, size_t count)
{
    size_t behind = reply->buffer.length - mark;
    buffer_reserve(&reply->buffer, count);
    char *at = reply->buffer.data + mark;
    memmove(at + count, at, behind);
    memcpy(at, bytes, count);
    reply->buffer.length += count;
    if (reply->errors > 0 && reply->error_start >= mark)
        reply->error_start += count;
    for (size_t i = reply->segment_count; i > 0 && reply->segments[i - 1].offset >= mark; i--)
        reply->segments[i - 1].offset += count;
}

/* Puts a header in front of everything written since the mark. */
static void insert_header(struct reply *reply, size_t mark, char type, uint64_t number)
{
    char header[HEADER_MAX_BYTES];
    reply_insert(reply, mark, header, (size_t)(write_header(header, type, number) - header));
}

void reply_deferred_array(struct reply *reply, size_t mark, size_t count)
{
    insert_header(reply, mark, '*', count);
}

void reply_deferred_map(struct reply *reply, size_t mark, size_t pairs)
{
    if (reply->version >= 3)
        insert_header(reply, mark, '%', pairs);
    else
        insert_header(reply, mark, '*', pairs * 2);
}

void reply_deferred_set(struct reply *reply, size_t mark, size_t count)
{
    insert_header(reply, mark, reply->version >= 3 ? '~' : '*', count);
}

void reply_truncate(struct reply *reply, size_t length)
{
    while (reply->segment_count > 0 && reply->segments[reply->segment_count - 1].offset >= length) {
        struct reply_segment *segment = &reply->segments[--reply->segment_count];
        segment->release(segment->owner);
    }
    reply->buffer.length = length;
}

void reply_free(struct reply *reply)
{
    reply_truncate(reply, 0);
    free(reply->segments);
    buffer_free(&reply->buffer);
    *reply = (struct reply){.version = reply->version};
}
