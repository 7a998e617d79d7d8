#ifndef SPINDLE_STORE_ZSET_TREE_H
#define SPINDLE_STORE_ZSET_TREE_H

#include "protocol/slice.h"
#include "store/prefix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The order of a large sorted set: a counted B+tree of its elements, by score, then by member as bytes.
 *
 * An element's sort key is its score as 8 bytes that sort like the number, then the member. Every node keeps
 * how many leading bytes of the key its elements share, and for each the 4 bytes behind them, so that a
 * search looks at few elements themselves. Leaves are chained both ways. A branch knows for each child how
 * many elements are below it and which is the first of them (for child 0 that is only kept right where a
 * neighbour to the left exists).
 *
 * Invariants: all leaves are equally deep; nodes are not empty; every branch has two children or more; hints
 * are what the shared length and the elements say. Elements are not owned. Main thread only; a forked child
 * may read.
 */

enum {
#ifdef SPINDLE_STRESS
    ZSET_LEAF_MAX = 8,
    ZSET_BRANCH_MAX = 8,
#else
    ZSET_LEAF_MAX = 40, /* a leaf fills 512 bytes */
    ZSET_BRANCH_MAX = 64,
#endif
    /* Levels of branches: more than 2^64 elements need. */
    ZSET_HEIGHT_MAX = 40,
};

/* A member with its score: one allocation. */
struct zset_element {
    double score;
    char member[]; /* length (prefix.h) and bytes */
};

static inline struct slice zset_element_member(const struct zset_element *element)
{
    struct slice member;
    member.data = prefix_get(element->member, &member.length);
    return member;
}

struct zset_leaf {
    uint16_t count;
    uint16_t shared_bytes;
    uint32_t hints[ZSET_LEAF_MAX];
    struct zset_leaf *previous;
    struct zset_leaf *next;
    struct zset_element *elements[ZSET_LEAF_MAX];
};

struct zset_tree {
    void *root; /* a leaf when height is 0, else a branch; NULL when empty */
    struct zset_leaf *first, *last;
    uint64_t count;
    uint64_t bytes; /* memory of the nodes */
    unsigned height;
};

/* A place in the order. Valid until the tree changes; leaf NULL: beyond the ends. */
struct zset_place {
    const struct zset_leaf *leaf;
    unsigned index;
};

static inline struct zset_element *zset_place_element(struct zset_place place)
{
    return place.leaf->elements[place.index];
}

static inline struct zset_place zset_place_next(struct zset_place place)
{
    if (++place.index < place.leaf->count)
        return place;
    return (struct zset_place){place.leaf->next, 0};
}

static inline struct zset_place zset_place_previous(struct zset_place place)
{
    if (place.index-- > 0)
        return place;
    place.leaf = place.leaf->previous;
    place.index = place.leaf ? place.leaf->count - 1u : 0;
    return place;
}

/* Below 0, 0, or above: the order of two pairs of score and member. */
int zset_compare(double a_score, struct slice a_member, double b_score, struct slice b_member);

/* Adds an element that is not in the tree. */
void zset_tree_insert(struct zset_tree *tree, struct zset_element *element);

/* Removes this element, which is in the tree; its score must not have changed. */
void zset_tree_remove(struct zset_tree *tree, const struct zset_element *element);

/* Removes and returns the element at a rank below count. */
struct zset_element *zset_tree_remove_at(struct zset_tree *tree, uint64_t rank);

/* How many elements stand before this one, which is in the tree. */
uint64_t zset_tree_rank(const struct zset_tree *tree, const struct zset_element *element);

/* The place at a rank; beyond the ends when there is none. */
struct zset_place zset_tree_at(const struct zset_tree *tree, uint64_t rank);

/* How many elements stand before the first for which is_before is false; it must be true for a run from the
 * first element on and false for the rest. */
uint64_t zset_tree_count_before(const struct zset_tree *tree,
                                bool (*is_before)(const void *bound, const struct zset_element *element),
                                const void *bound);

/* Frees one node, not its elements: branches first, then leaves. Returns false when there was none. In
 * between the tree is good for nothing else. */
bool zset_tree_free_node(struct zset_tree *tree);

/* Verifies every invariant: for tests. */
void zset_tree_check(const struct zset_tree *tree);

#endif
