/* The checksum of dumps: the known value, and every way of computing it agrees bit by bit with the
 * definition.
 */
#include "persist/crc64.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* The definition, a bit at a time. */
static uint64_t crc64_by_bits(uint64_t crc, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0x95ac9329ac4bc9b5u : crc >> 1;
    }
    return crc;
}

static void fill(uint8_t *data, size_t length)
{
    uint64_t state = 42;
    for (size_t i = 0; i < length; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        data[i] = (uint8_t)(state >> 56);
    }
}

Test(crc64, gives_the_published_check_value)
{
    cr_assert_eq(crc64_update(0, "123456789", 9), 0xe9c6d914c4b8d9ca);
    cr_assert_eq(crc64_update_portable(0, "123456789", 9), 0xe9c6d914c4b8d9ca);
    cr_assert_eq(crc64_update(0, "", 0), 0);
}

Test(crc64, agrees_with_the_definition_at_every_length_and_alignment)
{
    uint8_t data[700];
    fill(data, sizeof(data));
    for (size_t length = 0; length <= 600; length++) {
        size_t offset = length % 65;
        uint64_t start = length * 0x9e3779b97f4a7c15u;
        uint64_t expected = crc64_by_bits(start, data + offset, length);
        cr_assert_eq(crc64_update(start, data + offset, length), expected, "length %zu", length);
        cr_assert_eq(crc64_update_portable(start, data + offset, length), expected, "length %zu", length);
    }
}

Test(crc64, does_not_depend_on_the_pieces)
{
    enum { LENGTH = 100000 };
    uint8_t *data = malloc(LENGTH);
    fill(data, LENGTH);
    uint64_t whole = crc64_update(0, data, LENGTH), pieces = 0;
    for (size_t at = 0, piece = 1; at < LENGTH; at += piece, piece = piece * 7 % 1013 + 1) {
        if (piece > LENGTH - at)
            piece = LENGTH - at;
        pieces = crc64_update(pieces, data + at, piece);
    }
    cr_assert_eq(pieces, whole);
    cr_assert_eq(crc64_by_bits(0, data, LENGTH), whole);
    free(data);
}
