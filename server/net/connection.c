/*
 * A client's socket: reading, parsing into the worker's batch, ending. See worker.h for who owns which bytes.
 * Runs on the thread of the connection's worker, but for connection_create.
 */
#include "net/private.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool connection_takes_input(const struct connection *connection)
{
    return !(connection->flags &
             (CONNECTION_ENDED | CONNECTION_DEAF | CONNECTION_LAST | CONNECTION_FULL | CONNECTION_PAUSED));
}

bool connection_may_parse(const struct connection *connection)
{
    return !(connection->flags & (CONNECTION_ENDED | CONNECTION_DEAF | CONNECTION_FULL | CONNECTION_PAUSED |
                                  CONNECTION_HELD | CONNECTION_YIELDED | CONNECTION_WAITING));
}

static struct resp_limits connection_limits(const struct connection *connection)
{
    return (struct resp_limits){.bulk_max_bytes = connection->worker->limits.bulk_max_bytes,
                                .stranger = !(connection->flags & CONNECTION_TRUSTED)};
}

/* ---- incomplete requests ---- */

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

/* Tells the gauges what the connection keeps, and ends it when that is too much. */
static void connection_note_query(struct connection *connection)
{
    const struct pending *pending = connection->pending;
    struct connection_gauges *gauges = &connection->gauges;
    struct worker *worker = connection->worker;
    uint64_t before = counter_read(&gauges->query_bytes) + gauge_read(&gauges->query_free_bytes);
    uint64_t used = pending ? pending->buffer.length + pending->bulk_bytes : 0;
    uint64_t room = pending ? pending->buffer.capacity - pending->buffer.length : 0;
    if (room > UINT32_MAX)
        room = UINT32_MAX;
    atomic_store_explicit(&gauges->query_bytes, used, memory_order_relaxed);
    atomic_store_explicit(&gauges->query_free_bytes, (uint32_t)room, memory_order_relaxed);
    counter_add(&worker->counters.buffer_bytes, used + room - before);
    if (worker->limits.query_max_bytes <= 0 || (int64_t)used <= worker->limits.query_max_bytes)
        return;
    counter_add(&worker->counters.query_limit_disconnections, 1);
    connection_end(connection, GONE_QUERY_LIMIT);
}

static void connection_drop_pending(struct connection *connection)
{
    connection->flags &= ~(uint32_t)CONNECTION_UNPARSED;
    if (connection->pending == NULL)
        return;
    pending_free(connection->pending);
    connection->pending = NULL;
    connection_note_query(connection);
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
    size_t start = parser->position;
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

/* ---- requests ---- */

static struct batch_item *connection_add_item(struct connection *connection, uint32_t argc)
{
    struct worker *worker = connection->worker;
    struct batch_item *item = worker_add_item(worker, connection);
    item->request.session = connection->channel.session;
    item->request.argc = argc;
    worker->batch->slice_count += argc;
    return item;
}

static void connection_fail(struct connection *connection, const struct resp_parser *parser)
{
    char *text = malloc(NET_ERROR_TEXT_BYTES);
    CHECK(text != NULL);
    resp_error_text(parser, text, NET_ERROR_TEXT_BYTES);
    struct batch_item *item = connection_add_item(connection, 0);
    item->kind = ITEM_ERROR;
    item->error = text;
    connection->flags |= CONNECTION_DEAF;
}

/* Gives a request the blocks that hold its long arguments. */
static void connection_add_bulks(struct connection *connection, struct batch_item *item, struct slice *slices)
{
    struct pending *pending = connection->pending;
    item->request.blobs = calloc(item->request.argc, sizeof(struct blob *));
    CHECK(item->request.blobs != NULL);
    for (uint32_t i = 0; i < pending->bulk_count; i++) {
        const struct pending_bulk *bulk = &pending->bulks[i];
        slices[bulk->index] = (struct slice){bulk->blob->data, bulk->blob->length_bytes};
        item->request.blobs[bulk->index] = bulk->blob;
    }
    pending->bulk_count = 0;
    pending->bulk_bytes = 0;
}

/* Adds the request that the parser has completed; data is its first byte. */
static struct batch_item *connection_add_parsed(struct connection *connection,
                                                const struct resp_parser *parser, const char *data)
{
    struct worker *worker = connection->worker;
    struct slice *slices = batch_slices(worker->batch, parser->count);
    for (uint32_t i = 0; i < parser->count; i++)
        slices[i] = (struct slice){data + parser->arguments[i].offset, parser->arguments[i].length};
    struct batch_item *item = connection_add_item(connection, parser->count);
    if (connection->pending && connection->pending->bulk_count)
        connection_add_bulks(connection, item, slices);
    return item;
}

/* A request of a stranger may authenticate it: what follows is read under other limits, when it has run. */
static void connection_await(struct connection *connection, struct batch_item *item)
{
    item->is_stranger = true;
    connection->flags |= CONNECTION_WAITING;
}

/* Adds every complete request that starts in data; returns the bytes used. Stops at an incomplete one and
 * leaves its state in parser, at an error, which uses up everything, and behind a stranger's request. */
static size_t connection_parse(struct connection *connection, struct resp_parser *parser, char *data,
                               size_t length)
{
    struct worker *worker = connection->worker;
    struct resp_limits limits = connection_limits(connection);
    struct batch *batch = worker->batch ? worker->batch : worker_take_batch(worker);
    size_t used = 0;
    while (used < length) {
        struct batch_item *item = NULL;
        if (parser->position == 0) {
            uint32_t count = 0;
            size_t taken =
                resp_parse_whole(data + used, length - used, &limits, batch_slices(batch, 16), 16, &count);
            if (taken) {
                used += taken;
                parser->scanned = 0; /* an earlier attempt may have looked at the cut first line */
                if (count == 0)
                    continue;
                item = connection_add_item(connection, count);
                if (__builtin_expect(!limits.stranger, 1))
                    continue;
                connection_await(connection, item);
                return used;
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
        if (parser->count)
            item = connection_add_parsed(connection, parser, data + used);
        used += parser->position;
        resp_parser_reset(parser);
        if (limits.stranger && item) {
            connection_await(connection, item);
            return used;
        }
    }
    return used;
}

/* What connection_parse left over: the rest is not looked at when the connection waits. */
static void connection_note_rest(struct connection *connection)
{
    if (connection->flags & CONNECTION_WAITING)
        connection->flags |= CONNECTION_UNPARSED;
    else
        pending_start_bulk(connection->pending);
    connection_note_query(connection);
}

/* Parses what a connection keeps in its own buffer, which goes to the batch with its requests. */
static void connection_parse_pending(struct connection *connection)
{
    struct pending *pending = connection->pending;
    if (pending == NULL || pending->bulk)
        return;
    connection->flags &= ~(uint32_t)CONNECTION_UNPARSED;
    struct buffer *buffer = &pending->buffer;
    size_t used = connection_parse(connection, &pending->parser, buffer->data, buffer->length);
    if (used) {
        struct buffer tail = {0};
        buffer_append(&tail, buffer->data + used, buffer->length - used);
        batch_keep_buffer(connection->worker->batch, buffer->data);
        *buffer = tail;
    }
    if (buffer->length == 0)
        connection_drop_pending(connection);
    else
        connection_note_rest(connection);
}

/* ---- reading ---- */

/* Tells the main thread that the last request is on its way. */
static void connection_tell_gone(struct connection *connection, enum gone_reason reason)
{
    if (connection->flags & CONNECTION_TOLD)
        return;
    connection->flags |= CONNECTION_TOLD | CONNECTION_DEAF;
    struct batch_item *item = worker_add_item(connection->worker, connection);
    item->kind = ITEM_GONE;
    item->reason = (uint8_t)reason;
}

/* The client has hung up. What it sent before, and may have run, is executed first; but nothing behind a
 * request that is blocked. */
static void connection_hang_up(struct connection *connection)
{
    if (connection->flags & CONNECTION_UNPARSED && !(connection->flags & CONNECTION_HELD))
        connection->flags |= CONNECTION_LAST;
    else
        connection_tell_gone(connection, GONE_CLOSED);
}

static ssize_t connection_receive(struct connection *connection, void *into, size_t room)
{
    struct worker_counters *counters = &connection->worker->counters;
    ssize_t got;
    do
        got = recv(connection->fd, into, room, 0);
    while (got < 0 && errno == EINTR);
    counter_add(&counters->reads, 1);
    if (got > 0)
        counter_add(&counters->input_bytes, (uint64_t)got);
    else if (got == 0) /* it may still wait for replies to what it has sent */
        connection_hang_up(connection);
    else if (errno != EAGAIN)
        connection_end(connection, GONE_CLOSED);
    return got;
}

/* A read that filled the room it was given may have left more behind: the connection comes again, in turn
 * with others like it. */
static void connection_note_appetite(struct connection *connection, size_t got, size_t room)
{
    if (got < room) {
        connection->flags &= ~(uint32_t)CONNECTION_HEAVY;
        return;
    }
    connection->flags |= CONNECTION_HEAVY | CONNECTION_HUNGRY;
    worker_revisit(connection->worker, connection);
}

/* Receives behind what the connection has kept of an incomplete request, both in the arena. */
static size_t connection_read_arena(struct connection *connection)
{
    struct worker *worker = connection->worker;
    struct batch *batch = worker->batch ? worker->batch : worker_take_batch(worker);
    struct pending *pending = connection->pending;
    size_t kept = pending ? pending->buffer.length : 0;
    size_t room = NET_ARENA_BYTES - batch->arena_used - kept;
    size_t most = connection->flags & CONNECTION_HEAVY ? NET_READ_BYTES : NET_READ_FIRST_BYTES;
    if (room > most)
        room = most;
    char *data = batch->arena + batch->arena_used;
    ssize_t got = connection_receive(connection, data + kept, room);
    if (got <= 0)
        return 0;
    if (kept)
        memcpy(data, pending->buffer.data, kept);
    size_t length = kept + (size_t)got;
    size_t used = connection_parse(connection, pending ? &pending->parser : &worker->parser, data, length);
    batch->arena_used += (used + 7) & ~(size_t)7;
    if (used < length) {
        if (pending == NULL) {
            pending = connection->pending = pending_create();
            struct resp_parser parser = pending->parser;
            pending->parser = worker->parser;
            worker->parser = parser;
        }
        pending->buffer.length = 0;
        buffer_append(&pending->buffer, data + used, length - used);
        connection_note_rest(connection);
    } else if (pending) {
        connection_drop_pending(connection);
    }
    connection_note_appetite(connection, (size_t)got, room);
    return (size_t)got;
}

static size_t connection_read_bulk(struct connection *connection)
{
    struct pending *pending = connection->pending;
    struct blob *blob = pending->bulk;
    size_t wanted = (size_t)pending->parser.bulk_length + 2 - blob->length_bytes;
    size_t taken = 0;
    if (wanted) {
        ssize_t got = connection_receive(connection, blob->data + blob->length_bytes,
                                         wanted < NET_BULK_READ_BYTES ? wanted : NET_BULK_READ_BYTES);
        if (got <= 0)
            return 0;
        taken = (size_t)got;
        blob->length_bytes += taken;
        wanted -= taken;
    }
    if (wanted == 0) {
        pending_finish_bulk(pending);
        if (connection_may_parse(connection))
            connection_parse_pending(connection);
        else
            connection->flags |= CONNECTION_UNPARSED;
    }
    return taken;
}

/* Receives into the connection's own buffer: a request that is long, or input that must wait. */
static size_t connection_read_pending(struct connection *connection)
{
    if (connection->pending == NULL)
        connection->pending = pending_create();
    struct pending *pending = connection->pending;
    char *into = buffer_reserve(&pending->buffer, NET_READ_BYTES);
    ssize_t got = connection_receive(connection, into, NET_READ_BYTES);
    if (got > 0)
        pending->buffer.length += (size_t)got;
    if (pending->buffer.length == 0) {
        connection_drop_pending(connection);
        return 0;
    }
    if (got <= 0)
        return 0;
    if (connection_may_parse(connection)) {
        connection_parse_pending(connection);
    } else {
        connection->flags |= CONNECTION_UNPARSED;
        connection_note_query(connection);
    }
    if (connection_may_parse(connection))
        connection_note_appetite(connection, (size_t)got, NET_READ_BYTES);
    return (size_t)got;
}

static bool batch_has_arena(const struct batch *batch)
{
    return batch == NULL || NET_ARENA_BYTES - batch->arena_used >= NET_TAIL_BYTES + NET_READ_FIRST_BYTES;
}

static size_t connection_read(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (!connection_takes_input(connection))
        return 0;
    if (connection->pending && connection->pending->bulk)
        return connection_read_bulk(connection);
    if (!connection_may_parse(connection) || connection->flags & CONNECTION_UNPARSED ||
        (connection->pending && connection->pending->buffer.length > NET_TAIL_BYTES))
        return connection_read_pending(connection);
    if (!batch_has_arena(worker->batch)) {
        worker_hand_over(worker);
        if (!connection_may_parse(connection) || !worker_has_room(worker)) {
            connection->flags |= CONNECTION_HUNGRY;
            worker_revisit(worker, connection);
            return 0;
        }
    }
    return connection_read_arena(connection);
}

size_t connection_go_on(struct connection *connection)
{
    size_t taken = 0;
    if (connection->flags & CONNECTION_ENDED)
        return 0;
    if (connection->flags & CONNECTION_UNPARSED && connection_may_parse(connection)) {
        taken = connection->pending->buffer.length;
        connection_parse_pending(connection);
    }
    if (connection->flags & CONNECTION_HUNGRY) {
        connection->flags &= ~(uint32_t)CONNECTION_HUNGRY;
        taken += connection_read(connection);
    }
    connection_watch(connection);
    return taken;
}

/* Sends what is queued for a connection that was left. */
static void connection_go_on_leaving(struct connection *connection, int status)
{
    if (status >= 0)
        output_flush(connection, false);
    if (status < 0 || connection->output == NULL)
        connection_destroy(connection);
}

static void connection_on_poll(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = (struct connection *)(void *)poll;
    struct worker *worker = connection->worker;
    CHECK(connection->magic == CONNECTION_MAGIC);
    if (connection->flags & CONNECTION_LEFT) {
        connection_go_on_leaving(connection, status);
        return;
    }
    if (connection->flags & CONNECTION_ENDED)
        return;
    if (status < 0) {
        connection_end(connection, GONE_CLOSED);
        return;
    }
    if (events & UV_WRITABLE) {
        output_flush(connection, false);
        output_check_limit(connection);
        if (connection->output == NULL && connection->flags & CONNECTION_CLOSING)
            connection_end(connection, GONE_CLOSED);
        connection_watch(connection);
    }
    if (events & UV_DISCONNECT && !(events & UV_READABLE))
        connection_tell_gone(connection, GONE_CLOSED);
    if (!(events & UV_READABLE) || connection->flags & CONNECTION_HUNGRY)
        return;
    if (!worker_has_room(worker)) {
        connection->flags |= CONNECTION_HUNGRY;
        worker_revisit(worker, connection);
    } else {
        connection_read(connection);
    }
    connection_watch(connection);
    if (worker->batch && worker->batch->count >= NET_BATCH_REQUESTS)
        worker_hand_over(worker);
}

/* Decides whether the connection leaves too much unread to be read from; tells the main thread when what it
 * waits for has come. */
static void connection_weigh_output(struct connection *connection)
{
    uint64_t queued = connection->output ? connection->output->bytes : 0;
    const struct worker *worker = connection->worker;
    uint64_t allowance = queued ? output_allowance_bytes(worker->net, &worker->limits) : UINT64_MAX;
    if (queued > allowance)
        connection->flags |= CONNECTION_FULL;
    else if (queued <= allowance / 2)
        connection->flags &= ~(uint32_t)CONNECTION_FULL;
    if (queued <= allowance / 2 &&
        (connection->flags & (CONNECTION_PAUSED | CONNECTION_TOLD)) == CONNECTION_PAUSED) {
        connection->flags = (connection->flags & ~(uint32_t)CONNECTION_PAUSED) | CONNECTION_YIELDED;
        worker_add_item(connection->worker, connection)->kind = ITEM_DRAINED;
    }
}

/* Watches for what the connection can go on with. */
void connection_watch(struct connection *connection)
{
    if (!(connection->flags & CONNECTION_POLLED))
        return;
    if (connection->output || connection->flags & (CONNECTION_FULL | CONNECTION_PAUSED))
        connection_weigh_output(connection);
    if (connection->flags & CONNECTION_UNPARSED && connection_may_parse(connection))
        worker_revisit(connection->worker, connection);
    if (connection->flags & CONNECTION_LAST)
        connection_hang_up(connection);
    bool reads = connection_takes_input(connection) && !(connection->flags & CONNECTION_HUNGRY);
    bool writes = connection->output != NULL && !(connection->flags & CONNECTION_ENDED);
    /* One that broke the protocol behind a request that is blocked may hang up before it gets the error. */
    bool listens =
        (connection->flags & (CONNECTION_DEAF | CONNECTION_CLOSING | CONNECTION_TOLD)) == CONNECTION_DEAF;
    int events = (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0) | (listens ? UV_DISCONNECT : 0);
    if (events == connection->polled)
        return;
    connection->polled = (uint8_t)events;
    if (events)
        uv_poll_start(&connection->poll, events, connection_on_poll);
    else
        uv_poll_stop(&connection->poll);
}

/* ---- lifetime ---- */

/* Main thread: the worker takes the connection over with ORDER_ADOPT. */
struct connection *connection_create(struct worker *worker, int fd, unsigned origin)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    connection->magic = CONNECTION_MAGIC;
    connection->fd = fd;
    connection->worker = worker;
    connection->origin = (uint8_t)origin;
    links_init(&connection->links);
    links_init(&connection->again);
    channel_init(&connection->channel);
    return connection;
}

void connection_adopt(struct connection *connection)
{
    struct worker *worker = connection->worker;
    links_append(&worker->connections, &connection->links);
    counter_add(&worker->counters.connections, 1);
    if (uv_poll_init(worker->loop, &connection->poll, connection->fd) != 0) {
        connection_end(connection, GONE_CLOSED);
        return;
    }
    connection->flags |= CONNECTION_POLLED;
}

void connection_end(struct connection *connection, enum gone_reason reason)
{
    if (connection->flags & CONNECTION_ENDED)
        return;
    connection->flags |= CONNECTION_ENDED;
    output_free(connection);
    connection_watch(connection);
    connection_tell_gone(connection, reason);
}

static void connection_on_closed(uv_handle_t *handle)
{
    free((struct connection *)(void *)handle);
}

void connection_destroy(struct connection *connection)
{
    struct worker *worker = connection->worker;
    connection->flags |= CONNECTION_ENDED;
    connection_drop_pending(connection);
    output_free(connection);
    links_remove(&connection->again);
    links_remove(&connection->links);
    counter_add(&worker->counters.connections, (uint64_t)-1);
    if (connection->polled)
        uv_poll_stop(&connection->poll);
    worker_close_socket(worker, connection);
}

void connection_leave(struct connection *connection)
{
    if (connection->output == NULL) {
        connection_destroy(connection);
        return;
    }
    connection->flags |= CONNECTION_LEFT;
    connection->output->left_bytes = connection->output->bytes;
    connection->output->left_since_ms = uv_now(connection->worker->loop);
    connection_watch(connection);
}

void connection_check_left(struct connection *connection)
{
    struct output *output = connection->output;
    uint64_t now_ms = uv_now(connection->worker->loop);
    if (output->bytes < output->left_bytes) {
        output->left_bytes = output->bytes;
        output->left_since_ms = now_ms;
    } else if (now_ms - output->left_since_ms > NET_LEFT_MS) {
        connection_destroy(connection);
    }
}

void connection_close(struct connection *connection)
{
    if (connection->flags & CONNECTION_POLLED)
        uv_close((uv_handle_t *)&connection->poll, connection_on_closed);
    close(connection->fd);
    if (!(connection->flags & CONNECTION_POLLED))
        free(connection);
}
