/* How many steps a look ahead takes for each shape of a value. */
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

/* The last step that wants a next one, plus one; a step more must fetch nothing. */
static unsigned steps(const char *key, const char *member)
{
    struct key name = key_make(slice_from_string(key));
    struct slice text = slice_from_string(member ? member : "");
    const struct database *db = &fixture.keyspace.databases[0];
    unsigned step = 0;
    while (lookahead(db, name.hash, member ? &text : NULL, step))
        step++;
    cr_assert_not(lookahead(db, name.hash, member ? &text : NULL, LOOKAHEAD_MEMBER + 1), "%s", key);
    return step;
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
    cr_assert_eq(steps("missing", NULL), LOOKAHEAD_ENTRY);
    cr_assert_eq(steps("missing", "m"), LOOKAHEAD_ENTRY);
    fixture_run(&fixture, "SET string value");
    cr_assert_eq(steps("string", NULL), LOOKAHEAD_ENTRY);
    cr_assert_eq(steps("string", "m"), LOOKAHEAD_VALUE, "the value is in its entry");
    fixture_run(&fixture, "SETRANGE blob 5000 x");
    cr_assert_eq(steps("blob", "m"), LOOKAHEAD_VALUE);
    fill("HSET", "short", " value", 3);
    cr_assert_eq(steps("short", "1"), LOOKAHEAD_VALUE);
    fill("HSET", "packed", " 01234567890123456789", 60);
    cr_assert_str_eq(fixture_encoding(&fixture, "packed"), "listpack");
    cr_assert_eq(steps("packed", "1"), LOOKAHEAD_VALUE);
    fill("RPUSH", "list", "", 5000);
    cr_assert_eq(steps("list", "1"), LOOKAHEAD_VALUE, "lists have no members to look up");
}

Test(lookahead, reaches_members_of_tables)
{
    fill("HSET", "hash", " value", 1000);
    fill("SADD", "set", "", 1000);
    fill("ZADD", "zset", "", 1000);
    static const char *const keys[] = {"hash", "set", "zset"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(steps(keys[i], "7"), LOOKAHEAD_MEMBER, "%s", keys[i]);
        cr_assert_eq(steps(keys[i], "nobody"), LOOKAHEAD_MEMBER, "%s", keys[i]);
        cr_assert_eq(steps(keys[i], NULL), LOOKAHEAD_ENTRY, "%s", keys[i]);
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
