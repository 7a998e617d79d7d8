/* SORT and SORT_RO: orders, patterns, limits, what is stored, and what stays as it is. */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define NOT_A_NUMBER "-ERR One or more scores can't be converted into double|"

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){.hash_max_listpack_entries = 8,
                                                        .hash_max_listpack_value = 64,
                                                        .list_max_listpack_size = -2,
                                                        .set_max_intset_entries = 8,
                                                        .zset_max_listpack_entries = 8,
                                                        .zset_max_listpack_value = 64};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(sort, .init = setup, .fini = teardown);

Test(sort, numbers_sort_by_value_and_texts_by_byte)
{
    fixture_run(&fixture, "RPUSH l 3 10 -2.5 1e1 07");
    fixture_expect(&fixture, "SORT l", "*5|$4|-2.5|$1|3|$2|07|$2|10|$3|1e1|");
    fixture_expect(&fixture, "SORT l DESC", "*5|$3|1e1|$2|10|$2|07|$1|3|$4|-2.5|");
    fixture_expect(&fixture, "SORT_RO l ALPHA", "*5|$4|-2.5|$2|07|$2|10|$3|1e1|$1|3|");
    fixture_expect(&fixture, "SORT l DESC ASC ALPHA DESC", "*5|$1|3|$3|1e1|$2|10|$2|07|$4|-2.5|");
    fixture_run(&fixture, "RPUSH l '' inf");
    fixture_expect(&fixture, "SORT l LIMIT 1 1", "*1|$0||");
    fixture_expect(&fixture, "SORT l LIMIT 6 1", "*1|$3|inf|");
    fixture_expect(&fixture, "SORT none", "*0|");
}

Test(sort, what_is_no_number_is_refused)
{
    static const char *const texts[] = {"a", "1x", "nan", "1e999", "1e-999", "1,5"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "RPUSH l%zu 1 %s", i, texts[i]);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "SORT l%zu", i);
        fixture_expect(&fixture, line, NOT_A_NUMBER);
        snprintf(line, sizeof(line), "SORT l%zu LIMIT 0 0 STORE d", i);
        fixture_expect_change(&fixture, line, NOT_A_NUMBER, "", 0);
        snprintf(line, sizeof(line), "SORT l%zu BY nosort LIMIT 0 1", i);
        fixture_expect(&fixture, line, "*1|$1|1|");
    }
    fixture_run(&fixture, "RPUSH good 2 1");
    fixture_expect(&fixture, "SORT good", "*2|$1|1|$1|2|"); /* an error does not linger */
}

Test(sort, limits)
{
    fixture_run(&fixture, "RPUSH l 3 1 2");
    fixture_expect(&fixture, "SORT l LIMIT 1 1", "*1|$1|2|");
    fixture_expect(&fixture, "SORT l LIMIT -5 2", "*2|$1|1|$1|2|");
    fixture_expect(&fixture, "SORT l LIMIT 1 -1", "*2|$1|2|$1|3|");
    fixture_expect(&fixture, "SORT l LIMIT 3 1", "*0|");
    fixture_expect(&fixture, "SORT l LIMIT 1 0", "*0|");
    fixture_expect(&fixture, "SORT l LIMIT 9223372036854775807 9223372036854775807", "*0|");
    fixture_expect(&fixture, "SORT l LIMIT -9223372036854775808 9223372036854775807", "*3|$1|1|$1|2|$1|3|");
    fixture_expect(&fixture, "SORT l LIMIT 1", "-ERR syntax error|");
    fixture_expect(&fixture, "SORT l LIMIT 1 x", "-ERR value is not an integer or out of range|");
}

Test(sort, lists_and_sorted_sets_keep_their_order)
{
    fixture_run(&fixture, "RPUSH l 3 1 2 10");
    fixture_run(&fixture, "ZADD z 3 a 2 b 1 c 5 1");
    fixture_expect(&fixture, "SORT l BY nosort", "*4|$1|3|$1|1|$1|2|$2|10|");
    fixture_expect(&fixture, "SORT l BY nosort DESC LIMIT 1 2", "*2|$1|2|$1|1|");
    fixture_expect(&fixture, "SORT l BY nosort LIMIT 3 9", "*1|$2|10|");
    fixture_expect(&fixture, "SORT z BY nosort LIMIT 1 2", "*2|$1|b|$1|a|");
    fixture_expect(&fixture, "SORT z BY nosort DESC LIMIT 1 2", "*2|$1|a|$1|b|");
    fixture_expect(&fixture, "SORT z BY nosort LIMIT 4 2", "*0|");
    fixture_expect(&fixture, "SORT l BY w_* BY nosort", "*4|$1|3|$1|1|$1|2|$2|10|");
    fixture_expect(&fixture, "SORT l BY nosort BY w_*", "*4|$1|3|$1|1|$1|2|$2|10|");
}

Test(sort, weights_and_results_come_from_other_keys)
{
    fixture_run(&fixture, "RPUSH l 1 2 3");
    fixture_run(&fixture, "MSET w_1 9 w_2 8 n_1 x n_3 z w_1-> arrow");
    fixture_run(&fixture, "HSET h_1 f 7 g x");
    fixture_run(&fixture, "HSET h_2 f 5");
    fixture_expect(&fixture, "SORT l BY w_*", "*3|$1|3|$1|2|$1|1|");
    fixture_expect(&fixture, "SORT l BY h_*->f DESC", "*3|$1|1|$1|2|$1|3|");
    fixture_expect(&fixture, "SORT l BY n_*", NOT_A_NUMBER);
    fixture_expect(&fixture, "SORT l BY n_* ALPHA", "*3|$1|2|$1|1|$1|3|");
    fixture_expect(&fixture, "SORT l GET # GET n_* GET h_*->g GET none LIMIT 0 2",
                   "*8|$1|1|$1|x|$1|x|$-1|$1|2|$-1|$-1|$-1|");
    fixture_expect(&fixture, "SORT l GET w_*-> GET w_*->f GET h_* LIMIT 0 1", "*3|$5|arrow|$-1|$-1|");
    fixture_run(&fixture, "HELLO 3");
    fixture_expect(&fixture, "SORT l GET none_* LIMIT 0 2", "*2|_|_|");
}

/* As in Redis, a zero byte ends what of a pattern is looked at, and of a text what is compared. */
Test(sort, zero_bytes)
{
    fixture_run(&fixture, "RPUSH l 1");
    struct slice key[] = {{"SET", 3}, {"w_1\0->f", 7}, {"found", 5}};
    fixture_run_slices(&fixture, key, 3, NULL);
    struct slice get[] = {{"SORT", 4}, {"l", 1}, {"GET", 3}, {"w_*\0->f", 7}, {"GET", 3}, {"w\0_*", 4}};
    cr_assert_str_eq(fixture_run_slices(&fixture, get, 6, NULL), "*2|$5|found|$-1|");
    struct slice no_field[] = {{"SET", 3}, {"w_1->\0", 6}, {"empty", 5}};
    fixture_run_slices(&fixture, no_field, 3, NULL);
    struct slice get_no_field[] = {{"SORT", 4}, {"l", 1}, {"GET", 3}, {"w_*->\0", 6}};
    cr_assert_str_eq(fixture_run_slices(&fixture, get_no_field, 4, NULL), "*1|$5|empty|");
    struct slice push[] = {{"RPUSH", 5}, {"t", 1}, {"a\0b", 3}, {"a\0a", 3}, {"a", 1}, {"B", 1}};
    fixture_run_slices(&fixture, push, 6, NULL);
    fixture_run(&fixture, "SORT t ALPHA STORE d");
    struct slice find[] = {{"LPOS", 4}, {"d", 1}, {"a\0a", 3}};
    cr_assert_str_eq(fixture_run_slices(&fixture, find, 3, NULL), ":2|"); /* stored: by all bytes */
    struct slice number[] = {{"RPUSH", 5}, {"l", 1}, {"0\0x", 3}};
    fixture_run_slices(&fixture, number, 3, NULL);
    fixture_run(&fixture, "SORT l STORE d");
    struct slice first[] = {{"LPOS", 4}, {"d", 1}, {"0\0x", 3}};
    cr_assert_str_eq(fixture_run_slices(&fixture, first, 3, NULL), ":0|");
}

Test(sort, results_are_stored_and_reported)
{
    fixture_run(&fixture, "RPUSH l 3 1 2");
    fixture_run(&fixture, "SET w_1 one");
    fixture_run(&fixture, "SET d old EX 100");
    fixture_expect_change(&fixture, "SORT l GET # GET w_* STORE d", ":6|", "sortstore d;", 6);
    fixture_expect(&fixture, "LRANGE d 0 -1", "*6|$1|1|$3|one|$1|2|$0||$1|3|$0||");
    fixture_expect(&fixture, "TTL d", ":-1|");
    cr_assert_str_eq(fixture_encoding(&fixture, "d"), "quicklist");
    fixture_expect_change(&fixture, "SORT l STORE other STORE l", ":3|", "sortstore l;", 3);
    fixture_expect(&fixture, "LRANGE l 0 -1", "*3|$1|1|$1|2|$1|3|");
    fixture_expect_change(&fixture, "SORT l LIMIT 5 1 STORE d", ":0|", "del d;", 1);
    fixture_expect_change(&fixture, "SORT none STORE d", ":0|", "", 0);
    fixture_expect(&fixture, "SORT_RO l STORE d", "-ERR syntax error|");
}

Test(sort, an_unsorted_set_is_stored_in_order)
{
    fixture_run(&fixture, "SADD s 10 9 b a");
    fixture_expect(&fixture, "SORT s BY nosort STORE d", ":4|");
    fixture_expect(&fixture, "LRANGE d 0 -1", "*4|$2|10|$1|9|$1|a|$1|b|");
    fixture_expect(&fixture, "SORT s BY nosort DESC LIMIT 1 2 STORE d", ":2|");
    fixture_expect(&fixture, "LRANGE d 0 -1", "*2|$1|a|$1|9|");
}

Test(sort, only_collections_of_elements_are_sorted)
{
    fixture_run(&fixture, "SET s 1");
    fixture_run(&fixture, "HSET h f v");
    fixture_expect(&fixture, "SORT s", "-WRONGTYPE Operation against a key holding the wrong kind of value|");
    fixture_expect(&fixture, "SORT h", "-WRONGTYPE Operation against a key holding the wrong kind of value|");
    fixture_expect(&fixture, "SORT s WHAT", "-ERR syntax error|");
    fixture_expect(&fixture, "SORT s BY", "-ERR syntax error|");
    fixture_expect(&fixture, "SORT s GET", "-ERR syntax error|");
    fixture_expect(&fixture, "SORT s STORE", "-ERR syntax error|");
}

Test(sort, a_packed_sorted_set_is_unpacked)
{
    fixture_run(&fixture, "ZADD z 1 2 2 1");
    fixture_run(&fixture, "EXPIREAT z 2000000000");
    cr_assert_str_eq(fixture_encoding(&fixture, "z"), "listpack");
    fixture_expect_change(&fixture, "SORT_RO z", "*2|$1|1|$1|2|", "", 0);
    cr_assert_str_eq(fixture_encoding(&fixture, "z"), "skiplist");
    fixture_expect(&fixture, "ZRANGE z 0 -1 WITHSCORES", "*4|$1|2|$1|1|$1|1|$1|2|");
    fixture_expect(&fixture, "EXPIRETIME z", ":2000000000|");
}

/* Looking weights up removes expired keys, which moves others. */
Test(sort, elements_survive_what_lookups_remove)
{
    char line[128], expected[2048], *at = expected;
    at += snprintf(at, 16, "*100|");
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "RPUSH l %d", i);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "SET w_%d %d PX %d", i, -i, i % 2 ? 1000 : 100000);
        fixture_run(&fixture, line);
    }
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 2000);
    /* Even ones have weights below zero, the odd ones' are gone. */
    for (int i = 98; i > 0; i -= 2)
        at += snprintf(at, 16, "$%d|%d|", i > 9 ? 2 : 1, i);
    int order[51] = {0}, count = 1;
    for (int i = 1; i < 100; i += 2)
        order[count++] = i;
    /* Equal weights: by the elements' bytes. */
    for (int i = 0; i < count; i++) {
        for (int j = i + 1; j < count; j++) {
            char a[8], b[8];
            snprintf(a, sizeof(a), "%d", order[i]);
            snprintf(b, sizeof(b), "%d", order[j]);
            if (strcmp(a, b) > 0) {
                int swapped = order[i];
                order[i] = order[j];
                order[j] = swapped;
            }
        }
        at += snprintf(at, 16, "$%d|%d|", order[i] > 9 ? 2 : 1, order[i]);
    }
    fixture_expect(&fixture, "SORT l BY w_*", expected);
    fixture_expect(&fixture, "DBSIZE", ":51|");
}
