/* Commands about the server as a whole: time, role, databases, snapshots, shutting down. Main thread only. */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/clock.h"

#include <errno.h>

static void read_facts(const struct call *call, struct server_facts *facts)
{
    const struct services *services = call->commands->services;
    services->facts(services->server, facts);
}

void cmd_time(struct call *call)
{
    int64_t now_us = clock_wall_us();
    reply_array(call->reply, 2);
    reply_bulk_integer(call->reply, now_us / 1000000);
    reply_bulk_integer(call->reply, now_us % 1000000);
}

/* A master with offset 0 and no replicas. */
void cmd_role(struct call *call)
{
    reply_array(call->reply, 3);
    reply_string(call->reply, "master");
    reply_integer(call->reply, 0);
    reply_array(call->reply, 0);
}

/* Without replicas none can confirm: the answer is known at once, whatever the timeout. */
void cmd_wait(struct call *call)
{
    int64_t replicas, timeout_ms;
    if (!call_int64(call, 1, &replicas, NULL) ||
        !call_int64(call, 2, &timeout_ms, "ERR timeout is not an integer or out of range"))
        return;
    if (timeout_ms < 0)
        reply_error(call->reply, "ERR timeout is negative");
    else
        reply_integer(call->reply, 0);
}

/* ---- databases ---- */

void cmd_dbsize(struct call *call)
{
    reply_integer(call->reply, (int64_t)keyspace_count(call->db));
}

/* Reads [ASYNC|SYNC]. Returns false after an error reply. */
static bool read_flush_mode(struct call *call, bool *async)
{
    *async = call->commands->settings.lazyfree_user_flush;
    bool says_async = call_argument_is(call, 1, "async");
    if (call->argc > 2 || (call->argc == 2 && !says_async && !call_argument_is(call, 1, "sync"))) {
        call_reply_syntax_error(call);
        return false;
    }
    if (call->argc == 2)
        *async = says_async;
    return true;
}

void cmd_flushdb(struct call *call)
{
    bool async;
    if (!read_flush_mode(call, &async))
        return;
    keyspace_flush(call->db, async);
    tracking_flushed(&call->commands->tracking);
    reply_ok(call->reply);
}

void cmd_flushall(struct call *call)
{
    bool async;
    if (!read_flush_mode(call, &async))
        return;
    for (int i = 0; i < call->keyspace->database_count; i++)
        keyspace_flush(&call->keyspace->databases[i], async);
    tracking_flushed(&call->commands->tracking);
    const struct services *services = call->commands->services;
    services->after_flush_all(services->server);
    reply_ok(call->reply);
}

void cmd_swapdb(struct call *call)
{
    int64_t number;
    /* Both must be numbers before either is looked up. */
    if (!call_int64_range(call, 1, INT32_MIN, INT32_MAX, &number, "ERR invalid first DB index") ||
        !call_int64_range(call, 2, INT32_MIN, INT32_MAX, &number, "ERR invalid second DB index"))
        return;
    struct database *first = argument_database(call, 1);
    struct database *second = first ? argument_database(call, 2) : NULL;
    if (!second)
        return;
    keyspace_swap(first, second);
    blocking_check_database(call->commands, first);
    blocking_check_database(call->commands, second);
    reply_ok(call->reply);
}

/* ---- snapshots ---- */

void cmd_lastsave(struct call *call)
{
    struct server_facts facts;
    read_facts(call, &facts);
    reply_integer(call->reply, facts.last_save_s);
}

static void reply_save_failure(struct call *call, int failed)
{
    /* The reason is in the log; clients of Redis get the bare code as well. */
    reply_error(call->reply, failed == -EBUSY ? "ERR Background save already in progress" : "ERR");
}

void cmd_save(struct call *call)
{
    const struct services *services = call->commands->services;
    int failed = services->save(services->server);
    if (failed)
        reply_save_failure(call, failed);
    else
        reply_ok(call->reply);
}

/* SCHEDULE matters to a server with children of other kinds; here it is accepted. */
void cmd_bgsave(struct call *call)
{
    if (call->argc > 2 || (call->argc == 2 && !call_argument_is(call, 1, "schedule"))) {
        call_reply_syntax_error(call);
        return;
    }
    const struct services *services = call->commands->services;
    if (call->session->flags & SESSION_IN_EXEC) {
        services->schedule_save(services->server);
        reply_status(call->reply, "Background saving scheduled");
        return;
    }
    int failed = services->save_in_background(services->server);
    if (failed)
        reply_save_failure(call, failed);
    else
        reply_status(call->reply, "Background saving started");
}

/* ---- watching others ---- */

/* A session that is a monitor already gets no reply. */
void cmd_monitor(struct call *call)
{
    struct session *session = call->session;
    if (session->flags & SESSION_IN_EXEC) {
        reply_error(call->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    if (session->flags & SESSION_MONITOR)
        return;
    monitor_add(&call->commands->monitor, session);
    reply_ok(call->reply);
}

/* ---- shutting down ---- */

enum { SHUTDOWN_WANTS_ABORT = 1 << 16 };

static bool read_shutdown_flags(const struct call *call, unsigned *flags)
{
    static const struct {
        const char *word;
        unsigned flag;
    } words[] = {{"save", SHUTDOWN_SAVE},
                 {"nosave", SHUTDOWN_NOSAVE},
                 {"now", SHUTDOWN_NOW},
                 {"force", SHUTDOWN_FORCE},
                 {"abort", SHUTDOWN_WANTS_ABORT}};
    *flags = 0;
    for (int i = 1; i < call->argc; i++) {
        unsigned flag = 0;
        for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
            if (call_argument_is(call, i, words[j].word))
                flag = words[j].flag;
        }
        if (!flag)
            return false;
        *flags |= flag;
    }
    bool mixed_abort = *flags & SHUTDOWN_WANTS_ABORT && *flags != SHUTDOWN_WANTS_ABORT;
    return !mixed_abort && !(*flags & SHUTDOWN_SAVE && *flags & SHUTDOWN_NOSAVE);
}

/* Success has no reply: the connection ends. */
void cmd_shutdown(struct call *call)
{
    const struct services *services = call->commands->services;
    unsigned flags;
    if (!read_shutdown_flags(call, &flags)) {
        call_reply_syntax_error(call);
        return;
    }
    if (flags & SHUTDOWN_WANTS_ABORT) {
        if (services->shutdown_abort(services->server) == 0)
            reply_ok(call->reply);
        else
            reply_error(call->reply, "ERR No shutdown in progress.");
        return;
    }
    if (script_is_busy(&call->commands->scripting.run)) /* a dump must not hold half of what it does */
        flags = (flags & ~(unsigned)SHUTDOWN_SAVE) | SHUTDOWN_NOSAVE;
    if (services->shutdown(services->server, flags) != 0)
        reply_error(call->reply, "ERR Errors trying to SHUTDOWN. Check logs.");
}

/* ---- modules: there are none ---- */

void cmd_module_list(struct call *call)
{
    reply_array(call->reply, 0);
}

void cmd_module_help(struct call *call)
{
    static const char *const lines[] = {"LIST", "    List the loaded modules: always none.", NULL};
    call_reply_help(call, lines);
}
