/* Rows of the transaction commands. Shape and vocabulary: command_table.h. Constant data; any thread. */

#include "commands/command_table.h"
#include "commands/handlers.h"

static const struct command rows[] = {
    {
        .name = "discard",
        .handler = cmd_discard,
        .arity = 1,
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "2.0.0",
        .complexity = "O(N), N queued commands",
        .summary = "Forgets the commands queued since MULTI.",
    },
    {
        .name = "exec",
        .handler = cmd_exec,
        .arity = 1,
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_SKIP_SLOWLOG,
        .categories = CATEGORY_SLOW | CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "1.2.0",
        .complexity = "Depends on the queued commands",
        .summary = "Runs the commands queued since MULTI in one step.",
    },
    {
        .name = "multi",
        .handler = cmd_multi,
        .arity = 1,
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "1.2.0",
        .complexity = "O(1)",
        .summary = "Begins a transaction: the commands that follow are queued.",
    },
    {
        .name = "unwatch",
        .handler = cmd_unwatch,
        .arity = 1,
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "2.2.0",
        .complexity = "O(N), N watched keys",
        .summary = "Stops watching keys.",
    },
    {
        .name = "watch",
        .handler = cmd_watch,
        .arity = -2,
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
        KEY_SPECS(KEYS(1, -1, 1, KEY_RO)),
        .group = "transactions",
        .since = "2.2.0",
        .complexity = "O(N), N keys",
        .summary = "Watches keys: when one changes, the next EXEC does nothing.",
        ARGUMENTS(KEY("key", 0, .flags = ARGUMENT_MULTIPLE)),
    },
};

const struct command_table table_transactions = {rows, COUNT_OF(rows)};
