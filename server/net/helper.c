/*
 * Helper threads: each runs a loop with one worker. Each has two queues, for batches to the main thread and
 * for parcels from it; a queue is a list under a lock that is held for a few instructions. Whole lists change
 * hands, nobody who is at work is woken (wake.h), and nobody spins.
 *
 * Helpers block all signals and write no log: a forked child must never find a lock that one of them held.
 */
#include "net/alarm.h"
#include "net/private.h"

#include "base/check.h"
#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_INTERVAL_MS = 1000 };

struct queue {
    pthread_mutex_t lock;
    struct links items;
    _Atomic uint64_t count;
};

struct helper {
    uv_loop_t loop;
    struct wake wake;
    struct alarm check;
    pthread_t thread;
    struct net *net;
    struct worker *worker;
    struct queue inbox;  /* parcels */
    struct queue outbox; /* batches */
    int64_t start_us;
    bool stopping;
};

/* ---- queues ---- */

static void queue_init(struct queue *queue)
{
    pthread_mutex_init(&queue->lock, NULL);
    links_init(&queue->items);
}

static void queue_push(struct queue *queue, struct links *item)
{
    pthread_mutex_lock(&queue->lock);
    links_append(&queue->items, item);
    counter_add(&queue->count, 1);
    pthread_mutex_unlock(&queue->lock);
}

static void queue_take_all(struct queue *queue, struct links *items)
{
    links_init(items);
    if (counter_read(&queue->count) == 0)
        return;
    pthread_mutex_lock(&queue->lock);
    links_take(items, &queue->items);
    atomic_store_explicit(&queue->count, 0, memory_order_relaxed);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- the helper's side ---- */

void helper_send_batch(struct helper *helper, struct batch *batch)
{
    queue_push(&helper->outbox, &batch->links);
    wake_send(&helper->net->wake);
}

static void helper_deliver(struct helper *helper, struct parcel *parcel)
{
    struct worker *worker = helper->worker;
    worker_deliver(worker, parcel);
    helper->stopping |= parcel->stop;
    parcel->stop = false;
    struct batch *batch = worker->batch ? worker->batch : worker_take_batch(worker);
    links_append(&batch->parcels, &parcel->links);
}

static bool helper_take_parcels(void *context)
{
    struct helper *helper = context;
    struct links parcels;
    queue_take_all(&helper->inbox, &parcels);
    while (!links_is_empty(&parcels)) {
        struct parcel *parcel = links_container(parcels.next, struct parcel, links);
        links_remove(&parcel->links);
        helper_deliver(helper, parcel);
    }
    if (helper->stopping)
        uv_stop(&helper->loop);
    return helper->worker->looks_again;
}

static void helper_on_check(void *context)
{
    const struct helper *helper = context;
    worker_check_limits(helper->worker);
}

static void *helper_run(void *context)
{
    struct helper *helper = context;
    char name[16];
    snprintf(name, sizeof(name), "spindle-io-%d", helper->worker->number);
    pthread_setname_np(pthread_self(), name);
    while (!helper->stopping)
        uv_run(&helper->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- the main thread's side ---- */

static void helper_execute_batches(struct net *net, struct helper *helper)
{
    struct links batches;
    queue_take_all(&helper->outbox, &batches);
    while (!links_is_empty(&batches)) {
        struct batch *batch = links_container(batches.next, struct batch, links);
        links_remove(&batch->links);
        net_execute(net, batch, helper->worker);
        net_run_resumed(net);
        net_flush_worker(helper->worker);
    }
}

static bool helpers_take_batches(void *context)
{
    struct net *net = context;
    for (int i = 0; i < net->worker_count; i++)
        helper_execute_batches(net, &net->helpers[i]);
    return false;
}

static void helper_start(struct net *net, struct helper *helper, int number, const struct net_limits *limits)
{
    struct worker *worker = &net->workers[number];
    helper->net = net;
    helper->worker = worker;
    queue_init(&helper->inbox);
    queue_init(&helper->outbox);
    CHECK(uv_loop_init(&helper->loop) == 0);
    uv_loop_configure(&helper->loop, UV_METRICS_IDLE_TIME);
    worker_init(worker, net, &helper->loop, limits);
    worker->helper = helper;
    worker->number = number + 1;
    wake_init(&helper->wake, &helper->loop, helper_take_parcels, helper);
    alarm_init(&helper->check, &helper->loop, helper_on_check, helper);
    alarm_ring_every(&helper->check, CHECK_INTERVAL_MS);
    helper->start_us = clock_monotonic_us();
    CHECK(pthread_create(&helper->thread, NULL, helper_run, helper) == 0);
}

struct helper *helpers_start(struct net *net, const struct net_limits *limits, int count)
{
    struct helper *helpers = calloc((size_t)count, sizeof(*helpers));
    CHECK(helpers != NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    wake_init(&net->wake, net->loop, helpers_take_batches, net);
    for (int i = 0; i < count; i++)
        helper_start(net, &helpers[i], i, limits);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return helpers;
}

void helper_send_parcel(struct helper *helper, struct parcel *parcel)
{
    queue_push(&helper->inbox, &parcel->links);
    wake_send(&helper->wake);
}

void helpers_join(struct net *net)
{
    for (int i = 0; i < net->worker_count; i++) {
        worker_parcel(&net->workers[i])->stop = true;
        net_flush_worker(&net->workers[i]);
        pthread_join(net->helpers[i].thread, NULL);
    }
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Drops what the helpers handed over after the end: nobody executes it. */
static void helper_drop_batches(struct helper *helper)
{
    struct links batches;
    queue_take_all(&helper->outbox, &batches);
    while (!links_is_empty(&batches)) {
        struct batch *batch = links_container(batches.next, struct batch, links);
        links_remove(&batch->links);
        batch_discard(batch);
    }
}

void helpers_free(struct net *net)
{
    for (int i = 0; i < net->worker_count; i++) {
        struct helper *helper = &net->helpers[i];
        uv_walk(&helper->loop, close_handle, NULL);
        uv_run(&helper->loop, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&helper->loop) == 0);
        wake_free(&helper->wake);
        alarm_free(&helper->check);
        helper_drop_batches(helper);
        pthread_mutex_destroy(&helper->inbox.lock);
        pthread_mutex_destroy(&helper->outbox.lock);
    }
    wake_free(&net->wake);
    free(net->helpers);
}

uint64_t helper_busy_us(struct helper *helper)
{
    uint64_t elapsed_us = (uint64_t)(clock_monotonic_us() - helper->start_us);
    uint64_t idle_us = uv_metrics_idle_time(&helper->loop) / 1000;
    return idle_us < elapsed_us ? elapsed_us - idle_us : 0;
}

uint64_t helper_queued_batches(struct helper *helper)
{
    return counter_read(&helper->outbox.count);
}
