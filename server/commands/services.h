#ifndef SPINDLE_COMMANDS_SERVICES_H
#define SPINDLE_COMMANDS_SERVICES_H

#include "protocol/buffer.h"
#include "protocol/resp_write.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What commands may ask of the rest of the server: snapshots, configuration, shutting down, facts for INFO.
 * The composition root (server.c) fills the table; commands include nothing of persist/ or net/. Main thread
 * only.
 */

enum shutdown_flag {
    SHUTDOWN_SAVE = 1 << 0,   /* save even without save points */
    SHUTDOWN_NOSAVE = 1 << 1, /* do not save even with save points */
    SHUTDOWN_NOW = 1 << 2,
    SHUTDOWN_FORCE = 1 << 3, /* exit although saving failed */
};

enum config_set_flag {
    CONFIG_SET_LOCAL = 1 << 0,   /* the client is on this machine */
    CONFIG_SET_LOADING = 1 << 1, /* the data set is being loaded */
};

/* Numbers of persist/ and net/ for INFO, MEMORY and CLIENT. Times in seconds unless named otherwise; -1:
 * never. */
struct server_facts {
    /* persistence */
    bool loading;
    int64_t loading_start_s, loading_total_bytes, loading_loaded_bytes, loading_eta_s;
    bool save_in_progress; /* a BGSAVE child runs */
    bool save_scheduled;
    bool last_save_ok; /* of the last BGSAVE */
    int64_t last_save_s;
    int64_t last_save_duration_s, current_save_duration_s;
    uint64_t saves;
    uint64_t current_cow_bytes, current_cow_peak_bytes, last_cow_bytes;
    double current_fork_percent;
    int64_t current_cow_age_s;
    uint64_t current_save_keys_done, current_save_keys_total;
    uint64_t load_keys_expired, load_keys_loaded;
    int64_t latest_fork_us;
    uint64_t forks;
    /* net */
    uint64_t connections_received, connections_rejected;
    uint64_t input_bytes, output_bytes;
    uint64_t reads, writes;
    uint64_t connections;
    uint64_t connection_bytes; /* user-space memory of all connections */
    uint64_t output_limit_disconnections, query_limit_disconnections;
    int helpers; /* I/O helper threads */
    /* process */
    int64_t start_s;
    int tcp_port;
    const char *executable, *config_file, *run_id;
    const char *supervised;                           /* "no", "systemd", "upstart" */
    uint64_t startup_memory_bytes, peak_memory_bytes; /* as allocator_used_bytes */
    const char *maxmemory_policy;
};

/* What an I/O helper thread has done. */
struct helper_facts {
    uint64_t busy_us;
    uint64_t batches, requests;
    uint64_t queued_batches; /* handed over, not executed yet */
    uint64_t connections;
};

struct services {
    void *server;

    void (*facts)(void *server, struct server_facts *facts);
    /* Of the helper with this number, from 0. */
    void (*helper_facts)(void *server, int helper, struct helper_facts *facts);

    /* SAVE. 0, -EBUSY while a child runs, or -errno after logging. */
    int (*save)(void *server);
    /* BGSAVE. 0, -EBUSY while a child runs, or -errno after logging. */
    int (*save_in_background)(void *server);
    /* BGSAVE SCHEDULE while busy: save as soon as possible. */
    void (*schedule_save)(void *server);
    /* FLUSHALL with save points: kills a running child and saves the (empty) data set. */
    void (*after_flush_all)(void *server);
    /* DEBUG RELOAD: saves (unless nosave), empties (unless noflush) and loads. 0 or -errno. */
    int (*reload)(void *server, bool save, bool flush);

    /* SHUTDOWN. 0: the server stops after this turn; -EIO: saving failed, it goes on. */
    int (*shutdown)(void *server, unsigned shutdown_flags);
    /* SHUTDOWN ABORT. 0, or -ENOENT when no shutdown is in progress. */
    int (*shutdown_abort)(void *server);

    /* DUMP: appends the serialised value, version and checksum. */
    void (*dump)(void *server, const struct entry *entry, struct buffer *out);
    /* RESTORE: checks and stores. 0; -EINVAL: version or checksum wrong; -EBADMSG: bad data format. */
    int (*restore)(void *server, struct database *db, const struct key *key, struct slice payload,
                   int64_t expiry_ms, int64_t idle_s, int64_t frequency);

    /* FUNCTION DUMP: appends the sources of all libraries, version and checksum. */
    void (*dump_functions)(void *server, struct buffer *out);
    /* FUNCTION RESTORE: calls for each source of a payload. 0; -EINVAL and -EBADMSG as restore. */
    int (*read_functions)(void *server, struct slice payload,
                          void (*each)(void *context, struct slice source), void *context);

    /* A script was left: lets it go on between batches. */
    void (*go_on)(void *server);

    /* CONFIG GET: writes the whole reply (a map). */
    void (*config_get)(void *server, const struct slice *patterns, int count, struct reply *reply);
    /* CONFIG SET: name, value, ...: all or nothing. Flags: enum config_set_flag. Writes the whole reply. */
    void (*config_set)(void *server, const struct slice *pairs, int count, unsigned config_set_flags,
                       struct reply *reply);
    /* CONFIG REWRITE. Writes the whole reply. */
    void (*config_rewrite)(void *server, struct reply *reply);

    /* CONFIG RESETSTAT: counters of net/ and persist/. */
    void (*reset_stats)(void *server);
};

#endif
