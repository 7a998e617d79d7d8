/* Bit arrays. See bits.h. Pure functions; any thread. */
#include "bits.h"

#include "base/check.h"

#include <string.h>

enum {
    WORD_BYTES = sizeof(uint64_t),
    /* Sources are combined in pieces that stay in the first-level cache. */
    COMBINE_PIECE_BYTES = 8 * 1024,
    /* A field of 64 bits that does not start at a byte touches this many. */
    FIELD_WINDOW_BYTES = BITS_FIELD_MAX / 8 + 1,
};

static uint64_t word_load(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static void word_store(void *at, uint64_t word)
{
    memcpy(at, &word, sizeof(word));
}

/* ---- counting ---- */

/* The loop is compiled twice: the instruction that counts bits is not in every x86-64 processor. */
static inline __attribute__((always_inline)) uint64_t words_count(const uint8_t *bytes, size_t words)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (; words >= 4; words -= 4, bytes += 4 * WORD_BYTES) {
        a += (uint64_t)__builtin_popcountll(word_load(bytes));
        b += (uint64_t)__builtin_popcountll(word_load(bytes + WORD_BYTES));
        c += (uint64_t)__builtin_popcountll(word_load(bytes + 2 * WORD_BYTES));
        d += (uint64_t)__builtin_popcountll(word_load(bytes + 3 * WORD_BYTES));
    }
    for (; words > 0; words--, bytes += WORD_BYTES)
        a += (uint64_t)__builtin_popcountll(word_load(bytes));
    return a + b + c + d;
}

#if defined(__x86_64__)
static __attribute__((target("popcnt"))) uint64_t words_count_fast(const uint8_t *bytes, size_t words)
{
    return words_count(bytes, words);
}
#endif

static uint64_t bytes_count(const uint8_t *bytes, size_t length)
{
    size_t words = length / WORD_BYTES;
    uint64_t tail = 0;
    memcpy(&tail, bytes + words * WORD_BYTES, length % WORD_BYTES);
    uint64_t count = (uint64_t)__builtin_popcountll(tail);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("popcnt"))
        return count + words_count_fast(bytes, words);
#endif
    return count + words_count(bytes, words);
}

uint64_t bits_count(const char *data, uint64_t first, uint64_t last)
{
    DCHECK(first <= last);
    const uint8_t *bytes = (const uint8_t *)data;
    size_t head = first / 8, tail = last / 8;
    unsigned before = bytes[head] & ~(0xffu >> first % 8) & 0xff;
    unsigned after = bytes[tail] & (0x7fu >> last % 8);
    return bytes_count(bytes + head, tail - head + 1) - (uint64_t)__builtin_popcount(before) -
           (uint64_t)__builtin_popcount(after);
}

/* ---- finding ---- */

/* Returns the first position from at to end (exclusive) whose byte is not filler, or end. */
static size_t bytes_skip(const uint8_t *bytes, size_t at, size_t end, uint8_t filler)
{
    uint64_t word = filler * UINT64_C(0x0101010101010101);
    for (; end - at >= 4 * WORD_BYTES; at += 4 * WORD_BYTES) {
        uint64_t differing = (word_load(bytes + at) ^ word) | (word_load(bytes + at + WORD_BYTES) ^ word) |
                             (word_load(bytes + at + 2 * WORD_BYTES) ^ word) |
                             (word_load(bytes + at + 3 * WORD_BYTES) ^ word);
        if (differing)
            break;
    }
    for (; end - at >= WORD_BYTES && word_load(bytes + at) == word; at += WORD_BYTES)
        ;
    while (at < end && bytes[at] == filler)
        at++;
    return at;
}

int64_t bits_find(const char *data, uint64_t first, uint64_t last, bool bit)
{
    DCHECK(first <= last);
    const uint8_t *bytes = (const uint8_t *)data;
    uint8_t filler = bit ? 0 : 0xff;
    size_t at = first / 8, end = last / 8 + 1;
    unsigned wanted = (bytes[at] ^ filler) & (0xffu >> first % 8);
    if (wanted == 0) {
        at = bytes_skip(bytes, at + 1, end, filler);
        if (at == end)
            return -1;
        wanted = (unsigned)(bytes[at] ^ filler);
    }
    uint64_t position = at * 8 + (uint64_t)__builtin_clz(wanted << 24);
    return position <= last ? (int64_t)position : -1;
}

/* ---- combining ---- */

static void bytes_and(char *restrict result, const char *restrict source, size_t length)
{
    size_t i = 0;
    for (; i + WORD_BYTES <= length; i += WORD_BYTES)
        word_store(result + i, word_load(result + i) & word_load(source + i));
    for (; i < length; i++)
        result[i] &= source[i];
}

static void bytes_or(char *restrict result, const char *restrict source, size_t length)
{
    size_t i = 0;
    for (; i + WORD_BYTES <= length; i += WORD_BYTES)
        word_store(result + i, word_load(result + i) | word_load(source + i));
    for (; i < length; i++)
        result[i] |= source[i];
}

static void bytes_xor(char *restrict result, const char *restrict source, size_t length)
{
    size_t i = 0;
    for (; i + WORD_BYTES <= length; i += WORD_BYTES)
        word_store(result + i, word_load(result + i) ^ word_load(source + i));
    for (; i < length; i++)
        result[i] ^= source[i];
}

static void bytes_not(char *result, size_t length)
{
    size_t i = 0;
    for (; i + WORD_BYTES <= length; i += WORD_BYTES)
        word_store(result + i, ~word_load(result + i));
    for (; i < length; i++)
        result[i] = ~result[i];
}

/* How much of a source lies within length bytes from start on. */
static size_t source_overlap(struct slice source, size_t start, size_t length)
{
    size_t left = source.length > start ? source.length - start : 0;
    return left < length ? left : length;
}

static void combine_source(enum bits_operator op, struct slice source, size_t start, char *piece,
                           size_t length)
{
    size_t overlap = source_overlap(source, start, length);
    if (op == BITS_AND) {
        if (overlap > 0)
            bytes_and(piece, source.data + start, overlap);
        memset(piece + overlap, 0, length - overlap);
    } else if (overlap > 0 && op == BITS_OR) {
        bytes_or(piece, source.data + start, overlap);
    } else if (overlap > 0 && op == BITS_XOR) {
        bytes_xor(piece, source.data + start, overlap);
    }
}

void bits_combine(enum bits_operator op, const struct slice *sources, size_t count, char *result,
                  size_t length)
{
    DCHECK(count == 1 || (count > 1 && op != BITS_NOT));
    for (size_t start = 0; start < length; start += COMBINE_PIECE_BYTES) {
        size_t left = length - start;
        size_t piece_length = left < COMBINE_PIECE_BYTES ? left : COMBINE_PIECE_BYTES;
        char *piece = result + start;
        size_t overlap = source_overlap(sources[0], start, piece_length);
        if (overlap > 0)
            memcpy(piece, sources[0].data + start, overlap);
        memset(piece + overlap, 0, piece_length - overlap);
        for (size_t i = 1; i < count; i++)
            combine_source(op, sources[i], start, piece, piece_length);
        if (op == BITS_NOT)
            bytes_not(piece, piece_length);
    }
}

/* ---- fields ---- */

/* The bytes from a position on as one big-endian number of FIELD_WINDOW_BYTES bytes. */
static unsigned __int128 window_load(const char *bytes, size_t available)
{
    uint8_t window[FIELD_WINDOW_BYTES] = {0};
    memcpy(window, bytes, available < FIELD_WINDOW_BYTES ? available : FIELD_WINDOW_BYTES);
    unsigned __int128 number = 0;
    for (size_t i = 0; i < FIELD_WINDOW_BYTES; i++)
        number = number << 8 | window[i];
    return number;
}

static unsigned window_shift(uint64_t offset, unsigned width)
{
    return (unsigned)(FIELD_WINDOW_BYTES * 8 - offset % 8 - width);
}

static uint64_t field_mask(unsigned width)
{
    return UINT64_MAX >> (BITS_FIELD_MAX - width);
}

uint64_t bits_read_field(struct slice bytes, uint64_t offset, unsigned width)
{
    DCHECK(width >= 1 && width <= BITS_FIELD_MAX);
    size_t start = offset / 8;
    if (start >= bytes.length)
        return 0;
    unsigned __int128 number = window_load(bytes.data + start, bytes.length - start);
    return (uint64_t)(number >> window_shift(offset, width)) & field_mask(width);
}

void bits_write_field(char *bytes, uint64_t offset, unsigned width, uint64_t value)
{
    DCHECK(width >= 1 && width <= BITS_FIELD_MAX);
    char *start = bytes + offset / 8;
    size_t touched = (offset % 8 + width + 7) / 8;
    unsigned shift = window_shift(offset, width);
    unsigned __int128 mask = (unsigned __int128)field_mask(width) << shift;
    unsigned __int128 number = window_load(start, touched);
    number = (number & ~mask) | ((unsigned __int128)value << shift & mask);
    for (size_t i = 0; i < touched; i++)
        start[i] = (char)(number >> (FIELD_WINDOW_BYTES - 1 - i) * 8);
}
