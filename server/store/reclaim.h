#ifndef SPINDLE_STORE_RECLAIM_H
#define SPINDLE_STORE_RECLAIM_H

#include "base/links.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Work that frees memory in slices, so that dropping ten million keys stalls nobody. The loop calls
 * reclaim_step between batches until nothing is left. Main thread only.
 */

struct reclaim {
    struct links jobs;
    uint64_t pending_items; /* lazyfree_pending_objects */
    uint64_t freed_items;   /* lazyfreed_objects */
};

void reclaim_init(struct reclaim *reclaim);

/* Queues a job. Step frees a bounded amount (some tens of microseconds), reports how many items went in
 * *freed, and returns false when it is done; it then has freed state too. Items: how many items the job will
 * free. */
void reclaim_add(struct reclaim *reclaim, bool (*step)(void *state, uint64_t *freed), void *state,
                 uint64_t items);

/* Runs one step of the oldest job. Returns false when nothing is queued. */
bool reclaim_step(struct reclaim *reclaim);

static inline bool reclaim_is_idle(const struct reclaim *reclaim)
{
    return links_is_empty(&reclaim->jobs);
}

/* Runs everything that is queued: at exit and in tests. */
void reclaim_finish(struct reclaim *reclaim);

#endif
