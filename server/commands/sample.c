/* Counts as arguments, and the addresses drawn so far: open addressing, at most half full. See sample.h. Main
 * thread only. */
#include "commands/sample.h"

#include "base/mem.h"

#include <inttypes.h>

enum { CAPACITY_MIN = 16 };

bool sample_read_count(struct call *call, int index, int64_t *count)
{
    if (!call_int64(call, index, count, NULL))
        return false;
    if (*count == INT64_MIN) {
        reply_errorf(call->reply, "ERR value is out of range, value must between %" PRId64 " and %" PRId64,
                     -INT64_MAX, INT64_MAX);
        return false;
    }
    return true;
}

void sample_drawn_init(struct sample_drawn *drawn, uint64_t count)
{
    drawn->capacity = CAPACITY_MIN;
    while (drawn->capacity / 2 < count)
        drawn->capacity *= 2;
    drawn->slots = mem_alloc_zero(drawn->capacity * sizeof(*drawn->slots));
}

void sample_drawn_free(struct sample_drawn *drawn)
{
    mem_free(drawn->slots, drawn->capacity * sizeof(*drawn->slots));
}

bool sample_drawn_add(struct sample_drawn *drawn, const void *address)
{
    uint64_t mixed = (uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15u;
    for (size_t at = mixed >> 32;; at++) {
        const void **slot = &drawn->slots[at & (drawn->capacity - 1)];
        if (*slot == address)
            return false;
        if (*slot == NULL) {
            *slot = address;
            return true;
        }
    }
}
