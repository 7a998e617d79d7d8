/*
 * SORT and SORT_RO. Lists, sets and sorted sets have keys of their own, beside them strings and hashes that
 * BY and GET find. What follows from the order in which a set is walked is compared in shape only: sets that
 * are not sorted, and equal weights under ALPHA, which only lists get here.
 *
 * No number is out of range: after one, redis-server refuses good numbers for a while, because it looks at
 * errno without clearing it.
 */

#include "differential/differential.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum source {
    SOURCE_NUMBERS, /* a list with nothing but numbers */
    SOURCE_LIST,
    SOURCE_SET,
    SOURCE_ZSET,
    SOURCE_ANY, /* a key of any type */
    SOURCE_COUNT,
};

static void add_source_key(struct command *command, struct prng *prng, enum source source)
{
    static const char *const names[] = {"numbers", "list", "set", "zset"};
    if (source == SOURCE_ANY)
        arg_key(command, prng);
    else
        command_format(command, "%s:%d", names[source], (int)prng_below(prng, 2));
}

static void add_number(struct command *command, struct prng *prng)
{
    static const char *const odd[] = {"",
                                      " 7",
                                      "0x10",
                                      "1e2",
                                      "+5",
                                      "007",
                                      "-0",
                                      "inf",
                                      "-inf",
                                      ".5",
                                      "5.",
                                      "-infinity",
                                      "3.0",
                                      "9007199254740993",
                                      "9223372036854775807"};
    if (prng_one_in(prng, 8))
        command_add(command, odd[prng_below(prng, COUNT_OF(odd))]);
    else if (prng_one_in(prng, 3))
        arg_valid_float(command, prng);
    else
        command_add_int(command, prng_between(prng, -5, 19));
}

static void add_element(struct command *command, struct prng *prng, enum source source)
{
    static const char *const texts[] = {"abc", "ABC", "\xc3\xa9", "\xff", "nan", "1 ", "1x"};
    if (source == SOURCE_NUMBERS && !prng_one_in(prng, 60))
        add_number(command, prng);
    else if (source == SOURCE_LIST && prng_one_in(prng, 30))
        command_add_bytes(command, "1\0z", 3); /* as text equal to 1 */
    else if (prng_one_in(prng, 12))
        command_add(command, texts[prng_below(prng, COUNT_OF(texts))]);
    else if (source != SOURCE_LIST && prng_one_in(prng, 2))
        command_add_int(command, prng_between(prng, 0, 19));
    else
        arg_member(command, prng);
}

static void generate_fill(struct command *command, struct prng *prng)
{
    static const char *const names[] = {"RPUSH", "LPUSH", "SADD", "ZADD"};
    enum source source = prng_below(prng, SOURCE_ANY);
    command_add(command, names[source]);
    add_source_key(command, prng, source);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 3) ? 16 : 4); left > 0; left--) {
        if (source == SOURCE_ZSET)
            arg_valid_float(command, prng);
        add_element(command, prng, source);
    }
}

/* What BY and GET find: "w_*" and "h_*->f". */
static void generate_weight(struct command *command, struct prng *prng)
{
    bool is_hash = prng_one_in(prng, 2);
    int number = (int)prng_below(prng, 20);
    const char *prefix = prng_one_in(prng, 3) ? "m" : "";
    command_add(command, is_hash ? "HSET" : "SET");
    command_format(command, "%s_%s%d", is_hash != prng_one_in(prng, 30) ? "h" : "w", prefix, number);
    if (is_hash)
        command_add(command, prng_one_in(prng, 3) ? "g" : "f");
    if (prng_one_in(prng, 12))
        arg_member(command, prng);
    else
        add_number(command, prng);
}

static void generate_removal(struct command *command, struct prng *prng)
{
    enum source source = prng_below(prng, SOURCE_COUNT);
    static const char *const names[] = {"DEL", "LPOP", "SPOP", "ZPOPMIN", "DEL"};
    command_add(command, prng_one_in(prng, 3) || source == SOURCE_SET ? "DEL" : names[source]);
    if (prng_one_in(prng, 3))
        command_format(command, "w_%d", (int)prng_below(prng, 20));
    else
        add_source_key(command, prng, source);
}

static void generate_look(struct command *command, struct prng *prng)
{
    bool is_encoding = prng_one_in(prng, 2);
    command_add(command, is_encoding ? "OBJECT" : "LRANGE");
    if (is_encoding)
        command_add(command, "ENCODING");
    if (prng_one_in(prng, 2))
        command_add(command, "sorted");
    else
        add_source_key(command, prng, prng_below(prng, SOURCE_COUNT));
    if (!is_encoding) {
        command_add(command, "0");
        command_add(command, "-1");
    }
}

static void add_pattern(struct command *command, struct prng *prng)
{
    static const char *const patterns[] = {"w_*",  "w_*",    "h_*->f", "h_*->f",    "h_*->g", "#",
                                           "none", "w_*->",  "*",      "h_*->none", "w_*->f", "h_*",
                                           "**",   "##",     "*w_",    "h_*->f->g", "",       "list:*",
                                           "->f",  "none_*", "w_->*",  "w_m*",      "*->f",   "#->f"};
    if (prng_one_in(prng, 30))
        command_add_bytes(command, "w_*\0->f", 7);
    else
        command_add(command, patterns[prng_below(prng, COUNT_OF(patterns))]);
}

static void add_by(struct command *command, struct prng *prng, bool keeps)
{
    arg_word(command, prng, "BY");
    if (keeps)
        command_add(command, prng_one_in(prng, 2) ? "nosort" : "#");
    else
        command_add(command, pick_word(prng, "w_*", "w_*", "h_*->f", "h_*->g", "none_*", "w_*->f", "*"));
}

static void add_limit(struct command *command, struct prng *prng)
{
    arg_word(command, prng, "LIMIT");
    arg_int_between(command, prng, -2, 8);
    if (!prng_one_in(prng, 30))
        arg_int_between(command, prng, -2, 12);
}

static void add_destination(struct command *command, struct prng *prng)
{
    arg_word(command, prng, "STORE");
    if (prng_one_in(prng, 8))
        add_source_key(command, prng, prng_below(prng, SOURCE_COUNT));
    else
        command_add(command, "sorted");
}

static void generate_sort(struct command *command, struct prng *prng)
{
    enum source source = prng_below(prng, SOURCE_COUNT);
    bool is_list = source <= SOURCE_LIST;
    bool is_store = prng_one_in(prng, 3);
    command_add(command, is_store || prng_one_in(prng, 2) ? "SORT" : "SORT_RO");
    add_source_key(command, prng, source);
    bool by_key = prng_one_in(prng, 3), keeps = !by_key && prng_one_in(prng, 4);
    bool as_text = (is_list || !by_key) && source != SOURCE_NUMBERS && !prng_one_in(prng, 4);
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "ASC", "DESC", "DESC");
    if (by_key || keeps)
        add_by(command, prng, keeps);
    bool any_order = keeps && (source == SOURCE_SET || source == SOURCE_ANY);
    while (!any_order && prng_one_in(prng, 3)) {
        arg_word(command, prng, "GET");
        add_pattern(command, prng);
    }
    if (is_list && prng_one_in(prng, 20))
        add_by(command, prng, prng_one_in(prng, 2));
    if (prng_one_in(prng, 3))
        add_limit(command, prng);
    if (as_text || (is_list && prng_one_in(prng, 8)))
        arg_word(command, prng, "ALPHA");
    if (is_store || prng_one_in(prng, 100))
        add_destination(command, prng);
    if (any_order)
        command_rule(command, REPLY_SHAPE);
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_fill,    generate_fill, generate_fill, generate_weight, generate_weight,
        generate_removal, generate_look, generate_sort, generate_sort,   generate_sort,
        generate_sort,    generate_sort, generate_sort, generate_sort,   generate_sort,
    };
    kinds[prng_below(prng, COUNT_OF(kinds))](command, prng);
}

static const char *const config[] = {"list-max-listpack-size", "8", "set-max-intset-entries", "12", NULL};

const struct generator generator_sort = {.name = "sort", .config = config, .generate = generate};
