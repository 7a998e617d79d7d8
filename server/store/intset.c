/* Sorted arrays of integers. See intset.h. Any thread. */
#include "intset.h"

#include "base/check.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the layout is copied from and to memory");

uint32_t intset_width_of(int64_t value)
{
    if (value >= INT16_MIN && value <= INT16_MAX)
        return 2;
    return value >= INT32_MIN && value <= INT32_MAX ? 4 : 8;
}

static int64_t get_wide(const char *intset, uint32_t width, uint32_t index)
{
    const char *at = intset + INTSET_HEADER_BYTES + (size_t)width * index;
    int16_t value16;
    int32_t value32;
    int64_t value64;
    switch (width) {
    case 2:
        memcpy(&value16, at, sizeof(value16));
        return value16;
    case 4:
        memcpy(&value32, at, sizeof(value32));
        return value32;
    default:
        memcpy(&value64, at, sizeof(value64));
        return value64;
    }
}

static void put_wide(char *intset, uint32_t width, uint32_t index, int64_t value)
{
    memcpy(intset + INTSET_HEADER_BYTES + (size_t)width * index, &value, width);
}

int64_t intset_get(const char *intset, uint32_t index)
{
    DCHECK(index < intset_count(intset));
    return get_wide(intset, intset_width(intset), index);
}

bool intset_find(const char *intset, int64_t value, uint32_t *index)
{
    uint32_t width = intset_width(intset);
    uint32_t low = 0, high = intset_count(intset);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t found = get_wide(intset, width, middle);
        if (found == value) {
            *index = middle;
            return true;
        }
        if (found < value)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return false;
}

static void write_header(char *intset, uint32_t width, uint32_t count)
{
    memcpy(intset, &width, sizeof(width));
    memcpy(intset + 4, &count, sizeof(count));
}

void intset_init(char *intset, int64_t value)
{
    uint32_t width = intset_width_of(value);
    write_header(intset, width, 1);
    put_wide(intset, width, 0, value);
}

static uint32_t width_with(const char *intset, int64_t value)
{
    uint32_t width = intset_width(intset), needed = intset_width_of(value);
    return needed > width ? needed : width;
}

size_t intset_bytes_with(const char *intset, int64_t value)
{
    return INTSET_HEADER_BYTES + (size_t)width_with(intset, value) * (intset_count(intset) + 1);
}

void intset_insert(char *intset, int64_t value, uint32_t index)
{
    uint32_t width = intset_width(intset), count = intset_count(intset);
    uint32_t new_width = width_with(intset, value);
    if (new_width == width) {
        char *at = intset + INTSET_HEADER_BYTES + (size_t)width * index;
        memmove(at + width, at, (size_t)width * (count - index));
    } else {
        /* From the back: what is written never covers what is still to be read. */
        for (uint32_t i = count; i-- > 0;)
            put_wide(intset, new_width, i + (i >= index), get_wide(intset, width, i));
    }
    put_wide(intset, new_width, index, value);
    write_header(intset, new_width, count + 1);
}

void intset_remove(char *intset, uint32_t index)
{
    uint32_t width = intset_width(intset), count = intset_count(intset);
    char *at = intset + INTSET_HEADER_BYTES + (size_t)width * index;
    memmove(at, at + width, (size_t)width * (count - index - 1));
    write_header(intset, width, count - 1);
}

bool intset_validate(const char *bytes, size_t length)
{
    if (length < INTSET_HEADER_BYTES)
        return false;
    uint32_t width = intset_width(bytes), count = intset_count(bytes);
    if ((width != 2 && width != 4 && width != 8) || count == 0 ||
        length != INTSET_HEADER_BYTES + (size_t)width * count)
        return false;
    for (uint32_t i = 1; i < count; i++) {
        if (get_wide(bytes, width, i - 1) >= get_wide(bytes, width, i))
            return false;
    }
    return true;
}
