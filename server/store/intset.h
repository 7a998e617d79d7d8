#ifndef SPINDLE_STORE_INTSET_H
#define SPINDLE_STORE_INTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Small sets of integers, in the layout that dumps use (type 11 of the RDB format): u32 width (2, 4 or 8
 * bytes), u32 count, then the integers, ascending and distinct; little-endian. All are as wide as the widest
 * ever needed.
 *
 * Nothing here allocates: whoever owns the bytes makes room and then inserts. Bytes from outside go through
 * intset_validate first. Any thread.
 */

enum { INTSET_HEADER_BYTES = 8 };

static inline uint32_t intset_width(const char *intset)
{
    uint32_t width;
    __builtin_memcpy(&width, intset, sizeof(width));
    return width;
}

static inline uint32_t intset_count(const char *intset)
{
    uint32_t count;
    __builtin_memcpy(&count, intset + 4, sizeof(count));
    return count;
}

static inline size_t intset_total_bytes(const char *intset)
{
    return INTSET_HEADER_BYTES + (size_t)intset_width(intset) * intset_count(intset);
}

/* Width that a value needs. */
uint32_t intset_width_of(int64_t value);

/* The value at index, which is below the count. */
int64_t intset_get(const char *intset, uint32_t index);

/* Says whether a value is there; *index is where it is or would be. */
bool intset_find(const char *intset, int64_t value, uint32_t *index);

/* Writes a set of one value: INTSET_HEADER_BYTES + intset_width_of(value) bytes. */
void intset_init(char *intset, int64_t value);

/* Bytes of the set after a value that is missing was inserted. */
size_t intset_bytes_with(const char *intset, int64_t value);

/* Inserts a value at the index that intset_find gave. The block has room for intset_bytes_with. */
void intset_insert(char *intset, int64_t value, uint32_t index);

/* Corrects the header after the bytes of values were taken out. */
static inline void intset_set_count(char *intset, uint32_t count)
{
    __builtin_memcpy(intset + 4, &count, sizeof(count));
}

/* Takes the value at index out; the set becomes one width shorter. */
void intset_remove(char *intset, uint32_t index);

/* Says whether these bytes are an intset in every respect. */
bool intset_validate(const char *bytes, size_t length);

#endif
