/* Fibers: leaving and going on, starting anew, deep stacks, and unwinding inside of one. */
#include "base/fiber.h"

#include <criterion/criterion.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct trail {
    struct fiber *fiber;
    int stops; /* how often the body leaves */
    int steps;
};

static void walk(void *context)
{
    struct trail *trail = context;
    for (int i = 0; i < trail->stops; i++) {
        trail->steps++;
        fiber_leave(trail->fiber);
    }
    trail->steps += 100;
}

Test(fiber, goes_on_where_it_left)
{
    struct trail trail = {.stops = 2};
    trail.fiber = fiber_create(walk, &trail);
    cr_assert_eq(trail.steps, 0);
    cr_assert_not(fiber_enter(trail.fiber));
    cr_assert_eq(trail.steps, 1);
    cr_assert_not(fiber_enter(trail.fiber));
    cr_assert(fiber_enter(trail.fiber));
    cr_assert_eq(trail.steps, 102);
    fiber_free(trail.fiber);
}

Test(fiber, starts_anew_when_it_has_finished)
{
    struct trail trail = {.stops = 0};
    trail.fiber = fiber_create(walk, &trail);
    for (int i = 1; i <= 1000; i++) {
        cr_assert(fiber_enter(trail.fiber));
        cr_assert_eq(trail.steps, 100 * i);
    }
    fiber_free(trail.fiber);
}

Test(fiber, may_be_freed_where_it_left)
{
    struct trail trail = {.stops = 5};
    trail.fiber = fiber_create(walk, &trail);
    cr_assert_not(fiber_enter(trail.fiber));
    fiber_free(trail.fiber);
}

enum { FRAME_BYTES = 4096, DEPTH = 500 };

/* Fills frames, and leaves at the bottom. */
static int descend(struct fiber *fiber, int depth)
{
    volatile char frame[FRAME_BYTES];
    memset((char *)frame, depth & 0x7f, sizeof(frame));
    if (depth == 0)
        fiber_leave(fiber);
    int below = depth ? descend(fiber, depth - 1) : 0;
    return below + (frame[FRAME_BYTES - 1] == (depth & 0x7f));
}

static void go_deep(void *context)
{
    struct trail *trail = context;
    trail->steps = descend(trail->fiber, DEPTH);
}

Test(fiber, keeps_megabytes_of_frames_while_it_is_left)
{
    struct trail trail = {0};
    trail.fiber = fiber_create(go_deep, &trail);
    cr_assert_not(fiber_enter(trail.fiber));
    char *other = malloc(FRAME_BYTES);
    memset(other, 1, FRAME_BYTES);
    cr_assert(fiber_enter(trail.fiber));
    cr_assert_eq(trail.steps, DEPTH + 1);
    free(other);
    fiber_free(trail.fiber);
}

static jmp_buf landing;

static void jump_after_leaving(struct trail *trail)
{
    fiber_leave(trail->fiber);
    trail->steps++;
    _longjmp(landing, 1);
}

static void unwind(void *context)
{
    struct trail *trail = context;
    if (_setjmp(landing) == 0)
        jump_after_leaving(trail);
    trail->steps += 10;
}

/* As errors of Lua do. */
Test(fiber, unwinds_inside_after_it_was_left)
{
    struct trail trail = {0};
    trail.fiber = fiber_create(unwind, &trail);
    for (int i = 1; i <= 3; i++) {
        cr_assert_not(fiber_enter(trail.fiber));
        cr_assert(fiber_enter(trail.fiber));
        cr_assert_eq(trail.steps, 11 * i);
    }
    fiber_free(trail.fiber);
}

Test(fiber, there_may_be_several)
{
    struct trail first = {.stops = 1}, second = {.stops = 1};
    first.fiber = fiber_create(walk, &first);
    second.fiber = fiber_create(walk, &second);
    cr_assert_not(fiber_enter(first.fiber));
    cr_assert_not(fiber_enter(second.fiber));
    cr_assert(fiber_enter(first.fiber));
    cr_assert(fiber_enter(second.fiber));
    cr_assert_eq(first.steps, 101);
    cr_assert_eq(second.steps, 101);
    fiber_free(first.fiber);
    fiber_free(second.fiber);
}
