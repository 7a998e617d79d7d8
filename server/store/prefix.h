#ifndef SPINDLE_STORE_PREFIX_H
#define SPINDLE_STORE_PREFIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Lengths in front of the bytes of members: one byte below 255, else 255 and eight more. Any thread. */

static inline size_t prefix_bytes(size_t length)
{
    return length < 255 ? 1 : 9;
}

/* Writes a length; returns what is behind it. */
static inline char *prefix_put(char *at, size_t length)
{
    if (length < 255) {
        *at = (char)length;
        return at + 1;
    }
    uint64_t wide = length;
    *at = (char)255;
    memcpy(at + 1, &wide, sizeof(wide));
    return at + 9;
}

/* Reads a length; returns what is behind it. */
static inline const char *prefix_get(const char *at, size_t *length)
{
    *length = (uint8_t)*at;
    if (*length < 255)
        return at + 1;
    uint64_t wide;
    memcpy(&wide, at + 1, sizeof(wide));
    *length = wide;
    return at + 9;
}

#endif
