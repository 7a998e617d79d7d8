/* SLOWLOG: shows the slow log. Main thread only. */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include <inttypes.h>

enum { SLOWLOG_GET_DEFAULT = 10 };

static void slowlog_reply_record(struct reply *reply, const struct slowlog_record *record)
{
    reply_array(reply, 6);
    reply_integer(reply, (int64_t)record->id);
    reply_integer(reply, record->time_s);
    reply_integer(reply, record->duration_us);
    reply_array(reply, (size_t)record->argument_count);
    for (int i = 0; i < record->argument_count; i++)
        reply_bulk(reply, record->arguments[i].text, record->arguments[i].length);
    reply_string(reply, record->peer);
    reply_string(reply, record->client_name);
}

void cmd_slowlog_get(struct call *call)
{
    const struct slowlog *slowlog = &call->commands->slowlog;
    if (call->argc > 3) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    int64_t wanted = SLOWLOG_GET_DEFAULT;
    if (call->argc == 3 &&
        !call_int64_range(call, 2, -1, INT64_MAX, &wanted, "ERR count should be greater than or equal to -1"))
        return;
    uint64_t count = slowlog->count;
    if (wanted >= 0 && (uint64_t)wanted < count)
        count = (uint64_t)wanted;
    reply_array(call->reply, count);
    const struct links *at = slowlog->records.next;
    for (; count > 0; count--, at = at->next)
        slowlog_reply_record(call->reply, links_container(at, struct slowlog_record, links));
}

void cmd_slowlog_len(struct call *call)
{
    reply_integer(call->reply, (int64_t)call->commands->slowlog.count);
}

void cmd_slowlog_reset(struct call *call)
{
    slowlog_trim(&call->commands->slowlog, 0);
    reply_ok(call->reply);
}

void cmd_slowlog_help(struct call *call)
{
    static const char *const lines[] = {
        "GET [<count>]",
        "    List the newest <count> records (default 10, -1 for all): number, time,",
        "    duration in microseconds, arguments, client address, client name.",
        "LEN",
        "    Count the records.",
        "RESET",
        "    Drop the records.",
        NULL,
    };
    call_reply_help(call, lines);
}
