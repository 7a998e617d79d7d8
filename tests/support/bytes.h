#ifndef SPINDLE_TESTS_BYTES_H
#define SPINDLE_TESTS_BYTES_H

#include <stddef.h>

/*
 * A growable run of bytes for the test programs.
 *
 * The programs that judge the server share no code with it: an error in protocol/buffer must not hide
 * itself. One thread.
 */

/* A zeroed struct is an empty run. data is not terminated; it moves when the run grows. */
struct bytes {
    char *data;
    size_t size;
    size_t capacity;
};

void bytes_append(struct bytes *bytes, const void *data, size_t size);
void bytes_append_text(struct bytes *bytes, const char *text);
void bytes_format(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends data as redis-cli shows it: quoted, with \n, \" and \x00 escapes. Plain words stay bare. */
void bytes_append_quoted(struct bytes *bytes, const void *data, size_t size);

/* Appends a length line and the data: "$3\r\nfoo\r\n". */
void bytes_append_bulk(struct bytes *bytes, const void *data, size_t size);

/* Drops the first count bytes. */
void bytes_consume(struct bytes *bytes, size_t count);
void bytes_clear(struct bytes *bytes);
void bytes_release(struct bytes *bytes);

/* Returns data with a terminating NUL after it (not part of size). */
const char *bytes_text(struct bytes *bytes);

#endif
