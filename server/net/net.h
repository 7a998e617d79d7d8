#ifndef SPINDLE_NET_NET_H
#define SPINDLE_NET_NET_H

#include "net/net_settings.h"
#include "protocol/request.h"
#include "protocol/resp_write.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * Sockets: listeners, connections, and the turn of the loop that reads, executes and answers in batches.
 * Knows nothing of commands or keys: it reaches them through struct net_handlers.
 *
 * One turn: sockets that are readable are read into the worker's arena and parsed into a batch; then the
 * whole batch is prepared (prefetching), executed in order, and answered with one send for each connection.
 * An idle connection owns no buffer. A worker and its connections belong to the thread that runs the worker's
 * loop.
 */

struct blob;
struct connection;
struct worker;

/* Installed once, before the first connection. Called on the worker's thread. */
struct net_handlers {
    void *context;
    /* May this peer connect? Returns NULL, or the line to refuse it with (without line end). */
    const char *(*admit)(void *context, bool is_unix, bool is_loopback);
    /* A connection opened: returns its session. */
    void *(*opened)(void *context, struct connection *connection);
    /* The connection is gone. */
    void (*closed)(void *context, void *session);
    /* A batch is about to run. */
    void (*begin)(void *context);
    /* First and second look at a request before it is executed: start fetching memory. */
    void (*prepare_bucket)(void *context, struct request *request);
    void (*prepare_entry)(void *context, struct request *request);
    /* Executes and writes the reply. */
    enum request_outcome (*execute)(void *context, struct request *request, struct reply *reply);
    /* A batch has run and its replies are on their way. */
    void (*end)(void *context);
};

/* Bounds that may change while running. */
struct net_limits {
    int64_t bulk_max_bytes;                             /* proto-max-bulk-len */
    int64_t query_max_bytes;                            /* client-query-buffer-limit */
    int keepalive_s;                                    /* 0: off; for new connections */
    struct net_output_limit output[NET_CLIENT_CLASSES]; /* client-output-buffer-limit */
};

struct net_stats {
    uint64_t connections_received, connections_rejected;
    uint64_t connections;
    uint64_t input_bytes, output_bytes;
    uint64_t reads, writes;
    uint64_t query_limit_disconnections, output_limit_disconnections;
};

struct worker *worker_create(uv_loop_t *loop, const struct net_handlers *handlers,
                             const struct net_limits *limits);
/* Closes all connections at once; free after the loop has run the close callbacks. */
void worker_stop(struct worker *worker);
void worker_free(struct worker *worker);
void worker_set_limits(struct worker *worker, const struct net_limits *limits);
struct net_stats *worker_stats(struct worker *worker);
/* User-space memory of all connections, buffers included. */
uint64_t worker_connection_bytes(const struct worker *worker);
/* Closes connections that were over their soft output limit for too long: call about once a second. */
void worker_check_limits(struct worker *worker);
/* Sends what is queued as far as sockets take it: the last thing before a process exits. */
void worker_flush(struct worker *worker);

/* What CLIENT LIST shows of a connection. */
struct connection_facts {
    char peer[128]; /* "127.0.0.1:1234", "[::1]:1234", "/path/to/socket:0" */
    char local[128];
    int fd;
    bool is_unix;
    bool is_loopback;
    uint64_t query_bytes, query_free_bytes;
    uint64_t output_bytes, output_blocks;
    uint64_t memory_bytes;
};

void connection_describe(const struct connection *connection, struct connection_facts *facts);
/* memory_bytes alone. */
uint64_t connection_memory_bytes(const struct connection *connection);
/* As above, is_unix and is_loopback only: no system call. */
void connection_describe_kind(const struct connection *connection, struct connection_facts *facts);
/* Closes at the end of the turn; flush: replies written so far are sent first. */
void connection_close(struct connection *connection, bool flush);
/* Sends bytes outside a reply, in order, at the end of the turn. Copies. */
void connection_send(struct connection *connection, const char *data, size_t length);
/* As connection_send, by reference: the bytes lie in a block, which is retained until they are sent. For what
 * many connections are sent. Bytes that continue what the connection was last sent cost nothing more. */
void connection_send_shared(struct connection *connection, struct blob *blob, size_t offset, size_t length);
/* Which limit holds for what the connection leaves unread. */
void connection_set_class(struct connection *connection, enum net_client_class client_class);
/* Strangers have tiny limits. */
void connection_set_trusted(struct connection *connection, bool trusted);
/* Ends a hold: the requests that waited run in the next turn. */
void connection_resume(struct connection *connection);

/* ---- listeners ---- */

struct listener;

/* Listens on a TCP address (numeric or name) or, with path, on a unix socket. Returns 0 or -errno. */
int listener_open_tcp(struct worker *worker, const char *address, int port, int backlog,
                      struct listener **listener);
int listener_open_unix(struct worker *worker, const char *path, unsigned mode, int backlog,
                       struct listener **listener);
/* Port a TCP listener is bound to. */
int listener_port(const struct listener *listener);
/* Stops listening; frees itself after the loop's close callback. A unix socket's path is removed. */
void listener_close(struct listener *listener);

#endif
