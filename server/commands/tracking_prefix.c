/*
 * Prefixes by length, and changes of a turn. See tracking_prefix.h.
 *
 * Invariants: lengths has each length that a prefix in the table has, with their number; a prefix is in dirty
 * while it has changes; a prefix knows of every change that it matches and that was noted, for the first time
 * or again, since it came up. Main thread only.
 */
#include "commands/tracking_prefix.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sort.h"

#include <string.h>

struct prefix_length {
    size_t length;
    uint64_t count;
};

enum { FIRST_CAPACITY = 4 };

/* Makes room for one more item in an array of pointers. */
static void *pointers_grow(void *items, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    items = mem_resize(items, *capacity * sizeof(void *), wanted * sizeof(void *));
    *capacity = wanted;
    return items;
}

/* ---- tables ---- */

static uint64_t prefix_hash(const void *item)
{
    return ((const struct tracking_prefix *)item)->hash;
}

static bool prefix_has_text(const void *item, const void *text)
{
    return slice_equals(tracking_prefix_text(item), *(const struct slice *)text);
}

static uint64_t change_hash(const void *item)
{
    return ((const struct tracking_change *)item)->hash;
}

static struct slice change_name(const struct tracking_change *change)
{
    return (struct slice){change->name, change->length};
}

static bool change_has_name(const void *item, const void *name)
{
    return slice_equals(change_name(item), *(const struct slice *)name);
}

static const struct table_type prefix_table_type = {.hash = prefix_hash};
static const struct table_type change_table_type = {.hash = change_hash};

static struct tracking_prefix *prefix_find(const struct tracking_prefixes *prefixes, struct slice text,
                                           uint64_t hash)
{
    void **slot = table_find(&prefixes->table, hash, prefix_has_text, &text);
    return slot ? *slot : NULL;
}

void tracking_prefixes_init(struct tracking_prefixes *prefixes)
{
    *prefixes = (struct tracking_prefixes){0};
    table_init(&prefixes->table, &prefix_table_type);
    table_init(&prefixes->changes, &change_table_type);
}

void tracking_prefixes_free(struct tracking_prefixes *prefixes)
{
    CHECK(prefixes->table.count == 0);
    tracking_prefixes_forget_changes(prefixes);
    table_clear(&prefixes->table);
    mem_free(prefixes->lengths, prefixes->length_capacity * sizeof(*prefixes->lengths));
    mem_free(prefixes->dirty, prefixes->dirty_capacity * sizeof(void *));
}

/* ---- lengths ---- */

/* Index of the first length that is not below this one. */
static size_t length_index(const struct tracking_prefixes *prefixes, size_t length)
{
    size_t low = 0, high = prefixes->length_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (prefixes->lengths[middle].length < length)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void length_add(struct tracking_prefixes *prefixes, size_t length)
{
    size_t at = length_index(prefixes, length), size = sizeof(*prefixes->lengths);
    if (at < prefixes->length_count && prefixes->lengths[at].length == length) {
        prefixes->lengths[at].count++;
        return;
    }
    if (prefixes->length_count == prefixes->length_capacity) {
        size_t capacity = prefixes->length_capacity ? 2 * prefixes->length_capacity : FIRST_CAPACITY;
        prefixes->lengths = mem_resize(prefixes->lengths, prefixes->length_capacity * size, capacity * size);
        prefixes->length_capacity = capacity;
    }
    memmove(prefixes->lengths + at + 1, prefixes->lengths + at, (prefixes->length_count - at) * size);
    prefixes->lengths[at] = (struct prefix_length){length, 1};
    prefixes->length_count++;
}

static void length_remove(struct tracking_prefixes *prefixes, size_t length)
{
    size_t at = length_index(prefixes, length);
    CHECK(at < prefixes->length_count && prefixes->lengths[at].length == length);
    if (--prefixes->lengths[at].count > 0)
        return;
    prefixes->length_count--;
    memmove(prefixes->lengths + at, prefixes->lengths + at + 1,
            (prefixes->length_count - at) * sizeof(*prefixes->lengths));
}

/* ---- prefixes ---- */

struct tracking_prefix *tracking_prefix_get(struct tracking_prefixes *prefixes, struct slice text)
{
    uint64_t hash = hash_bytes(text.data, text.length);
    struct tracking_prefix *prefix = prefix_find(prefixes, text, hash);
    if (prefix)
        return prefix;
    prefix = mem_alloc(sizeof(*prefix) + text.length);
    *prefix =
        (struct tracking_prefix){.hash = hash, .generation = ++prefixes->generation, .length = text.length};
    links_init(&prefix->registrations);
    if (text.length)
        memcpy(prefix->text, text.data, text.length);
    table_insert(&prefixes->table, hash, prefix);
    length_add(prefixes, text.length);
    return prefix;
}

static void prefix_forget_changes(struct tracking_prefix *prefix)
{
    mem_free(prefix->changes, prefix->change_capacity * sizeof(void *));
    prefix->changes = NULL;
    prefix->change_count = prefix->change_capacity = 0;
}

static void prefix_leave_dirty(struct tracking_prefixes *prefixes, const struct tracking_prefix *prefix)
{
    struct tracking_prefix *last = prefixes->dirty[--prefixes->dirty_count];
    prefixes->dirty[prefix->dirty_index] = last;
    last->dirty_index = prefix->dirty_index;
}

void tracking_prefix_drop(struct tracking_prefixes *prefixes, struct tracking_prefix *prefix)
{
    CHECK(links_is_empty(&prefix->registrations));
    struct slice text = tracking_prefix_text(prefix);
    void **slot = table_find(&prefixes->table, prefix->hash, prefix_has_text, &text);
    CHECK(slot != NULL);
    table_remove(&prefixes->table, prefix->hash, slot);
    length_remove(prefixes, prefix->length);
    if (prefix->change_count > 0)
        prefix_leave_dirty(prefixes, prefix);
    prefix_forget_changes(prefix);
    mem_free(prefix, sizeof(*prefix) + prefix->length);
}

/* ---- changes ---- */

static struct tracking_change *change_find(const struct tracking_prefixes *prefixes, struct slice name,
                                           uint64_t hash)
{
    void **slot = table_find(&prefixes->changes, hash, change_has_name, &name);
    return slot ? *slot : NULL;
}

static struct tracking_change *change_create(struct tracking_prefixes *prefixes, struct slice name,
                                             uint64_t hash)
{
    struct tracking_change *change = mem_alloc(sizeof(*change) + name.length);
    *change = (struct tracking_change){.hash = hash, .length = name.length};
    if (name.length)
        memcpy(change->name, name.data, name.length);
    table_insert(&prefixes->changes, hash, change);
    prefixes->all_changes =
        pointers_grow(prefixes->all_changes, prefixes->all_count, &prefixes->all_capacity);
    prefixes->all_changes[prefixes->all_count++] = change;
    return change;
}

static void prefix_add_change(struct tracking_prefixes *prefixes, struct tracking_prefix *prefix,
                              struct tracking_change *change)
{
    if (prefix->change_count == 0) {
        prefixes->dirty = pointers_grow(prefixes->dirty, prefixes->dirty_count, &prefixes->dirty_capacity);
        prefix->dirty_index = prefixes->dirty_count;
        prefixes->dirty[prefixes->dirty_count++] = prefix;
    }
    prefix->changes = pointers_grow(prefix->changes, prefix->change_count, &prefix->change_capacity);
    prefix->changes[prefix->change_count++] = change;
}

void tracking_prefixes_note(struct tracking_prefixes *prefixes, struct slice name, uint64_t changer,
                            bool keeps_changer)
{
    uint64_t hash = hash_bytes(name.data, name.length);
    struct tracking_change *change = change_find(prefixes, name, hash);
    if (change && keeps_changer)
        changer = change->changer;
    if (change && change->generation == prefixes->generation) {
        change->changer = changer;
        return;
    }
    uint64_t known = change ? change->generation : 0; /* prefixes that have it already */
    for (size_t i = 0; i < prefixes->length_count && prefixes->lengths[i].length <= name.length; i++) {
        struct slice start = {name.data, prefixes->lengths[i].length};
        struct tracking_prefix *prefix = prefix_find(prefixes, start, hash_bytes(start.data, start.length));
        if (prefix == NULL || prefix->generation <= known)
            continue;
        if (change == NULL)
            change = change_create(prefixes, name, hash);
        prefix_add_change(prefixes, prefix, change);
    }
    if (change == NULL)
        return;
    change->changer = changer;
    change->generation = prefixes->generation;
}

static int compare_prefixes(const void *a, const void *b, const void *context)
{
    (void)context;
    return slice_compare(tracking_prefix_text(a), tracking_prefix_text(b));
}

static int compare_changes(const void *a, const void *b, const void *context)
{
    (void)context;
    return slice_compare(change_name(a), change_name(b));
}

void tracking_prefixes_sort_changes(struct tracking_prefixes *prefixes)
{
    sort_pointers((void **)prefixes->dirty, prefixes->dirty_count, compare_prefixes, NULL);
    for (size_t i = 0; i < prefixes->dirty_count; i++)
        sort_pointers((void **)prefixes->dirty[i]->changes, prefixes->dirty[i]->change_count, compare_changes,
                      NULL);
}

void tracking_prefixes_forget_changes(struct tracking_prefixes *prefixes)
{
    for (size_t i = 0; i < prefixes->dirty_count; i++)
        prefix_forget_changes(prefixes->dirty[i]);
    prefixes->dirty_count = 0;
    for (size_t i = 0; i < prefixes->all_count; i++)
        mem_free(prefixes->all_changes[i], sizeof(struct tracking_change) + prefixes->all_changes[i]->length);
    mem_free(prefixes->all_changes, prefixes->all_capacity * sizeof(void *));
    prefixes->all_changes = NULL;
    prefixes->all_count = prefixes->all_capacity = 0;
    table_clear(&prefixes->changes);
}

/* ---- overlaps ---- */

struct overlap_text {
    struct slice text;
    size_t index;    /* among the added ones; SIZE_MAX: an old one */
    size_t smallest; /* index of it and the texts that it starts with */
};

static int compare_texts(const void *a, const void *b, const void *context)
{
    (void)context;
    return slice_compare(((const struct overlap_text *)a)->text, ((const struct overlap_text *)b)->text);
}

/* Walks the sorted texts with those that the present one starts with on a stack. */
static size_t smallest_overlap(struct overlap_text *const *sorted, size_t count, struct overlap_text **stack)
{
    size_t smallest = SIZE_MAX, depth = 0;
    for (size_t i = 0; i < count; i++) {
        struct overlap_text *text = sorted[i];
        while (depth > 0 && !tracking_prefixes_overlap(stack[depth - 1]->text, text->text))
            depth--;
        text->smallest = text->index;
        if (depth > 0 && stack[depth - 1]->smallest < text->smallest)
            text->smallest = stack[depth - 1]->smallest;
        if (depth > 0 && text->smallest < smallest)
            smallest = text->smallest;
        stack[depth++] = text;
    }
    return smallest;
}

size_t tracking_prefixes_find_overlap(const struct slice *added, size_t count, const struct slice *old,
                                      size_t old_count)
{
    size_t total = count + old_count;
    if (total < 2 || count == 0)
        return count;
    struct overlap_text *texts = mem_alloc(total * sizeof(*texts));
    struct overlap_text **sorted = mem_alloc(2 * total * sizeof(struct overlap_text *));
    for (size_t i = 0; i < total; i++) {
        texts[i] = i < count ? (struct overlap_text){added[i], i, 0}
                             : (struct overlap_text){old[i - count], SIZE_MAX, 0};
        sorted[i] = &texts[i];
    }
    sort_pointers((void **)sorted, total, compare_texts, NULL);
    size_t smallest = smallest_overlap(sorted, total, sorted + total);
    mem_free(sorted, 2 * total * sizeof(struct overlap_text *));
    mem_free(texts, total * sizeof(*texts));
    return smallest < count ? smallest : count;
}
