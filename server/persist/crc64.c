/*
 * CRC-64 "Jones" (see crc64.h) by tables, 16 bytes a step, and on x86-64 by carry-less multiplication, 64
 * bytes a step (V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel,
 * 2009).
 *
 * The tables are computed once per process, under pthread_once. Any thread.
 */
#include "crc64.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SLICES = 16, FOLD_BYTES = 64 };

#define POLYNOMIAL_REFLECTED 0x95ac9329ac4bc9b5u

static struct {
    uint64_t slice[SLICES][256];
    pthread_once_t once;
} crc64_tables = {.once = PTHREAD_ONCE_INIT};

/* slice[n][b]: the checksum of byte b followed by n zero bytes. */
static void crc64_fill_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL_REFLECTED : crc >> 1;
        crc64_tables.slice[0][byte] = crc;
    }
    for (int n = 1; n < SLICES; n++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t shorter = crc64_tables.slice[n - 1][byte];
            crc64_tables.slice[n][byte] = crc64_tables.slice[0][shorter & 0xff] ^ (shorter >> 8);
        }
    }
}

static uint64_t load_little_endian(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint64_t crc64_update_portable(uint64_t crc, const void *data, size_t length)
{
    pthread_once(&crc64_tables.once, crc64_fill_tables);
    const uint8_t *at = data;
    for (; length >= SLICES; at += SLICES, length -= SLICES) {
        uint64_t low = load_little_endian(at) ^ crc, high = load_little_endian(at + 8);
        crc = 0;
        for (int i = 0; i < 8; i++) {
            crc ^= crc64_tables.slice[15 - i][(low >> (8 * i)) & 0xff];
            crc ^= crc64_tables.slice[7 - i][(high >> (8 * i)) & 0xff];
        }
    }
    for (; length > 0; at++, length--)
        crc = crc64_tables.slice[0][(crc ^ *at) & 0xff] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__)

/*
 * A 16-byte block holds, reflected, a polynomial of degree 127: the first 8 bytes are its upper half. Moving
 * it n bits forward multiplies the halves by x^(n+64) and x^n; the carry-less product of two reflected
 * numbers has one factor x too many, so the constants are x^(n+63) and x^(n-1) modulo the polynomial,
 * reflected.
 */
#define FOLD_512_UPPER 0xaf86efb16d9ab4fb
#define FOLD_512_LOWER 0xf49784a634f014e4
#define FOLD_128_UPPER 0xd9d7be7d505da32c
#define FOLD_128_LOWER 0x381d0015c96f4444

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i block, __m128i factors,
                                                                    __m128i next)
{
    __m128i upper = _mm_clmulepi64_si128(block, factors, 0x00);
    __m128i lower = _mm_clmulepi64_si128(block, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(upper, lower), next);
}

/* Length is at least FOLD_BYTES. */
__attribute__((target("pclmul,sse4.1"))) static uint64_t crc64_update_folding(uint64_t crc, const uint8_t *at,
                                                                              size_t length)
{
    const __m128i by_512 = _mm_set_epi64x((int64_t)FOLD_512_LOWER, (int64_t)FOLD_512_UPPER);
    const __m128i by_128 = _mm_set_epi64x((int64_t)FOLD_128_LOWER, (int64_t)FOLD_128_UPPER);
    __m128i lane[4];
    for (int i = 0; i < 4; i++)
        lane[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
    lane[0] = _mm_xor_si128(lane[0], _mm_set_epi64x(0, (int64_t)crc));
    at += FOLD_BYTES;
    length -= FOLD_BYTES;
    for (; length >= FOLD_BYTES; at += FOLD_BYTES, length -= FOLD_BYTES)
        for (int i = 0; i < 4; i++)
            lane[i] = fold(lane[i], by_512, _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i)));
    __m128i block = fold(lane[0], by_128, lane[1]);
    block = fold(block, by_128, lane[2]);
    block = fold(block, by_128, lane[3]);
    /* What is left of everything so far are 16 bytes with the same checksum. */
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)(void *)rest, block);
    return crc64_update_portable(crc64_update_portable(0, rest, sizeof(rest)), at, length);
}

uint64_t crc64_update(uint64_t crc, const void *data, size_t length)
{
    if (length >= FOLD_BYTES && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        return crc64_update_folding(crc, data, length);
    return crc64_update_portable(crc, data, length);
}

#else

uint64_t crc64_update(uint64_t crc, const void *data, size_t length)
{
    return crc64_update_portable(crc, data, length);
}

#endif
