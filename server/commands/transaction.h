#ifndef SPINDLE_COMMANDS_TRANSACTION_H
#define SPINDLE_COMMANDS_TRANSACTION_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a session has queued since MULTI.
 *
 * Each queued command is one block: its place in the registry, its arguments, their bytes. Arguments that
 * came in blocks of their own are kept by reference. The session owns the queue by one pointer, which is NULL
 * until the first command is queued; SESSION_IN_MULTI says whether there is a transaction. Main thread only.
 */

struct blob;
struct call;
struct registry_entry;
struct session;

struct transaction_command {
    struct registry_entry *entry;
    struct blob **blobs; /* NULL, or for each argument the block that holds it; behind argv */
    uint64_t key_hash;
    uint8_t hashed_argument; /* key_hash is that of this one; 0: of none */
    uint32_t argc;
    size_t block_bytes;
    struct slice argv[];
};

struct transaction {
    struct transaction_command **commands;
    size_t count, capacity;
    size_t bytes;           /* of the commands' blocks and blobs */
    unsigned any_flags;     /* enum command_flag: that some command has */
    unsigned missing_flags; /* that some command lacks */
};

/* A copy of a call to run or to tell of later, taking over the blocks of its arguments; and its end. */
struct transaction_command *transaction_copy_command(struct call *call);
void transaction_free_command(struct transaction_command *command);

/* MULTI. */
void transaction_begin(struct session *session);

/* Queues a call, taking over the blocks of its arguments. A transaction that will be aborted anyway drops it.
 */
void transaction_queue(struct call *call, struct registry_entry *entry);

/* A command was refused: EXEC will abort. Nothing happens outside of a transaction. */
void transaction_fail(struct session *session);

/* Ends the transaction, if there is one, and all watches. */
void transaction_end(struct session *session);

/* Flags of a call in a transaction as the checks before it need them: EXEC has those of what is queued as
 * well. */
unsigned transaction_call_flags(const struct call *call);

/* For CLIENT LIST: how many commands are queued, -1 outside of a transaction; memory of queue and watches. */
int64_t transaction_count(const struct session *session);
size_t transaction_bytes(const struct session *session);

#endif
