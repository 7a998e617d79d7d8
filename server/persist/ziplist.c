/* Reading ziplists. See ziplist.h. Any thread. */
#include "ziplist.h"

#include <string.h>

enum {
    HEADER_BYTES = 10,
    END = 0xff,
    LONG_PREVIOUS = 254,
    COUNT_UNKNOWN = 65535,
};

/* An entry taken apart. */
struct ziplist_entry {
    size_t previous_bytes; /* what it says of the entry before */
    size_t head_bytes;     /* that, and the encoding */
    size_t data_bytes;
    bool is_string;
    bool is_immediate; /* the integer is in the encoding */
};

static uint32_t get_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint16_t get_u16(const char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static bool parse_string(const uint8_t *at, size_t left, struct ziplist_entry *entry)
{
    size_t bytes = at[0] < 0x40 ? 1 : at[0] < 0x80 ? 2 : 5;
    if (bytes > left || (bytes == 5 && at[0] != 0x80))
        return false;
    entry->is_string = true;
    entry->head_bytes += bytes;
    if (bytes == 1)
        entry->data_bytes = at[0];
    else if (bytes == 2)
        entry->data_bytes = (size_t)(at[0] & 0x3f) << 8 | at[1];
    else
        entry->data_bytes = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
    return true;
}

static bool parse_integer(uint8_t first, struct ziplist_entry *entry)
{
    entry->head_bytes += 1;
    switch (first) {
    case 0xc0:
        entry->data_bytes = 2;
        return true;
    case 0xd0:
        entry->data_bytes = 4;
        return true;
    case 0xe0:
        entry->data_bytes = 8;
        return true;
    case 0xf0:
        entry->data_bytes = 3;
        return true;
    case 0xfe:
        entry->data_bytes = 1;
        return true;
    default:
        entry->is_immediate = true;
        return first >= 0xf1 && first <= 0xfd;
    }
}

/* Takes the entry at at apart, which has left bytes up to the end mark. */
static bool parse_entry(const char *at, size_t left, struct ziplist_entry *entry)
{
    const uint8_t *byte = (const uint8_t *)at;
    *entry = (struct ziplist_entry){.head_bytes = byte[0] == LONG_PREVIOUS ? 5 : 1};
    if (byte[0] == END || left <= entry->head_bytes)
        return false;
    entry->previous_bytes = byte[0] == LONG_PREVIOUS ? get_u32(at + 1) : byte[0];
    byte += entry->head_bytes;
    bool known =
        byte[0] < 0xc0 ? parse_string(byte, left - entry->head_bytes, entry) : parse_integer(byte[0], entry);
    return known && entry->data_bytes <= left - entry->head_bytes;
}

bool ziplist_validate(const char *bytes, size_t length, size_t *count)
{
    if (length < HEADER_BYTES + 1 || length > UINT32_MAX || get_u32(bytes) != length ||
        (uint8_t)bytes[length - 1] != END)
        return false;
    const char *end = bytes + length - 1, *last = bytes + HEADER_BYTES;
    size_t found = 0, previous_bytes = 0;
    for (const char *at = last; at < end; found++) {
        struct ziplist_entry entry;
        if (!parse_entry(at, (size_t)(end - at), &entry) || entry.previous_bytes != previous_bytes)
            return false;
        previous_bytes = entry.head_bytes + entry.data_bytes;
        last = at;
        at += previous_bytes;
    }
    *count = found;
    uint16_t claimed = get_u16(bytes + 8);
    return get_u32(bytes + 4) == (size_t)(last - bytes) && (claimed == COUNT_UNKNOWN || claimed == found);
}

const char *ziplist_begin(const char *ziplist)
{
    return ziplist + HEADER_BYTES;
}

bool ziplist_is_end(const char *at)
{
    return (uint8_t)*at == END;
}

const char *ziplist_next(const char *at)
{
    struct ziplist_entry entry;
    parse_entry(at, SIZE_MAX, &entry);
    return at + entry.head_bytes + entry.data_bytes;
}

struct listpack_element ziplist_get(const char *at)
{
    struct ziplist_entry entry;
    parse_entry(at, SIZE_MAX, &entry);
    const char *data = at + entry.head_bytes;
    if (entry.is_string)
        return listpack_element_from((struct slice){data, entry.data_bytes});
    if (entry.is_immediate)
        return listpack_element_from_integer((uint8_t)data[-1] - 0xf1);
    uint64_t integer = 0;
    memcpy(&integer, data, entry.data_bytes);
    unsigned unused_bits = (unsigned)(64 - 8 * entry.data_bytes);
    return listpack_element_from_integer((int64_t)(integer << unused_bits) >> unused_bits);
}
