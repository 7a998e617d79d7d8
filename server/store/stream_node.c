/* The nodes of streams. See stream_node.h. Any thread. */
#include "stream_node.h"

#include <string.h>

enum { FLAG_DELETED = 1, FLAG_SAME_FIELDS = 2 };

enum {
    ENTRY_HEAD_ELEMENTS = 3, /* flags and the two differences */
};

/* Reads an integer and moves on; false at the end and for strings. */
static bool take_integer(const char **at, int64_t *integer)
{
    if (listpack_is_end(*at))
        return false;
    struct listpack_element element = listpack_get(*at);
    if (element.data)
        return false;
    *integer = element.integer;
    *at = listpack_next(*at);
    return true;
}

static bool take_count(const char **at, uint64_t *count)
{
    int64_t integer;
    if (!take_integer(at, &integer) || integer < 0)
        return false;
    *count = (uint64_t)integer;
    return true;
}

/* Passes over so many elements; false when there are fewer. */
static bool take_elements(const char **at, uint64_t count)
{
    for (; count > 0 && !listpack_is_end(*at); count--)
        *at = listpack_next(*at);
    return count == 0;
}

bool stream_node_open(struct stream_node *node, const char *listpack, struct stream_id master)
{
    const char *at = listpack_begin(listpack);
    uint64_t terminator;
    *node = (struct stream_node){.master = master};
    if (!take_count(&at, &node->live) || !take_count(&at, &node->deleted) ||
        !take_count(&at, &node->master_count))
        return false;
    node->master_fields = at;
    if (!take_elements(&at, node->master_count) || !take_count(&at, &terminator) || terminator != 0)
        return false;
    node->at = at;
    return true;
}

/* Takes the fields; *elements is how many elements the entry has then. */
static bool take_fields(const struct stream_node *node, const char **at, struct stream_entry *entry,
                        uint64_t *elements)
{
    if (entry->has_same_fields) {
        entry->field_count = node->master_count;
        entry->fields = node->master_fields;
        entry->values = *at;
        *elements = ENTRY_HEAD_ELEMENTS + entry->field_count;
        return take_elements(at, entry->field_count);
    }
    if (!take_count(at, &entry->field_count) || entry->field_count > UINT32_MAX)
        return false;
    entry->values = *at;
    *elements = ENTRY_HEAD_ELEMENTS + 1 + 2 * entry->field_count;
    return take_elements(at, 2 * entry->field_count);
}

enum stream_step stream_node_next(struct stream_node *node, struct stream_entry *entry)
{
    if (listpack_is_end(node->at))
        return STREAM_STEP_END;
    const char *at = node->at;
    int64_t flags, ms, sequence;
    uint64_t elements, claimed;
    *entry = (struct stream_entry){.at = node->at};
    if (!take_integer(&at, &flags) || (flags & ~(FLAG_DELETED | FLAG_SAME_FIELDS)) ||
        !take_integer(&at, &ms) || !take_integer(&at, &sequence))
        return STREAM_STEP_DAMAGED;
    entry->is_deleted = flags & FLAG_DELETED;
    entry->has_same_fields = flags & FLAG_SAME_FIELDS;
    entry->id.ms = node->master.ms + (uint64_t)ms;
    entry->id.sequence = node->master.sequence + (uint64_t)sequence;
    if (!take_fields(node, &at, entry, &elements) || !take_count(&at, &claimed) || claimed != elements)
        return STREAM_STEP_DAMAGED;
    node->at = at;
    return STREAM_STEP_ENTRY;
}

void stream_node_seek_end(struct stream_node *node, const char *listpack)
{
    node->at = listpack_end(listpack);
}

/* The element in front of an entry counts those of the one before; 0 ends the master entry. */
bool stream_node_previous(struct stream_node *node, struct stream_entry *entry)
{
    const char *at = listpack_previous(node->at);
    int64_t elements = listpack_get(at).integer;
    if (elements == 0)
        return false;
    for (; elements > 0; elements--)
        at = listpack_previous(at);
    struct stream_node forward = *node;
    forward.at = node->at = at;
    return stream_node_next(&forward, entry) == STREAM_STEP_ENTRY;
}

void stream_entry_next(struct stream_entry *entry, struct listpack_element *field,
                       struct listpack_element *value)
{
    const char **fields = entry->has_same_fields ? &entry->fields : &entry->values;
    *field = listpack_get(*fields);
    *fields = listpack_next(*fields);
    *value = listpack_get(entry->values);
    entry->values = listpack_next(entry->values);
}

/* ---- changing ---- */

static size_t integer_bytes(int64_t integer)
{
    return listpack_element_bytes(listpack_element_from_integer(integer));
}

static char *put_integer(char *at, int64_t integer)
{
    return listpack_put(at, listpack_element_from_integer(integer));
}

static size_t text_bytes(struct slice text)
{
    return listpack_element_bytes(listpack_element_from(text));
}

static char *put_text(char *at, struct slice text)
{
    return listpack_put(at, listpack_element_from(text));
}

/* Puts an integer in the place of an element; what is behind moves when it is longer or shorter. Returns the
 * position behind it. */
static char *replace_integer(char *listpack, char *at, int64_t integer)
{
    size_t total_bytes = listpack_total_bytes(listpack);
    const char *rest = listpack_next(at);
    size_t rest_bytes = (size_t)(listpack + total_bytes - rest);
    size_t old_bytes = (size_t)(rest - at), new_bytes = integer_bytes(integer);
    if (new_bytes != old_bytes) {
        memmove(at + new_bytes, rest, rest_bytes);
        listpack_adjust(listpack, total_bytes - old_bytes + new_bytes, 0);
    }
    return put_integer(at, integer);
}

void stream_node_set_counts(char *listpack, uint64_t live, uint64_t deleted)
{
    char *at = replace_integer(listpack, listpack + LISTPACK_HEADER_BYTES, (int64_t)live);
    replace_integer(listpack, at, (int64_t)deleted);
}

void stream_node_mark_deleted(char *listpack, const struct stream_entry *entry)
{
    char *at = listpack + (entry->at - listpack);
    replace_integer(listpack, at, FLAG_DELETED | (entry->has_same_fields ? FLAG_SAME_FIELDS : 0));
}

size_t stream_node_begin_bytes(const struct slice *fields, uint32_t count)
{
    size_t bytes = LISTPACK_EMPTY_BYTES + 2 * integer_bytes(0) + integer_bytes(count) + integer_bytes(0);
    for (uint32_t i = 0; i < count; i++)
        bytes += text_bytes(fields[2 * i]);
    return bytes;
}

void stream_node_begin(char *listpack, const struct slice *fields, uint32_t count)
{
    enum { COUNTS_AND_END = 4 };
    char *at = put_integer(listpack + LISTPACK_HEADER_BYTES, 0);
    at = put_integer(at, 0);
    at = put_integer(at, count);
    for (uint32_t i = 0; i < count; i++)
        at = put_text(at, fields[2 * i]);
    at = put_integer(at, 0);
    *at++ = (char)LISTPACK_END;
    listpack_init_header(listpack, (size_t)(at - listpack), (size_t)count + COUNTS_AND_END);
}

static bool has_master_fields(const struct stream_node *node, const struct slice *fields, uint32_t count)
{
    if (node->master_count != count)
        return false;
    const char *at = node->master_fields;
    for (uint32_t i = 0; i < count; i++, at = listpack_next(at)) {
        struct listpack_element field = listpack_element_from(fields[2 * i]);
        if (!listpack_is_equal(at, &field))
            return false;
    }
    return true;
}

static uint64_t entry_elements(bool same, uint32_t count)
{
    return same ? ENTRY_HEAD_ELEMENTS + (uint64_t)count : ENTRY_HEAD_ELEMENTS + 1 + 2 * (uint64_t)count;
}

size_t stream_node_entry_bytes(const struct stream_node *node, struct stream_id id,
                               const struct slice *fields, uint32_t count)
{
    bool same = has_master_fields(node, fields, count);
    size_t bytes = integer_bytes(0) + integer_bytes((int64_t)(id.ms - node->master.ms)) +
                   integer_bytes((int64_t)(id.sequence - node->master.sequence)) +
                   integer_bytes((int64_t)entry_elements(same, count));
    if (!same)
        bytes += integer_bytes(count);
    for (uint32_t i = 0; i < count; i++)
        bytes += text_bytes(fields[2 * i + 1]) + (same ? 0 : text_bytes(fields[2 * i]));
    return bytes;
}

void stream_node_append(char *listpack, const struct stream_node *node, struct stream_id id,
                        const struct slice *fields, uint32_t count)
{
    bool same = has_master_fields(node, fields, count);
    uint64_t elements = entry_elements(same, count);
    char *at = listpack + listpack_total_bytes(listpack) - 1;
    at = put_integer(at, same ? FLAG_SAME_FIELDS : 0);
    at = put_integer(at, (int64_t)(id.ms - node->master.ms));
    at = put_integer(at, (int64_t)(id.sequence - node->master.sequence));
    if (!same)
        at = put_integer(at, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!same)
            at = put_text(at, fields[2 * i]);
        at = put_text(at, fields[2 * i + 1]);
    }
    at = put_integer(at, (int64_t)elements);
    *at++ = (char)LISTPACK_END;
    listpack_adjust(listpack, (size_t)(at - listpack), (int64_t)elements + 1);
    stream_node_set_counts(listpack, node->live + 1, node->deleted);
}
