#ifndef SPINDLE_PROTOCOL_NUMBER_H
#define SPINDLE_PROTOCOL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers as text, exactly as Redis reads and prints them. Locale-independent as long as LC_NUMERIC stays
 * "C". */

enum {
    NUMBER_INTEGER_TEXT_MAX = 21, /* with the terminating zero */
    /* Fixed notation of the largest long double plus 17 decimals. */
    NUMBER_LONG_DOUBLE_TEXT_MAX = 5 * 1024,
    NUMBER_DOUBLE_TEXT_MAX = 40,
};

/* Reads a canonical integer: no spaces, no plus, no leading zeros, no "-0". Returns false for anything else
 * or when it does not fit. */
bool number_parse_int64(const char *text, size_t length, int64_t *value);
/* As above, for 0 to 2^64-1. */
bool number_parse_uint64(const char *text, size_t length, uint64_t *value);

/* Writes an integer and a terminating zero; returns the length. Text has room for NUMBER_INTEGER_TEXT_MAX. */
size_t number_format_int64(char *text, int64_t value);
size_t number_format_uint64(char *text, uint64_t value);

/* Reads what strtod(3) or strtold(3) reads, all of it: no leading space, no empty text, not NaN, not out of
 * range (what would round to zero or to infinity). Infinities are allowed. A long double's text is shorter
 * than NUMBER_LONG_DOUBLE_TEXT_MAX. */
bool number_parse_double(const char *text, size_t length, double *value);
bool number_parse_long_double(const char *text, size_t length, long double *value);

/* Writes a double with up to 17 significant digits, exactly as printf's "%.17g": integers have no exponent
 * below 10^17; "inf", "-inf", "nan", "-nan". Returns the length. Text has room for NUMBER_DOUBLE_TEXT_MAX. */
size_t number_format_double(char *text, double value);

/* Writes a long double with up to 17 decimals, trailing zeros removed, never an exponent: INCRBYFLOAT's form.
 * Zero has no sign.  * Returns the length. Text has room for NUMBER_LONG_DOUBLE_TEXT_MAX. */
size_t number_format_long_double(char *text, long double value);

#endif
