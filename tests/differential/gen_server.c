/*
 * Commands about the server as a whole. Options that would change how the tests reach the servers, when those
 * save, or what their memory allows are left out; so are those that this server refuses to change.
 */

#include "differential/differential.h"

/* ---- options ---- */

#define NUMBERS                                                                                              \
    "hash-max-listpack-entries", "hash-max-ziplist-entries", "set-max-intset-entries",                       \
        "list-max-listpack-size", "list-compress-depth", "slowlog-max-len", "slowlog-log-slower-than",       \
        "lfu-log-factor", "active-expire-effort", "tcp-keepalive", "repl-ping-slave-period", "repl-timeout", \
        "acllog-max-len", "busy-reply-threshold", "lua-time-limit", "cluster-announce-port",                 \
        "slave-announce-port", "cluster-node-timeout", "tls-session-cache-size", "maxmemory-samples",        \
        "maxmemory-eviction-tenacity", "active-defrag-cycle-max", "stream-node-max-entries",                 \
        "tracking-table-max-keys", "shutdown-timeout", "auto-aof-rewrite-percentage", "key-load-delay"
#define SIZES                                                                                                \
    "hash-max-listpack-value", "zset-max-ziplist-value", "hll-sparse-max-bytes", "stream-node-max-bytes",    \
        "auto-aof-rewrite-min-size", "repl-backlog-size", "active-defrag-ignore-bytes",                      \
        "cluster-link-sendbuf-limit"
#define SWITCHES                                                                                             \
    "lazyfree-lazy-expire", "activerehashing", "replica-read-only", "slave-lazy-flush", "rdbcompression",    \
        "aof-load-truncated", "cluster-replica-no-failover", "crash-log-enabled", "dynamic-hz",              \
        "repl-diskless-sync", "protected-mode", "no-appendfsync-on-rewrite"
#define CHOICES                                                                                              \
    "maxmemory-policy", "appendfsync", "loglevel", "sanitize-dump-payload", "propagation-error-behavior",    \
        "cluster-preferred-endpoint-type", "repl-diskless-load", "acl-pubsub-default", "tls-auth-clients",   \
        "shutdown-on-sigint", "shutdown-on-sigterm"
#define LISTS                                                                                                \
    "latency-tracking-info-percentiles", "notify-keyspace-events", "client-output-buffer-limit",             \
        "oom-score-adj-values"
#define TEXTS                                                                                                \
    "masterauth", "masteruser", "replica-announce-ip", "cluster-announce-ip", "cluster-announce-hostname",   \
        "proc-title-template", "ignore-warnings"
#define UNCHANGEABLE                                                                                         \
    "daemonize", "databases", "slaveof", "replicaof", "unixsocketperm", "rdbchecksum", "io-threads", "dir",  \
        "dbfilename", "nosuch", "include", "user", "rename-command", "", "bind\r\nx"

static void add_choice(struct command *command, struct prng *prng)
{
    command_add(command,
                pick_word(prng, "noeviction", "allkeys-lru", "volatile-ttl", "always", "everysec", "no",
                          "yes", "debug", "notice", "WARNING", "clients", "ignore", "panic", "ip", "hostname",
                          "disabled", "swapdb", "allchannels", "optional", "default", "save", "nosave now",
                          "save nosave", "force now save", "default force", "", "bogus", " save"));
}

static void add_number(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        arg_int(command, prng);
    else
        command_add(command, pick_word(prng, "0", "1", "7", "10", "99", "100", "128", "129", "1000", "65535",
                                       "65536", "2147483647", "2147483648", "-1", "-2", "05", "+5", "5k",
                                       "5mb", "", " 5", "5 "));
}

static void add_size(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "0", "1", "100", "64", "1kb", "2K", "3mb", "1Mb", "1gb", "1g", "5b",
                                   "10tb", "1.5kb", "-1", "-1kb", "+1", "", "kb", "9223372036854775807",
                                   "9223372036854775808", "18446744073709551615", "x", "010", "1 kb"));
}

static void add_list(struct command *command, struct prng *prng)
{
    command_add(command,
                pick_word(prng, "", "50", "50 99 99.9", "0 100", "101", "-1", "nan", "5 x", "50  60",
                          "0.001 99.99999", "KEA", "Kg$lshzxet", "KEmn", "AKE", "q", "g$lshzxetdKEm", "m",
                          "pubsub 1mb 2kb 10", "replica 0 0 0", "slave 1 2 3 pubsub 4 5 6", "pubsub 1 2",
                          "master 0 0 0", "pubsub x 0 0", "pubsub 0 0 -1", "pubsub  0 0 0", "0 200 800",
                          "1 2 3", "1 2", "1 2 2001", "-1 0 1", "1 2 3 4"));
}

static void add_text(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "", "plain", "two words", "a.b-c", "{title}", "{title} {port}",
                                   "{bogus}", "{", "}", "with \"quotes\"", "caf\xc3\xa9"));
}

static void add_pair(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
        arg_word(command, prng, NUMBERS);
        add_number(command, prng);
        break;
    case 2:
        arg_word(command, prng, SIZES);
        add_size(command, prng);
        break;
    case 3:
        arg_word(command, prng, SWITCHES);
        command_add(command, pick_word(prng, "yes", "no", "YES", "No", "1", "true", "", "maybe"));
        break;
    case 4:
        arg_word(command, prng, CHOICES);
        add_choice(command, prng);
        break;
    case 5:
        arg_word(command, prng, LISTS);
        add_list(command, prng);
        break;
    case 6:
        arg_word(command, prng, TEXTS);
        add_text(command, prng);
        break;
    default:
        if (prng_one_in(prng, 2))
            arg_word(command, prng, UNCHANGEABLE);
        else
            arg_word(command, prng, NUMBERS);
        add_number(command, prng);
    }
}

static void generate_set(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "SET");
    for (int64_t left = prng_one_in(prng, 3) ? prng_between(prng, 2, 5) : 1; left > 0; left--)
        add_pair(command, prng);
    if (prng_one_in(prng, 30))
        command_add(command, "hz");
    command_verbatim(command);
}

static void generate_get(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "GET");
    for (int64_t left = prng_between(prng, 1, 3); left > 0; left--) {
        if (prng_one_in(prng, 3))
            arg_word(command, prng, "hash-*", "*listpack*", "slave-*", "cluster-*", "no-*", "append*",
                     "lazy*", "lfu*", "*timeout", "repl*", "*-delay", "*percentiles", "shutdown-*",
                     "tls-[c-k]*", "?ash-max-*", "nosuch*", "[", "oom*", "notify*", "client-o*",
                     "max*samples");
        else
            arg_word(command, prng, NUMBERS, SIZES, SWITCHES, CHOICES, LISTS, TEXTS, "databases", "slaveof",
                     "unixsocketperm", "rdb-key-save-delay", "nosuch", "save");
    }
    command_rule(command, REPLY_UNORDERED_PAIRS);
    command_verbatim(command);
}

static void generate_config(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 12)) {
    case 0:
        command_add(command, "CONFIG");
        command_add(command, pick_word(prng, "RESETSTAT", "REWRITE", "nosuch"));
        break;
    case 1:
    case 2:
    case 3:
        generate_get(command, prng);
        break;
    default:
        generate_set(command, prng);
    }
}

/* ---- databases ---- */

static void add_database(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 5))
        arg_int(command, prng);
    else
        command_add(command, pick_word(prng, "0", "0", "1", "2", "15", "16", "-1", "x"));
}

static void generate_databases(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 7)) {
    case 0:
        command_add(command, "SWAPDB");
        add_database(command, prng);
        add_database(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "FLUSHDB", "FLUSHALL"));
        if (prng_one_in(prng, 2))
            arg_word(command, prng, "ASYNC", "SYNC");
        break;
    case 2:
        command_add(command, "SELECT");
        command_add(command, pick_word(prng, "0", "0", "1", "2"));
        break;
    case 3:
        command_add(command, "DBSIZE");
        break;
    default:
        command_add(command, pick_word(prng, "SET", "GET", "EXISTS"));
        arg_key(command, prng);
        if (command->text.size && command->text.data[0] == 'S')
            arg_member(command, prng);
    }
}

/* ---- everything else ---- */

static void generate_shutdown(struct command *command, struct prng *prng)
{
    static const char *const refused[][3] = {{"SAVE", "NOSAVE", NULL},  {"ABORT", NULL, NULL},
                                             {"ABORT", "NOW", NULL},    {"NOW", "FORCE", "x"},
                                             {"nosave", "abort", NULL}, {"abort", "abort", NULL},
                                             {"nosuch", NULL, NULL},    {"save", "force", "nosave"}};
    const char *const *words = refused[prng_below(prng, sizeof(refused) / sizeof(refused[0]))];
    command_add(command, "SHUTDOWN");
    for (int i = 0; i < 3 && words[i]; i++)
        command_add(command, words[i]);
    command_verbatim(command);
}

static void generate_memory(struct command *command, struct prng *prng)
{
    command_add(command, "MEMORY");
    if (prng_one_in(prng, 3)) {
        command_add(command, pick_word(prng, "DOCTOR", "HELP", "PURGE", "nosuch"));
        command_rule(command, REPLY_TYPE);
        return;
    }
    command_add(command, "USAGE");
    arg_key(command, prng);
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "SAMPLES");
        add_number(command, prng);
    }
    command_rule(command, REPLY_TYPE);
}

static void generate_info(struct command *command, struct prng *prng)
{
    command_add(command, "INFO");
    for (int64_t left = prng_between(prng, 1, 2); left > 0; left--)
        arg_word(command, prng, "cluster", "modules", "nosuch", "CLUSTER", "");
    command_verbatim(command);
}

static void generate_other(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 9)) {
    case 0:
        generate_shutdown(command, prng);
        break;
    case 1:
        generate_memory(command, prng);
        break;
    case 2:
        generate_info(command, prng);
        break;
    case 3:
        command_add(command, "ROLE");
        break;
    case 4:
        command_add(command, pick_word(prng, "TIME", "LASTSAVE"));
        command_rule(command, REPLY_TYPE);
        break;
    case 5:
        command_add(command, "MODULE");
        command_add(command, pick_word(prng, "LIST", "nosuch"));
        break;
    case 6:
        command_add(command, "WAIT");
        command_add(command, pick_word(prng, "0", "-1", "x", ""));
        command_add(command, pick_word(prng, "1", "-1", "x", "0", ""));
        command_verbatim(command); /* a positive number waits for replicas */
        break;
    case 7:
        command_add(command, "BGSAVE");
        command_add(command, pick_word(prng, "x", "SCHEDULED", ""));
        command_verbatim(command); /* a valid one ends when it likes */
        break;
    default:
        command_add(command, "LOLWUT");
        if (prng_one_in(prng, 2)) {
            command_add(command, "VERSION");
            command_add(command, pick_word(prng, "5", "6", "x"));
        }
        command_rule(command, REPLY_TYPE);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        generate_databases(command, prng);
        break;
    case 1:
        generate_other(command, prng);
        break;
    default:
        generate_config(command, prng);
    }
}

const struct generator generator_server = {.name = "server", .generate = generate};
