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
 * Workers read: sockets that are readable are received into a batch's arena and parsed there. The main thread
 * executes whole batches: looks at all requests first (prefetching), runs them in order, and collects the
 * replies in the worker's parcel. Workers send: a parcel has one run of bytes for each connection. Without
 * helper threads the one worker runs on the main loop and these are calls; with helpers each has a loop, a
 * thread and a share of the connections, and batches and parcels change hands through queues. A connection's
 * socket and buffers belong to its worker, its channel to the main thread. An idle connection owns no buffer.
 *
 * All functions here are for the main thread.
 */

struct blob;
struct channel;
struct net;

/* Installed once. Called on the main thread unless noted. */
struct net_handlers {
    void *context;
    /* May this peer connect? Returns NULL, or the line to refuse it with (without line end). */
    const char *(*admit)(void *context, bool is_unix, bool is_loopback);
    /* A connection opened: returns its session. */
    void *(*opened)(void *context, struct channel *channel);
    /* The connection is gone. */
    void (*closed)(void *context, void *session);
    /* Finds the request's command and its key's hash. Any thread; reads nothing that changes. */
    void (*recognize)(void *context, struct request *request);
    /* A batch is about to run. */
    void (*begin)(void *context);
    /* A group of requests is about to run: starts fetching memory. Recognizes those that no worker has. */
    void (*prepare)(void *context, struct request *const *requests, size_t count);
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
    /* A connection that leaves more than this unread is not read from until it has drained: this much for
     * one, and this much for all together, of which each has its share. */
    uint64_t unread_client_bytes, unread_total_bytes;
};

struct net_stats {
    uint64_t connections_received, connections_rejected;
    uint64_t connections;
    uint64_t input_bytes, output_bytes;
    uint64_t reads, writes;
    uint64_t query_limit_disconnections, output_limit_disconnections;
    uint64_t connection_bytes; /* user-space memory of all connections, buffers included */
};

/* Starts the workers: with helpers > 0 that many threads, else the main loop's own. */
struct net *net_create(uv_loop_t *loop, const struct net_handlers *handlers, const struct net_limits *limits,
                       int helpers);
/* Ends the helper threads and sends what is queued as far as sockets take it: the last thing before a process
 * exits. Nothing is read after it. */
void net_finish(struct net *net);
/* Closes all connections; net_free after the loop has run the close callbacks. */
void net_stop(struct net *net);
void net_free(struct net *net);

void net_set_limits(struct net *net, const struct net_limits *limits);
void net_read_stats(const struct net *net, struct net_stats *stats);
/* Counters start at zero again; connections and connection_bytes are not counters. */
void net_reset_stats(struct net *net);
/* Closes connections that were over their soft output limit for too long, and lets those go on that may read
 * again: call about once a second. */
void net_check_limits(struct net *net);

/* What a helper thread has done: for INFO. */
struct net_helper_stats {
    uint64_t busy_us;
    uint64_t batches, requests;
    uint64_t queued_batches; /* handed over, not executed yet */
    uint64_t connections;
};
int net_helper_count(const struct net *net);
void net_read_helper_stats(const struct net *net, int helper, struct net_helper_stats *stats);

/* ---- channels: the main thread's end of a connection ---- */

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
    int helper; /* 0: none */
};

void channel_describe(const struct channel *channel, struct connection_facts *facts);
/* memory_bytes alone. */
uint64_t channel_memory_bytes(const struct channel *channel);
/* is_unix and is_loopback only: no system call. */
void channel_describe_kind(const struct channel *channel, struct connection_facts *facts);
/* Closes at the end of the turn; flush: replies written so far are sent first. */
void channel_close(struct channel *channel, bool flush);
/* Sends bytes outside a reply, in order, at the end of the turn. Copies. */
void channel_send(struct channel *channel, const char *data, size_t length);
/* As channel_send, by reference: the bytes lie in a block, which is retained until they are sent. For what
 * many connections are sent. Bytes that continue what the connection was last sent cost nothing more. */
void channel_send_shared(struct channel *channel, struct blob *blob, size_t offset, size_t length);
/* Which limit holds for what the connection leaves unread. */
void channel_set_class(struct channel *channel, enum net_client_class client_class);
/* Strangers have tiny limits. */
void channel_set_trusted(struct channel *channel, bool trusted);
/* Ends a hold: the requests that waited run in the next turn. */
void channel_resume(struct channel *channel);

/* ---- listeners ---- */

struct listener;

/* Listens on a TCP address (numeric or name) or, with path, on a unix socket. Returns 0 or -errno. */
int listener_open_tcp(struct net *net, const char *address, int port, int backlog,
                      struct listener **listener);
int listener_open_unix(struct net *net, const char *path, unsigned mode, int backlog,
                       struct listener **listener);
/* Port a TCP listener is bound to. */
int listener_port(const struct listener *listener);
/* Stops listening; frees itself after the loop's close callback. A unix socket's path is removed. */
void listener_close(struct listener *listener);

#endif
