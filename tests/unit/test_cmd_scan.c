/* SCAN and KEYS: every key that is there all the time is returned, whatever comes and goes meanwhile. */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 200000, LINE_BYTES = 64 };

static struct command_fixture fixture;
static uint8_t *seen; /* how often key:N was returned, up to 255 */

static void set_up(void)
{
    fixture_init(&fixture);
    seen = calloc(KEYS_MAX, 1);
}

static void tear_down(void)
{
    free(seen);
    fixture_free(&fixture);
}

TestSuite(cmd_scan, .init = set_up, .fini = tear_down);

#define expect(line, reply) fixture_expect(&fixture, line, reply)

static void add(int number)
{
    char name[LINE_BYTES];
    struct key key = key_make((struct slice){name, (size_t)snprintf(name, sizeof(name), "key:%d", number)});
    keyspace_set_integer(fixture.session->db, &key, number, EXPIRY_NONE, NULL);
}

static void drop(int number)
{
    char name[LINE_BYTES];
    struct key key = key_make((struct slice){name, (size_t)snprintf(name, sizeof(name), "key:%d", number)});
    keyspace_delete(fixture.session->db, &key, NULL);
}

/* Runs SCAN and notes what it returned; returns the next cursor. */
static uint64_t scan(uint64_t cursor, const char *options)
{
    char line[LINE_BYTES * 2];
    snprintf(line, sizeof(line), "SCAN %llu%s", (unsigned long long)cursor, options);
    const char *reply = fixture_run(&fixture, line);
    cr_assert_eq(strncmp(reply, "*2|$", 4), 0, "%s", reply);
    reply = strchr(strchr(reply, '|') + 1, '|') + 1;
    uint64_t next = strtoull(reply, NULL, 10);
    for (const char *at = reply; (at = strstr(at, "key:")) != NULL; at += 4) {
        int number = (int)strtol(at + 4, NULL, 10);
        cr_assert(number >= 0 && number < KEYS_MAX);
        seen[number] += seen[number] < 255;
    }
    return next;
}

static int count_seen(int from, int to)
{
    int count = 0;
    for (int i = from; i < to; i++)
        count += seen[i] > 0;
    return count;
}

Test(cmd_scan, returns_everything_once_when_nothing_changes)
{
    for (int i = 0; i < 10000; i++)
        add(i);
    uint64_t cursor = 0;
    int calls = 0;
    do {
        cursor = scan(cursor, "");
        calls++;
    } while (cursor != 0);
    for (int i = 0; i < 10000; i++)
        cr_assert_eq(seen[i], 1);
    cr_assert_lt(calls, 1100, "about ten keys a call");
    cr_assert_gt(calls, 300);
}

Test(cmd_scan, looks_at_as_many_keys_as_asked)
{
    for (int i = 0; i < 4000; i++)
        add(i);
    scan(0, " COUNT 500");
    cr_assert_geq(count_seen(0, 4000), 500);
    cr_assert_leq(count_seen(0, 4000), 600);
    memset(seen, 0, KEYS_MAX);
    cr_assert_eq(scan(0, " COUNT 9223372036854775807"), 0);
    cr_assert_eq(count_seen(0, 4000), 4000);
}

/* Looking for nothing must not look for ever. */
Test(cmd_scan, ends_a_call_over_a_nearly_empty_table)
{
    for (int i = 0; i < 100000; i++)
        add(i);
    /* one key left in each large stretch of the table */
    for (int i = 0; i < 100000; i++)
        if (i % 10000)
            drop(i);
    uint64_t cursor = 0;
    int calls = 0;
    do {
        cursor = scan(cursor, " COUNT 1");
        calls++;
    } while (cursor != 0);
    cr_assert_eq(count_seen(0, 100000), 10);
}

Test(cmd_scan, survives_growth_and_splits)
{
    for (int i = 0; i < 1000; i++)
        add(i);
    int added = 1000;
    uint64_t cursor = 0;
    do {
        cursor = scan(cursor, "");
        for (int i = 0; i < 500 && added < KEYS_MAX; i++)
            add(added++);
    } while (cursor != 0);
    cr_assert_gt(added, 20000, "the table grew meanwhile");
    cr_assert_eq(count_seen(0, 1000), 1000);
}

Test(cmd_scan, survives_shrinking_and_merges)
{
    for (int i = 0; i < 100000; i++)
        add(i);
    int left = 100000;
    uint64_t cursor = 0;
    do {
        cursor = scan(cursor, " COUNT 100");
        for (int i = 0; i < 400 && left > 1000; i++)
            drop(--left);
    } while (cursor != 0);
    cr_assert_lt(left, 20000, "the table shrank meanwhile");
    cr_assert_eq(count_seen(0, 1000), 1000);
}

Test(cmd_scan, survives_anything_in_between)
{
    struct random_state random;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        random_seed(&random, seed);
        memset(seen, 0, KEYS_MAX);
        for (int i = 0; i < 1000; i++)
            add(i);
        uint64_t cursor = 0;
        do {
            cursor = scan(cursor, " COUNT 20");
            int low = 1000 + (int)random_below(&random, 20000);
            int count = (int)random_below(&random, 3000);
            bool adding = random_below(&random, 2);
            for (int i = low; i < low + count; i++)
                adding ? add(i) : drop(i);
        } while (cursor != 0);
        cr_assert_eq(count_seen(0, 1000), 1000, "seed %llu", (unsigned long long)seed);
    }
}

Test(cmd_scan, filters)
{
    expect("SET key:7 x", "+OK|");
    expect("SCAN 0", "*2|$1|0|*1|$5|key:7|");
    expect("SCAN 0 MATCH key:*", "*2|$1|0|*1|$5|key:7|");
    expect("SCAN 0 MATCH k", "*2|$1|0|*0|");
    expect("SCAN 0 TYPE string", "*2|$1|0|*1|$5|key:7|");
    expect("SCAN 0 TYPE STRING MATCH *", "*2|$1|0|*1|$5|key:7|");
    expect("SCAN 0 TYPE list", "*2|$1|0|*0|");
    expect("SCAN 0 TYPE nonsense", "*2|$1|0|*0|");
    expect("SCAN 0 MATCH a MATCH key:?", "*2|$1|0|*1|$5|key:7|");
}

Test(cmd_scan, leaves_expired_keys_out)
{
    expect("SET key:1 x PX 5", "+OK|");
    expect("SET key:2 x", "+OK|");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 6);
    expect("SCAN 0", "*2|$1|0|*1|$5|key:2|");
    expect("KEYS *", "*1|$5|key:2|");
    expect("KEYS key:?", "*1|$5|key:2|");
}

Test(cmd_scan, reads_cursors_as_redis_does)
{
    static const char *const good[] = {"0", "00", "+0", "-0", "''", "18446744073709551615", "-1"};
    static const char *const bad[] = {
        "a", "0x", "-", "+", "1.0", "18446744073709551616", "99999999999999999999999"};
    char line[LINE_BYTES];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(line, sizeof(line), "SCAN %s", good[i]);
        expect(line, "*2|$1|0|*0|");
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "SCAN %s COUNT x", bad[i]);
        expect(line, "-ERR invalid cursor|");
    }
    struct slice blank[] = {{"SCAN", 4}, {" 0", 2}}, zero_byte[] = {{"SCAN", 4}, {"0\0x", 3}};
    cr_assert_str_eq(fixture_run_slices(&fixture, blank, 2, NULL), "-ERR invalid cursor|");
    cr_assert_str_eq(fixture_run_slices(&fixture, zero_byte, 2, NULL), "*2|$1|0|*0|");
}

Test(cmd_scan, refuses_wrong_options)
{
    expect("SCAN 0 COUNT", "-ERR syntax error|");
    expect("SCAN 0 COUNT 0", "-ERR syntax error|");
    expect("SCAN 0 COUNT -1", "-ERR syntax error|");
    expect("SCAN 0 COUNT x", "-ERR value is not an integer or out of range|");
    expect("SCAN 0 WHAT 1", "-ERR syntax error|");
    expect("SCAN 0 TYPE", "-ERR syntax error|");
}

/* Whatever a client makes up for a cursor ends. */
Test(cmd_scan, takes_any_cursor)
{
    for (int i = 0; i < 3000; i++)
        add(i);
    struct random_state random;
    random_seed(&random, 1);
    for (int i = 0; i < 200; i++) {
        uint64_t cursor = random_next(&random) >> random_below(&random, 64);
        int calls = 0;
        do
            cursor = scan(cursor, " COUNT 100");
        while (cursor != 0 && ++calls < 1000);
        cr_assert_eq(cursor, 0);
    }
}

Test(cmd_scan, keys_returns_a_long_list)
{
    for (int i = 0; i < 3000; i++)
        add(i);
    const char *reply = fixture_run(&fixture, "KEYS key:*");
    cr_assert_eq(strncmp(reply, "*3000|", 6), 0);
    reply = fixture_run(&fixture, "KEYS key:1??");
    cr_assert_eq(strncmp(reply, "*100|", 5), 0);
    expect("KEYS nothing", "*0|");
}
