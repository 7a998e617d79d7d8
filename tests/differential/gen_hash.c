/*
 * Hash commands. The limits of a listpack are low, so that hashes cross them all the time; few fields, so
 * that they meet again. What is drawn at random is compared in shape only.
 */

#include "differential/differential.h"

static void add_field(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 6))
        arg_int(command, prng);
    else
        arg_member(command, prng);
}

static void add_fields(struct command *command, struct prng *prng, int64_t most)
{
    for (int64_t left = prng_between(prng, 1, most); left > 0; left--)
        add_field(command, prng);
}

static void generate_hset(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "HSET", "HSET", "HSET", "HMSET"));
    arg_key(command, prng);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 6) ? 24 : 4); left > 0; left--) {
        add_field(command, prng);
        if (prng_one_in(prng, 3))
            arg_value(command, prng);
        else
            arg_member(command, prng);
    }
    if (prng_one_in(prng, 20))
        add_field(command, prng);
}

static void generate_hsetnx(struct command *command, struct prng *prng)
{
    command_add(command, "HSETNX");
    arg_key(command, prng);
    add_field(command, prng);
    arg_value(command, prng);
}

static void generate_hincrby(struct command *command, struct prng *prng)
{
    command_add(command, "HINCRBY");
    arg_key(command, prng);
    add_field(command, prng);
    arg_int(command, prng);
}

static void generate_hincrbyfloat(struct command *command, struct prng *prng)
{
    command_add(command, "HINCRBYFLOAT");
    arg_key(command, prng);
    add_field(command, prng);
    if (prng_one_in(prng, 2))
        arg_valid_float(command, prng);
    else
        arg_float(command, prng);
}

/* A number into a field, for the sums. */
static void generate_number(struct command *command, struct prng *prng)
{
    command_add(command, "HSET");
    arg_key(command, prng);
    add_field(command, prng);
    if (prng_one_in(prng, 2))
        arg_int(command, prng);
    else
        arg_float(command, prng);
}

static void generate_hdel(struct command *command, struct prng *prng)
{
    command_add(command, "HDEL");
    arg_key(command, prng);
    add_fields(command, prng, prng_one_in(prng, 4) ? 20 : 4);
}

static void generate_look(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "HGET", "HGET", "HEXISTS", "HSTRLEN"));
    arg_key(command, prng);
    add_field(command, prng);
}

static void generate_hmget(struct command *command, struct prng *prng)
{
    command_add(command, "HMGET");
    arg_key(command, prng);
    add_fields(command, prng, 6);
}

static void generate_whole(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        command_add(command, "HGETALL");
        command_rule(command, REPLY_UNORDERED_PAIRS);
        break;
    case 1:
        command_add(command, "HLEN");
        break;
    default:
        command_add(command, pick_word(prng, "HKEYS", "HVALS"));
        command_rule(command, REPLY_UNORDERED);
    }
    arg_key(command, prng);
}

static void generate_hrandfield(struct command *command, struct prng *prng)
{
    command_add(command, "HRANDFIELD");
    arg_key(command, prng);
    command_rule(command, REPLY_TYPE);
    if (prng_one_in(prng, 4))
        return;
    command_rule(command, prng_one_in(prng, 2) ? REPLY_TYPE : REPLY_SHAPE);
    if (prng_one_in(prng, 12))
        command_add(command, pick_word(prng, "x", "", "9223372036854775808", "-9223372036854775808", "1.5"));
    else
        command_add_int(command, prng_between(prng, -40, 40));
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "WITHVALUES");
    if (prng_one_in(prng, 20))
        arg_word(command, prng, "WITHVALUES");
}

static void generate_hscan(struct command *command, struct prng *prng)
{
    command_add(command, "HSCAN");
    arg_key(command, prng);
    command_rule(command, REPLY_TYPE);
    if (prng_one_in(prng, 10))
        arg_int(command, prng);
    else
        command_add(command, "0");
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "MATCH");
        arg_pattern(command, prng);
    }
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "COUNT");
        arg_int(command, prng);
    }
    if (prng_one_in(prng, 12))
        arg_word(command, prng, "TYPE", "MATCH", "COUNT");
}

static void generate_limits(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "SET");
    if (prng_one_in(prng, 2)) {
        command_add(command, "hash-max-listpack-entries");
        command_add_int(command, prng_between(prng, 0, 20));
    } else {
        command_add(command, "hash-max-listpack-value");
        command_add_int(command, prng_between(prng, 0, 80));
    }
    command_verbatim(command);
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_hset,  generate_hset,         generate_hset,         generate_hset,
        generate_hset,  generate_hset,         generate_hsetnx,       generate_hdel,
        generate_hdel,  generate_hincrby,      generate_hincrby,      generate_number,
        generate_look,  generate_hincrbyfloat, generate_hincrbyfloat, generate_hrandfield,
        generate_hmget, generate_whole,        generate_whole,        generate_hrandfield,
        generate_hscan, command_of_key_life,
    };
    if (prng_one_in(prng, 60))
        generate_limits(command, prng);
    else
        kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"hash-max-listpack-entries", "12", "hash-max-listpack-value", "48",
                                     NULL};

const struct generator generator_hash = {.name = "hash", .config = config, .generate = generate};
