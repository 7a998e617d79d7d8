/*
 * Executing batches: the main thread's half of a turn. Requests run in the order in which their connections
 * sent them; those of a connection that must wait (blocked, paused, at the end of its slice) are put aside
 * with it and run later, before anything that it sends after them.
 */
#include "base/clock.h"
#include "base/log.h"
#include "net/private.h"

#include <stdlib.h>

enum {
    CHANNEL_WAITS = CHANNEL_HELD | CHANNEL_PAUSED | CHANNEL_YIELDED | CHANNEL_RESUMED,
    CHANNEL_SPECIAL = CHANNEL_WAITS | CHANNEL_CLOSING | CHANNEL_GONE,
    /* Requests of a streak between two looks at the clock; replies after which it is looked at sooner. */
    STREAK_CHECK_REQUESTS = 8,
    STREAK_CHECK_BYTES = 64 * 1024,
    STREAK_CHECK_SEGMENTS = 2,
    /* What resumed channels may use of a turn, in slices. */
    RESUMED_SLICES = 2,
};

/*
 * Requests of one connection that are executed one after the other. Their replies are one run, whose end is
 * written when the streak closes.
 */
struct streak {
    struct channel *channel; /* NULL: closed */
    struct parcel *parcel;
    uint32_t run; /* counted from 1 */
    unsigned requests;
    size_t checked_bytes;    /* of the parcel's reply: look at the queue when it grows beyond */
    size_t checked_segments; /* likewise */
    uint64_t start_cycles;
};

/* ---- streaks ---- */

static void streak_close(struct streak *streak)
{
    if (streak->channel == NULL)
        return;
    struct run *run = &streak->parcel->runs[streak->run - 1];
    run->end = streak->parcel->reply.buffer.length;
    run->last_segment = (uint32_t)streak->parcel->reply.segment_count;
    streak->channel = NULL;
}

static void streak_open(struct streak *streak, struct channel *channel)
{
    streak_close(streak);
    uint32_t index = channel_open_run(channel);
    struct parcel *parcel = channel_worker(channel)->parcel;
    *streak = (struct streak){.channel = channel,
                              .parcel = parcel,
                              .run = index + 1,
                              .checked_bytes = parcel->reply.buffer.length + STREAK_CHECK_BYTES,
                              .checked_segments = parcel->reply.segment_count + STREAK_CHECK_SEGMENTS,
                              .start_cycles = clock_cycles()};
}

/* Is this channel's run still the last that was written for it? Pushes may have come behind it. */
static inline bool streak_goes_on(const struct streak *streak, const struct channel *channel)
{
    return streak->channel == channel && channel->place.run == streak->run;
}

static size_t segments_bytes(const struct reply *reply, size_t first)
{
    size_t bytes = 0;
    for (size_t i = first; i < reply->segment_count; i++)
        bytes += reply->segments[i].length;
    return bytes;
}

/* Makes a connection wait that leaves too much unread. */
static void channel_check_unread(const struct net *net, struct channel *channel, size_t run_bytes)
{
    uint64_t unread = counter_read(&channel_connection(channel)->gauges.output_bytes) + run_bytes;
    if (unread <= output_allowance_bytes(net, &net->limits))
        return;
    channel->flags |= CHANNEL_PAUSED;
    channel_order(channel, ORDER_PAUSE);
}

static void channel_yield(struct net *net, struct channel *channel)
{
    if (channel->flags & (CHANNEL_WAITS | CHANNEL_CLOSING | CHANNEL_GONE))
        return;
    channel->flags |= CHANNEL_YIELDED | CHANNEL_RESUMED;
    channel_order(channel, ORDER_YIELD);
    links_append(&net->resumed, &channel->resumed);
}

static bool parcel_is_large(const struct parcel *parcel)
{
    return parcel->reply.buffer.length > NET_PARCEL_BYTES || parcel->run_count > NET_PARCEL_RUNS ||
           parcel->shared_bytes > NET_PARCEL_SHARED_BYTES;
}

/* Much was written, or many requests were executed: has the connection had its share? */
static void streak_check(struct net *net, struct streak *streak)
{
    struct channel *channel = streak->channel;
    const struct reply *reply = &streak->parcel->reply;
    const struct run *run = &streak->parcel->runs[streak->run - 1];
    size_t run_bytes = reply->buffer.length - run->start + segments_bytes(reply, run->first_segment);
    if (run_bytes > STREAK_CHECK_BYTES)
        channel_check_unread(net, channel, run_bytes);
    if (clock_cycles() - streak->start_cycles > net->slice_cycles)
        channel_yield(net, channel);
    const struct worker *worker = channel_worker(channel);
    bool much_held = worker->held && parcel_is_large(worker->held);
    if (!much_held && !parcel_is_large(streak->parcel))
        return;
    streak_close(streak);
    net_flush(net);
    if (much_held)
        net_flush_held(channel_worker(channel));
}

/* Returns false when the request was put off. */
static inline bool channel_execute(struct net *net, struct channel *channel, struct request *request,
                                   struct streak *streak)
{
    if (!streak_goes_on(streak, channel))
        streak_open(streak, channel);
    struct reply *reply = &streak->parcel->reply;
    enum request_outcome outcome = net->handlers.execute(net->handlers.context, request, reply);
    if (__builtin_expect(outcome != REQUEST_DONE, 0)) {
        channel->flags |= CHANNEL_HELD;
        channel_order(channel, ORDER_HOLD);
    }
    if (__builtin_expect(++streak->requests % STREAK_CHECK_REQUESTS == 0 ||
                             reply->buffer.length > streak->checked_bytes ||
                             reply->segment_count > streak->checked_segments,
                         0))
        streak_check(net, streak);
    return outcome != REQUEST_PUT_OFF;
}

static void channel_fail(struct channel *channel, const char *error, struct streak *streak)
{
    if (!streak_goes_on(streak, channel))
        streak_open(streak, channel);
    reply_error(&streak->parcel->reply, error);
    streak_close(streak);
    channel_close(channel, true);
}

/* ---- the end of a connection ---- */

static void log_reason(const struct batch_item *item)
{
    if (item->reason == GONE_OUTPUT_LIMIT)
        log_warning("A client is closed: it left more replies unread than client-output-buffer-limit allows");
    else if (item->reason == GONE_QUERY_LIMIT)
        log_warning("A client is closed: its request is larger than client-query-buffer-limit");
}

static void channel_end(struct net *net, struct channel *channel)
{
    channel_drop_deferred(channel);
    links_remove(&channel->resumed);
    channel->flags = CHANNEL_GONE;
    net->handlers.closed(net->handlers.context, channel->session);
    channel->session = NULL;
    channel_order(channel, ORDER_FREE);
}

/* ---- batches ---- */

static void channel_drained(struct net *net, struct channel *channel)
{
    if (!(channel->flags & CHANNEL_PAUSED))
        return;
    channel->flags &= (uint16_t)~CHANNEL_PAUSED;
    if (channel->flags & (CHANNEL_WAITS | CHANNEL_CLOSING))
        return;
    channel->flags |= CHANNEL_YIELDED | CHANNEL_RESUMED;
    links_append(&net->resumed, &channel->resumed);
}

static inline void executor_run_request(struct net *net, struct channel *channel, struct batch_item *item,
                                        struct streak *streak)
{
    if (__builtin_expect(!channel_execute(net, channel, &item->request, streak), 0)) {
        channel_defer(channel, item);
        return;
    }
    if (__builtin_expect(item->is_stranger, 0))
        channel_order(channel, ORDER_CONTINUE);
    if (__builtin_expect(item->request.blobs != NULL, 0))
        request_free_blobs(&item->request);
}

/* An item that is not simply a request to be executed now. */
static void executor_run_special(struct net *net, struct batch_item *item, struct streak *streak)
{
    struct channel *channel = &item->connection->channel;
    if (item->kind == ITEM_GONE) {
        log_reason(item);
        if (channel->flags & CHANNEL_RESUMED)
            channel->flags |= CHANNEL_ENDING;
        else
            channel_end(net, channel);
    } else if (channel->flags & (CHANNEL_GONE | CHANNEL_CLOSING)) {
        request_free_blobs(&item->request);
    } else if (item->kind == ITEM_DRAINED) {
        channel_drained(net, channel);
    } else if (channel->flags & CHANNEL_WAITS) {
        channel_defer(channel, item);
    } else if (item->kind == ITEM_ERROR) {
        channel_fail(channel, item->error, streak);
    } else {
        executor_run_request(net, channel, item, streak);
    }
    free(item->error);
    item->error = NULL;
}

static inline void executor_run_item(struct net *net, struct batch_item *item, struct streak *streak)
{
    struct channel *channel = &item->connection->channel;
    if (__builtin_expect(item->kind != ITEM_REQUEST || item->is_stranger || channel->flags & CHANNEL_SPECIAL,
                         0)) {
        executor_run_special(net, item, streak);
        return;
    }
    executor_run_request(net, channel, item, streak);
}

static bool item_may_run(const struct batch_item *item)
{
    return item->kind == ITEM_REQUEST && !(item->connection->channel.flags & CHANNEL_GONE);
}

static void executor_prepare(const struct net *net, const struct batch *batch, struct batch_item *items,
                             size_t count)
{
    struct request *requests[NET_GROUP];
    size_t runnable = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].request.argv = batch->slices + items[i].first_slice;
        if (item_may_run(&items[i]))
            requests[runnable++] = &items[i].request;
    }
    net->handlers.prepare(net->handlers.context, requests, runnable);
}

static void executor_run_group(struct net *net, struct batch *batch, struct batch_item *items, size_t count,
                               struct streak *streak)
{
    executor_prepare(net, batch, items, count);
    for (size_t i = 0; i < count; i++)
        executor_run_item(net, &items[i], streak);
}

static void executor_take_back(struct batch *batch, struct worker *worker)
{
    for (size_t i = 0; i < batch->release_count; i++)
        batch->releases[i].release(batch->releases[i].owner);
    while (!links_is_empty(&batch->parcels)) {
        struct parcel *parcel = links_container(batch->parcels.next, struct parcel, links);
        links_remove(&parcel->links);
        worker_recycle_parcel(worker, parcel);
    }
}

void net_execute(struct net *net, struct batch *batch, struct worker *worker)
{
    executor_take_back(batch, worker);
    if (batch->count) {
        struct streak streak = {0};
        net->handlers.begin(net->handlers.context);
        for (size_t at = 0; at < batch->count; at += NET_GROUP) {
            size_t left = batch->count - at;
            executor_run_group(net, batch, batch->items + at, left < NET_GROUP ? left : NET_GROUP, &streak);
        }
        streak_close(&streak);
        net->handlers.end(net->handlers.context);
        worker->requests_run += batch->count;
    }
    worker->batches_run++;
    links_append(&worker_parcel(worker)->batches, &batch->links);
}

/* ---- requests that waited ---- */

/* Returns false when it must wait again. */
static bool deferred_run(struct net *net, struct channel *channel, struct deferred *deferred,
                         struct streak *streak)
{
    if (deferred->error) {
        channel_fail(channel, deferred->error, streak);
        return true;
    }
    struct request request = {.session = channel->session,
                              .argv = deferred->argv,
                              .argc = deferred->argc,
                              .blobs = deferred->blobs};
    struct request *prepared = &request;
    net->handlers.prepare(net->handlers.context, &prepared, 1);
    bool done = channel_execute(net, channel, &request, streak);
    deferred->blobs = request.blobs;
    if (done && deferred->is_stranger)
        channel_order(channel, ORDER_CONTINUE);
    return done;
}

/* Runs what waits until the channel must wait again. */
static void channel_run_deferred(struct net *net, struct channel *channel)
{
    struct streak streak = {0};
    while (channel->deferred && !(channel->flags & CHANNEL_SPECIAL)) {
        struct deferred *deferred = channel_take_deferred(channel);
        if (deferred_run(net, channel, deferred, &streak))
            deferred_free(deferred);
        else
            channel_put_back(channel, deferred);
    }
    streak_close(&streak);
    if (!(channel->flags & CHANNEL_SPECIAL))
        channel_order(channel, ORDER_RESUME);
    if (channel->flags & CHANNEL_ENDING && !(channel->flags & CHANNEL_RESUMED))
        channel_end(net, channel);
}

void net_run_resumed(struct net *net)
{
    const uint64_t most_cycles = RESUMED_SLICES * net->slice_cycles;
    if (links_is_empty(&net->resumed) || net->resumed_cycles > most_cycles)
        return;
    const uint64_t start = clock_cycles(), before = net->resumed_cycles;
    net->handlers.begin(net->handlers.context);
    while (!links_is_empty(&net->resumed) && net->resumed_cycles <= most_cycles) {
        struct channel *channel = links_container(net->resumed.next, struct channel, resumed);
        links_remove(&channel->resumed);
        channel->flags &= (uint16_t) ~(CHANNEL_HELD | CHANNEL_YIELDED | CHANNEL_RESUMED);
        channel_run_deferred(net, channel);
        net->resumed_cycles = before + (clock_cycles() - start);
    }
    net->handlers.end(net->handlers.context);
}
