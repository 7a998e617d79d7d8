/* Dumps for tests: see rdb_fixture.h. */
#include "rdb_fixture.h"

#include "base/check.h"
#include "persist/crc64.h"
#include "persist/rdb_dump.h"
#include "persist/rdb_write.h"
#include "store/digest.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void dump_append_string(struct buffer *dump, const void *data, size_t length)
{
    struct memory_sink sink;
    memory_sink_open(&sink, dump);
    rdb_write_length(&sink.sink, length);
    sink_write(&sink.sink, data, length);
    memory_sink_close(&sink);
}

void dump_end(struct buffer *dump)
{
    dump_append(dump, "\xff");
    uint64_t crc = crc64_update(0, dump->data, dump->length);
    for (int i = 0; i < 8; i++) {
        char byte = (char)(crc >> (8 * i));
        buffer_append(dump, &byte, 1);
    }
}

void fixture_keyspace(struct keyspace *keyspace)
{
    keyspace_init(keyspace, 16, 1);
    keyspace_set_time(keyspace, RDB_FIXTURE_NOW_MS);
}

void fixture_set_bytes(struct database *db, struct slice key, struct slice value, int64_t expiry_ms)
{
    struct key named = key_make(key);
    keyspace_set_string(db, &named, value, expiry_ms, NULL);
}

void fixture_set(struct database *db, const char *key, const char *value, int64_t expiry_ms)
{
    fixture_set_bytes(db, slice_from_string(key), slice_from_string(value), expiry_ms);
}

struct entry *fixture_entry(struct database *db, struct slice key)
{
    struct key named = key_make(key);
    return keyspace_find(db, &named, LOOKUP_QUIET);
}

const char *fixture_get(struct database *db, const char *key)
{
    static char text[4096];
    struct entry *entry = fixture_entry(db, slice_from_string(key));
    if (entry == NULL)
        return NULL;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = entry_string(entry, scratch);
    CHECK(value.length < sizeof(text));
    memcpy(text, value.data, value.length);
    text[value.length] = 0;
    return text;
}

struct comparison {
    struct database *other;
    bool equal;
};

/* Streams have more than a digest covers: groups, and what they were. */
static bool same_payload(const struct entry *a, const struct entry *b)
{
    struct buffer dump_a = {0}, dump_b = {0};
    rdb_dump_entry(a, false, &dump_a);
    rdb_dump_entry(b, false, &dump_b);
    bool same =
        slice_equals((struct slice){dump_a.data, dump_a.length}, (struct slice){dump_b.data, dump_b.length});
    buffer_free(&dump_a);
    buffer_free(&dump_b);
    return same;
}

bool fixture_same_value(const struct entry *a, const struct entry *b)
{
    if (a->type != b->type || (a->type == VALUE_STRING && a->encoding != b->encoding))
        return false;
    if (a->type == VALUE_STREAM)
        return same_payload(a, b);
    struct digest digest_a = {{0}}, digest_b = {{0}};
    digest_entry(&digest_a, a);
    digest_entry(&digest_b, b);
    return memcmp(&digest_a, &digest_b, sizeof(digest_a)) == 0;
}

static void compare_entry(void *context, struct entry *entry)
{
    struct comparison *comparison = context;
    struct entry *twin = fixture_entry(comparison->other, entry_key(entry));
    comparison->equal = comparison->equal && twin && entry_expiry_ms(twin) == entry_expiry_ms(entry) &&
                        fixture_same_value(entry, twin);
}

struct library_comparison {
    const struct kept_functions *other;
    bool equal;
};

static void compare_library(void *context, struct slice source)
{
    struct library_comparison *comparison = context;
    char *name = kept_functions_name(source);
    CHECK(name != NULL);
    struct slice twin = kept_functions_find(comparison->other, slice_from_string(name));
    free(name);
    comparison->equal = comparison->equal && twin.data && slice_equals(twin, source);
}

static bool same_libraries(const struct kept_functions *a, const struct kept_functions *b)
{
    struct library_comparison comparison = {b, kept_functions_count(a) == kept_functions_count(b)};
    kept_functions_visit(a, compare_library, &comparison);
    return comparison.equal;
}

bool fixture_equal(struct keyspace *a, struct keyspace *b)
{
    for (int i = 0; i < a->database_count; i++) {
        struct comparison comparison = {&b->databases[i], true};
        uint64_t position = 0;
        while (keyspace_visit_bucket(&a->databases[i], &position, compare_entry, &comparison))
            ;
        if (!comparison.equal || keyspace_count(&a->databases[i]) != keyspace_count(&b->databases[i]) ||
            a->databases[i].expires_count != b->databases[i].expires_count)
            return false;
    }
    return same_libraries(&a->functions, &b->functions);
}

void fixture_write(const struct keyspace *keyspace, bool compression, struct buffer *dump)
{
    struct memory_sink sink;
    memory_sink_open(&sink, dump);
    struct rdb_write_options options = {
        .compression = compression, .created_s = 1700000000, .used_bytes = 12345, .report_keys = 1024};
    CHECK(rdb_write(&sink.sink, keyspace, &options) == 0);
    memory_sink_close(&sink);
}

int fixture_load(struct keyspace *keyspace, const void *data, size_t length,
                 const struct rdb_load_options *options, struct rdb_load_result *result,
                 struct rdb_error *error)
{
    int file = memfd_create("dump", MFD_CLOEXEC);
    CHECK(file >= 0);
    CHECK(pwrite(file, data, length, 0) == (ssize_t)length);
    struct source source;
    CHECK(source_open_file(&source, &system_calls_libc, file) == 0);
    *error = (struct rdb_error){.offset = 0};
    int status = rdb_load(keyspace, &source, options, result, error);
    source_close(&source);
    close(file);
    return status;
}

void fixture_fill(char *to, size_t length, unsigned alphabet, uint64_t *seed)
{
    for (size_t i = 0; i < length; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        to[i] = (char)('A' + (*seed >> 33) % alphabet);
    }
}
