/* The ordered map of stream identifiers, against a sorted array. */
#include "base/mem.h"
#include "store/id_tree.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ARRAY_MAX = 4000 };

/* What the tree should hold. Pointers are made from identifiers. */
struct model {
    struct stream_id ids[ARRAY_MAX];
    size_t count;
};

static struct id_tree tree;
static struct model model;

static void set_up(void)
{
    id_tree_init(&tree);
    model.count = 0;
}

static void tear_down(void)
{
    id_tree_clear(&tree);
    cr_assert_eq(mem_used_bytes(), 0);
}

TestSuite(id_tree, .init = set_up, .fini = tear_down);

static void *pointer_of(struct stream_id id)
{
    return (void *)(uintptr_t)(id.ms * 100 + id.sequence + 1);
}

static size_t model_seek(struct stream_id id)
{
    size_t at = 0;
    while (at < model.count && stream_id_is_less(model.ids[at], id))
        at++;
    return at;
}

static bool model_has(size_t at, struct stream_id id)
{
    return at < model.count && stream_id_is_equal(model.ids[at], id);
}

static void insert(struct stream_id id)
{
    size_t at = model_seek(id);
    bool is_new = !model_has(at, id);
    cr_assert_eq(id_tree_insert(&tree, id, pointer_of(id)), is_new);
    if (!is_new)
        return;
    memmove(&model.ids[at + 1], &model.ids[at], (model.count - at) * sizeof(id));
    model.ids[at] = id;
    model.count++;
}

static void remove_id(struct stream_id id)
{
    size_t at = model_seek(id);
    bool is_there = model_has(at, id);
    cr_assert_eq(id_tree_remove(&tree, id), is_there ? pointer_of(id) : NULL);
    if (!is_there)
        return;
    model.count--;
    memmove(&model.ids[at], &model.ids[at + 1], (model.count - at) * sizeof(id));
}

static void expect_place(struct id_place place, size_t at, bool is_there)
{
    cr_assert_eq(id_place_is_valid(place), is_there);
    if (!is_there)
        return;
    cr_assert(stream_id_is_equal(id_place_id(place), model.ids[at]));
    cr_assert_eq(*id_place_pointer(place), pointer_of(model.ids[at]));
}

/* What the tree says of an identifier, there or not. */
static void expect_seeks(struct stream_id id)
{
    size_t at = model_seek(id);
    bool is_there = model_has(at, id);
    void **pointer = id_tree_find(&tree, id);
    cr_assert_eq(pointer != NULL, is_there);
    cr_assert(pointer == NULL || *pointer == pointer_of(id));
    expect_place(id_tree_seek(&tree, id), at, at < model.count);
    size_t back = is_there ? at : at - 1;
    expect_place(id_tree_seek_back(&tree, id), back, is_there || at > 0);
}

static void expect_walks(void)
{
    struct id_place place = id_tree_first(&tree);
    for (size_t i = 0; i < model.count; i++, place = id_place_next(place))
        expect_place(place, i, true);
    cr_assert(!id_place_is_valid(place));
    place = id_tree_last(&tree);
    for (size_t i = model.count; i-- > 0; place = id_place_previous(place))
        expect_place(place, i, true);
    cr_assert(!id_place_is_valid(place));
}

static void expect_same(void)
{
    cr_assert_eq(tree.count, model.count);
    cr_assert(id_tree_is_sound(&tree));
    expect_walks();
    for (size_t i = 0; i < model.count; i++)
        expect_seeks(model.ids[i]);
}

static struct stream_id random_id(struct prng *prng)
{
    return (struct stream_id){prng_below(prng, 60), prng_below(prng, 40)};
}

Test(id_tree, an_empty_one_has_nothing)
{
    struct stream_id id = {1, 1};
    expect_seeks(id);
    expect_seeks(STREAM_ID_NONE);
    expect_seeks(STREAM_ID_MAX);
    expect_walks();
    remove_id(id);
    cr_assert(id_tree_is_sound(&tree));
    cr_assert_eq(tree.bytes, 0);
}

Test(id_tree, random_insertions_and_removals_keep_it_as_the_array_is)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct prng prng = {seed};
        for (int i = 0; i < 6000; i++) {
            /* It grows, then shrinks, then grows again. */
            bool grows = prng_below(&prng, 10) < ((i / 2000) % 2 ? 2u : 8u);
            if (grows)
                insert(random_id(&prng));
            else
                remove_id(random_id(&prng));
            if (i % 50 == 0)
                expect_same();
            else
                expect_seeks(random_id(&prng));
        }
        expect_same();
        while (model.count)
            remove_id(model.ids[prng_below(&prng, model.count)]);
        expect_same();
        cr_assert_eq(tree.bytes, 0);
    }
}

Test(id_tree, what_grows_at_the_end_and_shrinks_at_the_front_stays_full)
{
    for (uint64_t i = 0; i < ARRAY_MAX; i++)
        insert((struct stream_id){i, i % 3});
    expect_same();
    size_t leaves = (ARRAY_MAX + ID_LEAF_MAX - 1) / ID_LEAF_MAX;
    size_t leaf_bytes = ID_LEAF_MAX * (sizeof(struct stream_id) + sizeof(void *)) + 24;
    cr_assert_lt(tree.bytes, leaves * mem_round(leaf_bytes) * (ID_BRANCH_MAX > 8 ? 108 : 220) / 100);
    for (size_t left = ARRAY_MAX; left > 0; left--) {
        remove_id(model.ids[0]);
        if (left % 97 == 0)
            expect_same();
    }
    cr_assert_eq(tree.bytes, 0);
}

Test(id_tree, what_is_left_of_many_takes_little)
{
    for (uint64_t i = 0; i < ARRAY_MAX; i++)
        insert((struct stream_id){i, 0});
    uint64_t full_bytes = tree.bytes;
    for (uint64_t i = 0; i < ARRAY_MAX; i++) {
        if (i % 20)
            remove_id((struct stream_id){i, 0});
    }
    expect_same();
    cr_assert_lt(tree.bytes, full_bytes / 3);
}

Test(id_tree, descending_identifiers_are_kept_in_order)
{
    for (uint64_t i = ARRAY_MAX; i > 0; i--)
        insert((struct stream_id){i, UINT64_MAX - i});
    expect_same();
}

Test(id_tree, pointers_can_be_replaced)
{
    struct stream_id id = {7, 7};
    int other;
    insert(id);
    *id_tree_find(&tree, id) = &other;
    cr_assert_eq(id_tree_remove(&tree, id), &other);
    model.count = 0;
}

Test(id_tree, clearing_frees_every_node)
{
    for (uint64_t i = 0; i < ARRAY_MAX; i++)
        insert((struct stream_id){i * 7919 % ARRAY_MAX, 0});
    id_tree_clear(&tree);
    cr_assert_eq(mem_used_bytes(), 0);
    cr_assert_eq(tree.count, 0);
    model.count = 0;
    expect_seeks(STREAM_ID_NONE);
}
