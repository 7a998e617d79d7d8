/* The main thread's end of connections: bytes and orders for them, requests that wait. See channel.h. */
#include "channel.h"

#include "base/check.h"
#include "net/private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void channel_init(struct channel *channel)
{
    *channel = (struct channel){0};
    links_init(&channel->resumed);
}

/* ---- requests that wait ---- */

/* Copies the arguments that are not in blocks of their own; those go with it. */
static struct deferred *deferred_create(struct request *request)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < request->argc; i++)
        bytes += request->blobs && request->blobs[i] ? 0 : request->argv[i].length;
    struct deferred *deferred = malloc(sizeof(*deferred) + request->argc * sizeof(struct slice) + bytes);
    CHECK(deferred != NULL);
    *deferred = (struct deferred){.argc = request->argc, .blobs = request->blobs};
    char *at = (char *)(deferred->argv + request->argc);
    for (uint32_t i = 0; i < request->argc; i++) {
        deferred->argv[i] = request->argv[i];
        if (request->blobs && request->blobs[i])
            continue;
        memcpy(at, request->argv[i].data, request->argv[i].length);
        deferred->argv[i].data = at;
        at += request->argv[i].length;
    }
    request->blobs = NULL;
    return deferred;
}

void deferred_free(struct deferred *deferred)
{
    for (uint32_t i = 0; deferred->blobs && i < deferred->argc; i++) {
        if (deferred->blobs[i])
            blob_release(deferred->blobs[i]);
    }
    free(deferred->blobs);
    free(deferred->error);
    free(deferred);
}

void channel_defer(struct channel *channel, struct batch_item *item)
{
    struct deferred *deferred = deferred_create(&item->request);
    deferred->error = item->error;
    deferred->is_stranger = item->is_stranger;
    item->error = NULL;
    if (channel->deferred)
        channel->deferred_last->next = deferred;
    else
        channel->deferred = deferred;
    channel->deferred_last = deferred;
}

struct deferred *channel_take_deferred(struct channel *channel)
{
    struct deferred *deferred = channel->deferred;
    channel->deferred = deferred->next;
    return deferred;
}

void channel_put_back(struct channel *channel, struct deferred *deferred)
{
    if (channel->deferred == NULL)
        channel->deferred_last = deferred;
    deferred->next = channel->deferred;
    channel->deferred = deferred;
}

void channel_drop_deferred(struct channel *channel)
{
    while (channel->deferred)
        deferred_free(channel_take_deferred(channel));
}

/* ---- runs ---- */

/* The run that a place names, or NULL when its parcel has gone. */
static struct run *place_run(const struct place *place, const struct parcel *parcel, uint32_t generation)
{
    return place->run && place->generation == generation ? &parcel->runs[place->run - 1] : NULL;
}

static struct run *channel_last_run(const struct channel *channel)
{
    const struct worker *worker = channel_worker(channel);
    return place_run(&channel->place, worker->parcel, worker->parcel_generation);
}

static struct run *channel_held_run(const struct channel *channel)
{
    const struct worker *worker = channel_worker(channel);
    return worker->held ? place_run(&channel->held, worker->held, worker->held_generation) : NULL;
}

bool channel_has_held(const struct channel *channel)
{
    return channel_held_run(channel) != NULL;
}

/* Appends a run behind the channel's last one in the parcel. */
static struct run *channel_append_run(struct channel *channel, struct parcel *parcel, struct place *place,
                                      uint32_t generation)
{
    struct run *last = place_run(place, parcel, generation);
    if (last)
        last->next = (uint32_t)parcel->run_count + 1;
    if (parcel->run_count == parcel->run_capacity)
        parcel->runs =
            array_grow(parcel->runs, &parcel->run_capacity, parcel->run_count + 1, sizeof(*parcel->runs));
    struct run *run = &parcel->runs[parcel->run_count++];
    const struct reply *reply = &parcel->reply;
    *run = (struct run){.connection = channel_connection(channel),
                        .start = reply->buffer.length,
                        .end = reply->buffer.length,
                        .first_segment = (uint32_t)reply->segment_count,
                        .last_segment = (uint32_t)reply->segment_count};
    *place = (struct place){generation, (uint32_t)parcel->run_count};
    return run;
}

static struct run *channel_add_run(struct channel *channel)
{
    struct worker *worker = channel_worker(channel);
    struct parcel *parcel = worker_parcel(worker);
    return channel_append_run(channel, parcel, &channel->place, worker->parcel_generation);
}

/* Does what is written next continue this run? */
static bool run_is_open(const struct run *run, const struct reply *reply)
{
    return run->blob == NULL && run->end == reply->buffer.length && run->last_segment == reply->segment_count;
}

uint32_t channel_open_run(struct channel *channel)
{
    struct worker *worker = channel_worker(channel);
    if (__builtin_expect(worker->held != NULL && channel_has_held(channel), 0))
        net_flush_held(worker);
    const struct parcel *parcel = worker_parcel(worker);
    const struct run *run = channel_last_run(channel);
    if (run == NULL || !run_is_open(run, &parcel->reply))
        run = channel_add_run(channel);
    return (uint32_t)(run - worker->parcel->runs);
}

void channel_order(struct channel *channel, unsigned orders)
{
    struct run *run = channel_held_run(channel);
    if (run == NULL)
        run = worker_parcel(channel_worker(channel)) ? channel_last_run(channel) : NULL;
    if (run == NULL)
        run = channel_add_run(channel);
    run->orders = orders_merge(run->orders, (uint16_t)orders);
}

/* ---- what sessions ask of their connection ---- */

void channel_close(struct channel *channel, bool flush)
{
    if (channel->flags & CHANNEL_GONE)
        return;
    channel->flags |= CHANNEL_CLOSING;
    channel_drop_deferred(channel);
    channel_order(channel, flush ? ORDER_CLOSE : ORDER_DROP);
}

/* Fills a run with bytes of a block. */
static void run_refer(struct run *run, struct blob *blob, const char *data, size_t length)
{
    run->blob = blob_retain(blob);
    run->data = data;
    run->start = 0;
    run->end = length;
}

/* On the main loop messages are kept apart from replies: they may gather for a while. A reply that follows
 * goes to a new run then. */
static struct run *channel_add_held(struct channel *channel)
{
    struct worker *worker = channel_worker(channel);
    channel->place.run = 0;
    return channel_append_run(channel, worker_held(worker), &channel->held, worker->held_generation);
}

void channel_send_shared(struct channel *channel, struct blob *blob, size_t offset, size_t length)
{
    if (length == 0 || channel->flags & (CHANNEL_CLOSING | CHANNEL_GONE))
        return;
    struct worker *worker = channel_worker(channel);
    struct parcel *parcel = worker->helper ? worker_parcel(worker) : worker_held(worker);
    struct run *run = worker->helper ? channel_last_run(channel) : channel_held_run(channel);
    const char *data = blob->data + offset;
    parcel->shared_bytes += length;
    if (run && run->blob == blob && run->data + run->end == data)
        run->end += length;
    else
        run_refer(worker->helper ? channel_add_run(channel) : channel_add_held(channel), blob, data, length);
}

void channel_send(struct channel *channel, const char *data, size_t length)
{
    if (length == 0 || channel->flags & (CHANNEL_CLOSING | CHANNEL_GONE))
        return;
    struct blob *blob = blob_create(length);
    memcpy(blob->data, data, length);
    blob->length_bytes = length;
    /* The reply of a client that was blocked does not wait for messages, but for its own. */
    run_refer(channel_has_held(channel) ? channel_add_held(channel) : channel_add_run(channel), blob,
              blob->data, length);
    blob_release(blob);
}

void channel_set_class(struct channel *channel, enum net_client_class client_class)
{
    channel_order(channel, client_class == NET_CLIENT_PUBSUB ? ORDER_PUBSUB : ORDER_NORMAL);
}

void channel_set_trusted(struct channel *channel, bool trusted)
{
    channel_order(channel, trusted ? ORDER_TRUST : ORDER_DISTRUST);
}

void channel_resume(struct channel *channel)
{
    /* It stays held until its turn comes, so that nothing it sent meanwhile overtakes what waits. */
    if (!(channel->flags & CHANNEL_HELD) || channel->flags & (CHANNEL_RESUMED | CHANNEL_CLOSING))
        return;
    struct net *net = channel_worker(channel)->net;
    channel->flags |= CHANNEL_RESUMED;
    links_append(&net->resumed, &channel->resumed);
}

/* ---- facts ---- */

static void address_format(const struct connection *connection, bool peer, char *text, size_t capacity)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } address = {0};
    socklen_t length = sizeof(address);
    char host[INET6_ADDRSTRLEN];
    if (connection->origin & CONNECTION_UNIX) {
        getsockname(connection->fd, &address.any, &length);
        snprintf(text, capacity, "%s:0", address.local.sun_path);
        return;
    }
    int failed = peer ? getpeername(connection->fd, &address.any, &length)
                      : getsockname(connection->fd, &address.any, &length);
    if (failed)
        snprintf(text, capacity, "?:0");
    else if (address.any.sa_family == AF_INET6)
        snprintf(text, capacity, "[%s]:%d", inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host)),
                 ntohs(address.v6.sin6_port));
    else
        snprintf(text, capacity, "%s:%d", inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host)),
                 ntohs(address.v4.sin_port));
}

void channel_describe_kind(const struct channel *channel, struct connection_facts *facts)
{
    const struct connection *connection = channel_connection(channel);
    facts->is_unix = connection->origin & CONNECTION_UNIX;
    facts->is_loopback = connection->origin & CONNECTION_LOOPBACK;
}

uint64_t channel_memory_bytes(const struct channel *channel)
{
    const struct connection_gauges *gauges = &channel_connection(channel)->gauges;
    return sizeof(struct connection) + counter_read(&gauges->query_bytes) +
           gauge_read(&gauges->query_free_bytes) + counter_read(&gauges->output_bytes);
}

void channel_describe(const struct channel *channel, struct connection_facts *facts)
{
    const struct connection *connection = channel_connection(channel);
    const struct connection_gauges *gauges = &connection->gauges;
    *facts = (struct connection_facts){.fd = connection->fd,
                                       .query_bytes = counter_read(&gauges->query_bytes),
                                       .query_free_bytes = gauge_read(&gauges->query_free_bytes),
                                       .output_bytes = counter_read(&gauges->output_bytes),
                                       .output_blocks = gauge_read(&gauges->output_blocks),
                                       .memory_bytes = channel_memory_bytes(channel),
                                       .helper = connection->worker->number};
    channel_describe_kind(channel, facts);
    address_format(connection, true, facts->peer, sizeof(facts->peer));
    address_format(connection, false, facts->local, sizeof(facts->local));
}
