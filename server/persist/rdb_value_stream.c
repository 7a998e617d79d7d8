/*
 * Streams in dumps: no command reads them yet, so they are kept as the items that they are made of
 * (kept_value.h), in the layout in which they came (types 15, 19 and 21), and written back the same.
 *
 *   count of nodes; each node: string of 16 bytes (its identifier), string (a listpack: stream_node.h)
 *   count of entries; last identifier
 *   19, 21   first identifier; highest deleted identifier; count of entries ever added
 *   count of groups; each group: name; last identifier; 19, 21: entries read
 *     count of pending entries; each: 16 raw bytes (identifier), 8 raw bytes (time of delivery, ms), count of
 *     deliveries
 *     count of consumers; each: name; 8 raw bytes (time seen, ms); 21: 8 raw bytes (time active, ms); count
 * of pending entries; each: 16 raw bytes (identifier)
 *
 * Counts and the numbers of other identifiers are lengths. Entries ascend, within nodes and from one to the
 * next, and so do pending entries; every pending entry of a group belongs to exactly one of its consumers.
 * Anything else is refused.
 */
#include "persist/distinct.h"
#include "persist/rdb_reader.h"
#include "persist/rdb_write.h"
#include "protocol/buffer.h"
#include "store/kept_value.h"
#include "store/stream_node.h"

#include <errno.h>

enum { TIME_BYTES = 8 };

/* ---- writing ---- */

uint8_t rdb_stream_type(const struct entry *entry)
{
    return kept_form(entry);
}

void rdb_write_stream(struct rdb_writer *writer, const struct entry *entry)
{
    struct slice items = kept_items(entry);
    struct kept_item item;
    while (kept_next(&items, &item)) {
        switch (item.kind) {
        case KEPT_NUMBER:
            rdb_write_length(writer->sink, item.number);
            break;
        case KEPT_STRING:
            rdb_write_string(writer, item.bytes);
            break;
        case KEPT_RAW:
            sink_write(writer->sink, item.bytes.data, item.bytes.length);
            break;
        }
    }
}

/* ---- items ---- */

struct stream_reading {
    struct rdb_reader *reader;
    uint8_t type;
    struct buffer items; /* what is kept; unused when only the structure matters */
    uint64_t live;       /* entries that are not deleted */
    bool has_entries;
    struct stream_id last;  /* of the last entry */
    struct buffer pending;  /* identifiers of the current group, STREAM_ID_BYTES each */
    struct buffer is_owned; /* for each of them a byte: a consumer has it */
};

static bool keeps(const struct stream_reading *reading)
{
    return !reading->reader->structure_only;
}

static int fault(struct stream_reading *reading, const char *what)
{
    return rdb_fault_value(reading->reader, what);
}

static int take_number(struct stream_reading *reading, uint64_t *number)
{
    int error = rdb_read_length(reading->reader, number);
    if (error == 0 && keeps(reading))
        kept_append_number(&reading->items, *number);
    return error;
}

static int take_raw(struct stream_reading *reading, char *bytes, size_t length)
{
    int error = rdb_read_raw(reading->reader, bytes, length);
    if (error == 0 && keeps(reading))
        kept_append_raw(&reading->items, (struct slice){bytes, length});
    return error;
}

/* Check looks at the string before it is kept, and returns what is wrong with it, or NULL. */
static int take_string(struct stream_reading *reading,
                       const char *(*check)(void *context, struct slice string), void *context)
{
    if (!keeps(reading))
        return rdb_skip_strings(reading->reader, 1);
    struct rdb_element element;
    int error = rdb_read_element(reading->reader, &element);
    if (error)
        return error;
    const char *wrong =
        element.bytes.length > KEPT_STRING_MAX_BYTES ? "a part is too long" : check(context, element.bytes);
    if (wrong)
        error = fault(reading, wrong);
    else
        kept_append_string(&reading->items, element.bytes);
    rdb_element_done(reading->reader, &element);
    return error;
}

static int take_id(struct stream_reading *reading, struct stream_id *id)
{
    int error = take_number(reading, &id->ms);
    return error ? error : take_number(reading, &id->sequence);
}

static int take_numbers(struct stream_reading *reading, int count)
{
    uint64_t ignored;
    int error = 0;
    for (int i = 0; i < count && error == 0; i++)
        error = take_number(reading, &ignored);
    return error;
}

/* ---- nodes ---- */

struct node_check {
    struct stream_reading *reading;
    struct stream_id master;
};

static const char *check_master(void *context, struct slice string)
{
    struct node_check *check = context;
    const struct stream_reading *reading = check->reading;
    if (string.length != STREAM_ID_BYTES)
        return "the identifier of a node has not 16 bytes";
    check->master = stream_id_read(string.data);
    return reading->has_entries && !stream_id_is_less(reading->last, check->master)
               ? "entries are not in order"
               : NULL;
}

/* Counts an entry; false when it is not behind the ones before. */
static bool note_entry(struct stream_reading *reading, struct stream_id id)
{
    bool is_in_order = !reading->has_entries || stream_id_is_less(reading->last, id);
    reading->has_entries = true;
    reading->last = id;
    return is_in_order;
}

static const char *check_node(void *context, struct slice listpack)
{
    const struct node_check *check = context;
    struct stream_node node;
    struct stream_entry entry;
    enum stream_step step;
    size_t elements;
    uint64_t counts[2] = {0, 0}; /* live and deleted */
    if (!listpack_validate(listpack.data, listpack.length, &elements))
        return "the listpack of a node is damaged";
    if (!stream_node_open(&node, listpack.data, check->master))
        return "a node is damaged";
    while ((step = stream_node_next(&node, &entry)) == STREAM_STEP_ENTRY) {
        if (stream_id_is_less(entry.id, check->master) || !note_entry(check->reading, entry.id))
            return "entries are not in order";
        counts[entry.is_deleted]++;
    }
    if (step == STREAM_STEP_DAMAGED || counts[0] != node.live || counts[1] != node.deleted)
        return "a node is damaged";
    check->reading->live += counts[0];
    return NULL;
}

static int take_nodes(struct stream_reading *reading)
{
    uint64_t count;
    int error = take_number(reading, &count);
    for (uint64_t i = 0; i < count && error == 0; i++) {
        struct node_check check = {.reading = reading};
        error = take_string(reading, check_master, &check);
        if (error == 0)
            error = take_string(reading, check_node, &check);
    }
    return error;
}

static int take_totals(struct stream_reading *reading)
{
    uint64_t count;
    struct stream_id last;
    int error = take_number(reading, &count);
    if (error == 0)
        error = take_id(reading, &last);
    if (error == 0 && keeps(reading) && count != reading->live)
        error = fault(reading, "the count of entries is wrong");
    if (error == 0 && keeps(reading) && reading->has_entries && stream_id_is_less(last, reading->last))
        error = fault(reading, "the last identifier is not the last");
    if (error == 0 && reading->type != RDB_TYPE_STREAM)
        error = take_numbers(reading, 2 + 2 + 1); /* first and highest deleted identifier, entries added */
    return error;
}

/* ---- groups ---- */

static size_t pending_count(const struct stream_reading *reading)
{
    return reading->pending.length / STREAM_ID_BYTES;
}

static int take_pending_entry(struct stream_reading *reading)
{
    char id[STREAM_ID_BYTES], delivered[TIME_BYTES];
    uint64_t deliveries;
    int error = take_raw(reading, id, sizeof(id));
    if (error == 0)
        error = take_raw(reading, delivered, sizeof(delivered));
    if (error == 0)
        error = take_number(reading, &deliveries);
    if (error || !keeps(reading))
        return error;
    struct buffer *pending = &reading->pending;
    if (pending->length > 0 &&
        memcmp(pending->data + pending->length - STREAM_ID_BYTES, id, STREAM_ID_BYTES) >= 0)
        return fault(reading, "pending entries are not in order");
    buffer_append(pending, id, STREAM_ID_BYTES);
    buffer_append(&reading->is_owned, "", 1);
    return 0;
}

static int take_group_pending(struct stream_reading *reading)
{
    uint64_t count;
    reading->pending.length = 0;
    reading->is_owned.length = 0;
    int error = take_number(reading, &count);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = take_pending_entry(reading);
    return error;
}

/* Gives a pending entry of the group to a consumer; false when it is not there or has one already. */
static bool own_pending(struct stream_reading *reading, const char id[STREAM_ID_BYTES])
{
    size_t low = 0, high = pending_count(reading);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(reading->pending.data + middle * STREAM_ID_BYTES, id, STREAM_ID_BYTES);
        if (order == 0) {
            bool is_free = !reading->is_owned.data[middle];
            reading->is_owned.data[middle] = true;
            return is_free;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int take_consumer_pending(struct stream_reading *reading, uint64_t *owned)
{
    uint64_t count;
    int error = take_number(reading, &count);
    for (uint64_t i = 0; i < count && error == 0; i++) {
        char id[STREAM_ID_BYTES];
        error = take_raw(reading, id, sizeof(id));
        if (error == 0 && keeps(reading) && !own_pending(reading, id))
            error = fault(reading, "a pending entry of a consumer is not the group's, or another has it");
    }
    *owned += count;
    return error;
}

static const char *check_name(void *context, struct slice name)
{
    return distinct_add(context, name) ? NULL : "a group or consumer occurs twice";
}

static int take_consumer(struct stream_reading *reading, struct distinct *names, uint64_t *owned)
{
    char time[TIME_BYTES];
    int error = take_string(reading, check_name, names);
    if (error == 0)
        error = take_raw(reading, time, sizeof(time));
    if (error == 0 && reading->type == RDB_TYPE_STREAM_3)
        error = take_raw(reading, time, sizeof(time));
    return error ? error : take_consumer_pending(reading, owned);
}

static int take_consumers(struct stream_reading *reading)
{
    struct distinct names;
    uint64_t count, owned = 0;
    int error = take_number(reading, &count);
    distinct_init(&names);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = take_consumer(reading, &names, &owned);
    distinct_free(&names);
    if (error == 0 && keeps(reading) && owned != pending_count(reading))
        error = fault(reading, "a pending entry has no consumer");
    return error;
}

static int take_group(struct stream_reading *reading, struct distinct *names)
{
    struct stream_id last;
    int error = take_string(reading, check_name, names);
    if (error == 0)
        error = take_id(reading, &last);
    if (error == 0 && reading->type != RDB_TYPE_STREAM)
        error = take_numbers(reading, 1); /* entries read */
    if (error == 0)
        error = take_group_pending(reading);
    return error ? error : take_consumers(reading);
}

static int take_groups(struct stream_reading *reading)
{
    struct distinct names;
    uint64_t count;
    int error = take_number(reading, &count);
    distinct_init(&names);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = take_group(reading, &names);
    distinct_free(&names);
    return error;
}

/* ---- the whole ---- */

/* Gives the record what was read. */
static int finish(struct stream_reading *reading)
{
    struct slice items = {reading->items.data, reading->items.length};
    struct blob *blob = blob_try_create(items.length);
    if (blob == NULL) {
        fault(reading, "no memory for it");
        return -ENOMEM;
    }
    memcpy(blob->data, items.data, items.length);
    blob->length_bytes = items.length;
    rdb_set_packed(reading->reader, VALUE_STREAM, ENCODING_STREAM, (struct slice){blob->data, items.length},
                   blob);
    return 0;
}

int rdb_read_stream(struct rdb_reader *reader)
{
    struct stream_reading reading = {.reader = reader, .type = rdb_reader_record(reader)->type};
    kept_begin(&reading.items, reading.type);
    int error = take_nodes(&reading);
    if (error == 0)
        error = take_totals(&reading);
    if (error == 0)
        error = take_groups(&reading);
    if (error == 0 && keeps(&reading))
        error = finish(&reading);
    buffer_free(&reading.items);
    buffer_free(&reading.pending);
    buffer_free(&reading.is_owned);
    return error;
}
