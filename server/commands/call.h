#ifndef SPINDLE_COMMANDS_CALL_H
#define SPINDLE_COMMANDS_CALL_H

#include "commands/command.h"
#include "commands/services.h"
#include "commands/session.h"
#include "protocol/resp_write.h"
#include "store/keyspace.h"

/*
 * One command being executed: everything a handler may touch. Handlers are `void cmd_NAME(struct call
 * *call)`, write exactly one reply, and change keys only through keyspace.h. Main thread only.
 */

struct commands;
struct registry_entry;

struct call {
    struct session *session;
    struct database *db; /* the session's, for convenience */
    struct keyspace *keyspace;
    struct commands *commands; /* registry, statistics, settings, services: for server commands */
    const struct command *command;
    const struct registry_entry *entry; /* the command's place in the registry: full name, container */
    const struct slice *argv;
    int argc;
    struct reply *reply;
    size_t reply_start;      /* where the call's reply begins, as far as it may still be dropped */
    uint64_t errors_before;  /* reply->errors when it began */
    struct blob **blobs;     /* NULL, or for each argument the block that holds it (usually NULL) */
    uint64_t key_hash;       /* of the first key, computed when the request was read */
    uint8_t hashed_argument; /* where that key stands; 0: nowhere */
    bool left;               /* its script goes on later: nothing is to be booked yet */
    bool error_is_counted;   /* the error in the reply is that of a command inside, and was booked then */
};

/* Key argument with its hash. */
static inline struct key call_key(const struct call *call, int index)
{
    if (index == call->hashed_argument && index > 0)
        return (struct key){call->argv[index], call->key_hash};
    return key_make(call->argv[index]);
}

/* Takes over the block that holds an argument: only the caller keeps a reference then. NULL when the argument
 * is not in a block of its own; copy it then. */
struct blob *call_take_blob(struct call *call, int index);

/* Looks a key of any type up, with LOOKUP_ flags, of which CLIENT NO-TOUCH takes LOOKUP_TOUCH away. */
struct entry *call_find(struct call *call, const struct key *key, unsigned lookup_flags);

/* Looks a key up for reading. Replies WRONGTYPE and returns false when it holds another type; *entry is NULL
 * when it is missing. */
bool call_read(struct call *call, const struct key *key, enum value_type type, struct entry **entry);
/* As call_read, for a command that will change the key. */
bool call_write(struct call *call, const struct key *key, enum value_type type, struct entry **entry);

/* Parse an argument; on failure reply "ERR value is not an integer or out of range" (or error, when not NULL)
 * and return false. */
bool call_int64(struct call *call, int index, int64_t *value, const char *error);
bool call_int64_range(struct call *call, int index, int64_t minimum, int64_t maximum, int64_t *value,
                      const char *error);
/* "ERR value is not a valid float". */
bool call_double(struct call *call, int index, double *value, const char *error);
bool call_long_double(struct call *call, int index, long double *value, const char *error);

static inline bool call_argument_is(const struct call *call, int index, const char *word)
{
    return index < call->argc && slice_is_word(call->argv[index], word);
}

void call_reply_syntax_error(struct call *call);       /* ERR syntax error */
void call_reply_wrong_type(struct call *call);         /* WRONGTYPE Operation against ... */
void call_reply_no_key(struct call *call);             /* ERR no such key */
void call_reply_wrong_arity(struct call *call);        /* ERR wrong number of arguments for 'x' command */
void call_reply_unknown_subcommand(struct call *call); /* ERR unknown subcommand 'x'. Try X HELP. */
/* NAME HELP: the head line, each text, and the two HELP lines, as Redis prints them. Lines end with NULL. */
void call_reply_help(struct call *call, const char *const *lines);

/* The string value of an entry as a bulk reply: by reference when it is long. */
void call_reply_string(struct call *call, const struct entry *entry);

#endif
