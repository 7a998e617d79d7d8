/* Timers by descriptor. See alarm.h. Runs on the loop's thread. */
#include "net/alarm.h"

#include "base/check.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void alarm_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    const struct alarm *alarm = poll->data;
    uint64_t times;
    if (read(alarm->fd, &times, sizeof(times)) < 0) {
        CHECK(errno == EAGAIN); /* it was set anew meanwhile */
        return;
    }
    alarm->ring(alarm->context);
}

void alarm_init(struct alarm *alarm, uv_loop_t *loop, void (*ring)(void *context), void *context)
{
    alarm->ring = ring;
    alarm->context = context;
    alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(alarm->fd >= 0);
    CHECK(uv_poll_init(loop, &alarm->poll, alarm->fd) == 0);
    alarm->poll.data = alarm;
    uv_poll_start(&alarm->poll, UV_READABLE, alarm_on_poll);
}

static struct timespec timespec_of_ms(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

static void alarm_set(const struct alarm *alarm, struct timespec first, struct timespec interval)
{
    const struct itimerspec times = {.it_value = first, .it_interval = interval};
    CHECK(timerfd_settime(alarm->fd, 0, &times, NULL) == 0);
}

void alarm_ring_every(struct alarm *alarm, uint64_t interval_ms)
{
    alarm_set(alarm, timespec_of_ms(interval_ms), timespec_of_ms(interval_ms));
}

void alarm_ring_in(struct alarm *alarm, uint64_t delay_ms)
{
    struct timespec delay = timespec_of_ms(delay_ms);
    if (delay_ms == 0)
        delay.tv_nsec = 1; /* 0 would disarm it */
    alarm_set(alarm, delay, (struct timespec){0});
}

void alarm_free(struct alarm *alarm)
{
    close(alarm->fd);
}
