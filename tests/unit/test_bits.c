/* Bit arrays against a reference that looks at one bit at a time. */
#include "store/bits.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 96 };

static uint64_t random_state = 1;

static uint64_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

static bool reference_bit(const char *bytes, uint64_t position)
{
    return (unsigned char)bytes[position / 8] >> (7 - position % 8) & 1;
}

/* Bytes that are random, or nearly all zeros or ones, at any alignment; the block ends where they end, so
 * that a sanitizer sees every byte read beyond. */
static char *random_bytes(size_t length, char **block)
{
    size_t shift = random_next() % 8;
    *block = malloc(shift + length);
    char *bytes = *block + shift;
    unsigned kind = random_next() % 3;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(kind == 0 ? random_next() : kind == 1 ? 0 : 0xff);
    if (kind && random_next() % 2)
        bytes[random_next() % length] ^= (char)(1u << random_next() % 8);
    return bytes;
}

Test(bits, counts_every_range)
{
    for (int round = 0; round < 3000; round++) {
        size_t length = 1 + random_next() % BYTES_MAX;
        char *block, *bytes = random_bytes(length, &block);
        uint64_t first = random_next() % (length * 8);
        uint64_t last = first + random_next() % (length * 8 - first);
        uint64_t expected = 0;
        for (uint64_t at = first; at <= last; at++)
            expected += reference_bit(bytes, at);
        cr_assert_eq(bits_count(bytes, first, last), expected, "%ju to %ju", (uintmax_t)first,
                     (uintmax_t)last);
        free(block);
    }
}

Test(bits, finds_the_first)
{
    for (int round = 0; round < 6000; round++) {
        size_t length = 1 + random_next() % BYTES_MAX;
        char *block, *bytes = random_bytes(length, &block);
        uint64_t first = random_next() % (length * 8);
        uint64_t last = first + random_next() % (length * 8 - first);
        bool bit = random_next() % 2;
        int64_t expected = -1;
        for (uint64_t at = first; at <= last && expected < 0; at++)
            expected = reference_bit(bytes, at) == bit ? (int64_t)at : -1;
        cr_assert_eq(bits_find(bytes, first, last, bit), expected, "%d from %ju to %ju", bit,
                     (uintmax_t)first, (uintmax_t)last);
        free(block);
    }
}

static uint8_t reference_combine(enum bits_operator op, uint8_t a, uint8_t b)
{
    return op == BITS_AND ? a & b : op == BITS_OR ? a | b : a ^ b;
}

static uint8_t byte_or_zero(struct slice source, size_t at)
{
    return at < source.length ? (uint8_t)source.data[at] : 0;
}

static void check_combination(enum bits_operator op, const struct slice *sources, size_t count, size_t length)
{
    char *result = malloc(length);
    bits_combine(op, sources, count, result, length);
    for (size_t at = 0; at < length; at++) {
        uint8_t expected = byte_or_zero(sources[0], at);
        for (size_t i = 1; i < count; i++)
            expected = reference_combine(op, expected, byte_or_zero(sources[i], at));
        if (op == BITS_NOT)
            expected = (uint8_t)~expected;
        cr_assert_eq((uint8_t)result[at], expected, "operator %d, byte %zu of %zu", op, at, length);
    }
    free(result);
}

Test(bits, combines_sources_of_any_length)
{
    /* the long ones exceed the pieces that bits_combine works in */
    static const size_t lengths[] = {0, 1, 7, 8, 9, 63, 64, 65, 8191, 8192, 8193, 20000};
    for (int round = 0; round < 400; round++) {
        char *blocks[4];
        struct slice sources[4];
        size_t count = 1 + random_next() % 4, longest = 0;
        for (size_t i = 0; i < count; i++) {
            size_t length = lengths[random_next() % (sizeof(lengths) / sizeof(lengths[0]))];
            sources[i] = (struct slice){random_bytes(length + 1, &blocks[i]), length};
            longest = length > longest ? length : longest;
        }
        check_combination((enum bits_operator)(count == 1 ? random_next() % 4 : random_next() % 3), sources,
                          count, longest);
        for (size_t i = 0; i < count; i++)
            free(blocks[i]);
    }
}

Test(bits, reads_and_writes_fields)
{
    for (int round = 0; round < 20000; round++) {
        size_t length = 1 + random_next() % 24;
        char *block, *bytes = random_bytes(length, &block);
        unsigned width = 1 + random_next() % BITS_FIELD_MAX;
        uint64_t offset = random_next() % (length * 8 + 16), expected = 0;
        for (unsigned i = 0; i < width; i++)
            expected = expected << 1 | (offset + i < length * 8 && reference_bit(bytes, offset + i));
        struct slice string = {bytes, length};
        cr_assert_eq(bits_read_field(string, offset, width), expected);

        if (offset + width <= length * 8) {
            char before[32];
            memcpy(before, bytes, length);
            uint64_t value = random_next() << 33 ^ random_next() << 11 ^ random_next();
            bits_write_field(bytes, offset, width, value);
            cr_assert_eq(bits_read_field(string, offset, width), value & UINT64_MAX >> (64 - width));
            for (uint64_t at = 0; at < length * 8; at++) {
                if (at < offset || at >= offset + width)
                    cr_assert_eq(reference_bit(bytes, at), reference_bit(before, at), "bit %ju stays",
                                 (uintmax_t)at);
            }
        }
        free(block);
    }
}
