/* Moving entries to other blocks, and giving half empty slabs back. */
#include "base/mem.h"
#include "command_fixture.h"
#include "store/keyspace_private.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct command_fixture fixture;

static void start(void)
{
    fixture_init(&fixture);
}

static void finish(void)
{
    fixture_free(&fixture);
}

TestSuite(compact, .init = start, .fini = finish);

static struct entry *find(int database, const char *name)
{
    struct key key = key_make(slice_from_string(name));
    return keyspace_find(&fixture.keyspace.databases[database], &key, LOOKUP_QUIET);
}

static void move(int database, const char *name)
{
    struct entry *entry = find(database, name);
    cr_assert_not_null(entry, "%s", name);
    struct slice key = entry_key(entry);
    keyspace_move_entry(&fixture.keyspace, entry, hash_bytes(key.data, key.length));
    cr_assert_neq(find(database, name), entry, "%s did not move", name);
}

Test(compact, a_moved_entry_keeps_everything)
{
    char long_name[400], line[512];
    memset(long_name, 'k', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    snprintf(line, sizeof(line), "SET %s value EX 1000", long_name);
    fixture_expect(&fixture, line, "+OK|");
    fixture_expect(&fixture, "SET short value PX 5000000", "+OK|");
    fixture_expect(&fixture, "SET number 12345", "+OK|");
    fixture_expect(&fixture, "RPUSH list a b c", ":3|");
    fixture_expect(&fixture, "SELECT 5", "+OK|");
    fixture_expect(&fixture, "SETRANGE blob 2000 x", ":2001|");
    fixture_expect(&fixture, "SELECT 0", "+OK|");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 7000);
    move(0, long_name);
    move(0, "short");
    move(0, "number");
    move(0, "list");
    move(5, "blob");
    snprintf(line, sizeof(line), "TTL %s", long_name);
    fixture_expect(&fixture, line, ":993|");
    fixture_expect(&fixture, "OBJECT IDLETIME short", ":7|");
    fixture_expect(&fixture, "GET short", "$5|value|");
    fixture_expect(&fixture, "PTTL short", ":4993000|");
    fixture_expect(&fixture, "INCR number", ":12346|");
    fixture_expect(&fixture, "LRANGE list 0 -1", "*3|$1|a|$1|b|$1|c|");
    fixture_expect(&fixture, "SELECT 5", "+OK|");
    fixture_expect(&fixture, "STRLEN blob", ":2001|");
}

Test(compact, what_is_in_no_table_stays)
{
    fixture_expect(&fixture, "SET a value", "+OK|");
    struct entry *entry = find(0, "a");
    uint64_t hash = hash_bytes("a", 1);
    keyspace_flush(&fixture.keyspace.databases[0], true);
    keyspace_move_entry(&fixture.keyspace, entry, hash);
    reclaim_finish(&fixture.keyspace.reclaim); /* a copy left behind would be freed twice, or never */
    cr_assert_eq(keyspace_count(&fixture.keyspace.databases[0]), 0);
}

#ifndef SPINDLE_DEBUG_CHECKS /* there are slabs */

static void set(int number, int length)
{
    char name[32];
    static const char value[512];
    int name_length = snprintf(name, sizeof(name), "key:%d", number);
    struct key key = key_make((struct slice){name, (size_t)name_length});
    keyspace_set_bytes(fixture.session->db, &key, (struct slice){value, (size_t)length}, ENCODING_RAW,
                       EXPIRY_NONE, NULL);
}

static bool unset(int number)
{
    char name[32];
    int name_length = snprintf(name, sizeof(name), "key:%d", number);
    struct key key = key_make((struct slice){name, (size_t)name_length});
    return keyspace_delete(fixture.session->db, &key, NULL);
}

static int value_length(int number)
{
    return 10 + number * 7 % 300;
}

Test(compact, holes_that_random_deletes_leave_go)
{
    enum { KEYS = 200000 };
    struct mem_slab_totals before, after;
    struct random_state random;
    random_seed(&random, 3);
    for (int i = 0; i < KEYS; i++)
        set(i, value_length(i));
    bool *gone = calloc(KEYS, sizeof(*gone));
    for (int i = 0; i < KEYS; i++) {
        gone[i] = random_below(&random, 4) > 0;
        if (gone[i])
            cr_assert(unset(i));
    }
    mem_slab_measure(&before);
    cr_assert_gt(before.held_bytes, 3 * before.used_bytes, "there is something to do");
    while (keyspace_compact(&fixture.keyspace))
        ;
    while (mem_release_slabs())
        ;
    mem_slab_measure(&after);
    cr_assert_eq(after.used_bytes, before.used_bytes);
    cr_assert_lt(after.held_bytes, after.used_bytes / 100 * 115 + 4 * 1024 * 1024);
    for (int i = 0; i < KEYS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "key:%d", i);
        const struct entry *entry = find(0, name);
        cr_assert_eq(entry == NULL, gone[i], "%s", name);
        if (entry)
            cr_assert_eq(entry->inline_bytes, value_length(i));
    }
    for (int i = 0; i < KEYS; i++)
        cr_assert_eq(unset(i), !gone[i]);
    free(gone);
}

Test(compact, full_slabs_are_left_alone)
{
    for (int i = 0; i < 50000; i++)
        set(i, 40);
    cr_assert_not(keyspace_compact(&fixture.keyspace));
}

#endif
