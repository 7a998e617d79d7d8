/*
 * spindle-check: verifies dumps without loading them, and says what is in them.
 *
 * It is a visitor of the reader that the server loads with, so what it accepts the server loads. It also
 * finds keys that are there twice, by their hashes. One thread; memory grows with the number of keys (16
 * bytes each at most) and the longest value.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "persist/rdb_read.h"
#include "persist/system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum exit_status { STATUS_OK = 0, STATUS_FAULT = 1, STATUS_TROUBLE = 2 };

enum {
    AUX_MAX = 32,
    DATABASES_MAX = 1024, /* told apart; a server has 16 as a rule */
    PROGRESS_FILE_BYTES = 64 * 1024 * 1024,
    PROGRESS_INTERVAL_US = 100 * 1000,
    PROGRESS_WIDTH = 40,
    NUMBER_TEXT_BYTES = 32,
    DROPPED_LINES_MAX = 100,
};

struct hash_set {
    uint64_t *slots; /* 0: free */
    size_t capacity; /* a power of two */
    size_t count;
};

struct check_database {
    uint64_t number;
    uint64_t keys, with_deadline, expired;
    uint64_t by_type[RDB_TYPE_COUNT];
    struct hash_set seen;
};

struct check_aux {
    char name[RDB_KEY_TEXT_BYTES];
    char value[RDB_KEY_TEXT_BYTES];
};

struct check_options {
    bool quiet;
    bool drop_unknown;
};

struct check {
    const char *path;
    uint64_t total_bytes;
    int64_t now_ms;
    struct check_aux aux[AUX_MAX];
    size_t aux_count, aux_dropped;
    struct hash_set libraries;
    uint64_t dropped;
    const struct check_options *options;
    struct check_database *databases;
    size_t database_count;
    struct check_database *database; /* the one selected */
    bool shows_progress;
    int64_t progress_next_us;
};

/* ---- keys that were seen ---- */

static bool hash_set_grow(struct hash_set *set)
{
    struct hash_set larger = {.capacity = set->capacity ? 2 * set->capacity : 1024};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i] == 0)
            continue;
        size_t at = set->slots[i] & (larger.capacity - 1);
        while (larger.slots[at])
            at = (at + 1) & (larger.capacity - 1);
        larger.slots[at] = set->slots[i];
    }
    larger.count = set->count;
    free(set->slots);
    *set = larger;
    return true;
}

/* Returns false when the hash was there. Without memory for more, new hashes are no longer kept. */
static bool hash_set_add(struct hash_set *set, uint64_t hash)
{
    hash |= hash == 0;
    bool has_room = set->count < set->capacity / 2 || hash_set_grow(set);
    if (set->capacity == 0)
        return true;
    size_t at = hash & (set->capacity - 1);
    for (; set->slots[at]; at = (at + 1) & (set->capacity - 1))
        if (set->slots[at] == hash)
            return false;
    if (has_room) {
        set->slots[at] = hash;
        set->count++;
    }
    return true;
}

/* ---- progress ---- */

static void progress_draw(const struct check *check, uint64_t offset)
{
    double share = check->total_bytes ? (double)offset / (double)check->total_bytes : 1;
    int filled = (int)(share * PROGRESS_WIDTH);
    char bar[PROGRESS_WIDTH + 1];
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(PROGRESS_WIDTH - filled));
    bar[PROGRESS_WIDTH] = 0;
    fprintf(stderr, "\r%s [%s] %3d%%", check->path, bar, (int)(share * 100));
    fflush(stderr);
}

static void progress_clear(const struct check *check)
{
    if (check->shows_progress)
        fprintf(stderr, "\r%*s\r", (int)strlen(check->path) + PROGRESS_WIDTH + 8, "");
}

static int check_progress(void *context, uint64_t offset)
{
    struct check *check = context;
    if (!check->shows_progress || clock_monotonic_us() < check->progress_next_us)
        return 0;
    check->progress_next_us = clock_monotonic_us() + PROGRESS_INTERVAL_US;
    progress_draw(check, offset);
    return 0;
}

/* ---- visiting ---- */

static int check_aux(void *context, struct slice name, struct slice value)
{
    struct check *check = context;
    if (check->aux_count == AUX_MAX) {
        check->aux_dropped++;
        return 0;
    }
    struct check_aux *aux = &check->aux[check->aux_count++];
    rdb_printable_text(name, aux->name);
    rdb_printable_text(value, aux->value);
    return 0;
}

static int check_select(void *context, uint64_t number, uint64_t offset, struct rdb_error *error)
{
    struct check *check = context;
    for (size_t i = 0; i < check->database_count; i++) {
        if (check->databases[i].number == number) {
            check->database = &check->databases[i];
            return 0;
        }
    }
    if (check->database_count == DATABASES_MAX)
        return rdb_fault(error, offset, "more than %d databases", DATABASES_MAX);
    check->database = &check->databases[check->database_count++];
    check->database->number = number;
    return 0;
}

static int check_records(void *context, struct rdb_record *records, size_t count, struct rdb_error *error)
{
    struct check *check = context;
    if (check->database == NULL)
        check_select(check, 0, 0, error);
    struct check_database *database = check->database;
    for (size_t i = 0; i < count; i++) {
        struct slice key = records[i].key;
        if (!hash_set_add(&database->seen, hash_bytes(key.data, key.length))) {
            char text[RDB_KEY_TEXT_BYTES];
            return rdb_fault(error, records[i].offset, "key \"%s\" is there twice in database %llu",
                             rdb_printable_text(key, text), (unsigned long long)database->number);
        }
        bool has_deadline = records[i].expiry_ms != RDB_EXPIRY_NONE;
        database->keys++;
        database->by_type[records[i].type]++;
        database->with_deadline += has_deadline;
        database->expired += has_deadline && records[i].expiry_ms < check->now_ms;
    }
    return 0;
}

static int check_library(void *context, struct slice source, uint64_t offset, struct rdb_error *error)
{
    struct check *check = context;
    char *name = kept_functions_name(source); /* the reader has seen that there is one */
    int failed = 0;
    if (!hash_set_add(&check->libraries, hash_bytes(name, strlen(name))))
        failed = rdb_fault(error, offset, "function library \"%.100s\" is there twice", name);
    free(name);
    return failed;
}

static int check_dropped(void *context, const struct rdb_dropped *dropped)
{
    struct check *check = context;
    char text[RDB_KEY_TEXT_BYTES];
    check->dropped++;
    if (check->options->quiet || check->dropped > DROPPED_LINES_MAX)
        return 0;
    progress_clear(check);
    printf("%s: left out at offset %llu: ", check->path, (unsigned long long)dropped->offset);
    if (dropped->has_key)
        printf("key \"%s\", ", rdb_printable_text(dropped->key, text));
    printf("%s\n", dropped->what);
    return 0;
}

/* ---- telling ---- */

/* Writes a number with its thousands apart: 3,000,000. */
static const char *grouped(uint64_t number, char text[static NUMBER_TEXT_BYTES])
{
    char *at = text + NUMBER_TEXT_BYTES;
    *--at = 0;
    for (int digits = 0; number > 0 || digits == 0; digits++, number /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

static void print_row(const char *name, const uint64_t *numbers, size_t count)
{
    char text[NUMBER_TEXT_BYTES];
    printf("  %-28s", name);
    for (size_t i = 0; i < count; i++)
        printf(" %15s", grouped(numbers[i], text));
    putchar('\n');
}

static void print_databases(const struct check *check)
{
    struct check_database sum = {.number = 0};
    if (check->database_count == 0) {
        printf("\n  no keys\n");
        return;
    }
    printf("\n  %-28s %15s %15s %15s\n", "database", "keys", "with deadline", "expired");
    for (size_t i = 0; i < check->database_count; i++) {
        const struct check_database *database = &check->databases[i];
        char name[NUMBER_TEXT_BYTES];
        snprintf(name, sizeof(name), "%llu", (unsigned long long)database->number);
        print_row(name, (uint64_t[]){database->keys, database->with_deadline, database->expired}, 3);
        sum.keys += database->keys;
        sum.with_deadline += database->with_deadline;
        sum.expired += database->expired;
        for (size_t type = 0; type < RDB_TYPE_COUNT; type++)
            sum.by_type[type] += database->by_type[type];
    }
    if (check->database_count > 1)
        print_row("all", (uint64_t[]){sum.keys, sum.with_deadline, sum.expired}, 3);
    printf("\n  %-28s %15s\n", "type", "keys");
    for (unsigned type = 0; type < RDB_TYPE_COUNT; type++)
        if (sum.by_type[type])
            print_row(rdb_type_name(type), &sum.by_type[type], 1);
}

static void print_aux(const struct check_aux *aux)
{
    printf("  %-16s %s", aux->name, aux->value);
    if (strcmp(aux->name, "ctime") == 0) {
        time_t created = (time_t)strtoll(aux->value, NULL, 10);
        struct tm parts;
        char text[64];
        if (gmtime_r(&created, &parts) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts))
            printf(" (%s)", text);
    }
    putchar('\n');
}

static void print_summary(const struct check *check, const struct rdb_summary *summary)
{
    char text[NUMBER_TEXT_BYTES];
    printf("  %-16s %s %d\n", "format", summary->valkey ? "VALKEY" : "REDIS", summary->version);
    printf("  %-16s %s bytes\n", "size", grouped(check->total_bytes, text));
    if (summary->complete && summary->end_offset < check->total_bytes)
        printf("  %-16s the last %s bytes are not part of the dump\n", "note",
               grouped(check->total_bytes - summary->end_offset, text));
    if (summary->complete && summary->has_checksum)
        printf("  %-16s %016llx\n", "checksum", (unsigned long long)summary->checksum);
    else if (summary->complete)
        printf("  %-16s none\n", "checksum");
    for (size_t i = 0; i < check->aux_count; i++)
        print_aux(&check->aux[i]);
    if (check->aux_dropped)
        printf("  %-16s %zu more descriptions\n", "note", check->aux_dropped);
    if (check->dropped > 0)
        printf("  %-16s %s values\n", "left out", grouped(check->dropped, text));
    if (check->libraries.count > 0)
        printf("  %-16s %s\n", "libraries", grouped(check->libraries.count, text));
    print_databases(check);
}

/* ---- files ---- */

static enum exit_status check_report(const struct check *check, int result, const struct rdb_summary *summary,
                                     const struct rdb_error *error)
{
    bool quiet = check->options->quiet;
    progress_clear(check);
    if (result == 0) {
        printf("%s: OK\n", check->path);
        if (!quiet)
            print_summary(check, summary);
        return STATUS_OK;
    }
    printf("%s: %s at offset %llu: %s\n", check->path, result == -EBADMSG ? "FAULT" : "TROUBLE",
           (unsigned long long)error->offset, error->text[0] ? error->text : strerror(-result));
    if (!quiet && summary->version > 0) {
        printf("  before that:\n");
        print_summary(check, summary);
    }
    return result == -EBADMSG ? STATUS_FAULT : STATUS_TROUBLE;
}

static enum exit_status check_source(const char *path, struct source *source,
                                     const struct check_options *options)
{
    struct check check = {.path = path,
                          .options = options,
                          .total_bytes = source->total_bytes,
                          .now_ms = clock_wall_ms(),
                          .shows_progress =
                              source->total_bytes > PROGRESS_FILE_BYTES && isatty(STDERR_FILENO),
                          .databases = calloc(DATABASES_MAX, sizeof(struct check_database))};
    if (check.databases == NULL) {
        fprintf(stderr, "%s: out of memory\n", path);
        return STATUS_TROUBLE;
    }
    struct rdb_visitor visitor = {.aux = check_aux,
                                  .select = check_select,
                                  .records = check_records,
                                  .library = check_library,
                                  .dropped = check_dropped,
                                  .progress = check_progress,
                                  .context = &check};
    struct rdb_summary summary;
    struct rdb_error error = {.text = ""};
    const struct rdb_read_options read_options = {.drop_unknown = options->drop_unknown};
    int result = rdb_read(source, &read_options, &visitor, &summary, &error);
    enum exit_status status = check_report(&check, result, &summary, &error);
    for (size_t i = 0; i < check.database_count; i++)
        free(check.databases[i].seen.slots);
    free(check.databases);
    free(check.libraries.slots);
    return status;
}

static enum exit_status check_file(const char *path, const struct check_options *options)
{
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct source source;
    int result = file < 0 ? -errno : source_open_file(&source, &system_calls_libc, file);
    enum exit_status status = STATUS_TROUBLE;
    if (result == 0) {
        status = check_source(path, &source, options);
        source_close(&source);
    } else {
        fprintf(stderr, "%s: %s\n", path, result == -ESPIPE ? "not a regular file" : strerror(-result));
    }
    if (file >= 0)
        close(file);
    return status;
}

static const char usage[] =
    "usage: spindle-check [-q] [-d] FILE...\n"
    "\n"
    "Verifies dumps (RDB files) and says what is in them: version, description, keys by\n"
    "database and type. Reads everything, checksum included, and changes nothing.\n"
    "\n"
    "  -q, --quiet         one line for each file\n"
    "  -d, --drop-unknown  as a server with `rdb-drop-unknown yes`: data of modules and hashes\n"
    "                      whose fields have deadlines are left out, not faults\n"
    "  -h, --help          this text\n"
    "      --version       version of this program\n"
    "\n"
    "Exit status: 0 all files are sound; 1 a fault was found, and its offset printed; 2 a file\n"
    "cannot be read, or a usage error.\n";

int main(int argc, char **argv)
{
    struct check_options options = {.quiet = false};
    int first = 1;
    for (; first < argc && argv[first][0] == '-' && argv[first][1]; first++) {
        const char *option = argv[first];
        if (strcmp(option, "--") == 0) {
            first++;
            break;
        }
        if (strcmp(option, "-h") == 0 || strcmp(option, "--help") == 0) {
            fputs(usage, stdout);
            return STATUS_OK;
        }
        if (strcmp(option, "--version") == 0) {
            puts("spindle-check " SPINDLE_VERSION);
            return STATUS_OK;
        }
        if (strcmp(option, "-q") == 0 || strcmp(option, "--quiet") == 0) {
            options.quiet = true;
        } else if (strcmp(option, "-d") == 0 || strcmp(option, "--drop-unknown") == 0) {
            options.drop_unknown = true;
        } else {
            fprintf(stderr, "spindle-check: unknown option %s\n\n%s", option, usage);
            return STATUS_TROUBLE;
        }
    }
    if (first == argc) {
        fputs(usage, stderr);
        return STATUS_TROUBLE;
    }
    int error = hash_secret_randomize();
    if (error) {
        fprintf(stderr, "spindle-check: random numbers: %s\n", strerror(-error));
        return STATUS_TROUBLE;
    }
    enum exit_status status = STATUS_OK;
    for (int i = first; i < argc; i++) {
        enum exit_status of_file = check_file(argv[i], &options);
        status = of_file > status ? of_file : status;
    }
    return (int)status;
}
