#ifndef SPINDLE_BASE_FIBER_H
#define SPINDLE_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A second stack for work that may have to be left in the middle and taken up again later: a script that
 * takes too long.
 *
 * fiber_enter runs the body on the fiber's stack until it returns or calls fiber_leave; entered again, it
 * goes on from there, or starts anew. Switching costs some 20 ns: it saves registers and no signal mask. The
 * stack is as large as a thread's, ends in a page that faults, and takes memory as it is used. One thread
 * enters and leaves; a fiber does not enter another.
 */

struct fiber;

struct fiber *fiber_create(void (*body)(void *context), void *context);
/* The body must not be in the middle of anything that has to be freed. */
void fiber_free(struct fiber *fiber);

/* Returns true when the body has returned, false when it left. */
bool fiber_enter(struct fiber *fiber);

/* On the fiber: back to whoever entered. Returns when it is entered again. */
void fiber_leave(struct fiber *fiber);

#endif
