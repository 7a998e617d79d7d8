/* Streams: nodes in a tree, and what is done to their entries. See stream_value.h. Main thread only. */
#include "store/stream_value.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/radix_count.h"

#include <string.h>

enum {
    /* Streams with more nodes, groups, consumers and pending entries are freed in slices, so many at a time.
     */
    FREE_AT_ONCE_MAX = 512,
    FREE_STEP = 64,
    /* A block that has to grow gets half of what it has as room, but hardly more than a node may fill. */
    BLOCK_MIN_BYTES = 64,
    BLOCK_ROOM_MAX_BYTES = 4096,
};

/* ---- blocks ---- */

static size_t block_bytes(size_t capacity)
{
    return sizeof(struct stream_block) + capacity;
}

static struct stream_block *block_of(struct id_place place)
{
    return *id_place_pointer(place);
}

static void block_free(struct stream_value *stream, struct stream_block *block)
{
    size_t bytes = block_bytes(block->capacity_bytes);
    stream->node_bytes -= mem_round(bytes);
    mem_free(block, bytes);
}

/* Gives a block another capacity. Returns it as it is then. */
static struct stream_block *block_resize(struct stream_value *stream, struct stream_block *block,
                                         size_t capacity)
{
    size_t old_bytes = block_bytes(block->capacity_bytes), new_bytes = block_bytes(capacity);
    stream->node_bytes += mem_round(new_bytes) - mem_round(old_bytes);
    block = mem_resize(block, old_bytes, new_bytes);
    block->capacity_bytes = (uint32_t)capacity;
    return block;
}

static struct stream_block *block_create(struct stream_value *stream, size_t capacity)
{
    struct stream_block *block = mem_alloc(block_bytes(capacity));
    block->capacity_bytes = (uint32_t)capacity;
    stream->node_bytes += mem_round(block_bytes(capacity));
    return block;
}

/* Room for so many bytes more, and for counts that become longer. */
static struct stream_block *block_reserve(struct stream_value *stream, struct stream_block *block,
                                          size_t more)
{
    size_t used = listpack_total_bytes(block->listpack);
    size_t needed = used + more + STREAM_NODE_SLACK_BYTES;
    if (needed <= block->capacity_bytes)
        return block;
    size_t room = needed / 2 < BLOCK_ROOM_MAX_BYTES ? needed / 2 : BLOCK_ROOM_MAX_BYTES;
    return block_resize(stream, block, needed + (more ? room : 0));
}

static struct stream_node node_open(const struct stream_block *block, struct stream_id master)
{
    struct stream_node node;
    CHECK(stream_node_open(&node, block->listpack, master));
    return node;
}

/* Sets a node's counts and the block, which may have moved. */
static void node_set_counts(struct stream_value *stream, struct id_place place, uint64_t live,
                            uint64_t deleted)
{
    struct stream_block *block = block_reserve(stream, block_of(place), 0);
    *id_place_pointer(place) = block;
    stream_node_set_counts(block->listpack, live, deleted);
}

static void node_insert(struct stream_value *stream, struct stream_id id, struct stream_block *block)
{
    stream->radix_nodes += radix_count_added(&stream->nodes, id);
    CHECK(id_tree_insert(&stream->nodes, id, block));
}

static void node_remove(struct stream_value *stream, struct id_place place)
{
    struct stream_id id = id_place_id(place);
    struct stream_block *block = id_tree_remove(&stream->nodes, id);
    stream->radix_nodes -= radix_count_added(&stream->nodes, id);
    block_free(stream, block);
}

/* ---- life ---- */

struct stream_value *stream_value_create(void)
{
    struct stream_value *stream = mem_alloc_zero(sizeof(*stream));
    id_tree_init(&stream->nodes);
    return stream;
}

struct stream_drain {
    struct stream_value *stream;
    struct stream_group *group; /* detached, being freed */
};

static void drain_nodes(struct stream_value *stream, uint64_t *freed)
{
    for (int i = 0; i < FREE_STEP && stream->nodes.count; i++) {
        struct id_place place = id_tree_first(&stream->nodes);
        *freed += node_open(block_of(place), id_place_id(place)).live;
        block_free(stream, id_tree_remove(&stream->nodes, id_place_id(place)));
    }
}

static void drain_group(struct stream_drain *drain)
{
    struct stream_groups *groups = &drain->stream->groups;
    uint64_t pending = 0;
    if (drain->group == NULL) {
        drain->group = stream_group_at(groups, stream_group_count(groups) - 1);
        stream_group_detach(groups, drain->group);
    }
    if (!stream_group_drain(drain->group, FREE_STEP, &pending))
        drain->group = NULL;
}

/* First the nodes, then the groups, one by one. */
static bool drain_step(void *state, uint64_t *freed)
{
    struct stream_drain *drain = state;
    struct stream_value *stream = drain->stream;
    *freed = 0;
    if (stream->nodes.count) {
        drain_nodes(stream, freed);
        return true;
    }
    if (drain->group || stream_group_count(&stream->groups)) {
        drain_group(drain);
        return true;
    }
    mem_free(stream, sizeof(*stream));
    mem_free(drain, sizeof(*drain));
    return false;
}

static bool is_large(const struct stream_value *stream)
{
    uint64_t items = stream->nodes.count;
    for (size_t i = 0; i < stream_group_count(&stream->groups); i++) {
        const struct stream_group *group = stream_group_at(&stream->groups, i);
        items += 1 + group->pending.count + stream_consumer_count(group);
    }
    return items > FREE_AT_ONCE_MAX;
}

void stream_value_free(struct stream_value *stream, struct reclaim *reclaim)
{
    struct stream_drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct stream_drain){.stream = stream};
    if (reclaim && is_large(stream)) {
        reclaim_add(reclaim, drain_step, drain, stream->length);
        return;
    }
    uint64_t freed;
    while (drain_step(drain, &freed))
        ;
}

struct stream_value *stream_value_copy(const struct stream_value *stream)
{
    struct stream_value *copy = stream_value_create();
    for (struct id_place at = id_tree_first(&stream->nodes); id_place_is_valid(at); at = id_place_next(at)) {
        const struct stream_block *block = block_of(at);
        struct slice listpack = {block->listpack, listpack_total_bytes(block->listpack)};
        CHECK(stream_append_node(copy, id_place_id(at), listpack, node_open(block, id_place_id(at)).live));
    }
    copy->first = stream->first;
    copy->last = stream->last;
    copy->highest_deleted = stream->highest_deleted;
    copy->entries_added = stream->entries_added;
    copy->keeps_active_times = stream->keeps_active_times;
    stream_groups_copy(&copy->groups, &stream->groups);
    return copy;
}

size_t stream_value_footprint_bytes(const struct stream_value *stream)
{
    return mem_round(sizeof(*stream)) + stream->nodes.bytes + stream->node_bytes +
           stream_groups_footprint_bytes(&stream->groups);
}

/* ---- appending ---- */

static size_t fields_bytes(const struct slice *fields, uint32_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < 2 * (size_t)count; i++)
        bytes += fields[i].length;
    return bytes;
}

/* Does the last node take this entry as well? Redis looks at the bytes as they came. */
static bool node_takes(const struct stream_block *block, const struct stream_node *node,
                       const struct stream_bounds *bounds, size_t bytes)
{
    uint64_t most = STREAM_ENTRY_MAX_BYTES;
    if (bounds->node_max_bytes > 0 && (uint64_t)bounds->node_max_bytes < most)
        most = (uint64_t)bounds->node_max_bytes;
    if (listpack_total_bytes(block->listpack) + bytes >= most)
        return false;
    return bounds->node_max_entries == 0 || node->live + node->deleted < (uint64_t)bounds->node_max_entries;
}

static void begin_node(struct stream_value *stream, struct stream_id id, const struct slice *fields,
                       uint32_t count)
{
    size_t bytes = stream_node_begin_bytes(fields, count);
    struct stream_block *block = block_create(stream, bytes + BLOCK_MIN_BYTES);
    stream_node_begin(block->listpack, fields, count);
    node_insert(stream, id, block);
}

/* A node that is full keeps no room. */
static void finish_node(struct stream_value *stream, struct id_place place)
{
    struct stream_block *block = block_of(place);
    *id_place_pointer(place) = block_resize(stream, block, listpack_total_bytes(block->listpack));
}

void stream_append(struct stream_value *stream, const struct stream_bounds *bounds, struct stream_id id,
                   const struct slice *fields, uint32_t count)
{
    struct id_place last = id_tree_last(&stream->nodes);
    struct stream_node node;
    bool fits = false;
    if (id_place_is_valid(last)) {
        node = node_open(block_of(last), id_place_id(last));
        fits = node_takes(block_of(last), &node, bounds, fields_bytes(fields, count));
        if (!fits)
            finish_node(stream, last);
    }
    if (!fits) {
        begin_node(stream, id, fields, count);
        last = id_tree_last(&stream->nodes);
        node = node_open(block_of(last), id);
    }
    size_t bytes = stream_node_entry_bytes(&node, id, fields, count);
    struct stream_block *block = block_reserve(stream, block_of(last), bytes);
    *id_place_pointer(last) = block;
    node = node_open(block, node.master);
    stream_node_append(block->listpack, &node, id, fields, count);
    stream->last = id;
    stream->entries_added++;
    if (stream->length++ == 0)
        stream->first = id;
}

bool stream_append_node(struct stream_value *stream, struct stream_id master, struct slice listpack,
                        uint64_t live)
{
    struct stream_block *block = mem_try_alloc(block_bytes(listpack.length));
    if (block == NULL)
        return false;
    block->capacity_bytes = (uint32_t)listpack.length;
    memcpy(block->listpack, listpack.data, listpack.length);
    stream->node_bytes += mem_round(block_bytes(listpack.length));
    node_insert(stream, master, block);
    stream->length += live;
    return true;
}

/* ---- reading ---- */

void stream_cursor_begin(struct stream_cursor *cursor, const struct stream_value *stream,
                         struct stream_id from, struct stream_id to, bool is_downwards)
{
    *cursor = (struct stream_cursor){.from = from, .to = to, .is_downwards = is_downwards};
    cursor->place = id_tree_seek_back(&stream->nodes, is_downwards ? to : from);
    if (!is_downwards && !id_place_is_valid(cursor->place))
        cursor->place = id_tree_first(&stream->nodes);
}

/* Takes the next entry of the node, live or not; false when it has no more. */
static bool cursor_step(struct stream_cursor *cursor, struct stream_entry *entry)
{
    if (cursor->is_downwards)
        return stream_node_previous(&cursor->node, entry);
    return stream_node_next(&cursor->node, entry) == STREAM_STEP_ENTRY;
}

static bool cursor_open(struct stream_cursor *cursor)
{
    if (!id_place_is_valid(cursor->place))
        return false;
    const struct stream_block *block = block_of(cursor->place);
    cursor->node = node_open(block, id_place_id(cursor->place));
    if (cursor->is_downwards)
        stream_node_seek_end(&cursor->node, block->listpack);
    cursor->is_open = true;
    return true;
}

static void cursor_leave_node(struct stream_cursor *cursor)
{
    cursor->is_open = false;
    cursor->place = cursor->is_downwards ? id_place_previous(cursor->place) : id_place_next(cursor->place);
}

bool stream_cursor_next(struct stream_cursor *cursor, struct stream_entry *entry)
{
    while (cursor->is_open || cursor_open(cursor)) {
        if (!cursor_step(cursor, entry)) {
            cursor_leave_node(cursor);
            continue;
        }
        bool before = stream_id_is_less(entry->id, cursor->from);
        bool behind = stream_id_is_less(cursor->to, entry->id);
        if (cursor->is_downwards ? before : behind)
            return false;
        if (!before && !behind && !entry->is_deleted)
            return true;
    }
    return false;
}

bool stream_find(const struct stream_value *stream, struct stream_id id, struct stream_entry *entry)
{
    struct stream_cursor cursor;
    stream_cursor_begin(&cursor, stream, id, id, false);
    return stream_cursor_next(&cursor, entry);
}

struct stream_id stream_last_live(const struct stream_value *stream)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    stream_cursor_begin(&cursor, stream, STREAM_ID_NONE, STREAM_ID_MAX, true);
    return stream_cursor_next(&cursor, &entry) ? entry.id : STREAM_ID_NONE;
}

/* ---- removing ---- */

static void update_first(struct stream_value *stream)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    stream->first = STREAM_ID_NONE;
    stream_cursor_begin(&cursor, stream, STREAM_ID_NONE, STREAM_ID_MAX, false);
    if (stream_cursor_next(&cursor, &entry))
        stream->first = entry.id;
}

bool stream_delete(struct stream_value *stream, struct stream_id id)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    stream_cursor_begin(&cursor, stream, id, id, false);
    if (!stream_cursor_next(&cursor, &entry))
        return false;
    struct stream_node node = cursor.node;
    if (node.live == 1) {
        node_remove(stream, cursor.place);
    } else {
        stream_node_mark_deleted(block_of(cursor.place)->listpack, &entry);
        node_set_counts(stream, cursor.place, node.live - 1, node.deleted + 1);
    }
    stream->length--;
    if (stream_id_is_less(stream->highest_deleted, id))
        stream->highest_deleted = id;
    if (stream_id_is_equal(id, stream->first))
        update_first(stream);
    return true;
}

/* ---- trimming ---- */

static struct stream_id node_last_id(struct id_place place)
{
    struct stream_node node = node_open(block_of(place), id_place_id(place));
    struct stream_entry entry;
    stream_node_seek_end(&node, block_of(place)->listpack);
    CHECK(stream_node_previous(&node, &entry));
    return entry.id;
}

/* May the whole node go? */
static bool trim_takes_node(const struct stream_value *stream, const struct stream_trim *trim,
                            struct id_place place, uint64_t live)
{
    if (trim->by_id)
        return stream_id_is_less(node_last_id(place), trim->minimum);
    return stream->length - live >= trim->maximum;
}

/* Deletes entries at the front of a node. Returns how many. */
static uint64_t trim_node(struct stream_value *stream, const struct stream_trim *trim, struct id_place place)
{
    char *listpack = block_of(place)->listpack;
    struct stream_node node = node_open(block_of(place), id_place_id(place));
    const struct stream_node before = node;
    struct stream_entry entry;
    uint64_t removed = 0;
    while (stream_node_next(&node, &entry) == STREAM_STEP_ENTRY) {
        bool stays =
            trim->by_id ? !stream_id_is_less(entry.id, trim->minimum) : stream->length <= trim->maximum;
        if (stays)
            break;
        if (entry.is_deleted)
            continue;
        stream_node_mark_deleted(listpack, &entry);
        stream->length--;
        removed++;
    }
    node_set_counts(stream, place, before.live - removed, before.deleted + removed);
    return removed;
}

uint64_t stream_trim(struct stream_value *stream, const struct stream_trim *trim)
{
    uint64_t removed = 0;
    struct id_place place;
    while (id_place_is_valid(place = id_tree_first(&stream->nodes))) {
        if (!trim->by_id && stream->length <= trim->maximum)
            break;
        uint64_t live = node_open(block_of(place), id_place_id(place)).live;
        if (trim->limit && removed + live > trim->limit)
            break;
        if (!trim_takes_node(stream, trim, place, live)) {
            if (!trim->is_approximate)
                removed += trim_node(stream, trim, place);
            break;
        }
        node_remove(stream, place);
        stream->length -= live;
        removed += live;
    }
    if (removed)
        update_first(stream);
    return removed;
}

/* ---- setting the last identifier ---- */

/* Cuts a node before the first entry behind an identifier. Returns how many entries that leaves. */
static uint64_t cut_node(struct stream_value *stream, struct id_place place, struct stream_id last)
{
    char *listpack = block_of(place)->listpack;
    struct stream_node node = node_open(block_of(place), id_place_id(place));
    const struct stream_node before = node;
    struct stream_entry entry;
    uint64_t kept = 0, removed = 0;
    int64_t elements = 0;
    size_t end = 0;
    while (stream_node_next(&node, &entry) == STREAM_STEP_ENTRY) {
        bool stays = !stream_id_is_less(last, entry.id);
        kept += stays;
        if (!stays && removed++ == 0)
            end = (size_t)(entry.at - listpack);
    }
    if (removed == 0)
        return kept;
    for (const char *at = listpack + end; !listpack_is_end(at); at = listpack_next(at))
        elements++;
    listpack[end] = (char)LISTPACK_END;
    listpack_adjust(listpack, end + 1, -elements);
    node_set_counts(stream, place, before.live, before.deleted - removed);
    return kept;
}

void stream_set_last(struct stream_value *stream, struct stream_id last)
{
    struct id_place place;
    while (id_place_is_valid(place = id_tree_last(&stream->nodes)) &&
           stream_id_is_less(last, node_last_id(place))) {
        if (cut_node(stream, place, last) == 0)
            node_remove(stream, place);
    }
    stream->last = last;
}

/* ---- counting what a group has read ---- */

bool stream_may_have_tombstone(const struct stream_value *stream, struct stream_id from, struct stream_id to)
{
    struct stream_id deleted = stream->highest_deleted;
    /* One in front of the first entry is no gap. */
    if (stream->length == 0 || stream_id_is_less(deleted, stream->first))
        return false;
    return !stream_id_is_less(deleted, from) && !stream_id_is_less(to, deleted);
}

int64_t stream_estimate_read(const struct stream_value *stream, struct stream_id id)
{
    int64_t added = (int64_t)stream->entries_added;
    if (added == 0)
        return 0;
    if (stream->length == 0 && !stream_id_is_less(stream->last, id))
        return added;
    if (stream_id_is_equal(id, stream->last))
        return added;
    if (stream_id_is_less(stream->last, id) || stream_id_is_less(stream->first, id))
        return ENTRIES_READ_UNKNOWN;
    /* At or in front of the first entry: all that came before is gone, unless entries behind it were deleted.
     */
    bool whole = stream_id_is_equal(stream->highest_deleted, STREAM_ID_NONE) ||
                 stream_id_is_less(stream->highest_deleted, stream->first);
    if (!whole)
        return ENTRIES_READ_UNKNOWN;
    return (int64_t)(stream->entries_added - stream->length + stream_id_is_equal(id, stream->first));
}
