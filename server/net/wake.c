/* Waking loops through an event descriptor. See wake.h. Runs on the loop's thread, wake_send on any. */
#include "net/wake.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A snapshot child keeps a core for some 3 ms at a time; clients and threads that take turns seldom for 2. */
enum { YIELD_LONG_US = 2000, YIELD_PAUSE_TURNS = 1000 };

static void wake_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    const struct wake *wake = poll->data;
    uint64_t count;
    CHECK(read(wake->fd, &count, sizeof(count)) >= 0 || errno == EAGAIN);
}

/* With fewer cores than busy threads, who fills the queues may be waiting for this one: it gets its turn
 * before this thread sleeps, so that more hangs on each wake-up. Elsewhere this returns at once. Others that
 * want the core may keep it for milliseconds, a snapshot child say: then it is not offered again for a while.
 */
static void wake_let_others_run(struct wake *wake)
{
    if (wake->turns_to_keep > 0) {
        wake->turns_to_keep--;
        return;
    }
    int64_t start_us = clock_monotonic_us();
    sched_yield();
    if (clock_monotonic_us() - start_us > YIELD_LONG_US)
        wake->turns_to_keep = YIELD_PAUSE_TURNS;
}

static void wake_on_prepare(uv_prepare_t *prepare)
{
    struct wake *wake = prepare->data;
    wake_let_others_run(wake);
    /* Reads what wake_send wrote last: what was queued before it is seen by take. */
    atomic_exchange_explicit(&wake->asleep, true, memory_order_acq_rel);
    if (wake->take(wake->context))
        atomic_store_explicit(&wake->asleep, false, memory_order_relaxed);
}

static void wake_on_check(uv_check_t *check)
{
    struct wake *wake = check->data;
    atomic_store_explicit(&wake->asleep, false, memory_order_relaxed);
    wake->take(wake->context);
}

void wake_init(struct wake *wake, uv_loop_t *loop, bool (*take)(void *context), void *context)
{
    wake->take = take;
    wake->context = context;
    atomic_init(&wake->asleep, false);
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(wake->fd >= 0);
    CHECK(uv_poll_init(loop, &wake->poll, wake->fd) == 0);
    uv_prepare_init(loop, &wake->prepare);
    uv_check_init(loop, &wake->check);
    wake->poll.data = wake->prepare.data = wake->check.data = wake;
    uv_poll_start(&wake->poll, UV_READABLE, wake_on_poll);
    uv_prepare_start(&wake->prepare, wake_on_prepare);
    uv_check_start(&wake->check, wake_on_check);
}

void wake_send(struct wake *wake)
{
    const uint64_t one = 1;
    if (!atomic_exchange_explicit(&wake->asleep, false, memory_order_acq_rel))
        return;
    while (write(wake->fd, &one, sizeof(one)) < 0)
        CHECK(errno == EINTR);
}

void wake_close(struct wake *wake)
{
    uv_close((uv_handle_t *)&wake->poll, NULL);
    uv_close((uv_handle_t *)&wake->prepare, NULL);
    uv_close((uv_handle_t *)&wake->check, NULL);
}

void wake_free(struct wake *wake)
{
    close(wake->fd);
}
