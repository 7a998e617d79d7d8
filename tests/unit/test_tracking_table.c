/* Names and their clients against a plain model: numbers of both widths, in any order, names of any bytes. */
#include "base/mem.h"
#include "commands/tracking_table.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { NAMES = 40, CLIENTS = 200 };

struct model {
    bool reads[NAMES][CLIENTS];
};

/* Half of them need more than 32 bits. */
static uint64_t client_number(int client)
{
    return client % 2 ? (UINT64_C(1) << 32) + (uint64_t)client : 1 + (uint64_t)client;
}

static struct key name_of(int name, char *text)
{
    int length = sprintf(text, "%*d", name % 7, name); /* the first one of them is short */
    text[0] = (char)(name % 3 ? text[0] : '\0');
    return key_make((struct slice){text, (size_t)length});
}

static int model_count(const struct model *model, int name)
{
    int count = 0;
    for (int client = 0; client < CLIENTS; client++)
        count += model->reads[name][client];
    return count;
}

static void check_key(const struct model *model, int name, const struct tracked_key *key)
{
    cr_assert_eq(tracked_key_count(key), model_count(model, name));
    for (uint32_t i = 0; i < tracked_key_count(key); i++) {
        uint64_t number = tracked_key_client(key, i);
        int client = (int)(uint32_t)number - (number <= UINT32_MAX);
        cr_assert_lt(client, CLIENTS);
        cr_assert_eq(client_number(client), number);
        cr_assert(model->reads[name][client]);
        cr_assert(i == 0 || tracked_key_client(key, i - 1) < number);
    }
}

static void take(struct tracking_table *table, struct model *model, int name)
{
    char text[32];
    struct key wanted = name_of(name, text);
    struct tracked_key *key = tracking_table_take(table, &wanted);
    cr_assert_eq(key != NULL, model_count(model, name) > 0);
    if (key == NULL)
        return;
    cr_assert(slice_equals(tracked_key_name(key), wanted.name));
    check_key(model, name, key);
    tracked_key_free(key);
    memset(model->reads[name], 0, sizeof(model->reads[name]));
}

static void play(uint64_t seed, int client_span)
{
    struct prng prng = {seed};
    struct model model = {0};
    struct tracking_table table;
    tracking_table_init(&table);
    for (int step = 0; step < 20000; step++) {
        int name = (int)prng_below(&prng, NAMES);
        if (prng_one_in(&prng, 60)) {
            take(&table, &model, name);
        } else {
            char text[32];
            struct key key = name_of(name, text);
            int client = (int)prng_below(&prng, (uint64_t)client_span);
            tracking_table_add(&table, &key, client_number(client));
            model.reads[name][client] = true;
        }
    }
    uint64_t items = 0;
    for (int name = 0; name < NAMES; name++)
        items += (uint64_t)model_count(&model, name);
    cr_assert_eq(table.items, items);
    for (int name = 0; name < NAMES; name++)
        take(&table, &model, name);
    cr_assert_eq(table.items, 0);
    cr_assert_eq(table.keys.count, 0);
    tracking_table_free(&table);
}

Test(tracking_table, agrees_with_a_model)
{
    play(1, CLIENTS);
    play(2, 3);
    play(3, 1);
}

static void add_names(struct tracking_table *table, int count)
{
    for (int i = 0; i < count; i++) {
        char text[32];
        sprintf(text, "key:%012d", i);
        struct key key = key_make(slice_from_string(text));
        tracking_table_add(table, &key, 7);
    }
}

Test(tracking_table, takes_names_at_random_until_none_is_left)
{
    struct tracking_table table;
    struct random_state random;
    random_seed(&random, 1);
    tracking_table_init(&table);
    add_names(&table, 1000);
    for (int left = 1000; left > 0; left--) {
        cr_assert_eq(table.items, left);
        tracked_key_free(tracking_table_take_random(&table, &random));
    }
    cr_assert_null(tracking_table_take_random(&table, &random));
    tracking_table_free(&table);
}

Test(tracking_table, clears_many_names_in_slices)
{
    struct tracking_table table;
    struct reclaim reclaim;
    reclaim_init(&reclaim);
    tracking_table_init(&table);
    size_t before = mem_used_bytes();
    add_names(&table, 100000);
#ifndef SPINDLE_STRESS
    cr_assert_leq(mem_used_bytes() - before, 100000 * 48, "32 bytes and a place in the table");
#endif
    tracking_table_clear(&table, &reclaim);
    cr_assert_eq(table.keys.count + table.items, 0);
    cr_assert_eq(reclaim.pending_items, 100000);
    add_names(&table, 10); /* goes on meanwhile */
    cr_assert(reclaim_step(&reclaim));
    cr_assert_geq(reclaim.pending_items, 90000, "one step frees a part");
    reclaim_finish(&reclaim);
    cr_assert_eq(table.items, 10);
    tracking_table_clear(&table, &reclaim);
    cr_assert(reclaim_is_idle(&reclaim));
    cr_assert_eq(mem_used_bytes(), before);
}
