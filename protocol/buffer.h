#ifndef SPINDLE_PROTOCOL_BUFFER_H
#define SPINDLE_PROTOCOL_BUFFER_H

#include <stddef.h>

/* A growing run of bytes from malloc. Growth doubles; out of memory aborts. One owner at a time, any thread.
 */
struct buffer {
    char *data;
    size_t length;
    size_t capacity;
};

/* Makes room for count more bytes and returns where they go; length is not changed. */
char *buffer_reserve(struct buffer *buffer, size_t count);
void buffer_append(struct buffer *buffer, const void *data, size_t count);

/* Drops count bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t count);

/* Gives the memory back; the buffer is empty and may be used again. */
void buffer_free(struct buffer *buffer);

#endif
