/* Blocks come back once each, slab by slab in the order of addresses. */
#include "persist/memory_order.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct seen {
    const char *last;
    size_t count;
};

static void see(void *context, void *block)
{
    struct seen *seen = context;
    cr_assert_gt((const char *)block, seen->last);
    seen->last = block;
    seen->count++;
}

static struct seen visit_all(struct memory_order *order)
{
    struct seen seen = {NULL, 0};
    memory_order_sort(order);
    for (size_t i = 0; i < order->count; i++) {
        cr_assert_gt((const char *)order->slabs[i].address + MEM_SLAB_BYTES, seen.last);
        cr_assert_eq(order->slabs[i].address % MEM_SLAB_BYTES, 0);
        memory_slab_visit(&order->slabs[i], see, &seen);
        cr_assert_lt(seen.last, (const char *)order->slabs[i].address + MEM_SLAB_BYTES);
    }
    return seen;
}

Test(memory_order, nothing)
{
    struct memory_order order = {.count = 0};
    cr_assert_eq(visit_all(&order).count, 0);
    memory_order_free(&order);
}

Test(memory_order, first_and_last_places_of_slabs)
{
    /* Addresses only: nothing is read there. */
    static const uintptr_t blocks[] = {0x7f0000010000, 0x7f000001fff8, 0x7f0000000000, 0x10000,
                                       0x7f000000fff8, 0x7f0000020000, 0x7f0000010008, 0x7ffffffffff8};
    enum { COUNT = sizeof(blocks) / sizeof(*blocks) };
    struct memory_order order = {.count = 0};
    for (size_t i = 0; i < COUNT; i++)
        cr_assert(memory_order_add(&order, (const void *)blocks[i]));
    cr_assert_eq(visit_all(&order).count, COUNT);
    cr_assert_eq(order.count, 5);
    memory_order_free(&order);
}

Test(memory_order, many)
{
    struct memory_order order = {.count = 0};
    uint64_t state = 5;
    enum { COUNT = 200000 };
    for (uint64_t i = 0; i < COUNT; i++) {
        /* An odd factor makes every address once. */
        state = (i * 0x9e3779b1u) % (1u << 27);
        cr_assert(memory_order_add(&order, (const void *)(uintptr_t)(0x500000000000 + state * 8)));
    }
    cr_assert_eq(visit_all(&order).count, COUNT);
    memory_order_free(&order);
}
