/*
 * See bytes.h. Running out of memory ends the test program.
 */

#include "support/bytes.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct bytes *bytes, size_t more)
{
    if (bytes->capacity - bytes->size >= more)
        return;
    size_t capacity = bytes->capacity ? bytes->capacity : 64;
    while (capacity - bytes->size < more)
        capacity *= 2;
    bytes->data = realloc(bytes->data, capacity);
    if (!bytes->data)
        abort();
    bytes->capacity = capacity;
}

void bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    reserve(bytes, size + 1);
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void bytes_append_text(struct bytes *bytes, const char *text)
{
    bytes_append(bytes, text, strlen(text));
}

void bytes_format(struct bytes *bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    bytes_append_text(bytes, text);
    free(text);
}

void bytes_append_quoted(struct bytes *bytes, const void *data, size_t size)
{
    const unsigned char *from = data;
    size_t plain = 0;
    while (plain < size && isgraph(from[plain]) && !strchr("\"'\\", from[plain]))
        plain++;
    if (size && plain == size) {
        bytes_append(bytes, data, size);
        return;
    }
    bytes_append_text(bytes, "\"");
    for (size_t i = 0; i < size; i++) {
        if (from[i] == '\r')
            bytes_append_text(bytes, "\\r");
        else if (from[i] == '\n')
            bytes_append_text(bytes, "\\n");
        else if (from[i] == '"' || from[i] == '\\')
            bytes_format(bytes, "\\%c", from[i]);
        else if (isprint(from[i]))
            bytes_append(bytes, &from[i], 1);
        else
            bytes_format(bytes, "\\x%02x", from[i]);
    }
    bytes_append_text(bytes, "\"");
}

void bytes_append_bulk(struct bytes *bytes, const void *data, size_t size)
{
    bytes_format(bytes, "$%zu\r\n", size);
    bytes_append(bytes, data, size);
    bytes_append(bytes, "\r\n", 2);
}

void bytes_consume(struct bytes *bytes, size_t count)
{
    if (count == 0)
        return;
    memmove(bytes->data, bytes->data + count, bytes->size - count);
    bytes->size -= count;
}

void bytes_clear(struct bytes *bytes)
{
    bytes->size = 0;
}

void bytes_release(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

const char *bytes_text(struct bytes *bytes)
{
    reserve(bytes, 1);
    bytes->data[bytes->size] = '\0';
    return bytes->data;
}
