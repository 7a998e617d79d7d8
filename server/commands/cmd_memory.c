/* MEMORY: what a key costs, where the memory went, and advice. Main thread only. */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/mem.h"
#include "commands/memory_report.h"

#include <stdio.h>

static void fill_report(const struct call *call, struct memory_report *report)
{
    const struct services *services = call->commands->services;
    struct server_facts facts;
    services->facts(services->server, &facts);
    memory_report_fill(report, call->commands, &facts);
}

/* ---- USAGE ---- */

/* Reads [SAMPLES count]...: values know their size without sampling. Returns false after an error reply. */
static bool read_samples(struct call *call)
{
    for (int i = 3; i < call->argc; i += 2) {
        int64_t count;
        if (!call_argument_is(call, i, "samples") || i + 1 == call->argc) {
            call_reply_syntax_error(call);
            return false;
        }
        if (!call_int64(call, i + 1, &count, NULL))
            return false;
        if (count < 0) {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* The entry, the value beside it, and the key's share of the table. */
void cmd_memory_usage(struct call *call)
{
    if (!read_samples(call))
        return;
    struct key key = call_key(call, 2);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_QUIET);
    if (!entry) {
        reply_null(call->reply);
        return;
    }
    uint64_t share = call->db->keys.bytes / keyspace_count(call->db);
    uint64_t bytes = mem_round(entry_block_bytes(entry)) + entry_value_footprint_bytes(entry);
    /* A table with few keys is mostly room for more: that is not the key's. */
    enum { SHARE_MAX_BYTES = 16 };
    reply_integer(call->reply, (int64_t)(bytes + (share < SHARE_MAX_BYTES ? share : SHARE_MAX_BYTES)));
}

/* ---- STATS ---- */

struct stats_reply {
    struct reply *reply;
    size_t pairs;
};

static void stats_bytes(struct stats_reply *stats, const char *name, uint64_t value)
{
    reply_string(stats->reply, name);
    reply_integer(stats->reply, (int64_t)value);
    stats->pairs++;
}

static void stats_double(struct stats_reply *stats, const char *name, double value)
{
    reply_string(stats->reply, name);
    reply_double(stats->reply, value);
    stats->pairs++;
}

static void stats_spread(struct stats_reply *stats, const char *ratio_name, const char *bytes_name,
                         uint64_t value, uint64_t base)
{
    stats_double(stats, ratio_name, memory_ratio(value, base));
    stats_bytes(stats, bytes_name, value - base);
}

/* Deadlines are in the entries: they need no table of their own. */
static void stats_database(struct stats_reply *stats, const struct database *db)
{
    char name[32];
    snprintf(name, sizeof(name), "db.%d", db->id);
    reply_string(stats->reply, name);
    reply_map(stats->reply, 3);
    struct stats_reply inner = {.reply = stats->reply};
    stats_bytes(&inner, "overhead.hashtable.main", db->keys.bytes);
    stats_bytes(&inner, "overhead.hashtable.expires", 0);
    stats_bytes(&inner, "overhead.hashtable.slot-to-keys", 0);
    stats->pairs++;
}

static void stats_used(struct stats_reply *stats, const struct memory_report *report,
                       const struct scripting *scripting)
{
    stats_bytes(stats, "peak.allocated", report->peak);
    stats_bytes(stats, "total.allocated", report->used);
    stats_bytes(stats, "startup.allocated", report->startup);
    stats_bytes(stats, "replication.backlog", 0);
    stats_bytes(stats, "clients.slaves", 0);
    stats_bytes(stats, "clients.normal", report->clients);
    stats_bytes(stats, "cluster.links", 0);
    stats_bytes(stats, "aof.buffer", 0);
    stats_bytes(stats, "lua.caches", scripting_measure(scripting).scripts);
    stats_bytes(stats, "functions.caches", scripting_measure(scripting).functions);
}

static void stats_dataset(struct stats_reply *stats, const struct memory_report *report)
{
    uint64_t added = report->used > report->startup ? report->used - report->startup : 0;
    stats_bytes(stats, "overhead.total", report->overhead);
    stats_bytes(stats, "keys.count", report->keys);
    stats_bytes(stats, "keys.bytes-per-key", report->keys ? added / report->keys : 0);
    stats_bytes(stats, "dataset.bytes", report->dataset);
    stats_double(stats, "dataset.percentage", memory_dataset_percent(report));
    stats_double(stats, "peak.percentage", memory_peak_percent(report));
}

static void stats_allocator(struct stats_reply *stats, const struct memory_report *report)
{
    const struct allocator_totals *allocator = &report->allocator;
    stats_bytes(stats, "allocator.allocated", allocator->allocated_bytes);
    stats_bytes(stats, "allocator.active", allocator->active_bytes);
    stats_bytes(stats, "allocator.resident", allocator->resident_bytes);
    stats_spread(stats, "allocator-fragmentation.ratio", "allocator-fragmentation.bytes",
                 allocator->active_bytes, allocator->allocated_bytes);
    stats_spread(stats, "allocator-rss.ratio", "allocator-rss.bytes", allocator->resident_bytes,
                 allocator->active_bytes);
    stats_spread(stats, "rss-overhead.ratio", "rss-overhead.bytes", report->resident,
                 allocator->resident_bytes);
    stats_spread(stats, "fragmentation", "fragmentation.bytes", report->resident, report->used);
}

void cmd_memory_stats(struct call *call)
{
    struct memory_report report;
    fill_report(call, &report);
    struct stats_reply stats = {.reply = call->reply};
    size_t mark = reply_deferred_begin(call->reply);
    stats_used(&stats, &report, &call->commands->scripting);
    for (int i = 0; i < call->keyspace->database_count; i++) {
        if (keyspace_count(&call->keyspace->databases[i]))
            stats_database(&stats, &call->keyspace->databases[i]);
    }
    stats_dataset(&stats, &report);
    stats_allocator(&stats, &report);
    reply_deferred_map(call->reply, mark, stats.pairs);
}

/* ---- DOCTOR ---- */

enum { DOCTOR_MIN_BYTES = 5 * 1024 * 1024, DOCTOR_NOTABLE_BYTES = 10 * 1024 * 1024 };

static void advise(struct buffer *text, const char *advice)
{
    buffer_append(text, " * ", 3);
    buffer_append(text, advice, strlen(advice));
    buffer_append(text, "\n", 1);
}

static bool is_notable(uint64_t value, uint64_t base, double ratio)
{
    return value > base && value - base > DOCTOR_NOTABLE_BYTES && memory_ratio(value, base) > ratio;
}

static void examine(const struct memory_report *report, uint64_t connections, struct buffer *text)
{
    enum { CLIENT_HEAVY_BYTES = 200 * 1024 };
    const struct allocator_totals *allocator = &report->allocator;
    if (is_notable(report->peak, report->used, 1.5))
        advise(text, "Peak: memory was much fuller once. What was freed may still be resident; MEMORY PURGE "
                     "returns what can be returned.");
    if (is_notable(allocator->active_bytes, allocator->allocated_bytes, 1.4))
        advise(text, "Fragmentation: pages are held by few values each. Rewriting the data, or a restart "
                     "from a snapshot, packs them.");
    if (is_notable(allocator->resident_bytes, allocator->active_bytes, 1.1))
        advise(text, "Allocator: free pages were not given back yet. MEMORY PURGE does that now.");
    if (is_notable(report->resident, allocator->resident_bytes, 1.1))
        advise(text, "Process: memory is resident that no allocator knows of, such as code, stacks and "
                     "buffers of the kernel.");
    if (connections && report->clients / connections > CLIENT_HEAVY_BYTES)
        advise(text, "Clients: the average connection holds more than 200 kB. Look for clients that do not "
                     "read their replies (CLIENT LIST, omem).");
}

void cmd_memory_doctor(struct call *call)
{
    static const char small[] = "There is too little data in this server for a diagnosis.\n";
    static const char healthy[] = "Memory looks healthy: nothing to report.\n";
    static const char found[] = "Findings about the memory of this server:\n\n";
    struct memory_report report;
    fill_report(call, &report);
    struct buffer advice = {0}, text = {0};
    if (report.used < DOCTOR_MIN_BYTES) {
        buffer_append(&text, small, sizeof(small) - 1);
    } else {
        examine(&report, call->commands->sessions.count, &advice);
        if (advice.length)
            buffer_append(&text, found, sizeof(found) - 1);
        else
            buffer_append(&text, healthy, sizeof(healthy) - 1);
        buffer_append(&text, advice.length ? advice.data : "", advice.length);
    }
    reply_verbatim(call->reply, "txt", text.data, text.length);
    buffer_free(&advice);
    buffer_free(&text);
}

/* ---- PURGE, MALLOC-STATS, HELP ---- */

void cmd_memory_purge(struct call *call)
{
    mem_trim();
    reply_ok(call->reply);
}

static void append_report(void *context, const char *text)
{
    buffer_append(context, text, strlen(text));
}

void cmd_memory_malloc_stats(struct call *call)
{
    static const char none[] = "The allocator of this build keeps no statistics.\n";
    struct buffer text = {0};
    if (!allocator_report(append_report, &text))
        buffer_append(&text, none, sizeof(none) - 1);
    reply_verbatim(call->reply, "txt", text.data, text.length);
    buffer_free(&text);
}

void cmd_memory_help(struct call *call)
{
    static const char *const lines[] = {
        "DOCTOR",
        "    Look for unusual use of memory and advise.",
        "MALLOC-STATS",
        "    Show the report of the allocator.",
        "PURGE",
        "    Give free memory back to the system.",
        "STATS",
        "    Show where the memory went.",
        "USAGE <key> [SAMPLES <count>]",
        "    Tell how many bytes <key> and its value occupy.",
        NULL,
    };
    call_reply_help(call, lines);
}
