/*
 * Bytes that connections are sent outside their replies: messages of channels, replies of clients that were
 * blocked. They are collected over a turn, so that a connection gets all of its messages with one system
 * call, and refer to blocks that many connections share.
 *
 * A connection's pushes are a chain through the worker's array, which is emptied as a whole. Runs on the
 * thread of the connection's worker.
 */
#include "worker.h"

#include "base/prefetch.h"

#include <string.h>

enum { PREFETCH_DISTANCE = 4 };

static bool push_continues(const struct push *push, const struct blob *blob, const char *data)
{
    return push->blob == blob && push->data + push->length == data;
}

static void push_add(struct connection *connection, struct blob *blob, const char *data, size_t length)
{
    struct worker *worker = connection->worker;
    if (worker->push_count == worker->push_capacity)
        worker->pushes = array_grow(worker->pushes, &worker->push_capacity, worker->push_count + 1,
                                    sizeof(*worker->pushes));
    worker->pushes[worker->push_count++] =
        (struct push){.connection = connection, .blob = blob_retain(blob), .data = data, .length = length};
    uint32_t number = (uint32_t)worker->push_count;
    if (connection->last_push)
        worker->pushes[connection->last_push - 1].next = number;
    else
        connection->first_push = number;
    connection->last_push = number;
}

void connection_send_shared(struct connection *connection, struct blob *blob, size_t offset, size_t length)
{
    if (length == 0 || connection->flags & (CONNECTION_DEAD | CONNECTION_CLOSING))
        return;
    struct worker *worker = connection->worker;
    const char *data = blob->data + offset;
    worker->push_bytes += length;
    if (connection->last_push && push_continues(&worker->pushes[connection->last_push - 1], blob, data))
        worker->pushes[connection->last_push - 1].length += length;
    else
        push_add(connection, blob, data, length);
}

void connection_send(struct connection *connection, const char *data, size_t length)
{
    if (length == 0 || connection->flags & (CONNECTION_DEAD | CONNECTION_CLOSING))
        return;
    struct blob *blob = blob_create(length);
    memcpy(blob->data, data, length);
    blob->length_bytes = length;
    connection_send_shared(connection, blob, 0, length);
    blob_release(blob);
}

/* Takes a connection's next push out of its chain. */
static struct output_piece push_take(struct connection *connection)
{
    struct push *push = &connection->worker->pushes[connection->first_push - 1];
    connection->first_push = push->next;
    if (push->next == 0)
        connection->last_push = 0;
    push->connection = NULL;
    return (struct output_piece){.data = push->data, .length = push->length, .blob = push->blob};
}

void connection_send_pushes(struct connection *connection)
{
    while (connection->first_push) {
        struct output_piece pieces[OUTPUT_VECTORS];
        size_t count = 0;
        while (connection->first_push && count < OUTPUT_VECTORS)
            pieces[count++] = push_take(connection);
        output_send_pieces(connection, pieces, count);
    }
}

void connection_drop_pushes(struct connection *connection)
{
    while (connection->first_push)
        blob_release(push_take(connection).blob);
}

static void worker_on_pause_over(uv_timer_t *pause)
{
    struct worker *worker = pause->data;
    if (worker->push_count && worker->batch.count == 0)
        worker_run(worker);
}

void worker_send_due_pushes(struct worker *worker)
{
    if (worker->push_count == 0 || uv_is_active((uv_handle_t *)&worker->pause))
        return;
    uint64_t start_ns = uv_hrtime();
    worker_send_pushes(worker);
    uint64_t spent_ms = (uv_hrtime() - start_ns) / 1000000;
    if (spent_ms < NET_PUSH_LONG_MS)
        return;
    uint64_t pause_ms = spent_ms / 2 < NET_PUSH_PAUSE_MAX_MS ? spent_ms / 2 : NET_PUSH_PAUSE_MAX_MS;
    uv_update_time(worker->loop);
    uv_timer_start(&worker->pause, worker_on_pause_over, pause_ms, 0);
}

void worker_send_pushes(struct worker *worker)
{
    for (size_t i = 0; i < worker->push_count; i++) {
        if (i + PREFETCH_DISTANCE < worker->push_count && worker->pushes[i + PREFETCH_DISTANCE].connection)
            prefetch(worker->pushes[i + PREFETCH_DISTANCE].connection);
        struct connection *connection = worker->pushes[i].connection;
        if (connection)
            connection_send_pushes(connection);
    }
    worker->push_count = 0;
    worker->push_bytes = 0;
}
