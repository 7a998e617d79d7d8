/*
 * INFO: sections of "field:value" lines in Redis 7.0's order, which tools rely on when they search by
 * substring. Fields of features that this server lacks have the value of a Redis that does not use them. Main
 * thread only.
 */
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/clock.h"
#include "base/sha256.h"
#include "commands/memory_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { INFO_LINE_MAX_BYTES = 5 * 1024, INFO_HUMAN_BYTES = 64, INFO_ID_DIGITS = 40, INFO_BUILD_DIGITS = 16 };

struct info {
    struct buffer text;
    const struct commands *commands;
    const struct keyspace *keyspace;
    struct server_facts facts;
};

/* One line, without its end. */
static void info_line(struct info *info, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void info_line(struct info *info, const char *format, ...)
{
    char *to = buffer_reserve(&info->text, INFO_LINE_MAX_BYTES);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, INFO_LINE_MAX_BYTES, format, arguments);
    va_end(arguments);
    info->text.length += (size_t)(length < INFO_LINE_MAX_BYTES ? length : INFO_LINE_MAX_BYTES - 1);
    buffer_append(&info->text, "\r\n", 2);
}

static void info_count(struct info *info, const char *field, uint64_t value)
{
    info_line(info, "%s:%" PRIu64, field, value);
}

static void info_number(struct info *info, const char *field, int64_t value)
{
    info_line(info, "%s:%" PRId64, field, value);
}

/* Fields of what this server does not have. */
static void info_zeros(struct info *info, const char *const *fields)
{
    for (; *fields; fields++)
        info_count(info, *fields, 0);
}

static void info_human(struct info *info, const char *field, uint64_t bytes)
{
    static const char units[] = "BKMGTPE";
    int unit = 0;
    double amount = (double)bytes;
    while (amount >= 1024 && units[unit + 1]) {
        amount /= 1024;
        unit++;
    }
    info_line(info, unit ? "%s:%.2f%c" : "%s:%.0f%c", field, amount, units[unit]);
}

static int64_t now_s(const struct info *info)
{
    return info->keyspace->now_ms / 1000;
}

/* ---- Server ---- */

static void info_build(struct info *info)
{
    static const char source[] = SPINDLE_VERSION " " __VERSION__;
    char build[SHA256_HEX_BYTES];
    sha256_hex(source, sizeof(source) - 1, build);
    info_line(info, "redis_version:7.0.15");
    info_line(info, "server_name:spindle");
    info_line(info, "spindle_version:%s", SPINDLE_VERSION);
    info_line(info, "redis_git_sha1:00000000");
    info_line(info, "redis_git_dirty:0");
    info_line(info, "redis_build_id:%.*s", INFO_BUILD_DIGITS, build);
}

static void info_platform(struct info *info)
{
    struct utsname name = {0};
    uname(&name);
    info_line(info, "redis_mode:standalone");
    info_line(info, "os:%s %s %s", name.sysname, name.release, name.machine);
    info_line(info, "arch_bits:%d", (int)sizeof(void *) * 8);
    info_line(info, "monotonic_clock:POSIX clock_gettime");
    info_line(info, "multiplexing_api:epoll");
    info_line(info, "atomicvar_api:c11-builtin");
    info_line(info, "gcc_version:%d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
}

static void info_helpers(struct info *info)
{
    const struct services *services = info->commands->services;
    info_count(info, "io_threads_active", info->facts.helpers > 0);
    for (int i = 0; i < info->facts.helpers; i++) {
        struct helper_facts facts;
        services->helper_facts(services->server, i, &facts);
        info_line(info,
                  "io_thread_%d:busy_us=%" PRIu64 ",batches=%" PRIu64 ",requests=%" PRIu64
                  ",queued_batches=%" PRIu64 ",connections=%" PRIu64,
                  i + 1, facts.busy_us, facts.batches, facts.requests, facts.queued_batches,
                  facts.connections);
    }
}

static void info_server(struct info *info)
{
    const struct server_facts *facts = &info->facts;
    int64_t uptime_s = now_s(info) - facts->start_s;
    info_build(info);
    info_platform(info);
    info_line(info, "process_id:%d", (int)getpid());
    info_line(info, "process_supervised:%s", facts->supervised ? facts->supervised : "no");
    info_line(info, "run_id:%s", facts->run_id);
    info_line(info, "tcp_port:%d", facts->tcp_port);
    info_number(info, "server_time_usec", clock_wall_us());
    info_number(info, "uptime_in_seconds", uptime_s > 0 ? uptime_s : 0);
    info_number(info, "uptime_in_days", uptime_s > 0 ? uptime_s / (24 * 3600) : 0);
    info_number(info, "hz", info->commands->settings.hz);
    info_number(info, "configured_hz", info->commands->settings.hz);
    info_number(info, "lru_clock", now_s(info) & 0xffffff);
    info_line(info, "executable:%s", facts->executable);
    info_line(info, "config_file:%s", facts->config_file);
    info_helpers(info);
}

/* ---- Clients ---- */

static void info_clients(struct info *info)
{
    info_count(info, "connected_clients", info->commands->sessions.count);
    info_count(info, "cluster_connections", 0);
    info_number(info, "maxclients", info->commands->settings.max_clients);
    info_count(info, "client_recent_max_input_buffer", 0);
    info_count(info, "client_recent_max_output_buffer", 0);
    info_count(info, "blocked_clients",
               info->commands->blocking.count + pause_count(&info->commands->sessions));
    info_count(info, "tracking_clients", info->commands->tracking.clients);
    info_count(info, "clients_in_timeout_table", 0);
}

/* ---- Memory ---- */

static void info_memory_used(struct info *info, const struct memory_report *report)
{
    info_count(info, "used_memory", report->used);
    info_human(info, "used_memory_human", report->used);
    info_count(info, "used_memory_rss", report->resident);
    info_human(info, "used_memory_rss_human", report->resident);
    info_count(info, "used_memory_peak", report->peak);
    info_human(info, "used_memory_peak_human", report->peak);
    info_line(info, "used_memory_peak_perc:%.2f%%", memory_peak_percent(report));
    info_count(info, "used_memory_overhead", report->overhead);
    info_count(info, "used_memory_startup", report->startup);
    info_count(info, "used_memory_dataset", report->dataset);
    info_line(info, "used_memory_dataset_perc:%.2f%%", memory_dataset_percent(report));
    info_count(info, "allocator_allocated", report->allocator.allocated_bytes);
    info_count(info, "allocator_active", report->allocator.active_bytes);
    info_count(info, "allocator_resident", report->allocator.resident_bytes);
    uint64_t system_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    info_count(info, "total_system_memory", system_bytes);
    info_human(info, "total_system_memory_human", system_bytes);
}

static void info_memory_scripts(struct info *info)
{
    const struct scripting *scripting = &info->commands->scripting;
    struct scripting_memory memory = scripting_measure(scripting);
    size_t interpreters = memory.scripts_interpreter + memory.functions_interpreter;
    size_t texts = memory.scripts + memory.functions;
    info_count(info, "used_memory_lua", memory.scripts_interpreter);
    info_count(info, "used_memory_vm_eval", memory.scripts_interpreter);
    info_human(info, "used_memory_lua_human", memory.scripts_interpreter);
    info_count(info, "used_memory_scripts_eval", memory.scripts);
    info_count(info, "number_of_cached_scripts", scripting->cache.by_digest.count);
    info_count(info, "number_of_functions", scripting->libraries.functions.count);
    info_count(info, "number_of_libraries", kept_functions_count(&info->commands->keyspace->functions));
    info_count(info, "used_memory_vm_functions", memory.functions_interpreter);
    info_count(info, "used_memory_vm_total", interpreters);
    info_human(info, "used_memory_vm_total_human", interpreters);
    info_count(info, "used_memory_functions", memory.functions);
    info_count(info, "used_memory_scripts", texts);
    info_human(info, "used_memory_scripts_human", texts);
}

static void info_memory_limit(struct info *info)
{
    uint64_t maxmemory = (uint64_t)info->commands->settings.maxmemory;
    info_count(info, "maxmemory", maxmemory);
    info_human(info, "maxmemory_human", maxmemory);
    info_line(info, "maxmemory_policy:%s", info->facts.maxmemory_policy);
}

/* A ratio with the difference in bytes, of which a negative one is shown as such. */
static void info_spread(struct info *info, const char *name, uint64_t value, uint64_t base)
{
    info_line(info, "%s_ratio:%.2f", name, memory_ratio(value, base));
    info_line(info, "%s_bytes:%" PRId64, name, (int64_t)(value - base));
}

static void info_memory(struct info *info)
{
    static const char *const before_clients[] = {"mem_not_counted_for_evict", "mem_replication_backlog",
                                                 "mem_total_replication_buffers", "mem_clients_slaves", NULL};
    struct memory_report report;
    memory_report_fill(&report, info->commands, &info->facts);
    const struct allocator_totals *allocator = &report.allocator;
    info_memory_used(info, &report);
    info_memory_scripts(info);
    info_memory_limit(info);
    info_spread(info, "allocator_frag", allocator->active_bytes, allocator->allocated_bytes);
    info_spread(info, "allocator_rss", allocator->resident_bytes, allocator->active_bytes);
    info_spread(info, "rss_overhead", report.resident, allocator->resident_bytes);
    info_spread(info, "mem_fragmentation", report.resident, report.used);
    info_zeros(info, before_clients);
    info_count(info, "mem_clients_normal", report.clients);
    info_count(info, "mem_cluster_links", 0);
    info_count(info, "mem_aof_buffer", 0);
    info_line(info, "mem_allocator:%s", allocator_name());
    info_count(info, "active_defrag_running", 0);
    info_count(info, "lazyfree_pending_objects", info->keyspace->reclaim.pending_items);
    info_count(info, "lazyfreed_objects", info->keyspace->reclaim.freed_items);
}

/* ---- Persistence ---- */

static void info_saving(struct info *info)
{
    const struct server_facts *facts = &info->facts;
    info_count(info, "loading", facts->loading);
    info_count(info, "async_loading", 0);
    info_count(info, "current_cow_peak", facts->current_cow_peak_bytes);
    info_count(info, "current_cow_size", facts->current_cow_bytes);
    info_number(info, "current_cow_size_age", facts->current_cow_age_s);
    info_line(info, "current_fork_perc:%.2f", facts->current_fork_percent);
    info_count(info, "current_save_keys_processed", facts->current_save_keys_done);
    info_count(info, "current_save_keys_total", facts->current_save_keys_total);
    info_count(info, "rdb_changes_since_last_save", info->keyspace->dirty);
    info_count(info, "rdb_bgsave_in_progress", facts->save_in_progress);
    info_number(info, "rdb_last_save_time", facts->last_save_s);
    info_line(info, "rdb_last_bgsave_status:%s", facts->last_save_ok ? "ok" : "err");
    info_number(info, "rdb_last_bgsave_time_sec", facts->last_save_duration_s);
    info_number(info, "rdb_current_bgsave_time_sec", facts->current_save_duration_s);
    info_count(info, "rdb_saves", facts->saves);
    info_count(info, "rdb_last_cow_size", facts->last_cow_bytes);
    info_count(info, "rdb_last_load_keys_expired", facts->load_keys_expired);
    info_count(info, "rdb_last_load_keys_loaded", facts->load_keys_loaded);
}

static void info_no_aof(struct info *info)
{
    static const char *const before_times[] = {"aof_enabled", "aof_rewrite_in_progress",
                                               "aof_rewrite_scheduled", NULL};
    static const char *const after_status[] = {"aof_rewrites", "aof_rewrites_consecutive_failures", NULL};
    static const char *const last[] = {"aof_last_cow_size", "module_fork_in_progress",
                                       "module_fork_last_cow_size", NULL};
    info_zeros(info, before_times);
    info_number(info, "aof_last_rewrite_time_sec", -1);
    info_number(info, "aof_current_rewrite_time_sec", -1);
    info_line(info, "aof_last_bgrewrite_status:ok");
    info_zeros(info, after_status);
    info_line(info, "aof_last_write_status:ok");
    info_zeros(info, last);
}

static void info_loading(struct info *info)
{
    const struct server_facts *facts = &info->facts;
    double percent =
        memory_ratio((uint64_t)facts->loading_loaded_bytes, (uint64_t)facts->loading_total_bytes) * 100;
    info_number(info, "loading_start_time", facts->loading_start_s);
    info_number(info, "loading_total_bytes", facts->loading_total_bytes);
    info_count(info, "loading_rdb_used_mem", 0);
    info_number(info, "loading_loaded_bytes", facts->loading_loaded_bytes);
    info_line(info, "loading_loaded_perc:%.2f", percent);
    info_number(info, "loading_eta_seconds", facts->loading_eta_s);
}

static void info_persistence(struct info *info)
{
    info_saving(info);
    info_no_aof(info);
    if (info->facts.loading)
        info_loading(info);
}

/* ---- Stats ---- */

static void info_traffic(struct info *info)
{
    const struct server_facts *facts = &info->facts;
    const struct command_stats_total *totals = &info->commands->totals;
    info_count(info, "total_connections_received", facts->connections_received);
    info_count(info, "total_commands_processed", totals->commands_processed);
    info_count(info, "instantaneous_ops_per_sec", totals->operations_per_second);
    info_count(info, "total_net_input_bytes", facts->input_bytes);
    info_count(info, "total_net_output_bytes", facts->output_bytes);
    info_count(info, "total_net_repl_input_bytes", 0);
    info_count(info, "total_net_repl_output_bytes", 0);
    info_line(info, "instantaneous_input_kbps:%.2f", (double)totals->input_bytes_per_second / 1024);
    info_line(info, "instantaneous_output_kbps:%.2f", (double)totals->output_bytes_per_second / 1024);
    info_line(info, "instantaneous_input_repl_kbps:0.00");
    info_line(info, "instantaneous_output_repl_kbps:0.00");
    info_count(info, "rejected_connections", facts->connections_rejected);
}

static void info_keys(struct info *info)
{
    static const char *const sync[] = {"sync_full", "sync_partial_ok", "sync_partial_err", NULL};
    const struct keyspace_stats *stats = &info->keyspace->stats;
    const struct memory_limit *memory = &info->commands->memory;
    info_zeros(info, sync);
    info_count(info, "expired_keys", stats->expired_keys);
    info_line(info, "expired_stale_perc:0.00");
    info_count(info, "expired_time_cap_reached_count", stats->expired_time_cap_reached);
    info_count(info, "expire_cycle_cpu_milliseconds", stats->expire_sweep_us / 1000);
    info_count(info, "evicted_keys", stats->evicted_keys);
    info_count(info, "evicted_clients", info->commands->clients.evicted_clients);
    info_count(info, "total_eviction_exceeded_time", memory_limit_exceeded_total_ms(memory));
    info_number(info, "current_eviction_exceeded_time", memory_limit_exceeded_ms(memory));
    info_count(info, "keyspace_hits", stats->hits);
    info_count(info, "keyspace_misses", stats->misses);
}

/* Redis has them since 7.2; exporters look for them. */
static void info_denials(struct info *info)
{
    const uint64_t *denied = info->commands->acl.log.denied;
    info_count(info, "acl_access_denied_auth", denied[ACL_REASON_AUTH]);
    info_count(info, "acl_access_denied_cmd", denied[ACL_REASON_COMMAND]);
    info_count(info, "acl_access_denied_key", denied[ACL_REASON_KEY]);
    info_count(info, "acl_access_denied_channel", denied[ACL_REASON_CHANNEL]);
}

static void info_stats(struct info *info)
{
    const struct pubsub *pubsub = &info->commands->pubsub;
    const struct tracking *tracking = &info->commands->tracking;
    static const char *const unused[] = {
        "migrate_cached_sockets",   "slave_expires_tracked_keys", "active_defrag_hits",
        "active_defrag_misses",     "active_defrag_key_hits",     "active_defrag_key_misses",
        "total_active_defrag_time", "current_active_defrag_time", NULL};
    static const char *const last[] = {"io_threaded_reads_processed", "io_threaded_writes_processed",
                                       "reply_buffer_shrinks", "reply_buffer_expands", NULL};
    info_traffic(info);
    info_keys(info);
    info_count(info, "pubsub_channels", pubsub_topics(pubsub, PUBSUB_CHANNEL));
    info_count(info, "pubsub_patterns", pubsub_topics(pubsub, PUBSUB_PATTERN));
    info_count(info, "pubsubshard_channels", pubsub_topics(pubsub, PUBSUB_SHARD));
    info_number(info, "latest_fork_usec", info->facts.latest_fork_us);
    info_count(info, "total_forks", info->facts.forks);
    info_zeros(info, unused);
    info_count(info, "tracking_total_keys", tracking->keys.keys.count);
    info_count(info, "tracking_total_items", tracking->keys.items);
    info_count(info, "tracking_total_prefixes", tracking->prefixes.table.count);
    info_count(info, "unexpected_error_replies", info->commands->totals.unexpected_error_replies);
    info_count(info, "total_error_replies", info->commands->totals.error_replies);
    info_count(info, "dump_payload_sanitizations", 0);
    info_count(info, "total_reads_processed", info->facts.reads);
    info_count(info, "total_writes_processed", info->facts.writes);
    info_zeros(info, last);
    info_denials(info);
}

/* ---- Replication, CPU, Modules, Cluster ---- */

/* A master that never had a replica. Its history is named after the run, so it differs after each start. */
static void info_replication(struct info *info)
{
    char id[SHA256_HEX_BYTES];
    sha256_hex(info->facts.run_id, strlen(info->facts.run_id), id);
    info_line(info, "role:master");
    info_count(info, "connected_slaves", 0);
    info_line(info, "master_failover_state:no-failover");
    info_line(info, "master_replid:%.*s", INFO_ID_DIGITS, id);
    info_line(info, "master_replid2:%0*d", INFO_ID_DIGITS, 0);
    info_count(info, "master_repl_offset", 0);
    info_number(info, "second_repl_offset", -1);
    info_count(info, "repl_backlog_active", 0);
    info_count(info, "repl_backlog_size", 1024 * 1024);
    info_count(info, "repl_backlog_first_byte_offset", 0);
    info_count(info, "repl_backlog_histlen", 0);
}

static void info_cpu_time(struct info *info, int who, const char *suffix)
{
    struct rusage usage;
    if (getrusage(who, &usage) < 0)
        return;
    info_line(info, "used_cpu_sys%s:%ld.%06ld", suffix, (long)usage.ru_stime.tv_sec,
              (long)usage.ru_stime.tv_usec);
    info_line(info, "used_cpu_user%s:%ld.%06ld", suffix, (long)usage.ru_utime.tv_sec,
              (long)usage.ru_utime.tv_usec);
}

static void info_cpu(struct info *info)
{
    info_cpu_time(info, RUSAGE_SELF, "");
    info_cpu_time(info, RUSAGE_CHILDREN, "_children");
    info_cpu_time(info, RUSAGE_THREAD, "_main_thread");
}

static void info_modules(struct info *info)
{
    (void)info;
}

static void info_cluster(struct info *info)
{
    info_count(info, "cluster_enabled", 0);
}

/* ---- Commandstats, Errorstats, Latencystats ---- */

static void info_each_command(struct info *info, const struct registry_entry *entries, int count,
                              void (*show)(struct info *info, const struct registry_entry *entry))
{
    for (int i = 0; i < count; i++) {
        show(info, &entries[i]);
        if (!entries[i].subcommands)
            continue;
        for (int j = 0; j < entries[i].command->subcommand_count; j++)
            show(info, &entries[i].subcommands[j]);
    }
}

static void show_command_stats(struct info *info, const struct registry_entry *entry)
{
    const struct command_stats *stats = &entry->stats;
    if (!stats->calls && !stats->rejected_calls && !stats->failed_calls)
        return;
    double microseconds = (double)stats->nanoseconds / 1000;
    info_line(info,
              "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
              ",failed_calls=%" PRIu64,
              entry->full_name, stats->calls, stats->nanoseconds / 1000,
              stats->calls ? microseconds / (double)stats->calls : 0, stats->rejected_calls,
              stats->failed_calls);
}

static void info_commandstats(struct info *info)
{
    const struct registry *registry = &info->commands->registry;
    info_each_command(info, registry->entries, registry->count, show_command_stats);
}

static int compare_errors(const void *a, const void *b)
{
    const struct error_count *const *left = a, *const *right = b;
    return strcmp((*left)->code, (*right)->code);
}

static void info_errorstats(struct info *info)
{
    size_t count = 0;
    const struct error_count **sorted = calloc(info->commands->error_kinds + 1, sizeof(*sorted));
    if (!sorted)
        return;
    for (const struct error_count *at = info->commands->errors; at && count < info->commands->error_kinds;
         at = at->next)
        sorted[count++] = at;
    qsort(sorted, count, sizeof(*sorted), compare_errors);
    for (size_t i = 0; i < count; i++)
        info_line(info, "errorstat_%s:count=%" PRIu64, sorted[i]->code, sorted[i]->count);
    free(sorted);
}

/* "99.9" of 99.9. */
static size_t format_percentile(char *text, size_t capacity, double percent)
{
    int length = snprintf(text, capacity, "%f", percent);
    while (text[length - 1] == '0')
        length--;
    length -= text[length - 1] == '.';
    text[length] = 0;
    return (size_t)length;
}

static void show_command_latency(struct info *info, const struct registry_entry *entry)
{
    const struct command_settings *settings = &info->commands->settings;
    const struct histogram *histogram = entry->stats.histogram;
    if (!histogram || !histogram_count(histogram))
        return;
    char line[2048];
    size_t length = (size_t)snprintf(line, sizeof(line), "latency_percentiles_usec_%s:", entry->full_name);
    for (int i = 0; i < settings->latency_percentile_count; i++) {
        char percentile[32];
        format_percentile(percentile, sizeof(percentile), settings->latency_percentiles[i]);
        double microseconds =
            (double)histogram_percentile_ns(histogram, settings->latency_percentiles[i]) / 1000;
        length += (size_t)snprintf(line + length, sizeof(line) - length, "%sp%s=%.3f", i ? "," : "",
                                   percentile, microseconds);
    }
    info_line(info, "%s", line);
}

static void info_latencystats(struct info *info)
{
    const struct registry *registry = &info->commands->registry;
    if (info->commands->settings.latency_tracking)
        info_each_command(info, registry->entries, registry->count, show_command_latency);
}

/* ---- Keyspace ---- */

static void info_keyspace(struct info *info)
{
    for (int i = 0; i < info->keyspace->database_count; i++) {
        const struct database *db = &info->keyspace->databases[i];
        if (keyspace_count(db))
            info_line(info, "db%d:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRId64, i,
                      keyspace_count(db), db->expires_count, keyspace_average_ttl_ms(db));
    }
}

/* ---- the command ---- */

static const struct info_section {
    const char *title;
    bool by_default;
    void (*show)(struct info *info);
} info_sections[] = {
    {"Server", true, info_server},
    {"Clients", true, info_clients},
    {"Memory", true, info_memory},
    {"Persistence", true, info_persistence},
    {"Stats", true, info_stats},
    {"Replication", true, info_replication},
    {"CPU", true, info_cpu},
    {"Modules", true, info_modules},
    {"Commandstats", false, info_commandstats},
    {"Errorstats", true, info_errorstats},
    {"Latencystats", false, info_latencystats},
    {"Cluster", true, info_cluster},
    {"Keyspace", true, info_keyspace},
};

enum { INFO_SECTIONS = sizeof(info_sections) / sizeof(info_sections[0]) };

/* Sections that a word asks for, as bits. */
static unsigned sections_of_word(struct slice word)
{
    bool all = slice_is_word(word, "all") || slice_is_word(word, "everything");
    bool defaults = slice_is_word(word, "default");
    unsigned sections = 0;
    for (int i = 0; i < INFO_SECTIONS; i++) {
        if (all || (defaults && info_sections[i].by_default) || slice_is_word(word, info_sections[i].title))
            sections |= 1u << i;
    }
    return sections;
}

void cmd_info(struct call *call)
{
    unsigned sections = call->argc == 1 ? sections_of_word(slice_from_string("default")) : 0;
    for (int i = 1; i < call->argc; i++)
        sections |= sections_of_word(call->argv[i]);
    struct info info = {.commands = call->commands, .keyspace = call->keyspace};
    const struct services *services = call->commands->services;
    services->facts(services->server, &info.facts);
    for (int i = 0; i < INFO_SECTIONS; i++) {
        if (!(sections & 1u << i))
            continue;
        if (info.text.length)
            buffer_append(&info.text, "\r\n", 2);
        info_line(&info, "# %s", info_sections[i].title);
        info_sections[i].show(&info);
    }
    reply_verbatim(call->reply, "txt", info.text.length ? info.text.data : "", info.text.length);
    buffer_free(&info.text);
}
