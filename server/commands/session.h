#ifndef SPINDLE_COMMANDS_SESSION_H
#define SPINDLE_COMMANDS_SESSION_H

#include "base/links.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the server knows about a client, apart from its socket: identity, database, dialect, rights. A session
 * belongs to the main thread; the connection (socket, buffers) to a net worker. They know each other by an
 * opaque pointer and the functions of struct session_transport. An idle client costs a session and a
 * connection and nothing else.
 */

struct acl_user;
struct database;
struct registry_entry;
struct blob;
struct reply;
struct blocking_wait;
struct pubsub_subscriber;
struct tracking_member;
struct transaction;
struct watch;
struct monitor_member;

enum session_flag {
    SESSION_AUTHENTICATED = 1 << 0,
    SESSION_REPLY_OFF = 1 << 1,
    SESSION_REPLY_SKIP = 1 << 2,      /* drop the reply of the current command */
    SESSION_REPLY_SKIP_NEXT = 1 << 3, /* becomes SKIP after the current command */
    SESSION_CLOSE_AFTER_REPLY = 1 << 4,
    SESSION_UNIX_SOCKET = 1 << 5,
    SESSION_LOOPBACK = 1 << 10,
    SESSION_NO_EVICT = 1 << 6,
    SESSION_NO_TOUCH = 1 << 7,
    SESSION_CLOSE_ASAP = 1 << 8,
    SESSION_BLOCKED = 1 << 9,       /* waits for a key: nothing it sent later may run */
    SESSION_SUBSCRIBER = 1 << 11,   /* has subscriptions */
    SESSION_IN_MULTI = 1 << 12,     /* commands are queued until EXEC */
    SESSION_IN_EXEC = 1 << 13,      /* they are being executed: nothing may block */
    SESSION_MULTI_FAILED = 1 << 14, /* a command was refused: EXEC aborts */
    SESSION_WATCH_BROKEN = 1 << 15, /* a watched key has changed: EXEC does nothing */
    SESSION_MONITOR = 1 << 16,      /* sees all commands */
    SESSION_PAUSED = 1 << 17,       /* blocked until CLIENT PAUSE is over */
    SESSION_RESTRICTED = 1 << 18,   /* has to log in, or its user may not do everything */
    SESSION_TRUSTED = 1 << 19,      /* its connection was told that it does not have to log in */
    /* CLIENT TRACKING (tracking.h) */
    SESSION_TRACKING = 1 << 20,         /* is told of changed keys */
    SESSION_TRACKING_BCAST = 1 << 21,   /* of all with its prefixes, not of those it read */
    SESSION_TRACKING_OPTIN = 1 << 22,   /* reads are tracked behind CLIENT CACHING YES */
    SESSION_TRACKING_OPTOUT = 1 << 23,  /* they are not behind CLIENT CACHING NO */
    SESSION_TRACKING_NOLOOP = 1 << 24,  /* its own changes are not told */
    SESSION_TRACKING_CACHING = 1 << 25, /* CLIENT CACHING is in force for the next command */
    SESSION_TRACKING_BROKEN = 1 << 26,  /* the session that it redirects to was missing */
    SESSION_TRACKING_PENDING = 1 << 27, /* is to be told behind its reply */
    SESSION_IN_SCRIPT = 1 << 28,        /* that of commands of a script */
};

/* What net knows about a connection, for CLIENT LIST and INFO. */
struct connection_info {
    char peer[128]; /* "127.0.0.1:1234", "[::1]:1234" or "/path:0" */
    char local[128];
    int fd;
    uint64_t query_bytes;      /* incomplete request */
    uint64_t query_free_bytes; /* room behind it */
    uint64_t output_bytes;     /* replies that the socket did not take yet */
    uint64_t output_blocks;
    uint64_t memory_bytes; /* user-space memory of the connection, buffers included */
};

/* What a session may ask of its connection. */
struct session_transport {
    void (*describe)(void *connection, struct connection_info *info);
    /* memory_bytes alone. */
    uint64_t (*memory_bytes)(const void *connection);
    /* Closes at the end of the turn; replies that were written are sent first when flush is set. */
    void (*close)(void *connection, bool flush);
    /* Sends bytes outside a command's reply (pushes, replies of clients that were blocked), after what was
     * written before. Copies. */
    void (*send)(void *connection, const char *data, size_t length);
    /* As send, by reference: retains the block until the bytes are sent. */
    void (*send_shared)(void *connection, struct blob *blob, size_t offset, size_t length);
    /* Subscribers have limits of their own for what they leave unread. */
    void (*set_subscriber)(void *connection, bool subscriber);
    /* Lifts the limits for clients that have not authenticated, or sets them. */
    void (*set_trusted)(void *connection, bool trusted);
    /* Lets the requests run that waited while the session was blocked. */
    void (*resume)(void *connection);
};

struct session {
    struct links links; /* in session_list.sessions, oldest first */
    uint64_t id;
    struct database *db;
    void *connection;
    const struct session_transport *transport;
    const struct registry_entry *last_command; /* NULL: none yet */
    struct acl_user *user;                     /* NULL: may do everything */
    char *name;                                /* CLIENT SETNAME; NULL: none; mem_alloc'ed, strlen + 1 */
    char *library_name;                        /* CLIENT SETINFO */
    char *library_version;
    struct blocking_wait *wait;           /* what it waits for (blocking.h), or NULL */
    struct pubsub_subscriber *subscriber; /* its subscriptions (pubsub.h), or NULL */
    struct transaction *transaction;      /* queued commands (transaction.h), or NULL */
    struct watch *watches;                /* watched keys (watch.h), the newest first; NULL: none */
    struct monitor_member *monitor;       /* monitor.h, or NULL */
    struct tracking_member *tracking;     /* tracking.h, or NULL */
    int64_t created_ms;
    int64_t active_ms; /* of the last command */
    uint32_t flags;
    uint32_t paused_at; /* SESSION_PAUSED: numbers those that wait, see pause.h */
    uint8_t version;    /* RESP dialect: 2 or 3 */
};

struct session_list {
    struct links sessions;
    uint64_t next_id;
    uint64_t count;
};

void session_list_init(struct session_list *list);

/* Creates a session for a connection, on the given database. */
struct session *session_create(struct session_list *list, struct database *db, void *connection,
                               const struct session_transport *transport, int64_t now_ms);
void session_free(struct session_list *list, struct session *session);

/* Memory of a client: session, subscriptions, and the connection with its buffers. */
uint64_t session_memory_bytes(const struct session *session);

struct session *session_by_id(const struct session_list *list, uint64_t id);

/* Sends a reply outside of the turn in which its command came; the reply stays the caller's. */
void session_send_reply(const struct session *session, const struct reply *reply);

/* Closes the connection: at once, or after the reply when the session is the running one. */
void session_close(struct session *session, struct session *running);

/* Replaces one of the session's strings; an empty text clears it. */
void session_set_text(char **text, struct slice value);

#endif
