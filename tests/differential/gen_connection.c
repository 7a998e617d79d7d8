/*
 * Commands about the connection and its surroundings: AUTH, HELLO, SELECT, RESET, QUIT, CLIENT, and the logs
 * that SLOWLOG and LATENCY show. Whole conversations with CLIENT REPLY go over connections of their own.
 */

#include "differential/differential.h"

#include <string.h>

/* ---- what differs by nature ---- */

/* Something whose value is not compared: from behind the word up to the end character. */
struct blank {
    const char *word;
    char end;
    bool at_line_start;
};

static size_t blank_at(const struct bytes *frame, size_t at, const struct blank *blank)
{
    size_t length = strlen(blank->word);
    if (frame->size - at < length || memcmp(frame->data + at, blank->word, length) != 0)
        return 0;
    return blank->at_line_start && at > 0 && frame->data[at - 1] != '\n' ? 0 : length;
}

static void blank_all(struct bytes *frame, const struct blank *blanks, size_t count)
{
    struct bytes kept = {0};
    for (size_t at = 0; at < frame->size;) {
        size_t length = 0, i = 0;
        while (i < count && (length = blank_at(frame, at, &blanks[i])) == 0)
            i++;
        bytes_append(&kept, frame->data + at, length ? length : 1);
        at += length ? length : 1;
        while (length && at < frame->size && frame->data[at] != blanks[i].end)
            at++;
    }
    bytes_release(frame);
    *frame = kept;
}

static void normalize_hello(struct bytes *frame)
{
    static const struct blank blanks[] = {{"$2\r\nid\r\n:", '\r', false}};
    blank_all(frame, blanks, 1);
}

/* CLIENT LIST: leaves what is the same on both servers. */
static void normalize_client(struct bytes *frame)
{
    static const struct blank blanks[] = {
        {"$", '\r', true},           {"=", '\r', true},       {"id=", ' ', false},
        {" addr=", ' ', false},      {" laddr=", ' ', false}, {" fd=", ' ', false},
        {" age=", ' ', false},       {" idle=", ' ', false},  {" qbuf=", ' ', false},
        {" qbuf-free=", ' ', false}, {" rbs=", ' ', false},   {" rbp=", ' ', false},
        {" obl=", ' ', false},       {" oll=", ' ', false},   {" omem=", ' ', false},
        {" tot-mem=", ' ', false},
    };
    blank_all(frame, blanks, sizeof(blanks) / sizeof(blanks[0]));
}

/* ---- single commands ---- */

static void arg_name(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        arg_value(command, prng);
    else
        command_add(command,
                    pick_word(prng, "alice", "bob", "", "a b", "a\n", "\xc3\xa9", "!~", "\x7f", "x-1.y_z"));
}

static void generate_auth(struct command *command, struct prng *prng)
{
    command_add(command, "AUTH");
    if (prng_one_in(prng, 2))
        command_add(command, pick_word(prng, "default", "DEFAULT", "nobody", ""));
    arg_member(command, prng);
}

static void generate_hello(struct command *command, struct prng *prng)
{
    command_add(command, "HELLO");
    command_normalize(command, normalize_hello);
    if (prng_one_in(prng, 4))
        return;
    command_add(command, pick_word(prng, "2", "3", "2", "3", "1", "4", "x", "", "03", "9223372036854775808"));
    while (prng_one_in(prng, 2)) {
        if (prng_one_in(prng, 2)) {
            arg_word(command, prng, "AUTH");
            command_add(command, pick_word(prng, "default", "default", "nobody"));
            arg_member(command, prng);
        } else {
            arg_word(command, prng, "SETNAME");
            arg_name(command, prng);
        }
    }
}

static void generate_simple(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "PING", "PING", "ECHO", "SELECT", "RESET", "QUIT");
    command_add(command, name);
    if (strcmp(name, "SELECT") == 0)
        arg_int_between(command, prng, 0, 15);
    else if (strcmp(name, "ECHO") == 0 || (strcmp(name, "PING") == 0 && prng_one_in(prng, 2)))
        arg_value(command, prng);
    else if (strcmp(name, "QUIT") == 0 && !prng_one_in(prng, 8))
        command_verbatim(command);
}

static void generate_client_own(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "SETNAME", "GETNAME", "NO-EVICT", "GETREDIR", "TRACKINGINFO", "REPLY",
                                 "INFO", "LIST", "ID", "nosuch", "HELP");
    command_add(command, name);
    if (strcmp(name, "SETNAME") == 0) {
        arg_name(command, prng);
    } else if (strcmp(name, "NO-EVICT") == 0) {
        arg_word(command, prng, "ON", "OFF", "maybe");
    } else if (strcmp(name, "REPLY") == 0) {
        command_add(command, pick_word(prng, "ON", "on", "maybe", ""));
        command_verbatim(command);
    } else if (strcmp(name, "INFO") == 0) {
        command_normalize(command, normalize_client);
        command_verbatim(command);
    } else if (strcmp(name, "ID") == 0 || strcmp(name, "HELP") == 0) {
        command_rule(command, REPLY_TYPE);
        command_verbatim(command);
    } else if (strcmp(name, "LIST") == 0) {
        command_verbatim(command);
        if (prng_one_in(prng, 2)) {
            arg_word(command, prng, "TYPE");
            arg_word(command, prng, "replica", "slave", "master", "pubsub", "PUBSUB", "nobody");
            command_normalize(command, normalize_client);
        } else if (prng_one_in(prng, 2)) {
            command_add(command, "ID");
            command_add(command, pick_word(prng, "0", "-1", "x", "1000000", "1.5", ""));
        } else {
            command_rule(command, REPLY_TYPE);
        }
    }
}

/* Filters that fit nobody, or are wrong. */
static void generate_client_kill(struct command *command, struct prng *prng)
{
    command_add(command, "KILL");
    command_verbatim(command);
    if (prng_one_in(prng, 5)) {
        command_add(command, pick_word(prng, "127.0.0.1:1", "nowhere", ""));
        return;
    }
    do {
        switch (prng_below(prng, 6)) {
        case 0:
            arg_word(command, prng, "ID");
            command_add(command, pick_word(prng, "0", "-1", "x", "100000000", "9223372036854775808"));
            break;
        case 1:
            arg_word(command, prng, "TYPE");
            command_add(command, pick_word(prng, "replica", "slave", "MASTER", "pubsub", "nobody"));
            break;
        case 2:
            arg_word(command, prng, "USER");
            command_add(command, "nobody");
            break;
        case 3:
            arg_word(command, prng, "ADDR", "LADDR");
            command_add(command, "127.0.0.1:1");
            break;
        case 4:
            arg_word(command, prng, "ID");
            command_add(command, "100000000");
            arg_word(command, prng, "SKIPME");
            arg_word(command, prng, "YES", "NO");
            break;
        default:
            command_add(command, pick_word(prng, "MAXAGE", "TYPE", "ID", "SKIPME"));
            command_add(command, pick_word(prng, "maybe", "0"));
        }
    } while (prng_one_in(prng, 3));
}

static void generate_client(struct command *command, struct prng *prng)
{
    command_add(command, "CLIENT");
    if (prng_one_in(prng, 4))
        generate_client_kill(command, prng);
    else
        generate_client_own(command, prng);
}

static void generate_logs(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 2)) {
        command_add(command, "SLOWLOG");
        const char *name = pick_word(prng, "GET", "GET", "LEN", "RESET", "HELP", "nosuch");
        command_add(command, name);
        if (strcmp(name, "HELP") == 0)
            command_rule(command, REPLY_TYPE);
        if (strcmp(name, "GET") == 0 && prng_one_in(prng, 2))
            command_add(command, pick_word(prng, "0", "1", "-1", "-2", "x", "9223372036854775807"));
        if (strcmp(name, "GET") == 0 && prng_one_in(prng, 8))
            command_add(command, "1");
        return;
    }
    command_add(command, "LATENCY");
    const char *name =
        pick_word(prng, "LATEST", "HISTORY", "RESET", "HISTOGRAM", "GRAPH", "DOCTOR", "HELP", "nosuch");
    command_add(command, name);
    if (strcmp(name, "DOCTOR") == 0 || strcmp(name, "HELP") == 0)
        command_rule(command, REPLY_TYPE);
    if (strcmp(name, "HISTOGRAM") == 0) {
        command_add(command, pick_word(prng, "nosuch", "config|nosuch", "bitop", "get|x", ""));
        command_verbatim(command);
    } else if (strcmp(name, "HISTORY") == 0 || strcmp(name, "GRAPH") == 0 || strcmp(name, "RESET") == 0) {
        command_add(command, pick_word(prng, "command", "fork", "nosuch", ""));
    }
}

/* ---- conversations ---- */

static void generate_conversation(struct command *command, struct prng *prng)
{
    static const char *const lines[] = {
        "CLIENT REPLY OFF",
        "CLIENT REPLY ON",
        "CLIENT REPLY SKIP",
        "CLIENT REPLY OFF",
        "CLIENT REPLY ON",
        "CLIENT REPLY SKIP",
        "CLIENT REPLY nonsense",
        "PING",
        "PING one",
        "ECHO two",
        "GET",
        "nosuch command",
        "SELECT 3",
        "SELECT 99",
        "RESET",
        "CLIENT SETNAME me",
        "CLIENT GETNAME",
        "HELLO 3",
        "HELLO 2",
        "QUIT",
        "CLIENT NO-EVICT on",
        "CLIENT INFO",
        "HELLO 9",
        "SLOWLOG LEN",
        "AUTH x",
        "CLIENT KILL TYPE normal ID 100000000",
    };
    struct bytes bytes = {0};
    for (uint64_t left = 2 + prng_below(prng, 12); left > 0; left--)
        bytes_format(&bytes, "%s\r\n", lines[prng_below(prng, sizeof(lines) / sizeof(lines[0]))]);
    command_raw(command, bytes.data, bytes.size);
    bytes_release(&bytes);
}

static void normalize_conversation(struct bytes *all)
{
    normalize_hello(all);
    normalize_client(all);
}

static void generate(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        generate_auth(command, prng);
        break;
    case 1:
        generate_hello(command, prng);
        break;
    case 2:
    case 3:
        generate_simple(command, prng);
        break;
    case 4:
    case 5:
        generate_client(command, prng);
        break;
    case 6:
        generate_logs(command, prng);
        break;
    default:
        generate_conversation(command, prng);
        command_normalize(command, normalize_conversation);
    }
    command_client(command, (unsigned)prng_below(prng, COMMAND_CLIENTS));
}

static const char *const config[] = {"slowlog-log-slower-than", "-1", "latency-monitor-threshold", "0", NULL};

const struct generator generator_connection = {.name = "connection", .config = config, .generate = generate};
