#ifndef SPINDLE_COMMANDS_COMMAND_TABLE_H
#define SPINDLE_COMMANDS_COMMAND_TABLE_H

#include "commands/command.h"
#include "commands/keyspecs.h"

/*
 * The vocabulary in which the tables of commands (table_GROUP.c) are written, so that a row with its key
 * specs and its tree of arguments reads as one piece. For the tables and the registry only. Constant data;
 * any thread.
 *
 * Names, arities, flags, key specs and argument trees are those that Redis 7.0.15 shows in COMMAND INFO and
 * COMMAND DOCS (CLIENT NO-TOUCH and CLIENT SETINFO: 7.2); summaries, complexities and notes are ours.
 */

struct command_table {
    const struct command *rows;
    int count;
};

extern const struct command_table table_acl, table_bitmap, table_connection, table_generic, table_geo,
    table_hash, table_hyperloglog, table_list, table_pubsub, table_scripting, table_server, table_set,
    table_stream, table_string, table_transactions, table_zset;

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Parts of a row. */
#define TIPS(...)                                                                                            \
    .tips = (const char *const[])                                                                            \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }
#define KEY_SPECS(...)                                                                                       \
    .key_specs = (const struct key_spec[]){__VA_ARGS__},                                                     \
    .key_spec_count = COUNT_OF(((const struct key_spec[]){__VA_ARGS__}))
#define ARGUMENTS(...)                                                                                       \
    .arguments = (const struct command_argument[]){__VA_ARGS__},                                             \
    .argument_count = COUNT_OF(((const struct command_argument[]){__VA_ARGS__}))

/* Key specs. KEYS: from position first up to last (relative to first; negative: from the end) by step.
 * COUNTED_KEYS: the argument at count says how many keys follow it. KEYWORD_KEY: the argument behind the
 * word, looked for from a position on. UNKNOWN_KEYS: a spec cannot say where. */
#define KEYS(first, last, step, key_flags, ...)                                                              \
    {                                                                                                        \
        .flags = key_flags, .search = KEY_SEARCH_INDEX, .index = first, .find = KEY_FIND_RANGE,              \
        .last_key = last, .key_step = step, __VA_ARGS__                                                      \
    }
#define COUNTED_KEYS(count, key_flags, ...)                                                                  \
    {                                                                                                        \
        .flags = key_flags, .search = KEY_SEARCH_INDEX, .index = count, .find = KEY_FIND_KEYNUM,             \
        .keynum_index = 0, .first_key = 1, .num_step = 1, __VA_ARGS__                                        \
    }
#define KEYWORD_KEY(word, from, key_flags, ...)                                                              \
    {                                                                                                        \
        .flags = key_flags, .search = KEY_SEARCH_KEYWORD, .keyword = word, .start_from = from,               \
        .find = KEY_FIND_RANGE, .last_key = 0, .key_step = 1, __VA_ARGS__                                    \
    }
#define UNKNOWN_KEYS(key_flags, ...)                                                                         \
    {                                                                                                        \
        .flags = key_flags, .search = KEY_SEARCH_UNKNOWN, .find = KEY_FIND_UNKNOWN, __VA_ARGS__              \
    }

/* Arguments. KEY and KEY_PATTERN name the key spec they belong to, -1: none. */
#define ARGUMENT(argument, kind, ...)                                                                        \
    {                                                                                                        \
        .name = argument, .type = ARGUMENT_##kind, .key_spec_index = -1, __VA_ARGS__                         \
    }
#define TOKEN(argument, word, ...)                                                                           \
    {                                                                                                        \
        .name = argument, .type = ARGUMENT_PURE_TOKEN, .key_spec_index = -1, .token = word, __VA_ARGS__      \
    }
#define KEY(argument, spec, ...)                                                                             \
    {                                                                                                        \
        .name = argument, .type = ARGUMENT_KEY, .key_spec_index = spec, __VA_ARGS__                          \
    }
#define KEY_PATTERN(argument, spec, ...)                                                                     \
    {                                                                                                        \
        .name = argument, .type = ARGUMENT_PATTERN, .key_spec_index = spec, __VA_ARGS__                      \
    }
#define CHILDREN(...)                                                                                        \
    .children = (const struct command_argument[]){__VA_ARGS__},                                              \
    .child_count = COUNT_OF(((const struct command_argument[]){__VA_ARGS__}))

#endif
