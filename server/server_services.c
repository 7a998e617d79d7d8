/* What commands ask of the server: saving, shutting down, facts, configuration. Main thread only. */
#include "server.h"

#include "base/allocator.h"
#include "base/clock.h"
#include "base/log.h"
#include "persist/rdb_dump.h"

#include <errno.h>
#include <string.h>

/* ---- saving ---- */

int server_save(struct server *server)
{
    int result = snapshot_save(&server->snapshot, &server->config.persist);
    if (result == 0)
        server->commands.last_save_failed = false;
    return result;
}

int server_save_in_background(struct server *server)
{
    int result = snapshot_start(&server->snapshot, &server->config.persist);
    if (result && result != -EBUSY)
        server->commands.last_save_failed = true;
    return result;
}

static int service_save(void *context)
{
    return server_save(context);
}

static int service_save_in_background(void *context)
{
    return server_save_in_background(context);
}

static void service_schedule_save(void *context)
{
    struct server *server = context;
    server->save_scheduled = true;
}

static void service_after_flush_all(void *context)
{
    struct server *server = context;
    snapshot_kill(&server->snapshot);
    if (server->config.persist.save_point_count == 0)
        return;
    /* The child is dying; wait for it rather than write beside it. */
    server_note_snapshot(server, snapshot_wait(&server->snapshot));
    server_save(server);
}

static int service_reload(void *context, bool save, bool flush)
{
    struct server *server = context;
    int error = save ? server_save(server) : 0;
    if (error)
        return error;
    if (flush) {
        for (int i = 0; i < server->keyspace.database_count; i++)
            keyspace_flush(&server->keyspace.databases[i], false);
        tracking_flushed(&server->commands.tracking);
        kept_functions_clear(&server->keyspace.functions);
    }
    const struct snapshot_load_options options = {.replace = !flush};
    struct rdb_error details = {0};
    error = snapshot_load(&server->snapshot, &server->config.persist, &options, &details);
    if (error && error != -ENOENT)
        log_warning("Can't reload %s at offset %llu: %s", server->config.persist.file_name,
                    (unsigned long long)details.offset, details.text[0] ? details.text : strerror(-error));
    return error;
}

/* ---- shutting down ---- */

int server_shutdown(struct server *server, unsigned shutdown_flags)
{
    if (server->stopping)
        return 0;
    log_warning("User requested shutdown...");
    if (server->snapshot.loading) {
        server->stopping = true;
        return 0;
    }
    bool wants_save = (shutdown_flags & SHUTDOWN_SAVE) || server->config.persist.save_point_count > 0;
    snapshot_kill(&server->snapshot);
    server_note_snapshot(server, snapshot_wait(&server->snapshot));
    if (wants_save && !(shutdown_flags & SHUTDOWN_NOSAVE)) {
        log_notice("Saving the final RDB snapshot before exiting.");
        int error = server_save(server);
        if (error && !(shutdown_flags & SHUTDOWN_FORCE)) {
            log_warning("Error trying to save the DB, can't exit.");
            return -EIO;
        }
    }
    server->stopping = true;
    uv_stop(&server->loop);
    return 0;
}

static int service_shutdown(void *context, unsigned shutdown_flags)
{
    return server_shutdown(context, shutdown_flags);
}

static int service_shutdown_abort(void *context)
{
    /* Without replicas a shutdown never waits, so there is nothing to abort. */
    (void)context;
    return -ENOENT;
}

/* ---- values as bytes ---- */

static void service_dump(void *context, const struct entry *entry, struct buffer *out)
{
    const struct server *server = context;
    rdb_dump_entry(entry, server->config.persist.compression, out);
}

static int service_restore(void *context, struct database *db, const struct key *key, struct slice payload,
                           int64_t expiry_ms, int64_t idle_s, int64_t frequency)
{
    (void)context;
    return rdb_restore(db, key, payload, expiry_ms, idle_s, frequency);
}

static void service_dump_functions(void *context, struct buffer *out)
{
    const struct server *server = context;
    rdb_dump_functions(&server->keyspace, server->config.persist.compression, out);
}

static int service_read_functions(void *context, struct slice payload,
                                  void (*each)(void *context, struct slice source), void *each_context)
{
    (void)context;
    return rdb_read_function_dump(payload, each, each_context);
}

static void service_go_on(void *context)
{
    server_wake_background(context);
}

/* ---- configuration ---- */

static void service_config_get(void *context, const struct slice *patterns, int count, struct reply *reply)
{
    struct server *server = context;
    config_reply_get(&server->config, patterns, count, reply);
}

static void service_config_set(void *context, const struct slice *pairs, int count, unsigned config_set_flags,
                               struct reply *reply)
{
    struct server *server = context;
    config_reply_set(&server->config, pairs, count, config_set_flags, reply);
}

static void service_config_rewrite(void *context, struct reply *reply)
{
    struct server *server = context;
    config_reply_rewrite(&server->config, reply);
}

/* ---- facts ---- */

static void facts_of_snapshots(const struct server *server, struct server_facts *facts)
{
    struct snapshot_status status;
    snapshot_status(&server->snapshot, &status);
    facts->loading = status.loading;
    facts->loading_start_s = status.load_start_s;
    facts->loading_total_bytes = (int64_t)status.load_total_bytes;
    facts->loading_loaded_bytes = (int64_t)status.load_done_bytes;
    facts->loading_eta_s = status.load_eta_s;
    facts->save_in_progress = status.child_running;
    facts->save_scheduled = server->save_scheduled;
    facts->last_save_ok = !server->commands.last_save_failed;
    facts->last_save_s = status.last_save_s;
    facts->last_save_duration_s = status.last_duration_s;
    facts->current_save_duration_s = status.current_duration_s;
    facts->saves = status.saves;
    facts->current_cow_bytes = status.cow_bytes;
    facts->current_cow_peak_bytes = status.cow_peak_bytes;
    facts->last_cow_bytes = status.last_cow_bytes;
    facts->current_fork_percent = status.fork_percent;
    facts->current_cow_age_s = status.cow_age_s;
    facts->current_save_keys_done = status.keys_done;
    facts->current_save_keys_total = status.keys_total;
    facts->load_keys_expired = status.load_keys_expired;
    facts->load_keys_loaded = status.load_keys_loaded;
    facts->latest_fork_us = status.latest_fork_us;
    facts->forks = status.forks;
}

static void facts_of_net(const struct server *server, struct server_facts *facts)
{
    struct net_stats net;
    net_read_stats(server->net, &net);
    facts->connections_received = net.connections_received;
    facts->connections_rejected = net.connections_rejected;
    facts->input_bytes = net.input_bytes;
    facts->output_bytes = net.output_bytes;
    facts->reads = net.reads;
    facts->writes = net.writes;
    facts->connections = net.connections;
    facts->connection_bytes = net.connection_bytes + server->commands.sessions.count * sizeof(struct session);
    facts->helpers = net_helper_count(server->net);
    facts->query_limit_disconnections = net.query_limit_disconnections;
    facts->output_limit_disconnections = net.output_limit_disconnections;
    facts->tcp_port = server->config.net.port;
}

static void service_facts(void *context, struct server_facts *facts)
{
    struct server *server = context;
    *facts = (struct server_facts){0};
    facts_of_snapshots(server, facts);
    facts_of_net(server, facts);
    facts->start_s = server->start_s;
    facts->executable = server->executable;
    facts->config_file = server->config.file_path ? server->config.file_path : "";
    facts->run_id = server->run_id;
    facts->supervised = server->supervised;
    facts->startup_memory_bytes = server->startup_memory_bytes;
    facts->maxmemory_policy = config_enum_name(&server->config, "maxmemory-policy");
    uint64_t used_bytes = allocator_used_bytes();
    if (used_bytes > server->peak_memory_bytes)
        server->peak_memory_bytes = used_bytes;
    facts->peak_memory_bytes = server->peak_memory_bytes;
}

static void service_helper_facts(void *context, int helper, struct helper_facts *facts)
{
    const struct server *server = context;
    struct net_helper_stats stats;
    net_read_helper_stats(server->net, helper, &stats);
    *facts = (struct helper_facts){.busy_us = stats.busy_us,
                                   .batches = stats.batches,
                                   .requests = stats.requests,
                                   .queued_batches = stats.queued_batches,
                                   .connections = stats.connections};
}

static void service_reset_stats(void *context)
{
    struct server *server = context;
    net_reset_stats(server->net);
    snapshot_reset_stats(&server->snapshot);
    server->sample = (struct server_sample){0};
}

void server_install_services(struct server *server)
{
    server->services = (struct services){.server = server,
                                         .facts = service_facts,
                                         .helper_facts = service_helper_facts,
                                         .save = service_save,
                                         .save_in_background = service_save_in_background,
                                         .schedule_save = service_schedule_save,
                                         .after_flush_all = service_after_flush_all,
                                         .reload = service_reload,
                                         .shutdown = service_shutdown,
                                         .shutdown_abort = service_shutdown_abort,
                                         .dump = service_dump,
                                         .restore = service_restore,
                                         .dump_functions = service_dump_functions,
                                         .read_functions = service_read_functions,
                                         .go_on = service_go_on,
                                         .config_get = service_config_get,
                                         .config_set = service_config_set,
                                         .config_rewrite = service_config_rewrite,
                                         .reset_stats = service_reset_stats};
}
