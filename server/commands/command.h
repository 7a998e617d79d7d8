#ifndef SPINDLE_COMMANDS_COMMAND_H
#define SPINDLE_COMMANDS_COMMAND_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the server knows about each command: one constant table row serves dispatch, COMMAND, ACL categories
 * and the hints of redis-cli. Rows live in table_GROUP.c, one array for each group, and are listed in
 * registry.c. A command is in a table only when it works. Constant data; any thread.
 */

struct call;
struct key_positions;

enum command_flag {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2,
    COMMAND_ADMIN = 1 << 3,
    COMMAND_PUBSUB = 1 << 4,
    COMMAND_NOSCRIPT = 1 << 5,
    COMMAND_BLOCKING = 1 << 6,
    COMMAND_LOADING = 1 << 7, /* allowed while loading */
    COMMAND_STALE = 1 << 8,
    COMMAND_SKIP_MONITOR = 1 << 9,
    COMMAND_SKIP_SLOWLOG = 1 << 10,
    COMMAND_ASKING = 1 << 11,
    COMMAND_FAST = 1 << 12,
    COMMAND_NO_AUTH = 1 << 13, /* allowed before authentication */
    COMMAND_MAY_REPLICATE = 1 << 14,
    COMMAND_NO_MANDATORY_KEYS = 1 << 15,
    COMMAND_PROTECTED = 1 << 16, /* DEBUG: needs enable-debug-command */
    COMMAND_NO_ASYNC_LOADING = 1 << 17,
    COMMAND_NO_MULTI = 1 << 18,
    COMMAND_ALLOW_BUSY = 1 << 19,
    COMMAND_RUNS_SCRIPT = 1 << 21, /* no client sees this one */
    COMMAND_MOVABLEKEYS = 1 << 20, /* COMMAND shows it; keys are found by get_keys */
};

/* ACL categories, in the order COMMAND INFO lists them. */
enum command_category {
    CATEGORY_KEYSPACE = 1 << 0,
    CATEGORY_READ = 1 << 1,
    CATEGORY_WRITE = 1 << 2,
    CATEGORY_SET = 1 << 3,
    CATEGORY_SORTEDSET = 1 << 4,
    CATEGORY_LIST = 1 << 5,
    CATEGORY_HASH = 1 << 6,
    CATEGORY_STRING = 1 << 7,
    CATEGORY_BITMAP = 1 << 8,
    CATEGORY_HYPERLOGLOG = 1 << 9,
    CATEGORY_GEO = 1 << 10,
    CATEGORY_STREAM = 1 << 11,
    CATEGORY_PUBSUB = 1 << 12,
    CATEGORY_ADMIN = 1 << 13,
    CATEGORY_FAST = 1 << 14,
    CATEGORY_SLOW = 1 << 15,
    CATEGORY_BLOCKING = 1 << 16,
    CATEGORY_DANGEROUS = 1 << 17,
    CATEGORY_CONNECTION = 1 << 18,
    CATEGORY_TRANSACTION = 1 << 19,
    CATEGORY_SCRIPTING = 1 << 20,
};

enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,
    KEY_INCOMPLETE = 1 << 9,
    KEY_VARIABLE_FLAGS = 1 << 10,
};

enum key_search { KEY_SEARCH_INDEX, KEY_SEARCH_KEYWORD, KEY_SEARCH_UNKNOWN };
enum key_find { KEY_FIND_RANGE, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };

/* Where keys stand among the arguments; the shape COMMAND INFO shows. */
struct key_spec {
    const char *notes;
    unsigned flags;
    enum key_search search;
    int index;           /* search index: first position */
    const char *keyword; /* search keyword */
    int start_from;
    enum key_find find;
    int last_key, key_step, limit; /* find range; last_key relative to the first, negative: from the end */
    int keynum_index, first_key, num_step; /* find keynum (step in num_step) */
};

enum argument_type {
    ARGUMENT_STRING,
    ARGUMENT_INTEGER,
    ARGUMENT_DOUBLE,
    ARGUMENT_KEY,
    ARGUMENT_PATTERN,
    ARGUMENT_UNIX_TIME,
    ARGUMENT_PURE_TOKEN,
    ARGUMENT_ONEOF,
    ARGUMENT_BLOCK,
};

enum argument_flag { ARGUMENT_OPTIONAL = 1, ARGUMENT_MULTIPLE = 2, ARGUMENT_MULTIPLE_TOKEN = 4 };

struct command_argument {
    const char *name;
    enum argument_type type;
    int key_spec_index; /* -1: none */
    const char *token;
    const char *since;
    const char *deprecated_since;
    unsigned flags;
    const struct command_argument *children; /* of ONEOF and BLOCK */
    int child_count;
};

struct command {
    const char *name; /* lower case; a subcommand's own word */
    void (*handler)(struct call *call);
    int arity; /* counting the name(s); negative: at least */
    unsigned flags;
    unsigned categories;
    const struct key_spec *key_specs;
    int key_spec_count;
    /* For keys, or uses of keys, that specs cannot express: adds the positions (keyspecs.h). Returns 0, or
     * -EINVAL for a wrong command. */
    int (*get_keys)(const struct slice *argv, int argc, struct key_positions *positions);
    uint8_t member_argument; /* position of the first member or field that it looks up in its first key; 0:
                                none */
    const struct command *subcommands; /* container commands */
    int subcommand_count;

    const char *group;
    const char *since;
    const char *complexity;
    const char *summary;
    const char *deprecated_since, *replaced_by; /* NULL when not deprecated */
    bool internal;                              /* COMMAND DOCS marks it "syscmd" */
    const char *const *tips;                    /* NULL-terminated, or NULL */
    const struct command_argument *arguments;
    int argument_count;
};

/* First key, last key and step as COMMAND shows them: of the key specs that are ranges at a fixed index,
 * joined when they touch. 0 0 0 without one; last is negative when it counts from the end. */
void command_key_range(const struct command *command, int *first, int *last, int *step);

static inline bool command_arity_fits(const struct command *command, int argc)
{
    return command->arity >= 0 ? argc == command->arity : argc >= -command->arity;
}

/* The first member or field that it looks up, or NULL. */
static inline const struct slice *command_member(const struct command *command, const struct slice *argv,
                                                 uint32_t argc)
{
    uint32_t position = command->member_argument;
    return position && position < argc ? &argv[position] : NULL;
}

#endif
