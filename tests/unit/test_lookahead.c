/* How far a look ahead goes for each shape of a value. */
#include "command_fixture.h"
#include "commands/registry.h"
#include "store/lookahead.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct command_fixture fixture;

static void start(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){.hash_max_listpack_entries = 64,
                                                        .hash_max_listpack_value = 64,
                                                        .list_max_listpack_size = -2,
                                                        .set_max_intset_entries = 8};
}

static void finish(void)
{
    fixture_free(&fixture);
}

TestSuite(lookahead, .init = start, .fini = finish);

/* The last stage that had something to read. */
static enum lookahead_stage last_stage(const char *key, const char *member)
{
    struct key name = key_make(slice_from_string(key));
    struct slice text = slice_from_string(member ? member : "");
    struct lookahead ahead;
    enum lookahead_stage last = LOOKAHEAD_DONE;
    lookahead_begin(&ahead, &fixture.keyspace.databases[0], &name.name, name.hash, member ? &text : NULL);
    for (int steps = 0; ahead.stage != LOOKAHEAD_DONE; steps++) {
        cr_assert_lt(steps, 100, "%s", key);
        last = ahead.stage;
        lookahead_go_on(&ahead);
    }
    lookahead_go_on(&ahead);
    cr_assert_eq(ahead.stage, LOOKAHEAD_DONE, "%s", key);
    return last;
}

static void fill(const char *command, const char *key, const char *tail, int count)
{
    char line[128];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "%s %s %s%d%s", command, key, strcmp(command, "ZADD") == 0 ? "1 " : "",
                 i, tail);
        fixture_run(&fixture, line);
    }
}

Test(lookahead, goes_as_far_as_there_is_something)
{
    cr_assert_eq(last_stage("missing", "m"), LOOKAHEAD_DONE, "there are no keys at all");
    fixture_run(&fixture, "SET string value");
    cr_assert_eq(last_stage("missing", NULL), LOOKAHEAD_BUCKET);
    cr_assert_eq(last_stage("missing", "m"), LOOKAHEAD_BUCKET);
    cr_assert_eq(last_stage("string", NULL), LOOKAHEAD_BUCKET);
    cr_assert_eq(last_stage("string", "m"), LOOKAHEAD_ENTRY, "the value is in its entry");
    fixture_run(&fixture, "SETRANGE blob 5000 x");
    cr_assert_eq(last_stage("blob", "m"), LOOKAHEAD_VALUE);
    fill("HSET", "short", " value", 3);
    cr_assert_eq(last_stage("short", "1"), LOOKAHEAD_ENTRY);
    fill("HSET", "packed", " 01234567890123456789", 60);
    cr_assert_str_eq(fixture_encoding(&fixture, "packed"), "listpack");
    cr_assert_eq(last_stage("packed", "1"), LOOKAHEAD_VALUE);
    fill("RPUSH", "list", "", 5000);
    cr_assert_eq(last_stage("list", "1"), LOOKAHEAD_VALUE, "lists have no members to look up");
}

Test(lookahead, reaches_members_of_tables)
{
    fill("HSET", "hash", " value", 1000);
    fill("SADD", "set", "", 1000);
    fill("ZADD", "zset", "", 1000);
    static const char *const keys[] = {"hash", "set", "zset"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(last_stage(keys[i], "7"), LOOKAHEAD_MEMBER_BUCKET, "%s", keys[i]);
        cr_assert_eq(last_stage(keys[i], "nobody"), LOOKAHEAD_MEMBER_BUCKET, "%s", keys[i]);
        cr_assert_eq(last_stage(keys[i], NULL), LOOKAHEAD_BUCKET, "%s", keys[i]);
    }
}

/* Whatever bucket of a chain a key is in, and whatever other keys have its fingerprint. */
Test(lookahead, finds_every_key_among_many)
{
    enum { KEYS = 3000 };
    char line[64];
    for (int i = 0; i < KEYS; i++) {
        snprintf(line, sizeof(line), "SADD set:%d a b c", i);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "SET string:%d value", i);
        fixture_run(&fixture, line);
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(line, sizeof(line), "set:%d", i);
        cr_assert_eq(last_stage(line, "a"), LOOKAHEAD_MEMBER_BUCKET, "%s", line);
        snprintf(line, sizeof(line), "string:%d", i);
        cr_assert_eq(last_stage(line, "a"), LOOKAHEAD_ENTRY, "%s", line);
    }
}

Test(lookahead, knows_where_members_stand)
{
    static const struct {
        const char *name;
        const char *line[4];
        int argc;
        const char *member;
    } cases[] = {
        {"sadd", {"SADD", "k", "m"}, 3, "m"},       {"zadd", {"ZADD", "k", "1", "m"}, 4, "m"},
        {"hget", {"HGET", "k", "m"}, 3, "m"},       {"zincrby", {"ZINCRBY", "k", "1", "m"}, 4, "m"},
        {"zscore", {"ZSCORE", "k"}, 2, NULL},       {"get", {"GET", "k"}, 2, NULL},
        {"hincrby", {"HINCRBY", "k", "m"}, 3, "m"}, {"set", {"SET", "k", "v"}, 3, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice argv[4];
        for (int k = 0; k < cases[i].argc; k++)
            argv[k] = slice_from_string(cases[i].line[k]);
        struct registry_entry *entry =
            registry_find(&fixture.commands.registry, slice_from_string(cases[i].name));
        const struct slice *member = command_member(entry->command, argv, (uint32_t)cases[i].argc);
        cr_assert_eq(member == NULL, cases[i].member == NULL, "%s", cases[i].name);
        if (member)
            cr_assert(slice_is_word(*member, cases[i].member), "%s", cases[i].name);
    }
}
