/*
 * The walk over a dump: header, opcodes, records, checksum. See rdb_read.h.
 *
 * Nothing is decided by a type byte before magic word and version are known: numbers mean different things in
 * different families.
 */
#include "rdb_reader.h"

#include "store/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

int rdb_fault(struct rdb_error *error, uint64_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->offset = offset;
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

const char *rdb_printable_text(struct slice bytes, char text[static RDB_KEY_TEXT_BYTES])
{
    enum { WORST_BYTES = sizeof("\\x00...") };
    size_t used = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        if (used + WORST_BYTES > RDB_KEY_TEXT_BYTES) {
            memcpy(text + used, "...", sizeof("..."));
            return text;
        }
        if (byte == '"' || byte == '\\') {
            text[used++] = '\\';
            text[used++] = (char)byte;
        } else if (byte >= ' ' && byte <= '~') {
            text[used++] = (char)byte;
        } else {
            used += (size_t)snprintf(text + used, RDB_KEY_TEXT_BYTES - used, "\\x%02x", byte);
        }
    }
    text[used] = 0;
    return text;
}

const char *rdb_type_name(unsigned type)
{
    static const char *const names[RDB_TYPE_COUNT] = {
        [RDB_TYPE_STRING] = "string",
        [RDB_TYPE_LIST] = "list",
        [RDB_TYPE_SET] = "set",
        [RDB_TYPE_ZSET] = "sorted set (decimal scores)",
        [RDB_TYPE_HASH] = "hash",
        [RDB_TYPE_ZSET_2] = "sorted set",
        [RDB_TYPE_MODULE] = "module (old)",
        [RDB_TYPE_MODULE_2] = "module",
        [RDB_TYPE_HASH_ZIPMAP] = "hash (zipmap)",
        [RDB_TYPE_LIST_ZIPLIST] = "list (ziplist)",
        [RDB_TYPE_SET_INTSET] = "set (intset)",
        [RDB_TYPE_ZSET_ZIPLIST] = "sorted set (ziplist)",
        [RDB_TYPE_HASH_ZIPLIST] = "hash (ziplist)",
        [RDB_TYPE_LIST_QUICKLIST] = "list (quicklist of ziplists)",
        [RDB_TYPE_STREAM] = "stream (1)",
        [RDB_TYPE_HASH_LISTPACK] = "hash (listpack)",
        [RDB_TYPE_ZSET_LISTPACK] = "sorted set (listpack)",
        [RDB_TYPE_LIST_QUICKLIST_2] = "list (quicklist)",
        [RDB_TYPE_STREAM_2] = "stream (2)",
        [RDB_TYPE_SET_LISTPACK] = "set (listpack)",
        [RDB_TYPE_STREAM_3] = "stream (3)",
        [RDB_TYPE_HASH_DEADLINES_OLD] = "hash (fields with deadlines)",
        [RDB_TYPE_HASH_LISTPACK_DEADLINES_OLD] = "hash (fields with deadlines)",
        [RDB_TYPE_HASH_DEADLINES] = "hash (fields with deadlines)",
        [RDB_TYPE_HASH_LISTPACK_DEADLINES] = "hash (fields with deadlines)",
    };
    return type < RDB_TYPE_COUNT && names[type] ? names[type] : "unknown";
}

int rdb_fault_truncated(struct rdb_reader *reader)
{
    struct source *source = reader->source;
    if (source->error == 0)
        return rdb_fault(reader->error, source->end_offset, "the file ends in the middle");
    rdb_fault(reader->error, source->end_offset, "reading failed: %s", strerror(-source->error));
    return source->error;
}

/* ---- batches ---- */

/* What collections are made of when nobody keeps them. */
static const struct store_settings default_settings = {
    .hash_max_listpack_entries = 512,
    .hash_max_listpack_value = 64,
    .list_max_listpack_size = -2,
    .set_max_intset_entries = 512,
    .zset_max_listpack_entries = 128,
    .zset_max_listpack_value = 64,
};

static void record_release(struct rdb_record *record)
{
    if (record->key_blob)
        blob_release(record->key_blob);
    record->key_blob = NULL;
    if (record->string.form == RDB_FORM_BLOB && record->string.blob)
        blob_release(record->string.blob);
    if (record->string.form != RDB_FORM_VALUE)
        return;
    if (record->value.blob)
        blob_release(record->value.blob);
    if (record->value.object) {
        struct reclaim reclaim;
        reclaim_init(&reclaim);
        value_free(record->value.type, record->value.encoding, record->value.object, &reclaim);
        reclaim_finish(&reclaim);
    }
}

int rdb_reader_flush(struct rdb_reader *reader)
{
    size_t count = reader->batch_count;
    if (count == 0)
        return 0;
    int error = 0;
    if (reader->visitor->records)
        error = reader->visitor->records(reader->visitor->context, reader->batch, count, reader->error);
    for (size_t i = 0; i < count; i++) {
        record_release(&reader->batch[i]);
    }
    reader->batch[0] = reader->batch[count];
    reader->batch_count = 0;
    reader->held_bytes = 0;
    return error;
}

int rdb_reader_keep_key(struct rdb_reader *reader)
{
    const struct source *source = reader->source;
    struct rdb_record *record = rdb_reader_record(reader);
    if (source->window == NULL || record->key.data < source->window || record->key.data > source->end)
        return 0;
    struct blob *blob = blob_try_create(record->key.length);
    if (blob == NULL) {
        rdb_fault(reader->error, record->offset, "no memory for a key of %zu bytes", record->key.length);
        return -ENOMEM;
    }
    memcpy(blob->data, record->key.data, record->key.length);
    blob->length_bytes = record->key.length;
    record->key.data = blob->data;
    record->key_blob = blob;
    return 0;
}

/* Lets the window move on: nothing in it is needed any more. */
static int reader_refill(struct rdb_reader *reader)
{
    const struct rdb_visitor *visitor = reader->visitor;
    int error = rdb_reader_flush(reader);
    if (error == 0)
        error = rdb_reader_keep_key(reader);
    if (error)
        return error;
    source_fill(reader->source, 0);
    return visitor->progress ? visitor->progress(visitor->context, source_offset(reader->source)) : 0;
}

int rdb_reader_need_slow(struct rdb_reader *reader, size_t count)
{
    int error = reader_refill(reader);
    if (error)
        return error;
    return source_ready(reader->source) >= count ? 0 : rdb_fault_truncated(reader);
}

/* Starts a record or opcode. */
static int reader_begin(struct rdb_reader *reader)
{
    struct source *source = reader->source;
    struct rdb_record *record = rdb_reader_record(reader);
    *record = (struct rdb_record){.expiry_ms = RDB_EXPIRY_NONE, .idle_s = -1, .frequency = -1};
    int error = 0;
    if (source_ready(source) < RDB_RECORD_READY_BYTES && source->end_offset < source->total_bytes)
        error = reader_refill(reader);
    if (error == 0 && RDB_SCRATCH_BYTES - reader->scratch_used < RDB_SCRATCH_FREE_BYTES)
        error = rdb_reader_flush(reader);
    if (reader->batch_count == 0)
        reader->scratch_used = 0;
    rdb_reader_record(reader)->offset = source_offset(source);
    return error;
}

/* Ends a record that is not handed over: an opcode's scratch pad, or one that was passed over. */
static void reader_drop_record(struct rdb_reader *reader)
{
    struct rdb_record *record = rdb_reader_record(reader);
    if (record->key_blob)
        blob_release(record->key_blob);
    record->key_blob = NULL;
}

/* Has a record memory of its own, beside the window and scratch? */
static bool record_holds_memory(const struct rdb_record *record)
{
    return record->string.form == RDB_FORM_BLOB ||
           (record->string.form == RDB_FORM_VALUE && (record->value.blob || record->value.object));
}

static int reader_finish_record(struct rdb_reader *reader)
{
    const struct rdb_record *record = rdb_reader_record(reader);
    if (record->string.form == RDB_FORM_DROPPED) {
        reader_drop_record(reader);
        return 0;
    }
    if (record_holds_memory(record))
        reader->held_bytes += source_offset(reader->source) - record->offset;
    reader->batch_count++;
    bool is_full = reader->batch_count == RDB_BATCH_RECORDS || reader->held_bytes > RDB_HELD_MAX_BYTES;
    return is_full ? rdb_reader_flush(reader) : 0;
}

/* ---- opcodes ---- */

static int read_aux(struct rdb_reader *reader)
{
    struct slice value = {NULL, 0};
    struct blob *name_blob = NULL, *value_blob = NULL;
    struct rdb_record *record = rdb_reader_record(reader);
    /* The name takes the place of a key, which outlives a move of the window. */
    int error = rdb_read_name(reader, &record->key, &name_blob);
    rdb_reader_record(reader)->key_blob = name_blob;
    if (error == 0)
        error = rdb_read_name(reader, &value, &value_blob);
    record = rdb_reader_record(reader);
    if (error == 0 && reader->visitor->aux)
        error = reader->visitor->aux(reader->visitor->context, record->key, value);
    if (value_blob)
        blob_release(value_blob);
    return error;
}

static int read_select(struct rdb_reader *reader)
{
    uint64_t database, offset = source_offset(reader->source) - 1;
    int error = rdb_read_length(reader, &database);
    if (error == 0)
        error = rdb_reader_flush(reader);
    if (error || reader->visitor->select == NULL)
        return error;
    return reader->visitor->select(reader->visitor->context, database, offset, reader->error);
}

static int read_resize(struct rdb_reader *reader)
{
    uint64_t keys, expires;
    int error = rdb_read_length(reader, &keys);
    if (error == 0)
        error = rdb_read_length(reader, &expires);
    if (error == 0)
        error = rdb_reader_flush(reader);
    if (error || reader->visitor->resize == NULL)
        return error;
    return reader->visitor->resize(reader->visitor->context, keys, expires);
}

static int read_slot_info(struct rdb_reader *reader)
{
    uint64_t ignored;
    int error = 0;
    for (int i = 0; i < 3 && error == 0; i++)
        error = rdb_read_length(reader, &ignored);
    return error;
}

/* A library is the source text of its functions. */
static int read_library(struct rdb_reader *reader, uint64_t offset)
{
    if (reader->structure_only)
        return rdb_skip_strings(reader, 1);
    struct slice source = {NULL, 0};
    struct blob *blob = NULL;
    int error = rdb_read_name(reader, &source, &blob);
    char *name = error == 0 ? kept_functions_name(source) : NULL;
    if (error == 0 && name == NULL)
        error = rdb_fault(reader->error, offset, "a function library whose first line tells no name");
    free(name);
    if (error == 0 && reader->visitor->library)
        error = reader->visitor->library(reader->visitor->context, source, offset, reader->error);
    if (blob)
        blob_release(blob);
    return error;
}

/* -1 stands for no deadline, as in Redis; the value that stands for it here is as long ago as its neighbour.
 */
static int64_t expiry_from_file(int64_t expiry_ms)
{
    if (expiry_ms == -1)
        return RDB_EXPIRY_NONE;
    return expiry_ms == RDB_EXPIRY_NONE ? RDB_EXPIRY_NONE + 1 : expiry_ms;
}

/* Reads what describes a record, then its type byte. */
static int read_type(struct rdb_reader *reader, uint8_t *type)
{
    for (;;) {
        uint64_t number;
        int error;
        switch (*type) {
        case RDB_OP_EXPIRY_MS:
            error = rdb_read_little_endian(reader, 8, &number);
            rdb_reader_record(reader)->expiry_ms = expiry_from_file((int64_t)number);
            break;
        case RDB_OP_EXPIRY_S:
            error = rdb_read_little_endian(reader, 4, &number);
            rdb_reader_record(reader)->expiry_ms = (int64_t)(int32_t)number * 1000;
            break;
        case RDB_OP_IDLE:
            error = rdb_read_length(reader, &number);
            rdb_reader_record(reader)->idle_s = number > INT32_MAX ? INT32_MAX : (int64_t)number;
            break;
        case RDB_OP_FREQUENCY:
            error = rdb_read_little_endian(reader, 1, &number);
            rdb_reader_record(reader)->frequency = (int16_t)number;
            break;
        default:
            return 0;
        }
        if (error == 0)
            error = rdb_read_byte(reader, type);
        if (error)
            return error;
    }
}

static int read_record(struct rdb_reader *reader, uint8_t type)
{
    int error = read_type(reader, &type);
    if (error)
        return error;
    struct slice key = {NULL, 0};
    struct blob *key_blob;
    error = rdb_read_name(reader, &key, &key_blob);
    struct rdb_record *record = rdb_reader_record(reader);
    record->key = key;
    record->key_blob = key_blob;
    record->type = type;
    if (error == 0)
        error = rdb_read_body(reader);
    return error ? error : reader_finish_record(reader);
}

static int read_opcode(struct rdb_reader *reader, uint8_t opcode, int version)
{
    uint64_t offset = source_offset(reader->source) - 1;
    switch (opcode) {
    case RDB_OP_AUX:
        return read_aux(reader);
    case RDB_OP_SELECT:
        return read_select(reader);
    case RDB_OP_RESIZE:
        return read_resize(reader);
    case RDB_OP_SLOT_INFO:
        if (version >= RDB_VERSION_SLOT_INFO)
            return read_slot_info(reader);
        break;
    case RDB_OP_FUNCTION:
        return read_library(reader, offset);
    case RDB_OP_FUNCTION_OLD:
        return rdb_fault(reader->error, offset,
                         "a function library of a release candidate, which is not supported");
    case RDB_OP_MODULE_AUX:
        return rdb_skip_module_aux(reader, offset);
    }
    return rdb_fault(reader->error, offset, "unknown opcode %d", opcode);
}

static bool is_record_start(uint8_t byte)
{
    return byte < RDB_TYPE_COUNT || (byte >= RDB_OP_IDLE && byte <= RDB_OP_FREQUENCY) ||
           byte == RDB_OP_EXPIRY_MS || byte == RDB_OP_EXPIRY_S;
}

/* ---- the file ---- */

static int read_header(struct rdb_reader *reader, struct rdb_summary *summary)
{
    struct source *source = reader->source;
    source_fill(source, RDB_MAGIC_BYTES);
    if (source->error)
        return rdb_fault_truncated(reader);
    if (source_ready(source) < RDB_MAGIC_BYTES)
        return rdb_fault(reader->error, source->end_offset, "too short for a dump");
    summary->valkey = memcmp(source->at, "VALKEY", 6) == 0;
    if (!summary->valkey && memcmp(source->at, "REDIS", 5) != 0)
        return rdb_fault(reader->error, 0, "not a dump: it starts with neither REDIS nor VALKEY");
    size_t word = summary->valkey ? 6 : 5;
    for (size_t i = word; i < RDB_MAGIC_BYTES; i++) {
        if (source->at[i] < '0' || source->at[i] > '9')
            return rdb_fault(reader->error, i, "the version is not a number");
        summary->version = 10 * summary->version + (source->at[i] - '0');
    }
    bool known = summary->valkey ? summary->version == RDB_VERSION_VALKEY
                                 : summary->version >= 1 && summary->version <= RDB_VERSION_READ_MAX;
    if (!known)
        return rdb_fault(reader->error, word, "dump version %d is not supported", summary->version);
    source->at += RDB_MAGIC_BYTES;
    reader->version = summary->version;
    reader->valkey = summary->valkey;
    return 0;
}

static int read_checksum(struct rdb_reader *reader, struct rdb_summary *summary)
{
    uint64_t crc = source_crc(reader->source), offset = source_offset(reader->source);
    if (summary->version < RDB_VERSION_CHECKSUM)
        return 0;
    int error = rdb_read_little_endian(reader, RDB_CHECKSUM_BYTES, &summary->checksum);
    if (error)
        return error;
    summary->has_checksum = summary->checksum != 0;
    if (summary->has_checksum && summary->checksum != crc)
        return rdb_fault(reader->error, offset, "checksum %016llx, but the file's bytes have %016llx",
                         (unsigned long long)summary->checksum, (unsigned long long)crc);
    return 0;
}

static int read_file(struct rdb_reader *reader, struct rdb_summary *summary)
{
    int error = read_header(reader, summary);
    while (error == 0) {
        uint8_t byte;
        error = reader_begin(reader);
        if (error == 0)
            error = rdb_read_byte(reader, &byte);
        if (error)
            break;
        if (is_record_start(byte)) {
            error = read_record(reader, byte);
        } else if (byte == RDB_OP_END) {
            error = rdb_reader_flush(reader);
            return error ? error : read_checksum(reader, summary);
        } else {
            error = read_opcode(reader, byte, summary->version);
            if (error == 0)
                reader_drop_record(reader);
        }
    }
    return error;
}

/* Hands over the records before a fault: they may hold an earlier one. Returns what ends the reading. */
static int reader_settle(struct rdb_reader *reader, int result)
{
    if (result != -EBADMSG)
        return result;
    struct rdb_error later = *reader->error;
    int earlier = rdb_reader_flush(reader);
    if (earlier == 0)
        *reader->error = later;
    return earlier ? earlier : result;
}

/* Releases what a reading that failed left behind. */
static void reader_abandon(struct rdb_reader *reader)
{
    for (size_t i = 0; i < reader->batch_count; i++)
        record_release(&reader->batch[i]);
    reader_drop_record(reader);
    free(reader->scratch);
}

static struct rdb_reader reader_make(struct source *source, const struct rdb_read_options *options,
                                     const struct rdb_visitor *visitor, struct rdb_error *error)
{
    return (struct rdb_reader){.source = source,
                               .visitor = visitor,
                               .error = error,
                               .settings = options->settings ? options->settings : &default_settings,
                               .structure_only = options->structure_only,
                               .drop_unknown = options->drop_unknown};
}

int rdb_read(struct source *source, const struct rdb_read_options *options, const struct rdb_visitor *visitor,
             struct rdb_summary *summary, struct rdb_error *error)
{
    struct rdb_reader reader = reader_make(source, options, visitor, error);
    *summary = (struct rdb_summary){.version = 0};
    int result = reader_settle(&reader, read_file(&reader, summary));
    reader_abandon(&reader);
    summary->complete = result == 0;
    summary->end_offset = source_offset(source);
    return result;
}

int rdb_read_functions(struct source *source, const struct rdb_visitor *visitor, struct rdb_error *error)
{
    static const struct store_settings settings;
    const struct rdb_read_options options = {.settings = &settings};
    struct rdb_reader reader = reader_make(source, &options, visitor, error);
    int result = reader_begin(&reader);
    while (result == 0 && source_left(source) > 0) {
        uint64_t offset = source_offset(source);
        uint8_t opcode = 0;
        result = rdb_read_byte(&reader, &opcode);
        if (result == 0 && opcode != RDB_OP_FUNCTION)
            result = rdb_fault(error, offset, "something that is no function library");
        if (result == 0)
            result = read_library(&reader, offset);
    }
    reader_abandon(&reader);
    return result;
}

int rdb_read_value(struct source *source, const struct rdb_read_options *options,
                   const struct rdb_visitor *visitor, struct rdb_error *error)
{
    struct rdb_reader reader = reader_make(source, options, visitor, error);
    uint8_t type;
    int result = reader_begin(&reader);
    if (result == 0)
        result = rdb_read_byte(&reader, &type);
    if (result == 0) {
        rdb_reader_record(&reader)->type = type;
        result = rdb_read_body(&reader);
    }
    if (result == 0 && source_left(source) > 0)
        result = rdb_fault(error, source_offset(source), "bytes behind the value");
    if (result == 0) {
        reader.batch_count = 1;
        result = rdb_reader_flush(&reader);
    } else {
        record_release(rdb_reader_record(&reader));
    }
    reader_abandon(&reader);
    return result;
}
