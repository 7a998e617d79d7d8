/*
 * Loading: records of a batch are hashed and their buckets fetched before the first is inserted, so that the
 * cache misses of a batch overlap. Main thread only.
 */
#include "rdb_load.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct rdb_loading {
    struct keyspace *keyspace;
    struct database *db;
    const struct source *source;
    const struct rdb_load_options *options;
    struct rdb_load_result *result;
};

static struct entry *store_string(struct database *db, const struct key *key, struct rdb_string *string,
                                  int64_t expiry_ms)
{
    if (string->form == RDB_FORM_INTEGER)
        return keyspace_set_integer(db, key, string->integer, expiry_ms, NULL);
    if (string->form == RDB_FORM_BYTES)
        return keyspace_set_string(db, key, string->bytes, expiry_ms, NULL);
    struct blob *blob = string->blob;
    if (blob->length_bytes <= ENTRY_INLINE_MAX_BYTES)
        return keyspace_set_string(db, key, (struct slice){blob->data, blob->length_bytes}, expiry_ms, NULL);
    string->blob = NULL;
    return keyspace_set_blob(db, key, blob, expiry_ms, NULL);
}

static struct entry *store_collection(struct database *db, const struct key *key, struct rdb_value *value,
                                      int64_t expiry_ms)
{
    void *object = value->object;
    value->object = NULL;
    bool is_short = value->packed.length <= ENTRY_INLINE_MAX_BYTES;
    if (value->packed.data && (is_short || value->blob == NULL))
        return keyspace_set_packed(db, key, value->type, value->encoding, value->packed, expiry_ms, 0, NULL,
                                   1);
    if (value->packed.data) {
        object = value->blob;
        value->blob = NULL;
    }
    return keyspace_set_object(db, key, value->type, value->encoding, object, expiry_ms, 0, NULL, 1);
}

struct entry *rdb_store_value(struct database *db, const struct key *key, struct rdb_record *record,
                              int64_t expiry_ms)
{
    switch (record->string.form) {
    case RDB_FORM_EMPTY:
        return NULL;
    case RDB_FORM_VALUE:
        db->keyspace->newer_streams |= record->type == RDB_TYPE_STREAM_3;
        return store_collection(db, key, &record->value, expiry_ms);
    default:
        return store_string(db, key, &record->string, expiry_ms);
    }
}

static int load_record(struct rdb_loading *loading, struct rdb_record *record, struct rdb_error *error)
{
    struct keyspace *keyspace = loading->keyspace;
    bool has_expiry = record->expiry_ms != RDB_EXPIRY_NONE;
    if (has_expiry && record->expiry_ms < keyspace->now_ms) {
        loading->result->keys_expired++;
        return 0;
    }
    struct key key = {record->key, record->key_hash};
    if (!loading->options->replace && keyspace_find(loading->db, &key, LOOKUP_QUIET)) {
        char text[RDB_KEY_TEXT_BYTES];
        return rdb_fault(error, record->offset, "key \"%s\" is there twice in database %d",
                         rdb_printable_text(record->key, text), loading->db->id);
    }
    struct entry *entry =
        rdb_store_value(loading->db, &key, record, has_expiry ? record->expiry_ms : EXPIRY_NONE);
    if (entry == NULL)
        return 0;
    if (record->idle_s >= 0)
        keyspace_set_idle_s(keyspace, entry, record->idle_s);
    if (record->frequency >= 0)
        keyspace_set_frequency(keyspace, entry, record->frequency);
    loading->result->keys_loaded++;
    return 0;
}

static int load_library(void *context, struct slice source, uint64_t offset, struct rdb_error *error)
{
    struct rdb_loading *loading = context;
    char *name = kept_functions_name(source); /* the reader has seen that there is one */
    CHECK(name != NULL);
    int failed = 0;
    if (!kept_functions_add(&loading->keyspace->functions, slice_from_string(name), source,
                            loading->options->replace))
        failed = rdb_fault(error, offset, "function library \"%.100s\" is there twice", name);
    free(name);
    return failed;
}

static int load_dropped(void *context, const struct rdb_dropped *dropped)
{
    struct rdb_loading *loading = context;
    loading->result->dropped++;
    if (loading->options->dropped)
        loading->options->dropped(loading->options->context, loading->db->id, dropped);
    return 0;
}

static int load_progress(void *context, uint64_t offset)
{
    struct rdb_loading *loading = context;
    const struct rdb_load_options *options = loading->options;
    return options->progress == NULL || options->progress(options->context, offset) ? 0 : -ECANCELED;
}

static int load_delay(struct rdb_loading *loading, size_t keys)
{
    int delay_us = loading->options->key_delay_us;
    int64_t delay_all_us =
        delay_us > 0 ? (int64_t)delay_us * (int64_t)keys : 1 + (int64_t)keys / -(int64_t)delay_us;
    usleep((useconds_t)delay_all_us);
    return load_progress(loading, source_offset(loading->source));
}

static int load_records(void *context, struct rdb_record *records, size_t count, struct rdb_error *error)
{
    struct rdb_loading *loading = context;
    for (size_t i = 0; i < count; i++) {
        struct rdb_record *record = &records[i];
        record->key_hash = hash_bytes(record->key.data, record->key.length);
        table_prefetch(&loading->db->keys, record->key_hash);
    }
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = load_record(loading, &records[i], error);
    return result == 0 && loading->options->key_delay_us ? load_delay(loading, count) : result;
}

static int load_select(void *context, uint64_t database, uint64_t offset, struct rdb_error *error)
{
    struct rdb_loading *loading = context;
    if (database >= (uint64_t)loading->keyspace->database_count)
        return rdb_fault(error, offset, "database %llu, but there are only %d", (unsigned long long)database,
                         loading->keyspace->database_count);
    loading->db = &loading->keyspace->databases[database];
    return 0;
}

/* The hint may lie, but a table is never made larger than the rest of the file. */
static int load_resize(void *context, uint64_t keys, uint64_t expires)
{
    (void)expires;
    struct rdb_loading *loading = context;
    enum { TABLE_BYTES_PER_KEY = 16 };
    uint64_t possible = source_left(loading->source) / TABLE_BYTES_PER_KEY;
    keyspace_reserve(loading->db, keys < possible ? keys : possible);
    return 0;
}

int rdb_load(struct keyspace *keyspace, struct source *source, const struct rdb_load_options *options,
             struct rdb_load_result *result, struct rdb_error *error)
{
    *result = (struct rdb_load_result){.keys_loaded = 0};
    struct rdb_loading loading = {.keyspace = keyspace,
                                  .db = &keyspace->databases[0],
                                  .source = source,
                                  .options = options,
                                  .result = result};
    struct rdb_visitor visitor = {.select = load_select,
                                  .resize = load_resize,
                                  .records = load_records,
                                  .library = load_library,
                                  .dropped = load_dropped,
                                  .progress = load_progress,
                                  .context = &loading};
    bool expiry_enabled = keyspace->expiry_enabled;
    keyspace->expiry_enabled = false;
    const struct rdb_read_options read_options = {.drop_unknown = options->drop_unknown,
                                                  .settings = &keyspace->settings};
    int status = rdb_read(source, &read_options, &visitor, &result->summary, error);
    keyspace->expiry_enabled = expiry_enabled;
    return status;
}
