/* What identifiers add to a radix tree, against a walk over all of them. */
#include "store/radix_count.h"
#include "support/prng.h"

#include <criterion/criterion.h>

enum { STEPS = 4000 };

static int common_bytes(struct stream_id a, struct stream_id b)
{
    char left[STREAM_ID_BYTES], right[STREAM_ID_BYTES];
    int common = 0;
    stream_id_write(a, left);
    stream_id_write(b, right);
    while (common < STREAM_ID_BYTES && left[common] == right[common])
        common++;
    return common;
}

/* A way down over so many bytes from a branch takes its first one from there, and has a node for the rest. */
static uint64_t way_nodes(int bytes)
{
    return bytes > 1;
}

/* Follows from how much neighbours have in common: the walk keeps the depths at which the last identifier's
 * way parted from earlier ones. */
static uint64_t count_nodes(const struct id_tree *tree)
{
    int depths[STREAM_ID_BYTES + 1] = {-1}; /* the first stands for being above the root */
    int top = 0, before = -1;
    uint64_t nodes = 0;
    struct id_place place = id_tree_first(tree);
    while (id_place_is_valid(place)) {
        struct id_place next = id_place_next(place);
        int common = id_place_is_valid(next) ? common_bytes(id_place_id(place), id_place_id(next)) : -1;
        nodes += 1 + way_nodes(STREAM_ID_BYTES - (common > before ? common : before));
        for (; depths[top] > common; top--) {
            int above = depths[top - 1] > common ? depths[top - 1] : common;
            nodes += 1 + way_nodes(depths[top] - above);
        }
        if (depths[top] < common)
            depths[++top] = common;
        before = common;
        place = next;
    }
    return nodes;
}

/* Identifiers that part at every depth. */
static struct stream_id random_id(struct prng *prng, unsigned spread)
{
    struct stream_id id = {0};
    for (unsigned i = 0; i < spread; i++) {
        uint64_t byte = prng_below(prng, prng_one_in(prng, 4) ? 256 : 2);
        unsigned depth = (unsigned)prng_below(prng, STREAM_ID_BYTES);
        *(depth < 8 ? &id.ms : &id.sequence) |= byte << 8 * (depth % 8);
    }
    return id;
}

static void play(uint64_t seed, unsigned spread, size_t count_max)
{
    struct prng prng = {seed};
    struct id_tree tree;
    uint64_t nodes = 0;
    int value;
    id_tree_init(&tree);
    for (int step = 0; step < STEPS; step++) {
        struct stream_id id = random_id(&prng, spread);
        if (tree.count == count_max || (tree.count > 0 && prng_one_in(&prng, 3))) {
            struct id_place place = id_tree_seek(&tree, id);
            place = id_place_is_valid(place) ? place : id_tree_first(&tree);
            id = id_place_id(place);
            id_tree_remove(&tree, id);
            nodes -= radix_count_added(&tree, id);
        } else if (id_tree_find(&tree, id) == NULL) {
            nodes += radix_count_added(&tree, id);
            cr_assert(id_tree_insert(&tree, id, &value));
        }
        cr_assert_eq(nodes, count_nodes(&tree), "seed %ju, step %d", (uintmax_t)seed, step);
    }
    id_tree_clear(&tree);
}

Test(radix_count, keeps_what_a_walk_counts)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        play(seed, 1 + (unsigned)seed % 6, seed % 3 ? 200 : 5);
}
