#ifndef SPINDLE_NET_WORKER_H
#define SPINDLE_NET_WORKER_H

#include "base/blob.h"
#include "base/links.h"
#include "net/net.h"
#include "protocol/resp_limits.h"
#include "protocol/resp_parse.h"

/*
 * What the files of net/ share: the worker, its batch, its connections. See net.h for the turn of the loop.
 *
 * Invariants: slices of a batch point into the worker's arena, into a connection's pending buffer or into
 * blobs; none of these moves before the batch has run. A connection is read at most once a turn. Connections
 * are freed only after the batch has run. Of what waits to be sent to a connection, its run in the output
 * arena is older than its pushes. One thread.
 */

enum {
#ifdef SPINDLE_STRESS
    NET_ARENA_BYTES = 8 * 1024,
    NET_READ_BYTES = 97,
    NET_GROUP = 3,
    NET_BATCH_REQUESTS = 5,
    NET_OUTPUT_FLUSH_BYTES = 256,
    NET_PUSHES_MAX = 3,
#else
    NET_ARENA_BYTES = 2 * 1024 * 1024,
    /* One connection's input in one turn: bounds how long it can keep the others waiting. */
    NET_READ_BYTES = 64 * 1024,
    /* Requests prefetched together. */
    NET_GROUP = 32,
    /* Requests after which a batch runs although more sockets are readable: it should stay in the cache. */
    NET_BATCH_REQUESTS = 256,
    /* Replies in the arena before they are sent without waiting for the end of the batch. */
    NET_OUTPUT_FLUSH_BYTES = 1024 * 1024,
    /* Pushes that wait, likewise. */
    NET_PUSHES_MAX = 32 * 1024,
#endif
    NET_READ_MIN_BYTES = NET_READ_BYTES / 4,
    NET_PUSHES_MAX_BYTES = 16 * 1024 * 1024,
    /* A delivery of pushes that took at least this long is followed by a pause of half its time, in which
     * more can gather. */
    NET_PUSH_LONG_MS = 2,
    NET_PUSH_PAUSE_MAX_MS = 5,
    /* Pieces in one system call. */
    OUTPUT_VECTORS = 64,
    /* Received at once into a long bulk string. */
    NET_BULK_READ_BYTES = 1024 * 1024,
    /* Undrained replies above which a connection is not read from. */
    NET_OUTPUT_HOLD_BYTES = 256 * 1024 * 1024,
    NET_ACCEPTS_MAX = 1000,
    NET_ERROR_TEXT_BYTES = 128,
    CONNECTION_MAGIC = 0x5b1dc0de,
    LISTENER_MAGIC = 0x5b1d11f0,
};

enum connection_flag {
    CONNECTION_TRUSTED = 1 << 0,
    CONNECTION_UNIX = 1 << 1,
    CONNECTION_LOOPBACK = 1 << 2,
    CONNECTION_CLOSING = 1 << 3,     /* take nothing more from it; close when its output is sent */
    CONNECTION_DEAD = 1 << 4,        /* close at the end of the turn */
    CONNECTION_HELD = 1 << 5,        /* requests wait for connection_resume */
    CONNECTION_ACTIVE = 1 << 6,      /* in the worker's list of this turn */
    CONNECTION_CLOSED = 1 << 7,      /* handle is closing */
    CONNECTION_OUTPUT_FULL = 1 << 8, /* not read from until its output drains */
    CONNECTION_RESUMING = 1 << 9,    /* in the worker's list for the next turn */
    CONNECTION_MORE = 1 << 10,       /* input was left unparsed until the request before it has run */
    CONNECTION_HAS_RUN = 1 << 11,    /* replies of it wait in the output arena */
    CONNECTION_PUBSUB = 1 << 12,     /* of this class, not the normal one */
};

/* An argument that came in a block of its own. */
struct pending_bulk {
    uint32_t index;
    struct blob *blob;
};

/* An incomplete request: exists only while there is one. */
struct pending {
    struct buffer buffer; /* from the first byte of the request on */
    struct resp_parser parser;
    struct blob *bulk; /* being received */
    struct pending_bulk *bulks;
    uint32_t bulk_count;
    uint64_t bulk_bytes; /* of complete blocks and the one being received */
    size_t consumed;     /* bytes at the front that requests of this turn use */
};

/* A request that waits for its connection to be resumed: owns copies of its arguments. */
struct deferred {
    struct deferred *next;
    uint32_t argc;
    struct blob **blobs;
    struct slice argv[];
};

struct output_chunk {
    struct links links;
    const char *data;
    size_t length;
    size_t sent;
    void *owner;
    void (*release)(void *owner);
    char bytes[];
};

struct output {
    struct links chunks;
    uint64_t bytes; /* not sent yet */
    uint64_t count;
    uint64_t soft_since_ms; /* when bytes went over the soft limit, by the loop's clock; 0: under it */
};

struct connection {
    uv_poll_t poll;
    uint32_t magic;
    int fd;
    struct worker *worker;
    struct links links;
    void *session;
    struct pending *pending;   /* NULL: no incomplete request */
    struct output *output;     /* NULL: nothing queued */
    struct deferred *deferred; /* oldest first */
    uint32_t first_push;       /* in the worker's pushes, counted from 1; 0: none */
    uint32_t last_push;
    uint16_t flags;
    uint8_t polled; /* events that libuv watches */
};

struct batch_request {
    struct request request;
    struct connection *connection;
    size_t first_slice;
    struct deferred *deferred; /* the request owns this; freed after execution */
    char *error;               /* from malloc: a protocol error to reply, then close */
};

/* Replies of one connection in the output arena. */
struct batch_run {
    struct connection *connection;
    size_t start;
    size_t first_segment;
};

/* Bytes for a connection outside its replies, to be sent at the end of the turn behind its replies. Holds a
 * reference to the block. */
struct push {
    struct connection *connection; /* NULL: it has gone, or they were sent */
    struct blob *blob;
    const char *data;
    size_t length;
    uint32_t next; /* push of the same connection, counted from 1; 0: none */
};

struct batch {
    struct batch_request *requests;
    size_t count, capacity;
    struct slice *slices;
    size_t slice_count, slice_capacity;
    struct batch_run *runs;
    size_t run_count, run_capacity;
};

struct worker {
    uv_loop_t *loop;
    uv_check_t check;
    uv_prepare_t prepare; /* sends what timers and the like pushed before the loop sleeps */
    uv_idle_t idle;       /* active while resumed connections wait */
    struct net_handlers handlers;
    struct net_limits limits;
    struct net_stats stats;
    char *arena;
    size_t arena_used;
    struct batch batch;
    struct reply reply;
    struct resp_parser parser; /* for requests that resp_parse_whole declines */
    struct links connections;
    struct push *pushes;
    size_t push_count, push_capacity;
    uint64_t push_bytes;        /* of all of them, however many share a block */
    uv_timer_t pause;           /* active after a long delivery */
    struct connection **active; /* touched in this turn */
    size_t active_count, active_capacity;
    struct connection **resumed;
    size_t resumed_count, resumed_capacity;
    bool running;
};

/* worker.c */
/* Makes room for at least needed items, from malloc. */
void *array_grow(void *array, size_t *capacity, size_t needed, size_t item_bytes);
void batch_grow_requests(struct batch *batch);
void batch_grow_slices(struct batch *batch, size_t count);
void worker_touch(struct worker *worker, struct connection *connection);
void worker_run(struct worker *worker);
/* Looks at a connection again in the next turn, although its socket may be silent. */
void worker_revisit(struct worker *worker, struct connection *connection);

/* connection.c */
struct connection *connection_open(struct worker *worker, int fd, unsigned flags);
void connection_parse_pending(struct connection *connection);
void connection_settle(struct connection *connection);
void connection_destroy(struct connection *connection);
void connection_watch(struct connection *connection);
void deferred_free(struct deferred *deferred);
struct deferred *deferred_copy(const struct request *request);

/* push.c */
/* Sends all that waits. Replies of the same connections must have been sent before. */
void worker_send_pushes(struct worker *worker);
/* As above at the end of a turn, unless a long delivery is only just over: who is busy with sending gets more
 * done by sending more at once. */
void worker_send_due_pushes(struct worker *worker);
void connection_send_pushes(struct connection *connection);
void connection_drop_pushes(struct connection *connection);
static inline bool worker_has_many_pushes(const struct worker *worker)
{
    return worker->push_count >= NET_PUSHES_MAX || worker->push_bytes >= NET_PUSHES_MAX_BYTES;
}

/* output.c */
/* A piece of what a connection is sent: bytes that only the caller keeps, a segment, or bytes of a block to
 * which the piece holds a reference. */
struct output_piece {
    const char *data;
    size_t length;
    struct reply_segment *segment;
    struct blob *blob;
};

/* Sends up to OUTPUT_VECTORS pieces, or queues what the socket does not take (all of it behind an older
 * queue). Ends the pieces' segments and references. */
void output_send_pieces(struct connection *connection, const struct output_piece *pieces, size_t count);
void output_send_run(struct connection *connection, struct reply *reply, size_t start, size_t end,
                     size_t first_segment, size_t last_segment);
void output_flush(struct connection *connection);
/* Closes the connection when it leaves more unread than it may. */
void output_check_limit(struct connection *connection);
void output_free(struct connection *connection);

/* Adds a request without arguments yet. */
static inline struct batch_request *batch_add(struct worker *worker, struct connection *connection)
{
    struct batch *batch = &worker->batch;
    if (__builtin_expect(batch->count == batch->capacity, 0))
        batch_grow_requests(batch);
    struct batch_request *added = &batch->requests[batch->count++];
    *added = (struct batch_request){.request = {.session = connection->session},
                                    .connection = connection,
                                    .first_slice = batch->slice_count};
    return added;
}

/* Returns room for slices behind those of the batch; slice_count is the caller's to raise. */
static inline struct slice *batch_slices(struct worker *worker, size_t count)
{
    struct batch *batch = &worker->batch;
    if (__builtin_expect(batch->slice_count + count > batch->slice_capacity, 0))
        batch_grow_slices(batch, count);
    return batch->slices + batch->slice_count;
}

#endif
