/* Walking the nodes of streams. See stream_node.h. Any thread. */
#include "stream_node.h"

enum { FLAG_DELETED = 1, FLAG_SAME_FIELDS = 2 };

enum {
    ENTRY_HEAD_ELEMENTS = 3, /* flags and the two differences */
};

struct stream_id stream_id_read(const char bytes[STREAM_ID_BYTES])
{
    uint64_t ms, sequence;
    __builtin_memcpy(&ms, bytes, sizeof(ms));
    __builtin_memcpy(&sequence, bytes + sizeof(ms), sizeof(sequence));
    return (struct stream_id){__builtin_bswap64(ms), __builtin_bswap64(sequence)};
}

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
    *entry = (struct stream_entry){.field_count = 0};
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

void stream_entry_next(struct stream_entry *entry, struct listpack_element *field,
                       struct listpack_element *value)
{
    const char **fields = entry->has_same_fields ? &entry->fields : &entry->values;
    *field = listpack_get(*fields);
    *fields = listpack_next(*fields);
    *value = listpack_get(entry->values);
    entry->values = listpack_next(entry->values);
}
