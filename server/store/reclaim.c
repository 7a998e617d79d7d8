/* The queue of deferred frees. See reclaim.h. Main thread only. */
#include "reclaim.h"

#include "base/mem.h"

struct reclaim_job {
    struct links links;
    bool (*step)(void *state, uint64_t *freed);
    void *state;
    uint64_t items;
};

void reclaim_init(struct reclaim *reclaim)
{
    links_init(&reclaim->jobs);
    reclaim->pending_items = 0;
    reclaim->freed_items = 0;
}

void reclaim_add(struct reclaim *reclaim, bool (*step)(void *state, uint64_t *freed), void *state,
                 uint64_t items)
{
    struct reclaim_job *job = mem_alloc(sizeof(*job));
    *job = (struct reclaim_job){.step = step, .state = state, .items = items};
    links_append(&reclaim->jobs, &job->links);
    reclaim->pending_items += items;
}

bool reclaim_step(struct reclaim *reclaim)
{
    if (reclaim_is_idle(reclaim))
        return false;
    struct reclaim_job *job = links_container(reclaim->jobs.next, struct reclaim_job, links);
    uint64_t freed = 0;
    bool more = job->step(job->state, &freed);
    if (freed > job->items || !more)
        freed = job->items;
    job->items -= freed;
    reclaim->pending_items -= freed;
    reclaim->freed_items += freed;
    if (!more) {
        links_remove(&job->links);
        mem_free(job, sizeof(*job));
    }
    return !reclaim_is_idle(reclaim);
}

void reclaim_finish(struct reclaim *reclaim)
{
    while (reclaim_step(reclaim))
        ;
}
