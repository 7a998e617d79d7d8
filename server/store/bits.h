#ifndef SPINDLE_STORE_BITS_H
#define SPINDLE_STORE_BITS_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Strings as arrays of bits: bit 0 is the highest of the first byte. Pure functions on bytes at any
 * alignment; any thread.
 */

/* Counts the bits that are set from first to last, both inclusive, both within the bytes. */
uint64_t bits_count(const char *bytes, uint64_t first, uint64_t last);

/* Returns the position of the first bit equal to bit from first to last, both inclusive, both within the
 * bytes; -1 when there is none. */
int64_t bits_find(const char *bytes, uint64_t first, uint64_t last, bool bit);

enum bits_operator { BITS_AND, BITS_OR, BITS_XOR, BITS_NOT };

/* Writes the combination of count >= 1 sources (exactly one for BITS_NOT) to result, which has length bytes;
 * shorter sources continue with zeros. Result overlaps no source. */
void bits_combine(enum bits_operator op, const struct slice *sources, size_t count, char *result,
                  size_t length);

enum { BITS_FIELD_MAX = 64 };

/* Reads a field of 1 to BITS_FIELD_MAX bits that starts at offset, as an unsigned number; bits after the end
 * of the bytes are zero. */
uint64_t bits_read_field(struct slice bytes, uint64_t offset, unsigned width);
/* Writes the low width bits of value. The field lies within the bytes. */
void bits_write_field(char *bytes, uint64_t offset, unsigned width, uint64_t value);

#endif
