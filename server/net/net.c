/*
 * The main thread's side as a whole: its workers, the parcels that go to them, limits and counters. See
 * net.h. Main thread only.
 */
#include "net/private.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    NET_SLICE_US = 1000,
    /* A delivery of so many pushes that takes so long is followed by a pause; the longest pause. */
    PUSH_MANY_RUNS = 64,
    PUSH_LONG_MS = 2,
    PUSH_PAUSE_MAX_MS = 5,
};

/* ---- parcels ---- */

static struct parcel *worker_take_parcel(struct worker *worker)
{
    if (links_is_empty(&worker->parcels))
        return parcel_create();
    struct parcel *parcel = links_container(worker->parcels.next, struct parcel, links);
    links_remove(&parcel->links);
    return parcel;
}

struct parcel *worker_parcel(struct worker *worker)
{
    if (__builtin_expect(worker->parcel == NULL, 0)) {
        worker->parcel_generation++;
        worker->parcel = worker_take_parcel(worker);
    }
    return worker->parcel;
}

struct parcel *worker_held(struct worker *worker)
{
    if (worker->held == NULL) {
        worker->held_generation++;
        worker->held = worker_take_parcel(worker);
    }
    return worker->held;
}

void worker_recycle_parcel(struct worker *worker, struct parcel *parcel)
{
    parcel_reset(parcel);
    links_append(&worker->parcels, &parcel->links);
}

static void net_flush_parcel(struct worker *worker)
{
    struct parcel *parcel = worker->parcel;
    if (parcel == NULL || parcel_is_empty(parcel))
        return;
    worker->parcel = NULL;
    if (worker->helper) {
        helper_send_parcel(worker->helper, parcel);
        return;
    }
    worker_deliver(worker, parcel);
    worker_recycle_parcel(worker, parcel);
}

void net_flush_held(struct worker *worker)
{
    net_flush_parcel(worker);
    struct parcel *held = worker->held;
    if (held == NULL)
        return;
    worker->held = NULL;
    worker_deliver(worker, held);
    worker_recycle_parcel(worker, held);
}

static void net_on_pause_over(uv_timer_t *pause)
{
    (void)pause; /* net_on_prepare comes next */
}

/* Nearly all of what a message costs is the system call that sends it. After a long delivery more are let
 * gather for half its time, so that a subscriber gets them with one. */
static void net_flush_due(struct worker *worker)
{
    struct net *net = worker->net;
    if (uv_is_active((uv_handle_t *)&net->pause))
        return;
    int64_t start_us = clock_monotonic_us();
    bool many = worker->held->run_count >= PUSH_MANY_RUNS;
    net_flush_held(worker);
    int64_t spent_ms = (clock_monotonic_us() - start_us) / 1000;
    if (!many || spent_ms < PUSH_LONG_MS || net->finished)
        return;
    uint64_t pause_ms = (uint64_t)(spent_ms / 2 < PUSH_PAUSE_MAX_MS ? spent_ms / 2 : PUSH_PAUSE_MAX_MS);
    uv_update_time(net->loop);
    uv_timer_start(&net->pause, net_on_pause_over, pause_ms, 0);
}

void net_flush_worker(struct worker *worker)
{
    net_flush_parcel(worker);
    if (__builtin_expect(worker->held != NULL, 0))
        net_flush_due(worker);
}

void net_flush(struct net *net)
{
    for (int i = 0; i < net->worker_count; i++)
        net_flush_worker(&net->workers[i]);
}

/* ---- the loop ---- */

/* Deals with what follows from parcels that the main loop's own worker has delivered. */
static void net_settle(struct net *net)
{
    struct worker *worker = &net->workers[0];
    while (worker->batch && !batch_is_empty(worker->batch))
        worker_hand_over(worker);
}

static void net_on_idle(uv_idle_t *idle)
{
    (void)idle; /* keeps the loop from sleeping; the work is done in net_on_prepare */
}

/* Before the loop sleeps: channels that may go on do so for their share of the turn, everything that was
 * written goes out, and what follows from that is dealt with. There is no sleep while channels have something
 * to run. */
static void net_on_prepare(uv_prepare_t *prepare)
{
    struct net *net = prepare->data;
    net_run_resumed(net);
    net->resumed_cycles = 0;
    net_flush(net);
    if (net->helpers == NULL)
        net_settle(net);
    if (!links_is_empty(&net->resumed))
        uv_idle_start(&net->idle, net_on_idle);
    else if (uv_is_active((uv_handle_t *)&net->idle))
        uv_idle_stop(&net->idle);
}

/* ---- start and stop ---- */

static void net_start_handles(struct net *net)
{
    uv_prepare_init(net->loop, &net->prepare);
    net->prepare.data = net;
    uv_prepare_start(&net->prepare, net_on_prepare);
    uv_idle_init(net->loop, &net->idle);
    net->idle.data = net;
    uv_timer_init(net->loop, &net->pause);
}

struct net *net_create(uv_loop_t *loop, const struct net_handlers *handlers, const struct net_limits *limits,
                       int helpers)
{
    struct net *net = calloc(1, sizeof(*net));
    CHECK(net != NULL);
    net->loop = loop;
    net->handlers = *handlers;
    net->limits = *limits;
    links_init(&net->resumed);
    uint64_t scale = clock_measure_scale();
    net->slice_cycles = ((uint64_t)NET_SLICE_US * 1000 << CLOCK_SCALE_BITS) / (scale ? scale : 1);
    net_start_handles(net);
    net->worker_count = helpers > 0 ? helpers : 1;
    net->workers = calloc((size_t)net->worker_count, sizeof(*net->workers));
    CHECK(net->workers != NULL);
    if (helpers > 0)
        net->helpers = helpers_start(net, limits, helpers);
    else
        worker_init(&net->workers[0], net, loop, limits);
    return net;
}

void net_finish(struct net *net)
{
    if (net->finished)
        return;
    net->finished = true;
    uv_timer_stop(&net->pause);
    net_flush(net);
    if (net->helpers)
        helpers_join(net);
    for (int i = 0; i < net->worker_count; i++) {
        struct links *connections = &net->workers[i].connections;
        for (struct links *at = connections->next; at != connections; at = at->next)
            output_flush(links_container(at, struct connection, links), true);
    }
}

void net_stop(struct net *net)
{
    net_finish(net);
    for (int i = 0; i < net->worker_count; i++) {
        struct worker *worker = &net->workers[i];
        struct links *connections = &worker->connections;
        for (struct links *at = connections->next; at != connections; at = at->next) {
            struct channel *channel = &links_container(at, struct connection, links)->channel;
            channel_drop_deferred(channel);
            links_remove(&channel->resumed);
            if (!(channel->flags & CHANNEL_GONE))
                net->handlers.closed(net->handlers.context, channel->session);
            channel->flags = CHANNEL_GONE;
        }
        worker_stop(worker);
    }
    uv_close((uv_handle_t *)&net->prepare, NULL);
    uv_close((uv_handle_t *)&net->idle, NULL);
    uv_close((uv_handle_t *)&net->pause, NULL);
    if (net->helpers)
        wake_close(&net->wake);
}

static void worker_free_parcels(struct worker *worker)
{
    if (worker->parcel)
        parcel_free(worker->parcel);
    if (worker->held)
        parcel_free(worker->held);
    while (!links_is_empty(&worker->parcels)) {
        struct parcel *parcel = links_container(worker->parcels.next, struct parcel, links);
        links_remove(&parcel->links);
        parcel_free(parcel);
    }
}

void net_free(struct net *net)
{
    for (int i = 0; i < net->worker_count; i++) {
        worker_free(&net->workers[i]);
        worker_free_parcels(&net->workers[i]);
    }
    if (net->helpers)
        helpers_free(net);
    free(net->workers);
    free(net);
}

void net_add_connection(struct net *net, int fd, unsigned origin)
{
    struct worker *worker = &net->workers[net->next_worker++ % net->worker_count];
    net->next_worker %= net->worker_count;
    net->connections_received++;
    struct connection *connection = connection_create(worker, fd, origin);
    channel_order(&connection->channel, ORDER_ADOPT);
    connection->channel.session = net->handlers.opened(net->handlers.context, &connection->channel);
}

/* ---- limits and counters ---- */

void net_set_limits(struct net *net, const struct net_limits *limits)
{
    net->limits = *limits;
    for (int i = 0; i < net->worker_count; i++) {
        struct parcel *parcel = worker_parcel(&net->workers[i]);
        if (parcel->limits == NULL)
            parcel->limits = malloc(sizeof(*limits));
        CHECK(parcel->limits != NULL);
        *parcel->limits = *limits;
    }
}

void net_check_limits(struct net *net)
{
    if (net->helpers == NULL)
        worker_check_limits(&net->workers[0]);
}

static void net_count(const struct net *net, struct net_stats *stats)
{
    *stats = (struct net_stats){.connections_received = net->connections_received,
                                .connections_rejected = net->connections_rejected};
    for (int i = 0; i < net->worker_count; i++) {
        const struct worker_counters *counters = &net->workers[i].counters;
        stats->connections += counter_read(&counters->connections);
        stats->input_bytes += counter_read(&counters->input_bytes);
        stats->output_bytes += counter_read(&counters->output_bytes);
        stats->reads += counter_read(&counters->reads);
        stats->writes += counter_read(&counters->writes);
        stats->query_limit_disconnections += counter_read(&counters->query_limit_disconnections);
        stats->output_limit_disconnections += counter_read(&counters->output_limit_disconnections);
        stats->connection_bytes += counter_read(&counters->buffer_bytes);
    }
    stats->connection_bytes += stats->connections * sizeof(struct connection);
}

void net_read_stats(const struct net *net, struct net_stats *stats)
{
    net_count(net, stats);
    const struct net_stats *baseline = &net->baseline;
    stats->connections_received -= baseline->connections_received;
    stats->connections_rejected -= baseline->connections_rejected;
    stats->input_bytes -= baseline->input_bytes;
    stats->output_bytes -= baseline->output_bytes;
    stats->reads -= baseline->reads;
    stats->writes -= baseline->writes;
    stats->query_limit_disconnections -= baseline->query_limit_disconnections;
    stats->output_limit_disconnections -= baseline->output_limit_disconnections;
}

void net_reset_stats(struct net *net)
{
    net_count(net, &net->baseline);
}

int net_helper_count(const struct net *net)
{
    return net->helpers ? net->worker_count : 0;
}

void net_read_helper_stats(const struct net *net, int helper, struct net_helper_stats *stats)
{
    const struct worker *worker = &net->workers[helper];
    *stats = (struct net_helper_stats){.busy_us = helper_busy_us(worker->helper),
                                       .batches = worker->batches_run,
                                       .requests = worker->requests_run,
                                       .queued_batches = helper_queued_batches(worker->helper),
                                       .connections = counter_read(&worker->counters.connections)};
}
