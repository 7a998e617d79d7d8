#ifndef SPINDLE_STORE_ID_TREE_H
#define SPINDLE_STORE_ID_TREE_H

#include "store/stream_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An ordered map from stream identifiers to pointers: a B+tree whose leaves are chained both ways. The nodes
 * of a stream and its pending entries are kept in such maps.
 *
 * Streams grow at the end and are trimmed at the front: a leaf that is full and last stays as it is and the
 * next identifier begins another, so that leaves stay full; elsewhere a full leaf splits in the middle. A
 * tree of few identifiers is one leaf that grows as needed.
 *
 * Invariants: identifiers ascend and occur once; all leaves are equally deep; nodes are not empty; a root
 * that is a branch has two children or more; a branch's lows are lower bounds of its children's identifiers
 * and above those of the child before. What the pointers point to is not owned. Main thread only; a forked
 * child may read.
 */

enum {
#ifdef SPINDLE_STRESS
    ID_LEAF_MAX = 4,
    ID_BRANCH_MAX = 4,
#else
    ID_LEAF_MAX = 41, /* a leaf fills 1 KB */
    ID_BRANCH_MAX = 42,
#endif
    ID_HEIGHT_MAX = 64, /* levels of branches: more than 2^64 identifiers need */
};

struct id_leaf;

struct id_tree {
    void *root; /* a leaf when there are no branches; NULL: empty */
    struct id_leaf *first, *last;
    unsigned height; /* levels of branches */
    uint64_t count;
    uint64_t bytes; /* memory of the nodes */
};

/* A place in a tree; leaf is NULL behind the end and in front of the beginning. Valid until the tree changes.
 */
struct id_place {
    struct id_leaf *leaf;
    unsigned index;
};

/* A tree of zero bytes is empty as well. */
void id_tree_init(struct id_tree *tree);
/* Frees the nodes; the caller has no more use for the pointers, or has freed what they point to. */
void id_tree_clear(struct id_tree *tree);

/* Adds an identifier. Returns false, and changes nothing, when it is there. */
bool id_tree_insert(struct id_tree *tree, struct stream_id id, void *pointer);

/* Removes an identifier and returns its pointer; NULL when it is not there. */
void *id_tree_remove(struct id_tree *tree, struct stream_id id);

/* The place of an identifier's pointer, for reading or replacing it; NULL when it is not there. */
void **id_tree_find(const struct id_tree *tree, struct stream_id id);

/* The first place whose identifier is not less than id. */
struct id_place id_tree_seek(const struct id_tree *tree, struct stream_id id);
/* The last place whose identifier is not greater than id. */
struct id_place id_tree_seek_back(const struct id_tree *tree, struct stream_id id);
struct id_place id_tree_first(const struct id_tree *tree);
struct id_place id_tree_last(const struct id_tree *tree);

static inline bool id_place_is_valid(struct id_place place)
{
    return place.leaf != NULL;
}

struct id_place id_place_next(struct id_place place);
struct id_place id_place_previous(struct id_place place);
struct stream_id id_place_id(struct id_place place);
/* The pointer there, for reading or replacing. */
void **id_place_pointer(struct id_place place);

/* Are the invariants kept? For tests: slow. */
bool id_tree_is_sound(const struct id_tree *tree);

#endif
