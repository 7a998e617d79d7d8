/*
 * The bytes behind every reply and every incomplete request. Invariant: length <= capacity, and data is NULL
 * exactly when capacity is 0. One owner at a time, any thread.
 */
#include "protocol/buffer.h"

#include <stdlib.h>

enum {
#ifdef SPINDLE_STRESS
    BUFFER_MIN_BYTES = 1,
#else
    BUFFER_MIN_BYTES = 256,
#endif
};

void buffer_grow(struct buffer *buffer, size_t count)
{
    size_t needed;
    size_t capacity;
    if (__builtin_add_overflow(buffer->length, count, &needed))
        abort();
    if (__builtin_mul_overflow(buffer->capacity, 2, &capacity))
        abort();
    if (capacity < needed)
        capacity = needed;
    if (capacity < BUFFER_MIN_BYTES)
        capacity = BUFFER_MIN_BYTES;
    char *data = realloc(buffer->data, capacity);
    if (!data)
        abort();
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    if (count > buffer->length)
        abort();
    buffer->length -= count;
    if (count > 0 && buffer->length > 0)
        memmove(buffer->data, buffer->data + count, buffer->length);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
