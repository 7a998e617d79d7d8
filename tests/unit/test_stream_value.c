/* Streams against a plain array of entries: appending, deleting, trimming, walking both ways. */
#include "base/mem.h"
#include "store/stream_value.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { ENTRIES_MAX = 3000, FIELDS_MAX = 4 };

struct model_entry {
    struct stream_id id;
    uint32_t shape; /* which fields it has */
    uint32_t value; /* what its values are made of */
};

/* Live entries only, in order. */
struct model {
    struct model_entry entries[ENTRIES_MAX];
    size_t count;
    struct stream_id last;
    uint64_t added;
};

static struct stream_value *stream;
static struct model model;
static const struct stream_bounds few_entries = {.node_max_bytes = 300, .node_max_entries = 7};

static void set_up(void)
{
    stream = stream_value_create();
    model = (struct model){.count = 0};
}

static void tear_down(void)
{
    stream_value_free(stream, NULL);
    cr_assert_eq(mem_used_bytes(), 0);
}

TestSuite(stream_value, .init = set_up, .fini = tear_down);

/* ---- entries ---- */

/* Texts of an entry: some shapes share their fields, values are numbers, short and long strings. */
struct texts {
    char bytes[2 * FIELDS_MAX][80];
    struct slice slices[2 * FIELDS_MAX];
    uint32_t count;
};

static void make_value(char text[80], uint32_t value)
{
    if (value % 3 == 0)
        snprintf(text, 80, "%u", value);
    else if (value % 3 == 1)
        snprintf(text, 80, "value-%u", value);
    else
        snprintf(text, 80, "long, so that its length takes more bytes: %030u", value);
}

static void make_texts(struct texts *texts, uint32_t shape, uint32_t value)
{
    texts->count = 1 + shape % FIELDS_MAX;
    for (uint32_t i = 0; i < texts->count; i++) {
        snprintf(texts->bytes[2 * i], sizeof(texts->bytes[0]), "field-%u", i + shape / FIELDS_MAX);
        make_value(texts->bytes[2 * i + 1], value + i);
        texts->slices[2 * i] = slice_from_string(texts->bytes[2 * i]);
        texts->slices[2 * i + 1] = slice_from_string(texts->bytes[2 * i + 1]);
    }
}

static void append(struct stream_id id, uint32_t shape, uint32_t value)
{
    struct texts texts;
    make_texts(&texts, shape, value);
    stream_append(stream, &few_entries, id, texts.slices, texts.count);
    model.entries[model.count++] = (struct model_entry){id, shape, value};
    model.last = id;
    model.added++;
}

static void expect_text(struct listpack_element element, struct slice expected)
{
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    cr_assert(slice_equals(listpack_text(element, scratch), expected));
}

static void expect_entry(struct stream_entry *entry, const struct model_entry *expected)
{
    struct texts texts;
    make_texts(&texts, expected->shape, expected->value);
    cr_assert(stream_id_is_equal(entry->id, expected->id));
    cr_assert_eq(entry->field_count, texts.count);
    for (uint32_t i = 0; i < texts.count; i++) {
        struct listpack_element field, value;
        stream_entry_next(entry, &field, &value);
        expect_text(field, texts.slices[2 * i]);
        expect_text(value, texts.slices[2 * i + 1]);
    }
}

/* ---- comparing ---- */

static bool in_range(const struct model_entry *entry, struct stream_id from, struct stream_id to)
{
    return !stream_id_is_less(entry->id, from) && !stream_id_is_less(to, entry->id);
}

static void expect_range(struct stream_id from, struct stream_id to)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    stream_cursor_begin(&cursor, stream, from, to, false);
    for (size_t i = 0; i < model.count; i++) {
        if (!in_range(&model.entries[i], from, to))
            continue;
        cr_assert(stream_cursor_next(&cursor, &entry));
        expect_entry(&entry, &model.entries[i]);
    }
    cr_assert(!stream_cursor_next(&cursor, &entry));
    stream_cursor_begin(&cursor, stream, from, to, true);
    for (size_t i = model.count; i-- > 0;) {
        if (!in_range(&model.entries[i], from, to))
            continue;
        cr_assert(stream_cursor_next(&cursor, &entry));
        expect_entry(&entry, &model.entries[i]);
    }
    cr_assert(!stream_cursor_next(&cursor, &entry));
}

static void expect_same(void)
{
    struct stream_id first = model.count ? model.entries[0].id : STREAM_ID_NONE;
    struct stream_id last_live = model.count ? model.entries[model.count - 1].id : STREAM_ID_NONE;
    cr_assert_eq(stream->length, model.count);
    cr_assert(stream_id_is_equal(stream->first, first));
    cr_assert(stream_id_is_equal(stream->last, model.last));
    cr_assert(stream_id_is_equal(stream_last_live(stream), last_live));
    cr_assert_eq(stream->entries_added, model.added);
    cr_assert(id_tree_is_sound(&stream->nodes));
    expect_range(STREAM_ID_NONE, STREAM_ID_MAX);
}

/* What the bytes of every node say is what is in them, as a dump's reader would find. */
static void expect_nodes_valid(void)
{
    struct stream_id last = STREAM_ID_NONE;
    for (struct id_place at = id_tree_first(&stream->nodes); id_place_is_valid(at); at = id_place_next(at)) {
        const struct stream_block *block = *id_place_pointer(at);
        struct stream_node node;
        struct stream_entry entry;
        size_t elements;
        uint64_t counts[2] = {0, 0};
        cr_assert(listpack_validate(block->listpack, listpack_total_bytes(block->listpack), &elements));
        cr_assert(stream_node_open(&node, block->listpack, id_place_id(at)));
        enum stream_step step;
        while ((step = stream_node_next(&node, &entry)) == STREAM_STEP_ENTRY) {
            cr_assert(stream_id_is_less(last, entry.id));
            last = entry.id;
            counts[entry.is_deleted]++;
        }
        cr_assert_eq(step, STREAM_STEP_END);
        cr_assert_eq(counts[false], node.live);
        cr_assert_eq(counts[true], node.deleted);
    }
    cr_assert(!stream_id_is_less(stream->last, last));
}

/* ---- changing both ---- */

static void model_remove(size_t at, size_t count)
{
    model.count -= count;
    memmove(&model.entries[at], &model.entries[at + count], (model.count - at) * sizeof(model.entries[0]));
}

static void delete_id(struct stream_id id)
{
    size_t at = 0;
    while (at < model.count && !stream_id_is_equal(model.entries[at].id, id))
        at++;
    struct stream_entry entry;
    cr_assert_eq(stream_find(stream, id, &entry), at < model.count);
    if (at < model.count)
        expect_entry(&entry, &model.entries[at]);
    cr_assert_eq(stream_delete(stream, id), at < model.count);
    if (at < model.count)
        model_remove(at, 1);
}

/* By whole nodes something may stay that could go, but never the other way round. */
static void trim(const struct stream_trim *trim)
{
    size_t goes = 0;
    while (goes < model.count && (trim->by_id ? stream_id_is_less(model.entries[goes].id, trim->minimum)
                                              : model.count - goes > trim->maximum))
        goes++;
    uint64_t gone = stream_trim(stream, trim);
    if (trim->limit)
        cr_assert_leq(gone, trim->limit);
    if (trim->is_approximate)
        cr_assert_leq(gone, goes);
    else
        cr_assert_eq(gone, goes);
    model_remove(0, (size_t)gone);
}

static struct stream_id some_id(struct prng *prng)
{
    if (model.count && prng_one_in(prng, 2))
        return model.entries[prng_below(prng, model.count)].id;
    return (struct stream_id){prng_below(prng, model.last.ms + 2), prng_below(prng, 6)};
}

static void append_next(struct prng *prng)
{
    struct stream_id id = model.last;
    if (prng_one_in(prng, 3))
        id = (struct stream_id){id.ms + 1 + prng_below(prng, 3), prng_below(prng, 4)};
    else
        id.sequence += 1 + prng_below(prng, 2);
    append(id, (uint32_t)prng_below(prng, prng_one_in(prng, 4) ? 12 : 2), (uint32_t)prng_below(prng, 100000));
}

static void change(struct prng *prng)
{
    struct stream_trim how = {.by_id = prng_one_in(prng, 2),
                              .minimum = some_id(prng),
                              .maximum = model.count - prng_below(prng, model.count / 4 + 1),
                              .is_approximate = prng_one_in(prng, 2),
                              .limit = prng_one_in(prng, 4) ? prng_below(prng, 20) : 0};
    if (how.by_id && model.count > 20 && !prng_one_in(prng, 10))
        how.minimum = model.entries[prng_below(prng, 20)].id;
    if (!how.is_approximate)
        how.limit = 0;
    switch (prng_below(prng, 12)) {
    case 0:
        trim(&how);
        break;
    case 1:
    case 2:
    case 3:
        delete_id(some_id(prng));
        break;
    case 4:
        model.last = stream_last_live(stream);
        model.last.sequence += prng_below(prng, 2);
        if (stream_id_is_equal(model.last, STREAM_ID_NONE))
            model.last.sequence = 1;
        stream_set_last(stream, model.last);
        break;
    default:
        append_next(prng);
    }
}

Test(stream_value, random_changes_keep_it_as_the_array_is)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct prng prng = {seed};
        for (int i = 0; i < 2500; i++) {
            change(&prng);
            if (i % 20 == 0) {
                expect_same();
                expect_nodes_valid();
            }
            expect_range(some_id(&prng), some_id(&prng));
        }
        expect_same();
        while (model.count)
            delete_id(model.entries[prng_below(&prng, model.count)].id);
        expect_same();
    }
}

Test(stream_value, nodes_keep_to_their_bounds)
{
    for (uint32_t i = 1; i <= 70; i++)
        append((struct stream_id){i, 0}, 0, i);
    cr_assert_geq(stream->nodes.count, 10u);
    for (struct id_place at = id_tree_first(&stream->nodes); id_place_is_valid(at); at = id_place_next(at)) {
        const struct stream_block *block = *id_place_pointer(at);
        cr_assert_lt(listpack_total_bytes(block->listpack), 400u);
    }
    expect_same();
}

Test(stream_value, a_node_whose_entries_are_all_deleted_stays_and_goes_on)
{
    struct stream_trim how = {.by_id = true, .minimum = {1, 1}};
    append((struct stream_id){1, 0}, 0, 1);
    append((struct stream_id){2, 0}, 0, 2);
    delete_id((struct stream_id){2, 0});
    trim(&how);
    cr_assert_eq(stream->nodes.count, 1u);
    expect_same();
    append((struct stream_id){3, 0}, 0, 3);
    cr_assert_eq(stream->nodes.count, 1u);
    expect_same();
    expect_nodes_valid();
}

Test(stream_value, counts_that_grow_longer_move_what_is_behind)
{
    const struct stream_bounds bounds = {.node_max_bytes = 0, .node_max_entries = 0};
    struct texts texts;
    make_texts(&texts, 0, 0);
    for (uint64_t i = 1; i <= 9000; i++)
        stream_append(stream, &bounds, (struct stream_id){i, 0}, texts.slices, texts.count);
    cr_assert_eq(stream->nodes.count, 1u);
    for (uint64_t i = 1; i <= 8998; i++)
        cr_assert(stream_delete(stream, (struct stream_id){i, 0}));
    expect_nodes_valid();
    cr_assert_eq(stream->length, 2u);
    cr_assert_eq(stream->first.ms, 8999u);
    cr_assert_eq(stream->highest_deleted.ms, 8998u);
}

Test(stream_value, identifiers_may_lie_far_apart)
{
    append((struct stream_id){0, 1}, 0, 1);
    append((struct stream_id){0, UINT64_MAX}, 0, 2);
    append((struct stream_id){1, 0}, 1, 3);
    append((struct stream_id){INT64_MAX, 7}, 0, 4);
    append((struct stream_id){UINT64_MAX, UINT64_MAX}, 0, 5);
    expect_same();
    expect_nodes_valid();
}

Test(stream_value, a_copy_is_its_own)
{
    struct prng prng = {9};
    for (int i = 0; i < 300; i++)
        append_next(&prng);
    stream_group_create(&stream->groups, slice_from_string("g"), STREAM_ID_NONE, 3);
    struct stream_value *original = stream;
    stream = stream_value_copy(original);
    expect_same();
    cr_assert_eq(stream_group_count(&stream->groups), 1u);
    delete_id(model.entries[5].id);
    cr_assert_eq(original->length, model.count + 1);
    stream_value_free(original, NULL);
    expect_same();
}

Test(stream_value, a_large_one_is_freed_in_slices)
{
    struct reclaim reclaim;
    reclaim_init(&reclaim);
    struct stream_value *large = stream;
    const struct stream_bounds bounds = {.node_max_entries = 1};
    struct texts texts;
    make_texts(&texts, 0, 0);
    for (uint64_t i = 1; i <= 2000; i++)
        stream_append(large, &bounds, (struct stream_id){i, 0}, texts.slices, texts.count);
    stream_value_free(large, &reclaim);
    cr_assert_eq(reclaim.pending_items, 2000u);
    unsigned steps = 1;
    while (reclaim_step(&reclaim))
        steps++;
    cr_assert_gt(steps, 20u);
    cr_assert_eq(reclaim.freed_items, 2000u);
    stream = stream_value_create();
}

Test(stream_value, what_a_group_has_read_is_estimated)
{
    cr_assert_eq(stream_estimate_read(stream, (struct stream_id){5, 0}), 0);
    for (uint32_t i = 1; i <= 10; i++)
        append((struct stream_id){i, 0}, 0, i);
    cr_assert_eq(stream_estimate_read(stream, (struct stream_id){10, 0}), 10);
    cr_assert_eq(stream_estimate_read(stream, (struct stream_id){11, 0}), ENTRIES_READ_UNKNOWN);
    cr_assert_eq(stream_estimate_read(stream, (struct stream_id){5, 0}), ENTRIES_READ_UNKNOWN);
    cr_assert_eq(stream_estimate_read(stream, (struct stream_id){1, 0}), 1);
    cr_assert_eq(stream_estimate_read(stream, STREAM_ID_NONE), 0);
    delete_id((struct stream_id){5, 0});
    cr_assert_eq(stream_estimate_read(stream, (struct stream_id){1, 0}), ENTRIES_READ_UNKNOWN);
    cr_assert(stream_may_have_tombstone(stream, (struct stream_id){5, 0}, STREAM_ID_MAX));
    cr_assert(!stream_may_have_tombstone(stream, (struct stream_id){5, 1}, STREAM_ID_MAX));
}
