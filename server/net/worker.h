#ifndef SPINDLE_NET_WORKER_H
#define SPINDLE_NET_WORKER_H

#include "net/bounds.h"
#include "net/channel.h"
#include "net/net.h"
#include "net/parcel.h"
#include "protocol/resp_limits.h"
#include "protocol/resp_parse.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * What reads and writes sockets: a worker and its connections. See net.h for the turn of the loop.
 *
 * Everything here belongs to the thread of the worker's loop, but for what is marked otherwise. Connections
 * are freed when the main thread says so (ORDER_FREE), which it does after ITEM_GONE; who has hung up its
 * half only still gets the replies that are queued.
 */

enum {
    CONNECTION_MAGIC = 0x5b1dc0de,
    LISTENER_MAGIC = 0x5b1d11f0,
};

enum connection_flag {
    CONNECTION_TRUSTED = 1 << 0,
    CONNECTION_UNIX = 1 << 1,
    CONNECTION_LOOPBACK = 1 << 2,
    CONNECTION_CLOSING = 1 << 3,  /* end it when its output is sent */
    CONNECTION_ENDED = 1 << 4,    /* nothing goes in or out */
    CONNECTION_HELD = 1 << 5,     /* parse nothing */
    CONNECTION_PAUSED = 1 << 6,   /* take no input; the main thread waits for ITEM_DRAINED */
    CONNECTION_WAITING = 1 << 7,  /* a stranger's request is under way: parse nothing */
    CONNECTION_FULL = 1 << 8,     /* leaves much unread: take no input */
    CONNECTION_UNPARSED = 1 << 9, /* pending holds input that was not looked at */
    CONNECTION_HUNGRY = 1 << 10,  /* its last read left more behind: in worker.again */
    CONNECTION_HEAVY = 1 << 11,   /* sends much: reads are long */
    CONNECTION_PUBSUB = 1 << 12,  /* of this class, not the normal one */
    CONNECTION_POLLED = 1 << 13,  /* the handle is libuv's */
    CONNECTION_DEAF = 1 << 14,    /* take no input any more */
    CONNECTION_TOLD = 1 << 15,    /* ITEM_GONE is on its way: no item may follow */
    CONNECTION_YIELDED = 1 << 16, /* parse nothing: its requests run in turns */
    CONNECTION_LAST = 1 << 17,    /* it has hung up; what it sent before is still to be parsed */
    CONNECTION_LEFT = 1 << 18,    /* the main thread has forgotten it; it goes when its output has gone */
};

/* An argument that came in a block of its own. */
struct pending_bulk {
    uint32_t index;
    struct blob *blob;
};

/* An incomplete request, or input that may not be parsed yet: exists only while there is one. */
struct pending {
    struct buffer buffer; /* from the first byte of the request on */
    struct resp_parser parser;
    struct blob *bulk; /* being received */
    struct pending_bulk *bulks;
    uint32_t bulk_count;
    uint64_t bulk_bytes; /* of complete blocks and the one being received */
};

struct output_chunk {
    struct links links;
    const char *data;
    size_t length;
    size_t sent;
    struct release release; /* of what holds data; nothing: bytes does */
    char bytes[];
};

struct output {
    struct links chunks;
    uint64_t bytes; /* not sent yet */
    uint64_t count;
    uint64_t soft_since_ms; /* when bytes went over the soft limit, by the loop's clock; 0: under it */
    /* Of a connection that has been left: bytes at its last progress, and when that was. */
    uint64_t left_bytes, left_since_ms;
};

/* Written by the worker, read by the main thread. */
struct connection_gauges {
    _Atomic uint64_t query_bytes, output_bytes;
    _Atomic uint32_t query_free_bytes, output_blocks; /* UINT32_MAX: that or more */
};

struct connection {
    uv_poll_t poll;
    uint32_t magic;
    int fd;
    struct worker *worker;
    struct links links; /* in worker.connections */
    struct links again; /* in worker.again, or alone */
    struct pending *pending;
    struct output *output; /* NULL: nothing queued */
    struct connection_gauges gauges;
    uint32_t flags;
    uint8_t polled;         /* events that libuv watches */
    uint8_t origin;         /* CONNECTION_UNIX, CONNECTION_LOOPBACK: never changes; any thread */
    struct channel channel; /* the main thread's */
};

/* Written by one thread, read by others. */
struct worker_counters {
    _Atomic uint64_t input_bytes, output_bytes;
    _Atomic uint64_t reads, writes;
    _Atomic uint64_t query_limit_disconnections, output_limit_disconnections;
    _Atomic uint64_t connections;
    _Atomic uint64_t buffer_bytes;   /* of connections: incomplete requests and queued replies */
    _Atomic uint64_t unread_bytes;   /* queued replies */
    _Atomic uint64_t unread_clients; /* connections that have some */
};

static inline void counter_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
                          memory_order_relaxed);
}

static inline uint64_t counter_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline uint32_t gauge_read(const _Atomic uint32_t *gauge)
{
    return atomic_load_explicit(gauge, memory_order_relaxed);
}

/* What a turn spends on sending has two shares: see output.c. */
enum output_share { OUTPUT_FRESH, OUTPUT_QUEUED, OUTPUT_SHARES };

struct worker {
    struct net *net;
    uv_loop_t *loop;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while the loop must not sleep */
    struct net_limits limits;
    struct worker_counters counters;
    struct batch *batch; /* being filled; NULL: none yet */
    struct links spare;  /* batches that rest */
    int batch_count;
    bool looks_again;                       /* the batch waits for one more look at the sockets */
    int under_way;                          /* batches that the main thread has */
    uint64_t sending_cycles[OUTPUT_SHARES]; /* spent on long output in this turn */
    struct resp_parser parser;              /* for requests that resp_parse_whole declines */
    struct links connections;
    struct links again;      /* connections to be looked at in the next turn, oldest first */
    struct links leaving;    /* destroyed connections whose sockets are to be closed, oldest first */
    uint64_t closing_cycles; /* spent on closing sockets in this turn */
    struct helper *helper;   /* NULL: on the main loop */
    int number;              /* of the helper, from 1; 0: none */

    /* The main thread's. */
    struct parcel *parcel;      /* being filled; NULL: none yet */
    struct parcel *held;        /* pushes, which go behind it; NULL: none. Not with a helper */
    struct links parcels;       /* that rest */
    uint32_t parcel_generation; /* counts parcels, for struct channel */
    uint32_t held_generation;
    uint64_t batches_run, requests_run;
};

/* worker.c */
void worker_init(struct worker *worker, struct net *net, uv_loop_t *loop, const struct net_limits *limits);
/* Closes all connections and handles; the loop must run their callbacks. */
void worker_stop(struct worker *worker);
void worker_free(struct worker *worker);
/* Hands the batch over, if there is something in it. */
void worker_hand_over(struct worker *worker);
/* Ends a parcel: sends its bytes, follows its orders, and takes its batches back. */
void worker_deliver(struct worker *worker, struct parcel *parcel);
/* Looks at a connection again in the next turn, although its socket may be silent. */
void worker_revisit(struct worker *worker, struct connection *connection);
void worker_check_limits(struct worker *worker);
/* Closes a connection that was destroyed, or lets it wait for a later turn. */
void worker_close_socket(struct worker *worker, struct connection *connection);
/* Releases something of the main thread's. */
void worker_release(struct worker *worker, struct release release);
struct batch *worker_take_batch(struct worker *worker);
/* May more input be taken? Not while all batches are under way. */
static inline bool worker_has_room(const struct worker *worker)
{
    return worker->batch != NULL || !links_is_empty(&worker->spare) || worker->batch_count < NET_BATCHES_MAX;
}

/* connection.c */
struct connection *connection_create(struct worker *worker, int fd, unsigned origin);
void connection_adopt(struct connection *connection);
/* Reads or parses on after a wait. Returns bytes of input taken. */
size_t connection_go_on(struct connection *connection);
/* Takes nothing more and sends nothing more. */
void connection_end(struct connection *connection, enum gone_reason reason);
/* The main thread has forgotten it: destroys it when what is queued is sent, or nobody takes that. */
void connection_leave(struct connection *connection);
/* Destroys a connection that was left and takes nothing for too long. */
void connection_check_left(struct connection *connection);
/* Forgets it and all it holds, then its socket is closed, soon. */
void connection_destroy(struct connection *connection);
/* Closes the socket; frees itself when libuv has let go of it. */
void connection_close(struct connection *connection);
void connection_watch(struct connection *connection);
bool connection_may_parse(const struct connection *connection);

/* output.c */
/* A piece of what a connection is sent: bytes that only the caller keeps, or bytes that something holds which
 * is to be released. */
struct output_piece {
    const char *data;
    size_t length;
    struct release release;
    bool is_part; /* of a block that should not be held for these bytes alone */
};

enum { OUTPUT_VECTORS = 64 }; /* pieces in one system call */

/* Sends up to OUTPUT_VECTORS pieces, or queues what the socket does not take (all of it behind an older
 * queue). Ends what the pieces hold. */
void output_send_pieces(struct connection *connection, const struct output_piece *pieces, size_t count);
/* Sends what is queued, as far as the socket takes it and the turn has time, or at the end all the same. */
void output_flush(struct connection *connection, bool at_end);
/* Ends the connection when it leaves more unread than it may. */
void output_check_limit(struct connection *connection);
void output_free(struct connection *connection);
/* How much a connection may leave unread before it is not read from. Any thread, with its own limits. */
uint64_t output_allowance_bytes(const struct net *net, const struct net_limits *limits);

/* Adds an item without content to the worker's batch. */
static inline struct batch_item *worker_add_item(struct worker *worker, struct connection *connection)
{
    struct batch *batch =
        __builtin_expect(worker->batch != NULL, 1) ? worker->batch : worker_take_batch(worker);
    if (__builtin_expect(batch->count == batch->capacity, 0))
        batch_grow_items(batch);
    struct batch_item *added = &batch->items[batch->count++];
    *added = (struct batch_item){.connection = connection, .first_slice = (uint32_t)batch->slice_count};
    return added;
}

/* Returns room for slices behind those of the batch; slice_count is the caller's to raise. */
static inline struct slice *batch_slices(struct batch *batch, size_t count)
{
    if (__builtin_expect(batch->slice_count + count > batch->slice_capacity, 0))
        batch_grow_slices(batch, count);
    return batch->slices + batch->slice_count;
}

#endif
