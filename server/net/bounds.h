#ifndef SPINDLE_NET_BOUNDS_H
#define SPINDLE_NET_BOUNDS_H

/*
 * How much the turn of the loop takes, keeps and lets wait. Builds with -Dstress=true shrink it, so that
 * every bound is met all the time. Constants; any thread.
 */

enum {
#ifdef SPINDLE_STRESS
    NET_ARENA_BYTES = 8 * 1024,
    NET_READ_BYTES = 97,
    NET_READ_FIRST_BYTES = 61,
    NET_TURN_BYTES = 500,
    NET_GROUP = 3,
    NET_BATCH_REQUESTS = 5,
    NET_BATCH_FEW_REQUESTS = 3,
    NET_BATCHES_MAX = 3,
    NET_BATCHES_AHEAD = 2,
    NET_PARCEL_BYTES = 256,
    NET_PARCEL_RUNS = 3,
    NET_SEND_BYTES = 1000,
    NET_LONG_OUTPUT_BYTES = 100,
    NET_CLOSING_SHARE = 1000 * 1000,
    NET_LEFT_MS = 500,
#else
    NET_ARENA_BYTES = 2 * 1024 * 1024,
    /* One connection's input in one turn: bounds how long it can keep the others waiting. */
    NET_READ_BYTES = 64 * 1024,
    /* The same, until a connection has shown that it sends that much. */
    NET_READ_FIRST_BYTES = 16 * 1024,
    /* Input of all connections that send much, in one turn. */
    NET_TURN_BYTES = 256 * 1024,
    /* Requests prefetched together. */
    NET_GROUP = 32,
    /* Requests after which a batch runs although more sockets are readable: it should stay in the cache. */
    NET_BATCH_REQUESTS = 256,
    /* With fewer a batch waits for a second look at the sockets before it goes to another thread. */
    NET_BATCH_FEW_REQUESTS = 16,
    /* Batches of one worker: filled, under way and resting. */
    NET_BATCHES_MAX = 16,
    /* With so many of all workers under way, connections that send much wait: what the others send comes
     * behind it. Fewer leave helpers idle at times, more make the others wait longer. */
    NET_BATCHES_AHEAD = 4,
    /* A parcel is sent off when it holds this much, without waiting for the end of the batch. */
    NET_PARCEL_BYTES = 1024 * 1024,
    NET_PARCEL_RUNS = 32 * 1024,
    /* Offered to a socket at once. */
    NET_SEND_BYTES = 1024 * 1024,
    /* Output from here on counts as long: a turn has only so much time for it. */
    NET_LONG_OUTPUT_BYTES = 16 * 1024,
    /* Closing sockets may take a turn one slice divided by this. */
    NET_CLOSING_SHARE = 2,
    /* A client that has hung up and still has replies to get may stop taking them for so long. */
    NET_LEFT_MS = 5 * 1000,
#endif
    NET_PARCEL_SHARED_BYTES = 16 * 1024 * 1024,
    NET_SLICES_KEPT = 1024 * 1024,
    /* An incomplete request that is larger gets a growing buffer; a smaller one moves to the arena again. */
    NET_TAIL_BYTES = NET_READ_BYTES / 4,
    /* Received at once into a long bulk string. */
    NET_BULK_READ_BYTES = 1024 * 1024,
    /* What a connection may leave unread however little the others leave it. */
    NET_UNREAD_MIN_BYTES = 16 * 1024,
    NET_ACCEPTS_MAX = 64,
    NET_ERROR_TEXT_BYTES = 128,
};

#endif
