/*
 * Starting, loading, running and stopping: the order of things. See server.h. Main thread only.
 */
#include "server.h"

#include "base/allocator.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "commands/authenticate.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- sessions and connections ---- */

static void transport_describe(void *connection, struct connection_info *info)
{
    struct connection_facts facts;
    channel_describe(connection, &facts);
    *info = (struct connection_info){.fd = facts.fd,
                                     .query_bytes = facts.query_bytes,
                                     .query_free_bytes = facts.query_free_bytes,
                                     .output_bytes = facts.output_bytes,
                                     .output_blocks = facts.output_blocks,
                                     .memory_bytes = facts.memory_bytes};
    memcpy(info->peer, facts.peer, sizeof(info->peer));
    memcpy(info->local, facts.local, sizeof(info->local));
}

static uint64_t transport_memory_bytes(const void *connection)
{
    return channel_memory_bytes(connection);
}

static void transport_close(void *connection, bool flush)
{
    channel_close(connection, flush);
}

static void transport_send(void *connection, const char *data, size_t length)
{
    channel_send(connection, data, length);
}

static void transport_send_shared(void *connection, struct blob *blob, size_t offset, size_t length)
{
    channel_send_shared(connection, blob, offset, length);
}

static void transport_set_subscriber(void *connection, bool subscriber)
{
    channel_set_class(connection, subscriber ? NET_CLIENT_PUBSUB : NET_CLIENT_NORMAL);
}

static void transport_set_trusted(void *connection, bool trusted)
{
    channel_set_trusted(connection, trusted);
}

static void transport_resume(void *connection)
{
    channel_resume(connection);
}

static const struct session_transport server_transport = {
    .describe = transport_describe,
    .memory_bytes = transport_memory_bytes,
    .close = transport_close,
    .send = transport_send,
    .send_shared = transport_send_shared,
    .set_subscriber = transport_set_subscriber,
    .set_trusted = transport_set_trusted,
    .resume = transport_resume,
};

static const char *on_admit(void *context, bool is_unix, bool is_loopback)
{
    const struct server *server = context;
    if ((int64_t)server->commands.sessions.count >= server->commands.settings.max_clients)
        return "ERR max number of clients reached";
    if (server->config.net.protected_mode && server->commands.acl.default_user->rules.needs_no_password &&
        !is_unix && !is_loopback)
        return "DENIED Redis is running in protected mode because protected mode is enabled and no password "
               "is set for "
               "the default user. In this mode connections are only accepted from the loopback interface. If "
               "you want "
               "to connect from external computers to Redis you may adopt one of the following solutions: 1) "
               "Just "
               "disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback "
               "interface "
               "by connecting to Redis from the same host the server is running, however MAKE SURE Redis is "
               "not "
               "publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change "
               "permanent. 2) "
               "Alternatively you can just disable the protected mode by editing the Redis configuration "
               "file, and "
               "setting the protected mode option to 'no', and then restarting the server. 3) If you started "
               "the "
               "server manually just for testing, restart it with the '--protected-mode no' option. 4) Set "
               "up an "
               "authentication password for the default user. NOTE: You only need to do one of the above "
               "things in "
               "order for the server to start accepting connections from the outside.";
    return NULL;
}

static void *on_opened(void *context, struct channel *channel)
{
    struct server *server = context;
    struct session *session = session_create(&server->commands.sessions, &server->keyspace.databases[0],
                                             channel, &server_transport, clock_wall_ms());
    struct connection_facts facts;
    channel_describe_kind(channel, &facts);
    session->flags |=
        (facts.is_unix ? SESSION_UNIX_SOCKET : 0u) | (facts.is_loopback ? SESSION_LOOPBACK : 0u);
    authenticate_reset(session, &server->commands.acl);
    return session;
}

static void on_closed(void *context, void *session)
{
    struct server *server = context;
    if (!script_run_forget(&server->commands.scripting.run, session))
        session_free(&server->commands.sessions, session);
}

/* ---- the turn of the loop ---- */

static void on_begin(void *context)
{
    struct server *server = context;
    commands_begin_batch(&server->commands);
}

static void on_recognize(void *context, struct request *request)
{
    const struct server *server = context;
    commands_recognize(&server->commands, request);
}

static void on_prepare(void *context, struct request *const *requests, size_t count)
{
    const struct server *server = context;
    commands_prepare(&server->commands, requests, count);
}

static enum request_outcome on_execute(void *context, struct request *request, struct reply *reply)
{
    struct server *server = context;
    return commands_execute(&server->commands, request, reply);
}

static void on_end(void *context)
{
    struct server *server = context;
    server_end_waits(server);
    client_limit_enforce(&server->commands);
    bool more = commands_end_batch(&server->commands);
    if (more || !reclaim_is_idle(&server->keyspace.reclaim) || server->commands.memory.evicting)
        server_wake_background(server);
}

/* With few processors helpers would only take them from clients, snapshots and each other. */
enum { IO_THREADS_AUTO_MIN_PROCESSORS = 4, IO_THREADS_AUTO_MAX = 8 };

/* One thread for each processor but one. */
static int server_helper_count(const struct server *server)
{
    int threads = server->config.net.io_threads;
    if (threads == 0) {
        int processors = process_processor_count();
        threads = processors < IO_THREADS_AUTO_MIN_PROCESSORS ? 1 : processors - 1;
        if (threads > IO_THREADS_AUTO_MAX)
            threads = IO_THREADS_AUTO_MAX;
    }
    return threads - 1;
}

static void server_create_net(struct server *server)
{
    const struct net_handlers handlers = {.context = server,
                                          .admit = on_admit,
                                          .opened = on_opened,
                                          .closed = on_closed,
                                          .recognize = on_recognize,
                                          .begin = on_begin,
                                          .prepare = on_prepare,
                                          .execute = on_execute,
                                          .end = on_end};
    const struct net_limits limits = {0};
    int helpers = server_helper_count(server);
    if (helpers > 0)
        allocator_expect_threads();
    server->net = net_create(&server->loop, &handlers, &limits, helpers);
}

/* ---- signals ---- */

void server_stop_by_signal(struct server *server)
{
    const struct process_settings *process = &server->config.process;
    bool is_interrupt = server->signal_number == SIGINT;
    server->signal_number = 0;
    server_shutdown(server, is_interrupt ? process->shutdown_on_sigint : process->shutdown_on_sigterm);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct server *server = handle->data;
    if (signal_number == SIGCHLD) {
        server_poll_snapshot(server);
        return;
    }
    if (signal_number == SIGHUP) {
        log_notice("Received SIGHUP, ignored");
        return;
    }
    log_warning("Received %s scheduling shutdown...", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
    server->signal_number = signal_number;
    if (!script_is_busy(&server->commands.scripting.run)) /* a dump must not hold half of what it does */
        server_stop_by_signal(server);
}

static void server_watch_signals(struct server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write error, not the end */
}

/* ---- loading ---- */

/* Lets clients in for a moment: they are answered -LOADING, INFO and PING work. */
static bool on_load_progress(void *context)
{
    struct server *server = context;
    uv_run(&server->loop, UV_RUN_NOWAIT);
    return !server->stopping;
}

static int server_load(struct server *server)
{
    const struct persist_settings *persist = &server->config.persist;
    snapshot_remove_stale(&server->snapshot);
    const struct snapshot_load_options options = {.progress = on_load_progress, .context = server};
    struct rdb_error error = {0};
    keyspace_set_time(&server->keyspace, clock_wall_ms());
    server->commands.loading = true;
    int result = snapshot_load(&server->snapshot, persist, &options, &error);
    server->commands.loading = false;
    if (result == 0 || result == -ENOENT)
        return 0;
    if (result != -ECANCELED)
        log_warning("Can't load %s at offset %llu: %s. The file is left as it is; the server exits.",
                    persist->file_name, (unsigned long long)error.offset,
                    error.text[0] ? error.text : strerror(-result));
    return result;
}

/* ---- start and stop ---- */

static int server_prepare_identity(struct server *server)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[SERVER_RUN_ID_BYTES - 1];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        server->run_id[i] = digits[bytes[i] & 15];
    server->run_id[SERVER_RUN_ID_BYTES - 1] = '\0';
    if (realpath("/proc/self/exe", server->executable) == NULL)
        snprintf(server->executable, sizeof(server->executable), "%s", server->program);
    server->start_s = clock_wall_us() / 1000000;
    return hash_secret_randomize();
}

int server_start(struct server *server)
{
    int error = server_prepare_identity(server);
    if (error)
        return error;
    error = uv_loop_init(&server->loop);
    if (error)
        return error;
    uint64_t seed = 0;
    memcpy(&seed, server->run_id, sizeof(seed));
    keyspace_init(&server->keyspace, server->config.commands.databases, seed ^ (uint64_t)clock_wall_us());
    server_install_services(server);
    commands_init(&server->commands, &server->keyspace, &server->services);
    error = snapshot_init(&server->snapshot, &server->keyspace, NULL);
    if (error)
        return error;
    server_create_net(server);
    process_raise_file_limit(&server->config.commands.max_clients);
    server_apply_settings(server);
    error = server_load_users(server);
    if (error)
        return error;
    config_rename_commands(&server->config, &server->commands.registry);
    server_watch_signals(server);
    error = server_open_listeners(server);
    if (error)
        return error;
    server_install_hooks(server);
    server_start_cron(server);
    server->startup_memory_bytes = allocator_used_bytes();
    error = server_load(server);
    if (error)
        return error;
    log_notice("Ready to accept connections");
    process_notify_ready(server->supervised);
    return 0;
}

int server_run(struct server *server)
{
    while (!server->stopping)
        uv_run(&server->loop, UV_RUN_ONCE);
    net_finish(server->net);
    server_close_listeners(server);
    log_notice("Spindle is now ready to exit, bye bye...");
    return server->exit_status;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void server_free(struct server *server)
{
    if (server->net) {
        server_close_listeners(server);
        net_stop(server->net);
        uv_walk(&server->loop, close_handle, NULL);
        uv_run(&server->loop, UV_RUN_DEFAULT);
        net_free(server->net);
        CHECK(uv_loop_close(&server->loop) == 0);
        server_free_cron(server);
        snapshot_free(&server->snapshot);
        commands_free(&server->commands);
    }
    if (server->keyspace.databases)
        keyspace_free(&server->keyspace);
    config_free(&server->config);
}
