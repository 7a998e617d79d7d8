/* Snapshots: what a save, a child and a load do to files, counters and the keyspace, and when a save is due.
 */
#include "rdb_fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "persist/snapshot.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct keyspace keyspace;
static struct snapshot snapshot;
static struct persist_settings settings;
static char directory[] = "/tmp/spindle-snapshot-XXXXXX";

enum { SLOW_US = 10 * 1000 * 1000 }; /* for a key: nothing waits for it to end */

static void set_up(void)
{
    static char file_name[] = "dump.rdb";
    log_set_level(LOG_LEVEL_WARNING + 1);
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
    fixture_keyspace(&keyspace);
    cr_assert_eq(snapshot_init(&snapshot, &keyspace, NULL), 0);
    settings = (struct persist_settings){
        .file_name = file_name, .compression = true, .checksum = true, .incremental_sync = true};
    fixture_set(&keyspace.databases[0], "k", "v", EXPIRY_NONE);
    fixture_set(&keyspace.databases[3], "n", "12", EXPIRY_NONE);
}

static void tear_down(void)
{
    snapshot_free(&snapshot);
    keyspace_free(&keyspace);
    char command[PATH_MAX + 16];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(snapshot, .init = set_up, .fini = tear_down);

/* Returns how many files here have names that begin so. */
static int count_files(const char *prefix)
{
    int count = 0;
    DIR *here = opendir(".");
    for (const struct dirent *entry; (entry = readdir(here));)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(here);
    return count;
}

static int load_fresh(struct keyspace *fresh)
{
    fixture_keyspace(fresh);
    struct snapshot loader;
    cr_assert_eq(snapshot_init(&loader, fresh, NULL), 0);
    struct rdb_error error;
    int status = snapshot_load(&loader, &settings, &(struct snapshot_load_options){0}, &error);
    snapshot_free(&loader);
    return status;
}

static bool dump_equals_keyspace(void)
{
    struct keyspace fresh;
    bool equal = load_fresh(&fresh) == 0 && fixture_equal(&fresh, &keyspace);
    keyspace_free(&fresh);
    return equal;
}

static enum snapshot_event poll_to_end(void)
{
    enum snapshot_event event;
    while ((event = snapshot_poll(&snapshot)) == SNAPSHOT_RUNNING)
        usleep(1000);
    return event;
}

static struct snapshot_status status_now(void)
{
    struct snapshot_status status;
    snapshot_status(&snapshot, &status);
    return status;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

Test(snapshot, saves_in_the_foreground)
{
    keyspace.dirty = 7;
    snapshot.last_save_s = 1;
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    cr_assert_eq(keyspace.dirty, 0);
    cr_assert_gt(snapshot.last_save_s, 1);
    cr_assert_eq(status_now().saves, 1);
    cr_assert_eq(status_now().last_duration_s, -1);
    cr_assert_eq(count_files("temp-"), 0);
    cr_assert(dump_equals_keyspace());
}

Test(snapshot, saves_in_a_child_what_was_there_at_the_fork)
{
    keyspace.dirty = 5;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert(snapshot_is_running(&snapshot));
    cr_assert(keyspace.copy_on_write);
    cr_assert_eq(snapshot_start(&snapshot, &settings), -EBUSY);
    cr_assert_eq(snapshot_save(&snapshot, &settings), -EBUSY);
    fixture_set(&keyspace.databases[0], "k", "changed", EXPIRY_NONE);
    fixture_set(&keyspace.databases[0], "new", "v", EXPIRY_NONE);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FINISHED);
    cr_assert_eq(snapshot_poll(&snapshot), SNAPSHOT_NONE);
    cr_assert_not(snapshot_is_running(&snapshot));
    cr_assert_not(keyspace.copy_on_write);
    cr_assert_eq(keyspace.dirty, 2);
    cr_assert_eq(status_now().forks, 1);
    cr_assert_geq(status_now().latest_fork_us, 1);
    cr_assert_geq(status_now().last_duration_s, 0);
    cr_assert_gt(status_now().last_cow_bytes, 0);
    cr_assert_eq(count_files("temp-"), 0);

    struct keyspace fresh;
    cr_assert_eq(load_fresh(&fresh), 0);
    cr_assert_str_eq(fixture_get(&fresh.databases[0], "k"), "v");
    cr_assert_eq(keyspace_count(&fresh.databases[0]), 1);
    keyspace_free(&fresh);
}

/* The child gives its memory up as it writes: nothing may be used after that. */
Test(snapshot, a_child_writes_values_of_every_size)
{
    uint64_t seed = 1;
    char *value = malloc(100000);
    for (unsigned i = 0; i < 20000; i++) {
        char key[300];
        fixture_fill(key, sizeof(key), 26, &seed);
        size_t key_length = (size_t)snprintf(key, sizeof(key), "%u", i);
        size_t length = i % 100 == 0 ? i * 5 : i % 700;
        fixture_fill(value, length, 1 + i % 58, &seed);
        if (i % 4 == 0)
            length = (size_t)snprintf(value, 32, "%u", i * 77777);
        fixture_set_bytes(&keyspace.databases[i % 8 == 0 ? 2 : 5],
                          (struct slice){key, i % 50 == 1 ? sizeof(key) : key_length + 1},
                          (struct slice){value, length}, i % 3 ? EXPIRY_NONE : clock_wall_ms() + 1000000);
    }
    free(value);
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FINISHED);
    cr_assert(dump_equals_keyspace());
}

Test(snapshot, the_child_holds_nothing_of_the_server)
{
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    for (int i = 0; i < 20; i++)
        cr_assert_geq(dup(pipes[0]), 0);
    settings.key_save_delay_us = SLOW_US;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    while (status_now().keys_done == 0)
        usleep(1000);
    char path[64], text[16] = "";
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)snapshot.child.pid);
    int file = open(path, O_RDONLY);
    cr_assert_gt(read(file, text, sizeof(text) - 1), 0);
    close(file);
    cr_assert_str_eq(text, "1000\n");
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)snapshot.child.pid);
    DIR *files = opendir(path);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(files));)
        count += entry->d_name[0] != '.';
    closedir(files);
    cr_assert_leq(count, 5); /* the standard three, the directory, the file */
}

Test(snapshot, tells_how_far_the_child_is)
{
    for (int i = 0; i < 8; i++) {
        char key[8];
        snprintf(key, sizeof(key), "key%d", i);
        fixture_set(&keyspace.databases[0], key, "v", EXPIRY_NONE);
    }
    settings.key_save_delay_us = SLOW_US;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    while (status_now().keys_done == 0)
        usleep(1000);
    struct snapshot_status status = status_now();
    cr_assert(status.child_running);
    cr_assert_eq(status.keys_done, 1);
    cr_assert_eq(status.keys_total, 10);
    cr_assert_float_eq(status.fork_percent, 10.0, 0.01);
    cr_assert_geq(status.current_duration_s, 0);
    snapshot_kill(&snapshot);
    cr_assert_eq(poll_to_end(), SNAPSHOT_KILLED);
    status = status_now();
    cr_assert_eq(status.current_duration_s, -1);
    cr_assert_eq(status.keys_total, 0);
}

Test(snapshot, a_child_that_is_ended_on_purpose_is_no_failure)
{
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    struct keyspace before;
    keyspace.dirty = 3;
    settings.key_save_delay_us = SLOW_US;
    fixture_set(&keyspace.databases[0], "new", "v", EXPIRY_NONE);
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    while (count_files("temp-") == 0)
        usleep(1000);
    snapshot_kill(&snapshot);
    cr_assert_eq(snapshot_wait(&snapshot), SNAPSHOT_KILLED);
    cr_assert_eq(snapshot_wait(&snapshot), SNAPSHOT_NONE);
    cr_assert(snapshot.last_ok);
    cr_assert_eq(keyspace.dirty, 4);
    cr_assert_not(keyspace.copy_on_write);
    cr_assert_eq(count_files("temp-"), 0);
    cr_assert_eq(load_fresh(&before), 0);
    cr_assert_eq(keyspace_count(&before.databases[0]), 1);
    keyspace_free(&before);
}

Test(snapshot, a_child_that_dies_is_a_failure)
{
    settings.key_save_delay_us = SLOW_US;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    while (count_files("temp-") == 0)
        usleep(1000);
    kill(snapshot.child.pid, SIGKILL);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FAILED);
    cr_assert_not(snapshot.last_ok);
    cr_assert_eq(count_files(""), 2); /* . and .. */
    settings.key_save_delay_us = 0;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FINISHED);
    cr_assert(snapshot.last_ok);
}

Test(snapshot, a_child_without_progress_is_ended)
{
    settings.key_save_delay_us = SLOW_US;
    snapshot.stall_limit_us = 100 * 1000;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FAILED);
    cr_assert_not(snapshot.last_ok);
    cr_assert_eq(count_files("temp-"), 0);
}

Test(snapshot, a_child_with_progress_is_left_alone)
{
    for (int i = 0; i < 50; i++) {
        char key[8];
        snprintf(key, sizeof(key), "key%d", i);
        fixture_set(&keyspace.databases[0], key, "v", EXPIRY_NONE);
    }
    settings.key_save_delay_us = 20 * 1000;
    snapshot.stall_limit_us = 500 * 1000;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FINISHED);
}

Test(snapshot, works_when_the_system_reaps_children)
{
    signal(SIGCHLD, SIG_IGN);
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FINISHED);
    settings.key_save_delay_us = SLOW_US;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    kill(snapshot.child.pid, SIGKILL);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FAILED);
    signal(SIGCHLD, SIG_DFL);
}

/* The child of a server that dies must not replace the dump of the next server. */
Test(snapshot, the_child_dies_with_the_server)
{
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    pid_t server = fork();
    if (server == 0) {
        settings.key_save_delay_us = SLOW_US;
        if (snapshot_start(&snapshot, &settings))
            _exit(1);
        while (status_now().keys_done == 0)
            usleep(1000);
        pid_t child = snapshot.child.pid;
        if (write(pipes[1], &child, sizeof(child)) != sizeof(child))
            _exit(1);
        pause();
    }
    pid_t child;
    cr_assert_eq(read(pipes[0], &child, sizeof(child)), sizeof(child));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    while (kill(child, 0) == 0) {
        /* A process nobody reaps stays as a zombie: that is dead enough. */
        char path[64], text[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
        int file = open(path, O_RDONLY);
        ssize_t got = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
        if (file >= 0)
            close(file);
        if (got <= 0 || strstr(text, ") Z "))
            break;
        usleep(1000);
    }
    cr_assert_eq(count_files("dump"), 0);
    cr_assert_eq(count_files("temp-"), 1);
    settings.key_save_delay_us = 0;
}

Test(snapshot, removes_what_dead_writers_left)
{
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    pid_t zombie = fork();
    if (zombie == 0)
        _exit(0);
    siginfo_t ended;
    cr_assert_eq(waitid(P_PID, (id_t)zombie, &ended, WEXITED | WNOWAIT), 0);
    char of_zombie[64];
    snprintf(of_zombie, sizeof(of_zombie), "temp-%d.rdb", (int)zombie);
    write_file(of_zombie, "x");
    char of_dead[64], of_alive[64], own[64];
    snprintf(of_dead, sizeof(of_dead), "temp-%d.rdb", (int)dead);
    snprintf(of_alive, sizeof(of_alive), "temp-%d.rdb", (int)getppid());
    snprintf(own, sizeof(own), "temp-%d.rdb", (int)getpid());
    const char *const kept[] = {of_alive,         "temp-.rdb",         "temp-12x.rdb", "temp-99999999999.rdb",
                                "temp--1.rdb",    "temp- 1.rdb",       "temp-1",       "temp-0.rdb",
                                "temp-1.rdb.bak", "xtemp-4194305.rdb", "dump.rdb"};
    write_file(of_dead, "x");
    write_file(own, "x");
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        write_file(kept[i], "x");
    snapshot_remove_stale(&snapshot);
    cr_assert_neq(access(of_dead, F_OK), 0);
    cr_assert_neq(access(of_zombie, F_OK), 0);
    cr_assert_neq(access(own, F_OK), 0);
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        cr_assert_eq(access(kept[i], F_OK), 0, "%s", kept[i]);
}

Test(snapshot, a_temporary_file_with_its_name_is_no_obstacle)
{
    char own[64];
    snprintf(own, sizeof(own), "temp-%d.rdb", (int)getpid());
    write_file("precious", "x");
    cr_assert_eq(symlink("precious", own), 0);
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    cr_assert(dump_equals_keyspace());
    struct stat facts;
    cr_assert_eq(stat("precious", &facts), 0);
    cr_assert_eq(facts.st_size, 1);
}

Test(snapshot, loads_and_counts)
{
    fixture_set(&keyspace.databases[0], "e", "v", clock_wall_ms() + 100000);
    fixture_set(&keyspace.databases[0], "x", "v", 1);
    uint64_t dirty = 42;
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    for (int i = 0; i < keyspace.database_count; i++)
        keyspace_flush(&keyspace.databases[i], false);
    keyspace.dirty = dirty;
    struct rdb_error error;
    cr_assert_eq(snapshot_load(&snapshot, &settings, &(struct snapshot_load_options){0}, &error), 0);
    cr_assert_eq(keyspace.dirty, dirty);
    cr_assert_eq(status_now().load_keys_loaded, 3);
    cr_assert_eq(status_now().load_keys_expired, 1);
    cr_assert_not(status_now().loading);
    cr_assert_str_eq(fixture_get(&keyspace.databases[3], "n"), "12");
    cr_assert_eq(keyspace_count(&keyspace.databases[0]), 2);
}

struct watcher {
    int calls;
    int until;
    uint64_t done_bytes;
};

static bool watch_loading(void *context)
{
    struct watcher *watcher = context;
    struct snapshot_status status = status_now();
    cr_assert(status.loading);
    cr_assert_gt(status.load_total_bytes, status.load_done_bytes);
    cr_assert_gt(status.load_done_bytes, watcher->done_bytes);
    cr_assert_geq(status.load_eta_s, 0);
    watcher->done_bytes = status.load_done_bytes;
    return ++watcher->calls < watcher->until;
}

static void fill_ten_megabytes(void)
{
    settings.compression = false;
    char value[1000];
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 10000; i++) {
        char key[16];
        int length = snprintf(key, sizeof(key), "%d", i);
        fixture_set_bytes(&keyspace.databases[0], (struct slice){key, (size_t)length},
                          (struct slice){value, sizeof(value)}, EXPIRY_NONE);
    }
}

Test(snapshot, reports_while_loading)
{
    fill_ten_megabytes();
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    struct watcher watcher = {.until = 1000};
    struct snapshot_load_options options = {.replace = true, .progress = watch_loading, .context = &watcher};
    struct rdb_error error;
    cr_assert_eq(snapshot_load(&snapshot, &settings, &options, &error), 0);
    cr_assert_geq(watcher.calls, 3);
    cr_assert_leq(watcher.calls, 5);
}

Test(snapshot, a_load_that_was_given_up_counts_as_refused)
{
    fill_ten_megabytes();
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    struct watcher watcher = {.until = 2};
    struct snapshot_load_options options = {.replace = true, .progress = watch_loading, .context = &watcher};
    struct rdb_error error;
    cr_assert_eq(snapshot_load(&snapshot, &settings, &options, &error), -ECANCELED);
    cr_assert_eq(watcher.calls, 2);
    cr_assert_not(status_now().loading);
    cr_assert_eq(snapshot_save(&snapshot, &settings), -EPERM);
}

Test(snapshot, a_dump_that_is_not_there)
{
    struct rdb_error error;
    cr_assert_eq(snapshot_load(&snapshot, &settings, &(struct snapshot_load_options){0}, &error), -ENOENT);
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
}

Test(snapshot, a_dump_that_could_not_be_loaded_is_not_overwritten)
{
    struct rdb_error error;
    write_file("dump.rdb", "REDIS0010garbage");
    cr_assert_eq(snapshot_load(&snapshot, &settings, &(struct snapshot_load_options){0}, &error), -EBADMSG);
    cr_assert_eq(error.offset, 9);
    cr_assert_eq(snapshot_save(&snapshot, &settings), -EPERM);
    cr_assert_eq(snapshot_start(&snapshot, &settings), -EPERM);
    cr_assert_not(snapshot.last_ok);
    struct stat facts;
    cr_assert_eq(stat("dump.rdb", &facts), 0);
    cr_assert_eq(facts.st_size, 16);
    /* Another name is allowed; so is this one when the file was moved away. */
    static char other[] = "other.rdb", original[] = "dump.rdb";
    settings.file_name = other;
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    settings.file_name = original;
    cr_assert_eq(snapshot_save(&snapshot, &settings), -EPERM);
    cr_assert_eq(rename("dump.rdb", "aside"), 0);
    cr_assert_eq(snapshot_save(&snapshot, &settings), 0);
    cr_assert(dump_equals_keyspace());
}

Test(snapshot, what_is_no_file_is_not_loaded)
{
    struct rdb_error error;
    cr_assert_eq(mkdir("dump.rdb", 0700), 0);
    cr_assert_eq(snapshot_load(&snapshot, &settings, &(struct snapshot_load_options){0}, &error), -EISDIR);
    cr_assert_str_eq(error.text, "opening dump.rdb: Is a directory");
    cr_assert_eq(rmdir("dump.rdb"), 0);
    cr_assert_eq(mkfifo("dump.rdb", 0600), 0);
    cr_assert_eq(snapshot_load(&snapshot, &settings, &(struct snapshot_load_options){0}, &error), -ESPIPE);
}

Test(snapshot, forgets_statistics_on_demand)
{
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_eq(poll_to_end(), SNAPSHOT_FINISHED);
    snapshot_reset_stats(&snapshot);
    cr_assert_eq(status_now().saves, 0);
    cr_assert_eq(status_now().forks, 0);
    cr_assert_eq(status_now().latest_fork_us, 0);
    cr_assert_geq(status_now().last_duration_s, 0);
}

Test(save_points, the_first_that_holds)
{
    static const struct save_point points[] = {{3600, 1}, {300, 100}, {60, 10000}};
    struct {
        uint64_t dirty;
        int64_t since_save_s, since_try_s;
        bool last_ok;
        int expected; /* -1: none */
    } cases[] = {
        {0, 1000000, 1000000, true, -1},  {1, 3600, 3600, true, -1},     {1, 3601, 3601, true, 0},
        {99, 301, 301, true, -1},         {100, 300, 300, true, -1},     {100, 301, 301, true, 1},
        {9999, 61, 61, true, -1},         {10000, 61, 61, true, 2},      {10000, 60, 60, true, -1},
        {1, 3601, 5, false, -1},          {1, 3601, 6, false, 0},        {1, 3601, 0, true, 0},
        {UINT64_MAX, 61, 1000, false, 2}, {1000000, 3601, 10, false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct save_point *due = snapshot_due_point(points, 3, cases[i].dirty, cases[i].since_save_s,
                                                          cases[i].since_try_s, cases[i].last_ok);
        const struct save_point *expected = cases[i].expected < 0 ? NULL : &points[cases[i].expected];
        cr_assert_eq(due, expected, "case %zu", i);
    }
    cr_assert_null(snapshot_due_point(NULL, 0, 1000, 1000, 1000, true));
}

Test(snapshot, none_is_due_while_a_child_runs)
{
    static const struct save_point point = {0, 1};
    keyspace.dirty = 1;
    snapshot.last_save_s -= 10;
    cr_assert_eq(snapshot_due(&snapshot, &point, 1), &point);
    settings.key_save_delay_us = SLOW_US;
    cr_assert_eq(snapshot_start(&snapshot, &settings), 0);
    cr_assert_null(snapshot_due(&snapshot, &point, 1));
    snapshot_kill(&snapshot);
    snapshot_wait(&snapshot);
    cr_assert_eq(snapshot_due(&snapshot, &point, 1), &point);
}
