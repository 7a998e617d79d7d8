#ifndef SPINDLE_NET_WAKE_H
#define SPINDLE_NET_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

/*
 * Waking a loop that has queues which other threads fill. The loop looks into its queues before it sleeps and
 * after it wakes, so that who fills one need not wake a loop that is at work: a wake-up costs several system
 * calls and a switch of threads. uv_async_send always wakes, and its receiver spins while the sender has not
 * returned from the system call.
 *
 * Invariant: a loop that sleeps, or is about to without another look, has asleep set; of those who fill its
 * queues then, one clears it and writes to the event descriptor. Everything runs on the loop's thread, but
 * for wake_send.
 */

struct wake {
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    int fd; /* eventfd */
    atomic_bool asleep;
    int turns_to_keep; /* turns of the loop in which its core is not offered to others */
    bool (*take)(void *context);
    void *context;
};

/* Take empties the queues; it is called on the loop's thread, often with nothing to do. Returns whether the
 * loop will not sleep before take is called again. */
void wake_init(struct wake *wake, uv_loop_t *loop, bool (*take)(void *context), void *context);

/* Any thread, after it has put something into a queue. */
void wake_send(struct wake *wake);

/* Closes the handles; wake_free after the loop has run the close callbacks. */
void wake_close(struct wake *wake);
void wake_free(struct wake *wake);

#endif
