/*
 * String commands. Values, deadlines and encodings meet again under few keys; the limit for strings is low so
 * that offsets beyond it are cheap.
 */

#include "differential/differential.h"

static void add_deadline_option(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        arg_word(command, prng, "EX");
        arg_duration(command, prng, 1000);
        break;
    case 1:
        arg_word(command, prng, "PX");
        arg_duration(command, prng, 1);
        break;
    case 2:
        arg_word(command, prng, "EXAT");
        arg_moment(command, prng, 1000);
        break;
    default:
        arg_word(command, prng, "PXAT");
        arg_moment(command, prng, 1);
    }
}

/* None to four options; combinations that exclude each other and repetitions included. */
static void add_options(struct command *command, struct prng *prng)
{
    for (uint64_t left = prng_below(prng, prng_one_in(prng, 4) ? 5 : 3); left > 0; left--) {
        if (prng_one_in(prng, 2))
            add_deadline_option(command, prng);
        else
            arg_word(command, prng, "NX", "XX", "GET", "KEEPTTL", "NX", "XX", "GET", "PERSIST", "EX");
    }
}

static void generate_set(struct command *command, struct prng *prng)
{
    command_add(command, "SET");
    arg_key(command, prng);
    arg_value(command, prng);
    add_options(command, prng);
}

/* Numbers to count with, near the ends of 64 bits too. */
static void generate_set_number(struct command *command, struct prng *prng)
{
    command_add(command, "SET");
    arg_key(command, prng);
    if (prng_one_in(prng, 2))
        arg_valid_int(command, prng);
    else
        arg_float(command, prng);
    if (prng_one_in(prng, 4))
        command_add(command, "KEEPTTL");
}

static void generate_getex(struct command *command, struct prng *prng)
{
    command_add(command, "GETEX");
    arg_key(command, prng);
    if (prng_one_in(prng, 3))
        arg_word(command, prng, "PERSIST");
    if (prng_one_in(prng, 2))
        add_deadline_option(command, prng);
    if (prng_one_in(prng, 8))
        add_options(command, prng);
}

static void generate_set_for_time(struct command *command, struct prng *prng)
{
    bool seconds = prng_one_in(prng, 2);
    command_add(command, seconds ? "SETEX" : "PSETEX");
    arg_key(command, prng);
    arg_duration(command, prng, seconds ? 1000 : 1);
    arg_value(command, prng);
}

static void generate_key_value(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "SETNX", "GETSET", "APPEND", "APPEND"));
    arg_key(command, prng);
    arg_value(command, prng);
}

static void generate_key(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "GET", "GET", "GETDEL", "STRLEN", "INCR", "DECR"));
    arg_key(command, prng);
}

static void generate_pairs(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "MSET", "MSETNX"));
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 8) ? 40 : 4); left > 0; left--) {
        arg_key(command, prng);
        arg_value(command, prng);
    }
}

static void generate_mget(struct command *command, struct prng *prng)
{
    command_add(command, "MGET");
    arg_keys(command, prng, 1, prng_one_in(prng, 8) ? 40 : 5);
}

static void generate_setrange(struct command *command, struct prng *prng)
{
    command_add(command, "SETRANGE");
    arg_key(command, prng);
    if (prng_one_in(prng, 16))
        arg_int_between(command, prng, 1048500, 1048600);
    else
        arg_int_between(command, prng, -2, prng_one_in(prng, 4) ? 2000 : 50);
    arg_value(command, prng);
}

static void generate_getrange(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "GETRANGE", "GETRANGE", "SUBSTR"));
    arg_key(command, prng);
    arg_index(command, prng);
    if (prng_one_in(prng, 4))
        arg_int(command, prng);
    else
        arg_index(command, prng);
}

static void generate_sum(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "INCRBY", "DECRBY", "INCRBYFLOAT", "INCRBYFLOAT"));
    arg_key(command, prng);
    if (prng_one_in(prng, 2))
        arg_int(command, prng);
    else
        arg_float(command, prng);
}

static void generate_lcs(struct command *command, struct prng *prng)
{
    command_add(command, "LCS");
    arg_keys(command, prng, 2, 2);
    for (uint64_t left = prng_below(prng, 4); left > 0; left--) {
        if (prng_one_in(prng, 4)) {
            arg_word(command, prng, "MINMATCHLEN");
            arg_int_between(command, prng, -1, 6);
        } else {
            arg_word(command, prng, "IDX", "IDX", "WITHMATCHLEN", "LEN", "MINMATCHLEN");
        }
    }
}

/* Two strings of few letters: their common subsequences are many, and one of them is right. */
static void generate_alike(struct command *command, struct prng *prng)
{
    command_add(command, "MSET");
    unsigned letters = 1 + (unsigned)prng_below(prng, 5);
    for (int i = 0; i < 2; i++) {
        char text[200];
        size_t length = prng_below(prng, sizeof(text));
        for (size_t at = 0; at < length; at++)
            text[at] = (char)('a' + prng_below(prng, letters));
        arg_key(command, prng);
        command_add_bytes(command, text, length);
    }
}

static void generate_inspection(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 3)) {
    case 0:
        command_add(command, "OBJECT");
        command_add(command, "ENCODING");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, "PEXPIRETIME");
        arg_key(command, prng);
        command_near(command, 5000);
        break;
    default:
        command_add(command, "DEL");
        arg_keys(command, prng, 1, 3);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_set,        generate_set,        generate_set,      generate_getex, generate_set_for_time,
        generate_key_value,  generate_key_value,  generate_key,      generate_key,   generate_pairs,
        generate_mget,       generate_setrange,   generate_getrange, generate_sum,   generate_sum,
        generate_set_number, generate_set_number, generate_lcs,      generate_lcs,   generate_alike,
        generate_inspection,
    };
    kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"proto-max-bulk-len", "1048576", NULL};

const struct generator generator_string = {.name = "string", .config = config, .generate = generate};
