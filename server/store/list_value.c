/* Lists as chains of listpack nodes. See list_value.h. Main thread only. */
#include "list_value.h"

#include "base/check.h"
#include "base/mem.h"

#include <liblzf/lzf.h>
#include <string.h>

enum {
    /* Room of a node beside its elements: header and end mark. */
    NODE_FRAME_BYTES = LISTPACK_EMPTY_BYTES,
    NODE_START_MIN = LISTPACK_HEADER_BYTES,
#ifdef SPINDLE_STRESS
    NODE_FIRST_BYTES = 32,
    NODE_SAFE_BYTES = 128,
    NODE_SHRINK_MIN_BYTES = 48,
    FREE_STEP_NODES = 2,
#else
    NODE_FIRST_BYTES = 512,
    NODE_SAFE_BYTES = 8192, /* for nodes that are limited by count */
    NODE_SHRINK_MIN_BYTES = 1024,
    FREE_STEP_NODES = 128,
#endif
    LZF_GAIN_MIN = 8,
};

struct list_limits list_limits_from(int64_t max_listpack_size, int64_t compress_depth)
{
    struct list_limits limits = {.node_bytes = NODE_SAFE_BYTES, .node_count = UINT32_MAX};
    if (compress_depth > 0)
        limits.compress_depth = compress_depth < UINT32_MAX ? (uint32_t)compress_depth : UINT32_MAX;
    if (max_listpack_size >= 0) {
        if (max_listpack_size < UINT32_MAX)
            limits.node_count = max_listpack_size ? (uint32_t)max_listpack_size : 1;
        return limits;
    }
#ifndef SPINDLE_STRESS
    limits.node_bytes = 2048u << (max_listpack_size < -5 ? 5 : -max_listpack_size);
#endif
    return limits;
}

/* ---- nodes ---- */

static size_t node_block_bytes(uint64_t capacity_bytes)
{
    return sizeof(struct list_node) + capacity_bytes;
}

static uint64_t node_used_bytes(const struct list_node *node)
{
    return node->end - node->start;
}

static struct list_node *node_create(enum list_node_form form, uint64_t capacity_bytes)
{
    struct list_node *node = mem_alloc(node_block_bytes(capacity_bytes));
    memset(node, 0, sizeof(*node));
    node->capacity_bytes = capacity_bytes;
    node->form = (uint8_t)form;
    return node;
}

static void node_free(struct list_node *node)
{
    mem_free(node, node_block_bytes(node->capacity_bytes));
}

/* Puts a node into the chain in front of a link. */
static void node_link(struct list_value *list, struct list_node *node, struct links *before)
{
    links_append(before, &node->links);
    list->node_count++;
}

static void node_unlink(struct list_value *list, struct list_node *node)
{
    links_remove(&node->links);
    list->node_count--;
}

static void node_take_place(struct list_node *node, struct list_node *old)
{
    node->links = old->links;
    node->links.next->previous = &node->links;
    node->links.previous->next = &node->links;
}

/* Writes header and end mark of a packed node after its elements changed. */
static inline void node_seal(struct list_node *node)
{
    uint32_t total = (uint32_t)(node->end - node->start + NODE_FRAME_BYTES);
    uint16_t count = node->count < LISTPACK_COUNT_UNKNOWN ? (uint16_t)node->count : LISTPACK_COUNT_UNKNOWN;
    char *header = node->data + node->start - LISTPACK_HEADER_BYTES;
    memcpy(header, &total, sizeof(total));
    memcpy(header + 4, &count, sizeof(count));
    node->data[node->end] = (char)LISTPACK_END;
    node->incompressible = false;
}

bool list_node_expand(const struct list_node *node, char *listpack)
{
    return lzf_decompress(node->data, (unsigned)node->end, listpack, (unsigned)node->raw_bytes) ==
           node->raw_bytes;
}

/* Returns the node itself, or an uncompressed one in its place. */
static struct list_node *node_thaw(struct list_node *node)
{
    if (node->form != LIST_NODE_COMPRESSED)
        return node;
    struct list_node *raw = node_create(LIST_NODE_PACKED, node->raw_bytes);
    CHECK(list_node_expand(node, raw->data));
    raw->start = NODE_START_MIN;
    raw->end = node->raw_bytes - 1;
    raw->count = node->count;
    node_take_place(raw, node);
    node_free(node);
    return raw;
}

static void node_freeze(struct list_node *node)
{
    uint64_t raw_bytes = node_used_bytes(node) + NODE_FRAME_BYTES;
    if (node->form != LIST_NODE_PACKED || node->incompressible || raw_bytes < LIST_COMPRESS_MIN_BYTES ||
        raw_bytes > INT32_MAX)
        return;
    struct list_node *small = node_create(LIST_NODE_COMPRESSED, raw_bytes);
    unsigned length = lzf_compress(list_node_listpack(node), (unsigned)raw_bytes, small->data,
                                   (unsigned)(raw_bytes - LZF_GAIN_MIN));
    if (length == 0) {
        node_free(small);
        node->incompressible = true;
        return;
    }
    small = mem_resize(small, node_block_bytes(raw_bytes), node_block_bytes(length));
    small->capacity_bytes = length;
    small->end = length;
    small->raw_bytes = raw_bytes;
    small->count = node->count;
    node_take_place(small, node);
    node_free(node);
}

/* ---- compression ---- */

/* Keeps the nodes near one end uncompressed, and the one behind them compressed. */
static void list_settle_end(struct list_value *list, enum list_end end, uint32_t depth)
{
    struct list_node *node = list->node_count ? list_end_node(list, end) : NULL;
    for (uint32_t i = 0; i < depth && node; i++)
        node = list_node_step(list, node_thaw(node), end);
    if (node && list->node_count > 2 * (uint64_t)depth)
        node_freeze(node);
}

/* Restores the rules of compression after nodes came or went at the ends. */
static inline void list_settle(struct list_value *list, const struct list_limits *limits)
{
    if (limits->compress_depth == 0)
        return;
    list_settle_end(list, LIST_HEAD, limits->compress_depth);
    list_settle_end(list, LIST_TAIL, limits->compress_depth);
}

/* The same after a change anywhere. */
static void list_settle_all(struct list_value *list, const struct list_limits *limits)
{
    uint64_t depth = limits->compress_depth, index = 0;
    if (depth == 0)
        return;
    struct links *next;
    for (struct links *at = list->nodes.next; at != &list->nodes; at = next, index++) {
        next = at->next;
        if (index < depth || index + depth >= list->node_count)
            node_thaw(list_node_from(at));
        else
            node_freeze(list_node_from(at));
    }
}

/* ---- room in nodes ---- */

static bool node_has_room(const struct list_node *node, uint64_t bytes, const struct list_limits *limits)
{
    return node->form == LIST_NODE_PACKED && node->count < limits->node_count &&
           sizeof(*node) + node_used_bytes(node) + NODE_FRAME_BYTES + bytes <= limits->node_bytes;
}

/* Moves a packed node's elements to another block (or inside its own) so that a gap opens at offset. */
static struct list_node *node_relocate(struct list_node *node, uint64_t capacity_bytes, uint64_t new_start,
                                       uint64_t offset, uint64_t gap_bytes)
{
    uint64_t front = offset - node->start, back = node->end - offset;
    struct list_node *to = node_create(LIST_NODE_PACKED, capacity_bytes);
    to->start = new_start;
    to->end = new_start + front + gap_bytes + back;
    to->count = node->count;
    memcpy(to->data + new_start, node->data + node->start, front);
    memcpy(to->data + new_start + front + gap_bytes, node->data + offset, back);
    node_take_place(to, node);
    node_free(node);
    return to;
}

static uint64_t grown_capacity(uint64_t needed_bytes, const struct list_limits *limits)
{
    uint64_t block = NODE_FIRST_BYTES;
    while (block < needed_bytes + sizeof(struct list_node))
        block *= 2;
    if (block > limits->node_bytes)
        block = limits->node_bytes;
    uint64_t capacity = block > sizeof(struct list_node) ? block - sizeof(struct list_node) : 0;
    return capacity > needed_bytes ? capacity : needed_bytes;
}

/* Opens a gap in a packed node; *offset is where, and then where the gap is. Returns the node, which may have
 * moved. The caller fills the gap, counts and seals. */
static struct list_node *node_open_gap(struct list_node *node, uint64_t *offset, uint64_t bytes,
                                       const struct list_limits *limits)
{
    uint64_t front = *offset - node->start, back = node->end - *offset;
    uint64_t front_room = node->start - NODE_START_MIN;
    uint64_t back_room = node->capacity_bytes - 1 - node->end;
    if (back_room >= bytes && (back <= front || front_room < bytes)) {
        memmove(node->data + *offset + bytes, node->data + *offset, back);
        node->end += bytes;
        return node;
    }
    if (front_room >= bytes) {
        memmove(node->data + node->start - bytes, node->data + node->start, front);
        node->start -= bytes;
        *offset -= bytes;
        return node;
    }
    uint64_t needed = front + back + bytes + NODE_FRAME_BYTES;
    uint64_t capacity = grown_capacity(needed, limits);
    /* What is pushed at the head wants its room in front. */
    uint64_t start = NODE_START_MIN + (front == 0 ? capacity - needed : 0);
    node = node_relocate(node, capacity, start, *offset, bytes);
    *offset = start + front;
    return node;
}

static void node_close_gap(struct list_node *node, uint64_t offset, uint64_t bytes)
{
    uint64_t front = offset - node->start, back = node->end - offset - bytes;
    if (front < back) {
        memmove(node->data + node->start + bytes, node->data + node->start, front);
        node->start += bytes;
    } else {
        memmove(node->data + offset, node->data + offset + bytes, back);
        node->end -= bytes;
    }
}

/* Gives memory back when little of a node is used. */
static void node_shrink(struct list_node *node)
{
    uint64_t needed = node_used_bytes(node) + NODE_FRAME_BYTES;
    if (node->capacity_bytes < NODE_SHRINK_MIN_BYTES || needed > node->capacity_bytes / 4)
        return;
    uint64_t capacity = node->capacity_bytes / 2;
    uint64_t start = NODE_START_MIN + (capacity - needed) / 2;
    node_seal(node_relocate(node, capacity, start, node->end, 0));
}

/* ---- lifetime ---- */

struct list_value *list_value_create(void)
{
    struct list_value *list = mem_alloc(sizeof(*list));
    *list = (struct list_value){0};
    links_init(&list->nodes);
    return list;
}

static bool list_free_step(void *state, uint64_t *freed)
{
    struct list_value *list = state;
    *freed = 0;
    for (int i = 0; i < FREE_STEP_NODES && list->node_count; i++) {
        struct list_node *node = list_end_node(list, LIST_HEAD);
        *freed += node->count;
        node_unlink(list, node);
        node_free(node);
    }
    if (list->node_count)
        return true;
    mem_free(list, sizeof(*list));
    return false;
}

void list_value_free(struct list_value *list, struct reclaim *reclaim)
{
    uint64_t freed;
    if (list->node_count > FREE_STEP_NODES && reclaim)
        reclaim_add(reclaim, list_free_step, list, list->length);
    else
        while (list_free_step(list, &freed))
            ;
}

struct list_value *list_value_copy(const struct list_value *list)
{
    struct list_value *copy = list_value_create();
    for (const struct links *at = list->nodes.next; at != &list->nodes; at = at->next) {
        const struct list_node *node = links_container(at, struct list_node, links);
        struct list_node *twin = mem_alloc(node_block_bytes(node->capacity_bytes));
        memcpy(twin, node, node_block_bytes(node->end) + (node->form == LIST_NODE_PACKED));
        node_link(copy, twin, &copy->nodes);
    }
    copy->length = list->length;
    return copy;
}

size_t list_value_footprint_bytes(const struct list_value *list)
{
    size_t bytes = mem_round(sizeof(*list));
    for (const struct links *at = list->nodes.next; at != &list->nodes; at = at->next)
        bytes += mem_round(node_block_bytes(links_container(at, struct list_node, links)->capacity_bytes));
    return bytes;
}

/* ---- pushing and popping ---- */

static bool element_is_plain(struct listpack_element element)
{
    return element.data && element.length >= LIST_PLAIN_MIN_BYTES;
}

/* Makes a node with this one element, not yet in a list. End: where more will be pushed. */
static struct list_node *node_from_element(struct listpack_element element, enum list_end end,
                                           const struct list_limits *limits)
{
    if (element_is_plain(element)) {
        struct list_node *node = node_create(LIST_NODE_PLAIN, element.length);
        memcpy(node->data, element.data, element.length);
        node->end = element.length;
        node->count = 1;
        return node;
    }
    uint64_t bytes = listpack_element_bytes(element);
    uint64_t capacity = grown_capacity(bytes + NODE_FRAME_BYTES, limits);
    struct list_node *node = node_create(LIST_NODE_PACKED, capacity);
    node->start = end == LIST_HEAD ? capacity - 1 - bytes : NODE_START_MIN;
    node->end = node->start + bytes;
    node->count = 1;
    listpack_put(node->data + node->start, element);
    node_seal(node);
    return node;
}

/* Puts an element into a packed node that has room. */
static struct list_node *node_put(struct list_node *node, uint64_t offset, struct listpack_element element,
                                  uint64_t bytes, const struct list_limits *limits)
{
    node = node_open_gap(node, &offset, bytes, limits);
    listpack_put(node->data + offset, element);
    node->count++;
    node_seal(node);
    return node;
}

/* May a node take an element at an end? Not when it would have to be moved often for the last few bytes. */
static bool node_takes_push(const struct list_node *node, enum list_end end, uint64_t bytes,
                            const struct list_limits *limits)
{
    if (!node_has_room(node, bytes, limits))
        return false;
    uint64_t room = end == LIST_HEAD ? node->start - NODE_START_MIN : node->capacity_bytes - 1 - node->end;
    return room >= bytes || node->capacity_bytes + sizeof(*node) < limits->node_bytes ||
           node_used_bytes(node) <= node->capacity_bytes / 2;
}

void list_value_push(struct list_value *list, enum list_end end, struct listpack_element element,
                     const struct list_limits *limits)
{
    list->length++;
    uint64_t bytes = listpack_element_bytes(element);
    if (list->node_count && !element_is_plain(element)) {
        struct list_node *node = list_end_node(list, end);
        if (node_takes_push(node, end, bytes, limits)) {
            node_put(node, end == LIST_HEAD ? node->start : node->end, element, bytes, limits);
            return;
        }
    }
    struct list_node *node = node_from_element(element, end, limits);
    node_link(list, node, end == LIST_HEAD ? list->nodes.next : &list->nodes);
    list_settle(list, limits);
}

void list_value_append_listpack(struct list_value *list, struct slice listpack, size_t count,
                                const struct list_limits *limits)
{
    struct list_node *node = node_create(LIST_NODE_PACKED, listpack.length);
    memcpy(node->data, listpack.data, listpack.length);
    node->start = NODE_START_MIN;
    node->end = listpack.length - 1;
    node->count = (uint32_t)count;
    node_seal(node);
    node_link(list, node, &list->nodes);
    list->length += count;
    list_settle(list, limits);
}

static void node_drop(struct list_value *list, struct list_node *node)
{
    list->length -= node->count;
    node_unlink(list, node);
    node_free(node);
}

/* Removes some but not all elements at an end of a packed node. */
static void node_pop(struct list_node *node, enum list_end end, uint64_t count)
{
    if (end == LIST_HEAD) {
        const char *at = node->data + node->start;
        for (uint64_t i = 0; i < count; i++)
            at = listpack_next(at);
        node->start = (uint64_t)(at - node->data);
    } else {
        const char *at = node->data + node->end;
        for (uint64_t i = 0; i < count; i++)
            at = listpack_previous(at);
        node->end = (uint64_t)(at - node->data);
    }
    node->count -= (uint32_t)count;
    node_seal(node);
    node_shrink(node);
}

/* Nodes at an end that go as they are. */
struct list_cut {
    struct list_node *rest; /* the next one, which stays; NULL: none does */
    uint64_t nodes;
    uint64_t elements;
};

/* Finds the nodes that hold nothing but the first count elements from an end. Walks from the nearer end. */
static struct list_cut list_find_cut(const struct list_value *list, enum list_end end, uint64_t count)
{
    struct list_cut cut = {0};
    if (count <= list->length / 2) {
        cut.rest = list_end_node(list, end);
        for (; cut.elements + cut.rest->count <= count; cut.rest = list_node_step(list, cut.rest, end)) {
            cut.elements += cut.rest->count;
            cut.nodes++;
        }
        return cut;
    }
    enum list_end back = end == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
    struct list_node *node = list_end_node(list, back);
    cut.elements = list->length;
    cut.nodes = list->node_count;
    for (; cut.elements > count; node = list_node_step(list, node, back)) {
        cut.elements -= node->count;
        cut.nodes--;
        cut.rest = node;
    }
    return cut;
}

static void list_drop_cut(struct list_value *list, enum list_end end, const struct list_cut *cut,
                          struct reclaim *reclaim)
{
    struct links *first = list->nodes.next, *last = list->nodes.previous;
    if (cut->rest && end == LIST_HEAD)
        last = cut->rest->links.previous;
    else if (cut->rest)
        first = cut->rest->links.next;
    struct list_value *gone = list_value_create();
    links_move_run(&gone->nodes, first, last);
    gone->node_count = cut->nodes;
    gone->length = cut->elements;
    list->node_count -= cut->nodes;
    list->length -= cut->elements;
    list_value_free(gone, reclaim);
}

void list_value_pop(struct list_value *list, enum list_end end, uint64_t count,
                    const struct list_limits *limits, struct reclaim *reclaim)
{
    struct list_cut cut = list_find_cut(list, end, count);
    if (cut.nodes > 0)
        list_drop_cut(list, end, &cut, reclaim);
    if (count > cut.elements) {
        list->length -= count - cut.elements;
        node_pop(node_thaw(cut.rest), end, count - cut.elements);
    }
    if (cut.nodes > 0)
        list_settle(list, limits);
}

/* ---- in the middle ---- */

struct list_place list_value_place(struct list_value *list, uint64_t index)
{
    DCHECK(index < list->length);
    struct list_node *node;
    if (index < list->length / 2) {
        node = list_end_node(list, LIST_HEAD);
        for (; index >= node->count; node = list_node_from(node->links.next))
            index -= node->count;
    } else {
        uint64_t behind = list->length - index; /* at least 1 */
        node = list_end_node(list, LIST_TAIL);
        for (; behind > node->count; node = list_node_from(node->links.previous))
            behind -= node->count;
        index = node->count - behind;
    }
    node = node_thaw(node);
    if (node->form == LIST_NODE_PLAIN)
        return (struct list_place){node, 0};
    const char *at = listpack_seek(list_node_listpack(node), (int64_t)index);
    return (struct list_place){node, (uint64_t)(at - node->data)};
}

/* Cuts a packed node in two at an offset that is neither its start nor its end; returns the new second one.
 */
static struct list_node *node_split(struct list_value *list, struct list_node *node, uint64_t offset,
                                    const struct list_limits *limits)
{
    uint64_t bytes = node->end - offset;
    struct list_node *second =
        node_create(LIST_NODE_PACKED, grown_capacity(bytes + NODE_FRAME_BYTES, limits));
    second->start = NODE_START_MIN;
    second->end = NODE_START_MIN + bytes;
    memcpy(second->data + second->start, node->data + offset, bytes);
    node->end = offset;
    node->data[offset] = (char)LISTPACK_END;
    uint32_t count = node->count;
    node->count = (uint32_t)listpack_count_slow(list_node_listpack(node));
    second->count = count - node->count;
    node_seal(node);
    node_seal(second);
    node_link(list, second, node->links.next);
    return second;
}

/* Puts an element between two nodes (either may be NULL at an end), into one of them when it fits. */
static void list_put_between(struct list_value *list, struct list_node *left, struct list_node *right,
                             struct listpack_element element, const struct list_limits *limits)
{
    uint64_t bytes = listpack_element_bytes(element);
    bool packs = !element_is_plain(element);
    if (packs && left && node_has_room(left, bytes, limits))
        node_put(left, left->end, element, bytes, limits);
    else if (packs && right && node_has_room(right, bytes, limits))
        node_put(right, right->start, element, bytes, limits);
    else
        node_link(list, node_from_element(element, LIST_TAIL, limits), right ? &right->links : &list->nodes);
}

/* Puts an element at an offset in (or at an end of) a node, or beside it. */
static void list_put(struct list_value *list, struct list_node *node, uint64_t offset,
                     struct listpack_element element, const struct list_limits *limits)
{
    uint64_t bytes = listpack_element_bytes(element);
    list->length++;
    if (!element_is_plain(element) && node_has_room(node, bytes, limits))
        node_put(node, offset, element, bytes, limits);
    else if (offset == node->start)
        list_put_between(list, list_node_step(list, node, LIST_TAIL), node, element, limits);
    else if (offset == node->end)
        list_put_between(list, node, list_node_step(list, node, LIST_HEAD), element, limits);
    else
        list_put_between(list, node, node_split(list, node, offset, limits), element, limits);
}

void list_value_insert(struct list_value *list, struct list_place place, bool behind,
                       struct listpack_element element, const struct list_limits *limits)
{
    struct list_node *node = place.node;
    uint64_t offset = place.offset;
    if (behind && node->form == LIST_NODE_PLAIN)
        offset = node->end;
    else if (behind)
        offset = (uint64_t)(listpack_next(node->data + offset) - node->data);
    list_put(list, node, offset, element, limits);
    list_settle_all(list, limits);
}

/* Removes an element from a node that has more; keeps in *offset what follows it. */
static void node_remove_at(struct list_value *list, struct list_node *node, uint64_t *offset)
{
    const char *at = node->data + *offset;
    uint64_t front = *offset - node->start;
    node_close_gap(node, *offset, (uint64_t)(listpack_next(at) - at));
    *offset = node->start + front;
    node->count--;
    list->length--;
    node_seal(node);
}

void list_value_replace(struct list_value *list, struct list_place place, struct listpack_element element,
                        const struct list_limits *limits)
{
    struct list_node *node = place.node;
    if (node->count == 1) {
        node_link(list, node_from_element(element, LIST_TAIL, limits), &node->links);
        list->length++;
        node_drop(list, node);
    } else {
        uint64_t offset = place.offset;
        node_remove_at(list, node, &offset);
        list_put(list, node, offset, element, limits);
    }
    list_settle_all(list, limits);
}

/* ---- removing equal elements ---- */

static bool node_plain_equals(const struct list_node *node, const struct listpack_element *element)
{
    return element->data && element->length == node->end &&
           memcmp(element->data, node->data, element->length) == 0;
}

static bool node_holds_equal(const struct list_node *node, const struct listpack_element *element)
{
    if (node->form == LIST_NODE_PLAIN)
        return node_plain_equals(node, element);
    return listpack_find(node->data + node->start, element, 0) != NULL;
}

/* Removes up to limit equal elements of a packed node, none of which is its last one left. */
static uint64_t node_remove_forward(struct list_value *list, struct list_node *node,
                                    const struct listpack_element *element, uint64_t limit)
{
    uint64_t removed = 0, offset = node->start;
    while (removed < limit && offset < node->end) {
        const char *at = node->data + offset;
        if (!listpack_is_equal(at, element)) {
            offset = (uint64_t)(listpack_next(at) - node->data);
        } else if (node->count == 1) {
            node->count = 0;
            list->length--;
            return removed + 1;
        } else {
            node_remove_at(list, node, &offset);
            removed++;
        }
    }
    return removed;
}

static uint64_t node_remove_backward(struct list_value *list, struct list_node *node,
                                     const struct listpack_element *element, uint64_t limit)
{
    uint64_t removed = 0, offset = node->end;
    while (removed < limit && offset > node->start) {
        offset = (uint64_t)(listpack_previous(node->data + offset) - node->data);
        if (!listpack_is_equal(node->data + offset, element))
            continue;
        removed++;
        if (node->count == 1) {
            node->count = 0;
            list->length--;
            return removed;
        }
        node_remove_at(list, node, &offset);
    }
    return removed;
}

uint64_t list_value_remove_equal(struct list_value *list, enum list_end from,
                                 const struct listpack_element *element, uint64_t limit,
                                 const struct list_limits *limits)
{
    uint64_t removed = 0;
    struct list_node *next;
    for (struct list_node *node = list->node_count ? list_end_node(list, from) : NULL;
         node && removed < limit; node = next) {
        node = node_thaw(node);
        next = list_node_step(list, node, from);
        if (!node_holds_equal(node, element)) {
            continue;
        } else if (node->form == LIST_NODE_PLAIN) {
            removed++;
            node_drop(list, node);
            continue;
        }
        removed += from == LIST_HEAD ? node_remove_forward(list, node, element, limit - removed)
                                     : node_remove_backward(list, node, element, limit - removed);
        if (node->count == 0)
            node_drop(list, node);
        else
            node_shrink(node);
    }
    list_settle_all(list, limits);
    return removed;
}

/* ---- checking ---- */

void list_value_check(const struct list_value *list)
{
    uint64_t length = 0, nodes = 0;
    for (const struct links *at = list->nodes.next; at != &list->nodes; at = at->next) {
        const struct list_node *node = links_container(at, struct list_node, links);
        CHECK(node->count > 0 && at->next->previous == at);
        length += node->count;
        nodes++;
        size_t count = 1;
        if (node->form == LIST_NODE_PACKED) {
            CHECK(node->start >= NODE_START_MIN && node->end < node->capacity_bytes);
            CHECK(listpack_validate(list_node_listpack(node), node_used_bytes(node) + NODE_FRAME_BYTES,
                                    &count));
            CHECK(count == node->count);
        } else {
            CHECK(node->start == 0 && node->end <= node->capacity_bytes);
        }
    }
    CHECK(length == list->length && nodes == list->node_count);
}
