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

/* Only these are asked of a session that runs commands for a script. */
static const struct session_transport script_transport = {.describe = describe_nobody,
                                                          .memory_bytes = measure_nothing};

static void begin_session(struct script_run *run, const struct session *caller)
{
    enum {
        INHERITED = SESSION_AUTHENTICATED | SESSION_UNIX_SOCKET | SESSION_LOOPBACK | SESSION_NO_TOUCH |
                    SESSION_RESTRICTED
    };
    run->session =
        (struct session){.db = caller->db,
                         .user = caller->user,
                         .transport = &script_transport,
                         .created_ms = caller->created_ms,
                         .active_ms = caller->active_ms,
                         .flags = (caller->flags & INHERITED) | SESSION_IN_EXEC | SESSION_IN_SCRIPT,
                         .version = 2};
}

/* ---- commands of scripts ---- */

/* Finds the command, or writes the error and returns NULL. */
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
    if (run_of(commands)->caller)
        asking.session = run_of(commands)->caller;
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
        if (elapsed_ms < commands->settings.busy_reply_threshold_ms || !run->may_leave)
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
    struct commands *commands = context;
    const struct script_run *run = run_of(commands);
    interpreter_execute(run->interpreter, run->call);
}

static void begin(struct call *call, const struct script_terms *terms, bool no_memory)
{
    struct commands *commands = call->commands;
    struct script_run *run = run_of(commands);
    const unsigned lenient = SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES;
    struct fiber *fiber = run->fiber ? run->fiber : fiber_create(run_body, commands);
    *run = (struct script_run){
        .caller = call->session,
        .interpreter = terms->interpreter,
        .running = true,
        .is_function = terms->is_function,
        .read_only = terms->read_only || (terms->declares && terms->flags & SCRIPT_NO_WRITES),
        .no_memory = no_memory && !(terms->declares && terms->flags & lenient),
        .may_leave = !(call->session->flags & SESSION_IN_EXEC),
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
    struct script_run *run = run_of(call->commands);
    call->left = true;
    run->caller_copy = transaction_copy_command(call);
    run->silent = call->session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    call->session->flags |= SESSION_BLOCKED;
    pubsub_hold_back(&call->commands->pubsub, false);
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
    run_of(commands)->call = &interpreter_call;
    if (fiber_enter(run_of(commands)->fiber))
        call->error_is_counted = finish(commands, call->reply);
    else
        leave_caller(call);
}

/* Books the command whose script was busy, as if it had been one piece. */
static void account_caller(struct commands *commands, const struct reply *reply, bool error_is_counted)
{
    struct script_run *run = run_of(commands);
    struct transaction_command *copy = run->caller_copy;
    struct call call = {.session = run->caller ? run->caller : &run->session,
                        .db = run->session.db,
                        .keyspace = commands->keyspace,
                        .commands = commands,
                        .command = copy->entry->command,
                        .entry = copy->entry,
                        .argv = copy->argv,
                        .argc = (int)copy->argc,
                        .reply = (struct reply *)reply,
                        .error_is_counted = error_is_counted};
    commands_book(&call, copy->entry);
    transaction_free_command(copy);
    run->caller_copy = NULL;
}

static void end_busy(struct commands *commands)
{
    struct script_run *run = run_of(commands);
    struct session *caller = run->caller;
    struct reply reply = {.version = caller ? caller->version : 2};
    bool error_is_counted = finish(commands, &reply);
    keyspace_set_time(commands->keyspace, clock_wall_ms());
    account_caller(commands, &reply, error_is_counted);
    if (caller) {
        caller->flags &= ~(uint32_t)SESSION_BLOCKED;
        caller->active_ms = commands->keyspace->now_ms;
        if (!run->silent)
            session_send_reply(caller, &reply);
        caller->transport->resume(caller->connection);
    }
    run->caller = NULL;
    reply_free(&reply);
    if (blocking_has_ready(&commands->blocking))
        blocking_serve_ready(commands);
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
    if (run->caller_copy)
        transaction_free_command(run->caller_copy);
    if (run->fiber)
        fiber_free(run->fiber);
}
