/* Numbers as text. Expected texts and refusals were taken from redis-server 7.0.15: INCRBY, INCRBYFLOAT, ZADD
 * and ZSCORE. */
#include "protocol/number.h"

#include "support/prng.h"

#include <criterion/criterion.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Texts are handed over in a block of exactly their size: an over-read is then seen by AddressSanitizer. */
static char *exact_copy(const char *text, size_t length)
{
    char *copy = malloc(length ? length : 1);
    memcpy(copy, text, length);
    return copy;
}

static bool parse_int64(const char *text, size_t length, int64_t *value)
{
    char *copy = exact_copy(text, length);
    bool parsed = number_parse_int64(copy, length, value);
    free(copy);
    return parsed;
}

static bool parse_uint64(const char *text, size_t length, uint64_t *value)
{
    char *copy = exact_copy(text, length);
    bool parsed = number_parse_uint64(copy, length, value);
    free(copy);
    return parsed;
}

Test(number, reads_canonical_integers)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"-1", -1},
        {"9", 9},
        {"10", 10},
        {"-10", -10},
        {"1234567890", 1234567890},
        {"999999999999999999", 999999999999999999},
        {"1000000000000000000", 1000000000000000000},
        {"9223372036854775806", INT64_MAX - 1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 42;
        cr_assert(parse_int64(cases[i].text, strlen(cases[i].text), &value), "%s", cases[i].text);
        cr_assert_eq(value, cases[i].value, "%s", cases[i].text);
    }
}

Test(number, refuses_other_integers)
{
    static const char *const cases[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "01",
        "-0",
        "00",
        "-01",
        "--1",
        "1-",
        "0x1",
        "1.0",
        "1e3",
        "abc",
        "1a",
        "\t1",
        "1\n",
        "/",
        ":",
        "1/2",
        "1:2",
        "\xb1",
        "9223372036854775808",
        "- 1",
        "-+1",
        "1_0",
        "1,0",
        "--",
        "-1-",
        "+",
        "-9223372036854775809",
        "+-1",
        "inf",
        "nan",
        "0-",
        "0 ",
        " ",
        "10 ",
        "18446744073709551616",
        "-99999999999999999999",
        "99999999999999999999",
        "100000000000000000000",
        "-100000000000000000000",
        "9999999999999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value;
        cr_assert_not(parse_int64(cases[i], strlen(cases[i]), &value), "'%s'", cases[i]);
    }
    int64_t value;
    cr_assert_not(parse_int64("1\0", 2, &value));
    cr_assert_not(parse_int64("\0", 1, &value));
}

Test(number, reads_unsigned_integers)
{
    uint64_t value;
    cr_assert(parse_uint64("18446744073709551615", 20, &value));
    cr_assert_eq(value, UINT64_MAX);
    cr_assert(parse_uint64("9223372036854775808", 19, &value));
    cr_assert_eq(value, (uint64_t)INT64_MAX + 1);
    cr_assert(parse_uint64("0", 1, &value));
    cr_assert_eq(value, 0);
    cr_assert_not(parse_uint64("18446744073709551616", 20, &value));
    cr_assert_not(parse_uint64("18446744073709551620", 20, &value));
    cr_assert_not(parse_uint64("99999999999999999999", 20, &value));
    cr_assert_not(parse_uint64("100000000000000000000", 21, &value));
    cr_assert_not(parse_uint64("-1", 2, &value));
    cr_assert_not(parse_uint64("00", 2, &value));
    cr_assert_not(parse_uint64("", 0, &value));
}

static void check_integer_text(uint64_t value)
{
    char expected[32];
    char text[NUMBER_INTEGER_TEXT_MAX];
    snprintf(expected, sizeof expected, "%" PRIu64, value);
    cr_assert_eq(number_format_uint64(text, value), strlen(expected), "%s", expected);
    cr_assert_str_eq(text, expected);
    uint64_t read_back;
    cr_assert(parse_uint64(text, strlen(text), &read_back), "%s", text);
    cr_assert_eq(read_back, value);

    int64_t as_signed = (int64_t)value;
    snprintf(expected, sizeof expected, "%" PRId64, as_signed);
    cr_assert_eq(number_format_int64(text, as_signed), strlen(expected), "%s", expected);
    cr_assert_str_eq(text, expected);
    int64_t signed_back;
    cr_assert(parse_int64(text, strlen(text), &signed_back), "%s", text);
    cr_assert_eq(signed_back, as_signed);
}

Test(number, prints_integers_as_printf)
{
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        for (uint64_t near = 0; near < 3; near++) {
            check_integer_text(power - near);
            check_integer_text(power + near);
            check_integer_text(-power - near);
            check_integer_text(-power + near);
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        check_integer_text((UINT64_C(1) << bit) - 1);
        check_integer_text(UINT64_C(1) << bit);
    }
    for (uint64_t value = 0; value < 12000; value++)
        check_integer_text(value);
    struct prng prng = {1};
    for (int i = 0; i < 20000; i++) {
        check_integer_text(prng_next(&prng) >> (i % 64));
    }
}

static bool parse_double(const char *text, size_t length, double *value)
{
    char *copy = exact_copy(text, length);
    bool parsed = number_parse_double(copy, length, value);
    free(copy);
    return parsed;
}

static bool parse_long_double(const char *text, size_t length, long double *value)
{
    char *copy = exact_copy(text, length);
    bool parsed = number_parse_long_double(copy, length, value);
    free(copy);
    return parsed;
}

Test(number, reads_floats)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"1", 1},          {"1e5", 1e5},       {"0x10", 16},        {"+1", 1},
        {".5", 0.5},       {"+.5", 0.5},       {"5.", 5},           {"01", 1},
        {"3.0e3", 3000},   {"0x1p-4", 0.0625}, {"-2.5", -2.5},      {"inf", INFINITY},
        {"INF", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY}, {"infinity", INFINITY},
        {"1e300", 1e300},  {"0", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 42;
        long double precise = 42;
        size_t length = strlen(cases[i].text);
        cr_assert(parse_double(cases[i].text, length, &value), "%s", cases[i].text);
        cr_assert(value == cases[i].value, "%s", cases[i].text);
        cr_assert(parse_long_double(cases[i].text, length, &precise), "%s", cases[i].text);
        if (isfinite(value))
            cr_assert(fabsl(precise - cases[i].value) <= fabs(value) * DBL_EPSILON, "%s", cases[i].text);
        else
            cr_assert(precise == (long double)value, "%s", cases[i].text);
    }
}

Test(number, refuses_other_floats)
{
    static const char *const cases[] = {
        "",    " 1",  "1 ",   "\t1",  "\v1",   "\n1",  "nan",     "-nan",   "NAN",     "nan(1)",  "1e", "1e+",
        "1,5", "1d5", "1L",   "abc",  "1.2.3", "-",    "+",       ".",      "e5",      "0x",      "1x", "--1",
        "+-1", "in",  "inff", "0x1p", "1 2",   "1e5 ", "infinit", "1e5000", "-1e5000", "1e-5000",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value;
        long double precise;
        size_t length = strlen(cases[i]);
        cr_assert_not(parse_double(cases[i], length, &value), "'%s'", cases[i]);
        cr_assert_not(parse_long_double(cases[i], length, &precise), "'%s'", cases[i]);
    }
    double value;
    cr_assert_not(parse_double("1\0", 2, &value));
    cr_assert_not(parse_double("1\0x", 3, &value));
    cr_assert_not(parse_double("\0", 1, &value));
    long double precise;
    cr_assert_not(parse_long_double("1\0", 2, &precise));
}

Test(number, float_range_is_that_of_the_type)
{
    double value;
    long double precise;
    cr_assert_not(parse_double("1e400", 5, &value));
    cr_assert_not(parse_double("-1e400", 6, &value));
    cr_assert_not(parse_double("1e-400", 6, &value), "what rounds to zero is out of range");
    cr_assert(parse_double("1e-320", 6, &value), "what is merely subnormal is not");
    cr_assert(value > 0 && value < DBL_MIN);
    cr_assert(parse_long_double("1e400", 5, &precise));
    cr_assert(precise > DBL_MAX && isfinite(precise));
    cr_assert(parse_long_double("1e-4940", 7, &precise));
    cr_assert(precise > 0);
    /* An earlier failure must not leak into the next call. */
    cr_assert_not(parse_double("1e400", 5, &value));
    cr_assert(parse_double("0", 1, &value));
    cr_assert_not(parse_long_double("1e5000", 6, &precise));
    cr_assert(parse_long_double("0", 1, &precise));
}

Test(number, reads_long_float_texts)
{
    static const size_t lengths[] = {254, 255, 256, 257, 5118, 5119, 5120, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char *text = malloc(lengths[i]);
        memset(text, '0', lengths[i]);
        text[lengths[i] - 1] = '7';
        double value = 0;
        long double precise = 0;
        cr_assert(number_parse_double(text, lengths[i], &value));
        cr_assert(value == 7);
        cr_assert_eq(number_parse_long_double(text, lengths[i], &precise), lengths[i] < 5120);
        text[lengths[i] - 1] = 'x';
        cr_assert_not(number_parse_double(text, lengths[i], &value));
        free(text);
    }
}

Test(number, prints_doubles)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {1.5, "1.5"},
        {0.1, "0.10000000000000001"},
        {3.14, "3.1400000000000001"},
        {1e5, "100000"},
        {1e15, "1000000000000000"},
        {1e16, "10000000000000000"},
        {99999999999999984.0, "99999999999999984"},
        {-99999999999999984.0, "-99999999999999984"},
        {1e17, "1e+17"},
        {-1e17, "-1e+17"},
        {1e18, "1e+18"},
        {1e21, "1e+21"},
        {123456789012345678.0, "1.2345678901234568e+17"},
        {12345678901234567.0, "12345678901234568"},
        {9007199254740993.0, "9007199254740992"},
        {9223372036854775807.0, "9.2233720368547758e+18"},
        {17179869184.25, "17179869184.25"},
        {1e300, "1.0000000000000001e+300"},
        {1e-5, "1.0000000000000001e-05"},
        {0.0001, "0.0001"},
        {5e-324, "4.9406564584124654e-324"},
        {-DBL_MAX, "-1.7976931348623157e+308"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NUMBER_DOUBLE_TEXT_MAX];
        size_t length = number_format_double(text, cases[i].value);
        cr_assert_str_eq(text, cases[i].text);
        cr_assert_eq(length, strlen(cases[i].text));
    }
}

Test(number, prints_doubles_as_printf)
{
    struct prng prng = {2};
    for (int i = 0; i < 100000; i++) {
        uint64_t random = prng_next(&prng);
        double value;
        memcpy(&value, &random, sizeof value);
        if (i % 4 == 1)
            value = (double)(int64_t)(random >> (i % 63));
        else if (i % 4 == 2)
            value = (double)(int32_t)random / 8;
        else if (i % 4 == 3)
            value = (double)(int64_t)random / 1e6;
        char expected[64];
        char text[NUMBER_DOUBLE_TEXT_MAX];
        snprintf(expected, sizeof expected, "%.17g", value);
        cr_assert_eq(number_format_double(text, value), strlen(expected), "%s", expected);
        cr_assert_str_eq(text, expected);
    }
}

Test(number, prints_long_doubles)
{
    static const struct {
        long double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0L, "0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {100.10L, "100.1"},
        {0.1L, "0.1"},
        {1.1L, "1.1"},
        {-2.5L, "-2.5"},
        {3000, "3000"},
        {1e17L, "100000000000000000"},
        {1e30L, "1000000000000000000024696061952"},
        {1e-17L, "0.00000000000000001"},
        {-1e-17L, "-0.00000000000000001"},
        {1e-18L, "0"},
        {-1e-18L, "0"},
        {123456789.123456789123456789L, "123456789.12345678912242875"},
        {0x1p-4L, "0.0625"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NUMBER_LONG_DOUBLE_TEXT_MAX];
        size_t length = number_format_long_double(text, cases[i].value);
        cr_assert_str_eq(text, cases[i].text);
        cr_assert_eq(length, strlen(cases[i].text));
    }
}

Test(number, prints_the_largest_long_double)
{
    char *text = malloc(NUMBER_LONG_DOUBLE_TEXT_MAX);
    size_t length = number_format_long_double(text, -LDBL_MAX);
    cr_assert_eq(length, 4934);
    cr_assert_eq(strlen(text), length);
    long double read_back;
    cr_assert(number_parse_long_double(text, length, &read_back));
    cr_assert(read_back == -LDBL_MAX);
    free(text);
}
