/*
 * Stacks to switch between. makecontext(3) lays the first frame; from then on setjmp and longjmp switch,
 * which spare the system call of swapcontext. The sanitizers are told of every switch. See fiber.h.
 */
#undef _FORTIFY_SOURCE /* its longjmp only goes up one stack */
#include "fiber.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN
#elif defined(__SANITIZE_THREAD__)
#define FIBER_TSAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN
#elif __has_feature(thread_sanitizer)
#define FIBER_TSAN
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_BYTES = 8 * 1024 * 1024 };

struct fiber {
    jmp_buf inside, outside;
    char *stack; /* the guard page, then STACK_BYTES */
    size_t guard_bytes;
    void (*body)(void *context);
    void *context;
    bool finished;
    ucontext_t first; /* where the first switch goes */
    /* What the sanitizers know of the two sides. */
    const void *outside_stack;
    size_t outside_bytes;
    void *outside_handle, *inside_handle;
};

/* ---- telling the sanitizers ---- */

static void note_entering(struct fiber *fiber, void **fake_stack)
{
    (void)fiber;
    (void)fake_stack;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(fake_stack, fiber->stack + fiber->guard_bytes, STACK_BYTES);
#endif
#ifdef FIBER_TSAN
    fiber->outside_handle = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->inside_handle, 0);
#endif
}

static void note_leaving(struct fiber *fiber, void **fake_stack)
{
    (void)fiber;
    (void)fake_stack;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(fake_stack, fiber->outside_stack, fiber->outside_bytes);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(fiber->outside_handle, 0);
#endif
}

static void note_arrived_inside(struct fiber *fiber, void *fake_stack)
{
    (void)fiber;
    (void)fake_stack;
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, &fiber->outside_stack, &fiber->outside_bytes);
#endif
}

static void note_arrived_outside(void *fake_stack)
{
    (void)fake_stack;
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
}

/* ---- switching ---- */

void fiber_leave(struct fiber *fiber)
{
    void *fake_stack = NULL;
    note_leaving(fiber, &fake_stack);
    if (_setjmp(fiber->inside) == 0)
        _longjmp(fiber->outside, 1);
    note_arrived_inside(fiber, fake_stack);
}

bool fiber_enter(struct fiber *fiber)
{
    void *fake_stack = NULL;
    fiber->finished = false;
    note_entering(fiber, &fake_stack);
    if (_setjmp(fiber->outside) == 0)
        _longjmp(fiber->inside, 1);
    note_arrived_outside(fake_stack);
    return fiber->finished;
}

/* The fiber's first and last frame. The pointer comes in two halves, as makecontext passes integers. */
static void fiber_main(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low);
    note_arrived_inside(fiber, NULL);
    for (;;) {
        fiber_leave(fiber);
        fiber->body(fiber->context);
        fiber->finished = true;
    }
}

struct fiber *fiber_create(void (*body)(void *context), void *context)
{
    struct fiber *fiber = calloc(1, sizeof(*fiber));
    CHECK(fiber != NULL);
    fiber->body = body;
    fiber->context = context;
    fiber->guard_bytes = (size_t)sysconf(_SC_PAGESIZE);
    fiber->stack = mmap(NULL, fiber->guard_bytes + STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK(fiber->stack != MAP_FAILED);
    CHECK(mprotect(fiber->stack, fiber->guard_bytes, PROT_NONE) == 0);
#ifdef FIBER_TSAN
    fiber->inside_handle = __tsan_create_fiber(0);
#endif
    CHECK(getcontext(&fiber->first) == 0);
    fiber->first.uc_stack.ss_sp = fiber->stack + fiber->guard_bytes;
    fiber->first.uc_stack.ss_size = STACK_BYTES;
    uint64_t address = (uintptr_t)fiber;
    makecontext(&fiber->first, (void (*)(void))fiber_main, 2, (unsigned)(address >> 32), (unsigned)address);
    void *fake_stack = NULL;
    note_entering(fiber, &fake_stack);
    if (_setjmp(fiber->outside) == 0)
        setcontext(&fiber->first);
    note_arrived_outside(fake_stack);
    return fiber;
}

void fiber_free(struct fiber *fiber)
{
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->inside_handle);
#endif
    munmap(fiber->stack, fiber->guard_bytes + STACK_BYTES);
    free(fiber);
}
