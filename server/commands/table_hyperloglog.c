/* Rows of the HyperLogLog commands. Shape and vocabulary: command_table.h. Constant data; any thread. */

#include "commands/command_table.h"
#include "commands/handlers.h"

static const struct command rows[] = {
    {
        .name = "pfadd",
        .handler = cmd_pfadd,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .categories = CATEGORY_WRITE | CATEGORY_HYPERLOGLOG | CATEGORY_FAST,
        KEY_SPECS(KEYS(1, 0, 1, KEY_RW | KEY_INSERT)),
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(N), N elements",
        .summary = "Shows elements to a HyperLogLog, creating it when it is missing.",
        ARGUMENTS(KEY("key", 0), ARGUMENT("element", STRING, .flags = ARGUMENT_OPTIONAL | ARGUMENT_MULTIPLE)),
    },
    {
        .name = "pfcount",
        .handler = cmd_pfcount,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_MAY_REPLICATE,
        .categories = CATEGORY_READ | CATEGORY_HYPERLOGLOG | CATEGORY_SLOW,
        KEY_SPECS(KEYS(1, -1, 1, KEY_RW | KEY_ACCESS,
                       .notes = "RW: the cached estimate in the value is refreshed")),
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(N), N keys",
        .summary = "Estimates how many distinct elements HyperLogLogs have seen.",
        ARGUMENTS(KEY("key", 0, .flags = ARGUMENT_MULTIPLE)),
    },
    {
        .name = "pfdebug",
        .handler = cmd_pfdebug,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_ADMIN,
        .categories =
            CATEGORY_WRITE | CATEGORY_HYPERLOGLOG | CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
        KEY_SPECS(KEYS(2, 0, 1, KEY_RW | KEY_ACCESS)),
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(1)",
        .summary = "Looks inside a HyperLogLog; for tests.",
        .internal = true,
        ARGUMENTS(ARGUMENT("subcommand", STRING), KEY("key", 0)),
    },
    {
        .name = "pfmerge",
        .handler = cmd_pfmerge,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .categories = CATEGORY_WRITE | CATEGORY_HYPERLOGLOG | CATEGORY_SLOW,
        KEY_SPECS(KEYS(1, 0, 1, KEY_RW | KEY_ACCESS | KEY_INSERT), KEYS(2, -1, 1, KEY_RO | KEY_ACCESS)),
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(N), N keys",
        .summary = "Combines HyperLogLogs into one.",
        ARGUMENTS(KEY("destkey", 0), KEY("sourcekey", 1, .flags = ARGUMENT_MULTIPLE)),
    },
    {
        .name = "pfselftest",
        .handler = cmd_pfselftest,
        .arity = 1,
        .flags = COMMAND_ADMIN,
        .categories = CATEGORY_HYPERLOGLOG | CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(1)",
        .summary = "Checks the HyperLogLog implementation; for tests.",
        .internal = true,
    },
};

const struct command_table table_hyperloglog = {rows, COUNT_OF(rows)};
