/* Running scripts, and what they ask of the server. See script_run.h. Main thread only. */
#include "script_run.h"

#include "base/clock.h"
#include "base/fiber.h"
#include "base/log.h"
#include "commands/acl_call.h"
#include "commands/commands.h"
#include "commands/scripting.h"

#include <errno.h>
#include <string.h>

enum {
    FIRST_KEY = 3,
    /* How long a busy script runs between two turns of the loop. */
    SLICE_US = 5000,
    /* A library does nothing but register functions. */
    LOAD_MAX_US = 500000,
};

static struct script_run *run_of(struct commands *commands)
{
    return &commands->scripting.run;
}

/* ---- the session of scripts ---- */

static void describe_nobody(void *connection, struct connection_info *info)
{
    (void)connection;
    *info = (struct connection_info){.peer = "?:0", .local = "?:0", .fd = -1};
}

static uint64_t measure_nothing(const void *connection)
{
    (void)connection;
    return 0;
}

static void ignore(void *connection)
{
    (void)connection;
}

static void ignore_flag(void *connection, bool flag)
{
    (void)connection;
    (void)flag;
}

static void send_nothing(void *connection, const char *data, size_t length)
{
    (void)connection;
    (void)data;
    (void)length;
}

static void send_no_block(void *connection, struct blob *blob, size_t offset, size_t length)
{
    (void)connection;
    (void)blob;
    (void)offset;
    (void)length;
}

/* That of a session which nobody is connected to. */
static const struct session_transport no_transport = {.describe = describe_nobody,
                                                      .memory_bytes = measure_nothing,
                                                      .close = ignore_flag,
                                                      .send = send_nothing,
                                                      .send_shared = send_no_block,
                                                      .set_subscriber = ignore_flag,
                                                      .set_trusted = ignore_flag,
                                                      .resume = ignore};

static void begin_session(struct script_run *run, const struct session *caller)
{
    enum {
        INHERITED = SESSION_AUTHENTICATED | SESSION_UNIX_SOCKET | SESSION_LOOPBACK | SESSION_NO_TOUCH |
                    SESSION_RESTRICTED
    };
    run->session =
        (struct session){.db = caller->db,
                         .user = caller->user,
                         .transport = &no_transport,
                         .created_ms = caller->created_ms,
                         .active_ms = caller->active_ms,
                         .flags = (caller->flags & INHERITED) | SESSION_IN_EXEC | SESSION_IN_SCRIPT,
                         .version = 2};
}

/* ---- commands of scripts ---- */

/* Finds the command, or its subcommand; NULL when there is none. */
static struct registry_entry *find_command(struct commands *commands, const struct slice *argv, int argc)
{
    struct registry_entry *entry = registry_find(&commands->registry, argv[0]);
    if (entry && entry->command->subcommand_count && argc >= 2)
        entry = registry_find_subcommand(entry, argv[1]);
    return entry;
}

/* The caller's rights are the script's; the log names the caller while there is one. NULL: it may. */
static const char *denial(struct commands *commands, const struct call *call)
{
    static const char *const errors[] = {
        [ACL_DENIED_COMMAND] = "ERR The user executing the script can't run this command or subcommand",
        [ACL_DENIED_KEY] =
            "ERR The user executing the script can't access at least one of the keys mentioned in "
            "the command arguments",
        [ACL_DENIED_CHANNEL] =
            "ERR The user executing the script can't publish to the channel mentioned in the command"};
    struct call asking = *call;
    if (run_of(commands)->caller.session)
        asking.session = run_of(commands)->caller.session;
    return errors[acl_call_ask(&asking, call->entry, call->argv, call->argc, ACL_CONTEXT_SCRIPT).verdict];
}

/* Why a script may not run a command; NULL: it may. */
static const char *refusal(struct commands *commands, const struct call *call)
{
    struct script_run *run = run_of(commands);
    const struct command_settings *settings = &commands->settings;
    unsigned flags = call->command->flags;
    if (!command_arity_fits(call->command, call->argc) || call->command->handler == NULL)
        return "ERR Wrong number of args calling Redis command from script";
    if (flags & COMMAND_NOSCRIPT)
        return "ERR This Redis command is not allowed from script";
    const char *error = denial(commands, call);
    if (error)
        return error;
    if (run->read_only && flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE))
        return "ERR Write commands are not allowed from read-only scripts.";
    if (flags & COMMAND_WRITE && commands_writes_are_stopped(commands))
        return COMMANDS_MISCONF_ERROR;
    if (settings->maxmemory && run->no_memory && !run->wrote && flags & COMMAND_DENYOOM)
        return "OOM command not allowed when used memory > 'maxmemory'.";
    return NULL;
}

static void call_command(void *context, const struct slice *argv, int argc, struct reply *reply)
{
    struct commands *commands = context;
    struct script_run *run = run_of(commands);
    struct registry_entry *entry = find_command(commands, argv, argc);
    struct call call = {.session = &run->session,
                        .db = run->session.db,
                        .keyspace = commands->keyspace,
                        .commands = commands,
                        .command = entry ? entry->command : NULL,
                        .entry = entry,
                        .argv = argv,
                        .argc = argc,
                        .reply = reply,
                        .reply_start = reply->buffer.length};
    const char *error = entry ? refusal(commands, &call) : "ERR Unknown Redis command called from script";
    if (error) {
        reply_error(reply, error);
        commands_note_refused(commands, entry, reply);
        return;
    }
    run->session.version = (uint8_t)reply->version;
    run->wrote |= (entry->command->flags & COMMAND_WRITE) != 0;
    commands_perform(&call, entry);
}

static int may_call_command(void *context, const struct slice *argv, int argc)
{
    struct commands *commands = context;
    struct registry_entry *entry = find_command(commands, argv, argc);
    if (entry == NULL)
        return -EINVAL;
    struct script_run *run = run_of(commands);
    const struct call call = {.session = &run->session, .keyspace = commands->keyspace, .commands = commands};
    return acl_call_would_be(&call, entry, argv, argc).verdict == ACL_ALLOWED;
}

/* ---- scripts that take long ---- */

int64_t script_run_elapsed_ms(const struct commands *commands)
{
    uint64_t cycles = clock_cycles() - commands->scripting.run.started_cycles;
    return clock_cycles_to_ns(cycles, commands->cycle_scale) / 1000000;
}

static bool interrupt(void *context)
{
    struct commands *commands = context;
    struct script_run *run = run_of(commands);
    int64_t now_us = clock_monotonic_us();
    if (!run->running) /* a library is being loaded */
        return now_us - commands->scripting.load_started_us > LOAD_MAX_US;
    if (!run->busy) {
        int64_t elapsed_ms = script_run_elapsed_ms(commands);
        int64_t threshold_ms = commands->settings.busy_reply_threshold_ms;
        if (threshold_ms == 0 || elapsed_ms < threshold_ms)
            return run->kill;
        log_warning(
            "Slow script detected: still in execution after %lld milliseconds. You can try killing the "
            "script using the %s command. Script name is: %.*s.",
            (long long)elapsed_ms, run->is_function ? "FUNCTION KILL" : "SCRIPT KILL", (int)run->name_length,
            run->name);
        run->busy = true;
    } else if (now_us < run->slice_end_us) {
        return run->kill;
    }
    fiber_leave(run->fiber);
    return run->kill;
}

struct interpreter_host script_run_host(struct commands *commands)
{
    return (struct interpreter_host){.context = commands,
                                     .call = call_command,
                                     .may_call = may_call_command,
                                     .interrupt = interrupt,
                                     .register_function = function_library_register};
}

/* ---- beginning ---- */

/* What a script with flags is refused for at once, instead of at a command; NULL: nothing. */
static const char *start_refusal(const struct call *call, const struct script_terms *terms, bool no_memory)
{
    if (!terms->declares || terms->flags & SCRIPT_NO_WRITES)
        return NULL;
    if (terms->read_only)
        return "ERR Can not execute a script with write flag using *_ro command.";
    if (commands_writes_are_stopped(call->commands))
        return COMMANDS_MISCONF_ERROR;
    if (no_memory && !(terms->flags & SCRIPT_ALLOW_OOM))
        return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    return NULL;
}

static void run_body(void *context)
{
    struct script_run *run = run_of(context);
    if (run->caller.body)
        run->caller.body(&run->caller.call);
    else
        interpreter_execute(run->interpreter, run->call);
}

static struct fiber *get_fiber(struct commands *commands)
{
    struct script_run *run = run_of(commands);
    if (run->fiber == NULL)
        run->fiber = fiber_create(run_body, commands);
    return run->fiber;
}

static void begin(struct call *call, const struct script_terms *terms, bool no_memory)
{
    struct commands *commands = call->commands;
    struct script_run *run = run_of(commands);
    const unsigned lenient = SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES;
    struct fiber *fiber = get_fiber(commands);
    struct script_caller caller = {.session = call->session};
    if (run->caller.body)
        caller = run->caller;
    *run = (struct script_run){
        .caller = caller,
        .interpreter = terms->interpreter,
        .running = true,
        .is_function = terms->is_function,
        .read_only = terms->read_only || (terms->declares && terms->flags & SCRIPT_NO_WRITES),
        .no_memory = no_memory && !(terms->declares && terms->flags & lenient),
        .now_ms = call->keyspace->now_ms,
        .started_cycles = commands->cycles,
        .fiber = fiber,
    };
    run->name_length = terms->name.length < sizeof(run->name) ? terms->name.length : sizeof(run->name);
    memcpy(run->name, terms->name.data, run->name_length);
    begin_session(run, call->session);
    pubsub_hold_back(&commands->pubsub, true);
}

/* ---- ending ---- */

/* Writes the reply. Returns whether its last error has been counted already. */
static bool finish(struct commands *commands, struct reply *reply)
{
    struct script_run *run = run_of(commands);
    run->running = false;
    run->busy = false;
    pubsub_hold_back(&commands->pubsub, false);
    commands->cycles = run->started_cycles; /* all of its time is the caller's as well */
    return interpreter_finish(run->interpreter, script_run_name(run), reply);
}

/* The script has been left for the first time: what its caller sent must outlive the batch. */
static void leave_caller(struct call *call)
{
    struct pubsub *pubsub = &call->commands->pubsub;
    struct script_caller *caller = &run_of(call->commands)->caller;
    call->left = true;
    caller->copy = transaction_copy_command(call);
    caller->silent = call->session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    call->session->flags |= SESSION_BLOCKED;
    pubsub_hold_back(pubsub, false);
    if (caller->body && pubsub->early.length) /* they belong to a reply that is kept */
        pubsub_place_early(pubsub, 0);
    call->commands->services->go_on(call->commands->services->server);
}

void script_run(struct call *call, const struct script_terms *terms)
{
    struct commands *commands = call->commands;
    bool no_memory = commands->settings.maxmemory && commands->memory.was_full;
    const char *error = start_refusal(call, terms, no_memory);
    if (error) {
        reply_error(call->reply, error);
        return;
    }
    const struct slice *keys = call->argv + FIRST_KEY;
    const struct interpreter_call interpreter_call = {.reference = terms->reference,
                                                      .keys = keys,
                                                      .key_count = terms->key_count,
                                                      .arguments = keys + terms->key_count,
                                                      .argument_count =
                                                          call->argc - FIRST_KEY - terms->key_count,
                                                      .version = call->session->version};
    begin(call, terms, no_memory);
    struct script_run *run = run_of(commands);
    run->call = &interpreter_call;
    if (run->caller.body) { /* which is on the fiber already */
        interpreter_execute(run->interpreter, &interpreter_call);
        call->error_is_counted = finish(commands, call->reply);
    } else if (fiber_enter(run->fiber)) {
        call->error_is_counted = finish(commands, call->reply);
    } else {
        leave_caller(call);
    }
}

/* ---- commands that run scripts among others ---- */

void script_run_around(struct call *call, void (*body)(struct call *call))
{
    struct script_run *run = run_of(call->commands);
    struct fiber *fiber = get_fiber(call->commands);
    struct script_caller *caller = &run->caller;
    *caller = (struct script_caller){
        .session = call->session, .body = body, .call = *call, .reply = {.version = call->reply->version}};
    caller->call.reply = &caller->reply;
    caller->call.reply_start = 0;
    caller->call.errors_before = 0;
    caller->call.argv = NULL;
    caller->call.argc = 0;
    caller->call.blobs = NULL;
    if (!fiber_enter(fiber)) {
        leave_caller(call);
        return;
    }
    call->reply_start = call->reply->buffer.length + caller->call.reply_start;
    bool has_failed = caller->reply.errors != caller->call.errors_before;
    reply_append(call->reply, &caller->reply);
    if (!has_failed)
        call->errors_before = call->reply->errors;
    reply_free(&caller->reply);
    caller->body = NULL;
}

/* ---- the end of what was left ---- */

/* Books the command that was left, as if it had been one piece. */
static void account_caller(struct commands *commands, struct reply *reply, bool error_is_counted)
{
    struct script_run *run = run_of(commands);
    struct script_caller *caller = &run->caller;
    struct call call = {.session = caller->session ? caller->session : &run->session,
                        .db = run->session.db,
                        .keyspace = commands->keyspace,
                        .commands = commands,
                        .command = caller->copy->entry->command,
                        .entry = caller->copy->entry,
                        .argv = caller->copy->argv,
                        .argc = (int)caller->copy->argc,
                        .reply = reply,
                        .errors_before = caller->body ? caller->call.errors_before : 0,
                        .error_is_counted = error_is_counted};
    commands_book(&call, caller->copy->entry);
    transaction_free_command(caller->copy);
    caller->copy = NULL;
}

/* Sends the reply to who has waited, and lets it go on. */
static void answer_caller(struct commands *commands, const struct reply *reply)
{
    struct script_caller *caller = &run_of(commands)->caller;
    struct session *session = caller->session;
    if (session == NULL)
        return;
    session->flags &= ~(uint32_t)SESSION_BLOCKED;
    session->active_ms = commands->keyspace->now_ms;
    if (!caller->silent)
        session_send_reply(session, reply);
    if (session->flags & SESSION_CLOSE_AFTER_REPLY)
        session->transport->close(session->connection, true);
    session->transport->resume(session->connection);
    if (caller->is_orphan)
        session_free(&commands->sessions, session);
}

static void end_busy(struct commands *commands)
{
    struct script_run *run = run_of(commands);
    struct script_caller *caller = &run->caller;
    struct reply own = {.version = caller->session ? caller->session->version : 2};
    struct reply *reply = caller->body ? &caller->reply : &own;
    bool error_is_counted = caller->body == NULL && finish(commands, reply);
    run->busy = false;
    keyspace_set_time(commands->keyspace, clock_wall_ms());
    account_caller(commands, reply, error_is_counted);
    pubsub_end_command(&commands->pubsub, 0);
    answer_caller(commands, reply);
    reply_free(reply);
    *caller = (struct script_caller){0};
    if (blocking_has_ready(&commands->blocking))
        blocking_serve_ready(commands);
}

bool script_run_forget(struct script_run *run, struct session *session)
{
    if (run->caller.session != session || !run->busy)
        return false;
    if (run->caller.body == NULL) {
        run->caller.session = NULL;
        return false;
    }
    /* The rest of its transaction runs for it all the same. */
    pubsub_forget(session);
    tracking_forget(session);
    session->transport = &no_transport;
    run->caller.is_orphan = true;
    return true;
}

void script_run_resume(struct commands *commands)
{
    struct script_run *run = run_of(commands);
    run->slice_end_us = clock_monotonic_us() + SLICE_US;
    keyspace_set_time(commands->keyspace, run->now_ms);
    commands->cycles = clock_cycles();
    if (fiber_enter(run->fiber))
        end_busy(commands);
}

void script_run_kill(struct call *call, bool is_function)
{
    struct script_run *run = run_of(call->commands);
    if (!run->busy)
        reply_error(call->reply, "NOTBUSY No scripts in execution right now.");
    else if (run->is_function != is_function)
        reply_errorf(call->reply,
                     "BUSY Redis is busy running a script. You can only call %s or SHUTDOWN NOSAVE.",
                     run->is_function ? "FUNCTION KILL" : "SCRIPT KILL");
    else if (run->wrote)
        reply_error(call->reply,
                    "UNKILLABLE Sorry the script already executed write commands against the "
                    "dataset. You can either wait the script termination or kill the server in a "
                    "hard way using the SHUTDOWN NOSAVE command.");
    else {
        run->kill = true;
        reply_ok(call->reply);
    }
}

void script_run_free(struct script_run *run)
{
    if (run->caller.copy)
        transaction_free_command(run->caller.copy);
    reply_free(&run->caller.reply);
    if (run->fiber)
        fiber_free(run->fiber);
}
