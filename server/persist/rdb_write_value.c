/* Writing keys and values: lengths, strings, and one case for each type. See rdb_write.h. */
#include "rdb_write.h"

#include "base/check.h"
#include "persist/rdb_format.h"
#include "protocol/number.h"

#include <liblzf/lzf.h>
#include <limits.h>
#include <string.h>

enum {
    /* Strings up to these lengths are looked at before LZF is tried, with a table of so many bits. */
    REPEAT_SHORT_BYTES = 64,
    REPEAT_SHORT_BITS = 10,
    REPEAT_LONG_BYTES = 256,
    REPEAT_LONG_BITS = 13,
};

void rdb_writer_init(struct rdb_writer *writer, struct sink *sink, bool compression)
{
    *writer = (struct rdb_writer){.sink = sink, .compression = compression};
}

void rdb_writer_free(struct rdb_writer *writer)
{
    buffer_free(&writer->scratch);
}

/* ---- lengths ---- */

static size_t put_big_endian(char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(value >> (8 * (bytes - 1 - i)));
    return bytes;
}

static size_t put_length(char *at, uint64_t length)
{
    if (length < 1 << 6) {
        at[0] = (char)length;
        return 1;
    }
    if (length < 1 << 14)
        return put_big_endian(at, (uint64_t)RDB_LENGTH_14BIT << 8 | length, 2);
    if (length <= UINT32_MAX) {
        at[0] = (char)RDB_LENGTH_32BIT;
        return 1 + put_big_endian(at + 1, length, 4);
    }
    at[0] = (char)RDB_LENGTH_64BIT;
    return 1 + put_big_endian(at + 1, length, 8);
}

void rdb_write_length(struct sink *sink, uint64_t length)
{
    char *at = sink_reserve(sink, RDB_LENGTH_MAX_BYTES);
    sink_advance(sink, put_length(at, length));
}

/* ---- strings ---- */

static void write_raw(struct sink *sink, struct slice string)
{
    rdb_write_length(sink, string.length);
    sink_write(sink, string.data, string.length);
}

static size_t put_small_integer(char *at, int form, int32_t value, size_t bytes)
{
    at[0] = (char)(RDB_LENGTH_SPECIAL | form);
    for (size_t i = 0; i < bytes; i++)
        at[1 + i] = (char)((uint32_t)value >> (8 * i));
    return 1 + bytes;
}

/* Returns false when the integer takes more than four bytes. */
static bool write_small_integer(struct sink *sink, int64_t value)
{
    char *at = sink_reserve(sink, 5);
    if (value >= INT8_MIN && value <= INT8_MAX)
        sink_advance(sink, put_small_integer(at, RDB_STRING_INT8, (int32_t)value, 1));
    else if (value >= INT16_MIN && value <= INT16_MAX)
        sink_advance(sink, put_small_integer(at, RDB_STRING_INT16, (int32_t)value, 2));
    else if (value >= INT32_MIN && value <= INT32_MAX)
        sink_advance(sink, put_small_integer(at, RDB_STRING_INT32, (int32_t)value, 4));
    else
        return false;
    return true;
}

/* Hash of three bytes, in the upper bits; reads four. */
static inline uint32_t hash_three(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word <<= 8;
#else
    word &= 0xffffff00;
#endif
    return word * 0x9e3779b1u;
}

/*
 * Can LZF shrink this string by RDB_LZF_GAIN_MIN bytes? A match of n bytes takes at least 2, so saves n - 2,
 * and n - 2 positions in it begin with three bytes that were seen before; one more byte is lost to the first
 * literals. So with fewer than RDB_LZF_GAIN_MIN + 1 such positions the answer is no. Hash collisions only
 * make it say yes too often. Costs a fifth of trying.
 */
static inline __attribute__((always_inline)) bool may_shrink(const char *bytes, size_t length, uint8_t *seen,
                                                             int table_bits)
{
    unsigned repeats = 0;
    memset(seen, 0, (size_t)1 << table_bits);
    for (size_t i = 0; i + 3 < length; i++) {
        uint32_t slot = hash_three(bytes + i) >> (32 - table_bits);
        repeats += seen[slot];
        seen[slot] = 1;
        if (i % 8 == 7 && repeats > RDB_LZF_GAIN_MIN)
            return true;
    }
    /* The last three bytes were not looked at: there are no four from them on. */
    return repeats + 1 > RDB_LZF_GAIN_MIN;
}

static bool is_worth_compressing(struct slice string)
{
    uint8_t seen[1 << REPEAT_LONG_BITS];
    if (string.length <= REPEAT_SHORT_BYTES)
        return may_shrink(string.data, string.length, seen, REPEAT_SHORT_BITS);
    if (string.length <= REPEAT_LONG_BYTES)
        return may_shrink(string.data, string.length, seen, REPEAT_LONG_BITS);
    return string.length <= INT_MAX;
}

/* Returns false when the string does not shrink enough. */
static bool write_compressed(struct rdb_writer *writer, struct slice string)
{
    if (!is_worth_compressing(string))
        return false;
    size_t room = string.length - RDB_LZF_GAIN_MIN;
    char *compressed = buffer_reserve(&writer->scratch, room);
    unsigned length = lzf_compress(string.data, (unsigned)string.length, compressed, (unsigned)room);
    if (length == 0)
        return false;
    sink_write_byte(writer->sink, RDB_LENGTH_SPECIAL | RDB_STRING_LZF);
    rdb_write_length(writer->sink, length);
    rdb_write_length(writer->sink, string.length);
    sink_write(writer->sink, compressed, length);
    return true;
}

void rdb_write_string(struct rdb_writer *writer, struct slice string)
{
    int64_t integer;
    if (string.length <= RDB_INTEGER_TEXT_MAX && number_parse_int64(string.data, string.length, &integer) &&
        write_small_integer(writer->sink, integer))
        return;
    if (string.length > RDB_LZF_LENGTH_MIN && writer->compression && write_compressed(writer, string))
        return;
    write_raw(writer->sink, string);
}

void rdb_write_integer(struct rdb_writer *writer, int64_t value)
{
    if (write_small_integer(writer->sink, value))
        return;
    char text[NUMBER_INTEGER_TEXT_MAX];
    write_raw(writer->sink, (struct slice){text, number_format_int64(text, value)});
}

/* ---- values ---- */

uint8_t rdb_value_type(const struct entry *entry)
{
    switch (entry->type) {
    case VALUE_STRING:
        return RDB_TYPE_STRING;
    case VALUE_SET:
        return rdb_set_type(entry);
    case VALUE_HASH:
        return rdb_hash_type(entry);
    case VALUE_LIST:
        return RDB_TYPE_LIST_QUICKLIST_2;
    case VALUE_ZSET:
        return rdb_zset_type(entry);
    case VALUE_STREAM:
        return rdb_stream_type(entry);
    default:
        CHECK(!"known type");
    }
    return 0;
}

int rdb_value_version(const struct entry *entry)
{
    return rdb_value_type(entry) == RDB_TYPE_STREAM_3 ? RDB_VERSION_STREAM_3 : RDB_VERSION;
}

static void write_string(struct rdb_writer *writer, const struct entry *entry)
{
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    if (entry->encoding == ENCODING_INT)
        rdb_write_integer(writer, entry_integer(entry));
    else
        rdb_write_string(writer, entry_string(entry, scratch));
}

void rdb_write_value(struct rdb_writer *writer, const struct entry *entry)
{
    switch (entry->type) {
    case VALUE_STRING:
        write_string(writer, entry);
        break;
    case VALUE_SET:
        rdb_write_set(writer, entry);
        break;
    case VALUE_HASH:
        rdb_write_hash(writer, entry);
        break;
    case VALUE_LIST:
        rdb_write_list(writer, entry);
        break;
    case VALUE_ZSET:
        rdb_write_zset(writer, entry);
        break;
    case VALUE_STREAM:
        rdb_write_stream(writer, entry);
        break;
    default:
        CHECK(!"known type");
    }
}
