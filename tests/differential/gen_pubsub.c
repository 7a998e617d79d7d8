/*
 * Publish/subscribe over several connections. Connection 3 never subscribes; it publishes, looks and makes
 * events of keys. The others subscribe, publish and change dialects; whatever they receive, asked for or not,
 * is compared as one stream. A client's own commands cause events before they reply: elsewhere Redis mixes
 * both.
 */

#include "differential/differential.h"

enum { LOOKER = COMMAND_CLIENTS - 1 };

static void add_channel(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 20))
        arg_binary(command, prng, 40);
    else
        command_add(command, pick_word(prng, "a", "b", "ab", "ba", "abc", "news.1", "news.2", ""));
}

static void add_pattern(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 20))
        arg_pattern(command, prng);
    else
        command_add(command, pick_word(prng, "*", "a*", "*b", "?", "news.[12]", "[^a]*", "a", "\\*",
                                       "__key*__:*", "__keyevent@0__:del"));
}

static void generate_subscription(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE",
                                 "PUNSUBSCRIBE", "SUNSUBSCRIBE");
    command_add(command, name);
    if (name[0] == 'U' || name[1] == 'U') {
        if (prng_one_in(prng, 3))
            return;
    } else if (prng_one_in(prng, 40)) {
        return; /* too few arguments */
    }
    for (uint64_t left = 1 + prng_below(prng, 3); left > 0; left--) {
        if (name[0] == 'P')
            add_pattern(command, prng);
        else
            add_channel(command, prng);
    }
}

static void generate_publish(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "PUBLISH", "PUBLISH", "PUBLISH", "SPUBLISH"));
    add_channel(command, prng);
    arg_value(command, prng);
}

static void generate_other(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
        command_add(command, "PING");
        if (prng_one_in(prng, 2))
            arg_value(command, prng);
        break;
    case 2:
        command_add(command, "HELLO");
        command_add(command, pick_word(prng, "2", "3", "3", "4"));
        break;
    case 3:
        command_add(command, pick_word(prng, "RESET", "RESET", "RESET", "QUIT"));
        break;
    case 4:
        command_add(command, "CLIENT");
        command_add(command, "REPLY");
        command_add(command, pick_word(prng, "SKIP", "SKIP", "ON"));
        break;
    case 5:
        command_add(command, pick_word(prng, "SET", "APPEND"));
        arg_key(command, prng);
        arg_member(command, prng);
        break;
    case 6:
        command_add(command, pick_word(prng, "GET", "DEL", "STRLEN"));
        arg_key(command, prng);
        break;
    default:
        command_add(command, "PUBSUB");
        command_add(command, pick_word(prng, "NUMPAT", "NUMSUB", "nosuch"));
    }
}

static void generate_look(struct command *command, struct prng *prng)
{
    const char *name =
        pick_word(prng, "CHANNELS", "SHARDCHANNELS", "NUMSUB", "SHARDNUMSUB", "NUMPAT", "nosuch");
    command_add(command, "PUBSUB");
    command_add(command, name);
    if (name[0] == 'C' || name[5] == 'C') {
        command_rule(command, REPLY_UNORDERED);
        if (prng_one_in(prng, 2))
            add_pattern(command, prng);
    } else if (name[3] == 'S' || name[5] == 'N') {
        for (uint64_t left = prng_below(prng, 4); left > 0; left--)
            add_channel(command, prng);
    }
}

static void generate_of_looker(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        generate_look(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "SET", "APPEND", "LPUSH"));
        arg_key(command, prng);
        arg_member(command, prng);
        break;
    case 2:
        command_add(command, pick_word(prng, "DEL", "GET"));
        arg_key(command, prng);
        break;
    default:
        generate_publish(command, prng);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    unsigned client = (unsigned)prng_below(prng, COMMAND_CLIENTS);
    command_client(command, client);
    command_verbatim(command);
    if (client == LOOKER) {
        generate_of_looker(command, prng);
        return;
    }
    command_stream(command);
    if (prng_one_in(prng, 2))
        generate_subscription(command, prng);
    else if (prng_one_in(prng, 2))
        generate_publish(command, prng);
    else
        generate_other(command, prng);
}

static const char *const config[] = {"notify-keyspace-events", "KEA", NULL};

const struct generator generator_pubsub = {.name = "pubsub", .config = config, .generate = generate};
