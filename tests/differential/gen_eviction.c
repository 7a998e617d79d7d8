/*
 * maxmemory as clients meet it, under an LFU policy: what is refused when nothing can be evicted, and what
 * is known about how often keys are used. Counters stand still above 6 here, because raising them further is
 * a matter of luck; keys have no deadlines, so volatile-lfu has nothing to evict.
 */

#include "differential/differential.h"

static void add_key(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "key:1", "key:2", "key:3", "key:4"));
}

/* No integers: Redis shares those below 10000 between keys, with the counter of whoever used one first. */
static void add_value(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "v", "a longer value, which is not embedded in its object", "abc"));
}

static void generate_limit(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "SET");
    command_add(command, "maxmemory");
    command_add(command, pick_word(prng, "1", "100", "0", "0", "100gb"));
    command_verbatim(command);
}

static void generate_object(struct command *command, struct prng *prng)
{
    command_add(command, "OBJECT");
    command_add(command, pick_word(prng, "FREQ", "FREQ", "FREQ", "IDLETIME", "ENCODING"));
    add_key(command, prng);
}

static void generate_restore(struct command *command, struct prng *prng)
{
    static const char payload[] = "\x00\x01v\n\x00\x91\b\xce\xb2\x19"
                                  "8\x8a\xce";
    command_add(command, "RESTORE");
    add_key(command, prng);
    command_add(command, "0");
    command_add_bytes(command, payload, sizeof(payload) - 1);
    if (prng_one_in(prng, 4))
        command_add(command, "REPLACE");
    if (prng_one_in(prng, 2)) {
        command_add(command, pick_word(prng, "FREQ", "FREQ", "FREQ", "IDLETIME"));
        command_add(command, pick_word(prng, "0", "1", "5", "6", "77", "255", "256", "-1", "x", ""));
    }
}

static void generate_write(struct command *command, struct prng *prng)
{
    static const char *const names[] = {"SET", "APPEND", "SETNX"};
    command_add(command, names[prng_below(prng, sizeof(names) / sizeof(names[0]))]);
    add_key(command, prng);
    add_value(command, prng);
}

/* Whatever else is allowed or denied without memory, on other keys. */
static void generate_other(struct command *command, struct prng *prng)
{
    static const char *const lines[][5] = {
        {"LPUSH", "list", "a"},
        {"RPOP", "list"},
        {"SADD", "set", "m"},
        {"SREM", "set", "m"},
        {"HSET", "h", "f", "v"},
        {"HDEL", "h", "f"},
        {"SETBIT", "bits", "7", "1"},
        {"EXISTS", "list"},
        {"DEL", "list", "set"},
        {"SUNIONSTORE", "set2", "set"},
        {"COPY", "set", "set3"},
        {"MSET", "a", "b", "c"},
        {"GET", "a"},
        {"PING"},
        {"DBSIZE"},
        {"SET", "a"},
        {"NOSUCH", "a"},
        {"INCR", "number"},
        {"PFADD", "hll", "x"},
        {"RENAME", "set3", "x"},
        {"GETEX", "a", "PERSIST"},
    };
    const char *const *words = lines[prng_below(prng, sizeof(lines) / sizeof(lines[0]))];
    for (int i = 0; i < 5 && words[i]; i++)
        command_add(command, words[i]);
    command_verbatim(command);
}

/* Inside of a transaction everything needs memory, to be queued. */
static void generate_transaction(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "UNWATCH", "WATCH"));
    if (command->text.data[0] == 'W')
        add_key(command, prng);
}

static void generate(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 11)) {
    case 0:
        generate_limit(command, prng);
        break;
    case 1:
    case 2:
    case 3:
        generate_object(command, prng);
        break;
    case 4:
        generate_restore(command, prng);
        break;
    case 5:
        command_add(command, pick_word(prng, "GET", "GET", "DEL", "TOUCH", "STRLEN", "PERSIST"));
        add_key(command, prng);
        break;
    case 6:
    case 7:
        generate_write(command, prng);
        break;
    case 8:
        generate_transaction(command, prng);
        break;
    default:
        generate_other(command, prng);
    }
}

static const char *const config[] = {
    "maxmemory",  "0", "maxmemory-policy", "volatile-lfu", "lfu-decay-time", "0", "lfu-log-factor",
    "2147483647", NULL};

const struct generator generator_eviction = {.name = "eviction", .config = config, .generate = generate};
