/* Single values: see rdb_dump.h. */
#include "rdb_dump.h"

#include "persist/crc64.h"
#include "persist/rdb_load.h"
#include "persist/rdb_write.h"

#include <errno.h>

static void write_footer(struct sink *sink, int version)
{
    sink_write_byte(sink, (uint8_t)version);
    sink_write_byte(sink, (uint8_t)(version >> 8));
    uint64_t crc = sink_crc(sink);
    for (int i = 0; i < RDB_CHECKSUM_BYTES; i++)
        sink_write_byte(sink, (uint8_t)(crc >> (8 * i)));
}

void rdb_dump_entry(const struct entry *entry, bool compression, struct buffer *out)
{
    struct memory_sink sink;
    memory_sink_open(&sink, out);
    struct rdb_writer writer;
    rdb_writer_init(&writer, &sink.sink, compression);
    sink_write_byte(&sink.sink, rdb_value_type(entry));
    rdb_write_value(&writer, entry);
    write_footer(&sink.sink, rdb_value_version(entry));
    rdb_writer_free(&writer);
    memory_sink_close(&sink);
}

void rdb_dump_functions(const struct keyspace *keyspace, bool compression, struct buffer *out)
{
    struct memory_sink sink;
    memory_sink_open(&sink, out);
    struct rdb_writer writer;
    rdb_writer_init(&writer, &sink.sink, compression);
    rdb_write_functions(&writer, keyspace);
    write_footer(&sink.sink, RDB_VERSION);
    rdb_writer_free(&writer);
    memory_sink_close(&sink);
}

struct rdb_restoring {
    struct database *db;
    const struct key *key;
    int64_t expiry_ms;
    int64_t idle_s, frequency; /* -1: not given */
};

static int restore_record(void *context, struct rdb_record *records, size_t count, struct rdb_error *error)
{
    (void)count;
    const struct rdb_restoring *restoring = context;
    if (records[0].string.form == RDB_FORM_EMPTY)
        return rdb_fault(error, 0, "an empty collection");
    if (restoring->expiry_ms >= 0 && restoring->expiry_ms <= restoring->db->keyspace->now_ms) {
        keyspace_delete(restoring->db, restoring->key, "del");
        return 0;
    }
    /* A key that replaces another is a new one all the same. */
    bool replaces = keyspace_find(restoring->db, restoring->key, LOOKUP_QUIET) != NULL;
    struct entry *entry = rdb_store_value(restoring->db, restoring->key, &records[0], restoring->expiry_ms);
    if (restoring->idle_s >= 0)
        keyspace_set_idle_s(restoring->db->keyspace, entry, restoring->idle_s);
    int frequency = restoring->frequency >= 0 ? (int)restoring->frequency : ACCESS_COUNTER_START;
    keyspace_set_frequency(restoring->db->keyspace, entry, frequency); /* not what it replaced had */
    if (replaces)
        keyspace_changed(restoring->db, restoring->key->name, EVENT_NEW, "new", 0);
    keyspace_changed(restoring->db, restoring->key->name, EVENT_GENERIC, "restore", 0);
    return 0;
}

static uint64_t footer_number(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* Newer versions than RDB_VERSION are taken as long as they are known: the value types say what they are. */
static bool footer_is_valid(struct slice payload)
{
    if (payload.length < RDB_DUMP_FOOTER_BYTES)
        return false;
    const uint8_t *footer = (const uint8_t *)payload.data + payload.length - RDB_DUMP_FOOTER_BYTES;
    uint64_t version = footer_number(footer, 2), crc = footer_number(footer + 2, RDB_CHECKSUM_BYTES);
    if (version > RDB_VERSION_READ_MAX && version != RDB_VERSION_VALKEY)
        return false;
    return crc == crc64_update(0, payload.data, payload.length - RDB_CHECKSUM_BYTES);
}

int rdb_restore(struct database *db, const struct key *key, struct slice payload, int64_t expiry_ms,
                int64_t idle_s, int64_t frequency)
{
    if (!footer_is_valid(payload))
        return -EINVAL;
    struct source source;
    source_open_memory(&source, payload.data, payload.length - RDB_DUMP_FOOTER_BYTES);
    struct rdb_restoring restoring = {db, key, expiry_ms, idle_s, frequency};
    struct rdb_visitor visitor = {.records = restore_record, .context = &restoring};
    struct rdb_error error;
    const struct rdb_read_options options = {.settings = &db->keyspace->settings};
    int status = rdb_read_value(&source, &options, &visitor, &error);
    source_close(&source);
    return status == 0 ? 0 : -EBADMSG;
}

struct function_reading {
    void (*each)(void *context, struct slice source);
    void *context;
};

static int read_function(void *context, struct slice source, uint64_t offset, struct rdb_error *error)
{
    (void)offset;
    (void)error;
    const struct function_reading *reading = context;
    reading->each(reading->context, source);
    return 0;
}

int rdb_read_function_dump(struct slice payload, void (*each)(void *context, struct slice source),
                           void *context)
{
    if (!footer_is_valid(payload))
        return -EINVAL;
    struct source source;
    source_open_memory(&source, payload.data, payload.length - RDB_DUMP_FOOTER_BYTES);
    struct function_reading reading = {each, context};
    struct rdb_visitor visitor = {.library = read_function, .context = &reading};
    struct rdb_error error;
    int status = rdb_read_functions(&source, &visitor, &error);
    source_close(&source);
    return status == 0 ? 0 : -EBADMSG;
}
