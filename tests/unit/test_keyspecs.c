/* Which arguments are keys, as COMMAND GETKEYS and GETKEYSANDFLAGS of Redis 7.0.15 tell it. */

#include "commands/command_table.h"
#include "commands/keyspecs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

enum { WORDS_MAX = 32 };

static const struct command_table *const tables[] = {
    &table_connection, &table_string, &table_bitmap, &table_generic,      &table_server,
    &table_list,       &table_set,    &table_zset,   &table_hash,         &table_hyperloglog,
    &table_geo,        &table_stream, &table_pubsub, &table_transactions,
};

static const struct command *find_row(const struct command *rows, int count, struct slice name)
{
    for (int i = 0; i < count; i++) {
        if (slice_is_word(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

static const struct command *find_command(const struct slice *argv, int argc)
{
    const struct command *command = NULL;
    for (int i = 0; i < COUNT_OF(tables) && !command; i++)
        command = find_row(tables[i]->rows, tables[i]->count, argv[0]);
    if (command && command->subcommand_count && argc > 1)
        command = find_row(command->subcommands, command->subcommand_count, argv[1]);
    return command;
}

/* Splits a line at its spaces. */
static int split(const char *line, struct slice *words)
{
    int count = 0;
    while (*line) {
        size_t length = strcspn(line, " ");
        cr_assert_lt(count, WORDS_MAX);
        words[count++] = (struct slice){line, length};
        line += length + (line[length] == ' ');
    }
    return count;
}

/* The keys of a command line, as "key:flags", flags in hexadecimal, or "error". */
static void describe_keys(const char *line, char *text, size_t size)
{
    struct slice argv[WORDS_MAX];
    int argc = split(line, argv);
    const struct command *command = find_command(argv, argc);
    cr_assert_not_null(command, "%s", line);
    struct key_positions positions = {0};
    int result = keyspecs_find_keys(command, argv, argc, &positions);
    size_t used = (size_t)snprintf(text, size, "%s", result == -EINVAL ? "error" : "");
    cr_assert(result == 0 || result == -EINVAL);
    for (int i = 0; result == 0 && i < positions.count; i++) {
        struct slice key = argv[positions.items[i].index];
        used += (size_t)snprintf(text + used, size - used, "%s%.*s:%x", i ? " " : "", (int)key.length,
                                 key.data, positions.items[i].flags);
        cr_assert_lt(used, size);
    }
    key_positions_free(&positions);
}

#define READ        "11" /* RO access */
#define CHANGE_ONLY "22" /* RW update */
#define TAKE_ONLY   "82" /* RW delete */
#define EXISTS      "1"  /* RO */
#define STORE       "24" /* OW update */
#define CHANGE      "32" /* RW access update */
#define TAKE        "92" /* RW access delete */
#define PUT         "42" /* RW insert */

Test(keyspecs, finds_keys)
{
    static const struct {
        const char *line, *keys;
    } cases[] = {
        {"get k", "k:" READ},
        {"mget a b c", "a:" READ " b:" READ " c:" READ},
        {"mset a 1 b 2", "a:" STORE " b:" STORE},
        {"mset a 1 b", "a:" STORE " b:" STORE},
        {"exists a b", "a:" EXISTS " b:" EXISTS},
        {"rename a b", "a:" TAKE " b:" STORE},
        {"lcs a b len", "a:" READ " b:" READ},
        {"bitop and d a b", "d:" STORE " a:" READ " b:" READ},
        {"object encoding k", "k:" EXISTS},
        {"memory usage k samples 5", "k:" EXISTS},
        {"set k v", "k:" STORE},
        {"set k v ex 10 GET", "k:" CHANGE},
        {"set k get", "k:" STORE},
        {"bitfield k", "k:" READ},
        {"bitfield k get u8 0 overflow fail", "k:" READ},
        {"bitfield k get u8 0 set u8 0 1", "k:" CHANGE},
        {"bitfield k get u8", "k:" CHANGE},
        {"bitfield k overflow", "k:" CHANGE},
        {"sort k", "k:" READ},
        {"sort k by x get # store y", "k:" READ " y:" STORE},
        {"sort k store y store z", "k:" READ " z:" STORE},
        {"sort k store store store z", "k:" READ " z:" STORE},
        {"sort k store limit store z", "k:" READ " limit:" STORE},
        {"sort k get store", "k:" READ},
        {"sort k limit store store store x", "k:" READ " x:" STORE},
        {"sort k limit 1", "k:" READ},
        {"sort k store", "k:" READ},
        {"sort_ro k by x store y", "k:" READ},
        {"zunion 2 a b c", "a:" READ " b:" READ},
        {"zunionstore d 2 a b weights 1 2", "d:" STORE " a:" READ " b:" READ},
        {"blmpop 0 2 a b left", "a:" TAKE " b:" TAKE},
        {"lmpop 3 a b left", "a:" TAKE " b:" TAKE " left:" TAKE},
        {"brpop a b c 0", "a:" TAKE " b:" TAKE " c:" TAKE},
        {"lmove a b left right", "a:" TAKE " b:" PUT},
        {"georadius k 0 0 1 m", "k:" READ},
        {"georadius k 0 0 1 m store d storedist e", "k:" READ " d:" STORE " e:" STORE},
        {"georadius k 0 0 1 m STORE d", "k:" READ " d:" STORE},
        {"georadius k 0 0 1 m store", "k:" READ},
        {"georadius k 0 0 1 store d", "k:" READ},
        {"xadd k nomkstream * f v", "k:" CHANGE_ONLY},
        {"xread streams a 0", "a:" READ},
        {"xread count 1 streams a b 0 0", "a:" READ " b:" READ},
        {"xread streams a b 0", "a:" READ},
        {"xread count streams streams a 0", "streams:" READ},
        {"xread a b c", ""},
        {"xreadgroup group g c count 1 noack streams a b > >", "a:" READ " b:" READ},
        {"xreadgroup group streams streams streams a >", "a:" READ},
        {"xgroup create k g $ mkstream", "k:" PUT},
        {"xgroup destroy k g", "k:" TAKE_ONLY},
        {"xinfo stream k full", "k:" READ},
        {"ssubscribe a b", ""},
        {"ping x", ""},
    };
    for (int i = 0; i < COUNT_OF(cases); i++) {
        char keys[256];
        describe_keys(cases[i].line, keys, sizeof(keys));
        cr_assert_str_eq(keys, cases[i].keys, "%s: %s", cases[i].line, keys);
    }
}

Test(keyspecs, refuses_counts_that_do_not_fit)
{
    static const char *const lines[] = {
        "zunion 3 a b",
        "zunion 0 a b",
        "zunion -1 a b",
        "zunion x a b",
        "zunion 2147483648 a b",
        "zunion 9223372036854775807 a b",
        "zunion 99999999999999999999 a b",
        "zunionstore d 3 a b",
        "zunionstore d x a",
        "blmpop 0 0 a left",
        "pfmerge d",
        "xread count streams x",
        "xread block streams x",
    };
    for (int i = 0; i < COUNT_OF(lines); i++) {
        char keys[256];
        describe_keys(lines[i], keys, sizeof(keys));
        cr_assert_str_eq(keys, "error", "%s: %s", lines[i], keys);
    }
}

/* A shape that no table uses: a keyword looked for from the end. */
Test(keyspecs, searches_backwards)
{
    static const struct key_spec specs[] = {
        {.search = KEY_SEARCH_KEYWORD, .keyword = "KEYS", .start_from = -2, .last_key = -1, .key_step = 1},
    };
    struct command command = {.name = "x", .arity = -1, .key_specs = specs, .key_spec_count = 1};
    struct slice argv[WORDS_MAX];
    struct key_positions positions = {0};
    int argc = split("x keys a KEYS b c", argv);
    cr_assert_eq(keyspecs_find_keys(&command, argv, argc, &positions), 0);
    cr_assert_eq(positions.count, 2);
    cr_assert_eq(positions.items[0].index, 4);
    key_positions_free(&positions);
}

Test(keyspecs, tells_who_has_keys)
{
    static const struct {
        const char *line;
        bool has_keys;
    } cases[] = {
        {"get k", true}, {"sort k", true}, {"ping", false}, {"ssubscribe c", false}, {"config get x", false}};
    for (int i = 0; i < COUNT_OF(cases); i++) {
        struct slice argv[WORDS_MAX];
        int argc = split(cases[i].line, argv);
        cr_assert_eq(keyspecs_has_keys(find_command(argv, argc)), cases[i].has_keys, "%s", cases[i].line);
    }
}

Test(keyspecs, gives_the_range_that_command_shows)
{
    static const struct {
        const char *line;
        int first, last, step;
    } cases[] = {
        {"get", 1, 1, 1},         {"mset", 1, -1, 2},          {"bitop", 2, -1, 1},
        {"rename", 1, 2, 1},      {"blpop", 1, -2, 1},         {"zunion", 0, 0, 0},
        {"zunionstore", 1, 1, 1}, {"georadius", 1, 1, 1},      {"sort", 1, 1, 1},
        {"object freq", 2, 2, 1}, {"ping", 0, 0, 0},           {"lcs", 1, 2, 1},
        {"pfmerge", 1, -1, 1},    {"geosearchstore", 1, 2, 1}, {"config get", 0, 0, 0},
        {"xread", 0, 0, 0},       {"xinfo groups", 2, 2, 1},   {"xadd", 1, 1, 1},
    };
    for (int i = 0; i < COUNT_OF(cases); i++) {
        struct slice argv[WORDS_MAX];
        int argc = split(cases[i].line, argv);
        int first, last, step;
        command_key_range(find_command(argv, argc), &first, &last, &step);
        cr_assert(first == cases[i].first && last == cases[i].last && step == cases[i].step, "%s: %d %d %d",
                  cases[i].line, first, last, step);
    }
}
