/*
 * Sending: straight from a parcel as far as the socket takes it, the rest queued with the connection. Runs on
 * the thread of the connection's worker.
 */
#include "net/private.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- bounds ---- */

void output_check_limit(struct connection *connection)
{
    enum net_client_class client_class =
        connection->flags & CONNECTION_PUBSUB ? NET_CLIENT_PUBSUB : NET_CLIENT_NORMAL;
    const struct net_output_limit *limit = &connection->worker->limits.output[client_class];
    struct output *output = connection->output;
    if (output == NULL || (connection->flags & CONNECTION_ENDED))
        return;
    bool over = limit->hard_bytes && output->bytes > limit->hard_bytes;
    if (limit->soft_bytes && output->bytes > limit->soft_bytes) {
        uint64_t now_ms = uv_now(connection->worker->loop);
        if (output->soft_since_ms == 0)
            output->soft_since_ms = now_ms;
        over |= now_ms - output->soft_since_ms > (uint64_t)limit->soft_s * 1000;
    } else {
        output->soft_since_ms = 0;
    }
    if (!over)
        return;
    counter_add(&connection->worker->counters.output_limit_disconnections, 1);
    connection_end(connection, GONE_OUTPUT_LIMIT);
}

/* While all together leave less than the budget, each of those that leave something may leave its share of
 * it; else next to nothing. */
uint64_t output_allowance_bytes(const struct net *net, const struct net_limits *limits)
{
    uint64_t unread_bytes = 0, clients = 0;
    for (int i = 0; i < net->worker_count; i++) {
        unread_bytes += counter_read(&net->workers[i].counters.unread_bytes);
        clients += counter_read(&net->workers[i].counters.unread_clients);
    }
    if (limits->unread_total_bytes && unread_bytes >= limits->unread_total_bytes)
        return NET_UNREAD_MIN_BYTES;
    uint64_t share = limits->unread_total_bytes ? limits->unread_total_bytes / (clients + 1) : UINT64_MAX;
    uint64_t most = limits->unread_client_bytes ? limits->unread_client_bytes : UINT64_MAX;
    uint64_t allowance = share < most ? share : most;
    return allowance > NET_UNREAD_MIN_BYTES ? allowance : NET_UNREAD_MIN_BYTES;
}

/* ---- the queue of a connection ---- */

/* Tells the counters how the queue has changed. */
static void output_note(struct connection *connection, int64_t bytes)
{
    struct worker_counters *counters = &connection->worker->counters;
    const struct output *output = connection->output;
    counter_add(&counters->unread_bytes, (uint64_t)bytes);
    counter_add(&counters->buffer_bytes, (uint64_t)bytes);
    atomic_store_explicit(&connection->gauges.output_bytes, output->bytes, memory_order_relaxed);
    uint32_t blocks = output->count < UINT32_MAX ? (uint32_t)output->count : UINT32_MAX;
    atomic_store_explicit(&connection->gauges.output_blocks, blocks, memory_order_relaxed);
}

static void output_push(struct connection *connection, struct output_chunk *chunk)
{
    if (connection->output == NULL) {
        connection->output = calloc(1, sizeof(*connection->output));
        CHECK(connection->output != NULL);
        links_init(&connection->output->chunks);
        counter_add(&connection->worker->counters.unread_clients, 1);
    }
    struct output *output = connection->output;
    links_append(&output->chunks, &chunk->links);
    output->bytes += chunk->length - chunk->sent;
    output->count++;
    output_note(connection, (int64_t)(chunk->length - chunk->sent));
}

static struct output_chunk *output_chunk_create(size_t room)
{
    struct output_chunk *chunk = malloc(sizeof(*chunk) + room);
    CHECK(chunk != NULL);
    memset(chunk, 0, sizeof(*chunk));
    return chunk;
}

/* Queues a piece from sent on. A queue must not hold a large block for a few bytes of it: those are copied.
 */
static void output_queue_piece(struct connection *connection, const struct output_piece *piece, size_t sent)
{
    bool copy = piece->release.release == NULL || piece->is_part;
    size_t length = piece->length - sent;
    struct output_chunk *chunk = output_chunk_create(copy ? length : 0);
    if (copy) {
        memcpy(chunk->bytes, piece->data + sent, length);
        worker_release(connection->worker, piece->release);
        chunk->data = chunk->bytes;
        chunk->length = length;
    } else {
        chunk->data = piece->data;
        chunk->length = piece->length;
        chunk->sent = sent;
        chunk->release = piece->release;
    }
    output_push(connection, chunk);
}

static void output_pop(struct connection *connection, struct output_chunk *chunk)
{
    struct output *output = connection->output;
    links_remove(&chunk->links);
    output->bytes -= chunk->length - chunk->sent;
    output->count--;
    worker_release(connection->worker, chunk->release);
    free(chunk);
}

void output_free(struct connection *connection)
{
    struct output *output = connection->output;
    if (output == NULL)
        return;
    int64_t bytes = (int64_t)output->bytes;
    while (!links_is_empty(&output->chunks))
        output_pop(connection, links_container(output->chunks.next, struct output_chunk, links));
    output_note(connection, -bytes);
    free(output);
    connection->output = NULL;
    counter_add(&connection->worker->counters.unread_clients, (uint64_t)-1);
}

/* ---- sending ---- */

/* What sockets take of long replies is copied by the system, which must not keep others waiting: a turn has a
 * slice for those that go out as they are written, and another for queues. */
static bool output_is_over_share(const struct worker *worker, enum output_share share, size_t bytes)
{
    return bytes >= NET_LONG_OUTPUT_BYTES && worker->sending_cycles[share] > worker->net->slice_cycles;
}

/* Makes a vector no longer than most; returns its length. */
static size_t vector_take(struct iovec *vector, size_t most)
{
    if (vector->iov_len > most)
        vector->iov_len = most;
    return vector->iov_len;
}

/* Returns bytes that the socket took of those offered; ends the connection when it broke. */
static size_t output_send_vectors(struct connection *connection, struct iovec *vectors, size_t count,
                                  size_t offered, enum output_share share)
{
    struct worker *worker = connection->worker;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    uint64_t start_cycles = offered >= NET_LONG_OUTPUT_BYTES ? clock_cycles() : 0;
    ssize_t sent;
    do
        sent = count == 1 ? send(connection->fd, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL)
                          : sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (start_cycles)
        worker->sending_cycles[share] += clock_cycles() - start_cycles;
    counter_add(&worker->counters.writes, 1);
    if (sent >= 0) {
        counter_add(&worker->counters.output_bytes, (uint64_t)sent);
        return (size_t)sent;
    }
    if (errno != EAGAIN)
        connection_end(connection, GONE_CLOSED);
    return 0;
}

/* Takes bytes that were sent off the front of the queue. */
static void output_advance(struct connection *connection, size_t sent)
{
    struct output *output = connection->output;
    int64_t before = (int64_t)output->bytes;
    while (sent) {
        struct output_chunk *chunk = links_container(output->chunks.next, struct output_chunk, links);
        size_t left = chunk->length - chunk->sent;
        size_t taken = sent < left ? sent : left;
        chunk->sent += taken;
        output->bytes -= taken;
        sent -= taken;
        if (chunk->sent == chunk->length)
            output_pop(connection, chunk);
    }
    output_note(connection, (int64_t)output->bytes - before);
}

/* Sends from the front of the queue, as much as one system call may. Returns false when the socket took less,
 * or broke. */
static bool output_send_front(struct connection *connection)
{
    struct output *output = connection->output;
    struct iovec vectors[OUTPUT_VECTORS];
    size_t count = 0, offered = 0;
    for (struct links *at = output->chunks.next;
         at != &output->chunks && count < OUTPUT_VECTORS && offered < NET_SEND_BYTES; at = at->next) {
        struct output_chunk *chunk = links_container(at, struct output_chunk, links);
        vectors[count] = (struct iovec){(char *)chunk->data + chunk->sent, chunk->length - chunk->sent};
        offered += vector_take(&vectors[count++], NET_SEND_BYTES - offered);
    }
    size_t sent = output_send_vectors(connection, vectors, count, offered, OUTPUT_QUEUED);
    if (connection->output == NULL)
        return false;
    output_advance(connection, sent);
    return sent == offered;
}

void output_flush(struct connection *connection, bool at_end)
{
    const struct worker *worker = connection->worker;
    while (connection->output && connection->output->count && !(connection->flags & CONNECTION_ENDED)) {
        if (!at_end && output_is_over_share(worker, OUTPUT_QUEUED, connection->output->bytes))
            return;
        if (!output_send_front(connection))
            return;
    }
    if (connection->output && connection->output->count == 0)
        output_free(connection);
}

/* Sends what may go out at once. Returns the bytes that the socket took. */
static size_t output_send_fresh(struct connection *connection, const struct output_piece *pieces,
                                size_t count)
{
    struct iovec vectors[OUTPUT_VECTORS];
    size_t offered = 0, used = 0;
    while (used < count && offered < NET_SEND_BYTES) {
        vectors[used] = (struct iovec){(char *)pieces[used].data, pieces[used].length};
        offered += vector_take(&vectors[used++], NET_SEND_BYTES - offered);
    }
    if (output_is_over_share(connection->worker, OUTPUT_FRESH, offered))
        return 0;
    return output_send_vectors(connection, vectors, used, offered, OUTPUT_FRESH);
}

void output_send_pieces(struct connection *connection, const struct output_piece *pieces, size_t count)
{
    size_t sent = 0;
    if (!(connection->flags & CONNECTION_ENDED) && connection->output == NULL)
        sent = output_send_fresh(connection, pieces, count);
    bool queued = false;
    for (size_t i = 0; i < count; i++) {
        size_t done = sent < pieces[i].length ? sent : pieces[i].length;
        sent -= done;
        if (done < pieces[i].length && !(connection->flags & CONNECTION_ENDED)) {
            output_queue_piece(connection, &pieces[i], done);
            queued = true;
        } else {
            worker_release(connection->worker, pieces[i].release);
        }
    }
    if (!queued)
        return;
    output_check_limit(connection);
    connection_watch(connection);
}
