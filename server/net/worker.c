/*
 * A worker: collects input into batches, hands them over, and sends what comes back. See worker.h and net.h.
 * Runs on the thread of the worker's loop.
 */
#include "net/private.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/prefetch.h"

#include <stdlib.h>
#include <string.h>

enum { PREFETCH_DISTANCE = 4 };

/* ---- batches ---- */

struct batch *worker_take_batch(struct worker *worker)
{
    CHECK(worker->batch == NULL);
    if (links_is_empty(&worker->spare)) {
        worker->batch = batch_create();
        worker->batch_count++;
    } else {
        worker->batch = links_container(worker->spare.next, struct batch, links);
        links_remove(&worker->batch->links);
    }
    return worker->batch;
}

static void worker_recognize(const struct worker *worker, struct batch *batch)
{
    const struct net_handlers *handlers = &worker->net->handlers;
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_item *item = &batch->items[i];
        item->request.argv = batch->slices + item->first_slice;
        if (item->kind == ITEM_REQUEST)
            handlers->recognize(handlers->context, &item->request);
    }
}

void worker_hand_over(struct worker *worker)
{
    struct batch *batch = worker->batch;
    if (batch == NULL || batch_is_empty(batch))
        return;
    /* Waking the main thread costs more than a request does: while it has a batch, the next one fills. */
    if (worker->under_way && batch->count < NET_BATCH_REQUESTS)
        return;
    worker->batch = NULL;
    if (worker->helper) {
        worker->under_way++;
        worker_recognize(worker, batch);
        helper_send_batch(worker->helper, batch);
        return;
    }
    net_execute(worker->net, batch, worker);
    net_run_resumed(worker->net);
    net_flush(worker->net);
}

void worker_release(struct worker *worker, struct release release)
{
    if (release.release == NULL)
        return;
    if (worker->helper == NULL) {
        release.release(release.owner);
        return;
    }
    batch_add_release(worker->batch ? worker->batch : worker_take_batch(worker), release);
}

/* ---- staying awake ---- */

static void worker_on_idle(uv_idle_t *idle)
{
    (void)idle; /* keeps the loop from sleeping; the work is done in worker_on_check */
}

/* Who has much to say waits while the main thread has work: else what the others say queues up behind it. */
static bool worker_may_go_on(const struct worker *worker)
{
    int ahead = worker->under_way * worker->net->worker_count;
    return ahead < NET_BATCHES_AHEAD && worker_has_room(worker);
}

/* The loop does not sleep while there is something to look at. */
static void worker_update_idle(struct worker *worker)
{
    bool goes_on = !links_is_empty(&worker->again) && worker_may_go_on(worker);
    if (goes_on || worker->looks_again || !links_is_empty(&worker->leaving))
        uv_idle_start(&worker->idle, worker_on_idle);
    else
        uv_idle_stop(&worker->idle);
}

void worker_revisit(struct worker *worker, struct connection *connection)
{
    if (!links_is_empty(&connection->again) || connection->flags & CONNECTION_ENDED)
        return;
    links_append(&worker->again, &connection->again);
    if (worker_may_go_on(worker))
        uv_idle_start(&worker->idle, worker_on_idle);
}

/* ---- closing ---- */

/* Closing a socket takes the kernel about 10 us. When thousands of clients go at once, the others do not wait
 * for all of it. */
static bool worker_may_close(const struct worker *worker)
{
    return worker->closing_cycles < worker->net->slice_cycles / NET_CLOSING_SHARE;
}

static void worker_close_timed(struct worker *worker, struct connection *connection)
{
    uint64_t start = clock_cycles();
    connection_close(connection);
    worker->closing_cycles += clock_cycles() - start;
}

static void worker_close_sockets(struct worker *worker)
{
    while (!links_is_empty(&worker->leaving) && worker_may_close(worker)) {
        struct connection *connection = links_container(worker->leaving.next, struct connection, links);
        links_remove(&connection->links);
        worker_close_timed(worker, connection);
    }
    worker_update_idle(worker);
}

void worker_close_socket(struct worker *worker, struct connection *connection)
{
    if (worker_may_close(worker)) {
        worker_close_timed(worker, connection);
        return;
    }
    links_append(&worker->leaving, &connection->links);
    uv_idle_start(&worker->idle, worker_on_idle);
}

/* ---- turns ---- */

/* Connections that had more to say than one turn took: they share what a turn has for them. */
static void worker_go_on(struct worker *worker)
{
    struct links round;
    links_init(&round);
    links_take(&round, &worker->again);
    size_t taken_bytes = 0;
    while (!links_is_empty(&round) && taken_bytes < NET_TURN_BYTES && worker_may_go_on(worker)) {
        struct connection *connection = links_container(round.next, struct connection, again);
        links_remove(&connection->again);
        taken_bytes += connection_go_on(connection);
    }
    links_take(&round, &worker->again);
    links_take(&worker->again, &round);
    worker_update_idle(worker);
}

/* Waking the main thread for a few requests costs more than they do: another look at the sockets first. */
static bool worker_wants_more(const struct worker *worker)
{
    const struct batch *batch = worker->batch;
    bool may_look = worker->helper && !worker->looks_again && worker->under_way == 0;
    return may_look && batch && batch->count > 0 && batch->count < NET_BATCH_FEW_REQUESTS;
}

static void worker_on_check(uv_check_t *check)
{
    struct worker *worker = check->data;
    if (!links_is_empty(&worker->again))
        worker_go_on(worker);
    worker->looks_again = worker_wants_more(worker);
    if (!worker->looks_again)
        worker_hand_over(worker);
    if (worker->helper)
        worker_update_idle(worker);
}

/* What timers and parcels left must not wait until a socket wakes the loop. */
static void worker_on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    if (!worker->looks_again)
        worker_hand_over(worker);
    memset(worker->sending_cycles, 0, sizeof(worker->sending_cycles));
    worker->closing_cycles = 0;
    if (!links_is_empty(&worker->leaving))
        worker_close_sockets(worker);
}

/* ---- parcels ---- */

static void release_blob(void *owner)
{
    blob_release(owner);
}

static struct output_piece reply_piece(const struct parcel *parcel, size_t start, size_t end)
{
    return (struct output_piece){.data = parcel->reply.buffer.data + start, .length = end - start};
}

static struct output_piece shared_piece(const struct run *run)
{
    return (struct output_piece){.data = run->data,
                                 .length = run->end - run->start,
                                 .release = {run->blob, release_blob},
                                 .is_part = run->end - run->start < run->blob->capacity_bytes / 2};
}

/* Pieces on their way to one connection. */
struct piece_list {
    struct connection *connection;
    size_t count;
    struct output_piece pieces[OUTPUT_VECTORS];
};

static void pieces_add(struct piece_list *list, struct output_piece piece)
{
    if (piece.length == 0)
        return;
    if (list->count == OUTPUT_VECTORS) {
        output_send_pieces(list->connection, list->pieces, list->count);
        list->count = 0;
    }
    list->pieces[list->count++] = piece;
}

static void pieces_add_run(struct piece_list *list, const struct parcel *parcel, const struct run *run)
{
    if (run->blob) {
        pieces_add(list, shared_piece(run));
        return;
    }
    size_t start = run->start;
    for (uint32_t i = run->first_segment; i < run->last_segment; i++) {
        const struct reply_segment *segment = &parcel->reply.segments[i];
        pieces_add(list, reply_piece(parcel, start, segment->offset));
        pieces_add(list, (struct output_piece){.data = segment->data,
                                               .length = segment->length,
                                               .release = {segment->owner, segment->release}});
        start = segment->offset;
    }
    pieces_add(list, reply_piece(parcel, start, run->end));
}

static void connection_obey(struct connection *connection, unsigned orders)
{
    uint32_t *flags = &connection->flags;
    if (orders & ORDER_ADOPT)
        connection_adopt(connection);
    if (orders & ORDER_TRUST)
        *flags |= CONNECTION_TRUSTED;
    if (orders & ORDER_DISTRUST)
        *flags &= ~(uint32_t)CONNECTION_TRUSTED;
    if (orders & ORDER_PUBSUB)
        *flags |= CONNECTION_PUBSUB;
    if (orders & ORDER_NORMAL)
        *flags &= ~(uint32_t)CONNECTION_PUBSUB;
    if (orders & ORDER_HOLD)
        *flags |= CONNECTION_HELD;
    if (orders & ORDER_YIELD)
        *flags |= CONNECTION_YIELDED;
    if (orders & ORDER_PAUSE)
        *flags |= CONNECTION_PAUSED;
    if (orders & ORDER_RESUME)
        *flags &= ~(uint32_t)(CONNECTION_HELD | CONNECTION_PAUSED | CONNECTION_YIELDED);
    if (orders & ORDER_CONTINUE)
        *flags &= ~(uint32_t)CONNECTION_WAITING;
    if (orders & ORDER_CLOSE)
        *flags |= CONNECTION_CLOSING | CONNECTION_DEAF;
    if (orders & ORDER_FREE) {
        connection_leave(connection);
        return;
    }
    if (orders & ORDER_DROP || (*flags & CONNECTION_CLOSING && connection->output == NULL))
        connection_end(connection, GONE_CLOSED);
    connection_watch(connection);
}

/* Sends everything that the parcel has for a connection: its runs from this one on. */
static void worker_deliver_chain(struct parcel *parcel, struct run *run)
{
    struct piece_list list; /* not initialized whole: it is large, and mostly one piece */
    list.connection = run->connection;
    list.count = 0;
    uint16_t orders = 0;
    for (;;) {
        pieces_add_run(&list, parcel, run);
        orders = orders_merge(orders, run->orders);
        run->connection = NULL;
        if (run->next == 0)
            break;
        run = &parcel->runs[run->next - 1];
    }
    if (list.count)
        output_send_pieces(list.connection, list.pieces, list.count);
    if (orders)
        connection_obey(list.connection, orders);
}

void worker_deliver(struct worker *worker, struct parcel *parcel)
{
    if (parcel->limits) {
        worker->limits = *parcel->limits;
        free(parcel->limits);
        parcel->limits = NULL;
    }
    for (size_t i = 0; i < parcel->run_count; i++) {
        if (i + PREFETCH_DISTANCE < parcel->run_count && parcel->runs[i + PREFETCH_DISTANCE].connection)
            prefetch(parcel->runs[i + PREFETCH_DISTANCE].connection);
        if (parcel->runs[i].connection)
            worker_deliver_chain(parcel, &parcel->runs[i]);
    }
    parcel->reply.segment_count = 0; /* released, or taken over by connections */
    while (!links_is_empty(&parcel->batches)) {
        struct batch *batch = links_container(parcel->batches.next, struct batch, links);
        links_remove(&batch->links);
        worker->under_way -= worker->helper != NULL;
        batch_reset(batch);
        links_append(&worker->spare, &batch->links);
    }
    if (!links_is_empty(&worker->again))
        uv_idle_start(&worker->idle, worker_on_idle);
}

/* ---- lifetime ---- */

void worker_check_limits(struct worker *worker)
{
    struct links *at = worker->connections.next;
    while (at != &worker->connections) {
        struct connection *connection = links_container(at, struct connection, links);
        at = at->next;
        if (connection->flags & CONNECTION_LEFT) {
            connection_check_left(connection);
            continue;
        }
        output_check_limit(connection);
        if (connection->flags & (CONNECTION_FULL | CONNECTION_PAUSED))
            connection_watch(connection);
    }
}

void worker_init(struct worker *worker, struct net *net, uv_loop_t *loop, const struct net_limits *limits)
{
    worker->net = net;
    worker->loop = loop;
    worker->limits = *limits;
    links_init(&worker->connections);
    links_init(&worker->again);
    links_init(&worker->leaving);
    links_init(&worker->spare);
    links_init(&worker->parcels);
    resp_parser_init(&worker->parser);
    uv_check_init(loop, &worker->check);
    worker->check.data = worker;
    uv_check_start(&worker->check, worker_on_check);
    uv_prepare_init(loop, &worker->prepare);
    worker->prepare.data = worker;
    uv_prepare_start(&worker->prepare, worker_on_prepare);
    uv_idle_init(loop, &worker->idle);
    worker->idle.data = worker;
}

void worker_stop(struct worker *worker)
{
    worker->helper = NULL; /* its thread has ended: what it holds is released at once */
    while (!links_is_empty(&worker->connections))
        connection_destroy(links_container(worker->connections.next, struct connection, links));
    while (!links_is_empty(&worker->leaving)) {
        struct connection *connection = links_container(worker->leaving.next, struct connection, links);
        links_remove(&connection->links);
        connection_close(connection);
    }
    uv_close((uv_handle_t *)&worker->check, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->idle, NULL);
}

void worker_free(struct worker *worker)
{
    if (worker->batch)
        links_append(&worker->spare, &worker->batch->links);
    while (!links_is_empty(&worker->spare)) {
        struct batch *batch = links_container(worker->spare.next, struct batch, links);
        links_remove(&batch->links);
        batch_discard(batch);
    }
    resp_parser_free(&worker->parser);
}
