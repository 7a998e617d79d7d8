#ifndef SPINDLE_PERSIST_SNAPSHOT_H
#define SPINDLE_PERSIST_SNAPSHOT_H

#include "persist/persist_settings.h"
#include "persist/rdb_error.h"
#include "persist/system_calls.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where and when dumps are written and read: in the foreground, in a forked child, and at start.
 *
 * A dump is written to temp-PID.rdb in the working directory, synced, read back and verified, and only then
 * renamed over the old one: whatever kills the writer, an old dump stays and loads. A dump that this process
 * failed to load is never overwritten while it lies there.
 *
 * Keeps keyspace->dirty and keyspace->copy_on_write. Logs what goes wrong; callers only answer the client.
 * Main thread only. No function but snapshot_save, snapshot_load, snapshot_wait and snapshot_free waits.
 */

struct dump_progress; /* the page shared with the child */

struct snapshot_child {
    pid_t pid; /* 0: none */
    int directory;
    int64_t start_us; /* monotonic */
    uint64_t dirty_before;
    uint64_t last_beat; /* progress seen by the watchdog, and when */
    int64_t last_beat_us;
    bool killed;  /* on purpose: its end is not a failure */
    bool stalled; /* killed by the watchdog */
};

struct snapshot {
    struct keyspace *keyspace;
    const struct system_calls *calls;
    struct dump_progress *progress;
    struct snapshot_child child;
    int64_t stall_limit_us; /* a child without progress for so long is killed */

    bool last_ok; /* of the last save in a child */
    int64_t last_save_s, last_try_s;
    int64_t last_duration_s; /* -1: never */
    uint64_t saves, forks;
    int64_t latest_fork_us;
    uint64_t last_cow_bytes;

    /* The dump that could not be loaded: not to be overwritten. */
    bool refused_dump;
    dev_t refused_device;
    ino_t refused_inode;

    /* The dump of which something was left out when it was loaded: overwriting it is worth a line in the log.
     */
    uint64_t dropped; /* how much; 0: nothing, or it was overwritten */
    dev_t dropped_device;
    ino_t dropped_inode;

    bool loading;
    int64_t load_start_s;
    uint64_t load_total_bytes, load_done_bytes;
    uint64_t load_keys_loaded, load_keys_expired;
};

/* What INFO shows. Times in seconds since 1970 unless named otherwise. */
struct snapshot_status {
    bool child_running;
    bool last_ok;
    int64_t last_save_s;
    int64_t last_duration_s, current_duration_s; /* -1: never, none */
    uint64_t saves, forks;
    int64_t latest_fork_us;
    uint64_t keys_done, keys_total;
    double fork_percent;
    uint64_t cow_bytes, cow_peak_bytes, last_cow_bytes;
    int64_t cow_age_s; /* since cow_bytes was measured */
    bool loading;
    int64_t load_start_s, load_eta_s;
    uint64_t load_total_bytes, load_done_bytes;
    uint64_t load_keys_loaded, load_keys_expired;
};

enum snapshot_event {
    SNAPSHOT_NONE,     /* no child */
    SNAPSHOT_RUNNING,  /* the child goes on */
    SNAPSHOT_FINISHED, /* it ended just now: the dump is in place */
    SNAPSHOT_FAILED,   /* it ended just now, by an error or a signal: the old dump is in place */
    SNAPSHOT_KILLED,   /* it ended just now, by snapshot_kill */
};

/* Keyspace and calls (NULL: libc) are borrowed for the snapshot's life. Returns 0 or -errno. */
int snapshot_init(struct snapshot *snapshot, struct keyspace *keyspace, const struct system_calls *calls);

/* Kills a running child, waits for its end and removes its file. */
void snapshot_free(struct snapshot *snapshot);

/* Removes temp-PID.rdb files in the working directory whose process is gone. Call once at start, before
 * loading.
 */
void snapshot_remove_stale(struct snapshot *snapshot);

/* Saves now, blocking. 0; -EBUSY while a child runs; -EPERM when the dump in place could not be loaded; or
 * -errno, logged. */
int snapshot_save(struct snapshot *snapshot, const struct persist_settings *settings);

/* Forks a child that saves. Errors as snapshot_save. */
int snapshot_start(struct snapshot *snapshot, const struct persist_settings *settings);

/* Looks after the child: call on SIGCHLD and at least once a second. Does not wait. */
enum snapshot_event snapshot_poll(struct snapshot *snapshot);

/* Ends the child, if any; snapshot_poll or snapshot_wait reports its end. */
void snapshot_kill(struct snapshot *snapshot);

/* Waits for the child's end and reports it. */
enum snapshot_event snapshot_wait(struct snapshot *snapshot);

static inline bool snapshot_is_running(const struct snapshot *snapshot)
{
    return snapshot->child.pid > 0;
}

struct snapshot_load_options {
    bool replace; /* keys that exist already are replaced; otherwise they are an error */
    /* Called about every 2 MB, more often with a key_load_delay_us; may run the loop. Returning false gives
     * up with -ECANCELED. May be NULL. */
    bool (*progress)(void *context);
    void *context;
};

/* Reads the dump into the keyspace. 0; -ENOENT: there is none; -EBADMSG: refused, *error says why;
 * -ECANCELED; or another -errno with the text in *error. Unless 0 or -ENOENT, the keyspace holds a part, and
 * the file will not be overwritten. Logs a success; an error is the caller's to log. */
int snapshot_load(struct snapshot *snapshot, const struct persist_settings *settings,
                  const struct snapshot_load_options *options, struct rdb_error *error);

void snapshot_status(const struct snapshot *snapshot, struct snapshot_status *status);

/* CONFIG RESETSTAT. */
void snapshot_reset_stats(struct snapshot *snapshot);

/* ---- save points ---- */

enum { SNAPSHOT_RETRY_S = 5 }; /* after a failed save */

/* Returns the first point that asks for a save: at least so many changes, more than so many seconds after the
 * last save; after a failed one not before SNAPSHOT_RETRY_S. NULL: none. */
const struct save_point *snapshot_due_point(const struct save_point *points, size_t count, uint64_t dirty,
                                            int64_t since_save_s, int64_t since_try_s, bool last_ok);

/* The same for a snapshot as it is now; NULL while a child runs. */
const struct save_point *snapshot_due(const struct snapshot *snapshot, const struct save_point *points,
                                      size_t count);

#endif
