/*
 * Sending replies: straight from the output arena as far as the socket takes them, the rest queued with the
 * connection. Runs on the thread of the connection's worker.
 */
#include "worker.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- the queue of a connection ---- */

void output_check_limit(struct connection *connection)
{
    enum net_client_class client_class =
        connection->flags & CONNECTION_PUBSUB ? NET_CLIENT_PUBSUB : NET_CLIENT_NORMAL;
    const struct net_output_limit *limit = &connection->worker->limits.output[client_class];
    struct output *output = connection->output;
    if (output == NULL || (connection->flags & CONNECTION_DEAD))
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
    log_warning("A client is closed: it left %llu bytes of replies unread, more than "
                "client-output-buffer-limit allows",
                (unsigned long long)output->bytes);
    connection->worker->stats.output_limit_disconnections++;
    connection_close(connection, false);
}

static void output_push(struct connection *connection, struct output_chunk *chunk)
{
    if (connection->output == NULL) {
        connection->output = calloc(1, sizeof(*connection->output));
        CHECK(connection->output != NULL);
        links_init(&connection->output->chunks);
    }
    links_append(&connection->output->chunks, &chunk->links);
    connection->output->bytes += chunk->length - chunk->sent;
    connection->output->count++;
    output_check_limit(connection);
    connection_watch(connection);
}

static struct output_chunk *output_chunk_create(size_t room)
{
    struct output_chunk *chunk = malloc(sizeof(*chunk) + room);
    CHECK(chunk != NULL);
    memset(chunk, 0, sizeof(*chunk));
    return chunk;
}

static void output_push_copy(struct connection *connection, const char *data, size_t length)
{
    if (length == 0)
        return;
    struct output_chunk *chunk = output_chunk_create(length);
    memcpy(chunk->bytes, data, length);
    chunk->data = chunk->bytes;
    chunk->length = length;
    output_push(connection, chunk);
}

static void output_push_segment(struct connection *connection, const struct reply_segment *segment,
                                size_t sent)
{
    struct output_chunk *chunk = output_chunk_create(0);
    chunk->data = segment->data;
    chunk->length = segment->length;
    chunk->sent = sent;
    chunk->owner = segment->owner;
    chunk->release = segment->release;
    output_push(connection, chunk);
}

static void output_pop(struct output *output, struct output_chunk *chunk)
{
    links_remove(&chunk->links);
    output->bytes -= chunk->length - chunk->sent;
    output->count--;
    if (chunk->release)
        chunk->release(chunk->owner);
    free(chunk);
}

void output_free(struct connection *connection)
{
    struct output *output = connection->output;
    if (output == NULL)
        return;
    while (!links_is_empty(&output->chunks))
        output_pop(output, links_container(output->chunks.next, struct output_chunk, links));
    free(output);
    connection->output = NULL;
}

/* ---- sending ---- */

/* Returns bytes that the socket took; marks the connection dead when it broke. */
static size_t output_send_vectors(struct connection *connection, struct iovec *vectors, size_t count)
{
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
    ssize_t sent;
    do
        sent = count == 1 ? send(connection->fd, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL)
                          : sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    connection->worker->stats.writes++;
    if (sent >= 0) {
        connection->worker->stats.output_bytes += (uint64_t)sent;
        return (size_t)sent;
    }
    if (errno != EAGAIN)
        connection_close(connection, false);
    return 0;
}

void output_flush(struct connection *connection)
{
    struct output *output = connection->output;
    while (output && output->count && !(connection->flags & CONNECTION_DEAD)) {
        struct iovec vectors[OUTPUT_VECTORS];
        size_t count = 0, offered = 0;
        for (struct links *at = output->chunks.next; at != &output->chunks && count < OUTPUT_VECTORS;
             at = at->next) {
            struct output_chunk *chunk = links_container(at, struct output_chunk, links);
            vectors[count++] = (struct iovec){(char *)chunk->data + chunk->sent, chunk->length - chunk->sent};
            offered += chunk->length - chunk->sent;
        }
        size_t sent = output_send_vectors(connection, vectors, count);
        bool blocked = sent < offered;
        while (sent) {
            struct output_chunk *chunk = links_container(output->chunks.next, struct output_chunk, links);
            size_t left = chunk->length - chunk->sent;
            size_t taken = sent < left ? sent : left;
            chunk->sent += taken;
            output->bytes -= taken;
            sent -= taken;
            if (chunk->sent == chunk->length)
                output_pop(output, chunk);
        }
        if (blocked)
            break;
    }
    if (output && output->count == 0)
        output_free(connection);
}

static void output_release_blob(void *owner)
{
    blob_release(owner);
}

/* A queue must not hold a large block for a few bytes of it: those are copied. */
static void output_queue_shared(struct connection *connection, const struct output_piece *piece, size_t sent)
{
    if (piece->length - sent < piece->blob->capacity_bytes / 2) {
        output_push_copy(connection, piece->data + sent, piece->length - sent);
        blob_release(piece->blob);
        return;
    }
    const struct reply_segment segment = {
        .data = piece->data, .length = piece->length, .owner = piece->blob, .release = output_release_blob};
    output_push_segment(connection, &segment, sent);
}

static void output_queue_piece(struct connection *connection, const struct output_piece *piece, size_t sent)
{
    if (piece->segment)
        output_push_segment(connection, piece->segment, sent);
    else if (piece->blob)
        output_queue_shared(connection, piece, sent);
    else
        output_push_copy(connection, piece->data + sent, piece->length - sent);
}

static void output_drop_piece(const struct output_piece *piece)
{
    if (piece->segment)
        piece->segment->release(piece->segment->owner);
    else if (piece->blob)
        blob_release(piece->blob);
}

void output_send_pieces(struct connection *connection, const struct output_piece *pieces, size_t count)
{
    size_t sent = 0;
    if (!(connection->flags & CONNECTION_DEAD) && connection->output == NULL) {
        struct iovec vectors[OUTPUT_VECTORS];
        for (size_t i = 0; i < count; i++)
            vectors[i] = (struct iovec){(char *)pieces[i].data, pieces[i].length};
        sent = output_send_vectors(connection, vectors, count);
    }
    for (size_t i = 0; i < count; i++) {
        size_t done = sent < pieces[i].length ? sent : pieces[i].length;
        sent -= done;
        if (done < pieces[i].length && !(connection->flags & CONNECTION_DEAD))
            output_queue_piece(connection, &pieces[i], done);
        else
            output_drop_piece(&pieces[i]);
    }
}

void output_send_run(struct connection *connection, struct reply *reply, size_t start, size_t end,
                     size_t first_segment, size_t last_segment)
{
    struct output_piece pieces[OUTPUT_VECTORS];
    size_t count = 0;
    for (size_t i = first_segment; i < last_segment; i++) {
        struct reply_segment *segment = &reply->segments[i];
        if (count + 2 >= OUTPUT_VECTORS) {
            output_send_pieces(connection, pieces, count);
            count = 0;
        }
        if (segment->offset > start)
            pieces[count++] =
                (struct output_piece){.data = reply->buffer.data + start, .length = segment->offset - start};
        pieces[count++] =
            (struct output_piece){.data = segment->data, .length = segment->length, .segment = segment};
        start = segment->offset;
    }
    if (end > start)
        pieces[count++] = (struct output_piece){.data = reply->buffer.data + start, .length = end - start};
    if (count)
        output_send_pieces(connection, pieces, count);
    if ((connection->flags & CONNECTION_CLOSING) && connection->output == NULL)
        connection_close(connection, false);
}
