/* The commands about the server, with a server that only notes what it is asked: INFO shows every field in
 * Redis's order and says what is true; options of SAVE, SHUTDOWN, FLUSHALL and CONFIG reach the server. */

#include "command_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct command_fixture fixture;

/* What the server was asked, and what it answers. */
static struct {
    char asked[512];
    int result;
    struct server_facts facts;
} fake;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
    size_t length = strlen(fake.asked);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fake.asked + length, sizeof(fake.asked) - length, format, arguments);
    va_end(arguments);
}

static void fake_facts(void *server, struct server_facts *facts)
{
    (void)server;
    *facts = fake.facts;
}

static int fake_save(void *server)
{
    (void)server;
    note("save;");
    return fake.result;
}

static int fake_save_in_background(void *server)
{
    (void)server;
    note("bgsave;");
    return fake.result;
}

static void fake_after_flush_all(void *server)
{
    (void)server;
    note("flushed with %" PRIu64 " keys;", keyspace_count(&fixture.keyspace.databases[0]));
}

static int fake_shutdown(void *server, unsigned shutdown_flags)
{
    (void)server;
    note("shutdown %u;", shutdown_flags);
    return fake.result;
}

static int fake_shutdown_abort(void *server)
{
    (void)server;
    note("abort;");
    return fake.result;
}

static void fake_config_set(void *server, const struct slice *pairs, int count, unsigned config_set_flags,
                            struct reply *reply)
{
    (void)server;
    note("set");
    for (int i = 0; i < count; i++)
        note(" %.*s", (int)pairs[i].length, pairs[i].data);
    note(" flags %u;", config_set_flags);
    reply_ok(reply);
}

static void fake_reset_stats(void *server)
{
    (void)server;
    note("reset;");
}

static void set_up(void)
{
    static const struct services services = {.facts = fake_facts,
                                             .save = fake_save,
                                             .save_in_background = fake_save_in_background,
                                             .after_flush_all = fake_after_flush_all,
                                             .shutdown = fake_shutdown,
                                             .shutdown_abort = fake_shutdown_abort,
                                             .config_set = fake_config_set,
                                             .reset_stats = fake_reset_stats};
    fixture_init(&fixture);
    fixture.commands.services = &services;
    memset(&fake, 0, sizeof(fake));
    fake.facts = (struct server_facts){.executable = "/bin/spindle",
                                       .config_file = "",
                                       .run_id = "0123",
                                       .maxmemory_policy = "noeviction",
                                       .last_save_ok = true};
}

static void tear_down(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_server, .init = set_up, .fini = tear_down);

/* A line gets a reply, and the server was asked this. */
static void expect_asked(const char *line, const char *reply, const char *asked)
{
    fake.asked[0] = 0;
    fixture_expect(&fixture, line, reply);
    cr_expect_str_eq(fake.asked, asked, "%s: %s", line, fake.asked);
}

/* ---- INFO ---- */

/* The reply of an INFO has this line. */
static void expect_line(const char *command, const char *line)
{
    char wanted[512];
    snprintf(wanted, sizeof(wanted), "|%s|", line);
    const char *text = fixture_run(&fixture, command);
    cr_expect(strstr(text, wanted), "%s: no %s in %s", command, line, text);
}

Test(cmd_server, info_has_the_sections_that_were_asked_for)
{
    static const char *const cases[][2] = {
        {"INFO",
         "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace "},
        {"INFO default",
         "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace "},
        {"INFO ALL",
         "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats "
         "Latencystats Cluster Keyspace "},
        {"INFO everything", "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats "
                            "Errorstats Latencystats Cluster Keyspace "},
        {"INFO keyspace nosuch CPU keyspace", "CPU Keyspace "},
        {"INFO nosuch", ""},
        {"INFO ''", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char sections[512] = "";
        const char *text = fixture_run(&fixture, cases[i][0]);
        while ((text = strstr(text, "|# "))) {
            int length = (int)strcspn(text + 3, "|");
            snprintf(sections + strlen(sections), sizeof(sections) - strlen(sections), "%.*s ", length,
                     text + 3);
            text += 3;
        }
        cr_expect_str_eq(sections, cases[i][1], "%s", cases[i][0]);
    }
    fixture_expect(&fixture, "INFO nosuch", "$0||");
    fixture_expect(&fixture, "INFO cluster modules", "$43|# Modules||# Cluster|cluster_enabled:0||");
    fixture.session->version = 3;
    fixture_expect(&fixture, "INFO cluster", "=34|txt:# Cluster|cluster_enabled:0||");
}

Test(cmd_server, info_has_the_fields_of_redis_in_its_order)
{
    static const char fields[] =
        "redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock "
        "multiplexing_api atomicvar_api gcc_version process_id process_supervised run_id tcp_port "
        "server_time_usec uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable config_file "
        "io_threads_active connected_clients cluster_connections maxclients client_recent_max_input_buffer "
        "client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table "
        "used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak "
        "used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup "
        "used_memory_dataset used_memory_dataset_perc allocator_allocated allocator_active "
        "allocator_resident total_system_memory total_system_memory_human used_memory_lua "
        "used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval number_of_cached_scripts "
        "number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total "
        "used_memory_vm_total_human used_memory_functions used_memory_scripts used_memory_scripts_human "
        "maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes "
        "allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes "
        "mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog "
        "mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links "
        "mem_aof_buffer mem_allocator active_defrag_running lazyfree_pending_objects lazyfreed_objects "
        "loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc "
        "current_save_keys_processed current_save_keys_total rdb_changes_since_last_save "
        "rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec "
        "rdb_current_bgsave_time_sec rdb_saves rdb_last_cow_size rdb_last_load_keys_expired "
        "rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled "
        "aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_rewrites "
        "aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress "
        "module_fork_last_cow_size total_connections_received total_commands_processed "
        "instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes total_net_repl_input_bytes "
        "total_net_repl_output_bytes instantaneous_input_kbps instantaneous_output_kbps "
        "instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections sync_full "
        "sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count "
        "expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time "
        "current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns "
        "pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys "
        "active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses "
        "total_active_defrag_time current_active_defrag_time tracking_total_keys tracking_total_items "
        "tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations "
        "total_reads_processed total_writes_processed io_threaded_reads_processed "
        "io_threaded_writes_processed reply_buffer_shrinks reply_buffer_expands role connected_slaves "
        "master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset "
        "repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen "
        "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread "
        "used_cpu_user_main_thread cluster_enabled";
    const char *text = fixture_run(&fixture, "INFO");
    char *words = strdup(fields), *rest = words, *field;
    while ((field = strsep(&rest, " "))) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "|%s:", field);
        const char *found = strstr(text, wanted);
        cr_assert(found, "no %s, or not in its place", field);
        text = found + 1;
    }
    free(words);
}

Test(cmd_server, info_shows_what_the_server_knows)
{
    fake.facts.start_s = FIXTURE_NOW_MS / 1000 - 100000;
    fake.facts.tcp_port = 7000;
    fake.facts.connections_received = 11;
    fake.facts.saves = 12;
    fake.facts.last_save_ok = false;
    fake.facts.save_in_progress = true;
    fake.facts.last_save_duration_s = -1;
    fake.facts.current_fork_percent = 12.345;
    fake.facts.latest_fork_us = 77;
    fixture.commands.settings.maxmemory = 1536;
    fixture.commands.totals.input_bytes_per_second = 1536;
    fixture.keyspace.dirty = 5;
    expect_line("INFO", "redis_version:7.0.15");
    expect_line("INFO", "spindle_version:" SPINDLE_VERSION);
    expect_line("INFO", "tcp_port:7000");
    expect_line("INFO", "uptime_in_seconds:100000");
    expect_line("INFO", "uptime_in_days:1");
    expect_line("INFO", "executable:/bin/spindle");
    expect_line("INFO", "connected_clients:1");
    expect_line("INFO", "maxmemory:1536");
    expect_line("INFO", "maxmemory_human:1.50K");
    expect_line("INFO", "maxmemory_policy:noeviction");
    expect_line("INFO", "rdb_changes_since_last_save:5");
    expect_line("INFO", "rdb_bgsave_in_progress:1");
    expect_line("INFO", "rdb_last_bgsave_status:err");
    expect_line("INFO", "rdb_last_bgsave_time_sec:-1");
    expect_line("INFO", "rdb_saves:12");
    expect_line("INFO", "current_fork_perc:12.35");
    expect_line("INFO", "instantaneous_input_kbps:1.50");
    expect_line("INFO", "total_connections_received:11");
    expect_line("INFO", "latest_fork_usec:77");
    expect_line("INFO", "master_replid2:0000000000000000000000000000000000000000");
}

Test(cmd_server, info_shows_loading_only_while_loading)
{
    cr_expect_not(strstr(fixture_run(&fixture, "INFO persistence"), "loading_total_bytes"));
    fake.facts.loading = true;
    fake.facts.loading_total_bytes = 300;
    fake.facts.loading_loaded_bytes = 100;
    fake.facts.loading_eta_s = 4;
    expect_line("INFO persistence", "loading:1");
    expect_line("INFO persistence", "loading_loaded_perc:33.33");
    expect_line("INFO persistence", "loading_eta_seconds:4");
}

Test(cmd_server, info_counts_keys)
{
    fixture_run(&fixture, "SET a 1");
    fixture_run(&fixture, "SET b 1 PX 1000");
    fixture_run(&fixture, "SET c 1 PX 3000");
    fixture_run(&fixture, "SELECT 3");
    fixture_run(&fixture, "SET d 1");
    fixture_expect(&fixture, "INFO keyspace",
                   "$79|# Keyspace|db0:keys=3,expires=2,avg_ttl=2000|db3:keys=1,expires=0,avg_ttl=0||");
    fixture_run(&fixture, "GET d");
    fixture_run(&fixture, "GET nosuch");
    expect_line("INFO stats", "keyspace_hits:1");
    expect_line("INFO stats", "keyspace_misses:1");
}

Test(cmd_server, info_counts_calls_and_errors)
{
    fixture.commands.settings.latency_tracking = true;
    fixture.commands.settings.latency_percentile_count = 2;
    fixture.commands.settings.latency_percentiles[0] = 50;
    fixture.commands.settings.latency_percentiles[1] = 99.9;
    fixture_run(&fixture, "SET a text");
    fixture_run(&fixture, "LPUSH a x");
    fixture_run(&fixture, "SET a");
    fixture_run(&fixture, "INCR a");
    fixture_run(&fixture, "CONFIG SET x y");
    fixture_run(&fixture, "nosuch");
    fixture_run(&fixture, "SETBIT a 0 5");
    const char *text = fixture_run(&fixture, "INFO commandstats");
    cr_expect(strstr(text, "|cmdstat_set:calls=1,usec="), "%s", text);
    cr_expect(strstr(text, ",rejected_calls=1,failed_calls=0|"), "%s", text);
    cr_expect(strstr(text, "|cmdstat_incr:calls=1,usec="), "%s", text);
    cr_expect(strstr(text, ",rejected_calls=0,failed_calls=1|"), "%s", text);
    cr_expect(strstr(text, "|cmdstat_config|set:calls=1,"), "%s", text);
    cr_expect_not(strstr(text, "cmdstat_get:"), "%s", text);
    fixture_expect(&fixture, "INFO errorstats",
                   "$66|# Errorstats|errorstat_ERR:count=4|"
                   "errorstat_WRONGTYPE:count=1||");
    text = fixture_run(&fixture, "INFO latencystats");
    const char *set = strstr(text, "|latency_percentiles_usec_set:p50=");
    cr_assert(set, "%s", text);
    cr_expect(strstr(set, ",p99.9="), "%s", text);
    cr_expect_not(strstr(text, "latency_percentiles_usec_get:"), "%s", text);
    fixture.commands.settings.latency_tracking = false;
    fixture_expect(&fixture, "INFO latencystats", "$16|# Latencystats||");

    registry_find(&fixture.commands.registry, slice_from_string("get"))->stats =
        (struct command_stats){.calls = 2, .nanoseconds = 5000, .rejected_calls = 3, .failed_calls = 1};
    expect_line("INFO commandstats",
                "cmdstat_get:calls=2,usec=5,usec_per_call=2.50,rejected_calls=3,failed_calls=1");

    expect_asked("CONFIG RESETSTAT", "+OK|", "reset;");
    fixture_expect(&fixture, "INFO errorstats", "$14|# Errorstats||");
    text = fixture_run(&fixture, "INFO commandstats");
    cr_expect_not(strstr(text, "cmdstat_set:"), "%s", text);
    expect_line("INFO stats", "total_error_replies:0");
}

/* ---- saving and stopping ---- */

Test(cmd_server, saves_and_says_why_not)
{
    expect_asked("SAVE", "+OK|", "save;");
    expect_asked("BGSAVE", "+Background saving started|", "bgsave;");
    expect_asked("BGSAVE schedule", "+Background saving started|", "bgsave;");
    expect_asked("BGSAVE now", "-ERR syntax error|", "");
    fake.result = -EBUSY;
    expect_asked("SAVE", "-ERR Background save already in progress|", "save;");
    expect_asked("BGSAVE", "-ERR Background save already in progress|", "bgsave;");
    fake.result = -ENOSPC;
    expect_asked("SAVE", "-ERR|", "save;");
    expect_asked("BGSAVE", "-ERR|", "bgsave;");
    fake.facts.last_save_s = 1234;
    fixture_expect(&fixture, "LASTSAVE", ":1234|");
}

Test(cmd_server, shuts_down_as_it_is_told)
{
    char asked[64];
    expect_asked("SHUTDOWN", "", "shutdown 0;");
    snprintf(asked, sizeof(asked), "shutdown %d;", SHUTDOWN_SAVE | SHUTDOWN_NOW | SHUTDOWN_FORCE);
    expect_asked("SHUTDOWN save NOW force", "", asked);
    snprintf(asked, sizeof(asked), "shutdown %d;", SHUTDOWN_NOSAVE);
    expect_asked("SHUTDOWN NOSAVE", "", asked);
    expect_asked("SHUTDOWN SAVE NOSAVE", "-ERR syntax error|", "");
    expect_asked("SHUTDOWN ABORT NOW", "-ERR syntax error|", "");
    expect_asked("SHUTDOWN later", "-ERR syntax error|", "");
    expect_asked("SHUTDOWN ABORT", "+OK|", "abort;");
    fake.result = -EIO;
    expect_asked("SHUTDOWN", "-ERR Errors trying to SHUTDOWN. Check logs.|", "shutdown 0;");
    expect_asked("SHUTDOWN ABORT", "-ERR No shutdown in progress.|", "abort;");
}

/* ---- databases ---- */

Test(cmd_server, flushes_one_or_all)
{
    fixture_run(&fixture, "SET a 1");
    fixture_run(&fixture, "SELECT 1");
    fixture_run(&fixture, "MSET b 1 c 2");
    expect_asked("FLUSHDB now", "-ERR syntax error|", "");
    expect_asked("FLUSHALL async sync", "-ERR syntax error|", "");
    fixture_expect(&fixture, "DBSIZE", ":2|");
    expect_asked("FLUSHDB ASYNC", "+OK|", "");
    cr_expect_eq(fixture.dirty, 2);
    cr_expect_eq(fixture.keyspace.reclaim.pending_items, 2);
    fixture_expect(&fixture, "DBSIZE", ":0|");
    fixture_run(&fixture, "SELECT 0");
    fixture_expect(&fixture, "DBSIZE", ":1|");
    expect_asked("FLUSHALL SYNC", "+OK|", "flushed with 0 keys;");
    cr_expect_eq(fixture.keyspace.reclaim.pending_items, 2);
    fixture_run(&fixture, "SET a 1");
    fixture.commands.settings.lazyfree_user_flush = true;
    fixture_run(&fixture, "FLUSHALL");
    cr_expect_eq(fixture.keyspace.reclaim.pending_items, 3);
    reclaim_finish(&fixture.keyspace.reclaim);
}

Test(cmd_server, swaps_databases)
{
    fixture_run(&fixture, "SET a 1");
    fixture_expect(&fixture, "SWAPDB 0 3", "+OK|");
    cr_expect_eq(fixture.dirty, 1);
    fixture_expect(&fixture, "GET a", "$-1|");
    fixture_run(&fixture, "SELECT 3");
    fixture_expect(&fixture, "GET a", "$1|1|");
    fixture_expect(&fixture, "SWAPDB x 99", "-ERR invalid first DB index|");
    fixture_expect(&fixture, "SWAPDB 99 x", "-ERR invalid second DB index|");
    fixture_expect(&fixture, "SWAPDB 0 16", "-ERR DB index is out of range|");
    fixture_expect(&fixture, "SWAPDB -1 0", "-ERR DB index is out of range|");
}

/* ---- CONFIG SET ---- */

Test(cmd_server, config_set_says_where_the_client_is)
{
    expect_asked("CONFIG SET hz 1 x y", "+OK|", "set hz 1 x y flags 0;");
    fixture.session->flags |= SESSION_LOOPBACK;
    expect_asked("CONFIG SET hz 1", "+OK|", "set hz 1 flags 1;");
    fixture.session->flags = SESSION_UNIX_SOCKET;
    fixture.commands.loading = true;
    expect_asked("CONFIG SET hz 1", "+OK|", "set hz 1 flags 3;");
}

/* ---- MEMORY ---- */

static long usage_of(const char *key)
{
    char line[64];
    snprintf(line, sizeof(line), "MEMORY USAGE %s", key);
    const char *text = fixture_run(&fixture, line);
    cr_assert_eq(text[0], ':', "%s", text);
    return strtol(text + 1, NULL, 10);
}

Test(cmd_server, memory_usage_covers_key_and_value)
{
    char line[5000] = "SET long ";
    memset(line + strlen(line), 'x', 4000);
    fixture_run(&fixture, line);
    fixture_run(&fixture, "SET k v");
    fixture_run(&fixture, "SET kkkkkkkkkkkkkkkkkkkkkkkk v");
    long small = usage_of("k");
    cr_expect(small > 10 && small < 64, "%ld", small);
    cr_expect_geq(usage_of("kkkkkkkkkkkkkkkkkkkkkkkk"), small + 16);
    cr_expect(usage_of("long") > 4000 && usage_of("long") < 9000, "%ld", usage_of("long"));
    fixture_expect(&fixture, "MEMORY USAGE nosuch", "$-1|");
    fixture_expect(&fixture, "MEMORY USAGE k SAMPLES", "-ERR syntax error|");
    fixture_expect(&fixture, "MEMORY USAGE k SAMPLES -1", "-ERR syntax error|");
    fixture_expect(&fixture, "MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range|");
    fixture_expect(&fixture, "MEMORY USAGE k nosuch 5", "-ERR syntax error|");
}

Test(cmd_server, memory_stats_name_each_database)
{
    fixture_run(&fixture, "SET a 1");
    fixture_run(&fixture, "SELECT 2");
    fixture_run(&fixture, "SET a 1");
    fixture.session->version = 3;
    const char *text = fixture_run(&fixture, "MEMORY STATS");
    cr_expect_eq(strncmp(text, "%29|$14|peak.allocated|:", 24), 0, "%.40s", text);
    cr_expect(strstr(text, "|$4|db.0|%3|$23|overhead.hashtable.main|:"), "%s", text);
    cr_expect(strstr(text, "|$4|db.2|%3|"), "%s", text);
    cr_expect(strstr(text, "|$10|keys.count|:2|"), "%s", text);
}

/* ---- the rest ---- */

Test(cmd_server, tells_time_role_and_version)
{
    fixture_expect(&fixture, "ROLE", "*3|$6|master|:0|*0|");
    fixture_expect(&fixture, "WAIT 1 0", ":0|");
    fixture_expect(&fixture, "WAIT 1 -1", "-ERR timeout is negative|");
    fixture_expect(&fixture, "WAIT 1 x", "-ERR timeout is not an integer or out of range|");
    fixture_expect(&fixture, "MODULE LIST", "*0|");
    cr_expect(strstr(fixture_run(&fixture, "LOLWUT"), "Redis ver. 7.0.15|"));
    cr_expect(strstr(fixture_run(&fixture, "LOLWUT VERSION 5 10 10"), "Redis ver. 7.0.15|"));
    fixture_expect(&fixture, "LOLWUT VERSION x", "-ERR value is not an integer or out of range|");
    long seconds = 0, microseconds = -1;
    cr_expect_eq(sscanf(fixture_run(&fixture, "TIME"), "*2|$10|%ld|$%*d|%ld|", &seconds, &microseconds), 2);
    cr_expect(seconds > 1600000000 && microseconds >= 0 && microseconds < 1000000);
}
