#ifndef SPINDLE_BASE_ALLOCATOR_H
#define SPINDLE_BASE_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What all memory of the process amounts to, for INFO and MEMORY: the slabs of mem.h and everything from
 * malloc, whoever asked for it. Main thread only.
 */

struct allocator_totals {
    uint64_t allocated_bytes; /* handed out and not freed */
    uint64_t active_bytes;    /* pages that hold some of that */
    uint64_t resident_bytes;  /* in physical memory, with the allocators' own */
};

/* Costs some tens of microseconds. */
void allocator_measure(struct allocator_totals *totals);

/* allocated_bytes alone: costs next to nothing. What other threads did is at most some milliseconds old. */
uint64_t allocator_used_bytes(void);

/* Other threads allocate and free as well: call before they start. */
void allocator_expect_threads(void);

/* Physical memory of the process, code and stacks included; 0 when the system does not tell. */
uint64_t allocator_process_resident_bytes(void);

/* "jemalloc-5.3.0" or "libc". */
const char *allocator_name(void);

/* Writes the allocator's own report, piece by piece. Returns false when it has none. */
bool allocator_report(void (*write)(void *context, const char *text), void *context);

#endif
