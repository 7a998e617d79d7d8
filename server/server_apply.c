/* What the configuration means to the subsystems: at start, and when CONFIG SET changes it. Main thread only.
 */
#include "server.h"

#include "base/log.h"
#include "commands/acl_file.h"
#include "commands/authenticate.h"
#include "process.h"
#include "title.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SERVER_TITLE_MAX_BYTES = 1024 };

void server_configure_log(const struct server *server)
{
    const struct process_settings *process = &server->config.process;
    const struct log_options options = {.level = (enum log_level)process->log_level,
                                        .file_path = process->log_file,
                                        .syslog_enabled = process->syslog_enabled,
                                        .syslog_ident = process->syslog_ident,
                                        .syslog_facility = process->syslog_facility};
    int error = log_configure(&options);
    if (error)
        log_warning("Can't open the log file %s: %s", process->log_file, strerror(-error));
}

void server_apply_title(const struct server *server)
{
    char title[SERVER_TITLE_MAX_BYTES];
    title_expand(&server->config, server->program, title, sizeof(title));
    process_set_title(title);
}

int server_apply_oom_score(const struct server *server)
{
    const struct process_settings *process = &server->config.process;
    static const enum process_oom_mode modes[] = {[CONFIG_OOM_NO] = PROCESS_OOM_KEEP,
                                                  [CONFIG_OOM_RELATIVE] = PROCESS_OOM_RELATIVE,
                                                  [CONFIG_OOM_ABSOLUTE] = PROCESS_OOM_ABSOLUTE};
    int error = process_set_oom_score(modes[process->oom_mode], process->oom_values[0]);
    if (error)
        log_warning("Can't write oom_score_adj: %s", strerror(-error));
    return error;
}

void server_apply_settings(struct server *server)
{
    const struct config *config = &server->config;
    server->commands.settings = config->commands;
    server->commands.settings.save_points_set = config->persist.save_point_count > 0;
    server->commands.settings.reply_max_bytes = config->net.output_limits[NET_CLIENT_NORMAL].hard_bytes;
    commands_update_settings(&server->commands);
    notify_set_classes(&server->commands.notify, (unsigned)config->notify_classes);
    keyspace_set_settings(&server->keyspace, &config->store);
    slowlog_trim(&server->commands.slowlog, config->commands.slowlog_max_len);
    struct net_limits limits = {.bulk_max_bytes = config->commands.proto_max_bulk_len,
                                .query_max_bytes = config->net.query_max_bytes,
                                .keepalive_s = config->net.tcp_keepalive_s,
                                .unread_client_bytes = (uint64_t)config->net.unread_client_bytes,
                                .unread_total_bytes = (uint64_t)config->net.unread_total_bytes};
    memcpy(limits.output, config->net.output_limits, sizeof(limits.output));
    net_set_limits(server->net, &limits);
}

/* ---- users ---- */

static void warn_disabled(const struct acl_user *user)
{
    if (!user->rules.is_enabled)
        log_notice("The user '%.*s' is disabled: nobody can log in as it (its rules have no 'on')",
                   (int)user->name.length, user->name.data);
}

/* The lines were checked when they were read; the defaults may have changed since. */
static int load_configured_users(struct server *server)
{
    struct acl *acl = &server->commands.acl;
    const struct acl_grammar grammar = acl_grammar(acl);
    for (size_t i = 0; i < server->config.user_count; i++) {
        const struct config_user *line = &server->config.users[i];
        struct acl_rules rules;
        int refused;
        const char *refusal = acl_read_user(&grammar, line->words, line->count, &rules, &refused);
        if (refusal) {
            log_warning("Error in the declaration of the user '%.*s': %s", (int)line->words[0].length,
                        line->words[0].data, refusal);
            return -EINVAL;
        }
        warn_disabled(acl_set_user(acl, line->words[0], &rules));
    }
    return 0;
}

static int load_user_file(struct server *server, const char *path)
{
    struct buffer errors = {0};
    struct acl_users old = {0};
    int failed = acl_file_load(&server->commands.acl, path, &old, &errors);
    if (failed)
        log_warning("Aborting the start because of ACL errors: %.*s", (int)errors.length, errors.data);
    acl_users_free(&old);
    buffer_free(&errors);
    return failed;
}

int server_load_users(struct server *server)
{
    const char *path = server->config.commands.acl_file;
    acl_set_default_password(&server->commands.acl, server->config.commands.requirepass);
    if (path[0] && server->config.user_count) {
        log_warning(
            "There are users in the configuration and an ACL file (aclfile): it would be unclear what "
            "holds. Use one or the other.");
        return -EINVAL;
    }
    return path[0] ? load_user_file(server, path) : load_configured_users(server);
}

/* For CONFIG REWRITE. Users of an ACL file do not belong into the configuration. */
static void append_user_lines(void *context, struct buffer *lines)
{
    const struct server *server = context;
    const struct acl *acl = &server->commands.acl;
    for (size_t i = 0; !server->config.commands.acl_file[0] && i < acl->users.count; i++) {
        acl_describe_user(acl, acl->users.items[i], lines);
        buffer_append(lines, "\n", 1);
    }
}

/* ---- listeners ---- */

void server_close_listeners(struct server *server)
{
    for (int i = 0; i < server->listener_count; i++)
        listener_close(server->listeners[i]);
    server->listener_count = 0;
}

/* An address that starts with '-' may be missing: its protocol is not there, or the interface is down. */
static bool address_may_fail(const char *address, int error)
{
    return address[0] == '-' &&
           (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT || error == -EPROTONOSUPPORT ||
            error == -ESOCKTNOSUPPORT || error == -EPFNOSUPPORT || error == -ENOPROTOOPT);
}

static int server_open_tcp(struct server *server)
{
    const struct net_settings *net = &server->config.net;
    for (size_t i = 0; i < net->bind_count && net->port != 0; i++) {
        if (server->listener_count == SERVER_LISTENERS_MAX - 1)
            return -E2BIG;
        const char *address = net->bind[i];
        const char *host = address[0] == '-' ? address + 1 : address;
        int error = listener_open_tcp(server->net, host, net->port, net->tcp_backlog,
                                      &server->listeners[server->listener_count]);
        if (error == 0) {
            server->listener_count++;
            continue;
        }
        log_warning("Could not create server TCP listening socket %s:%d: %s", host, net->port,
                    strerror(-error));
        if (!address_may_fail(address, error))
            return error;
    }
    return 0;
}

static int server_open_unix(struct server *server)
{
    const struct net_settings *net = &server->config.net;
    if (net->unix_socket == NULL || net->unix_socket[0] == '\0')
        return 0;
    int error = listener_open_unix(server->net, net->unix_socket, (unsigned)net->unix_socket_mode,
                                   net->tcp_backlog, &server->listeners[server->listener_count]);
    if (error) {
        log_warning("Failed opening Unix socket %s: %s", net->unix_socket, strerror(-error));
        return error;
    }
    server->listener_count++;
    return 0;
}

int server_open_listeners(struct server *server)
{
    int error = server_open_tcp(server);
    if (error == 0)
        error = server_open_unix(server);
    if (error == 0 && server->listener_count == 0) {
        log_warning("Configured to not listen anywhere, exiting.");
        error = -EINVAL;
    }
    if (error)
        server_close_listeners(server);
    return error;
}

/* Moves to other addresses. The old listeners close first, as both may share a port; when the new ones cannot
 * be opened the caller restores the old settings and comes again. */
static int server_rebind(struct server *server, char *error_text, size_t error_size)
{
    server_close_listeners(server);
    int error = server_open_listeners(server);
    if (error)
        snprintf(error_text, error_size, "Failed to bind to specified addresses.");
    return error;
}

static int server_on_apply(void *context, const char *option_name, char *error, size_t error_size)
{
    struct server *server = context;
    server_apply_settings(server);
    if (strcmp(option_name, "requirepass") == 0) {
        acl_set_default_password(&server->commands.acl, server->config.commands.requirepass);
        authenticate_refresh(&server->commands.sessions, &server->commands.acl);
    }
    if (strcmp(option_name, "bind") == 0)
        return server_rebind(server, error, error_size);
    if (strcmp(option_name, "port") == 0) {
        int result = server_rebind(server, error, error_size);
        if (result)
            snprintf(error, error_size, "Unable to listen on this port. Check server logs.");
        return result;
    }
    if (strcmp(option_name, "proc-title-template") == 0)
        server_apply_title(server);
    if (strncmp(option_name, "oom-score-adj", strlen("oom-score-adj")) == 0) {
        int result = server_apply_oom_score(server);
        if (result)
            snprintf(error, error_size, "Failed to set current oom_score_adj. Check server logs.");
        return result;
    }
    if (strcmp(option_name, "loglevel") == 0)
        log_set_level((enum log_level)server->config.process.log_level);
    server->commands.clients.next_check_us = 0;
    if (strcmp(option_name, "maxmemory") == 0) {
        memory_limit_changed(&server->commands);
        if (server->commands.memory.evicting)
            server_wake_background(server);
    }
    if (strcmp(option_name, "hz") == 0)
        server_set_cron_rate(server);
    if (strcmp(option_name, "maxclients") == 0) {
        int64_t wanted = server->config.commands.max_clients, possible = wanted;
        process_raise_file_limit(&possible);
        if (possible < wanted) {
            snprintf(
                error, error_size,
                "The operating system is not able to handle the specified number of clients, try with %lld",
                (long long)possible);
            return -EMFILE;
        }
    }
    return 0;
}

void server_install_hooks(struct server *server)
{
    const struct config_hooks hooks = {
        .server = server, .apply = server_on_apply, .append_user_lines = append_user_lines};
    config_set_hooks(&server->config, &hooks);
}
