#ifndef SPINDLE_PROTOCOL_BUFFER_H
#define SPINDLE_PROTOCOL_BUFFER_H

#include <stddef.h>
#include <string.h>

/* A growing run of bytes from malloc. Growth doubles; out of memory aborts. One owner at a time, any thread.
 */
struct buffer {
    char *data;
    size_t length;
    size_t capacity;
};

/* buffer_reserve's slow half. */
void buffer_grow(struct buffer *buffer, size_t count);

/* Makes room for count (at least one) more bytes and returns where they go; length is not changed. */
static inline char *buffer_reserve(struct buffer *buffer, size_t count)
{
    if (__builtin_expect(buffer->capacity - buffer->length < count, 0))
        buffer_grow(buffer, count);
    return buffer->data + buffer->length;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t count)
{
    if (count == 0)
        return;
    memcpy(buffer_reserve(buffer, count), data, count);
    buffer->length += count;
}

/* Drops count bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t count);

/* Gives the memory back; the buffer is empty and may be used again. */
void buffer_free(struct buffer *buffer);

#endif
