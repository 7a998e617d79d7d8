/* Large sorted sets and the tree they are ordered by, against a sorted array. */
#include "base/hash.h"
#include "base/mem.h"
#include "store/zset_value.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 3000, MEMBER_TEXT = 40 };

struct model_item {
    double score;
    char text[MEMBER_TEXT];
};

struct model {
    struct model_item items[MEMBERS];
    size_t count;
};

static struct slice item_member(const struct model_item *item)
{
    return (struct slice){item->text, strlen(item->text)};
}

static int item_compare(const void *a, const void *b)
{
    const struct model_item *left = a, *right = b;
    if (left->score != right->score)
        return left->score < right->score ? -1 : 1;
    return strcmp(left->text, right->text);
}

static struct model_item *model_find(struct model *model, const char *text)
{
    for (size_t i = 0; i < model->count; i++) {
        if (strcmp(model->items[i].text, text) == 0)
            return &model->items[i];
    }
    return NULL;
}

static bool is_below(const void *bound, const struct zset_element *element)
{
    return element->score < *(const double *)bound;
}

static void check_equal(const struct zset_value *zset, struct model *model)
{
    zset_tree_check(&zset->tree);
    cr_assert_eq(zset_value_count(zset), model->count);
    cr_assert_eq(zset->members.count, model->count);
    qsort(model->items, model->count, sizeof(model->items[0]), item_compare);
    struct zset_place forward = zset_tree_at(&zset->tree, 0);
    for (size_t i = 0; i < model->count; i++, forward = zset_place_next(forward)) {
        const struct zset_element *element = zset_place_element(forward);
        cr_assert(slice_equals(zset_element_member(element), item_member(&model->items[i])));
        cr_assert_eq(element->score, model->items[i].score);
        cr_assert_eq(zset_tree_rank(&zset->tree, element), i);
        cr_assert_eq(zset_place_element(zset_tree_at(&zset->tree, i)), element);
    }
    cr_assert_null(forward.leaf);
    if (model->count == 0)
        return;
    struct zset_place backward = zset_tree_at(&zset->tree, model->count - 1);
    for (size_t i = model->count; i-- > 0; backward = zset_place_previous(backward))
        cr_assert_eq(zset_place_element(backward), zset_place_element(zset_tree_at(&zset->tree, i)));
    cr_assert_null(backward.leaf);
    double bound = model->items[model->count / 2].score;
    size_t below = 0;
    while (model->items[below].score < bound)
        below++;
    cr_assert_eq(zset_tree_count_before(&zset->tree, is_below, &bound), below);
}

/* How the tests choose scores and members: few or many values, long common beginnings. */
static double random_score(struct prng *prng, int style)
{
    if (style == 0)
        return 0;
    if (style == 1)
        return (double)prng_below(prng, 5) - 2;
    return ((double)prng_below(prng, 1000000) - 500000) / (prng_one_in(prng, 2) ? 1 : 1000);
}

static void random_member(struct prng *prng, int style, char *text)
{
    unsigned number = (unsigned)prng_below(prng, MEMBERS);
    if (style == 0)
        snprintf(text, MEMBER_TEXT, "element:%012u", number);
    else if (style == 1)
        snprintf(text, MEMBER_TEXT, "%u", number);
    else
        snprintf(text, MEMBER_TEXT, "%.*s%u", (int)(number % 12), "aaaaaaaaaaaa", number / 12);
}

static void step(struct zset_value *zset, struct model *model, struct prng *prng, int style, bool shrinking)
{
    struct model_item item;
    item.score = random_score(prng, style);
    random_member(prng, style, item.text);
    struct slice member = item_member(&item);
    uint64_t hash = zset_value_hash(member);
    struct zset_element *element = zset_value_find(zset, member, hash);
    struct model_item *known = model_find(model, item.text);
    cr_assert_eq(element != NULL, known != NULL);
    if (model->count > 0 && prng_one_in(prng, shrinking ? 2 : 6)) {
        size_t rank = prng_one_in(prng, 3) ? 0 : prng_below(prng, model->count);
        qsort(model->items, model->count, sizeof(model->items[0]), item_compare);
        zset_value_remove_at(zset, rank);
        model->items[rank] = model->items[--model->count];
    } else if (known && prng_one_in(prng, 2)) {
        zset_value_remove(zset, element);
        *known = model->items[--model->count];
    } else if (known) {
        zset_value_set_score(zset, element, item.score);
        known->score = item.score;
    } else if (!shrinking || prng_one_in(prng, 4)) {
        zset_value_insert(zset, member, hash, item.score);
        model->items[model->count++] = item;
    }
}

static void run_model(int style)
{
    struct prng prng = {7 + (uint64_t)style};
    struct model *model = calloc(1, sizeof(*model));
    struct zset_value *zset = zset_value_create();
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 900; i++)
            step(zset, model, &prng, style, round % 3 == 2);
        check_equal(zset, model);
    }
    struct zset_value *copy = zset_value_copy(zset);
    check_equal(copy, model);
    cr_assert_geq(zset_value_footprint_bytes(copy), zset->element_bytes);
    zset_value_free(copy, NULL);
    while (model->count > 0) {
        zset_value_remove_at(zset, model->count / 2);
        memmove(&model->items[model->count / 2], &model->items[model->count / 2 + 1],
                (model->count - model->count / 2 - 1) * sizeof(model->items[0]));
        model->count--;
        zset_tree_check(&zset->tree);
    }
    check_equal(zset, model);
    zset_value_free(zset, NULL);
    free(model);
}

Test(zset, equal_scores_follow_the_model)
{
    run_model(0);
}

Test(zset, few_scores_follow_the_model)
{
    run_model(1);
}

Test(zset, many_scores_follow_the_model)
{
    run_model(2);
}

static void add_number(struct zset_value *zset, int number, double score)
{
    char text[MEMBER_TEXT];
    struct slice member = {text, (size_t)snprintf(text, sizeof(text), "%d", number)};
    zset_value_insert(zset, member, zset_value_hash(member), score);
}

Test(zset, adding_in_order_fills_leaves)
{
    struct zset_value *up = zset_value_create(), *down = zset_value_create();
    for (int i = 0; i < 5000; i++) {
        add_number(up, i, i);
        add_number(down, i, -i);
    }
    zset_tree_check(&up->tree);
    zset_tree_check(&down->tree);
    uint64_t leaves = up->tree.bytes / mem_round(sizeof(struct zset_leaf));
    cr_assert_lt(leaves, 5000 * 2 / ZSET_LEAF_MAX);
    while (zset_value_count(down) > 0) {
        zset_value_remove_at(down, zset_value_count(down) - 1);
        zset_value_remove_at(up, 0);
        zset_tree_check(&up->tree);
    }
    zset_value_free(up, NULL);
    zset_value_free(down, NULL);
}

Test(zset, order_is_score_then_bytes_then_length)
{
    struct slice a = slice_from_string("a"), ab = slice_from_string("ab"), high = slice_from_string("\xff");
    cr_assert_lt(zset_compare(1, ab, 2, a), 0);
    cr_assert_lt(zset_compare(-1, ab, 1, a), 0);
    cr_assert_gt(zset_compare(-1, ab, -2, a), 0);
    cr_assert_lt(zset_compare(1, a, 1, ab), 0);
    cr_assert_lt(zset_compare(1, ab, 1, high), 0);
    cr_assert_eq(zset_compare(0.0, a, -0.0, a), 0);
}

Test(zset, large_sets_are_freed_in_slices)
{
    struct reclaim reclaim;
    reclaim_init(&reclaim);
    size_t before = mem_used_bytes();
    struct zset_value *zset = zset_value_create();
    for (int i = 0; i < 20000; i++)
        add_number(zset, i, i % 100);
    zset_value_free(zset, &reclaim);
    cr_assert_eq(reclaim.pending_items, 20000);
    int steps = 0;
    while (reclaim_step(&reclaim))
        steps++;
    cr_assert_gt(steps, 3);
    cr_assert_eq(reclaim.freed_items, 20000);
    cr_assert_eq(mem_used_bytes(), before);
}
