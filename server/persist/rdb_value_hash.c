/*
 * Hashes in dumps: written as listpacks (type 16) or fields and values (type 4); read from those and from the
 * zipmaps and ziplists of older servers (types 9 and 13). Fields that occur twice are refused.
 *
 *   zipmap   u8 count (254 and more: not told), then for each field: length, bytes, length of the value, u8
 *            unused bytes, value, unused bytes; 0xff. Lengths are one byte below 254, or 254 and u32
 */
#include "persist/distinct.h"
#include "persist/rdb_reader.h"
#include "persist/rdb_write.h"
#include "persist/ziplist.h"
#include "protocol/buffer.h"
#include "store/hash_type.h"
#include "store/packed.h"

/* ---- writing ---- */

uint8_t rdb_hash_type(const struct entry *entry)
{
    return packed_is(entry) ? RDB_TYPE_HASH_LISTPACK : RDB_TYPE_HASH;
}

static void write_pair(void *context, struct slice field, struct slice value)
{
    rdb_write_string(context, field);
    rdb_write_string(context, value);
}

void rdb_write_hash(struct rdb_writer *writer, const struct entry *entry)
{
    if (packed_is(entry)) {
        rdb_write_string(writer, packed_view(entry));
        return;
    }
    rdb_write_length(writer->sink, hash_count(entry));
    hash_visit(entry, write_pair, writer);
}

/* ---- a hash under construction ---- */

struct hash_build {
    uint64_t packed_max_count;
    uint64_t packed_max_length; /* of a field or value */
    struct distinct fields;     /* while packed */
    struct buffer packed;       /* a listpack without its end; unused once large */
    struct hash_value *large;   /* NULL: packed */
    struct buffer field;        /* the one whose value is being read */
    size_t count;
};

static void build_init(struct hash_build *build, const struct store_settings *settings)
{
    *build = (struct hash_build){.packed_max_count = (uint64_t)settings->hash_max_listpack_entries,
                                 .packed_max_length = (uint64_t)settings->hash_max_listpack_value};
    distinct_init(&build->fields);
    listpack_init(buffer_reserve(&build->packed, LISTPACK_EMPTY_BYTES));
    build->packed.length = LISTPACK_HEADER_BYTES;
}

static void build_free(struct hash_build *build)
{
    distinct_free(&build->fields);
    buffer_free(&build->packed);
    buffer_free(&build->field);
    if (build->large)
        hash_value_free(build->large, NULL);
}

/* Ends the listpack; more elements may overwrite the end again. */
static const char *build_listpack(struct hash_build *build)
{
    *buffer_reserve(&build->packed, 1) = (char)LISTPACK_END;
    char *listpack = build->packed.data;
    listpack_init_header(listpack, build->packed.length + 1, 2 * build->count);
    return listpack;
}

static void build_convert(struct hash_build *build)
{
    build->large = hash_value_from_listpack(build_listpack(build));
}

static bool build_has_room(const struct hash_build *build, struct slice field, struct slice value)
{
    return build->count < build->packed_max_count && field.length <= build->packed_max_length &&
           value.length <= build->packed_max_length &&
           field.length + value.length <= LISTPACK_MAX_BYTES - build->packed.length;
}

static void build_put(struct hash_build *build, struct slice text)
{
    struct listpack_element element = listpack_element_from(text);
    size_t bytes = listpack_element_bytes(element);
    listpack_put(buffer_reserve(&build->packed, bytes), element);
    build->packed.length += bytes;
}

/* Returns false when the field is there already. */
static bool build_add(struct hash_build *build, struct slice field, struct slice value)
{
    if (build->large == NULL && !build_has_room(build, field, value))
        build_convert(build);
    build->count++;
    if (build->large)
        return hash_value_set(build->large, field, value);
    build_put(build, field);
    build_put(build, value);
    return distinct_add(&build->fields, field);
}

/* Gives the record the hash. */
static void build_finish(struct rdb_reader *reader, struct hash_build *build)
{
    if (build->count == 0) {
        rdb_set_empty(reader);
    } else if (build->large) {
        rdb_set_object(reader, VALUE_HASH, ENCODING_HASHTABLE, build->large);
        build->large = NULL;
    } else {
        const char *listpack = build_listpack(build);
        struct blob *blob = blob_create(listpack_total_bytes(listpack));
        blob->length_bytes = blob->capacity_bytes;
        memcpy(blob->data, listpack, blob->length_bytes);
        struct slice bytes = {blob->data, blob->length_bytes};
        rdb_set_packed(reader, VALUE_HASH, ENCODING_LISTPACK, bytes, blob);
    }
}

static int fault_twice(struct rdb_reader *reader)
{
    return rdb_fault_value(reader, "a field occurs twice");
}

/* ---- fields and values ---- */

static int read_pair(struct rdb_reader *reader, struct hash_build *build)
{
    struct rdb_element field, value;
    int error = rdb_read_element(reader, &field);
    if (error)
        return error;
    /* Reading the value may move the window that the field is in. */
    build->field.length = 0;
    buffer_append(&build->field, field.bytes.data, field.bytes.length);
    rdb_element_done(reader, &field);
    error = rdb_read_element(reader, &value);
    if (error)
        return error;
    if (!build_add(build, (struct slice){build->field.data, build->field.length}, value.bytes))
        error = fault_twice(reader);
    rdb_element_done(reader, &value);
    return error;
}

static int read_plain(struct rdb_reader *reader, struct hash_build *build)
{
    uint64_t count;
    int error = rdb_read_length(reader, &count);
    if (error)
        return error;
    if (count > build->packed_max_count) {
        build_convert(build);
        hash_value_reserve(build->large, rdb_possible_count(reader, count));
    }
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = read_pair(reader, build);
    return error;
}

/* ---- listpacks ---- */

/* Are all elements stored as this server would store them, so that they are found again? */
static bool listpack_is_canonical(const char *listpack)
{
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at); at = listpack_next(at)) {
        struct listpack_element element = listpack_get(at);
        struct listpack_element own = listpack_element_from(listpack_text(element, scratch));
        if ((own.data == NULL) != (element.data == NULL) ||
            listpack_next(at) != at + listpack_element_bytes(element))
            return false;
    }
    return true;
}

static bool listpack_fields_differ(const char *listpack)
{
    struct distinct fields;
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    bool differ = true;
    distinct_init(&fields);
    for (const char *at = listpack_begin(listpack); differ && !listpack_is_end(at);
         at = listpack_next(listpack_next(at)))
        differ = distinct_add(&fields, listpack_text(listpack_get(at), scratch));
    distinct_free(&fields);
    return differ;
}

/* Add the pairs of a listpack or a ziplist; return false when a field occurs twice. */
static bool build_add_listpack(struct hash_build *build, const char *listpack)
{
    char field_scratch[LISTPACK_INTEGER_TEXT_BYTES], value_scratch[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at);) {
        struct slice field = listpack_text(listpack_get(at), field_scratch);
        at = listpack_next(at);
        if (!build_add(build, field, listpack_text(listpack_get(at), value_scratch)))
            return false;
        at = listpack_next(at);
    }
    return true;
}

static bool build_add_ziplist(struct hash_build *build, const char *ziplist)
{
    char field_scratch[LISTPACK_INTEGER_TEXT_BYTES], value_scratch[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = ziplist_begin(ziplist); !ziplist_is_end(at);) {
        struct slice field = listpack_text(ziplist_get(at), field_scratch);
        at = ziplist_next(at);
        if (!build_add(build, field, listpack_text(ziplist_get(at), value_scratch)))
            return false;
        at = ziplist_next(at);
    }
    return true;
}

/* Keeps a listpack as it is, when that is how this server would store the hash. */
static int take_listpack(struct rdb_reader *reader, struct hash_build *build, struct slice bytes,
                         struct blob **blob)
{
    size_t count;
    if (!listpack_validate(bytes.data, bytes.length, &count) || count % 2 != 0)
        return rdb_fault_value(reader, "the listpack is damaged");
    bool fits = count / 2 <= build->packed_max_count;
    if (count == 0 || !fits || !listpack_is_canonical(bytes.data))
        return build_add_listpack(build, bytes.data) ? 0 : fault_twice(reader);
    if (!listpack_fields_differ(bytes.data))
        return fault_twice(reader);
    rdb_set_packed(reader, VALUE_HASH, ENCODING_LISTPACK, bytes, *blob);
    *blob = NULL;
    return 0;
}

static int take_ziplist(struct rdb_reader *reader, struct hash_build *build, struct slice bytes)
{
    size_t count;
    if (!ziplist_validate(bytes.data, bytes.length, &count) || count % 2 != 0)
        return rdb_fault_value(reader, "the ziplist is damaged");
    build->packed_max_length = UINT64_MAX; /* as Redis: long values stay packed */
    return build_add_ziplist(build, bytes.data) ? 0 : fault_twice(reader);
}

/* ---- zipmaps ---- */

/* Reads a length of a zipmap; at is behind it then. */
static bool zipmap_length(const uint8_t **at, const uint8_t *end, uint32_t *length)
{
    if (*at >= end)
        return false;
    *length = *(*at)++;
    if (*length < 254)
        return true;
    if (*length > 254 || end - *at < 4)
        return false;
    memcpy(length, *at, sizeof(*length));
    *at += 4;
    return true;
}

/* Reads bytes of a zipmap with so many unused ones behind them. */
static bool zipmap_bytes(const uint8_t **at, const uint8_t *end, uint32_t length, uint8_t unused,
                         struct slice *bytes)
{
    if ((uint64_t)(end - *at) < (uint64_t)length + unused)
        return false;
    *bytes = (struct slice){(const char *)*at, length};
    *at += length + unused;
    return true;
}

static bool zipmap_pair(const uint8_t **at, const uint8_t *end, struct slice *field, struct slice *value)
{
    uint32_t length;
    if (!zipmap_length(at, end, &length) || !zipmap_bytes(at, end, length, 0, field) ||
        !zipmap_length(at, end, &length) || *at >= end)
        return false;
    uint8_t unused = *(*at)++;
    return zipmap_bytes(at, end, length, unused, value);
}

static int take_zipmap(struct rdb_reader *reader, struct hash_build *build, struct slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.data, *end = at + bytes.length - 1;
    if (bytes.length < 2 || *end != 0xff)
        return rdb_fault_value(reader, "the zipmap is damaged");
    uint8_t claimed = *at++;
    while (at < end) {
        struct slice field, value;
        if (!zipmap_pair(&at, end, &field, &value))
            return rdb_fault_value(reader, "the zipmap is damaged");
        if (!build_add(build, field, value))
            return fault_twice(reader);
    }
    if (claimed < 254 && claimed != build->count)
        return rdb_fault_value(reader, "the zipmap is damaged");
    return 0;
}

static int read_packed(struct rdb_reader *reader, struct hash_build *build)
{
    struct slice bytes;
    struct blob *blob;
    int error = rdb_read_packed(reader, &bytes, &blob);
    if (error)
        return error;
    switch (rdb_reader_record(reader)->type) {
    case RDB_TYPE_HASH_LISTPACK:
        error = take_listpack(reader, build, bytes, &blob);
        break;
    case RDB_TYPE_HASH_ZIPLIST:
        error = take_ziplist(reader, build, bytes);
        break;
    default:
        error = take_zipmap(reader, build, bytes);
    }
    if (blob)
        blob_release(blob);
    return error;
}

/* ---- any hash ---- */

static int skip_hash(struct rdb_reader *reader)
{
    uint64_t count;
    if (rdb_reader_record(reader)->type != RDB_TYPE_HASH)
        return rdb_skip_strings(reader, 1);
    int error = rdb_read_length(reader, &count);
    if (error == 0)
        error = rdb_skip_strings(reader, count);
    return error ? error : rdb_skip_strings(reader, count);
}

int rdb_read_hash(struct rdb_reader *reader)
{
    if (reader->structure_only)
        return skip_hash(reader);
    struct hash_build build;
    build_init(&build, reader->settings);
    bool plain = rdb_reader_record(reader)->type == RDB_TYPE_HASH;
    int error = plain ? read_plain(reader, &build) : read_packed(reader, &build);
    if (error == 0 && rdb_reader_record(reader)->string.form != RDB_FORM_VALUE)
        build_finish(reader, &build);
    build_free(&build);
    return error;
}
