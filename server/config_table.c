/*
 * The table of options: every option of Redis 7.0.15 with its name, kind, bounds and default, as
 * redis-server reports them. Constant data.
 */
#include "config_table.h"

#include <ctype.h>
#include <string.h>
#include <syslog.h>

/* ---- choices ---- */

static const struct config_choice access_choices[] = {
    {"no", CONFIG_ACCESS_NO}, {"yes", CONFIG_ACCESS_YES}, {"local", CONFIG_ACCESS_LOCAL}, {0}};

static const struct config_choice loglevel_choices[] = {{"debug", LOG_LEVEL_DEBUG},
                                                        {"verbose", LOG_LEVEL_VERBOSE},
                                                        {"notice", LOG_LEVEL_NOTICE},
                                                        {"warning", LOG_LEVEL_WARNING},
                                                        {0}};

static const struct config_choice oom_choices[] = {{"no", CONFIG_OOM_NO},
                                                   {"yes", CONFIG_OOM_RELATIVE},
                                                   {"relative", CONFIG_OOM_RELATIVE},
                                                   {"absolute", CONFIG_OOM_ABSOLUTE},
                                                   {0}};

static const struct config_choice supervised_choices[] = {{"upstart", CONFIG_SUPERVISED_UPSTART},
                                                          {"systemd", CONFIG_SUPERVISED_SYSTEMD},
                                                          {"auto", CONFIG_SUPERVISED_AUTO},
                                                          {"no", CONFIG_SUPERVISED_NO},
                                                          {0}};

static const struct config_choice facility_choices[] = {{"user", LOG_USER},     {"local0", LOG_LOCAL0},
                                                        {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
                                                        {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
                                                        {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
                                                        {"local7", LOG_LOCAL7}, {0}};

static const struct config_choice shutdown_choices[] = {
    {"default", 0},        {"save", SHUTDOWN_SAVE},   {"nosave", SHUTDOWN_NOSAVE},
    {"now", SHUTDOWN_NOW}, {"force", SHUTDOWN_FORCE}, {0}};

static const struct config_choice policy_choices[] = {{"volatile-lru", EVICTION_VOLATILE_LRU},
                                                      {"volatile-lfu", EVICTION_VOLATILE_LFU},
                                                      {"volatile-random", EVICTION_VOLATILE_RANDOM},
                                                      {"volatile-ttl", EVICTION_VOLATILE_TTL},
                                                      {"allkeys-lru", EVICTION_ALLKEYS_LRU},
                                                      {"allkeys-lfu", EVICTION_ALLKEYS_LFU},
                                                      {"allkeys-random", EVICTION_ALLKEYS_RANDOM},
                                                      {"noeviction", EVICTION_NONE},
                                                      {0}};

static const struct config_choice acl_pubsub_choices[] = {{"allchannels", 1}, {"resetchannels", 0}, {0}};

/* Of options that nothing depends on yet: the numbers mean nothing. */
static const struct config_choice appendfsync_choices[] = {{"everysec", 1}, {"always", 2}, {"no", 0}, {0}};
static const struct config_choice auth_clients_choices[] = {{"no", 0}, {"yes", 1}, {"optional", 2}, {0}};
static const struct config_choice diskless_load_choices[] = {
    {"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2}, {0}};
static const struct config_choice endpoint_choices[] = {
    {"ip", 0}, {"hostname", 1}, {"unknown-endpoint", 2}, {0}};
static const struct config_choice propagation_choices[] = {
    {"ignore", 0}, {"panic", 1}, {"panic-on-replicas", 2}, {0}};
static const struct config_choice sanitize_choices[] = {{"no", 0}, {"yes", 1}, {"clients", 2}, {0}};

/* ---- checks of texts ---- */

static const char *check_dbfilename(const char *text)
{
    return strchr(text, '/') ? "dbfilename can't be a path, just a filename" : NULL;
}

static const char *check_appendfilename(const char *text)
{
    if (!text[0])
        return "appendfilename can't be empty";
    return strchr(text, '/') ? "appendfilename can't be a path, just a filename" : NULL;
}

static const char *check_appenddirname(const char *text)
{
    if (!text[0])
        return "appenddirname can't be empty";
    return strchr(text, '/') ? "appenddirname can't be a path, just a dirname" : NULL;
}

static const char *check_hostname(const char *text)
{
    for (; *text; text++) {
        if (!isalnum((unsigned char)*text) && *text != '-' && *text != '.')
            return "Hostnames may only contain alphanumeric characters, hyphens or dots";
    }
    return NULL;
}

/* Redis refuses what gives an empty title in a server that is no cluster and whose own name is empty. */
static const char *check_title_template(const char *text)
{
    static const struct {
        const char *name;
        bool is_empty;
    } variables[] = {{"{title}", true},       {"{listen-addr}", false}, {"{server-mode}", true},
                     {"{port}", false},       {"{tls-port}", false},    {"{unixsocket}", false},
                     {"{config-file}", false}};
    static const char invalid[] = "template format is invalid or contains unknown variables";
    bool is_empty = true;
    while (*text) {
        size_t length = *text != '{';
        bool adds_nothing = *text == ' ';
        for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && !length; i++) {
            if (strncmp(text, variables[i].name, strlen(variables[i].name)) == 0) {
                length = strlen(variables[i].name);
                adds_nothing = variables[i].is_empty;
            }
        }
        if (!length)
            return invalid;
        is_empty &= adds_nothing;
        text += length;
    }
    return is_empty ? invalid : NULL;
}

/* ---- the table ---- */

/* Where a value is; NOWHERE: in the passive values. */
#define AT(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define NOWHERE    0, 0

/* PLACE expands to two arguments, hence the second step. */
#define BOOL(...)   BOOL_ROW(__VA_ARGS__)
#define NUMBER(...) NUMBER_ROW(__VA_ARGS__)
#define ENUM(...)   ENUM_ROW(__VA_ARGS__)
#define TEXT(...)   TEXT_ROW(__VA_ARGS__)

#define ROW(name_, kind_, flags_, initial_) .name = name_, .kind = kind_, .flags = flags_, .initial = initial_
#define BOOL_ROW(name_, flags_, offset_, size_, initial_, ...)                                               \
    {                                                                                                        \
        ROW(name_, CONFIG_BOOL, flags_, initial_), .offset = offset_, .size = size_, __VA_ARGS__             \
    }
#define NUMBER_ROW(name_, flags_, offset_, size_, initial_, minimum_, maximum_, ...)                         \
    {                                                                                                        \
        ROW(name_, CONFIG_NUMBER, flags_, initial_), .offset = offset_, .size = size_, .minimum = minimum_,  \
                                                     .maximum = maximum_, __VA_ARGS__                        \
    }
#define ENUM_ROW(name_, flags_, offset_, size_, initial_, choices_, ...)                                     \
    {                                                                                                        \
        ROW(name_, CONFIG_ENUM, flags_, initial_), .offset = offset_, .size = size_, .choices = choices_,    \
                                                   __VA_ARGS__                                               \
    }
#define TEXT_ROW(name_, flags_, offset_, size_, initial_, ...)                                               \
    {                                                                                                        \
        ROW(name_, CONFIG_TEXT, flags_, initial_), .offset = offset_, .size = size_, __VA_ARGS__             \
    }
#define SPECIAL(name_, flags_, initial_, special_, ...)                                                      \
    {                                                                                                        \
        ROW(name_, CONFIG_SPECIAL, flags_, initial_), .special = &special_, __VA_ARGS__                      \
    }

const struct config_option config_options[] = {
    /* listeners and connections */
    SPECIAL("bind", OPTION_SEVERAL, "* -::*", config_special_bind),
    SPECIAL("client-output-buffer-limit", OPTION_SEVERAL,
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            config_special_output_limits),
    NUMBER("client-query-buffer-limit", OPTION_MEMORY, AT(net.query_max_bytes), "1073741824", 1024 * 1024,
           INT64_MAX),
    NUMBER("client-unread-limit", OPTION_MEMORY, AT(net.unread_client_bytes), "67108864", 0, INT64_MAX),
    NUMBER("client-unread-total", OPTION_MEMORY, AT(net.unread_total_bytes), "100663296", 0, INT64_MAX),
    SPECIAL("io-threads", OPTION_IMMUTABLE, "1", config_special_io_threads),
    BOOL("io-threads-do-reads", OPTION_IMMUTABLE, AT(net.io_threads_read), "no"),
    NUMBER("port", 0, AT(net.port), "6379", 0, 65535),
    BOOL("protected-mode", 0, AT(net.protected_mode), "yes"),
    NUMBER("tcp-backlog", OPTION_IMMUTABLE, AT(net.tcp_backlog), "511", 0, INT32_MAX),
    NUMBER("tcp-keepalive", 0, AT(net.tcp_keepalive_s), "300", 0, INT32_MAX),
    NUMBER("timeout", 0, AT(net.timeout_s), "0", 0, INT32_MAX),
    TEXT("unixsocket", OPTION_IMMUTABLE, AT(net.unix_socket), ""),
    NUMBER("unixsocketperm", OPTION_IMMUTABLE | OPTION_OCTAL, AT(net.unix_socket_mode), "0", 0, 0777),

    /* process */
    NUMBER("active-expire-effort", OPTION_IDLE, AT(process.active_expire_effort), "1", 1, 10),
    BOOL("activerehashing", OPTION_IDLE, AT(process.active_rehashing), "yes"),
    BOOL("daemonize", OPTION_IMMUTABLE, AT(process.daemonize), "no"),
    BOOL("disable-thp", OPTION_IMMUTABLE, AT(process.disable_thp), "yes"),
    BOOL("dynamic-hz", OPTION_IDLE, AT(process.dynamic_hz), "yes"),
    ENUM("enable-protected-configs", OPTION_IMMUTABLE, AT(process.protected_configs), "no", access_choices),
    TEXT("logfile", OPTION_IMMUTABLE, AT(process.log_file), ""),
    ENUM("loglevel", 0, AT(process.log_level), "notice", loglevel_choices),
    ENUM("oom-score-adj", 0, AT(process.oom_mode), "no", oom_choices),
    SPECIAL("oom-score-adj-values", OPTION_SEVERAL, "0 200 800", config_special_oom_values),
    TEXT("pidfile", OPTION_IMMUTABLE, AT(process.pid_file), ""),
    TEXT("proc-title-template", 0, AT(process.title_template), "{title} {listen-addr} {server-mode}",
         .check = check_title_template),
    BOOL("set-proc-title", OPTION_IMMUTABLE, AT(process.set_title), "yes"),
    ENUM("shutdown-on-sigint", OPTION_SEVERAL | OPTION_WORDS, AT(process.shutdown_on_sigint), "default",
         shutdown_choices),
    ENUM("shutdown-on-sigterm", OPTION_SEVERAL | OPTION_WORDS, AT(process.shutdown_on_sigterm), "default",
         shutdown_choices),
    NUMBER("shutdown-timeout", 0, AT(process.shutdown_timeout_s), "10", 0, INT32_MAX),
    ENUM("supervised", OPTION_IMMUTABLE, AT(process.supervised), "no", supervised_choices),
    BOOL("syslog-enabled", OPTION_IMMUTABLE, AT(process.syslog_enabled), "no"),
    ENUM("syslog-facility", OPTION_IMMUTABLE, AT(process.syslog_facility), "local0", facility_choices),
    TEXT("syslog-ident", OPTION_IMMUTABLE, AT(process.syslog_ident), "redis"),

    /* snapshots */
    TEXT("dbfilename", OPTION_PROTECTED, AT(persist.file_name), "dump.rdb", .check = check_dbfilename),
    SPECIAL("dir", OPTION_PROTECTED | OPTION_NOT_LOADING, NULL, config_special_dir),
    NUMBER("key-load-delay", OPTION_HIDDEN, AT(persist.key_load_delay_us), "0", INT32_MIN, INT32_MAX),
    NUMBER("rdb-key-save-delay", OPTION_HIDDEN, AT(persist.key_save_delay_us), "0", INT32_MIN, INT32_MAX),
    BOOL("rdb-drop-unknown", OPTION_HIDDEN, AT(persist.drop_unknown), "no"), /* ours alone */
    BOOL("rdb-save-incremental-fsync", 0, AT(persist.incremental_sync), "yes"),
    BOOL("rdbchecksum", OPTION_IMMUTABLE, AT(persist.checksum), "yes"),
    BOOL("rdbcompression", 0, AT(persist.compression), "yes"),
    SPECIAL("save", OPTION_SEVERAL, "3600 1 300 100 60 10000", config_special_save),

    /* commands */
    ENUM("acl-pubsub-default", 0, AT(commands.acl_all_channels), "resetchannels", acl_pubsub_choices),
    TEXT("aclfile", OPTION_IMMUTABLE, AT(commands.acl_file), ""),
    NUMBER("acllog-max-len", 0, AT(commands.acl_log_max_len), "128", 0, INT64_MAX),
    NUMBER("databases", OPTION_IMMUTABLE, AT(commands.databases), "16", 1, INT32_MAX),
    ENUM("enable-debug-command", OPTION_IMMUTABLE, AT(commands.debug_command_access), "no", access_choices),
    NUMBER("hz", 0, AT(commands.hz), "10", 0, INT32_MAX, .floor = 1, .ceiling = 500),
    NUMBER("latency-monitor-threshold", 0, AT(commands.latency_monitor_threshold_ms), "0", 0, INT64_MAX),
    BOOL("latency-tracking", 0, AT(commands.latency_tracking), "yes"),
    SPECIAL("latency-tracking-info-percentiles", OPTION_SEVERAL, "50 99 99.9", config_special_percentiles),
    BOOL("lazyfree-lazy-user-del", 0, AT(commands.lazyfree_user_del), "no"),
    BOOL("lazyfree-lazy-user-flush", 0, AT(commands.lazyfree_user_flush), "no"),
    NUMBER("maxclients", 0, AT(commands.max_clients), "10000", 1, UINT32_MAX),
    NUMBER("maxmemory", OPTION_MEMORY | OPTION_UNSIGNED, AT(commands.maxmemory), "0", 0, 0),
    NUMBER("maxmemory-clients", OPTION_MEMORY | OPTION_PERCENT, AT(commands.maxmemory_clients), "0",
           INT64_MIN, INT64_MAX),
    NUMBER("maxmemory-eviction-tenacity", 0, AT(commands.maxmemory_eviction_tenacity), "10", 0, 100),
    SPECIAL("notify-keyspace-events", 0, "", config_special_notify),
    NUMBER("proto-max-bulk-len", OPTION_MEMORY, AT(commands.proto_max_bulk_len), "536870912", 1024 * 1024,
           INT64_MAX),
    TEXT("requirepass", 0, AT(commands.requirepass), ""),
    NUMBER("slowlog-log-slower-than", 0, AT(commands.slowlog_log_slower_than_us), "10000", -1, INT64_MAX),
    NUMBER("slowlog-max-len", 0, AT(commands.slowlog_max_len), "128", 0, INT64_MAX),
    BOOL("stop-writes-on-bgsave-error", 0, AT(commands.stop_writes_on_bgsave_error), "yes"),
    NUMBER("tracking-table-max-keys", 0, AT(commands.tracking_table_max_keys), "1000000", 0, INT64_MAX),

    /* values */
    NUMBER("hash-max-listpack-entries", 0, AT(store.hash_max_listpack_entries), "512", 0, INT64_MAX,
           .alias = "hash-max-ziplist-entries"),
    NUMBER("hash-max-listpack-value", OPTION_MEMORY, AT(store.hash_max_listpack_value), "64", 0, INT64_MAX,
           .alias = "hash-max-ziplist-value"),
    NUMBER("hll-sparse-max-bytes", OPTION_MEMORY, AT(store.hll_sparse_max_bytes), "3000", 0, INT64_MAX),
    NUMBER("lfu-decay-time", 0, AT(store.lfu_decay_minutes), "1", 0, INT32_MAX),
    NUMBER("lfu-log-factor", 0, AT(store.lfu_log_factor), "10", 0, INT32_MAX),
    NUMBER("list-compress-depth", 0, AT(store.list_compress_depth), "0", 0, INT32_MAX),
    NUMBER("list-max-listpack-size", 0, AT(store.list_max_listpack_size), "-2", INT32_MIN, INT32_MAX,
           .alias = "list-max-ziplist-size"),
    ENUM("maxmemory-policy", 0, AT(store.maxmemory_policy), "noeviction", policy_choices),
    NUMBER("maxmemory-samples", 0, AT(store.maxmemory_samples), "5", 1, INT32_MAX),
    NUMBER("set-max-intset-entries", 0, AT(store.set_max_intset_entries), "512", 0, INT64_MAX),
    NUMBER("stream-node-max-bytes", OPTION_MEMORY | OPTION_IDLE, AT(store.stream_node_max_bytes), "4096", 0,
           INT64_MAX),
    NUMBER("stream-node-max-entries", OPTION_IDLE, AT(store.stream_node_max_entries), "100", 0, INT64_MAX),
    NUMBER("zset-max-listpack-entries", 0, AT(store.zset_max_listpack_entries), "128", 0, INT64_MAX,
           .alias = "zset-max-ziplist-entries"),
    NUMBER("zset-max-listpack-value", OPTION_MEMORY, AT(store.zset_max_listpack_value), "64", 0, INT64_MAX,
           .alias = "zset-max-ziplist-value"),

    /* append-only file */
    BOOL("aof-disable-auto-gc", 0, NOWHERE, "no"),
    BOOL("aof-load-truncated", 0, NOWHERE, "yes"),
    BOOL("aof-rewrite-incremental-fsync", 0, NOWHERE, "yes"),
    BOOL("aof-timestamp-enabled", 0, NOWHERE, "no"),
    BOOL("aof-use-rdb-preamble", 0, NOWHERE, "yes"),
    TEXT("aof_rewrite_cpulist", OPTION_IMMUTABLE, NOWHERE, ""),
    TEXT("appenddirname", OPTION_IMMUTABLE, NOWHERE, "appendonlydir", .check = check_appenddirname),
    TEXT("appendfilename", OPTION_IMMUTABLE, NOWHERE, "appendonly.aof", .check = check_appendfilename),
    ENUM("appendfsync", 0, NOWHERE, "everysec", appendfsync_choices),
    BOOL("appendonly", OPTION_NOT_LOADING | OPTION_DEFAULT_ONLY, NOWHERE, "no",
         .refusal = "there is no append-only file: writes would be less durable than asked for"),
    NUMBER("auto-aof-rewrite-min-size", OPTION_MEMORY, NOWHERE, "67108864", 0, INT64_MAX),
    NUMBER("auto-aof-rewrite-percentage", 0, NOWHERE, "100", 0, INT32_MAX),
    BOOL("no-appendfsync-on-rewrite", 0, NOWHERE, "no"),

    /* replication */
    TEXT("masterauth", 0, NOWHERE, ""),
    TEXT("masteruser", 0, NOWHERE, ""),
    NUMBER("min-replicas-max-lag", 0, NOWHERE, "10", 0, INT32_MAX, .alias = "min-slaves-max-lag"),
    NUMBER("min-replicas-to-write", 0, NOWHERE, "0", 0, INT32_MAX, .alias = "min-slaves-to-write"),
    ENUM("propagation-error-behavior", 0, NOWHERE, "ignore", propagation_choices),
    NUMBER("repl-backlog-size", OPTION_MEMORY, NOWHERE, "1048576", 1, INT64_MAX, .floor = 16 * 1024,
           .ceiling = INT64_MAX),
    NUMBER("repl-backlog-ttl", 0, NOWHERE, "3600", 0, INT64_MAX),
    BOOL("repl-disable-tcp-nodelay", 0, NOWHERE, "no"),
    ENUM("repl-diskless-load", OPTION_NOT_LOADING, NOWHERE, "disabled", diskless_load_choices),
    BOOL("repl-diskless-sync", 0, NOWHERE, "yes"),
    NUMBER("repl-diskless-sync-delay", 0, NOWHERE, "5", 0, INT32_MAX),
    NUMBER("repl-diskless-sync-max-replicas", 0, NOWHERE, "0", 0, INT32_MAX),
    NUMBER("repl-ping-replica-period", 0, NOWHERE, "10", 1, INT32_MAX, .alias = "repl-ping-slave-period"),
    NUMBER("repl-timeout", 0, NOWHERE, "60", 1, INT32_MAX),
    TEXT("replica-announce-ip", 0, NOWHERE, "", .alias = "slave-announce-ip"),
    NUMBER("replica-announce-port", 0, NOWHERE, "0", 0, 65535, .alias = "slave-announce-port"),
    BOOL("replica-announced", 0, NOWHERE, "yes"),
    BOOL("replica-ignore-disk-write-errors", 0, NOWHERE, "no"),
    BOOL("replica-ignore-maxmemory", 0, NOWHERE, "yes", .alias = "slave-ignore-maxmemory"),
    BOOL("replica-lazy-flush", 0, NOWHERE, "no", .alias = "slave-lazy-flush"),
    NUMBER("replica-priority", 0, NOWHERE, "100", 0, INT32_MAX, .alias = "slave-priority"),
    BOOL("replica-read-only", 0, NOWHERE, "yes", .alias = "slave-read-only"),
    BOOL("replica-serve-stale-data", 0, NOWHERE, "yes", .alias = "slave-serve-stale-data"),
    SPECIAL("replicaof", OPTION_IMMUTABLE | OPTION_SEVERAL, NULL, config_special_replicaof,
            .alias = "slaveof"),

    /* cluster */
    BOOL("cluster-allow-pubsubshard-when-down", 0, NOWHERE, "yes"),
    BOOL("cluster-allow-reads-when-down", 0, NOWHERE, "no"),
    BOOL("cluster-allow-replica-migration", 0, NOWHERE, "yes"),
    NUMBER("cluster-announce-bus-port", 0, NOWHERE, "0", 0, 65535),
    TEXT("cluster-announce-hostname", 0, NOWHERE, "", .check = check_hostname),
    TEXT("cluster-announce-ip", 0, NOWHERE, ""),
    NUMBER("cluster-announce-port", 0, NOWHERE, "0", 0, 65535),
    NUMBER("cluster-announce-tls-port", 0, NOWHERE, "0", 0, 65535),
    TEXT("cluster-config-file", OPTION_IMMUTABLE, NOWHERE, "nodes.conf"),
    BOOL("cluster-enabled", OPTION_IMMUTABLE | OPTION_DEFAULT_ONLY, NOWHERE, "no",
         .refusal = "this server cannot be part of a cluster"),
    NUMBER("cluster-link-sendbuf-limit", OPTION_MEMORY | OPTION_UNSIGNED, NOWHERE, "0", 0, 0),
    NUMBER("cluster-migration-barrier", 0, NOWHERE, "1", 0, INT32_MAX),
    NUMBER("cluster-node-timeout", 0, NOWHERE, "15000", 0, INT64_MAX),
    NUMBER("cluster-port", OPTION_IMMUTABLE, NOWHERE, "0", 0, 65535),
    ENUM("cluster-preferred-endpoint-type", 0, NOWHERE, "ip", endpoint_choices),
    BOOL("cluster-replica-no-failover", 0, NOWHERE, "no", .alias = "cluster-slave-no-failover"),
    NUMBER("cluster-replica-validity-factor", 0, NOWHERE, "10", 0, INT32_MAX,
           .alias = "cluster-slave-validity-factor"),
    BOOL("cluster-require-full-coverage", 0, NOWHERE, "yes"),

    /* TLS: refused or idle */
    ENUM("tls-auth-clients", 0, NOWHERE, "yes", auth_clients_choices),
    TEXT("tls-ca-cert-dir", 0, NOWHERE, ""),
    TEXT("tls-ca-cert-file", 0, NOWHERE, ""),
    TEXT("tls-cert-file", 0, NOWHERE, ""),
    TEXT("tls-ciphers", 0, NOWHERE, ""),
    TEXT("tls-ciphersuites", 0, NOWHERE, ""),
    TEXT("tls-client-cert-file", 0, NOWHERE, ""),
    TEXT("tls-client-key-file", 0, NOWHERE, ""),
    TEXT("tls-client-key-file-pass", 0, NOWHERE, ""),
    BOOL("tls-cluster", 0, NOWHERE, "no"),
    TEXT("tls-dh-params-file", 0, NOWHERE, ""),
    TEXT("tls-key-file", 0, NOWHERE, ""),
    TEXT("tls-key-file-pass", 0, NOWHERE, ""),
    NUMBER("tls-port", OPTION_DEFAULT_ONLY, NOWHERE, "0", 0, 65535,
           .refusal = "connections cannot be encrypted"),
    BOOL("tls-prefer-server-ciphers", 0, NOWHERE, "no"),
    TEXT("tls-protocols", 0, NOWHERE, ""),
    BOOL("tls-replication", 0, NOWHERE, "no"),
    NUMBER("tls-session-cache-size", 0, NOWHERE, "20480", 0, INT32_MAX),
    NUMBER("tls-session-cache-timeout", 0, NOWHERE, "300", 0, INT32_MAX),
    BOOL("tls-session-caching", 0, NOWHERE, "yes"),

    /* everything else */
    NUMBER("active-defrag-cycle-max", 0, NOWHERE, "25", 1, 99),
    NUMBER("active-defrag-cycle-min", 0, NOWHERE, "1", 1, 99),
    NUMBER("active-defrag-ignore-bytes", OPTION_MEMORY, NOWHERE, "104857600", 1, INT64_MAX),
    NUMBER("active-defrag-max-scan-fields", 0, NOWHERE, "1000", 1, INT64_MAX),
    NUMBER("active-defrag-threshold-lower", 0, NOWHERE, "10", 0, 1000),
    NUMBER("active-defrag-threshold-upper", 0, NOWHERE, "100", 0, 1000),
    BOOL("activedefrag", OPTION_DEFAULT_ONLY, NOWHERE, "no",
         .refusal = "Active defragmentation cannot be enabled: this server does not need or have it"),
    BOOL("always-show-logo", OPTION_IMMUTABLE, NOWHERE, "no"),
    TEXT("bgsave_cpulist", OPTION_IMMUTABLE, NOWHERE, ""),
    TEXT("bind-source-addr", 0, NOWHERE, ""),
    TEXT("bio_cpulist", OPTION_IMMUTABLE, NOWHERE, ""),
    NUMBER("busy-reply-threshold", 0, AT(commands.busy_reply_threshold_ms), "5000", 0, INT64_MAX,
           .alias = "lua-time-limit"),
    BOOL("crash-log-enabled", 0, NOWHERE, "yes"),
    BOOL("crash-memcheck-enabled", 0, NOWHERE, "yes"),
    ENUM("enable-module-command", OPTION_IMMUTABLE, NOWHERE, "no", access_choices),
    TEXT("ignore-warnings", 0, NOWHERE, ""),
    BOOL("jemalloc-bg-thread", 0, NOWHERE, "yes"),
    BOOL("lazyfree-lazy-eviction", 0, NOWHERE, "no"),
    BOOL("lazyfree-lazy-expire", 0, NOWHERE, "no"),
    BOOL("lazyfree-lazy-server-del", 0, NOWHERE, "no"),
    NUMBER("loading-process-events-interval-bytes", OPTION_HIDDEN, NOWHERE, "2097152", 1024, INT32_MAX),
    BOOL("rdb-del-sync-files", 0, NOWHERE, "no"),
    ENUM("sanitize-dump-payload", 0, NOWHERE, "no", sanitize_choices),
    TEXT("server_cpulist", OPTION_IMMUTABLE, NOWHERE, ""),
    NUMBER("socket-mark-id", OPTION_IMMUTABLE, NOWHERE, "0", 0, UINT32_MAX),
    BOOL("use-exit-on-panic", OPTION_HIDDEN, NOWHERE, "no"),
    NUMBER("watchdog-period", OPTION_HIDDEN, NOWHERE, "0", 0, INT32_MAX),
};

const int config_option_count = sizeof(config_options) / sizeof(config_options[0]);
