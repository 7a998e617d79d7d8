/*
 * Sets in dumps: written as intsets (type 11) or members (type 2); read from those and from the listpacks of
 * newer servers (type 20). Members that occur twice, and intsets out of order, are refused.
 */
#include "persist/rdb_reader.h"
#include "persist/rdb_write.h"
#include "store/intset.h"
#include "store/packed.h"
#include "store/set_type.h"

/* ---- writing ---- */

uint8_t rdb_set_type(const struct entry *entry)
{
    return entry->encoding == ENCODING_INTSET ? RDB_TYPE_SET_INTSET : RDB_TYPE_SET;
}

static bool write_member(void *context, struct slice member)
{
    rdb_write_string(context, member);
    return true;
}

void rdb_write_set(struct rdb_writer *writer, const struct entry *entry)
{
    if (entry->encoding == ENCODING_INTSET) {
        rdb_write_string(writer, packed_view(entry));
        return;
    }
    struct set_view view = set_view_of(entry);
    rdb_write_length(writer->sink, set_count(view));
    set_visit(view, write_member, writer);
}

/* ---- reading ---- */

/* Gives the record what was read. */
static void finish_draft(struct rdb_reader *reader, struct set_draft *draft)
{
    if (set_count(set_draft_view(draft)) == 0) {
        set_draft_free(draft, NULL);
        rdb_set_empty(reader);
    } else if (draft->large) {
        rdb_set_object(reader, VALUE_SET, ENCODING_HASHTABLE, draft->large);
        draft->large = NULL;
    } else {
        struct blob *blob = blob_create(intset_total_bytes(draft->intset));
        blob->length_bytes = blob->capacity_bytes;
        memcpy(blob->data, draft->intset, blob->length_bytes);
        struct slice bytes = {blob->data, blob->length_bytes};
        rdb_set_packed(reader, VALUE_SET, ENCODING_INTSET, bytes, blob);
        set_draft_free(draft, NULL);
    }
}

static int read_members(struct rdb_reader *reader, struct set_draft *draft, uint64_t count)
{
    int error = 0;
    for (uint64_t i = 0; i < count && error == 0; i++) {
        struct rdb_element member;
        error = rdb_read_element(reader, &member);
        if (error)
            return error;
        if (!set_draft_add(draft, member.bytes))
            error = rdb_fault_value(reader, "a member occurs twice");
        rdb_element_done(reader, &member);
    }
    return error;
}

static int read_plain(struct rdb_reader *reader)
{
    uint64_t count;
    int error = rdb_read_length(reader, &count);
    if (error)
        return error;
    if (reader->structure_only)
        return rdb_skip_strings(reader, count);
    struct set_draft draft;
    set_draft_init(&draft, reader->settings);
    set_draft_reserve(&draft, rdb_possible_count(reader, count));
    error = read_members(reader, &draft, count);
    if (error)
        set_draft_free(&draft, NULL);
    else
        finish_draft(reader, &draft);
    return error;
}

static int take_intset(struct rdb_reader *reader, struct slice bytes, struct blob **blob)
{
    if (!intset_validate(bytes.data, bytes.length))
        return rdb_fault_value(reader, "the intset is damaged");
    if (intset_count(bytes.data) > (uint64_t)reader->settings->set_max_intset_entries) {
        rdb_set_object(reader, VALUE_SET, ENCODING_HASHTABLE, set_value_from_intset(bytes.data));
        return 0;
    }
    rdb_set_packed(reader, VALUE_SET, ENCODING_INTSET, bytes, *blob);
    *blob = NULL;
    return 0;
}

static int take_listpack(struct rdb_reader *reader, struct slice bytes)
{
    size_t count;
    if (!listpack_validate(bytes.data, bytes.length, &count))
        return rdb_fault_value(reader, "the listpack is damaged");
    struct set_draft draft;
    set_draft_init(&draft, reader->settings);
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = listpack_begin(bytes.data); !listpack_is_end(at); at = listpack_next(at)) {
        if (!set_draft_add(&draft, listpack_text(listpack_get(at), scratch))) {
            set_draft_free(&draft, NULL);
            return rdb_fault_value(reader, "a member occurs twice");
        }
    }
    finish_draft(reader, &draft);
    return 0;
}

int rdb_read_set(struct rdb_reader *reader)
{
    uint8_t type = rdb_reader_record(reader)->type;
    if (type == RDB_TYPE_SET)
        return read_plain(reader);
    struct slice bytes;
    struct blob *blob;
    int error = rdb_read_packed(reader, &bytes, &blob);
    if (error || bytes.data == NULL)
        return error;
    if (type == RDB_TYPE_SET_INTSET)
        error = take_intset(reader, bytes, &blob);
    else
        error = take_listpack(reader, bytes);
    if (blob)
        blob_release(blob);
    return error;
}
