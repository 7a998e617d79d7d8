/* Consumer groups. See stream_group.h. Main thread only; a forked child may read. */
#include "store/stream_group.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

/* ---- sorted names ---- */

typedef struct slice (*name_of)(const void *item);

static struct slice group_name(const void *item)
{
    return stream_group_name(item);
}

static struct slice consumer_name(const void *item)
{
    return stream_consumer_name(item);
}

/* Where a name is, or would be. */
static size_t names_seek(const struct stream_names *names, name_of name_of, struct slice name, bool *found)
{
    size_t low = 0, high = names->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(name_of(names->items[middle]), name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void names_insert(struct stream_names *names, size_t index, void *item)
{
    enum { FIRST_CAPACITY = 2 };
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? 2 * names->capacity : FIRST_CAPACITY;
        names->items = mem_resize(names->items, names->capacity * sizeof(void *), capacity * sizeof(void *));
        names->capacity = capacity;
    }
    memmove(names->items + index + 1, names->items + index, (names->count - index) * sizeof(void *));
    names->items[index] = item;
    names->count++;
}

static void names_free(struct stream_names *names)
{
    mem_free(names->items, names->capacity * sizeof(void *));
    *names = (struct stream_names){0};
}

/* The last one takes the array with it. */
static void names_remove(struct stream_names *names, size_t index)
{
    names->count--;
    memmove(names->items + index, names->items + index + 1, (names->count - index) * sizeof(void *));
    if (names->count == 0)
        names_free(names);
}

static void *names_find(const struct stream_names *names, name_of name_of, struct slice name)
{
    bool found;
    size_t index = names_seek(names, name_of, name, &found);
    return found ? names->items[index] : NULL;
}

static size_t names_footprint_bytes(const struct stream_names *names)
{
    return names->capacity ? mem_round(names->capacity * sizeof(void *)) : 0;
}

/* ---- consumers ---- */

static size_t consumer_bytes(size_t name_length)
{
    return sizeof(struct stream_consumer) + name_length;
}

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct slice name)
{
    return names_find(&group->consumers, consumer_name, name);
}

struct stream_consumer *stream_consumer_create(struct stream_group *group, struct slice name, int64_t seen_ms)
{
    bool found;
    size_t index = names_seek(&group->consumers, consumer_name, name, &found);
    if (found)
        return NULL;
    struct stream_consumer *consumer = mem_alloc(consumer_bytes(name.length));
    *consumer =
        (struct stream_consumer){.seen_ms = seen_ms, .active_ms = -1, .name_length = (uint32_t)name.length};
    id_tree_init(&consumer->pending);
    memcpy(consumer->name, name.data, name.length);
    names_insert(&group->consumers, index, consumer);
    return consumer;
}

static size_t group_bytes(size_t name_length)
{
    return sizeof(struct stream_group) + name_length;
}

static void consumer_free(struct stream_consumer *consumer)
{
    id_tree_clear(&consumer->pending);
    mem_free(consumer, consumer_bytes(consumer->name_length));
}

/* Moves a consumer's pending entries from one tree of a group to another. */
static void move_pending(const struct stream_consumer *consumer, struct id_tree *from, struct id_tree *to)
{
    struct id_place at = id_tree_first(&consumer->pending);
    for (; id_place_is_valid(at); at = id_place_next(at)) {
        struct stream_id id = id_place_id(at);
        CHECK(id_tree_insert(to, id, id_tree_remove(from, id)));
    }
}

/* What is left is a group without a name, of this consumer alone. It gets the group's tree, and the group a
 * new one, when that means less to move. */
struct stream_group *stream_consumer_detach(struct stream_group *group, struct stream_consumer *consumer)
{
    bool found;
    size_t index = names_seek(&group->consumers, consumer_name, stream_consumer_name(consumer), &found);
    CHECK(found);
    struct stream_group *rest = mem_alloc(group_bytes(0));
    *rest = (struct stream_group){.name_length = 0};
    id_tree_init(&rest->pending);
    names_remove(&group->consumers, index);
    names_insert(&rest->consumers, 0, consumer);
    if (consumer->pending.count <= group->pending.count / 2) {
        move_pending(consumer, &group->pending, &rest->pending);
        return rest;
    }
    rest->pending = group->pending;
    id_tree_init(&group->pending);
    for (size_t i = 0; i < stream_consumer_count(group); i++)
        move_pending(stream_consumer_at(group, i), &rest->pending, &group->pending);
    return rest;
}

/* ---- pending entries ---- */

struct stream_pending *stream_pending_find(const struct stream_group *group, struct stream_id id)
{
    void **pointer = id_tree_find(&group->pending, id);
    return pointer ? *pointer : NULL;
}

struct stream_pending *stream_pending_create(struct stream_group *group, struct stream_consumer *consumer,
                                             struct stream_id id, int64_t delivered_ms, uint64_t deliveries)
{
    struct stream_pending *pending = mem_alloc(sizeof(*pending));
    *pending =
        (struct stream_pending){.consumer = consumer, .delivered_ms = delivered_ms, .deliveries = deliveries};
    if (!id_tree_insert(&group->pending, id, pending)) {
        mem_free(pending, sizeof(*pending));
        return NULL;
    }
    if (consumer)
        CHECK(id_tree_insert(&consumer->pending, id, pending));
    return pending;
}

void stream_pending_give(struct stream_pending *pending, struct stream_id id,
                         struct stream_consumer *consumer)
{
    if (pending->consumer == consumer)
        return;
    if (pending->consumer)
        CHECK(id_tree_remove(&pending->consumer->pending, id) == pending);
    pending->consumer = consumer;
    CHECK(id_tree_insert(&consumer->pending, id, pending));
}

bool stream_pending_delete(struct stream_group *group, struct stream_id id)
{
    struct stream_pending *pending = id_tree_remove(&group->pending, id);
    if (pending == NULL)
        return false;
    CHECK(id_tree_remove(&pending->consumer->pending, id) == pending);
    mem_free(pending, sizeof(*pending));
    return true;
}

/* ---- groups ---- */

struct stream_group *stream_group_find(const struct stream_groups *groups, struct slice name)
{
    return names_find(&groups->names, group_name, name);
}

struct stream_group *stream_group_create(struct stream_groups *groups, struct slice name,
                                         struct stream_id last, int64_t entries_read)
{
    bool found;
    size_t index = names_seek(&groups->names, group_name, name, &found);
    if (found)
        return NULL;
    struct stream_group *group = mem_alloc(group_bytes(name.length));
    *group = (struct stream_group){
        .last = last, .entries_read = entries_read, .name_length = (uint32_t)name.length};
    id_tree_init(&group->pending);
    memcpy(group->name, name.data, name.length);
    names_insert(&groups->names, index, group);
    return group;
}

void stream_group_detach(struct stream_groups *groups, struct stream_group *group)
{
    bool found;
    size_t index = names_seek(&groups->names, group_name, stream_group_name(group), &found);
    CHECK(found);
    names_remove(&groups->names, index);
}

/* Frees a pending entry, of the last consumer if there is one, or that consumer. */
static void drain_one(struct stream_group *group, uint64_t *freed)
{
    size_t count = stream_consumer_count(group);
    struct stream_consumer *consumer = count ? stream_consumer_at(group, count - 1) : NULL;
    struct id_place last = id_tree_last(consumer ? &consumer->pending : &group->pending);
    if (!id_place_is_valid(last)) {
        names_remove(&group->consumers, count - 1);
        consumer_free(consumer);
        return;
    }
    struct stream_id id = id_place_id(last);
    if (consumer)
        id_tree_remove(&consumer->pending, id);
    mem_free(id_tree_remove(&group->pending, id), sizeof(struct stream_pending));
    ++*freed;
}

/* In a group that was being read from a dump, entries may have no consumer yet. */
bool stream_group_drain(struct stream_group *group, uint64_t budget, uint64_t *freed)
{
    for (; budget > 0 && (stream_consumer_count(group) > 0 || group->pending.count > 0); budget--)
        drain_one(group, freed);
    if (stream_consumer_count(group) > 0 || group->pending.count > 0)
        return true;
    mem_free(group, group_bytes(group->name_length));
    return false;
}

/* ---- all of them ---- */

static void copy_consumer(struct stream_group *to, const struct stream_consumer *from)
{
    struct stream_consumer *copy = stream_consumer_create(to, stream_consumer_name(from), from->seen_ms);
    copy->active_ms = from->active_ms;
    struct id_place at = id_tree_first(&from->pending);
    for (; id_place_is_valid(at); at = id_place_next(at)) {
        const struct stream_pending *pending = *id_place_pointer(at);
        CHECK(stream_pending_create(to, copy, id_place_id(at), pending->delivered_ms, pending->deliveries));
    }
}

void stream_groups_copy(struct stream_groups *to, const struct stream_groups *from)
{
    for (size_t i = 0; i < stream_group_count(from); i++) {
        const struct stream_group *group = stream_group_at(from, i);
        struct stream_group *copy =
            stream_group_create(to, stream_group_name(group), group->last, group->entries_read);
        for (size_t j = 0; j < stream_consumer_count(group); j++)
            copy_consumer(copy, stream_consumer_at(group, j));
    }
}

static size_t group_footprint_bytes(const struct stream_group *group)
{
    size_t bytes = mem_round(group_bytes(group->name_length)) + names_footprint_bytes(&group->consumers) +
                   group->pending.bytes + group->pending.count * mem_round(sizeof(struct stream_pending));
    for (size_t i = 0; i < stream_consumer_count(group); i++) {
        const struct stream_consumer *consumer = stream_consumer_at(group, i);
        bytes += mem_round(consumer_bytes(consumer->name_length)) + consumer->pending.bytes;
    }
    return bytes;
}

size_t stream_groups_footprint_bytes(const struct stream_groups *groups)
{
    size_t bytes = names_footprint_bytes(&groups->names);
    for (size_t i = 0; i < stream_group_count(groups); i++)
        bytes += group_footprint_bytes(stream_group_at(groups, i));
    return bytes;
}
