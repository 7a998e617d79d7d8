/* Commands that wait for EXEC. See transaction.h. Main thread only. */
#include "transaction.h"

#include "base/mem.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include <string.h>

enum { QUEUE_FIRST_CAPACITY = 4 };

/* ---- one command ---- */

static bool argument_has_block(const struct call *call, int index)
{
    return call->blobs && call->blobs[index];
}

struct transaction_command *transaction_copy_command(struct call *call)
{
    size_t argc = (size_t)call->argc;
    size_t bytes = sizeof(struct transaction_command) + argc * sizeof(struct slice) +
                   (call->blobs ? argc * sizeof(struct blob *) : 0);
    size_t text_offset = bytes;
    for (int i = 0; i < call->argc; i++)
        bytes += argument_has_block(call, i) ? 0 : call->argv[i].length;
    struct transaction_command *command = mem_alloc(bytes);
    *command = (struct transaction_command){.entry = (struct registry_entry *)call->entry,
                                            .key_hash = call->key_hash,
                                            .hashed_argument = call->hashed_argument,
                                            .argc = (uint32_t)argc,
                                            .block_bytes = bytes};
    if (call->blobs)
        command->blobs = (struct blob **)(command->argv + argc);
    char *text = (char *)command + text_offset;
    for (int i = 0; i < call->argc; i++) {
        command->argv[i] = call->argv[i];
        struct blob *blob = call_take_blob(call, i);
        if (command->blobs)
            command->blobs[i] = blob;
        if (blob)
            continue;
        if (call->argv[i].length)
            memcpy(text, call->argv[i].data, call->argv[i].length);
        command->argv[i].data = text;
        text += call->argv[i].length;
    }
    return command;
}

static size_t command_bytes(const struct transaction_command *command)
{
    size_t bytes = command->block_bytes;
    for (uint32_t i = 0; command->blobs && i < command->argc; i++)
        bytes += command->blobs[i] ? blob_footprint_bytes(command->blobs[i]) : 0;
    return bytes;
}

void transaction_free_command(struct transaction_command *command)
{
    for (uint32_t i = 0; command->blobs && i < command->argc; i++) {
        if (command->blobs[i])
            blob_release(command->blobs[i]);
    }
    mem_free(command, command->block_bytes);
}

/* ---- the queue ---- */

void transaction_begin(struct session *session)
{
    session->flags |= SESSION_IN_MULTI;
}

static struct transaction *transaction_of(struct session *session)
{
    if (session->transaction == NULL)
        session->transaction = mem_alloc_zero(sizeof(struct transaction));
    return session->transaction;
}

void transaction_queue(struct call *call, struct registry_entry *entry)
{
    struct session *session = call->session;
    if (session->flags & (SESSION_MULTI_FAILED | SESSION_WATCH_BROKEN))
        return;
    struct transaction *transaction = transaction_of(session);
    if (transaction->count == transaction->capacity) {
        size_t capacity = transaction->capacity ? 2 * transaction->capacity : QUEUE_FIRST_CAPACITY;
        transaction->commands =
            mem_resize(transaction->commands, transaction->capacity * sizeof(struct transaction_command *),
                       capacity * sizeof(struct transaction_command *));
        transaction->capacity = capacity;
    }
    struct transaction_command *command = transaction_copy_command(call);
    transaction->commands[transaction->count++] = command;
    transaction->bytes += command_bytes(command);
    transaction->any_flags |= call->command->flags;
    transaction->missing_flags |= ~call->command->flags;
}

void transaction_fail(struct session *session)
{
    if (session->flags & SESSION_IN_MULTI)
        session->flags |= SESSION_MULTI_FAILED;
}

static void transaction_free(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->count; i++)
        transaction_free_command(transaction->commands[i]);
    mem_free(transaction->commands, transaction->capacity * sizeof(struct transaction_command *));
    mem_free(transaction, sizeof(*transaction));
}

void transaction_end(struct session *session)
{
    watch_forget(session);
    session->flags &= ~(uint32_t)(SESSION_IN_MULTI | SESSION_MULTI_FAILED);
    if (session->transaction)
        transaction_free(session->transaction);
    session->transaction = NULL;
}

/* ---- what others want to know ---- */

unsigned transaction_call_flags(const struct call *call)
{
    unsigned flags = call->command->flags;
    command_handler *handler = call->command->handler;
    const struct transaction *transaction = call->session->transaction;
    if (handler == cmd_discard || handler == cmd_quit || handler == cmd_reset)
        return flags;
    if (handler != cmd_exec)
        return flags | COMMAND_DENYOOM; /* to be queued it needs memory */
    if (transaction == NULL)
        return flags;
    flags |=
        transaction->any_flags & (COMMAND_WRITE | COMMAND_READONLY | COMMAND_DENYOOM | COMMAND_MAY_REPLICATE);
    return flags & ~(transaction->missing_flags & COMMAND_LOADING);
}

int64_t transaction_count(const struct session *session)
{
    if (!(session->flags & SESSION_IN_MULTI))
        return -1;
    return session->transaction ? (int64_t)session->transaction->count : 0;
}

size_t transaction_bytes(const struct session *session)
{
    const struct transaction *transaction = session->transaction;
    size_t bytes = watch_bytes(session);
    if (transaction)
        bytes += sizeof(*transaction) + transaction->capacity * sizeof(struct transaction_command *) +
                 transaction->bytes;
    return bytes;
}
