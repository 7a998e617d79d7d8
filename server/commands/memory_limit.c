/* Making room under maxmemory. See memory_limit.h. Main thread only. */
#include "memory_limit.h"

#include "base/allocator.h"
#include "base/clock.h"
#include "base/log.h"
#include "commands/commands.h"

#include <math.h>

enum {
    /* Keys and steps between two looks at the clock. */
    STEPS_PER_LOOK = 16,
    SLICE_US = 500,
    /* maxmemory-eviction-tenacity: from 0 to the default the time grows linearly, then by 15% a step; at 100
     * there is no limit. */
    TENACITY_DEFAULT = 10,
    TENACITY_UNLIMITED = 100,
    TENACITY_STEP_US = 50,
};

static int64_t tenacity_us(int64_t tenacity)
{
    if (tenacity >= TENACITY_UNLIMITED)
        return INT64_MAX;
    if (tenacity <= TENACITY_DEFAULT)
        return TENACITY_STEP_US * tenacity;
    return (int64_t)(TENACITY_STEP_US * TENACITY_DEFAULT * pow(1.15, (double)(tenacity - TENACITY_DEFAULT)));
}

static bool is_over(const struct commands *commands)
{
    return allocator_used_bytes() > (uint64_t)commands->settings.maxmemory;
}

/* ---- how long it lasts ---- */

static void limit_note_over(struct memory_limit *limit)
{
    if (limit->over_since_us == 0)
        limit->over_since_us = clock_monotonic_us();
}

static void limit_note_under(struct memory_limit *limit)
{
    if (limit->over_since_us)
        limit->over_total_us += (uint64_t)(clock_monotonic_us() - limit->over_since_us);
    limit->over_since_us = 0;
}

int64_t memory_limit_exceeded_ms(const struct memory_limit *limit)
{
    return limit->over_since_us ? (clock_monotonic_us() - limit->over_since_us) / 1000 : 0;
}

uint64_t memory_limit_exceeded_total_ms(const struct memory_limit *limit)
{
    uint64_t now_us = limit->over_since_us ? (uint64_t)(clock_monotonic_us() - limit->over_since_us) : 0;
    return (limit->over_total_us + now_us) / 1000;
}

void memory_limit_reset_stats(struct memory_limit *limit)
{
    limit->over_since_us = 0;
    limit->over_total_us = 0;
}

/* ---- evicting ---- */

/* Frees or evicts one more. Returns false when there is nothing left to do it to. */
static bool limit_step(struct commands *commands)
{
    struct keyspace *keyspace = commands->keyspace;
    if (!reclaim_is_idle(&keyspace->reclaim)) {
        reclaim_step(&keyspace->reclaim);
        return true;
    }
    return eviction_step(keyspace);
}

/* What one round of evicting may take. */
struct limit_budget {
    int64_t share_us; /* for getting under the limit */
    int64_t most_us;  /* for getting back to where the round before ended: what was added since */
};

/* Evicts until there is room, nothing is left to evict, or the time is over. */
static enum memory_state limit_evict(struct commands *commands, struct limit_budget budget)
{
    struct memory_limit *limit = &commands->memory;
    const uint64_t most_bytes = (uint64_t)commands->settings.maxmemory;
    int64_t start_us = clock_monotonic_us(), spent_us = 0;
    enum memory_state state = MEMORY_EVICTING;
    for (unsigned steps = 0; state == MEMORY_EVICTING; steps++) {
        uint64_t used_bytes = allocator_used_bytes();
        if (used_bytes <= most_bytes) {
            state = MEMORY_ENOUGH;
        } else if (spent_us >= budget.share_us && used_bytes <= limit->level_bytes) {
            break;
        } else if (steps >= STEPS_PER_LOOK && spent_us >= budget.most_us) {
            break;
        } else if (!limit_step(commands)) {
            state = MEMORY_FULL;
        } else if (steps % STEPS_PER_LOOK == STEPS_PER_LOOK - 1) {
            spent_us = clock_monotonic_us() - start_us;
        }
    }
    limit->level_bytes = state == MEMORY_ENOUGH ? 0 : allocator_used_bytes();
    limit->batch_us += spent_us;
    int64_t spent_ms = spent_us / 1000, threshold_ms = commands->settings.latency_monitor_threshold_ms;
    if (threshold_ms > 0 && spent_ms >= threshold_ms)
        latency_record(&commands->latency, "eviction-cycle", clock_wall_ms() / 1000, spent_ms);
    return state;
}

static enum memory_state limit_enforce(struct commands *commands, struct limit_budget budget)
{
    struct memory_limit *limit = &commands->memory;
    enum memory_state state = MEMORY_ENOUGH;
    if (commands->settings.maxmemory != 0 && !commands->loading && !commands->keyspace->frozen &&
        is_over(commands)) {
        limit_note_over(limit);
        state = limit_evict(commands, budget);
    }
    if (state == MEMORY_ENOUGH)
        limit_note_under(limit);
    limit->evicting = state == MEMORY_EVICTING;
    return state;
}

void memory_limit_begin_batch(struct memory_limit *limit)
{
    limit->batch_us = 0;
}

enum memory_state memory_limit_make_room(struct commands *commands)
{
    int64_t most_us = tenacity_us(commands->settings.maxmemory_eviction_tenacity);
    return limit_enforce(commands, (struct limit_budget){most_us - commands->memory.batch_us, most_us});
}

bool memory_limit_slice(struct commands *commands)
{
    return commands->memory.evicting &&
           limit_enforce(commands, (struct limit_budget){SLICE_US, SLICE_US}) == MEMORY_EVICTING;
}

void memory_limit_changed(struct commands *commands)
{
    uint64_t maxmemory = (uint64_t)commands->settings.maxmemory;
    if (maxmemory == 0 || !is_over(commands))
        return;
    log_warning(
        "The new maxmemory (%llu) is below what is in use (%llu): as maxmemory-policy says, keys will "
        "be evicted or writes refused",
        (unsigned long long)maxmemory, (unsigned long long)allocator_used_bytes());
    commands->memory.evicting = true;
}

bool call_is_denied_by_memory(struct call *call, unsigned command_flags)
{
    enum memory_state state = memory_limit_make_room(call->commands);
    call->commands->memory.was_full = state == MEMORY_FULL;
    return state == MEMORY_FULL && (command_flags & COMMAND_DENYOOM);
}
