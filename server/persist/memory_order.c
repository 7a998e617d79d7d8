/* Blocks in the order of their addresses: see memory_order.h. */
#include "memory_order.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    GRAIN_BYTES = 8,
    SLAB_WORDS = MEM_SLAB_BYTES / GRAIN_BYTES / 64,
    FIRST_CAPACITY = 64,
};

static size_t place_of(const struct memory_order *order, uintptr_t address)
{
    size_t place = (address / MEM_SLAB_BYTES) * 0x9e3779b97f4a7c15u >> 32;
    for (place &= order->capacity - 1;; place = (place + 1) & (order->capacity - 1))
        if (order->slabs[place].address == address || order->slabs[place].address == 0)
            return place;
}

static bool order_grow(struct memory_order *order)
{
    struct memory_order larger = {.capacity = order->capacity ? 2 * order->capacity : FIRST_CAPACITY,
                                  .count = order->count};
    larger.slabs = calloc(larger.capacity, sizeof(*larger.slabs));
    if (larger.slabs == NULL)
        return false;
    for (size_t i = 0; i < order->capacity; i++)
        if (order->slabs[i].address)
            larger.slabs[place_of(&larger, order->slabs[i].address)] = order->slabs[i];
    free(order->slabs);
    *order = larger;
    return true;
}

static struct memory_slab *order_find(struct memory_order *order, uintptr_t address)
{
    if (order->count >= order->capacity / 2 && !order_grow(order))
        return NULL;
    struct memory_slab *slab = &order->slabs[place_of(order, address)];
    if (slab->address)
        return slab;
    slab->bits = calloc(SLAB_WORDS, sizeof(*slab->bits));
    if (slab->bits == NULL)
        return NULL;
    slab->address = address;
    order->count++;
    return slab;
}

bool memory_order_add(struct memory_order *order, const void *block)
{
    uintptr_t address = (uintptr_t)block;
    struct memory_slab *slab = order_find(order, address & ~(uintptr_t)(MEM_SLAB_BYTES - 1));
    if (slab == NULL)
        return false;
    size_t grain = (address - slab->address) / GRAIN_BYTES;
    slab->bits[grain / 64] |= (uint64_t)1 << grain % 64;
    return true;
}

static int compare_slabs(const void *a, const void *b)
{
    uintptr_t left = ((const struct memory_slab *)a)->address;
    uintptr_t right = ((const struct memory_slab *)b)->address;
    return (left > right) - (left < right);
}

void memory_order_sort(struct memory_order *order)
{
    size_t count = 0;
    for (size_t i = 0; i < order->capacity; i++)
        if (order->slabs[i].address)
            order->slabs[count++] = order->slabs[i];
    if (count > 0)
        qsort(order->slabs, count, sizeof(*order->slabs), compare_slabs);
}

void memory_slab_visit(const struct memory_slab *slab, void (*visit)(void *context, void *block),
                       void *context)
{
    for (size_t word = 0; word < SLAB_WORDS; word++)
        for (uint64_t bits = slab->bits[word]; bits; bits &= bits - 1) {
            size_t grain = word * 64 + (size_t)__builtin_ctzll(bits);
            visit(context, (char *)slab->address + grain * GRAIN_BYTES);
        }
}

void memory_order_free(struct memory_order *order)
{
    for (size_t i = 0; i < order->count; i++)
        free(order->slabs[i].bits);
    free(order->slabs);
    *order = (struct memory_order){.count = 0};
}
