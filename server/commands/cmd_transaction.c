/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. Main thread only. */
#include "commands/acl_call.h"
#include "commands/commands.h"
#include "commands/handlers.h"
#include "store/lookahead.h"

void cmd_multi(struct call *call)
{
    if (call->session->flags & SESSION_IN_MULTI) {
        reply_error(call->reply, "ERR MULTI calls can not be nested");
        return;
    }
    transaction_begin(call->session);
    reply_ok(call->reply);
}

void cmd_discard(struct call *call)
{
    if (!(call->session->flags & SESSION_IN_MULTI)) {
        reply_error(call->reply, "ERR DISCARD without MULTI");
        return;
    }
    transaction_end(call->session);
    reply_ok(call->reply);
}

void cmd_watch(struct call *call)
{
    if (call->session->flags & SESSION_IN_MULTI) {
        reply_error(call->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (int i = 1; i < call->argc; i++) {
        struct key key = call_key(call, i);
        watch_add(&call->commands->watched, call->session, &key);
    }
    reply_ok(call->reply);
}

void cmd_unwatch(struct call *call)
{
    watch_forget(call->session);
    reply_ok(call->reply);
}

/* ---- EXEC ---- */

enum { EXEC_GROUP = 16, EXEC_REPLY_HIDDEN = SESSION_REPLY_OFF | SESSION_REPLY_SKIP };

/* Starts fetching what a group of commands will look at. */
static void exec_prefetch(const struct database *db, struct transaction_command *const *queued, size_t count)
{
    struct lookahead group[EXEC_GROUP];
    size_t begun = 0;
    for (size_t i = 0; i < count; i++) {
        const struct transaction_command *command = queued[i];
        if (command->hashed_argument)
            lookahead_begin(&group[begun++], db, &command->argv[command->hashed_argument], command->key_hash,
                            command_member(command->entry->command, command->argv, command->argc));
    }
    lookahead_finish(group, begun);
}

/* Rules may have changed since the command was queued. Replies and returns false when it is denied now. */
static bool exec_is_allowed(const struct call *exec, const struct transaction_command *queued)
{
    static const char *const reasons[] = {
        [ACL_DENIED_COMMAND] = "no permission to execute the command or subcommand",
        [ACL_DENIED_KEY] = "no permission to touch the specified keys",
        [ACL_DENIED_CHANNEL] = "no permission to access one of the channels used as arguments"};
    struct acl_answer answer =
        acl_call_ask(exec, queued->entry, queued->argv, (int)queued->argc, ACL_CONTEXT_MULTI);
    if (answer.verdict == ACL_ALLOWED)
        return true;
    reply_errorf(exec->reply,
                 "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "
                 "call. This command is no longer allowed for the following reason: %s",
                 reasons[answer.verdict]);
    commands_note_refused(exec->commands, NULL, exec->reply);
    return false;
}

static void exec_one(const struct call *exec, struct transaction_command *queued)
{
    struct session *session = exec->session;
    struct reply *reply = exec->reply;
    size_t start = reply->buffer.length;
    bool closing = session->flags & SESSION_CLOSE_AFTER_REPLY;
    reply->version = session->version;
    keyspace_begin_command(exec->keyspace);
    struct call call = {.session = session,
                        .db = session->db,
                        .keyspace = exec->keyspace,
                        .commands = exec->commands,
                        .command = queued->entry->command,
                        .entry = queued->entry,
                        .argv = queued->argv,
                        .argc = (int)queued->argc,
                        .reply = reply,
                        .reply_start = start,
                        .blobs = queued->blobs,
                        .key_hash = queued->key_hash,
                        .hashed_argument = queued->hashed_argument};
    if (__builtin_expect(!(session->flags & SESSION_RESTRICTED), 1) || exec_is_allowed(exec, queued))
        commands_perform(&call, queued->entry);
    if (__builtin_expect(session->flags & EXEC_REPLY_HIDDEN || closing, 0))
        reply_truncate(reply, call.reply_start);
    pubsub_end_command(&exec->commands->pubsub, call.reply_start);
    pubsub_begin_command(&exec->commands->pubsub, session, reply);
}

/* What evictions made room for EXEC by is told in front of the array, not in it. */
static void exec_place_early(struct call *call)
{
    struct pubsub *pubsub = &call->commands->pubsub;
    if (pubsub->early.length == 0)
        return;
    pubsub_place_early(pubsub, call->reply_start);
    call->reply_start = call->reply->buffer.length;
}

/* Replies with one array, and ends the transaction. Of a reply that is switched off in between, what came
 * before stays. */
static void exec_queued(struct call *call)
{
    struct session *session = call->session;
    struct commands *commands = call->commands;
    const struct transaction *transaction = session->transaction;
    size_t count = transaction ? transaction->count : 0;
    uint64_t cycles = commands->cycles;
    watch_forget(session);
    reply_array(call->reply, count);
    if (session->flags & EXEC_REPLY_HIDDEN)
        reply_truncate(call->reply, call->reply_start);
    session->flags |= SESSION_IN_EXEC;
    for (size_t i = 0; i < count; i++) {
        if (i % EXEC_GROUP == 0)
            exec_prefetch(session->db, transaction->commands + i,
                          count - i < EXEC_GROUP ? count - i : EXEC_GROUP);
        exec_one(call, transaction->commands[i]);
    }
    session->flags &= ~(uint32_t)SESSION_IN_EXEC;
    commands->cycles = cycles; /* the time of all of it is EXEC's as well */
    call->reply_start = call->reply->buffer.length;
    call->errors_before = call->reply->errors;
    transaction_end(session);
}

void cmd_exec(struct call *call)
{
    struct session *session = call->session;
    if (!(session->flags & SESSION_IN_MULTI)) {
        reply_error(call->reply, "ERR EXEC without MULTI");
        return;
    }
    if (session->flags & SESSION_MULTI_FAILED)
        reply_error(call->reply, "EXECABORT Transaction discarded because of previous errors.");
    else if (session->flags & SESSION_WATCH_BROKEN || watch_has_expired(session))
        reply_null_array(call->reply);
    else {
        exec_place_early(call);
        bool runs_scripts = session->transaction && session->transaction->any_flags & COMMAND_RUNS_SCRIPT;
        if (runs_scripts)
            script_run_around(call, exec_queued);
        else
            exec_queued(call);
        return;
    }
    transaction_end(session);
}
