/*
 * Writing dumps: the file around the records, and the walk over the keys. Values are in rdb_write_value.c.
 *
 * Keys lie all over memory, so the walk looks ahead: an entry's cache lines are fetched when its bucket is
 * visited, and used AHEAD keys later. Runs in the server or in a forked child.
 */
#include "rdb_write.h"

#include "base/check.h"
#include "base/prefetch.h"
#include "persist/rdb_format.h"
#include "protocol/number.h"

#include <string.h>

enum {
    AHEAD_KEYS = 64, /* a power of two */
    CACHE_LINE_BYTES = 64,
};

struct rdb_walk {
    struct rdb_writer writer;
    const struct rdb_write_options *options;
    const struct entry *ahead[AHEAD_KEYS];
    uint64_t visited, written; /* visited - written entries wait in ahead */
    uint32_t until_report;
};

static void write_little_endian(struct sink *sink, uint64_t value, size_t bytes)
{
    char *at = sink_reserve(sink, bytes);
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(value >> (8 * i));
    sink_advance(sink, bytes);
}

static void walk_report(struct rdb_walk *walk)
{
    walk->until_report = walk->options->report_keys;
    if (walk->options->progress)
        walk->options->progress(walk->options->context, walk->written);
}

static void walk_write(struct rdb_walk *walk, const struct entry *entry)
{
    struct sink *sink = walk->writer.sink;
    if (entry->flags & ENTRY_HAS_EXPIRY) {
        sink_write_byte(sink, RDB_OP_EXPIRY_MS);
        write_little_endian(sink, (uint64_t)entry_expiry_ms(entry), 8);
    }
    sink_write_byte(sink, rdb_value_type(entry));
    rdb_write_string(&walk->writer, entry_key(entry));
    rdb_write_value(&walk->writer, entry);
    walk->written++;
    if (--walk->until_report == 0)
        walk_report(walk);
}

static void walk_visit(void *context, struct entry *entry)
{
    struct rdb_walk *walk = context;
    const struct entry **slot = &walk->ahead[walk->visited % AHEAD_KEYS];
    if (walk->visited - walk->written == AHEAD_KEYS)
        walk_write(walk, *slot);
    prefetch(entry);
    prefetch((const char *)entry + CACHE_LINE_BYTES);
    *slot = entry;
    walk->visited++;
}

static void walk_finish(struct rdb_walk *walk)
{
    while (walk->written < walk->visited)
        walk_write(walk, walk->ahead[walk->written % AHEAD_KEYS]);
}

static void write_database(struct rdb_walk *walk, const struct database *db)
{
    struct sink *sink = walk->writer.sink;
    sink_write_byte(sink, RDB_OP_SELECT);
    rdb_write_length(sink, (uint64_t)db->id);
    sink_write_byte(sink, RDB_OP_RESIZE);
    rdb_write_length(sink, keyspace_count(db));
    rdb_write_length(sink, db->expires_count);
    uint64_t position = 0, before = walk->written;
    while (keyspace_visit_bucket(db, &position, walk_visit, walk) && sink->error == 0)
        ;
    walk_finish(walk);
    CHECK(sink->error || walk->written - before == keyspace_count(db));
}

static void write_aux(struct rdb_writer *writer, const char *name, struct slice value)
{
    sink_write_byte(writer->sink, RDB_OP_AUX);
    rdb_write_string(writer, slice_from_string(name));
    rdb_write_string(writer, value);
}

static void write_aux_number(struct rdb_writer *writer, const char *name, int64_t value)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    write_aux(writer, name, (struct slice){text, number_format_int64(text, value)});
}

static void write_header(struct rdb_writer *writer, const struct rdb_write_options *options)
{
    _Static_assert(RDB_VERSION == 10, "the magic word names the version");
    sink_write(writer->sink, "REDIS0010", RDB_MAGIC_BYTES);
    write_aux(writer, "redis-ver", slice_from_string("7.0.15"));
    write_aux_number(writer, "redis-bits", 64);
    write_aux_number(writer, "ctime", options->created_s);
    write_aux_number(writer, "used-mem", (int64_t)options->used_bytes);
    write_aux_number(writer, "aof-base", 0);
}

int rdb_write(struct sink *sink, const struct keyspace *keyspace, const struct rdb_write_options *options)
{
    struct rdb_walk walk = {.options = options, .until_report = options->report_keys};
    rdb_writer_init(&walk.writer, sink, options->compression);
    write_header(&walk.writer, options);
    for (int i = 0; i < keyspace->database_count && sink->error == 0; i++)
        if (keyspace_count(&keyspace->databases[i]) > 0)
            write_database(&walk, &keyspace->databases[i]);
    sink_write_byte(sink, RDB_OP_END);
    write_little_endian(sink, sink_crc(sink), RDB_CHECKSUM_BYTES);
    walk_report(&walk);
    rdb_writer_free(&walk.writer);
    return sink->error;
}
