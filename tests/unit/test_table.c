/* The segmented table against a plain array: growth, removal, walks, deadlines, hostile hashes. */
#include "base/mem.h"
#include "base/random.h"
#include "store/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct item {
    uint64_t hash;
    uint32_t number;
    bool present;
    uint32_t visits;
    uint32_t deadline;
};

static uint64_t item_hash(const void *item)
{
    return ((const struct item *)item)->hash;
}

static bool item_is(const void *item, const void *key)
{
    return item == key;
}

static const struct table_type item_type = {.hash = item_hash};

static struct item *items_create(uint32_t count, uint64_t seed, uint64_t hash_mask)
{
    struct random_state random;
    random_seed(&random, seed);
    struct item *items = calloc(count, sizeof(*items));
    for (uint32_t i = 0; i < count; i++)
        items[i] = (struct item){.hash = random_next(&random) & hash_mask, .number = i};
    return items;
}

static void items_insert(struct table *table, struct item *items, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        table_insert(table, items[i].hash, &items[i]);
        items[i].present = true;
    }
}

static void item_remove(struct table *table, struct item *item)
{
    void **slot = table_find(table, item->hash, item_is, item);
    cr_assert_not_null(slot);
    table_remove(table, item->hash, slot);
    item->present = false;
}

static void items_check(const struct table *table, const struct item *items, uint32_t count)
{
    uint64_t present = 0;
    for (uint32_t i = 0; i < count; i++) {
        void **slot = table_find(table, items[i].hash, item_is, &items[i]);
        cr_assert_eq(slot != NULL, items[i].present, "item %u", i);
        present += items[i].present;
    }
    cr_assert_eq(table->count, present);
}

static void item_visit(void *context, void *item)
{
    (void)context;
    ((struct item *)item)->visits++;
}

Test(table, finds_what_was_inserted_and_nothing_else_at_every_size)
{
    enum { COUNT = 20000 };
    struct item *items = items_create(COUNT, 1, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    for (uint32_t i = 0; i < COUNT; i++) {
        items_insert(&table, items, i, i + 1);
        if (i < 300 || i % 997 == 0)
            items_check(&table, items, i + 1);
    }
    items_check(&table, items, COUNT);
    table_clear(&table);
    cr_assert_eq(table.bytes, 0);
    cr_assert_eq(mem_used_bytes(), 0);
    free(items);
}

Test(table, shrinks_to_nothing_when_items_are_removed_in_any_order)
{
    enum { COUNT = 30000 };
    struct item *items = items_create(COUNT, 2, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    items_insert(&table, items, 0, COUNT);
    uint64_t full_bytes = table.bytes;
    struct random_state random;
    random_seed(&random, 3);
    for (uint32_t left = COUNT; left > 0; left--) {
        uint32_t pick = (uint32_t)random_below(&random, left);
        struct item chosen = items[pick];
        item_remove(&table, &items[pick]);
        /* The table points at items: exchange by removing and inserting the last one again. */
        if (pick != left - 1) {
            item_remove(&table, &items[left - 1]);
            items[pick] = items[left - 1];
            items_insert(&table, items, pick, pick + 1);
            items[left - 1] = chosen;
            items[left - 1].present = false;
        }
        if (left % 3001 == 0)
            items_check(&table, items, COUNT);
        if (left == COUNT / 10)
            cr_assert_lt(table.bytes, full_bytes / 4);
    }
    cr_assert_eq(table.bytes, 0);
    cr_assert_null(table.directory);
    free(items);
}

Test(table, keeps_chaining_when_hashes_do_not_separate)
{
    enum { COUNT = 20000 };
    struct item *items = items_create(COUNT, 4, 0xff); /* all in one bucket of one segment */
    struct table table;
    table_init(&table, &item_type);
    items_insert(&table, items, 0, COUNT);
    for (uint32_t i = 0; i < COUNT; i += 499)
        cr_assert_not_null(table_find(&table, items[i].hash, item_is, &items[i]));
    cr_assert_lt(table.bytes, COUNT * 64);
    for (uint32_t i = 0; i < COUNT; i++)
        item_remove(&table, &items[i]);
    cr_assert_eq(table.bytes, 0);
    free(items);
}

/* Walks while the table grows and shrinks; items that stay must be visited. */
static void check_walk(uint64_t seed, uint32_t start, uint32_t inserted_each, uint32_t removed_each)
{
    enum { COUNT = 40000 };
    struct item *items = items_create(COUNT, seed, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    uint32_t stay = start / 4, top = start, bottom = stay;
    items_insert(&table, items, 0, start);
    uint64_t position = 0;
    bool more;
    do {
        uint64_t cursor = table_position_to_cursor(position);
        position = table_cursor_to_position(cursor);
        more = table_visit_bucket(&table, &position, item_visit, NULL);
        for (uint32_t i = 0; i < inserted_each && top < COUNT; i++, top++)
            items_insert(&table, items, top, top + 1);
        for (uint32_t i = 0; i < removed_each && bottom < top; i++, bottom++)
            item_remove(&table, &items[bottom]);
    } while (more);
    for (uint32_t i = 0; i < stay; i++)
        cr_assert_geq(items[i].visits, 1, "seed %llu item %u", (unsigned long long)seed, i);
    table_clear(&table);
    free(items);
}

Test(table, walk_visits_all_that_stay_while_the_table_changes)
{
    check_walk(10, 10000, 0, 0);
    check_walk(11, 10, 60, 0);
    check_walk(12, 3000, 40, 0);
    check_walk(13, 30000, 0, 12);
    check_walk(14, 12000, 25, 20);
    check_walk(15, 0, 5, 0);
}

Test(table, walk_without_changes_visits_once)
{
    enum { COUNT = 10000 };
    struct item *items = items_create(COUNT, 20, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    items_insert(&table, items, 0, COUNT);
    uint64_t position = 0;
    while (table_visit_bucket(&table, &position, item_visit, NULL))
        ;
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert_eq(items[i].visits, 1);
    table_clear(&table);
    free(items);
}

Test(table, random_is_uniform)
{
    /* 20 items of 2500: expected 400 visits each, standard deviation 20. */
    enum { COUNT = 2500, DRAWS = 1000000 };
    struct item *items = items_create(COUNT, 30, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    items_insert(&table, items, 0, COUNT);
    struct random_state random;
    random_seed(&random, 31);
    for (uint32_t i = 0; i < DRAWS; i++)
        ((struct item *)table_random(&table, &random))->visits++;
    double chi_square = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        double difference = items[i].visits - (double)DRAWS / COUNT;
        chi_square += difference * difference / ((double)DRAWS / COUNT);
    }
    /* Chi-square with 2499 degrees of freedom: mean 2499, deviation 71. */
    cr_assert_lt(chi_square, 2499 + 6 * 71, "chi-square %f", chi_square);
    table_clear(&table);
    free(items);
}

Test(table, due_buckets_cover_every_deadline_over_growth)
{
    enum { COUNT = 20000 };
    struct item *items = items_create(COUNT, 40, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    struct random_state random;
    random_seed(&random, 41);
    for (uint32_t i = 0; i < COUNT; i++) {
        items_insert(&table, items, i, i + 1);
        items[i].deadline = i % 3 ? TABLE_DEADLINE_NONE : (uint32_t)random_below(&random, 1000);
        table_note_deadline(&table, items[i].hash, items[i].deadline);
    }
    uint64_t position = 0;
    while (table_next_due(&table, &position, 500)) {
        uint64_t next = position;
        table_visit_bucket(&table, &next, item_visit, NULL);
        position = next;
        if (next == 0)
            break;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert(items[i].deadline > 500 || items[i].visits == 1, "item %u deadline %u visits %u", i,
                  items[i].deadline, items[i].visits);
    table_clear(&table);
    free(items);
}

Test(table, reserve_does_not_change_what_is_found)
{
    enum { COUNT = 30000 };
    struct item *items = items_create(COUNT, 50, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    table_reserve(&table, COUNT / 3);
    items_insert(&table, items, 0, COUNT);
    items_check(&table, items, COUNT);
    table_clear(&table);
    free(items);
}

Test(table, drain_gives_every_item_once_and_all_memory_back)
{
    enum { COUNT = 30000 };
    struct item *items = items_create(COUNT, 60, UINT64_MAX);
    struct table table;
    table_init(&table, &item_type);
    items_insert(&table, items, 0, COUNT);
    size_t at = 0;
    while (table_drain(&table, &at, item_visit, NULL))
        ;
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert_eq(items[i].visits, 1);
    cr_assert_eq(mem_used_bytes(), 0);
    free(items);
}
