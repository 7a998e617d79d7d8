/* What the readers of all collections share. See rdb_reader.h. */
#include "rdb_reader.h"

int rdb_read_element(struct rdb_reader *reader, struct rdb_element *element)
{
    element->scratch_mark = reader->scratch_used;
    element->blob = NULL;
    return rdb_read_name(reader, &element->bytes, &element->blob);
}

void rdb_element_done(struct rdb_reader *reader, struct rdb_element *element)
{
    if (element->blob)
        blob_release(element->blob);
    element->blob = NULL;
    reader->scratch_used = element->scratch_mark;
}

uint64_t rdb_possible_count(const struct rdb_reader *reader, uint64_t count)
{
    enum { MEMBER_BYTES = 4 }; /* shorter ones are rare, and a table grows by itself */
    uint64_t possible = source_left(reader->source) / MEMBER_BYTES;
    return count < possible ? count : possible;
}

int rdb_skip_strings(struct rdb_reader *reader, uint64_t count)
{
    int error = 0;
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = rdb_skip_string(reader);
    return error;
}

int rdb_read_packed(struct rdb_reader *reader, struct slice *bytes, struct blob **blob)
{
    *bytes = (struct slice){NULL, 0};
    *blob = NULL;
    if (reader->structure_only)
        return rdb_skip_strings(reader, 1);
    return rdb_read_name(reader, bytes, blob);
}

int rdb_fault_value(struct rdb_reader *reader, const char *what)
{
    const struct rdb_record *record = rdb_reader_record(reader);
    char text[RDB_KEY_TEXT_BYTES];
    return rdb_fault(reader->error, record->offset, "key \"%s\", %s: %s",
                     rdb_printable_text(record->key, text), rdb_type_name(record->type), what);
}

static struct rdb_value *record_value(struct rdb_reader *reader, enum value_type type,
                                      enum value_encoding encoding)
{
    struct rdb_record *record = rdb_reader_record(reader);
    record->string.form = RDB_FORM_VALUE;
    record->value = (struct rdb_value){.type = type, .encoding = encoding};
    return &record->value;
}

void rdb_set_packed(struct rdb_reader *reader, enum value_type type, enum value_encoding encoding,
                    struct slice bytes, struct blob *blob)
{
    struct rdb_value *value = record_value(reader, type, encoding);
    value->packed = bytes;
    value->blob = blob;
}

void rdb_set_object(struct rdb_reader *reader, enum value_type type, enum value_encoding encoding,
                    void *object)
{
    record_value(reader, type, encoding)->object = object;
}

void rdb_set_empty(struct rdb_reader *reader)
{
    rdb_reader_record(reader)->string.form = RDB_FORM_EMPTY;
}
