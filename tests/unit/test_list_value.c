/* Long lists against an array, under several limits of their nodes. */
#include "base/mem.h"
#include "store/list_value.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { MODEL_MAX = 4000, TEXT_BYTES = 512, STEPS = 4000, COMPARED_EVERY = 250 };

struct model {
    unsigned values[MODEL_MAX];
    uint64_t count;
};

/* What a value looks like: an integer, a short or a long text. */
static struct slice value_text(unsigned value, char *text)
{
    size_t length = (size_t)snprintf(text, TEXT_BYTES, value % 3 ? "element %u" : "%u", value);
    if (value % 7 == 0) {
        memset(text + length, 'x', 40 + value % 350);
        length += 40 + value % 350;
    }
    return (struct slice){text, length};
}

static struct listpack_element value_element(unsigned value, char *text)
{
    return listpack_element_from(value_text(value, text));
}

static void expect_value(const struct list_place *place, unsigned value)
{
    char text[TEXT_BYTES], scratch[LISTPACK_INTEGER_TEXT_BYTES];
    struct slice actual = {place->node->data, place->node->end};
    if (place->node->form == LIST_NODE_PACKED)
        actual = listpack_text(listpack_get(place->node->data + place->offset), scratch);
    cr_assert(slice_equals(actual, value_text(value, text)), "%.*s is not %u", (int)actual.length,
              actual.data, value);
}

static void expect_equal(const struct list_value *list, const struct model *model)
{
    list_value_check(list);
    cr_assert_eq(list->length, model->count);
    struct list_value *copy = list_value_copy(list);
    for (uint64_t i = 0; i < model->count; i++) {
        struct list_place place = list_value_place(copy, i);
        expect_value(&place, model->values[i]);
    }
    list_value_free(copy, NULL);
}

static void model_insert(struct model *model, uint64_t index, unsigned value)
{
    memmove(model->values + index + 1, model->values + index, (model->count - index) * sizeof(unsigned));
    model->values[index] = value;
    model->count++;
}

static void model_remove(struct model *model, uint64_t index, uint64_t count)
{
    memmove(model->values + index, model->values + index + count,
            (model->count - index - count) * sizeof(unsigned));
    model->count -= count;
}

static uint64_t model_remove_equal(struct model *model, enum list_end from, unsigned value, uint64_t limit)
{
    uint64_t removed = 0;
    for (uint64_t i = 0; i < model->count && removed < limit;) {
        uint64_t index = from == LIST_HEAD ? i : model->count - 1 - i;
        if (model->values[index] != value) {
            i++;
            continue;
        }
        model_remove(model, index, 1);
        removed++;
    }
    return removed;
}

struct run {
    struct list_value *list;
    struct model model;
    struct prng prng;
    struct list_limits limits;
    struct reclaim reclaim;
};

static void push(struct run *run)
{
    char text[TEXT_BYTES];
    enum list_end end = prng_one_in(&run->prng, 2) ? LIST_HEAD : LIST_TAIL;
    for (uint64_t left = prng_below(&run->prng, 20); left > 0 && run->model.count < MODEL_MAX - 1; left--) {
        unsigned value = (unsigned)prng_below(&run->prng, 60);
        list_value_push(run->list, end, value_element(value, text), &run->limits);
        model_insert(&run->model, end == LIST_HEAD ? 0 : run->model.count, value);
    }
}

static void pop(struct run *run)
{
    bool head = prng_one_in(&run->prng, 2);
    uint64_t most = prng_one_in(&run->prng, 6) ? run->model.count : 25;
    uint64_t count = prng_below(&run->prng, most + 1);
    count = count < run->model.count ? count : run->model.count - 1;
    list_value_pop(run->list, head ? LIST_HEAD : LIST_TAIL, count, &run->limits, &run->reclaim);
    model_remove(&run->model, head ? 0 : run->model.count - count, count);
}

static void change_inside(struct run *run)
{
    char text[TEXT_BYTES];
    unsigned value = (unsigned)prng_below(&run->prng, 60);
    uint64_t index = prng_below(&run->prng, run->model.count);
    struct list_place place = list_value_place(run->list, index);
    expect_value(&place, run->model.values[index]);
    if (prng_one_in(&run->prng, 2)) {
        list_value_replace(run->list, place, value_element(value, text), &run->limits);
        run->model.values[index] = value;
    } else if (run->model.count < MODEL_MAX) {
        bool behind = prng_one_in(&run->prng, 2);
        list_value_insert(run->list, place, behind, value_element(value, text), &run->limits);
        model_insert(&run->model, index + behind, value);
    }
}

static void remove_equal(struct run *run)
{
    char text[TEXT_BYTES];
    unsigned value = (unsigned)prng_below(&run->prng, 60);
    enum list_end from = prng_one_in(&run->prng, 2) ? LIST_HEAD : LIST_TAIL;
    uint64_t limit = 1 + prng_below(&run->prng, 4);
    struct listpack_element element = value_element(value, text);
    uint64_t removed = list_value_remove_equal(run->list, from, &element, limit, &run->limits);
    cr_assert_eq(removed, model_remove_equal(&run->model, from, value, limit));
}

static void run_model(int64_t node_size, int64_t depth)
{
    static struct run run;
    run = (struct run){.prng = {(uint64_t)(node_size * 10 + depth)},
                       .limits = list_limits_from(node_size, depth)};
    size_t before = mem_used_bytes();
    reclaim_init(&run.reclaim);
    run.list = list_value_create();
    for (int i = 0; i < STEPS; i++) {
        uint64_t kind = prng_below(&run.prng, 10);
        if (kind < 4 || run.model.count < 3)
            push(&run);
        else if (kind < 7)
            pop(&run);
        else if (kind < 9)
            change_inside(&run);
        else
            remove_equal(&run);
        if (i % COMPARED_EVERY == 0)
            expect_equal(run.list, &run.model);
    }
    expect_equal(run.list, &run.model);
    list_value_free(run.list, &run.reclaim);
    reclaim_finish(&run.reclaim);
    cr_assert_eq(mem_used_bytes(), before);
}

Test(list_value, nodes_limited_by_bytes_follow_the_model)
{
    run_model(-1, 0);
    run_model(-2, 0);
}

Test(list_value, nodes_limited_by_count_follow_the_model)
{
    run_model(1, 0);
    run_model(5, 0);
}

Test(list_value, compressed_nodes_follow_the_model)
{
    run_model(4, 1);
    run_model(20, 2);
    run_model(-1, 1);
}

static struct list_value *list_of(unsigned count, const struct list_limits *limits)
{
    char text[TEXT_BYTES];
    struct list_value *list = list_value_create();
    for (unsigned i = 0; i < count; i++)
        list_value_push(list, LIST_TAIL, value_element(i, text), limits);
    return list;
}

/* Popping nearly everything touches few nodes: the rest waits in the queue, whole. */
Test(list_value, what_is_cut_off_is_freed_in_slices)
{
    enum { COUNT = 20000, KEPT = 30 };
    struct list_limits limits = list_limits_from(10, 0);
    for (int end = LIST_HEAD; end <= LIST_TAIL; end++) {
        struct reclaim reclaim;
        reclaim_init(&reclaim);
        size_t before = mem_used_bytes();
        struct list_value *list = list_of(COUNT, &limits);
        list_value_pop(list, (enum list_end)end, COUNT - KEPT, &limits, &reclaim);
        list_value_check(list);
        cr_assert_eq(list->length, KEPT);
        cr_assert_geq(reclaim.pending_items, COUNT - KEPT - 10);
        struct list_place first = list_value_place(list, 0);
        expect_value(&first, end == LIST_HEAD ? COUNT - KEPT : 0);
        list_value_pop(list, LIST_TAIL, KEPT, &limits, &reclaim);
        cr_assert_eq(list->length, 0);
        list_value_free(list, &reclaim);
        reclaim_finish(&reclaim);
        cr_assert_eq(mem_used_bytes(), before);
    }
}
