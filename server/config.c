/* The configuration: defaults and the options that a first start needs. See config.h. Main thread only. */
#include "config.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *default_bind[] = {"*", "-::*"};

void config_init(struct config *config)
{
    memset(config, 0, sizeof(*config));
    config->net = (struct net_settings){.bind = default_bind,
                                        .bind_count = 2,
                                        .port = 6379,
                                        .tcp_backlog = 511,
                                        .tcp_keepalive_s = 300,
                                        .unix_socket = "",
                                        .protected_mode = true,
                                        .io_threads = 1,
                                        .query_max_bytes = 1 << 30};
    config->persist =
        (struct persist_settings){.file_name = "dump.rdb", .compression = true, .checksum = true, .incremental_sync = true};
    config->process = (struct process_settings){.pid_file = "",
                                                .log_level = LOG_LEVEL_NOTICE,
                                                .log_file = "",
                                                .syslog_ident = "redis",
                                                .disable_thp = true,
                                                .set_title = false};
    config->commands = (struct command_settings){.proto_max_bulk_len = 512 << 20,
                                                 .slowlog_log_slower_than_us = 10000,
                                                 .slowlog_max_len = 128,
                                                 .latency_tracking = true,
                                                 .stop_writes_on_bgsave_error = true,
                                                 .debug_command_access = 1,
                                                 .max_clients = 10000,
                                                 .hz = 10,
                                                 .databases = 16};
}

void config_free(struct config *config)
{
    (void)config;
}

static char *option_value(const struct config_source *source, const char *name)
{
    char *text = strndup(source->overrides.data ? source->overrides.data : "", source->overrides.length);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strdup(line + length + 1);
    }
    return NULL;
}

int config_load(struct config *config, const struct config_source *source, FILE *errors)
{
    (void)errors;
    char *value;
    if ((value = option_value(source, "port")))
        config->net.port = (int)strtol(value, NULL, 10);
    if ((value = option_value(source, "dir")) && chdir(value) != 0)
        return -1;
    if ((value = option_value(source, "dbfilename")))
        config->persist.file_name = value;
    if ((value = option_value(source, "unixsocket")))
        config->net.unix_socket = value;
    if ((value = option_value(source, "requirepass")))
        config->commands.requirepass = value;
    return 0;
}

void config_log_warnings(struct config *config)
{
    (void)config;
}

void config_rename_commands(const struct config *config, struct registry *registry)
{
    (void)config;
    (void)registry;
}

void config_set_hooks(struct config *config, const struct config_hooks *hooks)
{
    config->hooks = *hooks;
}

void config_reply_get(struct config *config, const struct slice *patterns, int count, struct reply *reply)
{
    (void)config;
    (void)count;
    reply_map(reply, 1);
    reply_slice(reply, patterns[0]);
    reply_string(reply, "");
}

void config_reply_set(struct config *config, const struct slice *pairs, int count, unsigned config_set_flags,
                      struct reply *reply)
{
    (void)config;
    (void)pairs;
    (void)count;
    (void)config_set_flags;
    reply_ok(reply);
}

void config_reply_rewrite(struct config *config, struct reply *reply)
{
    (void)config;
    reply_ok(reply);
}
