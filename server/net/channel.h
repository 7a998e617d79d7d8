#ifndef SPINDLE_NET_CHANNEL_H
#define SPINDLE_NET_CHANNEL_H

#include "base/links.h"
#include "net/net.h"
#include "net/parcel.h"

/*
 * The main thread's end of a connection: its session, the requests that must wait, and its place in the
 * parcel that goes to its worker next. Embedded in struct connection, whose other members the main thread
 * does not touch. Main thread only.
 */

struct worker;

enum channel_flag {
    CHANNEL_HELD = 1 << 0,    /* until channel_resume */
    CHANNEL_PAUSED = 1 << 1,  /* until its worker has sent what is queued */
    CHANNEL_YIELDED = 1 << 2, /* it has had its slice of this turn */
    CHANNEL_RESUMED = 1 << 3, /* in net.resumed */
    CHANNEL_CLOSING = 1 << 4, /* nothing that it sends is executed any more */
    CHANNEL_GONE = 1 << 5,    /* no session any more */
    CHANNEL_ENDING = 1 << 6,  /* ends when the requests that may run have run */
};

/* A request that waits: owns copies of its arguments. */
struct deferred {
    struct deferred *next;
    char *error; /* a protocol error takes its place; from malloc */
    bool is_stranger;
    uint32_t argc;
    struct blob **blobs;
    struct slice argv[];
};

struct channel {
    void *session;
    struct deferred *deferred; /* oldest first */
    struct deferred *deferred_last;
    struct links resumed; /* in net.resumed, or alone */
    struct place {
        uint32_t generation; /* of the parcel that run is in */
        uint32_t run;        /* counted from 1 */
    } place, held;           /* the last run in worker.parcel, and in worker.held */
    uint16_t flags;
};

void channel_init(struct channel *channel);
/* Drops what waits. */
void channel_drop_deferred(struct channel *channel);
void channel_defer(struct channel *channel, struct batch_item *item);
struct deferred *channel_take_deferred(struct channel *channel);
/* Makes it the first again. */
void channel_put_back(struct channel *channel, struct deferred *deferred);
void deferred_free(struct deferred *deferred);

/* Pushes of the channel wait in worker.held: they go out before any reply. */
bool channel_has_held(const struct channel *channel);

/* The run that the next reply of the channel belongs to, as an index into the parcel's runs. */
uint32_t channel_open_run(struct channel *channel);
void channel_order(struct channel *channel, unsigned orders);

#endif
