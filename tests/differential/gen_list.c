/*
 * List commands. Elements repeat, lists meet again under few keys, and their nodes are small enough that some
 * are several nodes long. Blocking commands find something, or time out at once.
 */

#include "differential/differential.h"

static void arg_end(struct command *command, struct prng *prng)
{
    arg_word(command, prng, "LEFT", "RIGHT");
}

/* Mostly short, so that searches find something; sometimes long. */
static void arg_element(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        arg_value(command, prng);
    else if (prng_one_in(prng, 3))
        command_add_int(command, prng_between(prng, -5, 5));
    else
        arg_member(command, prng);
}

static void generate_push(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "LPUSH", "RPUSH", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX"));
    arg_key(command, prng);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 6) ? 60 : 5); left > 0; left--)
        arg_element(command, prng);
}

static void generate_pop(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "LPOP", "RPOP"));
    arg_key(command, prng);
    if (prng_one_in(prng, 2))
        arg_int_between(command, prng, -1, 12);
}

static void generate_read(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 3)) {
    case 0:
        command_add(command, "LLEN");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, "LINDEX");
        arg_key(command, prng);
        arg_index(command, prng);
        break;
    default:
        command_add(command, "LRANGE");
        arg_key(command, prng);
        arg_index(command, prng);
        if (prng_one_in(prng, 3))
            command_add_int(command, -1);
        else
            arg_index(command, prng);
    }
}

static void generate_trim(struct command *command, struct prng *prng)
{
    command_add(command, "LTRIM");
    arg_key(command, prng);
    arg_int_between(command, prng, -100, 3);
    arg_int_between(command, prng, -4, 100);
}

static void generate_set(struct command *command, struct prng *prng)
{
    command_add(command, "LSET");
    arg_key(command, prng);
    arg_index(command, prng);
    arg_element(command, prng);
}

static void generate_remove(struct command *command, struct prng *prng)
{
    command_add(command, "LREM");
    arg_key(command, prng);
    arg_int_between(command, prng, -3, 3);
    arg_element(command, prng);
}

static void generate_insert(struct command *command, struct prng *prng)
{
    command_add(command, "LINSERT");
    arg_key(command, prng);
    arg_word(command, prng, "BEFORE", "AFTER");
    arg_element(command, prng);
    arg_element(command, prng);
}

static void generate_position(struct command *command, struct prng *prng)
{
    command_add(command, "LPOS");
    arg_key(command, prng);
    arg_element(command, prng);
    for (uint64_t left = prng_below(prng, 4); left > 0; left--) {
        arg_word(command, prng, "RANK", "COUNT", "MAXLEN");
        if (prng_one_in(prng, 6))
            arg_int(command, prng);
        else
            arg_int_between(command, prng, -3, 5);
    }
}

/* Now or soon: as a timeout that may pass, this is 10 ms. */
static void arg_timeout(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 8))
        command_add(command, pick_word(prng, "-1", "x", "nan", "inf", "-inf", "1e30", ""));
    else
        command_add(command, pick_word(prng, "0.01", "1e-2", "0.005"));
}

static void generate_move(struct command *command, struct prng *prng)
{
    bool blocking = prng_one_in(prng, 8), old = prng_one_in(prng, 2);
    if (blocking)
        command_add(command, old ? "BRPOPLPUSH" : "BLMOVE");
    else
        command_add(command, old ? "RPOPLPUSH" : "LMOVE");
    arg_key(command, prng);
    arg_key(command, prng);
    if (!old) {
        arg_end(command, prng);
        arg_end(command, prng);
    }
    if (blocking)
        arg_timeout(command, prng);
}

static void generate_pop_first(struct command *command, struct prng *prng)
{
    bool blocking = prng_one_in(prng, 8);
    command_add(command, blocking ? "BLMPOP" : "LMPOP");
    if (blocking)
        arg_timeout(command, prng);
    size_t keys = 1 + prng_below(prng, 4);
    arg_int_between(command, prng, (int64_t)keys - (prng_one_in(prng, 16) ? 1 : 0), (int64_t)keys);
    arg_keys(command, prng, keys, keys);
    arg_end(command, prng);
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "COUNT");
        arg_int_between(command, prng, 0, 8);
    }
}

static void generate_blocking_pop(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "BLPOP", "BRPOP"));
    arg_keys(command, prng, 1, 4);
    arg_timeout(command, prng);
    command_verbatim(command); /* one argument more would be a long timeout */
}

static void generate_inspection(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "OBJECT");
        command_add(command, "ENCODING");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "RENAME", "COPY"));
        arg_keys(command, prng, 2, 2);
        break;
    case 2:
        command_add(command, "CONFIG");
        command_add(command, "SET");
        command_add(command, "list-max-listpack-size");
        command_add(command, pick_word(prng, "-1", "-2", "1", "3", "20"));
        command_verbatim(command);
        break;
    case 3:
        command_add(command, "CONFIG");
        command_add(command, "SET");
        command_add(command, "list-compress-depth");
        command_add(command, pick_word(prng, "0", "1", "2"));
        command_verbatim(command);
        break;
    default:
        command_add(command, "DEL");
        arg_keys(command, prng, 1, 2);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_push,      generate_push,         generate_push,       generate_push,   generate_pop,
        generate_pop,       generate_read,         generate_read,       generate_read,   generate_trim,
        generate_set,       generate_set,          generate_remove,     generate_insert, generate_insert,
        generate_position,  generate_position,     generate_move,       generate_move,   generate_pop_first,
        generate_pop_first, generate_blocking_pop, generate_inspection,
    };
    kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"list-max-listpack-size", "-1", "list-compress-depth", "0", NULL};

const struct generator generator_list = {.name = "list", .config = config, .generate = generate};
