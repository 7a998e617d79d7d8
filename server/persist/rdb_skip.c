/*
 * What dumps hold and this server does not know: hashes whose fields have deadlines (types 22 to 25), and
 * what modules wrote (type 7, and beside the keys). Passed over when the reading says so, refused otherwise.
 * See rdb_reader.h.
 *
 *   22 in Valkey's files   count; each: field, value, deadline (8 bytes)
 *   22                     count; each: deadline (a length), field, value
 *   23                     string: a listpack
 *   24, 25                 earliest deadline (8 bytes); then as 22, 23
 *   7                      identifier of the module's type, parts (enum rdb_module_part)
 *   beside the keys        the same, but the first part is a number: when to load it
 */
#include "rdb_reader.h"

#include <stdio.h>

enum {
    DEADLINE_BYTES = 8,
    MODULE_NAME_CHARACTERS = 9,
    WHAT_BYTES = 64,
};

/* ---- messages ---- */

/* Says of what type the module's data is: its 64-bit identifier is nine characters of six bits, then ten bits
 * of version. */
static void describe_module(uint64_t identifier, char what[static WHAT_BYTES])
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char name[MODULE_NAME_CHARACTERS + 1] = "";
    for (int i = 0; i < MODULE_NAME_CHARACTERS; i++)
        name[i] = characters[(identifier >> (58 - 6 * i)) & 63];
    snprintf(what, WHAT_BYTES, "data of the module type %s", name);
}

static int fault_value(struct rdb_reader *reader)
{
    const struct rdb_record *record = rdb_reader_record(reader);
    char text[RDB_KEY_TEXT_BYTES];
    return rdb_fault(reader->error, record->offset,
                     "key \"%s\" holds a value of type %d (%s), which is not supported",
                     rdb_printable_text(record->key, text), record->type, rdb_type_name(record->type));
}

static int fault_module_value(struct rdb_reader *reader, const char *what)
{
    const struct rdb_record *record = rdb_reader_record(reader);
    char text[RDB_KEY_TEXT_BYTES];
    return rdb_fault(reader->error, record->offset, "key \"%s\" holds %s, which is not supported",
                     rdb_printable_text(record->key, text), what);
}

static int tell(struct rdb_reader *reader, const struct rdb_dropped *dropped)
{
    const struct rdb_visitor *visitor = reader->visitor;
    return visitor->dropped ? visitor->dropped(visitor->context, dropped) : 0;
}

/* Ends the current record, which was passed over. */
static int tell_value(struct rdb_reader *reader, const char *what)
{
    struct rdb_record *record = rdb_reader_record(reader);
    record->string.form = RDB_FORM_DROPPED;
    return tell(reader, &(struct rdb_dropped){true, record->key, what, record->offset});
}

/* ---- hashes ---- */

static int skip_length(struct rdb_reader *reader)
{
    uint64_t ignored;
    return rdb_read_length(reader, &ignored);
}

static int skip_deadline(struct rdb_reader *reader)
{
    char ignored[DEADLINE_BYTES];
    return rdb_read_raw(reader, ignored, sizeof(ignored));
}

static int skip_fields(struct rdb_reader *reader)
{
    uint64_t count;
    int error = rdb_read_length(reader, &count);
    for (uint64_t i = 0; i < count && error == 0; i++) {
        error = reader->valkey ? 0 : skip_length(reader);
        if (error == 0)
            error = rdb_skip_strings(reader, 2);
        if (error == 0 && reader->valkey)
            error = skip_deadline(reader);
    }
    return error;
}

static int skip_hash(struct rdb_reader *reader)
{
    uint8_t type = rdb_reader_record(reader)->type;
    bool has_earliest = type == RDB_TYPE_HASH_DEADLINES || type == RDB_TYPE_HASH_LISTPACK_DEADLINES;
    bool is_packed = type == RDB_TYPE_HASH_LISTPACK_DEADLINES || type == RDB_TYPE_HASH_LISTPACK_DEADLINES_OLD;
    int error = has_earliest ? skip_deadline(reader) : 0;
    if (error == 0)
        error = is_packed ? rdb_skip_string(reader) : skip_fields(reader);
    return error ? error : tell_value(reader, rdb_type_name(type));
}

/* Numbers of types mean something only in the files of those who gave them. */
static bool is_hash(const struct rdb_reader *reader, uint8_t type)
{
    if (reader->valkey)
        return type == RDB_TYPE_HASH_DEADLINES_OLD;
    return reader->version >= RDB_VERSION_FIELD_DEADLINES && type >= RDB_TYPE_HASH_DEADLINES_OLD &&
           type <= RDB_TYPE_HASH_LISTPACK_DEADLINES;
}

/* ---- modules ---- */

static int skip_part(struct rdb_reader *reader, uint64_t part, uint64_t offset)
{
    char ignored[sizeof(double)];
    switch (part) {
    case RDB_MODULE_SIGNED:
    case RDB_MODULE_UNSIGNED:
        return skip_length(reader);
    case RDB_MODULE_FLOAT:
        return rdb_read_raw(reader, ignored, sizeof(float));
    case RDB_MODULE_DOUBLE:
        return rdb_read_raw(reader, ignored, sizeof(double));
    case RDB_MODULE_STRING:
        return rdb_skip_string(reader);
    default:
        return rdb_fault(reader->error, offset, "unknown part %llu of what a module wrote",
                         (unsigned long long)part);
    }
}

static int skip_parts(struct rdb_reader *reader)
{
    for (;;) {
        uint64_t part, offset = source_offset(reader->source);
        int error = rdb_read_length(reader, &part);
        if (error || part == RDB_MODULE_END)
            return error;
        error = skip_part(reader, part, offset);
        if (error)
            return error;
    }
}

static int skip_module_value(struct rdb_reader *reader)
{
    uint64_t identifier;
    char what[WHAT_BYTES];
    int error = rdb_read_length(reader, &identifier);
    if (error)
        return error;
    describe_module(identifier, what);
    if (!reader->drop_unknown)
        return fault_module_value(reader, what);
    error = skip_parts(reader);
    return error ? error : tell_value(reader, what);
}

int rdb_skip_value(struct rdb_reader *reader)
{
    uint8_t type = rdb_reader_record(reader)->type;
    if (type == RDB_TYPE_MODULE_2)
        return skip_module_value(reader);
    return reader->drop_unknown && is_hash(reader, type) ? skip_hash(reader) : fault_value(reader);
}

int rdb_skip_module_aux(struct rdb_reader *reader, uint64_t offset)
{
    uint64_t identifier;
    char what[WHAT_BYTES];
    int error = rdb_read_length(reader, &identifier);
    if (error)
        return error;
    describe_module(identifier, what);
    if (!reader->drop_unknown)
        return rdb_fault(reader->error, offset, "%s, which is not supported", what);
    error = skip_parts(reader);
    return error ? error : tell(reader, &(struct rdb_dropped){.what = what, .offset = offset});
}
