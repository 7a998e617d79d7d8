/* Lists under a key, short or long. See list_type.h. Main thread only; a forked child may read. */
#include "list_type.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/packed.h"

#include <string.h>

enum { INLINE_ELEMENTS_MAX = LIST_INLINE_MAX_BYTES / 2 };

static struct list_limits limits_of(const struct database *db)
{
    const struct store_settings *settings = &db->keyspace->settings;
    return list_limits_from(settings->list_max_listpack_size, settings->list_compress_depth);
}

uint64_t list_length(const struct entry *entry)
{
    if (entry_is_inline(entry))
        return listpack_count(entry_value_area(entry));
    const struct list_value *list = entry_pointer(entry);
    return list->length;
}

/* ---- reading ---- */

/* Enters the cursor's node at the element that is skip away from the side where the walk comes from. */
static void cursor_enter(struct list_cursor *cursor, const char *listpack, uint64_t skip)
{
    cursor->begin = listpack_begin(listpack);
    cursor->at = listpack_seek(listpack, cursor->from == LIST_HEAD ? (int64_t)skip : -1 - (int64_t)skip);
}

static void cursor_enter_node(struct list_cursor *cursor, uint64_t skip)
{
    const struct list_node *node = cursor->node;
    list_cursor_end(cursor);
    cursor->plain = node->form == LIST_NODE_PLAIN;
    if (cursor->plain) {
        cursor->at = node->data;
        return;
    }
    if (node->form == LIST_NODE_COMPRESSED) {
        cursor->expanded_bytes = node->raw_bytes;
        cursor->expanded = mem_alloc(node->raw_bytes);
        CHECK(list_node_expand(node, cursor->expanded));
        cursor_enter(cursor, cursor->expanded, skip);
        return;
    }
    cursor_enter(cursor, list_node_listpack(node), skip);
}

void list_cursor_begin(struct list_cursor *cursor, const struct entry *entry, enum list_end from,
                       uint64_t skip)
{
    *cursor = (struct list_cursor){.from = from};
    if (skip >= list_length(entry))
        return;
    if (entry_is_inline(entry)) {
        cursor_enter(cursor, entry_value_area(entry), skip);
        return;
    }
    cursor->list = entry_pointer(entry);
    if (skip <= cursor->list->length / 2) {
        cursor->node = list_end_node(cursor->list, from);
        for (; skip >= cursor->node->count; cursor->node = list_node_step(cursor->list, cursor->node, from))
            skip -= cursor->node->count;
    } else {
        enum list_end back = from == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
        uint64_t behind = cursor->list->length - skip; /* at least 1 */
        cursor->node = list_end_node(cursor->list, back);
        for (; behind > cursor->node->count; cursor->node = list_node_step(cursor->list, cursor->node, back))
            behind -= cursor->node->count;
        skip = cursor->node->count - behind;
    }
    cursor_enter_node(cursor, skip);
}

void list_cursor_next_node(struct list_cursor *cursor)
{
    cursor->at = NULL;
    if (cursor->list == NULL)
        return;
    const struct list_node *next = list_node_step(cursor->list, cursor->node, cursor->from);
    if (next == NULL)
        return;
    cursor->node = next;
    cursor_enter_node(cursor, 0);
}

void list_cursor_end(struct list_cursor *cursor)
{
    mem_free(cursor->expanded, cursor->expanded_bytes);
    cursor->expanded = NULL;
    cursor->expanded_bytes = 0;
}

bool list_cursor_is_equal(const struct list_cursor *cursor, const struct listpack_element *element)
{
    if (!cursor->plain)
        return listpack_is_equal(cursor->at, element);
    return element->data && element->length == cursor->node->end &&
           memcmp(element->data, cursor->at, element->length) == 0;
}

/* ---- from the entry to an object and back ---- */

/* Makes the list an object; entry NULL creates an empty one. */
static struct entry *list_unpack(struct database *db, const struct key *key, struct entry *entry,
                                 const struct list_limits *limits)
{
    if (entry && !entry_is_inline(entry))
        return entry;
    struct list_value *list = list_value_create();
    if (entry)
        list_value_append_listpack(list, packed_view(entry), list_length(entry), limits);
    return keyspace_set_object(db, key, VALUE_LIST, ENCODING_QUICKLIST, list, EXPIRY_KEEP, EVENT_LIST, NULL,
                               0);
}

struct slice list_short_listpack(const struct list_value *list, size_t limit_bytes)
{
    if (list->node_count != 1)
        return (struct slice){NULL, 0};
    const struct list_node *node = list_end_node(list, LIST_HEAD);
    size_t bytes = node->end - node->start + LISTPACK_EMPTY_BYTES;
    if (node->form != LIST_NODE_PACKED || bytes > limit_bytes)
        return (struct slice){NULL, 0};
    return (struct slice){list_node_listpack(node), bytes};
}

/* Moves a list that became short into its entry. */
static struct entry *list_pack(struct database *db, const struct key *key, struct entry *entry,
                               size_t limit_bytes)
{
    struct slice listpack = list_short_listpack(entry_pointer(entry), limit_bytes);
    if (listpack.data == NULL)
        return entry;
    char copy[LIST_INLINE_MAX_BYTES]; /* the object goes when its place is taken */
    memcpy(copy, listpack.data, listpack.length);
    listpack.data = copy;
    return keyspace_set_packed(db, key, VALUE_LIST, ENCODING_QUICKLIST, listpack, EXPIRY_KEEP, EVENT_LIST,
                               NULL, 0);
}

struct entry *list_store(struct database *db, const struct key *key, struct list_value *list,
                         int64_t expiry_ms, const char *event, uint64_t changes)
{
    struct slice listpack = list_short_listpack(list, LIST_INLINE_MAX_BYTES);
    if (listpack.data == NULL)
        return keyspace_set_object(db, key, VALUE_LIST, ENCODING_QUICKLIST, list, expiry_ms, EVENT_LIST,
                                   event, changes);
    struct entry *entry = keyspace_set_packed(db, key, VALUE_LIST, ENCODING_QUICKLIST, listpack, expiry_ms,
                                              EVENT_LIST, event, changes);
    list_value_free(list, NULL);
    return entry;
}

/* ---- pushing and popping ---- */

/* Pushes onto a list in its entry. Returns NULL when it would not fit. */
static struct entry *list_push_inline(struct database *db, const struct key *key, struct entry *entry,
                                      enum list_end end, const struct slice *texts, size_t count)
{
    struct listpack_element elements[INLINE_ELEMENTS_MAX];
    size_t bytes = entry ? entry->inline_bytes : LISTPACK_EMPTY_BYTES;
    if (count > INLINE_ELEMENTS_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct listpack_element *element = &elements[end == LIST_HEAD ? count - 1 - i : i];
        *element = listpack_element_from(texts[i]);
        bytes += listpack_element_bytes(*element);
        if (bytes > LIST_INLINE_MAX_BYTES)
            return NULL;
    }
    if (entry == NULL)
        return packed_create(db, key, VALUE_LIST, ENCODING_QUICKLIST, elements, count);
    if (end == LIST_HEAD)
        return packed_insert(db, key, entry, LISTPACK_HEADER_BYTES, elements, count);
    return packed_append(db, key, entry, elements, count);
}

struct entry *list_push(struct database *db, const struct key *key, struct entry *entry, enum list_end end,
                        const struct slice *texts, size_t count)
{
    if (entry == NULL || entry_is_inline(entry)) {
        struct entry *pushed = list_push_inline(db, key, entry, end, texts, count);
        if (pushed)
            return pushed;
    }
    struct list_limits limits = limits_of(db);
    entry = list_unpack(db, key, entry, &limits);
    struct list_value *list = entry_pointer(entry);
    for (size_t i = 0; i < count; i++)
        list_value_push(list, end, listpack_element_from(texts[i]), &limits);
    return entry;
}

static struct entry *list_pop_inline(struct database *db, const struct key *key, struct entry *entry,
                                     enum list_end end, uint64_t count)
{
    size_t offset = LISTPACK_HEADER_BYTES;
    if (end == LIST_TAIL) {
        const char *listpack = entry_value_area(entry);
        offset = (size_t)(listpack_seek(listpack, -(int64_t)count) - listpack);
    }
    return packed_remove(db, key, entry, offset, count);
}

struct entry *list_pop(struct database *db, const struct key *key, struct entry *entry, enum list_end end,
                       uint64_t count)
{
    DCHECK(count < list_length(entry));
    if (count == 0)
        return entry;
    if (entry_is_inline(entry))
        return list_pop_inline(db, key, entry, end, count);
    struct list_limits limits = limits_of(db);
    list_value_pop(entry_pointer(entry), end, count, &limits, &db->keyspace->reclaim);
    return list_pack(db, key, entry, LIST_INLINE_AGAIN_BYTES);
}

/* ---- in the middle ---- */

struct entry *list_insert(struct database *db, const struct key *key, struct entry *entry, uint64_t index,
                          bool behind, struct slice text)
{
    struct list_limits limits = limits_of(db);
    entry = list_unpack(db, key, entry, &limits);
    struct list_value *list = entry_pointer(entry);
    list_value_insert(list, list_value_place(list, index), behind, listpack_element_from(text), &limits);
    return list_pack(db, key, entry, LIST_INLINE_MAX_BYTES);
}

struct entry *list_replace(struct database *db, const struct key *key, struct entry *entry, uint64_t index,
                           struct slice text)
{
    struct list_limits limits = limits_of(db);
    entry = list_unpack(db, key, entry, &limits);
    struct list_value *list = entry_pointer(entry);
    list_value_replace(list, list_value_place(list, index), listpack_element_from(text), &limits);
    return list_pack(db, key, entry, LIST_INLINE_MAX_BYTES);
}

struct entry *list_remove_equal(struct database *db, const struct key *key, struct entry *entry,
                                enum list_end from, struct slice text, uint64_t limit, uint64_t *removed)
{
    struct list_limits limits = limits_of(db);
    struct listpack_element element = listpack_element_from(text);
    entry = list_unpack(db, key, entry, &limits);
    *removed += list_value_remove_equal(entry_pointer(entry), from, &element, limit, &limits);
    return list_pack(db, key, entry, LIST_INLINE_MAX_BYTES);
}
