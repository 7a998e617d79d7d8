#ifndef SPINDLE_NET_ALARM_H
#define SPINDLE_NET_ALARM_H

#include <stdint.h>
#include <uv.h>

/*
 * Timers of a loop that sleeps without a timeout. A libuv timer gives every sleep of its loop a timeout, and
 * the kernel arms a clock for each: 2% of what a GET costs without pipelining. A timer descriptor
 * (timerfd_create(2)) is armed once. Everything runs on the loop's thread.
 */

struct alarm {
    uv_poll_t poll;
    int fd;
    void (*ring)(void *context);
    void *context;
};

void alarm_init(struct alarm *alarm, uv_loop_t *loop, void (*ring)(void *context), void *context);

/* Rings at this interval from now on; it is not 0. */
void alarm_ring_every(struct alarm *alarm, uint64_t interval_ms);

/* Rings once, after this delay. Replaces what was set before. */
void alarm_ring_in(struct alarm *alarm, uint64_t delay_ms);

/* Releases it after the loop has closed all its handles. */
void alarm_free(struct alarm *alarm);

#endif
