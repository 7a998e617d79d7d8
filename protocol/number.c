/*
 * Numbers as text. Integers are read and printed by hand, because every request carries some; floating point
 * goes through the C library, whose rounding is what clients of Redis see. Any thread.
 */
#include "protocol/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Integers of this many digits fit 64 bits whatever the digits. */
    DIGITS_ALWAYS_FIT = 18,
    /* Longest text that is copied to the stack to terminate it. */
    STACK_TEXT_BYTES = 256,
};

/* "00" to "99". */
static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static const uint64_t powers_of_ten[] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

bool number_parse_uint64(const char *text, size_t length, uint64_t *value)
{
    if (length == 0 || length >= NUMBER_INTEGER_TEXT_MAX)
        return false;
    if (text[0] == '0' && length > 1)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        if (i < DIGITS_ALWAYS_FIT)
            sum = sum * 10 + digit;
        else if (__builtin_mul_overflow(sum, 10u, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool number_parse_int64(const char *text, size_t length, int64_t *value)
{
    bool negative = length > 1 && text[0] == '-';
    uint64_t magnitude;
    if (!number_parse_uint64(text + negative, length - negative, &magnitude))
        return false;
    if (negative && magnitude == 0)
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = (int64_t)(negative ? -magnitude : magnitude);
    return true;
}

/* log10 by way of log2: 1233/4096 is log10(2) closely enough for 64 bits. */
static size_t digit_count(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned guess = bits * 1233 >> 12;
    return guess + (value >= powers_of_ten[guess]) + (value == 0);
}

size_t number_format_uint64(char *text, uint64_t value)
{
    size_t length = digit_count(value);
    char *at = text + length;
    *at = '\0';
    while (value >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(at - 2, digit_pairs + value * 2, 2);
    else
        at[-1] = (char)('0' + value);
    return length;
}

size_t number_format_int64(char *text, int64_t value)
{
    if (value >= 0)
        return number_format_uint64(text, (uint64_t)value);
    text[0] = '-';
    return 1 + number_format_uint64(text + 1, -(uint64_t)value);
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* A terminated copy of text, in storage when it fits. */
static char *terminated_copy(const char *text, size_t length, char storage[STACK_TEXT_BYTES])
{
    char *copy = length < STACK_TEXT_BYTES ? storage : malloc(length + 1);
    if (!copy)
        abort();
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

bool number_parse_double(const char *text, size_t length, double *value)
{
    if (length == 0 || is_space(text[0]))
        return false;
    char storage[STACK_TEXT_BYTES];
    char *copy = terminated_copy(text, length, storage);
    char *end;
    errno = 0;
    double result = strtod(copy, &end);
    /* A subnormal result is in range for Redis, although strtod(3) reports it. */
    bool out_of_range = errno == ERANGE && (isinf(result) || result == 0);
    bool whole = end == copy + length;
    if (copy != storage)
        free(copy);
    if (!whole || out_of_range || isnan(result))
        return false;
    *value = result;
    return true;
}

bool number_parse_long_double(const char *text, size_t length, long double *value)
{
    if (length == 0 || length >= NUMBER_LONG_DOUBLE_TEXT_MAX || is_space(text[0]))
        return false;
    char storage[STACK_TEXT_BYTES];
    char *copy = terminated_copy(text, length, storage);
    char *end;
    errno = 0;
    long double result = strtold(copy, &end);
    bool out_of_range = errno == ERANGE && (isinf(result) || result == 0);
    bool whole = end == copy + length;
    if (copy != storage)
        free(copy);
    if (!whole || out_of_range || isnan(result))
        return false;
    *value = result;
    return true;
}

size_t number_format_double(char *text, double value)
{
    /* Below 10^17 an integer has at most 17 digits, and "%.17g" prints just them. */
    if (value > -1e17 && value < 1e17 && value == (double)(int64_t)value && (value != 0 || !signbit(value)))
        return number_format_int64(text, (int64_t)value);
    return (size_t)snprintf(text, NUMBER_DOUBLE_TEXT_MAX, "%.17g", value);
}

size_t number_format_long_double(char *text, long double value)
{
    size_t length = (size_t)snprintf(text, NUMBER_LONG_DOUBLE_TEXT_MAX, "%.17Lf", value);
    if (!isfinite(value))
        return length;
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    text[length] = '\0';
    if (strcmp(text, "-0") != 0)
        return length;
    memcpy(text, "0", 2);
    return 1;
}
