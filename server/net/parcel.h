#ifndef SPINDLE_NET_PARCEL_H
#define SPINDLE_NET_PARCEL_H

#include "base/blob.h"
#include "base/links.h"
#include "protocol/request.h"
#include "protocol/resp_write.h"

#include <stdint.h>

/*
 * What goes between a worker and the main thread: batches of requests one way, parcels of replies the other.
 * Ownership goes with them; nothing in them is shared. Each returns to where it came from inside the other:
 * a parcel takes executed batches back to the worker, a batch takes sent parcels back to the main thread.
 *
 * Invariants: slices of a batch point into its arena, into buffers it has taken over, or into blobs of its
 * requests; none of these moves or is freed before the batch has come back. The runs of one connection in a
 * parcel form a chain in the order in which they were written.
 */

struct connection;
struct net_limits;

/* Something a worker is done with and the main thread must release. */
struct release {
    void *owner;
    void (*release)(void *owner);
};

/* ---- to the main thread ---- */

enum item_kind {
    ITEM_REQUEST,
    ITEM_ERROR,   /* the client broke the protocol: error is the reply, then its connection is closed */
    ITEM_DRAINED, /* the connection's output is small again: see ORDER_PAUSE */
    ITEM_GONE,    /* nothing follows from this connection; wants ORDER_FREE */
};

enum gone_reason { GONE_CLOSED, GONE_QUERY_LIMIT, GONE_OUTPUT_LIMIT };

struct batch_item {
    struct request request;
    struct connection *connection;
    char *error; /* ITEM_ERROR: from malloc */
    uint32_t first_slice;
    uint8_t kind;     /* enum item_kind */
    uint8_t reason;   /* ITEM_GONE: enum gone_reason */
    bool is_stranger; /* of a client that has not authenticated: wants ORDER_CONTINUE */
};

struct batch {
    struct links links;
    char *arena;
    size_t arena_used;
    struct batch_item *items;
    size_t count, capacity;
    struct slice *slices;
    size_t slice_count, slice_capacity;
    char **buffers; /* from malloc: hold requests that outgrew the arena */
    size_t buffer_count, buffer_capacity;
    struct release *releases;
    size_t release_count, release_capacity;
    struct links parcels; /* sent */
};

struct batch *batch_create(void);
void batch_free(struct batch *batch);
/* Frees it with everything that was not executed. */
void batch_discard(struct batch *batch);
/* Forgets what is in it; blobs of its requests must have been released. */
void batch_reset(struct batch *batch);
void batch_grow_items(struct batch *batch);
void batch_grow_slices(struct batch *batch, size_t count);
/* Takes over a buffer from malloc. */
void batch_keep_buffer(struct batch *batch, char *buffer);
void batch_add_release(struct batch *batch, struct release release);

static inline bool batch_is_empty(const struct batch *batch)
{
    return batch->count == 0 && batch->release_count == 0;
}

/* Releases the blobs that a request still holds. */
void request_free_blobs(struct request *request);

/* ---- to a worker ---- */

/* What a worker does with a connection after it has sent a run's bytes. */
enum order {
    ORDER_ADOPT = 1 << 0,    /* take it over: the first order it gets */
    ORDER_TRUST = 1 << 1,    /* full limits from now on */
    ORDER_DISTRUST = 1 << 2, /* tiny limits */
    ORDER_CONTINUE = 1 << 3, /* the stranger's request has run: parse the next one */
    ORDER_HOLD = 1 << 4,     /* keep what comes unparsed */
    ORDER_RESUME = 1 << 5,   /* the hold is over */
    ORDER_PAUSE = 1 << 6,    /* take no input; say ITEM_DRAINED when little is queued */
    ORDER_PUBSUB = 1 << 7,   /* is of this class */
    ORDER_NORMAL = 1 << 8,   /* is of the normal class */
    ORDER_CLOSE = 1 << 9,    /* close when all is sent */
    ORDER_DROP = 1 << 10,    /* close now */
    ORDER_FREE = 1 << 11,    /* the last: the main thread has forgotten it */
    ORDER_YIELD = 1 << 12,   /* parse nothing until ORDER_RESUME: what it has sent runs in turns */
};

/* Bytes for a connection, then orders. */
struct run {
    struct connection *connection; /* NULL: done */
    struct blob *blob;             /* NULL: the bytes from start to end of the parcel's reply */
    const char *data;              /* in the blob, length bytes; holds a reference */
    size_t start, end;
    uint32_t first_segment, last_segment; /* of the reply */
    uint32_t next;                        /* run of the same connection, counted from 1; 0: none */
    uint16_t orders;
};

struct parcel {
    struct links links;
    struct reply reply;
    struct run *runs;
    size_t run_count, run_capacity;
    uint64_t shared_bytes;     /* in blobs, however many runs share them */
    struct links batches;      /* executed */
    struct net_limits *limits; /* NULL: as before; else from malloc, the worker's to free */
    bool stop;                 /* the worker's thread ends */
};

struct parcel *parcel_create(void);
void parcel_free(struct parcel *parcel);
/* Forgets what is in it, which the worker has ended. */
void parcel_reset(struct parcel *parcel);

static inline bool parcel_is_empty(const struct parcel *parcel)
{
    return parcel->run_count == 0 && links_is_empty(&parcel->batches) && parcel->limits == NULL &&
           !parcel->stop;
}

/* Later orders win over earlier ones that they contradict. */
static inline uint16_t orders_merge(uint16_t earlier, uint16_t later)
{
    static const uint16_t pairs[] = {ORDER_TRUST | ORDER_DISTRUST, ORDER_HOLD | ORDER_RESUME,
                                     ORDER_YIELD | ORDER_RESUME, ORDER_PAUSE | ORDER_RESUME,
                                     ORDER_PUBSUB | ORDER_NORMAL};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (later & pairs[i])
            earlier &= (uint16_t)~pairs[i];
    }
    return earlier | later;
}

/* Makes room for at least needed items, from malloc. */
void *array_grow(void *array, size_t *capacity, size_t needed, size_t item_bytes);

#endif
