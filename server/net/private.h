#ifndef SPINDLE_NET_PRIVATE_H
#define SPINDLE_NET_PRIVATE_H

#include "net/wake.h"
#include "net/worker.h"

/*
 * What the files of net/ share beyond workers and channels: executing batches, filling parcels, and the
 * queues to helper threads. Main thread only, but for helper_send_batch and what of struct net never changes:
 * handlers, workers, worker_count, slice_cycles.
 *
 * Invariants: of what waits to be sent to a connection, its runs in worker.parcel are older than those in
 * worker.held. A parcel leaves only while no streak has a run open in it.
 */

struct net {
    uv_loop_t *loop;
    struct net_handlers handlers;
    struct net_limits limits;
    struct worker *workers; /* the main loop's one, or the helpers' */
    int worker_count;
    struct helper *helpers; /* one for each worker, or NULL */
    int next_worker;        /* gets the next connection */
    uv_prepare_t prepare;   /* sends parcels off before the loop sleeps */
    uv_idle_t idle;         /* active while resumed channels wait */
    uv_timer_t pause;       /* active: pushes gather */
    struct wake wake;       /* with helpers: there are batches to take */
    struct links resumed;   /* channels with requests that may run now, oldest first */
    uint64_t connections_received, connections_rejected;
    struct net_stats baseline; /* counters at the last reset */
    uint64_t slice_cycles;     /* what a connection may use of a turn */
    uint64_t resumed_cycles;   /* what resumed channels have used of this turn */
    bool finished;
};

static inline struct connection *channel_connection(const struct channel *channel)
{
    return links_container(channel, struct connection, channel);
}

static inline struct worker *channel_worker(const struct channel *channel)
{
    return channel_connection(channel)->worker;
}

/* executor.c */
void net_execute(struct net *net, struct batch *batch, struct worker *worker);
/* Lets resumed channels go on, while they have not had their share of the turn. Comes between a batch and its
 * replies: who has seen that a pause is over, or that a blocked client was served, comes behind it. */
void net_run_resumed(struct net *net);

/* net.c */
/* The parcel that is being filled for a worker. */
struct parcel *worker_parcel(struct worker *worker);
/* Sends off every parcel with something in it. */
void net_flush(struct net *net);
void net_flush_worker(struct worker *worker);
/* The pushes that gather behind the parcel of the main loop's own worker. */
struct parcel *worker_held(struct worker *worker);
/* Sends them off now, behind the parcel. Not while a run of the parcel is open. */
void net_flush_held(struct worker *worker);
/* A sent parcel came back. */
void worker_recycle_parcel(struct worker *worker, struct parcel *parcel);
/* A new connection, accepted on the main thread. */
void net_add_connection(struct net *net, int fd, unsigned origin);

/* helper.c: threads. */
struct helper *helpers_start(struct net *net, const struct net_limits *limits, int count);
void helper_send_parcel(struct helper *helper, struct parcel *parcel);
/* From the helper's thread. */
void helper_send_batch(struct helper *helper, struct batch *batch);
/* Ends the threads. What they sent before is still to be taken. */
void helpers_join(struct net *net);
void helpers_free(struct net *net);
uint64_t helper_busy_us(struct helper *helper);
uint64_t helper_queued_batches(struct helper *helper);

#endif
