/*
 * Snapshots whose system calls fail, whose processes are killed at any moment, whose disk is full. After
 * each: the file in place is a whole dump, old or new, nothing temporary is left, and the next save works.
 */
#include "unit/rdb_fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "persist/snapshot.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- failing calls ---- */

enum call {
    CALL_OPENAT,
    CALL_READ,
    CALL_WRITE,
    CALL_SYNC_RANGE,
    CALL_FSYNC,
    CALL_RENAMEAT,
    CALL_CLOSE,
    CALL_FORK,
    CALLS
};

static const char *const call_names[CALLS] = {"openat", "read",     "write", "sync_range",
                                              "fsync",  "renameat", "close", "fork"};

/* What is to go wrong. On a page that children share, so that what they do is seen. */
struct plan {
    enum call call;
    unsigned nth;  /* 1: the first; 0: none */
    int error;     /* errno; 0: the call does only one byte */
    bool for_ever; /* and every later one */
    unsigned counts[CALLS];
    unsigned failures;
};

static struct plan *plan;

/* Returns whether this call is to go wrong; then errno is set. */
static bool goes_wrong(enum call call)
{
    unsigned count = ++plan->counts[call];
    if (call != plan->call || plan->nth == 0 || count < plan->nth || (count > plan->nth && !plan->for_ever))
        return false;
    plan->failures++;
    errno = plan->error;
    return true;
}

static int faulty_openat(int directory, const char *name, int flags, mode_t mode)
{
    return goes_wrong(CALL_OPENAT) ? -1 : system_calls_libc.openat(directory, name, flags, mode);
}

static ssize_t faulty_read(int file, void *data, size_t count)
{
    if (!goes_wrong(CALL_READ))
        return read(file, data, count);
    return plan->error ? -1 : read(file, data, 1);
}

static ssize_t faulty_write(int file, const void *data, size_t count)
{
    if (!goes_wrong(CALL_WRITE))
        return write(file, data, count);
    return plan->error ? -1 : write(file, data, 1);
}

static int faulty_sync_range(int file, off_t offset, off_t count, unsigned flags)
{
    return goes_wrong(CALL_SYNC_RANGE) ? -1 : sync_file_range(file, offset, count, flags);
}

static int faulty_fsync(int file)
{
    return goes_wrong(CALL_FSYNC) ? -1 : fsync(file);
}

static int faulty_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    return goes_wrong(CALL_RENAMEAT) ? -1 : renameat(from_directory, from, to_directory, to);
}

/* As the kernel does it: the descriptor is gone even when close fails. */
static int faulty_close(int file)
{
    bool wrong = goes_wrong(CALL_CLOSE);
    int error = errno;
    int result = close(file);
    if (!wrong)
        return result;
    errno = error;
    return -1;
}

static pid_t faulty_fork(void)
{
    return goes_wrong(CALL_FORK) ? -1 : fork();
}

static const struct system_calls faulty_calls = {
    .openat = faulty_openat,
    .read = faulty_read,
    .write = faulty_write,
    .sync_range = faulty_sync_range,
    .fsync = faulty_fsync,
    .renameat = faulty_renameat,
    .unlinkat = unlinkat,
    .close = faulty_close,
    .fork = faulty_fork,
};

/* ---- a data set in two states ---- */

static struct keyspace before, after; /* of the dump in place, of the save that is tried */
static struct snapshot snapshot;      /* of after */
static struct persist_settings settings;
static char directory[] = "/tmp/spindle-fault-XXXXXX";

static void fill(struct keyspace *keyspace, int count, uint64_t seed)
{
    fixture_keyspace(keyspace);
    for (int i = 0; i < count; i++) {
        char key[16], value[200];
        int length = snprintf(key, sizeof(key), "%d", i);
        fixture_fill(value, sizeof(value), 58, &seed);
        fixture_set_bytes(&keyspace->databases[i % 2], (struct slice){key, (size_t)length},
                          (struct slice){value, sizeof(value)}, EXPIRY_NONE);
    }
}

static void save_before(void)
{
    struct snapshot saver;
    cr_assert_eq(snapshot_init(&saver, &before, NULL), 0);
    cr_assert_eq(snapshot_save(&saver, &settings), 0);
    snapshot_free(&saver);
}

static void set_up(void)
{
    static char file_name[] = "dump.rdb";
    log_set_level(LOG_LEVEL_WARNING + 1);
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    settings = (struct persist_settings){
        .file_name = file_name, .compression = true, .checksum = true, .incremental_sync = true};
    plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(plan, MAP_FAILED);
    fill(&before, 1000, 1);
#ifdef SPINDLE_STRESS
    fill(&after, 100, 2);
#else
    fill(&after, 10000, 2); /* some buffers full */
#endif
    save_before();
    cr_assert_eq(snapshot_init(&snapshot, &after, &faulty_calls), 0);
}

static void tear_down(void)
{
    *plan = (struct plan){.nth = 0};
    snapshot_free(&snapshot);
    keyspace_free(&before);
    keyspace_free(&after);
    char command[PATH_MAX + 16];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(chdir("/"), 0);
    umount2(directory, MNT_DETACH); /* of the test with a full disk */
    cr_assert_eq(system(command), 0);
}

TestSuite(fault_snapshot, .init = set_up, .fini = tear_down, .timeout = 280);

static int count_temporary(void)
{
    int count = 0;
    DIR *here = opendir(".");
    for (const struct dirent *entry; (entry = readdir(here));)
        count += strncmp(entry->d_name, "temp-", 5) == 0;
    closedir(here);
    return count;
}

enum dump { DUMP_BEFORE, DUMP_AFTER, DUMP_DAMAGED };

static enum dump dump_in_place(void)
{
    struct keyspace fresh;
    struct snapshot loader;
    struct rdb_error error;
    fixture_keyspace(&fresh);
    cr_assert_eq(snapshot_init(&loader, &fresh, NULL), 0);
    int status = snapshot_load(&loader, &settings, &(struct snapshot_load_options){0}, &error);
    enum dump dump = status                           ? DUMP_DAMAGED
                     : fixture_equal(&fresh, &after)  ? DUMP_AFTER
                     : fixture_equal(&fresh, &before) ? DUMP_BEFORE
                                                      : DUMP_DAMAGED;
    snapshot_free(&loader);
    keyspace_free(&fresh);
    return dump;
}

/* Returns 0 when a save in the foreground or in a child succeeded. */
static int save(bool in_child)
{
    if (!in_child)
        return snapshot_save(&snapshot, &settings);
    int error = snapshot_start(&snapshot, &settings);
    if (error)
        return error;
    return snapshot_wait(&snapshot) == SNAPSHOT_FINISHED ? 0 : -ECHILD;
}

/* Saves with the plan; returns the result after checking what must hold whatever it is. */
static int save_with_fault(bool in_child, enum call call, unsigned nth, int error, bool for_ever)
{
    *plan = (struct plan){.call = call, .nth = nth, .error = error, .for_ever = for_ever};
    int result = save(in_child);
    unsigned failures = plan->failures;
    *plan = (struct plan){.failures = failures};
    enum dump dump = dump_in_place();
    cr_assert_neq(dump, DUMP_DAMAGED, "%s %u: %s", call_names[call], nth, strerror(error));
    cr_assert(result || dump == DUMP_AFTER, "%s %u: %s", call_names[call], nth, strerror(error));
    cr_assert_eq(count_temporary(), 0, "%s %u: %s", call_names[call], nth, strerror(error));
    cr_assert_not(after.copy_on_write);
    cr_assert_not(snapshot_is_running(&snapshot));
    return result;
}

/* Tries a fault at the first, second, third, fifth, ninth ... call until the save does not come so far. May
 * succeed: nothing is wrong with going on. Returns how many faults happened. */
static unsigned try_everywhere(enum call call, int error, bool for_ever, bool must_fail, bool must_succeed)
{
    unsigned faults = 0;
    for (int in_child = 0; in_child < 2; in_child++) {
        for (unsigned nth = 1, step = 1;; nth += step, step = nth > 3 ? nth - 1 : 1) {
            int result = save_with_fault(in_child, call, nth, error, for_ever);
            unsigned failures = plan->failures;
            cr_assert_not(failures && must_fail && result == 0, "%s %u succeeded", call_names[call], nth);
            cr_assert_not(must_succeed && result, "%s %u failed", call_names[call], nth);
            cr_assert_eq(save(in_child), 0, "the save after %s %u", call_names[call], nth);
            cr_assert_eq(dump_in_place(), DUMP_AFTER);
            save_before();
            faults += failures > 0;
            if (failures == 0)
                break;
        }
    }
    return faults;
}

Test(fault_snapshot, writes_fail)
{
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EFBIG};
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        cr_assert_geq(try_everywhere(CALL_WRITE, errors[i], i % 2, true, false), 4);
}

Test(fault_snapshot, reading_back_fails)
{
    cr_assert_geq(try_everywhere(CALL_READ, EIO, false, true, false), 4);
}

Test(fault_snapshot, fsync_fails)
{
    /* Of the file, then of the directory: after that the new dump is in place, but perhaps not on the disk.
     */
    cr_assert_eq(try_everywhere(CALL_FSYNC, EIO, false, true, false), 4);
    cr_assert_eq(try_everywhere(CALL_FSYNC, ENOSPC, true, true, false), 4);
}

Test(fault_snapshot, a_directory_that_cannot_be_synced_is_no_failure)
{
    for (int in_child = 0; in_child < 2; in_child++)
        cr_assert_eq(save_with_fault(in_child, CALL_FSYNC, 2, EINVAL, false), 0);
}

Test(fault_snapshot, rename_fails)
{
    cr_assert_eq(try_everywhere(CALL_RENAMEAT, EACCES, false, true, false), 2);
}

Test(fault_snapshot, opening_fails)
{
    cr_assert_geq(try_everywhere(CALL_OPENAT, EMFILE, false, true, false), 4);
    cr_assert_geq(try_everywhere(CALL_OPENAT, EACCES, true, true, false), 4);
}

Test(fault_snapshot, closing_fails)
{
    /* Of the file: some file systems tell of a full disk only now. Of the directory: nothing depends on it.
     */
    cr_assert_neq(save_with_fault(false, CALL_CLOSE, 1, ENOSPC, false), 0);
    cr_assert_eq(dump_in_place(), DUMP_BEFORE);
    cr_assert_neq(save_with_fault(true, CALL_CLOSE, 1, ENOSPC, false), 0);
    cr_assert_eq(dump_in_place(), DUMP_BEFORE);
    cr_assert_geq(try_everywhere(CALL_CLOSE, EIO, false, false, false), 3);
}

Test(fault_snapshot, fork_fails)
{
    cr_assert_eq(save_with_fault(true, CALL_FORK, 1, EAGAIN, false), -EAGAIN);
    cr_assert_not(snapshot.last_ok);
    cr_assert_eq(dump_in_place(), DUMP_BEFORE);
    cr_assert_eq(save(true), 0);
    cr_assert(snapshot.last_ok);
}

Test(fault_snapshot, advice_that_fails_is_no_failure)
{
    try_everywhere(CALL_SYNC_RANGE, EIO, true, false, true);
}

Test(fault_snapshot, interrupted_and_short_calls_are_continued)
{
    cr_assert_geq(try_everywhere(CALL_WRITE, EINTR, false, false, true), 4);
    cr_assert_geq(try_everywhere(CALL_WRITE, 0, false, false, true), 4);
    cr_assert_geq(try_everywhere(CALL_READ, EINTR, false, false, true), 4);
    cr_assert_geq(try_everywhere(CALL_READ, 0, false, false, true), 4);
    cr_assert_geq(try_everywhere(CALL_FSYNC, EINTR, false, false, true), 4);
}

Test(fault_snapshot, an_error_leaves_the_counters_alone)
{
    after.dirty = 9;
    int64_t last_save_s = snapshot.last_save_s = 1;
    cr_assert_eq(save_with_fault(false, CALL_WRITE, 1, ENOSPC, false), -ENOSPC);
    cr_assert_eq(after.dirty, 9);
    cr_assert_eq(snapshot.last_save_s, last_save_s);
    cr_assert(snapshot.last_ok); /* tells of saves in a child */
    cr_assert_neq(save_with_fault(true, CALL_WRITE, 1, ENOSPC, false), 0);
    cr_assert_eq(after.dirty, 9);
    cr_assert_eq(snapshot.last_save_s, last_save_s);
    cr_assert_not(snapshot.last_ok);
}

/* A disk that gives other bytes back than it took. */
static ssize_t forgetful_write(int file, const void *data, size_t count)
{
    ssize_t written = write(file, data, count);
    if (++plan->counts[CALL_WRITE] == 1 && pwrite(file, "X", 1, 20) != 1)
        return -1;
    return written;
}

Test(fault_snapshot, a_dump_that_reads_back_differently_is_not_put_in_place)
{
    struct system_calls calls = faulty_calls;
    calls.write = forgetful_write;
    snapshot.calls = &calls;
    for (int in_child = 0; in_child < 2; in_child++) {
        *plan = (struct plan){.nth = 0};
        cr_assert_neq(save(in_child), 0);
        cr_assert_eq(dump_in_place(), DUMP_BEFORE);
        cr_assert_eq(count_temporary(), 0);
    }
}

/* ---- killed ---- */

static unsigned moment_below(unsigned bound)
{
    static uint64_t state = 99;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % bound;
}

static int64_t measure_save_us(void)
{
    int64_t start_us = clock_monotonic_us();
    cr_assert_eq(save(true), 0);
    save_before();
    return clock_monotonic_us() - start_us;
}

Test(fault_snapshot, the_child_is_killed_at_any_moment)
{
    unsigned longest_us = (unsigned)measure_save_us();
    unsigned killed = 0;
    for (int round = 0; round < 100; round++) {
        cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
        usleep(moment_below(longest_us));
        kill(snapshot.child.pid, SIGKILL);
        bool failed = snapshot_wait(&snapshot) == SNAPSHOT_FAILED;
        enum dump dump = dump_in_place();
        cr_assert_neq(dump, DUMP_DAMAGED);
        cr_assert(failed || dump == DUMP_AFTER);
        cr_assert_eq(count_temporary(), 0);
        cr_assert_eq(snapshot.last_ok, !failed);
        killed += failed;
        if (dump == DUMP_AFTER)
            save_before();
    }
    cr_assert_gt(killed, 0);
}

/* Both of them: what is left is for the next server to clean up. */
Test(fault_snapshot, the_server_is_killed_at_any_moment)
{
    unsigned longest_us = (unsigned)measure_save_us();
    for (int round = 0; round < 60; round++) {
        pid_t server = fork();
        if (server == 0)
            for (;;)
                save(round % 2);
        usleep(moment_below(2 * longest_us));
        kill(server, SIGKILL);
        cr_assert_eq(waitpid(server, NULL, 0), server);
        enum dump dump = dump_in_place();
        cr_assert_neq(dump, DUMP_DAMAGED);
        /* The child dies with its server, but not in the same moment. */
        for (int tries = 0; count_temporary() > 0 && tries < 1000; tries++) {
            usleep(1000);
            snapshot_remove_stale(&snapshot);
        }
        cr_assert_eq(count_temporary(), 0);
        cr_assert_neq(dump_in_place(), DUMP_DAMAGED);
        save_before();
    }
}

/* ---- full disks ---- */

/* Mounts a file system of so many bytes here, seen by this process alone. False: this is not permitted. */
static bool mount_small(size_t bytes)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%zu", bytes);
    return (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", directory, "tmpfs", 0, options) == 0 && chdir(directory) == 0;
}

/* Where mounting is not permitted, a limit of the file's size is the next best. */
static void limit_disk(size_t bytes)
{
    if (mount_small(bytes)) {
        save_before();
        return;
    }
    struct rlimit limit = {bytes / 2, bytes / 2};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(fault_snapshot, the_disk_is_full)
{
    limit_disk(1024 * 1024);
#ifdef SPINDLE_STRESS
    keyspace_free(&after);
    fill(&after, 10000, 2);
#endif
    for (int in_child = 0; in_child < 2; in_child++) {
        cr_assert_neq(save(in_child), 0);
        cr_assert_eq(dump_in_place(), DUMP_BEFORE);
        cr_assert_eq(count_temporary(), 0);
    }
    /* With less to save there is room again. */
    keyspace_free(&after);
    fill(&after, 1200, 3);
    for (int in_child = 0; in_child < 2; in_child++) {
        cr_assert_eq(save(in_child), 0);
        cr_assert_eq(dump_in_place(), DUMP_AFTER);
    }
}
