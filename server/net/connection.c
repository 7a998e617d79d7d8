/*
 * A client's socket: reading, parsing into the worker's batch, closing. See worker.h for who owns which
 * bytes. Runs on the thread of the connection's worker.
 */
#include "worker.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool connection_takes_input(const struct connection *connection)
{
    return !(connection->flags &
             (CONNECTION_DEAD | CONNECTION_CLOSING | CONNECTION_CLOSED | CONNECTION_OUTPUT_FULL));
}

static struct resp_limits connection_limits(const struct connection *connection)
{
    return (struct resp_limits){.bulk_max_bytes = connection->worker->limits.bulk_max_bytes,
                                .stranger = !(connection->flags & CONNECTION_TRUSTED)};
}

/* ---- requests ---- */

static void connection_fail(struct connection *connection, const struct resp_parser *parser)
{
    struct worker *worker = connection->worker;
    char *text = malloc(NET_ERROR_TEXT_BYTES);
    CHECK(text != NULL);
    resp_error_text(parser, text, NET_ERROR_TEXT_BYTES);
    batch_add(worker, connection)->error = text;
}

/* Adds the request that the parser has completed; data is its first byte. */
static void connection_add_parsed(struct connection *connection, const struct resp_parser *parser,
                                  const char *data)
{
    if (parser->count == 0)
        return;
    struct worker *worker = connection->worker;
    struct batch_request *item = batch_add(worker, connection);
    struct slice *slices = batch_slices(worker, parser->count);
    for (uint32_t i = 0; i < parser->count; i++)
        slices[i] = (struct slice){data + parser->arguments[i].offset, parser->arguments[i].length};
    item->request.argc = parser->count;
    worker->batch.slice_count += parser->count;

    struct pending *pending = connection->pending;
    if (pending == NULL || pending->bulk_count == 0)
        return;
    item->request.blobs = calloc(parser->count, sizeof(struct blob *));
    CHECK(item->request.blobs != NULL);
    for (uint32_t i = 0; i < pending->bulk_count; i++) {
        const struct pending_bulk *bulk = &pending->bulks[i];
        slices[bulk->index] = (struct slice){bulk->blob->data, bulk->blob->length_bytes};
        item->request.blobs[bulk->index] = bulk->blob;
    }
    pending->bulk_count = 0;
    pending->bulk_bytes = 0;
}

static struct pending *pending_create(void)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    CHECK(pending != NULL);
    resp_parser_init(&pending->parser);
    return pending;
}

static void pending_free(struct pending *pending)
{
    if (pending == NULL)
        return;
    for (uint32_t i = 0; i < pending->bulk_count; i++)
        blob_release(pending->bulks[i].blob);
    if (pending->bulk)
        blob_release(pending->bulk);
    free(pending->bulks);
    resp_parser_free(&pending->parser);
    buffer_free(&pending->buffer);
    free(pending);
}

/* Adds every complete request that starts in data; returns the bytes used. Stops at an incomplete one and
 * leaves its state in parser, or at an error, which uses up everything. */
static size_t connection_parse(struct connection *connection, struct resp_parser *parser, char *data,
                               size_t length)
{
    struct worker *worker = connection->worker;
    struct resp_limits limits = connection_limits(connection);
    size_t used = 0;
    while (used < length) {
        if (parser->position == 0) {
            uint32_t count = 0;
            struct slice *slices = batch_slices(worker, 16);
            size_t taken = resp_parse_whole(data + used, length - used, &limits, slices, 16, &count);
            if (taken) {
                used += taken;
                parser->scanned = 0; /* an earlier attempt may have looked at the cut first line */
                if (count == 0)
                    continue;
                batch_add(worker, connection)->request.argc = count;
                worker->batch.slice_count += count;
                if (limits.stranger)
                    break;
                continue;
            }
        }
        enum resp_status status = resp_parse(parser, data + used, length - used, &limits);
        if (status == RESP_INCOMPLETE)
            return used;
        if (status == RESP_ERROR) {
            connection_fail(connection, parser);
            resp_parser_reset(parser);
            return length;
        }
        connection_add_parsed(connection, parser, data + used);
        used += parser->position;
        resp_parser_reset(parser);
        if (limits.stranger)
            break;
    }
    /* The request of a stranger may authenticate it: what follows is read under other limits. */
    if (used < length)
        connection->flags |= CONNECTION_MORE;
    return used;
}

/* A long bulk string is being read: give it a block of its own. */
static void pending_start_bulk(struct pending *pending)
{
    struct resp_parser *parser = &pending->parser;
    if (pending->bulk || parser->bulk_length < RESP_LARGE_BULK_BYTES)
        return;
    size_t wanted = (size_t)parser->bulk_length;
    struct blob *blob = blob_try_create(wanted + 2);
    if (blob == NULL)
        return; /* the buffer will have to do, as far as it can grow */
    size_t start = pending->consumed + parser->position;
    size_t have = pending->buffer.length > start ? pending->buffer.length - start : 0;
    CHECK(have <= wanted + 2);
    memcpy(blob->data, pending->buffer.data + start, have);
    blob->length_bytes = have;
    pending->buffer.length -= have;
    pending->bulk = blob;
    pending->bulk_bytes += wanted;
}

static void pending_finish_bulk(struct pending *pending)
{
    struct blob *blob = pending->bulk;
    struct resp_parser *parser = &pending->parser;
    blob->length_bytes = (size_t)parser->bulk_length;
    struct pending_bulk *bulks = realloc(pending->bulks, (pending->bulk_count + 1) * sizeof(*bulks));
    CHECK(bulks != NULL);
    pending->bulks = bulks;
    bulks[pending->bulk_count++] = (struct pending_bulk){parser->count, blob};
    pending->bulk = NULL;
    resp_parser_bulk_elsewhere(parser);
}

static void connection_check_query_limit(struct connection *connection)
{
    const struct pending *pending = connection->pending;
    struct worker *worker = connection->worker;
    if (pending == NULL || worker->limits.query_max_bytes <= 0 ||
        (int64_t)(pending->buffer.length - pending->consumed + pending->bulk_bytes) <=
            worker->limits.query_max_bytes)
        return;
    worker->stats.query_limit_disconnections++;
    connection_close(connection, false);
}

void connection_parse_pending(struct connection *connection)
{
    struct pending *pending = connection->pending;
    if (pending == NULL || pending->bulk || (connection->flags & CONNECTION_HELD) ||
        !connection_takes_input(connection))
        return;
    pending->consumed +=
        connection_parse(connection, &pending->parser, pending->buffer.data + pending->consumed,
                         pending->buffer.length - pending->consumed);
    pending_start_bulk(pending);
    connection_check_query_limit(connection);
}

/* Keeps what the arena holds of an incomplete request, with the parser's state. */
static void connection_keep(struct connection *connection, const char *data, size_t length)
{
    struct worker *worker = connection->worker;
    struct pending *pending = pending_create();
    connection->pending = pending;
    buffer_append(&pending->buffer, data, length);
    struct resp_parser parser = pending->parser;
    pending->parser = worker->parser;
    worker->parser = parser;
    pending_start_bulk(pending);
    connection_check_query_limit(connection);
}

/* ---- reading ---- */

static ssize_t connection_receive(struct connection *connection, void *into, size_t room)
{
    struct worker *worker = connection->worker;
    ssize_t got;
    do
        got = recv(connection->fd, into, room, 0);
    while (got < 0 && errno == EINTR);
    worker->stats.reads++;
    if (got > 0)
        worker->stats.input_bytes += (uint64_t)got;
    else if (got == 0 || errno != EAGAIN)
        connection_close(connection, false);
    return got;
}

static void connection_read_fresh(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (NET_ARENA_BYTES - worker->arena_used < NET_READ_MIN_BYTES) {
        worker_run(worker);
        if (connection->flags & (CONNECTION_DEAD | CONNECTION_CLOSED))
            return;
        worker_touch(worker, connection);
    }
    size_t room = NET_ARENA_BYTES - worker->arena_used;
    char *data = worker->arena + worker->arena_used;
    ssize_t got = connection_receive(connection, data, room < NET_READ_BYTES ? room : NET_READ_BYTES);
    if (got <= 0)
        return;
    size_t length = (size_t)got;
    worker->arena_used += (length + 7) & ~(size_t)7;
    if (worker->arena_used > NET_ARENA_BYTES)
        worker->arena_used = NET_ARENA_BYTES;
    if (connection->flags & CONNECTION_HELD) {
        connection->pending = pending_create();
        buffer_append(&connection->pending->buffer, data, length);
        connection_check_query_limit(connection);
        return;
    }
    size_t used = connection_parse(connection, &worker->parser, data, length);
    if (used < length)
        connection_keep(connection, data + used, length - used);
}

static void connection_read_bulk(struct connection *connection)
{
    struct pending *pending = connection->pending;
    struct blob *blob = pending->bulk;
    size_t wanted = (size_t)pending->parser.bulk_length + 2 - blob->length_bytes;
    if (wanted) {
        ssize_t got = connection_receive(connection, blob->data + blob->length_bytes,
                                         wanted < NET_BULK_READ_BYTES ? wanted : NET_BULK_READ_BYTES);
        if (got <= 0)
            return;
        blob->length_bytes += (size_t)got;
        wanted -= (size_t)got;
    }
    if (wanted == 0) {
        pending_finish_bulk(pending);
        connection_parse_pending(connection);
    }
}

static void connection_read_pending(struct connection *connection)
{
    struct pending *pending = connection->pending;
    if (pending->bulk) {
        connection_read_bulk(connection);
        return;
    }
    char *into = buffer_reserve(&pending->buffer, NET_READ_BYTES);
    ssize_t got = connection_receive(connection, into, NET_READ_BYTES);
    if (got <= 0)
        return;
    pending->buffer.length += (size_t)got;
    connection_parse_pending(connection);
    connection_check_query_limit(connection);
}

static void connection_on_poll(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = (struct connection *)(void *)poll;
    CHECK(connection->magic == CONNECTION_MAGIC);
    if (connection->flags & (CONNECTION_DEAD | CONNECTION_CLOSED))
        return;
    worker_touch(connection->worker, connection);
    if (status < 0) {
        connection_close(connection, false);
        return;
    }
    if (events & UV_WRITABLE) {
        output_flush(connection);
        output_check_limit(connection);
        if (connection->output == NULL && (connection->flags & CONNECTION_CLOSING))
            connection_close(connection, false);
        connection_watch(connection);
    }
    if (!(events & UV_READABLE) || !connection_takes_input(connection))
        return;
    if (connection->pending && connection->pending->consumed) {
        /* Requests of this batch lie in the buffer that is about to grow. */
        worker_run(connection->worker);
        if ((connection->flags & (CONNECTION_DEAD | CONNECTION_CLOSED)) ||
            !connection_takes_input(connection))
            return;
        worker_touch(connection->worker, connection);
    }
    if (connection->pending)
        connection_read_pending(connection);
    else
        connection_read_fresh(connection);
    if (connection->worker->batch.count >= NET_BATCH_REQUESTS)
        worker_run(connection->worker);
}

/* Watches for what the connection can go on with. */
void connection_watch(struct connection *connection)
{
    if (connection->flags & CONNECTION_CLOSED)
        return;
    uint64_t queued = connection->output ? connection->output->bytes : 0;
    if (queued > NET_OUTPUT_HOLD_BYTES)
        connection->flags |= CONNECTION_OUTPUT_FULL;
    else if (queued < NET_OUTPUT_HOLD_BYTES / 2)
        connection->flags &= (uint16_t)~CONNECTION_OUTPUT_FULL;
    int events = (connection_takes_input(connection) ? UV_READABLE : 0) | (queued ? UV_WRITABLE : 0);
    if (events == connection->polled)
        return;
    connection->polled = (uint8_t)events;
    if (events)
        uv_poll_start(&connection->poll, events, connection_on_poll);
    else
        uv_poll_stop(&connection->poll);
}

/* After the batch ran: drops consumed input, closes what is to be closed. */
void connection_settle(struct connection *connection)
{
    if ((connection->flags & CONNECTION_CLOSING) && connection->output == NULL)
        connection->flags |= CONNECTION_DEAD;
    if (connection->flags & CONNECTION_DEAD) {
        connection_destroy(connection);
        return;
    }
    if ((connection->flags & (CONNECTION_MORE | CONNECTION_HELD)) == CONNECTION_MORE)
        worker_revisit(connection->worker, connection);
    struct pending *pending = connection->pending;
    if (pending == NULL)
        return;
    if (pending->consumed) {
        buffer_consume(&pending->buffer, pending->consumed);
        pending->consumed = 0;
    }
    if (pending->buffer.length == 0 && pending->bulk == NULL && pending->bulk_count == 0) {
        pending_free(pending);
        connection->pending = NULL;
    }
}

/* ---- deferred requests ---- */

struct deferred *deferred_copy(const struct request *request)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < request->argc; i++)
        bytes += request->blobs && request->blobs[i] ? 0 : request->argv[i].length;
    struct deferred *deferred = malloc(sizeof(*deferred) + request->argc * sizeof(struct slice) + bytes);
    CHECK(deferred != NULL);
    deferred->next = NULL;
    deferred->argc = request->argc;
    deferred->blobs = request->blobs;
    char *at = (char *)(deferred->argv + request->argc);
    for (uint32_t i = 0; i < request->argc; i++) {
        deferred->argv[i] = request->argv[i];
        if (request->blobs && request->blobs[i])
            continue;
        memcpy(at, request->argv[i].data, request->argv[i].length);
        deferred->argv[i].data = at;
        at += request->argv[i].length;
    }
    return deferred;
}

void deferred_free(struct deferred *deferred)
{
    for (uint32_t i = 0; deferred->blobs && i < deferred->argc; i++) {
        if (deferred->blobs[i])
            blob_release(deferred->blobs[i]);
    }
    free(deferred->blobs);
    free(deferred);
}

/* ---- lifetime ---- */

struct connection *connection_open(struct worker *worker, int fd, unsigned flags)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    connection->magic = CONNECTION_MAGIC;
    connection->fd = fd;
    connection->worker = worker;
    connection->flags = (uint16_t)flags;
    if (uv_poll_init(worker->loop, &connection->poll, fd) != 0) {
        close(fd);
        free(connection);
        return NULL;
    }
    links_append(&worker->connections, &connection->links);
    worker->stats.connections++;
    connection->session = worker->handlers.opened(worker->handlers.context, connection);
    connection_watch(connection);
    return connection;
}

static void connection_on_closed(uv_handle_t *handle)
{
    free((struct connection *)(void *)handle);
}

void connection_destroy(struct connection *connection)
{
    if (connection->flags & CONNECTION_CLOSED)
        return;
    struct worker *worker = connection->worker;
    connection->flags |= CONNECTION_CLOSED | CONNECTION_DEAD;
    worker->handlers.closed(worker->handlers.context, connection->session);
    for (size_t i = 0; i < worker->resumed_count; i++) {
        if (worker->resumed[i] == connection)
            worker->resumed[i] = NULL;
    }
    pending_free(connection->pending);
    connection->pending = NULL;
    connection_drop_pushes(connection);
    output_free(connection);
    while (connection->deferred) {
        struct deferred *next = connection->deferred->next;
        deferred_free(connection->deferred);
        connection->deferred = next;
    }
    links_remove(&connection->links);
    worker->stats.connections--;
    uv_close((uv_handle_t *)&connection->poll, connection_on_closed);
    close(connection->fd);
}

void connection_close(struct connection *connection, bool flush)
{
    connection->flags |= flush ? CONNECTION_CLOSING : CONNECTION_DEAD;
    worker_touch(connection->worker, connection);
}

void connection_set_trusted(struct connection *connection, bool trusted)
{
    if (trusted)
        connection->flags |= CONNECTION_TRUSTED;
    else
        connection->flags &= (uint16_t)~CONNECTION_TRUSTED;
}

void connection_set_class(struct connection *connection, enum net_client_class client_class)
{
    if (client_class == NET_CLIENT_PUBSUB)
        connection->flags |= CONNECTION_PUBSUB;
    else
        connection->flags &= (uint16_t)~CONNECTION_PUBSUB;
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
    if (connection->flags & CONNECTION_UNIX) {
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

uint64_t connection_memory_bytes(const struct connection *connection)
{
    uint64_t bytes = sizeof(*connection);
    if (connection->pending)
        bytes += sizeof(*connection->pending) + connection->pending->buffer.capacity +
                 connection->pending->bulk_bytes;
    if (connection->output)
        bytes += sizeof(*connection->output) + connection->output->bytes;
    return bytes;
}

void connection_describe_kind(const struct connection *connection, struct connection_facts *facts)
{
    facts->is_unix = connection->flags & CONNECTION_UNIX;
    facts->is_loopback = connection->flags & CONNECTION_LOOPBACK;
}

void connection_describe(const struct connection *connection, struct connection_facts *facts)
{
    *facts = (struct connection_facts){.fd = connection->fd,
                                       .is_unix = connection->flags & CONNECTION_UNIX,
                                       .is_loopback = connection->flags & CONNECTION_LOOPBACK,
                                       .memory_bytes = connection_memory_bytes(connection)};
    address_format(connection, true, facts->peer, sizeof(facts->peer));
    address_format(connection, false, facts->local, sizeof(facts->local));
    if (connection->pending) {
        facts->query_bytes = connection->pending->buffer.length + connection->pending->bulk_bytes;
        facts->query_free_bytes = connection->pending->buffer.capacity - connection->pending->buffer.length;
    }
    if (connection->output) {
        facts->output_bytes = connection->output->bytes;
        facts->output_blocks = connection->output->count;
    }
}

uint64_t worker_connection_bytes(const struct worker *worker)
{
    uint64_t bytes = 0;
    for (struct links *at = worker->connections.next; at != &worker->connections; at = at->next)
        bytes += connection_memory_bytes(links_container(at, struct connection, links));
    return bytes;
}
