#ifndef SPINDLE_COMMANDS_STRING_RANGE_H
#define SPINDLE_COMMANDS_STRING_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Ranges of bytes or bits in strings, as GETRANGE, BITCOUNT and BITPOS read them. Pure functions.
 *
 * Negative positions count from the end. One that would lie before the first item means the first item, for
 * the end of the range too: of "abc", -9 to -5 is "a".
 */

/* Turns positions as given into positions within length items, both inclusive. Returns false when no item is
 * left. */
static inline bool string_range_resolve(int64_t *start, int64_t *end, int64_t length)
{
    if (*start < 0)
        *start = *start + length < 0 ? 0 : *start + length;
    if (*end < 0)
        *end = *end + length < 0 ? 0 : *end + length;
    if (*end >= length)
        *end = length - 1;
    return *start <= *end;
}

/* Whether a range counted from the end runs backwards: GETRANGE and BITCOUNT find nothing in it even where
 * both positions lie before the first item. */
static inline bool string_range_is_backwards(int64_t start, int64_t end)
{
    return start < 0 && end < 0 && start > end;
}

#endif
