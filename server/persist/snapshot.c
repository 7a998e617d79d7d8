/*
 * Snapshots as the server sees them: starting, watching and ending a child, saving in the foreground,
 * loading, and when a save is due. See snapshot.h. Main thread only.
 *
 * Invariant: while child.pid is not 0, keyspace->copy_on_write is set, child.directory is open, and the page
 * behind progress belongs to the child.
 */
#include "snapshot.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "persist/dump_child.h"
#include "persist/dump_file.h"
#include "persist/rdb_load.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* Longer than any disk stalls that still works; a write that hangs for ever would block every later save.
     */
    STALL_LIMIT_S = 300,
    LOAD_REPORT_BYTES = 2 * 1024 * 1024,
    DROPPED_LINES_MAX = 100, /* values left out while loading that get a line of their own */
    SECOND_US = 1000000,
    MILLION_BYTES = 1000000,
};

_Static_assert(sizeof(struct dump_progress) <= 4096, "progress is one page");

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

int snapshot_init(struct snapshot *snapshot, struct keyspace *keyspace, const struct system_calls *calls)
{
    *snapshot = (struct snapshot){
        .keyspace = keyspace,
        .calls = calls ? calls : &system_calls_libc,
        .stall_limit_us = (int64_t)STALL_LIMIT_S * SECOND_US,
        .last_ok = true,
        .last_save_s = now_s(),
        .last_duration_s = -1,
    };
    void *page =
        mmap(NULL, sizeof(struct dump_progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -errno;
    snapshot->progress = page;
    return 0;
}

static uint64_t keyspace_total(const struct keyspace *keyspace)
{
    uint64_t total = 0;
    for (int i = 0; i < keyspace->database_count; i++)
        total += keyspace_count(&keyspace->databases[i]);
    return total;
}

/* ---- before a save ---- */

static int open_directory(struct snapshot *snapshot)
{
    int directory = snapshot->calls->openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    return directory < 0 ? -errno : directory;
}

/* Would this save overwrite the dump that could not be loaded? */
static bool is_refused(const struct snapshot *snapshot, int directory, const char *file_name)
{
    struct stat facts;
    return snapshot->refused_dump && fstatat(directory, file_name, &facts, 0) == 0 &&
           facts.st_dev == snapshot->refused_device && facts.st_ino == snapshot->refused_inode;
}

/* Says, before the first save over a dump that was loaded only in part, what goes with it. */
static void warn_of_dropped(struct snapshot *snapshot, int directory, const char *file_name)
{
    struct stat facts;
    if (snapshot->dropped == 0 || fstatat(directory, file_name, &facts, 0) < 0 ||
        facts.st_dev != snapshot->dropped_device || facts.st_ino != snapshot->dropped_inode)
        return;
    log_warning("Saving over %s, which still holds the %llu values that were left out when it was loaded",
                file_name, (unsigned long long)snapshot->dropped);
    snapshot->dropped = 0;
}

/* Opens the directory of a save that may begin; returns it or -errno, logged. */
static int snapshot_prepare(struct snapshot *snapshot, const struct persist_settings *settings)
{
    if (snapshot_is_running(snapshot))
        return -EBUSY;
    int directory = open_directory(snapshot);
    if (directory < 0) {
        log_warning("Cannot save: opening the working directory: %s", strerror(-directory));
        return directory;
    }
    if (is_refused(snapshot, directory, settings->file_name)) {
        log_warning("Not saving: %s could not be loaded and would be overwritten. Move it away first.",
                    settings->file_name);
        snapshot->calls->close(directory);
        return -EPERM;
    }
    warn_of_dropped(snapshot, directory, settings->file_name);
    struct dump_progress *progress = snapshot->progress;
    memset(progress, 0, sizeof(*progress));
    progress->keys_total = keyspace_total(snapshot->keyspace);
    snapshot->saves++;
    return directory;
}

static struct dump_job snapshot_job(struct snapshot *snapshot, const struct persist_settings *settings,
                                    int directory)
{
    return (struct dump_job){
        .calls = snapshot->calls,
        .keyspace = snapshot->keyspace,
        .settings = settings,
        .directory = directory,
        .progress = snapshot->progress,
    };
}

/* ---- in the foreground ---- */

int snapshot_save(struct snapshot *snapshot, const struct persist_settings *settings)
{
    int directory = snapshot_prepare(snapshot, settings);
    if (directory < 0)
        return directory;
    int64_t start_us = clock_monotonic_us();
    struct dump_job job = snapshot_job(snapshot, settings, directory);
    int error = dump_write(&job);
    snapshot->calls->close(directory);
    if (error) {
        log_warning("Saving failed: %s", snapshot->progress->failure);
        return error;
    }
    log_notice("Saved %llu keys (%.1f MB) in %.3f seconds",
               (unsigned long long)snapshot->progress->keys_total,
               (double)snapshot->progress->file_bytes / MILLION_BYTES,
               (double)(clock_monotonic_us() - start_us) / SECOND_US);
    snapshot->keyspace->dirty = 0;
    snapshot->last_save_s = now_s();
    snapshot->last_ok = true;
    return 0;
}

/* ---- in a child ---- */

int snapshot_start(struct snapshot *snapshot, const struct persist_settings *settings)
{
    int directory = snapshot_prepare(snapshot, settings);
    snapshot->last_try_s = now_s();
    if (directory < 0) {
        snapshot->last_ok = snapshot->last_ok && directory == -EBUSY;
        return directory;
    }
    struct dump_job job = snapshot_job(snapshot, settings, directory);
    sigset_t signals;
    pid_t parent = getpid();
    dump_child_block_signals(&signals);
    int64_t start_us = clock_monotonic_us();
    pid_t pid = snapshot->calls->fork();
    if (pid == 0)
        dump_child_run(&job, parent);
    int fork_errno = errno;
    snapshot->latest_fork_us = clock_monotonic_us() - start_us;
    dump_child_restore_signals(&signals);
    snapshot->forks++;
    if (pid < 0) {
        log_warning("Cannot save in the background: fork: %s", strerror(fork_errno));
        snapshot->calls->close(directory);
        snapshot->last_ok = false;
        return -fork_errno;
    }
    snapshot->child = (struct snapshot_child){.pid = pid,
                                              .directory = directory,
                                              .start_us = start_us,
                                              .dirty_before = snapshot->keyspace->dirty,
                                              .last_beat_us = start_us};
    snapshot->keyspace->copy_on_write = true;
    log_notice("Background saving started by pid %d", (int)pid);
    return 0;
}

static void child_remove_temporary(struct snapshot *snapshot)
{
    char name[DUMP_TEMPORARY_NAME_BYTES];
    dump_temporary_name(name, snapshot->child.pid);
    snapshot->calls->unlinkat(snapshot->child.directory, name, 0);
}

static enum snapshot_event child_failed(struct snapshot *snapshot, int end_signal)
{
    child_remove_temporary(snapshot);
    if (snapshot->child.killed) {
        log_notice("Background saving was ended");
        return SNAPSHOT_KILLED;
    }
    snapshot->last_ok = false;
    if (end_signal)
        log_warning("Background saving was ended by signal %d", end_signal);
    else
        log_warning("Background saving failed: %s", snapshot->progress->failure);
    return SNAPSHOT_FAILED;
}

static enum snapshot_event child_finished(struct snapshot *snapshot)
{
    const struct dump_progress *progress = snapshot->progress;
    uint64_t *dirty = &snapshot->keyspace->dirty;
    *dirty -= *dirty < snapshot->child.dirty_before ? *dirty : snapshot->child.dirty_before;
    snapshot->last_save_s = now_s();
    snapshot->last_ok = true;
    log_notice("Background saving finished: %llu keys (%.1f MB), %.1f MB copied on write",
               (unsigned long long)progress->keys_total, (double)progress->file_bytes / MILLION_BYTES,
               (double)progress->cow_peak_bytes / MILLION_BYTES);
    return SNAPSHOT_FINISHED;
}

/* Accounts for a child that has ended, by a signal perhaps. */
static enum snapshot_event child_ended(struct snapshot *snapshot, int end_signal)
{
    bool succeeded = atomic_load(&snapshot->progress->succeeded);
    snapshot->last_duration_s = (clock_monotonic_us() - snapshot->child.start_us) / SECOND_US;
    snapshot->last_cow_bytes = snapshot->progress->cow_peak_bytes;
    enum snapshot_event event = succeeded ? child_finished(snapshot) : child_failed(snapshot, end_signal);
    snapshot->calls->close(snapshot->child.directory);
    snapshot->child = (struct snapshot_child){.pid = 0};
    snapshot->keyspace->copy_on_write = false;
    return event;
}

/* Kills a child that hangs: nobody else would, and no later save could start. */
static void child_watch(struct snapshot *snapshot)
{
    struct snapshot_child *child = &snapshot->child;
    uint64_t beat = atomic_load_explicit(&snapshot->progress->beat, memory_order_relaxed);
    int64_t now_us = clock_monotonic_us();
    if (beat != child->last_beat) {
        child->last_beat = beat;
        child->last_beat_us = now_us;
    } else if (now_us - child->last_beat_us > snapshot->stall_limit_us && !child->stalled) {
        child->stalled = true;
        log_warning("Background saving has made no progress for %lld seconds: ending it",
                    (long long)(snapshot->stall_limit_us / SECOND_US));
        kill(child->pid, SIGKILL);
    }
}

static enum snapshot_event child_wait(struct snapshot *snapshot, int options)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(snapshot->child.pid, &status, options);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return SNAPSHOT_RUNNING;
    /* ECHILD: the system reaped it, because SIGCHLD is ignored. */
    CHECK(got == snapshot->child.pid || errno == ECHILD);
    return child_ended(snapshot, got > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

enum snapshot_event snapshot_poll(struct snapshot *snapshot)
{
    if (!snapshot_is_running(snapshot))
        return SNAPSHOT_NONE;
    enum snapshot_event event = child_wait(snapshot, WNOHANG);
    if (event == SNAPSHOT_RUNNING)
        child_watch(snapshot);
    return event;
}

void snapshot_kill(struct snapshot *snapshot)
{
    if (!snapshot_is_running(snapshot))
        return;
    snapshot->child.killed = true;
    kill(snapshot->child.pid, SIGKILL);
}

enum snapshot_event snapshot_wait(struct snapshot *snapshot)
{
    return snapshot_is_running(snapshot) ? child_wait(snapshot, 0) : SNAPSHOT_NONE;
}

void snapshot_free(struct snapshot *snapshot)
{
    snapshot_kill(snapshot);
    snapshot_wait(snapshot);
    munmap(snapshot->progress, sizeof(struct dump_progress));
    snapshot->progress = NULL;
}

/* ---- what crashes left behind ---- */

/* Returns the process that a temporary file belongs to, or 0. */
static pid_t temporary_owner(const char *name)
{
    if (strncmp(name, "temp-", 5) != 0 || !isdigit((unsigned char)name[5]))
        return 0;
    char *end;
    errno = 0;
    long pid = strtol(name + 5, &end, 10);
    return errno == 0 && pid > 0 && pid <= INT32_MAX && strcmp(end, ".rdb") == 0 ? (pid_t)pid : 0;
}

/* A zombie counts as gone: in a container there may be nobody to reap it. */
static bool process_is_gone(pid_t pid)
{
    if (kill(pid, 0) < 0)
        return errno == ESRCH;
    char path[32], text[128];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = 0;
    const char *name_end = strrchr(text, ')'); /* the name may hold anything */
    return name_end && (strncmp(name_end, ") Z", 3) == 0 || strncmp(name_end, ") X", 3) == 0);
}

void snapshot_remove_stale(struct snapshot *snapshot)
{
    DIR *directory = opendir(".");
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        pid_t owner = temporary_owner(entry->d_name);
        bool gone = owner && (owner == getpid() || process_is_gone(owner));
        if (gone && snapshot->calls->unlinkat(dirfd(directory), entry->d_name, 0) == 0)
            log_notice("Removed %s, which a save that did not end left behind", entry->d_name);
    }
    closedir(directory);
}

/* ---- loading ---- */

struct snapshot_loading {
    struct snapshot *snapshot;
    const struct snapshot_load_options *options;
    uint64_t reported_bytes;
    bool delayed;
    uint64_t dropped;
};

static bool loading_progress(void *context, uint64_t offset)
{
    struct snapshot_loading *loading = context;
    loading->snapshot->load_done_bytes = offset;
    if (offset - loading->reported_bytes < LOAD_REPORT_BYTES && !loading->delayed)
        return true;
    loading->reported_bytes = offset;
    return loading->options->progress == NULL || loading->options->progress(loading->options->context);
}

static void loading_dropped(void *context, int database, const struct rdb_dropped *dropped)
{
    struct snapshot_loading *loading = context;
    char text[RDB_KEY_TEXT_BYTES];
    if (++loading->dropped > DROPPED_LINES_MAX)
        return;
    if (dropped->has_key)
        log_warning("Left out key \"%s\" of database %d at offset %llu: %s",
                    rdb_printable_text(dropped->key, text), database, (unsigned long long)dropped->offset,
                    dropped->what);
    else
        log_warning("Left out what is at offset %llu: %s", (unsigned long long)dropped->offset,
                    dropped->what);
}

/* Sums up what was left out of a dump, and remembers the file. */
static void note_dropped(struct snapshot *snapshot, uint64_t dropped, const char *file_name)
{
    struct stat facts;
    snapshot->dropped = 0;
    if (dropped == 0)
        return;
    if (dropped > DROPPED_LINES_MAX)
        log_warning("Left out %llu more", (unsigned long long)(dropped - DROPPED_LINES_MAX));
    log_warning(
        "%llu values of %s are of types that are not supported, and were left out as rdb-drop-unknown "
        "says. A save will overwrite them.",
        (unsigned long long)dropped, file_name);
    if (stat(file_name, &facts) < 0)
        return;
    snapshot->dropped = dropped;
    snapshot->dropped_device = facts.st_dev;
    snapshot->dropped_inode = facts.st_ino;
}

/* Remembers a dump that must not be overwritten. */
static void snapshot_refuse(struct snapshot *snapshot, const char *file_name)
{
    struct stat facts;
    if (stat(file_name, &facts) < 0)
        return;
    snapshot->refused_dump = true;
    snapshot->refused_device = facts.st_dev;
    snapshot->refused_inode = facts.st_ino;
}

static int load_source(struct snapshot *snapshot, struct source *source,
                       const struct persist_settings *settings, const struct snapshot_load_options *options,
                       struct rdb_error *error)
{
    struct snapshot_loading loading = {
        .snapshot = snapshot, .options = options, .delayed = settings->key_load_delay_us != 0};
    struct rdb_load_options load_options = {.replace = options->replace,
                                            .key_delay_us = settings->key_load_delay_us,
                                            .drop_unknown = settings->drop_unknown,
                                            .dropped = loading_dropped,
                                            .progress = loading_progress,
                                            .context = &loading};
    struct rdb_load_result result;
    snapshot->load_start_s = now_s();
    snapshot->load_total_bytes = source->total_bytes;
    snapshot->load_done_bytes = 0;
    snapshot->loading = true;
    uint64_t dirty = snapshot->keyspace->dirty;
    keyspace_set_time(snapshot->keyspace, clock_wall_ms());
    int64_t start_us = clock_monotonic_us();
    int status = rdb_load(snapshot->keyspace, source, &load_options, &result, error);
    snapshot->keyspace->dirty = dirty;
    snapshot->loading = false;
    snapshot->load_keys_loaded = result.keys_loaded;
    snapshot->load_keys_expired = result.keys_expired;
    if (status == 0)
        log_notice("Loaded %llu keys from %s in %.3f seconds, dropped %llu expired",
                   (unsigned long long)result.keys_loaded, settings->file_name,
                   (double)(clock_monotonic_us() - start_us) / SECOND_US,
                   (unsigned long long)result.keys_expired);
    if (status == 0)
        note_dropped(snapshot, result.dropped, settings->file_name);
    return status;
}

int snapshot_load(struct snapshot *snapshot, const struct persist_settings *settings,
                  const struct snapshot_load_options *options, struct rdb_error *error)
{
    *error = (struct rdb_error){.offset = 0};
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int file = snapshot->calls->openat(AT_FDCWD, settings->file_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (file < 0 && errno == ENOENT)
        return -ENOENT;
    struct source source;
    int status = file < 0 ? -errno : source_open_file(&source, snapshot->calls, file);
    if (status) {
        rdb_fault(error, 0, "opening %s: %s", settings->file_name, strerror(-status));
    } else {
        status = load_source(snapshot, &source, settings, options, error);
        source_close(&source);
    }
    if (file >= 0)
        snapshot->calls->close(file);
    if (status)
        snapshot_refuse(snapshot, settings->file_name);
    else
        snapshot->refused_dump = false;
    return status;
}

/* ---- telling ---- */

static void status_of_child(const struct snapshot *snapshot, struct snapshot_status *status)
{
    const struct dump_progress *progress = snapshot->progress;
    int64_t now_us = clock_monotonic_us();
    int64_t measured_us = atomic_load_explicit(&progress->cow_measured_us, memory_order_relaxed);
    status->current_duration_s = (now_us - snapshot->child.start_us) / SECOND_US;
    status->keys_done = atomic_load_explicit(&progress->keys_done, memory_order_relaxed);
    status->keys_total = progress->keys_total;
    status->fork_percent =
        status->keys_total ? 100.0 * (double)status->keys_done / (double)status->keys_total : 0;
    status->cow_bytes = atomic_load_explicit(&progress->cow_bytes, memory_order_relaxed);
    status->cow_peak_bytes = atomic_load_explicit(&progress->cow_peak_bytes, memory_order_relaxed);
    status->cow_age_s = measured_us ? (now_us - measured_us) / SECOND_US : 0;
}

static int64_t load_eta_s(const struct snapshot *snapshot)
{
    if (!snapshot->loading || snapshot->load_done_bytes == 0)
        return -1;
    int64_t elapsed_s = now_s() - snapshot->load_start_s;
    uint64_t left_bytes = snapshot->load_total_bytes - snapshot->load_done_bytes;
    return (int64_t)((double)elapsed_s * (double)left_bytes / (double)snapshot->load_done_bytes);
}

void snapshot_status(const struct snapshot *snapshot, struct snapshot_status *status)
{
    *status = (struct snapshot_status){
        .child_running = snapshot_is_running(snapshot),
        .last_ok = snapshot->last_ok,
        .last_save_s = snapshot->last_save_s,
        .last_duration_s = snapshot->last_duration_s,
        .current_duration_s = -1,
        .saves = snapshot->saves,
        .forks = snapshot->forks,
        .latest_fork_us = snapshot->latest_fork_us,
        .last_cow_bytes = snapshot->last_cow_bytes,
        .loading = snapshot->loading,
        .load_start_s = snapshot->load_start_s,
        .load_eta_s = load_eta_s(snapshot),
        .load_total_bytes = snapshot->load_total_bytes,
        .load_done_bytes = snapshot->load_done_bytes,
        .load_keys_loaded = snapshot->load_keys_loaded,
        .load_keys_expired = snapshot->load_keys_expired,
    };
    if (status->child_running)
        status_of_child(snapshot, status);
}

void snapshot_reset_stats(struct snapshot *snapshot)
{
    snapshot->saves = 0;
    snapshot->forks = 0;
    snapshot->latest_fork_us = 0;
}

/* ---- save points ---- */

const struct save_point *snapshot_due_point(const struct save_point *points, size_t count, uint64_t dirty,
                                            int64_t since_save_s, int64_t since_try_s, bool last_ok)
{
    if (!last_ok && since_try_s <= SNAPSHOT_RETRY_S)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (points[i].changes >= 0 && dirty >= (uint64_t)points[i].changes &&
            since_save_s > points[i].seconds)
            return &points[i];
    return NULL;
}

const struct save_point *snapshot_due(const struct snapshot *snapshot, const struct save_point *points,
                                      size_t count)
{
    if (snapshot_is_running(snapshot))
        return NULL;
    int64_t now = now_s();
    return snapshot_due_point(points, count, snapshot->keyspace->dirty, now - snapshot->last_save_s,
                              now - snapshot->last_try_s, snapshot->last_ok);
}
