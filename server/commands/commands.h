#ifndef SPINDLE_COMMANDS_COMMANDS_H
#define SPINDLE_COMMANDS_COMMANDS_H

#include "commands/acl_user.h"
#include "commands/blocking.h"
#include "commands/call.h"
#include "commands/client_limit.h"
#include "commands/latency.h"
#include "commands/memory_limit.h"
#include "commands/monitor.h"
#include "commands/notify.h"
#include "commands/pause.h"
#include "commands/pubsub.h"
#include "commands/registry.h"
#include "commands/scripting.h"
#include "commands/slowlog.h"
#include "commands/tracking.h"
#include "commands/transaction.h"
#include "commands/watch.h"
#include "protocol/request.h"

/*
 * The command side of the server: registry, sessions, statistics, and dispatch. Main thread only.
 *
 * A request goes through command_prepare (twice, for a group of requests: prefetching) and command_execute.
 */

/* Settings that commands read; the configuration writes them. */
struct command_settings {
    int64_t proto_max_bulk_len;
    int64_t slowlog_log_slower_than_us; /* negative: off */
    int64_t slowlog_max_len;
    int64_t slow_command_ns;              /* derived: calls at least this long are looked at more closely */
    int64_t latency_monitor_threshold_ms; /* 0: off */
    bool latency_tracking;
    double latency_percentiles[16];
    int latency_percentile_count;
    bool stop_writes_on_bgsave_error;
    bool save_points_set; /* kept by the server: some `save` line is in force */
    bool lazyfree_user_flush, lazyfree_user_del;
    char *requirepass;    /* "" or NULL: none; acl_set_default_password makes it true */
    int acl_all_channels; /* acl-pubsub-default */
    char *acl_file;       /* "" or NULL: none */
    int64_t acl_log_max_len;
    int debug_command_access; /* 0 no, 1 yes, 2 local */
    int64_t maxmemory;        /* all 64 bits count; 0: no limit */
    int64_t maxmemory_eviction_tenacity;
    int64_t tracking_table_max_keys; /* 0: no limit */
    int64_t maxmemory_clients;       /* negative: percent of maxmemory */
    int64_t max_clients;
    int64_t busy_reply_threshold_ms; /* 0: scripts may take as long as they want */
    uint64_t reply_max_bytes;        /* what a client may leave unread (kept by the server); 0: no limit */
    int64_t hz;
    int databases;
};

struct command_stats_total {
    uint64_t commands_processed;
    uint64_t error_replies;
    uint64_t unexpected_error_replies;
    uint64_t operations_per_second, input_bytes_per_second, output_bytes_per_second; /* sampled */
};

/* An error code and how often it was replied. */
struct error_count {
    struct error_count *next; /* oldest first, as INFO errorstats prints them sorted */
    char code[32];
    uint64_t count;
};

struct commands {
    struct keyspace *keyspace;
    struct registry registry;
    struct session_list sessions;
    struct acl acl;
    struct command_settings settings;
    struct command_stats_total totals;
    struct error_count *errors;
    size_t error_kinds;
    struct slowlog slowlog;
    struct latency_monitor latency;
    struct blocking blocking;
    struct pubsub pubsub;
    struct memory_limit memory;
    struct client_limit clients;
    struct watch_table watched;
    struct monitor monitor;
    struct pause pause;
    struct notify notify;
    struct scripting scripting;
    struct tracking tracking;
    const struct services *services;
    uint64_t cycle_scale;  /* see clock_cycles_to_ns */
    uint64_t cycles;       /* when the previous command ended; commands_begin_batch starts it */
    bool loading;          /* answer -LOADING */
    bool last_save_failed; /* with stop-writes-on-bgsave-error: answer MISCONF to writes */
};

void commands_init(struct commands *commands, struct keyspace *keyspace, const struct services *services);
void commands_free(struct commands *commands);

/* Call after settings changed: recomputes what is derived from them. */
void commands_update_settings(struct commands *commands);

/* A batch of requests is about to be executed: reads the clock once for all of them. */
void commands_begin_batch(struct commands *commands);

/* A batch has been executed, or other work was done that may have changed keys: sends what is told once for
 * all of it. Returns true when there is more to do soon. */
static inline bool commands_end_batch(struct commands *commands)
{
    uint64_t keys_max = (uint64_t)commands->settings.tracking_table_max_keys;
    return tracking_has_work(&commands->tracking, keys_max) &&
           tracking_end_turn(&commands->tracking, keys_max);
}

/* When the next wait of a client ends by itself, in milliseconds since 1970; 0: no wait does. */
int64_t commands_next_deadline_ms(const struct commands *commands);

/* Finds a request's command and hashes its key. Any thread: reads nothing that changes while clients are
 * served. */
void commands_recognize(const struct commands *commands, struct request *request);
/* Starts fetching what a group of requests will look at, before they run; recognizes them unless that was
 * done. */
void commands_prepare(const struct commands *commands, struct request *const *requests, size_t count);

/* Runs a call that may run, and books it: for EXEC, which has its own way to the queued commands. */
void commands_perform(struct call *call, struct registry_entry *entry);

/* Books a call that has run: its error, its time, its line for monitors. */
void commands_book(struct call *call, struct registry_entry *entry);

/* Books a call that was refused, entry NULL: for an unknown command; its error is the last thing in the
 * reply.
 */
void commands_note_refused(struct commands *commands, struct registry_entry *entry,
                           const struct reply *reply);

/* A snapshot failed, and stop-writes-on-bgsave-error is on. */
bool commands_writes_are_stopped(const struct commands *commands);
#define COMMANDS_MISCONF_ERROR                                                                               \
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "      \
    "Commands that may modify the data set are disabled, because this instance is configured to report "     \
    "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the " \
    "Redis logs for details about the RDB error."

/* Executes a request; writes its reply (nothing when the session suppresses it). */
enum request_outcome commands_execute(struct commands *commands, struct request *request,
                                      struct reply *reply);

#endif
