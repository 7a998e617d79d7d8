/*
 * Sorted sets of equal scores as indexes of their members: ranges by member in both encodings. Every key has
 * a score of its own that no command changes. Members are letters, prefixes of one another, numbers and bytes
 * above 127, because their order is what is compared.
 */

#include "differential/differential.h"
#include "differential/zset_arguments.h"

#include <string.h>

enum { KEYS = 4 };

static void add_key(struct command *command, unsigned key)
{
    command_format(command, "lex:%u", key);
}

/* Key 0 holds zeros of either sign. */
static void add_score(struct command *command, struct prng *prng, unsigned key)
{
    static const char *const scores[KEYS] = {"0", "7", "-2.5", "inf"};
    command_add(command, key == 0 && prng_one_in(prng, 4) ? "-0" : scores[key]);
}

static void add_text(struct command *command, struct prng *prng, const char *before)
{
    struct bytes text = {0};
    bytes_append_text(&text, before);
    static const char alphabet[] = "ab\xff\x80m1";
    if (prng_one_in(prng, 4))
        bytes_format(&text, "%d", (int)prng_below(prng, 40));
    else
        for (uint64_t left = prng_below(prng, prng_one_in(prng, 10) ? 70 : 4); left > 0; left--)
            bytes_append(&text, &alphabet[prng_below(prng, sizeof(alphabet))], 1);
    command_add_bytes(command, text.data, text.size);
    bytes_release(&text);
}

static void add_bound(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 5))
        arg_lex_bound(command, prng);
    else if (prng_one_in(prng, 3))
        command_add(command, pick_word(prng, "-", "+"));
    else
        add_text(command, prng, pick_word(prng, "[", "("));
}

static void add_members(struct command *command, struct prng *prng, unsigned key, bool with_scores)
{
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 4) ? 60 : 6); left > 0; left--) {
        if (with_scores)
            add_score(command, prng, key);
        add_text(command, prng, "");
    }
}

static void generate_change(struct command *command, struct prng *prng, unsigned key)
{
    bool adding = prng_below(prng, 4) > 0;
    command_add(command, adding ? "ZADD" : "ZREM");
    add_key(command, key);
    add_members(command, prng, key, adding);
}

static void generate_old_range(struct command *command, struct prng *prng, unsigned key)
{
    command_add(command, pick_word(prng, "ZRANGEBYLEX", "ZREVRANGEBYLEX"));
    add_key(command, key);
    add_bound(command, prng);
    add_bound(command, prng);
    for (uint64_t left = prng_below(prng, 3); left > 0; left--)
        arg_limit(command, prng);
}

static void generate_range(struct command *command, struct prng *prng, unsigned key)
{
    bool is_store = prng_one_in(prng, 3);
    command_add(command, is_store ? "ZRANGESTORE" : "ZRANGE");
    if (is_store)
        command_add(command, "copy");
    add_key(command, key);
    add_bound(command, prng);
    add_bound(command, prng);
    command_add(command, "BYLEX");
    for (uint64_t left = prng_below(prng, 3); left > 0; left--) {
        if (prng_one_in(prng, 2))
            arg_limit(command, prng);
        else
            arg_word(command, prng, "REV", "REV", "REV", "WITHSCORES", "BYSCORE");
    }
}

static void generate_counted(struct command *command, struct prng *prng, unsigned key)
{
    command_add(command, prng_one_in(prng, 4) ? "ZREMRANGEBYLEX" : "ZLEXCOUNT");
    add_key(command, key);
    add_bound(command, prng);
    add_bound(command, prng);
}

static void generate_look(struct command *command, struct prng *prng, unsigned key)
{
    const char *name = pick_word(prng, "ZRANK", "ZREVRANK", "ZSCORE", "ZREVRANGE", "ZRANGE");
    command_add(command, name);
    add_key(command, key);
    if (name[strlen(name) - 1] != 'E' || name[1] == 'S') {
        add_text(command, prng, "");
        return;
    }
    arg_index(command, prng);
    arg_index(command, prng);
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "WITHSCORES");
}

static void generate_pop(struct command *command, struct prng *prng, unsigned key)
{
    command_add(command, pick_word(prng, "ZPOPMIN", "ZPOPMAX"));
    add_key(command, key);
    command_add_int(command, prng_between(prng, 0, 12));
}

static void generate_limits(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "SET");
    command_add(command, "zset-max-listpack-entries");
    command_add_int(command, prng_between(prng, 0, 40));
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *, unsigned) = {
        generate_change,    generate_change, generate_change, generate_old_range,
        generate_old_range, generate_range,  generate_range,  generate_counted,
        generate_counted,   generate_look,   generate_look,   generate_pop,
    };
    /* Mistakes by the harness could give a member another score. */
    command_verbatim(command);
    if (prng_one_in(prng, 50))
        generate_limits(command, prng);
    else
        kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng,
                                                                  (unsigned)prng_below(prng, KEYS));
}

static const char *const config[] = {"zset-max-listpack-entries", "20", "zset-max-listpack-value", "64",
                                     NULL};

const struct generator generator_zset_lex = {.name = "zset_lex", .config = config, .generate = generate};
