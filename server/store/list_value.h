#ifndef SPINDLE_STORE_LIST_VALUE_H
#define SPINDLE_STORE_LIST_VALUE_H

#include "base/links.h"
#include "store/listpack.h"
#include "store/reclaim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Long lists: a chain of nodes of some kilobytes, each with elements in the layout of a listpack. (Short ones
 * are a listpack in their entry; list_type.h serves both.)
 *
 * A node keeps its elements somewhere inside its block, with room in front and behind, so that pushing and
 * popping at either end moves nothing. A complete listpack is always there: a header directly in front of the
 * first element, and the end mark behind the last.
 *
 * With list-compress-depth, nodes that are further from both ends than that are compressed with LZF while
 * nobody changes them. An element that is too long for a listpack is a plain node of its own.
 *
 * Invariants: no node is empty; length is the sum of their counts; the nodes within the depth that was last
 * told are not compressed. Main thread only; a forked child may read.
 */

enum list_end { LIST_HEAD, LIST_TAIL };

enum list_node_form {
    LIST_NODE_PACKED,
    LIST_NODE_PLAIN,      /* the bytes of one element */
    LIST_NODE_COMPRESSED, /* a packed node's listpack through LZF */
};

enum {
#ifdef SPINDLE_STRESS
    LIST_PLAIN_MIN_BYTES = 300,
    LIST_COMPRESS_MIN_BYTES = 24,
#else
    LIST_PLAIN_MIN_BYTES = LISTPACK_MAX_BYTES,
    LIST_COMPRESS_MIN_BYTES = 48,
#endif
};

struct list_node {
    struct links links;
    uint64_t capacity_bytes; /* of data */
    uint64_t start, end;     /* used bytes of data: elements; plain or compressed bytes */
    uint64_t raw_bytes;      /* compressed: bytes of the listpack */
    uint32_t count;
    uint8_t form;
    bool incompressible; /* LZF gained nothing since it last changed */
    char data[];
};

struct list_value {
    struct links nodes;
    uint64_t length;
    uint64_t node_count;
};

/* How much one node holds. */
struct list_limits {
    uint32_t node_bytes;
    uint32_t node_count;
    uint32_t compress_depth; /* 0: no compression */
};

/* What list-max-listpack-size and list-compress-depth mean. */
struct list_limits list_limits_from(int64_t max_listpack_size, int64_t compress_depth);

struct list_value *list_value_create(void);
/* Frees at once when it is short, else in slices. */
void list_value_free(struct list_value *list, struct reclaim *reclaim);
struct list_value *list_value_copy(const struct list_value *list);
size_t list_value_footprint_bytes(const struct list_value *list);

/* ---- nodes ---- */

static inline struct list_node *list_node_from(struct links *links)
{
    return links_container(links, struct list_node, links);
}

static inline struct list_node *list_end_node(const struct list_value *list, enum list_end end)
{
    return list_node_from(end == LIST_HEAD ? list->nodes.next : list->nodes.previous);
}

/* The next node in the direction away from this end; NULL behind the last. */
static inline struct list_node *list_node_step(const struct list_value *list, const struct list_node *node,
                                               enum list_end from)
{
    struct links *links = from == LIST_HEAD ? node->links.next : node->links.previous;
    return links == &list->nodes ? NULL : list_node_from(links);
}

/* Complete listpack of a packed node. */
static inline const char *list_node_listpack(const struct list_node *node)
{
    return node->data + node->start - LISTPACK_HEADER_BYTES;
}

/* Writes the listpack of a compressed node, raw_bytes long. Returns false when the bytes are damaged. */
bool list_node_expand(const struct list_node *node, char *listpack);

/* ---- changing ---- */

/* Element data must not lie in the list itself. */
void list_value_push(struct list_value *list, enum list_end end, struct listpack_element element,
                     const struct list_limits *limits);

/* Appends a whole listpack as a node (loading): of count elements, checked by the caller. */
void list_value_append_listpack(struct list_value *list, struct slice listpack, size_t count,
                                const struct list_limits *limits);

/* Removes count (at most length) elements from an end. Many are freed in slices. */
void list_value_pop(struct list_value *list, enum list_end end, uint64_t count,
                    const struct list_limits *limits, struct reclaim *reclaim);

/* A place in the list: an element of a node that is not compressed. Any change but the one that took it makes
 * it invalid. */
struct list_place {
    struct list_node *node;
    uint64_t offset; /* in data */
};

/* Finds an element by index from the head and makes its node changeable. Index is less than length. */
struct list_place list_value_place(struct list_value *list, uint64_t index);

/* Inserts in front of (or behind) an element. */
void list_value_insert(struct list_value *list, struct list_place place, bool behind,
                       struct listpack_element element, const struct list_limits *limits);

void list_value_replace(struct list_value *list, struct list_place place, struct listpack_element element,
                        const struct list_limits *limits);

/* Removes up to limit elements that equal one, looking from an end. Returns how many. */
uint64_t list_value_remove_equal(struct list_value *list, enum list_end from,
                                 const struct listpack_element *element, uint64_t limit,
                                 const struct list_limits *limits);

/* For tests: verifies the invariants and stops the process when they do not hold. */
void list_value_check(const struct list_value *list);

#endif
