#ifndef SPINDLE_STORE_LISTPACK_H
#define SPINDLE_STORE_LISTPACK_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Small collections as one run of bytes, in the layout that dumps use (type 16 to 18 of the RDB format), so
 * that snapshots copy them whole.
 *
 *   u32 total bytes, u16 count (65535: more than fit, count them), entries, 0xff; little-endian
 *   entry: encoding and data, then the length of those two as a number that is read backwards
 *     0xxxxxxx                     integer 0 to 127
 *     10xxxxxx                     string of up to 63 bytes
 *     110xxxxx x                   integer of 13 bits
 *     1110xxxx x                   string of up to 4095 bytes
 *     f0 u32                       longer string
 *     f1, f2, f3, f4               integer of 16, 24, 32, 64 bits
 *
 * Text that is an integer in canonical form is stored as one. Functions that walk trust the bytes: whatever
 * comes from outside goes through listpack_validate first. Nothing here allocates: whoever owns the bytes
 * makes a gap of listpack_element_bytes, puts the element there and corrects the header. Any thread.
 */

enum {
    LISTPACK_HEADER_BYTES = 6,
    LISTPACK_EMPTY_BYTES = 7, /* header and end */
    LISTPACK_COUNT_UNKNOWN = 65535,
    LISTPACK_END = 0xff,
    /* Larger ones are turned into something else before they grow to this. */
    LISTPACK_MAX_BYTES = 1 << 30,
    LISTPACK_INTEGER_TEXT_BYTES = 24,
};

/* A string (data is not NULL) or an integer. */
struct listpack_element {
    const char *data;
    size_t length;
    int64_t integer;
};

/* ---- making ---- */

/* How a text is stored: as an integer when it is one. */
struct listpack_element listpack_element_from(struct slice text);

static inline struct listpack_element listpack_element_from_integer(int64_t integer)
{
    return (struct listpack_element){.integer = integer};
}

/* Bytes that an element takes in a listpack. */
size_t listpack_element_bytes(struct listpack_element element);

/* Writes an element, listpack_element_bytes long; returns what is behind it. */
char *listpack_put(char *at, struct listpack_element element);

/* Writes an empty listpack. */
void listpack_init(char *listpack);

/* Writes the header of a listpack that was put together. */
void listpack_init_header(char *listpack, size_t total_bytes, size_t count);

/* Corrects the header after total_bytes changed and so many elements were added (or removed). */
void listpack_adjust(char *listpack, size_t total_bytes, int64_t added);

/* ---- walking ---- */

static inline uint32_t listpack_total_bytes(const char *listpack)
{
    uint32_t bytes;
    __builtin_memcpy(&bytes, listpack, sizeof(bytes));
    return bytes;
}

static inline bool listpack_is_end(const char *at)
{
    return (uint8_t)*at == LISTPACK_END;
}

/* Position of the first element, or of the end. */
static inline const char *listpack_begin(const char *listpack)
{
    return listpack + LISTPACK_HEADER_BYTES;
}

/* Position of the end mark. */
static inline const char *listpack_end(const char *listpack)
{
    return listpack + listpack_total_bytes(listpack) - 1;
}

size_t listpack_count_slow(const char *listpack);

static inline size_t listpack_count(const char *listpack)
{
    uint16_t count;
    __builtin_memcpy(&count, listpack + 4, sizeof(count));
    return count != LISTPACK_COUNT_UNKNOWN ? count : listpack_count_slow(listpack);
}

/* Bytes of encoding and data of an entry, without the length at its end. */
static inline size_t listpack_body_bytes(const char *at)
{
    const uint8_t *byte = (const uint8_t *)at;
    if (byte[0] < 0x80)
        return 1;
    if (byte[0] < 0xc0)
        return 1 + (size_t)(byte[0] & 0x3f);
    if (byte[0] < 0xe0)
        return 2;
    if (byte[0] < 0xf0)
        return 2 + ((size_t)(byte[0] & 0x0f) << 8 | byte[1]);
    if (byte[0] == 0xf0) {
        uint32_t length;
        __builtin_memcpy(&length, at + 1, sizeof(length));
        return 5 + (size_t)length;
    }
    return byte[0] == 0xf4 ? 9 : (size_t)byte[0] - 0xee; /* f1: 3, f2: 4, f3: 5 */
}

/* Bytes of the length behind a body. */
static inline size_t listpack_tail_bytes(size_t body_bytes)
{
    if (body_bytes <= 127)
        return 1;
    if (body_bytes < 16383)
        return 2;
    if (body_bytes < 2097151)
        return 3;
    return body_bytes < 268435455 ? 4 : 5;
}

/* Position behind an element; it may be the end. */
static inline const char *listpack_next(const char *at)
{
    size_t body = listpack_body_bytes(at);
    return at + body + listpack_tail_bytes(body);
}

/* Position of the element in front of a position that is not the first. */
const char *listpack_previous(const char *at);

/* Position of an element counted from the front (0, 1, ...) or from the back (-1, -2, ...); NULL when there
 * is none. */
const char *listpack_seek(const char *listpack, int64_t index);

/* The element at a position that is not the end. The data points into the listpack. */
struct listpack_element listpack_get(const char *at);

/* An element as text; integers are written to scratch (LISTPACK_INTEGER_TEXT_BYTES). */
struct slice listpack_text(struct listpack_element element, char *scratch);

/* Does the element at a position equal one that listpack_element_from made? */
bool listpack_is_equal(const char *at, const struct listpack_element *element);

/* Looks from a position on at every (skip + 1)-th element. Returns where the equal one is, or NULL. */
const char *listpack_find(const char *from, const struct listpack_element *element, unsigned skip);

/* ---- bytes from outside ---- */

/* Says whether these bytes are a listpack in every respect; then *count is its number of elements. */
bool listpack_validate(const char *bytes, size_t length, size_t *count);

#endif
