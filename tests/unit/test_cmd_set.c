/* Hash and set commands: events, counted changes, conversions, and random choices. */
#include "command_fixture.h"
#include "store/hash_type.h"
#include "store/set_type.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){
        .hash_max_listpack_entries = 8, .hash_max_listpack_value = 16, .set_max_intset_entries = 8};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(collections, .init = setup, .fini = teardown);

Test(collections, hash_changes_are_counted_and_reported)
{
    fixture_expect_change(&fixture, "HSET h a 1 b 2 a 3", ":2|", "hset h;", 3);
    fixture_expect_change(&fixture, "HMSET h c 3", "+OK|", "hset h;", 1);
    fixture_expect_change(&fixture, "HSETNX h c 4", ":0|", "", 0);
    fixture_expect_change(&fixture, "HSETNX h d 4", ":1|", "hset h;", 1);
    fixture_expect_change(&fixture, "HINCRBY h a 4", ":7|", "hincrby h;", 1);
    fixture_expect_change(&fixture, "HINCRBYFLOAT h a 0.5", "$3|7.5|", "hincrbyfloat h;", 1);
    fixture_expect_change(&fixture, "HINCRBY h a 4", "-ERR hash value is not an integer|", "", 0);
    fixture_expect_change(&fixture, "HDEL h x y", ":0|", "", 0);
    fixture_expect_change(&fixture, "HDEL h a b x", ":2|", "hdel h;", 2);
    fixture_expect_change(&fixture, "HDEL h c d c", ":2|", "hdel h;del h;", 2);
    fixture_expect(&fixture, "EXISTS h", ":0|");
    fixture_expect_change(&fixture, "HDEL h c", ":0|", "", 0);
    fixture_expect(&fixture, "HSET h a", "-ERR wrong number of arguments for 'hset' command|");
}

Test(collections, set_changes_are_counted_and_reported)
{
    fixture_expect_change(&fixture, "SADD s 1 2 3 2", ":3|", "sadd s;", 3);
    fixture_expect_change(&fixture, "SADD s 1", ":0|", "", 0);
    fixture_expect_change(&fixture, "SREM s 1 9", ":1|", "srem s;", 1);
    fixture_expect_change(&fixture, "SMOVE s t 2", ":1|", "srem s;sadd t;", 2);
    fixture_expect_change(&fixture, "SMOVE s t 3", ":1|", "srem s;del s;sadd t;", 2);
    fixture_expect_change(&fixture, "SMOVE t t 3", ":1|", "", 0);
    fixture_expect_change(&fixture, "SUNIONSTORE u t", ":2|", "sunionstore u;", 1);
    fixture_expect_change(&fixture, "SDIFFSTORE u t t", ":0|", "del u;", 1);
    fixture_expect_change(&fixture, "SINTERSTORE u t none", ":0|", "", 0);
    fixture_expect_change(&fixture, "SPOP t 0", "*0|", "", 0);
    fixture_expect_change(&fixture, "SPOP t 9", "*2|$1|2|$1|3|", "spop t;del t;", 2);
    fixture_expect_change(&fixture, "SADD t 5", ":1|", "sadd t;", 1);
    fixture_expect_change(&fixture, "SPOP t", "$1|5|", "spop t;del t;", 1);
    fixture_expect_change(&fixture, "SPOP t", "$-1|", "", 0);
}

Test(collections, conversions_happen_at_the_limits_and_are_final)
{
    for (int i = 0; i < 8; i++) {
        char line[64];
        snprintf(line, sizeof(line), "HSET h f%d v", i);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "SADD s %d", i);
        fixture_run(&fixture, line);
    }
    cr_assert_str_eq(fixture_encoding(&fixture, "h"), "listpack");
    cr_assert_str_eq(fixture_encoding(&fixture, "s"), "intset");
    fixture_run(&fixture, "EXPIREAT h 2000000000");
    fixture_run(&fixture, "HSET h f8 v");
    fixture_run(&fixture, "SADD s 8");
    cr_assert_str_eq(fixture_encoding(&fixture, "h"), "hashtable");
    cr_assert_str_eq(fixture_encoding(&fixture, "s"), "hashtable");
    fixture_expect(&fixture, "EXPIRETIME h", ":2000000000|");
    fixture_run(&fixture, "HDEL h f0 f1 f2 f3 f4");
    fixture_run(&fixture, "SREM s 0 1 2 3 4 5");
    cr_assert_str_eq(fixture_encoding(&fixture, "h"), "hashtable");
    cr_assert_str_eq(fixture_encoding(&fixture, "s"), "hashtable");
    fixture_expect(&fixture, "HMGET h f4 f5 f8", "*3|$-1|$1|v|$1|v|");
    fixture_run(&fixture, "HSET g f 1234567890123456");
    cr_assert_str_eq(fixture_encoding(&fixture, "g"), "listpack");
    fixture_run(&fixture, "HSET g f 12345678901234567");
    cr_assert_str_eq(fixture_encoding(&fixture, "g"), "hashtable");
    fixture_run(&fixture, "SADD i 1 2 x");
    cr_assert_str_eq(fixture_encoding(&fixture, "i"), "hashtable");
    fixture_expect(&fixture, "SMISMEMBER i 1 2 x 3", "*4|:1|:1|:1|:0|");
}

/* ---- against arrays ---- */

enum { MODEL_FIELDS = 300 };

static struct slice number_text(char *text, uint64_t number, size_t padding)
{
    int length = snprintf(text, 64, "%.*s%ju", (int)padding, "xxxxxxxxxxxxxxxx", (uintmax_t)number);
    return (struct slice){text, (size_t)length};
}

Test(collections, random_hashes_agree_with_a_model)
{
    static uint64_t model[MODEL_FIELDS];
    struct prng prng = {5};
    struct database *db = fixture.session->db;
    struct key key = key_make(slice_from_string("h"));
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        char field_text[64], value_text[64], scratch[HASH_TEXT_BYTES];
        uint64_t limit = i / 2000 % 2 ? MODEL_FIELDS : 6;
        uint64_t number = prng_below(&prng, limit);
        struct slice field = number_text(field_text, number, number % 3), value;
        struct entry *entry = keyspace_find(db, &key, LOOKUP_QUIET);
        if (prng_below(&prng, 10) < (i / 1000 % 2 ? 7u : 3u)) {
            uint64_t content = 1 + (prng_next(&prng) >> prng_below(&prng, 63));
            struct slice pair[] = {field, number_text(value_text, content, 0)};
            size_t created;
            hash_set(db, &key, entry, pair, 1, &created);
            cr_assert_eq(created, model[number] == 0);
            count += created;
            model[number] = content;
        } else if (entry) {
            bool removed;
            entry = hash_remove(db, &key, entry, field, &removed);
            cr_assert_eq(removed, model[number] != 0);
            count -= removed;
            model[number] = 0;
            if (hash_count(entry) == 0)
                keyspace_delete_emptied(db, &key);
        }
        entry = keyspace_find(db, &key, LOOKUP_QUIET);
        cr_assert_eq(entry ? hash_count(entry) : 0, count);
        number = prng_below(&prng, limit);
        bool found = entry && hash_get(entry, number_text(field_text, number, number % 3), scratch, &value);
        cr_assert_eq(found, model[number] != 0);
        cr_assert(!found || slice_equals(value, number_text(value_text, model[number], 0)));
    }
}

Test(collections, random_sets_agree_with_a_model)
{
    static bool model[MODEL_FIELDS];
    struct prng prng = {6};
    struct database *db = fixture.session->db;
    struct key key = key_make(slice_from_string("s"));
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        uint64_t limit = i / 2000 % 2 ? MODEL_FIELDS : 12;
        size_t padding = i / 4000 % 2; /* integers only, or none */
        uint64_t number = prng_below(&prng, limit);
        if (i % 4000 == 0) {
            keyspace_delete(db, &key, NULL);
            memset(model, 0, sizeof(model));
            count = 0;
        }
        struct slice member = number_text(text, number, padding);
        struct entry *entry = keyspace_find(db, &key, LOOKUP_QUIET);
        bool changed = false, add = prng_below(&prng, 10) < (i / 1000 % 2 ? 7u : 3u);
        if (add)
            entry = set_add(db, &key, entry, member, &changed);
        else if (entry)
            entry = set_remove(db, &key, entry, member, &changed);
        cr_assert_eq(changed, add != model[number]);
        model[number] = add;
        count = changed ? (add ? count + 1 : count - 1) : count;
        if (entry && set_count(set_view_of(entry)) == 0) {
            keyspace_delete_emptied(db, &key);
            entry = NULL;
        }
        cr_assert_eq(entry ? set_count(set_view_of(entry)) : 0, count);
        number = prng_below(&prng, limit);
        cr_assert_eq(entry && set_contains(set_view_of(entry), number_text(text, number, padding)),
                     model[number]);
    }
}

/* ---- choosing ---- */

/* Draws and counts how often each of count members comes; chi-square with count - 1 degrees of freedom stays
 * below mean + 6 standard deviations. */
static void expect_uniform(const char *line, unsigned count, unsigned rounds)
{
    unsigned *seen = calloc(count, sizeof(*seen)), total = 0;
    for (unsigned i = 0; i < rounds; i++) {
        const char *reply = fixture_run(&fixture, line);
        for (const char *at = strstr(reply, "|m"); at; at = strstr(at + 1, "|m"), total++)
            seen[atoi(at + 2)]++;
    }
    double expected = (double)total / count, chi_square = 0;
    cr_assert_gt(total, 10 * count);
    for (unsigned i = 0; i < count; i++)
        chi_square += (seen[i] - expected) * (seen[i] - expected) / expected;
    double degrees = count - 1;
    cr_assert_lt(chi_square, degrees + 6 * __builtin_sqrt(2 * degrees), "%s: %f", line, chi_square);
    free(seen);
}

Test(collections, choices_are_uniform)
{
    for (int i = 0; i < 200; i++) {
        char line[64];
        snprintf(line, sizeof(line), "SADD s m%d", i);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "HSET h m%d v", i);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "HSET small m%d v", i % 8);
        fixture_run(&fixture, line);
    }
    expect_uniform("SRANDMEMBER s", 200, 8000);
    expect_uniform("SRANDMEMBER s 5", 200, 2000);
    expect_uniform("SRANDMEMBER s 150", 200, 100);
    expect_uniform("SRANDMEMBER s -20", 200, 500);
    expect_uniform("HRANDFIELD h 5", 200, 2000);
    expect_uniform("HRANDFIELD h 150", 200, 100);
    expect_uniform("HRANDFIELD h -20", 200, 500);
    expect_uniform("HRANDFIELD small 3", 8, 2000);
    expect_uniform("HRANDFIELD small", 8, 5000);
}

Test(collections, popping_a_part_leaves_the_rest)
{
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof(line), "SADD s %d a", i);
        fixture_run(&fixture, line);
    }
    fixture_run(&fixture, "SREM s a");
    fixture_run(&fixture, "EXPIREAT s 2000000000");
    cr_assert_str_eq(fixture_encoding(&fixture, "s"), "hashtable");
    cr_assert(strncmp(fixture_run(&fixture, "SPOP s 95"), "*95|", 4) == 0);
    cr_assert_str_eq(fixture.events, "spop s;");
    cr_assert_eq(fixture.dirty, 95);
    fixture_expect(&fixture, "SCARD s", ":5|");
    cr_assert_str_eq(fixture_encoding(&fixture, "s"), "intset");
    fixture_expect(&fixture, "EXPIRETIME s", ":2000000000|");
}

/* Every member is seen in a walk, also when others come and go meanwhile. */
Test(collections, scans_return_what_stays)
{
    static unsigned seen[1000];
    char line[64], cursor[24] = "0";
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "SADD s m%d", i);
        fixture_run(&fixture, line);
    }
    int step = 0;
    do {
        snprintf(line, sizeof(line), "SSCAN s %s COUNT 7", cursor);
        const char *reply = fixture_run(&fixture, line);
        cr_assert_eq(sscanf(reply, "*2|$%*d|%20[0-9]", cursor), 1, "%s", reply);
        for (const char *at = strstr(reply, "|m"); at; at = strstr(at + 1, "|m"))
            seen[atoi(at + 2)]++;
        snprintf(line, sizeof(line), "SREM s n%d m%d", step, 500 + step);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "SADD s n%d n%d", step + 1, 1000 + step);
        fixture_run(&fixture, line);
        cr_assert_lt(++step, 5000);
    } while (strcmp(cursor, "0") != 0);
    for (int i = 0; i < 500; i++)
        cr_assert_gt(seen[i], 0, "m%d", i);
}
