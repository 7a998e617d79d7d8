#ifndef SPINDLE_COMMANDS_BLOCKING_H
#define SPINDLE_COMMANDS_BLOCKING_H

#include "base/links.h"
#include "commands/session.h"
#include "store/keyspace.h"
#include "store/stream_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sessions that wait until a key holds something: BLPOP, BZPOPMIN and their relatives.
 *
 * For each key that is waited for there is a queue of waits, oldest first. The keyspace's observer notes keys
 * that change; after the command they are looked at in that order, and whoever waits is served in turn while
 * the key holds a value of the wanted type. Serving may fill other keys, which come next. Readers of streams
 * have terms: they look at every change of a key, also at its end.
 *
 * A waiting session has SESSION_BLOCKED: net holds its later requests back. Its reply is sent directly when
 * it is served, its time is over or CLIENT UNBLOCK names it. A session that closes leaves all queues.
 *
 * While nobody waits the keyspace is not observed and nothing here costs anything. Main thread only.
 */

struct call;
struct commands;
struct blocking_wait;

/* What a command needs to know again when it is served; each has its own use for it. */
struct blocking_options {
    int from, to; /* ends */
    int64_t count;
    struct slice target;    /* key that receives; group that reads; copied */
    struct slice consumer;  /* of that group; copied */
    bool no_ack;            /* likewise */
    struct stream_id after; /* the key's: what it holds already */
};

/* For those who wait for what a key gets, though it is there already: readers of streams. */
struct blocking_terms {
    const struct stream_id *after; /* for each key */
    /* Does the key, which has a value of the type, hold what is waited for? */
    bool (*is_ready)(const struct entry *entry, const struct blocking_options *options);
    /* The error that ends the wait when a key has no value of the type any more; NULL: it goes on. */
    const char *gone_error;
};

struct blocking_request {
    enum value_type type; /* a key with such a value serves */
    const struct slice *keys;
    int key_count;
    int64_t deadline_ms; /* since 1970; 0: none */
    bool replies_value; /* a value, not an array: what is missing then is a null of the other kind in RESP2 */
    /* Takes from the key, which holds a value of the type, and writes the reply. The call has no arguments.
     */
    void (*serve)(struct call *call, const struct key *key, struct entry *entry,
                  const struct blocking_options *options);
    struct blocking_options options;
    const struct blocking_terms *terms; /* NULL: whoever finds the key there is served */
};

struct blocking {
    struct table keys;           /* struct blocking_key */
    struct links waits;          /* all, oldest first */
    struct links ready;          /* keys that changed, in that order */
    struct blocking_wait **heap; /* those with a deadline, the earliest first */
    size_t heap_count, heap_capacity;
    uint64_t count;       /* blocked_clients */
    uint64_t terms_count; /* of those, waits with terms */
    struct keyspace_observer observer;
};

void blocking_init(struct blocking *blocking);
/* Nobody waits any more. */
void blocking_free(struct blocking *blocking);

/* Reads a timeout in seconds; *deadline_ms is 0 when there is none. Replies an error and returns false. */
bool blocking_read_timeout(struct call *call, int index, int64_t *deadline_ms);

/* The same for whole milliseconds. */
bool blocking_read_timeout_ms(struct call *call, int index, int64_t *deadline_ms);

/* Makes the calling session wait; the handler returns without a reply. In EXEC nobody waits: that replies
 * what a timeout would. */
void blocking_wait(struct call *call, const struct blocking_request *request);

/* Serves waits whose keys changed. Call after each command while blocking_has_ready. */
void blocking_serve_ready(struct commands *commands);

static inline bool blocking_has_ready(const struct blocking *blocking)
{
    return !links_is_empty(&blocking->ready);
}

/* Notes the keys of a database that exist and are waited for: its contents were exchanged. */
void blocking_check_database(struct commands *commands, struct database *db);

/* Ends the waits whose deadline has passed. Call often. */
void blocking_expire(struct commands *commands, int64_t now_ms);

/* When the first of the waits that have a deadline ends, in milliseconds since 1970; 0: none has. */
int64_t blocking_next_deadline_ms(const struct blocking *blocking);

/* CLIENT UNBLOCK: ends a wait with the reply of a timeout or with an error. False when it does not wait. */
bool blocking_cancel(struct commands *commands, struct session *session, bool with_error);

/* Takes a session that closes out of all queues. */
void blocking_forget(struct session *session);

#endif
