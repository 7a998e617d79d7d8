/*
 * Streams in dumps: types 15, 19 and 21 are read, 19 and 21 written.
 *
 *   count of nodes; each node: string of 16 bytes (its identifier), string (a listpack: stream_node.h)
 *   count of entries; last identifier
 *   19, 21   first identifier; highest deleted identifier; count of entries ever added
 *   count of groups; each group: name; last identifier; 19, 21: entries read
 *     count of pending entries; each: 16 raw bytes (identifier), 8 raw bytes (time of delivery, ms), count of
 *     deliveries
 *     count of consumers; each: name; 8 raw bytes (time seen, ms); 21: 8 raw bytes (time active, ms); count
 *     of pending entries; each: 16 raw bytes (identifier)
 *
 * Counts and the numbers of other identifiers are lengths. Nothing is behind its neighbour: entries ascend,
 * within nodes and from one to the next, and so do pending entries and the names of groups and consumers;
 * every pending entry of a group belongs to exactly one of its consumers. Anything else is refused. What a
 * stream says of its past (deleted, ever added, read) is believed: nothing that keeps it whole depends on it.
 */
#include "base/check.h"
#include "persist/rdb_reader.h"
#include "persist/rdb_write.h"
#include "store/stream_value.h"

#include <errno.h>

enum {
    TIME_BYTES = 8,
    PART_MAX_BYTES = UINT32_MAX >> 1, /* of a name or node: Redis makes none of half that length */
};

/* ---- writing ---- */

uint8_t rdb_stream_type(const struct entry *entry)
{
    const struct stream_value *stream = entry_pointer(entry);
    return stream->keeps_active_times ? RDB_TYPE_STREAM_3 : RDB_TYPE_STREAM_2;
}

static void write_id(struct rdb_writer *writer, struct stream_id id)
{
    rdb_write_length(writer->sink, id.ms);
    rdb_write_length(writer->sink, id.sequence);
}

static void write_raw_id(struct rdb_writer *writer, struct stream_id id)
{
    char bytes[STREAM_ID_BYTES];
    stream_id_write(id, bytes);
    sink_write(writer->sink, bytes, sizeof(bytes));
}

static void write_time(struct rdb_writer *writer, int64_t time_ms)
{
    char bytes[TIME_BYTES];
    for (int i = 0; i < TIME_BYTES; i++)
        bytes[i] = (char)((uint64_t)time_ms >> (8 * i));
    sink_write(writer->sink, bytes, sizeof(bytes));
}

static void write_nodes(struct rdb_writer *writer, const struct id_tree *nodes)
{
    rdb_write_length(writer->sink, nodes->count);
    for (struct id_place at = id_tree_first(nodes); id_place_is_valid(at); at = id_place_next(at)) {
        const struct stream_block *block = *id_place_pointer(at);
        char master[STREAM_ID_BYTES];
        stream_id_write(id_place_id(at), master);
        rdb_write_string(writer, (struct slice){master, sizeof(master)});
        rdb_write_string(writer, (struct slice){block->listpack, listpack_total_bytes(block->listpack)});
    }
}

static void write_group_pending(struct rdb_writer *writer, const struct id_tree *pending)
{
    rdb_write_length(writer->sink, pending->count);
    for (struct id_place at = id_tree_first(pending); id_place_is_valid(at); at = id_place_next(at)) {
        const struct stream_pending *item = *id_place_pointer(at);
        write_raw_id(writer, id_place_id(at));
        write_time(writer, item->delivered_ms);
        rdb_write_length(writer->sink, item->deliveries);
    }
}

static void write_consumer(struct rdb_writer *writer, const struct stream_consumer *consumer,
                           bool has_active_time)
{
    const struct id_tree *pending = &consumer->pending;
    rdb_write_string(writer, stream_consumer_name(consumer));
    write_time(writer, consumer->seen_ms);
    if (has_active_time)
        write_time(writer, consumer->active_ms);
    rdb_write_length(writer->sink, pending->count);
    for (struct id_place at = id_tree_first(pending); id_place_is_valid(at); at = id_place_next(at))
        write_raw_id(writer, id_place_id(at));
}

static void write_group(struct rdb_writer *writer, const struct stream_group *group, bool has_active_times)
{
    size_t consumers = stream_consumer_count(group);
    rdb_write_string(writer, stream_group_name(group));
    write_id(writer, group->last);
    rdb_write_length(writer->sink, (uint64_t)group->entries_read);
    write_group_pending(writer, &group->pending);
    rdb_write_length(writer->sink, consumers);
    for (size_t i = 0; i < consumers; i++)
        write_consumer(writer, stream_consumer_at(group, i), has_active_times);
}

void rdb_write_stream(struct rdb_writer *writer, const struct entry *entry)
{
    const struct stream_value *stream = entry_pointer(entry);
    size_t groups = stream_group_count(&stream->groups);
    write_nodes(writer, &stream->nodes);
    rdb_write_length(writer->sink, stream->length);
    write_id(writer, stream->last);
    write_id(writer, stream->first);
    write_id(writer, stream->highest_deleted);
    rdb_write_length(writer->sink, stream->entries_added);
    rdb_write_length(writer->sink, groups);
    for (size_t i = 0; i < groups; i++)
        write_group(writer, stream_group_at(&stream->groups, i), stream->keeps_active_times);
}

/* ---- pieces ---- */

struct stream_reading {
    struct rdb_reader *reader;
    uint8_t type;
    struct stream_value *stream; /* NULL when only the structure matters */
    struct stream_id last;       /* of the entries so far; identifiers are greater than STREAM_ID_NONE */
};

static bool keeps(const struct stream_reading *reading)
{
    return reading->stream != NULL;
}

static int fault(struct stream_reading *reading, const char *what)
{
    return rdb_fault_value(reading->reader, what);
}

/* Reads a string and has it used, or passes over it when only the structure matters. */
static int read_string(struct stream_reading *reading,
                       int (*use)(struct stream_reading *reading, void *context, struct slice string),
                       void *context)
{
    if (!keeps(reading))
        return rdb_skip_strings(reading->reader, 1);
    struct rdb_element element;
    int error = rdb_read_element(reading->reader, &element);
    if (error)
        return error;
    error = element.bytes.length > PART_MAX_BYTES ? fault(reading, "a part is too long")
                                                  : use(reading, context, element.bytes);
    rdb_element_done(reading->reader, &element);
    return error;
}

static int read_id(struct stream_reading *reading, struct stream_id *id)
{
    int error = rdb_read_length(reading->reader, &id->ms);
    return error ? error : rdb_read_length(reading->reader, &id->sequence);
}

static int read_raw_id(struct stream_reading *reading, struct stream_id *id)
{
    char bytes[STREAM_ID_BYTES];
    int error = rdb_read_raw(reading->reader, bytes, sizeof(bytes));
    if (error == 0)
        *id = stream_id_read(bytes);
    return error;
}

static int read_time(struct stream_reading *reading, int64_t *time_ms)
{
    uint64_t time = 0;
    int error = rdb_read_little_endian(reading->reader, TIME_BYTES, &time);
    *time_ms = (int64_t)time;
    return error;
}

/* ---- nodes ---- */

/* Context: where the identifier goes. */
static int use_master(struct stream_reading *reading, void *context, struct slice string)
{
    struct stream_id *master = context;
    if (string.length != STREAM_ID_BYTES)
        return fault(reading, "the identifier of a node has not 16 bytes");
    *master = stream_id_read(string.data);
    return stream_id_is_less(reading->last, *master) ? 0 : fault(reading, "entries are not in order");
}

/* Flags change in place: they must not become shorter by that. */
static bool has_short_flags(const struct stream_entry *entry)
{
    enum { SMALL_INTEGER_BYTES = 2 };
    return listpack_next(entry->at) - entry->at == SMALL_INTEGER_BYTES;
}

/* Checks an entry and counts it. Returns what is wrong, or NULL. */
static const char *take_entry(struct stream_reading *reading, struct stream_id master,
                              const struct stream_entry *entry, uint64_t counts[2])
{
    if (stream_id_is_less(entry->id, master) || !stream_id_is_less(reading->last, entry->id))
        return "entries are not in order";
    if (!has_short_flags(entry))
        return "a node is damaged";
    reading->last = entry->id;
    if (!entry->is_deleted && reading->stream->length + counts[false] == 0)
        reading->stream->first = entry->id;
    counts[entry->is_deleted]++;
    return NULL;
}

/* Returns what is wrong with a node, or NULL. Trimming leaves nodes whose entries are all deleted, but none
 * without entries. */
static const char *check_node(struct stream_reading *reading, struct stream_id master, struct slice listpack,
                              uint64_t *live)
{
    struct stream_node node;
    struct stream_entry entry;
    enum stream_step step;
    size_t elements;
    uint64_t counts[2] = {0, 0}; /* live and deleted */
    const char *wrong = NULL;
    if (!listpack_validate(listpack.data, listpack.length, &elements))
        return "the listpack of a node is damaged";
    if (!stream_node_open(&node, listpack.data, master))
        return "a node is damaged";
    while (wrong == NULL && (step = stream_node_next(&node, &entry)) == STREAM_STEP_ENTRY)
        wrong = take_entry(reading, master, &entry, counts);
    if (wrong)
        return wrong;
    if (step == STREAM_STEP_DAMAGED || counts[false] != node.live || counts[true] != node.deleted)
        return "a node is damaged";
    *live = node.live;
    return node.live + node.deleted == 0 ? "a node has no entries" : NULL;
}

/* Context: the node's identifier. */
static int use_node(struct stream_reading *reading, void *context, struct slice listpack)
{
    const struct stream_id *master = context;
    uint64_t live;
    const char *wrong = check_node(reading, *master, listpack, &live);
    if (wrong)
        return fault(reading, wrong);
    if (stream_append_node(reading->stream, *master, listpack, live))
        return 0;
    fault(reading, "no memory for it");
    return -ENOMEM;
}

static int read_nodes(struct stream_reading *reading)
{
    uint64_t count;
    struct stream_id master;
    int error = rdb_read_length(reading->reader, &count);
    for (uint64_t i = 0; i < count && error == 0; i++) {
        error = read_string(reading, use_master, &master);
        if (error == 0)
            error = read_string(reading, use_node, &master);
    }
    return error;
}

/* What dumps of type 15 do not say is as Redis makes it up. */
static int read_past(struct stream_reading *reading, struct stream_value *past)
{
    past->first = STREAM_ID_MAX;
    past->highest_deleted = STREAM_ID_NONE;
    past->entries_added = past->length;
    if (reading->type == RDB_TYPE_STREAM)
        return 0;
    int error = read_id(reading, &past->first);
    if (error == 0)
        error = read_id(reading, &past->highest_deleted);
    return error ? error : rdb_read_length(reading->reader, &past->entries_added);
}

/* The first identifier is known already, unless there is none: then Redis shows what the dump says. */
static int read_totals(struct stream_reading *reading)
{
    struct stream_value said = {.length = 0}, *stream = reading->stream;
    int error = rdb_read_length(reading->reader, &said.length);
    if (error == 0)
        error = read_id(reading, &said.last);
    if (error == 0)
        error = read_past(reading, &said);
    if (error || !keeps(reading))
        return error;
    if (said.length != stream->length)
        return fault(reading, "the count of entries is wrong");
    if (stream_id_is_less(said.last, stream_last_live(stream)))
        return fault(reading, "the last identifier is not the last");
    stream_set_last(stream, said.last);
    stream->highest_deleted = said.highest_deleted;
    stream->entries_added = said.entries_added;
    if (stream->length == 0)
        stream->first = said.first;
    return 0;
}

/* ---- groups ---- */

static int read_pending_entry(struct stream_reading *reading, struct stream_group *group,
                              struct stream_id *previous)
{
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t deliveries;
    int error = read_raw_id(reading, &id);
    if (error == 0)
        error = read_time(reading, &delivered_ms);
    if (error == 0)
        error = rdb_read_length(reading->reader, &deliveries);
    if (error || !keeps(reading))
        return error;
    if (group->pending.count > 0 && !stream_id_is_less(*previous, id))
        return fault(reading, "pending entries are not in order");
    *previous = id;
    CHECK(stream_pending_create(group, NULL, id, delivered_ms, deliveries));
    return 0;
}

static int read_group_pending(struct stream_reading *reading, struct stream_group *group)
{
    uint64_t count;
    struct stream_id previous = STREAM_ID_NONE;
    int error = rdb_read_length(reading->reader, &count);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = read_pending_entry(reading, group, &previous);
    return error;
}

/* Gives a pending entry of the group to a consumer; false when it is not there or has one already. */
static bool give_pending(struct stream_group *group, struct stream_id id, struct stream_consumer *consumer)
{
    struct stream_pending *pending = stream_pending_find(group, id);
    if (pending == NULL || pending->consumer)
        return false;
    stream_pending_give(pending, id, consumer);
    return true;
}

static int read_consumer_pending(struct stream_reading *reading, struct stream_group *group,
                                 struct stream_consumer *consumer, uint64_t *owned)
{
    uint64_t count;
    int error = rdb_read_length(reading->reader, &count);
    for (uint64_t i = 0; i < count && error == 0; i++) {
        struct stream_id id;
        error = read_raw_id(reading, &id);
        if (error == 0 && keeps(reading) && !give_pending(group, id, consumer))
            error = fault(reading, "a pending entry of a consumer is not the group's, or another has it");
    }
    *owned += count;
    return error;
}

/* Names that come in order are appended to those that are there, however many. */
static int check_name(struct stream_reading *reading, struct slice previous, struct slice name)
{
    int order = slice_compare(previous, name);
    if (order == 0)
        return fault(reading, "a group or consumer occurs twice");
    return order < 0 ? 0 : fault(reading, "groups or consumers are not in order");
}

/* Context: the group. */
static int use_consumer_name(struct stream_reading *reading, void *context, struct slice name)
{
    struct stream_group *group = context;
    size_t count = stream_consumer_count(group);
    if (count > 0) {
        struct slice previous = stream_consumer_name(stream_consumer_at(group, count - 1));
        int error = check_name(reading, previous, name);
        if (error)
            return error;
    }
    CHECK(stream_consumer_create(group, name, 0));
    return 0;
}

static int read_consumer(struct stream_reading *reading, struct stream_group *group, uint64_t *owned)
{
    int64_t seen_ms, active_ms = -1; /* never */
    int error = read_string(reading, use_consumer_name, group);
    if (error == 0)
        error = read_time(reading, &seen_ms);
    if (error == 0 && reading->type == RDB_TYPE_STREAM_3)
        error = read_time(reading, &active_ms);
    if (error)
        return error;
    struct stream_consumer *consumer = NULL;
    if (keeps(reading)) {
        consumer = stream_consumer_at(group, stream_consumer_count(group) - 1);
        consumer->seen_ms = seen_ms;
        consumer->active_ms = active_ms;
    }
    return read_consumer_pending(reading, group, consumer, owned);
}

static int read_consumers(struct stream_reading *reading, struct stream_group *group)
{
    uint64_t count, owned = 0;
    int error = rdb_read_length(reading->reader, &count);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = read_consumer(reading, group, &owned);
    if (error == 0 && keeps(reading) && owned != group->pending.count)
        error = fault(reading, "a pending entry has no consumer");
    return error;
}

static int use_group_name(struct stream_reading *reading, void *context, struct slice name)
{
    struct stream_groups *groups = context;
    size_t count = stream_group_count(groups);
    if (count > 0) {
        int error = check_name(reading, stream_group_name(stream_group_at(groups, count - 1)), name);
        if (error)
            return error;
    }
    CHECK(stream_group_create(groups, name, STREAM_ID_NONE, ENTRIES_READ_UNKNOWN));
    return 0;
}

static int read_group(struct stream_reading *reading)
{
    struct stream_groups *groups = keeps(reading) ? &reading->stream->groups : NULL;
    struct stream_group *group = NULL;
    struct stream_id last;
    uint64_t entries_read = 0;
    int error = read_string(reading, use_group_name, groups);
    if (error == 0)
        error = read_id(reading, &last);
    if (error == 0 && reading->type != RDB_TYPE_STREAM)
        error = rdb_read_length(reading->reader, &entries_read);
    if (error)
        return error;
    if (keeps(reading)) {
        group = stream_group_at(groups, stream_group_count(groups) - 1);
        group->last = last;
        group->entries_read = reading->type == RDB_TYPE_STREAM ? stream_estimate_read(reading->stream, last)
                                                               : (int64_t)entries_read;
    }
    error = read_group_pending(reading, group);
    return error ? error : read_consumers(reading, group);
}

static int read_groups(struct stream_reading *reading)
{
    uint64_t count;
    int error = rdb_read_length(reading->reader, &count);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = read_group(reading);
    return error;
}

/* ---- the whole ---- */

int rdb_read_stream(struct rdb_reader *reader)
{
    struct stream_reading reading = {.reader = reader, .type = rdb_reader_record(reader)->type};
    if (!reader->structure_only) {
        reading.stream = stream_value_create();
        reading.stream->keeps_active_times = reading.type == RDB_TYPE_STREAM_3;
    }
    int error = read_nodes(&reading);
    if (error == 0)
        error = read_totals(&reading);
    if (error == 0)
        error = read_groups(&reading);
    if (!keeps(&reading))
        return error;
    if (error)
        stream_value_free(reading.stream, NULL);
    else
        rdb_set_object(reader, VALUE_STREAM, ENCODING_STREAM, reading.stream);
    return error;
}
