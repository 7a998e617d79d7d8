/* XGROUP HELP and XINFO HELP: what the subcommands are. Main thread only. */
#include "commands/call.h"
#include "commands/handlers.h"

void cmd_xgroup_help(struct call *call)
{
    static const char *const lines[] = {
        "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <count>]",
        "    Create <group>, which reads the entries behind <id>; $ stands for the last entry.",
        "    MKSTREAM: create an empty stream at <key> when there is none.",
        "    ENTRIESREAD: how many entries the group is said to have read, for its lag.",
        "CREATECONSUMER <key> <group> <consumer>",
        "    Create <consumer> in <group>.",
        "DELCONSUMER <key> <group> <consumer>",
        "    Delete <consumer>, and forget the entries that are pending for it.",
        "DESTROY <key> <group>",
        "    Delete <group> with its consumers and all that is pending.",
        "SETID <key> <group> <id|$> [ENTRIESREAD <count>]",
        "    Let <group> read the entries behind <id> from now on.",
        NULL,
    };
    call_reply_help(call, lines);
}

void cmd_xinfo_help(struct call *call)
{
    static const char *const lines[] = {
        "CONSUMERS <key> <group>",
        "    Tell about the consumers of <group>: how much is pending, and since when they are idle.",
        "GROUPS <key>",
        "    Tell about the groups of the stream: their consumers, pending entries, position and lag.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    Tell how long the stream is and what its first and last entries are.",
        "    FULL: list entries, groups, consumers and what is pending, at most <count> of each;",
        "    10 without COUNT, all with 0.",
        NULL,
    };
    call_reply_help(call, lines);
}
