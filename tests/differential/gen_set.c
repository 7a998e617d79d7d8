/*
 * Set commands. The limit of intsets is low and half of the sets hold integers only, so that both encodings
 * occur and turn into one another. What is drawn at random is compared in shape only; SPOP takes everything
 * or nothing, except from sets of one member.
 */

#include "differential/differential.h"

static void add_member(struct command *command, struct prng *prng, bool integers)
{
    if (integers && prng_one_in(prng, 8))
        arg_valid_int(command, prng);
    else if (integers)
        command_add_int(command, prng_between(prng, -15, 15));
    else if (prng_one_in(prng, 10))
        arg_value(command, prng);
    else
        arg_member(command, prng);
}

static void add_members(struct command *command, struct prng *prng, int64_t most)
{
    bool integers = prng_below(prng, 5) < 3;
    for (int64_t left = prng_between(prng, 1, most); left > 0; left--)
        add_member(command, prng, integers);
}

static void generate_sadd(struct command *command, struct prng *prng)
{
    command_add(command, "SADD");
    arg_key(command, prng);
    add_members(command, prng, prng_one_in(prng, 4) ? 24 : 5);
}

static void generate_srem(struct command *command, struct prng *prng)
{
    command_add(command, "SREM");
    arg_key(command, prng);
    add_members(command, prng, prng_one_in(prng, 3) ? 20 : 5);
}

static void generate_smove(struct command *command, struct prng *prng)
{
    command_add(command, "SMOVE");
    arg_keys(command, prng, 2, 2);
    add_member(command, prng, prng_one_in(prng, 2));
}

static void generate_look(struct command *command, struct prng *prng)
{
    bool many = prng_one_in(prng, 2);
    command_add(command, many ? "SMISMEMBER" : "SISMEMBER");
    arg_key(command, prng);
    if (many)
        add_members(command, prng, 6);
    else
        add_member(command, prng, prng_one_in(prng, 2));
}

static void generate_whole(struct command *command, struct prng *prng)
{
    bool members = prng_one_in(prng, 2);
    command_add(command, members ? "SMEMBERS" : "SCARD");
    if (members)
        command_rule(command, REPLY_UNORDERED);
    arg_key(command, prng);
}

static void generate_combined(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "SINTER", "SUNION", "SDIFF"));
    command_rule(command, REPLY_UNORDERED);
    arg_keys(command, prng, 1, prng_one_in(prng, 6) ? 8 : 3);
}

static void generate_stored(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"));
    arg_keys(command, prng, 2, prng_one_in(prng, 6) ? 8 : 4);
}

static void generate_sintercard(struct command *command, struct prng *prng)
{
    int64_t count = prng_between(prng, 1, 4);
    command_add(command, "SINTERCARD");
    if (prng_one_in(prng, 12))
        arg_int(command, prng);
    else
        command_add_int(command, count);
    arg_keys(command, prng, (size_t)count, (size_t)count);
    for (uint64_t left = prng_below(prng, 3); left > 0; left--) {
        arg_word(command, prng, "LIMIT");
        if (!prng_one_in(prng, 16))
            arg_int_between(command, prng, -1, 8);
    }
}

/* Counts that leave nothing or everything. */
static void generate_spop(struct command *command, struct prng *prng)
{
    command_add(command, "SPOP");
    arg_key(command, prng);
    command_add(command, pick_word(prng, "0", "0", "1000000", "9223372036854775807", "-1", "x", "", "1.5",
                                   "9223372036854775808", "-9223372036854775808"));
    command_rule(command, REPLY_UNORDERED);
    if (prng_one_in(prng, 20))
        command_add(command, "1");
    command_verbatim(command); /* without its count it would choose */
}

static void generate_srandmember(struct command *command, struct prng *prng)
{
    command_add(command, "SRANDMEMBER");
    arg_key(command, prng);
    command_rule(command, REPLY_TYPE);
    if (prng_one_in(prng, 4))
        return;
    command_rule(command, REPLY_SHAPE);
    if (prng_one_in(prng, 12))
        command_add(command, pick_word(prng, "x", "", "9223372036854775808", "-9223372036854775808", "1.5"));
    else
        command_add_int(command, prng_between(prng, -40, 40));
    if (prng_one_in(prng, 20))
        command_add(command, "1");
}

static void generate_sscan(struct command *command, struct prng *prng)
{
    command_add(command, "SSCAN");
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

static void generate_limit(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "SET");
    command_add(command, "set-max-intset-entries");
    command_add_int(command, prng_between(prng, 0, 30));
    command_verbatim(command);
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_sadd,       generate_sadd,        generate_sadd,   generate_sadd,     generate_sadd,
        generate_srem,       generate_srem,        generate_smove,  generate_look,     generate_whole,
        generate_whole,      generate_combined,    generate_stored, generate_combined, generate_stored,
        generate_stored,     generate_sintercard,  generate_spop,   generate_combined, generate_sscan,
        command_of_key_life, generate_srandmember,
    };
    if (prng_one_in(prng, 60))
        generate_limit(command, prng);
    else
        kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"set-max-intset-entries", "16", NULL};

const struct generator generator_set = {.name = "set", .config = config, .generate = generate};
