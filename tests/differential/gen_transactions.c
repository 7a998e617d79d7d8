/*
 * Transactions over several connections. Connections 0 and 1 watch, queue and execute; what they queue is
 * answered exactly, so that replies can be compared inside EXEC as well as outside. Connections 2 and 3 run
 * commands of the other families, which break watches, or must not. Monitors and whole transactions, with
 * everything that may end one, are conversations on connections of their own.
 */

#include "differential/generators.h"

#include <stdio.h>
#include <string.h>

enum { TRANSACTION_CLIENTS = 2 };

/* ---- what differs by nature ---- */

/* A field whose value is left out up to the end character; a single letter counts at the start of a line. */
struct hidden {
    const char *start;
    char end;
};

static size_t hidden_at(const struct bytes *frame, size_t at, const struct hidden *hidden)
{
    size_t length = strlen(hidden->start);
    if (length == 1 && at > 0 && frame->data[at - 1] != '\n')
        return 0;
    return frame->size - at >= length && memcmp(frame->data + at, hidden->start, length) == 0 ? length : 0;
}

/* Lines of MONITOR: time and address; CLIENT INFO: what counts memory, and lengths that depend on it. */
static void normalize(struct bytes *frame)
{
    static const struct hidden hidden[] = {
        {"+1", ' '},          {" 127.0.0.1:", ']'},  {" unix:", ']'},      {"id=", ' '},
        {" addr=", ' '},      {" laddr=", ' '},      {" fd=", ' '},        {" age=", ' '},
        {" idle=", ' '},      {" qbuf=", ' '},       {" qbuf-free=", ' '}, {" argv-mem=", ' '},
        {" multi-mem=", ' '}, {" rbs=", ' '},        {" rbp=", ' '},       {" obl=", ' '},
        {" oll=", ' '},       {" omem=", ' '},       {" tot-mem=", ' '},   {"$", '\r'},
        {"=", '\r'},          {"\r\nid\r\n:", '\r'},
    };
    struct bytes kept = {0};
    for (size_t at = 0; at < frame->size;) {
        size_t length = 0, i = 0;
        while (i < sizeof(hidden) / sizeof(hidden[0]) && (length = hidden_at(frame, at, &hidden[i])) == 0)
            i++;
        bytes_append(&kept, frame->data + at, length ? length : 1);
        at += length ? length : 1;
        while (length && at < frame->size && frame->data[at] != hidden[i].end)
            at++;
    }
    bytes_release(frame);
    *frame = kept;
}

/* ---- commands that may be queued ---- */

static void generate_string(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "SET", "GET", "INCR", "APPEND", "GETDEL", "SETNX", "DECRBY", "GETSET");
    command_add(command, name);
    arg_key(command, prng);
    if (strcmp(name, "DECRBY") == 0)
        arg_int(command, prng);
    else if (strcmp(name, "GET") != 0 && strcmp(name, "INCR") != 0 && strcmp(name, "GETDEL") != 0)
        arg_value(command, prng);
}

static void generate_collection(struct command *command, struct prng *prng)
{
    const char *name =
        pick_word(prng, "LPUSH", "RPOP", "LRANGE", "HSET", "HGET", "SADD", "SREM", "ZADD", "LLEN");
    command_add(command, name);
    arg_key(command, prng);
    if (strcmp(name, "LRANGE") == 0) {
        arg_index(command, prng);
        arg_index(command, prng);
    } else if (strcmp(name, "ZADD") == 0) {
        arg_valid_int(command, prng);
    } else if (strcmp(name, "HSET") == 0) {
        arg_member(command, prng);
    }
    if (strcmp(name, "RPOP") != 0 && strcmp(name, "LRANGE") != 0 && strcmp(name, "LLEN") != 0)
        arg_member(command, prng);
}

static void generate_keys(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "DEL", "EXISTS", "TYPE", "PERSIST", "RENAME", "COPY", "MOVE",
                                 "EXPIREAT", "FLUSHDB", "SWAPDB");
    command_add(command, name);
    if (strcmp(name, "SWAPDB") == 0) {
        command_add_int(command, (int64_t)prng_below(prng, 3));
        command_add_int(command, (int64_t)prng_below(prng, 3));
        return;
    }
    if (strcmp(name, "FLUSHDB") == 0)
        return;
    arg_key(command, prng);
    if (strcmp(name, "RENAME") == 0 || strcmp(name, "COPY") == 0)
        arg_key(command, prng);
    else if (strcmp(name, "MOVE") == 0)
        command_add_int(command, (int64_t)prng_below(prng, 3));
    else if (strcmp(name, "EXPIREAT") == 0)
        arg_moment(command, prng, 1000);
}

static void generate_other(struct command *command, struct prng *prng)
{
    static const char *const lines[] = {
        "PING",        "UNWATCH",          "DBSIZE",          "CLIENT GETNAME",
        "CLIENT INFO", "CLIENT nosuch",    "nosuch",          "SAVE",
        "MONITOR x",   "WAIT 0 0",         "OBJECT nosuch k", "CONFIG",
        "ECHO x",      "CLIENT SETNAME me"};
    char words[64];
    snprintf(words, sizeof(words), "%s", lines[prng_below(prng, sizeof(lines) / sizeof(lines[0]))]);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        command_add(command, word);
    command_verbatim(command);
}

static void generate_queueable(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
    case 2:
        generate_string(command, prng);
        break;
    case 3:
    case 4:
        generate_collection(command, prng);
        break;
    case 5:
    case 6:
        generate_keys(command, prng);
        break;
    default:
        generate_other(command, prng);
    }
}

/* ---- transactions ---- */

static void generate_transaction(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 12)) {
    case 0:
    case 1:
        command_add(command, "MULTI");
        break;
    case 2:
    case 3:
        command_add(command, "EXEC");
        command_verbatim(command); /* the harness must not add an argument where nothing is to be aborted */
        break;
    case 4:
    case 5:
        command_add(command, "WATCH");
        arg_keys(command, prng, 1, 4);
        break;
    case 6:
        command_add(command, pick_word(prng, "DISCARD", "UNWATCH", "UNWATCH", "RESET"));
        command_verbatim(command);
        if (prng_one_in(prng, 8))
            command_add(command, "x");
        break;
    case 7:
        command_add(command, "SELECT");
        command_add_int(command, (int64_t)prng_below(prng, 3));
        break;
    default:
        generate_queueable(command, prng);
    }
    command_normalize(command, normalize);
    command_client(command, (unsigned)prng_below(prng, TRANSACTION_CLIENTS));
}

/* Anything of the families that change keys, except what needs a connection of its own or a moment. */
static void generate_change(struct command *command, struct prng *prng)
{
    extern const struct generator generator_bitmap, generator_geo, generator_hash, generator_hyperloglog,
        generator_list, generator_set, generator_string, generator_zset;
    const struct generator *const families[] = {&generator_bitmap,      &generator_geo,  &generator_hash,
                                                &generator_hyperloglog, &generator_list, &generator_set,
                                                &generator_string,      &generator_zset};
    families[prng_below(prng, sizeof(families) / sizeof(families[0]))]->generate(command, prng);
    if (command->raw || command->frames != 1 || command->pause_ms || command->client)
        return;
    command_client(command,
                   TRANSACTION_CLIENTS + (unsigned)prng_below(prng, COMMAND_CLIENTS - TRANSACTION_CLIENTS));
}

/* ---- conversations ---- */

static void generate_conversation(struct command *command, struct prng *prng)
{
    static const char *const lines[] = {
        "MULTI",
        "MULTI",
        "MULTI",
        "EXEC",
        "EXEC",
        "EXEC",
        "EXEC x",
        "DISCARD",
        "WATCH {k}",
        "UNWATCH",
        "PING",
        "PING",
        "ECHO \"a\\n\\\"\\x01\\xff\\\\\"",
        "SET {k} v",
        "GET {k}",
        "INCR {k}",
        "DEL {k}",
        "CLIENT REPLY OFF",
        "CLIENT REPLY ON",
        "CLIENT REPLY ON",
        "CLIENT REPLY SKIP",
        "CLIENT INFO",
        "HELLO 3",
        "HELLO 2",
        "HELLO 2 AUTH default x SETNAME y",
        "AUTH x",
        "AUTH default x",
        "RESET",
        "QUIT",
        "MONITOR",
        "MONITOR",
        "SELECT 2",
        "SELECT 99",
        "nosuch",
        "GET",
        "SUBSCRIBE c",
        "PUBLISH c m",
        "UNSUBSCRIBE",
        "BGSAVE x",
        "CONFIG GET nosuch",
        "CLIENT PAUSE 0",
        "CLIENT UNPAUSE",
        "SWAPDB 0 2",
        "DBSIZE",
        "OBJECT ENCODING none",
    };
    struct bytes bytes = {0};
    for (uint64_t left = 3 + prng_below(prng, 20); left > 0; left--)
        bytes_format(&bytes, "%s\r\n", lines[prng_below(prng, sizeof(lines) / sizeof(lines[0]))]);
    command_raw(command, bytes.data, bytes.size);
    bytes_release(&bytes);
    command_normalize(command, normalize);
}

static void generate(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 16))
        generate_conversation(command, prng);
    else if (prng_one_in(prng, 3))
        generate_change(command, prng);
    else
        generate_transaction(command, prng);
}

const struct generator generator_transactions = {.name = "transactions", .generate = generate};
