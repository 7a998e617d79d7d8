/* What one more identifier changes in a radix tree. See radix_count.h. Main thread only. */
#include "store/radix_count.h"

enum {
    DEPTH_ENDS = STREAM_ID_BYTES,
    DEPTH_ABOVE = -1, /* above the root, from where the first run of bytes comes down */
};

/* Bytes that two different identifiers begin with. */
static int common_bytes(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return __builtin_clzll(a.ms ^ b.ms) / 8;
    return 8 + __builtin_clzll(a.sequence ^ b.sequence) / 8;
}

/* The same for what is at a place, which may be behind an end. */
static int common_at(struct id_place place, struct stream_id id)
{
    return id_place_is_valid(place) ? common_bytes(id_place_id(place), id) : DEPTH_ABOVE;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* A way down between two depths takes its first byte from the node where it starts, and has a node for the
 * rest. */
static uint64_t way_nodes(int from, int to)
{
    return to - from > 1;
}

/* The smallest and the greatest identifier with the first so many bytes of one. */
static struct stream_id lowest_with(struct stream_id id, int bytes)
{
    uint64_t mask = bytes % 8 ? ~(uint64_t)0 << (64 - 8 * (bytes % 8)) : 0;
    return bytes < 8 ? (struct stream_id){id.ms & mask, 0} : (struct stream_id){id.ms, id.sequence & mask};
}

static struct stream_id greatest_with(struct stream_id id, int bytes)
{
    uint64_t rest = bytes % 8 ? ~(uint64_t)0 >> 8 * (bytes % 8) : ~(uint64_t)0;
    return bytes < 8 ? (struct stream_id){id.ms | rest, ~(uint64_t)0}
                     : (struct stream_id){id.ms, id.sequence | rest};
}

/* The places in front of an identifier that is not in the tree and behind it; at the ends without a search.
 */
static void find_neighbours(const struct id_tree *tree, struct stream_id id, struct id_place *before,
                            struct id_place *behind)
{
    *behind = id_tree_first(tree);
    *before = id_tree_last(tree);
    if (stream_id_is_less(id_place_id(*before), id)) {
        behind->leaf = NULL;
    } else if (stream_id_is_less(id, id_place_id(*behind))) {
        before->leaf = NULL;
    } else {
        *behind = id_tree_seek(tree, id);
        *before = id_place_previous(*behind);
    }
}

/* Do those that part from an identifier at a depth part from others there as well? Looks at the nearest ones,
 * which mostly know. */
static bool parts_nearby(struct id_place before, struct id_place behind, struct stream_id id, int depth)
{
    bool left = common_at(before, id) == depth, right = common_at(behind, id) == depth;
    if (left && right)
        return true;
    if (left)
        return common_at(id_place_previous(before), id_place_id(before)) == depth;
    return common_at(id_place_next(behind), id_place_id(behind)) == depth;
}

uint64_t radix_count_added(const struct id_tree *tree, struct stream_id id)
{
    struct id_place before, behind;
    if (tree->count == 0)
        return 1 + way_nodes(DEPTH_ABOVE, DEPTH_ENDS);
    find_neighbours(tree, id, &before, &behind);
    int parts = larger(common_at(before, id), common_at(behind, id));
    uint64_t own = 1 + way_nodes(parts, DEPTH_ENDS);
    if (parts_nearby(before, behind, id, parts))
        return own;

    /* Those that go the same way so far: do some of them part there as well, or where next? */
    struct id_place first = id_place_is_valid(before) ? id_tree_seek(tree, lowest_with(id, parts)) : behind;
    struct id_place last =
        id_place_is_valid(behind) ? id_tree_seek_back(tree, greatest_with(id, parts)) : before;
    struct stream_id first_id = id_place_id(first), last_id = id_place_id(last);
    int below = stream_id_is_equal(first_id, last_id) ? DEPTH_ENDS : common_bytes(first_id, last_id);
    if (below == parts)
        return own;
    /* A new node cuts the way that leads there from the last parting above it. */
    struct id_place next = id_place_next(last);
    int above = larger(common_at(id_place_previous(first), first_id), common_at(next, last_id));
    return own + 1 + way_nodes(above, parts) + way_nodes(parts, below) - way_nodes(above, below);
}
