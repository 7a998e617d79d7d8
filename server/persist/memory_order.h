#ifndef SPINDLE_PERSIST_MEMORY_ORDER_H
#define SPINDLE_PERSIST_MEMORY_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Small blocks in the order of their addresses, at one bit for 8 bytes of memory: a child that reads them so
 * can give slab after slab back. One owner; malloc.
 */

struct memory_slab {
    uintptr_t address; /* 0: free place */
    uint64_t *bits;    /* bit i: a block begins at address + 8 * i */
};

struct memory_order {
    struct memory_slab *slabs; /* by hash of the address; after memory_order_sort by address */
    size_t capacity;           /* a power of two */
    size_t count;
};

/* Notes a block. False: no memory. */
bool memory_order_add(struct memory_order *order, const void *block);

/* Ends the adding: slabs[0] to slabs[count - 1] are in order. */
void memory_order_sort(struct memory_order *order);

/* Calls for each block of a slab, in order. */
void memory_slab_visit(const struct memory_slab *slab, void (*visit)(void *context, void *block),
                       void *context);

void memory_order_free(struct memory_order *order);

#endif
