/*
 * Dispatch: from a request to a handler, with the checks that come before and the accounting that comes
 * after. See commands.h. Main thread only.
 */
#include "commands.h"

#include "base/clock.h"
#include "base/mem.h"
#include "commands/acl_call.h"
#include "commands/authenticate.h"
#include "commands/handlers.h"
#include "store/lookahead.h"

#include <stdio.h>
#include <string.h>

enum {
    UNKNOWN_NAME_MAX = 128,
    ERROR_KINDS_MAX = 512,
    PREPARE_GROUP = 32, /* requests whose memory is fetched together */
};

void commands_init(struct commands *commands, struct keyspace *keyspace, const struct services *services)
{
    *commands = (struct commands){.keyspace = keyspace, .services = services};
    registry_init(&commands->registry);
    session_list_init(&commands->sessions);
    acl_init(&commands->acl, &commands->registry);
    slowlog_init(&commands->slowlog);
    blocking_init(&commands->blocking);
    pubsub_init(&commands->pubsub);
    notify_init(&commands->notify, keyspace, &commands->pubsub);
    tracking_init(&commands->tracking, keyspace, &commands->pubsub, &commands->sessions);
    watch_init(&commands->watched);
    monitor_init(&commands->monitor);
    scripting_init(&commands->scripting);
    commands->cycle_scale = clock_measure_scale();
}

void commands_free(struct commands *commands)
{
    scripting_free(&commands->scripting);
    acl_free(&commands->acl);
    registry_free(&commands->registry);
    blocking_free(&commands->blocking);
    notify_free(&commands->notify);
    tracking_free(&commands->tracking);
    pubsub_free(&commands->pubsub);
    watch_free(&commands->watched);
    monitor_free(&commands->monitor);
    slowlog_trim(&commands->slowlog, 0);
    mem_free(commands->latency.events, LATENCY_EVENTS_MAX * sizeof(struct latency_event));
    while (commands->errors) {
        struct error_count *next = commands->errors->next;
        mem_free(commands->errors, sizeof(*commands->errors));
        commands->errors = next;
    }
}

void commands_begin_batch(struct commands *commands)
{
    keyspace_set_time(commands->keyspace, clock_wall_ms());
    commands->cycles = clock_cycles();
    memory_limit_begin_batch(&commands->memory);
}

int64_t commands_next_deadline_ms(const struct commands *commands)
{
    int64_t next_ms = blocking_next_deadline_ms(&commands->blocking);
    const struct pause *pause = &commands->pause;
    if (pause->kind == PAUSE_NOTHING || (next_ms && next_ms < pause->end_ms))
        return next_ms;
    return pause->end_ms;
}

/* ---- preparing ---- */

void commands_recognize(const struct commands *commands, struct request *request)
{
    struct registry_entry *entry = registry_find(&commands->registry, request->argv[0]);
    request->command = entry;
    request->recognized = true;
    if (entry == NULL || entry->key_argument == 0 || request->argc <= entry->key_argument)
        return;
    const struct slice *key = &request->argv[entry->key_argument];
    request->hash = hash_bytes(key->data, key->length);
    request->hashed_argument = entry->key_argument;
    if (entry->member_argument < request->argc)
        request->member_argument = entry->member_argument;
}

void commands_prepare(const struct commands *commands, struct request *const *requests, size_t count)
{
    struct lookahead group[PREPARE_GROUP];
    size_t begun = 0;
    for (size_t i = 0; i < count; i++) {
        struct request *request = requests[i];
        if (!request->recognized)
            commands_recognize(commands, request);
        if (!request->hashed_argument)
            continue;
        const struct session *session = request->session;
        lookahead_begin(&group[begun++], session->db, &request->argv[request->hashed_argument], request->hash,
                        request->member_argument ? &request->argv[request->member_argument] : NULL);
        if (begun == PREPARE_GROUP) {
            lookahead_finish(group, begun);
            begun = 0;
        }
    }
    lookahead_finish(group, begun);
}

/* ---- errors and refusals ---- */

static void commands_count_error(struct commands *commands, struct slice text)
{
    char code[sizeof(commands->errors->code)];
    size_t length = 0;
    while (length < text.length && length < sizeof(code) - 1 && text.data[length] != ' ' &&
           text.data[length] != '\r')
        length++;
    memcpy(code, text.data, length);
    code[length] = '\0';
    struct error_count **at = &commands->errors;
    while (*at && strcmp((*at)->code, code) != 0)
        at = &(*at)->next;
    if (*at == NULL) {
        if (commands->error_kinds == ERROR_KINDS_MAX)
            return;
        commands->error_kinds++;
        *at = mem_alloc_zero(sizeof(**at));
        memcpy((*at)->code, code, length + 1);
    }
    (*at)->count++;
}

static void commands_note_error(struct commands *commands, const struct reply *reply)
{
    commands->totals.error_replies++;
    const char *start = reply->buffer.data + reply->error_start + 1;
    commands_count_error(commands,
                         (struct slice){start, (size_t)(reply->buffer.data + reply->buffer.length - start)});
}

static void reply_unknown_command(struct reply *reply, const struct slice *argv, int argc)
{
    char text[512];
    int name_length = (int)(argv[0].length < UNKNOWN_NAME_MAX ? argv[0].length : UNKNOWN_NAME_MAX);
    int length = 0;
    for (int i = 1; i < argc && length < UNKNOWN_NAME_MAX; i++) {
        int room = UNKNOWN_NAME_MAX - length;
        int shown = (int)(argv[i].length < (size_t)room ? argv[i].length : (size_t)room);
        length += snprintf(text + length, sizeof(text) - (size_t)length, "'%.*s' ", shown, argv[i].data);
    }
    text[length] = '\0';
    reply_errorf(reply, "ERR unknown command '%.*s', with args beginning with: %s", name_length, argv[0].data,
                 text);
}

static bool debug_is_allowed(const struct call *call)
{
    switch (call->commands->settings.debug_command_access) {
    case 0:
        return false;
    case 1:
        return true;
    default:
        return call->session->flags & (SESSION_UNIX_SOCKET | SESSION_LOOPBACK);
    }
}

bool commands_writes_are_stopped(const struct commands *commands)
{
    const struct command_settings *settings = &commands->settings;
    return commands->last_save_failed && settings->stop_writes_on_bgsave_error && settings->save_points_set;
}

/* Subscribers that speak RESP2 cannot tell messages from other replies. */
static bool allows_subscriber(const struct command *command)
{
    command_handler *const allowed[] = {cmd_ping,       cmd_quit,         cmd_reset,
                                        cmd_subscribe,  cmd_unsubscribe,  cmd_psubscribe,
                                        cmd_ssubscribe, cmd_punsubscribe, cmd_sunsubscribe};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (command->handler == allowed[i])
            return true;
    }
    return false;
}

/* Of a session that is restricted or between MULTI and EXEC. Replies and returns false when it may not call
 * this.
 */
static bool session_may_call(struct call *call, unsigned flags)
{
    const struct session *session = call->session;
    if (!(flags & COMMAND_NO_AUTH) && !authenticate_is_done(session, &call->commands->acl)) {
        reply_error(call->reply, "NOAUTH Authentication required.");
        return false;
    }
    if ((flags & COMMAND_NO_MULTI) && (session->flags & SESSION_IN_MULTI)) {
        reply_error(call->reply, "ERR Command not allowed inside a transaction");
        return false;
    }
    return acl_call_is_allowed(call);
}

/* Replies why the call may not run, and returns false; or returns true. In the order in which Redis checks.
 */
static bool call_is_allowed(struct call *call, unsigned flags)
{
    const struct commands *commands = call->commands;
    const struct command_settings *settings = &commands->settings;
    if (!command_arity_fits(call->command, call->argc)) {
        call_reply_wrong_arity(call);
        return false;
    }
    if (__builtin_expect((flags & COMMAND_PROTECTED) && !debug_is_allowed(call), 0)) {
        reply_error(call->reply,
                    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
                    "you can run it from a local connection, otherwise you need to set this option in the "
                    "configuration file, and then restart the server.");
        return false;
    }
    if (__builtin_expect(call->session->flags & (SESSION_RESTRICTED | SESSION_IN_MULTI), 0) &&
        !session_may_call(call, flags))
        return false;
    if (__builtin_expect(settings->maxmemory != 0, 0) && call_is_denied_by_memory(call, flags)) {
        reply_error(call->reply, "OOM command not allowed when used memory > 'maxmemory'.");
        return false;
    }
    if (__builtin_expect(commands->last_save_failed, 0) && commands_writes_are_stopped(commands) &&
        ((flags & COMMAND_WRITE) || strcmp(call->command->name, "ping") == 0)) {
        reply_error(call->reply, COMMANDS_MISCONF_ERROR);
        return false;
    }
    if (__builtin_expect(call->session->flags & SESSION_SUBSCRIBER, 0) && call->session->version == 2 &&
        !allows_subscriber(call->command)) {
        reply_errorf(call->reply,
                     "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
                     "are allowed in this context",
                     call->entry->full_name);
        return false;
    }
    if (__builtin_expect(commands->loading && !(flags & COMMAND_LOADING), 0)) {
        reply_error(call->reply, "LOADING Redis is loading the dataset in memory");
        return false;
    }
    if (__builtin_expect(script_is_busy(&commands->scripting.run) && !(flags & COMMAND_ALLOW_BUSY), 0)) {
        reply_errorf(call->reply,
                     "BUSY Redis is busy running a script. You can only call %s or SHUTDOWN NOSAVE.",
                     commands->scripting.run.is_function ? "FUNCTION KILL" : "SCRIPT KILL");
        return false;
    }
    if (__builtin_expect(call->session->flags & SESSION_MONITOR, 0) &&
        flags & (COMMAND_WRITE | COMMAND_READONLY | COMMAND_MAY_REPLICATE)) {
        reply_error(call->reply, "ERR Replica can't interact with the keyspace");
        return false;
    }
    return true;
}

/* ---- accounting ---- */

static void commands_note_slow(struct commands *commands, const struct call *call, int64_t duration_ns)
{
    const struct command_settings *settings = &commands->settings;
    int64_t duration_us = duration_ns / 1000, now_s = clock_wall_us() / 1000000;
    if (settings->slowlog_log_slower_than_us >= 0 && duration_us >= settings->slowlog_log_slower_than_us &&
        !(call->command->flags & COMMAND_SKIP_SLOWLOG))
        slowlog_add(&commands->slowlog, call->session, call->argv, call->argc, now_s, duration_us,
                    settings->slowlog_max_len);
    int64_t threshold_ms = settings->latency_monitor_threshold_ms;
    if (threshold_ms > 0 && duration_us / 1000 >= threshold_ms)
        latency_record(&commands->latency, call->command->flags & COMMAND_FAST ? "fast-command" : "command",
                       now_s, duration_us / 1000);
}

/* Books a finished call; the time since the previous one ended is its duration. */
static void commands_account(struct commands *commands, const struct call *call, struct command_stats *stats)
{
    uint64_t now = clock_cycles();
    int64_t duration_ns = clock_cycles_to_ns(now - commands->cycles, commands->cycle_scale);
    commands->cycles = now;
    commands->totals.commands_processed++;
    stats->calls++;
    stats->nanoseconds += (uint64_t)duration_ns;
    const struct command_settings *settings = &commands->settings;
    if (settings->latency_tracking) {
        if (__builtin_expect(stats->histogram == NULL, 0))
            stats->histogram = histogram_create();
        histogram_record_ns(stats->histogram, duration_ns);
    }
    int64_t slow_ns = settings->slow_command_ns;
    if (__builtin_expect(duration_ns >= slow_ns, 0)) {
        commands_note_slow(commands, call, duration_ns);
        /* The clock of the batch has gone stale; EXEC has one time for all. */
        if (duration_ns > 1000000 && !(call->session->flags & SESSION_IN_EXEC))
            keyspace_set_time(commands->keyspace, clock_wall_ms());
    }
}

void commands_update_settings(struct commands *commands)
{
    struct command_settings *settings = &commands->settings;
    int64_t slow_ns = 1000000;
    if (settings->slowlog_log_slower_than_us >= 0 && settings->slowlog_log_slower_than_us < slow_ns / 1000)
        slow_ns = settings->slowlog_log_slower_than_us * 1000;
    settings->slow_command_ns = slow_ns;
    commands->acl.all_channels = settings->acl_all_channels;
}

/* ---- executing ---- */

static void session_finish_reply(struct session *session, struct reply *reply, size_t start)
{
    if (session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP))
        reply_truncate(reply, start);
    session->flags &= ~(uint32_t)SESSION_REPLY_SKIP;
    if (session->flags & SESSION_REPLY_SKIP_NEXT)
        session->flags = (session->flags & ~(uint32_t)SESSION_REPLY_SKIP_NEXT) | SESSION_REPLY_SKIP;
    if (session->flags & SESSION_CLOSE_AFTER_REPLY)
        session->transport->close(session->connection, true);
}

/* For those who want to know of calls that have run. */
static void call_show(struct call *call)
{
    struct monitor *monitor = &call->commands->monitor;
    if (call->session->flags & SESSION_TRACKING)
        tracking_remember(call);
    if (monitor->count)
        monitor_show(monitor, call);
}

void commands_book(struct call *call, struct registry_entry *entry)
{
    struct commands *commands = call->commands;
    if (call->reply->errors != call->errors_before) {
        entry->stats.failed_calls++;
        if (!call->error_is_counted)
            commands_note_error(commands, call->reply);
    }
    commands_account(commands, call, &entry->stats);
    if (__builtin_expect(commands->monitor.count | (call->session->flags & SESSION_TRACKING), 0))
        call_show(call);
}

void commands_perform(struct call *call, struct registry_entry *entry)
{
    call->errors_before = call->reply->errors;
    keyspace_begin_command(call->commands->keyspace);
    call->command->handler(call);
    if (__builtin_expect(!call->left, 1))
        commands_book(call, entry);
}

void commands_note_refused(struct commands *commands, struct registry_entry *entry, const struct reply *reply)
{
    if (entry)
        entry->stats.rejected_calls++;
    commands_note_error(commands, reply);
}

/* EXEC is refused: says so and ends the transaction. The reason is the last error. */
static void exec_refused(struct call *call)
{
    enum { REASON_MAX_BYTES = 512 };
    struct reply *reply = call->reply;
    char reason[REASON_MAX_BYTES];
    const char *text = reply->buffer.data + reply->error_start + 1;
    size_t length = reply->buffer.length - reply->error_start - strlen("-\r\n");
    if (length > strlen("ERR ") && memcmp(text, "ERR ", strlen("ERR ")) == 0) {
        text += strlen("ERR ");
        length -= strlen("ERR ");
    }
    snprintf(reason, sizeof(reason), "%.*s", (int)length, text);
    reply_truncate(reply, reply->error_start);
    reply_errorf(reply, "EXECABORT Transaction discarded because of: %s", reason);
    transaction_end(call->session);
    if (call->commands->monitor.count) /* unlike other refused commands */
        monitor_show(&call->commands->monitor, call);
}

/* Books a call that must not run; its error is the last thing in the reply. Entry is NULL for an unknown
 * command. */
static void call_refused(struct call *call, struct registry_entry *entry)
{
    if (entry && entry->command->handler == cmd_exec)
        exec_refused(call);
    else
        transaction_fail(call->session);
    commands_note_refused(call->commands, entry, call->reply);
}

/* Between MULTI and EXEC, these few run at once. */
static bool command_is_never_queued(const struct command *command)
{
    command_handler *const handlers[] = {cmd_exec, cmd_discard, cmd_multi, cmd_watch, cmd_quit, cmd_reset};
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (command->handler == handlers[i])
            return true;
    }
    return false;
}

/* Runs, queues, refuses or puts off. */
static enum request_outcome call_run(struct call *call, struct registry_entry *entry)
{
    struct commands *commands = call->commands;
    bool in_multi = call->session->flags & SESSION_IN_MULTI;
    unsigned flags = __builtin_expect(in_multi, 0) ? transaction_call_flags(call) : call->command->flags;
    if (__builtin_expect(flags & COMMAND_RUNS_SCRIPT, 0))
        flags = scripting_call_flags(call, flags);
    if (!call_is_allowed(call, flags)) {
        call_refused(call, entry);
        return REQUEST_DONE;
    }
    if (__builtin_expect(commands->pause.kind != PAUSE_NOTHING, 0) &&
        pause_holds(&commands->pause, call->session, flags))
        return REQUEST_PUT_OFF;
    if (__builtin_expect(in_multi, 0) && !command_is_never_queued(call->command)) {
        transaction_queue(call, entry);
        reply_literal(call->reply, "+QUEUED\r\n", strlen("+QUEUED\r\n"));
        return REQUEST_DONE;
    }
    commands_perform(call, entry);
    if (__builtin_expect(blocking_has_ready(&commands->blocking), 0) && !call->left)
        blocking_serve_ready(commands);
    return REQUEST_DONE;
}

/* The command that a call names, a container's subcommand included. Replies and returns NULL when there is
 * none that can run. */
static struct registry_entry *call_resolve(struct call *call, struct registry_entry *entry)
{
    if (entry == NULL) {
        reply_unknown_command(call->reply, call->argv, call->argc);
        call_refused(call, NULL);
        return NULL;
    }
    if (entry->command->subcommand_count && call->argc >= 2) {
        struct registry_entry *subcommand = registry_find_subcommand(entry, call->argv[1]);
        if (subcommand == NULL) {
            call_reply_unknown_subcommand(call);
            call_refused(call, NULL);
        }
        return subcommand;
    }
    if (entry->command->handler == NULL) {
        call_reply_wrong_arity(call);
        call_refused(call, entry);
        return NULL;
    }
    return entry;
}

enum {
    SESSION_UNUSUAL = SESSION_REPLY_OFF | SESSION_REPLY_SKIP | SESSION_REPLY_SKIP_NEXT |
                      SESSION_CLOSE_AFTER_REPLY | SESSION_BLOCKED | SESSION_TRACKING_CACHING |
                      SESSION_TRACKING_PENDING
};

/* CLIENT CACHING is for the next command, or transaction; commands of the CLIENT family do not count. */
static void caching_end(const struct call *call)
{
    struct session *session = call->session;
    const struct registry_entry *parent = call->command ? call->entry->parent : NULL;
    bool is_client = parent && strcmp(parent->command->name, "client") == 0;
    if (!is_client && !(session->flags & (SESSION_IN_MULTI | SESSION_BLOCKED)))
        session->flags &= ~(uint32_t)SESSION_TRACKING_CACHING;
}

/* What is left to do behind the reply for a session that is not in its usual state. */
static enum request_outcome session_end_command(const struct call *call, enum request_outcome outcome)
{
    struct session *session = call->session;
    if (outcome == REQUEST_PUT_OFF)
        return outcome;
    session_finish_reply(session, call->reply, call->reply_start);
    if (session->flags & SESSION_TRACKING_PENDING)
        tracking_send_pending(&call->commands->tracking, session);
    if (session->flags & SESSION_TRACKING_CACHING)
        caching_end(call);
    return session->flags & SESSION_BLOCKED ? REQUEST_HOLD : outcome;
}

enum request_outcome commands_execute(struct commands *commands, struct request *request, struct reply *reply)
{
    struct session *session = request->session;
    reply->version = session->version;
    session->active_ms = commands->keyspace->now_ms;
    pubsub_begin_command(&commands->pubsub, session, reply);

    struct call call = {.session = session,
                        .db = session->db,
                        .keyspace = commands->keyspace,
                        .commands = commands,
                        .entry = request->command,
                        .argv = request->argv,
                        .argc = (int)request->argc,
                        .reply = reply,
                        .reply_start = reply->buffer.length,
                        .blobs = request->blobs,
                        .key_hash = request->hash,
                        .hashed_argument = request->hashed_argument};
    enum request_outcome outcome = REQUEST_DONE;
    struct registry_entry *entry = call_resolve(&call, request->command);
    if (entry) {
        call.entry = entry;
        call.command = entry->command;
        session->last_command = entry;
        outcome = call_run(&call, entry);
    }
    if (__builtin_expect(session->flags & SESSION_UNUSUAL, 0))
        outcome = session_end_command(&call, outcome);
    pubsub_end_command(&commands->pubsub, call.reply_start);
    return outcome;
}
