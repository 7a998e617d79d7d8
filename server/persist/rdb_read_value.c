/*
 * Reading lengths, strings and values: one case for each type. See rdb_reader.h.
 *
 * Strings that are ready in the window are not copied. Everything that may be long is held against the bytes
 * left in the file first.
 */
#include "rdb_reader.h"

#include "protocol/number.h"

#include <errno.h>
#include <limits.h>
#include <liblzf/lzf.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

int rdb_read_byte(struct rdb_reader *reader, uint8_t *byte)
{
    int error = rdb_reader_need(reader, 1);
    if (error)
        return error;
    *byte = (uint8_t)*reader->source->at++;
    return 0;
}

int rdb_read_little_endian(struct rdb_reader *reader, size_t bytes, uint64_t *value)
{
    int error = rdb_reader_need(reader, bytes);
    if (error)
        return error;
    const uint8_t *at = (const uint8_t *)reader->source->at;
    *value = 0;
    for (size_t i = 0; i < bytes; i++)
        *value |= (uint64_t)at[i] << (8 * i);
    reader->source->at += bytes;
    return 0;
}

int rdb_read_raw(struct rdb_reader *reader, void *to, size_t bytes)
{
    int error = rdb_reader_need(reader, bytes);
    if (error)
        return error;
    memcpy(to, reader->source->at, bytes);
    reader->source->at += bytes;
    return 0;
}

static int read_big_endian(struct rdb_reader *reader, size_t bytes, uint64_t *value)
{
    int error = rdb_reader_need(reader, bytes);
    if (error)
        return error;
    const uint8_t *at = (const uint8_t *)reader->source->at;
    *value = 0;
    for (size_t i = 0; i < bytes; i++)
        *value = *value << 8 | at[i];
    reader->source->at += bytes;
    return 0;
}

/* Reads a length, or (special is set) which special form of a string follows. */
static int read_length_or_form(struct rdb_reader *reader, uint64_t *length, bool *special)
{
    uint8_t first;
    int error = rdb_read_byte(reader, &first);
    if (error)
        return error;
    *special = false;
    switch (first & 0xc0) {
    case RDB_LENGTH_6BIT:
        *length = first;
        return 0;
    case RDB_LENGTH_14BIT:
        error = read_big_endian(reader, 1, length);
        *length |= (uint64_t)(first & 0x3f) << 8;
        return error;
    case RDB_LENGTH_SPECIAL:
        *length = first & 0x3f;
        *special = true;
        return 0;
    }
    if (first == RDB_LENGTH_32BIT)
        return read_big_endian(reader, 4, length);
    if (first == RDB_LENGTH_64BIT)
        return read_big_endian(reader, 8, length);
    return rdb_fault(reader->error, source_offset(reader->source) - 1, "length starts with 0x%02x", first);
}

int rdb_read_length(struct rdb_reader *reader, uint64_t *length)
{
    uint64_t offset = source_offset(reader->source);
    bool special;
    int error = read_length_or_form(reader, length, &special);
    if (error == 0 && special)
        return rdb_fault(reader->error, offset, "a length is expected, not a string in form %d",
                         (int)*length);
    return error;
}

/* ---- strings ---- */

static int fault_too_long(struct rdb_reader *reader, uint64_t offset, uint64_t length)
{
    return rdb_fault(reader->error, offset, "string of %llu bytes, but only %llu are left in the file",
                     (unsigned long long)length, (unsigned long long)source_left(reader->source));
}

static int fault_no_memory(struct rdb_reader *reader, uint64_t offset, uint64_t length)
{
    rdb_fault(reader->error, offset, "no memory for a string of %llu bytes", (unsigned long long)length);
    return -ENOMEM;
}

static int read_long_skipped(struct rdb_reader *reader, uint64_t length, struct rdb_string *string)
{
    int error = rdb_reader_flush(reader);
    if (error)
        return error;
    error = rdb_reader_keep_key(reader);
    if (error)
        return error;
    string->form = RDB_FORM_SKIPPED;
    string->length_bytes = length;
    return source_skip(reader->source, length) ? 0 : rdb_fault_truncated(reader);
}

static int read_long_raw(struct rdb_reader *reader, uint64_t offset, uint64_t length,
                         struct rdb_string *string)
{
    int error = rdb_reader_flush(reader);
    if (error)
        return error;
    error = rdb_reader_keep_key(reader);
    if (error)
        return error;
    struct blob *blob = blob_try_create(length);
    if (blob == NULL)
        return fault_no_memory(reader, offset, length);
    if (!source_read(reader->source, blob->data, length)) {
        blob_release(blob);
        return rdb_fault_truncated(reader);
    }
    blob->length_bytes = length;
    string->form = RDB_FORM_BLOB;
    string->blob = blob;
    return 0;
}

static int read_raw(struct rdb_reader *reader, uint64_t offset, uint64_t length, bool keep,
                    struct rdb_string *string)
{
    struct source *source = reader->source;
    if (length > source_left(source))
        return fault_too_long(reader, offset, length);
    if (length > source_ready(source))
        return keep ? read_long_raw(reader, offset, length, string)
                    : read_long_skipped(reader, length, string);
    string->form = RDB_FORM_BYTES;
    string->bytes = (struct slice){source->at, length};
    source->at += length;
    return 0;
}

/* Returns length bytes that live as long as the batch, or NULL. */
static char *scratch_take(struct rdb_reader *reader, uint64_t length)
{
    if (length > RDB_SCRATCH_BYTES - reader->scratch_used)
        return NULL;
    if (reader->scratch == NULL)
        reader->scratch = malloc(RDB_SCRATCH_BYTES);
    if (reader->scratch == NULL)
        return NULL;
    char *taken = reader->scratch + reader->scratch_used;
    reader->scratch_used += length;
    return taken;
}

/* Makes room for a string of this length in scratch, or in a blob; returns where its bytes go, or NULL. */
static char *string_create(struct rdb_reader *reader, uint64_t length, struct rdb_string *string)
{
    char *bytes = scratch_take(reader, length);
    if (bytes) {
        string->form = RDB_FORM_BYTES;
        string->bytes = (struct slice){bytes, length};
        return bytes;
    }
    struct blob *blob = blob_try_create(length);
    if (blob == NULL)
        return NULL;
    blob->length_bytes = length;
    string->form = RDB_FORM_BLOB;
    string->blob = blob;
    return blob->data;
}

static int expand(struct rdb_reader *reader, uint64_t offset, struct slice compressed, uint64_t length,
                  struct rdb_string *string)
{
    char *to = string_create(reader, length, string);
    if (to == NULL)
        return fault_no_memory(reader, offset, length);
    if (lzf_decompress(compressed.data, (unsigned)compressed.length, to, (unsigned)length) == length)
        return 0;
    if (string->form == RDB_FORM_BLOB)
        blob_release(string->blob);
    return rdb_fault(reader->error, offset, "compressed string is damaged");
}

static int read_compressed(struct rdb_reader *reader, uint64_t offset, bool keep, struct rdb_string *string)
{
    uint64_t compressed_length, length;
    int error = rdb_read_length(reader, &compressed_length);
    if (error == 0)
        error = rdb_read_length(reader, &length);
    if (error)
        return error;
    if (compressed_length > source_left(reader->source))
        return fault_too_long(reader, offset, compressed_length);
    if (compressed_length == 0 || length == 0 || length > UINT_MAX || compressed_length > UINT_MAX ||
        length / RDB_LZF_EXPANSION_MAX > compressed_length)
        return rdb_fault(reader->error, offset, "%llu compressed bytes cannot be a string of %llu",
                         (unsigned long long)compressed_length, (unsigned long long)length);
    struct rdb_string compressed;
    error = read_raw(reader, offset, compressed_length, keep, &compressed);
    if (error)
        return error;
    if (!keep) {
        string->form = RDB_FORM_SKIPPED;
        string->length_bytes = length;
        return 0;
    }
    if (compressed.form == RDB_FORM_BYTES)
        return expand(reader, offset, compressed.bytes, length, string);
    struct slice bytes = {compressed.blob->data, compressed_length};
    error = expand(reader, offset, bytes, length, string);
    blob_release(compressed.blob);
    return error;
}

static int read_string(struct rdb_reader *reader, bool keep, struct rdb_string *string)
{
    uint64_t offset = source_offset(reader->source), length = 0, integer;
    bool special;
    int error = read_length_or_form(reader, &length, &special);
    if (error)
        return error;
    if (!special)
        return read_raw(reader, offset, length, keep, string);
    string->form = RDB_FORM_INTEGER;
    switch (length) {
    case RDB_STRING_INT8:
        error = rdb_read_little_endian(reader, 1, &integer);
        string->integer = (int8_t)integer;
        return error;
    case RDB_STRING_INT16:
        error = rdb_read_little_endian(reader, 2, &integer);
        string->integer = (int16_t)integer;
        return error;
    case RDB_STRING_INT32:
        error = rdb_read_little_endian(reader, 4, &integer);
        string->integer = (int32_t)integer;
        return error;
    case RDB_STRING_LZF:
        return read_compressed(reader, offset, keep, string);
    default:
        return rdb_fault(reader->error, offset, "unknown form of a string: %d", (int)length);
    }
}

int rdb_read_string(struct rdb_reader *reader, struct rdb_string *string)
{
    return read_string(reader, !reader->structure_only, string);
}

int rdb_skip_string(struct rdb_reader *reader)
{
    struct rdb_string string;
    return read_string(reader, false, &string);
}

int rdb_read_name(struct rdb_reader *reader, struct slice *bytes, struct blob **blob)
{
    uint64_t offset = source_offset(reader->source);
    struct rdb_string string;
    *blob = NULL;
    int error = read_string(reader, true, &string);
    if (error)
        return error;
    if (string.form == RDB_FORM_INTEGER) {
        char text[NUMBER_INTEGER_TEXT_MAX];
        size_t length = number_format_int64(text, string.integer);
        char *to = string_create(reader, length, &string);
        if (to == NULL)
            return fault_no_memory(reader, offset, length);
        memcpy(to, text, length);
    }
    if (string.form == RDB_FORM_BLOB) {
        *blob = string.blob;
        *bytes = (struct slice){string.blob->data, string.blob->length_bytes};
    } else {
        *bytes = string.bytes;
    }
    return 0;
}

/* ---- values ---- */

int rdb_read_body(struct rdb_reader *reader)
{
    struct rdb_record *record = rdb_reader_record(reader);
    switch (record->type) {
    case RDB_TYPE_STRING: {
        struct rdb_string string;
        int error = rdb_read_string(reader, &string);
        if (error == 0)
            rdb_reader_record(reader)->string = string; /* reading may have moved the record */
        return error;
    }
    case RDB_TYPE_SET:
    case RDB_TYPE_SET_INTSET:
    case RDB_TYPE_SET_LISTPACK:
        return rdb_read_set(reader);
    case RDB_TYPE_LIST:
    case RDB_TYPE_LIST_ZIPLIST:
    case RDB_TYPE_LIST_QUICKLIST:
    case RDB_TYPE_LIST_QUICKLIST_2:
        return rdb_read_list(reader);
    case RDB_TYPE_HASH:
    case RDB_TYPE_HASH_ZIPMAP:
    case RDB_TYPE_HASH_ZIPLIST:
    case RDB_TYPE_HASH_LISTPACK:
        return rdb_read_hash(reader);
    case RDB_TYPE_ZSET:
    case RDB_TYPE_ZSET_2:
    case RDB_TYPE_ZSET_ZIPLIST:
    case RDB_TYPE_ZSET_LISTPACK:
        return rdb_read_zset(reader);
    case RDB_TYPE_STREAM:
    case RDB_TYPE_STREAM_2:
    case RDB_TYPE_STREAM_3:
        return rdb_read_stream(reader);
    default:
        return rdb_skip_value(reader);
    }
}
