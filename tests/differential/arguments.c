/*
 * Random arguments: see differential.h.
 */

#include "differential/differential.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    KEY_POOL = 8,
    MEMBER_POOL = 20,
    ODD_ONE_IN = 16, /* how often an argument is an edge case */
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void arg_key(struct command *command, struct prng *prng)
{
    if (!prng_one_in(prng, 40)) {
        command_format(command, "key:%d", (int)prng_below(prng, KEY_POOL));
        return;
    }
    char long_key[300];
    memset(long_key, 'k', sizeof(long_key));
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "");
        break;
    case 1:
        command_add_bytes(command, "k\0\r\n\xff", 5);
        break;
    case 2:
        command_add_bytes(command, long_key, 255 + prng_below(prng, 3));
        break;
    case 3:
        command_add(command, "{tag}:1");
        break;
    default:
        command_add(command, "no such key");
    }
}

void arg_keys(struct command *command, struct prng *prng, size_t low, size_t high)
{
    for (int64_t left = prng_between(prng, (int64_t)low, (int64_t)high); left > 0; left--)
        arg_key(command, prng);
}

static const char *const integer_edges[] = {"0",
                                            "-0",
                                            "1",
                                            "-1",
                                            "2147483647",
                                            "2147483648",
                                            "-2147483648",
                                            "-2147483649",
                                            "4294967295",
                                            "4294967296",
                                            "9223372036854775807",
                                            "-9223372036854775808",
                                            "9223372036854775806",
                                            "-9223372036854775807",
                                            "4611686018427387904",
                                            "1000000000000"};

static const char *const integer_garbage[] = {"",
                                              " 1",
                                              "1 ",
                                              "+1",
                                              "01",
                                              "1.0",
                                              "1e3",
                                              "0x10",
                                              "9223372036854775808",
                                              "-9223372036854775809",
                                              "abc",
                                              "-",
                                              "--1",
                                              "1a",
                                              "nan",
                                              "18446744073709551615",
                                              "18446744073709551616",
                                              "99999999999999999999999"};

void arg_valid_int(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        /* "-0" comes second and is no valid integer. */
        command_add(command, integer_edges[2 + prng_below(prng, COUNT_OF(integer_edges) - 2)]);
        break;
    case 1:
        command_add_int(command, (int64_t)prng_next(prng));
        break;
    case 2:
        command_add_int(command, prng_between(prng, -100000, 100000));
        break;
    default:
        command_add_int(command, prng_between(prng, -20, 20));
    }
}

void arg_int(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, ODD_ONE_IN))
        command_add(command, integer_garbage[prng_below(prng, COUNT_OF(integer_garbage))]);
    else if (prng_one_in(prng, ODD_ONE_IN))
        command_add(command, integer_edges[prng_below(prng, COUNT_OF(integer_edges))]);
    else
        arg_valid_int(command, prng);
}

void arg_int_between(struct command *command, struct prng *prng, int64_t low, int64_t high)
{
    if (prng_one_in(prng, ODD_ONE_IN))
        arg_int(command, prng);
    else
        command_add_int(command, prng_between(prng, low, high));
}

void arg_index(struct command *command, struct prng *prng)
{
    arg_int_between(command, prng, -12, 12);
}

void arg_valid_float(struct command *command, struct prng *prng)
{
    static const char *const texts[] = {"0",    "1",    "-1",  "0.5",    "-0.5",  "3.25", "10.125", "1e2",
                                        "1e-2", "5e3",  "100", "-7.75",  "0.1",   "1.5",  "2.5",    "1000000",
                                        "-3",   "0.25", "12",  "-100.5", "65536", "7"};
    command_add(command, texts[prng_below(prng, COUNT_OF(texts))]);
}

void arg_float(struct command *command, struct prng *prng)
{
    static const char *const odd[] = {"inf",
                                      "+inf",
                                      "-inf",
                                      "Infinity",
                                      "nan",
                                      "-nan",
                                      "1e308",
                                      "-1e308",
                                      "1e309",
                                      "1e400",
                                      "1e-320",
                                      "1e-400",
                                      "0x1p3",
                                      "0xAp-2",
                                      " 1",
                                      "1 ",
                                      "1.5x",
                                      "",
                                      ".5",
                                      "5.",
                                      "+3",
                                      "-0",
                                      "-0.0",
                                      "1,5",
                                      "0.1e",
                                      "e5",
                                      "17179869184.5",
                                      "3.0e3",
                                      "1e17",
                                      "123456789012345678901234567890",
                                      "0.30000000000000004",
                                      "9007199254740993"};
    if (prng_one_in(prng, 5))
        command_add(command, odd[prng_below(prng, COUNT_OF(odd))]);
    else if (prng_one_in(prng, 5))
        arg_int(command, prng);
    else
        arg_valid_float(command, prng);
}

void arg_member(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        command_format(command, "%d", (int)prng_below(prng, MEMBER_POOL));
    else
        command_format(command, "m%d", (int)prng_below(prng, MEMBER_POOL));
}

void arg_binary(struct command *command, struct prng *prng, size_t size_max)
{
    struct bytes bytes = {0};
    for (size_t left = prng_below(prng, size_max + 1); left > 0; left--) {
        char byte = (char)prng_next(prng);
        bytes_append(&bytes, &byte, 1);
    }
    command_add_bytes(command, bytes.data ? bytes.data : "", bytes.size);
    bytes_release(&bytes);
}

/* size letters; the same few letters when it should compress well. */
static void add_letters(struct command *command, struct prng *prng, size_t size, unsigned letters)
{
    struct bytes bytes = {0};
    while (bytes.size < size) {
        char letter = (char)('a' + prng_below(prng, letters));
        bytes_append(&bytes, &letter, 1);
    }
    command_add_bytes(command, bytes.data ? bytes.data : "", bytes.size);
    bytes_release(&bytes);
}

void arg_value(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 10)) {
    case 0:
        command_add(command, "");
        break;
    case 1:
    case 2:
        arg_int(command, prng);
        break;
    case 3:
        arg_float(command, prng);
        break;
    case 4:
        add_letters(command, prng, 42 + prng_below(prng, 5), 26); /* around 44: embstr or raw */
        break;
    case 5:
        add_letters(command, prng, 62 + prng_below(prng, 5), 26); /* around 64: listpack or not */
        break;
    case 6:
        arg_binary(command, prng, 40);
        break;
    case 7:
        if (prng_one_in(prng, 10))
            add_letters(command, prng, 20000 + prng_below(prng, 50000), 2);
        else
            add_letters(command, prng, 100 + prng_below(prng, 400), 2);
        break;
    default:
        arg_member(command, prng);
    }
}

void arg_pattern(struct command *command, struct prng *prng)
{
    static const char *const patterns[] = {
        "*", "key:*", "key:[0-3]", "key:?",      "*:5", "k[^e]y*", "m1*", "m[13579]", "",   "\\*", "key\\:1",
        "[", "key:[", "**",        "key:[5-2]*", "?",   "no*",     "*[",  "*e*1*",    "1?", "\\"};
    command_add(command, patterns[prng_below(prng, COUNT_OF(patterns))]);
}

void arg_duration(struct command *command, struct prng *prng, int64_t unit_ms)
{
    static const char *const edges[] = {"0",
                                        "-1",
                                        "-1000000",
                                        "2147483648",
                                        "4294967296",
                                        "1000000000000",
                                        "4611686018427387904",
                                        "9223372036854775",
                                        "9223372036854774",
                                        "9223372036854775806",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "abc",
                                        "",
                                        "1.5",
                                        " 200000",
                                        "200000 ",
                                        "+200000"};
    if (prng_one_in(prng, 8))
        command_add(command, edges[prng_below(prng, COUNT_OF(edges))]);
    else
        command_add_int(command, prng_between(prng, 100, 1000000) * (1000 / unit_ms));
}

void arg_moment(struct command *command, struct prng *prng, int64_t unit_ms)
{
    int64_t per_second = 1000 / unit_ms;
    if (prng_one_in(prng, 8))
        arg_int(command, prng);
    else if (prng_one_in(prng, 6))
        command_add_int(command, prng_between(prng, 1, 1600000000) * per_second);
    else /* 2030 to 2060: the same for every run of a seed, always far ahead */
        command_add_int(command, prng_between(prng, 1893456000, 2840140800) * per_second);
}

void arg_word_of(struct command *command, struct prng *prng, const char *const *words, size_t count)
{
    char word[64];
    snprintf(word, sizeof(word), "%s", words[prng_below(prng, count)]);
    if (prng_one_in(prng, 6)) {
        for (char *letter = word; *letter; letter++)
            *letter = (char)(prng_one_in(prng, 2) ? tolower(*letter) : toupper(*letter));
    }
    if (prng_one_in(prng, 60))
        snprintf(word, sizeof(word), "bogus");
    command_add(command, word);
}

void command_of_key_life(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "OBJECT");
        command_add(command, "ENCODING");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "COPY", "RENAME"));
        arg_keys(command, prng, 2, 2);
        break;
    case 2:
        command_add(command, "EXPIRE");
        arg_key(command, prng);
        arg_duration(command, prng, 1000);
        break;
    case 3:
        command_add(command, pick_word(prng, "PERSIST", "TYPE"));
        arg_key(command, prng);
        break;
    default:
        command_add(command, "DEL");
        arg_keys(command, prng, 1, 2);
    }
}
