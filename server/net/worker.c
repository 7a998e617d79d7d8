/*
 * The turn of the loop: batch, execution, replies. See net.h and worker.h. Runs on the thread of the worker's
 * loop.
 */
#include "worker.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *array_grow(void *array, size_t *capacity, size_t needed, size_t item_bytes)
{
    size_t grown = *capacity ? *capacity : 64;
    while (grown < needed)
        grown *= 2;
    array = realloc(array, grown * item_bytes);
    CHECK(array != NULL);
    *capacity = grown;
    return array;
}

/* ---- the batch ---- */

void batch_grow_requests(struct batch *batch)
{
    batch->requests =
        array_grow(batch->requests, &batch->capacity, batch->count + 1, sizeof(*batch->requests));
}

void batch_grow_slices(struct batch *batch, size_t count)
{
    batch->slices =
        array_grow(batch->slices, &batch->slice_capacity, batch->slice_count + count, sizeof(*batch->slices));
}

void worker_touch(struct worker *worker, struct connection *connection)
{
    if (connection->flags & CONNECTION_ACTIVE)
        return;
    connection->flags |= CONNECTION_ACTIVE;
    if (worker->active_count == worker->active_capacity)
        worker->active = array_grow(worker->active, &worker->active_capacity, worker->active_count + 1,
                                    sizeof(struct connection *));
    worker->active[worker->active_count++] = connection;
}

/* ---- replies ---- */

static void worker_send_runs(struct worker *worker);

/* Sends what was pushed to a connection before it gets more replies. */
static void worker_send_pushed_before(struct worker *worker, struct connection *connection)
{
    if (connection->flags & CONNECTION_HAS_RUN)
        worker_send_runs(worker);
    connection_send_pushes(connection);
}

static void worker_begin_run(struct worker *worker, struct connection *connection)
{
    struct batch *batch = &worker->batch;
    if (__builtin_expect(connection->first_push != 0, 0))
        worker_send_pushed_before(worker, connection);
    if (batch->run_count && batch->runs[batch->run_count - 1].connection == connection)
        return;
    if (batch->run_count == batch->run_capacity)
        batch->runs =
            array_grow(batch->runs, &batch->run_capacity, batch->run_count + 1, sizeof(*batch->runs));
    connection->flags |= CONNECTION_HAS_RUN;
    batch->runs[batch->run_count++] =
        (struct batch_run){connection, worker->reply.buffer.length, worker->reply.segment_count};
}

/* Sends every run of the output arena and empties it. */
static void worker_send_runs(struct worker *worker)
{
    struct batch *batch = &worker->batch;
    struct reply *reply = &worker->reply;
    for (size_t i = 0; i < batch->run_count; i++) {
        const struct batch_run *run = &batch->runs[i];
        bool last = i + 1 == batch->run_count;
        run->connection->flags &= (uint16_t)~CONNECTION_HAS_RUN;
        output_send_run(run->connection, reply, run->start, last ? reply->buffer.length : run[1].start,
                        run->first_segment, last ? reply->segment_count : run[1].first_segment);
    }
    batch->run_count = 0;
    reply->segment_count = 0; /* released or taken over by output_send_run */
    reply->buffer.length = 0;
    if (reply->buffer.capacity > 4 * NET_OUTPUT_FLUSH_BYTES)
        buffer_free(&reply->buffer);
}

/* ---- execution ---- */

static void request_free_blobs(struct request *request)
{
    for (uint32_t i = 0; i < request->argc; i++) {
        if (request->blobs[i])
            blob_release(request->blobs[i]);
    }
    free(request->blobs);
    request->blobs = NULL;
}

static void request_finish_owned(struct batch_request *item)
{
    free(item->error);
    if (item->deferred) {
        item->deferred->blobs = item->request.blobs;
        deferred_free(item->deferred);
        item->request.blobs = NULL;
    } else if (item->request.blobs) {
        request_free_blobs(&item->request);
    }
}

/* Most requests own nothing: this costs them one comparison. */
static inline void request_finish(struct batch_request *item)
{
    if (__builtin_expect(item->error || item->deferred || item->request.blobs, 0))
        request_finish_owned(item);
}

static void worker_reply_error(struct worker *worker, struct connection *connection, const char *error)
{
    worker_begin_run(worker, connection);
    reply_error(&worker->reply, error);
    connection->flags |= CONNECTION_CLOSING;
}

/* Puts a request off until the connection is resumed. */
static void worker_defer(struct batch_request *item)
{
    struct deferred *deferred = item->deferred ? item->deferred : deferred_copy(&item->request);
    item->deferred = NULL;
    item->request.blobs = NULL; /* went with the copy */
    deferred->next = NULL;      /* it may have waited in front of others before */
    struct deferred **tail = &item->connection->deferred;
    while (*tail)
        tail = &(*tail)->next;
    *tail = deferred;
}

static void worker_execute(struct worker *worker, struct batch_request *item)
{
    struct connection *connection = item->connection;
    if (connection->flags & (CONNECTION_DEAD | CONNECTION_CLOSING)) {
        request_finish(item);
        return;
    }
    if ((connection->flags & CONNECTION_HELD) && item->error == NULL) {
        worker_defer(item);
        return;
    }
    if (item->error) {
        worker_reply_error(worker, connection, item->error);
        request_finish(item);
        return;
    }
    worker_begin_run(worker, connection);
    enum request_outcome outcome =
        worker->handlers.execute(worker->handlers.context, &item->request, &worker->reply);
    if (__builtin_expect(outcome != REQUEST_DONE, 0))
        connection->flags |= CONNECTION_HELD;
    if (__builtin_expect(outcome == REQUEST_PUT_OFF, 0)) {
        worker_defer(item);
        return;
    }
    request_finish(item);
    if (__builtin_expect(worker->reply.buffer.length > NET_OUTPUT_FLUSH_BYTES, 0))
        worker_send_runs(worker);
    if (__builtin_expect(worker_has_many_pushes(worker), 0)) {
        worker_send_runs(worker);
        worker_send_pushes(worker);
    }
}

static void worker_execute_group(struct worker *worker, struct batch_request *items, size_t count)
{
    const struct net_handlers *handlers = &worker->handlers;
    for (size_t i = 0; i < count; i++) {
        if (items[i].deferred == NULL)
            items[i].request.argv = worker->batch.slices + items[i].first_slice;
        if (items[i].error == NULL)
            handlers->prepare_bucket(handlers->context, &items[i].request);
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].error == NULL)
            handlers->prepare_entry(handlers->context, &items[i].request);
    }
    for (size_t i = 0; i < count; i++)
        worker_execute(worker, &items[i]);
}

static void worker_settle(struct worker *worker)
{
    for (size_t i = 0; i < worker->active_count; i++) {
        struct connection *connection = worker->active[i];
        connection->flags &= (uint16_t)~CONNECTION_ACTIVE;
        connection_settle(connection);
    }
    worker->active_count = 0;
}

static void worker_trim_batch(struct worker *worker)
{
    struct batch *batch = &worker->batch;
    batch->count = 0;
    batch->slice_count = 0;
    if (batch->slice_capacity > 1024 * 1024) {
        free(batch->slices);
        batch->slices = NULL;
        batch->slice_capacity = 0;
    }
}

void worker_run(struct worker *worker)
{
    struct batch *batch = &worker->batch;
    if (batch->count) {
        CHECK(!worker->running);
        worker->running = true;
        worker->handlers.begin(worker->handlers.context);
        for (size_t at = 0; at < batch->count; at += NET_GROUP) {
            size_t left = batch->count - at;
            worker_execute_group(worker, batch->requests + at, left < NET_GROUP ? left : NET_GROUP);
        }
        worker_send_runs(worker);
        worker->handlers.end(worker->handlers.context);
        worker->running = false;
        worker_trim_batch(worker);
    }
    worker_send_due_pushes(worker);
    worker->arena_used = 0;
    worker_settle(worker);
}

/* ---- resuming ---- */

static void worker_add_deferred(struct worker *worker, struct connection *connection)
{
    while (connection->deferred) {
        struct deferred *deferred = connection->deferred;
        connection->deferred = deferred->next;
        struct batch_request *item = batch_add(worker, connection);
        item->deferred = deferred;
        item->request.argc = deferred->argc;
        item->request.argv = deferred->argv;
        item->request.blobs = deferred->blobs;
    }
}

static void worker_on_idle(uv_idle_t *idle)
{
    struct worker *worker = idle->data;
    uv_idle_stop(idle);
    /* Connections may be revisited again while these are. */
    size_t count = worker->resumed_count;
    struct connection **resumed = worker->resumed;
    worker->resumed = NULL;
    worker->resumed_count = worker->resumed_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = resumed[i];
        if (connection == NULL)
            continue;
        connection->flags &= (uint16_t) ~(CONNECTION_RESUMING | CONNECTION_HELD | CONNECTION_MORE);
        worker_touch(worker, connection);
        worker_add_deferred(worker, connection);
        connection_parse_pending(connection);
        connection_watch(connection);
    }
    free(resumed);
}

void worker_revisit(struct worker *worker, struct connection *connection)
{
    if (connection->flags & (CONNECTION_RESUMING | CONNECTION_DEAD))
        return;
    connection->flags |= CONNECTION_RESUMING;
    if (worker->resumed_count == worker->resumed_capacity)
        worker->resumed = array_grow(worker->resumed, &worker->resumed_capacity, worker->resumed_count + 1,
                                     sizeof(struct connection *));
    worker->resumed[worker->resumed_count++] = connection;
    uv_idle_start(&worker->idle, worker_on_idle);
}

void connection_resume(struct connection *connection)
{
    /* It stays held until its turn comes, so that nothing it sends meanwhile overtakes what waits. */
    if (connection->flags & CONNECTION_HELD)
        worker_revisit(connection->worker, connection);
}

/* ---- lifetime ---- */

static void worker_on_check(uv_check_t *check)
{
    worker_run(check->data);
}

static void worker_on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    if (worker->push_count && worker->batch.count == 0 && !uv_is_active((uv_handle_t *)&worker->pause))
        worker_run(worker);
}

struct worker *worker_create(uv_loop_t *loop, const struct net_handlers *handlers,
                             const struct net_limits *limits)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    CHECK(worker != NULL);
    worker->loop = loop;
    worker->handlers = *handlers;
    worker->limits = *limits;
    worker->reply.version = 2;
    links_init(&worker->connections);
    resp_parser_init(&worker->parser);
    worker->arena = mmap(NULL, NET_ARENA_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(worker->arena != MAP_FAILED);
    /* A snapshot child has no use for input: do not make the fork copy its page tables. */
    madvise(worker->arena, NET_ARENA_BYTES, MADV_DONTFORK);
    uv_check_init(loop, &worker->check);
    worker->check.data = worker;
    uv_check_start(&worker->check, worker_on_check);
    uv_prepare_init(loop, &worker->prepare);
    worker->prepare.data = worker;
    uv_prepare_start(&worker->prepare, worker_on_prepare);
    uv_timer_init(loop, &worker->pause);
    worker->pause.data = worker;
    uv_idle_init(loop, &worker->idle);
    worker->idle.data = worker;
    return worker;
}

void worker_stop(struct worker *worker)
{
    worker_run(worker);
    struct links *at = worker->connections.next;
    while (at != &worker->connections) {
        struct connection *connection = links_container(at, struct connection, links);
        at = at->next;
        connection_destroy(connection);
    }
    uv_close((uv_handle_t *)&worker->check, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->pause, NULL);
    uv_close((uv_handle_t *)&worker->idle, NULL);
}

void worker_free(struct worker *worker)
{
    munmap(worker->arena, NET_ARENA_BYTES);
    resp_parser_free(&worker->parser);
    reply_free(&worker->reply);
    free(worker->batch.requests);
    free(worker->batch.slices);
    free(worker->batch.runs);
    free(worker->pushes);
    free(worker->active);
    free(worker->resumed);
    free(worker);
}

void worker_set_limits(struct worker *worker, const struct net_limits *limits)
{
    worker->limits = *limits;
}

struct net_stats *worker_stats(struct worker *worker)
{
    return &worker->stats;
}

void worker_check_limits(struct worker *worker)
{
    for (struct links *at = worker->connections.next; at != &worker->connections; at = at->next)
        output_check_limit(links_container(at, struct connection, links));
}

void worker_flush(struct worker *worker)
{
    if (worker->running)
        worker_send_runs(worker);
    worker_send_pushes(worker);
    for (struct links *at = worker->connections.next; at != &worker->connections; at = at->next)
        output_flush(links_container(at, struct connection, links));
}
