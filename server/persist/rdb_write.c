/*
 * Writing dumps: the file around the records, and the walk over the keys. Values are in rdb_write_value.c.
 *
 * Keys lie all over memory, so the walk looks ahead: an entry's cache lines are fetched when its bucket is
 * visited, and used AHEAD_KEYS keys later. Runs in the server or in a forked child.
 *
 * A child shares its memory with the server, and every page that the server changes meanwhile is copied. So
 * the child consumes the largest database: it writes first what lies outside its entry's own small block,
 * then the rest in the order of addresses, and gives slab after slab back. Nothing in the slabs is needed any
 * more then: the tables were walked, and objects that entries point to were written.
 */
#include "rdb_write.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "persist/memory_order.h"
#include "persist/rdb_format.h"
#include "protocol/number.h"

#include <stdio.h>
#include <string.h>

enum {
    AHEAD_KEYS = 64, /* a power of two */
    /* Memory is given back in pieces: each costs a system call and a flush of the address translations. */
    CONSUME_RUN_BYTES = 1024 * 1024,
};

struct rdb_walk {
    struct rdb_writer writer;
    const struct keyspace *keyspace;
    const struct rdb_write_options *options;
    const struct entry *ahead[AHEAD_KEYS];
    uint64_t visited, used; /* visited - used entries wait in ahead */
    void (*use)(struct rdb_walk *walk, const struct entry *entry);
    uint64_t written;
    uint32_t until_report;
    struct memory_order later; /* entries to be written in the order of their addresses */
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

/* How long ago or how often the key was used, when the eviction policy goes by it. */
static void write_access(struct sink *sink, const struct keyspace *keyspace, const struct entry *entry)
{
    enum eviction_policy policy = (enum eviction_policy)keyspace->settings.maxmemory_policy;
    if (eviction_counts_accesses(policy)) {
        sink_write_byte(sink, RDB_OP_FREQUENCY);
        sink_write_byte(sink, (uint8_t)keyspace_frequency(keyspace, entry));
    } else if (policy == EVICTION_VOLATILE_LRU || policy == EVICTION_ALLKEYS_LRU) {
        sink_write_byte(sink, RDB_OP_IDLE);
        rdb_write_length(sink, (uint64_t)keyspace_idle_s(keyspace, entry));
    }
}

static void walk_write(struct rdb_walk *walk, const struct entry *entry)
{
    struct sink *sink = walk->writer.sink;
    if (entry->flags & ENTRY_HAS_EXPIRY) {
        sink_write_byte(sink, RDB_OP_EXPIRY_MS);
        write_little_endian(sink, (uint64_t)entry_expiry_ms(entry), 8);
    }
    write_access(sink, walk->keyspace, entry);
    sink_write_byte(sink, rdb_value_type(entry));
    rdb_write_string(&walk->writer, entry_key(entry));
    rdb_write_value(&walk->writer, entry);
    walk->written++;
    if (--walk->until_report == 0)
        walk_report(walk);
}

static void walk_use_oldest(struct rdb_walk *walk)
{
    walk->use(walk, walk->ahead[walk->used % AHEAD_KEYS]);
    walk->used++;
}

static void walk_visit(void *context, struct entry *entry)
{
    struct rdb_walk *walk = context;
    if (walk->visited - walk->used == AHEAD_KEYS)
        walk_use_oldest(walk);
    prefetch(entry);
    prefetch((const char *)entry + CACHE_LINE_BYTES);
    walk->ahead[walk->visited % AHEAD_KEYS] = entry;
    walk->visited++;
}

static void walk_finish(struct rdb_walk *walk)
{
    while (walk->used < walk->visited)
        walk_use_oldest(walk);
}

static void walk_database(struct rdb_walk *walk, const struct database *db,
                          void (*use)(struct rdb_walk *walk, const struct entry *entry))
{
    uint64_t position = 0;
    walk->use = use;
    while (keyspace_visit_bucket(db, &position, walk_visit, walk) && walk->writer.sink->error == 0)
        ;
    walk_finish(walk);
}

/* ---- consuming ---- */

/* Writes an entry, or notes it for later when all of it is in one small block. */
static void walk_sort_out(struct rdb_walk *walk, const struct entry *entry)
{
    bool is_small = entry_is_inline(entry) && entry_block_bytes(entry) <= MEM_SMALL_MAX_BYTES;
    if (!is_small || !memory_order_add(&walk->later, entry))
        walk_write(walk, entry);
    if ((walk->used + 1) % RDB_WRITE_REPORT_KEYS == 0)
        walk_report(walk); /* keys are looked at: that is progress too */
}

static void walk_visit_block(void *context, void *block)
{
    walk_visit(context, block);
}

#ifdef SPINDLE_DEBUG_CHECKS
/* Checked builds have no slabs to give back; they make what was consumed unusable instead. */
static void spoil_block(void *context, void *block)
{
    (void)context;
    memset(block, 0xdd, entry_block_bytes(block));
}
#endif

static void walk_consume(struct rdb_walk *walk)
{
    struct memory_order *later = &walk->later;
    memory_order_sort(later);
    mem_forget_slabs();
    walk->use = walk_write;
    for (size_t i = 0, first = 0; i < later->count && walk->writer.sink->error == 0; i++) {
        memory_slab_visit(&later->slabs[i], walk_visit_block, walk);
        walk_finish(walk);
#ifdef SPINDLE_DEBUG_CHECKS
        memory_slab_visit(&later->slabs[i], spoil_block, NULL);
#endif
        uintptr_t run_bytes = later->slabs[i].address + MEM_SLAB_BYTES - later->slabs[first].address;
        bool ends = i + 1 == later->count || run_bytes >= CONSUME_RUN_BYTES ||
                    later->slabs[i + 1].address != later->slabs[i].address + MEM_SLAB_BYTES;
        if (ends) {
            mem_drop_slabs((void *)later->slabs[first].address, run_bytes / MEM_SLAB_BYTES);
            first = i + 1;
        }
    }
    memory_order_free(later);
}

/* ---- the file ---- */

static void write_database(struct rdb_walk *walk, const struct database *db, bool consume)
{
    struct sink *sink = walk->writer.sink;
    uint64_t count = keyspace_count(db), before = walk->written;
    sink_write_byte(sink, RDB_OP_SELECT);
    rdb_write_length(sink, (uint64_t)db->id);
    sink_write_byte(sink, RDB_OP_RESIZE);
    rdb_write_length(sink, count);
    rdb_write_length(sink, db->expires_count);
    walk_database(walk, db, consume ? walk_sort_out : walk_write);
    if (consume)
        walk_consume(walk); /* db is no more */
    CHECK(sink->error || walk->written - before == count);
}

static const struct database *largest_database(const struct keyspace *keyspace)
{
    const struct database *largest = &keyspace->databases[0];
    for (int i = 1; i < keyspace->database_count; i++)
        if (keyspace_count(&keyspace->databases[i]) > keyspace_count(largest))
            largest = &keyspace->databases[i];
    return largest;
}

/* Writes the one to be consumed last: it takes the others with it. */
static void write_databases(struct rdb_walk *walk, const struct keyspace *keyspace)
{
    const struct database *consumed = walk->options->consume ? largest_database(keyspace) : NULL;
    for (int i = 0; i < keyspace->database_count; i++) {
        const struct database *db = &keyspace->databases[i];
        if (db != consumed && keyspace_count(db) > 0 && walk->writer.sink->error == 0)
            write_database(walk, db, false);
    }
    if (consumed && keyspace_count(consumed) > 0 && walk->writer.sink->error == 0)
        write_database(walk, consumed, true);
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

static void raise_version(void *context, struct entry *entry)
{
    int *version = context;
    int own = rdb_value_version(entry);
    *version = own > *version ? own : *version;
}

/* The lowest version that holds what is there. Only when values came that need another one all are looked at:
 * they may be gone. */
static int file_version(const struct keyspace *keyspace)
{
    int version = RDB_VERSION;
    for (int i = 0; i < keyspace->database_count && keyspace->newer_streams; i++) {
        uint64_t position = 0;
        while (keyspace_visit_bucket(&keyspace->databases[i], &position, raise_version, &version))
            ;
    }
    return version;
}

static void write_header(struct rdb_writer *writer, const struct rdb_write_options *options, int version)
{
    char magic[RDB_MAGIC_BYTES + 1];
    snprintf(magic, sizeof(magic), "REDIS%04u", (unsigned)version % 10000);
    sink_write(writer->sink, magic, RDB_MAGIC_BYTES);
    write_aux(writer, "redis-ver", slice_from_string("7.0.15"));
    write_aux_number(writer, "redis-bits", 64);
    write_aux_number(writer, "ctime", options->created_s);
    write_aux_number(writer, "used-mem", (int64_t)options->used_bytes);
    write_aux_number(writer, "aof-base", 0);
}

static void write_library(void *context, struct slice source)
{
    struct rdb_writer *writer = context;
    sink_write_byte(writer->sink, RDB_OP_FUNCTION);
    rdb_write_string(writer, source);
}

void rdb_write_functions(struct rdb_writer *writer, const struct keyspace *keyspace)
{
    kept_functions_visit(&keyspace->functions, write_library, writer);
}

int rdb_write(struct sink *sink, const struct keyspace *keyspace, const struct rdb_write_options *options)
{
    struct rdb_walk walk = {.keyspace = keyspace, .options = options, .until_report = options->report_keys};
    rdb_writer_init(&walk.writer, sink, options->compression);
    write_header(&walk.writer, options, file_version(keyspace));
    rdb_write_functions(&walk.writer, keyspace);
    write_databases(&walk, keyspace);
    sink_write_byte(sink, RDB_OP_END);
    write_little_endian(sink, sink_crc(sink), RDB_CHECKSUM_BYTES);
    walk_report(&walk);
    rdb_writer_free(&walk.writer);
    return sink->error;
}
